/* Messages in SQLite: storing them in groups, and reading them back. */

#include <string.h>

#include "store/rt_store_sqlite.h"


/* The document: what was stored of it, joined with what changes. */
static rt_status_t
rt_sqlite_message_row(rt_sqlite_t *db, sqlite3_stmt *statement, rt_arena_t *arena,
    rt_message_row_t *out)
{
    int       failed;
    rt_buf_t *buf;

    failed = 0;

    out->id = rt_sqlite_text(statement, 0, arena, &failed);
    out->seq = sqlite3_column_int64(statement, 1);
    out->kind = (rt_message_kind_t) sqlite3_column_int(statement, 2);
    out->created_at_ms = sqlite3_column_int64(statement, 3);

    buf = &db->scratch;
    buf->len = 0;

    rt_buf_append(buf, sqlite3_column_text(statement, 7),
        (size_t) sqlite3_column_bytes(statement, 7));
    rt_message_write_tail(buf, out->seq, sqlite3_column_int(statement, 4) == RT_SQLITE_IS_READ,
        sqlite3_column_int64(statement, 5), sqlite3_column_int64(statement, 6));

    if (failed || buf->failed) {
        return RT_NO_MEMORY;
    }

    out->text = rt_arena_str(arena, (rt_str_t){buf->data, buf->len});

    return out->text.data ? RT_OK : RT_NO_MEMORY;
}


/* out->text is empty when the statement finds none. */
static rt_status_t
rt_sqlite_message_one(rt_sqlite_t *db, sqlite3_stmt *statement, rt_arena_t *arena,
    rt_message_row_t *out)
{
    int         code;
    rt_status_t status;

    memset(out, 0, sizeof(rt_message_row_t));

    code = rt_sqlite_step(statement);

    if (code == SQLITE_ROW) {
        status = rt_sqlite_message_row(db, statement, arena, out);
        sqlite3_reset(statement);
        return status;
    }

    if (code != SQLITE_DONE) {
        return rt_sqlite_failed(db, code);
    }

    sqlite3_reset(statement);

    return RT_OK;
}


rt_status_t
rt_sqlite_message_get(rt_store_session_t *session, rt_arena_t *arena, const rt_room_t *room,
    rt_str_t id, rt_message_row_t *out)
{
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_MESSAGE_GET);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_int(statement, 1, room->store_key);
    rt_sqlite_bind_text(statement, 2, id);

    return rt_sqlite_message_one(db, statement, arena, out);
}


rt_status_t
rt_sqlite_message_find(rt_store_session_t *session, rt_arena_t *arena, const rt_room_t *room,
    rt_str_t sender_id, rt_str_t client_id, rt_message_row_t *out)
{
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_MESSAGE_FIND);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_int(statement, 1, room->store_key);
    rt_sqlite_bind_text(statement, 2, sender_id);
    rt_sqlite_bind_text(statement, 3, client_id);

    return rt_sqlite_message_one(db, statement, arena, out);
}


/* Its client_id was here before: the first one's answer. */
static rt_status_t
rt_sqlite_message_retry(rt_sqlite_t *db, rt_message_t *message)
{
    rt_status_t      status;
    rt_message_row_t row;

    status = rt_sqlite_message_find(&db->session, message->arena, message->room, message->sender_id,
        message->client_id, &row);

    if (status == RT_OK && row.text.len == 0) {
        return RT_ERROR; /* what else is unique was made anew: the file is damaged */
    }

    if (status == RT_OK) {
        message->status = RT_CONFLICT;
        message->id = row.id;
        message->seq = row.seq;
        message->created_at_ms = row.created_at_ms;
        message->unread_count = message->room->unread_count;
        message->text = row.text;
    }

    return status;
}


/* One document is written, stored without its tail, and given out with it. RT_CONFLICT: something
 * of it that is unique is there already; nothing was stored. */
static rt_status_t
rt_sqlite_message_insert(rt_sqlite_t *db, rt_message_t *message)
{
    rt_buf_t     *buf;
    rt_room_t    *room;
    rt_status_t   status;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_MESSAGE_ADD);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    room = message->room;
    buf = &db->scratch;
    buf->len = 0;
    rt_message_write_head(buf, message);

    if (buf->failed) {
        return RT_NO_MEMORY;
    }

    rt_sqlite_bind_int(statement, 1, room->store_key);
    rt_sqlite_bind_int(statement, 2, room->seq + 1);
    rt_sqlite_bind_text(statement, 3, message->id);
    rt_sqlite_bind_int(statement, 4, (int64_t) message->sender_type);
    rt_sqlite_bind_text(statement, 5, message->sender_id);
    rt_sqlite_bind_text(statement, 6, message->client_id);
    rt_sqlite_bind_int(statement, 7, (int64_t) message->kind);
    rt_sqlite_bind_int(statement, 8, message->created_at_ms);
    rt_sqlite_bind_text(statement, 9, (rt_str_t){buf->data, buf->len});
    rt_sqlite_bind_int(statement, 10,
        room->type == RT_ROOM_CUSTOMER_SUPPORT ? RT_SQLITE_UNREAD : RT_SQLITE_UNREAD_INDEXED);

    status = rt_sqlite_run(db, statement);
    if (status != RT_OK) {
        return status;
    }

    rt_message_write_tail(buf, room->seq + 1, 0, 0, message->created_at_ms);

    if (buf->failed) {
        return RT_NO_MEMORY;
    }

    message->text = rt_arena_str(message->arena, (rt_str_t){buf->data, buf->len});

    return message->text.data ? RT_OK : RT_NO_MEMORY;
}


static rt_status_t
rt_sqlite_message_add(rt_sqlite_t *db, rt_message_t *message)
{
    rt_room_t  *room;
    rt_status_t status;

    message->status = RT_OK;

    status = rt_sqlite_message_insert(db, message);

    if (status == RT_CONFLICT) {
        return rt_sqlite_message_retry(db, message);
    }

    if (status != RT_OK) {
        return status;
    }

    room = message->room;
    room->seq++;
    room->last_message_id = message->id;
    room->last_message = message->preview;
    room->last_message_at_ms = message->created_at_ms;
    room->updated_at_ms = message->created_at_ms;

    if (message->sender_type == RT_SENDER_CUSTOMER) {
        room->unread_count++;
    }

    rt_room_assist_added(room, message, room->seq);

    message->seq = room->seq;
    message->unread_count = room->unread_count;

    return RT_OK;
}


static rt_status_t
rt_sqlite_room_touch(rt_sqlite_t *db, const rt_room_t *room)
{
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, RT_SQL_ROOM_TOUCH);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_int(statement, 1, room->store_key);
    rt_sqlite_bind_int(statement, 2, room->seq);
    rt_sqlite_bind_int(statement, 3, room->unread_count);
    rt_sqlite_bind_text(statement, 4, room->last_message_id);
    rt_sqlite_bind_text(statement, 5, room->last_message);
    rt_sqlite_bind_int(statement, 6, room->last_message_at_ms);
    rt_sqlite_bind_int(statement, 7, room->updated_at_ms);
    rt_sqlite_bind_int(statement, 8, room->assist.staff_seq);
    rt_sqlite_bind_int(statement, 9, room->assist.staff_at_ms);
    rt_sqlite_bind_int(statement, 10, room->assist.asked_seq);

    return rt_sqlite_run(db, statement);
}


rt_status_t
rt_sqlite_messages_add(rt_store_session_t *session, rt_message_t **messages, size_t count)
{
    size_t       i;
    rt_status_t  status;
    rt_sqlite_t *db = (rt_sqlite_t *) session;

    status = RT_OK;

    for (i = 0; i < count && status == RT_OK; i++) {
        status = rt_sqlite_message_add(db, messages[i]);
    }

    /* a room is written once, however many messages it got: by its newest one */
    for (i = 0; i < count && status == RT_OK; i++) {
        if (messages[i]->status == RT_OK && messages[i]->seq == messages[i]->room->seq) {
            status = rt_sqlite_room_touch(db, messages[i]->room);
        }
    }

    if (status != RT_OK) {
        db->spoiled = 1;
    }

    return status;
}


static void
rt_sqlite_messages_reverse(rt_message_list_t *list)
{
    size_t           i;
    rt_message_row_t row;

    for (i = 0; i < list->count / 2; i++) {
        row = list->rows[i];
        list->rows[i] = list->rows[list->count - 1 - i];
        list->rows[list->count - 1 - i] = row;
    }
}


/* There are no holes in seq, so a page is a range: nothing has to be counted or skipped. */
rt_status_t
rt_sqlite_messages_list(rt_store_session_t *session, rt_arena_t *arena, rt_room_t *room,
    rt_message_range_t range, int64_t at, int64_t limit, rt_message_list_t *out)
{
    int           code;
    rt_status_t   status;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    if (range == RT_MESSAGES_PAGE) {
        at = room->seq - at + 1;
    }

    statement = rt_sqlite_statement(db,
        range == RT_MESSAGES_AFTER ? RT_SQL_MESSAGES_AFTER : RT_SQL_MESSAGES_BEFORE);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    out->count = 0;
    out->rows = rt_arena_alloc(arena, (size_t) limit * sizeof(rt_message_row_t));
    if (out->rows == NULL) {
        return RT_NO_MEMORY;
    }

    rt_sqlite_bind_int(statement, 1, room->store_key);
    rt_sqlite_bind_int(statement, 2, at);
    rt_sqlite_bind_int(statement, 3, limit);

    status = RT_OK;

    while (status == RT_OK && (code = sqlite3_step(statement)) != SQLITE_DONE) {
        if (code != SQLITE_ROW) {
            status = rt_sqlite_failed(db, code);
            break;
        }

        status = rt_sqlite_message_row(db, statement, arena, &out->rows[out->count++]);
    }

    sqlite3_reset(statement);

    if (range != RT_MESSAGES_AFTER) {
        rt_sqlite_messages_reverse(out);
    }

    return status;
}


static rt_status_t
rt_sqlite_room_after(rt_store_session_t *session, rt_arena_t *arena, rt_room_t *room,
    rt_room_after_t *after, int64_t limit)
{
    rt_status_t status;

    after->exists = 1;
    after->last_seq = room->seq;

    if (limit > room->seq - after->after_seq) {
        limit = room->seq - after->after_seq; /* there are no holes */
    }

    if (limit > 0) {
        status = rt_sqlite_messages_list(session, arena, room, RT_MESSAGES_AFTER, after->after_seq,
            limit, &after->list);
        if (status != RT_OK) {
            return status;
        }
    }

    after->has_more = after->after_seq + (int64_t) after->list.count < room->seq;

    return RT_OK;
}


rt_status_t
rt_sqlite_messages_after(rt_store_session_t *session, rt_arena_t *arena, rt_room_after_t *rooms,
    size_t count, int64_t limit)
{
    size_t      i;
    rt_room_t  *room;
    rt_status_t status;

    status = RT_OK;

    for (i = 0; i < count && status == RT_OK; i++) {
        memset(&rooms[i].list, 0, sizeof(rt_message_list_t));
        rooms[i].exists = 0;
        rooms[i].last_seq = 0;
        rooms[i].has_more = 0;

        status = rt_sqlite_rooms_get(session, arena, &rooms[i].room_id, 1, &room);

        if (status == RT_OK && room != NULL) {
            status = rt_sqlite_room_after(session, arena, room, &rooms[i], limit);
            limit -= (int64_t) rooms[i].list.count;
        }
    }

    return status;
}


rt_status_t
rt_sqlite_messages_count(rt_store_session_t *session, const rt_room_t *room, int64_t *out)
{
    (void) session;

    *out = room->seq;

    return RT_OK;
}
