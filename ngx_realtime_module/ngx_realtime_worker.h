/* A worker's beginning and end: what is opened after the fork, and how clients are told to go. */

#ifndef NGX_REALTIME_WORKER_H
#define NGX_REALTIME_WORKER_H

#include "ngx_realtime.h"

ngx_int_t ngx_realtime_worker_init(ngx_cycle_t *cycle);
void      ngx_realtime_worker_exit(ngx_cycle_t *cycle);

/* Something begins that nginx does not know of and that must be brought to its end: a worker that
 * quits stays until it is. */
void ngx_realtime_worker_stay(void);

#endif
