/* Core calls on their way to the thread pool and back.
 *
 * Reads are one thread task each and run beside each other. Writes wait in the list of
 * their lane (rt_core_lane); one drain task of each lane at a time takes up to RT_BATCH_MAX of them
 * and commits them together, so that while one commit waits for the disk the next group gathers:
 *
 *     post ─▶ lane ─▶ drain (thread: rt_core_run_batch) ─▶ drained (loop): next drain, then each
 *                                                          call's done, emits, log line, free
 *
 * All calls are counted, so that nginx's queue, which kills running tasks when it is full at exit,
 * never fills. A timer that nginx must wait for keeps an exiting worker until the last one is
 * back. */

#include "ngx_realtime_task.h"
#include "ngx_realtime_assist.h"
#include "ngx_realtime_heal.h"
#include "ngx_realtime_hub.h"
#include "ngx_realtime_metrics.h"

#include <ngx_thread_pool.h>


/* Well below the 65,536 of the pool. */
#define NGX_REALTIME_TASKS_MAX 16384

#define NGX_REALTIME_TASKS_HOLD_MS 60000


struct ngx_realtime_task_s {
    ngx_thread_task_t         thread; /* of reads; writes ride in the drain's */
    uint64_t                  duration_us;
    rt_core_t                *core;
    rt_call_t                *call;
    ngx_realtime_task_done_pt done;
    void                     *data; /* NULL: the asker has let go */
    ngx_realtime_task_t      *next;
};


/* Writes whose order counts, and their drain. While that is out, one thread owns `core`, `calls`
 * and `count`. */
typedef struct {
    ngx_realtime_task_t *first; /* writes that wait; none does unless the drain is out */
    ngx_realtime_task_t *last;
    ngx_thread_task_t    thread;
    rt_core_t           *core;
    uint64_t             duration_us;
    rt_call_t           *calls[RT_BATCH_MAX];
    size_t               count;
    ngx_realtime_task_t *tasks; /* whose calls these are, in order; loop only */
    unsigned             out:1;
} ngx_realtime_lane_t;


typedef struct {
    ngx_realtime_lane_t lanes[RT_LANES];
    ngx_event_t         hold;
} ngx_realtime_tasks_t;


static ngx_int_t ngx_realtime_task_post_read(ngx_realtime_task_t *task);
static ngx_int_t ngx_realtime_task_post_write(ngx_realtime_task_t *task);
static void      ngx_realtime_task_run(void *data, ngx_log_t *log);
static void      ngx_realtime_task_on_run(ngx_event_t *event);
static ngx_int_t ngx_realtime_task_drain_start(ngx_realtime_lane_t *lane);
static void      ngx_realtime_task_drain_run(void *data, ngx_log_t *log);
static void      ngx_realtime_task_on_drain(ngx_event_t *event);
static void      ngx_realtime_task_finish(ngx_realtime_task_t *task);
static void      ngx_realtime_task_log(rt_call_t *call);
static void      ngx_realtime_task_hold(void);
static void      ngx_realtime_task_on_hold(ngx_event_t *event);


/* one worker's, empty after the fork */
static ngx_realtime_tasks_t ngx_realtime_tasks;


ngx_realtime_task_t *
ngx_realtime_task_post(rt_call_t *call, ngx_realtime_task_done_pt done, void *data)
{
    ngx_int_t              rc;
    ngx_realtime_task_t   *task;
    ngx_realtime_worker_t *worker = ngx_realtime_worker;

    /* without a core the store could not be opened yet */
    if (worker->core == NULL || worker->tasks >= NGX_REALTIME_TASKS_MAX) {
        ngx_realtime_metrics->counts.busy++;
        return NULL;
    }

    task = ngx_calloc(sizeof(ngx_realtime_task_t), worker->log);
    if (task == NULL) {
        return NULL;
    }

    task->core = worker->core;
    task->call = call;
    task->done = done;
    task->data = data;

    if (call->op->kind == RT_OP_WRITE) {
        rc = ngx_realtime_task_post_write(task);

    } else {
        rc = ngx_realtime_task_post_read(task);
    }

    if (rc != NGX_OK) {
        ngx_free(task);
        return NULL;
    }

    ngx_realtime_metrics->gauges.tasks = ++worker->tasks;
    ngx_realtime_task_hold();

    return task;
}


void
ngx_realtime_task_let_go(ngx_realtime_task_t *task)
{
    task->data = NULL;
}


static ngx_int_t
ngx_realtime_task_post_read(ngx_realtime_task_t *task)
{
    task->thread.ctx = task;
    task->thread.handler = ngx_realtime_task_run;
    task->thread.event.data = task;
    task->thread.event.handler = ngx_realtime_task_on_run;

    return ngx_thread_task_post(ngx_realtime_worker->conf->thread_pool, &task->thread);
}


/* worker thread: touches the call alone */
static void
ngx_realtime_task_run(void *data, ngx_log_t *log)
{
    ngx_realtime_task_t *task = data;

    (void) log;

    task->duration_us = ngx_realtime_metrics_now_us();
    rt_core_run(task->core, task->call);
    task->duration_us = ngx_realtime_metrics_now_us() - task->duration_us;
}


/* event loop: runs once for each posted read (never, if the worker exits first) */
static void
ngx_realtime_task_on_run(ngx_event_t *event)
{
    ngx_realtime_task_t *task = event->data;

    ngx_realtime_metrics_observe(&ngx_realtime_metrics->counts.store_read, task->duration_us);
    ngx_realtime_task_finish(task);
}


static ngx_int_t
ngx_realtime_task_post_write(ngx_realtime_task_t *task)
{
    ngx_realtime_lane_t *lane;

    lane = &ngx_realtime_tasks.lanes[rt_core_lane(task->core, task->call)];

    if (lane->first == NULL) {
        lane->first = task;

    } else {
        lane->last->next = task;
    }

    lane->last = task;

    if (lane->out) {
        return NGX_OK;
    }

    /* without a drain none was waiting, so this task is the whole list */

    if (ngx_realtime_task_drain_start(lane) != NGX_OK) {
        lane->first = NULL;
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Sends the first of the waiting writes to the thread pool; on failure they go on waiting. */
static ngx_int_t
ngx_realtime_task_drain_start(ngx_realtime_lane_t *lane)
{
    ngx_realtime_task_t *task, *last;

    last = NULL;
    lane->count = 0;

    for (task = lane->first; task != NULL && lane->count < RT_BATCH_MAX; task = task->next) {
        lane->calls[lane->count++] = task->call;
        last = task;
    }

    if (last == NULL) {
        return NGX_OK;
    }

    lane->core = ngx_realtime_worker->core;
    lane->thread.ctx = lane;
    lane->thread.handler = ngx_realtime_task_drain_run;
    lane->thread.event.data = lane;
    lane->thread.event.handler = ngx_realtime_task_on_drain;

    if (ngx_thread_task_post(ngx_realtime_worker->conf->thread_pool, &lane->thread) != NGX_OK) {
        return NGX_ERROR;
    }

    lane->out = 1;
    lane->tasks = lane->first;
    lane->first = task;
    last->next = NULL;

    return NGX_OK;
}


/* worker thread: touches the calls that were taken from the lane alone */
static void
ngx_realtime_task_drain_run(void *data, ngx_log_t *log)
{
    ngx_realtime_lane_t *lane = data;

    (void) log;

    lane->duration_us = ngx_realtime_metrics_now_us();
    rt_core_run_batch(lane->core, lane->calls, lane->count);
    lane->duration_us = ngx_realtime_metrics_now_us() - lane->duration_us;
}


/* event loop: the group is committed, or failed as a whole */
static void
ngx_realtime_task_on_drain(ngx_event_t *event)
{
    ngx_realtime_task_t *task, *next, *failed;
    ngx_realtime_lane_t *lane = event->data;

    ngx_realtime_metrics_observe(&ngx_realtime_metrics->counts.store_write, lane->duration_us);
    ngx_realtime_metrics->counts.store_written += lane->count;

    task = lane->tasks;
    failed = NULL;
    lane->tasks = NULL;
    lane->out = 0;

    /* the next group first: it commits while this one is answered */

    if (ngx_realtime_task_drain_start(lane) != NGX_OK) {
        failed = lane->first;
        lane->first = NULL;
    }

    for (/* void */; task != NULL; task = next) {
        next = task->next;
        ngx_realtime_task_finish(task);
    }

    for (/* void */; failed != NULL; failed = next) {
        next = failed->next;
        failed->call->status =
            rt_error_set(&failed->call->error, RT_UNAVAILABLE, "The server is busy, try again");
        ngx_realtime_task_finish(failed);
    }
}


static void
ngx_realtime_task_finish(ngx_realtime_task_t *task)
{
    ngx_str_t  room;
    rt_emit_t *emit;
    rt_call_t *call = task->call;

    task->done(call, task->data);

    for (emit = call->emits; emit != NULL; emit = emit->next) {
        ngx_realtime_hub_emit(emit);
    }

    if (call->doubt_after >= 0 && call->room_id.len != 0) {
        room = ngx_realtime_ngx_str(call->room_id);
        ngx_realtime_heal_doubt(&room, call->doubt_after);
    }

    ngx_realtime_task_log(call);
    ngx_realtime_assist_after(call);

    rt_call_destroy(call);
    ngx_free(task);

    ngx_realtime_metrics->gauges.tasks = --ngx_realtime_worker->tasks;

    if (ngx_realtime_worker->tasks == 0) {
        ngx_del_timer(&ngx_realtime_tasks.hold);
    }
}


static void
ngx_realtime_task_log(rt_call_t *call)
{
    char    text[RT_ERROR_TEXT_MAX * 2];
    u_char *line, *end, *next;

    if (call->status == RT_ERROR || call->status == RT_NO_MEMORY) {
        rt_log_escape(text, sizeof(text), rt_str_c(call->error.text));

        ngx_log_error(NGX_LOG_ERR, ngx_realtime_worker->log, 0, "realtime: %s failed: %s",
            call->op->name, text);

        return;
    }

    line = (u_char *) call->log_line.data;
    end = line + call->log_line.len;

    for (/* void */; line < end; line = next + 1) {
        next = ngx_strlchr(line, end, '\n');
        next = next ? next : end;
        ngx_log_error(NGX_LOG_INFO, ngx_realtime_worker->log, 0, "%*s", (size_t) (next - line),
            line);
    }
}


static void
ngx_realtime_task_hold(void)
{
    ngx_event_t *hold = &ngx_realtime_tasks.hold;

    if (hold->timer_set) {
        return;
    }

    hold->handler = ngx_realtime_task_on_hold;
    hold->data = &ngx_realtime_no_connection;
    hold->log = ngx_realtime_worker->log;

    ngx_add_timer(hold, NGX_REALTIME_TASKS_HOLD_MS);
}


static void
ngx_realtime_task_on_hold(ngx_event_t *event)
{
    ngx_add_timer(event, NGX_REALTIME_TASKS_HOLD_MS);
}
