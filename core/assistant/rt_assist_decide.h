/* What the assistant does about a customer, as one pure function: what is remembered of the room,
 * what happened, the moment and who is there, to a list of actions. No store, clock or sockets.
 *
 *   joined ──▶ welcomed before? ─no─▶ WELCOME
 *
 *   wrote ──▶ "Yes"/"No" to "Was this helpful?" ──▶ HELPFUL | NOT_HELPFUL, CALL_STAFF; nothing else
 *         ──▶ staff wrote within ten minutes? ─yes─▶ nothing
 *         ──▶ nobody there, or after hours? ─yes─▶ OFFLINE, once per stretch
 *         ──▶ a FAQ fits? ─yes─▶ ANSWER, ASK_HELPFUL
 *                         ─no──▶ NOTE; somebody there: ACKNOWLEDGE, CALL_STAFF, once per stretch
 *
 * A stretch is what the customer writes until staff answer, or until the customer is silent for
 * twelve hours. */

#ifndef RT_ASSIST_DECIDE_H
#define RT_ASSIST_DECIDE_H

#include "store/rt_store.h"


#define RT_ASSIST_QUIET_MS   ((int64_t) 10 * 60 * 1000)
#define RT_ASSIST_STRETCH_MS ((int64_t) 12 * 3600 * 1000)
#define RT_ASSIST_LATE_MS    ((int64_t) 3600 * 1000) /* a reply that comes later is none */
#define RT_ASSIST_ACTIONS    8

typedef enum { RT_ASSIST_WROTE, RT_ASSIST_JOINED } rt_assist_event_t;

typedef enum { RT_ASSIST_SAYS_ELSE, RT_ASSIST_SAYS_YES, RT_ASSIST_SAYS_NO } rt_assist_says_t;

/* In the order in which they are done. */
typedef enum {
    RT_ASSIST_WELCOME,
    RT_ASSIST_HELPFUL,
    RT_ASSIST_NOT_HELPFUL,
    RT_ASSIST_OFFLINE,
    RT_ASSIST_ANSWER,
    RT_ASSIST_ASK_HELPFUL,
    RT_ASSIST_NOTE, /* keep it as a question that nobody had an answer for */
    RT_ASSIST_ACKNOWLEDGE,
    RT_ASSIST_CALL_STAFF
} rt_assist_action_t;

typedef struct {
    rt_assist_event_t event;
    int64_t           seq;   /* of the message */
    int64_t           at_ms; /* when it was written */
    rt_assist_says_t  says;
    int64_t           now_ms;
    int               is_after_hours;
    int               staff_online;
    int               faq_fits;
} rt_assist_facts_t;

typedef struct {
    rt_assist_action_t actions[RT_ASSIST_ACTIONS];
    size_t             count;
    rt_room_assist_t   next; /* what is to be remembered from now on. Behind ASK_HELPFUL the doer
                              * sets its feedback members to what was stored */
} rt_assist_decision_t;

/* Never fails; any thread. */
void rt_assist_decide(const rt_room_assist_t *room, const rt_assist_facts_t *facts,
    rt_assist_decision_t *out);

/* 1: a message that is written now has nothing to expect, and need not be looked at. */
int rt_assist_is_idle(const rt_room_assist_t *room, int64_t now_ms);

/* Whether a text is nothing but "yes" or "no", in any case, with any punctuation around. */
rt_assist_says_t rt_assist_says(rt_str_t text);

#endif
