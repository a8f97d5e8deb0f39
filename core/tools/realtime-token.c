/* realtime-token: makes a JSON Web Token that the server accepts, for trying things out and for
 * backends that have no library for it. */

#define _GNU_SOURCE /* explicit_bzero */
#include <errno.h>
#include <getopt.h>
#include <jwt.h>
#include <limits.h>
#include <rt/rt_json.h>
#include <rt/rt_text.h>
#include <rt/rt_token.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define RT_TOOL_FAILED 1
#define RT_TOOL_USAGE  2

#define RT_TOOL_SECRET_MAX 65536
#define RT_TOOL_TTL        86400


typedef struct {
    const char *secret;
    const char *secret_file;
    const char *user;
    const char *role;
    const char *business;
    const char *name;
    const char *email;
    jwt_alg_t   alg;
    int         expires; /* 0: the token has no exp */
    long long   ttl_s;
    json_t     *claims;
} rt_tool_options_t;


static int  rt_tool_parse(rt_tool_options_t *options, int argc, char **argv);
static int  rt_tool_option(rt_tool_options_t *options, int option, char *value);
static int  rt_tool_ttl(rt_tool_options_t *options, const char *value);
static int  rt_tool_alg(rt_tool_options_t *options, const char *value);
static int  rt_tool_claim(rt_tool_options_t *options, const char *value);
static int  rt_tool_secret(rt_tool_options_t *options, rt_buf_t *secret);
static int  rt_tool_secret_file(const char *path, rt_buf_t *secret);
static int  rt_tool_fill(rt_tool_options_t *options, int64_t now_s);
static int  rt_tool_set(json_t *claims, const char *key, const char *value);
static int  rt_tool_check(const rt_buf_t *secret, const char *token, int64_t now_s);
static int  rt_tool_print(const rt_tool_options_t *options, const rt_buf_t *secret, int64_t now_s);
static void rt_tool_help(void);


static const char rt_tool_name[] = "realtime-token";


int
main(int argc, char **argv)
{
    int               rc;
    int64_t           now_s;
    rt_buf_t          secret;
    rt_tool_options_t options;

    rt_json_init();
    memset(&options, 0, sizeof(options));
    memset(&secret, 0, sizeof(secret));

    options.claims = json_object();
    now_s = rt_time_now_ms() / 1000;

    rc = rt_tool_parse(&options, argc, argv);

    if (rc == 0) {
        rc = rt_tool_secret(&options, &secret);
    }

    if (rc == 0) {
        rc = rt_tool_fill(&options, now_s);
    }

    if (rc == 0) {
        rc = rt_tool_print(&options, &secret, now_s);
    }

    if (secret.data != NULL) {
        explicit_bzero(secret.data, secret.size);
    }

    rt_buf_free(&secret);
    json_decref(options.claims);

    return rc < 0 ? EXIT_SUCCESS : rc;
}


/* 0: go on. -1: done, with success. Else the exit code. */
static int
rt_tool_parse(rt_tool_options_t *options, int argc, char **argv)
{
    int option, rc;

    static const struct option known[] = {
        {"secret", required_argument, NULL, 's'},
        {"secret-file", required_argument, NULL, 'f'},
        {"user", required_argument, NULL, 'u'},
        {"role", required_argument, NULL, 'r'},
        {"business", required_argument, NULL, 'b'},
        {"name", required_argument, NULL, 'n'},
        {"email", required_argument, NULL, 'e'},
        {"ttl", required_argument, NULL, 't'},
        {"alg", required_argument, NULL, 'a'},
        {"claim", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };

    options->alg = JWT_ALG_HS256;
    options->expires = 1;
    options->ttl_s = RT_TOOL_TTL;

    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        rc = rt_tool_option(options, option, optarg);
        if (rc != 0) {
            return rc;
        }
    }

    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument; see --help\n", rt_tool_name);
        return RT_TOOL_USAGE;
    }

    if (options->user == NULL) {
        fprintf(stderr, "%s: --user is missing; see --help\n", rt_tool_name);
        return RT_TOOL_USAGE;
    }

    return 0;
}


static int
rt_tool_option(rt_tool_options_t *options, int option, char *value)
{
    switch (option) {

    case 's':
        options->secret = value;
        return 0;

    case 'f':
        options->secret_file = value;
        return 0;

    case 'u':
        options->user = value;
        return 0;

    case 'r':
        options->role = value;
        return 0;

    case 'b':
        options->business = value;
        return 0;

    case 'n':
        options->name = value;
        return 0;

    case 'e':
        options->email = value;
        return 0;

    case 't':
        return rt_tool_ttl(options, value);

    case 'a':
        return rt_tool_alg(options, value);

    case 'c':
        return rt_tool_claim(options, value);

    case 'h':
        rt_tool_help();
        return -1;

    default: /* getopt has said what is wrong */
        return RT_TOOL_USAGE;
    }
}


static int
rt_tool_ttl(rt_tool_options_t *options, const char *value)
{
    char *end;

    if (strcmp(value, "none") == 0) {
        options->expires = 0;
        return 0;
    }

    errno = 0;
    options->ttl_s = strtoll(value, &end, 10);

    if (errno != 0 || end == value || *end != '\0' || options->ttl_s > INT_MAX
        || options->ttl_s < INT_MIN)
    {
        fprintf(stderr, "%s: --ttl takes seconds or \"none\"\n", rt_tool_name);
        return RT_TOOL_USAGE;
    }

    return 0;
}


static int
rt_tool_alg(rt_tool_options_t *options, const char *value)
{
    options->alg = jwt_str_alg(value);

    if (options->alg != JWT_ALG_HS256 && options->alg != JWT_ALG_HS384
        && options->alg != JWT_ALG_HS512) {
        fprintf(stderr, "%s: --alg takes HS256, HS384 or HS512\n", rt_tool_name);
        return RT_TOOL_USAGE;
    }

    return 0;
}


/* KEY=VALUE: what is JSON stays JSON, all else is text. */
static int
rt_tool_claim(rt_tool_options_t *options, const char *value)
{
    char       *key;
    json_t     *json;
    rt_str_t    text;
    const char *equals;

    equals = strchr(value, '=');

    if (equals == NULL || equals == value) {
        fprintf(stderr, "%s: --claim takes KEY=VALUE\n", rt_tool_name);
        return RT_TOOL_USAGE;
    }

    text = rt_str_c(equals + 1);

    if (rt_json_parse(text, &json, NULL) != RT_OK) {
        json_decref(json);
        json = json_stringn(text.data, text.len);
    }

    key = strndup(value, (size_t) (equals - value));

    /* steals json, also on failure */
    if (json_object_set_new(options->claims, key == NULL ? "" : key, json) != 0 || key == NULL) {
        fprintf(stderr, "%s: --claim is not valid UTF-8\n", rt_tool_name);
        free(key);
        return RT_TOOL_USAGE;
    }

    free(key);

    return 0;
}


/* From --secret, --secret-file or the environment: an argument can be read by every user of the
 * machine. */
static int
rt_tool_secret(rt_tool_options_t *options, rt_buf_t *secret)
{
    const char *text;

    if (options->secret != NULL && options->secret_file != NULL) {
        fprintf(stderr, "%s: --secret and --secret-file exclude each other\n", rt_tool_name);
        return RT_TOOL_USAGE;
    }

    if (options->secret_file != NULL) {
        return rt_tool_secret_file(options->secret_file, secret);
    }

    text = (options->secret != NULL) ? options->secret : getenv("JWT_SECRET");

    if (text == NULL || *text == '\0') {
        fprintf(stderr, "%s: no secret: give --secret, --secret-file or JWT_SECRET\n",
            rt_tool_name);
        return RT_TOOL_USAGE;
    }

    rt_buf_append_str(secret, rt_str_c(text));

    if (secret->failed) {
        fprintf(stderr, "%s: out of memory\n", rt_tool_name);
        return RT_TOOL_FAILED;
    }

    return 0;
}


/* The file's content without line ends behind it. */
static int
rt_tool_secret_file(const char *path, rt_buf_t *secret)
{
    int   failed;
    FILE *file;

    file = fopen(path, "re");
    if (file == NULL) {
        fprintf(stderr, "%s: %s: %s\n", rt_tool_name, path, strerror(errno));
        return RT_TOOL_FAILED;
    }

    if (rt_buf_reserve(secret, RT_TOOL_SECRET_MAX + 1) != NULL) {
        secret->len = fread(secret->data, 1, RT_TOOL_SECRET_MAX + 1, file);
    }

    failed = secret->failed || ferror(file);
    (void) fclose(file);

    while (secret->len > 0
        && (secret->data[secret->len - 1] == '\n' || secret->data[secret->len - 1] == '\r'))
    {
        secret->len--;
    }

    if (failed || secret->len == 0 || secret->len > RT_TOOL_SECRET_MAX) {
        fprintf(stderr, "%s: %s: %s\n", rt_tool_name, path,
            failed ? "can not be read" : "empty or too long for a secret");
        return RT_TOOL_FAILED;
    }

    return 0;
}


static int
rt_tool_fill(rt_tool_options_t *options, int64_t now_s)
{
    json_t *claims = options->claims;

    if (rt_tool_set(claims, "sub", options->user) != 0
        || rt_tool_set(claims, "role", options->role) != 0
        || rt_tool_set(claims, "businessId", options->business) != 0
        || rt_tool_set(claims, "name", options->name) != 0
        || rt_tool_set(claims, "email", options->email) != 0
        || json_object_set_new(claims, "iat", json_integer(now_s)) != 0
        || (options->expires
            && json_object_set_new(claims, "exp", json_integer(now_s + options->ttl_s)) != 0))
    {
        fprintf(stderr, "%s: an option is not valid UTF-8\n", rt_tool_name);
        return RT_TOOL_USAGE;
    }

    return 0;
}


static int
rt_tool_set(json_t *claims, const char *key, const char *value)
{
    if (value == NULL) {
        return 0;
    }

    return json_object_set_new(claims, key, json_string(value));
}


static int
rt_tool_print(const rt_tool_options_t *options, const rt_buf_t *secret, int64_t now_s)
{
    int    rc;
    char  *text, *token;
    jwt_t *jwt;

    jwt = NULL;
    token = NULL;
    rc = RT_TOOL_FAILED;
    text = json_dumps(options->claims, JSON_COMPACT);

    if (text == NULL || jwt_new(&jwt) != 0 || jwt_add_grants_json(jwt, text) != 0
        || jwt_set_alg(jwt, options->alg, (unsigned char *) secret->data, (int) secret->len) != 0)
    {
        fprintf(stderr, "%s: the token can not be made\n", rt_tool_name);
        goto done;
    }

    token = jwt_encode_str(jwt);
    if (token == NULL) {
        fprintf(stderr, "%s: the token can not be signed\n", rt_tool_name);
        goto done;
    }

    rc = rt_tool_check(secret, token, now_s);
    if (rc != 0) {
        goto done;
    }

    if (puts(token) == EOF || fflush(stdout) != 0) {
        fprintf(stderr, "%s: %s\n", rt_tool_name, strerror(errno));
        rc = RT_TOOL_FAILED;
    }

done:

    free(token);
    jwt_free(jwt);
    free(text);

    return rc;
}


/* A token that the server would refuse is not worth printing; one made to be expired is. */
static int
rt_tool_check(const rt_buf_t *secret, const char *token, int64_t now_s)
{
    rt_key_t      *key;
    rt_error_t     error;
    rt_status_t    status;
    rt_identity_t *identity;

    if (rt_key_create_secret(&key, (rt_str_t){secret->data, secret->len}, &error) != RT_OK) {
        fprintf(stderr, "%s: %s\n", rt_tool_name, error.text);
        return RT_TOOL_FAILED;
    }

    status = rt_token_verify(key, rt_str_c(token), now_s * 1000, INT64_MAX / 2, &identity, &error);
    rt_key_destroy(key);

    if (status != RT_OK) {
        fprintf(stderr,
            "%s: the server would refuse this token: check --user, --business, --role, --claim\n",
            rt_tool_name);
        return RT_TOOL_FAILED;
    }

    rt_identity_put(identity);

    return 0;
}


static void
rt_tool_help(void)
{
    printf("usage: %s --user ID [--role ROLE] [--business ID] [--name N] [--email E]\n"
           "           [--secret S | --secret-file FILE] [--alg HS256|HS384|HS512]\n"
           "           [--ttl SECONDS|none] [--claim KEY=VALUE]...\n"
           "\n"
           "Prints a JSON Web Token for the realtime server.\n"
           "\n"
           "  --user ID           who it is for\n"
           "  --role ROLE         CUSTOMER (default), STAFF, BUSINESS_ADMIN, BUSINESS_OWNER,\n"
           "                      SUPER_ADMIN or SERVICE\n"
           "  --business ID       the business that the person belongs to\n"
           "  --name N, --email E what others see\n"
           "  --secret S          the server's realtime_jwt_secret (other users can see it in ps)\n"
           "  --secret-file FILE  reads it from a file; without either: environment JWT_SECRET\n"
           "  --alg ALG           HS256 (default), HS384 or HS512\n"
           "  --ttl SECONDS       how long it is good (default %d); none: for ever\n"
           "  --claim KEY=VALUE   one more claim; VALUE is JSON, or else text\n",
        rt_tool_name, RT_TOOL_TTL);
}
