/* Tests of statuses and their texts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <rt/rt_base.h>
#include <rt/rt_text.h>
#include <string.h>


static void
rt_test_codes(void **state)
{
    (void) state;

    assert_string_equal(rt_status_code(RT_OK), "OK");
    assert_string_equal(rt_status_code(RT_INVALID), "INVALID");
    assert_string_equal(rt_status_code(RT_UNAUTHORIZED), "UNAUTHORIZED");
    assert_string_equal(rt_status_code(RT_FORBIDDEN), "FORBIDDEN");
    assert_string_equal(rt_status_code(RT_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(rt_status_code(RT_CONFLICT), "CONFLICT");
    assert_string_equal(rt_status_code(RT_TOO_LARGE), "TOO_LARGE");
    assert_string_equal(rt_status_code(RT_RATE_LIMITED), "RATE_LIMITED");
    assert_string_equal(rt_status_code(RT_UNAVAILABLE), "UNAVAILABLE");
    assert_string_equal(rt_status_code(RT_NO_MEMORY), "UNAVAILABLE");
    assert_string_equal(rt_status_code(RT_ERROR), "UNAVAILABLE");
}


static void
rt_test_set(void **state)
{
    rt_error_t error;

    (void) state;

    assert_int_equal(rt_error_set(NULL, RT_INVALID, "x"), RT_INVALID);

    assert_int_equal(rt_error_set(&error, RT_NOT_FOUND, "room %d", 7), RT_NOT_FOUND);
    assert_int_equal(error.status, RT_NOT_FOUND);
    assert_string_equal(error.text, "room 7");

    (void) rt_error_set(&error, RT_ERROR, "again: %s", error.text);
    assert_string_equal(error.text, "again: room 7");
}


/* The limit falls on each byte of a character in turn. */
static void
rt_test_cut(void **state)
{
    int        i, j;
    char       text[RT_ERROR_TEXT_MAX + 20];
    size_t     len;
    rt_error_t error;

    (void) state;

    for (i = 0; i < 6; i++) {
        memset(text, 'a', sizeof(text));

        for (j = 0; j < 4; j++) {
            memcpy(text + RT_ERROR_TEXT_MAX - 8 + i + 4 * j, "\xf0\x9f\x9a\x80", 4);
        }

        text[sizeof(text) - 1] = '\0';

        (void) rt_error_set(&error, RT_ERROR, "%s", text);
        len = strlen(error.text);

        assert_in_range(len, RT_ERROR_TEXT_MAX - 4, RT_ERROR_TEXT_MAX - 1);
        assert_true(rt_utf8_valid((rt_str_t){error.text, len}));
    }
}


static void
rt_test_clean(void **state)
{
    rt_error_t error;

    (void) state;

    (void) rt_error_set(&error, RT_ERROR, "%s",
        "a\xff"
        "b\xc3");
    assert_string_equal(error.text, "a?b?");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rt_test_codes),
        cmocka_unit_test(rt_test_set),
        cmocka_unit_test(rt_test_cut),
        cmocka_unit_test(rt_test_clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
