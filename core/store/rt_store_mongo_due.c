/* What the assistant remembers of rooms in MongoDB, and which rooms wait for it. Its members are
 * those of the room's `assistant`; assistantDueAt is there while it is waited for. */

#include <string.h>

#include "store/rt_store_mongo.h"


static void
rt_mongo_put_due_end(bson_t *update)
{
    BCON_APPEND(update, "$unset", "{", "assistantDueAt", BCON_INT32(1), "}");
}


/* Not due any more, unless it was asked again behind seq. */
static rt_status_t
rt_mongo_due_end(rt_mongo_t *db, const bson_t *id, int64_t seq)
{
    bson_t      filter = BSON_INITIALIZER, update = BSON_INITIALIZER;
    rt_status_t status;

    bson_concat(&filter, id);
    BCON_APPEND(&filter, "assistant.askedSeq", "{", "$not", "{", "$gt", BCON_INT64(seq), "}", "}");
    rt_mongo_put_due_end(&update);
    status = rt_mongo_update(db, db->rooms, 0, &filter, &update, NULL);
    bson_destroy(&filter);
    bson_destroy(&update);

    return status;
}


static void
rt_mongo_put_assist(bson_t *update, const rt_room_assist_t *assist)
{
    bson_t set;

    bson_append_document_begin(update, "$set", -1, &set);
    BSON_APPEND_BOOL(&set, "assistant.welcomed", assist->welcomed);
    BSON_APPEND_INT64(&set, "assistant.doneSeq", assist->done_seq);
    BSON_APPEND_DATE_TIME(&set, "assistant.customerAt", assist->customer_at_ms);
    BSON_APPEND_INT64(&set, "assistant.offlineSeq", assist->offline_seq);
    BSON_APPEND_INT64(&set, "assistant.acknowledgeSeq", assist->acknowledge_seq);
    BSON_APPEND_INT64(&set, "assistant.calledSeq", assist->called_seq);
    BSON_APPEND_INT64(&set, "assistant.feedbackSeq", assist->feedback_seq);

    if (assist->feedback_id.len) {
        rt_mongo_put_id(&set, "assistant.feedbackId", assist->feedback_id);
        rt_mongo_put_id(&set, "assistant.feedbackFaq", assist->feedback_faq);
    }

    bson_append_document_end(update, &set);
}


rt_status_t
rt_mongo_room_assist(rt_store_session_t *session, const rt_room_t *room, int64_t done_before,
    int is_told)
{
    bson_t      id = BSON_INITIALIZER, filter = BSON_INITIALIZER, update = BSON_INITIALIZER;
    int64_t     matched;
    rt_mongo_t *db = (rt_mongo_t *) session;
    rt_status_t status;

    rt_mongo_put_room(&id, "_id", room);
    bson_concat(&filter, &id);

    if (done_before) {
        BSON_APPEND_INT64(&filter, "assistant.doneSeq", done_before);
    } else {
        BCON_APPEND(&filter, "assistant.doneSeq", "{", "$in", "[", BCON_NULL, BCON_INT64(0), "]",
            "}");
    }

    rt_mongo_put_assist(&update, &room->assist);
    status = rt_mongo_update(db, db->rooms, 0, &filter, &update, &matched);

    if (status == RT_OK && matched == 0) {
        status = RT_CONFLICT;
    }

    if (status == RT_OK && is_told) {
        status = rt_mongo_due_end(db, &id, room->assist.done_seq);
    }

    bson_destroy(&id);
    bson_destroy(&filter);
    bson_destroy(&update);

    return status;
}


typedef struct {
    rt_arena_t    *arena;
    rt_room_due_t *rows;
    size_t         count;
    size_t         size;
} rt_mongo_due_t;

static const rt_mongo_field_t rt_mongo_due_fields[] = {
    {"_id", RT_MONGO_TEXT, offsetof(rt_room_due_t, id)},
    {"businessId", RT_MONGO_TEXT, offsetof(rt_room_due_t, business_id)},
    {NULL, RT_MONGO_TEXT, 0},
};


static rt_status_t
rt_mongo_due_row(void *data, const bson_t *document)
{
    rt_mongo_due_t *due = data;

    if (due->count == due->size) {
        return RT_OK;
    }

    return rt_mongo_read(document, rt_mongo_due_fields, &due->rows[due->count++], due->arena);
}


static rt_status_t
rt_mongo_due_find(rt_mongo_t *db, int64_t before_ms, rt_mongo_due_t *due)
{
    bson_t      filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    rt_status_t status;

    BCON_APPEND(&filter, "assistantDueAt", "{", "$lt", BCON_DATE_TIME(before_ms), "}");
    BCON_APPEND(&options, "sort", "{", "assistantDueAt", BCON_INT32(1), "}", "limit",
        BCON_INT64((int64_t) due->size), "projection", "{", "businessId", BCON_INT32(1), "}");
    status = rt_mongo_find(db, db->rooms, &filter, &options, rt_mongo_due_row, due);
    bson_destroy(&filter);
    bson_destroy(&options);

    return status;
}


/* *ours: 1 when no other host was quicker. */
static rt_status_t
rt_mongo_due_claim(rt_mongo_t *db, rt_str_t id, int64_t before_ms, int64_t now_ms, int *ours)
{
    bson_t      filter = BSON_INITIALIZER, update = BSON_INITIALIZER;
    int64_t     matched;
    rt_status_t status;

    rt_mongo_put_either(&filter, "_id", id);
    BCON_APPEND(&filter, "assistantDueAt", "{", "$lt", BCON_DATE_TIME(before_ms), "}");
    BCON_APPEND(&update, "$set", "{", "assistantDueAt", BCON_DATE_TIME(now_ms), "}");
    status = rt_mongo_update(db, db->rooms, 0, &filter, &update, &matched);
    *ours = status == RT_OK && matched != 0;
    bson_destroy(&filter);
    bson_destroy(&update);

    return status;
}


rt_status_t
rt_mongo_rooms_due(rt_store_session_t *session, rt_arena_t *arena, int64_t before_ms,
    int64_t now_ms, int64_t limit, rt_room_due_t **out, size_t *count)
{
    int            ours;
    size_t         i;
    rt_mongo_t    *db = (rt_mongo_t *) session;
    rt_status_t    status;
    rt_mongo_due_t due = {.arena = arena, .size = (size_t) limit};

    *count = 0;
    due.rows = rt_arena_calloc(arena, due.size * sizeof(rt_room_due_t));

    if (due.rows == NULL) {
        return RT_NO_MEMORY;
    }

    status = rt_mongo_due_find(db, before_ms, &due);

    for (i = 0; i < due.count && status == RT_OK; i++) {
        status = rt_mongo_due_claim(db, due.rows[i].id, before_ms, now_ms, &ours);

        if (ours) {
            due.rows[(*count)++] = due.rows[i];
        }
    }

    *out = due.rows;

    return status;
}


static rt_status_t
rt_mongo_are_due_row(void *data, const bson_t *document)
{
    (void) document;

    *(int *) data = 1;

    return RT_OK;
}


rt_status_t
rt_mongo_rooms_are_due(rt_store_session_t *session, int64_t before_ms, int *out)
{
    bson_t      filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    rt_mongo_t *db = (rt_mongo_t *) session;
    rt_status_t status;

    *out = 0;
    BCON_APPEND(&filter, "assistantDueAt", "{", "$lt", BCON_DATE_TIME(before_ms), "}");
    BCON_APPEND(&options, "limit", BCON_INT64(1), "projection", "{", "_id", BCON_INT32(1), "}");
    status = rt_mongo_find(db, db->rooms, &filter, &options, rt_mongo_are_due_row, out);
    bson_destroy(&filter);
    bson_destroy(&options);

    return status;
}


rt_status_t
rt_mongo_rooms_told(rt_store_session_t *session, const rt_room_due_t *rooms, size_t count)
{
    bson_t      id, update;
    size_t      i;
    rt_mongo_t *db = (rt_mongo_t *) session;
    rt_status_t status;

    status = RT_OK;

    for (i = 0; i < count && status == RT_OK; i++) {
        bson_init(&id);
        bson_init(&update);
        rt_mongo_put_either(&id, "_id", rooms[i].id);
        BCON_APPEND(&update, "$max", "{", "assistant.toldSeq", BCON_INT64(rooms[i].told_seq), "}");
        status = rt_mongo_update(db, db->rooms, 0, &id, &update, NULL);

        if (status == RT_OK) {
            status = rt_mongo_due_end(db, &id, rooms[i].told_seq);
        }

        bson_destroy(&id);
        bson_destroy(&update);
    }

    return status;
}
