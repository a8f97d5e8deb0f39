/* Requests are checked here, field by field, before anything is done with them. */

#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "chat/rt_schema.h"


static rt_status_t
rt_schema_wrong(const rt_field_t *field, rt_error_t *error, const char *what)
{
    return rt_error_set(error, RT_INVALID, "%s must be %s", field->name, what);
}


/* Well-formed UTF-8: control characters are below U+0020 and U+007F…U+009F (C2 80…C2 9F). */
static int
rt_schema_printable(rt_str_t s)
{
    size_t        i;
    unsigned char c, next;

    for (i = 0; i < s.len; i++) {
        c = (unsigned char) s.data[i];
        next = i + 1 < s.len ? (unsigned char) s.data[i + 1] : 0;

        if (c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next <= 0x9f)) {
            return 0;
        }
    }

    return 1;
}


int
rt_schema_is_id(rt_str_t s)
{
    return s.len != 0 && rt_schema_printable(s) && rt_utf8_length(s) <= RT_ID_CHARACTERS_MAX;
}


static rt_status_t
rt_schema_string(const rt_field_t *field, const json_t *value, rt_str_t *out, rt_error_t *error)
{
    int64_t  length;
    rt_str_t s;

    if (!json_is_string(value)) {
        return rt_schema_wrong(field, error, "a string");
    }

    s = (rt_str_t){json_string_value(value), json_string_length(value)};

    /* no need to count characters where even the bytes are few enough */
    length = (int64_t) s.len;
    if (length > field->max || length < field->min * 4) {
        length = (int64_t) rt_utf8_length(s);
    }

    if (length < field->min || length > field->max) {
        return rt_error_set(error, RT_INVALID, "%s must be %lld to %lld characters", field->name,
            (long long) field->min, (long long) field->max);
    }

    if ((field->flags & RT_FIELD_PRINTABLE) && !rt_schema_printable(s)) {
        return rt_error_set(error, RT_INVALID, "%s must not hold control characters", field->name);
    }

    if ((field->flags & RT_FIELD_CONTENT) && !rt_utf8_has_content(s)) {
        return rt_error_set(error, RT_INVALID, "%s must not be empty", field->name);
    }

    *out = s;

    return RT_OK;
}


static rt_status_t
rt_schema_integer(const rt_field_t *field, const json_t *value, int64_t *out, rt_error_t *error)
{
    int64_t number;

    if (!json_is_integer(value)) {
        return rt_schema_wrong(field, error, "an integer");
    }

    number = (int64_t) json_integer_value(value);

    if (number < field->min || number > field->max) {
        return rt_error_set(error, RT_INVALID, "%s must be %lld to %lld", field->name,
            (long long) field->min, (long long) field->max);
    }

    *out = number;

    return RT_OK;
}


static rt_status_t
rt_schema_number(const rt_field_t *field, const json_t *value, double *out, rt_error_t *error)
{
    double number;

    if (!json_is_number(value)) {
        return rt_schema_wrong(field, error, "a number");
    }

    number = json_number_value(value);

    if (!(number >= (double) field->min && number <= (double) field->max)) {
        return rt_error_set(error, RT_INVALID, "%s must be %lld to %lld", field->name,
            (long long) field->min, (long long) field->max);
    }

    *out = number;

    return RT_OK;
}


static rt_status_t
rt_schema_name(const rt_field_t *field, const json_t *value, int *out, rt_error_t *error)
{
    int    i;
    size_t used;
    char   list[RT_ERROR_TEXT_MAX];

    used = 0;
    list[0] = '\0';

    for (i = 0; field->names[i] != NULL; i++) {

        if (json_is_string(value) && strcmp(json_string_value(value), field->names[i]) == 0) {
            *out = i;
            return RT_OK;
        }

        if (used + strlen(field->names[i]) + 3 < sizeof(list)) {
            used += (size_t) snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
                field->names[i]);
        }
    }

    return rt_error_set(error, RT_INVALID, "%s must be one of %s", field->name, list);
}


static rt_status_t
rt_schema_strings(const rt_field_t *field, json_t *value, json_t **out, rt_error_t *error)
{
    size_t  i, length;
    json_t *item;

    if (!json_is_array(value)) {
        return rt_schema_wrong(field, error, "an array of strings");
    }

    if ((int64_t) json_array_size(value) > field->max) {
        return rt_error_set(error, RT_INVALID, "%s must have at most %lld elements", field->name,
            (long long) field->max);
    }

    json_array_foreach(value, i, item)
    {
        if (!json_is_string(item)) {
            return rt_schema_wrong(field, error, "an array of strings");
        }

        length = rt_utf8_length((rt_str_t){json_string_value(item), json_string_length(item)});

        if (length < 1 || (int64_t) length > field->item_max) {
            return rt_error_set(error, RT_INVALID, "%s must hold strings of 1 to %lld characters",
                field->name, (long long) field->item_max);
        }
    }

    *out = value;

    return RT_OK;
}


/* Keys as MongoDB's operators have no place in what is stored. Nesting is bounded by the parser. */
int
rt_schema_has_operator(const json_t *value)
{
    size_t      i;
    json_t     *item;
    const char *key;

    if (json_is_object(value)) {
        json_object_foreach((json_t *) value, key, item)
        {
            if (key[0] == '$' || rt_schema_has_operator(item)) {
                return 1;
            }
        }

    } else if (json_is_array(value)) {
        json_array_foreach(value, i, item)
        {
            if (rt_schema_has_operator(item)) {
                return 1;
            }
        }
    }

    return 0;
}


static rt_status_t
rt_schema_object(const rt_field_t *field, json_t *value, json_t **out, rt_error_t *error)
{
    if (!json_is_object(value)) {
        return rt_schema_wrong(field, error, "an object");
    }

    if (rt_schema_has_operator(value)) {
        return rt_error_set(error, RT_INVALID, "%s must not hold keys that begin with $",
            field->name);
    }

    if ((int64_t) json_dumpb(value, NULL, 0, JSON_COMPACT) > field->max) {
        return rt_error_set(error, RT_INVALID, "%s must be at most %lld bytes of JSON", field->name,
            (long long) field->max);
    }

    *out = value;

    return RT_OK;
}


static rt_status_t
rt_schema_field(const rt_field_t *field, json_t *value, void *member, rt_error_t *error)
{
    switch (field->type) {

    case RT_FIELD_STRING:
        return rt_schema_string(field, value, member, error);

    case RT_FIELD_INTEGER:
        return rt_schema_integer(field, value, member, error);

    case RT_FIELD_NUMBER:
        return rt_schema_number(field, value, member, error);

    case RT_FIELD_BOOLEAN:
        if (!json_is_boolean(value)) {
            return rt_schema_wrong(field, error, "true or false");
        }

        *(int *) member = json_is_true(value);
        return RT_OK;

    case RT_FIELD_NAME:
        return rt_schema_name(field, value, member, error);

    case RT_FIELD_STRINGS:
        return rt_schema_strings(field, value, member, error);

    case RT_FIELD_OBJECT:
        return rt_schema_object(field, value, member, error);
    }

    return RT_ERROR;
}


rt_status_t
rt_schema_read(const rt_field_t *fields, const json_t *request, void *out, rt_error_t *error)
{
    json_t           *value;
    const char       *key;
    rt_status_t       status;
    const rt_field_t *field;

    if (!json_is_object(request)) {
        return rt_error_set(error, RT_INVALID, "the data must be an object");
    }

    json_object_foreach((json_t *) request, key, value)
    {
        if (key[0] == '$') {
            return rt_error_set(error, RT_INVALID, "keys must not begin with $");
        }
    }

    for (field = fields; field->name != NULL; field++) {
        value = json_object_get(request, field->name);

        if (value == NULL || json_is_null(value)) {
            if (field->flags & RT_FIELD_REQUIRED) {
                return rt_error_set(error, RT_INVALID, "%s is required", field->name);
            }

            continue;
        }

        status = rt_schema_field(field, value, (char *) out + field->offset, error);
        if (status != RT_OK) {
            return status;
        }
    }

    return RT_OK;
}
