/* Tests of UTF-8: every code point, and the borders of what is none. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <base/rt_unicode.h>
#include <rt/rt_text.h>
#include <string.h>


/* Plain encoding without checks: also of what must not be. */
static size_t
rt_test_encode(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char) code;
        return 1;
    }

    if (code < 0x800) {
        out[0] = (char) (0xc0 | code >> 6);
        out[1] = (char) (0x80 | (code & 63));
        return 2;
    }

    if (code < 0x10000) {
        out[0] = (char) (0xe0 | code >> 12);
        out[1] = (char) (0x80 | (code >> 6 & 63));
        out[2] = (char) (0x80 | (code & 63));
        return 3;
    }

    out[0] = (char) (0xf0 | code >> 18);
    out[1] = (char) (0x80 | (code >> 12 & 63));
    out[2] = (char) (0x80 | (code >> 6 & 63));
    out[3] = (char) (0x80 | (code & 63));

    return 4;
}


static void
rt_test_all(void **state)
{
    int         good;
    char        text[4];
    size_t      len, cut;
    uint32_t    code;
    const char *pos;

    (void) state;

    for (code = 0; code < 0x120000; code++) {
        len = rt_test_encode(text, code);
        good = !(code >= 0xd800 && code <= 0xdfff) && code <= 0x10ffff;
        pos = text;

        if (rt_utf8_valid((rt_str_t){text, len}) != good
            || rt__utf8_next(&pos, text + len) != (good ? (int32_t) code : RT_UTF8_BAD)
            || pos != text + (good ? len : 0))
        {
            fail_msg("U+%04X", code);
        }

        for (cut = 1; good && cut < len; cut++) {
            pos = text;
            assert_int_equal(rt__utf8_next(&pos, text + cut), RT_UTF8_TRUNCATED);
            assert_int_equal(rt__utf8_cut(text, cut), 0);
            assert_false(rt_utf8_valid((rt_str_t){text, cut}));
        }
    }
}


static void
rt_test_valid(void **state)
{
    char   text[24];
    size_t i;

    static const char *const bad[] = {
        "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe",
        "\xff", "\xc3\x28", "\xe2\x28\xa1", "\xe2\x82\x28", "\xf0\x28\x8c\xbc",
        "\xed\xa0\x80\xed\xb0\x80", /* CESU-8 */
    };

    (void) state;

    assert_true(rt_utf8_valid(rt_str_null));
    assert_true(rt_utf8_valid(rt_str("\0")));
    assert_true(rt_utf8_valid(rt_str("0123456789abcdef")));

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(rt_utf8_valid(rt_str_c(bad[i])));
    }

    /* wherever it stands among the steps of eight bytes */
    for (i = 0; i < sizeof(text); i++) {
        memset(text, 'a', sizeof(text));
        text[i] = '\x80';
        assert_false(rt_utf8_valid((rt_str_t){text, sizeof(text)}));
    }
}


static void
rt_test_length(void **state)
{
    (void) state;

    assert_int_equal(rt_utf8_length(rt_str_null), 0);
    assert_int_equal(rt_utf8_length(rt_str("abc")), 3);
    assert_int_equal(rt_utf8_length(rt_str("\xc3\xa9\xe2\x82\xac\xf0\x9f\x9a\x80")), 3);
}


static void
rt_test_has_content(void **state)
{
    (void) state;

    assert_false(rt_utf8_has_content(rt_str_null));
    assert_false(rt_utf8_has_content(rt_str("")));
    assert_false(rt_utf8_has_content(rt_str(" \t\r\n\v\f")));
    assert_false(rt_utf8_has_content(rt_str("\xc2\xa0\xc2\x85\xe1\x9a\x80\xe3\x80\x80")));
    assert_false(rt_utf8_has_content(rt_str("\xe2\x80\x80\xe2\x80\x8b\xe2\x80\x8d\xe2\x80\x8f")));
    assert_false(rt_utf8_has_content(rt_str("\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaf\xe2\x81\x9f")));
    assert_false(rt_utf8_has_content(rt_str("\xe2\x81\xa0\xef\xbb\xbf")));

    assert_true(rt_utf8_has_content(rt_str("a")));
    assert_true(rt_utf8_has_content(rt_str("  \xf0\x9f\x9a\x80  ")));
    assert_true(rt_utf8_has_content(rt_str("\xe2\x80\x8b.")));

    assert_false(rt_utf8_has_content(rt_str("a\xff")));
    assert_false(rt_utf8_has_content(rt_str(" \xff")));
}


static void
rt_test_cut(void **state)
{
    (void) state;

    assert_int_equal(rt__utf8_cut("", 0), 0);
    assert_int_equal(rt__utf8_cut("abc", 3), 3);
    assert_int_equal(rt__utf8_cut("a\xc3\xa9", 3), 3);
    assert_int_equal(rt__utf8_cut("a\xc3\xa9", 2), 1);
    assert_int_equal(rt__utf8_cut("a\xf0\x9f\x9a\x80", 5), 5);
    assert_int_equal(rt__utf8_cut("a\xf0\x9f\x9a\x80", 4), 1);
    assert_int_equal(rt__utf8_cut("a\xf0\x9f\x9a\x80", 3), 1);
    assert_int_equal(rt__utf8_cut("a\xf0\x9f\x9a\x80", 2), 1);
    assert_int_equal(rt__utf8_cut("\x80\x80\x80\x80", 4), 4);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rt_test_all),
        cmocka_unit_test(rt_test_valid),
        cmocka_unit_test(rt_test_length),
        cmocka_unit_test(rt_test_has_content),
        cmocka_unit_test(rt_test_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
