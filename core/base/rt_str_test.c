/* Tests of counted text. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <rt/rt_base.h>


static void
rt_test_c(void **state)
{
    rt_str_t s;

    (void) state;

    s = rt_str_c("abc");
    assert_int_equal(s.len, 3);

    s = rt_str_c(NULL);
    assert_null(s.data);
    assert_int_equal(s.len, 0);

    s = rt_str("a\0b");
    assert_int_equal(s.len, 3);
}


static void
rt_test_eq(void **state)
{
    size_t i;

    static const struct {
        rt_str_t a, b;
        int      equal;
    } cases[] = {
        {rt_str("abc"), rt_str("abc"), 1},
        {rt_str("abc"), rt_str("abd"), 0},
        {rt_str("abc"), rt_str("ab"), 0},
        {rt_str("a\0b"), rt_str("a\0c"), 0},
        {rt_str("\xff"), rt_str("\x7f"), 0},
        {rt_str(""), {NULL, 0}, 1},
        {{NULL, 0}, {NULL, 0}, 1},
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(rt_str_eq(cases[i].a, cases[i].b), cases[i].equal);
        assert_int_equal(rt_str_eq_secret(cases[i].a, cases[i].b), cases[i].equal);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rt_test_c),
        cmocka_unit_test(rt_test_eq),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
