/* WebSocket frames: bytes in and out, no sockets. */

#include "load_ws.h"
#include "load.h"

#include <string.h>


#define LOAD_WS_FIN    0x80
#define LOAD_WS_RSV    0x70
#define LOAD_WS_OPCODE 0x0f
#define LOAD_WS_MASKED 0x80
#define LOAD_WS_LENGTH 0x7f


size_t
load_ws_frame(uint8_t *out, uint8_t opcode, const void *data, size_t len)
{
    size_t   i;
    uint8_t  mask[4], *p;
    uint32_t random;

    p = out;
    *p++ = LOAD_WS_FIN | opcode;

    if (len < 126) {
        *p++ = LOAD_WS_MASKED | (uint8_t) len;

    } else if (len < 65536) {
        *p++ = LOAD_WS_MASKED | 126;
        *p++ = (uint8_t) (len >> 8);
        *p++ = (uint8_t) len;

    } else {
        *p++ = LOAD_WS_MASKED | 127;

        for (i = 0; i < 8; i++) {
            *p++ = (uint8_t) ((uint64_t) len >> (56 - 8 * i));
        }
    }

    random = load_random();
    memcpy(mask, &random, sizeof(mask));
    memcpy(p, mask, sizeof(mask));
    p += sizeof(mask);

    for (i = 0; i < len; i++) {
        p[i] = ((const uint8_t *) data)[i] ^ mask[i & 3];
    }

    return (size_t) (p - out) + len;
}


int
load_ws_next(const uint8_t *data, size_t len, load_ws_frame_t *frame)
{
    size_t   i, header;
    uint64_t payload;

    if (len < 2) {
        return 0;
    }

    if ((data[0] & LOAD_WS_RSV) || !(data[0] & LOAD_WS_FIN) || (data[1] & LOAD_WS_MASKED)) {
        return -1;
    }

    payload = data[1] & LOAD_WS_LENGTH;
    header = payload == 126 ? 4 : payload == 127 ? 10 : 2;

    if (len < header) {
        return 0;
    }

    if (header > 2) {
        payload = 0;

        for (i = 2; i < header; i++) {
            payload = payload << 8 | data[i];
        }
    }

    if (payload > (1u << 30)) {
        return -1;
    }

    if (len - header < payload) {
        return 0;
    }

    frame->opcode = data[0] & LOAD_WS_OPCODE;
    frame->data = data + header;
    frame->len = (size_t) payload;
    frame->whole = header + (size_t) payload;

    return 1;
}
