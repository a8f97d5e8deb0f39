/* A session's way from the worker that polled to the worker whose socket it upgrades to. Event loop
 * only.
 *
 *   socket's worker                              owner
 *   MOVE_ASK   sid  ──────────────────────────▶  may a WebSocket be tried? marks it
 *                   ◀──────────────────────────  MOVE_ALLOW code
 *   MOVE_PROBED (3probe was sent) ────────────▶  releases held GETs with a noop
 *   MOVE_TAKE  (5 came) ──────────────────────▶  freezes the session; waits for its call
 *                   ◀──────────────────────────  MOVE_STATE: who, rooms, protocol
 *   subscribes its channels, holds what comes
 *   MOVE_READY ───────────────────────────────▶
 *                   ◀──────────────────────────  MOVE_FINAL: what waits, where each room stands;
 *   delivers that, then what was held and newer  keeps a stub that answers stray requests
 *
 *   MOVE_GONE: the socket left before MOVE_TAKE */

#ifndef NGX_REALTIME_MOVE_H
#define NGX_REALTIME_MOVE_H

#include "ngx_realtime.h"
#include "ngx_realtime_probe.h"
#include "ngx_realtime_session.h"

/* What the socket's worker says of a foreign probe. NGX_ERROR: the owner is not there. */
ngx_int_t ngx_realtime_move_ask(ngx_realtime_probe_t *probe);
void      ngx_realtime_move_probed(ngx_realtime_probe_t *probe);
void      ngx_realtime_move_gone(ngx_realtime_probe_t *probe);
ngx_int_t ngx_realtime_move_take(ngx_realtime_probe_t *probe);

/* The probe is being freed. */
void ngx_realtime_move_forget(ngx_realtime_probe_t *probe);

/* The probe that waits for an owner's word with this request, or NULL. */
ngx_realtime_probe_t *ngx_realtime_move_asking(ngx_http_request_t *r);

/* A frozen session has nothing under way any more. */
void ngx_realtime_move_settled(ngx_realtime_session_t *s);

/* 1 when a session of this sid was here and moved on not long ago. */
ngx_uint_t ngx_realtime_move_moved(ngx_realtime_sid_t *sid);

void ngx_realtime_move_on_message(ngx_realtime_worker_id_t from, ngx_uint_t type,
    ngx_str_t *payload);
void ngx_realtime_move_worker_lost(ngx_realtime_worker_id_t worker);

/* The worker quits: WebSockets on trial for other workers' sessions are closed, those sessions
 * poll on. */
void ngx_realtime_move_drain(void);

/* 1 while sessions may still come here. */
ngx_uint_t ngx_realtime_move_waiting(void);

void ngx_realtime_move_init(void);
void ngx_realtime_move_exit(void);

#endif
