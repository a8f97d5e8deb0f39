/* The local bus: questions to all who listen to a channel, and the last calls of all waits. A peer
 * that goes counts as one that has answered. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_realtime_bus_local.h"


static ngx_realtime_bus_wait_t *ngx_realtime_local_request_find(ngx_realtime_local_t *local,
    ngx_uint_t                                                                        id);
static void ngx_realtime_local_request_settle(ngx_realtime_bus_wait_t *wait, ngx_uint_t slot);
static void ngx_realtime_local_request_end(ngx_realtime_bus_wait_t *wait);
static void ngx_realtime_local_request_timeout(ngx_event_t *ev);


ngx_int_t
ngx_realtime_local_request(ngx_realtime_bus_t *bus, ngx_str_t *channel, ngx_str_t *payload,
    ngx_msec_t timeout, ngx_realtime_bus_answer_pt done, void *data, ngx_realtime_bus_wait_t **wait)
{
    ngx_uint_t                 i, n, slot;
    ngx_realtime_local_t      *local;
    ngx_realtime_bus_wait_t   *w;
    ngx_realtime_local_msg_t  *msg;
    ngx_realtime_local_peer_t *peer;

    local = (ngx_realtime_local_t *) bus;

    if (channel->len == 0 || channel->len > NGX_REALTIME_LOCAL_NAME_MAX
        || payload->len > local->payload_max)
    {
        return NGX_ERROR;
    }

    w = ngx_calloc(sizeof(ngx_realtime_bus_wait_t), bus->log);
    if (w == NULL) {
        return NGX_ERROR;
    }

    w->local = local;
    w->answer = done;
    w->data = data;
    w->node.key = ++local->request_last;
    w->timer.handler = ngx_realtime_local_request_timeout;
    w->timer.data = w;
    w->timer.log = bus->log;
    w->timer.cancelable = 1;

    msg = ngx_realtime_local_msg(local, NGX_REALTIME_LOCAL_REQUEST, w->node.key, channel, payload);
    if (msg == NULL) {
        ngx_free(w);
        return NGX_ERROR;
    }

    n = ngx_realtime_local_targets(local, channel);

    for (i = 0; i < n; i++) {
        slot = local->targets[i];
        peer = local->slots[slot];

        if (peer->out != NULL && ngx_realtime_local_enqueue(peer, msg) == NGX_OK) {
            w->peers[slot / 64] |= (uint64_t) 1 << slot % 64;
            w->pending++;
        }
    }

    ngx_realtime_local_msg_put(msg);

    ngx_rbtree_insert(&local->requests, &w->node);

    if (w->pending == 0) {
        ngx_realtime_local_request_end(w);

    } else {
        ngx_add_timer(&w->timer, timeout);
    }

    if (wait != NULL) {
        *wait = w;
    }

    return NGX_OK;
}


void
ngx_realtime_local_cancel(ngx_realtime_bus_t *bus, ngx_realtime_bus_wait_t *wait)
{
    if (wait->subscribed != NULL || wait->finished) {
        ngx_queue_remove(&wait->queue);
        ngx_free(wait);
        return;
    }

    ngx_rbtree_delete(&wait->local->requests, &wait->node);

    if (wait->timer.timer_set) {
        ngx_del_timer(&wait->timer);
    }

    ngx_free(wait);
}


void
ngx_realtime_local_answered(ngx_realtime_local_peer_t *peer, uint64_t id, ngx_str_t *body)
{
    ngx_realtime_local_t    *local;
    ngx_realtime_bus_wait_t *wait;

    local = peer->local;
    wait = ngx_realtime_local_request_find(local, (ngx_uint_t) id);

    if (wait == NULL || !(wait->peers[peer->slot / 64] & (uint64_t) 1 << peer->slot % 64)) {
        return;
    }

    if (body->len != 0) {
        wait->answer(wait->data, body, 0);

        /* The asker may have cancelled. */
        wait = ngx_realtime_local_request_find(local, (ngx_uint_t) id);
        if (wait == NULL) {
            return;
        }
    }

    ngx_realtime_local_request_settle(wait, peer->slot);
}


void
ngx_realtime_local_requests_gone(ngx_realtime_local_peer_t *peer)
{
    ngx_rbtree_t            *tree;
    ngx_rbtree_node_t       *node, *next;
    ngx_realtime_bus_wait_t *wait;

    tree = &peer->local->requests;

    if (tree->root == tree->sentinel) {
        return;
    }

    for (node = ngx_rbtree_min(tree->root, tree->sentinel); node != NULL; node = next) {
        next = ngx_rbtree_next(tree, node);
        wait = ngx_rbtree_data(node, ngx_realtime_bus_wait_t, node);
        ngx_realtime_local_request_settle(wait, peer->slot);
    }
}


static ngx_realtime_bus_wait_t *
ngx_realtime_local_request_find(ngx_realtime_local_t *local, ngx_uint_t id)
{
    ngx_rbtree_node_t *node;

    node = local->requests.root;

    while (node != local->requests.sentinel) {
        if (node->key == id) {
            return ngx_rbtree_data(node, ngx_realtime_bus_wait_t, node);
        }

        node = (id < node->key) ? node->left : node->right;
    }

    return NULL;
}


static void
ngx_realtime_local_request_settle(ngx_realtime_bus_wait_t *wait, ngx_uint_t slot)
{
    uint64_t bit;

    bit = (uint64_t) 1 << slot % 64;

    if (!(wait->peers[slot / 64] & bit)) {
        return;
    }

    wait->peers[slot / 64] &= ~bit;

    if (--wait->pending == 0) {
        ngx_realtime_local_request_end(wait);
    }
}


/* Its last call is made at the end of the turn, from where nothing else is going on. */
static void
ngx_realtime_local_request_end(ngx_realtime_bus_wait_t *wait)
{
    ngx_realtime_local_t *local;

    local = wait->local;

    if (wait->timer.timer_set) {
        ngx_del_timer(&wait->timer);
    }

    ngx_rbtree_delete(&local->requests, &wait->node);
    ngx_queue_insert_tail(&local->finished, &wait->queue);
    wait->finished = 1;

    ngx_realtime_local_post(local);
}


static void
ngx_realtime_local_request_timeout(ngx_event_t *ev)
{
    ngx_realtime_bus_wait_t *wait = ev->data;

    wait->late = 1;
    ngx_realtime_local_request_end(wait);
}


void
ngx_realtime_local_finish(ngx_realtime_local_t *local)
{
    void                          *data;
    ngx_uint_t                     late;
    ngx_queue_t                   *q;
    ngx_realtime_bus_wait_t       *wait;
    ngx_realtime_bus_answer_pt     answer;
    ngx_realtime_bus_subscribed_pt subscribed;

    /* A callback may cancel any other wait: take the first one each time, and free it before. */

    while (!ngx_queue_empty(&local->finished)) {
        /* The one that was freed is no longer in the queue, which the analyzer does not see. */
        q = ngx_queue_head(&local->finished);
        ngx_queue_remove(q); /* NOLINT(clang-analyzer-unix.Malloc) */

        wait = ngx_queue_data(q, ngx_realtime_bus_wait_t, queue);
        data = wait->data;
        subscribed = wait->subscribed;

        if (subscribed != NULL) {
            ngx_free(wait);
            subscribed(data);
            continue;
        }

        late = wait->late;
        answer = wait->answer;
        ngx_free(wait);
        answer(data, NULL, late);
    }
}


void
ngx_realtime_local_waits_free(ngx_realtime_local_t *local)
{
    ngx_queue_t             *queues[2], *q, *next;
    ngx_uint_t               i;
    ngx_rbtree_t            *tree;
    ngx_rbtree_node_t       *node, *after;
    ngx_realtime_bus_wait_t *wait;

    tree = &local->requests;
    node = (tree->root == tree->sentinel) ? NULL : ngx_rbtree_min(tree->root, tree->sentinel);

    for (/* void */; node != NULL; node = after) {
        after = ngx_rbtree_next(tree, node);
        wait = ngx_rbtree_data(node, ngx_realtime_bus_wait_t, node);
        ngx_realtime_local_cancel(&local->bus, wait);
    }

    queues[0] = &local->waits;
    queues[1] = &local->finished;

    for (i = 0; i < 2; i++) {
        for (q = ngx_queue_head(queues[i]); q != ngx_queue_sentinel(queues[i]); q = next) {
            next = ngx_queue_next(q);
            ngx_free(ngx_queue_data(q, ngx_realtime_bus_wait_t, queue));
        }
    }
}
