/* How notifications are told: notification:new and the event of its own stand in one place of the
 * stream's order, so that whoever heals, or catches up, gets both or none. */

#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "notify/rt_notify.h"


#define rt_notify_lit(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)


const rt_store_notify_ops_t *
rt_notify_store(const rt_call_t *call)
{
    return rt_call_store(call)->notify;
}


rt_str_t
rt_notify_stream(rt_arena_t *arena, const char *kind, rt_str_t id)
{
    return rt_arena_printf(arena, "%s%.*s", kind, RT_STR_ARG(id));
}


/* A member as it is, or null. */
static void
rt_notify_put_json(rt_buf_t *buf, const json_t *object, const char *key)
{
    const json_t *value;

    value = json_object_get(object, key);

    if (value == NULL) {
        rt_notify_lit(buf, "null");
    } else if (rt_json_dump(value, buf) != RT_OK) {
        buf->failed = 1;
    }
}


void
rt_notify_put_audit(rt_buf_t *buf, const json_t *payload, int64_t time_ms)
{
    size_t        i;
    const json_t *log;

    static const char *const members[] = {"action", "entity", "entityId", "description", "userId"};

    log = json_object_get(payload, "auditLog");

    rt_notify_lit(buf, "{\"type\":\"audit\"");

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        rt_notify_lit(buf, ",\"");
        rt_buf_append_str(buf, rt_str_c(members[i]));
        rt_notify_lit(buf, "\":");
        rt_notify_put_json(buf, log, members[i]);
    }

    rt_notify_lit(buf, ",\"timestamp\":");

    if (json_is_string(json_object_get(log, "timestamp"))) {
        rt_notify_put_json(buf, log, "timestamp");
    } else {
        rt_json_put_time(buf, time_ms);
    }

    rt_notify_lit(buf, ",\"metadata\":");
    rt_notify_put_json(buf, log, "metadata");
    rt_notify_lit(buf, "}");
}


/* Audit events tell something else than their notification: it is written from what is stored. */
static rt_status_t
rt_notify_emit_audit(rt_call_t *call, const rt_notify_row_t *row, rt_emit_t *emit)
{
    int64_t     time_ms;
    json_t     *document;
    rt_buf_t    buf;
    rt_status_t status;

    status = rt_json_parse(row->text, &document, NULL);
    if (status != RT_OK) {
        return status == RT_NO_MEMORY ? status : RT_ERROR;
    }

    time_ms = 0;
    (void) rt_time_parse(rt_json_get_str(document, "timestamp"), &time_ms);

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_notify_put_audit(&buf, json_object_get(document, "data"), time_ms);
    json_decref(document);

    emit->also_event = rt_str("audit:log");
    emit->also_data = rt_call_text(call, &buf);

    return emit->also_data.data ? RT_OK : RT_NO_MEMORY;
}


rt_status_t
rt_notify_emit(rt_call_t *call, rt_str_t stream, const rt_notify_row_t *row)
{
    rt_emit_t *emit;

    emit = rt_call_emit(call, stream, rt_str(""), rt_str("notification:new"), row->text);
    if (emit == NULL) {
        return RT_NO_MEMORY;
    }

    emit->seq = row->seq;
    emit->business_id = row->business_id;

    if (row->type == RT_NOTIFY_AUDIT) {
        return rt_notify_emit_audit(call, row, emit);
    }

    emit->also_event = rt_arena_printf(call->arena, "%s.%.*s", rt_notify_type_names[row->type],
        RT_STR_ARG(row->sub_type));

    return emit->also_event.data ? RT_OK : RT_NO_MEMORY;
}
