/* The SQLite store: one file in WAL mode, used by several processes at once.
 *
 * One connection writes, its transaction holding a whole group of calls, so that one sync makes
 * many messages durable (synchronous = FULL). Reads have connections of their own, as many as
 * threads read at the same time, and see the last commit. A thread of the store moves what was
 * written from the log into the file (rt_store_sqlite_checkpoint.c). A process that dies leaves
 * nothing behind but the log, which the next one that opens the file replays. */

#include <stdlib.h>
#include <string.h>

#include "store/rt_store_sqlite.h"


/* What follows the scheme: a path. */
static rt_str_t
rt_sqlite_path(rt_str_t uri)
{
    const rt_str_t scheme = rt_str("sqlite:");

    return (rt_str_t){uri.data + scheme.len, uri.len - scheme.len};
}


static rt_status_t
rt_sqlite_check(rt_str_t uri, rt_error_t *error)
{
    rt_str_t address;

    address = rt_sqlite_path(uri);

    if (address.len == 0 || memchr(address.data, '\0', address.len) != NULL) {
        return rt_error_set(error, RT_INVALID, "sqlite: the path of a file is needed");
    }

    /* SQLite's own names for data that only one connection sees */
    if (address.data[0] == ':') {
        return rt_error_set(error, RT_INVALID, "sqlite: \"%.*s\" is not the path of a file",
            RT_STR_ARG(address));
    }

    return RT_OK;
}


static void
rt_sqlite_close(rt_store_t *base)
{
    rt_sqlite_t       *db, *next;
    rt_sqlite_store_t *store = (rt_sqlite_store_t *) base;

    rt_sqlite_checkpoint_stop(store);

    for (db = store->readers; db != NULL; db = next) {
        next = db->next;
        rt_sqlite_disconnect(db);
    }

    rt_sqlite_disconnect(store->writer);
    pthread_mutex_destroy(&store->readers_lock);
    pthread_mutex_destroy(&store->write_lock);
    pthread_mutex_destroy(&store->turn_lock);
    free(store->path);
    free(store);
}


/* SQLite counts its memory under a lock of the process: nobody reads that count. Refused,
 * harmlessly, when SQLite was used before. */
static void
rt_sqlite_configure(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}


static rt_status_t
rt_sqlite_open(rt_store_t **out, rt_str_t uri, const rt_log_t *log, rt_error_t *error)
{
    rt_str_t           path;
    rt_status_t        status;
    rt_sqlite_store_t *store;

    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, rt_sqlite_configure);

    store = calloc(1, sizeof(rt_sqlite_store_t));
    if (store == NULL) {
        return rt_error_set(error, RT_NO_MEMORY, "no memory");
    }

    path = rt_sqlite_path(uri);
    store->path = strndup(path.data, path.len);
    if (store->path == NULL) {
        free(store);
        return rt_error_set(error, RT_NO_MEMORY, "no memory");
    }

    store->store.ops = &rt_store_sqlite;
    store->log = *log;
    pthread_mutex_init(&store->turn_lock, NULL);
    pthread_mutex_init(&store->write_lock, NULL);
    pthread_mutex_init(&store->readers_lock, NULL);

    status = rt_sqlite_connect(store, 1, &store->writer, error);

    if (status == RT_OK) {
        store->writer->mode = RT_STORE_WRITE;
        /* a group's changed pages stay in memory until its commit */
        sqlite3_exec(store->writer->db, "PRAGMA cache_size = -16384", NULL, NULL, NULL);
        status = rt_sqlite_migrate(store->writer, error);
    }

    if (status == RT_OK) {
        status = rt_sqlite_checkpoint_start(store, error);
    }

    if (status != RT_OK) {
        rt_sqlite_close(&store->store);
        return status;
    }

    *out = &store->store;

    return RT_OK;
}


static rt_status_t
rt_sqlite_reader(rt_sqlite_store_t *store, rt_sqlite_t **out)
{
    rt_error_t   error;
    rt_status_t  status;
    rt_sqlite_t *db;

    pthread_mutex_lock(&store->readers_lock);

    db = store->readers;
    if (db != NULL) {
        store->readers = db->next;
    }

    pthread_mutex_unlock(&store->readers_lock);

    if (db == NULL) {
        status = rt_sqlite_connect(store, 0, &db, &error);
        if (status != RT_OK) {
            if (atomic_exchange(&store->trouble, SQLITE_CANTOPEN) != SQLITE_CANTOPEN) {
                rt_log(&store->log, RT_LOG_ERROR, "%s", error.text);
            }
            return status;
        }
    }

    *out = db;

    return RT_OK;
}


static void
rt_sqlite_release(rt_sqlite_t *db)
{
    rt_sqlite_store_t *store = db->store;

    if (db->mode == RT_STORE_WRITE) {
        pthread_mutex_unlock(&store->write_lock);
        return;
    }

    pthread_mutex_lock(&store->readers_lock);
    db->next = store->readers;
    store->readers = db;
    pthread_mutex_unlock(&store->readers_lock);
}


static rt_status_t
rt_sqlite_begin(rt_store_t *base, rt_store_mode_t mode, rt_store_session_t **out)
{
    rt_status_t        status;
    rt_sqlite_t       *db;
    sqlite3_stmt      *statement;
    rt_sqlite_store_t *store = (rt_sqlite_store_t *) base;

    if (mode == RT_STORE_WRITE) {
        /* whoever writes group after group comes back to find the turn taken by who waits, and does
         * not win the lock again and again */
        pthread_mutex_lock(&store->turn_lock);
        pthread_mutex_lock(&store->write_lock);
        pthread_mutex_unlock(&store->turn_lock);
        db = store->writer;

    } else {
        status = rt_sqlite_reader(store, &db);
        if (status != RT_OK) {
            return status;
        }
    }

    db->mode = mode;
    db->spoiled = 0;

    status = RT_UNAVAILABLE;
    statement =
        rt_sqlite_statement(db, mode == RT_STORE_WRITE ? RT_SQL_BEGIN_WRITE : RT_SQL_BEGIN_READ);

    if (statement != NULL) {
        status = rt_sqlite_run(db, statement);
    }

    if (status != RT_OK) {
        rt_sqlite_release(db);
        return status;
    }

    *out = &db->session;

    return RT_OK;
}


/* Said once, when what was in trouble works again. */
static void
rt_sqlite_worked(rt_sqlite_store_t *store)
{
    if (atomic_load(&store->trouble) != 0 && atomic_exchange(&store->trouble, 0) != 0) {
        rt_log(&store->log, RT_LOG_NOTICE, "sqlite: \"%s\" works again", store->path);
    }
}


static rt_status_t
rt_sqlite_end(rt_store_session_t *session, int commit)
{
    rt_status_t   status;
    rt_sqlite_t  *db = (rt_sqlite_t *) session;
    sqlite3_stmt *statement;

    status = db->spoiled ? RT_UNAVAILABLE : RT_OK;

    if (status == RT_OK && (commit || db->mode == RT_STORE_READ)) {
        statement = rt_sqlite_statement(db, RT_SQL_COMMIT);
        status = statement ? rt_sqlite_run(db, statement) : RT_UNAVAILABLE;

        if (status == RT_OK) {
            rt_sqlite_worked(db->store);
        }
    }

    /* some errors have rolled back already */
    if (!sqlite3_get_autocommit(db->db)) {
        sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);
    }

    rt_sqlite_release(db);

    return status;
}


static void
rt_sqlite_spoil(rt_store_session_t *session)
{
    ((rt_sqlite_t *) session)->spoiled = 1;
}


static int
rt_sqlite_up(rt_store_t *base)
{
    return atomic_load(&((rt_sqlite_store_t *) base)->trouble) == 0;
}


const rt_store_ops_t rt_store_sqlite = {
    .atomic = 1,
    .check = rt_sqlite_check,
    .open = rt_sqlite_open,
    .close = rt_sqlite_close,
    .up = rt_sqlite_up,
    .begin = rt_sqlite_begin,
    .end = rt_sqlite_end,
    .spoil = rt_sqlite_spoil,
    .rooms_get = rt_sqlite_rooms_get,
    .room_find_open = rt_sqlite_room_find_open,
    .room_add = rt_sqlite_room_add,
    .room_change = rt_sqlite_room_change,
    .rooms_list = rt_sqlite_rooms_list,
    .messages_add = rt_sqlite_messages_add,
    .message_get = rt_sqlite_message_get,
    .message_find = rt_sqlite_message_find,
    .messages_list = rt_sqlite_messages_list,
    .messages_after = rt_sqlite_messages_after,
    .messages_count = rt_sqlite_messages_count,
    .messages_read = rt_sqlite_messages_read,
    .room_assist = rt_sqlite_room_assist,
    .rooms_due = rt_sqlite_rooms_due,
    .rooms_are_due = rt_sqlite_rooms_are_due,
    .rooms_told = rt_sqlite_rooms_told,
    .assist = &rt_store_sqlite_assist,
    .notify = &rt_store_sqlite_notify,
    .webhooks = &rt_store_sqlite_webhooks,
};
