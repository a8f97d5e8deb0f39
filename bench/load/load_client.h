/* One chat client: from connect to the server's `connected`, then events and answers.
 *
 *    OPENING ── 101 ──▶ HANDSHAKE ── connected ──▶ READY ── the mode's join ──▶ JOINED
 *        └──────────────────┴───────────┬───────────┴────────────────────────────┘
 *                                       ▼
 *                                      GONE
 */

#ifndef LOAD_CLIENT_H
#define LOAD_CLIENT_H

#include "load_net.h"


typedef struct load_client_s load_client_t;
typedef struct load_crowd_s  load_crowd_t;

typedef struct {
    const char *data;
    size_t      len;
} load_text_t;

/* What a mode hears. `data` is JSON from the first argument on (LOAD_RAW: the message itself)
 * and lives for the call only. Any may be NULL. */
typedef struct {
    /* Authenticated: the client calls load_client_joined() when it needs nothing more. */
    void (*ready)(load_client_t *client);
    void (*event)(load_client_t *client, load_text_t name, load_text_t data);
    void (*reply)(load_client_t *client, uint64_t id, load_text_t data);
} load_client_ops_t;

typedef enum {
    LOAD_CLIENT_NEW,
    LOAD_CLIENT_OPENING,
    LOAD_CLIENT_HANDSHAKE,
    LOAD_CLIENT_READY,
    LOAD_CLIENT_JOINED,
    LOAD_CLIENT_GONE
} load_client_state_t;

struct load_client_s {
    load_conn_t         conn; /* first: the loop knows clients by it */
    load_crowd_t       *crowd;
    size_t              number;
    uint64_t            started;
    load_client_state_t state;
};

/* Who client `number` is: user and business are names of LOAD_NAME_MAX bytes, role a claim. */
typedef struct {
    char        user[LOAD_NAME_MAX];
    char        business[LOAD_NAME_MAX];
    const char *role;
} load_person_t;

/* All clients of a run. */
struct load_crowd_s {
    const load_options_t    *options;
    const load_client_ops_t *ops;
    void                    *data; /* the mode's */
    void (*person)(const load_options_t *options, size_t number, load_person_t *person);
    load_loop_t   *loop;
    load_client_t *clients;
    size_t         count;
    size_t         started;
    size_t         pending; /* started, neither joined nor gone */
    size_t         joined;  /* and still there */
    size_t         failed;  /* gone before they had joined */
    size_t         lost;    /* gone afterwards */
    uint64_t       frames;
    uint64_t       bytes;
    load_latency_t connecting; /* from connect() to joined */
    const char    *why;        /* the first client that went, NULL when none did */
};

/* What a client does with its connection; for load_crowd.c. */
extern const load_conn_ops_t load_client_conn_ops;

/* Makes `count` clients on a loop of their own; none connects yet. Returns 0, or -1 with a line
 * on stderr; destroy accepts it either way. */
int  load_crowd_create(load_crowd_t *crowd, const load_options_t *options, size_t count);
void load_crowd_destroy(load_crowd_t *crowd);

/* Connects the clients up to the one numbered `end` (not included), the options' concurrency at
 * a time, until each has joined or gone, or the time is over. Returns 0 when all have joined. */
int load_crowd_connect(load_crowd_t *crowd, size_t end);

/* Turns the loop until a line or the end of the file comes on stdin, no more than the longest
 * run allowed. A no-op unless the options say `step`. */
void load_crowd_step(load_crowd_t *crowd);

/* One turn of the loop; ends the program when epoll fails. */
void load_crowd_turn(load_crowd_t *crowd, int ms);

/* Begins the line of output with what all modes tell: `{"mode":…` up to the clients' numbers. The
 * mode goes on with `,"key":value` and the closing brace. */
void load_crowd_print(const load_crowd_t *crowd, const char *mode);

/* 1 when the text is exactly the C string, else 0. */
int load_text_is(load_text_t text, const char *s);

/* The client has all it needs; before that it counts as pending. */
void load_client_joined(load_client_t *client);

/* Closes the client because of the server's answer. */
void load_client_refuse(load_client_t *client, const char *why);

/* Emits an event with its data (JSON text); id 0 asks for no answer. Returns 0 or -1. */
int load_client_emit(load_client_t *client, const char *event, const char *data, uint64_t id);

#endif
