/* For the tests of stores: rooms, messages and questions in one line, on the store that the test
 * program opens. */

#ifndef RT_STORE_TESTING_H
#define RT_STORE_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "store/rt_store.h"


/* Another handle of the store that the current test works on; never NULL. */
static rt_store_t *suite_open(void);

static rt_store_t *suite_store;
static rt_arena_t *suite_arena;


static __attribute__((unused)) rt_store_session_t *
suite_begin(rt_store_mode_t mode)
{
    rt_store_session_t *session;

    assert_int_equal(suite_store->ops->begin(suite_store, mode, &session), RT_OK);

    return session;
}


static __attribute__((unused)) void
suite_end(rt_store_session_t *session)
{
    assert_int_equal(suite_store->ops->end(session, 1), RT_OK);
}


static __attribute__((unused)) rt_str_t
suite_id(rt_arena_t *arena)
{
    char id[RT_ID_LEN + 1];

    rt_id_make(id);

    return rt_arena_str(arena, (rt_str_t){id, RT_ID_LEN});
}


/* A room that is not stored. people: user_id; or owner_id and member_id. Its metadata holds what
 * the members beside it are copies of, as every store may expect. */
static __attribute__((unused)) rt_room_t *
suite_room(rt_room_type_t type, const char *business, const char *first, const char *second)
{
    rt_room_t *room;

    room = rt_arena_calloc(suite_arena, sizeof(rt_room_t));
    assert_non_null(room);

    room->id = suite_id(suite_arena);
    room->business_id = rt_str_c(business);
    room->type = type;
    room->name = rt_str("A room");
    room->is_active = 1;
    room->created_at_ms = rt_time_now_ms();
    room->updated_at_ms = room->created_at_ms;
    room->last_message_at_ms = room->created_at_ms;
    room->priority = rt_str("medium");

    if (type == RT_ROOM_CUSTOMER_SUPPORT) {
        room->user_id = rt_str_c(first);
        room->user_name = rt_str("Zoë");
        room->user_email = rt_str("zoe@example.com");
        room->metadata = rt_arena_printf(suite_arena,
            "{\"userId\":\"%s\",\"userName\":\"Zoë\",\"userEmail\":\"zoe@example.com\","
            "\"userPhone\":\"+44 1\",\"priority\":\"medium\",\"tags\":[]}",
            first);
    } else {
        room->owner_id = rt_str_c(first);
        room->member_id = rt_str_c(second);
        room->metadata = rt_arena_printf(suite_arena,
            "{\"ownerId\":\"%s\",\"memberId\":\"%s\",\"userPhone\":\"+44 1\","
            "\"priority\":\"medium\",\"tags\":[]}",
            first, second ? second : "");
    }

    assert_non_null(room->metadata.data);

    return room;
}


static __attribute__((unused)) rt_room_t *
suite_room_added(const char *business, const char *user)
{
    rt_room_t          *room;
    rt_store_session_t *session;

    room = suite_room(RT_ROOM_CUSTOMER_SUPPORT, business, user, NULL);
    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(suite_store->ops->room_add(session, room), RT_OK);
    suite_end(session);

    return room;
}


static __attribute__((unused)) rt_room_t *
suite_room_get(rt_str_t id)
{
    rt_room_t          *room;
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(suite_store->ops->rooms_get(session, suite_arena, &id, 1, &room), RT_OK);
    suite_end(session);

    return room;
}


static __attribute__((unused)) void
suite_message(rt_message_t *message, rt_room_t *room, rt_sender_type_t type, const char *sender,
    const char *content)
{
    memset(message, 0, sizeof(rt_message_t));

    message->arena = suite_arena;
    message->room = room;
    message->id = suite_id(suite_arena);
    message->sender_id = rt_str_c(sender);
    message->sender_type = type;
    message->sender_name = rt_str("Someone");
    message->message_type = rt_str("text");
    message->content = rt_str_c(content);
    message->preview = message->content;
    message->created_at_ms = rt_time_now_ms();
}


/* Adds `count` of one sender to a room that is loaded anew. */
static __attribute__((unused)) void
suite_add(rt_str_t room_id, rt_sender_type_t type, const char *sender, size_t count)
{
    size_t              i;
    rt_room_t          *room;
    rt_message_t        messages[64], *list[64];
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(suite_store->ops->rooms_get(session, suite_arena, &room_id, 1, &room), RT_OK);

    for (i = 0; i < count; i++) {
        suite_message(&messages[i], room, type, sender, "text");
        list[i] = &messages[i];
    }

    assert_int_equal(suite_store->ops->messages_add(session, list, count), RT_OK);
    suite_end(session);
}


static __attribute__((unused)) void
suite_text_is(rt_str_t text, const char *member, const char *expected)
{
    char   *dump;
    json_t *json;

    assert_int_equal(rt_json_parse(text, &json, NULL), RT_OK);
    dump = json_dumps(json_object_get(json, member), JSON_COMPACT | JSON_ENCODE_ANY);
    assert_non_null(dump);
    assert_string_equal(dump, expected);
    free(dump);
    json_decref(json);
}


/* Adds and says what came of it; a conflict must leave the session usable. */
static __attribute__((unused)) rt_status_t
suite_try(rt_room_t *room)
{
    rt_status_t         status;
    rt_store_session_t *session;

    session = suite_begin(RT_STORE_WRITE);
    status = suite_store->ops->room_add(session, room);
    suite_end(session);

    return status;
}


static __attribute__((unused)) void
suite_list_is(const rt_room_t *room, rt_message_range_t range, int64_t at, int64_t limit,
    int64_t first_seq, size_t count)
{
    size_t                i;
    rt_room_t            *loaded;
    rt_message_list_t     list;
    rt_store_session_t   *session;
    const rt_store_ops_t *ops = suite_store->ops;

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(ops->rooms_get(session, suite_arena, &room->id, 1, &loaded), RT_OK);
    assert_int_equal(ops->messages_list(session, suite_arena, loaded, range, at, limit, &list),
        RT_OK);
    suite_end(session);

    assert_int_equal(list.count, count);

    for (i = 0; i < count; i++) {
        assert_int_equal(list.rows[i].seq, first_seq + (int64_t) i);
    }
}


static __attribute__((unused)) void
suite_reads(rt_message_reads_t *reads, rt_room_t *room, rt_reads_t whose, const char *reader,
    const rt_str_t *ids, size_t count)
{
    rt_store_session_t *session;

    memset(reads, 0, sizeof(rt_message_reads_t));
    reads->room = room;
    reads->whose = whose;
    reads->reader_id = rt_str_c(reader);
    reads->all = ids == NULL;
    reads->ids = ids;
    reads->count = count;
    reads->now_ms = rt_time_now_ms();

    session = suite_begin(RT_STORE_WRITE);
    assert_int_equal(suite_store->ops->messages_read(session, suite_arena, reads), RT_OK);
    suite_end(session);
}


static __attribute__((unused)) void
suite_rooms_are(rt_room_query_t query, int64_t total, int64_t unread, const rt_room_t *newest)
{
    rt_room_list_t      list;
    rt_store_session_t *session;

    query.limit = query.limit ? query.limit : 100;

    session = suite_begin(RT_STORE_READ);
    assert_int_equal(suite_store->ops->rooms_list(session, suite_arena, &query, &list), RT_OK);
    suite_end(session);

    assert_int_equal(list.total, total);
    assert_int_equal(list.total_unread, unread);

    if (newest != NULL) {
        assert_true(list.count > 0);
        assert_true(rt_str_eq(list.rooms[0].id, newest->id));
    }
}


static __attribute__((unused)) int
suite_setup(void **state)
{
    (void) state;

    suite_store = suite_open();
    suite_arena = rt_arena_create(0);
    assert_non_null(suite_arena);

    return 0;
}


static __attribute__((unused)) int
suite_teardown(void **state)
{
    (void) state;

    rt_store_close(suite_store);
    rt_arena_destroy(suite_arena);

    return 0;
}


#define SUITE_QUERY(v, b, u)                                                                       \
    .view = v, .business_id = b, .user_id = u, .type = -1, .is_active = -1, .is_archived = -1

#endif
