/* A REST request's parts put together: the object that a core operation takes. */

#ifndef NGX_REALTIME_REST_REQUEST_H
#define NGX_REALTIME_REST_REQUEST_H

#include "ngx_realtime.h"
#include "ngx_realtime_rest_routes.h"

/* Makes the object from the body (POST, PUT; NULL: none is taken) or the query, and the path,
 * whose parameters win over members of the same name.
 *
 * out      set only on NGX_HTTP_OK: a new reference
 * returns  NGX_HTTP_OK, or the status to answer with; then *error holds the text */
ngx_uint_t ngx_realtime_rest_request(ngx_http_request_t *r, const ngx_realtime_route_match_t *match,
    ngx_str_t *body, json_t **out, rt_error_t *error);

#endif
