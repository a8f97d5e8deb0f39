/* What channels may have missed is read from the store, many at a time: messages of rooms, and
 * notifications of businesses and people. Event loop only. */

#ifndef NGX_REALTIME_HEAL_H
#define NGX_REALTIME_HEAL_H

#include "ngx_realtime.h"
#include "ngx_realtime_hub.h"
#include "ngx_realtime_metrics.h"

/* A gap is a hole after so long: publishes of two workers may cross, on a busy machine widely; what
 * the bus knows it has lost is not waited for. */
#define NGX_REALTIME_HEAL_HOLE_MS 250

/* A channel's events behind what this worker's members have are read, soon after `after_ms`, and
 * delivered to them; again and again until the store answers. A hole that has closed by then is not
 * read. */
void ngx_realtime_heal_channel(ngx_realtime_channel_t *ch, ngx_realtime_heal_reason_e reason,
    ngx_msec_t after_ms);

/* A message of this worker's may be stored or not: once the store answers the room, wherever its
 * members are, is told what it holds behind `after`. */
void ngx_realtime_heal_doubt(ngx_str_t *room_id, int64_t after);

/* How many rooms are in doubt. */
ngx_uint_t ngx_realtime_heal_doubts(void);

/* The channel is being freed. */
void ngx_realtime_heal_forget(ngx_realtime_channel_t *ch);

void ngx_realtime_heal_init(void);
void ngx_realtime_heal_exit(void);

#endif
