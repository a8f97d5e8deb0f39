/* Handshake answer, frame headers and close codes against the RFC's own examples. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rt/rt_ws.h>


static void
test_accept(void **state)
{
    char out[RT_WS_ACCEPT_LEN];

    (void) state;

    /* RFC 6455 1.3 */
    assert_int_equal(rt_ws_accept(out, rt_str("dGhlIHNhbXBsZSBub25jZQ==")), RT_OK);
    assert_memory_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", RT_WS_ACCEPT_LEN);

    assert_int_equal(rt_ws_accept(out, rt_str("")), RT_INVALID);
    assert_int_equal(rt_ws_accept(out, rt_str("dGhlIHNhbXBsZSBub25jZQ=")), RT_INVALID);
    assert_int_equal(rt_ws_accept(out, rt_str("dGhlIHNhbXBsZSBub25jZQA=")), RT_INVALID);
    assert_int_equal(rt_ws_accept(out, rt_str("dGhlIHNhbXBsZSBub25jZQ===")), RT_INVALID);
    assert_int_equal(rt_ws_accept(out, rt_str("dGhlIHNhbXBsZSBub25j Q==")), RT_INVALID);
    assert_int_equal(rt_ws_accept(out, rt_str("dGhlIHNhbXBsZSBub25j-Q==")), RT_INVALID);
}


static void
test_header(void **state)
{
    uint8_t out[RT_WS_HEADER_MAX];

    (void) state;

    assert_int_equal(rt_ws_write_header(out, RT_WS_TEXT, 0, 0), 2);
    assert_memory_equal(out, "\x81\x00", 2);
    assert_int_equal(rt_ws_write_header(out, RT_WS_BINARY, 1, 125), 2);
    assert_memory_equal(out, "\xc2\x7d", 2);
    assert_int_equal(rt_ws_write_header(out, RT_WS_PING, 0, 4), 2);
    assert_memory_equal(out, "\x89\x04", 2);
    assert_int_equal(rt_ws_write_header(out, RT_WS_TEXT, 0, 126), 4);
    assert_memory_equal(out, "\x81\x7e\x00\x7e", 4);
    assert_int_equal(rt_ws_write_header(out, RT_WS_TEXT, 0, 65535), 4);
    assert_memory_equal(out, "\x81\x7e\xff\xff", 4);
    assert_int_equal(rt_ws_write_header(out, RT_WS_TEXT, 0, 65536), 10);
    assert_memory_equal(out, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10);
}


static void
test_close_codes(void **state)
{
    unsigned code;
    unsigned valid;

    (void) state;

    for (valid = 0, code = 0; code <= UINT16_MAX; code++) {
        valid += (unsigned) rt_ws_close_code_valid((uint16_t) code);
    }

    assert_int_equal(valid, 4 + 8 + 2000);
    assert_true(rt_ws_close_code_valid(1000));
    assert_false(rt_ws_close_code_valid(1004));
    assert_false(rt_ws_close_code_valid(1006));
    assert_false(rt_ws_close_code_valid(1015));
    assert_true(rt_ws_close_code_valid(4999));
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_close_codes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
