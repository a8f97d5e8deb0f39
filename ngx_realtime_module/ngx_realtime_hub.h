/* Who hears what: channels ("room:<id>", "business:<id>", "user:<id>"), their members on this
 * worker, and the fan-out to them. Event loop only. */

#ifndef NGX_REALTIME_HUB_H
#define NGX_REALTIME_HUB_H

#include "ngx_realtime.h"

/* Delivers to this worker's members and publishes to the other workers. */
void ngx_realtime_hub_emit(const rt_emit_t *emit);

#endif
