/* People in rooms.
 *
 * Whoever joins asks the other workers since when that user is in the room there. The earliest
 * socket tells the room, so that two that join at once on two workers tell it once. Whoever leaves
 * asks too, and tells the room when nobody has a socket of that user left. */

#include "ngx_realtime_people.h"

#include <rt/rt_text.h>


#define NGX_REALTIME_TYPING_MS 8000
#define NGX_REALTIME_PEOPLE_MS 1000 /* how long other workers may take to answer */

typedef struct {
    ngx_queue_t    link;
    rt_identity_t *identity;
    int64_t        since;  /* of the socket that joined; 0: it left */
    ngx_uint_t     others; /* another socket of the user was there (before) */
    ngx_str_t      channel;
    u_char         name[];
} ngx_realtime_person_t;

static void ngx_realtime_people_free(ngx_realtime_person_t *person);
static void ngx_realtime_people_ask(ngx_realtime_channel_t *ch, rt_identity_t *identity,
    int64_t since);
static void ngx_realtime_people_answer(void *data, ngx_str_t *answer, ngx_uint_t late);
static void ngx_realtime_people_tell(ngx_str_t *channel, rt_str_t event, rt_identity_t *identity,
    const char *typing);
static void ngx_realtime_people_stop(ngx_realtime_member_t *m);
static void ngx_realtime_people_typing_handler(ngx_event_t *ev);

static ngx_queue_t ngx_realtime_asked;  /* persons that other workers are asked about */
static ngx_queue_t ngx_realtime_typing; /* longest silent first */
static ngx_event_t ngx_realtime_typing_timer;


void
ngx_realtime_people_init(void)
{
    ngx_queue_init(&ngx_realtime_asked);
    ngx_queue_init(&ngx_realtime_typing);

    ngx_memzero(&ngx_realtime_typing_timer, sizeof(ngx_event_t));
    ngx_realtime_typing_timer.handler = ngx_realtime_people_typing_handler;
    ngx_realtime_typing_timer.data = &ngx_realtime_no_connection;
    ngx_realtime_typing_timer.log = ngx_cycle->log;
    ngx_realtime_typing_timer.cancelable = 1;
}


void
ngx_realtime_people_exit(void)
{
    while (!ngx_queue_empty(&ngx_realtime_asked)) {
        ngx_realtime_people_free(
            ngx_queue_data(ngx_queue_head(&ngx_realtime_asked), ngx_realtime_person_t, link));
    }
}


static void
ngx_realtime_people_free(ngx_realtime_person_t *person)
{
    ngx_queue_remove(&person->link);
    rt_identity_put(person->identity);
    ngx_free(person);
}


void
ngx_realtime_people_joined(ngx_realtime_member_t *m)
{
    int64_t since;

    since = ngx_realtime_hub_user_since(&m->channel->node.str, m->session->identity->user_id, m);

    if (since == 0 || since > m->since) {
        ngx_realtime_people_ask(m->channel, m->session->identity, m->since);
    }
}


void
ngx_realtime_people_leave(ngx_realtime_member_t *m)
{
    ngx_uint_t              last;
    rt_identity_t          *identity;
    ngx_realtime_channel_t *ch;

    ch = m->channel;

    if (!ch->room || !m->entered) {
        ngx_realtime_people_forget(m);
        return;
    }

    if (m->typing_at != 0) {
        ngx_realtime_people_typing(m, 0);
    }

    identity = rt_identity_get(m->session->identity);
    last = ngx_realtime_hub_user_since(&ch->node.str, identity->user_id, m) == 0;

    ch->count++; /* the channel is needed a moment longer */
    ngx_realtime_people_forget(m);

    if (last) {
        ngx_realtime_people_ask(ch, identity, 0);
    }

    ngx_realtime_hub_let(ch);
    rt_identity_put(identity);
}


void
ngx_realtime_people_forget(ngx_realtime_member_t *m)
{
    ngx_realtime_people_stop(m);
    ngx_realtime_hub_remove(m);
}


static void
ngx_realtime_people_ask(ngx_realtime_channel_t *ch, rt_identity_t *identity, int64_t since)
{
    ngx_str_t              payload;
    ngx_realtime_bus_t    *bus;
    ngx_realtime_person_t *person;

    bus = ngx_realtime_worker->bus;

    if (bus->methods->peers(bus) != 0) {
        person = ngx_alloc(sizeof(ngx_realtime_person_t) + ch->node.str.len, ngx_cycle->log);

        if (person != NULL) {
            ngx_queue_insert_tail(&ngx_realtime_asked, &person->link);
            person->identity = rt_identity_get(identity);
            person->since = since;
            person->others = 0;
            person->channel.data = person->name;
            person->channel.len = ch->node.str.len;
            ngx_memcpy(person->name, ch->node.str.data, ch->node.str.len);

            payload = ngx_realtime_ngx_str(identity->user_id);

            if (bus->methods->request(bus, &person->channel, &payload, NGX_REALTIME_PEOPLE_MS,
                    ngx_realtime_people_answer, person, NULL)
                == NGX_OK)
            {
                return;
            }

            ngx_realtime_people_free(person);
        }
    }

    ngx_realtime_people_tell(&ch->node.str,
        since ? rt_str("chat:user-joined") : rt_str("chat:user-left"), identity, NULL);
}


static void
ngx_realtime_people_answer(void *data, ngx_str_t *answer, ngx_uint_t late)
{
    ngx_realtime_person_t *person = data;

    int64_t since;

    if (answer != NULL) {
        if (answer->len == sizeof(int64_t)) {
            ngx_memcpy(&since, answer->data, sizeof(int64_t));

            if (since != 0 && (person->since == 0 || since < person->since)) {
                person->others = 1;
            }
        }

        return;
    }

    since = ngx_realtime_hub_user_since(&person->channel, person->identity->user_id, NULL);

    if (!person->others) {
        if (person->since != 0 && since != 0) {
            ngx_realtime_people_tell(&person->channel, rt_str("chat:user-joined"), person->identity,
                NULL);

        } else if (person->since == 0 && since == 0) {
            ngx_realtime_people_tell(&person->channel, rt_str("chat:user-left"), person->identity,
                NULL);
        }
    }

    ngx_realtime_people_free(person);
}


void
ngx_realtime_people_on_request(ngx_str_t *channel, ngx_str_t *payload, ngx_str_t *answer,
    size_t answer_size)
{
    int64_t since;

    since = ngx_realtime_hub_user_since(channel, ngx_realtime_str(*payload), NULL);

    if (since != 0 && answer_size >= sizeof(int64_t)) {
        ngx_memcpy(answer->data, &since, sizeof(int64_t));
        answer->len = sizeof(int64_t);
    }
}


/* typing: "true" or "false" for chat:user-typing, or NULL. */
static void
ngx_realtime_people_tell(ngx_str_t *channel, rt_str_t event, rt_identity_t *identity,
    const char *typing)
{
    char      time[RT_TIME_LEN + 1];
    rt_buf_t  out;
    rt_emit_t emit;

    rt_time_format(time, rt_time_now_ms());

    ngx_memzero(&out, sizeof(rt_buf_t));
    ngx_memzero(&emit, sizeof(rt_emit_t));

    rt_buf_append_str(&out, rt_str("{\"roomId\":"));
    rt_buf_append_json_string(&out, (rt_str_t){(char *) channel->data + 5, channel->len - 5});
    rt_buf_append_str(&out, rt_str(",\"userId\":"));
    rt_buf_append_json_string(&out, identity->user_id);
    rt_buf_append_str(&out, rt_str(",\"userName\":"));
    rt_buf_append_json_string(&out, identity->name.len ? identity->name : identity->user_id);

    if (typing != NULL) {
        rt_buf_append_str(&out, rt_str(",\"isTyping\":"));
        rt_buf_append_str(&out, rt_str_c(typing));

    } else {
        rt_buf_append_str(&out, rt_str(",\"role\":"));
        rt_buf_append_json_string(&out, identity->role_name);
    }

    rt_buf_append_str(&out, rt_str(",\"timestamp\":"));
    rt_buf_append_json_string(&out, (rt_str_t){time, RT_TIME_LEN});
    rt_buf_append_str(&out, rt_str("}"));

    if (!out.failed) {
        emit.channel = ngx_realtime_str(*channel);
        emit.event = event;
        emit.data = (rt_str_t){out.data, out.len};
        emit.except_user = identity->user_id;

        ngx_realtime_hub_emit(&emit);
    }

    rt_buf_free(&out);
}


void
ngx_realtime_people_typing(ngx_realtime_member_t *m, ngx_uint_t typing)
{
    ngx_realtime_people_stop(m);

    if (typing) {
        m->typing_at = ngx_max(ngx_current_msec, 1);
        ngx_queue_insert_tail(&ngx_realtime_typing, &m->typing_link);

        if (!ngx_realtime_typing_timer.timer_set) {
            ngx_add_timer(&ngx_realtime_typing_timer, NGX_REALTIME_TYPING_MS);
        }
    }

    ngx_realtime_people_tell(&m->channel->node.str, rt_str("chat:user-typing"),
        m->session->identity, typing ? "true" : "false");
}


static void
ngx_realtime_people_stop(ngx_realtime_member_t *m)
{
    if (m->typing_at != 0) {
        m->typing_at = 0;
        ngx_queue_remove(&m->typing_link);
    }
}


static void
ngx_realtime_people_typing_handler(ngx_event_t *ev)
{
    ngx_msec_t             silent;
    ngx_realtime_member_t *m;

    while (!ngx_queue_empty(&ngx_realtime_typing)) {
        m = ngx_queue_data(ngx_queue_head(&ngx_realtime_typing), ngx_realtime_member_t,
            typing_link);
        silent = ngx_current_msec - m->typing_at;

        if (silent < NGX_REALTIME_TYPING_MS) {
            ngx_add_timer(ev, NGX_REALTIME_TYPING_MS - silent);
            return;
        }

        ngx_realtime_people_typing(m, 0);
    }
}
