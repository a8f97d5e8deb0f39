/* What every store must do with FAQs and automatic responses: included by each one's test program,
 * after rt_store_suite.h. */

#ifndef RT_STORE_ASSIST_SUITE_H
#define RT_STORE_ASSIST_SUITE_H

#include "store/rt_store_testing.h"


static __attribute__((unused)) rt_faq_row_t *
assist_faq(const char *business, const char *question)
{
    static int64_t last_ms;
    rt_faq_row_t  *faq;

    faq = rt_arena_calloc(suite_arena, sizeof(rt_faq_row_t));
    assert_non_null(faq);

    /* lists are sorted by time */
    last_ms = rt_time_now_ms() > last_ms ? rt_time_now_ms() : last_ms + 1;
    faq->id = suite_id(suite_arena);
    faq->business_id = rt_str_c(business);
    faq->question = rt_str_c(question);
    faq->answer = rt_str("At nine, in Zoë's \"salon\".");
    faq->threshold_percent = 70;
    faq->is_active = 1;
    faq->created_at_ms = last_ms;
    faq->updated_at_ms = last_ms;

    return faq;
}


static __attribute__((unused)) void
assist_faq_add(const rt_faq_row_t *faq)
{
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(suite_store->ops->assist->faq_add(session, faq), RT_OK);
    suite_end(session);
}


static __attribute__((unused)) void
assist_faq_change(const rt_faq_row_t *faq)
{
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(suite_store->ops->assist->faq_change(session, faq), RT_OK);
    suite_end(session);
}


static __attribute__((unused)) rt_faq_row_t *
assist_faq_get(const char *business, rt_str_t id)
{
    rt_faq_row_t       *faq;
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(suite_store->ops->assist->faq_get(session, suite_arena, rt_str_c(business), id,
                         &faq),
        RT_OK);
    suite_end(session);

    return faq;
}


static __attribute__((unused)) void
assist_faqs(rt_faq_list_t *list, rt_faq_query_t query)
{
    rt_store_session_t *session;

    query.limit = query.limit ? query.limit : 100;
    session = suite_begin(RT_STORE_READ);
    assert_int_equal(suite_store->ops->assist->faq_list(session, suite_arena, &query, list), RT_OK);
    suite_end(session);
}


static __attribute__((unused)) rt_response_row_t *
assist_response(const char *business, rt_response_type_t type)
{
    static int64_t     last_ms;
    rt_response_row_t *response;

    response = rt_arena_calloc(suite_arena, sizeof(rt_response_row_t));
    assert_non_null(response);

    last_ms = rt_time_now_ms() > last_ms ? rt_time_now_ms() : last_ms + 1;
    response->id = suite_id(suite_arena);
    response->business_id = rt_str_c(business);
    response->name = rt_str("Närrisch");
    response->type = type;
    response->message = rt_str("Hello!");
    response->trigger = rt_str("{\"event\":\"manual\"}");
    response->is_active = 1;
    response->created_at_ms = last_ms;
    response->updated_at_ms = last_ms;

    return response;
}


static __attribute__((unused)) void
assist_response_add(const rt_response_row_t *response)
{
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(suite_store->ops->assist->response_add(session, response), RT_OK);
    suite_end(session);
}


static __attribute__((unused)) rt_response_row_t *
assist_response_get(const char *business, rt_str_t id)
{
    rt_response_row_t  *response;
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(suite_store->ops->assist->response_get(session, suite_arena,
                         rt_str_c(business), id, &response),
        RT_OK);
    suite_end(session);

    return response;
}


static __attribute__((unused)) void
assist_responses(rt_response_list_t *list, rt_response_query_t query)
{
    rt_store_session_t *session;

    query.limit = query.limit ? query.limit : 100;
    session = suite_begin(RT_STORE_READ);
    assert_int_equal(suite_store->ops->assist->response_list(session, suite_arena, &query, list),
        RT_OK);
    suite_end(session);
}


static __attribute__((unused)) uint64_t
assist_version(const char *business)
{
    uint64_t            version;
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(suite_store->ops->assist->version(session, rt_str_c(business), &version),
        RT_OK);
    suite_end(session);

    return version;
}


static __attribute__((unused)) void
assist_count(const char *business, rt_str_t id, int64_t usage, int64_t helpful, int64_t not_helpful)
{
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(suite_store->ops->assist->faq_count(session, rt_str_c(business), id, usage,
                         helpful, not_helpful),
        RT_OK);
    suite_end(session);
}


/* All of a FAQ is kept, changes leave the counts alone, others' are not there. */
static void
suite_test_faq(void **state)
{
    rt_buf_t      buf;
    rt_faq_row_t *faq, *got;

    (void) state;

    faq = assist_faq("b1", "When do you open?");
    faq->keywords = rt_str("[\"open\",\"Öffnungszeit\"]");
    faq->alternatives = rt_str("[\"hours\",\"what's \\\"open\\\"\"]");
    faq->category = rt_str("hours");
    faq->threshold_percent = 0;
    faq->priority = 2.5;
    faq->metadata = rt_str("{\"language\":\"en\",\"n\":{\"a\":[1,null]}}");
    assist_faq_add(faq);

    assert_null(assist_faq_get("b2", faq->id));
    assert_null(assist_faq_get("b1", rt_str("nothing like it")));
    assert_non_null(assist_faq_get("", faq->id));

    got = assist_faq_get("b1", faq->id);
    assert_non_null(got);
    assert_true(rt_str_eq(got->id, faq->id));
    assert_true(rt_str_eq(got->business_id, faq->business_id));
    assert_true(rt_str_eq(got->question, faq->question));
    assert_true(rt_str_eq(got->answer, faq->answer));
    assert_true(rt_str_eq(got->keywords, faq->keywords));
    assert_true(rt_str_eq(got->alternatives, faq->alternatives));
    assert_true(rt_str_eq(got->category, faq->category));
    assert_true(rt_str_eq(got->metadata, faq->metadata));
    assert_true(got->threshold_percent == 0);
    assert_true(got->priority == 2.5);
    assert_int_equal(got->is_active, 1);
    assert_int_equal(got->created_at_ms, faq->created_at_ms);
    assert_int_equal(got->updated_at_ms, faq->updated_at_ms);

    assist_count("b1", faq->id, 2, 1, 0);
    assist_count("b1", faq->id, 0, -1, 1);
    assist_count("b2", faq->id, 5, 5, 5);
    assist_count("b1", suite_id(suite_arena), 1, 0, 0);

    got->question = rt_str("When?");
    got->keywords = rt_str_null;
    got->category = rt_str_null;
    got->is_active = 0;
    got->usage_count = 100;
    got->created_at_ms = 1;
    got->updated_at_ms++;
    assist_faq_change(got);

    got = assist_faq_get("b1", faq->id);
    assert_true(rt_str_eq(got->question, rt_str("When?")));
    assert_int_equal(got->is_active, 0);
    assert_int_equal(got->usage_count, 2);
    assert_int_equal(got->helpful_count, 0);
    assert_int_equal(got->not_helpful_count, 1);
    assert_int_equal(got->created_at_ms, faq->created_at_ms);
    assert_int_equal(got->updated_at_ms, faq->updated_at_ms + 1);

    memset(&buf, 0, sizeof(buf));
    rt_faq_write_json(&buf, got);
    assert_int_equal(buf.failed, 0);
    suite_text_is((rt_str_t){buf.data, buf.len}, "question", "\"When?\"");
    suite_text_is((rt_str_t){buf.data, buf.len}, "keywords", "[]");
    suite_text_is((rt_str_t){buf.data, buf.len}, "alternativeQuestions",
        "[\"hours\",\"what's \\\"open\\\"\"]");
    suite_text_is((rt_str_t){buf.data, buf.len}, "category", "null");
    suite_text_is((rt_str_t){buf.data, buf.len}, "confidenceThreshold", "0");
    suite_text_is((rt_str_t){buf.data, buf.len}, "priority", "2.5");
    suite_text_is((rt_str_t){buf.data, buf.len}, "usageCount", "2");
    suite_text_is((rt_str_t){buf.data, buf.len}, "isActive", "false");
    suite_text_is((rt_str_t){buf.data, buf.len}, "metadata",
        "{\"language\":\"en\",\"n\":{\"a\":[1,null]}}");
    rt_buf_free(&buf);
}


/* By priority, then usage, then age; filters and totals. */
static void
suite_test_faq_list(void **state)
{
    size_t        i;
    rt_faq_row_t *faqs[5];
    rt_faq_list_t list;

    static const int order[] = {3, 1, 0, 2};

    (void) state;

    for (i = 0; i < 5; i++) {
        faqs[i] = assist_faq(i == 4 ? "b2" : "b1", "Question?");
        faqs[i]->priority = i == 3 ? 10 : 0;
        faqs[i]->is_active = i != 2;
        faqs[i]->category = i < 2 ? rt_str("hours") : rt_str_null;
        assist_faq_add(faqs[i]);
    }

    assist_count("b1", faqs[1]->id, 1, 0, 0);

    assist_faqs(&list, (rt_faq_query_t){.business_id = rt_str("b1"), .is_active = -1});
    assert_int_equal(list.count, 4);
    assert_int_equal(list.total, 4);

    for (i = 0; i < 4; i++) {
        assert_true(rt_str_eq(list.rows[i].id, faqs[order[i]]->id));
    }

    assist_faqs(&list,
        (rt_faq_query_t){.business_id = rt_str("b1"), .is_active = 1, .offset = 1, .limit = 1});
    assert_int_equal(list.count, 1);
    assert_int_equal(list.total, 3);
    assert_true(rt_str_eq(list.rows[0].id, faqs[1]->id));

    assist_faqs(&list, (rt_faq_query_t){.business_id = rt_str("b1"), .is_active = 0});
    assert_int_equal(list.total, 1);
    assert_true(rt_str_eq(list.rows[0].id, faqs[2]->id));

    assist_faqs(&list,
        (rt_faq_query_t){.business_id = rt_str("b1"),
            .category = rt_str("hours"),
            .is_active = -1});
    assert_int_equal(list.total, 2);

    assist_faqs(&list, (rt_faq_query_t){.business_id = rt_str("none"), .is_active = -1});
    assert_int_equal(list.total, 0);
    assert_int_equal(list.count, 0);
}


static void
suite_test_response(void **state)
{
    rt_buf_t            buf;
    rt_response_row_t  *first, *second, *got;
    rt_response_list_t  list;
    rt_store_session_t *session;

    (void) state;

    first = assist_response("b1", RT_RESPONSE_OFFLINE);
    first->trigger = rt_str("{\"event\":\"after-hours\",\"conditions\":{\"dayOfWeek\":[0,6]}}");
    first->quick_replies = rt_str("[\"Yes\",\"No\"]");
    first->metadata = rt_str("{\"a\":1}");
    assist_response_add(first);
    second = assist_response("b1", RT_RESPONSE_WELCOME);
    assist_response_add(second);

    assert_null(assist_response_get("b2", first->id));
    assert_non_null(assist_response_get("", first->id));
    got = assist_response_get("b1", first->id);
    assert_non_null(got);
    assert_true(rt_str_eq(got->name, first->name));
    assert_true(rt_str_eq(got->message, first->message));
    assert_true(rt_str_eq(got->trigger, first->trigger));
    assert_true(rt_str_eq(got->quick_replies, first->quick_replies));
    assert_true(rt_str_eq(got->metadata, first->metadata));
    assert_int_equal(got->type, RT_RESPONSE_OFFLINE);

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(suite_store->ops->assist->response_count(session, rt_str("b1"), first->id, 3),
        RT_OK);
    got->message = rt_str("Bye!");
    got->type = RT_RESPONSE_HOLIDAY;
    got->is_active = 0;
    got->name = rt_str_null;
    got->usage_count = 77;
    assert_int_equal(suite_store->ops->assist->response_change(session, got), RT_OK);
    suite_end(session);

    got = assist_response_get("b1", first->id);
    assert_int_equal(got->usage_count, 3);
    assert_int_equal(got->type, RT_RESPONSE_HOLIDAY);
    assert_true(rt_str_eq(got->message, rt_str("Bye!")));
    assert_true(rt_str_eq(got->trigger, first->trigger));
    assert_true(rt_str_eq(got->metadata, first->metadata));

    memset(&buf, 0, sizeof(buf));
    rt_response_write_json(&buf, got);
    suite_text_is((rt_str_t){buf.data, buf.len}, "responseType", "\"holiday\"");
    suite_text_is((rt_str_t){buf.data, buf.len}, "name", "null");
    suite_text_is((rt_str_t){buf.data, buf.len}, "trigger",
        "{\"event\":\"after-hours\",\"conditions\":{\"dayOfWeek\":[0,6]}}");
    suite_text_is((rt_str_t){buf.data, buf.len}, "quickReplies", "[\"Yes\",\"No\"]");
    rt_buf_free(&buf);

    assist_responses(&list,
        (rt_response_query_t){.business_id = rt_str("b1"), .type = -1, .is_active = -1});
    assert_int_equal(list.total, 2);
    assert_true(rt_str_eq(list.rows[0].id, second->id));
    assist_responses(&list,
        (rt_response_query_t){.business_id = rt_str("b1"), .type = -1, .is_active = 1});
    assert_int_equal(list.total, 1);
    assist_responses(&list,
        (rt_response_query_t){.business_id = rt_str("b1"),
            .type = RT_RESPONSE_HOLIDAY,
            .is_active = -1});
    assert_int_equal(list.total, 1);
    assert_true(rt_str_eq(list.rows[0].id, first->id));
}


/* It is another one after every change, and the same after counting. */
static void
suite_test_assist_version(void **state)
{
    uint64_t           seen[5];
    rt_faq_row_t      *faq;
    rt_response_row_t *response;

    (void) state;

    seen[0] = assist_version("b1");
    faq = assist_faq("b1", "When?");
    assist_faq_add(faq);
    seen[1] = assist_version("b1");
    assert_true(seen[1] != seen[0]);

    assist_count("b1", faq->id, 1, 1, 1);
    assert_true(assist_version("b1") == seen[1]);

    /* also within one millisecond */
    faq->answer = rt_str("Never.");
    assist_faq_change(faq);
    seen[2] = assist_version("b1");
    assert_true(seen[2] != seen[1] && seen[2] != seen[0]);

    response = assist_response("b1", RT_RESPONSE_BUSY);
    assist_response_add(response);
    seen[3] = assist_version("b1");
    assert_true(seen[3] != seen[2]);

    assist_faq_add(assist_faq("b2", "Where?"));
    assert_true(assist_version("b1") == seen[3]);
}


static int
assist_feedback(rt_str_t message_id, int helpful)
{
    int                 before;
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(suite_store->ops->assist->feedback(session, rt_str("b1"), message_id,
                         suite_id(suite_arena), helpful, rt_time_now_ms(), &before),
        RT_OK);
    suite_end(session);

    return before;
}


static void
suite_test_feedback(void **state)
{
    rt_str_t id;

    (void) state;

    id = suite_id(suite_arena);
    assert_int_equal(assist_feedback(id, 1), -1);
    assert_int_equal(assist_feedback(id, 1), 1);
    assert_int_equal(assist_feedback(id, 0), 1);
    assert_int_equal(assist_feedback(id, 1), 0);
    assert_int_equal(assist_feedback(suite_id(suite_arena), 0), -1);
}


static void
suite_test_unanswered(void **state)
{
    int                  i;
    int64_t              now, removed;
    rt_unanswered_row_t  row;
    rt_unanswered_list_t list;
    rt_store_session_t  *session;

    const rt_store_assist_ops_t *ops = suite_store->ops->assist;

    (void) state;

    now = rt_time_now_ms();
    session = suite_begin(RT_STORE_WRITE);

    for (i = 0; i < 5; i++) {
        row.id = suite_id(suite_arena);
        row.business_id = i == 4 ? rt_str("b2") : rt_str("b1");
        row.room_id = suite_id(suite_arena);
        row.content = rt_arena_printf(suite_arena, "Frage %d?", i);
        row.created_at_ms = now - 1000 * (5 - i);
        assert_int_equal(ops->unanswered_add(session, &row), RT_OK);
        assert_int_equal(ops->unanswered_add(session, &row), RT_OK);
    }

    suite_end(session);

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(ops->unanswered_list(session, suite_arena, rt_str("b1"), 3, &list), RT_OK);
    suite_end(session);
    assert_int_equal(list.count, 3);
    assert_true(rt_str_eq(list.rows[0].content, rt_str("Frage 3?")));
    assert_true(rt_str_eq(list.rows[2].content, rt_str("Frage 1?")));
    assert_int_equal(list.rows[0].created_at_ms, now - 2000);
    assert_int_equal(list.rows[0].room_id.len, RT_ID_LEN);

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(ops->unanswered_sweep(session, now - 2500, 2, &removed), RT_OK);
    assert_int_equal(removed, 2);
    suite_end(session);

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(ops->unanswered_list(session, suite_arena, rt_str("b1"), 10, &list), RT_OK);
    suite_end(session);
    assert_int_equal(list.count, 2);
}


#define SUITE_ASSIST_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SUITE_ASSIST_TESTS                                                                         \
    SUITE_ASSIST_TEST(suite_test_faq), SUITE_ASSIST_TEST(suite_test_faq_list),                     \
        SUITE_ASSIST_TEST(suite_test_response), SUITE_ASSIST_TEST(suite_test_assist_version),      \
        SUITE_ASSIST_TEST(suite_test_feedback), SUITE_ASSIST_TEST(suite_test_unanswered)

#endif
