/* Running calls: a session of the store around them, who may call what, and what becomes of them
 * when the store fails. */

#include <stdlib.h>

#include <rt/rt_json.h>

#include "assistant/rt_playbook.h"
#include "assistant/rt_schedule.h"
#include "chat/rt_chat.h"
#include "webhook/rt_webhook.h"


rt_status_t
rt_core_check_store(rt_str_t store_uri, rt_error_t *error)
{
    return rt_store_check(store_uri, error);
}


int
rt_core_knows_zone(rt_str_t name)
{
    return rt_schedule_knows_zone(name);
}


rt_status_t
rt_core_open(rt_core_t **out, const rt_core_options_t *options, rt_error_t *error)
{
    rt_core_t  *core;
    rt_status_t status;

    core = calloc(1, sizeof(rt_core_t));
    if (core == NULL) {
        return rt_error_set(error, RT_NO_MEMORY, "no memory");
    }

    core->log = options->log;
    core->assistant = options->assistant;
    core->playbooks = rt_playbooks_create();

    if (core->playbooks == NULL) {
        free(core);
        return rt_error_set(error, RT_NO_MEMORY, "no memory");
    }

    status = rt_store_open(&core->store, options->store_uri, &options->log, error);
    if (status != RT_OK) {
        rt_playbooks_destroy(core->playbooks);
        free(core);
        return status;
    }

    if (options->webhooks) {
        status = rt_webhooks_create(&core->webhooks, core->store, options, error);
        if (status != RT_OK) {
            rt_core_close(core);
            return status;
        }
    }

    *out = core;

    return RT_OK;
}


void
rt_core_close(rt_core_t *core)
{
    if (core != NULL) {
        rt_webhooks_destroy(core->webhooks);
        rt_store_close(core->store);
        rt_playbooks_destroy(core->playbooks);
        free(core);
    }
}


int
rt_core_store_up(const rt_core_t *core)
{
    return core->store->ops->up(core->store);
}


uint64_t
rt_core_webhooks_dropped(const rt_core_t *core)
{
    return core->webhooks ? atomic_load(&core->webhooks->dropped) : 0;
}


size_t
rt_core_lane(const rt_core_t *core, const rt_call_t *call)
{
    size_t   lane;
    rt_str_t room;

    if (core->store->ops->atomic) {
        return 0;
    }

    lane = 0;

    for (room = rt_json_get_str(call->request, "roomId"); room.len; room.len--) {
        lane = lane * 31 + (unsigned char) room.data[room.len - 1];
    }

    return lane % RT_LANES;
}


static const rt_op_entry_t *
rt_core_entry(const rt_call_t *call)
{
    return (const rt_op_entry_t *) call->op;
}


/* Roles come before everything else: who may not call is not told what exists. */
static rt_status_t
rt_core_admit(rt_call_t *call)
{
    uint32_t roles;

    roles = rt_core_entry(call)->roles;

    if (roles == RT_ROLES_HOST) {
        return RT_OK;
    }

    if (call->identity == NULL) {
        return rt_call_fail(call, RT_UNAUTHORIZED, "Authentication is required");
    }

    if ((roles & 1u << call->identity->role) == 0) {
        return rt_call_fail(call, RT_FORBIDDEN, "Your role may not do this");
    }

    return RT_OK;
}


/* Sets what a failed call shows, and takes back what it had prepared. */
static void
rt_core_settle(rt_call_t *call, rt_status_t status)
{
    call->status = status;
    call->session = NULL;

    if (status == RT_OK) {
        return;
    }

    call->created = 0;
    call->emits = NULL;
    call->emits_last = &call->emits;
    call->log_line = rt_str_null;
    call->assist = RT_ASSIST_NOT;

    if (status != RT_CONFLICT) {
        call->reply = rt_str_null;
    }

    if (call->error.status != status) {
        rt_call_store_failed(call, status);
    }
}


void
rt_core_run(rt_core_t *core, rt_call_t *call)
{
    rt_status_t           status, ended;
    rt_store_session_t   *session;
    const rt_store_ops_t *ops;

    call->core = core;

    if (call->op->kind == RT_OP_WRITE) {
        rt_core_run_batch(core, &call, 1);
        return;
    }

    status = rt_core_admit(call);
    if (status != RT_OK) {
        rt_core_settle(call, status);
        return;
    }

    ops = core->store->ops;

    status = ops->begin(core->store, RT_STORE_READ, &session);
    if (status != RT_OK) {
        rt_core_settle(call, status);
        return;
    }

    call->session = session;
    status = call->op->run(core, call);
    ended = ops->end(session, 1);

    rt_core_settle(call, status == RT_OK ? ended : status);
}


/* Runs what stands together and is of one operation; returns how many. */
static size_t
rt_core_run_group(rt_core_t *core, rt_call_t **calls, size_t count)
{
    size_t               n;
    const rt_op_entry_t *entry;

    n = 1;
    entry = rt_core_entry(calls[0]);

    if (entry->run_many == NULL) {
        calls[0]->status = entry->op.run(core, calls[0]);
        return n;
    }

    while (n < count && calls[n]->op == calls[0]->op) {
        n++;
    }

    entry->run_many(core, calls, n);

    return n;
}


/* 1: a call failed halfway, other than by a refusal, and must not leave the half behind. */
static int
rt_core_is_spoiled(rt_call_t *const *calls, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (calls[i]->status >= RT_UNAVAILABLE) {
            return 1;
        }
    }

    return 0;
}


static void
rt_core_set_session(rt_call_t **calls, size_t count, rt_store_session_t *session)
{
    size_t i;

    for (i = 0; i < count; i++) {
        calls[i]->session = session;
    }
}


/* Runs calls that are admitted, at most RT_BATCH_MAX, in one session. */
static rt_status_t
rt_core_run_session(rt_core_t *core, rt_call_t **calls, size_t count)
{
    size_t                i, n;
    rt_status_t           status;
    rt_store_session_t   *session;
    const rt_store_ops_t *ops;

    ops = core->store->ops;

    status = ops->begin(core->store, RT_STORE_WRITE, &session);
    if (status != RT_OK) {
        return status;
    }

    rt_core_set_session(calls, count, session);

    for (i = 0; i < count; i += n) {
        n = rt_core_run_group(core, &calls[i], count - i);

        if (rt_core_is_spoiled(&calls[i], n)) {
            ops->spoil(session);
        }
    }

    return ops->end(session, 1);
}


/* Where what is written stays written, each group has a session of its own, and each call its own
 * fate: nothing is run again, for it would be stored twice. */
static void
rt_core_run_apart(rt_core_t *core, rt_call_t **calls, size_t count)
{
    int                   undo;
    size_t                i, j, n;
    rt_status_t           status;
    rt_store_session_t   *session;
    const rt_store_ops_t *ops;

    ops = core->store->ops;

    for (i = 0; i < count; i += n) {
        n = 1;
        status = ops->begin(core->store, RT_STORE_WRITE, &session);

        if (status == RT_OK) {
            rt_core_set_session(&calls[i], count - i, session);
            n = rt_core_run_group(core, &calls[i], count - i);
            undo = n == 1 && rt_core_is_spoiled(&calls[i], n);
            status = ops->end(session, !undo);
        }

        for (j = i; j < i + n; j++) {
            rt_core_settle(calls[j], calls[j]->status == RT_OK ? status : calls[j]->status);
        }
    }
}


/* One call that hits a fault of ours or of its data must not take those of others along with it,
 * each time it is tried. When it was the store that failed, trying again would only wait longer. */
static int
rt_core_is_own_fault(rt_call_t *const *calls, size_t count)
{
    int    fault;
    size_t i;

    fault = 0;

    for (i = 0; i < count; i++) {
        if (calls[i]->status == RT_UNAVAILABLE) {
            return 0;
        }

        fault |= calls[i]->status > RT_UNAVAILABLE;
    }

    return fault;
}


/* As if it had not run. */
static void
rt_core_reset(rt_call_t *call)
{
    call->status = RT_OK;
    call->error.status = RT_OK;
    call->error.text[0] = '\0';
    call->created = 0;
    call->reply = rt_str_null;
    call->emits = NULL;
    call->emits_last = &call->emits;
    call->log_line = rt_str_null;
    call->assist = RT_ASSIST_NOT;
}


static void
rt_core_run_admitted(rt_core_t *core, rt_call_t **calls, size_t count)
{
    size_t      i;
    rt_status_t status;

    if (!core->store->ops->atomic) {
        rt_core_run_apart(core, calls, count);
        return;
    }

    status = rt_core_run_session(core, calls, count);

    if (status != RT_OK && count > 1 && rt_core_is_own_fault(calls, count)) {
        for (i = 0; i < count; i++) {
            rt_core_reset(calls[i]);
            rt_core_run_admitted(core, &calls[i], 1);
        }

        return;
    }

    for (i = 0; i < count; i++) {
        rt_core_settle(calls[i],
            status == RT_OK || calls[i]->status > RT_UNAVAILABLE ? calls[i]->status
                                                                 : RT_UNAVAILABLE);
    }
}


void
rt_core_run_batch(rt_core_t *core, rt_call_t **calls, size_t count)
{
    size_t      i, admitted;
    rt_call_t  *runs[RT_BATCH_MAX];
    rt_status_t status;

    for (; count > RT_BATCH_MAX; calls += RT_BATCH_MAX, count -= RT_BATCH_MAX) {
        rt_core_run_batch(core, calls, RT_BATCH_MAX);
    }

    admitted = 0;

    for (i = 0; i < count; i++) {
        calls[i]->core = core;
        status = rt_core_admit(calls[i]);

        if (status == RT_OK && rt_core_entry(calls[i])->prepare != NULL) {
            status = rt_core_entry(calls[i])->prepare(core, calls[i]);
        }

        if (status == RT_OK) {
            runs[admitted++] = calls[i];
        } else {
            rt_core_settle(calls[i], status);
        }
    }

    if (admitted) {
        rt_core_run_admitted(core, runs, admitted);
    }
}
