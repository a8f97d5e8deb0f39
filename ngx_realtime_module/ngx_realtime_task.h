/* The one place that takes core calls to the thread pool and brings them back. Event loop only. */

#ifndef NGX_REALTIME_TASK_H
#define NGX_REALTIME_TASK_H

#include "ngx_realtime.h"

typedef struct ngx_realtime_task_s ngx_realtime_task_t;

/* The call is done: answer whoever asked. Runs once for every posted call; data is NULL when the
 * asker has let go. Never called from inside post. After it returns the task emits what the call
 * has to emit (ngx_realtime_hub_emit), logs its line, and frees the call. */
typedef void (*ngx_realtime_task_done_pt)(rt_call_t *call, void *data);

/* Takes the call over. Reads run beside each other; writes wait in one list per worker, which one
 * drain task at a time commits in groups. NULL: too many calls are waiting (or no memory); the
 * caller still owns the call and answers UNAVAILABLE. */
ngx_realtime_task_t *ngx_realtime_task_post(rt_call_t *call, ngx_realtime_task_done_pt done,
    void *data);

/* The asker is gone: done will be called with data NULL. The operation itself goes on. */
void ngx_realtime_task_let_go(ngx_realtime_task_t *task);

#endif
