/* room.create, room.team, room.support: the one open room of its kind, found or made. */

#include <stddef.h>
#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "chat/rt_chat.h"
#include "chat/rt_schema.h"
#include "webhook/rt_webhook.h"


#define rt_room_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

typedef struct {
    rt_str_t member_id;
    rt_str_t member_name;
    rt_str_t business_id;
} rt_room_team_t;

static const rt_field_t rt_room_create_fields[] = {
    {"userId", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_room_customer_t, user_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"userName", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_room_customer_t, user_name), 0,
        RT_NAME_CHARACTERS_MAX, 0, NULL},
    {"userEmail", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_room_customer_t, user_email), 0,
        RT_NAME_CHARACTERS_MAX, 0, NULL},
    {"userPhone", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_room_customer_t, user_phone), 0,
        64, 0, NULL},
    {"businessId", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_room_customer_t, business_id),
        1, RT_ID_CHARACTERS_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};

static const rt_field_t rt_room_team_fields[] = {
    {"memberId", RT_FIELD_STRING, RT_FIELD_REQUIRED | RT_FIELD_PRINTABLE,
        offsetof(rt_room_team_t, member_id), 1, RT_ID_CHARACTERS_MAX, 0, NULL},
    {"memberName", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_room_team_t, member_name), 0,
        RT_NAME_CHARACTERS_MAX, 0, NULL},
    {"businessId", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_room_team_t, business_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


/* What all new rooms have in common. */
static rt_status_t
rt_room_draft(rt_call_t *call, rt_room_t *draft, rt_room_type_t type, rt_str_t business_id)
{
    char id[RT_ID_LEN + 1];

    memset(draft, 0, sizeof(rt_room_t));

    rt_id_make(id);

    draft->id = rt_arena_str(call->arena, (rt_str_t){id, RT_ID_LEN});
    draft->type = type;
    draft->business_id = business_id;
    draft->is_active = 1;
    draft->created_at_ms = rt_time_now_ms();
    draft->updated_at_ms = draft->created_at_ms;
    draft->last_message_at_ms = draft->created_at_ms;
    draft->priority = rt_str("medium");

    return draft->id.data ? RT_OK : RT_NO_MEMORY;
}


static void
rt_room_put_member(rt_buf_t *buf, const char *name, rt_str_t value)
{
    rt_room_put(buf, "\"");
    rt_buf_append_str(buf, rt_str_c(name));
    rt_room_put(buf, "\":");
    rt_json_put_text(buf, value);
    rt_room_put(buf, ",");
}


static rt_status_t
rt_room_set_metadata(rt_call_t *call, rt_room_t *draft, rt_buf_t *buf)
{
    rt_room_put(buf,
        "\"priority\":\"medium\",\"tags\":[],\"assignedStaffId\":null,"
        "\"assignedStaffName\":null}");

    draft->metadata = rt_call_text(call, buf);

    return draft->metadata.data ? RT_OK : RT_NO_MEMORY;
}


rt_status_t
rt_room_draft_customer(rt_call_t *call, const rt_room_customer_t *customer, rt_room_t *draft)
{
    int                  is_self;
    rt_buf_t             buf;
    const rt_identity_t *identity = call->identity;

    if (rt_room_draft(call, draft, RT_ROOM_CUSTOMER_SUPPORT, customer->business_id) != RT_OK) {
        return RT_NO_MEMORY;
    }

    is_self = rt_str_eq(customer->user_id, identity->user_id);

    draft->user_id = customer->user_id;
    draft->user_name = customer->user_name;
    draft->user_email = customer->user_email;

    if (draft->user_name.len == 0 && is_self) {
        draft->user_name = identity->name;
    }

    if (draft->user_name.len == 0) {
        draft->user_name = rt_str("Customer");
    }

    if (draft->user_email.len == 0 && is_self) {
        draft->user_email = identity->email;
    }

    draft->name = draft->user_name;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_room_put(&buf, "{");
    rt_room_put_member(&buf, "userId", draft->user_id);
    rt_room_put_member(&buf, "userName", draft->user_name);
    rt_room_put_member(&buf, "userEmail", draft->user_email);
    rt_room_put_member(&buf, "userPhone", customer->user_phone);

    return rt_room_set_metadata(call, draft, &buf);
}


/* Rooms between staff: with member, or without (admin-support). */
static rt_status_t
rt_room_draft_staff(rt_call_t *call, rt_room_type_t type, const rt_room_team_t *team,
    rt_room_t *draft)
{
    rt_buf_t             buf;
    const rt_identity_t *identity = call->identity;

    if (rt_room_draft(call, draft, type, team->business_id) != RT_OK) {
        return RT_NO_MEMORY;
    }

    draft->owner_id = identity->user_id;
    draft->member_id = team->member_id;
    draft->name = type == RT_ROOM_TEAM_CHAT ? team->member_name : identity->name;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_room_put(&buf, "{");
    rt_room_put_member(&buf, "ownerId", identity->user_id);
    rt_room_put_member(&buf, "ownerName", identity->name);

    if (type == RT_ROOM_TEAM_CHAT) {
        rt_room_put_member(&buf, "memberId", team->member_id);
        rt_room_put_member(&buf, "memberName", team->member_name);
    }

    return rt_room_set_metadata(call, draft, &buf);
}


static rt_status_t
rt_room_webhook(rt_call_t *call, const rt_room_t *room)
{
    rt_buf_t buf;
    rt_str_t text;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_room_write_json(&buf, room);
    text = rt_call_text(call, &buf);

    if (text.data == NULL) {
        return RT_NO_MEMORY;
    }

    return rt_webhook_enqueue(call, room->business_id, RT_WEBHOOK_CONVERSATION_CREATED, room->id,
        text);
}


rt_status_t
rt_room_find_or_make(rt_call_t *call, rt_room_t *draft, rt_room_t **out)
{
    rt_status_t           status;
    const rt_store_ops_t *ops;

    ops = rt_call_store(call);

    status = ops->room_find_open(call->session, call->arena, draft, out);
    if (status != RT_OK || *out != NULL) {
        return rt_call_store_failed(call, status);
    }

    status = ops->room_add(call->session, draft);

    if (status == RT_CONFLICT) {
        /* where writers do not exclude each other another one has made it meanwhile */
        status = ops->room_find_open(call->session, call->arena, draft, out);
        if (status == RT_OK && *out == NULL) {
            status = RT_UNAVAILABLE;
        }

        return rt_call_store_failed(call, status);
    }

    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    *out = draft;
    call->created = 1;

    if (draft->type != RT_ROOM_CUSTOMER_SUPPORT) {
        return rt_emit_room_updated(call, draft);
    }

    status = rt_room_webhook(call, draft);

    return status == RT_OK ? rt_emit_new_conversation(call, draft, 0, rt_str_null) : status;
}


static rt_status_t
rt_room_make(rt_call_t *call, rt_room_t *draft)
{
    rt_room_t  *room;
    rt_status_t status;

    status = rt_room_find_or_make(call, draft, &room);

    if (status == RT_OK) {
        status = rt_call_set_room(call, room->id);
    }

    return status == RT_OK ? rt_call_reply_room(call, room) : status;
}


/* A customer's room is their own; staff say whose. */
static rt_status_t
rt_room_whose(rt_call_t *call, rt_room_customer_t *customer)
{
    rt_status_t status;

    if (!rt_role_is_staff(call->identity->role)) {

        if (customer->user_id.len && !rt_str_eq(customer->user_id, call->identity->user_id)) {
            return rt_call_fail(call, RT_FORBIDDEN, "userId must be your own");
        }

        customer->user_id = call->identity->user_id;

    } else if (customer->user_id.len == 0) {
        return rt_call_fail(call, RT_INVALID, "userId is required");
    }

    status = rt_call_business(call, customer->business_id, &customer->business_id);

    if (status == RT_OK && customer->business_id.len == 0) {
        return rt_call_fail(call, RT_INVALID, "businessId is required");
    }

    return status;
}


static rt_status_t
rt_room_create(rt_core_t *core, rt_call_t *call)
{
    rt_room_t          draft;
    rt_status_t        status;
    rt_room_customer_t customer;

    (void) core;

    memset(&customer, 0, sizeof(customer));

    status = rt_schema_read(rt_room_create_fields, call->request, &customer, &call->error);

    if (status == RT_OK) {
        status = rt_room_whose(call, &customer);
    }

    if (status == RT_OK) {
        status = rt_room_draft_customer(call, &customer, &draft);
    }

    return status == RT_OK ? rt_room_make(call, &draft) : status;
}


static rt_status_t
rt_room_make_staff(rt_call_t *call, rt_room_type_t type, rt_room_team_t *team)
{
    rt_room_t   draft;
    rt_status_t status;

    status = rt_call_business(call, team->business_id, &team->business_id);

    if (status == RT_OK && team->business_id.len == 0) {
        return rt_call_fail(call, RT_INVALID, "businessId is required");
    }

    if (status == RT_OK) {
        status = rt_room_draft_staff(call, type, team, &draft);
    }

    return status == RT_OK ? rt_room_make(call, &draft) : status;
}


static rt_status_t
rt_room_team(rt_core_t *core, rt_call_t *call)
{
    rt_status_t    status;
    rt_room_team_t team;

    (void) core;

    memset(&team, 0, sizeof(team));

    status = rt_schema_read(rt_room_team_fields, call->request, &team, &call->error);
    if (status != RT_OK) {
        return status;
    }

    if (rt_str_eq(team.member_id, call->identity->user_id)) {
        return rt_call_fail(call, RT_INVALID, "memberId must be someone else");
    }

    return rt_room_make_staff(call, RT_ROOM_TEAM_CHAT, &team);
}


static rt_status_t
rt_room_support(rt_core_t *core, rt_call_t *call)
{
    rt_room_team_t team;

    (void) core;

    memset(&team, 0, sizeof(team));

    return rt_room_make_staff(call, RT_ROOM_ADMIN_SUPPORT, &team);
}


const rt_op_entry_t rt_room_make_ops[] = {
    {{"room.create", RT_OP_WRITE, rt_room_create}, RT_ROLES_MEMBERS, NULL},
    {{"room.team", RT_OP_WRITE, rt_room_team}, RT_ROLES_STAFF, NULL},
    {{"room.support", RT_OP_WRITE, rt_room_support}, RT_ROLES_OWNERS, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL},
};
