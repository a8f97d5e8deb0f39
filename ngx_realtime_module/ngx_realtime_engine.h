/* Engine.IO 4: handshakes, packets, the upgrade from polling to WebSocket; and the entrance of
 * plain WebSocket clients, which share the location. Event loop only. */

#ifndef NGX_REALTIME_ENGINE_H
#define NGX_REALTIME_ENGINE_H

#include "ngx_realtime.h"
#include "ngx_realtime_session.h"

#include <rt/rt_eio.h>

/* The content handler of realtime and realtime_echo locations. */
ngx_int_t ngx_realtime_engine_handler(ngx_http_request_t *r);

/* One packet that a client sent. May close s. */
void ngx_realtime_engine_packet(ngx_realtime_session_t *s, rt_eio_packet_t *packet);

/* Gives ws to the session: its transport from now on. */
void ngx_realtime_engine_adopt(ngx_realtime_session_t *s, ngx_realtime_ws_t *ws);

/* What a location's Engine.IO sessions speak. */
const ngx_realtime_protocol_t *ngx_realtime_engine_protocol(ngx_realtime_loc_conf_t *conf);

#endif
