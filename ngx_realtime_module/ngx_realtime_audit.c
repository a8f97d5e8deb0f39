/* Looks for what other services have written into auditlogs (the core's audit.changes): often in
 * the one worker of the cluster that has the lease, now and then in the others, which get it when
 * that one is gone. */

#include "ngx_realtime_audit.h"
#include "ngx_realtime_task.h"

#include <rt/rt_json.h>


#define NGX_REALTIME_AUDIT_MS       500
#define NGX_REALTIME_AUDIT_OTHER_MS 2000 /* while another worker looks, or the store is away */

static void ngx_realtime_audit_handler(ngx_event_t *ev);
static void ngx_realtime_audit_done(rt_call_t *call, void *data);

static ngx_event_t ngx_realtime_audit_timer;


void
ngx_realtime_audit_init(void)
{
    ngx_event_t *timer = &ngx_realtime_audit_timer;

    if (ngx_worker != 0 || ngx_strncmp(ngx_realtime_worker->conf->store.data, "mongodb", 7) != 0) {
        return;
    }

    ngx_memzero(timer, sizeof(ngx_event_t));
    timer->handler = ngx_realtime_audit_handler;
    timer->data = &ngx_realtime_no_connection;
    timer->log = ngx_cycle->log;
    timer->cancelable = 1;

    ngx_add_timer(timer, 1);
}


static void
ngx_realtime_audit_handler(ngx_event_t *ev)
{
    u_char               owner[2 * sizeof(ngx_realtime_worker_id_t) + 1];
    rt_call_t           *call;
    ngx_realtime_task_t *task;

    task = NULL;
    *ngx_sprintf(owner, "%016xL", ngx_realtime_worker->id) = '\0';

    call = rt_call_create(rt_op_find("audit.changes"), RT_DOOR_SOCKET, NULL,
        json_pack("{s:s}", "owner", owner), rt_str_null);

    if (call != NULL) {
        task = ngx_realtime_task_post(call, ngx_realtime_audit_done, NULL);
    }

    if (task == NULL) {
        rt_call_destroy(call);
        ngx_add_timer(ev, NGX_REALTIME_AUDIT_OTHER_MS);
    }
}


static void
ngx_realtime_audit_done(rt_call_t *call, void *data)
{
    json_t    *reply;
    ngx_msec_t pause;

    (void) data;

    reply = NULL;
    pause = NGX_REALTIME_AUDIT_OTHER_MS;

    if (ngx_realtime_worker->exiting) {
        return;
    }

    if (call->status == RT_OK && rt_json_parse(call->reply, &reply, NULL) == RT_OK) {

        if (json_is_true(json_object_get(reply, "off"))) {
            json_decref(reply);
            return;
        }

        if (json_is_true(json_object_get(reply, "mine"))) {
            pause = json_is_true(json_object_get(reply, "more")) ? 1 : NGX_REALTIME_AUDIT_MS;
        }
    }

    json_decref(reply);
    ngx_add_timer(&ngx_realtime_audit_timer, pause);
}
