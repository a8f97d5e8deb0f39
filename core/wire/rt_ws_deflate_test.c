/* permessage-deflate through the public doors: what rt_ws_deflate makes, rt_ws_read reads. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rt/rt_ws.h>


#define MAX_PAYLOAD 100000

/* What one message came to. */
typedef struct {
    rt_status_t    status;
    uint16_t       close_code;
    rt_ws_opcode_t opcode;
    size_t         len;
    uint8_t        data[MAX_PAYLOAD + 1];
} result_t;

static result_t result;


static void
add_frame(rt_buf_t *wire, uint8_t first, const void *payload, size_t len)
{
    uint8_t header[14];
    size_t  n;

    assert_true(len <= 0xffff);
    header[0] = first;
    header[1] = (uint8_t) (0x80 | (len <= 125 ? len : 126));
    header[2] = (uint8_t) (len >> 8);
    header[3] = (uint8_t) len;
    n = len <= 125 ? 2 : 4;
    memset(header + n, 0, 4); /* a mask of zeros leaves the bytes as they are */
    rt_buf_append(wire, header, n + 4);
    rt_buf_append(wire, payload, len);
    assert_false(wire->failed);
}


/* Reads until one message is whole, or it fails. */
static void
feed(const rt_buf_t *wire, size_t chunk, uint32_t max_payload)
{
    size_t          at;
    size_t          len;
    size_t          used;
    uint8_t        *piece;
    rt_ws_reader_t  reader;
    rt_ws_message_t message;

    rt_ws_reader_init(&reader, max_payload, 1);
    memset(&result, 0, sizeof(result));
    result.status = RT_AGAIN;

    for (at = 0; at < wire->len && result.status == RT_AGAIN; at += len) {
        len = wire->len - at < chunk ? wire->len - at : chunk;
        piece = malloc(len);
        assert_non_null(piece);
        memcpy(piece, wire->data + at, len);
        result.status = rt_ws_read(&reader, piece, len, &used, &message);

        if (result.status == RT_OK) {
            assert_true(message.len <= MAX_PAYLOAD);
            result.opcode = message.opcode;
            result.len = message.len;
            memcpy(result.data, message.data, message.len);
            assert_null(reader.buffer);
        }

        free(piece);
    }

    result.close_code = reader.close_code;
    rt_ws_reader_clear(&reader);
}


static void
expect_failure(const rt_buf_t *wire, uint32_t max_payload, uint16_t close_code)
{
    feed(wire, wire->len, max_payload);
    assert_int_equal(result.status, RT_INVALID);
    assert_int_equal(result.close_code, close_code);
    feed(wire, 3, max_payload);
    assert_int_equal(result.status, RT_INVALID);
    assert_int_equal(result.close_code, close_code);
}


/* RFC 7692 7.2.3: each of the ways to write "Hello". */
static void
test_examples_of_the_rfc(void **state)
{
    size_t   i;
    rt_buf_t wire;

    static const struct {
        uint8_t data[32];
        size_t  len;
    } hello[] = {
        {{0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}, 7},
        {{0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00}, 11},
        {{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00}, 8},
        {{0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00}, 13},
        {{0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}, 7}, /* nothing behind the last block */
    };

    (void) state;

    for (i = 0; i < sizeof(hello) / sizeof(hello[0]); i++) {
        memset(&wire, 0, sizeof(wire));
        add_frame(&wire, 0xc1, hello[i].data, hello[i].len);
        feed(&wire, wire.len, 5);
        assert_int_equal(result.status, RT_OK);
        assert_int_equal(result.len, 5);
        assert_memory_equal(result.data, "Hello", 5);
        feed(&wire, 1, MAX_PAYLOAD);
        assert_int_equal(result.status, RT_OK);
        assert_memory_equal(result.data, "Hello", 5);
        rt_buf_free(&wire);
    }
}


static void
test_fragments(void **state)
{
    rt_buf_t wire = {0};

    (void) state;

    add_frame(&wire, 0x41, "\xf2\x48\xcd", 3);
    add_frame(&wire, 0x80, "\xc9\xc9\x07\x00", 4);
    feed(&wire, wire.len, MAX_PAYLOAD);
    assert_int_equal(result.status, RT_OK);
    assert_int_equal(result.opcode, RT_WS_TEXT);
    assert_memory_equal(result.data, "Hello", 5);
    rt_buf_free(&wire);

    /* RSV1 belongs to the first frame only */
    add_frame(&wire, 0x41, "\xf2\x48\xcd", 3);
    add_frame(&wire, 0xc0, "\xc9\xc9\x07\x00", 4);
    expect_failure(&wire, MAX_PAYLOAD, 1002);
    rt_buf_free(&wire);

    add_frame(&wire, 0xc9, "", 0);
    expect_failure(&wire, MAX_PAYLOAD, 1002);
    rt_buf_free(&wire);
}


static void
test_empty(void **state)
{
    rt_buf_t wire = {0};

    (void) state;

    add_frame(&wire, 0xc1, "\0", 1);
    feed(&wire, wire.len, 0);
    assert_int_equal(result.status, RT_OK);
    assert_int_equal(result.len, 0);
    rt_buf_free(&wire);

    add_frame(&wire, 0xc1, "", 0);
    feed(&wire, wire.len, MAX_PAYLOAD);
    assert_int_equal(result.status, RT_OK);
    assert_int_equal(result.len, 0);
    rt_buf_free(&wire);
}


static void
test_bad_data(void **state)
{
    rt_buf_t wire = {0};

    (void) state;

    add_frame(&wire, 0xc2, "\xff\xff\xff", 3);
    expect_failure(&wire, MAX_PAYLOAD, 1007);
    rt_buf_free(&wire);

    /* cut short: the tail would be taken for data */
    add_frame(&wire, 0xc2, "\x00\x05\x00\xfa\xffHe", 7);
    expect_failure(&wire, MAX_PAYLOAD, 1007);
    rt_buf_free(&wire);

    /* inflated text is checked as any other */
    add_frame(&wire, 0xc1, "\x00\x01\x00\xfe\xff\xff\x00", 7);
    expect_failure(&wire, MAX_PAYLOAD, 1007);
    feed(&wire, wire.len, MAX_PAYLOAD);
    assert_int_equal(result.len, 0);
    rt_buf_free(&wire);

    add_frame(&wire, 0xc2, "\x00\x01\x00\xfe\xff\xff\x00", 7);
    feed(&wire, wire.len, MAX_PAYLOAD);
    assert_int_equal(result.status, RT_OK);
    assert_int_equal(result.len, 1);
    rt_buf_free(&wire);
}


static void
test_bomb(void **state)
{
    char    *zeros;
    rt_buf_t packed = {0};
    rt_buf_t wire = {0};

    (void) state;

    zeros = calloc(1, MAX_PAYLOAD);
    assert_non_null(zeros);
    assert_int_equal(rt_ws_deflate((rt_str_t){zeros, MAX_PAYLOAD}, &packed), RT_OK);
    assert_true(packed.len < 1000);
    add_frame(&wire, 0xc2, packed.data, packed.len);

    feed(&wire, wire.len, MAX_PAYLOAD);
    assert_int_equal(result.status, RT_OK);
    assert_int_equal(result.len, MAX_PAYLOAD);
    expect_failure(&wire, MAX_PAYLOAD - 1, 1009);
    expect_failure(&wire, 1000, 1009);

    free(zeros);
    rt_buf_free(&packed);
    rt_buf_free(&wire);
}


static void
test_round_trip(void **state)
{
    size_t   i;
    size_t   len;
    char     text[40000];
    rt_buf_t packed;
    rt_buf_t wire;

    (void) state;

    for (i = 0; i < sizeof(text); i++) {
        text[i] = "the same words come again and again"[(i * i / 7) % 35];
    }

    for (len = 60; len < sizeof(text); len = len * 3 + 1) {
        memset(&packed, 0, sizeof(packed));
        memset(&wire, 0, sizeof(wire));
        rt_buf_append(&packed, "kept", 4);
        assert_int_equal(rt_ws_deflate((rt_str_t){text, len}, &packed), RT_OK);
        assert_true(packed.len - 4 < len);
        assert_memory_equal(packed.data, "kept", 4);

        add_frame(&wire, 0xc1, packed.data + 4, packed.len - 4);
        feed(&wire, wire.len, MAX_PAYLOAD);
        assert_int_equal(result.status, RT_OK);
        assert_int_equal(result.len, len);
        assert_memory_equal(result.data, text, len);
        feed(&wire, 7, (uint32_t) len);
        assert_int_equal(result.status, RT_OK);
        assert_memory_equal(result.data, text, len);

        rt_buf_free(&packed);
        rt_buf_free(&wire);
    }
}


static void
test_not_worth_it(void **state)
{
    rt_buf_t out = {0};

    (void) state;

    rt_buf_append(&out, "kept", 4);
    assert_int_equal(rt_ws_deflate(rt_str(""), &out), RT_DECLINED);
    assert_int_equal(rt_ws_deflate(rt_str("x"), &out), RT_DECLINED);
    assert_int_equal(rt_ws_deflate(rt_str("q8#zK!"), &out), RT_DECLINED);
    assert_int_equal(out.len, 4);
    assert_memory_equal(out.data, "kept", 4);
    rt_buf_free(&out);
}


/* An encoder may need more bytes than the message has: the limit is for what it holds. */
static void
test_largest_message_in_stored_blocks(void **state)
{
    size_t   i;
    rt_buf_t packed = {0};
    rt_buf_t wire = {0};

    (void) state;

    for (i = 0; i < 8; i++) {
        rt_buf_append(&packed, "\x00\x64\x00\x9b\xff", 5);
        rt_buf_append(&packed,
            "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
            "567890123456789",
            100);
    }

    rt_buf_append(&packed, "\0", 1);
    add_frame(&wire, 0xc1, packed.data, packed.len);
    feed(&wire, wire.len, 800);
    assert_int_equal(result.status, RT_OK);
    assert_int_equal(result.len, 800);
    expect_failure(&wire, 799, 1009);
    expect_failure(&wire, 600, 1009); /* from the header alone */
    rt_buf_free(&packed);
    rt_buf_free(&wire);
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
        cmocka_unit_test(test_examples_of_the_rfc),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_bad_data),
        cmocka_unit_test(test_bomb),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_not_worth_it),
        cmocka_unit_test(test_largest_message_in_stored_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
