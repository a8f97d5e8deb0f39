/* What calls say of themselves when a store across a network stops answering in the middle: a
 * message that failed is either certainly not stored, or says from where to look for it. */

#include <pthread.h>

#include "chat/rt_chat_testing.h"


#define ROUNDS   100
#define GROUP    4
#define MESSAGES 65536

#define CUSTOMER test_person("anna", "b1", "CUSTOMER")

static char room[25];
static int  sent;

/* By number of the message. */
static rt_status_t statuses[MESSAGES];
static int64_t     doubts[MESSAGES];


/* Short timeouts, so that many pauses fit into a test. */
static int
setup(void **state)
{
    int    failed;
    size_t len;

    failed = test_setup(state);
    rt_core_close(test_core);
    len = strlen(test_store);
    snprintf(test_store + len, sizeof(test_store) - len,
        "?socketTimeoutMS=200&serverSelectionTimeoutMS=200&connectTimeoutMS=200"
        "&heartbeatFrequencyMS=500");
    test_core = test_core_open();
    test_room("anna", "b1", room);
    sent = 0;

    return failed;
}


/* Groups of one sender's numbered messages, until one fails. */
static void *
say(void *data)
{
    int        i, failed;
    rt_call_t *calls[GROUP];

    (void) data;

    for (failed = 0; !failed && sent + GROUP <= MESSAGES;) {
        for (i = 0; i < GROUP; i++) {
            calls[i] = test_call_make("message.send", RT_DOOR_SOCKET, CUSTOMER,
                test_text("{\"roomId\":\"%s\",\"content\":\"%d\"}", room, sent + i));
        }

        rt_core_run_batch(test_core, calls, GROUP);

        for (i = 0; i < GROUP; i++) {
            failed |= calls[i]->status != RT_OK;
            statuses[sent] = calls[i]->status;
            doubts[sent++] = calls[i]->doubt_after;
            rt_call_destroy(calls[i]);
        }
    }

    return NULL;
}


/* What the store has: marks the numbers that are there, and sees that they stand in order. */
static int
healed(char *there, int64_t after)
{
    int              number, last;
    json_t          *json;
    int64_t          seq;
    rt_call_t       *call;
    const rt_emit_t *emit;

    last = -1;
    seq = after;

    for (;;) {
        call = test_run("message.heal", RT_DOOR_SOCKET, NULL, RT_OK,
            test_text("{\"rooms\":[{\"roomId\":\"%s\",\"afterSeq\":%lld}]}", room,
                (long long) seq));

        if (call->emits == NULL) {
            rt_call_destroy(call);
            return last;
        }

        for (emit = call->emits; emit != NULL; emit = emit->next) {
            assert_int_equal(emit->seq, ++seq);
            assert_int_equal(rt_json_parse(emit->data, &json, NULL), RT_OK);
            number = atoi(json_string_value(json_object_get(json, "content")));
            json_decref(json);
            assert_true(number > last);
            assert_int_equal(there[number], 0);
            there[number] = 1;
            last = number;
        }

        rt_call_destroy(call);
    }
}


/* Talks until the server hangs in the middle of it. */
static void
talk_and_pause(int round)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, say, NULL), 0);
    usleep(5000 + round * 731);
    kill(test_mongod.pid, SIGSTOP);
    pthread_join(thread, NULL);
    kill(test_mongod.pid, SIGCONT);

    while (!rt_core_store_up(test_core)) {
        usleep(10000);
    }
}


static void
test_doubt(void **state)
{
    int         i, round, in_doubt, stored;
    static char there[MESSAGES], later[MESSAGES];

    (void) state;

    in_doubt = 0;
    stored = 0;

    for (round = 0; round < ROUNDS && stored == 0; round++) {
        talk_and_pause(round);

        if (sent == 0 || doubts[sent - 1] == -1) {
            continue;
        }

        /* asking from where the doubt begins finds it, if it was stored */
        memset(there, 0, sizeof(there));
        memset(later, 0, sizeof(later));
        (void) healed(there, 0);
        (void) healed(later, doubts[sent - 1]);
        assert_true(later[sent - 1] >= there[sent - 1]);
        in_doubt++;
        stored += there[sent - 1];
    }

    memset(there, 0, sizeof(there));
    (void) healed(there, 0);

    for (i = 0; i < sent; i++) {
        if (statuses[i] == RT_OK) {
            assert_int_equal(there[i], 1);

        } else {
            assert_int_equal(statuses[i], RT_UNAVAILABLE);

            /* one that says nothing of a doubt was never sent */
            assert_false(there[i] && doubts[i] == -1);
        }
    }

    printf("%d messages, %d times in doubt, %d of them stored\n", sent, in_doubt, stored);
    assert_true(stored > 0);
}


static void
test_no_mongod(void **state)
{
    (void) state;

    printf(
        "skipped: there is no mongod: scripts/install-test-deps installs one, MONGOD names one\n");
    skip();
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_doubt, setup, test_teardown),
    };

    const struct CMUnitTest none[] = {
        cmocka_unit_test(test_no_mongod),
    };

    setenv("STORE", "mongo", 1);

    if (rt_mongod_program() == NULL) {
        return cmocka_run_group_tests(none, NULL, NULL);
    }

    return cmocka_run_group_tests(tests, NULL, NULL);
}
