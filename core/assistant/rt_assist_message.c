/* Messages of the assistant: made, told, and the welcome. */

#include <string.h>

#include <rt/rt_text.h>

#include "assistant/rt_assist.h"
#include "webhook/rt_webhook.h"


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


void
rt_assist_doubt(rt_call_t *call, const rt_message_t *message)
{
    int64_t after;

    after = message->status < RT_UNAVAILABLE ? message->seq - 1 : message->doubt_after;

    if (after >= 0 && (call->doubt_after < 0 || after < call->doubt_after)) {
        call->doubt_after = after;
    }
}


rt_status_t
rt_assist_log(rt_call_t *call)
{
    call->log_line = rt_arena_printf(call->arena, "%.*s%s💬 Message sent in room %.*s by bot",
        RT_STR_ARG(call->log_line), call->log_line.len ? "\n" : "", RT_STR_ARG(call->room_id));

    return call->log_line.data ? RT_OK : RT_NO_MEMORY;
}


static rt_status_t
rt_assist_greeting(rt_core_t *core, rt_call_t *call, rt_room_t *room, rt_assist_welcome_t *out)
{
    rt_status_t          status;
    rt_assist_text_t     text;
    const rt_playbook_t *playbook;

    status = rt_playbook_get(core, call, room->business_id, &playbook);
    if (status != RT_OK) {
        return status;
    }

    text = rt_assist_welcome_text(playbook);
    status = rt_assist_message(call, room, &text, rt_str("auto:welcome"), &out->message);

    if (status == RT_OK && text.response != NULL) {
        out->response_id = rt_arena_str(call->arena, text.response->row.id);
        status = out->response_id.data ? RT_OK : RT_NO_MEMORY;
    }

    rt_playbook_release(playbook);

    return status;
}


rt_status_t
rt_assist_greet(rt_core_t *core, rt_call_t *call, rt_room_t *room, rt_assist_welcome_t *out)
{
    rt_status_t          status;
    rt_assist_facts_t    facts;
    rt_assist_decision_t decision;

    memset(out, 0, sizeof(rt_assist_welcome_t));
    memset(&facts, 0, sizeof(facts));
    facts.event = RT_ASSIST_JOINED;
    facts.now_ms = rt_time_now_ms();
    rt_assist_decide(&room->assist, &facts, &decision);

    if (decision.count) {
        status = rt_assist_greeting(core, call, room, out);
        if (status != RT_OK) {
            return status;
        }
    }

    out->is_due = 1;
    out->is_said = decision.count != 0;
    room->assist = decision.next;

    return RT_OK;
}


/* Where calls share no transaction another one may have brought the room's mark forward. */
static rt_status_t
rt_assist_welcomed(rt_call_t *call, rt_room_t *room)
{
    int                   tries;
    rt_str_t              id;
    rt_status_t           status;
    const rt_store_ops_t *ops = rt_call_store(call);

    id = room->id;
    status = ops->room_assist(call->session, room, room->assist.done_seq, 0);

    for (tries = 0; status == RT_CONFLICT && tries < 3; tries++) {
        status = ops->rooms_get(call->session, call->arena, &id, 1, &room);

        if (status != RT_OK || room == NULL || room->assist.welcomed) {
            return status;
        }

        room->assist.welcomed = 1;
        status = ops->room_assist(call->session, room, room->assist.done_seq, 0);
    }

    return status == RT_CONFLICT ? RT_OK : status;
}


rt_status_t
rt_assist_greeted(rt_call_t *call, rt_room_t *room, const rt_assist_welcome_t *welcome)
{
    rt_status_t status;

    if (!welcome->is_due || (welcome->is_said && welcome->message.status >= RT_UNAVAILABLE)) {
        return RT_OK;
    }

    status = rt_assist_welcomed(call, room);

    if (status == RT_OK && welcome->response_id.len && welcome->message.status == RT_OK) {
        status = rt_call_store(call)->assist->response_count(call->session, room->business_id,
            welcome->response_id, 1);
    }

    return status;
}
