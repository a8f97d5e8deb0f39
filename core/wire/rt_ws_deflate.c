/* permessage-deflate, RFC 7692, without context takeover on either side.
 *
 * No message needs what came before it, so the two zlib streams (about 270 KB to deflate, 40 KB to
 * inflate) belong to the thread, made when it first needs them, and are reset for each message:
 * connections hold none of it. The last message that was given out is the thread's too. All of it
 * is freed by rt_ws_thread_clear. */

#include "rt_ws_private.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>


#define RT_WS_WINDOW_BITS   15
#define RT_WS_DEFLATE_LEVEL 6
#define RT_WS_MEMORY_LEVEL  8

#define RT_WS_INFLATE_MIN 1024
#define RT_WS_GIVEN_KEEP  65536 /* a larger buffer is not kept for the next message */

/* What a sender cuts off the end and a receiver puts back, RFC 7692 7.2.1. */
#define RT_WS_TAIL_LEN 4

static const uint8_t rt_ws_tail[RT_WS_TAIL_LEN] = {0x00, 0x00, 0xff, 0xff};

typedef struct {
    z_stream inflate;
    z_stream deflate;
    uint8_t  inflate_ready;
    uint8_t  deflate_ready;
    uint8_t *given; /* what rt_ws_read gave out last, or room for the next */
    size_t   given_size;
} rt_ws_thread_t;

static _Thread_local rt_ws_thread_t rt_ws_thread;


void
rt__ws_give(uint8_t *buffer, size_t size)
{
    free(rt_ws_thread.given);
    rt_ws_thread.given = buffer;
    rt_ws_thread.given_size = size;
}


void
rt__ws_release(void)
{
    if (rt_ws_thread.given_size > RT_WS_GIVEN_KEEP) {
        rt__ws_give(NULL, 0);
    }
}


void
rt_ws_thread_clear(void)
{
    if (rt_ws_thread.inflate_ready) {
        (void) inflateEnd(&rt_ws_thread.inflate);
    }

    if (rt_ws_thread.deflate_ready) {
        (void) deflateEnd(&rt_ws_thread.deflate);
    }

    free(rt_ws_thread.given);
    memset(&rt_ws_thread, 0, sizeof(rt_ws_thread));
}


static z_stream *
rt_ws_inflater(void)
{
    rt_ws_thread_t *thread;

    thread = &rt_ws_thread;

    if (thread->inflate_ready) {
        return inflateReset(&thread->inflate) == Z_OK ? &thread->inflate : NULL;
    }

    memset(&thread->inflate, 0, sizeof(z_stream));

    if (inflateInit2(&thread->inflate, -RT_WS_WINDOW_BITS) != Z_OK) {
        return NULL;
    }

    thread->inflate_ready = 1;

    return &thread->inflate;
}


/* Makes the thread's buffer larger: doubled, but never past max_bytes. */
static rt_status_t
rt_ws_inflate_grow(size_t max_bytes)
{
    size_t   size;
    uint8_t *buffer;

    size = rt_ws_thread.given_size * 2;
    size = size < RT_WS_INFLATE_MIN ? RT_WS_INFLATE_MIN : size;
    size = size > max_bytes ? max_bytes : size;

    buffer = realloc(rt_ws_thread.given, size);
    if (buffer == NULL) {
        return RT_NO_MEMORY;
    }

    rt_ws_thread.given = buffer;
    rt_ws_thread.given_size = size;

    return RT_OK;
}


/* Inflates one piece of a message behind the *used bytes that are there. A block marked as the
 * last one ends a stream, but not the message (RFC 7692 7.2.3.4): the next byte begins another.
 * *ended is 1 when the piece ended exactly there. */
static rt_status_t
rt_ws_inflate_piece(z_stream *z, const uint8_t *data, size_t len, uint32_t max_payload,
    size_t *used, int *ended)
{
    int    rc;
    size_t room;
    size_t max_bytes;

    max_bytes = (size_t) max_payload + 1; /* one more, to tell the largest from too large */
    z->next_in = (Bytef *) data;
    z->avail_in = (uInt) len;

    do {
        if (*used > max_payload) {
            return RT_TOO_LARGE;
        }

        if (*used >= rt_ws_thread.given_size && rt_ws_inflate_grow(max_bytes) != RT_OK) {
            return RT_NO_MEMORY;
        }

        room = rt_ws_thread.given_size < max_bytes ? rt_ws_thread.given_size : max_bytes;
        z->next_out = rt_ws_thread.given + *used;
        z->avail_out = (uInt) (room - *used < UINT_MAX ? room - *used : UINT_MAX);

        rc = inflate(z, Z_SYNC_FLUSH);

        *used = (size_t) (z->next_out - rt_ws_thread.given);
        *ended = rc == Z_STREAM_END && z->avail_in == 0;

        if (rc == Z_STREAM_END) {
            rc = inflateReset(z);
        }

        if (rc == Z_MEM_ERROR) {
            return RT_NO_MEMORY;
        }

        if (rc != Z_OK && (rc != Z_BUF_ERROR || z->avail_in > 0)) {
            return RT_INVALID;
        }

    } while (!*ended && (z->avail_in > 0 || z->avail_out == 0));

    return *used > max_payload ? RT_TOO_LARGE : RT_OK;
}


rt_status_t
rt__ws_inflate(const uint8_t *data, size_t len, uint32_t max_payload, uint8_t **out,
    size_t *out_len)
{
    int         ended;
    size_t      used;
    z_stream   *z;
    rt_status_t status;

    z = rt_ws_inflater();
    if (z == NULL) {
        return RT_NO_MEMORY;
    }

    used = 0;
    ended = len == 0;
    status = RT_OK;

    if (len > 0) {
        status = rt_ws_inflate_piece(z, data, len, max_payload, &used, &ended);
    }

    if (status == RT_OK && !ended) {
        status = rt_ws_inflate_piece(z, rt_ws_tail, RT_WS_TAIL_LEN, max_payload, &used, &ended);

        /* zlib says by bit 7 that it stands between blocks: else the message was cut short, and
         * took the tail for its data. */
        if (status == RT_OK && !ended && (z->data_type & 128) == 0) {
            status = RT_INVALID;
        }
    }

    if (status != RT_OK) {
        return status;
    }

    if (rt_ws_thread.given == NULL && rt_ws_inflate_grow((size_t) max_payload + 1) != RT_OK) {
        return RT_NO_MEMORY;
    }

    *out = rt_ws_thread.given;
    *out_len = used;

    return RT_OK;
}


static z_stream *
rt_ws_deflater(void)
{
    rt_ws_thread_t *thread;

    thread = &rt_ws_thread;

    if (thread->deflate_ready) {
        return deflateReset(&thread->deflate) == Z_OK ? &thread->deflate : NULL;
    }

    memset(&thread->deflate, 0, sizeof(z_stream));

    if (deflateInit2(&thread->deflate, RT_WS_DEFLATE_LEVEL, Z_DEFLATED, -RT_WS_WINDOW_BITS,
            RT_WS_MEMORY_LEVEL, Z_DEFAULT_STRATEGY)
        != Z_OK)
    {
        return NULL;
    }

    thread->deflate_ready = 1;

    return &thread->deflate;
}


rt_status_t
rt_ws_deflate(rt_str_t message, rt_buf_t *out)
{
    void     *to;
    size_t    room;
    size_t    len;
    z_stream *z;

    if (message.len == 0 || message.len > UINT_MAX - RT_WS_TAIL_LEN) {
        return RT_DECLINED;
    }

    z = rt_ws_deflater();
    if (z == NULL) {
        return RT_NO_MEMORY;
    }

    room = message.len + RT_WS_TAIL_LEN;

    to = rt_buf_reserve(out, room);
    if (to == NULL) {
        return RT_NO_MEMORY;
    }

    z->next_in = (Bytef *) message.data;
    z->avail_in = (uInt) message.len;
    z->next_out = to;
    z->avail_out = (uInt) room;

    /* Room left over is zlib's sign that the flush is complete, its tail included. */
    if (deflate(z, Z_SYNC_FLUSH) != Z_OK || z->avail_in > 0 || z->avail_out == 0) {
        return RT_DECLINED;
    }

    len = room - z->avail_out - RT_WS_TAIL_LEN;

    if (len >= message.len) {
        return RT_DECLINED;
    }

    out->len += len;

    return RT_OK;
}
