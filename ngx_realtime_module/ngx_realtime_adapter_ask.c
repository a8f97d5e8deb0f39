/* The cluster shared with Node servers: events that clients acknowledge. The asker is told how many
 * clients of this worker were asked, then what each of them says, until its time is over. */

#include "ngx_realtime_adapter_private.h"


static ngx_realtime_asked_t *ngx_realtime_adapter_asked_create(ngx_str_t *request_id,
    ngx_str_t *channel, int64_t id);
static void                  ngx_realtime_adapter_asked_free(ngx_realtime_asked_t *asked);
static void                  ngx_realtime_adapter_asked_handler(ngx_event_t *ev);
static void ngx_realtime_adapter_await(ngx_realtime_asked_t *asked, ngx_realtime_session_t *s);
static void ngx_realtime_adapter_awaited_free(ngx_realtime_awaited_t *awaited);
static void ngx_realtime_adapter_tell_count(ngx_realtime_asked_t *asked, ngx_uint_t count);


void
ngx_realtime_adapter_ask(ngx_realtime_space_t *space, const rt_adapter_message_t *message)
{
    u_char                  buffer[NGX_REALTIME_ADAPTER_NAME_MAX];
    ngx_str_t               request_id, channel;
    ngx_uint_t              i;
    ngx_msec_t              time;
    ngx_realtime_asked_t   *asked;
    ngx_realtime_adapter_t *adapter = ngx_realtime_adapter;

    if (!rt_str_eq(message->nsp, ngx_realtime_str(space->name))) {
        return;
    }

    request_id = ngx_realtime_ngx_str(message->request_id);
    ngx_realtime_adapter_response_channel(space, message, buffer, &channel);

    asked = ngx_realtime_adapter_asked_create(&request_id, &channel, ++adapter->ask_last);
    if (asked == NULL) {
        ngx_realtime_adapter_warn("a request of the Node cluster is left out",
            "no memory, or too many are under way");
        return;
    }

    if (ngx_realtime_adapter_find(space, &message->rooms, &message->except, 0) != NGX_OK
        || adapter->awaited_count + adapter->found_count > NGX_REALTIME_ADAPTER_AWAITED_MAX)
    {
        ngx_realtime_adapter_warn("a request of the Node cluster is left out",
            "too many clients are to answer");
        adapter->found_count = 0;
    }

    ngx_realtime_adapter_tell(message, asked->id);
    ngx_realtime_adapter_tell_count(asked, adapter->found_count);

    for (i = 0; i < adapter->found_count; i++) {
        ngx_realtime_adapter_await(asked, adapter->found[i].session);
    }

    if (ngx_queue_empty(&asked->awaited)) {
        ngx_realtime_adapter_asked_free(asked);
        return;
    }

    time = message->timeout_ms
        ? (ngx_msec_t) ngx_min(message->timeout_ms, NGX_REALTIME_ADAPTER_ASK_MAX)
        : NGX_REALTIME_ADAPTER_ASK_MS;
    ngx_add_timer(&asked->timer, time);
}


/* Both texts are copied. NULL: no memory, or too many are under way. */
static ngx_realtime_asked_t *
ngx_realtime_adapter_asked_create(ngx_str_t *request_id, ngx_str_t *channel, int64_t id)
{
    ngx_realtime_asked_t   *asked;
    ngx_realtime_adapter_t *adapter = ngx_realtime_adapter;

    if (adapter->asked_count == NGX_REALTIME_ADAPTER_ASKED_MAX
        || request_id->len > NGX_REALTIME_ADAPTER_NAME_MAX)
    {
        return NULL;
    }

    asked =
        ngx_calloc(sizeof(ngx_realtime_asked_t) + request_id->len + channel->len, ngx_cycle->log);
    if (asked == NULL) {
        return NULL;
    }

    asked->request_id.len = request_id->len;
    asked->request_id.data = (u_char *) asked + sizeof(ngx_realtime_asked_t);
    asked->channel.len = channel->len;
    asked->channel.data = ngx_cpymem(asked->request_id.data, request_id->data, request_id->len);
    ngx_memcpy(asked->channel.data, channel->data, channel->len);

    asked->id = id;
    asked->timer.handler = ngx_realtime_adapter_asked_handler;
    asked->timer.data = asked;
    asked->timer.log = ngx_cycle->log;
    asked->timer.cancelable = 1;

    ngx_queue_init(&asked->awaited);
    ngx_queue_insert_tail(&adapter->asked, &asked->link);
    adapter->asked_count++;

    return asked;
}


static void
ngx_realtime_adapter_asked_free(ngx_realtime_asked_t *asked)
{
    while (!ngx_queue_empty(&asked->awaited)) {
        ngx_realtime_adapter_awaited_free(
            ngx_queue_data(ngx_queue_head(&asked->awaited), ngx_realtime_awaited_t, link));
    }

    if (asked->timer.timer_set) {
        ngx_del_timer(&asked->timer);
    }

    ngx_queue_remove(&asked->link);
    ngx_realtime_adapter->asked_count--;
    ngx_free(asked);
}


static void
ngx_realtime_adapter_asked_handler(ngx_event_t *ev)
{
    ngx_realtime_adapter_asked_free(ev->data);
}


/* Without memory its answer is not waited for; the asker finds that out by itself. */
static void
ngx_realtime_adapter_await(ngx_realtime_asked_t *asked, ngx_realtime_session_t *s)
{
    ngx_realtime_awaited_t *awaited;

    awaited = ngx_calloc(sizeof(ngx_realtime_awaited_t), ngx_cycle->log);
    if (awaited == NULL) {
        return;
    }

    awaited->asked = asked;
    awaited->session = s;
    awaited->next = s->awaited;
    s->awaited = awaited;

    ngx_queue_insert_tail(&asked->awaited, &awaited->link);
    ngx_realtime_adapter->awaited_count++;
}


static void
ngx_realtime_adapter_awaited_free(ngx_realtime_awaited_t *awaited)
{
    ngx_realtime_awaited_t **prev;

    for (prev = &awaited->session->awaited; *prev != awaited; prev = &(*prev)->next) {
        /* void */
    }

    *prev = awaited->next;

    ngx_queue_remove(&awaited->link);
    ngx_realtime_adapter->awaited_count--;
    ngx_free(awaited);
}


void
ngx_realtime_adapter_forget_awaited(ngx_realtime_session_t *s)
{
    while (s->awaited != NULL) {
        ngx_realtime_adapter_awaited_free(s->awaited);
    }
}


static void
ngx_realtime_adapter_tell_count(ngx_realtime_asked_t *asked, ngx_uint_t count)
{
    rt_buf_t out;

    ngx_memzero(&out, sizeof(rt_buf_t));
    rt_buf_append_str(&out, rt_str("{\"type\":8,\"requestId\":"));
    rt_buf_append_json_string(&out, ngx_realtime_str(asked->request_id));
    rt_buf_append_str(&out, rt_str(",\"clientCount\":"));
    rt_buf_append_int(&out, (int64_t) count);
    rt_buf_append_str(&out, rt_str("}"));

    if (!out.failed) {
        ngx_realtime_adapter_publish(&asked->channel, &out);
    }

    rt_buf_free(&out);
}


/* Each client is heard once: what it was not asked is not looked at. */
void
ngx_realtime_adapter_acknowledged(ngx_realtime_session_t *s, const rt_sio_packet_t *packet)
{
    rt_buf_t                out;
    ngx_realtime_asked_t   *asked;
    ngx_realtime_awaited_t *awaited;

    for (awaited = s->awaited; awaited != NULL; awaited = awaited->next) {
        if (awaited->asked->id == packet->id) {
            break;
        }
    }

    if (awaited == NULL) {
        return;
    }

    asked = awaited->asked;
    ngx_memzero(&out, sizeof(rt_buf_t));

    if (rt_adapter_encode_acknowledged(&out, ngx_realtime_str(asked->request_id),
            json_array_get(packet->data, 0), packet->attachments, packet->attachment_count)
        == RT_OK)
    {
        ngx_realtime_adapter_publish(&asked->channel, &out);
    }

    rt_buf_free(&out);

    ngx_realtime_adapter_awaited_free(awaited);

    if (ngx_queue_empty(&asked->awaited)) {
        ngx_realtime_adapter_asked_free(asked);
    }
}


json_t *
ngx_realtime_adapter_export_awaited(ngx_realtime_session_t *s)
{
    json_t                 *list;
    ngx_msec_int_t          left;
    ngx_realtime_awaited_t *awaited;

    list = json_array();

    for (awaited = s->awaited; awaited != NULL; awaited = awaited->next) {
        left = (ngx_msec_int_t) (awaited->asked->timer.timer.key - ngx_current_msec);

        if (json_array_append_new(list,
                json_pack("[I,I,s%,s%]", (json_int_t) awaited->asked->id, (json_int_t) left,
                    (char *) awaited->asked->request_id.data, awaited->asked->request_id.len,
                    (char *) awaited->asked->channel.data, awaited->asked->channel.len))
            != 0)
        {
            json_decref(list);
            return NULL;
        }
    }

    return list;
}


/* It was counted where it came from: only its answer is passed on here. */
void
ngx_realtime_adapter_import_awaited(ngx_realtime_session_t *s, json_t *list)
{
    size_t                i;
    json_t               *item, *text;
    int64_t               left;
    ngx_str_t             request_id, channel;
    ngx_realtime_asked_t *asked;

    json_array_foreach(list, i, item)
    {
        left = json_integer_value(json_array_get(item, 1));

        text = json_array_get(item, 2);
        request_id.data = (u_char *) json_string_value(text);
        request_id.len = json_string_length(text);

        text = json_array_get(item, 3);
        channel.data = (u_char *) json_string_value(text);
        channel.len = json_string_length(text);

        asked = ngx_realtime_adapter_asked_create(&request_id, &channel,
            json_integer_value(json_array_get(item, 0)));

        if (asked != NULL) {
            ngx_realtime_adapter_await(asked, s);
            ngx_add_timer(&asked->timer,
                (ngx_msec_t) ngx_min(ngx_max(left, 1), NGX_REALTIME_ADAPTER_ASK_MAX));
        }
    }
}


void
ngx_realtime_adapter_ask_exit(void)
{
    ngx_realtime_adapter_t *adapter = ngx_realtime_adapter;

    while (!ngx_queue_empty(&adapter->asked)) {
        ngx_realtime_adapter_asked_free(
            ngx_queue_data(ngx_queue_head(&adapter->asked), ngx_realtime_asked_t, link));
    }
}
