/* room.list, room.get, unread.counts: what rooms the caller has. */

#include <stddef.h>
#include <string.h>

#include <rt/rt_json.h>

#include "chat/rt_access.h"
#include "chat/rt_chat.h"
#include "chat/rt_schema.h"


#define RT_LIST_LIMIT   20
#define RT_UNREAD_ROOMS 1000

#define rt_list_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

const char *const rt_priority_names[] = {"low", "medium", "high", "urgent", NULL};

typedef struct {
    rt_str_t business_id;
    rt_str_t assigned_staff_id;
    rt_str_t q;
    int      type;
    int      is_active;
    int      is_archived;
    int      priority;
    int64_t  page;
    int64_t  limit;
} rt_list_t;

static const rt_field_t rt_list_fields[] = {
    {"roomType", RT_FIELD_NAME, 0, offsetof(rt_list_t, type), 0, 0, 0, rt_room_type_names},
    {"isActive", RT_FIELD_BOOLEAN, 0, offsetof(rt_list_t, is_active), 0, 0, 0, NULL},
    {"isArchived", RT_FIELD_BOOLEAN, 0, offsetof(rt_list_t, is_archived), 0, 0, 0, NULL},
    {"priority", RT_FIELD_NAME, 0, offsetof(rt_list_t, priority), 0, 0, 0, rt_priority_names},
    {"assignedStaffId", RT_FIELD_STRING, 0, offsetof(rt_list_t, assigned_staff_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"q", RT_FIELD_STRING, 0, offsetof(rt_list_t, q), 0, RT_NAME_CHARACTERS_MAX, 0, NULL},
    {"businessId", RT_FIELD_STRING, 0, offsetof(rt_list_t, business_id), 1, RT_ID_CHARACTERS_MAX, 0,
        NULL},
    {"page", RT_FIELD_INTEGER, 0, offsetof(rt_list_t, page), 1, RT_PAGE_MAX, 0, NULL},
    {"limit", RT_FIELD_INTEGER, 0, offsetof(rt_list_t, limit), 1, RT_LIMIT_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};

static const rt_field_t rt_room_id_fields[] = {
    {"roomId", RT_FIELD_STRING, RT_FIELD_REQUIRED, 0, 1, RT_ID_CHARACTERS_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


/* A query for what the caller may see, without filters. */
static rt_status_t
rt_list_query(rt_call_t *call, rt_str_t business_id, rt_room_query_t *query)
{
    rt_status_t status;

    memset(query, 0, sizeof(rt_room_query_t));

    query->type = -1;
    query->is_active = -1;
    query->is_archived = -1;

    status = rt_call_business(call, business_id, &business_id);

    if (status == RT_OK) {
        rt_access_query(call->identity, business_id, query);
    }

    return status;
}


static rt_status_t
rt_list_reply(rt_call_t *call, const rt_list_t *list, const rt_room_list_t *found)
{
    size_t   i;
    rt_buf_t buf;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_list_put(&buf, "{\"rooms\":[");

    for (i = 0; i < found->count; i++) {
        if (i) {
            rt_list_put(&buf, ",");
        }

        rt_room_write_json(&buf, &found->rooms[i]);
    }

    rt_list_put(&buf, "],\"total\":");
    rt_buf_append_int(&buf, found->total);
    rt_list_put(&buf, ",\"page\":");
    rt_buf_append_int(&buf, list->page);
    rt_list_put(&buf, ",\"limit\":");
    rt_buf_append_int(&buf, list->limit);
    rt_list_put(&buf, ",\"totalPages\":");
    rt_buf_append_int(&buf, (found->total + list->limit - 1) / list->limit);
    rt_list_put(&buf, "}");

    call->total = found->total;

    return rt_call_reply(call, &buf);
}


static rt_status_t
rt_room_list(rt_core_t *core, rt_call_t *call)
{
    rt_list_t       list = {.type = -1, .is_active = -1, .is_archived = -1, .priority = -1};
    rt_status_t     status;
    rt_room_list_t  found;
    rt_room_query_t query;

    (void) core;

    list.page = 1;
    list.limit = RT_LIST_LIMIT;

    status = rt_schema_read(rt_list_fields, call->request, &list, &call->error);

    if (status == RT_OK) {
        status = rt_list_query(call, list.business_id, &query);
    }

    if (status != RT_OK) {
        return status;
    }

    query.type = list.type;
    query.is_active = list.is_active;
    query.is_archived = list.is_archived;
    query.assigned_staff_id = list.assigned_staff_id;
    query.q = list.q;
    query.limit = list.limit;
    query.offset = (list.page - 1) * list.limit;

    if (list.priority != -1) {
        query.priority = rt_str_c(rt_priority_names[list.priority]);
    }

    status = rt_call_store(call)->rooms_list(call->session, call->arena, &query, &found);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    return rt_list_reply(call, &list, &found);
}


rt_status_t
rt_call_read_room(rt_call_t *call, rt_room_t **out)
{
    rt_str_t    room_id;
    rt_status_t status;

    room_id = rt_str_null;

    status = rt_schema_read(rt_room_id_fields, call->request, &room_id, &call->error);

    return status == RT_OK ? rt_call_room(call, room_id, out) : status;
}


rt_status_t
rt_call_reply_room(rt_call_t *call, const rt_room_t *room)
{
    rt_buf_t buf;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_room_write_json(&buf, room);

    return rt_call_reply(call, &buf);
}


static rt_status_t
rt_room_get(rt_core_t *core, rt_call_t *call)
{
    rt_room_t  *room;
    rt_status_t status;

    (void) core;

    status = rt_call_read_room(call, &room);

    return status == RT_OK ? rt_call_reply_room(call, room) : status;
}


static rt_status_t
rt_unread_reply(rt_call_t *call, const rt_room_list_t *found)
{
    size_t           i;
    rt_buf_t         buf;
    const rt_room_t *room;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_list_put(&buf, "{\"totalUnread\":");
    rt_buf_append_int(&buf, found->total_unread);
    rt_list_put(&buf, ",\"roomsWithUnread\":");
    rt_buf_append_int(&buf, found->total);
    rt_list_put(&buf, ",\"rooms\":[");

    for (i = 0; i < found->count; i++) {
        room = &found->rooms[i];

        if (i) {
            rt_list_put(&buf, ",");
        }

        rt_list_put(&buf, "{\"roomId\":");
        rt_buf_append_json_string(&buf, room->id);
        rt_list_put(&buf, ",\"unreadCount\":");
        rt_buf_append_int(&buf, room->unread_count);
        rt_list_put(&buf, ",\"userName\":");
        rt_json_put_text(&buf, room->user_name);
        rt_list_put(&buf, ",\"lastMessageAt\":");
        rt_json_put_time(&buf, room->last_message_at_ms);
        rt_list_put(&buf, "}");
    }

    rt_list_put(&buf, "]}");

    return rt_call_reply(call, &buf);
}


/* Totals are of all rooms; the list holds the newest RT_UNREAD_ROOMS. */
static rt_status_t
rt_unread_counts(rt_core_t *core, rt_call_t *call)
{
    rt_list_t       list = {.type = -1};
    rt_status_t     status;
    rt_room_list_t  found;
    rt_room_query_t query;

    (void) core;

    status = rt_schema_read(rt_list_fields, call->request, &list, &call->error);

    if (status == RT_OK) {
        status = rt_list_query(call, list.business_id, &query);
    }

    if (status != RT_OK) {
        return status;
    }

    query.unread_only = 1;
    query.is_archived = 0;
    query.limit = RT_UNREAD_ROOMS;

    status = rt_call_store(call)->rooms_list(call->session, call->arena, &query, &found);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    return rt_unread_reply(call, &found);
}


const rt_op_entry_t rt_room_list_ops[] = {
    {{"room.list", RT_OP_READ, rt_room_list}, RT_ROLES_MEMBERS, NULL},
    {{"room.get", RT_OP_READ, rt_room_get}, RT_ROLES_MEMBERS, NULL},
    {{"unread.counts", RT_OP_READ, rt_unread_counts}, RT_ROLES_STAFF, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL},
};
