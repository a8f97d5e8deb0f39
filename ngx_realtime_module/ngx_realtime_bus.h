/* The bus: how workers of one cluster hear each other. One interface, so that the local bus (unix
 * sockets, one host) and Redis (hosts) can stand behind it. Event loop only. */

#ifndef NGX_REALTIME_BUS_H
#define NGX_REALTIME_BUS_H

#include <ngx_config.h>
#include <ngx_core.h>

/* A worker's name: random, made at its start, never its number or pid. 0 is nobody. */
typedef uint64_t ngx_realtime_worker_id_t;

typedef struct ngx_realtime_bus_s ngx_realtime_bus_t;

struct ngx_realtime_redis_conf_s; /* ngx_realtime_redis.h */

/* What the worker wants to hear. Bytes are only valid during the call. */
typedef struct {
    /* an event that another worker published on a channel that we subscribe */
    void (*on_publish)(void *data, ngx_str_t *channel, ngx_str_t *payload);

    /* a message for this worker alone */
    void (*on_message)(void *data, ngx_realtime_worker_id_t from, ngx_str_t *payload);

    /* another worker asks all subscribers of a channel: append the answer to `answer`
     * (may stay empty) */
    void (*on_request)(void *data, ngx_realtime_worker_id_t from, ngx_str_t *channel,
        ngx_str_t *payload, ngx_str_t *answer, size_t answer_size);

    /* a worker is gone (its process, its host or the way to it): what was sent to it may be lost */
    void (*on_worker_lost)(void *data, ngx_realtime_worker_id_t worker);

    /* a worker of another host is heard of for the first time, or again after it was lost */
    void (*on_worker_met)(void *data, ngx_realtime_worker_id_t worker);

    /* so long a question to what hosts meet at (Redis) took, in microseconds */
    void (*on_latency)(void *data, uint64_t us);

    /* events may have been lost (queue dropped, connection broken and made again, a worker that
     * ended without a goodbye): every ordered channel is to be healed from the store */
    void (*on_gap)(void *data);

    void *data;
} ngx_realtime_bus_handlers_t;

/* Called for a request: with each answer that is not empty (answer != NULL), then once with
 * answer == NULL when all have answered, are gone, or the time is over (late is then 1: somebody
 * has not answered). Not called any more after cancel. */
typedef void (*ngx_realtime_bus_answer_pt)(void *data, ngx_str_t *answer, ngx_uint_t late);

/* Called once: every worker that could publish on the channel knows that we listen (or could not be
 * reached, and will be told of a gap). Never from inside subscribe. */
typedef void (*ngx_realtime_bus_subscribed_pt)(void *data);

typedef struct ngx_realtime_bus_wait_s ngx_realtime_bus_wait_t;

typedef struct {
    /* Counted: n subscribes need n unsubscribes. done may be NULL: no notice. *wait (may be NULL)
     * lets the caller cancel the notice; it is valid until the notice was given. NGX_ERROR: no
     * memory. */
    ngx_int_t (*subscribe)(ngx_realtime_bus_t *bus, ngx_str_t *channel,
        ngx_realtime_bus_subscribed_pt done, void *data, ngx_realtime_bus_wait_t **wait);
    void (*unsubscribe)(ngx_realtime_bus_t *bus, ngx_str_t *channel);

    /* To every other worker that subscribes the channel; not to ourselves. Sent at the end of this
     * turn of the event loop, in order. payload is copied. NGX_ERROR: no memory, or larger than any
     * queue; then the others are told of a gap, if that can be done. */
    ngx_int_t (*publish)(ngx_realtime_bus_t *bus, ngx_str_t *channel, ngx_str_t *payload);

    /* To one worker, in order with what is published; payload is copied. NGX_DECLINED: no such
     * worker (any more), or no way to it now; NGX_ERROR: too large, or no memory. */
    ngx_int_t (*send)(ngx_realtime_bus_t *bus, ngx_realtime_worker_id_t to, ngx_str_t *payload);

    /* Asks every other worker that subscribes the channel. done is never called from inside. */
    ngx_int_t (*request)(ngx_realtime_bus_t *bus, ngx_str_t *channel, ngx_str_t *payload,
        ngx_msec_t timeout, ngx_realtime_bus_answer_pt done, void *data,
        ngx_realtime_bus_wait_t **wait);

    void (*cancel)(ngx_realtime_bus_t *bus, ngx_realtime_bus_wait_t *wait);

    /* How many other workers are known to hear us. Where hosts come unannounced (Redis) at least 1:
     * there is always somebody to publish for. */
    ngx_uint_t (*peers)(ngx_realtime_bus_t *bus);

    /* 1 when everything that the bus goes by is there. 0: hosts do not hear each other now. */
    ngx_uint_t (*up)(ngx_realtime_bus_t *bus);

    /* For metrics: connections made to what hosts meet at, and bytes that wait to go there. */
    void (*numbers)(ngx_realtime_bus_t *bus, uint64_t *connects, uint64_t *queued);

    /* In exit_process: says goodbye, so that the others know of no gap, and frees everything. Waits
     * are dropped without a call. Not from inside a callback of the bus. */
    void (*close)(ngx_realtime_bus_t *bus);
} ngx_realtime_bus_methods_t;

struct ngx_realtime_bus_s {
    const ngx_realtime_bus_methods_t *methods;
    ngx_realtime_bus_handlers_t       handlers;
    ngx_realtime_worker_id_t          self;
    ngx_log_t                        *log;
};

/* Checks at configuration that the sockets' paths in dir will fit. NGX_ERROR: logged. */
ngx_int_t ngx_realtime_bus_local_check(ngx_conf_t *cf, ngx_str_t *dir);

/* What tells one host from another: a bus directory (made by nginx) on a running system. Two
 * containers may have the same path, and two machines cloned from one image the same inode.
 * NGX_ERROR: logged. */
ngx_int_t ngx_realtime_bus_host(ngx_str_t *dir, uint64_t *host, ngx_log_t *log);

/* Unix sockets in `dir` (made by nginx at start, mode 0700, the workers' user): binds
 * <dir>/<id>.sock, dials every other worker it finds there, unlinks sockets that nobody listens
 * on. In init_process. queue_max: unsent bytes per worker, past it the connection is dropped and
 * both sides are told of a gap (at least 128 KB are granted). All handlers must be set; they are
 * called from the event loop, never from inside create, publish, send, request or subscribe, and
 * on_worker_lost only for workers that were met. NULL: logged. */
ngx_realtime_bus_t *ngx_realtime_bus_local_create(ngx_cycle_t *cycle, ngx_str_t *dir,
    ngx_realtime_worker_id_t self, size_t queue_max, const ngx_realtime_bus_handlers_t *handlers);


/* The bus between hosts alone (ngx_realtime_bus_redis.h tells how it works): what comes from
 * workers with the same `host` is dropped, since the local bus brings it. Never fails because Redis
 * is away: until it is there subscriptions count as confirmed, and what is published is missed and
 * told as a gap later. In init_process; handlers as for the local bus. NULL: no memory. */
ngx_realtime_bus_t *ngx_realtime_bus_redis_create(ngx_cycle_t *cycle,
    const struct ngx_realtime_redis_conf_s *conf, uint64_t host, ngx_realtime_worker_id_t self,
    const ngx_realtime_bus_handlers_t *handlers);

/* A worker of our host is gone: its silence would tell the other hosts later. */
void ngx_realtime_bus_redis_tell_lost(ngx_realtime_bus_t *bus, ngx_realtime_worker_id_t worker);

/* Both: the local bus for workers of this host, Redis for those of others. Parameters as theirs;
 * NULL: logged. */
ngx_realtime_bus_t *ngx_realtime_bus_cluster_create(ngx_cycle_t *cycle, ngx_str_t *dir,
    const struct ngx_realtime_redis_conf_s *conf, uint64_t host, ngx_realtime_worker_id_t self,
    size_t queue_max, const ngx_realtime_bus_handlers_t *handlers);

#endif
