/* One event on its way to many: serialised once, framed once per kind of client, counted.
 * Event loop only. */

#ifndef NGX_REALTIME_NEWS_H
#define NGX_REALTIME_NEWS_H

#include "ngx_realtime.h"
#include "ngx_realtime_buf.h"
#include "ngx_realtime_session.h"

#include <rt/rt_call.h>
#include <rt/rt_order.h>

#define NGX_REALTIME_NEWS_KINDS 4 /* of clients for which frames are kept, each also deflated */
#define NGX_REALTIME_NEWS_TEXTS 7 /* of an emit, without its channel */

typedef struct ngx_realtime_news_s ngx_realtime_news_t;

/* One event on its way to many, serialised and framed once per kind of client. */
struct ngx_realtime_news_s {
    rt_order_item_t order; /* first: see rt_order.h; seq 0: unordered */
    ngx_uint_t      references;
    ngx_realtime_buf_t
        *frames[2 * NGX_REALTIME_NEWS_KINDS]; /* made when the first client of that kind needs it */
    const void          *kinds[NGX_REALTIME_NEWS_KINDS]; /* protocol, or its namespace's bytes */
    rt_str_t             event;
    rt_str_t             data;
    rt_str_t             except_socket;
    rt_str_t             except_user;
    rt_str_t             business_id;
    ngx_realtime_news_t *also; /* the event told right after it, or NULL: its texts are here */
    ngx_realtime_buf_t **attachments; /* sent right after it to Socket.IO clients */
    ngx_uint_t           attachment_count;
    int64_t              ack;     /* the id by which Socket.IO clients answer it; 0: none */
    uint64_t             foreign; /* a digest of what came from Node; 0: an event of ours */
    uint64_t             number;  /* how many came from there before it */
    u_char               bytes[]; /* all texts */
};

/* Copies the emit's texts. One reference for the caller; NULL: no memory. */
ngx_realtime_news_t *ngx_realtime_news_create(const rt_emit_t *emit);
void                 ngx_realtime_news_put(ngx_realtime_news_t *news);

/* What this kind of client is sent: made once per kind and kept. A reference for the caller; NULL:
 * no memory. */
ngx_realtime_buf_t *ngx_realtime_news_frame(ngx_realtime_news_t *news, ngx_realtime_session_t *s);

/* Binary arguments, for which the event's data has placeholders: copied. NGX_ERROR: no memory. */
ngx_int_t ngx_realtime_news_attach(ngx_realtime_news_t *news, const rt_str_t *parts,
    ngx_uint_t count);

/* Of an emit's texts, without its channel: bytes. */
size_t ngx_realtime_news_length(const rt_emit_t *emit);

#endif
