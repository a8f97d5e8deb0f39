/* Tests of what a token claims: times, ids, roles, names. Each case is signed well. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <rt/rt_json.h>
#include <rt/rt_token.h>
#include <stdio.h>
#include <token/rt_token_sign.h>


#define RT_TEST_NOW 1700000000000

#define RT_TEST_X16 "xxxxxxxxxxxxxxxx"
#define RT_TEST_X128                                                                               \
    RT_TEST_X16 RT_TEST_X16 RT_TEST_X16 RT_TEST_X16 RT_TEST_X16 RT_TEST_X16 RT_TEST_X16 RT_TEST_X16
#define RT_TEST_E16                                                                                \
    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"                             \
    "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
#define RT_TEST_E128                                                                               \
    RT_TEST_E16 RT_TEST_E16 RT_TEST_E16 RT_TEST_E16 RT_TEST_E16 RT_TEST_E16 RT_TEST_E16 RT_TEST_E16


static rt_status_t
rt_test_verify(const char *payload, int64_t leeway_ms, rt_identity_t **identity, rt_error_t *error)
{
    rt_key_t       *key;
    rt_status_t     status;
    rt_sign_token_t token;

    *identity = NULL;
    assert_int_equal(rt_key_create_secret(&key, rt_str("secret"), NULL), RT_OK);

    rt_sign_hmac(&token, rt_str("{\"alg\":\"HS256\"}"), rt_str_c(payload), EVP_sha256(),
        rt_str("secret"));
    status = rt_token_verify(key, (rt_str_t){token.data, token.len}, RT_TEST_NOW, leeway_ms,
        identity, error);

    rt_key_destroy(key);
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(*identity != NULL, status == RT_OK);

    return status;
}


static void
rt_test_times(void **state)
{
    char           payload[200];
    size_t         i;
    rt_error_t     error;
    rt_status_t    status;
    rt_identity_t *identity;

    static const struct {
        const char *claims;
        int64_t     leeway_ms;
        const char *error; /* NULL: good */
        int64_t     expires_at_ms;
    } cases[] = {
        {"", 0, NULL, INT64_MAX}, {",\"exp\":1700000001", 0, NULL, 1700000001000},
        {",\"exp\":1700000000", 0, "Token expired", 0}, /* before exp, not at it */
        {",\"exp\":1699999999", 0, "Token expired", 0},
        {",\"exp\":1700000000.5", 0, NULL, 1700000000500},
        {",\"exp\":1699999999.999", 0, "Token expired", 0},
        {",\"exp\":1699999990", 10000, "Token expired", 0},
        {",\"exp\":1699999990", 10001, NULL, 1700000000001}, {",\"exp\":0", 0, "Token expired", 0},
        {",\"exp\":-1", 0, "Token expired", 0}, {",\"exp\":-1e300", 0, "Token expired", 0},
        {",\"exp\":1e300", 0, NULL, INT64_MAX},
        {",\"exp\":9223372036854775807", 10000, NULL, INT64_MAX},
        {",\"exp\":-9223372036854775808", 0, "Token expired", 0},
        {",\"exp\":99999999999999999999", 0, "Invalid token", 0}, /* libjwt */
        {",\"exp\":\"1700000001\"", 0, "Invalid token", 0},
        {",\"exp\":null", 0, "Invalid token", 0}, {",\"exp\":true", 0, "Invalid token", 0},
        {",\"exp\":[]", 0, "Invalid token", 0}, {",\"exp\":{}", 0, "Invalid token", 0},
        {",\"exp\":1700000001,\"exp\":1", 0, "Token expired", 0},
        {",\"nbf\":1700000000", 0, NULL, INT64_MAX},
        {",\"nbf\":1700000001", 0, "Token not active yet", 0},
        {",\"nbf\":1700000000.001", 0, "Token not active yet", 0},
        {",\"nbf\":1700000010", 10000, NULL, INT64_MAX},
        {",\"nbf\":1700000011", 10000, "Token not active yet", 0},
        {",\"nbf\":1e300", 10000, "Token not active yet", 0},
        {",\"nbf\":-1e300", 10000, NULL, INT64_MAX},
        {",\"nbf\":-9223372036854775808", 10000, NULL, INT64_MAX},
        {",\"nbf\":\"1\"", 0, "Invalid token", 0}, {",\"nbf\":null", 0, "Invalid token", 0},
        {",\"nbf\":false", 0, "Invalid token", 0}, {",\"nbf\":[1]", 0, "Invalid token", 0},
        {",\"iat\":1800000000", 0, NULL, INT64_MAX}, /* says nothing about validity */
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void) snprintf(payload, sizeof(payload), "{\"sub\":\"u1\"%s}", cases[i].claims);
        status = rt_test_verify(payload, cases[i].leeway_ms, &identity, &error);

        if (cases[i].error != NULL) {
            if (status != RT_UNAUTHORIZED) {
                fail_msg("%s: status %d", payload, status);
            }

            assert_string_equal(error.text, cases[i].error);
            continue;
        }

        if (status != RT_OK) {
            fail_msg("%s: %s", payload, error.text);
        }

        assert_int_equal(identity->expires_at_ms, cases[i].expires_at_ms);
        rt_identity_put(identity);
    }
}


static void
rt_test_identity(void **state)
{
    size_t         i;
    rt_error_t     error;
    rt_identity_t *identity;

    static const struct {
        const char *payload;
        const char *user, *business, *role_name;
        rt_role_t   role;
    } cases[] = {
        {"{\"sub\":\"u1\"}", "u1", "", "CUSTOMER", RT_ROLE_CUSTOMER},
        {"{\"sub\":\"s\",\"id\":\"i\",\"userId\":\"u\"}", "u", "", "CUSTOMER", RT_ROLE_CUSTOMER},
        {"{\"sub\":\"s\",\"id\":\"i\",\"userId\":\"\"}", "i", "", "CUSTOMER", RT_ROLE_CUSTOMER},
        {"{\"sub\":\"s\",\"id\":null}", "s", "", "CUSTOMER", RT_ROLE_CUSTOMER},
        {"{\"id\":42}", "42", "", "CUSTOMER", RT_ROLE_CUSTOMER},
        {"{\"id\":42.0}", "42", "", "CUSTOMER", RT_ROLE_CUSTOMER},
        {"{\"id\":0,\"sub\":\"s\"}", "0", "", "CUSTOMER", RT_ROLE_CUSTOMER},
        {"{\"id\":-7}", "-7", "", "CUSTOMER", RT_ROLE_CUSTOMER},
        {"{\"id\":9223372036854775807}", "9223372036854775807", "", "CUSTOMER", RT_ROLE_CUSTOMER},
        {"{\"id\":-9223372036854775808}", "-9223372036854775808", "", "CUSTOMER", RT_ROLE_CUSTOMER},
        {"{\"sub\":\"u\",\"businessId\":\"b\"}", "u", "b", "CUSTOMER", RT_ROLE_CUSTOMER},
        {"{\"sub\":\"u\",\"businessId\":5,\"role\":\"staff\"}", "u", "5", "STAFF", RT_ROLE_STAFF},
        {"{\"sub\":\"u\",\"role\":\"customer\"}", "u", "", "CUSTOMER", RT_ROLE_CUSTOMER},
        {"{\"sub\":\"u\",\"role\":\"STAFF\"}", "u", "u", "STAFF", RT_ROLE_STAFF},
        {"{\"sub\":7,\"userId\":\"u\",\"role\":\"Business_Owner\"}", "u", "7", "BUSINESS_OWNER",
            RT_ROLE_BUSINESS_OWNER},
        {"{\"userId\":\"u\",\"role\":\"BUSINESS_ADMIN\"}", "u", "", "BUSINESS_ADMIN",
            RT_ROLE_BUSINESS_ADMIN},
        {"{\"sub\":\"u\",\"role\":\"STAFF\",\"businessId\":\"\"}", "u", "u", "STAFF",
            RT_ROLE_STAFF},
        {"{\"sub\":\"u\",\"role\":\"SUPER_ADMIN\"}", "u", "", "SUPER_ADMIN", RT_ROLE_SUPER_ADMIN},
        {"{\"sub\":\"u\",\"role\":\"SERVICE\"}", "u", "", "SERVICE", RT_ROLE_SERVICE},
        {"{\"sub\":\"u\",\"userRole\":\"staff\",\"type\":\"x\",\"businessId\":\"b\"}", "u", "b",
            "STAFF", RT_ROLE_STAFF},
        {"{\"sub\":\"u\",\"type\":\"visitor\"}", "u", "", "VISITOR", RT_ROLE_OTHER},
        {"{\"sub\":\"u\",\"role\":\"\",\"type\":\"service\"}", "u", "", "SERVICE", RT_ROLE_SERVICE},
        {"{\"sub\":\"" RT_TEST_X128 "\"}", RT_TEST_X128, "", "CUSTOMER", RT_ROLE_CUSTOMER},
        {"{\"sub\":\"" RT_TEST_E128 "\"}", RT_TEST_E128, "", "CUSTOMER", RT_ROLE_CUSTOMER},
        {"{\"sub\":\"a b:\\\"c\\\"\"}", "a b:\"c\"", "", "CUSTOMER", RT_ROLE_CUSTOMER},
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (rt_test_verify(cases[i].payload, 0, &identity, &error) != RT_OK) {
            fail_msg("%s: %s", cases[i].payload, error.text);
        }

        assert_string_equal(identity->user_id.data, cases[i].user);
        assert_string_equal(identity->business_id.data, cases[i].business);
        assert_string_equal(identity->role_name.data, cases[i].role_name);
        assert_int_equal(identity->role, cases[i].role);
        rt_identity_put(identity);
    }
}


static void
rt_test_refused(void **state)
{
    size_t         i;
    rt_error_t     error;
    rt_identity_t *identity;

    static const char *const cases[] = {
        "{}",
        "[]",
        "null",
        "\"u1\"",
        "{\"sub\":\"\"}",
        "{\"sub\":null}",
        "{\"sub\":true}",
        "{\"sub\":[\"u1\"]}",
        "{\"sub\":{\"id\":\"u1\"}}",
        "{\"sub\":\"u1\",\"userId\":false}",
        "{\"sub\":\"u1\",\"id\":[]}",
        "{\"sub\":1.5}",
        "{\"sub\":1e300}",
        "{\"sub\":9007199254740993.0}",
        "{\"sub\":18446744073709551616}",
        "{\"sub\":\" \"}",
        "{\"sub\":\"a\\nb\"}",
        "{\"sub\":\"a\\u0000b\"}",
        "{\"sub\":\"a\\u007fb\"}",
        "{\"sub\":\"a\\u0085b\"}",
        "{\"sub\":\"a\\u2028b\"}",
        "{\"sub\":\"a\\ud83d\"}",
        "{\"sub\":\"a\xff\"}",
        "{\"sub\":\"" RT_TEST_X128 "x\"}",
        "{\"sub\":\"" RT_TEST_E128 "\xc3\xa9\"}",
        "{\"sub\":\"u\",\"businessId\":true}",
        "{\"sub\":\"u\",\"businessId\":[\"b\"]}",
        "{\"sub\":\"u\",\"businessId\":\"b\\u0001\"}",
        "{\"sub\":\"u\",\"businessId\":\"" RT_TEST_X128 "x\"}",
        "{\"sub\":{},\"userId\":\"u\",\"role\":\"STAFF\"}",
        "{\"sub\":\"u\",\"role\":1}",
        "{\"sub\":\"u\",\"role\":[\"STAFF\"]}",
        "{\"sub\":\"u\",\"role\":false}",
        "{\"sub\":\"u\",\"role\":\"STAFF\\n\"}",
        "{\"sub\":\"u\",\"role\":\"" RT_TEST_X128 "\"}",
        "{\"sub\":\"u\"",
        "{\"sub\":\"u\"}x",
        "",
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (rt_test_verify(cases[i], 0, &identity, &error) != RT_UNAUTHORIZED) {
            fail_msg("%s was taken", cases[i]);
        }

        assert_string_equal(error.text, "Invalid token");
    }
}


static void
rt_test_names(void **state)
{
    char           payload[1000];
    rt_error_t     error;
    rt_identity_t *identity;

    (void) state;

    assert_int_equal(rt_test_verify("{\"sub\":\"u\",\"name\":\"Zo\xc3\xab\",\"email\":\"z@example."
                                    "org\"}",
                         0, &identity, &error),
        RT_OK);
    assert_string_equal(identity->name.data, "Zo\xc3\xab");
    assert_string_equal(identity->email.data, "z@example.org");
    rt_identity_put(identity);

    assert_int_equal(rt_test_verify("{\"sub\":\"u\",\"name\":5,\"email\":null}", 0, &identity,
                         &error),
        RT_OK);
    assert_string_equal(identity->name.data, "");
    assert_string_equal(identity->email.data, "");
    rt_identity_put(identity);

    /* cut at 256 characters, not bytes */
    (void) snprintf(payload, sizeof(payload),
        "{\"sub\":\"u\",\"name\":\"%s%sx\",\"email\":\"%s%s\"}", RT_TEST_E128, RT_TEST_E128,
        RT_TEST_X128, RT_TEST_X128);
    assert_int_equal(rt_test_verify(payload, 0, &identity, &error), RT_OK);
    assert_string_equal(identity->name.data, RT_TEST_E128 RT_TEST_E128);
    assert_string_equal(identity->email.data, RT_TEST_X128 RT_TEST_X128);
    rt_identity_put(identity);
}


/* Deeper than our limit, and as deep as a token can be: no stack is lost on it. */
static void
rt_test_deep(void **state)
{
    char           payload[5000], brackets[4001];
    size_t         i, depth;
    rt_error_t     error;
    rt_identity_t *identity;

    static const size_t depths[] = {60, 100, 2000};

    (void) state;

    for (i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
        depth = depths[i];
        memset(brackets, '[', depth);
        memset(brackets + depth, ']', depth);
        brackets[2 * depth] = '\0';
        (void) snprintf(payload, sizeof(payload), "{\"sub\":\"u\",\"x\":%s}", brackets);

        assert_int_equal(rt_test_verify(payload, 0, &identity, &error),
            depth < RT_JSON_DEPTH_MAX ? RT_OK : RT_UNAUTHORIZED);
        rt_identity_put(identity);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rt_test_times),
        cmocka_unit_test(rt_test_identity),
        cmocka_unit_test(rt_test_refused),
        cmocka_unit_test(rt_test_names),
        cmocka_unit_test(rt_test_deep),
    };

    rt_json_init();

    return cmocka_run_group_tests(tests, NULL, NULL);
}
