/* What the files of the assistant's operations share. Nothing outside core/ includes this. */

#ifndef RT_ASSIST_H
#define RT_ASSIST_H

#include "assistant/rt_assist_decide.h"
#include "assistant/rt_playbook.h"
#include "chat/rt_chat.h"


#define RT_ASSIST_NAME    "Assistant"
#define RT_ASSIST_REPLIES 3 /* to one message */

/* What is said: a business's own response, or the text that stands for one that it has not. */
typedef struct {
    const rt_playbook_response_t *response; /* NULL: the text is ours */
    rt_response_type_t            type;
    rt_str_t                      text;
    rt_str_t                      quick_replies; /* JSON array, or empty */
} rt_assist_text_t;

/* A welcome of message.send or a join. */
typedef struct {
    int          is_due;  /* it is to be remembered, */
    int          is_said; /* with a message */
    rt_message_t message;
    rt_str_t     response_id; /* of the business's own, to be counted; or empty */
} rt_assist_welcome_t;

/* How busy a business is. */
typedef struct {
    int64_t queue_size;       /* rooms with messages that staff have not read */
    int64_t max_wait_minutes; /* the longest since the last message in one of them */
} rt_assist_load_t;

/* Which response says it, of several the newest (rt_assist_text.c; docs/faq.md tells the order).
 * zone: the default time zone. Pure but for reading tzdata. */
rt_assist_text_t rt_assist_offline(const rt_playbook_t *playbook, rt_str_t zone, int64_t now_ms);
rt_assist_text_t rt_assist_acknowledge(const rt_playbook_t *playbook, rt_str_t zone, int64_t now_ms,
    const rt_assist_load_t *load);

/* 1: an active response's window says that nobody is there. */
int rt_assist_is_after_hours(const rt_playbook_t *playbook, rt_str_t zone, int64_t now_ms);

/* 1: a response asks for the load. */
int rt_assist_wants_load(const rt_playbook_t *playbook);


/* Begins a call of a worker's own on the customers' room that its request names: *out is NULL when
 * there is no such one (any more). RT_INVALID, or what the store says. */
rt_status_t rt_assist_room(rt_call_t *call, rt_room_t **out);

/* A business's newest active response of a type, in the call's arena; with an empty id: none. */
rt_status_t rt_assist_newest(rt_call_t *call, rt_str_t business_id, rt_response_type_t type,
    rt_response_row_t *out);

/* Fills a message of the assistant to the room, with an id of its own, in the call's arena.
 * client_id: what it is found by when it is said again; or empty. RT_NO_MEMORY. */
rt_status_t rt_assist_message(rt_call_t *call, rt_room_t *room, const rt_assist_text_t *text,
    rt_str_t client_id, rt_message_t *out);

/* Emits a stored message and queues it for webhooks. */
rt_status_t rt_assist_tell(rt_call_t *call, rt_room_t *room, const rt_message_t *message);

/* Adds the line of a message that was sent to the call's log lines. RT_NO_MEMORY. */
rt_status_t rt_assist_log(rt_call_t *call);

/* Stores messages of one room, at most RT_ASSIST_REPLIES, and adds their lines to the log; their
 * status is RT_CONFLICT where a call that did not come to its end has stored them before. */
rt_status_t rt_assist_store(rt_call_t *call, rt_message_t *messages, size_t count);

/* The welcome for the room, to be stored as what it says first: message.send puts it in front of a
 * first message. Without memory or store nothing is changed. */
rt_status_t rt_assist_greet(rt_call_t *call, rt_room_t *room, rt_assist_welcome_t *out);

/* Remembers that the room was welcomed, and counts what was said; behind messages_add. A welcome
 * whose message failed stays to be said. */
rt_status_t rt_assist_greeted(rt_call_t *call, rt_room_t *room, const rt_assist_welcome_t *welcome);

/* Notes what a customer said of an answer, and counts it. */
rt_status_t rt_assist_rate(rt_call_t *call, const rt_room_t *room, rt_str_t message_id,
    rt_str_t faq_id, int helpful, int *before);

#endif
