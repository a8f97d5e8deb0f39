/* JSON Web Tokens (RFC 7519, 7515): from text to an identity.
 *
 * libjwt judges the signature and nothing else. Left alone, its versions take a public key's text
 * for an HMAC secret, any token at all under an empty key, and an exp that is no number. The shape
 * of the token is checked before it, so that no NUL, no fourth segment and no stray character
 * reaches it; the algorithm after it, against what the key stands for; and header and claims are
 * read here, from the very text that was signed. */

#include <base/rt_unicode.h>
#include <errno.h>
#include <math.h>
#include <openssl/err.h>
#include <rt/rt_json.h>
#include <rt/rt_text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <token/rt_key.h>


#define RT_TOKEN_ID_MAX   128 /* characters of a user or business id */
#define RT_TOKEN_ROLE_MAX 64
#define RT_TOKEN_NAME_MAX 256

#define RT_TOKEN_INT_TEXT 21               /* "-9223372036854775808" and a NUL */
#define RT_TOKEN_REAL_MAX 9007199254740992 /* 2^53: integers below it are exact in a double */


typedef struct {
    rt_str_t header; /* base64url, as the two below */
    rt_str_t payload;
    rt_str_t signature;
} rt_token_parts_t;

typedef struct {
    rt_str_t user_id;
    rt_str_t business_id;
    rt_str_t role_name;
    int64_t  expires_at_ms;
    char     user_text[RT_TOKEN_INT_TEXT]; /* where a number's text lies */
    char     business_text[RT_TOKEN_INT_TEXT];
} rt_token_claims_t;


static rt_status_t rt_token_check(const rt_key_t *key, rt_str_t token, rt_token_parts_t *parts);
static rt_status_t rt_token_split(rt_str_t token, rt_token_parts_t *parts);
static rt_status_t rt_token_check_signature(const rt_key_t *key, const char *token);
static rt_status_t rt_token_check_header(rt_str_t header);
static rt_status_t rt_token_json(rt_str_t part, json_t **out);
static rt_status_t rt_token_check_times(const json_t *payload, int64_t now_ms, int64_t leeway_ms,
    int64_t *expires_at_ms, rt_error_t *error);
static rt_status_t rt_token_time(const json_t *payload, const char *name, int64_t *time_ms);
static rt_status_t rt_token_read(const json_t *payload, rt_token_claims_t *claims);
static rt_status_t rt_token_first_id(const json_t *payload, const char *const *names, char *text,
    rt_str_t *out);
static rt_status_t rt_token_first_role(const json_t *payload, rt_str_t *out);
static rt_status_t rt_token_number_text(const json_t *number, char *text, rt_str_t *out);
static rt_status_t rt_token_check_text(rt_str_t text, size_t max);
static rt_str_t    rt_token_cut(rt_str_t text, size_t max);
static rt_status_t rt_token_refuse(rt_error_t *error, rt_status_t status);


rt_status_t
rt_token_verify(const rt_key_t *key, rt_str_t token, int64_t now_ms, int64_t leeway_ms,
    rt_identity_t **out, rt_error_t *error)
{
    json_t           *payload;
    rt_status_t       status;
    rt_identity_t    *identity;
    rt_token_parts_t  parts;
    rt_token_claims_t claims;

    if (token.len == 0) {
        return rt_error_set(error, RT_UNAUTHORIZED, "Authentication required");
    }

    status = rt_token_check(key, token, &parts);
    if (status != RT_OK) {
        return rt_token_refuse(error, status);
    }

    status = rt_token_json(parts.payload, &payload);
    if (status != RT_OK) {
        return rt_token_refuse(error, status);
    }

    status = rt_token_check_times(payload, now_ms, leeway_ms, &claims.expires_at_ms, error);

    if (status == RT_OK) {
        identity = NULL;
        status = rt_token_read(payload, &claims);

        if (status == RT_OK) {
            identity = rt_identity_create(claims.user_id, claims.business_id, claims.role_name,
                rt_token_cut(rt_json_get_str(payload, "name"), RT_TOKEN_NAME_MAX),
                rt_token_cut(rt_json_get_str(payload, "email"), RT_TOKEN_NAME_MAX),
                claims.expires_at_ms);
            status = (identity == NULL) ? RT_NO_MEMORY : RT_OK;
        }

        if (status == RT_OK) {
            *out = identity;

        } else {
            (void) rt_token_refuse(error, status);
        }
    }

    json_decref(payload);

    return status;
}


/* Signature and header: what stands before any claim may be believed. */
static rt_status_t
rt_token_check(const rt_key_t *key, rt_str_t token, rt_token_parts_t *parts)
{
    char        copy[RT_TOKEN_MAX + 1];
    rt_status_t status;

    status = rt_token_split(token, parts);
    if (status != RT_OK) {
        return status;
    }

    memcpy(copy, token.data, token.len);
    copy[token.len] = '\0';

    status = rt_token_check_signature(key, copy);
    if (status != RT_OK) {
        return status;
    }

    return rt_token_check_header(parts->header);
}


/* RFC 7515, 7.1: three parts of base64url without padding, none of them empty here. */
static rt_status_t
rt_token_split(rt_str_t token, rt_token_parts_t *parts)
{
    char      c;
    size_t    i, start, part;
    rt_str_t *all[3] = {&parts->header, &parts->payload, &parts->signature};

    if (token.len > RT_TOKEN_MAX) {
        return RT_UNAUTHORIZED;
    }

    part = 0;
    start = 0;

    for (i = 0; i <= token.len; i++) {
        c = (i < token.len) ? token.data[i] : '.';

        if (c == '.') {
            if (part == 3 || i == start || (i - start) % 4 == 1) {
                return RT_UNAUTHORIZED;
            }

            *all[part++] = (rt_str_t){token.data + start, i - start};
            start = i + 1;
            continue;
        }

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'
                || c == '_'))
        {
            return RT_UNAUTHORIZED;
        }
    }

    return part == 3 ? RT_OK : RT_UNAUTHORIZED;
}


static rt_status_t
rt_token_check_signature(const rt_key_t *key, const char *token)
{
    int       rc;
    jwt_t    *jwt;
    jwt_alg_t alg;

    jwt = NULL;
    rc = jwt_decode(&jwt, token, key->data, key->bytes);

    /* what a failed verification leaves in the queue would be taken for a TLS error later */
    ERR_clear_error();

    if (rc != 0) {
        return rc == ENOMEM ? RT_NO_MEMORY : RT_UNAUTHORIZED;
    }

    alg = jwt_get_alg(jwt);
    jwt_free(jwt);

    if (alg <= JWT_ALG_NONE || alg >= JWT_ALG_TERM || (key->algs & RT_KEY_ALG(alg)) == 0) {
        return RT_UNAUTHORIZED;
    }

    return RT_OK;
}


/* RFC 7515, 4.1.11: extensions that must be understood; we know none, and libjwt ignores them. */
static rt_status_t
rt_token_check_header(rt_str_t header)
{
    json_t     *object;
    rt_status_t status;

    status = rt_token_json(header, &object);
    if (status != RT_OK) {
        return status;
    }

    if (json_object_get(object, "crit") != NULL) {
        status = RT_UNAUTHORIZED;
    }

    json_decref(object);

    return status;
}


/* *out is a new reference to an object, set only on RT_OK. */
static rt_status_t
rt_token_json(rt_str_t part, json_t **out)
{
    char        text[RT_TOKEN_MAX];
    size_t      len;
    json_t     *object;
    rt_status_t status;

    if (rt_base64_decode(text, &len, part) != RT_OK) {
        return RT_UNAUTHORIZED;
    }

    status = rt_json_parse((rt_str_t){text, len}, &object, NULL);

    if (status == RT_OK && json_is_object(object)) {
        *out = object;
        return RT_OK;
    }

    json_decref(object);

    return status == RT_NO_MEMORY ? RT_NO_MEMORY : RT_UNAUTHORIZED;
}


/* RFC 7519, 4.1.4 and 4.1.5: good from nbf on and before exp, both widened by the leeway. */
static rt_status_t
rt_token_check_times(const json_t *payload, int64_t now_ms, int64_t leeway_ms,
    int64_t *expires_at_ms, rt_error_t *error)
{
    int64_t time_ms;

    switch (rt_token_time(payload, "exp", &time_ms)) {

    case RT_OK:
        if (__builtin_add_overflow(time_ms, leeway_ms, expires_at_ms)) {
            *expires_at_ms = INT64_MAX;
        }

        break;

    case RT_DECLINED:
        *expires_at_ms = INT64_MAX;
        break;

    default:
        return rt_token_refuse(error, RT_UNAUTHORIZED);
    }

    if (now_ms >= *expires_at_ms) {
        return rt_error_set(error, RT_UNAUTHORIZED, "Token expired");
    }

    switch (rt_token_time(payload, "nbf", &time_ms)) {

    case RT_OK:
        if (time_ms > now_ms && time_ms - leeway_ms > now_ms) {
            return rt_error_set(error, RT_UNAUTHORIZED, "Token not active yet");
        }

        return RT_OK;

    case RT_DECLINED:
        return RT_OK;

    default:
        return rt_token_refuse(error, RT_UNAUTHORIZED);
    }
}


/* A NumericDate (RFC 7519, 2) in milliseconds, cut to what int64 holds; fractions are allowed.
 * RT_DECLINED: there is none. RT_INVALID: not a number. */
static rt_status_t
rt_token_time(const json_t *payload, const char *name, int64_t *time_ms)
{
    double  ms;
    json_t *value;

    value = json_object_get(payload, name);

    if (value == NULL) {
        return RT_DECLINED;
    }

    if (json_is_integer(value)) {
        if (__builtin_mul_overflow(json_integer_value(value), (int64_t) 1000, time_ms)) {
            *time_ms = json_integer_value(value) < 0 ? INT64_MIN : INT64_MAX;
        }

        return RT_OK;
    }

    if (!json_is_real(value)) {
        return RT_INVALID;
    }

    ms = json_real_value(value) * 1000;

    if (ms >= 0x1p63) {
        *time_ms = INT64_MAX;

    } else if (ms < -0x1p63) {
        *time_ms = INT64_MIN;

    } else {
        *time_ms = (int64_t) ms;
    }

    return RT_OK;
}


static rt_status_t
rt_token_read(const json_t *payload, rt_token_claims_t *claims)
{
    rt_role_t   role;
    rt_status_t status;

    static const char *const user_names[] = {"userId", "id", "sub", NULL};
    static const char *const business_names[] = {"businessId", NULL};
    static const char *const staff_names[] = {"businessId", "sub", NULL};

    status = rt_token_first_id(payload, user_names, claims->user_text, &claims->user_id);
    if (status != RT_OK) {
        return RT_UNAUTHORIZED;
    }

    if (rt_token_first_role(payload, &claims->role_name) != RT_OK) {
        return RT_UNAUTHORIZED;
    }

    role = rt_role_parse(claims->role_name);

    /* an owner's account is the business itself; who reaches every business has none */
    status = rt_token_first_id(payload,
        (rt_role_is_staff(role) && role != RT_ROLE_SUPER_ADMIN) ? staff_names : business_names,
        claims->business_text, &claims->business_id);

    return (status == RT_OK || status == RT_DECLINED) ? RT_OK : RT_UNAUTHORIZED;
}


/* The first of the named claims that holds something: text or a whole number. null and "" count
 * as absent, as they did in the JavaScript that made such tokens; any other type is no id.
 * RT_DECLINED: none of them is there; *out is then empty. */
static rt_status_t
rt_token_first_id(const json_t *payload, const char *const *names, char *text, rt_str_t *out)
{
    json_t *value;

    *out = rt_str("");

    for (; *names != NULL; names++) {
        value = json_object_get(payload, *names);

        if (value == NULL || json_is_null(value)
            || (json_is_string(value) && json_string_length(value) == 0))
        {
            continue;
        }

        if (json_is_number(value)) {
            return rt_token_number_text(value, text, out);
        }

        if (!json_is_string(value)) {
            return RT_INVALID;
        }

        *out = rt_json_get_str(payload, *names);

        return rt_token_check_text(*out, RT_TOKEN_ID_MAX);
    }

    return RT_DECLINED;
}


static rt_status_t
rt_token_first_role(const json_t *payload, rt_str_t *out)
{
    size_t  i;
    json_t *value;

    static const char *const names[] = {"role", "userRole", "type"};

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        value = json_object_get(payload, names[i]);

        if (value == NULL || json_is_null(value)
            || (json_is_string(value) && json_string_length(value) == 0))
        {
            continue;
        }

        if (!json_is_string(value)) {
            return RT_INVALID;
        }

        *out = rt_json_get_str(payload, names[i]);

        return rt_token_check_text(*out, RT_TOKEN_ROLE_MAX);
    }

    *out = rt_str("CUSTOMER");

    return RT_OK;
}


/* A whole number as decimal digits, 42.0 like 42; what a double can not hold exactly is refused,
 * since two people could come out as one. */
static rt_status_t
rt_token_number_text(const json_t *number, char *text, rt_str_t *out)
{
    int     n;
    double  real;
    int64_t value;

    if (json_is_integer(number)) {
        value = json_integer_value(number);

    } else {
        real = json_real_value(number);

        if (fabs(real) >= RT_TOKEN_REAL_MAX || real != floor(real)) {
            return RT_INVALID;
        }

        value = (int64_t) real;
    }

    n = snprintf(text, RT_TOKEN_INT_TEXT, "%lld", (long long) value);
    *out = (rt_str_t){text, (size_t) n};

    return RT_OK;
}


/* RT_OK for 1…max printable characters of which one shows; text is UTF-8, it comes from JSON. */
static rt_status_t
rt_token_check_text(rt_str_t text, size_t max)
{
    int32_t     code;
    const char *p, *end;

    if (rt_utf8_length(text) > max || !rt_utf8_has_content(text)) {
        return RT_INVALID;
    }

    p = text.data;
    end = text.data + text.len;

    while (p < end) {
        code = rt__utf8_next(&p, end);

        /* control characters, line and paragraph separator */
        if (code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x2028 || code == 0x2029) {
            return RT_INVALID;
        }
    }

    return RT_OK;
}


/* The start of text, at most max characters. */
static rt_str_t
rt_token_cut(rt_str_t text, size_t max)
{
    size_t i;

    for (i = 0; i < text.len; i++) {
        if (((unsigned char) text.data[i] & 0xc0) != 0x80 && max-- == 0) {
            break;
        }
    }

    return (rt_str_t){text.data, i};
}


/* One text for all that is wrong: which check failed helps only those who try. */
static rt_status_t
rt_token_refuse(rt_error_t *error, rt_status_t status)
{
    return rt_error_set(error, status, "%s",
        status == RT_NO_MEMORY ? "Out of memory" : "Invalid token");
}
