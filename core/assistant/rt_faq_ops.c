/* faq.create, faq.list, faq.update, faq.delete: staff manage what the assistant answers. */

#include <stddef.h>
#include <string.h>

#include <rt/rt_faq.h>
#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "assistant/rt_assist_ops.h"


#define RT_FAQ_QUESTION_MAX 1000
#define RT_FAQ_KEYWORD_MAX  200
#define RT_FAQ_TEXTS_MAX    150     /* alternatives, and as many keywords */
#define RT_FAQ_TEXT_MAX     16384   /* bytes of them all, as JSON */
#define RT_FAQ_PRIORITY_MAX 1000000 /* and as much below 0 */
#define RT_FAQ_INACTIVE_MAX RT_FAQ_MAX

typedef struct {
    rt_str_t faq_id;
    rt_str_t business_id;
    rt_str_t question;
    rt_str_t answer;
    json_t  *keywords;
    json_t  *alternatives;
    rt_str_t category;
    double   threshold_percent;
    double   priority;
    int      is_active;
    json_t  *metadata;
} rt_faq_request_t;

#define RT_FAQ_AT(member) offsetof(rt_faq_request_t, member)

static const rt_field_t rt_faq_fields[] = {
    {"faqId", RT_FIELD_STRING, 0, RT_FAQ_AT(faq_id), 1, RT_ID_CHARACTERS_MAX, 0, NULL},
    {"businessId", RT_FIELD_STRING, RT_FIELD_PRINTABLE, RT_FAQ_AT(business_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"question", RT_FIELD_STRING, RT_FIELD_CONTENT, RT_FAQ_AT(question), 1, RT_FAQ_QUESTION_MAX, 0,
        NULL},
    {"answer", RT_FIELD_STRING, RT_FIELD_CONTENT, RT_FAQ_AT(answer), 1, RT_ASSIST_ANSWER_MAX, 0,
        NULL},
    {"keywords", RT_FIELD_STRINGS, 0, RT_FAQ_AT(keywords), 0, RT_FAQ_TEXTS_MAX, RT_FAQ_KEYWORD_MAX,
        NULL},
    {"alternativeQuestions", RT_FIELD_STRINGS, 0, RT_FAQ_AT(alternatives), 0, RT_FAQ_TEXTS_MAX,
        RT_FAQ_QUESTION_MAX, NULL},
    {"category", RT_FIELD_STRING, RT_FIELD_PRINTABLE, RT_FAQ_AT(category), 0,
        RT_NAME_CHARACTERS_MAX, 0, NULL},
    {"confidenceThreshold", RT_FIELD_NUMBER, 0, RT_FAQ_AT(threshold_percent), 0, 100, 0, NULL},
    {"priority", RT_FIELD_NUMBER, 0, RT_FAQ_AT(priority), -RT_FAQ_PRIORITY_MAX, RT_FAQ_PRIORITY_MAX,
        0, NULL},
    {"isActive", RT_FIELD_BOOLEAN, 0, RT_FAQ_AT(is_active), 0, 0, 0, NULL},
    {"metadata", RT_FIELD_OBJECT, 0, RT_FAQ_AT(metadata), 0, RT_ASSIST_METADATA_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};

typedef struct {
    rt_str_t business_id;
    rt_str_t category;
    int      active;
    int64_t  page;
    int64_t  limit;
} rt_faq_asked_t;

static const rt_field_t rt_faq_asked_fields[] = {
    {"businessId", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_faq_asked_t, business_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"category", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_faq_asked_t, category), 1,
        RT_NAME_CHARACTERS_MAX, 0, NULL},
    {"isActive", RT_FIELD_NAME, 0, offsetof(rt_faq_asked_t, active), 0, 0, 0,
        rt_assist_active_names},
    {"page", RT_FIELD_INTEGER, 0, offsetof(rt_faq_asked_t, page), 1, RT_PAGE_MAX, 0, NULL},
    {"limit", RT_FIELD_INTEGER, 0, offsetof(rt_faq_asked_t, limit), 1, RT_LIMIT_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


/* Puts what the request gives into the row. */
static rt_status_t
rt_faq_apply(rt_call_t *call, rt_faq_row_t *faq)
{
    int              failed;
    rt_status_t      status;
    rt_faq_request_t request;

    memset(&request, 0, sizeof(rt_faq_request_t));
    request.threshold_percent = faq->threshold_percent;
    request.priority = faq->priority;
    request.is_active = faq->is_active;

    status = rt_schema_read(rt_faq_fields, call->request, &request, &call->error);
    if (status != RT_OK) {
        return status;
    }

    failed = 0;
    faq->question = request.question.len ? request.question : faq->question;
    faq->answer = request.answer.len ? request.answer : faq->answer;
    faq->threshold_percent = request.threshold_percent;
    faq->priority = request.priority;
    faq->is_active = request.is_active;
    faq->updated_at_ms = rt_time_now_ms();

    if (rt_assist_has(call, "category")) {
        faq->category = request.category;
    }

    if (request.keywords != NULL) {
        faq->keywords = rt_call_json(call, request.keywords, &failed);
    }

    if (request.alternatives != NULL) {
        faq->alternatives = rt_call_json(call, request.alternatives, &failed);
    }

    if (request.metadata != NULL) {
        faq->metadata = rt_call_json(call, request.metadata, &failed);
    }

    if (failed) {
        return RT_NO_MEMORY;
    }

    if (faq->keywords.len + faq->alternatives.len > RT_FAQ_TEXT_MAX) {
        return rt_call_fail(call, RT_INVALID,
            "keywords and alternativeQuestions may have %d bytes together", RT_FAQ_TEXT_MAX);
    }

    return RT_OK;
}


/* The index takes only so many, and what is not active has an end, too. */
static rt_status_t
rt_faq_check_room(rt_call_t *call, rt_str_t business_id, int is_active)
{
    rt_status_t    status;
    rt_faq_list_t  list;
    rt_faq_query_t query;

    memset(&query, 0, sizeof(rt_faq_query_t));
    query.business_id = business_id;
    query.is_active = is_active;
    query.limit = 1;

    status = rt_call_store(call)->assist->faq_list(call->session, call->arena, &query, &list);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    if (list.total >= (is_active ? RT_FAQ_MAX : RT_FAQ_INACTIVE_MAX)) {
        return rt_call_fail(call, RT_CONFLICT, "A business may have %d FAQs that are %s",
            is_active ? RT_FAQ_MAX : RT_FAQ_INACTIVE_MAX, is_active ? "active" : "not active");
    }

    return RT_OK;
}


static rt_status_t
rt_faq_reply(rt_call_t *call, const rt_faq_row_t *faq)
{
    rt_buf_t buf;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_faq_write_json(&buf, faq);

    return rt_call_reply(call, &buf);
}


static rt_status_t
rt_faq_create(rt_core_t *core, rt_call_t *call)
{
    rt_status_t  status;
    rt_faq_row_t faq;

    (void) core;

    memset(&faq, 0, sizeof(rt_faq_row_t));
    faq.threshold_percent = RT_FAQ_THRESHOLD_DEFAULT;
    faq.is_active = 1;

    status = rt_faq_apply(call, &faq);
    if (status != RT_OK) {
        return status;
    }

    if (faq.question.len == 0) {
        return rt_call_fail(call, RT_INVALID, "question is required");
    }

    if (faq.answer.len == 0) {
        return rt_call_fail(call, RT_INVALID, "answer is required");
    }

    status =
        rt_assist_business(call, rt_json_get_str(call->request, "businessId"), &faq.business_id);

    if (status == RT_OK) {
        status = rt_faq_check_room(call, faq.business_id, faq.is_active);
    }

    if (status != RT_OK) {
        return status;
    }

    faq.created_at_ms = faq.updated_at_ms;
    faq.id = rt_assist_id(call);

    if (faq.id.data == NULL) {
        return RT_NO_MEMORY;
    }

    status = rt_call_store(call)->assist->faq_add(call->session, &faq);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    call->created = 1;

    return rt_faq_reply(call, &faq);
}


/* The FAQ that the request names. */
static rt_status_t
rt_faq_load(rt_call_t *call, rt_faq_row_t **out)
{
    rt_str_t         business_id;
    rt_status_t      status;
    rt_faq_request_t request;

    memset(&request, 0, sizeof(rt_faq_request_t));
    status = rt_schema_read(rt_faq_fields, call->request, &request, &call->error);

    if (status == RT_OK) {
        status = rt_assist_scope(call, request.business_id, &business_id);
    }

    if (status != RT_OK) {
        return status;
    }

    status = rt_call_store(call)->assist->faq_get(call->session, call->arena, business_id,
        request.faq_id, out);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    return *out ? RT_OK : rt_call_fail(call, RT_NOT_FOUND, "FAQ not found");
}


static rt_status_t
rt_faq_update(rt_core_t *core, rt_call_t *call)
{
    int           was_active;
    rt_status_t   status;
    rt_faq_row_t *faq;

    (void) core;

    status = rt_faq_load(call, &faq);
    if (status != RT_OK) {
        return status;
    }

    was_active = faq->is_active;
    status = rt_faq_apply(call, faq);

    if (status == RT_OK && faq->is_active && !was_active) {
        status = rt_faq_check_room(call, faq->business_id, 1);
    }

    if (status != RT_OK) {
        return status;
    }

    status = rt_call_store(call)->assist->faq_change(call->session, faq);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    return rt_faq_reply(call, faq);
}


static rt_status_t
rt_faq_delete(rt_core_t *core, rt_call_t *call)
{
    rt_status_t   status;
    rt_faq_row_t *faq;

    (void) core;

    status = rt_faq_load(call, &faq);
    if (status != RT_OK) {
        return status;
    }

    faq->is_active = 0;
    faq->updated_at_ms = rt_time_now_ms();

    status = rt_call_store(call)->assist->faq_change(call->session, faq);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    return rt_assist_reply_success(call);
}


static rt_status_t
rt_faq_list(rt_core_t *core, rt_call_t *call)
{
    size_t         i;
    rt_buf_t       buf;
    rt_status_t    status;
    rt_faq_list_t  list;
    rt_faq_asked_t asked = {.active = 1, .page = 1, .limit = RT_ASSIST_LIST_ALL};
    rt_faq_query_t query;

    (void) core;

    memset(&query, 0, sizeof(rt_faq_query_t));
    status = rt_schema_read(rt_faq_asked_fields, call->request, &asked, &call->error);

    if (status == RT_OK) {
        status = rt_assist_business(call, asked.business_id, &query.business_id);
    }

    if (status != RT_OK) {
        return status;
    }

    query.category = asked.category;
    query.is_active =
        rt_role_is_staff(call->identity->role) ? rt_assist_active_filter(asked.active) : 1;
    query.limit = asked.limit;
    query.offset = (asked.page - 1) * asked.limit;

    status = rt_call_store(call)->assist->faq_list(call->session, call->arena, &query, &list);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_buf_append(&buf, "[", 1);

    for (i = 0; i < list.count; i++) {
        rt_buf_append(&buf, ",", i ? 1 : 0);
        rt_faq_write_json(&buf, &list.rows[i]);
    }

    rt_buf_append(&buf, "]", 1);
    call->total = list.total;

    return rt_call_reply(call, &buf);
}


const rt_op_entry_t rt_faq_ops[] = {
    {{"faq.create", RT_OP_WRITE, rt_faq_create}, RT_ROLES_STAFF, NULL, NULL},
    {{"faq.list", RT_OP_READ, rt_faq_list}, RT_ROLES_MEMBERS, NULL, NULL},
    {{"faq.update", RT_OP_WRITE, rt_faq_update}, RT_ROLES_STAFF, NULL, NULL},
    {{"faq.delete", RT_OP_WRITE, rt_faq_delete}, RT_ROLES_STAFF, NULL, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL, NULL},
};
