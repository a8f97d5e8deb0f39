/* realtime_notification_retention: old notifications are removed. Event loop only. */

#ifndef NGX_REALTIME_SWEEP_H
#define NGX_REALTIME_SWEEP_H

#include "ngx_realtime.h"

/* Starts the timer, in one worker of each host. */
void ngx_realtime_sweep_init(void);

#endif
