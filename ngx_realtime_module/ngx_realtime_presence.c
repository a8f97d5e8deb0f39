/* This worker's people, by business. The first connection of a person and the end of the last one
 * (after a grace, within which a reconnect goes unnoticed) are published on the business's channel:
 * only workers with dashboards of that business listen there. */

#include "ngx_realtime_presence.h"
#include "ngx_realtime_hub.h"
#include "ngx_realtime_metrics.h"

#include <rt/rt_text.h>


static ngx_realtime_company_t     *ngx_realtime_presence_company_make(ngx_str_t *business);
static ngx_realtime_person_here_t *ngx_realtime_presence_person_make(ngx_realtime_company_t
                                                                         *company,
    rt_identity_t                                                        *identity);
static void       ngx_realtime_presence_person_free(ngx_realtime_person_here_t *person);
static void       ngx_realtime_presence_tell(ngx_realtime_person_here_t *person, ngx_uint_t up);
static void       ngx_realtime_presence_grace_handler(ngx_event_t *ev);
static ngx_uint_t ngx_realtime_presence_watches(rt_identity_t *identity);
static void       ngx_realtime_presence_on_ask_people(ngx_str_t *question, ngx_str_t *answer,
          size_t answer_size);

static ngx_rbtree_t      ngx_realtime_companies;
static ngx_rbtree_node_t ngx_realtime_companies_sentinel;
static ngx_queue_t       ngx_realtime_gone; /* longest gone first */
static ngx_event_t       ngx_realtime_grace_timer;
static ngx_uint_t        ngx_realtime_connected;


ngx_int_t
ngx_realtime_presence_init(void)
{
    ngx_str_t           all = ngx_string(NGX_REALTIME_PRESENCE_ALL);
    ngx_realtime_bus_t *bus;

    ngx_rbtree_init(&ngx_realtime_companies, &ngx_realtime_companies_sentinel,
        ngx_str_rbtree_insert_value);
    ngx_queue_init(&ngx_realtime_gone);

    ngx_memzero(&ngx_realtime_grace_timer, sizeof(ngx_event_t));
    ngx_realtime_grace_timer.handler = ngx_realtime_presence_grace_handler;
    ngx_realtime_grace_timer.data = &ngx_realtime_no_connection;
    ngx_realtime_grace_timer.log = ngx_cycle->log;
    ngx_realtime_grace_timer.cancelable = 1;

    ngx_realtime_watch_init();
    ngx_realtime_presence_staff_init();

    bus = ngx_realtime_worker->bus;

    return bus->methods->subscribe(bus, &all, NULL, NULL, NULL);
}


void
ngx_realtime_presence_exit(void)
{
    ngx_rbtree_node_t      *node;
    ngx_realtime_company_t *company;

    ngx_realtime_watch_exit();
    ngx_realtime_presence_staff_exit();

    while (ngx_realtime_companies.root != ngx_realtime_companies.sentinel) {
        company = (ngx_realtime_company_t *) ngx_rbtree_min(ngx_realtime_companies.root,
            ngx_realtime_companies.sentinel);

        /* the last person takes the company along */
        node = ngx_rbtree_min(company->people.root, company->people.sentinel);
        ngx_realtime_presence_person_free((ngx_realtime_person_here_t *) node);
    }
}


ngx_uint_t
ngx_realtime_presence_anywhere(ngx_str_t *user)
{
    ngx_rbtree_node_t          *node;
    ngx_realtime_person_here_t *person;

    if (ngx_realtime_companies.root == ngx_realtime_companies.sentinel) {
        return 0;
    }

    for (node = ngx_rbtree_min(ngx_realtime_companies.root, ngx_realtime_companies.sentinel);
         node != NULL; node = ngx_rbtree_next(&ngx_realtime_companies, node))
    {
        person = ngx_realtime_presence_person((ngx_realtime_company_t *) node, user);

        if (person != NULL && person->connections != 0) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_realtime_presence_connections(void)
{
    return ngx_realtime_connected;
}


ngx_realtime_company_t *
ngx_realtime_presence_company(ngx_str_t *business)
{
    return (ngx_realtime_company_t *) ngx_str_rbtree_lookup(&ngx_realtime_companies, business,
        ngx_murmur_hash2(business->data, business->len));
}


static ngx_realtime_company_t *
ngx_realtime_presence_company_make(ngx_str_t *business)
{
    ngx_realtime_company_t *company;

    company = ngx_realtime_presence_company(business);

    if (company != NULL) {
        return company;
    }

    company = ngx_calloc(sizeof(ngx_realtime_company_t) + business->len, ngx_cycle->log);
    if (company == NULL) {
        return NULL;
    }

    company->node.str.data = (u_char *) company + sizeof(ngx_realtime_company_t);
    company->node.str.len = business->len;
    company->node.node.key = ngx_murmur_hash2(business->data, business->len);

    if (business->len) {
        ngx_memcpy(company->node.str.data, business->data, business->len);
    }

    ngx_rbtree_init(&company->people, &company->sentinel, ngx_str_rbtree_insert_value);
    ngx_rbtree_insert(&ngx_realtime_companies, &company->node.node);

    return company;
}


ngx_realtime_person_here_t *
ngx_realtime_presence_person(ngx_realtime_company_t *company, ngx_str_t *user)
{
    return (ngx_realtime_person_here_t *) ngx_str_rbtree_lookup(&company->people, user,
        ngx_murmur_hash2(user->data, user->len));
}


/* A company without people goes with the attempt. */
static ngx_realtime_person_here_t *
ngx_realtime_presence_person_make(ngx_realtime_company_t *company, rt_identity_t *identity)
{
    ngx_realtime_person_here_t *person;

    person = ngx_calloc(sizeof(ngx_realtime_person_here_t), ngx_cycle->log);

    if (person == NULL) {
        if (company->people.root == company->people.sentinel) {
            ngx_rbtree_delete(&ngx_realtime_companies, &company->node.node);
            ngx_free(company);
        }

        return NULL;
    }

    person->company = company;
    person->identity = rt_identity_get(identity);
    person->node.str = ngx_realtime_ngx_str(identity->user_id);
    person->node.node.key = ngx_murmur_hash2(person->node.str.data, person->node.str.len);

    ngx_rbtree_insert(&company->people, &person->node.node);

    return person;
}


static void
ngx_realtime_presence_person_free(ngx_realtime_person_here_t *person)
{
    ngx_realtime_company_t *company;

    company = person->company;

    if (person->connections == 0) {
        ngx_queue_remove(&person->link);
    }

    ngx_rbtree_delete(&company->people, &person->node.node);
    rt_identity_put(person->identity);
    ngx_free(person);

    if (company->people.root == company->people.sentinel) {
        ngx_rbtree_delete(&ngx_realtime_companies, &company->node.node);
        ngx_free(company);
    }
}


static ngx_uint_t
ngx_realtime_presence_watches(rt_identity_t *identity)
{
    return rt_role_is_staff(identity->role) && identity->business_id.len != 0;
}


void
ngx_realtime_presence_up(ngx_realtime_session_t *s)
{
    ngx_str_t                   business, user;
    ngx_realtime_company_t     *company;
    ngx_realtime_person_here_t *person;

    business = ngx_realtime_ngx_str(s->identity->business_id);
    user = ngx_realtime_ngx_str(s->identity->user_id);

    company = ngx_realtime_presence_company_make(&business);
    person = company ? ngx_realtime_presence_person(company, &user) : NULL;

    if (company != NULL && person == NULL) {
        person = ngx_realtime_presence_person_make(company, s->identity);

        if (person != NULL) {
            person->connections = 1;
            ngx_realtime_presence_tell(person, 1);
        }

    } else if (person != NULL && person->connections++ == 0) {
        ngx_queue_remove(&person->link); /* back within the grace */
    }

    if (person == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "realtime: no memory to count a connection");
        return;
    }

    s->present = 1;
    company->connections++;
    ngx_realtime_metrics->gauges.connected = ++ngx_realtime_connected;

    if (ngx_realtime_presence_watches(s->identity)) {
        company->staff_connections++;
        ngx_realtime_watch_add(&business);
    }
}


void
ngx_realtime_presence_down(ngx_realtime_session_t *s)
{
    ngx_str_t                   business, user;
    ngx_realtime_company_t     *company;
    ngx_realtime_person_here_t *person;

    if (!s->present) {
        return;
    }

    s->present = 0;

    business = ngx_realtime_ngx_str(s->identity->business_id);
    user = ngx_realtime_ngx_str(s->identity->user_id);

    company = ngx_realtime_presence_company(&business);
    person = ngx_realtime_presence_person(company, &user);

    ngx_realtime_metrics->gauges.connected = --ngx_realtime_connected;
    company->connections--;

    if (--person->connections == 0) {
        person->gone_at = ngx_current_msec;
        ngx_queue_insert_tail(&ngx_realtime_gone, &person->link);

        if (!ngx_realtime_grace_timer.timer_set) {
            ngx_add_timer(&ngx_realtime_grace_timer, NGX_REALTIME_PRESENCE_GRACE_MS);
        }
    }

    if (ngx_realtime_presence_watches(s->identity)) {
        company->staff_connections--;
        ngx_realtime_watch_remove(&business);
    }
}


static void
ngx_realtime_presence_grace_handler(ngx_event_t *ev)
{
    ngx_msec_t                  gone;
    ngx_realtime_person_here_t *person;

    while (!ngx_queue_empty(&ngx_realtime_gone)) {
        person =
            ngx_queue_data(ngx_queue_head(&ngx_realtime_gone), ngx_realtime_person_here_t, link);
        gone = ngx_current_msec - person->gone_at;

        if (gone < NGX_REALTIME_PRESENCE_GRACE_MS) {
            ngx_add_timer(ev, NGX_REALTIME_PRESENCE_GRACE_MS - gone);
            return;
        }

        ngx_realtime_presence_tell(person, 0);
        ngx_realtime_presence_person_free(person);
    }
}


/* Payload: NOTICE, up or down, the worker's id, the role's length (one byte), role, user. */
static void
ngx_realtime_presence_tell(ngx_realtime_person_here_t *person, ngx_uint_t up)
{
    u_char             *p;
    u_char              text[1 + 1 + 8 + 1 + 255 + 4 * 128];
    u_char              name[sizeof("business:") + 4 * 128];
    size_t              role;
    ngx_str_t           channel, payload, *business;
    ngx_realtime_bus_t *bus;

    bus = ngx_realtime_worker->bus;
    business = &person->company->node.str;

    if (business->len == 0) {
        return;
    }

    if (up) {
        ngx_realtime_watch_up(business, bus->self, person->identity->user_id,
            person->identity->role_name);
    } else {
        ngx_realtime_watch_down(business, bus->self, person->identity->user_id);
    }

    if (bus->methods->peers(bus) == 0) {
        return;
    }

    role = ngx_min(person->identity->role_name.len, 255);

    p = text;
    *p++ = NGX_REALTIME_PRESENCE_NOTICE;
    *p++ = (u_char) up;
    p = ngx_cpymem(p, &bus->self, 8);
    *p++ = (u_char) role;
    p = ngx_cpymem(p, person->identity->role_name.data, role);
    p = ngx_cpymem(p, person->node.str.data, ngx_min(person->node.str.len, 4 * 128));

    payload.data = text;
    payload.len = p - text;

    p = ngx_cpymem(name, "business:", 9);
    p = ngx_cpymem(p, business->data, ngx_min(business->len, 4 * 128));

    channel.data = name;
    channel.len = p - name;

    (void) bus->methods->publish(bus, &channel, &payload);
}


void
ngx_realtime_presence_on_notice(ngx_str_t *channel, ngx_str_t *payload)
{
    size_t                   role;
    rt_str_t                 user, role_name;
    ngx_str_t                business;
    ngx_realtime_worker_id_t worker;

    if (payload->len < 1 + 1 + 8 + 1 || channel->len <= 9
        || ngx_strncmp(channel->data, "business:", 9) != 0)
    {
        return;
    }

    role = payload->data[10];

    if (payload->len < 11 + role + 1) {
        return;
    }

    ngx_memcpy(&worker, payload->data + 2, 8);

    business.data = channel->data + 9;
    business.len = channel->len - 9;
    role_name = (rt_str_t){(char *) payload->data + 11, role};
    user = (rt_str_t){(char *) payload->data + 11 + role, payload->len - 11 - role};

    if (payload->data[1]) {
        ngx_realtime_watch_up(&business, worker, user, role_name);
    } else {
        ngx_realtime_watch_down(&business, worker, user);
    }
}


void
ngx_realtime_presence_on_ask(ngx_str_t *channel, ngx_str_t *payload, ngx_str_t *answer,
    size_t answer_size)
{
    ngx_str_t question;

    if (channel->len > 9 && ngx_strncmp(channel->data, "business:", 9) == 0) {
        /* only staff are in there: that we listen is the answer */
        answer->data[0] = '1';
        answer->len = 1;
        return;
    }

    if (payload->len == 0) {
        return;
    }

    question.data = payload->data + 1;
    question.len = payload->len - 1;

    switch (payload->data[0]) {

    case NGX_REALTIME_PRESENCE_ASK_STATS:
        ngx_realtime_stats_on_ask(&question, answer, answer_size);
        break;

    case NGX_REALTIME_PRESENCE_ASK_PEOPLE:
        ngx_realtime_presence_on_ask_people(&question, answer, answer_size);
        break;

    default:
        break;
    }
}


/* Question: the last user that the asker has, its length before it (two bytes; 0: from the start),
 * and the business. Answer: the worker's id, 1 when there are more, then for each person of the
 * business, in the tree's order: the lengths of user (two bytes) and role (one), user, role. */
static void
ngx_realtime_presence_on_ask_people(ngx_str_t *question, ngx_str_t *answer, size_t answer_size)
{
    u_char                     *p, *more, *end;
    uint16_t                    len;
    ngx_str_t                   business, after, role;
    ngx_rbtree_node_t          *node;
    ngx_realtime_company_t     *company;
    ngx_realtime_person_here_t *person;

    if (question->len < 2) {
        return;
    }

    ngx_memcpy(&len, question->data, 2);

    if (question->len < (size_t) 2 + len) {
        return;
    }

    after.data = question->data + 2;
    after.len = len;
    business.data = after.data + len;
    business.len = question->len - 2 - len;

    end = answer->data + answer_size;
    p = ngx_cpymem(answer->data, &ngx_realtime_worker->id, 8);
    more = p++;
    *more = 0;

    company = ngx_realtime_presence_company(&business);

    if (company != NULL) {

        for (node = ngx_rbtree_min(company->people.root, company->people.sentinel); node != NULL;
             node = ngx_rbtree_next(&company->people, node))
        {
            person = (ngx_realtime_person_here_t *) node;

            if (after.len && ngx_realtime_watch_compare(&person->node.str, &after) <= 0) {
                continue;
            }

            role = ngx_realtime_ngx_str(person->identity->role_name);
            role.len = ngx_min(role.len, 255);
            len = (uint16_t) person->node.str.len;

            if ((size_t) (end - p) < (size_t) 3 + len + role.len) {
                *more = 1;
                break;
            }

            p = ngx_cpymem(p, &len, 2);
            *p++ = (u_char) role.len;
            p = ngx_cpymem(p, person->node.str.data, len);
            p = ngx_cpymem(p, role.data, role.len);
        }
    }

    answer->len = p - answer->data;
}


void
ngx_realtime_presence_on_worker_lost(ngx_realtime_worker_id_t worker)
{
    ngx_realtime_watch_worker_lost(worker);
}


void
ngx_realtime_presence_on_gap(void)
{
    ngx_realtime_watch_gap();
}
