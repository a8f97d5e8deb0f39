/* The SQLite store's tables: made at the first start, brought up to date at later ones.
 *
 * PRAGMA user_version counts the steps that were done. A step, once released, is never changed:
 * what is needed later is added as another one. */

#include "store/rt_store_sqlite.h"


/* rooms.open_key: what may be open only once (see rt_room_open_key), NULL for closed rooms.
 * Numbers of type, sender_type and kind: rt_store.h; of is_read: rt_store_sqlite.h. Times:
 * milliseconds since 1970; 0: none. */
static const char rt_sqlite_schema_1[] =
    "CREATE TABLE rooms ("
    "  key INTEGER PRIMARY KEY,"
    "  id TEXT NOT NULL UNIQUE,"
    "  business_id TEXT NOT NULL,"
    "  type INTEGER NOT NULL,"
    "  name TEXT,"
    "  is_active INTEGER NOT NULL,"
    "  is_archived INTEGER NOT NULL,"
    "  open_key TEXT UNIQUE,"
    "  seq INTEGER NOT NULL,"
    "  unread_count INTEGER NOT NULL,"
    "  last_message_id TEXT,"
    "  last_message TEXT,"
    "  last_message_at INTEGER NOT NULL,"
    "  created_at INTEGER NOT NULL,"
    "  updated_at INTEGER NOT NULL,"
    "  user_id TEXT,"
    "  user_name TEXT,"
    "  user_email TEXT,"
    "  owner_id TEXT,"
    "  member_id TEXT,"
    "  priority TEXT,"
    "  assigned_staff_id TEXT,"
    "  metadata TEXT NOT NULL) STRICT;"

    "CREATE INDEX rooms_business ON rooms (business_id, last_message_at);"
    "CREATE INDEX rooms_user ON rooms (user_id, last_message_at) WHERE user_id IS NOT NULL;"
    "CREATE INDEX rooms_unread ON rooms (business_id) WHERE unread_count > 0;"

    "CREATE TABLE messages ("
    "  key INTEGER PRIMARY KEY,"
    "  room INTEGER NOT NULL,"
    "  seq INTEGER NOT NULL,"
    "  id TEXT NOT NULL,"
    "  sender_type INTEGER NOT NULL,"
    "  sender_id TEXT,"
    "  client_id TEXT,"
    "  kind INTEGER NOT NULL,"
    "  is_read INTEGER NOT NULL,"
    "  read_at INTEGER NOT NULL,"
    "  created_at INTEGER NOT NULL,"
    "  updated_at INTEGER NOT NULL,"
    "  doc TEXT NOT NULL) STRICT;"

    "CREATE UNIQUE INDEX messages_seq ON messages (room, seq);"
    "CREATE UNIQUE INDEX messages_id ON messages (id);"
    "CREATE UNIQUE INDEX messages_client ON messages (room, sender_id, client_id)"
    "  WHERE client_id IS NOT NULL;"
    "CREATE INDEX messages_unread ON messages (room, seq, sender_type) WHERE is_read = 0;";

/* Every index of messages costs each message nearly a page in the log, since busy rooms lie apart.
 * So unread ones have none in the rooms where most is said: there they are looked for behind two
 * marks, up to which all the customer's messages are read, and all the others. A customer has few
 * rooms, which need no index to be sorted. */
static const char rt_sqlite_schema_2[] =
    "ALTER TABLE rooms ADD COLUMN read_customer INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE rooms ADD COLUMN read_others INTEGER NOT NULL DEFAULT 0;"
    "DROP INDEX rooms_user;"
    "CREATE INDEX rooms_user ON rooms (user_id) WHERE user_id IS NOT NULL;"
    "DROP INDEX messages_unread;"
    "UPDATE messages SET is_read = 2 WHERE is_read = 0"
    "  AND room IN (SELECT key FROM rooms WHERE type <> 0);"
    "CREATE INDEX messages_unread ON messages (room, seq) WHERE is_read = 2;";

/* Keys of notifications grow with their time, and within a stream with seq: they are listed and
 * swept by them. */
static const char rt_sqlite_schema_notify[] =
    "CREATE TABLE notify_streams ("
    "  key INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL UNIQUE,"
    "  seq INTEGER NOT NULL) STRICT;"

    "CREATE TABLE notifications ("
    "  key INTEGER PRIMARY KEY,"
    "  stream INTEGER NOT NULL,"
    "  seq INTEGER NOT NULL,"
    "  id TEXT NOT NULL,"
    "  business_id TEXT NOT NULL,"
    "  event_key TEXT,"
    "  type INTEGER NOT NULL,"
    "  sub_type TEXT,"
    "  is_read INTEGER NOT NULL,"
    "  read_at INTEGER NOT NULL,"
    "  created_at INTEGER NOT NULL,"
    "  doc TEXT NOT NULL) STRICT;"

    "CREATE UNIQUE INDEX notifications_seq ON notifications (stream, seq);"
    "CREATE UNIQUE INDEX notifications_id ON notifications (id);"
    "CREATE UNIQUE INDEX notifications_event ON notifications (business_id, event_key)"
    "  WHERE event_key IS NOT NULL;"
    "CREATE INDEX notifications_unread ON notifications (stream, key) WHERE is_read = 0;"

    "CREATE TABLE auditlogs ("
    "  key INTEGER PRIMARY KEY,"
    "  id TEXT NOT NULL UNIQUE,"
    "  business_id TEXT NOT NULL,"
    "  created_at INTEGER NOT NULL,"
    "  doc TEXT NOT NULL) STRICT;"

    "CREATE INDEX auditlogs_business ON auditlogs (business_id, created_at);";
/* Webhooks: events are bits, status and event numbers of rt_store_webhook.h. Of the deliveries only
 * the pending ones are looked for by time and by business. */
static const char rt_sqlite_schema_webhooks[] =
    "CREATE TABLE webhooks ("
    "  key INTEGER PRIMARY KEY,"
    "  id TEXT NOT NULL UNIQUE,"
    "  business_id TEXT NOT NULL,"
    "  url TEXT NOT NULL,"
    "  events INTEGER NOT NULL,"
    "  secret TEXT NOT NULL,"
    "  description TEXT,"
    "  is_active INTEGER NOT NULL,"
    "  created_at INTEGER NOT NULL,"
    "  updated_at INTEGER NOT NULL) STRICT;"
    "CREATE INDEX webhooks_business ON webhooks (business_id);"
    "CREATE TABLE webhookdeliveries ("
    "  key INTEGER PRIMARY KEY,"
    "  id TEXT NOT NULL UNIQUE,"
    "  webhook_id TEXT NOT NULL,"
    "  business_id TEXT NOT NULL,"
    "  event INTEGER NOT NULL,"
    "  object_id TEXT NOT NULL,"
    "  payload TEXT NOT NULL,"
    "  attempts INTEGER NOT NULL,"
    "  next_at INTEGER NOT NULL,"
    "  status INTEGER NOT NULL,"
    "  last_status INTEGER NOT NULL,"
    "  last_error TEXT,"
    "  created_at INTEGER NOT NULL,"
    "  delivered_at INTEGER NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX webhookdeliveries_object"
    "  ON webhookdeliveries (webhook_id, event, object_id);"
    "CREATE INDEX webhookdeliveries_due ON webhookdeliveries (next_at) WHERE status = 0;"
    "CREATE INDEX webhookdeliveries_pending ON webhookdeliveries (business_id) WHERE status = 0;"
    "CREATE INDEX webhookdeliveries_log ON webhookdeliveries (webhook_id, key);"
    "CREATE INDEX webhookdeliveries_done ON webhookdeliveries (created_at) WHERE status <> 0;";


/* What the assistant remembers: rt_room_assist_t. Rooms from before it are not welcomed any more.
 * due_at: since when it is waited for; 0: it is not. */
static const char rt_sqlite_schema_assist_rooms[] =
    "ALTER TABLE rooms ADD COLUMN welcomed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE rooms ADD COLUMN asked_seq INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE rooms ADD COLUMN done_seq INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE rooms ADD COLUMN told_seq INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE rooms ADD COLUMN staff_seq INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE rooms ADD COLUMN staff_at INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE rooms ADD COLUMN customer_at INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE rooms ADD COLUMN offline_seq INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE rooms ADD COLUMN acknowledge_seq INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE rooms ADD COLUMN called_seq INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE rooms ADD COLUMN feedback_seq INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE rooms ADD COLUMN feedback_id TEXT;"
    "ALTER TABLE rooms ADD COLUMN feedback_faq TEXT;"
    "ALTER TABLE rooms ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;"
    "UPDATE rooms SET welcomed = 1, done_seq = seq, told_seq = seq WHERE seq > 0;"
    /* what the assistant says has no sender, and is said once, too */
    "DROP INDEX messages_client;"
    "CREATE UNIQUE INDEX messages_client"
    "  ON messages (room, ifnull(sender_id, ''), client_id) WHERE client_id IS NOT NULL;"
    "CREATE INDEX rooms_due ON rooms (due_at) WHERE due_at > 0;";

/* FAQs and automatic responses: numbers of type are those of rt_response_type_t. A business's are
 * few enough to be sorted when they are asked for. assist_versions: a random number, another one
 * after each change of them: a counter would come to the same one again after a rollback. */
static const char rt_sqlite_schema_assist[] =
    "CREATE TABLE faqs ("
    "  key INTEGER PRIMARY KEY,"
    "  id TEXT NOT NULL UNIQUE,"
    "  business_id TEXT NOT NULL,"
    "  question TEXT NOT NULL,"
    "  answer TEXT NOT NULL,"
    "  keywords TEXT,"
    "  alternatives TEXT,"
    "  category TEXT,"
    "  threshold REAL NOT NULL,"
    "  priority REAL NOT NULL,"
    "  usage_count INTEGER NOT NULL,"
    "  helpful_count INTEGER NOT NULL,"
    "  not_helpful_count INTEGER NOT NULL,"
    "  is_active INTEGER NOT NULL,"
    "  metadata TEXT,"
    "  created_at INTEGER NOT NULL,"
    "  updated_at INTEGER NOT NULL) STRICT;"
    "CREATE INDEX faqs_business ON faqs (business_id, is_active);"
    "CREATE TABLE autoresponses ("
    "  key INTEGER PRIMARY KEY,"
    "  id TEXT NOT NULL UNIQUE,"
    "  business_id TEXT NOT NULL,"
    "  name TEXT,"
    "  type INTEGER NOT NULL,"
    "  message TEXT NOT NULL,"
    "  trigger_json TEXT,"
    "  quick_replies TEXT,"
    "  is_active INTEGER NOT NULL,"
    "  usage_count INTEGER NOT NULL,"
    "  metadata TEXT,"
    "  created_at INTEGER NOT NULL,"
    "  updated_at INTEGER NOT NULL) STRICT;"
    "CREATE INDEX autoresponses_business ON autoresponses (business_id, is_active);"
    "CREATE TABLE assist_versions ("
    "  business_id TEXT PRIMARY KEY,"
    "  version INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE faqfeedbacks ("
    "  message_id TEXT PRIMARY KEY,"
    "  business_id TEXT NOT NULL,"
    "  faq_id TEXT NOT NULL,"
    "  helpful INTEGER NOT NULL,"
    "  created_at INTEGER NOT NULL,"
    "  updated_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE unansweredquestions ("
    "  key INTEGER PRIMARY KEY,"
    "  id TEXT NOT NULL UNIQUE,"
    "  business_id TEXT NOT NULL,"
    "  room_id TEXT NOT NULL,"
    "  content TEXT NOT NULL,"
    "  created_at INTEGER NOT NULL) STRICT;"
    "CREATE INDEX unansweredquestions_business ON unansweredquestions (business_id, created_at);"
    "CREATE INDEX unansweredquestions_age ON unansweredquestions (created_at);";

static const char *const rt_sqlite_schema[RT_SQLITE_SCHEMA] = {
    rt_sqlite_schema_1,
    rt_sqlite_schema_2,
    rt_sqlite_schema_notify,
    rt_sqlite_schema_webhooks,
    rt_sqlite_schema_assist_rooms,
    rt_sqlite_schema_assist,
};


static rt_status_t
rt_sqlite_schema_failed(rt_sqlite_t *db, const char *doing, rt_error_t *error)
{
    return rt_error_set(error, RT_UNAVAILABLE, "sqlite: can't %s \"%s\": %s", doing,
        db->store->path, sqlite3_errmsg(db->db));
}


static int
rt_sqlite_schema_version(rt_sqlite_t *db)
{
    int           version;
    sqlite3_stmt *statement;

    version = -1;

    if (sqlite3_prepare_v2(db->db, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK) {
        if (sqlite3_step(statement) == SQLITE_ROW) {
            version = sqlite3_column_int(statement, 0);
        }

        sqlite3_finalize(statement);
    }

    return version;
}


/* Inside a write transaction, so that no other process does the same meanwhile. */
static rt_status_t
rt_sqlite_schema_raise(rt_sqlite_t *db, rt_error_t *error)
{
    int  version;
    char sql[64];

    version = rt_sqlite_schema_version(db);
    if (version < 0) {
        return rt_sqlite_schema_failed(db, "read", error);
    }

    if (version > RT_SQLITE_SCHEMA) {
        return rt_error_set(error, RT_UNAVAILABLE,
            "sqlite: \"%s\" was written by a newer version (schema %d, this one "
            "knows up to %d)",
            db->store->path, version, RT_SQLITE_SCHEMA);
    }

    for (; version < RT_SQLITE_SCHEMA; version++) {
        if (sqlite3_exec(db->db, rt_sqlite_schema[version], NULL, NULL, NULL) != SQLITE_OK) {
            return rt_sqlite_schema_failed(db, "make tables in", error);
        }
    }

    sqlite3_snprintf(sizeof(sql), sql, "PRAGMA user_version = %d", RT_SQLITE_SCHEMA);

    if (sqlite3_exec(db->db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return rt_sqlite_schema_failed(db, "write", error);
    }

    return RT_OK;
}


rt_status_t
rt_sqlite_migrate(rt_sqlite_t *db, rt_error_t *error)
{
    rt_status_t status;

    if (rt_sqlite_schema_version(db) == RT_SQLITE_SCHEMA) {
        return RT_OK;
    }

    if (sqlite3_exec(db->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
        return rt_sqlite_schema_failed(db, "lock", error);
    }

    status = rt_sqlite_schema_raise(db, error);

    if (status == RT_OK && sqlite3_exec(db->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        status = rt_sqlite_schema_failed(db, "write", error);
    }

    if (status != RT_OK && !sqlite3_get_autocommit(db->db)) {
        sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);
    }

    return status;
}
