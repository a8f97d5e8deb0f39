/* The routes of the REST API, and how a path finds its line. A new endpoint is a new line. */

#include "ngx_realtime_rest_routes.h"
#include "ngx_realtime_stats.h"


#define ROLE(name) (1u << RT_ROLE_##name)

/* the rows of the contract's table: who */
#define CUSTOMER ROLE(CUSTOMER)
#define STAFF    (ROLE(STAFF) | ROLE(BUSINESS_ADMIN) | ROLE(BUSINESS_OWNER) | ROLE(SUPER_ADMIN))
#define SERVICE  ROLE(SERVICE)
#define OWNER    (ROLE(BUSINESS_OWNER) | ROLE(BUSINESS_ADMIN))
#define MANAGER  (OWNER | ROLE(SUPER_ADMIN))
#define MEMBER   (CUSTOMER | STAFF) /* of a room: the operation asks which */


typedef struct {
    const char *p;
    size_t      len;
} ngx_realtime_path_part_t;


static ngx_uint_t ngx_realtime_route_match(const ngx_realtime_route_t *route, ngx_str_t *path,
    ngx_realtime_route_match_t *match);
static ngx_uint_t ngx_realtime_path_next(const char **p, const char *end,
    ngx_realtime_path_part_t *part);
static void       ngx_realtime_route_allow(const ngx_realtime_route_t *same, char *allow);


/* clang-format off */

static const ngx_realtime_param_t  ngx_realtime_query_rooms[] = {
    { "roomType", NGX_REALTIME_PARAM_STRING },
    { "isActive", NGX_REALTIME_PARAM_BOOLEAN },
    { "isArchived", NGX_REALTIME_PARAM_BOOLEAN },
    { "priority", NGX_REALTIME_PARAM_STRING },
    { "assignedStaffId", NGX_REALTIME_PARAM_STRING },
    { "q", NGX_REALTIME_PARAM_STRING },
    { "page", NGX_REALTIME_PARAM_INTEGER },
    { "limit", NGX_REALTIME_PARAM_INTEGER },
    { "businessId", NGX_REALTIME_PARAM_STRING },
    { NULL, 0 }
};

static const ngx_realtime_param_t  ngx_realtime_query_messages[] = {
    { "page", NGX_REALTIME_PARAM_INTEGER },
    { "limit", NGX_REALTIME_PARAM_INTEGER },
    { "beforeMessageId", NGX_REALTIME_PARAM_STRING },
    { "afterSeq", NGX_REALTIME_PARAM_INTEGER },
    { NULL, 0 }
};

static const ngx_realtime_param_t  ngx_realtime_query_business[] = {
    { "businessId", NGX_REALTIME_PARAM_STRING },
    { NULL, 0 }
};

static const ngx_realtime_param_t  ngx_realtime_query_stats[] = {
    { "businessId", NGX_REALTIME_PARAM_STRING },
    { "userId", NGX_REALTIME_PARAM_STRING },
    { NULL, 0 }
};

static const ngx_realtime_param_t  ngx_realtime_query_events[] = {
    { "body", NGX_REALTIME_PARAM_BODY },
    { "idempotencyKey", NGX_REALTIME_PARAM_KEY },
    { NULL, 0 }
};

static const ngx_realtime_param_t  ngx_realtime_query_notifications[] = {
    { "unread", NGX_REALTIME_PARAM_BOOLEAN },
    { "type", NGX_REALTIME_PARAM_STRING },
    { "page", NGX_REALTIME_PARAM_INTEGER },
    { "limit", NGX_REALTIME_PARAM_INTEGER },
    { "businessId", NGX_REALTIME_PARAM_STRING },
    { NULL, 0 }
};


static const ngx_realtime_param_t  ngx_realtime_query_faqs[] = {
    { "category", NGX_REALTIME_PARAM_STRING },
    { "isActive", NGX_REALTIME_PARAM_STRING },
    { "page", NGX_REALTIME_PARAM_INTEGER },
    { "limit", NGX_REALTIME_PARAM_INTEGER },
    { "businessId", NGX_REALTIME_PARAM_STRING },
    { NULL, 0 }
};

static const ngx_realtime_param_t  ngx_realtime_query_responses[] = {
    { "responseType", NGX_REALTIME_PARAM_STRING },
    { "isActive", NGX_REALTIME_PARAM_STRING },
    { "page", NGX_REALTIME_PARAM_INTEGER },
    { "limit", NGX_REALTIME_PARAM_INTEGER },
    { "businessId", NGX_REALTIME_PARAM_STRING },
    { NULL, 0 }
};

static const ngx_realtime_param_t  ngx_realtime_query_unanswered[] = {
    { "page", NGX_REALTIME_PARAM_INTEGER },
    { "limit", NGX_REALTIME_PARAM_INTEGER },
    { "businessId", NGX_REALTIME_PARAM_STRING },
    { NULL, 0 }
};


static const ngx_realtime_param_t  ngx_realtime_query_deliveries[] = {
    { "businessId", NGX_REALTIME_PARAM_STRING },
    { "status", NGX_REALTIME_PARAM_STRING },
    { "page", NGX_REALTIME_PARAM_INTEGER },
    { "limit", NGX_REALTIME_PARAM_INTEGER },
    { NULL, 0 }
};


#define ROOMS    "/api/chat/rooms"
#define ROOM     "/api/chat/rooms/:roomId"
#define MESSAGES "/api/chat/rooms/:roomId/messages"
#define FAQS     "/api/chat/faqs"
#define REPLIES  "/api/chat/auto-responses"
#define NOTIFY   "/api/notifications"
#define WEBHOOKS "/api/webhooks"
#define WEBHOOK  "/api/webhooks/:webhookId"

/* Paths with literal parts stand before those that have a parameter in their place. */
static const ngx_realtime_route_t  ngx_realtime_routes[] = {
    { NGX_HTTP_POST, ROOMS "/create", MEMBER, "room.create", NULL, NULL },
    { NGX_HTTP_POST, ROOMS "/team", STAFF, "room.team", NULL, NULL },
    { NGX_HTTP_POST, ROOMS "/support", OWNER, "room.support", NULL, NULL },
    { NGX_HTTP_GET, ROOMS, MEMBER, "room.list", ngx_realtime_query_rooms, NULL },
    { NGX_HTTP_GET, ROOM, MEMBER, "room.get", NULL, NULL },
    { NGX_HTTP_PUT, ROOM, STAFF, "room.update", NULL, NULL },
    { NGX_HTTP_PUT, ROOM "/archive", STAFF, "room.archive", NULL, NULL },
    { NGX_HTTP_POST, MESSAGES, MEMBER, "message.send", NULL, NULL },
    { NGX_HTTP_GET, MESSAGES, MEMBER, "message.list", ngx_realtime_query_messages, NULL },
    { NGX_HTTP_PUT, MESSAGES "/read", MEMBER, "message.read", NULL, NULL },
    { NGX_HTTP_POST, ROOM "/trigger-auto-response", STAFF, "auto-response.trigger", NULL, NULL },
    { NGX_HTTP_POST, FAQS "/match", STAFF, "faq.match", NULL, NULL },
    { NGX_HTTP_GET, FAQS "/unanswered", STAFF, "faq.unanswered", ngx_realtime_query_unanswered,
      NULL },
    { NGX_HTTP_POST, FAQS, STAFF, "faq.create", NULL, NULL },
    { NGX_HTTP_GET, FAQS, MEMBER, "faq.list", ngx_realtime_query_faqs, NULL },
    { NGX_HTTP_PUT, FAQS "/:faqId", STAFF, "faq.update", NULL, NULL },
    { NGX_HTTP_DELETE, FAQS "/:faqId", STAFF, "faq.delete", ngx_realtime_query_business, NULL },
    { NGX_HTTP_POST, REPLIES, STAFF, "auto-response.create", NULL, NULL },
    { NGX_HTTP_GET, REPLIES, STAFF, "auto-response.list", ngx_realtime_query_responses, NULL },
    { NGX_HTTP_PUT, REPLIES "/:responseId", STAFF, "auto-response.update", NULL, NULL },
    { NGX_HTTP_DELETE, REPLIES "/:responseId", STAFF, "auto-response.delete",
      ngx_realtime_query_business, NULL },
    { NGX_HTTP_GET, "/api/chat/unread-counts", STAFF, "unread.counts",
      ngx_realtime_query_business, NULL },
    { NGX_HTTP_POST, "/api/events", SERVICE, "event.ingest", ngx_realtime_query_events, NULL },
    { NGX_HTTP_GET, NOTIFY, MEMBER, "notification.list", ngx_realtime_query_notifications, NULL },
    { NGX_HTTP_PUT, NOTIFY "/read", MEMBER, "notification.read", NULL, NULL },
    { NGX_HTTP_POST, WEBHOOKS, MANAGER, "webhook.create", NULL, NULL },
    { NGX_HTTP_GET, WEBHOOKS, MANAGER, "webhook.list", ngx_realtime_query_business, NULL },
    { NGX_HTTP_GET, WEBHOOK, MANAGER, "webhook.get", ngx_realtime_query_business, NULL },
    { NGX_HTTP_PUT, WEBHOOK, MANAGER, "webhook.update", NULL, NULL },
    { NGX_HTTP_DELETE, WEBHOOK, MANAGER, "webhook.delete", ngx_realtime_query_business, NULL },
    { NGX_HTTP_POST, WEBHOOK "/test", MANAGER, "webhook.test", NULL, NULL },
    { NGX_HTTP_GET, WEBHOOK "/deliveries", MANAGER, "webhook.deliveries",
      ngx_realtime_query_deliveries, NULL },
    { NGX_HTTP_POST, WEBHOOK "/deliveries/:deliveryId/retry", MANAGER, "webhook.retry", NULL,
      NULL },
    { NGX_HTTP_GET, "/api/realtime/stats", STAFF, NULL, ngx_realtime_query_stats,
      ngx_realtime_stats_rest },
    { 0, NULL, 0, NULL, NULL, NULL }
};

/* clang-format on */


ngx_int_t
ngx_realtime_route_find(ngx_uint_t method, ngx_str_t *path, ngx_realtime_route_match_t *match)
{
    const ngx_realtime_route_t *route, *first;

    if (method == NGX_HTTP_HEAD) {
        method = NGX_HTTP_GET;
    }

    for (first = ngx_realtime_routes; first->path != NULL; first++) {
        if (ngx_realtime_route_match(first, path, match)) {
            break;
        }
    }

    if (first->path == NULL) {
        return NGX_DECLINED;
    }

    ngx_realtime_route_allow(first, match->allow);

    /* the first line that fits names the path; other methods of it are lines of the same path */

    for (route = first; route->path != NULL; route++) {
        if (route->method == method && ngx_strcmp(route->path, first->path) == 0) {
            match->route = route;
            return NGX_OK;
        }
    }

    return NGX_HTTP_NOT_ALLOWED;
}


static ngx_uint_t
ngx_realtime_route_match(const ngx_realtime_route_t *route, ngx_str_t *path,
    ngx_realtime_route_match_t *match)
{
    const char              *p, *end, *pattern, *pattern_end;
    ngx_realtime_path_part_t part, expected;

    p = (const char *) path->data;
    end = p + path->len;
    pattern = route->path;
    pattern_end = pattern + ngx_strlen(pattern);

    if (path->len > 1 && end[-1] == '/') {
        end--;
    }

    match->params = 0;

    while (ngx_realtime_path_next(&pattern, pattern_end, &expected)) {

        if (!ngx_realtime_path_next(&p, end, &part)) {
            return 0;
        }

        if (expected.p[0] != ':') {
            if (part.len != expected.len || ngx_memcmp(part.p, expected.p, part.len) != 0) {
                return 0;
            }

            continue;
        }

        if (part.len == 0 || match->params == NGX_REALTIME_PATH_PARAMS_MAX) {
            return 0;
        }

        match->names[match->params].data = (u_char *) expected.p + 1;
        match->names[match->params].len = expected.len - 1;
        match->values[match->params].data = (u_char *) part.p;
        match->values[match->params].len = part.len;
        match->params++;
    }

    return p == end;
}


/* The next part between slashes; 0 at the end. */
static ngx_uint_t
ngx_realtime_path_next(const char **p, const char *end, ngx_realtime_path_part_t *part)
{
    const char *q;

    if (*p == end || **p != '/') {
        return 0;
    }

    for (q = *p + 1; q < end && *q != '/'; q++) { /* void */
    }

    part->p = *p + 1;
    part->len = q - part->p;
    *p = q;

    return 1;
}


static void
ngx_realtime_route_allow(const ngx_realtime_route_t *same, char *allow)
{
    u_char                     *p;
    ngx_uint_t                  methods;
    const ngx_realtime_route_t *route;

    methods = 0;

    for (route = same; route->path != NULL; route++) {
        if (ngx_strcmp(route->path, same->path) == 0) {
            methods |= route->method;
        }
    }

    p = (u_char *) allow;

    if (methods & NGX_HTTP_GET) {
        p = ngx_cpymem(p, "GET, HEAD, ", sizeof("GET, HEAD, ") - 1);
    }

    if (methods & NGX_HTTP_POST) {
        p = ngx_cpymem(p, "POST, ", sizeof("POST, ") - 1);
    }

    if (methods & NGX_HTTP_PUT) {
        p = ngx_cpymem(p, "PUT, ", sizeof("PUT, ") - 1);
    }

    if (methods & NGX_HTTP_DELETE) {
        p = ngx_cpymem(p, "DELETE, ", sizeof("DELETE, ") - 1);
    }

    ngx_memcpy(p, "OPTIONS", sizeof("OPTIONS"));
}


ngx_uint_t
ngx_realtime_route_permits(const ngx_realtime_route_t *route, rt_role_t role)
{
    return (route->roles & (1u << role)) != 0;
}
