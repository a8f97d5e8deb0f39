/* A REST request from its handler to its answer:
 *
 *     route (404, 405) ─▶ token (401) ─▶ role (403) ─▶ body (413) ─▶ request object (400, 415)
 *           ─▶ core call in a thread ─▶ answer
 *
 * What a room, a message or a person may be is the core's business; here are only HTTP's rules. */

#include "ngx_realtime_rest.h"
#include "ngx_realtime_http.h"
#include "ngx_realtime_rest_request.h"
#include "ngx_realtime_rest_routes.h"
#include "ngx_realtime_task.h"

#include <rt/rt_text.h>


typedef struct {
    ngx_http_request_t        *request;
    ngx_realtime_route_match_t match;
    rt_identity_t             *identity; /* a reference of ours */
    ngx_realtime_task_t       *task;     /* the call that is out, or NULL */
} ngx_realtime_rest_t;


static ngx_int_t            ngx_realtime_rest_not_allowed(ngx_http_request_t *r, const char *allow);
static ngx_realtime_rest_t *ngx_realtime_rest_create(ngx_http_request_t *r);
static void                 ngx_realtime_rest_cleanup(void *data);
static rt_status_t ngx_realtime_rest_authenticate(ngx_realtime_rest_t *rest, rt_error_t *error);
static void        ngx_realtime_rest_on_body(ngx_http_request_t *r, ngx_int_t rc, ngx_str_t *body,
           void *data);
static void        ngx_realtime_rest_run(ngx_realtime_rest_t *rest, ngx_str_t *body);
static rt_status_t ngx_realtime_rest_post(ngx_realtime_rest_t *rest, json_t *request,
    rt_error_t *error);
static void        ngx_realtime_rest_done(rt_call_t *call, void *data);
static ngx_int_t   ngx_realtime_rest_answer(ngx_http_request_t *r, rt_call_t *call);
static ngx_int_t   ngx_realtime_rest_total(ngx_http_request_t *r, int64_t total);


ngx_int_t
ngx_realtime_rest_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    rt_error_t                 error;
    ngx_realtime_rest_t       *rest;
    ngx_realtime_loc_conf_t   *lcf;
    ngx_realtime_route_match_t match;

    rc = ngx_realtime_route_find(r->method, &r->uri, &match);

    if (rc == NGX_DECLINED) {
        return ngx_realtime_http_error(r, NGX_HTTP_NOT_FOUND, rt_str("No such endpoint"), NULL);
    }

    if (rc != NGX_OK) {
        return ngx_realtime_rest_not_allowed(r, match.allow);
    }

    if (ngx_realtime_worker == NULL || ngx_realtime_worker->core == NULL) {
        return ngx_realtime_http_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
            rt_str("Service temporarily unavailable"), NULL);
    }

    rest = ngx_realtime_rest_create(r);
    if (rest == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rest->match = match;

    if (ngx_realtime_rest_authenticate(rest, &error) != RT_OK) {
        return ngx_realtime_http_error(r, ngx_realtime_http_status(error.status),
            rt_str_c(error.text), NULL);
    }

    if (!ngx_realtime_route_permits(match.route, rest->identity->role)) {
        return ngx_realtime_http_error(r, NGX_HTTP_FORBIDDEN,
            rt_str("Your role may not use this endpoint"), NULL);
    }

    if (match.route->method & (NGX_HTTP_POST | NGX_HTTP_PUT)) {
        lcf = ngx_http_get_module_loc_conf(r, ngx_http_realtime_module);

        return ngx_realtime_http_read_body(r, lcf->max_payload, ngx_realtime_rest_on_body, rest);
    }

    /* held, as a request whose body is read is */
    r->main->count++;
    ngx_realtime_rest_run(rest, NULL);

    return NGX_DONE;
}


static ngx_int_t
ngx_realtime_rest_not_allowed(ngx_http_request_t *r, const char *allow)
{
    ngx_str_t value;

    value.len = ngx_strlen(allow);
    value.data = ngx_pnalloc(r->pool, value.len + 1);
    if (value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(value.data, allow, value.len + 1);

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_realtime_http_preflight(r, (const char *) value.data);
    }

    if (ngx_realtime_http_header(r, "Allow", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_realtime_http_error(r, NGX_HTTP_NOT_ALLOWED,
        rt_str("This endpoint does not take that method"), NULL);
}


static ngx_realtime_rest_t *
ngx_realtime_rest_create(ngx_http_request_t *r)
{
    ngx_http_cleanup_t  *cln;
    ngx_realtime_rest_t *rest;

    cln = ngx_http_cleanup_add(r, sizeof(ngx_realtime_rest_t));
    if (cln == NULL) {
        return NULL;
    }

    rest = cln->data;
    ngx_memzero(rest, sizeof(ngx_realtime_rest_t));
    rest->request = r;

    cln->handler = ngx_realtime_rest_cleanup;

    return rest;
}


/* The request ends, or its client has gone: a call that is out goes on without them. */
static void
ngx_realtime_rest_cleanup(void *data)
{
    ngx_realtime_rest_t *rest = data;

    if (rest->task != NULL) {
        ngx_realtime_task_let_go(rest->task);
        rest->task = NULL;
    }

    rt_identity_put(rest->identity);
    rest->identity = NULL;
}


static rt_status_t
ngx_realtime_rest_authenticate(ngx_realtime_rest_t *rest, rt_error_t *error)
{
    ngx_str_t                token;
    rt_status_t              status;
    ngx_realtime_loc_conf_t *lcf;

    lcf = ngx_http_get_module_loc_conf(rest->request, ngx_http_realtime_module);

    if (ngx_realtime_http_bearer(rest->request, &token) != NGX_OK) {
        return rt_error_set(error, RT_UNAUTHORIZED, "A bearer token is required");
    }

    status = rt_token_cache_verify(ngx_realtime_worker->tokens, lcf->key, ngx_realtime_str(token),
        rt_time_now_ms(), (int64_t) lcf->jwt_leeway, &rest->identity, error);

    if (status == RT_NO_MEMORY) {
        return rt_error_set(error, status, "Service temporarily unavailable");
    }

    return status;
}


static void
ngx_realtime_rest_on_body(ngx_http_request_t *r, ngx_int_t rc, ngx_str_t *body, void *data)
{
    rt_str_t             message;
    ngx_realtime_rest_t *rest = data;

    if (rc == NGX_OK) {
        ngx_realtime_rest_run(rest, body);
        return;
    }

    message = rt_str("The request body could not be read");

    if (rc == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
        message = rt_str("The request body is too large");
    }

    ngx_http_finalize_request(r, ngx_realtime_http_error(r, rc, message, NULL));
}


/* Holds one reference to the request: hands it on to the call, or finalizes. */
static void
ngx_realtime_rest_run(ngx_realtime_rest_t *rest, ngx_str_t *body)
{
    json_t             *request;
    ngx_uint_t          status;
    rt_error_t          error;
    ngx_http_request_t *r = rest->request;

    status = ngx_realtime_rest_request(r, &rest->match, body, &request, &error);

    if (status == NGX_HTTP_OK && rest->match.route->here != NULL) {
        rest->match.route->here(r, rest->identity, request);
        json_decref(request);
        return;
    }

    if (status == NGX_HTTP_OK) {
        status = ngx_realtime_http_status(ngx_realtime_rest_post(rest, request, &error));
    }

    if (status == NGX_HTTP_OK) {
        /* else nobody would notice that the client leaves */
        r->read_event_handler = ngx_http_test_reading;
        return;
    }

    ngx_http_finalize_request(r, ngx_realtime_http_error(r, status, rt_str_c(error.text), NULL));
}


/* Takes over request. */
static rt_status_t
ngx_realtime_rest_post(ngx_realtime_rest_t *rest, json_t *request, rt_error_t *error)
{
    rt_call_t               *call;
    const rt_op_t           *op;
    ngx_realtime_loc_conf_t *lcf;

    op = rt_op_find(rest->match.route->op);
    lcf = ngx_http_get_module_loc_conf(rest->request, ngx_http_realtime_module);

    if (op == NULL) {
        json_decref(request);
        ngx_log_error(NGX_LOG_ALERT, rest->request->connection->log, 0,
            "realtime: the core knows no operation \"%s\"", rest->match.route->op);
        return rt_error_set(error, RT_ERROR, "Service temporarily unavailable");
    }

    call = rt_call_create(op, RT_DOOR_REST, rest->identity, request, rt_str_null);
    if (call == NULL) {
        return rt_error_set(error, RT_NO_MEMORY, "Service temporarily unavailable");
    }

    call->timezone = ngx_realtime_str(lcf->timezone);
    rest->task = ngx_realtime_task_post(call, ngx_realtime_rest_done, rest);

    if (rest->task == NULL) {
        rt_call_destroy(call);
        return rt_error_set(error, RT_UNAVAILABLE, "The server is busy, try again");
    }

    return RT_OK;
}


static void
ngx_realtime_rest_done(rt_call_t *call, void *data)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;
    ngx_realtime_rest_t *rest = data;

    if (rest == NULL) {
        return;
    }

    rest->task = NULL;
    r = rest->request;
    c = r->connection;

    ngx_http_finalize_request(r, ngx_realtime_rest_answer(r, call));
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_realtime_rest_answer(ngx_http_request_t *r, rt_call_t *call)
{
    rt_str_t   message;
    ngx_str_t  text;
    ngx_uint_t status;

    status = ngx_realtime_http_status(call->status);
    text = ngx_realtime_ngx_str(call->reply);

    if (call->status != RT_OK) {
        message = rt_str_c(call->error.text);

        if (call->status == RT_ERROR || call->status == RT_NO_MEMORY) {
            message = rt_str("Service temporarily unavailable");
        }

        return ngx_realtime_http_error(r, status, message, text.len ? &text : NULL);
    }

    if (call->total >= 0 && ngx_realtime_rest_total(r, call->total) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (call->created) {
        status = NGX_HTTP_CREATED;
    }

    return ngx_realtime_http_send(r, status, "application/json", &text);
}


/* Browsers let a page of another origin read only the headers that are exposed to it. */
static ngx_int_t
ngx_realtime_rest_total(ngx_http_request_t *r, int64_t total)
{
    ngx_str_t value;

    value.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%L", total) - value.data;

    if (ngx_realtime_http_header(r, "X-Total-Count", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_realtime_http_cors(r, "X-Total-Count");
}
