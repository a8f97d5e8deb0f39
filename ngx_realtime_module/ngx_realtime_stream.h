/* The Redis Stream by which services raise events (docs/events.md). Event loop only. */

#ifndef NGX_REALTIME_STREAM_H
#define NGX_REALTIME_STREAM_H

#include "ngx_realtime.h"

/* Starts where the configuration has a stream. */
ngx_int_t ngx_realtime_stream_init(ngx_realtime_worker_t *worker);

/* The worker is to quit: what was read is stored and acknowledged, no more is read, and another
 * worker's turn begins at once. */
void ngx_realtime_stream_quit(void);

/* 1: events are on their way, and the connection is up to acknowledge them. */
ngx_uint_t ngx_realtime_stream_busy(void);

void ngx_realtime_stream_exit(void);

#endif
