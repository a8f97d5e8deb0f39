/* Fuzzing of requests: the first letter picks the operation, the second who asks, the rest is the
 * request as JSON, in which ROOM and MESG stand for ids that exist. Whatever is asked, the answer
 * is one of those that a client can cause, and all that goes out is JSON. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rt/rt_call.h>
#include <rt/rt_json.h>
#include <rt/rt_text.h>


#define RT_FUZZ_RUNS 5000 /* on one file, so that it stays small */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const rt_fuzz_ops[] = {
    "room.join",
    "room.create",
    "room.team",
    "room.support",
    "room.list",
    "room.get",
    "room.update",
    "room.archive",
    "message.send",
    "message.list",
    "message.read",
    "unread.counts",
    "message.heal",
};

static const char *const rt_fuzz_roles[] = {"CUSTOMER", "STAFF", "BUSINESS_OWNER", "SUPER_ADMIN"};

#define RT_FUZZ_OPS   (sizeof(rt_fuzz_ops) / sizeof(rt_fuzz_ops[0]))
#define RT_FUZZ_ROLES (sizeof(rt_fuzz_roles) / sizeof(rt_fuzz_roles[0]))

static char           rt_fuzz_path[64];
static char           rt_fuzz_room[25];
static char           rt_fuzz_message[25];
static unsigned       rt_fuzz_runs;
static rt_core_t     *rt_fuzz_core;
static rt_identity_t *rt_fuzz_people[RT_FUZZ_ROLES];


static void
rt_fuzz_check(int fact)
{
    if (!fact) {
        abort();
    }
}


static rt_call_t *
rt_fuzz_run(size_t op, size_t person, json_t *request)
{
    rt_call_t *call;

    call = rt_call_create(rt_op_find(rt_fuzz_ops[op]), person % 2 ? RT_DOOR_REST : RT_DOOR_SOCKET,
        rt_fuzz_people[person], request, rt_str("socket"));
    rt_fuzz_check(call != NULL);
    rt_core_run(rt_fuzz_core, call);

    return call;
}


static void
rt_fuzz_open(void)
{
    char              uri[80];
    rt_call_t        *call;
    rt_core_options_t options = {.log = {NULL, NULL, RT_LOG_ERROR}};

    snprintf(uri, sizeof(uri), "sqlite:%s", rt_fuzz_path);
    options.store_uri = rt_str_c(uri);
    rt_fuzz_check(rt_core_open(&rt_fuzz_core, &options, NULL) == RT_OK);

    call = rt_fuzz_run(1, 0, json_object());
    rt_fuzz_check(call->status == RT_OK);
    memcpy(rt_fuzz_room, call->room_id.data, 24);
    rt_call_destroy(call);

    call = rt_fuzz_run(8, 0, json_pack("{s:s,s:s}", "roomId", rt_fuzz_room, "content", "x"));
    rt_fuzz_check(call->status == RT_OK);
    memcpy(rt_fuzz_message, strstr(call->reply.data, "\"messageId\":\"") + 13, 24);
    rt_call_destroy(call);
}


static void
rt_fuzz_close(void)
{
    char   path[80];
    size_t i;

    static const char *const ends[] = {"", "-wal", "-shm"};

    rt_core_close(rt_fuzz_core);
    rt_fuzz_core = NULL;

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", rt_fuzz_path, ends[i]);
        unlink(path);
    }
}


static void
rt_fuzz_exit(void)
{
    size_t i;

    rt_fuzz_close();

    for (i = 0; i < RT_FUZZ_ROLES; i++) {
        rt_identity_put(rt_fuzz_people[i]);
    }
}


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    size_t i;

    (void) argc;
    (void) argv;

    rt_json_init();
    snprintf(rt_fuzz_path, sizeof(rt_fuzz_path), "%s/rt-fuzz-%d.db",
        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int) getpid());

    for (i = 0; i < RT_FUZZ_ROLES; i++) {
        rt_fuzz_people[i] = rt_identity_create(i % 2 ? rt_str("sam") : rt_str("anna"), rt_str("b"),
            rt_str_c(rt_fuzz_roles[i]), rt_str("Name"), rt_str_null, INT64_MAX);
        rt_fuzz_check(rt_fuzz_people[i] != NULL);
    }

    atexit(rt_fuzz_exit);

    return 0;
}


/* The text with its placeholders filled in. */
static void
rt_fuzz_text(rt_buf_t *text, const uint8_t *data, size_t size)
{
    size_t i;

    for (i = 0; i < size; i++) {
        if (size - i >= 4 && memcmp(data + i, "ROOM", 4) == 0) {
            rt_buf_append(text, rt_fuzz_room, 24);
            i += 3;
        } else if (size - i >= 4 && memcmp(data + i, "MESG", 4) == 0) {
            rt_buf_append(text, rt_fuzz_message, 24);
            i += 3;
        } else {
            rt_buf_append(text, data + i, 1);
        }
    }
}


static void
rt_fuzz_judge(const rt_call_t *call)
{
    json_t          *json;
    const rt_emit_t *emit;

    rt_fuzz_check(call->status == RT_OK || call->status == RT_INVALID
        || call->status == RT_FORBIDDEN || call->status == RT_NOT_FOUND
        || call->status == RT_CONFLICT);

    if (call->status != RT_OK) {
        rt_fuzz_check(call->emits == NULL && !call->created && call->error.text[0] != '\0');
        rt_fuzz_check(rt_utf8_valid(rt_str_c(call->error.text)));
    }

    if (call->status == RT_OK || call->reply.len) {
        rt_fuzz_check(rt_json_parse(call->reply, &json, NULL) == RT_OK && json_is_object(json));
        json_decref(json);
    }

    for (emit = call->emits; emit != NULL; emit = emit->next) {
        rt_fuzz_check(rt_json_parse(emit->data, &json, NULL) == RT_OK && json_is_object(json));
        json_decref(json);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t     *request;
    rt_buf_t    text = {NULL, 0, 0, 0};
    rt_call_t  *call;
    rt_status_t status;

    if (size < 3) {
        return 0;
    }

    if (rt_fuzz_runs++ % RT_FUZZ_RUNS == 0) {
        rt_fuzz_close();
        rt_fuzz_open();
    }

    rt_fuzz_text(&text, data + 2, size - 2);
    status = rt_json_parse((rt_str_t){text.data, text.len}, &request, NULL);
    rt_buf_free(&text);

    if (status == RT_DECLINED) {
        json_decref(request);
    }

    if (status != RT_OK) {
        return 0;
    }

    call = rt_fuzz_run(data[0] % RT_FUZZ_OPS, data[1] % RT_FUZZ_ROLES, request);
    rt_fuzz_judge(call);
    rt_call_destroy(call);

    return 0;
}
