/* Lists of rooms in SQLite. The statement is put together for each call from the fixed parts below
 * and never from values, which are bound. */

#include <string.h>

#include "store/rt_store_sqlite.h"


/* Parameters: 1 business, 2 user, 3 type, 4 priority, 5 assigned staff, 6 q as a LIKE pattern,
 * 7 limit, 8 offset, 9 is_active, 10 is_archived. */
#define RT_SQLITE_LIST_CUSTOMER " WHERE type = 0 AND user_id = ?2"
#define RT_SQLITE_LIST_STAFF                                                                       \
    " WHERE (type IN (0, 2) OR (type = 1 AND (owner_id = ?2 OR member_id = ?2)) "                  \
    "OR (type = 3 AND owner_id = ?2))"
#define RT_SQLITE_LIST_ALL " WHERE (type <> 1 OR owner_id = ?2 OR member_id = ?2)"

#define RT_SQLITE_LIKE(column) column " LIKE ?6 ESCAPE '\\'"

static const char *const rt_sqlite_views[] = {
    [RT_VIEW_CUSTOMER] = RT_SQLITE_LIST_CUSTOMER,
    [RT_VIEW_STAFF] = RT_SQLITE_LIST_STAFF,
    [RT_VIEW_ALL] = RT_SQLITE_LIST_ALL,
};


static void
rt_sqlite_list_add(rt_buf_t *sql, int wanted, const char *text)
{
    if (wanted) {
        rt_buf_append_str(sql, rt_str_c(text));
    }
}


static void
rt_sqlite_list_where(rt_buf_t *sql, const rt_room_query_t *query)
{
    rt_buf_append_str(sql, rt_str_c(rt_sqlite_views[query->view]));

    rt_sqlite_list_add(sql, query->business_id.len != 0, " AND business_id = ?1");
    rt_sqlite_list_add(sql, query->type != -1, " AND type = ?3");
    rt_sqlite_list_add(sql, query->priority.len != 0, " AND priority = ?4");
    rt_sqlite_list_add(sql, query->assigned_staff_id.len != 0, " AND assigned_staff_id = ?5");
    rt_sqlite_list_add(sql, query->is_active != -1, " AND is_active = ?9");
    rt_sqlite_list_add(sql, query->is_archived != -1, " AND is_archived = ?10");
    rt_sqlite_list_add(sql, query->unread_only, " AND unread_count > 0");
    rt_sqlite_list_add(sql, query->q.len != 0,
        " AND (" RT_SQLITE_LIKE("user_name") " OR " RT_SQLITE_LIKE(
            "user_email") " OR " RT_SQLITE_LIKE("name") " OR " RT_SQLITE_LIKE("last_message") " OR "
                                                                                              "json"
                                                                                              "_ext"
                                                                                              "ract"
                                                                                              "(met"
                                                                                              "adat"
                                                                                              "a, "
                                                                                              "'$."
                                                                                              "user"
                                                                                              "Phon"
                                                                                              "e') "
                                                                                              "LIKE"
                                                                                              " ?6 "
                                                                                              "ESCA"
                                                                                              "PE "
                                                                                              "'\\'"
                                                                                              ")");
}


/* q as part of a text: its own wildcards are taken literally. */
static rt_status_t
rt_sqlite_list_pattern(rt_buf_t *pattern, rt_str_t q)
{
    size_t i;

    pattern->len = 0;
    rt_buf_append(pattern, "%", 1);

    for (i = 0; i < q.len; i++) {
        if (q.data[i] == '%' || q.data[i] == '_' || q.data[i] == '\\') {
            rt_buf_append(pattern, "\\", 1);
        }

        rt_buf_append(pattern, &q.data[i], 1);
    }

    rt_buf_append(pattern, "%", 1);

    return pattern->failed ? RT_NO_MEMORY : RT_OK;
}


/* Binding to a parameter that the statement does not have fails with SQLITE_RANGE: as meant. */
static void
rt_sqlite_list_bind(rt_sqlite_t *db, sqlite3_stmt *statement, const rt_room_query_t *query)
{
    rt_str_t pattern;

    pattern = (rt_str_t){db->scratch.data, db->scratch.len};

    rt_sqlite_bind_text(statement, 1, query->business_id);
    rt_sqlite_bind_text(statement, 2, query->user_id);
    rt_sqlite_bind_int(statement, 3, query->type);
    rt_sqlite_bind_text(statement, 4, query->priority);
    rt_sqlite_bind_text(statement, 5, query->assigned_staff_id);
    rt_sqlite_bind_text(statement, 6, pattern);
    rt_sqlite_bind_int(statement, 7, query->limit);
    rt_sqlite_bind_int(statement, 8, query->offset);
    rt_sqlite_bind_int(statement, 9, query->is_active);
    rt_sqlite_bind_int(statement, 10, query->is_archived);
}


static rt_status_t
rt_sqlite_list_prepare(rt_sqlite_t *db, const char *head, const rt_room_query_t *query,
    const char *tail, sqlite3_stmt **out)
{
    int      code;
    rt_buf_t sql;

    memset(&sql, 0, sizeof(rt_buf_t));
    rt_buf_append_str(&sql, rt_str_c(head));
    rt_sqlite_list_where(&sql, query);
    rt_buf_append_str(&sql, rt_str_c(tail));

    if (sql.failed) {
        rt_buf_free(&sql);
        return RT_NO_MEMORY;
    }

    code = sqlite3_prepare_v2(db->db, sql.data, (int) sql.len, out, NULL);
    rt_buf_free(&sql);

    if (code != SQLITE_OK) {
        return rt_sqlite_failed(db, code);
    }

    rt_sqlite_list_bind(db, *out, query);

    return RT_OK;
}


static rt_status_t
rt_sqlite_list_totals(rt_sqlite_t *db, const rt_room_query_t *query, rt_room_list_t *out)
{
    int           code;
    rt_status_t   status;
    sqlite3_stmt *statement;

    status = rt_sqlite_list_prepare(db, "SELECT count(*), total(unread_count) FROM rooms", query,
        "", &statement);
    if (status != RT_OK) {
        return status;
    }

    code = sqlite3_step(statement);

    if (code == SQLITE_ROW) {
        out->total = sqlite3_column_int64(statement, 0);
        out->total_unread = sqlite3_column_int64(statement, 1);

    } else {
        status = rt_sqlite_failed(db, code);
    }

    sqlite3_finalize(statement);

    return status;
}


rt_status_t
rt_sqlite_rooms_list(rt_store_session_t *session, rt_arena_t *arena, const rt_room_query_t *query,
    rt_room_list_t *out)
{
    int           code;
    rt_status_t   status;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    out->count = 0;
    out->rooms = rt_arena_alloc(arena, (size_t) query->limit * sizeof(rt_room_t));

    if (out->rooms == NULL || rt_sqlite_list_pattern(&db->scratch, query->q) != RT_OK) {
        return RT_NO_MEMORY;
    }

    status = rt_sqlite_list_totals(db, query, out);
    if (status != RT_OK) {
        return status;
    }

    status = rt_sqlite_list_prepare(db, "SELECT " RT_SQLITE_ROOM_COLUMNS " FROM rooms", query,
        " ORDER BY last_message_at DESC, key DESC LIMIT ?7 OFFSET ?8", &statement);
    if (status != RT_OK) {
        return status;
    }

    while ((code = sqlite3_step(statement)) == SQLITE_ROW && status == RT_OK) {
        status = rt_sqlite_room_row(statement, arena, &out->rooms[out->count++]);
    }

    if (status == RT_OK && code != SQLITE_DONE) {
        status = rt_sqlite_failed(db, code);
    }

    sqlite3_finalize(statement);

    return status;
}
