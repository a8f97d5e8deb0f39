/* Read receipts in SQLite.
 *
 * "All" means what lies behind the room's mark for this side, and moves the mark to the end, so
 * that each message is looked at once for each side however long the room's history is. */

#include <string.h>

#include "store/rt_store_sqlite.h"


typedef struct {
    rt_message_reads_t *asked;
    rt_sqlite_t        *db;
    rt_arena_t         *arena;
    int64_t            *keys;          /* beside asked->newly */
    size_t              size;          /* of both */
    int64_t             customers;     /* the customer's among them */
    int64_t             read_customer; /* marks to be set; 0: as they are */
    int64_t             read_others;
} rt_sqlite_reads_t;


/* The arrays double in the arena: what they leave behind is as much again. */
static rt_status_t
rt_sqlite_reads_grow(rt_sqlite_reads_t *reads)
{
    size_t              size;
    int64_t            *keys;
    rt_str_t           *ids;
    rt_message_reads_t *asked = reads->asked;

    if (asked->newly_count < reads->size) {
        return RT_OK;
    }

    size = reads->size ? reads->size * 2 : 64;
    keys = rt_arena_alloc(reads->arena, size * sizeof(int64_t));
    ids = rt_arena_alloc(reads->arena, size * sizeof(rt_str_t));

    if (keys == NULL || ids == NULL) {
        return RT_NO_MEMORY;
    }

    if (asked->newly_count) {
        memcpy(keys, reads->keys, asked->newly_count * sizeof(int64_t));
        memcpy(ids, asked->newly, asked->newly_count * sizeof(rt_str_t));
    }

    reads->keys = keys;
    reads->size = size;
    asked->newly = ids;

    return RT_OK;
}


/* Takes the row (key, id, sender_type) as one that is to be marked. */
static rt_status_t
rt_sqlite_reads_take(rt_sqlite_reads_t *reads, sqlite3_stmt *statement)
{
    int                 failed;
    rt_message_reads_t *asked = reads->asked;

    if (rt_sqlite_reads_grow(reads) != RT_OK) {
        return RT_NO_MEMORY;
    }

    failed = 0;
    reads->keys[asked->newly_count] = sqlite3_column_int64(statement, 0);
    asked->newly[asked->newly_count++] = rt_sqlite_text(statement, 1, reads->arena, &failed);
    reads->customers += sqlite3_column_int(statement, 2) == RT_SENDER_CUSTOMER;

    return failed ? RT_NO_MEMORY : RT_OK;
}


static void
rt_sqlite_reads_bind(sqlite3_stmt *statement, const rt_message_reads_t *asked)
{
    rt_sqlite_bind_int(statement, 1, asked->room->store_key);
    rt_sqlite_bind_int(statement, 2, (int64_t) asked->whose);
    rt_sqlite_bind_text(statement, 3, asked->reader_id);
}


/* Up to where this side has read everything. */
static rt_status_t
rt_sqlite_reads_from(rt_sqlite_reads_t *reads, int64_t *seq)
{
    int           code;
    sqlite3_stmt *statement;

    *seq = 0;

    if (reads->asked->whose == RT_READS_OTHERS) {
        return RT_OK; /* each reader has others: no mark fits them all */
    }

    statement = rt_sqlite_statement(reads->db, RT_SQL_READS_MARKS);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_int(statement, 1, reads->asked->room->store_key);

    code = rt_sqlite_step(statement);
    if (code != SQLITE_ROW) {
        return rt_sqlite_failed(reads->db, code);
    }

    *seq = sqlite3_column_int64(statement, reads->asked->whose == RT_READS_CUSTOMER ? 0 : 1);
    sqlite3_reset(statement);

    return RT_OK;
}


static rt_status_t
rt_sqlite_reads_list(rt_sqlite_reads_t *reads, sqlite3_stmt *statement)
{
    int         code;
    rt_status_t status;

    status = RT_OK;

    while (status == RT_OK && (code = sqlite3_step(statement)) != SQLITE_DONE) {
        if (code != SQLITE_ROW) {
            status = rt_sqlite_failed(reads->db, code);
            break;
        }

        status = rt_sqlite_reads_take(reads, statement);
    }

    sqlite3_reset(statement);

    return status;
}


static rt_status_t
rt_sqlite_reads_all(rt_sqlite_reads_t *reads)
{
    int                 indexed;
    int64_t             from;
    rt_status_t         status;
    sqlite3_stmt       *statement;
    rt_message_reads_t *asked = reads->asked;

    indexed = asked->room->type != RT_ROOM_CUSTOMER_SUPPORT;

    status = rt_sqlite_reads_from(reads, &from);
    if (status != RT_OK) {
        return status;
    }

    statement = rt_sqlite_statement(reads->db,
        indexed ? RT_SQL_READS_LIST_INDEXED : RT_SQL_READS_LIST_BEHIND);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_reads_bind(statement, asked);

    if (!indexed) {
        rt_sqlite_bind_int(statement, 4, from);
    }

    status = rt_sqlite_reads_list(reads, statement);

    asked->read = asked->newly;
    asked->read_count = asked->newly_count;

    if (asked->whose == RT_READS_CUSTOMER) {
        reads->read_customer = asked->room->seq;
    } else if (asked->whose == RT_READS_NOT_CUSTOMER) {
        reads->read_others = asked->room->seq;
    }

    return status;
}


static int
rt_sqlite_reads_has(const rt_message_reads_t *asked, rt_str_t id)
{
    size_t i;

    for (i = 0; i < asked->read_count; i++) {
        if (rt_str_eq(asked->read[i], id)) {
            return 1;
        }
    }

    return 0;
}


static rt_status_t
rt_sqlite_reads_one(rt_sqlite_reads_t *reads, rt_str_t id)
{
    int                 code;
    rt_status_t         status;
    sqlite3_stmt       *statement;
    rt_message_reads_t *asked = reads->asked;

    if (rt_sqlite_reads_has(asked, id)) {
        return RT_OK;
    }

    statement = rt_sqlite_statement(reads->db, RT_SQL_READS_FIND);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_reads_bind(statement, asked);
    rt_sqlite_bind_text(statement, 4, id);

    code = rt_sqlite_step(statement);
    status = RT_OK;

    if (code == SQLITE_ROW) {
        asked->read[asked->read_count++] = id;

        if (sqlite3_column_int(statement, 3) != RT_SQLITE_IS_READ) {
            status = rt_sqlite_reads_take(reads, statement);
        }

    } else if (code != SQLITE_DONE) {
        return rt_sqlite_failed(reads->db, code);
    }

    sqlite3_reset(statement);

    return status;
}


static rt_status_t
rt_sqlite_reads_named(rt_sqlite_reads_t *reads)
{
    size_t              i;
    rt_status_t         status;
    rt_message_reads_t *asked = reads->asked;

    asked->read = rt_arena_alloc(reads->arena, (asked->count + 1) * sizeof(rt_str_t));
    if (asked->read == NULL) {
        return RT_NO_MEMORY;
    }

    for (i = 0; i < asked->count; i++) {
        status = rt_sqlite_reads_one(reads, asked->ids[i]);
        if (status != RT_OK) {
            return status;
        }
    }

    return RT_OK;
}


static rt_status_t
rt_sqlite_reads_mark(rt_sqlite_reads_t *reads)
{
    size_t              i;
    rt_status_t         status;
    sqlite3_stmt       *statement;
    rt_message_reads_t *asked = reads->asked;

    statement = rt_sqlite_statement(reads->db, RT_SQL_READS_MARK);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    for (i = 0; i < asked->newly_count; i++) {
        rt_sqlite_bind_int(statement, 1, reads->keys[i]);
        rt_sqlite_bind_int(statement, 2, asked->now_ms);

        status = rt_sqlite_run(reads->db, statement);
        if (status != RT_OK) {
            return status;
        }
    }

    return RT_OK;
}


static rt_status_t
rt_sqlite_reads_count(rt_sqlite_reads_t *reads)
{
    rt_room_t    *room = reads->asked->room;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(reads->db, RT_SQL_ROOM_READ);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    room->unread_count -= reads->customers;
    room->updated_at_ms = reads->asked->now_ms;

    if (room->unread_count < 0 || reads->read_customer) {
        room->unread_count = 0;
    }

    rt_sqlite_bind_int(statement, 1, room->store_key);
    rt_sqlite_bind_int(statement, 2, room->unread_count);
    rt_sqlite_bind_int(statement, 3, room->updated_at_ms);
    rt_sqlite_bind_int(statement, 4, reads->read_customer);
    rt_sqlite_bind_int(statement, 5, reads->read_others);

    return rt_sqlite_run(reads->db, statement);
}


rt_status_t
rt_sqlite_messages_read(rt_store_session_t *session, rt_arena_t *arena, rt_message_reads_t *asked)
{
    rt_status_t       status;
    rt_sqlite_reads_t reads;

    memset(&reads, 0, sizeof(rt_sqlite_reads_t));
    reads.asked = asked;
    reads.arena = arena;
    reads.db = (rt_sqlite_t *) session;

    asked->newly = NULL;
    asked->newly_count = 0;
    asked->read = NULL;
    asked->read_count = 0;

    status = asked->all ? rt_sqlite_reads_all(&reads) : rt_sqlite_reads_named(&reads);

    if (status == RT_OK && asked->newly_count) {
        status = rt_sqlite_reads_mark(&reads);

        if (status == RT_OK) {
            status = rt_sqlite_reads_count(&reads);
        }
    }

    if (status != RT_OK) {
        reads.db->spoiled = 1;
    }

    return status;
}
