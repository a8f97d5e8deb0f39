/* The events that chat clients send: one table, one function each. Rules of the product are in the
 * core; here is only who hears of it and what this worker remembers. */

#include "ngx_realtime_asks.h"
#include "ngx_realtime_hub.h"
#include "ngx_realtime_metrics.h"
#include "ngx_realtime_people.h"

#include <rt/rt_text.h>


#define NGX_REALTIME_ROOMS_MAX 1000 /* that one client may be in */
#define NGX_REALTIME_ROOM_ID   512  /* bytes of a room's id: 128 characters */

static void ngx_realtime_event_join(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask);
static void ngx_realtime_event_leave(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask);
static void ngx_realtime_event_send(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask);
static void ngx_realtime_event_typing(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask);
static void ngx_realtime_event_read(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask);
static void ngx_realtime_event_notified(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask);
static void ngx_realtime_event_feedback(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask);

static const ngx_realtime_event_t ngx_realtime_events[] = {
    {"chat:join-room", 0, ngx_realtime_event_join},
    {"chat:leave-room", 0, ngx_realtime_event_leave},
    {"chat:send-message", 1, ngx_realtime_event_send},
    {"chat:typing", 0, ngx_realtime_event_typing},
    {"chat:read-messages", 0, ngx_realtime_event_read},
    {"notification:read", 0, ngx_realtime_event_notified},
    {"chat:faq-feedback", 0, ngx_realtime_event_feedback},
};

static void      ngx_realtime_event_call(ngx_realtime_ask_t *ask, const char *op, json_t *request,
         ngx_realtime_task_done_pt done);
static void      ngx_realtime_event_called(rt_call_t *call, void *data);
static void      ngx_realtime_event_call_failed(ngx_realtime_ask_t *ask, rt_call_t *call);
static ngx_int_t ngx_realtime_event_room(json_t *data, u_char *buffer, ngx_str_t *channel);
static void      ngx_realtime_join_channel(ngx_realtime_ask_t *ask, ngx_str_t *channel);
static void      ngx_realtime_join_subscribed(ngx_realtime_member_t *m);
static void      ngx_realtime_join_made(rt_call_t *call, void *data);
static void      ngx_realtime_join_read(ngx_realtime_ask_t *ask);
static void      ngx_realtime_join_done(rt_call_t *call, void *data);


const ngx_realtime_event_t *
ngx_realtime_event_find(const u_char *name)
{
    ngx_uint_t i;

    for (i = 0; i < sizeof(ngx_realtime_events) / sizeof(ngx_realtime_event_t); i++) {
        if (ngx_strcmp(name, ngx_realtime_events[i].name) == 0) {
            return &ngx_realtime_events[i];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_realtime_event_number(const ngx_realtime_event_t *event)
{
    return event ? (ngx_uint_t) (event - ngx_realtime_events) : NGX_REALTIME_METRICS_EVENTS - 1;
}


const char *
ngx_realtime_event_name(ngx_uint_t number)
{
    if (number >= sizeof(ngx_realtime_events) / sizeof(ngx_realtime_event_t)) {
        return NULL;
    }

    return ngx_realtime_events[number].name;
}


/* request: stolen. */
static void
ngx_realtime_event_call(ngx_realtime_ask_t *ask, const char *op, json_t *request,
    ngx_realtime_task_done_pt done)
{
    rt_call_t              *call;
    ngx_realtime_session_t *s;

    s = ask->session;

    call = rt_call_create(rt_op_find(op), RT_DOOR_SOCKET, s->identity, request,
        (rt_str_t){(char *) s->socket_id, sizeof(s->socket_id)});

    if (call != NULL) {
        call->timezone = ngx_realtime_str(s->conf->timezone);
    }

    ask->task = call ? ngx_realtime_task_post(call, done, ask) : NULL;

    if (ask->task == NULL) {
        rt_call_destroy(call);

        if (ask->joining != NULL && !ask->joining->entered) {
            ngx_realtime_people_forget(ask->joining);
        }

        ngx_realtime_asks_failed(ask, RT_UNAVAILABLE, "The server is busy, try again later",
            rt_str_null);
    }
}


static void
ngx_realtime_event_called(rt_call_t *call, void *data)
{
    ngx_realtime_ask_t *ask = data;

    if (ask == NULL) {
        return;
    }

    ask->task = NULL;

    if (call->status == RT_OK) {
        ngx_realtime_asks_done(ask, call->reply);
    } else {
        ngx_realtime_event_call_failed(ask, call);
    }
}


static void
ngx_realtime_event_call_failed(ngx_realtime_ask_t *ask, rt_call_t *call)
{
    const char *text;

    /* what went wrong on our side is for the log only */
    text = call->status == RT_ERROR || call->status == RT_NO_MEMORY
        ? "The server could not do this now, try again later"
        : call->error.text;

    ngx_realtime_asks_failed(ask, call->status, text, call->reply);
}


static void
ngx_realtime_event_send(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask)
{
    ngx_realtime_event_call(ask, "message.send", json_incref(ask->data), ngx_realtime_event_called);
}


static void
ngx_realtime_event_read(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask)
{
    ngx_realtime_event_call(ask, "message.read", json_incref(ask->data), ngx_realtime_event_called);
}


static void
ngx_realtime_event_notified(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask)
{
    ngx_realtime_event_call(ask, "notification.read", json_incref(ask->data),
        ngx_realtime_event_called);
}


static void
ngx_realtime_event_feedback(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask)
{
    ngx_realtime_event_call(ask, "faq.feedback", json_incref(ask->data), ngx_realtime_event_called);
}


/* "room:<id>" of data.roomId; ids of hex digits in lower case, as the store writes them.
 * NGX_DECLINED: no usable id. */
static ngx_int_t
ngx_realtime_event_room(json_t *data, u_char *buffer, ngx_str_t *channel)
{
    u_char  *p;
    rt_str_t id;

    id = rt_json_get_str(data, "roomId");

    if (id.len == 0 || id.len > NGX_REALTIME_ROOM_ID) {
        return NGX_DECLINED;
    }

    p = ngx_cpymem(buffer, "room:", 5);

    if (rt_id_valid(id)) {
        ngx_strlow(p, (u_char *) id.data, id.len);
    } else {
        ngx_memcpy(p, id.data, id.len);
    }

    channel->data = buffer;
    channel->len = 5 + id.len;

    return NGX_OK;
}


/* Joining: subscribe first, then read the history, so that a message in between comes as an event
 * rather than never; the hub drops what the history has. A room to be made is made first. */
static void
ngx_realtime_event_join(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask)
{
    u_char    buffer[5 + NGX_REALTIME_ROOM_ID];
    ngx_str_t channel;

    if (ngx_realtime_event_room(ask->data, buffer, &channel) == NGX_OK) {
        ngx_realtime_join_channel(ask, &channel);
        return;
    }

    ngx_realtime_event_call(ask, "room.join", json_incref(ask->data), ngx_realtime_join_made);
}


static void
ngx_realtime_join_made(rt_call_t *call, void *data)
{
    ngx_realtime_ask_t *ask = data;

    u_char    buffer[5 + NGX_REALTIME_ROOM_ID];
    ngx_str_t channel;

    if (ask == NULL) {
        return;
    }

    ask->task = NULL;

    if (call->status != RT_OK) {
        ngx_realtime_event_call_failed(ask, call);
        return;
    }

    /* the rest of the join names the room by its id */
    if (rt_json_set_str(ask->data, "roomId", call->room_id) != 0
        || ngx_realtime_event_room(ask->data, buffer, &channel) != NGX_OK)
    {
        ngx_realtime_asks_failed(ask, RT_UNAVAILABLE, "The server is busy, try again later",
            rt_str_null);
        return;
    }

    ngx_realtime_join_channel(ask, &channel);
}


static void
ngx_realtime_join_channel(ngx_realtime_ask_t *ask, ngx_str_t *channel)
{
    ngx_uint_t              rooms;
    ngx_realtime_member_t  *m;
    ngx_realtime_session_t *s;

    s = ask->session;
    m = ngx_realtime_hub_find(s, channel);

    if (m == NULL) {
        for (rooms = 0, m = s->members; m != NULL; m = m->next) {
            rooms += m->channel->room;
        }

        if (rooms >= NGX_REALTIME_ROOMS_MAX) {
            ngx_realtime_asks_failed(ask, RT_INVALID, "Too many rooms joined, leave some first",
                rt_str_null);
            return;
        }

        m = ngx_realtime_hub_add(s, channel, ngx_realtime_join_subscribed);

        if (m == NULL) {
            ngx_realtime_asks_failed(ask, RT_UNAVAILABLE, "The server is busy, try again later",
                rt_str_null);
            return;
        }
    }

    ask->joining = m;

    if (m->channel->subscribed) {
        ngx_realtime_join_read(ask);
    }
}


static void
ngx_realtime_join_subscribed(ngx_realtime_member_t *m)
{
    /* nothing else is under way while a client joins */
    ngx_realtime_join_read(
        ngx_queue_data(ngx_queue_head(&m->session->doing), ngx_realtime_ask_t, link));
}


static void
ngx_realtime_join_read(ngx_realtime_ask_t *ask)
{
    json_t *request;

    request = json_pack("{s:O}", "roomId", json_object_get(ask->data, "roomId"));

    ngx_realtime_event_call(ask, "room.join", request, ngx_realtime_join_done);
}


static void
ngx_realtime_join_done(rt_call_t *call, void *data)
{
    ngx_realtime_ask_t *ask = data;

    ngx_uint_t              first;
    ngx_realtime_member_t  *m;
    ngx_realtime_session_t *s;

    if (ask == NULL) {
        return;
    }

    ask->task = NULL;
    s = ask->session;
    m = ask->joining;

    if (call->status != RT_OK) {
        if (!m->entered) {
            ngx_realtime_people_forget(m);
        }

        ngx_realtime_event_call_failed(ask, call);
        return;
    }

    first = !m->entered;

    /* the answer, then what is newer than its history */
    s->protocol->answer(s, ask, call->reply);
    ngx_realtime_hub_enter(m, call->last_seq);

    if (first) {
        ngx_realtime_people_joined(m);
    }

    ngx_realtime_asks_answered(ask);
}


static void
ngx_realtime_event_leave(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask)
{
    u_char                 buffer[5 + NGX_REALTIME_ROOM_ID];
    ngx_str_t              channel;
    ngx_realtime_member_t *m;

    if (ngx_realtime_event_room(ask->data, buffer, &channel) != NGX_OK) {
        ngx_realtime_asks_failed(ask, RT_INVALID, "roomId must be a room's id", rt_str_null);
        return;
    }

    m = ngx_realtime_hub_find(s, &channel);

    if (m != NULL) {
        ngx_realtime_people_leave(m);

    } else if (!rt_id_valid(rt_json_get_str(ask->data, "roomId"))) {
        ngx_realtime_asks_failed(ask, RT_INVALID, "roomId must be a room's id", rt_str_null);
        return;
    }

    ngx_realtime_asks_done(ask, NGX_REALTIME_SUCCESS);
}


static void
ngx_realtime_event_typing(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask)
{
    json_t                *typing;
    u_char                 buffer[5 + NGX_REALTIME_ROOM_ID];
    ngx_str_t              channel;
    ngx_realtime_member_t *m;

    typing = json_object_get(ask->data, "isTyping");

    if (ngx_realtime_event_room(ask->data, buffer, &channel) != NGX_OK) {
        ngx_realtime_asks_failed(ask, RT_INVALID, "roomId must be a room's id", rt_str_null);
        return;
    }

    if (!json_is_boolean(typing)) {
        ngx_realtime_asks_failed(ask, RT_INVALID, "isTyping must be true or false", rt_str_null);
        return;
    }

    m = ngx_realtime_hub_find(s, &channel);

    if (m == NULL || !m->entered) {
        ngx_realtime_asks_failed(ask, RT_FORBIDDEN, "Join the room first", rt_str_null);
        return;
    }

    ngx_realtime_people_typing(m, json_is_true(typing));
    ngx_realtime_asks_done(ask, NGX_REALTIME_SUCCESS);
}
