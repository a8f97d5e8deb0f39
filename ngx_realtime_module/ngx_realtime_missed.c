/* Entering the channels of notifications.
 *
 * The first of a channel's members on this worker must know where its numbers stand, else the first
 * two events could cross on the bus and one would be taken for old. So before "connected" the store
 * is asked, for up to 128 clients in one call; later members find the order known. Who says what it
 * has seen is asked for alone, and what came since is told between "connected" and what is new.
 *
 *     channels subscribed ──▶ waits ──▶ call ──▶ connected, missed ones, held ones, live ones
 *              └── nothing to be asked, or the store is away ──┘
 */

#include "ngx_realtime_missed.h"
#include "ngx_realtime_asks.h"
#include "ngx_realtime_hub.h"

#include <rt/rt_json.h>


#define NGX_REALTIME_MISSED_BATCH 128 /* clients of one call; each has up to two channels */
#define NGX_REALTIME_MISSED_CALLS 4   /* that are out: each may hold 500 notifications */
#define NGX_REALTIME_MISSED_MAX   500
#define NGX_REALTIME_MISSED_COST  128 /* bytes of an event besides its data */

struct ngx_realtime_missed_s {
    ngx_queue_t             link;                    /* while it waits */
    ngx_realtime_session_t *session;                 /* NULL: it has left */
    rt_emit_t              *emits;                   /* of the call, while it is told */
    int64_t                 last[NGX_REALTIME_SEEN]; /* where the channels stand; -1: not known */
    unsigned                lost[NGX_REALTIME_SEEN]; /* 1: more than can be told */
    unsigned                waits:1;
    unsigned                seen:1; /* it says what it has */
};

typedef struct ngx_realtime_missed_s ngx_realtime_missed_t;

/* A call that is out, and for whom, in the order of its streams. */
typedef struct {
    ngx_realtime_missed_t *items[NGX_REALTIME_SEEN * NGX_REALTIME_MISSED_BATCH];
    ngx_uint_t             which[NGX_REALTIME_SEEN * NGX_REALTIME_MISSED_BATCH];
    ngx_uint_t             count;
    ngx_uint_t             clients;
} ngx_realtime_missed_call_t;

static ngx_uint_t ngx_realtime_missed_which(ngx_realtime_member_t *m);
static int64_t    ngx_realtime_missed_number(ngx_str_t *text);
static void       ngx_realtime_missed_run(ngx_event_t *ev);
static ngx_int_t  ngx_realtime_missed_call(void);
static json_t    *ngx_realtime_missed_gather(ngx_realtime_missed_call_t *out);
static ngx_int_t  ngx_realtime_missed_add(ngx_realtime_missed_call_t *out,
     ngx_realtime_missed_t *item, json_t *streams);
static void       ngx_realtime_missed_done(rt_call_t *call, void *data);
static void       ngx_realtime_missed_settle(ngx_realtime_missed_call_t *out, rt_call_t *call);
static size_t     ngx_realtime_missed_bytes(const ngx_realtime_missed_t *item,
        const ngx_realtime_member_t                                     *m);
static void       ngx_realtime_missed_tell_member(ngx_realtime_session_t *s,
          const ngx_realtime_missed_t *item, ngx_realtime_member_t *m, size_t *left);
static void ngx_realtime_missed_gap(ngx_realtime_session_t *s, ngx_uint_t which, int64_t last);

static ngx_queue_t ngx_realtime_missed_waiting;
static ngx_event_t ngx_realtime_missed_event;
static ngx_uint_t  ngx_realtime_missed_out;

static const char *const ngx_realtime_missed_names[] = {"business", "user"};


void
ngx_realtime_missed_init(void)
{
    ngx_queue_init(&ngx_realtime_missed_waiting);

    ngx_memzero(&ngx_realtime_missed_event, sizeof(ngx_event_t));
    ngx_realtime_missed_event.handler = ngx_realtime_missed_run;
    ngx_realtime_missed_event.data = &ngx_realtime_no_connection;
    ngx_realtime_missed_event.log = ngx_cycle->log;
    ngx_realtime_missed_out = 0;
}


static ngx_uint_t
ngx_realtime_missed_which(ngx_realtime_member_t *m)
{
    return m->channel->name[0] == 'b' ? NGX_REALTIME_SEEN_BUSINESS : NGX_REALTIME_SEEN_USER;
}


void
ngx_realtime_missed_seen(ngx_realtime_session_t *s, const json_t *value)
{
    json_t    *part;
    ngx_uint_t i;

    s->seen_number = 0;

    for (i = 0; i < NGX_REALTIME_SEEN; i++) {
        part = json_object_get(value, ngx_realtime_missed_names[i]);
        s->seen[i] = json_is_integer(part) && json_integer_value(part) >= 0
                && json_integer_value(part) < INT64_MAX
            ? json_integer_value(part) + 1
            : 0;
    }

    if (json_is_integer(value) && json_integer_value(value) >= 0
        && json_integer_value(value) < INT64_MAX)
    {
        s->seen_number = json_integer_value(value) + 1;
    }
}


/* -1: none. So many digits always fit. */
static int64_t
ngx_realtime_missed_number(ngx_str_t *text)
{
    return text->len && text->len <= 18 ? (int64_t) ngx_atosz(text->data, text->len) : -1;
}


void
ngx_realtime_missed_seen_text(ngx_realtime_session_t *s, ngx_str_t *text)
{
    u_char   *comma;
    ngx_str_t part;

    comma = ngx_strlchr(text->data, text->data + text->len, ',');

    if (comma == NULL) {
        s->seen_number = ngx_realtime_missed_number(text) + 1;
        return;
    }

    part.data = text->data;
    part.len = comma - text->data;
    s->seen[NGX_REALTIME_SEEN_BUSINESS] = ngx_realtime_missed_number(&part) + 1;

    part.data = comma + 1;
    part.len = text->data + text->len - part.data;
    s->seen[NGX_REALTIME_SEEN_USER] = ngx_realtime_missed_number(&part) + 1;
}


void
ngx_realtime_missed_ask(ngx_realtime_session_t *s)
{
    ngx_uint_t             i, wanted;
    ngx_realtime_member_t *m;
    ngx_realtime_missed_t *item;

    wanted = 0;

    for (m = s->members; m != NULL; m = m->next) {
        if (s->seen_number && (m->next == NULL || ngx_realtime_missed_which(m) == 0)) {
            s->seen[ngx_realtime_missed_which(m)] = s->seen_number;
            s->seen_number = 0;
        }

        wanted |= m->channel->order.next == 0 || s->seen[ngx_realtime_missed_which(m)] != 0;
    }

    if (!wanted) {
        ngx_realtime_asks_connected(s);
        return;
    }

    item = ngx_calloc(sizeof(ngx_realtime_missed_t), ngx_cycle->log);
    if (item == NULL) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_INTERNAL, "no memory");
        return;
    }

    item->session = s;
    s->missed = item;

    for (i = 0; i < NGX_REALTIME_SEEN; i++) {
        item->last[i] = -1;
        item->seen |= s->seen[i] != 0;
    }

    /* with the store away nobody waits for it: what was missed can't be told */
    if (ngx_realtime_worker->core == NULL || !rt_core_store_up(ngx_realtime_worker->core)) {
        for (i = 0; i < NGX_REALTIME_SEEN; i++) {
            item->lost[i] = s->seen[i] != 0;
        }

        ngx_realtime_asks_connected(s);
        return;
    }

    item->waits = 1;
    ngx_queue_insert_tail(&ngx_realtime_missed_waiting, &item->link);
    ngx_post_event(&ngx_realtime_missed_event, &ngx_posted_events);
}


void
ngx_realtime_missed_forget(ngx_realtime_session_t *s)
{
    ngx_realtime_missed_t *item;

    item = s->missed;

    if (item == NULL) {
        return;
    }

    s->missed = NULL;
    item->session = NULL;

    if (item->waits) {
        ngx_queue_remove(&item->link);
        ngx_free(item);
    }
}


/* So many clients connect in one turn of the event loop as the posted event finds here. */
static void
ngx_realtime_missed_run(ngx_event_t *ev)
{
    while (!ngx_queue_empty(&ngx_realtime_missed_waiting)
        && ngx_realtime_missed_out < NGX_REALTIME_MISSED_CALLS)
    {
        if (ngx_realtime_missed_call() != NGX_OK) {
            return;
        }
    }
}


/* The first that wait; NGX_ERROR: they were let in without an answer. */
static ngx_int_t
ngx_realtime_missed_call(void)
{
    json_t                     *streams;
    rt_call_t                  *call;
    ngx_realtime_task_t        *task;
    ngx_realtime_missed_call_t *out;

    out = ngx_calloc(sizeof(ngx_realtime_missed_call_t), ngx_cycle->log);
    if (out == NULL) {
        return NGX_ERROR; /* tried again with the next that comes */
    }

    task = NULL;
    streams = ngx_realtime_missed_gather(out);

    call = rt_call_create(rt_op_find("notification.heal"), RT_DOOR_SOCKET, NULL,
        json_pack("{s:o,s:i}", "streams", streams, "limit", NGX_REALTIME_MISSED_MAX), rt_str_null);

    if (call != NULL) {
        task = ngx_realtime_task_post(call, ngx_realtime_missed_done, out);
    }

    if (task == NULL) {
        ngx_realtime_missed_settle(out, NULL);
        rt_call_destroy(call);
        return NGX_ERROR;
    }

    ngx_realtime_missed_out++;

    return NGX_OK;
}


/* One that says what it has, or those that don't. */
static json_t *
ngx_realtime_missed_gather(ngx_realtime_missed_call_t *out)
{
    json_t                *streams;
    ngx_queue_t           *q;
    ngx_realtime_missed_t *item;

    streams = json_array();

    while (!ngx_queue_empty(&ngx_realtime_missed_waiting)
        && out->clients < NGX_REALTIME_MISSED_BATCH) {
        q = ngx_queue_head(&ngx_realtime_missed_waiting);
        item = ngx_queue_data(q, ngx_realtime_missed_t, link);

        if (item->seen && out->clients) {
            break;
        }

        ngx_queue_remove(q);
        item->waits = 0;
        out->clients++;

        if (ngx_realtime_missed_add(out, item, streams) != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "realtime: no memory to ask the store");
        }

        if (item->seen) {
            break;
        }
    }

    return streams;
}


static ngx_int_t
ngx_realtime_missed_add(ngx_realtime_missed_call_t *out, ngx_realtime_missed_t *item,
    json_t *streams)
{
    json_t                *stream;
    ngx_uint_t             which;
    ngx_realtime_member_t *m;

    for (m = item->session->members; m != NULL; m = m->next) {
        which = ngx_realtime_missed_which(m);

        out->items[out->count] = item;
        out->which[out->count++] = which;

        stream = json_pack("{s:s%}", "stream", (char *) m->channel->name, m->channel->node.str.len);

        if (item->session->seen[which]
            && json_object_set_new(stream, "afterSeq",
                   json_integer((json_int_t) item->session->seen[which] - 1))
                != 0)
        {
            json_decref(stream);
            return NGX_ERROR;
        }

        if (json_array_append_new(streams, stream) != 0) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_realtime_missed_done(rt_call_t *call, void *data)
{
    rt_emit_t                  *emits;
    ngx_realtime_missed_call_t *out = data;

    ngx_realtime_missed_out--;

    /* the task would publish them: they are for one client alone */
    emits = call->emits;
    call->emits = NULL;

    if (out->count) {
        out->items[0]->emits = emits;
    }

    ngx_realtime_missed_settle(out, call);

    if (!ngx_queue_empty(&ngx_realtime_missed_waiting)) {
        ngx_post_event(&ngx_realtime_missed_event, &ngx_posted_events);
    }
}


/* call NULL, or failed: nobody knows where the channels stand. Frees out. */
static void
ngx_realtime_missed_settle(ngx_realtime_missed_call_t *out, rt_call_t *call)
{
    json_t                *reply, *stream;
    ngx_uint_t             i;
    ngx_realtime_missed_t *item, *last;

    reply = NULL;

    if (call != NULL && call->status == RT_OK) {
        (void) rt_json_parse(call->reply, &reply, NULL);
    }

    for (i = 0; i < out->count; i++) {
        item = out->items[i];
        stream = json_array_get(json_object_get(reply, "streams"), i);

        if (stream != NULL) {
            item->last[out->which[i]] = json_integer_value(json_object_get(stream, "lastSeq"));
        }

        item->lost[out->which[i]] =
            item->seen && (stream == NULL || json_is_true(json_object_get(stream, "more")));
    }

    json_decref(reply);
    last = NULL;

    for (i = 0; i < out->count; i++) {
        item = out->items[i];

        if (item == last) {
            continue; /* its second channel */
        }

        last = item;

        if (item->session == NULL) {
            ngx_free(item);
        } else {
            ngx_realtime_asks_connected(item->session);
        }
    }

    ngx_free(out);
}


/* What would be told of the channel. */
static size_t
ngx_realtime_missed_bytes(const ngx_realtime_missed_t *item, const ngx_realtime_member_t *m)
{
    size_t     bytes;
    rt_emit_t *emit;

    bytes = 0;

    for (emit = item->emits; emit != NULL; emit = emit->next) {
        if (!rt_str_eq(emit->channel, ngx_realtime_str(m->channel->node.str))) {
            continue;
        }

        bytes += emit->data.len + NGX_REALTIME_MISSED_COST;

        if (emit->also_event.len) {
            bytes += (emit->also_data.len ? emit->also_data.len : emit->data.len)
                + NGX_REALTIME_MISSED_COST;
        }
    }

    return bytes;
}


/* Tells what was missed of one channel, or of a gap where some of it is lost, or more than the send
 * buffer has left: all of it waits for the client in one turn, and what is too much would end the
 * connection, and the next one, which asks for the same again, too. */
static void
ngx_realtime_missed_tell_member(ngx_realtime_session_t *s, const ngx_realtime_missed_t *item,
    ngx_realtime_member_t *m, size_t *left)
{
    size_t     bytes;
    rt_emit_t *emit;
    ngx_uint_t which;

    which = ngx_realtime_missed_which(m);
    bytes = ngx_realtime_missed_bytes(item, m);

    if (item->lost[which] || bytes > *left) {
        ngx_realtime_missed_gap(s, which, item->last[which]);
        return;
    }

    *left -= bytes;

    for (emit = item->emits; emit != NULL; emit = emit->next) {
        if (rt_str_eq(emit->channel, ngx_realtime_str(m->channel->node.str))) {
            ngx_realtime_hub_tell_member(m, emit);
        }
    }
}


void
ngx_realtime_missed_tell(ngx_realtime_session_t *s)
{
    size_t                 left;
    int64_t                last;
    ngx_uint_t             which;
    ngx_realtime_member_t *m;
    ngx_realtime_missed_t *item;

    item = s->missed;
    s->missed = NULL;
    left = s->conf->send_buffer / 4 * 3; /* something new may come beside it */

    for (m = s->members; m != NULL; m = m->next) {
        which = ngx_realtime_missed_which(m);
        last = item ? item->last[which] : -1;

        if (item != NULL && s->seen[which]) {
            ngx_realtime_missed_tell_member(s, item, m, &left);
        }

        s->seen[which] = 0;

        /* where another member is in already, what came since this one was subscribed is held */
        ngx_realtime_hub_enter(m, item && (item->seen || m->channel->order.next == 0) ? last : -1);
    }

    ngx_free(item);
}


/* It is to load the list. */
static void
ngx_realtime_missed_gap(ngx_realtime_session_t *s, ngx_uint_t which, int64_t last)
{
    rt_buf_t out;

    ngx_memzero(&out, sizeof(rt_buf_t));

    rt_buf_append_str(&out, rt_str("{\"stream\":\""));
    rt_buf_append_str(&out, rt_str_c(ngx_realtime_missed_names[which]));
    rt_buf_append_str(&out, rt_str("\",\"lastNotificationSeq\":"));
    rt_buf_append_int(&out, s->seen[which] - 1);
    rt_buf_append_str(&out, rt_str(",\"lastSeq\":"));

    if (last < 0) {
        rt_buf_append_str(&out, rt_str("null}"));
    } else {
        rt_buf_append_int(&out, last);
        rt_buf_append_str(&out, rt_str("}"));
    }

    if (!out.failed) {
        ngx_realtime_session_event(s, rt_str("notification:gap"), (rt_str_t){out.data, out.len});
    }

    rt_buf_free(&out);
}
