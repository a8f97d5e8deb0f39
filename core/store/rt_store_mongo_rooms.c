/* Rooms in MongoDB: reading them by id, finding the open one, making and changing them. */

#include <string.h>

#include <rt/rt_text.h>

#include "store/rt_store_mongo.h"


/* A room that this session has made. */
struct rt_mongo_made_s {
    rt_mongo_made_t *next;
    rt_str_t         id;
};

typedef struct {
    rt_arena_t       *arena;
    const rt_str_t   *ids;
    size_t            count;
    rt_mongo_room_t **rooms;
} rt_mongo_rooms_t;


static rt_status_t
rt_mongo_rooms_row(void *data, const bson_t *document)
{
    size_t            i;
    rt_status_t       status;
    rt_mongo_room_t  *room;
    rt_mongo_rooms_t *rooms = data;

    room = rt_arena_alloc(rooms->arena, sizeof(rt_mongo_room_t));
    if (room == NULL) {
        return RT_NO_MEMORY;
    }

    status = rt_mongo_room_read(document, rooms->arena, room);

    for (i = 0; i < rooms->count && status == RT_OK; i++) {
        if (rt_str_eq(rooms->ids[i], room->room.id)) {
            rooms->rooms[i] = room;
        }
    }

    return status;
}


rt_status_t
rt_mongo_rooms_load(rt_mongo_t *db, rt_arena_t *arena, const rt_str_t *ids, size_t count,
    rt_mongo_room_t **rooms)
{
    bson_t           filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    rt_status_t      status;
    rt_mongo_rooms_t found = {.arena = arena, .ids = ids, .count = count, .rooms = rooms};

    rt_mongo_put_any(&filter, "_id", ids, count);
    status = rt_mongo_find(db, db->rooms, &filter, &options, rt_mongo_rooms_row, &found);
    bson_destroy(&filter);
    bson_destroy(&options);

    return status;
}


rt_status_t
rt_mongo_rooms_get(rt_store_session_t *session, rt_arena_t *arena, const rt_str_t *ids,
    size_t count, rt_room_t **out)
{
    size_t            i;
    rt_mongo_t       *db = (rt_mongo_t *) session;
    rt_status_t       status;
    rt_mongo_room_t **rooms;

    rooms = rt_arena_calloc(arena, (count + 1) * sizeof(rt_mongo_room_t *));
    if (rooms == NULL) {
        return RT_NO_MEMORY;
    }

    status = rt_mongo_rooms_load(db, arena, ids, count, rooms);

    if (status == RT_OK) {
        status = rt_mongo_settle(db, arena, rooms, count);
    }

    for (i = 0; i < count; i++) {
        out[i] = rooms[i] ? &rooms[i]->room : NULL;
    }

    /* one of several must not keep the others */
    if (status == RT_OK && count == 1 && out[0] != NULL && out[0]->store_key & RT_MONGO_UNSETTLED) {
        return RT_UNAVAILABLE;
    }

    return status;
}


/* Conditions for a room that is open, also where the original left the members out. */
static void
rt_mongo_put_open(bson_t *filter)
{
    BCON_APPEND(filter, "isActive", "{", "$ne", BCON_BOOL(false), "}", "isArchived", "{", "$ne",
        BCON_BOOL(true), "}");
}


/* Rooms that stand where `like` would and were made by others: they have no key. */
static void
rt_mongo_put_place(bson_t *filter, const rt_room_t *like)
{
    bson_t either, one, two;

    rt_mongo_put_either(filter, "businessId", like->business_id);
    BSON_APPEND_NULL(filter, "openKey");

    if (like->type == RT_ROOM_CUSTOMER_SUPPORT) {
        BCON_APPEND(filter, "roomType", "{", "$in", "[", rt_room_type_names[like->type], BCON_NULL,
            "]", "}");
        rt_mongo_put_either(filter, "metadata.userId", like->user_id);
        return;
    }

    BSON_APPEND_UTF8(filter, "roomType", rt_room_type_names[like->type]);

    if (like->type == RT_ROOM_ADMIN_SUPPORT) {
        rt_mongo_put_either(filter, "metadata.ownerId", like->owner_id);
        return;
    }

    bson_append_array_begin(filter, "$or", -1, &either);
    bson_append_document_begin(&either, "0", -1, &one);
    rt_mongo_put_either(&one, "metadata.ownerId", like->owner_id);
    rt_mongo_put_either(&one, "metadata.memberId", like->member_id);
    bson_append_document_end(&either, &one);
    bson_append_document_begin(&either, "1", -1, &two);
    rt_mongo_put_either(&two, "metadata.ownerId", like->member_id);
    rt_mongo_put_either(&two, "metadata.memberId", like->owner_id);
    bson_append_document_end(&either, &two);
    bson_append_array_end(filter, &either);
}


typedef struct {
    rt_arena_t      *arena;
    rt_mongo_room_t *room; /* NULL: none was found */
    int              has_key;
} rt_mongo_open_t;


/* The newest one, but one with a key before all others. */
static rt_status_t
rt_mongo_open_row(void *data, const bson_t *document)
{
    int              has_key;
    rt_mongo_open_t *open = data;

    has_key = bson_has_field(document, "openKey");

    if (open->room != NULL && (open->has_key || !has_key)) {
        return RT_OK;
    }

    open->has_key = has_key;
    open->room = rt_arena_alloc(open->arena, sizeof(rt_mongo_room_t));

    return open->room ? rt_mongo_room_read(document, open->arena, open->room) : RT_NO_MEMORY;
}


/* One round trip for both kinds: those with the key, and those of the original's. */
static rt_status_t
rt_mongo_open_find(rt_mongo_t *db, const rt_room_t *like, rt_str_t key, rt_mongo_open_t *open)
{
    bson_t      filter = BSON_INITIALIZER, options = BSON_INITIALIZER, either, one;
    rt_status_t status;

    open->room = NULL;
    open->has_key = 0;

    bson_append_array_begin(&filter, "$or", -1, &either);
    bson_append_document_begin(&either, "0", -1, &one);
    rt_mongo_put_text(&one, "openKey", key);
    rt_mongo_put_open(&one);
    bson_append_document_end(&either, &one);
    bson_append_document_begin(&either, "1", -1, &one);
    rt_mongo_put_place(&one, like);
    rt_mongo_put_open(&one);
    bson_append_document_end(&either, &one);
    bson_append_array_end(&filter, &either);

    BCON_APPEND(&options, "sort", "{", "lastMessageAt", BCON_INT32(-1), "}", "limit",
        BCON_INT64(100));

    status = rt_mongo_find(db, db->rooms, &filter, &options, rt_mongo_open_row, open);
    bson_destroy(&filter);
    bson_destroy(&options);

    return status;
}


/* A room of the original's gets its key, so that from now on it is the one. RT_CONFLICT: another
 * one has it already. */
static rt_status_t
rt_mongo_open_adopt(rt_mongo_t *db, const rt_room_t *room, rt_str_t key)
{
    bson_t      filter = BSON_INITIALIZER, update = BSON_INITIALIZER, set;
    int64_t     matched;
    rt_status_t status;

    rt_mongo_put_room(&filter, "_id", room);
    BSON_APPEND_NULL(&filter, "openKey");
    rt_mongo_put_open(&filter);
    bson_append_document_begin(&update, "$set", -1, &set);
    rt_mongo_put_text(&set, "openKey", key);
    bson_append_document_end(&update, &set);

    status = rt_mongo_update(db, db->rooms, 0, &filter, &update, &matched);
    bson_destroy(&filter);
    bson_destroy(&update);

    return status == RT_OK && matched == 0 ? RT_CONFLICT : status;
}


/* The original closes rooms without taking our key away: whoever needs the place frees it. */
static rt_status_t
rt_mongo_open_free(rt_mongo_t *db, rt_str_t key)
{
    bson_t      filter = BSON_INITIALIZER, update = BSON_INITIALIZER;
    rt_status_t status;

    rt_mongo_put_text(&filter, "openKey", key);
    BCON_APPEND(&filter, "$or", "[", "{", "isActive", BCON_BOOL(false), "}", "{", "isArchived",
        BCON_BOOL(true), "}", "]");
    BCON_APPEND(&update, "$unset", "{", "openKey", BCON_INT32(1), "}");

    status = rt_mongo_update(db, db->rooms, 0, &filter, &update, NULL);
    bson_destroy(&filter);
    bson_destroy(&update);

    return status;
}


rt_status_t
rt_mongo_room_find_open(rt_store_session_t *session, rt_arena_t *arena, const rt_room_t *like,
    rt_room_t **out)
{
    int             turn;
    rt_str_t        key;
    rt_mongo_t     *db = (rt_mongo_t *) session;
    rt_status_t     status;
    rt_mongo_open_t open = {.arena = arena};

    *out = NULL;
    status = rt_room_open_key(like, &db->scratch);
    key = rt_arena_str(arena, (rt_str_t){db->scratch.data, db->scratch.len});

    if (status != RT_OK || key.data == NULL) {
        return RT_NO_MEMORY;
    }

    if (key.len == 0) {
        return RT_OK;
    }

    /* who loses the adoption finds the winner the next time */
    for (turn = 0; turn < 3; turn++) {
        status = rt_mongo_open_find(db, like, key, &open);

        if (status == RT_OK && open.room != NULL && !open.has_key) {
            status = rt_mongo_open_adopt(db, &open.room->room, key);
        }

        if (status != RT_CONFLICT) {
            break;
        }
    }

    if (status == RT_CONFLICT) {
        return RT_UNAVAILABLE;
    }

    if (status != RT_OK || open.room == NULL) {
        return status;
    }

    *out = &open.room->room;
    status = rt_mongo_settle(db, arena, &open.room, 1);

    return status == RT_OK && (*out)->store_key & RT_MONGO_UNSETTLED ? RT_UNAVAILABLE : status;
}


static rt_status_t
rt_mongo_room_insert(rt_mongo_t *db, const bson_t *document)
{
    bson_t       options = BSON_INITIALIZER;
    rt_status_t  status;
    bson_error_t error;

    if (!rt_mongo_alive(db)) {
        return RT_UNAVAILABLE;
    }

    status = RT_OK;
    BSON_APPEND_BOOL(&options, "validate", false);

    if (!mongoc_collection_insert_one(db->rooms, document, &options, NULL, &error)) {
        status = rt_mongo_is_duplicate(&error) ? RT_CONFLICT : rt_mongo_failed(db, &error);
    }

    bson_destroy(&options);

    return status;
}


static rt_status_t
rt_mongo_made_add(rt_mongo_t *db, rt_str_t id)
{
    rt_mongo_made_t *made;

    if (db->arena == NULL) {
        db->arena = rt_arena_create(0);
    }

    made = db->arena ? rt_arena_alloc(db->arena, sizeof(rt_mongo_made_t)) : NULL;
    if (made == NULL) {
        return RT_NO_MEMORY;
    }

    made->id = rt_arena_str(db->arena, id);
    made->next = db->made;
    db->made = made;

    return made->id.data ? RT_OK : RT_NO_MEMORY;
}


rt_status_t
rt_mongo_room_add(rt_store_session_t *session, rt_room_t *room)
{
    bson_t      document = BSON_INITIALIZER;
    rt_str_t    key;
    rt_mongo_t *db = (rt_mongo_t *) session;
    rt_status_t status;

    /* remembered before it is made: what a failure has left undecided is undone, too */
    if (rt_room_open_key(room, &db->scratch) != RT_OK || rt_mongo_made_add(db, room->id) != RT_OK) {
        bson_destroy(&document);
        return RT_NO_MEMORY;
    }

    key.data = db->scratch.data;
    key.len = room->is_active && !room->is_archived ? db->scratch.len : 0;

    status = rt_mongo_room_write(&document, room, key);

    if (status == RT_OK) {
        status = rt_mongo_room_insert(db, &document);
    }

    if (status == RT_CONFLICT && key.len) {
        status = rt_mongo_open_free(db, key);

        if (status == RT_OK) {
            status = rt_mongo_room_insert(db, &document);
        }
    }

    bson_destroy(&document);

    if (status == RT_CONFLICT) {
        db->made = db->made->next;
    }

    room->store_key = 0;

    return status;
}


/* Those in which nobody has written since. */
void
rt_mongo_rooms_undo(rt_mongo_t *db)
{
    bson_t           filter;
    bson_error_t     error;
    rt_mongo_made_t *made;

    for (made = db->made; made != NULL && rt_mongo_alive(db); made = made->next) {
        bson_init(&filter);
        rt_mongo_put_id(&filter, "_id", made->id);
        BSON_APPEND_INT64(&filter, "seq", 0);

        if (!mongoc_collection_delete_one(db->rooms, &filter, NULL, NULL, &error)) {
            (void) rt_mongo_failed(db, &error);
        }

        bson_destroy(&filter);
    }
}


static rt_status_t
rt_mongo_room_update(rt_mongo_t *db, const rt_room_t *room, const bson_t *update)
{
    bson_t      filter = BSON_INITIALIZER;
    int64_t     matched;
    rt_status_t status;

    rt_mongo_put_room(&filter, "_id", room);
    status = rt_mongo_update(db, db->rooms, 0, &filter, update, &matched);
    bson_destroy(&filter);

    return status == RT_OK && matched == 0 ? RT_UNAVAILABLE : status;
}


static rt_status_t
rt_mongo_room_state(rt_mongo_t *db, const rt_room_t *room)
{
    bson_t      update = BSON_INITIALIZER, set;
    rt_str_t    key;
    rt_status_t status;

    if (rt_room_open_key(room, &db->scratch) != RT_OK) {
        bson_destroy(&update);
        return RT_NO_MEMORY;
    }

    key.data = db->scratch.data;
    key.len = room->is_active && !room->is_archived ? db->scratch.len : 0;

    bson_append_document_begin(&update, "$set", -1, &set);
    BSON_APPEND_BOOL(&set, "isActive", room->is_active);
    BSON_APPEND_BOOL(&set, "isArchived", room->is_archived);
    BSON_APPEND_DATE_TIME(&set, "updatedAt", room->updated_at_ms);
    rt_mongo_put_text(&set, "openKey", key);
    bson_append_document_end(&update, &set);

    if (key.len == 0) {
        BCON_APPEND(&update, "$unset", "{", "openKey", BCON_INT32(1), "}");
    }

    status = rt_mongo_room_update(db, room, &update);

    if (status == RT_CONFLICT) {
        status = rt_mongo_open_free(db, key);

        if (status == RT_OK) {
            status = rt_mongo_room_update(db, room, &update);
        }
    }

    bson_destroy(&update);

    return status;
}


static rt_status_t
rt_mongo_metadata_row(void *data, const bson_t *document)
{
    bson_t        *before = data;
    uint32_t       len;
    bson_iter_t    iter;
    const uint8_t *bytes;

    if (bson_iter_init_find(&iter, document, "metadata") && BSON_ITER_HOLDS_DOCUMENT(&iter)) {
        bson_t metadata;

        bson_iter_document(&iter, &len, &bytes);

        if (bson_init_static(&metadata, bytes, len)) {
            bson_concat(before, &metadata);
        }
    }

    return RT_OK;
}


static rt_status_t
rt_mongo_room_metadata(rt_mongo_t *db, const rt_room_t *room)
{
    bson_t      update = BSON_INITIALIZER, filter = BSON_INITIALIZER, options = BSON_INITIALIZER;
    bson_t      before = BSON_INITIALIZER, set;
    rt_status_t status;

    rt_mongo_put_room(&filter, "_id", room);
    BCON_APPEND(&options, "projection", "{", "metadata", BCON_INT32(1), "}");
    status = rt_mongo_find(db, db->rooms, &filter, &options, rt_mongo_metadata_row, &before);

    if (status == RT_OK) {
        bson_append_document_begin(&update, "$set", -1, &set);
        status = rt_mongo_put_metadata(&set, room->metadata, &before);
        BSON_APPEND_DATE_TIME(&set, "updatedAt", room->updated_at_ms);
        bson_append_document_end(&update, &set);
    }

    if (status == RT_OK) {
        status = rt_mongo_room_update(db, room, &update);
    }

    bson_destroy(&update);
    bson_destroy(&filter);
    bson_destroy(&options);
    bson_destroy(&before);

    return status;
}


rt_status_t
rt_mongo_room_change(rt_store_session_t *session, rt_room_t *room, rt_room_change_t change)
{
    rt_mongo_t *db = (rt_mongo_t *) session;

    if (change == RT_ROOM_STATE) {
        return rt_mongo_room_state(db, room);
    }

    return rt_mongo_room_metadata(db, room);
}
