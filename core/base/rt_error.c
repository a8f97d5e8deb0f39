/* Statuses and the texts that go with them. */

#include <base/rt_unicode.h>
#include <rt/rt_base.h>
#include <stdio.h>
#include <string.h>


static void rt_error_clean(char *text, size_t len);


const char *
rt_status_code(rt_status_t status)
{
    switch (status) {

    case RT_OK:
        return "OK";

    case RT_INVALID:
        return "INVALID";

    case RT_UNAUTHORIZED:
        return "UNAUTHORIZED";

    case RT_FORBIDDEN:
        return "FORBIDDEN";

    case RT_NOT_FOUND:
        return "NOT_FOUND";

    case RT_CONFLICT:
        return "CONFLICT";

    case RT_TOO_LARGE:
        return "TOO_LARGE";

    case RT_RATE_LIMITED:
        return "RATE_LIMITED";

    case RT_AGAIN:
    case RT_DECLINED:
    case RT_UNAVAILABLE:
    case RT_NO_MEMORY:
    case RT_ERROR:
        break;
    }

    return "UNAVAILABLE";
}


rt_status_t
rt_error_set(rt_error_t *error, rt_status_t status, const char *format, ...)
{
    int     n;
    size_t  len;
    va_list args;
    char    text[RT_ERROR_TEXT_MAX];

    if (error == NULL) {
        return status;
    }

    /* not straight into error->text, which may be among the arguments */
    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    len = 0;

    if (n > 0) {
        len = (size_t) n;

        if (len >= sizeof(text)) {
            len = rt__utf8_cut(text, sizeof(text) - 1);
        }

        rt_error_clean(text, len);
    }

    memcpy(error->text, text, len);
    error->text[len] = '\0';
    error->status = status;

    return status;
}


/* The text is promised to be UTF-8, whatever a %s brought in. */
static void
rt_error_clean(char *text, size_t len)
{
    const char *p, *end;

    p = text;
    end = text + len;

    while (p < end) {
        if (rt__utf8_next(&p, end) < 0) {
            text[p - text] = '?';
            p++;
        }
    }
}
