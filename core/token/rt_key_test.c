/* Tests of verification keys: which ones are taken, and for which algorithms. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/err.h>
#include <rt/rt_token.h>
#include <stdio.h>
#include <token/rt_key.h>
#include <token/rt_token_sign.h>


/* Must fail without asking the terminal for a password. */
static const char rt_test_encrypted[] =
    "-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,00000000000000000000000000000000\n\nAAAA\n-----END PUBLIC KEY-----\n";


static void
rt_test_secret(void **state)
{
    char      *pem;
    rt_key_t  *key;
    EVP_PKEY  *pkey;
    rt_error_t error;

    (void) state;

    assert_int_equal(rt_key_create_secret(&key, rt_str("s\0cret"), &error), RT_OK);
    assert_int_equal(key->bytes, 6);
    assert_memory_equal(key->data, "s\0cret", 7);
    rt_key_destroy(key);

    assert_int_equal(rt_key_create_secret(&key, rt_str(""), &error), RT_INVALID);
    assert_int_equal(rt_key_create_secret(&key, rt_str_null, &error), RT_INVALID);
    assert_int_equal(rt_key_create_secret(&key, (rt_str_t){"x", (size_t) 1 << 40}, &error),
        RT_INVALID);

    pkey = EVP_EC_gen("P-256");
    pem = rt_sign_pem(pkey);
    assert_int_equal(rt_key_create_secret(&key, rt_str_c(pem), &error), RT_INVALID);
    free(pem);
    EVP_PKEY_free(pkey);

    rt_key_destroy(NULL);
}


static void
rt_test_pem(void **state)
{
    char       *pem;
    size_t      i;
    rt_key_t   *key;
    EVP_PKEY   *pkey;
    rt_error_t  error;
    rt_status_t status;

    static const struct {
        const char *curve; /* NULL: RSA */
        unsigned    bits;
        unsigned    algs; /* 0: refused */
    } cases[] = {
        {NULL, 2048,
            RT_KEY_ALG(JWT_ALG_RS256) | RT_KEY_ALG(JWT_ALG_RS384) | RT_KEY_ALG(JWT_ALG_RS512)},
        {NULL, 1024, 0},
        {"P-256", 0, RT_KEY_ALG(JWT_ALG_ES256)},
        {"P-384", 0, RT_KEY_ALG(JWT_ALG_ES384)},
        {"P-521", 0, RT_KEY_ALG(JWT_ALG_ES512)},
        {"secp256k1", 0, 0},
        {"brainpoolP256r1", 0, 0},
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pkey = cases[i].curve == NULL ? EVP_RSA_gen(cases[i].bits) : EVP_EC_gen(cases[i].curve);
        assert_non_null(pkey);
        pem = rt_sign_pem(pkey);

        error.text[0] = '\0';
        status = rt_key_create_pem(&key, rt_str_c(pem), &error);
        assert_int_equal(status, cases[i].algs == 0 ? RT_INVALID : RT_OK);
        assert_int_equal(ERR_peek_error(), 0);

        if (status == RT_OK) {
            assert_int_equal(key->algs, cases[i].algs);
            assert_string_equal((char *) key->data, pem);
            rt_key_destroy(key);

        } else {
            assert_true(strlen(error.text) > 10);
        }

        free(pem);
        EVP_PKEY_free(pkey);
    }
}


static void
rt_test_pem_around(void **state)
{
    char     *pem, text[2000];
    rt_key_t *key;
    EVP_PKEY *pkey;

    (void) state;

    pkey = EVP_EC_gen("P-256");
    pem = rt_sign_pem(pkey);

    /* what stands around the key in its file is left out */
    (void) snprintf(text, sizeof(text), "# our key\r\n\n%s\ntrailing", pem);
    assert_int_equal(rt_key_create_pem(&key, rt_str_c(text), NULL), RT_OK);
    assert_string_equal((char *) key->data, pem);
    rt_key_destroy(key);

    free(pem);
    EVP_PKEY_free(pkey);
}


static EVP_PKEY *
rt_test_keygen(const char *type)
{
    EVP_PKEY     *pkey;
    EVP_PKEY_CTX *context;

    pkey = NULL;
    context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);

    assert_non_null(context);
    assert_int_equal(EVP_PKEY_keygen_init(context), 1);
    assert_int_equal(EVP_PKEY_generate(context, &pkey), 1);
    EVP_PKEY_CTX_free(context);

    return pkey;
}


static void
rt_test_not_public(void **state)
{
    int        i;
    BIO       *bio;
    char      *data;
    long       len;
    rt_key_t  *key;
    EVP_PKEY  *pkey;
    rt_error_t error;

    static const char *const texts[] = {
        "x",
        "-----BEGIN PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\n\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        rt_test_encrypted,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    };

    (void) state;

    for (i = 0; i < (int) (sizeof(texts) / sizeof(texts[0])); i++) {
        assert_int_equal(rt_key_create_pem(&key, rt_str_c(texts[i]), &error), RT_INVALID);
        assert_int_equal(ERR_peek_error(), 0);
    }

    assert_int_equal(rt_key_create_pem(&key, rt_str_null, &error), RT_INVALID);

    for (i = 0; i < 3; i++) {
        bio = BIO_new(BIO_s_mem());

        if (i == 0) { /* a private key does not belong on the server */
            pkey = EVP_EC_gen("P-256");
            assert_int_equal(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);

        } else {
            pkey = rt_test_keygen(i == 1 ? "ED25519" : "RSA-PSS");
            assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);
        }

        len = BIO_get_mem_data(bio, &data);
        assert_int_equal(rt_key_create_pem(&key, (rt_str_t){data, (size_t) len}, &error),
            RT_INVALID);

        BIO_free(bio);
        EVP_PKEY_free(pkey);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rt_test_secret),
        cmocka_unit_test(rt_test_pem),
        cmocka_unit_test(rt_test_pem_around),
        cmocka_unit_test(rt_test_not_public),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
