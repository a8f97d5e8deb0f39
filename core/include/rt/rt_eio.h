/* Engine.IO protocol 4: packets and polling payloads. Pure functions. */

#ifndef RT_EIO_H
#define RT_EIO_H

#include <rt/rt_base.h>


typedef enum {
    RT_EIO_OPEN = '0',
    RT_EIO_CLOSE = '1',
    RT_EIO_PING = '2',
    RT_EIO_PONG = '3',
    RT_EIO_MESSAGE = '4',
    RT_EIO_UPGRADE = '5',
    RT_EIO_NOOP = '6'
} rt_eio_type_t;

#define RT_EIO_SEPARATOR       '\x1e'
#define RT_EIO_PAYLOAD_PACKETS 16 /* python-engineio refuses more in one body */

/* A packet; data points into what was parsed. Binary ones are always RT_EIO_MESSAGE. */
typedef struct {
    rt_eio_type_t type;
    int           binary;
    rt_str_t      data;
} rt_eio_packet_t;

/* Parses one text packet as a WebSocket text frame carries it. RT_INVALID: empty or no type. */
rt_status_t rt_eio_packet_parse(rt_str_t text, rt_eio_packet_t *out);

/* Walks a polling body: *at starts at 0. RT_OK: the next packet ('b' ones decoded in place, so the
 * body must be writable). RT_DECLINED: the end. RT_INVALID: an empty packet, an unknown type, bad
 * base64, or text that is not UTF-8: the session is to be closed. */
rt_status_t rt_eio_payload_next(char *body, size_t len, size_t *at, rt_eio_packet_t *out);

/* Appends one packet to a polling body that is being built, with a separator when it is not the
 * first (buf->len > 0). text packets: `data` is the whole packet with its type digit. Binary: raw
 * bytes, written as 'b' and base64. */
void rt_eio_payload_add(rt_buf_t *buf, int binary, rt_str_t data);

/* The open packet's text: 0{"sid":…,"upgrades":[…],"pingInterval":…,"pingTimeout":…,
 * "maxPayload":…}. Milliseconds and bytes. */
void rt_eio_open(rt_buf_t *buf, rt_str_t sid, int offer_upgrade, int64_t ping_interval_ms,
    int64_t ping_timeout_ms, int64_t max_payload);

/* Socket.IO's HTTP error body for a code 0…5: {"code":1,"message":"Session ID unknown"}. Static
 * text. */
rt_str_t rt_eio_error_body(int code);

#endif
