/* notification.list: what the caller was notified of, the newest first. */

#include <stddef.h>
#include <string.h>

#include "chat/rt_schema.h"
#include "notify/rt_notify.h"


#define RT_NOTIFY_LIMIT 20

#define rt_notify_lit(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

typedef struct {
    rt_str_t business_id;
    int      unread;
    int      type;
    int64_t  page;
    int64_t  limit;
} rt_notify_asked_t;

static const rt_field_t rt_notify_asked_fields[] = {
    {"unread", RT_FIELD_BOOLEAN, 0, offsetof(rt_notify_asked_t, unread), 0, 0, 0, NULL},
    {"type", RT_FIELD_NAME, 0, offsetof(rt_notify_asked_t, type), 0, 0, 0, rt_notify_type_names},
    {"businessId", RT_FIELD_STRING, 0, offsetof(rt_notify_asked_t, business_id), 1,
        RT_ID_CHARACTERS_MAX, 0, NULL},
    {"page", RT_FIELD_INTEGER, 0, offsetof(rt_notify_asked_t, page), 1, RT_PAGE_MAX, 0, NULL},
    {"limit", RT_FIELD_INTEGER, 0, offsetof(rt_notify_asked_t, limit), 1, RT_LIMIT_MAX, 0, NULL},
    {NULL, RT_FIELD_STRING, 0, 0, 0, 0, 0, NULL},
};


/* Staff have their business's and their own, customers their own. */
rt_status_t
rt_notify_view(rt_call_t *call, rt_str_t business, rt_notify_view_t *view)
{
    int                  failed;
    rt_status_t          status;
    const rt_identity_t *identity = call->identity;

    memset(view, 0, sizeof(rt_notify_view_t));


    status = rt_call_business(call, business, &view->business_id);
    if (status != RT_OK) {
        return status;
    }

    view->streams[RT_NOTIFY_OF_USER] = rt_notify_stream(call->arena, "user:", identity->user_id);
    failed = view->streams[RT_NOTIFY_OF_USER].data == NULL;

    if (rt_role_is_staff(identity->role) && view->business_id.len) {
        view->streams[RT_NOTIFY_OF_BUSINESS] =
            rt_notify_stream(call->arena, "business:", view->business_id);
        failed |= view->streams[RT_NOTIFY_OF_BUSINESS].data == NULL;
    }

    return failed ? RT_NO_MEMORY : RT_OK;
}


static rt_status_t
rt_notify_list_reply(rt_call_t *call, const rt_notify_asked_t *asked, const rt_notify_list_t *found)
{
    size_t   i;
    rt_buf_t buf;

    memset(&buf, 0, sizeof(rt_buf_t));
    rt_notify_lit(&buf, "{\"notifications\":[");

    for (i = 0; i < found->count; i++) {
        if (i) {
            rt_notify_lit(&buf, ",");
        }

        rt_buf_append_str(&buf, found->rows[i].text);
    }

    rt_notify_lit(&buf, "],\"total\":");
    rt_buf_append_int(&buf, found->total);
    rt_notify_lit(&buf, ",\"unread\":");
    rt_buf_append_int(&buf, found->unread);
    rt_notify_lit(&buf, ",\"page\":");
    rt_buf_append_int(&buf, asked->page);
    rt_notify_lit(&buf, ",\"limit\":");
    rt_buf_append_int(&buf, asked->limit);
    rt_notify_lit(&buf, "}");

    call->total = found->total;

    return rt_call_reply(call, &buf);
}


static rt_status_t
rt_notification_list(rt_core_t *core, rt_call_t *call)
{
    rt_status_t       status;
    rt_notify_list_t  found;
    rt_notify_asked_t asked = {.type = -1, .page = 1, .limit = RT_NOTIFY_LIMIT};
    rt_notify_query_t query;

    (void) core;

    memset(&query, 0, sizeof(query));

    status = rt_schema_read(rt_notify_asked_fields, call->request, &asked, &call->error);

    if (status == RT_OK) {
        status = rt_notify_view(call, asked.business_id, &query.view);
    }

    if (status != RT_OK) {
        return status;
    }

    query.unread_only = asked.unread;
    query.type = asked.type;
    query.limit = asked.limit;
    query.offset = (asked.page - 1) * asked.limit;

    status = rt_notify_store(call)->list(call->session, call->arena, &query, &found);
    if (status != RT_OK) {
        return rt_call_store_failed(call, status);
    }

    return rt_notify_list_reply(call, &asked, &found);
}


const rt_op_entry_t rt_notify_list_ops[] = {
    {{"notification.list", RT_OP_READ, rt_notification_list}, RT_ROLES_MEMBERS, NULL},
    {{NULL, RT_OP_READ, NULL}, 0, NULL},
};
