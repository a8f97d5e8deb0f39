/* A room as MongoDB document: reading it, also as the original system wrote it, and writing it. */

#include <string.h>

#include <rt/rt_text.h>

#include "store/rt_store_mongo.h"


/* Members of metadata that hold ids. */
static const char *const rt_mongo_metadata_ids[] = {"userId", "ownerId", "memberId",
    "assignedStaffId", NULL};

/* A document's members as they are read; the room is made from them. */
typedef struct {
    rt_mongo_room_t *out;
    rt_str_t         type;
    rt_str_t         last_id; /* of `last`, which is ours */
    rt_str_t         last_text;
    int64_t          last_at_ms;
} rt_mongo_room_parts_t;

#define RT_MONGO_ROOM(member) offsetof(rt_room_t, member)

static const rt_mongo_field_t rt_mongo_room_fields[] = {
    {"_id", RT_MONGO_TEXT, RT_MONGO_ROOM(id)},
    {"businessId", RT_MONGO_TEXT, RT_MONGO_ROOM(business_id)},
    {"roomName", RT_MONGO_TEXT, RT_MONGO_ROOM(name)},
    {"isActive", RT_MONGO_TRUE, RT_MONGO_ROOM(is_active)},
    {"isArchived", RT_MONGO_FALSE, RT_MONGO_ROOM(is_archived)},
    {"seq", RT_MONGO_INT, RT_MONGO_ROOM(seq)},
    {"seq", RT_MONGO_PRESENT, offsetof(rt_mongo_room_t, has_seq)},
    {"storedCount", RT_MONGO_INT, offsetof(rt_mongo_room_t, stored_count)},
    {"unreadCount", RT_MONGO_INT, RT_MONGO_ROOM(unread_count)},
    {"lastMessageId", RT_MONGO_TEXT, RT_MONGO_ROOM(last_message_id)},
    {"lastMessage", RT_MONGO_TEXT, RT_MONGO_ROOM(last_message)},
    {"lastMessageAt", RT_MONGO_TIME, RT_MONGO_ROOM(last_message_at_ms)},
    {"createdAt", RT_MONGO_TIME, RT_MONGO_ROOM(created_at_ms)},
    {"updatedAt", RT_MONGO_TIME, RT_MONGO_ROOM(updated_at_ms)},
    {"metadata", RT_MONGO_JSON, RT_MONGO_ROOM(metadata)},
    {NULL, RT_MONGO_TEXT, 0},
};

static const rt_mongo_field_t rt_mongo_metadata_fields[] = {
    {"userId", RT_MONGO_TEXT, RT_MONGO_ROOM(user_id)},
    {"userName", RT_MONGO_TEXT, RT_MONGO_ROOM(user_name)},
    {"userEmail", RT_MONGO_TEXT, RT_MONGO_ROOM(user_email)},
    {"ownerId", RT_MONGO_TEXT, RT_MONGO_ROOM(owner_id)},
    {"memberId", RT_MONGO_TEXT, RT_MONGO_ROOM(member_id)},
    {"priority", RT_MONGO_TEXT, RT_MONGO_ROOM(priority)},
    {"assignedStaffId", RT_MONGO_TEXT, RT_MONGO_ROOM(assigned_staff_id)},
    {NULL, RT_MONGO_TEXT, 0},
};

#define RT_MONGO_ASSIST(member) RT_MONGO_ROOM(assist.member)

static const rt_mongo_field_t rt_mongo_assist_fields[] = {
    {"welcomed", RT_MONGO_FALSE, RT_MONGO_ASSIST(welcomed)},
    {"askedSeq", RT_MONGO_INT, RT_MONGO_ASSIST(asked_seq)},
    {"doneSeq", RT_MONGO_INT, RT_MONGO_ASSIST(done_seq)},
    {"toldSeq", RT_MONGO_INT, RT_MONGO_ASSIST(told_seq)},
    {"staffSeq", RT_MONGO_INT, RT_MONGO_ASSIST(staff_seq)},
    {"staffAt", RT_MONGO_TIME, RT_MONGO_ASSIST(staff_at_ms)},
    {"customerAt", RT_MONGO_TIME, RT_MONGO_ASSIST(customer_at_ms)},
    {"offlineSeq", RT_MONGO_INT, RT_MONGO_ASSIST(offline_seq)},
    {"acknowledgeSeq", RT_MONGO_INT, RT_MONGO_ASSIST(acknowledge_seq)},
    {"calledSeq", RT_MONGO_INT, RT_MONGO_ASSIST(called_seq)},
    {"feedbackSeq", RT_MONGO_INT, RT_MONGO_ASSIST(feedback_seq)},
    {"feedbackId", RT_MONGO_TEXT, RT_MONGO_ASSIST(feedback_id)},
    {"feedbackFaq", RT_MONGO_TEXT, RT_MONGO_ASSIST(feedback_faq)},
    {NULL, RT_MONGO_TEXT, 0},
};

static const rt_mongo_field_t rt_mongo_type_fields[] = {
    {"roomType", RT_MONGO_TEXT, offsetof(rt_mongo_room_parts_t, type)},
    {NULL, RT_MONGO_TEXT, 0},
};

static const rt_mongo_field_t rt_mongo_last_fields[] = {
    {"id", RT_MONGO_TEXT, offsetof(rt_mongo_room_parts_t, last_id)},
    {"at", RT_MONGO_TIME, offsetof(rt_mongo_room_parts_t, last_at_ms)},
    {"text", RT_MONGO_TEXT, offsetof(rt_mongo_room_parts_t, last_text)},
    {NULL, RT_MONGO_TEXT, 0},
};


/* The same for a member that is a document; it may be absent. */
static rt_status_t
rt_mongo_read_inner(const bson_t *document, const char *name, const rt_mongo_field_t *fields,
    void *out, rt_arena_t *arena)
{
    bson_t         inner;
    uint32_t       len;
    bson_iter_t    iter;
    const uint8_t *data;

    if (!bson_iter_init_find(&iter, document, name) || !BSON_ITER_HOLDS_DOCUMENT(&iter)) {
        return RT_OK;
    }

    bson_iter_document(&iter, &len, &data);

    if (!bson_init_static(&inner, data, len)) {
        return RT_ERROR;
    }

    return rt_mongo_read(&inner, fields, out, arena);
}


/* Two updates that crossed can leave the older one's lastMessage, never its `last`; another writer
 * sets only the former, and later. */
static void
rt_mongo_room_last(rt_mongo_room_parts_t *parts)
{
    rt_room_t *room = &parts->out->room;

    if (room->last_message_id.len == 0 || rt_str_eq(room->last_message_id, parts->last_id)) {
        return;
    }

    parts->out->is_touched = 1;

    if (parts->last_id.len && room->last_message_at_ms <= parts->last_at_ms) {
        room->last_message_id = parts->last_id;
        room->last_message = parts->last_text;
        room->last_message_at_ms = parts->last_at_ms;
    }
}


rt_status_t
rt_mongo_room_read(const bson_t *document, rt_arena_t *arena, rt_mongo_room_t *out)
{
    int                   type;
    rt_room_t            *room = &out->room;
    bson_iter_t           iter;
    rt_status_t           status;
    rt_mongo_room_parts_t parts;

    memset(out, 0, sizeof(rt_mongo_room_t));
    memset(&parts, 0, sizeof(parts));
    parts.out = out;

    status = rt_mongo_read(document, rt_mongo_room_fields, out, arena);

    if (status == RT_OK) {
        status = rt_mongo_read(document, rt_mongo_type_fields, &parts, arena);
    }

    if (status == RT_OK) {
        status = rt_mongo_read_inner(document, "metadata", rt_mongo_metadata_fields, out, arena);
    }

    if (status == RT_OK) {
        status = rt_mongo_read_inner(document, "last", rt_mongo_last_fields, &parts, arena);
    }

    if (status == RT_OK) {
        status = rt_mongo_read_inner(document, "assistant", rt_mongo_assist_fields, out, arena);
    }

    if (status != RT_OK) {
        return status;
    }

    type = rt_name_find(rt_room_type_names, parts.type);
    room->type = type == -1 ? RT_ROOM_CUSTOMER_SUPPORT : (rt_room_type_t) type;

    if (room->priority.len == 0) {
        room->priority = rt_str("medium");
    }

    if (room->unread_count < 0) {
        room->unread_count = 0;
    }

    /* whoever wrote in a room of the original's was welcomed there */
    if (!bson_has_field(document, "assistant.welcomed") && room->last_message_id.len) {
        room->assist.welcomed = 1;
    }

    if (bson_iter_init_find(&iter, document, "_id") && BSON_ITER_HOLDS_UTF8(&iter)) {
        room->store_key |= RT_MONGO_TEXT_ID;
    }

    rt_mongo_room_last(&parts);

    return RT_OK;
}


void
rt_mongo_put_room(bson_t *document, const char *name, const rt_room_t *room)
{
    if (room->store_key & RT_MONGO_TEXT_ID) {
        rt_mongo_put_text(document, name, room->id);
    } else {
        rt_mongo_put_id(document, name, room->id);
    }
}


/* Of two documents' members of that name: 1 when their JSON is the same. */
static int
rt_mongo_same_json(const bson_iter_t *a, const bson_iter_t *b, rt_arena_t *arena)
{
    rt_str_t               texts[2] = {rt_str_null, rt_str_null};
    bson_t                 document;
    size_t                 i;
    const bson_iter_t     *iters[2] = {a, b};
    const rt_mongo_field_t fields[] = {{"v", RT_MONGO_JSON, 0}, {NULL, RT_MONGO_TEXT, 0}};

    for (i = 0; i < 2; i++) {
        bson_init(&document);
        bson_append_iter(&document, "v", 1, iters[i]);

        if (rt_mongo_read(&document, fields, &texts[i], arena) != RT_OK) {
            texts[i] = rt_str_null;
        }

        bson_destroy(&document);
    }

    return rt_str_eq(texts[0], texts[1]);
}


/* JSON has fewer types than BSON: what did not change keeps the value that it had. */
static rt_status_t
rt_mongo_merge(bson_t *out, const bson_t *now, const bson_t *before)
{
    rt_arena_t *arena;
    bson_iter_t iter, old;

    arena = rt_arena_create(0);
    if (arena == NULL) {
        return RT_NO_MEMORY;
    }

    if (bson_iter_init(&iter, now)) {
        while (bson_iter_next(&iter)) {
            if (bson_iter_init_find(&old, before, bson_iter_key(&iter))
                && rt_mongo_same_json(&iter, &old, arena))
            {
                bson_append_iter(out, NULL, 0, &old);
            } else {
                bson_append_iter(out, NULL, 0, &iter);
            }
        }
    }

    rt_arena_destroy(arena);

    return RT_OK;
}


rt_status_t
rt_mongo_put_metadata(bson_t *document, rt_str_t json, const bson_t *before)
{
    bson_t         holder = BSON_INITIALIZER, now, merged;
    uint32_t       len;
    rt_status_t    status;
    bson_iter_t    iter;
    const uint8_t *data;

    status = rt_mongo_put_json(&holder, "metadata", json.len ? json : rt_str("{}"),
        rt_mongo_metadata_ids);

    if (status == RT_OK && bson_iter_init_find(&iter, &holder, "metadata")) {

        if (before != NULL && BSON_ITER_HOLDS_DOCUMENT(&iter)) {
            bson_iter_document(&iter, &len, &data);
            bson_init_static(&now, data, len);
            bson_append_document_begin(document, "metadata", -1, &merged);
            status = rt_mongo_merge(&merged, &now, before);
            bson_append_document_end(document, &merged);
        } else {
            bson_append_iter(document, "metadata", -1, &iter);
        }
    }

    bson_destroy(&holder);

    return status;
}


rt_status_t
rt_mongo_room_write(bson_t *document, const rt_room_t *room, rt_str_t key)
{
    rt_status_t status;

    rt_mongo_put_id(document, "_id", room->id);
    rt_mongo_put_id(document, "businessId", room->business_id);
    BSON_APPEND_UTF8(document, "roomType", rt_room_type_names[room->type]);
    rt_mongo_put_text(document, "roomName", room->name);
    BSON_APPEND_BOOL(document, "isActive", room->is_active);
    BSON_APPEND_BOOL(document, "isArchived", room->is_archived);
    rt_mongo_put_text(document, "openKey", key);
    BSON_APPEND_INT64(document, "seq", 0);
    BSON_APPEND_INT64(document, "storedCount", 0);
    BSON_APPEND_INT64(document, "unreadCount", 0);
    BCON_APPEND(document, "assistant", "{", "welcomed", BCON_BOOL(room->assist.welcomed), "}");
    BSON_APPEND_DATE_TIME(document, "lastMessageAt", room->last_message_at_ms);
    status = rt_mongo_put_metadata(document, room->metadata, NULL);
    BSON_APPEND_DATE_TIME(document, "createdAt", room->created_at_ms);
    BSON_APPEND_DATE_TIME(document, "updatedAt", room->updated_at_ms);

    return status;
}
