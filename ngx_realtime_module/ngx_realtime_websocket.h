/* One WebSocket connection: reads frames, writes queued buffers, closes in good order. Knows
 * neither Engine.IO nor events: whoever owns it is told through a table. Event loop only. */

#ifndef NGX_REALTIME_WEBSOCKET_H
#define NGX_REALTIME_WEBSOCKET_H

#include "ngx_realtime.h"
#include "ngx_realtime_buf.h"

#include <rt/rt_ws.h>

typedef struct ngx_realtime_ws_s ngx_realtime_ws_t;

/* What the owner hears. Any of them may close or abort the connection. */
typedef struct {
    /* a whole message; data may be changed and is gone after the call */
    void (*on_message)(ngx_realtime_ws_t *ws, ngx_uint_t binary, u_char *data, size_t len);

    /* a pong frame came; NULL: not of interest */
    void (*on_pong)(ngx_realtime_ws_t *ws);

    /* the timer set by ngx_realtime_ws_timer */
    void (*on_timer)(ngx_realtime_ws_t *ws);

    /* it is over (the peer closed or broke it, or was too slow): told once, and not when the owner
     * closed it by itself. The owner must forget ws. reason: for the log */
    void (*on_closed)(ngx_realtime_ws_t *ws, const char *reason);
} ngx_realtime_ws_owner_t;

struct ngx_realtime_ws_s {
    ngx_connection_t              *connection;
    const ngx_realtime_ws_owner_t *owner; /* NULL: closing, nobody listens any more */
    void                          *data;  /* the owner's */
    ngx_realtime_queue_t           queue;
    size_t                         sent;     /* of the queue's first frame */
    size_t                         send_max; /* realtime_send_buffer */
    u_char                        *unread;   /* came before it was paused, or with the upgrade */
    size_t                         unread_len;
    rt_ws_reader_t                 reader;
    ngx_queue_t                    dirty_link; /* waits for this turn's flush */
    unsigned                       dirty:1;
    unsigned                       paused:1;  /* reads nothing until resumed */
    unsigned                       reading:1; /* inside its read handler */
    unsigned                       closing:1; /* the close frame is queued: nothing after it */
    unsigned                       shut:1;    /* all sent, the write side is shut */
    unsigned                       failed:1;  /* no memory to send: dropped at the flush */
    unsigned                       dead:1;    /* freed at the end of this turn */
};

/* Takes a handshaken connection over from HTTP (see ngx_realtime_upgrade.c). early: bytes that
 * came with the request, copied. NULL: no memory; the caller closes c. */
ngx_realtime_ws_t *ngx_realtime_ws_create(ngx_connection_t *c, size_t max_payload, size_t send_max,
    ngx_uint_t deflate, ngx_str_t *early);

void ngx_realtime_ws_own(ngx_realtime_ws_t *ws, const ngx_realtime_ws_owner_t *owner, void *data);

/* Queues a framed buffer (a reference is added), written at the end of this turn. A client that
 * lets more than send_max wait behind the message under way is dropped then, which the owner hears;
 * never from inside. */
void ngx_realtime_ws_send(ngx_realtime_ws_t *ws, ngx_realtime_buf_t *buf);

/* It can't be sent something that it must not miss: dropped at the end of this turn. */
void ngx_realtime_ws_fail(ngx_realtime_ws_t *ws);

/* An empty ping frame. */
void ngx_realtime_ws_ping(ngx_realtime_ws_t *ws);

/* One timer for the owner, milliseconds from now; sets it anew. */
void ngx_realtime_ws_timer(ngx_realtime_ws_t *ws, ngx_msec_t after);

/* Sends what is queued, then a close frame with code, and closes; ws belongs to itself from here
 * on, the owner hears nothing more and must forget it. */
void ngx_realtime_ws_close(ngx_realtime_ws_t *ws, ngx_uint_t code);

/* Closes at once, without a word. The owner must forget it. */
void ngx_realtime_ws_abort(ngx_realtime_ws_t *ws);

/* Stops and starts reading: back-pressure, and while a session is on its way. */
void ngx_realtime_ws_pause(ngx_realtime_ws_t *ws);
void ngx_realtime_ws_resume(ngx_realtime_ws_t *ws);

/* Frees what the worker keeps for its connections. */
void ngx_realtime_ws_exit(void);

#endif
