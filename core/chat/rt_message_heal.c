/* message.heal: what the bus has lost of rooms' messages, told again. For the host, not for
 * people: whoever asks has members of these rooms. */

#include <stddef.h>
#include <string.h>

#include "chat/rt_chat.h"
#include "chat/rt_schema.h"


#define RT_HEAL_MESSAGES 500
#define RT_HEAL_ROOMS    256

#define rt_heal_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

static const rt_field_t rt_heal_fields[] = {
    {"roomId", RT_FIELD_STRING, RT_FIELD_REQUIRED, offsetof(rt_room_after_t, room_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"afterSeq", RT_FIELD_INTEGER, RT_FIELD_REQUIRED, offsetof(rt_room_after_t, after_seq), 0,
        INT64_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


/* The rooms that are asked for: those of a list, or the one that the request names itself. */
static rt_status_t
rt_heal_read(rt_call_t *call, rt_room_after_t **out, size_t *count)
{
    size_t           i;
    json_t          *list, *item;
    rt_status_t      status;
    rt_room_after_t *rooms;

    list = json_object_get(call->request, "rooms");
    *count = list ? json_array_size(list) : 1;

    if (*count == 0 || *count > RT_HEAL_ROOMS) {
        return rt_call_fail(call, RT_INVALID, "rooms must be an array of 1 to %d", RT_HEAL_ROOMS);
    }

    rooms = rt_arena_calloc(call->arena, *count * sizeof(rt_room_after_t));
    if (rooms == NULL) {
        return RT_NO_MEMORY;
    }

    status = RT_OK;

    for (i = 0; i < *count && status == RT_OK; i++) {
        item = list ? json_array_get(list, i) : call->request;
        status = rt_schema_read(rt_heal_fields, item, &rooms[i], &call->error);
    }

    *out = rooms;

    return status;
}


static rt_status_t
rt_heal_emit(rt_call_t *call, const rt_room_after_t *room)
{
    size_t                  i;
    rt_status_t             status;
    const rt_message_row_t *row;

    status = RT_OK;

    for (i = 0; i < room->list.count && status == RT_OK; i++) {
        row = &room->list.rows[i];
        status = rt_emit_message(call, room->room_id, row->kind, row->seq, row->text);
    }

    return status;
}


static rt_status_t
rt_heal_reply(rt_call_t *call, const rt_room_after_t *rooms, size_t count)
{
    size_t   i;
    rt_buf_t buf;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_heal_put(&buf, "{\"success\":true,\"rooms\":[");

    for (i = 0; i < count; i++) {
        if (i) {
            rt_heal_put(&buf, ",");
        }

        rt_heal_put(&buf, "{\"roomId\":");
        rt_buf_append_json_string(&buf, rooms[i].room_id);
        rt_heal_put(&buf, ",\"lastSeq\":");
        rt_buf_append_int(&buf, rooms[i].last_seq);

        if (rooms[i].has_more) {
            rt_heal_put(&buf, ",\"more\":true}");
        } else {
            rt_heal_put(&buf, ",\"more\":false}");
        }
    }

    rt_heal_put(&buf, "]}");

    return rt_call_reply(call, &buf);
}


static rt_status_t
rt_message_heal(rt_core_t *core, rt_call_t *call)
{
    size_t           i, count;
    rt_status_t      status;
    rt_room_after_t *rooms;

    (void) core;

    rooms = NULL;
    status = rt_heal_read(call, &rooms, &count);
    if (status != RT_OK || rooms == NULL) {
        return status;
    }

    status = rt_call_store(call)->messages_after(call->session, call->arena, rooms, count,
        RT_HEAL_MESSAGES);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    if (!rooms[0].exists && json_object_get(call->request, "rooms") == NULL) {
        return rt_call_fail(call, RT_NOT_FOUND, "Room not found");
    }

    for (i = 0; i < count && status == RT_OK; i++) {
        status = rt_heal_emit(call, &rooms[i]);
    }

    if (status == RT_OK && json_object_get(call->request, "rooms") == NULL) {
        call->last_seq = rooms[0].last_seq;
        status = rt_call_set_room(call, rooms[0].room_id);
    }

    return status == RT_OK ? rt_heal_reply(call, rooms, count) : status;
}


const rt_op_entry_t rt_message_heal_ops[] = {
    {{"message.heal", RT_OP_READ, rt_message_heal}, RT_ROLES_HOST, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL},
};
