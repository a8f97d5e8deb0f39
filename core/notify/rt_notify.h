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


/* The notifications that a call stores; its `state`. */
typedef struct {
    rt_notification_t **items;
    size_t              count; /* of those that are filled in */
} rt_notify_batch_t;

/* An empty one with places for `size`, as the call's state. NULL without memory. */
rt_notify_batch_t *rt_notify_batch(rt_call_t *call, size_t size);

/* Makes a notification of an event, whose members are taken out of it. key: what the event is known
 * by when it names no id itself, or empty. RT_INVALID, RT_NOT_FOUND (of another business than the
 * caller's) with call->error; RT_NO_MEMORY; RT_ERROR. */
rt_status_t rt_notify_read(rt_call_t *call, json_t *event, rt_str_t key, rt_notification_t *item);

/* An event from the fields of a stream's entry, an array of names and texts in turn. Either *whole
 * is set, which lives in fields: text as event.ingest's body; or *event, a new reference.
 * RT_INVALID with call->error; RT_NO_MEMORY. */
rt_status_t rt_notify_entry(rt_call_t *call, const json_t *fields, rt_str_t *whole, json_t **event);

/* The emits and the log's lines of what was stored. */
rt_status_t rt_notify_tell(rt_call_t *call, rt_notification_t *const *items, size_t count);

/* What a call does once its batch is stored. */
typedef rt_status_t (*rt_notify_told_pt)(rt_call_t *call, const rt_notify_batch_t *batch);

/* Stores the batches of several calls together, and sets each call's status. */
void rt_notify_store_many(rt_call_t **calls, size_t count, rt_notify_told_pt told);

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
