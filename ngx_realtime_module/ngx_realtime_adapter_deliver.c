/* The cluster shared with Node servers: what comes from there on its way to our clients. It has no
 * number, whatever its data says: it is told as it comes, and leaves our own order alone. */

#include "ngx_realtime_adapter_private.h"
#include "ngx_realtime_metrics.h"


/* One event for the two kinds of clients, made when the first of a kind needs it. */
typedef struct {
    const rt_adapter_message_t *message;
    ngx_realtime_news_t        *packets; /* Socket.IO */
    ngx_realtime_news_t        *frames;  /* plain WebSocket */
    int64_t                     ack;
} ngx_realtime_told_t;

static ngx_realtime_news_t *ngx_realtime_adapter_news(ngx_realtime_told_t *told,
    ngx_realtime_session_t                                                *s);
static void                 ngx_realtime_adapter_remember(ngx_str_t *payload);
static ngx_uint_t           ngx_realtime_adapter_has(ngx_realtime_session_t *s);
static ngx_uint_t           ngx_realtime_adapter_waits(ngx_realtime_session_t *s);


void
ngx_realtime_adapter_on_broadcast(ngx_realtime_space_t *space, ngx_str_t *channel,
    ngx_str_t *payload)
{
    rt_str_t                bytes, uid;
    ngx_str_t               room;
    rt_error_t              error;
    ngx_uint_t              kin;
    rt_adapter_message_t    message;
    ngx_realtime_adapter_t *adapter = ngx_realtime_adapter;

    if (channel->len < space->broadcast.len) {
        return;
    }

    ngx_realtime_adapter_remember(payload);

    bytes = ngx_realtime_str(*payload);
    uid = rt_adapter_peek_uid(bytes);
    kin = uid.len == adapter->uid.len && ngx_memcmp(uid.data, adapter->uid.data, adapter->kin) == 0;

    /* our own, or another worker's of ours: the bus has brought it, but to those whom Node has put
     * into a room */
    if (kin
        && (adapter->labels == 0 || ngx_memcmp(uid.data, adapter->uid.data, adapter->uid.len) == 0))
    {
        return;
    }

    /* "…#room#": most are for rooms in which nobody here is */
    if (channel->len > space->broadcast.len + 1) {
        room.data = channel->data + space->broadcast.len;
        room.len = channel->len - space->broadcast.len - 1;

        if (!ngx_realtime_adapter_knows(&room)) {
            return;
        }
    }

    if (rt_adapter_decode_broadcast(bytes, &message, &error) != RT_OK) {
        ngx_realtime_metrics->counts.adapter_refused++;
        ngx_realtime_adapter_warn("a broadcast of the Node cluster is left out", error.text);
        return;
    }

    if (rt_str_eq(message.nsp, ngx_realtime_str(space->name))) {
        ngx_realtime_metrics->counts.adapter_received += !kin;

        if (ngx_realtime_adapter_find(space, &message.rooms, &message.except,
                kin ? NGX_REALTIME_FIND_LABELLED | NGX_REALTIME_FIND_ENTERING
                    : NGX_REALTIME_FIND_ENTERING)
            == NGX_OK)
        {
            ngx_realtime_adapter_tell(&message, 0);
        } else {
            ngx_realtime_adapter_warn("a broadcast of the Node cluster is left out", "no memory");
        }
    }

    rt_adapter_message_clear(&message);
}


/* Every worker is sent the same broadcasts in the same order, but not at the same time: by its
 * digest, never 0, one knows from another how far a client has come. */
static void
ngx_realtime_adapter_remember(ngx_str_t *payload)
{
    size_t                  half;
    uint64_t                high, low;
    ngx_realtime_adapter_t *adapter = ngx_realtime_adapter;

    half = payload->len / 2;
    high = ngx_murmur_hash2(payload->data, half);
    low = ngx_murmur_hash2(payload->data + half, payload->len - half);

    /* JSON's integers carry it */
    adapter->digest = ((high << 32 | low) & INT64_MAX) | 1;
    adapter->seen[adapter->foreign++ & (NGX_REALTIME_ADAPTER_SEEN - 1)] = adapter->digest;
}


void
ngx_realtime_adapter_catch_up(ngx_realtime_session_t *s, uint64_t digest)
{
    uint64_t                i;
    ngx_realtime_adapter_t *adapter = ngx_realtime_adapter;

    s->foreign = digest;

    if (digest == 0) {
        return;
    }

    for (i = 0; i < ngx_min(adapter->foreign, NGX_REALTIME_ADAPTER_SEEN); i++) {
        if (adapter->seen[(adapter->foreign - 1 - i) & (NGX_REALTIME_ADAPTER_SEEN - 1)] == digest) {
            ngx_realtime_hub_drop_foreign(s, adapter->foreign - i);
            return;
        }
    }

    /* that worker is ahead of this one: all that has come here so far it has told */
    ngx_realtime_hub_drop_foreign(s, adapter->foreign);
    s->foreign_due = digest;
    s->foreign_since = ngx_current_msec;
}


/* It had the event before it came here. */
static ngx_uint_t
ngx_realtime_adapter_has(ngx_realtime_session_t *s)
{
    if (s->foreign_due == 0 || ngx_realtime_adapter->digest == 0) {
        return 0;
    }

    if (s->foreign_due == ngx_realtime_adapter->digest) {
        s->foreign_due = 0;
        return 1;
    }

    if (ngx_current_msec - s->foreign_since > NGX_REALTIME_ADAPTER_CATCH_MS) {
        s->foreign_due = 0; /* Redis has lost it on the way here */
        return 0;
    }

    return 1;
}


void
ngx_realtime_adapter_tell(const rt_adapter_message_t *message, int64_t ack)
{
    ngx_uint_t              i, asked;
    ngx_realtime_told_t     told;
    ngx_realtime_news_t    *news;
    ngx_realtime_found_t   *found;
    ngx_realtime_adapter_t *adapter = ngx_realtime_adapter;

    ngx_memzero(&told, sizeof(told));
    told.message = message;
    told.ack = ack;
    asked = 0;

    for (i = 0; i < adapter->found_count; i++) {
        found = &adapter->found[i];

        if (ngx_realtime_adapter_has(found->session)
            || (message->may_lose && ngx_realtime_adapter_waits(found->session)))
        {
            continue;
        }

        news = ngx_realtime_adapter_news(&told, found->session);
        if (news == NULL) {
            ngx_realtime_session_fail(found->session);
            continue;
        }

        if (found->member != NULL) {
            ngx_realtime_hub_offer(found->member, news);
        } else {
            ngx_realtime_hub_send(found->session, news);
        }

        if (news->ack != 0) {
            adapter->found[asked++] = *found;
        }
    }

    if (told.packets != NULL) {
        ngx_realtime_news_put(told.packets);
    }

    if (told.frames != NULL) {
        ngx_realtime_news_put(told.frames);
    }

    adapter->found_count = asked;
}


static ngx_realtime_news_t *
ngx_realtime_adapter_news(ngx_realtime_told_t *told, ngx_realtime_session_t *s)
{
    rt_emit_t             emit;
    ngx_uint_t            packet;
    ngx_realtime_news_t  *news;
    ngx_realtime_news_t **slot;

    packet = s->protocol == &ngx_realtime_socketio;
    slot = packet ? &told->packets : &told->frames;

    if (*slot != NULL) {
        return *slot;
    }

    ngx_memzero(&emit, sizeof(rt_emit_t));
    emit.event = told->message->event;
    emit.data = packet ? told->message->args : told->message->data;

    news = ngx_realtime_news_create(&emit);
    if (news == NULL) {
        return NULL;
    }

    if (packet
        && ngx_realtime_news_attach(news, told->message->attachments,
               told->message->attachment_count)
            != NGX_OK)
    {
        ngx_realtime_news_put(news);
        return NULL;
    }

    news->foreign = ngx_realtime_adapter->digest;
    news->number = ngx_realtime_adapter->foreign;
    news->ack = packet ? told->ack : 0;

    *slot = news;

    return news;
}


static ngx_uint_t
ngx_realtime_adapter_waits(ngx_realtime_session_t *s)
{
    return ngx_realtime_queue_waiting(s->ws != NULL ? &s->ws->queue : &s->queue)
        > NGX_REALTIME_ADAPTER_VOLATILE;
}


void
ngx_realtime_adapter_tell_labelled(const rt_emit_t *emit)
{
    rt_emit_t               unnumbered;
    rt_str_t                channel;
    ngx_uint_t              n, i;
    ngx_realtime_news_t    *news;
    rt_adapter_names_t      rooms, none;
    ngx_realtime_adapter_t *adapter = ngx_realtime_adapter;

    channel = emit->channel;
    rooms = (rt_adapter_names_t){&channel, 1};
    none = (rt_adapter_names_t){NULL, 0};
    news = NULL;

    for (n = 0; n < adapter->space_count; n++) {

        if (ngx_realtime_adapter_find(&adapter->spaces[n], &rooms, &none,
                NGX_REALTIME_FIND_LABELLED)
            != NGX_OK)
        {
            break;
        }

        if (adapter->found_count != 0 && news == NULL) {
            unnumbered = *emit;
            unnumbered.seq = 0;

            news = ngx_realtime_news_create(&unnumbered);
            if (news == NULL) {
                break;
            }
        }

        for (i = 0; i < adapter->found_count; i++) {
            ngx_realtime_hub_send(adapter->found[i].session, news);
        }
    }

    if (news != NULL) {
        ngx_realtime_news_put(news);
    }
}
