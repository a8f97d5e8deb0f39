/* room.update, room.archive: what staff do to a room. */

#include <stddef.h>
#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "chat/rt_chat.h"
#include "chat/rt_schema.h"


#define RT_ROOM_TAGS      50
#define RT_TAG_CHARACTERS 100

typedef struct {
    int      priority;
    json_t  *tags;
    rt_str_t staff_id;
    rt_str_t staff_name;
} rt_update_t;

static const rt_field_t rt_update_fields[] = {
    {"priority", RT_FIELD_NAME, 0, offsetof(rt_update_t, priority), 0, 0, 0, rt_priority_names},
    {"tags", RT_FIELD_STRINGS, 0, offsetof(rt_update_t, tags), 0, RT_ROOM_TAGS, RT_TAG_CHARACTERS,
        NULL},
    {"assignedStaffId", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_update_t, staff_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"assignedStaffName", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_update_t, staff_name), 0,
        RT_NAME_CHARACTERS_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


/* The members that the request names, null included, which takes the assignment back. */
static int
rt_update_apply(rt_call_t *call, const rt_update_t *update, json_t *metadata)
{
    static const char *const nullable[] = {"assignedStaffId", "assignedStaffName"};

    int     failed;
    size_t  i;
    json_t *value;

    failed = 0;

    for (i = 0; i < sizeof(nullable) / sizeof(nullable[0]); i++) {
        value = json_object_get(call->request, nullable[i]);

        if (value != NULL) {
            failed |= json_object_set(metadata, nullable[i], value);
        }
    }

    if (update->priority != -1) {
        failed |= json_object_set_new(metadata, "priority",
            json_string(rt_priority_names[update->priority]));
    }

    if (update->tags != NULL) {
        failed |= json_object_set(metadata, "tags", update->tags);
    }

    return failed;
}


static rt_status_t
rt_update_metadata(rt_call_t *call, const rt_update_t *update, rt_room_t *room)
{
    int         failed;
    json_t     *metadata;
    rt_status_t status;

    status = rt_json_parse(room->metadata, &metadata, NULL);

    if (status != RT_OK || !json_is_object(metadata)) {
        if (status == RT_OK || status == RT_DECLINED) {
            json_decref(metadata);
        }

        return rt_call_fail(call, RT_ERROR, "The room's metadata is not an object");
    }

    failed = rt_update_apply(call, update, metadata);
    room->metadata = rt_call_json(call, metadata, &failed);
    json_decref(metadata);

    if (failed) {
        return RT_NO_MEMORY;
    }

    if (update->priority != -1) {
        room->priority = rt_str_c(rt_priority_names[update->priority]);
    }

    if (json_object_get(call->request, "assignedStaffId") != NULL) {
        room->assigned_staff_id = update->staff_id;
    }

    room->updated_at_ms = rt_time_now_ms();

    return RT_OK;
}


static rt_status_t
rt_room_update(rt_core_t *core, rt_call_t *call)
{
    rt_room_t  *room;
    rt_update_t update = {.priority = -1};
    rt_status_t status;

    (void) core;

    status = rt_schema_read(rt_update_fields, call->request, &update, &call->error);

    if (status == RT_OK) {
        status = rt_call_read_room(call, &room);
    }

    if (status == RT_OK) {
        status = rt_update_metadata(call, &update, room);
    }

    if (status != RT_OK) {
        return status;
    }

    status = rt_call_store(call)->room_change(call->session, room, RT_ROOM_METADATA);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    status = rt_emit_room_updated(call, room);

    return status == RT_OK ? rt_call_reply_room(call, room) : status;
}


static rt_status_t
rt_room_archive(rt_core_t *core, rt_call_t *call)
{
    rt_room_t  *room;
    rt_status_t status;

    (void) core;

    status = rt_call_read_room(call, &room);
    if (status != RT_OK) {
        return status;
    }

    call->reply = rt_str("{\"success\":true,\"message\":\"Room archived\"}");

    if (room->is_archived && !room->is_active) {
        return RT_OK;
    }

    room->is_archived = 1;
    room->is_active = 0;
    room->updated_at_ms = rt_time_now_ms();

    status = rt_call_store(call)->room_change(call->session, room, RT_ROOM_STATE);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    return rt_emit_room_updated(call, room);
}


const rt_op_entry_t rt_room_change_ops[] = {
    {{"room.update", RT_OP_WRITE, rt_room_update}, RT_ROLES_STAFF, NULL},
    {{"room.archive", RT_OP_WRITE, rt_room_archive}, RT_ROLES_STAFF, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL},
};
