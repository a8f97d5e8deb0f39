/* A session's way to another worker: the messages, and both ends of the hand-over. */

#include "ngx_realtime_move.h"
#include "ngx_realtime_engine.h"
#include "ngx_realtime_move_state.h"
#include "ngx_realtime_polling.h"
#include "ngx_realtime_relay.h"
#include "ngx_realtime_worker.h"


/* type 1, the probe's id 8, the sid's random part 12; JSON or a code behind */
#define NGX_REALTIME_MOVE_HEADER (1 + 8 + NGX_REALTIME_SID_RANDOM)
#define NGX_REALTIME_MOVED_MAX   65536
#define NGX_REALTIME_MOVED_MS    60000

/* A session that was here. */
typedef struct {
    ngx_rbtree_node_t node;
    ngx_queue_t       link; /* oldest first */
    ngx_msec_t        at;
    u_char            random[NGX_REALTIME_SID_RANDOM];
} ngx_realtime_moved_t;

static ngx_int_t ngx_realtime_move_send(ngx_realtime_worker_id_t to, ngx_uint_t type, uint64_t id,
    u_char *random, const void *data, size_t len);
static ngx_int_t ngx_realtime_move_send_json(ngx_realtime_session_t *s, ngx_uint_t type,
    json_t *state);
static void ngx_realtime_move_at_owner(ngx_realtime_worker_id_t from, ngx_uint_t type, uint64_t id,
    ngx_realtime_sid_t *sid);
static void ngx_realtime_move_asked(ngx_realtime_worker_id_t from, uint64_t id,
    ngx_realtime_sid_t *sid);
static void ngx_realtime_move_finish(ngx_realtime_session_t *s);
static void ngx_realtime_move_remember(ngx_realtime_sid_t *sid);
static void ngx_realtime_move_forget_old(ngx_uint_t all);
static ngx_realtime_moved_t *ngx_realtime_move_find(u_char *random);
static void ngx_realtime_move_at_socket(ngx_realtime_probe_t *probe, ngx_uint_t type,
    ngx_str_t *data);
static void ngx_realtime_move_adopt(ngx_realtime_probe_t *probe, json_t *state);
static void ngx_realtime_move_subscribed(ngx_realtime_session_t *s);
static void ngx_realtime_move_complete(ngx_realtime_probe_t *probe, json_t *state);

static ngx_queue_t       ngx_realtime_probes; /* foreign ones */
static uint64_t          ngx_realtime_probe_last;
static ngx_rbtree_t      ngx_realtime_moved_tree;
static ngx_rbtree_node_t ngx_realtime_moved_sentinel;
static ngx_queue_t       ngx_realtime_moved_list;
static ngx_uint_t        ngx_realtime_moved_count;


void
ngx_realtime_move_init(void)
{
    ngx_queue_init(&ngx_realtime_probes);
    ngx_queue_init(&ngx_realtime_moved_list);

    ngx_rbtree_init(&ngx_realtime_moved_tree, &ngx_realtime_moved_sentinel,
        ngx_rbtree_insert_value);
}


void
ngx_realtime_move_exit(void)
{
    ngx_realtime_move_forget_old(1);
}


static ngx_int_t
ngx_realtime_move_send(ngx_realtime_worker_id_t to, ngx_uint_t type, uint64_t id, u_char *random,
    const void *data, size_t len)
{
    u_char             *p;
    ngx_int_t           rc;
    ngx_str_t           payload;
    ngx_realtime_bus_t *bus;

    payload.len = NGX_REALTIME_MOVE_HEADER + len;
    payload.data = ngx_alloc(payload.len, ngx_cycle->log);
    if (payload.data == NULL) {
        return NGX_ERROR;
    }

    p = payload.data;
    *p++ = (u_char) type;
    p = ngx_cpymem(p, &id, 8);
    p = ngx_cpymem(p, random, NGX_REALTIME_SID_RANDOM);

    if (len) {
        ngx_memcpy(p, data, len);
    }

    bus = ngx_realtime_worker->bus;
    rc = bus->methods->send(bus, to, &payload);

    ngx_free(payload.data);

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


/* At the socket's worker. */

ngx_int_t
ngx_realtime_move_ask(ngx_realtime_probe_t *probe)
{
    probe->id = ++ngx_realtime_probe_last;
    ngx_queue_insert_tail(&ngx_realtime_probes, &probe->link);
    ngx_realtime_worker_stay();

    return ngx_realtime_move_send(probe->sid.owner, NGX_REALTIME_MOVE_ASK, probe->id,
        probe->sid.random, NULL, 0);
}


void
ngx_realtime_move_probed(ngx_realtime_probe_t *probe)
{
    (void) ngx_realtime_move_send(probe->sid.owner, NGX_REALTIME_MOVE_PROBED, probe->id,
        probe->sid.random, NULL, 0);
}


void
ngx_realtime_move_gone(ngx_realtime_probe_t *probe)
{
    if (!probe->gone) {
        probe->gone = 1;
        (void) ngx_realtime_move_send(probe->sid.owner, NGX_REALTIME_MOVE_GONE, probe->id,
            probe->sid.random, NULL, 0);
    }
}


ngx_int_t
ngx_realtime_move_take(ngx_realtime_probe_t *probe)
{
    return ngx_realtime_move_send(probe->sid.owner, NGX_REALTIME_MOVE_TAKE, probe->id,
        probe->sid.random, NULL, 0);
}


void
ngx_realtime_move_forget(ngx_realtime_probe_t *probe)
{
    ngx_queue_remove(&probe->link);
}


ngx_realtime_probe_t *
ngx_realtime_move_asking(ngx_http_request_t *r)
{
    ngx_queue_t          *q;
    ngx_realtime_probe_t *probe;

    for (q = ngx_queue_head(&ngx_realtime_probes); q != ngx_queue_sentinel(&ngx_realtime_probes);
         q = ngx_queue_next(q))
    {
        probe = ngx_queue_data(q, ngx_realtime_probe_t, link);

        if (probe->request == r) {
            return probe;
        }
    }

    return NULL;
}


void
ngx_realtime_move_on_message(ngx_realtime_worker_id_t from, ngx_uint_t type, ngx_str_t *payload)
{
    uint64_t              id;
    ngx_str_t             data;
    ngx_queue_t          *q;
    ngx_realtime_sid_t    sid;
    ngx_realtime_probe_t *probe;

    if (payload->len < NGX_REALTIME_MOVE_HEADER - 1) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "realtime: broken message on the bus");
        return;
    }

    ngx_memcpy(&id, payload->data, 8);

    sid.owner = ngx_realtime_worker->id;
    ngx_memcpy(sid.random, payload->data + 8, NGX_REALTIME_SID_RANDOM);

    if (type != NGX_REALTIME_MOVE_ALLOW && type != NGX_REALTIME_MOVE_STATE
        && type != NGX_REALTIME_MOVE_FINAL)
    {
        ngx_realtime_move_at_owner(from, type, id, &sid);
        return;
    }

    data.data = payload->data + NGX_REALTIME_MOVE_HEADER - 1;
    data.len = payload->len - (NGX_REALTIME_MOVE_HEADER - 1);

    for (q = ngx_queue_head(&ngx_realtime_probes); q != ngx_queue_sentinel(&ngx_realtime_probes);
         q = ngx_queue_next(q))
    {
        probe = ngx_queue_data(q, ngx_realtime_probe_t, link);

        if (probe->id == id && probe->sid.owner == from) {
            ngx_realtime_move_at_socket(probe, type, &data);
            return;
        }
    }
}


static void
ngx_realtime_move_at_socket(ngx_realtime_probe_t *probe, ngx_uint_t type, ngx_str_t *data)
{
    json_t *state;

    if (type == NGX_REALTIME_MOVE_ALLOW) {
        ngx_realtime_probe_allowed(probe, data->len ? data->data[0] : 1);
        return;
    }

    state = json_loadb((char *) data->data, data->len, 0, NULL);

    if (state == NULL || !probe->taking) {
        ngx_realtime_probe_drop(probe, "broken session state");

    } else if (type == NGX_REALTIME_MOVE_STATE) {
        ngx_realtime_move_adopt(probe, state);

    } else {
        ngx_realtime_move_complete(probe, state);
    }

    json_decref(state);
}


/* Who it is and where it listens. From here on what its rooms say is held for it. */
static void
ngx_realtime_move_adopt(ngx_realtime_probe_t *probe, json_t *state)
{
    ngx_uint_t              busy;
    ngx_realtime_session_t *s;

    if (probe->adopting != NULL) {
        return;
    }

    s = ngx_realtime_session_create(probe->conf, ngx_realtime_engine_protocol(probe->conf), 1,
        &probe->sid, &busy);
    if (s == NULL) {
        ngx_realtime_probe_drop(probe, busy ? "too many connections" : "no memory");
        return;
    }

    probe->adopting = s;

    if (ngx_realtime_move_import(s, state, ngx_realtime_move_subscribed) != NGX_OK) {
        ngx_realtime_probe_drop(probe, "no memory");
        return;
    }

    if (s->waiting == 0) {
        ngx_realtime_move_subscribed(s);
    }
}


/* All its channels are known to the others. */
static void
ngx_realtime_move_subscribed(ngx_realtime_session_t *s)
{
    ngx_queue_t          *q;
    ngx_realtime_probe_t *probe;

    for (q = ngx_queue_head(&ngx_realtime_probes); q != ngx_queue_sentinel(&ngx_realtime_probes);
         q = ngx_queue_next(q))
    {
        probe = ngx_queue_data(q, ngx_realtime_probe_t, link);

        if (probe->adopting == s) {
            if (ngx_realtime_move_send(probe->sid.owner, NGX_REALTIME_MOVE_READY, probe->id,
                    probe->sid.random, NULL, 0)
                != NGX_OK)
            {
                ngx_realtime_probe_drop(probe, "session is lost");
            }

            return;
        }
    }
}


static void
ngx_realtime_move_complete(ngx_realtime_probe_t *probe, json_t *state)
{
    ngx_realtime_ws_t      *ws;
    ngx_realtime_session_t *s;

    s = probe->adopting;
    ws = probe->ws;

    if (s == NULL) {
        ngx_realtime_probe_drop(probe, "broken session state");
        return;
    }

    probe->adopting = NULL;
    probe->ws = NULL;
    ngx_realtime_probe_free(probe);

    ngx_realtime_move_finish_import(s, ws, state);
}


/* At the owner. */

static void
ngx_realtime_move_at_owner(ngx_realtime_worker_id_t from, ngx_uint_t type, uint64_t id,
    ngx_realtime_sid_t *sid)
{
    ngx_realtime_session_t *s;

    if (type == NGX_REALTIME_MOVE_ASK) {
        ngx_realtime_move_asked(from, id, sid);
        return;
    }

    s = ngx_realtime_session_find(sid);

    if (s == NULL || s->polling == NULL || s->polling->prober != from
        || s->polling->prober_id != id) {
        if (type == NGX_REALTIME_MOVE_TAKE || type == NGX_REALTIME_MOVE_READY) {
            /* it ended meanwhile: an empty state says so */
            (void) ngx_realtime_move_send(from, NGX_REALTIME_MOVE_FINAL, id, sid->random, NULL, 0);
        }

        return;
    }

    switch (type) {

    case NGX_REALTIME_MOVE_PROBED:
        ngx_realtime_polling_probed(s);
        return;

    case NGX_REALTIME_MOVE_GONE:
        if (s->frozen) {
            ngx_realtime_session_close(s, RT_WS_CLOSE_GOING_AWAY, "client left while upgrading");
        } else {
            ngx_realtime_polling_probe_gone(s);
        }
        return;

    case NGX_REALTIME_MOVE_TAKE:
        s->frozen = 1;

        if (s->doing_count == 0 && s->standing != NGX_REALTIME_ENTERING) {
            ngx_realtime_move_settled(s);
        }
        return;

    case NGX_REALTIME_MOVE_READY:
        if (s->polling->moving) {
            ngx_realtime_move_finish(s);
        }
        return;

    default:
        return;
    }
}


static void
ngx_realtime_move_asked(ngx_realtime_worker_id_t from, uint64_t id, ngx_realtime_sid_t *sid)
{
    u_char                  code;
    ngx_realtime_session_t *s;

    s = ngx_realtime_session_find(sid);

    if (s == NULL) {
        code = ngx_realtime_move_moved(sid) ? 3 : 1;

    } else if (s->polling == NULL || s->polling->probe || s->polling->prober || s->frozen) {
        code = 3;

    } else {
        code = 0;
        s->polling->prober = from;
        s->polling->prober_id = id;
    }

    (void) ngx_realtime_move_send(from, NGX_REALTIME_MOVE_ALLOW, id, sid->random, &code, 1);
}


void
ngx_realtime_move_settled(ngx_realtime_session_t *s)
{
    if (s->polling == NULL || s->polling->moving) {
        return;
    }

    s->polling->moving = 1;

    if (ngx_realtime_move_send_json(s, NGX_REALTIME_MOVE_STATE, ngx_realtime_move_export(s))
        != NGX_OK) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_GOING_AWAY, "its new worker is lost");
    }
}


static void
ngx_realtime_move_finish(ngx_realtime_session_t *s)
{
    if (ngx_realtime_move_send_json(s, NGX_REALTIME_MOVE_FINAL, ngx_realtime_move_export_rest(s))
        != NGX_OK)
    {
        ngx_realtime_session_close(s, RT_WS_CLOSE_GOING_AWAY, "its new worker is lost");
        return;
    }

    ngx_realtime_move_remember(&s->sid);
    ngx_realtime_session_moved(s);
}


/* state: stolen. */
static ngx_int_t
ngx_realtime_move_send_json(ngx_realtime_session_t *s, ngx_uint_t type, json_t *state)
{
    rt_buf_t  text;
    ngx_int_t rc;

    ngx_memzero(&text, sizeof(rt_buf_t));

    rc = NGX_ERROR;

    if (state != NULL && rt_json_dump(state, &text) == RT_OK && !text.failed) {
        rc = ngx_realtime_move_send(s->polling->prober, type, s->polling->prober_id, s->sid.random,
            text.data, text.len);
    }

    rt_buf_free(&text);
    json_decref(state);

    return rc;
}


void
ngx_realtime_move_drain(void)
{
    ngx_queue_t          *q, *next;
    ngx_realtime_probe_t *probe;

    for (q = ngx_queue_head(&ngx_realtime_probes); q != ngx_queue_sentinel(&ngx_realtime_probes);
         q = next)
    {
        next = ngx_queue_next(q);
        probe = ngx_queue_data(q, ngx_realtime_probe_t, link);

        if (probe->request != NULL) {
            ngx_realtime_probe_allowed(probe, 1);

        } else if (!probe->taking) {
            ngx_realtime_probe_drop(probe, "worker quits");
        }
    }
}


ngx_uint_t
ngx_realtime_move_waiting(void)
{
    return !ngx_queue_empty(&ngx_realtime_probes);
}


void
ngx_realtime_move_worker_lost(ngx_realtime_worker_id_t worker)
{
    ngx_queue_t            *q, *next;
    ngx_realtime_probe_t   *probe;
    ngx_realtime_session_t *s;

again:

    for (q = ngx_queue_head(&ngx_realtime_probes); q != ngx_queue_sentinel(&ngx_realtime_probes);
         q = ngx_queue_next(q))
    {
        probe = ngx_queue_data(q, ngx_realtime_probe_t, link);

        if (probe->sid.owner != worker || probe->refused) {
            continue;
        }

        if (probe->request != NULL) {
            ngx_realtime_probe_allowed(probe, 1);
        } else {
            ngx_realtime_probe_drop(probe, "session is lost");
        }

        goto again;
    }

    for (q = ngx_queue_head(ngx_realtime_sessions());
         q != ngx_queue_sentinel(ngx_realtime_sessions()); q = next)
    {
        next = ngx_queue_next(q);
        s = ngx_queue_data(q, ngx_realtime_session_t, link);

        if (s->polling == NULL || s->polling->prober != worker) {
            continue;
        }

        if (s->frozen) {
            ngx_realtime_session_close(s, RT_WS_CLOSE_GOING_AWAY, "its new worker is lost");
        } else {
            ngx_realtime_polling_probe_gone(s);
        }
    }
}


static void
ngx_realtime_move_remember(ngx_realtime_sid_t *sid)
{
    ngx_realtime_moved_t *moved;

    ngx_realtime_move_forget_old(0);

    moved = ngx_alloc(sizeof(ngx_realtime_moved_t), ngx_cycle->log);
    if (moved == NULL) {
        return; /* stray requests hear "unknown session" instead */
    }

    moved->at = ngx_current_msec;
    ngx_memcpy(moved->random, sid->random, NGX_REALTIME_SID_RANDOM);
    ngx_memcpy(&moved->node.key, sid->random, sizeof(ngx_rbtree_key_t));

    ngx_rbtree_insert(&ngx_realtime_moved_tree, &moved->node);
    ngx_queue_insert_tail(&ngx_realtime_moved_list, &moved->link);
    ngx_realtime_moved_count++;
}


static void
ngx_realtime_move_forget_old(ngx_uint_t all)
{
    ngx_realtime_moved_t *moved;

    while (!ngx_queue_empty(&ngx_realtime_moved_list)) {
        moved =
            ngx_queue_data(ngx_queue_head(&ngx_realtime_moved_list), ngx_realtime_moved_t, link);

        if (!all && ngx_realtime_moved_count < NGX_REALTIME_MOVED_MAX
            && ngx_current_msec - moved->at < NGX_REALTIME_MOVED_MS)
        {
            return;
        }

        ngx_queue_remove(&moved->link);
        ngx_rbtree_delete(&ngx_realtime_moved_tree, &moved->node);
        ngx_free(moved);
        ngx_realtime_moved_count--;
    }
}


static ngx_realtime_moved_t *
ngx_realtime_move_find(u_char *random)
{
    ngx_rbtree_key_t      key;
    ngx_rbtree_node_t    *node;
    ngx_realtime_moved_t *moved;

    ngx_memcpy(&key, random, sizeof(ngx_rbtree_key_t));

    for (node = ngx_realtime_moved_tree.root; node != &ngx_realtime_moved_sentinel;) {

        moved = (ngx_realtime_moved_t *) node;

        if (key == node->key && ngx_memcmp(moved->random, random, NGX_REALTIME_SID_RANDOM) == 0) {
            return moved;
        }

        node = key < node->key ? node->left : node->right;
    }

    return NULL;
}


ngx_uint_t
ngx_realtime_move_moved(ngx_realtime_sid_t *sid)
{
    ngx_realtime_move_forget_old(0);

    return ngx_realtime_move_find(sid->random) != NULL;
}
