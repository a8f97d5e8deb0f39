/* A worker's beginning and end.
 *
 * On quit (also of the old workers after a reload) clients are told in slices over some seconds, so
 * that they do not all reconnect in one instant. A client whose call is out in the thread pool is
 * told after its answer. The bus stays open to the end: what others publish still reaches those who
 * are not told yet. */

#include "ngx_realtime_worker.h"
#include "ngx_realtime_adapter.h"
#include "ngx_realtime_assist.h"
#include "ngx_realtime_audit.h"
#include "ngx_realtime_buf.h"
#include "ngx_realtime_heal.h"
#include "ngx_realtime_hub.h"
#include "ngx_realtime_limits.h"
#include "ngx_realtime_metrics.h"
#include "ngx_realtime_missed.h"
#include "ngx_realtime_move.h"
#include "ngx_realtime_people.h"
#include "ngx_realtime_presence.h"
#include "ngx_realtime_relay.h"
#include "ngx_realtime_session.h"
#include "ngx_realtime_stream.h"
#include "ngx_realtime_sweep.h"
#include "ngx_realtime_websocket.h"

#include <rt/rt_text.h>


#define NGX_REALTIME_DRAIN_TICK     50
#define NGX_REALTIME_DRAIN_TICKS    90  /* all are told within these */
#define NGX_REALTIME_DRAIN_AT_ONCE  4   /* fewer are not worth spreading: per tick */
#define NGX_REALTIME_DRAIN_PATIENCE 140 /* ticks for calls, moves and other workers' answers */
#define NGX_REALTIME_BUS_QUEUE      (64 * 1024 * 1024)
#define NGX_REALTIME_STORE_RETRY    5000

static ngx_realtime_bus_t *ngx_realtime_worker_open_bus(ngx_realtime_worker_t *worker,
    const ngx_realtime_bus_handlers_t                                         *handlers);
static void      ngx_realtime_worker_on_publish(void *data, ngx_str_t *channel, ngx_str_t *payload);
static void      ngx_realtime_worker_on_request(void *data, ngx_realtime_worker_id_t from,
         ngx_str_t *channel, ngx_str_t *payload, ngx_str_t *answer, size_t answer_size);
static void      ngx_realtime_worker_on_met(void *data, ngx_realtime_worker_id_t worker);
static void      ngx_realtime_worker_on_latency(void *data, uint64_t us);
static void      ngx_realtime_worker_on_gap(void *data);
static ngx_int_t ngx_realtime_worker_open_store(ngx_realtime_worker_t *worker);
static void      ngx_realtime_worker_store_handler(ngx_event_t *ev);
static void      ngx_realtime_worker_log(void *data, rt_log_level_t level, const char *text);
static ngx_int_t ngx_realtime_worker_listen_to_quit(ngx_realtime_worker_t *worker);
static void      ngx_realtime_worker_quit_handler(ngx_event_t *ev);
static void      ngx_realtime_worker_drain_handler(ngx_event_t *ev);
static void      ngx_realtime_worker_on_message(void *data, ngx_realtime_worker_id_t from,
         ngx_str_t *payload);
static void      ngx_realtime_worker_on_lost(void *data, ngx_realtime_worker_id_t worker);

ngx_realtime_worker_t *ngx_realtime_worker;
ngx_connection_t       ngx_realtime_no_connection = {.fd = (ngx_socket_t) -1};

static ngx_connection_t *ngx_realtime_quit_slot;
static ngx_event_t       ngx_realtime_drain_timer;
static ngx_event_t       ngx_realtime_store_timer;
static ngx_uint_t        ngx_realtime_drain_slice;
static ngx_uint_t        ngx_realtime_drain_ticks;


ngx_int_t
ngx_realtime_worker_init(ngx_cycle_t *cycle)
{
    ngx_realtime_worker_t      *worker;
    ngx_realtime_main_conf_t   *mcf;
    ngx_realtime_bus_handlers_t handlers;

    /* cache manager and loader come here too, with ngx_worker 0 */
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_realtime_module);

    if (mcf == NULL || !mcf->used) {
        return NGX_OK;
    }

    worker = ngx_pcalloc(cycle->pool, sizeof(ngx_realtime_worker_t));
    if (worker == NULL) {
        return NGX_ERROR;
    }

    worker->cycle = cycle;
    worker->log = cycle->log;
    worker->conf = mcf;

    if (rt_random(&worker->id, sizeof(worker->id)) != RT_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno, "realtime: no random numbers");
        return NGX_ERROR;
    }

    worker->id |= 1; /* 0 is nobody */

    ngx_realtime_worker = worker;

    ngx_realtime_session_init();
    ngx_realtime_people_init();
    ngx_realtime_heal_init();
    ngx_realtime_missed_init();
    ngx_realtime_relay_init();
    ngx_realtime_move_init();

    ngx_memzero(&handlers, sizeof(handlers));
    handlers.on_publish = ngx_realtime_worker_on_publish;
    handlers.on_message = ngx_realtime_worker_on_message;
    handlers.on_request = ngx_realtime_worker_on_request;
    handlers.on_worker_lost = ngx_realtime_worker_on_lost;
    handlers.on_worker_met = ngx_realtime_worker_on_met;
    handlers.on_latency = ngx_realtime_worker_on_latency;
    handlers.on_gap = ngx_realtime_worker_on_gap;

    if (ngx_realtime_hub_init() != NGX_OK || ngx_realtime_limits_init(worker) != NGX_OK
        || ngx_realtime_bus_host(&mcf->bus_dir, &worker->host, cycle->log) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_realtime_metrics_init(worker);

    worker->tokens = rt_token_cache_create();
    if (worker->tokens == NULL) {
        return NGX_ERROR;
    }

    worker->bus = ngx_realtime_worker_open_bus(worker, &handlers);
    if (worker->bus == NULL) {
        return NGX_ERROR;
    }

    if (ngx_realtime_presence_init() != NGX_OK || ngx_realtime_worker_open_store(worker) != NGX_OK
        || ngx_realtime_adapter_init(worker) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_realtime_stream_init(worker) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_realtime_sweep_init();
    ngx_realtime_assist_init();
    ngx_realtime_audit_init();

    (void) ngx_realtime_metrics_store_up();
    (void) ngx_realtime_metrics_bus_up();

    return ngx_realtime_worker_listen_to_quit(worker);
}


static ngx_realtime_bus_t *
ngx_realtime_worker_open_bus(ngx_realtime_worker_t *worker,
    const ngx_realtime_bus_handlers_t              *handlers)
{
    ngx_realtime_main_conf_t *mcf = worker->conf;

    if (mcf->redis == NULL) {
        return ngx_realtime_bus_local_create(worker->cycle, &mcf->bus_dir, worker->id,
            NGX_REALTIME_BUS_QUEUE, handlers);
    }

    return ngx_realtime_bus_cluster_create(worker->cycle, &mcf->bus_dir, mcf->redis, worker->host,
        worker->id, NGX_REALTIME_BUS_QUEUE, handlers);
}


/* A store that can't be opened now (full disk, wrong owner) must not take the rest of this nginx
 * down: calls are answered UNAVAILABLE until it can. */
static ngx_int_t
ngx_realtime_worker_open_store(ngx_realtime_worker_t *worker)
{
    rt_error_t        error;
    rt_status_t       status;
    rt_core_options_t options;

    ngx_memzero(&options, sizeof(options));
    options.store_uri = ngx_realtime_str(worker->conf->store);
    options.webhooks = worker->conf->webhooks;
    options.assistant = worker->conf->assistant;
    options.webhooks_private = worker->conf->webhooks_private;
    options.webhooks_ca = ngx_realtime_str(worker->conf->webhooks_ca);
    options.log.write = ngx_realtime_worker_log;
    options.log.data = worker;
    options.log.level = worker->log->log_level >= NGX_LOG_DEBUG ? RT_LOG_DEBUG
        : worker->log->log_level >= NGX_LOG_INFO                ? RT_LOG_INFO
                                                                : RT_LOG_NOTICE;

    status = rt_core_open(&worker->core, &options, &error);

    if (status == RT_OK) {
        return NGX_OK;
    }

    worker->core = NULL;

    ngx_log_error(NGX_LOG_CRIT, worker->log, 0,
        "realtime: the store can't be opened: %s; trying again every %ui s", error.text,
        (ngx_uint_t) NGX_REALTIME_STORE_RETRY / 1000);

    ngx_realtime_store_timer.handler = ngx_realtime_worker_store_handler;
    ngx_realtime_store_timer.data = worker;
    ngx_realtime_store_timer.log = worker->log;
    ngx_realtime_store_timer.cancelable = 1;

    ngx_add_timer(&ngx_realtime_store_timer, NGX_REALTIME_STORE_RETRY);

    return NGX_OK;
}


static void
ngx_realtime_worker_store_handler(ngx_event_t *ev)
{
    (void) ngx_realtime_worker_open_store(ev->data);
}


/* From any thread: nginx's log write is one write(2) of a line. */
static void
ngx_realtime_worker_log(void *data, rt_log_level_t level, const char *text)
{
    ngx_realtime_worker_t *worker = data;

    static const ngx_uint_t levels[] = {NGX_LOG_ERR, NGX_LOG_WARN, NGX_LOG_NOTICE, NGX_LOG_INFO,
        NGX_LOG_DEBUG};

    ngx_log_error(levels[level], worker->log, 0, "realtime: %s", text);
}


/* nginx calls idle connections when it quits: one that is no connection hears it at once, also when
 * there are no clients. */
static ngx_int_t
ngx_realtime_worker_listen_to_quit(ngx_realtime_worker_t *worker)
{
    ngx_connection_t *c;

    c = ngx_get_connection(0, worker->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->fd = (ngx_socket_t) -2; /* neither free (-1) nor a descriptor */
    c->idle = 1;
    c->data = worker;
    c->read->handler = ngx_realtime_worker_quit_handler;
    c->read->log = worker->log;
    c->write->log = worker->log;

    ngx_realtime_quit_slot = c;

    return NGX_OK;
}


static void
ngx_realtime_worker_quit_handler(ngx_event_t *ev)
{
    ngx_uint_t             count;
    ngx_connection_t      *c;
    ngx_realtime_worker_t *worker;

    c = ev->data;
    worker = c->data;

    if (!c->close || worker->exiting) {
        return;
    }

    c->close = 0;
    c->idle = 0;
    worker->exiting = 1;

    count = ngx_realtime_session_count();
    ngx_realtime_drain_slice =
        ngx_max(count / NGX_REALTIME_DRAIN_TICKS, NGX_REALTIME_DRAIN_AT_ONCE);

    ngx_realtime_drain_timer.handler = ngx_realtime_worker_drain_handler;
    ngx_realtime_drain_timer.data = worker;
    ngx_realtime_drain_timer.log = worker->log;

    ngx_realtime_stream_quit();
    ngx_realtime_move_drain();
    ngx_realtime_worker_stay();
}


void
ngx_realtime_worker_stay(void)
{
    if (ngx_realtime_worker->exiting && !ngx_realtime_drain_timer.timer_set) {
        ngx_add_timer(&ngx_realtime_drain_timer, 1);
    }
}


static void
ngx_realtime_worker_drain_handler(ngx_event_t *ev)
{
    ngx_uint_t              n;
    ngx_queue_t            *q, *next;
    ngx_realtime_worker_t  *worker;
    ngx_realtime_session_t *s;

    worker = ev->data;

    for (n = 0, q = ngx_queue_head(ngx_realtime_sessions());
         n < ngx_realtime_drain_slice && q != ngx_queue_sentinel(ngx_realtime_sessions()); q = next)
    {
        next = ngx_queue_next(q);
        s = ngx_queue_data(q, ngx_realtime_session_t, link);

        if (s->ws == NULL && s->polling == NULL) {
            continue; /* just opening, or moving here: its probe holds it, and has a timeout */
        }

        if ((s->doing_count != 0 || s->frozen)
            && ngx_realtime_drain_ticks < NGX_REALTIME_DRAIN_PATIENCE) {
            continue; /* answered, or moved, first */
        }

        ngx_realtime_session_close(s, RT_WS_CLOSE_GOING_AWAY, "worker quits");
        n++;
    }

    ngx_realtime_relay_release();

    if (++ngx_realtime_drain_ticks >= NGX_REALTIME_DRAIN_PATIENCE) {
        ngx_realtime_relay_cut();
    }

    if (ngx_realtime_session_count() != 0 || worker->tasks != 0 || ngx_realtime_relay_waiting() != 0
        || ngx_realtime_move_waiting()
        || (ngx_realtime_stream_busy() && ngx_realtime_drain_ticks < NGX_REALTIME_DRAIN_PATIENCE)
        || (ngx_realtime_heal_doubts() != 0
            && ngx_realtime_drain_ticks < NGX_REALTIME_DRAIN_PATIENCE))
    {
        ngx_add_timer(ev, NGX_REALTIME_DRAIN_TICK);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, worker->log, 0, "realtime: all clients were told, worker quits");
}


static void
ngx_realtime_worker_on_publish(void *data, ngx_str_t *channel, ngx_str_t *payload)
{
    if (payload->len != 0 && payload->data[0] == NGX_REALTIME_PRESENCE_NOTICE) {
        ngx_realtime_presence_on_notice(channel, payload);
        return;
    }

    ngx_realtime_metrics->counts.received++;
    ngx_realtime_hub_on_publish(channel, payload);
}


static void
ngx_realtime_worker_on_request(void *data, ngx_realtime_worker_id_t from, ngx_str_t *channel,
    ngx_str_t *payload, ngx_str_t *answer, size_t answer_size)
{
    if (channel->len > 5 && ngx_strncmp(channel->data, "room:", 5) == 0) {
        ngx_realtime_people_on_request(channel, payload, answer, answer_size);
        return;
    }

    ngx_realtime_presence_on_ask(channel, payload, answer, answer_size);
}


static void
ngx_realtime_worker_on_met(void *data, ngx_realtime_worker_id_t worker)
{
    ngx_realtime_presence_on_gap(); /* its people are not known here */
}


static void
ngx_realtime_worker_on_latency(void *data, uint64_t us)
{
    ngx_realtime_metrics_observe(&ngx_realtime_metrics->counts.redis, us);
}


static void
ngx_realtime_worker_on_gap(void *data)
{
    ngx_realtime_metrics->counts.gaps++;
    ngx_realtime_hub_on_gap();
    ngx_realtime_presence_on_gap();
}


static void
ngx_realtime_worker_on_message(void *data, ngx_realtime_worker_id_t from, ngx_str_t *payload)
{
    ngx_str_t  rest;
    ngx_uint_t type;

    if (payload->len == 0) {
        return;
    }

    type = payload->data[0];
    rest.data = payload->data + 1;
    rest.len = payload->len - 1;

    if (type < NGX_REALTIME_MOVE_ASK) {
        ngx_realtime_relay_on_message(from, type, &rest);
    } else {
        ngx_realtime_move_on_message(from, type, &rest);
    }
}


static void
ngx_realtime_worker_on_lost(void *data, ngx_realtime_worker_id_t worker)
{
    ngx_realtime_relay_worker_lost(worker);
    ngx_realtime_move_worker_lost(worker);
    ngx_realtime_presence_on_worker_lost(worker);
}


void
ngx_realtime_worker_exit(ngx_cycle_t *cycle)
{
    ngx_queue_t            *q;
    ngx_realtime_worker_t  *worker;
    ngx_realtime_session_t *s;

    worker = ngx_realtime_worker;

    if (worker == NULL) {
        return;
    }

    worker->exiting = 1;

    while (!ngx_queue_empty(ngx_realtime_sessions())) {
        q = ngx_queue_head(ngx_realtime_sessions());
        s = ngx_queue_data(q, ngx_realtime_session_t, link);

        if (s->ws != NULL) {
            ngx_realtime_ws_abort(s->ws);
            s->ws = NULL;
        }

        ngx_realtime_session_close(s, RT_WS_CLOSE_GOING_AWAY, "worker exits");
    }

    ngx_realtime_stream_exit();
    ngx_realtime_ws_exit();
    ngx_realtime_move_exit();
    ngx_realtime_queue_exit();

    ngx_realtime_adapter_exit();
    worker->bus->methods->close(worker->bus);
    ngx_realtime_people_exit();
    ngx_realtime_presence_exit();
    ngx_realtime_heal_exit();
    ngx_realtime_assist_exit();
    ngx_realtime_metrics_exit();
    ngx_realtime_limits_exit(worker);

    /* the thread pool is gone by now: no call is running */
    rt_core_close(worker->core);
    rt_token_cache_destroy(worker->tokens);

    if (ngx_realtime_quit_slot != NULL) {
        ngx_realtime_quit_slot->fd = (ngx_socket_t) -1;
        ngx_free_connection(ngx_realtime_quit_slot);
        ngx_realtime_quit_slot = NULL;
    }

    ngx_realtime_worker = NULL;
}
