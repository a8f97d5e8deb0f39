/* Commands of a session and what becomes of their errors. */

#include <string.h>

#include <rt/rt_text.h>

#include "store/rt_store_mongo.h"


/* What fails sooner has met a broken connection; what fails later, a server that hangs. */
#define RT_MONGO_BROKEN_MS 500

/* The server's codes that we look at. */
#define RT_MONGO_DUPLICATE_KEY 11000
#define RT_MONGO_FIRST_OF_PLAN 17280


int
rt_mongo_alive(rt_mongo_t *db)
{
    return !db->lost && atomic_load(&db->store->state) != RT_MONGO_DOWN;
}


int
rt_mongo_is_duplicate(const bson_error_t *error)
{
    return error->domain == MONGOC_ERROR_SERVER && error->code == RT_MONGO_DUPLICATE_KEY;
}


/* A command that the server does not take is a fault of ours, or of data that we met. */
static int
rt_mongo_is_fault(const bson_error_t *error)
{
    size_t i;

    static const uint32_t codes[] = {
        2,  /* BadValue */
        9,  /* FailedToParse */
        14, /* TypeMismatch */
        28, /* PathNotViable */
        40, /* ConflictingUpdateOperators */
        52, /* DollarPrefixedFieldName */
        55, /* InvalidDBRef */
        57, /* DottedFieldName */
        66, /* ImmutableField */
        RT_MONGO_DUPLICATE_KEY,
        121, /* DocumentValidationFailure */
        RT_MONGO_FIRST_OF_PLAN,
    };

    if (error->domain == MONGOC_ERROR_BSON) {
        return 1;
    }

    for (i = 0; error->domain == MONGOC_ERROR_SERVER && i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i] == error->code) {
            return 1;
        }
    }

    return 0;
}


rt_status_t
rt_mongo_failed(rt_mongo_t *db, const bson_error_t *error)
{
    int  code;
    char text[RT_ERROR_TEXT_MAX];

    db->failed = 1;

    if (error->domain != MONGOC_ERROR_SERVER && error->domain != MONGOC_ERROR_WRITE_CONCERN
        && error->domain != MONGOC_ERROR_BSON)
    {
        db->lost = 1;
    }

    code = (int) error->code ? (int) error->code : -1;

    /* that no primary answers is told by the heartbeats */
    if (error->domain != MONGOC_ERROR_SERVER_SELECTION
        && atomic_load(&db->store->state) == RT_MONGO_UP
        && atomic_exchange(&db->store->trouble, code) != code)
    {
        rt_log_escape(text, sizeof(text), rt_str_c(error->message));
        rt_log(&db->store->log, RT_LOG_ERROR, "mongodb: %s (%d)", text, code);
    }

    return rt_mongo_is_fault(error) ? RT_ERROR : RT_UNAVAILABLE;
}


/* What is read, and how. */
typedef struct {
    mongoc_collection_t *collection;
    const bson_t        *query;
    const bson_t        *options;
    int                  is_pipeline;
    rt_mongo_row_pt      each;
    void                *data;
    size_t               rows;
} rt_mongo_reading_t;


/* RT_AGAIN: *error says what failed. */
static rt_status_t
rt_mongo_read_once(rt_mongo_reading_t *reading, bson_error_t *error)
{
    rt_status_t      status;
    const bson_t    *document;
    mongoc_cursor_t *cursor;

    if (reading->is_pipeline) {
        cursor = mongoc_collection_aggregate(reading->collection, MONGOC_QUERY_NONE, reading->query,
            reading->options, NULL);
    } else {
        cursor = mongoc_collection_find_with_opts(reading->collection, reading->query,
            reading->options, NULL);
    }

    status = RT_OK;

    while (status == RT_OK && mongoc_cursor_next(cursor, &document)) {
        reading->rows++;
        status = reading->each(reading->data, document);
    }

    if (status == RT_OK && mongoc_cursor_error(cursor, error)) {
        status = RT_AGAIN;
    }

    mongoc_cursor_destroy(cursor);

    return status;
}


/* A connection that is found broken is no reason to fail: it is tried again on a new one. A server
 * that did not answer in time is not asked twice, as libmongoc's retryable reads would. */
static rt_status_t
rt_mongo_read_documents(rt_mongo_t *db, rt_mongo_reading_t *reading)
{
    int64_t      began_ms;
    rt_status_t  status;
    bson_error_t error;

    if (!rt_mongo_alive(db)) {
        return RT_UNAVAILABLE;
    }

    memset(&error, 0, sizeof(error));
    began_ms = rt_time_now_ms();
    status = rt_mongo_read_once(reading, &error);

    if (status == RT_AGAIN && error.domain == MONGOC_ERROR_STREAM && reading->rows == 0
        && rt_time_now_ms() - began_ms < RT_MONGO_BROKEN_MS)
    {
        status = rt_mongo_read_once(reading, &error);
    }

    return status == RT_AGAIN ? rt_mongo_failed(db, &error) : status;
}


rt_status_t
rt_mongo_find(rt_mongo_t *db, mongoc_collection_t *collection, const bson_t *filter,
    bson_t *options, rt_mongo_row_pt each, void *data)
{
    rt_mongo_reading_t reading = {collection, filter, options, 0, each, data, 0};

    BSON_APPEND_INT64(options, "maxTimeMS", RT_MONGO_READ_MS);

    return rt_mongo_read_documents(db, &reading);
}


rt_status_t
rt_mongo_aggregate(rt_mongo_t *db, mongoc_collection_t *collection, const bson_t *pipeline,
    rt_mongo_row_pt each, void *data)
{
    bson_t             options = BSON_INITIALIZER;
    rt_status_t        status;
    rt_mongo_reading_t reading = {collection, pipeline, &options, 1, each, data, 0};

    BSON_APPEND_INT64(&options, "maxTimeMS", RT_MONGO_READ_MS);
    status = rt_mongo_read_documents(db, &reading);
    bson_destroy(&options);

    return status;
}


rt_status_t
rt_mongo_update(rt_mongo_t *db, mongoc_collection_t *collection, int many, const bson_t *filter,
    const bson_t *update, int64_t *matched)
{
    int          done;
    bson_t       reply;
    bson_iter_t  iter;
    rt_status_t  status;
    bson_error_t error;

    if (!rt_mongo_alive(db)) {
        return RT_UNAVAILABLE;
    }

    if (many) {
        done = mongoc_collection_update_many(collection, filter, update, NULL, &reply, &error);
    } else {
        done = mongoc_collection_update_one(collection, filter, update, NULL, &reply, &error);
    }

    status = RT_OK;

    if (!done) {
        status = rt_mongo_is_duplicate(&error) ? RT_CONFLICT : rt_mongo_failed(db, &error);

    } else if (matched != NULL) {
        *matched = bson_iter_init_find(&iter, &reply, many ? "modifiedCount" : "matchedCount")
            ? bson_iter_as_int64(&iter)
            : 0;
    }

    bson_destroy(&reply);

    return status;
}


rt_status_t
rt_mongo_find_in(rt_mongo_t *db, const char *name, bson_t *filter, bson_t *options,
    rt_mongo_row_pt each, void *data)
{
    rt_status_t          status;
    mongoc_collection_t *collection;

    collection = mongoc_client_get_collection(db->client, db->store->database, name);
    status = rt_mongo_find(db, collection, filter, options, each, data);
    mongoc_collection_destroy(collection);
    bson_destroy(filter);
    bson_destroy(options);

    return status;
}


rt_status_t
rt_mongo_count_in(rt_mongo_t *db, const char *name, bson_t *filter, int64_t limit, int64_t *out)
{
    bson_t               options = BSON_INITIALIZER;
    rt_status_t          status;
    bson_error_t         error;
    mongoc_collection_t *collection;

    status = RT_UNAVAILABLE;
    *out = 0;

    if (limit) {
        BSON_APPEND_INT64(&options, "limit", limit);
    }

    BSON_APPEND_INT64(&options, "maxTimeMS", RT_MONGO_READ_MS);
    collection = mongoc_client_get_collection(db->client, db->store->database, name);

    if (rt_mongo_alive(db)) {
        *out = mongoc_collection_count_documents(collection, filter, &options, NULL, NULL, &error);
        status = *out < 0 ? rt_mongo_failed(db, &error) : RT_OK;
    }

    mongoc_collection_destroy(collection);
    bson_destroy(filter);
    bson_destroy(&options);

    return status;
}


rt_status_t
rt_mongo_insert_in(rt_mongo_t *db, const char *name, bson_t *document)
{
    rt_status_t          status;
    bson_error_t         error;
    mongoc_collection_t *collection;

    if (!rt_mongo_alive(db)) {
        bson_destroy(document);
        return RT_UNAVAILABLE;
    }

    status = RT_OK;
    collection = mongoc_client_get_collection(db->client, db->store->database, name);

    if (!mongoc_collection_insert_one(collection, document, NULL, NULL, &error)) {
        status = rt_mongo_is_duplicate(&error) ? RT_CONFLICT : rt_mongo_failed(db, &error);
    }

    mongoc_collection_destroy(collection);
    bson_destroy(document);

    return status;
}


rt_status_t
rt_mongo_update_in(rt_mongo_t *db, const char *name, bson_t *filter, bson_t *update,
    int64_t *matched)
{
    rt_status_t          status;
    mongoc_collection_t *collection;

    collection = mongoc_client_get_collection(db->client, db->store->database, name);
    status = rt_mongo_update(db, collection, 0, filter, update, matched);
    mongoc_collection_destroy(collection);
    bson_destroy(filter);
    bson_destroy(update);

    return status;
}


rt_status_t
rt_mongo_set_in(rt_mongo_t *db, const char *name, bson_t *filter, bson_t *set, int64_t *matched)
{
    bson_t update = BSON_INITIALIZER;

    BSON_APPEND_DOCUMENT(&update, "$set", set);
    bson_destroy(set);

    return rt_mongo_update_in(db, name, filter, &update, matched);
}


void *
rt_mongo_gather_next(rt_mongo_gather_t *rows)
{
    char *grown;

    if (rows->count == rows->room) {
        rows->room = rows->room ? rows->room * 2 : 16;
        grown = rt_arena_calloc(rows->arena, rows->room * rows->size);

        if (grown == NULL) {
            return NULL;
        }

        if (rows->count) {
            memcpy(grown, rows->rows, rows->count * rows->size);
        }

        rows->rows = grown;
    }

    return rows->rows + rows->count++ * rows->size;
}
