/* Tests of JSON at the border: what is taken, what is declined with its value, what is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <rt/rt_json.h>
#include <rt/rt_text.h>
#include <stdlib.h>
#include <string.h>


typedef struct {
    const char *text;
    const char *out; /* as dumped; NULL: no value */
} rt_test_case_t;


static void
rt_test_parse_each(const rt_test_case_t *cases, size_t count, rt_status_t expected)
{
    size_t      i;
    json_t     *value;
    rt_buf_t    buf = {0};
    rt_error_t  error;
    rt_status_t status;

    for (i = 0; i < count; i++) {
        error.text[0] = '\0';
        status = rt_json_parse(rt_str_c(cases[i].text), &value, &error);

        if (status != expected || (cases[i].out == NULL) != (value == NULL)) {
            fail_msg("%s: status %d, %s", cases[i].text, status, error.text);
        }

        assert_true(status == RT_OK || (error.status == status && error.text[0] != '\0'));

        if (value != NULL) {
            buf.len = 0;
            assert_int_equal(rt_json_dump(value, &buf), RT_OK);
            rt_buf_append(&buf, "", 1);
            assert_string_equal(buf.data, cases[i].out);
            json_decref(value);
        }
    }

    rt_buf_free(&buf);
}


static void
rt_test_good(void **state)
{
    static const rt_test_case_t cases[] = {
        {"null", "null"},
        {" true\r\n\t", "true"},
        {"5", "5"},
        {"\"\"", "\"\""},
        {"[]", "[]"},
        {"{\"a\" : [1, -2, {}]}", "{\"a\":[1,-2,{}]}"},
        {"\"\\u00e9\\ud83d\\ude80\\n\\u0001/\\/\"", "\"\xc3\xa9\xf0\x9f\x9a\x80\\n\\u0001//\""},
        {"\"]}[{\\\"\"", "\"]}[{\\\"\""},
        {"{\"a\":1,\"a\":2}", "{\"a\":2}"},
        {"{\"\":0}", "{\"\":0}"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"\"\xef\xbf\xbf\xe2\x80\xa8\x7f\"", "\"\xef\xbf\xbf\xe2\x80\xa8\x7f\""},
        /* reals keep their value and, where they can, their look */
        {"0.1", "0.1"},
        {"[1.5,100.0,1e300,-0.25]", "[1.5,100.0,1e300,-0.25]"},
        {"1e-400", "0.0"},
        {"0.30000000000000004", "0.30000000000000004"},
        /* integers beyond int64 become reals, the others of the document stay what they are */
        {"[9223372036854775808,1,-9223372036854775809]",
            "[9.223372036854776e18,1,-9.223372036854776e18]"},
        {"{\"n\":123456789012345678901234567890}", "{\"n\":1.2345678901234568e29}"},
    };

    (void) state;

    rt_test_parse_each(cases, sizeof(cases) / sizeof(cases[0]), RT_OK);
}


static void
rt_test_declined(void **state)
{
    static const rt_test_case_t cases[] = {
        {"\"\\ud83d\"", "\"\xef\xbf\xbd\""},
        {"\"\\ude80\"", "\"\xef\xbf\xbd\""},
        {"\"\\uD83D \\uDE80\"", "\"\xef\xbf\xbd \xef\xbf\xbd\""},
        {"\"\\ud83d\\ud83d\\ude80\"", "\"\xef\xbf\xbd\xf0\x9f\x9a\x80\""},
        {"\"\\ud83d\\u0041\"",
            "\"\xef\xbf\xbd"
            "A\""},
        {"\"\\ud83d\\n\\\"\\\\\"", "\"\xef\xbf\xbd\\n\\\"\\\\\""},
        {"\"\\\\ud83d\\u0000\"", "\"\\\\ud83d\xef\xbf\xbd\""},
        {"[\"chat:send-message\",{\"content\":\"cut \\ud83d\",\"n\":1}]",
            "[\"chat:send-message\",{\"content\":\"cut \xef\xbf\xbd\",\"n\":1}]"},
        {"{\"\\u0000\":1}", "{\"\xef\xbf\xbd\":1}"},
        {"[1e999,-1E+400,1]", "[null,null,1]"},
        {"{\"a\":1e999,\"b\":18446744073709551616,\"c\":\"\\udc00\"}",
            "{\"a\":null,\"b\":1.8446744073709552e19,\"c\":\"\xef\xbf\xbd\"}"},
    };

    (void) state;

    rt_test_parse_each(cases, sizeof(cases) / sizeof(cases[0]), RT_DECLINED);
}


static void
rt_test_invalid(void **state)
{
    static const rt_test_case_t cases[] = {
        {"", NULL},
        {" ", NULL},
        {"{", NULL},
        {"}", NULL},
        {"][", NULL},
        {"[1,]", NULL},
        {"[1 2]", NULL},
        {"{a:1}", NULL},
        {"{\"a\":}", NULL},
        {"'a'", NULL},
        {"\"a", NULL},
        {"\"a\\", NULL},
        {"\"a\\\"", NULL},
        {"\"\\x\"", NULL},
        {"\"\\u12\"", NULL},
        {"\"\\u12g4\"", NULL},
        {"\"\n\"", NULL},
        {"01", NULL},
        {"+1", NULL},
        {".5", NULL},
        {"1.", NULL},
        {"1e", NULL},
        {"- 1", NULL},
        {"0x10", NULL},
        {"NaN", NULL},
        {"Infinity", NULL},
        {"nul", NULL},
        {"true false", NULL},
        {"1 //", NULL},
        {"\xef\xbb\xbf{}", NULL},
        {"\"\xff\"", NULL},
        {"\"\xed\xa0\x80\"", NULL},
        {"\"\xc0\x80\"", NULL},
        {"\v1", NULL},
        /* what would be declined, were it JSON */
        {"[\"\\ud83d\",]", NULL},
        {"{\"a\":1e999", NULL},
        {"\"\\u0000\" x", NULL},
        {"99999999999999999999 1", NULL},
        {"099999999999999999999", NULL},
        {"--99999999999999999999", NULL},
    };

    json_t    *value;
    rt_error_t error;

    (void) state;

    rt_test_parse_each(cases, sizeof(cases) / sizeof(cases[0]), RT_INVALID);

    assert_int_equal(rt_json_parse(rt_str_null, &value, &error), RT_INVALID);
    assert_int_equal(rt_json_parse(rt_str("\"a\0b\""), &value, &error), RT_INVALID);
    assert_int_equal(rt_json_parse(rt_str("1\0"), &value, &error), RT_INVALID);
    assert_int_equal(rt_json_parse(rt_str("["), &value, NULL), RT_INVALID);
}


static void
rt_test_depth(void **state)
{
    char    text[2 * 100000 + 1];
    size_t  i, depth;
    json_t *value;

    static const size_t depths[] = {1, RT_JSON_DEPTH_MAX, RT_JSON_DEPTH_MAX + 1, 3000, 100000};

    (void) state;

    for (i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
        depth = depths[i];
        memset(text, '[', depth);
        memset(text + depth, ']', depth);

        assert_int_equal(rt_json_parse((rt_str_t){text, 2 * depth}, &value, NULL),
            depth > RT_JSON_DEPTH_MAX ? RT_DECLINED : RT_OK);
        assert_int_equal(value != NULL, depth <= RT_JSON_DEPTH_MAX);
        json_decref(value);

        assert_int_equal(rt_json_parse((rt_str_t){text, 2 * depth - 1}, &value, NULL), RT_INVALID);
        assert_null(value);
    }

    /* brackets in strings do not count */
    memset(text, '[', sizeof(text));
    text[0] = '"';
    text[1000] = '"';
    assert_int_equal(rt_json_parse((rt_str_t){text, 1001}, &value, NULL), RT_OK);
    json_decref(value);
}


static void
rt_test_values(void **state)
{
    size_t   i;
    json_t  *value;
    rt_buf_t buf = {0};

    (void) state;

    /* one for the array, and one for each element */
    rt_buf_append_str(&buf, rt_str("[\",,,[[[\""));

    for (i = 2; i < RT_JSON_VALUES_MAX; i++) {
        rt_buf_append_str(&buf, rt_str(",1"));
    }

    rt_buf_append_str(&buf, rt_str("]"));
    assert_int_equal(rt_json_parse((rt_str_t){buf.data, buf.len}, &value, NULL), RT_OK);
    assert_int_equal(json_array_size(value), RT_JSON_VALUES_MAX - 1);
    json_decref(value);

    buf.len--;
    rt_buf_append_str(&buf, rt_str(",1]"));
    assert_int_equal(rt_json_parse((rt_str_t){buf.data, buf.len}, &value, NULL), RT_DECLINED);
    assert_null(value);

    buf.len--;
    assert_int_equal(rt_json_parse((rt_str_t){buf.data, buf.len}, &value, NULL), RT_INVALID);
    assert_null(value);

    rt_buf_free(&buf);
}


static void *
rt_test_malloc(size_t bytes)
{
    (void) bytes;

    return NULL;
}


/* Only with no memory at all: jansson 2.14 asserts when some of its allocations fail alone. */
static void
rt_test_no_memory(void **state)
{
    json_t     *value;
    rt_status_t status;

    (void) state;

    json_set_alloc_funcs(rt_test_malloc, free);
    status = rt_json_parse(rt_str("{\"a\":[1,2.5,\"x\"]}"), &value, NULL);
    json_set_alloc_funcs(malloc, free);

    assert_int_equal(status, RT_NO_MEMORY);
    assert_null(value);
}


static void
rt_test_dump(void **state)
{
    json_t  *value;
    rt_buf_t buf = {0};

    (void) state;

    rt_buf_append_str(&buf, rt_str("42"));
    value = json_pack("[s, f]", "\xc3\xa9", 0.1);
    assert_int_equal(rt_json_dump(value, &buf), RT_OK);
    assert_int_equal(buf.len, 12);
    assert_memory_equal(buf.data, "42[\"\xc3\xa9\",0.1]", 12);

    assert_int_equal(rt_json_dump(NULL, &buf), RT_NO_MEMORY);
    assert_int_equal(buf.len, 12);

    buf.failed = 1;
    assert_int_equal(rt_json_dump(value, &buf), RT_NO_MEMORY);
    assert_int_equal(buf.len, 12);

    json_decref(value);
    rt_buf_free(&buf);
}


static void
rt_test_members(void **state)
{
    json_t  *object;
    rt_str_t s;

    (void) state;

    object = json_pack("{s:s, s:i}", "text", "abc", "number", 5);

    s = rt_json_get_str(object, "text");
    assert_true(rt_str_eq(s, rt_str("abc")));
    assert_null(rt_json_get_str(object, "number").data);
    assert_null(rt_json_get_str(object, "absent").data);
    assert_null(rt_json_get_str(NULL, "text").data);

    assert_int_equal(rt_json_set_str(object, "text", (rt_str_t){"defg", 3}), 0);
    assert_true(rt_str_eq(rt_json_get_str(object, "text"), rt_str("def")));

    assert_int_equal(rt_json_set_str(object, "empty", rt_str_null), 0);
    assert_non_null(rt_json_get_str(object, "empty").data);

    assert_int_equal(rt_json_set_str(object, "bad", rt_str("\xff")), -1);
    assert_null(json_object_get(object, "bad"));

    json_decref(object);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rt_test_good),
        cmocka_unit_test(rt_test_declined),
        cmocka_unit_test(rt_test_invalid),
        cmocka_unit_test(rt_test_depth),
        cmocka_unit_test(rt_test_values),
        cmocka_unit_test(rt_test_no_memory),
        cmocka_unit_test(rt_test_dump),
        cmocka_unit_test(rt_test_members),
    };

    rt_json_init();

    return cmocka_run_group_tests(tests, NULL, NULL);
}
