/* faq.feedback: what a customer says of an answer, by its message. */

#include <stddef.h>
#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "assistant/rt_assist.h"
#include "chat/rt_schema.h"


typedef struct {
    rt_str_t room_id;
    rt_str_t message_id;
    int      helpful;
} rt_feedback_t;

static const rt_field_t rt_feedback_fields[] = {
    {"roomId", RT_FIELD_STRING, RT_FIELD_REQUIRED, offsetof(rt_feedback_t, room_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"messageId", RT_FIELD_STRING, RT_FIELD_REQUIRED, offsetof(rt_feedback_t, message_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"helpful", RT_FIELD_BOOLEAN, RT_FIELD_REQUIRED, offsetof(rt_feedback_t, helpful), 0, 0, 0,
        NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


rt_status_t
rt_assist_rate(rt_call_t *call, const rt_room_t *room, rt_str_t message_id, rt_str_t faq_id,
    int helpful, int *before)
{
    rt_status_t                  status;
    const rt_store_assist_ops_t *ops = rt_call_store(call)->assist;

    status = ops->feedback(call->session, room->business_id, message_id, faq_id, helpful,
        rt_time_now_ms(), before);

    if (status != RT_OK || *before == helpful) {
        return status;
    }

    return ops->faq_count(call->session, room->business_id, faq_id, 0,
        helpful ? 1 : -(*before == 1), helpful ? -(*before == 0) : 1);
}


/* The answer and its FAQ that a message is about: the answer itself, or the question behind it. */
static rt_status_t
rt_feedback_answer(rt_call_t *call, const rt_message_row_t *row, rt_str_t *message_id,
    rt_str_t *faq_id)
{
    json_t     *document;
    rt_status_t status;

    status = rt_json_parse(row->text, &document, NULL);
    if (status != RT_OK) {
        return RT_ERROR;
    }

    *faq_id = rt_json_get_str(document, "faqId");
    *message_id = row->id;

    if (row->kind == RT_MESSAGE_AUTOMATED) {
        *message_id = rt_json_get_str(document, "replyToMessageId");
    }

    if (faq_id->len == 0 || message_id->len == 0) {
        status = rt_call_fail(call, RT_INVALID, "messageId is not an answer to a question");

    } else {
        *faq_id = rt_arena_str(call->arena, *faq_id);
        *message_id = rt_arena_str(call->arena, *message_id);
        status = faq_id->data && message_id->data ? RT_OK : RT_NO_MEMORY;
    }

    json_decref(document);

    return status;
}


static rt_status_t
rt_feedback(rt_core_t *core, rt_call_t *call)
{
    int              before;
    rt_str_t         message_id, faq_id;
    rt_room_t       *room;
    rt_status_t      status;
    rt_feedback_t    request;
    rt_message_row_t row;

    (void) core;

    memset(&request, 0, sizeof(request));
    status = rt_schema_read(rt_feedback_fields, call->request, &request, &call->error);

    if (status == RT_OK) {
        status = rt_call_room(call, request.room_id, &room);
    }

    if (status != RT_OK) {
        return status;
    }

    status = rt_call_store(call)->message_get(call->session, call->arena, room, request.message_id,
        &row);

    if (status == RT_OK && row.text.len == 0) {
        return rt_call_fail(call, RT_NOT_FOUND, "Message not found");
    }

    if (status == RT_OK) {
        status = rt_feedback_answer(call, &row, &message_id, &faq_id);
    }

    if (status == RT_OK) {
        status = rt_assist_rate(call, room, message_id, faq_id, request.helpful, &before);
    }

    if (status == RT_OK && !request.helpful && before != 0) {
        status = rt_emit_new_conversation(call, room, 1, rt_str_null);
    }

    call->reply = rt_str("{\"success\":true}");

    return status;
}


const rt_op_entry_t rt_assist_feedback_ops[] = {
    {{"faq.feedback", RT_OP_WRITE, rt_feedback}, RT_ROLES_CUSTOMER, NULL, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL, NULL},
};
