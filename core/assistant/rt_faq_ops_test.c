/* FAQs as staff manage them: who may, what is refused, what is kept. */

#include "chat/rt_chat_testing.h"

#include <rt/rt_faq.h>
#include <rt/rt_text.h>

#include "chat/rt_chat.h"


static rt_identity_t *
staff(void)
{
    return test_person("s1", "b1", "STAFF");
}


static rt_identity_t *
admin(void)
{
    return test_person("root", NULL, "SUPER_ADMIN");
}


static json_t *
reply_of(const char *op, rt_identity_t *identity, const char *request)
{
    json_t    *json;
    rt_call_t *call;

    call = test_run(op, RT_DOOR_REST, identity, RT_OK, request);
    json = test_reply(call);
    rt_call_destroy(call);

    return json;
}


/* Makes one and gives its id, valid until 16 more texts are made. */
static const char *
made(rt_identity_t *identity, const char *request)
{
    json_t     *json;
    const char *id;

    json = reply_of("faq.create", identity, request);
    id = test_text("%s", json_string_value(json_object_get(json, "_id")));
    assert_int_equal(strlen(id), 24);
    json_decref(json);

    return id;
}


static void
list_is(rt_identity_t *identity, const char *request, int64_t total, size_t count,
    const char *first)
{
    json_t    *json;
    rt_call_t *call;

    call = test_run("faq.list", RT_DOOR_REST, identity, RT_OK, request);
    json = test_reply(call);
    assert_int_equal(call->total, total);
    assert_int_equal(json_array_size(json), count);

    if (first != NULL) {
        test_member(json, "0.question", first);
    }

    json_decref(json);
    rt_call_destroy(call);
}


static void
test_create(void **state)
{
    json_t    *json;
    rt_call_t *call;

    (void) state;

    call = test_run("faq.create", RT_DOOR_REST, staff(), RT_OK,
        "{\"question\":\"When?\",\"answer\":\"At nine.\",\"usageCount\":7}");
    assert_int_equal(call->created, 1);
    json = test_reply(call);
    test_member(json, "businessId", "\"b1\"");
    test_member(json, "keywords", "[]");
    test_member(json, "alternativeQuestions", "[]");
    test_member(json, "category", "null");
    test_member(json, "confidenceThreshold", "70");
    test_member(json, "priority", "0");
    test_member(json, "usageCount", "0");
    test_member(json, "isActive", "true");
    test_member(json, "metadata", "{}");
    json_decref(json);
    rt_call_destroy(call);

    json = reply_of("faq.create", staff(),
        "{\"question\":\"Where?\",\"answer\":\"Here.\",\"keywords\":[\"place\"],"
        "\"alternativeQuestions\":[\"your address\"],\"category\":\"place\","
        "\"confidenceThreshold\":0,\"priority\":2.5,\"isActive\":false,"
        "\"metadata\":{\"language\":\"en\"},\"businessId\":\"b1\"}");
    test_member(json, "confidenceThreshold", "0");
    test_member(json, "priority", "2.5");
    test_member(json, "keywords", "[\"place\"]");
    test_member(json, "alternativeQuestions", "[\"your address\"]");
    test_member(json, "isActive", "false");
    test_member(json, "metadata", "{\"language\":\"en\"}");
    json_decref(json);
}


static void
test_refused(void **state)
{
    size_t      i, len;
    rt_call_t  *call;
    char       *long_text;
    const char *request;

    static const struct {
        const char *member;
        const char *names; /* what the error's text holds */
    } table[] = {
        {"\"question\":\"  \"", "question"},
        {"\"question\":7", "question"},
        {"\"answer\":{\"$ne\":1}", "answer"},
        {"\"keywords\":\"open\"", "keywords"},
        {"\"keywords\":[1]", "keywords"},
        {"\"keywords\":[\"\"]", "keywords"},
        {"\"alternativeQuestions\":{\"a\":1}", "alternativeQuestions"},
        {"\"confidenceThreshold\":100.5", "confidenceThreshold"},
        {"\"confidenceThreshold\":-1", "confidenceThreshold"},
        {"\"confidenceThreshold\":\"70\"", "confidenceThreshold"},
        {"\"priority\":\"high\"", "priority"},
        {"\"priority\":1e300", "priority"},
        {"\"isActive\":1", "isActive"},
        {"\"metadata\":[]", "metadata"},
        {"\"metadata\":{\"a\":{\"$gt\":1}}", "metadata"},
        {"\"$set\":{}", "$"},
    };

    (void) state;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        request = test_text("{\"question\":\"Q\",\"answer\":\"A\",%s}", table[i].member);
        call = test_run("faq.create", RT_DOOR_REST, staff(), RT_INVALID, request);

        if (strstr(call->error.text, table[i].names) == NULL) {
            fail_msg("%s: %s", request, call->error.text);
        }

        rt_call_destroy(call);
    }

    test_expect("faq.create", staff(), RT_INVALID, "{\"question\":\"Q\"}");
    test_expect("faq.create", staff(), RT_INVALID, "{\"answer\":\"A\"}");
    test_expect("faq.list", staff(), RT_INVALID, "{\"isActive\":\"yes\"}");
    test_expect("faq.list", staff(), RT_INVALID, "{\"limit\":101}");

    long_text = malloc(20000);
    assert_non_null(long_text);
    len = (size_t) snprintf(long_text, 20000,
        "{\"question\":\"Q\",\"answer\":\"A\",\"alternativeQuestions\":[\"0\"");

    for (i = 1; i < 18; i++) {
        len += (size_t) snprintf(long_text + len, 20000 - len, ",\"%0970zu\"", i);
    }

    snprintf(long_text + len, 20000 - len, "]}");
    test_expect("faq.create", staff(), RT_INVALID, long_text);
    snprintf(strrchr(long_text, ','), 3, "]}"); /* one less */
    test_expect("faq.create", staff(), RT_OK, long_text);

    memset(long_text, 'a', 20000);
    memcpy(long_text, "{\"answer\":\"A\",\"question\":\"", 26);
    memcpy(long_text + 1500, "\"}", 3);
    test_expect("faq.create", staff(), RT_INVALID, long_text);
    free(long_text);
}


/* Roles first, then whose it is: what is another's does not exist. */
static void
test_who(void **state)
{
    const char *id, *other;

    (void) state;

    test_expect("faq.create", test_person("u1", "b1", "CUSTOMER"), RT_FORBIDDEN, "{}");
    test_expect("faq.update", test_person("u1", "b1", "CUSTOMER"), RT_FORBIDDEN, "{}");
    test_expect("faq.delete", test_person("u1", "b1", "CUSTOMER"), RT_FORBIDDEN, "{}");
    test_expect("faq.match", test_person("u1", "b1", "CUSTOMER"), RT_FORBIDDEN, "{}");
    test_expect("faq.unanswered", test_person("u1", "b1", "CUSTOMER"), RT_FORBIDDEN, "{}");
    test_expect("faq.list", test_person("x", "b1", "SERVICE"), RT_FORBIDDEN, "{}");

    id = made(staff(), "{\"question\":\"When?\",\"answer\":\"At nine.\"}");
    other = made(test_person("s2", "b2", "STAFF"), "{\"question\":\"Who?\",\"answer\":\"We.\"}");
    made(staff(), "{\"question\":\"Hidden?\",\"answer\":\"Yes.\",\"isActive\":false}");

    test_expect("faq.create", staff(), RT_NOT_FOUND,
        "{\"question\":\"Q\",\"answer\":\"A\",\"businessId\":\"b2\"}");
    test_expect("faq.list", staff(), RT_NOT_FOUND, "{\"businessId\":\"b2\"}");
    test_expect("faq.update", staff(), RT_NOT_FOUND,
        test_text("{\"faqId\":\"%s\",\"answer\":\"Ours\"}", other));
    test_expect("faq.delete", staff(), RT_NOT_FOUND, test_text("{\"faqId\":\"%s\"}", other));
    test_expect("faq.delete", staff(), RT_NOT_FOUND, "{\"faqId\":\"no such id\"}");

    /* SUPER_ADMIN says which business, and reaches an id without it */
    test_expect("faq.list", admin(), RT_INVALID, "{}");
    test_expect("faq.create", admin(), RT_INVALID, "{\"question\":\"Q\",\"answer\":\"A\"}");
    list_is(admin(), "{\"businessId\":\"b1\"}", 1, 1, "\"When?\"");
    test_expect("faq.update", admin(), RT_OK, test_text("{\"faqId\":\"%s\"}", id));
    test_expect("faq.update", admin(), RT_NOT_FOUND,
        test_text("{\"faqId\":\"%s\",\"businessId\":\"b2\"}", id));

    /* customers see what is active, whatever they ask for */
    list_is(test_person("u1", "b1", "CUSTOMER"), "{\"isActive\":\"all\"}", 1, 1, "\"When?\"");
    list_is(test_person("u1", "b1", "CUSTOMER"), "{\"isActive\":\"false\"}", 1, 1, "\"When?\"");
    list_is(test_person("u1", NULL, "CUSTOMER"), "{\"businessId\":\"b2\"}", 1, 1, "\"Who?\"");
    test_expect("faq.list", test_person("u1", NULL, "CUSTOMER"), RT_INVALID, "{}");
    test_expect("faq.list", test_person("u1", "b1", "CUSTOMER"), RT_NOT_FOUND,
        "{\"businessId\":\"b2\"}");
}


static void
test_update(void **state)
{
    json_t     *json;
    const char *id;

    (void) state;

    id = made(staff(),
        "{\"question\":\"When?\",\"answer\":\"At nine.\",\"category\":\"hours\","
        "\"keywords\":[\"open\"],\"confidenceThreshold\":0,\"priority\":3}");

    json = reply_of("faq.update", staff(),
        test_text("{\"faqId\":\"%s\",\"answer\":\"At ten.\",\"_id\":\"x\"}", id));
    test_member(json, "_id", test_text("\"%s\"", id));
    test_member(json, "question", "\"When?\"");
    test_member(json, "answer", "\"At ten.\"");
    test_member(json, "category", "\"hours\"");
    test_member(json, "keywords", "[\"open\"]");
    test_member(json, "confidenceThreshold", "0");
    test_member(json, "priority", "3");
    json_decref(json);

    json = reply_of("faq.update", staff(),
        test_text("{\"faqId\":\"%s\",\"keywords\":[],\"category\":null}", id));
    test_member(json, "keywords", "[]");
    test_member(json, "category", "null");
    json_decref(json);

    test_expect("faq.update", staff(), RT_INVALID,
        test_text("{\"faqId\":\"%s\",\"question\":\" \"}", id));

    json = reply_of("faq.delete", staff(), test_text("{\"faqId\":\"%s\"}", id));
    test_member(json, "success", "true");
    json_decref(json);
    list_is(staff(), "{}", 0, 0, NULL);
    list_is(staff(), "{\"isActive\":\"false\"}", 1, 1, "\"When?\"");

    json = reply_of("faq.update", staff(), test_text("{\"faqId\":\"%s\",\"isActive\":true}", id));
    test_member(json, "isActive", "true");
    test_member(json, "answer", "\"At ten.\"");
    json_decref(json);
    list_is(staff(), "{\"isActive\":\"true\"}", 1, 1, "\"When?\"");
}


static void
test_list(void **state)
{
    (void) state;

    made(staff(), "{\"question\":\"Second\",\"answer\":\"A\",\"priority\":1}");
    made(staff(), "{\"question\":\"First\",\"answer\":\"A\",\"priority\":5}");
    made(staff(), "{\"question\":\"Third\",\"answer\":\"A\",\"category\":\"x\"}");

    list_is(staff(), "{}", 3, 3, "\"First\"");
    list_is(staff(), "{\"page\":2,\"limit\":1}", 3, 1, "\"Second\"");
    list_is(staff(), "{\"page\":9,\"limit\":1}", 3, 0, NULL);
    list_is(staff(), "{\"category\":\"x\"}", 1, 1, "\"Third\"");
}


static void
test_match(void **state)
{
    json_t     *json;
    const char *id, *id_text;

    (void) state;

    json = reply_of("faq.match", staff(), "{\"message\":\"when do you open?\"}");
    test_member(json, "matches", "[]");
    json_decref(json);

    id = made(staff(), "{\"question\":\"When do you open?\",\"answer\":\"At nine.\"}");
    id_text = test_text("\"%s\"", id);
    made(staff(), "{\"question\":\"Do you open on Sundays?\",\"answer\":\"No.\"}");

    json = reply_of("faq.match", staff(), "{\"message\":\"WHEN DO YOU OPEN\"}");
    test_member(json, "matches.0.faqId", id_text);
    test_member(json, "matches.0.question", "\"When do you open?\"");
    test_member(json, "matches.0.score", "100");
    test_member(json, "matches.0.matches", "true");
    test_member(json, "matches.1.matches", "false");
    json_decref(json);

    /* what is changed counts at once */
    test_expect("faq.delete", staff(), RT_OK, test_text("{\"faqId\":\"%s\"}", id));
    json = reply_of("faq.match", staff(), "{\"message\":\"when do you open\"}");
    test_member(json, "matches.0.question", "\"Do you open on Sundays?\"");
    json_decref(json);

    test_expect("faq.match", staff(), RT_INVALID, "{}");
    test_expect("faq.match", staff(), RT_INVALID, "{\"message\":\" \"}");
    test_expect("faq.match", admin(), RT_INVALID, "{\"message\":\"open\"}");
}


static void
ask(const char *business, const char *content, int64_t at_ms)
{
    rt_store_t         *store = test_core->store;
    rt_str_t            id;
    rt_store_session_t *session;
    rt_unanswered_row_t row;

    char text[25];

    rt_id_make(text);
    id = (rt_str_t){text, 24};
    row = (rt_unanswered_row_t){id, rt_str_c(business), id, rt_str_c(content), at_ms};

    assert_int_equal(store->ops->begin(store, RT_STORE_WRITE, &session), RT_OK);
    assert_int_equal(store->ops->assist->unanswered_add(session, &row), RT_OK);
    assert_int_equal(store->ops->end(session, 1), RT_OK);
}


/* The same words count together; the frequent ones come first. */
static void
test_unanswered(void **state)
{
    json_t    *json;
    rt_call_t *call;

    (void) state;

    ask("b1", "Do you sell shampoo?", 1000);
    ask("b1", "Can I bring my dog?", 2000);
    ask("b1", "can I bring the DOGS", 3000);
    ask("b1", "my dog, can I bring", 4000);
    ask("b1", "can I bring the DOGS", 5000);
    ask("b2", "Do you sell shampoo?", 6000);

    call = test_run("faq.unanswered", RT_DOOR_REST, staff(), RT_OK, "{}");
    json = test_reply(call);
    assert_int_equal(call->total, 2);
    assert_int_equal(json_array_size(json), 2);
    test_member(json, "0.count", "4");
    test_member(json, "0.question", "\"can I bring the DOGS\"");
    test_member(json, "0.lastAskedAt", "\"1970-01-01T00:00:05.000Z\"");
    test_member(json, "0.examples",
        "[\"can I bring the DOGS\",\"my dog, can I bring\",\"Can I bring my dog?\"]");
    assert_int_equal(json_array_size(json_object_get(json_array_get(json, 0), "roomIds")), 4);
    test_member(json, "1.question", "\"Do you sell shampoo?\"");
    test_member(json, "1.count", "1");
    json_decref(json);
    rt_call_destroy(call);

    json = reply_of("faq.unanswered", staff(), "{\"page\":2,\"limit\":1}");
    assert_int_equal(json_array_size(json), 1);
    test_member(json, "0.count", "1");
    json_decref(json);
    json = reply_of("faq.unanswered", admin(), "{\"businessId\":\"b2\"}");
    assert_int_equal(json_array_size(json), 1);
    json_decref(json);
    test_expect("faq.unanswered", admin(), RT_INVALID, "{}");
    test_expect("faq.unanswered", staff(), RT_NOT_FOUND, "{\"businessId\":\"b2\"}");
}


/* Of active ones there are as many as an index takes. */
static void
test_limit(void **state)
{
    int                 i;
    char                id[25];
    rt_store_t         *store = test_core->store;
    const char         *hidden;
    rt_faq_row_t        row;
    rt_store_session_t *session;

    (void) state;

    memset(&row, 0, sizeof(rt_faq_row_t));
    row.business_id = rt_str("b1");
    row.question = rt_str("When?");
    row.answer = rt_str("At nine.");
    row.is_active = 1;
    assert_int_equal(store->ops->begin(store, RT_STORE_WRITE, &session), RT_OK);

    for (i = 1; i < RT_FAQ_MAX; i++) {
        snprintf(id, sizeof(id), "%024x", (unsigned) i);
        row.id = rt_str_c(id);
        assert_int_equal(store->ops->assist->faq_add(session, &row), RT_OK);
    }

    assert_int_equal(store->ops->end(session, 1), RT_OK);

    (void) made(staff(), "{\"question\":\"The last\",\"answer\":\"one\"}");
    test_expect("faq.create", staff(), RT_CONFLICT, "{\"question\":\"More\",\"answer\":\"A\"}");
    hidden = made(staff(), "{\"question\":\"Later\",\"answer\":\"A\",\"isActive\":false}");
    test_expect("faq.update", staff(), RT_CONFLICT,
        test_text("{\"faqId\":\"%s\",\"isActive\":true}", hidden));
    test_expect("faq.delete", staff(), RT_OK, "{\"faqId\":\"000000000000000000000007\"}");
    test_expect("faq.update", staff(), RT_OK,
        test_text("{\"faqId\":\"%s\",\"isActive\":true}", hidden));
    test_expect("faq.create", test_person("s2", "b2", "STAFF"), RT_OK,
        "{\"question\":\"Q\",\"answer\":\"A\"}");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_create, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_refused, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_who, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_update, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_list, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_match, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_unanswered, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_limit, test_setup, test_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
