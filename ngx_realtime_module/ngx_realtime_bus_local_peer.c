/* The local bus: the other workers, and our connections to them. Who loses one dials again; a peer
 * is lost when nobody listens on its socket and it does not speak to us any more. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_realtime_bus_local.h"


static ngx_realtime_local_peer_t *ngx_realtime_local_peer_create(ngx_realtime_local_t *local,
    ngx_realtime_worker_id_t                                                           id);

static void      ngx_realtime_local_peer_lost(ngx_realtime_local_peer_t *peer);
static void      ngx_realtime_local_dial_handler(ngx_event_t *ev);
static ngx_int_t ngx_realtime_local_dial(ngx_realtime_local_peer_t *peer);

static ngx_int_t ngx_realtime_local_dial_failed(ngx_realtime_local_peer_t *peer, ngx_err_t err,
    struct sockaddr_un *address);

static ngx_int_t ngx_realtime_local_out_open(ngx_realtime_local_peer_t *peer, ngx_socket_t fd);
static ngx_int_t ngx_realtime_local_greet(ngx_realtime_local_peer_t *peer);
static void      ngx_realtime_local_out_read(ngx_event_t *ev);
static void      ngx_realtime_local_out_write(ngx_event_t *ev);


ngx_realtime_local_peer_t *
ngx_realtime_local_peer_find(ngx_realtime_local_t *local, ngx_realtime_worker_id_t id)
{
    ngx_queue_t               *q;
    ngx_realtime_local_peer_t *peer;

    for (q = ngx_queue_head(&local->peers); q != ngx_queue_sentinel(&local->peers);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_realtime_local_peer_t, queue);

        if (peer->id == id) {
            return peer;
        }
    }

    return NULL;
}


ngx_realtime_local_peer_t *
ngx_realtime_local_peer_meet(ngx_realtime_local_t *local, ngx_realtime_worker_id_t id,
    ngx_realtime_local_in_t *in)
{
    ngx_int_t                  rc;
    ngx_realtime_local_peer_t *peer;

    peer = ngx_realtime_local_peer_create(local, id);
    if (peer == NULL) {
        return NULL;
    }

    peer->in = in;
    rc = ngx_realtime_local_dial(peer);

    if (rc == NGX_OK) {
        return peer;
    }

    if (in == NULL && (rc == NGX_DECLINED || rc == NGX_ERROR)) {
        ngx_realtime_local_peer_free(peer);
        return NULL;
    }

    peer->down = 1;
    ngx_realtime_local_dial_later(peer, NGX_REALTIME_LOCAL_BACKOFF_MIN);

    return peer;
}


static ngx_realtime_local_peer_t *
ngx_realtime_local_peer_create(ngx_realtime_local_t *local, ngx_realtime_worker_id_t id)
{
    ngx_uint_t                 slot;
    ngx_realtime_local_peer_t *peer;

    for (slot = 0; slot < NGX_REALTIME_LOCAL_PEERS_MAX; slot++) {
        if (local->slots[slot] == NULL) {
            break;
        }
    }

    if (slot == NGX_REALTIME_LOCAL_PEERS_MAX) {
        ngx_log_error(NGX_LOG_ERR, local->bus.log, 0, "bus: more than %d workers",
            NGX_REALTIME_LOCAL_PEERS_MAX);
        return NULL;
    }

    peer = ngx_calloc(sizeof(ngx_realtime_local_peer_t), local->bus.log);
    if (peer == NULL) {
        return NULL;
    }

    peer->local = local;
    peer->id = id;
    peer->slot = slot;

    peer->dial.handler = ngx_realtime_local_dial_handler;
    peer->dial.data = peer;
    peer->dial.log = local->bus.log;
    peer->dial.cancelable = 1;

    local->slots[slot] = peer;
    ngx_queue_insert_tail(&local->peers, &peer->queue);

    return peer;
}


void
ngx_realtime_local_peer_free(ngx_realtime_local_peer_t *peer)
{
    ngx_realtime_local_t *local;

    local = peer->local;

    if (peer->out != NULL) {
        ngx_close_connection(peer->out);
    }

    if (peer->in != NULL) {
        peer->in->peer = NULL;
    }

    if (peer->dial.posted) {
        ngx_delete_posted_event(&peer->dial);
    }

    if (peer->dial.timer_set) {
        ngx_del_timer(&peer->dial);
    }

    if (peer->dirty) {
        ngx_queue_remove(&peer->dirty_queue);
    }

    ngx_realtime_local_ring_clear(peer);
    ngx_free(peer->ring);

    local->slots[peer->slot] = NULL;
    ngx_queue_remove(&peer->queue);
    ngx_free(peer);
}


/* It ended without a goodbye when peer->gap is set: what it had stored and not yet published is
 * then missing here. */
static void
ngx_realtime_local_peer_lost(ngx_realtime_local_peer_t *peer)
{
    ngx_realtime_local_t    *local;
    ngx_realtime_worker_id_t id;

    id = peer->id;
    local = peer->local;

    ngx_log_error(NGX_LOG_INFO, local->bus.log, 0, "bus: worker %016xL is gone%s", (int64_t) id,
        peer->gap ? " without a goodbye" : "");

    if (peer->gap) {
        local->gap = 1;
    }

    ngx_realtime_local_peer_free(peer);
    ngx_realtime_local_post(local);

    local->bus.handlers.on_worker_lost(local->bus.handlers.data, id);
}


/* Never at once: the caller may be in the middle of something that the peer is part of. */
void
ngx_realtime_local_dial_later(ngx_realtime_local_peer_t *peer, ngx_msec_t delay_ms)
{
    ngx_msec_t delay;

    delay = ngx_max(delay_ms, peer->backoff);

    peer->backoff = ngx_min(ngx_max(peer->backoff * 2, NGX_REALTIME_LOCAL_BACKOFF_MIN),
        NGX_REALTIME_LOCAL_BACKOFF_MAX);

    if (delay != 0) {
        ngx_add_timer(&peer->dial, delay);
        return;
    }

    if (ngx_exiting) {
        ngx_post_event(&peer->dial, &ngx_posted_next_events);
        return;
    }

    ngx_post_event(&peer->dial, &ngx_posted_events);
}


static void
ngx_realtime_local_dial_handler(ngx_event_t *ev)
{
    ngx_int_t                  rc;
    ngx_realtime_local_peer_t *peer;

    peer = ev->data;

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    if (peer->out != NULL) {
        return;
    }

    rc = ngx_realtime_local_dial(peer);

    if (rc == NGX_OK) {
        return;
    }

    if (rc == NGX_DECLINED && peer->in == NULL) {
        ngx_realtime_local_peer_lost(peer);
        return;
    }

    ngx_realtime_local_dial_later(peer, NGX_REALTIME_LOCAL_BACKOFF_MIN);
}


/* A unix socket is connected at once or not at all. NGX_OK; NGX_DECLINED: nobody listens there;
 * NGX_AGAIN: not now; NGX_ERROR: not allowed, or nothing of ours. */
static ngx_int_t
ngx_realtime_local_dial(ngx_realtime_local_peer_t *peer)
{
    ngx_err_t             err;
    ngx_socket_t          fd;
    struct sockaddr_un    address;
    ngx_realtime_local_t *local;

    local = peer->local;
    ngx_realtime_local_address(local, peer->id, &address);

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_ERR, local->bus.log, ngx_socket_errno, "bus: socket() failed");
        return NGX_AGAIN;
    }

    if (connect(fd, (struct sockaddr *) &address, sizeof(address)) == -1) {
        err = ngx_socket_errno;
        (void) ngx_close_socket(fd);

        return ngx_realtime_local_dial_failed(peer, err, &address);
    }

    if (ngx_realtime_local_credentials(local, fd) != NGX_OK) {
        (void) ngx_close_socket(fd);
        return NGX_ERROR;
    }

    return ngx_realtime_local_out_open(peer, fd);
}


static ngx_int_t
ngx_realtime_local_dial_failed(ngx_realtime_local_peer_t *peer, ngx_err_t err,
    struct sockaddr_un *address)
{
    ngx_log_t *log;

    log = peer->local->bus.log;

    switch (err) {

    case NGX_ENOENT:
        return NGX_DECLINED;

    case NGX_ECONNREFUSED:
        /* A socket is listened on before it gets this name, so it is a dead worker's. */

        if (ngx_delete_file(address->sun_path) == NGX_FILE_ERROR && ngx_errno != NGX_ENOENT) {
            ngx_log_error(NGX_LOG_ERR, log, ngx_errno, ngx_delete_file_n " \"%s\" failed",
                address->sun_path);
        }

        return NGX_DECLINED;

    case NGX_EAGAIN:
        /* Its backlog is full. */
        return NGX_AGAIN;

    default:
        ngx_log_error(NGX_LOG_ERR, log, err, "bus: connect() to \"%s\" failed", address->sun_path);
        return NGX_ERROR;
    }
}


/* Takes fd over. NGX_OK or NGX_AGAIN. */
static ngx_int_t
ngx_realtime_local_out_open(ngx_realtime_local_peer_t *peer, ngx_socket_t fd)
{
    ngx_int_t         event;
    ngx_log_t        *log;
    ngx_connection_t *c;

    log = peer->local->bus.log;

    c = ngx_get_connection(fd, log);
    if (c == NULL) {
        (void) ngx_close_socket(fd);
        return NGX_AGAIN;
    }

    c->data = peer;
    c->log = log;
    c->log_error = NGX_ERROR_INFO;
    c->recv = ngx_recv;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->read->log = log;
    c->write->log = log;
    c->read->channel = 1;
    c->write->channel = 1;
    c->read->handler = ngx_realtime_local_out_read;
    c->write->handler = ngx_realtime_local_out_write;
    c->write->ready = 1;

    if (ngx_add_conn != NULL) {
        if (ngx_add_conn(c) == NGX_ERROR) {
            ngx_close_connection(c);
            return NGX_AGAIN;
        }

    } else {
        event = (ngx_event_flags & NGX_USE_CLEAR_EVENT) ? NGX_CLEAR_EVENT : NGX_LEVEL_EVENT;

        if (ngx_add_event(c->read, NGX_READ_EVENT, event) == NGX_ERROR) {
            ngx_close_connection(c);
            return NGX_AGAIN;
        }
    }

    /* What is in the batch goes to the others under a number of its own: the new list has it. */
    ngx_realtime_local_batch_end(peer->local);

    peer->out = c;

    if (ngx_realtime_local_greet(peer) != NGX_OK) {
        if (peer->out != NULL) {
            ngx_realtime_local_out_close(peer, NGX_REALTIME_LOCAL_BACKOFF_MIN);
        }

        return NGX_OK;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_local_greet(ngx_realtime_local_peer_t *peer)
{
    ngx_str_t                  body;
    ngx_realtime_local_t      *local;
    ngx_realtime_local_hello_t hello;

    local = peer->local;

    hello.magic = NGX_REALTIME_LOCAL_MAGIC;
    hello.version = NGX_REALTIME_LOCAL_VERSION;
    hello.id = local->bus.self;
    body.data = (u_char *) &hello;
    body.len = sizeof(hello);

    /* The greeting is as long as our list of channels and does not count as queued. */
    peer->limit = (size_t) -1;

    if (ngx_realtime_local_tell(peer, NGX_REALTIME_LOCAL_HELLO, 0, &body) != NGX_OK
        || ngx_realtime_local_list(peer) != NGX_OK
        || ngx_realtime_local_tell(peer, NGX_REALTIME_LOCAL_LISTED, 0, NULL) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (peer->missed) {
        if (ngx_realtime_local_tell(peer, NGX_REALTIME_LOCAL_GAP, 0, NULL) != NGX_OK) {
            return NGX_ERROR;
        }

        peer->missed = 0;
    }

    peer->sync_sent = local->sync_next++;
    peer->sync_acked = peer->sync_sent - 1;
    peer->resync = peer->down ? peer->sync_sent : 0;
    peer->down = 0;

    if (ngx_realtime_local_tell(peer, NGX_REALTIME_LOCAL_SYNC, peer->sync_sent, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    if (peer->sync_seen != 0
        && ngx_realtime_local_tell(peer, NGX_REALTIME_LOCAL_SYNC_ACK, peer->sync_seen, NULL)
            != NGX_OK)
    {
        return NGX_ERROR;
    }

    peer->limit = peer->queued + local->queue_max;

    return NGX_OK;
}


void
ngx_realtime_local_out_close(ngx_realtime_local_peer_t *peer, ngx_msec_t delay_ms)
{
    ngx_close_connection(peer->out);
    peer->out = NULL;
    peer->down = 1;
    peer->missed = 1;

    if (peer->dirty) {
        peer->dirty = 0;
        ngx_queue_remove(&peer->dirty_queue);
    }

    ngx_realtime_local_ring_clear(peer);
    ngx_realtime_local_requests_gone(peer);
    ngx_realtime_local_dial_later(peer, delay_ms);
    ngx_realtime_local_post(peer->local);
}


/* The other side never sends here: what can be read is its end. */
static void
ngx_realtime_local_out_read(ngx_event_t *ev)
{
    u_char                     byte;
    ssize_t                    n;
    ngx_connection_t          *c;
    ngx_realtime_local_peer_t *peer;

    c = ev->data;
    peer = c->data;

    n = c->recv(c, &byte, 1);

    if (n == NGX_AGAIN && ngx_handle_read_event(ev, 0) == NGX_OK) {
        return;
    }

    if (n > 0) {
        ngx_log_error(NGX_LOG_ERR, ev->log, 0, "bus: worker %016xL sent on a connection of ours",
            (int64_t) peer->id);
    }

    ngx_realtime_local_out_close(peer, n == 0 ? 0 : NGX_REALTIME_LOCAL_BACKOFF_MIN);
}


static void
ngx_realtime_local_out_write(ngx_event_t *ev)
{
    ngx_connection_t *c;

    c = ev->data;
    ngx_realtime_local_write(c->data);
}
