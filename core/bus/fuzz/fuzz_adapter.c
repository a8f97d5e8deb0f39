/* What comes over Redis from servers that are not ours: the first byte says whether as a broadcast
 * or as a request. A broadcast that is taken is encoded and decoded again. */

#include <stdlib.h>
#include <string.h>

#include <rt/rt_adapter.h>
#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "bus/rt_msgpack.h"


#define fuzz_check(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)


static void
fuzz_texts(const rt_adapter_message_t *message)
{
    size_t   i;
    json_t  *value;
    rt_buf_t text = {0};

    rt_buf_append_str(&text, rt_str("["));
    rt_buf_append_str(&text, message->args);
    rt_buf_append_str(&text, rt_str("]"));
    fuzz_check(rt_json_parse((rt_str_t){text.data, text.len}, &value, NULL) == RT_OK);
    json_decref(value);
    rt_buf_free(&text);

    fuzz_check(rt_json_parse(message->data, &value, NULL) == RT_OK);
    json_decref(value);

    fuzz_check(rt_utf8_valid(message->event) && rt_utf8_valid(message->nsp));
    fuzz_check(message->attachment_count <= RT_ADAPTER_ATTACHMENTS_MAX);

    for (i = 0; i < message->rooms.count; i++) {
        fuzz_check(message->rooms.names[i].data != NULL);
    }
}


static void
fuzz_again(const rt_adapter_message_t *message)
{
    rt_buf_t             buf = {0};
    rt_status_t          status;
    rt_adapter_message_t again;

    fuzz_check(rt_adapter_encode_broadcast(&buf, message->uid, message->nsp, message->event,
                   message->data, &message->rooms, &message->except)
        == RT_OK);

    /* as JSON it may be deeper than MessagePack may: an array more around several arguments */
    status = rt_adapter_decode_broadcast((rt_str_t){buf.data, buf.len}, &again, NULL);
    fuzz_check(status == RT_OK || status == RT_INVALID);

    if (status == RT_OK) {
        fuzz_check(rt_str_eq(again.event, message->event) && rt_str_eq(again.nsp, message->nsp));
        fuzz_check(again.rooms.count == message->rooms.count);
        fuzz_check(again.except.count == message->except.count);
        rt_adapter_message_clear(&again);
    }

    rt_buf_free(&buf);
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char                *copy;
    rt_str_t             bytes;
    rt_error_t           error = {0};
    rt_status_t          status;
    rt_adapter_message_t message;

    if (len == 0) {
        return 0;
    }

    copy = malloc(len);
    fuzz_check(copy != NULL);
    memcpy(copy, data + 1, len - 1);
    bytes = (rt_str_t){copy, len - 1};

    fuzz_check(rt_adapter_peek_uid(bytes).len <= len);

    status = data[0] & 1 ? rt_adapter_decode_request(bytes, &message, &error)
                         : rt_adapter_decode_broadcast(bytes, &message, &error);
    free(copy);

    if (status != RT_OK) {
        fuzz_check(message.memory == NULL && error.text[0] != '\0');
        return 0;
    }

    if ((data[0] & 1) == 0 || message.type == RT_ADAPTER_BROADCAST) {
        fuzz_texts(&message);
        fuzz_again(&message);
    }

    rt_adapter_message_clear(&message);

    return 0;
}
