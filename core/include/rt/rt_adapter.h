/* What @socket.io/redis-adapter 8 and @socket.io/redis-emitter 5 say over Redis, and what they
 * understand: bytes in, messages out, and back. Knows no Redis. Thread-safe: a message belongs to
 * one thread at a time.
 *
 * Broadcasts are MessagePack: [uid, packet, options]. Requests and responses between servers are
 * JSON, or MessagePack when they carry a packet. */

#ifndef RT_ADAPTER_H
#define RT_ADAPTER_H

#include <jansson.h>
#include <rt/rt_base.h>


typedef enum {
    RT_ADAPTER_SOCKETS = 0,            /* ids of the sockets in rooms */
    RT_ADAPTER_ALL_ROOMS = 1,          /* names of all rooms */
    RT_ADAPTER_JOIN = 2,               /* sockets are put into rooms, */
    RT_ADAPTER_LEAVE = 3,              /* taken out of them, */
    RT_ADAPTER_DISCONNECT = 4,         /* disconnected */
    RT_ADAPTER_FETCH = 5,              /* the sockets in rooms, with what is known of them */
    RT_ADAPTER_SERVER_SIDE_EMIT = 6,   /* an event from server to server */
    RT_ADAPTER_BROADCAST = 7,          /* an event that clients acknowledge */
    RT_ADAPTER_CLIENT_COUNT = 8,       /* a response: so many were sent it */
    RT_ADAPTER_CLIENT_ACKNOWLEDGED = 9 /* a response: what one of them said */
} rt_adapter_type_t;

#define RT_ADAPTER_BYTES_MAX       (16 * 1024 * 1024)
#define RT_ADAPTER_ROOMS_MAX       4096 /* that one message names */
#define RT_ADAPTER_ATTACHMENTS_MAX 256

typedef struct {
    rt_str_t *names;
    size_t    count;
} rt_adapter_names_t;

/* Zeroed by the decoders. Everything lives in the arena until rt_adapter_message_clear. */
typedef struct {
    rt_adapter_type_t  type;       /* of requests */
    rt_str_t           uid;        /* the server that says it, or empty */
    rt_str_t           request_id; /* empty: no answer is wanted */
    rt_adapter_names_t rooms;      /* for the sockets in any of these; none: for all, */
    rt_adapter_names_t except;     /* but those in any of these */
    rt_adapter_names_t targets;    /* JOIN, LEAVE: these rooms */
    rt_str_t           sid;        /* JOIN, LEAVE, DISCONNECT: this socket alone, or empty */
    int                close;      /* DISCONNECT: the connection too */
    int                may_lose;   /* the flag "volatile" */
    int64_t            timeout_ms; /* BROADCAST: how long acks are waited for; 0: not said */

    /* broadcasts and BROADCAST */
    rt_str_t  nsp;
    rt_str_t  event;
    rt_str_t  args;        /* JSON texts of the arguments with commas between, or empty; binary
                            * ones are {"_placeholder":true,"num":n} */
    rt_str_t  data;        /* for those who know one argument: it, null, or an array of several;
                            * binary ones are base64 strings */
    rt_str_t *attachments; /* the binary ones */
    size_t    attachment_count;

    rt_arena_t *memory; /* private */
} rt_adapter_message_t;

void rt_adapter_message_clear(rt_adapter_message_t *message); /* accepts a zeroed one */

/* The uid of a broadcast, without looking at the rest: points into bytes. rt_str_null: it has none
 * there. */
rt_str_t rt_adapter_peek_uid(rt_str_t bytes);

/* A broadcast. Counts that bytes declare are checked against those that are there before anything
 * is allocated for them.
 *
 * returns  RT_OK; RT_INVALID: malformed, deeper than 32 levels, more than 65,536 values, a packet
 *          that is no event, or one of a reserved name; RT_TOO_LARGE: more than
 *          RT_ADAPTER_BYTES_MAX; RT_NO_MEMORY. *out is zeroed unless RT_OK. */
rt_status_t rt_adapter_decode_broadcast(rt_str_t bytes, rt_adapter_message_t *out,
    rt_error_t *error);

/* A request, in either form; as above. RT_DECLINED: of a type that is no request. */
rt_status_t rt_adapter_decode_request(rt_str_t bytes, rt_adapter_message_t *out, rt_error_t *error);

/* Appends the broadcast of an event. data: JSON text of its one argument. RT_INVALID: data is no
 * JSON; RT_NO_MEMORY. buf->len is as before unless RT_OK. */
rt_status_t rt_adapter_encode_broadcast(rt_buf_t *buf, rt_str_t uid, rt_str_t nsp, rt_str_t event,
    rt_str_t data, const rt_adapter_names_t *rooms, const rt_adapter_names_t *except);

/* Appends the response CLIENT_ACKNOWLEDGED. value: what the client said, or NULL; placeholders in
 * it stand for attachments. RT_NO_MEMORY; buf->len is as before then. */
rt_status_t rt_adapter_encode_acknowledged(rt_buf_t *buf, rt_str_t request_id, const json_t *value,
    const rt_str_t *attachments, size_t attachment_count);

#endif
