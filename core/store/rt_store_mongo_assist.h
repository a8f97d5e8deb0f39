/* What the assistant's files of the MongoDB store share. */

#ifndef RT_STORE_MONGO_ASSIST_H
#define RT_STORE_MONGO_ASSIST_H

#include "store/rt_store_mongo.h"


/* A JSON text as the value of `name`, or another one (a literal) when it is empty. */
rt_status_t rt_mongo_put_json_or(bson_t *document, const char *name, rt_str_t json,
    const char *otherwise);

/* A text, or null when it is empty. */
void rt_mongo_put_text_or_null(bson_t *document, const char *name, rt_str_t text);

/* The condition that a document is active, or that it is not; nothing for -1. Those that say
 * nothing are. */
void rt_mongo_put_active(bson_t *filter, int is_active);

/* {"_id":…,"businessId":…}; without the latter when it is empty */
void rt_mongo_put_of_business(bson_t *filter, rt_str_t business_id, rt_str_t id);

/* Adds the members of `set` to an update and counts the change, for the version. */
rt_status_t rt_mongo_assist_set(rt_mongo_t *db, const char *name, bson_t *filter, bson_t *set);

/* Adds numbers to members: names[i] and by[i], those that are 0 left out. */
rt_status_t rt_mongo_assist_count(rt_mongo_t *db, const char *name, rt_str_t business_id,
    rt_str_t id, const char *const *names, const int64_t *by, size_t count);


/* The operations: rt_store_mongo_faq.c, rt_store_mongo_response.c. */
rt_status_t rt_mongo_faq_add(rt_store_session_t *session, const rt_faq_row_t *faq);
rt_status_t rt_mongo_faq_get(rt_store_session_t *session, rt_arena_t *arena, rt_str_t business_id,
    rt_str_t id, rt_faq_row_t **out);
rt_status_t rt_mongo_faq_change(rt_store_session_t *session, const rt_faq_row_t *faq);
rt_status_t rt_mongo_faq_list(rt_store_session_t *session, rt_arena_t *arena,
    const rt_faq_query_t *query, rt_faq_list_t *out);
rt_status_t rt_mongo_faq_count(rt_store_session_t *session, rt_str_t business_id, rt_str_t id,
    int64_t usage, int64_t helpful, int64_t not_helpful);

rt_status_t rt_mongo_response_add(rt_store_session_t *session, const rt_response_row_t *response);
rt_status_t rt_mongo_response_get(rt_store_session_t *session, rt_arena_t *arena,
    rt_str_t business_id, rt_str_t id, rt_response_row_t **out);
rt_status_t rt_mongo_response_change(rt_store_session_t *session,
    const rt_response_row_t                             *response);
rt_status_t rt_mongo_response_list(rt_store_session_t *session, rt_arena_t *arena,
    const rt_response_query_t *query, rt_response_list_t *out);
rt_status_t rt_mongo_response_count(rt_store_session_t *session, rt_str_t business_id, rt_str_t id,
    int64_t usage);

#endif
