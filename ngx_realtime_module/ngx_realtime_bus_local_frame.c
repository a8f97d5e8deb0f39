/* The local bus: frames on their way out and in. A frame for many peers is made once and shared by
 * their queues; bytes that come in are cut into frames without copying when a frame is whole. What
 * a peer sends is checked before anything of it is believed. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_realtime_bus_local.h"


#define NGX_REALTIME_LOCAL_IOVS 64
#define NGX_REALTIME_LOCAL_RING 16
#define NGX_REALTIME_LOCAL_KEEP 16384 /* a partial frame's buffer that is kept */

#define NGX_REALTIME_LOCAL_HEADER sizeof(ngx_realtime_local_frame_t)

typedef ngx_int_t (*ngx_realtime_local_frame_pt)(ngx_realtime_local_in_t *in,
    ngx_realtime_local_frame_t *frame, ngx_str_t *name, ngx_str_t *body);

typedef struct {
    ngx_realtime_local_frame_pt handler;
    size_t                      name_min;
    size_t                      name_max;
    size_t                      body_min;
    size_t                      body_max;
} ngx_realtime_local_rule_t;


static ngx_int_t ngx_realtime_local_ring_grow(ngx_realtime_local_peer_t *peer);
static void      ngx_realtime_local_sent(ngx_realtime_local_peer_t *peer, size_t bytes);
static ngx_int_t ngx_realtime_local_check_frame(ngx_realtime_local_in_t *in,
    ngx_realtime_local_frame_t                                          *frame);
static ngx_int_t ngx_realtime_local_collect(ngx_realtime_local_in_t *in, u_char *data, size_t len,
    size_t *used);
static ngx_int_t ngx_realtime_local_dispatch(ngx_realtime_local_in_t *in, u_char *data);
static ngx_int_t ngx_realtime_local_on_hello(ngx_realtime_local_in_t *in,
    ngx_realtime_local_frame_t *frame, ngx_str_t *name, ngx_str_t *body);
static ngx_int_t ngx_realtime_local_on_subs(ngx_realtime_local_in_t *in,
    ngx_realtime_local_frame_t *frame, ngx_str_t *name, ngx_str_t *body);
static ngx_int_t ngx_realtime_local_on_listed(ngx_realtime_local_in_t *in,
    ngx_realtime_local_frame_t *frame, ngx_str_t *name, ngx_str_t *body);
static ngx_int_t ngx_realtime_local_on_sync(ngx_realtime_local_in_t *in,
    ngx_realtime_local_frame_t *frame, ngx_str_t *name, ngx_str_t *body);
static ngx_int_t ngx_realtime_local_on_sync_ack(ngx_realtime_local_in_t *in,
    ngx_realtime_local_frame_t *frame, ngx_str_t *name, ngx_str_t *body);
static ngx_int_t ngx_realtime_local_on_publish(ngx_realtime_local_in_t *in,
    ngx_realtime_local_frame_t *frame, ngx_str_t *name, ngx_str_t *body);
static ngx_int_t ngx_realtime_local_on_message(ngx_realtime_local_in_t *in,
    ngx_realtime_local_frame_t *frame, ngx_str_t *name, ngx_str_t *body);
static ngx_int_t ngx_realtime_local_on_request(ngx_realtime_local_in_t *in,
    ngx_realtime_local_frame_t *frame, ngx_str_t *name, ngx_str_t *body);
static ngx_int_t ngx_realtime_local_on_answer(ngx_realtime_local_in_t *in,
    ngx_realtime_local_frame_t *frame, ngx_str_t *name, ngx_str_t *body);
static ngx_int_t ngx_realtime_local_on_gap(ngx_realtime_local_in_t *in,
    ngx_realtime_local_frame_t *frame, ngx_str_t *name, ngx_str_t *body);
static ngx_int_t ngx_realtime_local_on_bye(ngx_realtime_local_in_t *in,
    ngx_realtime_local_frame_t *frame, ngx_str_t *name, ngx_str_t *body);


#define NGX_REALTIME_LOCAL_ANY NGX_REALTIME_LOCAL_FRAME_MAX

static const ngx_realtime_local_rule_t ngx_realtime_local_rules[NGX_REALTIME_LOCAL_TYPES] =
    {{NULL, 0, 0, 0, 0},
        {ngx_realtime_local_on_hello, 0, 0, sizeof(ngx_realtime_local_hello_t),
            sizeof(ngx_realtime_local_hello_t)},
        {ngx_realtime_local_on_subs, 0, 0, 1, NGX_REALTIME_LOCAL_LIST_MAX},
        {ngx_realtime_local_on_listed, 0, 0, 0, 0}, {ngx_realtime_local_on_sync, 0, 0, 0, 0},
        {ngx_realtime_local_on_sync_ack, 0, 0, 0, 0},
        {ngx_realtime_local_on_publish, 1, NGX_REALTIME_LOCAL_NAME_MAX, 0, NGX_REALTIME_LOCAL_ANY},
        {ngx_realtime_local_on_message, 0, 0, 0, NGX_REALTIME_LOCAL_ANY},
        {ngx_realtime_local_on_request, 1, NGX_REALTIME_LOCAL_NAME_MAX, 0, NGX_REALTIME_LOCAL_ANY},
        {ngx_realtime_local_on_answer, 0, 0, 0, NGX_REALTIME_LOCAL_ANSWER_MAX},
        {ngx_realtime_local_on_gap, 0, 0, 0, 0}, {ngx_realtime_local_on_bye, 0, 0, 0, 0}};


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


ngx_int_t
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


/* Before the first byte of what follows the header is kept. HELLO comes first and only once. */
static ngx_int_t
ngx_realtime_local_check_frame(ngx_realtime_local_in_t *in, ngx_realtime_local_frame_t *frame)
{
    size_t                           body;
    const ngx_realtime_local_rule_t *rule;

    if (frame->type == 0 || frame->type >= NGX_REALTIME_LOCAL_TYPES
        || (frame->type == NGX_REALTIME_LOCAL_HELLO) != (in->peer == NULL)
        || frame->name > frame->length)
    {
        goto malformed;
    }

    rule = &ngx_realtime_local_rules[frame->type];
    body = frame->length - frame->name;

    if (frame->name < rule->name_min || frame->name > rule->name_max || body < rule->body_min
        || body > rule->body_max)
    {
        goto malformed;
    }

    return NGX_OK;

malformed:

    ngx_log_error(NGX_LOG_ERR, in->local->bus.log, 0,
        "bus: malformed frame: type %ui, %uD bytes, name %ui", (ngx_uint_t) frame->type,
        frame->length, (ngx_uint_t) frame->name);

    return NGX_ERROR;
}


static ngx_int_t
ngx_realtime_local_dispatch(ngx_realtime_local_in_t *in, u_char *data)
{
    ngx_str_t                  name, body;
    ngx_realtime_local_frame_t frame;

    ngx_memcpy(&frame, data, NGX_REALTIME_LOCAL_HEADER);

    name.data = data + NGX_REALTIME_LOCAL_HEADER;
    name.len = frame.name;
    body.data = name.data + name.len;
    body.len = frame.length - frame.name;

    return ngx_realtime_local_rules[frame.type].handler(in, &frame, &name, &body);
}


static ngx_int_t
ngx_realtime_local_on_hello(ngx_realtime_local_in_t *in, ngx_realtime_local_frame_t *frame,
    ngx_str_t *name, ngx_str_t *body)
{
    ngx_realtime_local_t      *local;
    ngx_realtime_local_peer_t *peer;
    ngx_realtime_local_hello_t hello;

    local = in->local;
    ngx_memcpy(&hello, body->data, sizeof(hello));

    if (hello.magic != NGX_REALTIME_LOCAL_MAGIC || hello.version != NGX_REALTIME_LOCAL_VERSION
        || hello.id == 0 || hello.id == local->bus.self)
    {
        ngx_log_error(NGX_LOG_ERR, local->bus.log, 0,
            "bus: a worker of another version (%uL) in \"%V\"", hello.version, &local->dir);
        return NGX_ERROR;
    }

    peer = ngx_realtime_local_peer_find(local, hello.id);

    if (peer == NULL) {
        peer = ngx_realtime_local_peer_meet(local, hello.id, in);
        if (peer == NULL) {
            return NGX_ERROR;
        }
    }

    if (peer->in != NULL && peer->in != in) {
        /* It has dialled again before we have read the end of the old one. */
        ngx_realtime_local_in_close(peer->in);
    }

    peer->in = in;
    in->peer = peer;

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_local_on_subs(ngx_realtime_local_in_t *in, ngx_realtime_local_frame_t *frame,
    ngx_str_t *name, ngx_str_t *body)
{
    if (ngx_realtime_local_marks(in->peer, body) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, in->local->bus.log, 0,
            "bus: malformed subscriptions from worker %016xL", (int64_t) in->peer->id);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_local_on_listed(ngx_realtime_local_in_t *in, ngx_realtime_local_frame_t *frame,
    ngx_str_t *name, ngx_str_t *body)
{
    in->peer->listed = 1;

    if (in->peer->gap) {
        in->peer->gap = 0;
        return ngx_realtime_local_on_gap(in, frame, name, body);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_local_on_sync(ngx_realtime_local_in_t *in, ngx_realtime_local_frame_t *frame,
    ngx_str_t *name, ngx_str_t *body)
{
    in->peer->sync_seen = frame->id;

    if (in->peer->out != NULL) {
        (void) ngx_realtime_local_tell(in->peer, NGX_REALTIME_LOCAL_SYNC_ACK, frame->id, NULL);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_local_on_sync_ack(ngx_realtime_local_in_t *in, ngx_realtime_local_frame_t *frame,
    ngx_str_t *name, ngx_str_t *body)
{
    ngx_realtime_local_peer_t *peer;

    peer = in->peer;

    if (frame->id <= peer->sync_acked) {
        return NGX_OK; /* of a connection before this one */
    }

    if (frame->id > peer->sync_sent) {
        ngx_log_error(NGX_LOG_ERR, in->local->bus.log, 0,
            "bus: worker %016xL confirms what was not asked", (int64_t) peer->id);
        return NGX_ERROR;
    }

    peer->sync_acked = frame->id;
    peer->backoff = 0;

    if (peer->resync != 0 && peer->resync <= frame->id) {
        peer->resync = 0;
        in->local->gap = 1;
    }

    ngx_realtime_local_post(in->local);

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_local_on_publish(ngx_realtime_local_in_t *in, ngx_realtime_local_frame_t *frame,
    ngx_str_t *name, ngx_str_t *body)
{
    ngx_realtime_bus_handlers_t *handlers;

    if (ngx_realtime_local_subscribed(in->local, name)) {
        handlers = &in->local->bus.handlers;
        handlers->on_publish(handlers->data, name, body);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_local_on_message(ngx_realtime_local_in_t *in, ngx_realtime_local_frame_t *frame,
    ngx_str_t *name, ngx_str_t *body)
{
    ngx_realtime_bus_handlers_t *handlers;

    handlers = &in->local->bus.handlers;
    handlers->on_message(handlers->data, in->peer->id, body);

    return NGX_OK;
}


/* Answered in any case: the asker counts. */
static ngx_int_t
ngx_realtime_local_on_request(ngx_realtime_local_in_t *in, ngx_realtime_local_frame_t *frame,
    ngx_str_t *name, ngx_str_t *body)
{
    ngx_str_t                    answer;
    ngx_realtime_bus_handlers_t *handlers;

    handlers = &in->local->bus.handlers;
    answer.data = in->local->answer;
    answer.len = 0;

    if (ngx_realtime_local_subscribed(in->local, name)) {
        handlers->on_request(handlers->data, in->peer->id, name, body, &answer,
            NGX_REALTIME_LOCAL_ANSWER_MAX);
    }

    (void) ngx_realtime_local_tell(in->peer, NGX_REALTIME_LOCAL_ANSWER, frame->id, &answer);

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_local_on_answer(ngx_realtime_local_in_t *in, ngx_realtime_local_frame_t *frame,
    ngx_str_t *name, ngx_str_t *body)
{
    ngx_realtime_local_answered(in->peer, frame->id, body);

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_local_on_gap(ngx_realtime_local_in_t *in, ngx_realtime_local_frame_t *frame,
    ngx_str_t *name, ngx_str_t *body)
{
    in->local->gap = 1;
    ngx_realtime_local_post(in->local);

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_local_on_bye(ngx_realtime_local_in_t *in, ngx_realtime_local_frame_t *frame,
    ngx_str_t *name, ngx_str_t *body)
{
    in->bye = 1;

    return NGX_OK;
}
