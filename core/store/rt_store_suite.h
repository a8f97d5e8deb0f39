/* What every store must do, written once: each store's test program includes this, provides
 * suite_open(), setup and teardown (around suite_setup and suite_teardown, see
 * rt_store_testing.h), and runs SUITE_TESTS. */

#ifndef RT_STORE_SUITE_H
#define RT_STORE_SUITE_H

#include <pthread.h>

#include "store/rt_store_testing.h"


#define SUITE_THREADS 8


static void
suite_test_room(void **state)
{
    rt_room_t            *room, *found, *twice[3];
    rt_str_t              ids[3];
    rt_store_session_t   *session;
    const rt_store_ops_t *ops = suite_store->ops;

    (void) state;

    room = suite_room_added("b1", "u1");
    found = suite_room_get(room->id);
    assert_non_null(found);
    assert_true(rt_str_eq(found->business_id, rt_str("b1")));
    assert_true(rt_str_eq(found->user_id, rt_str("u1")));
    assert_true(rt_str_eq(found->user_name, rt_str("Zoë")));
    assert_true(rt_str_eq(found->metadata, room->metadata));
    assert_int_equal(found->created_at_ms, room->created_at_ms);
    assert_int_equal(found->seq, 0);
    assert_int_equal(found->owner_id.len, 0);
    assert_null(suite_room_get(rt_str("00112233445566778899aabb")));
    assert_null(suite_room_get(rt_str("no hex")));

    ids[0] = room->id;
    ids[1] = rt_str("none");
    ids[2] = room->id;
    session = suite_begin(RT_STORE_READ);
    assert_int_equal(ops->rooms_get(session, suite_arena, ids, 3, twice), RT_OK);
    suite_end(session);
    assert_ptr_equal(twice[0], twice[2]);
    assert_null(twice[1]);

    /* put away, then found no more as open; its document stays */
    session = suite_begin(RT_STORE_WRITE);
    found->is_active = 0;
    found->is_archived = 1;
    assert_int_equal(ops->room_change(session, found, RT_ROOM_STATE), RT_OK);
    found->priority = rt_str("high");
    found->metadata = rt_str("{\"priority\":\"high\"}");
    assert_int_equal(ops->room_change(session, found, RT_ROOM_METADATA), RT_OK);
    assert_int_equal(ops->room_find_open(session, suite_arena, room, &twice[0]), RT_OK);
    assert_null(twice[0]);
    suite_end(session);

    found = suite_room_get(room->id);
    assert_int_equal(found->is_archived, 1);
    assert_true(rt_str_eq(found->priority, rt_str("high")));
    assert_true(rt_str_eq(found->metadata, rt_str("{\"priority\":\"high\"}")));
}


static void
suite_test_unique(void **state)
{
    rt_room_t          *first, *again;
    rt_store_session_t *session;

    (void) state;

    first = suite_room_added("b1", "u1");
    assert_int_equal(suite_try(suite_room(RT_ROOM_CUSTOMER_SUPPORT, "b1", "u1", NULL)),
        RT_CONFLICT);
    assert_int_equal(suite_try(suite_room(RT_ROOM_CUSTOMER_SUPPORT, "b2", "u1", NULL)), RT_OK);
    assert_int_equal(suite_try(suite_room(RT_ROOM_CUSTOMER_SUPPORT, "b1", "u2", NULL)), RT_OK);

    /* two people, either way round; ids that only look alike when joined */
    assert_int_equal(suite_try(suite_room(RT_ROOM_TEAM_CHAT, "b1", "p", "q")), RT_OK);
    assert_int_equal(suite_try(suite_room(RT_ROOM_TEAM_CHAT, "b1", "q", "p")), RT_CONFLICT);
    assert_int_equal(suite_try(suite_room(RT_ROOM_TEAM_CHAT, "b1", "pq", "")), RT_OK);
    assert_int_equal(suite_try(suite_room(RT_ROOM_TEAM_CHAT, "b1", "p", "qq")), RT_OK);
    assert_int_equal(suite_try(suite_room(RT_ROOM_ADMIN_SUPPORT, "b1", "p", NULL)), RT_OK);
    assert_int_equal(suite_try(suite_room(RT_ROOM_ADMIN_SUPPORT, "b1", "p", NULL)), RT_CONFLICT);

    /* one that was put away makes room, and can't come back */
    session = suite_begin(RT_STORE_WRITE);
    first->is_active = 0;
    first->is_archived = 1;
    assert_int_equal(suite_store->ops->room_change(session, first, RT_ROOM_STATE), RT_OK);
    suite_end(session);

    again = suite_room_added("b1", "u1");
    session = suite_begin(RT_STORE_WRITE);
    first->is_active = 1;
    first->is_archived = 0;
    assert_int_equal(suite_store->ops->room_change(session, first, RT_ROOM_STATE), RT_CONFLICT);
    suite_end(session);

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(suite_store->ops->room_find_open(session, suite_arena, first, &first), RT_OK);
    suite_end(session);
    assert_true(rt_str_eq(first->id, again->id));
}


static void
suite_test_rollback(void **state)
{
    rt_room_t            *room;
    rt_store_session_t   *session;
    const rt_store_ops_t *ops = suite_store->ops;

    (void) state;

    room = suite_room(RT_ROOM_CUSTOMER_SUPPORT, "b1", "u1", NULL);
    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(ops->room_add(session, room), RT_OK);
    assert_int_equal(ops->end(session, 0), RT_OK);
    assert_null(suite_room_get(room->id));

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(ops->room_add(session, room), RT_OK);
    ops->spoil(session);
    assert_int_not_equal(ops->end(session, 1), RT_OK);
    assert_null(suite_room_get(room->id));

    /* the next one is not spoiled */
    assert_int_equal(suite_try(room), RT_OK);
    assert_non_null(suite_room_get(room->id));
}


static void
suite_test_messages(void **state)
{
    rt_room_t   *first, *second;
    rt_message_t messages[4], *list[4] = {&messages[0], &messages[1], &messages[2], &messages[3]};
    rt_store_session_t   *session;
    const rt_store_ops_t *ops = suite_store->ops;

    (void) state;

    first = suite_room_added("b1", "u1");
    second = suite_room_added("b1", "u2");

    suite_message(list[0], first, RT_SENDER_CUSTOMER, "u1", "one \"quoted\" 🙂\n");
    list[0]->client_id = rt_str("c");
    list[0]->attachments = rt_str("[\"a\"]");
    list[0]->metadata = rt_str("{\"k\":1}");
    suite_message(list[1], second, RT_SENDER_STAFF, "s", "two");
    list[1]->kind = RT_MESSAGE_FAQ;
    suite_message(list[2], first, RT_SENDER_BOT, "", "three");
    list[2]->kind = RT_MESSAGE_AUTOMATED;
    suite_message(list[3], first, RT_SENDER_CUSTOMER, "u1", "four, the same as one");
    list[3]->client_id = rt_str("c");

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(ops->messages_add(session, list, 4), RT_OK);
    suite_end(session);

    assert_int_equal(list[0]->status, RT_OK);
    assert_int_equal(list[0]->seq, 1);
    assert_int_equal(list[0]->unread_count, 1);
    suite_text_is(list[0]->text, "content", "\"one \\\"quoted\\\" 🙂\\n\"");
    suite_text_is(list[0]->text, "seq", "1");
    suite_text_is(list[0]->text, "attachments", "[\"a\"]");
    suite_text_is(list[0]->text, "metadata", "{\"k\":1}");
    suite_text_is(list[0]->text, "replyToMessageId", "null");
    suite_text_is(list[0]->text, "isRead", "false");
    assert_int_equal(list[1]->seq, 1);
    assert_int_equal(list[1]->unread_count, 0);
    suite_text_is(list[1]->text, "isFAQ", "true");
    assert_int_equal(list[2]->seq, 2);
    suite_text_is(list[2]->text, "senderId", "null");
    suite_text_is(list[2]->text, "isAutomated", "true");

    /* the retry gives the first one, and takes no place */
    assert_int_equal(list[3]->status, RT_CONFLICT);
    assert_int_equal(list[3]->seq, 1);
    assert_true(rt_str_eq(list[3]->id, list[0]->id));
    assert_true(rt_str_eq(list[3]->text, list[0]->text));

    first = suite_room_get(first->id);
    assert_int_equal(first->seq, 2);
    assert_int_equal(first->unread_count, 1);
    assert_true(rt_str_eq(first->last_message_id, list[2]->id));
    assert_true(rt_str_eq(first->last_message, rt_str("three")));
    assert_int_equal(first->last_message_at_ms, list[2]->created_at_ms);
}


static void
suite_test_message_get(void **state)
{
    rt_room_t            *first, *second;
    rt_message_t          message, *list[1] = {&message};
    rt_message_row_t      row;
    rt_store_session_t   *session;
    const rt_store_ops_t *ops = suite_store->ops;

    (void) state;

    first = suite_room_added("b1", "u1");
    second = suite_room_added("b1", "u2");
    suite_message(&message, first, RT_SENDER_CUSTOMER, "u1", "hello");
    message.client_id = rt_str("c1");

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(ops->messages_add(session, list, 1), RT_OK);
    suite_end(session);

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(ops->message_get(session, suite_arena, first, message.id, &row), RT_OK);
    assert_true(rt_str_eq(row.text, message.text));
    assert_true(rt_str_eq(row.id, message.id));
    assert_int_equal(row.seq, 1);
    assert_int_equal(row.created_at_ms, message.created_at_ms);
    assert_int_equal(ops->message_get(session, suite_arena, second, message.id, &row), RT_OK);
    assert_int_equal(row.text.len, 0);
    assert_int_equal(ops->message_find(session, suite_arena, first, rt_str("u1"), rt_str("c1"),
                         &row),
        RT_OK);
    assert_true(rt_str_eq(row.id, message.id));
    assert_int_equal(ops->message_find(session, suite_arena, first, rt_str("u2"), rt_str("c1"),
                         &row),
        RT_OK);
    assert_int_equal(row.text.len, 0);
    suite_end(session);
}


static void
suite_test_list(void **state)
{
    int64_t             count;
    rt_room_t          *room, *other;
    rt_store_session_t *session;

    (void) state;

    room = suite_room_added("b1", "u1");
    other = suite_room_added("b1", "u2");
    suite_list_is(room, RT_MESSAGES_PAGE, 0, 10, 1, 0);
    suite_add(room->id, RT_SENDER_CUSTOMER, "u1", 20);
    suite_add(other->id, RT_SENDER_CUSTOMER, "u2", 3);

    suite_list_is(room, RT_MESSAGES_PAGE, 0, 10, 11, 10);
    suite_list_is(room, RT_MESSAGES_PAGE, 15, 10, 1, 5);
    suite_list_is(room, RT_MESSAGES_PAGE, 20, 10, 1, 0);
    suite_list_is(room, RT_MESSAGES_BEFORE, 8, 3, 5, 3);
    suite_list_is(room, RT_MESSAGES_BEFORE, 1, 3, 1, 0);
    suite_list_is(room, RT_MESSAGES_AFTER, 0, 5, 1, 5);
    suite_list_is(room, RT_MESSAGES_AFTER, 18, 5, 19, 2);
    suite_list_is(room, RT_MESSAGES_AFTER, INT64_MAX, 5, 1, 0);

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(suite_store->ops->rooms_get(session, suite_arena, &room->id, 1, &room), RT_OK);
    assert_int_equal(suite_store->ops->messages_count(session, room, &count), RT_OK);
    suite_end(session);
    assert_int_equal(count, 20);
}


static void
suite_test_reads(void **state)
{
    rt_str_t            ids[4];
    rt_room_t          *room;
    rt_message_list_t   list;
    rt_message_reads_t  reads;
    rt_store_session_t *session;

    (void) state;

    room = suite_room_added("b1", "u1");
    suite_add(room->id, RT_SENDER_CUSTOMER, "u1", 3);
    suite_add(room->id, RT_SENDER_STAFF, "s1", 2);
    suite_add(room->id, RT_SENDER_STAFF, "s2", 1);
    room = suite_room_get(room->id);
    assert_int_equal(room->unread_count, 3);

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(suite_store->ops->messages_list(session, suite_arena, room, RT_MESSAGES_AFTER,
                         0, 10, &list),
        RT_OK);
    suite_end(session);
    assert_int_equal(list.count, 6);

    ids[0] = list.rows[1].id; /* the customer's */
    ids[1] = list.rows[4].id; /* staff's: not whose */
    ids[2] = rt_str("unknown");
    ids[3] = list.rows[1].id; /* twice */
    suite_reads(&reads, room, RT_READS_CUSTOMER, "s1", ids, 4);
    assert_int_equal(reads.newly_count, 1);
    assert_int_equal(reads.read_count, 1);
    assert_true(rt_str_eq(reads.newly[0], ids[0]));
    assert_int_equal(room->unread_count, 2);

    suite_reads(&reads, room, RT_READS_CUSTOMER, "s1", ids, 1);
    assert_int_equal(reads.newly_count, 0);
    assert_int_equal(reads.read_count, 1);

    suite_reads(&reads, room, RT_READS_CUSTOMER, "s1", ids, 0);
    assert_int_equal(reads.read_count, 0);

    suite_reads(&reads, room, RT_READS_OTHERS, "s1", NULL, 0);
    assert_int_equal(reads.newly_count, 3);
    assert_true(rt_str_eq(reads.newly[0], list.rows[0].id));
    assert_true(rt_str_eq(reads.newly[1], list.rows[2].id));
    assert_true(rt_str_eq(reads.newly[2], list.rows[5].id));
    assert_int_equal(reads.read_count, 3);
    assert_int_equal(room->unread_count, 0);

    suite_reads(&reads, room, RT_READS_NOT_CUSTOMER, "u1", NULL, 0);
    assert_int_equal(reads.newly_count, 2);
    suite_reads(&reads, room, RT_READS_NOT_CUSTOMER, "u1", NULL, 0);
    assert_int_equal(reads.newly_count, 0);
    assert_int_equal(suite_room_get(room->id)->unread_count, 0);

    /* what comes later is unread again, for its side only */
    suite_add(room->id, RT_SENDER_CUSTOMER, "u1", 2);
    suite_add(room->id, RT_SENDER_STAFF, "s1", 1);
    room = suite_room_get(room->id);
    assert_int_equal(room->unread_count, 2);
    suite_reads(&reads, room, RT_READS_NOT_CUSTOMER, "u1", NULL, 0);
    assert_int_equal(reads.newly_count, 1);
    assert_int_equal(room->unread_count, 2);
    suite_reads(&reads, room, RT_READS_CUSTOMER, "s1", NULL, 0);
    assert_int_equal(reads.newly_count, 2);
    assert_int_equal(suite_room_get(room->id)->unread_count, 0);
}


/* Between staff each reads what the others said. */
static void
suite_test_staff_reads(void **state)
{
    rt_room_t         *room;
    rt_message_reads_t reads;

    (void) state;

    room = suite_room(RT_ROOM_TEAM_CHAT, "b1", "p", "q");
    assert_int_equal(suite_try(room), RT_OK);
    suite_add(room->id, RT_SENDER_STAFF, "p", 3);
    suite_add(room->id, RT_SENDER_STAFF, "q", 2);
    suite_add(room->id, RT_SENDER_STAFF, "p", 1);
    room = suite_room_get(room->id);

    suite_reads(&reads, room, RT_READS_OTHERS, "p", NULL, 0);
    assert_int_equal(reads.newly_count, 2);
    suite_reads(&reads, room, RT_READS_OTHERS, "q", NULL, 0);
    assert_int_equal(reads.newly_count, 4);
    suite_reads(&reads, room, RT_READS_OTHERS, "q", NULL, 0);
    assert_int_equal(reads.newly_count, 0);
    suite_reads(&reads, room, RT_READS_OTHERS, "p", NULL, 0);
    assert_int_equal(reads.newly_count, 0);
    assert_int_equal(room->unread_count, 0);
}


static void
suite_test_rooms(void **state)
{
    rt_str_t   b1 = rt_str("b1"), none = rt_str_null;
    rt_room_t *u1, *u2;

    (void) state;

    u1 = suite_room_added("b1", "u1");
    u2 = suite_room_added("b1", "u2");
    suite_room_added("b2", "u1");
    assert_int_equal(suite_try(suite_room(RT_ROOM_TEAM_CHAT, "b1", "p", "q")), RT_OK);
    assert_int_equal(suite_try(suite_room(RT_ROOM_ADMIN_SUPPORT, "b1", "p", "")), RT_OK);
    assert_int_equal(suite_try(suite_room(RT_ROOM_STAFF_CHAT, "b1", "p", "")), RT_OK);
    usleep(2000); /* the order is by milliseconds */
    suite_add(u1->id, RT_SENDER_CUSTOMER, "u1", 2);

    suite_rooms_are((rt_room_query_t){SUITE_QUERY(RT_VIEW_STAFF, b1, rt_str("p"))}, 5, 2, NULL);
    suite_rooms_are((rt_room_query_t){SUITE_QUERY(RT_VIEW_STAFF, b1, rt_str("q"))}, 4, 2, NULL);
    suite_rooms_are((rt_room_query_t){SUITE_QUERY(RT_VIEW_STAFF, b1, rt_str("x"))}, 3, 2, NULL);
    suite_rooms_are((rt_room_query_t){SUITE_QUERY(RT_VIEW_ALL, none, rt_str("x"))}, 5, 2, NULL);
    suite_rooms_are((rt_room_query_t){SUITE_QUERY(RT_VIEW_ALL, b1, rt_str("q"))}, 5, 2, NULL);
    suite_rooms_are((rt_room_query_t){SUITE_QUERY(RT_VIEW_CUSTOMER, none, rt_str("u1"))}, 2, 2, u1);
    suite_rooms_are((rt_room_query_t){SUITE_QUERY(RT_VIEW_CUSTOMER, b1, rt_str("u1"))}, 1, 2, u1);
    suite_rooms_are((rt_room_query_t){SUITE_QUERY(RT_VIEW_CUSTOMER, b1, rt_str("p"))}, 0, 0, NULL);
    suite_rooms_are((rt_room_query_t){SUITE_QUERY(RT_VIEW_STAFF, b1, rt_str("x")),
                        .unread_only = 1},
        1, 2, u1);
    suite_rooms_are((rt_room_query_t){SUITE_QUERY(RT_VIEW_STAFF, b1, rt_str("x")),
                        .q = rt_str("+44"), .limit = 1},
        3, 2, NULL);
    suite_rooms_are((rt_room_query_t){SUITE_QUERY(RT_VIEW_STAFF, b1, rt_str("x")),
                        .q = rt_str("%oom")},
        0, 0, NULL);

    /* the newest message comes first */
    u2 = suite_room_get(u2->id);
    suite_add(u2->id, RT_SENDER_STAFF, "p", 1);
    suite_rooms_are((rt_room_query_t){SUITE_QUERY(RT_VIEW_STAFF, b1, rt_str("x")),
                        .q = rt_str("zoe@"), .priority = rt_str("medium")},
        2, 2, NULL);
}


static void
suite_after_is(const rt_room_after_t *room, int exists, int64_t first_seq, size_t count,
    int64_t last_seq, int has_more)
{
    size_t i;

    assert_int_equal(room->exists, exists);
    assert_int_equal(room->list.count, count);
    assert_int_equal(room->last_seq, last_seq);
    assert_int_equal(room->has_more, has_more);

    for (i = 0; i < count; i++) {
        assert_int_equal(room->list.rows[i].seq, first_seq + (int64_t) i);
        suite_text_is(room->list.rows[i].text, "roomId",
            rt_arena_printf(suite_arena, "\"%.*s\"", RT_STR_ARG(room->room_id)).data);
    }
}


/* What several rooms have missed, in one question. */
static void
suite_test_after(void **state)
{
    rt_room_t            *one, *two, *empty;
    rt_room_after_t       rooms[5];
    rt_store_session_t   *session;
    const rt_store_ops_t *ops = suite_store->ops;

    (void) state;

    one = suite_room_added("b1", "u1");
    two = suite_room_added("b1", "u2");
    empty = suite_room_added("b1", "u3");
    suite_add(one->id, RT_SENDER_CUSTOMER, "u1", 10);
    suite_add(two->id, RT_SENDER_STAFF, "s", 5);

    memset(rooms, 0, sizeof(rooms));
    rooms[0].room_id = one->id;
    rooms[0].after_seq = 7;
    rooms[1].room_id = rt_str("none");
    rooms[2].room_id = empty->id;
    rooms[3].room_id = two->id;
    rooms[4].room_id = rt_str("00112233445566778899aabb");
    rooms[4].after_seq = 3;

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(ops->messages_after(session, suite_arena, rooms, 5, 100), RT_OK);
    suite_after_is(&rooms[0], 1, 8, 3, 10, 0);
    suite_after_is(&rooms[1], 0, 0, 0, 0, 0);
    suite_after_is(&rooms[2], 1, 0, 0, 0, 0);
    suite_after_is(&rooms[3], 1, 1, 5, 5, 0);
    suite_after_is(&rooms[4], 0, 0, 0, 0, 0);

    /* too many for one answer: whatever is given begins where it was asked from */
    assert_int_equal(ops->messages_after(session, suite_arena, rooms, 5, 4), RT_OK);
    assert_int_equal(rooms[0].list.count + rooms[3].list.count, 4);
    suite_after_is(&rooms[0], 1, 8, rooms[0].list.count, 10, rooms[0].list.count < 3);
    suite_after_is(&rooms[3], 1, 1, rooms[3].list.count, 5, rooms[3].list.count < 5);

    rooms[0].after_seq = INT64_MAX;
    assert_int_equal(ops->messages_after(session, suite_arena, rooms, 1, 4), RT_OK);
    suite_after_is(&rooms[0], 1, 0, 0, 10, 0);
    suite_end(session);
}


static void
suite_test_up(void **state)
{
    (void) state;

    suite_room_added("b1", "u1");
    assert_int_equal(suite_store->ops->up(suite_store), 1);
}


typedef struct {
    rt_store_t *store; /* a handle of its own, or the common one */
    rt_str_t    room_id;
    int         number;
    int         made;
    int         sent;
} suite_thread_t;

#define SUITE_GROUPS 12
#define SUITE_GROUP  7


/* Groups of numbered messages of one sender, some of them with an id of the client's. */
static void *
suite_order_run(void *data)
{
    int                 i, j;
    char                sender[16];
    rt_room_t          *room;
    rt_arena_t         *arena;
    rt_message_t        messages[SUITE_GROUP], *list[SUITE_GROUP];
    suite_thread_t     *thread = data;
    rt_store_session_t *session;

    snprintf(sender, sizeof(sender), "s%d", thread->number);

    for (i = 0; i < SUITE_GROUPS; i++) {
        arena = rt_arena_create(0);

        if (thread->store->ops->begin(thread->store, RT_STORE_WRITE, &session) != RT_OK
            || thread->store->ops->rooms_get(session, arena, &thread->room_id, 1, &room) != RT_OK)
        {
            return NULL;
        }

        for (j = 0; j < SUITE_GROUP; j++) {
            memset(&messages[j], 0, sizeof(messages[j]));
            list[j] = &messages[j];
            messages[j].arena = arena;
            messages[j].room = room;
            messages[j].id = suite_id(arena);
            messages[j].sender_id = rt_str_c(sender);
            messages[j].message_type = rt_str("text");
            messages[j].content = rt_arena_printf(arena, "%s %d", sender, i * SUITE_GROUP + j);
            messages[j].preview = messages[j].content;
            messages[j].created_at_ms = rt_time_now_ms();

            if (thread->number % 2) {
                messages[j].client_id = messages[j].content;
            }
        }

        if (thread->store->ops->messages_add(session, list, SUITE_GROUP) != RT_OK) {
            return NULL;
        }

        for (j = 0; j < SUITE_GROUP; j++) {
            thread->sent += messages[j].status == RT_OK;
        }

        if (thread->store->ops->end(session, 1) != RT_OK) {
            return NULL;
        }

        rt_arena_destroy(arena);
    }

    return NULL;
}


/* Each sender's messages stand in their order, at places without holes. */
static void
suite_order_is(rt_room_t *room, int senders)
{
    int                 next[SUITE_THREADS] = {0}, sender, number;
    size_t              i;
    json_t             *json;
    rt_message_list_t   list;
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(suite_store->ops->messages_list(session, suite_arena, room, RT_MESSAGES_AFTER,
                         0, 1000, &list),
        RT_OK);
    suite_end(session);

    assert_int_equal(list.count, senders * SUITE_GROUPS * SUITE_GROUP);

    for (i = 0; i < list.count; i++) {
        assert_int_equal(list.rows[i].seq, (int64_t) i + 1);
        assert_int_equal(rt_json_parse(list.rows[i].text, &json, NULL), RT_OK);
        assert_int_equal(sscanf(json_string_value(json_object_get(json, "content")), "s%d %d",
                             &sender, &number),
            2);
        assert_int_equal(number, next[sender]++);
        json_decref(json);
    }
}


/* Threads and handles write groups into one room at the same time. */
static void
suite_test_order(void **state)
{
    int            i, sent;
    pthread_t      ids[SUITE_THREADS];
    rt_room_t     *room;
    suite_thread_t threads[SUITE_THREADS];

    (void) state;

    room = suite_room_added("b1", "u1");
    sent = 0;

    for (i = 0; i < SUITE_THREADS; i++) {
        memset(&threads[i], 0, sizeof(suite_thread_t));
        threads[i].store = i % 2 ? suite_open() : suite_store;
        threads[i].room_id = room->id;
        threads[i].number = i;
        assert_int_equal(pthread_create(&ids[i], NULL, suite_order_run, &threads[i]), 0);
    }

    for (i = 0; i < SUITE_THREADS; i++) {
        pthread_join(ids[i], NULL);
        sent += threads[i].sent;

        if (threads[i].store != suite_store) {
            rt_store_close(threads[i].store);
        }
    }

    assert_int_equal(sent, SUITE_THREADS * SUITE_GROUPS * SUITE_GROUP);
    room = suite_room_get(room->id);
    assert_int_equal(room->seq, sent);
    assert_int_equal(room->unread_count, sent);
    suite_order_is(room, SUITE_THREADS);
}


static void *
suite_race_run(void *data)
{
    int                 i;
    char                client[32];
    rt_room_t           draft, *room;
    rt_arena_t         *arena;
    rt_status_t         status;
    rt_message_t        message, *list[1] = {&message};
    suite_thread_t     *thread = data;
    rt_store_session_t *session;

    arena = rt_arena_create(0);

    memset(&draft, 0, sizeof(draft));
    draft.id = suite_id(arena);
    draft.business_id = rt_str("race");
    draft.user_id = rt_str("u1");
    draft.is_active = 1;
    draft.metadata = rt_str("{\"userId\":\"u1\"}");

    if (thread->store->ops->begin(thread->store, RT_STORE_WRITE, &session) == RT_OK) {
        status = thread->store->ops->room_add(session, &draft);
        thread->made = status == RT_OK;
        thread->store->ops->end(session, 1);
    }

    for (i = 0; i < 25; i++) {
        if (thread->store->ops->begin(thread->store, RT_STORE_WRITE, &session) != RT_OK) {
            continue;
        }

        status = thread->store->ops->room_find_open(session, arena, &draft, &room);

        if (status == RT_OK && room != NULL) {
            memset(&message, 0, sizeof(message));
            snprintf(client, sizeof(client), "c%d", i); /* the same in every thread */
            message.arena = arena;
            message.room = room;
            message.id = suite_id(arena);
            message.sender_id = rt_str("u1");
            message.message_type = rt_str("text");
            message.content = rt_str("x");
            message.client_id = rt_str_c(client);
            message.created_at_ms = 1;
            status = thread->store->ops->messages_add(session, list, 1);
        }

        if (thread->store->ops->end(session, status == RT_OK) == RT_OK && status == RT_OK
            && message.status == RT_OK)
        {
            thread->sent++;
        }
    }

    rt_arena_destroy(arena);

    return NULL;
}


/* Half of the threads share a handle, half have one of their own, as other processes would. */
static void
suite_test_race(void **state)
{
    int                 i, made, sent;
    pthread_t           ids[SUITE_THREADS];
    rt_room_t           like, *room;
    suite_thread_t      threads[SUITE_THREADS];
    rt_store_session_t *session;

    (void) state;

    for (i = 0; i < SUITE_THREADS; i++) {
        memset(&threads[i], 0, sizeof(suite_thread_t));
        threads[i].store = i % 2 ? suite_open() : suite_store;
        assert_int_equal(pthread_create(&ids[i], NULL, suite_race_run, &threads[i]), 0);
    }

    made = 0;
    sent = 0;

    for (i = 0; i < SUITE_THREADS; i++) {
        pthread_join(ids[i], NULL);
        made += threads[i].made;
        sent += threads[i].sent;

        if (threads[i].store != suite_store) {
            rt_store_close(threads[i].store);
        }
    }

    assert_int_equal(made, 1);
    assert_int_equal(sent, 25);

    memset(&like, 0, sizeof(like));
    like.business_id = rt_str("race");
    like.user_id = rt_str("u1");
    session = suite_begin(RT_STORE_READ);
    assert_int_equal(suite_store->ops->room_find_open(session, suite_arena, &like, &room), RT_OK);
    suite_end(session);
    assert_int_equal(room->seq, 25);
    suite_list_is(room, RT_MESSAGES_AFTER, 0, 50, 1, 25);
}


static int
suite_are_due(int64_t before_ms)
{
    int                 due;
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(suite_store->ops->rooms_are_due(session, before_ms, &due), RT_OK);
    suite_end(session);

    return due;
}


/* Writes what the assistant remembers; the room is as the caller has it. */
static rt_status_t
suite_assist(const rt_room_t *room, int64_t done_before, int is_told)
{
    rt_status_t         status;
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_WRITE);
    status = suite_store->ops->room_assist(session, room, done_before, is_told);
    suite_end(session);

    return status;
}


static void
suite_test_assist(void **state)
{
    size_t                count;
    int64_t               later;
    rt_room_t            *room;
    rt_message_t          messages[3], *list[3] = {&messages[0], &messages[1], &messages[2]};
    rt_room_due_t        *due, told;
    rt_store_session_t   *session;
    const rt_store_ops_t *ops = suite_store->ops;

    (void) state;

    later = rt_time_now_ms() + 60000;
    room = suite_room_added("b1", "u1");
    suite_message(&messages[0], room, RT_SENDER_CUSTOMER, "u1", "one");
    suite_message(&messages[1], room, RT_SENDER_STAFF, "s1", "two");
    suite_message(&messages[2], room, RT_SENDER_CUSTOMER, "u2", "three");
    messages[2].asks = 1;
    assert_int_equal(suite_are_due(later), 0);

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(ops->messages_add(session, list, 3), RT_OK);
    suite_end(session);

    room = suite_room_get(room->id);
    assert_int_equal(room->assist.welcomed, 0);
    assert_int_equal(room->assist.asked_seq, messages[2].seq);
    assert_int_equal(room->assist.staff_seq, messages[1].seq);
    assert_int_equal(room->assist.staff_at_ms, messages[1].created_at_ms);
    assert_int_equal(room->assist.done_seq, 0);
    assert_int_equal(suite_are_due(messages[2].created_at_ms), 0);
    assert_int_equal(suite_are_due(later), 1);

    /* whoever takes it has it for a while */
    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(ops->rooms_due(session, suite_arena, later, later, 10, &due, &count), RT_OK);
    assert_int_equal(count, 1);
    assert_true(rt_str_eq(due[0].id, room->id));
    assert_true(rt_str_eq(due[0].business_id, rt_str("b1")));
    assert_int_equal(ops->rooms_due(session, suite_arena, later, later, 10, &due, &count), RT_OK);
    assert_int_equal(count, 0);
    suite_end(session);

    /* done, and to be told */
    room->assist.welcomed = 1;
    room->assist.done_seq = messages[2].seq;
    room->assist.customer_at_ms = messages[2].created_at_ms;
    room->assist.offline_seq = 1;
    room->assist.acknowledge_seq = 2;
    room->assist.called_seq = 3;
    room->assist.feedback_seq = 4;
    room->assist.feedback_id = messages[0].id;
    room->assist.feedback_faq = rt_str("a faq");
    assert_int_equal(suite_assist(room, 1, 0), RT_CONFLICT);
    assert_int_equal(suite_assist(room, 0, 0), RT_OK);
    assert_int_equal(suite_assist(room, 0, 0), RT_CONFLICT);
    assert_int_equal(suite_are_due(later + 1), 1);

    room = suite_room_get(room->id);
    assert_int_equal(room->assist.welcomed, 1);
    assert_int_equal(room->assist.done_seq, messages[2].seq);
    assert_int_equal(room->assist.told_seq, 0);
    assert_int_equal(room->assist.customer_at_ms, messages[2].created_at_ms);
    assert_int_equal(room->assist.offline_seq, 1);
    assert_int_equal(room->assist.acknowledge_seq, 2);
    assert_int_equal(room->assist.called_seq, 3);
    assert_int_equal(room->assist.feedback_seq, 4);
    assert_true(rt_str_eq(room->assist.feedback_id, messages[0].id));
    assert_true(rt_str_eq(room->assist.feedback_faq, rt_str("a faq")));

    /* what was told behind a newer question leaves the room due */
    told.id = room->id;
    told.business_id = room->business_id;

    for (told.told_seq = messages[2].seq - 1; told.told_seq <= messages[2].seq; told.told_seq++) {
        session = suite_begin(RT_STORE_WRITE);
        assert_int_equal(ops->rooms_told(session, &told, 1), RT_OK);
        suite_end(session);
        assert_int_equal(suite_are_due(later + 1), told.told_seq < messages[2].seq);
    }

    room = suite_room_get(room->id);
    assert_int_equal(room->assist.told_seq, messages[2].seq);

    /* asked again, and nothing to be said */
    suite_message(&messages[0], room, RT_SENDER_CUSTOMER, "u1", "four");
    messages[0].asks = 1;
    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(ops->messages_add(session, list, 1), RT_OK);
    suite_end(session);
    assert_int_equal(suite_are_due(later), 1);
    room->assist.done_seq = messages[0].seq;
    assert_int_equal(suite_assist(room, messages[2].seq, 1), RT_OK);
    assert_int_equal(suite_are_due(later), 0);
}


/* What has no sender is said once, too. */
static void
suite_test_said_once(void **state)
{
    rt_room_t            *room;
    rt_message_t          message, *list[1] = {&message};
    rt_store_session_t   *session;
    const rt_store_ops_t *ops = suite_store->ops;

    (void) state;

    room = suite_room_added("b1", "u1");
    suite_message(&message, room, RT_SENDER_BOT, "", "Welcome");
    message.client_id = rt_str("auto:welcome");
    message.kind = RT_MESSAGE_FAQ;
    message.faq_id = rt_str("00112233445566778899aabb");
    message.confidence = rt_str("87.5");
    message.response_type = rt_str("welcome");
    message.quick_replies = rt_str("[\"Yes\",\"No\"]");
    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(ops->messages_add(session, list, 1), RT_OK);
    suite_end(session);
    assert_int_equal(message.status, RT_OK);

    room = suite_room_get(room->id);
    suite_message(&message, room, RT_SENDER_BOT, "", "Welcome again");
    message.client_id = rt_str("auto:welcome");
    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(ops->messages_add(session, list, 1), RT_OK);
    suite_end(session);
    assert_int_equal(message.status, RT_CONFLICT);
    suite_text_is(message.text, "content", "\"Welcome\"");
    suite_text_is(message.text, "confidence", "87.5");
    suite_text_is(message.text, "responseType", "\"welcome\"");
    suite_text_is(message.text, "quickReplies", "[\"Yes\",\"No\"]");
    suite_text_is(message.text, "faqId", "\"00112233445566778899aabb\"");
    assert_int_equal(suite_room_get(room->id)->seq, 1);
}


#define SUITE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SUITE_TESTS                                                                                \
    SUITE_TEST(suite_test_room), SUITE_TEST(suite_test_unique), SUITE_TEST(suite_test_rollback),   \
        SUITE_TEST(suite_test_messages), SUITE_TEST(suite_test_message_get),                       \
        SUITE_TEST(suite_test_list), SUITE_TEST(suite_test_reads),                                 \
        SUITE_TEST(suite_test_staff_reads), SUITE_TEST(suite_test_rooms),                          \
        SUITE_TEST(suite_test_after), SUITE_TEST(suite_test_up), SUITE_TEST(suite_test_race),      \
        SUITE_TEST(suite_test_order), SUITE_TEST(suite_test_assist),                               \
        SUITE_TEST(suite_test_said_once)

#endif
