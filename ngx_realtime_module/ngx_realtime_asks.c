/* What chat clients ask, one after the other.
 *
 * stranger ──token good──▶ entering (channels subscribed on the bus, see ngx_realtime_missed.c)
 *          ──▶ connected
 *
 * Events that come before "connected" wait. While one is under way (a call in the thread pool, or a
 * room's subscription) the next ones wait too, so that they keep their order. Only messages may
 * follow each other to the store, which keeps it: those of a busy client share their commits. */

#include "ngx_realtime_asks.h"
#include "ngx_realtime_adapter.h"
#include "ngx_realtime_hub.h"
#include "ngx_realtime_limits.h"
#include "ngx_realtime_metrics.h"
#include "ngx_realtime_missed.h"
#include "ngx_realtime_move.h"
#include "ngx_realtime_people.h"
#include "ngx_realtime_presence.h"

#include <rt/rt_text.h>


#define NGX_REALTIME_ASKS_PAUSE    32 /* past it the client's WebSocket is not read */
#define NGX_REALTIME_ASKS_MAX      1024
#define NGX_REALTIME_ASKS_TOGETHER 64 /* messages of one client on their way to the store */
#define NGX_REALTIME_ASKS_BYTES    2  /* times realtime_max_payload: all that may wait */

static ngx_int_t  ngx_realtime_asks_guest(ngx_realtime_session_t *s);
static ngx_int_t  ngx_realtime_asks_subscribe(ngx_realtime_session_t *s, const char *kind,
     rt_str_t id);
static void       ngx_realtime_asks_subscribed(ngx_realtime_member_t *m);
static void       ngx_realtime_asks_begin(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask,
          const ngx_realtime_event_t *event);
static ngx_uint_t ngx_realtime_asks_limited(ngx_realtime_session_t *s);
static void       ngx_realtime_asks_count(ngx_realtime_ask_t *ask, rt_status_t status);
static void       ngx_realtime_asks_fail(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask,
          rt_status_t status, const char *text, rt_str_t extra);


void
ngx_realtime_asks_enter(ngx_realtime_session_t *s, rt_str_t token)
{
    int64_t        now;
    rt_error_t     error;
    rt_status_t    status;
    rt_identity_t *identity;

    if (token.len == 0 && s->conf->guest) {
        if (ngx_realtime_asks_guest(s) != NGX_OK) {
            ngx_realtime_session_close(s, RT_WS_CLOSE_INTERNAL, "no memory");
            return;
        }

    } else {
        now = rt_time_now_ms();
        identity = NULL;

        status = token.len == 0
            ? rt_error_set(&error, RT_UNAUTHORIZED, "Authentication required")
            : rt_token_verify(s->conf->key, token, now, s->conf->jwt_leeway, &identity, &error);
        if (status != RT_OK) {
            ngx_realtime_asks_refuse(s, status == RT_UNAUTHORIZED ? error.text : "Try again later");
            return;
        }

        s->identity = identity;
    }

    if (s->conf->max_connections_per_user) {
        if (ngx_realtime_limits_user_add(s->identity->business_id, s->identity->user_id,
                s->conf->max_connections_per_user)
            != NGX_OK)
        {
            ngx_realtime_asks_refuse(s, "Too many connections");
            return;
        }

        s->user_counted = 1;
    }

    s->user_hash = ngx_murmur_hash2((u_char *) s->identity->user_id.data, s->identity->user_id.len);
    s->standing = NGX_REALTIME_ENTERING;
    s->waiting = 1; /* this function itself */

    if (ngx_realtime_asks_subscribe(s, "user:", s->identity->user_id) != NGX_OK
        || (rt_role_is_staff(s->identity->role) && s->identity->business_id.len
            && ngx_realtime_asks_subscribe(s, "business:", s->identity->business_id) != NGX_OK))
    {
        ngx_realtime_session_close(s, RT_WS_CLOSE_INTERNAL, "no memory");
        return;
    }

    if (--s->waiting == 0) {
        ngx_realtime_missed_ask(s);
    }
}


static ngx_int_t
ngx_realtime_asks_guest(ngx_realtime_session_t *s)
{
    u_char random[12];
    u_char id[sizeof("guest-") - 1 + RT_HEX_LEN(12)];

    if (rt_random(random, sizeof(random)) != RT_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(id, "guest-", 6);
    rt_hex((char *) id + 6, random, sizeof(random));

    s->identity = rt_identity_create((rt_str_t){(char *) id, sizeof(id)}, rt_str_null,
        rt_str("CUSTOMER"), rt_str("Guest"), rt_str_null, INT64_MAX);

    return s->identity ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_realtime_asks_subscribe(ngx_realtime_session_t *s, const char *kind, rt_str_t id)
{
    u_char                *p;
    u_char                 name[sizeof("business:") + 4 * 128];
    ngx_str_t              channel;
    ngx_realtime_member_t *m;

    p = ngx_cpymem(name, kind, ngx_strlen(kind));
    p = ngx_cpymem(p, id.data, ngx_min(id.len, 4 * 128));

    channel.data = name;
    channel.len = p - name;

    m = ngx_realtime_hub_add(s, &channel, ngx_realtime_asks_subscribed);
    if (m == NULL) {
        return NGX_ERROR;
    }

    if (!m->channel->subscribed) {
        s->waiting++;
    }

    return NGX_OK;
}


static void
ngx_realtime_asks_subscribed(ngx_realtime_member_t *m)
{
    if (--m->session->waiting == 0) {
        ngx_realtime_missed_ask(m->session);
    }
}


void
ngx_realtime_asks_connected(ngx_realtime_session_t *s)
{
    char           time[RT_TIME_LEN + 1];
    rt_buf_t       out;
    rt_identity_t *identity;

    identity = s->identity;
    rt_time_format(time, rt_time_now_ms());

    ngx_memzero(&out, sizeof(rt_buf_t));

    rt_buf_append_str(&out, rt_str("{\"message\":\"Connected to real-time server\",\"clientId\":"));
    rt_buf_append_json_string(&out, (rt_str_t){(char *) s->socket_id, sizeof(s->socket_id)});
    rt_buf_append_str(&out, rt_str(",\"isAuthenticated\":true,\"userId\":"));
    rt_buf_append_json_string(&out, identity->user_id);
    rt_buf_append_str(&out, rt_str(",\"businessId\":"));

    if (identity->business_id.len) {
        rt_buf_append_json_string(&out, identity->business_id);
    } else {
        rt_buf_append_str(&out, rt_str("null"));
    }

    rt_buf_append_str(&out, rt_str(",\"role\":"));
    rt_buf_append_json_string(&out, identity->role_name);
    rt_buf_append_str(&out, rt_str(",\"timestamp\":"));
    rt_buf_append_json_string(&out, (rt_str_t){time, RT_TIME_LEN});
    rt_buf_append_str(&out, rt_str("}"));

    if (out.failed) {
        rt_buf_free(&out);
        ngx_realtime_session_close(s, RT_WS_CLOSE_INTERNAL, "no memory");
        return;
    }

    s->standing = NGX_REALTIME_CONNECTED;
    s->enter_by = 0;

    ngx_realtime_session_event(s, rt_str("connected"), (rt_str_t){out.data, out.len});

    rt_buf_free(&out);

    ngx_realtime_missed_tell(s);
    ngx_realtime_adapter_connected(s);
    ngx_realtime_presence_up(s);
    ngx_realtime_session_arm(s);
    ngx_realtime_asks_run(s);
}


void
ngx_realtime_asks_refuse(ngx_realtime_session_t *s, const char *message)
{
    rt_buf_t out;

    ngx_memzero(&out, sizeof(rt_buf_t));

    rt_buf_append_str(&out, rt_str("{\"message\":"));
    rt_buf_append_json_string(&out, rt_str_c(message));
    rt_buf_append_str(&out, rt_str("}"));

    if (!out.failed) {
        ngx_realtime_session_event(s, rt_str("error"), (rt_str_t){out.data, out.len});
    }

    rt_buf_free(&out);

    ngx_realtime_asks_leave(s);

    s->protocol->refuse(s);
}


void
ngx_realtime_asks_leave(ngx_realtime_session_t *s)
{
    while (s->members != NULL) {
        ngx_realtime_people_leave(s->members);
    }

    ngx_realtime_asks_clear(s);
    ngx_realtime_adapter_left(s);
    ngx_realtime_missed_forget(s);
    ngx_realtime_presence_down(s);

    if (s->user_counted) {
        ngx_realtime_limits_user_remove(s->identity->business_id, s->identity->user_id);
        s->user_counted = 0;
    }

    rt_identity_put(s->identity);
    s->identity = NULL;
    s->standing = NGX_REALTIME_STRANGER;
    s->enter_by = ngx_current_msec + s->conf->connect_timeout;
}


ngx_realtime_ask_t *
ngx_realtime_ask_create(rt_str_t event, json_t *data)
{
    ngx_realtime_ask_t *ask;

    ask = ngx_calloc(sizeof(ngx_realtime_ask_t), ngx_cycle->log);
    if (ask == NULL) {
        json_decref(data);
        return NULL;
    }

    ask->data = data;
    ask->ack = RT_SIO_ID_NONE;

    /* a name with a NUL inside is none of ours either: it ends there and is then unknown or, cut,
     * harmless */
    if (event.len < sizeof(ask->event)) {
        ngx_memcpy(ask->event, event.data, event.len);
    }

    return ask;
}


void
ngx_realtime_ask_free(ngx_realtime_ask_t *ask)
{
    json_decref(ask->data);
    json_decref(ask->id);
    ngx_free(ask);
}


/* As limit_req does it: what came too early adds up and drains with the rate. */
static ngx_uint_t
ngx_realtime_asks_limited(ngx_realtime_session_t *s)
{
    uint64_t   drained;
    ngx_msec_t now, elapsed;

    if (s->conf->rate == 0) {
        return 0;
    }

    now = ngx_current_msec;
    elapsed = ngx_min(now - s->rate_last, 3600 * 1000);
    drained = (uint64_t) elapsed * s->conf->rate / 1000;

    s->rate_last = now;
    s->rate_excess = s->rate_excess > drained ? (uint32_t) (s->rate_excess - drained) : 0;

    if (s->rate_excess > s->conf->rate_burst * 1000) {
        return 1;
    }

    s->rate_excess += 1000;

    return 0;
}


void
ngx_realtime_asks_push(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask)
{
    rt_status_t status;
    const char *text;

    status = RT_OK;
    text = NULL;

    if (ngx_realtime_asks_limited(s)) {
        status = RT_RATE_LIMITED;
        text = "Too many events, slow down";

    } else if (s->ask_count >= NGX_REALTIME_ASKS_MAX
        || (s->ask_count != 0
            && s->ask_bytes + ask->bytes > NGX_REALTIME_ASKS_BYTES * s->conf->max_payload))
    {
        status = RT_UNAVAILABLE;
        text = "Too many events are waiting, try again later";

    } else if (ask->refused) {
        status = RT_INVALID;
        text = "The text holds an unpaired surrogate or \\u0000, or nests too deep";

    } else if (ask->binary) {
        status = RT_INVALID;
        text = "Binary data is not taken here: send a link in attachments";
    }

    if (status != RT_OK) {
        ngx_realtime_asks_fail(s, ask, status, text, rt_str_null);
        ngx_realtime_ask_free(ask);
        return;
    }

    ngx_queue_insert_tail(&s->asks, &ask->link);
    s->ask_count++;
    s->ask_bytes += ask->bytes;

    if (s->ask_count >= NGX_REALTIME_ASKS_PAUSE && s->ws != NULL && !s->paused) {
        s->paused = 1;
        ngx_realtime_ws_pause(s->ws);
    }

    ngx_realtime_asks_run(s);
}


void
ngx_realtime_asks_run(ngx_realtime_session_t *s)
{
    ngx_realtime_ask_t         *ask;
    const ngx_realtime_event_t *event;

    if (s->running) {
        return; /* further up the stack */
    }

    s->running = 1;
    ngx_realtime_session_hold(s);

    while (!s->closed && !s->frozen && s->standing == NGX_REALTIME_CONNECTED
        && !ngx_queue_empty(&s->asks))
    {
        ask = ngx_queue_data(ngx_queue_head(&s->asks), ngx_realtime_ask_t, link);
        event = ngx_realtime_event_find(ask->event);

        if (s->doing_count != 0
            && (!s->together || event == NULL || !event->together
                || s->doing_count >= NGX_REALTIME_ASKS_TOGETHER))
        {
            break;
        }

        ngx_realtime_asks_begin(s, ask, event);
    }

    s->running = 0;

    if (!s->closed && s->paused && s->ask_count < NGX_REALTIME_ASKS_PAUSE / 2) {
        s->paused = 0;

        if (s->ws != NULL) {
            ngx_realtime_ws_resume(s->ws);
        }
    }

    if (!s->closed && s->frozen && s->doing_count == 0) {
        ngx_realtime_move_settled(s);
    }

    ngx_realtime_session_let(s);
}


static void
ngx_realtime_asks_begin(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask,
    const ngx_realtime_event_t *event)
{
    ngx_queue_remove(&ask->link);
    s->ask_count--;
    s->ask_bytes -= ask->bytes;

    ask->session = s;
    ngx_queue_insert_tail(&s->doing, &ask->link);
    s->doing_count++;
    s->together = event != NULL && event->together;

    if (event == NULL) {
        ngx_realtime_asks_failed(ask, RT_INVALID, "Unknown event", rt_str_null);

    } else if (!json_is_object(ask->data)) {
        ngx_realtime_asks_failed(ask, RT_INVALID, "data must be an object", rt_str_null);

    } else {
        event->handler(s, ask);
    }
}


void
ngx_realtime_asks_clear(ngx_realtime_session_t *s)
{
    ngx_realtime_ask_t *ask;

    while (!ngx_queue_empty(&s->asks)) {
        ask = ngx_queue_data(ngx_queue_head(&s->asks), ngx_realtime_ask_t, link);
        ngx_queue_remove(&ask->link);
        ngx_realtime_ask_free(ask);
    }

    while (!ngx_queue_empty(&s->doing)) {
        ask = ngx_queue_data(ngx_queue_head(&s->doing), ngx_realtime_ask_t, link);
        ngx_queue_remove(&ask->link);

        if (ask->task != NULL) {
            ngx_realtime_task_let_go(ask->task);
        }

        ngx_realtime_ask_free(ask);
    }

    s->ask_count = 0;
    s->ask_bytes = 0;
    s->doing_count = 0;
}


void
ngx_realtime_asks_done(ngx_realtime_ask_t *ask, rt_str_t reply)
{
    ask->session->protocol->answer(ask->session, ask, reply);
    ngx_realtime_asks_answered(ask);
}


void
ngx_realtime_asks_failed(ngx_realtime_ask_t *ask, rt_status_t status, const char *text,
    rt_str_t extra)
{
    ngx_realtime_asks_fail(ask->session, ask, status, text, extra);
    ngx_realtime_asks_answered(ask);
}


void
ngx_realtime_asks_answered(ngx_realtime_ask_t *ask)
{
    ngx_realtime_session_t *s;

    s = ask->session;

    if (!ask->failed) {
        ngx_realtime_asks_count(ask, RT_OK);
    }

    ngx_queue_remove(&ask->link);
    s->doing_count--;
    ngx_realtime_ask_free(ask);

    ngx_realtime_asks_run(s);
}


static void
ngx_realtime_asks_count(ngx_realtime_ask_t *ask, rt_status_t status)
{
    ngx_uint_t event, result;

    event = ngx_realtime_event_number(ngx_realtime_event_find(ask->event));
    result = status == RT_OK      ? 0
        : status < RT_INVALID     ? NGX_REALTIME_METRICS_RESULTS - 1
        : status < RT_UNAVAILABLE ? (ngx_uint_t) status - RT_INVALID + 1
                                  : NGX_REALTIME_METRICS_RESULTS - 1;

    ngx_realtime_metrics->counts.events[event][result]++;
}


/* By its ack, or, when it asked for none, as an event. */
static void
ngx_realtime_asks_fail(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask, rt_status_t status,
    const char *text, rt_str_t extra)
{
    rt_buf_t   out;
    ngx_uint_t asked;

    asked = ask->id != NULL || ask->ack != RT_SIO_ID_NONE;
    ask->failed = 1;
    ngx_realtime_asks_count(ask, status);

    ngx_memzero(&out, sizeof(rt_buf_t));

    rt_buf_append_str(&out,
        asked ? rt_str("{\"success\":false,\"error\":") : rt_str("{\"message\":"));
    rt_buf_append_json_string(&out, rt_str_c(text));
    rt_buf_append_str(&out, rt_str(",\"code\":"));
    rt_buf_append_json_string(&out, rt_str_c(rt_status_code(status)));

    if (!asked) {
        rt_buf_append_str(&out, rt_str(",\"event\":"));
        rt_buf_append_json_string(&out, rt_str_c((char *) ask->event));
    }

    if (extra.len > 2) {
        rt_buf_append_str(&out, rt_str(","));
        rt_buf_append(&out, extra.data + 1, extra.len - 2);
    }

    rt_buf_append_str(&out, rt_str("}"));

    if (!out.failed) {
        if (asked) {
            s->protocol->answer(s, ask, (rt_str_t){out.data, out.len});
        } else {
            ngx_realtime_session_event(s, rt_str("error"), (rt_str_t){out.data, out.len});
        }
    }

    rt_buf_free(&out);
}
