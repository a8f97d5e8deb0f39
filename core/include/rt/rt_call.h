/* One operation from request to result. REST and sockets are two doors to the same operations;
 * each is a plain blocking function that touches the store and returns what is to be answered and
 * what is to be emitted, and emits nothing itself. */

#ifndef RT_CALL_H
#define RT_CALL_H

#include <jansson.h>
#include <rt/rt_base.h>
#include <rt/rt_token.h>


typedef struct rt_core_s rt_core_t;
typedef struct rt_call_s rt_call_t;
typedef struct rt_emit_s rt_emit_t;

typedef enum { RT_DOOR_SOCKET, RT_DOOR_REST } rt_door_t;

/* What is left to do behind a call, by another one. */
typedef enum {
    RT_ASSIST_NOT,
    RT_ASSIST_AFTER_MESSAGE, /* assistant.run */
    RT_ASSIST_AFTER_JOIN     /* assistant.welcome */
} rt_assist_after_t;

typedef enum {
    RT_OP_READ, /* runs alone, beside others */
    RT_OP_WRITE /* waits for its turn in a group that commits together */
} rt_op_kind_t;

typedef struct {
    const char  *name; /* "message.send" */
    rt_op_kind_t kind;
    rt_status_t (*run)(rt_core_t *core, rt_call_t *call); /* private: use rt_core_run* */
} rt_op_t;

/* NULL when there is none of that name.
 *
 * Names, and the request members each takes (path and query parameters of REST are put into the
 * same object by the router; types as in JSON):
 *   room.join      {roomId} or {businessId,userName,email?,phone?}
 *   room.create    {userId,userName,userEmail?,userPhone?,businessId?}
 *   room.team      {memberId,memberName?}         room.support  {}
 *   room.list      {roomType,isActive,isArchived,priority,assignedStaffId,q,page,limit,businessId}
 *   room.get       {roomId}
 *   room.update    {roomId,priority?,tags?,assignedStaffId?,assignedStaffName?}
 *   room.archive   {roomId}
 *   message.send   {roomId,content,messageType?,attachments?,replyToMessageId?,clientMessageId?,
 *                   senderType?,senderName?,metadata?}
 *   message.list   {roomId,page,limit,beforeMessageId,afterSeq}
 *   message.read   {roomId,messageIds?}
 *   unread.counts  {businessId}
 *   message.heal   {rooms:[{roomId,afterSeq},…]}, at most 256 rooms, or {roomId,afterSeq} of one:
 *                  not for clients; makes the emits of the rooms' messages with a higher seq,
 *                  oldest first in each room, at most 500 in all. Its reply: {"success":true,
 *                  "rooms":[{"roomId":…,"lastSeq":…,"more":…},…]} in the order of the request:
 *                  lastSeq is of the newest message that the store has (0: the room is gone, or
 *                  empty), more is true when some of the room's are not among the emits
 *   assistant.run  {roomId,staffOnline,retell?}: not for clients; lets the assistant look at what
 *                  customers have written in the room since it last did, see docs/faq.md. retell:
 *                  what it has said already and is not known to have been told is emitted again.
 *                  last_seq is then what assistant.told may be called with, or 0
 *   assistant.welcome {roomId}: not for clients; after a customer's first join
 *   assistant.due  {ageMs}: not for clients; its reply: {"rooms":[{"roomId":…,"businessId":…},…]},
 *                  those that wait for longer, for this caller only
 *   assistant.told {rooms:[{roomId,seq},…]}: not for clients; what the assistant said there was
 *                  emitted
 *   faq.feedback   {roomId,messageId,helpful}
 *   auto-response.trigger {roomId,responseType}
 *   faq.create     {question,answer,keywords?,alternativeQuestions?,category?,confidenceThreshold?,
 *                  priority?,isActive?,metadata?,businessId?}
 *   faq.list       {category,isActive,page,limit,businessId}: isActive is "true", "false" or "all"
 *   faq.update     {faqId,…}: as faq.create             faq.delete  {faqId,businessId?}
 *   faq.match      {message,businessId?}
 *   faq.unanswered {page,limit,businessId}
 *   auto-response.create {responseType,message,name?,trigger?,quickReplies?,isActive?,metadata?,
 *                  businessId?}
 *   auto-response.list {responseType,isActive,page,limit,businessId}
 *   auto-response.update {responseId,…}
 *   auto-response.delete {responseId,businessId?}
 *   event.ingest   {body,idempotencyKey?}: body is the JSON text of an event, or of an array of up
 *                  to 1,000, see docs/events.md
 *   event.take     {fields,idempotencyKey?}: not for clients; fields is an entry of a stream: an
 *                  array of names and texts in turn, see docs/events.md
 *   notification.list  {unread,type,page,limit,businessId}
 *   notification.read  {notificationIds?,businessId?}
 *   notification.heal  {streams:[{stream,afterSeq?},…],limit?}, at most 256: not for clients; makes
 *                  the emits of the streams' notifications with a higher seq, oldest first, at most
 *                  500 (limit) in all; none where afterSeq is absent. A stream is named as its
 *                  channel. Its reply: {"success":true,"streams":[{"stream":…,"lastSeq":…,
 *                  "more":…},…]}, as message.heal's
 *   notification.sweep {ageMs}: not for clients; removes some that are older. Its reply:
 *                  {"success":true,"removed":…,"more":…}
 *   audit.changes  {owner}: not for clients; tells of what others have written into auditlogs. Its
 *                  reply: {"success":true,"off":…,"mine":…,"more":…}: off, nothing can be found,
 *                  ever; mine, no other owner looks
 *   webhook.create {url,events,secret?,description?,isActive?,businessId?}
 *   webhook.list   {businessId?}
 *   webhook.get    {webhookId}                    webhook.delete, webhook.test: the same
 *   webhook.update {webhookId,url?,events?,secret?,description?,isActive?}
 *   webhook.deliveries {webhookId,page,limit,status}
 *   webhook.retry  {webhookId,deliveryId}
 * The door decides the answer's shape where the contract has two. */
const rt_op_t *rt_op_find(const char *name);


/* Something that others must hear. Texts live in the call's arena. */
struct rt_emit_s {
    rt_emit_t *next;
    rt_str_t   channel;       /* "room:<id>", "business:<id>" or "user:<id>" */
    rt_str_t   event;         /* "chat:new-message" */
    rt_str_t   data;          /* JSON text of the event's one argument */
    int64_t    seq;           /* place in the channel's order, from 1 without holes; 0: unordered */
    rt_str_t   except_socket; /* socket id that is left out, or empty */
    rt_str_t   except_user;   /* user whose sockets are all left out, or empty */
    rt_str_t   business_id;   /* whose tokens name another business are left out (the same user id
                               * may be somebody else there), or empty */
    rt_str_t   also_event;    /* a second event in the same place of the order, told right after the
                               * first, or empty */
    rt_str_t   also_data;     /* its argument; empty: the first one's */
    int        again;         /* 1: it may have been told before, which its seq tells */
};


struct rt_call_s {
    /* what is asked: set by the host before rt_core_run, untouched by it */
    const rt_op_t *op;
    rt_door_t      door;
    rt_identity_t *identity;  /* a reference of the call's own; NULL where no client asks */
    json_t        *request;   /* an object, owned by the call */
    rt_str_t       socket_id; /* the asking socket, or empty; lives in the arena */
    rt_arena_t    *arena;
    rt_str_t       timezone; /* of after-hours conditions that name none; stays until the call is
                              * destroyed. Empty: UTC */

    /* what came of it: set by rt_core_run */
    rt_status_t status;
    rt_error_t  error;       /* its text is meant for the client; also set on RT_CONFLICT &c. */
    int         created;     /* 1: something new was made (REST 201) */
    rt_str_t    reply;       /* on RT_OK: JSON text of the answer (ack argument or HTTP body);
                              * on failures: empty, or an object text with members to add to the
                              * error's body, as {"roomId":"…"} of a conflict */
    rt_emit_t  *emits;       /* in order; only those of an operation that succeeded */
    rt_emit_t **emits_last;  /* private */
    rt_str_t    room_id;     /* room.join and room.create: the room; else the request's */
    int64_t     last_seq;    /* room.join: where its history ends; message.heal of one room: the seq
                             * of its newest message */
    int64_t     doubt_after; /* message.send that is RT_UNAVAILABLE, and may be stored all the same:
                              * the room's seq before it; else -1. The host lets message.heal look
                              * from there when the store answers again, so that the room hears of
                              * it if it was */
    rt_assist_after_t assist;      /* what the host lets run next, for room_id */
    rt_str_t          business_id; /* of that room */
    int64_t           total;       /* lists: all that match, for X-Total-Count; else -1 */
    rt_str_t log_line; /* lines for the info log when it succeeded, parted by line feeds, or
                              * empty */

    struct rt_store_session_s *session; /* private: what the operation works in */
    void                      *state;   /* private: what it prepared; lives in the arena */
    rt_core_t                 *core;    /* private: the one that runs it */
};

/* A call with an arena of its own. identity gets one more reference; request is stolen, also on
 * failure. NULL without memory. */
rt_call_t *rt_call_create(const rt_op_t *op, rt_door_t door, rt_identity_t *identity,
    json_t *request, rt_str_t socket_id);
void       rt_call_destroy(rt_call_t *call); /* accepts NULL */


typedef struct {
    rt_str_t store_uri; /* "sqlite:/path" or "mongodb://…"; not empty */
    rt_log_t log;
    int      webhooks;         /* 1: they are queued and sent, by a thread of the core */
    int      webhooks_private; /* 1: also to private addresses */
    int      assistant;        /* 1: FAQs and automatic responses answer customers */
    rt_str_t webhooks_ca;      /* file of certificates to trust in; empty: the system's */
} rt_core_options_t;

/* Says whether the URI can be used by this build, without opening, connecting or creating
 * anything: for `nginx -t`. RT_INVALID with the reason. */
rt_status_t rt_core_check_store(rt_str_t store_uri, rt_error_t *error);

/* 1: the system's tzdata knows a time zone of that name. Reads files. */
int rt_core_knows_zone(rt_str_t name);

/* Opens the store: once per worker, after the fork. Blocks for a moment (creates or migrates the
 * file). Never fails because a remote store is away. */
rt_status_t rt_core_open(rt_core_t **out, const rt_core_options_t *options, rt_error_t *error);

/* No call may be running. Accepts NULL. Blocks. */
void rt_core_close(rt_core_t *core);

/* 1: the store answers, as far as is known; 0: calls fail at once, or will. From any thread, never
 * blocks: for health checks. */
int rt_core_store_up(const rt_core_t *core);

/* Deliveries to webhooks that were not queued since it was opened. As rt_core_store_up. */
uint64_t rt_core_webhooks_dropped(const rt_core_t *core);

/* Runs one call of kind RT_OP_READ and sets its results. Blocks on the store, never longer than
 * its timeouts: never from an event loop. Safe from several threads at once. */
void rt_core_run(rt_core_t *core, rt_call_t *call);

/* Runs calls of kind RT_OP_WRITE in their order and commits them together; each has its own
 * result, and what was acknowledged is durable when this returns. When the commit fails all of
 * them are RT_UNAVAILABLE; a store without transactions has a result for each. Blocks. Safe
 * from several threads at once, each with calls of other lanes. */
void rt_core_run_batch(rt_core_t *core, rt_call_t **calls, size_t count);

/* The lane in which the call waits for its batch, below RT_LANES. Calls of one room have the same
 * one, since their order counts. A store that commits one group at a time has one lane; where
 * groups are stored beside each other, one waits for the network while the next is at work. */
#define RT_LANES 2
size_t rt_core_lane(const rt_core_t *core, const rt_call_t *call);

/* The most calls that one batch should hold. */
#define RT_BATCH_MAX 256

/* The version's fingerprint: module and library must have the same one. Static text. */
const char *rt_build_id(void);

#endif
