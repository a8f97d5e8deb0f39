/* The state of a fan-out run; for load_fanout.c alone. */

#ifndef LOAD_FANOUT_H
#define LOAD_FANOUT_H

#include "load_client.h"
#include "load_http.h"


/* Answer ids: messages are asked for by 1…LOAD_MESSAGES_MAX. */
#define LOAD_FANOUT_JOIN (LOAD_MESSAGES_MAX + 1ull)
/* In `counts`: the server did not take the message. */
#define LOAD_FANOUT_REFUSED UINT32_MAX

typedef struct {
    uint64_t seq;                   /* the last that came, 0 for none */
    uint32_t nth[LOAD_SENDERS_MAX]; /* the next expected of each sender */
} load_fanout_member_t;

typedef struct {
    load_crowd_t          crowd;
    load_http_t           publisher; /* LOAD_RAW */
    char                  room[LOAD_NAME_MAX];
    load_fanout_member_t *member;
    uint64_t             *got;     /* bit member * messages + id */
    uint64_t             *sent_at; /* of each message, ns */
    uint32_t             *counts;  /* members that have each message */
    size_t                members;
    size_t                senders;
    size_t                messages;
    size_t                window;
    size_t                size;
    size_t                sent;
    size_t                under_way;
    size_t                complete;
    size_t                acks;
    size_t                refused;
    size_t                send_failed;
    uint64_t              end; /* nothing is sent from then on, ns */
    double                seconds;
    uint64_t              deliveries;
    uint64_t              events; /* all that came while measuring, deliveries included */
    uint64_t              duplicated;
    uint64_t              out_of_order;
    uint64_t              seq_breaks;
    load_latency_t        delivering; /* send to each member's receipt */
    load_latency_t        completing; /* send to the last member's receipt */
    load_latency_t        acking;
} load_fanout_t;

#endif
