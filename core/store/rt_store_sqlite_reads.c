/* Read receipts in SQLite. */

#include <string.h>

#include "store/rt_store_sqlite.h"


static void
rt_sqlite_reads_bind(sqlite3_stmt *statement, const rt_message_reads_t *reads)
{
    rt_sqlite_bind_int(statement, 1, reads->room->store_key);
    rt_sqlite_bind_int(statement, 2, (int64_t) reads->whose);
    rt_sqlite_bind_text(statement, 3, reads->reader_id);
}


/* Ids are put into an array that doubles in the arena: what it leaves behind is as much again. */
static rt_status_t
rt_sqlite_reads_list(rt_sqlite_t *db, rt_arena_t *arena, rt_message_reads_t *reads)
{
    int           code, failed;
    size_t        size;
    rt_str_t     *ids;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_READS_LIST);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_reads_bind(statement, reads);

    size = 0;
    failed = 0;

    while ((code = sqlite3_step(statement)) == SQLITE_ROW && !failed) {

        if (reads->newly_count == size) {
            size = size ? size * 2 : 64;

            ids = rt_arena_alloc(arena, size * sizeof(rt_str_t));
            if (ids == NULL) {
                failed = 1;
                break;
            }

            if (reads->newly_count) {
                memcpy(ids, reads->newly, reads->newly_count * sizeof(rt_str_t));
            }

            reads->newly = ids;
        }

        reads->newly[reads->newly_count++] = rt_sqlite_text(statement, 0, arena, &failed);
    }

    sqlite3_reset(statement);

    if (failed) {
        return RT_NO_MEMORY;
    }

    return code == SQLITE_DONE ? RT_OK : rt_sqlite_failed(db, code);
}


static rt_status_t
rt_sqlite_reads_all(rt_sqlite_t *db, rt_arena_t *arena, rt_message_reads_t *reads)
{
    rt_status_t   status;
    sqlite3_stmt *statement;

    status = rt_sqlite_reads_list(db, arena, reads);

    reads->read = reads->newly;
    reads->read_count = reads->newly_count;

    if (status != RT_OK || reads->newly_count == 0) {
        return status;
    }

    statement = rt_sqlite_statement(db, RT_SQL_READS_MARK_ALL);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_reads_bind(statement, reads);
    rt_sqlite_bind_int(statement, 4, reads->now_ms);

    return rt_sqlite_run(db, statement);
}


static rt_status_t
rt_sqlite_reads_mark(rt_sqlite_t *db, int64_t key, int64_t now_ms)
{
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_READS_MARK);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_int(statement, 1, key);
    rt_sqlite_bind_int(statement, 2, now_ms);

    return rt_sqlite_run(db, statement);
}


static int
rt_sqlite_reads_has(const rt_message_reads_t *reads, rt_str_t id)
{
    size_t i;

    for (i = 0; i < reads->read_count; i++) {
        if (rt_str_eq(reads->read[i], id)) {
            return 1;
        }
    }

    return 0;
}


static rt_status_t
rt_sqlite_reads_one(rt_sqlite_t *db, rt_message_reads_t *reads, rt_str_t id)
{
    int           code, is_read;
    int64_t       key;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_READS_FIND);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_reads_bind(statement, reads);
    rt_sqlite_bind_text(statement, 4, id);

    code = rt_sqlite_step(statement);

    if (code != SQLITE_ROW) {
        sqlite3_reset(statement);
        return code == SQLITE_DONE ? RT_OK : rt_sqlite_failed(db, code);
    }

    key = sqlite3_column_int64(statement, 0);
    is_read = sqlite3_column_int(statement, 1);
    sqlite3_reset(statement);

    reads->read[reads->read_count++] = id;

    if (is_read) {
        return RT_OK;
    }

    reads->newly[reads->newly_count++] = id;

    return rt_sqlite_reads_mark(db, key, reads->now_ms);
}


static rt_status_t
rt_sqlite_reads_named(rt_sqlite_t *db, rt_arena_t *arena, rt_message_reads_t *reads)
{
    size_t      i;
    rt_status_t status;

    reads->newly = rt_arena_alloc(arena, (reads->count + 1) * sizeof(rt_str_t));
    reads->read = rt_arena_alloc(arena, (reads->count + 1) * sizeof(rt_str_t));

    if (reads->newly == NULL || reads->read == NULL) {
        return RT_NO_MEMORY;
    }

    for (i = 0; i < reads->count; i++) {
        if (rt_sqlite_reads_has(reads, reads->ids[i])) {
            continue;
        }

        status = rt_sqlite_reads_one(db, reads, reads->ids[i]);
        if (status != RT_OK) {
            return status;
        }
    }

    return RT_OK;
}


static rt_status_t
rt_sqlite_reads_recount(rt_sqlite_t *db, rt_message_reads_t *reads)
{
    int           code;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_UNREAD_COUNT);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_int(statement, 1, reads->room->store_key);
    rt_sqlite_bind_int(statement, 2, reads->now_ms);

    code = rt_sqlite_step(statement);
    if (code != SQLITE_ROW) {
        return rt_sqlite_failed(db, code);
    }

    reads->room->unread_count = sqlite3_column_int64(statement, 0);
    reads->room->updated_at_ms = reads->now_ms;

    return rt_sqlite_run(db, statement);
}


rt_status_t
rt_sqlite_messages_read(rt_store_session_t *session, rt_arena_t *arena, rt_message_reads_t *reads)
{
    rt_status_t  status;
    rt_sqlite_t *db = (rt_sqlite_t *) session;

    reads->newly = NULL;
    reads->newly_count = 0;
    reads->read = NULL;
    reads->read_count = 0;

    if (reads->all) {
        status = rt_sqlite_reads_all(db, arena, reads);
    } else {
        status = rt_sqlite_reads_named(db, arena, reads);
    }

    if (status == RT_OK && reads->newly_count) {
        status = rt_sqlite_reads_recount(db, reads);
    }

    if (status != RT_OK) {
        db->spoiled = 1;
    }

    return status;
}
