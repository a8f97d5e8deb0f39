/* The bus between hosts: questions to all who listen to a channel. PUBLISH says how many got the
 * question; each of them answers, those of the asker's own host only that they were asked there. */

#include "ngx_realtime_bus_redis.h"


static ngx_realtime_remote_wait_t *ngx_realtime_remote_request_find(ngx_realtime_remote_t *remote,
    uint64_t                                                                               id);
static void ngx_realtime_remote_request_settle(ngx_realtime_remote_wait_t *wait);
static void ngx_realtime_remote_request_end(ngx_realtime_remote_wait_t *wait);
static void ngx_realtime_remote_request_timeout(ngx_event_t *ev);


ngx_int_t
ngx_realtime_remote_request(ngx_realtime_bus_t *bus, ngx_str_t *channel, ngx_str_t *payload,
    ngx_msec_t timeout, ngx_realtime_bus_answer_pt done, void *data, ngx_realtime_bus_wait_t **wait)
{
    ngx_int_t                   rc;
    ngx_str_t                   name;
    ngx_realtime_remote_t      *remote = (ngx_realtime_remote_t *) bus;
    ngx_realtime_remote_wait_t *w;
    ngx_realtime_remote_head_t  head;

    if (channel->len == 0 || channel->len > NGX_REALTIME_REMOTE_NAME_MAX
        || payload->len > NGX_REALTIME_REMOTE_PAYLOAD_MAX)
    {
        return NGX_ERROR;
    }

    w = ngx_calloc(sizeof(ngx_realtime_remote_wait_t), bus->log);
    if (w == NULL) {
        return NGX_ERROR;
    }

    w->remote = remote;
    w->answer = done;
    w->data = data;
    w->expected = -1;
    w->node.key = (ngx_rbtree_key_t) ++remote->request_last;
    w->timer.handler = ngx_realtime_remote_request_timeout;
    w->timer.data = w;
    w->timer.log = bus->log;
    w->timer.cancelable = 1;

    ngx_rbtree_insert(&remote->requests, &w->node);

    rc = NGX_DECLINED;

    if (bus->methods->peers(bus) != 0 && ngx_realtime_redis_is_up(remote->subscriber)) {
        ngx_realtime_remote_head(remote, &head, NGX_REALTIME_REMOTE_REQUEST, 0, w->node.key);
        ngx_realtime_remote_name(remote, "c:", channel, &name);

        rc = ngx_realtime_remote_send(remote, &name, &head, NULL, 0, payload,
            NGX_REALTIME_REMOTE_ABOUT_REQUEST, w->node.key);
    }

    if (rc == NGX_OK) {
        ngx_add_timer(&w->timer, timeout);
    } else {
        ngx_realtime_remote_request_end(w);
    }

    if (wait != NULL) {
        *wait = (ngx_realtime_bus_wait_t *) w;
    }

    return NGX_OK;
}


void
ngx_realtime_remote_cancel(ngx_realtime_bus_t *bus, ngx_realtime_bus_wait_t *wait)
{
    ngx_realtime_remote_t      *remote = (ngx_realtime_remote_t *) bus;
    ngx_realtime_remote_wait_t *w = (ngx_realtime_remote_wait_t *) wait;

    if (w->subscribed != NULL || w->finished) {
        ngx_queue_remove(&w->queue);
        ngx_free(w);
        return;
    }

    ngx_rbtree_delete(&remote->requests, &w->node);

    if (w->timer.timer_set) {
        ngx_del_timer(&w->timer);
    }

    ngx_free(w);
}


void
ngx_realtime_remote_on_request(ngx_realtime_remote_t *remote,
    const ngx_realtime_remote_head_t *head, ngx_str_t *channel, ngx_str_t *body)
{
    ngx_str_t                    answer;
    ngx_realtime_remote_head_t   reply;
    ngx_realtime_remote_wait_t  *wait;
    ngx_realtime_bus_handlers_t *handlers;

    if (head->from == remote->bus.self) {
        /* our own, as PUBLISH has counted */
        wait = ngx_realtime_remote_request_find(remote, head->id);

        if (wait != NULL) {
            wait->answered++;
            ngx_realtime_remote_request_settle(wait);
        }

        return;
    }

    answer.data = remote->answer;
    answer.len = 0;

    if (head->host == remote->host) {
        ngx_realtime_remote_head(remote, &reply, NGX_REALTIME_REMOTE_ANSWER,
            NGX_REALTIME_REMOTE_SKIP, head->id);

    } else {
        ngx_realtime_remote_head(remote, &reply, NGX_REALTIME_REMOTE_ANSWER, 0, head->id);

        if (ngx_realtime_remote_subscribed(remote, channel)) {
            handlers = &remote->bus.handlers;
            handlers->on_request(handlers->data, head->from, channel, body, &answer,
                NGX_REALTIME_REMOTE_ANSWER_MAX);
        }
    }

    (void) ngx_realtime_remote_send_worker(remote, head->from, &reply, NULL, 0, &answer,
        NGX_REALTIME_REMOTE_ABOUT_NOTHING);
}


void
ngx_realtime_remote_on_answer(ngx_realtime_remote_t *remote, const ngx_realtime_remote_head_t *head,
    ngx_str_t *body)
{
    ngx_realtime_remote_wait_t *wait;

    wait = ngx_realtime_remote_request_find(remote, head->id);
    if (wait == NULL) {
        return;
    }

    if (body->len != 0 && !(head->flags & NGX_REALTIME_REMOTE_SKIP)) {
        wait->answer(wait->data, body, 0);

        /* the asker may have cancelled */
        wait = ngx_realtime_remote_request_find(remote, head->id);
        if (wait == NULL) {
            return;
        }
    }

    wait->answered++;
    ngx_realtime_remote_request_settle(wait);
}


void
ngx_realtime_remote_asked(ngx_realtime_remote_t *remote, uint64_t id, ngx_int_t receivers)
{
    ngx_realtime_remote_wait_t *wait;

    wait = ngx_realtime_remote_request_find(remote, id);

    if (wait != NULL) {
        wait->expected = receivers;
        ngx_realtime_remote_request_settle(wait);
    }
}


static ngx_realtime_remote_wait_t *
ngx_realtime_remote_request_find(ngx_realtime_remote_t *remote, uint64_t id)
{
    ngx_rbtree_node_t *node;

    node = remote->requests.root;

    while (node != remote->requests.sentinel) {
        if (node->key == id) {
            return ngx_rbtree_data(node, ngx_realtime_remote_wait_t, node);
        }

        node = id < node->key ? node->left : node->right;
    }

    return NULL;
}


static void
ngx_realtime_remote_request_settle(ngx_realtime_remote_wait_t *wait)
{
    if (wait->expected >= 0 && wait->answered >= wait->expected) {
        ngx_realtime_remote_request_end(wait);
    }
}


/* Its last call is made at the end of the turn, from where nothing else is going on. */
static void
ngx_realtime_remote_request_end(ngx_realtime_remote_wait_t *wait)
{
    if (wait->timer.timer_set) {
        ngx_del_timer(&wait->timer);
    }

    ngx_rbtree_delete(&wait->remote->requests, &wait->node);
    ngx_queue_insert_tail(&wait->remote->finished, &wait->queue);
    wait->finished = 1;

    ngx_realtime_remote_post(wait->remote);
}


static void
ngx_realtime_remote_request_timeout(ngx_event_t *ev)
{
    ngx_realtime_remote_wait_t *wait = ev->data;

    wait->late = 1;
    ngx_realtime_remote_request_end(wait);
}


void
ngx_realtime_remote_requests_end(ngx_realtime_remote_t *remote)
{
    ngx_rbtree_node_t          *node;
    ngx_realtime_remote_wait_t *wait;

    while (remote->requests.root != remote->requests.sentinel) {
        node = ngx_rbtree_min(remote->requests.root, remote->requests.sentinel);
        wait = ngx_rbtree_data(node, ngx_realtime_remote_wait_t, node);
        wait->late = 1;
        ngx_realtime_remote_request_end(wait);
    }
}


void
ngx_realtime_remote_finish(ngx_realtime_remote_t *remote)
{
    void                          *data;
    ngx_uint_t                     late;
    ngx_queue_t                   *q;
    ngx_realtime_bus_answer_pt     answer;
    ngx_realtime_remote_wait_t    *wait;
    ngx_realtime_bus_subscribed_pt subscribed;

    /* a callback may cancel any other wait: take the first one each time, and free it before */

    while (!ngx_queue_empty(&remote->finished)) {
        q = ngx_queue_head(&remote->finished);
        ngx_queue_remove(q);

        wait = ngx_queue_data(q, ngx_realtime_remote_wait_t, queue);
        data = wait->data;
        late = wait->late;
        answer = wait->answer;
        subscribed = wait->subscribed;
        ngx_free(wait);

        if (subscribed != NULL) {
            subscribed(data);
        } else {
            answer(data, NULL, late);
        }
    }
}


void
ngx_realtime_remote_waits_free(ngx_realtime_remote_t *remote)
{
    ngx_uint_t         i;
    ngx_queue_t       *q, *queues[2];
    ngx_rbtree_node_t *node;

    while (remote->requests.root != remote->requests.sentinel) {
        node = ngx_rbtree_min(remote->requests.root, remote->requests.sentinel);
        ngx_realtime_remote_cancel(&remote->bus,
            (ngx_realtime_bus_wait_t *) ngx_rbtree_data(node, ngx_realtime_remote_wait_t, node));
    }

    queues[0] = &remote->waits;
    queues[1] = &remote->finished;

    for (i = 0; i < 2; i++) {
        while (!ngx_queue_empty(queues[i])) {
            q = ngx_queue_head(queues[i]);
            ngx_queue_remove(q);
            ngx_free(ngx_queue_data(q, ngx_realtime_remote_wait_t, queue));
        }
    }
}
