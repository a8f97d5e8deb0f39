/* Where data lives: one table of functions with the operations that the product needs, so that
 * SQLite and MongoDB are two implementations of one contract (rt_store_suite.h is its test).
 *
 * Work happens in sessions. A read session sees one snapshot where the store can give one; a write
 * session's changes become durable together at its end. Operations take what they need of many
 * rooms at once, so that a store across a network pays for round trips per group, not per message.
 *
 * Threads: a store may be used from several threads, a session belongs to one at a time. Write
 * sessions of one store exclude each other where the store has one writer; begin then waits.
 * All operations block, never longer than the store's timeouts.
 *
 * Errors of all operations, unless one says otherwise: RT_UNAVAILABLE (the store is away, full or
 * broken; logged once per change of state), RT_NO_MEMORY, RT_ERROR. After any of them a write
 * session can only be rolled back; its end then says so. Results live in the arena given. */

#ifndef RT_STORE_H
#define RT_STORE_H

#include <rt/rt_base.h>

#include "store/rt_store_assist.h"
#include "store/rt_store_notify.h"
#include "store/rt_store_webhook.h"


typedef struct rt_store_s         rt_store_t;
typedef struct rt_store_session_s rt_store_session_t;

/* The numbers are kept in SQLite's rows: never renumber. */
typedef enum {
    RT_ROOM_CUSTOMER_SUPPORT = 0,
    RT_ROOM_TEAM_CHAT = 1,
    RT_ROOM_STAFF_CHAT = 2,
    RT_ROOM_ADMIN_SUPPORT = 3
} rt_room_type_t;

typedef enum {
    RT_SENDER_CUSTOMER = 0,
    RT_SENDER_STAFF = 1,
    RT_SENDER_BOT = 2,
    RT_SENDER_SYSTEM = 3
} rt_sender_type_t;

/* Which of the three events tells of a message. */
typedef enum {
    RT_MESSAGE_PLAIN = 0,
    RT_MESSAGE_AUTOMATED = 1,
    RT_MESSAGE_FAQ = 2
} rt_message_kind_t;

/* The names in documents, by number and NULL terminated: "customer-support", "customer", … */
extern const char *const rt_room_type_names[];
extern const char *const rt_sender_type_names[];

/* What the assistant remembers of a customer-support room; no part of its document for clients. */
typedef struct {
    int      welcomed;
    int64_t  asked_seq;       /* the newest message that it has to look at */
    int64_t  done_seq;        /* it has looked at all up to this one */
    int64_t  told_seq;        /* and what it said to them was emitted, up to this one */
    int64_t  staff_seq;       /* of staff's newest message; 0 without one */
    int64_t  staff_at_ms;     /* when that was */
    int64_t  customer_at_ms;  /* of the newest message that it has looked at */
    int64_t  offline_seq;     /* of the message that was answered by "offline" last; 0: none */
    int64_t  acknowledge_seq; /* the same of the acknowledgment */
    int64_t  called_seq;      /* of the message for which staff were called last */
    int64_t  feedback_seq; /* of the newest "Was this helpful?" or answer to it; 0: none is open */
    rt_str_t feedback_id;  /* the FAQ's message that it is about */
    rt_str_t feedback_faq; /* the FAQ */
} rt_room_assist_t;

/* A room. Empty texts stand for null in its document. */
typedef struct {
    rt_str_t       id;
    rt_str_t       business_id;
    rt_room_type_t type;
    rt_str_t       name;
    int            is_active;
    int            is_archived;
    int64_t        seq;          /* of the newest message; 0 without one */
    int64_t        unread_count; /* the customer's messages that staff have not read */
    rt_str_t       last_message_id;
    rt_str_t       last_message; /* the beginning of its content */
    int64_t        last_message_at_ms;
    int64_t        created_at_ms;
    int64_t        updated_at_ms;
    rt_str_t       metadata; /* JSON object text; the members below are copies out of it */
    rt_str_t       user_id;  /* customer-support */
    rt_str_t       user_name;
    rt_str_t       user_email;
    rt_str_t       owner_id;  /* team-chat, admin-support */
    rt_str_t       member_id; /* team-chat */
    rt_str_t       priority;
    rt_str_t       assigned_staff_id;
    int64_t        store_key; /* the store's own */

    rt_room_assist_t assist;
} rt_room_t;

/* A message to be stored, and what became of it. Empty texts stand for null. */
typedef struct {
    rt_room_t        *room; /* loaded in the same session; brought up to date by messages_add */
    rt_str_t          id;
    rt_str_t          sender_id;
    rt_sender_type_t  sender_type;
    rt_str_t          sender_name;
    rt_str_t          message_type; /* "text" */
    rt_str_t          content;
    rt_str_t          attachments; /* JSON array text */
    rt_str_t          reply_to_id;
    rt_str_t          client_id;
    rt_message_kind_t kind;
    rt_str_t          faq_id;
    rt_str_t          quick_replies; /* JSON array text */
    rt_str_t          metadata;      /* JSON object text */
    rt_str_t          preview;       /* what the room shows as lastMessage */
    rt_str_t          response_type; /* of an automatic response */
    rt_str_t          confidence;    /* of a FAQ's answer: a JSON number, in percent */
    int               asks;          /* 1: the assistant has to look at it */
    int               is_edited;     /* only others do so: 0 in what is to be stored */
    int               is_deleted;
    int64_t           created_at_ms;

    rt_arena_t *arena;        /* where text goes */
    rt_status_t status;       /* RT_OK: stored. RT_CONFLICT: a retry (client_id): what follows and
                               * id and created_at_ms are then the first one's. RT_UNAVAILABLE &c.
                               * where the store is not atomic: see doubt_after */
    int64_t     doubt_after;  /* of one that failed and may be stored all the same: the room's seq
                               * before; else -1 */
    int64_t     seq;          /* its place in the room, from 1 without holes */
    int64_t     unread_count; /* of the room, after it */
    rt_str_t    text;         /* the whole document as JSON */
} rt_message_t;

/* A stored message as it is read. */
typedef struct {
    rt_str_t          id;
    int64_t           seq;
    rt_message_kind_t kind;
    int64_t           created_at_ms;
    rt_str_t          text; /* the whole document as JSON */
} rt_message_row_t;

typedef struct {
    rt_message_row_t *rows;
    size_t            count;
} rt_message_list_t;

typedef enum {
    RT_MESSAGES_PAGE,   /* newest first page, from `offset` */
    RT_MESSAGES_BEFORE, /* the newest with seq below `seq` */
    RT_MESSAGES_AFTER   /* the oldest with seq above `seq` */
} rt_message_range_t;

/* Whose rooms a list may hold: the same rule as rt_access_room's, as a query. */
typedef enum {
    RT_VIEW_CUSTOMER, /* customer-support rooms of user_id, in business_id unless that is empty */
    RT_VIEW_STAFF,    /* of business_id: customer-support, staff-chat; team-chat and admin-support
                       * only where user_id is one of the people in it */
    RT_VIEW_ALL       /* as RT_VIEW_STAFF, but every admin-support room; of business_id, or of all
                       * businesses when that is empty */
} rt_room_view_t;

/* Empty texts and -1 do not filter. */
typedef struct {
    rt_room_view_t view;
    rt_str_t       business_id;
    rt_str_t       user_id;
    int            type; /* rt_room_type_t */
    int            is_active;
    int            is_archived;
    rt_str_t       priority;
    rt_str_t       assigned_staff_id;
    rt_str_t       q;           /* part of user's name, email, phone, room's name or last message */
    int            unread_only; /* 1: only rooms with unread_count > 0 */
    int64_t        offset;
    int64_t        limit;
} rt_room_query_t;

typedef struct {
    rt_room_t *rooms; /* by lastMessageAt, newest first */
    size_t     count;
    int64_t    total;        /* all that match */
    int64_t    total_unread; /* over all that match */
} rt_room_list_t;

/* What of a room a change writes. */
typedef enum {
    RT_ROOM_STATE,   /* is_active, is_archived, updated_at_ms */
    RT_ROOM_METADATA /* metadata and the copies out of it, updated_at_ms */
} rt_room_change_t;

typedef enum {
    RT_READS_CUSTOMER,     /* messages of senderType customer */
    RT_READS_NOT_CUSTOMER, /* all others */
    RT_READS_OTHERS        /* those that reader_id did not send */
} rt_reads_t;

/* Marking messages as read: which, and what came of it. */
typedef struct {
    rt_room_t      *room; /* loaded in the same session; unread_count is brought up to date */
    rt_reads_t      whose;
    rt_str_t        reader_id;
    int             all; /* 1: ids is not looked at */
    const rt_str_t *ids; /* of messages; those unknown, of other rooms or not `whose` are ignored */
    size_t          count;
    int64_t         now_ms;

    rt_str_t *newly; /* were unread; in seq order when `all`, else as asked */
    size_t    newly_count;
    rt_str_t *read; /* of the asked ones all that are read now; the same as newly when `all` */
    size_t    read_count;
} rt_message_reads_t;


/* What a room's members may have missed. */
typedef struct {
    rt_str_t room_id;
    int64_t  after_seq;

    rt_message_list_t list;     /* with a higher seq, oldest first */
    int               exists;   /* 0: there is no such room */
    int64_t           last_seq; /* of the newest message; 0 without one */
    int               has_more; /* 1: there are more than the list holds */
} rt_room_after_t;


/* A room that waits for the assistant. */
typedef struct {
    rt_str_t id;
    rt_str_t business_id;
    int64_t  told_seq; /* of rooms_told */
} rt_room_due_t;


typedef enum { RT_STORE_READ, RT_STORE_WRITE } rt_store_mode_t;

typedef struct {
    /* 1: a write session's changes become durable together or not at all. 0: each operation's
     * change is durable when it returns, and a failed one leaves what others did alone; only rooms
     * that the session made are taken back when it is rolled back. */
    int atomic;

    /* Says whether the URI, of a scheme of this store's, can be used; opens nothing. */
    rt_status_t (*check)(rt_str_t uri, rt_error_t *error);

    rt_status_t (*open)(rt_store_t **out, rt_str_t uri, const rt_log_t *log, rt_error_t *error);
    void (*close)(rt_store_t *store); /* no session may be open */

    /* 1: it answers, as far as is known without asking it. Never blocks. */
    int (*up)(rt_store_t *store);

    rt_status_t (*begin)(rt_store_t *store, rt_store_mode_t mode, rt_store_session_t **out);

    /* Ends the session whatever is returned. RT_OK: its changes are durable. Anything else, and
     * commit 0: none of them is kept where the store has transactions. */
    rt_status_t (*end)(rt_store_session_t *session, int commit);

    /* Makes a write session one that can only be rolled back. */
    void (*spoil)(rt_store_session_t *session);

    /* out[i]: the room of ids[i], or NULL when there is none. The same id twice gives the same
     * pointer twice. */
    rt_status_t (*rooms_get)(rt_store_session_t *session, rt_arena_t *arena, const rt_str_t *ids,
        size_t count, rt_room_t **out);

    /* The open (active, not archived) room that stands where `like` would: of the same type and
     * business, for customer-support with its user_id, for team-chat with its two people either way
     * round, for admin-support with its owner_id. *out is NULL when there is none. */
    rt_status_t (*room_find_open)(rt_store_session_t *session, rt_arena_t *arena,
        const rt_room_t *like, rt_room_t **out);

    /* RT_CONFLICT: there is an open one already (see room_find_open). Sets store_key. */
    rt_status_t (*room_add)(rt_store_session_t *session, rt_room_t *room);

    /* RT_CONFLICT: it was to be opened, and another one is open. */
    rt_status_t (
        *room_change)(rt_store_session_t *session, rt_room_t *room, rt_room_change_t change);

    rt_status_t (*rooms_list)(rt_store_session_t *session, rt_arena_t *arena,
        const rt_room_query_t *query, rt_room_list_t *out);

    /* Stores messages of any rooms in their order, each at its room's next seq, and brings the
     * rooms up to date: seq, unread_count (a customer's message adds one), lastMessage…. Each item
     * has its own status. Where others write at the same time (a store that is not atomic), order
     * is kept between messages of one sender in one room. */
    rt_status_t (*messages_add)(rt_store_session_t *session, rt_message_t **messages, size_t count);

    /* The room's message of that id; out->text is empty (NULL) when there is none. */
    rt_status_t (*message_get)(rt_store_session_t *session, rt_arena_t *arena,
        const rt_room_t *room, rt_str_t id, rt_message_row_t *out);

    /* The same by sender and clientMessageId. */
    rt_status_t (*message_find)(rt_store_session_t *session, rt_arena_t *arena,
        const rt_room_t *room, rt_str_t sender_id, rt_str_t client_id, rt_message_row_t *out);

    /* At most `limit`, always given oldest first. `at` is offset or seq, as the range says. The
     * room was loaded in the same session, and may be brought up to date: no message is given that
     * lies behind its seq. */
    rt_status_t (*messages_list)(rt_store_session_t *session, rt_arena_t *arena, rt_room_t *room,
        rt_message_range_t range, int64_t at, int64_t limit, rt_message_list_t *out);

    /* Of several rooms, at most `limit` messages in all, oldest first in each room. */
    rt_status_t (*messages_after)(rt_store_session_t *session, rt_arena_t *arena,
        rt_room_after_t *rooms, size_t count, int64_t limit);

    /* How many messages the room has. */
    rt_status_t (*messages_count)(rt_store_session_t *session, const rt_room_t *room, int64_t *out);

    rt_status_t (
        *messages_read)(rt_store_session_t *session, rt_arena_t *arena, rt_message_reads_t *reads);

    /* Writes room->assist but for told_seq (rooms_told) and asked_seq, staff_seq and staff_at_ms
     * (messages_add).
     * RT_CONFLICT: its done_seq is not `done_before` any more, somebody else was there. is_told: 1
     * when there is nothing to be emitted, so that the room is not due any more, unless it has been
     * asked again. */
    rt_status_t (*room_assist)(rt_store_session_t *session, const rt_room_t *room,
        int64_t done_before, int is_told);

    /* Rooms that the assistant was asked in before, and is not known to have answered, the longest
     * waiting first. They wait anew from now on, so that others leave them alone. In a write
     * session. */
    rt_status_t (*rooms_due)(rt_store_session_t *session, rt_arena_t *arena, int64_t before_ms,
        int64_t now_ms, int64_t limit, rt_room_due_t **out, size_t *count);

    /* *out: 1 when rooms_due would give some. Cheap; in a read session. */
    rt_status_t (*rooms_are_due)(rt_store_session_t *session, int64_t before_ms, int *out);

    /* What the assistant said in these rooms was emitted, up to told_seq. */
    rt_status_t (
        *rooms_told)(rt_store_session_t *session, const rt_room_due_t *rooms, size_t count);

    const rt_store_assist_ops_t *assist; /* FAQs and automatic responses: rt_store_assist.h */

    const rt_store_notify_ops_t *notify; /* notifications and audit logs: rt_store_notify.h */

    const rt_store_webhook_ops_t *webhooks; /* rt_store_webhook.h */
} rt_store_ops_t;

/* Every implementation's store and session begin with these. */
struct rt_store_s {
    const rt_store_ops_t *ops;
};

struct rt_store_session_s {
    rt_store_t *store;
};

extern const rt_store_ops_t rt_store_sqlite;
extern const rt_store_ops_t rt_store_mongo;

/* Finds the implementation by the URI's scheme. RT_INVALID with the reason. */
rt_status_t rt_store_check(rt_str_t uri, rt_error_t *error);

/* Opens by URI. log is copied. Never fails because a remote store is away. */
rt_status_t rt_store_open(rt_store_t **out, rt_str_t uri, const rt_log_t *log, rt_error_t *error);
void        rt_store_close(rt_store_t *store); /* accepts NULL */


/* The documents as the contract shows them: both stores write them by these (rt_store_json.c).
 *
 * A message is written in two parts, so that a store can keep what never changes and join what
 * does: head (from "{" on, without what follows) and tail (to the closing "}"). */
void rt_room_write_json(rt_buf_t *buf, const rt_room_t *room);
void rt_message_write_head(rt_buf_t *buf, const rt_message_t *message);
void rt_message_write_tail(rt_buf_t *buf, int64_t seq, int is_read, int64_t read_at_ms,
    int64_t updated_at_ms);

/* What can be open only once, as one text that is the same for all rooms in the same place: see
 * room_find_open. len 0: no such rule. RT_NO_MEMORY. */
rt_status_t rt_room_open_key(const rt_room_t *room, rt_buf_t *key);

/* What a message that is stored at seq changes of what the assistant remembers. */
void rt_room_assist_added(rt_room_t *room, const rt_message_t *message, int64_t seq);

/* The beginning of a content, which the list of rooms shows. content is valid UTF-8. */
rt_str_t rt_message_preview(rt_str_t content);

/* The index of name among NULL terminated names, or -1. */
int rt_name_find(const char *const *names, rt_str_t name);

#endif
