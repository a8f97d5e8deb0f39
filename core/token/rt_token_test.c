/* Tests of tokens as such: signature, algorithm, shape. What they claim has a test of its own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jwt.h>
#include <openssl/err.h>
#include <rt/rt_json.h>
#include <rt/rt_token.h>
#include <stdio.h>
#include <token/rt_token_sign.h>


#define RT_TEST_NOW 1700000000000
#define RT_TEST_OK  "{\"sub\":\"u1\"}"


/* Verifies, checks that the error is fit for a client and that no OpenSSL error is left. */
static rt_status_t
rt_test_verify(const rt_key_t *key, rt_str_t token)
{
    rt_error_t     error;
    rt_status_t    status;
    rt_identity_t *identity;

    identity = NULL;
    error.text[0] = '\0';
    status = rt_token_verify(key, token, RT_TEST_NOW, 0, &identity, &error);

    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(identity != NULL, status == RT_OK);

    if (status != RT_OK) {
        assert_int_equal(error.status, status);
        assert_in_range(strlen(error.text), 5, 40);
    }

    rt_identity_put(identity);

    return status;
}


static rt_key_t *
rt_test_secret_key(const char *secret)
{
    rt_key_t *key;

    assert_int_equal(rt_key_create_secret(&key, rt_str_c(secret), NULL), RT_OK);

    return key;
}


static rt_key_t *
rt_test_pem_key(EVP_PKEY *pkey)
{
    char     *pem;
    rt_key_t *key;

    pem = rt_sign_pem(pkey);
    assert_int_equal(rt_key_create_pem(&key, rt_str_c(pem), NULL), RT_OK);
    free(pem);

    return key;
}


static void
rt_test_hs(void **state)
{
    size_t          i;
    char            header[64];
    rt_key_t       *key, *other;
    rt_sign_token_t token;

    static const char *const names[] = {"HS256", "HS384", "HS512"};

    const EVP_MD *digests[] = {EVP_sha256(), EVP_sha384(), EVP_sha512()};

    (void) state;

    key = rt_test_secret_key("secret");
    other = rt_test_secret_key("secreT");

    for (i = 0; i < 3; i++) {
        (void) snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"JWT\"}", names[i]);
        rt_sign_hmac(&token, rt_str_c(header), rt_str(RT_TEST_OK), digests[i], rt_str("secret"));

        assert_int_equal(rt_test_verify(key, (rt_str_t){token.data, token.len}), RT_OK);
        assert_int_equal(rt_test_verify(other, (rt_str_t){token.data, token.len}), RT_UNAUTHORIZED);

        /* the digest of another length */
        rt_sign_hmac(&token, rt_str_c(header), rt_str(RT_TEST_OK), digests[(i + 1) % 3],
            rt_str("secret"));
        assert_int_equal(rt_test_verify(key, (rt_str_t){token.data, token.len}), RT_UNAUTHORIZED);
    }

    rt_key_destroy(key);
    rt_key_destroy(other);
}


static void
rt_test_rs_es(void **state)
{
    size_t          i, j;
    char            header[64];
    EVP_PKEY       *pkeys[4], *other;
    rt_key_t       *keys[4], *stranger;
    rt_sign_token_t token;

    static const char *const names[] = {"RS256", "ES256", "ES384", "ES512", "RS384", "RS512"};

    const EVP_MD *digests[] = {EVP_sha256(), EVP_sha256(), EVP_sha384(), EVP_sha512(), EVP_sha384(),
        EVP_sha512()};

    (void) state;

    pkeys[0] = EVP_RSA_gen(2048);
    pkeys[1] = EVP_EC_gen("P-256");
    pkeys[2] = EVP_EC_gen("P-384");
    pkeys[3] = EVP_EC_gen("P-521");
    other = EVP_RSA_gen(2048);
    stranger = rt_test_pem_key(other);

    for (i = 0; i < 4; i++) {
        keys[i] = rt_test_pem_key(pkeys[i]);
    }

    for (i = 0; i < 6; i++) {
        (void) snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", names[i]);
        rt_sign_pkey(&token, rt_str_c(header), rt_str(RT_TEST_OK), digests[i],
            i < 4 ? pkeys[i] : pkeys[0]);

        for (j = 0; j < 4; j++) {
            assert_int_equal(rt_test_verify(keys[j], (rt_str_t){token.data, token.len}),
                j == (i < 4 ? i : 0) ? RT_OK : RT_UNAUTHORIZED);
        }

        assert_int_equal(rt_test_verify(stranger, (rt_str_t){token.data, token.len}),
            RT_UNAUTHORIZED);
    }

    /* each algorithm's name over each key's signature: one name for one key */
    for (i = 0; i < 4; i++) {
        for (j = 1; j < 4; j++) {
            (void) snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", names[j]);
            rt_sign_pkey(&token, rt_str_c(header), rt_str(RT_TEST_OK), digests[j], pkeys[i]);
            assert_int_equal(rt_test_verify(keys[i], (rt_str_t){token.data, token.len}),
                i == j ? RT_OK : RT_UNAUTHORIZED);
        }
    }

    for (i = 0; i < 4; i++) {
        rt_key_destroy(keys[i]);
        EVP_PKEY_free(pkeys[i]);
    }

    rt_key_destroy(stranger);
    EVP_PKEY_free(other);
}


/* The public key is public: a token that takes its text for an HMAC secret is anyone's. */
static void
rt_test_confusion(void **state)
{
    size_t          i;
    char           *pem, header[64];
    EVP_PKEY       *pkeys[2];
    rt_key_t       *key;
    rt_sign_token_t token;

    static const char *const names[] = {"HS256", "HS384", "HS512"};

    const EVP_MD *digests[] = {EVP_sha256(), EVP_sha384(), EVP_sha512()};

    (void) state;

    pkeys[0] = EVP_RSA_gen(2048);
    pkeys[1] = EVP_EC_gen("P-256");

    for (i = 0; i < 6; i++) {
        key = rt_test_pem_key(pkeys[i / 3]);
        pem = rt_sign_pem(pkeys[i / 3]);

        (void) snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", names[i % 3]);
        rt_sign_hmac(&token, rt_str_c(header), rt_str(RT_TEST_OK), digests[i % 3], rt_str_c(pem));
        assert_int_equal(rt_test_verify(key, (rt_str_t){token.data, token.len}), RT_UNAUTHORIZED);

        free(pem);
        rt_key_destroy(key);
    }

    EVP_PKEY_free(pkeys[0]);
    EVP_PKEY_free(pkeys[1]);
}


/* Headers, each over a good HS256 signature and payload. */
static void
rt_test_headers(void **state)
{
    size_t          i;
    rt_key_t       *key;
    rt_sign_token_t token;

    static const char *const good[] = {
        "{\"alg\":\"HS256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"HS256\",\"kid\":\"../../etc/passwd\",\"jku\":\"http://127.0.0.1/\"}",
    };

    static const char *const bad[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"NONE\"}",
        "{\"alg\":\"nOnE\"}",
        "{\"alg\":\"\"}",
        "{\"alg\":null}",
        "{\"alg\":1}",
        "{\"alg\":true}",
        "{\"alg\":[\"HS256\"]}",
        "{\"alg\":{\"HS256\":1}}",
        "{\"alg\":\"HS999\"}",
        "{\"alg\":\"RS256\"}",
        "{\"alg\":\"ES256\"}",
        "{\"alg\":\"PS256\"}",
        "{\"alg\":\"HS256\\u0000\"}",
        "{\"alg\":\"HS256\",\"alg\":\"none\"}",
        "{\"typ\":\"JWT\"}",
        "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}",
        "{\"alg\":\"HS256\",\"crit\":[]}",
        "{\"alg\":\"HS256\",\"crit\":null}",
        "{\"alg\":\"HS256\"",
        "{}",
        "[]",
        "\"HS256\"",
        "null",
        "{\"alg\":\"HS256\"}{\"alg\":\"HS256\"}",
    };

    (void) state;

    key = rt_test_secret_key("secret");

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        rt_sign_hmac(&token, rt_str_c(good[i]), rt_str(RT_TEST_OK), EVP_sha256(), rt_str("secret"));
        assert_int_equal(rt_test_verify(key, (rt_str_t){token.data, token.len}), RT_OK);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        rt_sign_hmac(&token, rt_str_c(bad[i]), rt_str(RT_TEST_OK), EVP_sha256(), rt_str("secret"));

        if (rt_test_verify(key, (rt_str_t){token.data, token.len}) != RT_UNAUTHORIZED) {
            fail_msg("header %s", bad[i]);
        }

        /* and with no signature at all */
        token.len = (size_t) (strrchr(token.data, '.') - token.data);
        assert_int_equal(rt_test_verify(key, (rt_str_t){token.data, token.len}), RT_UNAUTHORIZED);
        assert_int_equal(rt_test_verify(key, (rt_str_t){token.data, token.len + 1}),
            RT_UNAUTHORIZED);
    }

    rt_key_destroy(key);
}


/* A good token, spoilt in its shape. */
static void
rt_test_shape(void **state)
{
    char            text[2 * RT_SIGN_MAX];
    size_t          i;
    rt_key_t       *key;
    rt_sign_token_t token;

    static const char *const formats[] = {
        "%s.",
        ".%s",
        "%s.x",
        "%s.eyJ9",
        " %s",
        "%s ",
        "%s\n",
        "Bearer %s",
        "%s=",
        "%s==",
        "%s!",
        "%s\xff",
        "%s%%00",
        "\"%s\"",
    };

    static const char *const texts[] = {
        ".",
        "..",
        "...",
        "a",
        "a.b",
        "a.b.c",
        "....",
        "undefined",
        "null",
        "[object Object]",
    };

    (void) state;

    key = rt_test_secret_key("secret");
    rt_sign_hmac(&token, rt_str("{\"alg\":\"HS256\"}"), rt_str(RT_TEST_OK), EVP_sha256(),
        rt_str("secret"));
    assert_int_equal(rt_test_verify(key, (rt_str_t){token.data, token.len}), RT_OK);

    for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void) snprintf(text, sizeof(text), formats[i], token.data);
#pragma GCC diagnostic pop
        assert_int_equal(rt_test_verify(key, rt_str_c(text)), RT_UNAUTHORIZED);
    }

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(rt_test_verify(key, rt_str_c(texts[i])), RT_UNAUTHORIZED);
    }

    /* a NUL ends the text for libjwt, but not for us */
    memcpy(text, token.data, token.len + 1);
    assert_int_equal(rt_test_verify(key, (rt_str_t){text, token.len + 1}), RT_UNAUTHORIZED);

    assert_int_equal(rt_test_verify(key, rt_str_null), RT_UNAUTHORIZED);
    assert_int_equal(rt_test_verify(key, rt_str("")), RT_UNAUTHORIZED);

    /* every change of one character, but for the bits that base64 has to spare, breaks it */
    for (i = 0; i < token.len - 1; i++) {
        memcpy(text, token.data, token.len + 1);
        text[i] = (text[i] == 'A') ? 'Q' : 'A';
        assert_int_equal(rt_test_verify(key, (rt_str_t){text, token.len}), RT_UNAUTHORIZED);
        assert_int_equal(rt_test_verify(key, (rt_str_t){token.data, i}), RT_UNAUTHORIZED);
    }

    rt_key_destroy(key);
}


static void
rt_test_size(void **state)
{
    size_t          i, len;
    char           *payload;
    rt_key_t       *key;
    rt_sign_token_t token;

    (void) state;

    key = rt_test_secret_key("secret");
    payload = malloc(RT_TOKEN_MAX);
    assert_non_null(payload);

    /* header 20 characters, signature 43, two dots */
    for (i = 0; i < 8; i++) {
        len = (RT_TOKEN_MAX - 65) * 3 / 4 - 4 + i;
        (void) snprintf(payload, RT_TOKEN_MAX, "{\"sub\":\"u1\",\"x\":\"%0*d\"}", (int) len - 19,
            0);
        rt_sign_hmac(&token, rt_str("{\"alg\":\"HS256\"}"), rt_str_c(payload), EVP_sha256(),
            rt_str("secret"));

        assert_int_equal(rt_test_verify(key, (rt_str_t){token.data, token.len}),
            token.len <= RT_TOKEN_MAX ? RT_OK : RT_UNAUTHORIZED);
    }

    assert_true(token.len > RT_TOKEN_MAX);

    free(payload);
    rt_key_destroy(key);
}


/* What libjwt itself writes is taken: it is what realtime-token prints. */
static void
rt_test_libjwt(void **state)
{
    char     *text;
    jwt_t    *jwt;
    rt_key_t *key;

    (void) state;

    key = rt_test_secret_key("secret");

    assert_int_equal(jwt_new(&jwt), 0);
    assert_int_equal(jwt_add_grants_json(jwt, RT_TEST_OK), 0);
    assert_int_equal(jwt_set_alg(jwt, JWT_ALG_HS512, (const unsigned char *) "secret", 6), 0);
    text = jwt_encode_str(jwt);
    assert_non_null(text);

    assert_int_equal(rt_test_verify(key, rt_str_c(text)), RT_OK);

    free(text);
    jwt_free(jwt);
    rt_key_destroy(key);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rt_test_hs),
        cmocka_unit_test(rt_test_rs_es),
        cmocka_unit_test(rt_test_confusion),
        cmocka_unit_test(rt_test_headers),
        cmocka_unit_test(rt_test_shape),
        cmocka_unit_test(rt_test_size),
        cmocka_unit_test(rt_test_libjwt),
    };

    rt_json_init();

    return cmocka_run_group_tests(tests, NULL, NULL);
}
