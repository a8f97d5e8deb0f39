/* Rooms in SQLite: reading them by id, making and changing them. */

#include <string.h>

#include "store/rt_store_sqlite.h"


rt_status_t
rt_sqlite_room_row(sqlite3_stmt *statement, rt_arena_t *arena, rt_room_t *room)
{
    int failed;

    failed = 0;

    room->store_key = sqlite3_column_int64(statement, 0);
    room->id = rt_sqlite_text(statement, 1, arena, &failed);
    room->business_id = rt_sqlite_text(statement, 2, arena, &failed);
    room->type = (rt_room_type_t) sqlite3_column_int(statement, 3);
    room->name = rt_sqlite_text(statement, 4, arena, &failed);
    room->is_active = sqlite3_column_int(statement, 5);
    room->is_archived = sqlite3_column_int(statement, 6);
    room->seq = sqlite3_column_int64(statement, 7);
    room->unread_count = sqlite3_column_int64(statement, 8);
    room->last_message_id = rt_sqlite_text(statement, 9, arena, &failed);
    room->last_message = rt_sqlite_text(statement, 10, arena, &failed);
    room->last_message_at_ms = sqlite3_column_int64(statement, 11);
    room->created_at_ms = sqlite3_column_int64(statement, 12);
    room->updated_at_ms = sqlite3_column_int64(statement, 13);
    room->metadata = rt_sqlite_text(statement, 14, arena, &failed);
    room->user_id = rt_sqlite_text(statement, 15, arena, &failed);
    room->user_name = rt_sqlite_text(statement, 16, arena, &failed);
    room->user_email = rt_sqlite_text(statement, 17, arena, &failed);
    room->owner_id = rt_sqlite_text(statement, 18, arena, &failed);
    room->member_id = rt_sqlite_text(statement, 19, arena, &failed);
    room->priority = rt_sqlite_text(statement, 20, arena, &failed);
    room->assigned_staff_id = rt_sqlite_text(statement, 21, arena, &failed);
    room->assist.welcomed = sqlite3_column_int(statement, 22);
    room->assist.asked_seq = sqlite3_column_int64(statement, 23);
    room->assist.done_seq = sqlite3_column_int64(statement, 24);
    room->assist.told_seq = sqlite3_column_int64(statement, 25);
    room->assist.staff_seq = sqlite3_column_int64(statement, 26);
    room->assist.staff_at_ms = sqlite3_column_int64(statement, 27);
    room->assist.customer_at_ms = sqlite3_column_int64(statement, 28);
    room->assist.offline_seq = sqlite3_column_int64(statement, 29);
    room->assist.acknowledge_seq = sqlite3_column_int64(statement, 30);
    room->assist.called_seq = sqlite3_column_int64(statement, 31);
    room->assist.feedback_seq = sqlite3_column_int64(statement, 32);
    room->assist.feedback_id = rt_sqlite_text(statement, 33, arena, &failed);
    room->assist.feedback_faq = rt_sqlite_text(statement, 34, arena, &failed);

    return failed ? RT_NO_MEMORY : RT_OK;
}


/* The room that the statement finds, or NULL in *out. */
static rt_status_t
rt_sqlite_room_one(rt_sqlite_t *db, sqlite3_stmt *statement, rt_arena_t *arena, rt_room_t **out)
{
    int         code;
    rt_room_t  *room;
    rt_status_t status;

    *out = NULL;

    code = rt_sqlite_step(statement);

    if (code == SQLITE_DONE) {
        sqlite3_reset(statement);
        return RT_OK;
    }

    if (code != SQLITE_ROW) {
        return rt_sqlite_failed(db, code);
    }

    status = RT_NO_MEMORY;
    room = rt_arena_alloc(arena, sizeof(rt_room_t));

    if (room != NULL) {
        status = rt_sqlite_room_row(statement, arena, room);
    }

    sqlite3_reset(statement);

    if (status == RT_OK) {
        *out = room;
    }

    return status;
}


rt_status_t
rt_sqlite_rooms_get(rt_store_session_t *session, rt_arena_t *arena, const rt_str_t *ids,
    size_t count, rt_room_t **out)
{
    size_t        i, j;
    rt_status_t   status;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_ROOM_GET);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    for (i = 0; i < count; i++) {

        for (j = 0; j < i && !rt_str_eq(ids[j], ids[i]); j++) { /* void */
        }

        if (j < i) {
            out[i] = out[j];
            continue;
        }

        rt_sqlite_bind_text(statement, 1, ids[i]);

        status = rt_sqlite_room_one(db, statement, arena, &out[i]);
        if (status != RT_OK) {
            return status;
        }
    }

    return RT_OK;
}


static void
rt_sqlite_bind_key(rt_sqlite_t *db, sqlite3_stmt *statement, int at, int open)
{
    rt_str_t key;

    key.data = db->scratch.data;
    key.len = open ? db->scratch.len : 0;

    rt_sqlite_bind_text(statement, at, key);
}


rt_status_t
rt_sqlite_room_find_open(rt_store_session_t *session, rt_arena_t *arena, const rt_room_t *like,
    rt_room_t **out)
{
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    if (rt_room_open_key(like, &db->scratch) != RT_OK) {
        return RT_NO_MEMORY;
    }

    statement = rt_sqlite_statement(db, RT_SQL_ROOM_FIND_OPEN);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_key(db, statement, 1, 1);

    return rt_sqlite_room_one(db, statement, arena, out);
}


rt_status_t
rt_sqlite_room_add(rt_store_session_t *session, rt_room_t *room)
{
    rt_status_t   status;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    if (rt_room_open_key(room, &db->scratch) != RT_OK) {
        return RT_NO_MEMORY;
    }

    statement = rt_sqlite_statement(db, RT_SQL_ROOM_ADD);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_text(statement, 1, room->id);
    rt_sqlite_bind_text(statement, 2, room->business_id);
    rt_sqlite_bind_int(statement, 3, (int64_t) room->type);
    rt_sqlite_bind_text(statement, 4, room->name);
    rt_sqlite_bind_int(statement, 5, room->is_active);
    rt_sqlite_bind_int(statement, 6, room->is_archived);
    rt_sqlite_bind_int(statement, 7, room->last_message_at_ms);
    rt_sqlite_bind_int(statement, 8, room->created_at_ms);
    rt_sqlite_bind_int(statement, 9, room->updated_at_ms);
    rt_sqlite_bind_text(statement, 10, room->metadata);
    rt_sqlite_bind_text(statement, 11, room->user_id);
    rt_sqlite_bind_text(statement, 12, room->user_name);
    rt_sqlite_bind_text(statement, 13, room->user_email);
    rt_sqlite_bind_text(statement, 14, room->owner_id);
    rt_sqlite_bind_text(statement, 15, room->member_id);
    rt_sqlite_bind_text(statement, 16, room->priority);
    rt_sqlite_bind_text(statement, 17, room->assigned_staff_id);
    rt_sqlite_bind_key(db, statement, 18, room->is_active && !room->is_archived);

    status = rt_sqlite_run(db, statement);

    if (status == RT_OK) {
        room->store_key = sqlite3_last_insert_rowid(db->db);
    }

    return status;
}


static rt_status_t
rt_sqlite_room_state(rt_sqlite_t *db, const rt_room_t *room)
{
    sqlite3_stmt *statement;

    if (rt_room_open_key(room, &db->scratch) != RT_OK) {
        return RT_NO_MEMORY;
    }

    statement = rt_sqlite_statement(db, RT_SQL_ROOM_STATE);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_int(statement, 1, room->store_key);
    rt_sqlite_bind_int(statement, 2, room->is_active);
    rt_sqlite_bind_int(statement, 3, room->is_archived);
    rt_sqlite_bind_int(statement, 4, room->updated_at_ms);
    rt_sqlite_bind_key(db, statement, 5, room->is_active && !room->is_archived);

    return rt_sqlite_run(db, statement);
}


static rt_status_t
rt_sqlite_room_metadata(rt_sqlite_t *db, const rt_room_t *room)
{
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_ROOM_METADATA);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_int(statement, 1, room->store_key);
    rt_sqlite_bind_text(statement, 2, room->metadata);
    rt_sqlite_bind_text(statement, 3, room->user_name);
    rt_sqlite_bind_text(statement, 4, room->user_email);
    rt_sqlite_bind_text(statement, 5, room->priority);
    rt_sqlite_bind_text(statement, 6, room->assigned_staff_id);
    rt_sqlite_bind_int(statement, 7, room->updated_at_ms);

    return rt_sqlite_run(db, statement);
}


rt_status_t
rt_sqlite_room_change(rt_store_session_t *session, rt_room_t *room, rt_room_change_t change)
{
    rt_sqlite_t *db = (rt_sqlite_t *) session;

    if (change == RT_ROOM_STATE) {
        return rt_sqlite_room_state(db, room);
    }

    return rt_sqlite_room_metadata(db, room);
}
