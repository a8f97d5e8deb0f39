/* Socket.IO protocol 5 for chat clients: one namespace, packets to events and back. */

#include "ngx_realtime_adapter.h"
#include "ngx_realtime_asks.h"
#include "ngx_realtime_missed.h"
#include "ngx_realtime_session.h"

#include <rt/rt_sio.h>


typedef struct {
    rt_sio_decoder_t decoder;
    unsigned         connected:1; /* CONNECT was answered */
    unsigned         refused:1;   /* and taken back: what was on its way is ignored */
} ngx_realtime_socketio_t;

static void      ngx_realtime_socketio_on_message(ngx_realtime_session_t *s, ngx_uint_t binary,
         u_char *data, size_t len);
static void      ngx_realtime_socketio_packet(ngx_realtime_session_t *s, rt_sio_packet_t *packet,
         size_t bytes, ngx_uint_t refused);
static void      ngx_realtime_socketio_connect(ngx_realtime_session_t *s, rt_sio_packet_t *packet);
static void      ngx_realtime_socketio_event(ngx_realtime_session_t *s, rt_sio_packet_t *packet,
         size_t bytes, ngx_uint_t refused);
static void      ngx_realtime_socketio_encode_event(rt_buf_t *out, rt_str_t nsp, rt_str_t event,
         rt_str_t data);
static void      ngx_realtime_socketio_answer(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask,
         rt_str_t reply);
static void      ngx_realtime_socketio_refuse(ngx_realtime_session_t *s);
static void      ngx_realtime_socketio_clear(ngx_realtime_session_t *s);
static json_t   *ngx_realtime_socketio_export(ngx_realtime_session_t *s);
static ngx_int_t ngx_realtime_socketio_import(ngx_realtime_session_t *s, json_t *state);
static void      ngx_realtime_socketio_send(ngx_realtime_session_t *s, rt_buf_t *out);


const ngx_realtime_protocol_t ngx_realtime_socketio = {"socket.io", 1,
    ngx_realtime_socketio_on_message, ngx_realtime_socketio_encode_event,
    ngx_realtime_socketio_answer, ngx_realtime_socketio_refuse, ngx_realtime_socketio_clear,
    ngx_realtime_socketio_export, ngx_realtime_socketio_import};


static void
ngx_realtime_socketio_on_message(ngx_realtime_session_t *s, ngx_uint_t binary, u_char *data,
    size_t len)
{
    rt_error_t               error;
    rt_status_t              status;
    rt_sio_packet_t          packet;
    ngx_realtime_socketio_t *sio;

    sio = s->state;

    if (sio == NULL) {
        sio = ngx_calloc(sizeof(ngx_realtime_socketio_t), ngx_cycle->log);
        if (sio == NULL) {
            ngx_realtime_session_close(s, RT_WS_CLOSE_INTERNAL, "no memory");
            return;
        }

        s->state = sio;
    }

    ngx_memzero(&packet, sizeof(rt_sio_packet_t));

    if (binary) {
        status =
            rt_sio_decode_binary(&sio->decoder, data, len, s->conf->max_payload, &packet, &error);
    } else {
        status = rt_sio_decode_text(&sio->decoder, (rt_str_t){(char *) data, len}, &packet, &error);
    }

    if (status == RT_AGAIN) {
        return;
    }

    if (status == RT_OK || status == RT_DECLINED) {
        ngx_realtime_socketio_packet(s, &packet, len, status == RT_DECLINED);
        rt_sio_packet_clear(&packet);
        return;
    }

    ngx_realtime_session_close(s, RT_WS_CLOSE_NORMAL,
        status == RT_INVALID ? "socket.io protocol error" : "no memory");
}


/* May close s. */
static void
ngx_realtime_socketio_packet(ngx_realtime_session_t *s, rt_sio_packet_t *packet, size_t bytes,
    ngx_uint_t refused)
{
    rt_buf_t                 out;
    ngx_realtime_socketio_t *sio;

    sio = s->state;

    if (!rt_str_eq(packet->nsp, ngx_realtime_str(s->conf->namespace))) {

        if (packet->type == RT_SIO_CONNECT) {
            ngx_memzero(&out, sizeof(rt_buf_t));
            rt_sio_encode_connect_error(&out, packet->nsp, rt_str("Invalid namespace"));
            ngx_realtime_socketio_send(s, &out);
            return;
        }

        ngx_realtime_session_close(s, RT_WS_CLOSE_NORMAL, "packet for no namespace of ours");
        return;
    }

    switch (packet->type) {

    case RT_SIO_CONNECT:
        ngx_realtime_socketio_connect(s, packet);
        return;

    case RT_SIO_DISCONNECT:
        if (sio->connected) {
            sio->connected = 0;
            ngx_realtime_asks_leave(s);
            ngx_realtime_session_arm(s);
        }
        return;

    case RT_SIO_EVENT:
        if (sio->connected) {
            ngx_realtime_socketio_event(s, packet, bytes, refused);
            return;
        }
        break;

    case RT_SIO_ACK: /* to what a Node server has asked; an unknown id is harmless */
        if (sio->connected) {
            ngx_realtime_adapter_acknowledged(s, packet);
            return;
        }
        break;

    default:
        break;
    }

    if (!sio->refused) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_NORMAL, "packet before CONNECT");
    }
}


static void
ngx_realtime_socketio_connect(ngx_realtime_session_t *s, rt_sio_packet_t *packet)
{
    json_t                  *auth;
    rt_buf_t                 out;
    rt_str_t                 token;
    ngx_realtime_socketio_t *sio;

    sio = s->state;

    if (sio->connected) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_NORMAL, "second CONNECT");
        return;
    }

    sio->connected = 1;
    sio->refused = 0;

    ngx_memzero(&out, sizeof(rt_buf_t));
    rt_sio_encode_connect(&out, packet->nsp,
        (rt_str_t){(char *) s->socket_id, sizeof(s->socket_id)});
    ngx_realtime_socketio_send(s, &out);

    auth = json_object_get(packet->data, "token");

    if (auth != NULL && !json_is_null(auth) && !json_is_string(auth)) {
        ngx_realtime_asks_refuse(s, "Invalid token");
        return;
    }

    /* the auth object's token, else the handshake's Authorization header */
    token = rt_json_get_str(packet->data, "token");

    /* clients that put the whole header's value there are common */
    if (token.len > 7 && ngx_strncasecmp((u_char *) token.data, (u_char *) "Bearer ", 7) == 0) {
        token.data += 7;
        token.len -= 7;
    }

    if (token.len == 0 && s->bearer != NULL) {
        token = rt_str_c(s->bearer);
    }

    ngx_realtime_missed_seen(s, json_object_get(packet->data, "lastNotificationSeq"));
    ngx_realtime_asks_enter(s, token);
}


static void
ngx_realtime_socketio_event(ngx_realtime_session_t *s, rt_sio_packet_t *packet, size_t bytes,
    ngx_uint_t refused)
{
    json_t             *name, *data;
    rt_str_t            event;
    ngx_realtime_ask_t *ask;

    name = json_array_get(packet->data, 0);
    event = json_is_string(name) ? (rt_str_t){json_string_value(name), json_string_length(name)}
                                 : rt_str_null;

    data = json_array_get(packet->data, 1);

    ask = ngx_realtime_ask_create(event, json_incref(data));
    if (ask == NULL) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_INTERNAL, "no memory");
        return;
    }

    /* Socket.IO's own server says nothing to an event that nobody handles */
    if (!refused && packet->id == RT_SIO_ID_NONE && ngx_realtime_event_find(ask->event) == NULL) {
        ngx_realtime_ask_free(ask);
        return;
    }

    ask->ack = packet->id;
    ask->bytes = bytes;
    ask->refused = refused ? 1 : 0;
    ask->binary = packet->attachment_count != 0;

    ngx_realtime_asks_push(s, ask);
}


static void
ngx_realtime_socketio_encode_event(rt_buf_t *out, rt_str_t nsp, rt_str_t event, rt_str_t data)
{
    rt_sio_encode_event(out, nsp, event, data, 0);
}


static void
ngx_realtime_socketio_answer(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask, rt_str_t reply)
{
    rt_buf_t out;

    if (ask->ack == RT_SIO_ID_NONE) {
        return;
    }

    ngx_memzero(&out, sizeof(rt_buf_t));
    rt_sio_encode_ack(&out, ngx_realtime_str(s->conf->namespace), ask->ack, reply, 0);
    ngx_realtime_socketio_send(s, &out);
}


/* The Engine.IO connection stays for another try, until the connect timeout. */
static void
ngx_realtime_socketio_refuse(ngx_realtime_session_t *s)
{
    rt_buf_t                 out;
    ngx_realtime_socketio_t *sio;

    sio = s->state;
    sio->connected = 0;
    sio->refused = 1;

    ngx_memzero(&out, sizeof(rt_buf_t));
    rt_sio_encode_disconnect(&out, ngx_realtime_str(s->conf->namespace));
    ngx_realtime_socketio_send(s, &out);

    ngx_realtime_session_arm(s);
}


static void
ngx_realtime_socketio_send(ngx_realtime_session_t *s, rt_buf_t *out)
{
    if (!out->failed) {
        ngx_realtime_session_send_text(s, out->data, out->len);
    }

    rt_buf_free(out);
}


static void
ngx_realtime_socketio_clear(ngx_realtime_session_t *s)
{
    ngx_realtime_socketio_t *sio;

    sio = s->state;

    if (sio != NULL) {
        rt_sio_decoder_clear(&sio->decoder);
        ngx_free(sio);
        s->state = NULL;
    }
}


static json_t *
ngx_realtime_socketio_export(ngx_realtime_session_t *s)
{
    ngx_realtime_socketio_t *sio;

    sio = s->state;

    return json_pack("{s:b,s:b}", "connected", sio != NULL && sio->connected, "refused",
        sio != NULL && sio->refused);
}


static ngx_int_t
ngx_realtime_socketio_import(ngx_realtime_session_t *s, json_t *state)
{
    ngx_realtime_socketio_t *sio;

    sio = ngx_calloc(sizeof(ngx_realtime_socketio_t), ngx_cycle->log);
    if (sio == NULL) {
        return NGX_ERROR;
    }

    sio->connected = json_is_true(json_object_get(state, "connected"));
    sio->refused = json_is_true(json_object_get(state, "refused"));

    s->state = sio;

    return NGX_OK;
}
