/* Connection counts over all workers of this nginx, in shared memory. A worker that crashed leaves
 * no ghosts: each has a slot of its own, cleared by its successor or found dead. Event loop
 * only. */

#ifndef NGX_REALTIME_LIMITS_H
#define NGX_REALTIME_LIMITS_H

#include "ngx_realtime.h"

/* Declares the zone while http{} is configured (postconfiguration); sets conf->zone. */
ngx_int_t ngx_realtime_limits_configure(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf);

/* Takes a slot in init_process, gives it back in exit_process. */
ngx_int_t ngx_realtime_limits_init(ngx_realtime_worker_t *worker);
void      ngx_realtime_limits_exit(ngx_realtime_worker_t *worker);

/* Counts one connection. NGX_OK, or NGX_BUSY when max (0: off) are there already. */
ngx_int_t ngx_realtime_limits_connection_add(ngx_uint_t max);
void      ngx_realtime_limits_connection_remove(void);

/* The same per user (hashed with its business; a collision, which only makes the limit stricter,
 * takes 58 equal bits). max 0: off, nothing is counted: remove only what was added with a max. */
ngx_int_t ngx_realtime_limits_user_add(rt_str_t business_id, rt_str_t user_id, ngx_uint_t max);
void      ngx_realtime_limits_user_remove(rt_str_t business_id, rt_str_t user_id);

/* All workers together. */
ngx_uint_t ngx_realtime_limits_connections(void);

#endif
