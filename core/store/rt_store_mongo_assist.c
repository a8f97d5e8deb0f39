/* What the assistant keeps in MongoDB, in the original's collections and two of ours: faqfeedbacks,
 * by the id of the FAQ's message, and unansweredquestions, by the id of the customer's.
 *
 * The version of a business's FAQs and responses is made from how many there are, the sum of their
 * updatedAt, and the sum of our changes' counters (`revision`, for two within a millisecond): the
 * original writes updatedAt, too. One index holds all of it. */

#include <string.h>

#include "store/rt_store_mongo_assist.h"


#define RT_MONGO_VERSION_AT       0x9e3779b97f4a7c15u /* odd numbers, so that the sums don't meet */
#define RT_MONGO_VERSION_REVISION 0xc2b2ae3d27d4eb4fu


rt_status_t
rt_mongo_put_json_or(bson_t *document, const char *name, rt_str_t json, const char *otherwise)
{
    return rt_mongo_put_json(document, name, json.len ? json : rt_str_c(otherwise), NULL);
}


void
rt_mongo_put_text_or_null(bson_t *document, const char *name, rt_str_t text)
{
    if (text.len) {
        rt_mongo_put_text(document, name, text);
    } else {
        BSON_APPEND_NULL(document, name);
    }
}


void
rt_mongo_put_active(bson_t *filter, int is_active)
{
    if (is_active == 1) {
        BCON_APPEND(filter, "isActive", "{", "$ne", BCON_BOOL(false), "}");
    } else if (is_active == 0) {
        BSON_APPEND_BOOL(filter, "isActive", false);
    }
}


void
rt_mongo_put_of_business(bson_t *filter, rt_str_t business_id, rt_str_t id)
{
    rt_mongo_put_either(filter, "_id", id);

    if (business_id.len) {
        rt_mongo_put_either(filter, "businessId", business_id);
    }
}


rt_status_t
rt_mongo_assist_set(rt_mongo_t *db, const char *name, bson_t *filter, bson_t *set)
{
    bson_t update = BSON_INITIALIZER;

    BSON_APPEND_DOCUMENT(&update, "$set", set);
    BCON_APPEND(&update, "$inc", "{", "revision", BCON_INT64(1), "}");
    bson_destroy(set);

    return rt_mongo_update_in(db, name, filter, &update, NULL);
}


rt_status_t
rt_mongo_assist_count(rt_mongo_t *db, const char *name, rt_str_t business_id, rt_str_t id,
    const char *const *names, const int64_t *by, size_t count)
{
    int    any;
    bson_t filter = BSON_INITIALIZER, update = BSON_INITIALIZER, inc;
    size_t i;

    any = 0;
    rt_mongo_put_of_business(&filter, business_id, id);
    bson_append_document_begin(&update, "$inc", -1, &inc);

    for (i = 0; i < count; i++) {
        if (by[i]) {
            any = 1;
            BSON_APPEND_INT64(&inc, names[i], by[i]);
        }
    }

    bson_append_document_end(&update, &inc);

    if (!any) {
        bson_destroy(&filter);
        bson_destroy(&update);
        return RT_OK;
    }

    return rt_mongo_update_in(db, name, &filter, &update, NULL);
}


/* [{"$match":…},{"$project":…}] of a collection. */
static void
rt_mongo_put_version_stages(bson_t *array, rt_str_t business_id)
{
    bson_t stage, match;

    bson_append_document_begin(array, "0", -1, &stage);
    bson_append_document_begin(&stage, "$match", -1, &match);
    rt_mongo_put_either(&match, "businessId", business_id);
    bson_append_document_end(&stage, &match);
    bson_append_document_end(array, &stage);

    BCON_APPEND(array, "1", "{", "$project", "{", "_id", BCON_INT32(0), "updatedAt", BCON_INT32(1),
        "revision", BCON_INT32(1), "}", "}");
}


static rt_status_t
rt_mongo_version_row(void *data, const bson_t *document)
{
    int64_t     count, at, revisions;
    uint64_t   *out = data;
    bson_iter_t iter;

    count = bson_iter_init_find(&iter, document, "count") ? bson_iter_as_int64(&iter) : 0;
    at = bson_iter_init_find(&iter, document, "at") ? bson_iter_as_int64(&iter) : 0;
    revisions = bson_iter_init_find(&iter, document, "revisions") ? bson_iter_as_int64(&iter) : 0;

    *out = (uint64_t) count + (uint64_t) at * RT_MONGO_VERSION_AT
        + (uint64_t) revisions * RT_MONGO_VERSION_REVISION;

    return RT_OK;
}


static rt_status_t
rt_mongo_assist_version(rt_store_session_t *session, rt_str_t business_id, uint64_t *out)
{
    bson_t               holder = BSON_INITIALIZER, stages, stage, with, other;
    rt_mongo_t          *db = (rt_mongo_t *) session;
    rt_status_t          status;
    mongoc_collection_t *collection;

    *out = 0;
    bson_append_array_begin(&holder, "pipeline", -1, &stages);
    rt_mongo_put_version_stages(&stages, business_id);

    bson_append_document_begin(&stages, "2", -1, &stage);
    bson_append_document_begin(&stage, "$unionWith", -1, &with);
    BSON_APPEND_UTF8(&with, "coll", "autoresponses");
    bson_append_array_begin(&with, "pipeline", -1, &other);
    rt_mongo_put_version_stages(&other, business_id);
    bson_append_array_end(&with, &other);
    bson_append_document_end(&stage, &with);
    bson_append_document_end(&stages, &stage);

    BCON_APPEND(&stages, "3", "{", "$group", "{", "_id", BCON_NULL, "count", "{", "$sum",
        BCON_INT32(1), "}", "at", "{", "$sum", "{", "$convert", "{", "input", "$updatedAt", "to",
        "long", "onError", BCON_INT32(0), "onNull", BCON_INT32(0), "}", "}", "}", "revisions", "{",
        "$sum", "$revision", "}", "}", "}");
    bson_append_array_end(&holder, &stages);

    collection = mongoc_client_get_collection(db->client, db->store->database, "faqs");
    status = rt_mongo_aggregate(db, collection, &holder, rt_mongo_version_row, out);
    mongoc_collection_destroy(collection);
    bson_destroy(&holder);

    return status;
}


/* The value that "helpful" had, from the reply of findAndModify. */
static int
rt_mongo_feedback_before(const bson_t *reply)
{
    bson_iter_t iter, value;

    if (bson_iter_init_find(&iter, reply, "value") && BSON_ITER_HOLDS_DOCUMENT(&iter)
        && bson_iter_recurse(&iter, &value) && bson_iter_find(&value, "helpful"))
    {
        return bson_iter_as_bool(&value);
    }

    return -1;
}


static rt_status_t
rt_mongo_feedback(rt_store_session_t *session, rt_str_t business_id, rt_str_t message_id,
    rt_str_t faq_id, int helpful, int64_t now_ms, int *before)
{
    int                            attempt, done;
    bson_t                         filter = BSON_INITIALIZER, update = BSON_INITIALIZER, part;
    bson_t                         reply;
    rt_mongo_t                    *db = (rt_mongo_t *) session;
    rt_status_t                    status;
    bson_error_t                   error;
    mongoc_collection_t           *collection;
    mongoc_find_and_modify_opts_t *options;

    rt_mongo_put_id(&filter, "_id", message_id);
    bson_append_document_begin(&update, "$set", -1, &part);
    BSON_APPEND_BOOL(&part, "helpful", helpful != 0);
    BSON_APPEND_DATE_TIME(&part, "updatedAt", now_ms);
    bson_append_document_end(&update, &part);
    bson_append_document_begin(&update, "$setOnInsert", -1, &part);
    rt_mongo_put_id(&part, "businessId", business_id);
    rt_mongo_put_id(&part, "faqId", faq_id);
    BSON_APPEND_DATE_TIME(&part, "createdAt", now_ms);
    bson_append_document_end(&update, &part);

    options = mongoc_find_and_modify_opts_new();
    mongoc_find_and_modify_opts_set_update(options, &update);
    mongoc_find_and_modify_opts_set_flags(options, MONGOC_FIND_AND_MODIFY_UPSERT);
    collection = mongoc_client_get_collection(db->client, db->store->database, "faqfeedbacks");

    status = RT_UNAVAILABLE;
    done = 0;

    /* two at a time may both find nothing: one of them is then refused, and finds the other's */
    for (attempt = 0; attempt < 2 && !done && rt_mongo_alive(db); attempt++) {
        done = mongoc_collection_find_and_modify_with_opts(collection, &filter, options, &reply,
            &error);
        *before = rt_mongo_feedback_before(&reply);
        bson_destroy(&reply);
        status = done ? RT_OK : RT_UNAVAILABLE;

        if (!done && (attempt || !rt_mongo_is_duplicate(&error))) {
            status = rt_mongo_failed(db, &error);
            break;
        }
    }

    mongoc_collection_destroy(collection);
    mongoc_find_and_modify_opts_destroy(options);
    bson_destroy(&filter);
    bson_destroy(&update);

    return status;
}


static rt_status_t
rt_mongo_unanswered_add(rt_store_session_t *session, const rt_unanswered_row_t *row)
{
    bson_t      document = BSON_INITIALIZER;
    rt_status_t status;

    rt_mongo_put_id(&document, "_id", row->id);
    rt_mongo_put_id(&document, "businessId", row->business_id);
    rt_mongo_put_id(&document, "roomId", row->room_id);
    rt_mongo_put_text(&document, "content", row->content);
    BSON_APPEND_DATE_TIME(&document, "createdAt", row->created_at_ms);

    status = rt_mongo_insert_in((rt_mongo_t *) session, "unansweredquestions", &document);

    return status == RT_CONFLICT ? RT_OK : status;
}


static rt_status_t
rt_mongo_on_unanswered(void *data, const bson_t *document)
{
    rt_mongo_gather_t   *rows = data;
    rt_unanswered_row_t *out;

    static const rt_mongo_field_t fields[] = {
        {"_id", RT_MONGO_TEXT, offsetof(rt_unanswered_row_t, id)},
        {"businessId", RT_MONGO_TEXT, offsetof(rt_unanswered_row_t, business_id)},
        {"roomId", RT_MONGO_TEXT, offsetof(rt_unanswered_row_t, room_id)},
        {"content", RT_MONGO_TEXT, offsetof(rt_unanswered_row_t, content)},
        {"createdAt", RT_MONGO_TIME, offsetof(rt_unanswered_row_t, created_at_ms)},
        {NULL, RT_MONGO_TEXT, 0},
    };

    out = rt_mongo_gather_next(rows);

    return out ? rt_mongo_read(document, fields, out, rows->arena) : RT_NO_MEMORY;
}


static rt_status_t
rt_mongo_unanswered_list(rt_store_session_t *session, rt_arena_t *arena, rt_str_t business_id,
    int64_t limit, rt_unanswered_list_t *out)
{
    bson_t            filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    rt_status_t       status;
    rt_mongo_gather_t rows = {.arena = arena, .size = sizeof(rt_unanswered_row_t)};

    rt_mongo_put_either(&filter, "businessId", business_id);
    BCON_APPEND(&options, "sort", "{", "createdAt", BCON_INT32(-1), "_id", BCON_INT32(-1), "}",
        "limit", BCON_INT64(limit));

    status = rt_mongo_find_in((rt_mongo_t *) session, "unansweredquestions", &filter, &options,
        rt_mongo_on_unanswered, &rows);
    out->rows = (rt_unanswered_row_t *) rows.rows;
    out->count = rows.count;

    return status;
}


static rt_status_t
rt_mongo_unanswered_sweep(rt_store_session_t *session, int64_t before_ms, int64_t limit,
    int64_t *removed)
{
    bson_t               filter = BSON_INITIALIZER;
    rt_mongo_t          *db = (rt_mongo_t *) session;
    rt_status_t          status;
    mongoc_collection_t *collection;

    BCON_APPEND(&filter, "createdAt", "{", "$lt", BCON_DATE_TIME(before_ms), "}");
    collection =
        mongoc_client_get_collection(db->client, db->store->database, "unansweredquestions");
    status = rt_mongo_delete_oldest(db, collection, &filter, limit, removed);
    mongoc_collection_destroy(collection);
    bson_destroy(&filter);

    return status;
}


const rt_store_assist_ops_t rt_store_mongo_assist = {
    .faq_add = rt_mongo_faq_add,
    .faq_get = rt_mongo_faq_get,
    .faq_change = rt_mongo_faq_change,
    .faq_list = rt_mongo_faq_list,
    .faq_count = rt_mongo_faq_count,
    .response_add = rt_mongo_response_add,
    .response_get = rt_mongo_response_get,
    .response_change = rt_mongo_response_change,
    .response_list = rt_mongo_response_list,
    .response_count = rt_mongo_response_count,
    .version = rt_mongo_assist_version,
    .feedback = rt_mongo_feedback,
    .unanswered_add = rt_mongo_unanswered_add,
    .unanswered_list = rt_mongo_unanswered_list,
    .unanswered_sweep = rt_mongo_unanswered_sweep,
};
