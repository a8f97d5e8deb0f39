/* Test module: `bus_test DIR QUEUE [HOST PORT [PASSWORD [CA]]]` in http{} makes a bus in every
 * worker, `bus_test_ops` in a location drives it. It stands in for the real module under the real
 * module's symbol, so that bus and limits are linked as they are. */

#include "ngx_http_bus_test.h"

#define NGX_HTTP_BUS_TEST_LOG_MAX (64 * 1024 * 1024)


static void     *ngx_http_bus_test_create_conf(ngx_conf_t *cf);
static ngx_int_t ngx_http_bus_test_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_bus_test_init_process(ngx_cycle_t *cycle);
static void      ngx_http_bus_test_exit_process(ngx_cycle_t *cycle);
static char     *ngx_http_bus_test(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char     *ngx_http_bus_test_ops(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


ngx_realtime_worker_t       *ngx_realtime_worker;
ngx_http_bus_test_log_t      ngx_http_bus_test_log;
static ngx_realtime_worker_t ngx_http_bus_test_worker;

static ngx_command_t ngx_http_bus_test_commands[] = {

    {ngx_string("bus_test"), NGX_HTTP_MAIN_CONF | NGX_CONF_2MORE, ngx_http_bus_test,
        NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},

    {ngx_string("bus_test_ops"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, ngx_http_bus_test_ops,
        NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},

    ngx_null_command};

static ngx_http_module_t ngx_http_bus_test_module_ctx = {NULL, ngx_http_bus_test_postconfiguration,
    ngx_http_bus_test_create_conf, NULL, NULL, NULL, NULL, NULL};

ngx_module_t ngx_http_realtime_module = {NGX_MODULE_V1, &ngx_http_bus_test_module_ctx,
    ngx_http_bus_test_commands, NGX_HTTP_MODULE, NULL, NULL, ngx_http_bus_test_init_process, NULL,
    NULL, ngx_http_bus_test_exit_process, NULL, NGX_MODULE_V1_PADDING};


static void *
ngx_http_bus_test_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_bus_test_conf_t));
}


static char *
ngx_http_bus_test(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                *value;
    ngx_http_bus_test_conf_t *bcf;

    bcf = conf;
    value = cf->args->elts;
    bcf->dir = value[1];
    bcf->queue = (size_t) ngx_parse_size(&value[2]);

    if (ngx_realtime_bus_local_check(cf, &bcf->dir) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts < 5) {
        return NGX_CONF_OK;
    }

    bcf->redis.host = value[3];
    bcf->redis.port = (in_port_t) ngx_atoi(value[4].data, value[4].len);
    bcf->redis.thread_pool = ngx_thread_pool_add(cf, NULL);

    if (cf->args->nelts > 5) {
        bcf->redis.password = value[5];
    }

    if (cf->args->nelts > 6
        && ngx_realtime_redis_tls_configure(cf, &bcf->redis, &value[6], 1) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return bcf->redis.thread_pool ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_bus_test_ops(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_bus_test_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_bus_test_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_bus_test_conf_t *bcf;

    bcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_realtime_module);

    return ngx_realtime_limits_configure(cf, &bcf->realtime);
}


void
ngx_http_bus_test_note(const char *format, ...)
{
    u_char                  *p, *grown;
    size_t                   size;
    va_list                  args;
    ngx_http_bus_test_log_t *log;

    log = &ngx_http_bus_test_log;

    if (log->size - log->len < 4096) {
        size = log->size * 2 + 8192;
        grown = (size > NGX_HTTP_BUS_TEST_LOG_MAX) ? NULL : realloc(log->data, size);
        if (grown == NULL) {
            return;
        }

        log->data = grown;
        log->size = size;
    }

    p = log->data + log->len;

    if (log->len != 0) {
        *p++ = ',';
    }

    va_start(args, format);
    p = ngx_vslprintf(p, log->data + log->size, format, args);
    va_end(args);

    log->len = (size_t) (p - log->data);
}


static void
ngx_http_bus_test_on_publish(void *data, ngx_str_t *channel, ngx_str_t *payload)
{
    ngx_str_t head;

    ngx_http_bus_test_log.heard++;

    head = *payload;
    head.len = ngx_min(head.len, 40);

    ngx_http_bus_test_note("{\"t\":\"publish\",\"c\":\"%V\",\"d\":\"%V\",\"len\":%uz,"
                           "\"crc\":%uD}",
        channel, &head, payload->len, ngx_crc32_long(payload->data, payload->len));
}


static void
ngx_http_bus_test_on_message(void *data, ngx_realtime_worker_id_t from, ngx_str_t *payload)
{
    ngx_str_t head;

    head = *payload;
    head.len = ngx_min(head.len, 40);

    ngx_http_bus_test_note("{\"t\":\"message\",\"from\":\"%016xL\",\"d\":\"%V\",\"len\":%uz}",
        (int64_t) from, &head, payload->len);
}


static void
ngx_http_bus_test_on_request(void *data, ngx_realtime_worker_id_t from, ngx_str_t *channel,
    ngx_str_t *payload, ngx_str_t *answer, size_t answer_size)
{
    u_char *p;

    if (payload->len == 6 && ngx_strncmp(payload->data, "silent", 6) == 0) {
        return;
    }

    p = ngx_slprintf(answer->data, answer->data + answer_size, "%016xL:%V:%V",
        (int64_t) ngx_http_bus_test_worker.id, channel, payload);
    answer->len = (size_t) (p - answer->data);
}


static void
ngx_http_bus_test_on_worker_lost(void *data, ngx_realtime_worker_id_t worker)
{
    ngx_http_bus_test_log.lost++;
    ngx_http_bus_test_note("{\"t\":\"lost\",\"worker\":\"%016xL\"}", (int64_t) worker);
}


static void
ngx_http_bus_test_on_worker_met(void *data, ngx_realtime_worker_id_t worker)
{
    (void) worker;
}


static void
ngx_http_bus_test_on_latency(void *data, uint64_t us)
{
    (void) us;
}


static void
ngx_http_bus_test_on_gap(void *data)
{
    ngx_http_bus_test_log.gaps++;
    ngx_http_bus_test_note("{\"t\":\"gap\"}");
}


static ngx_int_t
ngx_http_bus_test_init_process(ngx_cycle_t *cycle)
{
    ngx_realtime_worker_t      *worker;
    ngx_http_bus_test_conf_t   *bcf;
    ngx_realtime_bus_handlers_t handlers;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) {
        return NGX_OK;
    }

    bcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_realtime_module);

    if (bcf == NULL || bcf->dir.len == 0) {
        return NGX_OK;
    }

    worker = &ngx_http_bus_test_worker;
    worker->cycle = cycle;
    worker->log = cycle->log;
    worker->conf = &bcf->realtime;
    ngx_realtime_worker = worker;

    while (worker->id == 0) {
        worker->id =
            (uint64_t) ngx_random() << 40 ^ (uint64_t) ngx_random() << 20 ^ (uint64_t) ngx_random();
    }

    handlers.on_publish = ngx_http_bus_test_on_publish;
    handlers.on_message = ngx_http_bus_test_on_message;
    handlers.on_request = ngx_http_bus_test_on_request;
    handlers.on_worker_lost = ngx_http_bus_test_on_worker_lost;
    handlers.on_worker_met = ngx_http_bus_test_on_worker_met;
    handlers.on_latency = ngx_http_bus_test_on_latency;
    handlers.on_gap = ngx_http_bus_test_on_gap;
    handlers.data = NULL;

    if (ngx_realtime_bus_host(&bcf->dir, &worker->host, cycle->log) != NGX_OK) {
        return NGX_ERROR;
    }

    worker->bus = bcf->redis.host.len
        ? ngx_realtime_bus_cluster_create(cycle, &bcf->dir, &bcf->redis, worker->host, worker->id,
            bcf->queue, &handlers)
        : ngx_realtime_bus_local_create(cycle, &bcf->dir, worker->id, bcf->queue, &handlers);

    if (worker->bus == NULL || ngx_realtime_limits_init(worker) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_bus_test_exit_process(ngx_cycle_t *cycle)
{
    if (ngx_realtime_worker == NULL) {
        return;
    }

    ngx_realtime_limits_exit(ngx_realtime_worker);
    ngx_realtime_worker->bus->methods->close(ngx_realtime_worker->bus);
    ngx_realtime_worker = NULL;
    ngx_free(ngx_http_bus_test_log.data);
    ngx_http_bus_test_log.data = NULL;
}
