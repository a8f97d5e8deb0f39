/* Counters in shared memory: a block for each slot of ngx_realtime_limits.c, and one for what
 * workers counted that are gone. */

#include "ngx_realtime_metrics.h"
#include "ngx_realtime_limits_table.h"

#include <rt/rt_call.h>


typedef struct {
    ngx_realtime_counts_t  retired;
    ngx_realtime_metrics_t slots[NGX_REALTIME_LIMITS_SLOTS];
} ngx_realtime_metrics_table_t;

static ngx_int_t ngx_realtime_metrics_init_zone(ngx_shm_zone_t *zone, void *data);
static void      ngx_realtime_metrics_add(uint64_t *to, const uint64_t *from, size_t n);
static void      ngx_realtime_metrics_handler_ms(ngx_event_t *ev);

ngx_realtime_metrics_t *ngx_realtime_metrics;

const uint64_t ngx_realtime_metrics_buckets_us[NGX_REALTIME_METRICS_BUCKETS] = {500, 1000, 2500,
    5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000};

static ngx_realtime_metrics_table_t *ngx_realtime_metrics_table;
static ngx_realtime_metrics_t        ngx_realtime_metrics_own; /* where there is no slot */
static ngx_event_t                   ngx_realtime_metrics_timer;

#define NGX_REALTIME_METRICS_GAUGES_MS 1000


ngx_int_t
ngx_realtime_metrics_configure(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf)
{
    size_t          size;
    ngx_str_t       name;
    ngx_shm_zone_t *zone;

    ngx_str_set(&name, "realtime_metrics");

    size = ngx_align(sizeof(ngx_realtime_metrics_table_t) + 64 * 1024, ngx_pagesize)
        + 8 * ngx_pagesize;

    zone = ngx_shared_memory_add(cf, &name, size, &ngx_http_realtime_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_realtime_metrics_init_zone;
    mcf->metrics_zone = zone;

    return NGX_OK;
}


/* A new zone is all zeros. */
static ngx_int_t
ngx_realtime_metrics_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t *pool;

    if (data != NULL) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (!zone->shm.exists) {
        pool->data = ngx_slab_calloc(pool, sizeof(ngx_realtime_metrics_table_t));

        if (pool->data == NULL) {
            ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "no memory in zone \"%V\"",
                &zone->shm.name);
            return NGX_ERROR;
        }
    }

    zone->data = pool->data;

    return NGX_OK;
}


void
ngx_realtime_metrics_init(ngx_realtime_worker_t *worker)
{
    ngx_realtime_metrics_t *slot;

    ngx_realtime_metrics_table = worker->conf->metrics_zone->data;
    ngx_realtime_metrics = &ngx_realtime_metrics_own;
    ngx_memzero(&ngx_realtime_metrics_own, sizeof(ngx_realtime_metrics_t));

    if (ngx_realtime_limits.slot != NULL) {
        slot = &ngx_realtime_metrics_table->slots[ngx_realtime_limits.index];

        /* what its last owner counted is kept, what it had is gone with it */

        ngx_realtime_metrics_add((uint64_t *) &ngx_realtime_metrics_table->retired,
            (uint64_t *) &slot->counts, sizeof(ngx_realtime_counts_t) / sizeof(uint64_t));
        ngx_memzero(slot, sizeof(ngx_realtime_metrics_t));

        ngx_realtime_metrics = slot;
    }

    ngx_memzero(&ngx_realtime_metrics_timer, sizeof(ngx_event_t));
    ngx_realtime_metrics_timer.handler = ngx_realtime_metrics_handler_ms;
    ngx_realtime_metrics_timer.data = &ngx_realtime_no_connection;
    ngx_realtime_metrics_timer.log = worker->log;
    ngx_realtime_metrics_timer.cancelable = 1;

    ngx_add_timer(&ngx_realtime_metrics_timer, NGX_REALTIME_METRICS_GAUGES_MS);
}


void
ngx_realtime_metrics_exit(void)
{
    if (ngx_realtime_metrics != NULL) {
        ngx_memzero(&ngx_realtime_metrics->gauges, sizeof(ngx_realtime_gauges_t));
    }
}


/* Workers that start at the same time add to one block. */
static void
ngx_realtime_metrics_add(uint64_t *to, const uint64_t *from, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        (void) __atomic_add_fetch(&to[i], __atomic_load_n(&from[i], __ATOMIC_RELAXED),
            __ATOMIC_RELAXED);
    }
}


uint64_t
ngx_realtime_metrics_now_us(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);

    return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}


void
ngx_realtime_metrics_observe(ngx_realtime_histogram_t *histogram, uint64_t duration_us)
{
    ngx_uint_t i;

    for (i = 0; i < NGX_REALTIME_METRICS_BUCKETS; i++) {
        if (duration_us <= ngx_realtime_metrics_buckets_us[i]) {
            break;
        }
    }

    histogram->count[i]++;
    histogram->sum_us += duration_us;
}


ngx_uint_t
ngx_realtime_metrics_store_up(void)
{
    ngx_uint_t             up;
    ngx_realtime_worker_t *worker = ngx_realtime_worker;

    up = worker->core != NULL && rt_core_store_up(worker->core);
    ngx_realtime_metrics->gauges.store_up = up;

    if (worker->core != NULL) {
        ngx_realtime_metrics->counts.webhooks_dropped = rt_core_webhooks_dropped(worker->core);
    }

    return up;
}


ngx_uint_t
ngx_realtime_metrics_bus_up(void)
{
    ngx_uint_t          up;
    ngx_realtime_bus_t *bus;

    bus = ngx_realtime_worker->bus;
    up = bus->methods->up(bus);
    ngx_realtime_metrics->gauges.bus_up = up;

    bus->methods->numbers(bus, &ngx_realtime_metrics->counts.redis_connects,
        &ngx_realtime_metrics->gauges.redis_queued);

    return up;
}


/* What others read of us need not be newer. */
static void
ngx_realtime_metrics_handler_ms(ngx_event_t *ev)
{
    (void) ngx_realtime_metrics_store_up();
    (void) ngx_realtime_metrics_bus_up();

    ngx_add_timer(ev, NGX_REALTIME_METRICS_GAUGES_MS);
}


ngx_uint_t
ngx_realtime_metrics_sum(ngx_realtime_metrics_t *sum)
{
    ngx_uint_t              i, top, running;
    ngx_realtime_metrics_t *slot;

    (void) ngx_realtime_metrics_store_up();
    (void) ngx_realtime_metrics_bus_up();

    running = 0;
    ngx_memzero(sum, sizeof(ngx_realtime_metrics_t));

    ngx_realtime_metrics_add((uint64_t *) &sum->counts,
        (uint64_t *) &ngx_realtime_metrics_table->retired,
        sizeof(ngx_realtime_counts_t) / sizeof(uint64_t));

    (void) ngx_realtime_limits_look_again(NGX_REALTIME_LIMITS_FRESH_MS);
    top = (ngx_uint_t) ngx_realtime_limits_load(&ngx_realtime_limits.table->top);

    for (i = 0; i < top; i++) {
        slot = &ngx_realtime_metrics_table->slots[i];

        ngx_realtime_metrics_add((uint64_t *) &sum->counts, (uint64_t *) &slot->counts,
            sizeof(ngx_realtime_counts_t) / sizeof(uint64_t));

        if (ngx_realtime_limits_alive(i)) {
            running++;
            ngx_realtime_metrics_add((uint64_t *) &sum->gauges, (uint64_t *) &slot->gauges,
                sizeof(ngx_realtime_gauges_t) / sizeof(uint64_t));
        }
    }

    return running;
}
