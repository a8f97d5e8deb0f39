/* A growing byte buffer. */

#include <rt/rt_base.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define RT_BUF_FIRST 256


void *
rt_buf_reserve(rt_buf_t *buf, size_t bytes)
{
    char  *data;
    size_t size;

    if (buf->failed) {
        return NULL;
    }

    if (buf->data != NULL && bytes <= buf->size - buf->len) {
        return buf->data + buf->len;
    }

    if (bytes > PTRDIFF_MAX / 2 || buf->len > PTRDIFF_MAX / 2) {
        buf->failed = 1;
        return NULL;
    }

    size = buf->len + bytes;

    if (size < 2 * buf->size) {
        size = 2 * buf->size;
    }

    if (size < RT_BUF_FIRST) {
        size = RT_BUF_FIRST;
    }

    data = realloc(buf->data, size);
    if (data == NULL) {
        buf->failed = 1;
        return NULL;
    }

    buf->data = data;
    buf->size = size;

    return data + buf->len;
}


void
rt_buf_append(rt_buf_t *buf, const void *data, size_t bytes)
{
    void *p;

    if (bytes == 0) {
        return;
    }

    p = rt_buf_reserve(buf, bytes);
    if (p == NULL) {
        return;
    }

    memcpy(p, data, bytes);
    buf->len += bytes;
}


void
rt_buf_append_str(rt_buf_t *buf, rt_str_t s)
{
    rt_buf_append(buf, s.data, s.len);
}


void
rt_buf_append_int(rt_buf_t *buf, int64_t n)
{
    char     text[20], *p;
    uint64_t rest;

    /* the negative of INT64_MIN is no int64_t, but it is a uint64_t */
    rest = (n < 0) ? 0 - (uint64_t) n : (uint64_t) n;
    p = text + sizeof(text);

    do {
        *--p = (char) ('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);

    if (n < 0) {
        *--p = '-';
    }

    rt_buf_append(buf, p, (size_t) (text + sizeof(text) - p));
}


void
rt_buf_append_json_string(rt_buf_t *buf, rt_str_t s)
{
    int         n;
    size_t      i, start;
    char        escape[7];
    const char *p;

    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char letter[] = "\"\\bfnrt";

    rt_buf_append(buf, "\"", 1);
    start = 0;

    for (i = 0; i < s.len; i++) {
        if ((unsigned char) s.data[i] >= 0x20 && s.data[i] != '"' && s.data[i] != '\\') {
            continue;
        }

        rt_buf_append(buf, s.data + start, i - start);
        start = i + 1;

        p = (s.data[i] == '\0') ? NULL : strchr(plain, s.data[i]);

        if (p != NULL) {
            n = snprintf(escape, sizeof(escape), "\\%c", letter[p - plain]);

        } else {
            n = snprintf(escape, sizeof(escape), "\\u%04x", (unsigned char) s.data[i]);
        }

        rt_buf_append(buf, escape, (size_t) n);
    }

    rt_buf_append(buf, s.data + start, s.len - start);
    rt_buf_append(buf, "\"", 1);
}


void
rt_buf_free(rt_buf_t *buf)
{
    free(buf->data);
    memset(buf, 0, sizeof(rt_buf_t));
}
