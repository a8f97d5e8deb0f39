/* The indexes, made at start. Those that are there already cost a moment.
 *
 * Each has a reason that the server's own rules or a list of rooms gives; a room's update, which
 * comes with every message, touches only the first of the lists'. */

#include <string.h>

#include <rt/rt_text.h>

#include "store/rt_store_mongo.h"


#define RT_MONGO_OPTIONS_CONFLICT 85
#define RT_MONGO_NAMES_CONFLICT   86

typedef struct {
    const char *collection;
    const char *key;
    const char *name;
    const char *partial; /* only documents that match it, or NULL */
    int         unique;  /* what must not happen twice hangs on it: nothing is written without */
} rt_mongo_index_t;

static const rt_mongo_index_t rt_mongo_indexes[] = {
    /* one open room of its kind */
    {"chatrooms", "{\"openKey\":1}", "openKey_1", "{\"openKey\":{\"$exists\":true}}", 1},
    /* one message at each place of a room */
    {"chatmessages", "{\"roomId\":1,\"seq\":1}", "roomId_1_seq_1", "{\"seq\":{\"$exists\":true}}",
        1},
    /* a message that is sent again */
    {"chatmessages", "{\"roomId\":1,\"senderId\":1,\"clientMessageId\":1}",
        "roomId_1_senderId_1_clientMessageId_1", "{\"clientMessageId\":{\"$exists\":true}}", 1},
    /* messages that others wrote, without a place: of a room, and of late */
    {"chatmessages", "{\"roomId\":1,\"createdAt\":1}", "roomId_1_createdAt_1_unnumbered",
        "{\"seq\":null}", 0},
    {"chatmessages", "{\"createdAt\":1}", "createdAt_1_unnumbered", "{\"seq\":null}", 0},
    /* a business's rooms, the newest first; those with unread messages; a customer's rooms */
    {"chatrooms", "{\"businessId\":1,\"lastMessageAt\":-1,\"_id\":-1}",
        "businessId_1_lastMessageAt_-1__id_-1", NULL, 0},
    {"chatrooms", "{\"businessId\":1}", "businessId_1_unread", "{\"unreadCount\":{\"$gt\":0}}", 0},
    {"chatrooms", "{\"metadata.userId\":1}", "metadata.userId_1_known",
        "{\"metadata.userId\":{\"$exists\":true}}", 0},
    /* rooms that wait for the assistant */
    {"chatrooms", "{\"assistantDueAt\":1}", "assistantDueAt_1",
        "{\"assistantDueAt\":{\"$exists\":true}}", 0},
    /* one notification at each place of a stream; an event that is raised again */
    {"notifications", "{\"stream\":1,\"seq\":1}", "stream_1_seq_1", NULL, 1},
    {"notifications", "{\"businessId\":1,\"eventKey\":1}", "businessId_1_eventKey_1",
        "{\"eventKey\":{\"$exists\":true}}", 1},
    /* a list, the newest first; what is unread; what is old */
    {"notifications", "{\"stream\":1,\"createdAt\":-1,\"_id\":-1}", "stream_1_createdAt_-1__id_-1",
        NULL, 0},
    {"notifications", "{\"stream\":1}", "stream_1_unread", "{\"isRead\":false}", 0},
    {"notifications", "{\"createdAt\":1}", "createdAt_1", NULL, 0},
    /* what the version of a business's FAQs and responses is made of; what nobody answered */
    {"faqs", "{\"businessId\":1,\"updatedAt\":1,\"revision\":1}",
        "businessId_1_updatedAt_1_revision_1", NULL, 0},
    {"autoresponses", "{\"businessId\":1,\"updatedAt\":1,\"revision\":1}",
        "businessId_1_updatedAt_1_revision_1", NULL, 0},
    {"unansweredquestions", "{\"businessId\":1,\"createdAt\":-1}", "businessId_1_createdAt_-1",
        NULL, 0},
    {"unansweredquestions", "{\"createdAt\":1}", "createdAt_1", NULL, 0},
    /* a delivery is queued once; the webhooks of a business; what is due, what waits, the log, what
     * is old */
    {"webhookdeliveries", "{\"webhookId\":1,\"event\":1,\"objectId\":1}",
        "webhookId_1_event_1_objectId_1", NULL, 1},
    {"webhooks", "{\"businessId\":1}", "businessId_1", NULL, 0},
    {"webhookdeliveries", "{\"nextAt\":1}", "nextAt_1_pending", "{\"status\":\"pending\"}", 0},
    {"webhookdeliveries", "{\"businessId\":1}", "businessId_1_pending", "{\"status\":\"pending\"}",
        0},
    {"webhookdeliveries", "{\"webhookId\":1,\"_id\":-1}", "webhookId_1__id_-1", NULL, 0},
    {"webhookdeliveries", "{\"createdAt\":1}", "createdAt_1", NULL, 0},
};

#define RT_MONGO_INDEXES (sizeof(rt_mongo_indexes) / sizeof(rt_mongo_indexes[0]))


static void
rt_mongo_put_literal(bson_t *document, const char *name, const char *json)
{
    bson_t value;

    /* a constant of this file */
    if (bson_init_from_json(&value, json, -1, NULL)) {
        BSON_APPEND_DOCUMENT(document, name, &value);
        bson_destroy(&value);
    }
}


static int
rt_mongo_index_create(rt_mongo_store_t *store, mongoc_client_t *client,
    const rt_mongo_index_t *index, bson_error_t *error)
{
    int    made;
    bson_t command = BSON_INITIALIZER, array, one;

    BSON_APPEND_UTF8(&command, "createIndexes", index->collection);
    bson_append_array_begin(&command, "indexes", -1, &array);
    bson_append_document_begin(&array, "0", -1, &one);
    rt_mongo_put_literal(&one, "key", index->key);
    BSON_APPEND_UTF8(&one, "name", index->name);

    if (index->partial != NULL) {
        rt_mongo_put_literal(&one, "partialFilterExpression", index->partial);
    }

    if (index->unique) {
        BSON_APPEND_BOOL(&one, "unique", true);
    }

    bson_append_document_end(&array, &one);
    bson_append_array_end(&command, &array);

    made =
        mongoc_client_write_command_with_opts(client, store->database, &command, NULL, NULL, error);
    bson_destroy(&command);

    return made;
}


/* 1: the index that the collection has does what ours would, under another name. */
static int
rt_mongo_index_equals(const bson_t *found, const rt_mongo_index_t *index)
{
    int         same;
    bson_t      wanted = BSON_INITIALIZER, has = BSON_INITIALIZER;
    bson_iter_t iter;

    rt_mongo_put_literal(&wanted, "key", index->key);
    BSON_APPEND_BOOL(&wanted, "unique", index->unique);

    if (index->partial != NULL) {
        rt_mongo_put_literal(&wanted, "partialFilterExpression", index->partial);
    }

    if (bson_iter_init_find(&iter, found, "key")) {
        bson_append_iter(&has, "key", -1, &iter);
    }

    same = bson_iter_init_find(&iter, found, "unique") && bson_iter_as_bool(&iter);
    BSON_APPEND_BOOL(&has, "unique", same);

    if (bson_iter_init_find(&iter, found, "partialFilterExpression")) {
        bson_append_iter(&has, "partialFilterExpression", -1, &iter);
    }

    same = bson_equal(&wanted, &has) && !bson_has_field(found, "sparse")
        && !bson_has_field(found, "collation");
    bson_destroy(&wanted);
    bson_destroy(&has);

    return same;
}


static int
rt_mongo_index_exists(rt_mongo_store_t *store, mongoc_client_t *client,
    const rt_mongo_index_t *index)
{
    int                  exists;
    const bson_t        *found;
    mongoc_cursor_t     *cursor;
    mongoc_collection_t *collection;

    exists = 0;
    collection = mongoc_client_get_collection(client, store->database, index->collection);
    cursor = mongoc_collection_find_indexes_with_opts(collection, NULL);

    while (!exists && mongoc_cursor_next(cursor, &found)) {
        exists = rt_mongo_index_equals(found, index);
    }

    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(collection);

    return exists;
}


/* The server is between two primaries, or has no time just now. */
static int
rt_mongo_index_later(const bson_error_t *error)
{
    size_t i;

    static const uint32_t codes[] = {
        24,    /* LockTimeout */
        91,    /* ShutdownInProgress */
        112,   /* WriteConflict */
        189,   /* PrimarySteppedDown */
        262,   /* ExceededTimeLimit */
        276,   /* IndexBuildAborted */
        10107, /* NotWritablePrimary */
        11600, /* InterruptedAtShutdown */
        11602, /* InterruptedDueToReplStateChange */
        13435, /* NotPrimaryNoSecondaryOk */
    };

    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i] == error->code) {
            return 1;
        }
    }

    return error->domain != MONGOC_ERROR_SERVER;
}


static void
rt_mongo_index_refused(rt_mongo_store_t *store, const rt_mongo_index_t *index,
    const bson_error_t *error)
{
    char text[RT_ERROR_TEXT_MAX];

    rt_log_escape(text, sizeof(text), rt_str_c(error->message));
    rt_log(&store->log, index->unique ? RT_LOG_ERROR : RT_LOG_WARN,
        "mongodb: the index %s of %s.%s can't be made, %s: %s (%u)", index->key, store->database,
        index->collection,
        index->unique ? "and nothing is written without it" : "lists may be slow", text,
        error->code);
}


rt_status_t
rt_mongo_index(rt_mongo_store_t *store, mongoc_client_t *client, unsigned *said)
{
    size_t                  i;
    rt_status_t             status;
    bson_error_t            error;
    const rt_mongo_index_t *index;

    status = RT_OK;

    for (i = 0; i < RT_MONGO_INDEXES; i++) {
        index = &rt_mongo_indexes[i];

        if (rt_mongo_index_create(store, client, index, &error)) {
            continue;
        }

        if (rt_mongo_index_later(&error)) {
            return RT_UNAVAILABLE;
        }

        if ((error.code == RT_MONGO_OPTIONS_CONFLICT || error.code == RT_MONGO_NAMES_CONFLICT)
            && rt_mongo_index_exists(store, client, index))
        {
            continue;
        }

        if ((*said & 1u << i) == 0) {
            rt_mongo_index_refused(store, index, &error);
            *said |= 1u << i;
        }

        if (index->unique) {
            status = RT_CONFLICT;
        }
    }

    return status;
}
