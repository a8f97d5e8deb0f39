/* MessagePack by msgpack-c, from and to JSON.
 *
 * msgpack-c allocates what a header declares before it has seen the values: five bytes can reserve
 * 16 GB. So headers are walked first, and a count that the bytes left can't hold ends it there.
 * What was unpacked is written as JSON text and parsed again, so that texts (valid UTF-8), numbers
 * and sizes obey the same rules as everywhere. */

#include "bus/rt_msgpack.h"

#include <inttypes.h>
#include <math.h>
#include <msgpack.h>
#include <stdio.h>
#include <string.h>

#include <base/rt_unicode.h>
#include <rt/rt_json.h>
#include <rt/rt_text.h>


#define RT_MSGPACK_TIMESTAMP (-1) /* an extension's type */

typedef struct {
    const uint8_t *pos;
    const uint8_t *end;
} rt_msgpack_bytes_t;

typedef struct {
    rt_buf_t    text;
    rt_arena_t *arena;
    rt_str_t   *attachments;
    size_t      count;
    size_t      max;
    rt_status_t status;
} rt_msgpack_writer_t;

static void rt_msgpack_write(rt_msgpack_writer_t *writer, const msgpack_object *value);


/* A big-endian number of so many bytes; 0 when they are not there (*status says so). */
static uint64_t
rt_msgpack_number(rt_msgpack_bytes_t *bytes, size_t size, rt_status_t *status)
{
    size_t   i;
    uint64_t n;

    if ((size_t) (bytes->end - bytes->pos) < size) {
        *status = RT_INVALID;
        return 0;
    }

    for (i = 0, n = 0; i < size; i++) {
        n = n << 8 | *bytes->pos++;
    }

    return n;
}


/* Reads one header, and steps over what belongs to the value itself. *values: how many follow as
 * its elements, keys counted. */
static rt_status_t
rt_msgpack_header(rt_msgpack_bytes_t *bytes, uint64_t *values)
{
    uint8_t     first;
    uint64_t    skip;
    rt_status_t status;

    status = RT_OK;
    skip = 0;
    *values = 0;

    first = (uint8_t) rt_msgpack_number(bytes, 1, &status);

    if (first <= 0x7f || first >= 0xe0) { /* small integers */
        return status;
    }

    if (first <= 0x8f) {
        *values = 2 * (uint64_t) (first & 0x0f);

    } else if (first <= 0x9f) {
        *values = first & 0x0f;

    } else if (first <= 0xbf) {
        skip = first & 0x1f;

    } else if (first == 0xc1) { /* never used */
        status = RT_INVALID;

    } else if (first <= 0xc3) { /* nil, booleans */
        skip = 0;

    } else if (first <= 0xc6) { /* binary of 8, 16, 32 bits */
        skip = rt_msgpack_number(bytes, (size_t) 1 << (first - 0xc4), &status);

    } else if (first <= 0xc9) { /* extensions: behind the length their type */
        skip = 1 + rt_msgpack_number(bytes, (size_t) 1 << (first - 0xc7), &status);

    } else if (first <= 0xcb) { /* floats */
        skip = (uint64_t) 4 << (first - 0xca);

    } else if (first <= 0xcf) {
        skip = (uint64_t) 1 << (first - 0xcc);

    } else if (first <= 0xd3) {
        skip = (uint64_t) 1 << (first - 0xd0);

    } else if (first <= 0xd8) { /* extensions of fixed length */
        skip = 1 + ((uint64_t) 1 << (first - 0xd4));

    } else if (first <= 0xdb) {
        skip = rt_msgpack_number(bytes, (size_t) 1 << (first - 0xd9), &status);

    } else {
        *values = rt_msgpack_number(bytes, first & 1 ? 4 : 2, &status);
        *values *= first >= 0xde ? 2 : 1;
    }

    if (status != RT_OK || skip > (uint64_t) (bytes->end - bytes->pos)) {
        return RT_INVALID;
    }

    bytes->pos += skip;

    /* each of them takes a byte at least */
    return *values > (uint64_t) (bytes->end - bytes->pos) ? RT_INVALID : RT_OK;
}


rt_status_t
rt_msgpack_check(rt_str_t bytes, rt_error_t *error)
{
    size_t             depth, count;
    uint64_t           values, left[RT_MSGPACK_DEPTH_MAX];
    rt_msgpack_bytes_t b;

    if (bytes.len == 0) {
        return rt_error_set(error, RT_INVALID, "empty");
    }

    b.pos = (const uint8_t *) bytes.data;
    b.end = b.pos + bytes.len;
    depth = 0;
    count = 0;

    do {
        if (rt_msgpack_header(&b, &values) != RT_OK) {
            return rt_error_set(error, RT_INVALID, "malformed MessagePack");
        }

        if (++count > RT_MSGPACK_VALUES_MAX) {
            return rt_error_set(error, RT_INVALID, "more than %d values", RT_MSGPACK_VALUES_MAX);
        }

        if (values > 0) {
            if (depth == RT_MSGPACK_DEPTH_MAX) {
                return rt_error_set(error, RT_INVALID, "nests deeper than %d levels",
                    RT_MSGPACK_DEPTH_MAX);
            }

            left[depth++] = values;
            continue;
        }

        while (depth > 0 && --left[depth - 1] == 0) {
            depth--;
        }
    } while (depth > 0);

    if (b.pos != b.end) {
        return rt_error_set(error, RT_INVALID, "bytes behind the value");
    }

    return RT_OK;
}


/* JavaScript writes invalid UTF-8 where a text holds half a character. */
static void
rt_msgpack_write_text(rt_msgpack_writer_t *writer, const char *data, size_t len)
{
    rt_buf_t    clean;
    const char *p, *end, *from;

    if (len == 0) {
        data = ""; /* msgpack-c leaves it NULL */
    }

    if (rt_utf8_valid((rt_str_t){data, len})) {
        rt_buf_append_json_string(&writer->text, (rt_str_t){data, len});
        return;
    }

    memset(&clean, 0, sizeof(rt_buf_t));

    for (p = data, end = data + len; p < end; /* void */) {
        from = p;

        if (rt__utf8_next(&p, end) < 0) {
            rt_buf_append_str(&clean, rt_str("\xef\xbf\xbd"));
            p = from + 1;
        } else {
            rt_buf_append(&clean, from, (size_t) (p - from));
        }
    }

    if (clean.failed) {
        writer->text.failed = 1;
    } else {
        rt_buf_append_json_string(&writer->text, (rt_str_t){clean.data, clean.len});
    }

    rt_buf_free(&clean);
}


static void
rt_msgpack_write_real(rt_msgpack_writer_t *writer, double number)
{
    int  len;
    char text[40];

    if (!isfinite(number)) {
        rt_buf_append_str(&writer->text, rt_str("null"));
        return;
    }

    len = snprintf(text, sizeof(text), "%.17g", number);
    rt_buf_append(&writer->text, text, (size_t) len);
}


static void
rt_msgpack_write_binary(rt_msgpack_writer_t *writer, const char *data, size_t len)
{
    rt_str_t *all;

    if (writer->count == writer->max) {
        writer->status = RT_INVALID;
        return;
    }

    if (writer->attachments == NULL) {
        all = rt_arena_alloc(writer->arena, writer->max * sizeof(rt_str_t));
        if (all == NULL) {
            writer->status = RT_NO_MEMORY;
            return;
        }

        writer->attachments = all;
    }

    writer->attachments[writer->count] = rt_arena_str(writer->arena, (rt_str_t){data, len});

    if (writer->attachments[writer->count].data == NULL) {
        writer->status = RT_NO_MEMORY;
        return;
    }

    rt_buf_append_str(&writer->text, rt_str("{\"_placeholder\":true,\"num\":"));
    rt_buf_append_int(&writer->text, (int64_t) writer->count++);
    rt_buf_append_str(&writer->text, rt_str("}"));
}


/* A time, by https://github.com/msgpack/msgpack/blob/master/spec.md#timestamp-extension-type; what
 * it can't be is null, as of a Date that is none. */
static void
rt_msgpack_write_time(rt_msgpack_writer_t *writer, const char *data, size_t len)
{
    int64_t            seconds;
    uint64_t           nanos, packed;
    rt_status_t        status;
    rt_msgpack_bytes_t bytes = {(const uint8_t *) data, (const uint8_t *) data + len};

    status = RT_OK;

    switch (len) {
    case 4:
        nanos = 0;
        seconds = (int64_t) rt_msgpack_number(&bytes, 4, &status);
        break;

    case 8:
        packed = rt_msgpack_number(&bytes, 8, &status);
        nanos = packed >> 34;
        seconds = (int64_t) (packed & 0x3ffffffff);
        break;

    case 12:
        nanos = rt_msgpack_number(&bytes, 4, &status);
        seconds = (int64_t) rt_msgpack_number(&bytes, 8, &status);
        break;

    default:
        rt_buf_append_str(&writer->text, rt_str("null"));
        return;
    }

    if (nanos >= 1000000000 || seconds > 8640000000000 || seconds < -8640000000000) {
        rt_buf_append_str(&writer->text, rt_str("null"));
        return;
    }

    rt_json_put_time(&writer->text, seconds * 1000 + (int64_t) (nanos / 1000000));
}


static void
rt_msgpack_write_key(rt_msgpack_writer_t *writer, const msgpack_object *key)
{
    char text[24];

    switch (key->type) {
    case MSGPACK_OBJECT_STR:
        rt_msgpack_write_text(writer, key->via.str.ptr, key->via.str.size);
        break;

    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        (void) snprintf(text, sizeof(text), "%" PRIu64, key->via.u64);
        rt_buf_append_json_string(&writer->text, rt_str_c(text));
        break;

    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        (void) snprintf(text, sizeof(text), "%" PRId64, key->via.i64);
        rt_buf_append_json_string(&writer->text, rt_str_c(text));
        break;

    default:
        writer->status = RT_INVALID;
    }
}


static void
rt_msgpack_write_array(rt_msgpack_writer_t *writer, const msgpack_object_array *array)
{
    uint32_t i;

    rt_buf_append_str(&writer->text, rt_str("["));

    for (i = 0; i < array->size && writer->status == RT_OK; i++) {
        if (i) {
            rt_buf_append_str(&writer->text, rt_str(","));
        }

        rt_msgpack_write(writer, &array->ptr[i]);
    }

    rt_buf_append_str(&writer->text, rt_str("]"));
}


static void
rt_msgpack_write_map(rt_msgpack_writer_t *writer, const msgpack_object_map *map)
{
    uint32_t i;

    rt_buf_append_str(&writer->text, rt_str("{"));

    for (i = 0; i < map->size && writer->status == RT_OK; i++) {
        if (i) {
            rt_buf_append_str(&writer->text, rt_str(","));
        }

        rt_msgpack_write_key(writer, &map->ptr[i].key);
        rt_buf_append_str(&writer->text, rt_str(":"));
        rt_msgpack_write(writer, &map->ptr[i].val);
    }

    rt_buf_append_str(&writer->text, rt_str("}"));
}


/* Recurses as deep as the value is: RT_MSGPACK_DEPTH_MAX at most. */
static void
rt_msgpack_write(rt_msgpack_writer_t *writer, const msgpack_object *value)
{
    char text[24];

    switch (value->type) {
    case MSGPACK_OBJECT_BOOLEAN:
        rt_buf_append_str(&writer->text, value->via.boolean ? rt_str("true") : rt_str("false"));
        break;

    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        (void) snprintf(text, sizeof(text), "%" PRIu64, value->via.u64);
        rt_buf_append_str(&writer->text, rt_str_c(text));
        break;

    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        rt_buf_append_int(&writer->text, value->via.i64);
        break;

    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        rt_msgpack_write_real(writer, value->via.f64);
        break;

    case MSGPACK_OBJECT_STR:
        rt_msgpack_write_text(writer, value->via.str.ptr, value->via.str.size);
        break;

    case MSGPACK_OBJECT_BIN:
        rt_msgpack_write_binary(writer, value->via.bin.ptr, value->via.bin.size);
        break;

    case MSGPACK_OBJECT_ARRAY:
        rt_msgpack_write_array(writer, &value->via.array);
        break;

    case MSGPACK_OBJECT_MAP:
        rt_msgpack_write_map(writer, &value->via.map);
        break;

    case MSGPACK_OBJECT_EXT:
        if (value->via.ext.type == RT_MSGPACK_TIMESTAMP) {
            rt_msgpack_write_time(writer, value->via.ext.ptr, value->via.ext.size);
        } else {
            rt_buf_append_str(&writer->text, rt_str("null")); /* nothing that Node writes now */
        }

        break;

    default:
        rt_buf_append_str(&writer->text, rt_str("null"));
    }
}


rt_status_t
rt_msgpack_decode(rt_arena_t *arena, rt_str_t bytes, json_t **out, rt_str_t **attachments,
    size_t *count, size_t max, rt_error_t *error)
{
    size_t                offset;
    rt_status_t           status;
    msgpack_unpacked      unpacked;
    rt_msgpack_writer_t   writer;
    msgpack_unpack_return rc;

    status = rt_msgpack_check(bytes, error);
    if (status != RT_OK) {
        return status;
    }

    memset(&writer, 0, sizeof(writer));
    writer.arena = arena;
    writer.max = max;

    offset = 0;
    msgpack_unpacked_init(&unpacked);
    rc = msgpack_unpack_next(&unpacked, bytes.data, bytes.len, &offset);

    if (rc == MSGPACK_UNPACK_SUCCESS) {
        rt_msgpack_write(&writer, &unpacked.data);
        status = writer.text.failed ? RT_NO_MEMORY : writer.status;

    } else {
        status = rc == MSGPACK_UNPACK_NOMEM_ERROR ? RT_NO_MEMORY : RT_INVALID;
    }

    msgpack_unpacked_destroy(&unpacked);

    if (status == RT_OK) {
        status = rt_json_parse((rt_str_t){writer.text.data, writer.text.len}, out, error);

        /* a text with a NUL: it is taken, with another character in its place */
        if (status == RT_DECLINED) {
            status = *out != NULL ? RT_OK : RT_INVALID;
        }

    } else {
        (void) rt_error_set(error, status, "MessagePack that can't be taken");
    }

    rt_buf_free(&writer.text);

    *attachments = writer.attachments;
    *count = writer.count;

    return status;
}


int64_t
rt_msgpack_placeholder(const json_t *value, size_t count)
{
    const json_t *num;

    if (!json_is_object(value) || !json_is_true(json_object_get(value, "_placeholder"))) {
        return -1;
    }

    num = json_object_get(value, "num");

    if (!json_is_integer(num) || json_integer_value(num) < 0
        || (uint64_t) json_integer_value(num) >= count)
    {
        return -1;
    }

    return json_integer_value(num);
}


static int
rt_msgpack_append(void *data, const char *bytes, size_t len)
{
    rt_buf_t *buf = data;

    rt_buf_append(buf, bytes, len);

    return buf->failed ? -1 : 0;
}


/* The packer is two pointers: one for each call costs nothing. */
static msgpack_packer
rt_msgpack_packer(rt_buf_t *buf)
{
    msgpack_packer packer;

    msgpack_packer_init(&packer, buf, rt_msgpack_append);

    return packer;
}


void
rt_msgpack_put_str(rt_buf_t *buf, rt_str_t s)
{
    msgpack_packer packer = rt_msgpack_packer(buf);

    (void) msgpack_pack_str(&packer, s.len);
    (void) msgpack_pack_str_body(&packer, s.len ? s.data : "", s.len);
}


void
rt_msgpack_put_int(rt_buf_t *buf, int64_t n)
{
    msgpack_packer packer = rt_msgpack_packer(buf);

    (void) msgpack_pack_int64(&packer, n);
}


void
rt_msgpack_put_array(rt_buf_t *buf, size_t count)
{
    msgpack_packer packer = rt_msgpack_packer(buf);

    (void) msgpack_pack_array(&packer, count);
}


void
rt_msgpack_put_map(rt_buf_t *buf, size_t count)
{
    msgpack_packer packer = rt_msgpack_packer(buf);

    (void) msgpack_pack_map(&packer, count);
}


static void
rt_msgpack_put_object(rt_buf_t *buf, const json_t *value, const rt_str_t *attachments, size_t count)
{
    json_t        *member;
    int64_t        number;
    const char    *key;
    msgpack_packer packer = rt_msgpack_packer(buf);

    number = rt_msgpack_placeholder(value, count);

    if (number >= 0) {
        (void) msgpack_pack_bin(&packer, attachments[number].len);
        (void) msgpack_pack_bin_body(&packer, attachments[number].data, attachments[number].len);
        return;
    }

    rt_msgpack_put_map(buf, json_object_size(value));

    json_object_foreach((json_t *) value, key, member)
    {
        rt_msgpack_put_str(buf, rt_str_c(key));
        rt_msgpack_put(buf, member, attachments, count);
    }
}


/* Recurses as deep as the value is: RT_JSON_DEPTH_MAX at most. */
void
rt_msgpack_put(rt_buf_t *buf, const json_t *value, const rt_str_t *attachments, size_t count)
{
    size_t         i;
    json_t        *element;
    msgpack_packer packer = rt_msgpack_packer(buf);

    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        rt_msgpack_put_object(buf, value, attachments, count);
        break;

    case JSON_ARRAY:
        rt_msgpack_put_array(buf, json_array_size(value));

        json_array_foreach(value, i, element)
        {
            rt_msgpack_put(buf, element, attachments, count);
        }

        break;

    case JSON_STRING:
        rt_msgpack_put_str(buf, (rt_str_t){json_string_value(value), json_string_length(value)});
        break;

    case JSON_INTEGER:
        rt_msgpack_put_int(buf, json_integer_value(value));
        break;

    case JSON_REAL:
        (void) msgpack_pack_double(&packer, json_real_value(value));
        break;

    case JSON_TRUE:
        (void) msgpack_pack_true(&packer);
        break;

    case JSON_FALSE:
        (void) msgpack_pack_false(&packer);
        break;

    default:
        (void) msgpack_pack_nil(&packer);
    }
}
