/* JSON at the border.
 *
 * jansson parses, but some things of it do not suit us: it recurses up to 2048 levels deep (more
 * than a small thread stack holds), it makes up to 240 bytes of a text's three ("{},"), it refuses
 * a whole document for one integer beyond int64, and for a lone surrogate or \u0000, without saying
 * which event the document was. So depth and values are counted before it sees the text; and what
 * it refused is copied with the offending places replaced, and tried once more. Only broken
 * documents pay for that.
 *
 * Reals are written with 15 digits where all of a document's reals come back from that as they
 * were (0.1 stays 0.1), else with 16 or 17, which always do. */

#include <errno.h>
#include <math.h>
#include <rt/rt_json.h>
#include <rt/rt_text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define RT_JSON_REAL_DIGITS     15
#define RT_JSON_REAL_DIGITS_MAX 17
#define RT_JSON_REAL_TEXT_MAX   32

#define RT_JSON_FFFD "\\ufffd"
#define RT_JSON_UNIT 6 /* characters of \uXXXX */


typedef struct {
    const char *pos;
    const char *end;
    rt_buf_t    out;
    const char *declined; /* the first thing that we do not take, in words; or NULL */
} rt_json_cleaner_t;


static rt_status_t rt_json_check_size(rt_str_t text, rt_error_t *error);
static rt_status_t rt_json_load(rt_str_t text, json_t **out);
static rt_status_t rt_json_parse_cleaned(rt_str_t text, json_t **out, rt_error_t *error);
static void        rt_json_clean(rt_json_cleaner_t *cleaner);
static void        rt_json_clean_string(rt_json_cleaner_t *cleaner);
static void        rt_json_clean_number(rt_json_cleaner_t *cleaner);
static int         rt_json_unit(const char *pos, const char *end);
static int         rt_json_real_digits(const json_t *value, int digits);
static int         rt_json_write(const char *data, size_t bytes, void *buf);


void
rt_json_init(void)
{
    json_object_seed(0);
}


rt_status_t
rt_json_parse(rt_str_t text, json_t **out, rt_error_t *error)
{
    rt_status_t status;

    *out = NULL;

    status = rt_json_check_size(text, error);
    if (status != RT_OK) {
        return status;
    }

    status = rt_json_load(text, out);

    if (status == RT_INVALID) {
        return rt_json_parse_cleaned(text, out, error);
    }

    if (status == RT_NO_MEMORY) {
        return rt_error_set(error, status, "no memory");
    }

    return status;
}


/* Counts brackets and commas outside strings. Of a text that is too deep or too rich only the
 * balance is judged: whether the rest of it is JSON makes no difference to anyone. */
static rt_status_t
rt_json_check_size(rt_str_t text, rt_error_t *error)
{
    int         in_string;
    size_t      depth, deepest, values;
    const char *p, *end;

    in_string = 0;
    depth = 0;
    deepest = 0;
    values = 1;
    end = (text.len == 0) ? text.data : text.data + text.len;

    for (p = text.data; p < end; p++) {
        if (in_string) {
            if (*p == '\\' && p + 1 < end) {
                p++;

            } else if (*p == '"') {
                in_string = 0;
            }

        } else if (*p == '"') {
            in_string = 1;

        } else if (*p == '[' || *p == '{') {
            depth++;
            values++;
            deepest = (depth > deepest) ? depth : deepest;

        } else if (*p == ',') {
            values++;

        } else if (*p == ']' || *p == '}') {
            if (depth == 0) {
                return rt_error_set(error, RT_INVALID, "malformed JSON");
            }

            depth--;
        }
    }

    if (depth != 0 || in_string) {
        return rt_error_set(error, RT_INVALID, "malformed JSON");
    }

    if (deepest > RT_JSON_DEPTH_MAX) {
        return rt_error_set(error, RT_DECLINED, "JSON nests deeper than %d levels",
            RT_JSON_DEPTH_MAX);
    }

    if (values > RT_JSON_VALUES_MAX) {
        return rt_error_set(error, RT_DECLINED, "JSON holds more than %d values",
            RT_JSON_VALUES_MAX);
    }

    return RT_OK;
}


/* jansson's error text quotes the document, so it goes nowhere. That it is empty is how jansson
 * tells of missing memory, except in its lexer, which calls that an invalid token. */
static rt_status_t
rt_json_load(rt_str_t text, json_t **out)
{
    json_error_t error;

    /* Outside strings jansson takes a NUL for the end, whatever follows it. */
    if (text.len == 0 || memchr(text.data, '\0', text.len) != NULL) {
        return RT_INVALID;
    }

    *out = json_loadb(text.data, text.len, JSON_DECODE_ANY, &error);
    if (*out != NULL) {
        return RT_OK;
    }

    return error.text[0] == '\0' ? RT_NO_MEMORY : RT_INVALID;
}


static rt_status_t
rt_json_parse_cleaned(rt_str_t text, json_t **out, rt_error_t *error)
{
    rt_status_t       status;
    rt_json_cleaner_t cleaner;

    if (text.len == 0) {
        return rt_error_set(error, RT_INVALID, "malformed JSON");
    }

    memset(&cleaner, 0, sizeof(cleaner));
    cleaner.pos = text.data;
    cleaner.end = text.data + text.len;

    rt_json_clean(&cleaner);

    if (cleaner.out.failed) {
        status = RT_NO_MEMORY;

    } else {
        status = rt_json_load((rt_str_t){cleaner.out.data, cleaner.out.len}, out);
    }

    rt_buf_free(&cleaner.out);

    switch (status) {

    case RT_OK:
        break;

    case RT_NO_MEMORY:
        return rt_error_set(error, status, "no memory");

    default:
        return rt_error_set(error, status, "malformed JSON");
    }

    if (cleaner.declined != NULL) {
        return rt_error_set(error, RT_DECLINED, "JSON holds %s", cleaner.declined);
    }

    return RT_OK;
}


/* Copies the text, token by token; whatever is no string and no number goes as it is, for jansson
 * to judge. */
static void
rt_json_clean(rt_json_cleaner_t *cleaner)
{
    const char *start;

    while (cleaner->pos < cleaner->end && !cleaner->out.failed) {

        if (*cleaner->pos == '"') {
            rt_json_clean_string(cleaner);
            continue;
        }

        if (*cleaner->pos == '-' || (*cleaner->pos >= '0' && *cleaner->pos <= '9')) {
            rt_json_clean_number(cleaner);
            continue;
        }

        start = cleaner->pos;

        do {
            cleaner->pos++;
        } while (cleaner->pos < cleaner->end && *cleaner->pos != '"' && *cleaner->pos != '-'
            && (*cleaner->pos < '0' || *cleaner->pos > '9'));

        rt_buf_append(&cleaner->out, start, (size_t) (cleaner->pos - start));
    }
}


static void
rt_json_clean_string(rt_json_cleaner_t *cleaner)
{
    int         unit, next;
    size_t      len;
    const char *start;

    start = cleaner->pos++;

    while (cleaner->pos < cleaner->end && *cleaner->pos != '"') {

        if (*cleaner->pos != '\\') {
            cleaner->pos++;
            continue;
        }

        unit = rt_json_unit(cleaner->pos, cleaner->end);

        if (unit < 0) {
            cleaner->pos += (cleaner->end - cleaner->pos > 1) ? 2 : 1;
            continue;
        }

        len = RT_JSON_UNIT;

        if (unit >= 0xd800 && unit <= 0xdbff) {
            next = rt_json_unit(cleaner->pos + RT_JSON_UNIT, cleaner->end);
            len += (next >= 0xdc00 && next <= 0xdfff) ? RT_JSON_UNIT : 0;
        }

        if (unit == 0 || (unit >= 0xd800 && unit <= 0xdfff && len == RT_JSON_UNIT)) {
            if (cleaner->declined == NULL) {
                cleaner->declined = (unit == 0) ? "\\u0000" : "an unpaired surrogate";
            }

            rt_buf_append(&cleaner->out, start, (size_t) (cleaner->pos - start));
            rt_buf_append_str(&cleaner->out, rt_str(RT_JSON_FFFD));
            start = cleaner->pos + len;
        }

        cleaner->pos += len;
    }

    if (cleaner->pos < cleaner->end) {
        cleaner->pos++;
    }

    rt_buf_append(&cleaner->out, start, (size_t) (cleaner->pos - start));
}


/* An integer that is no int64 gets an exponent, which makes a real of it; what is beyond double,
 * too, becomes null. */
static void
rt_json_clean_number(rt_json_cleaner_t *cleaner)
{
    int         is_real;
    char       *copy;
    size_t      len;
    double      real;
    const char *start;

    start = cleaner->pos;
    is_real = 0;

    while (cleaner->pos < cleaner->end && *cleaner->pos != '\0'
        && strchr("0123456789+-.eE", *cleaner->pos) != NULL)
    {
        is_real |= strchr(".eE", *cleaner->pos) != NULL;
        cleaner->pos++;
    }

    len = (size_t) (cleaner->pos - start);

    /* the copy lies where the token goes, with a NUL behind it for strtod */
    copy = rt_buf_reserve(&cleaner->out, len + 1);
    if (copy == NULL) {
        return;
    }

    memcpy(copy, start, len);
    copy[len] = '\0';
    real = strtod(copy, NULL);

    if (isinf(real)) {
        if (cleaner->declined == NULL) {
            cleaner->declined = "a number that is too large";
        }

        rt_buf_append_str(&cleaner->out, rt_str("null"));
        return;
    }

    cleaner->out.len += len;

    if (!is_real) {
        errno = 0;
        (void) strtoll(copy, NULL, 10);

        if (errno == ERANGE) {
            rt_buf_append_str(&cleaner->out, rt_str("e0"));
        }
    }
}


/* The value of the \uXXXX at pos, or -1 when there is none. */
static int
rt_json_unit(const char *pos, const char *end)
{
    int  i, value;
    char c;

    if (end - pos < RT_JSON_UNIT || pos[0] != '\\' || pos[1] != 'u') {
        return -1;
    }

    value = 0;

    for (i = 2; i < RT_JSON_UNIT; i++) {
        c = pos[i];
        value <<= 4;

        if (c >= '0' && c <= '9') {
            value |= c - '0';

        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            value |= (c | 0x20) - 'a' + 10;

        } else {
            return -1;
        }
    }

    return value;
}


rt_status_t
rt_json_dump(const json_t *value, rt_buf_t *buf)
{
    int    digits;
    size_t start;

    if (value == NULL) { /* what a failed allocation of the caller left */
        return RT_NO_MEMORY;
    }

    start = buf->len;
    digits = rt_json_real_digits(value, RT_JSON_REAL_DIGITS);

    if (json_dump_callback(value, rt_json_write, buf,
            JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(digits))
        != 0)
    {
        buf->len = start;
        return RT_NO_MEMORY;
    }

    return RT_OK;
}


/* The fewest digits, at least that many, from which every real in value can be read back. */
static int
rt_json_real_digits(const json_t *value, int digits)
{
    char        text[RT_JSON_REAL_TEXT_MAX];
    double      real;
    size_t      i;
    json_t     *member;
    const char *key;

    switch (json_typeof(value)) {

    case JSON_REAL:
        real = json_real_value(value);

        while (digits < RT_JSON_REAL_DIGITS_MAX) {
            (void) snprintf(text, sizeof(text), "%.*g", digits, real);

            if (strtod(text, NULL) == real) {
                break;
            }

            digits++;
        }

        break;

    case JSON_ARRAY:
        json_array_foreach(value, i, member)
        {
            digits = rt_json_real_digits(member, digits);
        }

        break;

    case JSON_OBJECT:
        json_object_foreach((json_t *) value, key, member)
        {
            digits = rt_json_real_digits(member, digits);
        }

        break;

    default:
        break;
    }

    return digits;
}


static int
rt_json_write(const char *data, size_t bytes, void *buf)
{
    rt_buf_append(buf, data, bytes);

    return ((rt_buf_t *) buf)->failed ? -1 : 0;
}


rt_str_t
rt_json_get_str(const json_t *object, const char *key)
{
    json_t *member;

    member = json_object_get(object, key);

    if (!json_is_string(member)) {
        return rt_str_null;
    }

    return (rt_str_t){json_string_value(member), json_string_length(member)};
}


int
rt_json_set_str(json_t *object, const char *key, rt_str_t value)
{
    /* jansson takes NULL for a missing value, not for an empty one */
    return json_object_set_new(object, key,
        json_stringn(value.len == 0 ? "" : value.data, value.len));
}


void
rt_json_put_text(rt_buf_t *buf, rt_str_t s)
{
    if (s.len == 0) {
        rt_buf_append_str(buf, rt_str("null"));
    } else {
        rt_buf_append_json_string(buf, s);
    }
}


void
rt_json_put_time(rt_buf_t *buf, int64_t time_ms)
{
    char text[RT_TIME_LEN + 1];

    rt_time_format(text, time_ms);
    rt_buf_append(buf, "\"", 1);
    rt_buf_append(buf, text, RT_TIME_LEN);
    rt_buf_append(buf, "\"", 1);
}


void
rt_json_put_time_or_null(rt_buf_t *buf, int64_t time_ms)
{
    if (time_ms) {
        rt_json_put_time(buf, time_ms);
    } else {
        rt_buf_append_str(buf, rt_str("null"));
    }
}
