/* Tokens as the server expects them: JWT, HS256 (RFC 7515, 7519). */

#include "load.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>


#define LOAD_TOKEN_TTL 86400


/* base64url without padding (RFC 4648, 5); returns the length, writes no NUL. */
static size_t
load_base64url(char *out, const unsigned char *data, size_t len)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    char    *p;
    size_t   i, left;
    uint32_t bits;

    p = out;

    for (i = 0; i < len; i += 3) {
        left = len - i;
        bits = (uint32_t) data[i] << 16;

        if (left > 1) {
            bits |= (uint32_t) data[i + 1] << 8;
        }

        if (left > 2) {
            bits |= data[i + 2];
        }

        *p++ = alphabet[bits >> 18 & 63];
        *p++ = alphabet[bits >> 12 & 63];

        if (left > 1) {
            *p++ = alphabet[bits >> 6 & 63];
        }

        if (left > 2) {
            *p++ = alphabet[bits & 63];
        }
    }

    return (size_t) (p - out);
}


int
load_token(char *out, const char *secret, const char *user, const char *role, const char *business)
{
    static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";

    int           n;
    char          claims[512];
    time_t        now;
    size_t        len;
    unsigned int  mac_len;
    unsigned char mac[EVP_MAX_MD_SIZE];

    now = time(NULL);

    n = snprintf(claims, sizeof(claims),
        "{\"userId\":\"%s\",\"role\":\"%s\",\"businessId\":\"%s\",\"name\":\"Load %s\","
        "\"email\":\"%s@bench.example\",\"iat\":%lld,\"exp\":%lld}",
        user, role, business, user, user, (long long) now, (long long) now + LOAD_TOKEN_TTL);

    if (n < 0 || (size_t) n >= sizeof(claims)) {
        return -1;
    }

    /* 4/3 of 512 and 28 bytes, a MAC and two dots stay below LOAD_TOKEN_MAX. */
    len = load_base64url(out, (const unsigned char *) header, sizeof(header) - 1);
    out[len++] = '.';
    len += load_base64url(out + len, (const unsigned char *) claims, (size_t) n);

    if (HMAC(EVP_sha256(), secret, (int) strlen(secret), (unsigned char *) out, len, mac, &mac_len)
        == NULL)
    {
        return -1;
    }

    out[len++] = '.';
    len += load_base64url(out + len, mac, mac_len);
    out[len] = '\0';

    return 0;
}
