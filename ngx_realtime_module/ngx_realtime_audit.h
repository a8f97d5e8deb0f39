/* What other services write into auditlogs is told of. Event loop only. */

#ifndef NGX_REALTIME_AUDIT_H
#define NGX_REALTIME_AUDIT_H

#include "ngx_realtime.h"

/* Starts to look, in one worker of each host, where the store can tell. */
void ngx_realtime_audit_init(void);

#endif
