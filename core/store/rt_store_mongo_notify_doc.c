/* Documents of notifications and audit logs in MongoDB. */

#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "store/rt_store_mongo_notify.h"


rt_status_t
rt_mongo_notify_write(bson_t *document, const rt_notification_t *item)
{
    rt_mongo_put_id(document, "_id", item->id);
    rt_mongo_put_text(document, "stream", item->stream);
    BSON_APPEND_INT64(document, "seq", item->seq);
    rt_mongo_put_id(document, "businessId", item->business_id);

    if (item->user_id.len) {
        rt_mongo_put_id(document, "userId", item->user_id);
    } else {
        BSON_APPEND_NULL(document, "userId");
    }

    BSON_APPEND_UTF8(document, "type", rt_notify_type_names[item->type]);
    rt_mongo_put_text(document, "subType", item->sub_type);
    rt_mongo_put_text(document, "title", item->title);
    rt_mongo_put_text(document, "message", item->message);
    rt_mongo_put_text(document, "priority", item->priority);
    BSON_APPEND_BOOL(document, "isRead", false);
    rt_mongo_put_text(document, "eventKey", item->key);
    BSON_APPEND_DATE_TIME(document, "createdAt", item->created_at_ms);
    BSON_APPEND_DATE_TIME(document, "timestamp", item->created_at_ms);

    return rt_mongo_put_json(document, "data", item->data, NULL);
}


/* Dates as dates, ids as ids, so that those who read auditlogs find them as in their own. */
static int
rt_mongo_audit_member(bson_t *document, const char *name, const json_t *value)
{
    size_t   i;
    int64_t  time_ms;
    rt_str_t text;

    static const char *const times[] = {"timestamp", "createdAt", "updatedAt"};
    static const char *const ids[] = {"businessId", "userId", "entityId"};

    text = (rt_str_t){json_string_value(value), json_string_length(value)};

    for (i = 0; i < 3 && json_is_string(value); i++) {
        if (strcmp(name, times[i]) == 0 && rt_time_parse(text, &time_ms) == RT_OK) {
            return BSON_APPEND_DATE_TIME(document, name, time_ms) ? 0 : 1;
        }

        if (strcmp(name, ids[i]) == 0 && text.len) {
            rt_mongo_put_id(document, name, text);
            return 0;
        }
    }

    return rt_mongo_put_value(document, name, value);
}


rt_status_t
rt_mongo_notify_write_audit(bson_t *document, const rt_notification_t *item)
{
    int         failed;
    json_t     *audit, *value;
    const char *key;

    if (rt_json_parse(item->audit, &audit, NULL) != RT_OK) {
        return RT_ERROR;
    }

    failed = 0;
    rt_mongo_put_id(document, "_id", item->id);
    rt_mongo_put_id(document, "notificationId", item->id);

    json_object_foreach(audit, key, value)
    {
        failed |= rt_mongo_audit_member(document, key, value);
    }

    json_decref(audit);

    return failed ? RT_ERROR : RT_OK;
}


rt_status_t
rt_mongo_notify_read(rt_mongo_t *db, const bson_t *document, rt_arena_t *arena,
    rt_mongo_notified_t *out)
{
    int         type;
    rt_buf_t   *buf = &db->scratch;
    rt_status_t status;

    struct {
        rt_notification_t item;
        rt_str_t          type;
        int               is_read;
        int64_t           read_at_ms;
    } read;

#define FIELD(member) offsetof(__typeof__(read), member)

    const rt_mongo_field_t fields[] = {
        {"_id", RT_MONGO_TEXT, FIELD(item.id)},
        {"stream", RT_MONGO_TEXT, FIELD(item.stream)},
        {"seq", RT_MONGO_INT, FIELD(item.seq)},
        {"businessId", RT_MONGO_TEXT, FIELD(item.business_id)},
        {"userId", RT_MONGO_TEXT, FIELD(item.user_id)},
        {"type", RT_MONGO_TEXT, FIELD(type)},
        {"subType", RT_MONGO_TEXT, FIELD(item.sub_type)},
        {"title", RT_MONGO_TEXT, FIELD(item.title)},
        {"message", RT_MONGO_TEXT, FIELD(item.message)},
        {"data", RT_MONGO_JSON, FIELD(item.data)},
        {"priority", RT_MONGO_TEXT, FIELD(item.priority)},
        {"eventKey", RT_MONGO_TEXT, FIELD(item.key)},
        {"createdAt", RT_MONGO_TIME, FIELD(item.created_at_ms)},
        {"isRead", RT_MONGO_FALSE, FIELD(is_read)},
        {"readAt", RT_MONGO_TIME, FIELD(read_at_ms)},
        {NULL, RT_MONGO_TEXT, 0},
    };

#undef FIELD

    memset(&read, 0, sizeof(read));

    status = rt_mongo_read(document, fields, &read, arena);
    if (status != RT_OK) {
        return status;
    }

    type = rt_name_find(rt_notify_type_names, read.type);
    read.item.type = type == -1 ? RT_NOTIFY_SYSTEM : (rt_notify_type_t) type;

    buf->len = 0;
    rt_notification_write_head(buf, &read.item);
    rt_notification_write_tail(buf, read.item.seq, read.is_read, read.read_at_ms);

    if (buf->failed) {
        return RT_NO_MEMORY;
    }

    out->stream = read.item.stream;
    out->key = read.item.key;
    out->row = (rt_notify_row_t){.id = read.item.id,
        .business_id = read.item.business_id,
        .seq = read.item.seq,
        .type = read.item.type,
        .sub_type = read.item.sub_type,
        .text = rt_arena_str(arena, (rt_str_t){buf->data, buf->len})};

    return out->row.text.data ? RT_OK : RT_NO_MEMORY;
}
