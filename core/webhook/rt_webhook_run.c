/* The thread that sends: claims what is due, a few at a time, and keeps some POSTs going.
 *
 * Where no business has a webhook it asks the store for them every two seconds, and seldom for what
 * others have left. A receiver that hangs holds at most a few of the places, so that the others go
 * on. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rt/rt_text.h>

#include "base/rt_thread.h"
#include "webhook/rt_webhook_send.h"


#define RT_WEBHOOK_SENDS       32 /* at the same time, of each worker */
#define RT_WEBHOOK_SENDS_EACH  4  /* of one webhook, where others wait too */
#define RT_WEBHOOK_CLAIM       4
#define RT_WEBHOOK_TICK_MS     1000
#define RT_WEBHOOK_IDLE_MS     10000 /* the same where there is no webhook */
#define RT_WEBHOOK_REFRESH_MS  2000
#define RT_WEBHOOK_WEIGH_MS    10000
#define RT_WEBHOOK_COMMIT_US   30000 /* what was just queued is committed by then, mostly */
#define RT_WEBHOOK_SWEEP_MS    600000
#define RT_WEBHOOK_SWEEP_ROWS  500
#define RT_WEBHOOK_KEEP_MS     (7 * 24 * 3600 * 1000LL)
#define RT_WEBHOOK_PATIENCE_MS 1000 /* of the end, for what is on its way */

/* The thread's own. */
typedef struct {
    rt_webhooks_t    *webhooks;
    CURLM            *multi;
    int64_t           refreshed_ms;
    int64_t           weighed_ms;
    int64_t           swept_ms;
    int64_t           asked_ms; /* what is due */
    size_t            busy;
    rt_webhook_send_t sends[RT_WEBHOOK_SENDS];
} rt_webhook_run_t;


static pthread_once_t rt_webhook_once = PTHREAD_ONCE_INIT;


static void
rt_webhook_init(void)
{
    (void) curl_global_init(CURL_GLOBAL_DEFAULT);
}


void
rt_webhooks_wake(rt_webhooks_t *webhooks)
{
    if (atomic_exchange(&webhooks->woken, 1) == 0) {
        (void) curl_multi_wakeup(webhooks->multi);
    }
}


/* One session around a function of the thread. */
typedef rt_status_t (*rt_webhook_step_pt)(rt_webhook_run_t *run, rt_store_session_t *session);

static rt_status_t
rt_webhook_session(rt_webhook_run_t *run, rt_store_mode_t mode, rt_webhook_step_pt step)
{
    rt_store_t         *store = run->webhooks->store;
    rt_status_t         status, ended;
    rt_store_session_t *session;

    status = store->ops->begin(store, mode, &session);
    if (status != RT_OK) {
        return status;
    }

    status = step(run, session);
    ended = store->ops->end(session, status == RT_OK);

    return status == RT_OK ? ended : status;
}


static rt_status_t
rt_webhook_step_refresh(rt_webhook_run_t *run, rt_store_session_t *session)
{
    int         weigh;
    int64_t     now_ms;
    rt_status_t status;

    now_ms = rt_time_now_ms();
    weigh = now_ms - run->weighed_ms >= RT_WEBHOOK_WEIGH_MS;
    status = rt_webhooks_refresh(run->webhooks, session, weigh);

    if (status == RT_OK && weigh) {
        run->weighed_ms = now_ms;
    }

    return status;
}


/* RT_AGAIN: something is due. */
static rt_status_t
rt_webhook_step_due(rt_webhook_run_t *run, rt_store_session_t *session)
{
    int         due;
    rt_status_t status;

    status = session->store->ops->webhooks->due(session, rt_time_now_ms(), &due);
    (void) run;

    return status == RT_OK && due ? RT_AGAIN : status;
}


/* The webhooks that have as many sends as they may. Returns how many. */
static size_t
rt_webhook_except(const rt_webhook_run_t *run, rt_str_t *except)
{
    size_t i, j, n, same;

    n = 0;

    for (i = 0; i < RT_WEBHOOK_SENDS; i++) {

        if (run->sends[i].easy == NULL) {
            continue;
        }

        same = 0;

        for (j = 0; j <= i; j++) {
            same += run->sends[j].easy != NULL
                && rt_str_eq(run->sends[j].row.webhook_id, run->sends[i].row.webhook_id);
        }

        if (same == RT_WEBHOOK_SENDS_EACH) {
            except[n++] = run->sends[i].row.webhook_id;
        }
    }

    return n;
}


static rt_webhook_send_t *
rt_webhook_place(rt_webhook_run_t *run)
{
    size_t i;

    for (i = 0; i < RT_WEBHOOK_SENDS; i++) {
        if (run->sends[i].easy == NULL) {
            return &run->sends[i];
        }
    }

    return NULL;
}


/* A webhook that is no more, or not active: its deliveries are over. */
static rt_status_t
rt_webhook_refuse(rt_store_session_t *session, rt_delivery_t *row)
{
    row->status = RT_DELIVERY_FAILED;
    row->last_error = rt_str("The webhook was deleted or is not active");

    return session->store->ops->webhooks->settle(session, row, row->attempts);
}


static rt_status_t
rt_webhook_start(rt_webhook_run_t *run, rt_store_session_t *session, rt_arena_t *arena,
    rt_delivery_t *row)
{
    rt_status_t        status;
    rt_webhook_t      *webhook;
    rt_webhook_send_t *send;

    status =
        session->store->ops->webhooks->get(session, arena, rt_str_null, row->webhook_id, &webhook);
    if (status != RT_OK) {
        return status;
    }

    if (webhook == NULL || !webhook->is_active) {
        return rt_webhook_refuse(session, row);
    }

    send = rt_webhook_place(run);
    if (send == NULL) {
        return RT_OK; /* there are places for what is claimed */
    }

    status = rt_webhook_send_begin(send, run->webhooks, row, webhook);
    if (status != RT_OK) {
        return status;
    }

    run->busy++;

    return RT_OK;
}


/* What is claimed is sent only when that is durable: rt_webhook_go adds it to the multi handle.
 * RT_AGAIN: there may be more. */
static rt_status_t
rt_webhook_step_claim(rt_webhook_run_t *run, rt_store_session_t *session)
{
    size_t             i, count;
    rt_str_t           except[RT_WEBHOOK_SENDS];
    rt_arena_t        *arena;
    rt_status_t        status;
    rt_delivery_list_t list;

    arena = rt_arena_create(0);
    if (arena == NULL) {
        return RT_NO_MEMORY;
    }

    count = rt_webhook_except(run, except);
    memset(&list, 0, sizeof(list));

    status = session->store->ops->webhooks->claim(session, arena, rt_time_now_ms(),
        RT_WEBHOOK_CLAIM, except, count, &list);

    for (i = 0; i < list.count && status == RT_OK; i++) {
        status = rt_webhook_start(run, session, arena, &list.rows[i]);
    }

    run->asked_ms = list.count == RT_WEBHOOK_CLAIM ? 0 : run->asked_ms;
    rt_arena_destroy(arena);

    return status;
}


/* Sends what has been claimed, or lets go of it when the claim failed: its time comes again. */
static void
rt_webhook_go(rt_webhook_run_t *run, const int *was_busy, rt_status_t claimed)
{
    size_t i;

    for (i = 0; i < RT_WEBHOOK_SENDS; i++) {

        if (was_busy[i] || run->sends[i].easy == NULL) {
            continue;
        }

        if (claimed != RT_OK || curl_multi_add_handle(run->multi, run->sends[i].easy) != CURLM_OK) {
            rt_webhook_send_clear(&run->sends[i]);
            run->busy--;
        }
    }
}


static void
rt_webhook_claim(rt_webhook_run_t *run)
{
    int         was_busy[RT_WEBHOOK_SENDS];
    size_t      i;
    rt_status_t status;

    while (run->busy + RT_WEBHOOK_CLAIM <= RT_WEBHOOK_SENDS && !atomic_load(&run->webhooks->stop)) {

        if (rt_webhook_session(run, RT_STORE_READ, rt_webhook_step_due) != RT_AGAIN) {
            return;
        }

        for (i = 0; i < RT_WEBHOOK_SENDS; i++) {
            was_busy[i] = run->sends[i].easy != NULL;
        }

        run->asked_ms = rt_time_now_ms();
        status = rt_webhook_session(run, RT_STORE_WRITE, rt_webhook_step_claim);
        rt_webhook_go(run, was_busy, status);

        if (status != RT_OK || run->asked_ms != 0) {
            return;
        }
    }
}


/* A receiver that said 410 is left alone from now on. */
static rt_status_t
rt_webhook_deactivate(rt_store_session_t *session, rt_webhooks_t *webhooks,
    const rt_webhook_send_t *send)
{
    rt_status_t   status;
    rt_webhook_t *webhook;

    status = session->store->ops->webhooks->get(session, send->arena, rt_str_null,
        send->row.webhook_id, &webhook);

    if (status != RT_OK || webhook == NULL) {
        return status;
    }

    webhook->is_active = 0;
    webhook->updated_at_ms = rt_time_now_ms();
    atomic_store(&webhooks->stale, 1);

    return session->store->ops->webhooks->change(session, webhook);
}


/* Those that are over: row.next_at_ms or status say so, and easy is out of the multi handle. */
static rt_status_t
rt_webhook_step_settle(rt_webhook_run_t *run, rt_store_session_t *session)
{
    size_t             i;
    rt_status_t        status;
    rt_webhook_send_t *send;

    for (i = 0; i < RT_WEBHOOK_SENDS; i++) {
        send = &run->sends[i];

        if (send->easy == NULL || !send->over) {
            continue;
        }

        status = session->store->ops->webhooks->settle(session, &send->row, send->claimed);

        if (status == RT_OK && send->gone) {
            status = rt_webhook_deactivate(session, run->webhooks, send);
        }

        if (status != RT_OK) {
            return status;
        }
    }

    return RT_OK;
}


/* Writes down what came of those that are over. When the store fails they are sent again after
 * their lease. */
static void
rt_webhook_settle(rt_webhook_run_t *run, size_t over)
{
    size_t i;

    if (over == 0) {
        return;
    }

    (void) rt_webhook_session(run, RT_STORE_WRITE, rt_webhook_step_settle);

    for (i = 0; i < RT_WEBHOOK_SENDS; i++) {
        if (run->sends[i].easy != NULL && run->sends[i].over) {
            rt_webhook_send_clear(&run->sends[i]);
            run->busy--;
        }
    }
}


static void
rt_webhook_perform(rt_webhook_run_t *run)
{
    int                left;
    CURL              *easy;
    size_t             over;
    CURLMsg           *message;
    CURLcode           code;
    rt_webhook_send_t *send;

    over = 0;
    (void) curl_multi_perform(run->multi, &left);

    while ((message = curl_multi_info_read(run->multi, &left)) != NULL) {

        if (message->msg != CURLMSG_DONE) {
            continue;
        }

        /* the message dies with the handle's removal */
        easy = message->easy_handle;
        code = message->data.result;
        (void) curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &send);
        (void) curl_multi_remove_handle(run->multi, easy);

        rt_webhook_send_end(send, code);
        send->over = 1;
        over++;
    }

    rt_webhook_settle(run, over);
}


static rt_status_t
rt_webhook_step_sweep(rt_webhook_run_t *run, rt_store_session_t *session)
{
    int64_t     now_ms, removed;
    rt_status_t status;

    now_ms = rt_time_now_ms();
    status = session->store->ops->webhooks->sweep(session, now_ms - RT_WEBHOOK_KEEP_MS,
        RT_WEBHOOK_SWEEP_ROWS, &removed);

    /* the next slice soon */
    run->swept_ms = removed == RT_WEBHOOK_SWEEP_ROWS
        ? now_ms - RT_WEBHOOK_SWEEP_MS + RT_WEBHOOK_TICK_MS
        : now_ms;

    return status;
}


static void
rt_webhook_tick(rt_webhook_run_t *run)
{
    size_t         count;
    int64_t        now_ms;
    rt_webhooks_t *webhooks = run->webhooks;

    now_ms = rt_time_now_ms();

    if (now_ms - run->refreshed_ms >= RT_WEBHOOK_REFRESH_MS || atomic_load(&webhooks->stale)) {
        run->refreshed_ms = now_ms;
        (void) rt_webhook_session(run, RT_STORE_READ, rt_webhook_step_refresh);
    }

    if (now_ms - run->swept_ms >= RT_WEBHOOK_SWEEP_MS) {
        run->swept_ms = now_ms;
        (void) rt_webhook_session(run, RT_STORE_WRITE, rt_webhook_step_sweep);
    }

    /* count is written by this thread and by calls: a value that is a moment old does */
    if (atomic_exchange(&webhooks->woken, 0)) {
        usleep(RT_WEBHOOK_COMMIT_US);
        run->asked_ms = 0;
    }

    pthread_mutex_lock(&webhooks->lock);
    count = webhooks->count;
    pthread_mutex_unlock(&webhooks->lock);

    /* what the last webhook has left is over, too, and forgotten with time */
    if (now_ms - run->asked_ms >= (count ? RT_WEBHOOK_TICK_MS : RT_WEBHOOK_IDLE_MS)) {
        run->asked_ms = now_ms;
        rt_webhook_claim(run);
    }
}


/* At the end: what is not answered by now is due again at once, for others. */
static void
rt_webhook_leave(rt_webhook_run_t *run)
{
    int     left;
    size_t  i, over;
    int64_t until_ms;

    until_ms = rt_time_now_ms() + RT_WEBHOOK_PATIENCE_MS;

    while (run->busy && rt_time_now_ms() < until_ms) {
        rt_webhook_perform(run);
        (void) curl_multi_poll(run->multi, NULL, 0, 50, &left);
    }

    over = 0;

    for (i = 0; i < RT_WEBHOOK_SENDS; i++) {
        if (run->sends[i].easy != NULL) {
            (void) curl_multi_remove_handle(run->multi, run->sends[i].easy);
            run->sends[i].row.attempts--;
            run->sends[i].row.next_at_ms = rt_time_now_ms();
            run->sends[i].over = 1;
            over++;
        }
    }

    rt_webhook_settle(run, over);
}


static void *
rt_webhook_thread(void *data)
{
    int               left;
    rt_webhook_run_t *run = data;
    rt_webhooks_t    *webhooks = run->webhooks;

    run->swept_ms = rt_time_now_ms();

    while (!atomic_load(&webhooks->stop)) {
        rt_webhook_tick(run);
        rt_webhook_perform(run);

        if (!atomic_load(&webhooks->woken) && !atomic_load(&webhooks->stop)) {
            (void) curl_multi_poll(run->multi, NULL, 0, RT_WEBHOOK_TICK_MS / 2, &left);
        }
    }

    rt_webhook_leave(run);
    free(run);

    return NULL;
}


static void
rt_webhooks_free(rt_webhooks_t *webhooks)
{
    if (webhooks->multi != NULL) {
        (void) curl_multi_cleanup(webhooks->multi);
    }

    pthread_mutex_destroy(&webhooks->lock);
    rt_arena_destroy(webhooks->arena);
    free(webhooks->ca_file);
    free(webhooks);
}


rt_status_t
rt_webhooks_create(rt_webhooks_t **out, rt_store_t *store, const rt_core_options_t *options,
    rt_error_t *error)
{
    rt_webhooks_t    *webhooks;
    rt_webhook_run_t *run;

    pthread_once(&rt_webhook_once, rt_webhook_init);

    webhooks = calloc(1, sizeof(rt_webhooks_t));
    if (webhooks == NULL) {
        return rt_error_set(error, RT_NO_MEMORY, "no memory");
    }

    webhooks->store = store;
    webhooks->log = options->log;
    webhooks->private = options->webhooks_private;
    atomic_store(&webhooks->stale, 1);
    pthread_mutex_init(&webhooks->lock, NULL);
    webhooks->multi = curl_multi_init();
    run = calloc(1, sizeof(rt_webhook_run_t));

    if (options->webhooks_ca.len) {
        webhooks->ca_file = strndup(options->webhooks_ca.data, options->webhooks_ca.len);
    }

    if (webhooks->multi == NULL || run == NULL
        || (options->webhooks_ca.len && webhooks->ca_file == NULL))
    {
        free(run);
        rt_webhooks_free(webhooks);
        return rt_error_set(error, RT_NO_MEMORY, "no memory");
    }

    run->webhooks = webhooks;
    run->multi = webhooks->multi;

    if (rt_thread_start(&webhooks->thread, rt_webhook_thread, run) != 0) {
        free(run);
        rt_webhooks_free(webhooks);
        return rt_error_set(error, RT_ERROR, "webhooks: can't make a thread");
    }

    *out = webhooks;

    return RT_OK;
}


void
rt_webhooks_destroy(rt_webhooks_t *webhooks)
{
    if (webhooks == NULL) {
        return;
    }

    atomic_store(&webhooks->stop, 1);
    (void) curl_multi_wakeup(webhooks->multi);
    (void) pthread_join(webhooks->thread, NULL);
    rt_webhooks_free(webhooks);
}
