/* The REST API's table: which method and path asks for which core operation. */

#ifndef NGX_REALTIME_REST_ROUTES_H
#define NGX_REALTIME_REST_ROUTES_H

#include "ngx_realtime.h"

typedef enum {
    NGX_REALTIME_PARAM_STRING,
    NGX_REALTIME_PARAM_INTEGER, /* decimal, may be negative: the operation knows the range */
    NGX_REALTIME_PARAM_BOOLEAN, /* literally "true" or "false" */
    NGX_REALTIME_PARAM_BODY,    /* no parameter: the body's text, which the operation parses */
    NGX_REALTIME_PARAM_KEY      /* none either: the header Idempotency-Key */
} ngx_realtime_param_e;

/* A query parameter; it becomes the member of the request of the same name. One of type BODY stands
 * first: the body is not parsed then, since that would take long in the event loop. */
typedef struct {
    const char          *name;
    ngx_realtime_param_e type;
} ngx_realtime_param_t;

typedef struct {
    ngx_uint_t  method; /* NGX_HTTP_GET (HEAD too), _POST, _PUT, _DELETE */
    const char *path;   /* "/api/chat/rooms/:roomId"; a part with ':' becomes a member */
    ngx_uint_t  roles;  /* who may ask at all: a bit for each rt_role_t */
    const char *op;     /* of rt_op_find(); NULL: `here` answers */
    const ngx_realtime_param_t *query; /* up to one without name; NULL: takes none */

    /* takes over the held request, answers now or later; request: what was asked, borrowed */
    void (*here)(ngx_http_request_t *r, rt_identity_t *identity, json_t *request);
} ngx_realtime_route_t;

/* Path parameters of one route. */
#define NGX_REALTIME_PATH_PARAMS_MAX 2

typedef struct {
    const ngx_realtime_route_t *route;
    ngx_str_t                   names[NGX_REALTIME_PATH_PARAMS_MAX];  /* static text */
    ngx_str_t                   values[NGX_REALTIME_PATH_PARAMS_MAX]; /* point into the path */
    ngx_uint_t                  params;
    char allow[sizeof("GET, HEAD, POST, PUT, DELETE, OPTIONS")]; /* what the path takes */
} ngx_realtime_route_match_t;

/* Finds the route of a decoded path; one '/' at its end is ignored, literal parts go before
 * parameters. Sets match->allow whenever the path is known.
 *
 * returns  NGX_OK: *match is filled; NGX_DECLINED: no such path; NGX_HTTP_NOT_ALLOWED: the path
 *          does not take the method */
ngx_int_t ngx_realtime_route_find(ngx_uint_t method, ngx_str_t *path,
    ngx_realtime_route_match_t *match);

/* 1 when the role may use the route. */
ngx_uint_t ngx_realtime_route_permits(const ngx_realtime_route_t *route, rt_role_t role);

#endif
