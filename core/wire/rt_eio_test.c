/* Engine.IO packets and polling bodies. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rt/rt_eio.h>


static void
expect_buf(rt_buf_t *buf, const char *text)
{
    assert_false(buf->failed);
    assert_int_equal(buf->len, strlen(text));
    assert_memory_equal(buf->data, text, buf->len);
    rt_buf_free(buf);
}


/* Writes what a body holds as "type:data;" with a 'b' before binary ones; the status that ends the
 * walk is the answer. */
static rt_status_t
walk(const char *body, size_t len, char *out)
{
    char           *copy;
    size_t          at;
    rt_status_t     status;
    rt_eio_packet_t packet;

    copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, body, len);
    at = 0;

    while ((status = rt_eio_payload_next(copy, len, &at, &packet)) == RT_OK) {
        if (packet.binary) {
            assert_int_equal(packet.type, RT_EIO_MESSAGE);
            *out++ = 'b';
        }

        *out++ = (char) packet.type;
        *out++ = ':';
        memcpy(out, packet.data.data, packet.data.len);
        out += packet.data.len;
        *out++ = ';';
    }

    *out = '\0';
    free(copy);

    return status;
}


static void
expect_body(const char *body, rt_status_t status, const char *packets)
{
    char out[256];

    assert_int_equal(walk(body, strlen(body), out), status);
    assert_string_equal(out, packets);
}


static void
test_packet(void **state)
{
    rt_eio_packet_t packet;

    (void) state;

    assert_int_equal(rt_eio_packet_parse(rt_str("4hello"), &packet), RT_OK);
    assert_int_equal(packet.type, RT_EIO_MESSAGE);
    assert_false(packet.binary);
    assert_int_equal(packet.data.len, 5);
    assert_memory_equal(packet.data.data, "hello", 5);

    assert_int_equal(rt_eio_packet_parse(rt_str("2probe"), &packet), RT_OK);
    assert_int_equal(packet.type, RT_EIO_PING);
    assert_int_equal(rt_eio_packet_parse(rt_str("6"), &packet), RT_OK);
    assert_int_equal(packet.data.len, 0);

    assert_int_equal(rt_eio_packet_parse(rt_str(""), &packet), RT_INVALID);
    assert_int_equal(rt_eio_packet_parse(rt_str("7"), &packet), RT_INVALID);
    assert_int_equal(rt_eio_packet_parse(rt_str("bAQID"), &packet), RT_INVALID);
    assert_int_equal(rt_eio_packet_parse(rt_str("/"), &packet), RT_INVALID);
}


static void
test_body(void **state)
{
    (void) state;

    expect_body("4a", RT_DECLINED, "4:a;");
    expect_body("4a\x1e"
                "2\x1e"
                "4b",
        RT_DECLINED, "4:a;2:;4:b;");
    expect_body("4h\xc3\xa9", RT_DECLINED, "4:h\xc3\xa9;");
}


static void
test_binary_in_body(void **state)
{
    (void) state;

    expect_body("bSGVsbG8=", RT_DECLINED, "b4:Hello;");
    expect_body("4x\x1e"
                "bSGVsbG8=\x1e"
                "bSGk=",
        RT_DECLINED, "4:x;b4:Hello;b4:Hi;");
    expect_body("b", RT_DECLINED, "b4:;");
    expect_body("bSGVs*", RT_INVALID, "");
    expect_body("bSGV sbG8=", RT_INVALID, "");
    expect_body("bS", RT_INVALID, "");
}


static void
test_bad_body(void **state)
{
    (void) state;

    expect_body("", RT_INVALID, "");
    expect_body("\x1e", RT_INVALID, "");
    expect_body("4a\x1e", RT_INVALID, "4:a;");
    expect_body("4a\x1e\x1e"
                "4b",
        RT_INVALID, "4:a;");
    expect_body("\x1e"
                "4a",
        RT_INVALID, "");
    expect_body("abc", RT_INVALID, "");
    expect_body("9", RT_INVALID, "");
    expect_body("4\xff", RT_INVALID, "");
    expect_body("4a\x1e"
                "4\xed\xa0\x80",
        RT_INVALID, "4:a;");
}


static void
test_body_out(void **state)
{
    rt_buf_t buf = {0};

    (void) state;

    rt_eio_payload_add(&buf, 0, rt_str("4hello"));
    rt_eio_payload_add(&buf, 1, rt_str("Hello"));
    rt_eio_payload_add(&buf, 1, rt_str(""));
    rt_eio_payload_add(&buf, 0, rt_str("2"));
    expect_buf(&buf,
        "4hello\x1e"
        "bSGVsbG8=\x1e"
        "b\x1e"
        "2");
}


static void
test_open(void **state)
{
    rt_buf_t buf = {0};

    (void) state;

    rt_eio_open(&buf, rt_str("abc"), 1, 25000, 20000, 1000000);
    expect_buf(&buf,
        "0{\"sid\":\"abc\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
        "\"pingTimeout\":20000,\"maxPayload\":1000000}");
    rt_eio_open(&buf, rt_str("a"), 0, 300, 200, 1);
    expect_buf(&buf,
        "0{\"sid\":\"a\",\"upgrades\":[],\"pingInterval\":300,\"pingTimeout\":200,"
        "\"maxPayload\":1}");
}


static void
test_error_bodies(void **state)
{
    int      code;
    rt_str_t body;

    (void) state;

    for (code = 0; code <= 5; code++) {
        body = rt_eio_error_body(code);
        assert_memory_equal(body.data, "{\"code\":", 8);
        assert_int_equal(body.data[8], '0' + code);
    }

    body = rt_eio_error_body(1);
    assert_true(rt_str_eq(body, rt_str("{\"code\":1,\"message\":\"Session ID unknown\"}")));
    body = rt_eio_error_body(6);
    assert_true(rt_str_eq(body, rt_eio_error_body(3)));
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packet),
        cmocka_unit_test(test_body),
        cmocka_unit_test(test_binary_in_body),
        cmocka_unit_test(test_bad_body),
        cmocka_unit_test(test_body_out),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_error_bodies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
