/* Health for load balancers and orchestrators.
 *
 * live:  the worker answers. Always, as long as nginx does: GET …?live, or a path that ends in
 *        "/live". Restarting nginx helps against nothing else.
 * ready: the store answers, so that messages can be stored. 503 otherwise. A Redis that is away
 *        makes the host "degraded", not unready: its clients go on over the local path. */

#include "ngx_realtime_http.h"
#include "ngx_realtime_metrics.h"


static ngx_uint_t ngx_realtime_health_asks_live(ngx_http_request_t *r);


ngx_int_t
ngx_realtime_health_handler(ngx_http_request_t *r)
{
    u_char      text[256];
    ngx_str_t   body;
    ngx_uint_t  store, bus, live;
    const char *status;

    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    if (ngx_realtime_worker == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    store = ngx_realtime_metrics_store_up();
    bus = ngx_realtime_metrics_bus_up();
    live = ngx_realtime_health_asks_live(r);
    status = !store ? "unavailable" : !bus ? "degraded" : "ok";

    body.data = text;
    body.len = ngx_snprintf(text, sizeof(text),
                   "{\"status\":\"%s\",\"live\":true,\"ready\":%s,"
                   "\"store\":\"%s\",\"bus\":\"%s\"}",
                   status, store ? "true" : "false", store ? "up" : "down",
                   ngx_realtime_worker->conf->redis == NULL ? "local"
                       : bus                                ? "up"
                                                            : "down")
        - text;

    return ngx_realtime_http_send(r, store || live ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE,
        "application/json", &body);
}


static ngx_uint_t
ngx_realtime_health_asks_live(ngx_http_request_t *r)
{
    ngx_str_t value;

    if (r->uri.len >= 5 && ngx_strncmp(r->uri.data + r->uri.len - 5, "/live", 5) == 0) {
        return 1;
    }

    return (r->args.len == 4 && ngx_strncmp(r->args.data, "live", 4) == 0)
        || ngx_realtime_http_arg(r, "live", &value) == NGX_OK;
}
