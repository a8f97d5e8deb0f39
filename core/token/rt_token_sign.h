/* For tests and fuzzing only: signs any header and payload, also such as no library would write.
 * Everything is static, so that each test program has its own. */

#ifndef RT_TOKEN_SIGN_H
#define RT_TOKEN_SIGN_H

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <rt/rt_text.h>
#include <rt/rt_token.h>
#include <stdlib.h>
#include <string.h>


#define RT_SIGN_MAX (2 * RT_TOKEN_MAX)

typedef struct {
    char   data[RT_SIGN_MAX + 1]; /* NUL terminated */
    size_t len;
} rt_sign_token_t;


static inline void
rt_sign_part(rt_sign_token_t *token, const void *data, size_t bytes)
{
    if (token->len + bytes * 4 / 3 + 4 > RT_SIGN_MAX) {
        abort();
    }

    if (token->len > 0) {
        token->data[token->len++] = '.';
    }

    token->len += rt_base64url(token->data + token->len, data, bytes);
    token->data[token->len] = '\0';
}


static inline void
rt_sign_start(rt_sign_token_t *token, rt_str_t header, rt_str_t payload)
{
    token->len = 0;
    rt_sign_part(token, header.data, header.len);
    rt_sign_part(token, payload.data, payload.len);
}


/* The token with an HMAC behind it. */
static inline void
rt_sign_hmac(rt_sign_token_t *token, rt_str_t header, rt_str_t payload, const EVP_MD *md,
    rt_str_t secret)
{
    unsigned int  len;
    unsigned char mac[EVP_MAX_MD_SIZE];

    rt_sign_start(token, header, payload);

    if (HMAC(md, secret.data, (int) secret.len, (unsigned char *) token->data, token->len, mac,
            &len)
        == NULL)
    {
        abort();
    }

    rt_sign_part(token, mac, len);
}


/* ECDSA signatures are a DER sequence to OpenSSL and two numbers of equal size to RFC 7518, 3.4. */
static inline size_t
rt_sign_ecdsa_raw(unsigned char *out, const unsigned char *der, size_t der_len, EVP_PKEY *pkey)
{
    int        bytes;
    ECDSA_SIG *signature;

    bytes = (EVP_PKEY_bits(pkey) + 7) / 8;
    signature = d2i_ECDSA_SIG(NULL, &der, (long) der_len);

    if (signature == NULL || BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, bytes) != bytes
        || BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + bytes, bytes) != bytes)
    {
        abort();
    }

    ECDSA_SIG_free(signature);

    return (size_t) bytes * 2;
}


/* The token with a signature by an RSA or elliptic curve key behind it. */
static inline void
rt_sign_pkey(rt_sign_token_t *token, rt_str_t header, rt_str_t payload, const EVP_MD *md,
    EVP_PKEY *pkey)
{
    size_t        len;
    EVP_MD_CTX   *context;
    unsigned char signature[1024], raw[1024];

    rt_sign_start(token, header, payload);
    context = EVP_MD_CTX_new();
    len = sizeof(signature);

    if (context == NULL || EVP_DigestSignInit(context, NULL, md, NULL, pkey) != 1
        || EVP_DigestSign(context, signature, &len, (unsigned char *) token->data, token->len) != 1)
    {
        abort();
    }

    EVP_MD_CTX_free(context);

    if (EVP_PKEY_base_id(pkey) == EVP_PKEY_EC) {
        len = rt_sign_ecdsa_raw(raw, signature, len, pkey);
        rt_sign_part(token, raw, len);
        return;
    }

    rt_sign_part(token, signature, len);
}


/* The key's public half as PEM; free() it. */
static inline char *
rt_sign_pem(EVP_PKEY *pkey)
{
    BIO  *bio;
    char *data, *copy;
    long  len;

    bio = BIO_new(BIO_s_mem());

    if (bio == NULL || PEM_write_bio_PUBKEY(bio, pkey) != 1) {
        abort();
    }

    len = BIO_get_mem_data(bio, &data);
    copy = strndup(data, (size_t) len);
    BIO_free(bio);

    if (copy == NULL) {
        abort();
    }

    return copy;
}

#endif
