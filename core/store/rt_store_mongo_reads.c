/* Read receipts in MongoDB.
 *
 * "All" means what lies behind the room's mark for this side, and moves the mark to the end, so
 * that each message is looked at once for each side however long the room's history is. Where
 * everyone reads the others, one mark says up to where nothing at all is unread.
 *
 * A message counts as read by who has changed it, so that the room's unreadCount is taken down once
 * for each, whatever hosts do at the same time. */

#include <string.h>

#include "store/rt_store_mongo.h"


/* A message as receipts see it. */
typedef struct {
    rt_str_t id;
    rt_str_t sender_id;
    rt_str_t sender_type;
    int64_t  seq;
    int      is_read;
} rt_mongo_receipt_t;

typedef struct {
    rt_mongo_t         *db;
    rt_arena_t         *arena;
    rt_message_reads_t *asked;
    rt_mongo_receipt_t *found;
    size_t              count;
    size_t              size;
    int64_t             left;  /* the oldest seq that stays unread; 0: none does */
    int64_t             taken; /* the customer's messages that this call has marked */
} rt_mongo_reads_t;

static const rt_mongo_field_t rt_mongo_receipt_fields[] = {
    {"_id", RT_MONGO_TEXT, offsetof(rt_mongo_receipt_t, id)},
    {"senderId", RT_MONGO_TEXT, offsetof(rt_mongo_receipt_t, sender_id)},
    {"senderType", RT_MONGO_TEXT, offsetof(rt_mongo_receipt_t, sender_type)},
    {"seq", RT_MONGO_INT, offsetof(rt_mongo_receipt_t, seq)},
    {"isRead", RT_MONGO_FALSE, offsetof(rt_mongo_receipt_t, is_read)},
    {NULL, RT_MONGO_TEXT, 0},
};

/* The room's members that are marks. */
static const char *const rt_mongo_marks[] = {
    [RT_READS_CUSTOMER] = "readToCustomer",
    [RT_READS_NOT_CUSTOMER] = "readToOthers",
    [RT_READS_OTHERS] = "readToAll",
};


static int
rt_mongo_is_customers(const rt_mongo_receipt_t *receipt)
{
    return rt_str_eq(receipt->sender_type, rt_str_c(rt_sender_type_names[RT_SENDER_CUSTOMER]));
}


/* 1: the reader's side may mark it. */
static int
rt_mongo_reads_whose(const rt_message_reads_t *asked, const rt_mongo_receipt_t *receipt)
{
    switch (asked->whose) {

    case RT_READS_CUSTOMER:
        return rt_mongo_is_customers(receipt);

    case RT_READS_NOT_CUSTOMER:
        return !rt_mongo_is_customers(receipt);

    default:
        return !rt_str_eq(receipt->sender_id, asked->reader_id);
    }
}


/* The array doubles in the arena: what it leaves behind is as much again. */
static rt_status_t
rt_mongo_reads_grow(rt_mongo_reads_t *reads)
{
    size_t              size;
    rt_mongo_receipt_t *found;

    if (reads->count < reads->size) {
        return RT_OK;
    }

    size = reads->size ? reads->size * 2 : 64;
    found = rt_arena_alloc(reads->arena, size * sizeof(rt_mongo_receipt_t));
    if (found == NULL) {
        return RT_NO_MEMORY;
    }

    if (reads->count) {
        memcpy(found, reads->found, reads->count * sizeof(rt_mongo_receipt_t));
    }

    reads->found = found;
    reads->size = size;

    return RT_OK;
}


static rt_status_t
rt_mongo_reads_row(void *data, const bson_t *document)
{
    rt_status_t        status;
    rt_mongo_reads_t  *reads = data;
    rt_mongo_receipt_t receipt;

    memset(&receipt, 0, sizeof(receipt));
    status = rt_mongo_read(document, rt_mongo_receipt_fields, &receipt, reads->arena);

    if (status != RT_OK) {
        return status;
    }

    if (!rt_mongo_reads_whose(reads->asked, &receipt)) {
        if (reads->left == 0 && !receipt.is_read) {
            reads->left = receipt.seq;
        }

        return RT_OK;
    }

    status = rt_mongo_reads_grow(reads);

    if (status == RT_OK) {
        reads->found[reads->count++] = receipt;
    }

    return status;
}


static rt_status_t
rt_mongo_mark_row(void *data, const bson_t *document)
{
    size_t      i;
    int64_t    *mark = data;
    bson_iter_t iter;

    for (i = 0; i < sizeof(rt_mongo_marks) / sizeof(rt_mongo_marks[0]); i++) {
        if (bson_iter_init_find(&iter, document, rt_mongo_marks[i])) {
            *mark = bson_iter_as_int64(&iter);
        }
    }

    return RT_OK;
}


/* Up to where this side has read everything. */
static rt_status_t
rt_mongo_reads_mark(rt_mongo_reads_t *reads, int64_t *mark)
{
    bson_t      filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    rt_status_t status;

    *mark = 0;
    rt_mongo_put_room(&filter, "_id", reads->asked->room);
    BCON_APPEND(&options, "projection", "{", rt_mongo_marks[reads->asked->whose], BCON_INT32(1),
        "_id", BCON_INT32(0), "}");
    status = rt_mongo_find(reads->db, reads->db->rooms, &filter, &options, rt_mongo_mark_row, mark);
    bson_destroy(&filter);
    bson_destroy(&options);

    return status;
}


/* What is unread up to the room's end. Where a side is marked, only its own is looked at. */
static rt_status_t
rt_mongo_reads_all(rt_mongo_reads_t *reads)
{
    bson_t                    filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    int64_t                   mark;
    rt_status_t               status;
    const rt_message_reads_t *asked = reads->asked;

    status = rt_mongo_reads_mark(reads, &mark);

    if (status == RT_OK) {
        rt_mongo_put_room(&filter, "roomId", asked->room);
        BCON_APPEND(&filter, "seq", "{", "$gt", BCON_INT64(mark), "$lte",
            BCON_INT64(asked->room->seq), "}", "isRead", "{", "$ne", BCON_BOOL(true), "}");

        if (asked->whose == RT_READS_CUSTOMER) {
            BSON_APPEND_UTF8(&filter, "senderType", "customer");
        } else if (asked->whose == RT_READS_NOT_CUSTOMER) {
            BCON_APPEND(&filter, "senderType", "{", "$ne", "customer", "}");
        }

        BCON_APPEND(&options, "sort", "{", "seq", BCON_INT32(1), "}", "projection", "{", "senderId",
            BCON_INT32(1), "senderType", BCON_INT32(1), "seq", BCON_INT32(1), "}");

        status = rt_mongo_find(reads->db, reads->db->messages, &filter, &options,
            rt_mongo_reads_row, reads);
    }

    bson_destroy(&filter);
    bson_destroy(&options);

    return status;
}


static rt_status_t
rt_mongo_reads_named(rt_mongo_reads_t *reads)
{
    bson_t                    filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    rt_status_t               status;
    const rt_message_reads_t *asked = reads->asked;

    if (asked->count == 0) {
        return RT_OK;
    }

    rt_mongo_put_any(&filter, "_id", asked->ids, asked->count);
    rt_mongo_put_room(&filter, "roomId", asked->room);
    BCON_APPEND(&filter, "seq", "{", "$exists", BCON_BOOL(true), "}");
    BCON_APPEND(&options, "projection", "{", "senderId", BCON_INT32(1), "senderType", BCON_INT32(1),
        "seq", BCON_INT32(1), "isRead", BCON_INT32(1), "}");

    status =
        rt_mongo_find(reads->db, reads->db->messages, &filter, &options, rt_mongo_reads_row, reads);
    bson_destroy(&filter);
    bson_destroy(&options);

    return status;
}


static const rt_mongo_receipt_t *
rt_mongo_reads_find(const rt_mongo_reads_t *reads, rt_str_t id)
{
    size_t i;

    for (i = 0; i < reads->count; i++) {
        if (rt_str_eq(reads->found[i].id, id)) {
            return &reads->found[i];
        }
    }

    return NULL;
}


static int
rt_mongo_reads_has(const rt_message_reads_t *asked, rt_str_t id)
{
    size_t i;

    for (i = 0; i < asked->read_count; i++) {
        if (rt_str_eq(asked->read[i], id)) {
            return 1;
        }
    }

    return 0;
}


/* Of those that were found: in their own order when all were asked, else as they were asked. */
static rt_status_t
rt_mongo_reads_answer(rt_mongo_reads_t *reads)
{
    size_t                    i, size;
    rt_message_reads_t       *asked = reads->asked;
    const rt_mongo_receipt_t *receipt;

    size = asked->all ? reads->count : asked->count;
    asked->newly = rt_arena_alloc(reads->arena, (size + 1) * sizeof(rt_str_t));
    asked->read = rt_arena_alloc(reads->arena, (size + 1) * sizeof(rt_str_t));

    if (asked->newly == NULL || asked->read == NULL) {
        return RT_NO_MEMORY;
    }

    for (i = 0; i < size; i++) {
        receipt = asked->all ? &reads->found[i] : rt_mongo_reads_find(reads, asked->ids[i]);

        if (receipt == NULL || (!asked->all && rt_mongo_reads_has(asked, receipt->id))) {
            continue;
        }

        asked->read[asked->read_count++] = receipt->id;

        if (!receipt->is_read) {
            asked->newly[asked->newly_count++] = receipt->id;
        }
    }

    return RT_OK;
}


/* Marks the customer's messages, or the others. *changed: those that were unread still. */
static rt_status_t
rt_mongo_reads_change(rt_mongo_reads_t *reads, int customers, int64_t *changed)
{
    bson_t      filter = BSON_INITIALIZER, update = BSON_INITIALIZER;
    size_t      i, n;
    rt_str_t   *ids;
    rt_status_t status;

    n = 0;
    *changed = 0;
    status = RT_OK;
    ids = rt_arena_alloc(reads->arena, (reads->count + 1) * sizeof(rt_str_t));

    for (i = 0; i < reads->count && ids != NULL; i++) {
        if (!reads->found[i].is_read && rt_mongo_is_customers(&reads->found[i]) == customers) {
            ids[n++] = reads->found[i].id;
        }
    }

    if (n != 0) {
        rt_mongo_put_any(&filter, "_id", ids, n);
        BCON_APPEND(&filter, "isRead", "{", "$ne", BCON_BOOL(true), "}");
        BCON_APPEND(&update, "$set", "{", "isRead", BCON_BOOL(true), "readAt",
            BCON_DATE_TIME(reads->asked->now_ms), "updatedAt", BCON_DATE_TIME(reads->asked->now_ms),
            "}");
        status = rt_mongo_update(reads->db, reads->db->messages, 1, &filter, &update, changed);
    }

    bson_destroy(&filter);
    bson_destroy(&update);

    return ids ? status : RT_NO_MEMORY;
}


static void
rt_mongo_reads_put_update(const rt_mongo_reads_t *reads, bson_t *update)
{
    bson_t                    max;
    int64_t                   mark;
    const rt_message_reads_t *asked = reads->asked;

    if (reads->taken) {
        BCON_APPEND(update, "$inc", "{", "unreadCount", BCON_INT64(-reads->taken), "}");
    }

    bson_append_document_begin(update, "$max", -1, &max);
    BSON_APPEND_DATE_TIME(&max, "updatedAt", asked->now_ms);

    if (asked->all) {
        mark = asked->room->seq;

        if (asked->whose == RT_READS_OTHERS && reads->left != 0) {
            mark = reads->left - 1;
        }

        BSON_APPEND_INT64(&max, rt_mongo_marks[asked->whose], mark);
    }

    bson_append_document_end(update, &max);
}


/* The room as it is behind that, other hosts' changes included. */
static rt_status_t
rt_mongo_reads_room(rt_mongo_reads_t *reads)
{
    int                            done;
    bson_t                         filter = BSON_INITIALIZER, update = BSON_INITIALIZER, reply;
    rt_room_t                     *room = reads->asked->room;
    bson_iter_t                    iter, unread;
    rt_status_t                    status;
    bson_error_t                   error;
    mongoc_find_and_modify_opts_t *options;

    if (!rt_mongo_alive(reads->db)) {
        bson_destroy(&filter);
        bson_destroy(&update);
        return RT_UNAVAILABLE;
    }

    rt_mongo_put_room(&filter, "_id", room);
    rt_mongo_reads_put_update(reads, &update);
    options = mongoc_find_and_modify_opts_new();
    mongoc_find_and_modify_opts_set_update(options, &update);
    mongoc_find_and_modify_opts_set_flags(options, MONGOC_FIND_AND_MODIFY_RETURN_NEW);

    status = RT_OK;
    done = mongoc_collection_find_and_modify_with_opts(reads->db->rooms, &filter, options, &reply,
        &error);

    if (!done) {
        status = rt_mongo_failed(reads->db, &error);

    } else if (bson_iter_init(&iter, &reply)
        && bson_iter_find_descendant(&iter, "value.unreadCount", &unread))
    {
        room->unread_count = bson_iter_as_int64(&unread);
        room->updated_at_ms = reads->asked->now_ms;
    }

    mongoc_find_and_modify_opts_destroy(options);
    bson_destroy(&reply);
    bson_destroy(&filter);
    bson_destroy(&update);

    return status;
}


/* A count that does not come out at what is left was lost with a host: staff who read everything
 * have nothing more unread but what came meanwhile. */
static rt_status_t
rt_mongo_reads_check(rt_mongo_reads_t *reads)
{
    rt_room_t *room = reads->asked->room;

    if (room->unread_count < 0
        || (reads->asked->all && reads->asked->whose == RT_READS_CUSTOMER
            && room->unread_count != 0))
    {
        return rt_mongo_recount(reads->db, reads->arena, room);
    }

    return RT_OK;
}


rt_status_t
rt_mongo_messages_read(rt_store_session_t *session, rt_arena_t *arena, rt_message_reads_t *asked)
{
    int64_t          others;
    rt_status_t      status;
    rt_mongo_reads_t reads;

    memset(&reads, 0, sizeof(rt_mongo_reads_t));
    reads.db = (rt_mongo_t *) session;
    reads.arena = arena;
    reads.asked = asked;

    asked->newly_count = 0;
    asked->read_count = 0;

    status = asked->all ? rt_mongo_reads_all(&reads) : rt_mongo_reads_named(&reads);

    if (status == RT_OK) {
        status = rt_mongo_reads_answer(&reads);
    }

    if (status == RT_OK) {
        status = rt_mongo_reads_change(&reads, 1, &reads.taken);
    }

    if (status == RT_OK) {
        status = rt_mongo_reads_change(&reads, 0, &others);
    }

    if (status == RT_OK && asked->newly_count) {
        status = rt_mongo_reads_room(&reads);
    }

    return status == RT_OK ? rt_mongo_reads_check(&reads) : status;
}
