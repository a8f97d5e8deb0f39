/* message.read: read receipts. */

#include <stddef.h>
#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "chat/rt_chat.h"
#include "chat/rt_schema.h"


#define RT_READ_IDS 1000

#define rt_read_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

typedef struct {
    json_t *ids;
} rt_read_t;

static const rt_field_t rt_read_fields[] = {
    {"messageIds", RT_FIELD_STRINGS, 0, offsetof(rt_read_t, ids), 0, RT_READ_IDS,
        RT_ID_CHARACTERS_MAX, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


static rt_status_t
rt_read_asked(rt_call_t *call, const json_t *ids, rt_message_reads_t *reads)
{
    size_t    i;
    json_t   *item;
    rt_str_t *copy;

    reads->all = ids == NULL;
    reads->count = json_array_size(ids);

    copy = rt_arena_alloc(call->arena, (reads->count + 1) * sizeof(rt_str_t));
    if (copy == NULL) {
        return RT_NO_MEMORY;
    }

    json_array_foreach(ids, i, item)
    {
        copy[i] = (rt_str_t){json_string_value(item), json_string_length(item)};
    }

    reads->ids = copy;

    return RT_OK;
}


/* In customer-support the two sides read each other; elsewhere each reads all the others. */
static rt_reads_t
rt_read_whose(const rt_call_t *call, const rt_room_t *room)
{
    if (room->type != RT_ROOM_CUSTOMER_SUPPORT) {
        return RT_READS_OTHERS;
    }

    return rt_role_is_staff(call->identity->role) ? RT_READS_CUSTOMER : RT_READS_NOT_CUSTOMER;
}


static void
rt_read_put_ids(rt_buf_t *buf, const rt_str_t *ids, size_t count)
{
    size_t i;

    rt_read_put(buf, "\"messageIds\":[");

    for (i = 0; i < count; i++) {
        if (i) {
            rt_read_put(buf, ",");
        }

        rt_buf_append_json_string(buf, ids[i]);
    }

    rt_read_put(buf, "]");
}


static rt_status_t
rt_read_emit(rt_call_t *call, const rt_message_reads_t *reads)
{
    rt_buf_t   buf;
    rt_emit_t *emit;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_read_put(&buf, "{\"roomId\":");
    rt_buf_append_json_string(&buf, reads->room->id);
    rt_read_put(&buf, ",\"userId\":");
    rt_buf_append_json_string(&buf, call->identity->user_id);
    rt_read_put(&buf, ",");
    rt_read_put_ids(&buf, reads->newly, reads->newly_count);
    rt_read_put(&buf, ",\"timestamp\":");
    rt_json_put_time(&buf, reads->now_ms);
    rt_read_put(&buf, "}");

    emit = rt_call_emit(call, rt_str("room:"), reads->room->id, rt_str("chat:messages-read"),
        rt_call_text(call, &buf));
    if (emit == NULL) {
        return RT_NO_MEMORY;
    }

    emit->except_socket = call->socket_id;

    return RT_OK;
}


static rt_status_t
rt_read_answer(rt_call_t *call, const rt_message_reads_t *reads, int64_t unread_before)
{
    rt_buf_t    buf;
    rt_status_t status;

    status = RT_OK;

    if (reads->newly_count) {
        status = rt_read_emit(call, reads);
    }

    if (status == RT_OK && reads->room->unread_count != unread_before) {
        status = rt_emit_room_updated(call, reads->room);
    }

    if (status != RT_OK) {
        return status;
    }

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_read_put(&buf, "{\"success\":true,");
    rt_read_put_ids(&buf, reads->read, reads->read_count);
    rt_read_put(&buf, "}");

    return rt_call_reply(call, &buf);
}


static rt_status_t
rt_message_read(rt_core_t *core, rt_call_t *call)
{
    int64_t            unread_before;
    rt_read_t          read;
    rt_status_t        status;
    rt_message_reads_t reads;

    (void) core;

    memset(&read, 0, sizeof(read));
    memset(&reads, 0, sizeof(reads));

    status = rt_schema_read(rt_read_fields, call->request, &read, &call->error);

    if (status == RT_OK) {
        status = rt_call_read_room(call, &reads.room);
    }

    if (status == RT_OK) {
        status = rt_read_asked(call, read.ids, &reads);
    }

    if (status != RT_OK) {
        return status;
    }

    reads.whose = rt_read_whose(call, reads.room);
    reads.reader_id = call->identity->user_id;
    reads.now_ms = rt_time_now_ms();
    unread_before = reads.room->unread_count;

    status = rt_call_store(call)->messages_read(call->session, call->arena, &reads);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    return rt_read_answer(call, &reads, unread_before);
}


const rt_op_entry_t rt_message_read_ops[] = {
    {{"message.read", RT_OP_WRITE, rt_message_read}, RT_ROLES_MEMBERS, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL},
};
