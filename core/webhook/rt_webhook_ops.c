/* webhook.*: a business's owners manage whom to tell. A secret is shown once, to who made it. */

#include <stddef.h>
#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "chat/rt_schema.h"
#include "webhook/rt_webhook.h"


#define RT_WEBHOOK_URL_MAX     2048
#define RT_WEBHOOK_SECRET_MIN  16
#define RT_WEBHOOK_SECRET_MAX  256
#define RT_WEBHOOK_RANDOM      32
#define RT_WEBHOOK_LIST_LIMIT  20
#define RT_WEBHOOK_EVENTS_OPEN 3 /* of rt_webhook_event_names: what one can subscribe to */

#define rt_webhook_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

typedef struct {
    rt_str_t webhook_id;
    rt_str_t delivery_id;
    rt_str_t business_id;
    rt_str_t url;
    json_t  *events;
    rt_str_t secret;
    rt_str_t description;
    int      is_active;
    int      status;
    int64_t  page;
    int64_t  limit;
} rt_webhook_request_t;

#define RT_WEBHOOK_AT(member) offsetof(rt_webhook_request_t, member)

static const rt_field_t rt_webhook_fields[] = {
    {"webhookId", RT_FIELD_STRING, 0, RT_WEBHOOK_AT(webhook_id), 1, RT_ID_CHARACTERS_MAX, 0, NULL},
    {"deliveryId", RT_FIELD_STRING, 0, RT_WEBHOOK_AT(delivery_id), 1, RT_ID_CHARACTERS_MAX, 0,
        NULL},
    {"businessId", RT_FIELD_STRING, RT_FIELD_PRINTABLE, RT_WEBHOOK_AT(business_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"url", RT_FIELD_STRING, RT_FIELD_PRINTABLE, RT_WEBHOOK_AT(url), 1, RT_WEBHOOK_URL_MAX, 0,
        NULL},
    {"events", RT_FIELD_STRINGS, 0, RT_WEBHOOK_AT(events), 0, 16, 64, NULL},
    {"secret", RT_FIELD_STRING, RT_FIELD_PRINTABLE, RT_WEBHOOK_AT(secret), RT_WEBHOOK_SECRET_MIN,
        RT_WEBHOOK_SECRET_MAX, 0, NULL},
    {"description", RT_FIELD_STRING, RT_FIELD_PRINTABLE, RT_WEBHOOK_AT(description), 0,
        RT_NAME_CHARACTERS_MAX, 0, NULL},
    {"isActive", RT_FIELD_BOOLEAN, 0, RT_WEBHOOK_AT(is_active), 0, 0, 0, NULL},
    {"status", RT_FIELD_NAME, 0, RT_WEBHOOK_AT(status), 0, 0, 0, rt_delivery_status_names},
    {"page", RT_FIELD_INTEGER, 0, RT_WEBHOOK_AT(page), 1, RT_PAGE_MAX, 0, NULL},
    {"limit", RT_FIELD_INTEGER, 0, RT_WEBHOOK_AT(limit), 1, RT_LIMIT_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


/* The request, and whose webhooks it may be about. */
static rt_status_t
rt_webhook_read(rt_core_t *core, rt_call_t *call, rt_webhook_request_t *request)
{
    rt_status_t status;

    memset(request, 0, sizeof(rt_webhook_request_t));
    request->is_active = -1;
    request->status = -1;
    request->page = 1;
    request->limit = RT_WEBHOOK_LIST_LIMIT;

    if (core->webhooks == NULL) {
        return rt_call_fail(call, RT_NOT_FOUND, "Webhooks are off");
    }

    status = rt_schema_read(rt_webhook_fields, call->request, request, &call->error);

    return status == RT_OK ? rt_call_business(call, request->business_id, &request->business_id)
                           : status;
}


/* The same, where the business must be known. */
static rt_status_t
rt_webhook_read_of_business(rt_core_t *core, rt_call_t *call, rt_webhook_request_t *request)
{
    rt_status_t status;

    status = rt_webhook_read(core, call, request);

    return status == RT_OK && request->business_id.len == 0
        ? rt_call_fail(call, RT_INVALID, "businessId is required")
        : status;
}


/* The request and the webhook that it names. */
static rt_status_t
rt_webhook_load(rt_core_t *core, rt_call_t *call, rt_webhook_request_t *request, rt_webhook_t **out)
{
    rt_status_t status;

    status = rt_webhook_read(core, call, request);
    if (status != RT_OK) {
        return status;
    }

    status = rt_call_store(call)->webhooks->get(call->session, call->arena, request->business_id,
        request->webhook_id, out);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    if (*out == NULL) {
        return rt_call_fail(call, RT_NOT_FOUND, "Webhook not found");
    }

    return RT_OK;
}


static rt_status_t
rt_webhook_read_events(rt_call_t *call, const json_t *names, int64_t *events)
{
    int     event;
    size_t  i;
    json_t *name;

    *events = 0;

    json_array_foreach(names, i, name)
    {
        event = rt_name_find(rt_webhook_event_names,
            (rt_str_t){json_string_value(name), json_string_length(name)});

        if (event < 0 || event >= RT_WEBHOOK_EVENTS_OPEN) {
            return rt_call_fail(call, RT_INVALID,
                "events must be of message.created, conversation.created, notification.created");
        }

        *events |= 1 << event;
    }

    if (*events == 0) {
        return rt_call_fail(call, RT_INVALID, "events must name one at least");
    }

    return RT_OK;
}


/* What the request names goes into the webhook. */
static rt_status_t
rt_webhook_apply(rt_call_t *call, const rt_webhook_request_t *request, rt_webhook_t *webhook)
{
    rt_status_t status;

    status = RT_OK;

    if (request->url.len) {
        status = rt_webhook_check_url(request->url, &call->error);
        webhook->url = request->url;
    }

    if (status == RT_OK && request->events != NULL) {
        status = rt_webhook_read_events(call, request->events, &webhook->events);
    }

    if (request->secret.len) {
        webhook->secret = request->secret;
    }

    if (json_object_get(call->request, "description") != NULL) {
        webhook->description = request->description;
    }

    if (request->is_active != -1) {
        webhook->is_active = request->is_active;
    }

    webhook->updated_at_ms = rt_time_now_ms();

    return status;
}


static rt_status_t
rt_webhook_make_secret(rt_call_t *call, rt_webhook_t *webhook)
{
    char    text[sizeof("whsec_") + (RT_WEBHOOK_RANDOM * 4 + 2) / 3];
    size_t  len;
    uint8_t random[RT_WEBHOOK_RANDOM];

    if (rt_random(random, sizeof(random)) != RT_OK) {
        return rt_call_fail(call, RT_ERROR, "no random numbers");
    }

    memcpy(text, "whsec_", sizeof("whsec_") - 1);
    len = sizeof("whsec_") - 1;
    len += rt_base64url(text + len, random, sizeof(random));
    webhook->secret = rt_arena_str(call->arena, (rt_str_t){text, len});

    return webhook->secret.data ? RT_OK : RT_NO_MEMORY;
}


static void
rt_webhook_write(rt_buf_t *buf, const rt_webhook_t *webhook, int with_secret)
{
    int i, n;

    n = 0;

    rt_webhook_put(buf, "{\"_id\":");
    rt_buf_append_json_string(buf, webhook->id);
    rt_webhook_put(buf, ",\"id\":");
    rt_buf_append_json_string(buf, webhook->id);
    rt_webhook_put(buf, ",\"businessId\":");
    rt_buf_append_json_string(buf, webhook->business_id);
    rt_webhook_put(buf, ",\"url\":");
    rt_buf_append_json_string(buf, webhook->url);
    rt_webhook_put(buf, ",\"events\":[");

    for (i = 0; rt_webhook_event_names[i] != NULL; i++) {
        if (webhook->events & 1 << i) {
            rt_buf_append(buf, ",", n++ ? 1 : 0);
            rt_buf_append_json_string(buf, rt_str_c(rt_webhook_event_names[i]));
        }
    }

    rt_webhook_put(buf, "],\"description\":");
    rt_json_put_text(buf, webhook->description);

    if (webhook->is_active) {
        rt_webhook_put(buf, ",\"isActive\":true");
    } else {
        rt_webhook_put(buf, ",\"isActive\":false");
    }

    if (with_secret) {
        rt_webhook_put(buf, ",\"secret\":");
        rt_buf_append_json_string(buf, webhook->secret);
    }

    rt_webhook_put(buf, ",\"createdAt\":");
    rt_json_put_time(buf, webhook->created_at_ms);
    rt_webhook_put(buf, ",\"updatedAt\":");
    rt_json_put_time(buf, webhook->updated_at_ms);
    rt_webhook_put(buf, "}");
}


static rt_status_t
rt_webhook_reply(rt_call_t *call, const rt_webhook_t *webhook, int with_secret)
{
    rt_buf_t buf;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_webhook_write(&buf, webhook, with_secret);

    return rt_call_reply(call, &buf);
}


static rt_status_t
rt_webhook_reply_success(rt_call_t *call)
{
    call->reply = rt_str("{\"success\":true}");

    return RT_OK;
}


static rt_status_t
rt_webhook_count(rt_call_t *call, rt_str_t business_id)
{
    rt_status_t       status;
    rt_webhook_list_t list;

    status = rt_call_store(call)->webhooks->list(call->session, call->arena, business_id, &list);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    if (list.count >= RT_WEBHOOKS_PER_BUSINESS) {
        return rt_call_fail(call, RT_CONFLICT, "A business may have %d webhooks",
            RT_WEBHOOKS_PER_BUSINESS);
    }

    return RT_OK;
}


static rt_status_t
rt_webhook_create(rt_core_t *core, rt_call_t *call)
{
    char                 id[RT_ID_LEN + 1];
    rt_status_t          status;
    rt_webhook_t         webhook;
    rt_webhook_request_t request;

    status = rt_webhook_read_of_business(core, call, &request);
    if (status != RT_OK) {
        return status;
    }

    if (request.url.len == 0) {
        return rt_call_fail(call, RT_INVALID, "url is required");
    }

    if (request.events == NULL) {
        return rt_call_fail(call, RT_INVALID, "events is required");
    }

    memset(&webhook, 0, sizeof(webhook));
    rt_id_make(id);
    webhook.id = (rt_str_t){id, RT_ID_LEN};
    webhook.business_id = request.business_id;
    webhook.is_active = 1;

    status = rt_webhook_apply(call, &request, &webhook);
    webhook.created_at_ms = webhook.updated_at_ms;

    if (status == RT_OK && webhook.secret.len == 0) {
        status = rt_webhook_make_secret(call, &webhook);
    }

    if (status == RT_OK) {
        status = rt_webhook_count(call, webhook.business_id);
    }

    if (status != RT_OK) {
        return status;
    }

    status = rt_call_store(call)->webhooks->add(call->session, &webhook);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    atomic_store(&core->webhooks->stale, 1);
    call->created = 1;

    return rt_webhook_reply(call, &webhook, 1);
}


static rt_status_t
rt_webhook_list(rt_core_t *core, rt_call_t *call)
{
    size_t               i;
    rt_buf_t             buf;
    rt_status_t          status;
    rt_webhook_list_t    list;
    rt_webhook_request_t request;

    status = rt_webhook_read_of_business(core, call, &request);
    if (status != RT_OK) {
        return status;
    }

    status =
        rt_call_store(call)->webhooks->list(call->session, call->arena, request.business_id, &list);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_webhook_put(&buf, "{\"webhooks\":[");

    for (i = 0; i < list.count; i++) {
        rt_buf_append(&buf, ",", i ? 1 : 0);
        rt_webhook_write(&buf, &list.rows[i], 0);
    }

    rt_webhook_put(&buf, "],\"total\":");
    rt_buf_append_int(&buf, (int64_t) list.count);
    rt_webhook_put(&buf, "}");
    call->total = (int64_t) list.count;

    return rt_call_reply(call, &buf);
}


static rt_status_t
rt_webhook_get(rt_core_t *core, rt_call_t *call)
{
    rt_status_t          status;
    rt_webhook_t        *webhook;
    rt_webhook_request_t request;

    status = rt_webhook_load(core, call, &request, &webhook);

    return status == RT_OK ? rt_webhook_reply(call, webhook, 0) : status;
}


static rt_status_t
rt_webhook_update(rt_core_t *core, rt_call_t *call)
{
    rt_status_t          status;
    rt_webhook_t        *webhook;
    rt_webhook_request_t request;

    status = rt_webhook_load(core, call, &request, &webhook);

    if (status == RT_OK) {
        status = rt_webhook_apply(call, &request, webhook);
    }

    if (status != RT_OK) {
        return status;
    }

    status = rt_call_store(call)->webhooks->change(call->session, webhook);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    atomic_store(&core->webhooks->stale, 1);

    return rt_webhook_reply(call, webhook, 0);
}


static rt_status_t
rt_webhook_delete(rt_core_t *core, rt_call_t *call)
{
    rt_status_t          status;
    rt_webhook_t        *webhook;
    rt_webhook_request_t request;

    status = rt_webhook_load(core, call, &request, &webhook);
    if (status != RT_OK) {
        return status;
    }

    status = rt_call_store(call)->webhooks->remove(call->session, webhook);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    atomic_store(&core->webhooks->stale, 1);

    return rt_webhook_reply_success(call);
}


static rt_status_t
rt_webhook_test(rt_core_t *core, rt_call_t *call)
{
    rt_buf_t             buf;
    rt_str_t             id;
    rt_status_t          status;
    rt_webhook_t        *webhook;
    rt_webhook_request_t request;

    status = rt_webhook_load(core, call, &request, &webhook);
    if (status != RT_OK) {
        return status;
    }

    if (!webhook->is_active) {
        return rt_call_fail(call, RT_CONFLICT, "The webhook is not active");
    }

    status = rt_webhook_enqueue_one(call, webhook, RT_WEBHOOK_PING, rt_str_null, rt_str("{}"), &id);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_webhook_put(&buf, "{\"success\":true,\"deliveryId\":");
    rt_buf_append_json_string(&buf, id);
    rt_webhook_put(&buf, "}");
    call->created = 1;

    return rt_call_reply(call, &buf);
}


static void
rt_webhook_write_delivery(rt_buf_t *buf, const rt_delivery_t *row)
{
    rt_webhook_put(buf, "{\"_id\":");
    rt_buf_append_json_string(buf, row->id);
    rt_webhook_put(buf, ",\"webhookId\":");
    rt_buf_append_json_string(buf, row->webhook_id);
    rt_webhook_put(buf, ",\"event\":");
    rt_buf_append_json_string(buf, rt_str_c(rt_webhook_event_names[row->event]));
    rt_webhook_put(buf, ",\"objectId\":");
    rt_json_put_text(buf, row->object_id);
    rt_webhook_put(buf, ",\"status\":");
    rt_buf_append_json_string(buf, rt_str_c(rt_delivery_status_names[row->status]));
    rt_webhook_put(buf, ",\"attempts\":");
    rt_buf_append_int(buf, row->attempts);
    rt_webhook_put(buf, ",\"nextAt\":");
    rt_json_put_time_or_null(buf, row->status == RT_DELIVERY_PENDING ? row->next_at_ms : 0);
    rt_webhook_put(buf, ",\"lastStatus\":");

    if (row->last_status) {
        rt_buf_append_int(buf, row->last_status);
    } else {
        rt_webhook_put(buf, "null");
    }

    rt_webhook_put(buf, ",\"lastError\":");
    rt_json_put_text(buf, row->last_error);
    rt_webhook_put(buf, ",\"createdAt\":");
    rt_json_put_time(buf, row->created_at_ms);
    rt_webhook_put(buf, ",\"deliveredAt\":");
    rt_json_put_time_or_null(buf, row->delivered_at_ms);
    rt_webhook_put(buf, ",\"payload\":");
    rt_buf_append_str(buf, row->payload);
    rt_webhook_put(buf, "}");
}


static rt_status_t
rt_webhook_deliveries(rt_core_t *core, rt_call_t *call)
{
    size_t               i;
    rt_buf_t             buf;
    rt_status_t          status;
    rt_webhook_t        *webhook;
    rt_delivery_list_t   list;
    rt_delivery_query_t  query;
    rt_webhook_request_t request;

    status = rt_webhook_load(core, call, &request, &webhook);
    if (status != RT_OK) {
        return status;
    }

    query.webhook_id = webhook->id;
    query.status = request.status;
    query.limit = request.limit;
    query.offset = (request.page - 1) * request.limit;

    status =
        rt_call_store(call)->webhooks->deliveries_list(call->session, call->arena, &query, &list);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_webhook_put(&buf, "{\"deliveries\":[");

    for (i = 0; i < list.count; i++) {
        rt_buf_append(&buf, ",", i ? 1 : 0);
        rt_webhook_write_delivery(&buf, &list.rows[i]);
    }

    rt_webhook_put(&buf, "],\"total\":");
    rt_buf_append_int(&buf, list.total);
    rt_webhook_put(&buf, ",\"page\":");
    rt_buf_append_int(&buf, request.page);
    rt_webhook_put(&buf, ",\"limit\":");
    rt_buf_append_int(&buf, request.limit);
    rt_webhook_put(&buf, ",\"totalPages\":");
    rt_buf_append_int(&buf, (list.total + request.limit - 1) / request.limit);
    rt_webhook_put(&buf, "}");
    call->total = list.total;

    return rt_call_reply(call, &buf);
}


static rt_status_t
rt_webhook_retry(rt_core_t *core, rt_call_t *call)
{
    rt_status_t          status;
    rt_webhook_t        *webhook;
    rt_webhook_request_t request;

    status = rt_webhook_load(core, call, &request, &webhook);
    if (status != RT_OK) {
        return status;
    }

    status = rt_call_store(call)->webhooks->retry(call->session, webhook->id, request.delivery_id,
        rt_time_now_ms());

    if (status == RT_NOT_FOUND) {
        return rt_call_fail(call, RT_NOT_FOUND, "Delivery not found");
    }

    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    rt_webhooks_wake(core->webhooks);

    return rt_webhook_reply_success(call);
}


#define RT_ROLES_WEBHOOK (RT_ROLES_OWNERS | 1u << RT_ROLE_SUPER_ADMIN)

const rt_op_entry_t rt_webhook_ops[] = {
    {{"webhook.create", RT_OP_WRITE, rt_webhook_create}, RT_ROLES_WEBHOOK, NULL},
    {{"webhook.list", RT_OP_READ, rt_webhook_list}, RT_ROLES_WEBHOOK, NULL},
    {{"webhook.get", RT_OP_READ, rt_webhook_get}, RT_ROLES_WEBHOOK, NULL},
    {{"webhook.update", RT_OP_WRITE, rt_webhook_update}, RT_ROLES_WEBHOOK, NULL},
    {{"webhook.delete", RT_OP_WRITE, rt_webhook_delete}, RT_ROLES_WEBHOOK, NULL},
    {{"webhook.test", RT_OP_WRITE, rt_webhook_test}, RT_ROLES_WEBHOOK, NULL},
    {{"webhook.deliveries", RT_OP_READ, rt_webhook_deliveries}, RT_ROLES_WEBHOOK, NULL},
    {{"webhook.retry", RT_OP_WRITE, rt_webhook_retry}, RT_ROLES_WEBHOOK, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL},
};
