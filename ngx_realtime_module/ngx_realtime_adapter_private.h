/* The cluster shared with Node servers from inside: what its files share.
 *
 * As @socket.io/redis-adapter does, every worker listens to three kinds of channels for each
 * namespace (P is adapter_prefix, N the namespace):
 *
 *   P#N#…           broadcasts, as a pattern; behind it the room when there is only one
 *   P-request#N#    what servers ask each other; each that listens there must answer
 *   P-response#N#…  answers: we only publish there, since we ask nothing
 *
 * Broadcasts of our own workers come by here, too. They are told by their uid ("nginx:<db>:<id>")
 * and looked at only by workers with clients that Node has put into rooms: all others have had the
 * event by our own bus.
 *
 * Rooms. Our channels are rooms of the same name: "room:<id>", "business:<id>", "user:<id>"; a bare
 * "<id>" is "room:<id>" as well. Whatever else Node puts clients into, and "room:<id>" too when it
 * was Node who did so, is a label: no membership of the hub, which is for those that may read. */

#ifndef NGX_REALTIME_ADAPTER_PRIVATE_H
#define NGX_REALTIME_ADAPTER_PRIVATE_H

#include "ngx_realtime_adapter.h"
#include "ngx_realtime_hub.h"
#include "ngx_realtime_redis.h"

#include <rt/rt_adapter.h>


#define NGX_REALTIME_ADAPTER_NAME_MAX    1024 /* bytes of a room's name */
#define NGX_REALTIME_ADAPTER_LABELS_MAX  1000 /* of one client */
#define NGX_REALTIME_ADAPTER_ANSWER_MAX  (16 * 1024 * 1024)
#define NGX_REALTIME_ADAPTER_ASKED_MAX   4096   /* questions that clients are to answer, */
#define NGX_REALTIME_ADAPTER_AWAITED_MAX 262144 /* and the answers awaited for them */
#define NGX_REALTIME_ADAPTER_ASK_MS      10000  /* where the asker does not say how long */
#define NGX_REALTIME_ADAPTER_ASK_MAX     300000
#define NGX_REALTIME_ADAPTER_SEEN        4096  /* broadcasts; a power of two */
#define NGX_REALTIME_ADAPTER_CATCH_MS    1000  /* by which this worker is behind another at most */
#define NGX_REALTIME_ADAPTER_WARN_MS     10000 /* between two lines about what is not understood */

/* for a client that lets more than this wait an event is not worth the while that may be lost */
#define NGX_REALTIME_ADAPTER_VOLATILE 65536

/* A namespace's channels. */
typedef struct {
    ngx_str_t name;
    ngx_str_t broadcast;
    ngx_str_t pattern;
    ngx_str_t request;
    ngx_str_t response;
} ngx_realtime_space_t;

/* Clients here that Node has put into a room, and the room of each client alone: its socket id. */
typedef struct {
    ngx_str_node_t node; /* first; the name stands behind this structure */
    ngx_queue_t    labels;
} ngx_realtime_labelled_t;

typedef struct ngx_realtime_label_s ngx_realtime_label_t;

struct ngx_realtime_label_s {
    ngx_queue_t              link; /* of the room */
    ngx_realtime_label_t    *next; /* of the session */
    ngx_realtime_session_t  *session;
    ngx_realtime_labelled_t *room;
    unsigned                 own:1;   /* the socket id: stays */
    unsigned                 early:1; /* came with a session that is on its way */
};

/* A client that was found, and where: NULL as a label, or because all are meant. */
typedef struct {
    ngx_realtime_session_t *session;
    ngx_realtime_member_t  *member;
} ngx_realtime_found_t;

/* A question to clients, and one whose answer is awaited. */
typedef struct {
    ngx_queue_t link;
    ngx_queue_t awaited;
    int64_t     id; /* as clients are told it */
    ngx_event_t timer;
    ngx_str_t   request_id;
    ngx_str_t   channel; /* that is answered on; both texts stand behind this structure */
} ngx_realtime_asked_t;

typedef struct ngx_realtime_awaited_s ngx_realtime_awaited_t;

struct ngx_realtime_awaited_s {
    ngx_queue_t             link; /* of the question */
    ngx_realtime_awaited_t *next; /* of the session */
    ngx_realtime_asked_t   *asked;
    ngx_realtime_session_t *session;
};

typedef struct {
    ngx_realtime_redis_t *publisher;
    ngx_realtime_redis_t *subscriber;
    u_char                publisher_name[40];
    u_char                subscriber_name[40];
    ngx_realtime_space_t *spaces;
    ngx_uint_t            space_count;
    ngx_str_t             uid;
    size_t                kin; /* bytes of it that all workers of our cluster have */
    u_char                uid_text[sizeof("nginx:") + NGX_INT_T_LEN + 1 + 16];

    ngx_rbtree_t      rooms; /* ngx_realtime_labelled_t */
    ngx_rbtree_node_t rooms_sentinel;
    ngx_uint_t        labels; /* those of Node */
    uint64_t          visit;

    ngx_realtime_found_t *found; /* of the last walk */
    ngx_uint_t            found_count;
    ngx_uint_t            found_size;

    ngx_queue_t asked;
    ngx_uint_t  asked_count;
    ngx_uint_t  awaited_count;
    int64_t     ask_last;

    uint64_t  *seen;    /* digests of the last broadcasts, as a ring */
    uint64_t   foreign; /* how many there were */
    uint64_t   digest;  /* of the one that is being told; 0: it is no broadcast */
    ngx_msec_t warned;
    unsigned   warned_once:1;
} ngx_realtime_adapter_t;

/* NULL: not configured. */
extern ngx_realtime_adapter_t *ngx_realtime_adapter;


/* ngx_realtime_adapter.c */

/* PUBLISH; what can't be sent now is lost, as it is for Node's adapter. */
void ngx_realtime_adapter_publish(ngx_str_t *channel, rt_buf_t *payload);

/* A line about what came and can't be used, not too often. */
void ngx_realtime_adapter_warn(const char *what, const char *why);


/* ngx_realtime_adapter_rooms.c */

/* Which clients are looked for. */
#define NGX_REALTIME_FIND_ENTERING                                                                 \
    1 /* also those that are just coming in: they hold what they get */
#define NGX_REALTIME_FIND_LABELLED 2 /* only those that Node has put there, and we have not */

#define NGX_REALTIME_FIND_ARRIVING 4 /* also those that are on their way to this worker */

/* Fills adapter->found with the namespace's clients that are in any of the rooms (none named: all)
 * and in none of except, each once. NGX_ERROR: no memory. */
ngx_int_t ngx_realtime_adapter_find(ngx_realtime_space_t *space, const rt_adapter_names_t *rooms,
    const rt_adapter_names_t *except, ngx_uint_t flags);

/* 1: somebody here may be in it. */
ngx_uint_t ngx_realtime_adapter_knows(ngx_str_t *room);

static inline ngx_uint_t
ngx_realtime_adapter_arrives(ngx_realtime_session_t *s)
{
    return s->ws == NULL && s->polling == NULL;
}

/* Puts the client into a room, or takes it out. */
void ngx_realtime_adapter_label(ngx_realtime_session_t *s, ngx_str_t *name, ngx_uint_t own);
void ngx_realtime_adapter_unlabel(ngx_realtime_session_t *s, ngx_str_t *name);

/* The client's connection, or NULL. */
ngx_realtime_session_t *ngx_realtime_adapter_socket(ngx_realtime_space_t *space, rt_str_t id);

/* Appends JSON: the names of the rooms that it is in, with commas between. */
void ngx_realtime_adapter_put_rooms(rt_buf_t *out, ngx_realtime_session_t *s);

/* The same of all rooms in which somebody is. */
void ngx_realtime_adapter_put_all_rooms(rt_buf_t *out, ngx_realtime_space_t *space);


/* ngx_realtime_adapter_deliver.c */

/* A broadcast came. */
void ngx_realtime_adapter_on_broadcast(ngx_realtime_space_t *space, ngx_str_t *channel,
    ngx_str_t *payload);

/* Tells those who were found. Where ack is not 0 Socket.IO clients are asked to answer by it, and
 * those of them that were are left in adapter->found. */
void ngx_realtime_adapter_tell(const rt_adapter_message_t *message, int64_t ack);

/* The client comes from another worker, where it has had all up to the broadcast with this digest
 * (0: none): that is dropped from what is held for it, or left out when it comes. */
void ngx_realtime_adapter_catch_up(ngx_realtime_session_t *s, uint64_t digest);

/* An event of ours, for those whom Node has put into the room. */
void ngx_realtime_adapter_tell_labelled(const rt_emit_t *emit);


/* ngx_realtime_adapter_request.c */

void ngx_realtime_adapter_on_request(ngx_realtime_space_t *space, ngx_str_t *payload);

/* As socket.disconnect() does. May close s. */
void ngx_realtime_adapter_disconnect(ngx_realtime_session_t *s, ngx_uint_t close);

/* The channel on which a request is answered: in buffer, of NGX_REALTIME_ADAPTER_NAME_MAX bytes. */
void ngx_realtime_adapter_response_channel(ngx_realtime_space_t *space,
    const rt_adapter_message_t *message, u_char *buffer, ngx_str_t *channel);


/* ngx_realtime_adapter_ask.c */

/* A broadcast whose clients answer. */
void ngx_realtime_adapter_ask(ngx_realtime_space_t *space, const rt_adapter_message_t *message);

/* The session's answers will not come here. */
void ngx_realtime_adapter_forget_awaited(ngx_realtime_session_t *s);

/* The same, when it moves to another worker, and there. */
json_t *ngx_realtime_adapter_export_awaited(ngx_realtime_session_t *s);
void    ngx_realtime_adapter_import_awaited(ngx_realtime_session_t *s, json_t *list);

void ngx_realtime_adapter_ask_exit(void);

#endif
