/* Threads that take no signals. */

#include <signal.h>

#include "base/rt_thread.h"


int
rt_thread_start(pthread_t *thread, void *(*run)(void *data), void *data)
{
    int      failed;
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(thread, NULL, run, data);
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    return failed;
}
