/* Texts that stores derive from rooms and messages, the same whichever store keeps them. */

#include <string.h>

#include "store/rt_store.h"


#define RT_PREVIEW_CHARACTERS 200


rt_str_t
rt_message_preview(rt_str_t content)
{
    size_t i, characters;

    if (content.len <= RT_PREVIEW_CHARACTERS) {
        return content;
    }

    characters = 0;

    for (i = 0; i < content.len; i++) {
        if (((unsigned char) content.data[i] & 0xc0) != 0x80
            && characters++ == RT_PREVIEW_CHARACTERS) {
            break;
        }
    }

    return (rt_str_t){content.data, i};
}


/* What can be open only once, as one text: the ids are printable, so a line feed parts them. The
 * two people of a team-chat stand in their order, whoever asked. len 0: no such rule. */
rt_status_t
rt_room_open_key(const rt_room_t *room, rt_buf_t *key)
{
    int      order;
    size_t   shorter;
    rt_str_t first, second;

    first = room->user_id;
    second = rt_str_null;

    if (room->type == RT_ROOM_TEAM_CHAT) {
        first = room->owner_id;
        second = room->member_id;
        shorter = first.len < second.len ? first.len : second.len;
        order = memcmp(first.data, second.data, shorter);

        if (order > 0 || (order == 0 && first.len > second.len)) {
            first = room->member_id;
            second = room->owner_id;
        }

    } else if (room->type == RT_ROOM_ADMIN_SUPPORT) {
        first = room->owner_id;
    }

    key->len = 0;

    if (room->type == RT_ROOM_STAFF_CHAT || first.len == 0) {
        return RT_OK;
    }

    rt_buf_append_int(key, (int64_t) room->type);
    rt_buf_append(key, "\n", 1);
    rt_buf_append_str(key, room->business_id);
    rt_buf_append(key, "\n", 1);
    rt_buf_append_str(key, first);

    if (second.len) {
        rt_buf_append(key, "\n", 1);
        rt_buf_append_str(key, second);
    }

    return key->failed ? RT_NO_MEMORY : RT_OK;
}


void
rt_room_assist_added(rt_room_t *room, const rt_message_t *message, int64_t seq)
{
    if (message->asks) {
        room->assist.asked_seq = seq;
    }

    if (message->sender_type == RT_SENDER_STAFF && room->type == RT_ROOM_CUSTOMER_SUPPORT) {
        room->assist.staff_seq = seq;
        room->assist.staff_at_ms = message->created_at_ms;
    }
}
