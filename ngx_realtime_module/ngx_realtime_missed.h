/* Who connects is told where the notifications of its channels stand, and what it missed of them
 * while it was away. Event loop only. */

#ifndef NGX_REALTIME_MISSED_H
#define NGX_REALTIME_MISSED_H

#include "ngx_realtime.h"
#include "ngx_realtime_session.h"

/* What the client says it has: lastNotificationSeq of its auth object, a number or
 * {"business":N,"user":N}. A number is of the business's for staff, else of its own; anything else
 * is not looked at. Before it enters. */
void ngx_realtime_missed_seen(ngx_realtime_session_t *s, const json_t *value);

/* The same in a query: "12", or "12,3" (business's, own), either of which may be empty. */
void ngx_realtime_missed_seen_text(ngx_realtime_session_t *s, ngx_str_t *text);

/* Its channels are subscribed: it is connected (ngx_realtime_asks_connected) at once, or when the
 * store has said where they stand. May close s. */
void ngx_realtime_missed_ask(ngx_realtime_session_t *s);

/* It was told that it is connected: it is told what it missed, and is in its channels. */
void ngx_realtime_missed_tell(ngx_realtime_session_t *s);

/* It leaves, or ends. */
void ngx_realtime_missed_forget(ngx_realtime_session_t *s);

void ngx_realtime_missed_init(void);

#endif
