/* What one read of the stream brought: a core call for each entry, all of which are stored in one
 * group; then the acknowledgements, and the refused ones into the dead stream. */

#include "ngx_realtime_metrics.h"
#include "ngx_realtime_stream_private.h"
#include "ngx_realtime_task.h"

#include <rt/rt_json.h>
#include <rt/rt_text.h>


static ngx_int_t  ngx_realtime_stream_entry_take(ngx_realtime_stream_entry_t *entry,
     redisReply *reply, size_t *bytes);
static void       ngx_realtime_stream_entry_post(ngx_realtime_stream_t *stream,
          ngx_realtime_stream_entry_t *entry, size_t bytes);
static json_t    *ngx_realtime_stream_entry_request(ngx_realtime_stream_t *stream,
       ngx_realtime_stream_entry_t *entry, size_t bytes);
static void       ngx_realtime_stream_entry_done(rt_call_t *call, void *data);
static void       ngx_realtime_stream_batch_end(ngx_realtime_stream_t *stream);
static ngx_uint_t ngx_realtime_stream_tries(ngx_realtime_stream_t *stream,
    ngx_realtime_stream_entry_t                                   *entry);
static void       ngx_realtime_stream_batch_judge(ngx_realtime_stream_t *stream);
static void       ngx_realtime_stream_batch_settle(ngx_realtime_stream_t *stream);
static ngx_int_t  ngx_realtime_stream_keep(ngx_realtime_stream_t *stream, ngx_uint_t i);
static void ngx_realtime_stream_refuse(ngx_realtime_stream_entry_t *entry, const char *reason);

/* the one whose batch is out: calls know their entries alone */
static ngx_realtime_stream_t *ngx_realtime_stream_owner;


ngx_int_t
ngx_realtime_stream_batch_start(ngx_realtime_stream_t *stream, redisReply *entries)
{
    size_t                       bytes[RT_BATCH_MAX], all;
    ngx_uint_t                   i, count;
    ngx_realtime_stream_batch_t *batch;
    ngx_realtime_stream_entry_t *entry;

    count = ngx_min(entries->elements, RT_BATCH_MAX);

    batch = ngx_calloc(sizeof(ngx_realtime_stream_batch_t)
            + count * sizeof(ngx_realtime_stream_entry_t),
        stream->log);
    if (batch == NULL) {
        return NGX_ERROR;
    }

    batch->count = count;
    stream->batch = batch;
    ngx_realtime_stream_owner = stream;

    for (i = 0, all = 0; i < count; i++) {
        if (ngx_realtime_stream_entry_take(&batch->entries[i], entries->element[i], &bytes[i])
            != NGX_OK) {
            ngx_realtime_stream_batch_free(stream);
            return NGX_ERROR;
        }

        all += bytes[i];
    }

    /* entries that are large come in smaller numbers */
    stream->count = NGX_REALTIME_STREAM_BYTES * count / (all + 1);
    stream->count = ngx_max(1, ngx_min(RT_BATCH_MAX, stream->count));

    if (!stream->behind) {
        entry = &batch->entries[count - 1];
        ngx_memcpy(stream->last, entry->id, entry->id_len);
        stream->last_len = entry->id_len;
    }

    for (i = 0; i < count; i++) {
        ngx_realtime_stream_entry_post(stream, &batch->entries[i], bytes[i]);
    }

    if (batch->out == 0) {
        ngx_realtime_stream_batch_end(stream);
    }

    return NGX_OK;
}


/* [id, [name, text, …]]; of an entry that was removed, [id, nil] */
static ngx_int_t
ngx_realtime_stream_entry_take(ngx_realtime_stream_entry_t *entry, redisReply *reply, size_t *bytes)
{
    size_t      i;
    redisReply *fields;

    *bytes = 0;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2
        || reply->element[0]->type != REDIS_REPLY_STRING
        || (size_t) reply->element[0]->len > NGX_REALTIME_STREAM_ID)
    {
        return NGX_ERROR;
    }

    entry->id_len = reply->element[0]->len;
    ngx_memcpy(entry->id, reply->element[0]->str, entry->id_len);

    fields = reply->element[1];

    if (fields->type != REDIS_REPLY_ARRAY) {
        return NGX_OK;
    }

    for (i = 0; i < fields->elements; i++) {
        if (fields->element[i]->type != REDIS_REPLY_STRING) {
            return NGX_ERROR;
        }

        *bytes += (size_t) fields->element[i]->len;
    }

    reply->element[1] = NULL; /* ours now */
    entry->fields = fields;

    return NGX_OK;
}


static void
ngx_realtime_stream_entry_post(ngx_realtime_stream_t *stream, ngx_realtime_stream_entry_t *entry,
    size_t bytes)
{
    json_t    *request;
    rt_call_t *call;

    if (entry->fields == NULL) {
        entry->state = NGX_REALTIME_STREAM_DONE;
        return;
    }

    request = ngx_realtime_stream_entry_request(stream, entry, bytes);

    if (entry->state != NGX_REALTIME_STREAM_WAITS) {
        json_decref(request);
        return;
    }

    call = rt_call_create(rt_op_find("event.take"), RT_DOOR_SOCKET, NULL, request, rt_str_null);

    if (call == NULL || ngx_realtime_task_post(call, ngx_realtime_stream_entry_done, entry) == NULL)
    {
        rt_call_destroy(call);
        entry->state = NGX_REALTIME_STREAM_AGAIN;
        return;
    }

    stream->batch->out++;
}


/* NULL, or entry->state set, when there can't be one. */
static json_t *
ngx_realtime_stream_entry_request(ngx_realtime_stream_t *stream, ngx_realtime_stream_entry_t *entry,
    size_t bytes)
{
    size_t      i;
    json_t     *fields, *text;
    u_char      key[NGX_REALTIME_STREAM_NAME_MAX + NGX_REALTIME_STREAM_ID + sizeof("stream\n\n")];
    size_t      len;
    redisReply *from = entry->fields;

    if (bytes > NGX_REALTIME_STREAM_ENTRY_MAX || from->elements > NGX_REALTIME_STREAM_FIELDS_MAX) {
        ngx_realtime_stream_refuse(entry, "the entry is too large");
        return NULL;
    }

    fields = json_array();

    for (i = 0; i < from->elements; i++) {
        text = json_stringn(from->element[i]->str, (size_t) from->element[i]->len);

        if (text == NULL) {
            ngx_realtime_stream_refuse(entry, "fields must be UTF-8 text");
            json_decref(fields);
            return NULL;
        }

        (void) json_array_append_new(fields, text);
    }

    /* no header of a request, which is a key too, holds a line feed */
    len = ngx_snprintf(key, sizeof(key), "stream\n%V\n%*s", &stream->name, entry->id_len, entry->id)
        - key;

    return json_pack("{s:o,s:s%}", "fields", fields, "idempotencyKey", key, len);
}


/* data is never let go of */
static void
ngx_realtime_stream_entry_done(rt_call_t *call, void *data)
{
    ngx_realtime_stream_t       *stream = ngx_realtime_stream_owner;
    ngx_realtime_stream_entry_t *entry = data;

    switch (call->status) {

    case RT_OK:
        entry->state = NGX_REALTIME_STREAM_DONE;

        if (call->created) {
            ngx_realtime_metrics->counts.stream_stored++;
        } else {
            ngx_realtime_metrics->counts.stream_repeated++;
        }

        break;

    case RT_UNAVAILABLE:
    case RT_NO_MEMORY:
        entry->state = NGX_REALTIME_STREAM_AGAIN;
        break;

    case RT_ERROR:
        entry->state = NGX_REALTIME_STREAM_AGAIN;
        entry->faulty = 1;
        break;

    default:
        ngx_realtime_stream_refuse(entry, call->error.text);
        break;
    }

    if (--stream->batch->out == 0) {
        ngx_realtime_stream_batch_end(stream);
    }
}


static void
ngx_realtime_stream_refuse(ngx_realtime_stream_entry_t *entry, const char *reason)
{
    entry->state = NGX_REALTIME_STREAM_REFUSED;
    (void) ngx_cpystrn((u_char *) entry->reason, (u_char *) reason, sizeof(entry->reason));
}


/* How often it has failed by a fault of ours before. */
static ngx_uint_t
ngx_realtime_stream_tries(ngx_realtime_stream_t *stream, ngx_realtime_stream_entry_t *entry)
{
    ngx_uint_t                   i;
    ngx_realtime_stream_stuck_t *stuck;

    for (i = 0; i < stream->stuck_count; i++) {
        stuck = &stream->stuck[i];

        if (stuck->id_len == entry->id_len && ngx_memcmp(stuck->id, entry->id, entry->id_len) == 0)
        {
            return stuck->times;
        }
    }

    return 0;
}


/* Those that failed by a fault of ours are tried some times each, and do not hold the others up for
 * ever. */
static void
ngx_realtime_stream_batch_judge(ngx_realtime_stream_t *stream)
{
    ngx_uint_t                   i, count;
    ngx_realtime_stream_stuck_t  stuck[RT_BATCH_MAX];
    ngx_realtime_stream_entry_t *entry;

    count = 0;

    for (i = 0; i < stream->batch->count; i++) {
        entry = &stream->batch->entries[i];

        if (!entry->faulty) {
            continue;
        }

        stuck[count].times = ngx_realtime_stream_tries(stream, entry) + 1;
        stuck[count].id_len = entry->id_len;
        ngx_memcpy(stuck[count].id, entry->id, entry->id_len);

        if (stuck[count].times >= NGX_REALTIME_STREAM_TRIES_MAX) {
            ngx_realtime_stream_refuse(entry, "it can't be stored");
        }

        count++;
    }

    ngx_memcpy(stream->stuck, stuck, count * sizeof(ngx_realtime_stream_stuck_t));
    stream->stuck_count = count;
}


/* All calls are back. */
static void
ngx_realtime_stream_batch_end(ngx_realtime_stream_t *stream)
{
    char                         text[RT_ERROR_TEXT_MAX * 2];
    ngx_uint_t                   i, refused;
    ngx_realtime_stream_batch_t *batch = stream->batch;
    ngx_realtime_stream_entry_t *entry, *first;

    first = NULL;
    refused = 0;

    ngx_realtime_stream_batch_judge(stream);

    for (i = 0; i < batch->count; i++) {
        entry = &batch->entries[i];

        if (entry->state != NGX_REALTIME_STREAM_REFUSED) {
            continue;
        }

        first = first ? first : entry;
        refused++;

        if (ngx_realtime_stream_keep(stream, i) == NGX_OK) {
            batch->dead++;
        } else {
            entry->state = NGX_REALTIME_STREAM_AGAIN;
        }
    }

    if (first != NULL) {
        rt_log_escape(text, sizeof(text), rt_str_c(first->reason));
        ngx_log_error(NGX_LOG_WARN, stream->log, 0,
            "realtime: %ui events of \"%V\" are refused, the first, %*s: %s", refused,
            &stream->name, first->id_len, first->id, text);
    }

    if (batch->dead == 0) {
        ngx_realtime_stream_batch_settle(stream);
    }
}


/* The dead stream gets the reason, the entry's id, and the entry as it was, unless that is too
 * large. */
static ngx_int_t
ngx_realtime_stream_keep(ngx_realtime_stream_t *stream, ngx_uint_t i)
{
    u_char                       max[NGX_INT_T_LEN];
    size_t                       j, bytes;
    ngx_str_t                    argv[NGX_REALTIME_STREAM_FIELDS_MAX + 10];
    ngx_uint_t                   n;
    ngx_realtime_stream_entry_t *entry = &stream->batch->entries[i];

    ngx_str_set(&argv[0], "XADD");
    argv[1] = stream->dead;
    ngx_str_set(&argv[2], "MAXLEN");
    ngx_str_set(&argv[3], "~");
    argv[4].data = max;
    argv[4].len = ngx_sprintf(max, "%d", NGX_REALTIME_STREAM_DEAD_MAX) - max;
    ngx_str_set(&argv[5], "*");
    ngx_str_set(&argv[6], "reason");
    argv[7].data = (u_char *) entry->reason;
    argv[7].len = ngx_strlen(entry->reason);
    ngx_str_set(&argv[8], "entry");
    argv[9].data = entry->id;
    argv[9].len = entry->id_len;
    n = 10;

    for (j = 0, bytes = 0; j < entry->fields->elements; j++) {
        bytes += (size_t) entry->fields->element[j]->len;
    }

    if (bytes <= NGX_REALTIME_STREAM_ENTRY_MAX
        && entry->fields->elements <= NGX_REALTIME_STREAM_FIELDS_MAX)
    {
        for (j = 0; j < entry->fields->elements; j++) {
            argv[n].data = (u_char *) entry->fields->element[j]->str;
            argv[n++].len = (size_t) entry->fields->element[j]->len;
        }
    }

    return ngx_realtime_stream_command(stream, NGX_REALTIME_STREAM_DEAD, i, n, argv);
}


void
ngx_realtime_stream_batch_kept(ngx_realtime_stream_t *stream, ngx_uint_t i, const redisReply *reply)
{
    ngx_realtime_stream_batch_t *batch = stream->batch;

    if (batch == NULL || i >= batch->count || batch->dead == 0) {
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        batch->entries[i].state = NGX_REALTIME_STREAM_AGAIN;
        ngx_log_error(NGX_LOG_ERR, stream->log, 0, "realtime: \"%V\" can't be written: %*s",
            &stream->dead, ngx_min((size_t) reply->len, 200), reply->str);

    } else {
        ngx_realtime_metrics->counts.stream_refused++;
    }

    if (--batch->dead == 0) {
        ngx_realtime_stream_batch_settle(stream);
    }
}


/* Everything is known: acknowledges, and goes on. Also on a connection that is newer than the read,
 * since what is acknowledged is the group's. */
static void
ngx_realtime_stream_batch_settle(ngx_realtime_stream_t *stream)
{
    ngx_str_t                    argv[RT_BATCH_MAX + 3];
    ngx_uint_t                   i, n, again;
    ngx_realtime_stream_batch_t *batch = stream->batch;
    ngx_realtime_stream_entry_t *entry;

    ngx_str_set(&argv[0], "XACK");
    argv[1] = stream->name;
    ngx_str_set(&argv[2], NGX_REALTIME_STREAM_GROUP);
    n = 3;
    again = 0;

    for (i = 0; i < batch->count; i++) {
        entry = &batch->entries[i];

        if (entry->state == NGX_REALTIME_STREAM_AGAIN) {
            again++;
            continue;
        }

        argv[n].data = entry->id;
        argv[n++].len = entry->id_len;
    }

    if (n > 3) {
        (void) ngx_realtime_stream_command(stream, NGX_REALTIME_STREAM_NOTHING, 0, n, argv);
    }

    ngx_realtime_stream_batch_free(stream);

    if (!ngx_realtime_redis_is_up(stream->redis)) {
        return;
    }

    if (again == 0) {
        stream->pause = 0;
        ngx_realtime_stream_next(stream);
        return;
    }

    ngx_realtime_metrics->counts.stream_again += again;

    stream->pause = ngx_min(ngx_max(stream->pause * 2, NGX_REALTIME_STREAM_PAUSE_MIN),
        NGX_REALTIME_STREAM_PAUSE_MAX);
    ngx_realtime_stream_step_down(stream, stream->pause);
}


void
ngx_realtime_stream_batch_down(ngx_realtime_stream_t *stream)
{
    if (stream->batch != NULL && stream->batch->out == 0) {
        ngx_realtime_stream_batch_free(stream);
    }
}


void
ngx_realtime_stream_batch_free(ngx_realtime_stream_t *stream)
{
    ngx_uint_t i;

    if (stream->batch == NULL) {
        return;
    }

    for (i = 0; i < stream->batch->count; i++) {
        freeReplyObject(stream->batch->entries[i].fields);
    }

    ngx_free(stream->batch);
    stream->batch = NULL;
}
