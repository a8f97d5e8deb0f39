/* What the files of the connection to Redis share. */

#ifndef NGX_REALTIME_REDIS_PRIVATE_H
#define NGX_REALTIME_REDIS_PRIVATE_H

#include "ngx_realtime_redis.h"


#define NGX_REALTIME_REDIS_GREETING_MS 2000 /* from connect() to the last greeting's answer */
#define NGX_REALTIME_REDIS_PING_MS     1000
#define NGX_REALTIME_REDIS_SILENT_MS   3000 /* without a byte while a PING is out: it hangs */
#define NGX_REALTIME_REDIS_BACKOFF_MIN 50
#define NGX_REALTIME_REDIS_BACKOFF_MAX 800
#define NGX_REALTIME_REDIS_STEADY_MS   250 /* after being up so long the next try is at once */
#define NGX_REALTIME_REDIS_TURN_READ   (512 * 1024)
#define NGX_REALTIME_REDIS_IDLE_BUFFER (256 * 1024) /* a larger empty one is given back */

typedef enum {
    NGX_REALTIME_REDIS_WAITING = 0,
    NGX_REALTIME_REDIS_RESOLVING,
    NGX_REALTIME_REDIS_CONNECTING,
    NGX_REALTIME_REDIS_GREETING,
    NGX_REALTIME_REDIS_UP
} ngx_realtime_redis_state_e;

/* Commands on their way out: sent bytes stay until all is sent or the rest is moved down. */
typedef struct {
    u_char *data;
    size_t  size;
    size_t  len;
    size_t  sent;
} ngx_realtime_redis_out_t;

struct ngx_realtime_redis_s {
    const ngx_realtime_redis_conf_t *conf;
    const char                      *name;
    ngx_realtime_redis_handlers_t    handlers;
    ngx_log_t                       *log;
    ngx_realtime_redis_state_e       state;
    ngx_connection_t                *connection;
    redisReader                     *reader;
    ngx_realtime_resolve_t          *resolve;
    ngx_realtime_redis_out_t         out;
    ngx_event_t                      retry; /* waiting: the next try */
    ngx_event_t                      watch; /* until greeted, then PING */
    ngx_event_t                      flush; /* posted: the end of this turn */
    ngx_msec_t                       backoff;
    ngx_msec_t                       up_at;
    ngx_msec_t                       heard; /* when the last byte came */
    ngx_uint_t                       greetings;
    uint64_t                         sent_count; /* commands since it is up */
    uint64_t                         answered_count;
    uint64_t                         ping_us;     /* when it was queued; CLOCK_MONOTONIC */
    uint64_t                         ping_number; /* which of them is a PING of ours; 0: none */
    u_char                           db_text[NGX_INT_T_LEN];
    unsigned                         subscriber:1;
    unsigned                         early:1;  /* the event loop has not run yet */
    unsigned                         failed:1; /* given up at the end of this turn */
    unsigned                         told:1;   /* the log knows that it is away */
};

void ngx_realtime_redis_event(ngx_realtime_redis_t *redis, ngx_event_t *ev,
    ngx_event_handler_pt handler);

/* Gives the connection up and tries again later; on_down if it was up. why: for the log, told once;
 * NULL: told already. */
void ngx_realtime_redis_fail(ngx_realtime_redis_t *redis, const char *why);

void ngx_realtime_redis_greet(ngx_realtime_redis_t *redis);


/* ngx_realtime_redis_tls.c */

/* Begins the handshake of a connection that is made; greets after it, or fails. */
void ngx_realtime_redis_tls_open(ngx_realtime_redis_t *redis);

/* Frees what TLS holds of a connection, if it has any; at once, without waiting for the peer. */
void ngx_realtime_redis_tls_close(ngx_connection_t *c);


/* ngx_realtime_redis_out.c */

/* Formats a command into the buffer, whatever the state. NGX_ERROR: no memory. */
ngx_int_t ngx_realtime_redis_append(ngx_realtime_redis_t *redis, ngx_uint_t argc,
    const ngx_str_t *argv);

/* Writes as much as the socket takes. NGX_ERROR: the connection is lost. */
ngx_int_t ngx_realtime_redis_write(ngx_realtime_redis_t *redis);

void ngx_realtime_redis_flush_handler(ngx_event_t *ev);

#endif
