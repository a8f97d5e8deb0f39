/* HTTP/1.1 as far as POST and answers with a Content-Length go. */

#include "load_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>


#define LOAD_HTTP_REQUEST_MAX (LOAD_SIZE_MAX + LOAD_TOKEN_MAX + 1024)


int
load_http_post(load_http_t *http, const char *path, const char *token, const char *body)
{
    int  n;
    char request[LOAD_HTTP_REQUEST_MAX];

    n = snprintf(request, sizeof(request),
        "POST %s HTTP/1.1\r\nHost: localhost:%u\r\nContent-Type: application/json\r\n"
        "%s%s%sContent-Length: %zu\r\n\r\n%s",
        path, (unsigned) http->port, token != NULL ? "Authorization: Bearer " : "",
        token != NULL ? token : "", token != NULL ? "\r\n" : "", strlen(body), body);

    if (n < 0 || (size_t) n >= sizeof(request)) {
        return -1;
    }

    return load_conn_send(&http->conn, request, (size_t) n);
}


/* The value of a header in the head, which ends in an empty line; NULL when absent. */
static const char *
load_http_header(const char *head, size_t len, const char *name)
{
    size_t      n;
    const char *p, *end;

    n = strlen(name);
    end = head + len;

    for (p = memchr(head, '\n', len); p != NULL; p = memchr(p, '\n', (size_t) (end - p))) {
        p++;

        if ((size_t) (end - p) > n && strncasecmp(p, name, n) == 0 && p[n] == ':') {
            p += n + 1;
            return p + strspn(p, " ");
        }
    }

    return NULL;
}


static ssize_t
load_http_bytes(load_conn_t *c, const uint8_t *bytes, size_t len)
{
    int          status;
    size_t       used, head;
    uint64_t     body;
    const char  *p, *data, *end;
    load_http_t *http;

    http = (load_http_t *) c;
    used = 0;

    for (;;) {
        data = (const char *) bytes + used;
        end = memmem(data, len - used, "\r\n\r\n", 4);

        if (end == NULL) {
            return (ssize_t) used;
        }

        head = (size_t) (end - data) + 4;

        if (head < 16 || memcmp(data, "HTTP/1.1 ", 9) != 0) {
            return -1;
        }

        status = (data[9] - '0') * 100 + (data[10] - '0') * 10 + (data[11] - '0');
        p = load_http_header(data, head, "Content-Length");

        if (p == NULL || load_number(&p, end + 2, '\r', &body) == -1 || body > LOAD_READ_MAX) {
            return -1;
        }

        if (len - used - head < body) {
            return (ssize_t) used;
        }

        used += head + (size_t) body;
        http->answered(http, status, data + head, (size_t) body);

        if (c->state == LOAD_CONN_CLOSED) {
            return -1;
        }
    }
}


static void
load_http_opened(load_conn_t *c)
{
    load_http_t *http;

    http = (load_http_t *) c;

    if (http->ready != NULL) {
        http->ready(http);
    }
}


static void
load_http_closed(load_conn_t *c, const char *why)
{
    (void) why;

    ((load_http_t *) c)->lost = 1;
}


int
load_http_open(load_loop_t *loop, load_http_t *http, uint16_t port)
{
    static const load_conn_ops_t ops = {
        load_http_opened,
        load_http_bytes,
        load_http_closed,
    };

    http->port = port;

    return load_conn_open(loop, &http->conn, &ops, 0);
}
