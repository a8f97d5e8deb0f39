/* Webhooks: a business's own servers are told what happens, by POST. Nothing outside core/
 * includes this.
 *
 * An event becomes deliveries in the store, in the session of what it tells of (rt_webhook.c); a
 * thread of each worker claims those that are due and sends them (rt_webhook_run.c). */

#ifndef RT_WEBHOOK_H
#define RT_WEBHOOK_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "chat/rt_chat.h"


#define RT_WEBHOOK_PENDING_MAX 100000 /* of a business; past it the newest are not queued */
#define RT_WEBHOOK_ATTEMPTS    8

/* What one process knows: which webhooks there are, at most some seconds old. */
typedef struct rt_webhooks_s {
    rt_store_t *store;
    rt_log_t    log;
    int private;   /* 1: private addresses may be called */
    char *ca_file; /* NULL: the system's authorities */

    pthread_mutex_t lock; /* of what follows */
    rt_arena_t     *arena;
    rt_webhook_t   *rows; /* those that are active, by business */
    size_t          count;
    int            *full; /* 1: no more is queued for the row's business */

    atomic_int stale; /* rows must be read again before they are used */
    atomic_int woken; /* something was queued here */

    atomic_ullong dropped; /* deliveries that were not queued: the outbox was full, or failed */

    pthread_t  thread;
    void      *multi; /* CURLM * of the thread */
    atomic_int stop;
} rt_webhooks_t;

/* Starts the thread. ca_file: NULL, or copied. RT_NO_MEMORY or RT_ERROR with the reason. */
rt_status_t rt_webhooks_create(rt_webhooks_t **out, rt_store_t *store,
    const rt_core_options_t *options, rt_error_t *error);

/* Waits for the thread, and that shortly for what is being sent. Accepts NULL. */
void rt_webhooks_destroy(rt_webhooks_t *webhooks);

/* Queues the event for the business's webhooks that want it, in the call's session. data: JSON text
 * of what it is about, object_id its id: the same event of the same object is queued once. Costs
 * nearly nothing where a business has no webhook.
 *
 * returns  RT_OK, also when the outbox is full (logged), and on a store that is not atomic, where
 *          what it tells of is stored already, when it failed (logged). Else as the store says
 * threads  blocks on the store */
rt_status_t rt_webhook_enqueue(rt_call_t *call, rt_str_t business_id, rt_webhook_event_t event,
    rt_str_t object_id, rt_str_t data);

/* The same for one webhook, whatever it subscribes to. *id: the delivery's, in the call's arena. */
rt_status_t rt_webhook_enqueue_one(rt_call_t *call, const rt_webhook_t *webhook,
    rt_webhook_event_t event, rt_str_t object_id, rt_str_t data, rt_str_t *id);

/* Reads the active webhooks in a session of any kind; with_full: also whose outbox is full. */
rt_status_t rt_webhooks_refresh(rt_webhooks_t *webhooks, rt_store_session_t *session,
    int with_full);

/* Lets the thread look for what is due, soon. */
void rt_webhooks_wake(rt_webhooks_t *webhooks);

extern const rt_op_entry_t rt_webhook_ops[];


/* ---- rt_webhook_rules.c: pure */

/* 1: the address is one of the public internet's. */
int rt_webhook_address_public(const struct sockaddr *address);

/* The value of X-Realtime-Signature, NUL terminated: "sha256=" and 64 hex digits of HMAC-SHA-256
 * over timestamp, "." and body. RT_ERROR, RT_NO_MEMORY. */
#define RT_WEBHOOK_SIGNATURE_LEN (7 + 64)
rt_status_t rt_webhook_sign(char out[RT_WEBHOOK_SIGNATURE_LEN + 1], rt_str_t secret,
    rt_str_t timestamp, rt_str_t body);

/* How long to wait after that many attempts failed, spread by up to a tenth by `random`; -1: no
 * more. */
int64_t rt_webhook_backoff_ms(int64_t attempts, uint32_t random);

/* Checks an address that a person gave. RT_INVALID with a text that names the field. */
rt_status_t rt_webhook_check_url(rt_str_t url, rt_error_t *error);

#endif
