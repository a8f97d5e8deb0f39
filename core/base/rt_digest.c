/* Digests by OpenSSL, and bytes as text: hex and base64 (RFC 4648). */

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <rt/rt_text.h>


static rt_status_t rt_digest(uint8_t *out, const EVP_MD *md, rt_str_t data);
static size_t rt_base64_encode(char *out, const void *data, size_t bytes, const char *alphabet);
static int    rt_base64_value(unsigned char c);


#define RT_BASE64_COMMON "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char rt_base64_standard[] = RT_BASE64_COMMON "+/";
static const char rt_base64_url[] = RT_BASE64_COMMON "-_";


rt_status_t
rt_sha256(uint8_t out[RT_SHA256_LEN], rt_str_t data)
{
    return rt_digest(out, EVP_sha256(), data);
}


rt_status_t
rt_sha1(uint8_t out[20], rt_str_t data)
{
    return rt_digest(out, EVP_sha1(), data);
}


rt_status_t
rt_hmac_sha256(uint8_t out[RT_SHA256_LEN], rt_str_t key, rt_str_t data)
{
    unsigned int len;

    if (key.len > INT_MAX) {
        return RT_ERROR;
    }

    /* a key of NULL would mean "the key of the call before" */
    if (HMAC(EVP_sha256(), key.len == 0 ? "" : key.data, (int) key.len,
            (const unsigned char *) (data.len == 0 ? "" : data.data), data.len, out, &len)
        == NULL)
    {
        ERR_clear_error();
        return RT_ERROR;
    }

    return RT_OK;
}


static rt_status_t
rt_digest(uint8_t *out, const EVP_MD *md, rt_str_t data)
{
    if (EVP_Digest(data.len == 0 ? "" : data.data, data.len, out, NULL, md, NULL) != 1) {
        ERR_clear_error();
        return RT_ERROR;
    }

    return RT_OK;
}


void
rt_hex(char *out, const void *data, size_t bytes)
{
    size_t         i;
    const uint8_t *p;

    static const char hex[] = "0123456789abcdef";

    p = data;

    for (i = 0; i < bytes; i++) {
        *out++ = hex[p[i] >> 4];
        *out++ = hex[p[i] & 15];
    }
}


size_t
rt_base64url(char *out, const void *data, size_t bytes)
{
    return rt_base64_encode(out, data, bytes, rt_base64_url);
}


size_t
rt_base64(char *out, const void *data, size_t bytes)
{
    size_t len;

    len = rt_base64_encode(out, data, bytes, rt_base64_standard);

    while (len % 4 != 0) {
        out[len++] = '=';
    }

    return len;
}


static size_t
rt_base64_encode(char *out, const void *data, size_t bytes, const char *alphabet)
{
    char          *start;
    uint32_t       group;
    const uint8_t *p;

    start = out;

    for (p = data; bytes >= 3; p += 3, bytes -= 3) {
        group = (uint32_t) p[0] << 16 | (uint32_t) p[1] << 8 | p[2];
        *out++ = alphabet[group >> 18];
        *out++ = alphabet[group >> 12 & 63];
        *out++ = alphabet[group >> 6 & 63];
        *out++ = alphabet[group & 63];
    }

    if (bytes > 0) {
        group = (uint32_t) p[0] << 16 | (bytes == 2 ? (uint32_t) p[1] << 8 : 0);
        *out++ = alphabet[group >> 18];
        *out++ = alphabet[group >> 12 & 63];

        if (bytes == 2) {
            *out++ = alphabet[group >> 6 & 63];
        }
    }

    return (size_t) (out - start);
}


rt_status_t
rt_base64_decode(void *out, size_t *out_len, rt_str_t s)
{
    int      value;
    size_t   i, padding;
    uint8_t *p;
    uint32_t group;

    for (padding = 0; padding < 2 && padding < s.len; padding++) {
        if (s.data[s.len - 1 - padding] != '=') {
            break;
        }
    }

    if (padding != 0 && s.len % 4 != 0) {
        return RT_INVALID;
    }

    s.len -= padding;

    if (s.len % 4 == 1) {
        return RT_INVALID;
    }

    p = out;
    group = 0;

    for (i = 0; i < s.len; i++) {
        value = rt_base64_value((unsigned char) s.data[i]);
        if (value < 0) {
            return RT_INVALID;
        }

        group = group << 6 | (uint32_t) value;

        /* of four characters the second, third and fourth each end a byte */
        if (i % 4 != 0) {
            *p++ = (uint8_t) (group >> (6 - 2 * (i % 4)));
        }
    }

    *out_len = (size_t) (p - (uint8_t *) out);

    return RT_OK;
}


static int
rt_base64_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }

    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }

    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }

    if (c == '+' || c == '-') {
        return 62;
    }

    return (c == '/' || c == '_') ? 63 : -1;
}
