/* What the files of core/notify share: the kinds of events, their texts, and how a notification is
 * told. Nothing outside core/ includes this. */

#ifndef RT_NOTIFY_H
#define RT_NOTIFY_H

#include "chat/rt_chat.h"


#define RT_NOTIFY_EVENTS_MAX 1000 /* in one array */
#define RT_NOTIFY_TELL_MAX   500  /* that are told again at once */

/* An event that services raise: one line of docs/events.md. */
typedef struct {
    const char      *event; /* NULL ends the table */
    rt_notify_type_t type;
    const char      *title;    /* templates: see rt_notify_text.c */
    const char      *message;  /* the same */
    const char      *nobody;   /* who it is when the payload names nobody */
    const char      *priority; /* one of rt_priority_names */
} rt_notify_kind_t;

/* NULL: no event of ours. */
const rt_notify_kind_t *rt_notify_kind_find(rt_str_t event);

/* What of the event's name follows its type and a dot; both together are the name. */
rt_str_t rt_notify_sub_type(const rt_notify_kind_t *kind);

/* Title, message and priority out of the payload, whatever it holds or lacks. Texts live in the
 * arena and are valid UTF-8 without control characters. RT_NO_MEMORY. */
rt_status_t rt_notify_write(rt_arena_t *arena, const rt_notify_kind_t *kind, const json_t *payload,
    rt_notification_t *item);

/* A person's name: clientName, name, firstName and lastName, or the same of the objects in which
 * payloads keep them. 0: there is none; else it was appended. */
int rt_notify_put_person(rt_buf_t *buf, const json_t *payload);

/* A member's text or number as text, cut to what fits into a line. 0: there is none. */
int rt_notify_put_value(rt_buf_t *buf, const json_t *value);


/* audit:log's argument out of an audit event's payload, appended. */
void rt_notify_put_audit(rt_buf_t *buf, const json_t *payload, int64_t time_ms);

/* The document for auditlogs, as JSON text in the arena: what the service gave, with our names
 * beside it. {NULL, 0} without memory. */
rt_str_t rt_notify_audit_log(rt_call_t *call, const json_t *payload, const rt_notification_t *item);


/* notification:new and the event of its own, in one place of the stream's order. text is in the
 * call's arena. */
rt_status_t rt_notify_emit(rt_call_t *call, rt_str_t stream, const rt_notify_row_t *row);

/* Whose notifications the caller has; business: what the request names, or empty. */
rt_status_t rt_notify_view(rt_call_t *call, rt_str_t business, rt_notify_view_t *view);

/* "business:" or "user:" and the id, in the arena. {NULL, 0} without memory. */
rt_str_t rt_notify_stream(rt_arena_t *arena, const char *kind, rt_str_t id);

/* The store's operations for the call's session. */
const rt_store_notify_ops_t *rt_notify_store(const rt_call_t *call);

#endif
