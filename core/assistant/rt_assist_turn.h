/* One message of a customer, and what the assistant does about it. */

#ifndef RT_ASSIST_TURN_H
#define RT_ASSIST_TURN_H

#include "assistant/rt_assist.h"


/* The work on one room. */
typedef struct {
    rt_core_t           *core;
    rt_call_t           *call;
    rt_room_t           *room;
    int                  staff_online;
    const rt_playbook_t *playbook;
    int64_t              now_ms;
    int                  turns; /* that were taken */
    int                  said;  /* something was emitted */
} rt_assist_work_t;


/* Does it, and brings the room's mark forward over the message; one that is no customer's, or that
 * another writer left unreadable, needs nothing, and the mark stays. work->playbook must be there.
 * RT_CONFLICT: another worker was there before. */
rt_status_t rt_assist_turn(rt_assist_work_t *work, const rt_message_row_t *row);

#endif
