/* Plain WebSocket: JSON frames {"event","data","id"} for Postman and any WebSocket client. */

#include "ngx_realtime_asks.h"
#include "ngx_realtime_missed.h"
#include "ngx_realtime_session.h"


static void ngx_realtime_plain_on_message(ngx_realtime_session_t *s, ngx_uint_t binary,
    u_char *data, size_t len);
static void ngx_realtime_plain_frame(ngx_realtime_session_t *s, json_t *frame, size_t bytes,
    ngx_uint_t refused);
static void ngx_realtime_plain_auth(ngx_realtime_session_t *s, rt_str_t event, json_t *frame);
static void ngx_realtime_plain_complain(ngx_realtime_session_t *s, const char *text);
static void ngx_realtime_plain_encode_event(rt_buf_t *out, rt_str_t nsp, rt_str_t event,
    rt_str_t data);
static void ngx_realtime_plain_answer(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask,
    rt_str_t reply);
static void ngx_realtime_plain_refuse(ngx_realtime_session_t *s);


const ngx_realtime_protocol_t ngx_realtime_plain = {"plain websocket", 1,
    ngx_realtime_plain_on_message, ngx_realtime_plain_encode_event, ngx_realtime_plain_answer,
    ngx_realtime_plain_refuse, NULL, NULL, NULL};


static void
ngx_realtime_plain_on_message(ngx_realtime_session_t *s, ngx_uint_t binary, u_char *data,
    size_t len)
{
    json_t     *frame;
    rt_status_t status;

    if (binary) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_UNSUPPORTED, "binary message");
        return;
    }

    frame = NULL;
    status = rt_json_parse((rt_str_t){(char *) data, len}, &frame, NULL);

    if (status == RT_NO_MEMORY) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_INTERNAL, "no memory");
        return;
    }

    if (json_is_object(frame) && json_is_string(json_object_get(frame, "event"))) {
        ngx_realtime_plain_frame(s, frame, len, status == RT_DECLINED);

    } else if (s->standing == NGX_REALTIME_STRANGER) {
        ngx_realtime_asks_refuse(s, "Authentication required");

    } else {
        ngx_realtime_plain_complain(s, "A frame must be a JSON object with an event name");
    }

    json_decref(frame);
}


static void
ngx_realtime_plain_frame(ngx_realtime_session_t *s, json_t *frame, size_t bytes, ngx_uint_t refused)
{
    json_t             *id, *data;
    rt_str_t            event;
    ngx_realtime_ask_t *ask;

    event = rt_json_get_str(frame, "event");

    if (s->standing == NGX_REALTIME_STRANGER) {

        if (!s->conf->guest || rt_str_eq(event, rt_str("auth"))) {
            ngx_realtime_plain_auth(s, event, frame);
            return;
        }

        /* a visitor who does not care to say so; the event waits until it is connected */
        ngx_realtime_session_hold(s);
        ngx_realtime_asks_enter(s, rt_str_null);

        if (s->closed) {
            ngx_realtime_session_let(s);
            return;
        }

        ngx_realtime_session_let(s);
    }

    id = json_object_get(frame, "id");

    if (id != NULL && !json_is_null(id) && !json_is_string(id) && !json_is_number(id)) {
        ngx_realtime_plain_complain(s, "id must be a string or a number");
        return;
    }

    data = json_object_get(frame, "data");

    ask = ngx_realtime_ask_create(event, data ? json_incref(data) : json_object());
    if (ask == NULL) {
        ngx_realtime_session_close(s, RT_WS_CLOSE_INTERNAL, "no memory");
        return;
    }

    ask->id = json_is_null(id) ? NULL : json_incref(id);
    ask->bytes = bytes;
    ask->refused = refused ? 1 : 0;

    ngx_realtime_asks_push(s, ask);
}


static void
ngx_realtime_plain_auth(ngx_realtime_session_t *s, rt_str_t event, json_t *frame)
{
    json_t *data, *token;

    if (!rt_str_eq(event, rt_str("auth"))) {
        ngx_realtime_asks_refuse(s, "Authentication required");
        return;
    }

    data = json_object_get(frame, "data");
    token = json_object_get(data, "token");

    if (token != NULL && !json_is_string(token)) {
        ngx_realtime_asks_refuse(s, "Invalid token");
        return;
    }

    if (json_object_get(data, "lastNotificationSeq") != NULL) {
        ngx_realtime_missed_seen(s, json_object_get(data, "lastNotificationSeq"));
    }

    ngx_realtime_asks_enter(s, rt_json_get_str(data, "token"));
}


static void
ngx_realtime_plain_complain(ngx_realtime_session_t *s, const char *text)
{
    rt_buf_t out;

    ngx_memzero(&out, sizeof(rt_buf_t));

    rt_buf_append_str(&out, rt_str("{\"message\":"));
    rt_buf_append_json_string(&out, rt_str_c(text));
    rt_buf_append_str(&out, rt_str(",\"code\":\"INVALID\"}"));

    if (!out.failed) {
        ngx_realtime_session_event(s, rt_str("error"), (rt_str_t){out.data, out.len});
    }

    rt_buf_free(&out);
}


static void
ngx_realtime_plain_encode_event(rt_buf_t *out, rt_str_t nsp, rt_str_t event, rt_str_t data)
{
    rt_buf_append_str(out, rt_str("{\"event\":"));
    rt_buf_append_json_string(out, event);
    rt_buf_append_str(out, rt_str(",\"data\":"));
    rt_buf_append_str(out, data);
    rt_buf_append_str(out, rt_str("}"));
}


static void
ngx_realtime_plain_answer(ngx_realtime_session_t *s, ngx_realtime_ask_t *ask, rt_str_t reply)
{
    rt_buf_t out;

    if (ask->id == NULL) {
        return;
    }

    ngx_memzero(&out, sizeof(rt_buf_t));

    rt_buf_append_str(&out, rt_str("{\"id\":"));

    if (rt_json_dump(ask->id, &out) == RT_OK) {
        rt_buf_append_str(&out, rt_str(",\"data\":"));
        rt_buf_append_str(&out, reply);
        rt_buf_append_str(&out, rt_str("}"));

        if (!out.failed) {
            ngx_realtime_session_send_text(s, out.data, out.len);
        }
    }

    rt_buf_free(&out);
}


static void
ngx_realtime_plain_refuse(ngx_realtime_session_t *s)
{
    ngx_realtime_session_close(s, RT_WS_CLOSE_POLICY, "refused");
}
