/* The reader against RFC 6455: what must pass, what must fail and with which code, each also byte
 * by byte. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rt/rt_ws.h>


#define MAX_PAYLOAD 1000
#define OUT_MAX     4096

static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};

/* What came out of the reader, written as text: opcode, length and bytes of each message. */
typedef struct {
    char        text[OUT_MAX];
    size_t      len;
    unsigned    count;
    rt_status_t status;
    uint16_t    close_code;
    uint16_t    peer_code;
} result_t;

/* Bytes as a client sends them. */
typedef struct {
    uint8_t data[8192];
    size_t  len;
} wire_t;


static void
add_raw(wire_t *wire, const void *data, size_t len)
{
    assert_true(wire->len + len <= sizeof(wire->data));
    memcpy(wire->data + wire->len, data, len);
    wire->len += len;
}


/* first: FIN, RSV and opcode */
static void
add_frame(wire_t *wire, uint8_t first, const void *payload, size_t len)
{
    size_t  i;
    uint8_t byte;
    uint8_t header[4];

    header[0] = first;

    if (len <= 125) {
        header[1] = (uint8_t) (0x80 | len);
        add_raw(wire, header, 2);

    } else {
        header[1] = 0x80 | 126;
        header[2] = (uint8_t) (len >> 8);
        header[3] = (uint8_t) len;
        add_raw(wire, header, 4);
    }

    add_raw(wire, mask, 4);

    for (i = 0; i < len; i++) {
        byte = ((const uint8_t *) payload)[i] ^ mask[i % 4];
        add_raw(wire, &byte, 1);
    }
}


static void
add_text(wire_t *wire, uint8_t first, const char *payload)
{
    add_frame(wire, first, payload, strlen(payload));
}


static void
record(result_t *result, const rt_ws_message_t *message)
{
    char *to;

    to = result->text + result->len;
    assert_true(result->len + message->len + 8 < OUT_MAX);
    to[0] = "0123456789ABCDEF"[message->opcode];
    to[1] = ':';
    memcpy(to + 2, message->data, message->len);
    to[2 + message->len] = ';';
    to[3 + message->len] = '\0';
    result->len += message->len + 3;
    result->count++;
    result->peer_code = message->close_code;
}


/* Feeds all, in pieces of `chunk` bytes, each in memory of its own so that a sanitizer sees every
 * byte too far. */
static void
feed(result_t *result, const wire_t *wire, size_t chunk, uint32_t max_payload)
{
    size_t          at;
    size_t          len;
    size_t          used;
    size_t          pos;
    uint8_t        *piece;
    rt_ws_reader_t  reader;
    rt_ws_message_t message;

    memset(result, 0, sizeof(result_t));
    rt_ws_reader_init(&reader, max_payload, 0);
    result->status = RT_AGAIN;

    for (at = 0; at < wire->len; at += len) {
        len = wire->len - at < chunk ? wire->len - at : chunk;
        piece = malloc(len);
        assert_non_null(piece);
        memcpy(piece, wire->data + at, len);
        pos = 0;

        do {
            result->status = rt_ws_read(&reader, piece + pos, len - pos, &used, &message);
            pos += used;

            if (result->status == RT_OK) {
                record(result, &message);
            }
        } while (result->status == RT_OK);

        free(piece);

        if (result->status == RT_INVALID) {
            break;
        }

        assert_int_equal(result->status, RT_AGAIN);
        assert_int_equal(pos, len);
    }

    result->close_code = reader.close_code;
    rt_ws_reader_clear(&reader);
    assert_null(reader.buffer);
    assert_null(reader.control);
}


/* The same must come out however the network cuts it. */
static void
expect(const wire_t *wire, const char *text, rt_status_t status, uint16_t close_code)
{
    size_t   chunk;
    result_t result;

    for (chunk = 1; chunk <= wire->len; chunk = chunk < 20 ? chunk + 1 : chunk * 2) {
        feed(&result, wire, chunk, MAX_PAYLOAD);
        assert_string_equal(result.text, text);
        assert_int_equal(result.status, status);
        assert_int_equal(result.close_code, close_code);
    }

    feed(&result, wire, wire->len, MAX_PAYLOAD);
    assert_string_equal(result.text, text);
    assert_int_equal(result.status, status);
    assert_int_equal(result.close_code, close_code);
}


static void
test_size(void **state)
{
    (void) state;

    assert_true(sizeof(rt_ws_reader_t) <= 64);
}


static void
test_messages(void **state)
{
    wire_t wire = {.len = 0};

    (void) state;

    add_text(&wire, 0x81, "");
    add_text(&wire, 0x81, "Hello");
    add_text(&wire, 0x82, "\xff\xfe");
    add_text(&wire, 0x89, "ping");
    add_text(&wire, 0x8a, "");
    add_text(&wire, 0x81, "h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
    expect(&wire, "1:;1:Hello;2:\xff\xfe;9:ping;A:;1:h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80;",
        RT_AGAIN, 0);
}


static void
test_fragments(void **state)
{
    wire_t wire = {.len = 0};

    (void) state;

    add_text(&wire, 0x01, "Hel");
    add_text(&wire, 0x89, "between");
    add_text(&wire, 0x00, "");
    add_text(&wire, 0x8a, "too");
    add_text(&wire, 0x80, "lo");
    add_text(&wire, 0x02, "");
    add_text(&wire, 0x00, "");
    add_text(&wire, 0x80, "");
    add_text(&wire, 0x02, "");
    add_text(&wire, 0x80, "abc");
    expect(&wire, "9:between;A:too;1:Hello;2:;2:abc;", RT_AGAIN, 0);
}


static void
test_character_cut_by_fragments(void **state)
{
    wire_t wire = {.len = 0};

    (void) state;

    add_text(&wire, 0x01, "\xf0");
    add_text(&wire, 0x00, "\x9f\x98");
    add_text(&wire, 0x80, "\x80");
    expect(&wire, "1:\xf0\x9f\x98\x80;", RT_AGAIN, 0);

    wire.len = 0;
    add_text(&wire, 0x01, "\xf0\x9f");
    add_text(&wire, 0x80, "\x98");
    expect(&wire, "", RT_INVALID, 1007);
}


static void
test_bad_utf8(void **state)
{
    size_t      i;
    wire_t      wire;
    const char *bad[] = {
        "\x80",
        "ab\xff",
        "\xc0\xaf",
        "\xc1\xbf",
        "\xe0\x80\xaf",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xc3",
        "\xc3(",
        "0123456789abcdef0123456789abcdef\xe2\x82",
        "\xe2\x82\xac\xac",
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        wire.len = 0;
        add_text(&wire, 0x81, bad[i]);
        expect(&wire, "", RT_INVALID, 1007);
    }
}


static void
test_borders_of_utf8(void **state)
{
    wire_t      wire = {.len = 0};
    const char *text = "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
                       "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf";
    char        expected[64];

    (void) state;

    add_text(&wire, 0x81, text);
    (void) snprintf(expected, sizeof(expected), "1:%s;", text);
    expect(&wire, expected, RT_AGAIN, 0);
}


/* Autobahn 6.4: the wrong byte ends it, not the frame's or the message's end. */
static void
test_utf8_fails_fast(void **state)
{
    wire_t   wire = {.len = 0};
    result_t result;

    (void) state;

    add_text(&wire, 0x01, "\xce\xba\xe1\xbd\xb9\xf4\x90 and more that never comes");
    wire.len = 6 + 7;
    feed(&result, &wire, wire.len, MAX_PAYLOAD);
    assert_int_equal(result.status, RT_INVALID);
    assert_int_equal(result.close_code, 1007);

    wire.len = 6 + 6;
    feed(&result, &wire, wire.len, MAX_PAYLOAD);
    assert_int_equal(result.status, RT_AGAIN);
}


/* Bytes that no frame may begin with, or that may not follow what came before. */
static void
test_protocol_errors(void **state)
{
    size_t  i;
    uint8_t first;
    wire_t  wire;

    static const struct {
        uint8_t data[8];
        size_t  len;
    } bad[] = {
        {{0x81, 0x00}, 2},                         /* no mask */
        {{0x91, 0x80}, 2},                         /* RSV3 */
        {{0xa1, 0x80}, 2},                         /* RSV2 */
        {{0xc1, 0x80}, 2},                         /* RSV1, nothing negotiated */
        {{0xc9, 0x80}, 2},                         /* RSV1 on a control frame */
        {{0x09, 0x80}, 2},                         /* fragmented ping */
        {{0x08, 0x80}, 2},                         /* fragmented close */
        {{0x89, 0xfe}, 2},                         /* ping of 126 bytes */
        {{0x88, 0xff}, 2},                         /* close with a 64 bit length */
        {{0x80, 0x80}, 2},                         /* continues nothing */
        {{0x00, 0x80}, 2},                         /* the same, not final */
        {{0x01, 0x80, 1, 2, 3, 4, 0x81, 0x80}, 8}, /* text within a message */
        {{0x88, 0x81, 0, 0, 0, 0, 0x03}, 7},       /* close with half a code */
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        wire.len = 0;
        add_raw(&wire, bad[i].data, bad[i].len);
        expect(&wire, "", RT_INVALID, 1002);
    }

    for (first = 0x80; first <= 0x8f; first++) {
        if ((first & 0xf) > 2 && ((first & 0xf) < 8 || (first & 0xf) > 10)) {
            wire.len = 0;
            add_text(&wire, first, "");
            expect(&wire, "", RT_INVALID, 1002);
        }
    }
}


static void
test_lengths(void **state)
{
    wire_t        wire = {.len = 0};
    result_t      result;
    const uint8_t top_bit[] = {0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4};
    const uint8_t not_minimal[] = {0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 'x'};

    (void) state;

    add_raw(&wire, top_bit, sizeof(top_bit));
    expect(&wire, "", RT_INVALID, 1002);

    wire.len = 0;
    add_raw(&wire, not_minimal, sizeof(not_minimal));
    feed(&result, &wire, wire.len, MAX_PAYLOAD);
    assert_string_equal(result.text, "2:x;");
}


static void
test_too_big(void **state)
{
    char          big[MAX_PAYLOAD + 1];
    wire_t        wire = {.len = 0};
    result_t      result;
    const uint8_t huge[] = {0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4};

    (void) state;

    memset(big, 'x', sizeof(big));
    add_frame(&wire, 0x81, big, MAX_PAYLOAD);
    feed(&result, &wire, wire.len, MAX_PAYLOAD);
    assert_int_equal(result.count, 1);
    feed(&result, &wire, 100, MAX_PAYLOAD);
    assert_int_equal(result.count, 1);

    /* told from the header alone */
    wire.len = 0;
    add_frame(&wire, 0x81, big, MAX_PAYLOAD + 1);
    wire.len = 8;
    expect(&wire, "", RT_INVALID, 1009);

    wire.len = 0;
    add_raw(&wire, huge, sizeof(huge));
    expect(&wire, "", RT_INVALID, 1009);

    /* fragments count together */
    wire.len = 0;
    add_frame(&wire, 0x01, big, MAX_PAYLOAD - 1);
    add_frame(&wire, 0x80, big, 2);
    expect(&wire, "", RT_INVALID, 1009);

    wire.len = 0;
    add_frame(&wire, 0x01, big, MAX_PAYLOAD - 1);
    add_frame(&wire, 0x80, big, 1);
    feed(&result, &wire, 333, MAX_PAYLOAD);
    assert_int_equal(result.count, 1);
}


static void
test_close(void **state)
{
    size_t   i;
    uint8_t  payload[2];
    wire_t   wire = {.len = 0};
    result_t result;

    static const uint16_t good[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012,
        1014, 3000, 3999, 4000, 4999};
    static const uint16_t bad[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000,
        65535};

    (void) state;

    add_text(&wire, 0x88, "");
    feed(&result, &wire, wire.len, MAX_PAYLOAD);
    assert_string_equal(result.text, "8:;");
    assert_int_equal(result.peer_code, RT_WS_CLOSE_NO_STATUS);

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        wire.len = 0;
        payload[0] = (uint8_t) (good[i] >> 8);
        payload[1] = (uint8_t) good[i];
        add_frame(&wire, 0x88, payload, 2);
        expect(&wire, "8:;", RT_AGAIN, 0);
        feed(&result, &wire, wire.len, MAX_PAYLOAD);
        assert_int_equal(result.peer_code, good[i]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        wire.len = 0;
        payload[0] = (uint8_t) (bad[i] >> 8);
        payload[1] = (uint8_t) bad[i];
        add_frame(&wire, 0x88, payload, 2);
        expect(&wire, "", RT_INVALID, 1002);
    }
}


static void
test_close_reason(void **state)
{
    wire_t wire = {.len = 0};
    char   reason[125];
    char   expected[128];

    (void) state;

    add_text(&wire, 0x88, "\x03\xe8went \xe2\x82\xac");
    expect(&wire, "8:went \xe2\x82\xac;", RT_AGAIN, 0);

    wire.len = 0;
    add_text(&wire, 0x88, "\x03\xe8went \xe2\x82");
    expect(&wire, "", RT_INVALID, 1007);

    wire.len = 0;
    memset(reason, 'r', sizeof(reason));
    reason[0] = '\x03';
    reason[1] = '\xe8';
    add_frame(&wire, 0x88, reason, sizeof(reason));
    add_text(&wire, 0x81, "ignored");
    add_raw(&wire, "\x7f\x7f\x7f", 3);
    reason[0] = '8';
    reason[1] = ':';
    (void) snprintf(expected, sizeof(expected), "%.*s;", (int) sizeof(reason), reason);
    expect(&wire, expected, RT_AGAIN, 0);
}


/* A close in the middle of a fragmented message is a close. */
static void
test_close_within_message(void **state)
{
    wire_t wire = {.len = 0};

    (void) state;

    add_text(&wire, 0x01, "begun");
    add_text(&wire, 0x88, "\x03\xe9");
    add_text(&wire, 0x80, "never read");
    expect(&wire, "8:;", RT_AGAIN, 0);
}


static void
test_nothing_held_between_messages(void **state)
{
    wire_t          wire = {.len = 0};
    size_t          used;
    rt_ws_reader_t  reader;
    rt_ws_message_t message;

    (void) state;

    add_text(&wire, 0x01, "Hel");
    add_text(&wire, 0x89, "ping");
    add_text(&wire, 0x80, "lo");
    rt_ws_reader_init(&reader, MAX_PAYLOAD, 0);

    assert_int_equal(rt_ws_read(&reader, wire.data, wire.len, &used, &message), RT_OK);
    assert_non_null(reader.buffer);
    wire.len -= used;
    assert_int_equal(rt_ws_read(&reader, wire.data + used, wire.len, &used, &message), RT_OK);
    assert_null(reader.buffer);
    assert_null(reader.control);

    /* the message outlives the reader */
    rt_ws_reader_clear(&reader);
    assert_memory_equal(message.data, "Hello", 5);
}


static void
test_no_copy_of_whole_messages(void **state)
{
    wire_t          wire = {.len = 0};
    size_t          used;
    rt_ws_reader_t  reader;
    rt_ws_message_t message;

    (void) state;

    add_text(&wire, 0x81, "Hello");
    rt_ws_reader_init(&reader, MAX_PAYLOAD, 0);
    assert_int_equal(rt_ws_read(&reader, wire.data, wire.len, &used, &message), RT_OK);
    assert_ptr_equal(message.data, wire.data + 6);
    assert_int_equal(used, wire.len);
    rt_ws_reader_clear(&reader);
}


/* What was announced costs nothing until it comes. */
static void
test_memory_follows_bytes(void **state)
{
    uint8_t         data[] = {0x82, 0xff, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 'x'};
    size_t          used;
    rt_ws_reader_t  reader;
    rt_ws_message_t message;

    (void) state;

    rt_ws_reader_init(&reader, 0x20000000, 0);
    assert_int_equal(rt_ws_read(&reader, data, sizeof(data), &used, &message), RT_AGAIN);
    assert_true(reader.size <= 4096);
    rt_ws_reader_clear(&reader);
}


static void
test_stays_failed(void **state)
{
    uint8_t         bad[] = {0x81, 0x00};
    wire_t          wire = {.len = 0};
    size_t          used;
    rt_ws_reader_t  reader;
    rt_ws_message_t message;

    (void) state;

    rt_ws_reader_init(&reader, MAX_PAYLOAD, 0);
    assert_int_equal(rt_ws_read(&reader, bad, sizeof(bad), &used, &message), RT_INVALID);
    add_text(&wire, 0x81, "good");
    assert_int_equal(rt_ws_read(&reader, wire.data, wire.len, &used, &message), RT_INVALID);
    assert_int_equal(reader.close_code, 1002);
    rt_ws_reader_clear(&reader);
}


static int
teardown(void **state)
{
    (void) state;

    rt_ws_thread_clear();

    return 0;
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_character_cut_by_fragments),
        cmocka_unit_test(test_bad_utf8),
        cmocka_unit_test(test_borders_of_utf8),
        cmocka_unit_test(test_utf8_fails_fast),
        cmocka_unit_test(test_protocol_errors),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_too_big),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_close_reason),
        cmocka_unit_test(test_close_within_message),
        cmocka_unit_test(test_nothing_held_between_messages),
        cmocka_unit_test(test_no_copy_of_whole_messages),
        cmocka_unit_test(test_memory_follows_bytes),
        cmocka_unit_test(test_stays_failed),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
