/* REST at realtime_api locations. */

#ifndef NGX_REALTIME_REST_H
#define NGX_REALTIME_REST_H

#include "ngx_realtime.h"

ngx_int_t ngx_realtime_rest_handler(ngx_http_request_t *r);

#endif
