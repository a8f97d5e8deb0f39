/* notification.read: marks as read, and tells the other sockets that hold them. */

#include <stddef.h>
#include <string.h>

#include <rt/rt_text.h>

#include "chat/rt_schema.h"
#include "notify/rt_notify.h"


#define RT_NOTIFY_READ_IDS 1000

#define rt_notify_lit(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

typedef struct {
    rt_str_t business_id;
    json_t  *ids;
} rt_notify_read_t;

static const rt_field_t rt_notify_read_fields[] = {
    {"notificationIds", RT_FIELD_STRINGS, 0, offsetof(rt_notify_read_t, ids), 0, RT_NOTIFY_READ_IDS,
        RT_ID_CHARACTERS_MAX, NULL},
    {"businessId", RT_FIELD_STRING, 0, offsetof(rt_notify_read_t, business_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


static rt_status_t
rt_notify_read_asked(rt_call_t *call, const json_t *ids, rt_notify_reads_t *reads)
{
    size_t    i;
    json_t   *item;
    rt_str_t *copy;

    reads->all = ids == NULL;
    reads->now_ms = rt_time_now_ms();

    copy = rt_arena_alloc(call->arena, (json_array_size(ids) + 1) * sizeof(rt_str_t));
    if (copy == NULL) {
        return RT_NO_MEMORY;
    }

    json_array_foreach(ids, i, item)
    {
        copy[i] = (rt_str_t){json_string_value(item), json_string_length(item)};
    }

    reads->ids = copy;
    reads->count = json_array_size(ids);

    return RT_OK;
}


/* What was read of one stream, to all that hold it but the socket that said so. `all` tells those
 * whom a list of ids would not: more were read than it holds. */
static rt_status_t
rt_notify_read_emit(rt_call_t *call, const rt_notify_reads_t *reads, int at)
{
    size_t     i;
    rt_buf_t   buf;
    rt_emit_t *emit;

    if (reads->streams[at].newly == 0) {
        return RT_OK;
    }

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_notify_lit(&buf, "{\"notificationIds\":[");

    for (i = 0; i < reads->streams[at].count; i++) {
        if (i) {
            rt_notify_lit(&buf, ",");
        }

        rt_buf_append_json_string(&buf, reads->streams[at].ids[i]);
    }

    rt_notify_lit(&buf, "],\"userId\":");
    rt_buf_append_json_string(&buf, call->identity->user_id);
    rt_notify_lit(&buf, ",\"unread\":");
    rt_buf_append_int(&buf, reads->streams[at].unread);
    rt_buf_append_str(&buf, reads->all ? rt_str(",\"all\":true}") : rt_str("}"));

    emit = rt_call_emit(call, reads->view.streams[at], rt_str(""), rt_str("notification:read"),
        rt_call_text(call, &buf));
    if (emit == NULL) {
        return RT_NO_MEMORY;
    }

    emit->except_socket = call->socket_id;
    emit->business_id = reads->view.business_id;

    return RT_OK;
}


static rt_status_t
rt_notification_read(rt_core_t *core, rt_call_t *call)
{
    int               i;
    rt_status_t       status;
    rt_notify_read_t  asked;
    rt_notify_reads_t reads;

    (void) core;

    memset(&asked, 0, sizeof(asked));
    memset(&reads, 0, sizeof(reads));

    status = rt_schema_read(rt_notify_read_fields, call->request, &asked, &call->error);

    if (status == RT_OK) {
        status = rt_notify_view(call, asked.business_id, &reads.view);
    }

    if (status == RT_OK) {
        status = rt_notify_read_asked(call, asked.ids, &reads);
    }

    if (status != RT_OK) {
        return status;
    }

    if (reads.all || reads.count) {
        status = rt_notify_store(call)->read(call->session, call->arena, &reads);

        if (status != RT_OK) {
            return rt_call_store_failed(call, status);
        }
    }

    for (i = 0; i < RT_NOTIFY_STREAMS && status == RT_OK; i++) {
        status = rt_notify_read_emit(call, &reads, i);
    }

    call->reply = rt_str("{\"success\":true}");

    return status;
}


const rt_op_entry_t rt_notify_read_ops[] = {
    {{"notification.read", RT_OP_WRITE, rt_notification_read}, RT_ROLES_MEMBERS, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL},
};
