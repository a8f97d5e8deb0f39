/* realtime-faq: which FAQ would answer a message, line by line, without a server. */

#include <errno.h>
#include <getopt.h>
#include <rt/rt_faq.h>
#include <rt/rt_json.h>
#include <rt/rt_text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define RT_TOOL_FAILED 1
#define RT_TOOL_USAGE  2


typedef struct {
    rt_faq_index_t   *index;
    rt_faq_scratch_t *scratch;
    int               features;
} rt_tool_t;


static int     rt_tool_run(rt_tool_t *tool);
static int     rt_tool_index(rt_tool_t *tool, rt_str_t line);
static int     rt_tool_fill(rt_faq_t *faq, const json_t *json, rt_arena_t *arena, size_t i);
static int     rt_tool_list(const json_t *json, const char *key, rt_arena_t *arena,
        const rt_str_t **list, size_t *n);
static double  rt_tool_number(const json_t *json, const char *key, double absent);
static int     rt_tool_answer(rt_tool_t *tool, rt_str_t line);
static json_t *rt_tool_features(const rt_tool_t *tool);
static void    rt_tool_help(void);


static const char rt_tool_name[] = "realtime-faq";


int
main(int argc, char **argv)
{
    int       option, rc;
    rt_tool_t tool;

    static const struct option known[] = {
        {"features", no_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };

    rt_json_init();
    memset(&tool, 0, sizeof(tool));

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'f':
            tool.features = 1;
            break;

        case 'h':
            rt_tool_help();
            return EXIT_SUCCESS;

        default:
            return RT_TOOL_USAGE;
        }
    }

    if (optind < argc) {
        fprintf(stderr, "%s: takes no arguments: FAQs and messages come from stdin\n",
            rt_tool_name);
        return RT_TOOL_USAGE;
    }

    tool.scratch = rt_faq_scratch_create();
    rc = (tool.scratch == NULL) ? RT_TOOL_FAILED : rt_tool_run(&tool);

    rt_faq_scratch_destroy(tool.scratch);
    rt_faq_index_destroy(tool.index);

    return rc;
}


static int
rt_tool_run(rt_tool_t *tool)
{
    int      rc;
    char    *line;
    size_t   size;
    ssize_t  len;
    rt_str_t text;

    rc = 0;
    line = NULL;
    size = 0;

    while (rc == 0 && (len = getline(&line, &size, stdin)) >= 0) {
        text = (rt_str_t){line, (size_t) len};

        if (!rt_utf8_has_content(text) && tool->index != NULL) {
            continue; /* a blank line */
        }

        rc = (tool->index == NULL) ? rt_tool_index(tool, text) : rt_tool_answer(tool, text);
    }

    if (rc == 0 && ferror(stdin)) {
        fprintf(stderr, "%s: stdin: %s\n", rt_tool_name, strerror(errno));
        rc = RT_TOOL_FAILED;
    }

    free(line);

    return rc;
}


static int
rt_tool_index(rt_tool_t *tool, rt_str_t line)
{
    int         rc;
    size_t      i, n;
    json_t     *json, *list;
    rt_faq_t   *faqs;
    rt_error_t  error;
    rt_arena_t *arena;

    rc = RT_TOOL_FAILED;
    arena = rt_arena_create(65536);
    list = NULL;

    if (rt_json_parse(line, &json, &error) != RT_OK) {
        json = NULL;
    } else {
        list = json_object_get(json, "faqs");
    }

    if (!json_is_array(list)) {
        fprintf(stderr, "%s: the first line is not {\"faqs\":[...]}\n", rt_tool_name);
        goto done;
    }

    n = json_array_size(list);
    faqs = (arena == NULL) ? NULL : rt_arena_calloc(arena, (n + 1) * sizeof(*faqs));
    if (faqs == NULL) {
        fprintf(stderr, "%s: out of memory\n", rt_tool_name);
        goto done;
    }

    for (i = 0; i < n; i++) {
        if (rt_tool_fill(&faqs[i], json_array_get(list, i), arena, i) != 0) {
            goto done;
        }
    }

    if (rt_faq_index_create(&tool->index, faqs, n, &error) != RT_OK) {
        fprintf(stderr, "%s: %s\n", rt_tool_name, error.text);
        goto done;
    }

    rc = 0;

done:

    json_decref(json);
    rt_arena_destroy(arena);

    return rc;
}


static int
rt_tool_fill(rt_faq_t *faq, const json_t *json, rt_arena_t *arena, size_t i)
{
    faq->question = rt_json_get_str(json, "question");

    if (faq->question.data == NULL) {
        fprintf(stderr, "%s: faqs[%zu] has no question\n", rt_tool_name, i);
        return -1;
    }

    if (rt_tool_list(json, "alternativeQuestions", arena, &faq->alternatives, &faq->alternatives_n)
            != 0
        || rt_tool_list(json, "keywords", arena, &faq->keywords, &faq->keywords_n) != 0)
    {
        fprintf(stderr, "%s: faqs[%zu]: a list is not one of texts\n", rt_tool_name, i);
        return -1;
    }

    faq->language = rt_json_get_str(json_object_get(json, "metadata"), "language");
    faq->threshold_percent = rt_tool_number(json, "confidenceThreshold", RT_FAQ_THRESHOLD_DEFAULT);
    faq->priority = rt_tool_number(json, "priority", 0);

    if (rt_time_parse(rt_json_get_str(json, "createdAt"), &faq->created_at_ms) != RT_OK) {
        faq->created_at_ms = 0; /* then the order of the list decides */
    }

    return 0;
}


/* A list of texts; absent or null: none. The texts stay the JSON's. */
static int
rt_tool_list(const json_t *json, const char *key, rt_arena_t *arena, const rt_str_t **out,
    size_t *n)
{
    size_t    i;
    json_t   *list, *item;
    rt_str_t *texts;

    list = json_object_get(json, key);

    if (list == NULL || json_is_null(list)) {
        return 0;
    }

    if (!json_is_array(list)) {
        return -1;
    }

    texts = rt_arena_alloc(arena, (json_array_size(list) + 1) * sizeof(*texts));
    if (texts == NULL) {
        return -1;
    }

    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item)) {
            return -1;
        }

        texts[i] = (rt_str_t){json_string_value(item), json_string_length(item)};
    }

    *out = texts;
    *n = json_array_size(list);

    return 0;
}


static double
rt_tool_number(const json_t *json, const char *key, double absent)
{
    json_t *value;

    value = json_object_get(json, key);

    return json_is_number(value) ? json_number_value(value) : absent;
}


static int
rt_tool_answer(rt_tool_t *tool, rt_str_t line)
{
    int                rc;
    size_t             n;
    json_t            *json, *message, *answer;
    rt_buf_t           buf;
    rt_error_t         error;
    rt_faq_candidate_t best;

    memset(&buf, 0, sizeof(buf));
    rc = RT_TOOL_FAILED;
    answer = NULL;

    /* a declined line still has its text, with U+FFFD in it */
    if (rt_json_parse(line, &json, &error) == RT_INVALID) {
        json = NULL;
    }

    message = json_object_get(json, "q");

    if (!json_is_string(message)) {
        fprintf(stderr, "%s: a line is not {\"q\":\"...\"}\n", rt_tool_name);
        goto done;
    }

    if (rt_faq_match(tool->index, tool->scratch,
            (rt_str_t){json_string_value(message), json_string_length(message)}, &best, 1, &n)
        != RT_OK)
    {
        fprintf(stderr, "%s: matching failed\n", rt_tool_name);
        goto done;
    }

    if (n == 0) {
        answer = json_pack("{s:n, s:i, s:b}", "faq", "score", 0, "answers", 0);
    } else {
        answer = json_pack("{s:i, s:f, s:b}", "faq", (int) best.faq, "score", best.score_percent,
            "answers", best.qualifies);
    }

    if (tool->features) {
        (void) json_object_set_new(answer, "features", rt_tool_features(tool));
    }

    if (rt_json_dump(answer, &buf) == RT_OK) {
        rt_buf_append(&buf, "\n", 1);

        if (!buf.failed && fwrite(buf.data, 1, buf.len, stdout) == buf.len && fflush(stdout) == 0) {
            rc = 0;
        }
    }

    if (rc != 0) {
        fprintf(stderr, "%s: the answer can not be written\n", rt_tool_name);
    }

done:

    json_decref(json);
    json_decref(answer);
    rt_buf_free(&buf);

    return rc;
}


/* {"none":[…],"faqs":[[…] or null…]} of the last match. */
static json_t *
rt_tool_features(const rt_tool_t *tool)
{
    double  values[RT_FAQ_FEATURES];
    size_t  i, j, n, faqs;
    json_t *list, *row, *none;

    faqs = rt_faq_index_count(tool->index);
    list = json_array();
    none = NULL;

    for (i = 0; i <= faqs; i++) {
        n = (i == faqs) ? RT_FAQ_NONE_FEATURES : RT_FAQ_FEATURES;

        if (!rt_faq_features(tool->scratch, i, values)) {
            (void) json_array_append_new(list, json_null());
            continue;
        }

        row = json_array();

        for (j = 0; j < n; j++) {
            (void) json_array_append_new(row, json_real(values[j]));
        }

        if (i == faqs) {
            none = row;
        } else {
            (void) json_array_append_new(list, row);
        }
    }

    return json_pack("{s:o, s:o}", "none", none, "faqs", list);
}


static void
rt_tool_help(void)
{
    printf("usage: %s [--features]\n"
           "\n"
           "Reads JSON lines: first {\"faqs\":[{\"question\":...}]}, then messages "
           "{\"q\":\"...\"}.\n"
           "Answers each message with {\"faq\":index or null,\"score\":0..100,\"answers\":bool}.\n"
           "\n"
           "  --features  adds what the score is made of (for scripts/faq-fit)\n",
        rt_tool_name);
}
