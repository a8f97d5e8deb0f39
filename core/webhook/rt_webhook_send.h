/* One POST on its way. */

#ifndef RT_WEBHOOK_SEND_H
#define RT_WEBHOOK_SEND_H

#include <curl/curl.h>

#include "webhook/rt_webhook.h"


typedef struct {
    CURL              *easy; /* NULL: the place is free */
    struct curl_slist *headers;
    rt_arena_t        *arena;   /* of what follows */
    rt_delivery_t      row;     /* as it was claimed; rt_webhook_send_end brings it up to date */
    int64_t            claimed; /* its attempts then */
    int private;                /* 1: private addresses are allowed */
    int    refused;             /* 1: an address was not */
    size_t received;            /* bytes of the answer */
    int    over;                /* 1: rt_webhook_send_end was called, or it was given up */
    int    gone;                /* 1: the receiver wants no more (410) */
} rt_webhook_send_t;

/* Makes the request in the memory given; the row and the webhook are copied. On failure nothing is
 * left. RT_NO_MEMORY, RT_ERROR. */
rt_status_t rt_webhook_send_begin(rt_webhook_send_t *send, const rt_webhooks_t *webhooks,
    const rt_delivery_t *row, const rt_webhook_t *webhook);

/* What became of it: attempts, next_at_ms, status, last_status, last_error, delivered_at_ms. */
void rt_webhook_send_end(rt_webhook_send_t *send, CURLcode code);

/* Frees it; the place is free then. The easy handle must be out of its multi handle. */
void rt_webhook_send_clear(rt_webhook_send_t *send);

#endif
