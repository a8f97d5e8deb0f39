/* Directives that need more than nginx's own slot functions. Configuration time only. */

#ifndef NGX_REALTIME_CONF_H
#define NGX_REALTIME_CONF_H

#include "ngx_realtime.h"

char *ngx_realtime_conf_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_realtime_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_realtime_conf_stream(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_realtime_conf_webhooks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_realtime_conf_report(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_realtime_conf_threads(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_realtime_conf_retention(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_realtime_conf_secret(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_realtime_conf_namespace(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_realtime_conf_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_realtime_conf_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_realtime_conf_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_realtime_conf_positive_msec(ngx_conf_t *cf, void *post, void *data);
char *ngx_realtime_conf_positive_size(ngx_conf_t *cf, void *post, void *data);

/* One more namespace that is served, unless it is known. NGX_ERROR: no memory. */
ngx_int_t ngx_realtime_conf_add_namespace(ngx_realtime_main_conf_t *mcf, ngx_str_t *name);

/* The value of an environment variable, empty when there is none; NUL terminated. It is kept, and
 * the name joins nginx's env list: after USR2 the new binary sees only what the list names. */
ngx_int_t ngx_realtime_conf_env(ngx_conf_t *cf, const char *name, ngx_str_t *value);

/* REDIS_HOST, REDIS_PORT and REDIS_PASSWORD, where the directive is not given. */
char *ngx_realtime_conf_redis_environment(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf);

/* The stream of events where nothing is said of it; once it is known whether there is a Redis. */
char *ngx_realtime_conf_stream_init(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf);

/* Fills what http{} left open from the environment and the defaults. */
char *ngx_realtime_conf_init_main(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf);

/* The store's absolute name, and directories for it and our sockets. NGX_CONF_ERROR: logged. */
char *ngx_realtime_conf_store_finish(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf);

/* Once it is known that some location uses us: store, directories, thread pool. */
char *ngx_realtime_conf_finish(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf);

/* Makes the key of a location from its secret, key file or JWT_SECRET; shares the parent's when
 * they are the same. NGX_CONF_ERROR: logged. */
char *ngx_realtime_conf_merge_key(ngx_conf_t *cf, ngx_realtime_loc_conf_t *prev,
    ngx_realtime_loc_conf_t *conf);

#endif
