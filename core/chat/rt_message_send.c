/* message.send: what a person says in a room is checked, stored and told, many at a time.
 *
 * Calls that wait together are handled in steps over all of them (check, load the rooms, decide,
 * store, answer), so that a store across a network pays two round trips per group. */

#include <stddef.h>
#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "assistant/rt_assist.h"
#include "chat/rt_chat.h"
#include "chat/rt_schema.h"
#include "webhook/rt_webhook.h"


#define RT_MESSAGE_METADATA_BYTES 16384

#define rt_send_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

static const char *const rt_send_types[] = {"text", "image", "file", "audio", "video", NULL};

typedef struct {
    rt_call_t *call;

    /* the request */
    rt_str_t room_id;
    rt_str_t content;
    rt_str_t reply_to_id;
    rt_str_t client_id;
    rt_str_t sender_name;
    int      message_type;
    int      sender_type;
    json_t  *attachments;
    json_t  *metadata;

    rt_message_t        message;
    rt_assist_welcome_t welcome; /* that goes before it */
} rt_send_t;

static const rt_field_t rt_send_fields[] = {
    {"roomId", RT_FIELD_STRING, RT_FIELD_REQUIRED, offsetof(rt_send_t, room_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"content", RT_FIELD_STRING, RT_FIELD_REQUIRED | RT_FIELD_CONTENT, offsetof(rt_send_t, content),
        1, 10000, 0, NULL},
    {"messageType", RT_FIELD_NAME, 0, offsetof(rt_send_t, message_type), 0, 0, 0, rt_send_types},
    {"attachments", RT_FIELD_STRINGS, 0, offsetof(rt_send_t, attachments), 0, 10, 2048, NULL},
    {"replyToMessageId", RT_FIELD_STRING, 0, offsetof(rt_send_t, reply_to_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"clientMessageId", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_send_t, client_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"senderType", RT_FIELD_NAME, 0, offsetof(rt_send_t, sender_type), 0, 0, 0,
        rt_sender_type_names},
    {"senderName", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_send_t, sender_name), 0,
        RT_NAME_CHARACTERS_MAX, 0, NULL},
    {"metadata", RT_FIELD_OBJECT, 0, offsetof(rt_send_t, metadata), 0, RT_MESSAGE_METADATA_BYTES, 0,
        NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


/* The request, as far as it can be judged without the store. */
static rt_status_t
rt_send_read(rt_send_t *send)
{
    rt_call_t       *call = send->call;
    rt_status_t      status;
    rt_sender_type_t own;

    own = rt_role_is_staff(call->identity->role) ? RT_SENDER_STAFF : RT_SENDER_CUSTOMER;
    send->sender_type = (int) own;

    status = rt_schema_read(rt_send_fields, call->request, send, &call->error);
    if (status != RT_OK) {
        return status;
    }

    if (send->sender_type != (int) own) {
        return rt_call_fail(call, RT_FORBIDDEN, "senderType %s is not for your role",
            rt_sender_type_names[send->sender_type]);
    }

    return rt_call_set_room(call, send->room_id);
}


static rt_status_t
rt_send_fill(rt_send_t *send)
{
    int           failed;
    char          id[RT_ID_LEN + 1];
    rt_call_t    *call = send->call;
    rt_message_t *message = &send->message;

    failed = 0;
    rt_id_make(id);

    message->arena = call->arena;
    message->id = rt_arena_str(call->arena, (rt_str_t){id, RT_ID_LEN});
    message->sender_id = call->identity->user_id;
    message->sender_type = (rt_sender_type_t) send->sender_type;
    message->sender_name = send->sender_name.len ? send->sender_name : call->identity->name;
    message->message_type = rt_str_c(rt_send_types[send->message_type]);
    message->content = send->content;
    message->attachments = rt_call_json(call, send->attachments, &failed);
    message->metadata = rt_call_json(call, send->metadata, &failed);
    message->reply_to_id = send->reply_to_id;
    message->client_id = send->client_id;
    message->kind = RT_MESSAGE_PLAIN;
    message->preview = rt_message_preview(send->content);
    message->created_at_ms = rt_time_now_ms();

    if (message->sender_name.len == 0) {
        message->sender_name =
            message->sender_type == RT_SENDER_STAFF ? rt_str("Staff") : message->room->user_name;
    }

    return failed || message->id.data == NULL ? RT_NO_MEMORY : RT_OK;
}


/* A customer's message opens their archived room again, unless they have another one by now; staff
 * do not write into what was put away. */
static rt_status_t
rt_send_reopen(rt_send_t *send)
{
    rt_buf_t              buf;
    rt_call_t            *call = send->call;
    rt_room_t            *room = send->message.room, *other;
    rt_status_t           status;
    const rt_store_ops_t *ops;

    if (send->sender_type != RT_SENDER_CUSTOMER) {
        return rt_call_fail(call, RT_CONFLICT, "The room is archived");
    }

    ops = rt_call_store(call);

    status = ops->room_find_open(call->session, call->arena, room, &other);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    if (other == NULL) {
        room->is_active = 1;
        room->is_archived = 0;
        room->updated_at_ms = rt_time_now_ms();

        return rt_call_store_failed(call, ops->room_change(call->session, room, RT_ROOM_STATE));
    }

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_send_put(&buf, "{\"roomId\":");
    rt_buf_append_json_string(&buf, other->id);
    rt_send_put(&buf, "}");

    if (rt_call_reply(call, &buf) != RT_OK) {
        return RT_NO_MEMORY;
    }

    return rt_call_fail(call, RT_CONFLICT, "The room is archived, another one is open");
}


/* A retry is answered as the first time, also when the room was archived in between. */
static rt_status_t
rt_send_check_archived(rt_send_t *send)
{
    rt_call_t       *call = send->call;
    rt_status_t      status;
    rt_message_row_t row;

    if (send->client_id.len) {
        status = rt_call_store(call)->message_find(call->session, call->arena, send->message.room,
            call->identity->user_id, send->client_id, &row);

        if (status != RT_OK || row.text.len) {
            return rt_call_store_failed(call, status);
        }
    }

    return rt_send_reopen(send);
}


static rt_status_t
rt_send_check_reply(rt_send_t *send)
{
    rt_call_t       *call = send->call;
    rt_status_t      status;
    rt_message_row_t row;

    status = rt_call_store(call)->message_get(call->session, call->arena, send->message.room,
        send->reply_to_id, &row);

    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    if (row.text.len == 0) {
        return rt_call_fail(call, RT_INVALID, "replyToMessageId is not a message of this room");
    }

    return RT_OK;
}


/* Whether the assistant has to look at it, and whether it has to welcome who writes before they
 * have joined. */
static rt_status_t
rt_send_assist(rt_send_t *send)
{
    rt_call_t *call = send->call;
    rt_room_t *room = send->message.room;

    if (!call->core->assistant || send->sender_type != RT_SENDER_CUSTOMER
        || room->type != RT_ROOM_CUSTOMER_SUPPORT)
    {
        return RT_OK;
    }

    send->message.asks = !rt_assist_is_idle(&room->assist, send->message.created_at_ms);

    if (room->assist.welcomed) {
        return RT_OK;
    }

    /* no failure of it is the customer's: the next message or join tries again */
    (void) rt_assist_greet(call, room, &send->welcome);

    return RT_OK;
}


/* The request, judged by its room. */
static rt_status_t
rt_send_decide(rt_send_t *send, rt_room_t *room)
{
    rt_status_t status;

    status = rt_call_access(send->call, room);
    if (status != RT_OK) {
        return status;
    }

    send->message.room = room;

    if (send->reply_to_id.len) {
        status = rt_send_check_reply(send);
    }

    if (status == RT_OK && (room->is_archived || !room->is_active)) {
        status = rt_send_check_archived(send);
    }

    if (status == RT_OK) {
        status = rt_send_fill(send);
    }

    return status == RT_OK ? rt_send_assist(send) : status;
}


static rt_status_t
rt_send_reply(rt_send_t *send)
{
    rt_buf_t      buf;
    rt_call_t    *call = send->call;
    rt_message_t *message = &send->message;

    if (call->door == RT_DOOR_REST) {
        call->reply = message->text;
        return RT_OK;
    }

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_buf_reserve(&buf, message->text.len + 160);
    rt_send_put(&buf, "{\"success\":true,\"messageId\":");
    rt_buf_append_json_string(&buf, message->id);
    rt_send_put(&buf, ",\"message\":");
    rt_buf_append_str(&buf, message->text);
    rt_send_put(&buf, ",\"seq\":");
    rt_buf_append_int(&buf, message->seq);
    rt_send_put(&buf, ",\"timestamp\":");
    rt_json_put_time(&buf, message->created_at_ms);
    rt_send_put(&buf, "}");

    return rt_call_reply(call, &buf);
}


/* Not all staff may read the rooms between staff: their messages leave the house for nobody. One
 * that was stored before is queued again where the first call may have died before it was: what is
 * queued already stays as it is. */
static rt_status_t
rt_send_webhook(rt_send_t *send)
{
    rt_call_t    *call = send->call;
    rt_room_t    *room = send->message.room;
    rt_message_t *message = &send->message;

    if (room->type != RT_ROOM_CUSTOMER_SUPPORT
        || (message->status == RT_CONFLICT && rt_call_store(call)->atomic))
    {
        return RT_OK;
    }

    return rt_webhook_enqueue(call, room->business_id, RT_WEBHOOK_MESSAGE_CREATED, message->id,
        message->text);
}


/* Whether a welcome was stored in front of it. */
static int
rt_send_is_greeted(const rt_send_t *send)
{
    return send->welcome.is_said && send->welcome.message.status < RT_UNAVAILABLE;
}


/* A stored message is told once, by the call that stored it; what the list of rooms shows, by the
 * newest of the group. */
static rt_status_t
rt_send_answer(rt_send_t *send)
{
    rt_call_t    *call = send->call;
    rt_room_t    *room = send->message.room;
    rt_status_t   status;
    rt_message_t *message = &send->message;

    status = rt_send_webhook(send);

    if (status == RT_OK) {
        status = rt_send_reply(send);
    }

    if (status != RT_OK || message->status == RT_CONFLICT) {
        return status;
    }

    call->created = 1;

    if (message->asks) {
        call->assist = RT_ASSIST_AFTER_MESSAGE;
        call->business_id = rt_arena_str(call->arena, room->business_id);

        if (call->business_id.data == NULL) {
            return RT_NO_MEMORY;
        }
    }

    if (rt_send_is_greeted(send)) {
        status = rt_assist_tell(call, room, &send->welcome.message);
        if (status != RT_OK) {
            return status;
        }
    }

    status = rt_emit_message(call, room->id, message->kind, message->seq, message->text);

    if (status == RT_OK && message->seq == room->seq) {
        status = rt_emit_room_updated(call, room);
    }

    if (status != RT_OK) {
        return status;
    }

    call->log_line = rt_arena_printf(call->arena, "💬 Message sent in room %.*s by %s",
        RT_STR_ARG(call->room_id), rt_sender_type_names[message->sender_type]);

    if (call->log_line.data == NULL) {
        return RT_NO_MEMORY;
    }

    return rt_send_is_greeted(send) && send->welcome.message.status == RT_OK ? rt_assist_log(call)
                                                                             : RT_OK;
}


/* Drops from the list those whose call has failed; returns how many are left. */
static size_t
rt_send_sift(rt_send_t **sends, size_t count)
{
    size_t i, left;

    left = 0;

    for (i = 0; i < count; i++) {
        if (sends[i]->call->status == RT_OK) {
            sends[left++] = sends[i];
        }
    }

    return left;
}


static size_t
rt_send_read_all(rt_call_t **calls, size_t count, rt_send_t **sends)
{
    size_t i, read;

    read = 0;

    for (i = 0; i < count; i++) {
        sends[read] = rt_arena_calloc(calls[i]->arena, sizeof(rt_send_t));

        if (sends[read] == NULL) {
            calls[i]->status = RT_NO_MEMORY;
            continue;
        }

        sends[read]->call = calls[i];
        calls[i]->status = rt_send_read(sends[read++]);
    }

    return rt_send_sift(sends, read);
}


static size_t
rt_send_decide_all(rt_send_t **sends, size_t count, rt_arena_t *arena)
{
    size_t      i;
    rt_str_t    ids[RT_BATCH_MAX];
    rt_call_t  *first;
    rt_room_t  *rooms[RT_BATCH_MAX];
    rt_status_t status;

    if (count == 0) {
        return 0;
    }

    first = sends[0]->call;

    for (i = 0; i < count; i++) {
        ids[i] = sends[i]->room_id;
    }

    status = rt_call_store(first)->rooms_get(first->session, arena, ids, count, rooms);

    for (i = 0; i < count; i++) {
        sends[i]->call->status = status == RT_OK ? rt_send_decide(sends[i], rooms[i]) : status;
    }

    return rt_send_sift(sends, count);
}


/* Where the store isn't atomic each message has its own fate. */
static rt_status_t
rt_send_stored(rt_send_t *send)
{
    if (send->message.status >= RT_UNAVAILABLE) {
        rt_call_doubt(send->call, &send->message);

        if (rt_send_is_greeted(send)) {
            rt_call_doubt(send->call, &send->welcome.message);
        }

        return send->message.status;
    }

    return rt_send_answer(send);
}


/* The welcomes of the group's new customers, before their messages. */
static rt_status_t
rt_send_greet_all(rt_send_t **sends, size_t count)
{
    size_t                i, welcomes;
    rt_call_t            *first = sends[0]->call;
    rt_status_t           status;
    rt_message_t         *messages[RT_BATCH_MAX];
    const rt_store_ops_t *ops = rt_call_store(first);

    welcomes = 0;

    for (i = 0; i < count; i++) {
        if (sends[i]->welcome.is_said) {
            messages[welcomes++] = &sends[i]->welcome.message;
        }
    }

    status = welcomes ? ops->messages_add(first->session, messages, welcomes) : RT_OK;

    for (i = 0; i < count && status == RT_OK; i++) {
        status = rt_assist_greeted(sends[i]->call, sends[i]->message.room, &sends[i]->welcome);
    }

    /* where each is stored by itself the messages go on without their welcomes */
    return ops->atomic ? status : RT_OK;
}


static void
rt_send_store_all(rt_send_t **sends, size_t count)
{
    size_t        i;
    rt_call_t    *first;
    rt_status_t   status;
    rt_message_t *messages[RT_BATCH_MAX];

    if (count == 0) {
        return;
    }

    first = sends[0]->call;
    status = rt_send_greet_all(sends, count);

    for (i = 0; i < count; i++) {
        messages[i] = &sends[i]->message;
    }

    if (status == RT_OK) {
        status = rt_call_store(first)->messages_add(first->session, messages, count);
    }

    for (i = 0; i < count; i++) {
        sends[i]->call->status = status == RT_OK ? rt_send_stored(sends[i]) : status;
    }
}


/* count is at most RT_BATCH_MAX */
static void
rt_message_send_many(rt_core_t *core, rt_call_t **calls, size_t count)
{
    size_t      i;
    rt_send_t  *sends[RT_BATCH_MAX];
    rt_arena_t *arena;

    (void) core;

    /* rooms are shared by the calls: they live as long as the group is at work */
    arena = rt_arena_create(16384);
    if (arena == NULL) {
        for (i = 0; i < count; i++) {
            calls[i]->status = RT_NO_MEMORY;
        }
        return;
    }

    count = rt_send_read_all(calls, count, sends);
    count = rt_send_decide_all(sends, count, arena);
    rt_send_store_all(sends, count);

    rt_arena_destroy(arena);
}


static rt_status_t
rt_message_send(rt_core_t *core, rt_call_t *call)
{
    rt_message_send_many(core, &call, 1);

    return call->status;
}


const rt_op_entry_t rt_message_send_ops[] = {
    {{"message.send", RT_OP_WRITE, rt_message_send}, RT_ROLES_MEMBERS, rt_message_send_many},
    {{NULL, RT_OP_READ, NULL}, 0, NULL},
};
