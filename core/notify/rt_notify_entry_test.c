/* event.take: events as entries of a stream. */

#include <stdarg.h>

#include "chat/rt_chat_testing.h"


/* Takes an entry of the fields that follow: names and texts in turn, NULL ends them. */
static __attribute__((sentinel)) rt_call_t *
take(const char *key, rt_status_t status, ...)
{
    va_list     list;
    json_t     *fields;
    rt_call_t  *call;
    const char *text;

    fields = json_array();
    va_start(list, status);

    for (text = va_arg(list, const char *); text != NULL; text = va_arg(list, const char *)) {
        json_array_append_new(fields, json_string(text));
    }

    va_end(list);

    call = rt_call_create(rt_op_find("event.take"), RT_DOOR_SOCKET, NULL,
        json_pack("{s:o,s:s}", "fields", fields, "idempotencyKey", key), rt_str_null);
    assert_non_null(call);
    rt_core_run(test_core, call);

    if (call->status != status) {
        fail_msg("%s: %s (%s)", key, rt_status_code(call->status), call->error.text);
    }

    return call;
}


/* What became of the entry: its message and its data; the call is destroyed. */
static void
became(rt_call_t *call, const char *message, const char *data)
{
    char   *text;
    json_t *json;

    assert_int_equal(rt_json_parse(call->emits->data, &json, NULL), RT_OK);
    test_member(json, "message", test_text("\"%s\"", message));
    text = json_dumps(json_object_get(json, "data"), JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, data);
    free(text);
    json_decref(json);
    rt_call_destroy(call);
}


static void
refused(rt_call_t *call, const char *why)
{
    if (strstr(call->error.text, why) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", call->error.text, why);
    }

    assert_null(call->emits);
    rt_call_destroy(call);
}


static void
test_shapes(void **state)
{
    (void) state;

    became(take("1", RT_OK, "event", "booking.created", "businessId", "b1", "payload",
               "{\"clientName\":\"Zoe\",\"businessId\":\"other\",\"event\":\"x\"}", NULL),
        "New booking from Zoe", "{\"clientName\":\"Zoe\"}");
    became(take("2", RT_OK, "event", "booking.created", "data",
               "{\"clientName\":\"Zoe\",\"businessId\":\"b1\"}", NULL),
        "New booking from Zoe", "{\"clientName\":\"Zoe\"}");
    became(take("3", RT_OK, "event", "booking.created", "businessId", "b1", "clientName", "007",
               "booking", "{\"at\":1}", "paid", "true", "note", "{", "empty", "", "userId", "",
               NULL),
        "New booking from 007",
        "{\"booking\":{\"at\":1},\"clientName\":\"007\",\"empty\":\"\",\"note\":\"{\","
        "\"paid\":true}");
    became(take("4", RT_OK, "json",
               "{\"event\":\"booking.created\",\"businessId\":\"b1\",\"name\":\"Zoe\"}", NULL),
        "New booking from Zoe", "{\"name\":\"Zoe\"}");
    became(take("5", RT_OK, "event", "staff.availability-changed", "businessId", "b1", "payload",
               "", "isAvailable", "false", "name", "Sam", NULL),
        "Sam is now unavailable", "{\"isAvailable\":false,\"name\":\"Sam\"}");
    became(take("6", RT_OK, "event", "booking.created", "event", "client.created", "businessId",
               "b1", NULL),
        "New client: a client", "{}");
    rt_call_destroy(take("7", RT_OK, "data",
        "[{\"event\":\"booking.created\",\"businessId\":\"b1\"},"
        "{\"event\":\"booking.created\",\"businessId\":\"b1\"}]",
        NULL));
}


/* The same entry, or the same id, is one notification; a payload's own id is not the event's. */
static void
test_once(void **state)
{
    int        i;
    rt_call_t *call;

    (void) state;

    for (i = 0; i < 2; i++) {
        call = take("1-0", RT_OK, "event", "booking.created", "businessId", "b1", NULL);
        assert_int_equal(call->created, i == 0);
        assert_int_equal(call->emits->seq, 1);
        rt_call_destroy(call);
    }

    for (i = 0; i < 2; i++) {
        call = take(i == 0 ? "2-0" : "3-0", RT_OK, "id", "e1", "event", "booking.created",
            "businessId", "b1", NULL);
        assert_int_equal(call->created, i == 0);
        assert_int_equal(call->emits->seq, 2);
        rt_call_destroy(call);
    }

    for (i = 0; i < 2; i++) {
        call = take(i == 0 ? "4-0" : "5-0", RT_OK, "event", "booking.created", "businessId", "b1",
            "payload", "{\"id\":\"booking-7\"}", NULL);
        assert_int_equal(call->created, 1);
        became(call, "New booking from a client", "{\"id\":\"booking-7\"}");
    }

    for (i = 0; i < 2; i++) {
        call = take(i == 0 ? "6-0" : "7-0", RT_OK, "event", "booking.created", "businessId", "b1",
            "eventId", "e2", "payload", "{\"id\":\"booking-7\"}", NULL);
        assert_int_equal(call->created, i == 0);
        became(call, "New booking from a client", "{\"id\":\"booking-7\"}");
    }
}


static void
test_refusals(void **state)
{
    json_t    *fields;
    rt_call_t *call;

    (void) state;

    refused(take("1", RT_INVALID, NULL), "event");
    refused(take("1", RT_INVALID, "event", "booking.mad", "businessId", "b1", NULL), "known");
    refused(take("1", RT_INVALID, "event", "booking.created", NULL), "businessId");
    refused(take("1", RT_INVALID, "event", "booking.created", "businessId", "b1", "payload", "{",
                NULL),
        "field payload");
    refused(take("1", RT_INVALID, "event", "booking.created", "businessId", "b1", "data", "[]",
                NULL),
        "field data must be a JSON object");
    refused(take("1", RT_INVALID, "event", "booking.created", "businessId", "b1", "a",
                "{\"$gt\":1}", NULL),
        "$");
    refused(take("1", RT_INVALID, "json", "not json", NULL), "JSON");
    refused(take("1", RT_INVALID, "json", "[]", NULL), "no events");

    fields = json_pack("[s,o]", "event", json_stringn("a\0b", 3));
    call = rt_call_create(rt_op_find("event.take"), RT_DOOR_SOCKET, NULL,
        json_pack("{s:o}", "fields", fields), rt_str_null);
    rt_core_run(test_core, call);
    assert_int_equal(call->status, RT_INVALID);
    refused(call, "bytes of 0");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_shapes, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_once, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_refusals, test_setup, test_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
