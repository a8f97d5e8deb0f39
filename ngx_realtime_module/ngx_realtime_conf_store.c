/* realtime_store, and the directories that nginx makes for us. */

#include "ngx_realtime_conf.h"


static char     *ngx_realtime_conf_default_store(ngx_conf_t *cf, ngx_str_t *store);
static char     *ngx_realtime_conf_sqlite(ngx_conf_t *cf, ngx_str_t *store);
static char     *ngx_realtime_conf_paths(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf);
static ngx_int_t ngx_realtime_conf_path(ngx_conf_t *cf, ngx_str_t *path, u_char *start,
    u_char *end);
static ngx_int_t ngx_realtime_conf_add_path(ngx_conf_t *cf, ngx_str_t *name);


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


char *
ngx_realtime_conf_store_finish(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf)
{
    if (mcf->store.len == 0 && ngx_realtime_conf_default_store(cf, &mcf->store) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_strncmp(mcf->store.data, "sqlite:", 7) == 0
        && ngx_realtime_conf_sqlite(cf, &mcf->store) != NGX_CONF_OK)
    {
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
