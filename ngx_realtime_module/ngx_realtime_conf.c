/* Directives that need more than nginx's own slot functions, and what is derived from them. */

#include "ngx_realtime_conf.h"
#include "ngx_realtime_redis.h"

#include <rt/rt_text.h>


extern ngx_module_t ngx_thread_pool_module;

static char *ngx_realtime_conf_pool(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf);


char *
ngx_realtime_conf_positive_msec(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t *value = data;

    return *value == 0 ? "must be more than 0" : NGX_CONF_OK;
}


char *
ngx_realtime_conf_positive_size(ngx_conf_t *cf, void *post, void *data)
{
    size_t *value = data;

    if (*value == 0) {
        return "must be more than 0";
    }

    /* lengths of one message are kept in 32 bits */
    return *value > 1024 * 1024 * 1024 ? "must be at most 1g" : NGX_CONF_OK;
}


char *
ngx_realtime_conf_namespace(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_realtime_loc_conf_t *lcf = conf;

    ngx_str_t *value;
    ngx_uint_t i;

    if (lcf->namespace.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len < 1 || value[1].len > 128 || value[1].data[0] != '/') {
        return "must begin with \"/\" and have at most 128 characters";
    }

    for (i = 0; i < value[1].len; i++) {
        if (value[1].data[i] <= ' ' || value[1].data[i] == ',' || value[1].data[i] == '?'
            || value[1].data[i] == 0x7f)
        {
            return "must not hold spaces, \",\" or \"?\"";
        }
    }

    lcf->namespace = value[1];

    return NGX_CONF_OK;
}


char *
ngx_realtime_conf_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_realtime_loc_conf_t *lcf = conf;

    ngx_str_t *value, *pattern;
    ngx_uint_t i;

    if (lcf->allow_origin != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    lcf->allow_origin = ngx_array_create(cf->pool, cf->args->nelts, sizeof(ngx_str_t));
    if (lcf->allow_origin == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        pattern = ngx_array_push(lcf->allow_origin);
        if (pattern == NULL) {
            return NGX_CONF_ERROR;
        }

        *pattern = value[i];

        if (ngx_strcmp(value[i].data, "*") != 0 && ngx_strstr(value[i].data, "://") == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                "invalid origin \"%V\": write \"*\" or a scheme and host, as "
                "https://example.com or https://*.example.com",
                &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* RATE is a number of events with r/s or r/m, kept as events per 1000 s. */
char *
ngx_realtime_conf_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_realtime_loc_conf_t *lcf = conf;

    ngx_int_t  rate, burst;
    ngx_str_t *value;
    ngx_uint_t seconds;

    if (lcf->rate != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;
    burst = 100;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        lcf->rate = 0;
        lcf->rate_burst = 0;
        return cf->args->nelts == 2 ? NGX_CONF_OK : "takes nothing after \"off\"";
    }

    seconds = 0;

    if (value[1].len > 3 && ngx_strncmp(value[1].data + value[1].len - 3, "r/s", 3) == 0) {
        seconds = 1;

    } else if (value[1].len > 3 && ngx_strncmp(value[1].data + value[1].len - 3, "r/m", 3) == 0) {
        seconds = 60;
    }

    rate = seconds ? ngx_atoi(value[1].data, value[1].len - 3) : NGX_ERROR;

    if (rate <= 0 || rate > 1000000) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "invalid rate \"%V\": write it as 50r/s or 600r/m, or off", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 3) {
        burst = ngx_strncmp(value[2].data, "burst=", 6) == 0
            ? ngx_atoi(value[2].data + 6, value[2].len - 6)
            : NGX_ERROR;

        if (burst < 0 || burst > 1000000) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"", &value[2]);
            return NGX_CONF_ERROR;
        }
    }

    lcf->rate = ngx_max((ngx_uint_t) rate * 1000 / seconds, 1);
    lcf->rate_burst = burst;

    return NGX_CONF_OK;
}


char *
ngx_realtime_conf_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t   n;
    ngx_str_t  *value;
    ngx_uint_t *field;

    field = (ngx_uint_t *) ((char *) conf + cmd->offset);

    if (*field != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        *field = 0;
        return NGX_CONF_OK;
    }

    n = ngx_atoi(value[1].data, value[1].len);
    if (n == NGX_ERROR || n > 100000000) {
        return "takes a number of connections, or \"off\"";
    }

    *field = n;

    return NGX_CONF_OK;
}


/* One field for all three: not inherited, a location is one thing. */
char *
ngx_realtime_conf_report(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_realtime_loc_conf_t *lcf = conf;

    if (lcf->report != NGX_REALTIME_REPORT_NONE) {
        return "is duplicate, or stands beside another report";
    }

    if (ngx_strcmp(cmd->name.data, "realtime_stats") == 0) {
        lcf->report = NGX_REALTIME_REPORT_STATS;

    } else if (ngx_strcmp(cmd->name.data, "realtime_metrics") == 0) {
        lcf->report = NGX_REALTIME_REPORT_METRICS;

    } else {
        lcf->report = NGX_REALTIME_REPORT_HEALTH;
    }

    return NGX_CONF_OK;
}


char *
ngx_realtime_conf_threads(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_realtime_main_conf_t *mcf = conf;

    ngx_int_t  n;
    ngx_str_t *value;

    if (mcf->threads != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    n = ngx_atoi(value[1].data, value[1].len);
    if (n < 2 || n > 256) {
        return "takes a number from 2 to 256";
    }

    mcf->threads = n;

    return NGX_CONF_OK;
}


char *
ngx_realtime_conf_retention(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_realtime_main_conf_t *mcf = conf;

    ngx_int_t  n;
    ngx_str_t *value;

    if (mcf->retention != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        mcf->retention = 0;
        return NGX_CONF_OK;
    }

    n = ngx_parse_time(&value[1], 1);
    if (n == NGX_ERROR || n == 0) {
        return "takes a time of a second or more, or \"off\"";
    }

    mcf->retention = n;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_realtime_conf_env(ngx_conf_t *cf, const char *name, ngx_str_t *value)
{
    char            *text;
    ngx_str_t       *env;
    ngx_uint_t       i;
    ngx_core_conf_t *ccf;

    ngx_str_null(value);

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx, ngx_core_module);

    env = ccf->env.elts;
    for (i = 0; i < ccf->env.nelts; i++) {
        if (ngx_strncmp(env[i].data, name, ngx_strlen(name)) == 0 && env[i].len > ngx_strlen(name)
            && env[i].data[ngx_strlen(name)] == '=')
        {
            /* env NAME=value; of the configuration */
            value->data = env[i].data + ngx_strlen(name) + 1;
            value->len = env[i].len - ngx_strlen(name) - 1;
            return NGX_OK;
        }
    }

    text = getenv(name);
    if (text == NULL || *text == '\0') {
        return NGX_OK;
    }

    value->len = ngx_strlen(text);
    value->data = ngx_pnalloc(cf->pool, value->len + 1);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(value->data, (u_char *) text, value->len + 1);

    env = ngx_array_push(&ccf->env);
    if (env == NULL) {
        return NGX_ERROR;
    }

    env->data = (u_char *) name;
    env->len = ngx_strlen(name);

    return NGX_OK;
}


char *
ngx_realtime_conf_init_main(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf)
{
    rt_error_t error;

    if (mcf->retention == NGX_CONF_UNSET) {
        mcf->retention = 90 * 24 * 3600;
    }

    if (mcf->webhooks == NGX_CONF_UNSET) {
        mcf->webhooks = 1;
    }

    if (mcf->assistant == NGX_CONF_UNSET) {
        mcf->assistant = 1;
    }

    if (mcf->threads == NGX_CONF_UNSET_UINT) {
        mcf->threads = 8;
    }

    if (ngx_realtime_conf_redis_environment(cf, mcf) != NGX_CONF_OK
        || ngx_realtime_conf_stream_init(cf, mcf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (mcf->store.data != NULL) {
        return NGX_CONF_OK;
    }

    if (ngx_realtime_conf_env(cf, "MONGODB_URI", &mcf->store) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (mcf->store.len && rt_core_check_store(ngx_realtime_str(mcf->store), &error) != RT_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid MONGODB_URI: %s", error.text);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_realtime_conf_finish(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf)
{
    if (!mcf->sid_key_set && rt_random(mcf->sid_key, sizeof(mcf->sid_key)) != RT_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "no random numbers");
        return NGX_CONF_ERROR;
    }

    if (ngx_realtime_conf_store_finish(cf, mcf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_realtime_conf_pool(cf, mcf);
}


/* A pool of ours, declared as the user would by thread_pool. We count tasks ourselves, far below
 * the pool's own limit, since it logs each refusal as an error. */
static char *
ngx_realtime_conf_pool(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf)
{
    char        *rv;
    u_char      *last;
    ngx_str_t   *arg;
    ngx_array_t *saved, args;

    if (ngx_array_init(&args, cf->pool, 4, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    arg = ngx_array_push_n(&args, 4);
    if (arg == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&arg[0], "thread_pool");
    ngx_str_set(&arg[1], "realtime");
    ngx_str_set(&arg[3], "max_queue=65536");

    arg[2].data = ngx_pnalloc(cf->pool, sizeof("threads=") + NGX_INT_T_LEN);
    if (arg[2].data == NULL) {
        return NGX_CONF_ERROR;
    }

    last = ngx_sprintf(arg[2].data, "threads=%ui", mcf->threads);
    arg[2].len = last - arg[2].data;

    saved = cf->args;
    cf->args = &args;
    rv = ngx_thread_pool_module.commands[0].set(cf, &ngx_thread_pool_module.commands[0], NULL);
    cf->args = saved;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    mcf->thread_pool = ngx_thread_pool_add(cf, &arg[1]);

    if (mcf->redis != NULL) {
        mcf->redis->thread_pool = mcf->thread_pool;
    }

    return mcf->thread_pool ? NGX_CONF_OK : NGX_CONF_ERROR;
}
