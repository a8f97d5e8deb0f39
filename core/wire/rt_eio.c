/* Engine.IO protocol 4: packets, and the bodies that long-polling carries them in. */

#include <rt/rt_eio.h>

#include <rt/rt_text.h>
#include <string.h>


#define RT_EIO_BINARY_MARK 'b'


static int
rt_eio_type_valid(char c)
{
    return c >= RT_EIO_OPEN && c <= RT_EIO_NOOP;
}


rt_status_t
rt_eio_packet_parse(rt_str_t text, rt_eio_packet_t *out)
{
    if (text.len == 0 || !rt_eio_type_valid(text.data[0])) {
        return RT_INVALID;
    }

    out->type = (rt_eio_type_t) text.data[0];
    out->binary = 0;
    out->data.data = text.data + 1;
    out->data.len = text.len - 1;

    return RT_OK;
}


/* base64 behind the mark; nothing behind it is an empty message. */
static rt_status_t
rt_eio_binary_parse(char *text, size_t len, rt_eio_packet_t *out)
{
    size_t      decoded;
    rt_status_t status;

    decoded = 0;

    if (len > 1) {
        status = rt_base64_decode(text + 1, &decoded, (rt_str_t){text + 1, len - 1});
        if (status != RT_OK) {
            return status;
        }
    }

    out->type = RT_EIO_MESSAGE;
    out->binary = 1;
    out->data.data = text + 1;
    out->data.len = decoded;

    return RT_OK;
}


rt_status_t
rt_eio_payload_next(char *body, size_t len, size_t *at, rt_eio_packet_t *out)
{
    char    *start;
    char    *separator;
    rt_str_t text;

    /* One past the end: the packet before had no separator behind it. At the end: it had one, and
     * what should follow is missing; an empty body is the same case. */
    if (*at > len) {
        return RT_DECLINED;
    }

    if (*at == len) {
        return RT_INVALID;
    }

    start = body + *at;
    separator = memchr(start, RT_EIO_SEPARATOR, len - *at);
    text.data = start;
    text.len = separator != NULL ? (size_t) (separator - start) : len - *at;
    *at += text.len + 1;

    if (text.len > 0 && start[0] == RT_EIO_BINARY_MARK) {
        return rt_eio_binary_parse(start, text.len, out);
    }

    if (!rt_utf8_valid(text)) {
        return RT_INVALID;
    }

    return rt_eio_packet_parse(text, out);
}


void
rt_eio_payload_add(rt_buf_t *buf, int binary, rt_str_t data)
{
    char  *to;
    size_t need;

    if (buf->len > 0) {
        rt_buf_append(buf, "\x1e", 1);
    }

    if (!binary) {
        rt_buf_append_str(buf, data);
        return;
    }

    need = 1 + 4 * ((data.len + 2) / 3);

    to = rt_buf_reserve(buf, need);
    if (to == NULL) {
        return;
    }

    to[0] = RT_EIO_BINARY_MARK;
    (void) rt_base64(to + 1, data.data, data.len);
    buf->len += need;
}


void
rt_eio_open(rt_buf_t *buf, rt_str_t sid, int offer_upgrade, int64_t ping_interval_ms,
    int64_t ping_timeout_ms, int64_t max_payload)
{
    rt_buf_append_str(buf, rt_str("0{\"sid\":"));
    rt_buf_append_json_string(buf, sid);
    rt_buf_append_str(buf,
        offer_upgrade ? rt_str(",\"upgrades\":[\"websocket\"]") : rt_str(",\"upgrades\":[]"));
    rt_buf_append_str(buf, rt_str(",\"pingInterval\":"));
    rt_buf_append_int(buf, ping_interval_ms);
    rt_buf_append_str(buf, rt_str(",\"pingTimeout\":"));
    rt_buf_append_int(buf, ping_timeout_ms);
    rt_buf_append_str(buf, rt_str(",\"maxPayload\":"));
    rt_buf_append_int(buf, max_payload);
    rt_buf_append_str(buf, rt_str("}"));
}


rt_str_t
rt_eio_error_body(int code)
{
    switch (code) {

    case 0:
        return rt_str("{\"code\":0,\"message\":\"Transport unknown\"}");

    case 1:
        return rt_str("{\"code\":1,\"message\":\"Session ID unknown\"}");

    case 2:
        return rt_str("{\"code\":2,\"message\":\"Bad handshake method\"}");

    case 4:
        return rt_str("{\"code\":4,\"message\":\"Forbidden\"}");

    case 5:
        return rt_str("{\"code\":5,\"message\":\"Unsupported protocol version\"}");

    default:
        return rt_str("{\"code\":3,\"message\":\"Bad request\"}");
    }
}
