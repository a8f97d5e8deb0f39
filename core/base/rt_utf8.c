/* UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, nothing above U+10FFFF. */

#include <base/rt_unicode.h>
#include <rt/rt_text.h>
#include <string.h>


static int rt_utf8_is_blank(int32_t code);


int32_t
rt__utf8_next(const char **pos, const char *end)
{
    size_t               i, more;
    int32_t              code;
    unsigned char        low, high;
    const unsigned char *p;

    p = (const unsigned char *) *pos;

    if (p[0] < 0x80) {
        *pos += 1;
        return p[0];
    }

    /* the bounds of the second byte are what keeps overlong forms and surrogates out */
    low = 0x80;
    high = 0xbf;

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        more = 1;
        code = p[0] & 0x1f;

    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        more = 2;
        code = p[0] & 0x0f;
        low = (p[0] == 0xe0) ? 0xa0 : 0x80;
        high = (p[0] == 0xed) ? 0x9f : 0xbf;

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        more = 3;
        code = p[0] & 0x07;
        low = (p[0] == 0xf0) ? 0x90 : 0x80;
        high = (p[0] == 0xf4) ? 0x8f : 0xbf;

    } else {
        return RT_UTF8_BAD;
    }

    for (i = 1; i <= more; i++) {
        if (p + i == (const unsigned char *) end) {
            return RT_UTF8_TRUNCATED;
        }

        if (p[i] < low || p[i] > high) {
            return RT_UTF8_BAD;
        }

        code = (code << 6) | (p[i] & 0x3f);
        low = 0x80;
        high = 0xbf;
    }

    *pos += more + 1;

    return code;
}


size_t
rt__utf8_cut(const char *data, size_t len)
{
    size_t      back;
    const char *p;

    for (back = 1; back <= 3 && back <= len; back++) {
        p = data + len - back;

        if (((unsigned char) *p & 0xc0) == 0x80) {
            continue;
        }

        return rt__utf8_next(&p, data + len) == RT_UTF8_TRUNCATED ? len - back : len;
    }

    return len;
}


int
rt_utf8_valid(rt_str_t s)
{
    uint64_t    word;
    const char *p, *end;

    if (s.len == 0) {
        return 1;
    }

    p = s.data;
    end = s.data + s.len;

    while (p < end) {
        /* most text is ASCII: eight bytes at a time */
        if (end - p >= (ptrdiff_t) sizeof(word)) {
            memcpy(&word, p, sizeof(word));

            if ((word & 0x8080808080808080u) == 0) {
                p += sizeof(word);
                continue;
            }
        }

        if (rt__utf8_next(&p, end) < 0) {
            return 0;
        }
    }

    return 1;
}


size_t
rt_utf8_length(rt_str_t s)
{
    size_t i, length;

    length = 0;

    for (i = 0; i < s.len; i++) {
        length += ((unsigned char) s.data[i] & 0xc0) != 0x80;
    }

    return length;
}


int
rt_utf8_has_content(rt_str_t s)
{
    int         found;
    int32_t     code;
    const char *p, *end;

    if (s.len == 0) {
        return 0;
    }

    found = 0;
    p = s.data;
    end = s.data + s.len;

    while (p < end && !found) {
        code = rt__utf8_next(&p, end);

        if (code < 0) {
            return 0;
        }

        found = !rt_utf8_is_blank(code);
    }

    return found && rt_utf8_valid((rt_str_t){p, (size_t) (end - p)});
}


/* White_Space of Unicode's PropList.txt, and the format characters that rt_text.h names. */
static int
rt_utf8_is_blank(int32_t code)
{
    return code == 0x20 || (code >= 0x09 && code <= 0x0d) || code == 0x85 || code == 0xa0
        || code == 0x1680 || (code >= 0x2000 && code <= 0x200f) || code == 0x2028 || code == 0x2029
        || code == 0x202f || code == 0x205f || code == 0x2060 || code == 0x3000 || code == 0xfeff;
}
