/* One event on its way to many. */

#include "ngx_realtime_news.h"


static ngx_realtime_news_t *ngx_realtime_news_also(ngx_realtime_news_t *news, rt_str_t event,
    rt_str_t data);
static ngx_realtime_buf_t  *ngx_realtime_news_encode(ngx_realtime_news_t *news,
     ngx_realtime_session_t                                              *s);


size_t
ngx_realtime_news_length(const rt_emit_t *emit)
{
    return emit->event.len + emit->data.len + emit->except_socket.len + emit->except_user.len
        + emit->business_id.len + emit->also_event.len + emit->also_data.len;
}


ngx_realtime_news_t *
ngx_realtime_news_create(const rt_emit_t *emit)
{
    u_char              *p;
    rt_str_t             also_event, also_data;
    ngx_uint_t           i;
    ngx_realtime_news_t *news;

    const rt_str_t texts[] = {emit->event, emit->data, emit->except_socket, emit->except_user,
        emit->business_id, emit->also_event, emit->also_data};

    news = ngx_alloc(sizeof(ngx_realtime_news_t) + ngx_realtime_news_length(emit), ngx_cycle->log);
    if (news == NULL) {
        return NULL;
    }

    ngx_memzero(news, sizeof(ngx_realtime_news_t));

    news->order.seq = emit->seq;
    news->references = 1;

    rt_str_t *const copies[] = {&news->event, &news->data, &news->except_socket, &news->except_user,
        &news->business_id, &also_event, &also_data};

    for (i = 0, p = news->bytes; i < NGX_REALTIME_NEWS_TEXTS; i++) {
        copies[i]->data = (char *) p;
        copies[i]->len = texts[i].len;

        if (texts[i].len) {
            p = ngx_cpymem(p, texts[i].data, texts[i].len);
        }
    }

    if (also_event.len) {
        news->also =
            ngx_realtime_news_also(news, also_event, also_data.len ? also_data : news->data);

        if (news->also == NULL) {
            ngx_free(news);
            return NULL;
        }
    }

    return news;
}


/* Goes with news, wherever that is held. */
static ngx_realtime_news_t *
ngx_realtime_news_also(ngx_realtime_news_t *news, rt_str_t event, rt_str_t data)
{
    ngx_realtime_news_t *also;

    also = ngx_calloc(sizeof(ngx_realtime_news_t), ngx_cycle->log);

    if (also != NULL) {
        also->references = 1;
        also->event = event;
        also->data = data;
    }

    return also;
}


ngx_int_t
ngx_realtime_news_attach(ngx_realtime_news_t *news, const rt_str_t *parts, ngx_uint_t count)
{
    ngx_uint_t i;

    if (count == 0) {
        return NGX_OK;
    }

    news->attachments = ngx_alloc(count * sizeof(ngx_realtime_buf_t *), ngx_cycle->log);
    if (news->attachments == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < count; i++) {
        news->attachments[i] =
            ngx_realtime_buf_create(RT_WS_BINARY, parts[i].data, parts[i].len, 0);
        if (news->attachments[i] == NULL) {
            return NGX_ERROR;
        }

        news->attachment_count++;
    }

    return NGX_OK;
}


void
ngx_realtime_news_put(ngx_realtime_news_t *news)
{
    ngx_uint_t i;

    if (--news->references > 0) {
        return;
    }

    for (i = 0; i < 2 * NGX_REALTIME_NEWS_KINDS; i++) {
        if (news->frames[i] != NULL) {
            ngx_realtime_buf_put(news->frames[i]);
        }
    }

    for (i = 0; i < news->attachment_count; i++) {
        ngx_realtime_buf_put(news->attachments[i]);
    }

    if (news->also != NULL) {
        ngx_realtime_news_put(news->also);
    }

    ngx_free(news->attachments);
    ngx_free(news);
}


ngx_realtime_buf_t *
ngx_realtime_news_frame(ngx_realtime_news_t *news, ngx_realtime_session_t *s)
{
    ngx_uint_t           i, deflates;
    const void          *kind;
    ngx_realtime_buf_t  *plain;
    ngx_realtime_buf_t **slot;

    kind = s->protocol == &ngx_realtime_socketio ? (const void *) s->conf->namespace.data
                                                 : (const void *) s->protocol;
    deflates = ngx_realtime_session_deflates(s);

    for (i = 0; i < NGX_REALTIME_NEWS_KINDS; i++) {

        if (news->kinds[i] == NULL) {
            news->kinds[i] = kind;
        }

        if (news->kinds[i] != kind) {
            continue;
        }

        slot = &news->frames[2 * i];

        if (slot[0] == NULL) {
            slot[0] = ngx_realtime_news_encode(news, s);
            if (slot[0] == NULL) {
                return NULL;
            }
        }

        if (deflates && slot[1] == NULL) {
            slot[1] = ngx_realtime_buf_deflate(slot[0]);
            if (slot[1] == NULL) {
                return NULL;
            }
        }

        return ngx_realtime_buf_get(slot[deflates]);
    }

    /* more namespaces than anybody configures: not kept */
    plain = ngx_realtime_news_encode(news, s);

    return plain;
}


static ngx_realtime_buf_t *
ngx_realtime_news_encode(ngx_realtime_news_t *news, ngx_realtime_session_t *s)
{
    rt_buf_t            out;
    ngx_realtime_buf_t *buf;

    ngx_memzero(&out, sizeof(rt_buf_t));

    if (s->protocol == &ngx_realtime_socketio) {
        rt_sio_encode_question(&out, ngx_realtime_str(s->conf->namespace),
            news->ack ? news->ack : RT_SIO_ID_NONE, news->event, news->data,
            news->attachment_count);
    } else {
        s->protocol->encode_event(&out, ngx_realtime_str(s->conf->namespace), news->event,
            news->data);
    }

    buf = out.failed ? NULL : ngx_realtime_buf_create(RT_WS_TEXT, out.data, out.len, 0);

    rt_buf_free(&out);

    return buf;
}
