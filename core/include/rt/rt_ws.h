/* WebSocket framing (RFC 6455) and permessage-deflate (RFC 7692), server side: bytes in, messages
 * out. Knows no socket. A reader belongs to one thread. */

#ifndef RT_WS_H
#define RT_WS_H

#include <rt/rt_base.h>


typedef enum {
    RT_WS_CONTINUATION = 0x0,
    RT_WS_TEXT = 0x1,
    RT_WS_BINARY = 0x2,
    RT_WS_CLOSE = 0x8,
    RT_WS_PING = 0x9,
    RT_WS_PONG = 0xA
} rt_ws_opcode_t;

/* Close codes, RFC 6455 7.4.1. */
#define RT_WS_CLOSE_NORMAL      1000
#define RT_WS_CLOSE_GOING_AWAY  1001
#define RT_WS_CLOSE_PROTOCOL    1002
#define RT_WS_CLOSE_UNSUPPORTED 1003
#define RT_WS_CLOSE_NO_STATUS   1005 /* never on the wire */
#define RT_WS_CLOSE_BAD_DATA    1007
#define RT_WS_CLOSE_POLICY      1008
#define RT_WS_CLOSE_TOO_BIG     1009
#define RT_WS_CLOSE_INTERNAL    1011

#define RT_WS_HEADER_MAX 10 /* of what a server sends (no mask) */

/* A whole message (TEXT, BINARY: fragments joined, inflated, TEXT checked as UTF-8) or a control
 * frame. `data` points into what was fed or into memory of the thread, until the thread's next
 * rt_ws_read of any reader (clearing the reader does not end it); it may be changed by the
 * caller. For CLOSE: close_code (RT_WS_CLOSE_NO_STATUS when it named none) and data
 * is the reason. */
typedef struct {
    rt_ws_opcode_t opcode;
    uint8_t       *data;
    size_t         len;
    uint16_t       close_code;
} rt_ws_message_t;

/* Small on purpose: it is part of every idle connection. The buffer is only held while a message
 * is unfinished. */
typedef struct {
    uint8_t *buffer; /* the unfinished message, or NULL */
    uint32_t used;
    uint32_t size;
    uint64_t left; /* payload bytes of the current frame still to come */
    uint32_t max_payload;
    uint32_t utf8_state;
    uint8_t  header[14]; /* of the current frame, its mask at the end */
    uint8_t  header_used;
    uint8_t  step;
    uint8_t  opcode;         /* of the current frame */
    uint8_t  message_opcode; /* of the fragmented message under way, 0: none */
    uint8_t  mask_at;
    uint8_t  fin:1;
    uint8_t  compressed:1; /* the message under way has RSV1 */
    uint8_t  deflate:1;    /* negotiated */
    uint16_t close_code;   /* after RT_INVALID: what to answer with */
    uint8_t *control;      /* an unfinished control frame's payload, or NULL */
} rt_ws_reader_t;

/* max_payload: of one message, after inflating; bytes. deflate: 1 when negotiated. */
void rt_ws_reader_init(rt_ws_reader_t *reader, uint32_t max_payload, int deflate);

/* Frees what the calling thread holds: the zlib streams that are made when first needed, and the
 * message given out last. It may go on using readers. For the end of a thread or process. */
void rt_ws_thread_clear(void);

void rt_ws_reader_clear(rt_ws_reader_t *reader); /* frees what it holds; reusable after init */

/* Consumes bytes until one message or control frame is whole. Unmasks inside `data`, so the memory
 * must be writable and is used up.
 *
 * returns  RT_OK: *out is set, *consumed says how many bytes were used; call again with the rest.
 *          RT_AGAIN: all consumed, feed more.
 *          RT_INVALID: reader->close_code says why (1002, 1007, 1009); the connection can't go on.
 *          RT_NO_MEMORY: as RT_INVALID, with 1011.
 * After a CLOSE was given out all further bytes are ignored (RT_AGAIN), RFC 6455 1.4. */
rt_status_t rt_ws_read(rt_ws_reader_t *reader, uint8_t *data, size_t len, size_t *consumed,
    rt_ws_message_t *out);

/* Writes the header of an unmasked frame with FIN set; compressed sets RSV1. Returns its length. */
size_t rt_ws_write_header(uint8_t out[RT_WS_HEADER_MAX], rt_ws_opcode_t opcode, int compressed,
    uint64_t payload_len);

/* 1 when a peer may send this code in a close frame. */
int rt_ws_close_code_valid(uint16_t code);

/* The value of Sec-WebSocket-Accept for a Sec-WebSocket-Key of 16 bytes in base64.
 * RT_INVALID when the key is not that. */
#define RT_WS_ACCEPT_LEN 28
rt_status_t rt_ws_accept(char out[RT_WS_ACCEPT_LEN], rt_str_t key);

/* Answers a Sec-WebSocket-Extensions offer (all header lines joined by ", "). RT_OK and the value
 * to answer with (static text; always both no_context_takeover), or RT_DECLINED: nothing that we
 * can accept, or malformed. */
rt_status_t rt_ws_deflate_negotiate(rt_str_t offer, rt_str_t *answer);

/* Deflates one message for permessage-deflate without context takeover and appends it to out.
 * RT_DECLINED when it would not get smaller (send it plain; out is unchanged), RT_NO_MEMORY. */
rt_status_t rt_ws_deflate(rt_str_t message, rt_buf_t *out);

#endif
