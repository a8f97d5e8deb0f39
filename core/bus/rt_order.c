/* The order of one channel's numbered events: a list of what came early, sorted by seq. It is
 * bounded, and nearly always empty or short: publishes of two workers may cross. */

#include <rt/rt_order.h>


rt_status_t
rt_order_put(rt_order_t *order, rt_order_item_t *item)
{
    rt_order_item_t **at;

    /* numbers start at 1; the largest has none after it */
    if (item->seq < 1 || item->seq == INT64_MAX || item->seq < order->next) {
        return RT_DECLINED;
    }

    at = &order->waiting;

    while (*at != NULL && (*at)->seq < item->seq) {
        at = &(*at)->next;
    }

    if (*at != NULL && (*at)->seq == item->seq) {
        return RT_DECLINED;
    }

    /* The one that is due is never refused: it lets the others go. */
    if (order->count >= RT_ORDER_WAITING_MAX && item->seq != order->next) {
        return RT_UNAVAILABLE;
    }

    item->next = *at;
    *at = item;
    order->count++;

    return RT_OK;
}


static rt_order_item_t *
rt_order_pop(rt_order_t *order)
{
    rt_order_item_t *item;

    item = order->waiting;
    order->waiting = item->next;
    order->count--;
    item->next = NULL;

    return item;
}


rt_order_item_t *
rt_order_take(rt_order_t *order)
{
    if (order->waiting == NULL || order->waiting->seq != order->next) {
        return NULL;
    }

    order->next++;

    return rt_order_pop(order);
}


void
rt_order_advance(rt_order_t *order, int64_t seq, rt_order_item_t **dropped)
{
    rt_order_item_t **end;

    *dropped = NULL;
    end = dropped;

    if (seq < 0 || seq == INT64_MAX || seq < order->next) {
        return;
    }

    order->next = seq + 1;

    while (order->waiting != NULL && order->waiting->seq <= seq) {
        *end = rt_order_pop(order);
        end = &(*end)->next;
    }
}


int
rt_order_has_hole(const rt_order_t *order)
{
    return order->waiting != NULL && order->next != 0 && order->waiting->seq != order->next;
}


rt_order_item_t *
rt_order_clear(rt_order_t *order)
{
    rt_order_item_t *all;

    all = order->waiting;
    order->waiting = NULL;
    order->count = 0;

    return all;
}
