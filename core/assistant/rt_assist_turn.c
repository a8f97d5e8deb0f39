/* What the assistant does about one message. */

#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "assistant/rt_assist_turn.h"


/* Places in the flow. Offline and acknowledgment share one: a message gets either. */
#define RT_ASSIST_PLACE_STATE   1
#define RT_ASSIST_PLACE_ANSWER  2
#define RT_ASSIST_PLACE_HELPFUL 3

/* A customer's message, and what is said to it. */
typedef struct {
    rt_str_t             id;
    rt_str_t             content;
    json_t              *document;
    const rt_faq_row_t  *faq; /* that fits, or NULL */
    rt_faq_candidate_t   fit;
    rt_assist_facts_t    facts;
    rt_assist_decision_t decision;
    rt_message_t         replies[RT_ASSIST_REPLIES];
    size_t               count;
    int                  is_answered; /* the last two replies are a FAQ's and the question behind */
    rt_str_t             response_id; /* of the automatic response, to be counted */
} rt_assist_turn_t;


static rt_status_t
rt_assist_load(rt_assist_work_t *work, rt_assist_load_t *load)
{
    rt_call_t            *call = work->call;
    rt_status_t           status;
    rt_room_list_t        list;
    rt_room_query_t       query;
    const rt_store_ops_t *ops = rt_call_store(call);

    memset(load, 0, sizeof(rt_assist_load_t));
    memset(&query, 0, sizeof(query));
    query.view = RT_VIEW_ALL;
    query.business_id = work->room->business_id;
    query.type = RT_ROOM_CUSTOMER_SUPPORT;
    query.is_active = 1;
    query.is_archived = 0;
    query.unread_only = 1;
    query.limit = 1;

    status = ops->rooms_list(call->session, call->arena, &query, &list);

    if (status == RT_OK && list.total > 1) {
        query.offset = list.total - 1;
        status = ops->rooms_list(call->session, call->arena, &query, &list);
    }

    if (status == RT_OK && list.count) {
        load->queue_size = list.total;
        load->max_wait_minutes = (work->now_ms - list.rooms[0].last_message_at_ms) / 60000;
    }

    return status;
}


/* The message that goes to the given place of the turn. */
static rt_status_t
rt_assist_reply(rt_assist_work_t *work, rt_assist_turn_t *turn, const rt_assist_text_t *text,
    int place, rt_message_t **out)
{
    rt_str_t    client_id;
    rt_call_t  *call = work->call;
    rt_status_t status;

    client_id = rt_arena_printf(call->arena, "auto:%.*s:%d", RT_STR_ARG(turn->id), place);
    if (client_id.data == NULL) {
        return RT_NO_MEMORY;
    }

    *out = &turn->replies[turn->count++];
    status = rt_assist_message(call, work->room, text, client_id, *out);
    (*out)->reply_to_id = turn->id;

    if (status == RT_OK && text->response != NULL) {
        turn->response_id = rt_arena_str(call->arena, text->response->row.id);
        status = turn->response_id.data ? RT_OK : RT_NO_MEMORY;
    }

    return status;
}


static rt_status_t
rt_assist_say_offline(rt_assist_work_t *work, rt_assist_turn_t *turn)
{
    rt_message_t    *message;
    rt_assist_text_t text;

    text = rt_assist_offline(work->playbook, work->call->timezone, work->now_ms);

    return rt_assist_reply(work, turn, &text, RT_ASSIST_PLACE_STATE, &message);
}


static rt_status_t
rt_assist_say_acknowledge(rt_assist_work_t *work, rt_assist_turn_t *turn)
{
    rt_status_t      status;
    rt_message_t    *message;
    rt_assist_load_t load;
    rt_assist_text_t text;

    status = RT_OK;
    memset(&load, 0, sizeof(load));

    if (rt_assist_wants_load(work->playbook)) {
        status = rt_assist_load(work, &load);
    }

    text = rt_assist_acknowledge(work->playbook, work->call->timezone, work->now_ms, &load);

    return status == RT_OK ? rt_assist_reply(work, turn, &text, RT_ASSIST_PLACE_STATE, &message)
                           : status;
}


static rt_status_t
rt_assist_say_answer(rt_assist_work_t *work, rt_assist_turn_t *turn)
{
    rt_call_t       *call = work->call;
    rt_status_t      status;
    rt_message_t    *message;
    rt_assist_text_t text;

    if (turn->faq == NULL) {
        return RT_ERROR; /* it is decided upon only where one fits */
    }

    memset(&text, 0, sizeof(text));
    text.type = RT_RESPONSE_CUSTOM;
    text.text = turn->faq->answer;

    status = rt_assist_reply(work, turn, &text, RT_ASSIST_PLACE_ANSWER, &message);
    if (status != RT_OK) {
        return status;
    }

    message->kind = RT_MESSAGE_FAQ;
    message->message_type = rt_str("faq-response");
    message->response_type = rt_str_null;
    message->faq_id = rt_arena_str(call->arena, turn->faq->id);
    message->confidence = rt_arena_printf(call->arena, "%.1f", turn->fit.score_percent);

    return message->faq_id.data && message->confidence.data ? RT_OK : RT_NO_MEMORY;
}


static rt_status_t
rt_assist_say_helpful(rt_assist_work_t *work, rt_assist_turn_t *turn)
{
    rt_status_t      status;
    rt_message_t    *message;
    rt_assist_text_t text;

    memset(&text, 0, sizeof(text));
    text.type = RT_RESPONSE_CUSTOM;
    text.text = rt_str("Was this helpful?");
    text.quick_replies = rt_str("[\"Yes\",\"No\"]");

    status = rt_assist_reply(work, turn, &text, RT_ASSIST_PLACE_HELPFUL, &message);

    if (status == RT_OK) {
        turn->is_answered = 1;
        message->faq_id = rt_arena_str(work->call->arena, turn->faq->id);
        status = message->faq_id.data ? RT_OK : RT_NO_MEMORY;
    }

    return status;
}


/* The messages that the decision asks for; what else it asks for is done behind them. */
static rt_status_t
rt_assist_compose(rt_assist_work_t *work, rt_assist_turn_t *turn)
{
    size_t      i;
    rt_status_t status;

    status = RT_OK;

    for (i = 0; i < turn->decision.count && status == RT_OK; i++) {

        switch (turn->decision.actions[i]) {

        case RT_ASSIST_OFFLINE:
            status = rt_assist_say_offline(work, turn);
            break;

        case RT_ASSIST_ACKNOWLEDGE:
            status = rt_assist_say_acknowledge(work, turn);
            break;

        case RT_ASSIST_ANSWER:
            status = rt_assist_say_answer(work, turn);
            break;

        case RT_ASSIST_ASK_HELPFUL:
            status = rt_assist_say_helpful(work, turn);
            break;

        default:
            break;
        }
    }

    return status;
}


/* "Was this helpful?" behind the answer: it names the message that the answer is stored as, which
 * may be one of a run that did not come to its end. */
static rt_status_t
rt_assist_store_turn(rt_assist_work_t *work, rt_assist_turn_t *turn)
{
    rt_status_t   status;
    rt_message_t *answer, *helpful;

    if (!turn->is_answered) {
        return rt_assist_store(work->call, turn->replies, turn->count);
    }

    helpful = &turn->replies[turn->count - 1];
    answer = helpful - 1;
    status = rt_assist_store(work->call, turn->replies, turn->count - 1);

    if (status == RT_OK) {
        helpful->reply_to_id = answer->id;
        status = rt_assist_store(work->call, helpful, 1);
    }

    if (status == RT_OK) {
        turn->decision.next.feedback_seq = helpful->seq;
        turn->decision.next.feedback_id = answer->id;
        turn->decision.next.feedback_faq = helpful->faq_id;
    }

    return status;
}


static rt_status_t
rt_assist_note(rt_assist_work_t *work, rt_assist_turn_t *turn)
{
    rt_call_t          *call = work->call;
    rt_unanswered_row_t row;

    row.id = turn->id;
    row.business_id = work->room->business_id;
    row.room_id = work->room->id;
    row.content = rt_message_preview(turn->content);
    row.created_at_ms = turn->facts.at_ms;

    return rt_call_store(call)->assist->unanswered_add(call->session, &row);
}


/* What a customer says of an answer, before the mark is brought forward: noted twice it counts
 * once. */
static rt_status_t
rt_assist_rate_turn(rt_assist_work_t *work, rt_assist_turn_t *turn)
{
    int               before, helpful;
    size_t            i;
    rt_status_t       status;
    rt_room_assist_t *state = &work->room->assist;

    status = RT_OK;

    for (i = 0; i < turn->decision.count && status == RT_OK; i++) {
        helpful = turn->decision.actions[i] == RT_ASSIST_HELPFUL;

        if (helpful || turn->decision.actions[i] == RT_ASSIST_NOT_HELPFUL) {
            status = rt_assist_rate(work->call, work->room, state->feedback_id, state->feedback_faq,
                helpful, &before);
        }
    }

    return status;
}


/* What else goes with the decision beside messages, once: for whoever brought the mark forward. */
static rt_status_t
rt_assist_follow(rt_assist_work_t *work, rt_assist_turn_t *turn)
{
    size_t                       i;
    rt_call_t                   *call = work->call;
    rt_room_t                   *room = work->room;
    rt_status_t                  status;
    const rt_store_assist_ops_t *ops = rt_call_store(call)->assist;

    status = RT_OK;

    if (turn->response_id.len) {
        status = ops->response_count(call->session, room->business_id, turn->response_id, 1);
    }

    for (i = 0; i < turn->decision.count && status == RT_OK; i++) {

        switch (turn->decision.actions[i]) {

        case RT_ASSIST_ANSWER:
            status = ops->faq_count(call->session, room->business_id, turn->faq->id, 1, 0, 0);
            break;

        case RT_ASSIST_NOTE:
            status = rt_assist_note(work, turn);
            break;

        case RT_ASSIST_CALL_STAFF:
            work->said = 1;
            status = rt_emit_new_conversation(call, room, 1, rt_message_preview(turn->content));
            break;

        default:
            break;
        }
    }

    return status;
}


/* FAQs are about what is written: a picture says nothing to them, nor what is too late. */
static rt_status_t
rt_assist_match(rt_assist_work_t *work, rt_assist_turn_t *turn)
{
    size_t      count;
    rt_status_t status;

    if (!rt_str_eq(rt_json_get_str(turn->document, "messageType"), rt_str("text"))
        || work->now_ms - turn->facts.at_ms > RT_ASSIST_LATE_MS)
    {
        return RT_OK;
    }

    status = rt_playbook_match(work->core, work->playbook, turn->content, &turn->fit, 1, &count);

    if (status == RT_OK && count && turn->fit.qualifies) {
        turn->faq = &work->playbook->faqs[turn->fit.faq];
    }

    return status;
}


static rt_status_t
rt_assist_turn_run(rt_assist_work_t *work, rt_assist_turn_t *turn)
{
    size_t             i;
    int64_t            before;
    rt_call_t         *call = work->call;
    rt_status_t        status;
    rt_assist_facts_t *facts = &turn->facts;

    facts->event = RT_ASSIST_WROTE;
    facts->says = rt_assist_says(turn->content);
    facts->now_ms = work->now_ms;
    facts->staff_online = work->staff_online;
    facts->is_after_hours = rt_assist_is_after_hours(work->playbook, call->timezone, work->now_ms);

    status = rt_assist_match(work, turn);
    facts->faq_fits = turn->faq != NULL;

    if (status == RT_OK) {
        rt_assist_decide(&work->room->assist, facts, &turn->decision);
        status = rt_assist_compose(work, turn);
    }

    if (status == RT_OK) {
        status = rt_assist_store_turn(work, turn);
    }

    if (status == RT_OK) {
        status = rt_assist_rate_turn(work, turn);
    }

    if (status != RT_OK) {
        return status;
    }

    before = work->room->assist.done_seq;
    turn->decision.next.asked_seq = work->room->assist.asked_seq;
    work->room->assist = turn->decision.next;

    status = rt_call_store(call)->room_assist(call->session, work->room, before,
        turn->count == 0 && work->room->assist.called_seq != facts->seq && !work->said);

    if (status == RT_OK) {
        status = rt_assist_follow(work, turn);
    }

    for (i = 0; i < turn->count && (status == RT_OK || status == RT_CONFLICT); i++) {
        work->said = 1;

        if (rt_assist_tell(call, work->room, &turn->replies[i]) != RT_OK) {
            status = RT_NO_MEMORY;
        }
    }

    return status;
}


rt_status_t
rt_assist_turn(rt_assist_work_t *work, const rt_message_row_t *row)
{
    rt_status_t      status;
    rt_assist_turn_t turn;

    memset(&turn, 0, sizeof(turn));
    turn.id = row->id;
    turn.facts.seq = row->seq;
    turn.facts.at_ms = row->created_at_ms;

    if (rt_json_parse(row->text, &turn.document, NULL) != RT_OK) {
        return RT_OK;
    }

    status = RT_OK;
    turn.content = rt_json_get_str(turn.document, "content");

    if (rt_str_eq(rt_json_get_str(turn.document, "senderType"), rt_str("customer"))) {
        work->turns++;
        status = rt_assist_turn_run(work, &turn);
    }

    json_decref(turn.document);

    return status;
}
