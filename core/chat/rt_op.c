/* The operations there are. A new subject adds its table here and nothing else. */

#include <string.h>

#include "chat/rt_chat.h"
#include "webhook/rt_webhook.h"


static const rt_op_entry_t *const rt_op_tables[] = {
    rt_room_make_ops,
    rt_room_join_ops,
    rt_room_list_ops,
    rt_room_change_ops,
    rt_message_send_ops,
    rt_message_list_ops,
    rt_message_heal_ops,
    rt_message_read_ops,
    rt_notify_ingest_ops,
    rt_notify_list_ops,
    rt_notify_read_ops,
    rt_notify_heal_ops,
    rt_notify_sweep_ops,
    rt_notify_audit_ops,
    rt_webhook_ops,
    rt_assist_run_ops,
    rt_assist_welcome_ops,
    rt_assist_due_ops,
    rt_assist_feedback_ops,
    rt_assist_trigger_ops,
    rt_faq_ops,
    rt_faq_match_ops,
    rt_response_ops,
};


const rt_op_t *
rt_op_find(const char *name)
{
    size_t               i;
    const rt_op_entry_t *entry;

    for (i = 0; i < sizeof(rt_op_tables) / sizeof(rt_op_tables[0]); i++) {
        for (entry = rt_op_tables[i]; entry->op.name != NULL; entry++) {
            if (strcmp(entry->op.name, name) == 0) {
                return &entry->op;
            }
        }
    }

    return NULL;
}
