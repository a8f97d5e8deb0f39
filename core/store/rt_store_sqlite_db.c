/* One SQLite connection: opening it, waiting for its turn, its statements and its errors. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rt/rt_text.h>

#include "store/rt_store_sqlite.h"


#define RT_SQLITE_BUSY_MAX_US 5000000
/* while the store is known to be in trouble, calls fail soon */
#define RT_SQLITE_BUSY_TROUBLE_US 200000

#define RT_SQLITE_SETUP                                                                            \
    "PRAGMA journal_mode = WAL;"                                                                   \
    "PRAGMA synchronous = FULL;"                                                                   \
    "PRAGMA wal_autocheckpoint = 0;"                                                               \
    "PRAGMA journal_size_limit = 67108864;"                                                        \
    "PRAGMA cache_size = -2048;"                                                                   \
    "PRAGMA temp_store = MEMORY;"                                                                  \
    "PRAGMA trusted_schema = OFF;"


static uint64_t
rt_sqlite_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);

    return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}


/* SQLite's own busy_timeout sleeps longer the longer it has waited, so that among busy processes
 * one wins nearly always. Short sleeps of random length give all the same chance. */
static int
rt_sqlite_on_busy(void *data, int count)
{
    uint64_t        limit_us;
    rt_sqlite_t    *db = data;
    struct timespec pause;

    if (count == 0) {
        db->busy_since_us = rt_sqlite_now_us();
    }

    limit_us = atomic_load(&db->store->trouble) ? RT_SQLITE_BUSY_TROUBLE_US : RT_SQLITE_BUSY_MAX_US;

    if (rt_sqlite_now_us() - db->busy_since_us > limit_us) {
        return 0;
    }

    db->random = db->random * 1664525 + 1013904223;
    pause.tv_sec = 0;
    pause.tv_nsec = 100000 + (long) (db->random >> 8) % 300000;
    nanosleep(&pause, NULL);

    return 1;
}


/* A new file is readable by its owner alone; its -wal and -shm follow it. */
static void
rt_sqlite_create_file(const char *path)
{
    int fd;

    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd != -1) {
        close(fd);
    }
}


/* The switch to WAL, and the recovery after a crash, can be refused as busy without asking the
 * busy handler. */
static int
rt_sqlite_setup(rt_sqlite_t *db)
{
    int code, turn;

    for (turn = 0; turn < 10000; turn++) {
        code = sqlite3_exec(db->db, RT_SQLITE_SETUP, NULL, NULL, NULL);

        if (code != SQLITE_BUSY || !rt_sqlite_on_busy(db, turn)) {
            break;
        }
    }

    return code;
}


/* SQLite tries to open read-only what it can't create, so its own errno says that the file is not
 * there when it is the directory that must not be written. */
static int
rt_sqlite_open_errno(rt_sqlite_t *db, const char *path, int code)
{
    char        directory[PATH_MAX];
    const char *slash;

    slash = strrchr(path, '/');

    if ((code & 0xff) == SQLITE_CANTOPEN && slash != NULL && slash != path
        && (size_t) (slash - path) < sizeof(directory))
    {
        memcpy(directory, path, slash - path);
        directory[slash - path] = '\0';

        if (access(directory, W_OK | X_OK) != 0) {
            return errno;
        }
    }

    return db->db ? sqlite3_system_errno(db->db) : 0;
}


rt_status_t
rt_sqlite_connect(rt_sqlite_store_t *store, int create, rt_sqlite_t **out, rt_error_t *error)
{
    int          code, errnum;
    rt_sqlite_t *db;

    db = calloc(1, sizeof(rt_sqlite_t));
    if (db == NULL) {
        return rt_error_set(error, RT_NO_MEMORY, "no memory");
    }

    db->store = store;
    db->session.store = &store->store;

    if (rt_random(&db->random, sizeof(db->random)) != RT_OK) {
        db->random = (uint32_t) getpid();
    }

    if (create) {
        rt_sqlite_create_file(store->path);
    }

    code = sqlite3_open_v2(store->path, &db->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(db->db, 1);
        sqlite3_busy_handler(db->db, rt_sqlite_on_busy, db);
        code = rt_sqlite_setup(db);
    }

    if (code != SQLITE_OK) {
        errnum = rt_sqlite_open_errno(db, store->path, code);
        rt_error_set(error, RT_UNAVAILABLE, "sqlite: can't open \"%s\": %s%s%s", store->path,
            db->db ? sqlite3_errmsg(db->db) : "no memory", errnum ? ": " : "",
            errnum ? strerror(errnum) : "");
        rt_sqlite_disconnect(db);
        return RT_UNAVAILABLE;
    }

    *out = db;

    return RT_OK;
}


void
rt_sqlite_disconnect(rt_sqlite_t *db)
{
    int i;

    if (db == NULL) {
        return;
    }

    for (i = 0; i < RT_SQL_COUNT; i++) {
        sqlite3_finalize(db->statements[i]);
    }

    sqlite3_close(db->db);
    rt_buf_free(&db->scratch);
    free(db);
}


sqlite3_stmt *
rt_sqlite_statement(rt_sqlite_t *db, rt_sql_t which)
{
    int            code;
    sqlite3_stmt **statement;

    statement = &db->statements[which];

    if (*statement == NULL) {
        code = sqlite3_prepare_v3(db->db, rt_sqlite_sql[which], -1, SQLITE_PREPARE_PERSISTENT,
            statement, NULL);
        if (code != SQLITE_OK) {
            rt_sqlite_failed(db, code);
            return NULL;
        }
    }

    return *statement;
}


int
rt_sqlite_step(sqlite3_stmt *statement)
{
    int code;

    code = sqlite3_step(statement);

    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        sqlite3_reset(statement);
    }

    return code;
}


rt_status_t
rt_sqlite_run(rt_sqlite_t *db, sqlite3_stmt *statement)
{
    int code;

    do {
        code = sqlite3_step(statement);
    } while (code == SQLITE_ROW);

    sqlite3_reset(statement);

    if (code == SQLITE_DONE) {
        return RT_OK;
    }

    if (code == SQLITE_CONSTRAINT_UNIQUE) {
        return RT_CONFLICT;
    }

    return rt_sqlite_failed(db, code);
}


rt_status_t
rt_sqlite_rows(rt_sqlite_t *db, sqlite3_stmt *statement, rt_arena_t *arena, size_t size,
    rt_sqlite_row_pt read, void **rows, size_t *count)
{
    int         code;
    char       *all, *grown;
    size_t      n, room;
    rt_status_t status;

    n = 0;
    room = 0;
    all = NULL;
    *rows = NULL;
    *count = 0;

    while ((code = rt_sqlite_step(statement)) == SQLITE_ROW) {

        if (n == room) {
            room = room ? room * 2 : 16;
            grown = rt_arena_calloc(arena, room * size);

            if (grown == NULL) {
                sqlite3_reset(statement);
                return RT_NO_MEMORY;
            }

            if (n) {
                memcpy(grown, all, n * size);
            }

            all = grown;
        }

        status = read(statement, arena, all + n++ * size);

        if (status != RT_OK) {
            sqlite3_reset(statement);
            return status;
        }
    }

    if (code != SQLITE_DONE) {
        return rt_sqlite_failed(db, code);
    }

    sqlite3_reset(statement);
    *rows = all;
    *count = n;

    return RT_OK;
}


rt_status_t
rt_sqlite_number(rt_sqlite_t *db, sqlite3_stmt *statement, int64_t *out)
{
    int code;

    code = rt_sqlite_step(statement);

    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        return rt_sqlite_failed(db, code);
    }

    *out = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);

    return RT_OK;
}


rt_status_t
rt_sqlite_sweep(rt_sqlite_t *db, rt_sql_t which, int64_t before_ms, int64_t limit, int64_t *removed)
{
    rt_status_t   status;
    sqlite3_stmt *statement;

    statement = rt_sqlite_statement(db, which);
    if (statement == NULL) {
        return RT_UNAVAILABLE;
    }

    rt_sqlite_bind_int(statement, 1, before_ms);
    rt_sqlite_bind_int(statement, 2, limit);

    status = rt_sqlite_run(db, statement);
    *removed = status == RT_OK ? sqlite3_changes(db->db) : 0;

    return status;
}


rt_status_t
rt_sqlite_failed(rt_sqlite_t *db, int code)
{
    int before;

    db->spoiled = 1;

    before = atomic_exchange(&db->store->trouble, code);
    if (before != code) {
        rt_log(&db->store->log, RT_LOG_ERROR, "sqlite: \"%s\": %s (%d)", db->store->path,
            sqlite3_errmsg(db->db), code);
    }

    switch (code & 0xff) {

    case SQLITE_NOMEM:
        return RT_NO_MEMORY;

    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
        return RT_ERROR;

    default:
        return RT_UNAVAILABLE;
    }
}


void
rt_sqlite_bind_text(sqlite3_stmt *statement, int at, rt_str_t text)
{
    if (text.len == 0) {
        sqlite3_bind_null(statement, at);
    } else {
        sqlite3_bind_text64(statement, at, text.data, text.len, SQLITE_STATIC, SQLITE_UTF8);
    }
}


void
rt_sqlite_bind_int(sqlite3_stmt *statement, int at, int64_t value)
{
    sqlite3_bind_int64(statement, at, value);
}


rt_str_t
rt_sqlite_text(sqlite3_stmt *statement, int column, rt_arena_t *arena, int *failed)
{
    rt_str_t text, copy;

    if (sqlite3_column_type(statement, column) == SQLITE_NULL) {
        return rt_str_null;
    }

    text.data = (const char *) sqlite3_column_text(statement, column);
    text.len = (size_t) sqlite3_column_bytes(statement, column);

    if (text.data == NULL) {
        *failed = 1;
        return rt_str_null;
    }

    copy = rt_arena_str(arena, text);
    if (copy.data == NULL) {
        *failed = 1;
    }

    return copy;
}
