/* auto-response.trigger: staff let the assistant say one of their responses, whatever it would do
 * by itself. */

#include <stddef.h>
#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "assistant/rt_assist.h"
#include "chat/rt_schema.h"


#define rt_trigger_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

typedef struct {
    rt_str_t room_id;
    int      type;
} rt_trigger_request_t;

static const rt_field_t rt_trigger_fields[] = {
    {"roomId", RT_FIELD_STRING, RT_FIELD_REQUIRED, offsetof(rt_trigger_request_t, room_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"responseType", RT_FIELD_NAME, RT_FIELD_REQUIRED, offsetof(rt_trigger_request_t, type), 0, 0,
        0, rt_response_type_names},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


static rt_status_t
rt_trigger_check(rt_call_t *call, const rt_room_t *room)
{
    if (room->type != RT_ROOM_CUSTOMER_SUPPORT) {
        return rt_call_fail(call, RT_INVALID, "Automatic responses are for customers' rooms");
    }

    if (room->is_archived || !room->is_active) {
        return rt_call_fail(call, RT_CONFLICT, "The room is archived");
    }

    return RT_OK;
}


static rt_status_t
rt_trigger_say(rt_call_t *call, rt_room_t *room, rt_response_row_t *row, rt_message_t *message)
{
    rt_status_t      status;
    rt_assist_text_t text;

    memset(&text, 0, sizeof(text));
    text.type = row->type;
    text.text = row->message;
    text.quick_replies = row->quick_replies;

    status = rt_assist_message(call, room, &text, rt_str_null, message);

    if (status == RT_OK) {
        status = rt_assist_store(call, message, 1);
    }

    if (status == RT_OK) {
        row->usage_count++;
        status = rt_call_store(call)->assist->response_count(call->session, room->business_id,
            row->id, 1);
    }

    if (status == RT_OK) {
        status = rt_assist_tell(call, room, message);
    }

    return status == RT_OK ? rt_emit_room_updated(call, room) : status;
}


static rt_status_t
rt_trigger_reply(rt_call_t *call, const rt_response_row_t *row, const rt_message_t *message)
{
    rt_buf_t buf;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_trigger_put(&buf,
        "{\"success\":true,\"message\":\"Automatic response sent\",\"autoResponse\":");
    rt_response_write_json(&buf, row);
    rt_trigger_put(&buf, ",\"sentMessage\":");
    rt_buf_append_str(&buf, message->text);
    rt_trigger_put(&buf, "}");

    return rt_call_reply(call, &buf);
}


static rt_status_t
rt_trigger_run(rt_core_t *core, rt_call_t *call)
{
    rt_room_t           *room;
    rt_status_t          status;
    rt_message_t         message;
    rt_response_row_t    row;
    rt_trigger_request_t request;

    (void) core;

    memset(&request, 0, sizeof(request));
    status = rt_schema_read(rt_trigger_fields, call->request, &request, &call->error);

    if (status == RT_OK) {
        status = rt_call_room(call, request.room_id, &room);
    }

    if (status == RT_OK) {
        status = rt_trigger_check(call, room);
    }

    if (status == RT_OK) {
        status = rt_assist_newest(call, room->business_id, request.type, &row);
    }

    if (status == RT_OK && row.id.len == 0) {
        status = rt_call_fail(call, RT_NOT_FOUND, "No active automatic response of type %s",
            rt_response_type_names[request.type]);
    }

    if (status == RT_OK) {
        status = rt_trigger_say(call, room, &row, &message);
    }

    return status == RT_OK ? rt_trigger_reply(call, &row, &message) : status;
}


const rt_op_entry_t rt_assist_trigger_ops[] = {
    {{"auto-response.trigger", RT_OP_WRITE, rt_trigger_run}, RT_ROLES_STAFF, NULL, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL, NULL},
};
