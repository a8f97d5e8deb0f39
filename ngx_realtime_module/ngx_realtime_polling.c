/* Engine.IO over HTTP, at the worker that owns the session. */

#include "ngx_realtime_polling.h"
#include "ngx_realtime_metrics.h"
#include "ngx_realtime_engine.h"
#include "ngx_realtime_http.h"
#include "ngx_realtime_probe.h"
#include "ngx_realtime_relay.h"

#include <rt/rt_eio.h>


#define NGX_REALTIME_POLL_REPEAT_MS 60000
#define NGX_REALTIME_POLL_REPEATS   4 /* by proxies, of one GET */

#define NGX_REALTIME_NOOP  "6"
#define NGX_REALTIME_CLOSE "1"

static void       ngx_realtime_polling_handler(ngx_event_t *ev);
static void       ngx_realtime_polling_flush(ngx_realtime_session_t *s);
static void       ngx_realtime_polling_packets(ngx_realtime_session_t *s, rt_buf_t *body,
          const char *last);
static void       ngx_realtime_polling_answer(ngx_realtime_polling_t *p, ngx_str_t *body);
static ngx_uint_t ngx_realtime_polling_holds(ngx_realtime_polling_t *p, ngx_realtime_poll_t *poll);
static void       ngx_realtime_polling_release(ngx_realtime_session_t *s, const char *packet);
static ngx_uint_t ngx_realtime_polling_repeats(ngx_realtime_session_t *s,
    ngx_realtime_poll_t                                               *poll);
static ngx_uint_t ngx_realtime_polling_same(ngx_realtime_poll_t *one, ngx_realtime_poll_t *other);


ngx_int_t
ngx_realtime_polling_attach(ngx_realtime_session_t *s, uint64_t tag)
{
    s->polling = ngx_calloc(sizeof(ngx_realtime_polling_t), ngx_cycle->log);
    if (s->polling == NULL) {
        return NGX_ERROR;
    }

    s->polling->event.handler = ngx_realtime_polling_handler;
    s->polling->event.data = s;
    s->polling->event.log = ngx_cycle->log;
    s->polling->tags[0] = tag;

    ngx_realtime_session_meter(s, NGX_REALTIME_TRANSPORT_POLLING);

    return NGX_OK;
}


void
ngx_realtime_polling_detach(ngx_realtime_session_t *s)
{
    ngx_event_t *ev;

    ev = &s->polling->event;

    ngx_realtime_polling_noop(s);

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    if (ev->posted) {
        ngx_delete_posted_event(ev);
    }

    rt_buf_free(&s->polling->answered);
    ngx_free(s->polling);
    s->polling = NULL;
}


void
ngx_realtime_polling_close(ngx_realtime_session_t *s)
{
    rt_buf_t  body;
    ngx_str_t text;

    if (s->polling->probe != NULL) {
        ngx_realtime_probe_drop(s->polling->probe, "session ended");
        s->polling->probe = NULL;
    }

    if (s->polling->held) {
        ngx_memzero(&body, sizeof(rt_buf_t));

        /* python-socketio takes a close packet as final, so on shutdown the poll ends without one
         * and the next meets an unknown sid: both clients reconnect from that */
        ngx_realtime_polling_packets(s, &body,
            ngx_realtime_worker->exiting ? (s->queue.head ? NULL : NGX_REALTIME_NOOP)
                                         : NGX_REALTIME_CLOSE);
        text.data = (u_char *) body.data;
        text.len = body.len;

        ngx_realtime_polling_answer(s->polling, &text);

        rt_buf_free(&body);
    }

    ngx_realtime_polling_detach(s);
}


void
ngx_realtime_polling_wake(ngx_realtime_session_t *s)
{
    if (s->polling->held && !s->polling->probed && !s->polling->event.posted) {
        ngx_post_event(&s->polling->event, &ngx_posted_events);
    }
}


void
ngx_realtime_polling_timer(ngx_realtime_session_t *s, ngx_msec_t after)
{
    ngx_event_t *ev;

    ev = &s->polling->event;

    /* re-arming a set timer by less than 300 ms would be ignored */
    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    ngx_add_timer(ev, after);
}


static void
ngx_realtime_polling_handler(ngx_event_t *ev)
{
    ngx_realtime_session_t *s;

    s = ev->data;

    if (ev->timedout) {
        ev->timedout = 0;
        ngx_realtime_session_timer(s);
        return;
    }

    ngx_realtime_polling_flush(s);
}


static void
ngx_realtime_polling_flush(ngx_realtime_session_t *s)
{
    rt_buf_t  body;
    ngx_str_t text;

    if (!s->polling->held || s->queue.head == NULL || s->polling->probed || s->frozen) {
        return;
    }

    ngx_memzero(&body, sizeof(rt_buf_t));
    ngx_realtime_polling_packets(s, &body, NULL);

    text.data = (u_char *) body.data;
    text.len = body.len;

    ngx_realtime_polling_answer(s->polling, &text);

    if (s->polling->gets[0].tag != 0) {
        /* until the client's next GET says that it has come: see ngx_realtime_polling_repeats() */
        s->polling->answered_at = ngx_current_msec;
        s->polling->answered = body;
        return;
    }

    rt_buf_free(&body);
}


/* A proxy that deals requests out to several hosts repeats a GET elsewhere when the host that it
 * asked dies, and the client never knows. If that host had carried it to us, what we answered may
 * be lost with it: the repetition, which carries the same `t` of the client's, is answered the
 * same. What the dead host had sent us may also come late, behind the repetition or behind GETs
 * after it: nobody waits for its answer, which must take no packets away. */
static ngx_uint_t
ngx_realtime_polling_repeats(ngx_realtime_session_t *s, ngx_realtime_poll_t *poll)
{
    ngx_str_t               text;
    ngx_uint_t              i;
    ngx_realtime_polling_t *p = s->polling;

    for (i = 0; i < NGX_REALTIME_POLL_TAGS && p->tags[i] != poll->tag; i++) {
        /* void */
    }

    if (poll->tag != 0 && i != NGX_REALTIME_POLL_TAGS
        && (!p->asked || ++p->repeats > NGX_REALTIME_POLL_REPEATS))
    {
        p->untagged = 1; /* a script whose URLs are all the same, the handshake's perhaps too */
    }

    if (p->untagged) {
        poll->tag = 0;
    }

    if (poll->tag == 0) {
        rt_buf_free(&p->answered);
        return 0;
    }

    if (i == NGX_REALTIME_POLL_TAGS) {
        p->newest = (p->newest + 1) % NGX_REALTIME_POLL_TAGS;
        p->tags[p->newest] = poll->tag;
        p->repeats = 0;
        p->asked = 1;
        rt_buf_free(&p->answered);
        return 0;
    }

    if (i == p->newest && p->held && p->held < NGX_REALTIME_POLL_CARRIERS) {
        p->gets[p->held++] = *poll; /* one of them is dead, and which can't be told */
        return 1;
    }

    ngx_str_set(&text, NGX_REALTIME_NOOP);

    if (i == p->newest && p->answered.data != NULL
        && ngx_current_msec - p->answered_at < NGX_REALTIME_POLL_REPEAT_MS)
    {
        text.data = (u_char *) p->answered.data;
        text.len = p->answered.len;
    }

    ngx_realtime_poll_answer(poll, NGX_HTTP_OK, NGX_REALTIME_POLL_PACKETS, &text);

    return 1;
}


/* Takes what waits off the queue, as many packets as one body may have; `last` is put behind. */
static void
ngx_realtime_polling_packets(ngx_realtime_session_t *s, rt_buf_t *body, const char *last)
{
    ngx_uint_t          i, max;
    ngx_realtime_buf_t *buf;

    max = RT_EIO_PAYLOAD_PACKETS - (last != NULL);

    for (i = 0; i < max && s->queue.head != NULL; i++) {
        buf = s->queue.head->buf;
        rt_eio_payload_add(body, buf->binary, (rt_str_t){(char *) buf->payload, buf->payload_len});
        ngx_realtime_queue_shift(&s->queue);
    }

    if (last != NULL) {
        rt_eio_payload_add(body, 0, rt_str_c(last));
    }
}


/* To all who may be the one that the client waits for. */
static void
ngx_realtime_polling_answer(ngx_realtime_polling_t *p, ngx_str_t *body)
{
    ngx_uint_t i, held;

    held = p->held;
    p->held = 0;

    for (i = 0; i < held; i++) {
        ngx_realtime_poll_answer(&p->gets[i], NGX_HTTP_OK, NGX_REALTIME_POLL_PACKETS, body);
    }
}


/* Its place among those that are held; p->held: it is none of them. */
static ngx_uint_t
ngx_realtime_polling_holds(ngx_realtime_polling_t *p, ngx_realtime_poll_t *poll)
{
    ngx_uint_t i;

    for (i = 0; i < p->held && !ngx_realtime_polling_same(&p->gets[i], poll); i++) {
        /* void */
    }

    return i;
}


static void
ngx_realtime_polling_release(ngx_realtime_session_t *s, const char *packet)
{
    ngx_str_t text;

    if (!s->polling->held) {
        return;
    }

    text.data = (u_char *) packet;
    text.len = 1;

    ngx_realtime_polling_answer(s->polling, &text);
}


void
ngx_realtime_polling_noop(ngx_realtime_session_t *s)
{
    ngx_realtime_polling_release(s, NGX_REALTIME_NOOP);
}


void
ngx_realtime_polling_probed(ngx_realtime_session_t *s)
{
    s->polling->probed = 1;
    ngx_realtime_polling_noop(s);
}


void
ngx_realtime_polling_probe_gone(ngx_realtime_session_t *s)
{
    s->polling->probe = NULL;
    s->polling->prober = 0;
    s->polling->probed = 0;

    ngx_realtime_polling_wake(s);
}


void
ngx_realtime_polling_get(ngx_realtime_session_t *s, ngx_realtime_poll_t *poll)
{
    ngx_str_t noop = ngx_string(NGX_REALTIME_NOOP);

    if (s->polling == NULL) {
        ngx_realtime_poll_error(poll, 3);
        return;
    }

    if (ngx_realtime_polling_repeats(s, poll)) {
        return;
    }

    if (s->polling->held) {
        ngx_realtime_polling_release(s, NGX_REALTIME_CLOSE);
        ngx_realtime_poll_error(poll, 3);
        ngx_realtime_session_close(s, RT_WS_CLOSE_PROTOCOL, "second GET while one is pending");
        return;
    }

    if (s->polling->probed || s->frozen) {
        ngx_realtime_poll_answer(poll, NGX_HTTP_OK, NGX_REALTIME_POLL_PACKETS, &noop);
        return;
    }

    s->polling->gets[0] = *poll;
    s->polling->held = 1;

    if (s->queue.head != NULL) {
        ngx_realtime_polling_flush(s);
    }
}


void
ngx_realtime_polling_worker_lost(ngx_realtime_session_t *s, ngx_realtime_worker_id_t worker)
{
    ngx_uint_t              i;
    ngx_realtime_polling_t *p = s->polling;

    if (p == NULL) {
        return;
    }

    for (i = p->held; i-- > 0; /* void */) {
        if (p->gets[i].worker == worker) {
            p->gets[i] = p->gets[--p->held]; /* the client, or a proxy before it, asks again */
        }
    }

    if (p->posting && p->post.worker == worker) {
        p->posting = 0;
    }
}


ngx_int_t
ngx_realtime_polling_post_begin(ngx_realtime_session_t *s, ngx_realtime_poll_t *poll)
{
    if (s->polling == NULL || s->frozen) {
        return NGX_DECLINED;
    }

    if (s->polling->posting) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_PROTOCOL, "overlapping POSTs");
        return NGX_DECLINED;
    }

    s->polling->post = *poll;
    s->polling->posting = 1;

    return NGX_OK;
}


void
ngx_realtime_polling_post(ngx_realtime_session_t *s, ngx_realtime_poll_t *poll, ngx_str_t *body)
{
    size_t          at;
    ngx_str_t       ok = ngx_string("ok");
    rt_status_t     status;
    rt_eio_packet_t packet;

    if (s->polling == NULL || s->frozen) {
        ngx_realtime_poll_error(poll, 3);
        return;
    }

    /* one that another worker read at once was not announced by post_begin */
    if (s->polling->posting && !ngx_realtime_polling_same(&s->polling->post, poll)) {
        ngx_realtime_poll_error(poll, 3);
        ngx_realtime_session_close(s, RT_WS_CLOSE_PROTOCOL, "overlapping POSTs");
        return;
    }

    s->polling->posting = 0;

    ngx_realtime_session_hold(s);

    at = 0;

    for (;;) {
        status = rt_eio_payload_next((char *) body->data, body->len, &at, &packet);

        if (status != RT_OK) {
            break;
        }

        ngx_realtime_engine_packet(s, &packet);

        if (s->closed) {
            break;
        }
    }

    if (status == RT_INVALID || (status == RT_DECLINED && body->len == 0)) {
        ngx_realtime_poll_error(poll, 3);
        ngx_realtime_session_close(s, RT_WS_CLOSE_PROTOCOL, "bad polling body");

    } else {
        ngx_realtime_poll_answer(poll, NGX_HTTP_OK, NGX_REALTIME_POLL_OK, &ok);
    }

    ngx_realtime_session_let(s);
}


static ngx_uint_t
ngx_realtime_polling_same(ngx_realtime_poll_t *one, ngx_realtime_poll_t *other)
{
    return one->request == other->request && one->worker == other->worker && one->id == other->id;
}


void
ngx_realtime_polling_let_go(ngx_realtime_session_t *s, ngx_realtime_poll_t *poll)
{
    if (s->polling != NULL && ngx_realtime_polling_holds(s->polling, poll) < s->polling->held) {
        ngx_realtime_polling_noop(s);
    }
}


void
ngx_realtime_polling_aborted(ngx_realtime_session_t *s, ngx_realtime_poll_t *poll)
{
    ngx_uint_t              i;
    ngx_realtime_polling_t *p;

    p = s->polling;

    if (p == NULL) {
        return;
    }

    i = ngx_realtime_polling_holds(p, poll);

    if (i < p->held) {
        p->gets[i] = p->gets[--p->held];

        if (p->held == 0) {
            ngx_realtime_session_close(s, RT_WS_CLOSE_NORMAL, "poll connection closed prematurely");
        }

        return;
    }

    if (p->posting && ngx_realtime_polling_same(&p->post, poll)) {
        p->posting = 0;
        ngx_realtime_session_close(s, RT_WS_CLOSE_NORMAL, "post connection closed prematurely");
    }
}


void
ngx_realtime_poll_answer(ngx_realtime_poll_t *poll, ngx_uint_t status,
    ngx_realtime_poll_body_e kind, ngx_str_t *body)
{
    ngx_connection_t   *c;
    ngx_http_request_t *r;

    static const char *types[] = {"text/plain; charset=UTF-8", "text/html", "application/json"};

    r = poll->request;

    if (r == NULL) {
        ngx_realtime_relay_answer(poll->worker, poll->id, status, kind, body);
        return;
    }

    ngx_realtime_relay_forget(r);

    c = r->connection;

    ngx_http_finalize_request(r, ngx_realtime_http_send(r, status, types[kind], body));
    ngx_http_run_posted_requests(c);
}


void
ngx_realtime_poll_error(ngx_realtime_poll_t *poll, ngx_int_t code)
{
    ngx_str_t body;

    body = ngx_realtime_ngx_str(rt_eio_error_body((int) code));

    ngx_realtime_poll_answer(poll, code == 4 ? NGX_HTTP_FORBIDDEN : NGX_HTTP_BAD_REQUEST,
        NGX_REALTIME_POLL_ERROR, &body);
}
