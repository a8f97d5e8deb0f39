/* What every store must do with webhooks and their deliveries: included by each one's test program,
 * after rt_store_suite.h. */

#ifndef RT_STORE_WEBHOOK_SUITE_H
#define RT_STORE_WEBHOOK_SUITE_H

#include "store/rt_store_testing.h"

#define WEBHOOK_OPS    (suite_store->ops->webhooks)
#define WEBHOOK_EVENTS (1 << RT_WEBHOOK_MESSAGE_CREATED | 1 << RT_WEBHOOK_NOTIFICATION_CREATED)
#define WEBHOOK_NOW    INT64_C(1700000000000)


static __attribute__((unused)) rt_webhook_t
webhook_added(const char *business, int is_active)
{
    rt_webhook_t        webhook;
    rt_store_session_t *session;

    static int64_t created_at_ms = WEBHOOK_NOW;

    memset(&webhook, 0, sizeof(webhook));
    webhook.id = suite_id(suite_arena);
    webhook.business_id = rt_str_c(business);
    webhook.url = rt_str("https://shop.example/hook?a=1");
    webhook.events = WEBHOOK_EVENTS;
    webhook.secret = rt_str("a secret of some characters");
    webhook.is_active = is_active;
    webhook.created_at_ms = ++created_at_ms;
    webhook.updated_at_ms = created_at_ms;

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(WEBHOOK_OPS->add(session, &webhook), RT_OK);
    suite_end(session);

    return webhook;
}


static __attribute__((unused)) rt_webhook_t *
webhook_get(const char *business, rt_str_t id)
{
    rt_webhook_t       *webhook;
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(WEBHOOK_OPS->get(session, suite_arena, rt_str_c(business), id, &webhook),
        RT_OK);
    suite_end(session);

    return webhook;
}


static __attribute__((unused)) size_t
webhook_count(const char *business)
{
    rt_webhook_list_t   list;
    rt_store_session_t *session;

    memset(&list, 0, sizeof(list));
    session = suite_begin(RT_STORE_READ);
    assert_int_equal(WEBHOOK_OPS->list(session, suite_arena, rt_str_c(business), &list), RT_OK);
    suite_end(session);

    return list.count;
}


/* Queues a delivery of the object, at the time. */
static __attribute__((unused)) rt_delivery_t
delivery_queued(const rt_webhook_t *webhook, const char *object, int64_t now_ms)
{
    rt_delivery_t       row;
    rt_store_session_t *session;

    memset(&row, 0, sizeof(row));
    row.id = suite_id(suite_arena);
    row.webhook_id = webhook->id;
    row.business_id = webhook->business_id;
    row.event = RT_WEBHOOK_MESSAGE_CREATED;
    row.object_id = rt_str_c(object);
    row.payload = rt_str("{\"text\":\"Zoë \\\"Z\\\"\"}");
    row.created_at_ms = now_ms;

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(WEBHOOK_OPS->queue(session, &row, 1), RT_OK);
    suite_end(session);

    return row;
}


static __attribute__((unused)) rt_delivery_list_t
delivery_claim(int64_t now_ms, int64_t limit, const rt_str_t *except, size_t except_count)
{
    rt_delivery_list_t  list;
    rt_store_session_t *session;

    memset(&list, 0, sizeof(list));
    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(WEBHOOK_OPS->claim(session, suite_arena, now_ms, limit, except, except_count,
                         &list),
        RT_OK);
    suite_end(session);

    return list;
}


static __attribute__((unused)) void
delivery_settle(const rt_delivery_t *row, int64_t claimed)
{
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(WEBHOOK_OPS->settle(session, row, claimed), RT_OK);
    suite_end(session);
}


static __attribute__((unused)) rt_delivery_list_t
delivery_list(rt_str_t webhook_id, int status, int64_t offset, int64_t limit)
{
    rt_delivery_list_t  list;
    rt_delivery_query_t query = {webhook_id, status, offset, limit};
    rt_store_session_t *session;

    memset(&list, 0, sizeof(list));
    session = suite_begin(RT_STORE_READ);
    assert_int_equal(WEBHOOK_OPS->deliveries_list(session, suite_arena, &query, &list), RT_OK);
    suite_end(session);

    return list;
}


static __attribute__((unused)) int
delivery_due(int64_t now_ms)
{
    int                 due;
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(WEBHOOK_OPS->due(session, now_ms, &due), RT_OK);
    suite_end(session);

    return due;
}


static void
suite_test_webhook_rows(void **state)
{
    rt_webhook_t        first, second, *found;
    rt_webhook_list_t   list;
    rt_store_session_t *session;

    (void) state;

    first = webhook_added("b1", 1);
    second = webhook_added("b1", 0);
    (void) webhook_added("b2", 1);

    found = webhook_get("b1", first.id);
    assert_non_null(found);
    assert_true(rt_str_eq(found->url, first.url));
    assert_true(rt_str_eq(found->secret, first.secret));
    assert_int_equal(found->events, WEBHOOK_EVENTS);
    assert_int_equal(found->description.len, 0);
    assert_int_equal(found->is_active, 1);
    assert_int_equal(found->created_at_ms, first.created_at_ms);
    assert_null(webhook_get("b2", first.id));
    assert_non_null(webhook_get("", first.id));
    assert_null(webhook_get("b1", rt_str("000000000000000000000000")));
    assert_int_equal(webhook_count("b1"), 2);
    assert_int_equal(webhook_count(""), 2); /* the active ones of all */
    assert_int_equal(webhook_count("b3"), 0);

    memset(&list, 0, sizeof(list));
    session = suite_begin(RT_STORE_READ);
    assert_int_equal(WEBHOOK_OPS->list(session, suite_arena, rt_str("b1"), &list), RT_OK);
    suite_end(session);
    assert_true(rt_str_eq(list.rows[0].id, first.id));

    second.is_active = 1;
    second.url = rt_str("https://other.example/");
    second.description = rt_str("Zoë's");
    second.events = 1 << RT_WEBHOOK_CONVERSATION_CREATED;
    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(WEBHOOK_OPS->change(session, &second), RT_OK);
    assert_int_equal(WEBHOOK_OPS->remove(session, &first), RT_OK);
    suite_end(session);
    found = webhook_get("b1", second.id);
    assert_true(rt_str_eq(found->description, second.description));
    assert_true(rt_str_eq(found->url, second.url));
    assert_int_equal(found->events, 1 << RT_WEBHOOK_CONVERSATION_CREATED);
    assert_int_equal(found->created_at_ms, second.created_at_ms);
    assert_null(webhook_get("b1", first.id));
    assert_int_equal(webhook_count(""), 2);
}


/* What is queued twice is there once; what is claimed is another's only after its lease. */
static void
suite_test_webhook_claim(void **state)
{
    int64_t             pending;
    rt_webhook_t        hook, other;
    rt_delivery_t       row;
    rt_delivery_list_t  list;
    rt_store_session_t *session;

    (void) state;

    hook = webhook_added("b1", 1);
    other = webhook_added("b1", 1);
    assert_int_equal(delivery_due(WEBHOOK_NOW + 10), 0);

    row = delivery_queued(&hook, "m1", WEBHOOK_NOW);
    (void) delivery_queued(&hook, "m1", WEBHOOK_NOW + 5);
    (void) delivery_queued(&hook, "m2", WEBHOOK_NOW + 1);
    (void) delivery_queued(&other, "m1", WEBHOOK_NOW + 2);
    assert_int_equal(delivery_list(hook.id, -1, 0, 10).total, 2);

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(WEBHOOK_OPS->pending(session, rt_str("b1"), 100, &pending), RT_OK);
    assert_int_equal(pending, 3);
    assert_int_equal(WEBHOOK_OPS->pending(session, rt_str("b1"), 2, &pending), RT_OK);
    assert_int_equal(pending, 2);
    suite_end(session);

    assert_int_equal(delivery_due(WEBHOOK_NOW - 1), 0);
    assert_int_equal(delivery_due(WEBHOOK_NOW), 1);
    assert_int_equal(delivery_claim(WEBHOOK_NOW - 1, 10, NULL, 0).count, 0);

    list = delivery_claim(WEBHOOK_NOW + 10, 1, NULL, 0);
    assert_int_equal(list.count, 1);
    assert_true(rt_str_eq(list.rows[0].id, row.id)); /* the longest due */
    assert_true(rt_str_eq(list.rows[0].webhook_id, hook.id));
    assert_true(rt_str_eq(list.rows[0].payload, row.payload));
    assert_int_equal(list.rows[0].attempts, 1);
    assert_int_equal(list.rows[0].event, RT_WEBHOOK_MESSAGE_CREATED);

    list = delivery_claim(WEBHOOK_NOW + 10, 10, &hook.id, 1);
    assert_int_equal(list.count, 1);
    assert_true(rt_str_eq(list.rows[0].webhook_id, other.id));

    assert_int_equal(delivery_claim(WEBHOOK_NOW + 10, 10, NULL, 0).count, 1);
    assert_int_equal(delivery_claim(WEBHOOK_NOW + 10, 10, NULL, 0).count, 0);
    assert_int_equal(delivery_due(WEBHOOK_NOW + 10), 0);
    list = delivery_claim(WEBHOOK_NOW + 10 + RT_WEBHOOK_LEASE_MS, 10, NULL, 0);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.rows[0].attempts, 2);
}


/* Only the one who claimed it last writes down what came of it. */
static void
suite_test_webhook_settle(void **state)
{
    int64_t             removed;
    rt_webhook_t        hook;
    rt_delivery_t       row;
    rt_delivery_list_t  list;
    rt_store_session_t *session;

    (void) state;

    hook = webhook_added("b1", 1);
    (void) delivery_queued(&hook, "m1", WEBHOOK_NOW);
    (void) delivery_queued(&hook, "m2", WEBHOOK_NOW + 1);

    row = delivery_claim(WEBHOOK_NOW, 1, NULL, 0).rows[0];
    row.next_at_ms = WEBHOOK_NOW + 500;
    row.last_status = 500;
    row.last_error = rt_str("HTTP status 500");
    delivery_settle(&row, 1);
    list = delivery_list(hook.id, RT_DELIVERY_PENDING, 0, 10);
    assert_int_equal(list.total, 2);
    assert_int_equal(list.rows[1].last_status, 500); /* the newest first */
    assert_true(rt_str_eq(list.rows[1].last_error, row.last_error));

    row = delivery_claim(WEBHOOK_NOW + 500, 1, (rt_str_t[]){rt_str("x")}, 1).rows[0];
    assert_true(rt_str_eq(row.object_id, rt_str("m2"))); /* it is due longer */
    row = delivery_claim(WEBHOOK_NOW + 500, 1, NULL, 0).rows[0];
    assert_int_equal(row.attempts, 2);
    row.status = RT_DELIVERY_DELIVERED;
    row.last_status = 204;
    row.last_error = rt_str_null;
    row.delivered_at_ms = WEBHOOK_NOW + 600;
    delivery_settle(&row, 1); /* a slow one of the first attempt: not any more */
    assert_int_equal(delivery_list(hook.id, RT_DELIVERY_DELIVERED, 0, 10).total, 0);
    delivery_settle(&row, 2);
    list = delivery_list(hook.id, RT_DELIVERY_DELIVERED, 0, 10);
    assert_int_equal(list.total, 1);
    assert_int_equal(list.rows[0].delivered_at_ms, WEBHOOK_NOW + 600);
    assert_int_equal(list.rows[0].last_error.len, 0);
    assert_int_equal(delivery_list(hook.id, -1, 1, 1).count, 1);
    assert_int_equal(delivery_list(hook.id, -1, 2, 1).count, 0);

    /* what is over goes, what is pending stays; and one may be started anew before */
    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(WEBHOOK_OPS->sweep(session, WEBHOOK_NOW, 10, &removed), RT_OK);
    assert_int_equal(removed, 0);
    assert_int_equal(WEBHOOK_OPS->retry(session, rt_str("000000000000000000000000"), row.id, 1),
        RT_NOT_FOUND);
    assert_int_equal(WEBHOOK_OPS->retry(session, hook.id, row.id, WEBHOOK_NOW + 700), RT_OK);
    suite_end(session);
    assert_int_equal(delivery_list(hook.id, RT_DELIVERY_PENDING, 0, 10).total, 2);
    row = delivery_claim(WEBHOOK_NOW + 700, 1, NULL, 0).rows[0];
    assert_int_equal(row.attempts, 1);
    row.status = RT_DELIVERY_FAILED;
    delivery_settle(&row, 1);

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(WEBHOOK_OPS->sweep(session, WEBHOOK_NOW + 100, 10, &removed), RT_OK);
    suite_end(session);
    assert_int_equal(removed, 1);
    list = delivery_list(hook.id, -1, 0, 10);
    assert_int_equal(list.total, 1);
    assert_int_equal(list.rows[0].status, RT_DELIVERY_PENDING);
}


/* A slice at a time. */
static void
suite_test_webhook_sweep(void **state)
{
    int                 i;
    char                object[16];
    int64_t             removed;
    rt_webhook_t        hook;
    rt_delivery_list_t  list;
    rt_store_session_t *session;

    static const int slices[] = {4, 4, 2, 0};

    (void) state;

    hook = webhook_added("b1", 1);

    for (i = 0; i < 12; i++) {
        (void) snprintf(object, sizeof(object), "m%d", i);
        (void) delivery_queued(&hook, object, WEBHOOK_NOW + i);
    }

    list = delivery_claim(WEBHOOK_NOW + 100, 11, NULL, 0);
    assert_int_equal(list.count, 11);

    for (i = 0; i < 11; i++) {
        list.rows[i].status = i % 2 ? RT_DELIVERY_FAILED : RT_DELIVERY_DELIVERED;
        delivery_settle(&list.rows[i], 1);
    }

    for (i = 0; i < 4; i++) {
        session = suite_begin(RT_STORE_WRITE);
        assert_int_equal(WEBHOOK_OPS->sweep(session, WEBHOOK_NOW + 10, 4, &removed), RT_OK);
        suite_end(session);
        assert_int_equal(removed, slices[i]);
    }

    assert_int_equal(delivery_list(hook.id, -1, 0, 20).total, 2);
}


#define SUITE_WEBHOOK_TESTS                                                                        \
    SUITE_TEST(suite_test_webhook_rows), SUITE_TEST(suite_test_webhook_claim),                     \
        SUITE_TEST(suite_test_webhook_settle), SUITE_TEST(suite_test_webhook_sweep)

#endif
