/* Channels, their members on this worker, and the fan-out to them.
 *
 * Order: a room's messages are numbered by the store, and so are the notifications of businesses
 * and people, in the channels that they are told on; other events have no number (seq 0). What
 * another worker published may cross what this one emits, so early ones wait in channel->order. A
 * hole that stays, or what the bus says that it lost, is read from the store
 * (ngx_realtime_heal.c). So delivery is at least once on the bus, and exactly once, in order,
 * here. */

#include "ngx_realtime_hub.h"
#include "ngx_realtime_adapter.h"
#include "ngx_realtime_heal.h"
#include "ngx_realtime_metrics.h"

#include <rt/rt_text.h>


#define NGX_REALTIME_HUB_HELD_MAX 4096
#define NGX_REALTIME_HUB_ENVELOPE 3 /* version of the payload on the bus; 2: presence */

/* the version's byte, seq 8, the texts' lengths of 4 each; behind it the texts */
#define NGX_REALTIME_HUB_HEADER (1 + 8 + 4 * NGX_REALTIME_NEWS_TEXTS)

static ngx_realtime_channel_t *ngx_realtime_hub_channel_create(ngx_str_t *name);
static void                    ngx_realtime_hub_channel_destroy(ngx_realtime_channel_t *ch);
static void                    ngx_realtime_hub_subscribed(void *data);
static void                    ngx_realtime_hub_here(const rt_emit_t *emit, ngx_uint_t from_store);
static void       ngx_realtime_hub_deliver(ngx_realtime_channel_t *ch, ngx_realtime_news_t *news,
          ngx_uint_t from_store);
static void       ngx_realtime_hub_catch_up(ngx_realtime_channel_t *ch, ngx_realtime_news_t *news,
          ngx_uint_t from_store);
static void       ngx_realtime_hub_caught_up(ngx_realtime_member_t *m);
static ngx_uint_t ngx_realtime_hub_is_behind(ngx_realtime_member_t *m);
static void       ngx_realtime_hub_take(ngx_realtime_channel_t *ch);
static void       ngx_realtime_hub_fan(ngx_realtime_channel_t *ch, ngx_realtime_news_t *news);
static void       ngx_realtime_hub_tell(ngx_realtime_member_t *m, ngx_realtime_news_t *news);
static ngx_int_t  ngx_realtime_hub_hold(ngx_realtime_member_t *m, ngx_realtime_news_t *news);
static void       ngx_realtime_hub_release(ngx_realtime_member_t *m, ngx_uint_t deliver);
static void       ngx_realtime_hub_publish(const rt_emit_t *emit);
static void       ngx_realtime_hub_drop(rt_order_item_t *items);

static ngx_rbtree_t      ngx_realtime_hub_tree;
static ngx_rbtree_node_t ngx_realtime_hub_sentinel;


ngx_int_t
ngx_realtime_hub_init(void)
{
    ngx_rbtree_init(&ngx_realtime_hub_tree, &ngx_realtime_hub_sentinel,
        ngx_str_rbtree_insert_value);

    return NGX_OK;
}


ngx_realtime_channel_t *
ngx_realtime_hub_channel(ngx_str_t *name)
{
    return (ngx_realtime_channel_t *) ngx_str_rbtree_lookup(&ngx_realtime_hub_tree, name,
        ngx_murmur_hash2(name->data, name->len));
}


ngx_realtime_channel_t *
ngx_realtime_hub_first(void)
{
    if (ngx_realtime_hub_tree.root == &ngx_realtime_hub_sentinel) {
        return NULL;
    }

    return (ngx_realtime_channel_t *) ngx_rbtree_min(ngx_realtime_hub_tree.root,
        &ngx_realtime_hub_sentinel);
}


ngx_realtime_channel_t *
ngx_realtime_hub_next(ngx_realtime_channel_t *ch)
{
    return (ngx_realtime_channel_t *) ngx_rbtree_next(&ngx_realtime_hub_tree, &ch->node.node);
}


static ngx_realtime_channel_t *
ngx_realtime_hub_channel_create(ngx_str_t *name)
{
    ngx_realtime_bus_t     *bus;
    ngx_realtime_channel_t *ch;

    ch = ngx_calloc(sizeof(ngx_realtime_channel_t) + name->len, ngx_cycle->log);
    if (ch == NULL) {
        return NULL;
    }

    ngx_memcpy(ch->name, name->data, name->len);
    ch->node.str.data = ch->name;
    ch->node.str.len = name->len;
    ch->node.node.key = ngx_murmur_hash2(name->data, name->len);
    ch->room = name->len > 5 && ngx_strncmp(name->data, "room:", 5) == 0;

    ngx_queue_init(&ch->members);

    bus = ngx_realtime_worker->bus;

    if (bus->methods->subscribe(bus, &ch->node.str, ngx_realtime_hub_subscribed, ch, &ch->wait)
        != NGX_OK)
    {
        ngx_free(ch);
        return NULL;
    }

    ngx_rbtree_insert(&ngx_realtime_hub_tree, &ch->node.node);

    return ch;
}


static void
ngx_realtime_hub_channel_destroy(ngx_realtime_channel_t *ch)
{
    ngx_realtime_bus_t *bus;

    bus = ngx_realtime_worker->bus;

    if (ch->wait != NULL) {
        bus->methods->cancel(bus, ch->wait);
    }

    bus->methods->unsubscribe(bus, &ch->node.str);

    ngx_realtime_heal_forget(ch);
    ngx_realtime_hub_drop(rt_order_clear(&ch->order));
    ngx_rbtree_delete(&ngx_realtime_hub_tree, &ch->node.node);
    ngx_free(ch);
}


void
ngx_realtime_hub_let(ngx_realtime_channel_t *ch)
{
    if (--ch->count == 0) {
        ngx_realtime_hub_channel_destroy(ch);
    }
}


static void
ngx_realtime_hub_subscribed(void *data)
{
    ngx_realtime_channel_t *ch = data;

    ngx_queue_t           *q;
    ngx_realtime_member_t *m;

    void (*subscribed)(ngx_realtime_member_t * m);

    ch->wait = NULL;
    ch->subscribed = 1;

    ch->count++; /* see ngx_realtime_hub_let */

    /* those that wait are the newest; what they do may remove others, so start anew each time */

again:

    for (q = ngx_queue_last(&ch->members); q != ngx_queue_sentinel(&ch->members);
         q = ngx_queue_prev(q)) {
        m = ngx_queue_data(q, ngx_realtime_member_t, link);

        if (m->subscribed != NULL) {
            subscribed = m->subscribed;
            m->subscribed = NULL;
            subscribed(m);
            goto again;
        }
    }

    ngx_realtime_hub_let(ch);
}


ngx_realtime_member_t *
ngx_realtime_hub_add(ngx_realtime_session_t *s, ngx_str_t *name,
    void (*subscribed)(ngx_realtime_member_t *m))
{
    struct timeval          now;
    ngx_realtime_member_t  *m;
    ngx_realtime_channel_t *ch;

    m = ngx_calloc(sizeof(ngx_realtime_member_t), ngx_cycle->log);
    if (m == NULL) {
        return NULL;
    }

    ch = ngx_realtime_hub_channel(name);

    if (ch == NULL) {
        ch = ngx_realtime_hub_channel_create(name);
        if (ch == NULL) {
            ngx_free(m);
            return NULL;
        }
    }

    ngx_gettimeofday(&now);

    m->session = s;
    m->channel = ch;
    m->since = (int64_t) now.tv_sec * 1000000 + now.tv_usec;
    m->subscribed = ch->subscribed ? NULL : subscribed;
    m->next = s->members;
    s->members = m;

    ngx_queue_insert_tail(&ch->members, &m->link);
    ch->count++;

    return m;
}


void
ngx_realtime_hub_enter(ngx_realtime_member_t *m, int64_t seq)
{
    rt_order_item_t        *dropped;
    ngx_realtime_channel_t *ch;

    ch = m->channel;
    m->entered = 1;
    m->cursor = ngx_max(m->cursor, seq);
    ch->count++; /* see ngx_realtime_hub_let */

    /* others that are in already rely on where the order stands; it may be behind seq */
    if (ch->order.next == 0 && seq < 0) {
        ch->adrift = 1;

    } else if (ch->order.next == 0) {
        dropped = NULL;
        rt_order_advance(&ch->order, seq, &dropped);
        ngx_realtime_hub_drop(dropped);
    }

    if (seq < 0 || !ngx_realtime_hub_is_behind(m)) {
        ngx_realtime_hub_caught_up(m);

    } else {
        ch->behind += !m->behind;
        m->behind = 1;
        ngx_realtime_heal_channel(ch, NGX_REALTIME_HEAL_JOIN, 1);
    }

    ngx_realtime_hub_take(ch);
    ngx_realtime_hub_let(ch);
}


/* The others were told what is before the order's next, m only what is held for it. */
static ngx_uint_t
ngx_realtime_hub_is_behind(ngx_realtime_member_t *m)
{
    uint32_t i;
    int64_t  next;

    next = m->channel->order.next;

    for (i = 0; i < m->held_count; i++) {
        if (m->held[i]->order.seq > m->cursor) {
            next = m->held[i]->order.seq;
            break;
        }
    }

    return next > m->cursor + 1;
}


static void
ngx_realtime_hub_caught_up(ngx_realtime_member_t *m)
{
    m->channel->behind -= m->behind;
    m->behind = 0;
    ngx_realtime_hub_release(m, 1);
}


/* What the order has seen may be what somebody lacks. The bus may bring that in any order. */
static void
ngx_realtime_hub_catch_up(ngx_realtime_channel_t *ch, ngx_realtime_news_t *news,
    ngx_uint_t from_store)
{
    ngx_queue_t           *q;
    ngx_realtime_member_t *m;

    if (ch->behind == 0 || news->order.seq >= ch->order.next) {
        return; /* what the order has not passed yet comes by it, to them too */
    }

    for (q = ngx_queue_head(&ch->members); q != ngx_queue_sentinel(&ch->members);
         q = ngx_queue_next(q)) {
        m = ngx_queue_data(q, ngx_realtime_member_t, link);

        if (!m->behind || news->order.seq <= m->cursor
            || (!from_store && news->order.seq != m->cursor + 1)) {
            continue;
        }

        ngx_realtime_hub_tell(m, news);
        m->cursor = news->order.seq;

        if (!ngx_realtime_hub_is_behind(m)) {
            ngx_realtime_hub_caught_up(m);
        }
    }
}


int64_t
ngx_realtime_hub_lacks(ngx_realtime_channel_t *ch)
{
    int64_t                seq;
    ngx_queue_t           *q;
    ngx_realtime_member_t *m;

    seq = ch->order.next;

    for (q = ngx_queue_head(&ch->members); ch->behind && q != ngx_queue_sentinel(&ch->members);
         q = ngx_queue_next(q))
    {
        m = ngx_queue_data(q, ngx_realtime_member_t, link);

        if (m->behind) {
            seq = ngx_min(seq, m->cursor + 1);
        }
    }

    return seq;
}


void
ngx_realtime_hub_told(ngx_realtime_channel_t *ch)
{
    ngx_queue_t           *q;
    ngx_realtime_member_t *m;

    for (q = ngx_queue_head(&ch->members); ch->behind && q != ngx_queue_sentinel(&ch->members);
         q = ngx_queue_next(q))
    {
        m = ngx_queue_data(q, ngx_realtime_member_t, link);

        if (m->behind) {
            ngx_realtime_hub_caught_up(m);
        }
    }
}


void
ngx_realtime_hub_remove(ngx_realtime_member_t *m)
{
    ngx_realtime_member_t **prev;
    ngx_realtime_channel_t *ch;

    for (prev = &m->session->members; *prev != m; prev = &(*prev)->next) {
        /* void */
    }

    *prev = m->next;

    ngx_realtime_hub_release(m, 0);
    ngx_queue_remove(&m->link);

    ch = m->channel;
    ch->behind -= m->behind;
    ngx_free(m);

    ngx_realtime_hub_let(ch);
}


ngx_realtime_member_t *
ngx_realtime_hub_find(ngx_realtime_session_t *s, ngx_str_t *name)
{
    ngx_realtime_member_t  *m;
    ngx_realtime_channel_t *ch;

    ch = ngx_realtime_hub_channel(name);
    if (ch == NULL) {
        return NULL;
    }

    for (m = s->members; m != NULL; m = m->next) {
        if (m->channel == ch) {
            return m;
        }
    }

    return NULL;
}


int64_t
ngx_realtime_hub_user_since(ngx_str_t *name, rt_str_t user_id, ngx_realtime_member_t *but)
{
    int64_t                 since;
    uint32_t                hash;
    ngx_queue_t            *q;
    ngx_realtime_member_t  *m;
    ngx_realtime_channel_t *ch;

    ch = ngx_realtime_hub_channel(name);
    if (ch == NULL) {
        return 0;
    }

    since = 0;
    hash = ngx_murmur_hash2((u_char *) user_id.data, user_id.len);

    for (q = ngx_queue_head(&ch->members); q != ngx_queue_sentinel(&ch->members);
         q = ngx_queue_next(q)) {
        m = ngx_queue_data(q, ngx_realtime_member_t, link);

        if (m->entered && m != but && m->session->user_hash == hash
            && rt_str_eq(m->session->identity->user_id, user_id)
            && (since == 0 || m->since < since))
        {
            since = m->since;
        }
    }

    return since;
}


static void
ngx_realtime_hub_drop(rt_order_item_t *items)
{
    rt_order_item_t *item;

    while (items != NULL) {
        item = items;
        items = items->next;
        ngx_realtime_news_put((ngx_realtime_news_t *) item);
    }
}


/* Takes the reference. */
static void
ngx_realtime_hub_deliver(ngx_realtime_channel_t *ch, ngx_realtime_news_t *news,
    ngx_uint_t from_store)
{
    ch->count++; /* see ngx_realtime_hub_let */

    if (news->order.seq == 0) {
        ngx_realtime_hub_fan(ch, news);
        ngx_realtime_news_put(news);
        ngx_realtime_hub_let(ch);
        return;
    }

    if (rt_order_put(&ch->order, &news->order) != RT_OK) {
        /* it came before, or too much waits already for one hole: the store has it */
        ngx_realtime_hub_catch_up(ch, news, from_store);
        ngx_realtime_news_put(news);
    }

    ngx_realtime_hub_take(ch);
    ngx_realtime_hub_let(ch);
}


static void
ngx_realtime_hub_take(ngx_realtime_channel_t *ch)
{
    rt_order_item_t *item;

    if (ch->order.next == 0 && ch->adrift && ch->order.waiting != NULL) {
        rt_order_advance(&ch->order, ch->order.waiting->seq - 1, &item);
    }

    if (ch->order.next == 0) {
        return;
    }

    for (;;) {
        item = rt_order_take(&ch->order);
        if (item == NULL) {
            break;
        }

        ngx_realtime_hub_fan(ch, (ngx_realtime_news_t *) item);
        ngx_realtime_news_put((ngx_realtime_news_t *) item);
    }

    if (rt_order_has_hole(&ch->order)) {
        ngx_realtime_heal_channel(ch, NGX_REALTIME_HEAL_HOLE, NGX_REALTIME_HEAL_HOLE_MS);
    }
}


static void
ngx_realtime_hub_fan(ngx_realtime_channel_t *ch, ngx_realtime_news_t *news)
{
    ngx_queue_t *q;

    for (q = ngx_queue_head(&ch->members); q != ngx_queue_sentinel(&ch->members);
         q = ngx_queue_next(q)) {
        ngx_realtime_hub_offer(ngx_queue_data(q, ngx_realtime_member_t, link), news);
    }
}


void
ngx_realtime_hub_offer(ngx_realtime_member_t *m, ngx_realtime_news_t *news)
{
    if (m->entered && !m->behind) {
        ngx_realtime_hub_tell(m, news);

    } else if (ngx_realtime_hub_hold(m, news) != NGX_OK) {
        ngx_realtime_session_fail(m->session);
    }
}


static void
ngx_realtime_hub_tell(ngx_realtime_member_t *m, ngx_realtime_news_t *news)
{
    if (news->order.seq == 0 || news->order.seq > m->cursor) {
        ngx_realtime_hub_send(m->session, news);
    }
}


void
ngx_realtime_hub_send(ngx_realtime_session_t *s, ngx_realtime_news_t *news)
{
    ngx_uint_t          i;
    ngx_realtime_buf_t *buf;

    if (news->except_user.len && rt_str_eq(news->except_user, s->identity->user_id)) {
        return;
    }

    if (news->business_id.len && s->identity->business_id.len
        && s->identity->role != RT_ROLE_SUPER_ADMIN
        && !rt_str_eq(news->business_id, s->identity->business_id))
    {
        return;
    }

    if (news->except_socket.len == NGX_REALTIME_SOCKET_ID_LEN
        && ngx_memcmp(news->except_socket.data, s->socket_id, NGX_REALTIME_SOCKET_ID_LEN) == 0)
    {
        return;
    }

    for (/* void */; news != NULL; news = news->also) {

        buf = ngx_realtime_news_frame(news, s);
        if (buf == NULL) {
            ngx_realtime_session_fail(s);
            return;
        }

        ngx_realtime_metrics->counts.deliveries++;
        ngx_realtime_session_send(s, buf);
        ngx_realtime_buf_put(buf);

        for (i = 0; i < news->attachment_count; i++) {
            ngx_realtime_session_send(s, news->attachments[i]);
        }

        if (news->foreign != 0) {
            s->foreign = news->foreign;
        }
    }
}


void
ngx_realtime_hub_tell_member(ngx_realtime_member_t *m, const rt_emit_t *emit)
{
    ngx_realtime_news_t *news;

    news = ngx_realtime_news_create(emit);
    if (news == NULL) {
        ngx_realtime_session_fail(m->session);
        return;
    }

    ngx_realtime_hub_tell(m, news);
    ngx_realtime_news_put(news);
}


static ngx_int_t
ngx_realtime_hub_hold(ngx_realtime_member_t *m, ngx_realtime_news_t *news)
{
    uint32_t              size;
    ngx_realtime_news_t **held;

    if (m->held_count == m->held_size) {
        size = m->held_size ? m->held_size * 2 : 8;

        if (size > NGX_REALTIME_HUB_HELD_MAX) {
            return NGX_ERROR;
        }

        held = ngx_alloc(size * sizeof(ngx_realtime_news_t *), ngx_cycle->log);
        if (held == NULL) {
            return NGX_ERROR;
        }

        if (m->held_count) {
            ngx_memcpy(held, m->held, m->held_count * sizeof(ngx_realtime_news_t *));
        }

        ngx_free(m->held);

        m->held = held;
        m->held_size = size;
    }

    news->references++;
    m->held[m->held_count++] = news;

    return NGX_OK;
}


void
ngx_realtime_hub_drop_foreign(ngx_realtime_session_t *s, uint64_t upto)
{
    uint32_t               i, left;
    ngx_realtime_news_t   *news;
    ngx_realtime_member_t *m;

    for (m = s->members; m != NULL; m = m->next) {
        for (i = 0, left = 0; i < m->held_count; i++) {
            news = m->held[i];

            if (news->foreign != 0 && news->number <= upto) {
                ngx_realtime_news_put(news);
            } else {
                m->held[left++] = news;
            }
        }

        m->held_count = left;
    }
}


static void
ngx_realtime_hub_release(ngx_realtime_member_t *m, ngx_uint_t deliver)
{
    uint32_t              i, count;
    ngx_realtime_news_t **held;

    held = m->held;
    count = m->held_count;

    m->held = NULL;
    m->held_count = 0;
    m->held_size = 0;

    for (i = 0; i < count; i++) {
        if (deliver) {
            ngx_realtime_hub_tell(m, held[i]);
        }

        ngx_realtime_news_put(held[i]);
    }

    ngx_free(held);
}


void
ngx_realtime_hub_emit(const rt_emit_t *emit)
{
    ngx_realtime_hub_publish(emit);
    ngx_realtime_hub_deliver_here(emit);
    ngx_realtime_adapter_emit(emit);
}


void
ngx_realtime_hub_deliver_here(const rt_emit_t *emit)
{
    ngx_realtime_hub_here(emit, 0);
}


void
ngx_realtime_hub_healed(const rt_emit_t *emit)
{
    ngx_realtime_hub_here(emit, 1);
}


static void
ngx_realtime_hub_here(const rt_emit_t *emit, ngx_uint_t from_store)
{
    ngx_str_t               name;
    ngx_realtime_news_t    *news;
    ngx_realtime_channel_t *ch;

    name = ngx_realtime_ngx_str(emit->channel);
    ch = ngx_realtime_hub_channel(&name);

    if (ch == NULL) {
        return;
    }

    news = ngx_realtime_news_create(emit);
    if (news == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "realtime: no memory to deliver an event");
        return;
    }

    ngx_realtime_hub_deliver(ch, news, from_store);
}


static void
ngx_realtime_hub_publish(const rt_emit_t *emit)
{
    u_char             *p;
    uint32_t            len;
    ngx_str_t           name, payload;
    ngx_uint_t          i;
    ngx_realtime_bus_t *bus;

    const rt_str_t texts[] = {emit->event, emit->data, emit->except_socket, emit->except_user,
        emit->business_id, emit->also_event, emit->also_data};

    bus = ngx_realtime_worker->bus;

    if (bus->methods->peers(bus) == 0) {
        return;
    }

    payload.len = NGX_REALTIME_HUB_HEADER + ngx_realtime_news_length(emit);
    payload.data = ngx_alloc(payload.len, ngx_cycle->log);
    if (payload.data == NULL) {
        return;
    }

    p = payload.data;
    *p++ = NGX_REALTIME_HUB_ENVELOPE;
    p = ngx_cpymem(p, &emit->seq, 8);

    for (i = 0; i < NGX_REALTIME_NEWS_TEXTS; i++) {
        len = (uint32_t) texts[i].len;
        p = ngx_cpymem(p, &len, 4);
    }

    for (i = 0; i < NGX_REALTIME_NEWS_TEXTS; i++) {
        if (texts[i].len) {
            p = ngx_cpymem(p, texts[i].data, texts[i].len);
        }
    }

    ngx_realtime_metrics->counts.published++;

    name = ngx_realtime_ngx_str(emit->channel);
    (void) bus->methods->publish(bus, &name, &payload);

    ngx_free(payload.data);
}


void
ngx_realtime_hub_on_publish(ngx_str_t *channel, ngx_str_t *payload)
{
    u_char                 *p;
    size_t                  left;
    uint32_t                len;
    rt_emit_t               emit;
    ngx_uint_t              i;
    ngx_realtime_news_t    *news;
    ngx_realtime_channel_t *ch;

    rt_str_t *const texts[] = {&emit.event, &emit.data, &emit.except_socket, &emit.except_user,
        &emit.business_id, &emit.also_event, &emit.also_data};

    ch = ngx_realtime_hub_channel(channel);

    if (ch == NULL) {
        return;
    }

    if (payload->len < NGX_REALTIME_HUB_HEADER || payload->data[0] != NGX_REALTIME_HUB_ENVELOPE) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "realtime: foreign envelope on the bus");
        return;
    }

    ngx_memzero(&emit, sizeof(rt_emit_t));
    ngx_memcpy(&emit.seq, payload->data + 1, 8);

    p = payload->data + NGX_REALTIME_HUB_HEADER;
    left = payload->len - NGX_REALTIME_HUB_HEADER;

    for (i = 0; i < NGX_REALTIME_NEWS_TEXTS; i++) {
        ngx_memcpy(&len, payload->data + 9 + 4 * i, 4);

        if (len > left) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "realtime: broken envelope on the bus");
            return;
        }

        *texts[i] = (rt_str_t){(char *) p, len};
        p += len;
        left -= len;
    }

    news = ngx_realtime_news_create(&emit);
    if (news == NULL) {
        return;
    }

    ngx_realtime_hub_deliver(ch, news, 0);
}


void
ngx_realtime_hub_skip(ngx_realtime_channel_t *ch)
{
    rt_order_item_t *dropped;

    if (ch->order.waiting == NULL) {
        return;
    }

    ch->count++; /* see ngx_realtime_hub_let */

    dropped = NULL;
    rt_order_advance(&ch->order, ch->order.waiting->seq - 1, &dropped);
    ngx_realtime_hub_drop(dropped);
    ngx_realtime_hub_take(ch);

    ngx_realtime_hub_let(ch);
}


/* Every channel may have missed something. Spread, so that thousands of them do not ask the store
 * in one instant. */
void
ngx_realtime_hub_on_gap(void)
{
    ngx_uint_t              i;
    ngx_rbtree_node_t      *node;
    ngx_realtime_channel_t *ch;

    if (ngx_realtime_hub_tree.root == &ngx_realtime_hub_sentinel) {
        return;
    }

    i = 0;

    for (node = ngx_rbtree_min(ngx_realtime_hub_tree.root, &ngx_realtime_hub_sentinel);
         node != NULL; node = ngx_rbtree_next(&ngx_realtime_hub_tree, node))
    {
        ch = (ngx_realtime_channel_t *) node;

        if (ch->order.next != 0) {
            ngx_realtime_heal_channel(ch, NGX_REALTIME_HEAL_GAP, 1 + i++ / 64);
        }
    }
}
