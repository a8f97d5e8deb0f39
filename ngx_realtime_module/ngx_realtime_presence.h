/* Who is online: this worker's people, asked by the others and told to those whose staff watch.
 * Nothing is stored: a crash can't leave ghosts. Event loop only. */

#ifndef NGX_REALTIME_PRESENCE_H
#define NGX_REALTIME_PRESENCE_H

#include "ngx_realtime.h"
#include "ngx_realtime_session.h"


#define NGX_REALTIME_PRESENCE_GRACE_MS 5000 /* a reconnect within it is no change */

/* The channel that every worker listens to. */
#define NGX_REALTIME_PRESENCE_ALL "all"

/* First byte of what workers ask each other there. */
typedef enum {
    NGX_REALTIME_PRESENCE_ASK_STATS = 'S',
    NGX_REALTIME_PRESENCE_ASK_PEOPLE = 'P'
} ngx_realtime_presence_ask_e;

/* First byte of what is published on "business:<id>"; the hub's envelopes begin with 1. */
#define NGX_REALTIME_PRESENCE_NOTICE 2

/* One person of one business on this worker. */
typedef struct {
    ngx_str_node_t                 node; /* first; the user's id */
    ngx_uint_t                     connections;
    ngx_msec_t                     gone_at; /* connections is 0: since when */
    ngx_queue_t                    link;    /* then: among those who may come back */
    rt_identity_t                 *identity;
    struct ngx_realtime_company_s *company;
} ngx_realtime_person_here_t;

/* One business (or none: an empty name) of which people are here. */
typedef struct ngx_realtime_company_s {
    ngx_str_node_t    node; /* first; the name stands behind this structure */
    ngx_uint_t        connections;
    ngx_uint_t        staff_connections;
    ngx_rbtree_t      people;
    ngx_rbtree_node_t sentinel;
} ngx_realtime_company_t;

/* A session is connected; it leaves, ends, or has moved on. */
void ngx_realtime_presence_up(ngx_realtime_session_t *s);
void ngx_realtime_presence_down(ngx_realtime_session_t *s);

/* Connections that got "connected", of this worker. */
ngx_uint_t ngx_realtime_presence_connections(void);

/* The business's people here, or NULL: none. */
ngx_realtime_company_t *ngx_realtime_presence_company(ngx_str_t *business);

/* The person, with connections or gone for less than the grace, or NULL. */
ngx_realtime_person_here_t *ngx_realtime_presence_person(ngx_realtime_company_t *company,
    ngx_str_t                                                                   *user);

/* 1 when the user is connected here, in whatever business. */
ngx_uint_t ngx_realtime_presence_anywhere(ngx_str_t *user);

/* Whether staff of the business are connected anywhere. done runs once, never from inside; the
 * answer of a moment ago serves too. NGX_ERROR: no memory, done is not called. */
typedef void (*ngx_realtime_presence_staff_pt)(void *data, ngx_uint_t online);
ngx_int_t ngx_realtime_presence_staff(ngx_str_t *business, ngx_realtime_presence_staff_pt done,
    void *data);

void ngx_realtime_presence_staff_init(void);
void ngx_realtime_presence_staff_exit(void);

/* What the bus brings: see ngx_realtime_bus.h. */
void ngx_realtime_presence_on_notice(ngx_str_t *channel, ngx_str_t *payload);
void ngx_realtime_presence_on_ask(ngx_str_t *channel, ngx_str_t *payload, ngx_str_t *answer,
    size_t answer_size);
void ngx_realtime_presence_on_worker_lost(ngx_realtime_worker_id_t worker);
void ngx_realtime_presence_on_gap(void);

/* After the bus was made. */
ngx_int_t ngx_realtime_presence_init(void);
void      ngx_realtime_presence_exit(void);


/* ngx_realtime_presence_watch.c: the people of a business in the whole cluster, as far as this
 * worker's dashboards must be told of them. */

/* A dashboard more, or less. */
void ngx_realtime_watch_add(ngx_str_t *business);
void ngx_realtime_watch_remove(ngx_str_t *business);

/* A person came to that worker, or has left it (after the grace). */
void ngx_realtime_watch_up(ngx_str_t *business, ngx_realtime_worker_id_t worker, rt_str_t user,
    rt_str_t role);
void ngx_realtime_watch_down(ngx_str_t *business, ngx_realtime_worker_id_t worker, rt_str_t user);

void ngx_realtime_watch_worker_lost(ngx_realtime_worker_id_t worker);

/* Something may have been missed: everybody is asked again. */
void ngx_realtime_watch_gap(void);

/* The order in which people are listed: below 0, 0 or above it as of memcmp. */
ngx_int_t ngx_realtime_watch_compare(ngx_str_t *a, ngx_str_t *b);

void ngx_realtime_watch_init(void);
void ngx_realtime_watch_exit(void);


/* ngx_realtime_stats.c: answers to ASK_STATS. */
void ngx_realtime_stats_on_ask(ngx_str_t *question, ngx_str_t *answer, size_t answer_size);

#endif
