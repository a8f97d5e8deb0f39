/* The writing half of RFC 6455: the handshake's answer, frame headers, close codes. */

#include <rt/rt_ws.h>

#include <rt/rt_text.h>
#include <string.h>


#define RT_WS_KEY_LEN 24 /* 16 bytes in base64 */
#define RT_WS_GUID    "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


size_t
rt_ws_write_header(uint8_t out[RT_WS_HEADER_MAX], rt_ws_opcode_t opcode, int compressed,
    uint64_t payload_len)
{
    size_t i;

    out[0] = (uint8_t) (0x80 | (compressed ? 0x40 : 0) | opcode);

    if (payload_len <= 125) {
        out[1] = (uint8_t) payload_len;
        return 2;
    }

    if (payload_len <= 0xffff) {
        out[1] = 126;
        out[2] = (uint8_t) (payload_len >> 8);
        out[3] = (uint8_t) payload_len;
        return 4;
    }

    out[1] = 127;

    for (i = 0; i < 8; i++) {
        out[2 + i] = (uint8_t) (payload_len >> (56 - 8 * i));
    }

    return 10;
}


/* RFC 6455 7.4 and IANA's registry: 1012…1014 were added later. */
int
rt_ws_close_code_valid(uint16_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014)
        || (code >= 3000 && code <= 4999);
}


static int
rt_ws_is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+'
        || c == '/';
}


/* RFC 6455 4.2.2, 5. */
rt_status_t
rt_ws_accept(char out[RT_WS_ACCEPT_LEN], rt_str_t key)
{
    size_t      i;
    char        text[RT_WS_KEY_LEN + sizeof(RT_WS_GUID) - 1];
    uint8_t     digest[20];
    rt_status_t status;

    if (key.len != RT_WS_KEY_LEN || key.data[22] != '=' || key.data[23] != '=') {
        return RT_INVALID;
    }

    for (i = 0; i < 22; i++) {
        if (!rt_ws_is_base64(key.data[i])) {
            return RT_INVALID;
        }
    }

    memcpy(text, key.data, RT_WS_KEY_LEN);
    memcpy(text + RT_WS_KEY_LEN, RT_WS_GUID, sizeof(RT_WS_GUID) - 1);

    status = rt_sha1(digest, (rt_str_t){text, sizeof(text)});
    if (status != RT_OK) {
        return status;
    }

    (void) rt_base64(out, digest, sizeof(digest));

    return RT_OK;
}
