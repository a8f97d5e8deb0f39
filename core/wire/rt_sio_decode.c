/* Socket.IO protocol 5, the decoder.
 *
 *   <type>[<attachments>-][/<namespace>,][<ack id>][<JSON>]
 *
 * A packet with attachments waits in the decoder until its binary messages have come; everything
 * that the text alone can say wrong is told before. What it waits with is bounded: the text by the
 * transport's payload limit, the parts by RT_SIO_ATTACHMENTS_MAX and the caller's max_bytes. */

#include <rt/rt_sio.h>

#include <rt/rt_json.h>
#include <stdlib.h>
#include <string.h>


#define RT_SIO_ID_MAX 9007199254740991 /* 2^53 - 1, JavaScript's MAX_SAFE_INTEGER */

/* What a packet's nsp and attachments live in. */
typedef struct {
    rt_str_t parts[RT_SIO_ATTACHMENTS_MAX];
    size_t   part_count;
    char     nsp[];
} rt_sio_memory_t;

struct rt_sio_pending_s {
    rt_sio_packet_t packet;
    size_t          expected;
    size_t          bytes;
    rt_status_t     status; /* to give with the packet: RT_OK or RT_DECLINED */
    rt_error_t      error;  /* that goes with it */
};

/* the text that is left, and what it said so far */
typedef struct {
    const char *pos;
    const char *end;
    int         binary;
    int64_t     attachments;
    rt_str_t    nsp; /* in the text */
} rt_sio_scan_t;


/* The parser of socket.io names these as its own: no one may emit them. */
static const char *const rt_sio_reserved[] = {
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
};


void
rt_sio_packet_clear(rt_sio_packet_t *packet)
{
    size_t           i;
    rt_sio_memory_t *memory;

    memory = packet->memory;

    if (memory != NULL) {
        for (i = 0; i < memory->part_count; i++) {
            free((char *) memory->parts[i].data);
        }

        free(memory);
    }

    json_decref(packet->data);
    memset(packet, 0, sizeof(rt_sio_packet_t));
}


void
rt_sio_decoder_clear(rt_sio_decoder_t *decoder)
{
    if (decoder->pending != NULL) {
        rt_sio_packet_clear(&decoder->pending->packet);
        free(decoder->pending);
        decoder->pending = NULL;
    }
}


/* Reads digits. RT_DECLINED: there are none. RT_INVALID: more than max. */
static rt_status_t
rt_sio_scan_number(rt_sio_scan_t *scan, int64_t max, int64_t *out)
{
    int64_t     n;
    const char *p;

    n = 0;

    for (p = scan->pos; p < scan->end && *p >= '0' && *p <= '9'; p++) {
        if (n > (max - (*p - '0')) / 10) {
            return RT_INVALID;
        }

        n = n * 10 + (*p - '0');
    }

    if (p == scan->pos) {
        return RT_DECLINED;
    }

    scan->pos = p;
    *out = n;

    return RT_OK;
}


static rt_status_t
rt_sio_scan_type(rt_sio_scan_t *scan, rt_sio_packet_t *out, rt_error_t *error)
{
    char type;

    if (scan->pos == scan->end) {
        return rt_error_set(error, RT_INVALID, "empty packet");
    }

    type = *scan->pos++;

    switch (type - '0') {

    case RT_SIO_CONNECT:
    case RT_SIO_DISCONNECT:
    case RT_SIO_EVENT:
    case RT_SIO_ACK:
        out->type = (rt_sio_type_t) (type - '0');
        return RT_OK;

    case RT_SIO_BINARY_EVENT:
        out->type = RT_SIO_EVENT;
        break;

    case RT_SIO_BINARY_ACK:
        out->type = RT_SIO_ACK;
        break;

    case RT_SIO_CONNECT_ERROR:
        return rt_error_set(error, RT_INVALID, "packet type is for servers");

    default:
        return rt_error_set(error, RT_INVALID, "unknown packet type");
    }

    scan->binary = 1;

    if (rt_sio_scan_number(scan, RT_SIO_ATTACHMENTS_MAX, &scan->attachments) != RT_OK
        || scan->pos == scan->end || *scan->pos != '-')
    {
        return rt_error_set(error, RT_INVALID, "bad number of attachments");
    }

    scan->pos++;

    return RT_OK;
}


/* A namespace ends at the comma, or with the packet; a query string behind it is not part of it. */
static void
rt_sio_scan_nsp(rt_sio_scan_t *scan)
{
    const char *comma;
    const char *query;

    scan->nsp = rt_str("/");

    if (scan->pos == scan->end || *scan->pos != '/') {
        return;
    }

    comma = memchr(scan->pos, ',', (size_t) (scan->end - scan->pos));
    scan->nsp.data = scan->pos;
    scan->nsp.len = (size_t) ((comma != NULL ? comma : scan->end) - scan->pos);
    scan->pos = comma != NULL ? comma + 1 : scan->end;

    query = memchr(scan->nsp.data, '?', scan->nsp.len);
    if (query != NULL) {
        scan->nsp.len = (size_t) (query - scan->nsp.data);
    }
}


/* "/" needs no copy: most packets of the default namespace cost no memory here. */
static rt_status_t
rt_sio_keep_nsp(const rt_sio_scan_t *scan, rt_sio_packet_t *out, rt_error_t *error)
{
    rt_sio_memory_t *memory;

    out->nsp = rt_str("/");

    if (rt_str_eq(scan->nsp, out->nsp) && scan->attachments == 0) {
        return RT_OK;
    }

    memory = malloc(sizeof(rt_sio_memory_t) + scan->nsp.len);
    if (memory == NULL) {
        return rt_error_set(error, RT_NO_MEMORY, "packet");
    }

    memory->part_count = 0;
    memcpy(memory->nsp, scan->nsp.data, scan->nsp.len);
    out->nsp.data = memory->nsp;
    out->nsp.len = scan->nsp.len;
    out->memory = memory;

    return RT_OK;
}


static int
rt_sio_event_name_valid(const json_t *name)
{
    size_t   i;
    rt_str_t text;

    if (json_is_number(name)) {
        return 1;
    }

    if (!json_is_string(name)) {
        return 0;
    }

    text.data = json_string_value(name);
    text.len = json_string_length(name);

    for (i = 0; i < sizeof(rt_sio_reserved) / sizeof(rt_sio_reserved[0]); i++) {
        if (rt_str_eq(text, rt_str_c(rt_sio_reserved[i]))) {
            return 0;
        }
    }

    return 1;
}


/* Whether every placeholder in a value stands for one of the parts. The parser bounds the depth. */
static int
rt_sio_placeholders_valid(const json_t *value, int64_t parts)
{
    size_t        i;
    void         *iter;
    const json_t *number;

    if (json_is_array(value)) {
        for (i = 0; i < json_array_size(value); i++) {
            if (!rt_sio_placeholders_valid(json_array_get(value, i), parts)) {
                return 0;
            }
        }

        return 1;
    }

    if (!json_is_object(value)) {
        return 1;
    }

    if (json_is_true(json_object_get(value, "_placeholder"))) {
        number = json_object_get(value, "num");
        return json_is_integer(number) && json_integer_value(number) >= 0
            && json_integer_value(number) < parts;
    }

    for (iter = json_object_iter((json_t *) value); iter != NULL;
         iter = json_object_iter_next((json_t *) value, iter))
    {
        if (!rt_sio_placeholders_valid(json_object_iter_value(iter), parts)) {
            return 0;
        }
    }

    return 1;
}


/* What each type may carry. */
static rt_status_t
rt_sio_check_data(const rt_sio_scan_t *scan, const rt_sio_packet_t *packet, rt_error_t *error)
{
    switch (packet->type) {

    case RT_SIO_CONNECT:
        if (packet->data != NULL && !json_is_object(packet->data)) {
            return rt_error_set(error, RT_INVALID, "CONNECT with data that is no object");
        }

        return RT_OK;

    case RT_SIO_ACK:
        if (packet->id == RT_SIO_ID_NONE || !json_is_array(packet->data)) {
            return rt_error_set(error, RT_INVALID, "ACK without id or array");
        }

        break;

    default:
        if (!json_is_array(packet->data)
            || !rt_sio_event_name_valid(json_array_get(packet->data, 0))) {
            return rt_error_set(error, RT_INVALID, "EVENT without array or name");
        }
    }

    if (scan->attachments > 0 && !rt_sio_placeholders_valid(packet->data, scan->attachments)) {
        return rt_error_set(error, RT_INVALID, "placeholder of no attachment");
    }

    return RT_OK;
}


/* RT_OK or RT_DECLINED: the packet goes on; see rt_json_parse. */
static rt_status_t
rt_sio_parse_data(const rt_sio_scan_t *scan, rt_sio_packet_t *out, rt_error_t *error)
{
    rt_str_t    text;
    rt_status_t status;

    text.data = scan->pos;
    text.len = (size_t) (scan->end - scan->pos);

    if (text.len == 0) {
        return RT_OK;
    }

    if (out->type == RT_SIO_DISCONNECT) {
        return rt_error_set(error, RT_INVALID, "DISCONNECT with data");
    }

    status = rt_json_parse(text, &out->data, error);

    if (status == RT_DECLINED && out->data == NULL) {
        /* too deep to say more about it */
        return out->type == RT_SIO_ACK && out->id == RT_SIO_ID_NONE
            ? rt_error_set(error, RT_INVALID, "ACK without id")
            : RT_DECLINED;
    }

    return status;
}


/* Keeps the packet until its attachments are there. */
static rt_status_t
rt_sio_decoder_hold(rt_sio_decoder_t *decoder, const rt_sio_scan_t *scan, rt_sio_packet_t *out,
    rt_status_t status, rt_error_t *error)
{
    struct rt_sio_pending_s *pending;

    pending = calloc(1, sizeof(struct rt_sio_pending_s));
    if (pending == NULL) {
        return rt_error_set(error, RT_NO_MEMORY, "packet");
    }

    pending->packet = *out;
    pending->packet.attachments = ((rt_sio_memory_t *) out->memory)->parts;
    pending->expected = (size_t) scan->attachments;
    pending->status = status;

    if (error != NULL) {
        pending->error = *error;
    }

    decoder->pending = pending;
    memset(out, 0, sizeof(rt_sio_packet_t));

    return RT_AGAIN;
}


static rt_status_t
rt_sio_decode(rt_sio_decoder_t *decoder, rt_sio_scan_t *scan, rt_sio_packet_t *out,
    rt_error_t *error)
{
    rt_status_t status;

    status = rt_sio_scan_type(scan, out, error);
    if (status != RT_OK) {
        return status;
    }

    rt_sio_scan_nsp(scan);

    if (rt_sio_scan_number(scan, RT_SIO_ID_MAX, &out->id) == RT_INVALID) {
        return rt_error_set(error, RT_INVALID, "ack id too large");
    }

    status = rt_sio_parse_data(scan, out, error);
    if (status != RT_OK && status != RT_DECLINED) {
        return status;
    }

    if ((status == RT_OK || out->data != NULL) && out->type != RT_SIO_DISCONNECT
        && rt_sio_check_data(scan, out, error) != RT_OK)
    {
        return RT_INVALID;
    }

    if (rt_sio_keep_nsp(scan, out, error) != RT_OK) {
        return RT_NO_MEMORY;
    }

    if (scan->attachments > 0) {
        return rt_sio_decoder_hold(decoder, scan, out, status, error);
    }

    return status;
}


rt_status_t
rt_sio_decode_text(rt_sio_decoder_t *decoder, rt_str_t text, rt_sio_packet_t *out,
    rt_error_t *error)
{
    rt_status_t   status;
    rt_sio_scan_t scan;

    memset(out, 0, sizeof(rt_sio_packet_t));
    out->id = RT_SIO_ID_NONE;

    if (decoder->pending != NULL) {
        return rt_error_set(error, RT_INVALID, "text while attachments are missing");
    }

    memset(&scan, 0, sizeof(rt_sio_scan_t));
    scan.pos = text.data;
    scan.end = text.data + text.len;

    status = rt_sio_decode(decoder, &scan, out, error);

    if (status != RT_OK && status != RT_DECLINED) {
        rt_sio_packet_clear(out);
    }

    return status;
}


rt_status_t
rt_sio_decode_binary(rt_sio_decoder_t *decoder, const void *data, size_t len, size_t max_bytes,
    rt_sio_packet_t *out, rt_error_t *error)
{
    char                    *copy;
    rt_status_t              status;
    rt_sio_memory_t         *memory;
    struct rt_sio_pending_s *pending;

    memset(out, 0, sizeof(rt_sio_packet_t));
    pending = decoder->pending;

    if (pending == NULL) {
        return rt_error_set(error, RT_INVALID, "binary message that no packet announced");
    }

    if (len > max_bytes || pending->bytes > max_bytes - len) {
        return rt_error_set(error, RT_INVALID, "attachments too large");
    }

    copy = malloc(len > 0 ? len : 1);
    if (copy == NULL) {
        return rt_error_set(error, RT_NO_MEMORY, "attachment");
    }

    if (len > 0) {
        memcpy(copy, data, len);
    }

    memory = pending->packet.memory;
    memory->parts[memory->part_count].data = copy;
    memory->parts[memory->part_count].len = len;
    memory->part_count++;
    pending->packet.attachment_count = memory->part_count;
    pending->bytes += len;

    if (memory->part_count < pending->expected) {
        return RT_AGAIN;
    }

    *out = pending->packet;
    status = pending->status;

    if (status != RT_OK && error != NULL) {
        *error = pending->error;
    }

    free(pending);
    decoder->pending = NULL;

    return status;
}
