/* Running calls: groups that commit together, roles, what a store in trouble does to calls, and
 * many threads and processes at once. */

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "chat/rt_chat_testing.h"

#include "store/rt_store.h"


#define CUSTOMER test_person("anna", "b1", "CUSTOMER")
#define STAFF    test_person("sam", "b1", "STAFF")


static rt_call_t *
send_make(const char *room, const char *content)
{
    return test_call_make("message.send", RT_DOOR_SOCKET, CUSTOMER,
        test_text("{\"roomId\":\"%s\",\"content\":\"%s\"}", room, content));
}


static void
test_find(void **state)
{
    size_t i;

    static const char *const names[] = {
        "room.join",
        "room.create",
        "room.team",
        "room.support",
        "room.list",
        "room.get",
        "room.update",
        "room.archive",
        "message.send",
        "message.list",
        "message.read",
        "unread.counts",
        "message.heal",
    };

    (void) state;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_non_null(rt_op_find(names[i]));
        assert_string_equal(rt_op_find(names[i])->name, names[i]);
    }

    assert_null(rt_op_find("room"));
    assert_null(rt_op_find(""));
    assert_int_equal(rt_op_find("room.join")->kind, RT_OP_READ);
    assert_int_equal(rt_op_find("message.send")->kind, RT_OP_WRITE);
}


/* Each call of a group has its own result, in order, and the room's list hears of the newest. */
static void
test_batch(void **state)
{
    int        i, updates;
    char       room[25];
    json_t    *json;
    rt_call_t *calls[8];

    (void) state;

    test_room("anna", "b1", room);

    calls[0] = send_make(room, "1");
    calls[1] = send_make(room, "  ");
    calls[2] = send_make("nowhere", "x");
    calls[3] = send_make(room, "2");
    calls[4] = test_call_make("message.read", RT_DOOR_SOCKET, STAFF,
        test_text("{\"roomId\":\"%s\"}", room));
    calls[5] = send_make(room, "3");
    calls[6] = test_call_make("room.archive", RT_DOOR_REST, CUSTOMER,
        test_text("{\"roomId\":\"%s\"}", room));
    calls[7] =
        test_call_make("room.archive", RT_DOOR_REST, STAFF, test_text("{\"roomId\":\"%s\"}", room));

    rt_core_run_batch(test_core, calls, 8);

    assert_int_equal(calls[0]->status, RT_OK);
    assert_int_equal(calls[1]->status, RT_INVALID);
    assert_int_equal(calls[2]->status, RT_NOT_FOUND);
    assert_int_equal(calls[3]->status, RT_OK);
    assert_int_equal(calls[4]->status, RT_OK);
    assert_int_equal(calls[5]->status, RT_OK);
    assert_int_equal(calls[6]->status, RT_FORBIDDEN);
    assert_int_equal(calls[7]->status, RT_OK);

    json_decref(test_emit_is(calls[0], 0, test_text("room:%s", room), "chat:new-message", 1));
    json_decref(test_emit_is(calls[3], 0, test_text("room:%s", room), "chat:new-message", 2));
    json_decref(test_emit_is(calls[5], 0, test_text("room:%s", room), "chat:new-message", 3));

    /* the read in between saw what was sent before it */
    json = test_reply(calls[4]);
    assert_int_equal(json_array_size(json_object_get(json, "messageIds")), 2);
    json_decref(json);

    for (updates = 0, i = 0; i < 8; i++) {
        updates += test_emit(calls[i], 1) != NULL;
        rt_call_destroy(calls[i]);
    }

    assert_int_equal(updates, 3); /* message 2, the read, message 3 */
}


static void
test_big_batch(void **state)
{
    size_t      i;
    char        room[25];
    rt_call_t **calls;

    (void) state;

    test_room("anna", "b1", room);
    calls = calloc(600, sizeof(rt_call_t *));
    assert_non_null(calls);

    for (i = 0; i < 600; i++) {
        calls[i] = send_make(room, "x");
    }

    rt_core_run_batch(test_core, calls, 600);

    for (i = 0; i < 600; i++) {
        assert_int_equal(calls[i]->status, RT_OK);
        assert_int_equal(calls[i]->emits->seq, i + 1);
        rt_call_destroy(calls[i]);
    }

    free(calls);
}


/* The same clientMessageId twice in one group: stored once, answered alike. */
static void
test_batch_retry(void **state)
{
    int        i;
    char       room[25];
    rt_call_t *calls[2];

    (void) state;

    test_room("anna", "b1", room);

    for (i = 0; i < 2; i++) {
        calls[i] = test_call_make("message.send", RT_DOOR_SOCKET, CUSTOMER,
            test_text("{\"roomId\":\"%s\",\"content\":\"%d\",\"clientMessageId\":\"c\"}", room, i));
    }

    rt_core_run_batch(test_core, calls, 2);

    assert_int_equal(calls[0]->created, 1);
    assert_int_equal(calls[1]->created, 0);
    assert_true(rt_str_eq(calls[0]->reply, calls[1]->reply));
    assert_non_null(calls[0]->emits);
    assert_null(calls[1]->emits);
    rt_call_destroy(calls[0]);
    rt_call_destroy(calls[1]);
}


static void
test_requests(void **state)
{
    size_t     i;
    rt_call_t *call;
    json_t    *request;

    static const char *const ops[] = {
        "room.join",
        "room.create",
        "room.list",
        "room.get",
        "room.update",
        "room.archive",
        "message.send",
        "message.list",
        "message.read",
        "unread.counts",
    };

    (void) state;

    /* a request that is no object */
    for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        request = json_array();
        call = rt_call_create(rt_op_find(ops[i]), RT_DOOR_SOCKET, NULL, request, rt_str_null);
        assert_non_null(call);
        call->identity = STAFF;
        rt_core_run(test_core, call);
        assert_int_equal(call->status, RT_INVALID);
        rt_call_destroy(call);
    }
}


/* Another process keeps the file locked: calls fail in time, and work afterwards. */
static void
test_locked(void **state)
{
    char                room[25];
    rt_log_t            log = {NULL, NULL, RT_LOG_ERROR};
    rt_call_t          *calls[2];
    rt_error_t          error;
    rt_store_t         *other;
    rt_store_session_t *session;

    (void) state;

    test_only_sqlite();
    test_room("anna", "b1", room);
    assert_int_equal(rt_store_open(&other, rt_str_c(test_store), &log, &error), RT_OK);
    assert_int_equal(other->ops->begin(other, RT_STORE_WRITE, &session), RT_OK);

    calls[0] = send_make(room, "x");
    calls[1] = test_call_make("room.archive", RT_DOOR_REST, CUSTOMER,
        test_text("{\"roomId\":\"%s\"}", room));
    rt_core_run_batch(test_core, calls, 2);
    assert_int_equal(calls[0]->status, RT_UNAVAILABLE);
    assert_null(calls[0]->emits);
    assert_int_equal(calls[0]->reply.len, 0);
    assert_int_equal(calls[1]->status, RT_FORBIDDEN);
    rt_call_destroy(calls[0]);
    rt_call_destroy(calls[1]);

    /* reading goes on meanwhile */
    test_expect("message.list", STAFF, RT_OK, test_text("{\"roomId\":\"%s\"}", room));

    assert_int_equal(other->ops->end(session, 0), RT_OK);
    rt_store_close(other);

    calls[0] = send_make(room, "y");
    rt_core_run_batch(test_core, calls, 1);
    assert_int_equal(calls[0]->status, RT_OK);
    assert_int_equal(calls[0]->emits->seq, 1);
    rt_call_destroy(calls[0]);
}


/* A call that meets damaged data fails alone. */
static void
test_fault(void **state)
{
    char                good[25], bad[25];
    rt_log_t            log = {NULL, NULL, RT_LOG_ERROR};
    rt_str_t            id;
    rt_call_t          *calls[3];
    rt_room_t          *room;
    rt_arena_t         *arena;
    rt_store_t         *other;
    rt_store_session_t *session;

    (void) state;

    test_room("anna", "b1", good);
    test_room("bob", "b1", bad);
    arena = rt_arena_create(0);
    id = rt_str_c(bad);
    assert_int_equal(rt_store_open(&other, rt_str_c(test_store), &log, NULL), RT_OK);
    assert_int_equal(other->ops->begin(other, RT_STORE_WRITE, &session), RT_OK);
    assert_int_equal(other->ops->rooms_get(session, arena, &id, 1, &room), RT_OK);
    room->metadata = rt_str("[]");
    assert_int_equal(other->ops->room_change(session, room, RT_ROOM_METADATA), RT_OK);
    assert_int_equal(other->ops->end(session, 1), RT_OK);
    rt_store_close(other);
    rt_arena_destroy(arena);

    calls[0] = send_make(good, "1");
    calls[1] = test_call_make("room.update", RT_DOOR_REST, STAFF,
        test_text("{\"roomId\":\"%s\",\"priority\":\"low\"}", bad));
    calls[2] = send_make(good, "2");
    rt_core_run_batch(test_core, calls, 3);

    assert_int_equal(calls[0]->status, RT_OK);
    assert_int_equal(calls[0]->emits->seq, 1);
    assert_int_equal(calls[1]->status, RT_ERROR);
    assert_null(calls[1]->emits);
    assert_int_equal(calls[2]->status, RT_OK);
    assert_int_equal(calls[2]->emits->seq, 2);
    assert_null(calls[2]->emits->next->next);
    rt_call_destroy(calls[0]);
    rt_call_destroy(calls[1]);
    rt_call_destroy(calls[2]);
}


/* In a process of its own: files may not grow, as on a full disk. */
static int
full_disk(const char *room)
{
    int           i, failed;
    char          content[4001];
    rt_call_t    *call;
    struct rlimit limit = {200000, 200000};

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    memset(content, 'x', 4000);
    content[4000] = '\0';
    failed = 0;

    for (i = 0; i < 200 && failed < 3; i++) {
        call = test_call_make("message.send", RT_DOOR_SOCKET, CUSTOMER,
            "{\"roomId\":\"\",\"content\":\"\"}");
        json_object_set_new(call->request, "roomId", json_string(room));
        json_object_set_new(call->request, "content", json_string(content));
        rt_core_run(test_core, call);

        if (call->status == RT_UNAVAILABLE) {
            failed++;

        } else if (call->status != RT_OK || failed) {
            return 1;
        }

        rt_call_destroy(call);
    }

    /* what was stored can still be read */
    call =
        test_call_make("message.list", RT_DOOR_REST, STAFF, test_text("{\"roomId\":\"%s\"}", room));
    rt_core_run(test_core, call);

    failed = failed == 3 && call->status == RT_OK && call->total == i - 3 ? 0 : 2;
    rt_call_destroy(call);
    rt_core_close(test_core);

    return failed;
}


static void
test_full_disk(void **state)
{
    int   status;
    char  room[25];
    pid_t pid;

    (void) state;

    test_only_sqlite();
    test_room("anna", "b1", room);
    rt_core_close(test_core); /* a connection must not be used on both sides of a fork */

    pid = fork();
    if (pid == 0) {
        (void) !freopen("/dev/null", "w", stderr); /* it says that the disk is full */
        test_core = test_core_open();
        _exit(full_disk(room));
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);

    test_core = test_core_open();
    test_expect("message.send", CUSTOMER, RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"more\"}", room));
}


typedef struct {
    rt_core_t *core;
    int        created;
    char       room[25];
    int        failed;
} racer_t;


/* Creates by both doors, and reads beside it. */
static void *
race(void *data)
{
    int        i;
    rt_call_t *call;
    racer_t   *racer = data;

    for (i = 0; i < 20; i++) {
        call = rt_call_create(rt_op_find(i % 2 ? "room.create" : "room.join"), RT_DOOR_SOCKET, NULL,
            json_pack("{s:s}", "businessId", "b1"), rt_str_null);
        call->identity = rt_identity_create(rt_str("anna"), rt_str("b1"), rt_str("CUSTOMER"),
            rt_str_null, rt_str_null, INT64_MAX);
        rt_core_run(racer->core, call);

        if (call->status != RT_OK || (i > 0 && memcmp(racer->room, call->room_id.data, 24) != 0)) {
            racer->failed++;
        } else {
            memcpy(racer->room, call->room_id.data, 24);
        }

        racer->created += call->created;
        rt_call_destroy(call);
    }

    return NULL;
}


/* Eight threads; "one thread at a time" is for the batches of one core, so each has its own. */
static void
test_threads(void **state)
{
    int       i, created;
    racer_t   racers[8];
    pthread_t ids[8];

    (void) state;

    memset(racers, 0, sizeof(racers));

    for (i = 0; i < 8; i++) {
        racers[i].core = test_core_open();
        assert_int_equal(pthread_create(&ids[i], NULL, race, &racers[i]), 0);
    }

    for (created = 0, i = 0; i < 8; i++) {
        pthread_join(ids[i], NULL);
        assert_int_equal(racers[i].failed, 0);
        assert_string_equal(racers[i].room, racers[0].room);
        created += racers[i].created;
        rt_core_close(racers[i].core);
    }

    assert_int_equal(created, 1);
}


static char beside_room[25];
static int  beside_failed;


/* Histories end at their lastSeq and have no holes, whatever is written meanwhile. */
static void *
read_beside(void *data)
{
    int        i;
    size_t     count;
    json_t    *reply, *messages;
    int64_t    last_seq;
    rt_call_t *call;

    (void) data;

    for (i = 0; i < 100; i++) {
        call = rt_call_create(rt_op_find("room.join"), RT_DOOR_SOCKET, NULL,
            json_pack("{s:s}", "roomId", beside_room), rt_str_null);
        call->identity = rt_identity_create(rt_str("sam"), rt_str("b1"), rt_str("STAFF"),
            rt_str_null, rt_str_null, INT64_MAX);
        rt_core_run(test_core, call);

        reply = NULL;
        last_seq = -1;

        if (call->status == RT_OK && rt_json_parse(call->reply, &reply, NULL) == RT_OK) {
            last_seq = json_integer_value(json_object_get(reply, "lastSeq"));
            messages = json_object_get(reply, "messages");
            count = json_array_size(messages);

            if ((int64_t) count != (last_seq < 50 ? last_seq : 50)
                || (count
                    && json_integer_value(
                           json_object_get(json_array_get(messages, count - 1), "seq"))
                        != last_seq))
            {
                last_seq = -1;
            }
        }

        if (last_seq == -1) {
            __atomic_add_fetch(&beside_failed, 1, __ATOMIC_RELAXED);
        }

        json_decref(reply);
        rt_call_destroy(call);
    }

    return NULL;
}


static void
test_reads_beside(void **state)
{
    int        i, j;
    pthread_t  ids[4];
    rt_call_t *calls[10];

    (void) state;

    test_room("anna", "b1", beside_room);
    beside_failed = 0;

    for (i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&ids[i], NULL, read_beside, NULL), 0);
    }

    for (i = 0; i < 40; i++) {
        for (j = 0; j < 10; j++) {
            calls[j] = send_make(beside_room, "x");
        }

        rt_core_run_batch(test_core, calls, 10);

        for (j = 0; j < 10; j++) {
            assert_int_equal(calls[j]->status, RT_OK);
            assert_int_equal(calls[j]->emits->seq, i * 10 + j + 1);
            rt_call_destroy(calls[j]);
        }
    }

    for (i = 0; i < 4; i++) {
        pthread_join(ids[i], NULL);
    }

    assert_int_equal(beside_failed, 0);
}


/* Four processes, as nginx's workers. */
static void
test_processes(void **state)
{
    int     i, status, created, out[2];
    pid_t   pids[4];
    racer_t racer, first;

    (void) state;

    rt_core_close(test_core);
    assert_int_equal(pipe(out), 0);

    for (i = 0; i < 4; i++) {
        pids[i] = fork();

        if (pids[i] == 0) {
            alarm(TEST_SECONDS);
            memset(&racer, 0, sizeof(racer));
            racer.core = test_core_open();
            race(&racer);
            rt_core_close(racer.core);
            _exit(write(out[1], &racer, sizeof(racer)) == (ssize_t) sizeof(racer) ? 0 : 1);
        }
    }

    for (created = 0, i = 0; i < 4; i++) {
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
        assert_int_equal(read(out[0], &racer, sizeof(racer)), sizeof(racer));
        assert_int_equal(racer.failed, 0);
        created += racer.created;
        first = i == 0 ? racer : first;
        assert_string_equal(racer.room, first.room);
    }

    close(out[0]);
    close(out[1]);
    assert_int_equal(created, 1);
    test_core = test_core_open();
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test_setup_teardown(test_batch, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_big_batch, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_batch_retry, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_requests, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_locked, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_fault, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_threads, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_reads_beside, test_setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_processes, test_setup, test_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
