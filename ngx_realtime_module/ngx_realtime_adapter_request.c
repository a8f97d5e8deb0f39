/* The cluster shared with Node servers: what these ask of all servers. Who asks waits for as many
 * answers as there are workers and servers that listen; so each worker answers each request that
 * wants one, whatever it has to say. */

#include "ngx_realtime_adapter_private.h"
#include "ngx_realtime_asks.h"
#include "ngx_realtime_metrics.h"
#include "ngx_realtime_people.h"

#include <rt/rt_text.h>


static void ngx_realtime_adapter_begin(rt_buf_t *out, const rt_adapter_message_t *message);
static void ngx_realtime_adapter_finish(ngx_realtime_space_t *space,
    const rt_adapter_message_t *message, rt_buf_t *out);
static void ngx_realtime_adapter_sockets(ngx_realtime_space_t *space,
    const rt_adapter_message_t                                *message);
static void ngx_realtime_adapter_all_rooms(ngx_realtime_space_t *space,
    const rt_adapter_message_t                                  *message);
static void ngx_realtime_adapter_put_socket(rt_buf_t *out, ngx_realtime_session_t *s);
static void ngx_realtime_adapter_change(ngx_realtime_space_t *space,
    const rt_adapter_message_t                               *message);
static void ngx_realtime_adapter_change_one(ngx_realtime_session_t *s,
    const rt_adapter_message_t                                     *message);
static void ngx_realtime_adapter_join(ngx_realtime_session_t *s, ngx_str_t *name);
static void ngx_realtime_adapter_leave(ngx_realtime_session_t *s, ngx_str_t *name);
static void ngx_realtime_adapter_server_side(ngx_realtime_space_t *space,
    const rt_adapter_message_t                                    *message);


void
ngx_realtime_adapter_on_request(ngx_realtime_space_t *space, ngx_str_t *payload)
{
    rt_error_t           error;
    rt_status_t          status;
    rt_adapter_message_t message;

    status = rt_adapter_decode_request(ngx_realtime_str(*payload), &message, &error);

    if (status != RT_OK) {
        ngx_realtime_metrics->counts.adapter_refused++;
        ngx_realtime_adapter_warn("a request of the Node cluster is left out", error.text);
        return;
    }

    ngx_realtime_metrics->counts.adapter_requests++;
    ngx_realtime_adapter->digest = 0;

    switch (message.type) {
    case RT_ADAPTER_SOCKETS:
    case RT_ADAPTER_FETCH:
        ngx_realtime_adapter_sockets(space, &message);
        break;

    case RT_ADAPTER_ALL_ROOMS:
        ngx_realtime_adapter_all_rooms(space, &message);
        break;

    case RT_ADAPTER_JOIN:
    case RT_ADAPTER_LEAVE:
    case RT_ADAPTER_DISCONNECT:
        ngx_realtime_adapter_change(space, &message);
        break;

    case RT_ADAPTER_SERVER_SIDE_EMIT:
        ngx_realtime_adapter_server_side(space, &message);
        break;

    case RT_ADAPTER_BROADCAST:
        ngx_realtime_adapter_ask(space, &message);
        break;

    default:
        break;
    }

    rt_adapter_message_clear(&message);
}


/* Servers listen to a channel of their own, too, where nobody else has to look at it. */
void
ngx_realtime_adapter_response_channel(ngx_realtime_space_t *space,
    const rt_adapter_message_t *message, u_char *buffer, ngx_str_t *channel)
{
    u_char *p;

    *channel = space->response;

    if (message->uid.len == 0
        || space->response.len + message->uid.len >= NGX_REALTIME_ADAPTER_NAME_MAX)
    {
        return;
    }

    channel->data = buffer;
    p = ngx_cpymem(buffer, space->response.data, space->response.len);
    p = ngx_cpymem(p, message->uid.data, message->uid.len);
    *p++ = '#';
    channel->len = p - buffer;
}


static void
ngx_realtime_adapter_begin(rt_buf_t *out, const rt_adapter_message_t *message)
{
    ngx_memzero(out, sizeof(rt_buf_t));
    rt_buf_append_str(out, rt_str("{\"requestId\":"));
    rt_buf_append_json_string(out, message->request_id);
}


/* Closes the answer's text, sends and frees it. */
static void
ngx_realtime_adapter_finish(ngx_realtime_space_t *space, const rt_adapter_message_t *message,
    rt_buf_t *out)
{
    u_char    buffer[NGX_REALTIME_ADAPTER_NAME_MAX];
    ngx_str_t channel;

    rt_buf_append_str(out, rt_str("}"));

    if (!out->failed && message->request_id.len) {
        ngx_realtime_adapter_response_channel(space, message, buffer, &channel);
        ngx_realtime_adapter_publish(&channel, out);
    }

    rt_buf_free(out);
}


/* SOCKETS: ids alone; FETCH: what is known of them. */
static void
ngx_realtime_adapter_sockets(ngx_realtime_space_t *space, const rt_adapter_message_t *message)
{
    rt_buf_t                out;
    ngx_uint_t              i;
    ngx_realtime_session_t *s;
    ngx_realtime_adapter_t *adapter = ngx_realtime_adapter;

    if (ngx_realtime_adapter_find(space, &message->rooms, &message->except, 0) != NGX_OK) {
        ngx_realtime_adapter_warn("an answer to the Node cluster is cut", "no memory");
    }

    ngx_realtime_adapter_begin(&out, message);
    rt_buf_append_str(&out, rt_str(",\"sockets\":["));

    for (i = 0; i < adapter->found_count; i++) {

        if (out.len > NGX_REALTIME_ADAPTER_ANSWER_MAX) {
            ngx_realtime_adapter_warn("an answer to the Node cluster is cut", "too many sockets");
            break;
        }

        s = adapter->found[i].session;
        rt_buf_append(&out, ",", i != 0);

        if (message->type == RT_ADAPTER_FETCH) {
            ngx_realtime_adapter_put_socket(&out, s);
        } else {
            rt_buf_append_json_string(&out,
                (rt_str_t){(char *) s->socket_id, sizeof(s->socket_id)});
        }
    }

    rt_buf_append_str(&out, rt_str("]"));
    ngx_realtime_adapter_finish(space, message, &out);
}


static void
ngx_realtime_adapter_put_member(rt_buf_t *out, const char *name, rt_str_t value)
{
    rt_buf_append_str(out, rt_str(",\""));
    rt_buf_append_str(out, rt_str_c(name));
    rt_buf_append_str(out, rt_str("\":"));
    rt_json_put_text(out, value);
}


/* The handshake's own headers are gone; what is known of the person stands in data. */
static void
ngx_realtime_adapter_put_socket(rt_buf_t *out, ngx_realtime_session_t *s)
{
    int64_t                since;
    ngx_realtime_member_t *m;

    for (since = 0, m = s->members; m != NULL; m = m->next) {
        since = since == 0 ? m->since / 1000 : ngx_min(since, m->since / 1000);
    }

    rt_buf_append_str(out, rt_str("{\"id\":"));
    rt_buf_append_json_string(out, (rt_str_t){(char *) s->socket_id, sizeof(s->socket_id)});
    rt_buf_append_str(out, rt_str(",\"handshake\":{\"headers\":{},\"time\":"));
    rt_json_put_time(out, since);
    rt_buf_append_str(out,
        rt_str(",\"address\":\"\",\"xdomain\":false,\"secure\":false,\"issued\":"));
    rt_buf_append_int(out, since);
    rt_buf_append_str(out, rt_str(",\"url\":\"\",\"query\":{},\"auth\":{}},\"rooms\":["));
    ngx_realtime_adapter_put_rooms(out, s);
    rt_buf_append_str(out, rt_str("],\"data\":{\"server\":\"nginx\""));
    ngx_realtime_adapter_put_member(out, "userId", s->identity->user_id);
    ngx_realtime_adapter_put_member(out, "businessId", s->identity->business_id);
    ngx_realtime_adapter_put_member(out, "role", s->identity->role_name);
    ngx_realtime_adapter_put_member(out, "userName", s->identity->name);
    rt_buf_append_str(out, rt_str("}}"));
}


static void
ngx_realtime_adapter_all_rooms(ngx_realtime_space_t *space, const rt_adapter_message_t *message)
{
    rt_buf_t out;

    ngx_realtime_adapter_begin(&out, message);
    rt_buf_append_str(&out, rt_str(",\"rooms\":["));
    ngx_realtime_adapter_put_all_rooms(&out, space);
    rt_buf_append_str(&out, rt_str("]"));
    ngx_realtime_adapter_finish(space, message, &out);
}


/* JOIN, LEAVE, DISCONNECT. For one socket by its id whoever has it answers, and nobody else. What
 * is done to one client may end others of those that were found. */
static void
ngx_realtime_adapter_change(ngx_realtime_space_t *space, const rt_adapter_message_t *message)
{
    rt_buf_t                out;
    ngx_uint_t              i, count;
    ngx_realtime_found_t   *found;
    ngx_realtime_session_t *s;
    ngx_realtime_adapter_t *adapter = ngx_realtime_adapter;

    if (message->sid.len) {
        s = ngx_realtime_adapter_socket(space, message->sid);

        if (s != NULL) {
            ngx_realtime_session_hold(s);
            ngx_realtime_adapter_change_one(s, message);
            ngx_realtime_session_let(s);

            ngx_realtime_adapter_begin(&out, message);
            ngx_realtime_adapter_finish(space, message, &out);
        }

        return;
    }

    if (ngx_realtime_adapter_find(space, &message->rooms, &message->except,
            NGX_REALTIME_FIND_ARRIVING)
        != NGX_OK)
    {
        ngx_realtime_adapter_warn("a request of the Node cluster is done in part", "no memory");
    }

    /* what follows may look for others */
    found = adapter->found;
    count = adapter->found_count;
    adapter->found = NULL;
    adapter->found_count = 0;
    adapter->found_size = 0;

    for (i = 0; i < count; i++) {
        ngx_realtime_session_hold(found[i].session);
    }

    for (i = 0; i < count; i++) {
        if (!found[i].session->closed) {
            ngx_realtime_adapter_change_one(found[i].session, message);
        }

        ngx_realtime_session_let(found[i].session);
    }

    ngx_free(found);
}


static void
ngx_realtime_adapter_change_one(ngx_realtime_session_t *s, const rt_adapter_message_t *message)
{
    size_t    i;
    ngx_str_t name;

    if (message->type == RT_ADAPTER_DISCONNECT) {
        ngx_realtime_adapter_disconnect(s, message->close);
        return;
    }

    for (i = 0; i < message->targets.count; i++) {
        name = ngx_realtime_ngx_str(message->targets.names[i]);

        if (message->type == RT_ADAPTER_JOIN) {
            ngx_realtime_adapter_join(s, &name);
        } else {
            ngx_realtime_adapter_leave(s, &name);
        }
    }
}


/* Customers are never in a business's room, whoever says so. */
static void
ngx_realtime_adapter_join(ngx_realtime_session_t *s, ngx_str_t *name)
{
    if (s->standing != NGX_REALTIME_CONNECTED) {
        return;
    }

    if (name->len > 9 && ngx_strncmp(name->data, "business:", 9) == 0
        && !rt_role_is_staff(s->identity->role))
    {
        ngx_realtime_adapter_warn("Node puts a customer into the room of a business",
            "it is left out");
        return;
    }

    ngx_realtime_adapter_label(s, name, 0);
}


/* Out of a room that it joined by chat:join-room, too. What it is in by its token stays. */
static void
ngx_realtime_adapter_leave(ngx_realtime_session_t *s, ngx_str_t *name)
{
    u_char                 buffer[NGX_REALTIME_ADAPTER_NAME_MAX + 5];
    ngx_str_t              channel;
    ngx_queue_t           *q;
    ngx_realtime_ask_t    *ask;
    ngx_realtime_member_t *m;

    if (name->len > NGX_REALTIME_ADAPTER_NAME_MAX) {
        return;
    }

    ngx_realtime_adapter_unlabel(s, name);

    channel = *name;

    if (name->len <= 5 || ngx_strncmp(name->data, "room:", 5) != 0) {
        channel.data = buffer;
        channel.len = ngx_cpymem(ngx_cpymem(buffer, "room:", 5), name->data, name->len) - buffer;
    }

    m = ngx_realtime_hub_find(s, &channel);

    if (m == NULL || !m->entered || s->frozen) {
        return;
    }

    /* it joins again just now: that comes after */
    for (q = ngx_queue_head(&s->doing); q != ngx_queue_sentinel(&s->doing); q = ngx_queue_next(q)) {
        ask = ngx_queue_data(q, ngx_realtime_ask_t, link);

        if (ask->joining == m) {
            return;
        }
    }

    ngx_realtime_people_leave(m);
}


/* Out of the namespace, and with close the connection ends, too. */
void
ngx_realtime_adapter_disconnect(ngx_realtime_session_t *s, ngx_uint_t close)
{
    if (ngx_realtime_adapter_arrives(s)) {
        s->expelled = close ? NGX_REALTIME_EXPELLED_CLOSE : NGX_REALTIME_EXPELLED;
        return;
    }

    if (!s->engine || s->frozen) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_NORMAL, "disconnected by the Node cluster");
        return;
    }

    ngx_realtime_asks_leave(s);
    s->protocol->refuse(s);

    if (close) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_NORMAL, "disconnected by the Node cluster");
    }
}


/* We have no handlers for what servers tell each other; one that waits for all of them goes on. */
static void
ngx_realtime_adapter_server_side(ngx_realtime_space_t *space, const rt_adapter_message_t *message)
{
    rt_buf_t out;

    ngx_realtime_adapter_begin(&out, message);
    rt_buf_append_str(&out, rt_str(",\"type\":6,\"data\":null"));
    ngx_realtime_adapter_finish(space, message, &out);
}
