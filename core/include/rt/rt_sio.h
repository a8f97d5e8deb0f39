/* Socket.IO protocol 5: packets inside Engine.IO messages. A decoder belongs to one thread. */

#ifndef RT_SIO_H
#define RT_SIO_H

#include <jansson.h>
#include <rt/rt_base.h>


typedef enum {
    RT_SIO_CONNECT = 0,
    RT_SIO_DISCONNECT = 1,
    RT_SIO_EVENT = 2,
    RT_SIO_ACK = 3,
    RT_SIO_CONNECT_ERROR = 4,
    RT_SIO_BINARY_EVENT = 5, /* given out as RT_SIO_EVENT with attachments */
    RT_SIO_BINARY_ACK = 6    /* given out as RT_SIO_ACK with attachments */
} rt_sio_type_t;

#define RT_SIO_ATTACHMENTS_MAX 10
#define RT_SIO_ID_NONE         (-1)

typedef struct {
    rt_sio_type_t type;
    rt_str_t      nsp;         /* "/" when the packet names none; without a query string */
    int64_t       id;          /* ack id 0…2^53-1, or RT_SIO_ID_NONE */
    json_t       *data;        /* owned by whoever got the packet: an array for EVENT and ACK, an
                                * object or NULL for CONNECT, NULL for DISCONNECT */
    rt_str_t     *attachments; /* binary parts in order; {"_placeholder":true,"num":n} in data
                                * stands for them, checked to be in range */
    size_t        attachment_count;
    void         *memory; /* private: what nsp and attachments live in */
} rt_sio_packet_t;

void rt_sio_packet_clear(rt_sio_packet_t *packet); /* frees; accepts a zeroed one */

/* Zero-initialise. Holds a packet only while attachments are missing. */
typedef struct {
    struct rt_sio_pending_s *pending;
} rt_sio_decoder_t;

void rt_sio_decoder_clear(rt_sio_decoder_t *decoder);

/* Decodes one text message (what follows Engine.IO's '4'), which is valid UTF-8: both transports
 * check it. *out owns what it holds: nothing in it points into text.
 *
 * returns  RT_OK: a whole packet, to be cleared by the caller.
 *          RT_AGAIN: attachments are to come by rt_sio_decode_binary.
 *          RT_DECLINED: well-formed, but with text that we do not take (see rt_json_parse): *out
 *          has type, nsp, id and the cleaned data (data may be NULL); answer INVALID, stay.
 *          RT_INVALID: a protocol error: close the connection. These are: unknown type, CONNECT
 *          with data that is no object, EVENT that is no array or whose first element is neither
 *          string nor number, reserved event names (connect, connect_error, disconnect,
 *          disconnecting, newListener, removeListener), ACK without id or not an array,
 *          CONNECT_ERROR from a client, trailing text, DISCONNECT with data, more than
 *          RT_SIO_ATTACHMENTS_MAX attachments, placeholders out of range, text while attachments
 *          are missing.
 *          RT_NO_MEMORY */
rt_status_t rt_sio_decode_text(rt_sio_decoder_t *decoder, rt_str_t text, rt_sio_packet_t *out,
    rt_error_t *error);

/* Takes one attachment. RT_INVALID when none is due, or the attachments of one packet exceed
 * max_bytes together. Otherwise as rt_sio_decode_text. */
rt_status_t rt_sio_decode_binary(rt_sio_decoder_t *decoder, const void *data, size_t len,
    size_t max_bytes, rt_sio_packet_t *out, rt_error_t *error);

/* Encoders: append the Engine.IO message text, with its leading '4'. nsp "/" is not written.
 * `args` texts are JSON without the enclosing brackets. */
void rt_sio_encode_connect(rt_buf_t *buf, rt_str_t nsp, rt_str_t sid);
void rt_sio_encode_connect_error(rt_buf_t *buf, rt_str_t nsp, rt_str_t message);
void rt_sio_encode_disconnect(rt_buf_t *buf, rt_str_t nsp);
/* 42/nsp,["event",<data>]; an empty data leaves the argument out; attachments > 0 makes it a
 * BINARY_EVENT, whose parts the caller sends after it. */
void rt_sio_encode_event(rt_buf_t *buf, rt_str_t nsp, rt_str_t event, rt_str_t data,
    size_t attachments);
/* The same, with the id by which the client answers: 42/nsp,<id>["event",<data>] */
void rt_sio_encode_question(rt_buf_t *buf, rt_str_t nsp, int64_t id, rt_str_t event, rt_str_t data,
    size_t attachments);
/* 43/nsp,<id>[<args>] */
void rt_sio_encode_ack(rt_buf_t *buf, rt_str_t nsp, int64_t id, rt_str_t args, size_t attachments);

#endif
