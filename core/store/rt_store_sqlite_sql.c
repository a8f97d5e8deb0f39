/* The SQLite store's tables and statements.
 *
 * A message's document is kept as text without what changes: seq, isRead, readAt and updatedAt are
 * columns and joined to it when it is read (rt_message_write_tail). A room has no document text of
 * its own: its members are columns, but for metadata. */

#include "store/rt_store_sqlite.h"


#define RT_SQLITE_MESSAGE_COLUMNS "id, seq, kind, created_at, is_read, read_at, updated_at, doc"

/* Whose messages a reader marks: ?2 is rt_reads_t, ?3 the reader. */
#define RT_SQLITE_READS                                                                            \
    "(CASE ?2 WHEN 0 THEN sender_type = 0 WHEN 1 THEN sender_type <> 0 "                           \
    "ELSE sender_id IS NOT ?3 END)"

#define RT_SQLITE_WEBHOOK_COLUMNS                                                                  \
    "id, business_id, url, events, secret, description, is_active, created_at, updated_at"

#define RT_SQLITE_FAQ_COLUMNS                                                                      \
    "id, business_id, question, answer, keywords, alternatives, category, threshold, priority, "   \
    "usage_count, helpful_count, not_helpful_count, is_active, metadata, created_at, updated_at"

#define RT_SQLITE_RESPONSE_COLUMNS                                                                 \
    "id, business_id, name, type, message, trigger_json, quick_replies, is_active, usage_count, "  \
    "metadata, created_at, updated_at"

/* ?1 is the business, ?2 and ?3 what to filter by: NULL and -1 do not. */
#define RT_SQLITE_FAQS_WHERE                                                                       \
    "FROM faqs WHERE business_id = ?1 AND (?2 IS NULL OR category = ?2) "                          \
    "AND (?3 = -1 OR is_active = ?3)"
#define RT_SQLITE_RESPONSES_WHERE                                                                  \
    "FROM autoresponses WHERE business_id = ?1 AND (?2 = -1 OR type = ?2) "                        \
    "AND (?3 = -1 OR is_active = ?3)"

#define RT_SQLITE_DELIVERY_COLUMNS                                                                 \
    "id, webhook_id, business_id, event, object_id, payload, attempts, next_at, status, "          \
    "last_status, last_error, created_at, delivered_at"

const char *const rt_sqlite_sql[RT_SQL_COUNT] = {
    [RT_SQL_BEGIN_READ] = "BEGIN",
    [RT_SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [RT_SQL_COMMIT] = "COMMIT",

    [RT_SQL_ROOM_GET] = "SELECT " RT_SQLITE_ROOM_COLUMNS " FROM rooms WHERE id = ?1",
    [RT_SQL_ROOM_FIND_OPEN] = "SELECT " RT_SQLITE_ROOM_COLUMNS " FROM rooms WHERE open_key = ?1",
    [RT_SQL_ROOM_ADD] =
        "INSERT INTO rooms (id, business_id, type, name, is_active, is_archived, seq, "
        "unread_count, last_message_id, last_message, last_message_at, created_at, updated_at, "
        "metadata, user_id, user_name, user_email, owner_id, member_id, priority, "
        "assigned_staff_id, open_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, NULL, NULL, ?7, ?8, "
        "?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
    [RT_SQL_ROOM_STATE] = "UPDATE rooms SET is_active = ?2, is_archived = ?3, updated_at = ?4, "
                          "open_key = ?5 WHERE key = ?1",
    [RT_SQL_ROOM_METADATA] =
        "UPDATE rooms SET metadata = ?2, user_name = ?3, user_email = ?4, priority = ?5, "
        "assigned_staff_id = ?6, updated_at = ?7 WHERE key = ?1",
    [RT_SQL_ROOM_TOUCH] =
        "UPDATE rooms SET seq = ?2, unread_count = ?3, last_message_id = ?4, last_message = ?5, "
        "last_message_at = ?6, updated_at = ?7, staff_seq = ?8, staff_at = ?9, asked_seq = ?10, "
        "due_at = CASE WHEN ?10 > asked_seq THEN ?6 ELSE due_at END WHERE key = ?1",
    [RT_SQL_ROOM_ASSIST] =
        "UPDATE rooms SET welcomed = ?2, done_seq = ?3, customer_at = ?5, "
        "offline_seq = ?6, acknowledge_seq = ?7, called_seq = ?8, feedback_seq = ?9, "
        "feedback_id = ?10, feedback_faq = ?11, "
        "due_at = CASE WHEN ?12 AND asked_seq <= ?3 THEN 0 ELSE due_at END "
        "WHERE key = ?1 AND done_seq = ?13",
    [RT_SQL_ROOMS_DUE] =
        "UPDATE rooms SET due_at = ?2 WHERE key IN (SELECT key FROM rooms "
        "WHERE due_at > 0 AND due_at < ?1 ORDER BY due_at LIMIT ?3) RETURNING id, business_id",
    [RT_SQL_ROOMS_ARE_DUE] = "SELECT 1 FROM rooms WHERE due_at > 0 AND due_at < ?1 LIMIT 1",
    [RT_SQL_ROOM_TOLD] = "UPDATE rooms SET told_seq = max(told_seq, ?2), "
                         "due_at = CASE WHEN asked_seq <= ?2 THEN 0 ELSE due_at END WHERE id = ?1",

    [RT_SQL_MESSAGE_ADD] =
        "INSERT INTO messages (room, seq, id, sender_type, sender_id, client_id, kind, is_read, "
        "read_at, created_at, updated_at, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?10, 0, ?8, "
        "?8, ?9)",
    [RT_SQL_MESSAGE_GET] =
        "SELECT " RT_SQLITE_MESSAGE_COLUMNS " FROM messages WHERE id = ?2 AND room = ?1",
    [RT_SQL_MESSAGE_FIND] = "SELECT " RT_SQLITE_MESSAGE_COLUMNS " FROM messages WHERE room = ?1 "
                            "AND ifnull(sender_id, '') = ifnull(?2, '') AND client_id = ?3",
    [RT_SQL_MESSAGES_BEFORE] =
        "SELECT " RT_SQLITE_MESSAGE_COLUMNS
        " FROM messages WHERE room = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
    [RT_SQL_MESSAGES_AFTER] = "SELECT " RT_SQLITE_MESSAGE_COLUMNS
                              " FROM messages WHERE room = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",

    [RT_SQL_READS_MARKS] = "SELECT read_customer, read_others FROM rooms WHERE key = ?1",
    [RT_SQL_READS_FIND] = "SELECT key, id, sender_type, is_read FROM messages "
                          "WHERE id = ?4 AND room = ?1 AND " RT_SQLITE_READS,
    [RT_SQL_READS_LIST_BEHIND] =
        "SELECT key, id, sender_type FROM messages "
        "WHERE room = ?1 AND seq > ?4 AND is_read = 0 AND " RT_SQLITE_READS " ORDER BY seq",
    [RT_SQL_READS_LIST_INDEXED] =
        "SELECT key, id, sender_type FROM messages "
        "WHERE room = ?1 AND is_read = 2 AND " RT_SQLITE_READS " ORDER BY seq",
    [RT_SQL_READS_MARK] = "UPDATE messages SET is_read = 1, read_at = ?2, updated_at = ?2 "
                          "WHERE key = ?1",
    [RT_SQL_ROOM_READ] = "UPDATE rooms SET unread_count = ?2, updated_at = ?3, "
                         "read_customer = max(read_customer, ?4), "
                         "read_others = max(read_others, ?5) WHERE key = ?1",

    [RT_SQL_NOTIFY_STREAM] = "SELECT key, seq FROM notify_streams WHERE name = ?1",
    [RT_SQL_NOTIFY_STREAM_ADD] = "INSERT INTO notify_streams (name, seq) VALUES (?1, 0)",
    [RT_SQL_NOTIFY_STREAM_SEQ] = "UPDATE notify_streams SET seq = ?2 WHERE key = ?1",
    [RT_SQL_NOTIFY_ADD] =
        "INSERT INTO notifications (stream, seq, id, business_id, event_key, type, sub_type, "
        "is_read, read_at, created_at, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0, ?8, ?9)",
    [RT_SQL_NOTIFY_FIND] =
        "SELECT " RT_SQLITE_NOTIFY_COLUMNS ", (SELECT name FROM notify_streams s WHERE s.key = "
        "n.stream) FROM notifications n WHERE business_id = ?1 AND event_key = ?2",
    [RT_SQL_NOTIFY_AFTER] = "SELECT " RT_SQLITE_NOTIFY_COLUMNS " FROM notifications "
                            "WHERE stream = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
    [RT_SQL_NOTIFY_READ_FIND] =
        "SELECT key FROM notifications WHERE id = ?2 AND stream = ?1 AND is_read = 0 "
        "AND (?3 IS NULL OR business_id = ?3)",
    [RT_SQL_NOTIFY_READ_MARK] = "UPDATE notifications SET is_read = 1, read_at = ?2 WHERE key = ?1",
    [RT_SQL_NOTIFY_READ_ALL] =
        "UPDATE notifications SET is_read = 1, read_at = ?2 WHERE stream = ?1 AND is_read = 0 "
        "AND (?3 IS NULL OR business_id = ?3)",
    [RT_SQL_NOTIFY_UNREAD] = "SELECT count(*) FROM notifications WHERE stream = ?1 "
                             "AND is_read = 0 AND (?2 IS NULL OR business_id = ?2)",
    [RT_SQL_NOTIFY_UNREAD_IDS] = "SELECT id FROM notifications WHERE stream = ?1 AND is_read = 0 "
                                 "AND (?2 IS NULL OR business_id = ?2) ORDER BY key DESC LIMIT ?3",
    [RT_SQL_NOTIFY_SWEEP] =
        "DELETE FROM notifications WHERE key IN (SELECT key FROM notifications ORDER BY key "
        "LIMIT ?2) AND created_at < ?1",
    [RT_SQL_NOTIFY_AUDIT] = "INSERT OR IGNORE INTO auditlogs (id, business_id, created_at, doc) "
                            "VALUES (?1, ?2, ?3, ?4)",
    [RT_SQL_FAQ_ADD] =
        "INSERT INTO faqs (id, business_id, question, answer, keywords, alternatives, category, "
        "threshold, priority, is_active, metadata, updated_at, created_at, usage_count, "
        "helpful_count, not_helpful_count) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
        "?12, ?13, ?14, ?15, ?16)",
    [RT_SQL_FAQ_GET] = "SELECT " RT_SQLITE_FAQ_COLUMNS
                       " FROM faqs WHERE id = ?2 AND (?1 IS NULL OR business_id = ?1)",
    [RT_SQL_FAQ_CHANGE] =
        "UPDATE faqs SET question = ?3, answer = ?4, keywords = ?5, alternatives = ?6, "
        "category = ?7, threshold = ?8, priority = ?9, is_active = ?10, metadata = ?11, "
        "updated_at = ?12 WHERE id = ?1 AND business_id = ?2",
    [RT_SQL_FAQS_COUNT] = "SELECT count(*) " RT_SQLITE_FAQS_WHERE,
    [RT_SQL_FAQS_LIST] =
        "SELECT " RT_SQLITE_FAQ_COLUMNS " " RT_SQLITE_FAQS_WHERE
        " ORDER BY priority DESC, usage_count DESC, created_at, key LIMIT ?4 OFFSET ?5",
    [RT_SQL_FAQ_USED] =
        "UPDATE faqs SET usage_count = usage_count + ?3, helpful_count = helpful_count + ?4, "
        "not_helpful_count = not_helpful_count + ?5 WHERE id = ?1 AND business_id = ?2",
    [RT_SQL_RESPONSE_ADD] =
        "INSERT INTO autoresponses (id, business_id, name, type, message, trigger_json, "
        "quick_replies, is_active, metadata, updated_at, created_at, usage_count) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [RT_SQL_RESPONSE_GET] =
        "SELECT " RT_SQLITE_RESPONSE_COLUMNS
        " FROM autoresponses WHERE id = ?2 AND (?1 IS NULL OR business_id = ?1)",
    [RT_SQL_RESPONSE_CHANGE] =
        "UPDATE autoresponses SET name = ?3, type = ?4, message = ?5, trigger_json = ?6, "
        "quick_replies = ?7, is_active = ?8, metadata = ?9, updated_at = ?10 "
        "WHERE id = ?1 AND business_id = ?2",
    [RT_SQL_RESPONSES_COUNT] = "SELECT count(*) " RT_SQLITE_RESPONSES_WHERE,
    [RT_SQL_RESPONSES_LIST] = "SELECT " RT_SQLITE_RESPONSE_COLUMNS " " RT_SQLITE_RESPONSES_WHERE
                              " ORDER BY created_at DESC, key DESC LIMIT ?4 OFFSET ?5",
    [RT_SQL_RESPONSE_USED] = "UPDATE autoresponses SET usage_count = usage_count + ?3 "
                             "WHERE id = ?1 AND business_id = ?2",
    [RT_SQL_ASSIST_VERSION] = "SELECT version FROM assist_versions WHERE business_id = ?1",
    [RT_SQL_ASSIST_CHANGED] = "INSERT INTO assist_versions (business_id, version) "
                              "VALUES (?1, random()) "
                              "ON CONFLICT (business_id) DO UPDATE SET version = random()",
    [RT_SQL_FEEDBACK_GET] = "SELECT helpful FROM faqfeedbacks WHERE message_id = ?1",
    [RT_SQL_FEEDBACK_PUT] =
        "INSERT INTO faqfeedbacks (message_id, business_id, faq_id, helpful, created_at, "
        "updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5) ON CONFLICT (message_id) DO UPDATE "
        "SET helpful = ?4, updated_at = ?5",
    [RT_SQL_UNANSWERED_ADD] =
        "INSERT OR IGNORE INTO unansweredquestions (id, business_id, room_id, content, created_at) "
        "VALUES (?1, ?2, ?3, ?4, ?5)",
    [RT_SQL_UNANSWERED_LIST] =
        "SELECT id, business_id, room_id, content, created_at FROM unansweredquestions "
        "WHERE business_id = ?1 ORDER BY created_at DESC, key DESC LIMIT ?2",
    [RT_SQL_UNANSWERED_SWEEP] =
        "DELETE FROM unansweredquestions WHERE key IN (SELECT key FROM unansweredquestions "
        "WHERE created_at < ?1 ORDER BY created_at LIMIT ?2)",

    [RT_SQL_WEBHOOK_ADD] =
        "INSERT INTO webhooks (id, url, events, secret, description, is_active, updated_at, "
        "business_id, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [RT_SQL_WEBHOOK_CHANGE] = "UPDATE webhooks SET url = ?2, events = ?3, secret = ?4, "
                              "description = ?5, is_active = ?6, updated_at = ?7 WHERE id = ?1",
    [RT_SQL_WEBHOOK_REMOVE] = "DELETE FROM webhooks WHERE id = ?1",
    [RT_SQL_WEBHOOK_GET] = "SELECT " RT_SQLITE_WEBHOOK_COLUMNS
                           " FROM webhooks WHERE id = ?1 AND (?2 IS NULL OR business_id = ?2)",
    [RT_SQL_WEBHOOKS_OF] =
        "SELECT " RT_SQLITE_WEBHOOK_COLUMNS " FROM webhooks WHERE business_id = ?1 ORDER BY key",
    [RT_SQL_WEBHOOKS_ACTIVE] =
        "SELECT " RT_SQLITE_WEBHOOK_COLUMNS " FROM webhooks WHERE is_active = 1 ORDER BY key",

    /* one that was deleted meanwhile gets none */
    [RT_SQL_DELIVERY_ADD] =
        "INSERT OR IGNORE INTO webhookdeliveries (id, webhook_id, business_id, event, object_id, "
        "payload, attempts, next_at, status, last_status, created_at, delivered_at) "
        "SELECT ?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, 0, 0, ?7, 0 WHERE EXISTS "
        "(SELECT 1 FROM webhooks WHERE id = ?2)",
    [RT_SQL_DELIVERIES_PENDING] = "SELECT count(*) FROM (SELECT 1 FROM webhookdeliveries "
                                  "WHERE business_id = ?1 AND status = 0 LIMIT ?2)",
    [RT_SQL_DELIVERY_DUE] =
        "SELECT 1 FROM webhookdeliveries WHERE status = 0 AND next_at <= ?1 LIMIT 1",
    [RT_SQL_DELIVERY_CLAIM] =
        "UPDATE webhookdeliveries SET next_at = ?2, attempts = attempts + 1 WHERE key IN "
        "(SELECT key FROM webhookdeliveries WHERE status = 0 AND next_at <= ?1 AND webhook_id "
        "NOT IN (SELECT value FROM json_each(?4)) ORDER BY next_at, key LIMIT ?3) "
        "RETURNING " RT_SQLITE_DELIVERY_COLUMNS,
    [RT_SQL_DELIVERY_SETTLE] =
        "UPDATE webhookdeliveries SET attempts = ?3, next_at = ?4, status = ?5, last_status = ?6, "
        "last_error = ?7, delivered_at = ?8 WHERE id = ?1 AND status = 0 AND attempts = ?2",
    [RT_SQL_DELIVERIES_COUNT] = "SELECT count(*) FROM webhookdeliveries WHERE webhook_id = ?1 "
                                "AND (?2 = -1 OR status = ?2)",
    [RT_SQL_DELIVERIES_LIST] =
        "SELECT " RT_SQLITE_DELIVERY_COLUMNS " FROM webhookdeliveries WHERE webhook_id = ?1 "
        "AND (?2 = -1 OR status = ?2) ORDER BY key DESC LIMIT ?3 OFFSET ?4",
    [RT_SQL_DELIVERY_RETRY] =
        "UPDATE webhookdeliveries SET status = 0, attempts = 0, next_at = ?3, delivered_at = 0 "
        "WHERE id = ?1 AND webhook_id = ?2",
    [RT_SQL_DELIVERIES_SWEEP] =
        "DELETE FROM webhookdeliveries WHERE key IN (SELECT key FROM webhookdeliveries "
        "WHERE status <> 0 AND created_at < ?1 ORDER BY created_at LIMIT ?2)",
};
