/* A call's life, and the helpers by which operations fill in its results. */

#include <stdlib.h>
#include <string.h>

#include <rt/rt_json.h>

#include "chat/rt_access.h"
#include "chat/rt_chat.h"


/* an ordinary message with its answer and emits fits into one block */
#define RT_CALL_ARENA_BYTES 4096


rt_call_t *
rt_call_create(const rt_op_t *op, rt_door_t door, rt_identity_t *identity, json_t *request,
    rt_str_t socket_id)
{
    rt_call_t  *call;
    rt_arena_t *arena;

    arena = rt_arena_create(RT_CALL_ARENA_BYTES);
    if (arena == NULL) {
        json_decref(request);
        return NULL;
    }

    call = rt_arena_calloc(arena, sizeof(rt_call_t));
    if (call == NULL) {
        json_decref(request);
        rt_arena_destroy(arena);
        return NULL;
    }

    call->op = op;
    call->door = door;
    call->request = request;
    call->arena = arena;
    call->emits_last = &call->emits;
    call->total = -1;
    call->doubt_after = -1;

    if (socket_id.len) {
        call->socket_id = rt_arena_str(arena, socket_id);
        if (call->socket_id.data == NULL) {
            json_decref(request);
            rt_arena_destroy(arena);
            return NULL;
        }
    }

    if (identity != NULL) {
        call->identity = rt_identity_get(identity);
    }

    return call;
}


void
rt_call_destroy(rt_call_t *call)
{
    if (call == NULL) {
        return;
    }

    rt_identity_put(call->identity);
    json_decref(call->request);
    rt_arena_destroy(call->arena);
}


rt_status_t
rt_call_store_failed(rt_call_t *call, rt_status_t status)
{
    if (status == RT_OK) {
        return RT_OK;
    }

    return rt_error_set(&call->error, status,
        "The service is busy or its store is away, try again");
}


void
rt_call_doubt(rt_call_t *call, const rt_message_t *message)
{
    int64_t after;

    after = message->status < RT_UNAVAILABLE ? message->seq - 1 : message->doubt_after;

    if (after >= 0 && (call->doubt_after < 0 || after < call->doubt_after)) {
        call->doubt_after = after;
    }
}


const rt_store_ops_t *
rt_call_store(const rt_call_t *call)
{
    return call->session->store->ops;
}


rt_str_t
rt_call_text(rt_call_t *call, rt_buf_t *buf)
{
    rt_str_t text;

    text = rt_str_null;

    if (!buf->failed) {
        text = rt_arena_str(call->arena, (rt_str_t){buf->data, buf->len});
    }

    rt_buf_free(buf);

    return text;
}


rt_status_t
rt_call_reply(rt_call_t *call, rt_buf_t *buf)
{
    call->reply = rt_call_text(call, buf);

    return call->reply.data ? RT_OK : RT_NO_MEMORY;
}


rt_str_t
rt_call_json(rt_call_t *call, const json_t *value, int *failed)
{
    rt_buf_t buf;
    rt_str_t text;

    if (value == NULL) {
        return rt_str_null;
    }

    memset(&buf, 0, sizeof(rt_buf_t));

    if (rt_json_dump(value, &buf) != RT_OK) {
        rt_buf_free(&buf);
        *failed = 1;
        return rt_str_null;
    }

    text = rt_call_text(call, &buf);
    if (text.data == NULL) {
        *failed = 1;
    }

    return text;
}


rt_emit_t *
rt_call_emit(rt_call_t *call, rt_str_t prefix, rt_str_t id, rt_str_t event, rt_str_t data)
{
    char      *channel;
    rt_emit_t *emit;

    if (data.data == NULL) {
        return NULL;
    }

    emit = rt_arena_calloc(call->arena, sizeof(rt_emit_t) + prefix.len + id.len);
    if (emit == NULL) {
        return NULL;
    }

    channel = (char *) (emit + 1);
    memcpy(channel, prefix.data, prefix.len);
    memcpy(channel + prefix.len, id.data, id.len);

    emit->channel = (rt_str_t){channel, prefix.len + id.len};
    emit->event = event;
    emit->data = data;

    *call->emits_last = emit;
    call->emits_last = &emit->next;

    return emit;
}


rt_status_t
rt_call_set_room(rt_call_t *call, rt_str_t room_id)
{
    call->room_id = rt_arena_str(call->arena, room_id);

    return call->room_id.data ? RT_OK : RT_NO_MEMORY;
}


rt_status_t
rt_call_room(rt_call_t *call, rt_str_t room_id, rt_room_t **out)
{
    rt_status_t status;

    status = rt_call_set_room(call, room_id);

    if (status == RT_OK) {
        status = rt_call_store(call)->rooms_get(call->session, call->arena, &room_id, 1, out);
    }

    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    return rt_call_access(call, *out);
}


rt_status_t
rt_call_access(rt_call_t *call, const rt_room_t *room)
{
    rt_status_t status;

    status = room ? rt_access_room(call->identity, room) : RT_NOT_FOUND;

    if (status == RT_NOT_FOUND) {
        return rt_call_fail(call, status, "Room not found");
    }

    if (status == RT_FORBIDDEN) {
        return rt_call_fail(call, status, "You are not a member of this room");
    }

    return status;
}


rt_status_t
rt_call_business(rt_call_t *call, rt_str_t body, rt_str_t *out)
{
    const rt_identity_t *identity = call->identity;

    *out = identity->business_id;

    /* staff are staff of a business: without one they would be staff of all */
    if (identity->business_id.len == 0 && identity->role != RT_ROLE_SUPER_ADMIN
        && identity->role != RT_ROLE_CUSTOMER)
    {
        return rt_call_fail(call, RT_FORBIDDEN, "Your token names no business");
    }

    if (body.len == 0 || rt_str_eq(body, identity->business_id)) {
        return RT_OK;
    }

    if (identity->role == RT_ROLE_SUPER_ADMIN || identity->business_id.len == 0) {
        *out = body;
        return RT_OK;
    }

    return rt_call_fail(call, RT_NOT_FOUND, "Business not found");
}
