/* notification.sweep: the end of old notifications, a slice at a time. For the host, not for
 * people. */

#include <stddef.h>

#include <rt/rt_text.h>

#include "chat/rt_schema.h"
#include "notify/rt_notify.h"


#define RT_NOTIFY_SWEEP_MAX 1000 /* of one slice: others wait for the store meanwhile */

static const rt_field_t rt_notify_sweep_fields[] = {
    {"ageMs", RT_FIELD_INTEGER, RT_FIELD_REQUIRED, 0, 0, INT64_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


static rt_status_t
rt_notification_sweep(rt_core_t *core, rt_call_t *call)
{
    int64_t     age_ms, removed;
    rt_status_t status;

    (void) core;

    age_ms = 0;
    removed = 0;

    status = rt_schema_read(rt_notify_sweep_fields, call->request, &age_ms, &call->error);
    if (status != RT_OK) {
        return status;
    }

    status = rt_notify_store(call)->sweep(call->session, rt_time_now_ms() - age_ms,
        RT_NOTIFY_SWEEP_MAX, &removed);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    call->total = removed;
    call->reply = rt_arena_printf(call->arena, "{\"success\":true,\"removed\":%lld,\"more\":%s}",
        (long long) removed, removed == RT_NOTIFY_SWEEP_MAX ? "true" : "false");

    return call->reply.data ? RT_OK : RT_NO_MEMORY;
}


const rt_op_entry_t rt_notify_sweep_ops[] = {
    {{"notification.sweep", RT_OP_WRITE, rt_notification_sweep}, RT_ROLES_HOST, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL},
};
