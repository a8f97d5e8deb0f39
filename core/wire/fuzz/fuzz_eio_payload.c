/* Polling bodies: the walk stays inside the body and ends, and what it gave comes back the same
 * after it was written again. */

#include <stdlib.h>
#include <string.h>

#include <rt/rt_eio.h>
#include <rt/rt_text.h>


#define fuzz_check(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)


/* Walks a body and writes its packets to `again`. */
static rt_status_t
fuzz_walk(const uint8_t *data, size_t len, rt_buf_t *again)
{
    char           *body;
    size_t          at;
    size_t          before;
    rt_str_t        text;
    rt_status_t     status;
    rt_eio_packet_t packet;

    body = malloc(len > 0 ? len : 1);
    fuzz_check(body != NULL);

    if (len > 0) {
        memcpy(body, data, len);
    }

    for (at = 0, before = 0;; before = at) {
        status = rt_eio_payload_next(body, len, &at, &packet);

        if (status != RT_OK) {
            break;
        }

        fuzz_check(at > before && at <= len + 1);
        fuzz_check(packet.data.data >= body && packet.data.data + packet.data.len <= body + len);

        if (packet.binary) {
            fuzz_check(packet.type == RT_EIO_MESSAGE);
            rt_eio_payload_add(again, 1, packet.data);

        } else {
            text.data = packet.data.data - 1;
            text.len = packet.data.len + 1;
            fuzz_check(text.data[0] == (char) packet.type && rt_utf8_valid(text));
            rt_eio_payload_add(again, 0, text);
        }
    }

    fuzz_check(status == RT_DECLINED || status == RT_INVALID);
    fuzz_check(!again->failed);
    free(body);

    return status;
}


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    rt_buf_t first = {0};
    rt_buf_t second = {0};

    (void) fuzz_walk(data, len, &first);

    if (first.len > 0) {
        fuzz_check(fuzz_walk((uint8_t *) first.data, first.len, &second) == RT_DECLINED);
        fuzz_check(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    }

    rt_buf_free(&first);
    rt_buf_free(&second);

    return 0;
}
