/* The local bus: making and closing it, the end of a turn, and the methods that send. The shape
 * of the whole is told in ngx_realtime_bus_local.h.
 *
 * The descriptors are marked as nginx's own channels are (ngx_event_t.channel). So a graceful
 * shutdown passes them by, worker_shutdown_timeout does not close them under a worker that still
 * drains, and they raise no "open socket left" alert: they stay until close() in exit_process.
 * All timers are cancelable and hold no worker back. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_realtime_bus_local.h"


static ngx_int_t ngx_realtime_local_publish(ngx_realtime_bus_t *bus, ngx_str_t *channel,
    ngx_str_t *payload);

static ngx_int_t ngx_realtime_local_send(ngx_realtime_bus_t *bus, ngx_realtime_worker_id_t to,
    ngx_str_t *payload);

static ngx_uint_t ngx_realtime_local_peers(ngx_realtime_bus_t *bus);
static ngx_uint_t ngx_realtime_local_up(ngx_realtime_bus_t *bus);
static void       ngx_realtime_local_numbers(ngx_realtime_bus_t *bus, uint64_t *connects,
          uint64_t *queued);
static void       ngx_realtime_local_close(ngx_realtime_bus_t *bus);
static void       ngx_realtime_local_turn(ngx_event_t *ev);

static void ngx_realtime_local_event(ngx_realtime_local_t *local, ngx_event_t *ev,
    ngx_event_handler_pt handler);


static const ngx_realtime_bus_methods_t ngx_realtime_local_methods = {
    ngx_realtime_local_subscribe,
    ngx_realtime_local_unsubscribe,
    ngx_realtime_local_publish,
    ngx_realtime_local_send,
    ngx_realtime_local_request,
    ngx_realtime_local_cancel,
    ngx_realtime_local_peers,
    ngx_realtime_local_up,
    ngx_realtime_local_numbers,
    ngx_realtime_local_close,
};


ngx_int_t
ngx_realtime_bus_local_check(ngx_conf_t *cf, ngx_str_t *dir)
{
    struct sockaddr_un address;

    if (dir->len + 1 + NGX_REALTIME_LOCAL_FILE_LEN >= sizeof(address.sun_path)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "the bus directory \"%V\" is too long: sockets in it need a path "
            "of at most %uz bytes, so it may have %uz",
            dir, sizeof(address.sun_path) - 1,
            sizeof(address.sun_path) - 2 - NGX_REALTIME_LOCAL_FILE_LEN);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_realtime_bus_t *
ngx_realtime_bus_local_create(ngx_cycle_t *cycle, ngx_str_t *dir, ngx_realtime_worker_id_t self,
    size_t queue_max, const ngx_realtime_bus_handlers_t *handlers)
{
    ngx_realtime_local_t *local;

    local = ngx_calloc(sizeof(ngx_realtime_local_t), cycle->log);
    if (local == NULL) {
        return NULL;
    }

    local->bus.methods = &ngx_realtime_local_methods;
    local->bus.handlers = *handlers;
    local->bus.self = self;
    local->bus.log = cycle->log;
    local->queue_max =
        ngx_max(ngx_min(queue_max, NGX_REALTIME_LOCAL_FRAME_MAX), NGX_REALTIME_LOCAL_QUEUE_MIN);
    local->payload_max =
        local->queue_max - NGX_REALTIME_LOCAL_NAME_MAX - sizeof(ngx_realtime_local_frame_t);
    local->early = 1;
    local->sync_next = 1;

    ngx_queue_init(&local->peers);
    ngx_queue_init(&local->dirty);
    ngx_queue_init(&local->ins);
    ngx_queue_init(&local->waits);
    ngx_queue_init(&local->finished);
    ngx_rbtree_init(&local->channels, &local->channels_sentinel, ngx_str_rbtree_insert_value);
    ngx_rbtree_init(&local->requests, &local->requests_sentinel, ngx_rbtree_insert_value);

    ngx_realtime_local_event(local, &local->turn, ngx_realtime_local_turn);
    ngx_realtime_local_event(local, &local->rescan, ngx_realtime_local_rescan);
    ngx_realtime_local_event(local, &local->sync_timer, ngx_realtime_local_sync_timeout);

    local->scratch = ngx_alloc(NGX_REALTIME_LOCAL_SCRATCH, cycle->log);
    local->answer = ngx_alloc(NGX_REALTIME_LOCAL_ANSWER_MAX, cycle->log);
    local->dir.data = ngx_alloc(dir->len + 1, cycle->log);

    if (local->scratch == NULL || local->answer == NULL || local->dir.data == NULL) {
        goto failed;
    }

    (void) ngx_cpystrn(local->dir.data, dir->data, dir->len + 1);
    local->dir.len = dir->len;

    /* Listen first, look around then: of two workers that start together at least one sees the
     * other. */

    if (ngx_realtime_local_listen(local) != NGX_OK) {
        goto failed;
    }

    (void) ngx_realtime_local_scan(local);
    ngx_add_timer(&local->rescan, NGX_REALTIME_LOCAL_RESCAN_MS);

    return &local->bus;

failed:

    ngx_realtime_local_close(&local->bus);

    return NULL;
}


static void
ngx_realtime_local_event(ngx_realtime_local_t *local, ngx_event_t *ev, ngx_event_handler_pt handler)
{
    ev->handler = handler;
    ev->data = local;
    ev->log = local->bus.log;
    ev->cancelable = 1;
}


static void
ngx_realtime_local_close(ngx_realtime_bus_t *bus)
{
    ngx_queue_t               *q;
    struct sockaddr_un         address;
    ngx_realtime_local_t      *local;
    ngx_realtime_local_peer_t *peer;

    local = (ngx_realtime_local_t *) bus;

    if (local->listener != NULL) {
        ngx_realtime_local_address(local, bus->self, &address);

        if (ngx_delete_file(address.sun_path) == NGX_FILE_ERROR && ngx_errno != NGX_ENOENT) {
            ngx_log_error(NGX_LOG_ERR, bus->log, ngx_errno, ngx_delete_file_n " \"%s\" failed",
                address.sun_path);
        }

        ngx_close_connection(local->listener);
    }

    ngx_realtime_local_batch_end(local);

    while (!ngx_queue_empty(&local->peers)) {
        q = ngx_queue_head(&local->peers);
        peer = ngx_queue_data(q, ngx_realtime_local_peer_t, queue);

        /* The goodbye arrives only behind all that was queued: who misses it knows of a gap. */

        if (peer->out != NULL
            && ngx_realtime_local_tell(peer, NGX_REALTIME_LOCAL_BYE, 0, NULL) == NGX_OK) {
            ngx_realtime_local_write(peer);
        }

        ngx_realtime_local_peer_free(peer);
    }

    while (!ngx_queue_empty(&local->ins)) {
        q = ngx_queue_head(&local->ins);
        ngx_realtime_local_in_close(ngx_queue_data(q, ngx_realtime_local_in_t, queue));
    }

    ngx_realtime_local_waits_free(local);
    ngx_realtime_local_channels_free(local);

    if (local->turn.posted) {
        ngx_delete_posted_event(&local->turn);
    }

    if (local->rescan.timer_set) {
        ngx_del_timer(&local->rescan);
    }

    if (local->sync_timer.timer_set) {
        ngx_del_timer(&local->sync_timer);
    }

    ngx_free(local->dir.data);
    ngx_free(local->answer);
    ngx_free(local->scratch);
    ngx_free(local);
}


void
ngx_realtime_local_post(ngx_realtime_local_t *local)
{
    /* What is posted before the loop's first turn, or while idle connections are closed for a
     * graceful shutdown, would wait for the next event: those turns do not end by working off
     * the posted events (nginx 1.22). */

    if (local->early || ngx_exiting) {
        ngx_post_event(&local->turn, &ngx_posted_next_events);
        return;
    }

    ngx_post_event(&local->turn, &ngx_posted_events);
}


static void
ngx_realtime_local_turn(ngx_event_t *ev)
{
    ngx_queue_t               *q;
    ngx_realtime_local_t      *local;
    ngx_realtime_local_peer_t *peer;

    local = ev->data;
    local->early = 0;

    ngx_realtime_local_batch_end(local);

    while (!ngx_queue_empty(&local->dirty)) {
        q = ngx_queue_head(&local->dirty);
        ngx_queue_remove(q);

        peer = ngx_queue_data(q, ngx_realtime_local_peer_t, dirty_queue);
        peer->dirty = 0;
        ngx_realtime_local_write(peer);
    }

    if (local->gap) {
        local->gap = 0;
        local->bus.handlers.on_gap(local->bus.handlers.data);
    }

    ngx_realtime_local_sync_check(local);
    ngx_realtime_local_finish(local);
}


/* In order for all who listen. A payload that no queue can ever take is told as a gap instead:
 * the others then read it from the store. */
static ngx_int_t
ngx_realtime_local_publish(ngx_realtime_bus_t *bus, ngx_str_t *channel, ngx_str_t *payload)
{
    ngx_int_t                 rc;
    ngx_uint_t                i, n;
    ngx_realtime_local_t     *local;
    ngx_realtime_local_msg_t *msg;

    local = (ngx_realtime_local_t *) bus;

    if (channel->len == 0 || channel->len > NGX_REALTIME_LOCAL_NAME_MAX) {
        return NGX_ERROR;
    }

    n = ngx_realtime_local_targets(local, channel);

    if (n == 0) {
        return NGX_OK;
    }

    rc = NGX_OK;
    msg = NULL;

    if (payload->len <= local->payload_max) {
        msg = ngx_realtime_local_msg(local, NGX_REALTIME_LOCAL_PUBLISH, 0, channel, payload);
    }

    if (msg == NULL) {
        ngx_log_error(NGX_LOG_ERR, bus->log, 0, "bus: %uz bytes could not be published",
            payload->len);

        rc = NGX_ERROR;
        msg = ngx_realtime_local_msg(local, NGX_REALTIME_LOCAL_GAP, 0, NULL, NULL);
        if (msg == NULL) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < n; i++) {
        (void) ngx_realtime_local_enqueue(local->slots[local->targets[i]], msg);
    }

    ngx_realtime_local_msg_put(msg);

    return rc;
}


static ngx_int_t
ngx_realtime_local_send(ngx_realtime_bus_t *bus, ngx_realtime_worker_id_t to, ngx_str_t *payload)
{
    ngx_realtime_local_t      *local;
    ngx_realtime_local_peer_t *peer;

    local = (ngx_realtime_local_t *) bus;

    if (payload->len > local->payload_max) {
        return NGX_ERROR;
    }

    if (to == 0 || to == bus->self) {
        return NGX_DECLINED;
    }

    peer = ngx_realtime_local_peer_find(local, to);

    if (peer == NULL) {
        /* It may have started a moment ago, and its HELLO waits behind what we do now. */
        peer = ngx_realtime_local_peer_meet(local, to, NULL);
    }

    if (peer == NULL || peer->out == NULL) {
        return NGX_DECLINED;
    }

    return ngx_realtime_local_tell(peer, NGX_REALTIME_LOCAL_MESSAGE, 0, payload);
}


static ngx_uint_t
ngx_realtime_local_peers(ngx_realtime_bus_t *bus)
{
    ngx_uint_t                 n;
    ngx_queue_t               *q;
    ngx_realtime_local_t      *local;
    ngx_realtime_local_peer_t *peer;

    n = 0;
    local = (ngx_realtime_local_t *) bus;

    for (q = ngx_queue_head(&local->peers); q != ngx_queue_sentinel(&local->peers);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_realtime_local_peer_t, queue);

        if (peer->out != NULL && peer->in != NULL) {
            n++;
        }
    }

    return n;
}


static ngx_uint_t
ngx_realtime_local_up(ngx_realtime_bus_t *bus)
{
    return 1;
}


static void
ngx_realtime_local_numbers(ngx_realtime_bus_t *bus, uint64_t *connects, uint64_t *queued)
{
    *connects = 0;
    *queued = 0;
}
