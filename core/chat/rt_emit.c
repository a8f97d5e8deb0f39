/* The events that operations cause, in the shapes that the contract gives them. */

#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "chat/rt_chat.h"


#define rt_emit_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)


/* Not all staff of the business may read every room: what is said in the others is told to the
 * people in them. */
static rt_status_t
rt_emit_to_readers(rt_call_t *call, const rt_room_t *room, rt_str_t event, rt_str_t data)
{
    size_t     i;
    rt_emit_t *emit;

    const rt_str_t people[] = {room->owner_id, room->member_id};

    if (room->type != RT_ROOM_TEAM_CHAT && room->type != RT_ROOM_ADMIN_SUPPORT) {
        emit = rt_call_emit(call, rt_str("business:"), room->business_id, event, data);
        return emit ? RT_OK : RT_NO_MEMORY;
    }

    for (i = 0; i < sizeof(people) / sizeof(people[0]); i++) {

        if (people[i].len == 0) {
            continue;
        }

        emit = rt_call_emit(call, rt_str("user:"), people[i], event, data);
        if (emit == NULL) {
            return RT_NO_MEMORY;
        }

        emit->business_id = rt_arena_str(call->arena, room->business_id);
        if (emit->business_id.data == NULL) {
            return RT_NO_MEMORY;
        }
    }

    return RT_OK;
}


rt_status_t
rt_emit_room_updated(rt_call_t *call, const rt_room_t *room)
{
    rt_buf_t buf;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_emit_put(&buf, "{\"roomId\":");
    rt_buf_append_json_string(&buf, room->id);
    rt_emit_put(&buf, ",\"lastMessage\":");
    rt_json_put_text(&buf, room->last_message);
    rt_emit_put(&buf, ",\"lastMessageAt\":");
    rt_json_put_time(&buf, room->last_message_at_ms);
    rt_emit_put(&buf, ",\"unreadCount\":");
    rt_buf_append_int(&buf, room->unread_count);
    rt_emit_put(&buf, "}");

    return rt_emit_to_readers(call, room, rt_str("chat:room-updated"), rt_call_text(call, &buf));
}


rt_status_t
rt_emit_new_conversation(rt_call_t *call, const rt_room_t *room, int attention, rt_str_t message)
{
    rt_buf_t buf;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_emit_put(&buf, "{\"_id\":");
    rt_buf_append_json_string(&buf, room->id);
    rt_emit_put(&buf, ",\"roomId\":");
    rt_buf_append_json_string(&buf, room->id);
    rt_emit_put(&buf, ",\"userName\":");
    rt_json_put_text(&buf, room->user_name);
    rt_emit_put(&buf, ",\"userEmail\":");
    rt_json_put_text(&buf, room->user_email);

    if (message.len) {
        rt_emit_put(&buf, ",\"message\":");
        rt_json_put_text(&buf, message);
    }

    if (attention) {
        rt_emit_put(&buf, ",\"requiresAttention\":true,\"isNew\":false,\"timestamp\":");
    } else {
        rt_emit_put(&buf, ",\"requiresAttention\":false,\"isNew\":true,\"timestamp\":");
    }

    rt_json_put_time(&buf, attention ? rt_time_now_ms() : room->created_at_ms);
    rt_emit_put(&buf, "}");

    return rt_emit_to_readers(call, room, rt_str("chat:new-conversation"),
        rt_call_text(call, &buf));
}


rt_status_t
rt_emit_message(rt_call_t *call, rt_str_t room_id, rt_message_kind_t kind, int64_t seq,
    rt_str_t text)
{
    static const rt_str_t events[] = {
        [RT_MESSAGE_PLAIN] = {"chat:new-message", sizeof("chat:new-message") - 1},
        [RT_MESSAGE_AUTOMATED] = {"chat:auto-response", sizeof("chat:auto-response") - 1},
        [RT_MESSAGE_FAQ] = {"chat:faq-response", sizeof("chat:faq-response") - 1},
    };

    rt_emit_t *emit;

    emit = rt_call_emit(call, rt_str("room:"), room_id, events[kind], text);
    if (emit == NULL) {
        return RT_NO_MEMORY;
    }

    emit->seq = seq;

    return RT_OK;
}
