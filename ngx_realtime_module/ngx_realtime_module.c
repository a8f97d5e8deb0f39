/* The module's face to nginx: directives, their merge, and which handler serves a location. */

#include "ngx_realtime.h"
#include "ngx_realtime_assist.h"
#include "ngx_realtime_conf.h"
#include "ngx_realtime_engine.h"
#include "ngx_realtime_limits.h"
#include "ngx_realtime_metrics.h"
#include "ngx_realtime_rest.h"
#include "ngx_realtime_stats.h"
#include "ngx_realtime_worker.h"

#include <rt/rt_json.h>

#include "rt_build_id.h"


static ngx_int_t ngx_realtime_postconfiguration(ngx_conf_t *cf);
static void     *ngx_realtime_create_main_conf(ngx_conf_t *cf);
static char     *ngx_realtime_init_main_conf(ngx_conf_t *cf, void *conf);
static void     *ngx_realtime_create_loc_conf(ngx_conf_t *cf);
static char     *ngx_realtime_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
static ngx_int_t ngx_realtime_init_module(ngx_cycle_t *cycle);


static ngx_conf_enum_t ngx_realtime_echo_modes[] = {
    {ngx_string("engine"), NGX_REALTIME_ECHO_ENGINE},
    {ngx_string("socket"), NGX_REALTIME_ECHO_SOCKET},
    {ngx_string("websocket"), NGX_REALTIME_ECHO_WEBSOCKET},
    {ngx_null_string, 0},
};

/* by ngx_realtime_report_e */
static const ngx_http_handler_pt ngx_realtime_reports[] = {NULL, ngx_realtime_stats_handler,
    ngx_realtime_metrics_handler, ngx_realtime_health_handler};

static ngx_conf_post_t ngx_realtime_positive_msec = {ngx_realtime_conf_positive_msec};
static ngx_conf_post_t ngx_realtime_positive_size = {ngx_realtime_conf_positive_size};

#define NGX_REALTIME_ANY_CONF   (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF)
#define NGX_REALTIME_LOC(field) NGX_HTTP_LOC_CONF_OFFSET, offsetof(ngx_realtime_loc_conf_t, field)
#define NGX_REALTIME_MAIN(field)                                                                   \
    NGX_HTTP_MAIN_CONF_OFFSET, offsetof(ngx_realtime_main_conf_t, field)


static ngx_command_t ngx_realtime_commands[] = {

    {ngx_string("realtime"), NGX_HTTP_LOC_CONF | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
        NGX_REALTIME_LOC(enable), NULL},

    {ngx_string("realtime_api"), NGX_HTTP_LOC_CONF | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
        NGX_REALTIME_LOC(api), NULL},

    {ngx_string("realtime_echo"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1, ngx_conf_set_enum_slot,
        NGX_REALTIME_LOC(echo), &ngx_realtime_echo_modes},

    {ngx_string("realtime_stats"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, ngx_realtime_conf_report,
        NGX_REALTIME_LOC(report), NULL},

    {ngx_string("realtime_metrics"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, ngx_realtime_conf_report,
        NGX_REALTIME_LOC(report), NULL},

    {ngx_string("realtime_health"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, ngx_realtime_conf_report,
        NGX_REALTIME_LOC(report), NULL},

    {ngx_string("realtime_store"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_realtime_conf_store,
        NGX_REALTIME_MAIN(store), NULL},

    {ngx_string("realtime_redis"), NGX_HTTP_MAIN_CONF | NGX_CONF_1MORE, ngx_realtime_conf_redis,
        NGX_REALTIME_MAIN(redis), NULL},

    {ngx_string("realtime_events_stream"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
        ngx_realtime_conf_stream, NGX_REALTIME_MAIN(events_stream), NULL},

    {ngx_string("realtime_webhooks"), NGX_HTTP_MAIN_CONF | NGX_CONF_1MORE,
        ngx_realtime_conf_webhooks, NGX_REALTIME_MAIN(webhooks), NULL},

    {ngx_string("realtime_assistant"), NGX_HTTP_MAIN_CONF | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
        NGX_REALTIME_MAIN(assistant), NULL},

    {ngx_string("realtime_timezone"), NGX_REALTIME_ANY_CONF | NGX_CONF_TAKE1,
        ngx_realtime_conf_timezone, NGX_REALTIME_LOC(timezone), NULL},

    {ngx_string("realtime_bus_dir"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_conf_set_str_slot,
        NGX_REALTIME_MAIN(bus_dir), NULL},

    {ngx_string("realtime_threads"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_realtime_conf_threads,
        NGX_REALTIME_MAIN(threads), NULL},

    {ngx_string("realtime_notification_retention"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
        ngx_realtime_conf_retention, NGX_REALTIME_MAIN(retention), NULL},

    {ngx_string("realtime_jwt_secret"), NGX_REALTIME_ANY_CONF | NGX_CONF_TAKE1,
        ngx_realtime_conf_secret, NGX_REALTIME_LOC(jwt_secret), NULL},

    {ngx_string("realtime_jwt_key"), NGX_REALTIME_ANY_CONF | NGX_CONF_TAKE1,
        ngx_realtime_conf_secret, NGX_REALTIME_LOC(jwt_key_file), NULL},

    {ngx_string("realtime_jwt_leeway"), NGX_REALTIME_ANY_CONF | NGX_CONF_TAKE1,
        ngx_conf_set_msec_slot, NGX_REALTIME_LOC(jwt_leeway), NULL},

    {ngx_string("realtime_guest"), NGX_REALTIME_ANY_CONF | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
        NGX_REALTIME_LOC(guest), NULL},

    {ngx_string("realtime_namespace"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1,
        ngx_realtime_conf_namespace, NGX_REALTIME_LOC(namespace), NULL},

    {ngx_string("realtime_allow_origin"), NGX_REALTIME_ANY_CONF | NGX_CONF_1MORE,
        ngx_realtime_conf_origin, NGX_REALTIME_LOC(allow_origin), NULL},

    {ngx_string("realtime_ping_interval"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1,
        ngx_conf_set_msec_slot, NGX_REALTIME_LOC(ping_interval), &ngx_realtime_positive_msec},

    {ngx_string("realtime_ping_timeout"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1,
        ngx_conf_set_msec_slot, NGX_REALTIME_LOC(ping_timeout), &ngx_realtime_positive_msec},

    {ngx_string("realtime_connect_timeout"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1,
        ngx_conf_set_msec_slot, NGX_REALTIME_LOC(connect_timeout), &ngx_realtime_positive_msec},

    {ngx_string("realtime_upgrade_timeout"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1,
        ngx_conf_set_msec_slot, NGX_REALTIME_LOC(upgrade_timeout), &ngx_realtime_positive_msec},

    {ngx_string("realtime_max_payload"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1, ngx_conf_set_size_slot,
        NGX_REALTIME_LOC(max_payload), &ngx_realtime_positive_size},

    {ngx_string("realtime_deflate"), NGX_REALTIME_ANY_CONF | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
        NGX_REALTIME_LOC(deflate), NULL},

    {ngx_string("realtime_send_buffer"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1, ngx_conf_set_size_slot,
        NGX_REALTIME_LOC(send_buffer), &ngx_realtime_positive_size},

    {ngx_string("realtime_rate"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE12, ngx_realtime_conf_rate,
        NGX_REALTIME_LOC(rate), NULL},

    {ngx_string("realtime_max_connections"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1,
        ngx_realtime_conf_limit, NGX_REALTIME_LOC(max_connections), NULL},

    {ngx_string("realtime_max_connections_per_user"), NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1,
        ngx_realtime_conf_limit, NGX_REALTIME_LOC(max_connections_per_user), NULL},

    ngx_null_command};


static ngx_http_module_t ngx_realtime_module_ctx = {
    NULL,                           /* preconfiguration */
    ngx_realtime_postconfiguration, /* postconfiguration */
    ngx_realtime_create_main_conf,  /* create main configuration */
    ngx_realtime_init_main_conf,    /* init main configuration */
    NULL,                           /* create server configuration */
    NULL,                           /* merge server configuration */
    ngx_realtime_create_loc_conf,   /* create location configuration */
    ngx_realtime_merge_loc_conf     /* merge location configuration */
};


ngx_module_t ngx_http_realtime_module = {NGX_MODULE_V1,
    &ngx_realtime_module_ctx, /* module context */
    ngx_realtime_commands,    /* module directives */
    NGX_HTTP_MODULE,          /* module type */
    NULL,                     /* init master */
    ngx_realtime_init_module, /* init module */
    ngx_realtime_worker_init, /* init process */
    NULL,                     /* init thread */
    NULL,                     /* exit thread */
    ngx_realtime_worker_exit, /* exit process */
    NULL,                     /* exit master */
    NGX_MODULE_V1_PADDING};


static void *
ngx_realtime_create_main_conf(ngx_conf_t *cf)
{
    ngx_realtime_main_conf_t *mcf;

    /* A reload loads no new code while the old one is mapped, so a module can meet a library of
     * another build; what would follow is undefined. */
    if (ngx_strcmp(rt_build_id(), RT_BUILD_ID) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "realtime: module %s and core library %s differ: install both of one "
            "build, then restart nginx or upgrade the binary (USR2)",
            RT_BUILD_ID, rt_build_id());
        return NULL;
    }

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_realtime_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&mcf->namespaces, cf->pool, 2, sizeof(ngx_str_t)) != NGX_OK) {
        return NULL;
    }

    mcf->threads = NGX_CONF_UNSET_UINT;
    mcf->retention = NGX_CONF_UNSET;
    mcf->webhooks = NGX_CONF_UNSET;
    mcf->assistant = NGX_CONF_UNSET;

    return mcf;
}


static char *
ngx_realtime_init_main_conf(ngx_conf_t *cf, void *conf)
{
    return ngx_realtime_conf_init_main(cf, conf);
}


static void *
ngx_realtime_create_loc_conf(ngx_conf_t *cf)
{
    ngx_realtime_loc_conf_t *lcf;

    lcf = ngx_pcalloc(cf->pool, sizeof(ngx_realtime_loc_conf_t));
    if (lcf == NULL) {
        return NULL;
    }

    lcf->enable = NGX_CONF_UNSET;
    lcf->api = NGX_CONF_UNSET;
    lcf->echo = NGX_CONF_UNSET_UINT;
    lcf->jwt_leeway = NGX_CONF_UNSET_MSEC;
    lcf->guest = NGX_CONF_UNSET;
    lcf->allow_origin = NGX_CONF_UNSET_PTR;
    lcf->ping_interval = NGX_CONF_UNSET_MSEC;
    lcf->ping_timeout = NGX_CONF_UNSET_MSEC;
    lcf->connect_timeout = NGX_CONF_UNSET_MSEC;
    lcf->upgrade_timeout = NGX_CONF_UNSET_MSEC;
    lcf->max_payload = NGX_CONF_UNSET_SIZE;
    lcf->deflate = NGX_CONF_UNSET;
    lcf->send_buffer = NGX_CONF_UNSET_SIZE;
    lcf->rate = NGX_CONF_UNSET_UINT;
    lcf->rate_burst = NGX_CONF_UNSET_UINT;
    lcf->max_connections = NGX_CONF_UNSET_UINT;
    lcf->max_connections_per_user = NGX_CONF_UNSET_UINT;

    return lcf;
}


static void
ngx_realtime_merge_values(ngx_realtime_loc_conf_t *prev, ngx_realtime_loc_conf_t *conf)
{
    ngx_conf_merge_value(conf->enable, prev->enable, 0);
    ngx_conf_merge_value(conf->api, prev->api, 0);
    ngx_conf_merge_uint_value(conf->echo, prev->echo, NGX_REALTIME_ECHO_NONE);
    ngx_conf_merge_msec_value(conf->jwt_leeway, prev->jwt_leeway, 0);
    ngx_conf_merge_value(conf->guest, prev->guest, 0);
    ngx_conf_merge_str_value(conf->namespace, prev->namespace, "/realtime");
    ngx_conf_merge_ptr_value(conf->allow_origin, prev->allow_origin, NULL);
    ngx_conf_merge_msec_value(conf->ping_interval, prev->ping_interval, 25000);
    ngx_conf_merge_msec_value(conf->ping_timeout, prev->ping_timeout, 20000);
    ngx_conf_merge_msec_value(conf->connect_timeout, prev->connect_timeout, 45000);
    ngx_conf_merge_msec_value(conf->upgrade_timeout, prev->upgrade_timeout, 10000);
    ngx_conf_merge_size_value(conf->max_payload, prev->max_payload, 1024 * 1024);
    ngx_conf_merge_value(conf->deflate, prev->deflate, 0);
    ngx_conf_merge_size_value(conf->send_buffer, prev->send_buffer, 1024 * 1024);
    ngx_conf_merge_uint_value(conf->rate, prev->rate, 50 * 1000);
    ngx_conf_merge_uint_value(conf->rate_burst, prev->rate_burst, 100);
    ngx_conf_merge_str_value(conf->timezone, prev->timezone, "UTC");
    ngx_conf_merge_uint_value(conf->max_connections, prev->max_connections, 0);
    ngx_conf_merge_uint_value(conf->max_connections_per_user, prev->max_connections_per_user, 0);
}


static char *
ngx_realtime_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_uint_t                kinds;
    ngx_http_core_loc_conf_t *clcf;
    ngx_realtime_loc_conf_t  *prev = parent;
    ngx_realtime_loc_conf_t  *conf = child;
    ngx_realtime_main_conf_t *mcf;

    ngx_realtime_merge_values(prev, conf);

    if (ngx_realtime_conf_merge_key(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    kinds = conf->enable + conf->api + (conf->echo != NGX_REALTIME_ECHO_NONE)
        + (conf->report != NGX_REALTIME_REPORT_NONE);

    if (kinds == 0) {
        return NGX_CONF_OK;
    }

    if (kinds > 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "one location takes one of \"realtime\", \"realtime_api\", "
            "\"realtime_echo\", \"realtime_stats\", \"realtime_metrics\" and "
            "\"realtime_health\"");
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->report != NGX_REALTIME_REPORT_NONE) {
        clcf->handler = ngx_realtime_reports[conf->report];
        return NGX_CONF_OK;
    }

    if (conf->echo == NGX_REALTIME_ECHO_NONE && conf->key == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "\"%s on\" needs a key for its tokens: set \"realtime_jwt_secret\" or "
            "\"realtime_jwt_key\", or JWT_SECRET in the environment",
            conf->enable ? "realtime" : "realtime_api");
        return NGX_CONF_ERROR;
    }

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_realtime_module);
    mcf->used = 1;

    if (conf->enable && ngx_realtime_conf_add_namespace(mcf, &conf->namespace) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    clcf->handler = conf->api ? ngx_realtime_rest_handler : ngx_realtime_engine_handler;

    /* realtime_max_payload judges sizes here; nginx's own check would answer an HTML page before
     * our handler runs. The core module merges before us, so this stays. */
    clcf->client_max_body_size = 0;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_realtime_postconfiguration(ngx_conf_t *cf)
{
    ngx_realtime_main_conf_t *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_realtime_module);

    if (!mcf->used) {
        return NGX_OK;
    }

    if (ngx_realtime_conf_finish(cf, mcf) != NGX_CONF_OK) {
        return NGX_ERROR;
    }

    if (ngx_realtime_limits_configure(cf, mcf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_realtime_metrics_configure(cf, mcf);
}


static ngx_int_t
ngx_realtime_init_module(ngx_cycle_t *cycle)
{
    ngx_realtime_main_conf_t *mcf;

    if (ngx_test_config) {
        return NGX_OK;
    }

    rt_json_init();

    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_realtime_module);

    if (mcf != NULL && mcf->used && ngx_is_init_cycle(cycle->old_cycle)) {
        ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0, "🚀 WebSocket Gateway Initialized");
    }

    return NGX_OK;
}
