/* realtime_jwt_secret and realtime_jwt_key: what tokens are verified with. */

#include "ngx_realtime_conf.h"

#include <rt/rt_text.h>


#define NGX_REALTIME_KEY_FILE_MAX 65536

static char     *ngx_realtime_conf_make_key(ngx_conf_t *cf, ngx_realtime_loc_conf_t *conf);
static char     *ngx_realtime_conf_key_file(ngx_conf_t *cf, ngx_str_t *name, rt_key_t **key);
static char     *ngx_realtime_conf_use_key(ngx_conf_t *cf, const char *what, rt_status_t status,
        rt_error_t *error, rt_key_t *key);
static void      ngx_realtime_conf_key_cleanup(void *data);
static ngx_int_t ngx_realtime_conf_sid_key(ngx_conf_t *cf, rt_str_t secret);


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
