/* auto-response.create, .list, .update, .delete: staff manage what the assistant says by itself. */

#include <stddef.h>
#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "assistant/rt_assist_ops.h"
#include "assistant/rt_schedule.h"


#define RT_RESPONSES_PER_BUSINESS   500 /* active ones, and as many that are not */
#define RT_RESPONSE_TRIGGER_MAX     16384
#define RT_RESPONSE_REPLIES_MAX     20
#define RT_RESPONSE_REPLY_CHARS_MAX 200

typedef struct {
    rt_str_t response_id;
    rt_str_t business_id;
    rt_str_t name;
    int      type;
    rt_str_t message;
    json_t  *trigger;
    json_t  *quick_replies;
    int      is_active;
    json_t  *metadata;
} rt_response_request_t;

#define RT_RESPONSE_AT(member) offsetof(rt_response_request_t, member)

static const rt_field_t rt_response_fields[] = {
    {"responseId", RT_FIELD_STRING, 0, RT_RESPONSE_AT(response_id), 1, RT_ID_CHARACTERS_MAX, 0,
        NULL},
    {"businessId", RT_FIELD_STRING, RT_FIELD_PRINTABLE, RT_RESPONSE_AT(business_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"name", RT_FIELD_STRING, RT_FIELD_PRINTABLE, RT_RESPONSE_AT(name), 0, RT_NAME_CHARACTERS_MAX,
        0, NULL},
    {"responseType", RT_FIELD_NAME, 0, RT_RESPONSE_AT(type), 0, 0, 0, rt_response_type_names},
    {"message", RT_FIELD_STRING, RT_FIELD_CONTENT, RT_RESPONSE_AT(message), 1, RT_ASSIST_ANSWER_MAX,
        0, NULL},
    {"trigger", RT_FIELD_OBJECT, 0, RT_RESPONSE_AT(trigger), 0, RT_RESPONSE_TRIGGER_MAX, 0, NULL},
    {"quickReplies", RT_FIELD_STRINGS, 0, RT_RESPONSE_AT(quick_replies), 0, RT_RESPONSE_REPLIES_MAX,
        RT_RESPONSE_REPLY_CHARS_MAX, NULL},
    {"isActive", RT_FIELD_BOOLEAN, 0, RT_RESPONSE_AT(is_active), 0, 0, 0, NULL},
    {"metadata", RT_FIELD_OBJECT, 0, RT_RESPONSE_AT(metadata), 0, RT_ASSIST_METADATA_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};

typedef struct {
    rt_str_t business_id;
    int      type;
    int      active;
    int64_t  page;
    int64_t  limit;
} rt_response_asked_t;

static const rt_field_t rt_response_asked_fields[] = {
    {"businessId", RT_FIELD_STRING, RT_FIELD_PRINTABLE, offsetof(rt_response_asked_t, business_id),
        1, RT_ID_CHARACTERS_MAX, 0, NULL},
    {"responseType", RT_FIELD_NAME, 0, offsetof(rt_response_asked_t, type), 0, 0, 0,
        rt_response_type_names},
    {"isActive", RT_FIELD_NAME, 0, offsetof(rt_response_asked_t, active), 0, 0, 0,
        rt_assist_active_names},
    {"page", RT_FIELD_INTEGER, 0, offsetof(rt_response_asked_t, page), 1, RT_PAGE_MAX, 0, NULL},
    {"limit", RT_FIELD_INTEGER, 0, offsetof(rt_response_asked_t, limit), 1, RT_LIMIT_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


static const char *
rt_response_default_event(rt_response_type_t type)
{
    switch (type) {

    case RT_RESPONSE_WELCOME:
        return rt_trigger_event_names[RT_TRIGGER_USER_JOINED];

    case RT_RESPONSE_OFFLINE:
        return rt_trigger_event_names[RT_TRIGGER_NO_STAFF];

    default:
        return rt_trigger_event_names[RT_TRIGGER_MANUAL];
    }
}


/* The trigger as it is kept: with an event, and of conditions that can be read. */
static rt_status_t
rt_response_trigger(rt_call_t *call, json_t *given, rt_response_row_t *response)
{
    int          failed;
    json_t      *trigger;
    rt_status_t  status;
    rt_trigger_t read;

    failed = 0;
    trigger = given ? json_copy(given) : json_object();

    if (trigger != NULL
        && (json_object_get(trigger, "event") == NULL
            || json_is_null(json_object_get(trigger, "event")))
        && json_object_set_new(trigger, "event",
               json_string(rt_response_default_event(response->type)))
            != 0)
    {
        json_decref(trigger);
        trigger = NULL;
    }

    if (trigger == NULL) {
        return RT_NO_MEMORY;
    }

    status = rt_trigger_read(trigger, call->arena, &read, &call->error);

    if (status == RT_OK) {
        response->trigger = rt_call_json(call, trigger, &failed);
        status = failed ? RT_NO_MEMORY : RT_OK;
    }

    json_decref(trigger);

    return status;
}


/* Puts what the request gives into the row. */
static rt_status_t
rt_response_apply(rt_call_t *call, rt_response_row_t *response)
{
    int                   failed;
    rt_status_t           status;
    rt_response_request_t request;

    memset(&request, 0, sizeof(rt_response_request_t));
    request.type = (int) response->type;
    request.is_active = response->is_active;

    status = rt_schema_read(rt_response_fields, call->request, &request, &call->error);
    if (status != RT_OK) {
        return status;
    }

    failed = 0;
    response->type = (rt_response_type_t) request.type;
    response->message = request.message.len ? request.message : response->message;
    response->is_active = request.is_active;
    response->updated_at_ms = rt_time_now_ms();

    if (rt_assist_has(call, "name")) {
        response->name = request.name;
    }

    if (request.quick_replies != NULL) {
        response->quick_replies = rt_call_json(call, request.quick_replies, &failed);
    }

    if (request.metadata != NULL) {
        response->metadata = rt_call_json(call, request.metadata, &failed);
    }

    if (failed) {
        return RT_NO_MEMORY;
    }

    return request.trigger != NULL || response->trigger.len == 0
        ? rt_response_trigger(call, request.trigger, response)
        : RT_OK;
}


static rt_status_t
rt_response_check_room(rt_call_t *call, rt_str_t business_id, int is_active)
{
    rt_status_t         status;
    rt_response_list_t  list;
    rt_response_query_t query;

    memset(&query, 0, sizeof(rt_response_query_t));
    query.business_id = business_id;
    query.type = -1;
    query.is_active = is_active;
    query.limit = 1;

    status = rt_call_store(call)->assist->response_list(call->session, call->arena, &query, &list);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    if (list.total >= RT_RESPONSES_PER_BUSINESS) {
        return rt_call_fail(call, RT_CONFLICT,
            "A business may have %d automatic responses that are %s", RT_RESPONSES_PER_BUSINESS,
            is_active ? "active" : "not active");
    }

    return RT_OK;
}


static rt_status_t
rt_response_reply(rt_call_t *call, const rt_response_row_t *response)
{
    rt_buf_t buf;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_response_write_json(&buf, response);

    return rt_call_reply(call, &buf);
}


static rt_status_t
rt_response_create(rt_core_t *core, rt_call_t *call)
{
    rt_status_t       status;
    rt_response_row_t response;

    (void) core;

    memset(&response, 0, sizeof(rt_response_row_t));
    response.is_active = 1;

    status = rt_response_apply(call, &response);
    if (status != RT_OK) {
        return status;
    }

    if (rt_json_get_str(call->request, "responseType").len == 0) {
        return rt_call_fail(call, RT_INVALID, "responseType is required");
    }

    if (response.message.len == 0) {
        return rt_call_fail(call, RT_INVALID, "message is required");
    }

    if (response.name.len == 0) {
        response.name = rt_str_c(rt_response_type_names[response.type]);
    }

    status = rt_assist_business(call, rt_json_get_str(call->request, "businessId"),
        &response.business_id);

    if (status == RT_OK) {
        status = rt_response_check_room(call, response.business_id, response.is_active);
    }

    if (status != RT_OK) {
        return status;
    }

    response.created_at_ms = response.updated_at_ms;
    response.id = rt_assist_id(call);

    if (response.id.data == NULL) {
        return RT_NO_MEMORY;
    }

    status = rt_call_store(call)->assist->response_add(call->session, &response);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    call->created = 1;

    return rt_response_reply(call, &response);
}


/* The response that the request names. */
static rt_status_t
rt_response_load(rt_call_t *call, rt_response_row_t **out)
{
    rt_str_t              business_id;
    rt_status_t           status;
    rt_response_request_t request;

    memset(&request, 0, sizeof(rt_response_request_t));
    status = rt_schema_read(rt_response_fields, call->request, &request, &call->error);

    if (status == RT_OK) {
        status = rt_assist_scope(call, request.business_id, &business_id);
    }

    if (status != RT_OK) {
        return status;
    }

    status = rt_call_store(call)->assist->response_get(call->session, call->arena, business_id,
        request.response_id, out);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    return *out ? RT_OK : rt_call_fail(call, RT_NOT_FOUND, "Automatic response not found");
}


static rt_status_t
rt_response_update(rt_core_t *core, rt_call_t *call)
{
    int                was_active;
    rt_status_t        status;
    rt_response_row_t *response;

    (void) core;

    status = rt_response_load(call, &response);
    if (status != RT_OK) {
        return status;
    }

    was_active = response->is_active;
    status = rt_response_apply(call, response);

    if (status == RT_OK && response->is_active && !was_active) {
        status = rt_response_check_room(call, response->business_id, 1);
    }

    if (status != RT_OK) {
        return status;
    }

    status = rt_call_store(call)->assist->response_change(call->session, response);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    return rt_response_reply(call, response);
}


static rt_status_t
rt_response_delete(rt_core_t *core, rt_call_t *call)
{
    rt_status_t        status;
    rt_response_row_t *response;

    (void) core;

    status = rt_response_load(call, &response);
    if (status != RT_OK) {
        return status;
    }

    response->is_active = 0;
    response->updated_at_ms = rt_time_now_ms();

    status = rt_call_store(call)->assist->response_change(call->session, response);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    return rt_assist_reply_success(call);
}


static rt_status_t
rt_response_list(rt_core_t *core, rt_call_t *call)
{
    size_t              i;
    rt_buf_t            buf;
    rt_status_t         status;
    rt_response_list_t  list;
    rt_response_asked_t asked = {.type = -1, .active = 1, .page = 1, .limit = RT_ASSIST_LIST_ALL};
    rt_response_query_t query;

    (void) core;

    memset(&query, 0, sizeof(rt_response_query_t));
    status = rt_schema_read(rt_response_asked_fields, call->request, &asked, &call->error);

    if (status == RT_OK) {
        status = rt_assist_business(call, asked.business_id, &query.business_id);
    }

    if (status != RT_OK) {
        return status;
    }

    query.type = asked.type;
    query.is_active = rt_assist_active_filter(asked.active);
    query.limit = asked.limit;
    query.offset = (asked.page - 1) * asked.limit;

    status = rt_call_store(call)->assist->response_list(call->session, call->arena, &query, &list);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_buf_append(&buf, "[", 1);

    for (i = 0; i < list.count; i++) {
        rt_buf_append(&buf, ",", i ? 1 : 0);
        rt_response_write_json(&buf, &list.rows[i]);
    }

    rt_buf_append(&buf, "]", 1);
    call->total = list.total;

    return rt_call_reply(call, &buf);
}


const rt_op_entry_t rt_response_ops[] = {
    {{"auto-response.create", RT_OP_WRITE, rt_response_create}, RT_ROLES_STAFF, NULL, NULL},
    {{"auto-response.list", RT_OP_READ, rt_response_list}, RT_ROLES_STAFF, NULL, NULL},
    {{"auto-response.update", RT_OP_WRITE, rt_response_update}, RT_ROLES_STAFF, NULL, NULL},
    {{"auto-response.delete", RT_OP_WRITE, rt_response_delete}, RT_ROLES_STAFF, NULL, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL, NULL},
};
