/* Polling requests on their way to the session they name, on this worker or, over the bus, on
 * another one; and their answers back. Event loop only. */

#ifndef NGX_REALTIME_RELAY_H
#define NGX_REALTIME_RELAY_H

#include "ngx_realtime.h"
#include "ngx_realtime_polling.h"
#include "ngx_realtime_sid.h"

/* First byte of what workers send each other. */
typedef enum {
    NGX_REALTIME_RELAY_GET = 1,
    NGX_REALTIME_RELAY_POST_BEGIN,
    NGX_REALTIME_RELAY_POST,
    NGX_REALTIME_RELAY_ABORT,
    NGX_REALTIME_RELAY_RELEASE,
    NGX_REALTIME_RELAY_ANSWER,
    NGX_REALTIME_MOVE_ASK,
    NGX_REALTIME_MOVE_ALLOW,
    NGX_REALTIME_MOVE_PROBED,
    NGX_REALTIME_MOVE_GONE,
    NGX_REALTIME_MOVE_TAKE,
    NGX_REALTIME_MOVE_STATE,
    NGX_REALTIME_MOVE_READY,
    NGX_REALTIME_MOVE_FINAL
} ngx_realtime_relay_type_e;

/* Content handlers for a GET and a POST that name a session. */
ngx_int_t ngx_realtime_relay_get(ngx_http_request_t *r, ngx_realtime_sid_t *sid);
ngx_int_t ngx_realtime_relay_post(ngx_http_request_t *r, ngx_realtime_sid_t *sid);

/* What tells a GET from others: clients give each request another `t`, against caches. 0: none. */
uint64_t ngx_realtime_relay_tag(ngx_http_request_t *r);

/* The answer to a request of another worker. */
void ngx_realtime_relay_answer(ngx_realtime_worker_id_t worker, uint64_t id, ngx_uint_t status,
    ngx_realtime_poll_body_e kind, ngx_str_t *body);

/* A request of this worker's is being answered: its end is no abort any more. */
void ngx_realtime_relay_forget(ngx_http_request_t *r);

/* What another worker sent, its first byte (the type) taken off. */
void ngx_realtime_relay_on_message(ngx_realtime_worker_id_t from, ngx_uint_t type,
    ngx_str_t *payload);

/* Requests that wait for it are answered: unknown session. */
void ngx_realtime_relay_worker_lost(ngx_realtime_worker_id_t worker);

/* How many requests of this worker's wait for their answers. */
ngx_uint_t ngx_realtime_relay_waiting(void);

/* The worker quits: the owners of the sessions are asked to let the held GETs go. */
void ngx_realtime_relay_release(void);

/* It can't wait for them any longer: they are answered with a noop, and their sessions end. */
void ngx_realtime_relay_cut(void);

void ngx_realtime_relay_init(void);

#endif
