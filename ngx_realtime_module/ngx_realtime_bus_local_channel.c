/* The local bus: who listens to what: our own subscriptions, counted, and those of the peers. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_realtime_bus_local.h"


static ngx_realtime_local_channel_t *ngx_realtime_local_channel_find(ngx_realtime_local_t *local,
    ngx_str_t                                                                             *name);

static ngx_realtime_local_channel_t *ngx_realtime_local_channel_get(ngx_realtime_local_t *local,
    ngx_str_t                                                                            *name);

static void ngx_realtime_local_channel_put(ngx_realtime_local_t *local,
    ngx_realtime_local_channel_t                                *channel);

static ngx_int_t ngx_realtime_local_mark(ngx_realtime_local_peer_t *peer, ngx_str_t *name);

static void ngx_realtime_local_unmark(ngx_realtime_local_peer_t *peer,
    ngx_realtime_local_channel_t                                *channel);


ngx_int_t
ngx_realtime_local_subscribe(ngx_realtime_bus_t *bus, ngx_str_t *name,
    ngx_realtime_bus_subscribed_pt done, void *data, ngx_realtime_bus_wait_t **wait)
{
    ngx_realtime_local_t         *local;
    ngx_realtime_bus_wait_t      *w;
    ngx_realtime_local_channel_t *channel;

    local = (ngx_realtime_local_t *) bus;

    if (name->len == 0 || name->len > NGX_REALTIME_LOCAL_NAME_MAX) {
        return NGX_ERROR;
    }

    channel = ngx_realtime_local_channel_get(local, name);
    if (channel == NULL) {
        return NGX_ERROR;
    }

    if (channel->count == 0) {
        if (ngx_realtime_local_batch_add(local, NGX_REALTIME_LOCAL_ADD, name) != NGX_OK) {
            ngx_realtime_local_channel_put(local, channel);
            return NGX_ERROR;
        }

        channel->sync = local->sync_next;
        local->batch_added = 1;
    }

    channel->count++;

    if (done == NULL) {
        return NGX_OK;
    }

    w = ngx_realtime_local_wait(local, channel, done, data);
    if (w == NULL) {
        ngx_realtime_local_unsubscribe(bus, name);
        return NGX_ERROR;
    }

    if (wait != NULL) {
        *wait = w;
    }

    return NGX_OK;
}


void
ngx_realtime_local_unsubscribe(ngx_realtime_bus_t *bus, ngx_str_t *name)
{
    ngx_realtime_local_t         *local;
    ngx_realtime_local_channel_t *channel;

    local = (ngx_realtime_local_t *) bus;
    channel = ngx_realtime_local_channel_find(local, name);

    if (channel == NULL || channel->count == 0) {
        ngx_log_error(NGX_LOG_ERR, bus->log, 0,
            "bus: unsubscribed from a channel that was not subscribed");
        return;
    }

    if (--channel->count != 0) {
        return;
    }

    /* Without memory the others go on sending, and what they send is not delivered. */
    (void) ngx_realtime_local_batch_add(local, NGX_REALTIME_LOCAL_REMOVE, name);

    ngx_realtime_local_channel_put(local, channel);
}


ngx_uint_t
ngx_realtime_local_subscribed(ngx_realtime_local_t *local, ngx_str_t *name)
{
    ngx_realtime_local_channel_t *channel;

    channel = ngx_realtime_local_channel_find(local, name);

    return channel != NULL && channel->count != 0;
}


ngx_uint_t
ngx_realtime_local_targets(ngx_realtime_local_t *local, ngx_str_t *name)
{
    ngx_uint_t                    i, n;
    ngx_queue_t                  *q;
    ngx_realtime_local_peer_t    *peer;
    ngx_realtime_local_channel_t *channel;

    n = 0;

    for (q = ngx_queue_head(&local->peers); q != ngx_queue_sentinel(&local->peers);
         q = ngx_queue_next(q))
    {
        peer = ngx_queue_data(q, ngx_realtime_local_peer_t, queue);

        if (!peer->listed || peer->everything) {
            local->targets[n++] = (uint16_t) peer->slot;
        }
    }

    channel = ngx_realtime_local_channel_find(local, name);

    if (channel == NULL) {
        return n;
    }

    for (i = 0; i < channel->nslots; i++) {
        peer = local->slots[channel->slots[i]];

        if (peer->listed && !peer->everything) {
            local->targets[n++] = (uint16_t) peer->slot;
        }
    }

    return n;
}


static ngx_realtime_local_channel_t *
ngx_realtime_local_channel_find(ngx_realtime_local_t *local, ngx_str_t *name)
{
    uint32_t hash;

    hash = ngx_crc32_short(name->data, name->len);

    return (ngx_realtime_local_channel_t *) ngx_str_rbtree_lookup(&local->channels, name, hash);
}


static ngx_realtime_local_channel_t *
ngx_realtime_local_channel_get(ngx_realtime_local_t *local, ngx_str_t *name)
{
    ngx_realtime_local_channel_t *channel;

    channel = ngx_realtime_local_channel_find(local, name);
    if (channel != NULL) {
        return channel;
    }

    channel = ngx_alloc(sizeof(ngx_realtime_local_channel_t) + name->len, local->bus.log);
    if (channel == NULL) {
        return NULL;
    }

    ngx_memzero(channel, sizeof(ngx_realtime_local_channel_t));
    channel->sn.node.key = ngx_crc32_short(name->data, name->len);
    channel->sn.str.len = name->len;
    channel->sn.str.data = (u_char *) (channel + 1);
    ngx_memcpy(channel->sn.str.data, name->data, name->len);

    ngx_rbtree_insert(&local->channels, &channel->sn.node);

    return channel;
}


/* Frees the channel unless somebody listens to it. */
static void
ngx_realtime_local_channel_put(ngx_realtime_local_t *local, ngx_realtime_local_channel_t *channel)
{
    if (channel->count != 0 || channel->nslots != 0) {
        return;
    }

    ngx_rbtree_delete(&local->channels, &channel->sn.node);
    ngx_free(channel->slots);
    ngx_free(channel);
}


ngx_realtime_local_channel_t *
ngx_realtime_local_channel_first(ngx_realtime_local_t *local)
{
    if (local->channels.root == local->channels.sentinel) {
        return NULL;
    }

    return (ngx_realtime_local_channel_t *) ngx_rbtree_min(local->channels.root,
        local->channels.sentinel);
}


ngx_realtime_local_channel_t *
ngx_realtime_local_channel_next(ngx_realtime_local_t *local, ngx_realtime_local_channel_t *channel)
{
    return (ngx_realtime_local_channel_t *) ngx_rbtree_next(&local->channels, &channel->sn.node);
}


void
ngx_realtime_local_channels_free(ngx_realtime_local_t *local)
{
    ngx_realtime_local_channel_t *channel;

    while ((channel = ngx_realtime_local_channel_first(local)) != NULL) {
        channel->count = 0;
        channel->nslots = 0;
        ngx_realtime_local_channel_put(local, channel);
    }

    ngx_free(local->batch);
    local->batch = NULL;
}


ngx_int_t
ngx_realtime_local_marks(ngx_realtime_local_peer_t *peer, ngx_str_t *body)
{
    u_char                       *p, *last, what;
    uint16_t                      len;
    ngx_str_t                     name;
    ngx_realtime_local_channel_t *channel;

    p = body->data;
    last = p + body->len;

    while (p < last) {
        if (last - p < NGX_REALTIME_LOCAL_CHANGE) {
            return NGX_ERROR;
        }

        what = p[0];
        ngx_memcpy(&len, p + 1, sizeof(len));
        p += NGX_REALTIME_LOCAL_CHANGE;

        if (len == 0 || len > NGX_REALTIME_LOCAL_NAME_MAX || len > last - p) {
            return NGX_ERROR;
        }

        name.data = p;
        name.len = len;
        p += len;

        if (what == NGX_REALTIME_LOCAL_ADD) {
            if (ngx_realtime_local_mark(peer, &name) != NGX_OK) {
                peer->everything = 1;
            }

        } else if (what == NGX_REALTIME_LOCAL_REMOVE) {
            channel = ngx_realtime_local_channel_find(peer->local, &name);

            if (channel != NULL) {
                ngx_realtime_local_unmark(peer, channel);
            }

        } else {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_local_mark(ngx_realtime_local_peer_t *peer, ngx_str_t *name)
{
    uint16_t                     *slots, size;
    ngx_uint_t                    i;
    ngx_realtime_local_channel_t *channel;

    channel = ngx_realtime_local_channel_get(peer->local, name);
    if (channel == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < channel->nslots; i++) {
        if (channel->slots[i] == peer->slot) {
            return NGX_OK;
        }
    }

    if (channel->nslots == channel->size) {
        size = (channel->size == 0) ? 2 : (uint16_t) (channel->size * 2);

        slots = realloc(channel->slots, size * sizeof(uint16_t));
        if (slots == NULL) {
            ngx_realtime_local_channel_put(peer->local, channel);
            return NGX_ERROR;
        }

        channel->slots = slots;
        channel->size = size;
    }

    channel->slots[channel->nslots++] = (uint16_t) peer->slot;

    return NGX_OK;
}


/* May free the channel. */
static void
ngx_realtime_local_unmark(ngx_realtime_local_peer_t *peer, ngx_realtime_local_channel_t *channel)
{
    ngx_uint_t i;

    for (i = 0; i < channel->nslots; i++) {
        if (channel->slots[i] == peer->slot) {
            channel->slots[i] = channel->slots[--channel->nslots];
            break;
        }
    }

    ngx_realtime_local_channel_put(peer->local, channel);
}


/* Walks all channels: rare, a few milliseconds for a hundred thousand. */
void
ngx_realtime_local_marks_clear(ngx_realtime_local_peer_t *peer)
{
    ngx_realtime_local_t         *local;
    ngx_realtime_local_channel_t *channel, *next;

    local = peer->local;
    peer->listed = 0;
    peer->everything = 0;

    for (channel = ngx_realtime_local_channel_first(local); channel != NULL; channel = next) {
        next = ngx_realtime_local_channel_next(local, channel);
        ngx_realtime_local_unmark(peer, channel);
    }
}
