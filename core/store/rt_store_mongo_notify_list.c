/* Reading notifications in MongoDB: what was missed, lists, read marks, and the end of old ones. */

#include <string.h>

#include <rt/rt_text.h>

#include "store/rt_store_mongo_notify.h"


static mongoc_collection_t *
rt_mongo_notifications(rt_mongo_t *db)
{
    return mongoc_client_get_collection(db->client, db->store->database, "notifications");
}


typedef struct {
    const rt_str_t *names;
    size_t          count;
    int64_t        *seqs;
    rt_arena_t     *arena;
} rt_mongo_counters_t;


static rt_status_t
rt_mongo_counter_row(void *data, const bson_t *document)
{
    size_t               i;
    rt_status_t          status;
    rt_mongo_counters_t *counters = data;

    struct {
        rt_str_t id;
        int64_t  seq;
    } read;

    const rt_mongo_field_t fields[] = {
        {"_id", RT_MONGO_TEXT, offsetof(__typeof__(read), id)},
        {"seq", RT_MONGO_INT, offsetof(__typeof__(read), seq)},
        {NULL, RT_MONGO_TEXT, 0},
    };

    memset(&read, 0, sizeof(read));
    status = rt_mongo_read(document, fields, &read, counters->arena);

    for (i = 0; i < counters->count && status == RT_OK; i++) {
        if (rt_str_eq(counters->names[i], read.id)) {
            counters->seqs[i] = read.seq;
        }
    }

    return status;
}


rt_status_t
rt_mongo_streams_get(rt_mongo_t *db, rt_arena_t *arena, const rt_str_t *names, size_t count,
    int64_t *seqs)
{
    char                 buf[16];
    size_t               i;
    bson_t               filter = BSON_INITIALIZER, options = BSON_INITIALIZER, in, array;
    const char          *key;
    rt_status_t          status;
    mongoc_collection_t *collection;
    rt_mongo_counters_t  counters = {names, count, seqs, arena};

    memset(seqs, 0, count * sizeof(int64_t));
    bson_append_document_begin(&filter, "_id", -1, &in);
    bson_append_array_begin(&in, "$in", -1, &array);

    for (i = 0; i < count; i++) {
        bson_uint32_to_string((uint32_t) i, &key, buf, sizeof(buf));
        rt_mongo_put_text(&array, key, names[i]);
    }

    bson_append_array_end(&in, &array);
    bson_append_document_end(&filter, &in);

    collection =
        mongoc_client_get_collection(db->client, db->store->database, "notificationstreams");
    status = rt_mongo_find(db, collection, &filter, &options, rt_mongo_counter_row, &counters);

    mongoc_collection_destroy(collection);
    bson_destroy(&filter);
    bson_destroy(&options);

    return status;
}


typedef struct {
    rt_mongo_t      *db;
    rt_arena_t      *arena;
    rt_notify_row_t *rows;
    size_t           count;
    size_t           size;
} rt_mongo_notify_rows_t;


static rt_status_t
rt_mongo_notify_row(void *data, const bson_t *document)
{
    rt_status_t             status;
    rt_mongo_notified_t     found;
    rt_mongo_notify_rows_t *rows = data;

    if (rows->count == rows->size) {
        return RT_OK;
    }

    status = rt_mongo_notify_read(rows->db, document, rows->arena, &found);

    if (status == RT_OK) {
        rows->rows[rows->count++] = found.row;
    }

    return status;
}


/* Nothing beyond the counter: it is told by who counts it. */
static rt_status_t
rt_mongo_notify_after_one(rt_mongo_t *db, rt_arena_t *arena, rt_notify_after_t *after,
    int64_t limit)
{
    bson_t                 filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    rt_status_t            status;
    mongoc_collection_t   *collection;
    rt_mongo_notify_rows_t rows = {.db = db, .arena = arena};

    if (limit > after->last_seq - after->after_seq) {
        limit = after->last_seq - after->after_seq; /* there are no holes */
    }

    rows.size = (size_t) limit;
    rows.rows = rt_arena_alloc(arena, rows.size * sizeof(rt_notify_row_t));
    if (rows.rows == NULL) {
        return RT_NO_MEMORY;
    }

    collection = rt_mongo_notifications(db);
    rt_mongo_put_text(&filter, "stream", after->stream);
    BCON_APPEND(&filter, "seq", "{", "$gt", BCON_INT64(after->after_seq), "$lte",
        BCON_INT64(after->last_seq), "}");
    BCON_APPEND(&options, "sort", "{", "seq", BCON_INT32(1), "}", "limit", BCON_INT64(limit));

    status = rt_mongo_find(db, collection, &filter, &options, rt_mongo_notify_row, &rows);

    after->rows = rows.rows;
    after->count = rows.count;
    after->has_more = rows.count != 0 && rows.rows[rows.count - 1].seq < after->last_seq;

    bson_destroy(&filter);
    bson_destroy(&options);
    mongoc_collection_destroy(collection);

    return status;
}


rt_status_t
rt_mongo_notify_after(rt_store_session_t *session, rt_arena_t *arena, rt_notify_after_t *streams,
    size_t count, int64_t limit)
{
    size_t      i;
    int64_t    *seqs;
    rt_str_t   *names;
    rt_mongo_t *db = (rt_mongo_t *) session;
    rt_status_t status;

    names = rt_arena_alloc(arena, count * sizeof(rt_str_t));
    seqs = rt_arena_alloc(arena, count * sizeof(int64_t));

    if (names == NULL || seqs == NULL) {
        return RT_NO_MEMORY;
    }

    for (i = 0; i < count; i++) {
        names[i] = streams[i].stream;
    }

    status = rt_mongo_streams_get(db, arena, names, count, seqs);

    for (i = 0; i < count && status == RT_OK; i++) {
        streams[i].rows = NULL;
        streams[i].count = 0;
        streams[i].has_more = 0;
        streams[i].last_seq = seqs[i];

        if (streams[i].after_seq < 0 || streams[i].after_seq >= seqs[i]) {
            continue;
        }

        if (limit <= 0) {
            streams[i].has_more = 1;
            continue;
        }

        status = rt_mongo_notify_after_one(db, arena, &streams[i], limit);
        limit -= (int64_t) streams[i].count;
    }

    return status;
}


/* The condition that it is of that stream of the view. */
static void
rt_mongo_notify_put_stream(bson_t *filter, const rt_notify_view_t *view, int at)
{
    rt_mongo_put_text(filter, "stream", view->streams[at]);

    if (at == RT_NOTIFY_OF_USER && view->business_id.len) {
        rt_mongo_put_id(filter, "businessId", view->business_id);
    }
}


static void
rt_mongo_notify_put_view(bson_t *filter, const rt_notify_view_t *view)
{
    int         i;
    char        buf[16];
    bson_t      either, one;
    uint32_t    n;
    const char *key;

    n = 0;
    bson_append_array_begin(filter, "$or", -1, &either);

    for (i = 0; i < RT_NOTIFY_STREAMS; i++) {
        if (view->streams[i].len) {
            bson_uint32_to_string(n++, &key, buf, sizeof(buf));
            bson_append_document_begin(&either, key, -1, &one);
            rt_mongo_notify_put_stream(&one, view, i);
            bson_append_document_end(&either, &one);
        }
    }

    bson_append_array_end(filter, &either);
}


static rt_status_t
rt_mongo_count_row(void *data, const bson_t *document)
{
    bson_iter_t iter;

    if (bson_iter_init_find(&iter, document, "n")) {
        *(int64_t *) data = bson_iter_as_int64(&iter);
    }

    return RT_OK;
}


static rt_status_t
rt_mongo_notify_count(rt_mongo_t *db, const bson_t *filter, int64_t *out)
{
    bson_t              *pipeline;
    rt_status_t          status;
    mongoc_collection_t *collection;

    *out = 0;
    collection = rt_mongo_notifications(db);
    pipeline = BCON_NEW("pipeline", "[", "{", "$match", BCON_DOCUMENT(filter), "}", "{", "$count",
        "n", "}", "]");

    status = rt_mongo_aggregate(db, collection, pipeline, rt_mongo_count_row, out);

    bson_destroy(pipeline);
    mongoc_collection_destroy(collection);

    return status;
}


static rt_status_t
rt_mongo_notify_unread(rt_mongo_t *db, const rt_notify_view_t *view, int at, int64_t *out)
{
    bson_t      filter = BSON_INITIALIZER;
    rt_status_t status;

    *out = 0;

    if (view->streams[at].len == 0) {
        bson_destroy(&filter);
        return RT_OK;
    }

    rt_mongo_notify_put_stream(&filter, view, at);
    BSON_APPEND_BOOL(&filter, "isRead", false);
    status = rt_mongo_notify_count(db, &filter, out);
    bson_destroy(&filter);

    return status;
}


rt_status_t
rt_mongo_notify_list(rt_store_session_t *session, rt_arena_t *arena, const rt_notify_query_t *query,
    rt_notify_list_t *out)
{
    int                    i;
    bson_t                 filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    int64_t                unread;
    rt_mongo_t            *db = (rt_mongo_t *) session;
    rt_status_t            status;
    mongoc_collection_t   *collection;
    rt_mongo_notify_rows_t rows = {.db = db, .arena = arena, .size = (size_t) query->limit};

    memset(out, 0, sizeof(rt_notify_list_t));
    rows.rows = rt_arena_alloc(arena, rows.size * sizeof(rt_notify_row_t));
    if (rows.rows == NULL) {
        return RT_NO_MEMORY;
    }

    rt_mongo_notify_put_view(&filter, &query->view);

    if (query->type != -1) {
        BSON_APPEND_UTF8(&filter, "type", rt_notify_type_names[query->type]);
    }

    if (query->unread_only) {
        BSON_APPEND_BOOL(&filter, "isRead", false);
    }

    BCON_APPEND(&options, "sort", "{", "createdAt", BCON_INT32(-1), "_id", BCON_INT32(-1), "}",
        "skip", BCON_INT64(query->offset), "limit", BCON_INT64(query->limit));

    collection = rt_mongo_notifications(db);
    status = rt_mongo_notify_count(db, &filter, &out->total);

    if (status == RT_OK) {
        status = rt_mongo_find(db, collection, &filter, &options, rt_mongo_notify_row, &rows);
    }

    for (i = 0; i < RT_NOTIFY_STREAMS && status == RT_OK; i++) {
        status = rt_mongo_notify_unread(db, &query->view, i, &unread);
        out->unread += unread;
    }

    out->rows = rows.rows;
    out->count = rows.count;
    mongoc_collection_destroy(collection);
    bson_destroy(&filter);
    bson_destroy(&options);

    return status;
}


static rt_status_t
rt_mongo_notify_read_one(rt_mongo_t *db, rt_arena_t *arena, rt_notify_reads_t *reads, int at)
{
    bson_t               filter = BSON_INITIALIZER, update = BSON_INITIALIZER;
    rt_status_t          status;
    rt_mongo_ids_t       ids = {.arena = arena};
    mongoc_collection_t *collection;

    rt_mongo_notify_put_stream(&filter, &reads->view, at);
    BSON_APPEND_BOOL(&filter, "isRead", false);

    if (!reads->all) {
        rt_mongo_put_any(&filter, "_id", reads->ids, reads->count);
    }

    ids.size = reads->all ? RT_NOTIFY_READS_LISTED : reads->count;
    collection = rt_mongo_notifications(db);
    status = rt_mongo_ids_find(db, collection, &filter, -1, &ids);

    if (status == RT_OK && ids.count) {
        BCON_APPEND(&update, "$set", "{", "isRead", BCON_BOOL(true), "readAt",
            BCON_DATE_TIME(reads->now_ms), "}");
        status = rt_mongo_update(db, collection, 1, &filter, &update, &reads->streams[at].newly);
    }

    mongoc_collection_destroy(collection);

    reads->streams[at].ids = ids.ids;
    reads->streams[at].count = ids.count;

    if (status == RT_OK) {
        status = rt_mongo_notify_unread(db, &reads->view, at, &reads->streams[at].unread);
    }

    bson_destroy(&filter);
    bson_destroy(&update);

    return status;
}


rt_status_t
rt_mongo_notify_reads(rt_store_session_t *session, rt_arena_t *arena, rt_notify_reads_t *reads)
{
    int         i;
    rt_status_t status;

    status = RT_OK;
    memset(reads->streams, 0, sizeof(reads->streams));

    for (i = 0; i < RT_NOTIFY_STREAMS && status == RT_OK; i++) {
        if (reads->view.streams[i].len) {
            status = rt_mongo_notify_read_one((rt_mongo_t *) session, arena, reads, i);
        }
    }

    return status;
}


rt_status_t
rt_mongo_notify_sweep(rt_store_session_t *session, int64_t before_ms, int64_t limit,
    int64_t *removed)
{
    bson_t               filter = BSON_INITIALIZER;
    rt_mongo_t          *db = (rt_mongo_t *) session;
    rt_status_t          status;
    mongoc_collection_t *collection;

    BCON_APPEND(&filter, "createdAt", "{", "$lt", BCON_DATE_TIME(before_ms), "}");
    collection = rt_mongo_notifications(db);
    status = rt_mongo_delete_oldest(db, collection, &filter, limit, removed);
    mongoc_collection_destroy(collection);
    bson_destroy(&filter);

    return status;
}
