/* The local bus from inside: what its files share. All others include ngx_realtime_bus.h.
 *
 * Every worker listens on <dir>/<id>.sock and dials every other worker that it finds there. A
 * connection carries frames one way, from the one who dialled, so each pair of workers has two
 * and neither has to be chosen. What is sent on one:
 *
 *   HELLO SUBS… LISTED [GAP] SYNC n     who I am, what I listen to, that was all of it (and what
 *                                       came before may be lost), say when you have read it
 *   then, in the order of the calls: PUBLISH MESSAGE REQUEST ANSWER SUBS SYNC SYNC_ACK GAP, BYE
 *
 * Until LISTED was read a worker is sent everything (it filters), from then on what it listens to.
 * Everything runs in the event loop of one worker; nothing here blocks. */

#ifndef NGX_REALTIME_BUS_LOCAL_H
#define NGX_REALTIME_BUS_LOCAL_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_realtime_bus.h"


#define NGX_REALTIME_LOCAL_PEERS_MAX   512
#define NGX_REALTIME_LOCAL_NAME_MAX    1024  /* bytes of a channel's name */
#define NGX_REALTIME_LOCAL_LIST_MAX    65536 /* bytes of one SUBS frame's body */
#define NGX_REALTIME_LOCAL_ANSWER_MAX  65536
#define NGX_REALTIME_LOCAL_FRAME_MAX   (256 * 1024 * 1024)
#define NGX_REALTIME_LOCAL_QUEUE_MIN   (128 * 1024)
#define NGX_REALTIME_LOCAL_SCRATCH     65536 /* bytes read at once */
#define NGX_REALTIME_LOCAL_TURN_READ   (256 * 1024)
#define NGX_REALTIME_LOCAL_TURN_WRITE  (1024 * 1024)
#define NGX_REALTIME_LOCAL_SYNC_MS     1000
#define NGX_REALTIME_LOCAL_HELLO_MS    10000
#define NGX_REALTIME_LOCAL_RESCAN_MS   5000
#define NGX_REALTIME_LOCAL_BACKOFF_MIN 100 /* milliseconds */
#define NGX_REALTIME_LOCAL_BACKOFF_MAX 2000

#define NGX_REALTIME_LOCAL_SUFFIX   ".sock"
#define NGX_REALTIME_LOCAL_FILE_LEN (16 + sizeof(NGX_REALTIME_LOCAL_SUFFIX) - 1)


typedef enum {
    NGX_REALTIME_LOCAL_HELLO = 1,
    NGX_REALTIME_LOCAL_SUBS,
    NGX_REALTIME_LOCAL_LISTED,
    NGX_REALTIME_LOCAL_SYNC,
    NGX_REALTIME_LOCAL_SYNC_ACK,
    NGX_REALTIME_LOCAL_PUBLISH,
    NGX_REALTIME_LOCAL_MESSAGE,
    NGX_REALTIME_LOCAL_REQUEST,
    NGX_REALTIME_LOCAL_ANSWER,
    NGX_REALTIME_LOCAL_GAP,
    NGX_REALTIME_LOCAL_BYE,
    NGX_REALTIME_LOCAL_TYPES
} ngx_realtime_local_type_e;

/* What stands before every frame, in the host's byte order: both ends are one host. */
typedef struct {
    uint32_t length; /* of what follows: name, then body */
    uint8_t  type;
    uint8_t  reserved; /* 0 */
    uint16_t name;     /* bytes of the channel's name */
    uint64_t id;       /* of a request or a sync */
} ngx_realtime_local_frame_t;

#define NGX_REALTIME_LOCAL_MAGIC   0x4c41455254424c4fULL
#define NGX_REALTIME_LOCAL_VERSION 1

typedef struct {
    uint64_t                 magic;
    uint64_t                 version;
    ngx_realtime_worker_id_t id;
} ngx_realtime_local_hello_t;

#define NGX_REALTIME_LOCAL_HEADER   sizeof(ngx_realtime_local_frame_t)
#define NGX_REALTIME_LOCAL_GREETING sizeof(ngx_realtime_local_hello_t)

/* What a SUBS frame is made of: one byte, the length of the name (two bytes), the name. */
#define NGX_REALTIME_LOCAL_ADD    1
#define NGX_REALTIME_LOCAL_REMOVE 2
#define NGX_REALTIME_LOCAL_CHANGE 3 /* bytes before the name */

/* A frame on its way out, shared by the queues of all peers that get it. */
typedef struct {
    ngx_uint_t refs;
    size_t     len;
    u_char     data[];
} ngx_realtime_local_msg_t;

typedef struct ngx_realtime_local_s      ngx_realtime_local_t;
typedef struct ngx_realtime_local_in_s   ngx_realtime_local_in_t;
typedef struct ngx_realtime_local_peer_s ngx_realtime_local_peer_t;

/* Another worker. Lives from the first sight of its socket or its HELLO until nobody listens on
 * the socket and its connection to us is closed. */
struct ngx_realtime_local_peer_s {
    ngx_queue_t              queue;
    ngx_queue_t              dirty_queue;
    ngx_realtime_local_t    *local;
    ngx_realtime_worker_id_t id;
    ngx_uint_t               slot;

    ngx_realtime_local_in_t *in; /* what it sends; NULL: not connected */

    ngx_connection_t *out;     /* what we send; NULL: not connected */
    ngx_event_t       dial;    /* posted or a timer while out is NULL */
    ngx_msec_t        backoff; /* before the next dial */

    ngx_realtime_local_msg_t **ring; /* frames to be sent, a power of two of them */
    ngx_uint_t                 ring_size;
    ngx_uint_t                 ring_head;
    ngx_uint_t                 ring_count;
    size_t                     sent;   /* bytes of the first one */
    size_t                     queued; /* bytes not sent */
    size_t                     limit;  /* of queued */

    uint64_t sync_sent;  /* our SYNCs: the last one sent to it, */
    uint64_t sync_acked; /* the last one that it has confirmed */
    uint64_t sync_seen;  /* its SYNCs: the last one that we have read */
    uint64_t resync;     /* when this SYNC is confirmed we have a gap; 0: none */

    unsigned dirty:1;
    unsigned listed:1;     /* its subscriptions are known */
    unsigned everything:1; /* we could not keep them: send it all */
    unsigned missed:1;     /* something was not sent to it: tell it */
    unsigned gap:1;        /* something from it may be lost */
    unsigned down:1;       /* out was lost, or could not be made at once */
};

/* An accepted connection. */
struct ngx_realtime_local_in_s {
    ngx_queue_t                queue;
    ngx_realtime_local_t      *local;
    ngx_realtime_local_peer_t *peer; /* NULL: no HELLO yet */
    ngx_connection_t          *connection;
    u_char                    *partial; /* a frame that is not complete */
    size_t                     have;
    size_t                     size;
    unsigned                   bye:1;
};

/* A channel that we or others listen to. */
typedef struct {
    ngx_str_node_t sn;    /* the name stands behind this structure */
    ngx_uint_t     count; /* our subscriptions */
    uint64_t       sync;  /* confirmed when local->sync_done has reached it */
    uint16_t      *slots; /* peers that listen */
    uint16_t       nslots;
    uint16_t       size;
} ngx_realtime_local_channel_t;

struct ngx_realtime_bus_wait_s {
    ngx_queue_t           queue; /* of local->waits or local->finished */
    ngx_realtime_local_t *local;
    void                 *data;

    ngx_realtime_bus_subscribed_pt subscribed; /* NULL: a request */
    uint64_t                       sync;
    ngx_msec_t                     deadline;

    /* of requests; memory ends before them for the others */
    ngx_rbtree_node_t          node; /* of local->requests */
    ngx_realtime_bus_answer_pt answer;
    ngx_event_t                timer;
    ngx_uint_t                 pending; /* peers that have not answered, */
    uint64_t                   peers[NGX_REALTIME_LOCAL_PEERS_MAX / 64]; /* by slot */
    unsigned                   finished:1;
    unsigned                   late:1;
};

struct ngx_realtime_local_s {
    ngx_realtime_bus_t bus;
    ngx_str_t          dir;
    size_t             queue_max;
    size_t             payload_max; /* what a queue can take at all */
    ngx_connection_t  *listener;

    ngx_queue_t                peers;
    ngx_realtime_local_peer_t *slots[NGX_REALTIME_LOCAL_PEERS_MAX];
    ngx_queue_t                dirty; /* peers with something to be written */
    ngx_queue_t                ins;

    ngx_rbtree_t              channels;
    ngx_rbtree_node_t         channels_sentinel;
    ngx_realtime_local_msg_t *batch;     /* this turn's changes of subscriptions */
    uint64_t                  sync_next; /* number of the batch in the making */
    uint64_t                  sync_done;
    ngx_queue_t               waits; /* subscribers, by sync */
    ngx_event_t               sync_timer;

    ngx_rbtree_t      requests;
    ngx_rbtree_node_t requests_sentinel;
    ngx_uint_t        request_last;

    ngx_queue_t finished; /* waits whose last call is due */
    ngx_event_t turn;     /* posted: end of this turn */
    ngx_event_t rescan;
    u_char     *scratch;
    u_char     *answer;
    uint16_t    targets[NGX_REALTIME_LOCAL_PEERS_MAX];
    unsigned    early:1;       /* the event loop has not run yet */
    unsigned    batch_added:1; /* something new in the batch */
    unsigned    gap:1;         /* on_gap is due */
};


/* ngx_realtime_bus_local.c */

/* Sees to it that batch, queues, gap and finished waits are worked off at the end of this turn. */
void ngx_realtime_local_post(ngx_realtime_local_t *local);


/* ngx_realtime_bus_local_socket.c */

/* The address of a worker's socket. */
void ngx_realtime_local_address(ngx_realtime_local_t *local, ngx_realtime_worker_id_t id,
    struct sockaddr_un *address);

/* NGX_OK when the other end of fd runs as our user or as root. */
ngx_int_t ngx_realtime_local_credentials(ngx_realtime_local_t *local, ngx_socket_t fd);

/* Binds our socket, in place of one that is there already. NGX_ERROR: logged. */
ngx_int_t ngx_realtime_local_listen(ngx_realtime_local_t *local);

/* Dials the workers in the directory that we do not know. Returns 0 when our own socket is gone. */
ngx_uint_t ngx_realtime_local_scan(ngx_realtime_local_t *local);
void       ngx_realtime_local_rescan(ngx_event_t *ev);


/* ngx_realtime_bus_local_peer.c */

/* The worker of this id, or NULL. */
ngx_realtime_local_peer_t *ngx_realtime_local_peer_find(ngx_realtime_local_t *local,
    ngx_realtime_worker_id_t                                                  id);

/* Makes the peer and dials it once. NULL: nobody there and `in` is NULL (then the socket is
 * unlinked when it is stale), or no memory or slot. */
ngx_realtime_local_peer_t *ngx_realtime_local_peer_meet(ngx_realtime_local_t *local,
    ngx_realtime_worker_id_t id, ngx_realtime_local_in_t *in);

/* Frees what the peer holds, without telling anybody. */
void ngx_realtime_local_peer_free(ngx_realtime_local_peer_t *peer);

/* Dials the peer, which has no connection of ours, after at least delay_ms; never at once. */
void ngx_realtime_local_dial_later(ngx_realtime_local_peer_t *peer, ngx_msec_t delay_ms);

/* Closes our connection to the peer, drops its queue, and dials again after at least delay_ms. */
void ngx_realtime_local_out_close(ngx_realtime_local_peer_t *peer, ngx_msec_t delay_ms);


/* ngx_realtime_bus_local_queue.c */

/* A frame with one reference, the caller's. NULL: no memory, logged. name, body: may be NULL. */
ngx_realtime_local_msg_t *ngx_realtime_local_msg(ngx_realtime_local_t *local,
    ngx_realtime_local_type_e type, uint64_t id, ngx_str_t *name, ngx_str_t *body);

void ngx_realtime_local_msg_put(ngx_realtime_local_msg_t *msg);

/* Appends to the peer's queue (which takes a reference of its own) and posts the turn. A queue
 * past its limit, or without memory, closes the connection; without one the peer is marked as
 * having missed something. NGX_OK: queued, NGX_DECLINED: not. */
ngx_int_t ngx_realtime_local_enqueue(ngx_realtime_local_peer_t *peer,
    ngx_realtime_local_msg_t                                   *msg);

/* The same for a frame that is for this peer only; NGX_ERROR: no memory for it. */
ngx_int_t ngx_realtime_local_tell(ngx_realtime_local_peer_t *peer, ngx_realtime_local_type_e type,
    uint64_t id, ngx_str_t *body);

/* Writes as much of the queue as the socket takes, at most TURN_WRITE bytes. May close out. */
void ngx_realtime_local_write(ngx_realtime_local_peer_t *peer);

/* Empties the queue. */
void ngx_realtime_local_ring_clear(ngx_realtime_local_peer_t *peer);


/* ngx_realtime_bus_local_in.c */

/* Takes fd over. */
void ngx_realtime_local_in_open(ngx_realtime_local_t *local, ngx_socket_t fd);
void ngx_realtime_local_in_close(ngx_realtime_local_in_t *in);


/* ngx_realtime_bus_local_frame.c */

/* Checks a header before the first byte of what follows it is kept. NGX_ERROR: malformed, or not
 * to be sent now (HELLO comes first and only once); logged. */
ngx_int_t ngx_realtime_local_check_frame(ngx_realtime_local_in_t *in,
    ngx_realtime_local_frame_t                                   *frame);

/* Does what a whole frame says, whose header was checked. NGX_ERROR: close, logged. */
ngx_int_t ngx_realtime_local_dispatch(ngx_realtime_local_in_t *in, u_char *data);


/* ngx_realtime_bus_local_channel.c */

ngx_int_t ngx_realtime_local_subscribe(ngx_realtime_bus_t *bus, ngx_str_t *channel,
    ngx_realtime_bus_subscribed_pt done, void *data, ngx_realtime_bus_wait_t **wait);

void ngx_realtime_local_unsubscribe(ngx_realtime_bus_t *bus, ngx_str_t *channel);

/* 1 when we listen to the channel. */
ngx_uint_t ngx_realtime_local_subscribed(ngx_realtime_local_t *local, ngx_str_t *name);

/* Slots of the peers that must hear what is published on the channel, in local->targets. */
ngx_uint_t ngx_realtime_local_targets(ngx_realtime_local_t *local, ngx_str_t *name);

/* All channels, ours and others', in no order; NULL at the end. */
ngx_realtime_local_channel_t *ngx_realtime_local_channel_first(ngx_realtime_local_t *local);

ngx_realtime_local_channel_t *ngx_realtime_local_channel_next(ngx_realtime_local_t *local,
    ngx_realtime_local_channel_t                                                   *channel);

/* A SUBS frame of the peer. NGX_ERROR: malformed. */
ngx_int_t ngx_realtime_local_marks(ngx_realtime_local_peer_t *peer, ngx_str_t *body);

/* Forgets what the peer listens to. */
void ngx_realtime_local_marks_clear(ngx_realtime_local_peer_t *peer);

void ngx_realtime_local_channels_free(ngx_realtime_local_t *local);


/* ngx_realtime_bus_local_sync.c */

/* Notes a change (ADD or REMOVE) to be sent at the end of this turn. NGX_ERROR: no memory. */
ngx_int_t ngx_realtime_local_batch_add(ngx_realtime_local_t *local, ngx_uint_t what,
    ngx_str_t *name);

/* Sends this turn's changes of subscriptions. */
void ngx_realtime_local_batch_end(ngx_realtime_local_t *local);

/* Queues all our subscriptions for a peer that has just been connected. */
ngx_int_t ngx_realtime_local_list(ngx_realtime_local_peer_t *peer);

/* A notice for a channel: due at once when the channel is confirmed, else with its SYNC. */
ngx_realtime_bus_wait_t *ngx_realtime_local_wait(ngx_realtime_local_t *local,
    ngx_realtime_local_channel_t *channel, ngx_realtime_bus_subscribed_pt done, void *data);

/* Moves the waits whose sync all peers have confirmed to local->finished. */
void ngx_realtime_local_sync_check(ngx_realtime_local_t *local);
void ngx_realtime_local_sync_timeout(ngx_event_t *ev);


/* ngx_realtime_bus_local_request.c */

ngx_int_t ngx_realtime_local_request(ngx_realtime_bus_t *bus, ngx_str_t *channel,
    ngx_str_t *payload, ngx_msec_t timeout, ngx_realtime_bus_answer_pt done, void *data,
    ngx_realtime_bus_wait_t **wait);
void      ngx_realtime_local_cancel(ngx_realtime_bus_t *bus, ngx_realtime_bus_wait_t *wait);

/* An ANSWER frame of the peer; one to a request that is over is ignored. */
void ngx_realtime_local_answered(ngx_realtime_local_peer_t *peer, uint64_t id, ngx_str_t *body);

/* The peer cannot answer any more. */
void ngx_realtime_local_requests_gone(ngx_realtime_local_peer_t *peer);

/* Makes the last calls of the waits that are finished. */
void ngx_realtime_local_finish(ngx_realtime_local_t *local);

/* Frees all waits without calling them. */
void ngx_realtime_local_waits_free(ngx_realtime_local_t *local);

#endif
