/* For tests: a real mongod of the test's own, on a free port, in a directory of its own. */

#ifndef RT_MONGOD_TESTING_H
#define RT_MONGOD_TESTING_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mongoc/mongoc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>


typedef struct {
    pid_t pid; /* 0: it does not run */
    int   port;
    int   is_set; /* a replica set of one; else a standalone */
    char  dir[64];
    char  address[160]; /* "mongodb://127.0.0.1:PORT/", to be followed by a database's name */
} rt_mongod_t;


/* $MONGOD, or what scripts/install-test-deps has installed; NULL: there is none. */
static __attribute__((unused)) const char *
rt_mongod_program(void)
{
    const char *program;

    program = getenv("MONGOD");

    if (program == NULL || program[0] == '\0') {
        program = "t/.mongod/mongod";
    }

    return access(program, X_OK) == 0 ? program : NULL;
}


static int
rt_mongod_free_port(void)
{
    int                fd, port;
    socklen_t          len;
    struct sockaddr_in address;

    port = 0;
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    len = sizeof(address);

    fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd != -1) {
        if (bind(fd, (struct sockaddr *) &address, len) == 0
            && getsockname(fd, (struct sockaddr *) &address, &len) == 0)
        {
            port = ntohs(address.sin_port);
        }

        close(fd);
    }

    return port;
}


/* A command's outcome, and whether the reply's member of that name is true. */
static int
rt_mongod_command(const rt_mongod_t *mongod, const char *json, const char *member)
{
    int              done;
    char             uri[256];
    bson_t          *command, reply;
    bson_iter_t      iter;
    mongoc_client_t *client;

    snprintf(uri, sizeof(uri),
        "%sadmin?directConnection=true&serverSelectionTimeoutMS=500&connectTimeoutMS=500",
        mongod->address);
    client = mongoc_client_new(uri);
    command = bson_new_from_json((const uint8_t *) json, -1, NULL);

    done = client != NULL && command != NULL
        && mongoc_client_command_simple(client, "admin", command, NULL, &reply, NULL);

    if (done && member != NULL) {
        done = bson_iter_init_find(&iter, &reply, member) && bson_iter_as_bool(&iter);
    }

    if (client != NULL && command != NULL) {
        bson_destroy(&reply);
    }

    bson_destroy(command);
    mongoc_client_destroy(client);

    return done;
}


static int
rt_mongod_until(const rt_mongod_t *mongod, const char *json, const char *member)
{
    int tries;

    for (tries = 0; tries < 600; tries++) {
        if (rt_mongod_command(mongod, json, member)) {
            return 0;
        }

        if (waitpid(mongod->pid, NULL, WNOHANG) == mongod->pid) {
            break;
        }

        usleep(50000);
    }

    return -1;
}


/* It ends with the test's process, whatever ends that. */
static void
rt_mongod_exec(const rt_mongod_t *mongod, const char *program)
{
    int  null;
    char port[16], log[96];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    snprintf(port, sizeof(port), "%d", mongod->port);
    snprintf(log, sizeof(log), "%s/log", mongod->dir);

    if (mongod->is_set) {
        execl(program, "mongod", "--dbpath", mongod->dir, "--port", port, "--bind_ip", "127.0.0.1",
            "--nounixsocket", "--logpath", log, "--logappend", "--wiredTigerCacheSizeGB", "0.25",
            "--oplogSize", "64", "--replSet", "rs", (char *) NULL);
    } else {
        execl(program, "mongod", "--dbpath", mongod->dir, "--port", port, "--bind_ip", "127.0.0.1",
            "--nounixsocket", "--logpath", log, "--logappend", "--wiredTigerCacheSizeGB", "0.25",
            (char *) NULL);
    }

    _exit(127);
}


/* Starts it, also again on the data that it has, and waits until it can be written to. 0 or -1. */
static __attribute__((unused)) int
rt_mongod_run(rt_mongod_t *mongod)
{
    mongod->pid = fork();

    if (mongod->pid == 0) {
        rt_mongod_exec(mongod, rt_mongod_program());
    }

    if (mongod->pid == -1 || rt_mongod_until(mongod, "{\"ping\":1}", NULL) != 0) {
        return -1;
    }

    if (mongod->is_set) {
        char json[256];

        snprintf(json, sizeof(json),
            "{\"replSetInitiate\":{\"_id\":\"rs\",\"members\":[{\"_id\":0,"
            "\"host\":\"127.0.0.1:%d\"}]}}",
            mongod->port);
        (void) rt_mongod_command(mongod, json, NULL); /* refused the second time */
    }

    return rt_mongod_until(mongod, "{\"hello\":1}", "isWritablePrimary");
}


static __attribute__((unused)) int
rt_mongod_start(rt_mongod_t *mongod, int is_set)
{
    memset(mongod, 0, sizeof(rt_mongod_t));
    mongoc_init();

    strcpy(mongod->dir, "/tmp/rt-mongod-XXXXXX");

    if (mkdtemp(mongod->dir) == NULL) {
        return -1;
    }

    mongod->is_set = is_set;
    mongod->port = rt_mongod_free_port();
    snprintf(mongod->address, sizeof(mongod->address), "mongodb://127.0.0.1:%d/", mongod->port);

    return rt_mongod_run(mongod);
}


static __attribute__((unused)) void
rt_mongod_kill(rt_mongod_t *mongod)
{
    if (mongod->pid > 0) {
        kill(mongod->pid, SIGKILL);
        waitpid(mongod->pid, NULL, 0);
        mongod->pid = 0;
    }
}


static __attribute__((unused)) void
rt_mongod_stop(rt_mongod_t *mongod)
{
    char command[128];

    rt_mongod_kill(mongod);

    if (mongod->dir[0]) {
        snprintf(command, sizeof(command), "rm -rf '%s'", mongod->dir);
        (void) !system(command);
        mongod->dir[0] = '\0';
    }
}

#endif
