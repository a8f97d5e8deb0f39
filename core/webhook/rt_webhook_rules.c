/* What webhooks go by: which addresses may be called, how a body is signed, when to try again. */

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rt/rt_text.h>

#include "webhook/rt_webhook.h"


typedef struct {
    uint32_t net;
    int      bits;
} rt_webhook_net_t;

/* Not of the public internet: this host, private, shared, link-local, documentation, benchmarks,
 * multicast, reserved (RFC 6890). */
static const rt_webhook_net_t rt_webhook_closed[] = {
    {0x00000000, 8},
    {0x0a000000, 8},
    {0x64400000, 10},
    {0x7f000000, 8},
    {0xa9fe0000, 16},
    {0xac100000, 12},
    {0xc0000000, 24},
    {0xc0000200, 24},
    {0xc0586300, 24},
    {0xc0a80000, 16},
    {0xc6120000, 15},
    {0xc6336400, 24},
    {0xcb007100, 24},
    {0xe0000000, 4},
    {0xf0000000, 4},
};


static int
rt_webhook_v4_public(uint32_t address)
{
    size_t i;

    for (i = 0; i < sizeof(rt_webhook_closed) / sizeof(rt_webhook_closed[0]); i++) {
        if ((address ^ rt_webhook_closed[i].net) >> (32 - rt_webhook_closed[i].bits) == 0) {
            return 0;
        }
    }

    return 1;
}


/* Four bytes of an IPv6 address as the IPv4 address that they stand for. */
static uint32_t
rt_webhook_embedded(const uint8_t *bytes)
{
    return (uint32_t) bytes[0] << 24 | (uint32_t) bytes[1] << 16 | (uint32_t) bytes[2] << 8
        | bytes[3];
}


/* Global unicast is 2000::/3; what embeds an IPv4 address is as good as that one. */
static int
rt_webhook_v6_public(const uint8_t *bytes)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};

    if (memcmp(bytes, mapped, 12) == 0 || memcmp(bytes, nat64, 12) == 0) {
        return rt_webhook_v4_public(rt_webhook_embedded(bytes + 12));
    }

    if (bytes[0] == 0x20 && bytes[1] == 0x02) { /* 6to4 */
        return rt_webhook_v4_public(rt_webhook_embedded(bytes + 2));
    }

    if (bytes[0] == 0x20 && bytes[1] == 0x01) {

        /* 2001::/23, Teredo among others, and documentation */
        if (bytes[2] < 2 || (bytes[2] == 0x0d && bytes[3] == 0xb8)) {
            return 0;
        }
    }

    return (bytes[0] & 0xe0) == 0x20;
}


int
rt_webhook_address_public(const struct sockaddr *address)
{
    struct sockaddr_in  v4;
    struct sockaddr_in6 v6;

    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof(v4));
        return rt_webhook_v4_public(ntohl(v4.sin_addr.s_addr));
    }

    if (address->sa_family == AF_INET6) {
        memcpy(&v6, address, sizeof(v6));
        return rt_webhook_v6_public(v6.sin6_addr.s6_addr);
    }

    return 0;
}


rt_status_t
rt_webhook_sign(char out[RT_WEBHOOK_SIGNATURE_LEN + 1], rt_str_t secret, rt_str_t timestamp,
    rt_str_t body)
{
    uint8_t     digest[RT_SHA256_LEN];
    rt_buf_t    buf;
    rt_status_t status;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_buf_reserve(&buf, timestamp.len + 1 + body.len);
    rt_buf_append_str(&buf, timestamp);
    rt_buf_append(&buf, ".", 1);
    rt_buf_append_str(&buf, body);

    status =
        buf.failed ? RT_NO_MEMORY : rt_hmac_sha256(digest, secret, (rt_str_t){buf.data, buf.len});
    rt_buf_free(&buf);

    if (status == RT_OK) {
        memcpy(out, "sha256=", 7);
        rt_hex(out + 7, digest, sizeof(digest));
        out[RT_WEBHOOK_SIGNATURE_LEN] = '\0';
    }

    return status;
}


int64_t
rt_webhook_backoff_ms(int64_t attempts, uint32_t random)
{
    int64_t wait;

    static const int64_t seconds[RT_WEBHOOK_ATTEMPTS - 1] = {10, 60, 300, 1800, 7200, 21600, 86400};

    if (attempts >= RT_WEBHOOK_ATTEMPTS) {
        return -1;
    }

    wait = seconds[attempts > 0 ? attempts - 1 : 0] * 1000;

    return wait + (int64_t) (random % (uint32_t) (wait / 10));
}


/* 1: the part is there and not empty. */
static int
rt_webhook_url_has(CURLU *url, CURLUPart part)
{
    int   has;
    char *text;

    text = NULL;
    has = curl_url_get(url, part, &text, 0) == CURLUE_OK && text != NULL && text[0] != '\0';
    curl_free(text);

    return has;
}


static int
rt_webhook_url_is_http(CURLU *url)
{
    int   is;
    char *scheme;

    scheme = NULL;
    is = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK
        && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);

    return is;
}


rt_status_t
rt_webhook_check_url(rt_str_t url, rt_error_t *error)
{
    char       *text;
    CURLU      *parsed;
    size_t      i;
    rt_status_t status;

    for (i = 0; i < url.len; i++) {
        if ((unsigned char) url.data[i] <= ' ' || (unsigned char) url.data[i] >= 0x7f) {
            return rt_error_set(error, RT_INVALID,
                "url must be ASCII without spaces: encode other characters");
        }
    }

    text = strndup(url.data, url.len);
    parsed = curl_url();

    if (text == NULL || parsed == NULL) {
        status = rt_error_set(error, RT_NO_MEMORY, "no memory");

    } else if (curl_url_set(parsed, CURLUPART_URL, text, 0) != CURLUE_OK
        || !rt_webhook_url_is_http(parsed) || !rt_webhook_url_has(parsed, CURLUPART_HOST))
    {
        status = rt_error_set(error, RT_INVALID, "url must be an http or https address");

    } else if (rt_webhook_url_has(parsed, CURLUPART_USER)
        || rt_webhook_url_has(parsed, CURLUPART_PASSWORD))
    {
        status = rt_error_set(error, RT_INVALID, "url must not hold a user or password");

    } else {
        status = RT_OK;
    }

    curl_url_cleanup(parsed);
    free(text);

    return status;
}
