/* Automatic responses in MongoDB. */

#include "store/rt_store_mongo_assist.h"


typedef struct {
    rt_response_row_t row; /* first */
    rt_str_t          type;
} rt_mongo_response_t;

static const rt_mongo_field_t rt_mongo_response_fields[] = {
    {"_id", RT_MONGO_TEXT, offsetof(rt_response_row_t, id)},
    {"businessId", RT_MONGO_TEXT, offsetof(rt_response_row_t, business_id)},
    {"name", RT_MONGO_TEXT, offsetof(rt_response_row_t, name)},
    {"responseType", RT_MONGO_TEXT, offsetof(rt_mongo_response_t, type)},
    {"message", RT_MONGO_TEXT, offsetof(rt_response_row_t, message)},
    {"trigger", RT_MONGO_OBJECT, offsetof(rt_response_row_t, trigger)},
    {"quickReplies", RT_MONGO_ARRAY, offsetof(rt_response_row_t, quick_replies)},
    {"isActive", RT_MONGO_TRUE, offsetof(rt_response_row_t, is_active)},
    {"usageCount", RT_MONGO_INT, offsetof(rt_response_row_t, usage_count)},
    {"metadata", RT_MONGO_OBJECT, offsetof(rt_response_row_t, metadata)},
    {"createdAt", RT_MONGO_TIME, offsetof(rt_response_row_t, created_at_ms)},
    {"updatedAt", RT_MONGO_TIME, offsetof(rt_response_row_t, updated_at_ms)},
    {NULL, RT_MONGO_TEXT, 0},
};


static rt_status_t
rt_mongo_on_response(void *data, const bson_t *document)
{
    int                 type;
    rt_status_t         status;
    rt_mongo_gather_t  *rows = data;
    rt_response_row_t  *out;
    rt_mongo_response_t parts = {.type = rt_str_null};

    out = rt_mongo_gather_next(rows);
    if (out == NULL) {
        return RT_NO_MEMORY;
    }

    status = rt_mongo_read(document, rt_mongo_response_fields, &parts, rows->arena);
    type = rt_name_find(rt_response_type_names, parts.type);
    parts.row.type = type >= 0 ? (rt_response_type_t) type : RT_RESPONSE_CUSTOM;
    *out = parts.row;

    return status;
}


/* What adding and changing have in common, but for trigger and metadata. */
static rt_status_t
rt_mongo_response_put(bson_t *document, const rt_response_row_t *response)
{
    rt_mongo_put_text_or_null(document, "name", response->name);
    BSON_APPEND_UTF8(document, "responseType", rt_response_type_names[response->type]);
    rt_mongo_put_text(document, "message", response->message);
    BSON_APPEND_BOOL(document, "isActive", response->is_active);
    BSON_APPEND_DATE_TIME(document, "updatedAt", response->updated_at_ms);

    return rt_mongo_put_json_or(document, "quickReplies", response->quick_replies, "[]");
}


rt_status_t
rt_mongo_response_add(rt_store_session_t *session, const rt_response_row_t *response)
{
    bson_t      document = BSON_INITIALIZER;
    rt_status_t status;

    rt_mongo_put_id(&document, "_id", response->id);
    rt_mongo_put_id(&document, "businessId", response->business_id);
    BSON_APPEND_INT64(&document, "usageCount", response->usage_count);
    BSON_APPEND_DATE_TIME(&document, "createdAt", response->created_at_ms);
    status = rt_mongo_response_put(&document, response);

    if (status == RT_OK) {
        status = rt_mongo_put_json_or(&document, "trigger", response->trigger, "{}");
    }

    if (status == RT_OK) {
        status = rt_mongo_put_json_or(&document, "metadata", response->metadata, "{}");
    }

    if (status != RT_OK) {
        bson_destroy(&document);
        return status;
    }

    return rt_mongo_insert_in((rt_mongo_t *) session, "autoresponses", &document);
}


rt_status_t
rt_mongo_response_get(rt_store_session_t *session, rt_arena_t *arena, rt_str_t business_id,
    rt_str_t id, rt_response_row_t **out)
{
    bson_t            filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    rt_status_t       status;
    rt_mongo_gather_t rows = {.arena = arena, .size = sizeof(rt_response_row_t)};

    rt_mongo_put_of_business(&filter, business_id, id);
    status = rt_mongo_find_in((rt_mongo_t *) session, "autoresponses", &filter, &options,
        rt_mongo_on_response, &rows);
    *out = rows.count ? (rt_response_row_t *) rows.rows : NULL;

    return status;
}


/* What stays as it is keeps the types that others gave it. */
static rt_status_t
rt_mongo_response_changes(bson_t *set, const rt_response_row_t *response,
    const rt_response_row_t *before)
{
    rt_status_t status;

    status = rt_mongo_response_put(set, response);

    if (status == RT_OK && (before == NULL || !rt_str_eq(before->trigger, response->trigger))) {
        status = rt_mongo_put_json_or(set, "trigger", response->trigger, "{}");
    }

    if (status == RT_OK && (before == NULL || !rt_str_eq(before->metadata, response->metadata))) {
        status = rt_mongo_put_json_or(set, "metadata", response->metadata, "{}");
    }

    return status;
}


rt_status_t
rt_mongo_response_change(rt_store_session_t *session, const rt_response_row_t *response)
{
    bson_t             filter = BSON_INITIALIZER, set = BSON_INITIALIZER;
    rt_arena_t        *arena;
    rt_status_t        status;
    rt_response_row_t *before;

    arena = rt_arena_create(0);
    status = arena
        ? rt_mongo_response_get(session, arena, response->business_id, response->id, &before)
        : RT_NO_MEMORY;

    if (status == RT_OK) {
        status = rt_mongo_response_changes(&set, response, before);
    }

    rt_arena_destroy(arena);

    if (status != RT_OK) {
        bson_destroy(&filter);
        bson_destroy(&set);
        return status;
    }

    rt_mongo_put_of_business(&filter, response->business_id, response->id);

    return rt_mongo_assist_set((rt_mongo_t *) session, "autoresponses", &filter, &set);
}


rt_status_t
rt_mongo_response_list(rt_store_session_t *session, rt_arena_t *arena,
    const rt_response_query_t *query, rt_response_list_t *out)
{
    bson_t            filter = BSON_INITIALIZER, options = BSON_INITIALIZER, count;
    rt_status_t       status;
    rt_mongo_gather_t rows = {.arena = arena, .size = sizeof(rt_response_row_t)};

    rt_mongo_put_either(&filter, "businessId", query->business_id);

    if (query->type != -1) {
        BSON_APPEND_UTF8(&filter, "responseType", rt_response_type_names[query->type]);
    }

    rt_mongo_put_active(&filter, query->is_active);
    bson_copy_to(&filter, &count);
    status = rt_mongo_count_in((rt_mongo_t *) session, "autoresponses", &count, 0, &out->total);

    if (status != RT_OK) {
        bson_destroy(&filter);
        bson_destroy(&options);
        return status;
    }

    BCON_APPEND(&options, "sort", "{", "createdAt", BCON_INT32(-1), "_id", BCON_INT32(-1), "}",
        "skip", BCON_INT64(query->offset), "limit", BCON_INT64(query->limit));
    status = rt_mongo_find_in((rt_mongo_t *) session, "autoresponses", &filter, &options,
        rt_mongo_on_response, &rows);
    out->rows = (rt_response_row_t *) rows.rows;
    out->count = rows.count;

    return status;
}


rt_status_t
rt_mongo_response_count(rt_store_session_t *session, rt_str_t business_id, rt_str_t id,
    int64_t usage)
{
    static const char *const names[] = {"usageCount"};

    return rt_mongo_assist_count((rt_mongo_t *) session, "autoresponses", business_id, id, names,
        &usage, 1);
}
