/* Storing messages in MongoDB: a group of any rooms costs one insert and one update of the rooms.
 *
 * A message's seq is given in the insert, from what the room had when it was loaded. Where another
 * host was quicker, the unique index on (roomId, seq) refuses it, and it is tried again one place
 * further; that place is never beyond a hole, since the one before is taken.
 *
 * One insert without order holds the rooms where order does not matter: where no sender stands
 * twice. Behind it an ordered one holds the others, room by room; it stops at the first refusal and
 * goes on from there. A room of several messages of which one may be a retry is among the latter,
 * too, or the retry's place would stay empty behind the next one's.
 *
 * The rooms are then brought up to date by operators that add ($inc) or only grow ($max), so that
 * hosts do not overwrite each other whatever the order of their updates.
 *
 * Both are plain commands. libmongoc's retryable writes would cost the server a record of its own
 * for each statement; here an insert that was not answered is sent again with the same _ids, which
 * tells what became of it, and an update that was not answered is found by the room's counters
 * (rt_store_mongo_number.c). The inserts do not wait for the majority: the update, which comes
 * later in the same primary's log, does, and what stands before it there is durable then, too. That
 * it was the same primary is seen by the term in which both were done. */

#include <string.h>

#include <rt/rt_text.h>

#include "store/rt_store_mongo.h"


#define RT_MONGO_SEND_MS    4000              /* what is not stored by then has failed */
#define RT_MONGO_RETRY_MS   2000              /* what was not answered by then is not sent again */
#define RT_MONGO_SEND_BYTES (8 * 1024 * 1024) /* of one insert; the server takes 16 MB */

typedef enum {
    RT_SENT_WAITS, /* to be stored */
    RT_SENT_STORED,
    RT_SENT_TAKEN, /* its place was */
    RT_SENT_RETRY, /* its clientMessageId was stored before */
    RT_SENT_LEFT,  /* its room can't take it now */
    RT_SENT_FAILED
} rt_sent_t;

/* A room of the group. */
typedef struct {
    rt_room_t    *room;
    int64_t       before; /* its seq when it was loaded */
    int64_t       next;   /* the first place that is not known to be taken */
    int           is_ordered;
    int           has_client_id;
    int           refusals;
    size_t        count;  /* messages of the group */
    size_t        stored; /* of them, until the room is brought up to date */
    int64_t       customers;
    rt_message_t *newest;
    rt_message_t *asking; /* the newest that the assistant has to look at */
    rt_message_t *staff;  /* the newest of staff's */
} rt_mongo_place_t;

typedef struct {
    rt_message_t     *message;
    rt_mongo_place_t *place;
    rt_sent_t         sent;
    int               is_unsure; /* it was sent, and not answered */
} rt_mongo_item_t;

typedef struct {
    rt_mongo_t       *db;
    rt_arena_t       *arena;
    rt_mongo_item_t  *items;
    size_t            count;
    rt_mongo_place_t *places;
    size_t            places_count;
    int64_t           term;       /* of the inserts; -1: there was none */
    int               is_durable; /* 0: they were not all of one term */
    rt_mongo_item_t **batch;      /* of one insert */
    size_t            batch_count;
} rt_mongo_send_t;


static rt_mongo_place_t *
rt_mongo_send_place(rt_mongo_send_t *send, rt_room_t *room)
{
    size_t            i;
    rt_mongo_place_t *place;

    for (i = 0; i < send->places_count; i++) {
        if (send->places[i].room == room) {
            return &send->places[i];
        }
    }

    place = &send->places[send->places_count++];
    memset(place, 0, sizeof(rt_mongo_place_t));
    place->room = room;
    place->before = room->seq;
    place->next = room->seq + 1;

    return place;
}


/* 1: an earlier message of the group has the same room and sender. */
static int
rt_mongo_send_again(const rt_mongo_send_t *send, size_t at)
{
    size_t                 i;
    const rt_mongo_item_t *item = &send->items[at];

    for (i = 0; i < at; i++) {
        if (send->items[i].place == item->place
            && rt_str_eq(send->items[i].message->sender_id, item->message->sender_id))
        {
            return 1;
        }
    }

    return 0;
}


static rt_status_t
rt_mongo_send_prepare(rt_mongo_send_t *send, rt_message_t **messages, size_t count)
{
    size_t            i;
    rt_mongo_item_t  *item;
    rt_mongo_place_t *place;

    send->count = count;
    send->items = rt_arena_calloc(send->arena, count * sizeof(rt_mongo_item_t));
    send->places = rt_arena_alloc(send->arena, count * sizeof(rt_mongo_place_t));
    send->batch = rt_arena_alloc(send->arena, count * sizeof(rt_mongo_item_t *));

    if (send->items == NULL || send->places == NULL || send->batch == NULL) {
        return RT_NO_MEMORY;
    }

    for (i = 0; i < count; i++) {
        item = &send->items[i];
        item->message = messages[i];
        item->message->status = RT_OK;
        item->message->doubt_after = -1;
        item->place = rt_mongo_send_place(send, messages[i]->room);

        place = item->place;
        place->count++;

        if (place->room->store_key & RT_MONGO_UNSETTLED) {
            item->sent = RT_SENT_LEFT;
        }

        place->has_client_id |= messages[i]->client_id.len != 0;

        if (place->count > 1
            && (place->has_client_id || place->is_ordered || rt_mongo_send_again(send, i))) {
            place->is_ordered = 1;
        }
    }

    return RT_OK;
}


/* The names of the members of the index that refused. */
static rt_sent_t
rt_mongo_send_refusal(rt_mongo_send_t *send, const bson_t *fault)
{
    bson_iter_t  iter, key;
    bson_error_t error;

    memset(&error, 0, sizeof(error));
    error.domain = MONGOC_ERROR_SERVER;

    if (bson_iter_init_find(&iter, fault, "code")) {
        error.code = (uint32_t) bson_iter_as_int64(&iter);
    }

    if (rt_mongo_is_duplicate(&error) && bson_iter_init_find(&iter, fault, "keyPattern")) {

        if (bson_iter_recurse(&iter, &key) && bson_iter_find(&key, "clientMessageId")) {
            return RT_SENT_RETRY;
        }

        if (bson_iter_recurse(&iter, &key) && bson_iter_find(&key, "seq")) {
            return RT_SENT_TAKEN;
        }

        if (bson_iter_recurse(&iter, &key) && bson_iter_find(&key, "_id")) {
            return RT_SENT_STORED; /* by an attempt that was not answered */
        }
    }

    if (bson_iter_init_find(&iter, fault, "errmsg") && BSON_ITER_HOLDS_UTF8(&iter)) {
        bson_strncpy(error.message, bson_iter_utf8(&iter, NULL), sizeof(error.message));
    }

    (void) rt_mongo_failed(send->db, &error);

    return RT_SENT_FAILED;
}


/* What the server says of each document; RT_UNAVAILABLE: it did not say all. */
static rt_status_t
rt_mongo_send_answers(rt_mongo_send_t *send, const bson_t *reply, int ordered)
{
    bson_t         fault;
    size_t         i, at;
    uint32_t       len;
    bson_iter_t    iter, each, index;
    const uint8_t *data;

    for (i = 0; i < send->batch_count; i++) {
        send->batch[i]->sent = RT_SENT_STORED;
    }

    if (!bson_iter_init_find(&iter, reply, "writeErrors") || !bson_iter_recurse(&iter, &each)) {
        return RT_OK;
    }

    while (bson_iter_next(&each) && BSON_ITER_HOLDS_DOCUMENT(&each)) {
        bson_iter_document(&each, &len, &data);

        if (!bson_init_static(&fault, data, len) || !bson_iter_init_find(&index, &fault, "index")) {
            return RT_UNAVAILABLE;
        }

        at = (size_t) bson_iter_as_int64(&index);

        if (at >= send->batch_count) {
            return RT_UNAVAILABLE;
        }

        send->batch[at]->sent = rt_mongo_send_refusal(send, &fault);

        for (i = at + 1; ordered && i < send->batch_count; i++) {
            send->batch[i]->sent = RT_SENT_WAITS;
        }
    }

    return RT_OK;
}


/* Notes the term in which the primary did it; a standalone has none. */
static void
rt_mongo_send_term(rt_mongo_send_t *send, const bson_t *reply)
{
    int64_t     term;
    bson_iter_t iter, found;

    term = 0;

    if (bson_iter_init(&iter, reply) && bson_iter_find_descendant(&iter, "opTime.t", &found)) {
        term = bson_iter_as_int64(&found);
    }

    if (send->term == -1) {
        send->term = term;
    } else if (send->term != term) {
        send->is_durable = 0;
    }
}


/* Sends the batch's documents, once more when that may tell what became of them. */
static rt_status_t
rt_mongo_send_command(rt_mongo_send_t *send, const bson_t *command, int ordered)
{
    int          done;
    bson_t       reply;
    rt_mongo_t  *db = send->db;
    rt_status_t  status;
    bson_error_t error;

    do {
        status = RT_UNAVAILABLE;
        done = mongoc_client_command_simple(db->client, db->store->database, command, NULL, &reply,
            &error);

        if (done) {
            rt_mongo_send_term(send, &reply);
            status = rt_mongo_send_answers(send, &reply, ordered);
        }

        bson_destroy(&reply);
    } while (!done && error.domain != MONGOC_ERROR_SERVER
        && rt_time_now_ms() - db->begun_ms < RT_MONGO_RETRY_MS
        && atomic_load(&db->store->state) == RT_MONGO_UP);

    return done ? status : rt_mongo_failed(db, &error);
}


static void
rt_mongo_send_keep_newer(rt_message_t **newest, rt_message_t *message)
{
    if (*newest == NULL || (*newest)->seq < message->seq) {
        *newest = message;
    }
}


static void
rt_mongo_send_count(rt_mongo_item_t *item)
{
    rt_message_t     *message = item->message;
    rt_mongo_place_t *place = item->place;

    place->stored++;
    place->customers += message->sender_type == RT_SENDER_CUSTOMER;
    rt_mongo_send_keep_newer(&place->newest, message);

    if (message->asks) {
        rt_mongo_send_keep_newer(&place->asking, message);
    }

    if (message->sender_type == RT_SENDER_STAFF && place->room->type == RT_ROOM_CUSTOMER_SUPPORT) {
        rt_mongo_send_keep_newer(&place->staff, message);
    }
}


/* What each of the batch comes to; those whose place was taken wait again. */
static rt_status_t
rt_mongo_send_sort(rt_mongo_send_t *send)
{
    size_t            i;
    int64_t           newest;
    rt_status_t       status;
    rt_mongo_item_t  *item;
    rt_mongo_place_t *place;

    for (i = 0; i < send->batch_count; i++) {
        item = send->batch[i];
        place = item->place;

        if (item->sent == RT_SENT_STORED) {
            rt_mongo_send_count(item);
        }

        if (item->sent == RT_SENT_STORED || item->sent == RT_SENT_TAKEN) {
            place->next =
                item->message->seq + 1 > place->next ? item->message->seq + 1 : place->next;
        }

        if (item->sent != RT_SENT_TAKEN) {
            continue;
        }

        item->sent = RT_SENT_WAITS;

        if (++place->refusals % 2 == 0) {
            status = rt_mongo_newest(send->db, place->room, &newest);
            if (status != RT_OK) {
                return status;
            }

            place->next = newest + 1 > place->next ? newest + 1 : place->next;
        }
    }

    return RT_OK;
}


static rt_status_t
rt_mongo_send_batch(rt_mongo_send_t *send, int ordered)
{
    char        buf[16];
    bson_t      command = BSON_INITIALIZER, documents, one;
    size_t      i;
    const char *key;
    rt_status_t status;

    status = rt_mongo_alive(send->db) ? RT_OK : RT_UNAVAILABLE;

    BCON_APPEND(&command, "insert", "chatmessages", "ordered", BCON_BOOL(ordered), "writeConcern",
        "{", "w", BCON_INT32(1), "}");
    bson_append_array_begin(&command, "documents", -1, &documents);

    for (i = 0; i < send->batch_count && status == RT_OK; i++) {
        bson_uint32_to_string((uint32_t) i, &key, buf, sizeof(buf));
        bson_append_document_begin(&documents, key, -1, &one);
        status =
            rt_mongo_message_write(&one, send->batch[i]->message, send->batch[i]->message->seq);
        bson_append_document_end(&documents, &one);
    }

    bson_append_array_end(&command, &documents);

    if (status == RT_OK) {
        status = rt_mongo_send_command(send, &command, ordered);

        for (i = 0; i < send->batch_count; i++) {
            send->batch[i]->is_unsure = status != RT_OK;
        }
    }

    bson_destroy(&command);

    return status == RT_OK ? rt_mongo_send_sort(send) : status;
}


static size_t
rt_mongo_send_bytes(const rt_message_t *message)
{
    return 1024 + message->content.len + message->attachments.len + message->metadata.len
        + message->quick_replies.len;
}


/* Puts those that wait into the batch, each at the next place of its room; ordered: those of one
 * room stand together. */
static void
rt_mongo_send_gather(rt_mongo_send_t *send, int ordered)
{
    size_t           i, p, bytes;
    int64_t          seq;
    rt_mongo_item_t *item;

    bytes = 0;
    send->batch_count = 0;

    for (p = 0; p < send->places_count; p++) {
        seq = send->places[p].next;

        for (i = 0; send->places[p].is_ordered == ordered && i < send->count; i++) {
            item = &send->items[i];

            if (item->place != &send->places[p] || item->sent != RT_SENT_WAITS) {
                continue;
            }

            bytes += rt_mongo_send_bytes(item->message);

            if (send->batch_count && bytes > RT_MONGO_SEND_BYTES) {
                return; /* they wait for the next one */
            }

            item->message->seq = seq++;
            send->batch[send->batch_count++] = item;
        }
    }
}


static rt_status_t
rt_mongo_send_all(rt_mongo_send_t *send, int ordered)
{
    rt_status_t status;

    for (;;) {
        rt_mongo_send_gather(send, ordered);

        if (send->batch_count == 0) {
            return RT_OK;
        }

        if (rt_time_now_ms() - send->db->begun_ms > RT_MONGO_SEND_MS) {
            return RT_UNAVAILABLE;
        }

        status = rt_mongo_send_batch(send, ordered);
        if (status != RT_OK) {
            return status;
        }
    }
}


void
rt_mongo_put_last(bson_t *last, int64_t seq, rt_str_t id, int64_t at_ms, rt_str_t text)
{
    BSON_APPEND_INT64(last, "seq", seq);
    rt_mongo_put_id(last, "id", id);
    BSON_APPEND_DATE_TIME(last, "at", at_ms);
    rt_mongo_put_text(last, "text", text);
}


static void
rt_mongo_send_put_assist(bson_t *max, const rt_mongo_place_t *place)
{
    if (place->asking != NULL) {
        BSON_APPEND_INT64(max, "assistant.askedSeq", place->asking->seq);
        BSON_APPEND_DATE_TIME(max, "assistantDueAt", place->asking->created_at_ms);
    }

    if (place->staff != NULL) {
        BSON_APPEND_INT64(max, "assistant.staffSeq", place->staff->seq);
        BSON_APPEND_DATE_TIME(max, "assistant.staffAt", place->staff->created_at_ms);
    }
}


static void
rt_mongo_send_put_update(bson_t *update, const rt_mongo_place_t *place)
{
    bson_t              part, last;
    const rt_message_t *newest = place->newest;

    bson_append_document_begin(update, "$inc", -1, &part);
    BSON_APPEND_INT64(&part, "storedCount", (int64_t) place->stored);

    if (place->customers) {
        BSON_APPEND_INT64(&part, "unreadCount", place->customers);
    }

    bson_append_document_end(update, &part);

    bson_append_document_begin(update, "$max", -1, &part);
    BSON_APPEND_INT64(&part, "seq", newest->seq);
    bson_append_document_begin(&part, "last", -1, &last);
    rt_mongo_put_last(&last, newest->seq, newest->id, newest->created_at_ms, newest->preview);
    bson_append_document_end(&part, &last);
    BSON_APPEND_DATE_TIME(&part, "lastMessageAt", newest->created_at_ms);
    BSON_APPEND_DATE_TIME(&part, "updatedAt", newest->created_at_ms);
    rt_mongo_send_put_assist(&part, place);
    bson_append_document_end(update, &part);

    bson_append_document_begin(update, "$set", -1, &part);
    rt_mongo_put_id(&part, "lastMessageId", newest->id);
    rt_mongo_put_text(&part, "lastMessage", newest->preview);
    bson_append_document_end(update, &part);
}


/* RT_OK: the rooms are up to date, and that and the messages are durable. */
static rt_status_t
rt_mongo_send_update(rt_mongo_send_t *send, const bson_t *command, int64_t updates)
{
    int          done;
    bson_t       reply;
    rt_mongo_t  *db = send->db;
    bson_iter_t  iter;
    rt_status_t  status;
    bson_error_t error;

    if (!rt_mongo_alive(db)) {
        return RT_UNAVAILABLE;
    }

    done = mongoc_client_command_simple(db->client, db->store->database, command, NULL, &reply,
        &error);
    status = RT_OK;

    if (!done) {
        status = rt_mongo_failed(db, &error);

    } else {
        rt_mongo_send_term(send, &reply);

        /* the majority took too long; a room was deleted; there was another primary in between */
        if (bson_has_field(&reply, "writeConcernError") || bson_has_field(&reply, "writeErrors")
            || !bson_iter_init_find(&iter, &reply, "n") || bson_iter_as_int64(&iter) != updates
            || !send->is_durable)
        {
            status = RT_UNAVAILABLE;
        }
    }

    bson_destroy(&reply);

    return status;
}


static rt_status_t
rt_mongo_send_rooms(rt_mongo_send_t *send)
{
    char              buf[16];
    bson_t            command = BSON_INITIALIZER, updates, one, part;
    size_t            i;
    uint32_t          count;
    const char       *key;
    rt_status_t       status;
    rt_mongo_place_t *place;

    count = 0;
    BCON_APPEND(&command, "update", "chatrooms", "ordered", BCON_BOOL(false));
    bson_concat(&command, &send->db->store->concern);
    bson_append_array_begin(&command, "updates", -1, &updates);

    for (i = 0; i < send->places_count; i++) {
        place = &send->places[i];

        if (place->stored == 0) {
            continue;
        }

        bson_uint32_to_string(count++, &key, buf, sizeof(buf));
        bson_append_document_begin(&updates, key, -1, &one);
        bson_append_document_begin(&one, "q", -1, &part);
        rt_mongo_put_room(&part, "_id", place->room);
        bson_append_document_end(&one, &part);
        bson_append_document_begin(&one, "u", -1, &part);
        rt_mongo_send_put_update(&part, place);
        bson_append_document_end(&one, &part);
        bson_append_document_end(&updates, &one);
    }

    bson_append_array_end(&command, &updates);
    status = count ? rt_mongo_send_update(send, &command, count) : RT_OK;
    bson_destroy(&command);

    return status;
}


/* A message that is stored and counted: its document, and its room as it is behind it. */
static rt_status_t
rt_mongo_send_finish(rt_mongo_send_t *send, rt_mongo_item_t *item)
{
    rt_buf_t     *buf = &send->db->scratch;
    rt_room_t    *room = item->place->room;
    rt_message_t *message = item->message;

    room->unread_count += message->sender_type == RT_SENDER_CUSTOMER;
    message->unread_count = room->unread_count;
    rt_room_assist_added(room, message, message->seq);

    if (message == item->place->newest) {
        room->seq = message->seq;
        room->last_message_id = message->id;
        room->last_message = message->preview;
        room->last_message_at_ms = message->created_at_ms;
        room->updated_at_ms = message->created_at_ms;
    }

    buf->len = 0;
    rt_message_write_head(buf, message);
    rt_message_write_tail(buf, message->seq, 0, 0, message->created_at_ms);

    if (buf->failed) {
        return RT_NO_MEMORY;
    }

    message->text = rt_arena_str(message->arena, (rt_str_t){buf->data, buf->len});

    return message->text.data ? RT_OK : RT_NO_MEMORY;
}


/* Its clientMessageId was here before: the first one's answer. */
static rt_status_t
rt_mongo_send_retry(rt_mongo_send_t *send, rt_message_t *message)
{
    rt_status_t      status;
    rt_message_row_t row;

    status = rt_mongo_message_find(&send->db->session, message->arena, message->room,
        message->sender_id, message->client_id, &row);

    if (status != RT_OK) {
        return status;
    }

    if (row.text.len == 0) {
        return RT_UNAVAILABLE; /* it was deleted since */
    }

    /* who stored it did not come to count it */
    if (row.seq > message->room->seq && rt_time_now_ms() - row.created_at_ms > RT_MONGO_SETTLE_MS) {
        status = rt_mongo_recount(send->db, send->arena, message->room);
        if (status != RT_OK) {
            return status;
        }
    }

    message->id = row.id;
    message->seq = row.seq;
    message->created_at_ms = row.created_at_ms;
    message->unread_count = message->room->unread_count;
    message->text = row.text;

    return RT_CONFLICT;
}


static void
rt_mongo_send_settle(rt_mongo_send_t *send, rt_mongo_item_t *item, rt_status_t counted)
{
    rt_message_t *message = item->message;

    switch (item->sent) {

    case RT_SENT_STORED:
        message->status = counted == RT_OK ? rt_mongo_send_finish(send, item) : RT_UNAVAILABLE;
        item->is_unsure = message->status != RT_OK;
        break;

    case RT_SENT_RETRY:
        message->status = rt_mongo_send_retry(send, message);
        break;

    case RT_SENT_FAILED:
        message->status = RT_ERROR;
        break;

    default:
        message->status = RT_UNAVAILABLE;
    }

    if (item->is_unsure) {
        message->doubt_after = item->place->before;
    }
}


rt_status_t
rt_mongo_messages_add(rt_store_session_t *session, rt_message_t **messages, size_t count)
{
    size_t          i;
    rt_status_t     status;
    rt_mongo_send_t send;

    if (count == 0) {
        return RT_OK;
    }

    memset(&send, 0, sizeof(send));
    send.db = (rt_mongo_t *) session;
    send.term = -1;
    send.is_durable = 1;
    send.arena = rt_arena_create(65536);

    if (send.arena == NULL) {
        return RT_NO_MEMORY;
    }

    status = rt_mongo_send_prepare(&send, messages, count);

    if (status == RT_OK) {
        /* what fails of either leaves the other alone; what waits then has failed */
        (void) rt_mongo_send_all(&send, 0);
        (void) rt_mongo_send_all(&send, 1);
        status = rt_mongo_send_rooms(&send);

        for (i = 0; i < count; i++) {
            rt_mongo_send_settle(&send, &send.items[i], status);
        }

        status = RT_OK;
    }

    rt_arena_destroy(send.arena);

    return status;
}
