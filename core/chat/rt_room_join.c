/* room.join: the room, found by its id or as the customer's own, with the end of its history.
 *
 * A read: joining must stay cheap when thousands reconnect at once. Only where a customer's room
 * has still to be made a write session of its own is used. */

#include <stddef.h>
#include <string.h>

#include "chat/rt_chat.h"
#include "chat/rt_schema.h"


#define RT_JOIN_MESSAGES 50

#define rt_join_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

typedef struct {
    rt_str_t           room_id;
    rt_room_customer_t customer;
} rt_join_t;

static const rt_field_t rt_join_fields[] = {
    {"roomId", RT_FIELD_STRING, 0, offsetof(rt_join_t, room_id), 1, RT_ID_CHARACTERS_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};

static const rt_field_t rt_join_own_fields[] = {
    {"businessId", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_room_customer_t, business_id),
        1, RT_ID_CHARACTERS_MAX, 0, NULL},
    {"userName", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_room_customer_t, user_name), 0,
        RT_NAME_CHARACTERS_MAX, 0, NULL},
    {"email", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_room_customer_t, user_email), 0,
        RT_NAME_CHARACTERS_MAX, 0, NULL},
    {"phone", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_room_customer_t, user_phone), 0, 64,
        0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


/* The answer; room and messages are of one session, so that lastSeq is where the messages end. */
static rt_status_t
rt_join_answer(rt_call_t *call, rt_room_t *room)
{
    size_t            i;
    rt_buf_t          buf;
    rt_status_t       status;
    rt_message_list_t list;

    status = rt_call_store(call)->messages_list(call->session, call->arena, room, RT_MESSAGES_PAGE,
        0, RT_JOIN_MESSAGES, &list);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    call->last_seq = room->seq;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_join_put(&buf, "{\"success\":true,\"message\":\"Joined room successfully\",\"roomId\":");
    rt_buf_append_json_string(&buf, room->id);
    rt_join_put(&buf, ",\"messages\":[");

    for (i = 0; i < list.count; i++) {
        if (i) {
            rt_join_put(&buf, ",");
        }

        rt_buf_append_str(&buf, list.rows[i].text);
    }

    if (list.count && list.rows[0].seq > 1) {
        rt_join_put(&buf, "],\"hasMore\":true,\"lastSeq\":");
    } else {
        rt_join_put(&buf, "],\"hasMore\":false,\"lastSeq\":");
    }

    rt_buf_append_int(&buf, room->seq);
    rt_join_put(&buf, "}");

    return rt_call_reply(call, &buf);
}


static rt_status_t
rt_join_room(rt_call_t *call, rt_str_t room_id)
{
    rt_room_t  *room;
    rt_status_t status;

    status = rt_call_room(call, room_id, &room);
    if (status != RT_OK) {
        return status;
    }

    /* who joins by the business joins by the room's id right after it: one of them is enough */
    if (call->core->assistant && room->type == RT_ROOM_CUSTOMER_SUPPORT && !room->assist.welcomed
        && call->identity->role == RT_ROLE_CUSTOMER)
    {
        call->assist = RT_ASSIST_AFTER_JOIN;
    }

    return rt_join_answer(call, room);
}


static rt_status_t
rt_join_made(rt_call_t *call, rt_room_t *draft)
{
    rt_room_t  *room;
    rt_status_t status;

    status = rt_room_find_or_make(call, draft, &room);

    if (status == RT_OK) {
        status = rt_call_set_room(call, room->id);
    }

    return status == RT_OK ? rt_join_answer(call, room) : status;
}


/* In a write session beside the call's own, whose snapshot would not show what is made. */
static rt_status_t
rt_join_make(rt_core_t *core, rt_call_t *call, rt_room_t *draft)
{
    rt_status_t           status, ended;
    rt_store_session_t   *before, *session;
    const rt_store_ops_t *ops;

    ops = core->store->ops;

    status = ops->begin(core->store, RT_STORE_WRITE, &session);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    before = call->session;
    call->session = session;

    status = rt_join_made(call, draft);
    ended = ops->end(session, status == RT_OK);

    call->session = before;

    return status == RT_OK ? rt_call_store_failed(call, ended) : status;
}


/* Only a customer has a room of their own: staff name one. */
static rt_status_t
rt_join_own(rt_core_t *core, rt_call_t *call, rt_room_customer_t *customer)
{
    rt_room_t   draft, *room;
    rt_status_t status;

    if (rt_role_is_staff(call->identity->role)) {
        return rt_call_fail(call, RT_INVALID, "roomId is required");
    }

    status = rt_call_business(call, customer->business_id, &customer->business_id);

    if (status == RT_OK && customer->business_id.len == 0) {
        return rt_call_fail(call, RT_INVALID, "roomId or businessId is required");
    }

    if (status != RT_OK) {
        return status;
    }

    customer->user_id = call->identity->user_id;

    status = rt_room_draft_customer(call, customer, &draft);

    if (status == RT_OK) {
        status = rt_call_store(call)->room_find_open(call->session, call->arena, &draft, &room);
    }

    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    if (room == NULL) {
        return rt_join_make(core, call, &draft);
    }

    if (rt_call_set_room(call, room->id) != RT_OK) {
        return RT_NO_MEMORY;
    }

    return rt_join_answer(call, room);
}


static rt_status_t
rt_room_join(rt_core_t *core, rt_call_t *call)
{
    rt_join_t   join;
    rt_status_t status;

    memset(&join, 0, sizeof(join));

    status = rt_schema_read(rt_join_fields, call->request, &join, &call->error);

    if (status == RT_OK && join.room_id.len) {
        return rt_join_room(call, join.room_id);
    }

    if (status == RT_OK) {
        status = rt_schema_read(rt_join_own_fields, call->request, &join.customer, &call->error);
    }

    return status == RT_OK ? rt_join_own(core, call, &join.customer) : status;
}


const rt_op_entry_t rt_room_join_ops[] = {
    {{"room.join", RT_OP_READ, rt_room_join}, RT_ROLES_MEMBERS, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL},
};
