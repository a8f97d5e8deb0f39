/* One WebSocket connection.
 *
 * open ──close()──▶ closing (close frame queued) ──flushed──▶ shut (write side shut, reads on until
 * EOF or a timeout, since closing with unread input would make an RST that eats our close frame)
 * ──▶ dead (connection closed; the memory goes at the end of the turn, because a handler further up
 * the stack may still look at it). */

#include "ngx_realtime_websocket.h"
#include "ngx_realtime_metrics.h"


#define NGX_REALTIME_WS_READ_SIZE 65536
#define NGX_REALTIME_WS_READ_TURN 65536 /* bytes of one client per turn */
#define NGX_REALTIME_WS_TLS_SIZE  16384
#define NGX_REALTIME_WS_IOVS      64
#define NGX_REALTIME_WS_LINGER    3000

static void      ngx_realtime_ws_read_handler(ngx_event_t *rev);
static void      ngx_realtime_ws_write_handler(ngx_event_t *wev);
static void      ngx_realtime_ws_feed(ngx_realtime_ws_t *ws, u_char *data, size_t len);
static void      ngx_realtime_ws_dispatch(ngx_realtime_ws_t *ws, rt_ws_message_t *message);
static void      ngx_realtime_ws_keep(ngx_realtime_ws_t *ws, u_char *data, size_t len);
static void      ngx_realtime_ws_control(ngx_realtime_ws_t *ws, rt_ws_opcode_t opcode,
         const void *payload, size_t len);
static void      ngx_realtime_ws_mark(ngx_realtime_ws_t *ws);
static void      ngx_realtime_ws_flush_handler(ngx_event_t *ev);
static void      ngx_realtime_ws_flush(ngx_realtime_ws_t *ws);
static ngx_int_t ngx_realtime_ws_write(ngx_realtime_ws_t *ws);
static ssize_t   ngx_realtime_ws_writev(ngx_realtime_ws_t *ws);
static ssize_t   ngx_realtime_ws_write_tls(ngx_realtime_ws_t *ws);
static void      ngx_realtime_ws_sent(ngx_realtime_ws_t *ws, size_t n);
static void      ngx_realtime_ws_shut(ngx_realtime_ws_t *ws);
static void      ngx_realtime_ws_lost(ngx_realtime_ws_t *ws, const char *reason);

static ngx_queue_t ngx_realtime_ws_dirty;
static ngx_queue_t ngx_realtime_ws_dead;
static ngx_event_t ngx_realtime_ws_flush_event;
static u_char     *ngx_realtime_ws_read_buffer;
static u_char     *ngx_realtime_ws_tls_buffer;


ngx_realtime_ws_t *
ngx_realtime_ws_create(ngx_connection_t *c, size_t max_payload, size_t send_max, ngx_uint_t deflate,
    ngx_str_t *early)
{
    ngx_realtime_ws_t *ws;

    if (ngx_realtime_ws_read_buffer == NULL) {
        ngx_queue_init(&ngx_realtime_ws_dirty);
        ngx_queue_init(&ngx_realtime_ws_dead);

        ngx_realtime_ws_flush_event.handler = ngx_realtime_ws_flush_handler;
        ngx_realtime_ws_flush_event.log = ngx_cycle->log;

        ngx_realtime_ws_read_buffer = ngx_alloc(NGX_REALTIME_WS_READ_SIZE, c->log);
        if (ngx_realtime_ws_read_buffer == NULL) {
            return NULL;
        }
    }

    ws = ngx_calloc(sizeof(ngx_realtime_ws_t), c->log);
    if (ws == NULL) {
        return NULL;
    }

    if (early->len) {
        ngx_realtime_ws_keep(ws, early->data, early->len);

        if (ws->unread == NULL) {
            ngx_free(ws);
            return NULL;
        }
    }

    rt_ws_reader_init(&ws->reader, (uint32_t) max_payload, (int) deflate);

    ws->connection = c;
    ws->send_max = send_max;

    c->data = ws;
    c->read->handler = ngx_realtime_ws_read_handler;
    c->write->handler = ngx_realtime_ws_write_handler;
    c->log->action = "serving a realtime connection";

    return ws;
}


void
ngx_realtime_ws_own(ngx_realtime_ws_t *ws, const ngx_realtime_ws_owner_t *owner, void *data)
{
    ws->owner = owner;
    ws->data = data;
}


static void
ngx_realtime_ws_read_handler(ngx_event_t *rev)
{
    size_t             total;
    ssize_t            n;
    ngx_connection_t  *c;
    ngx_realtime_ws_t *ws;

    c = rev->data;
    ws = c->data;

    if (c->close) {
        /* the worker quits; our own slices have told the clients before, see
         * ngx_realtime_worker.c: this is what is left when the time for it is over */
        if (c->error) {
            ngx_realtime_ws_lost(ws, "worker is shut down");
            return;
        }

        c->close = 0;
    }

    if (rev->timedout) {
        rev->timedout = 0;

        if (ws->owner == NULL) {
            ngx_realtime_ws_abort(ws);
            return;
        }

        ws->owner->on_timer(ws);
        return;
    }

    if (ws->paused) {
        return;
    }

    ws->reading = 1;
    total = 0;

    if (ws->unread != NULL) {
        ngx_realtime_ws_feed(ws, NULL, 0);
    }

    while (!ws->dead && !ws->paused) {

        if (total >= NGX_REALTIME_WS_READ_TURN) {
            /* others have their turn first */
            ngx_post_event(rev, &ngx_posted_next_events);
            break;
        }

        n = c->recv(c, ngx_realtime_ws_read_buffer, NGX_REALTIME_WS_READ_SIZE);

        if (n == NGX_AGAIN) {
            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_realtime_ws_lost(ws, "event error");
            }
            break;
        }

        if (n <= 0) {
            ngx_realtime_ws_lost(ws, n == 0 ? "client closed connection" : "connection error");
            break;
        }

        total += n;

        if (ws->shut) {
            continue; /* only waiting for the end */
        }

        ngx_realtime_ws_feed(ws, ngx_realtime_ws_read_buffer, n);
    }

    ws->reading = 0;
}


/* Parses what was kept first, then data, until it is used up, paused or over. */
static void
ngx_realtime_ws_feed(ngx_realtime_ws_t *ws, u_char *data, size_t len)
{
    size_t          used;
    u_char         *kept;
    rt_status_t     status;
    rt_ws_message_t message;

    kept = NULL;

    if (ws->unread != NULL) {
        kept = ws->unread;
        data = kept;
        len = ws->unread_len;
        ws->unread = NULL;
    }

    while (len > 0 && !ws->dead && !ws->closing) {

        if (ws->paused) {
            ngx_realtime_ws_keep(ws, data, len);
            break;
        }

        status = rt_ws_read(&ws->reader, data, len, &used, &message);

        data += used;
        len -= used;

        if (status == RT_AGAIN) {
            break;
        }

        if (status == RT_OK) {
            ngx_realtime_ws_dispatch(ws, &message);
            continue;
        }

        if (ws->owner != NULL) {
            ws->owner->on_closed(ws,
                status == RT_INVALID ? "websocket protocol error" : "no memory");
            ws->owner = NULL;
        }

        ngx_realtime_ws_close(ws,
            status == RT_INVALID ? ws->reader.close_code : RT_WS_CLOSE_INTERNAL);
        break;
    }

    ngx_free(kept);
}


static void
ngx_realtime_ws_dispatch(ngx_realtime_ws_t *ws, rt_ws_message_t *message)
{
    ngx_uint_t code;

    switch (message->opcode) {

    case RT_WS_TEXT:
    case RT_WS_BINARY:
        if (ws->owner != NULL) {
            ws->owner->on_message(ws, message->opcode == RT_WS_BINARY, message->data, message->len);
        }
        return;

    case RT_WS_PING:
        ngx_realtime_ws_control(ws, RT_WS_PONG, message->data, message->len);
        return;

    case RT_WS_PONG:
        if (ws->owner != NULL && ws->owner->on_pong != NULL) {
            ws->owner->on_pong(ws);
        }
        return;

    case RT_WS_CLOSE:
        code = message->close_code;

        if (ws->owner != NULL) {
            ws->owner->on_closed(ws, "client closed websocket");
            ws->owner = NULL;
        }

        ngx_realtime_ws_close(ws, code);
        return;

    case RT_WS_CONTINUATION:
        return; /* never handed out: fragments are joined */
    }
}


static void
ngx_realtime_ws_keep(ngx_realtime_ws_t *ws, u_char *data, size_t len)
{
    ws->unread = ngx_alloc(len, ngx_cycle->log);
    if (ws->unread == NULL) {
        ngx_realtime_ws_fail(ws);
        return;
    }

    ngx_memcpy(ws->unread, data, len);
    ws->unread_len = len;
}


void
ngx_realtime_ws_pause(ngx_realtime_ws_t *ws)
{
    ws->paused = 1;
}


void
ngx_realtime_ws_resume(ngx_realtime_ws_t *ws)
{
    ws->paused = 0;

    if (!ws->dead && !ws->reading) {
        ngx_post_event(ws->connection->read, &ngx_posted_events);
    }
}


static void
ngx_realtime_ws_control(ngx_realtime_ws_t *ws, rt_ws_opcode_t opcode, const void *payload,
    size_t len)
{
    ngx_realtime_buf_t *buf;

    buf = ngx_realtime_buf_create(opcode, payload, len, 0);
    if (buf == NULL) {
        ngx_realtime_ws_fail(ws);
        return;
    }

    ngx_realtime_ws_send(ws, buf);
    ngx_realtime_buf_put(buf);
}


void
ngx_realtime_ws_fail(ngx_realtime_ws_t *ws)
{
    if (!ws->dead) {
        ws->failed = 1;
        ngx_realtime_ws_mark(ws);
    }
}


void
ngx_realtime_ws_ping(ngx_realtime_ws_t *ws)
{
    ngx_realtime_ws_control(ws, RT_WS_PING, NULL, 0);
}


void
ngx_realtime_ws_timer(ngx_realtime_ws_t *ws, ngx_msec_t after)
{
    ngx_event_t *rev;

    rev = ws->connection->read;

    /* re-arming a set timer by less than 300 ms would be ignored */
    if (rev->timer_set) {
        ngx_del_timer(rev);
    }

    ngx_add_timer(rev, after);
}


void
ngx_realtime_ws_send(ngx_realtime_ws_t *ws, ngx_realtime_buf_t *buf)
{
    if (ws->closing || ws->dead) {
        return;
    }

    if (ngx_realtime_queue_push(&ws->queue, buf) != NGX_OK) {
        ws->failed = 1;
    }

    ngx_realtime_ws_mark(ws);
}


static void
ngx_realtime_ws_mark(ngx_realtime_ws_t *ws)
{
    if (ws->dirty) {
        return;
    }

    ws->dirty = 1;
    ngx_queue_insert_tail(&ngx_realtime_ws_dirty, &ws->dirty_link);

    if (!ngx_realtime_ws_flush_event.posted) {
        ngx_post_event(&ngx_realtime_ws_flush_event, &ngx_posted_events);
    }
}


/* Once per turn: everything that was queued in it goes out, one write per client. */
static void
ngx_realtime_ws_flush_handler(ngx_event_t *ev)
{
    ngx_queue_t       *q;
    ngx_realtime_ws_t *ws;

    while (!ngx_queue_empty(&ngx_realtime_ws_dirty)) {
        q = ngx_queue_head(&ngx_realtime_ws_dirty);
        ngx_queue_remove(q);

        ws = ngx_queue_data(q, ngx_realtime_ws_t, dirty_link);
        ws->dirty = 0;

        ngx_realtime_ws_flush(ws);
    }

    while (!ngx_queue_empty(&ngx_realtime_ws_dead)) {
        q = ngx_queue_head(&ngx_realtime_ws_dead);
        ngx_queue_remove(q);

        ws = ngx_queue_data(q, ngx_realtime_ws_t, dirty_link);

        ngx_free(ws->unread);
        ngx_free(ws);
    }
}


static void
ngx_realtime_ws_write_handler(ngx_event_t *wev)
{
    ngx_connection_t  *c;
    ngx_realtime_ws_t *ws;

    c = wev->data;
    ws = c->data;

    if (wev->timedout) {
        wev->timedout = 0;
        return;
    }

    ngx_realtime_ws_flush(ws);
}


static void
ngx_realtime_ws_flush(ngx_realtime_ws_t *ws)
{
    size_t waiting;

    if (ws->dead || ws->shut) {
        return;
    }

    if (ws->failed) {
        ngx_realtime_ws_lost(ws, "no memory");
        return;
    }

    if (ws->queue.head != NULL && ws->connection->write->ready
        && ngx_realtime_ws_write(ws) != NGX_OK) {
        ngx_realtime_ws_lost(ws, "send failed");
        return;
    }

    if (ws->queue.head == NULL) {
        if (ws->closing) {
            ngx_realtime_ws_shut(ws);
        }
        return;
    }

    waiting = ngx_realtime_queue_waiting(&ws->queue);

    if (waiting > ws->send_max) {
        ngx_log_error(NGX_LOG_INFO, ws->connection->log, 0,
            "client is too slow: %uz bytes wait, realtime_send_buffer is %uz", waiting,
            ws->send_max);
        ngx_realtime_metrics->counts.slow_clients++;
        ngx_realtime_ws_lost(ws, "slow client");
        return;
    }

    if (ngx_handle_write_event(ws->connection->write, 0) != NGX_OK) {
        ngx_realtime_ws_lost(ws, "event error");
    }
}


static ngx_int_t
ngx_realtime_ws_write(ngx_realtime_ws_t *ws)
{
    ssize_t n;

    while (ws->queue.head != NULL) {

#if (NGX_HTTP_SSL)
        n = ws->connection->ssl ? ngx_realtime_ws_write_tls(ws) : ngx_realtime_ws_writev(ws);
#else
        n = ngx_realtime_ws_writev(ws);
#endif

        if (n == NGX_AGAIN) {
            return NGX_OK;
        }

        if (n < 0) {
            return NGX_ERROR;
        }

        ngx_realtime_ws_sent(ws, n);
    }

    return NGX_OK;
}


/* ngx_buf_t can't be shared between clients (sending moves it), so the shared bytes are pointed to
 * directly. */
static ssize_t
ngx_realtime_ws_writev(ngx_realtime_ws_t *ws)
{
    size_t               skip;
    ssize_t              n;
    ngx_err_t            err;
    ngx_uint_t           i;
    struct iovec         iovs[NGX_REALTIME_WS_IOVS];
    ngx_realtime_link_t *link;

    skip = ws->sent;

    for (i = 0, link = ws->queue.head; link != NULL && i < NGX_REALTIME_WS_IOVS; link = link->next)
    {
        iovs[i].iov_base = ngx_realtime_buf_frame(link->buf) + skip;
        iovs[i].iov_len = ngx_realtime_buf_frame_len(link->buf) - skip;
        skip = 0;
        i++;
    }

    for (;;) {
        n = i == 1 ? send(ws->connection->fd, iovs[0].iov_base, iovs[0].iov_len, 0)
                   : writev(ws->connection->fd, iovs, (int) i);

        if (n >= 0) {
            ws->connection->sent += n;
            return n;
        }

        err = ngx_socket_errno;

        if (err == NGX_EAGAIN) {
            ws->connection->write->ready = 0;
            return NGX_AGAIN;
        }

        if (err != NGX_EINTR) {
            ws->connection->write->error = 1;
            ngx_connection_error(ws->connection, err, "writev() failed");
            return NGX_ERROR;
        }
    }
}


/* Each write is a TLS record, so small messages are gathered. A repeated SSL_write() must come from
 * the same address with no fewer bytes: it does, from this one buffer and a queue that only
 * grows. */
static ssize_t
ngx_realtime_ws_write_tls(ngx_realtime_ws_t *ws)
{
    size_t               skip, size, used;
    ngx_realtime_link_t *link;

    if (ngx_realtime_ws_tls_buffer == NULL) {
        ngx_realtime_ws_tls_buffer = ngx_alloc(NGX_REALTIME_WS_TLS_SIZE, ws->connection->log);
        if (ngx_realtime_ws_tls_buffer == NULL) {
            return NGX_ERROR;
        }
    }

    skip = ws->sent;
    used = 0;

    for (link = ws->queue.head; link != NULL; link = link->next) {
        size =
            ngx_min(ngx_realtime_buf_frame_len(link->buf) - skip, NGX_REALTIME_WS_TLS_SIZE - used);

        ngx_memcpy(ngx_realtime_ws_tls_buffer + used, ngx_realtime_buf_frame(link->buf) + skip,
            size);

        used += size;
        skip = 0;

        if (used == NGX_REALTIME_WS_TLS_SIZE) {
            break;
        }
    }

    return ws->connection->send(ws->connection, ngx_realtime_ws_tls_buffer, used);
}


static void
ngx_realtime_ws_sent(ngx_realtime_ws_t *ws, size_t n)
{
    size_t left;

    while (n > 0) {
        left = ngx_realtime_buf_frame_len(ws->queue.head->buf) - ws->sent;

        if (n < left) {
            ws->sent += n;
            return;
        }

        n -= left;
        ws->sent = 0;
        ngx_realtime_queue_shift(&ws->queue);
    }
}


void
ngx_realtime_ws_close(ngx_realtime_ws_t *ws, ngx_uint_t code)
{
    u_char payload[2];

    ws->owner = NULL;

    if (ws->closing || ws->dead) {
        return;
    }

    payload[0] = (u_char) (code >> 8);
    payload[1] = (u_char) code;

    ngx_realtime_ws_control(ws, RT_WS_CLOSE, payload, code == RT_WS_CLOSE_NO_STATUS ? 0 : 2);

    ws->closing = 1;
    ws->paused = 0;

    rt_ws_reader_clear(&ws->reader);

    /* bounds the whole farewell, sending included */
    ngx_realtime_ws_timer(ws, NGX_REALTIME_WS_LINGER);
}


static void
ngx_realtime_ws_shut(ngx_realtime_ws_t *ws)
{
    ngx_connection_t *c;

    c = ws->connection;
    ws->shut = 1;

#if (NGX_HTTP_SSL)
    if (c->ssl) {
        ngx_realtime_ws_abort(ws); /* which shuts TLS down in order */
        return;
    }
#endif

    if (ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN) == -1) {
        ngx_connection_error(c, ngx_socket_errno, ngx_shutdown_socket_n " failed");
        ngx_realtime_ws_abort(ws);
        return;
    }

    ngx_post_event(c->read, &ngx_posted_next_events);
}


static void
ngx_realtime_ws_lost(ngx_realtime_ws_t *ws, const char *reason)
{
    const ngx_realtime_ws_owner_t *owner;

    owner = ws->owner;
    ws->owner = NULL;

    if (owner != NULL) {
        owner->on_closed(ws, reason);
    }

    ngx_realtime_ws_abort(ws);
}


void
ngx_realtime_ws_abort(ngx_realtime_ws_t *ws)
{
    ngx_connection_t *c;

    if (ws->dead) {
        return;
    }

    c = ws->connection;

    ws->owner = NULL;
    ws->dead = 1;
    ws->connection = NULL;

    ngx_realtime_queue_clear(&ws->queue);
    rt_ws_reader_clear(&ws->reader);

    if (ws->dirty) {
        ngx_queue_remove(&ws->dirty_link);
        ws->dirty = 0;
    }

    ngx_queue_insert_tail(&ngx_realtime_ws_dead, &ws->dirty_link);

    if (!ngx_realtime_ws_flush_event.posted) {
        ngx_post_event(&ngx_realtime_ws_flush_event, &ngx_posted_events);
    }

#if (NGX_HTTP_SSL)
    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
    }
#endif

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    ngx_http_close_connection(c);
}


void
ngx_realtime_ws_exit(void)
{
    if (ngx_realtime_ws_read_buffer == NULL) {
        return;
    }

    ngx_realtime_ws_flush_handler(&ngx_realtime_ws_flush_event);

    ngx_free(ngx_realtime_ws_read_buffer);
    ngx_free(ngx_realtime_ws_tls_buffer);

    ngx_realtime_ws_read_buffer = NULL;
    ngx_realtime_ws_tls_buffer = NULL;

    rt_ws_thread_clear();
}
