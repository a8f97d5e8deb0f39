/* Moving what the log holds into the file, beside the writing.
 *
 * SQLite would do it inside the commit that finds the log long, and everyone in that commit would
 * wait for thousands of pages and a sync. Here a thread does it on a connection of its own, while
 * commits go on. A log can start again from its beginning only when all of it was moved, which
 * never comes true under steady writing; so when it has grown to RT_SQLITE_LOG_MAX the writer moves
 * the rest itself: little, since the thread has just been there. */

#include <stdlib.h>

#include "base/rt_thread.h"
#include "store/rt_store_sqlite.h"


/* pages of the log: what is worth a sync of the file, 4 MB; and 64 MB */
#define RT_SQLITE_LOG_PAGES 1000
#define RT_SQLITE_LOG_MAX   16000

struct rt_sqlite_checkpoint_s {
    pthread_t       thread;
    pthread_mutex_t lock;
    pthread_cond_t  wake;
    rt_sqlite_t    *db;    /* the thread's own */
    int             asked; /* pages of the log when the thread was last woken; the writer's */
    int             due;   /* under the lock */
    int             stop;  /* under the lock */
};


/* Waits until there is something to do; 0: to stop. */
static int
rt_sqlite_checkpoint_wait(rt_sqlite_checkpoint_t *checkpoint)
{
    int go;

    pthread_mutex_lock(&checkpoint->lock);

    while (!checkpoint->due && !checkpoint->stop) {
        pthread_cond_wait(&checkpoint->wake, &checkpoint->lock);
    }

    checkpoint->due = 0;
    go = !checkpoint->stop;

    pthread_mutex_unlock(&checkpoint->lock);

    return go;
}


/* A passive one waits for nobody. What it can't move now (another process is at it, a reader still
 * needs it) is moved the next time; errors of the file meet the next commit, which tells them. */
static void
rt_sqlite_checkpoint_passive(sqlite3 *db)
{
    sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}


/* the store's own thread */
static void *
rt_sqlite_checkpoint_run(void *data)
{
    rt_sqlite_checkpoint_t *checkpoint = data;

    while (rt_sqlite_checkpoint_wait(checkpoint)) {
        rt_sqlite_checkpoint_passive(checkpoint->db->db);
    }

    return NULL;
}


/* Called after each commit of the writer with the pages that the log now has. */
static int
rt_sqlite_checkpoint_on_commit(void *data, sqlite3 *db, const char *name, int pages)
{
    rt_sqlite_checkpoint_t *checkpoint = data;

    (void) name;

    if (pages < checkpoint->asked) {
        checkpoint->asked = 0; /* the log has started again */
    }

    if (pages >= RT_SQLITE_LOG_MAX) {
        rt_sqlite_checkpoint_passive(db);
        return SQLITE_OK;
    }

    if (pages - checkpoint->asked < RT_SQLITE_LOG_PAGES) {
        return SQLITE_OK;
    }

    checkpoint->asked = pages;

    pthread_mutex_lock(&checkpoint->lock);
    checkpoint->due = 1;
    pthread_cond_signal(&checkpoint->wake);
    pthread_mutex_unlock(&checkpoint->lock);

    return SQLITE_OK;
}


rt_status_t
rt_sqlite_checkpoint_start(rt_sqlite_store_t *store, rt_error_t *error)
{
    rt_status_t             status;
    rt_sqlite_checkpoint_t *checkpoint;

    checkpoint = calloc(1, sizeof(rt_sqlite_checkpoint_t));
    if (checkpoint == NULL) {
        return rt_error_set(error, RT_NO_MEMORY, "no memory");
    }

    status = rt_sqlite_connect(store, 0, &checkpoint->db, error);
    if (status != RT_OK) {
        free(checkpoint);
        return status;
    }

    pthread_mutex_init(&checkpoint->lock, NULL);
    pthread_cond_init(&checkpoint->wake, NULL);

    if (rt_thread_start(&checkpoint->thread, rt_sqlite_checkpoint_run, checkpoint) != 0) {
        pthread_cond_destroy(&checkpoint->wake);
        pthread_mutex_destroy(&checkpoint->lock);
        rt_sqlite_disconnect(checkpoint->db);
        free(checkpoint);
        return rt_error_set(error, RT_ERROR, "sqlite: can't make a thread");
    }

    store->checkpoint = checkpoint;
    sqlite3_wal_hook(store->writer->db, rt_sqlite_checkpoint_on_commit, checkpoint);

    return RT_OK;
}


void
rt_sqlite_checkpoint_stop(rt_sqlite_store_t *store)
{
    rt_sqlite_checkpoint_t *checkpoint = store->checkpoint;

    if (checkpoint == NULL) {
        return;
    }

    sqlite3_wal_hook(store->writer->db, NULL, NULL);

    pthread_mutex_lock(&checkpoint->lock);
    checkpoint->stop = 1;
    pthread_cond_signal(&checkpoint->wake);
    pthread_mutex_unlock(&checkpoint->lock);

    pthread_join(checkpoint->thread, NULL);
    pthread_cond_destroy(&checkpoint->wake);
    pthread_mutex_destroy(&checkpoint->lock);
    rt_sqlite_disconnect(checkpoint->db);
    free(checkpoint);
    store->checkpoint = NULL;
}
