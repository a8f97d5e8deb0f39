/* Request bodies, read into memory piece by piece.
 *
 * nginx's own buffered reading puts chunked and larger bodies into temporary files, which blocks
 * the event loop; so the body is read unbuffered, and each piece is copied as it comes:
 *
 *     ngx_realtime_http_read_body() -> ngx_realtime_http_body_start()   first piece
 *                                   -> ngx_realtime_http_body_read()    on each read event
 *                                   -> ngx_realtime_http_body_done()    once
 */

#include "ngx_realtime_http.h"


/* The memory taken at first; it doubles as the body comes, so that a client pays with bytes sent
 * and not with a large Content-Length. */
#define NGX_REALTIME_BODY_FIRST 4096


typedef struct {
    unsigned                  shared:1; /* read before us: others may still need it */
    size_t                    max;
    size_t                    size; /* of the memory at body.data */
    ngx_str_t                 body;
    ngx_realtime_http_body_pt done;
    void                     *data;
} ngx_realtime_http_body_t;


static void ngx_realtime_http_body_start(ngx_http_request_t *r);
static void ngx_realtime_http_body_on_read(ngx_http_request_t *r);
static void ngx_realtime_http_body_read(ngx_http_request_t *r, ngx_realtime_http_body_t *reader);
static ngx_int_t ngx_realtime_http_body_collect(ngx_http_request_t *r,
    ngx_realtime_http_body_t                                       *reader);
static ngx_int_t ngx_realtime_http_body_append(ngx_http_request_t *r,
    ngx_realtime_http_body_t *reader, ngx_buf_t *b);
static void ngx_realtime_http_body_done(ngx_http_request_t *r, ngx_realtime_http_body_t *reader,
    ngx_int_t rc);
static ngx_realtime_http_body_t *ngx_realtime_http_body_get(ngx_http_request_t *r);
static void                      ngx_realtime_http_body_cleanup(void *data);


ngx_int_t
ngx_realtime_http_read_body(ngx_http_request_t *r, size_t max, ngx_realtime_http_body_pt done,
    void *data)
{
    ngx_int_t                 rc;
    ngx_pool_cleanup_t       *cln;
    ngx_realtime_http_body_t *reader;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_realtime_http_body_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_realtime_http_body_cleanup;

    reader = cln->data;
    ngx_memzero(reader, sizeof(ngx_realtime_http_body_t));
    reader->max = max;
    reader->done = done;
    reader->data = data;
    reader->shared = (r->request_body != NULL);

    if (r->headers_in.content_length_n > 0 && (uint64_t) r->headers_in.content_length_n > max) {
        rc = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;

    } else if (r != r->main) {
        /* a subrequest shares its parent's body, which may be read already */
        rc = NGX_HTTP_BAD_REQUEST;

    } else {
        r->request_body_no_buffering = 1;

        rc = ngx_http_read_client_request_body(r, ngx_realtime_http_body_start);
    }

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        /* no reference was kept */
        r->main->count++;
        ngx_realtime_http_body_done(r, reader, rc);
    }

    return NGX_DONE;
}


static void
ngx_realtime_http_body_start(ngx_http_request_t *r)
{
    r->read_event_handler = ngx_realtime_http_body_on_read;

    ngx_realtime_http_body_read(r, ngx_realtime_http_body_get(r));
}


static void
ngx_realtime_http_body_on_read(ngx_http_request_t *r)
{
    ngx_realtime_http_body_read(r, ngx_realtime_http_body_get(r));
}


static void
ngx_realtime_http_body_read(ngx_http_request_t *r, ngx_realtime_http_body_t *reader)
{
    size_t    before;
    ngx_int_t rc, status;

    rc = NGX_OK;

    for (;;) {
        before = reader->body.len;

        status = ngx_realtime_http_body_collect(r, reader);

        if (status != NGX_OK || !r->reading_body) {
            rc = status;
            break;
        }

        /* nginx stops when its one buffer is full, too: only a read that brought nothing has armed
         * the read event and the timer */

        if (rc == NGX_AGAIN && reader->body.len == before) {
            return;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            break;
        }
    }

    ngx_realtime_http_body_done(r, reader, rc);
}


/* Takes what nginx has read so far. NGX_OK, or the status to answer with. */
static ngx_int_t
ngx_realtime_http_body_collect(ngx_http_request_t *r, ngx_realtime_http_body_t *reader)
{
    ngx_int_t    rc;
    ngx_chain_t *cl, *next;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    cl = r->request_body->bufs;

    if (!reader->shared) {
        r->request_body->bufs = NULL;
    }

    for (rc = NGX_OK; cl != NULL && rc == NGX_OK; cl = next) {
        rc = ngx_realtime_http_body_append(r, reader, cl->buf);

        next = cl->next;

        if (!reader->shared) {
            cl->buf->pos = cl->buf->last;
            ngx_free_chain(r->pool, cl);
        }
    }

    return rc;
}


static ngx_int_t
ngx_realtime_http_body_append(ngx_http_request_t *r, ngx_realtime_http_body_t *reader, ngx_buf_t *b)
{
    size_t  size;
    off_t   bytes;
    u_char *p;

    bytes = ngx_buf_size(b);

    if (bytes <= 0) {
        return NGX_OK;
    }

    if ((uint64_t) bytes > reader->max - reader->body.len) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    if ((size_t) bytes > reader->size - reader->body.len) {
        size = ngx_max(reader->body.len + bytes, 2 * reader->size);
        size = ngx_max(size, NGX_REALTIME_BODY_FIRST);

        p = ngx_pnalloc(r->pool, size);
        if (p == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (reader->size != 0) {
            ngx_memcpy(p, reader->body.data, reader->body.len);
            ngx_pfree(r->pool, reader->body.data);
        }

        reader->body.data = p;
        reader->size = size;
    }

    p = reader->body.data + reader->body.len;

    if (ngx_buf_in_memory(b)) {
        ngx_memcpy(p, b->pos, (size_t) bytes);

    } else if (ngx_read_file(b->file, p, (size_t) bytes, b->file_pos) != (ssize_t) bytes) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    reader->body.len += (size_t) bytes;

    return NGX_OK;
}


static void
ngx_realtime_http_body_done(ngx_http_request_t *r, ngx_realtime_http_body_t *reader, ngx_int_t rc)
{
    r->read_event_handler = ngx_http_block_reading;

    if (rc != NGX_OK) {
        /* the client may still be sending: a plain close would reset the answer away */
        r->keepalive = 0;
        r->lingering_close = 1;
        reader->body.len = 0;
    }

    reader->done(r, rc, &reader->body, reader->data);
}


/* The reader hangs on the request's pool, not on its module context, which belongs to the caller:
 * found by its cleanup, as nginx's realip module finds its context. */
static ngx_realtime_http_body_t *
ngx_realtime_http_body_get(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t *cln;

    cln = r->pool->cleanup;

    while (cln->handler != ngx_realtime_http_body_cleanup) {
        cln = cln->next;
    }

    return cln->data;
}


static void
ngx_realtime_http_body_cleanup(void *data)
{
    ngx_realtime_http_body_t *reader = data;

    reader->done = NULL;
}
