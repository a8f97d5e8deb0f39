/* The epoll loop and its connections.
 *
 * Edge-triggered: a connection reads until the kernel has no more. All read into one buffer of
 * the loop, so ten thousand idle clients cost no buffers; only an unfinished message is copied
 * aside until the rest of it comes. */

#include "load_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>


#define LOAD_EVENTS 1024
/* Connections from one source address: less than the usual range of local ports holds. */
#define LOAD_SOURCE_CONNECTIONS 20000
#define LOAD_SOURCE_FIRST       2u
/* Descriptors beside the connections: epoll, standard ones, a publisher. */
#define LOAD_FILES_SPARE 64

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif


struct load_loop_s {
    int                epoll;
    struct sockaddr_in server;
    struct sockaddr_in also; /* the second of two hosts; port 0: none */
    size_t             half; /* of all connections */
    SSL_CTX           *tls;
    uint8_t           *buffer; /* LOAD_READ_MAX */
    struct epoll_event events[LOAD_EVENTS];
};


load_loop_t *
load_loop_create(const load_options_t *options)
{
    load_loop_t *loop;

    loop = calloc(1, sizeof(load_loop_t));
    if (loop == NULL) {
        goto failed;
    }

    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->buffer = malloc(LOAD_READ_MAX);

    if (loop->epoll == -1 || loop->buffer == NULL) {
        goto failed;
    }

    loop->server.sin_family = AF_INET;
    loop->server.sin_port = htons(options->port);
    loop->server.sin_addr.s_addr = htonl(options->address);
    loop->also = loop->server;
    loop->also.sin_port = htons(options->also);
    loop->half = options->connections / 2;

    if (options->tls) {
        /* No verification: the peer is on a loopback address, with a certificate made for it. */
        loop->tls = SSL_CTX_new(TLS_client_method());
        if (loop->tls == NULL) {
            goto failed;
        }

        SSL_CTX_set_mode(loop->tls,
            SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE
                | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }

    return loop;

failed:

    fprintf(stderr, "realtime-load: cannot make the event loop\n");
    load_loop_destroy(loop);

    return NULL;
}


void
load_loop_destroy(load_loop_t *loop)
{
    if (loop == NULL) {
        return;
    }

    if (loop->epoll != -1) {
        close(loop->epoll);
    }

    SSL_CTX_free(loop->tls);
    free(loop->buffer);
    free(loop);
}


void
load_conn_close(load_conn_t *c)
{
    if (c->state == LOAD_CONN_CLOSED) {
        return;
    }

    c->state = LOAD_CONN_CLOSED;
    SSL_free(c->ssl);
    close(c->fd);
    free(c->in);
    free(c->out);

    c->fd = -1;
    c->ssl = NULL;
    c->in = NULL;
    c->in_len = 0;
    c->out = NULL;
    c->out_len = 0;
    c->out_pos = 0;
    c->out_size = 0;
}


static void
load_conn_fail(load_conn_t *c, const char *why)
{
    load_conn_close(c);
    c->ops->closed(c, why);
}


/* As send(): bytes taken, 0 when none can be now, -1 when the connection is broken. */
static ssize_t
load_conn_write(load_conn_t *c, const uint8_t *data, size_t len)
{
    int     error;
    ssize_t n;

    if (c->ssl != NULL) {
        ERR_clear_error();
        n = SSL_write(c->ssl, data, (int) len);

        if (n > 0) {
            return n;
        }

        error = SSL_get_error(c->ssl, (int) n);

        return (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) ? 0 : -1;
    }

    do {
        n = send(c->fd, data, len, MSG_NOSIGNAL);
    } while (n == -1 && errno == EINTR);

    if (n == -1) {
        return (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : -1;
    }

    return n;
}


/* As recv(): bytes got, 0 when there are none now, -1 at the end or when broken. */
static ssize_t
load_conn_read(load_conn_t *c, uint8_t *data, size_t size)
{
    int     error;
    ssize_t n;

    if (c->ssl != NULL) {
        ERR_clear_error();
        n = SSL_read(c->ssl, data, (int) size);

        if (n > 0) {
            return n;
        }

        error = SSL_get_error(c->ssl, (int) n);

        return (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) ? 0 : -1;
    }

    do {
        n = recv(c->fd, data, size, 0);
    } while (n == -1 && errno == EINTR);

    if (n == -1) {
        return (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : -1;
    }

    return n == 0 ? -1 : n;
}


static int
load_conn_flush(load_conn_t *c)
{
    ssize_t n;

    while (c->out_pos < c->out_len) {
        n = load_conn_write(c, c->out + c->out_pos, c->out_len - c->out_pos);

        if (n == 0) {
            return 0;
        }

        if (n == -1) {
            load_conn_fail(c, "write failed");
            return -1;
        }

        c->out_pos += (size_t) n;
    }

    free(c->out);
    c->out = NULL;
    c->out_pos = 0;
    c->out_len = 0;
    c->out_size = 0;

    return 0;
}


int
load_conn_send(load_conn_t *c, const void *data, size_t len)
{
    size_t   size;
    ssize_t  n;
    uint8_t *out;

    if (c->state != LOAD_CONN_OPEN) {
        return -1;
    }

    n = 0;

    if (c->out_len == 0) {
        n = load_conn_write(c, data, len);

        if (n == (ssize_t) len) {
            return 0;
        }

        if (n == -1) {
            load_conn_fail(c, "write failed");
            return -1;
        }
    }

    data = (const uint8_t *) data + n;
    len -= (size_t) n;

    if (c->out_len + len > LOAD_WRITE_MAX) {
        load_conn_fail(c, "server does not read");
        return -1;
    }

    if (c->out_len + len > c->out_size) {
        size = (c->out_len + len) * 2;
        out = realloc(c->out, size);

        if (out == NULL) {
            load_conn_fail(c, "no memory");
            return -1;
        }

        c->out = out;
        c->out_size = size;
    }

    memcpy(c->out + c->out_len, data, len);
    c->out_len += len;

    return 0;
}


/* Hands the loop's buffer over and keeps what was not used up. Returns -1 once closed. */
static int
load_conn_deliver(load_conn_t *c, size_t len)
{
    size_t   left;
    ssize_t  used;
    uint8_t *in;

    used = c->ops->bytes(c, c->loop->buffer, len);

    if (c->state == LOAD_CONN_CLOSED) {
        return -1;
    }

    if (used < 0) {
        load_conn_fail(c, "protocol error");
        return -1;
    }

    left = len - (size_t) used;

    if (left == 0) {
        free(c->in);
        c->in = NULL;
        c->in_len = 0;
        return 0;
    }

    if (left == LOAD_READ_MAX) {
        load_conn_fail(c, "message too large");
        return -1;
    }

    in = realloc(c->in, left);
    if (in == NULL) {
        load_conn_fail(c, "no memory");
        return -1;
    }

    memcpy(in, c->loop->buffer + used, left);
    c->in = in;
    c->in_len = left;

    return 0;
}


static void
load_conn_readable(load_conn_t *c)
{
    size_t  room;
    ssize_t n;

    for (;;) {
        if (c->in_len > 0) {
            memcpy(c->loop->buffer, c->in, c->in_len);
        }

        room = LOAD_READ_MAX - c->in_len;
        n = load_conn_read(c, c->loop->buffer + c->in_len, room);

        if (n == 0) {
            return;
        }

        if (n == -1) {
            load_conn_fail(c, "closed by the server");
            return;
        }

        if (load_conn_deliver(c, c->in_len + (size_t) n) == -1) {
            return;
        }

        /* A short read of a plain stream took all there was; the next bytes make a new edge. */
        if (c->ssl == NULL && (size_t) n < room) {
            return;
        }
    }
}


static void
load_conn_handshake(load_conn_t *c)
{
    int error, n;

    if (c->ssl == NULL) {
        c->ssl = SSL_new(c->loop->tls);

        if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1) {
            load_conn_fail(c, "no memory");
            return;
        }
    }

    ERR_clear_error();
    n = SSL_connect(c->ssl);

    if (n == 1) {
        c->state = LOAD_CONN_OPEN;
        c->ops->opened(c);
        return;
    }

    error = SSL_get_error(c->ssl, n);

    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        load_conn_fail(c, "TLS handshake failed");
    }
}


static void
load_conn_connected(load_conn_t *c)
{
    int       error;
    socklen_t len;

    error = 0;
    len = sizeof(error);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1 || error != 0) {
        load_conn_fail(c, "connect failed");
        return;
    }

    if (c->loop->tls != NULL) {
        c->state = LOAD_CONN_TLS;
        load_conn_handshake(c);
        return;
    }

    c->state = LOAD_CONN_OPEN;
    c->ops->opened(c);
}


static void
load_conn_event(load_conn_t *c, uint32_t events)
{
    switch (c->state) {

    case LOAD_CONN_CLOSED: /* by an event before this one in the same turn */
        return;

    case LOAD_CONN_CONNECTING:
        load_conn_connected(c);
        break;

    case LOAD_CONN_TLS:
        load_conn_handshake(c);
        break;

    case LOAD_CONN_OPEN:
        if ((events & EPOLLOUT) && c->out_len > 0 && load_conn_flush(c) == -1) {
            return;
        }
        break;
    }

    if (c->state == LOAD_CONN_OPEN && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
        load_conn_readable(c);
    }
}


int
load_loop_turn(load_loop_t *loop, int ms)
{
    int i, n;

    n = epoll_wait(loop->epoll, loop->events, LOAD_EVENTS, ms);

    if (n == -1) {
        return errno == EINTR ? 0 : -1;
    }

    for (i = 0; i < n; i++) {
        load_conn_event(loop->events[i].data.ptr, loop->events[i].events);
    }

    return 0;
}


/* Of two hosts each gets every other one, and the two of a chat room (number, and number + half)
 * are on different ones. */
static const struct sockaddr_in *
load_net_server(const load_loop_t *loop, size_t number)
{
    if (loop->also.sin_port == 0) {
        return &loop->server;
    }

    if (number >= loop->half) {
        number = number - loop->half + 1;
    }

    return number % 2 ? &loop->also : &loop->server;
}


int
load_conn_open(load_loop_t *loop, load_conn_t *c, const load_conn_ops_t *ops, size_t number)
{
    const struct sockaddr_in *address;
    int                       on;
    struct epoll_event        event;
    struct sockaddr_in        source;

    memset(c, 0, sizeof(load_conn_t));
    c->loop = loop;
    c->ops = ops;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd == -1) {
        return -1;
    }

    on = 1;
    memset(&source, 0, sizeof(source));
    source.sin_family = AF_INET;
    source.sin_addr.s_addr = htonl(
        INADDR_LOOPBACK - 1 + LOAD_SOURCE_FIRST + (uint32_t) (number / LOAD_SOURCE_CONNECTIONS));

    if (setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1
        || setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) == -1
        || bind(c->fd, (struct sockaddr *) &source, sizeof(source)) == -1)
    {
        goto failed;
    }

    address = load_net_server(loop, number);

    if (connect(c->fd, (const struct sockaddr *) address, sizeof(*address)) == -1
        && errno != EINPROGRESS)
    {
        goto failed;
    }

    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = c;

    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, c->fd, &event) == -1) {
        goto failed;
    }

    c->state = LOAD_CONN_CONNECTING;

    return 0;

failed:

    close(c->fd);
    c->fd = -1;

    return -1;
}


int
load_files_limit(const load_options_t *options)
{
    rlim_t        wanted;
    struct rlimit limit;

    wanted = options->connections + LOAD_FILES_SPARE;

    if (getrlimit(RLIMIT_NOFILE, &limit) == -1) {
        perror("realtime-load: getrlimit");
        return -1;
    }

    if (limit.rlim_cur >= wanted) {
        return 0;
    }

    limit.rlim_cur = wanted;

    if (limit.rlim_max < wanted) {
        limit.rlim_max = wanted; /* for root */
    }

    if (setrlimit(RLIMIT_NOFILE, &limit) == -1) {
        fprintf(stderr, "realtime-load: %llu open files are not allowed here\n",
            (unsigned long long) wanted);
        return -1;
    }

    return 0;
}
