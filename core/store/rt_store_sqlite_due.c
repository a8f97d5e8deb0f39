/* What the assistant remembers of rooms in SQLite, and which rooms wait for it. */

#include "store/rt_store_sqlite.h"


rt_status_t
rt_sqlite_room_assist(rt_store_session_t *session, const rt_room_t *room, int64_t done_before,
    int is_told)
{
    rt_status_t             status;
    rt_sqlite_t            *db = (rt_sqlite_t *) session;
    sqlite3_stmt           *statement;
    const rt_room_assist_t *assist = &room->assist;

    statement = rt_sqlite_statement(db, RT_SQL_ROOM_ASSIST);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_int(statement, 1, room->store_key);
    rt_sqlite_bind_int(statement, 2, assist->welcomed);
    rt_sqlite_bind_int(statement, 3, assist->done_seq);
    rt_sqlite_bind_int(statement, 5, assist->customer_at_ms);
    rt_sqlite_bind_int(statement, 6, assist->offline_seq);
    rt_sqlite_bind_int(statement, 7, assist->acknowledge_seq);
    rt_sqlite_bind_int(statement, 8, assist->called_seq);
    rt_sqlite_bind_int(statement, 9, assist->feedback_seq);
    rt_sqlite_bind_text(statement, 10, assist->feedback_id);
    rt_sqlite_bind_text(statement, 11, assist->feedback_faq);
    rt_sqlite_bind_int(statement, 12, is_told);
    rt_sqlite_bind_int(statement, 13, done_before);

    status = rt_sqlite_run(db, statement);

    if (status == RT_OK && sqlite3_changes(db->db) == 0) {
        return RT_CONFLICT;
    }

    return status;
}


rt_status_t
rt_sqlite_rooms_due(rt_store_session_t *session, rt_arena_t *arena, int64_t before_ms,
    int64_t now_ms, int64_t limit, rt_room_due_t **out, size_t *count)
{
    int           code, failed;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    *count = 0;
    failed = 0;

    statement = rt_sqlite_statement(db, RT_SQL_ROOMS_DUE);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    *out = rt_arena_calloc(arena, (size_t) limit * sizeof(rt_room_due_t));
    if (*out == NULL) {
        return RT_NO_MEMORY;
    }

    rt_sqlite_bind_int(statement, 1, before_ms);
    rt_sqlite_bind_int(statement, 2, now_ms);
    rt_sqlite_bind_int(statement, 3, limit);

    while ((code = rt_sqlite_step(statement)) == SQLITE_ROW) {
        (*out)[*count].id = rt_sqlite_text(statement, 0, arena, &failed);
        (*out)[(*count)++].business_id = rt_sqlite_text(statement, 1, arena, &failed);
    }

    if (code != SQLITE_DONE) {
        return rt_sqlite_failed(db, code);
    }

    sqlite3_reset(statement);

    return failed ? RT_NO_MEMORY : RT_OK;
}


rt_status_t
rt_sqlite_rooms_are_due(rt_store_session_t *session, int64_t before_ms, int *out)
{
    int           code;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_ROOMS_ARE_DUE);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_int(statement, 1, before_ms);
    code = rt_sqlite_step(statement);

    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        return rt_sqlite_failed(db, code);
    }

    *out = code == SQLITE_ROW;
    sqlite3_reset(statement);

    return RT_OK;
}


rt_status_t
rt_sqlite_rooms_told(rt_store_session_t *session, const rt_room_due_t *rooms, size_t count)
{
    size_t        i;
    rt_status_t   status;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    status = RT_OK;

    for (i = 0; i < count && status == RT_OK; i++) {
        statement = rt_sqlite_statement(db, RT_SQL_ROOM_TOLD);
        if (statement == NULL) {
            return RT_UNAVAILABLE;
        }

        rt_sqlite_bind_text(statement, 1, rooms[i].id);
        rt_sqlite_bind_int(statement, 2, rooms[i].told_seq);
        status = rt_sqlite_run(db, statement);
    }

    return status;
}
