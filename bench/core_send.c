/* How many messages a second the core stores, by the number of calls that commit together: the
 * operation with its checks, the store and the texts of answer and event, without nginx.
 *
 * usage: core_send [seconds per line] [directory]
 *
 * Build: see the target of this name in the Makefile, or
 *     cc -O2 -Icore/include -o core_send bench/core_send.c -Lbuild -lrealtime_core -ljansson */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <rt/rt_call.h>
#include <rt/rt_json.h>

#define ROOMS 100

static char rooms[ROOMS][25];


static double
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);

    return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}


static double
cpu(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);

    return (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}


static rt_identity_t *
person(int i)
{
    char name[32];

    snprintf(name, sizeof(name), "user%d", i);

    return rt_identity_create(rt_str_c(name), rt_str("business"), rt_str("CUSTOMER"),
        rt_str_c(name), rt_str_null, INT64_MAX);
}


static rt_call_t *
call_make(const char *op, rt_identity_t *identity, const char *request)
{
    json_t    *json;
    rt_call_t *call;

    if (identity == NULL || rt_json_parse(rt_str_c(request), &json, NULL) != RT_OK) {
        exit(1);
    }

    call = rt_call_create(rt_op_find(op), RT_DOOR_SOCKET, identity, json, rt_str("socket"));
    if (call == NULL) {
        exit(1);
    }

    return call;
}


static void
make_rooms(rt_core_t *core, rt_identity_t **people)
{
    int        i;
    rt_call_t *call;

    for (i = 0; i < ROOMS; i++) {
        people[i] = person(i);
        call = call_make("room.create", people[i], "{}");
        rt_core_run(core, call);

        if (call->status != RT_OK) {
            fprintf(stderr, "%s\n", call->error.text);
            exit(1);
        }

        memcpy(rooms[i], call->room_id.data, 24);
        rt_call_destroy(call);
    }
}


static void
run(rt_core_t *core, rt_identity_t **people, size_t batch, double seconds)
{
    char       request[512];
    long       sent;
    double     start, cpu_start, spent, spent_cpu;
    size_t     i;
    rt_call_t *calls[RT_BATCH_MAX];

    sent = 0;
    start = now();
    cpu_start = cpu();

    do {
        for (i = 0; i < batch; i++) {
            snprintf(request, sizeof(request),
                "{\"roomId\":\"%s\",\"content\":\"Hello, could you tell me whether you are "
                "open on Saturday? %ld\",\"clientMessageId\":\"%ld-%zu-%d\"}",
                rooms[(size_t) sent % ROOMS], sent, sent, batch, (int) getpid());
            calls[i] = call_make("message.send", people[(size_t) sent % ROOMS], request);
            sent++;
        }

        rt_core_run_batch(core, calls, batch);

        for (i = 0; i < batch; i++) {
            if (calls[i]->status != RT_OK) {
                fprintf(stderr, "%s\n", calls[i]->error.text);
                exit(1);
            }

            rt_call_destroy(calls[i]);
        }

        spent = now() - start;
    } while (spent < seconds);

    spent_cpu = cpu() - cpu_start;
    printf("batch %3zu: %7.0f messages/s, %5.1f us CPU each\n", batch, (double) sent / spent,
        spent_cpu * 1e6 / (double) sent);
}


int
main(int argc, char **argv)
{
    char              path[256], uri[272];
    double            seconds;
    size_t            i;
    rt_core_t        *core;
    rt_error_t        error;
    rt_identity_t    *people[ROOMS];
    rt_core_options_t options = {.log = {NULL, NULL, RT_LOG_ERROR}};

    static const size_t batches[] = {1, 10, 100, 256};

    seconds = argc > 1 ? atof(argv[1]) : 2;
    snprintf(path, sizeof(path), "%s/core-send-%d.db", argc > 2 ? argv[2] : "/tmp", (int) getpid());
    snprintf(uri, sizeof(uri), "sqlite:%s", path);
    options.store_uri = rt_str_c(uri);

    rt_json_init();

    if (rt_core_open(&core, &options, &error) != RT_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }

    make_rooms(core, people);

    for (i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
        run(core, people, batches[i], seconds);
    }

    for (i = 0; i < ROOMS; i++) {
        rt_identity_put(people[i]);
    }

    rt_core_close(core);
    unlink(path);

    return 0;
}
