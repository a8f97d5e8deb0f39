/* room.create, room.team, room.support, room.join, room.get, room.list, room.update, room.archive,
 * unread.counts. */

#include "chat/rt_chat_testing.h"


#define CUSTOMER test_person("anna", "b1", "CUSTOMER")
#define STAFF    test_person("sam", "b1", "STAFF")
#define OWNER    test_person("olga", "b1", "BUSINESS_OWNER")
#define SUPER    test_person("sue", NULL, "SUPER_ADMIN")


static void
test_create(void **state)
{
    char       first[25], id[25];
    json_t    *json;
    rt_call_t *call;

    (void) state;

    call = test_run("room.create", RT_DOOR_REST, CUSTOMER, RT_OK,
        "{\"userName\":\"Anna\",\"userEmail\":\"a@x.org\",\"userPhone\":\"1\"}");
    json = test_reply(call);
    test_member(json, "businessId", "\"b1\"");
    test_member(json, "roomType", "\"customer-support\"");
    test_member(json, "isActive", "true");
    test_member(json, "isArchived", "false");
    test_member(json, "unreadCount", "0");
    test_member(json, "seq", "0");
    test_member(json, "lastMessage", "null");
    test_member(json, "lastMessageId", "null");
    test_member(json, "metadata.userId", "\"anna\"");
    test_member(json, "metadata.userName", "\"Anna\"");
    test_member(json, "metadata.userEmail", "\"a@x.org\"");
    test_member(json, "metadata.userPhone", "\"1\"");
    test_member(json, "metadata.priority", "\"medium\"");
    test_member(json, "metadata.tags", "[]");
    memcpy(first, json_string_value(json_object_get(json, "_id")), 25);
    assert_string_equal(first, json_string_value(json_object_get(json, "id")));
    json_decref(json);
    assert_int_equal(call->created, 1);

    json = test_emit_is(call, 0, "business:b1", "chat:new-conversation", 0);
    test_member(json, "_id", test_text("\"%s\"", first));
    test_member(json, "roomId", test_text("\"%s\"", first));
    test_member(json, "userName", "\"Anna\"");
    test_member(json, "userEmail", "\"a@x.org\"");
    test_member(json, "isNew", "true");
    test_member(json, "requiresAttention", "false");
    json_decref(json);
    assert_null(test_emit(call, 1));
    rt_call_destroy(call);

    /* the same one again, for staff too, and silently */
    call = test_run("room.create", RT_DOOR_REST, STAFF, RT_OK, "{\"userId\":\"anna\"}");
    assert_int_equal(call->created, 0);
    assert_null(call->emits);
    assert_memory_equal(call->room_id.data, first, 24);
    rt_call_destroy(call);

    /* archived: a new one */
    test_expect("room.archive", STAFF, RT_OK, test_text("{\"roomId\":\"%s\"}", first));
    test_room("anna", "b1", id);
    assert_string_not_equal(id, first);

    /* without a name: the token's, or Customer */
    call =
        test_run("room.get", RT_DOOR_REST, CUSTOMER, RT_OK, test_text("{\"roomId\":\"%s\"}", id));
    json = test_reply(call);
    test_member(json, "metadata.userName", "\"Name of anna\"");
    json_decref(json);
    rt_call_destroy(call);

    call = test_run("room.create", RT_DOOR_REST, STAFF, RT_OK, "{\"userId\":\"bob\"}");
    json = test_reply(call);
    test_member(json, "metadata.userName", "\"Customer\"");
    test_member(json, "metadata.userEmail", "null");
    json_decref(json);
    rt_call_destroy(call);
}


static void
test_create_refusals(void **state)
{
    (void) state;

    test_expect("room.create", STAFF, RT_INVALID, "{\"userName\":\"x\"}");
    test_expect("room.create", CUSTOMER, RT_FORBIDDEN, "{\"userId\":\"bob\"}");
    test_expect("room.create", CUSTOMER, RT_NOT_FOUND, "{\"businessId\":\"b2\"}");
    test_expect("room.create", STAFF, RT_NOT_FOUND, "{\"userId\":\"a\",\"businessId\":\"b2\"}");
    test_expect("room.create", test_person("svc", "b1", "SERVICE"), RT_FORBIDDEN, "{}");
    test_expect("room.create", test_person("x", "b1", "VISITOR"), RT_FORBIDDEN, "{}");
    test_expect("room.create", NULL, RT_UNAUTHORIZED, "{}");
    test_expect("room.create", CUSTOMER, RT_INVALID, "{\"userName\":7}");
    test_expect("room.create", CUSTOMER, RT_INVALID, "{\"userName\":\"a\\u0007\"}");
    test_expect("room.create", SUPER, RT_INVALID, "{\"userId\":\"x\"}");
    test_expect("room.create", SUPER, RT_OK, "{\"userId\":\"x\",\"businessId\":\"b9\"}");

    /* a token without a business: the body names it */
    test_expect("room.create", test_person("free", NULL, "CUSTOMER"), RT_INVALID, "{}");
    test_expect("room.create", test_person("free", NULL, "CUSTOMER"), RT_OK,
        "{\"businessId\":\"b2\"}");
}


/* A staff token that names no business is staff of none, not of all. */
static void
test_no_business(void **state)
{
    char id[25];
    (void) state;

    test_room("anna", "b1", id);

    test_expect("room.list", test_person("nowhere", NULL, "STAFF"), RT_FORBIDDEN, "{}");
    test_expect("unread.counts", test_person("nowhere", NULL, "STAFF"), RT_FORBIDDEN, "{}");
    test_expect("room.create", test_person("nowhere", NULL, "STAFF"), RT_FORBIDDEN,
        "{\"userId\":\"anna\",\"businessId\":\"b1\"}");
    test_expect("room.team", test_person("nowhere", NULL, "STAFF"), RT_FORBIDDEN,
        "{\"memberId\":\"tom\",\"businessId\":\"b1\"}");
    test_expect("room.get", test_person("nowhere", NULL, "STAFF"), RT_NOT_FOUND,
        test_text("{\"roomId\":\"%s\"}", id));
}


static void
test_team(void **state)
{
    char       id[25];
    json_t    *json;
    rt_call_t *call;

    (void) state;

    call = test_run("room.team", RT_DOOR_REST, STAFF, RT_OK,
        "{\"memberId\":\"tom\",\"memberName\":\"Tom\"}");
    json = test_reply(call);
    test_member(json, "roomType", "\"team-chat\"");
    test_member(json, "metadata.ownerId", "\"sam\"");
    test_member(json, "metadata.memberId", "\"tom\"");
    json_decref(json);
    assert_int_equal(call->created, 1);
    json_decref(test_emit_is(call, 0, "user:sam", "chat:room-updated", 0));
    json_decref(test_emit_is(call, 1, "user:tom", "chat:room-updated", 0));
    memcpy(id, call->room_id.data, 25);
    rt_call_destroy(call);

    call = test_run("room.team", RT_DOOR_REST, test_person("tom", "b1", "STAFF"), RT_OK,
        "{\"memberId\":\"sam\"}");
    assert_int_equal(call->created, 0);
    assert_memory_equal(call->room_id.data, id, 24);
    rt_call_destroy(call);

    /* what is said there is not told to the whole business */
    call = test_run("message.send", RT_DOOR_SOCKET, STAFF, RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"psst\"}", id));
    json_decref(test_emit_is(call, 0, test_text("room:%s", id), "chat:new-message", 1));
    json_decref(test_emit_is(call, 1, "user:sam", "chat:room-updated", 0));
    json_decref(test_emit_is(call, 2, "user:tom", "chat:room-updated", 0));
    assert_true(rt_str_eq(test_emit(call, 2)->business_id, rt_str("b1")));
    assert_null(test_emit(call, 3));
    rt_call_destroy(call);

    /* read by the other one, not by who said it */
    call =
        test_run("message.read", RT_DOOR_REST, STAFF, RT_OK, test_text("{\"roomId\":\"%s\"}", id));
    assert_null(call->emits);
    rt_call_destroy(call);
    call = test_run("message.read", RT_DOOR_REST, test_person("tom", "b1", "STAFF"), RT_OK,
        test_text("{\"roomId\":\"%s\"}", id));
    json_decref(test_emit_is(call, 0, test_text("room:%s", id), "chat:messages-read", 0));
    rt_call_destroy(call);

    test_expect("room.get", OWNER, RT_FORBIDDEN, test_text("{\"roomId\":\"%s\"}", id));
    test_expect("room.get", SUPER, RT_FORBIDDEN, test_text("{\"roomId\":\"%s\"}", id));
    test_expect("room.team", CUSTOMER, RT_FORBIDDEN, "{\"memberId\":\"tom\"}");
    test_expect("room.team", STAFF, RT_INVALID, "{\"memberId\":\"sam\"}");
    test_expect("room.team", STAFF, RT_INVALID, "{}");
}


static void
test_support(void **state)
{
    char       id[25];
    rt_call_t *call;

    (void) state;

    call = test_run("room.support", RT_DOOR_REST, OWNER, RT_OK, "{}");
    assert_int_equal(call->created, 1);
    memcpy(id, call->room_id.data, 25);
    rt_call_destroy(call);

    call = test_run("room.support", RT_DOOR_REST, OWNER, RT_OK, "{}");
    assert_int_equal(call->created, 0);
    rt_call_destroy(call);

    test_expect("room.support", STAFF, RT_FORBIDDEN, "{}");
    test_expect("room.support", CUSTOMER, RT_FORBIDDEN, "{}");
    test_expect("room.get", STAFF, RT_FORBIDDEN, test_text("{\"roomId\":\"%s\"}", id));
    test_expect("room.get", SUPER, RT_OK, test_text("{\"roomId\":\"%s\"}", id));
    test_expect("message.send", SUPER, RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"x\"}", id));
}


static void
test_join(void **state)
{
    int        i;
    char       id[25];
    json_t    *json;
    rt_call_t *call;

    (void) state;

    call = test_run("room.join", RT_DOOR_SOCKET, CUSTOMER, RT_OK,
        "{\"businessId\":\"b1\",\"userName\":\"Anna\",\"email\":\"a@x.org\"}");
    json = test_reply(call);
    test_member(json, "success", "true");
    test_member(json, "messages", "[]");
    test_member(json, "hasMore", "false");
    test_member(json, "lastSeq", "0");
    assert_true(json_is_string(json_object_get(json, "message")));
    json_decref(json);
    json_decref(test_emit_is(call, 0, "business:b1", "chat:new-conversation", 0));
    memcpy(id, call->room_id.data, 25);
    rt_call_destroy(call);

    for (i = 0; i < 60; i++) {
        test_expect("message.send", CUSTOMER, RT_OK,
            test_text("{\"roomId\":\"%s\",\"content\":\"%d\"}", id, i));
    }

    call = test_run("room.join", RT_DOOR_SOCKET, CUSTOMER, RT_OK, "{\"businessId\":\"b1\"}");
    json = test_reply(call);
    test_member(json, "roomId", test_text("\"%s\"", id));
    test_member(json, "hasMore", "true");
    test_member(json, "lastSeq", "60");
    test_member(json, "messages.0.content", "\"10\"");
    test_member(json, "messages.49.content", "\"59\"");
    assert_int_equal(json_array_size(json_object_get(json, "messages")), 50);
    json_decref(json);
    assert_null(call->emits);
    assert_int_equal(call->last_seq, 60);
    rt_call_destroy(call);

    call =
        test_run("room.join", RT_DOOR_SOCKET, STAFF, RT_OK, test_text("{\"roomId\":\"%s\"}", id));
    assert_int_equal(call->last_seq, 60);
    assert_memory_equal(call->room_id.data, id, 24);
    rt_call_destroy(call);

    test_expect("room.join", STAFF, RT_INVALID, "{\"businessId\":\"b1\"}");
    test_expect("room.join", test_person("free", NULL, "CUSTOMER"), RT_INVALID, "{}");
    test_expect("room.join", CUSTOMER, RT_NOT_FOUND, "{\"businessId\":\"b2\"}");
    test_expect("room.join", CUSTOMER, RT_INVALID, "{\"roomId\":[\"x\"]}");
    test_expect("room.join", CUSTOMER, RT_NOT_FOUND, "{\"roomId\":\"zzz\"}");
    test_expect("room.join", test_person("eve", "b1", "CUSTOMER"), RT_FORBIDDEN,
        test_text("{\"roomId\":\"%s\"}", id));
    test_expect("room.join", test_person("eve", NULL, "CUSTOMER"), RT_FORBIDDEN,
        test_text("{\"roomId\":\"%s\"}", id));
}


static void
test_update(void **state)
{
    char       id[25];
    json_t    *json;
    rt_call_t *call;

    (void) state;

    test_room("anna", "b1", id);

    call = test_run("room.update", RT_DOOR_REST, STAFF, RT_OK,
        test_text("{\"roomId\":\"%s\",\"priority\":\"high\",\"tags\":[\"vip\"],"
                  "\"assignedStaffId\":\"sam\",\"assignedStaffName\":\"Sam\"}",
            id));
    json = test_reply(call);
    test_member(json, "metadata.priority", "\"high\"");
    test_member(json, "metadata.tags", "[\"vip\"]");
    test_member(json, "metadata.assignedStaffId", "\"sam\"");
    test_member(json, "metadata.assignedStaffName", "\"Sam\"");
    test_member(json, "metadata.userId", "\"anna\"");
    json_decref(json);
    json_decref(test_emit_is(call, 0, "business:b1", "chat:room-updated", 0));
    rt_call_destroy(call);

    call = test_run("room.update", RT_DOOR_REST, STAFF, RT_OK,
        test_text("{\"roomId\":\"%s\",\"assignedStaffId\":null}", id));
    json = test_reply(call);
    test_member(json, "metadata.assignedStaffId", "null");
    test_member(json, "metadata.priority", "\"high\"");
    json_decref(json);
    rt_call_destroy(call);

    call = test_run("room.list", RT_DOOR_REST, STAFF, RT_OK, "{\"assignedStaffId\":\"sam\"}");
    assert_int_equal(call->total, 0);
    rt_call_destroy(call);

    test_expect("room.update", CUSTOMER, RT_FORBIDDEN, test_text("{\"roomId\":\"%s\"}", id));
    test_expect("room.update", test_person("eve", "b2", "STAFF"), RT_NOT_FOUND,
        test_text("{\"roomId\":\"%s\"}", id));
    test_expect("room.update", STAFF, RT_INVALID,
        test_text("{\"roomId\":\"%s\",\"priority\":\"now\"}", id));
    test_expect("room.update", STAFF, RT_INVALID,
        test_text("{\"roomId\":\"%s\",\"tags\":\"vip\"}", id));
    test_expect("room.archive", CUSTOMER, RT_FORBIDDEN, test_text("{\"roomId\":\"%s\"}", id));
    test_expect("room.archive", STAFF, RT_OK, test_text("{\"roomId\":\"%s\"}", id));
    test_expect("room.archive", STAFF, RT_OK, test_text("{\"roomId\":\"%s\"}", id));
    test_expect("room.archive", STAFF, RT_NOT_FOUND, "{\"roomId\":\"zzz\"}");
}


static void
total_is(rt_identity_t *identity, const char *request, int64_t total)
{
    rt_call_t *call;

    call = test_run("room.list", RT_DOOR_REST, identity, RT_OK, request);

    if (call->total != total) {
        fail_msg("%s: %lld, expected %lld", request, (long long) call->total, (long long) total);
    }

    rt_call_destroy(call);
}


static void
test_list(void **state)
{
    char       anna[25], bob[25], other[25];
    json_t    *json;
    rt_call_t *call;

    (void) state;

    test_room("anna", "b1", anna);
    test_room("bob", "b1", bob);
    test_room("carl", "b2", other);
    test_expect("room.team", STAFF, RT_OK, "{\"memberId\":\"tom\"}");
    test_expect("room.support", OWNER, RT_OK, "{}");
    usleep(2000);
    test_expect("message.send", CUSTOMER, RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"50%% off_?\"}", anna));

    call = test_run("room.list", RT_DOOR_REST, STAFF, RT_OK, "{\"limit\":2}");
    json = test_reply(call);
    test_member(json, "total", "3");
    test_member(json, "page", "1");
    test_member(json, "limit", "2");
    test_member(json, "totalPages", "2");
    test_member(json, "rooms.0.id", test_text("\"%s\"", anna));
    assert_int_equal(json_array_size(json_object_get(json, "rooms")), 2);
    json_decref(json);
    rt_call_destroy(call);

    total_is(OWNER, "{}", 3);
    total_is(SUPER, "{}", 4);
    total_is(SUPER, "{\"businessId\":\"b2\"}", 1);
    total_is(CUSTOMER, "{}", 1);
    total_is(test_person("anna", NULL, "CUSTOMER"), "{}", 1);
    total_is(test_person("anna", NULL, "CUSTOMER"), "{\"businessId\":\"b2\"}", 0);
    total_is(STAFF, "{\"roomType\":\"team-chat\"}", 1);
    total_is(STAFF, "{\"roomType\":\"customer-support\"}", 2);
    total_is(STAFF, "{\"isActive\":true}", 3);
    total_is(STAFF, "{\"isArchived\":true}", 0);
    total_is(STAFF, "{\"priority\":\"urgent\"}", 0);
    total_is(STAFF, "{\"q\":\"NAME OF AN\"}", 1);
    total_is(STAFF, "{\"q\":\"50% off_\"}", 1);
    total_is(STAFF, "{\"q\":\"%\"}", 1);
    total_is(STAFF, "{\"q\":\"' OR 1=1 --\"}", 0);

    test_expect("room.archive", STAFF, RT_OK, test_text("{\"roomId\":\"%s\"}", bob));
    total_is(STAFF, "{\"isActive\":true}", 2);
    total_is(STAFF, "{\"isArchived\":true}", 1);

    test_expect("room.list", STAFF, RT_NOT_FOUND, "{\"businessId\":\"b2\"}");
    test_expect("room.list", STAFF, RT_INVALID, "{\"page\":0}");
    test_expect("room.list", STAFF, RT_INVALID, "{\"limit\":101}");
    test_expect("room.list", STAFF, RT_INVALID, "{\"isActive\":\"true\"}");
    test_expect("room.list", STAFF, RT_INVALID, "{\"roomType\":\"chat\"}");
    test_expect("room.list", test_person("svc", "b1", "SERVICE"), RT_FORBIDDEN, "{}");
}


static void
test_unread(void **state)
{
    char       anna[25], bob[25];
    json_t    *json;
    rt_call_t *call;

    (void) state;

    test_room("anna", "b1", anna);
    test_room("bob", "b1", bob);
    test_expect("message.send", CUSTOMER, RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"1\"}", anna));
    test_expect("message.send", CUSTOMER, RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"2\"}", anna));
    test_expect("message.send", STAFF, RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"3\"}", bob));

    call = test_run("unread.counts", RT_DOOR_REST, STAFF, RT_OK, "{}");
    json = test_reply(call);
    test_member(json, "totalUnread", "2");
    test_member(json, "roomsWithUnread", "1");
    test_member(json, "rooms.0.roomId", test_text("\"%s\"", anna));
    test_member(json, "rooms.0.unreadCount", "2");
    test_member(json, "rooms.0.userName", "\"Name of anna\"");
    json_decref(json);
    rt_call_destroy(call);

    test_expect("unread.counts", CUSTOMER, RT_FORBIDDEN, "{}");
    test_expect("unread.counts", STAFF, RT_NOT_FOUND, "{\"businessId\":\"b2\"}");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_create, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_create_refusals, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_no_business, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_team, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_support, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_join, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_update, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_list, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_unread, test_setup, test_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
