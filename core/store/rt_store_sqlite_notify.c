/* Notifications and audit logs in SQLite.
 *
 * A stream's counter is a row of its own, so that numbers go on when what they counted is swept. A
 * call's streams are looked up once and written back once, however many notifications it holds. */

#include <stdlib.h>
#include <string.h>

#include "store/rt_store_sqlite.h"


typedef struct {
    rt_str_t name;
    int64_t  key; /* 0: the place is free */
    int64_t  seq;
    int      touched;
} rt_sqlite_stream_t;

/* A call's streams by their names: open addressing, at most half full. */
typedef struct {
    rt_sqlite_t        *db;
    rt_sqlite_stream_t *places;
    size_t              mask;
} rt_sqlite_streams_t;


rt_status_t
rt_sqlite_stream_get(rt_sqlite_t *db, rt_str_t name, int64_t *key, int64_t *seq)
{
    int           code;
    sqlite3_stmt *statement;

    *key = 0;
    *seq = 0;

    statement = rt_sqlite_statement(db, RT_SQL_NOTIFY_STREAM);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, name);
    code = rt_sqlite_step(statement);

    if (code == SQLITE_ROW) {
        *key = sqlite3_column_int64(statement, 0);
        *seq = sqlite3_column_int64(statement, 1);

    } else if (code != SQLITE_DONE) {
        return rt_sqlite_failed(db, code);
    }

    sqlite3_reset(statement);

    return RT_OK;
}


static rt_status_t
rt_sqlite_stream_make(rt_sqlite_t *db, rt_str_t name, int64_t *key)
{
    rt_status_t   status;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_NOTIFY_STREAM_ADD);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, name);
    status = rt_sqlite_run(db, statement);

    if (status == RT_OK) {
        *key = sqlite3_last_insert_rowid(db->db);
    }

    return status;
}


static rt_status_t
rt_sqlite_streams_find(rt_sqlite_streams_t *streams, rt_str_t name, rt_sqlite_stream_t **out)
{
    size_t              i, at;
    rt_status_t         status;
    rt_sqlite_stream_t *place;

    at = 0;

    for (i = 0; i < name.len; i++) {
        at = at * 31 + (unsigned char) name.data[i];
    }

    for (;; at++) {
        place = &streams->places[at & streams->mask];

        if (place->key == 0) {
            break;
        }

        if (rt_str_eq(place->name, name)) {
            *out = place;
            return RT_OK;
        }
    }

    status = rt_sqlite_stream_get(streams->db, name, &place->key, &place->seq);

    if (status == RT_OK && place->key == 0) {
        status = rt_sqlite_stream_make(streams->db, name, &place->key);
    }

    place->name = name;
    *out = place;

    return status;
}


static rt_status_t
rt_sqlite_streams_write(rt_sqlite_streams_t *streams)
{
    size_t              i;
    rt_status_t         status;
    sqlite3_stmt       *statement;
    rt_sqlite_stream_t *place;

    status = RT_OK;

    for (i = 0; i <= streams->mask && status == RT_OK; i++) {
        place = &streams->places[i];

        if (!place->touched) {
            continue;
        }

        statement = rt_sqlite_statement(streams->db, RT_SQL_NOTIFY_STREAM_SEQ);
        if (statement == NULL) {
            return RT_UNAVAILABLE;
        }

        rt_sqlite_bind_int(statement, 1, place->key);
        rt_sqlite_bind_int(statement, 2, place->seq);
        status = rt_sqlite_run(streams->db, statement);
    }

    return status;
}


rt_status_t
rt_sqlite_notify_row(rt_sqlite_t *db, sqlite3_stmt *statement, rt_arena_t *arena,
    rt_notify_row_t *out)
{
    int       failed;
    rt_buf_t *buf;

    failed = 0;

    out->id = rt_sqlite_text(statement, 0, arena, &failed);
    out->business_id = rt_sqlite_text(statement, 1, arena, &failed);
    out->seq = sqlite3_column_int64(statement, 2);
    out->type = (rt_notify_type_t) sqlite3_column_int(statement, 3);
    out->sub_type = rt_sqlite_text(statement, 4, arena, &failed);

    buf = &db->scratch;
    buf->len = 0;
    rt_buf_append(buf, sqlite3_column_text(statement, 7),
        (size_t) sqlite3_column_bytes(statement, 7));
    rt_notification_write_tail(buf, out->seq, sqlite3_column_int(statement, 5),
        sqlite3_column_int64(statement, 6));

    if (failed || buf->failed) {
        return RT_NO_MEMORY;
    }

    out->text = rt_arena_str(arena, (rt_str_t){buf->data, buf->len});

    return out->text.data ? RT_OK : RT_NO_MEMORY;
}


/* Its key was here before: the first one's answer. */
static rt_status_t
rt_sqlite_notify_repeated(rt_sqlite_t *db, rt_notification_t *item)
{
    int             code, failed;
    rt_status_t     status;
    sqlite3_stmt   *statement;
    rt_notify_row_t row;

    statement = rt_sqlite_statement(db, RT_SQL_NOTIFY_FIND);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, item->business_id);
    rt_sqlite_bind_text(statement, 2, item->key);
    code = rt_sqlite_step(statement);

    if (code == SQLITE_DONE) {
        sqlite3_reset(statement);
        return RT_ERROR; /* what else is unique was made anew: the file is damaged */
    }

    if (code != SQLITE_ROW) {
        return rt_sqlite_failed(db, code);
    }

    failed = 0;
    status = rt_sqlite_notify_row(db, statement, item->arena, &row);
    item->stream = rt_sqlite_text(statement, 9, item->arena, &failed);
    sqlite3_reset(statement);

    if (status == RT_OK && failed) {
        return RT_NO_MEMORY;
    }

    if (status == RT_OK) {
        item->status = RT_CONFLICT;
        item->type = row.type;
        item->sub_type = row.sub_type;
        item->id = row.id;
        item->seq = row.seq;
        item->text = row.text;
    }

    return status;
}


static rt_status_t
rt_sqlite_notify_audit(rt_sqlite_t *db, const rt_notification_t *item)
{
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_NOTIFY_AUDIT);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, item->id);
    rt_sqlite_bind_text(statement, 2, item->business_id);
    rt_sqlite_bind_int(statement, 3, item->created_at_ms);
    rt_sqlite_bind_text(statement, 4, item->audit);

    return rt_sqlite_run(db, statement);
}


/* RT_CONFLICT: the key is there already; nothing was stored. */
static rt_status_t
rt_sqlite_notify_insert(rt_sqlite_t *db, rt_sqlite_stream_t *stream, rt_notification_t *item)
{
    rt_buf_t     *buf;
    rt_status_t   status;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_NOTIFY_ADD);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    buf = &db->scratch;
    buf->len = 0;
    rt_notification_write_head(buf, item);

    if (buf->failed) {
        return RT_NO_MEMORY;
    }

    rt_sqlite_bind_int(statement, 1, stream->key);
    rt_sqlite_bind_int(statement, 2, stream->seq + 1);
    rt_sqlite_bind_text(statement, 3, item->id);
    rt_sqlite_bind_text(statement, 4, item->business_id);
    rt_sqlite_bind_text(statement, 5, item->key);
    rt_sqlite_bind_int(statement, 6, (int64_t) item->type);
    rt_sqlite_bind_text(statement, 7, item->sub_type);
    rt_sqlite_bind_int(statement, 8, item->created_at_ms);
    rt_sqlite_bind_text(statement, 9, (rt_str_t){buf->data, buf->len});

    status = rt_sqlite_run(db, statement);
    if (status != RT_OK) {
        return status;
    }

    item->seq = ++stream->seq;
    stream->touched = 1;

    rt_notification_write_tail(buf, item->seq, 0, 0);

    if (buf->failed) {
        return RT_NO_MEMORY;
    }

    item->text = rt_arena_str(item->arena, (rt_str_t){buf->data, buf->len});

    return item->text.data ? RT_OK : RT_NO_MEMORY;
}


static rt_status_t
rt_sqlite_notify_add_one(rt_sqlite_streams_t *streams, rt_notification_t *item)
{
    rt_status_t         status;
    rt_sqlite_stream_t *stream;

    item->status = RT_OK;

    status = rt_sqlite_streams_find(streams, item->stream, &stream);

    if (status == RT_OK) {
        status = rt_sqlite_notify_insert(streams->db, stream, item);
    }

    if (status == RT_CONFLICT) {
        return rt_sqlite_notify_repeated(streams->db, item);
    }

    if (status == RT_OK && item->audit.len) {
        status = rt_sqlite_notify_audit(streams->db, item);
    }

    return status;
}


static rt_status_t
rt_sqlite_notify_add(rt_store_session_t *session, rt_notification_t **items, size_t count)
{
    size_t              i;
    rt_status_t         status;
    rt_sqlite_t        *db = (rt_sqlite_t *) session;
    rt_sqlite_streams_t streams;

    for (streams.mask = 1; streams.mask < 2 * count; streams.mask = 2 * streams.mask + 1) {
        /* void */
    }

    streams.db = db;
    streams.places = calloc(streams.mask + 1, sizeof(rt_sqlite_stream_t));
    if (streams.places == NULL) {
        db->spoiled = 1;
        return RT_NO_MEMORY;
    }

    status = RT_OK;

    for (i = 0; i < count && status == RT_OK; i++) {
        status = rt_sqlite_notify_add_one(&streams, items[i]);
    }

    if (status == RT_OK) {
        status = rt_sqlite_streams_write(&streams);
    }

    free(streams.places);

    if (status != RT_OK) {
        db->spoiled = 1;
    }

    return status;
}


static rt_status_t
rt_sqlite_notify_after_one(rt_sqlite_t *db, rt_arena_t *arena, rt_notify_after_t *after,
    int64_t limit)
{
    int           code;
    int64_t       key;
    rt_status_t   status;
    sqlite3_stmt *statement;

    after->rows = NULL;
    after->count = 0;
    after->has_more = 0;

    status = rt_sqlite_stream_get(db, after->stream, &key, &after->last_seq);

    if (status != RT_OK || after->after_seq < 0 || after->after_seq >= after->last_seq) {
        return status;
    }

    if (limit > after->last_seq - after->after_seq) {
        limit = after->last_seq - after->after_seq; /* there are no holes */
    }

    if (limit <= 0) {
        after->has_more = 1;
        return RT_OK;
    }

    statement = rt_sqlite_statement(db, RT_SQL_NOTIFY_AFTER);
    after->rows = rt_arena_alloc(arena, (size_t) limit * sizeof(rt_notify_row_t));

    if (statement == NULL || after->rows == NULL) {
        return statement ? RT_NO_MEMORY : RT_UNAVAILABLE;
    }

    rt_sqlite_bind_int(statement, 1, key);
    rt_sqlite_bind_int(statement, 2, after->after_seq);
    rt_sqlite_bind_int(statement, 3, limit);

    while (status == RT_OK && (code = sqlite3_step(statement)) != SQLITE_DONE) {
        status = code == SQLITE_ROW
            ? rt_sqlite_notify_row(db, statement, arena, &after->rows[after->count++])
            : rt_sqlite_failed(db, code);
    }

    sqlite3_reset(statement);

    after->has_more = after->count != 0 && after->rows[after->count - 1].seq < after->last_seq;

    return status;
}


static rt_status_t
rt_sqlite_notify_after(rt_store_session_t *session, rt_arena_t *arena, rt_notify_after_t *streams,
    size_t count, int64_t limit)
{
    size_t      i;
    rt_status_t status;

    status = RT_OK;

    for (i = 0; i < count && status == RT_OK; i++) {
        status = rt_sqlite_notify_after_one((rt_sqlite_t *) session, arena, &streams[i], limit);
        limit -= (int64_t) streams[i].count;
    }

    return status;
}


static rt_status_t
rt_sqlite_notify_sweep(rt_store_session_t *session, int64_t before_ms, int64_t limit,
    int64_t *removed)
{
    return rt_sqlite_sweep((rt_sqlite_t *) session, RT_SQL_NOTIFY_SWEEP, before_ms, limit, removed);
}


const rt_store_notify_ops_t rt_store_sqlite_notify = {
    .add = rt_sqlite_notify_add,
    .after = rt_sqlite_notify_after,
    .list = rt_sqlite_notify_list,
    .read = rt_sqlite_notify_read,
    .sweep = rt_sqlite_notify_sweep,
};
