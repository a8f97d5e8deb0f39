/* Lists of rooms in MongoDB. */

#include <string.h>

#include "store/rt_store_mongo.h"


static int
rt_mongo_is_special(char c)
{
    return strchr("\\^$.|?*+()[]{}", c) != NULL && c != '\0';
}


/* q as a regular expression that finds just this text. */
static rt_status_t
rt_mongo_list_pattern(rt_buf_t *pattern, rt_str_t q)
{
    size_t i;

    pattern->len = 0;

    for (i = 0; i < q.len; i++) {
        if (rt_mongo_is_special(q.data[i])) {
            rt_buf_append(pattern, "\\", 1);
        }

        rt_buf_append(pattern, &q.data[i], 1);
    }

    rt_buf_append(pattern, "", 1);

    return pattern->failed ? RT_NO_MEMORY : RT_OK;
}


static void
rt_mongo_list_search(bson_t *filter, const char *pattern)
{
    size_t      i;
    char        buf[16];
    bson_t      either, one;
    const char *key;

    static const char *const members[] = {"metadata.userName", "metadata.userEmail",
        "metadata.userPhone", "roomName", "lastMessage"};

    bson_append_array_begin(filter, "$or", -1, &either);

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        bson_uint32_to_string((uint32_t) i, &key, buf, sizeof(buf));
        bson_append_document_begin(&either, key, -1, &one);
        BSON_APPEND_REGEX(&one, members[i], pattern, "i");
        bson_append_document_end(&either, &one);
    }

    bson_append_array_end(filter, &either);
}


/* Team-chat and admin-support rooms are only for the people in them, but that super admins see
 * every admin-support room. */
static void
rt_mongo_list_staff(bson_t *filter, const rt_room_query_t *query)
{
    bson_t either, one;

    bson_append_array_begin(filter, "$or", -1, &either);

    bson_append_document_begin(&either, "0", -1, &one);

    if (query->view == RT_VIEW_ALL) {
        BCON_APPEND(&one, "roomType", "{", "$ne", "team-chat", "}");
    } else {
        BCON_APPEND(&one, "roomType", "{", "$nin", "[", "team-chat", "admin-support", "]", "}");
    }

    bson_append_document_end(&either, &one);

    bson_append_document_begin(&either, "1", -1, &one);
    BCON_APPEND(&one, "roomType", "{", "$in", "[", "team-chat", "admin-support", "]", "}");
    rt_mongo_put_either(&one, "metadata.ownerId", query->user_id);
    bson_append_document_end(&either, &one);

    bson_append_document_begin(&either, "2", -1, &one);
    BSON_APPEND_UTF8(&one, "roomType", "team-chat");
    rt_mongo_put_either(&one, "metadata.memberId", query->user_id);
    bson_append_document_end(&either, &one);

    bson_append_array_end(filter, &either);
}


/* A member that documents of the original's may lack: then it has its default. */
static void
rt_mongo_list_flag(bson_t *filter, const char *name, int value, int otherwise)
{
    if (value == -1) {
        return;
    }

    if (value == otherwise) {
        BCON_APPEND(filter, name, "{", "$ne", BCON_BOOL(!value), "}");
    } else {
        BSON_APPEND_BOOL(filter, name, value);
    }
}


/* The conditions are joined by $and, since two of them are $or's. */
static void
rt_mongo_list_filter(bson_t *filter, const rt_room_query_t *query, const char *pattern)
{
    bson_t all, one;

    if (query->business_id.len) {
        rt_mongo_put_either(filter, "businessId", query->business_id);
    }

    if (query->view == RT_VIEW_CUSTOMER) {
        rt_mongo_put_either(filter, "metadata.userId", query->user_id);
    }

    if (query->type == RT_ROOM_CUSTOMER_SUPPORT
        || (query->type == -1 && query->view == RT_VIEW_CUSTOMER))
    {
        BCON_APPEND(filter, "roomType", "{", "$nin", "[", "team-chat", "staff-chat",
            "admin-support", "]", "}");
    } else if (query->type != -1) {
        BSON_APPEND_UTF8(filter, "roomType", rt_room_type_names[query->type]);
    }

    rt_mongo_list_flag(filter, "isActive", query->is_active, 1);
    rt_mongo_list_flag(filter, "isArchived", query->is_archived, 0);
    rt_mongo_put_text(filter, "metadata.priority", query->priority);

    if (query->assigned_staff_id.len) {
        rt_mongo_put_either(filter, "metadata.assignedStaffId", query->assigned_staff_id);
    }

    if (query->unread_only) {
        BCON_APPEND(filter, "unreadCount", "{", "$gt", BCON_INT32(0), "}");
    }

    bson_append_array_begin(filter, "$and", -1, &all);
    bson_append_document_begin(&all, "0", -1, &one);

    if (query->view != RT_VIEW_CUSTOMER) {
        rt_mongo_list_staff(&one, query);
    }

    bson_append_document_end(&all, &one);
    bson_append_document_begin(&all, "1", -1, &one);

    if (query->q.len) {
        rt_mongo_list_search(&one, pattern);
    }

    bson_append_document_end(&all, &one);
    bson_append_array_end(filter, &all);
}


static rt_status_t
rt_mongo_totals_row(void *data, const bson_t *document)
{
    bson_iter_t     iter;
    rt_room_list_t *out = data;

    if (bson_iter_init_find(&iter, document, "total")) {
        out->total = bson_iter_as_int64(&iter);
    }

    if (bson_iter_init_find(&iter, document, "unread")) {
        out->total_unread = bson_iter_as_int64(&iter);
    }

    return RT_OK;
}


static rt_status_t
rt_mongo_list_totals(rt_mongo_t *db, const bson_t *filter, rt_room_list_t *out)
{
    bson_t     *pipeline;
    rt_status_t status;

    pipeline = BCON_NEW("pipeline", "[", "{", "$match", BCON_DOCUMENT(filter), "}", "{", "$group",
        "{", "_id", BCON_NULL, "total", "{", "$sum", BCON_INT32(1), "}", "unread", "{", "$sum",
        "$unreadCount", "}", "}", "}", "]");

    status = rt_mongo_aggregate(db, db->rooms, pipeline, rt_mongo_totals_row, out);
    bson_destroy(pipeline);

    return status;
}


typedef struct {
    rt_arena_t     *arena;
    rt_room_list_t *list;
    size_t          size;
} rt_mongo_list_t;


static rt_status_t
rt_mongo_list_row(void *data, const bson_t *document)
{
    rt_status_t      status;
    rt_mongo_list_t *list = data;
    rt_mongo_room_t  room;

    if (list->list->count == list->size) {
        return RT_OK;
    }

    status = rt_mongo_room_read(document, list->arena, &room);

    if (status == RT_OK) {
        list->list->rooms[list->list->count++] = room.room;
    }

    return status;
}


rt_status_t
rt_mongo_rooms_list(rt_store_session_t *session, rt_arena_t *arena, const rt_room_query_t *query,
    rt_room_list_t *out)
{
    bson_t          filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    rt_mongo_t     *db = (rt_mongo_t *) session;
    rt_status_t     status;
    rt_mongo_list_t list = {.arena = arena, .list = out, .size = (size_t) query->limit};

    memset(out, 0, sizeof(rt_room_list_t));
    out->rooms = rt_arena_alloc(arena, (size_t) query->limit * sizeof(rt_room_t));

    if (out->rooms == NULL || rt_mongo_list_pattern(&db->scratch, query->q) != RT_OK) {
        return RT_NO_MEMORY;
    }

    rt_mongo_list_filter(&filter, query, db->scratch.data);
    BCON_APPEND(&options, "sort", "{", "lastMessageAt", BCON_INT32(-1), "_id", BCON_INT32(-1), "}",
        "skip", BCON_INT64(query->offset), "limit", BCON_INT64(query->limit));

    status = rt_mongo_list_totals(db, &filter, out);

    if (status == RT_OK) {
        status = rt_mongo_find(db, db->rooms, &filter, &options, rt_mongo_list_row, &list);
    }

    bson_destroy(&filter);
    bson_destroy(&options);

    return status;
}
