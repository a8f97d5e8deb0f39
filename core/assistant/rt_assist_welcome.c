/* The welcome: in front of a customer's first message, or when they join (assistant.welcome). */

#include <string.h>

#include <rt/rt_text.h>

#include "assistant/rt_assist.h"


/* The response is read by itself: a playbook may have to be made first, which takes time that
 * message.send has not. */
static rt_status_t
rt_assist_greeting(rt_call_t *call, rt_room_t *room, rt_assist_welcome_t *out)
{
    rt_status_t       status;
    rt_assist_text_t  text;
    rt_response_row_t row;

    status = rt_assist_newest(call, room->business_id, RT_RESPONSE_WELCOME, &row);
    if (status != RT_OK) {
        return status;
    }

    memset(&text, 0, sizeof(text));
    text.type = RT_RESPONSE_WELCOME;
    text.text = row.id.len ? row.message : rt_str("Welcome! How can we help you today?");
    text.quick_replies = row.quick_replies;
    out->response_id = row.id;

    return rt_assist_message(call, room, &text, rt_str("auto:welcome"), &out->message);
}


rt_status_t
rt_assist_greet(rt_call_t *call, rt_room_t *room, rt_assist_welcome_t *out)
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
        status = rt_assist_greeting(call, room, out);
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


/* Stores, remembers and tells it. */
static rt_status_t
rt_assist_welcome_say(rt_call_t *call, rt_room_t *room, rt_assist_welcome_t *welcome)
{
    rt_status_t   status;
    rt_message_t *message = &welcome->message;

    status = rt_assist_store(call, message, 1);

    if (status == RT_OK) {
        status = rt_assist_greeted(call, room, welcome);
    }

    if (status == RT_OK) {
        status = rt_assist_tell(call, room, message);
    }

    if (status != RT_OK || message->status == RT_CONFLICT) {
        return status;
    }

    return rt_emit_room_updated(call, room);
}


static rt_status_t
rt_assist_welcome_run(rt_core_t *core, rt_call_t *call)
{
    rt_room_t          *room;
    rt_status_t         status;
    rt_assist_welcome_t welcome;

    (void) core;

    status = rt_assist_room(call, &room);

    if (status != RT_OK || room == NULL || room->assist.welcomed) {
        return status;
    }

    status = rt_assist_greet(call, room, &welcome);
    if (status != RT_OK) {
        return status;
    }

    return welcome.is_said ? rt_assist_welcome_say(call, room, &welcome)
                           : rt_assist_greeted(call, room, &welcome);
}


const rt_op_entry_t rt_assist_welcome_ops[] = {
    {{"assistant.welcome", RT_OP_WRITE, rt_assist_welcome_run}, RT_ROLES_HOST, NULL, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL, NULL},
};
