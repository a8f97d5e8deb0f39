/* Documents by their ids: deleting and marking know no limit, finding does. */

#include <rt/rt_text.h>

#include "store/rt_store_mongo.h"


static rt_status_t
rt_mongo_ids_row(void *data, const bson_t *document)
{
    rt_status_t     status;
    rt_mongo_ids_t *ids = data;

    const rt_mongo_field_t fields[] = {{"_id", RT_MONGO_TEXT, 0}, {NULL, RT_MONGO_TEXT, 0}};

    if (ids->count == ids->size) {
        return RT_OK;
    }

    ids->ids[ids->count] = rt_str_null;
    status = rt_mongo_read(document, fields, &ids->ids[ids->count], ids->arena);

    if (status == RT_OK && ids->ids[ids->count].len) {
        ids->count++;
    }

    return status;
}


rt_status_t
rt_mongo_ids_find(rt_mongo_t *db, mongoc_collection_t *collection, const bson_t *filter, int order,
    rt_mongo_ids_t *ids)
{
    bson_t      options = BSON_INITIALIZER;
    rt_status_t status;

    ids->ids = rt_arena_alloc(ids->arena, (ids->size + 1) * sizeof(rt_str_t));
    if (ids->ids == NULL) {
        bson_destroy(&options);
        return RT_NO_MEMORY;
    }

    BCON_APPEND(&options, "projection", "{", "_id", BCON_INT32(1), "}", "sort", "{", "createdAt",
        BCON_INT32(order), "}", "limit", BCON_INT64((int64_t) ids->size));

    status = rt_mongo_find(db, collection, filter, &options, rt_mongo_ids_row, ids);
    bson_destroy(&options);

    return status;
}


static rt_status_t
rt_mongo_ids_delete(rt_mongo_t *db, mongoc_collection_t *collection, const rt_mongo_ids_t *ids,
    int64_t *removed)
{
    bson_t       filter = BSON_INITIALIZER, reply;
    bson_iter_t  iter;
    rt_status_t  status;
    bson_error_t error;

    status = RT_OK;
    rt_mongo_put_any(&filter, "_id", ids->ids, ids->count);

    if (!mongoc_collection_delete_many(collection, &filter, NULL, &reply, &error)) {
        status = rt_mongo_failed(db, &error);
    } else if (bson_iter_init_find(&iter, &reply, "deletedCount")) {
        *removed = bson_iter_as_int64(&iter);
    }

    bson_destroy(&reply);
    bson_destroy(&filter);

    return status;
}


rt_status_t
rt_mongo_delete_oldest(rt_mongo_t *db, mongoc_collection_t *collection, const bson_t *filter,
    int64_t limit, int64_t *removed)
{
    rt_status_t    status;
    rt_mongo_ids_t ids = {.size = (size_t) limit};

    *removed = 0;
    ids.arena = rt_arena_create(65536);
    if (ids.arena == NULL) {
        return RT_NO_MEMORY;
    }

    status = rt_mongo_ids_find(db, collection, filter, 1, &ids);

    if (status == RT_OK && ids.count) {
        status = rt_mongo_ids_delete(db, collection, &ids, removed);
    }

    rt_arena_destroy(ids.arena);

    return status;
}
