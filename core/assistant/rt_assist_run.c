/* assistant.run: what the assistant does in one room, for every message that it has not looked at
 * yet.
 *
 * What it says to a message is found by that message's id and its place in the flow
 * ("auto:<id>:<place>"), and the room remembers up to where it has looked. So it may be run again,
 * also by two workers at once: a reply is stored once, and what goes with it (counts, calls for
 * staff) is done by whoever brings the room's mark forward. */

#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "assistant/rt_assist_turn.h"


#define RT_ASSIST_LIST   50  /* messages of a room that are listed at once, */
#define RT_ASSIST_TURNS  8   /* customers' ones that are answered in one call, */
#define RT_ASSIST_BEHIND 200 /* and the oldest that is still looked at */


/* Brings the mark forward over messages that need nothing. */
static rt_status_t
rt_assist_pass(rt_assist_work_t *work, int64_t seq)
{
    int64_t    before;
    rt_call_t *call = work->call;
    rt_room_t *room = work->room;

    before = room->assist.done_seq;

    if (before >= seq) {
        return RT_OK;
    }

    room->assist.done_seq = seq;

    return rt_call_store(call)->room_assist(call->session, room, before, !work->said);
}


/* The messages that it has not looked at. RT_CONFLICT: another worker has, meanwhile. */
static rt_status_t
rt_assist_look(rt_assist_work_t *work)
{
    size_t            i;
    int64_t           asked;
    rt_call_t        *call = work->call;
    rt_room_t        *room = work->room;
    rt_status_t       status;
    rt_message_list_t list;

    asked = room->assist.asked_seq;

    if (room->assist.done_seq >= asked) {
        return RT_OK;
    }

    /* in a room that the original's database brings everything is behind */
    status = rt_assist_pass(work, asked - RT_ASSIST_BEHIND);
    if (status != RT_OK) {
        return status;
    }

    status = rt_call_store(call)->messages_list(call->session, call->arena, room, RT_MESSAGES_AFTER,
        room->assist.done_seq, RT_ASSIST_LIST, &list);
    if (status != RT_OK) {
        return status;
    }

    for (i = 0; i < list.count && list.rows[i].seq <= asked; i++) {

        if (work->turns == RT_ASSIST_TURNS) {
            return rt_assist_pass(work, list.rows[i].seq - 1);
        }

        status = rt_assist_turn(work, &list.rows[i]);
        if (status != RT_OK) {
            return status;
        }
    }

    /* others than customers may have written the last of them */
    return rt_assist_pass(work, i == RT_ASSIST_LIST ? list.rows[i - 1].seq : asked);
}


/* Emits again what the assistant said and who was called, behind what is known to have been. */
static rt_status_t
rt_assist_retell(rt_assist_work_t *work)
{
    size_t            i;
    int64_t           after, end;
    rt_call_t        *call = work->call;
    rt_room_t        *room = work->room;
    rt_status_t       status;
    rt_message_list_t list;

    after = room->assist.told_seq;

    if (after < room->assist.done_seq - RT_ASSIST_BEHIND) {
        after = room->assist.done_seq - RT_ASSIST_BEHIND;
    }

    end = after + 2 * RT_ASSIST_BEHIND;

    do {
        status = rt_call_store(call)->messages_list(call->session, call->arena, room,
            RT_MESSAGES_AFTER, after, RT_ASSIST_LIST, &list);
        if (status != RT_OK) {
            return status;
        }

        for (i = 0; i < list.count && status == RT_OK; i++) {
            after = list.rows[i].seq;

            if (list.rows[i].kind != RT_MESSAGE_PLAIN) {
                status = rt_emit_message(call, room->id, list.rows[i].kind, list.rows[i].seq,
                    list.rows[i].text);
            }
        }

    } while (status == RT_OK && list.count == RT_ASSIST_LIST && after < end);

    if (status == RT_OK && room->assist.called_seq > room->assist.told_seq) {
        status = rt_emit_new_conversation(call, room, 1, rt_str_null);
    }

    work->said = 1;

    return status;
}


static rt_status_t
rt_assist_work_run(rt_assist_work_t *work)
{
    rt_call_t  *call = work->call;
    rt_status_t status;

    if (json_is_true(json_object_get(call->request, "retell"))) {
        status = rt_assist_retell(work);
        if (status != RT_OK) {
            return status;
        }
    }

    status = rt_playbook_get(work->core, call, work->room->business_id, &work->playbook);
    if (status != RT_OK) {
        return status;
    }

    status = rt_assist_look(work);
    rt_playbook_release(work->playbook);

    if (status == RT_OK && work->room->assist.done_seq < work->room->assist.asked_seq) {
        call->assist = RT_ASSIST_AFTER_MESSAGE; /* there was more than one call takes */
    }

    if ((status != RT_OK && status != RT_CONFLICT) || !work->said) {
        return status == RT_CONFLICT ? RT_OK : status;
    }

    /* who brought the mark forward tells what was said, too */
    if (status == RT_OK) {
        call->last_seq = work->room->assist.done_seq;
    }

    return rt_emit_room_updated(call, work->room);
}


static rt_status_t
rt_assist_run(rt_core_t *core, rt_call_t *call)
{
    rt_status_t      status;
    rt_assist_work_t work;

    memset(&work, 0, sizeof(rt_assist_work_t));
    work.core = core;
    work.call = call;
    work.now_ms = rt_time_now_ms();
    work.staff_online = json_is_true(json_object_get(call->request, "staffOnline"));

    status = rt_assist_room(call, &work.room);

    return status == RT_OK && work.room != NULL ? rt_assist_work_run(&work) : status;
}


const rt_op_entry_t rt_assist_run_ops[] = {
    {{"assistant.run", RT_OP_WRITE, rt_assist_run}, RT_ROLES_HOST, NULL, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL, NULL},
};
