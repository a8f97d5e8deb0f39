/* What the real adapter, emitter and notepack.io 3 write, and what hostile bytes would like. The
 * hexadecimal texts were written by these packages. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rt/rt_adapter.h>
#include <rt/rt_json.h>

#include "bus/rt_msgpack.h"


static rt_adapter_message_t message;


/* Bytes of exactly that length on the heap, so that a sanitizer sees who reads behind them. */
static rt_str_t
bytes_of(const char *hex)
{
    char    *bytes;
    size_t   i, len;
    unsigned byte;

    len = strlen(hex) / 2;
    bytes = malloc(len ? len : 1);
    assert_non_null(bytes);

    for (i = 0; i < len; i++) {
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        bytes[i] = (char) byte;
    }

    return (rt_str_t){bytes, len};
}


static rt_status_t
broadcast(const char *hex)
{
    rt_str_t    bytes;
    rt_error_t  error = {0};
    rt_status_t status;

    bytes = bytes_of(hex);
    status = rt_adapter_decode_broadcast(bytes, &message, &error);
    free((char *) bytes.data);

    if (status != RT_OK) {
        assert_null(message.memory);
        assert_true(error.text[0] != '\0');
    }

    return status;
}


static rt_status_t
request(rt_str_t text)
{
    rt_error_t error = {0};

    return rt_adapter_decode_request(text, &message, &error);
}


static void
assert_str(rt_str_t s, const char *expected)
{
    assert_int_equal(s.len, strlen(expected));
    assert_memory_equal(s.data, expected, s.len);
}


static void
test_broadcast(void **state)
{
    const char *hex =
        "93a661626331323383a47479706502a46461746193a568656c6c6f83a16101a162a2c3bca16395c3c0fbcb3fb9"
        "99999999999acf00038d7ea4c68000a374776fa36e7370a92f7265616c74696d6583a5726f6f6d7392a6726f6f"
        "6d3a312aa665786365707491a178a5666c61677382a8766f6c6174696c65c3a774696d656f7574cd01f4";

    (void) state;

    assert_int_equal(broadcast(hex), RT_OK);
    assert_str(message.uid, "abc123");
    assert_str(message.nsp, "/realtime");
    assert_str(message.event, "hello");
    assert_str(message.args,
        "{\"a\":1,\"b\":\"ü\",\"c\":[true,null,-5,0.1,1000000000000000]},\"two\"");
    assert_str(message.data,
        "[{\"a\":1,\"b\":\"ü\",\"c\":[true,null,-5,0.1,1000000000000000]},\"two\"]");
    assert_int_equal(message.rooms.count, 2);
    assert_str(message.rooms.names[0], "room:1");
    assert_str(message.rooms.names[1], "42");
    assert_int_equal(message.except.count, 1);
    assert_str(message.except.names[0], "x");
    assert_int_equal(message.may_lose, 1);
    assert_int_equal(message.timeout_ms, 500);
    rt_adapter_message_clear(&message);
}


static void
test_broadcast_of_emitter(void **state)
{
    rt_str_t    bytes;
    const char *hex = "93a7656d697474657283a47479706502a46461746191a470696e67a36e7370a92f7265616c74"
                      "696d6583a5726f6f6d7390a5666c61677380a665786365707490";

    (void) state;

    bytes = bytes_of(hex);
    assert_str(rt_adapter_peek_uid(bytes), "emitter");
    assert_int_equal(rt_adapter_peek_uid((rt_str_t){bytes.data, 8}).len, 0);
    assert_int_equal(rt_adapter_peek_uid((rt_str_t){bytes.data, 1}).len, 0);
    free((char *) bytes.data);

    assert_int_equal(broadcast(hex), RT_OK);
    assert_str(message.uid, "emitter");
    assert_int_equal(message.args.len, 0);
    assert_str(message.data, "null");
    assert_int_equal(message.rooms.count, 0);
    assert_int_equal(message.may_lose, 0);
    rt_adapter_message_clear(&message);
}


static void
test_binary(void **state)
{
    (void) state;

    assert_int_equal(broadcast(
                         "93a661626331323383a47479706502a46461746193a466696c65c40301020381a178c4026"
                         "869a36e7370"
                         "a92f7265616c74696d6583a5726f6f6d7390a665786365707490a5666c61677380"),
        RT_OK);
    assert_str(message.args,
        "{\"_placeholder\":true,\"num\":0},{\"x\":{\"_placeholder\":true,\"num\":1}}");
    assert_str(message.data, "[\"AQID\",{\"x\":\"aGk=\"}]");
    assert_int_equal(message.attachment_count, 2);
    assert_str(message.attachments[0], "\x01\x02\x03");
    assert_str(message.attachments[1], "hi");
    rt_adapter_message_clear(&message);
}


/* As JSON.stringify() would write them. */
static void
test_dates_and_no_numbers(void **state)
{
    (void) state;

    assert_int_equal(
        broadcast("93a661626331323383a47479706502a46461746195a26174d7ff1d5353006553f100d6ff6553f10"
                  "0c70cff00000000fffffffffffffffbcb7ff8000000000000a36e7370a92f7265616c74696d6583"
                  "a5726f6f6d7390a665786365707490a5666c61677380"),
        RT_OK);
    assert_str(message.args,
        "\"2023-11-14T22:13:20.123Z\",\"2023-11-14T22:13:20.000Z\",\"1969-12-31T23:59:55.000Z\","
        "null");
    rt_adapter_message_clear(&message);
}


/* Half a surrogate pair: notepack.io writes it as f0 9f 90 80, a whole other character; cut here to
 * be no UTF-8 at all. */
static void
test_texts_that_are_none(void **state)
{
    (void) state;

    assert_int_equal(broadcast("93a661626331323383a47479706502a46461746192a3637574a6616200f09f90a3"
                               "6e7370a92f7265616c74696d6583a5726f6f6d7390a665786365707490a5666c61"
                               "677380"),
        RT_OK);
    assert_str(message.args, "\"ab\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    rt_adapter_message_clear(&message);
}


static void
test_hostile_counts(void **state)
{
    size_t i;

    static const char *const hostile[] = {"", "df10000000", /* a map of 2^28 */
        "ddffffffff",                                       /* an array of 2^32 - 1 */
        "93dfffffffff",                                     /* inside another */
        "dbffffffff61",                                     /* a text of 4 GB */
        "c6ffffffff00",                                     /* binary */
        "c9ffffffff0100", "c1", "93", "92a161", "93a16180", "9301020300", "cf00", "d6ff", "7b"};

    (void) state;

    for (i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        assert_int_equal(broadcast(hostile[i]), RT_INVALID);
    }
}


static void
test_limits(void **state)
{
    char       *bytes;
    size_t      len;
    rt_buf_t    buf = {0};
    json_t     *value;
    rt_str_t   *attachments;
    rt_error_t  error;
    rt_arena_t *arena;

    (void) state;

    arena = rt_arena_create(0);
    bytes = malloc(5 + RT_MSGPACK_VALUES_MAX);
    assert_non_null(bytes);

    /* as deep as may be: msgpack-c takes it; one deeper: refused before it is asked */
    memset(bytes, 0x91, RT_MSGPACK_DEPTH_MAX);
    bytes[RT_MSGPACK_DEPTH_MAX] = 1;
    assert_int_equal(rt_msgpack_decode(arena, (rt_str_t){bytes, RT_MSGPACK_DEPTH_MAX + 1}, &value,
                         &attachments, &len, 1, &error),
        RT_OK);
    json_decref(value);

    bytes[RT_MSGPACK_DEPTH_MAX] = (char) 0x91;
    bytes[RT_MSGPACK_DEPTH_MAX + 1] = 1;
    assert_int_equal(rt_msgpack_check((rt_str_t){bytes, RT_MSGPACK_DEPTH_MAX + 2}, &error),
        RT_INVALID);

    memset(bytes, 1, 5 + RT_MSGPACK_VALUES_MAX);
    memcpy(bytes, "\xdd\x00\x00\xff\xff", 5);
    assert_int_equal(rt_msgpack_check((rt_str_t){bytes, 5 + 0xffff}, &error), RT_OK);
    memcpy(bytes, "\xdd\x00\x01\x00\x00", 5);
    assert_int_equal(rt_msgpack_check((rt_str_t){bytes, 5 + 0x10000}, &error), RT_INVALID);
    free(bytes);

    /* more bytes than anybody may send */
    rt_buf_reserve(&buf, RT_ADAPTER_BYTES_MAX + 1);
    assert_int_equal(buf.failed, 0);
    memset(buf.data, 0, RT_ADAPTER_BYTES_MAX + 1);
    assert_int_equal(rt_adapter_decode_broadcast((rt_str_t){buf.data, RT_ADAPTER_BYTES_MAX + 1},
                         &message, &error),
        RT_TOO_LARGE);
    rt_buf_free(&buf);
    rt_arena_destroy(arena);
}


/* Packets that are no events, and events that clients would take for something else. */
static void
test_packets_refused(void **state)
{
    size_t                   i;
    rt_buf_t                 buf = {0};
    rt_error_t               error;
    rt_adapter_names_t       none = {0};
    static const char *const reserved[] = {"connect", "connect_error", "disconnect",
        "disconnecting", "newListener", "removeListener"};

    (void) state;

    for (i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        buf.len = 0;
        assert_int_equal(rt_adapter_encode_broadcast(&buf, rt_str("u"), rt_str("/"),
                             rt_str_c(reserved[i]), rt_str("1"), &none, &none),
            RT_OK);
        assert_int_equal(rt_adapter_decode_broadcast((rt_str_t){buf.data, buf.len}, &message,
                             &error),
            RT_INVALID);
    }

    rt_buf_free(&buf);

    /* {type: 1, data: ["x"], nsp: "/"}; rooms: [[]], which is not "all" */
    assert_int_equal(broadcast("93a16183a47479706501a46461746191a178a36e7370a12f81a5726f6f6d7390"),
        RT_INVALID);
    assert_int_equal(broadcast(
                         "93a16183a47479706502a46461746191a178a36e7370a12f81a5726f6f6d739190"),
        RT_INVALID);
    assert_int_equal(broadcast("93a16183a47479706502a46461746191a178a36e7370a12f81a5726f6f6d7390"),
        RT_OK);
    rt_adapter_message_clear(&message);

    /* binary outside of the arguments would be counted and not found by the client */
    assert_int_equal(broadcast(
                         "93a16183a47479706502a46461746191a178a36e7370a12f81a5726f6f6d73c40100"),
        RT_INVALID);
}


static void
test_round_trip(void **state)
{
    rt_buf_t           buf = {0};
    rt_str_t           rooms[] = {rt_str("room:1"), rt_str("1")};
    rt_str_t           except[] = {rt_str("user:2")};
    rt_error_t         error;
    rt_adapter_names_t to = {rooms, 2}, but = {except, 1};

    static const char data[] = "{\"n\":[1,-1,1.5,true,false,null,9007199254740991],\"t\":\"é\"}";

    (void) state;

    assert_int_equal(rt_adapter_encode_broadcast(&buf, rt_str("nginx"), rt_str("/realtime"),
                         rt_str("chat:new-message"), rt_str(data), &to, &but),
        RT_OK);
    assert_str(rt_adapter_peek_uid((rt_str_t){buf.data, buf.len}), "nginx");
    assert_int_equal(rt_adapter_decode_broadcast((rt_str_t){buf.data, buf.len}, &message, &error),
        RT_OK);
    assert_str(message.uid, "nginx");
    assert_str(message.nsp, "/realtime");
    assert_str(message.event, "chat:new-message");
    assert_str(message.args, data);
    assert_str(message.data, data);
    assert_int_equal(message.rooms.count, 2);
    assert_str(message.rooms.names[1], "1");
    assert_str(message.except.names[0], "user:2");
    rt_adapter_message_clear(&message);

    buf.len = 0;
    assert_int_equal(rt_adapter_encode_broadcast(&buf, rt_str("nginx"), rt_str("/"), rt_str("x"),
                         rt_str("{"), &to, &but),
        RT_INVALID);
    assert_int_equal(buf.len, 0);
    rt_buf_free(&buf);
}


static void
test_acknowledged(void **state)
{
    json_t  *value;
    rt_buf_t buf = {0};
    rt_str_t bytes[] = {rt_str("\x01\x02")};

    static const char expected[] = "\x83\xa4type\x09\xa9requestId\xa2r1\xa6packet\x91\xc4\x02\x01"
                                   "\x02";

    (void) state;

    assert_int_equal(rt_json_parse(rt_str("[{\"_placeholder\":true,\"num\":0}]"), &value, NULL),
        RT_OK);
    assert_int_equal(rt_adapter_encode_acknowledged(&buf, rt_str("r1"), value, bytes, 1), RT_OK);
    assert_int_equal(buf.len, sizeof(expected) - 1);
    assert_memory_equal(buf.data, expected, buf.len);
    json_decref(value);
    rt_buf_free(&buf);
}


static void
test_requests(void **state)
{
    (void) state;

    assert_int_equal(request(rt_str("{\"uid\":\"abc123\",\"requestId\":\"r1\",\"type\":5,"
                                    "\"opts\":{\"rooms\":[\"a\"],\"except\":[\"b\"]}}")),
        RT_OK);
    assert_int_equal(message.type, RT_ADAPTER_FETCH);
    assert_str(message.uid, "abc123");
    assert_str(message.request_id, "r1");
    assert_str(message.rooms.names[0], "a");
    assert_str(message.except.names[0], "b");
    rt_adapter_message_clear(&message);

    assert_int_equal(request(rt_str(
                         "{\"type\":2,\"opts\":{\"rooms\":[],\"except\":[]},\"rooms\":[\"x\",7]}")),
        RT_OK);
    assert_int_equal(message.type, RT_ADAPTER_JOIN);
    assert_int_equal(message.rooms.count, 0);
    assert_int_equal(message.targets.count, 2);
    assert_str(message.targets.names[1], "7");
    assert_int_equal(message.uid.len + message.request_id.len, 0);
    rt_adapter_message_clear(&message);

    assert_int_equal(request(
                         rt_str("{\"requestId\":\"q\",\"type\":3,\"sid\":\"s1\",\"room\":\"r\"}")),
        RT_OK);
    assert_str(message.sid, "s1");
    assert_str(message.targets.names[0], "r");
    rt_adapter_message_clear(&message);

    assert_int_equal(request(rt_str("{\"type\":4,\"opts\":{\"rooms\":[\"r\"]},\"close\":true}")),
        RT_OK);
    assert_int_equal(message.close, 1);
    rt_adapter_message_clear(&message);

    assert_int_equal(request(rt_str("{\"type\":6,\"data\":[\"ev\"]}")), RT_OK);
    assert_int_equal(message.type, RT_ADAPTER_SERVER_SIDE_EMIT);
    rt_adapter_message_clear(&message);

    assert_int_equal(request(rt_str("{\"type\":0,\"requestId\":\"q\",\"rooms\":[\"r\"]}")), RT_OK);
    assert_str(message.rooms.names[0], "r");
    rt_adapter_message_clear(&message);
}


static void
test_requests_refused(void **state)
{
    (void) state;

    assert_int_equal(request(rt_str("{\"type\":8,\"requestId\":\"q\"}")), RT_DECLINED);
    assert_int_equal(request(rt_str("{\"type\":77}")), RT_DECLINED);
    assert_int_equal(request(rt_str("{\"type\":-1}")), RT_DECLINED);
    assert_int_equal(request(rt_str("{\"type\":\"5\"}")), RT_INVALID);
    assert_int_equal(request(rt_str("{\"type\":")), RT_INVALID);
    assert_int_equal(request(rt_str("[5]")), RT_INVALID);
    assert_int_equal(request(rt_str("{}")), RT_INVALID);

    /* everybody would be meant by what says nobody */
    assert_int_equal(request(rt_str("{\"type\":4,\"close\":true}")), RT_INVALID);
    assert_int_equal(request(rt_str("{\"type\":2,\"rooms\":[\"x\"]}")), RT_INVALID);
    assert_int_equal(request(rt_str("{\"type\":4,\"opts\":{\"rooms\":[null]}}")), RT_INVALID);
    assert_int_equal(request(rt_str("{\"type\":4,\"opts\":{}}")), RT_INVALID);
}


static void
test_request_with_packet(void **state)
{
    rt_str_t   bytes;
    rt_error_t error;

    (void) state;

    bytes = bytes_of(
        "85a3756964a6616263313233a9726571756573744964a27231a47479706507a67061636b657483a47479706502"
        "a46461746192a17181a16e01a36e7370a92f7265616c74696d65a46f70747383a5726f6f6d7391a6757365723a"
        "31a665786365707490a5666c61677381a774696d656f7574cd03e8");
    assert_int_equal(rt_adapter_decode_request(bytes, &message, &error), RT_OK);
    free((char *) bytes.data);

    assert_int_equal(message.type, RT_ADAPTER_BROADCAST);
    assert_str(message.request_id, "r1");
    assert_str(message.event, "q");
    assert_str(message.args, "{\"n\":1}");
    assert_str(message.rooms.names[0], "user:1");
    assert_int_equal(message.timeout_ms, 1000);
    rt_adapter_message_clear(&message);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broadcast),
        cmocka_unit_test(test_broadcast_of_emitter),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_dates_and_no_numbers),
        cmocka_unit_test(test_texts_that_are_none),
        cmocka_unit_test(test_hostile_counts),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_packets_refused),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_acknowledged),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_requests_refused),
        cmocka_unit_test(test_request_with_packet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
