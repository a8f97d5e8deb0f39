/* The local bus: connections that others have made to us. The bytes are cut into frames, without
 * copying when a frame is whole. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_realtime_bus_local.h"


#define NGX_REALTIME_LOCAL_KEEP 16384 /* a partial frame's buffer that is kept */


static void      ngx_realtime_local_in_read(ngx_event_t *ev);
static ngx_int_t ngx_realtime_local_feed(ngx_realtime_local_in_t *in, u_char *data, size_t len);

static ngx_int_t ngx_realtime_local_collect(ngx_realtime_local_in_t *in, u_char *data, size_t len,
    size_t *used);


/* Takes fd over. */
void
ngx_realtime_local_in_open(ngx_realtime_local_t *local, ngx_socket_t fd)
{
    ngx_log_t               *log;
    ngx_connection_t        *c;
    ngx_realtime_local_in_t *in;

    log = local->bus.log;

    if (ngx_realtime_local_credentials(local, fd) != NGX_OK) {
        (void) ngx_close_socket(fd);
        return;
    }

    in = ngx_calloc(sizeof(ngx_realtime_local_in_t), log);
    if (in == NULL) {
        (void) ngx_close_socket(fd);
        return;
    }

    c = ngx_get_connection(fd, log);
    if (c == NULL) {
        ngx_free(in);
        (void) ngx_close_socket(fd);
        return;
    }

    c->data = in;
    c->log = log;
    c->log_error = NGX_ERROR_INFO;
    c->recv = ngx_recv;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->read->log = log;
    c->write->log = log;
    c->read->channel = 1;
    c->write->channel = 1;
    c->read->handler = ngx_realtime_local_in_read;

    in->local = local;
    in->connection = c;
    ngx_queue_insert_tail(&local->ins, &in->queue);

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_realtime_local_in_close(in);
        return;
    }

    c->read->cancelable = 1;
    ngx_add_timer(c->read, NGX_REALTIME_LOCAL_HELLO_MS);
}


void
ngx_realtime_local_in_close(ngx_realtime_local_in_t *in)
{
    ngx_realtime_local_peer_t *peer;

    peer = in->peer;

    ngx_queue_remove(&in->queue);
    ngx_close_connection(in->connection);

    if (peer != NULL) {
        peer->in = NULL;

        if (!in->bye) {
            peer->gap = 1;
        }

        ngx_realtime_local_marks_clear(peer);
        ngx_realtime_local_requests_gone(peer);

        if (peer->out == NULL && !peer->dial.posted) {
            /* Now it may be gone for good. */
            peer->backoff = 0;
            ngx_realtime_local_dial_later(peer, 0);
        }
    }

    ngx_free(in->partial);
    ngx_free(in);
}


static void
ngx_realtime_local_in_read(ngx_event_t *ev)
{
    size_t                   total;
    ssize_t                  n;
    ngx_connection_t        *c;
    ngx_realtime_local_in_t *in;

    c = ev->data;
    in = c->data;

    if (ev->timedout) {
        ngx_log_error(NGX_LOG_ERR, ev->log, 0, "bus: a connection without a greeting");
        ngx_realtime_local_in_close(in);
        return;
    }

    for (total = 0; total < NGX_REALTIME_LOCAL_TURN_READ; total += (size_t) n) {
        n = c->recv(c, in->local->scratch, NGX_REALTIME_LOCAL_SCRATCH);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == 0 || n == NGX_ERROR
            || ngx_realtime_local_feed(in, in->local->scratch, (size_t) n) != NGX_OK)
        {
            ngx_realtime_local_in_close(in);
            return;
        }
    }

    if (in->peer != NULL && ev->timer_set) {
        ngx_del_timer(ev);
    }

    if (ngx_handle_read_event(ev, 0) != NGX_OK) {
        ngx_realtime_local_in_close(in);
        return;
    }

    if (ev->ready) {
        /* Others get their turn before the rest is read. */
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


/* Takes bytes that were read. NGX_ERROR: the connection has to be closed, logged. */
static ngx_int_t
ngx_realtime_local_feed(ngx_realtime_local_in_t *in, u_char *data, size_t len)
{
    size_t                     used;
    ngx_realtime_local_frame_t frame;

    while (len != 0) {

        if (in->have == 0 && len >= NGX_REALTIME_LOCAL_HEADER) {
            ngx_memcpy(&frame, data, NGX_REALTIME_LOCAL_HEADER);

            if (ngx_realtime_local_check_frame(in, &frame) != NGX_OK) {
                return NGX_ERROR;
            }

            used = NGX_REALTIME_LOCAL_HEADER + frame.length;

            if (len >= used) {
                if (ngx_realtime_local_dispatch(in, data) != NGX_OK) {
                    return NGX_ERROR;
                }

                data += used;
                len -= used;
                continue;
            }
        }

        if (ngx_realtime_local_collect(in, data, len, &used) != NGX_OK) {
            return NGX_ERROR;
        }

        data += used;
        len -= used;
    }

    return NGX_OK;
}


/* Adds to the frame that is not complete, as much as it lacks; the buffer grows with what came, not
 * with what the header promises. */
static ngx_int_t
ngx_realtime_local_collect(ngx_realtime_local_in_t *in, u_char *data, size_t len, size_t *used)
{
    size_t                     need, size;
    u_char                    *partial;
    ngx_realtime_local_frame_t frame;

    need = NGX_REALTIME_LOCAL_HEADER;

    if (in->have >= NGX_REALTIME_LOCAL_HEADER) {
        ngx_memcpy(&frame, in->partial, NGX_REALTIME_LOCAL_HEADER);
        need += frame.length;
    }

    *used = ngx_min(len, need - in->have);

    if (in->have + *used > in->size) {
        size = ngx_max(in->have + *used, ngx_min(in->size * 2, need));

        partial = realloc(in->partial, size);
        if (partial == NULL) {
            ngx_log_error(NGX_LOG_ERR, in->local->bus.log, ngx_errno,
                "bus: no memory for a frame of %uz bytes", need);
            return NGX_ERROR;
        }

        in->partial = partial;
        in->size = size;
    }

    ngx_memcpy(in->partial + in->have, data, *used);
    in->have += *used;

    if (in->have < need) {
        return NGX_OK;
    }

    if (need == NGX_REALTIME_LOCAL_HEADER) {
        ngx_memcpy(&frame, in->partial, NGX_REALTIME_LOCAL_HEADER);

        if (ngx_realtime_local_check_frame(in, &frame) != NGX_OK) {
            return NGX_ERROR;
        }

        if (frame.length != 0) {
            return NGX_OK;
        }
    }

    if (ngx_realtime_local_dispatch(in, in->partial) != NGX_OK) {
        return NGX_ERROR;
    }

    in->have = 0;

    if (in->size > NGX_REALTIME_LOCAL_KEEP) {
        ngx_free(in->partial);
        in->partial = NULL;
        in->size = 0;
    }

    return NGX_OK;
}
