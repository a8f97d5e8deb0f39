/* FAQs, automatic responses and what came of them in SQLite. */

#include <string.h>

#include "store/rt_store_sqlite.h"


/* The columns of the statements, in their order. */
static rt_status_t
rt_sqlite_read_faq(sqlite3_stmt *statement, rt_arena_t *arena, void *row)
{
    int           failed;
    rt_faq_row_t *out = row;

    failed = 0;

    out->id = rt_sqlite_text(statement, 0, arena, &failed);
    out->business_id = rt_sqlite_text(statement, 1, arena, &failed);
    out->question = rt_sqlite_text(statement, 2, arena, &failed);
    out->answer = rt_sqlite_text(statement, 3, arena, &failed);
    out->keywords = rt_sqlite_text(statement, 4, arena, &failed);
    out->alternatives = rt_sqlite_text(statement, 5, arena, &failed);
    out->category = rt_sqlite_text(statement, 6, arena, &failed);
    out->threshold_percent = sqlite3_column_double(statement, 7);
    out->priority = sqlite3_column_double(statement, 8);
    out->usage_count = sqlite3_column_int64(statement, 9);
    out->helpful_count = sqlite3_column_int64(statement, 10);
    out->not_helpful_count = sqlite3_column_int64(statement, 11);
    out->is_active = sqlite3_column_int(statement, 12);
    out->metadata = rt_sqlite_text(statement, 13, arena, &failed);
    out->created_at_ms = sqlite3_column_int64(statement, 14);
    out->updated_at_ms = sqlite3_column_int64(statement, 15);

    return failed ? RT_NO_MEMORY : RT_OK;
}


static rt_status_t
rt_sqlite_read_response(sqlite3_stmt *statement, rt_arena_t *arena, void *row)
{
    int                failed;
    rt_response_row_t *out = row;

    failed = 0;

    out->id = rt_sqlite_text(statement, 0, arena, &failed);
    out->business_id = rt_sqlite_text(statement, 1, arena, &failed);
    out->name = rt_sqlite_text(statement, 2, arena, &failed);
    out->type = (rt_response_type_t) sqlite3_column_int(statement, 3);
    out->message = rt_sqlite_text(statement, 4, arena, &failed);
    out->trigger = rt_sqlite_text(statement, 5, arena, &failed);
    out->quick_replies = rt_sqlite_text(statement, 6, arena, &failed);
    out->is_active = sqlite3_column_int(statement, 7);
    out->usage_count = sqlite3_column_int64(statement, 8);
    out->metadata = rt_sqlite_text(statement, 9, arena, &failed);
    out->created_at_ms = sqlite3_column_int64(statement, 10);
    out->updated_at_ms = sqlite3_column_int64(statement, 11);

    return failed ? RT_NO_MEMORY : RT_OK;
}


static rt_status_t
rt_sqlite_read_unanswered(sqlite3_stmt *statement, rt_arena_t *arena, void *row)
{
    int                  failed;
    rt_unanswered_row_t *out = row;

    failed = 0;

    out->id = rt_sqlite_text(statement, 0, arena, &failed);
    out->business_id = rt_sqlite_text(statement, 1, arena, &failed);
    out->room_id = rt_sqlite_text(statement, 2, arena, &failed);
    out->content = rt_sqlite_text(statement, 3, arena, &failed);
    out->created_at_ms = sqlite3_column_int64(statement, 4);

    return failed ? RT_NO_MEMORY : RT_OK;
}


/* Runs a statement that changes what the business has, and gives it another version. */
static rt_status_t
rt_sqlite_assist_changed(rt_sqlite_t *db, sqlite3_stmt *statement, rt_str_t business_id)
{
    rt_status_t status;

    status = rt_sqlite_run(db, statement);
    if (status != RT_OK) {
        return status;
    }

    statement = rt_sqlite_statement(db, RT_SQL_ASSIST_CHANGED);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, business_id);

    return rt_sqlite_run(db, statement);
}


/* ?1 … ?12: what adding and changing have in common. */
static void
rt_sqlite_bind_faq(sqlite3_stmt *statement, const rt_faq_row_t *faq)
{
    rt_sqlite_bind_text(statement, 1, faq->id);
    rt_sqlite_bind_text(statement, 2, faq->business_id);
    rt_sqlite_bind_text(statement, 3, faq->question);
    rt_sqlite_bind_text(statement, 4, faq->answer);
    rt_sqlite_bind_text(statement, 5, faq->keywords);
    rt_sqlite_bind_text(statement, 6, faq->alternatives);
    rt_sqlite_bind_text(statement, 7, faq->category);
    sqlite3_bind_double(statement, 8, faq->threshold_percent);
    sqlite3_bind_double(statement, 9, faq->priority);
    rt_sqlite_bind_int(statement, 10, faq->is_active);
    rt_sqlite_bind_text(statement, 11, faq->metadata);
    rt_sqlite_bind_int(statement, 12, faq->updated_at_ms);
}


static rt_status_t
rt_sqlite_faq_add(rt_store_session_t *session, const rt_faq_row_t *faq)
{
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_FAQ_ADD);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_faq(statement, faq);
    rt_sqlite_bind_int(statement, 13, faq->created_at_ms);
    rt_sqlite_bind_int(statement, 14, faq->usage_count);
    rt_sqlite_bind_int(statement, 15, faq->helpful_count);
    rt_sqlite_bind_int(statement, 16, faq->not_helpful_count);

    return rt_sqlite_assist_changed(db, statement, faq->business_id);
}


static rt_status_t
rt_sqlite_faq_change(rt_store_session_t *session, const rt_faq_row_t *faq)
{
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_FAQ_CHANGE);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_faq(statement, faq);

    return rt_sqlite_assist_changed(db, statement, faq->business_id);
}


/* The one row of that id, read into *out of `size` bytes; NULL when there is none. */
static rt_status_t
rt_sqlite_assist_get(rt_sqlite_t *db, rt_arena_t *arena, rt_sql_t which, rt_str_t business_id,
    rt_str_t id, size_t size, rt_sqlite_row_pt read, void **out)
{
    size_t        count;
    sqlite3_stmt *statement;

    *out = NULL;

    statement = rt_sqlite_statement(db, which);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, business_id);
    rt_sqlite_bind_text(statement, 2, id);

    return rt_sqlite_rows(db, statement, arena, size, read, out, &count);
}


static rt_status_t
rt_sqlite_faq_get(rt_store_session_t *session, rt_arena_t *arena, rt_str_t business_id, rt_str_t id,
    rt_faq_row_t **out)
{
    void       *row;
    rt_status_t status;

    status = rt_sqlite_assist_get((rt_sqlite_t *) session, arena, RT_SQL_FAQ_GET, business_id, id,
        sizeof(rt_faq_row_t), rt_sqlite_read_faq, &row);
    *out = row;

    return status;
}


static void
rt_sqlite_bind_faqs(sqlite3_stmt *statement, const rt_faq_query_t *query)
{
    rt_sqlite_bind_text(statement, 1, query->business_id);
    rt_sqlite_bind_text(statement, 2, query->category);
    rt_sqlite_bind_int(statement, 3, query->is_active);
}


static rt_status_t
rt_sqlite_faq_list(rt_store_session_t *session, rt_arena_t *arena, const rt_faq_query_t *query,
    rt_faq_list_t *out)
{
    void         *rows;
    rt_status_t   status;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *count, *list;

    count = rt_sqlite_statement(db, RT_SQL_FAQS_COUNT);
    list = rt_sqlite_statement(db, RT_SQL_FAQS_LIST);

    if (count == NULL || list == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_faqs(count, query);
    status = rt_sqlite_number(db, count, &out->total);

    if (status != RT_OK) {
        return status;
    }

    rt_sqlite_bind_faqs(list, query);
    rt_sqlite_bind_int(list, 4, query->limit);
    rt_sqlite_bind_int(list, 5, query->offset);

    status = rt_sqlite_rows(db, list, arena, sizeof(rt_faq_row_t), rt_sqlite_read_faq, &rows,
        &out->count);
    out->rows = rows;

    return status;
}


static rt_status_t
rt_sqlite_faq_count(rt_store_session_t *session, rt_str_t business_id, rt_str_t id, int64_t usage,
    int64_t helpful, int64_t not_helpful)
{
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_FAQ_USED);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, id);
    rt_sqlite_bind_text(statement, 2, business_id);
    rt_sqlite_bind_int(statement, 3, usage);
    rt_sqlite_bind_int(statement, 4, helpful);
    rt_sqlite_bind_int(statement, 5, not_helpful);

    return rt_sqlite_run(db, statement);
}


/* ?1 … ?10: what adding and changing have in common. */
static void
rt_sqlite_bind_response(sqlite3_stmt *statement, const rt_response_row_t *response)
{
    rt_sqlite_bind_text(statement, 1, response->id);
    rt_sqlite_bind_text(statement, 2, response->business_id);
    rt_sqlite_bind_text(statement, 3, response->name);
    rt_sqlite_bind_int(statement, 4, (int64_t) response->type);
    rt_sqlite_bind_text(statement, 5, response->message);
    rt_sqlite_bind_text(statement, 6, response->trigger);
    rt_sqlite_bind_text(statement, 7, response->quick_replies);
    rt_sqlite_bind_int(statement, 8, response->is_active);
    rt_sqlite_bind_text(statement, 9, response->metadata);
    rt_sqlite_bind_int(statement, 10, response->updated_at_ms);
}


static rt_status_t
rt_sqlite_response_add(rt_store_session_t *session, const rt_response_row_t *response)
{
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_RESPONSE_ADD);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_response(statement, response);
    rt_sqlite_bind_int(statement, 11, response->created_at_ms);
    rt_sqlite_bind_int(statement, 12, response->usage_count);

    return rt_sqlite_assist_changed(db, statement, response->business_id);
}


static rt_status_t
rt_sqlite_response_change(rt_store_session_t *session, const rt_response_row_t *response)
{
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_RESPONSE_CHANGE);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_response(statement, response);

    return rt_sqlite_assist_changed(db, statement, response->business_id);
}


static rt_status_t
rt_sqlite_response_get(rt_store_session_t *session, rt_arena_t *arena, rt_str_t business_id,
    rt_str_t id, rt_response_row_t **out)
{
    void       *row;
    rt_status_t status;

    status = rt_sqlite_assist_get((rt_sqlite_t *) session, arena, RT_SQL_RESPONSE_GET, business_id,
        id, sizeof(rt_response_row_t), rt_sqlite_read_response, &row);
    *out = row;

    return status;
}


static void
rt_sqlite_bind_responses(sqlite3_stmt *statement, const rt_response_query_t *query)
{
    rt_sqlite_bind_text(statement, 1, query->business_id);
    rt_sqlite_bind_int(statement, 2, query->type);
    rt_sqlite_bind_int(statement, 3, query->is_active);
}


static rt_status_t
rt_sqlite_response_list(rt_store_session_t *session, rt_arena_t *arena,
    const rt_response_query_t *query, rt_response_list_t *out)
{
    void         *rows;
    rt_status_t   status;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *count, *list;

    count = rt_sqlite_statement(db, RT_SQL_RESPONSES_COUNT);
    list = rt_sqlite_statement(db, RT_SQL_RESPONSES_LIST);

    if (count == NULL || list == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_responses(count, query);
    status = rt_sqlite_number(db, count, &out->total);

    if (status != RT_OK) {
        return status;
    }

    rt_sqlite_bind_responses(list, query);
    rt_sqlite_bind_int(list, 4, query->limit);
    rt_sqlite_bind_int(list, 5, query->offset);

    status = rt_sqlite_rows(db, list, arena, sizeof(rt_response_row_t), rt_sqlite_read_response,
        &rows, &out->count);
    out->rows = rows;

    return status;
}


static rt_status_t
rt_sqlite_response_count(rt_store_session_t *session, rt_str_t business_id, rt_str_t id,
    int64_t usage)
{
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_RESPONSE_USED);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, id);
    rt_sqlite_bind_text(statement, 2, business_id);
    rt_sqlite_bind_int(statement, 3, usage);

    return rt_sqlite_run(db, statement);
}


static rt_status_t
rt_sqlite_assist_version(rt_store_session_t *session, rt_str_t business_id, uint64_t *out)
{
    int64_t       version;
    rt_status_t   status;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_ASSIST_VERSION);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    version = 0;
    rt_sqlite_bind_text(statement, 1, business_id);
    status = rt_sqlite_number(db, statement, &version);
    *out = (uint64_t) version;

    return status;
}


static rt_status_t
rt_sqlite_feedback(rt_store_session_t *session, rt_str_t business_id, rt_str_t message_id,
    rt_str_t faq_id, int helpful, int64_t now_ms, int *before)
{
    int           code;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *get, *put;

    get = rt_sqlite_statement(db, RT_SQL_FEEDBACK_GET);
    put = rt_sqlite_statement(db, RT_SQL_FEEDBACK_PUT);

    if (get == NULL || put == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(get, 1, message_id);
    code = rt_sqlite_step(get);

    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        return rt_sqlite_failed(db, code);
    }

    *before = code == SQLITE_ROW ? sqlite3_column_int(get, 0) : -1;
    sqlite3_reset(get);

    rt_sqlite_bind_text(put, 1, message_id);
    rt_sqlite_bind_text(put, 2, business_id);
    rt_sqlite_bind_text(put, 3, faq_id);
    rt_sqlite_bind_int(put, 4, helpful != 0);
    rt_sqlite_bind_int(put, 5, now_ms);

    return rt_sqlite_run(db, put);
}


static rt_status_t
rt_sqlite_unanswered_add(rt_store_session_t *session, const rt_unanswered_row_t *row)
{
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_UNANSWERED_ADD);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, row->id);
    rt_sqlite_bind_text(statement, 2, row->business_id);
    rt_sqlite_bind_text(statement, 3, row->room_id);
    rt_sqlite_bind_text(statement, 4, row->content);
    rt_sqlite_bind_int(statement, 5, row->created_at_ms);

    return rt_sqlite_run(db, statement);
}


static rt_status_t
rt_sqlite_unanswered_list(rt_store_session_t *session, rt_arena_t *arena, rt_str_t business_id,
    int64_t limit, rt_unanswered_list_t *out)
{
    void         *rows;
    rt_status_t   status;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_UNANSWERED_LIST);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, business_id);
    rt_sqlite_bind_int(statement, 2, limit);

    status = rt_sqlite_rows(db, statement, arena, sizeof(rt_unanswered_row_t),
        rt_sqlite_read_unanswered, &rows, &out->count);
    out->rows = rows;

    return status;
}


static rt_status_t
rt_sqlite_unanswered_sweep(rt_store_session_t *session, int64_t before_ms, int64_t limit,
    int64_t *removed)
{
    return rt_sqlite_sweep((rt_sqlite_t *) session, RT_SQL_UNANSWERED_SWEEP, before_ms, limit,
        removed);
}


const rt_store_assist_ops_t rt_store_sqlite_assist = {
    .faq_add = rt_sqlite_faq_add,
    .faq_get = rt_sqlite_faq_get,
    .faq_change = rt_sqlite_faq_change,
    .faq_list = rt_sqlite_faq_list,
    .faq_count = rt_sqlite_faq_count,
    .response_add = rt_sqlite_response_add,
    .response_get = rt_sqlite_response_get,
    .response_change = rt_sqlite_response_change,
    .response_list = rt_sqlite_response_list,
    .response_count = rt_sqlite_response_count,
    .version = rt_sqlite_assist_version,
    .feedback = rt_sqlite_feedback,
    .unanswered_add = rt_sqlite_unanswered_add,
    .unanswered_list = rt_sqlite_unanswered_list,
    .unanswered_sweep = rt_sqlite_unanswered_sweep,
};
