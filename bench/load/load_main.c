/* realtime-load: plays many clients against a chat server on this machine.
 *
 * Reads and checks the command line, then runs one mode. */

#include "load_net.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static const char load_usage[] =
    "usage: realtime-load MODE [options]\n"
    "modes:\n"
    "  idle      connect, show a token, stay silent; prints connects/s\n"
    "  fanout    one room of --connections members; prints deliveries/s and latencies\n"
    "  chat      --connections / 2 rooms of two who talk without pause; prints messages/s\n"
    "  rest      --connections customers who post messages over REST; prints messages/s\n"
    "options (default):\n"
    "  --server ADDRESS:PORT    loopback, IPv4 (127.0.0.1:3000)\n"
    "  --also PORT              a second host at the same address: every other client (none)\n"
    "  --protocol socketio|plain|raw    (socketio)\n"
    "  --tls                    over TLS, without verification\n"
    "  --path PATH              of the WebSocket (by protocol)\n"
    "  --publish PATH           raw fanout: where messages are POSTed\n"
    "  --secret TEXT            HS256 key of the tokens (or JWT_SECRET)\n"
    "  --namespace NAME         of Socket.IO (/realtime)\n"
    "  --tag TEXT               part of all names, so that runs share no room (time)\n"
    "  --members customer|staff fanout: sockets of one customer, or staff (customer)\n"
    "  --connections N          (1000)\n"
    "  --concurrency N          handshakes and joins under way at a time (100)\n"
    "  --senders N              fanout: members who send in turn (1)\n"
    "  --window N               messages under way: fanout in all, chat for each (1)\n"
    "  --messages N             fanout: at most so many (10000)\n"
    "  --size BYTES             of a message's text (100)\n"
    "  --seconds S              of measuring; idle: of holding (5)\n"
    "  --timeout S              for connecting and joining (60)\n"
    "  --step                   print a line and read one from stdin before measuring, and\n"
    "                           read one before closing\n"
    "Prints one line of JSON (with --step, and for idle, one for each phase). Exits with 0\n"
    "when nothing was lost, refused, repeated or out of order.\n";


static void
load_fail(const char *what, const char *value)
{
    fprintf(stderr, "realtime-load: bad %s: \"%s\" (try --help)\n", what, value);
    exit(2);
}


static double
load_bounded(const char *name, const char *value, double min, double max)
{
    char  *end;
    double number;

    number = strtod(value, &end);

    if (end == value || *end != '\0' || !(number >= min && number <= max)) {
        load_fail(name, value);
    }

    return number;
}


static size_t
load_count(const char *name, const char *value, size_t max)
{
    return (size_t) load_bounded(name, value, 1, (double) max);
}


/* Refuses all but loopback: this is no tool to hold against other people's machines. */
static void
load_server(load_options_t *options, const char *value)
{
    char           address[INET_ADDRSTRLEN];
    size_t         len;
    const char    *colon;
    struct in_addr in;

    colon = strchr(value, ':');
    len = colon != NULL ? (size_t) (colon - value) : sizeof(address);

    if (len >= sizeof(address)) {
        load_fail("--server", value);
    }

    memcpy(address, value, len);
    address[len] = '\0';

    if (inet_pton(AF_INET, address, &in) != 1 || ntohl(in.s_addr) >> 24 != IN_LOOPBACKNET) {
        load_fail("--server (loopback only)", value);
    }

    options->address = ntohl(in.s_addr);
    options->port = (uint16_t) load_bounded("--server", colon + 1, 1, 65535);
}


static load_mode_t
load_mode(const char *name)
{
    size_t i;

    static const char *const names[] = {"idle", "fanout", "chat", "rest"};

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            return (load_mode_t) i;
        }
    }

    load_fail("mode", name);

    return LOAD_IDLE;
}


static load_protocol_t
load_protocol(const char *name)
{
    size_t i;

    static const char *const names[] = {"socketio", "plain", "raw"};

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            return (load_protocol_t) i;
        }
    }

    load_fail("--protocol", name);

    return LOAD_SOCKETIO;
}


/* Names that go into JSON and claims unescaped. */
static const char *
load_plain_text(const char *name, const char *value)
{
    size_t len;

    len = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./");

    if (len == 0 || len > 48 || value[len] != '\0') {
        load_fail(name, value);
    }

    return value;
}


static const struct option load_long_options[] = {
    {"server", required_argument, NULL, 's'},
    {"also", required_argument, NULL, 'a'},
    {"protocol", required_argument, NULL, 'p'},
    {"tls", no_argument, NULL, 't'},
    {"path", required_argument, NULL, 'P'},
    {"publish", required_argument, NULL, 'u'},
    {"secret", required_argument, NULL, 'k'},
    {"namespace", required_argument, NULL, 'n'},
    {"tag", required_argument, NULL, 'g'},
    {"members", required_argument, NULL, 'm'},
    {"connections", required_argument, NULL, 'c'},
    {"concurrency", required_argument, NULL, 'C'},
    {"senders", required_argument, NULL, 'S'},
    {"window", required_argument, NULL, 'w'},
    {"messages", required_argument, NULL, 'M'},
    {"size", required_argument, NULL, 'z'},
    {"seconds", required_argument, NULL, 'd'},
    {"timeout", required_argument, NULL, 'T'},
    {"step", no_argument, NULL, 'i'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};


static void
load_option(load_options_t *o, int option)
{
    switch (option) {

    case 's':
        load_server(o, optarg);
        break;

    case 'a':
        o->also = (uint16_t) load_bounded("--also", optarg, 1, 65535);
        break;
    case 'p':
        o->protocol = load_protocol(optarg);
        break;
    case 't':
        o->tls = 1;
        break;
    case 'P':
        o->path = optarg;
        break;
    case 'u':
        o->publish = optarg;
        break;
    case 'k':
        o->secret = optarg;
        break;
    case 'n':
        o->ns = load_plain_text("--namespace", optarg);
        break;
    case 'g':
        o->tag = load_plain_text("--tag", optarg);
        break;
    case 'm':
        if (strcmp(optarg, "customer") != 0 && strcmp(optarg, "staff") != 0) {
            load_fail("--members", optarg);
        }
        o->customers = optarg[0] == 'c';
        break;
    case 'c':
        o->connections = load_count("--connections", optarg, LOAD_CONNECTIONS_MAX);
        break;
    case 'C':
        o->concurrency = load_count("--concurrency", optarg, LOAD_CONNECTIONS_MAX);
        break;
    case 'S':
        o->senders = load_count("--senders", optarg, LOAD_SENDERS_MAX);
        break;
    case 'w':
        o->window = load_count("--window", optarg, LOAD_WINDOW_MAX);
        break;
    case 'M':
        o->messages = load_count("--messages", optarg, LOAD_MESSAGES_MAX);
        break;
    case 'z':
        o->size = load_count("--size", optarg, LOAD_SIZE_MAX);
        break;
    case 'd':
        o->seconds = load_bounded("--seconds", optarg, 0, LOAD_SECONDS_MAX);
        break;
    case 'T':
        o->timeout = load_bounded("--timeout", optarg, 1, LOAD_SECONDS_MAX);
        break;
    case 'i':
        o->step = 1;
        break;
    case 'h':
        fputs(load_usage, stdout);
        exit(0);
    default:
        exit(2);
    }
}


static void
load_options_check(const load_options_t *o)
{
    if (o->secret == NULL || o->secret[0] == '\0') {
        fprintf(stderr, "realtime-load: --secret or JWT_SECRET is needed\n");
        exit(2);
    }

    if ((o->mode == LOAD_FANOUT || o->mode == LOAD_CHAT)
        && (o->connections < 2 || o->senders >= o->connections))
    {
        fprintf(stderr, "realtime-load: more connections than senders, 2 at least\n");
        exit(2);
    }

    if (o->mode == LOAD_CHAT && o->connections % 2 != 0) {
        fprintf(stderr, "realtime-load: an even number of connections for chat\n");
        exit(2);
    }

    if (o->protocol == LOAD_RAW
        && (o->mode == LOAD_CHAT || (o->mode == LOAD_FANOUT && o->publish == NULL)))
    {
        fprintf(stderr, "realtime-load: raw does idle, and fanout with --publish\n");
        exit(2);
    }
}


int
main(int argc, char **argv)
{
    int            option;
    char           tag[24];
    load_options_t o = {0};

    snprintf(tag, sizeof(tag), "%llx", (unsigned long long) load_now());

    o.address = INADDR_LOOPBACK;
    o.port = 3000;
    o.secret = getenv("JWT_SECRET");
    o.ns = "/realtime";
    o.tag = tag;
    o.customers = 1;
    o.connections = 1000;
    o.concurrency = 100;
    o.senders = 1;
    o.window = 1;
    o.messages = 10000;
    o.size = 100;
    o.seconds = 5;
    o.timeout = 60;

    while ((option = getopt_long(argc, argv, "", load_long_options, NULL)) != -1) {
        load_option(&o, option);
    }

    if (optind != argc - 1) {
        fputs(load_usage, stderr);
        return 2;
    }

    o.mode = load_mode(argv[optind]);
    load_options_check(&o);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */

    if (load_files_limit(&o) == -1) {
        return 1;
    }

    switch (o.mode) {

    case LOAD_IDLE:
        return load_idle(&o);

    case LOAD_FANOUT:
        return load_fanout(&o);

    case LOAD_CHAT:
        return load_chat(&o);

    default:
        return load_rest(&o);
    }
}
