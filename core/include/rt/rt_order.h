/* The order of one channel's numbered events: what comes early waits, what comes twice is dropped,
 * a hole is told. One thread. */

#ifndef RT_ORDER_H
#define RT_ORDER_H

#include <rt/rt_base.h>


/* Zero-initialise. `next` is the seq that is due; 0: not known yet, everything waits. */
typedef struct {
    int64_t                 next;
    struct rt_order_item_s *waiting; /* sorted by seq */
    uint32_t                count;
} rt_order_t;

/* Items embed this as their first member. */
typedef struct rt_order_item_s {
    struct rt_order_item_s *next;
    int64_t                 seq;
} rt_order_item_t;

#define RT_ORDER_WAITING_MAX 1024

/* Puts an item in its place. RT_OK: it waits, or is due (take it with rt_order_take).
 * RT_DECLINED: it was delivered before, or waits already (or its seq is none: they start at 1): the
 * caller keeps it.
 * RT_UNAVAILABLE: RT_ORDER_WAITING_MAX wait already: the caller keeps it and heals. The item that
 * is due is never refused so. */
rt_status_t rt_order_put(rt_order_t *order, rt_order_item_t *item);

/* The item that is due, taken out, or NULL: none, or a hole before the first that waits. */
rt_order_item_t *rt_order_take(rt_order_t *order);

/* Says where the order stands: everything up to `seq` is known to be delivered or superseded. Never
 * moves back. Items at or below it are handed out through *dropped (a list), to be freed. */
void rt_order_advance(rt_order_t *order, int64_t seq, rt_order_item_t **dropped);

/* 1 when something waits behind a hole; 0 while `next` is not known yet. */
int rt_order_has_hole(const rt_order_t *order);

/* Empties it: everything that waits, as a list. */
rt_order_item_t *rt_order_clear(rt_order_t *order);

#endif
