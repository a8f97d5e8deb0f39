/* Counted buffers and the queues that clients wait in. */

#include "ngx_realtime_buf.h"


/* Links come and go with every delivery: they are kept, up to this many. */
#define NGX_REALTIME_LINKS_KEPT 65536

static ngx_realtime_link_t *ngx_realtime_links;
static ngx_uint_t           ngx_realtime_links_kept;


ngx_realtime_buf_t *
ngx_realtime_buf_create(rt_ws_opcode_t opcode, const void *payload, size_t len,
    ngx_uint_t compressed)
{
    uint8_t             header[RT_WS_HEADER_MAX];
    ngx_realtime_buf_t *buf;

    buf = ngx_alloc(sizeof(ngx_realtime_buf_t) + len, ngx_cycle->log);
    if (buf == NULL) {
        return NULL;
    }

    buf->references = 1;
    buf->payload_len = (uint32_t) len;
    buf->binary = opcode == RT_WS_BINARY;
    buf->compressed = compressed ? 1 : 0;
    buf->header_len = (uint8_t) rt_ws_write_header(header, opcode, (int) compressed, len);

    ngx_memcpy(buf->payload - buf->header_len, header, buf->header_len);

    if (len) {
        ngx_memcpy(buf->payload, payload, len);
    }

    return buf;
}


void
ngx_realtime_buf_put(ngx_realtime_buf_t *buf)
{
    if (--buf->references == 0) {
        ngx_free(buf);
    }
}


ngx_realtime_buf_t *
ngx_realtime_buf_deflate(ngx_realtime_buf_t *buf)
{
    rt_buf_t            out;
    rt_status_t         status;
    ngx_realtime_buf_t *deflated;

    ngx_memzero(&out, sizeof(rt_buf_t));

    status = rt_ws_deflate((rt_str_t){(char *) buf->payload, buf->payload_len}, &out);

    if (status == RT_DECLINED) {
        deflated = ngx_realtime_buf_get(buf);

    } else if (status == RT_OK) {
        deflated =
            ngx_realtime_buf_create(buf->binary ? RT_WS_BINARY : RT_WS_TEXT, out.data, out.len, 1);
    } else {
        deflated = NULL;
    }

    rt_buf_free(&out);

    return deflated;
}


ngx_int_t
ngx_realtime_queue_push(ngx_realtime_queue_t *queue, ngx_realtime_buf_t *buf)
{
    ngx_realtime_link_t *link;

    link = ngx_realtime_links;

    if (link != NULL) {
        ngx_realtime_links = link->next;
        ngx_realtime_links_kept--;

    } else {
        link = ngx_alloc(sizeof(ngx_realtime_link_t), ngx_cycle->log);
        if (link == NULL) {
            return NGX_ERROR;
        }
    }

    link->next = NULL;
    link->buf = ngx_realtime_buf_get(buf);

    if (queue->tail != NULL) {
        queue->tail->next = link;
    } else {
        queue->head = link;
    }

    queue->tail = link;
    queue->bytes += ngx_realtime_buf_frame_len(buf) + NGX_REALTIME_QUEUE_COST;

    return NGX_OK;
}


void
ngx_realtime_queue_shift(ngx_realtime_queue_t *queue)
{
    ngx_realtime_link_t *link;

    link = queue->head;

    queue->head = link->next;
    if (queue->head == NULL) {
        queue->tail = NULL;
    }

    queue->bytes -= ngx_realtime_buf_frame_len(link->buf) + NGX_REALTIME_QUEUE_COST;

    ngx_realtime_buf_put(link->buf);

    if (ngx_realtime_links_kept == NGX_REALTIME_LINKS_KEPT) {
        ngx_free(link);
        return;
    }

    link->next = ngx_realtime_links;
    ngx_realtime_links = link;
    ngx_realtime_links_kept++;
}


void
ngx_realtime_queue_clear(ngx_realtime_queue_t *queue)
{
    while (queue->head != NULL) {
        ngx_realtime_queue_shift(queue);
    }
}


void
ngx_realtime_queue_exit(void)
{
    ngx_realtime_link_t *link;

    while (ngx_realtime_links != NULL) {
        link = ngx_realtime_links;
        ngx_realtime_links = link->next;
        ngx_free(link);
    }

    ngx_realtime_links_kept = 0;
}
