/* What every store must do with notifications: included by each one's test program, after
 * rt_store_suite.h. */

#ifndef RT_STORE_NOTIFY_SUITE_H
#define RT_STORE_NOTIFY_SUITE_H

#include <pthread.h>

#include "store/rt_store_testing.h"

#define NOTIFY_MANY 300


static __attribute__((unused)) void
notify_item(rt_notification_t *item, const char *stream, const char *business, const char *key)
{
    static int64_t last_ms;

    memset(item, 0, sizeof(rt_notification_t));

    item->arena = suite_arena;
    item->stream = rt_str_c(stream);
    item->id = suite_id(suite_arena);
    item->business_id = rt_str_c(business);
    item->user_id = strncmp(stream, "user:", 5) == 0 ? rt_str_c(stream + 5) : rt_str_null;
    item->type = RT_NOTIFY_BOOKING;
    item->sub_type = rt_str("created");
    item->title = rt_str("New Booking");
    item->message = rt_str("New booking from Zoë \"Z\"");
    item->priority = rt_str("high");
    item->data =
        rt_str("{\"clientName\":\"Zoë\",\"amount\":12.5,\"nested\":{\"a\":[1,null,true]}}");
    item->key = rt_str_c(key);
    /* lists are sorted by time */
    last_ms = rt_time_now_ms() > last_ms ? rt_time_now_ms() : last_ms + 1;
    item->created_at_ms = last_ms;
}


static __attribute__((unused)) void
notify_add(rt_notification_t **items, size_t count)
{
    size_t              i;
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(suite_store->ops->notify->add(session, items, count), RT_OK);
    suite_end(session);

    for (i = 0; i < count; i++) {
        assert_true(items[i]->status == RT_OK || items[i]->status == RT_CONFLICT);
    }
}


static __attribute__((unused)) void
notify_add_one(rt_notification_t *item, const char *stream, const char *business, const char *key)
{
    notify_item(item, stream, business, key);
    notify_add(&item, 1);
}


static __attribute__((unused)) void
notify_after(rt_notify_after_t *after, const char *stream, int64_t seq, int64_t limit)
{
    rt_store_session_t *session;

    memset(after, 0, sizeof(rt_notify_after_t));
    after->stream = rt_str_c(stream);
    after->after_seq = seq;

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(suite_store->ops->notify->after(session, suite_arena, after, 1, limit), RT_OK);
    suite_end(session);
}


static __attribute__((unused)) void
notify_list(rt_notify_list_t *list, rt_notify_query_t query)
{
    rt_store_session_t *session;

    query.limit = query.limit ? query.limit : 100;

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(suite_store->ops->notify->list(session, suite_arena, &query, list), RT_OK);
    suite_end(session);
}


static __attribute__((unused)) void
notify_read(rt_notify_reads_t *reads, rt_notify_view_t view, const rt_str_t *ids, size_t count)
{
    rt_store_session_t *session;

    memset(reads, 0, sizeof(rt_notify_reads_t));
    reads->view = view;
    reads->all = ids == NULL;
    reads->ids = ids;
    reads->count = count;
    reads->now_ms = rt_time_now_ms();

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(suite_store->ops->notify->read(session, suite_arena, reads), RT_OK);
    suite_end(session);
}


/* Streams count for themselves, from 1 and without holes; the document is whole. */
static void
suite_test_notify_add(void **state)
{
    size_t             i;
    rt_notify_after_t  after;
    rt_notification_t  items[6], *list[6];
    static const char *streams[] = {"business:b1", "user:u1", "business:b1", "business:b2",
        "business:b1", "user:u1"};
    static const int   seqs[] = {1, 1, 2, 1, 3, 2};

    (void) state;

    for (i = 0; i < 6; i++) {
        notify_item(&items[i], streams[i], i == 3 ? "b2" : "b1", NULL);
        list[i] = &items[i];
    }

    notify_add(list, 6);

    for (i = 0; i < 6; i++) {
        assert_int_equal(items[i].status, RT_OK);
        assert_int_equal(items[i].seq, seqs[i]);
    }

    suite_text_is(items[1].text, "seq", "1");
    suite_text_is(items[1].text, "userId", "\"u1\"");
    suite_text_is(items[1].text, "businessId", "\"b1\"");
    suite_text_is(items[0].text, "userId", "null");
    suite_text_is(items[0].text, "type", "\"booking\"");
    suite_text_is(items[0].text, "subType", "\"created\"");
    suite_text_is(items[0].text, "title", "\"New Booking\"");
    suite_text_is(items[0].text, "message", "\"New booking from Zoë \\\"Z\\\"\"");
    suite_text_is(items[0].text, "priority", "\"high\"");
    suite_text_is(items[0].text, "isRead", "false");
    suite_text_is(items[0].text, "data",
        "{\"clientName\":\"Zoë\",\"amount\":12.5,\"nested\":{\"a\":[1,null,true]}}");

    /* what is read is what was told */
    notify_after(&after, "business:b1", 0, 10);
    assert_int_equal(after.count, 3);
    assert_int_equal(after.last_seq, 3);
    assert_int_equal(after.has_more, 0);

    for (i = 0; i < 3; i++) {
        assert_int_equal(after.rows[i].seq, i + 1);
        assert_int_equal(after.rows[i].type, RT_NOTIFY_BOOKING);
        assert_true(rt_str_eq(after.rows[i].sub_type, rt_str("created")));
        assert_true(rt_str_eq(after.rows[i].business_id, rt_str("b1")));
        assert_true(rt_str_eq(after.rows[i].id, items[2 * i].id));
        assert_true(rt_str_eq(after.rows[i].text, items[2 * i].text));
    }

    notify_after(&after, "business:b1", 1, 1);
    assert_int_equal(after.count, 1);
    assert_int_equal(after.rows[0].seq, 2);
    assert_int_equal(after.has_more, 1);
    notify_after(&after, "business:b1", 3, 10);
    assert_int_equal(after.count, 0);
    assert_int_equal(after.has_more, 0);
    notify_after(&after, "business:b1", -1, 10);
    assert_int_equal(after.count, 0);
    assert_int_equal(after.last_seq, 3);
    notify_after(&after, "business:none", -1, 10);
    assert_int_equal(after.last_seq, 0);
}


/* The same key in the same business is the same notification: in one call, and later. */
static void
suite_test_notify_key(void **state)
{
    rt_notify_after_t after;
    rt_notification_t a, b, c, other, *list[] = {&a, &b, &c};

    (void) state;

    notify_item(&a, "business:b1", "b1", "k1");
    notify_item(&b, "business:b1", "b1", "k1");
    notify_item(&c, "business:b1", "b1", "k2");
    notify_add(list, 3);
    assert_int_equal(a.status, RT_OK);
    assert_int_equal(b.status, RT_CONFLICT);
    assert_int_equal(c.status, RT_OK);
    assert_true(rt_str_eq(a.id, b.id));
    assert_true(rt_str_eq(a.text, b.text));
    assert_int_equal(b.seq, 1);
    assert_int_equal(c.seq, 2);

    notify_add_one(&b, "business:b1", "b1", "k1");
    assert_int_equal(b.status, RT_CONFLICT);
    assert_true(rt_str_eq(a.id, b.id));
    assert_int_equal(b.seq, 1);

    /* whomever it is for now: it is told where it was */
    notify_add_one(&b, "user:u1", "b1", "k1");
    assert_int_equal(b.status, RT_CONFLICT);
    assert_true(rt_str_eq(b.stream, rt_str("business:b1")));
    assert_int_equal(b.seq, 1);
    notify_after(&after, "user:u1", -1, 10);
    assert_int_equal(after.last_seq, 0);

    notify_add_one(&other, "business:b2", "b2", "k1");
    assert_int_equal(other.status, RT_OK);

    notify_add_one(&c, "business:b1", "b1", NULL);
    assert_int_equal(c.seq, 3);
    notify_after(&after, "business:b1", 0, 10);
    assert_int_equal(after.count, 3);
}


/* Two streams in one list, the newest first; filters, totals, read marks. */
static void
suite_test_notify_list(void **state)
{
    rt_str_t          ids[3];
    rt_notify_list_t  list;
    rt_notify_view_t  view = {{rt_str("business:b1"), rt_str("user:u1")}, rt_str("b1")};
    rt_notify_view_t  own = {{rt_str_null, rt_str("user:u1")}, rt_str_null};
    rt_notify_reads_t reads;
    rt_notification_t a, b, c, d, e, foreign, *payment = &e;

    (void) state;

    notify_add_one(&a, "business:b1", "b1", NULL);
    notify_add_one(&b, "user:u1", "b1", NULL);
    notify_add_one(&c, "business:b1", "b1", NULL);
    notify_add_one(&foreign, "user:u1", "b2", NULL);
    notify_add_one(&d, "business:b2", "b2", NULL);
    notify_item(payment, "business:b1", "b1", NULL);
    payment->type = RT_NOTIFY_PAYMENT;
    notify_add(&payment, 1);

    notify_list(&list, (rt_notify_query_t){.view = view, .type = -1});
    assert_int_equal(list.count, 4);
    assert_int_equal(list.total, 4);
    assert_int_equal(list.unread, 4);
    assert_true(rt_str_eq(list.rows[0].id, e.id));
    assert_true(rt_str_eq(list.rows[1].id, c.id));
    assert_true(rt_str_eq(list.rows[2].id, b.id));
    assert_true(rt_str_eq(list.rows[3].id, a.id));

    notify_list(&list, (rt_notify_query_t){.view = view, .type = -1, .offset = 1, .limit = 2});
    assert_int_equal(list.count, 2);
    assert_int_equal(list.total, 4);
    assert_true(rt_str_eq(list.rows[0].id, c.id));

    notify_list(&list, (rt_notify_query_t){.view = view, .type = RT_NOTIFY_PAYMENT});
    assert_int_equal(list.count, 1);
    assert_int_equal(list.total, 1);
    assert_int_equal(list.unread, 4);

    notify_list(&list, (rt_notify_query_t){.view = own, .type = -1});
    assert_int_equal(list.total, 2);

    /* unknown ids, those of others and those read already change nothing */
    ids[0] = a.id;
    ids[1] = d.id;
    ids[2] = rt_str("no such id");
    notify_read(&reads, view, ids, 3);
    assert_int_equal(reads.streams[RT_NOTIFY_OF_BUSINESS].count, 1);
    assert_int_equal(reads.streams[RT_NOTIFY_OF_BUSINESS].newly, 1);
    assert_int_equal(reads.streams[RT_NOTIFY_OF_BUSINESS].unread, 2);
    assert_int_equal(reads.streams[RT_NOTIFY_OF_USER].newly, 0);
    assert_int_equal(reads.streams[RT_NOTIFY_OF_USER].unread, 1);
    assert_true(rt_str_eq(reads.streams[RT_NOTIFY_OF_BUSINESS].ids[0], a.id));
    notify_read(&reads, view, ids, 3);
    assert_int_equal(reads.streams[RT_NOTIFY_OF_BUSINESS].newly, 0);

    notify_list(&list, (rt_notify_query_t){.view = view, .type = -1, .unread_only = 1});
    assert_int_equal(list.total, 3);
    assert_int_equal(list.unread, 3);
    notify_list(&list, (rt_notify_query_t){.view = view, .type = -1});
    suite_text_is(list.rows[3].text, "isRead", "true");

    notify_read(&reads, view, NULL, 0);
    assert_int_equal(reads.streams[RT_NOTIFY_OF_BUSINESS].newly, 2);
    assert_int_equal(reads.streams[RT_NOTIFY_OF_BUSINESS].count, 2);
    assert_int_equal(reads.streams[RT_NOTIFY_OF_BUSINESS].unread, 0);
    assert_int_equal(reads.streams[RT_NOTIFY_OF_USER].newly, 1);
    assert_true(rt_str_eq(reads.streams[RT_NOTIFY_OF_BUSINESS].ids[0], e.id));

    notify_list(&list, (rt_notify_query_t){.view = view, .type = -1});
    assert_int_equal(list.unread, 0);
    notify_list(&list, (rt_notify_query_t){.view = own, .type = -1});
    assert_int_equal(list.unread, 1);
}


/* Numbers go on when what they counted is swept, all of it too. */
static void
suite_test_notify_sweep(void **state)
{
    int                 i;
    int64_t             removed, now;
    rt_notify_after_t   after;
    rt_notification_t   item, *one = &item;
    rt_store_session_t *session;

    (void) state;

    now = rt_time_now_ms();

    for (i = 0; i < 5; i++) {
        notify_item(&item, "business:b1", "b1", i == 0 ? "k" : NULL);
        item.created_at_ms = now - 10000 + 1000 * i;
        notify_add(&one, 1);
    }

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(suite_store->ops->notify->sweep(session, now - 7500, 2, &removed), RT_OK);
    suite_end(session);
    assert_int_equal(removed, 2);

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(suite_store->ops->notify->sweep(session, now - 7500, 100, &removed), RT_OK);
    suite_end(session);
    assert_int_equal(removed, 1);

    notify_after(&after, "business:b1", 0, 10);
    assert_int_equal(after.count, 2);
    assert_int_equal(after.rows[0].seq, 4);
    assert_int_equal(after.last_seq, 5);
    assert_int_equal(after.has_more, 0);

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(suite_store->ops->notify->sweep(session, now, 100, &removed), RT_OK);
    suite_end(session);
    assert_int_equal(removed, 2);

    notify_after(&after, "business:b1", 0, 10);
    assert_int_equal(after.count, 0);
    assert_int_equal(after.last_seq, 5);

    notify_add_one(&item, "business:b1", "b1", "k");
    assert_int_equal(item.status, RT_OK);
    assert_int_equal(item.seq, 6);
}


typedef struct {
    rt_store_t *store;
    int         number;
    int         stored;
} notify_thread_t;


static void *
notify_thread_run(void *data)
{
    int                 i;
    char                key[32];
    rt_arena_t         *arena;
    notify_thread_t    *thread = data;
    rt_notification_t   items[10], *list[10];
    rt_store_session_t *session;

    for (i = 0; i < NOTIFY_MANY; i++) {
        arena = i % 10 == 0 ? rt_arena_create(0) : items[0].arena;

        memset(&items[i % 10], 0, sizeof(rt_notification_t));
        snprintf(key, sizeof(key), "k%d", i);
        items[i % 10] = (rt_notification_t){.arena = arena,
            .stream = i % 3 ? rt_str("business:race") : rt_str("user:race"),
            .id = suite_id(arena),
            .business_id = rt_str("race"),
            .sub_type = rt_str("created"),
            .title = rt_str("t"),
            .message = rt_str("m"),
            .priority = rt_str("low"),
            .key = rt_arena_str(arena, rt_str_c(key)),
            .created_at_ms = rt_time_now_ms()};
        list[i % 10] = &items[i % 10];

        if (i % 10 != 9) {
            continue;
        }

        if (thread->store->ops->begin(thread->store, RT_STORE_WRITE, &session) == RT_OK) {
            (void) thread->store->ops->notify->add(session, list, 10);
            (void) thread->store->ops->end(session, 1);
        }

        for (int j = 0; j < 10; j++) {
            thread->stored += items[j].status == RT_OK;
        }

        rt_arena_destroy(arena);
    }

    return NULL;
}


/* Several writers of the same keys: each is stored once, and no number is missing or double. */
static void
suite_test_notify_race(void **state)
{
    int               i, stored;
    pthread_t         ids[4];
    notify_thread_t   threads[4];
    rt_notify_after_t after;

    (void) state;

    for (i = 0; i < 4; i++) {
        threads[i] = (notify_thread_t){i % 2 ? suite_open() : suite_store, i, 0};
        assert_int_equal(pthread_create(&ids[i], NULL, notify_thread_run, &threads[i]), 0);
    }

    stored = 0;

    for (i = 0; i < 4; i++) {
        pthread_join(ids[i], NULL);
        stored += threads[i].stored;

        if (i % 2) {
            rt_store_close(threads[i].store);
        }
    }

    assert_int_equal(stored, NOTIFY_MANY);

    notify_after(&after, "business:race", 0, 1000);
    assert_int_equal(after.count, NOTIFY_MANY / 3 * 2);
    assert_int_equal(after.last_seq, NOTIFY_MANY / 3 * 2);

    for (i = 0; i < (int) after.count; i++) {
        assert_int_equal(after.rows[i].seq, i + 1);
    }
}


/* An audit log is stored beside its notification, once. */
static void
suite_test_notify_audit(void **state)
{
    rt_notification_t item, *one = &item;

    (void) state;

    notify_item(&item, "business:b1", "b1", "a1");
    item.type = RT_NOTIFY_AUDIT;
    item.audit = rt_str("{\"businessId\":\"b1\",\"action\":\"UPDATE\",\"entityId\":7,"
                        "\"createdAt\":\"2026-01-02T03:04:05.678Z\"}");
    notify_add(&one, 1);
    assert_int_equal(item.status, RT_OK);
    assert_int_equal(suite_audit_logs(), 1);

    notify_item(&item, "business:b1", "b1", "a1");
    item.audit = rt_str("{\"businessId\":\"b1\"}");
    notify_add(&one, 1);
    assert_int_equal(item.status, RT_CONFLICT);
    assert_int_equal(suite_audit_logs(), 1);
}


#define SUITE_NOTIFY_TESTS                                                                         \
    SUITE_TEST(suite_test_notify_add), SUITE_TEST(suite_test_notify_key),                          \
        SUITE_TEST(suite_test_notify_list), SUITE_TEST(suite_test_notify_sweep),                   \
        SUITE_TEST(suite_test_notify_race), SUITE_TEST(suite_test_notify_audit)

#endif
