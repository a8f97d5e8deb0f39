/* One POST: what is sent, where it may go, and what its answer means. */

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rt/rt_text.h>

#include "webhook/rt_webhook_send.h"


#define RT_WEBHOOK_CONNECT_MS 5000L
#define RT_WEBHOOK_TOTAL_MS   10000L
#define RT_WEBHOOK_ANSWER_MAX 65536


/* What every name resolved to comes by here, after any trick of the DNS. */
static curl_socket_t
rt_webhook_on_open(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    rt_webhook_send_t *send = data;

    (void) purpose;

    if (!send->private && !rt_webhook_address_public(&address->addr)) {
        send->refused = 1;
        return CURL_SOCKET_BAD;
    }

    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}


/* The answer's body is of no use, but a receiver may need to write some of it. */
static size_t
rt_webhook_on_body(char *bytes, size_t size, size_t count, void *data)
{
    rt_webhook_send_t *send = data;

    (void) bytes;
    send->received += size * count;

    return send->received > RT_WEBHOOK_ANSWER_MAX ? 0 : size * count;
}


static int
rt_webhook_add_header(rt_webhook_send_t *send, const char *name, rt_str_t value)
{
    rt_str_t           line;
    struct curl_slist *longer;

    line = rt_arena_printf(send->arena, "%s: %.*s", name, RT_STR_ARG(value));
    if (line.data == NULL) {
        return 1;
    }

    longer = curl_slist_append(send->headers, line.data);
    if (longer == NULL) {
        return 1;
    }

    send->headers = longer;

    return 0;
}


static rt_status_t
rt_webhook_headers(rt_webhook_send_t *send, const rt_webhook_t *webhook)
{
    int         failed;
    char        signature[RT_WEBHOOK_SIGNATURE_LEN + 1];
    rt_str_t    timestamp;
    rt_status_t status;

    timestamp = rt_arena_printf(send->arena, "%lld", (long long) (rt_time_now_ms() / 1000));
    if (timestamp.data == NULL) {
        return RT_NO_MEMORY;
    }

    status = rt_webhook_sign(signature, webhook->secret, timestamp, send->row.payload);
    if (status != RT_OK) {
        return status;
    }

    failed = rt_webhook_add_header(send, "Content-Type", rt_str("application/json"));
    failed |= rt_webhook_add_header(send, "X-Realtime-Event",
        rt_str_c(rt_webhook_event_names[send->row.event]));
    failed |= rt_webhook_add_header(send, "X-Realtime-Delivery", send->row.id);
    failed |= rt_webhook_add_header(send, "X-Realtime-Timestamp", timestamp);
    failed |= rt_webhook_add_header(send, "X-Realtime-Signature", rt_str_c(signature));
    failed |= rt_webhook_add_header(send, "Expect", rt_str("")); /* takes libcurl's own away */

    return failed ? RT_NO_MEMORY : RT_OK;
}


/* Not 0: an option was refused. Nothing of the environment counts: no proxies, no netrc. */
static int
rt_webhook_options(rt_webhook_send_t *send, const char *url, const char *ca_file)
{
    int   failed;
    CURL *easy = send->easy;

    failed = curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_PRIVATE, send) != CURLE_OK;
#if LIBCURL_VERSION_NUM >= 0x075500
    failed |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK;
#else
    failed |=
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS) != CURLE_OK;
#endif
    failed |= curl_easy_setopt(easy, CURLOPT_POST, 1L) != CURLE_OK;
    failed |=
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) send->row.payload.len)
        != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, send->row.payload.data) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, send->headers) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "nginx-realtime") != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, RT_WEBHOOK_CONNECT_MS) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, RT_WEBHOOK_TOTAL_MS) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, rt_webhook_on_open) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, send) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, rt_webhook_on_body) != CURLE_OK;
    failed |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, send) != CURLE_OK;

    if (ca_file != NULL) {
        failed |= curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file) != CURLE_OK;
        failed |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) != CURLE_OK;
    }

    return failed;
}


rt_status_t
rt_webhook_send_begin(rt_webhook_send_t *send, const rt_webhooks_t *webhooks,
    const rt_delivery_t *row, const rt_webhook_t *webhook)
{
    rt_str_t    url;
    rt_status_t status;

    memset(send, 0, sizeof(rt_webhook_send_t));
    send->arena = rt_arena_create(0);
    send->easy = curl_easy_init();

    if (send->arena == NULL || send->easy == NULL) {
        rt_webhook_send_clear(send);
        return RT_NO_MEMORY;
    }

    send->private = webhooks->private;
    send->claimed = row->attempts;
    send->row = *row;
    send->row.id = rt_arena_str(send->arena, row->id);
    send->row.webhook_id = rt_arena_str(send->arena, row->webhook_id);
    send->row.payload = rt_arena_str(send->arena, row->payload);
    url = rt_arena_str(send->arena, webhook->url);

    status = RT_NO_MEMORY;

    if (send->row.id.data && send->row.webhook_id.data && send->row.payload.data && url.data) {
        status = rt_webhook_headers(send, webhook);
    }

    if (status == RT_OK && rt_webhook_options(send, url.data, webhooks->ca_file)) {
        status = RT_ERROR;
    }

    if (status != RT_OK) {
        rt_webhook_send_clear(send);
    }

    return status;
}


/* It failed: again later, or never. */
static void
rt_webhook_send_failed(rt_webhook_send_t *send, int forever, rt_str_t why)
{
    int64_t  wait_ms;
    uint32_t random;

    if (rt_random(&random, sizeof(random)) != RT_OK) {
        random = 0;
    }

    wait_ms = forever ? -1 : rt_webhook_backoff_ms(send->claimed, random);
    send->row.last_error = why;

    if (wait_ms < 0) {
        send->row.status = RT_DELIVERY_FAILED;
    } else {
        send->row.next_at_ms = rt_time_now_ms() + wait_ms;
    }
}


void
rt_webhook_send_end(rt_webhook_send_t *send, CURLcode code)
{
    long http;

    http = 0;
    (void) curl_easy_getinfo(send->easy, CURLINFO_RESPONSE_CODE, &http);

    /* an answer that is too long is one all the same */
    if (code == CURLE_WRITE_ERROR && http >= 200) {
        code = CURLE_OK;
    }

    send->row.last_status = http;
    send->row.last_error = rt_str_null;

    if (code == CURLE_OK && http >= 200 && http < 300) {
        send->row.status = RT_DELIVERY_DELIVERED;
        send->row.delivered_at_ms = rt_time_now_ms();

    } else if (code == CURLE_OK && http == 410) {
        send->gone = 1;
        rt_webhook_send_failed(send, 1, rt_str("The receiver is gone (410)"));

    } else if (code == CURLE_OK && http >= 300 && http < 400) {
        rt_webhook_send_failed(send, 0, rt_str("Redirects are not followed"));

    } else if (code == CURLE_OK) {
        rt_webhook_send_failed(send, 0, rt_str("The receiver did not accept it"));

    } else if (send->refused) {
        rt_webhook_send_failed(send, 1, rt_str("The address is private: it is not called"));

    } else {
        rt_webhook_send_failed(send, 0, rt_str_c(curl_easy_strerror(code)));
    }
}


void
rt_webhook_send_clear(rt_webhook_send_t *send)
{
    curl_easy_cleanup(send->easy);
    curl_slist_free_all(send->headers);
    rt_arena_destroy(send->arena);
    memset(send, 0, sizeof(rt_webhook_send_t));
}
