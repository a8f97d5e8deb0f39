/* What the files of core/chat share: operations with who may call them, the core they run in, and
 * small helpers for answers and emits. Nothing outside core/ includes this. */

#ifndef RT_CHAT_H
#define RT_CHAT_H

#include <rt/rt_call.h>

#include "store/rt_store.h"


/* of lists: page is at least 1, so that offsets fit */
#define RT_PAGE_MAX  1000000
#define RT_LIMIT_MAX 100

extern const char *const rt_priority_names[];

struct rt_core_s {
    rt_store_t            *store;
    struct rt_webhooks_s  *webhooks; /* NULL: they are off */
    struct rt_playbooks_s *playbooks;
    int                    assistant; /* 1: it answers by itself */
    rt_log_t               log;
};


#define RT_ROLES_CUSTOMER (1u << RT_ROLE_CUSTOMER)
#define RT_ROLES_OWNERS   (1u << RT_ROLE_BUSINESS_OWNER | 1u << RT_ROLE_BUSINESS_ADMIN)
#define RT_ROLES_STAFF    (RT_ROLES_OWNERS | 1u << RT_ROLE_STAFF | 1u << RT_ROLE_SUPER_ADMIN)
#define RT_ROLES_MEMBERS  (RT_ROLES_CUSTOMER | RT_ROLES_STAFF)
#define RT_ROLES_SERVICE  (1u << RT_ROLE_SERVICE)
#define RT_ROLES_HOST     0u /* not for people: the host calls it, without an identity */

/* An operation as its own file tells it. */
typedef struct {
    rt_op_t  op;    /* first: what rt_op_find gives out */
    uint32_t roles; /* RT_ROLES_*: all others are RT_FORBIDDEN before anything is looked at */

    /* Runs calls that stand one behind the other in a batch together, each getting its own status;
     * NULL: op.run is called for each. */
    void (*run_many)(rt_core_t *core, rt_call_t **calls, size_t count);

    /* What of a write can be done without the store, before its session begins, so that others do
     * not wait for it; a failure is the call's. Or NULL. */
    rt_status_t (*prepare)(rt_core_t *core, rt_call_t *call);
} rt_op_entry_t;

/* One table per subject, ended by an entry without a name; rt_op.c lists them. */
extern const rt_op_entry_t rt_room_make_ops[];
extern const rt_op_entry_t rt_room_join_ops[];
extern const rt_op_entry_t rt_room_list_ops[];
extern const rt_op_entry_t rt_room_change_ops[];
extern const rt_op_entry_t rt_message_send_ops[];
extern const rt_op_entry_t rt_message_list_ops[];
extern const rt_op_entry_t rt_message_heal_ops[];
extern const rt_op_entry_t rt_message_read_ops[];
extern const rt_op_entry_t rt_notify_ingest_ops[];
extern const rt_op_entry_t rt_notify_list_ops[];
extern const rt_op_entry_t rt_notify_read_ops[];
extern const rt_op_entry_t rt_notify_heal_ops[];
extern const rt_op_entry_t rt_notify_sweep_ops[];
extern const rt_op_entry_t rt_notify_audit_ops[];
extern const rt_op_entry_t rt_assist_run_ops[];
extern const rt_op_entry_t rt_assist_welcome_ops[];
extern const rt_op_entry_t rt_assist_due_ops[];
extern const rt_op_entry_t rt_assist_feedback_ops[];
extern const rt_op_entry_t rt_assist_trigger_ops[];
extern const rt_op_entry_t rt_faq_ops[];
extern const rt_op_entry_t rt_faq_match_ops[];
extern const rt_op_entry_t rt_response_ops[];


/* Sets the text that the caller reads; gives the status, to be returned. */
#define rt_call_fail(call, status, ...) rt_error_set(&(call)->error, (status), __VA_ARGS__)

/* What a store's failure is to the caller: status, with a text where it has none yet. */
rt_status_t rt_call_store_failed(rt_call_t *call, rt_status_t status);

/* Notes, for the room's healing, that the message may be stored though it is not told. Also of one
 * that was stored, when what came behind it failed. */
void rt_call_doubt(rt_call_t *call, const rt_message_t *message);

/* The store's operations for the call's session. */
const rt_store_ops_t *rt_call_store(const rt_call_t *call);

/* Moves the buffer's text into the call's arena and frees the buffer. {NULL, 0} without memory,
 * also when an append had failed. */
rt_str_t rt_call_text(rt_call_t *call, rt_buf_t *buf);

/* Takes the buffer's text as the answer. RT_OK or RT_NO_MEMORY. */
rt_status_t rt_call_reply(rt_call_t *call, rt_buf_t *buf);

/* Adds an emit to "<prefix><id>", for instance "room:" and a room's id. data must be in the call's
 * arena; a NULL data (see rt_call_text) gives NULL, as no memory does. The caller may set the
 * other members. */
rt_emit_t *rt_call_emit(rt_call_t *call, rt_str_t prefix, rt_str_t id, rt_str_t event,
    rt_str_t data);

/* The room of that id, when the caller may use it; otherwise the status, with call->error set. */
rt_status_t rt_call_room(rt_call_t *call, rt_str_t room_id, rt_room_t **out);

/* The same for the request's roomId. */
rt_status_t rt_call_read_room(rt_call_t *call, rt_room_t **out);

/* The room's document as the answer. RT_OK or RT_NO_MEMORY. */
rt_status_t rt_call_reply_room(rt_call_t *call, const rt_room_t *room);

/* rt_access_room with its texts; room NULL is RT_NOT_FOUND. */
rt_status_t rt_call_access(rt_call_t *call, const rt_room_t *room);

/* Sets call->room_id to a copy. */
rt_status_t rt_call_set_room(rt_call_t *call, rt_str_t room_id);


/* chat:room-updated: to the business, or, of rooms that not all its staff may read, to the people
 * in it. */
rt_status_t rt_emit_room_updated(rt_call_t *call, const rt_room_t *room);

/* chat:new-conversation of a room that was just made, or, with attention, of one in which a person
 * is needed; message: what the customer wrote, or empty. */
rt_status_t rt_emit_new_conversation(rt_call_t *call, const rt_room_t *room, int attention,
    rt_str_t message);

/* The one event that tells of a stored message, in its place in the room's order. text is in the
 * call's arena. */
rt_status_t rt_emit_message(rt_call_t *call, rt_str_t room_id, rt_message_kind_t kind, int64_t seq,
    rt_str_t text);


/* Which business a request is about. body: what it names, or empty. Staff and customers whose
 * token names one are bound to it (another one: RT_NOT_FOUND); SUPER_ADMIN and customers without
 * one say it. *out is empty when nobody says it. */
rt_status_t rt_call_business(rt_call_t *call, rt_str_t body, rt_str_t *out);

/* What a customer-support room is made from; empty texts become null. */
typedef struct {
    rt_str_t business_id;
    rt_str_t user_id;
    rt_str_t user_name; /* empty: the caller's own name where it is the customer, else "Customer" */
    rt_str_t user_email;
    rt_str_t user_phone;
} rt_room_customer_t;

/* Fills *draft, a room that is not stored, in the call's arena. RT_NO_MEMORY. */
rt_status_t rt_room_draft_customer(rt_call_t *call, const rt_room_customer_t *customer,
    rt_room_t *draft);

/* The open room that stands where the draft would, or the draft itself, stored, with the events
 * that tell of it; call->created says which. In a write session. */
rt_status_t rt_room_find_or_make(rt_call_t *call, rt_room_t *draft, rt_room_t **out);


/* An object or array of the request as JSON text in the call's arena; {NULL, 0} for NULL and
 * without memory (*failed is then set). */
rt_str_t rt_call_json(rt_call_t *call, const json_t *value, int *failed);

#endif
