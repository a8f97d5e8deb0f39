/* realtime_echo: what comes goes back, so that proxies and conformance suites can be tried without
 * tokens, rooms or a store. */

#include "ngx_realtime_session.h"

#include <rt/rt_sio.h>


#define NGX_REALTIME_ECHO_NAMESPACES 2

typedef struct {
    rt_sio_decoder_t decoder;
    unsigned         connected[NGX_REALTIME_ECHO_NAMESPACES];
} ngx_realtime_echo_t;

static void      ngx_realtime_echo_engine_message(ngx_realtime_session_t *s, ngx_uint_t binary,
         u_char *data, size_t len);
static void      ngx_realtime_echo_websocket_message(ngx_realtime_session_t *s, ngx_uint_t binary,
         u_char *data, size_t len);
static void      ngx_realtime_echo_socket_message(ngx_realtime_session_t *s, ngx_uint_t binary,
         u_char *data, size_t len);
static void      ngx_realtime_echo_socket_clear(ngx_realtime_session_t *s);
static json_t   *ngx_realtime_echo_socket_export(ngx_realtime_session_t *s);
static ngx_int_t ngx_realtime_echo_socket_import(ngx_realtime_session_t *s, json_t *state);
static void      ngx_realtime_echo_packet(ngx_realtime_session_t *s, rt_sio_packet_t *packet);
static void      ngx_realtime_echo_connect(ngx_realtime_session_t *s, rt_sio_packet_t *packet,
         ngx_uint_t n);
static void      ngx_realtime_echo_event(ngx_realtime_session_t *s, rt_sio_packet_t *packet);
static void      ngx_realtime_echo_send(ngx_realtime_session_t *s, rt_buf_t *out);

static const char *ngx_realtime_echo_namespaces[NGX_REALTIME_ECHO_NAMESPACES] = {"/", "/custom"};


const ngx_realtime_protocol_t ngx_realtime_echo_engine = {"engine echo", 0,
    ngx_realtime_echo_engine_message, NULL, NULL, NULL, NULL, NULL, NULL};

const ngx_realtime_protocol_t ngx_realtime_echo_websocket = {"websocket echo", 0,
    ngx_realtime_echo_websocket_message, NULL, NULL, NULL, NULL, NULL, NULL};

const ngx_realtime_protocol_t ngx_realtime_echo_socket = {"socket echo", 1,
    ngx_realtime_echo_socket_message, NULL, NULL, NULL, ngx_realtime_echo_socket_clear,
    ngx_realtime_echo_socket_export, ngx_realtime_echo_socket_import};


static void
ngx_realtime_echo_engine_message(ngx_realtime_session_t *s, ngx_uint_t binary, u_char *data,
    size_t len)
{
    rt_buf_t out;

    if (binary) {
        ngx_realtime_session_send_binary(s, data, len);
        return;
    }

    ngx_memzero(&out, sizeof(rt_buf_t));
    rt_buf_append(&out, "4", 1);
    rt_buf_append(&out, data, len);
    ngx_realtime_echo_send(s, &out);
}


static void
ngx_realtime_echo_websocket_message(ngx_realtime_session_t *s, ngx_uint_t binary, u_char *data,
    size_t len)
{
    if (binary) {
        ngx_realtime_session_send_binary(s, data, len);
    } else {
        ngx_realtime_session_send_text(s, data, len);
    }
}


static void
ngx_realtime_echo_socket_message(ngx_realtime_session_t *s, ngx_uint_t binary, u_char *data,
    size_t len)
{
    rt_error_t           error;
    rt_status_t          status;
    rt_sio_packet_t      packet;
    ngx_realtime_echo_t *echo;

    if (s->state == NULL) {
        s->state = ngx_calloc(sizeof(ngx_realtime_echo_t), ngx_cycle->log);
        if (s->state == NULL) {
            ngx_realtime_session_close(s, RT_WS_CLOSE_INTERNAL, "no memory");
            return;
        }
    }

    echo = s->state;

    ngx_memzero(&packet, sizeof(rt_sio_packet_t));

    status = binary
        ? rt_sio_decode_binary(&echo->decoder, data, len, s->conf->max_payload, &packet, &error)
        : rt_sio_decode_text(&echo->decoder, (rt_str_t){(char *) data, len}, &packet, &error);

    if (status == RT_AGAIN) {
        return;
    }

    if (status == RT_OK || (status == RT_DECLINED && packet.data != NULL)) {
        ngx_realtime_echo_packet(s, &packet);
        rt_sio_packet_clear(&packet);
        return;
    }

    rt_sio_packet_clear(&packet);
    ngx_realtime_session_close(s, RT_WS_CLOSE_NORMAL, "socket.io protocol error");
}


/* May close s. */
static void
ngx_realtime_echo_packet(ngx_realtime_session_t *s, rt_sio_packet_t *packet)
{
    rt_buf_t             out;
    ngx_uint_t           n;
    ngx_realtime_echo_t *echo;

    echo = s->state;

    for (n = 0; n < NGX_REALTIME_ECHO_NAMESPACES; n++) {
        if (rt_str_eq(packet->nsp, rt_str_c(ngx_realtime_echo_namespaces[n]))) {
            break;
        }
    }

    if (packet->type == RT_SIO_CONNECT) {

        if (n == NGX_REALTIME_ECHO_NAMESPACES) {
            ngx_memzero(&out, sizeof(rt_buf_t));
            rt_sio_encode_connect_error(&out, packet->nsp, rt_str("Invalid namespace"));
            ngx_realtime_echo_send(s, &out);
            return;
        }

        ngx_realtime_echo_connect(s, packet, n);
        return;
    }

    if (n == NGX_REALTIME_ECHO_NAMESPACES || !echo->connected[n]) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_NORMAL, "packet before CONNECT");
        return;
    }

    if (packet->type == RT_SIO_DISCONNECT) {
        echo->connected[n] = 0;

    } else if (packet->type == RT_SIO_EVENT) {
        ngx_realtime_echo_event(s, packet);
    }
}


static void
ngx_realtime_echo_connect(ngx_realtime_session_t *s, rt_sio_packet_t *packet, ngx_uint_t n)
{
    u_char               socket_id[NGX_REALTIME_SOCKET_ID_LEN];
    rt_buf_t             out, auth;
    ngx_realtime_echo_t *echo;

    echo = s->state;

    if (echo->connected[n]) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_NORMAL, "second CONNECT");
        return;
    }

    echo->connected[n] = 1;
    s->enter_by = 0;

    /* each namespace has an id of its own */
    ngx_memcpy(socket_id, s->socket_id, sizeof(socket_id));
    socket_id[0] = (u_char) ('0' + n);

    ngx_memzero(&out, sizeof(rt_buf_t));
    rt_sio_encode_connect(&out, packet->nsp, (rt_str_t){(char *) socket_id, sizeof(socket_id)});
    ngx_realtime_echo_send(s, &out);

    ngx_memzero(&auth, sizeof(rt_buf_t));

    if (packet->data == NULL) {
        rt_buf_append_str(&auth, rt_str("{}"));

    } else if (rt_json_dump(packet->data, &auth) != RT_OK) {
        auth.failed = 1;
    }

    ngx_memzero(&out, sizeof(rt_buf_t));

    if (!auth.failed) {
        rt_sio_encode_event(&out, packet->nsp, rt_str("auth"), (rt_str_t){auth.data, auth.len}, 0);
        ngx_realtime_echo_send(s, &out);
    }

    rt_buf_free(&auth);
}


static void
ngx_realtime_echo_event(ngx_realtime_session_t *s, rt_sio_packet_t *packet)
{
    size_t      i;
    rt_buf_t    args, out;
    rt_str_t    text;
    const char *event;

    event = json_string_value(json_array_get(packet->data, 0));

    ngx_memzero(&args, sizeof(rt_buf_t));
    ngx_memzero(&out, sizeof(rt_buf_t));

    for (i = 1; i < json_array_size(packet->data); i++) {
        if (i > 1) {
            rt_buf_append(&args, ",", 1);
        }

        if (rt_json_dump(json_array_get(packet->data, i), &args) != RT_OK) {
            args.failed = 1;
        }
    }

    text = (rt_str_t){args.data, args.len};

    if (event == NULL || args.failed) {
        rt_buf_free(&args);
        return;
    }

    if (ngx_strcmp(event, "message") == 0) {
        rt_sio_encode_event(&out, packet->nsp, rt_str("message-back"), text,
            packet->attachment_count);

    } else if (ngx_strcmp(event, "message-with-ack") == 0 && packet->id != RT_SIO_ID_NONE) {
        rt_sio_encode_ack(&out, packet->nsp, packet->id, text, packet->attachment_count);

    } else {
        rt_buf_free(&args);
        return;
    }

    rt_buf_free(&args);
    ngx_realtime_echo_send(s, &out);

    for (i = 0; i < packet->attachment_count; i++) {
        ngx_realtime_session_send_binary(s, packet->attachments[i].data,
            packet->attachments[i].len);
    }
}


static void
ngx_realtime_echo_send(ngx_realtime_session_t *s, rt_buf_t *out)
{
    if (!out->failed) {
        ngx_realtime_session_send_text(s, out->data, out->len);
    }

    rt_buf_free(out);
}


static void
ngx_realtime_echo_socket_clear(ngx_realtime_session_t *s)
{
    ngx_realtime_echo_t *echo;

    echo = s->state;

    if (echo != NULL) {
        rt_sio_decoder_clear(&echo->decoder);
        ngx_free(echo);
        s->state = NULL;
    }
}


static json_t *
ngx_realtime_echo_socket_export(ngx_realtime_session_t *s)
{
    ngx_realtime_echo_t *echo;

    echo = s->state;

    return json_pack("[b,b]", echo != NULL && echo->connected[0],
        echo != NULL && echo->connected[1]);
}


static ngx_int_t
ngx_realtime_echo_socket_import(ngx_realtime_session_t *s, json_t *state)
{
    ngx_realtime_echo_t *echo;

    echo = ngx_calloc(sizeof(ngx_realtime_echo_t), ngx_cycle->log);
    if (echo == NULL) {
        return NGX_ERROR;
    }

    echo->connected[0] = json_is_true(json_array_get(state, 0));
    echo->connected[1] = json_is_true(json_array_get(state, 1));

    s->state = echo;

    return NGX_OK;
}
