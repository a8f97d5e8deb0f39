/* A cluster shared with Node servers: with `realtime_redis … adapter=socket.io` workers speak as
 * servers with @socket.io/redis-adapter do. What those (and @socket.io/redis-emitter) emit to rooms
 * reaches our clients in them, and our events reach theirs. Where it is not configured all of this
 * does nothing. Event loop only. */

#ifndef NGX_REALTIME_ADAPTER_H
#define NGX_REALTIME_ADAPTER_H

#include "ngx_realtime.h"
#include "ngx_realtime_session.h"

#include <rt/rt_call.h>
#include <rt/rt_sio.h>

/* After the bus was made. NGX_ERROR: no memory. */
ngx_int_t ngx_realtime_adapter_init(ngx_realtime_worker_t *worker);
void      ngx_realtime_adapter_exit(void);

/* An event of ours, emitted by this worker: it is told to the Node servers, and to clients here
 * that these have put into the room. */
void ngx_realtime_adapter_emit(const rt_emit_t *emit);

/* The session was told that it is connected: it can be found by its socket id. */
void ngx_realtime_adapter_connected(ngx_realtime_session_t *s);

/* It leaves the namespace, or ends. */
void ngx_realtime_adapter_left(ngx_realtime_session_t *s);

/* The client answers something that had an id. */
void ngx_realtime_adapter_acknowledged(ngx_realtime_session_t *s, const rt_sio_packet_t *packet);

/* What a session takes along when it moves to another worker, first and at last; and there: it is
 * on its way, and can be found; its channels still hold what came, from which what it had at the
 * old worker is dropped; it has come, and what was asked meanwhile is done, which may close it. */
json_t *ngx_realtime_adapter_export(ngx_realtime_session_t *s);
json_t *ngx_realtime_adapter_export_rest(ngx_realtime_session_t *s);
void    ngx_realtime_adapter_import(ngx_realtime_session_t *s, json_t *state);
void    ngx_realtime_adapter_import_rest(ngx_realtime_session_t *s, json_t *state);
void    ngx_realtime_adapter_imported(ngx_realtime_session_t *s);

#endif
