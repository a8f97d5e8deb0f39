/* The MongoDB store: the original system's collections, by libmongoc's pool of clients.
 *
 * There are no transactions: each operation is durable when it returns (majority write concern),
 * and one that fails leaves the others alone. What several hosts do at once is settled by unique
 * indexes and by updates that add or only grow; what a host that died left half done is found and
 * brought to its end by who uses the room next (rt_store_mongo_number.c).
 *
 * Members of a room's document that the original does not know:
 *     seq          of the newest message
 *     openKey      what may be open only once (rt_room_open_key); closed rooms have none
 *     storedCount  how many messages this document has counted: equal to seq, but while a message
 *                  is stored and not counted yet
 *     last         {seq,id,at,text}: the newest message; grows by $max, whose order is seq's
 *     readToCustomer, readToOthers, readToAll
 *                  up to which seq all messages are read: the customer's, the others', anybody's */

#include <stdlib.h>
#include <string.h>

#include <rt/rt_text.h>

#include "store/rt_store_mongo.h"


#define RT_MONGO_DATABASE "test" /* as mongoose does */

/* libmongoc's log is one for the process: it goes to the store that was opened last. */
static pthread_mutex_t rt_mongo_log_lock = PTHREAD_MUTEX_INITIALIZER;
static rt_log_t        rt_mongo_log;

/* Set while this thread parses a URI, whose parts libmongoc would name. */
static __thread int rt_mongo_mute;


static void
rt_mongo_on_log(mongoc_log_level_t level, const char *domain, const char *message, void *data)
{
    char     text[RT_ERROR_TEXT_MAX];
    rt_log_t log;

    (void) domain;
    (void) data;

    if (rt_mongo_mute || level > MONGOC_LOG_LEVEL_WARNING) {
        return;
    }

    pthread_mutex_lock(&rt_mongo_log_lock);
    log = rt_mongo_log;
    pthread_mutex_unlock(&rt_mongo_log_lock);

    rt_log_escape(text, sizeof(text), rt_str_c(message));
    rt_log(&log, level == MONGOC_LOG_LEVEL_WARNING ? RT_LOG_INFO : RT_LOG_ERROR,
        "mongodb: libmongoc: %s", text);
}


static void
rt_mongo_set_log(const rt_log_t *log)
{
    pthread_mutex_lock(&rt_mongo_log_lock);

    if (log != NULL) {
        rt_mongo_log = *log;
    } else {
        memset(&rt_mongo_log, 0, sizeof(rt_log_t));
    }

    pthread_mutex_unlock(&rt_mongo_log_lock);
}


static void
rt_mongo_init(void)
{
    mongoc_init();
    mongoc_log_set_handler(rt_mongo_on_log, NULL);
}


/* The parsed URI, or NULL. */
static mongoc_uri_t *
rt_mongo_parse(rt_str_t uri)
{
    char         *text;
    mongoc_uri_t *parsed;

    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, rt_mongo_init);

    text = strndup(uri.data, uri.len);
    if (text == NULL) {
        return NULL;
    }

    rt_mongo_mute = 1;
    parsed = mongoc_uri_new_with_error(text, NULL);
    rt_mongo_mute = 0;

    free(text);

    return parsed;
}


/* No text of libmongoc's is given out: it repeats parts of the URI, which may hold a password. */
static rt_status_t
rt_mongo_check(rt_str_t uri, rt_error_t *error)
{
    rt_status_t   status;
    mongoc_uri_t *parsed;

    parsed = NULL;

    if (memchr(uri.data, '\0', uri.len) == NULL) {
        parsed = rt_mongo_parse(uri);
    }

    if (parsed == NULL) {
        return rt_error_set(error, RT_INVALID,
            "mongodb: the URI can't be understood: it must be \"mongodb://HOST:PORT/DATABASE\", "
            "user and password percent-encoded, options as name=value");
    }

    status = RT_OK;

    if (!mongoc_write_concern_is_acknowledged(mongoc_uri_get_write_concern(parsed))) {
        status = rt_error_set(error, RT_INVALID, "mongodb: w=0 would lose messages");
    }

    mongoc_uri_destroy(parsed);

    return status;
}


static void
rt_mongo_default(mongoc_uri_t *uri, const char *name, int32_t value)
{
    if (!mongoc_uri_has_option(uri, name)) {
        mongoc_uri_set_option_as_int32(uri, name, value);
    }
}


/* What the URI leaves open. Reads go to the primary whatever it says: what was acknowledged must
 * be seen. */
static void
rt_mongo_set_defaults(rt_mongo_store_t *store)
{
    mongoc_uri_t           *uri = store->uri;
    mongoc_read_prefs_t    *primary;
    mongoc_write_concern_t *concern;

    rt_mongo_default(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, RT_MONGO_SELECTION_MS);
    rt_mongo_default(uri, MONGOC_URI_CONNECTTIMEOUTMS, RT_MONGO_CONNECT_MS);
    rt_mongo_default(uri, MONGOC_URI_SOCKETTIMEOUTMS, RT_MONGO_SOCKET_MS);
    rt_mongo_default(uri, MONGOC_URI_HEARTBEATFREQUENCYMS, RT_MONGO_HEARTBEAT_MS);
    rt_mongo_default(uri, MONGOC_URI_MAXPOOLSIZE, RT_MONGO_POOL_CLIENTS);

    if (!mongoc_uri_has_option(uri, MONGOC_URI_RETRYREADS)) {
        mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYREADS, false);
    }

    if (mongoc_uri_get_appname(uri) == NULL) {
        mongoc_uri_set_appname(uri, "nginx-realtime");
    }

    concern = mongoc_write_concern_copy(mongoc_uri_get_write_concern(uri));

    if (mongoc_write_concern_is_default(concern)) {
        mongoc_write_concern_set_w(concern, MONGOC_WRITE_CONCERN_W_MAJORITY);
    }

    if (mongoc_write_concern_get_wtimeout_int64(concern) == 0) {
        mongoc_write_concern_set_wtimeout_int64(concern, RT_MONGO_WTIMEOUT_MS);
    }

    mongoc_uri_set_write_concern(uri, concern);
    mongoc_write_concern_append(concern, &store->concern);
    mongoc_write_concern_destroy(concern);

    primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
    mongoc_uri_set_read_prefs_t(uri, primary);
    mongoc_read_prefs_destroy(primary);
}


void
rt_mongo_free(rt_mongo_store_t *store)
{
    pthread_cond_destroy(&store->changed);
    pthread_mutex_destroy(&store->lock);
    mongoc_uri_destroy(store->uri);
    bson_destroy(&store->concern);
    free(store->audit_stored);
    free(store->audit_next);
    free(store);
}


static rt_status_t
rt_mongo_open(rt_store_t **out, rt_str_t uri, const rt_log_t *log, rt_error_t *error)
{
    rt_mongo_store_t *store;

    store = calloc(1, sizeof(rt_mongo_store_t));
    if (store == NULL) {
        return rt_error_set(error, RT_NO_MEMORY, "no memory");
    }

    store->uri = rt_mongo_parse(uri);
    if (store->uri == NULL) {
        free(store);
        return rt_error_set(error, RT_NO_MEMORY, "no memory");
    }

    store->store.ops = &rt_store_mongo;
    store->log = *log;
    store->database = mongoc_uri_get_database(store->uri);

    if (store->database == NULL) {
        store->database = RT_MONGO_DATABASE;
    }

    bson_init(&store->concern);
    rt_mongo_set_defaults(store);
    rt_mongo_set_log(log);

    if (rt_mongo_pool_start(store) != RT_OK) {
        rt_mongo_free(store);
        return rt_error_set(error, RT_ERROR, "mongodb: can't make a thread");
    }

    *out = &store->store;

    return RT_OK;
}


static void
rt_mongo_close(rt_store_t *base)
{
    rt_mongo_set_log(NULL);
    rt_mongo_pool_stop((rt_mongo_store_t *) base);
}


static rt_status_t
rt_mongo_begin(rt_store_t *base, rt_store_mode_t mode, rt_store_session_t **out)
{
    rt_mongo_t       *db;
    rt_mongo_store_t *store = (rt_mongo_store_t *) base;

    db = calloc(1, sizeof(rt_mongo_t));
    if (db == NULL) {
        return RT_NO_MEMORY;
    }

    db->client = rt_mongo_pool_pop(store, mode == RT_STORE_WRITE);
    if (db->client == NULL) {
        free(db);
        return RT_UNAVAILABLE;
    }

    db->session.store = base;
    db->store = store;
    db->begun_ms = rt_time_now_ms();
    db->rooms = mongoc_client_get_collection(db->client, store->database, "chatrooms");
    db->messages = mongoc_client_get_collection(db->client, store->database, "chatmessages");

    *out = &db->session;

    return RT_OK;
}


static rt_status_t
rt_mongo_end(rt_store_session_t *session, int commit)
{
    rt_mongo_t       *db = (rt_mongo_t *) session;
    rt_status_t       status;
    rt_mongo_store_t *store = db->store;

    status = db->spoiled ? RT_UNAVAILABLE : RT_OK;

    if (!commit || db->spoiled) {
        rt_mongo_rooms_undo(db);
    }

    if (!db->failed && atomic_load(&store->trouble) != 0
        && atomic_exchange(&store->trouble, 0) != 0) {
        rt_log(&store->log, RT_LOG_NOTICE, "mongodb: works again");
    }

    mongoc_collection_destroy(db->rooms);
    mongoc_collection_destroy(db->messages);
    mongoc_client_pool_push(store->pool, db->client);
    rt_arena_destroy(db->arena);
    rt_buf_free(&db->scratch);
    free(db);

    return status;
}


static void
rt_mongo_spoil(rt_store_session_t *session)
{
    ((rt_mongo_t *) session)->spoiled = 1;
}


static int
rt_mongo_up(rt_store_t *base)
{
    return atomic_load(&((rt_mongo_store_t *) base)->state) == RT_MONGO_UP;
}


const rt_store_ops_t rt_store_mongo = {
    .check = rt_mongo_check,
    .open = rt_mongo_open,
    .close = rt_mongo_close,
    .up = rt_mongo_up,
    .begin = rt_mongo_begin,
    .end = rt_mongo_end,
    .spoil = rt_mongo_spoil,
    .rooms_get = rt_mongo_rooms_get,
    .room_find_open = rt_mongo_room_find_open,
    .room_add = rt_mongo_room_add,
    .room_change = rt_mongo_room_change,
    .rooms_list = rt_mongo_rooms_list,
    .messages_add = rt_mongo_messages_add,
    .message_get = rt_mongo_message_get,
    .message_find = rt_mongo_message_find,
    .messages_list = rt_mongo_messages_list,
    .messages_after = rt_mongo_messages_after,
    .messages_count = rt_mongo_messages_count,
    .messages_read = rt_mongo_messages_read,
    .room_assist = rt_mongo_room_assist,
    .rooms_due = rt_mongo_rooms_due,
    .rooms_are_due = rt_mongo_rooms_are_due,
    .rooms_told = rt_mongo_rooms_told,
    .assist = &rt_store_mongo_assist,
    .notify = &rt_store_mongo_notify,
    .webhooks = &rt_store_mongo_webhooks,
};
