/* Threads of the core beside its host's own. */

#ifndef RT_THREAD_H
#define RT_THREAD_H

#include <pthread.h>


/* pthread_create for a thread that takes no signals: they are meant for the host's own threads. 0,
 * or an error number. Thread-safe. */
int rt_thread_start(pthread_t *thread, void *(*run)(void *data), void *data);

#endif
