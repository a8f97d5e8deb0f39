/* FAQs in MongoDB. */

#include <rt/rt_faq.h>

#include "store/rt_store_mongo_assist.h"


static const rt_mongo_field_t rt_mongo_faq_fields[] = {
    {"_id", RT_MONGO_TEXT, offsetof(rt_faq_row_t, id)},
    {"businessId", RT_MONGO_TEXT, offsetof(rt_faq_row_t, business_id)},
    {"question", RT_MONGO_TEXT, offsetof(rt_faq_row_t, question)},
    {"answer", RT_MONGO_TEXT, offsetof(rt_faq_row_t, answer)},
    {"keywords", RT_MONGO_ARRAY, offsetof(rt_faq_row_t, keywords)},
    {"alternativeQuestions", RT_MONGO_ARRAY, offsetof(rt_faq_row_t, alternatives)},
    {"category", RT_MONGO_TEXT, offsetof(rt_faq_row_t, category)},
    {"confidenceThreshold", RT_MONGO_NUMBER, offsetof(rt_faq_row_t, threshold_percent)},
    {"priority", RT_MONGO_NUMBER, offsetof(rt_faq_row_t, priority)},
    {"usageCount", RT_MONGO_INT, offsetof(rt_faq_row_t, usage_count)},
    {"helpfulCount", RT_MONGO_INT, offsetof(rt_faq_row_t, helpful_count)},
    {"notHelpfulCount", RT_MONGO_INT, offsetof(rt_faq_row_t, not_helpful_count)},
    {"isActive", RT_MONGO_TRUE, offsetof(rt_faq_row_t, is_active)},
    {"metadata", RT_MONGO_OBJECT, offsetof(rt_faq_row_t, metadata)},
    {"createdAt", RT_MONGO_TIME, offsetof(rt_faq_row_t, created_at_ms)},
    {"updatedAt", RT_MONGO_TIME, offsetof(rt_faq_row_t, updated_at_ms)},
    {NULL, RT_MONGO_TEXT, 0},
};


static rt_status_t
rt_mongo_on_faq(void *data, const bson_t *document)
{
    rt_faq_row_t      *out;
    rt_mongo_gather_t *rows = data;

    out = rt_mongo_gather_next(rows);
    if (out == NULL) {
        return RT_NO_MEMORY;
    }

    out->threshold_percent = RT_FAQ_THRESHOLD_DEFAULT;

    return rt_mongo_read(document, rt_mongo_faq_fields, out, rows->arena);
}


/* What adding and changing have in common, but for metadata. */
static rt_status_t
rt_mongo_faq_put(bson_t *document, const rt_faq_row_t *faq)
{
    rt_status_t status;

    rt_mongo_put_text(document, "question", faq->question);
    rt_mongo_put_text(document, "answer", faq->answer);
    rt_mongo_put_text_or_null(document, "category", faq->category);
    BSON_APPEND_DOUBLE(document, "confidenceThreshold", faq->threshold_percent);
    BSON_APPEND_DOUBLE(document, "priority", faq->priority);
    BSON_APPEND_BOOL(document, "isActive", faq->is_active);
    BSON_APPEND_DATE_TIME(document, "updatedAt", faq->updated_at_ms);
    status = rt_mongo_put_json_or(document, "keywords", faq->keywords, "[]");

    if (status == RT_OK) {
        status = rt_mongo_put_json_or(document, "alternativeQuestions", faq->alternatives, "[]");
    }

    return status;
}


rt_status_t
rt_mongo_faq_add(rt_store_session_t *session, const rt_faq_row_t *faq)
{
    bson_t      document = BSON_INITIALIZER;
    rt_status_t status;

    rt_mongo_put_id(&document, "_id", faq->id);
    rt_mongo_put_id(&document, "businessId", faq->business_id);
    BSON_APPEND_INT64(&document, "usageCount", faq->usage_count);
    BSON_APPEND_INT64(&document, "helpfulCount", faq->helpful_count);
    BSON_APPEND_INT64(&document, "notHelpfulCount", faq->not_helpful_count);
    BSON_APPEND_DATE_TIME(&document, "createdAt", faq->created_at_ms);
    status = rt_mongo_faq_put(&document, faq);

    if (status == RT_OK) {
        status = rt_mongo_put_json_or(&document, "metadata", faq->metadata, "{}");
    }

    if (status != RT_OK) {
        bson_destroy(&document);
        return status;
    }

    return rt_mongo_insert_in((rt_mongo_t *) session, "faqs", &document);
}


rt_status_t
rt_mongo_faq_get(rt_store_session_t *session, rt_arena_t *arena, rt_str_t business_id, rt_str_t id,
    rt_faq_row_t **out)
{
    bson_t            filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    rt_status_t       status;
    rt_mongo_gather_t rows = {.arena = arena, .size = sizeof(rt_faq_row_t)};

    rt_mongo_put_of_business(&filter, business_id, id);
    status =
        rt_mongo_find_in((rt_mongo_t *) session, "faqs", &filter, &options, rt_mongo_on_faq, &rows);
    *out = rows.count ? (rt_faq_row_t *) rows.rows : NULL;

    return status;
}


/* Metadata that stay as they are keep the types that others gave them. */
rt_status_t
rt_mongo_faq_change(rt_store_session_t *session, const rt_faq_row_t *faq)
{
    bson_t        filter = BSON_INITIALIZER, set = BSON_INITIALIZER;
    rt_arena_t   *arena;
    rt_status_t   status;
    rt_faq_row_t *before;

    arena = rt_arena_create(0);
    status =
        arena ? rt_mongo_faq_get(session, arena, faq->business_id, faq->id, &before) : RT_NO_MEMORY;

    if (status == RT_OK) {
        status = rt_mongo_faq_put(&set, faq);
    }

    if (status == RT_OK && (before == NULL || !rt_str_eq(before->metadata, faq->metadata))) {
        status = rt_mongo_put_json_or(&set, "metadata", faq->metadata, "{}");
    }

    rt_arena_destroy(arena);

    if (status != RT_OK) {
        bson_destroy(&filter);
        bson_destroy(&set);
        return status;
    }

    rt_mongo_put_of_business(&filter, faq->business_id, faq->id);

    return rt_mongo_assist_set((rt_mongo_t *) session, "faqs", &filter, &set);
}


rt_status_t
rt_mongo_faq_list(rt_store_session_t *session, rt_arena_t *arena, const rt_faq_query_t *query,
    rt_faq_list_t *out)
{
    bson_t            filter = BSON_INITIALIZER, options = BSON_INITIALIZER, count;
    rt_status_t       status;
    rt_mongo_gather_t rows = {.arena = arena, .size = sizeof(rt_faq_row_t)};

    rt_mongo_put_either(&filter, "businessId", query->business_id);
    rt_mongo_put_text(&filter, "category", query->category);
    rt_mongo_put_active(&filter, query->is_active);
    bson_copy_to(&filter, &count);
    status = rt_mongo_count_in((rt_mongo_t *) session, "faqs", &count, 0, &out->total);

    if (status != RT_OK) {
        bson_destroy(&filter);
        bson_destroy(&options);
        return status;
    }

    BCON_APPEND(&options, "sort", "{", "priority", BCON_INT32(-1), "usageCount", BCON_INT32(-1),
        "createdAt", BCON_INT32(1), "_id", BCON_INT32(1), "}", "skip", BCON_INT64(query->offset),
        "limit", BCON_INT64(query->limit));
    status =
        rt_mongo_find_in((rt_mongo_t *) session, "faqs", &filter, &options, rt_mongo_on_faq, &rows);
    out->rows = (rt_faq_row_t *) rows.rows;
    out->count = rows.count;

    return status;
}


rt_status_t
rt_mongo_faq_count(rt_store_session_t *session, rt_str_t business_id, rt_str_t id, int64_t usage,
    int64_t helpful, int64_t not_helpful)
{
    const int64_t by[] = {usage, helpful, not_helpful};

    static const char *const names[] = {"usageCount", "helpfulCount", "notHelpfulCount"};

    return rt_mongo_assist_count((rt_mongo_t *) session, "faqs", business_id, id, names, by, 3);
}
