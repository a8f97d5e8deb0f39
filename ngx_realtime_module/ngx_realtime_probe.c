/* A WebSocket on trial for a polling session, of this worker or another one. */

#include "ngx_realtime_probe.h"
#include "ngx_realtime_engine.h"
#include "ngx_realtime_http.h"
#include "ngx_realtime_move.h"
#include "ngx_realtime_polling.h"
#include "ngx_realtime_upgrade.h"

#include <rt/rt_eio.h>


static ngx_int_t ngx_realtime_probe_local(ngx_http_request_t *r, ngx_realtime_probe_t *probe);
static void      ngx_realtime_probe_begin(ngx_realtime_probe_t *probe, ngx_uint_t code);
static void      ngx_realtime_probe_request_gone(void *data);
static void      ngx_realtime_probe_upgraded(void *data, ngx_realtime_ws_t *ws);
static void ngx_realtime_probe_on_message(ngx_realtime_ws_t *ws, ngx_uint_t binary, u_char *data,
    size_t len);
static void ngx_realtime_probe_on_timer(ngx_realtime_ws_t *ws);
static void ngx_realtime_probe_on_closed(ngx_realtime_ws_t *ws, const char *reason);
static void ngx_realtime_probe_complete(ngx_realtime_probe_t *probe);
static void ngx_realtime_probe_forgotten(ngx_realtime_probe_t *probe);


static const ngx_realtime_ws_owner_t ngx_realtime_probe_owner = {ngx_realtime_probe_on_message,
    NULL, ngx_realtime_probe_on_timer, ngx_realtime_probe_on_closed};


ngx_int_t
ngx_realtime_probe_handler(ngx_http_request_t *r, ngx_realtime_sid_t *sid)
{
    ngx_str_t             body;
    ngx_http_cleanup_t   *cleanup;
    ngx_realtime_probe_t *probe;

    if (!ngx_realtime_upgrade_asked(r) || ngx_realtime_upgrade_check(r) != NGX_OK) {
        body = ngx_realtime_ngx_str(rt_eio_error_body(3));
        return ngx_realtime_http_send(r, NGX_HTTP_BAD_REQUEST, "application/json", &body);
    }

    probe = ngx_calloc(sizeof(ngx_realtime_probe_t), ngx_cycle->log);
    if (probe == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    probe->sid = *sid;
    probe->conf = ngx_http_get_module_loc_conf(r, ngx_http_realtime_module);
    probe->foreign = sid->owner != ngx_realtime_worker->id;

    cleanup = ngx_http_cleanup_add(r, 0);
    if (cleanup == NULL) {
        ngx_free(probe);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    probe->request = r;
    r->main->count++;

    if (!probe->foreign) {
        return ngx_realtime_probe_local(r, probe);
    }

    cleanup->handler = ngx_realtime_probe_request_gone;
    cleanup->data = r;
    r->read_event_handler = ngx_http_test_reading;

    if (ngx_realtime_move_ask(probe) != NGX_OK) {
        ngx_realtime_probe_begin(probe, 1);
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_realtime_probe_local(ngx_http_request_t *r, ngx_realtime_probe_t *probe)
{
    ngx_uint_t              code;
    ngx_realtime_session_t *s;

    s = ngx_realtime_session_find(&probe->sid);
    code = s != NULL ? 0 : ngx_realtime_move_moved(&probe->sid) ? 3 : 1;

    if (s != NULL && (s->polling == NULL || s->polling->probe || s->polling->prober || s->frozen)) {
        /* upgraded, or another one is on trial: opened and closed, as Engine.IO's server does */
        probe->refused = 1;

    } else if (s != NULL) {
        s->polling->probe = probe;
    }

    ngx_realtime_probe_begin(probe, code);

    return NGX_DONE;
}


void
ngx_realtime_probe_allowed(ngx_realtime_probe_t *probe, ngx_uint_t code)
{
    ngx_connection_t *c;

    if (probe->request == NULL) {
        return;
    }

    c = probe->request->connection;

    ngx_realtime_probe_begin(probe, code);
    ngx_http_run_posted_requests(c);
}


/* The session's owner has spoken. */
static void
ngx_realtime_probe_begin(ngx_realtime_probe_t *probe, ngx_uint_t code)
{
    ngx_str_t           body;
    ngx_http_request_t *r;

    r = probe->request;

    if (code == 0 && ngx_realtime_upgrade(r, ngx_realtime_probe_upgraded, probe) == NGX_OK) {
        probe->request = NULL;
        probe->opening = 1;
        return;
    }

    ngx_realtime_probe_forgotten(probe);
    probe->request = NULL;

    ngx_realtime_probe_free(probe);

    body = ngx_realtime_ngx_str(rt_eio_error_body(code ? (int) code : 3));

    ngx_http_finalize_request(r,
        ngx_realtime_http_send(r, NGX_HTTP_BAD_REQUEST, "application/json", &body));
}


/* The request ends. When the owner is still being asked, the client has left; else the probe, if
 * there is one, has gone on without the request. */
static void
ngx_realtime_probe_request_gone(void *data)
{
    ngx_realtime_probe_t *probe;

    probe = ngx_realtime_move_asking(data);

    if (probe != NULL) {
        probe->request = NULL;
        ngx_realtime_move_gone(probe);
        ngx_realtime_probe_free(probe);
    }
}


static void
ngx_realtime_probe_upgraded(void *data, ngx_realtime_ws_t *ws)
{
    ngx_realtime_probe_t *probe = data;

    probe->opening = 0;

    if (ws == NULL) {
        ngx_realtime_probe_drop(probe, "handshake broke off");
        return;
    }

    probe->ws = ws;

    ngx_realtime_ws_own(ws, &ngx_realtime_probe_owner, probe);

    if (probe->refused) {
        ngx_realtime_probe_drop(probe, "refused");
        return;
    }

    ngx_realtime_ws_timer(ws, probe->conf->upgrade_timeout);
}


static void
ngx_realtime_probe_on_message(ngx_realtime_ws_t *ws, ngx_uint_t binary, u_char *data, size_t len)
{
    ngx_realtime_buf_t     *buf;
    ngx_realtime_probe_t   *probe;
    ngx_realtime_session_t *s;

    probe = ws->data;

    if (!binary && !probe->probed && len == 6 && ngx_strncmp(data, "2probe", 6) == 0) {

        buf = ngx_realtime_buf_create(RT_WS_TEXT, "3probe", 6, 0);
        if (buf == NULL) {
            ngx_realtime_probe_drop(probe, "no memory");
            return;
        }

        ngx_realtime_ws_send(ws, buf);
        ngx_realtime_buf_put(buf);

        probe->probed = 1;

        if (probe->foreign) {
            ngx_realtime_move_probed(probe);
            return;
        }

        s = ngx_realtime_session_find(&probe->sid);

        if (s != NULL && s->polling != NULL) {
            ngx_realtime_polling_probed(s);
        }

        return;
    }

    if (!binary && probe->probed && len == 1 && data[0] == RT_EIO_UPGRADE) {
        ngx_realtime_probe_complete(probe);
        return;
    }

    ngx_realtime_probe_drop(probe, "no probe");
}


static void
ngx_realtime_probe_complete(ngx_realtime_probe_t *probe)
{
    ngx_realtime_ws_t      *ws;
    ngx_realtime_session_t *s;

    if (probe->foreign) {
        probe->taking = 1;

        /* what comes behind the 5 waits for its session */
        ngx_realtime_ws_pause(probe->ws);

        if (ngx_realtime_move_take(probe) != NGX_OK) {
            ngx_realtime_probe_drop(probe, "session is lost");
        }

        return;
    }

    s = ngx_realtime_session_find(&probe->sid);

    if (s == NULL || s->polling == NULL) {
        ngx_realtime_probe_drop(probe, "session is lost");
        return;
    }

    ws = probe->ws;
    s->polling->probe = NULL;

    ngx_realtime_probe_free(probe);
    ngx_realtime_engine_adopt(s, ws);
    ngx_realtime_session_arm(s);
}


static void
ngx_realtime_probe_on_timer(ngx_realtime_ws_t *ws)
{
    ngx_realtime_probe_drop(ws->data, "upgrade timeout");
}


static void
ngx_realtime_probe_on_closed(ngx_realtime_ws_t *ws, const char *reason)
{
    ngx_realtime_probe_t *probe;

    probe = ws->data;
    probe->ws = NULL;

    ngx_realtime_probe_drop(probe, reason);
}


void
ngx_realtime_probe_drop(ngx_realtime_probe_t *probe, const char *reason)
{
    ngx_realtime_ws_t      *ws;
    ngx_realtime_session_t *s;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0, "realtime probe dropped: %s", reason);

    ws = probe->ws;
    probe->ws = NULL;

    ngx_realtime_probe_forgotten(probe);

    if (probe->opening) {
        probe->refused = 1; /* its 101 is on the way: dropped when that is done */
        return;
    }

    s = probe->adopting;
    probe->adopting = NULL;

    ngx_realtime_probe_free(probe);

    if (s != NULL) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_GOING_AWAY, reason);
    }

    if (ws != NULL) {
        ngx_realtime_ws_close(ws, RT_WS_CLOSE_NORMAL);
    }
}


/* The session polls on. */
static void
ngx_realtime_probe_forgotten(ngx_realtime_probe_t *probe)
{
    ngx_realtime_session_t *s;

    if (probe->foreign) {
        ngx_realtime_move_gone(probe);
        return;
    }

    s = ngx_realtime_session_find(&probe->sid);

    if (s != NULL && s->polling != NULL && s->polling->probe == probe) {
        ngx_realtime_polling_probe_gone(s);
    }
}


void
ngx_realtime_probe_free(ngx_realtime_probe_t *probe)
{
    if (probe->foreign) {
        ngx_realtime_move_forget(probe);
    }

    ngx_free(probe);
}
