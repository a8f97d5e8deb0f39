/* Automatic responses as staff manage them. */

#include "chat/rt_chat_testing.h"


static rt_identity_t *
staff(void)
{
    return test_person("s1", "b1", "STAFF");
}


static json_t *
reply_of(const char *op, const char *request)
{
    json_t    *json;
    rt_call_t *call;

    call = test_run(op, RT_DOOR_REST, staff(), RT_OK, request);
    json = test_reply(call);
    rt_call_destroy(call);

    return json;
}


static const char *
made(const char *request)
{
    json_t     *json;
    const char *id;

    json = reply_of("auto-response.create", request);
    id = test_text("%s", json_string_value(json_object_get(json, "_id")));
    json_decref(json);

    return id;
}


/* What triggers it is clear from its type, unless it is said. */
static void
test_create(void **state)
{
    size_t     i;
    json_t    *json;
    rt_call_t *call;

    static const struct {
        const char *type;
        const char *given;
        const char *trigger;
    } table[] = {
        {"welcome", "", "{\"event\":\"user-joined\"}"},
        {"offline", "", "{\"event\":\"no-staff-available\"}"},
        {"acknowledgment", "", "{\"event\":\"manual\"}"},
        {"custom", ",\"trigger\":null", "{\"event\":\"manual\"}"},
        {"offline", ",\"trigger\":{}", "{\"event\":\"no-staff-available\"}"},
        {"offline", ",\"trigger\":{\"conditions\":{\"dayOfWeek\":[0]}}",
            "{\"conditions\":{\"dayOfWeek\":[0]},\"event\":\"no-staff-available\"}"},
        {"offline",
            ",\"trigger\":{\"event\":\"after-hours\",\"conditions\":{\"timeRange\":{\"start\":"
            "\"18:00\",\"end\":\"09:00\"},\"timezone\":\"US/Pacific\"}}",
            "{\"event\":\"after-hours\",\"conditions\":{\"timeRange\":{\"start\":\"18:00\","
            "\"end\":\"09:00\"},\"timezone\":\"US/Pacific\"}}"},
    };

    (void) state;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        call = test_run("auto-response.create", RT_DOOR_REST, staff(), RT_OK,
            test_text("{\"responseType\":\"%s\",\"message\":\"Hello\"%s}", table[i].type,
                table[i].given));
        assert_int_equal(call->created, 1);
        json = test_reply(call);
        test_member(json, "trigger", table[i].trigger);
        test_member(json, "businessId", "\"b1\"");
        test_member(json, "name", test_text("\"%s\"", table[i].type));
        test_member(json, "isActive", "true");
        test_member(json, "quickReplies", "[]");
        json_decref(json);
        rt_call_destroy(call);
    }
}


static void
test_refused(void **state)
{
    size_t      i;
    rt_call_t  *call;
    const char *request;

    static const struct {
        const char *member;
        const char *names;
    } table[] = {
        {"\"responseType\":\"sing\"", "responseType"},
        {"\"responseType\":7", "responseType"},
        {"\"message\":\" \"", "message"},
        {"\"quickReplies\":[1]", "quickReplies"},
        {"\"quickReplies\":\"Yes\"", "quickReplies"},
        {"\"trigger\":\"manual\"", "trigger"},
        {"\"trigger\":{\"event\":\"sometimes\"}", "trigger.event"},
        {"\"trigger\":{\"$where\":1}", "trigger"},
        {"\"trigger\":{\"conditions\":{\"timezone\":\"Mars/Olympus\"}}", "timezone"},
        {"\"trigger\":{\"conditions\":{\"timezone\":\"../../etc/passwd\"}}", "timezone"},
        {"\"trigger\":{\"conditions\":{\"timeRange\":{\"start\":\"09:00\"}}}", "timeRange"},
        {"\"trigger\":{\"conditions\":{\"timeRange\":{\"start\":\"9\",\"end\":\"10:00\"}}}",
            "timeRange"},
        {"\"trigger\":{\"conditions\":{\"dayOfWeek\":[7]}}", "dayOfWeek"},
        {"\"isActive\":\"yes\"", "isActive"},
    };

    (void) state;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        request =
            test_text("{\"responseType\":\"welcome\",\"message\":\"Hello\",%s}", table[i].member);
        call = test_run("auto-response.create", RT_DOOR_REST, staff(), RT_INVALID, request);

        if (strstr(call->error.text, table[i].names) == NULL) {
            fail_msg("%s: %s", request, call->error.text);
        }

        rt_call_destroy(call);
    }

    test_expect("auto-response.create", staff(), RT_INVALID, "{\"message\":\"Hello\"}");
    test_expect("auto-response.create", staff(), RT_INVALID, "{\"responseType\":\"welcome\"}");
    test_expect("auto-response.create", test_person("u1", "b1", "CUSTOMER"), RT_FORBIDDEN, "{}");
    test_expect("auto-response.list", test_person("u1", "b1", "CUSTOMER"), RT_FORBIDDEN, "{}");
    test_expect("auto-response.list", test_person("root", NULL, "SUPER_ADMIN"), RT_INVALID, "{}");
    test_expect("auto-response.list", staff(), RT_NOT_FOUND, "{\"businessId\":\"b2\"}");
}


static void
test_change(void **state)
{
    json_t     *json;
    rt_call_t  *call;
    const char *id;

    (void) state;

    made("{\"responseType\":\"welcome\",\"message\":\"Hello\"}");
    id = made("{\"responseType\":\"offline\",\"message\":\"Closed\",\"name\":\"Night\","
              "\"quickReplies\":[\"Yes\",\"No\"],\"trigger\":{\"event\":\"after-hours\","
              "\"conditions\":{\"dayOfWeek\":[0,6]}}}");

    json = reply_of("auto-response.update",
        test_text("{\"responseId\":\"%s\",\"message\":\"Shut\"}", id));
    test_member(json, "message", "\"Shut\"");
    test_member(json, "name", "\"Night\"");
    test_member(json, "responseType", "\"offline\"");
    test_member(json, "quickReplies", "[\"Yes\",\"No\"]");
    test_member(json, "trigger",
        "{\"event\":\"after-hours\",\"conditions\":{\"dayOfWeek\":[0,6]}}");
    json_decref(json);

    test_expect("auto-response.update", staff(), RT_INVALID,
        test_text("{\"responseId\":\"%s\",\"trigger\":{\"event\":\"after-hours\",\"conditions\":"
                  "{\"timezone\":\"No/Where\"}}}",
            id));
    test_expect("auto-response.update", test_person("s2", "b2", "STAFF"), RT_NOT_FOUND,
        test_text("{\"responseId\":\"%s\"}", id));
    test_expect("auto-response.delete", test_person("s2", "b2", "STAFF"), RT_NOT_FOUND,
        test_text("{\"responseId\":\"%s\"}", id));

    json = reply_of("auto-response.delete", test_text("{\"responseId\":\"%s\"}", id));
    test_member(json, "success", "true");
    json_decref(json);

    call = test_run("auto-response.list", RT_DOOR_REST, staff(), RT_OK, "{}");
    assert_int_equal(call->total, 1);
    rt_call_destroy(call);
    call = test_run("auto-response.list", RT_DOOR_REST, staff(), RT_OK,
        "{\"isActive\":\"all\",\"limit\":1}");
    assert_int_equal(call->total, 2);
    json = test_reply(call);
    assert_int_equal(json_array_size(json), 1);
    test_member(json, "0._id", test_text("\"%s\"", id));
    json_decref(json);
    rt_call_destroy(call);

    json = reply_of("auto-response.update",
        test_text("{\"responseId\":\"%s\",\"isActive\":true}", id));
    test_member(json, "isActive", "true");
    json_decref(json);
    call = test_run("auto-response.list", RT_DOOR_REST, staff(), RT_OK,
        "{\"responseType\":\"offline\"}");
    assert_int_equal(call->total, 1);
    rt_call_destroy(call);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_create, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_refused, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_change, test_setup, test_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
