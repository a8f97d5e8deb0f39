/* Engine.IO session ids: which worker owns a session, authenticated, unguessable. */

#ifndef NGX_REALTIME_SID_H
#define NGX_REALTIME_SID_H

#include "ngx_realtime.h"

#define NGX_REALTIME_SID_RANDOM 12
#define NGX_REALTIME_SID_MAC    7
#define NGX_REALTIME_SID_LEN    36 /* base64url of 8 + 12 + 7 bytes */

typedef struct {
    ngx_realtime_worker_id_t owner;
    u_char                   random[NGX_REALTIME_SID_RANDOM];
} ngx_realtime_sid_t;

/* A new one, owned by this worker. */
ngx_int_t ngx_realtime_sid_make(ngx_realtime_sid_t *sid);

/* Writes NGX_REALTIME_SID_LEN characters. */
ngx_int_t ngx_realtime_sid_format(u_char *out, ngx_realtime_sid_t *sid);

/* NGX_DECLINED: none of ours (length, alphabet or authentication). */
ngx_int_t ngx_realtime_sid_parse(ngx_realtime_sid_t *sid, ngx_str_t *text);

#endif
