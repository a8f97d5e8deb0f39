/* Whether staff of a business are online anywhere: asked on every customer's message, so answers
 * are kept for a moment, and those who ask at the same time share one question. */

#include "ngx_realtime_presence.h"


#define NGX_REALTIME_STAFF_FRESH_MS 50 /* many customers may write at once */
#define NGX_REALTIME_STAFF_ASK_MS   1000
#define NGX_REALTIME_STAFF_MAX      4096 /* businesses that are remembered */

typedef struct {
    ngx_queue_t                    link;
    ngx_realtime_presence_staff_pt done;
    void                          *data;
} ngx_realtime_staff_asker_t;

typedef struct {
    ngx_str_node_t node; /* first; the name stands behind this structure */
    ngx_queue_t    link; /* among all, longest unused first */
    ngx_queue_t    askers;
    ngx_event_t    event; /* posted: the answer is known */
    ngx_msec_t     at;    /* of the answer */
    unsigned       known:1;
    unsigned       online:1;
    unsigned       asking:1;
} ngx_realtime_staff_t;

static ngx_realtime_staff_t *ngx_realtime_staff_make(ngx_str_t *business);
static void                  ngx_realtime_staff_free(ngx_realtime_staff_t *staff);
static ngx_uint_t            ngx_realtime_staff_here(ngx_str_t *business);
static ngx_int_t             ngx_realtime_staff_ask(ngx_realtime_staff_t *staff);
static void ngx_realtime_staff_answer(void *data, ngx_str_t *answer, ngx_uint_t late);
static void ngx_realtime_staff_handler(ngx_event_t *ev);

static ngx_rbtree_t      ngx_realtime_staffs;
static ngx_rbtree_node_t ngx_realtime_staffs_sentinel;
static ngx_queue_t       ngx_realtime_staff_list;
static ngx_uint_t        ngx_realtime_staff_count;


void
ngx_realtime_presence_staff_init(void)
{
    ngx_rbtree_init(&ngx_realtime_staffs, &ngx_realtime_staffs_sentinel,
        ngx_str_rbtree_insert_value);
    ngx_queue_init(&ngx_realtime_staff_list);
}


/* After the bus: nobody is asked any more. */
void
ngx_realtime_presence_staff_exit(void)
{
    while (!ngx_queue_empty(&ngx_realtime_staff_list)) {
        ngx_realtime_staff_free(
            ngx_queue_data(ngx_queue_head(&ngx_realtime_staff_list), ngx_realtime_staff_t, link));
    }
}


ngx_int_t
ngx_realtime_presence_staff(ngx_str_t *business, ngx_realtime_presence_staff_pt done, void *data)
{
    ngx_realtime_staff_t       *staff;
    ngx_realtime_staff_asker_t *asker;

    asker = ngx_alloc(sizeof(ngx_realtime_staff_asker_t), ngx_cycle->log);
    if (asker == NULL) {
        return NGX_ERROR;
    }

    asker->done = done;
    asker->data = data;

    staff = (ngx_realtime_staff_t *) ngx_str_rbtree_lookup(&ngx_realtime_staffs, business,
        ngx_murmur_hash2(business->data, business->len));

    if (staff == NULL) {
        staff = ngx_realtime_staff_make(business);
        if (staff == NULL) {
            ngx_free(asker);
            return NGX_ERROR;
        }
    }

    ngx_queue_remove(&staff->link);
    ngx_queue_insert_tail(&ngx_realtime_staff_list, &staff->link);
    ngx_queue_insert_tail(&staff->askers, &asker->link);

    if (ngx_realtime_staff_here(business)) {
        staff->known = 1;
        staff->online = 1;
        staff->at = ngx_current_msec;
    }

    if (staff->known && ngx_current_msec - staff->at < NGX_REALTIME_STAFF_FRESH_MS) {
        ngx_post_event(&staff->event, &ngx_posted_events);
        return NGX_OK;
    }

    if (!staff->asking && ngx_realtime_staff_ask(staff) != NGX_OK) {
        ngx_queue_remove(&asker->link);
        ngx_free(asker);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_realtime_staff_t *
ngx_realtime_staff_make(ngx_str_t *business)
{
    ngx_realtime_staff_t *staff;

    if (ngx_realtime_staff_count >= NGX_REALTIME_STAFF_MAX) {
        staff =
            ngx_queue_data(ngx_queue_head(&ngx_realtime_staff_list), ngx_realtime_staff_t, link);

        if (!staff->asking && ngx_queue_empty(&staff->askers)) {
            ngx_realtime_staff_free(staff);
        }
    }

    staff = ngx_calloc(sizeof(ngx_realtime_staff_t) + business->len, ngx_cycle->log);
    if (staff == NULL) {
        return NULL;
    }

    staff->node.str.data = (u_char *) staff + sizeof(ngx_realtime_staff_t);
    staff->node.str.len = business->len;
    ngx_memcpy(staff->node.str.data, business->data, business->len);
    staff->node.node.key = ngx_murmur_hash2(business->data, business->len);

    ngx_queue_init(&staff->askers);
    staff->event.handler = ngx_realtime_staff_handler;
    staff->event.data = staff;
    staff->event.log = ngx_cycle->log;

    ngx_rbtree_insert(&ngx_realtime_staffs, &staff->node.node);
    ngx_queue_insert_tail(&ngx_realtime_staff_list, &staff->link);
    ngx_realtime_staff_count++;

    return staff;
}


static void
ngx_realtime_staff_free(ngx_realtime_staff_t *staff)
{
    ngx_queue_t *q;

    while (!ngx_queue_empty(&staff->askers)) {
        q = ngx_queue_head(&staff->askers);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_realtime_staff_asker_t, link));
    }

    if (staff->event.posted) {
        ngx_delete_posted_event(&staff->event);
    }

    ngx_rbtree_delete(&ngx_realtime_staffs, &staff->node.node);
    ngx_queue_remove(&staff->link);
    ngx_realtime_staff_count--;
    ngx_free(staff);
}


static ngx_uint_t
ngx_realtime_staff_here(ngx_str_t *business)
{
    ngx_realtime_company_t *company;

    company = ngx_realtime_presence_company(business);

    return company != NULL && company->staff_connections != 0;
}


static ngx_int_t
ngx_realtime_staff_ask(ngx_realtime_staff_t *staff)
{
    u_char              name[sizeof("business:") + 4 * 128];
    ngx_str_t           channel, payload = ngx_null_string;
    ngx_realtime_bus_t *bus;

    if (staff->node.str.len > 4 * 128) {
        return NGX_ERROR;
    }

    channel.data = name;
    channel.len = ngx_sprintf(name, "business:%V", &staff->node.str) - name;

    bus = ngx_realtime_worker->bus;
    staff->online = 0;
    staff->known = 0;

    if (bus->methods->request(bus, &channel, &payload, NGX_REALTIME_STAFF_ASK_MS,
            ngx_realtime_staff_answer, staff, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    staff->asking = 1;

    return NGX_OK;
}


static void
ngx_realtime_staff_answer(void *data, ngx_str_t *answer, ngx_uint_t late)
{
    ngx_realtime_staff_t *staff = data;

    if (answer != NULL) {
        staff->online = 1;

    } else {
        staff->asking = 0;
    }

    /* the first who says yes is enough */

    if (staff->online || answer == NULL) {
        staff->known = 1;
        staff->at = ngx_current_msec;
        ngx_post_event(&staff->event, &ngx_posted_events);
    }
}


static void
ngx_realtime_staff_handler(ngx_event_t *ev)
{
    ngx_queue_t                *q;
    ngx_realtime_staff_t       *staff = ev->data;
    ngx_realtime_staff_asker_t *asker;

    while (!ngx_queue_empty(&staff->askers)) {
        q = ngx_queue_head(&staff->askers);
        ngx_queue_remove(q);

        asker = ngx_queue_data(q, ngx_realtime_staff_asker_t, link);
        asker->done(asker->data, staff->online);
        ngx_free(asker);
    }
}
