/* The MongoDB store on a real server: the suite of all stores, and what only a server across a
 * network can suffer. */

#include "store/rt_store_suite.h"

#include "store/rt_mongod_testing.h"


static rt_mongod_t mongod; /* the one of the current group of tests */
static char        uri[256];
static int         databases;


static void
on_log(void *data, rt_log_level_t level, const char *text)
{
    (void) data;
    (void) level;

    if (getenv("VERBOSE")) {
        fprintf(stderr, "%s\n", text);
    }
}


static const rt_log_t test_log = {on_log, NULL, RT_LOG_INFO};


static rt_store_t *
suite_open(void)
{
    rt_error_t  error;
    rt_store_t *store;

    if (rt_store_open(&store, rt_str_c(uri), &test_log, &error) != RT_OK) {
        fail_msg("%s", error.text);
    }

    return store;
}


static int
setup(void **state)
{
    alarm(60);
    snprintf(uri, sizeof(uri), "%stest%d", mongod.address, databases++);

    return suite_setup(state);
}


static int
teardown(void **state)
{
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


int
main(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_TESTS,
    };

    return cmocka_run_group_tests(tests, start_set, stop);
}
