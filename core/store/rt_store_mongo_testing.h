/* For the tests of the MongoDB store: a server, a database for each test, and what other programs
 * write into it. */

#ifndef RT_STORE_MONGO_TESTING_H
#define RT_STORE_MONGO_TESTING_H

#include "store/rt_mongod_testing.h"
#include "store/rt_store_testing.h"


static rt_mongod_t mongod; /* of the current group of tests */
static char        database[32];
static char        uri[256];
static const char *uri_options = "";
static unsigned    log_lines;
static char        log_last[512];


static void
on_log(void *data, rt_log_level_t level, const char *text)
{
    (void) data;

    if (level <= RT_LOG_WARN) {
        log_lines++;
        snprintf(log_last, sizeof(log_last), "%s", text);
    }

    if (getenv("VERBOSE")) {
        fprintf(stderr, "%s\n", text);
    }
}


static const rt_log_t test_log = {on_log, NULL, RT_LOG_INFO};


static __attribute__((unused)) rt_store_t *
suite_open(void)
{
    rt_error_t  error;
    rt_store_t *store;

    if (rt_store_open(&store, rt_str_c(uri), &test_log, &error) != RT_OK) {
        fail_msg("%s", error.text);
    }

    return store;
}


/* A new database, not opened. */
static int
setup_empty(void **state)
{
    static int number;

    (void) state;

    alarm(100);
    log_lines = 0;
    log_last[0] = '\0';
    suite_store = NULL;
    snprintf(database, sizeof(database), "test%d", number++);
    snprintf(uri, sizeof(uri), "%s%s%s", mongod.address, database, uri_options);
    suite_arena = rt_arena_create(0);

    return suite_arena == NULL;
}


static int
setup(void **state)
{
    int failed;

    failed = setup_empty(state);
    rt_arena_destroy(suite_arena);

    return failed || suite_setup(state);
}


static int
teardown(void **state)
{
    (void) kill(mongod.pid, SIGCONT); /* where a test has failed in between */

    return suite_teardown(state);
}


static int
start_set(void **state)
{
    (void) state;

    rt_json_init();

    return rt_mongod_start(&mongod, 1);
}


static int
stop(void **state)
{
    (void) state;

    rt_mongod_stop(&mongod);

    return 0;
}


/* A command to the test's database, as another program would give it; with MongoDB's extended JSON.
 * Returns the reply as such, to be freed. */
static __attribute__((unused)) char *
command(const char *json)
{
    char            *text;
    bson_t          *query, reply;
    bson_error_t     error;
    mongoc_client_t *client;

    client = mongoc_client_new(mongod.address);
    query = bson_new_from_json((const uint8_t *) json, -1, &error);

    if (query == NULL) {
        fail_msg("%s in %s", error.message, json);
    }

    if (!mongoc_client_command_simple(client, database, query, NULL, &reply, &error)) {
        fail_msg("%s in %s", error.message, json);
    }

    text = bson_as_relaxed_extended_json(&reply, NULL);
    assert_non_null(text);
    assert_null(strstr(text, "writeErrors"));
    bson_destroy(&reply);
    bson_destroy(query);
    mongoc_client_destroy(client);

    return text;
}


static __attribute__((unused)) void
run_command(const char *json)
{
    bson_free(command(json));
}


/* 1: the reply holds the text. */
static __attribute__((unused)) int
command_has(const char *json, const char *text)
{
    int   found;
    char *reply;

    reply = command(json);
    found = strstr(reply, text) != NULL;

    if (!found && getenv("VERBOSE")) {
        fprintf(stderr, "no %s in %s\n", text, reply);
    }

    bson_free(reply);

    return found;
}


/* Without a server there is nothing to be tested, which must be seen. */
static __attribute__((unused)) void
test_no_mongod(void **state)
{
    (void) state;

    printf(
        "skipped: there is no mongod: scripts/install-test-deps installs one, MONGOD names one\n");
    skip();
}


static __attribute__((unused)) int
run_without_mongod(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_mongod),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
