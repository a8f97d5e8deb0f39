/* Tests of document ids: layout, order, threads, forks. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <rt/rt_text.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>


#define RT_TEST_IDS     20000
#define RT_TEST_THREADS 4


typedef char rt_test_id_t[RT_ID_LEN + 1];


static int
rt_test_compare(const void *a, const void *b)
{
    return memcmp(a, b, RT_ID_LEN);
}


static void
rt_test_make(void **state)
{
    int           i;
    char          seconds[9];
    int64_t       before_s, id_s;
    rt_test_id_t *ids;

    (void) state;

    ids = calloc(RT_TEST_IDS, sizeof(rt_test_id_t));
    assert_non_null(ids);

    before_s = rt_time_now_ms() / 1000;

    for (i = 0; i < RT_TEST_IDS; i++) {
        rt_id_make(ids[i]);
        assert_int_equal(strlen(ids[i]), RT_ID_LEN);
        assert_true(rt_id_valid((rt_str_t){ids[i], RT_ID_LEN}));
        assert_true(i == 0 || rt_test_compare(ids[i - 1], ids[i]) < 0);
        assert_memory_equal(ids[i] + 8, ids[0] + 8, 10);
    }

    memcpy(seconds, ids[0], 8);
    seconds[8] = '\0';
    id_s = strtoll(seconds, NULL, 16);
    assert_in_range(id_s, before_s, before_s + 5);

    free(ids);
}


static void *
rt_test_run(void *data)
{
    int           i;
    rt_test_id_t *ids = data;

    for (i = 0; i < RT_TEST_IDS; i++) {
        rt_id_make(ids[i]);
    }

    return NULL;
}


static void
rt_test_threads(void **state)
{
    int           i;
    pthread_t     threads[RT_TEST_THREADS];
    rt_test_id_t *ids;

    (void) state;

    ids = calloc((size_t) RT_TEST_THREADS * RT_TEST_IDS, sizeof(rt_test_id_t));
    assert_non_null(ids);

    for (i = 0; i < RT_TEST_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, rt_test_run,
                             ids + (size_t) i * RT_TEST_IDS),
            0);
    }

    for (i = 0; i < RT_TEST_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }

    qsort(ids, (size_t) RT_TEST_THREADS * RT_TEST_IDS, sizeof(rt_test_id_t), rt_test_compare);

    for (i = 1; i < RT_TEST_THREADS * RT_TEST_IDS; i++) {
        assert_int_not_equal(rt_test_compare(ids[i - 1], ids[i]), 0);
    }

    free(ids);
}


/* nginx's workers are forks of one process: their random parts must differ. */
static void
rt_test_fork(void **state)
{
    int          ends[2], status;
    pid_t        pid;
    rt_test_id_t mine, other;

    (void) state;

    rt_id_make(mine);
    assert_int_equal(pipe(ends), 0);

    pid = fork();
    assert_true(pid >= 0);

    if (pid == 0) {
        rt_id_make(other);
        _exit(write(ends[1], other, RT_ID_LEN) == RT_ID_LEN ? 0 : 1);
    }

    assert_int_equal(read(ends[0], other, RT_ID_LEN), RT_ID_LEN);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_memory_not_equal(mine + 8, other + 8, 10);

    (void) close(ends[0]);
    (void) close(ends[1]);
}


static void
rt_test_valid(void **state)
{
    (void) state;

    assert_true(rt_id_valid(rt_str("0123456789abcdefABCDEF00")));
    assert_false(rt_id_valid(rt_str("0123456789abcdefABCDEF0")));
    assert_false(rt_id_valid(rt_str("0123456789abcdefABCDEF000")));
    assert_false(rt_id_valid(rt_str("0123456789abcdefABCDEFg0")));
    assert_false(rt_id_valid(rt_str("0123456789abcdefABCDEF\0"
                                    "0")));
    assert_false(rt_id_valid(rt_str_null));
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rt_test_make),
        cmocka_unit_test(rt_test_threads),
        cmocka_unit_test(rt_test_fork),
        cmocka_unit_test(rt_test_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
