/* The pool of clients, its owner, and the breaker.
 *
 * libmongoc's pool watches the servers by threads of its own, which start with the first client and
 * inherit the signal mask of who asks for it. So a thread of the store, which takes no signals,
 * makes the pool and pops first. It then makes the indexes, again and again until they are there,
 * and stays for the end, since ending a pool can take seconds when a server hangs.
 *
 *     open ─▶ owner: pool ─▶ first client ─▶ indexes ─▶ sweeps ─▶ ends the pool
 *                               │ heartbeats tell
 *                               ▼
 *                  state: unknown ─▶ up ◀─▶ down      sessions begin only while it is up
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rt/rt_text.h>

#include "base/rt_thread.h"
#include "store/rt_store_mongo.h"


/* For so long after the store was opened calls wait for the first heartbeat and the indexes. */
#define RT_MONGO_START_MS 3000

/* The owner tries again after this, twice as long each time, up to the second one. */
#define RT_MONGO_AGAIN_MS     100
#define RT_MONGO_AGAIN_MAX_MS 5000

/* How often the owner looks for what the original system has written beside us. */
#define RT_MONGO_SWEEP_MS 5000

/* The end waits for the owner; a server that hangs would make it several seconds. */
#define RT_MONGO_END_MS 1500


static int64_t
rt_mongo_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}


/* Under the lock: waits for `changed`, at most until the time; 0: it is over. */
static int
rt_mongo_wait(rt_mongo_store_t *store, int64_t until_ms)
{
    struct timespec until;

    if (rt_mongo_clock_ms() >= until_ms) {
        return 0;
    }

    until.tv_sec = until_ms / 1000;
    until.tv_nsec = until_ms % 1000 * 1000000;
    pthread_cond_timedwait(&store->changed, &store->lock, &until);

    return 1;
}


/* Under the lock: what is news is told. */
static void
rt_mongo_set_state(rt_mongo_store_t *store, rt_mongo_state_t state)
{
    rt_mongo_state_t before;

    before = (rt_mongo_state_t) atomic_exchange(&store->state, (int) state);

    if (before == state || store->stop) {
        return;
    }

    if (state == RT_MONGO_DOWN) {
        rt_log(&store->log, RT_LOG_ERROR,
            "mongodb: no primary answers%s%s; calls are refused until one does",
            store->reason[0] ? ": " : "", store->reason);
    } else {
        rt_log(&store->log, RT_LOG_NOTICE, "mongodb: %s",
            before == RT_MONGO_DOWN ? "a primary answers again" : "connected");
    }

    pthread_cond_broadcast(&store->changed);
}


/* libmongoc's threads, and any that uses a client */
static void
rt_mongo_on_topology(const mongoc_apm_topology_changed_t *event)
{
    rt_mongo_state_t                     state;
    rt_mongo_store_t                    *store;
    const mongoc_topology_description_t *topology;

    store = mongoc_apm_topology_changed_get_context(event);
    topology = mongoc_apm_topology_changed_get_new_description(event);
    /* before version 1.24 the argument was not const */
    state =
        mongoc_topology_description_has_writable_server((mongoc_topology_description_t *) topology)
        ? RT_MONGO_UP
        : RT_MONGO_DOWN;

    pthread_mutex_lock(&store->lock);

    /* one of several servers that answers first says nothing of the others */
    if (state == RT_MONGO_UP || atomic_load(&store->state) != RT_MONGO_UNKNOWN) {
        rt_mongo_set_state(store, state);
    }

    pthread_mutex_unlock(&store->lock);
}


/* libmongoc's threads */
static void
rt_mongo_on_heartbeat_failed(const mongoc_apm_server_heartbeat_failed_t *event)
{
    bson_error_t      error;
    rt_mongo_store_t *store;

    store = mongoc_apm_server_heartbeat_failed_get_context(event);
    mongoc_apm_server_heartbeat_failed_get_error(event, &error);

    pthread_mutex_lock(&store->lock);
    rt_log_escape(store->reason, sizeof(store->reason), rt_str_c(error.message));
    pthread_mutex_unlock(&store->lock);
}


/* Names of hosts are resolved in here where the URI says so: it may take its time, and fail. */
static mongoc_client_pool_t *
rt_mongo_make_pool(rt_mongo_store_t *store)
{
    bson_error_t            error;
    mongoc_client_pool_t   *pool;
    mongoc_apm_callbacks_t *callbacks;

    pool = mongoc_client_pool_new_with_error(store->uri, &error);

    if (pool == NULL) {
        if (atomic_exchange(&store->trouble, (int) error.code) != (int) error.code) {
            rt_log(&store->log, RT_LOG_ERROR, "mongodb: no clients can be made (%u.%u)",
                error.domain, error.code);
        }

        return NULL;
    }

    callbacks = mongoc_apm_callbacks_new();
    mongoc_apm_set_topology_changed_cb(callbacks, rt_mongo_on_topology);
    mongoc_apm_set_server_heartbeat_failed_cb(callbacks, rt_mongo_on_heartbeat_failed);
    mongoc_client_pool_set_apm_callbacks(pool, callbacks, store);
    mongoc_client_pool_set_error_api(pool, MONGOC_ERROR_API_VERSION_2);
    mongoc_apm_callbacks_destroy(callbacks);

    return pool;
}


/* Sleeps, longer each time; 0: to stop. */
static int
rt_mongo_pause(rt_mongo_store_t *store, int64_t *pause_ms)
{
    int     go;
    int64_t until_ms;

    until_ms = rt_mongo_clock_ms() + *pause_ms;
    *pause_ms = *pause_ms * 2 < RT_MONGO_AGAIN_MAX_MS ? *pause_ms * 2 : RT_MONGO_AGAIN_MAX_MS;

    pthread_mutex_lock(&store->lock);

    while (!store->stop && rt_mongo_wait(store, until_ms)) { /* void */
    }

    go = !store->stop;
    pthread_mutex_unlock(&store->lock);

    return go;
}


/* Until the indexes are there. 1: all of them, also those that nothing depends on. */
static int
rt_mongo_own_indexes(rt_mongo_store_t *store, mongoc_client_pool_t *pool)
{
    int64_t          pause_ms;
    unsigned         said;
    rt_status_t      status;
    mongoc_client_t *client;

    said = 0;
    pause_ms = RT_MONGO_AGAIN_MS;

    do {
        client = mongoc_client_pool_pop(pool);
        status = rt_mongo_index(store, client, &said);
        mongoc_client_pool_push(pool, client);

        pthread_mutex_lock(&store->lock);

        if (status == RT_OK) {
            atomic_store(&store->indexed, 1);
            pthread_cond_broadcast(&store->changed);

        } else if (atomic_load(&store->state) == RT_MONGO_UNKNOWN) {
            rt_mongo_set_state(store, RT_MONGO_DOWN);
        }

        pthread_mutex_unlock(&store->lock);
    } while (status != RT_OK && rt_mongo_pause(store, &pause_ms));

    return status == RT_OK && said == 0;
}


/* Until the end. A sweep without its index would read all messages. */
static void
rt_mongo_own_sweeps(rt_mongo_store_t *store, int may_sweep)
{
    int64_t pause_ms;

    pause_ms = RT_MONGO_SWEEP_MS;

    while (rt_mongo_pause(store, &pause_ms)) {
        pause_ms = RT_MONGO_SWEEP_MS;

        if (may_sweep && atomic_load(&store->state) == RT_MONGO_UP) {
            rt_mongo_sweep(store);
        }
    }
}


/* the store's own thread */
static void *
rt_mongo_own(void *data)
{
    int                   orphaned;
    int64_t               pause_ms;
    rt_mongo_store_t     *store = data;
    mongoc_client_pool_t *pool;

    pause_ms = RT_MONGO_AGAIN_MS;

    while ((pool = rt_mongo_make_pool(store)) == NULL && rt_mongo_pause(store, &pause_ms)) {
        /* void */
    }

    if (pool != NULL) {
        /* the first client starts libmongoc's threads, with this thread's signal mask */
        mongoc_client_pool_push(pool, mongoc_client_pool_pop(pool));

        pthread_mutex_lock(&store->lock);
        store->pool = pool;
        pthread_cond_broadcast(&store->changed);
        pthread_mutex_unlock(&store->lock);

        rt_mongo_own_sweeps(store, rt_mongo_own_indexes(store, pool));
        mongoc_client_pool_destroy(pool);
    }

    pthread_mutex_lock(&store->lock);
    store->ended = 1;
    orphaned = store->orphaned;
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);

    if (orphaned) {
        rt_mongo_free(store);
    }

    return NULL;
}


rt_status_t
rt_mongo_pool_start(rt_mongo_store_t *store)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&store->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&store->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    store->opened_ms = rt_mongo_clock_ms();

    return rt_thread_start(&store->owner, rt_mongo_own, store) == 0 ? RT_OK : RT_ERROR;
}


void
rt_mongo_pool_stop(rt_mongo_store_t *store)
{
    int     ended;
    int64_t until_ms;

    until_ms = rt_mongo_clock_ms() + RT_MONGO_END_MS;

    pthread_mutex_lock(&store->lock);
    store->stop = 1;
    pthread_cond_broadcast(&store->changed);

    while (!store->ended && rt_mongo_wait(store, until_ms)) { /* void */
    }

    ended = store->ended;

    if (!ended) {
        store->orphaned = 1;
        store->log.write = NULL; /* whose log it is may be gone sooner */
        pthread_detach(store->owner);
    }

    pthread_mutex_unlock(&store->lock);

    if (ended) {
        pthread_join(store->owner, NULL);
        rt_mongo_free(store);
    }
}


/* Under the lock. */
static int
rt_mongo_is_ready(rt_mongo_store_t *store, int for_writing)
{
    return store->pool != NULL && atomic_load(&store->state) == RT_MONGO_UP
        && (!for_writing || atomic_load(&store->indexed));
}


mongoc_client_t *
rt_mongo_pool_pop(rt_mongo_store_t *store, int for_writing)
{
    int                   ready;
    mongoc_client_pool_t *pool;

    pthread_mutex_lock(&store->lock);

    while (!(ready = rt_mongo_is_ready(store, for_writing))
        && atomic_load(&store->state) != RT_MONGO_DOWN
        && rt_mongo_wait(store, store->opened_ms + RT_MONGO_START_MS))
    {
        /* void */
    }

    pool = store->pool;
    pthread_mutex_unlock(&store->lock);

    return ready ? mongoc_client_pool_try_pop(pool) : NULL;
}
