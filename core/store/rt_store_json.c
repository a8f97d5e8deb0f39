/* Rooms and messages as JSON documents, the same whichever store keeps them. */

#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "store/rt_store.h"


#define rt_store_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

const char *const rt_room_type_names[] = {"customer-support", "team-chat", "staff-chat",
    "admin-support", NULL};
const char *const rt_webhook_event_names[] = {"message.created", "conversation.created",
    "notification.created", "ping", NULL};
const char *const rt_delivery_status_names[] = {"pending", "delivered", "failed", NULL};
const char *const rt_sender_type_names[] = {"customer", "staff", "bot", "system", NULL};


int
rt_name_find(const char *const *names, rt_str_t name)
{
    int i;

    for (i = 0; names[i] != NULL; i++) {
        if (rt_str_eq(rt_str_c(names[i]), name)) {
            return i;
        }
    }

    return -1;
}


/* Ids of ours need no escaping. */
static void
rt_store_put_id(rt_buf_t *buf, rt_str_t id)
{
    if (id.len == 0) {
        rt_store_put(buf, "null");
        return;
    }

    if (!rt_id_valid(id)) {
        rt_buf_append_json_string(buf, id);
        return;
    }

    rt_store_put(buf, "\"");
    rt_buf_append_str(buf, id);
    rt_store_put(buf, "\"");
}


static void
rt_store_put_bool(rt_buf_t *buf, int value)
{
    if (value) {
        rt_store_put(buf, "true");
    } else {
        rt_store_put(buf, "false");
    }
}


static void
rt_store_put_json(rt_buf_t *buf, rt_str_t json, rt_str_t otherwise)
{
    rt_buf_append_str(buf, json.len ? json : otherwise);
}


void
rt_room_write_json(rt_buf_t *buf, const rt_room_t *room)
{
    rt_store_put(buf, "{\"_id\":");
    rt_store_put_id(buf, room->id);
    rt_store_put(buf, ",\"id\":");
    rt_store_put_id(buf, room->id);
    rt_store_put(buf, ",\"businessId\":");
    rt_json_put_text(buf, room->business_id);
    rt_store_put(buf, ",\"roomType\":");
    rt_json_put_text(buf, rt_str_c(rt_room_type_names[room->type]));
    rt_store_put(buf, ",\"roomName\":");
    rt_json_put_text(buf, room->name);
    rt_store_put(buf, ",\"isActive\":");
    rt_store_put_bool(buf, room->is_active);
    rt_store_put(buf, ",\"isArchived\":");
    rt_store_put_bool(buf, room->is_archived);
    rt_store_put(buf, ",\"lastMessageId\":");
    rt_store_put_id(buf, room->last_message_id);
    rt_store_put(buf, ",\"lastMessageAt\":");
    rt_json_put_time_or_null(buf, room->last_message_at_ms);
    rt_store_put(buf, ",\"lastMessage\":");
    rt_json_put_text(buf, room->last_message);
    rt_store_put(buf, ",\"unreadCount\":");
    rt_buf_append_int(buf, room->unread_count);
    rt_store_put(buf, ",\"seq\":");
    rt_buf_append_int(buf, room->seq);
    rt_store_put(buf, ",\"metadata\":");
    rt_store_put_json(buf, room->metadata, rt_str("{}"));
    rt_store_put(buf, ",\"createdAt\":");
    rt_json_put_time_or_null(buf, room->created_at_ms);
    rt_store_put(buf, ",\"updatedAt\":");
    rt_json_put_time_or_null(buf, room->updated_at_ms);
    rt_store_put(buf, "}");
}


void
rt_message_write_head(rt_buf_t *buf, const rt_message_t *message)
{
    rt_store_put(buf, "{\"_id\":");
    rt_store_put_id(buf, message->id);
    rt_store_put(buf, ",\"id\":");
    rt_store_put_id(buf, message->id);
    rt_store_put(buf, ",\"roomId\":");
    rt_store_put_id(buf, message->room->id);
    rt_store_put(buf, ",\"businessId\":");
    rt_json_put_text(buf, message->room->business_id);
    rt_store_put(buf, ",\"senderId\":");
    rt_json_put_text(buf, message->sender_id);
    rt_store_put(buf, ",\"senderType\":");
    rt_json_put_text(buf, rt_str_c(rt_sender_type_names[message->sender_type]));
    rt_store_put(buf, ",\"senderName\":");
    rt_json_put_text(buf, message->sender_name);
    rt_store_put(buf, ",\"messageType\":");
    rt_json_put_text(buf, message->message_type);
    rt_store_put(buf, ",\"content\":");
    rt_buf_append_json_string(buf, message->content);
    rt_store_put(buf, ",\"attachments\":");
    rt_store_put_json(buf, message->attachments, rt_str("[]"));
    rt_store_put(buf, ",\"replyToMessageId\":");
    rt_store_put_id(buf, message->reply_to_id);
    rt_store_put(buf, ",\"clientMessageId\":");
    rt_json_put_text(buf, message->client_id);
    rt_store_put(buf, ",\"isAutomated\":");
    rt_store_put_bool(buf, message->kind == RT_MESSAGE_AUTOMATED);
    rt_store_put(buf, ",\"isFAQ\":");
    rt_store_put_bool(buf, message->kind == RT_MESSAGE_FAQ);
    rt_store_put(buf, ",\"faqId\":");
    rt_store_put_id(buf, message->faq_id);
    rt_store_put(buf, ",\"quickReplies\":");
    rt_store_put_json(buf, message->quick_replies, rt_str("[]"));

    if (message->response_type.len) {
        rt_store_put(buf, ",\"responseType\":");
        rt_json_put_text(buf, message->response_type);
    }

    if (message->confidence.len) {
        rt_store_put(buf, ",\"confidence\":");
        rt_buf_append_str(buf, message->confidence);
    }

    rt_store_put(buf, ",\"isEdited\":");
    rt_store_put_bool(buf, message->is_edited);
    rt_store_put(buf, ",\"isDeleted\":");
    rt_store_put_bool(buf, message->is_deleted);
    rt_store_put(buf, ",\"metadata\":");
    rt_store_put_json(buf, message->metadata, rt_str("{}"));
    rt_store_put(buf, ",\"createdAt\":");
    rt_json_put_time_or_null(buf, message->created_at_ms);
}


void
rt_message_write_tail(rt_buf_t *buf, int64_t seq, int is_read, int64_t read_at_ms,
    int64_t updated_at_ms)
{
    rt_store_put(buf, ",\"seq\":");
    rt_buf_append_int(buf, seq);
    rt_store_put(buf, ",\"isRead\":");
    rt_store_put_bool(buf, is_read);
    rt_store_put(buf, ",\"readAt\":");
    rt_json_put_time_or_null(buf, read_at_ms);
    rt_store_put(buf, ",\"updatedAt\":");
    rt_json_put_time_or_null(buf, updated_at_ms);
    rt_store_put(buf, "}");
}
