/* What servers with @socket.io/redis-adapter say: broadcasts and requests. */

#include <rt/rt_adapter.h>

#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "bus/rt_msgpack.h"


#define RT_ADAPTER_EVENT        2 /* types of Socket.IO packets */
#define RT_ADAPTER_BINARY_EVENT 5


void
rt_adapter_message_clear(rt_adapter_message_t *message)
{
    rt_arena_destroy(message->memory);
    memset(message, 0, sizeof(rt_adapter_message_t));
}


rt_str_t
rt_adapter_peek_uid(rt_str_t bytes)
{
    size_t         len;
    const uint8_t *p;

    p = (const uint8_t *) bytes.data;

    /* an array of three whose first is a short text */
    if (bytes.len < 2 || p[0] != 0x93 || (p[1] & 0xe0) != 0xa0) {
        return rt_str_null;
    }

    len = p[1] & 0x1f;

    return len <= bytes.len - 2 ? (rt_str_t){bytes.data + 2, len} : rt_str_null;
}


/* A member's text, or a number as text: rooms may be numbers. */
static rt_status_t
rt_adapter_text(rt_adapter_message_t *message, const json_t *value, rt_str_t *out)
{
    if (json_is_integer(value)) {
        *out = rt_arena_printf(message->memory, "%" JSON_INTEGER_FORMAT, json_integer_value(value));

    } else if (json_is_string(value)) {
        *out = rt_arena_str(message->memory,
            (rt_str_t){json_string_value(value), json_string_length(value)});

    } else {
        *out = rt_str_null;
        return RT_OK;
    }

    return out->data ? RT_OK : RT_NO_MEMORY;
}


/* list: an array of names; anything else stands for none. */
static rt_status_t
rt_adapter_names(rt_adapter_message_t *message, const json_t *list, rt_adapter_names_t *out)
{
    size_t        i, count;
    rt_status_t   status;
    const json_t *name;

    count = json_array_size(list);

    if (count == 0) {
        return RT_OK;
    }

    if (count > RT_ADAPTER_ROOMS_MAX) {
        return RT_INVALID;
    }

    out->names = rt_arena_alloc(message->memory, count * sizeof(rt_str_t));
    if (out->names == NULL) {
        return RT_NO_MEMORY;
    }

    for (i = 0; i < count; i++) {
        name = json_array_get(list, i);

        if (!json_is_string(name) && !json_is_integer(name)) {
            return RT_INVALID; /* to leave it out could make a broadcast to all of it */
        }

        status = rt_adapter_text(message, name, &out->names[i]);
        if (status != RT_OK) {
            return status;
        }
    }

    out->count = count;

    return RT_OK;
}


static rt_status_t
rt_adapter_options(rt_adapter_message_t *message, const json_t *options)
{
    json_t     *flags, *timeout;
    rt_status_t status;

    status = rt_adapter_names(message, json_object_get(options, "rooms"), &message->rooms);

    if (status == RT_OK) {
        status = rt_adapter_names(message, json_object_get(options, "except"), &message->except);
    }

    flags = json_object_get(options, "flags");
    timeout = json_object_get(flags, "timeout");

    message->may_lose = json_is_true(json_object_get(flags, "volatile"));

    if (json_is_number(timeout) && json_number_value(timeout) > 0
        && json_number_value(timeout) < 1e12) {
        message->timeout_ms = (int64_t) json_number_value(timeout);
    }

    return status;
}


/* Who is meant by no rooms at all must be said so: an empty list is everybody, none is nobody. */
static int
rt_adapter_says_rooms(const json_t *options)
{
    return json_is_array(json_object_get(options, "rooms"));
}


/* Names that a server may not emit: clients would take them for news of their connection. */
static int
rt_adapter_reserved(rt_str_t event)
{
    size_t i;

    static const char *const names[] = {"connect", "connect_error", "disconnect", "disconnecting",
        "newListener", "removeListener"};

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (rt_str_eq(event, rt_str_c(names[i]))) {
            return 1;
        }
    }

    return 0;
}


/* Counts the placeholders in value; puts base64 texts in their place when that is asked. 0: no
 * memory. Recurses as deep as the value is. */
static int
rt_adapter_binary(rt_adapter_message_t *message, json_t *value, size_t *found, int replace,
    json_t **instead)
{
    size_t      i, len;
    char       *text;
    json_t     *member, *other;
    int64_t     number;
    const char *key;

    *instead = NULL;
    number = rt_msgpack_placeholder(value, message->attachment_count);

    if (number >= 0) {
        *found += 1;

        if (replace) {
            text = rt_arena_alloc(message->memory,
                4 * ((message->attachments[number].len + 2) / 3) + 1);
            if (text == NULL) {
                return 0;
            }

            len = rt_base64(text, message->attachments[number].data,
                message->attachments[number].len);
            *instead = json_stringn(text, len);
        }

        return !replace || *instead != NULL;
    }

    json_array_foreach(value, i, member)
    {
        if (!rt_adapter_binary(message, member, found, replace, &other)
            || (other != NULL && json_array_set_new(value, i, other) != 0))
        {
            return 0;
        }
    }

    json_object_foreach(value, key, member)
    {
        if (!rt_adapter_binary(message, member, found, replace, &other)
            || (other != NULL && json_object_set_new(value, key, other) != 0))
        {
            return 0;
        }
    }

    return 1;
}


/* The arguments behind the event's name, with commas between. */
static rt_status_t
rt_adapter_args(rt_adapter_message_t *message, const json_t *data, rt_str_t *out)
{
    size_t   i;
    rt_buf_t text;

    memset(&text, 0, sizeof(rt_buf_t));

    for (i = 1; i < json_array_size(data); i++) {
        if (i > 1) {
            rt_buf_append_str(&text, rt_str(","));
        }

        if (rt_json_dump(json_array_get(data, i), &text) != RT_OK) {
            text.failed = 1;
        }
    }

    *out = rt_str_null;

    if (!text.failed && text.len) {
        *out = rt_arena_str(message->memory, (rt_str_t){text.data, text.len});
    }

    i = text.failed || (text.len && out->data == NULL);
    rt_buf_free(&text);

    return i ? RT_NO_MEMORY : RT_OK;
}


static rt_status_t
rt_adapter_packet(rt_adapter_message_t *message, const json_t *packet)
{
    size_t      found;
    json_t     *data, *instead;
    json_int_t  type;
    rt_status_t status;

    type = json_integer_value(json_object_get(packet, "type"));
    data = json_object_get(packet, "data");

    if ((type != RT_ADAPTER_EVENT && type != RT_ADAPTER_BINARY_EVENT)
        || !json_is_string(json_array_get(data, 0)))
    {
        return RT_INVALID;
    }

    status = rt_adapter_text(message, json_array_get(data, 0), &message->event);

    if (status == RT_OK) {
        status = rt_adapter_text(message, json_object_get(packet, "nsp"), &message->nsp);
    }

    if (status != RT_OK) {
        return status;
    }

    if (message->nsp.len == 0) {
        message->nsp = rt_str("/");
    }

    if (rt_adapter_reserved(message->event)) {
        return RT_INVALID;
    }

    status = rt_adapter_args(message, data, &message->args);
    message->data = message->args;

    if (status == RT_OK && message->attachment_count) {
        /* the client counts them: there must be none elsewhere */
        found = 0;

        if (!rt_adapter_binary(message, data, &found, 0, &instead)) {
            return RT_NO_MEMORY;
        }

        if (found < message->attachment_count) {
            return RT_INVALID;
        }

        if (!rt_adapter_binary(message, data, &found, 1, &instead)) {
            return RT_NO_MEMORY;
        }

        status = rt_adapter_args(message, data, &message->data);
    }

    if (status != RT_OK || json_array_size(data) == 2) {
        return status;
    }

    message->data = json_array_size(data) == 1
        ? rt_str("null")
        : rt_arena_printf(message->memory, "[%.*s]", RT_STR_ARG(message->data));

    return message->data.data ? RT_OK : RT_NO_MEMORY;
}


/* Either form, as JSON. */
static rt_status_t
rt_adapter_read(rt_adapter_message_t *message, rt_str_t bytes, json_t **out, rt_error_t *error)
{
    rt_status_t status;

    *out = NULL;

    if (bytes.len > RT_ADAPTER_BYTES_MAX) {
        return rt_error_set(error, RT_TOO_LARGE, "more than %d bytes", RT_ADAPTER_BYTES_MAX);
    }

    message->memory = rt_arena_create(1024);
    if (message->memory == NULL) {
        return rt_error_set(error, RT_NO_MEMORY, "no memory");
    }

    if (bytes.len == 0 || bytes.data[0] != '{') {
        return rt_msgpack_decode(message->memory, bytes, out, &message->attachments,
            &message->attachment_count, RT_ADAPTER_ATTACHMENTS_MAX, error);
    }

    status = rt_json_parse(bytes, out, error);

    if (status == RT_DECLINED) {
        return *out != NULL ? RT_OK : RT_INVALID;
    }

    return status;
}


/* Ends a decoder: what was read is freed, and on failure the message too. */
static rt_status_t
rt_adapter_done(rt_adapter_message_t *message, json_t *value, rt_status_t status, rt_error_t *error)
{
    json_decref(value);

    if (status == RT_OK) {
        return RT_OK;
    }

    rt_adapter_message_clear(message);

    return rt_error_set(error, status, status == RT_NO_MEMORY ? "no memory" : "not understood");
}


rt_status_t
rt_adapter_decode_broadcast(rt_str_t bytes, rt_adapter_message_t *out, rt_error_t *error)
{
    json_t     *value;
    rt_status_t status;

    memset(out, 0, sizeof(rt_adapter_message_t));

    status = rt_adapter_read(out, bytes, &value, error);

    if (status != RT_OK) {
        json_decref(value);
        rt_adapter_message_clear(out);
        return status;
    }

    if (json_array_size(value) != 3 || !rt_adapter_says_rooms(json_array_get(value, 2))) {
        status = RT_INVALID;
    }

    if (status == RT_OK) {
        status = rt_adapter_text(out, json_array_get(value, 0), &out->uid);
    }

    if (status == RT_OK) {
        status = rt_adapter_options(out, json_array_get(value, 2));
    }

    if (status == RT_OK) {
        status = rt_adapter_packet(out, json_array_get(value, 1));
    }

    return rt_adapter_done(out, value, status, error);
}


/* What every request may hold; what a type has no use for is not looked at later. */
static rt_status_t
rt_adapter_request(rt_adapter_message_t *message, const json_t *value)
{
    json_t     *type;
    rt_status_t status;

    type = json_object_get(value, "type");

    if (!json_is_integer(type) || json_integer_value(type) < RT_ADAPTER_SOCKETS
        || json_integer_value(type) > RT_ADAPTER_BROADCAST)
    {
        return json_is_integer(type) ? RT_DECLINED : RT_INVALID;
    }

    message->type = (rt_adapter_type_t) json_integer_value(type);
    message->close = json_is_true(json_object_get(value, "close"));

    status = rt_adapter_text(message, json_object_get(value, "uid"), &message->uid);

    if (status == RT_OK) {
        status =
            rt_adapter_text(message, json_object_get(value, "requestId"), &message->request_id);
    }

    if (status == RT_OK) {
        status = rt_adapter_text(message, json_object_get(value, "sid"), &message->sid);
    }

    if (status == RT_OK) {
        status = rt_adapter_options(message, json_object_get(value, "opts"));
    }

    return status;
}


/* The rooms of a request: in older forms of some they stand in the request itself. */
static rt_status_t
rt_adapter_targets(rt_adapter_message_t *message, const json_t *value)
{
    json_t     *room;
    rt_status_t status;

    switch (message->type) {
    case RT_ADAPTER_SOCKETS:
        return rt_adapter_names(message, json_object_get(value, "rooms"), &message->rooms);

    case RT_ADAPTER_JOIN:
    case RT_ADAPTER_LEAVE:
    case RT_ADAPTER_DISCONNECT:
        if (message->sid.len == 0) {
            return rt_adapter_says_rooms(json_object_get(value, "opts"))
                ? rt_adapter_names(message, json_object_get(value, "rooms"), &message->targets)
                : RT_INVALID;
        }

        room = json_object_get(value, "room");

        if (room == NULL) {
            return RT_OK;
        }

        message->targets.names = rt_arena_alloc(message->memory, sizeof(rt_str_t));
        if (message->targets.names == NULL) {
            return RT_NO_MEMORY;
        }

        message->targets.count = 1;
        status = rt_adapter_text(message, room, &message->targets.names[0]);

        return status;

    case RT_ADAPTER_BROADCAST:
        return rt_adapter_says_rooms(json_object_get(value, "opts")) && message->request_id.len
            ? rt_adapter_packet(message, json_object_get(value, "packet"))
            : RT_INVALID;

    default:
        return RT_OK;
    }
}


rt_status_t
rt_adapter_decode_request(rt_str_t bytes, rt_adapter_message_t *out, rt_error_t *error)
{
    json_t     *value;
    rt_status_t status;

    memset(out, 0, sizeof(rt_adapter_message_t));

    status = rt_adapter_read(out, bytes, &value, error);

    if (status != RT_OK) {
        json_decref(value);
        rt_adapter_message_clear(out);
        return status;
    }

    status = json_is_object(value) ? rt_adapter_request(out, value) : RT_INVALID;

    if (status == RT_OK) {
        status = rt_adapter_targets(out, value);
    }

    return rt_adapter_done(out, value, status, error);
}
