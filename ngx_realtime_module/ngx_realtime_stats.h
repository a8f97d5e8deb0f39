/* Who and how many are connected, counted over all workers and hosts at the moment of asking. */

#ifndef NGX_REALTIME_STATS_H
#define NGX_REALTIME_STATS_H

#include "ngx_realtime.h"

#include <rt/rt_json.h>

/* What is asked, and what came of it. Texts belong to the asker and must outlive the question. */
typedef struct {
    ngx_str_t business; /* len 0: none, or any where `user` is given */
    ngx_str_t user;     /* len 0: nobody */

    ngx_uint_t connections; /* that got "connected" */
    ngx_uint_t workers;
    ngx_uint_t hosts;
    ngx_uint_t business_connections;
    ngx_uint_t staff_online; /* people, not connections */
    ngx_uint_t user_online;
} ngx_realtime_stats_t;

/* stats is what was given to ask. Runs once, never from inside ask. */
typedef void (*ngx_realtime_stats_pt)(void *data, ngx_realtime_stats_t *stats);

typedef struct ngx_realtime_stats_ask_s ngx_realtime_stats_ask_t;

/* Asks every worker, for at most a second. NULL: no memory. */
ngx_realtime_stats_ask_t *ngx_realtime_stats_ask(ngx_realtime_stats_t *stats,
    ngx_realtime_stats_pt done, void *data);
void                      ngx_realtime_stats_cancel(ngx_realtime_stats_ask_t *ask);

/* GET /api/realtime/stats: takes over a held request; request: what was asked, borrowed. */
void ngx_realtime_stats_rest(ngx_http_request_t *r, rt_identity_t *identity, json_t *request);

/* The content handler of realtime_stats. */
ngx_int_t ngx_realtime_stats_handler(ngx_http_request_t *r);

#endif
