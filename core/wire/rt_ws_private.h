/* What the files of the WebSocket reader share, and nobody else. */

#ifndef RT_WS_PRIVATE_H
#define RT_WS_PRIVATE_H

#include <rt/rt_ws.h>


/* Checks the next bytes of a text. *state is 0 at its begin and carries a character that is cut at
 * the end of `data` over to the next call; it is 0 again when the text may end here. Returns 0 at
 * the first byte that can't be part of UTF-8 (RFC 3629), else 1. Pure. */
int rt__ws_utf8(uint32_t *state, const uint8_t *data, size_t len);

/* Inflates one message, without context takeover (RFC 7692 7.2.2). *out is the thread's, as said at
 * rt__ws_give.
 *
 * max_payload  bytes of the inflated message
 * returns      RT_OK, RT_INVALID (not DEFLATE, or cut short), RT_TOO_LARGE, RT_NO_MEMORY */
rt_status_t rt__ws_inflate(const uint8_t *data, size_t len, uint32_t max_payload, uint8_t **out,
    size_t *out_len);

/* Takes over a buffer of malloc whose bytes were just given to a caller, and keeps it until the
 * thread's next rt__ws_release: so a message lives as long as promised, and an idle connection
 * holds nothing. */
void rt__ws_give(uint8_t *buffer, size_t size);

/* Ends the life of what the thread gave out last. */
void rt__ws_release(void);

#endif
