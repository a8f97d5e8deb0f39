/* Who may use which room: the whole table, and that lists hold exactly those rooms. */

#include "chat/rt_chat_testing.h"

#include "chat/rt_access.h"


typedef struct {
    const char *user;
    const char *business;
    const char *role;
} person_t;

static const person_t people[] = {
    {"cust", "b1", "CUSTOMER"},
    {"cust", NULL, "CUSTOMER"},
    {"cust", "b2", "CUSTOMER"},
    {"else", "b1", "CUSTOMER"},
    {"else", NULL, "CUSTOMER"},
    {"own", "b1", "CUSTOMER"},
    {"own", "b1", "STAFF"},
    {"mem", "b1", "STAFF"},
    {"third", "b1", "STAFF"},
    {"own", "b1", "BUSINESS_OWNER"},
    {"third", "b1", "BUSINESS_ADMIN"},
    {"own", "b2", "STAFF"},
    {"sup", NULL, "SUPER_ADMIN"},
    {"mem", "b2", "SUPER_ADMIN"},
    {"cust", "b1", "SERVICE"},
    {"cust", "b1", "VISITOR"},
};

#define PEOPLE (sizeof(people) / sizeof(people[0]))

/* Rows as rt_room_type_t: the room of b1 with user cust, or owner own, and member mem.
 * + may, - forbidden, 0 not found. Columns as people. */
static const char *const expected[] = {
    "++0---+++++0++--",
    "--0---++-+-0-+--",
    "--0---+++++0++--",
    "--0---+--+-0++--",
};


static void
room_of(rt_room_type_t type, rt_room_t *room)
{
    memset(room, 0, sizeof(rt_room_t));

    room->type = type;
    room->business_id = rt_str("b1");
    room->is_active = 1;

    if (type == RT_ROOM_CUSTOMER_SUPPORT) {
        room->user_id = rt_str("cust");
    }

    if (type == RT_ROOM_TEAM_CHAT || type == RT_ROOM_ADMIN_SUPPORT) {
        room->owner_id = rt_str("own");
    }

    if (type == RT_ROOM_TEAM_CHAT) {
        room->member_id = rt_str("mem");
    }
}


static rt_identity_t *
person(size_t i)
{
    return test_person(people[i].user, people[i].business, people[i].role);
}


static void
test_table(void **state)
{
    int            type;
    size_t         i;
    rt_room_t      room;
    rt_status_t    status;
    rt_identity_t *identity;

    (void) state;

    for (type = 0; rt_room_type_names[type] != NULL; type++) {
        room_of((rt_room_type_t) type, &room);
        assert_int_equal(strlen(expected[type]), PEOPLE);

        for (i = 0; i < PEOPLE; i++) {
            identity = person(i);
            status = rt_access_room(identity, &room);
            rt_identity_put(identity);

            if ((expected[type][i] == '+' && status != RT_OK)
                || (expected[type][i] == '-' && status != RT_FORBIDDEN)
                || (expected[type][i] == '0' && status != RT_NOT_FOUND))
            {
                fail_msg("%s, %s of %s as %s: %s", rt_room_type_names[type], people[i].user,
                    people[i].business ? people[i].business : "-", people[i].role,
                    rt_status_code(status));
            }
        }
    }
}


/* Rooms whose people are missing, as damaged data may have them, are nobody's. */
static void
test_nobody(void **state)
{
    int            type;
    rt_room_t      room;
    rt_identity_t *identity;

    (void) state;

    identity = rt_identity_create(rt_str_null, rt_str("b1"), rt_str("CUSTOMER"), rt_str_null,
        rt_str_null, INT64_MAX);

    for (type = 0; identity != NULL && rt_room_type_names[type] != NULL; type++) {
        memset(&room, 0, sizeof(room));
        room.type = (rt_room_type_t) type;
        room.business_id = rt_str("b1");
        assert_int_equal(rt_access_room(identity, &room), RT_FORBIDDEN);
    }

    rt_identity_put(identity);
}


static size_t
listed(rt_store_t *store, const rt_identity_t *identity, rt_arena_t *arena)
{
    rt_room_list_t      list;
    rt_room_query_t     query;
    rt_store_session_t *session;

    memset(&query, 0, sizeof(query));
    query.type = query.is_active = query.is_archived = -1;
    query.limit = 100;
    rt_access_query(identity, identity->business_id, &query);

    /* a super admin asks for what all businesses have */
    if (identity->role == RT_ROLE_SUPER_ADMIN) {
        query.business_id = rt_str_null;
    }

    assert_int_equal(store->ops->begin(store, RT_STORE_READ, &session), RT_OK);
    assert_int_equal(store->ops->rooms_list(session, arena, &query, &list), RT_OK);
    assert_int_equal(store->ops->end(session, 1), RT_OK);
    assert_int_equal(list.total, list.count);

    return list.count;
}


static void
test_lists_agree(void **state)
{
    int                 type;
    size_t              i, may;
    rt_log_t            log = {test_log, NULL, RT_LOG_WARN};
    rt_room_t           room;
    rt_error_t          error;
    rt_store_t         *store;
    rt_arena_t         *arena;
    rt_identity_t      *identity;
    rt_store_session_t *session;

    (void) state;

    arena = rt_arena_create(0);
    assert_int_equal(rt_store_open(&store, rt_str_c(test_store), &log, &error), RT_OK);
    assert_int_equal(store->ops->begin(store, RT_STORE_WRITE, &session), RT_OK);

    for (type = 0; rt_room_type_names[type] != NULL; type++) {
        room_of((rt_room_type_t) type, &room);
        room.id = rt_arena_printf(arena, "%024d", type);
        room.metadata = rt_arena_printf(arena,
            "{\"userId\":\"%.*s\",\"ownerId\":\"%.*s\",\"memberId\":\"%.*s\"}",
            RT_STR_ARG(room.user_id), RT_STR_ARG(room.owner_id), RT_STR_ARG(room.member_id));
        assert_int_equal(store->ops->room_add(session, &room), RT_OK);
    }

    assert_int_equal(store->ops->end(session, 1), RT_OK);

    for (i = 0; i < PEOPLE; i++) {
        identity = person(i);

        for (may = 0, type = 0; rt_room_type_names[type] != NULL; type++) {
            may += expected[type][i] == '+';
        }

        /* other roles are stopped before any list */
        if (identity->role != RT_ROLE_SERVICE && identity->role != RT_ROLE_OTHER) {
            assert_int_equal(listed(store, identity, arena), may);
        }

        rt_identity_put(identity);
    }

    rt_store_close(store);
    rt_arena_destroy(arena);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test_setup_teardown(test_lists_agree, test_setup, test_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
