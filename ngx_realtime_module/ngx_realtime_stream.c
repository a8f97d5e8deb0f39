/* The door of events that is a Redis Stream: who reads it, and when.
 *
 * One worker of the cluster reads at a time, so that events are stored in the stream's order. It
 * holds a lease, a key of Redis that expires, which it renews with every read; the others ask for
 * it now and then. All of them are one consumer of the group: whoever has the lease begins with
 * what was read and not acknowledged, the work of a reader that died included.
 *
 *   standby ──SET NX──▶ leader: what is pending ──none──▶ what is new (BLOCK) ─┐
 *      ▲                  ▲                                     ▲              │
 *      │                  └──── some failed, the store is back  └── stored ◀───┘
 *      └── the lease is lost, the store is away
 *
 * An event is acknowledged after it is stored. What is read twice is stored once, since the entry's
 * id makes it known; so two readers for a moment do no harm but to the order.
 *
 * Entries of other consumers in our group, which nobody else should be, are claimed when they are
 * idle for some seconds. What is acknowledged is trimmed away, never what is not. */

#include "ngx_realtime_metrics.h"
#include "ngx_realtime_stream_private.h"


static void ngx_realtime_stream_on_up(void *data);
static void ngx_realtime_stream_on_down(void *data);
static void ngx_realtime_stream_on_reply(void *data, redisReply *reply);
static void ngx_realtime_stream_on_latency(void *data, uint64_t us);
static void ngx_realtime_stream_timer_handler(ngx_event_t *ev);
static void ngx_realtime_stream_take(ngx_realtime_stream_t *stream);
static void ngx_realtime_stream_read(ngx_realtime_stream_t *stream);
static void ngx_realtime_stream_tick(ngx_realtime_stream_t *stream);
static void ngx_realtime_stream_took(ngx_realtime_stream_t *stream, const redisReply *reply);
static void ngx_realtime_stream_renew(ngx_realtime_stream_t *stream, const redisReply *reply);
static void ngx_realtime_stream_claimed(ngx_realtime_stream_t *stream, const redisReply *reply);
static void ngx_realtime_stream_trim(ngx_realtime_stream_t *stream, const redisReply *reply);
static void ngx_realtime_stream_came(ngx_realtime_stream_t *stream, redisReply *reply);
static void ngx_realtime_stream_create(ngx_realtime_stream_t *stream);
static void ngx_realtime_stream_created(ngx_realtime_stream_t *stream, const redisReply *reply);
static void ngx_realtime_stream_trouble(ngx_realtime_stream_t *stream, const redisReply *reply);
static void ngx_realtime_stream_well(ngx_realtime_stream_t *stream);
static void ngx_realtime_stream_later(ngx_realtime_stream_t *stream, ngx_msec_t pause);

static ngx_realtime_stream_t *ngx_realtime_stream;


static ngx_int_t
ngx_realtime_stream_names(ngx_realtime_stream_t *stream, ngx_pool_t *pool, const ngx_str_t *name)
{
    stream->name = *name;
    stream->dead.data = ngx_pnalloc(pool, name->len + sizeof(":dead"));
    stream->lease.data = ngx_pnalloc(pool, name->len + sizeof(":reader"));

    if (stream->dead.data == NULL || stream->lease.data == NULL) {
        return NGX_ERROR;
    }

    stream->dead.len = ngx_sprintf(stream->dead.data, "%V:dead", name) - stream->dead.data;
    stream->lease.len = ngx_sprintf(stream->lease.data, "%V:reader", name) - stream->lease.data;

    stream->owner.data = stream->owner_text;
    stream->owner.len =
        ngx_sprintf(stream->owner_text, "%016xL", ngx_realtime_worker->id) - stream->owner_text;

    return NGX_OK;
}


ngx_int_t
ngx_realtime_stream_init(ngx_realtime_worker_t *worker)
{
    ngx_realtime_stream_t        *stream;
    ngx_realtime_redis_handlers_t handlers;

    if (worker->conf->events_stream.len == 0) {
        return NGX_OK;
    }

    stream = ngx_pcalloc(worker->cycle->pool, sizeof(ngx_realtime_stream_t));
    if (stream == NULL
        || ngx_realtime_stream_names(stream, worker->cycle->pool, &worker->conf->events_stream)
            != NGX_OK)
    {
        return NGX_ERROR;
    }

    stream->log = worker->log;
    stream->count = RT_BATCH_MAX;
    stream->timer.handler = ngx_realtime_stream_timer_handler;
    stream->timer.data = &ngx_realtime_no_connection;
    stream->timer.log = worker->log;
    stream->timer.cancelable = 1;

    handlers.on_up = ngx_realtime_stream_on_up;
    handlers.on_down = ngx_realtime_stream_on_down;
    handlers.on_reply = ngx_realtime_stream_on_reply;
    handlers.on_latency = ngx_realtime_stream_on_latency;
    handlers.data = stream;

    stream->redis = ngx_realtime_redis_create(worker->conf->redis, "realtime-events", 0, &handlers,
        worker->log);

    ngx_realtime_stream = stream->redis ? stream : NULL;

    return stream->redis ? NGX_OK : NGX_ERROR;
}


void
ngx_realtime_stream_quit(void)
{
    if (ngx_realtime_stream != NULL) {
        ngx_realtime_stream->quitting = 1;
        ngx_realtime_stream_next(ngx_realtime_stream);
    }
}


ngx_uint_t
ngx_realtime_stream_busy(void)
{
    ngx_realtime_stream_t *stream = ngx_realtime_stream;

    return stream != NULL && (stream->batch != NULL || stream->waiting);
}


void
ngx_realtime_stream_exit(void)
{
    ngx_realtime_stream_t *stream = ngx_realtime_stream;

    if (stream == NULL) {
        return;
    }

    ngx_realtime_stream = NULL;

    if (stream->timer.timer_set) {
        ngx_del_timer(&stream->timer);
    }

    ngx_realtime_redis_destroy(stream->redis);
    ngx_realtime_stream_batch_free(stream);
}


ngx_int_t
ngx_realtime_stream_command(ngx_realtime_stream_t *stream, ngx_realtime_stream_about_e about,
    ngx_uint_t entry, ngx_uint_t argc, const ngx_str_t *argv)
{
    ngx_uint_t i;

    if (stream->expected_count == NGX_REALTIME_STREAM_EXPECTED
        || ngx_realtime_redis_command(stream->redis, argc, argv) != NGX_OK)
    {
        return NGX_ERROR;
    }

    i = (stream->expected_first + stream->expected_count) % NGX_REALTIME_STREAM_EXPECTED;
    stream->expected[i] = (uint8_t) about;
    stream->expected_entry[i] = (uint16_t) entry;
    stream->expected_count++;

    return NGX_OK;
}


static void
ngx_realtime_stream_on_up(void *data)
{
    ngx_realtime_stream_t *stream = data;

    stream->last_len = 0;
    ngx_realtime_stream_next(stream);
}


static void
ngx_realtime_stream_on_down(void *data)
{
    ngx_realtime_stream_t *stream = data;

    stream->expected_count = 0;
    stream->leader = 0;
    stream->lost = 0;
    stream->waiting = 0;

    if (stream->timer.timer_set) {
        ngx_del_timer(&stream->timer);
    }

    ngx_realtime_stream_batch_down(stream);
}


/* How long a blocked connection answers no PING tells nothing. */
static void
ngx_realtime_stream_on_latency(void *data, uint64_t us)
{
    (void) data;
    (void) us;
}


static void
ngx_realtime_stream_on_reply(void *data, redisReply *reply)
{
    ngx_uint_t                  entry;
    ngx_realtime_stream_t      *stream = data;
    ngx_realtime_stream_about_e about;

    if (stream->expected_count == 0) {
        ngx_realtime_redis_reset(stream->redis); /* an answer that nobody asked for */
        return;
    }

    about = stream->expected[stream->expected_first];
    entry = stream->expected_entry[stream->expected_first];
    stream->expected_first = (stream->expected_first + 1) % NGX_REALTIME_STREAM_EXPECTED;
    stream->expected_count--;

    switch (about) {

    case NGX_REALTIME_STREAM_TAKE:
        ngx_realtime_stream_took(stream, reply);
        break;

    case NGX_REALTIME_STREAM_LEASE:
        ngx_realtime_stream_renew(stream, reply);
        break;

    case NGX_REALTIME_STREAM_CLAIM:
        ngx_realtime_stream_claimed(stream, reply);
        break;

    case NGX_REALTIME_STREAM_SUMMARY:
        ngx_realtime_stream_trim(stream, reply);
        break;

    case NGX_REALTIME_STREAM_READ:
        ngx_realtime_stream_came(stream, reply);
        break;

    case NGX_REALTIME_STREAM_CREATE:
        ngx_realtime_stream_created(stream, reply);
        break;

    case NGX_REALTIME_STREAM_DEAD:
        ngx_realtime_stream_batch_kept(stream, entry, reply);
        break;

    case NGX_REALTIME_STREAM_NOTHING:
        break;
    }
}


static void
ngx_realtime_stream_timer_handler(ngx_event_t *ev)
{
    (void) ev;

    ngx_realtime_stream_next(ngx_realtime_stream);
}


static void
ngx_realtime_stream_later(ngx_realtime_stream_t *stream, ngx_msec_t pause)
{
    if (stream->quitting) {
        return;
    }

    /* the workers of a cluster should not all ask in one instant */
    ngx_add_timer(&stream->timer, pause + (ngx_msec_t) ngx_random() % (pause / 3 + 1));
}


void
ngx_realtime_stream_step_down(ngx_realtime_stream_t *stream, ngx_msec_t pause)
{
    ngx_str_t argv[2];

    if (stream->leader && !stream->lost) {
        ngx_str_set(&argv[0], "DEL");
        argv[1] = stream->lease;
        (void) ngx_realtime_stream_command(stream, NGX_REALTIME_STREAM_NOTHING, 0, 2, argv);
    }

    stream->leader = 0;
    stream->lost = 0;

    ngx_realtime_stream_later(stream, pause);
}


void
ngx_realtime_stream_next(ngx_realtime_stream_t *stream)
{
    if (stream->batch != NULL || stream->waiting || !ngx_realtime_redis_is_up(stream->redis)) {
        return;
    }

    if (stream->timer.timer_set) {
        ngx_del_timer(&stream->timer);
    }

    if (stream->quitting || stream->lost) {
        ngx_realtime_stream_step_down(stream, NGX_REALTIME_STREAM_STANDBY_MS);
        return;
    }

    if (ngx_realtime_worker->core == NULL) {
        ngx_realtime_stream_step_down(stream, NGX_REALTIME_STREAM_PAUSE_MAX);
        return;
    }

    if (!stream->leader) {
        ngx_realtime_stream_take(stream);
        return;
    }

    ngx_realtime_stream_read(stream);
}


static void
ngx_realtime_stream_take(ngx_realtime_stream_t *stream)
{
    u_char    text[NGX_INT_T_LEN];
    ngx_str_t argv[6];

    ngx_str_set(&argv[0], "SET");
    argv[1] = stream->lease;
    argv[2] = stream->owner;
    ngx_str_set(&argv[3], "NX");
    ngx_str_set(&argv[4], "PX");
    argv[5].data = text;
    argv[5].len = ngx_sprintf(text, "%d", NGX_REALTIME_STREAM_LEASE_MS) - text;

    stream->waiting =
        ngx_realtime_stream_command(stream, NGX_REALTIME_STREAM_TAKE, 0, 6, argv) == NGX_OK;

    if (!stream->waiting) {
        ngx_realtime_stream_later(stream, NGX_REALTIME_STREAM_PAUSE_MAX);
    }
}


static void
ngx_realtime_stream_took(ngx_realtime_stream_t *stream, const redisReply *reply)
{
    stream->waiting = 0;

    if (reply->type == REDIS_REPLY_NIL) {
        ngx_realtime_stream_well(stream);
        ngx_realtime_stream_later(stream, NGX_REALTIME_STREAM_STANDBY_MS);
        return;
    }

    if (reply->type != REDIS_REPLY_STATUS) {
        ngx_realtime_stream_trouble(stream, reply);
        return;
    }

    stream->leader = 1;
    stream->backlog = 1;
    stream->ticked = ngx_current_msec - NGX_REALTIME_STREAM_TICK_MS;

    ngx_realtime_stream_next(stream);
}


static void
ngx_realtime_stream_read(ngx_realtime_stream_t *stream)
{
    u_char     count[NGX_INT_T_LEN], block[NGX_INT_T_LEN];
    ngx_uint_t n;
    ngx_str_t  argv[11];

    ngx_str_set(&argv[0], "GET");
    argv[1] = stream->lease;

    (void) ngx_realtime_stream_command(stream, NGX_REALTIME_STREAM_LEASE, 0, 2, argv);

    if (ngx_current_msec - stream->ticked >= NGX_REALTIME_STREAM_TICK_MS) {
        stream->ticked = ngx_current_msec;
        ngx_realtime_stream_tick(stream);
    }

    stream->behind = stream->backlog;

    ngx_str_set(&argv[0], "XREADGROUP");
    ngx_str_set(&argv[1], "GROUP");
    ngx_str_set(&argv[2], NGX_REALTIME_STREAM_GROUP);
    ngx_str_set(&argv[3], NGX_REALTIME_STREAM_CONSUMER);
    ngx_str_set(&argv[4], "COUNT");
    argv[5].data = count;
    argv[5].len = ngx_sprintf(count, "%ui", stream->count) - count;
    n = 6;

    if (!stream->behind) {
        ngx_str_set(&argv[n], "BLOCK");
        argv[n + 1].data = block;
        argv[n + 1].len = ngx_sprintf(block, "%d", NGX_REALTIME_STREAM_BLOCK_MS) - block;
        n += 2;
    }

    ngx_str_set(&argv[n], "STREAMS");
    argv[n + 1] = stream->name;
    ngx_str_set(&argv[n + 2], ">");

    if (stream->behind) {
        ngx_str_set(&argv[n + 2], "0");
    }

    stream->waiting =
        ngx_realtime_stream_command(stream, NGX_REALTIME_STREAM_READ, 0, n + 3, argv) == NGX_OK;

    if (!stream->waiting) {
        ngx_realtime_stream_later(stream, NGX_REALTIME_STREAM_PAUSE_MAX);
    }
}


/* What consumers of other names have left, and from where on the stream is still needed. */
static void
ngx_realtime_stream_tick(ngx_realtime_stream_t *stream)
{
    u_char    idle[NGX_INT_T_LEN], count[NGX_INT_T_LEN];
    ngx_str_t argv[9];

    ngx_str_set(&argv[0], "XAUTOCLAIM");
    argv[1] = stream->name;
    ngx_str_set(&argv[2], NGX_REALTIME_STREAM_GROUP);
    ngx_str_set(&argv[3], NGX_REALTIME_STREAM_CONSUMER);
    argv[4].data = idle;
    argv[4].len = ngx_sprintf(idle, "%d", NGX_REALTIME_STREAM_TICK_MS) - idle;
    ngx_str_set(&argv[5], "0-0");
    ngx_str_set(&argv[6], "COUNT");
    argv[7].data = count;
    argv[7].len = ngx_sprintf(count, "%d", RT_BATCH_MAX) - count;
    ngx_str_set(&argv[8], "JUSTID");
    (void) ngx_realtime_stream_command(stream, NGX_REALTIME_STREAM_CLAIM, 0, 9, argv);

    ngx_str_set(&argv[0], "XPENDING");
    (void) ngx_realtime_stream_command(stream, NGX_REALTIME_STREAM_SUMMARY, 0, 3, argv);
}


static void
ngx_realtime_stream_renew(ngx_realtime_stream_t *stream, const redisReply *reply)
{
    u_char     text[NGX_INT_T_LEN];
    ngx_str_t  argv[6];
    ngx_uint_t n;

    argv[1] = stream->lease;
    n = 2;

    if (reply->type == REDIS_REPLY_STRING && (size_t) reply->len == stream->owner.len
        && ngx_memcmp(reply->str, stream->owner.data, reply->len) == 0)
    {
        ngx_str_set(&argv[0], "PEXPIRE");

    } else if (reply->type == REDIS_REPLY_NIL) { /* expired, or Redis has lost it */
        ngx_str_set(&argv[0], "SET");
        argv[n++] = stream->owner;
        ngx_str_set(&argv[n], "NX");
        ngx_str_set(&argv[n + 1], "PX");
        n += 2;

    } else {
        stream->lost = reply->type == REDIS_REPLY_STRING;
        return;
    }

    argv[n].data = text;
    argv[n].len = ngx_sprintf(text, "%d", NGX_REALTIME_STREAM_LEASE_MS) - text;

    (void) ngx_realtime_stream_command(stream, NGX_REALTIME_STREAM_NOTHING, 0, n + 1, argv);
}


/* They are of our consumer now. */
static void
ngx_realtime_stream_claimed(ngx_realtime_stream_t *stream, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements >= 2
        && reply->element[1]->type == REDIS_REPLY_ARRAY && reply->element[1]->elements != 0)
    {
        stream->backlog = 1;
    }
}


/* The stream begins with what is not acknowledged, or where all is, with what was read last. */
static void
ngx_realtime_stream_trim(ngx_realtime_stream_t *stream, const redisReply *reply)
{
    ngx_str_t argv[5];

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2
        || reply->element[0]->type != REDIS_REPLY_INTEGER)
    {
        return; /* the read tells what is wrong */
    }

    argv[4].data = stream->last;
    argv[4].len = stream->last_len;

    if (reply->element[0]->integer != 0) {
        if (reply->element[1]->type != REDIS_REPLY_STRING) {
            return;
        }

        argv[4].data = (u_char *) reply->element[1]->str;
        argv[4].len = reply->element[1]->len;
    }

    if (argv[4].len == 0) {
        return;
    }

    ngx_str_set(&argv[0], "XTRIM");
    argv[1] = stream->name;
    ngx_str_set(&argv[2], "MINID");
    ngx_str_set(&argv[3], "~");

    (void) ngx_realtime_stream_command(stream, NGX_REALTIME_STREAM_NOTHING, 0, 5, argv);
}


/* [[name, [[id, [name, text, …]], …]]], or nil when the time was over */
static void
ngx_realtime_stream_came(ngx_realtime_stream_t *stream, redisReply *reply)
{
    redisReply *entries;

    stream->waiting = 0;
    entries = NULL;

    if (reply->type == REDIS_REPLY_ERROR) {
        if (ngx_strncmp(reply->str, "NOGROUP", 7) == 0) {
            ngx_realtime_stream_create(stream);
        } else {
            ngx_realtime_stream_trouble(stream, reply);
        }

        return;
    }

    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1
        && reply->element[0]->type == REDIS_REPLY_ARRAY && reply->element[0]->elements == 2
        && reply->element[0]->element[1]->type == REDIS_REPLY_ARRAY)
    {
        entries = reply->element[0]->element[1];

    } else if (reply->type != REDIS_REPLY_NIL) {
        ngx_realtime_stream_trouble(stream, reply);
        return;
    }

    ngx_realtime_stream_well(stream);

    if (entries == NULL || entries->elements == 0) {
        stream->backlog = stream->behind ? 0 : stream->backlog;
        ngx_realtime_stream_next(stream);
        return;
    }

    if (ngx_realtime_stream_batch_start(stream, entries) != NGX_OK) {
        ngx_realtime_stream_step_down(stream, NGX_REALTIME_STREAM_PAUSE_MAX);
    }
}


/* From the first entry: events that were raised before anybody read count too. */
static void
ngx_realtime_stream_create(ngx_realtime_stream_t *stream)
{
    ngx_str_t argv[6];

    stream->last_len = 0;

    ngx_str_set(&argv[0], "XGROUP");
    ngx_str_set(&argv[1], "CREATE");
    argv[2] = stream->name;
    ngx_str_set(&argv[3], NGX_REALTIME_STREAM_GROUP);
    ngx_str_set(&argv[4], "0");
    ngx_str_set(&argv[5], "MKSTREAM");

    stream->waiting =
        ngx_realtime_stream_command(stream, NGX_REALTIME_STREAM_CREATE, 0, 6, argv) == NGX_OK;

    if (!stream->waiting) {
        ngx_realtime_stream_later(stream, NGX_REALTIME_STREAM_PAUSE_MAX);
    }
}


static void
ngx_realtime_stream_created(ngx_realtime_stream_t *stream, const redisReply *reply)
{
    stream->waiting = 0;

    if (reply->type == REDIS_REPLY_ERROR && ngx_strncmp(reply->str, "BUSYGROUP", 9) != 0) {
        ngx_realtime_stream_trouble(stream, reply);
        return;
    }

    ngx_realtime_stream_next(stream);
}


/* Redis is there and refuses: no permission, another type of key, a version before 6.2. */
static void
ngx_realtime_stream_trouble(ngx_realtime_stream_t *stream, const redisReply *reply)
{
    ngx_str_t why = ngx_string("an answer that is not understood");

    if (reply->type == REDIS_REPLY_ERROR) {
        why.data = (u_char *) reply->str;
        why.len = ngx_min((size_t) reply->len, 200);
    }

    if (!stream->told) {
        stream->told = 1;
        ngx_log_error(NGX_LOG_ERR, stream->log, 0,
            "realtime: the stream of events \"%V\" can't be read: %V", &stream->name, &why);
    }

    ngx_realtime_stream_step_down(stream, NGX_REALTIME_STREAM_PAUSE_MAX);
}


static void
ngx_realtime_stream_well(ngx_realtime_stream_t *stream)
{
    if (stream->told) {
        stream->told = 0;
        ngx_log_error(NGX_LOG_NOTICE, stream->log, 0,
            "realtime: the stream of events \"%V\" can be read again", &stream->name);
    }
}
