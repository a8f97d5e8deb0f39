/* Webhooks and their deliveries in SQLite. */

#include <string.h>

#include "store/rt_store_sqlite.h"


/* The columns of both, in the order of the statements. */
static rt_status_t
rt_sqlite_read_webhook(sqlite3_stmt *statement, rt_arena_t *arena, void *row)
{
    int           failed;
    rt_webhook_t *out = row;

    failed = 0;

    out->id = rt_sqlite_text(statement, 0, arena, &failed);
    out->business_id = rt_sqlite_text(statement, 1, arena, &failed);
    out->url = rt_sqlite_text(statement, 2, arena, &failed);
    out->events = sqlite3_column_int64(statement, 3);
    out->secret = rt_sqlite_text(statement, 4, arena, &failed);
    out->description = rt_sqlite_text(statement, 5, arena, &failed);
    out->is_active = sqlite3_column_int(statement, 6);
    out->created_at_ms = sqlite3_column_int64(statement, 7);
    out->updated_at_ms = sqlite3_column_int64(statement, 8);

    return failed ? RT_NO_MEMORY : RT_OK;
}


static rt_status_t
rt_sqlite_read_delivery(sqlite3_stmt *statement, rt_arena_t *arena, void *row)
{
    int            failed;
    rt_delivery_t *out = row;

    failed = 0;

    out->id = rt_sqlite_text(statement, 0, arena, &failed);
    out->webhook_id = rt_sqlite_text(statement, 1, arena, &failed);
    out->business_id = rt_sqlite_text(statement, 2, arena, &failed);
    out->event = (rt_webhook_event_t) sqlite3_column_int(statement, 3);
    out->object_id = rt_sqlite_text(statement, 4, arena, &failed);
    out->payload = rt_sqlite_text(statement, 5, arena, &failed);
    out->attempts = sqlite3_column_int64(statement, 6);
    out->next_at_ms = sqlite3_column_int64(statement, 7);
    out->status = sqlite3_column_int(statement, 8);
    out->last_status = sqlite3_column_int64(statement, 9);
    out->last_error = rt_sqlite_text(statement, 10, arena, &failed);
    out->created_at_ms = sqlite3_column_int64(statement, 11);
    out->delivered_at_ms = sqlite3_column_int64(statement, 12);

    return failed ? RT_NO_MEMORY : RT_OK;
}


/* ?1 … ?9 of adding and changing. */
static rt_status_t
rt_sqlite_webhook_write(rt_store_session_t *session, const rt_webhook_t *webhook, rt_sql_t which)
{
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, which);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, webhook->id);
    rt_sqlite_bind_text(statement, 2, webhook->url);
    rt_sqlite_bind_int(statement, 3, webhook->events);
    rt_sqlite_bind_text(statement, 4, webhook->secret);
    rt_sqlite_bind_text(statement, 5, webhook->description);
    rt_sqlite_bind_int(statement, 6, webhook->is_active);
    rt_sqlite_bind_int(statement, 7, webhook->updated_at_ms);

    if (which == RT_SQL_WEBHOOK_ADD) {
        rt_sqlite_bind_text(statement, 8, webhook->business_id);
        rt_sqlite_bind_int(statement, 9, webhook->created_at_ms);
    }

    return rt_sqlite_run(db, statement);
}


static rt_status_t
rt_sqlite_webhook_add(rt_store_session_t *session, const rt_webhook_t *webhook)
{
    return rt_sqlite_webhook_write(session, webhook, RT_SQL_WEBHOOK_ADD);
}


static rt_status_t
rt_sqlite_webhook_change(rt_store_session_t *session, const rt_webhook_t *webhook)
{
    return rt_sqlite_webhook_write(session, webhook, RT_SQL_WEBHOOK_CHANGE);
}


static rt_status_t
rt_sqlite_webhook_remove(rt_store_session_t *session, const rt_webhook_t *webhook)
{
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_WEBHOOK_REMOVE);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, webhook->id);

    return rt_sqlite_run(db, statement);
}


static rt_status_t
rt_sqlite_webhook_get(rt_store_session_t *session, rt_arena_t *arena, rt_str_t business_id,
    rt_str_t id, rt_webhook_t **out)
{
    void         *rows;
    size_t        count;
    rt_status_t   status;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_WEBHOOK_GET);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, id);
    rt_sqlite_bind_text(statement, 2, business_id);

    status = rt_sqlite_rows(db, statement, arena, sizeof(rt_webhook_t), rt_sqlite_read_webhook,
        &rows, &count);

    if (status == RT_OK) {
        *out = count ? rows : NULL;
    }

    return status;
}


static rt_status_t
rt_sqlite_webhook_list(rt_store_session_t *session, rt_arena_t *arena, rt_str_t business_id,
    rt_webhook_list_t *out)
{
    void         *rows;
    rt_status_t   status;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement =
        rt_sqlite_statement(db, business_id.len ? RT_SQL_WEBHOOKS_OF : RT_SQL_WEBHOOKS_ACTIVE);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    if (business_id.len) {
        rt_sqlite_bind_text(statement, 1, business_id);
    }

    status = rt_sqlite_rows(db, statement, arena, sizeof(rt_webhook_t), rt_sqlite_read_webhook,
        &rows, &out->count);
    out->rows = rows;

    return status;
}


static rt_status_t
rt_sqlite_delivery_queue(rt_store_session_t *session, const rt_delivery_t *rows, size_t count)
{
    size_t        i;
    rt_status_t   status;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    for (i = 0; i < count; i++) {
        statement = rt_sqlite_statement(db, RT_SQL_DELIVERY_ADD);
        if (statement == NULL) {
            return RT_UNAVAILABLE;
        }

        rt_sqlite_bind_text(statement, 1, rows[i].id);
        rt_sqlite_bind_text(statement, 2, rows[i].webhook_id);
        rt_sqlite_bind_text(statement, 3, rows[i].business_id);
        rt_sqlite_bind_int(statement, 4, (int64_t) rows[i].event);
        rt_sqlite_bind_text(statement, 5, rows[i].object_id);
        rt_sqlite_bind_text(statement, 6, rows[i].payload);
        rt_sqlite_bind_int(statement, 7, rows[i].created_at_ms);

        status = rt_sqlite_run(db, statement);
        if (status != RT_OK) {
            return status;
        }
    }

    return RT_OK;
}


static rt_status_t
rt_sqlite_delivery_pending(rt_store_session_t *session, rt_str_t business_id, int64_t max,
    int64_t *out)
{
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_DELIVERIES_PENDING);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, business_id);
    rt_sqlite_bind_int(statement, 2, max);

    return rt_sqlite_number(db, statement, out);
}


static rt_status_t
rt_sqlite_delivery_due(rt_store_session_t *session, int64_t now_ms, int *out)
{
    int64_t       found;
    rt_status_t   status;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_DELIVERY_DUE);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    found = 0;
    rt_sqlite_bind_int(statement, 1, now_ms);
    status = rt_sqlite_number(db, statement, &found);
    *out = status == RT_OK && found;

    return status;
}


static rt_status_t
rt_sqlite_delivery_claim(rt_store_session_t *session, rt_arena_t *arena, int64_t now_ms,
    int64_t limit, const rt_str_t *except, size_t except_count, rt_delivery_list_t *out)
{
    void         *rows;
    size_t        i;
    rt_str_t      ids;
    rt_status_t   status;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    db->scratch.len = 0;
    rt_buf_append(&db->scratch, "[", 1);

    for (i = 0; i < except_count; i++) {
        rt_buf_append(&db->scratch, ",", i ? 1 : 0);
        rt_buf_append_json_string(&db->scratch, except[i]);
    }

    rt_buf_append(&db->scratch, "]", 1);

    if (db->scratch.failed) {
        return RT_NO_MEMORY;
    }

    statement = rt_sqlite_statement(db, RT_SQL_DELIVERY_CLAIM);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    ids = (rt_str_t){db->scratch.data, db->scratch.len};
    rt_sqlite_bind_int(statement, 1, now_ms);
    rt_sqlite_bind_int(statement, 2, now_ms + RT_WEBHOOK_LEASE_MS);
    rt_sqlite_bind_int(statement, 3, limit);
    rt_sqlite_bind_text(statement, 4, ids);

    status = rt_sqlite_rows(db, statement, arena, sizeof(rt_delivery_t), rt_sqlite_read_delivery,
        &rows, &out->count);
    out->rows = rows;

    return status;
}


static rt_status_t
rt_sqlite_delivery_settle(rt_store_session_t *session, const rt_delivery_t *row, int64_t claimed)
{
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_DELIVERY_SETTLE);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, row->id);
    rt_sqlite_bind_int(statement, 2, claimed);
    rt_sqlite_bind_int(statement, 3, row->attempts);
    rt_sqlite_bind_int(statement, 4, row->next_at_ms);
    rt_sqlite_bind_int(statement, 5, row->status);
    rt_sqlite_bind_int(statement, 6, row->last_status);
    rt_sqlite_bind_text(statement, 7, row->last_error);
    rt_sqlite_bind_int(statement, 8, row->delivered_at_ms);

    return rt_sqlite_run(db, statement);
}


static rt_status_t
rt_sqlite_deliveries_list(rt_store_session_t *session, rt_arena_t *arena,
    const rt_delivery_query_t *query, rt_delivery_list_t *out)
{
    void         *rows;
    rt_status_t   status;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_DELIVERIES_COUNT);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, query->webhook_id);
    rt_sqlite_bind_int(statement, 2, query->status);

    status = rt_sqlite_number(db, statement, &out->total);
    if (status != RT_OK) {
        return status;
    }

    statement = rt_sqlite_statement(db, RT_SQL_DELIVERIES_LIST);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, query->webhook_id);
    rt_sqlite_bind_int(statement, 2, query->status);
    rt_sqlite_bind_int(statement, 3, query->limit);
    rt_sqlite_bind_int(statement, 4, query->offset);

    status = rt_sqlite_rows(db, statement, arena, sizeof(rt_delivery_t), rt_sqlite_read_delivery,
        &rows, &out->count);
    out->rows = rows;

    return status;
}


static rt_status_t
rt_sqlite_delivery_retry(rt_store_session_t *session, rt_str_t webhook_id, rt_str_t id,
    int64_t now_ms)
{
    rt_status_t   status;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_DELIVERY_RETRY);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, id);
    rt_sqlite_bind_text(statement, 2, webhook_id);
    rt_sqlite_bind_int(statement, 3, now_ms);

    status = rt_sqlite_run(db, statement);

    if (status == RT_OK && sqlite3_changes(db->db) == 0) {
        return RT_NOT_FOUND;
    }

    return status;
}


static rt_status_t
rt_sqlite_delivery_sweep(rt_store_session_t *session, int64_t before_ms, int64_t limit,
    int64_t *removed)
{
    return rt_sqlite_sweep((rt_sqlite_t *) session, RT_SQL_DELIVERIES_SWEEP, before_ms, limit,
        removed);
}


const rt_store_webhook_ops_t rt_store_sqlite_webhooks = {
    .add = rt_sqlite_webhook_add,
    .get = rt_sqlite_webhook_get,
    .list = rt_sqlite_webhook_list,
    .change = rt_sqlite_webhook_change,
    .remove = rt_sqlite_webhook_remove,
    .queue = rt_sqlite_delivery_queue,
    .pending = rt_sqlite_delivery_pending,
    .due = rt_sqlite_delivery_due,
    .claim = rt_sqlite_delivery_claim,
    .settle = rt_sqlite_delivery_settle,
    .deliveries_list = rt_sqlite_deliveries_list,
    .retry = rt_sqlite_delivery_retry,
    .sweep = rt_sqlite_delivery_sweep,
};
