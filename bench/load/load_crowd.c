/* All the clients of a run: making them, connecting them a bounded number at a time. */

#include "load_client.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


#define LOAD_TURN_MS 10

int
load_crowd_create(load_crowd_t *crowd, const load_options_t *options, size_t count)
{
    size_t i;

    crowd->options = options;
    crowd->loop = load_loop_create(options);
    if (crowd->loop == NULL) {
        return -1;
    }

    crowd->clients = calloc(count, sizeof(load_client_t));
    if (crowd->clients == NULL) {
        fprintf(stderr, "realtime-load: no memory for %zu clients\n", count);
        return -1;
    }

    crowd->count = count;

    for (i = 0; i < count; i++) {
        crowd->clients[i].crowd = crowd;
        crowd->clients[i].number = i;
    }

    return 0;
}


void
load_crowd_destroy(load_crowd_t *crowd)
{
    size_t i;

    for (i = 0; i < crowd->count; i++) {
        load_conn_close(&crowd->clients[i].conn);
    }

    free(crowd->clients);
    load_loop_destroy(crowd->loop);
}


void
load_crowd_turn(load_crowd_t *crowd, int ms)
{
    if (load_loop_turn(crowd->loop, ms) == -1) {
        perror("realtime-load: epoll_wait");
        exit(1);
    }
}


int
load_crowd_connect(load_crowd_t *crowd, size_t end)
{
    uint64_t       deadline;
    load_client_t *client;

    deadline = load_now() + (uint64_t) (crowd->options->timeout * 1e9);

    while (crowd->started < end || crowd->pending > 0) {

        while (crowd->started < end && crowd->pending < crowd->options->concurrency) {
            client = &crowd->clients[crowd->started++];
            client->started = load_now();
            client->state = LOAD_CLIENT_OPENING;
            crowd->pending++;

            if (load_conn_open(crowd->loop, &client->conn, &load_client_conn_ops, client->number)
                == -1) {
                load_client_conn_ops.closed(&client->conn, "cannot open a socket");
            }
        }

        load_crowd_turn(crowd, LOAD_TURN_MS);

        if (load_now() > deadline) {
            break;
        }
    }

    return crowd->joined == end ? 0 : -1;
}


void
load_crowd_step(load_crowd_t *crowd)
{
    int           n;
    char          line[64];
    uint64_t      deadline;
    struct pollfd in;

    if (!crowd->options->step) {
        return;
    }

    deadline = load_now() + LOAD_SECONDS_MAX * 1000000000ull;
    in.fd = STDIN_FILENO;
    in.events = POLLIN;

    while (load_now() < deadline) {
        load_crowd_turn(crowd, LOAD_TURN_MS);

        n = poll(&in, 1, 0);

        if (n == 1) {
            if (read(STDIN_FILENO, line, sizeof(line)) < 0) {
                perror("realtime-load: stdin");
            }

            return;
        }
    }
}


void
load_crowd_print(const load_crowd_t *crowd, const char *mode)
{
    static const char *const protocols[] = {"socketio", "plain", "raw"};

    const load_options_t *options;

    options = crowd->options;

    printf("{\"mode\":\"%s\",\"protocol\":\"%s\",\"tls\":%s,\"connections\":%zu,"
           "\"joined\":%zu,\"failed\":%zu,\"lost_connections\":%zu,\"why\":\"%s\"",
        mode, protocols[options->protocol], options->tls ? "true" : "false", crowd->count,
        crowd->joined, crowd->failed, crowd->lost, crowd->why != NULL ? crowd->why : "");
}
