/* Notifications and audit logs in a store: the operations of core/notify, as rt_store.h has those
 * of chat. The same rules hold: sessions, threads, errors, arenas.
 *
 * Notifications stand in streams, which are named as the channels on which they are told:
 * "business:<id>", or "user:<id>" for those of one person. Each stream numbers its own from 1,
 * without holes, and goes on counting when old ones are swept. */

#ifndef RT_STORE_NOTIFY_H
#define RT_STORE_NOTIFY_H

#include <rt/rt_base.h>


struct rt_store_session_s;

/* The numbers are kept in SQLite's rows: never renumber. */
typedef enum {
    RT_NOTIFY_BOOKING = 0,
    RT_NOTIFY_PAYMENT = 1,
    RT_NOTIFY_CLIENT = 2,
    RT_NOTIFY_APPOINTMENT = 3,
    RT_NOTIFY_STAFF = 4,
    RT_NOTIFY_INVENTORY = 5,
    RT_NOTIFY_SYSTEM = 6,
    RT_NOTIFY_AUDIT = 7
} rt_notify_type_t;

/* By number, NULL terminated: "booking", … */
extern const char *const rt_notify_type_names[];

/* A notification to be stored, and what became of it. Empty texts stand for null. */
typedef struct {
    rt_str_t         stream; /* "business:<businessId>" or "user:<userId>" */
    rt_str_t         id;
    rt_str_t         business_id;
    rt_str_t         user_id;
    rt_notify_type_t type;
    rt_str_t         sub_type; /* "created": with the type and a dot the event's name */
    rt_str_t         title;
    rt_str_t         message;
    rt_str_t         priority; /* "medium" */
    rt_str_t         data;     /* JSON object text */
    rt_str_t         key;      /* what may be stored only once in its business, or empty */
    rt_str_t         audit; /* JSON object text without _id: also an audit log, of the same id, or
                                * empty. One that is there already stays as it is */
    int64_t          created_at_ms;

    rt_arena_t *arena;  /* where text goes */
    rt_status_t status; /* RT_OK: stored. RT_CONFLICT: the key was there; what follows, id, stream,
                         * type and sub_type are then the first one's. RT_UNAVAILABLE &c. where the
                         * store is not atomic: it may be stored or not, and may be tried again with
                         * the same key */
    int64_t     seq;    /* its place in the stream */
    rt_str_t    text;   /* the whole document as JSON */
} rt_notification_t;

/* A stored one as it is read. */
typedef struct {
    rt_str_t         id;
    rt_str_t         business_id;
    int64_t          seq;
    rt_notify_type_t type;
    rt_str_t         sub_type;
    rt_str_t         text; /* the whole document as JSON */
} rt_notify_row_t;

/* What of a stream somebody may have missed. */
typedef struct {
    rt_str_t stream;
    int64_t  after_seq; /* -1: only last_seq is asked for */

    rt_notify_row_t *rows; /* with a higher seq, oldest first */
    size_t           count;
    int64_t          last_seq; /* of the newest that ever was; 0 without one */
    int              has_more; /* 1: there are more than the list holds */
} rt_notify_after_t;

/* Whose notifications a list or a reader has: two streams, each of which may be empty (none). */
#define RT_NOTIFY_OF_BUSINESS 0
#define RT_NOTIFY_OF_USER     1
#define RT_NOTIFY_STREAMS     2

typedef struct {
    rt_str_t streams[RT_NOTIFY_STREAMS];
    rt_str_t business_id; /* of the user's only those of this business; empty: of all */
} rt_notify_view_t;

typedef struct {
    rt_notify_view_t view;
    int              unread_only;
    int              type; /* rt_notify_type_t, or -1 */
    int64_t          offset;
    int64_t          limit;
} rt_notify_query_t;

typedef struct {
    rt_notify_row_t *rows; /* newest first */
    size_t           count;
    int64_t          total;  /* all that match */
    int64_t          unread; /* of all in the view, whatever the query filters */
} rt_notify_list_t;

#define RT_NOTIFY_READS_LISTED 1000

/* Marking as read: which, and what came of it, by stream of the view. */
typedef struct {
    rt_notify_view_t view;
    int              all; /* 1: ids is not looked at */
    const rt_str_t  *ids; /* unknown ones, and those of others, are ignored */
    size_t           count;
    int64_t          now_ms;

    struct {
        rt_str_t *ids; /* that were unread; of more than RT_NOTIFY_READS_LISTED the newest */
        size_t    count;
        int64_t   newly;  /* how many were unread */
        int64_t   unread; /* how many of the view are left */
    } streams[RT_NOTIFY_STREAMS];
} rt_notify_reads_t;

/* What others have written into auditlogs. */
typedef struct {
    rt_str_t   *documents; /* as JSON */
    size_t      count;
    rt_str_t    token;
    const char *off;     /* why it can't be told, for now and ever; or NULL */
    int         is_mine; /* 0: another owner looks */
    int         is_news; /* 1: audit_done is worth its while */
    int         lost;    /* 1: something may be missing */
} rt_audit_changes_t;

typedef struct {
    /* Stores them in their order, each at its stream's next seq. Each has its own status. */
    rt_status_t (*add)(struct rt_store_session_s *session, rt_notification_t **items, size_t count);

    /* Of several streams at most `limit` in all. */
    rt_status_t (*after)(struct rt_store_session_s *session, rt_arena_t *arena,
        rt_notify_after_t *streams, size_t count, int64_t limit);

    rt_status_t (*list)(struct rt_store_session_s *session, rt_arena_t *arena,
        const rt_notify_query_t *query, rt_notify_list_t *out);

    rt_status_t (
        *read)(struct rt_store_session_s *session, rt_arena_t *arena, rt_notify_reads_t *reads);

    /* Removes those, at most `limit`, that were created before; *removed says how many. In a write
     * session. */
    rt_status_t (*sweep)(struct rt_store_session_s *session, int64_t before_ms, int64_t limit,
        int64_t *removed);

    /* What others have written into auditlogs since audit_done, oldest first, at most `limit`; for
     * one owner at a time, who has a lease by it. NULL: nobody else writes there. In a write
     * session. */
    rt_status_t (*audit_changes)(struct rt_store_session_s *session, rt_arena_t *arena,
        rt_str_t owner, int64_t lease_ms, size_t limit, rt_audit_changes_t *out);

    /* All up to the token was told. An empty one: begin with what is written from now on. */
    rt_status_t (*audit_done)(struct rt_store_session_s *session, rt_str_t owner, rt_str_t token);
} rt_store_notify_ops_t;

extern const rt_store_notify_ops_t rt_store_sqlite_notify;
extern const rt_store_notify_ops_t rt_store_mongo_notify;


/* The document as the contract shows it, in two parts as rt_message_write_head's. */
void rt_notification_write_head(rt_buf_t *buf, const rt_notification_t *item);
void rt_notification_write_tail(rt_buf_t *buf, int64_t seq, int is_read, int64_t read_at_ms);

#endif
