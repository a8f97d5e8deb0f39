/* Bytes for many clients: counted buffers that hold a message once, framed for WebSocket and bare
 * for polling, and the queues that clients wait in. Event loop only. */

#ifndef NGX_REALTIME_BUF_H
#define NGX_REALTIME_BUF_H

#include "ngx_realtime.h"

#include <rt/rt_ws.h>

/* The payload stands behind room for the longest frame header, which is written right before it: a
 * WebSocket client is sent header and payload in one piece, a polling one the payload. */
typedef struct {
    uint32_t references;
    uint32_t payload_len;
    uint8_t  header_len;
    uint8_t  binary;     /* an attachment, not a text packet */
    uint8_t  compressed; /* only for WebSocket clients that negotiated deflate */
    uint8_t  spare[RT_WS_HEADER_MAX + 1];
    u_char   payload[];
} ngx_realtime_buf_t;

#define ngx_realtime_buf_frame(buf)     ((buf)->payload - (buf)->header_len)
#define ngx_realtime_buf_frame_len(buf) ((size_t) (buf)->payload_len + (buf)->header_len)

/* Copies payload. One reference for the caller; NULL: no memory. */
ngx_realtime_buf_t *ngx_realtime_buf_create(rt_ws_opcode_t opcode, const void *payload, size_t len,
    ngx_uint_t compressed);

static inline ngx_realtime_buf_t *
ngx_realtime_buf_get(ngx_realtime_buf_t *buf)
{
    buf->references++;
    return buf;
}

void ngx_realtime_buf_put(ngx_realtime_buf_t *buf);

/* The same bytes deflated for WebSocket, or buf itself (one more reference) where that does not
 * make them smaller. NULL: no memory. */
ngx_realtime_buf_t *ngx_realtime_buf_deflate(ngx_realtime_buf_t *buf);


typedef struct ngx_realtime_link_s ngx_realtime_link_t;

struct ngx_realtime_link_s {
    ngx_realtime_link_t *next;
    ngx_realtime_buf_t  *buf;
};

/* Zero-initialise. */
typedef struct {
    ngx_realtime_link_t *head;
    ngx_realtime_link_t *tail;
    size_t               bytes; /* of frames with what each costs, the first one whole */
} ngx_realtime_queue_t;

/* What a waiting frame takes beside its bytes. It counts, since else a peer that reads nothing
 * could make a megabyte of two-byte pongs wait, in fifty times the memory. */
#define NGX_REALTIME_QUEUE_COST 64

/* What waits behind the first frame, which may be larger than any limit: it is under way. */
static inline size_t
ngx_realtime_queue_waiting(ngx_realtime_queue_t *queue)
{
    return queue->head == NULL
        ? 0
        : queue->bytes - NGX_REALTIME_QUEUE_COST - ngx_realtime_buf_frame_len(queue->head->buf);
}

/* Adds one more reference. NGX_ERROR: no memory. */
ngx_int_t ngx_realtime_queue_push(ngx_realtime_queue_t *queue, ngx_realtime_buf_t *buf);

/* Drops the first one. */
void ngx_realtime_queue_shift(ngx_realtime_queue_t *queue);
void ngx_realtime_queue_clear(ngx_realtime_queue_t *queue);

/* Frees the links kept for reuse: at the worker's end. */
void ngx_realtime_queue_exit(void);

#endif
