/* The local bus: frames on their way out. A frame for many peers is made once and shared by their
 * queues. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_realtime_bus_local.h"


#define NGX_REALTIME_LOCAL_IOVS 64
#define NGX_REALTIME_LOCAL_RING 16


static ngx_int_t ngx_realtime_local_ring_grow(ngx_realtime_local_peer_t *peer);
static void      ngx_realtime_local_sent(ngx_realtime_local_peer_t *peer, size_t bytes);


ngx_realtime_local_msg_t *
ngx_realtime_local_msg(ngx_realtime_local_t *local, ngx_realtime_local_type_e type, uint64_t id,
    ngx_str_t *name, ngx_str_t *body)
{
    size_t                     name_len, body_len;
    u_char                    *p;
    ngx_realtime_local_msg_t  *msg;
    ngx_realtime_local_frame_t frame;

    name_len = (name == NULL) ? 0 : name->len;
    body_len = (body == NULL) ? 0 : body->len;

    msg = ngx_alloc(sizeof(ngx_realtime_local_msg_t) + NGX_REALTIME_LOCAL_HEADER + name_len
            + body_len,
        local->bus.log);
    if (msg == NULL) {
        return NULL;
    }

    ngx_memzero(&frame, NGX_REALTIME_LOCAL_HEADER);
    frame.length = (uint32_t) (name_len + body_len);
    frame.type = (uint8_t) type;
    frame.name = (uint16_t) name_len;
    frame.id = id;

    msg->refs = 1;
    msg->len = NGX_REALTIME_LOCAL_HEADER + name_len + body_len;

    p = ngx_cpymem(msg->data, &frame, NGX_REALTIME_LOCAL_HEADER);

    if (name_len != 0) {
        p = ngx_cpymem(p, name->data, name_len);
    }

    if (body_len != 0) {
        ngx_memcpy(p, body->data, body_len);
    }

    return msg;
}


void
ngx_realtime_local_msg_put(ngx_realtime_local_msg_t *msg)
{
    if (--msg->refs == 0) {
        ngx_free(msg);
    }
}


ngx_int_t
ngx_realtime_local_enqueue(ngx_realtime_local_peer_t *peer, ngx_realtime_local_msg_t *msg)
{
    ngx_uint_t            i;
    ngx_realtime_local_t *local;

    local = peer->local;

    if (peer->out == NULL) {
        peer->missed = 1;
        return NGX_DECLINED;
    }

    if (msg->len > peer->limit || peer->queued > peer->limit - msg->len) {
        ngx_log_error(NGX_LOG_WARN, local->bus.log, 0,
            "bus: %uz bytes are waiting for worker %016xL, dropped with the connection",
            peer->queued, (int64_t) peer->id);

        ngx_realtime_local_out_close(peer, NGX_REALTIME_LOCAL_BACKOFF_MIN);
        return NGX_DECLINED;
    }

    if (peer->ring_count == peer->ring_size && ngx_realtime_local_ring_grow(peer) != NGX_OK) {
        ngx_realtime_local_out_close(peer, NGX_REALTIME_LOCAL_BACKOFF_MIN);
        return NGX_DECLINED;
    }

    i = (peer->ring_head + peer->ring_count) & (peer->ring_size - 1);
    peer->ring[i] = msg;
    peer->ring_count++;
    peer->queued += msg->len;
    msg->refs++;

    if (!peer->dirty) {
        peer->dirty = 1;
        ngx_queue_insert_tail(&local->dirty, &peer->dirty_queue);
        ngx_realtime_local_post(local);
    }

    return NGX_OK;
}


ngx_int_t
ngx_realtime_local_tell(ngx_realtime_local_peer_t *peer, ngx_realtime_local_type_e type,
    uint64_t id, ngx_str_t *body)
{
    ngx_int_t                 rc;
    ngx_realtime_local_msg_t *msg;

    msg = ngx_realtime_local_msg(peer->local, type, id, NULL, body);
    if (msg == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_realtime_local_enqueue(peer, msg);
    ngx_realtime_local_msg_put(msg);

    return rc;
}


static ngx_int_t
ngx_realtime_local_ring_grow(ngx_realtime_local_peer_t *peer)
{
    ngx_uint_t                 i, size;
    ngx_realtime_local_msg_t **ring;

    size = (peer->ring_size == 0) ? NGX_REALTIME_LOCAL_RING : peer->ring_size * 2;

    ring = ngx_alloc(size * sizeof(ngx_realtime_local_msg_t *), peer->local->bus.log);
    if (ring == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < peer->ring_count; i++) {
        ring[i] = peer->ring[(peer->ring_head + i) & (peer->ring_size - 1)];
    }

    ngx_free(peer->ring);
    peer->ring = ring;
    peer->ring_size = size;
    peer->ring_head = 0;

    return NGX_OK;
}


void
ngx_realtime_local_ring_clear(ngx_realtime_local_peer_t *peer)
{
    while (peer->ring_count != 0) {
        ngx_realtime_local_msg_put(peer->ring[peer->ring_head]);
        peer->ring_head = (peer->ring_head + 1) & (peer->ring_size - 1);
        peer->ring_count--;
    }

    peer->sent = 0;
    peer->queued = 0;
}


void
ngx_realtime_local_write(ngx_realtime_local_peer_t *peer)
{
    size_t                    total;
    ssize_t                   n;
    ngx_err_t                 err;
    ngx_uint_t                i, niov;
    struct iovec              iov[NGX_REALTIME_LOCAL_IOVS];
    ngx_connection_t         *c;
    ngx_realtime_local_msg_t *msg;

    c = peer->out;

    if (c == NULL || !c->write->ready) {
        return;
    }

    total = 0;

    while (peer->ring_count != 0) {

        if (total >= NGX_REALTIME_LOCAL_TURN_WRITE) {
            ngx_post_event(c->write, &ngx_posted_next_events);
            return;
        }

        niov = ngx_min(peer->ring_count, NGX_REALTIME_LOCAL_IOVS);

        for (i = 0; i < niov; i++) {
            msg = peer->ring[(peer->ring_head + i) & (peer->ring_size - 1)];
            iov[i].iov_base = msg->data + (i == 0 ? peer->sent : 0);
            iov[i].iov_len = msg->len - (i == 0 ? peer->sent : 0);
        }

        n = writev(c->fd, iov, (int) niov);

        if (n == -1) {
            err = ngx_socket_errno;

            if (err == NGX_EINTR) {
                continue;
            }

            if (err == NGX_EAGAIN) {
                c->write->ready = 0;

                if (ngx_handle_write_event(c->write, 0) == NGX_OK) {
                    return;
                }
            }

            ngx_log_error(NGX_LOG_INFO, c->log, err, "bus: writev() to worker %016xL failed",
                (int64_t) peer->id);
            ngx_realtime_local_out_close(peer, 0);
            return;
        }

        total += (size_t) n;
        ngx_realtime_local_sent(peer, (size_t) n);
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_realtime_local_out_close(peer, NGX_REALTIME_LOCAL_BACKOFF_MIN);
    }
}


static void
ngx_realtime_local_sent(ngx_realtime_local_peer_t *peer, size_t bytes)
{
    size_t                    rest;
    ngx_realtime_local_msg_t *msg;

    peer->queued -= bytes;

    while (bytes != 0) {
        msg = peer->ring[peer->ring_head];
        rest = msg->len - peer->sent;

        if (bytes < rest) {
            peer->sent += bytes;
            return;
        }

        bytes -= rest;
        peer->sent = 0;
        peer->ring_head = (peer->ring_head + 1) & (peer->ring_size - 1);
        peer->ring_count--;
        ngx_realtime_local_msg_put(msg);
    }
}
