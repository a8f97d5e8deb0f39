/* What the files of the stream share. */

#ifndef NGX_REALTIME_STREAM_PRIVATE_H
#define NGX_REALTIME_STREAM_PRIVATE_H

#include "ngx_realtime_redis.h"
#include "ngx_realtime_stream.h"

#include <rt/rt_call.h>


#define NGX_REALTIME_STREAM_GROUP    "realtime"
#define NGX_REALTIME_STREAM_CONSUMER "nginx"

#define NGX_REALTIME_STREAM_BLOCK_MS   500  /* below the patience of the connection's PING */
#define NGX_REALTIME_STREAM_LEASE_MS   3000 /* a reader that is not heard of for so long is gone */
#define NGX_REALTIME_STREAM_STANDBY_MS 700
#define NGX_REALTIME_STREAM_TICK_MS    5000 /* between two looks at what nobody reads any more */
#define NGX_REALTIME_STREAM_PAUSE_MIN  500  /* when the store is away */
#define NGX_REALTIME_STREAM_PAUSE_MAX  5000
#define NGX_REALTIME_STREAM_BYTES      (8 * 1024 * 1024) /* that one read is meant to bring */
#define NGX_REALTIME_STREAM_ENTRY_MAX  (1024 * 1024)
#define NGX_REALTIME_STREAM_FIELDS_MAX 1000  /* names and texts */
#define NGX_REALTIME_STREAM_TRIES_MAX  5     /* at an event that fails by a fault of ours */
#define NGX_REALTIME_STREAM_DEAD_MAX   10000 /* that are kept, or some more */
#define NGX_REALTIME_STREAM_ID         48    /* bytes: two numbers of 64 bits and a hyphen */
#define NGX_REALTIME_STREAM_EXPECTED   1024  /* answers: a batch has 256 entries, and some more */

/* What the answer to a command is about. */
typedef enum {
    NGX_REALTIME_STREAM_NOTHING = 0,
    NGX_REALTIME_STREAM_TAKE,    /* the lease, by one who has it not */
    NGX_REALTIME_STREAM_LEASE,   /* whose it is */
    NGX_REALTIME_STREAM_CLAIM,   /* what others have left */
    NGX_REALTIME_STREAM_SUMMARY, /* of what is not acknowledged */
    NGX_REALTIME_STREAM_READ,
    NGX_REALTIME_STREAM_CREATE, /* the group */
    NGX_REALTIME_STREAM_DEAD    /* an entry that was refused was kept */
} ngx_realtime_stream_about_e;

typedef enum {
    NGX_REALTIME_STREAM_WAITS = 0,
    NGX_REALTIME_STREAM_DONE,    /* may be acknowledged */
    NGX_REALTIME_STREAM_REFUSED, /* to be kept with its reason, then acknowledged */
    NGX_REALTIME_STREAM_AGAIN    /* to be read again later */
} ngx_realtime_stream_state_e;

typedef struct {
    u_char                      id[NGX_REALTIME_STREAM_ID];
    size_t                      id_len;
    redisReply                 *fields; /* its own; NULL: the entry was removed */
    ngx_realtime_stream_state_e state;
    char                        reason[RT_ERROR_TEXT_MAX];
    unsigned                    faulty:1; /* failed by a fault of ours */
} ngx_realtime_stream_entry_t;

/* An entry that failed by a fault of ours, and how often. */
typedef struct {
    u_char     id[NGX_REALTIME_STREAM_ID];
    size_t     id_len;
    ngx_uint_t times;
} ngx_realtime_stream_stuck_t;

/* What one read has brought. */
typedef struct {
    ngx_uint_t                  count;
    ngx_uint_t                  out;  /* calls that are not back */
    ngx_uint_t                  dead; /* answers awaited to what keeps the refused ones */
    ngx_realtime_stream_entry_t entries[];
} ngx_realtime_stream_batch_t;

typedef struct {
    ngx_realtime_redis_t        *redis;
    ngx_log_t                   *log;
    ngx_str_t                    name;
    ngx_str_t                    dead;
    ngx_str_t                    lease;
    ngx_str_t                    owner; /* of the lease: this worker */
    u_char                       owner_text[2 * sizeof(ngx_realtime_worker_id_t)];
    ngx_event_t                  timer;
    ngx_realtime_stream_batch_t *batch;
    ngx_uint_t                   count; /* entries that the next read asks for */
    ngx_msec_t                   ticked;
    ngx_msec_t                   pause;
    size_t                       last_len; /* 0: nothing was read since the connection is up */
    u_char                       last[NGX_REALTIME_STREAM_ID];
    ngx_realtime_stream_stuck_t  stuck[RT_BATCH_MAX]; /* of the last batch: the next begins there */
    ngx_uint_t                   stuck_count;
    uint8_t    expected[NGX_REALTIME_STREAM_EXPECTED]; /* ngx_realtime_stream_about_e; a ring */
    uint16_t   expected_entry[NGX_REALTIME_STREAM_EXPECTED];
    ngx_uint_t expected_first;
    ngx_uint_t expected_count;
    unsigned   leader:1;
    unsigned   lost:1;    /* the lease is another's: the last batch of ours */
    unsigned   backlog:1; /* there may be entries that were read and not acknowledged */
    unsigned   behind:1;  /* the read that is out is for these */
    unsigned   waiting:1; /* for TAKE, READ or CREATE */
    unsigned   quitting:1;
    unsigned   told:1; /* the log knows of the trouble */
} ngx_realtime_stream_t;

/* Does what is next, when nothing is out. */
void ngx_realtime_stream_next(ngx_realtime_stream_t *stream);

/* Gives the lease back, and waits before it is asked for again. */
void ngx_realtime_stream_step_down(ngx_realtime_stream_t *stream, ngx_msec_t pause);

/* NGX_ERROR: not up, no memory, or too many answers are due. entry: of a DEAD, else 0. */
ngx_int_t ngx_realtime_stream_command(ngx_realtime_stream_t *stream,
    ngx_realtime_stream_about_e about, ngx_uint_t entry, ngx_uint_t argc, const ngx_str_t *argv);


/* ngx_realtime_stream_batch.c */

/* Takes the entries of a read over, at least one. NGX_ERROR: no memory, or not what Redis should
 * answer. */
ngx_int_t ngx_realtime_stream_batch_start(ngx_realtime_stream_t *stream, redisReply *entries);

/* The answer about a refused entry. */
void ngx_realtime_stream_batch_kept(ngx_realtime_stream_t *stream, ngx_uint_t entry,
    const redisReply *reply);

/* The connection is gone: acknowledgements that were due are not sent. */
void ngx_realtime_stream_batch_down(ngx_realtime_stream_t *stream);

void ngx_realtime_stream_batch_free(ngx_realtime_stream_t *stream);

#endif
