/* Directives that need more than nginx's own slot functions, and what is derived from them. */

#include "ngx_realtime_conf.h"
#include "ngx_realtime_redis.h"

#include <rt/rt_text.h>


#define NGX_REALTIME_KEY_FILE_MAX 65536

extern ngx_module_t ngx_thread_pool_module;

static char     *ngx_realtime_conf_paths(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf);
static ngx_int_t ngx_realtime_conf_path(ngx_conf_t *cf, ngx_str_t *path, u_char *start,
    u_char *end);
static ngx_int_t ngx_realtime_conf_add_path(ngx_conf_t *cf, ngx_str_t *name);
static char     *ngx_realtime_conf_default_store(ngx_conf_t *cf, ngx_str_t *store);
static char     *ngx_realtime_conf_sqlite(ngx_conf_t *cf, ngx_str_t *store);
static char     *ngx_realtime_conf_pool(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf);
static char     *ngx_realtime_conf_make_key(ngx_conf_t *cf, ngx_realtime_loc_conf_t *conf);
static char     *ngx_realtime_conf_key_file(ngx_conf_t *cf, ngx_str_t *name, rt_key_t **key);
static char     *ngx_realtime_conf_use_key(ngx_conf_t *cf, const char *what, rt_status_t status,
        rt_error_t *error, rt_key_t *key);
static void      ngx_realtime_conf_key_cleanup(void *data);
static ngx_int_t ngx_realtime_conf_sid_key(ngx_conf_t *cf, rt_str_t secret);


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
ngx_realtime_conf_secret(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char      *rv;
    ngx_str_t *field;

    field = (ngx_str_t *) ((char *) conf + cmd->offset);

    rv = ngx_conf_set_str_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return field->len == 0 ? "must not be empty" : NGX_CONF_OK;
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


char *
ngx_realtime_conf_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_realtime_main_conf_t *mcf = conf;

    ngx_str_t *value;
    rt_error_t error;

    if (mcf->store.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (rt_core_check_store(ngx_realtime_str(value[1]), &error) != RT_OK) {
        /* the text never repeats the URI, which may hold a password */
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid realtime_store: %s", error.text);
        return NGX_CONF_ERROR;
    }

    mcf->store = value[1];

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

    if (mcf->store.len == 0 && ngx_realtime_conf_default_store(cf, &mcf->store) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_strncmp(mcf->store.data, "sqlite:", 7) == 0
        && ngx_realtime_conf_sqlite(cf, &mcf->store) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_realtime_conf_pool(cf, mcf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_realtime_conf_paths(cf, mcf);
}


/* "realtime/" beside nginx's own temporary directories: on Debian /var/lib/nginx/realtime/. */
static char *
ngx_realtime_conf_default_store(ngx_conf_t *cf, ngx_str_t *store)
{
    u_char   *p;
    ngx_str_t beside = ngx_string(NGX_HTTP_CLIENT_TEMP_PATH);

    while (beside.len && beside.data[beside.len - 1] != '/') {
        beside.len--;
    }

    store->data = ngx_pnalloc(cf->pool, beside.len + sizeof("sqlite:realtime/"));
    if (store->data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_sprintf(store->data, "sqlite:%Vrealtime/%Z", &beside);
    store->len = p - store->data - 1;

    return NGX_CONF_OK;
}


/* Makes the path absolute; a directory gets the file name realtime.db. */
static char *
ngx_realtime_conf_sqlite(ngx_conf_t *cf, ngx_str_t *store)
{
    u_char         *p;
    ngx_str_t       path;
    ngx_uint_t      directory;
    ngx_file_info_t info;

    path.data = store->data + 7;
    path.len = store->len - 7;

    if (ngx_conf_full_name(cf->cycle, &path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    directory = path.data[path.len - 1] == '/';

    if (!directory && ngx_file_info(path.data, &info) == 0 && ngx_is_dir(&info)) {
        directory = 1;
    }

    p = ngx_pnalloc(cf->pool, path.len + sizeof("sqlite://realtime.db"));
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    store->data = p;
    p = ngx_sprintf(p, "sqlite:%V%s%s%Z", &path,
        directory && path.data[path.len - 1] != '/' ? "/" : "", directory ? "realtime.db" : "");
    store->len = p - store->data - 1;

    return NGX_CONF_OK;
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


/* nginx makes our directories (0700, the workers' user). It would also change the owner of one
 * that is somebody else's, so the store's is left alone where it is there already, unless it is the
 * default one. */
static char *
ngx_realtime_conf_paths(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf)
{
    u_char         *slash;
    ngx_str_t       file, usual, directory;
    ngx_file_info_t info;

    if (ngx_realtime_conf_default_store(cf, &usual) != NGX_CONF_OK
        || ngx_realtime_conf_sqlite(cf, &usual) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    file = ngx_strncmp(mcf->store.data, "sqlite:", 7) == 0 ? mcf->store : usual;
    file.data += 7;
    file.len -= 7;

    for (slash = file.data + file.len - 1; slash > file.data && *slash != '/'; slash--) {
        /* void */
    }

    if (ngx_realtime_conf_path(cf, &directory, file.data, slash) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_strcmp(file.data, usual.data + 7) == 0
        || ngx_file_info(directory.data, &info) == NGX_FILE_ERROR)
    {
        if (ngx_realtime_conf_add_path(cf, &directory) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (mcf->bus_dir.data == NULL) {
        mcf->bus_dir.data = ngx_pnalloc(cf->pool, file.len + sizeof(".bus"));
        if (mcf->bus_dir.data == NULL) {
            return NGX_CONF_ERROR;
        }

        mcf->bus_dir.len =
            ngx_sprintf(mcf->bus_dir.data, "%V.bus%Z", &file) - mcf->bus_dir.data - 1;

    } else if (ngx_conf_full_name(cf->cycle, &mcf->bus_dir, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_realtime_bus_local_check(cf, &mcf->bus_dir) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_realtime_conf_add_path(cf, &mcf->bus_dir) == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_realtime_conf_path(ngx_conf_t *cf, ngx_str_t *path, u_char *start, u_char *end)
{
    path->len = end > start ? (size_t) (end - start) : 1;
    path->data = ngx_pnalloc(cf->pool, path->len + 1);
    if (path->data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(path->data, start, path->len + 1);

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_conf_add_path(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_path_t *path;

    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    if (path == NULL) {
        return NGX_ERROR;
    }

    path->name = *name;

    return ngx_add_path(cf, &path);
}


char *
ngx_realtime_conf_merge_key(ngx_conf_t *cf, ngx_realtime_loc_conf_t *prev,
    ngx_realtime_loc_conf_t *conf)
{
    /* http{} has no parent, so its own values never came by here */
    if (prev->key == NULL && ngx_realtime_conf_make_key(cf, prev) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->jwt_secret.data == NULL && conf->jwt_key_file.data == NULL) {
        conf->key = prev->key;

        if (conf->key != NULL || (!conf->enable && !conf->api)) {
            return NGX_CONF_OK;
        }

        if (ngx_realtime_conf_env(cf, "JWT_SECRET", &conf->jwt_secret) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_realtime_conf_make_key(cf, conf);
}


/* Leaves conf->key NULL where neither a secret nor a file is set. */
static char *
ngx_realtime_conf_make_key(ngx_conf_t *cf, ngx_realtime_loc_conf_t *conf)
{
    rt_error_t  error;
    rt_status_t status;

    if (conf->jwt_secret.len && conf->jwt_key_file.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "\"realtime_jwt_secret\" and \"realtime_jwt_key\" exclude each other");
        return NGX_CONF_ERROR;
    }

    if (conf->jwt_key_file.len) {
        return ngx_realtime_conf_key_file(cf, &conf->jwt_key_file, &conf->key);
    }

    if (conf->jwt_secret.len == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_realtime_conf_sid_key(cf, ngx_realtime_str(conf->jwt_secret)) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    status = rt_key_create_secret(&conf->key, ngx_realtime_str(conf->jwt_secret), &error);

    return ngx_realtime_conf_use_key(cf, "realtime_jwt_secret", status, &error, conf->key);
}


static char *
ngx_realtime_conf_key_file(ngx_conf_t *cf, ngx_str_t *name, rt_key_t **key)
{
    char       *rv;
    u_char     *text;
    ssize_t     n;
    ngx_fd_t    fd;
    rt_error_t  error;
    rt_status_t status;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, ngx_open_file_n " \"%V\" failed", name);
        return NGX_CONF_ERROR;
    }

    rv = NGX_CONF_ERROR;

    text = ngx_pnalloc(cf->temp_pool, NGX_REALTIME_KEY_FILE_MAX);
    if (text == NULL) {
        goto done;
    }

    n = ngx_read_fd(fd, text, NGX_REALTIME_KEY_FILE_MAX);
    if (n < 0 || n == NGX_REALTIME_KEY_FILE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, n < 0 ? ngx_errno : 0,
            "\"%V\" can't be read, or is too large for a key", name);
        goto done;
    }

    status = rt_key_create_pem(key, (rt_str_t){(char *) text, n}, &error);

    if (ngx_realtime_conf_sid_key(cf, (rt_str_t){(char *) text, n}) != NGX_OK) {
        goto done;
    }

    rv = ngx_realtime_conf_use_key(cf, "realtime_jwt_key", status, &error, *key);

done:

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno, ngx_close_file_n " \"%V\" failed", name);
    }

    return rv;
}


static char *
ngx_realtime_conf_use_key(ngx_conf_t *cf, const char *what, rt_status_t status, rt_error_t *error,
    rt_key_t *key)
{
    ngx_pool_cleanup_t *cleanup;

    if (status != RT_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid \"%s\": %s", what, error->text);
        return NGX_CONF_ERROR;
    }

    cleanup = ngx_pool_cleanup_add(cf->pool, 0);
    if (cleanup == NULL) {
        rt_key_destroy(key);
        return NGX_CONF_ERROR;
    }

    cleanup->handler = ngx_realtime_conf_key_cleanup;
    cleanup->data = key;

    return NGX_CONF_OK;
}


static void
ngx_realtime_conf_key_cleanup(void *data)
{
    rt_key_destroy(data);
}


/* Every worker and host with the same first key makes and reads the same session ids. */
static ngx_int_t
ngx_realtime_conf_sid_key(ngx_conf_t *cf, rt_str_t secret)
{
    ngx_realtime_main_conf_t *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_realtime_module);

    if (mcf->sid_key_set) {
        return NGX_OK;
    }

    if (rt_hmac_sha256(mcf->sid_key, rt_str("realtime session id"), secret) != RT_OK) {
        return NGX_ERROR;
    }

    mcf->sid_key_set = 1;

    return NGX_OK;
}
