/* The MongoDB store on a real server: the suite of all stores, on a replica set and on a
 * standalone; what a URI may be; and databases that the original system has written. */

#include "store/rt_store_mongo_testing.h"
#include "store/rt_store_suite.h"

static int suite_audit_logs(void);

#include "store/rt_store_notify_suite.h"
#include "store/rt_store_webhook_suite.h"


static int
suite_audit_logs(void)
{
    assert_true(command_has("{\"find\":\"auditlogs\"}", "\"entityId\" : 7"));
    assert_true(command_has("{\"find\":\"auditlogs\"}", "\"createdAt\" : { \"$date\""));
    assert_true(command_has("{\"find\":\"auditlogs\"}", "\"notificationId\" : { \"$oid\""));

    return command_has("{\"count\":\"auditlogs\"}", "\"n\" : 1,") ? 1 : 0;
}


static int
start_standalone(void **state)
{
    (void) state;

    return rt_mongod_start(&mongod, 0);
}


static void
test_check(void **state)
{
    size_t     i;
    rt_error_t error;

    static const char *const good[] = {
        "mongodb://localhost",
        "mongodb://localhost:27017/chat",
        "mongodb://user:secret@a.example,b.example:27018/chat?replicaSet=rs&tls=true",
        "mongodb://%2Ftmp%2Fmongod.sock/chat",
        "mongodb+srv://user:secret@cluster.example.com/chat?retryWrites=true&w=majority",
        "mongodb://h/chat?w=1&wtimeoutMS=100",
    };

    static const char *const bad[] = {
        "mongodb:",
        "mongodb://",
        "mongodb:/tmp/secret",
        "mongodb://user:sec/ret@h/",
        "mongodb://user:secret@h:port/",
        "mongodb://user:sec%zzret@h/",
        "mongodb+srv://user:secret@a.example.com,b.example.com/",
        "mongodb://user:secret@h/chat?w=0",
        "mongodb://user:secret@h/chat?secret",
    };

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (rt_store_check(rt_str_c(good[i]), &error) != RT_OK) {
            fail_msg("%s: %s", good[i], error.text);
        }
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (rt_store_check(rt_str_c(bad[i]), &error) != RT_INVALID) {
            fail_msg("%s", bad[i]);
        }

        assert_null(strstr(error.text, "sec"));
        assert_non_null(strstr(error.text, "mongodb"));
    }

    assert_int_equal(rt_store_check((rt_str_t){"mongodb://h/\0x", 14}, &error), RT_INVALID);
}


/* A business as mongoose wrote it: ids of both types, members missing, no seq. */
static void
write_original(void)
{
    run_command(
        "{\"insert\":\"chatrooms\",\"documents\":["
        "{\"_id\":{\"$oid\":\"650000000000000000000001\"},\"__v\":0,"
        "\"businessId\":{\"$oid\":\"640000000000000000000001\"},\"roomType\":\"customer-support\","
        "\"roomName\":\"Zoe\",\"isActive\":true,\"isArchived\":false,\"unreadCount\":7,"
        "\"lastMessageId\":{\"$oid\":\"660000000000000000000003\"},"
        "\"lastMessageAt\":{\"$date\":\"2024-05-01T10:00:03Z\"},"
        "\"metadata\":{\"userId\":{\"$oid\":\"630000000000000000000001\"},\"userName\":\"Zoe\","
        "\"userEmail\":\"zoe@example.com\",\"since\":{\"$date\":\"2023-01-02T03:04:05.678Z\"}},"
        "\"createdAt\":{\"$date\":\"2024-05-01T09:00:00Z\"},"
        "\"updatedAt\":{\"$date\":\"2024-05-01T10:00:03Z\"}},"
        /* ids as texts; nothing in it yet; closed */
        "{\"_id\":{\"$oid\":\"650000000000000000000002\"},\"__v\":0,"
        "\"businessId\":\"640000000000000000000001\",\"roomType\":\"customer-support\","
        "\"isActive\":true,\"unreadCount\":0,\"lastMessageAt\":{\"$date\":\"2024-05-02T10:00:00Z\"}"
        ","
        "\"metadata\":{\"userId\":\"630000000000000000000002\",\"userName\":\"Yan\"}},"
        "{\"_id\":{\"$oid\":\"650000000000000000000003\"},\"__v\":0,"
        "\"businessId\":{\"$oid\":\"640000000000000000000001\"},\"roomType\":\"customer-support\","
        "\"isActive\":false,\"isArchived\":true,\"unreadCount\":0,"
        "\"metadata\":{\"userId\":{\"$oid\":\"630000000000000000000003\"},\"userName\":\"Xi\"}}]}");

    /* not in the order of their ids, and two of the same moment */
    run_command(
        "{\"insert\":\"chatmessages\",\"documents\":["
        "{\"_id\":{\"$oid\":\"660000000000000000000003\"},\"__v\":0,"
        "\"roomId\":{\"$oid\":\"650000000000000000000001\"},\"senderType\":\"bot\","
        "\"senderName\":\"Bot\",\"content\":\"third\",\"isAutomated\":true,\"isRead\":false,"
        "\"isEdited\":true,\"createdAt\":{\"$date\":\"2024-05-01T10:00:03Z\"}},"
        "{\"_id\":{\"$oid\":\"660000000000000000000009\"},\"__v\":0,"
        "\"roomId\":\"650000000000000000000001\","
        "\"businessId\":{\"$oid\":\"640000000000000000000001\"},"
        "\"senderId\":\"630000000000000000000001\",\"senderType\":\"customer\","
        "\"senderName\":\"Zoe\",\"messageType\":\"text\",\"content\":\"first\",\"isRead\":true,"
        "\"readAt\":{\"$date\":\"2024-05-01T10:00:01.500Z\"},"
        "\"createdAt\":{\"$date\":\"2024-05-01T10:00:01Z\"},"
        "\"updatedAt\":{\"$date\":\"2024-05-01T10:00:01.500Z\"}},"
        "{\"_id\":{\"$oid\":\"660000000000000000000002\"},\"__v\":0,"
        "\"roomId\":{\"$oid\":\"650000000000000000000001\"},"
        "\"senderId\":{\"$oid\":\"630000000000000000000001\"},\"senderType\":\"customer\","
        "\"senderName\":\"Zoe\",\"messageType\":\"text\",\"content\":\"second\","
        "\"attachments\":[\"https://example.com/a\"],\"metadata\":{\"n\":1.5,\"l\":[1,null]},"
        "\"replyToMessageId\":{\"$oid\":\"660000000000000000000009\"},"
        "\"createdAt\":{\"$date\":\"2024-05-01T10:00:02Z\"}}]}");
}


static int
setup_original(void **state)
{
    int failed;

    failed = setup_empty(state);
    write_original();
    suite_store = suite_open();

    return failed;
}


#define ROOM_1 rt_str("650000000000000000000001")


static void
test_original_room(void **state)
{
    rt_room_t          *room;
    rt_buf_t            buf;
    rt_message_list_t   list;
    rt_store_session_t *session;

    (void) state;

    room = suite_room_get(ROOM_1);
    assert_non_null(room);
    assert_true(rt_str_eq(room->business_id, rt_str("640000000000000000000001")));
    assert_true(rt_str_eq(room->user_id, rt_str("630000000000000000000001")));
    assert_int_equal(room->seq, 3);
    assert_int_equal(room->unread_count, 1); /* counted, not believed */

    memset(&buf, 0, sizeof(buf));
    rt_room_write_json(&buf, room);
    suite_text_is((rt_str_t){buf.data, buf.len}, "metadata",
        "{\"userId\":\"630000000000000000000001\",\"userName\":\"Zoe\",\"userEmail\":\"zoe@example."
        "com\",\"since\":\"2023-01-02T03:04:05.678Z\"}");
    suite_text_is((rt_str_t){buf.data, buf.len}, "lastMessage", "\"third\"");
    suite_text_is((rt_str_t){buf.data, buf.len}, "createdAt", "\"2024-05-01T09:00:00.000Z\"");
    rt_buf_free(&buf);

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(suite_store->ops->messages_list(session, suite_arena, room, RT_MESSAGES_PAGE,
                         0, 10, &list),
        RT_OK);
    suite_end(session);
    assert_int_equal(list.count, 3);
    suite_text_is(list.rows[0].text, "content", "\"first\"");
    suite_text_is(list.rows[0].text, "isRead", "true");
    suite_text_is(list.rows[0].text, "readAt", "\"2024-05-01T10:00:01.500Z\"");
    suite_text_is(list.rows[0].text, "senderId", "\"630000000000000000000001\"");
    suite_text_is(list.rows[0].text, "roomId", "\"650000000000000000000001\"");
    suite_text_is(list.rows[1].text, "metadata", "{\"n\":1.5,\"l\":[1,null]}");
    suite_text_is(list.rows[1].text, "attachments", "[\"https://example.com/a\"]");
    suite_text_is(list.rows[1].text, "replyToMessageId", "\"660000000000000000000009\"");
    suite_text_is(list.rows[1].text, "clientMessageId", "null");
    suite_text_is(list.rows[2].text, "isEdited", "true");
    suite_text_is(list.rows[2].text, "isAutomated", "true");
    suite_text_is(list.rows[2].text, "messageType", "\"text\"");
    assert_int_equal(list.rows[2].kind, RT_MESSAGE_AUTOMATED);
    assert_int_equal(list.rows[2].seq, 3);

    suite_add(ROOM_1, RT_SENDER_CUSTOMER, "630000000000000000000001", 2);
    suite_list_is(room, RT_MESSAGES_AFTER, 0, 10, 1, 5);
    assert_int_equal(suite_room_get(ROOM_1)->unread_count, 3);

    /* ours are of the original's types */
    assert_true(command_has("{\"find\":\"chatmessages\",\"filter\":{\"seq\":5}}",
        "\"senderId\" : { \"$oid\" : \"630000000000000000000001\" }"));
    assert_true(command_has("{\"find\":\"chatmessages\",\"filter\":{\"seq\":5}}",
        "\"createdAt\" : { \"$date\" :"));
}


/* Rooms that have no key of ours are found by whose they are, under both types of ids. */
static void
test_original_open(void **state)
{
    rt_room_t          *like, *found;
    rt_store_session_t *session;

    (void) state;

    session = suite_begin(RT_STORE_WRITE);

    like = suite_room(RT_ROOM_CUSTOMER_SUPPORT, "640000000000000000000001",
        "630000000000000000000002", NULL);
    assert_int_equal(suite_store->ops->room_find_open(session, suite_arena, like, &found), RT_OK);
    assert_non_null(found);
    assert_true(rt_str_eq(found->id, rt_str("650000000000000000000002")));
    assert_int_equal(found->seq, 0);
    assert_int_equal(suite_store->ops->room_add(session, like), RT_CONFLICT);

    like = suite_room(RT_ROOM_CUSTOMER_SUPPORT, "640000000000000000000001",
        "630000000000000000000003", NULL);
    assert_int_equal(suite_store->ops->room_find_open(session, suite_arena, like, &found), RT_OK);
    assert_null(found);
    assert_int_equal(suite_store->ops->room_add(session, like), RT_OK);

    suite_end(session);
}


/* What the original does to rooms while both run: it closes one without taking our key away. */
static void
test_original_closes(void **state)
{
    rt_room_t          *room, *found;
    rt_store_session_t *session;

    (void) state;

    room = suite_room_added("b1", "u1");
    run_command("{\"update\":\"chatrooms\",\"updates\":[{\"q\":{\"businessId\":\"b1\"},"
                "\"u\":{\"$set\":{\"isArchived\":true,\"isActive\":false}}}]}");

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(suite_store->ops->room_find_open(session, suite_arena, room, &found), RT_OK);
    assert_null(found);
    suite_end(session);

    assert_int_equal(suite_try(suite_room(RT_ROOM_CUSTOMER_SUPPORT, "b1", "u1", NULL)), RT_OK);
    assert_int_equal(suite_try(suite_room(RT_ROOM_CUSTOMER_SUPPORT, "b1", "u1", NULL)),
        RT_CONFLICT);
}


/* And writes a message into a room that we use: it is numbered behind ours, and counted. */
static void
test_original_goes_on(void **state)
{
    rt_room_t *room;

    (void) state;

    suite_add(ROOM_1, RT_SENDER_CUSTOMER, "630000000000000000000001", 1);

    run_command("{\"insert\":\"chatmessages\",\"documents\":["
                "{\"_id\":{\"$oid\":\"670000000000000000000001\"},"
                "\"roomId\":{\"$oid\":\"650000000000000000000001\"},\"senderType\":\"customer\","
                "\"content\":\"from the old backend\","
                "\"createdAt\":{\"$date\":\"2099-05-01T10:00:03Z\"}}]}");
    run_command("{\"update\":\"chatrooms\",\"updates\":[{"
                "\"q\":{\"_id\":{\"$oid\":\"650000000000000000000001\"}},\"u\":{\"$set\":{"
                "\"lastMessageId\":{\"$oid\":\"670000000000000000000001\"},"
                "\"lastMessageAt\":{\"$date\":\"2099-05-01T10:00:03Z\"}}}}]}");

    suite_add(ROOM_1, RT_SENDER_STAFF, "s", 1);
    room = suite_room_get(ROOM_1);
    assert_int_equal(room->seq, 6);
    assert_int_equal(room->unread_count, 3);
    suite_list_is(room, RT_MESSAGES_AFTER, 0, 10, 1, 6);
    assert_true(command_has("{\"find\":\"chatmessages\",\"filter\":{\"seq\":5}}", "old backend"));
}


/* Even where the room's document does not tell of it any more: the store looks by itself. */
static void
test_original_unnoticed(void **state)
{
    int        tries;
    char       json[512];
    rt_room_t *room;

    (void) state;

    suite_add(ROOM_1, RT_SENDER_STAFF, "s", 1);
    snprintf(json, sizeof(json),
        "{\"insert\":\"chatmessages\",\"documents\":[{\"roomId\":{\"$oid\":"
        "\"650000000000000000000001\"},\"senderType\":\"customer\",\"content\":\"unnoticed\","
        "\"createdAt\":{\"$date\":{\"$numberLong\":\"%lld\"}}}]}",
        (long long) rt_time_now_ms());
    run_command(json);

    room = suite_room_get(ROOM_1);
    assert_int_equal(room->seq, 4);

    for (tries = 0; tries < 600 && room->seq != 5; tries++) {
        usleep(50000);
        room = suite_room_get(ROOM_1);
    }

    assert_int_equal(room->seq, 5);
    assert_int_equal(room->unread_count, 2);
    suite_list_is(room, RT_MESSAGES_AFTER, 0, 10, 1, 5);
}


/* A history that is too long to be numbered within one call; other rooms do not wait for it. */
static void
test_original_long(void **state)
{
    int      i, j, tries;
    int64_t  seq;
    rt_buf_t json;

    (void) state;

    for (i = 0; i < 40; i++) {
        memset(&json, 0, sizeof(json));
        rt_buf_append_str(&json, rt_str("{\"insert\":\"chatmessages\",\"documents\":["));

        for (j = 0; j < 1000; j++) {
            rt_buf_append_str(&json, j ? rt_str(",") : rt_str(""));
            rt_buf_append_str(&json,
                rt_str("{\"roomId\":{\"$oid\":\"650000000000000000000001\"},\"content\":\""));
            rt_buf_append_int(&json, i * 1000 + j);
            rt_buf_append_str(&json,
                rt_str("\",\"senderType\":\"staff\",\"createdAt\":{\"$date\":{\"$numberLong\":\""));
            rt_buf_append_int(&json, i * 1000 + j);
            rt_buf_append_str(&json, rt_str("\"}}}"));
        }

        rt_buf_append_str(&json, rt_str("]}"));
        rt_buf_append(&json, "", 1);
        assert_int_equal(json.failed, 0);
        run_command(json.data);
        rt_buf_free(&json);
    }

    seq = 0;

    for (tries = 0; tries < 100 && seq == 0; tries++) {
        rt_room_t            *rooms[2];
        rt_str_t              ids[2] = {ROOM_1, rt_str("650000000000000000000002")};
        rt_message_t          messages[2], *list[2] = {&messages[0], &messages[1]};
        rt_store_session_t   *session;
        const rt_store_ops_t *ops = suite_store->ops;

        session = suite_begin(RT_STORE_WRITE);
        assert_int_equal(ops->rooms_get(session, suite_arena, ids, 2, rooms), RT_OK);
        suite_message(&messages[0], rooms[0], RT_SENDER_STAFF, "s", "the last");
        suite_message(&messages[1], rooms[1], RT_SENDER_STAFF, "s", "x");
        assert_int_equal(ops->messages_add(session, list, 2), RT_OK);
        suite_end(session);

        assert_int_equal(messages[1].status, RT_OK);
        assert_int_equal(messages[1].seq, tries + 1);
        assert_true(messages[0].status == RT_OK || messages[0].status == RT_UNAVAILABLE);
        assert_int_equal(messages[0].doubt_after, -1);
        seq = messages[0].status == RT_OK ? messages[0].seq : 0;
    }

    assert_int_equal(seq, 40004);
    assert_int_equal(suite_room_get(ROOM_1)->seq, 40004);
}


/* Lists find what the original wrote, under both types of ids. */
static void
test_original_lists(void **state)
{
    rt_str_t business = rt_str("640000000000000000000001");

    (void) state;

    suite_rooms_are((rt_room_query_t){SUITE_QUERY(RT_VIEW_STAFF, business, rt_str("s"))}, 3, 7,
        NULL);
    suite_rooms_are((rt_room_query_t){SUITE_QUERY(RT_VIEW_CUSTOMER, business,
                        rt_str("630000000000000000000002"))},
        1, 0, NULL);
    suite_rooms_are((rt_room_query_t){SUITE_QUERY(RT_VIEW_STAFF, business, rt_str("s")),
                        .q = rt_str("ZOE@EXAMPLE.")},
        1, 7, NULL);
    suite_rooms_are((rt_room_query_t){SUITE_QUERY(RT_VIEW_STAFF, business, rt_str("s")),
                        .q = rt_str(".*")},
        0, 0, NULL);
    suite_rooms_are((rt_room_query_t){.view = RT_VIEW_STAFF,
                        .business_id = business,
                        .user_id = rt_str("s"),
                        .type = -1,
                        .is_active = 1,
                        .is_archived = 0},
        2, 7, NULL);
}


/* metadata that JSON can't tell keeps its types where it does not change. */
static void
test_metadata(void **state)
{
    rt_room_t          *room;
    rt_store_session_t *session;

    (void) state;

    room = suite_room_get(ROOM_1);
    room->metadata = rt_str("{\"userId\":\"630000000000000000000001\",\"userName\":\"Zoe\","
                            "\"since\":\"2023-01-02T03:04:05.678Z\",\"priority\":\"high\","
                            "\"assignedStaffId\":\"630000000000000000000077\"}");
    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(suite_store->ops->room_change(session, room, RT_ROOM_METADATA), RT_OK);
    suite_end(session);

    room = suite_room_get(ROOM_1);
    assert_true(rt_str_eq(room->priority, rt_str("high")));
    assert_true(rt_str_eq(room->assigned_staff_id, rt_str("630000000000000000000077")));
    assert_int_equal(room->user_email.len, 0);
    assert_true(command_has("{\"find\":\"chatrooms\",\"filter\":{\"metadata.priority\":\"high\"}}",
        "\"since\" : { \"$date\" :"));
    assert_true(command_has("{\"find\":\"chatrooms\",\"filter\":{\"metadata.priority\":\"high\"}}",
        "\"assignedStaffId\" : { \"$oid\" :"));
}


/* Several hosts meet the room for the first time at the same moment. */
static void *
number_run(void *data)
{
    rt_room_t          *room;
    rt_store_t         *store = data;
    rt_arena_t         *arena;
    rt_store_session_t *session;

    arena = rt_arena_create(0);

    if (store->ops->begin(store, RT_STORE_READ, &session) == RT_OK) {
        (void) store->ops->rooms_get(session, arena, &ROOM_1, 1, &room);
        store->ops->end(session, 1);
    }

    rt_arena_destroy(arena);

    return NULL;
}


static void
test_number_together(void **state)
{
    int         i;
    char        json[256];
    pthread_t   ids[4];
    rt_room_t  *room;
    rt_store_t *stores[4];

    (void) state;

    for (i = 0; i < 300; i++) {
        snprintf(json, sizeof(json),
            "{\"insert\":\"chatmessages\",\"documents\":[{\"roomId\":{\"$oid\":"
            "\"650000000000000000000001\"},\"content\":\"%d\",\"senderType\":\"customer\","
            "\"createdAt\":{\"$date\":{\"$numberLong\":\"%d\"}}}]}",
            i, i / 3);
        run_command(json);
    }

    for (i = 0; i < 4; i++) {
        stores[i] = suite_open();
    }

    for (i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&ids[i], NULL, number_run, stores[i]), 0);
    }

    for (i = 0; i < 4; i++) {
        pthread_join(ids[i], NULL);
        rt_store_close(stores[i]);
    }

    room = suite_room_get(ROOM_1);
    assert_int_equal(room->seq, 303);
    assert_int_equal(room->unread_count, 301);
    suite_list_is(room, RT_MESSAGES_AFTER, 0, 1000, 1, 303);
    assert_true(command_has("{\"find\":\"chatmessages\",\"filter\":{\"seq\":303}}", "third"));
    assert_true(
        command_has("{\"find\":\"chatmessages\",\"filter\":{\"seq\":1}}", "\"content\" : \"0\""));
    assert_true(command_has("{\"find\":\"chatmessages\",\"filter\":{\"seq\":299}}",
        "\"content\" : \"298\""));
}


int
main(void)
{
    int failed;

    const struct CMUnitTest tests[] = {
        SUITE_TESTS,
        SUITE_NOTIFY_TESTS,
        SUITE_WEBHOOK_TESTS,
        cmocka_unit_test(test_check),
        cmocka_unit_test_setup_teardown(test_original_room, setup_original, teardown),
        cmocka_unit_test_setup_teardown(test_original_open, setup_original, teardown),
        cmocka_unit_test_setup_teardown(test_original_closes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_original_goes_on, setup_original, teardown),
        cmocka_unit_test_setup_teardown(test_original_unnoticed, setup_original, teardown),
        cmocka_unit_test_setup_teardown(test_original_long, setup_original, teardown),
        cmocka_unit_test_setup_teardown(test_original_lists, setup_original, teardown),
        cmocka_unit_test_setup_teardown(test_metadata, setup_original, teardown),
        cmocka_unit_test_setup_teardown(test_number_together, setup_original, teardown),
    };

    const struct CMUnitTest standalone[] = {
        SUITE_TESTS,
        SUITE_NOTIFY_TESTS,
        SUITE_WEBHOOK_TESTS,
        cmocka_unit_test_setup_teardown(test_original_room, setup_original, teardown),
    };

    if (rt_mongod_program() == NULL) {
        return run_without_mongod();
    }

    failed = cmocka_run_group_tests_name("replica set", tests, start_set, stop);

    return failed + cmocka_run_group_tests_name("standalone", standalone, start_standalone, stop);
}
