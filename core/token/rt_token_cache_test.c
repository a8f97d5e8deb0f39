/* Tests of verified tokens: what is kept counts for that token, that key and its lifetime only. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <rt/rt_json.h>
#include <rt/rt_token.h>
#include <stdio.h>
#include <token/rt_token_sign.h>


#define RT_TEST_NOW 1700000000000


static rt_key_t *
rt_test_key(const char *secret)
{
    rt_key_t *key;

    assert_int_equal(rt_key_create_secret(&key, rt_str_c(secret), NULL), RT_OK);

    return key;
}


static rt_identity_t *
rt_test_verify(rt_token_cache_t *cache, const rt_key_t *key, rt_str_t token, int64_t now_ms,
    rt_status_t expected)
{
    rt_error_t     error;
    rt_identity_t *identity;

    identity = NULL;
    assert_int_equal(rt_token_cache_verify(cache, key, token, now_ms, 0, &identity, &error),
        expected);
    assert_int_equal(identity != NULL, expected == RT_OK);

    return identity;
}


static void
rt_test_sign(rt_sign_token_t *token, const char *payload, const char *secret)
{
    rt_sign_hmac(token, rt_str("{\"alg\":\"HS256\"}"), rt_str_c(payload), EVP_sha256(),
        rt_str_c(secret));
}


static void
rt_test_known_again(void **state)
{
    rt_key_t         *key;
    rt_str_t          text;
    rt_identity_t    *first, *again;
    rt_sign_token_t   token;
    rt_token_cache_t *cache;

    (void) state;

    key = rt_test_key("one");
    cache = rt_token_cache_create();
    rt_test_sign(&token, "{\"sub\":\"u1\",\"exp\":1700000001}", "one");
    text = (rt_str_t){token.data, token.len};

    first = rt_test_verify(cache, key, text, RT_TEST_NOW, RT_OK);
    again = rt_test_verify(cache, key, text, RT_TEST_NOW + 999, RT_OK);
    assert_ptr_equal(first, again);

    /* not after its time */
    (void) rt_test_verify(cache, key, text, RT_TEST_NOW + 1000, RT_UNAUTHORIZED);

    /* it outlives the cache */
    rt_token_cache_destroy(cache);
    assert_string_equal(first->user_id.data, "u1");

    rt_identity_put(first);
    rt_identity_put(again);
    rt_key_destroy(key);
}


static void
rt_test_others(void **state)
{
    size_t            i;
    rt_key_t         *key, *other;
    rt_identity_t    *identity;
    rt_sign_token_t   token;
    rt_token_cache_t *cache;

    (void) state;

    key = rt_test_key("one");
    other = rt_test_key("two");
    cache = rt_token_cache_create();
    rt_test_sign(&token, "{\"sub\":\"u1\"}", "one");
    identity = rt_test_verify(cache, key, (rt_str_t){token.data, token.len}, RT_TEST_NOW, RT_OK);
    rt_identity_put(identity);

    (void) rt_test_verify(cache, other, (rt_str_t){token.data, token.len}, RT_TEST_NOW,
        RT_UNAUTHORIZED);

    /* each prefix, and each character changed */
    for (i = 0; i < token.len; i++) {
        (void) rt_test_verify(cache, key, (rt_str_t){token.data, i}, RT_TEST_NOW, RT_UNAUTHORIZED);

        token.data[i] ^= 1;
        (void) rt_test_verify(cache, key, (rt_str_t){token.data, token.len}, RT_TEST_NOW,
            RT_UNAUTHORIZED);
        token.data[i] ^= 1;
    }

    rt_token_cache_destroy(cache);
    rt_key_destroy(key);
    rt_key_destroy(other);
}


/* More than there are slots, each asked for twice. */
static void
rt_test_many(void **state)
{
    int               i;
    char              payload[64], user[16];
    rt_key_t         *key;
    rt_identity_t    *identity;
    rt_sign_token_t   token;
    rt_token_cache_t *cache;

    (void) state;

    key = rt_test_key("one");
    cache = rt_token_cache_create();

    for (i = 0; i < 6000; i++) {
        (void) snprintf(user, sizeof(user), "u%d", i % 3000);
        (void) snprintf(payload, sizeof(payload), "{\"sub\":\"%s\"}", user);
        rt_test_sign(&token, payload, "one");
        identity =
            rt_test_verify(cache, key, (rt_str_t){token.data, token.len}, RT_TEST_NOW, RT_OK);
        assert_string_equal(identity->user_id.data, user);
        rt_identity_put(identity);
    }

    rt_token_cache_destroy(cache);
    rt_token_cache_destroy(NULL);
    rt_key_destroy(key);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rt_test_known_again),
        cmocka_unit_test(rt_test_others),
        cmocka_unit_test(rt_test_many),
    };

    rt_json_init();

    return cmocka_run_group_tests(tests, NULL, NULL);
}
