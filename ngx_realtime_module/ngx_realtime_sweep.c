/* Old notifications end here: now and then a slice of those past their time is removed, and another
 * one soon as long as there are more. Hosts of a cluster all do so; what one has removed the others
 * do not find. */

#include "ngx_realtime_sweep.h"
#include "ngx_realtime_task.h"

#include <rt/rt_json.h>


#define NGX_REALTIME_SWEEP_MS     60000 /* between two looks, less when they are kept shortly */
#define NGX_REALTIME_SWEEP_MIN_MS 1000
#define NGX_REALTIME_SWEEP_MORE   200 /* milliseconds between two slices */

static void ngx_realtime_sweep_handler(ngx_event_t *ev);
static void ngx_realtime_sweep_done(rt_call_t *call, void *data);

static ngx_event_t ngx_realtime_sweep_timer;


/* Milliseconds to the next look. */
static ngx_msec_t
ngx_realtime_sweep_pause(void)
{
    int64_t tenth;

    tenth = (int64_t) ngx_realtime_worker->conf->retention * 100;

    return (ngx_msec_t) ngx_min(ngx_max(tenth, NGX_REALTIME_SWEEP_MIN_MS), NGX_REALTIME_SWEEP_MS);
}


void
ngx_realtime_sweep_init(void)
{
    ngx_event_t *timer = &ngx_realtime_sweep_timer;

    if (ngx_realtime_worker->conf->retention == 0 || ngx_worker != 0) {
        return;
    }

    ngx_memzero(timer, sizeof(ngx_event_t));
    timer->handler = ngx_realtime_sweep_handler;
    timer->data = &ngx_realtime_no_connection;
    timer->log = ngx_cycle->log;
    timer->cancelable = 1;

    ngx_add_timer(timer, ngx_realtime_sweep_pause());
}


static void
ngx_realtime_sweep_handler(ngx_event_t *ev)
{
    rt_call_t           *call;
    ngx_realtime_task_t *task;

    task = NULL;
    call = rt_call_create(rt_op_find("notification.sweep"), RT_DOOR_SOCKET, NULL,
        json_pack("{s:I}", "ageMs", (json_int_t) ngx_realtime_worker->conf->retention * 1000),
        rt_str_null);

    if (call != NULL) {
        task = ngx_realtime_task_post(call, ngx_realtime_sweep_done, NULL);
    }

    if (task == NULL) {
        rt_call_destroy(call);
        ngx_add_timer(ev, ngx_realtime_sweep_pause());
    }
}


static void
ngx_realtime_sweep_done(rt_call_t *call, void *data)
{
    json_t    *reply;
    ngx_uint_t more;

    reply = NULL;
    more = 0;

    if (call->status == RT_OK && rt_json_parse(call->reply, &reply, NULL) == RT_OK) {
        more = json_is_true(json_object_get(reply, "more"));
    }

    json_decref(reply);

    if (!ngx_realtime_worker->exiting) {
        ngx_add_timer(&ngx_realtime_sweep_timer,
            more ? NGX_REALTIME_SWEEP_MORE : ngx_realtime_sweep_pause());
    }
}
