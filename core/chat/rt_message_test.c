/* message.send, message.list, message.read, message.heal. */

#include "chat/rt_chat_testing.h"


#define CUSTOMER test_person("anna", "b1", "CUSTOMER")
#define STAFF    test_person("sam", "b1", "STAFF")

static char room[25];


static int
setup(void **state)
{
    test_setup(state);
    test_room("anna", "b1", room);

    return 0;
}


/* id gets 25 bytes, or is NULL */
static void
say(rt_identity_t *identity, const char *content, char *id)
{
    json_t    *json;
    rt_call_t *call;

    call = test_run("message.send", RT_DOOR_SOCKET, identity, RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"%s\"}", room, content));
    json = test_reply(call);

    if (id != NULL) {
        memcpy(id, json_string_value(json_object_get(json, "messageId")), 25);
    }

    json_decref(json);
    rt_call_destroy(call);
}


static void
unread_is(const char *expected)
{
    json_t    *json;
    rt_call_t *call;

    call = test_run("room.get", RT_DOOR_REST, STAFF, RT_OK, test_text("{\"roomId\":\"%s\"}", room));
    json = test_reply(call);
    test_member(json, "unreadCount", expected);
    json_decref(json);
    rt_call_destroy(call);
}


static void
test_send_answers(void **state)
{
    json_t    *json;
    rt_call_t *call;

    (void) state;

    call = test_run("message.send", RT_DOOR_SOCKET, CUSTOMER, RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"Hi \\\"you\\\" 🙂\",\"senderId\":"
                  "\"mallory\",\"unknown\":[1],\"metadata\":{\"a\":[0.5,null]},"
                  "\"attachments\":[\"https://x/y.png\"]}",
            room));

    json = test_reply(call);
    test_member(json, "success", "true");
    test_member(json, "seq", "1");
    test_member(json, "message.seq", "1");
    test_member(json, "message.senderId", "\"anna\"");
    test_member(json, "message.senderType", "\"customer\"");
    test_member(json, "message.senderName", "\"Name of anna\"");
    test_member(json, "message.content", "\"Hi \\\"you\\\" 🙂\"");
    test_member(json, "message.messageType", "\"text\"");
    test_member(json, "message.businessId", "\"b1\"");
    test_member(json, "message.attachments", "[\"https://x/y.png\"]");
    test_member(json, "message.metadata.a.0", "0.5");
    test_member(json, "message.replyToMessageId", "null");
    test_member(json, "message.quickReplies", "[]");
    test_member(json, "message.isRead", "false");
    test_member(json, "message.readAt", "null");
    test_member(json, "message.isAutomated", "false");
    assert_string_equal(json_string_value(json_object_get(json, "messageId")),
        json_string_value(json_object_get(json_object_get(json, "message"), "id")));
    assert_string_equal(json_string_value(json_object_get(json, "timestamp")),
        json_string_value(json_object_get(json_object_get(json, "message"), "createdAt")));
    json_decref(json);

    assert_int_equal(call->created, 1);
    assert_true(call->log_line.len > 20);
    assert_null(strstr(call->log_line.data, "Hi")); /* NUL terminated: made by printf */

    json = test_emit_is(call, 0, test_text("room:%s", room), "chat:new-message", 1);
    test_member(json, "content", "\"Hi \\\"you\\\" 🙂\"");
    json_decref(json);

    json = test_emit_is(call, 1, "business:b1", "chat:room-updated", 0);
    test_member(json, "unreadCount", "1");
    test_member(json, "lastMessage", "\"Hi \\\"you\\\" 🙂\"");
    json_decref(json);

    assert_null(test_emit(call, 2));
    rt_call_destroy(call);

    call = test_run("message.send", RT_DOOR_REST, STAFF, RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"Hello\",\"senderType\":\"staff\"}", room));
    json = test_reply(call);
    test_member(json, "seq", "2");
    test_member(json, "senderType", "\"staff\"");
    json_decref(json);
    rt_call_destroy(call);

    unread_is("1");
}


static void
test_send_refusals(void **state)
{
    size_t   i;
    rt_buf_t content;

    static const char *const wrong[] = {
        "\"content\":\"\"",
        "\"content\":\" \\n\\u00a0\\u3000\\u200b \"",
        "\"content\":5",
        "\"content\":null",
        "\"content\":{\"$gt\":\"\"}",
        "\"content\":\"x\",\"messageType\":\"system\"",
        "\"content\":\"x\",\"messageType\":1",
        "\"content\":\"x\",\"attachments\":\"a\"",
        "\"content\":\"x\",\"attachments\":[1]",
        "\"content\":\"x\",\"attachments\":[\"\"]",
        "\"content\":\"x\",\"attachments\":[1,2,3,4,5,6,7,8,9,10,11]",
        "\"content\":\"x\",\"metadata\":[]",
        "\"content\":\"x\",\"metadata\":{\"a\":[{\"$set\":1}]}",
        "\"content\":\"x\",\"$where\":\"1\"",
        "\"content\":\"x\",\"senderType\":\"owner\"",
        "\"content\":\"x\",\"clientMessageId\":\"\"",
        "\"content\":\"x\",\"clientMessageId\":\"a\\nb\"",
        "\"content\":\"x\",\"replyToMessageId\":\"00112233445566778899aabb\"",
    };

    (void) state;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        test_expect("message.send", CUSTOMER, RT_INVALID,
            test_text("{\"roomId\":\"%s\",%s}", room, wrong[i]));
    }

    test_expect("message.send", CUSTOMER, RT_INVALID, "{\"content\":\"x\"}");
    test_expect("message.send", CUSTOMER, RT_INVALID, "{\"roomId\":{\"$ne\":1},\"content\":\"x\"}");
    test_expect("message.send", CUSTOMER, RT_NOT_FOUND, "{\"roomId\":\"x\",\"content\":\"x\"}");

    /* a type that is not for the role is an error, not a silent change */
    test_expect("message.send", CUSTOMER, RT_FORBIDDEN,
        test_text("{\"roomId\":\"%s\",\"content\":\"x\",\"senderType\":\"staff\"}", room));
    test_expect("message.send", STAFF, RT_FORBIDDEN,
        test_text("{\"roomId\":\"%s\",\"content\":\"x\",\"senderType\":\"bot\"}", room));

    /* others' rooms */
    test_expect("message.send", test_person("eve", "b1", "CUSTOMER"), RT_FORBIDDEN,
        test_text("{\"roomId\":\"%s\",\"content\":\"x\"}", room));
    test_expect("message.send", test_person("eve", "b2", "STAFF"), RT_NOT_FOUND,
        test_text("{\"roomId\":\"%s\",\"content\":\"x\"}", room));
    test_expect("message.send", test_person("svc", "b1", "SERVICE"), RT_FORBIDDEN,
        test_text("{\"roomId\":\"%s\",\"content\":\"x\"}", room));

    /* counted in code points: 10,000 of four bytes pass, one more does not */
    memset(&content, 0, sizeof(content));
    rt_buf_append_str(&content, rt_str("{\"content\":\""));

    for (i = 0; i < 10000; i++) {
        rt_buf_append_str(&content, rt_str("🙂"));
    }

    rt_buf_append_str(&content, rt_str("\",\"roomId\":\""));
    rt_buf_append_str(&content, rt_str_c(room));
    rt_buf_append(&content, "\"}", 3); /* with the NUL */
    test_expect("message.send", CUSTOMER, RT_OK, content.data);

    memcpy(content.data + 12, "four", 4); /* of one character's bytes */
    test_expect("message.send", CUSTOMER, RT_INVALID, content.data);
    rt_buf_free(&content);
}


static void
test_send_retry(void **state)
{
    char       first[25], other[25];
    json_t    *json;
    rt_call_t *call;

    (void) state;

    call = test_run("message.send", RT_DOOR_SOCKET, CUSTOMER, RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"one\",\"clientMessageId\":\"c1\"}", room));
    json = test_reply(call);
    memcpy(first, json_string_value(json_object_get(json, "messageId")), 25);
    json_decref(json);
    rt_call_destroy(call);

    /* archived in between: still the first answer, and the room stays away */
    test_expect("room.archive", STAFF, RT_OK, test_text("{\"roomId\":\"%s\"}", room));

    call = test_run("message.send", RT_DOOR_SOCKET, CUSTOMER, RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"two\",\"clientMessageId\":\"c1\"}", room));
    json = test_reply(call);
    test_member(json, "messageId", test_text("\"%s\"", first));
    test_member(json, "message.content", "\"one\"");
    test_member(json, "seq", "1");
    json_decref(json);
    assert_int_equal(call->created, 0);
    assert_null(call->emits);
    assert_int_equal(call->log_line.len, 0);
    rt_call_destroy(call);

    /* the same id of another sender, and in another room, is another message */
    test_room("anna", "b1", other);
    assert_string_not_equal(room, other);

    call = test_run("message.send", RT_DOOR_REST, STAFF, RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"s\",\"clientMessageId\":\"c1\"}", other));
    assert_int_equal(call->created, 1);
    rt_call_destroy(call);

    call = test_run("message.send", RT_DOOR_REST, CUSTOMER, RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"a\",\"clientMessageId\":\"c1\"}", other));
    assert_int_equal(call->created, 1);
    rt_call_destroy(call);
}


static void
test_send_reply_to(void **state)
{
    char       first[25], other[25];
    json_t    *json;
    rt_call_t *call;

    (void) state;

    say(CUSTOMER, "question", first);

    call = test_run("message.send", RT_DOOR_REST, STAFF, RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"b\",\"replyToMessageId\":\"%s\","
                  "\"messageType\":\"image\"}",
            room, first));
    json = test_reply(call);
    test_member(json, "replyToMessageId", test_text("\"%s\"", first));
    test_member(json, "messageType", "\"image\"");
    json_decref(json);
    rt_call_destroy(call);

    test_room("bob", "b1", other);
    test_expect("message.send", STAFF, RT_INVALID,
        test_text("{\"roomId\":\"%s\",\"content\":\"b\",\"replyToMessageId\":\"%s\"}", other,
            first));
}


static void
test_send_archived(void **state)
{
    char       other[25];
    json_t    *json;
    rt_call_t *call;

    (void) state;

    test_expect("room.archive", STAFF, RT_OK, test_text("{\"roomId\":\"%s\"}", room));
    test_expect("message.send", STAFF, RT_CONFLICT,
        test_text("{\"roomId\":\"%s\",\"content\":\"x\"}", room));

    /* the customer's message opens it */
    say(CUSTOMER, "again", NULL);

    call = test_run("room.get", RT_DOOR_REST, STAFF, RT_OK, test_text("{\"roomId\":\"%s\"}", room));
    json = test_reply(call);
    test_member(json, "isActive", "true");
    test_member(json, "isArchived", "false");
    test_member(json, "lastMessage", "\"again\"");
    json_decref(json);
    rt_call_destroy(call);

    /* not when there is another one */
    test_expect("room.archive", STAFF, RT_OK, test_text("{\"roomId\":\"%s\"}", room));
    test_room("anna", "b1", other);

    call = test_run("message.send", RT_DOOR_SOCKET, CUSTOMER, RT_CONFLICT,
        test_text("{\"roomId\":\"%s\",\"content\":\"x\"}", room));
    json = test_reply(call);
    test_member(json, "roomId", test_text("\"%s\"", other));
    json_decref(json);
    rt_call_destroy(call);
}


static void
contents_are(const char *request, const char *expected, const char *has_more)
{
    char       contents[64];
    size_t     i;
    json_t    *json, *message;
    rt_call_t *call;

    call = test_run("message.list", RT_DOOR_REST, STAFF, RT_OK,
        test_text("{\"roomId\":\"%s\"%s}", room, request));
    json = test_reply(call);
    contents[0] = '\0';

    json_array_foreach(json_object_get(json, "messages"), i, message)
    {
        contents[i] = json_string_value(json_object_get(message, "content"))[0];
        contents[i + 1] = '\0';
    }

    assert_string_equal(contents, expected);
    test_member(json, "hasMore", has_more);
    test_member(json, "total", "9");
    assert_int_equal(call->total, 9);
    json_decref(json);
    rt_call_destroy(call);
}


static void
test_list(void **state)
{
    int       i;
    char      content[2], ids[10][25];
    long long huge;

    (void) state;

    content[1] = '\0';

    for (i = 1; i <= 9; i++) {
        content[0] = (char) ('0' + i);
        say(i % 2 ? CUSTOMER : STAFF, content, ids[i]);
    }

    contents_are("", "123456789", "false");
    contents_are(",\"limit\":4", "6789", "true");
    contents_are(",\"limit\":4,\"page\":2", "2345", "true");
    contents_are(",\"limit\":4,\"page\":3", "1", "false");
    contents_are(",\"limit\":4,\"page\":4", "", "false");
    contents_are(",\"limit\":9", "123456789", "false");
    contents_are(test_text(",\"limit\":3,\"beforeMessageId\":\"%s\"", ids[5]), "234", "true");
    contents_are(test_text(",\"limit\":4,\"beforeMessageId\":\"%s\"", ids[5]), "1234", "false");
    contents_are(test_text(",\"beforeMessageId\":\"%s\"", ids[1]), "", "false");
    contents_are(",\"afterSeq\":0,\"limit\":3", "123", "true");
    contents_are(",\"afterSeq\":6,\"limit\":3", "789", "false");
    contents_are(",\"afterSeq\":9", "", "false");

    huge = INT64_MAX;
    contents_are(test_text(",\"afterSeq\":%lld", huge), "", "false");

    test_expect("message.list", STAFF, RT_INVALID,
        test_text("{\"roomId\":\"%s\",\"page\":0}", room));
    test_expect("message.list", STAFF, RT_INVALID,
        test_text("{\"roomId\":\"%s\",\"limit\":101}", room));
    test_expect("message.list", STAFF, RT_INVALID,
        test_text("{\"roomId\":\"%s\",\"limit\":\"5\"}", room));
    test_expect("message.list", STAFF, RT_INVALID,
        test_text("{\"roomId\":\"%s\",\"afterSeq\":-1}", room));
    test_expect("message.list", STAFF, RT_INVALID,
        test_text("{\"roomId\":\"%s\",\"beforeMessageId\":\"nope\"}", room));
    test_expect("message.list", test_person("eve", "b1", "CUSTOMER"), RT_FORBIDDEN,
        test_text("{\"roomId\":\"%s\"}", room));
}


static void
test_heal(void **state)
{
    json_t    *json;
    rt_call_t *call;

    (void) state;

    say(CUSTOMER, "1", NULL);
    say(STAFF, "2", NULL);
    say(CUSTOMER, "3", NULL);

    call = test_run("message.heal", RT_DOOR_SOCKET, NULL, RT_OK,
        test_text("{\"roomId\":\"%s\",\"afterSeq\":1}", room));
    json = test_emit_is(call, 0, test_text("room:%s", room), "chat:new-message", 2);
    test_member(json, "content", "\"2\"");
    json_decref(json);
    json_decref(test_emit_is(call, 1, test_text("room:%s", room), "chat:new-message", 3));
    assert_null(test_emit(call, 2));
    assert_int_equal(call->last_seq, 3);
    rt_call_destroy(call);

    test_expect("message.heal", NULL, RT_NOT_FOUND, "{\"roomId\":\"x\",\"afterSeq\":0}");
}


static void
test_heal_many(void **state)
{
    int        i;
    char       other[25];
    json_t    *json;
    rt_call_t *call;

    (void) state;

    test_room("bob", "b1", other);
    say(CUSTOMER, "1", NULL);
    say(STAFF, "2", NULL);
    test_expect("message.send", test_person("bob", "b1", "CUSTOMER"), RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"3\"}", other));

    call = test_run("message.heal", RT_DOOR_SOCKET, NULL, RT_OK,
        test_text("{\"rooms\":[{\"roomId\":\"%s\",\"afterSeq\":1},{\"roomId\":\"x\",\"afterSeq\":0}"
                  ","
                  "{\"roomId\":\"%s\",\"afterSeq\":0},{\"roomId\":\"%s\",\"afterSeq\":9}]}",
            room, other, room));
    json_decref(test_emit_is(call, 0, test_text("room:%s", room), "chat:new-message", 2));
    json_decref(test_emit_is(call, 1, test_text("room:%s", other), "chat:new-message", 1));
    assert_null(test_emit(call, 2));
    json = test_reply(call);
    test_member(json, "rooms.0.lastSeq", "2");
    test_member(json, "rooms.0.more", "false");
    test_member(json, "rooms.0.roomId", test_text("\"%s\"", room));
    test_member(json, "rooms.1.lastSeq", "0");
    test_member(json, "rooms.2.lastSeq", "1");
    json_decref(json);
    rt_call_destroy(call);

    /* more than one answer holds */
    for (i = 0; i < 505; i++) {
        test_expect("message.send", test_person("bob", "b1", "CUSTOMER"), RT_OK,
            test_text("{\"roomId\":\"%s\",\"content\":\"x\"}", other));
    }

    call = test_run("message.heal", RT_DOOR_SOCKET, NULL, RT_OK,
        test_text("{\"rooms\":[{\"roomId\":\"%s\",\"afterSeq\":1}]}", other));
    json_decref(test_emit_is(call, 499, test_text("room:%s", other), "chat:new-message", 501));
    assert_null(test_emit(call, 500));
    json = test_reply(call);
    test_member(json, "rooms.0.lastSeq", "506");
    test_member(json, "rooms.0.more", "true");
    json_decref(json);
    rt_call_destroy(call);

    test_expect("message.heal", NULL, RT_INVALID, "{\"rooms\":[]}");
    test_expect("message.heal", NULL, RT_INVALID, "{\"rooms\":[7]}");
    test_expect("message.heal", NULL, RT_INVALID, "{\"rooms\":{\"roomId\":\"x\",\"afterSeq\":0}}");
}


/* Marks and compares the answer's ids and the event's. NULL: no event. */
static void
read_is(rt_identity_t *identity, const char *ids, const char *answer, const char *event,
    const char *unread)
{
    json_t    *json;
    rt_call_t *call;

    call = test_run("message.read", RT_DOOR_SOCKET, identity, RT_OK,
        test_text("{\"roomId\":\"%s\"%s}", room, ids));
    json = test_reply(call);
    test_member(json, "success", "true");
    test_member(json, "messageIds", answer);
    json_decref(json);

    if (event == NULL) {
        assert_null(call->emits);
        rt_call_destroy(call);
        return;
    }

    json = test_emit_is(call, 0, test_text("room:%s", room), "chat:messages-read", 0);
    test_member(json, "messageIds", event);
    json_decref(json);
    assert_true(rt_str_eq(test_emit(call, 0)->except_socket, rt_str("socket-1")));

    if (unread != NULL) {
        json = test_emit_is(call, 1, "business:b1", "chat:room-updated", 0);
        test_member(json, "unreadCount", unread);
        json_decref(json);
    } else {
        assert_null(test_emit(call, 1));
    }

    rt_call_destroy(call);
}


static void
test_read(void **state)
{
    char c1[25], c2[25], c3[25], s1[25], s2[25];

    (void) state;

    say(CUSTOMER, "1", c1);
    say(STAFF, "2", s1);
    say(CUSTOMER, "3", c2);
    say(STAFF, "4", s2);
    say(CUSTOMER, "5", c3);
    unread_is("3");

    /* none; foreign and unknown ones; what is read already; twice the same */
    read_is(STAFF, ",\"messageIds\":[]", "[]", NULL, NULL);
    read_is(STAFF, test_text(",\"messageIds\":[\"%s\",\"nope\"]", s1), "[]", NULL, NULL);
    read_is(STAFF, test_text(",\"messageIds\":[\"%s\",\"%s\"]", c1, c1), test_text("[\"%s\"]", c1),
        test_text("[\"%s\"]", c1), "2");
    read_is(STAFF, test_text(",\"messageIds\":[\"%s\",\"%s\"]", c2, c1),
        test_text("[\"%s\",\"%s\"]", c2, c1), test_text("[\"%s\"]", c2), "1");
    read_is(STAFF, test_text(",\"messageIds\":[\"%s\"]", c1), test_text("[\"%s\"]", c1), NULL,
        NULL);
    unread_is("1");

    /* a customer's reading is of the others, and never changes the count */
    read_is(CUSTOMER, "", test_text("[\"%s\",\"%s\"]", s1, s2),
        test_text("[\"%s\",\"%s\"]", s1, s2), NULL);
    read_is(CUSTOMER, "", "[]", NULL, NULL);
    unread_is("1");

    read_is(STAFF, ",\"messageIds\":null", test_text("[\"%s\"]", c3), test_text("[\"%s\"]", c3),
        "0");
    unread_is("0");

    test_expect("message.read", STAFF, RT_INVALID,
        test_text("{\"roomId\":\"%s\",\"messageIds\":\"x\"}", room));
    test_expect("message.read", STAFF, RT_INVALID,
        test_text("{\"roomId\":\"%s\",\"messageIds\":[1]}", room));
    test_expect("message.read", test_person("eve", "b1", "CUSTOMER"), RT_FORBIDDEN,
        test_text("{\"roomId\":\"%s\"}", room));
}


static void
test_read_shows(void **state)
{
    char       id[25];
    json_t    *json;
    rt_call_t *call;

    (void) state;

    say(CUSTOMER, "1", id);
    test_expect("message.read", STAFF, RT_OK, test_text("{\"roomId\":\"%s\"}", room));

    call = test_run("message.list", RT_DOOR_REST, CUSTOMER, RT_OK,
        test_text("{\"roomId\":\"%s\"}", room));
    json = test_reply(call);
    test_member(json, "messages.0.isRead", "true");
    assert_true(json_is_string(
        json_object_get(json_array_get(json_object_get(json, "messages"), 0), "readAt")));
    json_decref(json);
    rt_call_destroy(call);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_send_answers, setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_send_refusals, setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_send_retry, setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_send_reply_to, setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_send_archived, setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_list, setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_heal, setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_heal_many, setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_read, setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_read_shows, setup, test_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
