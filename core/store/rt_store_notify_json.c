/* Notifications as JSON documents, the same whichever store keeps them. */

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "store/rt_store_notify.h"


#define rt_notify_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

const char *const rt_notify_type_names[] = {"booking", "payment", "client", "appointment", "staff",
    "inventory", "system", "audit", NULL};


void
rt_notification_write_head(rt_buf_t *buf, const rt_notification_t *item)
{
    char time[RT_TIME_LEN + 1];

    rt_time_format(time, item->created_at_ms);

    rt_notify_put(buf, "{\"_id\":");
    rt_json_put_text(buf, item->id);
    rt_notify_put(buf, ",\"businessId\":");
    rt_json_put_text(buf, item->business_id);
    rt_notify_put(buf, ",\"userId\":");
    rt_json_put_text(buf, item->user_id);
    rt_notify_put(buf, ",\"type\":");
    rt_json_put_text(buf, rt_str_c(rt_notify_type_names[item->type]));
    rt_notify_put(buf, ",\"subType\":");
    rt_json_put_text(buf, item->sub_type);
    rt_notify_put(buf, ",\"title\":");
    rt_json_put_text(buf, item->title);
    rt_notify_put(buf, ",\"message\":");
    rt_json_put_text(buf, item->message);
    rt_notify_put(buf, ",\"data\":");
    rt_buf_append_str(buf, item->data.len ? item->data : rt_str("{}"));
    rt_notify_put(buf, ",\"priority\":");
    rt_json_put_text(buf, item->priority);
    rt_notify_put(buf, ",\"createdAt\":\"");
    rt_buf_append(buf, time, RT_TIME_LEN);
    rt_notify_put(buf, "\",\"timestamp\":\"");
    rt_buf_append(buf, time, RT_TIME_LEN);
    rt_notify_put(buf, "\"");
}


void
rt_notification_write_tail(rt_buf_t *buf, int64_t seq, int is_read, int64_t read_at_ms)
{
    char time[RT_TIME_LEN + 1];

    rt_notify_put(buf, ",\"seq\":");
    rt_buf_append_int(buf, seq);

    if (!is_read) {
        rt_notify_put(buf, ",\"isRead\":false,\"readAt\":null}");
        return;
    }

    rt_notify_put(buf, ",\"isRead\":true,\"readAt\":\"");
    rt_time_format(time, read_at_ms);
    rt_buf_append(buf, time, RT_TIME_LEN);
    rt_notify_put(buf, "\"}");
}
