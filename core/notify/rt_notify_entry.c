/* Events as entries of a stream: pairs of a field's name and its text.
 *
 *   event booking.created  businessId salon  payload {"clientName":"Zoe"}
 *   event booking.created  businessId salon  clientName Zoe
 *   json {"event":"booking.created","businessId":"salon","clientName":"Zoe"}
 *
 * Streams hold texts alone, so what a payload's member is has to be guessed where it is a field of
 * its own: JSON of an object, an array, true or false is taken as such, all else is text. */

#include <string.h>

#include <rt/rt_json.h>

#include "notify/rt_notify.h"


/* Fields whose text is JSON: the payload, or without a field `event` all of the event. */
static const char *const rt_entry_documents[] = {"payload", "data", "json"};

/* What tells the event apart, always texts. */
static const char *const rt_entry_heads[] = {"event", "businessId", "userId", "eventId"};


static rt_str_t
rt_entry_text(const json_t *value)
{
    return (rt_str_t){json_string_value(value), json_string_length(value)};
}


static int
rt_entry_is(const char *name, const char *const *names, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0) {
            return 1;
        }
    }

    return 0;
}

#define rt_entry_is_document(name)                                                                 \
    rt_entry_is((name), rt_entry_documents, sizeof(rt_entry_documents) / sizeof(char *))
#define rt_entry_is_head(name)                                                                     \
    rt_entry_is((name), rt_entry_heads, sizeof(rt_entry_heads) / sizeof(char *))


/* The members of a document, added to the event. */
static rt_status_t
rt_entry_add_document(rt_call_t *call, const char *name, rt_str_t text, json_t *event)
{
    int         failed;
    json_t     *payload;
    rt_error_t  error;
    rt_status_t status;

    if (text.len == 0) {
        return RT_OK;
    }

    status = rt_json_parse(text, &payload, &error);

    if (status == RT_NO_MEMORY) {
        return status;
    }

    if (status != RT_OK) {
        json_decref(payload);
        return rt_call_fail(call, RT_INVALID, "field %s: %s", name, error.text);
    }

    if (!json_is_object(payload)) {
        json_decref(payload);
        return rt_call_fail(call, RT_INVALID, "field %s must be a JSON object", name);
    }

    failed = json_object_update(event, payload);
    json_decref(payload);

    return failed ? RT_NO_MEMORY : RT_OK;
}


/* A member of the payload that is a field of its own. */
static rt_status_t
rt_entry_add_member(const char *name, json_t *value, json_t *event)
{
    json_t     *parsed;
    rt_str_t    text;
    rt_status_t status;

    text = rt_entry_text(value);

    if (text.len == 0
        || (strchr("{[", text.data[0]) == NULL && !rt_str_eq(text, rt_str("true"))
            && !rt_str_eq(text, rt_str("false"))))
    {
        return json_object_set(event, name, value) ? RT_NO_MEMORY : RT_OK;
    }

    status = rt_json_parse(text, &parsed, NULL);

    if (status == RT_OK) {
        return json_object_set_new(event, name, parsed) ? RT_NO_MEMORY : RT_OK;
    }

    json_decref(parsed);

    if (status == RT_NO_MEMORY) {
        return status;
    }

    return json_object_set(event, name, value) ? RT_NO_MEMORY : RT_OK;
}


/* The payload's part of the event: documents, and members that are fields. */
static rt_status_t
rt_entry_payload(rt_call_t *call, const json_t *fields, json_t *event)
{
    size_t      i;
    json_t     *value;
    const char *name;
    rt_status_t status;

    for (i = 0; i + 1 < json_array_size(fields); i += 2) {
        name = json_string_value(json_array_get(fields, i));
        value = json_array_get(fields, i + 1);
        status = RT_OK;

        if (rt_entry_is_document(name)) {
            status = rt_entry_add_document(call, name, rt_entry_text(value), event);

        } else if (!rt_entry_is_head(name) && strcmp(name, "id") != 0) {
            status = rt_entry_add_member(name, value, event);
        }

        if (status != RT_OK) {
            return status;
        }
    }

    return RT_OK;
}


/* The rest, which counts more than what the payload says. A payload's own id is no event's. */
static rt_status_t
rt_entry_head(const json_t *fields, json_t *event)
{
    int         failed;
    size_t      i;
    json_t     *value;
    const char *name;

    failed = 0;

    if (json_object_get(event, "id") != NULL && json_object_get(event, "eventId") == NULL) {
        failed = json_object_set_new(event, "eventId", json_string(""));
    }

    for (i = 0; i + 1 < json_array_size(fields); i += 2) {
        name = json_string_value(json_array_get(fields, i));
        value = json_array_get(fields, i + 1);

        if (strcmp(name, "id") == 0) {
            failed |= json_object_set(event, "eventId", value);

        } else if (rt_entry_is_head(name)) {
            failed |= json_object_set(event, name, value);
        }
    }

    return failed ? RT_NO_MEMORY : RT_OK;
}


/* Bytes of 0 would end names early, and no JSON that we take has them in its texts. */
static rt_status_t
rt_entry_check(rt_call_t *call, const json_t *fields)
{
    size_t   i;
    rt_str_t text;

    for (i = 0; i < json_array_size(fields); i++) {
        text = rt_entry_text(json_array_get(fields, i));

        if (memchr(text.data, '\0', text.len) != NULL) {
            return rt_call_fail(call, RT_INVALID, "fields must not hold bytes of 0");
        }
    }

    return RT_OK;
}


/* 1: there is a field `event`. *document: the first one that holds something. */
static int
rt_entry_look(const json_t *fields, rt_str_t *document)
{
    int         named;
    size_t      i;
    const char *name;

    named = 0;

    for (i = 0; i + 1 < json_array_size(fields); i += 2) {
        name = json_string_value(json_array_get(fields, i));
        named |= strcmp(name, "event") == 0;

        if (document->len == 0 && rt_entry_is_document(name)) {
            *document = rt_entry_text(json_array_get(fields, i + 1));
        }
    }

    return named;
}


rt_status_t
rt_notify_entry(rt_call_t *call, const json_t *fields, rt_str_t *whole, json_t **event)
{
    json_t     *made;
    rt_str_t    document;
    rt_status_t status;

    *event = NULL;
    *whole = rt_str_null;
    document = rt_str_null;

    status = rt_entry_check(call, fields);
    if (status != RT_OK) {
        return status;
    }

    if (!rt_entry_look(fields, &document) && document.len) {
        *whole = document;
        return RT_OK;
    }

    made = json_object();
    status = made ? rt_entry_payload(call, fields, made) : RT_NO_MEMORY;

    if (status == RT_OK) {
        status = rt_entry_head(fields, made);
    }

    if (status != RT_OK) {
        json_decref(made);
        return status;
    }

    *event = made;

    return RT_OK;
}
