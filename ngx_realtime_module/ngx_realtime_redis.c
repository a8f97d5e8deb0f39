/* One connection to Redis: its states, its socket, and what is read from it. */

#include "ngx_realtime_redis_private.h"


static void ngx_realtime_redis_retry_handler(ngx_event_t *ev);
static void ngx_realtime_redis_resolved(void *data, struct sockaddr *address, socklen_t length);
static void ngx_realtime_redis_connect(ngx_realtime_redis_t *redis, struct sockaddr *address,
    socklen_t length);
static ngx_int_t ngx_realtime_redis_open(ngx_realtime_redis_t *redis, ngx_socket_t fd);
static void      ngx_realtime_redis_connect_handler(ngx_event_t *ev);
static ngx_int_t ngx_realtime_redis_connected(ngx_connection_t *c);
static void      ngx_realtime_redis_read_handler(ngx_event_t *ev);
static void      ngx_realtime_redis_pong(ngx_realtime_redis_t *redis);
static uint64_t  ngx_realtime_redis_now_us(void);
static void      ngx_realtime_redis_write_handler(ngx_event_t *ev);
static void      ngx_realtime_redis_take_replies(ngx_realtime_redis_t *redis);
static void      ngx_realtime_redis_cut(redisReply *reply);
static void      ngx_realtime_redis_reply(ngx_realtime_redis_t *redis, redisReply *reply);
static void      ngx_realtime_redis_greeting(ngx_realtime_redis_t *redis, redisReply *reply);
static void      ngx_realtime_redis_watch_handler(ngx_event_t *ev);
static void      ngx_realtime_redis_close(ngx_realtime_redis_t *redis);


ngx_realtime_redis_t *
ngx_realtime_redis_create(const ngx_realtime_redis_conf_t *conf, const char *name,
    ngx_uint_t subscriber, const ngx_realtime_redis_handlers_t *handlers, ngx_log_t *log)
{
    ngx_realtime_redis_t *redis;

    redis = ngx_calloc(sizeof(ngx_realtime_redis_t), log);
    if (redis == NULL) {
        return NULL;
    }

    redis->conf = conf;
    redis->name = name;
    redis->subscriber = subscriber ? 1 : 0;
    redis->handlers = *handlers;
    redis->log = log;
    redis->early = 1;

    ngx_realtime_redis_event(redis, &redis->retry, ngx_realtime_redis_retry_handler);
    ngx_realtime_redis_event(redis, &redis->watch, ngx_realtime_redis_watch_handler);
    ngx_realtime_redis_event(redis, &redis->flush, ngx_realtime_redis_flush_handler);

    ngx_add_timer(&redis->retry, 1);

    return redis;
}


void
ngx_realtime_redis_event(ngx_realtime_redis_t *redis, ngx_event_t *ev, ngx_event_handler_pt handler)
{
    ev->handler = handler;
    ev->data = redis;
    ev->log = redis->log;
    ev->cancelable = 1;
}


void
ngx_realtime_redis_destroy(ngx_realtime_redis_t *redis)
{
    redis->early = 0;

    if (redis->state == NGX_REALTIME_REDIS_UP) {
        (void) ngx_realtime_redis_write(redis);
    }

    ngx_realtime_redis_close(redis);

    if (redis->retry.timer_set) {
        ngx_del_timer(&redis->retry);
    }

    if (redis->resolve != NULL) {
        ngx_realtime_resolve_cancel(redis->resolve);
    }

    ngx_free(redis->out.data);
    ngx_free(redis);
}


ngx_uint_t
ngx_realtime_redis_is_up(const ngx_realtime_redis_t *redis)
{
    return redis->state == NGX_REALTIME_REDIS_UP && !redis->failed;
}


/* Frees what belongs to one connection. */
static void
ngx_realtime_redis_close(ngx_realtime_redis_t *redis)
{
    ngx_pool_t       *pool;
    ngx_connection_t *c;

    c = redis->connection;

    if (redis->watch.timer_set) {
        ngx_del_timer(&redis->watch);
    }

    if (redis->flush.posted) {
        ngx_delete_posted_event(&redis->flush);
    }

    if (c != NULL) {
        redis->connection = NULL;
        pool = c->pool;

        ngx_realtime_redis_tls_close(c);
        ngx_close_connection(c);

        if (pool != NULL) {
            ngx_destroy_pool(pool);
        }
    }

    if (redis->reader != NULL) {
        redisReaderFree(redis->reader);
        redis->reader = NULL;
    }

    redis->out.len = 0;
    redis->out.sent = 0;
    redis->failed = 0;
    redis->sent_count = 0;
    redis->answered_count = 0;
    redis->ping_number = 0;
}


/* Gives the connection up, and tries again later. why NULL: it was said already. */
void
ngx_realtime_redis_fail(ngx_realtime_redis_t *redis, const char *why)
{
    ngx_msec_t                 delay;
    ngx_realtime_redis_state_e state;

    state = redis->state;

    /* told once: when it goes down, and at the first try when it was never up */

    if (why != NULL && !redis->told) {
        ngx_log_error(NGX_LOG_ERR, redis->log, 0, "realtime: redis %V:%d (%s): %s",
            &redis->conf->host, (int) redis->conf->port, redis->name, why);
    }

    redis->told = 1;

    ngx_realtime_redis_close(redis);

    redis->state = NGX_REALTIME_REDIS_WAITING;

    /* one that ends as soon as it begins is no reason to hurry */

    if (state == NGX_REALTIME_REDIS_UP
        && ngx_current_msec - redis->up_at >= NGX_REALTIME_REDIS_STEADY_MS)
    {
        redis->backoff = 0;
    }

    delay = redis->backoff;
    redis->backoff = ngx_min(ngx_max(redis->backoff * 2, NGX_REALTIME_REDIS_BACKOFF_MIN),
        NGX_REALTIME_REDIS_BACKOFF_MAX);

    /* many workers lose the same server at once */
    delay += (ngx_msec_t) ngx_random() % (delay / 2 + 10);

    ngx_add_timer(&redis->retry, delay);

    if (state == NGX_REALTIME_REDIS_UP) {
        redis->handlers.on_down(redis->handlers.data);
    }
}


static void
ngx_realtime_redis_retry_handler(ngx_event_t *ev)
{
    u_char                address[sizeof(struct in6_addr)];
    socklen_t             length;
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;
    ngx_realtime_redis_t *redis = ev->data;

    struct sockaddr_storage storage;

    ngx_memzero(&storage, sizeof(storage));
    redis->early = 0;

    if (inet_pton(AF_INET, (char *) redis->conf->host.data, address) == 1) {
        sin = (struct sockaddr_in *) &storage;
        sin->sin_family = AF_INET;
        sin->sin_port = htons(redis->conf->port);
        ngx_memcpy(&sin->sin_addr, address, sizeof(sin->sin_addr));
        length = sizeof(struct sockaddr_in);

    } else if (inet_pton(AF_INET6, (char *) redis->conf->host.data, address) == 1) {
        sin6 = (struct sockaddr_in6 *) &storage;
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(redis->conf->port);
        ngx_memcpy(&sin6->sin6_addr, address, sizeof(sin6->sin6_addr));
        length = sizeof(struct sockaddr_in6);

    } else {
        redis->state = NGX_REALTIME_REDIS_RESOLVING;
        redis->resolve =
            ngx_realtime_resolve(redis->conf->thread_pool, (ngx_str_t *) &redis->conf->host,
                redis->conf->port, ngx_realtime_redis_resolved, redis, redis->log);

        if (redis->resolve == NULL) {
            ngx_realtime_redis_fail(redis, "its name can't be looked up now");
        }

        return;
    }

    ngx_realtime_redis_connect(redis, (struct sockaddr *) &storage, length);
}


static void
ngx_realtime_redis_resolved(void *data, struct sockaddr *address, socklen_t length)
{
    ngx_realtime_redis_t *redis = data;

    redis->resolve = NULL;

    if (address == NULL) {
        ngx_realtime_redis_fail(redis, "its name has no address");
        return;
    }

    ngx_realtime_redis_connect(redis, address, length);
}


static void
ngx_realtime_redis_connect(ngx_realtime_redis_t *redis, struct sockaddr *address, socklen_t length)
{
    int          one;
    ngx_socket_t fd;

    fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_ERR, redis->log, ngx_socket_errno, "realtime: socket() failed");
        ngx_realtime_redis_fail(redis, NULL);
        return;
    }

    /* commands are gathered by us */
    one = 1;
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (const void *) &one, sizeof(int));

    if (connect(fd, address, length) == -1 && ngx_socket_errno != NGX_EINPROGRESS) {
        ngx_realtime_redis_fail(redis, strerror(ngx_socket_errno));
        (void) ngx_close_socket(fd);
        return;
    }

    if (ngx_realtime_redis_open(redis, fd) != NGX_OK) {
        ngx_realtime_redis_fail(redis, "no memory or connection slot");
        return;
    }

    redis->state = NGX_REALTIME_REDIS_CONNECTING;
    ngx_add_timer(&redis->watch, NGX_REALTIME_REDIS_GREETING_MS);
}


/* Takes fd over. The descriptor is marked as nginx's own channels are (see
 * ngx_realtime_bus_local.c): a graceful shutdown passes it by. */
static ngx_int_t
ngx_realtime_redis_open(ngx_realtime_redis_t *redis, ngx_socket_t fd)
{
    ngx_int_t         event;
    ngx_connection_t *c;

    c = ngx_get_connection(fd, redis->log);
    if (c == NULL) {
        (void) ngx_close_socket(fd);
        return NGX_ERROR;
    }

    redis->connection = c;
    redis->reader = redisReaderCreate();
    c->pool = ngx_create_pool(1024, redis->log);

    c->data = redis;
    c->log = redis->log;
    c->log_error = NGX_ERROR_INFO;
    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;
    c->type = SOCK_STREAM;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->read->log = redis->log;
    c->write->log = redis->log;
    c->read->channel = 1;
    c->write->channel = 1;
    c->read->handler = ngx_realtime_redis_connect_handler;
    c->write->handler = ngx_realtime_redis_connect_handler;

    if (redis->reader == NULL || c->pool == NULL) {
        return NGX_ERROR;
    }

    if (ngx_add_conn) {
        return ngx_add_conn(c);
    }

    event = ngx_event_flags & NGX_USE_CLEAR_EVENT ? NGX_CLEAR_EVENT : NGX_LEVEL_EVENT;

    if (ngx_add_event(c->read, NGX_READ_EVENT, event) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_add_event(c->write, NGX_WRITE_EVENT, event);
}


static void
ngx_realtime_redis_connect_handler(ngx_event_t *ev)
{
    ngx_connection_t     *c = ev->data;
    ngx_realtime_redis_t *redis = c->data;

    if (ngx_realtime_redis_connected(c) != NGX_OK) {
        return;
    }

    if (redis->conf->tls != NULL) {
        ngx_realtime_redis_tls_open(redis);
        return;
    }

    ngx_realtime_redis_greet(redis);
}


/* NGX_AGAIN: not yet, NGX_ERROR: failed; redis waits for its next try. */
static ngx_int_t
ngx_realtime_redis_connected(ngx_connection_t *c)
{
    int       err;
    socklen_t len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_realtime_redis_fail(c->data, strerror(err));
        return NGX_ERROR;
    }

    return c->write->ready ? NGX_OK : NGX_AGAIN;
}


/* The first commands; their answers are counted down before anything else may be sent. */
void
ngx_realtime_redis_greet(ngx_realtime_redis_t *redis)
{
    ngx_uint_t        n;
    ngx_str_t         argv[3];
    ngx_connection_t *c;

    c = redis->connection;
    c->read->handler = ngx_realtime_redis_read_handler;
    c->write->handler = ngx_realtime_redis_write_handler;

    redis->state = NGX_REALTIME_REDIS_GREETING;
    redis->greetings = 0;

    if (redis->conf->password.len) {
        n = 1;
        ngx_str_set(&argv[0], "AUTH");

        if (redis->conf->user.len) {
            argv[n++] = redis->conf->user;
        }

        argv[n++] = redis->conf->password;
        redis->greetings += ngx_realtime_redis_append(redis, n, argv) == NGX_OK;
    }

    ngx_str_set(&argv[0], "CLIENT");
    ngx_str_set(&argv[1], "SETNAME");
    argv[2].data = (u_char *) redis->name;
    argv[2].len = ngx_strlen(redis->name);
    redis->greetings += ngx_realtime_redis_append(redis, 3, argv) == NGX_OK;

    if (redis->conf->db && !redis->subscriber) {
        ngx_str_set(&argv[0], "SELECT");
        argv[1].data = redis->db_text;
        argv[1].len = ngx_sprintf(redis->db_text, "%ui", redis->conf->db) - redis->db_text;
        redis->greetings += ngx_realtime_redis_append(redis, 2, argv) == NGX_OK;
    }

    ngx_str_set(&argv[0], "PING");
    redis->greetings += ngx_realtime_redis_append(redis, 1, argv) == NGX_OK;

    if (ngx_realtime_redis_write(redis) != NGX_OK) {
        ngx_realtime_redis_fail(redis, "connection lost");
        return;
    }

    if (c->read->ready) {
        ngx_post_event(c->read, &ngx_posted_events);
    }
}


static void
ngx_realtime_redis_greeting(ngx_realtime_redis_t *redis, redisReply *reply)
{
    u_char text[256];

    if (reply->type == REDIS_REPLY_ERROR) {
        *ngx_snprintf(text, sizeof(text) - 1, "refused: %*s", ngx_min(reply->len, 200),
            reply->str) = '\0';
        ngx_realtime_redis_fail(redis, (char *) text);
        return;
    }

    if (--redis->greetings > 0) {
        return;
    }

    redis->state = NGX_REALTIME_REDIS_UP;
    redis->up_at = ngx_current_msec;
    redis->heard = ngx_current_msec;
    redis->ping_number = 0;
    redis->sent_count = 0;
    redis->answered_count = 0;

    if (redis->told) {
        redis->told = 0;
        ngx_log_error(NGX_LOG_NOTICE, redis->log, 0, "realtime: redis %V:%d (%s): connected",
            &redis->conf->host, (int) redis->conf->port, redis->name);
    }

    ngx_add_timer(&redis->watch, NGX_REALTIME_REDIS_PING_MS);

    redis->handlers.on_up(redis->handlers.data);
}


static void
ngx_realtime_redis_read_handler(ngx_event_t *ev)
{
    size_t                total;
    ssize_t               n;
    ngx_connection_t     *c = ev->data;
    ngx_realtime_redis_t *redis = c->data;

    static u_char buffer[65536];

    for (total = 0; total < NGX_REALTIME_REDIS_TURN_READ; total += (size_t) n) {

        n = c->recv(c, buffer, sizeof(buffer));

        if (n == NGX_AGAIN) {
            if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
                ngx_realtime_redis_fail(redis, "no read event");
            }

            return;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_realtime_redis_fail(redis, "connection lost");
            return;
        }

        redis->heard = ngx_current_msec;

        if (redisReaderFeed(redis->reader, (char *) buffer, (size_t) n) != REDIS_OK) {
            ngx_realtime_redis_fail(redis, "its answers can't be read");
            return;
        }

        ngx_realtime_redis_take_replies(redis);

        if (redis->connection != c) {
            return; /* given up meanwhile */
        }
    }

    /* others have their turn first: edge-triggered, so nobody else would call us again */
    ngx_post_event(c->read, &ngx_posted_next_events);
}


static void
ngx_realtime_redis_take_replies(ngx_realtime_redis_t *redis)
{
    void             *reply;
    ngx_connection_t *c;

    c = redis->connection;

    do {
        if (redisReaderGetReply(redis->reader, &reply) != REDIS_OK) {
            ngx_realtime_redis_fail(redis, "its answers are malformed");
            return;
        }

        if (reply == NULL) {
            return;
        }

        ngx_realtime_redis_cut(reply);

        if (redis->state == NGX_REALTIME_REDIS_GREETING) {
            ngx_realtime_redis_greeting(redis, reply);
        } else {
            ngx_realtime_redis_reply(redis, reply);
        }

        freeReplyObject(reply);

    } while (redis->connection == c);
}


/* A command that Redis does not know is repeated in the error, with the password or somebody's
 * message. */
static void
ngx_realtime_redis_cut(redisReply *reply)
{
    char *args;

    if (reply->type != REDIS_REPLY_ERROR) {
        return;
    }

    args = strstr(reply->str, ", with args");

    if (args != NULL) {
        *args = '\0';
        reply->len = args - reply->str;
    }
}


static void
ngx_realtime_redis_reply(ngx_realtime_redis_t *redis, redisReply *reply)
{
    if (redis->subscriber) {
        if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0
            && reply->element[0]->type == REDIS_REPLY_STRING
            && ngx_strcmp(reply->element[0]->str, "pong") == 0)
        {
            ngx_realtime_redis_pong(redis);
            return;
        }

        redis->handlers.on_reply(redis->handlers.data, reply);
        return;
    }

    redis->answered_count++;

    if (redis->ping_number != 0 && redis->answered_count == redis->ping_number) {
        ngx_realtime_redis_pong(redis);
        return;
    }

    redis->handlers.on_reply(redis->handlers.data, reply);
}


/* A server that hangs gives no error, ever: only silence after a PING tells. */
static void
ngx_realtime_redis_watch_handler(ngx_event_t *ev)
{
    ngx_str_t             ping = ngx_string("PING");
    ngx_msec_t            silent;
    ngx_realtime_redis_t *redis = ev->data;

    if (redis->state != NGX_REALTIME_REDIS_UP) {
        ngx_realtime_redis_fail(redis, "no answer to the connection");
        return;
    }

    silent = ngx_current_msec - redis->heard;

    if (redis->ping_number != 0 && silent >= NGX_REALTIME_REDIS_SILENT_MS) {
        ngx_realtime_redis_fail(redis, "no answer to PING");
        return;
    }

    ngx_add_timer(&redis->watch, NGX_REALTIME_REDIS_PING_MS);

    if (redis->ping_number == 0 && ngx_realtime_redis_command(redis, 1, &ping) == NGX_OK) {
        redis->ping_number = redis->sent_count;
        redis->ping_us = ngx_realtime_redis_now_us();
    }
}


static void
ngx_realtime_redis_pong(ngx_realtime_redis_t *redis)
{
    if (redis->ping_number != 0) {
        redis->ping_number = 0;
        redis->handlers.on_latency(redis->handlers.data,
            ngx_realtime_redis_now_us() - redis->ping_us);
    }
}


static uint64_t
ngx_realtime_redis_now_us(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);

    return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}


static void
ngx_realtime_redis_write_handler(ngx_event_t *ev)
{
    ngx_connection_t     *c = ev->data;
    ngx_realtime_redis_t *redis = c->data;

    if (ngx_realtime_redis_write(redis) != NGX_OK) {
        ngx_realtime_redis_fail(redis, "connection lost");
    }
}
