/* One client, whatever carries it: its transport, its output queue, its timers; and, for chat
 * clients, who it is, which channels it is in, and what it asked and still waits for. Event loop
 * only. */

#ifndef NGX_REALTIME_SESSION_H
#define NGX_REALTIME_SESSION_H

#include "ngx_realtime.h"
#include "ngx_realtime_buf.h"
#include "ngx_realtime_bus.h"
#include "ngx_realtime_sid.h"
#include "ngx_realtime_task.h"
#include "ngx_realtime_websocket.h"

#include <rt/rt_json.h>
#include <rt/rt_sio.h>

#define NGX_REALTIME_SOCKET_ID_LEN 20

#define NGX_REALTIME_EXPELLED       1 /* out of the namespace */
#define NGX_REALTIME_EXPELLED_CLOSE 2 /* the connection, too */

/* whose notifications: its business's (staff), its own */
#define NGX_REALTIME_SEEN_BUSINESS 0
#define NGX_REALTIME_SEEN_USER     1
#define NGX_REALTIME_SEEN          2

typedef struct ngx_realtime_session_s ngx_realtime_session_t;
typedef struct ngx_realtime_member_s  ngx_realtime_member_t;
typedef struct ngx_realtime_polling_s ngx_realtime_polling_t;
typedef struct ngx_realtime_ask_s     ngx_realtime_ask_t;

/* What speaks on a session, above Engine.IO or plain WebSocket. */
typedef struct {
    const char *name;

    /* 1: who has not connected by realtime_connect_timeout is closed */
    ngx_uint_t connects;

    /* a message came: text or binary; data may be changed, and is gone after the call */
    void (*on_message)(ngx_realtime_session_t *s, ngx_uint_t binary, u_char *data, size_t len);

    /* writes an event for this kind of client: the payload of a text message. nsp: the location's
     * namespace. NULL: this kind hears no events */
    void (*encode_event)(rt_buf_t *out, rt_str_t nsp, rt_str_t event, rt_str_t data);

    /* the answer to what the client asked with an id */
    void (*answer)(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask, rt_str_t reply);

    /* the client is refused or its token ended: an error event was queued */
    void (*refuse)(ngx_realtime_session_t *s);

    /* frees what `state` holds */
    void (*clear)(ngx_realtime_session_t *s);

    /* state as JSON and back, when a session moves to another worker; NULL: nothing to move */
    json_t *(*export_state)(ngx_realtime_session_t *s);
    ngx_int_t (*import_state)(ngx_realtime_session_t *s, json_t *state);
} ngx_realtime_protocol_t;

extern const ngx_realtime_protocol_t ngx_realtime_socketio;
extern const ngx_realtime_protocol_t ngx_realtime_plain;
extern const ngx_realtime_protocol_t ngx_realtime_echo_engine;
extern const ngx_realtime_protocol_t ngx_realtime_echo_socket;
extern const ngx_realtime_protocol_t ngx_realtime_echo_websocket;

/* An event that a client sent: waits for its turn (in s->asks) or its answer (in s->doing). */
struct ngx_realtime_ask_s {
    ngx_queue_t             link;
    ngx_realtime_session_t *session;
    ngx_realtime_task_t    *task;      /* its call, or NULL */
    ngx_realtime_member_t  *joining;   /* the room that it joins, or NULL */
    json_t                 *data;      /* the event's argument, or NULL */
    size_t                  bytes;     /* of the message that it came in */
    json_t                 *id;        /* plain frames: the id as it came, or NULL */
    int64_t                 ack;       /* Socket.IO: the ack id, or RT_SIO_ID_NONE */
    unsigned                refused:1; /* text that we do not take: INVALID */
    unsigned                binary:1;  /* came with attachments: INVALID */
    unsigned                limited:1; /* past realtime_rate */
    unsigned                failed:1;
    u_char                  event[64]; /* NUL terminated; longer names are none of ours */
};

typedef enum {
    NGX_REALTIME_STRANGER = 0, /* no good token yet */
    NGX_REALTIME_ENTERING,     /* token good; its channels are being subscribed */
    NGX_REALTIME_CONNECTED     /* "connected" was sent */
} ngx_realtime_standing_e;

struct ngx_realtime_session_s {
    ngx_queue_t                    link; /* all of this worker's */
    ngx_realtime_loc_conf_t       *conf;
    const ngx_realtime_protocol_t *protocol;
    void                          *state; /* the protocol's */

    ngx_realtime_ws_t      *ws;      /* the transport, or NULL: polling */
    ngx_realtime_polling_t *polling; /* the transport, or NULL: WebSocket */
    ngx_realtime_queue_t    queue;   /* polling only: what no GET has fetched yet */

    ngx_rbtree_node_t  node; /* Engine.IO only: by sid */
    ngx_realtime_sid_t sid;

    ngx_msec_t ping_at;  /* when the next ping is due; 0: none */
    ngx_msec_t pong_by;  /* when the pong must be here; 0: none is awaited */
    ngx_msec_t enter_by; /* when it must be connected; 0: it is, or may not */

    rt_identity_t         *identity; /* NULL for strangers */
    char                  *bearer;   /* the handshake's token, until it is used */
    u_char                 socket_id[NGX_REALTIME_SOCKET_ID_LEN];
    ngx_realtime_member_t *members; /* its channels */
    uint32_t               user_hash;
    uint32_t               waiting;                 /* subscriptions awaited while entering */
    int64_t                seen[NGX_REALTIME_SEEN]; /* the last notification that it has, plus one,
                                                     * as it says when it enters; 0: not said */
    int64_t                seen_number;             /* the same, for the one that it has */
    struct ngx_realtime_missed_s  *missed;          /* see ngx_realtime_missed.c, or NULL */
    struct ngx_realtime_label_s   *labels;          /* rooms of a Node cluster: see */
    struct ngx_realtime_awaited_s *awaited;         /* ngx_realtime_adapter_private.h */
    uint64_t                       visit;           /* of its last walk */
    uint64_t                       foreign;         /* the last event from there that it has */
    uint64_t                       foreign_due;     /* it has all up to this one; 0: it came */
    ngx_msec_t                     foreign_since;

    ngx_queue_t asks; /* events that wait for their turn */
    uint32_t    ask_count;
    size_t      ask_bytes;   /* of the messages that they came in */
    uint32_t    rate_excess; /* events x 1000, as limit_req counts */
    ngx_msec_t  rate_last;
    ngx_queue_t doing; /* events under way: one, or several messages */
    uint32_t    doing_count;

    uint32_t holds;      /* see ngx_realtime_session_hold */
    unsigned standing:2; /* ngx_realtime_standing_e */
    unsigned engine:1;   /* Engine.IO; else bare WebSocket */
    unsigned frozen:1;   /* on its way to another worker */
    unsigned closed:1;   /* freed when nobody holds it */
    unsigned counted:1;  /* in realtime_max_connections */
    unsigned user_counted:1;
    unsigned running:1;   /* inside ngx_realtime_asks_run */
    unsigned together:1;  /* what is under way may have more of its kind */
    unsigned slow:1;      /* polling: too much waits, dropped by the timer */
    unsigned transport:2; /* ngx_realtime_transport_e, as it is counted */
    unsigned present:1;   /* counted by ngx_realtime_presence.c */
    unsigned paused:1;    /* too many asks wait: its WebSocket is not read */
    unsigned expelled:2;  /* NGX_REALTIME_EXPELLED…: while it was on its way here */
};

/* Starts the worker's table of sessions. */
void ngx_realtime_session_init(void);

/* A stranger without a transport. engine: it gets a sid of its own, unless sid is given (moved
 * here). NULL: no memory, or realtime_max_connections is reached (*busy is set). */
ngx_realtime_session_t *ngx_realtime_session_create(ngx_realtime_loc_conf_t *conf,
    const ngx_realtime_protocol_t *protocol, ngx_uint_t engine, ngx_realtime_sid_t *sid,
    ngx_uint_t *busy);

/* 1 when its pong is overdue, which ends it: a request or frame may come before the timer. */
ngx_uint_t ngx_realtime_session_late(ngx_realtime_session_t *s);

/* The living session of that sid on this worker, or NULL; one that is late ends. */
ngx_realtime_session_t *ngx_realtime_session_find(ngx_realtime_sid_t *sid);

/* Keeps a copy of the handshake's token until the client connects; NULL: wipes it. */
void ngx_realtime_session_bearer(ngx_realtime_session_t *s, ngx_str_t *token);

/* Makes ws its transport: what waited is framed and sent, in order. */
void ngx_realtime_session_attach(ngx_realtime_session_t *s, ngx_realtime_ws_t *ws);

/* What it goes by now, for the metrics: ngx_realtime_transport_e. */
void ngx_realtime_session_meter(ngx_realtime_session_t *s, ngx_uint_t transport);

/* Starts the clocks: the first ping and the connect timeout. */
void ngx_realtime_session_start(ngx_realtime_session_t *s);

/* Ends it: leaves its channels, closes its transport (WebSocket with code; polling by releasing a
 * held GET), frees it unless it is held. reason: for the log. */
void ngx_realtime_session_close(ngx_realtime_session_t *s, ngx_uint_t code, const char *reason);

/* As close, but silent: it lives on at another worker. */
void ngx_realtime_session_moved(ngx_realtime_session_t *s);

/* Whoever goes on with a session after something that may close it holds it, looks at s->closed,
 * and lets it go, which frees a closed one. */
static inline void
ngx_realtime_session_hold(ngx_realtime_session_t *s)
{
    s->holds++;
}

void ngx_realtime_session_let(ngx_realtime_session_t *s);

/* Queues a buffer (a reference is added). A polling client that lets more than
 * realtime_send_buffer wait is dropped at its next timer. */
void ngx_realtime_session_send(ngx_realtime_session_t *s, ngx_realtime_buf_t *buf);

/* It misses something that it must not miss (no memory, too much held): it is dropped soon, and
 * finds it in the history. Never from inside, so that it is safe while walking over members. */
void ngx_realtime_session_fail(ngx_realtime_session_t *s);

/* Copies a text or binary message; deflated when negotiated and worth it. */
void ngx_realtime_session_send_text(ngx_realtime_session_t *s, const void *data, size_t len);
void ngx_realtime_session_send_binary(ngx_realtime_session_t *s, const void *data, size_t len);

/* An event to this client alone. data: JSON text. */
void ngx_realtime_session_event(ngx_realtime_session_t *s, rt_str_t event, rt_str_t data);

/* A pong came. */
void ngx_realtime_session_pong(ngx_realtime_session_t *s);

/* Sets the timer to what is due next. */
void ngx_realtime_session_arm(ngx_realtime_session_t *s);

/* The timer's work; may close s. */
void ngx_realtime_session_timer(ngx_realtime_session_t *s);

/* This worker's, for draining. */
ngx_queue_t *ngx_realtime_sessions(void);
ngx_uint_t   ngx_realtime_session_count(void);

static inline ngx_uint_t
ngx_realtime_session_deflates(ngx_realtime_session_t *s)
{
    return s->ws != NULL && s->ws->reader.deflate;
}

#endif
