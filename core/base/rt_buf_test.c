/* Tests of the growing buffer. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <rt/rt_base.h>
#include <stdio.h>
#include <string.h>


#define rt_assert_text(buf, text)                                                                  \
    do {                                                                                           \
        assert_int_equal((buf)->len, sizeof(text) - 1);                                            \
        assert_memory_equal((buf)->data, text, sizeof(text) - 1);                                  \
    } while (0)


static void
rt_test_append(void **state)
{
    int      i;
    rt_buf_t buf = {0};

    (void) state;

    rt_buf_append(&buf, NULL, 0);
    rt_buf_append_str(&buf, rt_str_null);
    assert_int_equal(buf.len, 0);

    for (i = 0; i < 1000; i++) {
        rt_buf_append_str(&buf, rt_str("0123456789"));
    }

    assert_int_equal(buf.len, 10000);
    assert_false(buf.failed);
    assert_memory_equal(buf.data + 9990, "0123456789", 10);

    rt_buf_free(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.size, 0);
    rt_buf_free(&buf);
}


static void
rt_test_int(void **state)
{
    char     text[32];
    size_t   i;
    rt_buf_t buf = {0};

    static const int64_t numbers[] = {0, 1, -1, 10, -10, 1234567890, INT64_MAX, INT64_MIN};

    (void) state;

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        buf.len = 0;
        rt_buf_append_int(&buf, numbers[i]);

        (void) snprintf(text, sizeof(text), "%" PRId64, numbers[i]);
        assert_int_equal(buf.len, strlen(text));
        assert_memory_equal(buf.data, text, buf.len);
    }

    rt_buf_free(&buf);
}


static void
rt_test_json_string(void **state)
{
    rt_buf_t buf = {0};

    (void) state;

    rt_buf_append_json_string(&buf, rt_str_null);
    rt_assert_text(&buf, "\"\"");

    buf.len = 0;
    rt_buf_append_json_string(&buf, rt_str("a\"b\\c/\b\f\n\r\t\x01\x1f\0\x7fz"));
    rt_assert_text(&buf,
        "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\\u0000\x7f"
        "z\"");

    buf.len = 0;
    rt_buf_append_json_string(&buf, rt_str("\xc3\xa9\xf0\x9f\x9a\x80"));
    rt_assert_text(&buf, "\"\xc3\xa9\xf0\x9f\x9a\x80\"");

    rt_buf_free(&buf);
}


/* One failure stays, so that one check at the end is enough. */
static void
rt_test_failed(void **state)
{
    rt_buf_t buf = {0};

    (void) state;

    rt_buf_append_str(&buf, rt_str("abc"));
    assert_null(rt_buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.failed);

    assert_null(rt_buf_reserve(&buf, 1));
    rt_buf_append_str(&buf, rt_str("def"));
    rt_buf_append_int(&buf, 5);
    rt_buf_append_json_string(&buf, rt_str("x"));
    rt_assert_text(&buf, "abc");

    rt_buf_free(&buf);
    assert_false(buf.failed);
}


static void
rt_test_reserve(void **state)
{
    char    *p;
    rt_buf_t buf = {0};

    (void) state;

    p = rt_buf_reserve(&buf, 0);
    assert_non_null(p);

    p = rt_buf_reserve(&buf, 1000);
    assert_non_null(p);
    memset(p, 'x', 1000);
    buf.len += 1000;

    p = rt_buf_reserve(&buf, 1);
    assert_ptr_equal(p, buf.data + 1000);
    assert_true(buf.size > 1000);

    rt_buf_free(&buf);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rt_test_append),
        cmocka_unit_test(rt_test_int),
        cmocka_unit_test(rt_test_json_string),
        cmocka_unit_test(rt_test_failed),
        cmocka_unit_test(rt_test_reserve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
