/* Reading from the store what the bus did not bring.
 *
 *     wanted (a channel's timer runs) ──▶ due ──▶ under way: one call for up to 256 of a kind
 *                 ▲                                │
 *                 └──── the store is away ─────────┤
 *                       or there is more           ▼
 *                                              delivered, in order, once (rt_order.h)
 *
 * One call is out at a time, so that a Redis that comes back does not make the workers of a cluster
 * ask the store for thousands of channels in one instant. It is about rooms or about notifications,
 * by turns when both are due. */

#include "ngx_realtime_heal.h"
#include "ngx_realtime_metrics.h"
#include "ngx_realtime_task.h"

#include <rt/rt_json.h>


#define NGX_REALTIME_HEAL_CHANNELS 256 /* what a call takes at most */
#define NGX_REALTIME_HEAL_RETRY_MS 1000
#define NGX_REALTIME_HEAL_AGAIN_MS 200   /* before a number is taken for one that was never given */
#define NGX_REALTIME_HEAL_DOUBTS   65536 /* rooms */

/* What is read in one call. */
typedef struct {
    const char *op;
    const char *list; /* the request's member, and the reply's */
    const char *name; /* of each of them: the channel's, without `prefix` bytes */
    size_t      prefix;
} ngx_realtime_heal_kind_t;

static const ngx_realtime_heal_kind_t ngx_realtime_heal_kinds[] = {
    {"notification.heal", "streams", "stream", 0},
    {"message.heal", "rooms", "roomId", sizeof("room:") - 1},
};

/* What a channel has of healing; made at the first need. */
struct ngx_realtime_heal_state_s {
    ngx_event_t                timer;
    ngx_queue_t                link;  /* queued: among those that are due */
    ngx_uint_t                 place; /* asked: in the batch */
    int64_t                    hole;  /* the number that was missing when the timer was set */
    ngx_realtime_heal_reason_e reason;
    unsigned                   wanted:1; /* also without a hole */
    unsigned                   queued:1;
    unsigned                   asked:1;
    unsigned                   again:1; /* the store did not have what is missing */
};

typedef struct ngx_realtime_heal_state_s ngx_realtime_heal_state_t;

/* A room in doubt. */
typedef struct {
    ngx_str_node_t node; /* first; the room's id stands behind this structure */
    ngx_queue_t    link;
    int64_t        after;
    unsigned       asked:1; /* in the call that is out */
} ngx_realtime_doubt_t;

/* What is asked: a channel of this worker's, or a doubt. */
typedef struct {
    ngx_realtime_channel_t *channel; /* NULL: it was freed meanwhile, or a doubt */
    ngx_realtime_doubt_t   *doubt;
    int64_t                 due; /* the channel's order stood there */
} ngx_realtime_heal_item_t;

/* A call that is out. */
typedef struct {
    ngx_realtime_heal_item_t items[NGX_REALTIME_HEAL_CHANNELS];
    ngx_uint_t               count;
    ngx_uint_t               room; /* 1: of rooms; in ngx_realtime_heal_kinds */
    unsigned                 out:1;
} ngx_realtime_heal_batch_t;

static void                  ngx_realtime_heal_timer_handler(ngx_event_t *ev);
static void                  ngx_realtime_heal_due(ngx_realtime_channel_t *ch);
static void                  ngx_realtime_heal_post(void);
static void                  ngx_realtime_heal_run(ngx_event_t *ev);
static ngx_uint_t            ngx_realtime_heal_any(ngx_uint_t room);
static json_t               *ngx_realtime_heal_gather(void);
static void                  ngx_realtime_heal_gather_doubts(json_t *list);
static ngx_int_t             ngx_realtime_heal_add(json_t *list, ngx_str_t *id, int64_t after);
static void                  ngx_realtime_heal_done(rt_call_t *call, void *data);
static void                  ngx_realtime_heal_failed(void);
static ngx_realtime_doubt_t *ngx_realtime_heal_doubted(const rt_emit_t *emit);
static void ngx_realtime_heal_settle(ngx_realtime_channel_t *ch, int64_t due, ngx_uint_t more);
static void ngx_realtime_heal_doubt_free(ngx_realtime_doubt_t *doubt);

static ngx_queue_t               ngx_realtime_heal_dues; /* channels, first come first */
static ngx_realtime_heal_batch_t ngx_realtime_heal_batch;
static ngx_event_t               ngx_realtime_heal_event; /* posted, or its timer runs */
static ngx_rbtree_t              ngx_realtime_doubts;
static ngx_rbtree_node_t         ngx_realtime_doubts_sentinel;
static ngx_queue_t               ngx_realtime_doubt_list;
static ngx_uint_t                ngx_realtime_doubt_count;


void
ngx_realtime_heal_init(void)
{
    ngx_queue_init(&ngx_realtime_heal_dues);
    ngx_queue_init(&ngx_realtime_doubt_list);
    ngx_rbtree_init(&ngx_realtime_doubts, &ngx_realtime_doubts_sentinel,
        ngx_str_rbtree_insert_value);

    ngx_memzero(&ngx_realtime_heal_batch, sizeof(ngx_realtime_heal_batch_t));
    ngx_memzero(&ngx_realtime_heal_event, sizeof(ngx_event_t));
    ngx_realtime_heal_event.handler = ngx_realtime_heal_run;
    ngx_realtime_heal_event.data = &ngx_realtime_no_connection;
    ngx_realtime_heal_event.log = ngx_cycle->log;
    ngx_realtime_heal_event.cancelable = 1;
}


void
ngx_realtime_heal_exit(void)
{
    while (!ngx_queue_empty(&ngx_realtime_doubt_list)) {
        ngx_realtime_heal_doubt_free(
            ngx_queue_data(ngx_queue_head(&ngx_realtime_doubt_list), ngx_realtime_doubt_t, link));
    }
}


void
ngx_realtime_heal_channel(ngx_realtime_channel_t *ch, ngx_realtime_heal_reason_e reason,
    ngx_msec_t after_ms)
{
    ngx_realtime_heal_state_t *heal;

    heal = ch->heal;

    if (heal == NULL) {
        heal = ngx_calloc(sizeof(ngx_realtime_heal_state_t), ngx_cycle->log);
        if (heal == NULL) {
            return; /* the next message finds the hole again */
        }

        heal->timer.handler = ngx_realtime_heal_timer_handler;
        heal->timer.data = ch;
        heal->timer.log = ngx_cycle->log;
        heal->timer.cancelable = 1;

        ch->heal = heal;
    }

    if (reason != NGX_REALTIME_HEAL_HOLE) {
        heal->wanted = 1;
        heal->reason = reason;
    }

    if (!heal->queued && !heal->asked && !heal->timer.timer_set) {
        heal->hole = ch->order.next;
        ngx_add_timer(&heal->timer, after_ms);
    }
}


void
ngx_realtime_heal_forget(ngx_realtime_channel_t *ch)
{
    ngx_realtime_heal_state_t *heal;

    heal = ch->heal;

    if (heal == NULL) {
        return;
    }

    if (heal->timer.timer_set) {
        ngx_del_timer(&heal->timer);
    }

    if (heal->queued) {
        ngx_queue_remove(&heal->link);
    }

    if (heal->asked) {
        ngx_realtime_heal_batch.items[heal->place].channel = NULL;
    }

    ngx_free(heal);
    ch->heal = NULL;
}


static void
ngx_realtime_heal_timer_handler(ngx_event_t *ev)
{
    ngx_realtime_channel_t *ch = ev->data;

    if (ch->order.next == 0) {
        return; /* nobody is in yet: who joins reads the history */
    }

    if (!ch->heal->wanted) {
        if (!rt_order_has_hole(&ch->order)) {
            return; /* what crossed has come */
        }

        if (ch->order.next != ch->heal->hole) {
            /* and this one is another, which is as young as that one was */
            ngx_realtime_heal_channel(ch, NGX_REALTIME_HEAL_HOLE, NGX_REALTIME_HEAL_HOLE_MS);
            return;
        }

        ch->heal->reason = NGX_REALTIME_HEAL_HOLE;
    }

    ngx_realtime_heal_due(ch);
}


static void
ngx_realtime_heal_due(ngx_realtime_channel_t *ch)
{
    ch->heal->queued = 1;
    ngx_queue_insert_tail(&ngx_realtime_heal_dues, &ch->heal->link);
    ngx_realtime_heal_post();
}


static void
ngx_realtime_heal_post(void)
{
    if (!ngx_realtime_heal_batch.out && !ngx_realtime_heal_event.timer_set) {
        ngx_post_event(&ngx_realtime_heal_event, &ngx_posted_events);
    }
}


void
ngx_realtime_heal_doubt(ngx_str_t *room_id, int64_t after)
{
    ngx_realtime_doubt_t *doubt;

    doubt = (ngx_realtime_doubt_t *) ngx_str_rbtree_lookup(&ngx_realtime_doubts, room_id,
        ngx_murmur_hash2(room_id->data, room_id->len));

    if (doubt != NULL) {
        if (after < doubt->after || doubt->asked) {
            doubt->after = ngx_min(after, doubt->after);
            doubt->asked = 0; /* once more: this one may have come after the look */
        }

        return;
    }

    if (ngx_realtime_doubt_count == NGX_REALTIME_HEAL_DOUBTS) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "realtime: too many rooms are in doubt");
        return;
    }

    doubt = ngx_calloc(sizeof(ngx_realtime_doubt_t) + room_id->len, ngx_cycle->log);
    if (doubt == NULL) {
        return;
    }

    doubt->node.str.data = (u_char *) doubt + sizeof(ngx_realtime_doubt_t);
    doubt->node.str.len = room_id->len;
    ngx_memcpy(doubt->node.str.data, room_id->data, room_id->len);
    doubt->node.node.key = ngx_murmur_hash2(room_id->data, room_id->len);
    doubt->after = after;

    ngx_rbtree_insert(&ngx_realtime_doubts, &doubt->node.node);
    ngx_queue_insert_tail(&ngx_realtime_doubt_list, &doubt->link);
    ngx_realtime_metrics->gauges.doubts = ++ngx_realtime_doubt_count;

    ngx_realtime_heal_post();
}


ngx_uint_t
ngx_realtime_heal_doubts(void)
{
    return ngx_realtime_doubt_count;
}


static void
ngx_realtime_heal_doubt_free(ngx_realtime_doubt_t *doubt)
{
    ngx_rbtree_delete(&ngx_realtime_doubts, &doubt->node.node);
    ngx_queue_remove(&doubt->link);
    ngx_realtime_metrics->gauges.doubts = --ngx_realtime_doubt_count;
    ngx_free(doubt);
}


/* Asks about the first that are due. */
static void
ngx_realtime_heal_run(ngx_event_t *ev)
{
    json_t                         *list;
    rt_call_t                      *call;
    ngx_realtime_task_t            *task;
    const ngx_realtime_heal_kind_t *kind;

    if (ngx_realtime_heal_batch.out) {
        return;
    }

    if (ngx_realtime_heal_any(!ngx_realtime_heal_batch.room)) {
        ngx_realtime_heal_batch.room = !ngx_realtime_heal_batch.room;
    }

    list = ngx_realtime_heal_gather();

    if (ngx_realtime_heal_batch.count == 0) {
        json_decref(list);
        return;
    }

    task = NULL;
    kind = &ngx_realtime_heal_kinds[ngx_realtime_heal_batch.room];
    call = rt_call_create(rt_op_find(kind->op), RT_DOOR_SOCKET, NULL,
        json_pack("{s:o}", kind->list, list), rt_str_null);

    if (call != NULL) {
        task = ngx_realtime_task_post(call, ngx_realtime_heal_done, NULL);
    }

    if (task == NULL) {
        rt_call_destroy(call);
        ngx_realtime_heal_failed();
        return;
    }

    ngx_realtime_heal_batch.out = 1;
}


/* 1: something of that kind is due. */
static ngx_uint_t
ngx_realtime_heal_any(ngx_uint_t room)
{
    ngx_queue_t               *q;
    ngx_realtime_channel_t    *ch;
    ngx_realtime_heal_state_t *heal;

    if (room && ngx_realtime_doubt_count) {
        return 1;
    }

    for (q = ngx_queue_head(&ngx_realtime_heal_dues);
         q != ngx_queue_sentinel(&ngx_realtime_heal_dues); q = ngx_queue_next(q))
    {
        heal = ngx_queue_data(q, ngx_realtime_heal_state_t, link);
        ch = heal->timer.data;

        if (ch->room == room) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_realtime_heal_gather_doubts(json_t *list)
{
    ngx_queue_t               *q;
    ngx_realtime_doubt_t      *doubt;
    ngx_realtime_heal_item_t  *item;
    ngx_realtime_heal_batch_t *batch = &ngx_realtime_heal_batch;

    for (q = ngx_queue_head(&ngx_realtime_doubt_list);
         q != ngx_queue_sentinel(&ngx_realtime_doubt_list)
         && batch->count < NGX_REALTIME_HEAL_CHANNELS / 2;
         q = ngx_queue_next(q))
    {
        doubt = ngx_queue_data(q, ngx_realtime_doubt_t, link);

        item = &batch->items[batch->count++];
        item->channel = NULL;
        item->doubt = doubt;
        doubt->asked = 1;
        ngx_realtime_metrics->counts.heal_reads[NGX_REALTIME_HEAL_DOUBT]++;

        if (ngx_realtime_heal_add(list, &doubt->node.str, doubt->after) != NGX_OK) {
            return;
        }
    }
}


/* Fills the batch; a new reference, or NULL without memory. */
static json_t *
ngx_realtime_heal_gather(void)
{
    json_t                    *list;
    size_t                     prefix;
    ngx_str_t                  id;
    ngx_queue_t               *q, *next;
    ngx_realtime_channel_t    *ch;
    ngx_realtime_heal_item_t  *item;
    ngx_realtime_heal_state_t *heal;
    ngx_realtime_heal_batch_t *batch = &ngx_realtime_heal_batch;

    batch->count = 0;
    prefix = ngx_realtime_heal_kinds[batch->room].prefix;
    list = json_array();

    if (batch->room) {
        ngx_realtime_heal_gather_doubts(list);
    }

    for (q = ngx_queue_head(&ngx_realtime_heal_dues);
         q != ngx_queue_sentinel(&ngx_realtime_heal_dues)
         && batch->count < NGX_REALTIME_HEAL_CHANNELS;
         q = next)
    {
        next = ngx_queue_next(q);
        heal = ngx_queue_data(q, ngx_realtime_heal_state_t, link);
        ch = heal->timer.data;

        if (ch->room != batch->room) {
            continue;
        }

        ngx_queue_remove(q);

        item = &batch->items[batch->count];
        item->channel = ch;
        item->doubt = NULL;
        item->due = ch->order.next;

        ngx_realtime_metrics->counts.heal_reads[heal->reason]++;

        heal->queued = 0;
        heal->wanted = 0;
        heal->asked = 1;
        heal->place = batch->count++;

        id.data = ch->node.str.data + prefix;
        id.len = ch->node.str.len - prefix;

        if (ngx_realtime_heal_add(list, &id, ngx_realtime_hub_lacks(ch) - 1) != NGX_OK) {
            return list;
        }
    }

    return list;
}


static ngx_int_t
ngx_realtime_heal_add(json_t *list, ngx_str_t *id, int64_t after)
{
    if (json_array_append_new(list,
            json_pack("{s:s%,s:I}", ngx_realtime_heal_kinds[ngx_realtime_heal_batch.room].name,
                (char *) id->data, id->len, "afterSeq", (json_int_t) after))
        != 0)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "realtime: no memory to heal channels");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* The store is away, or there was no memory: everything is asked again. */
static void
ngx_realtime_heal_failed(void)
{
    ngx_uint_t                 i;
    ngx_realtime_heal_item_t  *item;
    ngx_realtime_heal_batch_t *batch = &ngx_realtime_heal_batch;

    for (i = 0; i < batch->count; i++) {
        item = &batch->items[i];

        if (item->doubt != NULL) {
            item->doubt->asked = 0;

        } else if (item->channel != NULL) {
            item->channel->heal->asked = 0;
            item->channel->heal->wanted = 1;
            item->channel->heal->queued = 1;
            ngx_queue_insert_tail(&ngx_realtime_heal_dues, &item->channel->heal->link);
        }
    }

    batch->count = 0;

    if (!ngx_realtime_heal_event.timer_set) {
        ngx_add_timer(&ngx_realtime_heal_event, NGX_REALTIME_HEAL_RETRY_MS);
    }
}


static void
ngx_realtime_heal_done(rt_call_t *call, void *data)
{
    json_t                    *reply, *list;
    ngx_uint_t                 i, more;
    rt_emit_t                 *emit, *emits;
    ngx_realtime_doubt_t      *doubt;
    ngx_realtime_heal_item_t  *item;
    ngx_realtime_heal_batch_t *batch = &ngx_realtime_heal_batch;

    batch->out = 0;

    /* the task would publish them: most are only for this worker's members */
    emits = call->emits;
    call->emits = NULL;

    reply = NULL;

    if (call->status != RT_OK || rt_json_parse(call->reply, &reply, NULL) != RT_OK) {
        ngx_realtime_heal_failed();
        return;
    }

    for (emit = emits; emit != NULL; emit = emit->next) {
        ngx_realtime_metrics->counts.healed++;
        doubt = ngx_realtime_heal_doubted(emit);

        if (doubt != NULL) {
            doubt->after = ngx_max(doubt->after, emit->seq);
            ngx_realtime_hub_emit(emit);
        } else {
            ngx_realtime_hub_healed(emit);
        }
    }

    list = json_object_get(reply, ngx_realtime_heal_kinds[batch->room].list);

    for (i = 0; i < batch->count; i++) {
        item = &batch->items[i];
        more = json_is_true(json_object_get(json_array_get(list, i), "more"));

        if (item->doubt != NULL) {
            if (item->doubt->asked && !more) {
                ngx_realtime_heal_doubt_free(item->doubt);
            }

        } else if (item->channel != NULL) {
            ngx_realtime_heal_settle(item->channel, item->due, more);
        }
    }

    json_decref(reply);
    batch->count = 0;

    if (!ngx_queue_empty(&ngx_realtime_heal_dues) || !ngx_queue_empty(&ngx_realtime_doubt_list)) {
        ngx_realtime_heal_post();
    }
}


/* The doubt that the call was about, too, or NULL. */
static ngx_realtime_doubt_t *
ngx_realtime_heal_doubted(const rt_emit_t *emit)
{
    ngx_str_t             id;
    ngx_realtime_doubt_t *doubt;

    if (ngx_realtime_doubt_count == 0 || !ngx_realtime_heal_batch.room) {
        return NULL;
    }

    id.data = (u_char *) emit->channel.data + 5; /* behind "room:" */
    id.len = emit->channel.len - 5;

    doubt = (ngx_realtime_doubt_t *) ngx_str_rbtree_lookup(&ngx_realtime_doubts, &id,
        ngx_murmur_hash2(id.data, id.len));

    return doubt != NULL && doubt->asked ? doubt : NULL;
}


static void
ngx_realtime_heal_settle(ngx_realtime_channel_t *ch, int64_t due, ngx_uint_t more)
{
    ngx_realtime_heal_state_t *heal;

    heal = ch->heal;
    heal->asked = 0;

    if (more || heal->wanted) {
        heal->wanted = 1;
        ngx_realtime_heal_due(ch);
        return;
    }

    ngx_realtime_hub_told(ch);

    if (!rt_order_has_hole(&ch->order)) {
        heal->again = 0;
        return;
    }

    if (ch->order.next != due) {
        /* another hole, behind what came */
        heal->again = 0;
        heal->hole = ch->order.next;
        ngx_add_timer(&heal->timer, NGX_REALTIME_HEAL_HOLE_MS);
        return;
    }

    /* The store does not have it: it is on its way there, or a number that was never given. */

    if (!heal->again) {
        heal->again = 1;
        heal->hole = due;
        ngx_add_timer(&heal->timer, NGX_REALTIME_HEAL_AGAIN_MS);
        return;
    }

    heal->again = 0;
    ngx_realtime_hub_skip(ch);
}
