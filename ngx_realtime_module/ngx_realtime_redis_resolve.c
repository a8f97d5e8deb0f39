/* Names to addresses without blocking the event loop: getaddrinfo() in the thread pool. */

#include "ngx_realtime_redis.h"


#define NGX_REALTIME_RESOLVE_NAME 256

struct ngx_realtime_resolve_s {
    ngx_thread_task_t       task; /* while it is out the thread owns host, port, address, length */
    char                    host[NGX_REALTIME_RESOLVE_NAME];
    in_port_t               port;
    struct sockaddr_storage address;
    socklen_t               length; /* 0: none */
    ngx_realtime_resolve_pt done;   /* NULL: nobody waits any more; loop only */
    void                   *data;
};

static void ngx_realtime_resolve_run(void *data, ngx_log_t *log);
static void ngx_realtime_resolve_on_run(ngx_event_t *event);


ngx_realtime_resolve_t *
ngx_realtime_resolve(ngx_thread_pool_t *pool, ngx_str_t *host, in_port_t port,
    ngx_realtime_resolve_pt done, void *data, ngx_log_t *log)
{
    ngx_realtime_resolve_t *resolve;

    if (host->len >= NGX_REALTIME_RESOLVE_NAME) {
        return NULL;
    }

    resolve = ngx_calloc(sizeof(ngx_realtime_resolve_t), log);
    if (resolve == NULL) {
        return NULL;
    }

    ngx_memcpy(resolve->host, host->data, host->len);
    resolve->port = port;
    resolve->done = done;
    resolve->data = data;

    resolve->task.ctx = resolve;
    resolve->task.handler = ngx_realtime_resolve_run;
    resolve->task.event.data = resolve;
    resolve->task.event.handler = ngx_realtime_resolve_on_run;

    if (ngx_thread_task_post(pool, &resolve->task) != NGX_OK) {
        ngx_free(resolve);
        return NULL;
    }

    return resolve;
}


void
ngx_realtime_resolve_cancel(ngx_realtime_resolve_t *resolve)
{
    resolve->done = NULL;
}


/* worker thread */
static void
ngx_realtime_resolve_run(void *data, ngx_log_t *log)
{
    ngx_realtime_resolve_t *resolve = data;

    char            port[sizeof("65535")];
    struct addrinfo hints, *found;

    (void) log;

    ngx_memzero(&hints, sizeof(hints));
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;

    *ngx_sprintf((u_char *) port, "%d", (int) resolve->port) = '\0';

    if (getaddrinfo(resolve->host, port, &hints, &found) != 0) {
        return;
    }

    /* the resolver sorts by preference (RFC 6724) and rotates equals */
    ngx_memcpy(&resolve->address, found->ai_addr, found->ai_addrlen);
    resolve->length = found->ai_addrlen;

    freeaddrinfo(found);
}


/* event loop */
static void
ngx_realtime_resolve_on_run(ngx_event_t *event)
{
    ngx_realtime_resolve_t *resolve = event->data;

    if (resolve->done != NULL) {
        resolve->done(resolve->data, resolve->length ? (struct sockaddr *) &resolve->address : NULL,
            resolve->length);
    }

    ngx_free(resolve);
}
