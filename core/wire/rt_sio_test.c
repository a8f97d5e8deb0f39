/* Socket.IO packets: what is taken, what ends the connection, and what is only answered INVALID. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rt/rt_json.h>
#include <rt/rt_sio.h>


#define MAX_BYTES 100

static rt_sio_decoder_t decoder;
static rt_sio_packet_t  packet;


static rt_status_t
decode_text(rt_str_t text)
{
    char       *copy;
    rt_error_t  error = {0};
    rt_status_t status;

    /* exactly as long, and gone afterwards: nothing may point into it */
    copy = malloc(text.len > 0 ? text.len : 1);
    assert_non_null(copy);
    memcpy(copy, text.data, text.len);

    status = rt_sio_decode_text(&decoder, (rt_str_t){copy, text.len}, &packet, &error);
    free(copy);

    if (status == RT_INVALID || status == RT_DECLINED) {
        assert_int_equal(error.status, status);
        assert_true(error.text[0] != '\0');
    }

    if (status != RT_OK && status != RT_DECLINED) {
        assert_null(packet.data);
        assert_null(packet.memory);
    }

    return status;
}


static void
assert_str(rt_str_t s, const char *expected)
{
    assert_int_equal(s.len, strlen(expected));
    assert_memory_equal(s.data, expected, s.len);
}


/* data: compact JSON, or NULL for none */
static void
expect(const char *text, rt_sio_type_t type, const char *nsp, int64_t id, const char *data)
{
    rt_buf_t dumped = {0};

    assert_int_equal(decode_text(rt_str_c(text)), RT_OK);
    assert_int_equal(packet.type, type);
    assert_str(packet.nsp, nsp);
    assert_int_equal(packet.id, id);
    assert_int_equal(packet.attachment_count, 0);

    if (data == NULL) {
        assert_null(packet.data);

    } else {
        assert_int_equal(rt_json_dump(packet.data, &dumped), RT_OK);
        assert_str((rt_str_t){dumped.data, dumped.len}, data);
        rt_buf_free(&dumped);
    }

    rt_sio_packet_clear(&packet);
}


static void
test_packets(void **state)
{
    (void) state;

    expect("0", RT_SIO_CONNECT, "/", RT_SIO_ID_NONE, NULL);
    expect("0{}", RT_SIO_CONNECT, "/", RT_SIO_ID_NONE, "{}");
    expect("0/realtime", RT_SIO_CONNECT, "/realtime", RT_SIO_ID_NONE, NULL);
    expect("0/realtime,", RT_SIO_CONNECT, "/realtime", RT_SIO_ID_NONE, NULL);
    expect("0/realtime,{\"token\":\"x\"}", RT_SIO_CONNECT, "/realtime", RT_SIO_ID_NONE,
        "{\"token\":\"x\"}");
    expect("0/a?token=1,{}", RT_SIO_CONNECT, "/a", RT_SIO_ID_NONE, "{}");
    expect("1", RT_SIO_DISCONNECT, "/", RT_SIO_ID_NONE, NULL);
    expect("1/realtime", RT_SIO_DISCONNECT, "/realtime", RT_SIO_ID_NONE, NULL);
    expect("1/realtime,", RT_SIO_DISCONNECT, "/realtime", RT_SIO_ID_NONE, NULL);
    expect("2[\"x\"]", RT_SIO_EVENT, "/", RT_SIO_ID_NONE, "[\"x\"]");
    expect("2[\"x\", {\"a\":1}]", RT_SIO_EVENT, "/", RT_SIO_ID_NONE, "[\"x\",{\"a\":1}]");
    expect("2/realtime,12[\"x\"]", RT_SIO_EVENT, "/realtime", 12, "[\"x\"]");
    expect("2[1,2]", RT_SIO_EVENT, "/", RT_SIO_ID_NONE, "[1,2]");
    expect("3/realtime,0[]", RT_SIO_ACK, "/realtime", 0, "[]");
    expect("37[\"a\"]", RT_SIO_ACK, "/", 7, "[\"a\"]");
    expect("50-[\"x\"]", RT_SIO_EVENT, "/", RT_SIO_ID_NONE, "[\"x\"]");
}


static void
test_ids(void **state)
{
    (void) state;

    expect("20[\"x\"]", RT_SIO_EVENT, "/", 0, "[\"x\"]");
    expect("29007199254740991[\"x\"]", RT_SIO_EVENT, "/", 9007199254740991, "[\"x\"]");
    assert_int_equal(decode_text(rt_str("29007199254740992[\"x\"]")), RT_INVALID);
    assert_int_equal(decode_text(rt_str("299999999999999999999999999[\"x\"]")), RT_INVALID);
}


/* Each of these closes the connection. */
static void
test_protocol_errors(void **state)
{
    size_t             i;
    static const char *bad[] = {
        "",
        "7",
        "9[\"x\"]",
        "x",
        "[\"x\"]",
        "0[]",
        "0\"token\"",
        "0null",
        "0{}x",
        "1{}",
        "1/realtime,x",
        "2",
        "2{}",
        "2[]",
        "2[{}]",
        "2[null]",
        "2[true,\"x\"]",
        "2[[]]",
        "2\"x\"",
        "2[\"x\"]y",
        "2[\"x\"",
        "2[\"x\",]",
        "2/realtime[\"x\"]",
        "2[\"connect\"]",
        "2[\"connect_error\"]",
        "2[\"disconnect\"]",
        "2[\"disconnecting\"]",
        "2[\"newListener\"]",
        "2[\"removeListener\"]",
        "3[]",
        "31",
        "31{}",
        "31\"x\"",
        "4{\"message\":\"x\"}",
        "4",
        "5",
        "5[\"x\"]",
        "5-[\"x\"]",
        "51[\"x\"]",
        "511-[\"x\"]",
        "5999999999-[\"x\"]",
        "599999999999999999999999-[\"x\"]",
        "5-1-[\"x\"]",
        "51-",
        "51-{}",
        "51-[\"x\",{\"_placeholder\":true,\"num\":1}]",
        "51-[\"x\",{\"_placeholder\":true,\"num\":-1}]",
        "51-[\"x\",{\"_placeholder\":true,\"num\":\"0\"}]",
        "51-[\"x\",{\"_placeholder\":true}]",
        "51-[\"x\",[{\"a\":{\"_placeholder\":true,\"num\":2}}]]",
        "51-[\"x\"]y",
        "61-[]",
        "61-1{}",
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(decode_text(rt_str_c(bad[i])), RT_INVALID);
        assert_null(decoder.pending);
    }
}


/* Well-formed, but not ours to take: told by the ack id, the connection stays. */
static void
test_declined(void **state)
{
    char deep[202];

    (void) state;

    assert_int_equal(decode_text(rt_str("2/realtime,5[\"x\",\"\\ud800\"]")), RT_DECLINED);
    assert_str(packet.nsp, "/realtime");
    assert_int_equal(packet.id, 5);
    assert_string_equal(json_string_value(json_array_get(packet.data, 0)), "x");
    rt_sio_packet_clear(&packet);

    assert_int_equal(decode_text(rt_str("2[\"x\",\"\\u0000\"]")), RT_DECLINED);
    rt_sio_packet_clear(&packet);

    /* 100 arrays in each other */
    deep[0] = '2';
    deep[1] = '9';
    memset(deep + 2, '[', 100);
    memset(deep + 102, ']', 100);

    assert_int_equal(decode_text((rt_str_t){deep, sizeof(deep)}), RT_DECLINED);
    assert_int_equal(packet.type, RT_SIO_EVENT);
    assert_int_equal(packet.id, 9);
    assert_null(packet.data);
    rt_sio_packet_clear(&packet);

    /* a protocol error is one all the same */
    assert_int_equal(decode_text(rt_str("2{\"a\":\"\\ud800\"}")), RT_INVALID);
    assert_int_equal(decode_text(rt_str("3[\"\\ud800\"]")), RT_INVALID);
}


static rt_status_t
decode_binary(const char *data)
{
    return rt_sio_decode_binary(&decoder, data, strlen(data), MAX_BYTES, &packet, NULL);
}


static void
test_attachments(void **state)
{
    (void) state;

    assert_int_equal(decode_text(rt_str("52-/realtime,3[\"x\",{\"_placeholder\":true,\"num\":1},"
                                        "[{\"_placeholder\":true,\"num\":0}]]")),
        RT_AGAIN);
    assert_int_equal(decode_binary("first"), RT_AGAIN);
    assert_int_equal(decode_binary(""), RT_OK);
    assert_null(decoder.pending);
    assert_int_equal(packet.type, RT_SIO_EVENT);
    assert_str(packet.nsp, "/realtime");
    assert_int_equal(packet.id, 3);
    assert_int_equal(packet.attachment_count, 2);
    assert_str(packet.attachments[0], "first");
    assert_str(packet.attachments[1], "");
    assert_int_equal(json_array_size(packet.data), 3);
    rt_sio_packet_clear(&packet);

    assert_int_equal(decode_text(rt_str("61-4[{\"_placeholder\":true,\"num\":0}]")), RT_AGAIN);
    assert_int_equal(decode_binary("x"), RT_OK);
    assert_int_equal(packet.type, RT_SIO_ACK);
    assert_str(packet.nsp, "/");
    assert_int_equal(packet.id, 4);
    rt_sio_packet_clear(&packet);

    assert_int_equal(decode_text(rt_str("510-[\"x\"]")), RT_AGAIN);
    rt_sio_decoder_clear(&decoder);
    rt_sio_decoder_clear(&decoder);
}


static void
test_attachments_out_of_turn(void **state)
{
    (void) state;

    assert_int_equal(decode_binary("x"), RT_INVALID);

    assert_int_equal(decode_text(rt_str("52-[\"x\"]")), RT_AGAIN);
    assert_int_equal(decode_text(rt_str("2[\"x\"]")), RT_INVALID);
    rt_sio_decoder_clear(&decoder);

    assert_int_equal(decode_text(rt_str("51-[\"x\"]")), RT_AGAIN);
    assert_int_equal(decode_binary("x"), RT_OK);
    rt_sio_packet_clear(&packet);
    assert_int_equal(decode_binary("x"), RT_INVALID);
}


static void
test_attachments_too_large(void **state)
{
    char big[MAX_BYTES + 2];

    (void) state;

    memset(big, 'x', sizeof(big));
    big[MAX_BYTES + 1] = '\0';
    assert_int_equal(decode_text(rt_str("52-[\"x\"]")), RT_AGAIN);
    assert_int_equal(decode_binary(big), RT_INVALID);
    big[MAX_BYTES] = '\0';
    assert_int_equal(decode_binary(big), RT_AGAIN);
    assert_int_equal(decode_binary("x"), RT_INVALID);
    rt_sio_decoder_clear(&decoder);
}


/* What is not taken still has its attachments behind it. */
static void
test_declined_with_attachments(void **state)
{
    rt_error_t error = {0};

    (void) state;

    assert_int_equal(decode_text(rt_str("51-8[\"x\",\"\\ud800\"]")), RT_AGAIN);
    assert_int_equal(rt_sio_decode_binary(&decoder, "x", 1, MAX_BYTES, &packet, &error),
        RT_DECLINED);
    assert_int_equal(error.status, RT_DECLINED);
    assert_int_equal(packet.id, 8);
    rt_sio_packet_clear(&packet);
    assert_null(decoder.pending);
}


static void
expect_buf(rt_buf_t *buf, const char *text)
{
    assert_false(buf->failed);
    assert_str((rt_str_t){buf->data, buf->len}, text);
    rt_buf_free(buf);
}


static void
test_encoders(void **state)
{
    rt_buf_t buf = {0};

    (void) state;

    rt_sio_encode_connect(&buf, rt_str("/realtime"), rt_str("abc"));
    expect_buf(&buf, "40/realtime,{\"sid\":\"abc\"}");
    rt_sio_encode_connect(&buf, rt_str("/"), rt_str("abc"));
    expect_buf(&buf, "40{\"sid\":\"abc\"}");
    rt_sio_encode_connect_error(&buf, rt_str("/nope"), rt_str("Invalid namespace"));
    expect_buf(&buf, "44/nope,{\"message\":\"Invalid namespace\"}");
    rt_sio_encode_disconnect(&buf, rt_str("/realtime"));
    expect_buf(&buf, "41/realtime,");
    rt_sio_encode_disconnect(&buf, rt_str("/"));
    expect_buf(&buf, "41");
    rt_sio_encode_event(&buf, rt_str("/realtime"), rt_str("a\"b"), rt_str("{\"x\":1}"), 0);
    expect_buf(&buf, "42/realtime,[\"a\\\"b\",{\"x\":1}]");
    rt_sio_encode_event(&buf, rt_str("/"), rt_str("a"), rt_str_null, 0);
    expect_buf(&buf, "42[\"a\"]");
    rt_sio_encode_event(&buf, rt_str("/r"), rt_str("a"),
        rt_str("{\"_placeholder\":true,\"num\":0}"), 1);
    expect_buf(&buf, "451-/r,[\"a\",{\"_placeholder\":true,\"num\":0}]");
    rt_sio_encode_ack(&buf, rt_str("/r"), 0, rt_str("{\"success\":true}"), 0);
    expect_buf(&buf, "43/r,0[{\"success\":true}]");
    rt_sio_encode_ack(&buf, rt_str("/"), 9007199254740991, rt_str_null, 0);
    expect_buf(&buf, "439007199254740991[]");
    rt_sio_encode_ack(&buf, rt_str("/"), 5, rt_str("1"), 2);
    expect_buf(&buf, "462-5[1]");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_protocol_errors),
        cmocka_unit_test(test_declined),
        cmocka_unit_test(test_attachments),
        cmocka_unit_test(test_attachments_out_of_turn),
        cmocka_unit_test(test_attachments_too_large),
        cmocka_unit_test(test_declined_with_attachments),
        cmocka_unit_test(test_encoders),
    };

    rt_json_init();

    return cmocka_run_group_tests(tests, NULL, NULL);
}
