/* Who hears what: channels ("room:<id>", "business:<id>", "user:<id>"), their members on this
 * worker, and the fan-out to them in order. Event loop only. */

#ifndef NGX_REALTIME_HUB_H
#define NGX_REALTIME_HUB_H

#include "ngx_realtime.h"
#include "ngx_realtime_bus.h"
#include "ngx_realtime_news.h"
#include "ngx_realtime_session.h"

typedef struct ngx_realtime_channel_s ngx_realtime_channel_t;

/* A session in a channel. */
struct ngx_realtime_member_s {
    ngx_queue_t             link; /* in the channel */
    ngx_realtime_member_t  *next; /* of the session */
    ngx_realtime_session_t *session;
    ngx_realtime_channel_t *channel;
    int64_t                 cursor; /* ordered events up to here are none of its business */
    int64_t                 since;  /* when this socket came in: microseconds, for who was first */
    ngx_realtime_news_t   **held;   /* while entering or behind: what came meanwhile */
    uint32_t                held_count;
    uint32_t                held_size;
    ngx_msec_t              typing_at; /* when it last said that it types; 0: it does not */
    ngx_queue_t             typing_link;
    void (*subscribed)(ngx_realtime_member_t *m);
    unsigned entered:1;
    unsigned behind:1; /* it lacks what the others here had: read from the store for it */
};

struct ngx_realtime_channel_s {
    ngx_str_node_t node; /* first; its text is the name with its kind: "room:…" */
    ngx_queue_t    members;
    ngx_uint_t     count;
    rt_order_t     order;
    ngx_uint_t     behind;                  /* how many members are */
    struct ngx_realtime_heal_state_s *heal; /* ngx_realtime_heal.c; NULL: never needed */
    ngx_realtime_bus_wait_t          *wait; /* until the bus says that all others know of it */
    unsigned                          room:1;
    unsigned                          adrift:1; /* members are in, but the store could not say where
                                                 * the order stands: the first event will */
    unsigned                          subscribed:1;
    u_char                            name[];
};

/* Puts the session into the channel; what comes from now on is held for it until it enters. NULL:
 * no memory. When the channel is not known to all others yet (channel->subscribed is 0)
 * `subscribed` is called once it is, unless the member leaves before; never from inside. */
ngx_realtime_member_t *ngx_realtime_hub_add(ngx_realtime_session_t *s, ngx_str_t *name,
    void (*subscribed)(ngx_realtime_member_t *m));

/* What it was given, or may have missed, ends at seq (0: the channel had no numbered event yet):
 * what is held and newer is delivered, and everything newer from now on. Where others that are in
 * already had more than that before it came, it is behind them until the store has been asked for
 * the rest. -1: what comes from now on is, since the channel's order is known here already, or
 * can't be known. */
void ngx_realtime_hub_enter(ngx_realtime_member_t *m, int64_t seq);

void ngx_realtime_hub_remove(ngx_realtime_member_t *m);

/* A member less. Whoever works on a channel counts as one meanwhile (ch->count++): its last member
 * may leave under one's hands, and with it the channel. */
void ngx_realtime_hub_let(ngx_realtime_channel_t *ch);

ngx_realtime_member_t *ngx_realtime_hub_find(ngx_realtime_session_t *s, ngx_str_t *name);

/* The earliest `since` of a user's sockets that have entered the channel here, `but` left out; 0:
 * none. */
int64_t ngx_realtime_hub_user_since(ngx_str_t *name, rt_str_t user_id, ngx_realtime_member_t *but);

/* An event to this member alone, when it is among those who may hear of it. */
void ngx_realtime_hub_tell_member(ngx_realtime_member_t *m, const rt_emit_t *emit);

/* What stands before the first that waits is taken for delivered: nobody has it. */
void ngx_realtime_hub_skip(ngx_realtime_channel_t *ch);

/* Delivers to this worker's members and publishes to the other workers. */
void ngx_realtime_hub_emit(const rt_emit_t *emit);

/* Delivers to this worker's members alone: the other workers know it themselves. */
void ngx_realtime_hub_deliver_here(const rt_emit_t *emit);

/* A message that the store has, for members here that lack it. */
void ngx_realtime_hub_healed(const rt_emit_t *emit);

/* From which seq on somebody here lacks messages. */
int64_t ngx_realtime_hub_lacks(ngx_realtime_channel_t *ch);

/* The store has told all that it has: nobody is behind any more. */
void ngx_realtime_hub_told(ngx_realtime_channel_t *ch);

/* The channel of that name, or NULL: nobody here is in it. All of them, in no order; NULL at the
 * end. */
ngx_realtime_channel_t *ngx_realtime_hub_channel(ngx_str_t *name);
ngx_realtime_channel_t *ngx_realtime_hub_first(void);
ngx_realtime_channel_t *ngx_realtime_hub_next(ngx_realtime_channel_t *ch);

/* An event without a number, when it is the member's turn: at once, or after what it waits for. */
void ngx_realtime_hub_offer(ngx_realtime_member_t *m, ngx_realtime_news_t *news);

/* Of the events from Node that are held for the client those up to this number are dropped: it has
 * them. */
void ngx_realtime_hub_drop_foreign(ngx_realtime_session_t *s, uint64_t upto);

/* An event at once, unless this client is among those that it leaves out. */
void ngx_realtime_hub_send(ngx_realtime_session_t *s, ngx_realtime_news_t *news);

/* What the bus brings: see ngx_realtime_bus.h. */
void ngx_realtime_hub_on_publish(ngx_str_t *channel, ngx_str_t *payload);
void ngx_realtime_hub_on_gap(void);

ngx_int_t ngx_realtime_hub_init(void);

#endif
