/* What others write into auditlogs, by a change stream.
 *
 * It is looked at now and then, not kept open: sessions end, and with them their client. Each look
 * goes on from the resume token that the last one has left in realtimestate, where also stands who
 * looks: a lease, judged by the hosts' clocks. If these differ much two may look at the same time,
 * and both find the same; what is stored twice is known by its key. Without news a token is stored
 * only now and then: whoever looks knows a newer one, or each look would read the oplog since.
 *
 * Resume tokens that come without an event need MongoDB 4.2. */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <rt/rt_text.h>

#include "store/rt_store_mongo_notify.h"


#define RT_MONGO_STATE       "realtimestate"
#define RT_MONGO_STATE_AUDIT "auditlogs"
#define RT_MONGO_AWAIT_MS    1
#define RT_MONGO_TOKEN_MS    10000 /* a token without events is renewed: old ones leave the oplog */

/* What the last look has left. */
typedef struct {
    rt_str_t token; /* as JSON */
    int64_t  token_at_ms;
} rt_mongo_state_row_t;


/* {_id, $or: [{owner}, {until: {$lt: now}}]} */
static void
rt_mongo_lease_query(bson_t *query, rt_str_t owner)
{
    bson_t either, one, less;

    BSON_APPEND_UTF8(query, "_id", RT_MONGO_STATE_AUDIT);
    BSON_APPEND_ARRAY_BEGIN(query, "$or", &either);
    BSON_APPEND_DOCUMENT_BEGIN(&either, "0", &one);
    rt_mongo_put_text(&one, "owner", owner);
    bson_append_document_end(&either, &one);
    BSON_APPEND_DOCUMENT_BEGIN(&either, "1", &one);
    BSON_APPEND_DOCUMENT_BEGIN(&one, "until", &less);
    BSON_APPEND_DATE_TIME(&less, "$lt", rt_time_now_ms());
    bson_append_document_end(&one, &less);
    bson_append_document_end(&either, &one);
    bson_append_array_end(query, &either);
}


/* *taken: 0 where somebody else has it; else *row is what the last look has left. */
static rt_status_t
rt_mongo_lease_answer(const bson_t *reply, rt_arena_t *arena, rt_mongo_state_row_t *row, int *taken)
{
    bson_t         value;
    uint32_t       len;
    bson_iter_t    iter;
    const uint8_t *data;

    const rt_mongo_field_t fields[] = {
        {"token", RT_MONGO_TEXT, offsetof(rt_mongo_state_row_t, token)},
        {"tokenAt", RT_MONGO_TIME, offsetof(rt_mongo_state_row_t, token_at_ms)},
        {NULL, RT_MONGO_TEXT, 0},
    };

    if (!bson_iter_init_find(&iter, reply, "value") || !BSON_ITER_HOLDS_DOCUMENT(&iter)) {
        return RT_OK;
    }

    *taken = 1;
    bson_iter_document(&iter, &len, &data);

    return bson_init_static(&value, data, len) ? rt_mongo_read(&value, fields, row, arena)
                                               : RT_ERROR;
}


/* An upsert beside another owner's document is refused as a duplicate. */
static rt_status_t
rt_mongo_lease(rt_mongo_t *db, rt_arena_t *arena, rt_str_t owner, int64_t lease_ms,
    rt_mongo_state_row_t *row, int *taken)
{
    bson_t                         query = BSON_INITIALIZER, update = BSON_INITIALIZER, set, reply;
    rt_status_t                    status;
    bson_error_t                   error;
    mongoc_collection_t           *states;
    mongoc_find_and_modify_opts_t *options;

    *taken = 0;

    if (!rt_mongo_alive(db)) {
        return RT_UNAVAILABLE;
    }

    rt_mongo_lease_query(&query, owner);
    BSON_APPEND_DOCUMENT_BEGIN(&update, "$set", &set);
    rt_mongo_put_text(&set, "owner", owner);
    BSON_APPEND_DATE_TIME(&set, "until", rt_time_now_ms() + lease_ms);
    bson_append_document_end(&update, &set);

    states = mongoc_client_get_collection(db->client, db->store->database, RT_MONGO_STATE);
    options = mongoc_find_and_modify_opts_new();
    mongoc_find_and_modify_opts_set_update(options, &update);
    mongoc_find_and_modify_opts_set_flags(options,
        MONGOC_FIND_AND_MODIFY_UPSERT | MONGOC_FIND_AND_MODIFY_RETURN_NEW);

    if (mongoc_collection_find_and_modify_with_opts(states, &query, options, &reply, &error)) {
        status = rt_mongo_lease_answer(&reply, arena, row, taken);
    } else {
        status = rt_mongo_is_duplicate(&error) ? RT_OK : rt_mongo_failed(db, &error);
    }

    bson_destroy(&reply);
    bson_destroy(&query);
    bson_destroy(&update);
    mongoc_find_and_modify_opts_destroy(options);
    mongoc_collection_destroy(states);

    return status;
}


/* Inserts that are not ours. NULL: the token is none. */
static mongoc_change_stream_t *
rt_mongo_changes_open(mongoc_collection_t *logs, rt_str_t token)
{
    bson_t                  options = BSON_INITIALIZER, after, *pipeline;
    mongoc_change_stream_t *stream;

    if (token.len) {
        if (!bson_init_from_json(&after, token.data, (ssize_t) token.len, NULL)) {
            bson_destroy(&options);
            return NULL;
        }

        BSON_APPEND_DOCUMENT(&options, "resumeAfter", &after);
        bson_destroy(&after);
    }

    BSON_APPEND_INT64(&options, "maxAwaitTimeMS", RT_MONGO_AWAIT_MS);
    pipeline = BCON_NEW("pipeline", "[", "{", "$match", "{", "operationType", "insert",
        "fullDocument.notificationId", "{", "$exists", BCON_BOOL(false), "}", "}", "}", "]");

    stream = mongoc_collection_watch(logs, pipeline, &options);
    bson_destroy(pipeline);
    bson_destroy(&options);

    return stream;
}


/* What the stream's end means. */
static rt_status_t
rt_mongo_changes_error(rt_mongo_t *db, const bson_error_t *error, rt_audit_changes_t *out)
{
    switch (error->code) {

    case 20:    /* IllegalOperation */
    case 40324: /* no such stage */
    case 40573: /* the stage is for replica sets only */
        out->off = "it is not a replica set";
        return RT_OK;

    case 13: /* Unauthorized */
        out->off = "the user may not watch auditlogs";
        return RT_OK;

    case 9: /* a token that is none: FailedToParse, Overflow, … */
    case 15:
    case 40647:
    case 136: /* CappedPositionLost */
    case 260: /* InvalidResumeToken */
    case 280: /* ChangeStreamFatalError */
    case 286: /* ChangeStreamHistoryLost */
        out->lost = 1;
        return RT_OK;

    default:
        return rt_mongo_failed(db, error);
    }
}


static rt_status_t
rt_mongo_changes_read(rt_mongo_t *db, rt_arena_t *arena, mongoc_change_stream_t *stream,
    size_t limit, rt_audit_changes_t *out)
{
    char             *json;
    rt_str_t         *row;
    rt_status_t       status;
    bson_error_t      error;
    const bson_t     *change, *token;
    rt_mongo_gather_t rows = {.arena = arena, .size = sizeof(rt_str_t)};

    const rt_mongo_field_t fields[] = {
        {"fullDocument", RT_MONGO_OBJECT, 0},
        {NULL, RT_MONGO_TEXT, 0},
    };

    status = RT_OK;

    while (rows.count < limit && mongoc_change_stream_next(stream, &change)) {
        row = rt_mongo_gather_next(&rows);
        status = row ? rt_mongo_read(change, fields, row, arena) : RT_NO_MEMORY;

        if (status != RT_OK) {
            return status;
        }
    }

    if (rows.count < limit && mongoc_change_stream_error_document(stream, &error, NULL)) {
        return rt_mongo_changes_error(db, &error, out);
    }

    out->documents = (rt_str_t *) (void *) rows.rows;
    out->count = rows.count;
    token = mongoc_change_stream_get_resume_token(stream);

    if (token != NULL) {
        json = bson_as_canonical_extended_json(token, NULL);
        out->token = json ? rt_arena_str(arena, rt_str_c(json)) : rt_str_null;
        bson_free(json);
        status = out->token.data ? RT_OK : RT_NO_MEMORY;
    }

    return status;
}


/* Where to go on: behind the last look of this process, unless somebody has stored another token
 * since. */
static rt_str_t
rt_mongo_changes_from(rt_mongo_store_t *store, rt_arena_t *arena, rt_str_t stored)
{
    rt_str_t token;

    token = stored;
    pthread_mutex_lock(&store->lock);

    if (store->audit_next != NULL && rt_str_eq(rt_str_c(store->audit_stored), stored)) {
        token = rt_arena_str(arena, rt_str_c(store->audit_next));
    }

    pthread_mutex_unlock(&store->lock);

    return token.data ? token : stored;
}


/* Without memory the next look reads some of it again. */
static void
rt_mongo_changes_keep(rt_mongo_store_t *store, rt_str_t stored, rt_str_t next)
{
    pthread_mutex_lock(&store->lock);

    free(store->audit_stored);
    free(store->audit_next);
    store->audit_next = NULL;
    store->audit_stored = stored.len && next.len ? strndup(stored.data, stored.len) : NULL;

    if (store->audit_stored != NULL) {
        store->audit_next = strndup(next.data, next.len);
    }

    pthread_mutex_unlock(&store->lock);
}


rt_status_t
rt_mongo_audit_changes(rt_store_session_t *session, rt_arena_t *arena, rt_str_t owner,
    int64_t lease_ms, size_t limit, rt_audit_changes_t *out)
{
    rt_mongo_t             *db = (rt_mongo_t *) session;
    rt_status_t             status;
    mongoc_collection_t    *logs;
    rt_mongo_state_row_t    state;
    mongoc_change_stream_t *stream;

    memset(out, 0, sizeof(rt_audit_changes_t));
    memset(&state, 0, sizeof(state));

    status = rt_mongo_lease(db, arena, owner, lease_ms, &state, &out->is_mine);
    if (status != RT_OK || !out->is_mine) {
        return status;
    }

    logs = mongoc_client_get_collection(db->client, db->store->database, "auditlogs");
    stream = rt_mongo_changes_open(logs, rt_mongo_changes_from(db->store, arena, state.token));

    if (stream != NULL) {
        status = rt_mongo_changes_read(db, arena, stream, limit, out);
        mongoc_change_stream_destroy(stream);
    } else {
        out->lost = 1;
    }

    mongoc_collection_destroy(logs);

    out->is_news = out->lost || out->count || state.token.len == 0
        || rt_time_now_ms() - state.token_at_ms > RT_MONGO_TOKEN_MS;

    if (status == RT_OK) {
        rt_mongo_changes_keep(db->store, state.token, out->is_news ? rt_str_null : out->token);
    }

    return status;
}


rt_status_t
rt_mongo_audit_done(rt_store_session_t *session, rt_str_t owner, rt_str_t token)
{
    bson_t filter = BSON_INITIALIZER, set = BSON_INITIALIZER;

    BSON_APPEND_UTF8(&filter, "_id", RT_MONGO_STATE_AUDIT);
    rt_mongo_put_text(&filter, "owner", owner);

    if (token.len) {
        rt_mongo_put_text(&set, "token", token);
    } else {
        BSON_APPEND_NULL(&set, "token");
    }

    BSON_APPEND_DATE_TIME(&set, "tokenAt", rt_time_now_ms());

    return rt_mongo_set_in((rt_mongo_t *) session, RT_MONGO_STATE, &filter, &set, NULL);
}
