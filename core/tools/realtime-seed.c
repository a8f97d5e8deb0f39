/* realtime-seed: puts FAQs and automatic responses of a JSON file into a business, by the same
 * operations as REST. What is there already, by question or by name, stays as it is. */

#include <getopt.h>
#include <rt/rt_call.h>
#include <rt/rt_json.h>
#include <rt/rt_text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define RT_TOOL_FAILED 1
#define RT_TOOL_USAGE  2

#define RT_TOOL_FILE_MAX (16 * 1024 * 1024)

typedef struct {
    const char *store;
    const char *business;
    const char *file;
} rt_tool_options_t;

/* What is put in, and by which operations. */
typedef struct {
    const char *member; /* of the file */
    const char *what;
    const char *list;
    const char *create;
    const char *key; /* by which one is found again */
} rt_tool_kind_t;

typedef struct {
    rt_core_t     *core;
    rt_identity_t *identity;
    rt_str_t       business;
} rt_tool_t;

static const char rt_tool_name[] = "realtime-seed";

static const rt_tool_kind_t rt_tool_kinds[] = {
    {"faqs", "FAQ", "faq.list", "faq.create", "question"},
    {"autoResponses", "automatic response", "auto-response.list", "auto-response.create", "name"},
};

static int     rt_tool_parse(rt_tool_options_t *options, int argc, char **argv);
static void    rt_tool_help(void);
static json_t *rt_tool_load(const char *path);
static int     rt_tool_open(rt_tool_t *tool, const rt_tool_options_t *options);
static int     rt_tool_seed(rt_tool_t *tool, const rt_tool_kind_t *kind, const json_t *file);
static json_t *rt_tool_list(rt_tool_t *tool, const rt_tool_kind_t *kind);
static int     rt_tool_has(const json_t *list, const rt_tool_kind_t *kind, const json_t *item);
static int     rt_tool_create(rt_tool_t *tool, const rt_tool_kind_t *kind, size_t at, json_t *item);
static rt_call_t *rt_tool_call(rt_tool_t *tool, const char *op, json_t *request);
static void       rt_tool_log(void *data, rt_log_level_t level, const char *text);


int
main(int argc, char **argv)
{
    int               rc;
    size_t            i;
    json_t           *file;
    rt_tool_t         tool;
    rt_tool_options_t options;

    rt_json_init();
    memset(&options, 0, sizeof(options));
    memset(&tool, 0, sizeof(tool));

    rc = rt_tool_parse(&options, argc, argv);
    if (rc != 0) {
        return rc < 0 ? EXIT_SUCCESS : rc;
    }

    file = rt_tool_load(options.file);
    if (file == NULL) {
        return RT_TOOL_FAILED;
    }

    rc = rt_tool_open(&tool, &options);

    for (i = 0; i < sizeof(rt_tool_kinds) / sizeof(rt_tool_kinds[0]) && rc == 0; i++) {
        rc = rt_tool_seed(&tool, &rt_tool_kinds[i], file);
    }

    rt_core_close(tool.core);
    rt_identity_put(tool.identity);
    json_decref(file);

    return rc;
}


/* 0: go on. -1: done, with success. Else the exit code. */
static int
rt_tool_parse(rt_tool_options_t *options, int argc, char **argv)
{
    int option;

    static const struct option known[] = {
        {"store", required_argument, NULL, 's'},
        {"business", required_argument, NULL, 'b'},
        {"file", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {

        switch (option) {

        case 's':
            options->store = optarg;
            break;

        case 'b':
            options->business = optarg;
            break;

        case 'f':
            options->file = optarg;
            break;

        case 'h':
            rt_tool_help();
            return -1;

        default:
            return RT_TOOL_USAGE;
        }
    }

    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument \"%s\"\n", rt_tool_name, argv[optind]);
        return RT_TOOL_USAGE;
    }

    if (options->store == NULL) {
        options->store = getenv("REALTIME_STORE");
    }

    if (options->store == NULL || options->business == NULL || options->file == NULL) {
        fprintf(stderr, "%s: --store, --business and --file are required\n", rt_tool_name);
        return RT_TOOL_USAGE;
    }

    return 0;
}


static void
rt_tool_help(void)
{
    puts("usage: realtime-seed --store URI --business ID --file FILE\n"
         "\n"
         "Puts the FAQs and automatic responses of a JSON file into a business; what is there\n"
         "already, by question or by name, stays as it is.\n"
         "\n"
         "  --store URI     as of realtime_store: sqlite:PATH or mongodb://...; without it\n"
         "                  REALTIME_STORE in the environment, which other users can't see\n"
         "  --business ID   whose they are to be\n"
         "  --file FILE     {\"faqs\":[...],\"autoResponses\":[...]}, members as in REST");
}


/* NULL: said why. */
static json_t *
rt_tool_load(const char *path)
{
    char    *data;
    FILE    *stream;
    json_t  *file;
    size_t   len;
    rt_str_t text;

    stream = fopen(path, "re");
    data = stream ? malloc(RT_TOOL_FILE_MAX + 1) : NULL;

    if (data == NULL) {
        fprintf(stderr, "%s: can't read \"%s\"\n", rt_tool_name, path);

        if (stream != NULL) {
            fclose(stream);
        }

        return NULL;
    }

    len = fread(data, 1, RT_TOOL_FILE_MAX + 1, stream);
    fclose(stream);

    file = NULL;
    text.data = data;
    text.len = len;

    if (len > RT_TOOL_FILE_MAX || rt_json_parse(text, &file, NULL) != RT_OK
        || !json_is_object(file)) {
        fprintf(stderr, "%s: \"%s\" is not a JSON object, or larger than 16 MB\n", rt_tool_name,
            path);
        json_decref(file);
        file = NULL;
    }

    free(data);

    if (file != NULL && json_object_get(file, "faqs") == NULL
        && json_object_get(file, "autoResponses") == NULL)
    {
        fprintf(stderr, "%s: \"%s\" has neither \"faqs\" nor \"autoResponses\"\n", rt_tool_name,
            path);
        json_decref(file);
        file = NULL;
    }

    return file;
}


static int
rt_tool_open(rt_tool_t *tool, const rt_tool_options_t *options)
{
    rt_error_t        error;
    rt_core_options_t core;

    memset(&core, 0, sizeof(core));
    core.store_uri = rt_str_c(options->store);
    core.log.write = rt_tool_log;
    core.log.level = RT_LOG_WARN;
    tool->business = rt_str_c(options->business);
    tool->identity = rt_identity_create(rt_str("realtime-seed"), rt_str_null, rt_str("SUPER_ADMIN"),
        rt_str_null, rt_str_null, INT64_MAX);

    if (tool->identity == NULL) {
        fprintf(stderr, "%s: no memory\n", rt_tool_name);
        return RT_TOOL_FAILED;
    }

    if (rt_core_check_store(core.store_uri, &error) != RT_OK
        || rt_core_open(&tool->core, &core, &error) != RT_OK)
    {
        fprintf(stderr, "%s: %s\n", rt_tool_name, error.text);
        return RT_TOOL_FAILED;
    }

    return 0;
}


static int
rt_tool_seed(rt_tool_t *tool, const rt_tool_kind_t *kind, const json_t *file)
{
    int           rc;
    size_t        i, added;
    json_t       *list, *item;
    const json_t *items;

    items = json_object_get(file, kind->member);

    if (items == NULL) {
        return 0;
    }

    if (!json_is_array(items)) {
        fprintf(stderr, "%s: \"%s\" must be an array\n", rt_tool_name, kind->member);
        return RT_TOOL_FAILED;
    }

    list = rt_tool_list(tool, kind);
    if (list == NULL) {
        return RT_TOOL_FAILED;
    }

    rc = 0;
    added = 0;

    json_array_foreach(items, i, item)
    {
        if (rc == 0 && !rt_tool_has(list, kind, item)) {
            rc = rt_tool_create(tool, kind, i, item);
            added += rc == 0;
        }
    }

    printf("%zu of %zu %ss added\n", added, json_array_size(items), kind->what);
    json_decref(list);

    return rc;
}


/* All that the business has, put away or not; NULL: said why. */
static json_t *
rt_tool_list(rt_tool_t *tool, const rt_tool_kind_t *kind)
{
    int        page;
    json_t    *all, *some, *request;
    size_t     count;
    rt_call_t *call;

    all = json_array();
    page = 0;

    do {
        some = NULL;
        request = json_pack("{s:s%,s:s,s:i,s:i}", "businessId", tool->business.data,
            tool->business.len, "isActive", "all", "page", ++page, "limit", 100);
        call = rt_tool_call(tool, kind->list, request);

        if (call == NULL || rt_json_parse(call->reply, &some, NULL) != RT_OK || all == NULL
            || json_array_extend(all, some) != 0)
        {
            rt_call_destroy(call);
            json_decref(some);
            json_decref(all);
            return NULL;
        }

        count = json_array_size(some);
        rt_call_destroy(call);
        json_decref(some);
    } while (count == 100);

    return all;
}


static int
rt_tool_has(const json_t *list, const rt_tool_kind_t *kind, const json_t *item)
{
    size_t        i;
    json_t       *one;
    const json_t *key;

    key = json_object_get(item, kind->key);

    json_array_foreach(list, i, one)
    {
        if (json_equal(json_object_get(one, kind->key), key)) {
            return 1;
        }
    }

    return 0;
}


static int
rt_tool_create(rt_tool_t *tool, const rt_tool_kind_t *kind, size_t at, json_t *item)
{
    json_t    *request;
    rt_call_t *call;

    request = json_copy(item);

    if (request != NULL) {
        (void) rt_json_set_str(request, "businessId", tool->business);
    }

    call = rt_tool_call(tool, kind->create, request);
    rt_call_destroy(call);

    if (call == NULL) {
        fprintf(stderr, "%s: that was %s[%zu]\n", rt_tool_name, kind->member, at);
        return RT_TOOL_FAILED;
    }

    return 0;
}


/* One that succeeded, to be destroyed; NULL: said why. request: stolen. */
static rt_call_t *
rt_tool_call(rt_tool_t *tool, const char *op, json_t *request)
{
    rt_call_t     *call;
    const rt_op_t *found;

    found = rt_op_find(op);
    call = found && request
        ? rt_call_create(found, RT_DOOR_REST, tool->identity, request, rt_str_null)
        : NULL;

    if (call == NULL) {
        fprintf(stderr, "%s: no memory\n", rt_tool_name);
        return NULL;
    }

    rt_core_run(tool->core, call);

    if (call->status != RT_OK) {
        fprintf(stderr, "%s: %s\n", rt_tool_name, call->error.text);
        rt_call_destroy(call);
        return NULL;
    }

    return call;
}


static void
rt_tool_log(void *data, rt_log_level_t level, const char *text)
{
    (void) data;
    (void) level;

    fprintf(stderr, "%s: %s\n", rt_tool_name, text);
}
