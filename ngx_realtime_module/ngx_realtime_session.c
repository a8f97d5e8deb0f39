/* One client: transport, output, clocks, and its end. */

#include "ngx_realtime_session.h"
#include "ngx_realtime_adapter.h"
#include "ngx_realtime_asks.h"
#include "ngx_realtime_hub.h"
#include "ngx_realtime_limits.h"
#include "ngx_realtime_metrics.h"
#include "ngx_realtime_missed.h"
#include "ngx_realtime_people.h"
#include "ngx_realtime_polling.h"
#include "ngx_realtime_presence.h"

#include <rt/rt_text.h>


static ngx_uint_t ngx_realtime_session_slow(ngx_realtime_session_t *s);
static void       ngx_realtime_session_end(ngx_realtime_session_t *s, ngx_uint_t told);
static void       ngx_realtime_session_send_copy(ngx_realtime_session_t *s, rt_ws_opcode_t opcode,
          const void *data, size_t len);
static void       ngx_realtime_session_ping(ngx_realtime_session_t *s, ngx_msec_t now);
static ngx_uint_t ngx_realtime_session_due(ngx_msec_t at, ngx_msec_t now);

static ngx_queue_t       ngx_realtime_session_list;
static ngx_uint_t        ngx_realtime_session_number;
static ngx_rbtree_t      ngx_realtime_session_tree;
static ngx_rbtree_node_t ngx_realtime_session_sentinel;


void
ngx_realtime_session_init(void)
{
    ngx_queue_init(&ngx_realtime_session_list);

    ngx_rbtree_init(&ngx_realtime_session_tree, &ngx_realtime_session_sentinel,
        ngx_rbtree_insert_value);
}


void
ngx_realtime_session_bearer(ngx_realtime_session_t *s, ngx_str_t *token)
{
    if (s->bearer != NULL) {
        ngx_explicit_memzero(s->bearer, ngx_strlen(s->bearer));
        ngx_free(s->bearer);
        s->bearer = NULL;
    }

    if (token == NULL) {
        return;
    }

    s->bearer = ngx_alloc(token->len + 1, ngx_cycle->log);

    if (s->bearer != NULL) {
        (void) ngx_cpystrn((u_char *) s->bearer, token->data, token->len + 1);
    }
}


ngx_queue_t *
ngx_realtime_sessions(void)
{
    return &ngx_realtime_session_list;
}


ngx_uint_t
ngx_realtime_session_count(void)
{
    return ngx_realtime_session_number;
}


ngx_realtime_session_t *
ngx_realtime_session_create(ngx_realtime_loc_conf_t *conf, const ngx_realtime_protocol_t *protocol,
    ngx_uint_t engine, ngx_realtime_sid_t *sid, ngx_uint_t *busy)
{
    u_char                  random[15];
    ngx_realtime_session_t *s;

    *busy = 0;

    s = ngx_calloc(sizeof(ngx_realtime_session_t), ngx_cycle->log);
    if (s == NULL) {
        return NULL;
    }

    s->conf = conf;
    s->protocol = protocol;
    s->engine = engine ? 1 : 0;

    ngx_queue_init(&s->asks);
    ngx_queue_init(&s->doing);

    if (sid != NULL) {
        s->sid = *sid;

    } else if (ngx_realtime_sid_make(&s->sid) != NGX_OK) {
        goto failed;
    }

    /* the id that others may see tells nothing of the sid, which is a secret of the client */
    if (rt_random(random, sizeof(random)) != RT_OK) {
        goto failed;
    }

    (void) rt_base64url((char *) s->socket_id, random, sizeof(random));

    /* one that moves here has its place; for a moment it counts twice */
    if (ngx_realtime_limits_connection_add(sid ? 0 : conf->max_connections) != NGX_OK) {
        *busy = 1;
        goto failed;
    }

    s->counted = 1;

    if (engine) {
        ngx_memcpy(&s->node.key, s->sid.random, sizeof(ngx_rbtree_key_t));
        ngx_rbtree_insert(&ngx_realtime_session_tree, &s->node);
    }

    ngx_queue_insert_tail(&ngx_realtime_session_list, &s->link);
    ngx_realtime_session_number++;

    return s;

failed:

    ngx_free(s);
    return NULL;
}


ngx_realtime_session_t *
ngx_realtime_session_find(ngx_realtime_sid_t *sid)
{
    ngx_rbtree_key_t        key;
    ngx_rbtree_node_t      *node;
    ngx_realtime_session_t *s;

    ngx_memcpy(&key, sid->random, sizeof(ngx_rbtree_key_t));

    node = ngx_realtime_session_tree.root;

    while (node != &ngx_realtime_session_sentinel) {

        if (key != node->key) {
            node = key < node->key ? node->left : node->right;
            continue;
        }

        s = (ngx_realtime_session_t *) ((u_char *) node - offsetof(ngx_realtime_session_t, node));

        if (ngx_memcmp(s->sid.random, sid->random, NGX_REALTIME_SID_RANDOM) == 0) {
            return ngx_realtime_session_late(s) ? NULL : s;
        }

        node = node->right;
    }

    return NULL;
}


void
ngx_realtime_session_start(ngx_realtime_session_t *s)
{
    s->ping_at = ngx_current_msec + s->conf->ping_interval;

    if (s->protocol->connects && s->standing != NGX_REALTIME_CONNECTED) {
        s->enter_by = ngx_current_msec + s->conf->connect_timeout;
    }

    ngx_realtime_session_arm(s);
}


void
ngx_realtime_session_attach(ngx_realtime_session_t *s, ngx_realtime_ws_t *ws)
{
    ngx_realtime_buf_t *buf;

    if (s->polling != NULL) {
        ngx_realtime_polling_detach(s);
    }

    s->ws = ws;
    ngx_realtime_session_meter(s,
        s->engine ? NGX_REALTIME_TRANSPORT_WEBSOCKET : NGX_REALTIME_TRANSPORT_PLAIN);

    while (s->queue.head != NULL) {
        buf = ngx_realtime_buf_get(s->queue.head->buf);
        ngx_realtime_queue_shift(&s->queue);
        ngx_realtime_session_send(s, buf);
        ngx_realtime_buf_put(buf);
    }
}


void
ngx_realtime_session_meter(ngx_realtime_session_t *s, ngx_uint_t transport)
{
    if (s->transport != NGX_REALTIME_TRANSPORT_NONE) {
        ngx_realtime_metrics->gauges.connections[s->transport]--;
    }

    s->transport = transport;

    if (transport != NGX_REALTIME_TRANSPORT_NONE) {
        ngx_realtime_metrics->gauges.connections[transport]++;
        ngx_realtime_metrics->counts.opened[transport]++;
    }
}


/* One message may be larger than the limit; what waits behind it may not. */
static ngx_uint_t
ngx_realtime_session_slow(ngx_realtime_session_t *s)
{
    return s->slow || ngx_realtime_queue_waiting(&s->queue) > s->conf->send_buffer;
}


void
ngx_realtime_session_send(ngx_realtime_session_t *s, ngx_realtime_buf_t *buf)
{
    if (s->ws != NULL) {
        ngx_realtime_ws_send(s->ws, buf);
        return;
    }

    if (s->closed || ngx_realtime_session_slow(s)) {
        return;
    }

    if (ngx_realtime_queue_push(&s->queue, buf) != NGX_OK || ngx_realtime_session_slow(s)) {
        s->slow = 1;

        /* whoever is sending may be walking over this client: it is dropped by its timer */
        ngx_realtime_session_arm(s);
        return;
    }

    if (s->polling != NULL) {
        ngx_realtime_polling_wake(s);
    }
}


void
ngx_realtime_session_fail(ngx_realtime_session_t *s)
{
    if (s->ws != NULL) {
        ngx_realtime_ws_fail(s->ws);
        return;
    }

    s->slow = 1;
    ngx_realtime_session_arm(s);
}


void
ngx_realtime_session_send_text(ngx_realtime_session_t *s, const void *data, size_t len)
{
    ngx_realtime_session_send_copy(s, RT_WS_TEXT, data, len);
}


void
ngx_realtime_session_send_binary(ngx_realtime_session_t *s, const void *data, size_t len)
{
    ngx_realtime_session_send_copy(s, RT_WS_BINARY, data, len);
}


static void
ngx_realtime_session_send_copy(ngx_realtime_session_t *s, rt_ws_opcode_t opcode, const void *data,
    size_t len)
{
    ngx_realtime_buf_t *buf, *deflated;

    buf = ngx_realtime_buf_create(opcode, data, len, 0);
    if (buf == NULL) {
        ngx_realtime_session_fail(s);
        return;
    }

    if (ngx_realtime_session_deflates(s)) {
        deflated = ngx_realtime_buf_deflate(buf);

        if (deflated != NULL) {
            ngx_realtime_buf_put(buf);
            buf = deflated;
        }
    }

    ngx_realtime_session_send(s, buf);
    ngx_realtime_buf_put(buf);
}


void
ngx_realtime_session_event(ngx_realtime_session_t *s, rt_str_t event, rt_str_t data)
{
    rt_buf_t out;

    ngx_memzero(&out, sizeof(rt_buf_t));

    s->protocol->encode_event(&out, ngx_realtime_str(s->conf->namespace), event, data);

    if (!out.failed) {
        ngx_realtime_session_send_text(s, out.data, out.len);
    }

    rt_buf_free(&out);
}


void
ngx_realtime_session_pong(ngx_realtime_session_t *s)
{
    if (s->pong_by == 0) {
        return; /* unasked: harmless */
    }

    s->pong_by = 0;
    s->ping_at = ngx_current_msec + s->conf->ping_interval;

    ngx_realtime_session_arm(s);
}


static ngx_uint_t
ngx_realtime_session_due(ngx_msec_t at, ngx_msec_t now)
{
    return at != 0 && (ngx_msec_int_t) (at - now) <= 0;
}


void
ngx_realtime_session_arm(ngx_realtime_session_t *s)
{
    int64_t        left;
    ngx_uint_t     i;
    ngx_msec_t     after, now;
    ngx_msec_int_t due;

    const ngx_msec_t times[] = {s->ping_at, s->pong_by, s->enter_by};

    now = ngx_current_msec;
    after = 3600 * 1000;

    for (i = 0; i < 3; i++) {
        if (times[i] != 0) {
            due = (ngx_msec_int_t) (times[i] - now);
            after = due <= 0 ? 0 : ngx_min(after, (ngx_msec_t) due);
        }
    }

    /* of a session on its way the new worker sees to it */
    if (s->identity != NULL && !s->frozen && s->identity->expires_at_ms != INT64_MAX) {
        left = s->identity->expires_at_ms - rt_time_now_ms();
        after = left <= 0 ? 0 : ngx_min(after, (ngx_msec_t) ngx_min(left, 3600 * 1000));
    }

    if (s->slow) {
        after = 0;
    }

    if (s->ws != NULL) {
        ngx_realtime_ws_timer(s->ws, after);

    } else if (s->polling != NULL) {
        ngx_realtime_polling_timer(s, after);
    }
}


ngx_uint_t
ngx_realtime_session_late(ngx_realtime_session_t *s)
{
    if (s->closed) {
        return 1;
    }

    if (s->paused || !ngx_realtime_session_due(s->pong_by, ngx_current_msec)) {
        return 0;
    }

    ngx_realtime_session_close(s, RT_WS_CLOSE_GOING_AWAY, "ping timeout");

    return 1;
}


void
ngx_realtime_session_timer(ngx_realtime_session_t *s)
{
    ngx_msec_t now;

    now = ngx_current_msec;

    if (s->slow) {
        ngx_realtime_metrics->counts.slow_clients++;
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
            "realtime: client is too slow: more than %uz bytes wait for its poll",
            s->conf->send_buffer);
        ngx_realtime_session_close(s, RT_WS_CLOSE_POLICY, "slow client");
        return;
    }

    if (s->paused && ngx_realtime_session_due(s->pong_by, now)) {
        /* its pong may be here, and is not read while so much waits for the store */
        s->pong_by = now + s->conf->ping_timeout;
    }

    if (ngx_realtime_session_due(s->pong_by, now)) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_GOING_AWAY, "ping timeout");
        return;
    }

    if (ngx_realtime_session_due(s->enter_by, now)) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_POLICY, "connect timeout");
        return;
    }

    if (s->identity != NULL && !s->frozen && s->identity->expires_at_ms <= rt_time_now_ms()) {
        ngx_realtime_asks_refuse(s, "Token expired");
        return;
    }

    if (ngx_realtime_session_due(s->ping_at, now)) {
        ngx_realtime_session_ping(s, now);
    }

    ngx_realtime_session_arm(s);
}


/* The deadline is reckoned from when the ping was due, not from when a busy worker came to it;
 * after a long stall the client still gets half of its time. */
static void
ngx_realtime_session_ping(ngx_realtime_session_t *s, ngx_msec_t now)
{
    ngx_msec_t stall;

    stall = ngx_min(now - s->ping_at, s->conf->ping_timeout / 2);

    s->ping_at = 0;
    s->pong_by = now + s->conf->ping_timeout - stall;

    if (s->engine) {
        ngx_realtime_session_send_text(s, "2", 1);
        return;
    }

    ngx_realtime_ws_ping(s->ws);
}


void
ngx_realtime_session_close(ngx_realtime_session_t *s, ngx_uint_t code, const char *reason)
{
    ngx_realtime_ws_t *ws;

    if (s->closed) {
        return;
    }

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
        "realtime: client closed: %s, %s, user \"%V\", %s", s->protocol->name,
        s->polling ? "polling" : "websocket",
        &(ngx_str_t){s->identity ? s->identity->user_id.len : 0,
            s->identity ? (u_char *) s->identity->user_id.data : NULL},
        reason);

    s->closed = 1;

    ws = s->ws;
    s->ws = NULL;

    if (ws != NULL) {
        ngx_realtime_ws_close(ws, code);
    }

    if (s->polling != NULL) {
        ngx_realtime_polling_close(s);
    }

    ngx_realtime_session_end(s, 1);
}


void
ngx_realtime_session_moved(ngx_realtime_session_t *s)
{
    s->closed = 1;

    if (s->polling != NULL) {
        ngx_realtime_polling_close(s);
    }

    ngx_realtime_session_end(s, 0);
}


/* told: the rooms hear that it left. */
static void
ngx_realtime_session_end(ngx_realtime_session_t *s, ngx_uint_t told)
{
    while (s->members != NULL) {
        if (told) {
            ngx_realtime_people_leave(s->members);
        } else {
            ngx_realtime_people_forget(s->members);
        }
    }

    ngx_realtime_adapter_left(s);
    ngx_realtime_missed_forget(s);
    ngx_realtime_presence_down(s);
    ngx_realtime_session_meter(s, NGX_REALTIME_TRANSPORT_NONE);

    if (s->engine) {
        ngx_rbtree_delete(&ngx_realtime_session_tree, &s->node);
    }

    ngx_queue_remove(&s->link);
    ngx_realtime_session_number--;

    if (s->counted) {
        ngx_realtime_limits_connection_remove();
    }

    if (s->user_counted) {
        ngx_realtime_limits_user_remove(s->identity->business_id, s->identity->user_id);
    }

    ngx_realtime_asks_clear(s);

    ngx_realtime_session_hold(s);
    ngx_realtime_session_let(s);
}


void
ngx_realtime_session_let(ngx_realtime_session_t *s)
{
    if (--s->holds > 0 || !s->closed) {
        return;
    }

    if (s->protocol->clear != NULL) {
        s->protocol->clear(s);
    }

    ngx_realtime_queue_clear(&s->queue);
    rt_identity_put(s->identity);
    ngx_realtime_session_bearer(s, NULL);
    ngx_free(s);
}
