/* Storing notifications in MongoDB: a group of any streams costs a look at what is there, one
 * insert, and one update of the streams' counters.
 *
 * A notification's seq is given in the insert, from the stream's counter. Where another host was
 * quicker, the unique index on (stream, seq) refuses it, and what is left is tried again behind the
 * newest. The insert is ordered, so that nothing is stored behind a place that stays empty. Keys
 * that are there already are found before, those of a race by their own index.
 *
 * The counter (notificationstreams) is raised before anything is told. So nobody has heard of what
 * lies beyond it; what a host has left there, dead between the two, is counted with the next one.
 * It also outlives what it counted. */

#include <stdlib.h>
#include <string.h>

#include <rt/rt_text.h>

#include "store/rt_store_mongo_notify.h"


#define RT_MONGO_NOTIFY_MS     4000 /* what is not stored by then has failed */
#define RT_MONGO_NOTIFY_BYTES  (8 * 1024 * 1024)
#define RT_MONGO_NOTIFY_INSERT 1000 /* of one insert */
#define RT_MONGO_NOTIFY_FIND   500  /* keys that are looked for at once */

typedef enum {
    RT_NOTED_WAITS, /* to be stored */
    RT_NOTED_STORED,
    RT_NOTED_REPEATED, /* its key is there: found, or to be found */
    RT_NOTED_FAILED
} rt_noted_t;

/* A stream of the group. */
typedef struct {
    rt_str_t name;
    int64_t  counted; /* what its counter says */
    int64_t  next;    /* the first place that is not known to be taken */
    int64_t  raise;   /* the counter's new value; 0: as it is */
} rt_mongo_stream_t;

typedef struct {
    rt_notification_t *item;
    rt_mongo_stream_t *stream;
    rt_notification_t *first; /* of the group, with the same key; or NULL */
    rt_noted_t         noted;
    int                found; /* its row is filled in */
} rt_mongo_note_t;

typedef struct {
    rt_mongo_t        *db;
    rt_arena_t        *arena;
    rt_mongo_note_t   *notes;  /* in the order of the call */
    rt_mongo_note_t  **sorted; /* those with a key, by business and key */
    rt_mongo_note_t  **batch;
    rt_mongo_stream_t *streams;
    size_t             count;
    size_t             sorted_count;
    size_t             batch_count;
    size_t             streams_count;
} rt_mongo_notes_t;


static int
rt_mongo_text_order(rt_str_t a, rt_str_t b)
{
    int order;

    order = memcmp(a.data ? a.data : "", b.data ? b.data : "", a.len < b.len ? a.len : b.len);

    return order ? order : (a.len > b.len) - (a.len < b.len);
}


static int
rt_mongo_key_order(rt_str_t business, rt_str_t key, const rt_notification_t *item)
{
    int order;

    order = rt_mongo_text_order(business, item->business_id);

    return order ? order : rt_mongo_text_order(key, item->key);
}


static int
rt_mongo_by_stream(const void *a, const void *b)
{
    const rt_mongo_note_t *first = *(rt_mongo_note_t *const *) a,
                          *second = *(rt_mongo_note_t *const *) b;

    return rt_mongo_text_order(first->item->stream, second->item->stream);
}


static int
rt_mongo_by_key(const void *a, const void *b)
{
    int                    order;
    const rt_mongo_note_t *first = *(rt_mongo_note_t *const *) a,
                          *second = *(rt_mongo_note_t *const *) b;

    order = rt_mongo_key_order(first->item->business_id, first->item->key, second->item);

    return order ? order : (first > second) - (first < second);
}


/* Each stream of the group once, with its notes. */
static void
rt_mongo_notes_streams(rt_mongo_notes_t *notes)
{
    size_t             i;
    rt_mongo_stream_t *stream;

    for (i = 0; i < notes->count; i++) {
        notes->sorted[i] = &notes->notes[i];
    }

    qsort(notes->sorted, notes->count, sizeof(rt_mongo_note_t *), rt_mongo_by_stream);
    stream = NULL;

    for (i = 0; i < notes->count; i++) {
        if (stream == NULL || !rt_str_eq(stream->name, notes->sorted[i]->item->stream)) {
            stream = &notes->streams[notes->streams_count++];
            stream->name = notes->sorted[i]->item->stream;
        }

        notes->sorted[i]->stream = stream;
    }
}


/* The first with a key stands for those behind it. */
static void
rt_mongo_notes_keys(rt_mongo_notes_t *notes)
{
    size_t           i;
    rt_mongo_note_t *before, *note;

    for (i = 0; i < notes->count; i++) {
        if (notes->notes[i].item->key.len) {
            notes->sorted[notes->sorted_count++] = &notes->notes[i];
        }
    }

    qsort(notes->sorted, notes->sorted_count, sizeof(rt_mongo_note_t *), rt_mongo_by_key);

    for (i = 1; i < notes->sorted_count; i++) {
        before = notes->sorted[i - 1];
        note = notes->sorted[i];

        if (rt_mongo_key_order(before->item->business_id, before->item->key, note->item) == 0) {
            note->first = before->first ? before->first : before->item;
            note->noted = RT_NOTED_REPEATED;
        }
    }
}


static rt_status_t
rt_mongo_notes_prepare(rt_mongo_notes_t *notes, rt_notification_t **items, size_t count)
{
    size_t i;

    notes->count = count;
    notes->notes = rt_arena_calloc(notes->arena, count * sizeof(rt_mongo_note_t));
    notes->sorted = rt_arena_alloc(notes->arena, count * sizeof(rt_mongo_note_t *));
    notes->batch = rt_arena_alloc(notes->arena, count * sizeof(rt_mongo_note_t *));
    notes->streams = rt_arena_calloc(notes->arena, count * sizeof(rt_mongo_stream_t));

    if (notes->notes == NULL || notes->sorted == NULL || notes->batch == NULL
        || notes->streams == NULL) {
        return RT_NO_MEMORY;
    }

    for (i = 0; i < count; i++) {
        notes->notes[i].item = items[i];
        items[i]->status = RT_OK;
    }

    rt_mongo_notes_streams(notes);
    rt_mongo_notes_keys(notes);

    return RT_OK;
}


/* A notification whose key is one of the group's. */
static rt_status_t
rt_mongo_notes_found(void *data, const bson_t *document)
{
    size_t              low, high, middle;
    rt_status_t         status;
    rt_mongo_note_t    *note;
    rt_mongo_notes_t   *notes = data;
    rt_mongo_notified_t found;

    status = rt_mongo_notify_read(notes->db, document, notes->arena, &found);
    if (status != RT_OK) {
        return status;
    }

    low = 0;
    high = notes->sorted_count;

    while (low < high) {
        middle = (low + high) / 2;

        if (rt_mongo_key_order(found.row.business_id, found.key, notes->sorted[middle]->item) > 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }

    if (low == notes->sorted_count
        || rt_mongo_key_order(found.row.business_id, found.key, notes->sorted[low]->item) != 0)
    {
        return RT_OK;
    }

    note = notes->sorted[low];

    if (note->noted == RT_NOTED_STORED) {
        return RT_OK;
    }

    note->noted = RT_NOTED_REPEATED;
    note->found = 1;
    note->item->id = rt_arena_str(note->item->arena, found.row.id);
    note->item->stream = rt_arena_str(note->item->arena, found.stream);
    note->item->sub_type = rt_arena_str(note->item->arena, found.row.sub_type);
    note->item->type = found.row.type;
    note->item->text = rt_arena_str(note->item->arena, found.row.text);
    note->item->seq = found.row.seq;

    if (rt_str_eq(found.stream, note->stream->name) && found.row.seq > note->stream->counted
        && found.row.seq > note->stream->raise)
    {
        note->stream->raise = found.row.seq; /* who stored it did not come to count it */
    }

    return note->item->id.data && note->item->text.data && note->item->stream.data
            && note->item->sub_type.data
        ? RT_OK
        : RT_NO_MEMORY;
}


/* Looks for keys: of all that wait, or of those that a race has refused. */
static rt_status_t
rt_mongo_notes_find(rt_mongo_notes_t *notes, rt_noted_t which)
{
    char                 buf[16];
    bson_t               filter, options, either, one;
    size_t               i;
    uint32_t             n;
    const char          *key;
    rt_status_t          status;
    rt_mongo_note_t     *note;
    mongoc_collection_t *collection;

    status = RT_OK;
    collection = mongoc_client_get_collection(notes->db->client, notes->db->store->database,
        "notifications");

    for (i = 0; i < notes->sorted_count && status == RT_OK; /* void */) {
        bson_init(&filter);
        bson_init(&options);
        bson_append_array_begin(&filter, "$or", -1, &either);

        for (n = 0; i < notes->sorted_count && n < RT_MONGO_NOTIFY_FIND; i++) {
            note = notes->sorted[i];

            if (note->noted != which || note->first != NULL || note->found) {
                continue;
            }

            bson_uint32_to_string(n++, &key, buf, sizeof(buf));
            bson_append_document_begin(&either, key, -1, &one);
            rt_mongo_put_id(&one, "businessId", note->item->business_id);
            rt_mongo_put_text(&one, "eventKey", note->item->key);
            bson_append_document_end(&either, &one);
        }

        bson_append_array_end(&filter, &either);

        if (n) {
            status = rt_mongo_find(notes->db, collection, &filter, &options, rt_mongo_notes_found,
                notes);
        }

        bson_destroy(&filter);
        bson_destroy(&options);
    }

    mongoc_collection_destroy(collection);

    return status;
}


static rt_status_t
rt_mongo_notes_load(rt_mongo_notes_t *notes)
{
    size_t      i;
    int64_t    *seqs;
    rt_str_t   *names;
    rt_status_t status;

    names = rt_arena_alloc(notes->arena, notes->streams_count * sizeof(rt_str_t));
    seqs = rt_arena_alloc(notes->arena, notes->streams_count * sizeof(int64_t));

    if (names == NULL || seqs == NULL) {
        return RT_NO_MEMORY;
    }

    for (i = 0; i < notes->streams_count; i++) {
        names[i] = notes->streams[i].name;
    }

    status = rt_mongo_streams_get(notes->db, notes->arena, names, notes->streams_count, seqs);

    for (i = 0; i < notes->streams_count && status == RT_OK; i++) {
        notes->streams[i].counted = seqs[i];
        notes->streams[i].next = seqs[i] + 1;
    }

    return status;
}


static rt_status_t
rt_mongo_newest_row(void *data, const bson_t *document)
{
    bson_iter_t iter;

    if (bson_iter_init_find(&iter, document, "seq")) {
        *(int64_t *) data = bson_iter_as_int64(&iter);
    }

    return RT_OK;
}


/* Behind what others have stored there. */
static rt_status_t
rt_mongo_stream_newest(rt_mongo_t *db, rt_mongo_stream_t *stream)
{
    bson_t               filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    int64_t              newest;
    rt_status_t          status;
    mongoc_collection_t *collection;

    newest = 0;
    collection = mongoc_client_get_collection(db->client, db->store->database, "notifications");
    rt_mongo_put_text(&filter, "stream", stream->name);
    BCON_APPEND(&options, "sort", "{", "seq", BCON_INT32(-1), "}", "limit", BCON_INT32(1),
        "projection", "{", "seq", BCON_INT32(1), "}");

    status = rt_mongo_find(db, collection, &filter, &options, rt_mongo_newest_row, &newest);

    if (newest >= stream->next) {
        stream->next = newest + 1;
    }

    bson_destroy(&filter);
    bson_destroy(&options);
    mongoc_collection_destroy(collection);

    return status;
}


static int
rt_mongo_notes_gather(rt_mongo_notes_t *notes)
{
    size_t           i, bytes;
    rt_mongo_note_t *note;

    bytes = 0;
    notes->batch_count = 0;

    for (i = 0; i < notes->count && notes->batch_count < RT_MONGO_NOTIFY_INSERT; i++) {
        note = &notes->notes[i];

        if (note->noted != RT_NOTED_WAITS) {
            continue;
        }

        bytes += 1024 + 2 * note->item->data.len + note->item->message.len;

        if (notes->batch_count && bytes > RT_MONGO_NOTIFY_BYTES) {
            break;
        }

        note->item->seq = note->stream->next++;
        notes->batch[notes->batch_count++] = note;
    }

    return notes->batch_count != 0;
}


/* One of a reply's writeErrors. */
static void
rt_mongo_notes_error(const bson_t *fault, bson_error_t *error)
{
    bson_iter_t iter;

    memset(error, 0, sizeof(bson_error_t));
    error->domain = MONGOC_ERROR_SERVER;

    if (bson_iter_init_find(&iter, fault, "code")) {
        error->code = (uint32_t) bson_iter_as_int64(&iter);
    }

    if (bson_iter_init_find(&iter, fault, "errmsg") && BSON_ITER_HOLDS_UTF8(&iter)) {
        bson_strncpy(error->message, bson_iter_utf8(&iter, NULL), sizeof(error->message));
    }
}


/* What the index that refused says of the note; the others behind it wait on. */
static rt_status_t
rt_mongo_notes_refused(rt_mongo_notes_t *notes, rt_mongo_note_t *note, const bson_t *fault)
{
    bson_iter_t  iter, key;
    bson_error_t error;

    rt_mongo_notes_error(fault, &error);

    if (rt_mongo_is_duplicate(&error) && bson_iter_init_find(&iter, fault, "keyPattern")) {

        if (bson_iter_recurse(&iter, &key) && bson_iter_find(&key, "_id")) {
            note->noted = RT_NOTED_STORED; /* by an attempt that was not answered */
            note->stream->next = note->item->seq + 1;
            return RT_OK;
        }

        if (bson_iter_recurse(&iter, &key) && bson_iter_find(&key, "eventKey")) {
            note->noted = RT_NOTED_REPEATED;
            return RT_OK;
        }

        if (bson_iter_recurse(&iter, &key) && bson_iter_find(&key, "seq")) {
            return rt_mongo_stream_newest(notes->db, note->stream);
        }
    }

    (void) rt_mongo_failed(notes->db, &error);
    note->noted = RT_NOTED_FAILED;

    return RT_OK;
}


/* Those before the first refusal are stored, those behind it were not looked at. */
static rt_status_t
rt_mongo_notes_answer(rt_mongo_notes_t *notes, const bson_t *reply)
{
    bson_t             fault;
    size_t             i, at;
    uint32_t           len;
    bson_iter_t        iter, each, index;
    rt_mongo_stream_t *stream;
    const uint8_t     *data;

    at = notes->batch_count;
    memset(&fault, 0, sizeof(fault));

    if (bson_iter_init_find(&iter, reply, "writeErrors") && bson_iter_recurse(&iter, &each)
        && bson_iter_next(&each) && BSON_ITER_HOLDS_DOCUMENT(&each))
    {
        bson_iter_document(&each, &len, &data);

        if (!bson_init_static(&fault, data, len) || !bson_iter_init_find(&index, &fault, "index")) {
            return RT_UNAVAILABLE;
        }

        at = (size_t) bson_iter_as_int64(&index);
    }

    for (i = 0; i < notes->batch_count; i++) {
        if (i < at) {
            notes->batch[i]->noted = RT_NOTED_STORED;
            continue;
        }

        stream = notes->batch[i]->stream;

        if (stream->next > notes->batch[i]->item->seq) {
            stream->next = notes->batch[i]->item->seq;
        }
    }

    return at < notes->batch_count ? rt_mongo_notes_refused(notes, notes->batch[at], &fault)
                                   : RT_OK;
}


static void
rt_mongo_notes_raise(rt_mongo_notes_t *notes)
{
    size_t           i;
    rt_mongo_note_t *note;

    for (i = 0; i < notes->count; i++) {
        note = &notes->notes[i];

        if (note->noted == RT_NOTED_STORED && note->item->seq > note->stream->raise) {
            note->stream->raise = note->item->seq;
        }
    }
}


/* A command that is sent once more when it was not answered: what it holds has its _ids. */
static rt_status_t
rt_mongo_notes_command(rt_mongo_notes_t *notes, const bson_t *command, bson_t *reply)
{
    int          done;
    rt_mongo_t  *db = notes->db;
    bson_error_t error;

    for (;;) {
        if (!rt_mongo_alive(db)) {
            bson_init(reply);
            return RT_UNAVAILABLE;
        }

        done = mongoc_client_command_simple(db->client, db->store->database, command, NULL, reply,
            &error);

        if (done) {
            /* the majority took too long: it may yet be undone */
            return bson_has_field(reply, "writeConcernError") ? RT_UNAVAILABLE : RT_OK;
        }

        if (error.domain == MONGOC_ERROR_SERVER
            || rt_time_now_ms() - db->begun_ms > RT_MONGO_NOTIFY_MS / 2
            || atomic_load(&db->store->state) != RT_MONGO_UP)
        {
            return rt_mongo_failed(db, &error);
        }

        bson_destroy(reply);
    }
}


static rt_status_t
rt_mongo_notes_insert(rt_mongo_notes_t *notes)
{
    char        buf[16];
    bson_t      command = BSON_INITIALIZER, documents, one, reply;
    size_t      i;
    const char *key;
    rt_status_t status;

    status = RT_OK;
    BCON_APPEND(&command, "insert", "notifications", "ordered", BCON_BOOL(true));
    bson_concat(&command, &notes->db->store->concern);
    bson_append_array_begin(&command, "documents", -1, &documents);

    for (i = 0; i < notes->batch_count && status == RT_OK; i++) {
        bson_uint32_to_string((uint32_t) i, &key, buf, sizeof(buf));
        bson_append_document_begin(&documents, key, -1, &one);
        status = rt_mongo_notify_write(&one, notes->batch[i]->item);
        bson_append_document_end(&documents, &one);
    }

    bson_append_array_end(&command, &documents);

    if (status == RT_OK) {
        status = rt_mongo_notes_command(notes, &command, &reply);

        if (status == RT_OK) {
            status = rt_mongo_notes_answer(notes, &reply);
        }

        bson_destroy(&reply);
    }

    bson_destroy(&command);

    return status;
}


/* Counters only grow, whatever the order in which hosts raise them. */
static rt_status_t
rt_mongo_notes_count(rt_mongo_notes_t *notes)
{
    char        buf[16];
    bson_t      command = BSON_INITIALIZER, updates, one, query, reply;
    size_t      i, tries;
    uint32_t    n;
    const char *key;
    rt_status_t status;

    n = 0;
    rt_mongo_notes_raise(notes);
    BCON_APPEND(&command, "update", "notificationstreams", "ordered", BCON_BOOL(false));
    bson_concat(&command, &notes->db->store->concern);
    bson_append_array_begin(&command, "updates", -1, &updates);

    for (i = 0; i < notes->streams_count; i++) {
        if (notes->streams[i].raise == 0) {
            continue;
        }

        bson_uint32_to_string(n++, &key, buf, sizeof(buf));
        bson_append_document_begin(&updates, key, -1, &one);
        bson_append_document_begin(&one, "q", -1, &query);
        rt_mongo_put_text(&query, "_id", notes->streams[i].name);
        bson_append_document_end(&one, &query);
        BCON_APPEND(&one, "u", "{", "$max", "{", "seq", BCON_INT64(notes->streams[i].raise), "}",
            "}", "upsert", BCON_BOOL(true));
        bson_append_document_end(&updates, &one);
    }

    bson_append_array_end(&command, &updates);
    status = n ? RT_AGAIN : RT_OK;

    /* two hosts that make a counter at the same time: one of them is refused, and finds it then */
    for (tries = 0; status == RT_AGAIN && tries < 3; tries++) {
        status = rt_mongo_notes_command(notes, &command, &reply);

        if (status == RT_OK && bson_has_field(&reply, "writeErrors")) {
            status = RT_AGAIN;
        }

        bson_destroy(&reply);
    }

    bson_destroy(&command);

    return status == RT_AGAIN ? RT_UNAVAILABLE : status;
}


/* The server would not have some audit logs: their notifications stand, and the log tells. */
static void
rt_mongo_notes_unaudited(rt_mongo_notes_t *notes, const bson_t *reply)
{
    bson_t         fault;
    uint32_t       len;
    bson_iter_t    iter, each;
    bson_error_t   error;
    const uint8_t *data;

    if (!bson_iter_init_find(&iter, reply, "writeErrors") || !bson_iter_recurse(&iter, &each)) {
        return;
    }

    while (bson_iter_next(&each) && BSON_ITER_HOLDS_DOCUMENT(&each)) {
        bson_iter_document(&each, &len, &data);

        if (!bson_init_static(&fault, data, len)) {
            return;
        }

        rt_mongo_notes_error(&fault, &error);

        if (!rt_mongo_is_duplicate(&error)) {
            (void) rt_mongo_failed(notes->db, &error);
        }
    }
}


/* Audit logs of what is stored; those that are there already stay as they are. */
static rt_status_t
rt_mongo_notes_audit(rt_mongo_notes_t *notes)
{
    char             buf[16];
    bson_t           command = BSON_INITIALIZER, documents, one, reply;
    size_t           i;
    uint32_t         n;
    const char      *key;
    rt_status_t      status;
    rt_mongo_note_t *note;

    n = 0;
    status = RT_OK;
    BCON_APPEND(&command, "insert", "auditlogs", "ordered", BCON_BOOL(false));
    bson_concat(&command, &notes->db->store->concern);
    bson_append_array_begin(&command, "documents", -1, &documents);

    for (i = 0; i < notes->count && status == RT_OK; i++) {
        note = &notes->notes[i];

        if (note->item->audit.len == 0
            || (note->noted != RT_NOTED_STORED
                && (note->noted != RT_NOTED_REPEATED || note->first)))
        {
            continue;
        }

        bson_uint32_to_string(n++, &key, buf, sizeof(buf));
        bson_append_document_begin(&documents, key, -1, &one);
        status = rt_mongo_notify_write_audit(&one, note->item);
        bson_append_document_end(&documents, &one);
    }

    bson_append_array_end(&command, &documents);

    if (status == RT_OK && n) {
        status = rt_mongo_notes_command(notes, &command, &reply);
        rt_mongo_notes_unaudited(notes, &reply);
        bson_destroy(&reply);
    }

    bson_destroy(&command);

    return status;
}


static rt_status_t
rt_mongo_notes_store(rt_mongo_notes_t *notes)
{
    rt_status_t status;

    status = rt_mongo_notes_load(notes);

    if (status == RT_OK) {
        status = rt_mongo_notes_find(notes, RT_NOTED_WAITS);
    }

    while (status == RT_OK && rt_mongo_notes_gather(notes)) {
        status = rt_time_now_ms() - notes->db->begun_ms > RT_MONGO_NOTIFY_MS
            ? RT_UNAVAILABLE
            : rt_mongo_notes_insert(notes);
    }

    /* those whose keys were stored meanwhile */
    if (status == RT_OK) {
        status = rt_mongo_notes_find(notes, RT_NOTED_REPEATED);
    }

    if (status == RT_OK) {
        status = rt_mongo_notes_audit(notes);
    }

    return status == RT_OK ? rt_mongo_notes_count(notes) : status;
}


/* What the call is told of one that is stored. */
static rt_status_t
rt_mongo_note_settle(rt_mongo_notes_t *notes, rt_mongo_note_t *note)
{
    rt_buf_t          *buf = &notes->db->scratch;
    rt_notification_t *item = note->item;

    if (note->first != NULL) { /* settled before: it stands further in front */
        item->id = note->first->id;
        item->stream = note->first->stream;
        item->type = note->first->type;
        item->sub_type = note->first->sub_type;
        item->seq = note->first->seq;
        item->text = note->first->text;
        return note->first->status == RT_OK ? RT_CONFLICT : note->first->status;
    }

    if (note->noted == RT_NOTED_REPEATED) {
        return note->found ? RT_CONFLICT : RT_UNAVAILABLE; /* swept since */
    }

    if (note->noted != RT_NOTED_STORED) {
        return RT_ERROR;
    }

    buf->len = 0;
    rt_notification_write_head(buf, item);
    rt_notification_write_tail(buf, item->seq, 0, 0);

    if (buf->failed) {
        return RT_NO_MEMORY;
    }

    item->text = rt_arena_str(item->arena, (rt_str_t){buf->data, buf->len});

    return item->text.data ? RT_OK : RT_NO_MEMORY;
}


static rt_status_t
rt_mongo_notify_add(rt_store_session_t *session, rt_notification_t **items, size_t count)
{
    size_t           i;
    rt_status_t      status;
    rt_mongo_notes_t notes;

    if (count == 0) {
        return RT_OK;
    }

    memset(&notes, 0, sizeof(notes));
    notes.db = (rt_mongo_t *) session;
    notes.arena = rt_arena_create(65536);

    if (notes.arena == NULL) {
        return RT_NO_MEMORY;
    }

    status = rt_mongo_notes_prepare(&notes, items, count);

    if (status == RT_OK) {
        status = rt_mongo_notes_store(&notes);

        for (i = 0; i < count; i++) {
            items[i]->status =
                status == RT_OK ? rt_mongo_note_settle(&notes, &notes.notes[i]) : status;
        }

        status = RT_OK;
    }

    rt_arena_destroy(notes.arena);

    return status;
}


const rt_store_notify_ops_t rt_store_mongo_notify = {
    .add = rt_mongo_notify_add,
    .after = rt_mongo_notify_after,
    .list = rt_mongo_notify_list,
    .read = rt_mongo_notify_reads,
    .sweep = rt_mongo_notify_sweep,
    .audit_changes = rt_mongo_audit_changes,
    .audit_done = rt_mongo_audit_done,
};
