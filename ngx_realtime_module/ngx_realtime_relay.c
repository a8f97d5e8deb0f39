/* Polling requests on their way.
 *
 * Between workers: one byte of type, then GET, POST_BEGIN, POST, ABORT: 8 bytes request id (the
 * sender's) and 12 bytes of the sid, POST with the body behind, GET with its tag (8 bytes); ANSWER:
 * request id, 2 bytes HTTP status, 1 byte kind of body, the body. Numbers as this machine writes
 * them: hosts of one cluster are of one kind. */

#include "ngx_realtime_relay.h"
#include "ngx_realtime_http.h"
#include "ngx_realtime_metrics.h"
#include "ngx_realtime_move.h"
#include "ngx_realtime_worker.h"

#include <rt/rt_text.h>


#define NGX_REALTIME_RELAY_HEADER (1 + 8 + NGX_REALTIME_SID_RANDOM)

/* A request of this worker's that waits for its answer: in the request's pool. */
typedef struct {
    ngx_rbtree_node_t   node; /* key: its id */
    ngx_http_request_t *request;
    ngx_realtime_sid_t  sid;
    unsigned            waiting:1;  /* in the tree */
    unsigned            begun:1;    /* a POST: its owner elsewhere knows that it comes */
    unsigned            read:1;     /* its body is complete */
    unsigned            released:1; /* its owner was asked to let it go */
    unsigned            refused:1;  /* answered as a bad request once its body is here */
} ngx_realtime_relay_t;

static ngx_realtime_relay_t *ngx_realtime_relay_create(ngx_http_request_t *r,
    ngx_realtime_sid_t                                                    *sid);
static void                  ngx_realtime_relay_cleanup(void *data);
static void ngx_realtime_relay_body(ngx_http_request_t *r, ngx_int_t rc, ngx_str_t *body,
    void *data);
static void ngx_realtime_relay_send(ngx_realtime_relay_t *relay, ngx_uint_t type, ngx_str_t *body);
static void ngx_realtime_relay_answered(ngx_str_t *payload);
static void ngx_realtime_relay_unknown(ngx_realtime_poll_t *poll, ngx_realtime_sid_t *sid);

static ngx_rbtree_t      ngx_realtime_relay_tree;
static ngx_rbtree_node_t ngx_realtime_relay_sentinel;
static uint64_t          ngx_realtime_relay_last;
static ngx_uint_t        ngx_realtime_relay_count;


void
ngx_realtime_relay_init(void)
{
    ngx_rbtree_init(&ngx_realtime_relay_tree, &ngx_realtime_relay_sentinel,
        ngx_rbtree_insert_value);
}


static ngx_realtime_relay_t *
ngx_realtime_relay_create(ngx_http_request_t *r, ngx_realtime_sid_t *sid)
{
    ngx_http_cleanup_t   *cleanup;
    ngx_realtime_relay_t *relay;

    cleanup = ngx_http_cleanup_add(r, sizeof(ngx_realtime_relay_t));
    if (cleanup == NULL) {
        return NULL;
    }

    relay = cleanup->data;
    ngx_memzero(relay, sizeof(ngx_realtime_relay_t));

    cleanup->handler = ngx_realtime_relay_cleanup;

    relay->request = r;
    relay->sid = *sid;
    relay->waiting = 1;
    relay->node.key = (ngx_rbtree_key_t) ++ngx_realtime_relay_last;

    ngx_rbtree_insert(&ngx_realtime_relay_tree, &relay->node);
    ngx_realtime_relay_count++;
    ngx_realtime_worker_stay();
    ngx_http_set_ctx(r, relay, ngx_http_realtime_module);

    return relay;
}


void
ngx_realtime_relay_forget(ngx_http_request_t *r)
{
    ngx_rbtree_key_t      id;
    ngx_realtime_relay_t *relay;

    relay = ngx_http_get_module_ctx(r, ngx_http_realtime_module);

    if (relay != NULL && relay->waiting) {
        relay->waiting = 0;

        /* deleting clears the key, by which the owner still knows the request */
        id = relay->node.key;
        ngx_rbtree_delete(&ngx_realtime_relay_tree, &relay->node);
        relay->node.key = id;

        ngx_realtime_relay_count--;
    }
}


/* The request ends. When nobody has answered it the client is gone. */
static void
ngx_realtime_relay_cleanup(void *data)
{
    ngx_realtime_relay_t *relay = data;

    ngx_realtime_poll_t     poll;
    ngx_realtime_session_t *s;

    if (!relay->waiting) {
        return;
    }

    ngx_realtime_relay_forget(relay->request);

    if (relay->sid.owner != ngx_realtime_worker->id) {
        ngx_realtime_relay_send(relay, NGX_REALTIME_RELAY_ABORT, NULL);
        return;
    }

    s = ngx_realtime_session_find(&relay->sid);

    if (s != NULL) {
        poll.request = relay->request;
        poll.worker = 0;
        poll.id = relay->node.key;
        poll.tag = 0;

        ngx_realtime_polling_aborted(s, &poll);
    }
}


uint64_t
ngx_realtime_relay_tag(ngx_http_request_t *r)
{
    uint64_t  tag;
    uint8_t   digest[RT_SHA256_LEN];
    ngx_str_t value;

    if (ngx_http_arg(r, (u_char *) "t", 1, &value) != NGX_OK || value.len == 0
        || rt_sha256(digest, ngx_realtime_str(value)) != RT_OK)
    {
        return 0;
    }

    ngx_memcpy(&tag, digest, sizeof(tag));

    return tag;
}


ngx_int_t
ngx_realtime_relay_get(ngx_http_request_t *r, ngx_realtime_sid_t *sid)
{
    ngx_str_t               tag;
    ngx_realtime_poll_t     poll;
    ngx_realtime_relay_t   *relay;
    ngx_realtime_session_t *s;

    relay = ngx_realtime_relay_create(r, sid);
    if (relay == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;
    poll.tag = ngx_realtime_relay_tag(r);

    /* the default looks at no further input and would not see the client leave */
    r->read_event_handler = ngx_http_test_reading;

    if (sid->owner != ngx_realtime_worker->id) {
        ngx_realtime_metrics->counts.relays++;
        tag.data = (u_char *) &poll.tag;
        tag.len = sizeof(poll.tag);
        ngx_realtime_relay_send(relay, NGX_REALTIME_RELAY_GET, &tag);
        return NGX_DONE;
    }

    poll.request = r;
    poll.worker = 0;
    poll.id = relay->node.key;

    s = ngx_realtime_session_find(sid);

    if (s != NULL) {
        ngx_realtime_polling_get(s, &poll);
    } else {
        ngx_realtime_relay_unknown(&poll, sid);
    }

    return NGX_DONE;
}


ngx_int_t
ngx_realtime_relay_post(ngx_http_request_t *r, ngx_realtime_sid_t *sid)
{
    ngx_int_t                rc;
    ngx_realtime_poll_t      poll;
    ngx_realtime_relay_t    *relay;
    ngx_realtime_session_t  *s;
    ngx_realtime_loc_conf_t *lcf;

    relay = ngx_realtime_relay_create(r, sid);
    if (relay == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (sid->owner == ngx_realtime_worker->id) {
        s = ngx_realtime_session_find(sid);

        poll.request = r;
        poll.worker = 0;
        poll.id = relay->node.key;
        poll.tag = 0;

        if (s != NULL && ngx_realtime_polling_post_begin(s, &poll) != NGX_OK) {
            relay->refused = 1;
        }
    }

    /* the body may be complete at once, and the request with it */
    r->main->count++;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_realtime_module);
    rc = ngx_realtime_http_read_body(r, lcf->max_payload, ngx_realtime_relay_body, relay);

    if (!relay->read && relay->waiting && sid->owner != ngx_realtime_worker->id) {
        relay->begun = 1;
        ngx_realtime_relay_send(relay, NGX_REALTIME_RELAY_POST_BEGIN, NULL);
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return rc;
}


static void
ngx_realtime_relay_body(ngx_http_request_t *r, ngx_int_t rc, ngx_str_t *body, void *data)
{
    ngx_realtime_relay_t *relay = data;

    ngx_realtime_poll_t     poll;
    ngx_realtime_session_t *s;

    relay->read = 1;

    poll.request = r;
    poll.worker = 0;
    poll.id = relay->node.key;
    poll.tag = 0;

    s = relay->sid.owner == ngx_realtime_worker->id ? ngx_realtime_session_find(&relay->sid) : NULL;
    if (rc != NGX_OK) {
        ngx_realtime_relay_forget(r);

        if (s != NULL) {
            ngx_realtime_session_close(s, RT_WS_CLOSE_TOO_BIG, "bad or too large polling body");

        } else if (relay->sid.owner != ngx_realtime_worker->id) {

            if (!relay->begun) {
                ngx_realtime_relay_send(relay, NGX_REALTIME_RELAY_POST_BEGIN, NULL);
            }

            ngx_realtime_relay_send(relay, NGX_REALTIME_RELAY_ABORT, NULL);
        }

        ngx_http_finalize_request(r,
            ngx_realtime_http_error(r, rc, rt_str("Bad request body"), NULL));
        return;
    }

    if (relay->refused) {
        ngx_realtime_poll_error(&poll, 3);
        return;
    }

    if (relay->sid.owner != ngx_realtime_worker->id) {
        ngx_realtime_metrics->counts.relays++;
        r->read_event_handler = ngx_http_test_reading;
        ngx_realtime_relay_send(relay, NGX_REALTIME_RELAY_POST, body);
        return;
    }

    if (s != NULL) {
        ngx_realtime_polling_post(s, &poll, body);
    } else {
        ngx_realtime_relay_unknown(&poll, &relay->sid);
    }
}


/* The session is not here: it never was, it ended, or it moved to another worker with its
 * upgrade. */
static void
ngx_realtime_relay_unknown(ngx_realtime_poll_t *poll, ngx_realtime_sid_t *sid)
{
    ngx_realtime_poll_error(poll, ngx_realtime_move_moved(sid) ? 3 : 1);
}


/* To the session's owner; when there is none any more the client hears it. */
static void
ngx_realtime_relay_send(ngx_realtime_relay_t *relay, ngx_uint_t type, ngx_str_t *body)
{
    u_char             *p;
    uint64_t            id;
    ngx_int_t           rc;
    ngx_str_t           payload;
    ngx_realtime_bus_t *bus;
    ngx_realtime_poll_t poll;

    bus = ngx_realtime_worker->bus;
    rc = NGX_ERROR;

    payload.len = NGX_REALTIME_RELAY_HEADER + (body ? body->len : 0);
    payload.data = ngx_alloc(payload.len, ngx_cycle->log);

    if (payload.data != NULL) {
        id = relay->node.key;

        p = payload.data;
        *p++ = (u_char) type;
        p = ngx_cpymem(p, &id, 8);
        p = ngx_cpymem(p, relay->sid.random, NGX_REALTIME_SID_RANDOM);

        if (body != NULL) {
            ngx_memcpy(p, body->data, body->len);
        }

        rc = bus->methods->send(bus, relay->sid.owner, &payload);

        ngx_free(payload.data);
    }

    if (rc != NGX_OK && (type == NGX_REALTIME_RELAY_GET || type == NGX_REALTIME_RELAY_POST)) {
        poll.request = relay->request;
        ngx_realtime_poll_error(&poll, 1);
    }
}


void
ngx_realtime_relay_answer(ngx_realtime_worker_id_t worker, uint64_t id, ngx_uint_t status,
    ngx_realtime_poll_body_e kind, ngx_str_t *body)
{
    u_char             *p;
    uint16_t            code;
    ngx_str_t           payload;
    ngx_realtime_bus_t *bus;

    payload.len = 1 + 8 + 2 + 1 + body->len;
    payload.data = ngx_alloc(payload.len, ngx_cycle->log);
    if (payload.data == NULL) {
        return;
    }

    code = (uint16_t) status;

    p = payload.data;
    *p++ = NGX_REALTIME_RELAY_ANSWER;
    p = ngx_cpymem(p, &id, 8);
    p = ngx_cpymem(p, &code, 2);
    *p++ = (u_char) kind;

    if (body->len) {
        ngx_memcpy(p, body->data, body->len);
    }

    bus = ngx_realtime_worker->bus;

    /* a worker that is gone took its client with it */
    (void) bus->methods->send(bus, worker, &payload);

    ngx_free(payload.data);
}


void
ngx_realtime_relay_on_message(ngx_realtime_worker_id_t from, ngx_uint_t type, ngx_str_t *payload)
{
    ngx_str_t               body;
    ngx_realtime_sid_t      sid;
    ngx_realtime_poll_t     poll;
    ngx_realtime_session_t *s;

    if (type == NGX_REALTIME_RELAY_ANSWER) {
        ngx_realtime_relay_answered(payload);
        return;
    }

    if (payload->len < NGX_REALTIME_RELAY_HEADER - 1) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "realtime: broken message on the bus");
        return;
    }

    poll.request = NULL;
    poll.worker = from;
    poll.tag = 0;
    ngx_memcpy(&poll.id, payload->data, 8);

    sid.owner = ngx_realtime_worker->id;
    ngx_memcpy(sid.random, payload->data + 8, NGX_REALTIME_SID_RANDOM);

    body.data = payload->data + NGX_REALTIME_RELAY_HEADER - 1;
    body.len = payload->len - (NGX_REALTIME_RELAY_HEADER - 1);

    s = ngx_realtime_session_find(&sid);

    switch (type) {

    case NGX_REALTIME_RELAY_GET:
        if (body.len == sizeof(poll.tag)) {
            ngx_memcpy(&poll.tag, body.data, sizeof(poll.tag));
        }

        if (s != NULL) {
            ngx_realtime_polling_get(s, &poll);
        } else {
            ngx_realtime_relay_unknown(&poll, &sid);
        }
        break;

    case NGX_REALTIME_RELAY_POST_BEGIN:
        if (s != NULL) {
            (void) ngx_realtime_polling_post_begin(s, &poll);
        }
        break;

    case NGX_REALTIME_RELAY_POST:
        if (s != NULL) {
            ngx_realtime_polling_post(s, &poll, &body);
        } else {
            ngx_realtime_relay_unknown(&poll, &sid);
        }
        break;

    case NGX_REALTIME_RELAY_ABORT:
        if (s != NULL) {
            ngx_realtime_polling_aborted(s, &poll);
        }
        break;

    case NGX_REALTIME_RELAY_RELEASE:
        if (s != NULL) {
            ngx_realtime_polling_let_go(s, &poll);
        }
        break;

    default:
        break;
    }
}


static void
ngx_realtime_relay_answered(ngx_str_t *payload)
{
    uint16_t            status;
    uint64_t            id;
    ngx_str_t           body;
    ngx_uint_t          kind;
    ngx_rbtree_node_t  *node;
    ngx_realtime_poll_t poll;

    if (payload->len < 8 + 2 + 1 || payload->data[10] > NGX_REALTIME_POLL_ERROR) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "realtime: broken answer on the bus");
        return;
    }

    ngx_memcpy(&id, payload->data, 8);
    ngx_memcpy(&status, payload->data + 8, 2);
    kind = payload->data[10];

    body.data = payload->data + 11;
    body.len = payload->len - 11;

    node = ngx_realtime_relay_tree.root;

    while (node != &ngx_realtime_relay_sentinel && node->key != id) {
        node = id < node->key ? node->left : node->right;
    }

    if (node == &ngx_realtime_relay_sentinel) {
        return; /* its client is gone */
    }

    poll.request = ((ngx_realtime_relay_t *) node)->request;

    ngx_realtime_poll_answer(&poll, status, kind, &body);
}


void
ngx_realtime_relay_worker_lost(ngx_realtime_worker_id_t worker)
{
    ngx_queue_t          *q;
    ngx_rbtree_node_t    *node;
    ngx_realtime_poll_t   poll;
    ngx_realtime_relay_t *relay;

    for (q = ngx_queue_head(ngx_realtime_sessions());
         q != ngx_queue_sentinel(ngx_realtime_sessions()); q = ngx_queue_next(q))
    {
        ngx_realtime_polling_worker_lost(ngx_queue_data(q, ngx_realtime_session_t, link), worker);
    }

again:

    if (ngx_realtime_relay_tree.root == &ngx_realtime_relay_sentinel) {
        return;
    }

    for (node = ngx_rbtree_min(ngx_realtime_relay_tree.root, &ngx_realtime_relay_sentinel);
         node != NULL; node = ngx_rbtree_next(&ngx_realtime_relay_tree, node))
    {
        relay = (ngx_realtime_relay_t *) node;

        if (relay->sid.owner != worker) {
            continue;
        }

        if (relay->request->reading_body) {
            continue; /* its body is still coming: it finds nobody then */
        }

        poll.request = relay->request;
        ngx_realtime_poll_error(&poll, 1);

        goto again;
    }
}


ngx_uint_t
ngx_realtime_relay_waiting(void)
{
    return ngx_realtime_relay_count;
}


void
ngx_realtime_relay_release(void)
{
    ngx_rbtree_node_t    *node;
    ngx_realtime_relay_t *relay;

    if (ngx_realtime_relay_count == 0) {
        return;
    }

    for (node = ngx_rbtree_min(ngx_realtime_relay_tree.root, &ngx_realtime_relay_sentinel);
         node != NULL; node = ngx_rbtree_next(&ngx_realtime_relay_tree, node))
    {
        relay = (ngx_realtime_relay_t *) node;

        if (!relay->released && relay->request->method == NGX_HTTP_GET
            && relay->sid.owner != ngx_realtime_worker->id)
        {
            relay->released = 1;
            ngx_realtime_relay_send(relay, NGX_REALTIME_RELAY_RELEASE, NULL);
        }
    }
}


void
ngx_realtime_relay_cut(void)
{
    ngx_str_t             noop = ngx_string("6");
    ngx_rbtree_node_t    *node;
    ngx_realtime_poll_t   poll;
    ngx_realtime_relay_t *relay;

again:

    if (ngx_realtime_relay_count == 0) {
        return;
    }

    for (node = ngx_rbtree_min(ngx_realtime_relay_tree.root, &ngx_realtime_relay_sentinel);
         node != NULL; node = ngx_rbtree_next(&ngx_realtime_relay_tree, node))
    {
        relay = (ngx_realtime_relay_t *) node;

        if (relay->request->reading_body) {
            continue;
        }

        ngx_realtime_relay_send(relay, NGX_REALTIME_RELAY_ABORT, NULL);

        poll.request = relay->request;
        ngx_realtime_poll_answer(&poll, NGX_HTTP_OK, NGX_REALTIME_POLL_PACKETS, &noop);

        goto again;
    }
}
