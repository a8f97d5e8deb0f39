/* Cross-origin requests (the Fetch standard's CORS protocol): which origins may ask, and the
 * headers that tell browsers so. */

#include "ngx_realtime_http.h"


/* What a preflight may ask back for: beyond it only the usual names are listed. */
#define NGX_REALTIME_CORS_HEADERS_MAX 1024


static ngx_uint_t ngx_realtime_http_origin_match(ngx_str_t *pattern, ngx_str_t *origin);
static ngx_uint_t ngx_realtime_http_cors_done(ngx_http_request_t *r);
static ngx_int_t  ngx_realtime_http_preflight_headers(ngx_http_request_t *r, const char *methods);


static ngx_str_t ngx_realtime_http_vary = ngx_string("Origin");


ngx_uint_t
ngx_realtime_http_origin_allowed(ngx_http_request_t *r)
{
    ngx_str_t               *pattern;
    ngx_uint_t               i;
    ngx_table_elt_t         *origin;
    ngx_realtime_loc_conf_t *lcf;

    origin = ngx_realtime_http_header_in(r, "origin");
    if (origin == NULL) {
        return 1;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_realtime_module);

    if (lcf->allow_origin == NULL) {
        return 1;
    }

    pattern = lcf->allow_origin->elts;

    for (i = 0; i < lcf->allow_origin->nelts; i++) {
        if (ngx_realtime_http_origin_match(&pattern[i], &origin->value)) {
            return 1;
        }
    }

    return 0;
}


/* A pattern is an origin, or "*" for any, or an origin with one '*' that stands for a part of the
 * host's name or its port. Host names know no case. */
static ngx_uint_t
ngx_realtime_http_origin_match(ngx_str_t *pattern, ngx_str_t *origin)
{
    size_t prefix, suffix, i;
    u_char ch, *star;

    if (pattern->len == 1 && pattern->data[0] == '*') {
        return 1;
    }

    star = ngx_strlchr(pattern->data, pattern->data + pattern->len, '*');

    if (star == NULL) {
        return pattern->len == origin->len
            && ngx_strncasecmp(pattern->data, origin->data, origin->len) == 0;
    }

    prefix = star - pattern->data;
    suffix = pattern->len - prefix - 1;

    if (origin->len <= prefix + suffix || ngx_strncasecmp(pattern->data, origin->data, prefix) != 0
        || ngx_strncasecmp(star + 1, origin->data + origin->len - suffix, suffix) != 0)
    {
        return 0;
    }

    /* the star never spans '/', ':' or '@': a pattern for a.example's hosts is not fooled by
     * "https://b/.a.example" */

    for (i = prefix; i < origin->len - suffix; i++) {
        ch = origin->data[i] | 0x20;

        if (!((ch >= 'a' && ch <= 'z') || (origin->data[i] >= '0' && origin->data[i] <= '9')
                || origin->data[i] == '-' || origin->data[i] == '.'))
        {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_realtime_http_cors(ngx_http_request_t *r, const char *expose)
{
    ngx_str_t        text;
    ngx_table_elt_t *origin;
    static ngx_str_t yes = ngx_string("true");

    /* a handler that exposes headers has called it before ngx_realtime_http_send() does */

    if (ngx_realtime_http_cors_done(r)) {
        return NGX_OK;
    }

    /* also without Origin: a shared cache must not give this answer to one that has it */

    if (ngx_realtime_http_header(r, "Vary", &ngx_realtime_http_vary) != NGX_OK) {
        return NGX_ERROR;
    }

    origin = ngx_realtime_http_header_in(r, "origin");

    if (origin == NULL || !ngx_realtime_http_origin_allowed(r)) {
        return NGX_OK;
    }

    if (ngx_realtime_http_header(r, "Access-Control-Allow-Origin", &origin->value) != NGX_OK
        || ngx_realtime_http_header(r, "Access-Control-Allow-Credentials", &yes) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (expose == NULL) {
        return NGX_OK;
    }

    text.data = (u_char *) expose;
    text.len = ngx_strlen(expose);

    return ngx_realtime_http_header(r, "Access-Control-Expose-Headers", &text);
}


static ngx_uint_t
ngx_realtime_http_cors_done(ngx_http_request_t *r)
{
    ngx_uint_t       i;
    ngx_list_part_t *part;
    ngx_table_elt_t *h;

    for (part = &r->headers_out.headers.part; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].value.data == ngx_realtime_http_vary.data) {
                return 1;
            }
        }
    }

    return 0;
}


ngx_int_t
ngx_realtime_http_preflight(ngx_http_request_t *r, const char *methods)
{
    ngx_str_t allow;

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }

    allow.data = (u_char *) methods;
    allow.len = ngx_strlen(methods);

    if (ngx_realtime_http_header(r, "Allow", &allow) != NGX_OK
        || ngx_realtime_http_cors(r, NULL) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_realtime_http_header_in(r, "origin") != NULL && ngx_realtime_http_origin_allowed(r)
        && ngx_realtime_http_preflight_headers(r, methods) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;
    r->disable_not_modified = 1;

    return ngx_http_send_header(r);
}


static ngx_int_t
ngx_realtime_http_preflight_headers(ngx_http_request_t *r, const char *methods)
{
    ngx_str_t        text, *names;
    ngx_table_elt_t *asked;
    static ngx_str_t usual = ngx_string("Authorization, Content-Type");
    static ngx_str_t age = ngx_string("600");

    /* with credentials "*" is a name like any other, so what is asked for is reflected */

    asked = ngx_realtime_http_header_in(r, "access-control-request-headers");

    if (asked != NULL && asked->value.len != 0 && asked->value.len <= NGX_REALTIME_CORS_HEADERS_MAX)
    {
        names = &asked->value;

    } else {
        names = &usual;
    }

    text.data = (u_char *) methods;
    text.len = ngx_strlen(methods);

    if (ngx_realtime_http_header(r, "Access-Control-Allow-Methods", &text) != NGX_OK
        || ngx_realtime_http_header(r, "Access-Control-Allow-Headers", names) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_realtime_http_header(r, "Access-Control-Max-Age", &age);
}
