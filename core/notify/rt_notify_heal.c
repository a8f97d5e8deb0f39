/* notification.heal: what the bus has lost of streams, or what somebody missed while away, told
 * again; and where streams end. For the host, not for people. */

#include <stddef.h>
#include <string.h>

#include "chat/rt_schema.h"
#include "notify/rt_notify.h"


#define RT_NOTIFY_HEAL_STREAMS 256

#define rt_notify_lit(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

typedef struct {
    json_t *streams;
    int64_t limit;
} rt_notify_heal_t;

static const rt_field_t rt_notify_heal_fields[] = {
    {"limit", RT_FIELD_INTEGER, 0, offsetof(rt_notify_heal_t, limit), 1, RT_NOTIFY_TELL_MAX, 0,
        NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};

static const rt_field_t rt_notify_stream_fields[] = {
    {"stream", RT_FIELD_STRING, RT_FIELD_REQUIRED, offsetof(rt_notify_after_t, stream), 1,
        RT_ID_CHARACTERS_MAX + 16, 0, NULL},
    {"afterSeq", RT_FIELD_INTEGER, 0, offsetof(rt_notify_after_t, after_seq), 0, INT64_MAX, 0,
        NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


static rt_status_t
rt_notify_heal_read(rt_call_t *call, rt_notify_after_t **out, size_t *count, int64_t *limit)
{
    size_t             i;
    json_t            *list;
    rt_status_t        status;
    rt_notify_heal_t   asked = {.limit = RT_NOTIFY_TELL_MAX};
    rt_notify_after_t *streams;

    list = json_object_get(call->request, "streams");
    *count = json_array_size(list);

    if (*count == 0 || *count > RT_NOTIFY_HEAL_STREAMS) {
        return rt_call_fail(call, RT_INVALID, "streams must be an array of 1 to %d",
            RT_NOTIFY_HEAL_STREAMS);
    }

    streams = rt_arena_calloc(call->arena, *count * sizeof(rt_notify_after_t));
    if (streams == NULL) {
        return RT_NO_MEMORY;
    }

    status = rt_schema_read(rt_notify_heal_fields, call->request, &asked, &call->error);

    for (i = 0; i < *count && status == RT_OK; i++) {
        streams[i].after_seq = -1;
        status = rt_schema_read(rt_notify_stream_fields, json_array_get(list, i), &streams[i],
            &call->error);
    }

    *limit = asked.limit;
    *out = streams;

    return status;
}


static rt_status_t
rt_notify_heal_reply(rt_call_t *call, const rt_notify_after_t *streams, size_t count)
{
    size_t   i;
    rt_buf_t buf;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_notify_lit(&buf, "{\"success\":true,\"streams\":[");

    for (i = 0; i < count; i++) {
        rt_buf_append_str(&buf, i ? rt_str(",{\"stream\":") : rt_str("{\"stream\":"));
        rt_buf_append_json_string(&buf, streams[i].stream);
        rt_notify_lit(&buf, ",\"lastSeq\":");
        rt_buf_append_int(&buf, streams[i].last_seq);
        rt_buf_append_str(&buf,
            streams[i].has_more ? rt_str(",\"more\":true}") : rt_str(",\"more\":false}"));
    }

    rt_notify_lit(&buf, "]}");

    return rt_call_reply(call, &buf);
}


static rt_status_t
rt_notification_heal(rt_core_t *core, rt_call_t *call)
{
    size_t             i, j, count;
    int64_t            limit;
    rt_status_t        status;
    rt_notify_after_t *streams;

    (void) core;

    streams = NULL;
    status = rt_notify_heal_read(call, &streams, &count, &limit);
    if (status != RT_OK || streams == NULL) {
        return status;
    }

    status = rt_notify_store(call)->after(call->session, call->arena, streams, count, limit);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    for (i = 0; i < count; i++) {
        for (j = 0; j < streams[i].count && status == RT_OK; j++) {
            status = rt_notify_emit(call, streams[i].stream, &streams[i].rows[j]);
        }
    }

    return status == RT_OK ? rt_notify_heal_reply(call, streams, count) : status;
}


const rt_op_entry_t rt_notify_heal_ops[] = {
    {{"notification.heal", RT_OP_READ, rt_notification_heal}, RT_ROLES_HOST, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL},
};
