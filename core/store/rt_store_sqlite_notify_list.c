/* Lists of notifications and their read marks in SQLite.
 *
 * Somebody's list holds up to two streams. Each is read by its own index from its newest end, no
 * further than the page's end, and the two are merged by key, which grows with time. */

#include <string.h>

#include "store/rt_store_sqlite.h"


/* Of which business the stream's rows must be: those of a business are all its own. */
static rt_str_t
rt_sqlite_notify_business(const rt_notify_view_t *view, int which)
{
    return which == RT_NOTIFY_OF_USER ? view->business_id : rt_str_null;
}


/* Parameters: 1, 2 the streams' keys, 3 business, 4 type, 5 limit, 6 offset, 7 both together. */
static void
rt_sqlite_notify_where(rt_buf_t *sql, const rt_notify_query_t *query, int which)
{
    rt_buf_append_str(sql, which ? rt_str(" WHERE stream = ?2") : rt_str(" WHERE stream = ?1"));

    if (which == RT_NOTIFY_OF_USER && query->view.business_id.len) {
        rt_buf_append_str(sql, rt_str(" AND business_id = ?3"));
    }

    if (query->type != -1) {
        rt_buf_append_str(sql, rt_str(" AND type = ?4"));
    }

    if (query->unread_only) {
        rt_buf_append_str(sql, rt_str(" AND is_read = 0"));
    }
}


static rt_status_t
rt_sqlite_notify_prepare(rt_sqlite_t *db, const rt_buf_t *sql, const rt_notify_query_t *query,
    const int64_t *keys, sqlite3_stmt **out)
{
    int code;

    if (sql->failed) {
        return RT_NO_MEMORY;
    }

    code = sqlite3_prepare_v2(db->db, sql->data, (int) sql->len, out, NULL);

    if (code != SQLITE_OK) {
        return rt_sqlite_failed(db, code);
    }

    /* binding to a parameter that the statement does not have fails with SQLITE_RANGE: as meant */
    rt_sqlite_bind_int(*out, 1, keys[0]);
    rt_sqlite_bind_int(*out, 2, keys[1]);
    rt_sqlite_bind_text(*out, 3, query->view.business_id);
    rt_sqlite_bind_int(*out, 4, query->type);
    rt_sqlite_bind_int(*out, 5, query->limit);
    rt_sqlite_bind_int(*out, 6, query->offset);
    rt_sqlite_bind_int(*out, 7, query->offset + query->limit);

    return RT_OK;
}


static rt_status_t
rt_sqlite_notify_page(rt_sqlite_t *db, rt_arena_t *arena, const rt_notify_query_t *query,
    const int64_t *keys, rt_buf_t *sql, rt_notify_list_t *out)
{
    int           i, code;
    rt_status_t   status;
    sqlite3_stmt *statement;

    sql->len = 0;

    for (i = 0; i < RT_NOTIFY_STREAMS; i++) {
        rt_buf_append_str(sql, i ? rt_str(" UNION ALL ") : rt_str(""));
        rt_buf_append_str(sql,
            rt_str("SELECT * FROM (SELECT " RT_SQLITE_NOTIFY_COLUMNS " FROM notifications"));
        rt_sqlite_notify_where(sql, query, i);
        rt_buf_append_str(sql,
            query->unread_only ? rt_str(" ORDER BY key DESC LIMIT ?7)")
                               : rt_str(" ORDER BY seq DESC LIMIT ?7)"));
    }

    rt_buf_append_str(sql, rt_str(" ORDER BY key DESC LIMIT ?5 OFFSET ?6"));

    status = rt_sqlite_notify_prepare(db, sql, query, keys, &statement);
    if (status != RT_OK) {
        return status;
    }

    while (status == RT_OK && (code = sqlite3_step(statement)) != SQLITE_DONE) {
        status = code == SQLITE_ROW
            ? rt_sqlite_notify_row(db, statement, arena, &out->rows[out->count++])
            : rt_sqlite_failed(db, code);
    }

    sqlite3_finalize(statement);

    return status;
}


static rt_status_t
rt_sqlite_notify_total(rt_sqlite_t *db, const rt_notify_query_t *query, const int64_t *keys,
    rt_buf_t *sql, int64_t *out)
{
    int           i, code;
    rt_status_t   status;
    sqlite3_stmt *statement;

    sql->len = 0;

    for (i = 0; i < RT_NOTIFY_STREAMS; i++) {
        rt_buf_append_str(sql, i ? rt_str(") + (") : rt_str("SELECT ("));
        rt_buf_append_str(sql, rt_str("SELECT count(*) FROM notifications"));
        rt_sqlite_notify_where(sql, query, i);
    }

    rt_buf_append_str(sql, rt_str(")"));

    status = rt_sqlite_notify_prepare(db, sql, query, keys, &statement);
    if (status != RT_OK) {
        return status;
    }

    code = sqlite3_step(statement);

    if (code == SQLITE_ROW) {
        *out = sqlite3_column_int64(statement, 0);
    } else {
        status = rt_sqlite_failed(db, code);
    }

    sqlite3_finalize(statement);

    return status;
}


/* How many of a stream are unread, of that business unless it is empty. */
static rt_status_t
rt_sqlite_notify_unread(rt_sqlite_t *db, int64_t key, rt_str_t business_id, int64_t *out)
{
    int           code;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_NOTIFY_UNREAD);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_int(statement, 1, key);
    rt_sqlite_bind_text(statement, 2, business_id);

    code = rt_sqlite_step(statement);
    if (code != SQLITE_ROW) {
        return rt_sqlite_failed(db, code);
    }

    *out = sqlite3_column_int64(statement, 0);
    sqlite3_reset(statement);

    return RT_OK;
}


/* A stream that there is not has no rows: its key is 0. */
static rt_status_t
rt_sqlite_notify_keys(rt_sqlite_t *db, const rt_notify_view_t *view, int64_t *keys)
{
    int         i;
    int64_t     seq;
    rt_status_t status;

    status = RT_OK;

    for (i = 0; i < RT_NOTIFY_STREAMS && status == RT_OK; i++) {
        keys[i] = 0;

        if (view->streams[i].len) {
            status = rt_sqlite_stream_get(db, view->streams[i], &keys[i], &seq);
        }
    }

    return status;
}


rt_status_t
rt_sqlite_notify_list(rt_store_session_t *session, rt_arena_t *arena,
    const rt_notify_query_t *query, rt_notify_list_t *out)
{
    int          i;
    int64_t      unread, keys[RT_NOTIFY_STREAMS];
    rt_buf_t     sql;
    rt_status_t  status;
    rt_sqlite_t *db = (rt_sqlite_t *) session;

    memset(&sql, 0, sizeof(rt_buf_t));
    out->count = 0;
    out->total = 0;
    out->unread = 0;

    out->rows = rt_arena_alloc(arena, (size_t) query->limit * sizeof(rt_notify_row_t));
    if (out->rows == NULL) {
        return RT_NO_MEMORY;
    }

    status = rt_sqlite_notify_keys(db, &query->view, keys);

    if (status == RT_OK) {
        status = rt_sqlite_notify_page(db, arena, query, keys, &sql, out);
    }

    if (status == RT_OK) {
        status = rt_sqlite_notify_total(db, query, keys, &sql, &out->total);
    }

    for (i = 0; i < RT_NOTIFY_STREAMS && status == RT_OK; i++) {
        unread = 0;
        status = rt_sqlite_notify_unread(db, keys[i], rt_sqlite_notify_business(&query->view, i),
            &unread);
        out->unread += unread;
    }

    rt_buf_free(&sql);

    return status;
}


/* The newest unread ids of a stream, for those who are told. */
static rt_status_t
rt_sqlite_notify_unread_ids(rt_sqlite_t *db, rt_arena_t *arena, int64_t key,
    rt_notify_reads_t *reads, int at)
{
    int           code, failed;
    rt_str_t     *ids;
    rt_status_t   status;
    sqlite3_stmt *statement;

    ids = rt_arena_alloc(arena, RT_NOTIFY_READS_LISTED * sizeof(rt_str_t));
    statement = rt_sqlite_statement(db, RT_SQL_NOTIFY_UNREAD_IDS);

    if (ids == NULL || statement == NULL) {
        return ids ? RT_UNAVAILABLE : RT_NO_MEMORY;
    }

    rt_sqlite_bind_int(statement, 1, key);
    rt_sqlite_bind_text(statement, 2, rt_sqlite_notify_business(&reads->view, at));
    rt_sqlite_bind_int(statement, 3, RT_NOTIFY_READS_LISTED);

    failed = 0;
    status = RT_OK;
    reads->streams[at].ids = ids;

    while (status == RT_OK && (code = sqlite3_step(statement)) != SQLITE_DONE) {
        if (code != SQLITE_ROW) {
            status = rt_sqlite_failed(db, code);
            break;
        }

        ids[reads->streams[at].count++] = rt_sqlite_text(statement, 0, arena, &failed);
    }

    sqlite3_reset(statement);

    return status == RT_OK && failed ? RT_NO_MEMORY : status;
}


static rt_status_t
rt_sqlite_notify_read_all(rt_sqlite_t *db, rt_arena_t *arena, int64_t key, rt_notify_reads_t *reads,
    int at)
{
    rt_status_t   status;
    sqlite3_stmt *statement;

    status = rt_sqlite_notify_unread_ids(db, arena, key, reads, at);
    if (status != RT_OK || reads->streams[at].count == 0) {
        return status;
    }

    statement = rt_sqlite_statement(db, RT_SQL_NOTIFY_READ_ALL);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_int(statement, 1, key);
    rt_sqlite_bind_int(statement, 2, reads->now_ms);
    rt_sqlite_bind_text(statement, 3, rt_sqlite_notify_business(&reads->view, at));

    status = rt_sqlite_run(db, statement);
    reads->streams[at].newly = sqlite3_changes(db->db);

    return status;
}


/* *key is 0 when it is not there, of somebody else's or read already. */
static rt_status_t
rt_sqlite_notify_read_find(rt_sqlite_t *db, int64_t stream, rt_str_t business_id, rt_str_t id,
    int64_t *key)
{
    int           code;
    sqlite3_stmt *statement;

    *key = 0;

    statement = rt_sqlite_statement(db, RT_SQL_NOTIFY_READ_FIND);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_int(statement, 1, stream);
    rt_sqlite_bind_text(statement, 2, id);
    rt_sqlite_bind_text(statement, 3, business_id);

    code = rt_sqlite_step(statement);

    if (code == SQLITE_ROW) {
        *key = sqlite3_column_int64(statement, 0);

    } else if (code != SQLITE_DONE) {
        return rt_sqlite_failed(db, code);
    }

    sqlite3_reset(statement);

    return RT_OK;
}


static rt_status_t
rt_sqlite_notify_read_some(rt_sqlite_t *db, rt_arena_t *arena, int64_t stream,
    rt_notify_reads_t *reads, int at)
{
    size_t        i;
    int64_t       key;
    rt_status_t   status;
    sqlite3_stmt *statement;

    reads->streams[at].ids = rt_arena_alloc(arena, (reads->count + 1) * sizeof(rt_str_t));
    if (reads->streams[at].ids == NULL) {
        return RT_NO_MEMORY;
    }

    for (i = 0; i < reads->count; i++) {
        status = rt_sqlite_notify_read_find(db, stream, rt_sqlite_notify_business(&reads->view, at),
            reads->ids[i], &key);

        if (status != RT_OK) {
            return status;
        }

        if (key == 0) {
            continue;
        }

        statement = rt_sqlite_statement(db, RT_SQL_NOTIFY_READ_MARK);
        if (statement == NULL) {
            return RT_UNAVAILABLE;
        }

        rt_sqlite_bind_int(statement, 1, key);
        rt_sqlite_bind_int(statement, 2, reads->now_ms);

        status = rt_sqlite_run(db, statement);
        if (status != RT_OK) {
            return status;
        }

        reads->streams[at].ids[reads->streams[at].count++] = reads->ids[i];
        reads->streams[at].newly++;
    }

    return RT_OK;
}


rt_status_t
rt_sqlite_notify_read(rt_store_session_t *session, rt_arena_t *arena, rt_notify_reads_t *reads)
{
    int          i;
    int64_t      keys[RT_NOTIFY_STREAMS];
    rt_status_t  status;
    rt_sqlite_t *db = (rt_sqlite_t *) session;

    memset(reads->streams, 0, sizeof(reads->streams));
    status = rt_sqlite_notify_keys(db, &reads->view, keys);

    for (i = 0; i < RT_NOTIFY_STREAMS && status == RT_OK; i++) {

        if (keys[i] == 0) {
            continue;
        }

        status = reads->all ? rt_sqlite_notify_read_all(db, arena, keys[i], reads, i)
                            : rt_sqlite_notify_read_some(db, arena, keys[i], reads, i);

        if (status == RT_OK) {
            status = rt_sqlite_notify_unread(db, keys[i],
                rt_sqlite_notify_business(&reads->view, i), &reads->streams[i].unread);
        }
    }

    return status;
}
