/* event.ingest and event.take: what services raise is checked, put into words, stored and told. The
 * first takes a request's body, the second a stream's entry; all else is the same.
 *
 * All of an array's events are read and written into notifications before the store's session
 * begins; so one that is wrong refuses all of them, and the writers' turn is short. An event that
 * came before (its id, or its place under the request's Idempotency-Key) is answered as the first
 * time, and told again: who has heard of it drops it by its seq, and if the worker that stored it
 * died before it could tell, it is told now. */

#include <string.h>

#include <rt/rt_json.h>

#include "notify/rt_notify.h"


#define rt_ingest_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)


/* One event, or an array of them: the array. */
static rt_status_t
rt_ingest_parse(rt_call_t *call, rt_str_t text, json_t **out)
{
    json_t     *body;
    rt_error_t  error;
    rt_status_t status;

    body = NULL;
    status = rt_json_parse(text, &body, &error);

    if (status == RT_NO_MEMORY) {
        return status;
    }

    if (status != RT_OK) {
        json_decref(body);
        return rt_call_fail(call, RT_INVALID, "%s", error.text);
    }

    if (!json_is_array(body)) {
        *out = json_pack("[o]", body);
        return *out ? RT_OK : RT_NO_MEMORY;
    }

    *out = body;

    if (json_array_size(body) == 0) {
        return rt_call_fail(call, RT_INVALID, "There are no events in the array");
    }

    if (json_array_size(body) > RT_NOTIFY_EVENTS_MAX) {
        return rt_call_fail(call, RT_TOO_LARGE, "An array holds at most %d events",
            RT_NOTIFY_EVENTS_MAX);
    }

    return RT_OK;
}


/* The events of a body, or of a stream's entry. */
static rt_status_t
rt_ingest_events(rt_call_t *call, json_t **out)
{
    json_t     *fields, *event;
    rt_str_t    text;
    rt_status_t status;

    fields = json_object_get(call->request, "fields");

    if (fields == NULL) {
        return rt_ingest_parse(call, rt_json_get_str(call->request, "body"), out);
    }

    status = rt_notify_entry(call, fields, &text, &event);

    if (status != RT_OK) {
        return status;
    }

    if (event == NULL) {
        return rt_ingest_parse(call, text, out);
    }

    *out = json_pack("[o]", event);

    return *out ? RT_OK : RT_NO_MEMORY;
}


/* Says which of an array it is about. */
static rt_status_t
rt_ingest_refuse(rt_call_t *call, size_t at, size_t count)
{
    rt_error_t error;

    if (count == 1 || call->error.status >= RT_UNAVAILABLE || call->error.status == RT_OK) {
        return call->error.status;
    }

    error = call->error;

    return rt_call_fail(call, error.status, "event %zu of %zu: %.200s", at + 1, count, error.text);
}


static rt_status_t
rt_ingest_one(rt_call_t *call, json_t *event, size_t at, size_t count, rt_notification_t *item)
{
    rt_str_t    key;
    rt_status_t status;

    key = rt_json_get_str(call->request, "idempotencyKey");

    if (key.len) {
        key = rt_arena_printf(call->arena, "key\n%.*s\n%zu", RT_STR_ARG(key), at);
        if (key.data == NULL) {
            return RT_NO_MEMORY;
        }
    }

    status = rt_notify_read(call, event, key, item);

    return status == RT_OK || status != call->error.status ? status
                                                           : rt_ingest_refuse(call, at, count);
}


static rt_status_t
rt_ingest_prepare(rt_core_t *core, rt_call_t *call)
{
    size_t             i;
    json_t            *events;
    rt_status_t        status;
    rt_notify_batch_t *batch;

    (void) core;

    events = NULL;
    batch = NULL;
    status = rt_ingest_events(call, &events);

    if (status == RT_OK) {
        batch = rt_notify_batch(call, json_array_size(events));
        status = batch ? RT_OK : RT_NO_MEMORY;
    }

    for (i = 0; status == RT_OK && i < json_array_size(events); i++) {
        status = rt_ingest_one(call, json_array_get(events, i), i, json_array_size(events),
            batch->items[batch->count++]);
    }

    json_decref(events);

    return status;
}


static rt_status_t
rt_ingest_told(rt_call_t *call, const rt_notify_batch_t *batch)
{
    size_t      i;
    rt_buf_t    buf;
    rt_status_t status;

    status = rt_notify_tell(call, batch->items, batch->count);
    if (status != RT_OK) {
        return status;
    }

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_ingest_put(&buf, "{\"success\":true,\"notifications\":[");

    for (i = 0; i < batch->count; i++) {
        if (i) {
            rt_ingest_put(&buf, ",");
        }

        rt_buf_append_json_string(&buf, batch->items[i]->id);
    }

    rt_ingest_put(&buf, "]}");

    return rt_call_reply(call, &buf);
}


/* count is at most RT_BATCH_MAX */
static void
rt_ingest_run_many(rt_core_t *core, rt_call_t **calls, size_t count)
{
    (void) core;

    rt_notify_store_many(calls, count, rt_ingest_told);
}


static rt_status_t
rt_ingest(rt_core_t *core, rt_call_t *call)
{
    rt_ingest_run_many(core, &call, 1);

    return call->status;
}


const rt_op_entry_t rt_notify_ingest_ops[] = {
    {{"event.ingest", RT_OP_WRITE, rt_ingest}, RT_ROLES_SERVICE, rt_ingest_run_many,
        rt_ingest_prepare},
    {{"event.take", RT_OP_WRITE, rt_ingest}, RT_ROLES_HOST, rt_ingest_run_many, rt_ingest_prepare},
    {{NULL, RT_OP_READ, NULL}, 0, NULL},
};
