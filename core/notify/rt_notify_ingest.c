/* event.ingest: what services raise is checked, put into words, stored and told.
 *
 * All of an array's events are read and written into notifications before the store's session
 * begins; so one that is wrong refuses all of them, and the writers' turn is short. An event that
 * came before (its id, or its place under the request's Idempotency-Key) is answered as the first
 * time, and told again: who has heard of it drops it by its seq, and if the worker that stored it
 * died before it could tell, it is told now. */

#include <stdio.h>
#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "chat/rt_schema.h"
#include "notify/rt_notify.h"


#define RT_INGEST_KEY_BYTES  200 /* longer keys are told apart by their digests */
#define RT_INGEST_LOG_LINES  16  /* of one call; more businesses share the last one */
#define RT_INGEST_TEXT_BYTES 512

#define rt_ingest_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

/* call->state: what was prepared */
typedef struct {
    rt_notification_t  *items;
    rt_notification_t **list;
    size_t              count;
} rt_ingest_t;

typedef struct {
    rt_str_t event;
    rt_str_t business_id;
} rt_ingest_fields_t;

static const rt_field_t rt_ingest_fields[] = {
    {"event", RT_FIELD_STRING, RT_FIELD_REQUIRED, offsetof(rt_ingest_fields_t, event), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"businessId", RT_FIELD_STRING, RT_FIELD_REQUIRED | RT_FIELD_PRINTABLE,
        offsetof(rt_ingest_fields_t, business_id), 1, RT_ID_CHARACTERS_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


/* Says which of an array it is about. */
static rt_status_t
rt_ingest_refuse(rt_call_t *call, size_t at, size_t count, rt_status_t status, const char *text)
{
    if (count == 1) {
        return rt_call_fail(call, status, "%s", text);
    }

    return rt_call_fail(call, status, "event %zu of %zu: %s", at + 1, count, text);
}


/* Ids may be numbers, as in tokens. {NULL, 0}: neither a text nor a number. */
static rt_str_t
rt_ingest_id(rt_call_t *call, const json_t *value, int *failed)
{
    rt_str_t text;

    if (json_is_string(value)) {
        return (rt_str_t){json_string_value(value), json_string_length(value)};
    }

    if (!json_is_integer(value)) {
        return rt_str_null;
    }

    text = rt_arena_printf(call->arena, "%lld", (long long) json_integer_value(value));
    *failed |= text.data == NULL;

    return text;
}


/* Whom it is for. What can't be anybody's id is nobody's: the business hears of the event. */
static rt_status_t
rt_ingest_user(rt_call_t *call, const json_t *event, rt_notification_t *item)
{
    int      failed;
    rt_str_t id;

    failed = 0;
    id = rt_ingest_id(call, json_object_get(event, "userId"), &failed);

    if (failed) {
        return RT_NO_MEMORY;
    }

    if (item->type == RT_NOTIFY_AUDIT || !rt_schema_is_id(id)) {
        return RT_OK;
    }

    item->user_id = rt_arena_str(call->arena, id);

    return item->user_id.data ? RT_OK : RT_NO_MEMORY;
}


/* What makes it the same event when it comes again: a service's own id counts for events of that
 * name, the request's key for the event's place in it. */
static rt_status_t
rt_ingest_key(rt_call_t *call, const json_t *event, size_t at, rt_notification_t *item)
{
    int      failed;
    char     hex[RT_HEX_LEN(RT_SHA256_LEN)];
    uint8_t  digest[RT_SHA256_LEN];
    rt_str_t id, name, key;

    failed = 0;
    name = rt_json_get_str(event, "event");
    id = rt_ingest_id(call, json_object_get(event, "id"), &failed);
    key = rt_json_get_str(call->request, "idempotencyKey");

    if (failed) {
        return RT_NO_MEMORY;
    }

    if (id.len) {
        item->key =
            rt_arena_printf(call->arena, "id\n%.*s\n%.*s", RT_STR_ARG(name), RT_STR_ARG(id));

    } else if (key.len) {
        item->key = rt_arena_printf(call->arena, "key\n%.*s\n%zu", RT_STR_ARG(key), at);

    } else {
        return RT_OK;
    }

    if (item->key.len > RT_INGEST_KEY_BYTES) {
        if (rt_sha256(digest, item->key) != RT_OK) {
            return RT_ERROR;
        }

        rt_hex(hex, digest, sizeof(digest));
        item->key = rt_arena_str(call->arena, (rt_str_t){hex, sizeof(hex)});
    }

    return item->key.data ? RT_OK : RT_NO_MEMORY;
}


rt_str_t
rt_notify_audit_log(rt_call_t *call, const json_t *payload, const rt_notification_t *item)
{
    char     time[RT_TIME_LEN + 1];
    int      failed;
    json_t  *log;
    rt_str_t text;

    log = json_is_object(json_object_get(payload, "auditLog"))
        ? json_copy(json_object_get(payload, "auditLog"))
        : json_object();

    rt_time_format(time, item->created_at_ms);
    json_object_del(log, "_id");
    json_object_del(log, "notificationId");
    failed = rt_json_set_str(log, "businessId", item->business_id) != 0
        || rt_json_set_str(log, "createdAt", (rt_str_t){time, RT_TIME_LEN}) != 0
        || (json_object_get(log, "timestamp") == NULL
            && rt_json_set_str(log, "timestamp", (rt_str_t){time, RT_TIME_LEN}) != 0);

    text = rt_call_json(call, log, &failed);
    json_decref(log);

    return failed ? rt_str_null : text;
}


/* The rest of the event is the payload: kept as it came. */
static rt_status_t
rt_ingest_fill(rt_call_t *call, json_t *event, rt_notification_t *item)
{
    int  failed;
    char id[RT_ID_LEN + 1];

    failed = 0;
    rt_id_make(id);

    item->arena = call->arena;
    item->id = rt_arena_str(call->arena, (rt_str_t){id, RT_ID_LEN});
    item->created_at_ms = rt_time_now_ms();
    item->stream = item->user_id.len
        ? rt_notify_stream(call->arena, "user:", item->user_id)
        : rt_notify_stream(call->arena, "business:", item->business_id);

    json_object_del(event, "event");
    json_object_del(event, "businessId");
    json_object_del(event, "userId");
    json_object_del(event, "id");
    item->data = rt_call_json(call, event, &failed);

    if (failed || item->id.data == NULL || item->stream.data == NULL) {
        return RT_NO_MEMORY;
    }

    if (item->type == RT_NOTIFY_AUDIT) {
        item->audit = rt_notify_audit_log(call, event, item);
    }

    return item->type == RT_NOTIFY_AUDIT && item->audit.data == NULL ? RT_NO_MEMORY : RT_OK;
}


static rt_status_t
rt_ingest_read_one(rt_call_t *call, json_t *event, size_t at, size_t count, rt_notification_t *item)
{
    rt_error_t              error;
    rt_status_t             status;
    rt_ingest_fields_t      fields;
    const rt_notify_kind_t *kind;

    memset(&fields, 0, sizeof(fields));

    if (!json_is_object(event)) {
        return rt_ingest_refuse(call, at, count, RT_INVALID, "an event must be an object");
    }

    if (rt_schema_has_operator(event)) {
        return rt_ingest_refuse(call, at, count, RT_INVALID, "keys must not begin with $");
    }

    status = rt_schema_read(rt_ingest_fields, event, &fields, &error);
    if (status != RT_OK) {
        return rt_ingest_refuse(call, at, count, status, error.text);
    }

    kind = rt_notify_kind_find(fields.event);
    if (kind == NULL) {
        return rt_ingest_refuse(call, at, count, RT_INVALID, "event is not one that is known here");
    }

    /* a service whose token names a business speaks for that one alone */
    if (call->identity != NULL && call->identity->business_id.len
        && !rt_str_eq(call->identity->business_id, fields.business_id))
    {
        return rt_ingest_refuse(call, at, count, RT_NOT_FOUND, "Business not found");
    }

    item->type = kind->type;
    item->business_id = rt_arena_str(call->arena, fields.business_id);

    status = item->business_id.data ? rt_ingest_user(call, event, item) : RT_NO_MEMORY;

    if (status == RT_OK) {
        status = rt_ingest_key(call, event, at, item);
    }

    if (status == RT_OK) {
        status = rt_notify_write(call->arena, kind, event, item);
    }

    return status == RT_OK ? rt_ingest_fill(call, event, item) : status;
}


/* One event, or an array of them: the array. */
static rt_status_t
rt_ingest_parse(rt_call_t *call, json_t **out)
{
    json_t     *body;
    rt_error_t  error;
    rt_status_t status;

    body = NULL;
    status = rt_json_parse(rt_json_get_str(call->request, "body"), &body, &error);

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


static rt_status_t
rt_ingest_prepare(rt_core_t *core, rt_call_t *call)
{
    size_t       i;
    json_t      *events;
    rt_ingest_t *ingest;
    rt_status_t  status;

    (void) core;

    events = NULL;
    ingest = rt_arena_calloc(call->arena, sizeof(rt_ingest_t));
    status = ingest ? rt_ingest_parse(call, &events) : RT_NO_MEMORY;

    if (status == RT_OK) {
        ingest->count = json_array_size(events);
        ingest->items = rt_arena_calloc(call->arena, ingest->count * sizeof(rt_notification_t));
        ingest->list = rt_arena_alloc(call->arena, ingest->count * sizeof(rt_notification_t *));

        if (ingest->items == NULL || ingest->list == NULL) {
            status = RT_NO_MEMORY;
        }
    }

    for (i = 0; status == RT_OK && i < ingest->count; i++) {
        ingest->list[i] = &ingest->items[i];
        status =
            rt_ingest_read_one(call, json_array_get(events, i), i, ingest->count, ingest->list[i]);
    }

    json_decref(events);
    call->state = ingest;

    return status;
}


static rt_status_t
rt_ingest_reply(rt_call_t *call, const rt_ingest_t *ingest)
{
    size_t   i;
    rt_buf_t buf;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_ingest_put(&buf, "{\"success\":true,\"notifications\":[");

    for (i = 0; i < ingest->count; i++) {
        if (i) {
            rt_ingest_put(&buf, ",");
        }

        rt_buf_append_json_string(&buf, ingest->items[i].id);
    }

    rt_ingest_put(&buf, "]}");

    return rt_call_reply(call, &buf);
}


/* A line for each business of the call, with how many it got where that is not one. */
static rt_status_t
rt_ingest_log(rt_call_t *call, const rt_ingest_t *ingest)
{
    char               text[RT_INGEST_TEXT_BYTES];
    size_t             i, j, lines;
    rt_buf_t           buf;
    rt_notification_t *item;

    struct {
        const rt_notification_t *item;
        int64_t                  count;
    } businesses[RT_INGEST_LOG_LINES];

    lines = 0;

    for (i = 0; i < ingest->count; i++) {
        item = &ingest->items[i];

        if (item->status != RT_OK) {
            continue;
        }

        for (j = 0; j < lines && !rt_str_eq(businesses[j].item->business_id, item->business_id);
             j++) {
            /* void */
        }

        if (j == lines && lines < RT_INGEST_LOG_LINES) {
            businesses[lines].item = item;
            businesses[lines++].count = 0;
        }

        businesses[j < lines ? j : lines - 1].count++;
    }

    memset(&buf, 0, sizeof(rt_buf_t));

    for (j = 0; j < lines; j++) {
        rt_log_escape(text, sizeof(text), businesses[j].item->business_id);
        rt_buf_append_str(&buf, j ? rt_str("\n") : rt_str(""));
        rt_ingest_put(&buf, "📢 Notification sent to business ");
        rt_buf_append_str(&buf, rt_str_c(text));

        if (businesses[j].count > 1) {
            rt_ingest_put(&buf, " (");
            rt_buf_append_int(&buf, businesses[j].count);
            rt_ingest_put(&buf, ")");
        }
    }

    call->log_line = rt_call_text(call, &buf);

    return lines && call->log_line.data == NULL ? RT_NO_MEMORY : RT_OK;
}


static rt_status_t
rt_ingest_answer(rt_call_t *call, const rt_ingest_t *ingest)
{
    size_t                   i;
    rt_status_t              status;
    rt_notify_row_t          row;
    const rt_notification_t *item;

    status = RT_OK;

    for (i = 0; i < ingest->count && status == RT_OK; i++) {
        item = &ingest->items[i];
        call->created |= item->status == RT_OK;

        row = (rt_notify_row_t){.business_id = item->business_id,
            .seq = item->seq,
            .type = item->type,
            .sub_type = item->sub_type,
            .text = item->text};

        status = rt_notify_emit(call, item->stream, &row);
    }

    if (status == RT_OK) {
        status = rt_ingest_log(call, ingest);
    }

    return status == RT_OK ? rt_ingest_reply(call, ingest) : status;
}


/* Where the store isn't atomic some may be stored: the rest is when it is tried again. */
static rt_status_t
rt_ingest_stored(rt_call_t *call)
{
    size_t             i;
    const rt_ingest_t *ingest = call->state;

    for (i = 0; i < ingest->count; i++) {
        if (ingest->items[i].status >= RT_UNAVAILABLE) {
            return rt_call_store_failed(call, ingest->items[i].status);
        }
    }

    return rt_ingest_answer(call, ingest);
}


/* count is at most RT_BATCH_MAX */
static void
rt_ingest_run_many(rt_core_t *core, rt_call_t **calls, size_t count)
{
    size_t              i, j, all;
    rt_arena_t         *arena;
    rt_status_t         status;
    const rt_ingest_t  *ingest;
    rt_notification_t **list;

    (void) core;

    for (i = 0, all = 0; i < count; i++) {
        ingest = calls[i]->state;
        all += ingest->count;
    }

    list = NULL;
    status = RT_NO_MEMORY;
    arena = rt_arena_create(16384);

    if (arena != NULL) {
        list = rt_arena_alloc(arena, all * sizeof(rt_notification_t *));
    }

    if (list != NULL) {
        for (i = 0, all = 0; i < count; i++) {
            ingest = calls[i]->state;

            for (j = 0; j < ingest->count; j++) {
                list[all++] = ingest->list[j];
            }
        }

        status = rt_notify_store(calls[0])->add(calls[0]->session, list, all);
    }

    rt_arena_destroy(arena);

    for (i = 0; i < count; i++) {
        calls[i]->status =
            status == RT_OK ? rt_ingest_stored(calls[i]) : rt_call_store_failed(calls[i], status);
    }
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
    {{NULL, RT_OP_READ, NULL}, 0, NULL},
};
