/* fanout: one room, N members, and how fast a message reaches all of them.
 *
 * Client 0 is the customer whose room it is. The last clients, `senders` of them, are staff and
 * speak in turn; those between are further sockets of the customer (the room alone hears) or more
 * staff (each also gets the business's events). A message is sent when fewer than `window` are
 * under way, that is, not yet at every member: window 1 is one message at a time.
 *
 * A message's content says which it is and when it went: "~b#<id>#<sender>#<nth>#<ns>#" and
 * padding. So every member's deliveries are checked one by one: a bit per member and message for
 * what came (lost, duplicated), the sender's count for the order, `seq` for holes. */

#include "load_fanout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define LOAD_FANOUT_MARK    "~b#"
#define LOAD_FANOUT_TURN_MS 10


static void load_fanout_send(load_fanout_t *f);


static int
load_fanout_is_customer(const load_options_t *options, size_t number)
{
    return number == 0 || (options->customers && number < options->connections - options->senders);
}


static void
load_fanout_person(const load_options_t *options, size_t number, load_person_t *person)
{
    snprintf(person->business, sizeof(person->business), "business-%s", options->tag);

    if (load_fanout_is_customer(options, number)) {
        snprintf(person->user, sizeof(person->user), "customer-%s", options->tag);
        person->role = "CUSTOMER";

    } else {
        snprintf(person->user, sizeof(person->user), "staff-%s-%zu", options->tag, number);
        person->role = "STAFF";
    }
}


static void
load_fanout_ready(load_client_t *client)
{
    char                  data[512];
    load_fanout_t        *f;
    const load_options_t *options;

    options = client->crowd->options;
    f = client->crowd->data;

    if (options->protocol == LOAD_RAW) {
        load_client_joined(client);
        return;
    }

    if (f->room[0] == '\0') {
        snprintf(data, sizeof(data),
            "{\"businessId\":\"business-%s\",\"userName\":\"Load customer\"}", options->tag);

    } else {
        snprintf(data, sizeof(data), "{\"roomId\":\"%s\"}", f->room);
    }

    (void) load_client_emit(client, "chat:join-room", data, LOAD_FANOUT_JOIN);
}


static void
load_fanout_reply(load_client_t *client, uint64_t id, load_text_t data)
{
    size_t         rest;
    load_fanout_t *f;

    f = client->crowd->data;

    if (id == LOAD_FANOUT_JOIN) {
        if (load_find(data.data, data.len, "\"success\":true", &rest) == NULL
            || (f->room[0] == '\0'
                && load_find_string(data.data, data.len, "\"roomId\":\"", f->room, sizeof(f->room))
                    == -1))
        {
            load_client_refuse(client, "join refused");
            return;
        }

        load_client_joined(client);
        return;
    }

    if (id > f->sent || f->counts[id - 1] == LOAD_FANOUT_REFUSED) {
        return;
    }

    f->acks++;

    if (load_find(data.data, data.len, "\"success\":true", &rest) != NULL) {
        load_latency_add(&f->acking, load_now() - f->sent_at[id - 1]);
        return;
    }

    /* Nobody will get it: make way for the next one. */
    f->refused++;

    if (f->counts[id - 1] < f->members) {
        f->counts[id - 1] = LOAD_FANOUT_REFUSED;
        f->under_way--;
        load_fanout_send(f);
    }
}


static void
load_fanout_seq(load_fanout_member_t *member, load_fanout_t *f, load_text_t data)
{
    uint64_t seq;

    if (load_find_number(data.data, data.len, "\"seq\":", &seq) == -1) {
        return;
    }

    if (member->seq != 0 && seq != member->seq + 1) {
        f->seq_breaks++;
    }

    member->seq = seq;
}


static void
load_fanout_event(load_client_t *client, load_text_t name, load_text_t data)
{
    size_t                bit, rest;
    uint64_t              id, sender, nth, at, now;
    const char           *p, *end;
    load_fanout_t        *f;
    load_fanout_member_t *member;

    f = client->crowd->data;
    f->events++;

    if (name.len > 0 && !load_text_is(name, "chat:new-message")) {
        return; /* chat:room-updated quotes the message too, but is no delivery */
    }

    p = load_find(data.data, data.len, LOAD_FANOUT_MARK, &rest);
    if (p == NULL) {
        return;
    }

    end = p + rest;

    if (load_number(&p, end, '#', &id) == -1 || load_number(&p, end, '#', &sender) == -1
        || load_number(&p, end, '#', &nth) == -1 || load_number(&p, end, '#', &at) == -1
        || id >= f->sent || sender >= f->senders)
    {
        return;
    }

    member = &f->member[client->number];
    bit = client->number * f->messages + id;

    if (f->got[bit / 64] & 1ull << bit % 64) {
        f->duplicated++;
        return;
    }

    f->got[bit / 64] |= 1ull << bit % 64;
    f->deliveries++;
    now = load_now();
    load_latency_add(&f->delivering, now - at);
    load_fanout_seq(member, f, data);

    if (nth < member->nth[sender]) {
        f->out_of_order++;

    } else {
        member->nth[sender] = (uint32_t) nth + 1;
    }

    if (++f->counts[id] == f->members) {
        load_latency_add(&f->completing, now - f->sent_at[id]);
        f->under_way--;
        f->complete++;
        load_fanout_send(f);
    }
}


/* LOAD_RAW: messages are POSTed; the answer says no more than that it was taken. */
static void
load_fanout_published(load_http_t *http, int status, const char *body, size_t len)
{
    load_fanout_t *f;

    (void) body;
    (void) len;

    f = http->data;
    f->acks++;

    if (status >= 300) {
        f->refused++;
    }
}


static int
load_fanout_post(load_fanout_t *f, size_t sender, const char *content)
{
    char                  data[LOAD_SIZE_MAX + 256];
    const load_options_t *options;

    options = f->crowd.options;

    if (options->protocol == LOAD_RAW) {
        return load_http_post(&f->publisher, options->publish, NULL, content);
    }

    snprintf(data, sizeof(data), "{\"roomId\":\"%s\",\"content\":\"%s\"}", f->room, content);

    return load_client_emit(&f->crowd.clients[f->members - f->senders + sender],
        "chat:send-message", data, f->sent);
}


/* Sends while the window has room. */
static void
load_fanout_send(load_fanout_t *f)
{
    int      n;
    char     content[LOAD_SIZE_MAX + 128];
    size_t   id, sender;
    uint64_t now;

    static const char filler[] = "a load of words that nobody reads ";

    while (f->under_way < f->window && f->sent < f->messages) {
        now = load_now();

        if (now >= f->end) {
            return;
        }

        id = f->sent++;
        sender = id % f->senders;
        f->sent_at[id] = now;
        f->under_way++;

        n = snprintf(content, sizeof(content), LOAD_FANOUT_MARK "%zu#%zu#%zu#%llu#", id, sender,
            id / f->senders, (unsigned long long) now);

        for (; (size_t) n < f->size; n++) {
            content[n] = filler[(size_t) n % (sizeof(filler) - 1)];
        }

        content[n] = '\0';

        if (load_fanout_post(f, sender, content) == -1) {
            f->send_failed++;
            return;
        }
    }
}


static int
load_fanout_create(load_fanout_t *f, const load_options_t *options)
{
    static const load_client_ops_t ops = {
        load_fanout_ready,
        load_fanout_event,
        load_fanout_reply,
    };

    f->crowd.ops = &ops;
    f->crowd.data = f;
    f->crowd.person = load_fanout_person;
    f->members = options->connections;
    f->senders = options->senders;
    f->messages = options->messages;
    f->window = options->window;
    f->size = options->size;

    if ((uint64_t) f->members * f->messages > LOAD_FANOUT_BITS_MAX) {
        fprintf(stderr, "realtime-load: too many members and messages to check\n");
        return -1;
    }

    f->got = calloc(f->members * f->messages / 64 + 1, sizeof(uint64_t));
    f->sent_at = calloc(f->messages, sizeof(uint64_t));
    f->counts = calloc(f->messages, sizeof(uint32_t));
    f->member = calloc(f->members, sizeof(load_fanout_member_t));

    if (f->got == NULL || f->sent_at == NULL || f->counts == NULL || f->member == NULL) {
        fprintf(stderr, "realtime-load: no memory\n");
        return -1;
    }

    return load_crowd_create(&f->crowd, options, f->members);
}


static void
load_fanout_destroy(load_fanout_t *f)
{
    load_conn_close(&f->publisher.conn);
    load_crowd_destroy(&f->crowd);
    free(f->got);
    free(f->sent_at);
    free(f->counts);
    free(f->member);
    free(f);
}


/* The room's owner first: the others join by the id that the answer names. */
static int
load_fanout_setup(load_fanout_t *f)
{
    if (load_crowd_connect(&f->crowd, 1) == -1 || load_crowd_connect(&f->crowd, f->members) == -1) {
        fprintf(stderr, "realtime-load: %zu of %zu members joined: %s\n", f->crowd.joined,
            f->members, f->crowd.why != NULL ? f->crowd.why : "too slow");
        return -1;
    }

    if (f->crowd.options->protocol == LOAD_RAW) {
        f->publisher.data = f;
        f->publisher.answered = load_fanout_published;

        if (load_http_open(f->crowd.loop, &f->publisher, f->crowd.options->port) == -1) {
            return -1;
        }

        while (f->publisher.conn.state != LOAD_CONN_OPEN && !f->publisher.lost) {
            load_crowd_turn(&f->crowd, LOAD_FANOUT_TURN_MS);
        }
    }

    return f->publisher.lost ? -1 : 0;
}


static void
load_fanout_measure(load_fanout_t *f)
{
    uint64_t begin, drained;

    begin = load_now();
    f->end = begin + (uint64_t) (f->crowd.options->seconds * 1e9);
    f->events = 0;
    load_fanout_send(f);

    while (f->crowd.lost == 0 && f->send_failed == 0
        && (load_now() < f->end && f->sent < f->messages)) {
        load_crowd_turn(&f->crowd, LOAD_FANOUT_TURN_MS);
    }

    drained = load_now() + LOAD_DRAIN_S * 1000000000ull;

    while ((f->under_way > 0 || f->acks < f->sent) && f->crowd.lost == 0 && f->send_failed == 0
        && load_now() < drained)
    {
        load_crowd_turn(&f->crowd, 1);
    }

    f->seconds = (double) (load_now() - begin) / 1e9;
}


static int
load_fanout_print(load_fanout_t *f)
{
    uint64_t wanted, missing;

    wanted = (uint64_t) (f->sent - f->refused) * f->members;
    missing = wanted > f->deliveries ? wanted - f->deliveries : 0;

    load_crowd_print(&f->crowd, "fanout");
    printf(",\"phase\":\"result\",\"window\":%zu,\"senders\":%zu,\"size\":%zu,\"seconds\":%.3f,"
           "\"messages\":%zu,\"complete\":%zu,\"refused\":%zu,\"acks\":%zu,",
        f->window, f->senders, f->size, f->seconds, f->sent, f->complete, f->refused, f->acks);
    printf("\"deliveries\":%llu,\"deliveries_per_s\":%.0f,\"events\":%llu,\"lost\":%llu,"
           "\"duplicated\":%llu,\"out_of_order\":%llu,\"seq_breaks\":%llu,",
        (unsigned long long) f->deliveries, (double) f->deliveries / f->seconds,
        (unsigned long long) f->events, (unsigned long long) missing,
        (unsigned long long) f->duplicated, (unsigned long long) f->out_of_order,
        (unsigned long long) f->seq_breaks);
    printf("\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"complete_p50_ms\":%.3f,"
           "\"complete_p99_ms\":%.3f,\"ack_p50_ms\":%.3f,\"ack_p99_ms\":%.3f}\n",
        load_latency_at(&f->delivering, 0.5), load_latency_at(&f->delivering, 0.99),
        (double) f->delivering.max / 1e6, load_latency_at(&f->completing, 0.5),
        load_latency_at(&f->completing, 0.99), load_latency_at(&f->acking, 0.5),
        load_latency_at(&f->acking, 0.99));
    fflush(stdout);

    return missing + f->duplicated + f->out_of_order + f->seq_breaks + f->refused + f->crowd.lost
                + f->send_failed
            == 0
        ? 0
        : 1;
}


int
load_fanout(const load_options_t *options)
{
    int            rc;
    load_fanout_t *f;

    f = calloc(1, sizeof(load_fanout_t));
    if (f == NULL) {
        fprintf(stderr, "realtime-load: no memory\n");
        return 1;
    }

    rc = 1;

    if (load_fanout_create(f, options) == -1 || load_fanout_setup(f) == -1) {
        goto done;
    }

    if (options->step) {
        load_crowd_print(&f->crowd, "fanout");
        printf(",\"phase\":\"ready\"}\n");
        fflush(stdout);
        load_crowd_step(&f->crowd);
    }

    load_fanout_measure(f);
    rc = load_fanout_print(f);
    load_crowd_step(&f->crowd);

done:

    load_fanout_destroy(f);

    return rc;
}
