/* From a customer's message to the assistant's reply:
 *
 *     message.send ─▶ answered, emitted ─▶ is staff there? (presence) ─▶ assistant.run ─▶ emitted
 *                                                                              │
 *                                             assistant.told, many rooms at once ◀┘
 *
 * The store knows of each room that waits until assistant.told, so a worker that dies anywhere
 * leaves nothing undone: every second one worker of each host asks for rooms that wait for too
 * long (assistant.due). Whatever is run twice says nothing twice; see core/assistant. */

#include "ngx_realtime_assist.h"
#include "ngx_realtime_presence.h"
#include "ngx_realtime_task.h"

#include <rt/rt_json.h>


#define NGX_REALTIME_ASSIST_LOOK_MS 1000
#define NGX_REALTIME_ASSIST_WAIT_MS 2000 /* a room that waits for longer is looked after */
#define NGX_REALTIME_ASSIST_TOLD_MS 50
#define NGX_REALTIME_ASSIST_TOLD    256 /* rooms in one call */

/* A room's turn; its texts stand behind it. */
typedef struct {
    ngx_queue_t link;
    ngx_str_t   room;
    ngx_str_t   business;
    rt_str_t    timezone; /* of a configuration */
    ngx_uint_t  retell;
} ngx_realtime_assist_turn_t;

static void      ngx_realtime_assist_begin(rt_str_t room, rt_str_t business, rt_str_t timezone,
         ngx_uint_t retell);
static void      ngx_realtime_assist_present(void *data, ngx_uint_t online);
static ngx_int_t ngx_realtime_assist_call(const char *op, json_t *request, rt_str_t timezone,
    ngx_realtime_task_done_pt done);
static void      ngx_realtime_assist_done(rt_call_t *call, void *data);
static ngx_int_t ngx_realtime_assist_remember(rt_call_t *call);
static void      ngx_realtime_assist_tell(ngx_event_t *ev);
static void      ngx_realtime_assist_look(ngx_event_t *ev);
static void      ngx_realtime_assist_found(rt_call_t *call, void *data);
static void      ngx_realtime_assist_timer(ngx_event_t *timer, ngx_event_handler_pt handler);

static ngx_queue_t ngx_realtime_assist_turns; /* that wait for presence */
static ngx_event_t ngx_realtime_assist_look_timer;
static ngx_event_t ngx_realtime_assist_told_timer;
static json_t     *ngx_realtime_assist_told;   /* an array, or NULL */
static ngx_uint_t  ngx_realtime_assist_asking; /* for rooms that wait: a slow store is asked once */


void
ngx_realtime_assist_init(void)
{
    ngx_queue_init(&ngx_realtime_assist_turns);
    ngx_realtime_assist_timer(&ngx_realtime_assist_told_timer, ngx_realtime_assist_tell);
    ngx_realtime_assist_timer(&ngx_realtime_assist_look_timer, ngx_realtime_assist_look);
    ngx_realtime_assist_look_timer.cancelable = 1;

    if (ngx_realtime_worker->conf->assistant && ngx_worker == 0) {
        ngx_add_timer(&ngx_realtime_assist_look_timer, NGX_REALTIME_ASSIST_LOOK_MS);
    }
}


static void
ngx_realtime_assist_timer(ngx_event_t *timer, ngx_event_handler_pt handler)
{
    ngx_memzero(timer, sizeof(ngx_event_t));
    timer->handler = handler;
    timer->data = &ngx_realtime_no_connection;
    timer->log = ngx_cycle->log;
}


/* After the bus: nobody answers any more. */
void
ngx_realtime_assist_exit(void)
{
    ngx_queue_t *q;

    while (!ngx_queue_empty(&ngx_realtime_assist_turns)) {
        q = ngx_queue_head(&ngx_realtime_assist_turns);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_realtime_assist_turn_t, link));
    }

    json_decref(ngx_realtime_assist_told);
    ngx_realtime_assist_told = NULL;
}


void
ngx_realtime_assist_after(rt_call_t *call)
{
    if (call->assist == RT_ASSIST_AFTER_MESSAGE) {
        ngx_realtime_assist_begin(call->room_id, call->business_id, call->timezone, 0);

    } else if (call->assist == RT_ASSIST_AFTER_JOIN) {
        (void) ngx_realtime_assist_call("assistant.welcome",
            json_pack("{s:s%}", "roomId", call->room_id.data, call->room_id.len), call->timezone,
            ngx_realtime_assist_done);
    }
}


static void
ngx_realtime_assist_begin(rt_str_t room, rt_str_t business, rt_str_t timezone, ngx_uint_t retell)
{
    u_char                     *p;
    ngx_realtime_assist_turn_t *turn;

    turn = ngx_alloc(sizeof(ngx_realtime_assist_turn_t) + room.len + business.len,
        ngx_realtime_worker->log);
    if (turn == NULL) {
        return;
    }

    p = (u_char *) (turn + 1);
    turn->room.data = p;
    turn->room.len = room.len;
    p = ngx_cpymem(p, room.data, room.len);
    turn->business.data = p;
    turn->business.len = business.len;
    ngx_memcpy(p, business.data, business.len);
    turn->timezone = timezone;
    turn->retell = retell;

    ngx_queue_insert_tail(&ngx_realtime_assist_turns, &turn->link);

    if (ngx_realtime_presence_staff(&turn->business, ngx_realtime_assist_present, turn) != NGX_OK) {
        ngx_queue_remove(&turn->link);
        ngx_free(turn);
    }
}


static void
ngx_realtime_assist_present(void *data, ngx_uint_t online)
{
    ngx_realtime_assist_turn_t *turn = data;

    (void) ngx_realtime_assist_call("assistant.run",
        json_pack("{s:s%,s:b,s:b}", "roomId", turn->room.data, turn->room.len, "staffOnline",
            (int) online, "retell", (int) turn->retell),
        turn->timezone, ngx_realtime_assist_done);

    ngx_queue_remove(&turn->link);
    ngx_free(turn);
}


/* request: stolen, NULL without memory. Where no call can be posted the room goes on waiting. */
static ngx_int_t
ngx_realtime_assist_call(const char *op, json_t *request, rt_str_t timezone,
    ngx_realtime_task_done_pt done)
{
    rt_call_t *call;

    if (request == NULL) {
        return NGX_ERROR;
    }

    call = rt_call_create(rt_op_find(op), RT_DOOR_SOCKET, NULL, request, rt_str_null);
    if (call == NULL) {
        return NGX_ERROR;
    }

    call->timezone = timezone;

    if (ngx_realtime_task_post(call, done, NULL) == NULL) {
        rt_call_destroy(call);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_realtime_assist_done(rt_call_t *call, void *data)
{
    if (call->status != RT_OK || call->last_seq == 0) {
        return;
    }

    if (ngx_realtime_assist_remember(call) != NGX_OK) {
        return; /* it is told once more */
    }

    /* the emits go out right behind this */
    if (json_array_size(ngx_realtime_assist_told) >= NGX_REALTIME_ASSIST_TOLD) {
        ngx_realtime_assist_tell(&ngx_realtime_assist_told_timer);

    } else if (!ngx_realtime_assist_told_timer.timer_set) {
        ngx_add_timer(&ngx_realtime_assist_told_timer, NGX_REALTIME_ASSIST_TOLD_MS);
    }
}


static ngx_int_t
ngx_realtime_assist_remember(rt_call_t *call)
{
    json_t *room;

    if (ngx_realtime_assist_told == NULL) {
        ngx_realtime_assist_told = json_array();
    }

    room = json_pack("{s:s%,s:I}", "roomId", call->room_id.data, call->room_id.len, "seq",
        (json_int_t) call->last_seq);

    return json_array_append_new(ngx_realtime_assist_told, room) == 0 ? NGX_OK : NGX_ERROR;
}


static void
ngx_realtime_assist_tell(ngx_event_t *ev)
{
    json_t *rooms;

    rooms = ngx_realtime_assist_told;
    ngx_realtime_assist_told = NULL;

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    (void) ngx_realtime_assist_call("assistant.told", json_pack("{s:o}", "rooms", rooms),
        rt_str_null, ngx_realtime_assist_done);
}


static void
ngx_realtime_assist_look(ngx_event_t *ev)
{
    if (!ngx_realtime_assist_asking) {
        ngx_realtime_assist_asking = ngx_realtime_assist_call("assistant.due",
                                         json_pack("{s:i}", "ageMs", NGX_REALTIME_ASSIST_WAIT_MS),
                                         rt_str_null, ngx_realtime_assist_found)
            == NGX_OK;
    }

    ngx_add_timer(ev, NGX_REALTIME_ASSIST_LOOK_MS);
}


static void
ngx_realtime_assist_found(rt_call_t *call, void *data)
{
    size_t  i;
    json_t *reply, *room;

    ngx_realtime_assist_asking = 0;

    if (call->status != RT_OK || rt_json_parse(call->reply, &reply, NULL) != RT_OK) {
        return;
    }

    json_array_foreach(json_object_get(reply, "rooms"), i, room)
    {
        ngx_realtime_assist_begin(rt_json_get_str(room, "roomId"),
            rt_json_get_str(room, "businessId"),
            ngx_realtime_str(ngx_realtime_worker->conf->timezone), 1);
    }

    json_decref(reply);
}


char *
ngx_realtime_conf_timezone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                     *rv;
    ngx_realtime_loc_conf_t  *lcf = conf;
    ngx_realtime_main_conf_t *mcf;

    rv = ngx_conf_set_str_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (!rt_core_knows_zone(ngx_realtime_str(lcf->timezone))) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "invalid time zone \"%V\": write a name of the system's tzdata, as Europe/London",
            &lcf->timezone);
        return NGX_CONF_ERROR;
    }

    /* of rooms that are looked after later, without a location */
    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_realtime_module);

    if (mcf->timezone.len == 0 || cf->cmd_type == NGX_HTTP_MAIN_CONF) {
        mcf->timezone = lcf->timezone;
    }

    return NGX_CONF_OK;
}
