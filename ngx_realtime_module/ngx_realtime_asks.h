/* What chat clients ask: tokens, then events, one after the other. The same for Socket.IO and plain
 * WebSocket. Event loop only. */

#ifndef NGX_REALTIME_ASKS_H
#define NGX_REALTIME_ASKS_H

#include "ngx_realtime.h"
#include "ngx_realtime_session.h"

/* A stranger shows a token (empty: none). Good: its channels are subscribed, then it is told
 * "connected". Bad: it is refused. May close s. */
void ngx_realtime_asks_enter(ngx_realtime_session_t *s, rt_str_t token);

/* Its channels are subscribed, and it is known where they stand: it is told "connected". May close
 * s. */
void ngx_realtime_asks_connected(ngx_realtime_session_t *s);

/* Puts it back among the strangers: event `error` {message}, then the protocol's own refusal. */
void ngx_realtime_asks_refuse(ngx_realtime_session_t *s, const char *message);

/* The same in silence: it left by itself, and may come back until the connect timeout. */
void ngx_realtime_asks_leave(ngx_realtime_session_t *s);

/* Takes an event into the queue, or answers at once what is not to be handled. ask: filled by
 * ngx_realtime_ask_create; taken over. May close s. */
void ngx_realtime_asks_push(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask);

/* event: any text; data: stolen, or NULL. NULL: no memory (data is freed). */
ngx_realtime_ask_t *ngx_realtime_ask_create(rt_str_t event, json_t *data);
void                ngx_realtime_ask_free(ngx_realtime_ask_t *ask);

/* Handles what waits, as far as order allows. May close s. */
void ngx_realtime_asks_run(ngx_realtime_session_t *s);

/* Forgets all of it: the session ends or is refused. */
void ngx_realtime_asks_clear(ngx_realtime_session_t *s);

/* The answer to what is under way, from a call or of our own; frees it; then the next one's turn.
 * May close its session. */
void ngx_realtime_asks_done(ngx_realtime_ask_t *ask, rt_str_t reply);
void ngx_realtime_asks_failed(ngx_realtime_ask_t *ask, rt_status_t status, const char *text,
    rt_str_t extra);

/* The same when the answer was sent by the caller itself. */
void ngx_realtime_asks_answered(ngx_realtime_ask_t *ask);

/* {"success":true} */
#define NGX_REALTIME_SUCCESS rt_str("{\"success\":true}")

/* What a client may send (ngx_realtime_events.c). */
typedef struct {
    const char *name;

    /* 1: one may begin while others of its kind are under way, since the core keeps their order */
    ngx_uint_t together;

    /* answers now or later */
    void (*handler)(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask);
} ngx_realtime_event_t;

/* NULL: unknown. */
const ngx_realtime_event_t *ngx_realtime_event_find(const u_char *name);

/* Its place in the table; that of NULL is NGX_REALTIME_METRICS_EVENTS - 1. And back: NULL where the
 * table has none. */
ngx_uint_t  ngx_realtime_event_number(const ngx_realtime_event_t *event);
const char *ngx_realtime_event_name(ngx_uint_t number);

#endif
