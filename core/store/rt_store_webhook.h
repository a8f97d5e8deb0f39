/* What a store keeps for webhooks: whom to tell, and the deliveries, which are outbox and log.
 *
 * A delivery that is claimed becomes due again a minute later and has one more attempt: so the
 * claim of a worker that died ends by itself, and what a slow one reports after its time is told
 * apart by the number of attempts. Errors, threads and sessions: as in rt_store.h. */

#ifndef RT_STORE_WEBHOOK_H
#define RT_STORE_WEBHOOK_H

#include <rt/rt_base.h>


typedef struct rt_store_session_s rt_store_session_t;

/* Kept as bits in SQLite's rows: never renumber. */
typedef enum {
    RT_WEBHOOK_MESSAGE_CREATED = 0,
    RT_WEBHOOK_CONVERSATION_CREATED = 1,
    RT_WEBHOOK_NOTIFICATION_CREATED = 2,
    RT_WEBHOOK_PING = 3 /* only when asked for: nobody subscribes to it */
} rt_webhook_event_t;

/* By number, NULL terminated: "message.created", … */
extern const char *const rt_webhook_event_names[];

/* The numbers are kept in SQLite's rows: never renumber. */
typedef enum {
    RT_DELIVERY_PENDING = 0,
    RT_DELIVERY_DELIVERED = 1,
    RT_DELIVERY_FAILED = 2
} rt_delivery_status_t;

extern const char *const rt_delivery_status_names[];

#define RT_WEBHOOKS_PER_BUSINESS 20 /* as who adds one looks at */
#define RT_WEBHOOK_LEASE_MS      60000

typedef struct {
    rt_str_t id;
    rt_str_t business_id;
    rt_str_t url;
    int64_t  events; /* bits: 1 << rt_webhook_event_t */
    rt_str_t secret;
    rt_str_t description; /* empty for null */
    int      is_active;
    int64_t  created_at_ms;
    int64_t  updated_at_ms;
} rt_webhook_t;

typedef struct {
    rt_webhook_t *rows;
    size_t        count;
} rt_webhook_list_t;

typedef struct {
    rt_str_t           id;
    rt_str_t           webhook_id;
    rt_str_t           business_id;
    rt_webhook_event_t event;
    rt_str_t           object_id; /* with webhook_id and event: what is queued only once */
    rt_str_t           payload;   /* JSON text: the body that is sent */
    int64_t            attempts;  /* those that were begun */
    int64_t            next_at_ms;
    int                status;      /* rt_delivery_status_t */
    int64_t            last_status; /* of HTTP; 0: there was no answer */
    rt_str_t           last_error;  /* empty for null */
    int64_t            created_at_ms;
    int64_t            delivered_at_ms; /* 0: it is not */
} rt_delivery_t;

typedef struct {
    rt_delivery_t *rows;
    size_t         count;
    int64_t        total; /* of deliveries_list */
} rt_delivery_list_t;

typedef struct {
    rt_str_t webhook_id;
    int      status; /* rt_delivery_status_t; -1 does not filter */
    int64_t  offset;
    int64_t  limit;
} rt_delivery_query_t;

typedef struct {
    rt_status_t (*add)(rt_store_session_t *session, const rt_webhook_t *webhook);

    /* *out is NULL when there is none of that id, or (business_id not empty) it is another's. */
    rt_status_t (*get)(rt_store_session_t *session, rt_arena_t *arena, rt_str_t business_id,
        rt_str_t id, rt_webhook_t **out);

    /* Oldest first; business_id empty: those of all that are active. */
    rt_status_t (*list)(rt_store_session_t *session, rt_arena_t *arena, rt_str_t business_id,
        rt_webhook_list_t *out);

    /* Writes everything but id, business_id and created_at_ms. */
    rt_status_t (*change)(rt_store_session_t *session, const rt_webhook_t *webhook);

    /* Its deliveries stay, and fail when they are due. */
    rt_status_t (*remove)(rt_store_session_t *session, const rt_webhook_t *webhook);

    /* Stores pending deliveries; one that is there already is left as it is. */
    rt_status_t (*queue)(rt_store_session_t *session, const rt_delivery_t *rows, size_t count);

    /* How many of the business are pending, counted up to `max`. */
    rt_status_t (
        *pending)(rt_store_session_t *session, rt_str_t business_id, int64_t max, int64_t *out);

    /* *out: 1 when something is due. Cheap; in a read session. */
    rt_status_t (*due)(rt_store_session_t *session, int64_t now_ms, int *out);

    /* Takes at most `limit` that are due, the longest due first, none of the webhooks `except`. */
    rt_status_t (*claim)(rt_store_session_t *session, rt_arena_t *arena, int64_t now_ms,
        int64_t limit, const rt_str_t *except, size_t except_count, rt_delivery_list_t *out);

    /* Writes attempts, next_at_ms, status, last_status, last_error and delivered_at_ms of one that
     * is pending with `claimed` attempts; does nothing when it is another's meanwhile. */
    rt_status_t (*settle)(rt_store_session_t *session, const rt_delivery_t *row, int64_t claimed);

    /* Newest first. */
    rt_status_t (*deliveries_list)(rt_store_session_t *session, rt_arena_t *arena,
        const rt_delivery_query_t *query, rt_delivery_list_t *out);

    /* Makes one pending with no attempts. RT_NOT_FOUND: the webhook has none of that id. */
    rt_status_t (
        *retry)(rt_store_session_t *session, rt_str_t webhook_id, rt_str_t id, int64_t now_ms);

    /* Removes at most `limit` that are not pending and were made before. */
    rt_status_t (
        *sweep)(rt_store_session_t *session, int64_t before_ms, int64_t limit, int64_t *removed);
} rt_store_webhook_ops_t;

extern const rt_store_webhook_ops_t rt_store_sqlite_webhooks;
extern const rt_store_webhook_ops_t rt_store_mongo_webhooks;

#endif
