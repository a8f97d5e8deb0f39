/* rest: customers who post messages to rooms of their own over REST, one after the other.
 *
 * Each connection is kept alive and is one customer: it makes its room, then posts the next
 * message when the last one is answered. */

#include "load_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define LOAD_REST_TURN_MS 10
#define LOAD_REST_CREATED 201


typedef struct load_rest_s load_rest_t;

typedef struct {
    load_http_t  http; /* first */
    load_rest_t *rest;
    uint64_t     sent_at;
    char         path[LOAD_NAME_MAX + 64]; /* empty until the room is made */
    char         token[LOAD_TOKEN_MAX];
} load_rest_client_t;

struct load_rest_s {
    const load_options_t *options;
    load_loop_t          *loop;
    load_rest_client_t   *clients;
    size_t                rooms;
    uint64_t              end; /* 0 while the rooms are made */
    double                seconds;
    uint64_t              sent;
    uint64_t              created;
    uint64_t              refused;
    load_latency_t        answering;
};


static void
load_rest_post(load_rest_client_t *client)
{
    int          n;
    char         body[LOAD_SIZE_MAX + 64];
    load_rest_t *rest;

    rest = client->rest;
    client->sent_at = load_now();

    if (client->sent_at >= rest->end) {
        return;
    }

    n = snprintf(body, sizeof(body), "{\"content\":\"");

    while ((size_t) n < rest->options->size + 12) {
        body[n++] = 'x';
    }

    memcpy(body + n, "\"}", 3);

    if (load_http_post(&client->http, client->path, client->token, body) == 0) {
        rest->sent++;
    }
}


static void
load_rest_ready(load_http_t *http)
{
    load_rest_client_t *client;

    client = (load_rest_client_t *) http;

    (void) load_http_post(http, "/api/chat/rooms/create", client->token,
        "{\"userName\":\"Load customer\"}");
}


static void
load_rest_answered(load_http_t *http, int status, const char *body, size_t len)
{
    char                room[LOAD_NAME_MAX];
    load_rest_t        *rest;
    load_rest_client_t *client;

    client = (load_rest_client_t *) http;
    rest = client->rest;

    if (client->path[0] == '\0') {
        if (load_find_string(body, len, "\"_id\":\"", room, sizeof(room)) == 0) {
            snprintf(client->path, sizeof(client->path), "/api/chat/rooms/%s/messages", room);
            rest->rooms++;

        } else {
            fprintf(stderr, "realtime-load: no room, status %d\n", status);
        }

        return;
    }

    if (status == LOAD_REST_CREATED) {
        rest->created++;
        load_latency_add(&rest->answering, load_now() - client->sent_at);

    } else {
        rest->refused++;
    }

    load_rest_post(client);
}


static int
load_rest_create(load_rest_t *rest, const load_options_t *options)
{
    char                user[LOAD_NAME_MAX], business[LOAD_NAME_MAX];
    size_t              i;
    load_rest_client_t *client;

    rest->options = options;
    rest->loop = load_loop_create(options);
    rest->clients = calloc(options->connections, sizeof(load_rest_client_t));

    if (rest->loop == NULL || rest->clients == NULL) {
        return -1;
    }

    snprintf(business, sizeof(business), "business-%s", options->tag);

    for (i = 0; i < options->connections; i++) {
        client = &rest->clients[i];
        client->rest = rest;
        client->http.ready = load_rest_ready;
        client->http.answered = load_rest_answered;
        snprintf(user, sizeof(user), "rest-%s-%zu", options->tag, i);

        if (load_token(client->token, options->secret, user, "CUSTOMER", business) == -1
            || load_http_open(rest->loop, &client->http, options->port) == -1)
        {
            fprintf(stderr, "realtime-load: cannot open connection %zu\n", i);
            return -1;
        }
    }

    return 0;
}


static int
load_rest_turn(load_rest_t *rest)
{
    if (load_loop_turn(rest->loop, LOAD_REST_TURN_MS) == -1) {
        perror("realtime-load: epoll_wait");
        return -1;
    }

    return 0;
}


static int
load_rest_measure(load_rest_t *rest)
{
    size_t   i;
    uint64_t begin, deadline;

    deadline = load_now() + (uint64_t) (rest->options->timeout * 1e9);

    while (rest->rooms < rest->options->connections) {
        if (load_now() > deadline) {
            fprintf(stderr, "realtime-load: %zu of %zu rooms made\n", rest->rooms,
                rest->options->connections);
            return -1;
        }

        if (load_rest_turn(rest) == -1) {
            return -1;
        }
    }

    begin = load_now();
    rest->end = begin + (uint64_t) (rest->options->seconds * 1e9);

    for (i = 0; i < rest->options->connections; i++) {
        load_rest_post(&rest->clients[i]);
    }

    while (load_now() < rest->end) {
        if (load_rest_turn(rest) == -1) {
            return -1;
        }
    }

    rest->seconds = (double) (load_now() - begin) / 1e9;
    deadline = load_now() + LOAD_DRAIN_S * 1000000000ull;

    while (rest->created + rest->refused < rest->sent && load_now() < deadline) {
        if (load_rest_turn(rest) == -1) {
            return -1;
        }
    }

    return 0;
}


int
load_rest(const load_options_t *options)
{
    int         rc;
    size_t      i;
    load_rest_t rest = {0};

    rc = 1;

    if (load_rest_create(&rest, options) == -1 || load_rest_measure(&rest) == -1) {
        goto done;
    }

    printf("{\"mode\":\"rest\",\"phase\":\"result\",\"connections\":%zu,\"size\":%zu,"
           "\"seconds\":%.3f,\"messages\":%llu,\"messages_per_s\":%.0f,\"refused\":%llu,"
           "\"unanswered\":%llu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
        options->connections, options->size, rest.seconds, (unsigned long long) rest.created,
        (double) rest.created / rest.seconds, (unsigned long long) rest.refused,
        (unsigned long long) (rest.sent - rest.created - rest.refused),
        load_latency_at(&rest.answering, 0.5), load_latency_at(&rest.answering, 0.99),
        (double) rest.answering.max / 1e6);
    fflush(stdout);

    rc = rest.refused == 0 && rest.created == rest.sent ? 0 : 1;

done:

    for (i = 0; rest.clients != NULL && i < options->connections; i++) {
        load_conn_close(&rest.clients[i].http.conn);
    }

    free(rest.clients);
    load_loop_destroy(rest.loop);

    return rc;
}
