/* Test module: what its two files share. */

#ifndef NGX_HTTP_BUS_TEST_H
#define NGX_HTTP_BUS_TEST_H

#include "ngx_realtime.h"
#include "ngx_realtime_limits.h"
#include "ngx_realtime_redis.h"

typedef struct {
    ngx_realtime_main_conf_t  realtime;
    ngx_str_t                 dir;
    size_t                    queue;
    ngx_realtime_redis_conf_t redis; /* host.len 0: the local bus alone */
} ngx_http_bus_test_conf_t;

/* What was heard, one JSON object each, separated by commas. */
typedef struct {
    u_char    *data;
    size_t     len;
    size_t     size;
    ngx_uint_t heard; /* published messages */
    ngx_uint_t gaps;
    ngx_uint_t lost;
} ngx_http_bus_test_log_t;

extern ngx_http_bus_test_log_t ngx_http_bus_test_log;

/* Appends to the log. */
void ngx_http_bus_test_note(const char *format, ...);

/* Sends a JSON body and finalizes; returns what a handler returns. */
ngx_int_t ngx_http_bus_test_answer(ngx_http_request_t *r, ngx_uint_t status, u_char *data,
    size_t len);

/* The content handler: the last part of the URI names the operation. */
ngx_int_t ngx_http_bus_test_handler(ngx_http_request_t *r);

#endif
