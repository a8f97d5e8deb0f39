/* One connection to Redis on nginx's event loop: connects (names are resolved in the thread pool,
 * TLS is nginx's), authenticates, sends commands in batches, hands out replies, notices by PING a
 * server that hangs, and connects again with a growing, jittered delay. hiredis formats commands
 * and reads replies; sockets are ours, so that 0.14 and 1.x behave the same. Event loop only.
 *
 *   waiting ──timer──▶ resolving ──▶ connecting ──▶ (TLS) ──▶ greeting (AUTH, SETNAME, PING) ──▶ up
 *      ▲                   │             │                        │                               │
 *      └───────────────────┴─────────────┴────── anything fails ──┴───────────────────────────────┘
 */

#ifndef NGX_REALTIME_REDIS_H
#define NGX_REALTIME_REDIS_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_thread_pool.h>

#include <hiredis/hiredis.h>


#define NGX_REALTIME_REDIS_QUEUE_MAX (32 * 1024 * 1024) /* unsent bytes */

/* The parameters of `realtime_redis`; lives as long as the configuration. */
typedef struct ngx_realtime_redis_conf_s {
    ngx_str_t                        host; /* NUL terminated: a name or an address */
    in_port_t                        port;
    ngx_str_t                        user; /* may be empty */
    ngx_str_t                        password;
    ngx_uint_t                       db;
    ngx_thread_pool_t               *thread_pool;
    struct ngx_realtime_redis_tls_s *tls;            /* NULL: none */
    ngx_str_t                        adapter_prefix; /* of the Node cluster's channels */
    ngx_uint_t                       adapter; /* 1: we are in it, see ngx_realtime_adapter.h */
} ngx_realtime_redis_conf_t;

typedef struct ngx_realtime_redis_s ngx_realtime_redis_t;

typedef struct {
    /* ready for commands; nothing of an earlier connection is pending */
    void (*on_up)(void *data);

    /* gone: what was queued or not answered may be lost. Only after on_up */
    void (*on_down)(void *data);

    /* an answer, in the order of the commands, or (of a subscriber) what was pushed; freed after
     * the call */
    void (*on_reply)(void *data, redisReply *reply);

    /* a PING was answered; microseconds */
    void (*on_latency)(void *data, uint64_t us);

    void *data;
} ngx_realtime_redis_handlers_t;

/* Starts to connect in this or the next turn; handlers are never called from inside. name: for
 * CLIENT SETNAME and the log. subscriber: only (UN)SUBSCRIBE may be sent. NULL: no memory. */
ngx_realtime_redis_t *ngx_realtime_redis_create(const ngx_realtime_redis_conf_t *conf,
    const char *name, ngx_uint_t subscriber, const ngx_realtime_redis_handlers_t *handlers,
    ngx_log_t *log);

/* Writes what is queued, as far as the socket takes it at once, and frees everything. No handler is
 * called. Not from inside a handler. */
void ngx_realtime_redis_destroy(ngx_realtime_redis_t *redis);

ngx_uint_t ngx_realtime_redis_is_up(const ngx_realtime_redis_t *redis);

/* Queues one command; what a turn of the loop queues is written at its end. Arguments are copied.
 * NGX_DECLINED: not up, or the queue is full (then the connection is given up, and on_down follows
 * soon, never from inside). NGX_ERROR: no memory. */
ngx_int_t ngx_realtime_redis_command(ngx_realtime_redis_t *redis, ngx_uint_t argc,
    const ngx_str_t *argv);

/* Gives the connection up, at the end of this turn, and makes a new one. */
void ngx_realtime_redis_reset(ngx_realtime_redis_t *redis);

/* Bytes that wait to be sent. */
size_t ngx_realtime_redis_queued(const ngx_realtime_redis_t *redis);


/* TLS to this server: verified against the system's authorities, or those of the file `ca` (may be
 * empty), unless verify is 0. At configuration; sets conf->tls. NGX_ERROR: logged, also when this
 * nginx was built without TLS. */
ngx_int_t ngx_realtime_redis_tls_configure(ngx_conf_t *cf, ngx_realtime_redis_conf_t *conf,
    ngx_str_t *ca, ngx_uint_t verify);


/* Looks up a name in the thread pool (ngx_realtime_redis_resolve.c). Runs once, in the event loop,
 * never from inside; address NULL: none. Not after cancel. */
typedef struct ngx_realtime_resolve_s ngx_realtime_resolve_t;

typedef void (*ngx_realtime_resolve_pt)(void *data, struct sockaddr *address, socklen_t length);

/* NULL: no memory, or no thread for it. */
ngx_realtime_resolve_t *ngx_realtime_resolve(ngx_thread_pool_t *pool, ngx_str_t *host,
    in_port_t port, ngx_realtime_resolve_pt done, void *data, ngx_log_t *log);
void                    ngx_realtime_resolve_cancel(ngx_realtime_resolve_t *resolve);

#endif
