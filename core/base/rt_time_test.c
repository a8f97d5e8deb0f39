/* Tests of times as text. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <rt/rt_text.h>
#include <stdio.h>
#include <string.h>
#include <time.h>


static void
rt_test_now(void **state)
{
    int64_t now;

    (void) state;

    now = rt_time_now_ms();
    assert_in_range(now / 1000, time(NULL) - 1, time(NULL) + 1);
}


static void
rt_test_format(void **state)
{
    char   out[RT_TIME_LEN + 1];
    size_t i;

    static const struct {
        int64_t     ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {1709251199999, "2024-02-29T23:59:59.999Z"},
        {4107542400000, "2100-03-01T00:00:00.000Z"},
        {1795357172123, "2026-11-22T14:19:32.123Z"},
        {-62167219200000, "0000-01-01T00:00:00.000Z"},
        {-62167219200001, "0000-01-01T00:00:00.000Z"},
        {INT64_MIN, "0000-01-01T00:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {253402300800000, "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rt_time_format(out, cases[i].ms);
        assert_string_equal(out, cases[i].text);
    }
}


/* Against the C library, over all years, with a step that meets every month and time of day. */
static void
rt_test_round_trip(void **state)
{
    char      out[RT_TIME_LEN + 1], text[80];
    time_t    s;
    int64_t   ms, back;
    struct tm tm;

    (void) state;

    for (ms = -62167219200000; ms <= 253402300799999; ms += 1234567890123) {
        rt_time_format(out, ms);
        assert_int_equal(rt_time_parse(rt_str_c(out), &back), RT_OK);
        assert_int_equal(back, ms);

        s = (time_t) (ms / 1000 - (ms % 1000 < 0));
        assert_non_null(gmtime_r(&s, &tm));
        (void) snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
            tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
            (int) (ms - (int64_t) s * 1000));
        assert_string_equal(out, text);
    }
}


static void
rt_test_parse(void **state)
{
    size_t  i;
    int64_t ms;

    static const struct {
        const char *text;
        int64_t     ms;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.5Z", 500},
        {"1970-01-01T00:00:00.0019999999999999999999Z", 1},
        {"1970-01-01T02:00:00+02:00", 0},
        {"1969-12-31T18:30:00.250-05:30", 250},
        {"2024-02-29T00:00:00Z", 1709164800000},
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(rt_time_parse(rt_str_c(cases[i].text), &ms), RT_OK);
        assert_int_equal(ms, cases[i].ms);
    }
}


static void
rt_test_parse_invalid(void **state)
{
    size_t  i;
    int64_t ms;

    static const char *const cases[] = {
        "",
        "1970",
        "1970-01-01",
        "1970-01-01T00:00Z",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00,5Z",
        "1970-01-01T00:00:00Zx",
        "1970-01-01 00:00:00Z",
        " 1970-01-01T00:00:00Z",
        "1970-00-01T00:00:00Z",
        "1970-13-01T00:00:00Z",
        "1970-01-00T00:00:00Z",
        "1970-04-31T00:00:00Z",
        "1970-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:60Z",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00+00:60",
        "1970-01-01T00:00:00+0100",
        "1970-01-01T00:00:00+01",
        "-970-01-01T00:00:00Z",
        "+1970-01-01T00:00:00Z",
        "197\xff-01-01T00:00:00Z",
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(rt_time_parse(rt_str_c(cases[i]), &ms), RT_INVALID);
    }

    assert_int_equal(rt_time_parse(rt_str("1970-01-01T00:00:00Z\0"), &ms), RT_INVALID);
    assert_int_equal(rt_time_parse(rt_str_null, &ms), RT_INVALID);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rt_test_now),
        cmocka_unit_test(rt_test_format),
        cmocka_unit_test(rt_test_round_trip),
        cmocka_unit_test(rt_test_parse),
        cmocka_unit_test(rt_test_parse_invalid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
