/* For the tests of this folder: a core on a store of its own (a file; with STORE=mongo in the
 * environment a database of a mongod of the program's own), people, and calls in one line. */

#ifndef RT_CHAT_TESTING_H
#define RT_CHAT_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <rt/rt_call.h>
#include <rt/rt_json.h>

#include "store/rt_mongod_testing.h"

#define TEST_SECONDS 120 /* a test that hangs ends itself */

static rt_core_t  *test_core;
static char        test_dir[64]; /* empty on MongoDB */
static char        test_store[256];
static rt_mongod_t test_mongod;
static pid_t       test_mongod_owner;


static void
test_log(void *data, rt_log_level_t level, const char *text)
{
    (void) data;

    if (level <= RT_LOG_WARN) {
        fprintf(stderr, "%s\n", text);
    }
}


static __attribute__((unused)) rt_core_t *
test_core_open(void)
{
    rt_core_t        *core;
    rt_error_t        error;
    rt_core_options_t options = {.log = {test_log, NULL, RT_LOG_INFO}};

    options.store_uri = rt_str_c(test_store);

    if (rt_core_open(&core, &options, &error) != RT_OK) {
        fail_msg("%s", error.text);
    }

    return core;
}


static int
test_on_mongo(void)
{
    const char *store;

    store = getenv("STORE");

    return store != NULL && strcmp(store, "mongo") == 0;
}


/* What only a file can suffer. */
static __attribute__((unused)) void
test_only_sqlite(void)
{
    if (test_on_mongo()) {
        skip();
    }
}


static void
test_mongod_end(void)
{
    if (getpid() == test_mongod_owner) {
        rt_mongod_stop(&test_mongod);
    }
}


/* A new database; the first call starts the server. */
static void
test_set_database(void)
{
    static int number;

    if (test_mongod.pid == 0) {
        assert_non_null(rt_mongod_program());
        test_mongod_owner = getpid();
        atexit(test_mongod_end);
        assert_int_equal(rt_mongod_start(&test_mongod, 1), 0);
    }

    snprintf(test_store, sizeof(test_store), "%stest%d", test_mongod.address, number++);
}


static __attribute__((unused)) int
test_setup(void **state)
{
    (void) state;

    alarm(TEST_SECONDS);
    rt_json_init();

    if (test_on_mongo()) {
        test_set_database();

    } else {
        strcpy(test_dir, "/tmp/rt-chat-XXXXXX");
        assert_non_null(mkdtemp(test_dir));
        snprintf(test_store, sizeof(test_store), "sqlite:%s/chat.db", test_dir);
    }

    test_core = test_core_open();

    return 0;
}


static __attribute__((unused)) int
test_teardown(void **state)
{
    size_t             i;
    char               path[128];
    static const char *names[] = {"chat.db", "chat.db-wal", "chat.db-shm"};

    (void) state;

    rt_core_close(test_core);

    for (i = 0; test_dir[0] != '\0' && i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", test_dir, names[i]);
        unlink(path);
    }

    if (test_dir[0] != '\0') {
        rmdir(test_dir);
    }

    return 0;
}


/* business NULL: the token names none. */
static __attribute__((unused)) rt_identity_t *
test_person(const char *user, const char *business, const char *role)
{
    char           name[64];
    rt_identity_t *identity;

    snprintf(name, sizeof(name), "Name of %s", user);
    identity = rt_identity_create(rt_str_c(user), rt_str_c(business), rt_str_c(role),
        rt_str_c(name), rt_str_c("mail@example.com"), INT64_MAX);
    assert_non_null(identity);

    return identity;
}


/* A call that is not run yet; the identity's reference is taken over. */
static __attribute__((unused)) rt_call_t *
test_call_make(const char *op, rt_door_t door, rt_identity_t *identity, const char *request)
{
    json_t    *json;
    rt_call_t *call;

    assert_non_null(rt_op_find(op));
    assert_int_equal(rt_json_parse(rt_str_c(request), &json, NULL), RT_OK);

    call = rt_call_create(rt_op_find(op), door, identity, json, rt_str("socket-1"));
    assert_non_null(call);
    rt_identity_put(identity);

    return call;
}


/* Runs and checks the status. */
static __attribute__((unused)) rt_call_t *
test_run(const char *op, rt_door_t door, rt_identity_t *identity, rt_status_t status,
    const char *request)
{
    rt_call_t *call;

    call = test_call_make(op, door, identity, request);
    rt_core_run(test_core, call);

    if (call->status != status) {
        fail_msg("%s %s: %s (%s), expected %s", op, request, rt_status_code(call->status),
            call->error.text, rt_status_code(status));
    }

    if (status != RT_OK) {
        assert_null(call->emits);
        assert_true(call->error.text[0] != '\0');
    }

    return call;
}


/* As a REST call whose outcome alone matters. */
static __attribute__((unused)) void
test_expect(const char *op, rt_identity_t *identity, rt_status_t status, const char *request)
{
    rt_call_destroy(test_run(op, RT_DOOR_REST, identity, status, request));
}


static __attribute__((unused)) json_t *
test_reply(const rt_call_t *call)
{
    json_t *json;

    assert_int_equal(rt_json_parse(call->reply, &json, NULL), RT_OK);

    return json;
}


/* The text of a member along a path "a.b", compared as compact JSON ("null", "\"x\"", "3"). */
static __attribute__((unused)) void
test_member(const json_t *json, const char *path, const char *expected)
{
    char   *text, *copy, *part, *rest;
    json_t *member;

    copy = strdup(path);
    member = (json_t *) json;

    for (part = strtok_r(copy, ".", &rest); part != NULL; part = strtok_r(NULL, ".", &rest)) {
        if (json_is_array(member)) {
            member = json_array_get(member, (size_t) atoi(part));
        } else {
            member = json_object_get(member, part);
        }
    }

    if (member == NULL) {
        fail_msg("no %s", path);
    }

    text = json_dumps(member, JSON_COMPACT | JSON_ENCODE_ANY);

    if (strcmp(text, expected) != 0) {
        fail_msg("%s is %s, expected %s", path, text, expected);
    }

    free(text);
    free(copy);
}


/* The n-th emit; NULL when there are fewer. */
static __attribute__((unused)) const rt_emit_t *
test_emit(const rt_call_t *call, int n)
{
    const rt_emit_t *emit;

    for (emit = call->emits; emit != NULL && n > 0; emit = emit->next) {
        n--;
    }

    return emit;
}


static __attribute__((unused)) json_t *
test_emit_is(const rt_call_t *call, int n, const char *channel, const char *event, int64_t seq)
{
    json_t          *json;
    const rt_emit_t *emit;

    emit = test_emit(call, n);
    assert_non_null(emit);
    assert_true(rt_str_eq(emit->channel, rt_str_c(channel)));
    assert_true(rt_str_eq(emit->event, rt_str_c(event)));
    assert_int_equal(emit->seq, seq);
    assert_int_equal(rt_json_parse(emit->data, &json, NULL), RT_OK);

    return json;
}


/* Makes the customer's room; id gets 25 bytes. */
static __attribute__((unused)) void
test_room(const char *user, const char *business, char *id)
{
    char       request[256];
    rt_call_t *call;

    snprintf(request, sizeof(request), "{\"userId\":\"%s\",\"businessId\":\"%s\"}", user, business);
    call = test_run("room.create", RT_DOOR_REST, test_person(user, business, "CUSTOMER"), RT_OK,
        request);

    assert_int_equal(call->room_id.len, 24);
    memcpy(id, call->room_id.data, 24);
    id[24] = '\0';
    rt_call_destroy(call);
}


/* A text made with printf, valid until 16 more are made. */
static __attribute__((unused)) const char *RT_PRINTF(1, 2) test_text(const char *format, ...)
{
    static int  turn;
    static char texts[16][4096];

    va_list args;

    turn = (turn + 1) % 16;

    va_start(args, format);
    vsnprintf(texts[turn], sizeof(texts[turn]), format, args);
    va_end(args);

    return texts[turn];
}

#endif
