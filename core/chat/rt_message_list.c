/* message.list: a room's history in pages. */

#include <stddef.h>
#include <string.h>

#include "chat/rt_chat.h"
#include "chat/rt_schema.h"


#define RT_HISTORY_LIMIT 50

#define rt_history_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

typedef struct {
    rt_str_t before_id;
    int64_t  after_seq; /* -1: not asked */
    int64_t  page;
    int64_t  limit;
    int64_t  total;
    int      has_more;
} rt_history_t;

static const rt_field_t rt_history_fields[] = {
    {"beforeMessageId", RT_FIELD_STRING, 0, offsetof(rt_history_t, before_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"afterSeq", RT_FIELD_INTEGER, 0, offsetof(rt_history_t, after_seq), 0, INT64_MAX, 0, NULL},
    {"page", RT_FIELD_INTEGER, 0, offsetof(rt_history_t, page), 1, RT_PAGE_MAX, 0, NULL},
    {"limit", RT_FIELD_INTEGER, 0, offsetof(rt_history_t, limit), 1, RT_LIMIT_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};

static rt_status_t
rt_history_before(rt_call_t *call, rt_room_t *room, rt_history_t *history, rt_message_list_t *list)
{
    rt_status_t           status;
    rt_message_row_t      before;
    const rt_store_ops_t *ops;

    ops = rt_call_store(call);

    status = ops->message_get(call->session, call->arena, room, history->before_id, &before);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    if (before.text.len == 0) {
        return rt_call_fail(call, RT_INVALID, "beforeMessageId is not a message of this room");
    }

    status = ops->messages_list(call->session, call->arena, room, RT_MESSAGES_BEFORE, before.seq,
        history->limit, list);

    history->has_more = status == RT_OK && list->count && list->rows[0].seq > 1;

    return rt_call_store_failed(call, status);
}


static rt_status_t
rt_history_find(rt_call_t *call, rt_room_t *room, rt_history_t *history, rt_message_list_t *list)
{
    int64_t               offset;
    rt_status_t           status;
    const rt_store_ops_t *ops;

    ops = rt_call_store(call);

    status = ops->messages_count(call->session, room, &history->total);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    if (history->before_id.len) {
        return rt_history_before(call, room, history, list);
    }

    if (history->after_seq != -1) {
        status = ops->messages_list(call->session, call->arena, room, RT_MESSAGES_AFTER,
            history->after_seq, history->limit, list);

        history->has_more =
            status == RT_OK && list->count && list->rows[list->count - 1].seq < room->seq;

        return rt_call_store_failed(call, status);
    }

    offset = (history->page - 1) * history->limit;

    status = ops->messages_list(call->session, call->arena, room, RT_MESSAGES_PAGE, offset,
        history->limit, list);

    history->has_more = offset + history->limit < history->total;

    return rt_call_store_failed(call, status);
}


static rt_status_t
rt_history_reply(rt_call_t *call, const rt_history_t *history, const rt_message_list_t *list)
{
    size_t   i;
    rt_buf_t buf;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_history_put(&buf, "{\"messages\":[");

    for (i = 0; i < list->count; i++) {
        if (i) {
            rt_history_put(&buf, ",");
        }

        rt_buf_append_str(&buf, list->rows[i].text);
    }

    if (history->has_more) {
        rt_history_put(&buf, "],\"hasMore\":true,\"total\":");
    } else {
        rt_history_put(&buf, "],\"hasMore\":false,\"total\":");
    }

    rt_buf_append_int(&buf, history->total);
    rt_history_put(&buf, ",\"page\":");
    rt_buf_append_int(&buf, history->page);
    rt_history_put(&buf, ",\"limit\":");
    rt_buf_append_int(&buf, history->limit);
    rt_history_put(&buf, "}");

    call->total = history->total;

    return rt_call_reply(call, &buf);
}


static rt_status_t
rt_message_list(rt_core_t *core, rt_call_t *call)
{
    rt_room_t        *room;
    rt_status_t       status;
    rt_history_t      history = {.after_seq = -1, .page = 1, .limit = RT_HISTORY_LIMIT};
    rt_message_list_t list;

    (void) core;

    status = rt_schema_read(rt_history_fields, call->request, &history, &call->error);

    if (status == RT_OK && history.before_id.len && history.after_seq != -1) {
        status = rt_call_fail(call, RT_INVALID, "beforeMessageId and afterSeq exclude each other");
    }

    if (status == RT_OK) {
        status = rt_call_read_room(call, &room);
    }

    if (status == RT_OK) {
        status = rt_history_find(call, room, &history, &list);
    }

    return status == RT_OK ? rt_history_reply(call, &history, &list) : status;
}


const rt_op_entry_t rt_message_list_ops[] = {
    {{"message.list", RT_OP_READ, rt_message_list}, RT_ROLES_MEMBERS, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL},
};
