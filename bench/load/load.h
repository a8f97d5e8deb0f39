/* realtime-load: what all its files share: options, time, latencies, tokens, output.
 *
 * A program of one thread: an epoll loop that plays many clients against a
 * server on a loopback address. Nothing here is meant for other programs. */

#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>
#include <stdint.h>


/* Bounds on what the command line may ask for. */
#define LOAD_CONNECTIONS_MAX 200000
#define LOAD_MESSAGES_MAX    200000
#define LOAD_SENDERS_MAX     64
#define LOAD_WINDOW_MAX      4096
#define LOAD_SIZE_MAX        8192
#define LOAD_SECONDS_MAX     600
/* One bit for each member and message. */
#define LOAD_FANOUT_BITS_MAX (2000000000ull)

/* Seconds that a mode waits for what is still under way when its time is over. */
#define LOAD_DRAIN_S 10

#define LOAD_TOKEN_MAX 1024
#define LOAD_NAME_MAX  96


typedef enum { LOAD_IDLE, LOAD_FANOUT, LOAD_CHAT, LOAD_REST } load_mode_t;

typedef enum {
    LOAD_SOCKETIO, /* Engine.IO and Socket.IO over WebSocket */
    LOAD_PLAIN,    /* {"event":…,"data":…} over WebSocket */
    LOAD_RAW       /* WebSocket only: no token, no rooms (nchan) */
} load_protocol_t;


typedef struct {
    load_mode_t     mode;
    load_protocol_t protocol;
    uint32_t        address; /* host byte order, within 127.0.0.0/8 */
    uint16_t        port;
    uint16_t        also; /* port of a second host; 0: none */
    int             tls;
    const char     *path;      /* NULL: the protocol's usual one */
    const char     *publish;   /* LOAD_RAW: the path to POST messages to */
    const char     *secret;    /* HS256 */
    const char     *ns;        /* Socket.IO namespace, "/realtime" */
    const char     *tag;       /* makes users and rooms of this run its own */
    int             customers; /* fanout: members are one customer's sockets, else staff */
    size_t          connections;
    size_t          concurrency; /* handshakes and joins under way at a time */
    size_t          senders;
    size_t          window; /* fanout: messages that not everyone has yet; chat: unacked each */
    size_t          messages;
    size_t          size;    /* bytes of a message's content */
    double          seconds; /* of the measured part; for idle: how long to hold */
    double          timeout; /* seconds for the setup, and again to drain */
    int             step;    /* wait for a line on stdin before and after measuring */
} load_options_t;


/* Nanoseconds of the monotonic clock. */
uint64_t load_now(void);

/* A fast generator for masks; not for secrets. */
uint32_t load_random(void);


/* Latencies in buckets about 1.6 % wide, from 1 ns up; no allocation. */
#define LOAD_LATENCY_SUB     64
#define LOAD_LATENCY_BUCKETS (LOAD_LATENCY_SUB * 40)

typedef struct {
    uint64_t count;
    uint64_t sum;
    uint64_t max;
    uint32_t buckets[LOAD_LATENCY_BUCKETS];
} load_latency_t;

void load_latency_add(load_latency_t *l, uint64_t ns);

/* The latency in milliseconds that the given part (0…1) of all stayed within; 0 of none. */
double load_latency_at(const load_latency_t *l, double part);


/* Writes a JWT signed by HS256, NUL terminated, into out (LOAD_TOKEN_MAX bytes).
 * role is the claim's text. Returns 0, or -1 when it does not fit or OpenSSL fails. */
int load_token(char *out, const char *secret, const char *user, const char *role,
    const char *business);


/* Finds the first `key` (as text, with its quotes and colon) in a JSON text; returns what
 * follows it, and in *rest how many bytes those are; NULL when absent. */
const char *load_find(const char *data, size_t len, const char *key, size_t *rest);

/* Copies the string that follows `key` up to its quote into out, NUL terminated. The ids that are
 * read so hold no escapes. Returns 0, or -1 when it is absent or longer than size - 1. */
int load_find_string(const char *data, size_t len, const char *key, char *out, size_t size);

/* Reads the decimal number that follows `key`. Returns 0, or -1 when there is none. */
int load_find_number(const char *data, size_t len, const char *key, uint64_t *number);

/* Reads a decimal number and steps *p behind it and the `stop` character that must follow.
 * Returns 0, or -1. */
int load_number(const char **p, const char *end, char stop, uint64_t *number);


/* The modes. Each returns the program's exit status and prints one line of JSON. */
int load_idle(const load_options_t *options);
int load_fanout(const load_options_t *options);
int load_chat(const load_options_t *options);
int load_rest(const load_options_t *options);

#endif
