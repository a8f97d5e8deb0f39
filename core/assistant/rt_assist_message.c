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


rt_status_t
rt_assist_greet(rt_core_t *core, rt_call_t *call, rt_room_t *room, rt_message_t *out, int *said)
{
    rt_status_t          status;
    rt_assist_text_t     text;
    rt_assist_facts_t    facts;
    const rt_playbook_t *playbook;
    rt_assist_decision_t decision;

    *said = 0;
    memset(&facts, 0, sizeof(facts));
    facts.event = RT_ASSIST_JOINED;
    facts.now_ms = rt_time_now_ms();
    rt_assist_decide(&room->assist, &facts, &decision);
    room->assist = decision.next;

    if (decision.count == 0) {
        return RT_OK;
    }

    status = rt_playbook_get(core, call, room->business_id, &playbook);
    if (status != RT_OK) {
        return status;
    }

    text = rt_assist_welcome(playbook);
    status = rt_assist_message(call, room, &text, rt_str("auto:welcome"), out);

    if (status == RT_OK && text.response != NULL) {
        status = rt_call_store(call)->assist->response_count(call->session, room->business_id,
            text.response->row.id, 1);
    }

    rt_playbook_release(playbook);
    *said = status == RT_OK;

    return status;
}
