/* What a session is made of, as JSON, when it moves to another worker. Event loop only. */

#ifndef NGX_REALTIME_MOVE_STATE_H
#define NGX_REALTIME_MOVE_STATE_H

#include "ngx_realtime.h"
#include "ngx_realtime_session.h"

/* Who it is, where it listens, what its protocol remembers. NULL: no memory. */
json_t *ngx_realtime_move_export(ngx_realtime_session_t *s);

/* The same, into a new session without a transport. s->waiting counts channels that are not known
 * to all others yet; subscribed is called (never from inside) when it falls to 0. */
ngx_int_t ngx_realtime_move_import(ngx_realtime_session_t *s, json_t *state,
    void (*subscribed)(ngx_realtime_session_t *s));

/* What waits to be sent, where each room stands, what was asked and not handled. */
json_t *ngx_realtime_move_export_rest(ngx_realtime_session_t *s);

/* Makes ws the transport, sends what waits, lets the rooms in. May close s. */
void ngx_realtime_move_finish_import(ngx_realtime_session_t *s, ngx_realtime_ws_t *ws,
    json_t *state);

#endif
