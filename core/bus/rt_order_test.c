/* Early, late, repeated, missing: what becomes of a channel's events. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rt/rt_order.h>


static rt_order_item_t items[RT_ORDER_WAITING_MAX + 10];


static rt_order_item_t *
item(int64_t seq)
{
    items[seq].seq = seq;

    return &items[seq];
}


static void
expect_due(rt_order_t *order, int64_t first, int64_t last)
{
    int64_t          seq;
    rt_order_item_t *taken;

    for (seq = first; seq <= last; seq++) {
        taken = rt_order_take(order);
        assert_ptr_equal(taken, &items[seq]);
        assert_null(taken->next);
    }

    assert_null(rt_order_take(order));
}


static void
test_in_order(void **state)
{
    rt_order_t order = {.next = 5};

    (void) state;

    assert_int_equal(rt_order_put(&order, item(5)), RT_OK);
    expect_due(&order, 5, 5);
    assert_int_equal(rt_order_put(&order, item(6)), RT_OK);
    assert_int_equal(rt_order_put(&order, item(7)), RT_OK);
    expect_due(&order, 6, 7);
    assert_int_equal(order.next, 8);
    assert_int_equal(order.count, 0);
}


static void
test_crossed(void **state)
{
    rt_order_t order = {.next = 1};

    (void) state;

    assert_int_equal(rt_order_put(&order, item(4)), RT_OK);
    assert_int_equal(rt_order_put(&order, item(2)), RT_OK);
    assert_int_equal(rt_order_put(&order, item(3)), RT_OK);
    assert_null(rt_order_take(&order));
    assert_true(rt_order_has_hole(&order));
    assert_int_equal(rt_order_put(&order, item(1)), RT_OK);
    assert_false(rt_order_has_hole(&order));
    expect_due(&order, 1, 4);
    assert_false(rt_order_has_hole(&order));
}


static void
test_repeated(void **state)
{
    rt_order_t      order = {.next = 3};
    rt_order_item_t again;

    (void) state;

    assert_int_equal(rt_order_put(&order, item(2)), RT_DECLINED);
    assert_int_equal(rt_order_put(&order, item(5)), RT_OK);
    again.seq = 5;
    assert_int_equal(rt_order_put(&order, &again), RT_DECLINED);
    again.seq = 0;
    assert_int_equal(rt_order_put(&order, &again), RT_DECLINED);
    again.seq = INT64_MAX;
    assert_int_equal(rt_order_put(&order, &again), RT_DECLINED);
    assert_int_equal(order.count, 1);
}


/* Nothing is due before it is known where the order stands. */
static void
test_unknown_begin(void **state)
{
    rt_order_t       order = {0};
    rt_order_item_t *dropped;

    (void) state;

    assert_int_equal(rt_order_put(&order, item(8)), RT_OK);
    assert_int_equal(rt_order_put(&order, item(7)), RT_OK);
    assert_int_equal(rt_order_put(&order, item(6)), RT_OK);
    assert_null(rt_order_take(&order));
    assert_false(rt_order_has_hole(&order));

    rt_order_advance(&order, 7, &dropped);
    assert_ptr_equal(dropped, &items[6]);
    assert_ptr_equal(dropped->next, &items[7]);
    assert_null(dropped->next->next);
    expect_due(&order, 8, 8);
}


static void
test_begin_of_an_empty_channel(void **state)
{
    rt_order_t       order = {0};
    rt_order_item_t *dropped;

    (void) state;

    rt_order_advance(&order, 0, &dropped);
    assert_null(dropped);
    assert_int_equal(rt_order_put(&order, item(1)), RT_OK);
    expect_due(&order, 1, 1);
}


static void
test_never_back(void **state)
{
    rt_order_t       order = {.next = 10};
    rt_order_item_t *dropped;

    (void) state;

    rt_order_advance(&order, 5, &dropped);
    assert_int_equal(order.next, 10);
    assert_null(dropped);
    rt_order_advance(&order, -1, &dropped);
    rt_order_advance(&order, INT64_MAX, &dropped);
    assert_int_equal(order.next, 10);
    rt_order_advance(&order, 10, &dropped);
    assert_int_equal(order.next, 11);
}


static void
test_full(void **state)
{
    int64_t          seq;
    rt_order_t       order = {.next = 1};
    rt_order_item_t *all;

    (void) state;

    for (seq = 2; seq < 2 + RT_ORDER_WAITING_MAX; seq++) {
        assert_int_equal(rt_order_put(&order, item(seq)), RT_OK);
    }

    assert_int_equal(rt_order_put(&order, item(seq)), RT_UNAVAILABLE);

    /* what fills the hole is welcome even so */
    assert_int_equal(rt_order_put(&order, item(1)), RT_OK);
    expect_due(&order, 1, 1 + RT_ORDER_WAITING_MAX);
    assert_int_equal(order.count, 0);

    assert_int_equal(rt_order_put(&order, item(1030)), RT_OK);
    assert_int_equal(rt_order_put(&order, item(1028)), RT_OK);
    all = rt_order_clear(&order);
    assert_ptr_equal(all, &items[1028]);
    assert_ptr_equal(all->next, &items[1030]);
    assert_null(all->next->next);
    assert_null(rt_order_clear(&order));
    assert_int_equal(order.count, 0);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_crossed),
        cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_unknown_begin),
        cmocka_unit_test(test_begin_of_an_empty_channel),
        cmocka_unit_test(test_never_back),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
