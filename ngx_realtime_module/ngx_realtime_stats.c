/* Statistics over the cluster: every worker is asked for its own. */

#include "ngx_realtime_stats.h"
#include "ngx_realtime_http.h"
#include "ngx_realtime_presence.h"

#include <rt/rt_text.h>


#define NGX_REALTIME_STATS_MS 1000

/* What a worker answers; behind it the staff that are online, as hashes of 8 bytes each. */
typedef struct {
    ngx_realtime_worker_id_t worker;
    uint64_t                 host;
    uint64_t                 connections;
    uint64_t                 business_connections;
    uint64_t                 user_online;
} ngx_realtime_stats_part_t;

struct ngx_realtime_stats_ask_s {
    ngx_realtime_stats_t    *stats;
    ngx_realtime_stats_pt    done;
    void                    *data;
    ngx_realtime_bus_wait_t *wait;
    ngx_array_t              hosts; /* of uint64_t */
    ngx_array_t              staff; /* of uint64_t */
    ngx_pool_t              *pool;
};

/* A REST request that waits. */
typedef struct {
    ngx_http_request_t       *request;
    ngx_realtime_stats_t      stats;
    ngx_realtime_stats_ask_t *ask;
    unsigned                  business:1; /* its members are wanted */
    unsigned                  user:1;
} ngx_realtime_stats_rest_t;

static void               ngx_realtime_stats_answer(void *data, ngx_str_t *answer, ngx_uint_t late);
static void               ngx_realtime_stats_take(ngx_realtime_stats_ask_t *ask, ngx_str_t *answer);
static ngx_uint_t         ngx_realtime_stats_distinct(ngx_array_t *numbers);
static int ngx_libc_cdecl ngx_realtime_stats_compare(const void *one, const void *two);
static uint64_t           ngx_realtime_stats_hash(ngx_str_t *s);
static ngx_uint_t         ngx_realtime_stats_user(ngx_str_t *business, ngx_str_t *user);
static void               ngx_realtime_stats_rest_cleanup(void *data);
static void               ngx_realtime_stats_rest_done(void *data, ngx_realtime_stats_t *stats);


ngx_realtime_stats_ask_t *
ngx_realtime_stats_ask(ngx_realtime_stats_t *stats, ngx_realtime_stats_pt done, void *data)
{
    u_char                   *p, *question;
    uint16_t                  len;
    ngx_str_t                 all = ngx_string(NGX_REALTIME_PRESENCE_ALL), payload, own;
    ngx_pool_t               *pool;
    ngx_realtime_bus_t       *bus;
    ngx_realtime_stats_ask_t *ask;

    bus = ngx_realtime_worker->bus;

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    ask = ngx_pcalloc(pool, sizeof(ngx_realtime_stats_ask_t));
    question = ngx_pnalloc(pool, 1 + 2 + stats->business.len + stats->user.len);
    own.data = ngx_palloc(pool, 65536);

    if (ask == NULL || question == NULL || own.data == NULL
        || ngx_array_init(&ask->hosts, pool, 8, sizeof(uint64_t)) != NGX_OK
        || ngx_array_init(&ask->staff, pool, 16, sizeof(uint64_t)) != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    ask->stats = stats;
    ask->done = done;
    ask->data = data;
    ask->pool = pool;

    len = (uint16_t) stats->business.len;

    p = question;
    *p++ = NGX_REALTIME_PRESENCE_ASK_STATS;
    p = ngx_cpymem(p, &len, 2);

    if (stats->business.len) {
        p = ngx_cpymem(p, stats->business.data, stats->business.len);
    }

    if (stats->user.len) {
        p = ngx_cpymem(p, stats->user.data, stats->user.len);
    }

    payload.data = question + 1;
    payload.len = p - payload.data;

    own.len = 0;
    ngx_realtime_stats_on_ask(&payload, &own, 65536);
    ngx_realtime_stats_take(ask, &own);

    payload.data--;
    payload.len++;

    if (bus->methods->request(bus, &all, &payload, NGX_REALTIME_STATS_MS, ngx_realtime_stats_answer,
            ask, &ask->wait)
        != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    return ask;
}


void
ngx_realtime_stats_cancel(ngx_realtime_stats_ask_t *ask)
{
    ngx_realtime_bus_t *bus;

    bus = ngx_realtime_worker->bus;
    bus->methods->cancel(bus, ask->wait);

    ngx_destroy_pool(ask->pool);
}


/* Question: the business's length (two bytes), the business, the user. */
void
ngx_realtime_stats_on_ask(ngx_str_t *question, ngx_str_t *answer, size_t answer_size)
{
    u_char                     *p, *end;
    uint16_t                    len;
    uint64_t                    hash;
    ngx_str_t                   business, user;
    ngx_rbtree_node_t          *node;
    ngx_realtime_company_t     *company;
    ngx_realtime_stats_part_t   part;
    ngx_realtime_person_here_t *person;

    if (question->len < 2) {
        return;
    }

    ngx_memcpy(&len, question->data, 2);

    if (question->len < (size_t) 2 + len) {
        return;
    }

    business.data = question->data + 2;
    business.len = len;
    user.data = business.data + len;
    user.len = question->len - 2 - len;

    company = business.len ? ngx_realtime_presence_company(&business) : NULL;

    part.worker = ngx_realtime_worker->id;
    part.host = ngx_realtime_worker->host;
    part.connections = ngx_realtime_presence_connections();
    part.business_connections = company ? company->connections : 0;
    part.user_online = user.len ? ngx_realtime_stats_user(&business, &user) : 0;

    end = answer->data + answer_size;
    p = ngx_cpymem(answer->data, &part, sizeof(part));

    if (company != NULL) {
        for (node = ngx_rbtree_min(company->people.root, company->people.sentinel);
             node != NULL && (size_t) (end - p) >= sizeof(hash);
             node = ngx_rbtree_next(&company->people, node))
        {
            person = (ngx_realtime_person_here_t *) node;

            if (person->connections != 0 && rt_role_is_staff(person->identity->role)) {
                hash = ngx_realtime_stats_hash(&person->node.str);
                p = ngx_cpymem(p, &hash, sizeof(hash));
            }
        }
    }

    answer->len = p - answer->data;
}


/* Whoever asks for a business is told of its people and of those who are bound to none, not of
 * another one's; who asks for none (SUPER_ADMIN) of everybody. */
static ngx_uint_t
ngx_realtime_stats_user(ngx_str_t *business, ngx_str_t *user)
{
    ngx_uint_t                  i;
    ngx_str_t                   names[2] = {*business, ngx_null_string};
    ngx_realtime_company_t     *company;
    ngx_realtime_person_here_t *person;

    if (business->len == 0) {
        return ngx_realtime_presence_anywhere(user);
    }

    for (i = 0; i < 2; i++) {
        company = ngx_realtime_presence_company(&names[i]);
        person = company ? ngx_realtime_presence_person(company, user) : NULL;

        if (person != NULL && person->connections != 0) {
            return 1;
        }
    }

    return 0;
}


/* FNV-1a: only told apart from others of the same answer. */
static uint64_t
ngx_realtime_stats_hash(ngx_str_t *s)
{
    size_t   i;
    uint64_t hash;

    hash = 0xcbf29ce484222325ULL;

    for (i = 0; i < s->len; i++) {
        hash = (hash ^ s->data[i]) * 0x100000001b3ULL;
    }

    return hash;
}


static void
ngx_realtime_stats_answer(void *data, ngx_str_t *answer, ngx_uint_t late)
{
    ngx_realtime_stats_ask_t *ask = data;

    if (answer != NULL) {
        ngx_realtime_stats_take(ask, answer);
        return;
    }

    ask->stats->hosts = ngx_realtime_stats_distinct(&ask->hosts);
    ask->stats->staff_online = ngx_realtime_stats_distinct(&ask->staff);

    ask->done(ask->data, ask->stats);

    ngx_destroy_pool(ask->pool);
}


static void
ngx_realtime_stats_take(ngx_realtime_stats_ask_t *ask, ngx_str_t *answer)
{
    size_t                    rest;
    uint64_t                 *host, *staff;
    ngx_realtime_stats_part_t part;

    if (answer->len < sizeof(part)) {
        return;
    }

    ngx_memcpy(&part, answer->data, sizeof(part));

    ask->stats->workers++;
    ask->stats->connections += part.connections;
    ask->stats->business_connections += part.business_connections;
    ask->stats->user_online |= part.user_online != 0;

    host = ngx_array_push(&ask->hosts);

    if (host != NULL) {
        *host = part.host;
    }

    rest = (answer->len - sizeof(part)) / sizeof(uint64_t);
    staff = rest ? ngx_array_push_n(&ask->staff, rest) : NULL;

    if (staff != NULL) {
        ngx_memcpy(staff, answer->data + sizeof(part), rest * sizeof(uint64_t));
    }
}


static ngx_uint_t
ngx_realtime_stats_distinct(ngx_array_t *numbers)
{
    uint64_t  *elts;
    ngx_uint_t i, n;

    elts = numbers->elts;
    ngx_qsort(elts, numbers->nelts, sizeof(uint64_t), ngx_realtime_stats_compare);

    for (n = 0, i = 0; i < numbers->nelts; i++) {
        n += i == 0 || elts[i] != elts[i - 1];
    }

    return n;
}


static int ngx_libc_cdecl
ngx_realtime_stats_compare(const void *one, const void *two)
{
    uint64_t a, b;

    ngx_memcpy(&a, one, sizeof(a));
    ngx_memcpy(&b, two, sizeof(b));

    return a < b ? -1 : a > b;
}


/* REST. */

void
ngx_realtime_stats_rest(ngx_http_request_t *r, rt_identity_t *identity, json_t *request)
{
    ngx_str_t                  business, user, own;
    ngx_http_cleanup_t        *cleanup;
    ngx_realtime_stats_rest_t *rest;

    business = ngx_realtime_ngx_str(rt_json_get_str(request, "businessId"));
    user = ngx_realtime_ngx_str(rt_json_get_str(request, "userId"));
    own = ngx_realtime_ngx_str(identity->business_id);

    if (identity->role != RT_ROLE_SUPER_ADMIN && business.len
        && (business.len != own.len || ngx_memcmp(business.data, own.data, own.len) != 0))
    {
        ngx_http_finalize_request(r,
            ngx_realtime_http_error(r, NGX_HTTP_NOT_FOUND, rt_str("No such business"), NULL));
        return;
    }

    cleanup = ngx_http_cleanup_add(r, sizeof(ngx_realtime_stats_rest_t));
    if (cleanup == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    rest = cleanup->data;
    ngx_memzero(rest, sizeof(ngx_realtime_stats_rest_t));
    cleanup->handler = ngx_realtime_stats_rest_cleanup;

    rest->request = r;
    rest->business = business.len != 0;
    rest->user = user.len != 0;

    if (identity->role != RT_ROLE_SUPER_ADMIN) {
        business = own;
    }

    rest->stats.business.data = ngx_pstrdup(r->pool, &business);
    rest->stats.business.len = business.len;
    rest->stats.user.data = ngx_pstrdup(r->pool, &user);
    rest->stats.user.len = user.len;

    if (rest->stats.business.data != NULL && rest->stats.user.data != NULL) {
        rest->ask = ngx_realtime_stats_ask(&rest->stats, ngx_realtime_stats_rest_done, rest);
    }

    if (rest->ask == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    r->read_event_handler = ngx_http_test_reading;
}


ngx_int_t
ngx_realtime_stats_handler(ngx_http_request_t *r)
{
    ngx_http_cleanup_t        *cleanup;
    ngx_realtime_stats_rest_t *rest;

    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    if (ngx_realtime_worker == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    cleanup = ngx_http_cleanup_add(r, sizeof(ngx_realtime_stats_rest_t));
    if (cleanup == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rest = cleanup->data;
    ngx_memzero(rest, sizeof(ngx_realtime_stats_rest_t));
    cleanup->handler = ngx_realtime_stats_rest_cleanup;
    rest->request = r;

    rest->ask = ngx_realtime_stats_ask(&rest->stats, ngx_realtime_stats_rest_done, rest);
    if (rest->ask == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;

    return NGX_DONE;
}


static void
ngx_realtime_stats_rest_cleanup(void *data)
{
    ngx_realtime_stats_rest_t *rest = data;

    if (rest->ask != NULL) {
        ngx_realtime_stats_cancel(rest->ask);
        rest->ask = NULL;
    }
}


static void
ngx_realtime_stats_rest_done(void *data, ngx_realtime_stats_t *stats)
{
    u_char                    *p;
    u_char                     text[512];
    ngx_str_t                  body;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_realtime_stats_rest_t *rest = data;

    rest->ask = NULL;
    r = rest->request;
    c = r->connection;

    p = ngx_sprintf(text, "{\"totalConnections\":%ui,\"workers\":%ui,\"hosts\":%ui",
        stats->connections, stats->workers, stats->hosts);

    if (rest->business) {
        p = ngx_sprintf(p, ",\"businessConnections\":%ui,\"staffOnline\":%ui",
            stats->business_connections, stats->staff_online);
    }

    if (rest->user) {
        p = ngx_sprintf(p, ",\"isUserOnline\":%s", stats->user_online ? "true" : "false");
    }

    *p++ = '}';

    body.data = text;
    body.len = p - text;

    ngx_http_finalize_request(r, ngx_realtime_http_send(r, NGX_HTTP_OK, "application/json", &body));
    ngx_http_run_posted_requests(c);
}
