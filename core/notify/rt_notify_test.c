/* event.ingest, notification.list, notification.read, notification.heal. */

#include "chat/rt_chat_testing.h"


#define SERVICE test_person("svc", NULL, "SERVICE")
#define STAFF   test_person("sam", "b1", "STAFF")


/* Ingests a body, which is given as JSON and sent as text. */
static rt_call_t *
ingest(rt_identity_t *identity, rt_status_t status, const char *body)
{
    json_t    *request;
    rt_call_t *call;

    request = json_pack("{s:s}", "body", body);
    call = rt_call_create(rt_op_find("event.ingest"), RT_DOOR_REST, identity, request, rt_str_null);
    assert_non_null(call);
    rt_identity_put(identity);
    rt_core_run(test_core, call);

    if (call->status != status) {
        fail_msg("%s: %s (%s)", body, rt_status_code(call->status), call->error.text);
    }

    return call;
}


/* The text of one event. */
static void
says(const char *event, const char *payload, const char *title, const char *message,
    const char *priority)
{
    json_t    *json;
    rt_call_t *call;

    call = ingest(SERVICE, RT_OK,
        test_text("{\"event\":\"%s\",\"businessId\":\"texts\"%s%s}", event, payload[0] ? "," : "",
            payload));
    assert_int_equal(rt_json_parse(call->emits->data, &json, NULL), RT_OK);
    test_member(json, "title", test_text("\"%s\"", title));
    test_member(json, "message", test_text("\"%s\"", message));
    test_member(json, "priority", test_text("\"%s\"", priority));
    json_decref(json);
    rt_call_destroy(call);
}


static void
test_texts(void **state)
{
    (void) state;

    says("booking.created", "\"clientName\":\"Zoe\"", "New Booking", "New booking from Zoe",
        "high");
    says("booking.created", "\"name\":\"Zoe\"", "New Booking", "New booking from Zoe", "high");
    says("booking.created", "\"firstName\":\"Zoe\",\"lastName\":\"Q\"", "New Booking",
        "New booking from Zoe Q", "high");
    says("booking.created", "\"firstName\":\"Zoe\"", "New Booking", "New booking from Zoe", "high");
    says("booking.created", "\"booking\":{\"client\":{\"profile\":{\"lastName\":\"Q\"}}}",
        "New Booking", "New booking from Q", "high");
    says("booking.created", "\"clientName\":7,\"name\":\" \",\"booking\":[]", "New Booking",
        "New booking from a client", "high");
    says("booking.status-changed", "\"clientName\":\"Zoe\",\"newStatus\":\"confirmed\"",
        "Booking Status Changed", "Booking of Zoe is now confirmed", "medium");
    says("booking.status-changed", "", "Booking Status Changed",
        "Booking of a client has a new status", "medium");
    says("payment.received", "\"clientName\":\"Zoe\",\"payment\":{\"amount\":150}",
        "Payment Received", "Payment of 150 received from Zoe", "medium");
    says("payment.received", "\"payment\":{\"amount\":49.5,\"currency\":\"EUR\"}",
        "Payment Received", "Payment of 49.50 EUR received from a client", "medium");
    says("payment.failed", "\"payment\":{\"amount\":null}", "Payment Failed",
        "Payment from a client failed", "high");
    says("client.created", "\"client\":{\"profile\":{\"firstName\":\"Zoe\",\"lastName\":\"Q\"}}",
        "New Client", "New client: Zoe Q", "medium");
    says("client.updated", "\"profile\":{\"firstName\":\"Zoe\"}", "Client Updated",
        "Details of Zoe were updated", "low");
    says("appointment.reminder", "\"appointment\":{\"clientName\":\"Zoe\"}", "Appointment Reminder",
        "Upcoming appointment with Zoe", "medium");
    says("appointment.cancelled", "\"clientName\":\"Z\\u0007e\"", "Appointment Cancelled",
        "Appointment with Z e was cancelled", "high");
    says("staff.availability-changed", "\"staff\":{\"name\":\"Sam\"},\"isAvailable\":false",
        "Staff Availability Changed", "Sam is now unavailable", "low");
    says("staff.availability-changed", "\"isAvailable\":\"yes\"", "Staff Availability Changed",
        "A staff member changed availability", "low");
    says("inventory.low-stock", "\"product\":{\"name\":\"Shampoo\"}", "Low Stock",
        "Shampoo is running low", "high");
    says("inventory.low-stock", "\"product\":3", "Low Stock", "A product is running low", "high");
    says("system.alert",
        "\"alert\":{\"title\":\"Disk\",\"message\":\"is full\",\"priority\":\"urgent\"}", "Disk",
        "is full", "urgent");
    says("system.alert", "\"alert\":{\"priority\":\"loud\"}", "System Alert",
        "The system raised an alert", "medium");
    says("audit.created", "\"auditLog\":{\"action\":\"UPDATE\",\"entity\":\"Room\"}", "Audit Log",
        "UPDATE Room", "low");
    says("audit.created", "", "Audit Log", "An audit log was written", "low");
}


static void
test_ingest(void **state)
{
    json_t    *json;
    rt_call_t *call;

    (void) state;

    call = ingest(SERVICE, RT_OK,
        "[{\"event\":\"booking.created\",\"businessId\":\"b1\",\"clientName\":\"Zoe\",\"id\":1},"
        "{\"event\":\"payment.received\",\"businessId\":\"b1\",\"userId\":\"u1\"},"
        "{\"event\":\"audit.created\",\"businessId\":\"b1\",\"userId\":\"u1\",\"auditLog\":"
        "{\"action\":\"DELETE\",\"entity\":\"faq\",\"entityId\":7,\"userId\":\"sam\","
        "\"metadata\":{\"a\":1}}},"
        "{\"event\":\"booking.created\",\"businessId\":\"b1\",\"clientName\":\"Zoe\",\"id\":\"1\"}"
        "]");
    assert_int_equal(call->created, 1);
    json = test_reply(call);
    test_member(json, "success", "true");
    assert_int_equal(json_array_size(json_object_get(json, "notifications")), 4);
    assert_string_equal(json_string_value(
                            json_array_get(json_object_get(json, "notifications"), 0)),
        json_string_value(json_array_get(json_object_get(json, "notifications"), 3)));
    json_decref(json);

    json = test_emit_is(call, 0, "business:b1", "notification:new", 1);
    test_member(json, "data", "{\"clientName\":\"Zoe\"}");
    test_member(json, "seq", "1");
    json_decref(json);
    assert_true(rt_str_eq(call->emits->also_event, rt_str("booking.created")));
    assert_int_equal(call->emits->also_data.len, 0);

    json = test_emit_is(call, 1, "user:u1", "notification:new", 1);
    test_member(json, "userId", "\"u1\"");
    json_decref(json);
    assert_true(rt_str_eq(test_emit(call, 1)->business_id, rt_str("b1")));

    /* audit logs are the business's whoever they name */
    json = test_emit_is(call, 2, "business:b1", "notification:new", 2);
    test_member(json, "type", "\"audit\"");
    json_decref(json);
    assert_true(rt_str_eq(test_emit(call, 2)->also_event, rt_str("audit:log")));
    assert_int_equal(rt_json_parse(test_emit(call, 2)->also_data, &json, NULL), RT_OK);
    test_member(json, "type", "\"audit\"");
    test_member(json, "action", "\"DELETE\"");
    test_member(json, "entity", "\"faq\"");
    test_member(json, "entityId", "7");
    test_member(json, "userId", "\"sam\"");
    test_member(json, "description", "null");
    test_member(json, "metadata", "{\"a\":1}");
    assert_int_equal(json_string_length(json_object_get(json, "timestamp")), 24);
    json_decref(json);

    /* the repeated one is told again in its place */
    json_decref(test_emit_is(call, 3, "business:b1", "notification:new", 1));
    assert_true(rt_str_eq(call->log_line, rt_str("📢 Notification sent to business b1 (3)")));
    rt_call_destroy(call);

    call = ingest(SERVICE, RT_OK,
        "{\"event\":\"booking.created\",\"businessId\":\"b1\",\"id\":\"1\"}");
    assert_int_equal(call->created, 0);
    assert_int_equal(call->log_line.len, 0);
    json_decref(test_emit_is(call, 0, "business:b1", "notification:new", 1));
    rt_call_destroy(call);
}


static void
test_refusals(void **state)
{
    size_t     i;
    json_t    *json;
    rt_call_t *call;

    static const char *const bodies[] = {
        "",
        "nonsense",
        "[]",
        "7",
        "[7]",
        "{}",
        "{\"event\":\"booking.created\"}",
        "{\"event\":\"booking.created\",\"businessId\":\"\"}",
        "{\"event\":\"booking.created\",\"businessId\":7}",
        "{\"event\":\"booking.created\",\"businessId\":{\"$ne\":1}}",
        "{\"event\":\"booking.created\",\"businessId\":\"b1\",\"x\":{\"y\":[{\"$set\":1}]}}",
        "{\"event\":\"no.such\",\"businessId\":\"b1\"}",
        "{\"event\":\"notification:new\",\"businessId\":\"b1\"}",
    };

    (void) state;

    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        rt_call_destroy(ingest(SERVICE, RT_INVALID, bodies[i]));
    }

    rt_call_destroy(ingest(SERVICE, RT_INVALID,
        "[{\"event\":\"booking.created\",\"businessId\":\"b1\"},"
        "{\"event\":\"booking.made\",\"businessId\":\"b1\"}]"));
    rt_call_destroy(ingest(STAFF, RT_FORBIDDEN, "{\"event\":\"x\",\"businessId\":\"b1\"}"));
    rt_call_destroy(ingest(test_person("svc", "b2", "SERVICE"), RT_NOT_FOUND,
        "{\"event\":\"booking.created\",\"businessId\":\"b1\"}"));

    /* nothing of all that was stored */
    call = test_run("notification.list", RT_DOOR_REST, STAFF, RT_OK, "{}");
    json = test_reply(call);
    test_member(json, "total", "0");
    json_decref(json);
    rt_call_destroy(call);
}


static void
test_list_and_read(void **state)
{
    char       id[25];
    json_t    *json;
    rt_call_t *call;

    (void) state;

    rt_call_destroy(ingest(SERVICE, RT_OK,
        "[{\"event\":\"booking.created\",\"businessId\":\"b1\"},"
        "{\"event\":\"client.created\",\"businessId\":\"b1\"},"
        "{\"event\":\"booking.created\",\"businessId\":\"b2\"},"
        "{\"event\":\"appointment.reminder\",\"businessId\":\"b1\",\"userId\":\"anna\"},"
        "{\"event\":\"appointment.reminder\",\"businessId\":\"b2\",\"userId\":\"anna\"},"
        "{\"event\":\"system.alert\",\"businessId\":\"b1\",\"userId\":\"sam\"}]"));

    call = test_run("notification.list", RT_DOOR_REST, STAFF, RT_OK, "{\"limit\":2}");
    json = test_reply(call);
    test_member(json, "total", "3");
    test_member(json, "unread", "3");
    test_member(json, "page", "1");
    test_member(json, "limit", "2");
    test_member(json, "notifications.0.type", "\"system\"");
    test_member(json, "notifications.1.type", "\"client\"");
    memcpy(id,
        json_string_value(
            json_object_get(json_array_get(json_object_get(json, "notifications"), 1), "_id")),
        25);
    json_decref(json);
    rt_call_destroy(call);

    /* customers have their own, of their token's business */
    call = test_run("notification.list", RT_DOOR_REST, test_person("anna", "b1", "CUSTOMER"), RT_OK,
        "{\"unread\":true}");
    json = test_reply(call);
    test_member(json, "total", "1");
    json_decref(json);
    rt_call_destroy(call);
    call = test_run("notification.list", RT_DOOR_REST, test_person("anna", NULL, "CUSTOMER"), RT_OK,
        "{}");
    json = test_reply(call);
    test_member(json, "total", "2");
    json_decref(json);
    rt_call_destroy(call);

    test_expect("notification.list", STAFF, RT_NOT_FOUND, "{\"businessId\":\"b2\"}");
    test_expect("notification.list", SERVICE, RT_FORBIDDEN, "{}");
    test_expect("notification.list", STAFF, RT_INVALID, "{\"type\":\"none\"}");
    test_expect("notification.read", STAFF, RT_INVALID, "{\"notificationIds\":\"x\"}");

    /* a customer can't mark what is not theirs */
    call = test_run("notification.read", RT_DOOR_REST, test_person("anna", "b1", "CUSTOMER"), RT_OK,
        test_text("{\"notificationIds\":[\"%s\"]}", id));
    assert_null(call->emits);
    rt_call_destroy(call);

    call = test_run("notification.read", RT_DOOR_SOCKET, STAFF, RT_OK,
        test_text("{\"notificationIds\":[\"%s\",\"%s\"]}", id, id));
    json = test_reply(call);
    test_member(json, "success", "true");
    json_decref(json);
    json = test_emit_is(call, 0, "business:b1", "notification:read", 0);
    test_member(json, "notificationIds", test_text("[\"%s\"]", id));
    test_member(json, "userId", "\"sam\"");
    test_member(json, "unread", "1");
    json_decref(json);
    assert_true(rt_str_eq(call->emits->except_socket, rt_str("socket-1")));
    assert_null(test_emit(call, 1));
    rt_call_destroy(call);

    call = test_run("notification.read", RT_DOOR_REST, STAFF, RT_OK, "{\"notificationIds\":[]}");
    assert_null(call->emits);
    rt_call_destroy(call);

    call = test_run("notification.read", RT_DOOR_REST, STAFF, RT_OK, "{}");
    json = test_emit_is(call, 0, "business:b1", "notification:read", 0);
    test_member(json, "unread", "0");
    test_member(json, "all", "true");
    json_decref(json);
    json_decref(test_emit_is(call, 1, "user:sam", "notification:read", 0));
    rt_call_destroy(call);
}


static void
test_heal(void **state)
{
    json_t    *json;
    rt_call_t *call;

    (void) state;

    rt_call_destroy(ingest(SERVICE, RT_OK,
        "[{\"event\":\"booking.created\",\"businessId\":\"b1\"},"
        "{\"event\":\"audit.created\",\"businessId\":\"b1\",\"auditLog\":{\"action\":\"X\"}},"
        "{\"event\":\"staff.availability-changed\",\"businessId\":\"b1\"}]"));

    call = test_run("notification.heal", RT_DOOR_SOCKET, NULL, RT_OK,
        "{\"streams\":[{\"stream\":\"business:b1\",\"afterSeq\":1},{\"stream\":\"user:sam\"}]}");
    json = test_emit_is(call, 0, "business:b1", "notification:new", 2);
    test_member(json, "type", "\"audit\"");
    json_decref(json);
    assert_true(rt_str_eq(call->emits->also_event, rt_str("audit:log")));
    assert_int_equal(rt_json_parse(call->emits->also_data, &json, NULL), RT_OK);
    test_member(json, "action", "\"X\"");
    json_decref(json);
    json_decref(test_emit_is(call, 1, "business:b1", "notification:new", 3));
    assert_true(rt_str_eq(test_emit(call, 1)->also_event, rt_str("staff.availability-changed")));
    json = test_reply(call);
    test_member(json, "streams.0.lastSeq", "3");
    test_member(json, "streams.0.more", "false");
    test_member(json, "streams.1.lastSeq", "0");
    json_decref(json);
    rt_call_destroy(call);

    call = test_run("notification.heal", RT_DOOR_SOCKET, NULL, RT_OK,
        "{\"streams\":[{\"stream\":\"business:b1\",\"afterSeq\":0}],\"limit\":2}");
    json = test_reply(call);
    test_member(json, "streams.0.more", "true");
    json_decref(json);
    assert_null(test_emit(call, 2));
    rt_call_destroy(call);

    rt_call_destroy(
        test_run("notification.heal", RT_DOOR_SOCKET, NULL, RT_INVALID, "{\"streams\":[]}"));
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_texts, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_ingest, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_refusals, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_list_and_read, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_heal, test_setup, test_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
