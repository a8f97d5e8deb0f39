/* What a client's handshake headers may say: the first line is the key, the rest the offer of
 * extensions. */

#include <stdlib.h>
#include <string.h>

#include <rt/rt_ws.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char        out[RT_WS_ACCEPT_LEN];
    char       *copy;
    const char *line;
    rt_str_t    key;
    rt_str_t    offer;
    rt_str_t    answer;
    rt_str_t    again;

    copy = malloc(len > 0 ? len : 1);
    if (copy == NULL) {
        return 0;
    }

    if (len > 0) {
        memcpy(copy, data, len);
    }

    line = memchr(copy, '\n', len);
    key.data = copy;
    key.len = line != NULL ? (size_t) (line - copy) : len;
    offer.data = line != NULL ? line + 1 : copy;
    offer.len = line != NULL ? len - key.len - 1 : len;

    if (rt_ws_accept(out, key) == RT_OK && (key.len != 24 || out[RT_WS_ACCEPT_LEN - 1] != '=')) {
        abort();
    }

    /* what we answer is an offer that we would keep ourselves */
    if (rt_ws_deflate_negotiate(offer, &answer) == RT_OK
        && (rt_ws_deflate_negotiate(answer, &again) != RT_OK || !rt_str_eq(answer, again)))
    {
        abort();
    }

    free(copy);

    return 0;
}
