/* The bus between hosts: making and closing it, what comes and goes, and the end of a turn. The
 * shape of the whole is told in ngx_realtime_bus_redis.h. */

#include "ngx_realtime_bus_redis.h"


static ngx_int_t  ngx_realtime_remote_publish(ngx_realtime_bus_t *bus, ngx_str_t *channel,
     ngx_str_t *payload);
static ngx_uint_t ngx_realtime_remote_peers(ngx_realtime_bus_t *bus);
static ngx_uint_t ngx_realtime_remote_up(ngx_realtime_bus_t *bus);
static void       ngx_realtime_remote_numbers(ngx_realtime_bus_t *bus, uint64_t *connects,
          uint64_t *queued);
static void       ngx_realtime_remote_latency(void *data, uint64_t us);
static void       ngx_realtime_remote_close(ngx_realtime_bus_t *bus);
static void       ngx_realtime_remote_free(ngx_realtime_remote_t *remote);
static ngx_int_t  ngx_realtime_remote_connect(ngx_realtime_remote_t *remote,
     const ngx_realtime_redis_conf_t                                *conf);
static void       ngx_realtime_remote_commands_up(void *data);
static void       ngx_realtime_remote_commands_down(void *data);
static void       ngx_realtime_remote_commands_reply(void *data, redisReply *reply);
static void       ngx_realtime_remote_subscriber_up(void *data);
static void       ngx_realtime_remote_subscriber_down(void *data);
static void       ngx_realtime_remote_subscriber_reply(void *data, redisReply *reply);
static void       ngx_realtime_remote_came(ngx_realtime_remote_t *remote, ngx_str_t *name,
          ngx_str_t *payload);
static void       ngx_realtime_remote_dispatch(ngx_realtime_remote_t *remote,
          const ngx_realtime_remote_head_t *head, ngx_str_t *name, ngx_str_t *body);
static void       ngx_realtime_remote_turn(ngx_event_t *ev);
static ngx_int_t  ngx_realtime_remote_expect(ngx_realtime_remote_t *remote,
     ngx_realtime_remote_about_e about, uint64_t id);
static void       ngx_realtime_remote_event(ngx_realtime_remote_t *remote, ngx_event_t *ev,
          ngx_event_handler_pt handler);


static const ngx_realtime_bus_methods_t ngx_realtime_remote_methods = {
    ngx_realtime_remote_subscribe,
    ngx_realtime_remote_unsubscribe,
    ngx_realtime_remote_publish,
    ngx_realtime_remote_message,
    ngx_realtime_remote_request,
    ngx_realtime_remote_cancel,
    ngx_realtime_remote_peers,
    ngx_realtime_remote_up,
    ngx_realtime_remote_numbers,
    ngx_realtime_remote_close,
};


ngx_realtime_bus_t *
ngx_realtime_bus_redis_create(ngx_cycle_t *cycle, const ngx_realtime_redis_conf_t *conf,
    uint64_t host, ngx_realtime_worker_id_t self, const ngx_realtime_bus_handlers_t *handlers)
{
    ngx_realtime_remote_t *remote;

    remote = ngx_calloc(sizeof(ngx_realtime_remote_t), cycle->log);
    if (remote == NULL) {
        return NULL;
    }

    remote->bus.methods = &ngx_realtime_remote_methods;
    remote->bus.handlers = *handlers;
    remote->bus.self = self;
    remote->bus.log = cycle->log;
    remote->host = host;
    remote->early = 1;
    remote->beaten = ngx_current_msec;
    remote->renewed = UINT64_MAX; /* not subscribed yet */

    ngx_queue_init(&remote->waits);
    ngx_queue_init(&remote->finished);
    ngx_rbtree_init(&remote->channels, &remote->channels_sentinel, ngx_str_rbtree_insert_value);
    ngx_rbtree_init(&remote->requests, &remote->requests_sentinel, ngx_rbtree_insert_value);
    ngx_rbtree_init(&remote->members, &remote->members_sentinel, ngx_rbtree_insert_value);

    ngx_realtime_remote_event(remote, &remote->turn, ngx_realtime_remote_turn);
    ngx_realtime_remote_event(remote, &remote->beat, ngx_realtime_remote_beat_handler);
    ngx_realtime_remote_event(remote, &remote->tick, ngx_realtime_remote_tick_handler);

    remote->prefix.data = ngx_alloc(sizeof("realtime::") + NGX_INT_T_LEN, cycle->log);
    remote->name = ngx_alloc(sizeof("realtime::c:") + NGX_INT_T_LEN + NGX_REALTIME_REMOTE_NAME_MAX,
        cycle->log);
    remote->answer = ngx_alloc(NGX_REALTIME_REMOTE_ANSWER_MAX, cycle->log);

    if (remote->prefix.data == NULL || remote->name == NULL || remote->answer == NULL) {
        ngx_realtime_remote_free(remote);
        return NULL;
    }

    remote->prefix.len =
        ngx_sprintf(remote->prefix.data, "realtime:%ui:", conf->db) - remote->prefix.data;

    if (ngx_realtime_remote_connect(remote, conf) != NGX_OK) {
        ngx_realtime_remote_free(remote);
        return NULL;
    }

    ngx_add_timer(&remote->beat, NGX_REALTIME_REMOTE_BEAT_MS);

    return &remote->bus;
}


static ngx_int_t
ngx_realtime_remote_connect(ngx_realtime_remote_t *remote, const ngx_realtime_redis_conf_t *conf)
{
    ngx_realtime_redis_handlers_t handlers;

    *ngx_sprintf(remote->command_name, "nginx-%016xL-commands", (int64_t) remote->bus.self) = '\0';
    *ngx_sprintf(remote->subscriber_name, "nginx-%016xL-listens", (int64_t) remote->bus.self) =
        '\0';

    handlers.data = remote;
    handlers.on_latency = ngx_realtime_remote_latency;

    handlers.on_up = ngx_realtime_remote_commands_up;
    handlers.on_down = ngx_realtime_remote_commands_down;
    handlers.on_reply = ngx_realtime_remote_commands_reply;

    remote->commands = ngx_realtime_redis_create(conf, (char *) remote->command_name, 0, &handlers,
        remote->bus.log);

    handlers.on_up = ngx_realtime_remote_subscriber_up;
    handlers.on_down = ngx_realtime_remote_subscriber_down;
    handlers.on_reply = ngx_realtime_remote_subscriber_reply;

    remote->subscriber = ngx_realtime_redis_create(conf, (char *) remote->subscriber_name, 1,
        &handlers, remote->bus.log);

    return remote->commands && remote->subscriber ? NGX_OK : NGX_ERROR;
}


static void
ngx_realtime_remote_event(ngx_realtime_remote_t *remote, ngx_event_t *ev,
    ngx_event_handler_pt handler)
{
    ev->handler = handler;
    ev->data = remote;
    ev->log = remote->bus.log;
    ev->cancelable = 1;
}


static void
ngx_realtime_remote_close(ngx_realtime_bus_t *bus)
{
    ngx_realtime_remote_t *remote = (ngx_realtime_remote_t *) bus;

    (void) ngx_realtime_remote_send_all(remote, NGX_REALTIME_REMOTE_BYE, 0, 0);

    ngx_realtime_remote_free(remote);
}


static void
ngx_realtime_remote_free(ngx_realtime_remote_t *remote)
{
    ngx_uint_t   i;
    ngx_event_t *timers[] = {&remote->beat, &remote->tick};

    if (remote->commands != NULL) {
        ngx_realtime_redis_destroy(remote->commands);
    }

    if (remote->subscriber != NULL) {
        ngx_realtime_redis_destroy(remote->subscriber);
    }

    for (i = 0; i < 2; i++) {
        if (timers[i]->timer_set) {
            ngx_del_timer(timers[i]);
        }
    }

    if (remote->turn.posted) {
        ngx_delete_posted_event(&remote->turn);
    }

    ngx_realtime_remote_waits_free(remote);
    ngx_realtime_remote_channels_free(remote);
    ngx_realtime_remote_members_free(remote);

    ngx_free(remote->pending);
    ngx_free(remote->answer);
    ngx_free(remote->name);
    ngx_free(remote->prefix.data);
    ngx_free(remote);
}


static ngx_uint_t
ngx_realtime_remote_up(ngx_realtime_bus_t *bus)
{
    ngx_realtime_remote_t *remote = (ngx_realtime_remote_t *) bus;

    return ngx_realtime_redis_is_up(remote->commands)
        && ngx_realtime_redis_is_up(remote->subscriber) && remote->renewed == 0;
}


void
ngx_realtime_bus_redis_tell_lost(ngx_realtime_bus_t *bus, ngx_realtime_worker_id_t worker)
{
    (void) ngx_realtime_remote_send_all((ngx_realtime_remote_t *) bus, NGX_REALTIME_REMOTE_LOST, 0,
        worker);
}


void
ngx_realtime_remote_post(ngx_realtime_remote_t *remote)
{
    /* see ngx_realtime_local_post() */

    if (remote->early || ngx_exiting) {
        ngx_post_event(&remote->turn, &ngx_posted_next_events);
        return;
    }

    ngx_post_event(&remote->turn, &ngx_posted_events);
}


static void
ngx_realtime_remote_turn(ngx_event_t *ev)
{
    ngx_realtime_remote_t *remote = ev->data;

    remote->early = 0;

    ngx_realtime_remote_subscribe_flush(remote);

    if (remote->gap) {
        remote->gap = 0;
        remote->bus.handlers.on_gap(remote->bus.handlers.data);
    }

    ngx_realtime_remote_finish(remote);
}


/* Going out. */

void
ngx_realtime_remote_head(ngx_realtime_remote_t *remote, ngx_realtime_remote_head_t *head,
    ngx_realtime_remote_type_e type, ngx_uint_t flags, uint64_t id)
{
    ngx_memzero(head, sizeof(ngx_realtime_remote_head_t));
    head->version = NGX_REALTIME_REMOTE_VERSION;
    head->type = (uint8_t) type;
    head->flags = (uint8_t) flags;
    head->from = remote->bus.self;
    head->host = remote->host;
    head->id = id;
}


void
ngx_realtime_remote_name(ngx_realtime_remote_t *remote, const char *kind, ngx_str_t *name,
    ngx_str_t *out)
{
    u_char *p;

    p = ngx_cpymem(remote->name, remote->prefix.data, remote->prefix.len);
    p = ngx_cpymem(p, kind, ngx_strlen(kind));

    if (name != NULL) {
        p = ngx_cpymem(p, name->data, name->len);
    }

    out->data = remote->name;
    out->len = p - remote->name;
}


/* The answers come in the order of the commands. */
static ngx_int_t
ngx_realtime_remote_expect(ngx_realtime_remote_t *remote, ngx_realtime_remote_about_e about,
    uint64_t id)
{
    ngx_uint_t                     i, size;
    ngx_realtime_remote_pending_t *ring, *item;

    if (remote->pending_count == remote->pending_size) {
        size = remote->pending_size ? remote->pending_size * 2 : 256;

        if (size > NGX_REALTIME_REMOTE_PENDING_MAX) {
            return NGX_DECLINED;
        }

        ring = ngx_alloc(size * sizeof(ngx_realtime_remote_pending_t), remote->bus.log);
        if (ring == NULL) {
            return NGX_ERROR;
        }

        for (i = 0; i < remote->pending_count; i++) {
            ring[i] = remote->pending[(remote->pending_head + i) & (remote->pending_size - 1)];
        }

        ngx_free(remote->pending);
        remote->pending = ring;
        remote->pending_size = size;
        remote->pending_head = 0;
    }

    item =
        &remote
             ->pending[(remote->pending_head + remote->pending_count) & (remote->pending_size - 1)];
    item->about = (uint8_t) about;
    item->id = id;
    remote->pending_count++;

    return NGX_OK;
}


ngx_int_t
ngx_realtime_remote_send(ngx_realtime_remote_t *remote, ngx_str_t *name,
    const ngx_realtime_remote_head_t *head, const void *middle, size_t middle_len, ngx_str_t *body,
    ngx_realtime_remote_about_e about, uint64_t id)
{
    u_char   *p;
    ngx_int_t rc;
    ngx_str_t argv[3];

    if (!ngx_realtime_redis_is_up(remote->commands)) {
        return NGX_DECLINED;
    }

    ngx_str_set(&argv[0], "PUBLISH");
    argv[1] = *name;
    argv[2].len = sizeof(ngx_realtime_remote_head_t) + middle_len + (body ? body->len : 0);
    argv[2].data = ngx_alloc(argv[2].len, remote->bus.log);
    if (argv[2].data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(argv[2].data, head, sizeof(ngx_realtime_remote_head_t));

    if (middle_len) {
        p = ngx_cpymem(p, middle, middle_len);
    }

    if (body != NULL && body->len) {
        ngx_memcpy(p, body->data, body->len);
    }

    rc = ngx_realtime_remote_expect(remote, about, id);

    if (rc == NGX_OK) {
        rc = ngx_realtime_redis_command(remote->commands, 3, argv);

        if (rc != NGX_OK) {
            remote->pending_count--; /* the one just put there */
        }
    }

    ngx_free(argv[2].data);

    return rc;
}


ngx_int_t
ngx_realtime_remote_send_worker(ngx_realtime_remote_t *remote, ngx_realtime_worker_id_t to,
    const ngx_realtime_remote_head_t *head, const void *middle, size_t middle_len, ngx_str_t *body,
    ngx_realtime_remote_about_e about)
{
    u_char    hex[16];
    ngx_str_t id, name;

    id.data = hex;
    id.len = ngx_sprintf(hex, "%016xL", (int64_t) to) - hex;

    ngx_realtime_remote_name(remote, "w:", &id, &name);

    return ngx_realtime_remote_send(remote, &name, head, middle, middle_len, body, about, to);
}


ngx_int_t
ngx_realtime_remote_send_all(ngx_realtime_remote_t *remote, ngx_realtime_remote_type_e type,
    ngx_uint_t flags, uint64_t id)
{
    ngx_str_t                  name;
    ngx_realtime_remote_head_t head;

    ngx_realtime_remote_head(remote, &head, type, flags, id);
    ngx_realtime_remote_name(remote, "all", NULL, &name);

    return ngx_realtime_remote_send(remote, &name, &head, NULL, 0, NULL,
        NGX_REALTIME_REMOTE_ABOUT_NOTHING, 0);
}


static ngx_int_t
ngx_realtime_remote_publish(ngx_realtime_bus_t *bus, ngx_str_t *channel, ngx_str_t *payload)
{
    ngx_int_t                  rc;
    ngx_str_t                  name;
    ngx_realtime_remote_t     *remote = (ngx_realtime_remote_t *) bus;
    ngx_realtime_remote_head_t head;

    if (channel->len == 0 || channel->len > NGX_REALTIME_REMOTE_NAME_MAX) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (payload->len <= NGX_REALTIME_REMOTE_PAYLOAD_MAX) {
        ngx_realtime_remote_head(remote, &head, NGX_REALTIME_REMOTE_PUBLISH, 0, 0);
        ngx_realtime_remote_name(remote, "c:", channel, &name);

        rc = ngx_realtime_remote_send(remote, &name, &head, NULL, 0, payload,
            NGX_REALTIME_REMOTE_ABOUT_NOTHING, 0);

        if (rc == NGX_OK) {
            return NGX_OK;
        }
    }

    /* the others read it from the store, as soon as they can be told */

    if (rc == NGX_DECLINED
        || ngx_realtime_remote_send_all(remote, NGX_REALTIME_REMOTE_GAP, 0, 0) != NGX_OK)
    {
        remote->missed = 1;
        return NGX_OK;
    }

    return NGX_ERROR;
}


static ngx_uint_t
ngx_realtime_remote_peers(ngx_realtime_bus_t *bus)
{
    ngx_uint_t                    n;
    ngx_realtime_remote_t        *remote = (ngx_realtime_remote_t *) bus;
    ngx_realtime_remote_member_t *member;

    n = 0;

    for (member = ngx_realtime_remote_member_first(remote); member != NULL;
         member = ngx_realtime_remote_member_next(remote, member))
    {
        n += member->known;
    }

    return n;
}


static void
ngx_realtime_remote_numbers(ngx_realtime_bus_t *bus, uint64_t *connects, uint64_t *queued)
{
    ngx_realtime_remote_t *remote = (ngx_realtime_remote_t *) bus;

    *connects = remote->connects;
    *queued = ngx_realtime_redis_queued(remote->commands);
}


/* The connections. */

static void
ngx_realtime_remote_latency(void *data, uint64_t us)
{
    ngx_realtime_remote_t *remote = data;

    remote->bus.handlers.on_latency(remote->bus.handlers.data, us);
}


static void
ngx_realtime_remote_commands_up(void *data)
{
    ngx_realtime_remote_t *remote = data;

    remote->connects++;
    ngx_realtime_remote_beat(remote, 1);

    ngx_realtime_remote_tell_missed(remote);
    ngx_realtime_remote_resend_all(remote);
}


void
ngx_realtime_remote_tell_missed(ngx_realtime_remote_t *remote)
{
    if (remote->missed
        && ngx_realtime_remote_send_all(remote, NGX_REALTIME_REMOTE_GAP, 0, 0) == NGX_OK) {
        remote->missed = 0;
    }
}


/* What was not answered may not have been published. */
static void
ngx_realtime_remote_commands_down(void *data)
{
    ngx_realtime_remote_t *remote = data;

    remote->missed = 1;
    remote->pending_count = 0;
    remote->pending_head = 0;

    ngx_realtime_remote_requests_end(remote);
}


static void
ngx_realtime_remote_commands_reply(void *data, redisReply *reply)
{
    ngx_int_t                     receivers;
    ngx_realtime_remote_t        *remote = data;
    ngx_realtime_remote_pending_t item;

    if (remote->pending_count == 0) {
        ngx_log_error(NGX_LOG_ERR, remote->bus.log, 0, "bus: redis answers what was not asked");
        return;
    }

    item = remote->pending[remote->pending_head];
    remote->pending_head = (remote->pending_head + 1) & (remote->pending_size - 1);
    remote->pending_count--;

    receivers = 0;

    if (reply->type == REDIS_REPLY_INTEGER) {
        receivers = (ngx_int_t) reply->integer;

    } else {
        /* out of memory, or a replica: it was not published */
        ngx_log_error(NGX_LOG_ERR, remote->bus.log, 0, "bus: redis refuses to publish: %*s",
            reply->type == REDIS_REPLY_ERROR ? ngx_min(reply->len, 200) : (size_t) 0, reply->str);
        remote->missed = 1;
    }

    switch (item.about) {

    case NGX_REALTIME_REMOTE_ABOUT_WORKER:
        ngx_realtime_remote_posted(remote, item.id, receivers);
        break;

    case NGX_REALTIME_REMOTE_ABOUT_REQUEST:
        ngx_realtime_remote_asked(remote, item.id, receivers);
        break;

    default:
        break;
    }
}


static void
ngx_realtime_remote_subscriber_up(void *data)
{
    ngx_realtime_remote_t *remote = data;

    remote->connects++;
    ngx_realtime_remote_renew(remote);
}


static void
ngx_realtime_remote_subscriber_down(void *data)
{
    ngx_realtime_remote_t *remote = data;

    ngx_realtime_remote_waits_let_go(remote);
    ngx_realtime_remote_requests_end(remote);
}


static void
ngx_realtime_remote_subscriber_reply(void *data, redisReply *reply)
{
    ngx_str_t              name, payload;
    ngx_realtime_remote_t *remote = data;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3
        || reply->element[0]->type != REDIS_REPLY_STRING)
    {
        if (reply->type == REDIS_REPLY_ERROR) {
            ngx_log_error(NGX_LOG_ERR, remote->bus.log, 0, "bus: redis refuses to subscribe: %*s",
                ngx_min(reply->len, 200), reply->str);
        }

        return;
    }

    if (ngx_strcmp(reply->element[0]->str, "message") == 0) {

        if (reply->element[1]->type == REDIS_REPLY_STRING
            && reply->element[2]->type == REDIS_REPLY_STRING) {
            name.data = (u_char *) reply->element[1]->str;
            name.len = (size_t) reply->element[1]->len;
            payload.data = (u_char *) reply->element[2]->str;
            payload.len = (size_t) reply->element[2]->len;

            ngx_realtime_remote_came(remote, &name, &payload);
        }

    } else if (ngx_strcmp(reply->element[0]->str, "subscribe") == 0) {
        ngx_realtime_remote_confirmed(remote);
    }
}


/* Coming in. */

static void
ngx_realtime_remote_came(ngx_realtime_remote_t *remote, ngx_str_t *name, ngx_str_t *payload)
{
    ngx_str_t                  body;
    ngx_realtime_remote_head_t head;

    static ngx_uint_t warned;

    if (name->len <= remote->prefix.len || payload->len < sizeof(head)) {
        return;
    }

    name->data += remote->prefix.len;
    name->len -= remote->prefix.len;

    ngx_memcpy(&head, payload->data, sizeof(head));

    if (head.version != NGX_REALTIME_REMOTE_VERSION) {
        if (!warned) {
            warned = 1;
            ngx_log_error(NGX_LOG_WARN, remote->bus.log, 0,
                "bus: a worker of another version (%d) is on this redis", (int) head.version);
        }

        return;
    }

    body.data = payload->data + sizeof(head);
    body.len = payload->len - sizeof(head);

    if (head.from != remote->bus.self && head.host != remote->host) {
        ngx_realtime_remote_member_seen(remote, &head);
    }

    ngx_realtime_remote_dispatch(remote, &head, name, &body);
}


static void
ngx_realtime_remote_dispatch(ngx_realtime_remote_t *remote, const ngx_realtime_remote_head_t *head,
    ngx_str_t *name, ngx_str_t *body)
{
    ngx_str_t                     channel;
    ngx_uint_t                    own;
    ngx_realtime_bus_handlers_t  *handlers;
    ngx_realtime_remote_member_t *member;

    own = head->host == remote->host; /* the local bus has brought it */
    handlers = &remote->bus.handlers;

    channel.data = name->data + 2; /* behind "c:" */
    channel.len = name->len > 2 ? name->len - 2 : 0;

    switch (head->type) {

    case NGX_REALTIME_REMOTE_PUBLISH:
        if (!own && ngx_realtime_remote_subscribed(remote, &channel)) {
            handlers->on_publish(handlers->data, &channel, body);
        }
        break;

    case NGX_REALTIME_REMOTE_REQUEST:
        ngx_realtime_remote_on_request(remote, head, &channel, body);
        break;

    case NGX_REALTIME_REMOTE_ANSWER:
        ngx_realtime_remote_on_answer(remote, head, body);
        break;

    case NGX_REALTIME_REMOTE_MESSAGE:
    case NGX_REALTIME_REMOTE_ACK:
        ngx_realtime_remote_on_letter(remote, head, body);
        break;

    case NGX_REALTIME_REMOTE_BEAT:
        if (!own && head->flags & NGX_REALTIME_REMOTE_HELLO) {
            ngx_realtime_remote_beat(remote, 0);
        }
        break;

    case NGX_REALTIME_REMOTE_BYE:
    case NGX_REALTIME_REMOTE_LOST:
        member = ngx_realtime_remote_member_find(remote,
            head->type == NGX_REALTIME_REMOTE_BYE ? head->from : head->id);

        if (!own && member != NULL && member->host == head->host) {
            ngx_realtime_remote_member_lost(remote, member, head->type == NGX_REALTIME_REMOTE_LOST);
        }
        break;

    case NGX_REALTIME_REMOTE_GAP:
        if (!own) {
            remote->gap = 1;
            ngx_realtime_remote_post(remote);
        }
        break;

    default:
        break;
    }
}
