/* The bus between hosts: what we listen to. SUBSCRIBEs of a turn are one command; Redis confirms
 * channel by channel, in order, so counting the confirmations tells which channel is heard. */

#include "ngx_realtime_bus_redis.h"


static ngx_realtime_remote_channel_t *ngx_realtime_remote_channel_find(ngx_realtime_remote_t
                                                                           *remote,
    ngx_str_t                                                              *name);
static ngx_int_t ngx_realtime_remote_add(ngx_realtime_remote_t *remote, const char *kind,
    ngx_str_t *name);
static void      ngx_realtime_remote_wait_finish(ngx_realtime_remote_t *remote,
         ngx_realtime_remote_wait_t                                    *wait);


static ngx_realtime_remote_channel_t *
ngx_realtime_remote_channel_find(ngx_realtime_remote_t *remote, ngx_str_t *name)
{
    return (ngx_realtime_remote_channel_t *) ngx_str_rbtree_lookup(&remote->channels, name,
        ngx_murmur_hash2(name->data, name->len));
}


ngx_uint_t
ngx_realtime_remote_subscribed(ngx_realtime_remote_t *remote, ngx_str_t *name)
{
    return ngx_realtime_remote_channel_find(remote, name) != NULL;
}


ngx_int_t
ngx_realtime_remote_subscribe(ngx_realtime_bus_t *bus, ngx_str_t *channel,
    ngx_realtime_bus_subscribed_pt done, void *data, ngx_realtime_bus_wait_t **wait)
{
    ngx_realtime_remote_t         *remote = (ngx_realtime_remote_t *) bus;
    ngx_realtime_remote_wait_t    *w;
    ngx_realtime_remote_channel_t *ch;

    if (channel->len == 0 || channel->len > NGX_REALTIME_REMOTE_NAME_MAX) {
        return NGX_ERROR;
    }

    w = done ? ngx_calloc(sizeof(ngx_realtime_remote_wait_t), bus->log) : NULL;
    if (done != NULL && w == NULL) {
        return NGX_ERROR;
    }

    ch = ngx_realtime_remote_channel_find(remote, channel);

    if (ch == NULL) {
        ch = ngx_calloc(sizeof(ngx_realtime_remote_channel_t) + channel->len, bus->log);
        if (ch == NULL) {
            ngx_free(w);
            return NGX_ERROR;
        }

        ch->sn.str.data = (u_char *) ch + sizeof(ngx_realtime_remote_channel_t);
        ch->sn.str.len = channel->len;
        ngx_memcpy(ch->sn.str.data, channel->data, channel->len);
        ch->sn.node.key = ngx_murmur_hash2(channel->data, channel->len);

        if (ngx_realtime_redis_is_up(remote->subscriber)) {
            if (ngx_realtime_remote_add(remote, "c:", channel) != NGX_OK) {
                ngx_free(ch);
                ngx_free(w);
                return NGX_ERROR;
            }

            ch->number = remote->number;
        }

        ngx_rbtree_insert(&remote->channels, &ch->sn.node);
    }

    ch->count++;

    if (w == NULL) {
        return NGX_OK;
    }

    w->subscribed = done;
    w->data = data;
    w->number = ch->number;

    if (!ngx_realtime_redis_is_up(remote->subscriber) || ch->number <= remote->seen) {
        ngx_realtime_remote_wait_finish(remote, w);
    } else {
        ngx_queue_insert_tail(&remote->waits, &w->queue);
    }

    if (wait != NULL) {
        *wait = (ngx_realtime_bus_wait_t *) w;
    }

    return NGX_OK;
}


void
ngx_realtime_remote_unsubscribe(ngx_realtime_bus_t *bus, ngx_str_t *channel)
{
    ngx_str_t                      argv[2];
    ngx_realtime_remote_t         *remote = (ngx_realtime_remote_t *) bus;
    ngx_realtime_remote_channel_t *ch;

    ch = ngx_realtime_remote_channel_find(remote, channel);

    if (ch == NULL || --ch->count > 0) {
        return;
    }

    /* in the order of the calls */
    ngx_realtime_remote_subscribe_flush(remote);

    ngx_str_set(&argv[0], "UNSUBSCRIBE");
    ngx_realtime_remote_name(remote, "c:", channel, &argv[1]);
    (void) ngx_realtime_redis_command(remote->subscriber, 2, argv);

    ngx_rbtree_delete(&remote->channels, &ch->sn.node);
    ngx_free(ch);
}


/* A name more in this turn's SUBSCRIBE. */
static ngx_int_t
ngx_realtime_remote_add(ngx_realtime_remote_t *remote, const char *kind, ngx_str_t *name)
{
    ngx_str_t full, *copy;

    if (remote->adding == NULL) {
        remote->adding =
            ngx_alloc((NGX_REALTIME_REMOTE_SUBSCRIBE + 1) * sizeof(ngx_str_t), remote->bus.log);
        if (remote->adding == NULL) {
            return NGX_ERROR;
        }

        ngx_str_set(&remote->adding[0], "SUBSCRIBE");
    }

    ngx_realtime_remote_name(remote, kind, name, &full);

    copy = &remote->adding[remote->adding_count + 1];
    copy->len = full.len;
    copy->data = ngx_alloc(full.len, remote->bus.log);
    if (copy->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(copy->data, full.data, full.len);

    remote->adding_count++;
    remote->number++;

    if (remote->adding_count == NGX_REALTIME_REMOTE_SUBSCRIBE) {
        ngx_realtime_remote_subscribe_flush(remote);
    } else {
        ngx_realtime_remote_post(remote);
    }

    return NGX_OK;
}


void
ngx_realtime_remote_subscribe_flush(ngx_realtime_remote_t *remote)
{
    ngx_uint_t i;

    if (remote->adding_count == 0) {
        return;
    }

    if (ngx_realtime_redis_command(remote->subscriber, remote->adding_count + 1, remote->adding)
        != NGX_OK)
    {
        ngx_realtime_redis_reset(remote->subscriber); /* everything is subscribed anew */
    }

    for (i = 1; i <= remote->adding_count; i++) {
        ngx_free(remote->adding[i].data);
    }

    remote->adding_count = 0;
}


void
ngx_realtime_remote_renew(ngx_realtime_remote_t *remote)
{
    u_char                         hex[16];
    ngx_int_t                      rc;
    ngx_str_t                      id;
    ngx_rbtree_node_t             *node;
    ngx_realtime_remote_channel_t *ch;

    remote->number = 0;
    remote->seen = 0;

    id.data = hex;
    id.len = ngx_sprintf(hex, "%016xL", (int64_t) remote->bus.self) - hex;

    rc = ngx_realtime_remote_add(remote, "all", NULL);

    if (rc == NGX_OK) {
        rc = ngx_realtime_remote_add(remote, "w:", &id);
    }

    if (remote->channels.root != remote->channels.sentinel) {

        for (node = ngx_rbtree_min(remote->channels.root, remote->channels.sentinel);
             node != NULL && rc == NGX_OK; node = ngx_rbtree_next(&remote->channels, node))
        {
            ch = (ngx_realtime_remote_channel_t *) node;

            rc = ngx_realtime_remote_add(remote, "c:", &ch->sn.str);
            ch->number = remote->number;
        }
    }

    if (rc != NGX_OK) {
        ngx_realtime_redis_reset(remote->subscriber);
    }

    remote->renewed = remote->number;
}


void
ngx_realtime_remote_confirmed(ngx_realtime_remote_t *remote)
{
    ngx_queue_t                *q;
    ngx_realtime_remote_wait_t *wait;

    remote->seen++;

    while (!ngx_queue_empty(&remote->waits)) {
        q = ngx_queue_head(&remote->waits);
        wait = ngx_queue_data(q, ngx_realtime_remote_wait_t, queue);

        if (wait->number > remote->seen) {
            break;
        }

        ngx_queue_remove(q);
        ngx_realtime_remote_wait_finish(remote, wait);
    }

    if (remote->renewed != 0 && remote->renewed <= remote->seen) {
        /* whatever was said while nobody here listened is in the store */
        remote->renewed = 0;
        remote->gap = 1;
        ngx_realtime_remote_beat(remote, 1);
        ngx_realtime_remote_post(remote);
    }
}


void
ngx_realtime_remote_waits_let_go(ngx_realtime_remote_t *remote)
{
    ngx_uint_t   i;
    ngx_queue_t *q;

    while (!ngx_queue_empty(&remote->waits)) {
        q = ngx_queue_head(&remote->waits);
        ngx_queue_remove(q);
        ngx_realtime_remote_wait_finish(remote,
            ngx_queue_data(q, ngx_realtime_remote_wait_t, queue));
    }

    for (i = 1; i <= remote->adding_count; i++) {
        ngx_free(remote->adding[i].data);
    }

    remote->adding_count = 0;
    remote->renewed = UINT64_MAX; /* until it is up again and all is confirmed */
}


static void
ngx_realtime_remote_wait_finish(ngx_realtime_remote_t *remote, ngx_realtime_remote_wait_t *wait)
{
    ngx_queue_insert_tail(&remote->finished, &wait->queue);
    wait->finished = 1;

    ngx_realtime_remote_post(remote);
}


void
ngx_realtime_remote_channels_free(ngx_realtime_remote_t *remote)
{
    ngx_uint_t         i;
    ngx_rbtree_node_t *node;

    while (remote->channels.root != remote->channels.sentinel) {
        node = ngx_rbtree_min(remote->channels.root, remote->channels.sentinel);
        ngx_rbtree_delete(&remote->channels, node);
        ngx_free(node);
    }

    for (i = 1; i <= remote->adding_count; i++) {
        ngx_free(remote->adding[i].data);
    }

    ngx_free(remote->adding);
}
