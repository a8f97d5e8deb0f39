/* Tests of log lines and of what is escaped in them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <rt/rt_base.h>
#include <rt/rt_text.h>
#include <string.h>


typedef struct {
    int            lines;
    rt_log_level_t level;
    char           text[4096];
} rt_test_log_t;


static void
rt_test_write(void *data, rt_log_level_t level, const char *text)
{
    rt_test_log_t *seen = data;

    seen->lines++;
    seen->level = level;
    (void) strncpy(seen->text, text, sizeof(seen->text) - 1);
}


static void
rt_test_log(void **state)
{
    rt_log_t      log;
    rt_test_log_t seen;

    (void) state;

    memset(&seen, 0, sizeof(seen));
    log = (rt_log_t){rt_test_write, &seen, RT_LOG_NOTICE};

    rt_log(&log, RT_LOG_INFO, "not %s", "seen");
    assert_int_equal(seen.lines, 0);

    rt_log(&log, RT_LOG_NOTICE, "seen %d", 1);
    assert_int_equal(seen.lines, 1);
    assert_int_equal(seen.level, RT_LOG_NOTICE);
    assert_string_equal(seen.text, "seen 1");

    rt_log(&log, RT_LOG_ERROR, "one\nline\tonly%c", 0x7f);
    assert_string_equal(seen.text, "one line only ");

    rt_log(NULL, RT_LOG_ERROR, "nowhere");
    log.write = NULL;
    rt_log(&log, RT_LOG_ERROR, "nowhere");
    assert_int_equal(seen.lines, 2);
}


static void
rt_test_long(void **state)
{
    char          text[3000];
    rt_log_t      log;
    rt_test_log_t seen;

    (void) state;

    memset(&seen, 0, sizeof(seen));
    log = (rt_log_t){rt_test_write, &seen, RT_LOG_DEBUG};

    memset(text, 'x', sizeof(text));
    memcpy(text + 2045, "\xf0\x9f\x9a\x80", 4);
    text[sizeof(text) - 1] = '\0';

    rt_log(&log, RT_LOG_ERROR, "%s", text);
    assert_int_equal(strlen(seen.text), 2045);
}


static void
rt_test_escape(void **state)
{
    char   out[64];
    size_t i;

    static const struct {
        rt_str_t    in;
        const char *out;
    } cases[] = {
        {{NULL, 0}, ""},
        {rt_str("plain text"), "plain text"},
        {rt_str("a\nb\r\0c"), "a\\x0ab\\x0d\\x00c"},
        {rt_str("\\ \" '"), "\\x5c \\x22 \\x27"},
        {rt_str("\x1b[31m\x7f"), "\\x1b[31m\\x7f"},
        {rt_str("\xc2\x9b"), "\\xc2\\x9b"}, /* CSI as one C1 character */
        {rt_str("\xc3\xa9\xf0\x9f\x9a\x80"), "\xc3\xa9\xf0\x9f\x9a\x80"},
        {rt_str("\xff\xc3"), "\\xff\\xc3"},
        {rt_str("\xed\xa0\x80"), "\\xed\\xa0\\x80"},
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(rt_log_escape(out, sizeof(out), cases[i].in), cases[i].out);
    }
}


static void
rt_test_escape_cut(void **state)
{
    char     out[12];
    size_t   size;
    rt_str_t in;

    (void) state;

    in = rt_str("a\xc3\xa9\nb\xf0\x9f\x9a\x80");

    for (size = 1; size <= sizeof(out); size++) {
        memset(out, 'X', sizeof(out));
        assert_ptr_equal(rt_log_escape(out, size, in), out);
        assert_true(strlen(out) < size);
        assert_true(rt_utf8_valid(rt_str_c(out)));
    }

    assert_string_equal(rt_log_escape(out, 7, in), "a\xc3\xa9");
    assert_string_equal(rt_log_escape(out, 8, in), "a\xc3\xa9\\x0a");
    assert_ptr_equal(rt_log_escape(out, 0, in), out);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rt_test_log),
        cmocka_unit_test(rt_test_long),
        cmocka_unit_test(rt_test_escape),
        cmocka_unit_test(rt_test_escape_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
