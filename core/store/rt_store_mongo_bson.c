/* Values between BSON, our structs and JSON texts. */

#include <math.h>
#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "store/rt_store_mongo.h"


static int rt_mongo_append_json(bson_t *document, const char *name, const json_t *value,
    const char *const *ids);


static int
rt_mongo_is_oid(rt_str_t id)
{
    size_t i;

    for (i = 0; i < id.len; i++) {
        if (id.data[i] >= 'A' && id.data[i] <= 'F') {
            return 0;
        }
    }

    return rt_id_valid(id);
}


static void
rt_mongo_put_oid(bson_t *document, const char *name, rt_str_t id)
{
    char       hex[RT_ID_LEN + 1];
    bson_oid_t oid;

    memcpy(hex, id.data, RT_ID_LEN);
    hex[RT_ID_LEN] = '\0';

    bson_oid_init_from_string(&oid, hex);
    bson_append_oid(document, name, -1, &oid);
}


void
rt_mongo_put_text(bson_t *document, const char *name, rt_str_t text)
{
    if (text.len) {
        bson_append_utf8(document, name, -1, text.data, (int) text.len);
    }
}


void
rt_mongo_put_id(bson_t *document, const char *name, rt_str_t id)
{
    if (rt_mongo_is_oid(id)) {
        rt_mongo_put_oid(document, name, id);
    } else {
        rt_mongo_put_text(document, name, id);
    }
}


void
rt_mongo_put_any(bson_t *document, const char *name, const rt_str_t *ids, size_t count)
{
    char        buf[16];
    size_t      i;
    bson_t      condition, array;
    uint32_t    n;
    const char *key;

    n = 0;

    bson_append_document_begin(document, name, -1, &condition);
    bson_append_array_begin(&condition, "$in", -1, &array);

    for (i = 0; i < count; i++) {
        bson_uint32_to_string(n++, &key, buf, sizeof(buf));
        bson_append_utf8(&array, key, -1, ids[i].len ? ids[i].data : "", (int) ids[i].len);

        if (rt_mongo_is_oid(ids[i])) {
            bson_uint32_to_string(n++, &key, buf, sizeof(buf));
            rt_mongo_put_oid(&array, key, ids[i]);
        }
    }

    bson_append_array_end(&condition, &array);
    bson_append_document_end(document, &condition);
}


void
rt_mongo_put_either(bson_t *document, const char *name, rt_str_t id)
{
    if (rt_mongo_is_oid(id)) {
        rt_mongo_put_any(document, name, &id, 1);
    } else {
        bson_append_utf8(document, name, -1, id.len ? id.data : "", (int) id.len);
    }
}


static int
rt_mongo_append_object(bson_t *document, const char *name, const json_t *object,
    const char *const *ids)
{
    int         failed;
    bson_t      child;
    json_t     *value;
    const char *key;

    failed = 0;
    bson_append_document_begin(document, name, -1, &child);

    json_object_foreach((json_t *) object, key, value)
    {
        failed |= rt_mongo_append_json(&child, key, value, ids);
    }

    bson_append_document_end(document, &child);

    return failed;
}


static int
rt_mongo_append_array(bson_t *document, const char *name, const json_t *array)
{
    int         failed;
    char        buf[16];
    size_t      i;
    bson_t      child;
    json_t     *value;
    const char *key;

    failed = 0;
    bson_append_array_begin(document, name, -1, &child);

    json_array_foreach(array, i, value)
    {
        bson_uint32_to_string((uint32_t) i, &key, buf, sizeof(buf));
        failed |= rt_mongo_append_json(&child, key, value, NULL);
    }

    bson_append_array_end(document, &child);

    return failed;
}


/* 1 when the name is among those of ids. */
static int
rt_mongo_names_id(const char *const *ids, const char *name)
{
    size_t i;

    for (i = 0; ids != NULL && ids[i] != NULL; i++) {
        if (strcmp(ids[i], name) == 0) {
            return 1;
        }
    }

    return 0;
}


/* Not 0: something could not be appended. The depth is bounded by rt_json_parse. */
static int
rt_mongo_append_json(bson_t *document, const char *name, const json_t *value,
    const char *const *ids)
{
    rt_str_t text;

    switch (json_typeof(value)) {

    case JSON_OBJECT:
        return rt_mongo_append_object(document, name, value, NULL);

    case JSON_ARRAY:
        return rt_mongo_append_array(document, name, value);

    case JSON_STRING:
        text = (rt_str_t){json_string_value(value), json_string_length(value)};

        if (text.len && rt_mongo_names_id(ids, name)) {
            rt_mongo_put_id(document, name, text);
            return 0;
        }

        return !bson_append_utf8(document, name, -1, text.data, (int) text.len);

    case JSON_INTEGER:
        return !bson_append_int64(document, name, -1, json_integer_value(value));

    case JSON_REAL:
        return !bson_append_double(document, name, -1, json_real_value(value));

    case JSON_TRUE:
    case JSON_FALSE:
        return !bson_append_bool(document, name, -1, json_is_true(value));

    case JSON_NULL:
        return !bson_append_null(document, name, -1);
    }

    return 1;
}


int
rt_mongo_put_value(bson_t *document, const char *name, const json_t *value)
{
    return rt_mongo_append_json(document, name, value, NULL);
}


rt_status_t
rt_mongo_put_json(bson_t *document, const char *name, rt_str_t json, const char *const *ids)
{
    int         failed;
    json_t     *value;
    rt_status_t status;

    if (json.len == 0) {
        return RT_OK;
    }

    status = rt_json_parse(json, &value, NULL);
    if (status != RT_OK) {
        if (status == RT_DECLINED) {
            json_decref(value);
        }

        return status == RT_NO_MEMORY ? RT_NO_MEMORY : RT_ERROR;
    }

    if (json_is_object(value)) {
        failed = rt_mongo_append_object(document, name, value, ids);
    } else {
        failed = rt_mongo_append_json(document, name, value, ids);
    }

    json_decref(value);

    return failed ? RT_ERROR : RT_OK;
}


static json_t *
rt_mongo_json_time(int64_t time_ms)
{
    char text[RT_TIME_LEN + 1];

    rt_time_format(text, time_ms);

    return json_string(text);
}


static json_t *
rt_mongo_json_decimal(const bson_iter_t *iter)
{
    char              text[BSON_DECIMAL128_STRING];
    bson_decimal128_t value;

    bson_iter_decimal128(iter, &value);
    bson_decimal128_to_string(&value, text);

    return json_string(text);
}


static json_t *
rt_mongo_json_oid(const bson_iter_t *iter)
{
    char hex[RT_ID_LEN + 1];

    bson_oid_to_string(bson_iter_oid(iter), hex);

    return json_string(hex);
}


/* A string, or null where it is not UTF-8, which others may have written. */
static json_t *
rt_mongo_json_text(const bson_iter_t *iter)
{
    uint32_t    len;
    const char *text;

    text = bson_iter_utf8(iter, &len);

    if (!rt_utf8_valid((rt_str_t){text, len})) {
        return json_null();
    }

    return json_stringn(text, len);
}


/* What JSON has no word for is null, as is what nests too deep. NULL without memory. */
static json_t *
rt_mongo_json_value(const bson_iter_t *iter, int depth)
{
    int         failed;
    json_t     *value, *child;
    bson_iter_t inner;

    switch (bson_iter_type(iter)) {

    case BSON_TYPE_UTF8:
        return rt_mongo_json_text(iter);

    case BSON_TYPE_OID:
        return rt_mongo_json_oid(iter);

    case BSON_TYPE_DATE_TIME:
        return rt_mongo_json_time(bson_iter_date_time(iter));

    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        return json_integer(bson_iter_as_int64(iter));

    case BSON_TYPE_DOUBLE:
        value = json_real(bson_iter_double(iter));
        return value ? value : json_null(); /* NaN, infinity */

    case BSON_TYPE_DECIMAL128:
        return rt_mongo_json_decimal(iter);

    case BSON_TYPE_BOOL:
        return json_boolean(bson_iter_bool(iter));

    case BSON_TYPE_DOCUMENT:
    case BSON_TYPE_ARRAY:
        break;

    default:
        return json_null();
    }

    if (depth == RT_JSON_DEPTH_MAX || !bson_iter_recurse(iter, &inner)) {
        return json_null();
    }

    failed = 0;
    value = BSON_ITER_HOLDS_ARRAY(iter) ? json_array() : json_object();

    while (value != NULL && !failed && bson_iter_next(&inner)) {
        child = rt_mongo_json_value(&inner, depth + 1);
        failed = json_is_array(value)
            ? json_array_append_new(value, child)
            : json_object_set_new_nocheck(value, bson_iter_key(&inner), child);
    }

    if (failed) {
        json_decref(value);
        return NULL;
    }

    return value;
}


/* The value as JSON text. */
static rt_str_t
rt_mongo_json(const bson_iter_t *iter, rt_arena_t *arena, int *failed)
{
    json_t     *value;
    rt_buf_t    buf;
    rt_str_t    text;
    bson_iter_t inner;

    if ((BSON_ITER_HOLDS_DOCUMENT(iter) || BSON_ITER_HOLDS_ARRAY(iter))
        && bson_iter_recurse(iter, &inner) && !bson_iter_next(&inner))
    {
        return BSON_ITER_HOLDS_ARRAY(iter) ? rt_str("[]") : rt_str("{}");
    }

    if (BSON_ITER_HOLDS_NULL(iter)) {
        return rt_str_null;
    }

    memset(&buf, 0, sizeof(rt_buf_t));
    text = rt_str_null;
    value = rt_mongo_json_value(iter, 0);

    if (rt_json_dump(value, &buf) == RT_OK) {
        text = rt_arena_str(arena, (rt_str_t){buf.data, buf.len});
    }

    json_decref(value);
    rt_buf_free(&buf);

    if (text.data == NULL) {
        *failed = 1;
    }

    return text;
}


static rt_str_t
rt_mongo_text(const bson_iter_t *iter, rt_arena_t *arena, int *failed)
{
    char     hex[RT_ID_LEN + 1];
    uint32_t len;
    rt_str_t text;

    text = rt_str_null;

    if (BSON_ITER_HOLDS_UTF8(iter)) {
        text.data = bson_iter_utf8(iter, &len);
        text.len = len;

        if (!rt_utf8_valid(text)) {
            return rt_str_null;
        }

    } else if (BSON_ITER_HOLDS_OID(iter)) {
        bson_oid_to_string(bson_iter_oid(iter), hex);
        text = (rt_str_t){hex, RT_ID_LEN};

    } else if (BSON_ITER_HOLDS_NUMBER(iter)) {
        return rt_arena_printf(arena, "%lld", (long long) bson_iter_as_int64(iter));
    }

    if (text.len == 0) {
        return rt_str_null;
    }

    text = rt_arena_str(arena, text);
    if (text.data == NULL) {
        *failed = 1;
    }

    return text;
}


static void
rt_mongo_read_field(const bson_iter_t *iter, const rt_mongo_field_t *field, void *out,
    rt_arena_t *arena, int *failed)
{
    void *member;

    member = (char *) out + field->offset;

    switch (field->type) {

    case RT_MONGO_TEXT:
        *(rt_str_t *) member = rt_mongo_text(iter, arena, failed);
        break;

    case RT_MONGO_NUMBER:
        if (BSON_ITER_HOLDS_NUMBER(iter) && isfinite(bson_iter_as_double(iter))) {
            *(double *) member = bson_iter_as_double(iter);
        }

        break;

    case RT_MONGO_ARRAY:
        if (BSON_ITER_HOLDS_ARRAY(iter)) {
            *(rt_str_t *) member = rt_mongo_json(iter, arena, failed);
        }

        break;

    case RT_MONGO_OBJECT:
        if (BSON_ITER_HOLDS_DOCUMENT(iter)) {
            *(rt_str_t *) member = rt_mongo_json(iter, arena, failed);
        }

        break;

    case RT_MONGO_JSON:
        *(rt_str_t *) member = rt_mongo_json(iter, arena, failed);
        break;

    case RT_MONGO_INT:
        *(int64_t *) member = BSON_ITER_HOLDS_NUMBER(iter) ? bson_iter_as_int64(iter) : 0;
        break;

    case RT_MONGO_TIME:
        *(int64_t *) member = BSON_ITER_HOLDS_DATE_TIME(iter) ? bson_iter_date_time(iter) : 0;
        break;

    case RT_MONGO_TRUE:
        *(int *) member = !BSON_ITER_HOLDS_BOOL(iter) || bson_iter_bool(iter);
        break;

    case RT_MONGO_FALSE:
        *(int *) member = BSON_ITER_HOLDS_BOOL(iter) && bson_iter_bool(iter);
        break;

    case RT_MONGO_PRESENT:
        *(int *) member = 1;
        break;
    }
}


rt_status_t
rt_mongo_read(const bson_t *document, const rt_mongo_field_t *fields, void *out, rt_arena_t *arena)
{
    int                     failed;
    bson_iter_t             iter;
    const rt_mongo_field_t *field;

    failed = 0;

    for (field = fields; field->name != NULL; field++) {
        if (field->type == RT_MONGO_TRUE) {
            *(int *) ((char *) out + field->offset) = 1;
        }
    }

    if (!bson_iter_init(&iter, document)) {
        return RT_ERROR;
    }

    while (bson_iter_next(&iter)) {
        for (field = fields; field->name != NULL; field++) {
            if (strcmp(field->name, bson_iter_key(&iter)) == 0) {
                rt_mongo_read_field(&iter, field, out, arena, &failed);
            }
        }
    }

    return failed ? RT_NO_MEMORY : RT_OK;
}
