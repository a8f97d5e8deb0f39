/* What the assistant's operations share: messages made, told and logged, and the room of a call. */

#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "assistant/rt_assist.h"
#include "webhook/rt_webhook.h"


rt_status_t
rt_assist_room(rt_call_t *call, rt_room_t **out)
{
    rt_status_t status;

    *out = NULL;
    call->last_seq = 0;
    call->reply = rt_str("{\"success\":true}");

    status = rt_call_set_room(call, rt_json_get_str(call->request, "roomId"));

    if (status == RT_OK) {
        status = rt_call_store(call)->rooms_get(call->session, call->arena, &call->room_id, 1, out);
    }

    if (status != RT_OK || *out == NULL) {
        return status;
    }

    if ((*out)->type != RT_ROOM_CUSTOMER_SUPPORT) {
        *out = NULL;
        return RT_OK;
    }

    call->business_id = (*out)->business_id;

    return RT_OK;
}


rt_status_t
rt_assist_newest(rt_call_t *call, rt_str_t business_id, rt_response_type_t type,
    rt_response_row_t *out)
{
    rt_status_t         status;
    rt_response_list_t  list;
    rt_response_query_t query;

    memset(out, 0, sizeof(rt_response_row_t));
    memset(&query, 0, sizeof(query));
    query.business_id = business_id;
    query.type = type;
    query.is_active = 1;
    query.limit = 1;

    status = rt_call_store(call)->assist->response_list(call->session, call->arena, &query, &list);

    if (status == RT_OK && list.count) {
        *out = list.rows[0];
    }

    return status;
}


rt_status_t
rt_assist_message(rt_call_t *call, rt_room_t *room, const rt_assist_text_t *text,
    rt_str_t client_id, rt_message_t *out)
{
    char id[RT_ID_LEN + 1];

    rt_id_make(id);
    memset(out, 0, sizeof(rt_message_t));

    out->arena = call->arena;
    out->room = room;
    out->id = rt_arena_str(call->arena, (rt_str_t){id, RT_ID_LEN});
    out->sender_type = RT_SENDER_BOT;
    out->sender_name = rt_str(RT_ASSIST_NAME);
    out->message_type = rt_str("text");
    out->kind = RT_MESSAGE_AUTOMATED;
    out->created_at_ms = rt_time_now_ms();
    out->client_id = client_id;
    out->response_type = rt_str_c(rt_response_type_names[text->type]);

    /* the playbook may be gone when the message is told */
    out->content = rt_arena_str(call->arena, text->text);
    out->quick_replies = rt_str_null;

    if (text->quick_replies.len) {
        out->quick_replies = rt_arena_str(call->arena, text->quick_replies);
    }

    if (out->id.data == NULL || out->content.data == NULL
        || (text->quick_replies.len && out->quick_replies.data == NULL))
    {
        return RT_NO_MEMORY;
    }

    out->preview = rt_message_preview(out->content);

    return RT_OK;
}


rt_status_t
rt_assist_tell(rt_call_t *call, rt_room_t *room, const rt_message_t *message)
{
    rt_status_t status;

    status = rt_webhook_enqueue(call, room->business_id, RT_WEBHOOK_MESSAGE_CREATED, message->id,
        message->text);

    if (status != RT_OK) {
        return status;
    }

    return rt_emit_message(call, room->id, message->kind, message->seq, message->text);
}


rt_status_t
rt_assist_log(rt_call_t *call)
{
    call->log_line = rt_arena_printf(call->arena, "%.*s%s💬 Message sent in room %.*s by bot",
        RT_STR_ARG(call->log_line), call->log_line.len ? "\n" : "", RT_STR_ARG(call->room_id));

    return call->log_line.data ? RT_OK : RT_NO_MEMORY;
}


rt_status_t
rt_assist_store(rt_call_t *call, rt_message_t *messages, size_t count)
{
    size_t        i;
    rt_status_t   status;
    rt_message_t *list[RT_ASSIST_REPLIES];

    for (i = 0; i < count; i++) {
        list[i] = &messages[i];
    }

    status = count ? rt_call_store(call)->messages_add(call->session, list, count) : RT_OK;

    for (i = 0; i < count && status == RT_OK; i++) {
        if (messages[i].status >= RT_UNAVAILABLE) {
            rt_call_doubt(call, &messages[i]);
            status = messages[i].status;

        } else if (messages[i].status == RT_OK) {
            status = rt_assist_log(call);
        }
    }

    return status;
}
