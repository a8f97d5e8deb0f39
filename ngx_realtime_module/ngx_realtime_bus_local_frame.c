/* The local bus: what the frames that come in mean. What a peer sends is checked before anything of
 * it is believed. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_realtime_bus_local.h"


typedef ngx_int_t ngx_realtime_local_frame_pt(ngx_realtime_local_in_t *in,
    ngx_realtime_local_frame_t *frame, ngx_str_t *name, ngx_str_t *body);

typedef struct {
    ngx_realtime_local_frame_pt *handler;
    size_t                       name_min;
    size_t                       name_max;
    size_t                       body_min;
    size_t                       body_max;
} ngx_realtime_local_rule_t;


static ngx_realtime_local_frame_pt ngx_realtime_local_on_hello;
static ngx_realtime_local_frame_pt ngx_realtime_local_on_subs;
static ngx_realtime_local_frame_pt ngx_realtime_local_on_listed;
static ngx_realtime_local_frame_pt ngx_realtime_local_on_sync;
static ngx_realtime_local_frame_pt ngx_realtime_local_on_sync_ack;
static ngx_realtime_local_frame_pt ngx_realtime_local_on_publish;
static ngx_realtime_local_frame_pt ngx_realtime_local_on_message;
static ngx_realtime_local_frame_pt ngx_realtime_local_on_request;
static ngx_realtime_local_frame_pt ngx_realtime_local_on_answer;
static ngx_realtime_local_frame_pt ngx_realtime_local_on_gap;
static ngx_realtime_local_frame_pt ngx_realtime_local_on_bye;


#define NGX_REALTIME_LOCAL_ANY NGX_REALTIME_LOCAL_FRAME_MAX

/* By ngx_realtime_local_type_e. */
static const ngx_realtime_local_rule_t ngx_realtime_local_rules[NGX_REALTIME_LOCAL_TYPES] = {
    {NULL, 0, 0, 0, 0},
    {ngx_realtime_local_on_hello, 0, 0, NGX_REALTIME_LOCAL_GREETING, NGX_REALTIME_LOCAL_GREETING},
    {ngx_realtime_local_on_subs, 0, 0, 1, NGX_REALTIME_LOCAL_LIST_MAX},
    {ngx_realtime_local_on_listed, 0, 0, 0, 0},
    {ngx_realtime_local_on_sync, 0, 0, 0, 0},
    {ngx_realtime_local_on_sync_ack, 0, 0, 0, 0},
    {ngx_realtime_local_on_publish, 1, NGX_REALTIME_LOCAL_NAME_MAX, 0, NGX_REALTIME_LOCAL_ANY},
    {ngx_realtime_local_on_message, 0, 0, 0, NGX_REALTIME_LOCAL_ANY},
    {ngx_realtime_local_on_request, 1, NGX_REALTIME_LOCAL_NAME_MAX, 0, NGX_REALTIME_LOCAL_ANY},
    {ngx_realtime_local_on_answer, 0, 0, 0, NGX_REALTIME_LOCAL_ANSWER_MAX},
    {ngx_realtime_local_on_gap, 0, 0, 0, 0},
    {ngx_realtime_local_on_bye, 0, 0, 0, 0},
};


/* Before the first byte of what follows the header is kept. HELLO comes first and only once. */
ngx_int_t
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


ngx_int_t
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
