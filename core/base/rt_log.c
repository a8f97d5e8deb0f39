/* Lines for the host's log: formatted here, written by a function that the host gave. */

#include <base/rt_unicode.h>
#include <rt/rt_base.h>
#include <stdio.h>
#include <string.h>


#define RT_LOG_LINE_MAX 2048 /* where nginx cuts its lines, too */


static size_t rt_log_put(char *out, const char *data, size_t len, int escape);


void
rt_log(const rt_log_t *log, rt_log_level_t level, const char *format, ...)
{
    int     n;
    size_t  i, len;
    va_list args;
    char    line[RT_LOG_LINE_MAX];

    if (log == NULL || log->write == NULL || level > log->level) {
        return;
    }

    va_start(args, format);
    n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);

    if (n < 0) {
        return;
    }

    len = (size_t) n;

    if (len >= sizeof(line)) {
        len = rt__utf8_cut(line, sizeof(line) - 1);
        line[len] = '\0';
    }

    /* A library's error text may bring a line break; a forged line must not come of it. */
    for (i = 0; i < len; i++) {
        if ((unsigned char) line[i] < 0x20 || line[i] == 0x7f) {
            line[i] = ' ';
        }
    }

    log->write(log->data, level, line);
}


char *
rt_log_escape(char *out, size_t size, rt_str_t s)
{
    int         escape;
    size_t      len, used, need;
    int32_t     code;
    const char *p, *start, *end;

    if (size == 0) {
        return out;
    }

    used = 0;
    p = s.data;
    end = (s.len == 0) ? p : p + s.len;

    while (p < end) {
        start = p;
        code = rt__utf8_next(&p, end);

        if (code < 0) {
            p++;
        }

        len = (size_t) (p - start);
        escape = code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == '\\' || code == '"'
            || code == '\'';
        need = escape ? 4 * len : len;

        if (need > size - 1 - used) {
            break;
        }

        used += rt_log_put(out + used, start, len, escape);
    }

    out[used] = '\0';

    return out;
}


/* Writes len bytes of one character as they are or as \xHH each; returns how many were written. */
static size_t
rt_log_put(char *out, const char *data, size_t len, int escape)
{
    size_t i;

    static const char hex[] = "0123456789abcdef";

    if (!escape) {
        memcpy(out, data, len);
        return len;
    }

    for (i = 0; i < len; i++) {
        *out++ = '\\';
        *out++ = 'x';
        *out++ = hex[(unsigned char) data[i] >> 4];
        *out++ = hex[(unsigned char) data[i] & 15];
    }

    return 4 * len;
}
