/* Tests of digests, hex and base64 by the vectors of their standards. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <rt/rt_text.h>
#include <string.h>


static void
rt_test_sha(void **state)
{
    char    hex[RT_HEX_LEN(RT_SHA256_LEN) + 1];
    uint8_t out[RT_SHA256_LEN];

    (void) state;

    memset(hex, 0, sizeof(hex));

    assert_int_equal(rt_sha256(out, rt_str("abc")), RT_OK);
    rt_hex(hex, out, RT_SHA256_LEN);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

    assert_int_equal(rt_sha256(out, rt_str_null), RT_OK);
    rt_hex(hex, out, RT_SHA256_LEN);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

    memset(hex, 0, sizeof(hex));
    assert_int_equal(rt_sha1(out, rt_str("abc")), RT_OK);
    rt_hex(hex, out, 20);
    assert_string_equal(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
}


/* RFC 4231, 4.3 and 4.7 */
static void
rt_test_hmac(void **state)
{
    char    key[131], hex[RT_HEX_LEN(RT_SHA256_LEN) + 1];
    uint8_t out[RT_SHA256_LEN];

    (void) state;

    memset(hex, 0, sizeof(hex));
    memset(key, 0xaa, sizeof(key));

    assert_int_equal(rt_hmac_sha256(out, rt_str("Jefe"), rt_str("what do ya want for nothing?")),
        RT_OK);
    rt_hex(hex, out, RT_SHA256_LEN);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

    assert_int_equal(rt_hmac_sha256(out, (rt_str_t){key, sizeof(key)},
                         rt_str("Test Using Larger Than Block-Size Key - Hash Key First")),
        RT_OK);
    rt_hex(hex, out, RT_SHA256_LEN);
    assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");

    /* an empty key is a key, not the last one again */
    assert_int_equal(rt_hmac_sha256(out, rt_str_null, rt_str_null), RT_OK);
    rt_hex(hex, out, RT_SHA256_LEN);
    assert_string_equal(hex, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}


/* RFC 4648, 10 */
static void
rt_test_base64(void **state)
{
    char   text[16], back[16];
    size_t i, j, len, back_len;

    static const char *const cases[] = {
        "",
        "Zg==",
        "Zm8=",
        "Zm9v",
        "Zm9vYg==",
        "Zm9vYmE=",
        "Zm9vYmFy",
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        len = rt_base64(text, "foobar", i);
        assert_int_equal(len, strlen(cases[i]));
        assert_memory_equal(text, cases[i], len);

        assert_int_equal(rt_base64_decode(back, &back_len, (rt_str_t){text, len}), RT_OK);
        assert_int_equal(back_len, i);
        assert_memory_equal(back, "foobar", i);

        len = rt_base64url(text, "foobar", i);
        assert_int_equal(len, strcspn(cases[i], "="));
        assert_memory_equal(text, cases[i], len);

        assert_int_equal(rt_base64_decode(back, &back_len, (rt_str_t){text, len}), RT_OK);
        assert_int_equal(back_len, i);
    }

    for (j = 0; j < 256; j++) {
        back[0] = (char) j;
        back[1] = (char) 0xff;
        back[2] = (char) (255 - j);
        len = rt_base64(text, back, 3);
        assert_int_equal(rt_base64_decode(text, &back_len, (rt_str_t){text, len}), RT_OK);
        assert_memory_equal(text, back, 3);
    }

    len = rt_base64(text, "\xfb\xff\xbf", 3);
    assert_memory_equal(text, "+/+/", len);
    len = rt_base64url(text, "\xfb\xff\xbf", 3);
    assert_memory_equal(text, "-_-_", len);
}


static void
rt_test_base64_bad(void **state)
{
    char   out[32];
    size_t i, len;

    static const char *const bad[] = {
        "Z",
        "=",
        "==",
        "====",
        "Z===",
        "Zg=",
        "Zm8==",
        "Zm9v=",
        "Zm9v====",
        "Zg==Zg==",
        "Z=g=",
        " Zg==",
        "Zg==\n",
        "Zm 9v",
        "Zm9v!",
        "Zm\xc3\xa9",
        "Zm9vZ",
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(rt_base64_decode(out, &len, rt_str_c(bad[i])), RT_INVALID);
    }

    assert_int_equal(rt_base64_decode(out, &len, rt_str("Zm9\0")), RT_INVALID);

    /* loose bits at the end are no error */
    assert_int_equal(rt_base64_decode(out, &len, rt_str("Zh")), RT_OK);
    assert_int_equal(len, 1);
    assert_memory_equal(out, "f", 1);
}


static void
rt_test_random(void **state)
{
    int     i, j, seen;
    uint8_t bytes[64];

    (void) state;

    /* each byte is written: one that stays 0 forty times is none */
    for (i = 0; i < 64; i++) {
        seen = 0;

        for (j = 0; j < 40 && !seen; j++) {
            memset(bytes, 0, sizeof(bytes));
            assert_int_equal(rt_random(bytes, sizeof(bytes)), RT_OK);
            seen = bytes[i] != 0;
        }

        assert_true(seen);
    }

    assert_int_equal(rt_random(bytes, 0), RT_OK);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rt_test_sha),
        cmocka_unit_test(rt_test_hmac),
        cmocka_unit_test(rt_test_base64),
        cmocka_unit_test(rt_test_base64_bad),
        cmocka_unit_test(rt_test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
