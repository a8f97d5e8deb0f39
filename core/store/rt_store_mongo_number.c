/* Rooms that are not as we left them.
 *
 * The original system gives its messages no seq, and may go on writing beside us while a team moves
 * over: what has none is numbered in the order of (createdAt, _id) when the room is next used. The
 * seq of a room's messages are 1…n at any time, since each is set only behind the last one, and the
 * unique index refuses what another host was quicker with; who is refused looks again.
 *
 * A host that dies between storing a message and counting it in its room leaves storedCount behind
 * seq, or seq behind the messages. After RT_MONGO_SETTLE_MS nobody will bring that to its end any
 * more, and the room's document is written anew from its messages. Should the host have been slow
 * and not dead, storedCount will be past seq then, and the room is counted once more. */

#include <string.h>

#include <rt/rt_text.h>

#include "store/rt_store_mongo.h"


#define RT_MONGO_NUMBER_BATCH 1000
#define RT_MONGO_NUMBER_MS    1500 /* then the call gives up; the next one goes on from there */
#define RT_MONGO_TURNS        20

typedef struct {
    int64_t  seq;
    rt_str_t id;
    rt_str_t content;
    rt_str_t sender_type;
    int64_t  created_at_ms;
} rt_mongo_newest_t;

static const rt_mongo_field_t rt_mongo_newest_fields[] = {
    {"seq", RT_MONGO_INT, offsetof(rt_mongo_newest_t, seq)},
    {"_id", RT_MONGO_TEXT, offsetof(rt_mongo_newest_t, id)},
    {"content", RT_MONGO_TEXT, offsetof(rt_mongo_newest_t, content)},
    {"senderType", RT_MONGO_TEXT, offsetof(rt_mongo_newest_t, sender_type)},
    {"createdAt", RT_MONGO_TIME, offsetof(rt_mongo_newest_t, created_at_ms)},
    {NULL, RT_MONGO_TEXT, 0},
};

/* Where a single document's members go. */
typedef struct {
    const rt_mongo_field_t *fields;
    void                   *out;
    rt_arena_t             *arena;
    int                     found;
} rt_mongo_into_t;


static rt_status_t
rt_mongo_into_row(void *data, const bson_t *document)
{
    rt_mongo_into_t *into = data;

    into->found = 1;

    return rt_mongo_read(document, into->fields, into->out, into->arena);
}


static rt_status_t
rt_mongo_newest_message(rt_mongo_t *db, const rt_room_t *room, rt_arena_t *arena,
    rt_mongo_newest_t *out)
{
    bson_t          filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    rt_status_t     status;
    rt_mongo_into_t into = {rt_mongo_newest_fields, out, arena, 0};

    memset(out, 0, sizeof(rt_mongo_newest_t));
    rt_mongo_put_room(&filter, "roomId", room);
    BCON_APPEND(&filter, "seq", "{", "$exists", BCON_BOOL(true), "}");
    BCON_APPEND(&options, "sort", "{", "seq", BCON_INT32(-1), "}", "limit", BCON_INT64(1),
        "projection", "{", "seq", BCON_INT32(1), "content", BCON_INT32(1), "senderType",
        BCON_INT32(1), "createdAt", BCON_INT32(1), "}");

    status = rt_mongo_find(db, db->messages, &filter, &options, rt_mongo_into_row, &into);
    bson_destroy(&filter);
    bson_destroy(&options);

    return status;
}


rt_status_t
rt_mongo_newest(rt_mongo_t *db, const rt_room_t *room, int64_t *seq)
{
    rt_arena_t       *arena;
    rt_status_t       status;
    rt_mongo_newest_t newest;

    arena = rt_arena_create(0);
    if (arena == NULL) {
        return RT_NO_MEMORY;
    }

    status = rt_mongo_newest_message(db, room, arena, &newest);
    *seq = newest.seq;
    rt_arena_destroy(arena);

    return status;
}


/* Numbering as one ordered bulk: it stops where another host was quicker. */
typedef struct {
    mongoc_bulk_operation_t *bulk;
    const rt_room_t         *room;
    int64_t                  seq;
    size_t                   count;
} rt_mongo_numbering_t;


/* The room's id is written, too: messages are found by it in one type from now on. */
static rt_status_t
rt_mongo_numbering_row(void *data, const bson_t *document)
{
    bson_t                filter = BSON_INITIALIZER, update = BSON_INITIALIZER, set;
    rt_status_t           status;
    bson_iter_t           iter;
    rt_mongo_numbering_t *numbering = data;

    status = RT_OK;

    if (bson_iter_init_find(&iter, document, "_id")) {
        bson_append_iter(&filter, "_id", -1, &iter);
        BSON_APPEND_NULL(&filter, "seq");
        bson_append_document_begin(&update, "$set", -1, &set);
        BSON_APPEND_INT64(&set, "seq", ++numbering->seq);
        rt_mongo_put_room(&set, "roomId", numbering->room);
        bson_append_document_end(&update, &set);
        numbering->count++;

        if (!mongoc_bulk_operation_update_one_with_opts(numbering->bulk, &filter, &update, NULL,
                NULL)) {
            status = RT_ERROR;
        }
    }

    bson_destroy(&filter);
    bson_destroy(&update);

    return status;
}


/* RT_AGAIN: there may be more. */
static rt_status_t
rt_mongo_numbering_execute(rt_mongo_t *db, const rt_mongo_numbering_t *numbering)
{
    bson_t       reply;
    rt_status_t  status;
    bson_error_t error;

    if (numbering->count == 0) {
        return RT_OK;
    }

    status = numbering->count < RT_MONGO_NUMBER_BATCH ? RT_OK : RT_AGAIN;

    if (mongoc_bulk_operation_execute(numbering->bulk, &reply, &error) == 0) {
        status = rt_mongo_is_duplicate(&error) ? RT_AGAIN : rt_mongo_failed(db, &error);
    }

    bson_destroy(&reply);

    return status;
}


/* The newest seq is read before the list of those without: what both say can only be too little,
 * which the index refuses. */
static rt_status_t
rt_mongo_number_some(rt_mongo_t *db, const rt_room_t *room)
{
    bson_t               filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    bson_t               ordered = BSON_INITIALIZER;
    rt_status_t          status;
    rt_mongo_numbering_t numbering = {.room = room};

    rt_mongo_put_either(&filter, "roomId", room->id);
    BSON_APPEND_NULL(&filter, "seq");
    BCON_APPEND(&options, "sort", "{", "createdAt", BCON_INT32(1), "_id", BCON_INT32(1), "}",
        "limit", BCON_INT64(RT_MONGO_NUMBER_BATCH), "projection", "{", "_id", BCON_INT32(1), "}");
    BSON_APPEND_BOOL(&ordered, "ordered", true);
    numbering.bulk = mongoc_collection_create_bulk_operation_with_opts(db->messages, &ordered);

    status = rt_mongo_newest(db, room, &numbering.seq);

    if (status == RT_OK) {
        status =
            rt_mongo_find(db, db->messages, &filter, &options, rt_mongo_numbering_row, &numbering);
    }

    if (status == RT_OK) {
        status = rt_mongo_numbering_execute(db, &numbering);
    }

    mongoc_bulk_operation_destroy(numbering.bulk);
    bson_destroy(&filter);
    bson_destroy(&options);
    bson_destroy(&ordered);

    return status;
}


/* RT_AGAIN: there was no time for all of it; a short one is done whatever came before it. */
static rt_status_t
rt_mongo_number(rt_mongo_t *db, const rt_room_t *room)
{
    rt_status_t status;

    do {
        status = rt_mongo_number_some(db, room);
    } while (status == RT_AGAIN && rt_time_now_ms() - db->begun_ms < RT_MONGO_NUMBER_MS);

    return status;
}


/* What a room's document has counted, and what its messages say. */
typedef struct {
    int               has_seq;
    int64_t           seq;
    int64_t           stored_count;
    int64_t           read_customer;
    rt_str_t          last_id;
    rt_str_t          last_text;
    int64_t           unread;
    rt_mongo_newest_t newest;
} rt_mongo_counts_t;

static const rt_mongo_field_t rt_mongo_counts_fields[] = {
    {"seq", RT_MONGO_PRESENT, offsetof(rt_mongo_counts_t, has_seq)},
    {"seq", RT_MONGO_INT, offsetof(rt_mongo_counts_t, seq)},
    {"storedCount", RT_MONGO_INT, offsetof(rt_mongo_counts_t, stored_count)},
    {"readToCustomer", RT_MONGO_INT, offsetof(rt_mongo_counts_t, read_customer)},
    {"lastMessageId", RT_MONGO_TEXT, offsetof(rt_mongo_counts_t, last_id)},
    {"lastMessage", RT_MONGO_TEXT, offsetof(rt_mongo_counts_t, last_text)},
    {NULL, RT_MONGO_TEXT, 0},
};


static rt_status_t
rt_mongo_counts_unread(rt_mongo_t *db, const rt_room_t *room, rt_mongo_counts_t *counts)
{
    bson_t       filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    rt_status_t  status;
    bson_error_t error;

    if (!rt_mongo_alive(db)) {
        return RT_UNAVAILABLE;
    }

    status = RT_OK;
    rt_mongo_put_room(&filter, "roomId", room);
    BCON_APPEND(&filter, "seq", "{", "$gt", BCON_INT64(counts->read_customer), "$lte",
        BCON_INT64(counts->newest.seq), "}", "senderType", "customer", "isRead", "{", "$ne",
        BCON_BOOL(true), "}");
    BSON_APPEND_INT64(&options, "maxTimeMS", RT_MONGO_READ_MS);

    counts->unread =
        mongoc_collection_count_documents(db->messages, &filter, &options, NULL, NULL, &error);

    if (counts->unread < 0) {
        status = rt_mongo_failed(db, &error);
    }

    bson_destroy(&filter);
    bson_destroy(&options);

    return status;
}


static rt_status_t
rt_mongo_counts_read(rt_mongo_t *db, rt_arena_t *arena, const rt_room_t *room,
    rt_mongo_counts_t *counts)
{
    bson_t          filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    rt_status_t     status;
    rt_mongo_into_t into = {rt_mongo_counts_fields, counts, arena, 0};

    memset(counts, 0, sizeof(rt_mongo_counts_t));
    rt_mongo_put_room(&filter, "_id", room);
    status = rt_mongo_find(db, db->rooms, &filter, &options, rt_mongo_into_row, &into);
    bson_destroy(&filter);
    bson_destroy(&options);

    if (status == RT_OK && !into.found) {
        return RT_UNAVAILABLE; /* it was deleted just now */
    }

    if (status == RT_OK) {
        status = rt_mongo_newest_message(db, room, arena, &counts->newest);
    }

    return status == RT_OK ? rt_mongo_counts_unread(db, room, counts) : status;
}


/* Who did not come to count a customer's message did not come to ask the assistant, either. What it
 * has looked at already it knows. */
static void
rt_mongo_counts_ask(bson_t *update, const rt_room_t *room, const rt_mongo_counts_t *counts)
{
    bson_t                   max;
    const rt_mongo_newest_t *newest = &counts->newest;

    if (!counts->has_seq || room->type != RT_ROOM_CUSTOMER_SUPPORT
        || !rt_str_eq(newest->sender_type, rt_str_c(rt_sender_type_names[RT_SENDER_CUSTOMER])))
    {
        return;
    }

    bson_append_document_begin(update, "$max", -1, &max);
    BSON_APPEND_INT64(&max, "assistant.askedSeq", newest->seq);
    BSON_APPEND_DATE_TIME(&max, "assistantDueAt", newest->created_at_ms);
    bson_append_document_end(update, &max);
}


/* Only where the document still says what was read. */
static rt_status_t
rt_mongo_counts_write(rt_mongo_t *db, const rt_room_t *room, const rt_mongo_counts_t *counts,
    int64_t *matched)
{
    bson_t                   filter = BSON_INITIALIZER, update = BSON_INITIALIZER, set, last;
    rt_status_t              status;
    const rt_mongo_newest_t *newest = &counts->newest;

    rt_mongo_put_room(&filter, "_id", room);

    if (counts->has_seq) {
        BSON_APPEND_INT64(&filter, "seq", counts->seq);
        BSON_APPEND_INT64(&filter, "storedCount", counts->stored_count);
    } else {
        BSON_APPEND_NULL(&filter, "seq");
    }

    bson_append_document_begin(&update, "$set", -1, &set);
    BSON_APPEND_INT64(&set, "seq", newest->seq);
    BSON_APPEND_INT64(&set, "storedCount", newest->seq);
    BSON_APPEND_INT64(&set, "unreadCount", counts->unread);

    if (newest->seq != 0) {
        bson_append_document_begin(&set, "last", -1, &last);
        rt_mongo_put_last(&last, newest->seq, newest->id, newest->created_at_ms, counts->last_text);
        bson_append_document_end(&set, &last);
        rt_mongo_put_id(&set, "lastMessageId", newest->id);
        rt_mongo_put_text(&set, "lastMessage", counts->last_text);
        BSON_APPEND_DATE_TIME(&set, "lastMessageAt", newest->created_at_ms);
    }

    bson_append_document_end(&update, &set);
    rt_mongo_counts_ask(&update, room, counts);

    status = rt_mongo_update(db, db->rooms, 0, &filter, &update, matched);
    bson_destroy(&filter);
    bson_destroy(&update);

    return status;
}


rt_status_t
rt_mongo_recount(rt_mongo_t *db, rt_arena_t *arena, rt_room_t *room)
{
    int               turn;
    int64_t           matched;
    rt_status_t       status;
    rt_mongo_counts_t counts;

    matched = 0;

    for (turn = 0; turn < RT_MONGO_TURNS && matched == 0; turn++) {
        status = rt_mongo_counts_read(db, arena, room, &counts);
        if (status != RT_OK) {
            return status;
        }

        if (!rt_str_eq(counts.last_id, counts.newest.id) || counts.last_text.len == 0) {
            counts.last_text = rt_message_preview(counts.newest.content);
        }

        status = rt_mongo_counts_write(db, room, &counts, &matched);
        if (status != RT_OK) {
            return status;
        }
    }

    if (matched == 0) {
        return RT_UNAVAILABLE;
    }

    room->seq = counts.newest.seq;
    room->unread_count = counts.unread;

    if (counts.newest.seq != 0) {
        room->last_message_id = counts.newest.id;
        room->last_message = counts.last_text;
        room->last_message_at_ms = counts.newest.created_at_ms;
    }

    return RT_OK;
}


typedef struct {
    rt_mongo_room_t *const *rooms;
    size_t                  count;
    rt_arena_t             *arena;
} rt_mongo_touched_t;


/* A message without a number: the room that it is of has no numbers up to date. */
static rt_status_t
rt_mongo_touched_row(void *data, const bson_t *document)
{
    size_t              i;
    rt_str_t            id;
    rt_status_t         status;
    rt_mongo_touched_t *touched = data;

    const rt_mongo_field_t fields[] = {{"roomId", RT_MONGO_TEXT, 0}, {NULL, RT_MONGO_TEXT, 0}};

    id = rt_str_null;
    status = rt_mongo_read(document, fields, &id, touched->arena);

    for (i = 0; i < touched->count; i++) {
        if (touched->rooms[i] != NULL && rt_str_eq(touched->rooms[i]->room.id, id)) {
            touched->rooms[i]->has_seq = 0;
        }
    }

    return status;
}


/* One look for all the rooms whose last message is not ours. */
static rt_status_t
rt_mongo_find_touched(rt_mongo_t *db, rt_arena_t *arena, rt_mongo_room_t *const *rooms,
    size_t count)
{
    bson_t             filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    size_t             i, n;
    rt_str_t          *ids;
    rt_status_t        status;
    rt_mongo_touched_t touched = {rooms, count, arena};

    n = 0;
    status = RT_OK;
    ids = rt_arena_alloc(arena, (count + 1) * sizeof(rt_str_t));

    for (i = 0; i < count && ids != NULL; i++) {
        if (rooms[i] != NULL && rooms[i]->is_touched && rooms[i]->has_seq) {
            ids[n++] = rooms[i]->room.id;
        }
    }

    if (n != 0) {
        rt_mongo_put_any(&filter, "roomId", ids, n);
        BSON_APPEND_NULL(&filter, "seq");
        BCON_APPEND(&options, "projection", "{", "roomId", BCON_INT32(1), "_id", BCON_INT32(0), "}",
            "limit", BCON_INT64(RT_MONGO_NUMBER_BATCH));
        status = rt_mongo_find(db, db->messages, &filter, &options, rt_mongo_touched_row, &touched);
    }

    bson_destroy(&filter);
    bson_destroy(&options);

    return ids ? status : RT_NO_MEMORY;
}


static rt_status_t
rt_mongo_settle_one(rt_mongo_t *db, rt_arena_t *arena, rt_mongo_room_t *room)
{
    rt_status_t status;

    status = RT_OK;

    if (!room->has_seq) {
        status = rt_mongo_number(db, &room->room);

    } else if (room->stored_count == room->room.seq
        || rt_time_now_ms() - room->room.updated_at_ms < RT_MONGO_SETTLE_MS)
    {
        return RT_OK;
    }

    if (status == RT_OK) {
        status = rt_mongo_recount(db, arena, &room->room);
    }

    room->has_seq = 1; /* the same room may stand in the list twice */
    room->stored_count = room->room.seq;

    if (status == RT_AGAIN) {
        room->room.store_key |= RT_MONGO_UNSETTLED;
        return RT_OK;
    }

    return status;
}


rt_status_t
rt_mongo_settle(rt_mongo_t *db, rt_arena_t *arena, rt_mongo_room_t *const *rooms, size_t count)
{
    size_t      i;
    rt_status_t status;

    status = RT_OK;

    for (i = 0; i < count; i++) {
        if (rooms[i] != NULL && rooms[i]->is_touched) {
            status = rt_mongo_find_touched(db, arena, rooms, count);
            break;
        }
    }

    for (i = 0; i < count && status == RT_OK; i++) {
        if (rooms[i] != NULL) {
            status = rt_mongo_settle_one(db, arena, rooms[i]);
        }
    }

    return status;
}
