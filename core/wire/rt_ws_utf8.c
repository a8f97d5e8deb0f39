/* UTF-8 that comes in pieces: fails at the first wrong byte, wherever the pieces are cut. */

#include "rt_ws_private.h"

#include <string.h>


#define RT_WS_UTF8_TAIL_LOW  0x80
#define RT_WS_UTF8_TAIL_HIGH 0xbf

/* How many bytes follow a first byte, and what the next of them may be: that range is narrower
 * than 80…BF where it keeps out overlong forms, surrogates and what is past U+10FFFF. */
typedef struct {
    unsigned due;
    uint8_t  low;
    uint8_t  high;
} rt_ws_utf8_t;


static const uint8_t *
rt_ws_utf8_skip_ascii(const uint8_t *p, const uint8_t *end)
{
    uint64_t a;
    uint64_t b;

    while (end - p >= 16) {
        memcpy(&a, p, 8);
        memcpy(&b, p + 8, 8);

        if (((a | b) & 0x8080808080808080u) != 0) {
            break;
        }

        p += 16;
    }

    while (p < end && *p < 0x80) {
        p++;
    }

    return p;
}


static int
rt_ws_utf8_is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}


/* Skips whole well-formed characters while four bytes are left, without the bookkeeping that a cut
 * one needs: most text that is not ASCII goes this way. What stops it is judged by the caller. */
static const uint8_t *
rt_ws_utf8_skip_whole(const uint8_t *p, const uint8_t *end)
{
    uint32_t c;

    while (end - p >= 4) {
        if (p[0] < 0x80) {
            p = rt_ws_utf8_skip_ascii(p, end);

        } else if (p[0] < 0xe0) {
            if (p[0] < 0xc2 || !rt_ws_utf8_is_tail(p[1])) {
                break;
            }

            p += 2;

        } else if (p[0] < 0xf0) {
            c = (uint32_t) (p[0] & 0x0f) << 12 | (uint32_t) (p[1] & 0x3f) << 6;

            if (!rt_ws_utf8_is_tail(p[1]) || !rt_ws_utf8_is_tail(p[2]) || c < 0x800
                || (c >= 0xd800 && c < 0xe000))
            {
                break;
            }

            p += 3;

        } else {
            c = (uint32_t) (p[0] & 0x0f) << 18 | (uint32_t) (p[1] & 0x3f) << 12;

            if (!rt_ws_utf8_is_tail(p[1]) || !rt_ws_utf8_is_tail(p[2]) || !rt_ws_utf8_is_tail(p[3])
                || c < 0x10000 || c > 0x10ffff)
            {
                break;
            }

            p += 4;
        }
    }

    return p;
}


/* RFC 3629, section 4. */
static int
rt_ws_utf8_first(uint8_t byte, rt_ws_utf8_t *next)
{
    next->low = RT_WS_UTF8_TAIL_LOW;
    next->high = RT_WS_UTF8_TAIL_HIGH;

    if (byte >= 0xc2 && byte <= 0xdf) {
        next->due = 1;
        return 1;
    }

    if (byte >= 0xe0 && byte <= 0xef) {
        next->due = 2;

        if (byte == 0xe0) {
            next->low = 0xa0;

        } else if (byte == 0xed) {
            next->high = 0x9f;
        }

        return 1;
    }

    if (byte >= 0xf0 && byte <= 0xf4) {
        next->due = 3;

        if (byte == 0xf0) {
            next->low = 0x90;

        } else if (byte == 0xf4) {
            next->high = 0x8f;
        }

        return 1;
    }

    return 0;
}


int
rt__ws_utf8(uint32_t *state, const uint8_t *data, size_t len)
{
    const uint8_t *p;
    const uint8_t *end;
    rt_ws_utf8_t   next;

    p = data;
    end = data + len;
    next.due = *state & 0xff;
    next.low = (uint8_t) (*state >> 8);
    next.high = (uint8_t) (*state >> 16);

    for (;;) {
        for (/* void */; next.due > 0; next.due--) {
            if (p == end) {
                *state = next.due | (uint32_t) next.low << 8 | (uint32_t) next.high << 16;
                return 1;
            }

            if (*p < next.low || *p > next.high) {
                return 0;
            }

            p++;
            next.low = RT_WS_UTF8_TAIL_LOW;
            next.high = RT_WS_UTF8_TAIL_HIGH;
        }

        p = rt_ws_utf8_skip_whole(p, end);
        p = rt_ws_utf8_skip_ascii(p, end);

        if (p == end) {
            *state = 0;
            return 1;
        }

        if (!rt_ws_utf8_first(*p++, &next)) {
            return 0;
        }
    }
}
