/* Commands to Redis: formatted by hiredis, gathered over one turn of the event loop, written at its
 * end, and bounded. */

#include "ngx_realtime_redis_private.h"


#define NGX_REALTIME_REDIS_ARGS 1024

static void ngx_realtime_redis_post(ngx_realtime_redis_t *redis);


ngx_int_t
ngx_realtime_redis_command(ngx_realtime_redis_t *redis, ngx_uint_t argc, const ngx_str_t *argv)
{
    if (!ngx_realtime_redis_is_up(redis)) {
        return NGX_DECLINED;
    }

    if (ngx_realtime_redis_queued(redis) > NGX_REALTIME_REDIS_QUEUE_MAX) {
        ngx_realtime_redis_reset(redis);
        return NGX_DECLINED;
    }

    if (ngx_realtime_redis_append(redis, argc, argv) != NGX_OK) {
        return NGX_ERROR;
    }

    redis->sent_count++;
    ngx_realtime_redis_post(redis);

    return NGX_OK;
}


void
ngx_realtime_redis_reset(ngx_realtime_redis_t *redis)
{
    if (redis->state == NGX_REALTIME_REDIS_UP) {
        redis->failed = 1;
        ngx_realtime_redis_post(redis);
    }
}


size_t
ngx_realtime_redis_queued(const ngx_realtime_redis_t *redis)
{
    return redis->out.len - redis->out.sent;
}


/* What is posted before the loop's first turn, or while idle connections are closed for a graceful
 * shutdown, would wait for the next event (nginx 1.22): see ngx_realtime_local_post(). */
static void
ngx_realtime_redis_post(ngx_realtime_redis_t *redis)
{
    if (redis->early || ngx_exiting) {
        ngx_post_event(&redis->flush, &ngx_posted_next_events);
        return;
    }

    ngx_post_event(&redis->flush, &ngx_posted_events);
}


ngx_int_t
ngx_realtime_redis_append(ngx_realtime_redis_t *redis, ngx_uint_t argc, const ngx_str_t *argv)
{
    int                       length;
    char                     *text;
    size_t                    size, lengths[NGX_REALTIME_REDIS_ARGS];
    u_char                   *data;
    ngx_uint_t                i;
    const char               *values[NGX_REALTIME_REDIS_ARGS];
    ngx_realtime_redis_out_t *out = &redis->out;

    if (argc > NGX_REALTIME_REDIS_ARGS) {
        return NGX_ERROR;
    }

    for (i = 0; i < argc; i++) {
        values[i] = (const char *) argv[i].data;
        lengths[i] = argv[i].len;
    }

    length = redisFormatCommandArgv(&text, (int) argc, values, lengths);
    if (length < 0) {
        return NGX_ERROR;
    }

    if (out->size - out->len < (size_t) length) {

        if (out->sent) {
            ngx_memmove(out->data, out->data + out->sent, out->len - out->sent);
            out->len -= out->sent;
            out->sent = 0;
        }

        size = ngx_max(out->size, 4096);

        while (size - out->len < (size_t) length) {
            size *= 2;
        }

        if (size != out->size) {
            data = realloc(out->data, size);
            if (data == NULL) {
                redisFreeCommand(text);
                return NGX_ERROR;
            }

            out->data = data;
            out->size = size;
        }
    }

    ngx_memcpy(out->data + out->len, text, (size_t) length);
    out->len += (size_t) length;

    redisFreeCommand(text);

    return NGX_OK;
}


void
ngx_realtime_redis_flush_handler(ngx_event_t *ev)
{
    ngx_realtime_redis_t *redis = ev->data;

    if (redis->failed) {
        ngx_realtime_redis_fail(redis, "its queue is full");
        return;
    }

    if (ngx_realtime_redis_write(redis) != NGX_OK) {
        ngx_realtime_redis_fail(redis, "connection lost");
    }
}


ngx_int_t
ngx_realtime_redis_write(ngx_realtime_redis_t *redis)
{
    ssize_t                   n;
    ngx_connection_t         *c = redis->connection;
    ngx_realtime_redis_out_t *out = &redis->out;

    while (out->sent < out->len && c->write->ready) {

        n = c->send(c, out->data + out->sent, out->len - out->sent);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (n == NGX_AGAIN) {
            break;
        }

        out->sent += (size_t) n;
    }

    if (out->sent == out->len) {
        out->sent = 0;
        out->len = 0;

        if (out->size > NGX_REALTIME_REDIS_IDLE_BUFFER) {
            ngx_free(out->data);
            out->data = NULL;
            out->size = 0;
        }
    }

    return ngx_handle_write_event(c->write, 0);
}
