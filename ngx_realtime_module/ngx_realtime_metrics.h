/* What is counted for operators. Each worker writes its own block in shared memory, without locks;
 * whoever is asked adds up those of this host's workers. What a worker counted outlives it.
 * Event loop only. */

#ifndef NGX_REALTIME_METRICS_H
#define NGX_REALTIME_METRICS_H

#include "ngx_realtime.h"

/* Why a room is read from the store (ngx_realtime_heal.h). */
typedef enum {
    NGX_REALTIME_HEAL_HOLE = 0, /* a number did not come */
    NGX_REALTIME_HEAL_GAP,      /* the bus has lost something */
    NGX_REALTIME_HEAL_JOIN,     /* a member joined behind the others */
    NGX_REALTIME_HEAL_DOUBT,    /* the store did not say whether it has a message */
    NGX_REALTIME_HEAL_REASONS
} ngx_realtime_heal_reason_e;


#define NGX_REALTIME_METRICS_EVENTS  16 /* of clients; the last one stands for unknown ones */
#define NGX_REALTIME_METRICS_RESULTS 9
#define NGX_REALTIME_METRICS_BUCKETS 13 /* and one for what is longer */

typedef enum {
    NGX_REALTIME_TRANSPORT_NONE = 0,
    NGX_REALTIME_TRANSPORT_WEBSOCKET,
    NGX_REALTIME_TRANSPORT_POLLING,
    NGX_REALTIME_TRANSPORT_PLAIN,
    NGX_REALTIME_TRANSPORTS
} ngx_realtime_transport_e;

/* Of durations. */
typedef struct {
    uint64_t count[NGX_REALTIME_METRICS_BUCKETS + 1]; /* of each bucket alone */
    uint64_t sum_us;
} ngx_realtime_histogram_t;

/* All members are 64-bit counters, so that blocks can be added up. */
typedef struct {
    /* only grow */
    uint64_t                 opened[NGX_REALTIME_TRANSPORTS];
    uint64_t                 events[NGX_REALTIME_METRICS_EVENTS][NGX_REALTIME_METRICS_RESULTS];
    uint64_t                 requests[6]; /* REST, by the status's first digit */
    uint64_t                 deliveries;  /* events queued for clients */
    uint64_t                 slow_clients;
    uint64_t                 busy; /* calls refused: too many waited */
    uint64_t                 published;
    uint64_t                 received; /* from other workers */
    uint64_t                 gaps;     /* times that the bus lost something */
    uint64_t                 redis_connects;
    uint64_t                 heal_reads[NGX_REALTIME_HEAL_REASONS]; /* rooms read from the store */
    uint64_t                 healed;                                /* messages */
    uint64_t                 moves;             /* sessions that came from another worker */
    uint64_t                 relays;            /* polling requests carried to another worker */
    uint64_t                 adapter_published; /* for Node servers, answers counted */
    uint64_t                 adapter_received;  /* of theirs, for rooms with clients here */
    uint64_t                 adapter_requests;
    uint64_t                 adapter_refused; /* not understood */
    uint64_t                 stream_stored;   /* events of the stream */
    uint64_t                 stream_repeated;
    uint64_t                 stream_refused;
    uint64_t                 stream_again;
    uint64_t                 webhooks_dropped;
    ngx_realtime_histogram_t store_read;
    ngx_realtime_histogram_t store_write;   /* of a group */
    uint64_t                 store_written; /* calls in those groups */
    ngx_realtime_histogram_t redis;
} ngx_realtime_counts_t;

/* As they are now; nothing when the worker is gone. */
typedef struct {
    uint64_t connections[NGX_REALTIME_TRANSPORTS];
    uint64_t connected; /* that got "connected" */
    uint64_t tasks;     /* calls that are out or wait */
    uint64_t doubts;
    uint64_t redis_queued; /* bytes */
    uint64_t store_up;
    uint64_t bus_up;
    uint64_t adapter_up;
} ngx_realtime_gauges_t;

typedef struct {
    ngx_realtime_counts_t counts;
    ngx_realtime_gauges_t gauges;
} ngx_realtime_metrics_t;

/* This worker's; never NULL after init. */
extern ngx_realtime_metrics_t *ngx_realtime_metrics;

/* Declares the zone (postconfiguration). */
ngx_int_t ngx_realtime_metrics_configure(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf);

/* After the limits, whose slot it shares. */
void ngx_realtime_metrics_init(ngx_realtime_worker_t *worker);
void ngx_realtime_metrics_exit(void);

/* CLOCK_MONOTONIC in microseconds; from any thread. */
uint64_t ngx_realtime_metrics_now_us(void);

void ngx_realtime_metrics_observe(ngx_realtime_histogram_t *histogram, uint64_t duration_us);

/* The host's: counts of all workers there ever were, gauges of those that run. How many run. */
ngx_uint_t ngx_realtime_metrics_sum(ngx_realtime_metrics_t *sum);

/* Upper ends of the buckets, in microseconds. */
extern const uint64_t ngx_realtime_metrics_buckets_us[NGX_REALTIME_METRICS_BUCKETS];

/* Whether the store and the bus answer; brings this worker's gauges up to date, too. */
ngx_uint_t ngx_realtime_metrics_store_up(void);
ngx_uint_t ngx_realtime_metrics_bus_up(void);

/* The content handlers of realtime_metrics and realtime_health. */
ngx_int_t ngx_realtime_metrics_handler(ngx_http_request_t *r);
ngx_int_t ngx_realtime_health_handler(ngx_http_request_t *r);

#endif
