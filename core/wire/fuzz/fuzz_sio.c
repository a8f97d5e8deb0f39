/* A connection's Socket.IO messages, separated by \x1e as in a polling body; those that begin with
 * 'b' are binary. What was decoded is encoded and decoded again. */

#include <stdlib.h>
#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_sio.h>
#include <rt/rt_text.h>


#define FUZZ_MAX_BYTES 64

#define fuzz_check(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)


/* An ack shows every part of a packet: namespace, id, attachments, data. */
static void
fuzz_round_trip(const rt_sio_packet_t *packet)
{
    size_t           i;
    int64_t          id;
    rt_buf_t         args = {0};
    rt_buf_t         text = {0};
    rt_status_t      status;
    rt_sio_packet_t  again;
    rt_sio_decoder_t decoder = {0};

    id = packet->id == RT_SIO_ID_NONE ? 0 : packet->id;

    fuzz_check(rt_json_dump(packet->data, &args) == RT_OK);
    fuzz_check(args.len >= 2 && args.data[0] == '[');
    rt_sio_encode_ack(&text, packet->nsp, id, (rt_str_t){args.data + 1, args.len - 2},
        packet->attachment_count);
    fuzz_check(!text.failed && text.data[0] == '4');

    status = rt_sio_decode_text(&decoder, (rt_str_t){text.data + 1, text.len - 1}, &again, NULL);

    for (i = 0; i < packet->attachment_count; i++) {
        fuzz_check(status == RT_AGAIN);
        status = rt_sio_decode_binary(&decoder, packet->attachments[i].data,
            packet->attachments[i].len, FUZZ_MAX_BYTES, &again, NULL);
    }

    fuzz_check(status == RT_OK);
    fuzz_check(again.type == RT_SIO_ACK && again.id == id);
    fuzz_check(rt_str_eq(again.nsp, packet->nsp));
    fuzz_check(json_equal(again.data, packet->data));
    fuzz_check(again.attachment_count == packet->attachment_count);

    for (i = 0; i < packet->attachment_count; i++) {
        fuzz_check(rt_str_eq(again.attachments[i], packet->attachments[i]));
    }

    rt_sio_packet_clear(&again);
    rt_sio_decoder_clear(&decoder);
    rt_buf_free(&args);
    rt_buf_free(&text);
}


/* What every packet that was given out must be. */
static void
fuzz_packet(rt_sio_packet_t *packet, rt_status_t status)
{
    fuzz_check(packet->nsp.len > 0 && packet->nsp.data[0] == '/');
    fuzz_check(packet->id >= RT_SIO_ID_NONE && packet->id <= 9007199254740991);
    fuzz_check(packet->attachment_count <= RT_SIO_ATTACHMENTS_MAX);
    fuzz_check(status == RT_OK || packet->type != RT_SIO_DISCONNECT);

    switch (packet->type) {

    case RT_SIO_CONNECT:
        fuzz_check(packet->data == NULL || json_is_object(packet->data));
        break;

    case RT_SIO_DISCONNECT:
        fuzz_check(packet->data == NULL);
        break;

    case RT_SIO_EVENT:
    case RT_SIO_ACK:
        fuzz_check(json_is_array(packet->data) || (packet->data == NULL && status == RT_DECLINED));
        fuzz_check(packet->type == RT_SIO_EVENT || packet->id != RT_SIO_ID_NONE);

        if (status == RT_OK) {
            fuzz_round_trip(packet);
        }

        break;

    default:
        abort();
    }

    rt_sio_packet_clear(packet);
}


static rt_status_t
fuzz_message(rt_sio_decoder_t *decoder, const char *data, size_t len)
{
    rt_str_t        text;
    rt_error_t      error = {0};
    rt_status_t     status;
    rt_sio_packet_t packet;

    if (len > 0 && data[0] == 'b') {
        status = rt_sio_decode_binary(decoder, data + 1, len - 1, FUZZ_MAX_BYTES, &packet, &error);

    } else {
        text.data = data;
        text.len = len;

        if (!rt_utf8_valid(text)) {
            return RT_INVALID; /* no transport lets it through */
        }

        status = rt_sio_decode_text(decoder, text, &packet, &error);
    }

    if (status == RT_OK || status == RT_DECLINED) {
        fuzz_check(decoder->pending == NULL);
        fuzz_packet(&packet, status);

    } else {
        fuzz_check(packet.data == NULL && packet.memory == NULL);
        fuzz_check((status == RT_AGAIN && decoder->pending != NULL) || error.text[0] != '\0');
    }

    return status;
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char            *copy;
    size_t           piece;
    rt_status_t      status;
    const uint8_t   *end;
    const uint8_t   *separator;
    rt_sio_decoder_t decoder = {0};

    end = data + len;

    do {
        separator = len > 0 ? memchr(data, '\x1e', (size_t) (end - data)) : NULL;
        piece = (size_t) ((separator != NULL ? separator : end) - data);

        copy = malloc(piece > 0 ? piece : 1);
        fuzz_check(copy != NULL);

        if (piece > 0) {
            memcpy(copy, data, piece);
        }

        status = fuzz_message(&decoder, copy, piece);
        free(copy);
        data += piece + 1;
    } while (separator != NULL && status != RT_INVALID);

    rt_sio_decoder_clear(&decoder);

    return 0;
}
