/* One HTTP/1.1 connection that is kept alive, one POST after the other. */

#ifndef LOAD_HTTP_H
#define LOAD_HTTP_H

#include "load_net.h"


typedef struct load_http_s load_http_t;

struct load_http_s {
    load_conn_t conn; /* first */
    void       *data; /* the mode's */
    uint16_t    port;
    int         lost;

    /* May be NULL. The connection stands. */
    void (*ready)(load_http_t *http);
    /* A whole answer came; body lives for the call only. */
    void (*answered)(load_http_t *http, int status, const char *body, size_t len);
};

/* Starts to connect; `data` and the callbacks are set before. Returns 0 or -1. */
int load_http_open(load_loop_t *loop, load_http_t *http, uint16_t port);

/* Posts a JSON body; token may be NULL. Answers come in the order of the posts. Returns 0, or -1
 * when the connection does not stand. */
int load_http_post(load_http_t *http, const char *path, const char *token, const char *body);

#endif
