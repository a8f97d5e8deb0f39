/* The MongoDB store when things go wrong: a server that hangs, is killed or was never there, hosts
 * that die halfway, and databases in which our indexes can't be made. */

#include <time.h>

#include "store/rt_store_mongo_testing.h"


static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}


/* Sends one message, as a group of its own; client may be NULL. What came of it. */
static rt_status_t
say(rt_str_t room_id, const char *content, const char *client, int64_t *doubt_after)
{
    rt_room_t            *room;
    rt_status_t           status;
    rt_message_t          message, *list[1] = {&message};
    rt_store_session_t   *session;
    const rt_store_ops_t *ops = suite_store->ops;

    status = ops->begin(suite_store, RT_STORE_WRITE, &session);
    if (status != RT_OK) {
        return status;
    }

    status = ops->rooms_get(session, suite_arena, &room_id, 1, &room);

    if (status == RT_OK && room != NULL) {
        suite_message(&message, room, RT_SENDER_CUSTOMER, "u1", content);
        message.client_id = rt_str_c(client);
        status = ops->messages_add(session, list, 1);

        if (status == RT_OK) {
            status = message.status;
        }

        if (doubt_after != NULL) {
            *doubt_after = message.doubt_after;
        }
    }

    assert_int_equal(ops->end(session, 1), RT_OK);

    return status;
}


/* Says it again and again until it is said: the server needs a moment. */
static void
say_in_the_end(rt_str_t room_id, const char *content, const char *client)
{
    int         tries;
    rt_status_t status;

    status = RT_UNAVAILABLE;

    for (tries = 0; tries < 600 && status == RT_UNAVAILABLE; tries++) {
        status = say(room_id, content, client, NULL);
        usleep(50000);
    }

    assert_true(status == RT_OK || status == RT_CONFLICT);
}


static void
test_paused(void **state)
{
    int64_t    began, doubt_after;
    rt_room_t *room;

    (void) state;

    room = suite_room_added("b1", "u1");
    assert_int_equal(say(room->id, "1", "c1", NULL), RT_OK);

    assert_int_equal(kill(mongod.pid, SIGSTOP), 0);
    began = now_ms();
    assert_int_equal(say(room->id, "2", "c2", &doubt_after), RT_UNAVAILABLE);
    assert_true(now_ms() - began < 6000);

    /* the heartbeats have noticed by now, or will: calls fail at once then */
    while (suite_store->ops->up(suite_store)) {
        usleep(20000);
    }

    began = now_ms();
    assert_int_equal(say(room->id, "3", "c3", NULL), RT_UNAVAILABLE);
    assert_true(now_ms() - began < 500);
    assert_non_null(strstr(log_last, "no primary answers"));

    assert_int_equal(kill(mongod.pid, SIGCONT), 0);
    say_in_the_end(room->id, "2", "c2");
    say_in_the_end(room->id, "3", "c3");
    assert_int_equal(suite_store->ops->up(suite_store), 1);

    room = suite_room_get(room->id);
    assert_int_equal(room->seq, 3);
    assert_int_equal(room->unread_count, 3);
    suite_list_is(room, RT_MESSAGES_AFTER, 0, 10, 1, 3);
}


/* The pause comes while a message is on its way: its outcome is unknown, and says from where to
 * look for it. */
static void
test_doubt(void **state)
{
    rt_room_t            *room;
    rt_message_t          message, *list[1] = {&message};
    rt_store_session_t   *session;
    const rt_store_ops_t *ops = suite_store->ops;

    (void) state;

    room = suite_room_added("b1", "u1");
    assert_int_equal(say(room->id, "1", NULL, NULL), RT_OK);

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(ops->rooms_get(session, suite_arena, &room->id, 1, &room), RT_OK);
    suite_message(&message, room, RT_SENDER_CUSTOMER, "u1", "2");
    message.client_id = rt_str("c2");

    assert_int_equal(kill(mongod.pid, SIGSTOP), 0);
    assert_int_equal(ops->messages_add(session, list, 1), RT_OK);
    assert_int_equal(message.status, RT_UNAVAILABLE);
    assert_int_equal(message.doubt_after, 1);
    assert_int_equal(ops->end(session, 1), RT_OK);
    assert_int_equal(kill(mongod.pid, SIGCONT), 0);

    /* stored or not, the client's second attempt settles it, and it is there once */
    say_in_the_end(room->id, "2", "c2");

    say_in_the_end(room->id, "3", "c3");
    assert_int_equal(suite_room_get(room->id)->seq, 3);
    suite_list_is(room, RT_MESSAGES_AFTER, 0, 10, 1, 3);
}


static void
test_killed(void **state)
{
    int64_t    began;
    rt_room_t *room;

    (void) state;

    room = suite_room_added("b1", "u1");
    assert_int_equal(say(room->id, "1", "c1", NULL), RT_OK);

    rt_mongod_kill(&mongod);
    began = now_ms();
    assert_int_equal(say(room->id, "2", "c2", NULL), RT_UNAVAILABLE);
    assert_int_equal(say(room->id, "2", "c2", NULL), RT_UNAVAILABLE);
    assert_true(now_ms() - began < 6000);

    assert_int_equal(rt_mongod_run(&mongod), 0);
    say_in_the_end(room->id, "2", "c2");

    room = suite_room_get(room->id);
    assert_int_equal(room->seq, 2);
    assert_int_equal(room->unread_count, 2);
}


/* The store opens while nothing is there, and works when it comes. */
static void
test_away_at_start(void **state)
{
    int64_t             began;
    rt_status_t         status;
    rt_store_session_t *session;

    (void) state;

    rt_mongod_kill(&mongod);

    began = now_ms();
    suite_store = suite_open();
    assert_true(now_ms() - began < 500);
    assert_int_equal(suite_store->ops->begin(suite_store, RT_STORE_READ, &session), RT_UNAVAILABLE);
    assert_true(now_ms() - began < 5000);
    assert_int_equal(suite_store->ops->up(suite_store), 0);
    assert_non_null(strstr(log_last, "no primary answers"));
    assert_int_equal(log_lines, 1);

    assert_int_equal(rt_mongod_run(&mongod), 0);

    do {
        status = suite_store->ops->begin(suite_store, RT_STORE_WRITE, &session);
    } while (status != RT_OK && now_ms() - began < 60000);

    assert_int_equal(status, RT_OK);
    suite_end(session);
    suite_room_added("b1", "u1");
}


/* A store that is closed while its server hangs does not keep the worker. */
static void
test_close_while_paused(void **state)
{
    int64_t began;

    (void) state;

    suite_room_added("b1", "u1");
    assert_int_equal(kill(mongod.pid, SIGSTOP), 0);
    began = now_ms();
    rt_store_close(suite_store);
    suite_store = NULL;
    assert_true(now_ms() - began < 4000);
    assert_int_equal(kill(mongod.pid, SIGCONT), 0);
}


/* Another host has stored and did not come to count: who uses the room next does it, unless that
 * was just now. `age_s`: how old its message is. */
static void
store_without_counting(rt_str_t room_id, int seq, const char *client, int age_s)
{
    char json[1024];

    snprintf(json, sizeof(json),
        "{\"insert\":\"chatmessages\",\"documents\":[{\"roomId\":{\"$oid\":\"%.*s\"},"
        "\"businessId\":\"b1\",\"seq\":{\"$numberLong\":\"%d\"},\"senderId\":\"u1\","
        "\"senderType\":\"customer\",\"content\":\"lost %d\",\"clientMessageId\":\"%s\","
        "\"isRead\":false,\"createdAt\":{\"$date\":{\"$numberLong\":\"%lld\"}}}]}",
        RT_STR_ARG(room_id), seq, seq, client, (long long) rt_time_now_ms() - age_s * 1000);
    run_command(json);
}


static void
test_not_counted_list(void **state)
{
    rt_room_t *room;

    (void) state;

    room = suite_room_added("b1", "u1");
    suite_add(room->id, RT_SENDER_CUSTOMER, "u1", 2);

    /* just now: on its way, and not of the history yet */
    store_without_counting(room->id, 3, "x", 0);
    suite_list_is(room, RT_MESSAGES_PAGE, 0, 10, 1, 2);
    assert_int_equal(suite_room_get(room->id)->seq, 2);

    run_command("{\"update\":\"chatmessages\",\"updates\":[{\"q\":{\"seq\":3},\"u\":{\"$set\":{"
                "\"createdAt\":{\"$date\":\"2024-05-01T10:00:03Z\"}}}}]}");
    suite_list_is(room, RT_MESSAGES_PAGE, 0, 10, 1, 3);
    room = suite_room_get(room->id);
    assert_int_equal(room->seq, 3);
    assert_int_equal(room->unread_count, 3);
    assert_true(rt_str_eq(room->last_message, rt_str("lost 3")));
}


/* A host that heals tells of what another one has stored just now: who joins then has it in the
 * history, whether or not it was counted. */
static void
test_not_counted_heal(void **state)
{
    rt_room_t          *room;
    rt_room_after_t     after;
    rt_store_session_t *session;

    (void) state;

    room = suite_room_added("b1", "u1");
    suite_add(room->id, RT_SENDER_CUSTOMER, "u1", 2);
    store_without_counting(room->id, 3, "x", 0);

    memset(&after, 0, sizeof(after));
    after.room_id = room->id;
    after.after_seq = 1;
    session = suite_begin(RT_STORE_READ);
    assert_int_equal(suite_store->ops->messages_after(session, suite_arena, &after, 1, 10), RT_OK);
    suite_end(session);
    assert_int_equal(after.list.count, 2);
    assert_int_equal(after.last_seq, 3);

    suite_list_is(room, RT_MESSAGES_PAGE, 0, 10, 1, 3);
    room = suite_room_get(room->id);
    assert_int_equal(room->seq, 3);
    assert_int_equal(room->unread_count, 2);

    /* who stored it does not come any more */
    run_command("{\"update\":\"chatrooms\",\"updates\":[{\"q\":{},\"u\":{\"$set\":{"
                "\"updatedAt\":{\"$date\":\"2024-05-01T10:00:03Z\"}}}}]}");
    room = suite_room_get(room->id);
    assert_int_equal(room->unread_count, 3);
    assert_true(rt_str_eq(room->last_message, rt_str("lost 3")));
}


static void
test_not_counted_send(void **state)
{
    rt_room_t *room;

    (void) state;

    room = suite_room_added("b1", "u1");
    suite_add(room->id, RT_SENDER_CUSTOMER, "u1", 2);
    store_without_counting(room->id, 3, "x", 60);
    store_without_counting(room->id, 4, "y", 60);

    /* its places are taken, whoever has counted them */
    suite_add(room->id, RT_SENDER_CUSTOMER, "u1", 1);
    assert_int_equal(suite_room_get(room->id)->seq, 5);

    /* when nobody has been there for a while, the count is found wanting */
    run_command("{\"update\":\"chatrooms\",\"updates\":[{\"q\":{},\"u\":{\"$set\":{"
                "\"updatedAt\":{\"$date\":\"2024-05-01T10:00:03Z\"}}}}]}");
    room = suite_room_get(room->id);
    assert_int_equal(room->seq, 5);
    assert_int_equal(room->unread_count, 5);
    suite_list_is(room, RT_MESSAGES_AFTER, 0, 10, 1, 5);
}


/* The client sends again what was stored and not counted. */
static void
test_not_counted_retry(void **state)
{
    rt_room_t *room;

    (void) state;

    room = suite_room_added("b1", "u1");
    store_without_counting(room->id, 1, "x", 60);
    assert_int_equal(say(room->id, "lost 1", "x", NULL), RT_CONFLICT);
    room = suite_room_get(room->id);
    assert_int_equal(room->seq, 1);
    assert_int_equal(room->unread_count, 1);
}


/* Reads that were not taken off the count: staff who read all have nothing left. */
static void
test_not_counted_reads(void **state)
{
    rt_room_t         *room;
    rt_message_reads_t reads;

    (void) state;

    room = suite_room_added("b1", "u1");
    suite_add(room->id, RT_SENDER_CUSTOMER, "u1", 3);
    run_command("{\"update\":\"chatmessages\",\"updates\":[{\"q\":{\"seq\":2},\"u\":{\"$set\":{"
                "\"isRead\":true}}}]}");

    room = suite_room_get(room->id);
    assert_int_equal(room->unread_count, 3);
    suite_reads(&reads, room, RT_READS_CUSTOMER, "s", NULL, 0);
    assert_int_equal(reads.newly_count, 2);
    assert_int_equal(room->unread_count, 0);
    assert_int_equal(suite_room_get(room->id)->unread_count, 0);
}


/* A room that was loaded before others wrote into it. */
static void
test_lost_race(void **state)
{
    size_t                i;
    rt_room_t            *room;
    rt_message_t          messages[6], *list[6];
    rt_store_session_t   *session;
    const rt_store_ops_t *ops = suite_store->ops;

    (void) state;

    room = suite_room_added("b1", "u1");
    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(ops->rooms_get(session, suite_arena, &room->id, 1, &room), RT_OK);
    suite_add(room->id, RT_SENDER_CUSTOMER, "u1", 20);

    for (i = 0; i < 6; i++) {
        suite_message(&messages[i], room, RT_SENDER_STAFF, i % 2 ? "s1" : "s2", "x");
        list[i] = &messages[i];
    }

    messages[3].client_id = rt_str("c");
    messages[5].client_id = rt_str("c");

    assert_int_equal(ops->messages_add(session, list, 6), RT_OK);
    suite_end(session);

    for (i = 0; i < 5; i++) {
        assert_int_equal(messages[i].status, RT_OK);
        assert_int_equal(messages[i].seq, 21 + i);
    }

    assert_int_equal(messages[5].status, RT_CONFLICT);
    assert_int_equal(messages[5].seq, 24);
    room = suite_room_get(room->id);
    assert_int_equal(room->seq, 25);
    assert_int_equal(room->unread_count, 20);
    suite_list_is(room, RT_MESSAGES_AFTER, 0, 50, 1, 25);
}


/* Updates of two hosts that cross: the older one comes last. */
static void
test_crossing(void **state)
{
    rt_room_t *room;

    (void) state;

    room = suite_room_added("b1", "u1");
    suite_add(room->id, RT_SENDER_CUSTOMER, "u1", 2);
    run_command("{\"update\":\"chatrooms\",\"updates\":[{\"q\":{},\"u\":{\"$set\":{"
                "\"lastMessage\":\"older\",\"lastMessageId\":{\"$oid\":"
                "\"670000000000000000000001\"}}}}]}");

    room = suite_room_get(room->id);
    assert_true(rt_str_eq(room->last_message, rt_str("text")));
    assert_int_equal(room->seq, 2);
    assert_int_equal(room->unread_count, 2);
}


/* An index of the same key that does something else: nothing is written without ours. */
static void
test_index_conflict(void **state)
{
    rt_store_session_t *session;

    (void) state;

    run_command("{\"createIndexes\":\"chatmessages\",\"indexes\":[{\"key\":{\"roomId\":1,"
                "\"seq\":1},\"name\":\"roomId_1_seq_1\"}]}");
    suite_store = suite_open();

    assert_int_equal(suite_store->ops->begin(suite_store, RT_STORE_WRITE, &session),
        RT_UNAVAILABLE);
    assert_non_null(strstr(log_last, "roomId"));
    assert_non_null(strstr(log_last, "nothing is written without it"));
    session = suite_begin(RT_STORE_READ);
    suite_end(session);
    assert_int_equal(log_lines, 1);

    /* the deployer drops it */
    run_command("{\"dropIndexes\":\"chatmessages\",\"index\":\"roomId_1_seq_1\"}");

    while (suite_store->ops->begin(suite_store, RT_STORE_WRITE, &session) != RT_OK) {
        usleep(50000);
    }

    suite_end(session);
}


/* The same index under another name is as good; one that only lists would need is not missed. */
static void
test_index_other_name(void **state)
{
    (void) state;

    run_command("{\"createIndexes\":\"chatmessages\",\"indexes\":[{\"key\":{\"roomId\":1,"
                "\"seq\":1},\"name\":\"mine\",\"unique\":true,\"partialFilterExpression\":"
                "{\"seq\":{\"$exists\":true}}}]}");
    run_command(
        "{\"createIndexes\":\"chatrooms\",\"indexes\":[{\"key\":{\"businessId\":1,"
        "\"lastMessageAt\":-1,\"_id\":-1},\"name\":\"businessId_1_lastMessageAt_-1__id_-1\","
        "\"sparse\":true}]}");
    suite_store = suite_open();
    suite_room_added("b1", "u1");
    assert_int_equal(log_lines, 1);
    assert_non_null(strstr(log_last, "lists may be slow"));
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_paused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_doubt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_away_at_start, setup_empty, teardown),
        cmocka_unit_test_setup_teardown(test_close_while_paused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_counted_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_counted_heal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_counted_send, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_counted_retry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_counted_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_race, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crossing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_index_conflict, setup_empty, teardown),
        cmocka_unit_test_setup_teardown(test_index_other_name, setup_empty, teardown),
    };

    if (rt_mongod_program() == NULL) {
        return run_without_mongod();
    }

    return cmocka_run_group_tests(tests, start_set, stop);
}
