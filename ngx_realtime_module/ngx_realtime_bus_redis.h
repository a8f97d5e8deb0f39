/* The bus between hosts, from inside: what its files share. All others include ngx_realtime_bus.h.
 *
 * Two connections to Redis: one for commands (PUBLISH), one that subscribes. Names in Redis begin
 * with "realtime:<db>:" (pub/sub knows no databases), behind it:
 *
 *   c:<channel>   what is published on a channel, and questions to all who listen to it
 *   w:<id>        what is for one worker
 *   all           heartbeats, goodbyes, gaps: every worker listens
 *
 * Workers of one host talk over the local bus; what of theirs comes by here is dropped. A host is
 * one bus directory on one running system.
 *
 * Redis keeps nothing and tells nobody what it lost: whenever a connection was lost, those who may
 * have missed something heal from the store. Only messages for one worker are acknowledged and sent
 * again (ngx_realtime_bus_redis_inbox.c), since nothing else could heal them. Everything runs in
 * the event loop of one worker; nothing here blocks. */

#ifndef NGX_REALTIME_BUS_REDIS_H
#define NGX_REALTIME_BUS_REDIS_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_realtime_bus.h"
#include "ngx_realtime_redis.h"


#define NGX_REALTIME_REMOTE_BEAT_MS     500
#define NGX_REALTIME_REMOTE_LOST_MS     1700 /* without a heartbeat a worker counts as lost */
#define NGX_REALTIME_REMOTE_TICK_MS     40   /* acknowledgements wait so long for company */
#define NGX_REALTIME_REMOTE_RESEND_MS   300
#define NGX_REALTIME_REMOTE_RESEND_MAX  1200
#define NGX_REALTIME_REMOTE_UNKNOWN_MS  1500 /* for an answer of a worker never heard of */
#define NGX_REALTIME_REMOTE_UNACKED_MAX (16 * 1024 * 1024)
#define NGX_REALTIME_REMOTE_WINDOW      (2 * 1024 * 1024) /* that are sent again at once */
#define NGX_REALTIME_REMOTE_MEMBERS_MAX 4096
#define NGX_REALTIME_REMOTE_PENDING_MAX 1048576 /* commands without an answer */
#define NGX_REALTIME_REMOTE_NAME_MAX    1024
#define NGX_REALTIME_REMOTE_PAYLOAD_MAX (16 * 1024 * 1024)
#define NGX_REALTIME_REMOTE_ANSWER_MAX  65536
#define NGX_REALTIME_REMOTE_SUBSCRIBE   256 /* channels in one command */


/* What stands before every payload; numbers as this machine writes them: the hosts of a cluster are
 * of one kind. */
typedef struct {
    uint8_t                  version;
    uint8_t                  type;
    uint8_t                  flags;
    uint8_t                  reserved[5];
    ngx_realtime_worker_id_t from;
    uint64_t                 host;
    uint64_t                 id; /* of a request; of the worker that a LOST is about */
} ngx_realtime_remote_head_t;

#define NGX_REALTIME_REMOTE_VERSION 1
#define NGX_REALTIME_REMOTE_HEAD    sizeof(ngx_realtime_remote_head_t)

typedef enum {
    NGX_REALTIME_REMOTE_PUBLISH = 1, /* on channels */
    NGX_REALTIME_REMOTE_REQUEST,
    NGX_REALTIME_REMOTE_ANSWER, /* to one worker */
    NGX_REALTIME_REMOTE_MESSAGE,
    NGX_REALTIME_REMOTE_ACK,
    NGX_REALTIME_REMOTE_BEAT, /* to all */
    NGX_REALTIME_REMOTE_BYE,
    NGX_REALTIME_REMOTE_LOST,
    NGX_REALTIME_REMOTE_GAP
} ngx_realtime_remote_type_e;

#define NGX_REALTIME_REMOTE_HELLO 1 /* flag of a BEAT: answer with yours */
#define NGX_REALTIME_REMOTE_SKIP  1 /* flag of an ANSWER: of the asker's host, which asked there */
#define NGX_REALTIME_REMOTE_NACK  1 /* flag of an ACK: something is missing, send again */

/* Behind the head of MESSAGE and ACK. */
typedef struct {
    uint64_t epoch;     /* of the numbers below; 0: none yet */
    uint64_t number;    /* of this message; ACK: 0 */
    uint64_t base;      /* the lowest number that is not acknowledged yet */
    uint64_t ack_epoch; /* of what the receiver of this sends to us */
    uint64_t ack;       /* all up to here have come */
} ngx_realtime_remote_track_t;

/* What the answer to a command is about. */
typedef enum {
    NGX_REALTIME_REMOTE_ABOUT_NOTHING = 0,
    NGX_REALTIME_REMOTE_ABOUT_WORKER,
    NGX_REALTIME_REMOTE_ABOUT_REQUEST
} ngx_realtime_remote_about_e;

typedef struct {
    uint64_t id;
    uint8_t  about;
} ngx_realtime_remote_pending_t;

/* A channel that we listen to. */
typedef struct {
    ngx_str_node_t sn;     /* the name stands behind this structure */
    ngx_uint_t     count;  /* our subscriptions */
    uint64_t       number; /* confirmed when that many SUBSCRIBEs are */
} ngx_realtime_remote_channel_t;

/* A message for a worker that has not acknowledged it. */
typedef struct {
    ngx_queue_t queue;
    uint64_t    number;
    size_t      len;
    u_char      data[];
} ngx_realtime_remote_letter_t;

/* A worker of another host, or one that we hope is there. */
typedef struct {
    ngx_rbtree_node_t        node; /* first; the key is unused: ids are compared whole */
    ngx_realtime_worker_id_t id;
    uint64_t                 host;
    ngx_msec_t               seen; /* when something of it came; made, for an unknown one */

    uint64_t    out_epoch;
    uint64_t    out_number; /* of the last letter */
    ngx_queue_t letters;    /* oldest first */
    size_t      letters_bytes;
    ngx_msec_t  sent_at;
    ngx_msec_t  resend_ms;

    uint64_t in_epoch;
    uint64_t in_next; /* number that is due */
    unsigned ack_due:1;
    unsigned nack_due:1;
    unsigned known:1; /* it has sent something */
} ngx_realtime_remote_member_t;

/* A subscriber's notice, or a question. */
typedef struct {
    ngx_queue_t                    queue; /* of remote->waits or remote->finished */
    struct ngx_realtime_remote_s  *remote;
    void                          *data;
    ngx_realtime_bus_subscribed_pt subscribed; /* NULL: a request */
    uint64_t                       number;     /* of the SUBSCRIBE */

    ngx_rbtree_node_t          node; /* requests: of remote->requests */
    ngx_realtime_bus_answer_pt answer;
    ngx_event_t                timer;
    ngx_int_t                  expected; /* answers; -1: not known yet */
    ngx_int_t                  answered;
    unsigned                   finished:1;
    unsigned                   late:1;
} ngx_realtime_remote_wait_t;

typedef struct ngx_realtime_remote_s {
    ngx_realtime_bus_t    bus; /* first */
    uint64_t              host;
    ngx_realtime_redis_t *commands;
    ngx_realtime_redis_t *subscriber;
    u_char                command_name[40];
    u_char                subscriber_name[40];
    ngx_str_t             prefix;
    u_char               *name; /* where names are put together */
    u_char               *answer;

    ngx_realtime_remote_pending_t *pending; /* a ring of a power of two */
    ngx_uint_t                     pending_size;
    ngx_uint_t                     pending_head;
    ngx_uint_t                     pending_count;

    ngx_rbtree_t      channels;
    ngx_rbtree_node_t channels_sentinel;
    ngx_str_t        *adding; /* of this turn's SUBSCRIBE: names of their own */
    ngx_uint_t        adding_count;
    uint64_t          number; /* SUBSCRIBEs of channels made, */
    uint64_t          seen;   /* and confirmed */
    uint64_t    renewed;      /* all channels are subscribed again when this is seen; 0: they are */
    ngx_queue_t waits;
    ngx_queue_t finished;

    ngx_rbtree_t      members;
    ngx_rbtree_node_t members_sentinel;
    ngx_uint_t        members_count;
    ngx_event_t       beat;
    ngx_msec_t        beaten; /* when the last beat was */

    ngx_rbtree_t      requests;
    ngx_rbtree_node_t requests_sentinel;
    uint64_t          request_last;

    uint64_t    connects;
    ngx_event_t tick; /* acknowledgements, and letters to be sent again */
    ngx_event_t turn; /* posted: the end of this turn */
    unsigned    early:1;
    unsigned    missed:1; /* something was not published: the others must be told */
    unsigned    gap:1;    /* on_gap is due */
} ngx_realtime_remote_t;


/* ngx_realtime_bus_redis.c */

/* Sees to it that subscriptions, gap and finished waits are worked off at the end of this turn. */
void ngx_realtime_remote_post(ngx_realtime_remote_t *remote);

void ngx_realtime_remote_head(ngx_realtime_remote_t *remote, ngx_realtime_remote_head_t *head,
    ngx_realtime_remote_type_e type, ngx_uint_t flags, uint64_t id);

/* "realtime:<db>:" kind name, in remote->name. */
void ngx_realtime_remote_name(ngx_realtime_remote_t *remote, const char *kind, ngx_str_t *name,
    ngx_str_t *out);

/* PUBLISH of a head and what follows it (may be NULL), in two parts. NGX_DECLINED: not connected;
 * NGX_ERROR: no memory. */
ngx_int_t ngx_realtime_remote_send(ngx_realtime_remote_t *remote, ngx_str_t *name,
    const ngx_realtime_remote_head_t *head, const void *middle, size_t middle_len, ngx_str_t *body,
    ngx_realtime_remote_about_e about, uint64_t id);

/* The same to one worker ("w:<id>"), and to all. */
ngx_int_t ngx_realtime_remote_send_worker(ngx_realtime_remote_t *remote,
    ngx_realtime_worker_id_t to, const ngx_realtime_remote_head_t *head, const void *middle,
    size_t middle_len, ngx_str_t *body, ngx_realtime_remote_about_e about);
ngx_int_t ngx_realtime_remote_send_all(ngx_realtime_remote_t *remote,
    ngx_realtime_remote_type_e type, ngx_uint_t flags, uint64_t id);

/* Tells the others that something was not published, as soon as Redis takes it. */
void ngx_realtime_remote_tell_missed(ngx_realtime_remote_t *remote);


/* ngx_realtime_bus_redis_channel.c */

ngx_int_t ngx_realtime_remote_subscribe(ngx_realtime_bus_t *bus, ngx_str_t *channel,
    ngx_realtime_bus_subscribed_pt done, void *data, ngx_realtime_bus_wait_t **wait);
void      ngx_realtime_remote_unsubscribe(ngx_realtime_bus_t *bus, ngx_str_t *channel);

ngx_uint_t ngx_realtime_remote_subscribed(ngx_realtime_remote_t *remote, ngx_str_t *name);

/* The subscriber's connection is up: everything is subscribed again. */
void ngx_realtime_remote_renew(ngx_realtime_remote_t *remote);

/* It is down: nobody waits for it; what is missed meanwhile is healed when it is back. */
void ngx_realtime_remote_waits_let_go(ngx_realtime_remote_t *remote);

/* A SUBSCRIBE of one channel was confirmed. */
void ngx_realtime_remote_confirmed(ngx_realtime_remote_t *remote);

/* Sends this turn's SUBSCRIBEs. */
void ngx_realtime_remote_subscribe_flush(ngx_realtime_remote_t *remote);

void ngx_realtime_remote_channels_free(ngx_realtime_remote_t *remote);


/* ngx_realtime_bus_redis_member.c */

/* The worker of this id, or NULL. */
ngx_realtime_remote_member_t *ngx_realtime_remote_member_find(ngx_realtime_remote_t *remote,
    ngx_realtime_worker_id_t                                                         id);

/* Finds or makes it. NULL: no memory, or too many. */
ngx_realtime_remote_member_t *ngx_realtime_remote_member_meet(ngx_realtime_remote_t *remote,
    ngx_realtime_worker_id_t                                                         id);

/* It is gone: frees it and tells. gap: what it had stored may not have been published. */
void ngx_realtime_remote_member_lost(ngx_realtime_remote_t *remote,
    ngx_realtime_remote_member_t *member, ngx_uint_t gap);

/* Something came from it. */
void ngx_realtime_remote_member_seen(ngx_realtime_remote_t *remote,
    const ngx_realtime_remote_head_t                       *head);

/* All, in no order; NULL at the end. The current one may be freed. */
ngx_realtime_remote_member_t *ngx_realtime_remote_member_first(ngx_realtime_remote_t *remote);
ngx_realtime_remote_member_t *ngx_realtime_remote_member_next(ngx_realtime_remote_t *remote,
    ngx_realtime_remote_member_t                                                    *member);

void ngx_realtime_remote_beat(ngx_realtime_remote_t *remote, ngx_uint_t hello);
void ngx_realtime_remote_beat_handler(ngx_event_t *ev);
void ngx_realtime_remote_members_free(ngx_realtime_remote_t *remote);


/* ngx_realtime_bus_redis_inbox.c */

ngx_int_t ngx_realtime_remote_message(ngx_realtime_bus_t *bus, ngx_realtime_worker_id_t to,
    ngx_str_t *payload);

/* A MESSAGE or an ACK came. */
void ngx_realtime_remote_on_letter(ngx_realtime_remote_t *remote,
    const ngx_realtime_remote_head_t *head, ngx_str_t *body);

/* So many subscribers got a letter: none means that the worker is not there now. */
void ngx_realtime_remote_posted(ngx_realtime_remote_t *remote, ngx_realtime_worker_id_t to,
    ngx_int_t receivers);

/* Sends everything that is not acknowledged again: the connection is new. */
void ngx_realtime_remote_resend_all(ngx_realtime_remote_t *remote);

void ngx_realtime_remote_tick_handler(ngx_event_t *ev);
void ngx_realtime_remote_letters_free(ngx_realtime_remote_member_t *member);


/* ngx_realtime_bus_redis_request.c */

ngx_int_t ngx_realtime_remote_request(ngx_realtime_bus_t *bus, ngx_str_t *channel,
    ngx_str_t *payload, ngx_msec_t timeout, ngx_realtime_bus_answer_pt done, void *data,
    ngx_realtime_bus_wait_t **wait);
void      ngx_realtime_remote_cancel(ngx_realtime_bus_t *bus, ngx_realtime_bus_wait_t *wait);

/* Somebody asks on a channel. */
void ngx_realtime_remote_on_request(ngx_realtime_remote_t *remote,
    const ngx_realtime_remote_head_t *head, ngx_str_t *channel, ngx_str_t *body);

/* An answer came. */
void ngx_realtime_remote_on_answer(ngx_realtime_remote_t *remote,
    const ngx_realtime_remote_head_t *head, ngx_str_t *body);

/* So many subscribers were asked. */
void ngx_realtime_remote_asked(ngx_realtime_remote_t *remote, uint64_t id, ngx_int_t receivers);

/* The connection is gone: no answer will come. */
void ngx_realtime_remote_requests_end(ngx_realtime_remote_t *remote);

/* Makes the last calls of the waits that are finished. */
void ngx_realtime_remote_finish(ngx_realtime_remote_t *remote);

void ngx_realtime_remote_waits_free(ngx_realtime_remote_t *remote);

#endif
