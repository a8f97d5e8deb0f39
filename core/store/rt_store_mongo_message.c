/* Messages in MongoDB: their documents, and reading them back. */

#include <string.h>

#include <rt/rt_text.h>

#include "store/rt_store_mongo.h"


/* What a document has beside the message itself. */
typedef struct {
    rt_message_t message; /* first */
    rt_str_t     sender_type;
    int          is_read;
    int          is_automated;
    int          is_faq;
    int64_t      read_at_ms;
    int64_t      updated_at_ms;
} rt_mongo_message_t;

#define RT_MONGO_MESSAGE(member) offsetof(rt_message_t, member)

static const rt_mongo_field_t rt_mongo_message_fields[] = {
    {"_id", RT_MONGO_TEXT, RT_MONGO_MESSAGE(id)},
    {"seq", RT_MONGO_INT, RT_MONGO_MESSAGE(seq)},
    {"senderId", RT_MONGO_TEXT, RT_MONGO_MESSAGE(sender_id)},
    {"senderType", RT_MONGO_TEXT, offsetof(rt_mongo_message_t, sender_type)},
    {"senderName", RT_MONGO_TEXT, RT_MONGO_MESSAGE(sender_name)},
    {"messageType", RT_MONGO_TEXT, RT_MONGO_MESSAGE(message_type)},
    {"content", RT_MONGO_TEXT, RT_MONGO_MESSAGE(content)},
    {"attachments", RT_MONGO_JSON, RT_MONGO_MESSAGE(attachments)},
    {"replyToMessageId", RT_MONGO_TEXT, RT_MONGO_MESSAGE(reply_to_id)},
    {"clientMessageId", RT_MONGO_TEXT, RT_MONGO_MESSAGE(client_id)},
    {"isRead", RT_MONGO_FALSE, offsetof(rt_mongo_message_t, is_read)},
    {"readAt", RT_MONGO_TIME, offsetof(rt_mongo_message_t, read_at_ms)},
    {"isAutomated", RT_MONGO_FALSE, offsetof(rt_mongo_message_t, is_automated)},
    {"isFAQ", RT_MONGO_FALSE, offsetof(rt_mongo_message_t, is_faq)},
    {"faqId", RT_MONGO_TEXT, RT_MONGO_MESSAGE(faq_id)},
    {"quickReplies", RT_MONGO_JSON, RT_MONGO_MESSAGE(quick_replies)},
    {"responseType", RT_MONGO_TEXT, RT_MONGO_MESSAGE(response_type)},
    {"confidence", RT_MONGO_JSON, RT_MONGO_MESSAGE(confidence)},
    {"isEdited", RT_MONGO_FALSE, RT_MONGO_MESSAGE(is_edited)},
    {"isDeleted", RT_MONGO_FALSE, RT_MONGO_MESSAGE(is_deleted)},
    {"metadata", RT_MONGO_JSON, RT_MONGO_MESSAGE(metadata)},
    {"createdAt", RT_MONGO_TIME, RT_MONGO_MESSAGE(created_at_ms)},
    {"updatedAt", RT_MONGO_TIME, offsetof(rt_mongo_message_t, updated_at_ms)},
    {NULL, RT_MONGO_TEXT, 0},
};


/* A list that is absent is an empty one. */
static rt_status_t
rt_mongo_put_list(bson_t *document, const char *name, rt_str_t json)
{
    return rt_mongo_put_json(document, name, json.len ? json : rt_str("[]"), NULL);
}


rt_status_t
rt_mongo_message_write(bson_t *document, const rt_message_t *message, int64_t seq)
{
    rt_status_t      status;
    const rt_room_t *room = message->room;

    rt_mongo_put_id(document, "_id", message->id);
    rt_mongo_put_room(document, "roomId", room);
    rt_mongo_put_id(document, "businessId", room->business_id);
    BSON_APPEND_INT64(document, "seq", seq);
    rt_mongo_put_id(document, "senderId", message->sender_id);
    BSON_APPEND_UTF8(document, "senderType", rt_sender_type_names[message->sender_type]);
    rt_mongo_put_text(document, "senderName", message->sender_name);
    rt_mongo_put_text(document, "messageType", message->message_type);
    rt_mongo_put_text(document, "content", message->content);
    status = rt_mongo_put_list(document, "attachments", message->attachments);
    rt_mongo_put_id(document, "replyToMessageId", message->reply_to_id);
    rt_mongo_put_text(document, "clientMessageId", message->client_id);
    BSON_APPEND_BOOL(document, "isRead", false);
    BSON_APPEND_BOOL(document, "isAutomated", message->kind == RT_MESSAGE_AUTOMATED);
    BSON_APPEND_BOOL(document, "isFAQ", message->kind == RT_MESSAGE_FAQ);
    rt_mongo_put_id(document, "faqId", message->faq_id);

    if (status == RT_OK) {
        status = rt_mongo_put_list(document, "quickReplies", message->quick_replies);
    }

    rt_mongo_put_text(document, "responseType", message->response_type);

    if (status == RT_OK) {
        status = rt_mongo_put_json(document, "confidence", message->confidence, NULL);
    }

    BSON_APPEND_BOOL(document, "isEdited", false);
    BSON_APPEND_BOOL(document, "isDeleted", false);

    if (status == RT_OK) {
        status = rt_mongo_put_json(document, "metadata",
            message->metadata.len ? message->metadata : rt_str("{}"), NULL);
    }

    BSON_APPEND_DATE_TIME(document, "createdAt", message->created_at_ms);
    BSON_APPEND_DATE_TIME(document, "updatedAt", message->created_at_ms);

    return status;
}


/* Names that we do not know come from others' programs: the system says them. */
static void
rt_mongo_message_names(rt_mongo_message_t *found)
{
    int type;

    type = rt_name_find(rt_sender_type_names, found->sender_type);
    found->message.sender_type = type == -1 ? RT_SENDER_SYSTEM : (rt_sender_type_t) type;

    if (found->is_faq) {
        found->message.kind = RT_MESSAGE_FAQ;
    } else if (found->is_automated) {
        found->message.kind = RT_MESSAGE_AUTOMATED;
    }

    if (found->message.message_type.len == 0) {
        found->message.message_type = rt_str("text");
    }

    if (found->updated_at_ms == 0) {
        found->updated_at_ms = found->message.created_at_ms;
    }
}


rt_status_t
rt_mongo_message_read(rt_mongo_t *db, const bson_t *document, const rt_room_t *room,
    rt_arena_t *arena, rt_message_row_t *out)
{
    rt_buf_t          *buf = &db->scratch;
    rt_status_t        status;
    rt_mongo_message_t found;

    memset(&found, 0, sizeof(found));
    found.message.room = (rt_room_t *) room; /* only read */

    status = rt_mongo_read(document, rt_mongo_message_fields, &found, arena);
    if (status != RT_OK) {
        return status;
    }

    rt_mongo_message_names(&found);

    buf->len = 0;
    rt_message_write_head(buf, &found.message);
    rt_message_write_tail(buf, found.message.seq, found.is_read, found.read_at_ms,
        found.updated_at_ms);

    if (buf->failed) {
        return RT_NO_MEMORY;
    }

    out->id = found.message.id;
    out->seq = found.message.seq;
    out->kind = found.message.kind;
    out->created_at_ms = found.message.created_at_ms;
    out->text = rt_arena_str(arena, (rt_str_t){buf->data, buf->len});

    return out->text.data ? RT_OK : RT_NO_MEMORY;
}


typedef struct {
    rt_mongo_t       *db;
    rt_arena_t       *arena;
    const rt_room_t  *room;
    rt_message_row_t *rows;
    size_t            count;
    size_t            size;
    int64_t           end; /* the room's seq */
    int64_t beyond_ms;     /* when a message was made that the room has not counted; 0: none */
} rt_mongo_rows_t;


static rt_status_t
rt_mongo_rows_row(void *data, const bson_t *document)
{
    rt_status_t       status;
    rt_mongo_rows_t  *rows = data;
    rt_message_row_t *row = &rows->rows[rows->count];

    if (rows->count == rows->size) {
        return RT_OK;
    }

    status = rt_mongo_message_read(rows->db, document, rows->room, rows->arena, row);

    if (row->seq > rows->end) {
        rows->beyond_ms = row->created_at_ms;
    } else {
        rows->count++;
    }

    return status;
}


/* The one message that the filter finds; out->text is empty when there is none. */
static rt_status_t
rt_mongo_message_one(rt_mongo_t *db, const bson_t *filter, const rt_room_t *room, rt_arena_t *arena,
    rt_message_row_t *out)
{
    bson_t          options = BSON_INITIALIZER;
    rt_status_t     status;
    rt_mongo_rows_t rows =
        {.db = db, .arena = arena, .room = room, .rows = out, .size = 1, .end = INT64_MAX};

    memset(out, 0, sizeof(rt_message_row_t));
    BSON_APPEND_INT64(&options, "limit", 1);
    status = rt_mongo_find(db, db->messages, filter, &options, rt_mongo_rows_row, &rows);
    bson_destroy(&options);

    return status;
}


rt_status_t
rt_mongo_message_get(rt_store_session_t *session, rt_arena_t *arena, const rt_room_t *room,
    rt_str_t id, rt_message_row_t *out)
{
    bson_t      filter = BSON_INITIALIZER;
    rt_mongo_t *db = (rt_mongo_t *) session;
    rt_status_t status;

    rt_mongo_put_either(&filter, "_id", id);
    rt_mongo_put_room(&filter, "roomId", room);
    BCON_APPEND(&filter, "seq", "{", "$exists", BCON_BOOL(true), "}");
    status = rt_mongo_message_one(db, &filter, room, arena, out);
    bson_destroy(&filter);

    return status;
}


rt_status_t
rt_mongo_message_find(rt_store_session_t *session, rt_arena_t *arena, const rt_room_t *room,
    rt_str_t sender_id, rt_str_t client_id, rt_message_row_t *out)
{
    bson_t      filter = BSON_INITIALIZER;
    rt_mongo_t *db = (rt_mongo_t *) session;
    rt_status_t status;

    rt_mongo_put_room(&filter, "roomId", room);
    rt_mongo_put_id(&filter, "senderId", sender_id);
    rt_mongo_put_text(&filter, "clientMessageId", client_id);
    status = rt_mongo_message_one(db, &filter, room, arena, out);
    bson_destroy(&filter);

    return status;
}


static void
rt_mongo_rows_reverse(rt_message_list_t *list)
{
    size_t           i;
    rt_message_row_t row;

    for (i = 0; i < list->count / 2; i++) {
        row = list->rows[i];
        list->rows[i] = list->rows[list->count - 1 - i];
        list->rows[list->count - 1 - i] = row;
    }
}


/* There are no holes in seq, so a page is a range. The newest page is looked for without an end. */
static void
rt_mongo_put_range(bson_t *filter, const rt_room_t *room, rt_message_range_t range, int64_t at)
{
    bson_t condition;

    rt_mongo_put_room(filter, "roomId", room);
    bson_append_document_begin(filter, "seq", -1, &condition);

    switch (range) {

    case RT_MESSAGES_PAGE:
        BSON_APPEND_INT64(&condition, "$lte", at ? room->seq - at : INT64_MAX);
        break;

    case RT_MESSAGES_BEFORE:
        BSON_APPEND_INT64(&condition, "$lt", at);
        break;

    case RT_MESSAGES_AFTER:
        BSON_APPEND_INT64(&condition, "$gt", at);
        break;
    }

    bson_append_document_end(filter, &condition);
}


static rt_status_t
rt_mongo_list_range(rt_mongo_rows_t *rows, rt_message_range_t range, int64_t at)
{
    bson_t      filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    rt_status_t status;

    rows->count = 0;
    rows->end = rows->room->seq;
    rows->beyond_ms = 0;

    rt_mongo_put_range(&filter, rows->room, range, at);
    BCON_APPEND(&options, "sort", "{", "seq", BCON_INT32(range == RT_MESSAGES_AFTER ? 1 : -1), "}",
        "limit", BCON_INT64((int64_t) rows->size));

    status =
        rt_mongo_find(rows->db, rows->db->messages, &filter, &options, rt_mongo_rows_row, rows);
    bson_destroy(&filter);
    bson_destroy(&options);

    return status;
}


/* The room says where its history ends: what was stored since it was loaded is left out. What lies
 * there for long will be counted by nobody else, so it is now. */
rt_status_t
rt_mongo_messages_list(rt_store_session_t *session, rt_arena_t *arena, rt_room_t *room,
    rt_message_range_t range, int64_t at, int64_t limit, rt_message_list_t *out)
{
    rt_mongo_t     *db = (rt_mongo_t *) session;
    rt_status_t     status;
    rt_mongo_rows_t rows = {.db = db, .arena = arena, .room = room, .size = (size_t) limit};

    rows.rows = rt_arena_alloc(arena, ((size_t) limit + 1) * sizeof(rt_message_row_t));
    if (rows.rows == NULL) {
        return RT_NO_MEMORY;
    }

    status = rt_mongo_list_range(&rows, range, at);

    if (status == RT_OK && rows.beyond_ms != 0 && range == RT_MESSAGES_PAGE) {
        if (rt_time_now_ms() - rows.beyond_ms > RT_MONGO_SETTLE_MS) {
            status = rt_mongo_recount(db, arena, room);
        }

        if (status == RT_OK) {
            status = rt_mongo_list_range(&rows, RT_MESSAGES_BEFORE, room->seq + 1);
        }
    }

    out->rows = rows.rows;
    out->count = rows.count;

    if (range != RT_MESSAGES_AFTER) {
        rt_mongo_rows_reverse(out);
    }

    return status;
}


rt_status_t
rt_mongo_messages_count(rt_store_session_t *session, const rt_room_t *room, int64_t *out)
{
    (void) session;

    *out = room->seq;

    return RT_OK;
}
