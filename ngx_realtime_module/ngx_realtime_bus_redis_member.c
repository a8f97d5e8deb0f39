/* The bus between hosts: which workers there are. Each says so twice a second; who is not heard of
 * for a while is lost, whatever Redis still believes of its connections. */

#include "ngx_realtime_bus_redis.h"


ngx_realtime_remote_member_t *
ngx_realtime_remote_member_find(ngx_realtime_remote_t *remote, ngx_realtime_worker_id_t id)
{
    ngx_rbtree_key_t              key;
    ngx_rbtree_node_t            *node;
    ngx_realtime_remote_member_t *member;

    key = (ngx_rbtree_key_t) id;
    node = remote->members.root;

    while (node != remote->members.sentinel) {

        if (key != node->key) {
            node = key < node->key ? node->left : node->right;
            continue;
        }

        member = (ngx_realtime_remote_member_t *) node;

        if (member->id == id) {
            return member;
        }

        node = node->right;
    }

    return NULL;
}


ngx_realtime_remote_member_t *
ngx_realtime_remote_member_meet(ngx_realtime_remote_t *remote, ngx_realtime_worker_id_t id)
{
    ngx_realtime_remote_member_t *member;

    member = ngx_realtime_remote_member_find(remote, id);

    if (member != NULL) {
        return member;
    }

    if (remote->members_count == NGX_REALTIME_REMOTE_MEMBERS_MAX) {
        ngx_log_error(NGX_LOG_ERR, remote->bus.log, 0, "bus: more than %d workers on redis",
            NGX_REALTIME_REMOTE_MEMBERS_MAX);
        return NULL;
    }

    member = ngx_calloc(sizeof(ngx_realtime_remote_member_t), remote->bus.log);
    if (member == NULL) {
        return NULL;
    }

    member->id = id;
    member->seen = ngx_current_msec;
    member->resend_ms = NGX_REALTIME_REMOTE_RESEND_MS;

    /* numbers of one life of this record: a receiver that knew an earlier one begins anew */
    member->out_epoch = (uint64_t) ngx_random() << 32 | (uint64_t) ngx_random() | 1;

    ngx_queue_init(&member->letters);

    member->node.key = (ngx_rbtree_key_t) id;
    ngx_rbtree_insert(&remote->members, &member->node);
    remote->members_count++;

    return member;
}


static void
ngx_realtime_remote_member_free(ngx_realtime_remote_t *remote, ngx_realtime_remote_member_t *member)
{
    ngx_rbtree_delete(&remote->members, &member->node);
    remote->members_count--;
    ngx_realtime_remote_letters_free(member);
    ngx_free(member);
}


void
ngx_realtime_remote_member_lost(ngx_realtime_remote_t *remote, ngx_realtime_remote_member_t *member,
    ngx_uint_t gap)
{
    ngx_uint_t               known;
    ngx_realtime_worker_id_t id;

    id = member->id;
    known = member->known;

    if (known) {
        ngx_log_error(NGX_LOG_INFO, remote->bus.log, 0,
            "bus: worker %016xL of another host is gone%s", (int64_t) id,
            gap ? " without a goodbye" : "");
    }

    ngx_realtime_remote_member_free(remote, member);

    if (gap && known) {
        remote->gap = 1;
        ngx_realtime_remote_post(remote);
    }

    remote->bus.handlers.on_worker_lost(remote->bus.handlers.data, id);
}


void
ngx_realtime_remote_member_seen(ngx_realtime_remote_t *remote,
    const ngx_realtime_remote_head_t                  *head)
{
    ngx_realtime_remote_member_t *member;

    if (head->type == NGX_REALTIME_REMOTE_BYE) {
        return;
    }

    member = ngx_realtime_remote_member_meet(remote, head->from);

    if (member == NULL) {
        return;
    }

    member->seen = ngx_current_msec;
    member->host = head->host;

    if (!member->known) {
        member->known = 1;
        ngx_log_error(NGX_LOG_INFO, remote->bus.log, 0,
            "bus: worker %016xL of another host is here", (int64_t) head->from);
        remote->bus.handlers.on_worker_met(remote->bus.handlers.data, head->from);
    }
}


ngx_realtime_remote_member_t *
ngx_realtime_remote_member_first(ngx_realtime_remote_t *remote)
{
    if (remote->members.root == remote->members.sentinel) {
        return NULL;
    }

    return (ngx_realtime_remote_member_t *) ngx_rbtree_min(remote->members.root,
        remote->members.sentinel);
}


ngx_realtime_remote_member_t *
ngx_realtime_remote_member_next(ngx_realtime_remote_t *remote, ngx_realtime_remote_member_t *member)
{
    return (ngx_realtime_remote_member_t *) ngx_rbtree_next(&remote->members, &member->node);
}


void
ngx_realtime_remote_beat(ngx_realtime_remote_t *remote, ngx_uint_t hello)
{
    /* what is said before we listen ourselves would be answered in vain */

    if (hello && remote->renewed != 0) {
        return;
    }

    (void) ngx_realtime_remote_send_all(remote, NGX_REALTIME_REMOTE_BEAT,
        hello ? NGX_REALTIME_REMOTE_HELLO : 0, 0);
}


void
ngx_realtime_remote_beat_handler(ngx_event_t *ev)
{
    ngx_msec_t                    late;
    ngx_realtime_remote_t        *remote = ev->data;
    ngx_realtime_remote_member_t *member;

    ngx_add_timer(ev, NGX_REALTIME_REMOTE_BEAT_MS);

    if (remote->renewed == 0) {
        ngx_realtime_remote_beat(remote, 0);
    }

    ngx_realtime_remote_tell_missed(remote); /* the connection may be up, and Redis have refused */

    late = ngx_current_msec - remote->beaten;
    remote->beaten = ngx_current_msec;

    if (late > 2 * NGX_REALTIME_REMOTE_BEAT_MS) {
        return; /* it was us who slept: their heartbeats wait to be read */
    }

again:

    for (member = ngx_realtime_remote_member_first(remote); member != NULL;
         member = ngx_realtime_remote_member_next(remote, member))
    {
        if (ngx_current_msec - member->seen < NGX_REALTIME_REMOTE_LOST_MS) {
            continue;
        }

        if (member->known) {
            ngx_realtime_remote_member_lost(remote, member, 1);
            goto again;
        }

        if (ngx_queue_empty(&member->letters)) {
            ngx_realtime_remote_member_free(remote, member);
            goto again;
        }
    }
}


void
ngx_realtime_remote_members_free(ngx_realtime_remote_t *remote)
{
    ngx_realtime_remote_member_t *member;

    while ((member = ngx_realtime_remote_member_first(remote)) != NULL) {
        ngx_realtime_remote_member_free(remote, member);
    }
}
