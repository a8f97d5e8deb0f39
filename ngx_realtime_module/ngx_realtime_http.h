/* Plain HTTP that every handler of ours needs: answers, errors, CORS, bodies, tokens. */

#ifndef NGX_REALTIME_HTTP_H
#define NGX_REALTIME_HTTP_H

#include "ngx_realtime.h"

/* Sends a whole answer with CORS headers for the request's origin, Content-Type and
 * Content-Length, body copied; for HEAD the headers only. Cache-Control: no-store. Returns what
 * a handler returns or ngx_http_finalize_request takes. */
ngx_int_t ngx_realtime_http_send(ngx_http_request_t *r, ngx_uint_t status, const char *content_type,
    ngx_str_t *body);

/* {"statusCode":404,"error":"Not Found","message":…}; Retry-After for 429 and 503. message is
 * escaped here. `extra` (or NULL): a JSON object text whose members are added. */
ngx_int_t ngx_realtime_http_error(ngx_http_request_t *r, ngx_uint_t status, rt_str_t message,
    ngx_str_t *extra);

/* Adds a response header (both texts must live as long as the request). */
ngx_int_t ngx_realtime_http_header(ngx_http_request_t *r, const char *name, ngx_str_t *value);

/* The first header of the request of that name (given in lower case), or NULL: for those that
 * nginx keeps no pointer to. */
ngx_table_elt_t *ngx_realtime_http_header_in(ngx_http_request_t *r, const char *lowcase_name);

/* 1 when the request has no Origin, or one that realtime_allow_origin allows. */
ngx_uint_t ngx_realtime_http_origin_allowed(ngx_http_request_t *r);

/* Adds Access-Control-Allow-Origin (reflected), -Credentials, Vary: Origin and, where `expose` is
 * not NULL, -Expose-Headers; nothing for a request without Origin or with one that is not allowed
 * (Vary even then). Called by ngx_realtime_http_send, too: the first call for a request counts. */
ngx_int_t ngx_realtime_http_cors(ngx_http_request_t *r, const char *expose);

/* Answers an OPTIONS preflight: 204 with the methods and headers allowed. */
ngx_int_t ngx_realtime_http_preflight(ngx_http_request_t *r, const char *methods);

/* A query parameter, unescaped ('+' is a space), in the request's pool. NGX_DECLINED: not there;
 * NGX_ERROR: bad escapes, not UTF-8, or no memory. The first one counts. */
ngx_int_t ngx_realtime_http_arg(ngx_http_request_t *r, const char *name, ngx_str_t *value);

/* The bearer token of the Authorization header. NGX_DECLINED: none. */
ngx_int_t ngx_realtime_http_bearer(ngx_http_request_t *r, ngx_str_t *token);

/* Reads the whole body into memory without temp files, up to max bytes, chunked included and on
 * HTTP/2 and 3 as well, then calls done from the event loop (possibly at once): rc NGX_OK and the
 * body (writable, in the request's pool), or NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, or another status
 * (then body is empty; answer with it). done must finalize the request or hold it. Returns what
 * the content handler returns (NGX_DONE). */
typedef void (
    *ngx_realtime_http_body_pt)(ngx_http_request_t *r, ngx_int_t rc, ngx_str_t *body, void *data);
ngx_int_t ngx_realtime_http_read_body(ngx_http_request_t *r, size_t max,
    ngx_realtime_http_body_pt done, void *data);

#endif
