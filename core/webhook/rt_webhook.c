/* From an event to the outbox. Which businesses have webhooks is remembered by the process, so that
 * the many that have none cost a look into an array. What others changed is seen after two seconds,
 * what was changed here at once. */

#include <stdlib.h>
#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "webhook/rt_webhook.h"


#define rt_webhook_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)


static int
rt_webhook_compare_id(rt_str_t a, rt_str_t b)
{
    int    order;
    size_t len;

    len = a.len < b.len ? a.len : b.len;
    order = len ? memcmp(a.data, b.data, len) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}


static int
rt_webhook_compare(const void *a, const void *b)
{
    return rt_webhook_compare_id(((const rt_webhook_t *) a)->business_id,
        ((const rt_webhook_t *) b)->business_id);
}


/* The first row of the business, or count. Under the lock. */
static size_t
rt_webhooks_first(const rt_webhooks_t *webhooks, rt_str_t business_id)
{
    size_t low, high, middle;

    low = 0;
    high = webhooks->count;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (rt_webhook_compare_id(webhooks->rows[middle].business_id, business_id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }

    if (low < webhooks->count && rt_str_eq(webhooks->rows[low].business_id, business_id)) {
        return low;
    }

    return webhooks->count;
}


/* Whose outbox is full: counted, or as it was known. */
static rt_status_t
rt_webhooks_weigh(rt_webhooks_t *webhooks, rt_store_session_t *session, int count,
    const rt_webhook_list_t *list, int *full)
{
    size_t      i, first;
    int64_t     pending;
    rt_status_t status;

    for (i = 0; i < list->count; i++) {

        if (i && rt_str_eq(list->rows[i].business_id, list->rows[i - 1].business_id)) {
            full[i] = full[i - 1];
            continue;
        }

        if (!count) {
            pthread_mutex_lock(&webhooks->lock);
            first = rt_webhooks_first(webhooks, list->rows[i].business_id);
            full[i] = first < webhooks->count && webhooks->full[first];
            pthread_mutex_unlock(&webhooks->lock);
            continue;
        }

        status = session->store->ops->webhooks->pending(session, list->rows[i].business_id,
            RT_WEBHOOK_PENDING_MAX, &pending);
        if (status != RT_OK) {
            return status;
        }

        full[i] = pending >= RT_WEBHOOK_PENDING_MAX;

        if (full[i]) {
            rt_log(&webhooks->log, RT_LOG_WARN,
                "webhooks: %d deliveries of a business wait, what is newer is not queued",
                RT_WEBHOOK_PENDING_MAX);
        }
    }

    return RT_OK;
}


rt_status_t
rt_webhooks_refresh(rt_webhooks_t *webhooks, rt_store_session_t *session, int with_full)
{
    int              *full;
    rt_arena_t       *arena, *old;
    rt_status_t       status;
    rt_webhook_list_t list;

    arena = rt_arena_create(0);
    if (arena == NULL) {
        return RT_NO_MEMORY;
    }

    /* before it is read: what is changed meanwhile makes it stale again */
    atomic_store(&webhooks->stale, 0);

    full = NULL;
    memset(&list, 0, sizeof(list));
    status = session->store->ops->webhooks->list(session, arena, rt_str_null, &list);

    if (status == RT_OK && list.count) {
        qsort(list.rows, list.count, sizeof(rt_webhook_t), rt_webhook_compare);
        full = rt_arena_calloc(arena, list.count * sizeof(int));
        status = full ? rt_webhooks_weigh(webhooks, session, with_full, &list, full) : RT_NO_MEMORY;
    }

    if (status != RT_OK) {
        atomic_store(&webhooks->stale, 1);
        rt_arena_destroy(arena);
        return status;
    }

    pthread_mutex_lock(&webhooks->lock);
    old = webhooks->arena;
    webhooks->arena = arena;
    webhooks->rows = list.rows;
    webhooks->count = list.count;
    webhooks->full = full;
    pthread_mutex_unlock(&webhooks->lock);

    rt_arena_destroy(old);

    return RT_OK;
}


/* {"event":…,"businessId":…,"createdAt":…,"data":…} in the call's arena. */
static rt_str_t
rt_webhook_payload(rt_call_t *call, rt_str_t business_id, rt_webhook_event_t event, int64_t now_ms,
    rt_str_t data)
{
    rt_buf_t buf;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_webhook_put(&buf, "{\"event\":");
    rt_buf_append_json_string(&buf, rt_str_c(rt_webhook_event_names[event]));
    rt_webhook_put(&buf, ",\"businessId\":");
    rt_buf_append_json_string(&buf, business_id);
    rt_webhook_put(&buf, ",\"createdAt\":");
    rt_json_put_time(&buf, now_ms);
    rt_webhook_put(&buf, ",\"data\":");
    rt_buf_append_str(&buf, data);
    rt_webhook_put(&buf, "}");

    return rt_call_text(call, &buf);
}


static rt_status_t
rt_webhook_fill(rt_call_t *call, rt_delivery_t *row, rt_str_t webhook_id)
{
    char id[RT_ID_LEN + 1];

    rt_id_make(id);
    row->id = rt_arena_str(call->arena, (rt_str_t){id, RT_ID_LEN});
    row->webhook_id = rt_arena_str(call->arena, webhook_id);

    return row->id.data && row->webhook_id.data ? RT_OK : RT_NO_MEMORY;
}


/* Copies of the ids of those that want the event, in rows that are otherwise empty. */
static rt_status_t
rt_webhook_match(rt_call_t *call, rt_webhooks_t *webhooks, rt_str_t business_id,
    rt_webhook_event_t event, rt_delivery_t **rows, size_t *count)
{
    size_t      i, first, last;
    rt_status_t status;

    *count = 0;
    status = RT_OK;

    pthread_mutex_lock(&webhooks->lock);

    first = rt_webhooks_first(webhooks, business_id);

    for (last = first;
         last < webhooks->count && rt_str_eq(webhooks->rows[last].business_id, business_id); last++)
    { /* void */
    }

    if (first < last) {
        *rows = rt_arena_calloc(call->arena, (last - first) * sizeof(rt_delivery_t));
        status = *rows ? RT_OK : RT_NO_MEMORY;
    }

    for (i = first; i < last && status == RT_OK; i++) {

        if ((webhooks->rows[i].events & 1 << event) == 0) {
            continue;
        }

        if (webhooks->full[first]) {
            atomic_fetch_add(&webhooks->dropped, 1);
        } else {
            status = rt_webhook_fill(call, &(*rows)[(*count)++], webhooks->rows[i].id);
        }
    }

    pthread_mutex_unlock(&webhooks->lock);

    return status;
}


static rt_status_t
rt_webhook_queue(rt_call_t *call, rt_delivery_t *rows, size_t count, rt_str_t business_id,
    rt_webhook_event_t event, rt_str_t object_id, rt_str_t data)
{
    size_t      i;
    int64_t     now_ms;
    rt_str_t    payload;
    rt_status_t status;

    now_ms = rt_time_now_ms();
    payload = rt_webhook_payload(call, business_id, event, now_ms, data);
    if (payload.data == NULL) {
        return RT_NO_MEMORY;
    }

    for (i = 0; i < count; i++) {
        rows[i].business_id = business_id;
        rows[i].event = event;
        rows[i].object_id = object_id;
        rows[i].payload = payload;
        rows[i].created_at_ms = now_ms;
    }

    status = rt_call_store(call)->webhooks->queue(call->session, rows, count);

    if (status == RT_OK) {
        rt_webhooks_wake(call->core->webhooks);
    }

    return status;
}


rt_status_t
rt_webhook_enqueue(rt_call_t *call, rt_str_t business_id, rt_webhook_event_t event,
    rt_str_t object_id, rt_str_t data)
{
    size_t         count;
    rt_status_t    status;
    rt_delivery_t *rows;
    rt_webhooks_t *webhooks = call->core ? call->core->webhooks : NULL;

    if (webhooks == NULL) {
        return RT_OK;
    }

    count = 0;
    rows = NULL;
    status = RT_OK;

    if (atomic_load(&webhooks->stale)) {
        status = rt_webhooks_refresh(webhooks, call->session, 0);
    }

    if (status == RT_OK) {
        status = rt_webhook_match(call, webhooks, business_id, event, &rows, &count);
    }

    if (status == RT_OK && count) {
        status = rt_webhook_queue(call, rows, count, business_id, event, object_id, data);
    }

    if (status != RT_OK && !rt_call_store(call)->atomic) {
        atomic_fetch_add(&webhooks->dropped, count ? count : 1);
        rt_log(&webhooks->log, RT_LOG_ERROR,
            "webhooks: an event %s could not be queued, the store failed",
            rt_webhook_event_names[event]);
        return RT_OK;
    }

    return status;
}


rt_status_t
rt_webhook_enqueue_one(rt_call_t *call, const rt_webhook_t *webhook, rt_webhook_event_t event,
    rt_str_t object_id, rt_str_t data, rt_str_t *id)
{
    rt_status_t   status;
    rt_delivery_t row;

    memset(&row, 0, sizeof(row));
    status = rt_webhook_fill(call, &row, webhook->id);

    if (status == RT_OK) {
        status = rt_webhook_queue(call, &row, 1, webhook->business_id, event,
            object_id.len ? object_id : row.id, data);
    }

    *id = row.id;

    return status;
}
