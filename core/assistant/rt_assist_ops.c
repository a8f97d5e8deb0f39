/* What the operations share by which staff manage FAQs and automatic responses. */

#include <rt/rt_text.h>

#include "assistant/rt_assist_ops.h"


const char *const rt_assist_active_names[] = {"false", "true", "all", NULL};


int
rt_assist_active_filter(int name)
{
    return name == 2 ? -1 : name;
}


rt_status_t
rt_assist_business(rt_call_t *call, rt_str_t body, rt_str_t *out)
{
    rt_status_t status;

    status = rt_call_business(call, body, out);

    return status == RT_OK && out->len == 0
        ? rt_call_fail(call, RT_INVALID, "businessId is required")
        : status;
}


rt_status_t
rt_assist_scope(rt_call_t *call, rt_str_t body, rt_str_t *out)
{
    rt_status_t status;

    status = rt_call_business(call, body, out);

    return status == RT_OK && out->len == 0 && call->identity->role != RT_ROLE_SUPER_ADMIN
        ? rt_call_fail(call, RT_INVALID, "businessId is required")
        : status;
}


int
rt_assist_has(const rt_call_t *call, const char *name)
{
    return json_object_get(call->request, name) != NULL;
}


rt_str_t
rt_assist_id(rt_call_t *call)
{
    char id[RT_ID_LEN + 1];

    rt_id_make(id);

    return rt_arena_str(call->arena, (rt_str_t){id, RT_ID_LEN});
}


rt_status_t
rt_assist_reply_success(rt_call_t *call)
{
    call->reply = rt_str("{\"success\":true}");

    return RT_OK;
}
