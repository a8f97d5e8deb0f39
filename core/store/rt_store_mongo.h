/* What the files of the MongoDB store share. Nothing outside core/store includes this.
 *
 * libbson ends the process when there is no memory, and its appends fail otherwise only past 2 GB:
 * documents here are bounded, so their results are not looked at. */

#ifndef RT_STORE_MONGO_H
#define RT_STORE_MONGO_H

#include <jansson.h>
#include <mongoc/mongoc.h>
#include <pthread.h>
#include <stdatomic.h>

#include "store/rt_store.h"


/* Defaults where the URI says nothing. A server that hangs costs a call the socket's timeout, since
 * neither reads nor messages are sent to it twice (the rare other writes are, by libmongoc); one
 * that is gone costs the selection's; both only until the heartbeats have noticed. */
#define RT_MONGO_SELECTION_MS 1500
#define RT_MONGO_CONNECT_MS   1500
#define RT_MONGO_SOCKET_MS    3000
#define RT_MONGO_HEARTBEAT_MS 2000
#define RT_MONGO_WTIMEOUT_MS  2500
#define RT_MONGO_READ_MS      2500 /* what the server may spend on one read */
#define RT_MONGO_POOL_CLIENTS 512  /* twice the most threads that a worker may have */

/* What was not brought to its end for so long will not be: who did it is gone or has given up. */
#define RT_MONGO_SETTLE_MS 5000

typedef struct rt_mongo_store_s rt_mongo_store_t;
typedef struct rt_mongo_made_s  rt_mongo_made_t;

/* What the pool's heartbeats say. */
typedef enum { RT_MONGO_UNKNOWN, RT_MONGO_UP, RT_MONGO_DOWN } rt_mongo_state_t;

struct rt_mongo_store_s {
    rt_store_t      store; /* first */
    rt_log_t        log;
    mongoc_uri_t   *uri;
    const char     *database; /* the URI's, or a literal */
    bson_t          concern;  /* {"writeConcern":…} */
    int64_t         opened_ms;
    pthread_t       owner; /* makes the pool and the indexes, and ends the pool */
    pthread_mutex_t lock;
    pthread_cond_t  changed;

    /* under the lock, told by `changed` */
    mongoc_client_pool_t *pool; /* NULL until the owner has made it */
    int                   stop;
    int                   ended;
    int                   orphaned; /* nobody waits for the owner: it frees the store */
    char                  reason[RT_ERROR_TEXT_MAX]; /* of the last heartbeat that failed */
    char                 *audit_stored;              /* the resume token that was stored, */
    char                 *audit_next; /* and how far this process has read on; NULL, or malloc */

    /* changed under the lock, read without */
    atomic_int state;   /* rt_mongo_state_t */
    atomic_int indexed; /* without its unique indexes nothing is written */

    atomic_int trouble; /* the code of what was logged last; 0: it works */
};

/* A session: a client of the pool. */
typedef struct {
    rt_store_session_t   session; /* first */
    rt_mongo_store_t    *store;
    mongoc_client_t     *client;
    mongoc_collection_t *rooms;
    mongoc_collection_t *messages;
    int64_t              begun_ms;
    int                  spoiled;
    int                  failed; /* an operation was: the store's trouble is not over */
    int                  lost;   /* the server did not answer: it is not asked again */
    rt_arena_t          *arena;  /* of `made`; NULL until it is needed */
    rt_mongo_made_t     *made;   /* rooms of this session, taken back when it is rolled back */
    rt_buf_t             scratch;
} rt_mongo_t;

/* Bits of rt_room_t.store_key. */
#define RT_MONGO_TEXT_ID   1 /* its _id is a text, though it would be an ObjectId by our rules */
#define RT_MONGO_UNSETTLED 2 /* its messages have no numbers yet: nothing may be added */

/* A room with what only this store looks at. */
typedef struct {
    rt_room_t room;         /* first */
    int       has_seq;      /* 0: none of its messages has a number yet */
    int64_t   stored_count; /* how many messages its document has counted */
    int       is_touched;   /* its last message is not one of ours: somebody else has written */
} rt_mongo_room_t;


/* ---- rt_store_mongo_pool.c: the owner thread, and whether a primary answers */

/* Starts the owner; the store is complete otherwise. RT_ERROR. */
rt_status_t rt_mongo_pool_start(rt_mongo_store_t *store);

/* Ends the owner and frees the store, now or, when a server hangs, soon. */
void rt_mongo_pool_stop(rt_mongo_store_t *store);

/* A client, or NULL: no primary answers, or (for_writing) the indexes are not made yet. Waits for
 * both, shortly, only after the store was opened. */
mongoc_client_t *rt_mongo_pool_pop(rt_mongo_store_t *store, int for_writing);

/* What rt_store_mongo.c does when nothing is left of the store but its memory. */
void rt_mongo_free(rt_mongo_store_t *store);

/* Makes the indexes. RT_OK: the unique ones are there. RT_CONFLICT: one of them can't be made, as
 * was logged (when it is news: `said` remembers). RT_UNAVAILABLE. */
rt_status_t rt_mongo_index(rt_mongo_store_t *store, mongoc_client_t *client, unsigned *said);


/* ---- rt_store_mongo_run.c: commands and their errors */

/* 0: this session's server has not answered before, or no primary is seen: it is not asked. */
int rt_mongo_alive(rt_mongo_t *db);

/* The status of an error, told to the log when it is news. */
rt_status_t rt_mongo_failed(rt_mongo_t *db, const bson_error_t *error);

/* Called with each document; anything but RT_OK ends the reading and is what it returns. */
typedef rt_status_t (*rt_mongo_row_pt)(void *data, const bson_t *document);

rt_status_t rt_mongo_find(rt_mongo_t *db, mongoc_collection_t *collection, const bson_t *filter,
    bson_t *options, rt_mongo_row_pt each, void *data);
rt_status_t rt_mongo_aggregate(rt_mongo_t *db, mongoc_collection_t *collection,
    const bson_t *pipeline, rt_mongo_row_pt each, void *data);

/* One document or many. *matched (may be NULL): those that were changed. RT_CONFLICT: a unique
 * index refuses. */
rt_status_t rt_mongo_update(rt_mongo_t *db, mongoc_collection_t *collection, int many,
    const bson_t *filter, const bson_t *update, int64_t *matched);

/* 1 when the error is a duplicate key's. */
int rt_mongo_is_duplicate(const bson_error_t *error);

/* The same in a collection of that name; what they are given is destroyed. Count: up to limit, 0:
 * all. Insert: RT_CONFLICT when a unique index refuses. Update and set (the members to be set):
 * one document. */
rt_status_t rt_mongo_find_in(rt_mongo_t *db, const char *name, bson_t *filter, bson_t *options,
    rt_mongo_row_pt each, void *data);
rt_status_t rt_mongo_count_in(rt_mongo_t *db, const char *name, bson_t *filter, int64_t limit,
    int64_t *out);
rt_status_t rt_mongo_insert_in(rt_mongo_t *db, const char *name, bson_t *document);
rt_status_t rt_mongo_update_in(rt_mongo_t *db, const char *name, bson_t *filter, bson_t *update,
    int64_t *matched);
rt_status_t rt_mongo_set_in(rt_mongo_t *db, const char *name, bson_t *filter, bson_t *set,
    int64_t *matched);

/* Rows of `size` bytes that are gathered from a cursor, in the arena. */
typedef struct {
    rt_arena_t *arena;
    char       *rows;
    size_t      size;
    size_t      count;
    size_t      room;
} rt_mongo_gather_t;

/* The next row, zeroed. NULL without memory. */
void *rt_mongo_gather_next(rt_mongo_gather_t *rows);


/* ---- rt_store_mongo_bson.c: values
 *
 * Ids are ObjectIds where they look like one: 24 hex digits, lower case, since that is how they are
 * read back. Queries find them under both types. */

void rt_mongo_put_id(bson_t *document, const char *name, rt_str_t id);     /* nothing when empty */
void rt_mongo_put_text(bson_t *document, const char *name, rt_str_t text); /* nothing when empty */

/* The condition that `name` is that id, as ObjectId or text. */
void rt_mongo_put_either(bson_t *document, const char *name, rt_str_t id);

/* The same for any of several. */
void rt_mongo_put_any(bson_t *document, const char *name, const rt_str_t *ids, size_t count);

/* A JSON text as the value of `name`; nothing when it is empty. ids: names, NULL terminated or
 * NULL, of members that hold ids. RT_ERROR: it is not JSON. RT_NO_MEMORY. */
rt_status_t rt_mongo_put_json(bson_t *document, const char *name, rt_str_t json,
    const char *const *ids);

/* A JSON value, nested as rt_json_parse allows. Not 0: it could not be appended. */
int rt_mongo_put_value(bson_t *document, const char *name, const json_t *value);

typedef enum {
    RT_MONGO_TEXT, /* rt_str_t: also of ObjectIds, dates and numbers */
    RT_MONGO_INT,  /* int64_t */
    RT_MONGO_TIME, /* int64_t, in milliseconds */
    RT_MONGO_TRUE, /* int, 1 where it is absent */
    RT_MONGO_FALSE,
    RT_MONGO_NUMBER, /* double; as it is where it is absent, or no finite number */
    RT_MONGO_ARRAY,  /* rt_str_t: as JSON; empty where it is none */
    RT_MONGO_OBJECT,
    RT_MONGO_JSON,   /* rt_str_t */
    RT_MONGO_PRESENT /* int, 1 where it is there */
} rt_mongo_type_t;

/* Which member of a document goes where in a struct. */
typedef struct {
    const char     *name;
    rt_mongo_type_t type;
    size_t          offset;
} rt_mongo_field_t;

/* Reads the document's members by the table, which ends with a NULL name. What is absent or of
 * another type stays as it is, but for the booleans. Texts are copied. RT_NO_MEMORY. */
rt_status_t rt_mongo_read(const bson_t *document, const rt_mongo_field_t *fields, void *out,
    rt_arena_t *arena);


/* ---- rt_store_mongo_ids.c: documents by their ids */

typedef struct {
    rt_arena_t *arena;
    rt_str_t   *ids; /* in the arena */
    size_t      count;
    size_t      size; /* how many at most */
} rt_mongo_ids_t;

/* The ids of what the filter finds, by createdAt: order 1, the oldest first; -1, the newest. */
rt_status_t rt_mongo_ids_find(rt_mongo_t *db, mongoc_collection_t *collection, const bson_t *filter,
    int order, rt_mongo_ids_t *ids);

/* Deletes the `limit` oldest of what the filter finds. *removed: those that nobody else deleted
 * meanwhile. */
rt_status_t rt_mongo_delete_oldest(rt_mongo_t *db, mongoc_collection_t *collection,
    const bson_t *filter, int64_t limit, int64_t *removed);


/* ---- rt_store_mongo_room.c: a room's document */

rt_status_t rt_mongo_room_read(const bson_t *document, rt_arena_t *arena, rt_mongo_room_t *out);

/* The whole document of a new room. key: what may be open only once, or empty. */
rt_status_t rt_mongo_room_write(bson_t *document, const rt_room_t *room, rt_str_t key);

/* "_id" and "roomId" of a room, in the type that its document has. */
void rt_mongo_put_room(bson_t *document, const char *name, const rt_room_t *room);

/* metadata's value, with what `before`, a document, held already in the type that it had there. */
rt_status_t rt_mongo_put_metadata(bson_t *document, rt_str_t json, const bson_t *before);


/* ---- rt_store_mongo_number.c: rooms that are not as we left them */

/* Brings rooms that were just read up to date: numbers messages that have no seq, and counts again
 * where that was not brought to its end. NULL entries are skipped. A room that would take too long
 * gets RT_MONGO_UNSETTLED: the next call goes on with it. */
rt_status_t rt_mongo_settle(rt_mongo_t *db, rt_arena_t *arena, rt_mongo_room_t *const *rooms,
    size_t count);

/* Reads the room's messages for what its document must say, and writes it there and into *room. */
rt_status_t rt_mongo_recount(rt_mongo_t *db, rt_arena_t *arena, rt_room_t *room);

/* Numbers recent messages of the original's in rooms that have numbers. The owner's thread. */
void rt_mongo_sweep(rt_mongo_store_t *store);

/* rooms[i]: the room of ids[i] as its document is, or as it was before. */
rt_status_t rt_mongo_rooms_load(rt_mongo_t *db, rt_arena_t *arena, const rt_str_t *ids,
    size_t count, rt_mongo_room_t **rooms);

/* The seq of the room's newest message; 0: it has none. */
rt_status_t rt_mongo_newest(rt_mongo_t *db, const rt_room_t *room, int64_t *seq);


/* ---- rt_store_mongo_message.c: a message's document */

/* A new one. RT_ERROR: JSON within it is none. RT_NO_MEMORY. */
rt_status_t rt_mongo_message_write(bson_t *document, const rt_message_t *message, int64_t seq);

/* Its row; room says whose it is. */
rt_status_t rt_mongo_message_read(rt_mongo_t *db, const bson_t *document, const rt_room_t *room,
    rt_arena_t *arena, rt_message_row_t *out);

/* The members of a room's `last`. */
void rt_mongo_put_last(bson_t *last, int64_t seq, rt_str_t id, int64_t at_ms, rt_str_t text);


/* ---- the operations, by subject */

rt_status_t rt_mongo_rooms_get(rt_store_session_t *session, rt_arena_t *arena, const rt_str_t *ids,
    size_t count, rt_room_t **out);
rt_status_t rt_mongo_room_find_open(rt_store_session_t *session, rt_arena_t *arena,
    const rt_room_t *like, rt_room_t **out);
rt_status_t rt_mongo_room_add(rt_store_session_t *session, rt_room_t *room);
rt_status_t rt_mongo_room_change(rt_store_session_t *session, rt_room_t *room,
    rt_room_change_t change);
void        rt_mongo_rooms_undo(rt_mongo_t *db); /* those of db->made */
rt_status_t rt_mongo_rooms_list(rt_store_session_t *session, rt_arena_t *arena,
    const rt_room_query_t *query, rt_room_list_t *out);
rt_status_t rt_mongo_messages_add(rt_store_session_t *session, rt_message_t **messages,
    size_t count);
rt_status_t rt_mongo_message_get(rt_store_session_t *session, rt_arena_t *arena,
    const rt_room_t *room, rt_str_t id, rt_message_row_t *out);
rt_status_t rt_mongo_message_find(rt_store_session_t *session, rt_arena_t *arena,
    const rt_room_t *room, rt_str_t sender_id, rt_str_t client_id, rt_message_row_t *out);
rt_status_t rt_mongo_messages_list(rt_store_session_t *session, rt_arena_t *arena, rt_room_t *room,
    rt_message_range_t range, int64_t at, int64_t limit, rt_message_list_t *out);
rt_status_t rt_mongo_messages_after(rt_store_session_t *session, rt_arena_t *arena,
    rt_room_after_t *rooms, size_t count, int64_t limit);
rt_status_t rt_mongo_messages_count(rt_store_session_t *session, const rt_room_t *room,
    int64_t *out);
rt_status_t rt_mongo_messages_read(rt_store_session_t *session, rt_arena_t *arena,
    rt_message_reads_t *reads);

/* The assistant's part of rooms (rt_store_mongo_due.c). */
rt_status_t rt_mongo_room_assist(rt_store_session_t *session, const rt_room_t *room,
    int64_t done_before, int is_told);
rt_status_t rt_mongo_rooms_due(rt_store_session_t *session, rt_arena_t *arena, int64_t before_ms,
    int64_t now_ms, int64_t limit, rt_room_due_t **out, size_t *count);
rt_status_t rt_mongo_rooms_are_due(rt_store_session_t *session, int64_t before_ms, int *out);
rt_status_t rt_mongo_rooms_told(rt_store_session_t *session, const rt_room_due_t *rooms,
    size_t count);

#endif
