/* Engine.IO 4 handshakes and packets, and the entrance of plain WebSocket clients. */

#include "ngx_realtime_engine.h"
#include "ngx_realtime_asks.h"
#include "ngx_realtime_http.h"
#include "ngx_realtime_missed.h"
#include "ngx_realtime_polling.h"
#include "ngx_realtime_probe.h"
#include "ngx_realtime_relay.h"
#include "ngx_realtime_upgrade.h"
#include "ngx_realtime_worker.h"


#define NGX_REALTIME_AUTH_TIMEOUT 10000 /* for the first frame of a plain client */

static ngx_int_t ngx_realtime_engine_session(ngx_http_request_t *r, ngx_uint_t websocket);
static ngx_int_t ngx_realtime_engine_handshake(ngx_http_request_t *r, ngx_uint_t websocket);
static ngx_int_t ngx_realtime_engine_open_polling(ngx_http_request_t *r, ngx_realtime_session_t *s);
static ngx_int_t ngx_realtime_engine_open_websocket(ngx_http_request_t *r,
    ngx_realtime_session_t                                             *s);
static ngx_int_t ngx_realtime_engine_bare(ngx_http_request_t *r,
    const ngx_realtime_protocol_t                            *protocol);
static void      ngx_realtime_engine_upgraded(void *data, ngx_realtime_ws_t *ws);
static void      ngx_realtime_engine_bare_upgraded(void *data, ngx_realtime_ws_t *ws);
static ngx_int_t ngx_realtime_engine_open(ngx_realtime_session_t *s, ngx_uint_t websocket,
    rt_buf_t *out);
static ngx_int_t ngx_realtime_engine_error(ngx_http_request_t *r, ngx_uint_t code);
static ngx_int_t ngx_realtime_engine_refuse(ngx_http_request_t *r, ngx_int_t status,
    const char *text);
static ngx_int_t ngx_realtime_engine_unavailable(ngx_http_request_t *r);
static ngx_realtime_session_t *ngx_realtime_engine_create(ngx_http_request_t *r,
    const ngx_realtime_protocol_t *protocol, ngx_uint_t engine, ngx_int_t *rc);

static void ngx_realtime_engine_on_message(ngx_realtime_ws_t *ws, ngx_uint_t binary, u_char *data,
    size_t len);
static void ngx_realtime_engine_on_bare_message(ngx_realtime_ws_t *ws, ngx_uint_t binary,
    u_char *data, size_t len);
static void ngx_realtime_engine_on_pong(ngx_realtime_ws_t *ws);
static void ngx_realtime_engine_on_timer(ngx_realtime_ws_t *ws);
static void ngx_realtime_engine_on_closed(ngx_realtime_ws_t *ws, const char *reason);


static const ngx_realtime_ws_owner_t ngx_realtime_engine_owner = {ngx_realtime_engine_on_message,
    NULL, ngx_realtime_engine_on_timer, ngx_realtime_engine_on_closed};

static const ngx_realtime_ws_owner_t ngx_realtime_bare_owner = {ngx_realtime_engine_on_bare_message,
    ngx_realtime_engine_on_pong, ngx_realtime_engine_on_timer, ngx_realtime_engine_on_closed};


/* Order of judgement, as Engine.IO's own server has it: transport, sid, method; the protocol's
 * version only at the handshake. */
ngx_int_t
ngx_realtime_engine_handler(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_str_t                transport, version;
    ngx_uint_t               websocket;
    ngx_realtime_loc_conf_t *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_realtime_module);

    if (ngx_realtime_worker == NULL) {
        return ngx_realtime_engine_unavailable(r);
    }

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_realtime_http_preflight(r, "GET,POST");
    }

    if (!ngx_realtime_http_origin_allowed(r)) {
        return ngx_realtime_engine_error(r, 4);
    }

    if (lcf->echo == NGX_REALTIME_ECHO_WEBSOCKET) {
        return ngx_realtime_engine_bare(r, &ngx_realtime_echo_websocket);
    }

    rc = ngx_realtime_http_arg(r, "transport", &transport);

    if (rc == NGX_DECLINED && lcf->echo == NGX_REALTIME_ECHO_NONE && ngx_realtime_upgrade_asked(r)
        && ngx_realtime_http_arg(r, "EIO", &version) == NGX_DECLINED)
    {
        return ngx_realtime_engine_bare(r, &ngx_realtime_plain);
    }

    websocket =
        rc == NGX_OK && transport.len == 9 && ngx_strncmp(transport.data, "websocket", 9) == 0;

    if (!websocket
        && (rc != NGX_OK || transport.len != 7 || ngx_strncmp(transport.data, "polling", 7) != 0))
    {
        return ngx_realtime_engine_error(r, 0);
    }

    if (ngx_realtime_http_arg(r, "sid", &version) != NGX_DECLINED) {
        return ngx_realtime_engine_session(r, websocket);
    }

    return ngx_realtime_engine_handshake(r, websocket);
}


/* A request that names a session. */
static ngx_int_t
ngx_realtime_engine_session(ngx_http_request_t *r, ngx_uint_t websocket)
{
    ngx_str_t          text, version;
    ngx_realtime_sid_t sid;

    if (ngx_realtime_http_arg(r, "sid", &text) != NGX_OK
        || ngx_realtime_sid_parse(&sid, &text) != NGX_OK)
    {
        return ngx_realtime_engine_error(r, 1);
    }

    if (ngx_realtime_http_arg(r, "EIO", &version) != NGX_OK || version.len != 1
        || version.data[0] != '4')
    {
        return ngx_realtime_engine_error(r, 3);
    }

    if (websocket) {
        return ngx_realtime_probe_handler(r, &sid);
    }

    switch (r->method) {

    case NGX_HTTP_GET:
        return ngx_realtime_relay_get(r, &sid);

    case NGX_HTTP_POST:
        return ngx_realtime_relay_post(r, &sid);

    default:
        return ngx_realtime_engine_error(r, 2);
    }
}


static ngx_int_t
ngx_realtime_engine_handshake(ngx_http_request_t *r, ngx_uint_t websocket)
{
    ngx_int_t                      rc;
    ngx_str_t                      version;
    ngx_realtime_session_t        *s;
    ngx_realtime_loc_conf_t       *lcf;
    const ngx_realtime_protocol_t *protocol;

    if (r->method != NGX_HTTP_GET) {
        return ngx_realtime_engine_error(r, 2);
    }

    if (websocket && (!ngx_realtime_upgrade_asked(r) || ngx_realtime_upgrade_check(r) != NGX_OK)) {
        return ngx_realtime_engine_error(r, 3);
    }

    if (ngx_realtime_http_arg(r, "EIO", &version) != NGX_OK || version.len != 1
        || version.data[0] != '4')
    {
        return ngx_realtime_engine_error(r, 5);
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_realtime_module);

    protocol = ngx_realtime_engine_protocol(lcf);

    s = ngx_realtime_engine_create(r, protocol, 1, &rc);
    if (s == NULL) {
        return rc;
    }

    return websocket ? ngx_realtime_engine_open_websocket(r, s)
                     : ngx_realtime_engine_open_polling(r, s);
}


static ngx_int_t
ngx_realtime_engine_unavailable(ngx_http_request_t *r)
{
    return ngx_realtime_http_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
        rt_str("This worker takes no clients, try again"), NULL);
}


/* NULL: *rc is what the handler returns. */
static ngx_realtime_session_t *
ngx_realtime_engine_create(ngx_http_request_t *r, const ngx_realtime_protocol_t *protocol,
    ngx_uint_t engine, ngx_int_t *rc)
{
    ngx_str_t                token;
    ngx_uint_t               busy;
    ngx_realtime_session_t  *s;
    ngx_realtime_loc_conf_t *lcf;

    /* a worker that quits may have accepted its connection just before: it is let in, and told to
     * come again like the others, rather than refused */
    ngx_realtime_worker_stay();

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_realtime_module);

    s = ngx_realtime_session_create(lcf, protocol, engine, NULL, &busy);

    if (s == NULL) {
        *rc = busy ? ngx_realtime_http_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                  rt_str("Too many connections"), NULL)
                   : NGX_HTTP_INTERNAL_SERVER_ERROR;
        return NULL;
    }

    if (ngx_realtime_http_bearer(r, &token) == NGX_OK) {
        ngx_realtime_session_bearer(s, &token);
    }

    return s;
}


static ngx_int_t
ngx_realtime_engine_open_polling(ngx_http_request_t *r, ngx_realtime_session_t *s)
{
    rt_buf_t  out;
    ngx_int_t rc;
    ngx_str_t body;

    ngx_memzero(&out, sizeof(rt_buf_t));

    if (ngx_realtime_polling_attach(s, ngx_realtime_relay_tag(r)) != NGX_OK
        || ngx_realtime_engine_open(s, 0, &out) != NGX_OK)
    {
        rt_buf_free(&out);
        ngx_realtime_session_close(s, RT_WS_CLOSE_INTERNAL, "no memory");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_realtime_session_start(s);

    body.data = (u_char *) out.data;
    body.len = out.len;

    rc = ngx_realtime_http_send(r, NGX_HTTP_OK, "text/plain; charset=UTF-8", &body);

    rt_buf_free(&out);

    return rc;
}


static ngx_int_t
ngx_realtime_engine_open_websocket(ngx_http_request_t *r, ngx_realtime_session_t *s)
{
    if (ngx_realtime_upgrade(r, ngx_realtime_engine_upgraded, s) != NGX_OK) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_INTERNAL, "no memory");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;

    return NGX_DONE;
}


static void
ngx_realtime_engine_upgraded(void *data, ngx_realtime_ws_t *ws)
{
    ngx_realtime_session_t *s = data;

    rt_buf_t out;

    if (ws == NULL) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_NORMAL, "handshake broke off");
        return;
    }

    ngx_memzero(&out, sizeof(rt_buf_t));

    ngx_realtime_engine_adopt(s, ws);

    if (ngx_realtime_engine_open(s, 1, &out) == NGX_OK) {
        ngx_realtime_session_send_text(s, out.data, out.len);
        ngx_realtime_session_start(s);

    } else {
        ngx_realtime_session_close(s, RT_WS_CLOSE_INTERNAL, "no memory");
    }

    rt_buf_free(&out);
}


/* Plain WebSocket, and the WebSocket echo: no Engine.IO. */
static ngx_int_t
ngx_realtime_engine_bare(ngx_http_request_t *r, const ngx_realtime_protocol_t *protocol)
{
    ngx_int_t               rc;
    ngx_str_t               token, seen;
    ngx_realtime_session_t *s;

    rc = ngx_realtime_upgrade_asked(r) ? ngx_realtime_upgrade_check(r) : 426;

    if (rc != NGX_OK) {
        return ngx_realtime_engine_refuse(r, rc, "A WebSocket handshake is expected here");
    }

    s = ngx_realtime_engine_create(r, protocol, 0, &rc);
    if (s == NULL) {
        return rc;
    }

    if (s->bearer == NULL && ngx_realtime_http_arg(r, "token", &token) == NGX_OK && token.len) {
        ngx_realtime_session_bearer(s, &token);
    }

    if (protocol == &ngx_realtime_plain
        && ngx_realtime_http_arg(r, "lastNotificationSeq", &seen) == NGX_OK)
    {
        ngx_realtime_missed_seen_text(s, &seen);
    }

    if (ngx_realtime_upgrade(r, ngx_realtime_engine_bare_upgraded, s) != NGX_OK) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_INTERNAL, "no memory");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;

    return NGX_DONE;
}


static void
ngx_realtime_engine_bare_upgraded(void *data, ngx_realtime_ws_t *ws)
{
    ngx_realtime_session_t *s = data;

    if (ws == NULL) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_NORMAL, "handshake broke off");
        return;
    }

    ngx_realtime_engine_adopt(s, ws);
    ngx_realtime_session_start(s);

    if (s->protocol != &ngx_realtime_plain) {
        return;
    }

    if (s->bearer != NULL) {
        ngx_realtime_session_hold(s);
        ngx_realtime_asks_enter(s, rt_str_c(s->bearer));
        ngx_realtime_session_bearer(s, NULL);
        ngx_realtime_session_let(s);
        return;
    }

    s->enter_by = ngx_current_msec + ngx_min(s->conf->connect_timeout, NGX_REALTIME_AUTH_TIMEOUT);
    ngx_realtime_session_arm(s);
}


void
ngx_realtime_engine_adopt(ngx_realtime_session_t *s, ngx_realtime_ws_t *ws)
{
    ngx_realtime_ws_own(ws, s->engine ? &ngx_realtime_engine_owner : &ngx_realtime_bare_owner, s);
    ngx_realtime_session_attach(s, ws);
}


const ngx_realtime_protocol_t *
ngx_realtime_engine_protocol(ngx_realtime_loc_conf_t *conf)
{
    return conf->echo == NGX_REALTIME_ECHO_ENGINE ? &ngx_realtime_echo_engine
        : conf->echo == NGX_REALTIME_ECHO_SOCKET  ? &ngx_realtime_echo_socket
                                                  : &ngx_realtime_socketio;
}


static ngx_int_t
ngx_realtime_engine_open(ngx_realtime_session_t *s, ngx_uint_t websocket, rt_buf_t *out)
{
    u_char sid[NGX_REALTIME_SID_LEN];

    if (ngx_realtime_sid_format(sid, &s->sid) != NGX_OK) {
        return NGX_ERROR;
    }

    rt_eio_open(out, (rt_str_t){(char *) sid, sizeof(sid)}, !websocket, s->conf->ping_interval,
        s->conf->ping_timeout, s->conf->max_payload);

    return out->failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_realtime_engine_error(ngx_http_request_t *r, ngx_uint_t code)
{
    ngx_str_t body;

    body = ngx_realtime_ngx_str(rt_eio_error_body((int) code));

    return ngx_realtime_http_send(r, code == 4 ? NGX_HTTP_FORBIDDEN : NGX_HTTP_BAD_REQUEST,
        "application/json", &body);
}


static ngx_int_t
ngx_realtime_engine_refuse(ngx_http_request_t *r, ngx_int_t status, const char *text)
{
    ngx_str_t websocket = ngx_string("websocket");

    if (status == NGX_HTTP_INTERNAL_SERVER_ERROR
        || (status == 426 && ngx_realtime_http_header(r, "Upgrade", &websocket) != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_realtime_http_error(r, status, rt_str_c(text), NULL);
}


void
ngx_realtime_engine_packet(ngx_realtime_session_t *s, rt_eio_packet_t *packet)
{
    switch (packet->type) {

    case RT_EIO_MESSAGE:
        s->protocol->on_message(s, packet->binary, (u_char *) packet->data.data, packet->data.len);
        return;

    case RT_EIO_PONG:
        ngx_realtime_session_pong(s);
        return;

    case RT_EIO_CLOSE:
        if (s->polling != NULL) {
            ngx_realtime_polling_noop(s);
        }

        ngx_realtime_session_close(s, RT_WS_CLOSE_NORMAL, "client closed");
        return;

    case RT_EIO_PING:
        ngx_realtime_session_close(s, RT_WS_CLOSE_PROTOCOL, "heartbeat in the wrong direction");
        return;

    case RT_EIO_OPEN:
    case RT_EIO_UPGRADE:
    case RT_EIO_NOOP:
        return; /* of no meaning here, and harmless */
    }
}


static void
ngx_realtime_engine_on_message(ngx_realtime_ws_t *ws, ngx_uint_t binary, u_char *data, size_t len)
{
    rt_eio_packet_t         packet;
    ngx_realtime_session_t *s;

    s = ws->data;

    if (ngx_realtime_session_late(s)) {
        return;
    }

    if (binary) {
        s->protocol->on_message(s, 1, data, len);
        return;
    }

    if (rt_eio_packet_parse((rt_str_t){(char *) data, len}, &packet) != RT_OK) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_NORMAL, "engine.io protocol error");
        return;
    }

    ngx_realtime_engine_packet(s, &packet);
}


static void
ngx_realtime_engine_on_bare_message(ngx_realtime_ws_t *ws, ngx_uint_t binary, u_char *data,
    size_t len)
{
    ngx_realtime_session_t *s;

    s = ws->data;

    if (!ngx_realtime_session_late(s)) {
        s->protocol->on_message(s, binary, data, len);
    }
}


static void
ngx_realtime_engine_on_pong(ngx_realtime_ws_t *ws)
{
    if (!ngx_realtime_session_late(ws->data)) {
        ngx_realtime_session_pong(ws->data);
    }
}


static void
ngx_realtime_engine_on_timer(ngx_realtime_ws_t *ws)
{
    ngx_realtime_session_timer(ws->data);
}


static void
ngx_realtime_engine_on_closed(ngx_realtime_ws_t *ws, const char *reason)
{
    ngx_realtime_session_t *s;

    s = ws->data;
    s->ws = NULL;

    ngx_realtime_session_close(s, RT_WS_CLOSE_NO_STATUS, reason);
}
