/* Webhooks and their deliveries in MongoDB.
 *
 * A message and its deliveries are two writes: who dies between them leaves the message without,
 * unless its sender tries again (the same clientMessageId), since then they are queued again. */

#include <string.h>

#include <rt/rt_text.h>

#include "store/rt_store_mongo.h"


static const rt_mongo_field_t rt_mongo_webhook_fields[] = {
    {"_id", RT_MONGO_TEXT, offsetof(rt_webhook_t, id)},
    {"businessId", RT_MONGO_TEXT, offsetof(rt_webhook_t, business_id)},
    {"url", RT_MONGO_TEXT, offsetof(rt_webhook_t, url)},
    {"secret", RT_MONGO_TEXT, offsetof(rt_webhook_t, secret)},
    {"description", RT_MONGO_TEXT, offsetof(rt_webhook_t, description)},
    {"isActive", RT_MONGO_TRUE, offsetof(rt_webhook_t, is_active)},
    {"createdAt", RT_MONGO_TIME, offsetof(rt_webhook_t, created_at_ms)},
    {"updatedAt", RT_MONGO_TIME, offsetof(rt_webhook_t, updated_at_ms)},
    {NULL, RT_MONGO_TEXT, 0},
};

typedef struct {
    rt_delivery_t row; /* first */
    rt_str_t      event;
    rt_str_t      status;
} rt_mongo_delivery_t;

static const rt_mongo_field_t rt_mongo_delivery_fields[] = {
    {"_id", RT_MONGO_TEXT, offsetof(rt_delivery_t, id)},
    {"webhookId", RT_MONGO_TEXT, offsetof(rt_delivery_t, webhook_id)},
    {"businessId", RT_MONGO_TEXT, offsetof(rt_delivery_t, business_id)},
    {"event", RT_MONGO_TEXT, offsetof(rt_mongo_delivery_t, event)},
    {"objectId", RT_MONGO_TEXT, offsetof(rt_delivery_t, object_id)},
    {"payload", RT_MONGO_TEXT, offsetof(rt_delivery_t, payload)},
    {"attempts", RT_MONGO_INT, offsetof(rt_delivery_t, attempts)},
    {"nextAt", RT_MONGO_TIME, offsetof(rt_delivery_t, next_at_ms)},
    {"status", RT_MONGO_TEXT, offsetof(rt_mongo_delivery_t, status)},
    {"lastStatus", RT_MONGO_INT, offsetof(rt_delivery_t, last_status)},
    {"lastError", RT_MONGO_TEXT, offsetof(rt_delivery_t, last_error)},
    {"createdAt", RT_MONGO_TIME, offsetof(rt_delivery_t, created_at_ms)},
    {"deliveredAt", RT_MONGO_TIME, offsetof(rt_delivery_t, delivered_at_ms)},
    {NULL, RT_MONGO_TEXT, 0},
};


static mongoc_collection_t *
rt_mongo_webhooks(rt_mongo_t *db, const char *name)
{
    return mongoc_client_get_collection(db->client, db->store->database, name);
}


static rt_status_t
rt_mongo_on_webhook(void *data, const bson_t *document)
{
    int                event;
    rt_webhook_t      *out;
    rt_status_t        status;
    bson_iter_t        iter, inner;
    rt_mongo_gather_t *rows = data;

    out = rt_mongo_gather_next(rows);
    if (out == NULL) {
        return RT_NO_MEMORY;
    }

    status = rt_mongo_read(document, rt_mongo_webhook_fields, out, rows->arena);
    if (status != RT_OK) {
        return status;
    }

    if (bson_iter_init_find(&iter, document, "events") && BSON_ITER_HOLDS_ARRAY(&iter)
        && bson_iter_recurse(&iter, &inner))
    {
        while (bson_iter_next(&inner)) {
            event = BSON_ITER_HOLDS_UTF8(&inner)
                ? rt_name_find(rt_webhook_event_names, rt_str_c(bson_iter_utf8(&inner, NULL)))
                : -1;
            out->events |= event >= 0 ? 1 << event : 0;
        }
    }

    return RT_OK;
}


static rt_status_t
rt_mongo_delivery_read(const bson_t *document, rt_arena_t *arena, rt_delivery_t *out)
{
    int                 event, state;
    rt_status_t         status;
    rt_mongo_delivery_t parts;

    memset(&parts, 0, sizeof(parts));

    status = rt_mongo_read(document, rt_mongo_delivery_fields, &parts, arena);
    event = rt_name_find(rt_webhook_event_names, parts.event);
    state = rt_name_find(rt_delivery_status_names, parts.status);
    parts.row.event = event >= 0 ? (rt_webhook_event_t) event : RT_WEBHOOK_PING;
    parts.row.status = state >= 0 ? state : RT_DELIVERY_FAILED;
    *out = parts.row;

    return status;
}


static rt_status_t
rt_mongo_on_delivery(void *data, const bson_t *document)
{
    rt_delivery_t     *out;
    rt_mongo_gather_t *rows = data;

    out = rt_mongo_gather_next(rows);

    return out ? rt_mongo_delivery_read(document, rows->arena, out) : RT_NO_MEMORY;
}


/* What adding and changing have in common. */
static void
rt_mongo_webhook_put(bson_t *document, const rt_webhook_t *webhook)
{
    char        buf[16];
    bson_t      array;
    uint32_t    i, n;
    const char *key;

    n = 0;

    rt_mongo_put_text(document, "url", webhook->url);
    bson_append_array_begin(document, "events", -1, &array);

    for (i = 0; rt_webhook_event_names[i] != NULL; i++) {
        if (webhook->events & 1 << i) {
            bson_uint32_to_string(n++, &key, buf, sizeof(buf));
            BSON_APPEND_UTF8(&array, key, rt_webhook_event_names[i]);
        }
    }

    bson_append_array_end(document, &array);
    rt_mongo_put_text(document, "secret", webhook->secret);

    if (webhook->description.len) {
        rt_mongo_put_text(document, "description", webhook->description);
    } else {
        BSON_APPEND_NULL(document, "description");
    }

    BSON_APPEND_BOOL(document, "isActive", webhook->is_active);
    BSON_APPEND_DATE_TIME(document, "updatedAt", webhook->updated_at_ms);
}


static rt_status_t
rt_mongo_webhook_add(rt_store_session_t *session, const rt_webhook_t *webhook)
{
    bson_t document = BSON_INITIALIZER;

    rt_mongo_put_id(&document, "_id", webhook->id);
    rt_mongo_put_id(&document, "businessId", webhook->business_id);
    rt_mongo_webhook_put(&document, webhook);
    BSON_APPEND_DATE_TIME(&document, "createdAt", webhook->created_at_ms);

    return rt_mongo_insert_in((rt_mongo_t *) session, "webhooks", &document);
}


static rt_status_t
rt_mongo_webhook_change(rt_store_session_t *session, const rt_webhook_t *webhook)
{
    bson_t filter = BSON_INITIALIZER, set = BSON_INITIALIZER;

    rt_mongo_put_id(&filter, "_id", webhook->id);
    rt_mongo_webhook_put(&set, webhook);

    return rt_mongo_set_in((rt_mongo_t *) session, "webhooks", &filter, &set, NULL);
}


static rt_status_t
rt_mongo_webhook_remove(rt_store_session_t *session, const rt_webhook_t *webhook)
{
    bson_t               filter = BSON_INITIALIZER;
    rt_mongo_t          *db = (rt_mongo_t *) session;
    rt_status_t          status;
    bson_error_t         error;
    mongoc_collection_t *collection;

    if (!rt_mongo_alive(db)) {
        bson_destroy(&filter);
        return RT_UNAVAILABLE;
    }

    status = RT_OK;
    rt_mongo_put_id(&filter, "_id", webhook->id);
    collection = rt_mongo_webhooks(db, "webhooks");

    if (!mongoc_collection_delete_one(collection, &filter, NULL, NULL, &error)) {
        status = rt_mongo_failed(db, &error);
    }

    mongoc_collection_destroy(collection);
    bson_destroy(&filter);

    return status;
}


static rt_status_t
rt_mongo_webhook_get(rt_store_session_t *session, rt_arena_t *arena, rt_str_t business_id,
    rt_str_t id, rt_webhook_t **out)
{
    bson_t            filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    rt_status_t       status;
    rt_mongo_gather_t rows = {.arena = arena, .size = sizeof(rt_webhook_t)};

    rt_mongo_put_either(&filter, "_id", id);

    if (business_id.len) {
        rt_mongo_put_either(&filter, "businessId", business_id);
    }

    status = rt_mongo_find_in((rt_mongo_t *) session, "webhooks", &filter, &options,
        rt_mongo_on_webhook, &rows);
    *out = rows.count ? (rt_webhook_t *) rows.rows : NULL;

    return status;
}


static rt_status_t
rt_mongo_webhook_list(rt_store_session_t *session, rt_arena_t *arena, rt_str_t business_id,
    rt_webhook_list_t *out)
{
    bson_t            filter = BSON_INITIALIZER, options = BSON_INITIALIZER, sort;
    rt_status_t       status;
    rt_mongo_gather_t rows = {.arena = arena, .size = sizeof(rt_webhook_t)};

    if (business_id.len) {
        rt_mongo_put_either(&filter, "businessId", business_id);
        bson_append_document_begin(&options, "sort", -1, &sort);
        BSON_APPEND_INT32(&sort, "_id", 1);
        bson_append_document_end(&options, &sort);
    } else {
        BSON_APPEND_BOOL(&filter, "isActive", true);
    }

    status = rt_mongo_find_in((rt_mongo_t *) session, "webhooks", &filter, &options,
        rt_mongo_on_webhook, &rows);
    out->rows = (rt_webhook_t *) rows.rows;
    out->count = rows.count;

    return status;
}


static rt_status_t
rt_mongo_delivery_add(rt_mongo_t *db, const rt_delivery_t *row)
{
    bson_t      document = BSON_INITIALIZER;
    rt_status_t status;

    rt_mongo_put_id(&document, "_id", row->id);
    rt_mongo_put_id(&document, "webhookId", row->webhook_id);
    rt_mongo_put_id(&document, "businessId", row->business_id);
    BSON_APPEND_UTF8(&document, "event", rt_webhook_event_names[row->event]);
    rt_mongo_put_id(&document, "objectId", row->object_id);
    rt_mongo_put_text(&document, "payload", row->payload);
    BSON_APPEND_INT64(&document, "attempts", 0);
    BSON_APPEND_DATE_TIME(&document, "nextAt", row->created_at_ms);
    BSON_APPEND_UTF8(&document, "status", rt_delivery_status_names[RT_DELIVERY_PENDING]);
    BSON_APPEND_DATE_TIME(&document, "createdAt", row->created_at_ms);

    status = rt_mongo_insert_in(db, "webhookdeliveries", &document);

    return status == RT_CONFLICT ? RT_OK : status;
}


static rt_status_t
rt_mongo_delivery_queue(rt_store_session_t *session, const rt_delivery_t *rows, size_t count)
{
    size_t      i;
    rt_status_t status;

    status = RT_OK;

    for (i = 0; i < count && status == RT_OK; i++) {
        status = rt_mongo_delivery_add((rt_mongo_t *) session, &rows[i]);
    }

    return status;
}


static void
rt_mongo_put_pending(bson_t *filter)
{
    BSON_APPEND_UTF8(filter, "status", rt_delivery_status_names[RT_DELIVERY_PENDING]);
}


static rt_status_t
rt_mongo_delivery_pending(rt_store_session_t *session, rt_str_t business_id, int64_t max,
    int64_t *out)
{
    bson_t filter = BSON_INITIALIZER;

    rt_mongo_put_pending(&filter);
    rt_mongo_put_either(&filter, "businessId", business_id);

    return rt_mongo_count_in((rt_mongo_t *) session, "webhookdeliveries", &filter, max, out);
}


static void
rt_mongo_put_due(bson_t *filter, int64_t now_ms)
{
    bson_t until;

    rt_mongo_put_pending(filter);
    bson_append_document_begin(filter, "nextAt", -1, &until);
    BSON_APPEND_DATE_TIME(&until, "$lte", now_ms);
    bson_append_document_end(filter, &until);
}


static rt_status_t
rt_mongo_delivery_due(rt_store_session_t *session, int64_t now_ms, int *out)
{
    bson_t      filter = BSON_INITIALIZER;
    int64_t     count;
    rt_status_t status;

    rt_mongo_put_due(&filter, now_ms);
    status = rt_mongo_count_in((rt_mongo_t *) session, "webhookdeliveries", &filter, 1, &count);
    *out = count > 0;

    return status;
}


/* Takes one. *found: 0 when there is none. */
static rt_status_t
rt_mongo_delivery_take(rt_mongo_t *db, mongoc_collection_t *collection, const bson_t *filter,
    mongoc_find_and_modify_opts_t *options, rt_mongo_gather_t *rows, int *found)
{
    bson_t         reply, inner;
    uint32_t       len;
    bson_iter_t    iter;
    rt_status_t    status;
    bson_error_t   error;
    const uint8_t *data;

    *found = 0;

    if (!rt_mongo_alive(db)) {
        return RT_UNAVAILABLE;
    }

    status = RT_OK;

    if (!mongoc_collection_find_and_modify_with_opts(collection, filter, options, &reply, &error)) {
        status = rt_mongo_failed(db, &error);

    } else if (bson_iter_init_find(&iter, &reply, "value") && BSON_ITER_HOLDS_DOCUMENT(&iter)) {
        bson_iter_document(&iter, &len, &data);

        if (bson_init_static(&inner, data, len)) {
            *found = 1;
            status = rt_mongo_on_delivery(rows, &inner);
        }
    }

    bson_destroy(&reply);

    return status;
}


static void
rt_mongo_claim_options(mongoc_find_and_modify_opts_t *options, int64_t now_ms)
{
    bson_t update = BSON_INITIALIZER, sort = BSON_INITIALIZER, part;

    bson_append_document_begin(&update, "$set", -1, &part);
    BSON_APPEND_DATE_TIME(&part, "nextAt", now_ms + RT_WEBHOOK_LEASE_MS);
    bson_append_document_end(&update, &part);
    bson_append_document_begin(&update, "$inc", -1, &part);
    BSON_APPEND_INT64(&part, "attempts", 1);
    bson_append_document_end(&update, &part);
    BSON_APPEND_INT32(&sort, "nextAt", 1);

    mongoc_find_and_modify_opts_set_update(options, &update);
    mongoc_find_and_modify_opts_set_sort(options, &sort);
    mongoc_find_and_modify_opts_set_flags(options, MONGOC_FIND_AND_MODIFY_RETURN_NEW);
    bson_destroy(&update);
    bson_destroy(&sort);
}


static void
rt_mongo_put_except(bson_t *filter, const rt_str_t *except, size_t count)
{
    char        buf[16];
    bson_t      condition, array;
    size_t      i;
    const char *key;

    bson_append_document_begin(filter, "webhookId", -1, &condition);
    bson_append_array_begin(&condition, "$nin", -1, &array);

    for (i = 0; i < count; i++) {
        bson_uint32_to_string((uint32_t) i, &key, buf, sizeof(buf));
        rt_mongo_put_id(&array, key, except[i]);
    }

    bson_append_array_end(&condition, &array);
    bson_append_document_end(filter, &condition);
}


static rt_status_t
rt_mongo_delivery_claim(rt_store_session_t *session, rt_arena_t *arena, int64_t now_ms,
    int64_t limit, const rt_str_t *except, size_t except_count, rt_delivery_list_t *out)
{
    int                            found;
    bson_t                         filter = BSON_INITIALIZER;
    rt_mongo_t                    *db = (rt_mongo_t *) session;
    rt_status_t                    status;
    rt_mongo_gather_t              rows = {.arena = arena, .size = sizeof(rt_delivery_t)};
    mongoc_collection_t           *collection;
    mongoc_find_and_modify_opts_t *options;

    rt_mongo_put_due(&filter, now_ms);

    if (except_count) {
        rt_mongo_put_except(&filter, except, except_count);
    }

    options = mongoc_find_and_modify_opts_new();
    rt_mongo_claim_options(options, now_ms);
    collection = rt_mongo_webhooks(db, "webhookdeliveries");

    do {
        status = rt_mongo_delivery_take(db, collection, &filter, options, &rows, &found);
    } while (status == RT_OK && found && (int64_t) rows.count < limit);

    mongoc_collection_destroy(collection);
    mongoc_find_and_modify_opts_destroy(options);
    bson_destroy(&filter);

    /* those that were taken before it failed are sent all the same */
    out->rows = (rt_delivery_t *) rows.rows;
    out->count = rows.count;

    return rows.count && status == RT_UNAVAILABLE ? RT_OK : status;
}


static rt_status_t
rt_mongo_delivery_settle(rt_store_session_t *session, const rt_delivery_t *row, int64_t claimed)
{
    bson_t filter = BSON_INITIALIZER, set = BSON_INITIALIZER;

    rt_mongo_put_id(&filter, "_id", row->id);
    rt_mongo_put_pending(&filter);
    BSON_APPEND_INT64(&filter, "attempts", claimed);

    BSON_APPEND_INT64(&set, "attempts", row->attempts);
    BSON_APPEND_DATE_TIME(&set, "nextAt", row->next_at_ms);
    BSON_APPEND_UTF8(&set, "status", rt_delivery_status_names[row->status]);
    BSON_APPEND_INT64(&set, "lastStatus", row->last_status);

    if (row->last_error.len) {
        rt_mongo_put_text(&set, "lastError", row->last_error);
    } else {
        BSON_APPEND_NULL(&set, "lastError");
    }

    if (row->delivered_at_ms) {
        BSON_APPEND_DATE_TIME(&set, "deliveredAt", row->delivered_at_ms);
    }

    return rt_mongo_set_in((rt_mongo_t *) session, "webhookdeliveries", &filter, &set, NULL);
}


static rt_status_t
rt_mongo_deliveries_list(rt_store_session_t *session, rt_arena_t *arena,
    const rt_delivery_query_t *query, rt_delivery_list_t *out)
{
    bson_t            filter = BSON_INITIALIZER, count, options = BSON_INITIALIZER, sort;
    rt_status_t       status;
    rt_mongo_gather_t rows = {.arena = arena, .size = sizeof(rt_delivery_t)};

    rt_mongo_put_id(&filter, "webhookId", query->webhook_id);

    if (query->status != -1) {
        BSON_APPEND_UTF8(&filter, "status", rt_delivery_status_names[query->status]);
    }

    bson_copy_to(&filter, &count);
    status = rt_mongo_count_in((rt_mongo_t *) session, "webhookdeliveries", &count, 0, &out->total);

    if (status != RT_OK) {
        bson_destroy(&filter);
        bson_destroy(&options);
        return status;
    }

    bson_append_document_begin(&options, "sort", -1, &sort);
    BSON_APPEND_INT32(&sort, "_id", -1);
    bson_append_document_end(&options, &sort);
    BSON_APPEND_INT64(&options, "skip", query->offset);
    BSON_APPEND_INT64(&options, "limit", query->limit);

    status = rt_mongo_find_in((rt_mongo_t *) session, "webhookdeliveries", &filter, &options,
        rt_mongo_on_delivery, &rows);
    out->rows = (rt_delivery_t *) rows.rows;
    out->count = rows.count;

    return status;
}


static rt_status_t
rt_mongo_delivery_retry(rt_store_session_t *session, rt_str_t webhook_id, rt_str_t id,
    int64_t now_ms)
{
    bson_t      filter = BSON_INITIALIZER, set = BSON_INITIALIZER;
    int64_t     matched;
    rt_status_t status;

    matched = 0;
    rt_mongo_put_either(&filter, "_id", id);
    rt_mongo_put_id(&filter, "webhookId", webhook_id);
    rt_mongo_put_pending(&set);
    BSON_APPEND_INT64(&set, "attempts", 0);
    BSON_APPEND_DATE_TIME(&set, "nextAt", now_ms);
    BSON_APPEND_NULL(&set, "deliveredAt");

    status = rt_mongo_set_in((rt_mongo_t *) session, "webhookdeliveries", &filter, &set, &matched);

    return status == RT_OK && matched == 0 ? RT_NOT_FOUND : status;
}


static rt_status_t
rt_mongo_delivery_sweep(rt_store_session_t *session, int64_t before_ms, int64_t limit,
    int64_t *removed)
{
    bson_t               filter = BSON_INITIALIZER;
    rt_mongo_t          *db = (rt_mongo_t *) session;
    rt_status_t          status;
    mongoc_collection_t *collection;

    BCON_APPEND(&filter, "createdAt", "{", "$lt", BCON_DATE_TIME(before_ms), "}", "status", "{",
        "$ne", BCON_UTF8(rt_delivery_status_names[RT_DELIVERY_PENDING]), "}");
    collection = rt_mongo_webhooks(db, "webhookdeliveries");
    status = rt_mongo_delete_oldest(db, collection, &filter, limit, removed);
    mongoc_collection_destroy(collection);
    bson_destroy(&filter);

    return status;
}


const rt_store_webhook_ops_t rt_store_mongo_webhooks = {
    .add = rt_mongo_webhook_add,
    .get = rt_mongo_webhook_get,
    .list = rt_mongo_webhook_list,
    .change = rt_mongo_webhook_change,
    .remove = rt_mongo_webhook_remove,
    .queue = rt_mongo_delivery_queue,
    .pending = rt_mongo_delivery_pending,
    .due = rt_mongo_delivery_due,
    .claim = rt_mongo_delivery_claim,
    .settle = rt_mongo_delivery_settle,
    .deliveries_list = rt_mongo_deliveries_list,
    .retry = rt_mongo_delivery_retry,
    .sweep = rt_mongo_delivery_sweep,
};
