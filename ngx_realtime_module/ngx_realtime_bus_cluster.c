/* The bus of a cluster: the local bus between the workers of one host, and Redis between hosts,
 * behind one face. When Redis is away the host goes on alone. */

#include "ngx_realtime_bus.h"
#include "ngx_realtime_redis.h"


#define NGX_REALTIME_CLUSTER_PARTS 2
#define NGX_REALTIME_CLUSTER_LOCAL 0
#define NGX_REALTIME_CLUSTER_REDIS 1

typedef struct ngx_realtime_cluster_wait_s ngx_realtime_cluster_wait_t;

/* What one of the two has to finish; its callbacks get this. */
typedef struct {
    ngx_realtime_cluster_wait_t *wait;
    ngx_realtime_bus_wait_t     *handle; /* NULL: finished */
} ngx_realtime_cluster_part_t;

/* What both have to finish before the asker hears of it. */
struct ngx_realtime_cluster_wait_s {
    ngx_queue_t                    queue;
    ngx_realtime_cluster_part_t    parts[NGX_REALTIME_CLUSTER_PARTS];
    ngx_uint_t                     left;
    ngx_uint_t                     late;
    ngx_realtime_bus_subscribed_pt subscribed; /* NULL: a request */
    ngx_realtime_bus_answer_pt     answer;
    void                          *data;
};

typedef struct {
    ngx_realtime_bus_t  bus; /* first */
    ngx_realtime_bus_t *parts[NGX_REALTIME_CLUSTER_PARTS];
    ngx_queue_t         waits;
} ngx_realtime_cluster_t;

static ngx_int_t ngx_realtime_cluster_subscribe(ngx_realtime_bus_t *bus, ngx_str_t *channel,
    ngx_realtime_bus_subscribed_pt done, void *data, ngx_realtime_bus_wait_t **wait);
static void      ngx_realtime_cluster_unsubscribe(ngx_realtime_bus_t *bus, ngx_str_t *channel);
static ngx_int_t ngx_realtime_cluster_publish(ngx_realtime_bus_t *bus, ngx_str_t *channel,
    ngx_str_t *payload);
static ngx_int_t ngx_realtime_cluster_send(ngx_realtime_bus_t *bus, ngx_realtime_worker_id_t to,
    ngx_str_t *payload);
static ngx_int_t ngx_realtime_cluster_request(ngx_realtime_bus_t *bus, ngx_str_t *channel,
    ngx_str_t *payload, ngx_msec_t timeout, ngx_realtime_bus_answer_pt done, void *data,
    ngx_realtime_bus_wait_t **wait);
static void ngx_realtime_cluster_cancel(ngx_realtime_bus_t *bus, ngx_realtime_bus_wait_t *wait);
static ngx_uint_t ngx_realtime_cluster_peers(ngx_realtime_bus_t *bus);
static ngx_uint_t ngx_realtime_cluster_up(ngx_realtime_bus_t *bus);
static void       ngx_realtime_cluster_numbers(ngx_realtime_bus_t *bus, uint64_t *connects,
          uint64_t *queued);
static void       ngx_realtime_cluster_close(ngx_realtime_bus_t *bus);

static ngx_realtime_cluster_wait_t *ngx_realtime_cluster_wait(ngx_realtime_cluster_t *cluster,
    void                                                                             *data);
static void ngx_realtime_cluster_wait_free(ngx_realtime_cluster_wait_t *wait);
static void ngx_realtime_cluster_on_subscribed(void *data);
static void ngx_realtime_cluster_on_answer(void *data, ngx_str_t *answer, ngx_uint_t late);
static void ngx_realtime_cluster_on_publish(void *data, ngx_str_t *channel, ngx_str_t *payload);
static void ngx_realtime_cluster_on_message(void *data, ngx_realtime_worker_id_t from,
    ngx_str_t *payload);
static void ngx_realtime_cluster_on_request(void *data, ngx_realtime_worker_id_t from,
    ngx_str_t *channel, ngx_str_t *payload, ngx_str_t *answer, size_t answer_size);
static void ngx_realtime_cluster_on_worker_lost(void *data, ngx_realtime_worker_id_t worker);
static void ngx_realtime_cluster_on_worker_met(void *data, ngx_realtime_worker_id_t worker);
static void ngx_realtime_cluster_on_latency(void *data, uint64_t us);
static void ngx_realtime_cluster_on_gap(void *data);


static const ngx_realtime_bus_methods_t ngx_realtime_cluster_methods = {
    ngx_realtime_cluster_subscribe,
    ngx_realtime_cluster_unsubscribe,
    ngx_realtime_cluster_publish,
    ngx_realtime_cluster_send,
    ngx_realtime_cluster_request,
    ngx_realtime_cluster_cancel,
    ngx_realtime_cluster_peers,
    ngx_realtime_cluster_up,
    ngx_realtime_cluster_numbers,
    ngx_realtime_cluster_close,
};


ngx_realtime_bus_t *
ngx_realtime_bus_cluster_create(ngx_cycle_t *cycle, ngx_str_t *dir,
    const ngx_realtime_redis_conf_t *conf, uint64_t host, ngx_realtime_worker_id_t self,
    size_t queue_max, const ngx_realtime_bus_handlers_t *handlers)
{
    ngx_realtime_cluster_t     *cluster;
    ngx_realtime_bus_handlers_t local;

    cluster = ngx_calloc(sizeof(ngx_realtime_cluster_t), cycle->log);
    if (cluster == NULL) {
        return NULL;
    }

    cluster->bus.methods = &ngx_realtime_cluster_methods;
    cluster->bus.handlers = *handlers;
    cluster->bus.self = self;
    cluster->bus.log = cycle->log;
    ngx_queue_init(&cluster->waits);

    local.on_publish = ngx_realtime_cluster_on_publish;
    local.on_message = ngx_realtime_cluster_on_message;
    local.on_request = ngx_realtime_cluster_on_request;
    local.on_worker_lost = ngx_realtime_cluster_on_worker_lost;
    local.on_worker_met = ngx_realtime_cluster_on_worker_met;
    local.on_latency = ngx_realtime_cluster_on_latency;
    local.on_gap = ngx_realtime_cluster_on_gap;
    local.data = cluster;

    cluster->parts[NGX_REALTIME_CLUSTER_REDIS] =
        ngx_realtime_bus_redis_create(cycle, conf, host, self, handlers);

    if (cluster->parts[NGX_REALTIME_CLUSTER_REDIS] == NULL) {
        ngx_free(cluster);
        return NULL;
    }

    cluster->parts[NGX_REALTIME_CLUSTER_LOCAL] =
        ngx_realtime_bus_local_create(cycle, dir, self, queue_max, &local);

    if (cluster->parts[NGX_REALTIME_CLUSTER_LOCAL] == NULL) {
        cluster->parts[NGX_REALTIME_CLUSTER_REDIS]->methods->close(
            cluster->parts[NGX_REALTIME_CLUSTER_REDIS]);
        ngx_free(cluster);
        return NULL;
    }

    return &cluster->bus;
}


static void
ngx_realtime_cluster_close(ngx_realtime_bus_t *bus)
{
    ngx_uint_t              i;
    ngx_queue_t            *q;
    ngx_realtime_cluster_t *cluster = (ngx_realtime_cluster_t *) bus;

    /* Redis first: its goodbye should come before what our neighbours say of us */

    for (i = NGX_REALTIME_CLUSTER_PARTS; i > 0; i--) {
        cluster->parts[i - 1]->methods->close(cluster->parts[i - 1]);
    }

    while (!ngx_queue_empty(&cluster->waits)) {
        q = ngx_queue_head(&cluster->waits);
        ngx_realtime_cluster_wait_free(ngx_queue_data(q, ngx_realtime_cluster_wait_t, queue));
    }

    ngx_free(cluster);
}


static ngx_realtime_cluster_wait_t *
ngx_realtime_cluster_wait(ngx_realtime_cluster_t *cluster, void *data)
{
    ngx_uint_t                   i;
    ngx_realtime_cluster_wait_t *wait;

    wait = ngx_calloc(sizeof(ngx_realtime_cluster_wait_t), cluster->bus.log);
    if (wait == NULL) {
        return NULL;
    }

    for (i = 0; i < NGX_REALTIME_CLUSTER_PARTS; i++) {
        wait->parts[i].wait = wait;
    }

    wait->data = data;
    wait->left = NGX_REALTIME_CLUSTER_PARTS;
    ngx_queue_insert_tail(&cluster->waits, &wait->queue);

    return wait;
}


static void
ngx_realtime_cluster_wait_free(ngx_realtime_cluster_wait_t *wait)
{
    ngx_queue_remove(&wait->queue);
    ngx_free(wait);
}


static void
ngx_realtime_cluster_cancel(ngx_realtime_bus_t *bus, ngx_realtime_bus_wait_t *handle)
{
    ngx_uint_t                   i;
    ngx_realtime_bus_t          *part;
    ngx_realtime_cluster_t      *cluster = (ngx_realtime_cluster_t *) bus;
    ngx_realtime_cluster_wait_t *wait = (ngx_realtime_cluster_wait_t *) handle;

    for (i = 0; i < NGX_REALTIME_CLUSTER_PARTS; i++) {
        if (wait->parts[i].handle != NULL) {
            part = cluster->parts[i];
            part->methods->cancel(part, wait->parts[i].handle);
        }
    }

    ngx_realtime_cluster_wait_free(wait);
}


static ngx_int_t
ngx_realtime_cluster_subscribe(ngx_realtime_bus_t *bus, ngx_str_t *channel,
    ngx_realtime_bus_subscribed_pt done, void *data, ngx_realtime_bus_wait_t **handle)
{
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_realtime_bus_t          *part;
    ngx_realtime_cluster_t      *cluster = (ngx_realtime_cluster_t *) bus;
    ngx_realtime_cluster_wait_t *wait;

    wait = done ? ngx_realtime_cluster_wait(cluster, data) : NULL;
    if (done != NULL && wait == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    for (i = 0; i < NGX_REALTIME_CLUSTER_PARTS; i++) {
        part = cluster->parts[i];

        if (wait != NULL) {
            wait->subscribed = done;
            rc = part->methods->subscribe(part, channel, ngx_realtime_cluster_on_subscribed,
                &wait->parts[i], &wait->parts[i].handle);
        } else {
            rc = part->methods->subscribe(part, channel, NULL, NULL, NULL);
        }

        if (rc != NGX_OK) {
            break;
        }
    }

    if (rc != NGX_OK) {
        if (wait != NULL) {
            ngx_realtime_cluster_cancel(bus, (ngx_realtime_bus_wait_t *) wait);
        }

        while (i-- > 0) {
            cluster->parts[i]->methods->unsubscribe(cluster->parts[i], channel);
        }

        return NGX_ERROR;
    }

    if (handle != NULL) {
        *handle = (ngx_realtime_bus_wait_t *) wait;
    }

    return NGX_OK;
}


static void
ngx_realtime_cluster_on_subscribed(void *data)
{
    void                          *asker;
    ngx_realtime_cluster_part_t   *part = data;
    ngx_realtime_cluster_wait_t   *wait = part->wait;
    ngx_realtime_bus_subscribed_pt subscribed;

    part->handle = NULL;

    if (--wait->left > 0) {
        return;
    }

    asker = wait->data;
    subscribed = wait->subscribed;
    ngx_realtime_cluster_wait_free(wait);

    subscribed(asker);
}


static void
ngx_realtime_cluster_unsubscribe(ngx_realtime_bus_t *bus, ngx_str_t *channel)
{
    ngx_uint_t              i;
    ngx_realtime_cluster_t *cluster = (ngx_realtime_cluster_t *) bus;

    for (i = 0; i < NGX_REALTIME_CLUSTER_PARTS; i++) {
        cluster->parts[i]->methods->unsubscribe(cluster->parts[i], channel);
    }
}


static ngx_int_t
ngx_realtime_cluster_publish(ngx_realtime_bus_t *bus, ngx_str_t *channel, ngx_str_t *payload)
{
    ngx_int_t               rc;
    ngx_uint_t              i;
    ngx_realtime_cluster_t *cluster = (ngx_realtime_cluster_t *) bus;

    rc = NGX_OK;

    for (i = 0; i < NGX_REALTIME_CLUSTER_PARTS; i++) {
        if (cluster->parts[i]->methods->publish(cluster->parts[i], channel, payload) != NGX_OK) {
            rc = NGX_ERROR;
        }
    }

    return rc;
}


/* The local bus knows who is on this host; whoever it does not know may be on another one. */
static ngx_int_t
ngx_realtime_cluster_send(ngx_realtime_bus_t *bus, ngx_realtime_worker_id_t to, ngx_str_t *payload)
{
    ngx_int_t               rc;
    ngx_realtime_bus_t     *part;
    ngx_realtime_cluster_t *cluster = (ngx_realtime_cluster_t *) bus;

    part = cluster->parts[NGX_REALTIME_CLUSTER_LOCAL];
    rc = part->methods->send(part, to, payload);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    part = cluster->parts[NGX_REALTIME_CLUSTER_REDIS];

    return part->methods->send(part, to, payload);
}


static ngx_int_t
ngx_realtime_cluster_request(ngx_realtime_bus_t *bus, ngx_str_t *channel, ngx_str_t *payload,
    ngx_msec_t timeout, ngx_realtime_bus_answer_pt done, void *data,
    ngx_realtime_bus_wait_t **handle)
{
    ngx_uint_t                   i;
    ngx_realtime_bus_t          *part;
    ngx_realtime_cluster_t      *cluster = (ngx_realtime_cluster_t *) bus;
    ngx_realtime_cluster_wait_t *wait;

    wait = ngx_realtime_cluster_wait(cluster, data);
    if (wait == NULL) {
        return NGX_ERROR;
    }

    wait->answer = done;

    for (i = 0; i < NGX_REALTIME_CLUSTER_PARTS; i++) {
        part = cluster->parts[i];

        if (part->methods->request(part, channel, payload, timeout, ngx_realtime_cluster_on_answer,
                &wait->parts[i], &wait->parts[i].handle)
            != NGX_OK)
        {
            ngx_realtime_cluster_cancel(bus, (ngx_realtime_bus_wait_t *) wait);
            return NGX_ERROR;
        }
    }

    if (handle != NULL) {
        *handle = (ngx_realtime_bus_wait_t *) wait;
    }

    return NGX_OK;
}


static void
ngx_realtime_cluster_on_answer(void *data, ngx_str_t *answer, ngx_uint_t late)
{
    void                        *asker;
    ngx_realtime_cluster_part_t *part = data;
    ngx_realtime_cluster_wait_t *wait = part->wait;
    ngx_realtime_bus_answer_pt   done;

    asker = wait->data;
    done = wait->answer;

    if (answer != NULL) {
        done(asker, answer, 0);
        return;
    }

    part->handle = NULL;
    wait->late |= late;

    if (--wait->left == 0) {
        late = wait->late;
        ngx_realtime_cluster_wait_free(wait);
        done(asker, NULL, late);
    }
}


static ngx_uint_t
ngx_realtime_cluster_peers(ngx_realtime_bus_t *bus)
{
    ngx_uint_t              i, n;
    ngx_realtime_cluster_t *cluster = (ngx_realtime_cluster_t *) bus;

    n = 1; /* whoever comes next on another host */

    for (i = 0; i < NGX_REALTIME_CLUSTER_PARTS; i++) {
        n += cluster->parts[i]->methods->peers(cluster->parts[i]);
    }

    return n;
}


static ngx_uint_t
ngx_realtime_cluster_up(ngx_realtime_bus_t *bus)
{
    ngx_realtime_bus_t     *part;
    ngx_realtime_cluster_t *cluster = (ngx_realtime_cluster_t *) bus;

    part = cluster->parts[NGX_REALTIME_CLUSTER_REDIS];

    return part->methods->up(part);
}


static void
ngx_realtime_cluster_numbers(ngx_realtime_bus_t *bus, uint64_t *connects, uint64_t *queued)
{
    ngx_realtime_bus_t     *part;
    ngx_realtime_cluster_t *cluster = (ngx_realtime_cluster_t *) bus;

    part = cluster->parts[NGX_REALTIME_CLUSTER_REDIS];
    part->methods->numbers(part, connects, queued);
}


/* What the local bus brings. */

static void
ngx_realtime_cluster_on_publish(void *data, ngx_str_t *channel, ngx_str_t *payload)
{
    ngx_realtime_cluster_t *cluster = data;

    cluster->bus.handlers.on_publish(cluster->bus.handlers.data, channel, payload);
}


static void
ngx_realtime_cluster_on_message(void *data, ngx_realtime_worker_id_t from, ngx_str_t *payload)
{
    ngx_realtime_cluster_t *cluster = data;

    cluster->bus.handlers.on_message(cluster->bus.handlers.data, from, payload);
}


static void
ngx_realtime_cluster_on_request(void *data, ngx_realtime_worker_id_t from, ngx_str_t *channel,
    ngx_str_t *payload, ngx_str_t *answer, size_t answer_size)
{
    ngx_realtime_cluster_t *cluster = data;

    cluster->bus.handlers.on_request(cluster->bus.handlers.data, from, channel, payload, answer,
        answer_size);
}


/* We know at once, the other hosts by its silence: they are told. */
static void
ngx_realtime_cluster_on_worker_lost(void *data, ngx_realtime_worker_id_t worker)
{
    ngx_realtime_cluster_t *cluster = data;

    ngx_realtime_bus_redis_tell_lost(cluster->parts[NGX_REALTIME_CLUSTER_REDIS], worker);

    cluster->bus.handlers.on_worker_lost(cluster->bus.handlers.data, worker);
}


static void
ngx_realtime_cluster_on_worker_met(void *data, ngx_realtime_worker_id_t worker)
{
    ngx_realtime_cluster_t *cluster = data;

    cluster->bus.handlers.on_worker_met(cluster->bus.handlers.data, worker);
}


static void
ngx_realtime_cluster_on_latency(void *data, uint64_t us)
{
    ngx_realtime_cluster_t *cluster = data;

    cluster->bus.handlers.on_latency(cluster->bus.handlers.data, us);
}


static void
ngx_realtime_cluster_on_gap(void *data)
{
    ngx_realtime_cluster_t *cluster = data;

    cluster->bus.handlers.on_gap(cluster->bus.handlers.data);
}
