/* What the members of several rooms may have missed: one look at the rooms, one at their
 * messages.
 *
 * A message may be stored and not counted in its room yet. It is told of here, too; but then who
 * joins later must find it in the history, or would miss it: it is not told a second time. So the
 * room's seq is moved up to it first. Its counting is left to who stored it, or, should that host
 * be gone, to who finds storedCount behind seq. */

#include <string.h>

#include <rt/rt_text.h>

#include "store/rt_store_mongo.h"


typedef struct {
    rt_mongo_t       *db;
    rt_arena_t       *arena;
    rt_room_after_t  *rooms;
    rt_room_t       **loaded; /* beside rooms */
    size_t            count;
    rt_message_row_t *rows;
    size_t            rows_count;
    size_t            size;
} rt_mongo_after_t;


/* The room that the row is of, by the room that the last one was of: rows come room by room. */
static rt_status_t
rt_mongo_after_row(void *data, const bson_t *document)
{
    size_t            i;
    rt_str_t          id;
    rt_status_t       status;
    rt_room_after_t  *room;
    rt_mongo_after_t *after = data;

    const rt_mongo_field_t fields[] = {{"roomId", RT_MONGO_TEXT, 0}, {NULL, RT_MONGO_TEXT, 0}};

    id = rt_str_null;
    status = rt_mongo_read(document, fields, &id, after->arena);

    for (i = 0; i < after->count && status == RT_OK; i++) {
        room = &after->rooms[i];

        if (after->loaded[i] == NULL || !rt_str_eq(room->room_id, id)
            || after->rows_count == after->size) {
            continue;
        }

        if (room->list.count == 0) {
            room->list.rows = &after->rows[after->rows_count];
        }

        status = rt_mongo_message_read(after->db, document, after->loaded[i], after->arena,
            &after->rows[after->rows_count++]);
        room->list.count++;
        break;
    }

    return status;
}


static void
rt_mongo_after_filter(const rt_mongo_after_t *after, bson_t *filter, uint32_t *wanted)
{
    char        buf[16];
    size_t      i;
    bson_t      either, one;
    const char *key;

    *wanted = 0;
    bson_append_array_begin(filter, "$or", -1, &either);

    for (i = 0; i < after->count; i++) {
        if (after->loaded[i] == NULL) {
            continue;
        }

        bson_uint32_to_string((*wanted)++, &key, buf, sizeof(buf));
        bson_append_document_begin(&either, key, -1, &one);
        rt_mongo_put_room(&one, "roomId", after->loaded[i]);
        BCON_APPEND(&one, "seq", "{", "$gt", BCON_INT64(after->rooms[i].after_seq), "}");
        bson_append_document_end(&either, &one);
    }

    bson_append_array_end(filter, &either);
}


static rt_status_t
rt_mongo_after_find(rt_mongo_after_t *after)
{
    bson_t      filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    uint32_t    wanted;
    rt_status_t status;

    rt_mongo_after_filter(after, &filter, &wanted);
    BCON_APPEND(&options, "sort", "{", "roomId", BCON_INT32(1), "seq", BCON_INT32(1), "}", "limit",
        BCON_INT64((int64_t) after->size));

    status = RT_OK;

    if (wanted != 0 && after->size != 0) {
        status = rt_mongo_find(after->db, after->db->messages, &filter, &options,
            rt_mongo_after_row, after);
    }

    bson_destroy(&filter);
    bson_destroy(&options);

    return status;
}


static rt_status_t
rt_mongo_after_raise(rt_mongo_after_t *after, rt_room_t *room, int64_t seq)
{
    bson_t      filter = BSON_INITIALIZER, update = BSON_INITIALIZER;
    rt_status_t status;

    rt_mongo_put_room(&filter, "_id", room);
    BCON_APPEND(&update, "$max", "{", "seq", BCON_INT64(seq), "updatedAt",
        BCON_DATE_TIME(rt_time_now_ms()), "}");
    status = rt_mongo_update(after->db, after->db->rooms, 0, &filter, &update, NULL);
    bson_destroy(&filter);
    bson_destroy(&update);

    if (status == RT_OK) {
        room->seq = seq;
    }

    return status;
}


static rt_status_t
rt_mongo_after_ends(rt_mongo_after_t *after)
{
    size_t           i;
    int64_t          given;
    rt_status_t      status;
    rt_room_after_t *room;

    status = RT_OK;

    for (i = 0; i < after->count && status == RT_OK; i++) {
        room = &after->rooms[i];

        if (after->loaded[i] == NULL) {
            continue;
        }

        given = room->list.count ? room->list.rows[room->list.count - 1].seq : room->after_seq;

        if (room->list.count && given > after->loaded[i]->seq) {
            status = rt_mongo_after_raise(after, after->loaded[i], given);
        }

        room->exists = 1;
        room->last_seq = after->loaded[i]->seq;
        room->has_more = given < room->last_seq;
    }

    return status;
}


rt_status_t
rt_mongo_messages_after(rt_store_session_t *session, rt_arena_t *arena, rt_room_after_t *rooms,
    size_t count, int64_t limit)
{
    size_t           i;
    rt_str_t        *ids;
    rt_status_t      status;
    rt_mongo_after_t after = {.db = (rt_mongo_t *) session,
        .arena = arena,
        .rooms = rooms,
        .count = count,
        .size = (size_t) limit};

    ids = rt_arena_alloc(arena, (count + 1) * sizeof(rt_str_t));
    after.loaded = rt_arena_alloc(arena, (count + 1) * sizeof(rt_room_t *));
    after.rows = rt_arena_alloc(arena, ((size_t) limit + 1) * sizeof(rt_message_row_t));

    if (ids == NULL || after.loaded == NULL || after.rows == NULL) {
        return RT_NO_MEMORY;
    }

    for (i = 0; i < count; i++) {
        ids[i] = rooms[i].room_id;
        memset(&rooms[i].list, 0, sizeof(rt_message_list_t));
        rooms[i].exists = 0;
        rooms[i].last_seq = 0;
        rooms[i].has_more = 0;
    }

    status = rt_mongo_rooms_get(session, arena, ids, count, after.loaded);

    if (status == RT_OK) {
        status = rt_mongo_after_find(&after);
    }

    return status == RT_OK ? rt_mongo_after_ends(&after) : status;
}
