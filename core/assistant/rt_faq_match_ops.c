/* faq.match: which FAQ would answer, for trying out. faq.unanswered: what customers have asked that
 * none answered, the most frequent first. */

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "assistant/rt_assist_ops.h"
#include "assistant/rt_playbook.h"


#define RT_FAQ_MATCHES_MAX      10
#define RT_UNANSWERED_READ      1000 /* the newest are looked at */
#define RT_UNANSWERED_LIMIT     20
#define RT_UNANSWERED_EXAMPLES  5
#define RT_UNANSWERED_ROOMS_MAX 10

#define rt_match_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

typedef struct {
    rt_str_t business_id;
    rt_str_t message;
    int64_t  page;
    int64_t  limit;
} rt_match_request_t;

static const rt_field_t rt_match_fields[] = {
    {"businessId", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_match_request_t, business_id),
        1, RT_ID_CHARACTERS_MAX, 0, NULL},
    {"message", RT_FIELD_STRING, RT_FIELD_REQUIRED | RT_FIELD_CONTENT,
        offsetof(rt_match_request_t, message), 1, RT_ASSIST_ANSWER_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};

static const rt_field_t rt_unanswered_fields[] = {
    {"businessId", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_match_request_t, business_id),
        1, RT_ID_CHARACTERS_MAX, 0, NULL},
    {"page", RT_FIELD_INTEGER, 0, offsetof(rt_match_request_t, page), 1, RT_PAGE_MAX, 0, NULL},
    {"limit", RT_FIELD_INTEGER, 0, offsetof(rt_match_request_t, limit), 1, RT_LIMIT_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};

/* Messages that ask for the same. */
typedef struct {
    uint64_t topic;
    int64_t  count;
    int64_t  last_asked_ms;
    rt_str_t examples[RT_UNANSWERED_EXAMPLES]; /* different ones, the newest first */
    size_t   examples_count;
    rt_str_t rooms[RT_UNANSWERED_ROOMS_MAX];
    size_t   rooms_count;
} rt_unanswered_group_t;


static rt_status_t
rt_match_reply(rt_call_t *call, const rt_playbook_t *playbook, const rt_faq_candidate_t *found,
    size_t count)
{
    size_t              i;
    int64_t             tenths;
    rt_buf_t            buf;
    const rt_faq_row_t *faq;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_match_put(&buf, "{\"matches\":[");

    for (i = 0; i < count; i++) {
        faq = &playbook->faqs[found[i].faq];
        tenths = (int64_t) (found[i].score_percent * 10 + 0.5);

        rt_buf_append(&buf, ",", i ? 1 : 0);
        rt_match_put(&buf, "{\"faqId\":");
        rt_buf_append_json_string(&buf, faq->id);
        rt_match_put(&buf, ",\"question\":");
        rt_buf_append_json_string(&buf, faq->question);
        rt_match_put(&buf, ",\"score\":");
        rt_buf_append_int(&buf, tenths / 10);

        if (tenths % 10) {
            rt_match_put(&buf, ".");
            rt_buf_append_int(&buf, tenths % 10);
        }

        rt_match_put(&buf, ",\"matches\":");
        rt_buf_append_str(&buf, found[i].qualifies ? rt_str("true") : rt_str("false"));
        rt_match_put(&buf, "}");
    }

    rt_match_put(&buf, "]}");

    return rt_call_reply(call, &buf);
}


static rt_status_t
rt_faq_try(rt_core_t *core, rt_call_t *call)
{
    size_t               count;
    rt_str_t             business_id;
    rt_status_t          status;
    rt_faq_candidate_t   found[RT_FAQ_MATCHES_MAX];
    rt_match_request_t   request;
    const rt_playbook_t *playbook;

    memset(&request, 0, sizeof(rt_match_request_t));
    status = rt_schema_read(rt_match_fields, call->request, &request, &call->error);

    if (status == RT_OK) {
        status = rt_assist_business(call, request.business_id, &business_id);
    }

    if (status != RT_OK) {
        return status;
    }

    status = rt_playbook_get(core, call, business_id, &playbook);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    status = rt_playbook_match(core, playbook, request.message, found, RT_FAQ_MATCHES_MAX, &count);

    if (status == RT_OK) {
        status = rt_match_reply(call, playbook, found, count);
    }

    rt_playbook_release(playbook);

    return status;
}


/* Adds a text unless it is there, or there is no more room. */
static void
rt_unanswered_note(rt_str_t *texts, size_t *count, size_t max, rt_str_t text)
{
    size_t i;

    for (i = 0; i < *count; i++) {
        if (rt_str_eq(texts[i], text)) {
            return;
        }
    }

    if (*count < max) {
        texts[(*count)++] = text;
    }
}


/* The frequent ones first, then the newer. */
static int
rt_unanswered_order(const void *a, const void *b)
{
    const rt_unanswered_group_t *first = a, *second = b;

    if (first->count != second->count) {
        return first->count < second->count ? 1 : -1;
    }

    return (first->last_asked_ms < second->last_asked_ms)
        - (first->last_asked_ms > second->last_asked_ms);
}


/* rows are the newest first. */
static rt_status_t
rt_unanswered_groups(const rt_unanswered_list_t *list, rt_unanswered_group_t *groups, size_t *count)
{
    size_t                 i, at;
    uint64_t               topic;
    rt_status_t            status;
    rt_faq_scratch_t      *scratch;
    rt_unanswered_group_t *group;

    *count = 0;
    scratch = rt_faq_scratch_create();
    status = scratch ? RT_OK : RT_NO_MEMORY;

    for (i = 0; i < list->count && status == RT_OK; i++) {
        status = rt_faq_topic(scratch, list->rows[i].content, &topic);
        if (status != RT_OK) {
            break;
        }

        for (at = 0; at < *count && groups[at].topic != topic; at++) { /* void */
        }

        group = &groups[at];

        if (at == *count) {
            (*count)++;
            group->topic = topic;
            group->last_asked_ms = list->rows[i].created_at_ms;
        }

        group->count++;
        rt_unanswered_note(group->examples, &group->examples_count, RT_UNANSWERED_EXAMPLES,
            list->rows[i].content);
        rt_unanswered_note(group->rooms, &group->rooms_count, RT_UNANSWERED_ROOMS_MAX,
            list->rows[i].room_id);
    }

    rt_faq_scratch_destroy(scratch);
    qsort(groups, *count, sizeof(rt_unanswered_group_t), rt_unanswered_order);

    return status;
}


static void
rt_unanswered_put_texts(rt_buf_t *buf, const rt_str_t *texts, size_t count)
{
    size_t i;

    rt_match_put(buf, "[");

    for (i = 0; i < count; i++) {
        rt_buf_append(buf, ",", i ? 1 : 0);
        rt_buf_append_json_string(buf, texts[i]);
    }

    rt_match_put(buf, "]");
}


static void
rt_unanswered_put(rt_buf_t *buf, const rt_unanswered_group_t *group)
{
    rt_match_put(buf, "{\"question\":");
    rt_buf_append_json_string(buf, group->examples[0]);
    rt_match_put(buf, ",\"count\":");
    rt_buf_append_int(buf, group->count);
    rt_match_put(buf, ",\"lastAskedAt\":");
    rt_json_put_time(buf, group->last_asked_ms);
    rt_match_put(buf, ",\"examples\":");
    rt_unanswered_put_texts(buf, group->examples, group->examples_count);
    rt_match_put(buf, ",\"roomIds\":");
    rt_unanswered_put_texts(buf, group->rooms, group->rooms_count);
    rt_match_put(buf, "}");
}


static rt_status_t
rt_faq_unanswered(rt_core_t *core, rt_call_t *call)
{
    size_t                 i, count, first;
    rt_buf_t               buf;
    rt_str_t               business_id;
    rt_status_t            status;
    rt_match_request_t     request = {.page = 1, .limit = RT_UNANSWERED_LIMIT};
    rt_unanswered_list_t   list;
    rt_unanswered_group_t *groups;

    (void) core;

    status = rt_schema_read(rt_unanswered_fields, call->request, &request, &call->error);

    if (status == RT_OK) {
        status = rt_assist_business(call, request.business_id, &business_id);
    }

    if (status != RT_OK) {
        return status;
    }

    status = rt_call_store(call)->assist->unanswered_list(call->session, call->arena, business_id,
        RT_UNANSWERED_READ, &list);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    groups = rt_arena_calloc(call->arena, (list.count + 1) * sizeof(rt_unanswered_group_t));
    status = groups ? rt_unanswered_groups(&list, groups, &count) : RT_NO_MEMORY;

    if (status != RT_OK) {
        return status;
    }

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_match_put(&buf, "[");
    first = (size_t) ((request.page - 1) * request.limit);

    for (i = first; i < count && i < first + (size_t) request.limit; i++) {
        rt_buf_append(&buf, ",", i > first ? 1 : 0);
        rt_unanswered_put(&buf, &groups[i]);
    }

    rt_match_put(&buf, "]");
    call->total = (int64_t) count;

    return rt_call_reply(call, &buf);
}


const rt_op_entry_t rt_faq_match_ops[] = {
    {{"faq.match", RT_OP_READ, rt_faq_try}, RT_ROLES_STAFF, NULL, NULL},
    {{"faq.unanswered", RT_OP_READ, rt_faq_unanswered}, RT_ROLES_STAFF, NULL, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL, NULL},
};
