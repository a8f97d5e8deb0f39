/* chat: many rooms of two, a customer and a member of staff, who both talk without pause.
 *
 * A closed loop: each sends its next message when the last one is acknowledged (`window` of them
 * may be unacknowledged). Each room is of a business of its own, so that what the business hears
 * beside the room's messages goes to one person. Deliveries are checked by `seq`, which grows by
 * one in a room whatever kind of message it is. */

#include "load_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define LOAD_CHAT_TURN_MS 10
#define LOAD_CHAT_MARK    "~b#"
/* Answer id of the join; messages are asked for by 1…window. */
#define LOAD_CHAT_JOIN (LOAD_WINDOW_MAX + 1ull)


typedef struct {
    char     room[LOAD_NAME_MAX];
    uint64_t sent;
    uint64_t acked;
} load_chat_room_t;

typedef struct {
    load_crowd_t      crowd;
    load_chat_room_t *rooms;
    uint64_t         *seq;     /* the highest that came, by client */
    uint64_t         *holes;   /* how many below it did not, by client */
    uint64_t         *sent_at; /* client * window + answer id - 1 */
    size_t            window;
    uint64_t          end;
    double            seconds;
    uint64_t          sent;
    uint64_t          acked;
    uint64_t          refused;
    uint64_t          deliveries;
    uint64_t          repeated;
    uint64_t          late; /* came after one with a higher seq */
    load_latency_t    acking;
    load_latency_t    delivering;
} load_chat_t;


/* Clients 0…rooms-1 are the customers, the others the staff of the same rooms. */
static size_t
load_chat_room_of(const load_chat_t *chat, size_t number)
{
    return number % (chat->crowd.count / 2);
}


static void
load_chat_person(const load_options_t *options, size_t number, load_person_t *person)
{
    size_t rooms;

    rooms = options->connections / 2;
    snprintf(person->business, sizeof(person->business), "business-%s-%zu", options->tag,
        number % rooms);

    if (number < rooms) {
        snprintf(person->user, sizeof(person->user), "customer-%s-%zu", options->tag, number);
        person->role = "CUSTOMER";

    } else {
        snprintf(person->user, sizeof(person->user), "staff-%s-%zu", options->tag, number);
        person->role = "STAFF";
    }
}


static void
load_chat_ready(load_client_t *client)
{
    char         data[512];
    size_t       room;
    load_chat_t *chat;

    chat = client->crowd->data;
    room = load_chat_room_of(chat, client->number);

    if (chat->rooms[room].room[0] == '\0') {
        snprintf(data, sizeof(data),
            "{\"businessId\":\"business-%s-%zu\",\"userName\":\"Load customer\"}",
            client->crowd->options->tag, room);

    } else {
        snprintf(data, sizeof(data), "{\"roomId\":\"%s\"}", chat->rooms[room].room);
    }

    (void) load_client_emit(client, "chat:join-room", data, LOAD_CHAT_JOIN);
}


static void
load_chat_send(load_chat_t *chat, size_t number, uint64_t id)
{
    int               n;
    char              data[LOAD_SIZE_MAX + 512];
    size_t            begin;
    uint64_t          now;
    load_chat_room_t *room;

    now = load_now();

    if (now >= chat->end) {
        return;
    }

    room = &chat->rooms[load_chat_room_of(chat, number)];
    n = snprintf(data, sizeof(data), "{\"roomId\":\"%s\",\"content\":\"", room->room);
    begin = (size_t) n;
    n += snprintf(data + n, sizeof(data) - (size_t) n, LOAD_CHAT_MARK "%llu#",
        (unsigned long long) now);

    while ((size_t) n - begin < chat->crowd.options->size) {
        data[n++] = 'x';
    }

    memcpy(data + n, "\"}", 3);

    chat->sent_at[number * chat->window + id - 1] = now;

    if (load_client_emit(&chat->crowd.clients[number], "chat:send-message", data, id) == 0) {
        room->sent++;
        chat->sent++;
    }
}


static void
load_chat_reply(load_client_t *client, uint64_t id, load_text_t data)
{
    size_t            rest;
    load_chat_t      *chat;
    load_chat_room_t *room;

    chat = client->crowd->data;
    room = &chat->rooms[load_chat_room_of(chat, client->number)];

    if (id == LOAD_CHAT_JOIN) {
        if (load_find(data.data, data.len, "\"success\":true", &rest) == NULL
            || (room->room[0] == '\0'
                && load_find_string(data.data, data.len, "\"roomId\":\"", room->room,
                       sizeof(room->room))
                    == -1))
        {
            load_client_refuse(client, "join refused");
            return;
        }

        load_client_joined(client);
        return;
    }

    if (id == 0 || id > chat->window) {
        return;
    }

    if (load_find(data.data, data.len, "\"success\":true", &rest) == NULL) {
        chat->refused++;
        room->sent--;

    } else {
        chat->acked++;
        room->acked++;
        load_latency_add(&chat->acking,
            load_now() - chat->sent_at[client->number * chat->window + id - 1]);
    }

    load_chat_send(chat, client->number, id);
}


/* Whether it is new to the client, as far as its number says: one from below the highest fills a
 * hole, if there is any. */
static int
load_chat_number(load_chat_t *chat, size_t client, uint64_t seq)
{
    uint64_t *last, *holes;

    last = &chat->seq[client];
    holes = &chat->holes[client];

    if (*last == 0 || seq > *last) {
        *holes += *last == 0 ? 0 : seq - *last - 1;
        *last = seq;
        return 1;
    }

    if (*holes == 0) {
        chat->repeated++;
        return 0;
    }

    (*holes)--;
    chat->late++;

    return 1;
}


static void
load_chat_event(load_client_t *client, load_text_t name, load_text_t data)
{
    size_t       rest;
    uint64_t     at, seq;
    const char  *p, *end;
    load_chat_t *chat;

    chat = client->crowd->data;

    if (!load_text_is(name, "chat:new-message") && !load_text_is(name, "chat:auto-response")
        && !load_text_is(name, "chat:faq-response"))
    {
        return;
    }

    if (load_find_number(data.data, data.len, "\"seq\":", &seq) == 0
        && !load_chat_number(chat, client->number, seq))
    {
        return;
    }

    p = load_find(data.data, data.len, LOAD_CHAT_MARK, &rest);
    if (p == NULL) {
        return;
    }

    end = p + rest;

    if (load_number(&p, end, '#', &at) == 0) {
        chat->deliveries++;
        load_latency_add(&chat->delivering, load_now() - at);
    }
}


static int
load_chat_create(load_chat_t *chat, const load_options_t *options)
{
    size_t clients;

    static const load_client_ops_t ops = {
        load_chat_ready,
        load_chat_event,
        load_chat_reply,
    };

    clients = options->connections;
    chat->crowd.ops = &ops;
    chat->crowd.data = chat;
    chat->crowd.person = load_chat_person;
    chat->window = options->window;
    chat->rooms = calloc(clients / 2, sizeof(load_chat_room_t));
    chat->seq = calloc(clients, sizeof(uint64_t));
    chat->holes = calloc(clients, sizeof(uint64_t));
    chat->sent_at = calloc(clients * chat->window, sizeof(uint64_t));

    if (chat->rooms == NULL || chat->seq == NULL || chat->holes == NULL || chat->sent_at == NULL) {
        fprintf(stderr, "realtime-load: no memory\n");
        return -1;
    }

    return load_crowd_create(&chat->crowd, options, clients);
}


static void
load_chat_measure(load_chat_t *chat)
{
    size_t   i;
    uint64_t begin, drained, id;

    begin = load_now();
    chat->end = begin + (uint64_t) (chat->crowd.options->seconds * 1e9);

    for (i = 0; i < chat->crowd.count; i++) {
        for (id = 1; id <= chat->window; id++) {
            load_chat_send(chat, i, id);
        }
    }

    while (load_now() < chat->end && chat->crowd.lost == 0) {
        load_crowd_turn(&chat->crowd, LOAD_CHAT_TURN_MS);
    }

    chat->seconds = (double) (load_now() - begin) / 1e9;
    drained = load_now() + LOAD_DRAIN_S * 1000000000ull;

    while ((chat->acked + chat->refused < chat->sent || chat->deliveries < 2 * chat->acked)
        && chat->crowd.lost == 0 && load_now() < drained)
    {
        load_crowd_turn(&chat->crowd, 1);
    }
}


static int
load_chat_print(load_chat_t *chat)
{
    uint64_t wanted, missing, unanswered;

    wanted = 2 * chat->acked;
    missing = wanted > chat->deliveries ? wanted - chat->deliveries : 0;
    unanswered = chat->sent - chat->acked - chat->refused;

    load_crowd_print(&chat->crowd, "chat");
    printf(",\"phase\":\"result\",\"rooms\":%zu,\"window\":%zu,\"size\":%zu,\"seconds\":%.3f,"
           "\"messages\":%llu,\"messages_per_s\":%.0f,\"refused\":%llu,\"unanswered\":%llu,",
        chat->crowd.count / 2, chat->window, chat->crowd.options->size, chat->seconds,
        (unsigned long long) chat->acked, (double) chat->acked / chat->seconds,
        (unsigned long long) chat->refused, (unsigned long long) unanswered);
    printf("\"deliveries\":%llu,\"lost\":%llu,\"duplicated\":%llu,\"out_of_order\":%llu,"
           "\"ack_p50_ms\":%.3f,\"ack_p99_ms\":%.3f,\"ack_max_ms\":%.3f,\"p50_ms\":%.3f,"
           "\"p99_ms\":%.3f}\n",
        (unsigned long long) chat->deliveries, (unsigned long long) missing,
        (unsigned long long) chat->repeated, (unsigned long long) chat->late,
        load_latency_at(&chat->acking, 0.5), load_latency_at(&chat->acking, 0.99),
        (double) chat->acking.max / 1e6, load_latency_at(&chat->delivering, 0.5),
        load_latency_at(&chat->delivering, 0.99));
    fflush(stdout);

    return missing + unanswered + chat->refused + chat->repeated + chat->late + chat->crowd.lost
            == 0
        ? 0
        : 1;
}


int
load_chat(const load_options_t *options)
{
    int          rc;
    load_chat_t *chat;

    chat = calloc(1, sizeof(load_chat_t));
    if (chat == NULL) {
        fprintf(stderr, "realtime-load: no memory\n");
        return 1;
    }

    rc = 1;

    if (load_chat_create(chat, options) == -1) {
        goto done;
    }

    /* The customers first: their joins make the rooms. */
    if (load_crowd_connect(&chat->crowd, chat->crowd.count / 2) == -1
        || load_crowd_connect(&chat->crowd, chat->crowd.count) == -1)
    {
        fprintf(stderr, "realtime-load: %zu of %zu clients joined: %s\n", chat->crowd.joined,
            chat->crowd.count, chat->crowd.why != NULL ? chat->crowd.why : "too slow");
        goto done;
    }

    if (options->step) {
        load_crowd_print(&chat->crowd, "chat");
        printf(",\"phase\":\"ready\"}\n");
        fflush(stdout);
        load_crowd_step(&chat->crowd);
    }

    load_chat_measure(chat);
    rc = load_chat_print(chat);
    load_crowd_step(&chat->crowd);

done:

    load_crowd_destroy(&chat->crowd);
    free(chat->rooms);
    free(chat->seq);
    free(chat->holes);
    free(chat->sent_at);
    free(chat);

    return rc;
}
