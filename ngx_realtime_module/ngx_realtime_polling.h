/* Engine.IO over HTTP: held GETs, bodies of packets, and requests that belong to a session of
 * another worker. Event loop only. */

#ifndef NGX_REALTIME_POLLING_H
#define NGX_REALTIME_POLLING_H

#include "ngx_realtime.h"
#include "ngx_realtime_session.h"

#define NGX_REALTIME_POLL_TAGS     8
#define NGX_REALTIME_POLL_CARRIERS 3 /* of one GET that came again, as a proxy repeats it */

/* Who asked and is to be answered: a request of this worker's, or one that another worker holds. */
typedef struct {
    ngx_http_request_t      *request; /* NULL: of another worker */
    ngx_realtime_worker_id_t worker;
    uint64_t                 id;  /* there */
    uint64_t                 tag; /* of a GET: what tells it from others, and a repetition of it
                                   * from a new one; 0: nothing does */
} ngx_realtime_poll_t;

typedef enum {
    NGX_REALTIME_POLL_PACKETS = 0, /* text/plain */
    NGX_REALTIME_POLL_OK,          /* text/html, as Engine.IO answers a POST */
    NGX_REALTIME_POLL_ERROR        /* application/json */
} ngx_realtime_poll_body_e;

struct ngx_realtime_polling_s {
    ngx_event_t              event; /* the session's timer, and its flush once per turn */
    ngx_realtime_poll_t      gets[NGX_REALTIME_POLL_CARRIERS]; /* held: one GET, as it came */
    ngx_uint_t               held;                             /* of them */
    ngx_realtime_poll_t      post;      /* its body is on the way, while `posting` */
    void                    *probe;     /* a WebSocket of this worker on trial, or NULL */
    ngx_realtime_worker_id_t prober;    /* the worker that has one, or 0 */
    uint64_t                 prober_id; /* its name for it */
    uint64_t                 tags[NGX_REALTIME_POLL_TAGS]; /* of the newest GETs, as a ring */
    ngx_uint_t               newest;  /* the place in it of the newest; the handshake's at first */
    ngx_uint_t               repeats; /* how often that one came again */
    ngx_msec_t               answered_at;
    rt_buf_t                 answered; /* what that one was answered; allocated while data is set */
    unsigned                 moving:1; /* the prober has the session's state */
    unsigned                 posting:1;
    unsigned                 probed:1;   /* it answered: GETs are released at once */
    unsigned                 asked:1;    /* there was a GET with a tag */
    unsigned                 untagged:1; /* the client's GETs can't be told from each other */
};

/* Makes polling the transport of s; tag: of the handshake, as in ngx_realtime_poll_t. */
ngx_int_t ngx_realtime_polling_attach(ngx_realtime_session_t *s, uint64_t tag);

/* Another transport takes over: a held GET is released with a noop. */
void ngx_realtime_polling_detach(ngx_realtime_session_t *s);

/* Releases a held GET with a noop. */
void ngx_realtime_polling_noop(ngx_realtime_session_t *s);

/* The session ends: a held GET gets what waits and a close packet. */
void ngx_realtime_polling_close(ngx_realtime_session_t *s);

/* Something waits: sent at the end of this turn, when a GET is held. */
void ngx_realtime_polling_wake(ngx_realtime_session_t *s);

void ngx_realtime_polling_timer(ngx_realtime_session_t *s, ngx_msec_t after);

/* The WebSocket on trial has answered the probe, or is gone. */
void ngx_realtime_polling_probed(ngx_realtime_session_t *s);
void ngx_realtime_polling_probe_gone(ngx_realtime_session_t *s);

/* A GET of the session: answered now or later. May close s. */
void ngx_realtime_polling_get(ngx_realtime_session_t *s, ngx_realtime_poll_t *poll);

/* A POST whose body is still on its way: a second one ends the session. NGX_DECLINED: it did, or
 * this session takes no POST; poll is not answered yet. */
ngx_int_t ngx_realtime_polling_post_begin(ngx_realtime_session_t *s, ngx_realtime_poll_t *poll);

/* Its body (changed in place). Answers poll; may close s. */
void ngx_realtime_polling_post(ngx_realtime_session_t *s, ngx_realtime_poll_t *poll,
    ngx_str_t *body);

/* A worker that may hold the GET is lost, and its client's connection with it. */
void ngx_realtime_polling_worker_lost(ngx_realtime_session_t *s, ngx_realtime_worker_id_t worker);

/* The worker that holds the GET quits: it is released, and the session polls on elsewhere. */
void ngx_realtime_polling_let_go(ngx_realtime_session_t *s, ngx_realtime_poll_t *poll);

/* Whoever asked is gone before the answer. May close s. */
void ngx_realtime_polling_aborted(ngx_realtime_session_t *s, ngx_realtime_poll_t *poll);

/* Answers a poll wherever it is. code: of Engine.IO's errors. */
void ngx_realtime_poll_answer(ngx_realtime_poll_t *poll, ngx_uint_t status,
    ngx_realtime_poll_body_e kind, ngx_str_t *body);
void ngx_realtime_poll_error(ngx_realtime_poll_t *poll, ngx_int_t code);

#endif
