/* What dashboards are told of people coming and going.
 *
 * While a worker has a dashboard of a business it keeps who of that business is online, and on
 * which workers: from the workers' notices, and from asking all of them when the first dashboard
 * comes and whenever something may have been missed. A person is told online with the first worker
 * that has them, and offline with the last one. While the workers are being asked nobody is told;
 * who was only heard of by a notice meanwhile is new. Every worker tells its own dashboards. */

#include "ngx_realtime_presence.h"
#include "ngx_realtime_hub.h"

#include <rt/rt_text.h>


#define NGX_REALTIME_WATCH_ASK_MS 1000 /* how long workers may take to answer */
#define NGX_REALTIME_WATCH_GAP_MS 700  /* others may be coming back, too */

/* How often those who have not answered in time are asked again: a busy worker is worth waiting
 * for, a stopped one is not. */
#define NGX_REALTIME_WATCH_PATIENCE 10

/* A person on one worker. */
typedef struct {
    ngx_realtime_worker_id_t worker;
    uint32_t                 round;   /* of asking, when it was last confirmed */
    unsigned                 fresh:1; /* came by a notice while others were asked */
} ngx_realtime_sight_t;

typedef struct {
    ngx_str_node_t        node; /* first; user, then role, stand behind this structure */
    ngx_str_t             role;
    ngx_realtime_sight_t *sights;
    ngx_uint_t            count;
    ngx_uint_t            size;
    ngx_msec_t            gone_at; /* fading: since when */
    ngx_queue_t           link;
    unsigned              told:1;   /* dashboards know that it is online */
    unsigned              fading:1; /* nowhere, but may come back */
} ngx_realtime_seen_t;

typedef struct {
    ngx_str_node_t            node; /* first; the name stands behind this structure */
    ngx_uint_t                dashboards;
    ngx_rbtree_t              people;
    ngx_rbtree_node_t         sentinel;
    ngx_queue_t               fading; /* longest gone first */
    ngx_event_t               fade_timer;
    ngx_event_t               ask_timer;
    ngx_realtime_bus_wait_t  *wait; /* while others are asked */
    ngx_uint_t                asking;
    ngx_uint_t                late;     /* somebody has not answered in time, */
    ngx_uint_t                patience; /* and will be asked so many times again */
    uint32_t                  round;
    ngx_realtime_worker_id_t *answered; /* in this round */
    ngx_uint_t                answered_count;
    ngx_uint_t                answered_size;
    ngx_str_t                 cursor; /* who have more go on behind it; allocated, or empty */
} ngx_realtime_watch_t;

static ngx_realtime_watch_t *ngx_realtime_watch_find(ngx_str_t *business);
static void                  ngx_realtime_watch_free(ngx_realtime_watch_t *watch);
static void                  ngx_realtime_watch_load_own(ngx_realtime_watch_t *watch);
static void                  ngx_realtime_watch_ask(ngx_realtime_watch_t *watch, ngx_str_t *after);
static void                  ngx_realtime_watch_again(ngx_realtime_watch_t *watch);
static void                  ngx_realtime_watch_ask_handler(ngx_event_t *ev);
static void      ngx_realtime_watch_answer(void *data, ngx_str_t *answer, ngx_uint_t late);
static ngx_int_t ngx_realtime_watch_take(ngx_realtime_watch_t *watch, ngx_str_t *answer);
static ngx_int_t ngx_realtime_watch_answered(ngx_realtime_watch_t *watch,
    ngx_realtime_worker_id_t                                       worker);
static ngx_int_t ngx_realtime_watch_go_on(ngx_realtime_watch_t *watch, ngx_str_t *last);
static void      ngx_realtime_watch_asked(ngx_realtime_watch_t *watch);
static void      ngx_realtime_watch_sift(ngx_realtime_watch_t *watch, ngx_realtime_seen_t *seen);
static void ngx_realtime_watch_sight(ngx_realtime_watch_t *watch, ngx_realtime_worker_id_t worker,
    rt_str_t user, rt_str_t role, ngx_uint_t fresh);
static ngx_realtime_seen_t *ngx_realtime_watch_seen(ngx_realtime_watch_t *watch, rt_str_t user);
static ngx_realtime_seen_t *ngx_realtime_watch_seen_make(ngx_realtime_watch_t *watch, rt_str_t user,
    rt_str_t role);
static void ngx_realtime_watch_seen_free(ngx_realtime_watch_t *watch, ngx_realtime_seen_t *seen);
static void ngx_realtime_watch_unsight(ngx_realtime_watch_t *watch, ngx_realtime_seen_t *seen,
    ngx_realtime_worker_id_t worker);
static void ngx_realtime_watch_fade(ngx_realtime_watch_t *watch, ngx_realtime_seen_t *seen);
static void ngx_realtime_watch_fade_handler(ngx_event_t *ev);
static void ngx_realtime_watch_tell(ngx_realtime_watch_t *watch, ngx_realtime_seen_t *seen,
    const char *event);

static ngx_rbtree_t      ngx_realtime_watches;
static ngx_rbtree_node_t ngx_realtime_watches_sentinel;


void
ngx_realtime_watch_init(void)
{
    ngx_rbtree_init(&ngx_realtime_watches, &ngx_realtime_watches_sentinel,
        ngx_str_rbtree_insert_value);
}


/* After the bus: nobody is asked any more. */
void
ngx_realtime_watch_exit(void)
{
    ngx_realtime_watch_t *watch;

    while (ngx_realtime_watches.root != ngx_realtime_watches.sentinel) {
        watch = (ngx_realtime_watch_t *) ngx_rbtree_min(ngx_realtime_watches.root,
            ngx_realtime_watches.sentinel);
        watch->wait = NULL;
        ngx_realtime_watch_free(watch);
    }
}


ngx_int_t
ngx_realtime_watch_compare(ngx_str_t *a, ngx_str_t *b)
{
    ngx_rbtree_key_t key_a, key_b;

    key_a = ngx_murmur_hash2(a->data, a->len);
    key_b = ngx_murmur_hash2(b->data, b->len);

    if (key_a != key_b) {
        return key_a < key_b ? -1 : 1;
    }

    if (a->len != b->len) {
        return a->len < b->len ? -1 : 1;
    }

    return ngx_memcmp(a->data, b->data, a->len);
}


static ngx_realtime_watch_t *
ngx_realtime_watch_find(ngx_str_t *business)
{
    return (ngx_realtime_watch_t *) ngx_str_rbtree_lookup(&ngx_realtime_watches, business,
        ngx_murmur_hash2(business->data, business->len));
}


void
ngx_realtime_watch_add(ngx_str_t *business)
{
    ngx_realtime_watch_t *watch;

    watch = ngx_realtime_watch_find(business);

    if (watch != NULL) {
        watch->dashboards++;
        return;
    }

    watch = ngx_calloc(sizeof(ngx_realtime_watch_t) + business->len, ngx_cycle->log);
    if (watch == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "realtime: no memory to watch who is online");
        return;
    }

    watch->node.str.data = (u_char *) watch + sizeof(ngx_realtime_watch_t);
    watch->node.str.len = business->len;
    ngx_memcpy(watch->node.str.data, business->data, business->len);
    watch->node.node.key = ngx_murmur_hash2(business->data, business->len);
    watch->dashboards = 1;
    watch->patience = NGX_REALTIME_WATCH_PATIENCE;

    ngx_rbtree_init(&watch->people, &watch->sentinel, ngx_str_rbtree_insert_value);
    ngx_queue_init(&watch->fading);
    ngx_rbtree_insert(&ngx_realtime_watches, &watch->node.node);

    watch->fade_timer.handler = ngx_realtime_watch_fade_handler;
    watch->fade_timer.data = watch;
    watch->fade_timer.log = ngx_cycle->log;
    watch->fade_timer.cancelable = 1;

    watch->ask_timer.handler = ngx_realtime_watch_ask_handler;
    watch->ask_timer.data = watch;
    watch->ask_timer.log = ngx_cycle->log;
    watch->ask_timer.cancelable = 1;

    ngx_realtime_watch_load_own(watch);
    ngx_realtime_watch_ask_handler(&watch->ask_timer);
}


void
ngx_realtime_watch_remove(ngx_str_t *business)
{
    ngx_realtime_watch_t *watch;

    watch = ngx_realtime_watch_find(business);

    if (watch != NULL && --watch->dashboards == 0) {
        ngx_realtime_watch_free(watch);
    }
}


static void
ngx_realtime_watch_free(ngx_realtime_watch_t *watch)
{
    ngx_realtime_bus_t *bus;

    bus = ngx_realtime_worker->bus;

    if (watch->wait != NULL) {
        bus->methods->cancel(bus, watch->wait);
    }

    while (watch->people.root != watch->people.sentinel) {
        ngx_realtime_watch_seen_free(watch,
            (ngx_realtime_seen_t *) ngx_rbtree_min(watch->people.root, watch->people.sentinel));
    }

    if (watch->fade_timer.timer_set) {
        ngx_del_timer(&watch->fade_timer);
    }

    if (watch->ask_timer.timer_set) {
        ngx_del_timer(&watch->ask_timer);
    }

    ngx_rbtree_delete(&ngx_realtime_watches, &watch->node.node);
    ngx_free(watch->answered);
    ngx_free(watch->cursor.data);
    ngx_free(watch);
}


static void
ngx_realtime_watch_load_own(ngx_realtime_watch_t *watch)
{
    ngx_rbtree_node_t          *node;
    ngx_realtime_company_t     *company;
    ngx_realtime_person_here_t *person;

    company = ngx_realtime_presence_company(&watch->node.str);

    if (company == NULL || company->people.root == company->people.sentinel) {
        return;
    }

    for (node = ngx_rbtree_min(company->people.root, company->people.sentinel); node != NULL;
         node = ngx_rbtree_next(&company->people, node))
    {
        person = (ngx_realtime_person_here_t *) node;

        ngx_realtime_watch_sight(watch, ngx_realtime_worker->id, person->identity->user_id,
            person->identity->role_name, 0);
    }
}


/* Asking. */

static void
ngx_realtime_watch_ask_handler(ngx_event_t *ev)
{
    ngx_uint_t            i;
    ngx_str_t             start = ngx_null_string;
    ngx_rbtree_node_t    *node;
    ngx_realtime_seen_t  *seen;
    ngx_realtime_watch_t *watch = ev->data;

    if (watch->asking) {
        ngx_add_timer(ev, NGX_REALTIME_WATCH_GAP_MS);
        return;
    }

    watch->asking = 1;
    watch->late = 0;
    watch->round++;
    watch->answered_count = 0;

    if (watch->people.root != watch->people.sentinel) {
        for (node = ngx_rbtree_min(watch->people.root, watch->people.sentinel); node != NULL;
             node = ngx_rbtree_next(&watch->people, node))
        {
            seen = (ngx_realtime_seen_t *) node;

            for (i = 0; i < seen->count; i++) {
                seen->sights[i].fresh = 0;
            }
        }
    }

    ngx_realtime_watch_ask(watch, &start);
}


static void
ngx_realtime_watch_ask(ngx_realtime_watch_t *watch, ngx_str_t *after)
{
    u_char             *p, *text;
    uint16_t            len;
    ngx_int_t           rc;
    ngx_str_t           all = ngx_string(NGX_REALTIME_PRESENCE_ALL), payload;
    ngx_realtime_bus_t *bus;

    bus = ngx_realtime_worker->bus;
    len = (uint16_t) after->len;
    rc = NGX_ERROR;

    text = ngx_alloc(1 + 2 + after->len + watch->node.str.len, ngx_cycle->log);

    if (text != NULL) {
        p = text;
        *p++ = NGX_REALTIME_PRESENCE_ASK_PEOPLE;
        p = ngx_cpymem(p, &len, 2);

        if (len) {
            p = ngx_cpymem(p, after->data, len);
        }

        p = ngx_cpymem(p, watch->node.str.data, watch->node.str.len);

        payload.data = text;
        payload.len = p - text;

        rc = bus->methods->request(bus, &all, &payload, NGX_REALTIME_WATCH_ASK_MS,
            ngx_realtime_watch_answer, watch, &watch->wait);

        ngx_free(text);
    }

    if (rc != NGX_OK) {
        watch->wait = NULL;
        ngx_realtime_watch_asked(watch);
    }
}


static void
ngx_realtime_watch_answer(void *data, ngx_str_t *answer, ngx_uint_t late)
{
    ngx_str_t             after;
    ngx_realtime_watch_t *watch = data;

    if (answer != NULL) {
        if (ngx_realtime_watch_take(watch, answer) != NGX_OK) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "realtime: broken answer on the bus");
        }

        return;
    }

    watch->wait = NULL;
    watch->late |= late;

    if (watch->cursor.len == 0) {
        ngx_realtime_watch_asked(watch);
        return;
    }

    after = watch->cursor;
    ngx_str_null(&watch->cursor);

    ngx_realtime_watch_ask(watch, &after);
    ngx_free(after.data);
}


/* See ngx_realtime_presence_on_ask_people(). */
static ngx_int_t
ngx_realtime_watch_take(ngx_realtime_watch_t *watch, ngx_str_t *answer)
{
    u_char                  *p, *end;
    uint16_t                 len;
    rt_str_t                 user, role;
    ngx_str_t                last;
    ngx_realtime_worker_id_t worker;

    if (answer->len < 9) {
        return NGX_ERROR;
    }

    ngx_memcpy(&worker, answer->data, 8);

    if (ngx_realtime_watch_answered(watch, worker) != NGX_OK) {
        return NGX_OK; /* no memory: it counts as one that did not answer */
    }

    ngx_str_null(&last);
    end = answer->data + answer->len;

    for (p = answer->data + 9; p < end; p += len + role.len) {

        if (end - p < 3) {
            return NGX_ERROR;
        }

        ngx_memcpy(&len, p, 2);
        role.len = p[2];
        p += 3;

        if ((size_t) (end - p) < len + role.len) {
            return NGX_ERROR;
        }

        user = (rt_str_t){(char *) p, len};
        role.data = (char *) p + len;
        last = ngx_realtime_ngx_str(user);

        ngx_realtime_watch_sight(watch, worker, user, role, 0);
    }

    return answer->data[8] && last.len ? ngx_realtime_watch_go_on(watch, &last) : NGX_OK;
}


static ngx_int_t
ngx_realtime_watch_answered(ngx_realtime_watch_t *watch, ngx_realtime_worker_id_t worker)
{
    ngx_uint_t                i, size;
    ngx_realtime_worker_id_t *grown;

    for (i = 0; i < watch->answered_count; i++) {
        if (watch->answered[i] == worker) {
            return NGX_OK;
        }
    }

    if (watch->answered_count == watch->answered_size) {
        size = watch->answered_size ? watch->answered_size * 2 : 8;

        grown = realloc(watch->answered, size * sizeof(ngx_realtime_worker_id_t));
        if (grown == NULL) {
            return NGX_ERROR;
        }

        watch->answered = grown;
        watch->answered_size = size;
    }

    watch->answered[watch->answered_count++] = worker;

    return NGX_OK;
}


/* Of those who have more, whoever came least far. */
static ngx_int_t
ngx_realtime_watch_go_on(ngx_realtime_watch_t *watch, ngx_str_t *last)
{
    u_char *data;

    if (watch->cursor.len && ngx_realtime_watch_compare(&watch->cursor, last) <= 0) {
        return NGX_OK;
    }

    data = ngx_alloc(last->len, ngx_cycle->log);
    if (data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(data, last->data, last->len);

    ngx_free(watch->cursor.data);
    watch->cursor.data = data;
    watch->cursor.len = last->len;

    return NGX_OK;
}


/* All have answered, or had their time. */
static void
ngx_realtime_watch_asked(ngx_realtime_watch_t *watch)
{
    ngx_rbtree_node_t *node, *next;

    watch->asking = 0;

    if (!watch->late) {
        watch->patience = NGX_REALTIME_WATCH_PATIENCE;

    } else if (watch->patience > 0) {
        watch->patience--;
        ngx_realtime_watch_again(watch);
    }

    if (watch->people.root == watch->people.sentinel) {
        return;
    }

    for (node = ngx_rbtree_min(watch->people.root, watch->people.sentinel); node != NULL;
         node = next) {
        next = ngx_rbtree_next(&watch->people, node);
        ngx_realtime_watch_sift(watch, (ngx_realtime_seen_t *) node);
    }
}


/* Takes back what a worker that did answer does not confirm. */
static void
ngx_realtime_watch_sift(ngx_realtime_watch_t *watch, ngx_realtime_seen_t *seen)
{
    ngx_uint_t            i, j, fresh;
    ngx_realtime_sight_t *sight;

    fresh = 1;

    for (i = seen->count; i > 0; i--) {
        sight = &seen->sights[i - 1];

        if (sight->round != watch->round) {
            for (j = 0; j < watch->answered_count && watch->answered[j] != sight->worker; j++) {
                /* void */
            }

            if (j < watch->answered_count) {
                seen->count--;
                *sight = seen->sights[seen->count];
                continue;
            }
        }

        fresh &= sight->fresh;
    }

    if (seen->count == 0) {
        ngx_realtime_watch_fade(watch, seen);
        return;
    }

    if (!seen->told) {
        seen->told = 1;

        /* at first dashboards find out themselves who is there; later it is news to them */

        if (fresh || watch->round > 1) {
            ngx_realtime_watch_tell(watch, seen, "user:online");
        }
    }
}


/* People. */

static ngx_realtime_seen_t *
ngx_realtime_watch_seen(ngx_realtime_watch_t *watch, rt_str_t user)
{
    ngx_str_t name;

    name = ngx_realtime_ngx_str(user);

    return (ngx_realtime_seen_t *) ngx_str_rbtree_lookup(&watch->people, &name,
        ngx_murmur_hash2(name.data, name.len));
}


static ngx_realtime_seen_t *
ngx_realtime_watch_seen_make(ngx_realtime_watch_t *watch, rt_str_t user, rt_str_t role)
{
    ngx_realtime_seen_t *seen;

    seen = ngx_calloc(sizeof(ngx_realtime_seen_t) + user.len + role.len, ngx_cycle->log);
    if (seen == NULL) {
        return NULL;
    }

    seen->node.str.data = (u_char *) seen + sizeof(ngx_realtime_seen_t);
    seen->node.str.len = user.len;
    seen->role.data = seen->node.str.data + user.len;
    seen->role.len = role.len;

    ngx_memcpy(seen->node.str.data, user.data, user.len);
    ngx_memcpy(seen->role.data, role.data, role.len);

    seen->node.node.key = ngx_murmur_hash2(seen->node.str.data, seen->node.str.len);
    ngx_rbtree_insert(&watch->people, &seen->node.node);

    return seen;
}


static void
ngx_realtime_watch_seen_free(ngx_realtime_watch_t *watch, ngx_realtime_seen_t *seen)
{
    if (seen->fading) {
        ngx_queue_remove(&seen->link);
    }

    ngx_rbtree_delete(&watch->people, &seen->node.node);
    ngx_free(seen->sights);
    ngx_free(seen);
}


static void
ngx_realtime_watch_sight(ngx_realtime_watch_t *watch, ngx_realtime_worker_id_t worker,
    rt_str_t user, rt_str_t role, ngx_uint_t fresh)
{
    ngx_uint_t            i, size;
    ngx_realtime_seen_t  *seen;
    ngx_realtime_sight_t *grown;

    seen = ngx_realtime_watch_seen(watch, user);

    if (seen == NULL) {
        seen = ngx_realtime_watch_seen_make(watch, user, role);
        if (seen == NULL) {
            return;
        }
    }

    if (seen->fading) {
        seen->fading = 0;
        ngx_queue_remove(&seen->link);
    }

    for (i = 0; i < seen->count; i++) {
        if (seen->sights[i].worker == worker) {
            seen->sights[i].round = watch->round;
            return;
        }
    }

    if (seen->count == seen->size) {
        size = seen->size ? seen->size * 2 : 1;

        grown = realloc(seen->sights, size * sizeof(ngx_realtime_sight_t));
        if (grown == NULL) {
            return;
        }

        seen->sights = grown;
        seen->size = size;
    }

    seen->sights[seen->count].worker = worker;
    seen->sights[seen->count].round = watch->round;
    seen->sights[seen->count].fresh = fresh;
    seen->count++;
}


void
ngx_realtime_watch_up(ngx_str_t *business, ngx_realtime_worker_id_t worker, rt_str_t user,
    rt_str_t role)
{
    ngx_realtime_seen_t  *seen;
    ngx_realtime_watch_t *watch;

    watch = ngx_realtime_watch_find(business);

    if (watch == NULL) {
        return;
    }

    ngx_realtime_watch_sight(watch, worker, user, role, watch->asking);

    seen = ngx_realtime_watch_seen(watch, user);

    if (seen != NULL && !seen->told && !watch->asking) {
        seen->told = 1;
        ngx_realtime_watch_tell(watch, seen, "user:online");
    }
}


void
ngx_realtime_watch_down(ngx_str_t *business, ngx_realtime_worker_id_t worker, rt_str_t user)
{
    ngx_realtime_seen_t  *seen;
    ngx_realtime_watch_t *watch;

    watch = ngx_realtime_watch_find(business);
    seen = watch ? ngx_realtime_watch_seen(watch, user) : NULL;

    if (seen == NULL) {
        return;
    }

    ngx_realtime_watch_unsight(watch, seen, worker);

    if (seen->count != 0) {
        return;
    }

    if (watch->asking) {
        /* another worker may be about to say that it has them */
        ngx_realtime_watch_fade(watch, seen);
        return;
    }

    if (seen->told) {
        ngx_realtime_watch_tell(watch, seen, "user:offline");
    }

    ngx_realtime_watch_seen_free(watch, seen);
}


static void
ngx_realtime_watch_unsight(ngx_realtime_watch_t *watch, ngx_realtime_seen_t *seen,
    ngx_realtime_worker_id_t worker)
{
    ngx_uint_t i;

    for (i = 0; i < seen->count; i++) {
        if (seen->sights[i].worker == worker) {
            seen->count--;
            seen->sights[i] = seen->sights[seen->count];
            return;
        }
    }
}


/* Nowhere any more, and their worker gave them no grace: we do. */
static void
ngx_realtime_watch_fade(ngx_realtime_watch_t *watch, ngx_realtime_seen_t *seen)
{
    if (seen->fading) {
        return;
    }

    if (!seen->told) {
        ngx_realtime_watch_seen_free(watch, seen);
        return;
    }

    seen->fading = 1;
    seen->gone_at = ngx_current_msec;
    ngx_queue_insert_tail(&watch->fading, &seen->link);

    if (!watch->fade_timer.timer_set) {
        ngx_add_timer(&watch->fade_timer, NGX_REALTIME_PRESENCE_GRACE_MS);
    }
}


static void
ngx_realtime_watch_fade_handler(ngx_event_t *ev)
{
    ngx_msec_t            gone;
    ngx_realtime_seen_t  *seen;
    ngx_realtime_watch_t *watch = ev->data;

    while (!ngx_queue_empty(&watch->fading)) {
        seen = ngx_queue_data(ngx_queue_head(&watch->fading), ngx_realtime_seen_t, link);
        gone = ngx_current_msec - seen->gone_at;

        if (gone < NGX_REALTIME_PRESENCE_GRACE_MS) {
            ngx_add_timer(ev, NGX_REALTIME_PRESENCE_GRACE_MS - gone);
            return;
        }

        ngx_realtime_watch_tell(watch, seen, "user:offline");
        ngx_realtime_watch_seen_free(watch, seen);
    }
}


void
ngx_realtime_watch_worker_lost(ngx_realtime_worker_id_t worker)
{
    ngx_rbtree_node_t    *node, *next, *person;
    ngx_realtime_seen_t  *seen;
    ngx_realtime_watch_t *watch;

    if (ngx_realtime_watches.root == ngx_realtime_watches.sentinel) {
        return;
    }

    for (node = ngx_rbtree_min(ngx_realtime_watches.root, ngx_realtime_watches.sentinel);
         node != NULL; node = ngx_rbtree_next(&ngx_realtime_watches, node))
    {
        watch = (ngx_realtime_watch_t *) node;

        if (watch->people.root == watch->people.sentinel) {
            continue;
        }

        for (person = ngx_rbtree_min(watch->people.root, watch->people.sentinel); person != NULL;
             person = next)
        {
            next = ngx_rbtree_next(&watch->people, person);
            seen = (ngx_realtime_seen_t *) person;

            ngx_realtime_watch_unsight(watch, seen, worker);

            if (seen->count == 0) {
                ngx_realtime_watch_fade(watch, seen);
            }
        }
    }
}


void
ngx_realtime_watch_gap(void)
{
    ngx_rbtree_node_t    *node;
    ngx_realtime_watch_t *watch;

    if (ngx_realtime_watches.root == ngx_realtime_watches.sentinel) {
        return;
    }

    for (node = ngx_rbtree_min(ngx_realtime_watches.root, ngx_realtime_watches.sentinel);
         node != NULL; node = ngx_rbtree_next(&ngx_realtime_watches, node))
    {
        watch = (ngx_realtime_watch_t *) node;
        watch->patience = NGX_REALTIME_WATCH_PATIENCE;
        ngx_realtime_watch_again(watch);
    }
}


static void
ngx_realtime_watch_again(ngx_realtime_watch_t *watch)
{
    if (!watch->ask_timer.timer_set) {
        ngx_add_timer(&watch->ask_timer,
            NGX_REALTIME_WATCH_GAP_MS + ngx_random() % NGX_REALTIME_WATCH_GAP_MS);
    }
}


/* To this worker's dashboards: the others tell theirs. */
static void
ngx_realtime_watch_tell(ngx_realtime_watch_t *watch, ngx_realtime_seen_t *seen, const char *event)
{
    char      time[RT_TIME_LEN + 1];
    u_char    name[sizeof("business:") + 4 * 128];
    rt_buf_t  out;
    rt_emit_t emit;

    rt_time_format(time, rt_time_now_ms());

    ngx_memzero(&out, sizeof(rt_buf_t));
    ngx_memzero(&emit, sizeof(rt_emit_t));

    rt_buf_append_str(&out, rt_str("{\"userId\":"));
    rt_buf_append_json_string(&out, ngx_realtime_str(seen->node.str));
    rt_buf_append_str(&out, rt_str(",\"role\":"));
    rt_buf_append_json_string(&out, ngx_realtime_str(seen->role));
    rt_buf_append_str(&out, rt_str(",\"timestamp\":"));
    rt_buf_append_json_string(&out, (rt_str_t){time, RT_TIME_LEN});
    rt_buf_append_str(&out, rt_str("}"));

    if (!out.failed && watch->node.str.len <= 4 * 128) {
        emit.channel.data = (char *) name;
        emit.channel.len = ngx_sprintf(name, "business:%V", &watch->node.str) - name;
        emit.event = rt_str_c(event);
        emit.data = (rt_str_t){out.data, out.len};
        emit.business_id = ngx_realtime_str(watch->node.str);
        emit.except_user = ngx_realtime_str(seen->node.str);

        ngx_realtime_hub_deliver_here(&emit);
    }

    rt_buf_free(&out);
}
