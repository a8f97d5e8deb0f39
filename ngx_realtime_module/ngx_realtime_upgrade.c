/* From an HTTP request to a WebSocket connection of our own.
 *
 * The request is freed and its connection kept, as ngx_http_set_keepalive() does: an idle client
 * then costs a tenth of a held request. It is done from a posted event, because nginx still looks
 * at the request after its handler. */

#include "ngx_realtime_upgrade.h"
#include "ngx_realtime_http.h"

#include <rt/rt_ws.h>


typedef struct {
    ngx_event_t             event;
    ngx_http_request_t     *request; /* NULL once it is gone */
    ngx_realtime_upgrade_pt done;
    void                   *data;
    unsigned                deflate:1;
} ngx_realtime_upgrade_t;

static ngx_uint_t         ngx_realtime_upgrade_has_token(ngx_str_t *value, const char *token);
static ngx_table_elt_t   *ngx_realtime_upgrade_header(ngx_http_request_t *r, const char *name,
      ngx_uint_t *count);
static ngx_int_t          ngx_realtime_upgrade_deflate(ngx_http_request_t *r,
             ngx_realtime_upgrade_t                                       *upgrade);
static void               ngx_realtime_upgrade_cleanup(void *data);
static void               ngx_realtime_upgrade_handler(ngx_event_t *ev);
static ngx_realtime_ws_t *ngx_realtime_upgrade_detach(ngx_realtime_upgrade_t *upgrade);
static void ngx_realtime_upgrade_free_buffers(ngx_connection_t *c, ngx_http_connection_t *hc);
static void ngx_realtime_upgrade_free_chain(ngx_connection_t *c, ngx_chain_t **chain);


ngx_uint_t
ngx_realtime_upgrade_asked(ngx_http_request_t *r)
{
    return r->headers_in.upgrade != NULL
        && ngx_realtime_upgrade_has_token(&r->headers_in.upgrade->value, "websocket");
}


ngx_int_t
ngx_realtime_upgrade_check(ngx_http_request_t *r)
{
    char             accept[RT_WS_ACCEPT_LEN];
    ngx_str_t        version;
    ngx_uint_t       count, keys, versions;
    ngx_table_elt_t *key, *asked, *connection;

    if (r != r->main || r->http_version != NGX_HTTP_VERSION_11 || r->method != NGX_HTTP_GET
        || r->stream != NULL)
    {
        return NGX_HTTP_BAD_REQUEST;
    }

    /* with a body, what follows in the buffer would not be frames */
    if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {
        return NGX_HTTP_BAD_REQUEST;
    }

    /* headers_in.connection is not set before nginx 1.23 */
    connection = ngx_realtime_upgrade_header(r, "connection", &count);

    if (connection == NULL || !ngx_realtime_upgrade_has_token(&connection->value, "upgrade")) {
        return NGX_HTTP_BAD_REQUEST;
    }

    asked = ngx_realtime_upgrade_header(r, "sec-websocket-version", &versions);

    if (versions != 1 || asked->value.len != 2 || ngx_strncmp(asked->value.data, "13", 2) != 0) {
        ngx_str_set(&version, "13");
        return ngx_realtime_http_header(r, "Sec-WebSocket-Version", &version) == NGX_OK
            ? 426
            : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    key = ngx_realtime_upgrade_header(r, "sec-websocket-key", &keys);

    if (keys != 1 || rt_ws_accept(accept, ngx_realtime_str(key->value)) != RT_OK) {
        return NGX_HTTP_BAD_REQUEST;
    }

    return NGX_OK;
}


/* A comma-separated list holds the token, in any case. */
static ngx_uint_t
ngx_realtime_upgrade_has_token(ngx_str_t *value, const char *token)
{
    size_t  len;
    u_char *p, *start, *end, *last;

    len = ngx_strlen(token);
    p = value->data;
    last = value->data + value->len;

    while (p < last) {
        while (p < last && (*p == ' ' || *p == '\t' || *p == ',')) {
            p++;
        }

        start = p;

        while (p < last && *p != ',') {
            p++;
        }

        for (end = p; end > start && (end[-1] == ' ' || end[-1] == '\t'); end--) {
            /* void */
        }

        if ((size_t) (end - start) == len && ngx_strncasecmp(start, (u_char *) token, len) == 0) {
            return 1;
        }
    }

    return 0;
}


/* The first header of that (lower-case) name; *count says how many there are. */
static ngx_table_elt_t *
ngx_realtime_upgrade_header(ngx_http_request_t *r, const char *name, ngx_uint_t *count)
{
    size_t           len;
    ngx_uint_t       i;
    ngx_list_part_t *part;
    ngx_table_elt_t *h, *found;

    len = ngx_strlen(name);
    found = NULL;
    *count = 0;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == len && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0) {
                found = found ? found : &h[i];
                (*count)++;
            }
        }
    }

    return found;
}


ngx_int_t
ngx_realtime_upgrade(ngx_http_request_t *r, ngx_realtime_upgrade_pt done, void *data)
{
    ngx_str_t               accept, websocket = ngx_string("websocket");
    ngx_uint_t              count;
    ngx_http_cleanup_t     *cleanup;
    ngx_realtime_upgrade_t *upgrade;

    upgrade = ngx_calloc(sizeof(ngx_realtime_upgrade_t), ngx_cycle->log);
    if (upgrade == NULL) {
        return NGX_ERROR;
    }

    accept.len = RT_WS_ACCEPT_LEN;
    accept.data = ngx_pnalloc(r->pool, RT_WS_ACCEPT_LEN);

    if (accept.data == NULL
        || rt_ws_accept((char *) accept.data,
               ngx_realtime_str(ngx_realtime_upgrade_header(r, "sec-websocket-key", &count)->value))
            != RT_OK
        || ngx_realtime_http_header(r, "Upgrade", &websocket) != NGX_OK
        || ngx_realtime_http_header(r, "Sec-WebSocket-Accept", &accept) != NGX_OK
        || ngx_realtime_upgrade_deflate(r, upgrade) != NGX_OK
        || ngx_realtime_http_cors(r, NULL) != NGX_OK)
    {
        ngx_free(upgrade);
        return NGX_ERROR;
    }

    cleanup = ngx_http_cleanup_add(r, 0);
    if (cleanup == NULL) {
        ngx_free(upgrade);
        return NGX_ERROR;
    }

    cleanup->handler = ngx_realtime_upgrade_cleanup;
    cleanup->data = upgrade;

    upgrade->request = r;
    upgrade->done = done;
    upgrade->data = data;
    upgrade->event.handler = ngx_realtime_upgrade_handler;
    upgrade->event.data = upgrade;
    upgrade->event.log = ngx_cycle->log;

    r->read_event_handler = ngx_http_block_reading;
    r->keepalive = 0;

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");

    /* whatever comes of it shows when the event looks at the connection */
    if (ngx_http_send_header(r) != NGX_ERROR) {
        (void) ngx_http_send_special(r, NGX_HTTP_FLUSH);
    }

    ngx_post_event(&upgrade->event, &ngx_posted_events);

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_upgrade_deflate(ngx_http_request_t *r, ngx_realtime_upgrade_t *upgrade)
{
    u_char                  *p;
    size_t                   len;
    rt_str_t                 answer;
    ngx_str_t                offer, value;
    ngx_uint_t               i;
    ngx_list_part_t         *part;
    ngx_table_elt_t         *h;
    ngx_realtime_loc_conf_t *lcf;

    static const char name[] = "sec-websocket-extensions";

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_realtime_module);

    if (!lcf->deflate) {
        return NGX_OK;
    }

    len = 0;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        h = part->elts;
        for (i = 0; i < part->nelts; i++) {
            len += h[i].value.len + 2;
        }
    }

    offer.data = ngx_pnalloc(r->pool, len);
    if (offer.data == NULL) {
        return NGX_ERROR;
    }

    p = offer.data;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == sizeof(name) - 1
                && ngx_strncasecmp(h[i].key.data, (u_char *) name, sizeof(name) - 1) == 0)
            {
                if (p != offer.data) {
                    *p++ = ',';
                    *p++ = ' ';
                }

                p = ngx_cpymem(p, h[i].value.data, h[i].value.len);
            }
        }
    }

    offer.len = p - offer.data;

    if (offer.len == 0 || rt_ws_deflate_negotiate(ngx_realtime_str(offer), &answer) != RT_OK) {
        return NGX_OK;
    }

    upgrade->deflate = 1;
    value = ngx_realtime_ngx_str(answer);

    return ngx_realtime_http_header(r, "Sec-WebSocket-Extensions", &value);
}


/* The request ends before its connection was taken. */
static void
ngx_realtime_upgrade_cleanup(void *data)
{
    ngx_realtime_upgrade_t *upgrade = data;

    upgrade->request = NULL;
}


static void
ngx_realtime_upgrade_handler(ngx_event_t *ev)
{
    ngx_connection_t       *c;
    ngx_realtime_ws_t      *ws;
    ngx_http_request_t     *r;
    ngx_realtime_upgrade_t *upgrade;

    upgrade = ev->data;
    r = upgrade->request;
    ws = NULL;

    if (r != NULL) {
        c = r->connection;

        if (r->main->count == 1 && r->main->blocked == 0 && r->out == NULL
            && !r->connection->buffered && !r->connection->error && !r->connection->destroyed)
        {
            ws = ngx_realtime_upgrade_detach(upgrade);

        } else {
            ngx_http_finalize_request(r, NGX_ERROR);
        }

        if (ws == NULL) {
            /* nginx ends a broken request from its posted ones, which nobody runs behind us: its
             * connection would stay for ever, without a timer */
            ngx_http_run_posted_requests(c);
        }
    }

    upgrade->done(upgrade->data, ws);
    ngx_free(upgrade);

    if (ws != NULL && !ws->dead) {
        ngx_post_event(ws->connection->read, &ngx_posted_events);
    }
}


static ngx_realtime_ws_t *
ngx_realtime_upgrade_detach(ngx_realtime_upgrade_t *upgrade)
{
    ngx_str_t                early;
    ngx_connection_t        *c;
    ngx_realtime_ws_t       *ws;
    ngx_http_request_t      *r;
    ngx_http_connection_t   *hc;
    ngx_realtime_loc_conf_t *lcf;

    r = upgrade->request;
    c = r->connection;
    hc = r->http_connection;
    lcf = ngx_http_get_module_loc_conf(r, ngx_http_realtime_module);

    /* frames may have come with the request */
    early.data = r->header_in->pos;
    early.len = r->header_in->last - r->header_in->pos;

    if (ngx_tcp_nodelay(c) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return NULL;
    }

    ws = ngx_realtime_ws_create(c, lcf->max_payload, lcf->send_buffer, upgrade->deflate, &early);
    if (ws == NULL) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return NULL;
    }

    ngx_http_free_request(r, 0);

    c->destroyed = 0;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    ngx_realtime_upgrade_free_buffers(c, hc);

    return ws;
}


static void
ngx_realtime_upgrade_free_buffers(ngx_connection_t *c, ngx_http_connection_t *hc)
{
    if (c->buffer != NULL) {
        (void) ngx_pfree(c->pool, c->buffer->start);
        c->buffer->start = NULL;
        c->buffer->pos = NULL;
        c->buffer->last = NULL;
    }

    ngx_realtime_upgrade_free_chain(c, &hc->free);
    ngx_realtime_upgrade_free_chain(c, &hc->busy);
    hc->nbusy = 0;

#if (NGX_HTTP_SSL)
    if (c->ssl) {
        ngx_ssl_free_buffer(c);
    }
#endif
}


static void
ngx_realtime_upgrade_free_chain(ngx_connection_t *c, ngx_chain_t **chain)
{
    ngx_chain_t *link;

    while (*chain != NULL) {
        link = *chain;
        *chain = link->next;
        (void) ngx_pfree(c->pool, link->buf->start);
        ngx_free_chain(c->pool, link);
    }
}
