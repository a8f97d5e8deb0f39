/* Verification keys. libjwt takes a key as bytes and lets the token's own header say what they
 * are: a public key is accepted as an HMAC secret. So the algorithms that a key stands for are
 * found once, here, and every token is held against them. */

#define _GNU_SOURCE /* memmem */
#include <token/rt_key.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>


#define RT_KEY_SECRET_MAX   65536
#define RT_KEY_RSA_BITS_MIN 2048 /* RFC 7518, 3.3 */

#define RT_KEY_HS                                                                                  \
    (RT_KEY_ALG(JWT_ALG_HS256) | RT_KEY_ALG(JWT_ALG_HS384) | RT_KEY_ALG(JWT_ALG_HS512))
#define RT_KEY_RS                                                                                  \
    (RT_KEY_ALG(JWT_ALG_RS256) | RT_KEY_ALG(JWT_ALG_RS384) | RT_KEY_ALG(JWT_ALG_RS512))


static rt_status_t rt_key_create(rt_key_t **out, unsigned algs, const void *data, size_t bytes,
    rt_error_t *error);
static rt_status_t rt_key_create_public(rt_key_t **out, EVP_PKEY *pkey, rt_error_t *error);
static rt_status_t rt_key_algs(EVP_PKEY *pkey, unsigned *algs, rt_error_t *error);
static rt_status_t rt_key_ec_algs(EVP_PKEY *pkey, unsigned *algs, rt_error_t *error);
static int         rt_key_is_public_text(rt_str_t secret);
static int         rt_key_no_password(char *buf, int size, int writing, void *data);


rt_status_t
rt_key_create_secret(rt_key_t **out, rt_str_t secret, rt_error_t *error)
{
    if (secret.len == 0) {
        return rt_error_set(error, RT_INVALID, "the secret is empty");
    }

    if (secret.len > RT_KEY_SECRET_MAX) {
        return rt_error_set(error, RT_INVALID, "the secret is longer than %d bytes",
            RT_KEY_SECRET_MAX);
    }

    /* What everybody may know is no secret: anyone could sign with it. */
    if (rt_key_is_public_text(secret)) {
        return rt_error_set(error, RT_INVALID,
            "the secret is a public key or certificate; give it as a key file");
    }

    return rt_key_create(out, RT_KEY_HS, secret.data, secret.len, error);
}


rt_status_t
rt_key_create_pem(rt_key_t **out, rt_str_t pem, rt_error_t *error)
{
    BIO        *bio;
    EVP_PKEY   *pkey;
    rt_status_t status;

    if (pem.len == 0 || pem.len > RT_KEY_SECRET_MAX) {
        return rt_error_set(error, RT_INVALID, "the key is empty or too long");
    }

    bio = BIO_new_mem_buf(pem.data, (int) pem.len);
    if (bio == NULL) {
        ERR_clear_error();
        return rt_error_set(error, RT_NO_MEMORY, "no memory");
    }

    pkey = PEM_read_bio_PUBKEY(bio, NULL, rt_key_no_password, NULL);

    if (pkey == NULL) {
        status = rt_error_set(error, RT_INVALID, "not a PEM public key (BEGIN PUBLIC KEY)");

    } else {
        status = rt_key_create_public(out, pkey, error);
    }

    EVP_PKEY_free(pkey);
    BIO_free(bio);
    ERR_clear_error();

    return status;
}


void
rt_key_destroy(rt_key_t *key)
{
    if (key == NULL) {
        return;
    }

    OPENSSL_cleanse(key->data, (size_t) key->bytes);
    free(key);
}


/* bytes is 1…RT_KEY_SECRET_MAX. A NUL is put behind the bytes. */
static rt_status_t
rt_key_create(rt_key_t **out, unsigned algs, const void *data, size_t bytes, rt_error_t *error)
{
    rt_key_t *key;

    key = malloc(sizeof(rt_key_t) + bytes + 1);
    if (key == NULL) {
        return rt_error_set(error, RT_NO_MEMORY, "no memory");
    }

    key->algs = algs;
    key->bytes = (int) bytes;
    memcpy(key->data, data, bytes);
    key->data[bytes] = '\0';

    *out = key;

    return RT_OK;
}


/* libjwt parses the text for each token (it offers no way to hand it a parsed key), so it gets
 * the bare key, freshly written, without what may stand around it in the file. */
static rt_status_t
rt_key_create_public(rt_key_t **out, EVP_PKEY *pkey, rt_error_t *error)
{
    BIO        *bio;
    long        bytes;
    char       *data;
    unsigned    algs;
    rt_status_t status;

    algs = 0;
    status = rt_key_algs(pkey, &algs, error);
    if (status != RT_OK) {
        return status;
    }

    bio = BIO_new(BIO_s_mem());
    if (bio == NULL) {
        return rt_error_set(error, RT_NO_MEMORY, "no memory");
    }

    if (PEM_write_bio_PUBKEY(bio, pkey) != 1) {
        status = rt_error_set(error, RT_ERROR, "the key can not be written");

    } else {
        bytes = BIO_get_mem_data(bio, &data);
        status = (bytes > 0) ? rt_key_create(out, algs, data, (size_t) bytes, error)
                             : rt_error_set(error, RT_ERROR, "the key can not be written");
    }

    BIO_free(bio);

    return status;
}


static rt_status_t
rt_key_algs(EVP_PKEY *pkey, unsigned *algs, rt_error_t *error)
{
    switch (EVP_PKEY_base_id(pkey)) {

    case EVP_PKEY_RSA:
        if (EVP_PKEY_bits(pkey) < RT_KEY_RSA_BITS_MIN) {
            return rt_error_set(error, RT_INVALID, "an RSA key needs at least %d bits",
                RT_KEY_RSA_BITS_MIN);
        }

        *algs = RT_KEY_RS;
        return RT_OK;

    case EVP_PKEY_EC:
        return rt_key_ec_algs(pkey, algs, error);

    case EVP_PKEY_RSA_PSS:
        return rt_error_set(error, RT_INVALID,
            "an RSA-PSS key: the installed libjwt does not verify PS256, PS384, PS512");

    default:
        return rt_error_set(error, RT_INVALID, "neither an RSA key nor an elliptic curve key");
    }
}


/* RFC 7518, 3.4: one curve for each algorithm. */
static rt_status_t
rt_key_ec_algs(EVP_PKEY *pkey, unsigned *algs, rt_error_t *error)
{
    size_t len;
    char   name[64];

    if (EVP_PKEY_get_group_name(pkey, name, sizeof(name), &len) != 1) {
        return rt_error_set(error, RT_INVALID, "an elliptic curve without a name");
    }

    switch (OBJ_txt2nid(name)) {

    case NID_X9_62_prime256v1:
        *algs = RT_KEY_ALG(JWT_ALG_ES256);
        return RT_OK;

    case NID_secp384r1:
        *algs = RT_KEY_ALG(JWT_ALG_ES384);
        return RT_OK;

    case NID_secp521r1:
        *algs = RT_KEY_ALG(JWT_ALG_ES512);
        return RT_OK;

    default:
        return rt_error_set(error, RT_INVALID, "a curve other than P-256, P-384, P-521");
    }
}


static int
rt_key_is_public_text(rt_str_t secret)
{
    return memmem(secret.data, secret.len, "PUBLIC KEY-----", 15) != NULL
        || memmem(secret.data, secret.len, "CERTIFICATE-----", 16) != NULL;
}


/* Without it OpenSSL would ask the terminal when the text says that it is encrypted. */
static int
rt_key_no_password(char *buf, int size, int writing, void *data)
{
    (void) buf;
    (void) size;
    (void) writing;
    (void) data;

    return -1;
}
