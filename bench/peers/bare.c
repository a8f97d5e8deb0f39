/* The floor: a server that does nothing but send().
 *
 * Answers every GET with the 101 that the load generator expects, and sends the body of every POST
 * as one WebSocket frame to all who came by GET. What it costs is what the kernel costs on this
 * machine at this time; the others can be held against it. For bench/run alone: it trusts its
 * client, and knows the answer to one Sec-WebSocket-Key (RFC 6455, 1.3) by heart. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>


#define BARE_EVENTS      512
#define BARE_CONNECTIONS 65536 /* by descriptor */
#define BARE_REQUEST_MAX 16384


typedef struct {
    int    member;
    size_t len;
    char  *request; /* a POST that is not whole */
} bare_conn_t;

static bare_conn_t bare_conns[BARE_CONNECTIONS];
static int         bare_members[BARE_CONNECTIONS];
static size_t      bare_member_count;
static int         bare_epoll;

static const char bare_upgraded[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static const char bare_accepted[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";


static void
bare_close(int fd)
{
    size_t i;

    for (i = 0; bare_conns[fd].member && i < bare_member_count; i++) {
        if (bare_members[i] == fd) {
            bare_members[i] = bare_members[--bare_member_count];
            break;
        }
    }

    free(bare_conns[fd].request);
    memset(&bare_conns[fd], 0, sizeof(bare_conn_t));
    close(fd);
}


/* A member that reads too slowly fails the measurement, which the load generator then says. */
static void
bare_publish(const char *body, size_t len)
{
    size_t header, i;

    static uint8_t frame[BARE_REQUEST_MAX + 4];

    frame[0] = 0x81;
    header = 2;

    if (len < 126) {
        frame[1] = (uint8_t) len;

    } else {
        frame[1] = 126;
        frame[2] = (uint8_t) (len >> 8);
        frame[3] = (uint8_t) len;
        header = 4;
    }

    memcpy(frame + header, body, len);

    for (i = 0; i < bare_member_count; i++) {
        if (send(bare_members[i], frame, header + len, MSG_NOSIGNAL) == -1) {
            perror("bare: send");
        }
    }
}


/* Handles one request if it is whole; returns its length, 0 when it is not whole. */
static size_t
bare_request(int fd, char *request, size_t len)
{
    char  *end, *header;
    size_t head, body;

    end = memmem(request, len, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }

    head = (size_t) (end - request) + 4;

    if (memcmp(request, "GET ", 4) == 0) {
        bare_conns[fd].member = 1;
        bare_members[bare_member_count++] = fd;
        (void) !send(fd, bare_upgraded, sizeof(bare_upgraded) - 1, MSG_NOSIGNAL);
        return head;
    }

    header = memmem(request, head, "Content-Length: ", 16);
    body = header != NULL ? strtoul(header + 16, NULL, 10) : 0;

    if (len - head < body) {
        return 0;
    }

    bare_publish(request + head, body);
    (void) !send(fd, bare_accepted, sizeof(bare_accepted) - 1, MSG_NOSIGNAL);

    return head + body;
}


static void
bare_read(int fd)
{
    size_t       used;
    ssize_t      n;
    bare_conn_t *c;

    c = &bare_conns[fd];

    if (c->request == NULL) {
        c->request = malloc(BARE_REQUEST_MAX);

        if (c->request == NULL) {
            bare_close(fd);
            return;
        }
    }

    n = recv(fd, c->request + c->len, BARE_REQUEST_MAX - c->len, 0);

    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) {
            bare_close(fd);
        }

        return;
    }

    c->len += (size_t) n;

    /* frames of members (pongs) are not looked at */
    while (!c->member && (used = bare_request(fd, c->request, c->len)) > 0) {
        c->len -= used;
        memmove(c->request, c->request + used, c->len);
    }

    if (c->member) {
        free(c->request);
        c->request = NULL;
        c->len = 0;
    }
}


static void
bare_accept(int listener)
{
    int                fd, on;
    struct epoll_event event;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) != -1) {
        on = 1;
        event.events = EPOLLIN;
        event.data.fd = fd;

        if (fd >= BARE_CONNECTIONS
            || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1
            || epoll_ctl(bare_epoll, EPOLL_CTL_ADD, fd, &event) == -1)
        {
            close(fd);
        }
    }
}


static int
bare_listen(void)
{
    int                fd, on;
    const char        *port;
    struct epoll_event event;
    struct sockaddr_in address = {0};

    port = getenv("PORT");
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    on = 1;
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t) (port != NULL ? atoi(port) : 0));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    event.events = EPOLLIN;
    event.data.fd = fd;

    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1
        || bind(fd, (struct sockaddr *) &address, sizeof(address)) == -1 || listen(fd, 4096) == -1
        || epoll_ctl(bare_epoll, EPOLL_CTL_ADD, fd, &event) == -1)
    {
        return -1;
    }

    return fd;
}


int
main(void)
{
    int                i, listener, n;
    struct epoll_event events[BARE_EVENTS];

    bare_epoll = epoll_create1(0);
    listener = bare_epoll == -1 ? -1 : bare_listen();

    if (listener == -1) {
        perror("bare");
        return 1;
    }

    for (;;) {
        n = epoll_wait(bare_epoll, events, BARE_EVENTS, -1);

        for (i = 0; i < n; i++) {
            if (events[i].data.fd == listener) {
                bare_accept(listener);

            } else {
                bare_read(events[i].data.fd);
            }
        }
    }
}
