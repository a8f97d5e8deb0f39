/* FAQs and automatic responses in MongoDB: the suite of all stores, and what the original system
 * has written, and goes on writing. */

#include "store/rt_store_mongo_testing.h"

#include "store/rt_store_assist_suite.h"

#define BUSINESS "64b000000000000000000001"
#define FAQ_OLD  "64b000000000000000000002"
#define FAQ_BARE "64b000000000000000000003"
#define RESPONSE "64b000000000000000000004"
#define AUTHOR   "64b000000000000000000005"


/* As mongoose leaves them: a whole one, one with nothing but what was required, and one that holds
 * what the schema never allowed. */
static int
setup_original(void **state)
{
    int failed;

    failed = setup(state);

    run_command(
        "{\"insert\":\"faqs\",\"documents\":["
        "{\"_id\":{\"$oid\":\"" FAQ_OLD "\"},\"businessId\":{\"$oid\":\"" BUSINESS "\"},"
        "\"question\":\"When do you open?\",\"answer\":\"At nine.\",\"keywords\":[\"open\"],"
        "\"alternativeQuestions\":[\"hours\"],\"category\":\"hours\",\"confidenceThreshold\":80,"
        "\"priority\":5,\"usageCount\":7,\"helpfulCount\":3,\"notHelpfulCount\":1,"
        "\"isActive\":true,\"metadata\":{\"author\":{\"$oid\":\"" AUTHOR "\"}},\"__v\":0,"
        "\"createdAt\":{\"$date\":\"2023-07-01T00:00:00Z\"},"
        "\"updatedAt\":{\"$date\":\"2023-07-02T00:00:00Z\"}},"
        "{\"_id\":{\"$oid\":\"" FAQ_BARE "\"},\"businessId\":\"" BUSINESS "\","
        "\"question\":\"Where?\",\"answer\":\"Here.\",\"__v\":0},"
        "{\"businessId\":{\"$oid\":\"" BUSINESS "\"},\"question\":7,\"answer\":null,"
        "\"keywords\":\"open\",\"alternativeQuestions\":{\"a\":1},\"priority\":\"high\","
        "\"confidenceThreshold\":{\"$numberDouble\":\"NaN\"},\"metadata\":[1],"
        "\"updatedAt\":\"yesterday\",\"isActive\":false}]}");
    run_command("{\"insert\":\"autoresponses\",\"documents\":["
                "{\"_id\":{\"$oid\":\"" RESPONSE "\"},\"businessId\":{\"$oid\":\"" BUSINESS "\"},"
                "\"name\":\"Closed\",\"responseType\":\"offline\",\"message\":\"Closed.\","
                "\"trigger\":{\"event\":\"after-hours\",\"conditions\":{\"timeRange\":"
                "{\"start\":\"18:00\",\"end\":\"09:00\"}}},\"__v\":0},"
                "{\"businessId\":{\"$oid\":\"" BUSINESS "\"},\"responseType\":\"sing\"}]}");

    return failed;
}


static int
start_standalone(void **state)
{
    (void) state;

    return rt_mongod_start(&mongod, 0);
}


/* What is missing has the contract's defaults. */
static void
test_original_read(void **state)
{
    rt_faq_row_t      *faq;
    rt_faq_list_t      list;
    rt_response_row_t *response;
    rt_response_list_t responses;

    (void) state;

    faq = assist_faq_get(BUSINESS, rt_str(FAQ_OLD));
    assert_non_null(faq);
    assert_true(rt_str_eq(faq->business_id, rt_str(BUSINESS)));
    assert_true(rt_str_eq(faq->keywords, rt_str("[\"open\"]")));
    assert_true(faq->threshold_percent == 80 && faq->priority == 5);
    assert_int_equal(faq->usage_count, 7);
    assert_true(rt_str_eq(faq->metadata, rt_str("{\"author\":\"" AUTHOR "\"}")));

    faq = assist_faq_get(BUSINESS, rt_str(FAQ_BARE));
    assert_non_null(faq);
    assert_int_equal(faq->is_active, 1);
    assert_true(faq->threshold_percent == 70 && faq->priority == 0);
    assert_int_equal(faq->keywords.len, 0);
    assert_int_equal(faq->updated_at_ms, 0);

    assist_faqs(&list, (rt_faq_query_t){.business_id = rt_str(BUSINESS), .is_active = 1});
    assert_int_equal(list.total, 2);
    assert_int_equal(list.count, 2);
    assist_faqs(&list, (rt_faq_query_t){.business_id = rt_str(BUSINESS), .is_active = 0});
    assert_int_equal(list.count, 1);
    assert_int_equal(list.rows[0].answer.len, 0);
    assert_int_equal(list.rows[0].keywords.len + list.rows[0].alternatives.len, 0);
    assert_int_equal(list.rows[0].metadata.len, 0);
    assert_true(list.rows[0].threshold_percent == 70 && list.rows[0].priority == 0);

    response = assist_response_get(BUSINESS, rt_str(RESPONSE));
    assert_non_null(response);
    assert_int_equal(response->type, RT_RESPONSE_OFFLINE);
    suite_text_is(response->trigger, "event", "\"after-hours\"");
    assist_responses(&responses,
        (rt_response_query_t){.business_id = rt_str(BUSINESS), .type = -1, .is_active = 1});
    assert_int_equal(responses.total, 2);
    assert_int_equal(responses.rows[0].type + responses.rows[1].type,
        RT_RESPONSE_OFFLINE + RT_RESPONSE_CUSTOM);
}


/* A change of ours leaves what it does not know, and metadata's types, as they are. */
static void
test_original_change(void **state)
{
    rt_faq_row_t *faq;

    (void) state;

    faq = assist_faq_get(BUSINESS, rt_str(FAQ_OLD));
    faq->answer = rt_str("At ten.");
    faq->updated_at_ms = rt_time_now_ms();
    assist_faq_change(faq);

    assert_true(command_has("{\"count\":\"faqs\",\"query\":{\"_id\":{\"$oid\":\"" FAQ_OLD
                            "\"},\"answer\":\"At ten.\",\"__v\":0,\"usageCount\":7,"
                            "\"metadata.author\":{\"$oid\":\"" AUTHOR "\"}}}",
        "\"n\" : 1"));

    faq->metadata = rt_str("{\"author\":\"Zoë\"}");
    assist_faq_change(faq);
    assert_true(
        command_has("{\"count\":\"faqs\",\"query\":{\"metadata.author\":\"Zoë\"}}", "\"n\" : 1"));

    assist_count(BUSINESS, rt_str(FAQ_BARE), 1, 0, 0);
    assert_int_equal(assist_faq_get(BUSINESS, rt_str(FAQ_BARE))->usage_count, 1);

    /* ours are stored in the original's types */
    faq = assist_faq(BUSINESS, "New?");
    assist_faq_add(faq);
    assert_true(command_has("{\"count\":\"faqs\",\"query\":{\"question\":\"New?\","
                            "\"businessId\":{\"$oid\":\"" BUSINESS
                            "\"},\"createdAt\":{\"$gt\":{\"$date\":\"2020-01-01T00:00:00Z\"}},"
                            "\"keywords\":[],"
                            "\"_id\":{\"$gt\":{\"$oid\":\"000000000000000000000000\"}}}}",
        "\"n\" : 1"));
}


/* The original's changes are noticed, by the updatedAt that mongoose writes. */
static void
test_original_version(void **state)
{
    uint64_t before, after;

    (void) state;

    before = assist_version(BUSINESS);
    run_command("{\"update\":\"faqs\",\"updates\":[{\"q\":{\"question\":\"Where?\"},\"u\":"
                "{\"$set\":{\"answer\":\"There.\","
                "\"updatedAt\":{\"$date\":\"2023-07-03T00:00:00Z\"}}}}]}");
    after = assist_version(BUSINESS);
    assert_true(after != before);

    before = after;
    run_command("{\"delete\":\"autoresponses\",\"deletes\":[{\"q\":{\"responseType\":\"sing\"},"
                "\"limit\":1}]}");
    after = assist_version(BUSINESS);
    assert_true(after != before);
    assert_true(assist_version("64b0000000000000000000ff") == assist_version("nobody"));
}


int
main(void)
{
    int failed;

    const struct CMUnitTest tests[] = {
        SUITE_ASSIST_TESTS,
        cmocka_unit_test_setup_teardown(test_original_read, setup_original, teardown),
        cmocka_unit_test_setup_teardown(test_original_change, setup_original, teardown),
        cmocka_unit_test_setup_teardown(test_original_version, setup_original, teardown),
    };

    if (rt_mongod_program() == NULL) {
        return run_without_mongod();
    }

    failed = cmocka_run_group_tests_name("replica set", tests, start_set, stop);

    return failed + cmocka_run_group_tests_name("standalone", tests, start_standalone, stop);
}
