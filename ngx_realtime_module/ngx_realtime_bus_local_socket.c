/* The local bus: our socket in the directory, and the look around for those of others. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_realtime_bus_local.h"


static ngx_socket_t             ngx_realtime_local_bind(ngx_realtime_local_t *local);
static void                     ngx_realtime_local_accept(ngx_event_t *ev);
static ngx_realtime_worker_id_t ngx_realtime_local_parse(u_char *name, size_t len);


void
ngx_realtime_local_address(ngx_realtime_local_t *local, ngx_realtime_worker_id_t id,
    struct sockaddr_un *address)
{
    ngx_memzero(address, sizeof(struct sockaddr_un));
    address->sun_family = AF_UNIX;

    (void) ngx_snprintf((u_char *) address->sun_path, sizeof(address->sun_path) - 1,
        "%V/%016xL" NGX_REALTIME_LOCAL_SUFFIX, &local->dir, (int64_t) id);
}


ngx_int_t
ngx_realtime_local_credentials(ngx_realtime_local_t *local, ngx_socket_t fd)
{
    socklen_t    len;
    struct ucred cred;

    len = sizeof(struct ucred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1) {
        ngx_log_error(NGX_LOG_ERR, local->bus.log, ngx_socket_errno,
            "bus: getsockopt(SO_PEERCRED) failed");
        return NGX_ERROR;
    }

    if (cred.uid != geteuid() && cred.uid != 0) {
        ngx_log_error(NGX_LOG_ERR, local->bus.log, 0,
            "bus: refused a connection with a process %P of user %d", cred.pid, (int) cred.uid);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_realtime_local_listen(ngx_realtime_local_t *local)
{
    ngx_log_t        *log;
    ngx_socket_t      fd;
    ngx_connection_t *c;

    log = local->bus.log;

    fd = ngx_realtime_local_bind(local);
    if (fd == (ngx_socket_t) -1) {
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd, log);
    if (c == NULL) {
        (void) ngx_close_socket(fd);
        return NGX_ERROR;
    }

    c->data = local;
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->read->channel = 1;
    c->write->channel = 1;
    c->read->handler = ngx_realtime_local_accept;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    if (local->listener != NULL) {
        ngx_close_connection(local->listener);
    }

    local->listener = c;

    return NGX_OK;
}


/* The socket gets its name by a rename when it listens already: a worker that dials a socket
 * between bind() and listen() is refused, and would take it for a dead one and unlink it. */
static ngx_socket_t
ngx_realtime_local_bind(ngx_realtime_local_t *local)
{
    u_char            *last;
    ngx_socket_t       fd;
    struct sockaddr_un address, draft;

    ngx_realtime_local_address(local, local->bus.self, &address);

    draft = address;
    last = (u_char *) draft.sun_path + local->dir.len + 1 + 16;
    ngx_memcpy(last, ".new", sizeof(".new"));

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_EMERG, local->bus.log, ngx_socket_errno, "bus: socket() failed");
        return (ngx_socket_t) -1;
    }

    if (bind(fd, (struct sockaddr *) &draft, sizeof(draft)) == -1) {
        ngx_log_error(NGX_LOG_EMERG, local->bus.log, ngx_socket_errno,
            "bus: bind() to \"%s\" failed", draft.sun_path);
        goto failed;
    }

    if (listen(fd, NGX_LISTEN_BACKLOG) == -1) {
        ngx_log_error(NGX_LOG_EMERG, local->bus.log, ngx_socket_errno,
            "bus: listen() on \"%s\" failed", draft.sun_path);
        goto unlink;
    }

    if (ngx_rename_file(draft.sun_path, address.sun_path) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_EMERG, local->bus.log, ngx_errno,
            "bus: " ngx_rename_file_n " \"%s\" failed", draft.sun_path);
        goto unlink;
    }

    return fd;

unlink:

    (void) ngx_delete_file(draft.sun_path);

failed:

    (void) ngx_close_socket(fd);

    return (ngx_socket_t) -1;
}


static void
ngx_realtime_local_accept(ngx_event_t *ev)
{
    ngx_err_t             err;
    ngx_socket_t          fd;
    ngx_connection_t     *c;
    ngx_realtime_local_t *local;

    c = ev->data;
    local = c->data;

    for (;;) {
        fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd == (ngx_socket_t) -1) {
            err = ngx_socket_errno;

            if (err == NGX_EINTR || err == NGX_ECONNABORTED) {
                continue;
            }

            if (err != NGX_EAGAIN) {
                /* Out of descriptors: the rescan tries again. */
                ngx_log_error(NGX_LOG_ERR, local->bus.log, err, "bus: accept4() failed");
            }

            break;
        }

        ngx_realtime_local_in_open(local, fd);
    }

    ev->ready = 0;

    if (ngx_handle_read_event(ev, 0) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, local->bus.log, 0, "bus: cannot wait for connections");
    }
}


/* A safety net: finds workers that could not be dialled when they were seen first, accepts what
 * was left for want of descriptors, and listens again should someone have removed our socket. */
void
ngx_realtime_local_rescan(ngx_event_t *ev)
{
    ngx_realtime_local_t *local;

    local = ev->data;

    ngx_realtime_local_accept(local->listener->read);

    if (!ngx_realtime_local_scan(local)) {
        ngx_log_error(NGX_LOG_WARN, local->bus.log, 0,
            "bus: our socket in \"%V\" is gone, listening again", &local->dir);

        (void) ngx_realtime_local_listen(local);
    }

    ngx_add_timer(ev, NGX_REALTIME_LOCAL_RESCAN_MS);
}


/* Returns 0 when our own socket is not there. */
ngx_uint_t
ngx_realtime_local_scan(ngx_realtime_local_t *local)
{
    ngx_dir_t                dir;
    ngx_uint_t               seen;
    ngx_realtime_worker_id_t id;

    if (ngx_open_dir(&local->dir, &dir) == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, local->bus.log, ngx_errno,
            "bus: " ngx_open_dir_n " \"%V\" failed", &local->dir);
        return 1;
    }

    seen = 0;

    while (ngx_read_dir(&dir) == NGX_OK) {
        id = ngx_realtime_local_parse(ngx_de_name(&dir), ngx_de_namelen(&dir));

        if (id == local->bus.self) {
            seen = 1;
            continue;
        }

        if (id != 0 && ngx_realtime_local_peer_find(local, id) == NULL) {
            (void) ngx_realtime_local_peer_meet(local, id, NULL);
        }
    }

    if (ngx_close_dir(&dir) == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, local->bus.log, ngx_errno,
            "bus: " ngx_close_dir_n " \"%V\" failed", &local->dir);
    }

    return seen;
}


/* The id of a file named <16 hex digits>.sock, or 0. */
static ngx_realtime_worker_id_t
ngx_realtime_local_parse(u_char *name, size_t len)
{
    u_char                   ch;
    ngx_uint_t               i;
    ngx_realtime_worker_id_t id;

    if (len != NGX_REALTIME_LOCAL_FILE_LEN || ngx_strcmp(name + 16, NGX_REALTIME_LOCAL_SUFFIX) != 0)
    {
        return 0;
    }

    id = 0;

    for (i = 0; i < 16; i++) {
        ch = name[i];

        if (ch >= '0' && ch <= '9') {
            ch = (u_char) (ch - '0');

        } else if (ch >= 'a' && ch <= 'f') {
            ch = (u_char) (ch - 'a' + 10);

        } else {
            return 0;
        }

        id = id << 4 | ch;
    }

    return id;
}
