/* Connections to one loopback address on one epoll loop, with or without TLS. */

#ifndef LOAD_NET_H
#define LOAD_NET_H

#include "load.h"

#include <sys/types.h>

#include <openssl/ssl.h>


/* The largest message that can be read: what arrives is collected in one buffer of the loop. */
#define LOAD_READ_MAX (4u << 20)
/* Unsent bytes of one connection, past which it is closed. */
#define LOAD_WRITE_MAX (8u << 20)


typedef struct load_conn_s load_conn_t;
typedef struct load_loop_s load_loop_t;

typedef struct {
    /* The connection stands, TLS included: bytes may be sent. */
    void (*opened)(load_conn_t *c);
    /* Bytes came; those of an unfinished message come again with the next ones. Returns how many
     * were used up, or -1 when the peer broke the protocol (the connection is then closed). */
    ssize_t (*bytes)(load_conn_t *c, const uint8_t *data, size_t len);
    /* Told once, also for a connection that never stood. */
    void (*closed)(load_conn_t *c, const char *why);
} load_conn_ops_t;

typedef enum {
    LOAD_CONN_CLOSED,
    LOAD_CONN_CONNECTING,
    LOAD_CONN_TLS,
    LOAD_CONN_OPEN
} load_conn_state_t;

/* Zeroed by its owner, who keeps it in place until the loop has gone. */
struct load_conn_s {
    load_loop_t           *loop;
    const load_conn_ops_t *ops;
    SSL                   *ssl;
    int                    fd;
    load_conn_state_t      state;
    uint8_t               *in; /* an unfinished message */
    size_t                 in_len;
    uint8_t               *out; /* unsent, from out_pos */
    size_t                 out_pos;
    size_t                 out_len;
    size_t                 out_size;
};

/* Makes the loop for the server that the options name; NULL with a line on stderr. */
load_loop_t *load_loop_create(const load_options_t *options);
void         load_loop_destroy(load_loop_t *loop);

/* Waits up to `ms` for events and handles them. Returns 0, or -1 when epoll fails. */
int load_loop_turn(load_loop_t *loop, int ms);

/* Starts to connect; `number` picks the source address, so that more connections than one
 * address has ports are possible. Returns 0, or -1 (closed() is not called then). */
int load_conn_open(load_loop_t *loop, load_conn_t *c, const load_conn_ops_t *ops, size_t number);

/* Sends or keeps for later. Returns 0; -1 when the connection is or has now been closed. */
int load_conn_send(load_conn_t *c, const void *data, size_t len);

/* Closes without telling closed(). Harmless on a closed one. */
void load_conn_close(load_conn_t *c);

/* Room for as many descriptors as the options ask for. Returns 0, or -1 with a line on stderr. */
int load_files_limit(const load_options_t *options);

#endif
