/* A WebSocket on trial: it was opened for a polling session and has to prove itself (2probe,
 * 3probe, 5) before the session moves over to it. Event loop only. */

#ifndef NGX_REALTIME_PROBE_H
#define NGX_REALTIME_PROBE_H

#include "ngx_realtime.h"
#include "ngx_realtime_session.h"

typedef struct {
    ngx_realtime_sid_t       sid;
    ngx_realtime_loc_conf_t *conf;
    ngx_http_request_t      *request;   /* while its owner is asked, before the 101 */
    ngx_realtime_ws_t       *ws;        /* NULL before the 101 */
    ngx_realtime_session_t  *adopting;  /* foreign: the session that is being made of it */
    ngx_queue_t              link;      /* foreign ones, to be found by what the owner says */
    uint64_t                 id;        /* foreign: names it to the owner */
    unsigned                 foreign:1; /* the session is another worker's */
    unsigned                 probed:1;
    unsigned                 taking:1;  /* 5 came; the owner was asked for the session */
    unsigned                 opening:1; /* its 101 is on the way */
    unsigned                 gone:1;    /* the owner was told so */
    unsigned                 refused:1; /* another one is on trial: closed as soon as it is open */
} ngx_realtime_probe_t;

/* The content handler for a WebSocket that names a session. */
ngx_int_t ngx_realtime_probe_handler(ngx_http_request_t *r, ngx_realtime_sid_t *sid);

/* The foreign session's owner allows it (code 0) or not (Engine.IO's code). */
void ngx_realtime_probe_allowed(ngx_realtime_probe_t *probe, ngx_uint_t code);

/* Frees a probe whose WebSocket has become the session's. */
void ngx_realtime_probe_free(ngx_realtime_probe_t *probe);

/* Closes its WebSocket, or refuses its request, and frees it. */
void ngx_realtime_probe_drop(ngx_realtime_probe_t *probe, const char *reason);

#endif
