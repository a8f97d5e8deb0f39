/* The reading half of RFC 6455: frames of a client in, messages and control frames out.
 *
 *      ┌────────▶ HEADER ──────────┬──────────────▶ CONTROL ──▶ out ──▶ HEADER, or CLOSED
 *      │            ▲              │                            after a close frame
 *      │            │ more frames  │
 *      │            └────────── PAYLOAD ──▶ out
 *      │                           │
 *      └───────────────────────────┘
 *
 * A message that lies whole in what was fed is given out where it lies. Only what is cut, by the
 * network or by fragmentation, is copied into a buffer, which grows with the bytes that came and
 * never with the length that was announced. A compressed message is collected as it came and
 * inflated at its end: an inflater in each unfinished message would let a client hold 40 KB by
 * sending two bytes. */

#include "rt_ws_private.h"

#include <stdlib.h>
#include <string.h>


#define RT_WS_FIN         0x80
#define RT_WS_RSV1        0x40
#define RT_WS_RSV         0x70
#define RT_WS_OPCODE      0x0f
#define RT_WS_MASK        0x80
#define RT_WS_LENGTH      0x7f
#define RT_WS_CONTROL     0x08 /* the bit that all control opcodes have */
#define RT_WS_CONTROL_MAX 125
#define RT_WS_MASK_LEN    4

#define RT_WS_BUFFER_MIN 256

typedef enum {
    RT_WS_STEP_HEADER = 0,
    RT_WS_STEP_PAYLOAD,
    RT_WS_STEP_CONTROL,
    RT_WS_STEP_CLOSED,
    RT_WS_STEP_FAILED
} rt_ws_step_t;

/* what is left of the bytes that were fed */
typedef struct {
    uint8_t *pos;
    size_t   len;
} rt_ws_input_t;


void
rt_ws_reader_init(rt_ws_reader_t *reader, uint32_t max_payload, int deflate)
{
    memset(reader, 0, sizeof(rt_ws_reader_t));
    reader->max_payload = max_payload;
    reader->deflate = deflate ? 1 : 0;
}


void
rt_ws_reader_clear(rt_ws_reader_t *reader)
{
    free(reader->buffer);
    free(reader->control);
    memset(reader, 0, sizeof(rt_ws_reader_t));
}


static rt_status_t
rt_ws_fail(rt_ws_reader_t *reader, uint16_t close_code)
{
    free(reader->buffer);
    free(reader->control);
    reader->buffer = NULL;
    reader->control = NULL;
    reader->used = 0;
    reader->size = 0;
    reader->close_code = close_code;
    reader->step = RT_WS_STEP_FAILED;

    return RT_INVALID;
}


/* The bytes that could not be kept are gone, so this ends the connection too. */
static rt_status_t
rt_ws_fail_memory(rt_ws_reader_t *reader)
{
    (void) rt_ws_fail(reader, RT_WS_CLOSE_INTERNAL);

    return RT_NO_MEMORY;
}


/* at: how many bytes of the frame's payload came before these. */
static void
rt_ws_unmask(uint8_t *p, size_t len, const uint8_t mask[RT_WS_MASK_LEN], unsigned at)
{
    size_t   i;
    uint8_t  key[8];
    uint64_t key64;
    uint64_t a;
    uint64_t b;

    for (i = 0; i < sizeof(key); i++) {
        key[i] = mask[(at + i) % RT_WS_MASK_LEN];
    }

    memcpy(&key64, key, sizeof(key));

    while (len >= 16) {
        memcpy(&a, p, 8);
        memcpy(&b, p + 8, 8);
        a ^= key64;
        b ^= key64;
        memcpy(p, &a, 8);
        memcpy(p + 8, &b, 8);
        p += 16;
        len -= 16;
    }

    for (i = 0; i < len; i++) {
        p[i] ^= key[i % 8];
    }
}


/* Takes what there is of the current frame's payload, unmasked. */
static uint8_t *
rt_ws_take_payload(rt_ws_reader_t *reader, rt_ws_input_t *in, size_t *len)
{
    uint8_t       *p;
    const uint8_t *mask;

    p = in->pos;
    *len = in->len < reader->left ? in->len : (size_t) reader->left;

    if (*len > 0) {
        mask = reader->header + reader->header_used - RT_WS_MASK_LEN;
        rt_ws_unmask(p, *len, mask, reader->mask_at);
        reader->mask_at = (uint8_t) ((reader->mask_at + *len) % RT_WS_MASK_LEN);
        reader->left -= *len;
        in->pos += *len;
        in->len -= *len;
    }

    return p;
}


/* Moves header bytes over until there are `need` of them. */
static int
rt_ws_take_header(rt_ws_reader_t *reader, rt_ws_input_t *in, size_t need)
{
    size_t n;

    if (reader->header_used < need) {
        n = need - reader->header_used;
        n = n < in->len ? n : in->len;

        if (n > 0) {
            memcpy(reader->header + reader->header_used, in->pos, n);
            reader->header_used += (uint8_t) n;
            in->pos += n;
            in->len -= n;
        }
    }

    return reader->header_used >= need;
}


/* What the first two bytes may say, RFC 6455 5.2, 5.4, 5.5 and RFC 7692 6.1. */
static int
rt_ws_header_valid(const rt_ws_reader_t *reader)
{
    uint8_t first;
    uint8_t second;
    uint8_t opcode;

    first = reader->header[0];
    second = reader->header[1];
    opcode = first & RT_WS_OPCODE;

    if ((second & RT_WS_MASK) == 0) {
        return 0;
    }

    switch (opcode) {

    case RT_WS_CONTINUATION:
        return reader->message_opcode != 0 && (first & RT_WS_RSV) == 0;

    case RT_WS_TEXT:
    case RT_WS_BINARY:
        return reader->message_opcode == 0
            && ((first & RT_WS_RSV) == 0 || ((first & RT_WS_RSV) == RT_WS_RSV1 && reader->deflate));

    case RT_WS_CLOSE:
    case RT_WS_PING:
    case RT_WS_PONG:
        return (first & RT_WS_RSV) == 0 && (first & RT_WS_FIN) != 0
            && (second & RT_WS_LENGTH) <= RT_WS_CONTROL_MAX;

    default:
        return 0;
    }
}


/* How many bytes of one message may be collected. Compressed ones may be longer than what they
 * hold: fixed Huffman codes need up to nine bits a byte, stored blocks some bytes each. */
static uint32_t
rt_ws_limit(const rt_ws_reader_t *reader)
{
    uint64_t limit;

    limit = reader->max_payload;

    if (reader->compressed) {
        limit += limit / 8 + 64;
    }

    return limit < UINT32_MAX ? (uint32_t) limit : UINT32_MAX;
}


static uint64_t
rt_ws_header_length(const rt_ws_reader_t *reader, size_t bytes)
{
    size_t   i;
    uint64_t length;

    if (bytes == 0) {
        return reader->header[1] & RT_WS_LENGTH;
    }

    length = 0;

    for (i = 0; i < bytes; i++) {
        length = length << 8 | reader->header[2 + i];
    }

    return length;
}


static rt_status_t
rt_ws_step_header(rt_ws_reader_t *reader, rt_ws_input_t *in)
{
    size_t  length_bytes;
    uint8_t short_length;

    if (!rt_ws_take_header(reader, in, 2)) {
        return RT_AGAIN;
    }

    if (!rt_ws_header_valid(reader)) {
        return rt_ws_fail(reader, RT_WS_CLOSE_PROTOCOL);
    }

    short_length = reader->header[1] & RT_WS_LENGTH;
    length_bytes = short_length == 127 ? 8 : short_length == 126 ? 2 : 0;

    if (!rt_ws_take_header(reader, in, 2 + length_bytes + RT_WS_MASK_LEN)) {
        return RT_AGAIN;
    }

    reader->left = rt_ws_header_length(reader, length_bytes);

    if (reader->left >> 63 != 0) {
        return rt_ws_fail(reader, RT_WS_CLOSE_PROTOCOL);
    }

    reader->mask_at = 0;
    reader->opcode = reader->header[0] & RT_WS_OPCODE;
    reader->fin = (reader->header[0] & RT_WS_FIN) != 0;

    if (reader->opcode & RT_WS_CONTROL) {
        reader->step = RT_WS_STEP_CONTROL;
        return RT_DECLINED;
    }

    if (reader->opcode != RT_WS_CONTINUATION) {
        reader->message_opcode = reader->opcode;
        reader->compressed = (reader->header[0] & RT_WS_RSV1) != 0;
        reader->utf8_state = 0;
    }

    if (reader->left > rt_ws_limit(reader) - reader->used) {
        return rt_ws_fail(reader, RT_WS_CLOSE_TOO_BIG);
    }

    reader->step = RT_WS_STEP_PAYLOAD;

    return RT_DECLINED;
}


static void
rt_ws_next_frame(rt_ws_reader_t *reader)
{
    reader->header_used = 0;
    reader->step = RT_WS_STEP_HEADER;
}


/* The buffer doubles, but never past what the current frame will need. */
static rt_status_t
rt_ws_collect(rt_ws_reader_t *reader, const uint8_t *data, size_t len)
{
    uint8_t *buffer;
    uint64_t size;
    uint64_t whole;

    if (len == 0) {
        return RT_OK;
    }

    if (len > reader->size - reader->used) {
        whole = (uint64_t) reader->used + len + reader->left;
        size = (uint64_t) reader->used + len;
        size = size < RT_WS_BUFFER_MIN ? RT_WS_BUFFER_MIN : 2 * size;

        if (reader->fin && size > whole) {
            size = whole;
        }

        if (size > rt_ws_limit(reader)) {
            size = rt_ws_limit(reader);
        }

        buffer = realloc(reader->buffer, size);
        if (buffer == NULL) {
            return rt_ws_fail_memory(reader);
        }

        reader->buffer = buffer;
        reader->size = (uint32_t) size;
    }

    memcpy(reader->buffer + reader->used, data, len);
    reader->used += (uint32_t) len;

    return RT_OK;
}


/* Inflates the message in *out, in place of it. */
static rt_status_t
rt_ws_inflate_message(rt_ws_reader_t *reader, rt_ws_message_t *out)
{
    size_t      len;
    uint8_t    *data;
    uint32_t    utf8_state;
    rt_status_t status;

    status = rt__ws_inflate(out->data, out->len, reader->max_payload, &data, &len);

    if (status == RT_TOO_LARGE) {
        return rt_ws_fail(reader, RT_WS_CLOSE_TOO_BIG);
    }

    if (status == RT_INVALID) {
        return rt_ws_fail(reader, RT_WS_CLOSE_BAD_DATA);
    }

    if (status != RT_OK) {
        return rt_ws_fail_memory(reader);
    }

    utf8_state = 0;

    if (out->opcode == RT_WS_TEXT && (!rt__ws_utf8(&utf8_state, data, len) || utf8_state != 0)) {
        return rt_ws_fail(reader, RT_WS_CLOSE_BAD_DATA);
    }

    free(reader->buffer);
    out->data = data;
    out->len = len;

    return RT_OK;
}


/* data: the whole message when none of it was collected, which is given out where it lies. */
static rt_status_t
rt_ws_finish_message(rt_ws_reader_t *reader, uint8_t *data, size_t len, rt_ws_message_t *out)
{
    rt_status_t status;

    out->opcode = (rt_ws_opcode_t) reader->message_opcode;
    out->close_code = 0;
    out->data = reader->used > 0 ? reader->buffer : data;
    out->len = reader->used > 0 ? reader->used : len;

    if (reader->compressed) {
        status = rt_ws_inflate_message(reader, out);
        if (status != RT_OK) {
            return status;
        }

    } else if (reader->utf8_state != 0) {
        return rt_ws_fail(reader, RT_WS_CLOSE_BAD_DATA);

    } else if (reader->buffer != NULL) {
        rt__ws_give(reader->buffer, reader->size);
    }

    reader->buffer = NULL;
    reader->used = 0;
    reader->size = 0;
    reader->message_opcode = 0;
    reader->compressed = 0;
    rt_ws_next_frame(reader);

    return RT_OK;
}


static rt_status_t
rt_ws_step_payload(rt_ws_reader_t *reader, rt_ws_input_t *in, rt_ws_message_t *out)
{
    size_t   len;
    uint8_t *data;

    data = rt_ws_take_payload(reader, in, &len);

    if (reader->message_opcode == RT_WS_TEXT && !reader->compressed
        && !rt__ws_utf8(&reader->utf8_state, data, len))
    {
        return rt_ws_fail(reader, RT_WS_CLOSE_BAD_DATA);
    }

    if (reader->left == 0 && reader->fin && reader->used == 0) {
        return rt_ws_finish_message(reader, data, len, out);
    }

    if (rt_ws_collect(reader, data, len) != RT_OK) {
        return RT_NO_MEMORY;
    }

    if (reader->left > 0) {
        return RT_AGAIN;
    }

    if (reader->fin) {
        return rt_ws_finish_message(reader, NULL, 0, out);
    }

    rt_ws_next_frame(reader);

    return RT_DECLINED;
}


/* RFC 6455 5.5.1 and 7.4. */
static rt_status_t
rt_ws_finish_close(rt_ws_reader_t *reader, rt_ws_message_t *out)
{
    uint32_t utf8_state;

    reader->step = RT_WS_STEP_CLOSED;

    if (out->len == 0) {
        out->close_code = RT_WS_CLOSE_NO_STATUS;
        return RT_OK;
    }

    if (out->len == 1) {
        return rt_ws_fail(reader, RT_WS_CLOSE_PROTOCOL);
    }

    out->close_code = (uint16_t) (out->data[0] << 8 | out->data[1]);
    out->data += 2;
    out->len -= 2;

    if (!rt_ws_close_code_valid(out->close_code)) {
        return rt_ws_fail(reader, RT_WS_CLOSE_PROTOCOL);
    }

    utf8_state = 0;

    if (!rt__ws_utf8(&utf8_state, out->data, out->len) || utf8_state != 0) {
        return rt_ws_fail(reader, RT_WS_CLOSE_BAD_DATA);
    }

    return RT_OK;
}


static rt_status_t
rt_ws_step_control(rt_ws_reader_t *reader, rt_ws_input_t *in, rt_ws_message_t *out)
{
    size_t   at;
    size_t   len;
    size_t   whole;
    uint8_t *data;

    whole = reader->header[1] & RT_WS_LENGTH;
    at = whole - (size_t) reader->left;
    data = rt_ws_take_payload(reader, in, &len);

    if (len < whole) {
        if (reader->control == NULL) {
            reader->control = malloc(RT_WS_CONTROL_MAX);
            if (reader->control == NULL) {
                return rt_ws_fail_memory(reader);
            }
        }

        memcpy(reader->control + at, data, len);

        if (reader->left > 0) {
            return RT_AGAIN;
        }

        data = reader->control;
        rt__ws_give(reader->control, RT_WS_CONTROL_MAX);
        reader->control = NULL;
    }

    out->opcode = (rt_ws_opcode_t) reader->opcode;
    out->data = data;
    out->len = whole;
    out->close_code = 0;
    rt_ws_next_frame(reader);

    if (out->opcode == RT_WS_CLOSE) {
        return rt_ws_finish_close(reader, out);
    }

    return RT_OK;
}


/* RT_DECLINED: go on with the next step. */
static rt_status_t
rt_ws_step(rt_ws_reader_t *reader, rt_ws_input_t *in, rt_ws_message_t *out)
{
    switch ((rt_ws_step_t) reader->step) {

    case RT_WS_STEP_HEADER:
        return rt_ws_step_header(reader, in);

    case RT_WS_STEP_PAYLOAD:
        return rt_ws_step_payload(reader, in, out);

    case RT_WS_STEP_CONTROL:
        return rt_ws_step_control(reader, in, out);

    case RT_WS_STEP_CLOSED:
        in->pos += in->len;
        in->len = 0;
        return RT_AGAIN;

    case RT_WS_STEP_FAILED:
        break;
    }

    return RT_INVALID;
}


rt_status_t
rt_ws_read(rt_ws_reader_t *reader, uint8_t *data, size_t len, size_t *consumed,
    rt_ws_message_t *out)
{
    rt_status_t   status;
    rt_ws_input_t in;

    rt__ws_release();

    in.pos = data;
    in.len = len;

    do {
        status = rt_ws_step(reader, &in, out);
    } while (status == RT_DECLINED);

    *consumed = len - in.len;

    return status;
}
