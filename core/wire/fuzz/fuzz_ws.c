/* The WebSocket reader on any bytes, cut anywhere: what comes out may not depend on the cuts.
 *
 * Input: one byte of flags (1: deflate, 2: the smaller payload limit, 4: give messages back through
 * rt_ws_deflate), four bytes of piece sizes that are used in turn, the stream. */

#include <stdlib.h>
#include <string.h>

#include <rt/rt_text.h>
#include <rt/rt_ws.h>


#define FUZZ_HEAD        5
#define FUZZ_SIZES       4
#define FUZZ_MAX_PAYLOAD 20000
#define FUZZ_MIN_PAYLOAD 40

#define fuzz_check(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

typedef struct {
    rt_buf_t    out;
    rt_status_t status;
    uint16_t    close_code;
} fuzz_result_t;


static void
fuzz_record(fuzz_result_t *result, const rt_ws_message_t *message, uint32_t max_payload)
{
    rt_str_t text;

    text.data = (const char *) message->data;
    text.len = message->len;

    switch (message->opcode) {

    case RT_WS_TEXT:
        fuzz_check(rt_utf8_valid(text));
        fuzz_check(text.len <= max_payload);
        break;

    case RT_WS_BINARY:
        fuzz_check(text.len <= max_payload);
        break;

    case RT_WS_CLOSE:
        fuzz_check(rt_utf8_valid(text));
        fuzz_check(text.len <= 123);
        fuzz_check(message->close_code == RT_WS_CLOSE_NO_STATUS
            || rt_ws_close_code_valid(message->close_code));
        break;

    case RT_WS_PING:
    case RT_WS_PONG:
        fuzz_check(text.len <= 125);
        break;

    default:
        abort();
    }

    rt_buf_append_int(&result->out, message->opcode);
    rt_buf_append(&result->out, " ", 1);
    rt_buf_append_int(&result->out, message->close_code);
    rt_buf_append(&result->out, " ", 1);
    rt_buf_append_int(&result->out, (int64_t) message->len);
    rt_buf_append(&result->out, " ", 1);
    rt_buf_append_str(&result->out, text);
}


/* sizes: NULL to feed all in one piece. Each piece has memory of its own. */
static void
fuzz_feed(fuzz_result_t *result, const uint8_t *data, size_t len, const uint8_t *sizes, int deflate,
    uint32_t max_payload)
{
    size_t          at;
    size_t          pos;
    size_t          used;
    size_t          turn;
    size_t          piece_len;
    uint8_t        *piece;
    rt_ws_reader_t  reader;
    rt_ws_message_t message;

    rt_ws_reader_init(&reader, max_payload, deflate);
    result->status = RT_AGAIN;

    for (at = 0, turn = 0; at < len && result->status == RT_AGAIN; at += piece_len, turn++) {
        piece_len = sizes != NULL ? (size_t) sizes[turn % FUZZ_SIZES] + 1 : len;
        piece_len = piece_len < len - at ? piece_len : len - at;
        piece = malloc(piece_len);
        fuzz_check(piece != NULL);
        memcpy(piece, data + at, piece_len);
        pos = 0;

        do {
            result->status = rt_ws_read(&reader, piece + pos, piece_len - pos, &used, &message);
            fuzz_check(used <= piece_len - pos);
            pos += used;

            if (result->status == RT_OK) {
                fuzz_record(result, &message, max_payload);
            }
        } while (result->status == RT_OK);

        fuzz_check(result->status != RT_AGAIN || pos == piece_len);
        fuzz_check(reader.used <= max_payload + max_payload / 8 + 64);
        free(piece);
    }

    result->close_code = reader.close_code;
    fuzz_check((result->status == RT_INVALID) == (result->close_code != 0));
    rt_ws_reader_clear(&reader);
}


/* What we deflate, a peer inflates to the same. */
static void
fuzz_round_trip(const uint8_t *data, size_t len)
{
    size_t          used;
    size_t          header_len;
    uint8_t         header[RT_WS_HEADER_MAX];
    rt_buf_t        packed = {0};
    rt_buf_t        wire = {0};
    rt_ws_reader_t  reader;
    rt_ws_message_t message;

    if (rt_ws_deflate((rt_str_t){(const char *) data, len}, &packed) != RT_OK) {
        fuzz_check(packed.len == 0);
        rt_buf_free(&packed);
        return;
    }

    fuzz_check(packed.len < len);
    header_len = rt_ws_write_header(header, RT_WS_BINARY, 1, packed.len);
    header[1] |= 0x80;
    rt_buf_append(&wire, header, header_len);
    rt_buf_append(&wire, "\0\0\0\0", 4);
    rt_buf_append(&wire, packed.data, packed.len);
    fuzz_check(!wire.failed);

    rt_ws_reader_init(&reader, (uint32_t) len, 1);
    fuzz_check(rt_ws_read(&reader, (uint8_t *) wire.data, wire.len, &used, &message) == RT_OK);
    fuzz_check(message.len == len && memcmp(message.data, data, len) == 0);
    rt_ws_reader_clear(&reader);
    rt_buf_free(&packed);
    rt_buf_free(&wire);
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint32_t      max_payload;
    fuzz_result_t whole;
    fuzz_result_t cut;

    if (len <= FUZZ_HEAD) {
        return 0;
    }

    memset(&whole, 0, sizeof(whole));
    memset(&cut, 0, sizeof(cut));
    max_payload = (data[0] & 2) ? FUZZ_MIN_PAYLOAD : FUZZ_MAX_PAYLOAD;

    fuzz_feed(&whole, data + FUZZ_HEAD, len - FUZZ_HEAD, NULL, data[0] & 1, max_payload);
    fuzz_feed(&cut, data + FUZZ_HEAD, len - FUZZ_HEAD, data + 1, data[0] & 1, max_payload);

    fuzz_check(whole.status == cut.status);
    fuzz_check(whole.close_code == cut.close_code);
    fuzz_check(whole.out.len == cut.out.len);
    fuzz_check(whole.out.len == 0 || memcmp(whole.out.data, cut.out.data, cut.out.len) == 0);

    if (data[0] & 4) {
        fuzz_round_trip(data + FUZZ_HEAD, len - FUZZ_HEAD);
    }

    rt_buf_free(&whole.out);
    rt_buf_free(&cut.out);

    return 0;
}
