/* Session ids: base64url of owner (8 bytes), randomness (12) and a cut HMAC over both (7). The
 * HMAC keeps strangers from making us ask other workers about sessions that never were; what makes
 * an id unguessable is the 96 random bits. */

#include "ngx_realtime_sid.h"

#include <rt/rt_text.h>


#define NGX_REALTIME_SID_BODY (8 + NGX_REALTIME_SID_RANDOM)

static ngx_int_t ngx_realtime_sid_mac(u_char *mac, u_char *body);


ngx_int_t
ngx_realtime_sid_make(ngx_realtime_sid_t *sid)
{
    sid->owner = ngx_realtime_worker->id;

    return rt_random(sid->random, sizeof(sid->random)) == RT_OK ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_realtime_sid_format(u_char *out, ngx_realtime_sid_t *sid)
{
    u_char bytes[NGX_REALTIME_SID_BODY + NGX_REALTIME_SID_MAC];

    ngx_memcpy(bytes, &sid->owner, 8);
    ngx_memcpy(bytes + 8, sid->random, NGX_REALTIME_SID_RANDOM);

    if (ngx_realtime_sid_mac(bytes + NGX_REALTIME_SID_BODY, bytes) != NGX_OK) {
        return NGX_ERROR;
    }

    (void) rt_base64url((char *) out, bytes, sizeof(bytes));

    return NGX_OK;
}


ngx_int_t
ngx_realtime_sid_parse(ngx_realtime_sid_t *sid, ngx_str_t *text)
{
    size_t   len;
    u_char   bytes[NGX_REALTIME_SID_LEN];
    u_char   mac[NGX_REALTIME_SID_MAC];
    rt_str_t given, right;

    if (text->len != NGX_REALTIME_SID_LEN
        || rt_base64_decode(bytes, &len, ngx_realtime_str(*text)) != RT_OK
        || len != NGX_REALTIME_SID_BODY + NGX_REALTIME_SID_MAC
        || ngx_realtime_sid_mac(mac, bytes) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    given = (rt_str_t){(char *) bytes + NGX_REALTIME_SID_BODY, NGX_REALTIME_SID_MAC};
    right = (rt_str_t){(char *) mac, NGX_REALTIME_SID_MAC};

    if (!rt_str_eq_secret(given, right)) {
        return NGX_DECLINED;
    }

    ngx_memcpy(&sid->owner, bytes, 8);
    ngx_memcpy(sid->random, bytes + 8, NGX_REALTIME_SID_RANDOM);

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_sid_mac(u_char *mac, u_char *body)
{
    uint8_t  full[RT_SHA256_LEN];
    rt_str_t key, data;

    key = (rt_str_t){(char *) ngx_realtime_worker->conf->sid_key,
        sizeof(ngx_realtime_worker->conf->sid_key)};
    data = (rt_str_t){(char *) body, NGX_REALTIME_SID_BODY};

    if (rt_hmac_sha256(full, key, data) != RT_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(mac, full, NGX_REALTIME_SID_MAC);

    return NGX_OK;
}
