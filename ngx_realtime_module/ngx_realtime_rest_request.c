/* From a body, a query and a path to the object that a core operation takes. Only form is judged
 * here: what the members must be is the operation's to say. */

#include "ngx_realtime_rest_request.h"
#include "ngx_realtime_http.h"

#include <rt/rt_json.h>
#include <rt/rt_text.h>


/* So many digits always fit into an int64. */
#define NGX_REALTIME_PARAM_DIGITS_MAX 18


static ngx_uint_t ngx_realtime_rest_body(ngx_http_request_t *r, ngx_str_t *body, json_t **out,
    rt_error_t *error);
static ngx_uint_t ngx_realtime_rest_body_form(ngx_http_request_t *r, rt_error_t *error);
static ngx_uint_t ngx_realtime_rest_text(ngx_http_request_t *r, const ngx_realtime_param_t *param,
    ngx_str_t *body, json_t *request, rt_error_t *error);
static ngx_uint_t ngx_realtime_rest_media_type_ok(ngx_http_request_t *r);
static ngx_uint_t ngx_realtime_rest_query(ngx_http_request_t *r, const ngx_realtime_param_t *params,
    json_t *request, rt_error_t *error);
static json_t    *ngx_realtime_rest_value(const ngx_realtime_param_t *param, ngx_str_t *text,
       rt_error_t *error);
static json_t    *ngx_realtime_rest_integer(ngx_str_t *text);
static ngx_uint_t ngx_realtime_rest_path(const ngx_realtime_route_match_t *match, json_t *request,
    rt_error_t *error);
static ngx_uint_t ngx_realtime_rest_no_memory(rt_error_t *error);


ngx_uint_t
ngx_realtime_rest_request(ngx_http_request_t *r, const ngx_realtime_route_match_t *match,
    ngx_str_t *body, json_t **out, rt_error_t *error)
{
    json_t                     *request;
    ngx_uint_t                  status;
    const ngx_realtime_param_t *query;

    request = NULL;
    query = match->route->query;

    if (body != NULL && body->len != 0 && (query == NULL || query->type != NGX_REALTIME_PARAM_BODY))
    {
        status = ngx_realtime_rest_body(r, body, &request, error);

        if (status != NGX_HTTP_OK) {
            return status;
        }

    } else {
        request = json_object();

        if (request == NULL) {
            return ngx_realtime_rest_no_memory(error);
        }
    }

    status = NGX_HTTP_OK;

    for (/* void */; query != NULL && query->type >= NGX_REALTIME_PARAM_BODY; query++) {
        status = ngx_realtime_rest_text(r, query, body, request, error);

        if (status != NGX_HTTP_OK) {
            break;
        }
    }

    if (status == NGX_HTTP_OK) {
        status = ngx_realtime_rest_query(r, query, request, error);
    }

    if (status == NGX_HTTP_OK) {
        status = ngx_realtime_rest_path(match, request, error);
    }

    if (status != NGX_HTTP_OK) {
        json_decref(request);
        return status;
    }

    *out = request;

    return NGX_HTTP_OK;
}


static ngx_uint_t
ngx_realtime_rest_body(ngx_http_request_t *r, ngx_str_t *body, json_t **out, rt_error_t *error)
{
    json_t     *value;
    ngx_uint_t  form;
    rt_status_t status;

    form = ngx_realtime_rest_body_form(r, error);
    if (form != NGX_HTTP_OK) {
        return form;
    }

    value = NULL;
    status = rt_json_parse(ngx_realtime_str(*body), &value, error);

    if (status == RT_NO_MEMORY) {
        return ngx_realtime_rest_no_memory(error);
    }

    if (status != RT_OK) {
        json_decref(value); /* of one that is well-formed but refused */
        return NGX_HTTP_BAD_REQUEST;
    }

    if (!json_is_object(value)) {
        json_decref(value);
        rt_error_set(error, RT_INVALID, "The body must be a JSON object");
        return NGX_HTTP_BAD_REQUEST;
    }

    *out = value;

    return NGX_HTTP_OK;
}


static ngx_uint_t
ngx_realtime_rest_body_form(ngx_http_request_t *r, rt_error_t *error)
{
    if (!ngx_realtime_rest_media_type_ok(r)) {
        rt_error_set(error, RT_INVALID, "The body must be application/json");
        return NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
    }

    if (ngx_realtime_http_header_in(r, "content-encoding") != NULL) {
        rt_error_set(error, RT_INVALID, "The body must come without Content-Encoding");
        return NGX_HTTP_UNSUPPORTED_MEDIA_TYPE;
    }

    return NGX_HTTP_OK;
}


/* The body or a header as it is: the operation says what may be in it. */
static ngx_uint_t
ngx_realtime_rest_text(ngx_http_request_t *r, const ngx_realtime_param_t *param, ngx_str_t *body,
    json_t *request, rt_error_t *error)
{
    ngx_str_t       *text;
    ngx_uint_t       status;
    ngx_table_elt_t *header;

    text = body;

    if (param->type == NGX_REALTIME_PARAM_KEY) {
        header = ngx_realtime_http_header_in(r, "idempotency-key");
        text = header ? &header->value : NULL;
    }

    if (text == NULL || text->len == 0) {
        return NGX_HTTP_OK;
    }

    if (param->type == NGX_REALTIME_PARAM_BODY) {
        status = ngx_realtime_rest_body_form(r, error);
        if (status != NGX_HTTP_OK) {
            return status;
        }
    }

    if (!rt_utf8_valid(ngx_realtime_str(*text))) {
        rt_error_set(error, RT_INVALID, "%s is not well-formed UTF-8",
            param->type == NGX_REALTIME_PARAM_BODY ? "The body" : "Idempotency-Key");
        return NGX_HTTP_BAD_REQUEST;
    }

    /* a NUL in it is for the parser to refuse */
    if (json_object_set_new(request, param->name,
            json_stringn_nocheck((const char *) text->data, text->len))
        != 0)
    {
        return ngx_realtime_rest_no_memory(error);
    }

    return NGX_HTTP_OK;
}


/* application/json with any parameters: RFC 8259 defines none, and JSON is UTF-8. */
static ngx_uint_t
ngx_realtime_rest_media_type_ok(ngx_http_request_t *r)
{
    size_t     len;
    ngx_str_t *type;

    if (r->headers_in.content_type == NULL) {
        return 0;
    }

    len = sizeof("application/json") - 1;
    type = &r->headers_in.content_type->value;

    if (type->len < len || ngx_strncasecmp(type->data, (u_char *) "application/json", len) != 0) {
        return 0;
    }

    return type->len == len || type->data[len] == ';' || type->data[len] == ' ';
}


static ngx_uint_t
ngx_realtime_rest_query(ngx_http_request_t *r, const ngx_realtime_param_t *params, json_t *request,
    rt_error_t *error)
{
    json_t                     *value;
    ngx_int_t                   rc;
    ngx_str_t                   text;
    const ngx_realtime_param_t *param;

    for (param = params; param != NULL && param->name != NULL; param++) {

        rc = ngx_realtime_http_arg(r, param->name, &text);

        if (rc == NGX_DECLINED) {
            continue;
        }

        if (rc != NGX_OK) {
            rt_error_set(error, RT_INVALID, "%s is not well-formed", param->name);
            return NGX_HTTP_BAD_REQUEST;
        }

        value = ngx_realtime_rest_value(param, &text, error);

        if (value == NULL) {
            return ngx_realtime_http_status(error->status);
        }

        if (json_object_set_new(request, param->name, value) != 0) {
            return ngx_realtime_rest_no_memory(error);
        }
    }

    return NGX_HTTP_OK;
}


/* NULL with *error set: not of the parameter's type, or no memory. */
static json_t *
ngx_realtime_rest_value(const ngx_realtime_param_t *param, ngx_str_t *text, rt_error_t *error)
{
    json_t *value;

    rt_error_set(error, RT_NO_MEMORY, "Service temporarily unavailable");

    switch (param->type) {

    case NGX_REALTIME_PARAM_INTEGER:
        value = ngx_realtime_rest_integer(text);

        if (value == NULL) {
            rt_error_set(error, RT_INVALID, "%s must be an integer", param->name);
        }

        return value;

    case NGX_REALTIME_PARAM_BOOLEAN:
        if (text->len == 4 && ngx_memcmp(text->data, "true", 4) == 0) {
            return json_true();
        }

        if (text->len == 5 && ngx_memcmp(text->data, "false", 5) == 0) {
            return json_false();
        }

        rt_error_set(error, RT_INVALID, "%s must be true or false", param->name);
        return NULL;

    case NGX_REALTIME_PARAM_STRING:
    case NGX_REALTIME_PARAM_BODY:
    case NGX_REALTIME_PARAM_KEY:
        break;
    }

    return json_stringn((const char *) text->data, text->len);
}


static json_t *
ngx_realtime_rest_integer(ngx_str_t *text)
{
    u_char    *p, *last;
    json_int_t n;

    p = text->data;
    last = p + text->len;

    if (p < last && *p == '-') {
        p++;
    }

    if (p == last || last - p > NGX_REALTIME_PARAM_DIGITS_MAX) {
        return NULL;
    }

    for (n = 0; p < last; p++) {
        if (*p < '0' || *p > '9') {
            return NULL;
        }

        n = n * 10 + (*p - '0');
    }

    return json_integer(text->data[0] == '-' ? -n : n);
}


static ngx_uint_t
ngx_realtime_rest_path(const ngx_realtime_route_match_t *match, json_t *request, rt_error_t *error)
{
    char       name[32];
    rt_str_t   value;
    ngx_uint_t i;

    for (i = 0; i < match->params; i++) {
        value = ngx_realtime_str(match->values[i]);

        if (!rt_utf8_valid(value)) {
            rt_error_set(error, RT_NOT_FOUND, "Not found");
            return NGX_HTTP_NOT_FOUND;
        }

        ngx_cpystrn((u_char *) name, match->names[i].data,
            ngx_min(sizeof(name), match->names[i].len + 1));

        if (rt_json_set_str(request, name, value) != 0) {
            return ngx_realtime_rest_no_memory(error);
        }
    }

    return NGX_HTTP_OK;
}


static ngx_uint_t
ngx_realtime_rest_no_memory(rt_error_t *error)
{
    return ngx_realtime_http_status(
        rt_error_set(error, RT_NO_MEMORY, "Service temporarily unavailable"));
}
