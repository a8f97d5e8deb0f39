/* What the files of notifications in MongoDB share. */

#ifndef RT_STORE_MONGO_NOTIFY_H
#define RT_STORE_MONGO_NOTIFY_H

#include "store/rt_store_mongo.h"

/* A new document. RT_ERROR: its data is not JSON. RT_NO_MEMORY. */
rt_status_t rt_mongo_notify_write(bson_t *document, const rt_notification_t *item);

/* An audit log's document: what the service gave, and the notification's id as its own. */
rt_status_t rt_mongo_notify_write_audit(bson_t *document, const rt_notification_t *item);

/* Its stream and key; a row with them. */
typedef struct {
    rt_str_t        stream;
    rt_str_t        key;
    rt_notify_row_t row;
} rt_mongo_notified_t;

rt_status_t rt_mongo_notify_read(rt_mongo_t *db, const bson_t *document, rt_arena_t *arena,
    rt_mongo_notified_t *out);

/* Where streams end: seqs[i] is of names[i], 0 where nothing was ever told of it. */
rt_status_t rt_mongo_streams_get(rt_mongo_t *db, rt_arena_t *arena, const rt_str_t *names,
    size_t count, int64_t *seqs);

rt_status_t rt_mongo_notify_after(rt_store_session_t *session, rt_arena_t *arena,
    rt_notify_after_t *streams, size_t count, int64_t limit);
rt_status_t rt_mongo_notify_list(rt_store_session_t *session, rt_arena_t *arena,
    const rt_notify_query_t *query, rt_notify_list_t *out);
rt_status_t rt_mongo_notify_reads(rt_store_session_t *session, rt_arena_t *arena,
    rt_notify_reads_t *reads);
rt_status_t rt_mongo_audit_changes(rt_store_session_t *session, rt_arena_t *arena, rt_str_t owner,
    int64_t lease_ms, size_t limit, rt_audit_changes_t *out);
rt_status_t rt_mongo_audit_done(rt_store_session_t *session, rt_str_t owner, rt_str_t token);
rt_status_t rt_mongo_notify_sweep(rt_store_session_t *session, int64_t before_ms, int64_t limit,
    int64_t *removed);

#endif
