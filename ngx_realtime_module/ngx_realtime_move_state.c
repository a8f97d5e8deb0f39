/* A session as JSON, and back. */

#include "ngx_realtime_move_state.h"
#include "ngx_realtime_adapter.h"
#include "ngx_realtime_asks.h"
#include "ngx_realtime_engine.h"
#include "ngx_realtime_hub.h"
#include "ngx_realtime_limits.h"
#include "ngx_realtime_metrics.h"
#include "ngx_realtime_people.h"
#include "ngx_realtime_presence.h"

#include <rt/rt_text.h>


static json_t        *ngx_realtime_move_str(rt_str_t s);
static json_t        *ngx_realtime_move_export_identity(rt_identity_t *identity);
static rt_identity_t *ngx_realtime_move_import_identity(json_t *state);
static void           ngx_realtime_move_member_subscribed(ngx_realtime_member_t *m);
static json_t        *ngx_realtime_move_export_queue(ngx_realtime_session_t *s);
static void           ngx_realtime_move_import_queue(ngx_realtime_session_t *s, json_t *queue);
static json_t        *ngx_realtime_move_export_asks(ngx_realtime_session_t *s);
static void           ngx_realtime_move_import_asks(ngx_realtime_session_t *s, json_t *asks);

static void (*ngx_realtime_move_ready)(ngx_realtime_session_t *s);


static json_t *
ngx_realtime_move_str(rt_str_t s)
{
    return json_stringn(s.len ? s.data : "", s.len);
}


json_t *
ngx_realtime_move_export(ngx_realtime_session_t *s)
{
    json_t                *channels, *protocol;
    ngx_realtime_member_t *m;

    channels = json_array();

    for (m = s->members; m != NULL; m = m->next) {
        /* front to back as they were joined */
        if (json_array_insert_new(channels, 0,
                ngx_realtime_move_str(ngx_realtime_str(m->channel->node.str)))
            != 0)
        {
            json_decref(channels);
            return NULL;
        }
    }

    protocol = s->protocol->export_state ? s->protocol->export_state(s) : json_null();

    return json_pack("{s:o,s:o,s:s,s:s%,s:o,s:o,s:i,s:s?,s:s%}", "labels",
        ngx_realtime_adapter_export(s), "channels", channels, "speaks", s->protocol->name,
        "namespace", (char *) s->conf->namespace.data, s->conf->namespace.len, "protocol", protocol,
        "identity", ngx_realtime_move_export_identity(s->identity), "standing", (int) s->standing,
        "bearer", s->bearer, "socketId", (char *) s->socket_id,
        (size_t) NGX_REALTIME_SOCKET_ID_LEN);
}


static json_t *
ngx_realtime_move_export_identity(rt_identity_t *identity)
{
    if (identity == NULL) {
        return json_null();
    }

    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:I}", "user", ngx_realtime_move_str(identity->user_id),
        "business", ngx_realtime_move_str(identity->business_id), "role",
        ngx_realtime_move_str(identity->role_name), "name", ngx_realtime_move_str(identity->name),
        "email", ngx_realtime_move_str(identity->email), "expires",
        (json_int_t) identity->expires_at_ms);
}


static rt_identity_t *
ngx_realtime_move_import_identity(json_t *state)
{
    return rt_identity_create(rt_json_get_str(state, "user"), rt_json_get_str(state, "business"),
        rt_json_get_str(state, "role"), rt_json_get_str(state, "name"),
        rt_json_get_str(state, "email"), json_integer_value(json_object_get(state, "expires")));
}


ngx_int_t
ngx_realtime_move_import(ngx_realtime_session_t *s, json_t *state,
    void (*subscribed)(ngx_realtime_session_t *s))
{
    size_t                 i;
    json_t                *identity, *channel;
    rt_str_t               text;
    ngx_str_t              name;
    ngx_realtime_member_t *m;

    ngx_realtime_move_ready = subscribed;

    /* the WebSocket was opened at another kind of location than the session */
    if (!rt_str_eq(rt_json_get_str(state, "speaks"), rt_str_c(s->protocol->name))
        || !rt_str_eq(rt_json_get_str(state, "namespace"), ngx_realtime_str(s->conf->namespace)))
    {
        return NGX_ERROR;
    }

    text = rt_json_get_str(state, "socketId");
    if (text.len != NGX_REALTIME_SOCKET_ID_LEN) {
        return NGX_ERROR;
    }

    ngx_memcpy(s->socket_id, text.data, NGX_REALTIME_SOCKET_ID_LEN);

    text = rt_json_get_str(state, "bearer");
    if (text.len) {
        name = ngx_realtime_ngx_str(text);
        ngx_realtime_session_bearer(s, &name);
    }

    if (s->protocol->import_state != NULL
        && s->protocol->import_state(s, json_object_get(state, "protocol")) != NGX_OK)
    {
        return NGX_ERROR;
    }

    identity = json_object_get(state, "identity");

    if (json_is_object(identity)) {
        s->identity = ngx_realtime_move_import_identity(identity);
        if (s->identity == NULL) {
            return NGX_ERROR;
        }

        s->user_hash =
            ngx_murmur_hash2((u_char *) s->identity->user_id.data, s->identity->user_id.len);
        s->standing = json_integer_value(json_object_get(state, "standing")) & 3;

        /* until the old worker lets go the client counts twice */
        if (s->conf->max_connections_per_user
            && ngx_realtime_limits_user_add(s->identity->business_id, s->identity->user_id,
                   s->conf->max_connections_per_user + 1)
                == NGX_OK)
        {
            s->user_counted = 1;
        }
    }

    s->frozen = 1;

    json_array_foreach(json_object_get(state, "channels"), i, channel)
    {
        name.data = (u_char *) json_string_value(channel);
        name.len = json_string_length(channel);

        m = ngx_realtime_hub_add(s, &name, ngx_realtime_move_member_subscribed);
        if (m == NULL) {
            return NGX_ERROR;
        }

        if (!m->channel->subscribed) {
            s->waiting++;
        }
    }

    ngx_realtime_adapter_import(s, json_object_get(state, "labels"));

    return NGX_OK;
}


static void
ngx_realtime_move_member_subscribed(ngx_realtime_member_t *m)
{
    if (--m->session->waiting == 0) {
        ngx_realtime_move_ready(m->session);
    }
}


/* What the member has: see ngx_realtime_hub_enter. */
static int64_t
ngx_realtime_move_seq(ngx_realtime_member_t *m)
{
    if (m->channel->order.next == 0) {
        return -1;
    }

    return m->behind ? m->cursor : ngx_max(m->cursor, m->channel->order.next - 1);
}


json_t *
ngx_realtime_move_export_rest(ngx_realtime_session_t *s)
{
    json_t                *rooms;
    ngx_realtime_member_t *m;

    rooms = json_object();

    for (m = s->members; m != NULL; m = m->next) {
        if (json_object_setn_new(rooms, (char *) m->channel->name, m->channel->node.str.len,
                json_pack("[I,I,b]", (json_int_t) ngx_realtime_move_seq(m), (json_int_t) m->since,
                    (int) (m->typing_at != 0)))
            != 0)
        {
            json_decref(rooms);
            return NULL;
        }
    }

    return json_pack("{s:o,s:o,s:o,s:o}", "rooms", rooms, "queue",
        ngx_realtime_move_export_queue(s), "asks", ngx_realtime_move_export_asks(s), "adapter",
        ngx_realtime_adapter_export_rest(s));
}


void
ngx_realtime_move_finish_import(ngx_realtime_session_t *s, ngx_realtime_ws_t *ws, json_t *state)
{
    json_t                *rooms, *room;
    ngx_realtime_member_t *m;

    ngx_realtime_session_hold(s);

    ngx_realtime_move_import_queue(s, json_object_get(state, "queue"));
    ngx_realtime_engine_adopt(s, ws);

    ngx_realtime_adapter_import_rest(s, json_object_get(state, "adapter"));

    rooms = json_object_get(state, "rooms");

    for (m = s->members; m != NULL; m = m->next) {
        room = json_object_getn(rooms, (char *) m->channel->name, m->channel->node.str.len);

        if (json_is_array(room)) {
            m->since = json_integer_value(json_array_get(room, 1));
            ngx_realtime_hub_enter(m, json_integer_value(json_array_get(room, 0)));

            /* told once more: the end of it is from here on this worker's to tell */
            if (json_is_true(json_array_get(room, 2))) {
                ngx_realtime_people_typing(m, 1);
            }
        }
    }

    s->frozen = 0;
    ngx_realtime_metrics->counts.moves++;

    if (s->standing == NGX_REALTIME_CONNECTED) {
        ngx_realtime_presence_up(s);
    }

    ngx_realtime_session_start(s);
    ngx_realtime_ws_resume(ws);
    ngx_realtime_move_import_asks(s, json_object_get(state, "asks"));
    ngx_realtime_adapter_imported(s);

    ngx_realtime_session_let(s);
}


static json_t *
ngx_realtime_move_export_queue(ngx_realtime_session_t *s)
{
    char                *base64;
    size_t               len;
    json_t              *queue, *packet;
    ngx_realtime_buf_t  *buf;
    ngx_realtime_link_t *link;

    queue = json_array();

    for (link = s->queue.head; link != NULL; link = link->next) {
        buf = link->buf;

        if (!buf->binary) {
            packet = json_stringn_nocheck((char *) buf->payload, buf->payload_len);

        } else {
            base64 = ngx_alloc(4 * (((size_t) buf->payload_len + 2) / 3), ngx_cycle->log);
            packet = NULL;

            if (base64 != NULL) {
                len = rt_base64(base64, buf->payload, buf->payload_len);
                packet = json_pack("[s%]", base64, len);
                ngx_free(base64);
            }
        }

        if (json_array_append_new(queue, packet) != 0) {
            json_decref(queue);
            return NULL;
        }
    }

    return queue;
}


static void
ngx_realtime_move_import_queue(ngx_realtime_session_t *s, json_t *queue)
{
    size_t   i, len;
    char    *bytes;
    json_t  *packet;
    rt_str_t text;

    json_array_foreach(queue, i, packet)
    {

        if (json_is_string(packet)) {
            ngx_realtime_session_send_text(s, json_string_value(packet),
                json_string_length(packet));
            continue;
        }

        packet = json_array_get(packet, 0);
        text = (rt_str_t){json_string_value(packet), json_string_length(packet)};

        bytes = ngx_alloc(text.len + 1, ngx_cycle->log);

        if (bytes != NULL && rt_base64_decode(bytes, &len, text) == RT_OK) {
            ngx_realtime_session_send_binary(s, bytes, len);
        }

        ngx_free(bytes);
    }
}


static json_t *
ngx_realtime_move_export_asks(ngx_realtime_session_t *s)
{
    json_t             *asks;
    ngx_queue_t        *q;
    ngx_realtime_ask_t *ask;

    asks = json_array();

    for (q = ngx_queue_head(&s->asks); q != ngx_queue_sentinel(&s->asks); q = ngx_queue_next(q)) {
        ask = ngx_queue_data(q, ngx_realtime_ask_t, link);

        if (json_array_append_new(asks,
                json_pack("[s,O?,I]", (char *) ask->event, ask->data, (json_int_t) ask->ack))
            != 0)
        {
            json_decref(asks);
            return NULL;
        }
    }

    return asks;
}


static void
ngx_realtime_move_import_asks(ngx_realtime_session_t *s, json_t *asks)
{
    size_t              i;
    json_t             *item;
    ngx_realtime_ask_t *ask;

    json_array_foreach(asks, i, item)
    {
        ask = ngx_realtime_ask_create(rt_str_c(json_string_value(json_array_get(item, 0))),
            json_incref(json_array_get(item, 1)));
        if (ask == NULL) {
            break;
        }

        ask->ack = json_integer_value(json_array_get(item, 2));

        ngx_queue_insert_tail(&s->asks, &ask->link);
        s->ask_count++;
    }

    if (!s->closed) {
        ngx_realtime_asks_run(s);
    }
}
