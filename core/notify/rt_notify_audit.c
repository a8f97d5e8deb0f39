/* audit.changes: what other services have written into auditlogs becomes a notification and
 * audit:log, as if they had raised audit.created. For the host, which calls it again and again; one
 * of the cluster at a time finds something. */

#include <string.h>

#include <rt/rt_json.h>

#include "notify/rt_notify.h"


#define RT_AUDIT_LEASE_MS  5000
#define RT_AUDIT_MAX       100 /* of one call */
#define RT_AUDIT_BYTES_MAX (1024 * 1024)


/* An id or a number as text. */
static rt_str_t
rt_audit_text(rt_call_t *call, const json_t *value)
{
    if (json_is_integer(value)) {
        return rt_arena_printf(call->arena, "%lld", (long long) json_integer_value(value));
    }

    return (rt_str_t){json_string_value(value), json_string_length(value)};
}


/* The event that the document stands for, as rt_notify_read takes it. NULL without memory. */
static json_t *
rt_audit_event(rt_call_t *call, json_t *document)
{
    json_t *event;

    event = json_pack("{s:s,s:O}", "event", "audit.created", "auditLog", document);

    if (event != NULL
        && rt_json_set_str(event, "businessId",
               rt_audit_text(call, json_object_get(document, "businessId")))
            != 0)
    {
        json_decref(event);
        return NULL;
    }

    return event;
}


/* RT_DECLINED: nobody can be told of the document, as was logged. */
static rt_status_t
rt_audit_read(rt_core_t *core, rt_call_t *call, rt_str_t text, rt_notification_t *item)
{
    json_t     *document, *event;
    rt_str_t    key;
    rt_status_t status;

    document = NULL;
    status = text.len && text.len <= RT_AUDIT_BYTES_MAX ? rt_json_parse(text, &document, NULL)
                                                        : RT_DECLINED;

    if (status == RT_OK) {
        key = rt_audit_text(call, json_object_get(document, "_id"));
        /* of other types there may be nothing of it in JSON: then all of the document tells */
        key = rt_arena_printf(call->arena, "audit\n%.*s", RT_STR_ARG(key.len ? key : text));
        event = rt_audit_event(call, document);
        status = key.data && event ? rt_notify_read(call, event, key, item) : RT_NO_MEMORY;
        json_decref(event);
    }

    json_decref(document);

    if (status == RT_NO_MEMORY || status == RT_ERROR) {
        return status;
    }

    if (status != RT_OK) {
        rt_log(&core->log, RT_LOG_WARN, "auditlogs: nobody can be told of a document: %s",
            call->error.text[0] ? call->error.text : "it is too large");
        call->error.status = RT_OK;
        call->error.text[0] = '\0';
        return RT_DECLINED;
    }

    item->audit = rt_str_null; /* it is there already */

    return RT_OK;
}


static rt_status_t
rt_audit_told(rt_call_t *call, const rt_notify_batch_t *batch)
{
    return rt_notify_tell(call, batch->items, batch->count);
}


static rt_status_t
rt_audit_store(rt_core_t *core, rt_call_t *call, const rt_audit_changes_t *changes)
{
    size_t             i;
    rt_status_t        status;
    rt_notify_batch_t *batch;

    batch = rt_notify_batch(call, changes->count);
    if (batch == NULL) {
        return RT_NO_MEMORY;
    }

    for (i = 0; i < changes->count; i++) {
        memset(batch->items[batch->count], 0, sizeof(rt_notification_t));
        status = rt_audit_read(core, call, changes->documents[i], batch->items[batch->count]);

        if (status == RT_OK) {
            batch->count++;

        } else if (status != RT_DECLINED) {
            return status;
        }
    }

    if (batch->count == 0) {
        return RT_OK;
    }

    rt_notify_store_many(&call, 1, rt_audit_told);

    return call->status;
}


static rt_status_t
rt_audit_reply(rt_call_t *call, const rt_audit_changes_t *changes)
{
    call->reply = rt_arena_printf(call->arena,
        "{\"success\":true,\"off\":%s,\"mine\":%s,\"more\":%s}", changes->off ? "true" : "false",
        changes->is_mine ? "true" : "false", changes->count == RT_AUDIT_MAX ? "true" : "false");

    return call->reply.data ? RT_OK : RT_NO_MEMORY;
}


static rt_status_t
rt_audit_changes(rt_core_t *core, rt_call_t *call)
{
    rt_str_t                     owner;
    rt_status_t                  status;
    rt_audit_changes_t           changes;
    const rt_store_notify_ops_t *ops;

    memset(&changes, 0, sizeof(changes));
    ops = rt_notify_store(call);
    owner = rt_json_get_str(call->request, "owner");

    if (ops->audit_changes == NULL) {
        changes.off = "";
        return rt_audit_reply(call, &changes);
    }

    status = ops->audit_changes(call->session, call->arena, owner, RT_AUDIT_LEASE_MS, RT_AUDIT_MAX,
        &changes);

    if (status == RT_OK && changes.off) {
        rt_log(&core->log, RT_LOG_NOTICE,
            "mongodb: what others write into auditlogs is not told of: %s", changes.off);
    }

    if (status == RT_OK && changes.lost) {
        rt_log(&core->log, RT_LOG_ERROR,
            "mongodb: what others wrote into auditlogs lately may not be told of: the change "
            "stream can't go on where it was");
    }

    if (status == RT_OK && changes.count) {
        status = rt_audit_store(core, call, &changes);
    }

    if (status == RT_OK && changes.is_mine && changes.is_news && !changes.off) {
        status = ops->audit_done(call->session, owner, changes.token);
    }

    return status == RT_OK ? rt_audit_reply(call, &changes) : rt_call_store_failed(call, status);
}


const rt_op_entry_t rt_notify_audit_ops[] = {
    {{"audit.changes", RT_OP_WRITE, rt_audit_changes}, RT_ROLES_HOST, NULL, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL, NULL},
};
