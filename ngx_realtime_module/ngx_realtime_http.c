/* Answers and errors that every HTTP handler of ours gives, and the request parts they read:
 * query parameters and the bearer token. CORS and bodies have files of their own. */

#include "ngx_realtime_http.h"
#include "ngx_realtime_metrics.h"

#include <rt/rt_text.h>


static void        ngx_realtime_http_drop_body(ngx_http_request_t *r);
static ngx_int_t   ngx_realtime_http_error_headers(ngx_http_request_t *r, ngx_uint_t status);
static const char *ngx_realtime_http_reason(ngx_uint_t status);
static ngx_int_t   ngx_realtime_http_unescape(ngx_http_request_t *r, u_char *from, u_char *end,
      ngx_str_t *value);
static ngx_int_t   ngx_realtime_http_hex(u_char ch);


typedef struct {
    ngx_uint_t  status;
    const char *reason;
} ngx_realtime_http_reason_t;


static const ngx_realtime_http_reason_t ngx_realtime_http_reasons[] = {
    {NGX_HTTP_BAD_REQUEST, "Bad Request"},
    {NGX_HTTP_UNAUTHORIZED, "Unauthorized"},
    {NGX_HTTP_FORBIDDEN, "Forbidden"},
    {NGX_HTTP_NOT_FOUND, "Not Found"},
    {NGX_HTTP_NOT_ALLOWED, "Method Not Allowed"},
    {NGX_HTTP_REQUEST_TIME_OUT, "Request Timeout"},
    {NGX_HTTP_CONFLICT, "Conflict"},
    {NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "Payload Too Large"},
    {NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, "Unsupported Media Type"},
    {426, "Upgrade Required"},
    {NGX_HTTP_TOO_MANY_REQUESTS, "Too Many Requests"},
    {NGX_HTTP_NOT_IMPLEMENTED, "Not Implemented"},
    {NGX_HTTP_SERVICE_UNAVAILABLE, "Service Unavailable"},
    {0, NULL},
};


ngx_uint_t
ngx_realtime_http_status(rt_status_t status)
{
    switch (status) {

    case RT_OK:
        return NGX_HTTP_OK;

    case RT_INVALID:
        return NGX_HTTP_BAD_REQUEST;

    case RT_UNAUTHORIZED:
        return NGX_HTTP_UNAUTHORIZED;

    case RT_FORBIDDEN:
        return NGX_HTTP_FORBIDDEN;

    case RT_NOT_FOUND:
        return NGX_HTTP_NOT_FOUND;

    case RT_CONFLICT:
        return NGX_HTTP_CONFLICT;

    case RT_TOO_LARGE:
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;

    case RT_RATE_LIMITED:
        return NGX_HTTP_TOO_MANY_REQUESTS;

    case RT_AGAIN:
    case RT_DECLINED:
    case RT_UNAVAILABLE:
    case RT_NO_MEMORY:
    case RT_ERROR:
        break;
    }

    return NGX_HTTP_SERVICE_UNAVAILABLE;
}


static void
ngx_realtime_http_count(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_realtime_loc_conf_t *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_realtime_module);

    if (lcf->api && ngx_realtime_worker != NULL) {
        ngx_realtime_metrics->counts.requests[ngx_min(status / 100, 5)]++;
    }
}


ngx_int_t
ngx_realtime_http_send(ngx_http_request_t *r, ngx_uint_t status, const char *content_type,
    ngx_str_t *body)
{
    ngx_int_t        rc;
    ngx_buf_t       *b;
    ngx_chain_t      out;
    static ngx_str_t no_store = ngx_string("no-store");

    ngx_realtime_http_drop_body(r);
    ngx_realtime_http_count(r, status);

    r->headers_out.status = status;
    r->headers_out.content_length_n = body->len;
    r->headers_out.content_type.data = (u_char *) content_type;
    r->headers_out.content_type.len = ngx_strlen(content_type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    /* else If-Match and If-Unmodified-Since get nginx's HTML 412: our answers have no validators */
    r->disable_not_modified = 1;

    if (ngx_realtime_http_header(r, "Cache-Control", &no_store) != NGX_OK
        || ngx_realtime_http_cors(r, NULL) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_create_temp_buf(r->pool, body->len ? body->len : 1);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, body->data, body->len);
    b->temporary = body->len ? 1 : 0;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;
    b->sync = (r == r->main) ? 0 : 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/* A body that nobody has read must leave the connection, or it is taken for the next request. */
static void
ngx_realtime_http_drop_body(ngx_http_request_t *r)
{
    if (r->headers_in.expect && !r->expect_tested) {
        /* the client waits for 100 Continue and, answered at once, may never send its body */
        r->expect_tested = 1;
        r->keepalive = 0;
    }

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }
}


ngx_int_t
ngx_realtime_http_error(ngx_http_request_t *r, ngx_uint_t status, rt_str_t message,
    ngx_str_t *extra)
{
    size_t    i, len;
    u_char   *p;
    rt_buf_t  buf;
    ngx_int_t rc;
    ngx_str_t body;

    if (ngx_realtime_http_error_headers(r, status) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&buf, sizeof(rt_buf_t));
    rt_buf_append_str(&buf, rt_str("{\"statusCode\":"));
    rt_buf_append_int(&buf, (int64_t) status);
    rt_buf_append_str(&buf, rt_str(",\"error\":\""));
    rt_buf_append_str(&buf, rt_str_c(ngx_realtime_http_reason(status)));
    rt_buf_append_str(&buf, rt_str("\",\"message\":"));
    rt_buf_append_json_string(&buf, message);

    if (extra != NULL && extra->len > 2) {
        p = extra->data;
        len = extra->len;

        for (i = 1; i < len && (p[i] == ' ' || p[i] == '\n'); i++) { /* void */
        }

        /* the members between the braces; an empty object has none */
        if (p[0] == '{' && p[len - 1] == '}' && p[i] != '}') {
            rt_buf_append_str(&buf, rt_str(","));
            rt_buf_append(&buf, p + 1, len - 2);
        }
    }

    rt_buf_append_str(&buf, rt_str("}"));

    if (buf.failed) {
        rt_buf_free(&buf);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = (u_char *) buf.data;
    body.len = buf.len;

    rc = ngx_realtime_http_send(r, status, "application/json", &body);

    rt_buf_free(&buf);

    return rc;
}


static ngx_int_t
ngx_realtime_http_error_headers(ngx_http_request_t *r, ngx_uint_t status)
{
    static ngx_str_t bearer = ngx_string("Bearer");
    static ngx_str_t seconds = ngx_string("1");

    switch (status) {

    case NGX_HTTP_UNAUTHORIZED:
        return ngx_realtime_http_header(r, "WWW-Authenticate", &bearer);

    case NGX_HTTP_TOO_MANY_REQUESTS:
    case NGX_HTTP_SERVICE_UNAVAILABLE:
        return ngx_realtime_http_header(r, "Retry-After", &seconds);

    default:
        return NGX_OK;
    }
}


static const char *
ngx_realtime_http_reason(ngx_uint_t status)
{
    const ngx_realtime_http_reason_t *reason;

    for (reason = ngx_realtime_http_reasons; reason->status; reason++) {
        if (reason->status == status) {
            return reason->reason;
        }
    }

    return "Error";
}


ngx_int_t
ngx_realtime_http_header(ngx_http_request_t *r, const char *name, ngx_str_t *value)
{
    ngx_table_elt_t *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;
    h->lowcase_key = NULL;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return NGX_OK;
}


ngx_table_elt_t *
ngx_realtime_http_header_in(ngx_http_request_t *r, const char *lowcase_name)
{
    size_t           len;
    ngx_uint_t       i;
    ngx_list_part_t *part;
    ngx_table_elt_t *h;

    len = ngx_strlen(lowcase_name);

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == len && ngx_strncmp(h[i].lowcase_key, lowcase_name, len) == 0) {
                return &h[i];
            }
        }
    }

    return NULL;
}


ngx_int_t
ngx_realtime_http_arg(ngx_http_request_t *r, const char *name, ngx_str_t *value)
{
    size_t  len;
    u_char *p, *last, *end;

    len = ngx_strlen(name);
    p = r->args.data;
    last = p + r->args.len;

    /* not ngx_http_arg(): it takes names in any case and skips one without '=' */

    while (p < last) {
        end = ngx_strlchr(p, last, '&');
        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) >= len && ngx_memcmp(p, name, len) == 0
            && (p + len == end || p[len] == '=')) {
            p += len;
            return ngx_realtime_http_unescape(r, p < end ? p + 1 : p, end, value);
        }

        p = end + 1;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_realtime_http_unescape(ngx_http_request_t *r, u_char *from, u_char *end, ngx_str_t *value)
{
    u_char   *to;
    ngx_int_t high, low;

    to = ngx_pnalloc(r->pool, end - from + 1);
    if (to == NULL) {
        return NGX_ERROR;
    }

    value->data = to;

    while (from < end) {

        if (*from != '%') {
            *to++ = (*from == '+') ? ' ' : *from;
            from++;
            continue;
        }

        if (end - from < 3) {
            return NGX_ERROR;
        }

        high = ngx_realtime_http_hex(from[1]);
        low = ngx_realtime_http_hex(from[2]);

        if (high < 0 || low < 0 || high + low == 0) {
            return NGX_ERROR;
        }

        *to++ = (u_char) (high * 16 + low);
        from += 3;
    }

    value->len = to - value->data;

    return rt_utf8_valid(ngx_realtime_str(*value)) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_realtime_http_hex(u_char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    if (ch >= 'a' && ch <= 'f') {
        return ch - 'a' + 10;
    }

    return -1;
}


ngx_int_t
ngx_realtime_http_bearer(ngx_http_request_t *r, ngx_str_t *token)
{
    u_char    *p, *last;
    ngx_str_t *value;

    if (r->headers_in.authorization == NULL) {
        return NGX_DECLINED;
    }

    value = &r->headers_in.authorization->value;

    /* RFC 9110, 11.1: the scheme is case-insensitive */

    if (value->len < sizeof("Bearer ") - 1
        || ngx_strncasecmp(value->data, (u_char *) "Bearer ", sizeof("Bearer ") - 1) != 0)
    {
        return NGX_DECLINED;
    }

    p = value->data + sizeof("Bearer ") - 1;
    last = value->data + value->len;

    while (p < last && *p == ' ') {
        p++;
    }

    while (last > p && last[-1] == ' ') {
        last--;
    }

    if (p == last) {
        return NGX_DECLINED;
    }

    token->data = p;
    token->len = last - p;

    return NGX_OK;
}
