/* WebSocket frames (RFC 6455, 5.2) from the client's side. */

#ifndef LOAD_WS_H
#define LOAD_WS_H

#include <stddef.h>
#include <stdint.h>


#define LOAD_WS_TEXT  0x1
#define LOAD_WS_CLOSE 0x8
#define LOAD_WS_PING  0x9
#define LOAD_WS_PONG  0xa

/* What a client's header takes at most: two bytes, length, mask. */
#define LOAD_WS_HEADER_MAX 14

typedef struct {
    uint8_t        opcode;
    const uint8_t *data; /* within the bytes given */
    size_t         len;
    size_t         whole; /* header and payload */
} load_ws_frame_t;

/* Writes a whole masked frame into out (len + LOAD_WS_HEADER_MAX bytes); returns its length. */
size_t load_ws_frame(uint8_t *out, uint8_t opcode, const void *data, size_t len);

/* Returns 1 and the frame, 0 when more bytes are needed, -1 for what a server may not send here
 * (masked, reserved bits, fragments: none of the measured servers makes any). */
int load_ws_next(const uint8_t *data, size_t len, load_ws_frame_t *frame);

#endif
