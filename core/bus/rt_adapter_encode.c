/* What servers with @socket.io/redis-adapter understand. */

#include <rt/rt_adapter.h>

#include <rt/rt_json.h>

#include "bus/rt_msgpack.h"


#define RT_ADAPTER_EVENT 2 /* the type of a Socket.IO packet */


static void
rt_adapter_put_names(rt_buf_t *buf, const rt_adapter_names_t *names)
{
    size_t i;

    rt_msgpack_put_array(buf, names->count);

    for (i = 0; i < names->count; i++) {
        rt_msgpack_put_str(buf, names->names[i]);
    }
}


/* What was appended is taken back when something failed. */
static rt_status_t
rt_adapter_appended(rt_buf_t *buf, size_t before)
{
    if (!buf->failed) {
        return RT_OK;
    }

    buf->len = before;

    return RT_NO_MEMORY;
}


rt_status_t
rt_adapter_encode_broadcast(rt_buf_t *buf, rt_str_t uid, rt_str_t nsp, rt_str_t event,
    rt_str_t data, const rt_adapter_names_t *rooms, const rt_adapter_names_t *except)
{
    size_t      before;
    json_t     *value;
    rt_status_t status;

    before = buf->len;
    status = rt_json_parse(data, &value, NULL);

    if (status != RT_OK) {
        json_decref(value);
        return status == RT_NO_MEMORY ? status : RT_INVALID;
    }

    rt_msgpack_put_array(buf, 3);
    rt_msgpack_put_str(buf, uid);

    rt_msgpack_put_map(buf, 3);
    rt_msgpack_put_str(buf, rt_str("type"));
    rt_msgpack_put_int(buf, RT_ADAPTER_EVENT);
    rt_msgpack_put_str(buf, rt_str("data"));
    rt_msgpack_put_array(buf, 2);
    rt_msgpack_put_str(buf, event);
    rt_msgpack_put(buf, value, NULL, 0);
    rt_msgpack_put_str(buf, rt_str("nsp"));
    rt_msgpack_put_str(buf, nsp);

    rt_msgpack_put_map(buf, 3);
    rt_msgpack_put_str(buf, rt_str("rooms"));
    rt_adapter_put_names(buf, rooms);
    rt_msgpack_put_str(buf, rt_str("except"));
    rt_adapter_put_names(buf, except);
    rt_msgpack_put_str(buf, rt_str("flags"));
    rt_msgpack_put_map(buf, 0);

    json_decref(value);

    return rt_adapter_appended(buf, before);
}


rt_status_t
rt_adapter_encode_acknowledged(rt_buf_t *buf, rt_str_t request_id, const json_t *value,
    const rt_str_t *attachments, size_t attachment_count)
{
    size_t before;

    before = buf->len;

    rt_msgpack_put_map(buf, 3);
    rt_msgpack_put_str(buf, rt_str("type"));
    rt_msgpack_put_int(buf, RT_ADAPTER_CLIENT_ACKNOWLEDGED);
    rt_msgpack_put_str(buf, rt_str("requestId"));
    rt_msgpack_put_str(buf, request_id);
    rt_msgpack_put_str(buf, rt_str("packet"));
    rt_msgpack_put(buf, value, attachments, attachment_count);

    return rt_adapter_appended(buf, before);
}
