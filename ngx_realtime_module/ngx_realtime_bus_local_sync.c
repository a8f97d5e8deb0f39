/* The local bus: telling the others what we listen to. Changes are sent once a turn, with a SYNC
 * behind those that add something; a subscription is confirmed when every peer that was sent its
 * SYNC has answered it. SYNCs are numbered, and a confirmation covers all numbers before. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_realtime_bus_local.h"


static ngx_int_t ngx_realtime_local_change(ngx_realtime_local_t *local,
    ngx_realtime_local_msg_t **msg, ngx_uint_t what, ngx_str_t *name);

static void ngx_realtime_local_change_end(ngx_realtime_local_msg_t *msg);

static void ngx_realtime_local_broadcast(ngx_realtime_local_t *local,
    ngx_realtime_local_msg_t                                  *msg);


ngx_int_t
ngx_realtime_local_batch_add(ngx_realtime_local_t *local, ngx_uint_t what, ngx_str_t *name)
{
    ngx_int_t                 rc;
    ngx_realtime_local_msg_t *full;

    full = local->batch;
    rc = ngx_realtime_local_change(local, &local->batch, what, name);

    if (rc == NGX_OK && full != NULL && full != local->batch) {
        ngx_realtime_local_broadcast(local, full);
    }

    if (rc == NGX_OK) {
        ngx_realtime_local_post(local);
    }

    return rc;
}


/* Appends to the SUBS frame *msg. NULL, or full: makes a new one, and the old one is the caller's
 * to send. */
static ngx_int_t
ngx_realtime_local_change(ngx_realtime_local_t *local, ngx_realtime_local_msg_t **msg,
    ngx_uint_t what, ngx_str_t *name)
{
    u_char                    *p;
    uint16_t                   len;
    ngx_realtime_local_msg_t  *m;
    ngx_realtime_local_frame_t frame;

    m = *msg;

    if (m == NULL
        || m->len + NGX_REALTIME_LOCAL_CHANGE + name->len
            > NGX_REALTIME_LOCAL_LIST_MAX + sizeof(frame))
    {
        m = ngx_alloc(sizeof(ngx_realtime_local_msg_t) + sizeof(frame)
                + NGX_REALTIME_LOCAL_LIST_MAX,
            local->bus.log);
        if (m == NULL) {
            return NGX_ERROR;
        }

        m->refs = 1;
        m->len = sizeof(frame);

        ngx_memzero(&frame, sizeof(frame));
        frame.type = NGX_REALTIME_LOCAL_SUBS;
        ngx_memcpy(m->data, &frame, sizeof(frame));

        ngx_realtime_local_change_end(*msg);
        *msg = m;
    }

    len = (uint16_t) name->len;

    p = m->data + m->len;
    *p++ = (u_char) what;
    p = ngx_cpymem(p, &len, sizeof(len));
    ngx_memcpy(p, name->data, name->len);

    m->len += NGX_REALTIME_LOCAL_CHANGE + name->len;

    return NGX_OK;
}


/* The frame is full or the last one: its header gets the length. */
static void
ngx_realtime_local_change_end(ngx_realtime_local_msg_t *msg)
{
    ngx_realtime_local_frame_t frame;

    if (msg == NULL) {
        return;
    }

    ngx_memcpy(&frame, msg->data, sizeof(frame));
    frame.length = (uint32_t) (msg->len - sizeof(frame));
    ngx_memcpy(msg->data, &frame, sizeof(frame));
}


/* To all who are connected; the others get the whole list when they are. Drops the reference. */
static void
ngx_realtime_local_broadcast(ngx_realtime_local_t *local, ngx_realtime_local_msg_t *msg)
{
    ngx_queue_t               *q;
    ngx_realtime_local_peer_t *peer;

    for (q = ngx_queue_head(&local->peers); q != ngx_queue_sentinel(&local->peers);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_realtime_local_peer_t, queue);

        if (peer->out != NULL) {
            (void) ngx_realtime_local_enqueue(peer, msg);
        }
    }

    ngx_realtime_local_msg_put(msg);
}


void
ngx_realtime_local_batch_end(ngx_realtime_local_t *local)
{
    uint64_t                   sync;
    ngx_queue_t               *q;
    ngx_realtime_local_msg_t  *msg, *shrunk;
    ngx_realtime_local_peer_t *peer;

    if (local->batch == NULL) {
        return;
    }

    msg = local->batch;
    local->batch = NULL;
    ngx_realtime_local_change_end(msg);

    /* It may wait in the queues for a while: no more than it needs. */
    shrunk = realloc(msg, sizeof(ngx_realtime_local_msg_t) + msg->len);
    if (shrunk != NULL) {
        msg = shrunk;
    }

    ngx_realtime_local_broadcast(local, msg);

    if (!local->batch_added) {
        return;
    }

    local->batch_added = 0;
    sync = local->sync_next++;

    for (q = ngx_queue_head(&local->peers); q != ngx_queue_sentinel(&local->peers);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_realtime_local_peer_t, queue);

        if (peer->out == NULL) {
            continue;
        }

        if (ngx_realtime_local_tell(peer, NGX_REALTIME_LOCAL_SYNC, sync, NULL) == NGX_OK) {
            peer->sync_sent = sync;

        } else if (peer->out != NULL) {
            ngx_realtime_local_out_close(peer, NGX_REALTIME_LOCAL_BACKOFF_MIN);
        }
    }
}


ngx_int_t
ngx_realtime_local_list(ngx_realtime_local_peer_t *peer)
{
    ngx_int_t                     rc;
    ngx_realtime_local_t         *local;
    ngx_realtime_local_msg_t     *msg, *full;
    ngx_realtime_local_channel_t *channel;

    msg = NULL;
    local = peer->local;

    for (channel = ngx_realtime_local_channel_first(local); channel != NULL;
         channel = ngx_realtime_local_channel_next(local, channel))
    {
        if (channel->count == 0) {
            continue;
        }

        full = msg;

        if (ngx_realtime_local_change(local, &msg, NGX_REALTIME_LOCAL_ADD, &channel->sn.str)
            != NGX_OK) {
            ngx_free(msg);
            return NGX_ERROR;
        }

        if (full != NULL && full != msg) {
            rc = ngx_realtime_local_enqueue(peer, full);
            ngx_realtime_local_msg_put(full);

            if (rc != NGX_OK) {
                ngx_realtime_local_msg_put(msg);
                return rc;
            }
        }
    }

    if (msg == NULL) {
        return NGX_OK;
    }

    ngx_realtime_local_change_end(msg);
    rc = ngx_realtime_local_enqueue(peer, msg);
    ngx_realtime_local_msg_put(msg);

    return rc;
}


/* A notice for a channel: due at once when the channel is confirmed, else with its SYNC. */
ngx_realtime_bus_wait_t *
ngx_realtime_local_wait(ngx_realtime_local_t *local, ngx_realtime_local_channel_t *channel,
    ngx_realtime_bus_subscribed_pt done, void *data)
{
    ngx_queue_t             *q;
    ngx_realtime_bus_wait_t *wait, *before;

    /* What follows `deadline` is of requests only. */
    wait = ngx_calloc(offsetof(ngx_realtime_bus_wait_t, node), local->bus.log);
    if (wait == NULL) {
        return NULL;
    }

    wait->local = local;
    wait->subscribed = done;
    wait->data = data;
    wait->sync = channel->sync;
    wait->deadline = ngx_current_msec + NGX_REALTIME_LOCAL_SYNC_MS;

    if (channel->sync <= local->sync_done) {
        ngx_queue_insert_tail(&local->finished, &wait->queue);
        ngx_realtime_local_post(local);
        return wait;
    }

    /* In the order of their SYNCs; nearly always the last one. */

    for (q = ngx_queue_last(&local->waits); q != ngx_queue_sentinel(&local->waits);
         q = ngx_queue_prev(q))
    {
        before = ngx_queue_data(q, ngx_realtime_bus_wait_t, queue);

        if (before->sync <= wait->sync) {
            break;
        }
    }

    ngx_queue_insert_after(q, &wait->queue);

    if (!local->sync_timer.timer_set) {
        ngx_add_timer(&local->sync_timer, NGX_REALTIME_LOCAL_SYNC_MS);
    }

    return wait;
}


void
ngx_realtime_local_sync_check(ngx_realtime_local_t *local)
{
    uint64_t                   done;
    ngx_queue_t               *q;
    ngx_realtime_bus_wait_t   *wait;
    ngx_realtime_local_peer_t *peer;

    done = local->sync_next - 1;

    for (q = ngx_queue_head(&local->peers); q != ngx_queue_sentinel(&local->peers);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_realtime_local_peer_t, queue);

        if (peer->out != NULL && peer->sync_acked < peer->sync_sent) {
            done = ngx_min(done, peer->sync_acked);
        }
    }

    local->sync_done = ngx_max(local->sync_done, done);

    while (!ngx_queue_empty(&local->waits)) {
        q = ngx_queue_head(&local->waits);
        wait = ngx_queue_data(q, ngx_realtime_bus_wait_t, queue);

        if (wait->sync > local->sync_done) {
            return;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&local->finished, q);
    }

    if (local->sync_timer.timer_set) {
        ngx_del_timer(&local->sync_timer);
    }
}


/* Some peer takes too long: its subscribers wait no longer, and have a gap when it has read its
 * SYNC at last. */
void
ngx_realtime_local_sync_timeout(ngx_event_t *ev)
{
    ngx_queue_t               *q;
    ngx_msec_int_t             left;
    ngx_realtime_local_t      *local;
    ngx_realtime_bus_wait_t   *wait;
    ngx_realtime_local_peer_t *peer;

    local = ev->data;

    while (!ngx_queue_empty(&local->waits)) {
        q = ngx_queue_head(&local->waits);
        wait = ngx_queue_data(q, ngx_realtime_bus_wait_t, queue);
        left = (ngx_msec_int_t) (wait->deadline - ngx_current_msec);

        if (left > 0) {
            ngx_add_timer(ev, (ngx_msec_t) left);
            break;
        }

        local->sync_done = ngx_max(local->sync_done, wait->sync);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&local->finished, q);
    }

    for (q = ngx_queue_head(&local->peers); q != ngx_queue_sentinel(&local->peers);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_realtime_local_peer_t, queue);

        if (peer->out != NULL && peer->sync_acked < peer->sync_sent
            && peer->sync_acked < local->sync_done) {
            if (peer->resync == 0) {
                ngx_log_error(NGX_LOG_WARN, local->bus.log, 0,
                    "bus: worker %016xL does not respond", (int64_t) peer->id);
            }

            peer->resync = ngx_min(peer->sync_sent, local->sync_done);
        }
    }

    ngx_realtime_local_post(local);
}
