/* What the module's files share: the configuration and the worker's state. */

#ifndef NGX_REALTIME_H
#define NGX_REALTIME_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include <rt/rt_base.h>
#include <rt/rt_call.h>
#include <rt/rt_token.h>

#include "ngx_realtime_bus.h"


/* realtime_echo: which diagnostics a location answers with, or none */
typedef enum {
    NGX_REALTIME_ECHO_NONE = 0,
    NGX_REALTIME_ECHO_ENGINE,
    NGX_REALTIME_ECHO_SOCKET,
    NGX_REALTIME_ECHO_WEBSOCKET
} ngx_realtime_echo_e;

/* realtime_stats, realtime_metrics, realtime_health */
typedef enum {
    NGX_REALTIME_REPORT_NONE = 0,
    NGX_REALTIME_REPORT_STATS,
    NGX_REALTIME_REPORT_METRICS,
    NGX_REALTIME_REPORT_HEALTH
} ngx_realtime_report_e;

#define NGX_REALTIME_STREAM_NAME     "realtime:events"
#define NGX_REALTIME_STREAM_NAME_MAX 256

/* http{}: one per nginx */
typedef struct {
    ngx_str_t                         store;         /* "sqlite:PATH" or "mongodb://…" */
    struct ngx_realtime_redis_conf_s *redis;         /* NULL: one host, without Redis */
    ngx_str_t                         events_stream; /* empty: none */
    ngx_str_t                         bus_dir;
    ngx_flag_t                        webhooks;         /* 0: neither queued nor sent */
    ngx_flag_t                        webhooks_private; /* 1: private addresses may be called */
    ngx_str_t                         webhooks_ca;      /* file of certificates, or empty */
    ngx_flag_t                        assistant;        /* 0: customers are answered by people */
    ngx_str_t                         timezone;         /* where no location says it; empty: UTC */
    ngx_uint_t                        threads;
    time_t                            retention; /* of notifications, seconds; 0: for ever */
    ngx_thread_pool_t                *thread_pool;
    ngx_shm_zone_t *zone;         /* connections over all workers, see ngx_realtime_limits.c */
    ngx_shm_zone_t *metrics_zone; /* see ngx_realtime_metrics.c */
    ngx_uint_t      used;         /* some location has realtime or realtime_api on */
    ngx_array_t     namespaces;   /* of ngx_str_t: of the locations with realtime on */
    u_char          sid_key[32];  /* authenticates session ids between workers of a cluster */
    unsigned        sid_key_set:1;
    unsigned        redis_set:1; /* the directive was given */
    unsigned        stream_set:1;
} ngx_realtime_main_conf_t;

/* Inherited by server{} and location{} where the directive allows it. */
typedef struct {
    ngx_flag_t enable; /* realtime */
    ngx_flag_t api;    /* realtime_api */
    ngx_uint_t echo;   /* ngx_realtime_echo_e */
    ngx_uint_t report; /* ngx_realtime_report_e */
    ngx_str_t  jwt_secret;
    ngx_str_t  jwt_key_file;
    rt_key_t  *key; /* made of the two above; NULL without either */
    ngx_msec_t jwt_leeway;
    ngx_flag_t guest;
    ngx_str_t namespace;       /* "/realtime" */
    ngx_array_t *allow_origin; /* of ngx_str_t: origins, with one * at most */
    ngx_msec_t   ping_interval;
    ngx_msec_t   ping_timeout;
    ngx_msec_t   connect_timeout;
    ngx_msec_t   upgrade_timeout;
    size_t       max_payload;
    ngx_flag_t   deflate;
    size_t       send_buffer;
    ngx_uint_t   rate; /* events per 1000 s, 0: off */
    ngx_uint_t   rate_burst;
    ngx_uint_t   max_connections;
    ngx_uint_t   max_connections_per_user;
    ngx_str_t    timezone; /* of after-hours conditions that name none */
} ngx_realtime_loc_conf_t;

/* One worker process. Made in init_process; NULL in helpers and where nothing of ours is used. */
typedef struct {
    ngx_cycle_t              *cycle;
    ngx_log_t                *log;
    ngx_realtime_main_conf_t *conf;
    ngx_realtime_worker_id_t  id;
    uint64_t                  host; /* this bus directory on this running system */
    ngx_realtime_bus_t       *bus;
    rt_core_t                *core;
    rt_token_cache_t         *tokens;    /* of REST requests */
    ngx_uint_t                tasks;     /* calls out in the thread pool or waiting for it */
    unsigned                  exiting:1; /* told to quit: clients are being closed */
} ngx_realtime_worker_t;

extern ngx_module_t           ngx_http_realtime_module;
extern ngx_realtime_worker_t *ngx_realtime_worker;

/* The data of timers that need none: nginx's debug lines read a connection's descriptor there. */
extern ngx_connection_t ngx_realtime_no_connection;

/* The one table from rt_status_t to HTTP (ngx_realtime_http.c). */
ngx_uint_t ngx_realtime_http_status(rt_status_t status);

static inline rt_str_t
ngx_realtime_str(ngx_str_t s)
{
    return (rt_str_t){(const char *) s.data, s.len};
}

static inline ngx_str_t
ngx_realtime_ngx_str(rt_str_t s)
{
    return (ngx_str_t){s.len, (u_char *) s.data};
}

#endif
