/* The cluster shared with Node servers: its two connections to Redis, what is listened to, and our
 * events on their way out. They are connections of their own, so that nothing of it can hold up our
 * bus. What is lost while Redis is away stays lost, as it does between Node servers. */

#include "ngx_realtime_adapter_private.h"
#include "ngx_realtime_metrics.h"

#include <rt/rt_text.h>


static ngx_int_t ngx_realtime_adapter_spaces(ngx_realtime_worker_t *worker);
static ngx_int_t ngx_realtime_adapter_name(ngx_cycle_t *cycle, ngx_str_t *out, ngx_str_t *prefix,
    const char *kind, ngx_str_t *name);
static ngx_int_t ngx_realtime_adapter_pattern(ngx_cycle_t *cycle, ngx_str_t *out, ngx_str_t *name);
static ngx_int_t ngx_realtime_adapter_connect(ngx_realtime_worker_t *worker);
static void      ngx_realtime_adapter_subscriber_up(void *data);
static void      ngx_realtime_adapter_subscriber_reply(void *data, redisReply *reply);
static void      ngx_realtime_adapter_publisher_reply(void *data, redisReply *reply);
static void      ngx_realtime_adapter_changed(void *data);
static void      ngx_realtime_adapter_latency(void *data, uint64_t us);
static void      ngx_realtime_adapter_broadcast(ngx_realtime_space_t *space, const rt_emit_t *emit,
         rt_str_t event, rt_str_t data);

ngx_realtime_adapter_t *ngx_realtime_adapter;


ngx_int_t
ngx_realtime_adapter_init(ngx_realtime_worker_t *worker)
{
    uint64_t                number;
    ngx_realtime_adapter_t *adapter;

    if (worker->conf->redis == NULL || !worker->conf->redis->adapter
        || worker->conf->namespaces.nelts == 0)
    {
        return NGX_OK;
    }

    adapter = ngx_pcalloc(worker->cycle->pool, sizeof(ngx_realtime_adapter_t));
    if (adapter == NULL) {
        return NGX_ERROR;
    }

    ngx_realtime_adapter = adapter;

    adapter->seen = ngx_pcalloc(worker->cycle->pool, NGX_REALTIME_ADAPTER_SEEN * sizeof(uint64_t));
    if (adapter->seen == NULL) {
        return NGX_ERROR;
    }

    ngx_rbtree_init(&adapter->rooms, &adapter->rooms_sentinel, ngx_str_rbtree_insert_value);
    ngx_queue_init(&adapter->asked);

    /* clients move with what they are asked: no two workers use the same ids */
    if (rt_random(&number, sizeof(number)) != RT_OK) {
        return NGX_ERROR;
    }

    adapter->ask_last = (int64_t) (number >> 24);

    /* pub/sub knows no databases: another cluster of ours there is a stranger */
    adapter->uid.data = adapter->uid_text;
    adapter->kin =
        ngx_sprintf(adapter->uid_text, "nginx:%ui:", worker->conf->redis->db) - adapter->uid_text;
    adapter->uid.len = ngx_sprintf(adapter->uid_text + adapter->kin, "%016xL", (int64_t) worker->id)
        - adapter->uid_text;

    if (ngx_realtime_adapter_spaces(worker) != NGX_OK
        || ngx_realtime_adapter_connect(worker) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* The worker's sessions have ended. */
void
ngx_realtime_adapter_exit(void)
{
    ngx_realtime_adapter_t *adapter = ngx_realtime_adapter;

    if (adapter == NULL) {
        return;
    }

    ngx_realtime_adapter_ask_exit();
    ngx_realtime_adapter = NULL;

    if (adapter->publisher != NULL) {
        ngx_realtime_redis_destroy(adapter->publisher);
    }

    if (adapter->subscriber != NULL) {
        ngx_realtime_redis_destroy(adapter->subscriber);
    }

    ngx_free(adapter->found);
}


static ngx_int_t
ngx_realtime_adapter_spaces(ngx_realtime_worker_t *worker)
{
    ngx_str_t              *names, *prefix;
    ngx_uint_t              i;
    ngx_realtime_space_t   *space;
    ngx_realtime_adapter_t *adapter = ngx_realtime_adapter;

    names = worker->conf->namespaces.elts;
    prefix = &worker->conf->redis->adapter_prefix;

    adapter->space_count = worker->conf->namespaces.nelts;
    adapter->spaces =
        ngx_pcalloc(worker->cycle->pool, adapter->space_count * sizeof(ngx_realtime_space_t));
    if (adapter->spaces == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < adapter->space_count; i++) {
        space = &adapter->spaces[i];
        space->name = names[i];

        if (ngx_realtime_adapter_name(worker->cycle, &space->broadcast, prefix, "", &names[i])
                != NGX_OK
            || ngx_realtime_adapter_name(worker->cycle, &space->request, prefix, "-request",
                   &names[i])
                != NGX_OK
            || ngx_realtime_adapter_name(worker->cycle, &space->response, prefix, "-response",
                   &names[i])
                != NGX_OK
            || ngx_realtime_adapter_pattern(worker->cycle, &space->pattern, &space->broadcast)
                != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_adapter_name(ngx_cycle_t *cycle, ngx_str_t *out, ngx_str_t *prefix, const char *kind,
    ngx_str_t *name)
{
    out->data = ngx_pnalloc(cycle->pool, prefix->len + ngx_strlen(kind) + name->len + 2);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    out->len = ngx_sprintf(out->data, "%V%s#%V#", prefix, kind, name) - out->data;

    return NGX_OK;
}


/* All channels that begin with name. */
static ngx_int_t
ngx_realtime_adapter_pattern(ngx_cycle_t *cycle, ngx_str_t *out, ngx_str_t *name)
{
    size_t  i;
    u_char *p;

    p = ngx_pnalloc(cycle->pool, 2 * name->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    for (i = 0; i < name->len; i++) {
        if (ngx_strchr("*?[]\\^", name->data[i]) != NULL) {
            *p++ = '\\';
        }

        *p++ = name->data[i];
    }

    *p++ = '*';
    out->len = p - out->data;

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_adapter_connect(ngx_realtime_worker_t *worker)
{
    ngx_realtime_adapter_t       *adapter = ngx_realtime_adapter;
    ngx_realtime_redis_handlers_t handlers;

    *ngx_sprintf(adapter->publisher_name, "nginx-%016xL-tells-node", (int64_t) worker->id) = '\0';
    *ngx_sprintf(adapter->subscriber_name, "nginx-%016xL-hears-node", (int64_t) worker->id) = '\0';

    handlers.data = adapter;
    handlers.on_down = ngx_realtime_adapter_changed;
    handlers.on_latency = ngx_realtime_adapter_latency;

    handlers.on_up = ngx_realtime_adapter_changed;
    handlers.on_reply = ngx_realtime_adapter_publisher_reply;

    adapter->publisher = ngx_realtime_redis_create(worker->conf->redis,
        (char *) adapter->publisher_name, 0, &handlers, worker->log);

    handlers.on_up = ngx_realtime_adapter_subscriber_up;
    handlers.on_reply = ngx_realtime_adapter_subscriber_reply;

    adapter->subscriber = ngx_realtime_redis_create(worker->conf->redis,
        (char *) adapter->subscriber_name, 1, &handlers, worker->log);

    return adapter->publisher && adapter->subscriber ? NGX_OK : NGX_ERROR;
}


static void
ngx_realtime_adapter_changed(void *data)
{
    ngx_realtime_adapter_t *adapter = data;

    ngx_realtime_metrics->gauges.adapter_up = ngx_realtime_redis_is_up(adapter->publisher)
        && ngx_realtime_redis_is_up(adapter->subscriber);
}


/* The bus's own connections measure the same. */
static void
ngx_realtime_adapter_latency(void *data, uint64_t us)
{
}


/* Requests last: who is counted among those who listen there must be able to answer. */
static void
ngx_realtime_adapter_subscriber_up(void *data)
{
    ngx_str_t               argv[2];
    ngx_uint_t              i;
    ngx_realtime_adapter_t *adapter = data;

    ngx_realtime_adapter_changed(adapter);

    for (i = 0; i < adapter->space_count; i++) {
        ngx_str_set(&argv[0], "PSUBSCRIBE");
        argv[1] = adapter->spaces[i].pattern;

        if (ngx_realtime_redis_command(adapter->subscriber, 2, argv) != NGX_OK) {
            ngx_realtime_redis_reset(adapter->subscriber);
        }

        ngx_str_set(&argv[0], "SUBSCRIBE");
        argv[1] = adapter->spaces[i].request;

        if (ngx_realtime_redis_command(adapter->subscriber, 2, argv) != NGX_OK) {
            ngx_realtime_redis_reset(adapter->subscriber);
        }
    }
}


static ngx_uint_t
ngx_realtime_adapter_is(const redisReply *reply, ngx_str_t *text)
{
    return (size_t) reply->len == text->len && ngx_memcmp(reply->str, text->data, text->len) == 0;
}


/* [message, channel, payload] or [pmessage, pattern, channel, payload] */
static void
ngx_realtime_adapter_subscriber_reply(void *data, redisReply *reply)
{
    size_t                  i;
    ngx_str_t               channel, payload;
    ngx_uint_t              n, pattern;
    ngx_realtime_adapter_t *adapter = data;

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
            "realtime: redis refuses to subscribe to the Node cluster's channels: %*s",
            ngx_min(reply->len, 200), reply->str);
        return;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3) {
        return;
    }

    for (i = 0; i < reply->elements; i++) {
        if (reply->element[i]->type != REDIS_REPLY_STRING) {
            return; /* a confirmation: it ends with a number */
        }
    }

    pattern = reply->elements == 4 && ngx_strcmp(reply->element[0]->str, "pmessage") == 0;

    if (!pattern && (reply->elements != 3 || ngx_strcmp(reply->element[0]->str, "message") != 0)) {
        return;
    }

    payload.data = (u_char *) reply->element[reply->elements - 1]->str;
    payload.len = (size_t) reply->element[reply->elements - 1]->len;
    channel.data = (u_char *) reply->element[reply->elements - 2]->str;
    channel.len = (size_t) reply->element[reply->elements - 2]->len;

    for (n = 0; n < adapter->space_count; n++) {
        if (!ngx_realtime_adapter_is(reply->element[1],
                pattern ? &adapter->spaces[n].pattern : &adapter->spaces[n].request))
        {
            continue;
        }

        if (pattern) {
            ngx_realtime_adapter_on_broadcast(&adapter->spaces[n], &channel, &payload);
        } else {
            ngx_realtime_adapter_on_request(&adapter->spaces[n], &payload);
        }
    }
}


static void
ngx_realtime_adapter_publisher_reply(void *data, redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_realtime_adapter_warn("redis refuses to publish to the Node cluster", reply->str);
    }
}


void
ngx_realtime_adapter_warn(const char *what, const char *why)
{
    ngx_realtime_adapter_t *adapter = ngx_realtime_adapter;

    if (adapter->warned_once && ngx_current_msec - adapter->warned < NGX_REALTIME_ADAPTER_WARN_MS) {
        return;
    }

    adapter->warned_once = 1;
    adapter->warned = ngx_current_msec;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "realtime: %s: %s", what, why);
}


void
ngx_realtime_adapter_publish(ngx_str_t *channel, rt_buf_t *payload)
{
    ngx_str_t argv[3];

    ngx_str_set(&argv[0], "PUBLISH");
    argv[1] = *channel;
    argv[2].data = (u_char *) payload->data;
    argv[2].len = payload->len;

    if (ngx_realtime_redis_command(ngx_realtime_adapter->publisher, 3, argv) == NGX_OK) {
        ngx_realtime_metrics->counts.adapter_published++;
    }
}


/* Those whom Node has put into the room have it from here also while Redis is away. An event that
 * was told before is known to our clients by its number, but not to Node's. */
void
ngx_realtime_adapter_emit(const rt_emit_t *emit)
{
    ngx_uint_t              i;
    ngx_realtime_adapter_t *adapter = ngx_realtime_adapter;

    if (adapter == NULL || emit->again) {
        return;
    }

    if (adapter->labels != 0) {
        ngx_realtime_adapter_tell_labelled(emit);
    }

    for (i = 0; i < adapter->space_count; i++) {
        ngx_realtime_adapter_broadcast(&adapter->spaces[i], emit, emit->event, emit->data);

        if (emit->also_event.len) {
            ngx_realtime_adapter_broadcast(&adapter->spaces[i], emit, emit->also_event,
                emit->also_data.len ? emit->also_data : emit->data);
        }
    }
}


static void
ngx_realtime_adapter_broadcast(ngx_realtime_space_t *space, const rt_emit_t *emit, rt_str_t event,
    rt_str_t data)
{
    u_char            *p;
    u_char             text[sizeof("user:") + 4 * 128];
    u_char             name[NGX_REALTIME_ADAPTER_NAME_MAX];
    rt_buf_t           payload;
    rt_str_t           to[2], but[2];
    ngx_str_t          channel;
    rt_adapter_names_t rooms, except;

    if (!ngx_realtime_redis_is_up(ngx_realtime_adapter->publisher)) {
        return;
    }

    rooms = (rt_adapter_names_t){to, 1};
    except = (rt_adapter_names_t){but, 0};
    to[0] = emit->channel;
    channel = space->broadcast;

    if (emit->channel.len > 5 && ngx_strncmp(emit->channel.data, "room:", 5) == 0) {
        to[rooms.count++] = (rt_str_t){emit->channel.data + 5, emit->channel.len - 5};

    } else if (space->broadcast.len + emit->channel.len < sizeof(name)) {
        /* servers that have nobody in the only room need not look at it */
        channel.data = name;
        p = ngx_cpymem(name, space->broadcast.data, space->broadcast.len);
        p = ngx_cpymem(p, emit->channel.data, emit->channel.len);
        *p++ = '#';
        channel.len = p - name;
    }

    if (emit->except_socket.len) {
        but[except.count++] = emit->except_socket;
    }

    if (emit->except_user.len && emit->except_user.len <= 4 * 128) {
        p = ngx_cpymem(text, "user:", 5);
        ngx_memcpy(p, emit->except_user.data, emit->except_user.len);
        but[except.count++] = (rt_str_t){(char *) text, 5 + emit->except_user.len};
    }

    ngx_memzero(&payload, sizeof(rt_buf_t));

    if (rt_adapter_encode_broadcast(&payload, ngx_realtime_str(ngx_realtime_adapter->uid),
            ngx_realtime_str(space->name), event, data, &rooms, &except)
        == RT_OK)
    {
        ngx_realtime_adapter_publish(&channel, &payload);
    }

    rt_buf_free(&payload);
}
