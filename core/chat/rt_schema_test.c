/* Requests against their tables: types, bounds, texts of refusals. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <rt/rt_json.h>

#include "chat/rt_schema.h"


typedef struct {
    rt_str_t text;
    rt_str_t title;
    int64_t  number;
    double   part;
    int      flag;
    int      name;
    json_t  *strings;
    json_t  *object;
} values_t;

static const char *const names[] = {"red", "green", NULL};

static const rt_field_t fields[] = {
    {"text", RT_FIELD_STRING, RT_FIELD_REQUIRED | RT_FIELD_CONTENT, offsetof(values_t, text), 2, 4,
        0, NULL},
    {"title", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(values_t, title), 0, 8, 0, NULL},
    {"number", RT_FIELD_INTEGER, 0, offsetof(values_t, number), -5, 5, 0, NULL},
    {"part", RT_FIELD_NUMBER, 0, offsetof(values_t, part), 0, 100, 0, NULL},
    {"flag", RT_FIELD_BOOLEAN, 0, offsetof(values_t, flag), 0, 0, 0, NULL},
    {"name", RT_FIELD_NAME, 0, offsetof(values_t, name), 0, 0, 0, names},
    {"strings", RT_FIELD_STRINGS, 0, offsetof(values_t, strings), 0, 2, 3, NULL},
    {"object", RT_FIELD_OBJECT, 0, offsetof(values_t, object), 0, 20, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


static void
test_good(void **state)
{
    json_t    *json;
    values_t   values = {.number = 3, .flag = -1, .name = -1};
    rt_error_t error;

    (void) state;

    assert_int_equal(rt_json_parse(rt_str("{\"text\":\"🙂🙂🙂🙂\",\"title\":null,\"other\":"
                                          "{\"$x\":1},"
                                          "\"strings\":[\"äöü\"],\"object\":{\"a\":[{}]}}"),
                         &json, NULL),
        RT_OK);
    assert_int_equal(rt_schema_read(fields, json, &values, &error), RT_OK);
    assert_int_equal(values.text.len, 16);
    assert_null(values.title.data);
    assert_int_equal(values.number, 3);
    assert_int_equal(values.flag, -1);
    assert_int_equal(values.name, -1);
    assert_int_equal(json_array_size(values.strings), 1);
    assert_non_null(values.object);
    json_decref(json);

    assert_int_equal(rt_json_parse(rt_str("{\"text\":\"ab\",\"title\":\"\",\"number\":-5,\"part\":"
                                          "0.5,\"flag\":false,\"name\":\"green\",\"strings\":[]}"),
                         &json, NULL),
        RT_OK);
    assert_int_equal(rt_schema_read(fields, json, &values, &error), RT_OK);
    assert_int_equal(values.number, -5);
    assert_true(values.part == 0.5);
    assert_int_equal(values.flag, 0);
    assert_int_equal(values.name, 1);
    json_decref(json);
}


static void
test_bad(void **state)
{
    size_t     i;
    json_t    *json;
    values_t   values;
    rt_error_t error;

    static const struct {
        const char *request;
        const char *text;
    } cases[] = {
        {"[]", "the data must be an object"},
        {"{}", "text is required"},
        {"{\"text\":null}", "text is required"},
        {"{\"text\":1}", "text must be a string"},
        {"{\"text\":{\"$ne\":\"\"}}", "text must be a string"},
        {"{\"text\":\"a\"}", "text must be 2 to 4 characters"},
        {"{\"text\":\"🙂\"}", "text must be 2 to 4 characters"},
        {"{\"text\":\"abcde\"}", "text must be 2 to 4 characters"},
        {"{\"text\":\"  \"}", "text must not be empty"},
        {"{\"text\":\"ab\",\"$or\":[]}", "keys must not begin with $"},
        {"{\"text\":\"ab\",\"title\":\"a\\tb\"}", "title must not hold control characters"},
        {"{\"text\":\"ab\",\"title\":\"a\\u0085\"}", "title must not hold control characters"},
        {"{\"text\":\"ab\",\"number\":1.5}", "number must be an integer"},
        {"{\"text\":\"ab\",\"number\":\"1\"}", "number must be an integer"},
        {"{\"text\":\"ab\",\"number\":6}", "number must be -5 to 5"},
        {"{\"text\":\"ab\",\"number\":99999999999999999999}", "number must be an integer"},
        {"{\"text\":\"ab\",\"part\":\"1\"}", "part must be a number"},
        {"{\"text\":\"ab\",\"part\":100.5}", "part must be 0 to 100"},
        {"{\"text\":\"ab\",\"part\":-1}", "part must be 0 to 100"},
        {"{\"text\":\"ab\",\"flag\":1}", "flag must be true or false"},
        {"{\"text\":\"ab\",\"name\":\"blue\"}", "name must be one of red, green"},
        {"{\"text\":\"ab\",\"name\":\"Red\"}", "name must be one of red, green"},
        {"{\"text\":\"ab\",\"name\":0}", "name must be one of red, green"},
        {"{\"text\":\"ab\",\"strings\":\"a\"}", "strings must be an array of strings"},
        {"{\"text\":\"ab\",\"strings\":[\"a\",1]}", "strings must be an array of strings"},
        {"{\"text\":\"ab\",\"strings\":[\"a\",\"b\",\"c\"]}",
            "strings must have at most 2 elements"},
        {"{\"text\":\"ab\",\"strings\":[\"\"]}", "strings must hold strings of 1 to 3 characters"},
        {"{\"text\":\"ab\",\"strings\":[\"abcd\"]}",
            "strings must hold strings of 1 to 3 characters"},
        {"{\"text\":\"ab\",\"object\":[]}", "object must be an object"},
        {"{\"text\":\"ab\",\"object\":{\"a\":[[{\"$b\":1}]]}}",
            "object must not hold keys that begin with $"},
        {"{\"text\":\"ab\",\"object\":{\"a\":\"0123456789abcdef\"}}",
            "object must be at most 20 bytes of JSON"},
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&values, 0, sizeof(values));
        assert_int_equal(rt_json_parse(rt_str_c(cases[i].request), &json, NULL), RT_OK);
        assert_int_equal(rt_schema_read(fields, json, &values, &error), RT_INVALID);
        assert_int_equal(error.status, RT_INVALID);
        assert_string_equal(error.text, cases[i].text);
        json_decref(json);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
