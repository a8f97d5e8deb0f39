/* What the files of the SQLite store share. Nothing outside core/store includes this. */

#ifndef RT_STORE_SQLITE_H
#define RT_STORE_SQLITE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "store/rt_store.h"


/* The statements that are prepared once per connection; texts in rt_store_sqlite_sql.c. */
typedef enum {
    RT_SQL_BEGIN_READ,
    RT_SQL_BEGIN_WRITE,
    RT_SQL_COMMIT,
    RT_SQL_ROOM_GET,
    RT_SQL_ROOM_FIND_OPEN,
    RT_SQL_ROOM_ADD,
    RT_SQL_ROOM_STATE,
    RT_SQL_ROOM_METADATA,
    RT_SQL_ROOM_TOUCH,
    RT_SQL_ROOM_ASSIST,
    RT_SQL_ROOMS_DUE,
    RT_SQL_ROOMS_ARE_DUE,
    RT_SQL_ROOM_TOLD,
    RT_SQL_MESSAGE_ADD,
    RT_SQL_MESSAGE_GET,
    RT_SQL_MESSAGE_FIND,
    RT_SQL_MESSAGES_BEFORE,
    RT_SQL_MESSAGES_AFTER,
    RT_SQL_READS_MARKS,
    RT_SQL_READS_FIND,
    RT_SQL_READS_LIST_BEHIND,
    RT_SQL_READS_LIST_INDEXED,
    RT_SQL_READS_MARK,
    RT_SQL_ROOM_READ,
    RT_SQL_NOTIFY_STREAM,
    RT_SQL_NOTIFY_STREAM_ADD,
    RT_SQL_NOTIFY_STREAM_SEQ,
    RT_SQL_NOTIFY_ADD,
    RT_SQL_NOTIFY_FIND,
    RT_SQL_NOTIFY_AFTER,
    RT_SQL_NOTIFY_READ_FIND,
    RT_SQL_NOTIFY_READ_MARK,
    RT_SQL_NOTIFY_READ_ALL,
    RT_SQL_NOTIFY_UNREAD,
    RT_SQL_NOTIFY_UNREAD_IDS,
    RT_SQL_NOTIFY_SWEEP,
    RT_SQL_NOTIFY_AUDIT,
    RT_SQL_FAQ_ADD,
    RT_SQL_FAQ_GET,
    RT_SQL_FAQ_CHANGE,
    RT_SQL_FAQS_COUNT,
    RT_SQL_FAQS_LIST,
    RT_SQL_FAQ_USED,
    RT_SQL_RESPONSE_ADD,
    RT_SQL_RESPONSE_GET,
    RT_SQL_RESPONSE_CHANGE,
    RT_SQL_RESPONSES_COUNT,
    RT_SQL_RESPONSES_LIST,
    RT_SQL_RESPONSE_USED,
    RT_SQL_ASSIST_VERSION,
    RT_SQL_ASSIST_CHANGED,
    RT_SQL_FEEDBACK_GET,
    RT_SQL_FEEDBACK_PUT,
    RT_SQL_UNANSWERED_ADD,
    RT_SQL_UNANSWERED_LIST,
    RT_SQL_UNANSWERED_SWEEP,
    RT_SQL_WEBHOOK_ADD,
    RT_SQL_WEBHOOK_CHANGE,
    RT_SQL_WEBHOOK_REMOVE,
    RT_SQL_WEBHOOK_GET,
    RT_SQL_WEBHOOKS_OF,
    RT_SQL_WEBHOOKS_ACTIVE,
    RT_SQL_DELIVERY_ADD,
    RT_SQL_DELIVERIES_PENDING,
    RT_SQL_DELIVERY_DUE,
    RT_SQL_DELIVERY_CLAIM,
    RT_SQL_DELIVERY_SETTLE,
    RT_SQL_DELIVERIES_COUNT,
    RT_SQL_DELIVERIES_LIST,
    RT_SQL_DELIVERY_RETRY,
    RT_SQL_DELIVERIES_SWEEP,
    RT_SQL_COUNT
} rt_sql_t;

extern const char *const rt_sqlite_sql[RT_SQL_COUNT];

/* messages.is_read. An unread message is of one kind by its room and stays so until it is read. */
#define RT_SQLITE_UNREAD         0 /* of a customer-support room: found behind the room's marks */
#define RT_SQLITE_IS_READ        1
#define RT_SQLITE_UNREAD_INDEXED 2 /* of the other rooms: found by messages_unread */

typedef struct rt_sqlite_store_s      rt_sqlite_store_t;
typedef struct rt_sqlite_s            rt_sqlite_t;
typedef struct rt_sqlite_checkpoint_s rt_sqlite_checkpoint_t;

/* One connection and its session: one thread at a time. */
struct rt_sqlite_s {
    rt_store_session_t session; /* first */
    rt_sqlite_store_t *store;
    sqlite3           *db;
    sqlite3_stmt      *statements[RT_SQL_COUNT];
    rt_store_mode_t    mode;
    int                spoiled;
    uint64_t           busy_since_us;
    uint32_t           random;
    rt_buf_t           scratch; /* where documents are written before they are bound */
    rt_sqlite_t       *next;    /* among the idle readers */
};

struct rt_sqlite_store_s {
    rt_store_t              store; /* first */
    rt_log_t                log;
    char                   *path;
    pthread_mutex_t         turn_lock;  /* held while waiting for the next */
    pthread_mutex_t         write_lock; /* held by the write session */
    rt_sqlite_t            *writer;
    pthread_mutex_t         readers_lock;
    rt_sqlite_t            *readers;
    rt_sqlite_checkpoint_t *checkpoint;
    atomic_int              trouble; /* SQLite's code of what was logged last; 0: it works */
};


/* Opens one connection; the schema is not looked at. create: makes the file when there is none
 * (only at the start: one that vanishes later is a fault, not a reason to begin an empty one).
 * RT_UNAVAILABLE with the reason. */
rt_status_t rt_sqlite_connect(rt_sqlite_store_t *store, int create, rt_sqlite_t **out,
    rt_error_t *error);
void        rt_sqlite_disconnect(rt_sqlite_t *db); /* accepts NULL */

/* Creates or brings up to date the tables, in a transaction of its own; several processes may do
 * so at once. RT_UNAVAILABLE, also for a schema newer than this code, with the reason. */
rt_status_t rt_sqlite_migrate(rt_sqlite_t *db, rt_error_t *error);

/* Starts the thread that moves the log of store->writer's commits into the file. Until then, and
 * without it, nothing does but the closing of the last connection. */
rt_status_t rt_sqlite_checkpoint_start(rt_sqlite_store_t *store, rt_error_t *error);
void        rt_sqlite_checkpoint_stop(rt_sqlite_store_t *store); /* waits for it */

/* The version of the tables that this code writes. */
#define RT_SQLITE_SCHEMA 6

/* The cached statement, reset and without bindings; NULL when it can't be prepared (then the
 * session is spoiled, rt_sqlite_failed says what to return). */
sqlite3_stmt *rt_sqlite_statement(rt_sqlite_t *db, rt_sql_t which);

/* Steps: SQLITE_ROW, SQLITE_DONE, or another code (the statement is then reset). */
int rt_sqlite_step(sqlite3_stmt *statement);

/* Runs a statement to its end and resets it. RT_CONFLICT: a UNIQUE constraint; the session goes
 * on. */
rt_status_t rt_sqlite_run(rt_sqlite_t *db, sqlite3_stmt *statement);

/* Runs a statement that removes `limit` of what is older than ?1; ?2 is limit. */
rt_status_t rt_sqlite_sweep(rt_sqlite_t *db, rt_sql_t which, int64_t before_ms, int64_t limit,
    int64_t *removed);

/* Reads the current row. RT_NO_MEMORY. */
typedef rt_status_t (*rt_sqlite_row_pt)(sqlite3_stmt *statement, rt_arena_t *arena, void *out);

/* Steps to the end and reads each row by `read` into rows of `size` bytes, zeroed; resets. */
rt_status_t rt_sqlite_rows(rt_sqlite_t *db, sqlite3_stmt *statement, rt_arena_t *arena, size_t size,
    rt_sqlite_row_pt read, void **rows, size_t *count);

/* The number that a statement gives, 0 when it gives none; resets. */
rt_status_t rt_sqlite_number(rt_sqlite_t *db, sqlite3_stmt *statement, int64_t *out);

/* The status of SQLite's code, told to the log when it is news; spoils the session. */
rt_status_t rt_sqlite_failed(rt_sqlite_t *db, int code);

/* Binding: an empty text is bound as NULL; rt_sqlite_bind_text must stay until the reset. */
void rt_sqlite_bind_text(sqlite3_stmt *statement, int at, rt_str_t text);
void rt_sqlite_bind_int(sqlite3_stmt *statement, int at, int64_t value);

/* A column's text, copied; rt_str_null for NULL. *failed is set without memory, else untouched. */
rt_str_t rt_sqlite_text(sqlite3_stmt *statement, int column, rt_arena_t *arena, int *failed);


/* The operations, by subject. */
rt_status_t rt_sqlite_rooms_get(rt_store_session_t *session, rt_arena_t *arena, const rt_str_t *ids,
    size_t count, rt_room_t **out);
rt_status_t rt_sqlite_room_find_open(rt_store_session_t *session, rt_arena_t *arena,
    const rt_room_t *like, rt_room_t **out);
rt_status_t rt_sqlite_room_add(rt_store_session_t *session, rt_room_t *room);
rt_status_t rt_sqlite_room_change(rt_store_session_t *session, rt_room_t *room,
    rt_room_change_t change);
rt_status_t rt_sqlite_rooms_list(rt_store_session_t *session, rt_arena_t *arena,
    const rt_room_query_t *query, rt_room_list_t *out);
rt_status_t rt_sqlite_messages_add(rt_store_session_t *session, rt_message_t **messages,
    size_t count);
rt_status_t rt_sqlite_message_get(rt_store_session_t *session, rt_arena_t *arena,
    const rt_room_t *room, rt_str_t id, rt_message_row_t *out);
rt_status_t rt_sqlite_message_find(rt_store_session_t *session, rt_arena_t *arena,
    const rt_room_t *room, rt_str_t sender_id, rt_str_t client_id, rt_message_row_t *out);
rt_status_t rt_sqlite_messages_list(rt_store_session_t *session, rt_arena_t *arena, rt_room_t *room,
    rt_message_range_t range, int64_t at, int64_t limit, rt_message_list_t *out);
rt_status_t rt_sqlite_messages_after(rt_store_session_t *session, rt_arena_t *arena,
    rt_room_after_t *rooms, size_t count, int64_t limit);
rt_status_t rt_sqlite_messages_count(rt_store_session_t *session, const rt_room_t *room,
    int64_t *out);
rt_status_t rt_sqlite_messages_read(rt_store_session_t *session, rt_arena_t *arena,
    rt_message_reads_t *reads);

/* The assistant's part of rooms (rt_store_sqlite_due.c). */
rt_status_t rt_sqlite_room_assist(rt_store_session_t *session, const rt_room_t *room,
    int64_t done_before, int is_told);
rt_status_t rt_sqlite_rooms_due(rt_store_session_t *session, rt_arena_t *arena, int64_t before_ms,
    int64_t now_ms, int64_t limit, rt_room_due_t **out, size_t *count);
rt_status_t rt_sqlite_rooms_are_due(rt_store_session_t *session, int64_t before_ms, int *out);
rt_status_t rt_sqlite_rooms_told(rt_store_session_t *session, const rt_room_due_t *rooms,
    size_t count);

/* Notifications too (rt_store_sqlite_notify.c). */
#define RT_SQLITE_NOTIFY_COLUMNS "id, business_id, seq, type, sub_type, is_read, read_at, doc, key"

/* Reads the current row. RT_NO_MEMORY. */
rt_status_t rt_sqlite_notify_row(rt_sqlite_t *db, sqlite3_stmt *statement, rt_arena_t *arena,
    rt_notify_row_t *out);

/* *key is 0 when there is no stream of that name. */
rt_status_t rt_sqlite_stream_get(rt_sqlite_t *db, rt_str_t name, int64_t *key, int64_t *seq);

rt_status_t rt_sqlite_notify_list(rt_store_session_t *session, rt_arena_t *arena,
    const rt_notify_query_t *query, rt_notify_list_t *out);
rt_status_t rt_sqlite_notify_read(rt_store_session_t *session, rt_arena_t *arena,
    rt_notify_reads_t *reads);

/* Rooms are read in the order of these columns, everywhere (rt_store_sqlite_rooms.c). */
#define RT_SQLITE_ROOM_COLUMNS                                                                     \
    "key, id, business_id, type, name, is_active, is_archived, seq, unread_count, "                \
    "last_message_id, last_message, last_message_at, created_at, updated_at, metadata, "           \
    "user_id, user_name, user_email, owner_id, member_id, priority, assigned_staff_id, "           \
    "welcomed, asked_seq, done_seq, told_seq, staff_seq, staff_at, customer_at, offline_seq, "     \
    "acknowledge_seq, called_seq, feedback_seq, feedback_id, feedback_faq"

/* Reads the current row. RT_NO_MEMORY. */
rt_status_t rt_sqlite_room_row(sqlite3_stmt *statement, rt_arena_t *arena, rt_room_t *room);

#endif
