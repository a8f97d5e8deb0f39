/* From an event, as a service gives it, to a notification; and how a call's notifications are told.
 * The same for all doors. */

#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "chat/rt_schema.h"
#include "notify/rt_notify.h"
#include "webhook/rt_webhook.h"


#define RT_EVENT_KEY_BYTES  200 /* longer keys are told apart by their digests */
#define RT_EVENT_LOG_LINES  16  /* of one call; more businesses share the last one */
#define RT_EVENT_TEXT_BYTES 512

#define rt_event_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

typedef struct {
    rt_str_t event;
    rt_str_t business_id;
} rt_event_fields_t;

static const rt_field_t rt_event_fields[] = {
    {"event", RT_FIELD_STRING, RT_FIELD_REQUIRED, offsetof(rt_event_fields_t, event), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"businessId", RT_FIELD_STRING, RT_FIELD_REQUIRED | RT_FIELD_PRINTABLE,
        offsetof(rt_event_fields_t, business_id), 1, RT_ID_CHARACTERS_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


/* Ids may be numbers, as in tokens. {NULL, 0}: neither a text nor a number. */
static rt_str_t
rt_event_id(rt_call_t *call, const json_t *value, int *failed)
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
rt_event_user(rt_call_t *call, const json_t *event, rt_notification_t *item)
{
    int      failed;
    rt_str_t id;

    failed = 0;
    id = rt_event_id(call, json_object_get(event, "userId"), &failed);

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
 * name, else what the door knows it by. With an eventId, an id is the payload's. */
static rt_status_t
rt_event_key(rt_call_t *call, const json_t *event, rt_str_t otherwise, rt_notification_t *item)
{
    int           failed;
    char          hex[RT_HEX_LEN(RT_SHA256_LEN)];
    uint8_t       digest[RT_SHA256_LEN];
    rt_str_t      id;
    const json_t *own;

    failed = 0;
    item->key = otherwise;
    own = json_object_get(event, "eventId");
    id = rt_event_id(call, own ? own : json_object_get(event, "id"), &failed);

    if (id.len && !failed) {
        item->key = rt_arena_printf(call->arena, "id\n%.*s\n%.*s",
            RT_STR_ARG(rt_json_get_str(event, "event")), RT_STR_ARG(id));
        failed = item->key.data == NULL;
    }

    if (!failed && item->key.len > RT_EVENT_KEY_BYTES) {
        if (rt_sha256(digest, item->key) != RT_OK) {
            return RT_ERROR;
        }

        rt_hex(hex, digest, sizeof(digest));
        item->key = rt_arena_str(call->arena, (rt_str_t){hex, sizeof(hex)});
        failed = item->key.data == NULL;
    }

    return failed ? RT_NO_MEMORY : RT_OK;
}


/* The document for auditlogs, as JSON text in the arena: what the service gave, with our names
 * beside it. {NULL, 0} without memory. */
static rt_str_t
rt_event_audit_log(rt_call_t *call, const json_t *payload, const rt_notification_t *item)
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
rt_event_fill(rt_call_t *call, json_t *event, rt_notification_t *item)
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

    if (json_object_del(event, "eventId") != 0) {
        json_object_del(event, "id");
    }

    item->data = rt_call_json(call, event, &failed);

    if (failed || item->id.data == NULL || item->stream.data == NULL) {
        return RT_NO_MEMORY;
    }

    if (item->type == RT_NOTIFY_AUDIT) {
        item->audit = rt_event_audit_log(call, event, item);
    }

    return item->type == RT_NOTIFY_AUDIT && item->audit.data == NULL ? RT_NO_MEMORY : RT_OK;
}


rt_status_t
rt_notify_read(rt_call_t *call, json_t *event, rt_str_t key, rt_notification_t *item)
{
    rt_status_t             status;
    rt_event_fields_t       fields;
    const rt_notify_kind_t *kind;

    memset(&fields, 0, sizeof(fields));

    if (!json_is_object(event)) {
        return rt_call_fail(call, RT_INVALID, "an event must be an object");
    }

    if (rt_schema_has_operator(event)) {
        return rt_call_fail(call, RT_INVALID, "keys must not begin with $");
    }

    status = rt_schema_read(rt_event_fields, event, &fields, &call->error);
    if (status != RT_OK) {
        return status;
    }

    kind = rt_notify_kind_find(fields.event);
    if (kind == NULL) {
        return rt_call_fail(call, RT_INVALID, "event is not one that is known here");
    }

    /* a service whose token names a business speaks for that one alone */
    if (call->identity != NULL && call->identity->business_id.len
        && !rt_str_eq(call->identity->business_id, fields.business_id))
    {
        return rt_call_fail(call, RT_NOT_FOUND, "Business not found");
    }

    item->type = kind->type;
    item->business_id = rt_arena_str(call->arena, fields.business_id);

    status = item->business_id.data ? rt_event_user(call, event, item) : RT_NO_MEMORY;

    if (status == RT_OK) {
        status = rt_event_key(call, event, key, item);
    }

    if (status == RT_OK) {
        status = rt_notify_write(call->arena, kind, event, item);
    }

    return status == RT_OK ? rt_event_fill(call, event, item) : status;
}


/* A line for each business of the call, with how many it got where that is not one. */
static rt_status_t
rt_event_log(rt_call_t *call, rt_notification_t *const *items, size_t count)
{
    char                     text[RT_EVENT_TEXT_BYTES];
    size_t                   i, j, lines;
    rt_buf_t                 buf;
    const rt_notification_t *item;

    struct {
        const rt_notification_t *item;
        int64_t                  count;
    } businesses[RT_EVENT_LOG_LINES];

    lines = 0;

    for (i = 0; i < count; i++) {
        item = items[i];

        if (item->status != RT_OK) {
            continue;
        }

        for (j = 0; j < lines && !rt_str_eq(businesses[j].item->business_id, item->business_id);
             j++) {
            /* void */
        }

        if (j == lines && lines < RT_EVENT_LOG_LINES) {
            businesses[lines].item = item;
            businesses[lines++].count = 0;
        }

        businesses[j < lines ? j : lines - 1].count++;
    }

    memset(&buf, 0, sizeof(rt_buf_t));

    for (j = 0; j < lines; j++) {
        rt_log_escape(text, sizeof(text), businesses[j].item->business_id);
        rt_buf_append_str(&buf, j ? rt_str("\n") : rt_str(""));
        rt_event_put(&buf, "📢 Notification sent to business ");
        rt_buf_append_str(&buf, rt_str_c(text));

        if (businesses[j].count > 1) {
            rt_event_put(&buf, " (");
            rt_buf_append_int(&buf, businesses[j].count);
            rt_event_put(&buf, ")");
        }
    }

    call->log_line = rt_call_text(call, &buf);

    return lines && call->log_line.data == NULL ? RT_NO_MEMORY : RT_OK;
}


rt_notify_batch_t *
rt_notify_batch(rt_call_t *call, size_t size)
{
    size_t             i;
    rt_notification_t *items;
    rt_notify_batch_t *batch;

    batch = rt_arena_calloc(call->arena, sizeof(rt_notify_batch_t));
    items = rt_arena_calloc(call->arena, (size + 1) * sizeof(rt_notification_t));

    if (batch == NULL || items == NULL) {
        return NULL;
    }

    batch->items = rt_arena_alloc(call->arena, (size + 1) * sizeof(rt_notification_t *));
    if (batch->items == NULL) {
        return NULL;
    }

    for (i = 0; i < size; i++) {
        batch->items[i] = &items[i];
    }

    call->state = batch;

    return batch;
}


rt_status_t
rt_notify_tell(rt_call_t *call, rt_notification_t *const *items, size_t count)
{
    size_t                   i;
    rt_emit_t              **emit;
    rt_status_t              status;
    rt_notify_row_t          row;
    const rt_notification_t *item;

    status = RT_OK;

    for (i = 0; i < count && status == RT_OK; i++) {
        item = items[i];
        call->created |= item->status == RT_OK;

        row = (rt_notify_row_t){.business_id = item->business_id,
            .seq = item->seq,
            .type = item->type,
            .sub_type = item->sub_type,
            .text = item->text};

        emit = call->emits_last;
        status = rt_notify_emit(call, item->stream, &row);

        if (status == RT_OK) {
            (*emit)->again = item->status == RT_CONFLICT;
        }
    }

    return status == RT_OK ? rt_event_log(call, items, count) : status;
}


/* What is for one person alone goes to no webhook. What was there already is queued again where the
 * first call may have died before it was; what is queued already stays as it is. */
static rt_status_t
rt_event_webhook(rt_call_t *call, const rt_notification_t *item)
{
    if (item->user_id.len || (item->status == RT_CONFLICT && rt_call_store(call)->atomic)) {
        return RT_OK;
    }

    return rt_webhook_enqueue(call, item->business_id, RT_WEBHOOK_NOTIFICATION_CREATED, item->id,
        item->text);
}


void
rt_notify_store_many(rt_call_t **calls, size_t count, rt_notify_told_pt told)
{
    size_t              i, j, all;
    rt_arena_t         *arena;
    rt_status_t         status;
    rt_notify_batch_t  *batch;
    rt_notification_t **list;

    for (i = 0, all = 0; i < count; i++) {
        batch = calls[i]->state;
        all += batch->count;
    }

    list = NULL;
    status = RT_NO_MEMORY;
    arena = rt_arena_create(16384);

    if (arena != NULL) {
        list = rt_arena_alloc(arena, (all + 1) * sizeof(rt_notification_t *));
    }

    if (list != NULL) {
        for (i = 0, all = 0; i < count; i++) {
            batch = calls[i]->state;

            for (j = 0; j < batch->count; j++) {
                list[all++] = batch->items[j];
            }
        }

        status = rt_notify_store(calls[0])->add(calls[0]->session, list, all);
    }

    rt_arena_destroy(arena);

    for (i = 0; i < count; i++) {
        batch = calls[i]->state;
        calls[i]->status = status;

        /* where the store isn't atomic some may be stored: the rest is when it is tried again */
        for (j = 0; j < batch->count && calls[i]->status == RT_OK; j++) {
            if (batch->items[j]->status >= RT_UNAVAILABLE) {
                calls[i]->status = batch->items[j]->status;
            } else {
                calls[i]->status = rt_event_webhook(calls[i], batch->items[j]);
            }
        }

        calls[i]->status = calls[i]->status == RT_OK
            ? told(calls[i], batch)
            : rt_call_store_failed(calls[i], calls[i]->status);
    }
}
