/* The assistant's turn: what it has to say comes behind a customer's message or first join, in a
 * call of its own, so that it delays and fails nothing. Event loop only. */

#ifndef NGX_REALTIME_ASSIST_H
#define NGX_REALTIME_ASSIST_H

#include "ngx_realtime.h"

/* Starts looking for rooms that were left waiting, in one worker of each host. */
void ngx_realtime_assist_init(void);
void ngx_realtime_assist_exit(void);

/* Behind a call that asks for it (call->assist). What can't be done now is done by the look for
 * rooms that wait. */
void ngx_realtime_assist_after(rt_call_t *call);

/* realtime_timezone, checked. */
char *ngx_realtime_conf_timezone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

#endif
