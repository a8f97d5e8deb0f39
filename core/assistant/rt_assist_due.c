/* assistant.due and assistant.told: rooms whose assistant did not come to its end, since its worker
 * died or the store was away, and what came to its end. */

#include <stddef.h>
#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "assistant/rt_assist.h"
#include "chat/rt_schema.h"


#define RT_ASSIST_DUE_ROOMS  64
#define RT_ASSIST_TOLD_ROOMS 256

#define rt_due_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

typedef struct {
    int64_t age_ms;
} rt_assist_due_t;

static const rt_field_t rt_assist_due_fields[] = {
    {"ageMs", RT_FIELD_INTEGER, RT_FIELD_REQUIRED, offsetof(rt_assist_due_t, age_ms), 0, INT64_MAX,
        0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};

static const rt_field_t rt_assist_told_fields[] = {
    {"roomId", RT_FIELD_STRING, RT_FIELD_REQUIRED, offsetof(rt_room_due_t, id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"seq", RT_FIELD_INTEGER, RT_FIELD_REQUIRED, offsetof(rt_room_due_t, told_seq), 0, INT64_MAX, 0,
        NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


static rt_status_t
rt_assist_due_reply(rt_call_t *call, const rt_room_due_t *rooms, size_t count)
{
    size_t   i;
    rt_buf_t buf;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_due_put(&buf, "{\"success\":true,\"rooms\":[");

    for (i = 0; i < count; i++) {
        rt_buf_append(&buf, ",", i != 0);
        rt_due_put(&buf, "{\"roomId\":");
        rt_buf_append_json_string(&buf, rooms[i].id);
        rt_due_put(&buf, ",\"businessId\":");
        rt_buf_append_json_string(&buf, rooms[i].business_id);
        rt_due_put(&buf, "}");
    }

    rt_due_put(&buf, "]}");

    return rt_call_reply(call, &buf);
}


/* Takes them, in a write session beside the call's own: mostly there are none, and writers are left
 * alone. */
static rt_status_t
rt_assist_due_take(rt_core_t *core, rt_call_t *call, int64_t before_ms)
{
    size_t                count;
    rt_status_t           status, ended;
    rt_room_due_t        *rooms;
    rt_store_session_t   *session;
    const rt_store_ops_t *ops = core->store->ops;

    status = ops->begin(core->store, RT_STORE_WRITE, &session);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    status = ops->rooms_due(session, call->arena, before_ms, rt_time_now_ms(), RT_ASSIST_DUE_ROOMS,
        &rooms, &count);
    ended = ops->end(session, status == RT_OK);

    if (status == RT_OK) {
        status = ended;
    }

    return status == RT_OK ? rt_assist_due_reply(call, rooms, count)
                           : rt_call_store_failed(call, status);
}


static rt_status_t
rt_assist_due(rt_core_t *core, rt_call_t *call)
{
    int             due;
    int64_t         before_ms;
    rt_status_t     status;
    rt_assist_due_t request;

    memset(&request, 0, sizeof(request));

    status = rt_schema_read(rt_assist_due_fields, call->request, &request, &call->error);
    if (status != RT_OK) {
        return status;
    }

    before_ms = rt_time_now_ms() - request.age_ms;

    status = rt_call_store(call)->rooms_are_due(call->session, before_ms, &due);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    return due ? rt_assist_due_take(core, call, before_ms) : rt_assist_due_reply(call, NULL, 0);
}


static rt_status_t
rt_assist_told(rt_core_t *core, rt_call_t *call)
{
    size_t         i, count;
    json_t        *list;
    rt_status_t    status;
    rt_room_due_t *rooms;

    (void) core;

    list = json_object_get(call->request, "rooms");
    count = json_array_size(list);

    if (count == 0 || count > RT_ASSIST_TOLD_ROOMS) {
        return rt_call_fail(call, RT_INVALID, "rooms must be an array of 1 to %d",
            RT_ASSIST_TOLD_ROOMS);
    }

    rooms = rt_arena_calloc(call->arena, count * sizeof(rt_room_due_t));
    if (rooms == NULL) {
        return RT_NO_MEMORY;
    }

    status = RT_OK;

    for (i = 0; i < count && status == RT_OK; i++) {
        status =
            rt_schema_read(rt_assist_told_fields, json_array_get(list, i), &rooms[i], &call->error);
    }

    if (status != RT_OK) {
        return status;
    }

    call->reply = rt_str("{\"success\":true}");

    return rt_call_store_failed(call, rt_call_store(call)->rooms_told(call->session, rooms, count));
}


const rt_op_entry_t rt_assist_due_ops[] = {
    {{"assistant.due", RT_OP_READ, rt_assist_due}, RT_ROLES_HOST, NULL, NULL},
    {{"assistant.told", RT_OP_WRITE, rt_assist_told}, RT_ROLES_HOST, NULL, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL, NULL},
};
