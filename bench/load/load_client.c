/* The client's protocols: WebSocket handshake, then Engine.IO and Socket.IO, plain JSON or raw. */

#include "load_client.h"
#include "load_ws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/* The handshake's key and its answer are RFC 6455's example (1.3): whether a server computes the
 * answer shows with any key. */
#define LOAD_CLIENT_KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define LOAD_CLIENT_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

#define LOAD_CLIENT_REQUEST_MAX 2048
#define LOAD_CLIENT_PACKET_MAX  (LOAD_SIZE_MAX + 2048)


static void    load_client_opened(load_conn_t *c);
static ssize_t load_client_bytes(load_conn_t *c, const uint8_t *data, size_t len);
static void    load_client_closed(load_conn_t *c, const char *why);

const load_conn_ops_t load_client_conn_ops = {
    load_client_opened,
    load_client_bytes,
    load_client_closed,
};


static int
load_client_send(load_client_t *client, uint8_t opcode, const char *data, size_t len)
{
    size_t  n;
    uint8_t frame[LOAD_CLIENT_PACKET_MAX + LOAD_WS_HEADER_MAX];

    if (len > LOAD_CLIENT_PACKET_MAX) {
        return -1;
    }

    n = load_ws_frame(frame, opcode, data, len);

    return load_conn_send(&client->conn, frame, n);
}


int
load_client_emit(load_client_t *client, const char *event, const char *data, uint64_t id)
{
    int                   n;
    char                  packet[LOAD_CLIENT_PACKET_MAX], number[40];
    const load_options_t *options;

    options = client->crowd->options;
    number[0] = '\0';

    if (options->protocol == LOAD_SOCKETIO) {
        if (id != 0) {
            snprintf(number, sizeof(number), "%llu", (unsigned long long) id);
        }

        n = snprintf(packet, sizeof(packet), "42%s,%s[\"%s\",%s]", options->ns, number, event,
            data);

    } else {
        if (id != 0) {
            snprintf(number, sizeof(number), ",\"id\":%llu", (unsigned long long) id);
        }

        n = snprintf(packet, sizeof(packet), "{\"event\":\"%s\",\"data\":%s%s}", event, data,
            number);
    }

    if (n < 0 || (size_t) n >= sizeof(packet)) {
        return -1;
    }

    return load_client_send(client, LOAD_WS_TEXT, packet, (size_t) n);
}


static int
load_client_token(load_client_t *client, char *token)
{
    load_person_t         person;
    const load_options_t *options;

    options = client->crowd->options;
    client->crowd->person(options, client->number, &person);

    return load_token(token, options->secret, person.user, person.role, person.business);
}


static void
load_client_opened(load_conn_t *c)
{
    int                   n;
    char                  request[LOAD_CLIENT_REQUEST_MAX], token[LOAD_TOKEN_MAX];
    const char           *path, *query;
    load_client_t        *client;
    const load_options_t *options;

    client = (load_client_t *) c;
    options = client->crowd->options;
    token[0] = '\0';
    query = "";

    switch (options->protocol) {

    case LOAD_SOCKETIO:
        path = "/socket.io/";
        query = "?EIO=4&transport=websocket";
        break;

    case LOAD_PLAIN:
        path = "/realtime";
        query = "?token=";

        if (load_client_token(client, token) == -1) {
            load_client_refuse(client, "no token");
            return;
        }
        break;

    default:
        path = "/";
        break;
    }

    n = snprintf(request, sizeof(request),
        "GET %s%s%s HTTP/1.1\r\nHost: localhost:%u\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: " LOAD_CLIENT_KEY "\r\n\r\n",
        options->path != NULL ? options->path : path, query, token, (unsigned) options->port);

    if (n < 0 || (size_t) n >= sizeof(request)) {
        load_client_refuse(client, "request too long");
        return;
    }

    (void) load_conn_send(c, request, (size_t) n);
}


static void
load_client_closed(load_conn_t *c, const char *why)
{
    load_crowd_t  *crowd;
    load_client_t *client;

    client = (load_client_t *) c;
    crowd = client->crowd;

    if (client->state == LOAD_CLIENT_JOINED) {
        crowd->joined--;
        crowd->lost++;

    } else {
        crowd->pending--;
        crowd->failed++;
    }

    client->state = LOAD_CLIENT_GONE;

    if (crowd->why == NULL) {
        crowd->why = why;
    }
}


void
load_client_refuse(load_client_t *client, const char *why)
{
    load_conn_close(&client->conn);
    load_client_closed(&client->conn, why);
}


int
load_text_is(load_text_t text, const char *s)
{
    return text.len == strlen(s) && memcmp(text.data, s, text.len) == 0;
}


void
load_client_joined(load_client_t *client)
{
    load_crowd_t *crowd;

    if (client->state != LOAD_CLIENT_READY) {
        return;
    }

    crowd = client->crowd;
    client->state = LOAD_CLIENT_JOINED;
    crowd->pending--;
    crowd->joined++;
    load_latency_add(&crowd->connecting, load_now() - client->started);
}


static void
load_client_ready(load_client_t *client)
{
    if (client->state != LOAD_CLIENT_HANDSHAKE) {
        return;
    }

    client->state = LOAD_CLIENT_READY;

    if (client->crowd->ops->ready != NULL) {
        client->crowd->ops->ready(client);

    } else {
        load_client_joined(client);
    }
}


/* Returns the bytes of the answer's head, 0 while it is not whole, -1 when it is not a 101. */
static ssize_t
load_client_upgrade(load_client_t *client, const char *data, size_t len)
{
    size_t      head;
    const char *end;

    static const char status[] = "HTTP/1.1 101";

    end = memmem(data, len, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }

    head = (size_t) (end - data) + 4;

    if (head < sizeof(status) - 1 || memcmp(data, status, sizeof(status) - 1) != 0
        || memmem(data, head, LOAD_CLIENT_ACCEPT, sizeof(LOAD_CLIENT_ACCEPT) - 1) == NULL)
    {
        return -1;
    }

    client->state = LOAD_CLIENT_HANDSHAKE;

    if (client->crowd->options->protocol == LOAD_RAW) {
        load_client_ready(client);
    }

    return (ssize_t) head;
}


static void
load_client_event(load_client_t *client, load_text_t name, load_text_t data)
{
    if (client->state == LOAD_CLIENT_HANDSHAKE) {
        if (load_text_is(name, "connected")) {
            load_client_ready(client);
        }

        return;
    }

    if (client->crowd->ops->event != NULL) {
        client->crowd->ops->event(client, name, data);
    }
}


static void
load_client_reply(load_client_t *client, uint64_t id, load_text_t data)
{
    if (client->crowd->ops->reply != NULL) {
        client->crowd->ops->reply(client, id, data);
    }
}


/* Cuts the name off `["name",…` or `{"event":"name",…`, `skip` bytes before it. */
static int
load_client_named(load_client_t *client, const char *data, size_t len, size_t skip)
{
    load_text_t name, rest;
    const char *quote;

    if (len <= skip) {
        return -1;
    }

    name.data = data + skip;
    quote = memchr(name.data, '"', len - skip);

    if (quote == NULL) {
        return -1;
    }

    name.len = (size_t) (quote - name.data);
    rest.data = quote;
    rest.len = len - (size_t) (quote - data);
    load_client_event(client, name, rest);

    return 0;
}


static int
load_client_socketio(load_client_t *client, const char *data, size_t len)
{
    int         n;
    char        token[LOAD_TOKEN_MAX], packet[LOAD_TOKEN_MAX + 128];
    size_t      ns;
    uint64_t    id;
    const char *p, *end;
    load_text_t rest;

    if (len >= 1 && data[0] == '2') { /* ping */
        return load_client_send(client, LOAD_WS_TEXT, "3", 1);
    }

    if (len >= 1 && data[0] == '0') { /* open: now CONNECT to the namespace */
        if (load_client_token(client, token) == -1) {
            return -1;
        }

        n = snprintf(packet, sizeof(packet), "40%s,{\"token\":\"%s\"}", client->crowd->options->ns,
            token);

        return n < (int) sizeof(packet) ? load_client_send(client, LOAD_WS_TEXT, packet, (size_t) n)
                                        : -1;
    }

    ns = strlen(client->crowd->options->ns);

    if (len < 2 + ns + 1 || data[0] != '4') {
        return 0;
    }

    p = data + 2 + ns + 1; /* behind "42/realtime," */
    end = data + len;

    switch (data[1]) {

    case '2':
        return load_client_named(client, p, (size_t) (end - p), 2);

    case '3':
        if (load_number(&p, end, '[', &id) == -1) {
            return -1;
        }

        rest.data = p;
        rest.len = (size_t) (end - p);
        load_client_reply(client, id, rest);
        return 0;

    case '1': /* DISCONNECT, CONNECT_ERROR: the server does not want us */
    case '4':
        return -1;

    default:
        return 0;
    }
}


static int
load_client_plain(load_client_t *client, const char *data, size_t len)
{
    uint64_t    id;
    load_text_t rest;

    static const char event[] = "{\"event\":\"";

    if (len > sizeof(event) - 1 && memcmp(data, event, sizeof(event) - 1) == 0) {
        return load_client_named(client, data, len, sizeof(event) - 1);
    }

    if (load_find_number(data, len, "{\"id\":", &id) == -1) {
        return -1;
    }

    rest.data = data;
    rest.len = len;
    load_client_reply(client, id, rest);

    return 0;
}


static int
load_client_frame(load_client_t *client, const load_ws_frame_t *frame)
{
    const char *data;
    load_text_t name, rest;

    data = (const char *) frame->data;

    switch (frame->opcode) {

    case LOAD_WS_TEXT:
        client->crowd->frames++;
        break;

    case LOAD_WS_PING:
        return load_client_send(client, LOAD_WS_PONG, data, frame->len);

    case LOAD_WS_PONG:
        return 0;

    default:
        return -1;
    }

    switch (client->crowd->options->protocol) {

    case LOAD_SOCKETIO:
        return load_client_socketio(client, data, frame->len);

    case LOAD_PLAIN:
        return load_client_plain(client, data, frame->len);

    default:
        name.data = "";
        name.len = 0;
        rest.data = data;
        rest.len = frame->len;
        load_client_event(client, name, rest);
        return 0;
    }
}


static ssize_t
load_client_bytes(load_conn_t *c, const uint8_t *data, size_t len)
{
    int             rc;
    size_t          used;
    ssize_t         head;
    load_client_t  *client;
    load_ws_frame_t frame;

    client = (load_client_t *) c;
    used = 0;

    if (client->state == LOAD_CLIENT_OPENING) {
        head = load_client_upgrade(client, (const char *) data, len);

        if (head <= 0) {
            return head;
        }

        used = (size_t) head;
    }

    for (;;) {
        rc = load_ws_next(data + used, len - used, &frame);

        if (rc <= 0) {
            break;
        }

        if (load_client_frame(client, &frame) == -1) {
            return -1;
        }

        if (c->state == LOAD_CONN_CLOSED) {
            return -1;
        }

        used += frame.whole;
        client->crowd->bytes += frame.whole;
    }

    return rc == -1 ? -1 : (ssize_t) used;
}
