/* idle: many distinct customers that connect, show their token, and then say nothing.
 *
 * Prints a line when all are `connected`, holds them (or waits for stdin) so that the caller can
 * look at the server's memory, and prints a second line with how many are still there. */

#include "load_client.h"

#include <stdio.h>


static void
load_idle_person(const load_options_t *options, size_t number, load_person_t *person)
{
    snprintf(person->user, sizeof(person->user), "idle-%s-%zu", options->tag, number);
    snprintf(person->business, sizeof(person->business), "business-%s", options->tag);
    person->role = "CUSTOMER";
}


int
load_idle(const load_options_t *options)
{
    int          rc;
    double       seconds;
    uint64_t     begin, end;
    load_crowd_t crowd = {0};

    static const load_client_ops_t ops;

    crowd.ops = &ops;
    crowd.person = load_idle_person;

    if (load_crowd_create(&crowd, options, options->connections) == -1) {
        load_crowd_destroy(&crowd);
        return 1;
    }

    begin = load_now();
    rc = load_crowd_connect(&crowd, crowd.count);
    seconds = (double) (load_now() - begin) / 1e9;

    load_crowd_print(&crowd, "idle");
    printf(",\"phase\":\"ready\",\"seconds\":%.3f,\"connects_per_s\":%.0f,\"p50_ms\":%.3f,"
           "\"p99_ms\":%.3f}\n",
        seconds, (double) crowd.joined / seconds, load_latency_at(&crowd.connecting, 0.5),
        load_latency_at(&crowd.connecting, 0.99));
    fflush(stdout);

    if (options->step) {
        load_crowd_step(&crowd);

    } else {
        end = load_now() + (uint64_t) (options->seconds * 1e9);

        while (load_now() < end) {
            load_crowd_turn(&crowd, 100);
        }
    }

    load_crowd_print(&crowd, "idle");
    printf(",\"phase\":\"result\",\"held\":%zu}\n", crowd.joined);
    load_crowd_destroy(&crowd);

    return rc == 0 && crowd.lost == 0 ? 0 : 1;
}
