/* Messages that the original system writes while both run are noticed by the room's lastMessageId
 * when the room is next used; but one that is written between our reading of the room and our
 * writing to it is not, since both set that member. So the owner looks from time to time for recent
 * messages without a number, in rooms that have numbers. */

#include <string.h>

#include <rt/rt_text.h>

#include "store/rt_store_mongo.h"


#define RT_MONGO_SWEEP_AGE_MS 60000
#define RT_MONGO_SWEEP_ROOMS  100

typedef struct {
    rt_arena_t *arena;
    rt_str_t    ids[RT_MONGO_SWEEP_ROOMS];
    size_t      count;
} rt_mongo_sweep_t;


static rt_status_t
rt_mongo_sweep_row(void *data, const bson_t *document)
{
    size_t            i;
    rt_str_t          id;
    rt_status_t       status;
    rt_mongo_sweep_t *sweep = data;

    const rt_mongo_field_t fields[] = {{"roomId", RT_MONGO_TEXT, 0}, {NULL, RT_MONGO_TEXT, 0}};

    id = rt_str_null;
    status = rt_mongo_read(document, fields, &id, sweep->arena);

    for (i = 0; i < sweep->count; i++) {
        if (rt_str_eq(sweep->ids[i], id)) {
            return status;
        }
    }

    if (status == RT_OK && id.len && sweep->count < RT_MONGO_SWEEP_ROOMS) {
        sweep->ids[sweep->count++] = id;
    }

    return status;
}


static rt_status_t
rt_mongo_sweep_find(rt_mongo_t *db, rt_mongo_sweep_t *sweep)
{
    bson_t      filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    rt_status_t status;

    BSON_APPEND_NULL(&filter, "seq");
    BCON_APPEND(&filter, "createdAt", "{", "$gt",
        BCON_DATE_TIME(rt_time_now_ms() - RT_MONGO_SWEEP_AGE_MS), "}");
    BCON_APPEND(&options, "projection", "{", "roomId", BCON_INT32(1), "_id", BCON_INT32(0), "}",
        "limit", BCON_INT64(1000));
    status = rt_mongo_find(db, db->messages, &filter, &options, rt_mongo_sweep_row, sweep);
    bson_destroy(&filter);
    bson_destroy(&options);

    return status;
}


static void
rt_mongo_sweep_rooms(rt_mongo_t *db, rt_mongo_sweep_t *sweep)
{
    size_t           i;
    rt_mongo_room_t *rooms[RT_MONGO_SWEEP_ROOMS];

    memset(rooms, 0, sizeof(rooms));

    if (rt_mongo_rooms_load(db, sweep->arena, sweep->ids, sweep->count, rooms) != RT_OK) {
        return;
    }

    for (i = 0; i < sweep->count; i++) {
        if (rooms[i] != NULL && rooms[i]->has_seq) {
            rooms[i]->has_seq = 0;
        } else {
            rooms[i] = NULL; /* it waits until somebody needs it */
        }
    }

    (void) rt_mongo_settle(db, sweep->arena, rooms, sweep->count);
}


void
rt_mongo_sweep(rt_mongo_store_t *store)
{
    rt_mongo_t         *db;
    rt_mongo_sweep_t    sweep;
    rt_store_session_t *session;

    sweep.count = 0;
    sweep.arena = rt_arena_create(0);

    if (sweep.arena == NULL) {
        return;
    }

    if (store->store.ops->begin(&store->store, RT_STORE_WRITE, &session) == RT_OK) {
        db = (rt_mongo_t *) session;

        if (rt_mongo_sweep_find(db, &sweep) == RT_OK && sweep.count != 0) {
            rt_mongo_sweep_rooms(db, &sweep);
        }

        (void) store->store.ops->end(session, 1);
    }

    rt_arena_destroy(sweep.arena);
}
