/* Test module: its HTTP operations. */

#include "ngx_http_bus_test.h"


typedef struct {
    ngx_http_request_t      *r;
    ngx_realtime_bus_wait_t *wait;
    ngx_str_t                answers;
    size_t                   size;
} ngx_http_bus_test_ctx_t;

typedef ngx_int_t (*ngx_http_bus_test_op_pt)(ngx_http_request_t *r, ngx_realtime_bus_t *bus);

typedef struct {
    ngx_str_t               name;
    ngx_http_bus_test_op_pt handler;
} ngx_http_bus_test_op_t;


static ngx_str_t
ngx_http_bus_test_arg(ngx_http_request_t *r, const char *name)
{
    ngx_str_t value;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &value) != NGX_OK) {
        ngx_str_null(&value);
    }

    return value;
}


static ngx_int_t
ngx_http_bus_test_int(ngx_http_request_t *r, const char *name, ngx_int_t missing)
{
    ngx_int_t n;
    ngx_str_t value;

    value = ngx_http_bus_test_arg(r, name);
    n = ngx_atoi(value.data, value.len);

    return (n == NGX_ERROR) ? missing : n;
}


ngx_int_t
ngx_http_bus_test_answer(ngx_http_request_t *r, ngx_uint_t status, u_char *data, size_t len)
{
    ngx_int_t   rc;
    ngx_buf_t  *b;
    ngx_chain_t out;

    r->headers_out.status = status;
    r->headers_out.content_length_n = (off_t) len;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_create_temp_buf(r->pool, len + 1);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, data, len);
    b->last_buf = 1;
    b->last_in_chain = 1;
    b->sync = (len == 0);

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_int_t
ngx_http_bus_test_result(ngx_http_request_t *r, ngx_int_t rc)
{
    u_char text[64], *p;

    p = ngx_snprintf(text, sizeof(text), "{\"rc\":%i}", rc);

    return ngx_http_bus_test_answer(r, NGX_HTTP_OK, text, (size_t) (p - text));
}


static ngx_int_t
ngx_http_bus_test_info(ngx_http_request_t *r, ngx_realtime_bus_t *bus)
{
    u_char text[256], *p;

    p = ngx_snprintf(text, sizeof(text),
        "{\"id\":\"%016xL\",\"pid\":%P,\"peers\":%ui,\"gaps\":%ui,\"lost\":%ui,"
        "\"heard\":%ui,\"connections\":%ui,\"up\":%ui}",
        (int64_t) bus->self, ngx_pid, bus->methods->peers(bus), ngx_http_bus_test_log.gaps,
        ngx_http_bus_test_log.lost, ngx_http_bus_test_log.heard, ngx_realtime_limits_connections(),
        bus->methods->up(bus));

    return ngx_http_bus_test_answer(r, NGX_HTTP_OK, text, (size_t) (p - text));
}


static ngx_int_t
ngx_http_bus_test_take_log(ngx_http_request_t *r, ngx_realtime_bus_t *bus)
{
    u_char                  *text, *p;
    ngx_http_bus_test_log_t *log;

    log = &ngx_http_bus_test_log;

    text = ngx_pnalloc(r->pool, log->len + 2);
    if (text == NULL) {
        return NGX_ERROR;
    }

    p = text;
    *p++ = '[';

    if (log->len != 0) {
        p = ngx_cpymem(p, log->data, log->len);
    }

    *p++ = ']';
    log->len = 0;

    return ngx_http_bus_test_answer(r, NGX_HTTP_OK, text, (size_t) (p - text));
}


/* "<d>:<i>", filled up with dots to `size`. */
static ngx_int_t
ngx_http_bus_test_payload(ngx_http_request_t *r, ngx_int_t i, ngx_str_t *payload)
{
    u_char   *p;
    size_t    size;
    ngx_str_t d;

    d = ngx_http_bus_test_arg(r, "d");
    size = (size_t) ngx_http_bus_test_int(r, "size", 0);

    payload->data = ngx_palloc(r->pool, ngx_max(size, d.len + 32));
    if (payload->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(payload->data, "%V:%i", &d, i);
    payload->len = (size_t) (p - payload->data);

    if (payload->len < size) {
        ngx_memset(p, '.', size - payload->len);
        payload->len = size;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_bus_test_publish(ngx_http_request_t *r, ngx_realtime_bus_t *bus)
{
    ngx_int_t i, n, rc, first;
    ngx_str_t channel, payload;

    channel = ngx_http_bus_test_arg(r, "c");
    n = ngx_http_bus_test_int(r, "n", 1);
    first = ngx_http_bus_test_int(r, "first", 0);
    rc = NGX_OK;

    for (i = first; i < first + n; i++) {
        if (ngx_http_bus_test_payload(r, i, &payload) != NGX_OK) {
            return NGX_ERROR;
        }

        rc = bus->methods->publish(bus, &channel, &payload);
        ngx_pfree(r->pool, payload.data);
    }

    return ngx_http_bus_test_result(r, rc);
}


static ngx_int_t
ngx_http_bus_test_send(ngx_http_request_t *r, ngx_realtime_bus_t *bus)
{
    char      hex[17];
    ngx_int_t i, n, rc, first;
    ngx_str_t to, payload;

    to = ngx_http_bus_test_arg(r, "to");

    if (to.len != 16) {
        return NGX_HTTP_BAD_REQUEST;
    }

    (void) ngx_cpystrn((u_char *) hex, to.data, sizeof(hex));

    n = ngx_http_bus_test_int(r, "n", 1);
    first = ngx_http_bus_test_int(r, "first", 0);
    rc = NGX_OK;

    for (i = first; i < first + n && rc == NGX_OK; i++) {
        if (ngx_http_bus_test_payload(r, i, &payload) != NGX_OK) {
            return NGX_ERROR;
        }

        rc = bus->methods->send(bus, strtoull(hex, NULL, 16), &payload);
        ngx_pfree(r->pool, payload.data);
    }

    return ngx_http_bus_test_result(r, rc);
}


static void
ngx_http_bus_test_forget(void *data)
{
    ngx_http_bus_test_ctx_t *ctx;

    ctx = data;

    if (ctx->wait != NULL && ngx_realtime_worker != NULL) {
        ngx_realtime_worker->bus->methods->cancel(ngx_realtime_worker->bus, ctx->wait);
    }
}


static ngx_http_bus_test_ctx_t *
ngx_http_bus_test_ctx(ngx_http_request_t *r)
{
    ngx_http_cleanup_t      *cleanup;
    ngx_http_bus_test_ctx_t *ctx;

    cleanup = ngx_http_cleanup_add(r, sizeof(ngx_http_bus_test_ctx_t));
    if (cleanup == NULL) {
        return NULL;
    }

    ctx = cleanup->data;
    ngx_memzero(ctx, sizeof(ngx_http_bus_test_ctx_t));
    ctx->r = r;
    cleanup->handler = ngx_http_bus_test_forget;

    return ctx;
}


static void
ngx_http_bus_test_subscribed(void *data)
{
    ngx_connection_t        *c;
    ngx_http_bus_test_ctx_t *ctx;

    ctx = data;
    ctx->wait = NULL;
    c = ctx->r->connection;

    ngx_http_finalize_request(ctx->r, ngx_http_bus_test_result(ctx->r, NGX_OK));
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_bus_test_subscribe(ngx_http_request_t *r, ngx_realtime_bus_t *bus)
{
    u_char                   name[64];
    ngx_int_t                i, n;
    ngx_str_t                channel, prefix;
    ngx_http_bus_test_ctx_t *ctx;

    /* n > 1: channels c0, c1, …, without waiting */
    prefix = ngx_http_bus_test_arg(r, "c");
    n = ngx_http_bus_test_int(r, "n", 0);

    for (i = 0; i < n; i++) {
        channel.data = name;
        channel.len = (size_t) (ngx_snprintf(name, sizeof(name), "%V%i", &prefix, i) - name);

        if (bus->methods->subscribe(bus, &channel, NULL, NULL, NULL) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ctx = ngx_http_bus_test_ctx(r);

    if (ctx == NULL
        || bus->methods->subscribe(bus, &prefix, ngx_http_bus_test_subscribed, ctx, &ctx->wait)
            != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->main->count++;

    return NGX_DONE;
}


static ngx_int_t
ngx_http_bus_test_unsubscribe(ngx_http_request_t *r, ngx_realtime_bus_t *bus)
{
    ngx_str_t channel;

    channel = ngx_http_bus_test_arg(r, "c");
    bus->methods->unsubscribe(bus, &channel);

    return ngx_http_bus_test_result(r, NGX_OK);
}


static void
ngx_http_bus_test_answered(void *data, ngx_str_t *answer, ngx_uint_t late)
{
    u_char                  *p;
    ngx_connection_t        *c;
    ngx_http_bus_test_ctx_t *ctx;

    ctx = data;
    p = ctx->answers.data + ctx->answers.len;

    if (answer != NULL) {
        if (answer->len + 8 < ctx->size - ctx->answers.len) {
            p = ngx_sprintf(p, "%s\"%V\"", ctx->answers.len > 1 ? "," : "", answer);
            ctx->answers.len = (size_t) (p - ctx->answers.data);
        }

        return;
    }

    *p = ']';
    ctx->wait = NULL;
    c = ctx->r->connection;

    ngx_http_finalize_request(ctx->r,
        ngx_http_bus_test_answer(ctx->r, NGX_HTTP_OK, ctx->answers.data, ctx->answers.len + 1));
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_bus_test_request(ngx_http_request_t *r, ngx_realtime_bus_t *bus)
{
    ngx_str_t                channel, payload;
    ngx_msec_t               timeout;
    ngx_http_bus_test_ctx_t *ctx;

    channel = ngx_http_bus_test_arg(r, "c");
    payload = ngx_http_bus_test_arg(r, "d");
    timeout = (ngx_msec_t) ngx_http_bus_test_int(r, "timeout", 3000);

    ctx = ngx_http_bus_test_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->size = 65536;
    ctx->answers.data = ngx_palloc(r->pool, ctx->size);
    if (ctx->answers.data == NULL) {
        return NGX_ERROR;
    }

    ctx->answers.data[0] = '[';
    ctx->answers.len = 1;

    if (bus->methods->request(bus, &channel, &payload, timeout, ngx_http_bus_test_answered, ctx,
            &ctx->wait)
        != NGX_OK)
    {
        ctx->wait = NULL;
        return NGX_ERROR;
    }

    r->main->count++;

    return NGX_DONE;
}


static rt_str_t
ngx_http_bus_test_rt_arg(ngx_http_request_t *r, const char *name)
{
    return ngx_realtime_str(ngx_http_bus_test_arg(r, name));
}


/* /limit?max=N, or with user=U; remove=1 takes one away. */
static ngx_int_t
ngx_http_bus_test_limit(ngx_http_request_t *r, ngx_realtime_bus_t *bus)
{
    ngx_uint_t max, i, n;
    ngx_int_t  rc;
    rt_str_t   user, business;

    rc = NGX_OK;
    max = (ngx_uint_t) ngx_http_bus_test_int(r, "max", 0);
    n = (ngx_uint_t) ngx_http_bus_test_int(r, "n", 1);
    user = ngx_http_bus_test_rt_arg(r, "user");
    business = ngx_http_bus_test_rt_arg(r, "business");

    for (i = 0; i < n && rc == NGX_OK; i++) {
        if (ngx_http_bus_test_arg(r, "remove").len != 0) {
            if (user.len != 0) {
                ngx_realtime_limits_user_remove(business, user);

            } else {
                ngx_realtime_limits_connection_remove();
            }

        } else if (user.len != 0) {
            rc = ngx_realtime_limits_user_add(business, user, max);

        } else {
            rc = ngx_realtime_limits_connection_add(max);
        }
    }

    return ngx_http_bus_test_result(r, rc);
}


/* /users?n=N&first=F&max=M: one connection each of N users; the result is how many were let in. */
static ngx_int_t
ngx_http_bus_test_users(ngx_http_request_t *r, ngx_realtime_bus_t *bus)
{
    u_char     name[32];
    rt_str_t   user;
    ngx_int_t  let_in;
    ngx_uint_t i, n, first, max;

    let_in = 0;
    n = (ngx_uint_t) ngx_http_bus_test_int(r, "n", 1);
    first = (ngx_uint_t) ngx_http_bus_test_int(r, "first", 0);
    max = (ngx_uint_t) ngx_http_bus_test_int(r, "max", 1);

    for (i = first; i < first + n; i++) {
        user.data = (char *) name;
        user.len = (size_t) (ngx_snprintf(name, sizeof(name), "user%ui", i) - name);

        if (ngx_realtime_limits_user_add(rt_str("b"), user, max) == NGX_OK) {
            let_in++;
        }
    }

    return ngx_http_bus_test_result(r, let_in);
}


static const ngx_http_bus_test_op_t ngx_http_bus_test_table[] = {{ngx_string("info"),
                                                                     ngx_http_bus_test_info},
    {ngx_string("log"), ngx_http_bus_test_take_log},
    {ngx_string("publish"), ngx_http_bus_test_publish},
    {ngx_string("send"), ngx_http_bus_test_send},
    {ngx_string("subscribe"), ngx_http_bus_test_subscribe},
    {ngx_string("unsubscribe"), ngx_http_bus_test_unsubscribe},
    {ngx_string("request"), ngx_http_bus_test_request},
    {ngx_string("limit"), ngx_http_bus_test_limit}, {ngx_string("users"), ngx_http_bus_test_users}};


ngx_int_t
ngx_http_bus_test_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    const ngx_http_bus_test_op_t *op;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    for (i = 0; i < sizeof(ngx_http_bus_test_table) / sizeof(ngx_http_bus_test_op_t); i++) {
        op = &ngx_http_bus_test_table[i];

        if (r->uri.len > op->name.len
            && ngx_strncmp(r->uri.data + r->uri.len - op->name.len, op->name.data, op->name.len)
                == 0
            && r->uri.data[r->uri.len - op->name.len - 1] == '/')
        {
            return op->handler(r, ngx_realtime_worker->bus);
        }
    }

    return NGX_HTTP_NOT_FOUND;
}
