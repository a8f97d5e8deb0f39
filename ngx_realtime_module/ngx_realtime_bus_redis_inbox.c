/* The bus between hosts: messages for one worker. Redis may lose them with a connection, and no
 * store could heal what they say (somebody's polling request, a session on its way). So they are
 * numbered per pair of workers, kept until acknowledged, and sent again: when the receiver misses
 * one, when the connection was new, and after a while without an answer. The receiver takes them
 * in order, each once.
 *
 * Numbers belong to an epoch, one life of the sender's record of the receiver. A receiver that
 * meets a new epoch begins at the sender's oldest letter. */

#include "ngx_realtime_bus_redis.h"


static ngx_int_t ngx_realtime_remote_letter_send(ngx_realtime_remote_t *remote,
    ngx_realtime_remote_member_t *member, ngx_realtime_remote_letter_t *letter);
static void      ngx_realtime_remote_ack_send(ngx_realtime_remote_t *remote,
         ngx_realtime_remote_member_t                               *member);
static void      ngx_realtime_remote_acked(ngx_realtime_remote_member_t *member, uint64_t number);
static void      ngx_realtime_remote_resend(ngx_realtime_remote_t *remote,
         ngx_realtime_remote_member_t                             *member);
static uint64_t  ngx_realtime_remote_base(const ngx_realtime_remote_member_t *member);
static void      ngx_realtime_remote_tick(ngx_realtime_remote_t *remote);


ngx_int_t
ngx_realtime_remote_message(ngx_realtime_bus_t *bus, ngx_realtime_worker_id_t to,
    ngx_str_t *payload)
{
    ngx_realtime_remote_t        *remote = (ngx_realtime_remote_t *) bus;
    ngx_realtime_remote_letter_t *letter;
    ngx_realtime_remote_member_t *member;

    if (to == 0 || to == bus->self) {
        return NGX_DECLINED;
    }

    member = ngx_realtime_remote_member_find(remote, to);

    /* somebody we know may be reached again soon; of others Redis tells whether they are there */

    if (member == NULL && !ngx_realtime_redis_is_up(remote->commands)) {
        return NGX_DECLINED;
    }

    if (payload->len > NGX_REALTIME_REMOTE_PAYLOAD_MAX
        || (member != NULL
            && member->letters_bytes + payload->len > NGX_REALTIME_REMOTE_UNACKED_MAX))
    {
        return NGX_ERROR;
    }

    letter = ngx_alloc(sizeof(ngx_realtime_remote_letter_t) + payload->len, bus->log);
    if (letter == NULL) {
        return NGX_ERROR;
    }

    if (member == NULL) {
        member = ngx_realtime_remote_member_meet(remote, to);
        if (member == NULL) {
            ngx_free(letter);
            return NGX_ERROR;
        }
    }

    letter->number = ++member->out_number;
    letter->len = payload->len;
    ngx_memcpy(letter->data, payload->data, payload->len);

    if (ngx_queue_empty(&member->letters)) {
        member->sent_at = ngx_current_msec;
    }

    ngx_queue_insert_tail(&member->letters, &letter->queue);
    member->letters_bytes += letter->len;

    (void) ngx_realtime_remote_letter_send(remote, member, letter);
    ngx_realtime_remote_tick(remote);

    return NGX_OK;
}


static uint64_t
ngx_realtime_remote_base(const ngx_realtime_remote_member_t *member)
{
    ngx_realtime_remote_letter_t *letter;

    if (ngx_queue_empty(&member->letters)) {
        return member->out_number + 1;
    }

    letter = ngx_queue_data(ngx_queue_head(&member->letters), ngx_realtime_remote_letter_t, queue);

    return letter->number;
}


static ngx_int_t
ngx_realtime_remote_letter_send(ngx_realtime_remote_t *remote, ngx_realtime_remote_member_t *member,
    ngx_realtime_remote_letter_t *letter)
{
    ngx_str_t                   body;
    ngx_realtime_remote_head_t  head;
    ngx_realtime_remote_track_t track;

    track.epoch = member->out_epoch;
    track.number = letter->number;
    track.base = ngx_realtime_remote_base(member);
    track.ack_epoch = member->in_epoch;
    track.ack = member->in_epoch ? member->in_next - 1 : 0;

    body.data = letter->data;
    body.len = letter->len;

    ngx_realtime_remote_head(remote, &head, NGX_REALTIME_REMOTE_MESSAGE, 0, 0);

    member->ack_due = 0; /* it is on board */

    return ngx_realtime_remote_send_worker(remote, member->id, &head, &track, sizeof(track), &body,
        NGX_REALTIME_REMOTE_ABOUT_WORKER);
}


static void
ngx_realtime_remote_ack_send(ngx_realtime_remote_t *remote, ngx_realtime_remote_member_t *member)
{
    ngx_realtime_remote_head_t  head;
    ngx_realtime_remote_track_t track;

    ngx_memzero(&track, sizeof(track));
    track.ack_epoch = member->in_epoch;
    track.ack = member->in_next - 1;

    ngx_realtime_remote_head(remote, &head, NGX_REALTIME_REMOTE_ACK,
        member->nack_due ? NGX_REALTIME_REMOTE_NACK : 0, 0);

    member->ack_due = 0;
    member->nack_due = 0;

    (void) ngx_realtime_remote_send_worker(remote, member->id, &head, &track, sizeof(track), NULL,
        NGX_REALTIME_REMOTE_ABOUT_NOTHING);
}


void
ngx_realtime_remote_on_letter(ngx_realtime_remote_t *remote, const ngx_realtime_remote_head_t *head,
    ngx_str_t *body)
{
    ngx_str_t                     payload;
    ngx_realtime_remote_track_t   track;
    ngx_realtime_bus_handlers_t  *handlers;
    ngx_realtime_remote_member_t *member;

    if (body->len < sizeof(track)) {
        return;
    }

    ngx_memcpy(&track, body->data, sizeof(track));

    payload.data = body->data + sizeof(track);
    payload.len = body->len - sizeof(track);

    /* the local bus may not have met it yet, so it can be of our own host */
    member = ngx_realtime_remote_member_meet(remote, head->from);
    if (member == NULL) {
        return;
    }

    member->seen = ngx_current_msec;

    if (track.ack_epoch == member->out_epoch) {
        ngx_realtime_remote_acked(member, track.ack);

        if (head->flags & NGX_REALTIME_REMOTE_NACK && head->type == NGX_REALTIME_REMOTE_ACK) {
            ngx_realtime_remote_resend(remote, member);
        }
    }

    if (head->type == NGX_REALTIME_REMOTE_ACK) {
        return;
    }

    if (track.epoch != member->in_epoch) {
        member->in_epoch = track.epoch;
        member->in_next = track.base;
    }

    member->ack_due = 1;
    ngx_realtime_remote_tick(remote);

    if (track.number != member->in_next) {
        member->nack_due |= track.number > member->in_next;
        return;
    }

    member->in_next++;

    handlers = &remote->bus.handlers;
    handlers->on_message(handlers->data, head->from, &payload);
}


static void
ngx_realtime_remote_acked(ngx_realtime_remote_member_t *member, uint64_t number)
{
    ngx_queue_t                  *q;
    ngx_realtime_remote_letter_t *letter;

    while (!ngx_queue_empty(&member->letters)) {
        q = ngx_queue_head(&member->letters);
        letter = ngx_queue_data(q, ngx_realtime_remote_letter_t, queue);

        if (letter->number > number) {
            return;
        }

        ngx_queue_remove(q);
        member->letters_bytes -= letter->len;
        ngx_free(letter);

        member->sent_at = ngx_current_msec;
        member->resend_ms = NGX_REALTIME_REMOTE_RESEND_MS;
    }
}


static void
ngx_realtime_remote_resend(ngx_realtime_remote_t *remote, ngx_realtime_remote_member_t *member)
{
    size_t                        bytes;
    ngx_queue_t                  *q;
    ngx_realtime_remote_letter_t *letter;

    bytes = 0;
    member->sent_at = ngx_current_msec;

    for (q = ngx_queue_head(&member->letters); q != ngx_queue_sentinel(&member->letters);
         q = ngx_queue_next(q))
    {
        letter = ngx_queue_data(q, ngx_realtime_remote_letter_t, queue);
        bytes += letter->len;

        if (ngx_realtime_remote_letter_send(remote, member, letter) != NGX_OK
            || bytes > NGX_REALTIME_REMOTE_WINDOW)
        {
            return;
        }
    }
}


void
ngx_realtime_remote_resend_all(ngx_realtime_remote_t *remote)
{
    ngx_realtime_remote_member_t *member;

    for (member = ngx_realtime_remote_member_first(remote); member != NULL;
         member = ngx_realtime_remote_member_next(remote, member))
    {
        ngx_realtime_remote_resend(remote, member);
    }
}


/* Nobody got a letter. One we have never heard of is not there, or not any more. One we know may
 * just be connecting anew: its silence will tell. */
void
ngx_realtime_remote_posted(ngx_realtime_remote_t *remote, ngx_realtime_worker_id_t to,
    ngx_int_t receivers)
{
    ngx_realtime_remote_member_t *member;

    if (receivers != 0) {
        return;
    }

    member = ngx_realtime_remote_member_find(remote, to);

    if (member != NULL && !member->known) {
        ngx_realtime_remote_member_lost(remote, member, 0);
    }
}


static void
ngx_realtime_remote_tick(ngx_realtime_remote_t *remote)
{
    if (!remote->tick.timer_set) {
        ngx_add_timer(&remote->tick, NGX_REALTIME_REMOTE_TICK_MS);
    }
}


void
ngx_realtime_remote_tick_handler(ngx_event_t *ev)
{
    ngx_uint_t                    again;
    ngx_msec_t                    silent;
    ngx_realtime_remote_t        *remote = ev->data;
    ngx_realtime_remote_member_t *member;

    again = 0;

anew:

    for (member = ngx_realtime_remote_member_first(remote); member != NULL;
         member = ngx_realtime_remote_member_next(remote, member))
    {
        if (member->ack_due || member->nack_due) {
            ngx_realtime_remote_ack_send(remote, member);
        }

        if (ngx_queue_empty(&member->letters)) {
            continue;
        }

        again = 1;
        silent = ngx_current_msec - member->sent_at;

        if (!member->known && ngx_current_msec - member->seen >= NGX_REALTIME_REMOTE_UNKNOWN_MS) {
            ngx_realtime_remote_member_lost(remote, member, 0);
            goto anew;
        }

        if (silent >= member->resend_ms) {
            member->resend_ms = ngx_min(member->resend_ms * 2, NGX_REALTIME_REMOTE_RESEND_MAX);
            ngx_realtime_remote_resend(remote, member);
        }
    }

    if (again) {
        ngx_realtime_remote_tick(remote);
    }
}


void
ngx_realtime_remote_letters_free(ngx_realtime_remote_member_t *member)
{
    ngx_queue_t *q;

    while (!ngx_queue_empty(&member->letters)) {
        q = ngx_queue_head(&member->letters);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_realtime_remote_letter_t, queue));
    }
}
