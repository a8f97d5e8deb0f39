/* The flow of the assistant: see the header. */

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "assistant/rt_assist_decide.h"


static void
rt_assist_do(rt_assist_decision_t *decision, rt_assist_action_t action)
{
    decision->actions[decision->count++] = action;
}


static int
rt_assist_staff_talk(const rt_room_assist_t *room, int64_t now_ms)
{
    return room->staff_seq != 0 && now_ms - room->staff_at_ms < RT_ASSIST_QUIET_MS;
}


static void
rt_assist_decide_joined(const rt_room_assist_t *room, const rt_assist_facts_t *facts,
    rt_assist_decision_t *out)
{
    if (!room->welcomed && !rt_assist_staff_talk(room, facts->now_ms)) {
        rt_assist_do(out, RT_ASSIST_WELCOME);
    }

    out->next.welcomed = 1;
}


/* A person who waits is told so once. */
static int
rt_assist_is_said(const rt_room_assist_t *room, int64_t said_seq)
{
    return said_seq > room->staff_seq;
}


static void
rt_assist_decide_unanswered(const rt_assist_facts_t *facts, int available,
    rt_assist_decision_t *out)
{
    rt_assist_do(out, RT_ASSIST_NOTE);

    if (!available || rt_assist_is_said(&out->next, out->next.acknowledge_seq)) {
        return;
    }

    rt_assist_do(out, RT_ASSIST_ACKNOWLEDGE);
    rt_assist_do(out, RT_ASSIST_CALL_STAFF);
    out->next.acknowledge_seq = facts->seq;
    out->next.called_seq = facts->seq;
}


static void
rt_assist_decide_wrote(const rt_assist_facts_t *facts, rt_assist_decision_t *out)
{
    int               available;
    rt_room_assist_t *room = &out->next;

    if (facts->at_ms - room->customer_at_ms >= RT_ASSIST_STRETCH_MS) {
        room->offline_seq = 0;
        room->acknowledge_seq = 0;
    }

    room->done_seq = facts->seq;
    room->customer_at_ms = facts->at_ms;

    /* said again, it replaces what was said before: the question stays open */
    if (room->feedback_seq && facts->says != RT_ASSIST_SAYS_ELSE) {
        room->feedback_seq = facts->seq;

        if (facts->says == RT_ASSIST_SAYS_YES) {
            rt_assist_do(out, RT_ASSIST_HELPFUL);
            return;
        }

        rt_assist_do(out, RT_ASSIST_NOT_HELPFUL);
        rt_assist_do(out, RT_ASSIST_CALL_STAFF);
        room->called_seq = facts->seq;
        return;
    }

    room->feedback_seq = 0;

    /* what was written while staff talked stays theirs */
    if (room->staff_seq > facts->seq || rt_assist_staff_talk(room, facts->at_ms)
        || facts->now_ms - facts->at_ms > RT_ASSIST_LATE_MS)
    {
        return;
    }

    available = facts->staff_online && !facts->is_after_hours;

    if (!available && !rt_assist_is_said(room, room->offline_seq)) {
        rt_assist_do(out, RT_ASSIST_OFFLINE);
        room->offline_seq = facts->seq;
    }

    if (facts->faq_fits) {
        rt_assist_do(out, RT_ASSIST_ANSWER);
        rt_assist_do(out, RT_ASSIST_ASK_HELPFUL);
        return;
    }

    rt_assist_decide_unanswered(facts, available, out);
}


void
rt_assist_decide(const rt_room_assist_t *room, const rt_assist_facts_t *facts,
    rt_assist_decision_t *out)
{
    out->count = 0;
    out->next = *room;

    if (facts->event == RT_ASSIST_JOINED) {
        rt_assist_decide_joined(room, facts, out);
    } else {
        rt_assist_decide_wrote(facts, out);
    }
}


int
rt_assist_is_idle(const rt_room_assist_t *room, int64_t now_ms)
{
    return room->feedback_seq == 0 && rt_assist_staff_talk(room, now_ms);
}


rt_assist_says_t
rt_assist_says(rt_str_t text)
{
    char    word[4];
    int     ended;
    size_t  len;
    int32_t at, size;
    UChar32 c;

    len = 0;
    ended = 0;
    size = text.len < 256 ? (int32_t) text.len : 256;

    for (at = 0; at < size; /* void */) {
        U8_NEXT(text.data, at, size, c);

        if (c < 0 || !u_isalnum(c)) {
            ended = len != 0;
            continue;
        }

        c = u_tolower(c);

        if (ended || c > 127 || len == sizeof(word) - 1) {
            return RT_ASSIST_SAYS_ELSE;
        }

        word[len++] = (char) c;
    }

    if (text.len <= 256 && rt_str_eq((rt_str_t){word, len}, rt_str("yes"))) {
        return RT_ASSIST_SAYS_YES;
    }

    if (text.len <= 256 && rt_str_eq((rt_str_t){word, len}, rt_str("no"))) {
        return RT_ASSIST_SAYS_NO;
    }

    return RT_ASSIST_SAYS_ELSE;
}
