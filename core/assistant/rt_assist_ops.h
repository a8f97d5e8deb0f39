/* What the operations share by which staff manage FAQs and automatic responses. */

#ifndef RT_ASSIST_OPS_H
#define RT_ASSIST_OPS_H

#include "chat/rt_chat.h"
#include "chat/rt_schema.h"


#define RT_ASSIST_ANSWER_MAX   10000 /* characters: as of a message */
#define RT_ASSIST_METADATA_MAX 16384 /* bytes of JSON */
#define RT_ASSIST_LIST_ALL     1000  /* of a list that names no limit: the original gives all */

/* isActive of a list: "false", "true" and "all", as rt_assist_active_filter takes them. */
extern const char *const rt_assist_active_names[];

/* What the stores take: 0, 1, or -1 for all. */
int rt_assist_active_filter(int name);

/* rt_call_business, where somebody must say which. */
rt_status_t rt_assist_business(rt_call_t *call, rt_str_t body, rt_str_t *out);

/* The same of one FAQ or response, where SUPER_ADMIN need not: *out is then empty. */
rt_status_t rt_assist_scope(rt_call_t *call, rt_str_t body, rt_str_t *out);

/* 1: the request has the member, null too. */
int rt_assist_has(const rt_call_t *call, const char *name);

/* A new id in the call's arena; {NULL, 0} without memory. */
rt_str_t rt_assist_id(rt_call_t *call);

/* {"success":true} */
rt_status_t rt_assist_reply_success(rt_call_t *call);

#endif
