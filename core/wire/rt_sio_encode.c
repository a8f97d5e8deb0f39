/* Socket.IO protocol 5, the encoders. Each writes the text of one Engine.IO message. */

#include <rt/rt_sio.h>


/* type: Engine.IO's '4' and the packet's own digit. */
static void
rt_sio_encode_head(rt_buf_t *buf, rt_str_t type, size_t attachments, rt_str_t nsp)
{
    rt_buf_append_str(buf, type);

    if (attachments > 0) {
        rt_buf_append_int(buf, (int64_t) attachments);
        rt_buf_append(buf, "-", 1);
    }

    if (nsp.len > 0 && !rt_str_eq(nsp, rt_str("/"))) {
        rt_buf_append_str(buf, nsp);
        rt_buf_append(buf, ",", 1);
    }
}


void
rt_sio_encode_connect(rt_buf_t *buf, rt_str_t nsp, rt_str_t sid)
{
    rt_sio_encode_head(buf, rt_str("40"), 0, nsp);
    rt_buf_append_str(buf, rt_str("{\"sid\":"));
    rt_buf_append_json_string(buf, sid);
    rt_buf_append(buf, "}", 1);
}


void
rt_sio_encode_connect_error(rt_buf_t *buf, rt_str_t nsp, rt_str_t message)
{
    rt_sio_encode_head(buf, rt_str("44"), 0, nsp);
    rt_buf_append_str(buf, rt_str("{\"message\":"));
    rt_buf_append_json_string(buf, message);
    rt_buf_append(buf, "}", 1);
}


void
rt_sio_encode_disconnect(rt_buf_t *buf, rt_str_t nsp)
{
    rt_sio_encode_head(buf, rt_str("41"), 0, nsp);
}


void
rt_sio_encode_event(rt_buf_t *buf, rt_str_t nsp, rt_str_t event, rt_str_t data, size_t attachments)
{
    rt_sio_encode_question(buf, nsp, RT_SIO_ID_NONE, event, data, attachments);
}


void
rt_sio_encode_question(rt_buf_t *buf, rt_str_t nsp, int64_t id, rt_str_t event, rt_str_t data,
    size_t attachments)
{
    rt_sio_encode_head(buf, attachments > 0 ? rt_str("45") : rt_str("42"), attachments, nsp);

    if (id != RT_SIO_ID_NONE) {
        rt_buf_append_int(buf, id);
    }

    rt_buf_append(buf, "[", 1);
    rt_buf_append_json_string(buf, event);

    if (data.len > 0) {
        rt_buf_append(buf, ",", 1);
        rt_buf_append_str(buf, data);
    }

    rt_buf_append(buf, "]", 1);
}


void
rt_sio_encode_ack(rt_buf_t *buf, rt_str_t nsp, int64_t id, rt_str_t args, size_t attachments)
{
    rt_sio_encode_head(buf, attachments > 0 ? rt_str("46") : rt_str("43"), attachments, nsp);
    rt_buf_append_int(buf, id);
    rt_buf_append(buf, "[", 1);
    rt_buf_append_str(buf, args);
    rt_buf_append(buf, "]", 1);
}
