/* From an HTTP request to a WebSocket connection of our own. Event loop only. */

#ifndef NGX_REALTIME_UPGRADE_H
#define NGX_REALTIME_UPGRADE_H

#include "ngx_realtime.h"
#include "ngx_realtime_websocket.h"

/* 1 when the request asks for a WebSocket (Upgrade: websocket), well or badly. */
ngx_uint_t ngx_realtime_upgrade_asked(ngx_http_request_t *r);

/* Checks the opening handshake (RFC 6455, 4.2.1). NGX_OK, or the HTTP status to refuse with (for
 * 426 the headers it needs are added). */
ngx_int_t ngx_realtime_upgrade_check(ngx_http_request_t *r);

/* Called once for an upgrade that was begun: with the connection, or with NULL when it broke. */
typedef void (*ngx_realtime_upgrade_pt)(void *data, ngx_realtime_ws_t *ws);

/* Answers 101 and takes the connection from nginx's request in this turn of the loop. The request
 * was checked, and is held by the caller (r->main->count was raised and the handler has returned or
 * will return NGX_DONE). NGX_ERROR: nothing was sent, done is not called and the caller still
 * answers. */
ngx_int_t ngx_realtime_upgrade(ngx_http_request_t *r, ngx_realtime_upgrade_pt done, void *data);

#endif
