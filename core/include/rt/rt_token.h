/* Who is calling: JSON Web Tokens (RFC 7519) in, an identity out. */

#ifndef RT_TOKEN_H
#define RT_TOKEN_H

#include <rt/rt_base.h>


typedef enum {
    RT_ROLE_CUSTOMER,
    RT_ROLE_STAFF,
    RT_ROLE_BUSINESS_ADMIN,
    RT_ROLE_BUSINESS_OWNER,
    RT_ROLE_SUPER_ADMIN,
    RT_ROLE_SERVICE,
    RT_ROLE_OTHER /* a role that we do not know: may connect, is no staff, owns no rooms */
} rt_role_t;

/* One person, immutable, one block of heap memory, counted atomically: may be shared between
 * threads. Texts are NUL terminated. */
typedef struct rt_identity_s {
    rt_str_t  user_id;     /* userId | id | sub, 1…128 printable characters */
    rt_str_t  business_id; /* empty (len 0) when the token names none; staff fall back to sub */
    rt_str_t  role_name;   /* upper case, as the token says it */
    rt_role_t role;
    rt_str_t  name;          /* may be empty */
    rt_str_t  email;         /* may be empty */
    int64_t   expires_at_ms; /* exp + leeway; INT64_MAX without exp */
    int       references;    /* private */
} rt_identity_t;

/* Makes one from its parts (all copied), with one reference: for guests and tests. NULL without
 * memory. */
rt_identity_t *rt_identity_create(rt_str_t user_id, rt_str_t business_id, rt_str_t role_name,
    rt_str_t name, rt_str_t email, int64_t expires_at_ms);
rt_identity_t *rt_identity_get(rt_identity_t *identity); /* one more reference */
void           rt_identity_put(rt_identity_t *identity); /* accepts NULL */

/* BUSINESS_OWNER, BUSINESS_ADMIN, STAFF, SUPER_ADMIN. */
int       rt_role_is_staff(rt_role_t role);
rt_role_t rt_role_parse(rt_str_t name); /* any case */


/* A verification key: immutable, usable from several threads at once. */
typedef struct rt_key_s rt_key_t;

/* An HS256/384/512 secret (copied, 65,536 bytes at most). RT_INVALID when it is empty or too long,
 * or a public key or certificate in PEM, which anyone could sign with. */
rt_status_t rt_key_create_secret(rt_key_t **out, rt_str_t secret, rt_error_t *error);

/* A PEM public key (BEGIN PUBLIC KEY); the algorithms that its tokens may name follow from it:
 * RS256, RS384 and RS512 for RSA of 2048 bits or more, one of ES256, ES384 and ES512 for the curves
 * P-256, P-384 and P-521. RT_INVALID: anything else, RSA-PSS included, since libjwt 1.x does not
 * verify it. */
rt_status_t rt_key_create_pem(rt_key_t **out, rt_str_t pem, rt_error_t *error);
void        rt_key_destroy(rt_key_t *key); /* accepts NULL; wipes the secret */

#define RT_TOKEN_MAX 8192

/* Verifies and reads a token.
 *
 * now_ms, leeway_ms  for exp and nbf, which must be JSON numbers when present
 * out      one reference for the caller, set only on RT_OK
 * returns  RT_OK; RT_UNAUTHORIZED with a text that may be shown to the client ("Authentication
 *          required" for an empty token, "Token expired", "Token not active yet", "Invalid token")
 *          and never holds a part of the token; RT_NO_MEMORY
 * threads  any; leaves OpenSSL's error queue of the calling thread empty */
rt_status_t rt_token_verify(const rt_key_t *key, rt_str_t token, int64_t now_ms, int64_t leeway_ms,
    rt_identity_t **out, rt_error_t *error);

/* Tokens that were verified before, for those who show one with each request: at most 1,024 of
 * 2,048 bytes. Belongs to one thread, and does not outlive the keys. */
typedef struct rt_token_cache_s rt_token_cache_t;

rt_token_cache_t *rt_token_cache_create(void);                     /* NULL without memory */
void              rt_token_cache_destroy(rt_token_cache_t *cache); /* accepts NULL; wipes */

/* As rt_token_verify, but does not verify again what it knows with this key and leeway until that
 * expires. What is kept is compared in constant time. */
rt_status_t rt_token_cache_verify(rt_token_cache_t *cache, const rt_key_t *key, rt_str_t token,
    int64_t now_ms, int64_t leeway_ms, rt_identity_t **out, rt_error_t *error);

#endif
