/* The directive realtime_redis, and the environment that stands for it. Configuration time only. */

#include "ngx_realtime_conf.h"
#include "ngx_realtime_redis.h"


#define NGX_REALTIME_REDIS_PORT 6379

typedef struct {
    ngx_str_t  ca;
    ngx_uint_t tls;
    ngx_uint_t verify;
} ngx_realtime_conf_redis_t;

static char *ngx_realtime_conf_redis_address(ngx_conf_t *cf, ngx_str_t *value,
    ngx_realtime_redis_conf_t *redis);
static char *ngx_realtime_conf_redis_parameter(ngx_conf_t *cf, ngx_str_t *value,
    ngx_realtime_redis_conf_t *redis, ngx_realtime_conf_redis_t *more);


char *
ngx_realtime_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_realtime_main_conf_t *mcf = conf;

    ngx_str_t                 *value;
    ngx_uint_t                 i;
    ngx_realtime_redis_conf_t *redis;
    ngx_realtime_conf_redis_t  more;

    if (mcf->redis_set) {
        return "is duplicate";
    }

    mcf->redis_set = 1;
    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        return cf->args->nelts == 2 ? NGX_CONF_OK : "takes nothing after \"off\"";
    }

    redis = ngx_pcalloc(cf->pool, sizeof(ngx_realtime_redis_conf_t));
    if (redis == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&more, sizeof(more));
    more.verify = 1;

    if (ngx_realtime_conf_redis_address(cf, &value[1], redis) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_realtime_conf_redis_parameter(cf, &value[i], redis, &more) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (redis->adapter_prefix.len && !redis->adapter) {
        return "takes \"adapter_prefix=\" only with \"adapter=socket.io\"";
    }

    if (redis->adapter && redis->adapter_prefix.len == 0) {
        ngx_str_set(&redis->adapter_prefix, "socket.io");
    }

    if (redis->user.len && redis->password.len == 0) {
        return "has a user without a password";
    }

    if (!more.tls && (more.ca.len || !more.verify)) {
        return "takes \"ca=\" and \"verify=\" only with \"tls\"";
    }

    if (more.tls && ngx_realtime_redis_tls_configure(cf, redis, &more.ca, more.verify) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    mcf->redis = redis;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_realtime_conf_add_namespace(ngx_realtime_main_conf_t *mcf, ngx_str_t *name)
{
    ngx_str_t *names;
    ngx_uint_t i;

    names = mcf->namespaces.elts;

    for (i = 0; i < mcf->namespaces.nelts; i++) {
        if (names[i].len == name->len && ngx_strncmp(names[i].data, name->data, name->len) == 0) {
            return NGX_OK;
        }
    }

    names = ngx_array_push(&mcf->namespaces);
    if (names == NULL) {
        return NGX_ERROR;
    }

    *names = *name;

    return NGX_OK;
}


/* HOST, HOST:PORT, or [ADDRESS]:PORT for IPv6. */
static char *
ngx_realtime_conf_redis_address(ngx_conf_t *cf, ngx_str_t *value, ngx_realtime_redis_conf_t *redis)
{
    u_char   *colon, *end, *host_end;
    ngx_int_t port;
    ngx_str_t host;

    host = *value;
    port = NGX_REALTIME_REDIS_PORT;
    end = value->data + value->len;

    if (value->len && value->data[0] == '[') {
        host_end = ngx_strlchr(value->data, end, ']');
        colon = host_end ? host_end + 1 : NULL;
        host.data++;

    } else {
        colon = ngx_strlchr(value->data, end, ':');
        colon = colon ? colon : end;
        host_end = colon;
    }

    if (colon == NULL || (colon != end && *colon != ':')) {
        goto invalid;
    }

    if (colon != end) {
        port = ngx_atoi(colon + 1, end - colon - 1);
    }

    host.len = host_end - host.data;

    if (host.len == 0 || host.len > 255 || port < 1 || port > 65535) {
        goto invalid;
    }

    redis->host.len = host.len;
    redis->host.data = ngx_pnalloc(cf->pool, host.len + 1);
    if (redis->host.data == NULL) {
        return NGX_CONF_ERROR;
    }

    (void) ngx_cpystrn(redis->host.data, host.data, host.len + 1);
    redis->port = (in_port_t) port;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
        "invalid address of redis \"%V\": write HOST:PORT, or [ADDRESS]:PORT for IPv6", value);

    return NGX_CONF_ERROR;
}


static char *
ngx_realtime_conf_redis_parameter(ngx_conf_t *cf, ngx_str_t *value,
    ngx_realtime_redis_conf_t *redis, ngx_realtime_conf_redis_t *more)
{
    ngx_int_t n;

    if (ngx_strncmp(value->data, "password=", 9) == 0) {
        redis->password.data = value->data + 9;
        redis->password.len = value->len - 9;

        if (redis->password.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "the password of redis must not be empty");
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "user=", 5) == 0) {
        redis->user.data = value->data + 5;
        redis->user.len = value->len - 5;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "db=", 3) == 0) {
        n = ngx_atoi(value->data + 3, value->len - 3);

        if (n == NGX_ERROR || n > 1000000) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid number of a database \"%V\"", value);
            return NGX_CONF_ERROR;
        }

        redis->db = n;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "adapter=", 8) == 0) {

        if (ngx_strcmp(value->data + 8, "socket.io") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                "unknown adapter \"%s\" of redis: it must be \"socket.io\"", value->data + 8);
            return NGX_CONF_ERROR;
        }

        redis->adapter = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "adapter_prefix=", 15) == 0) {
        redis->adapter_prefix.data = value->data + 15;
        redis->adapter_prefix.len = value->len - 15;

        if (redis->adapter_prefix.len == 0 || redis->adapter_prefix.len > 128) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                "the adapter_prefix of redis must have 1 to 128 characters");
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value->data, "tls") == 0) {
        more->tls = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "ca=", 3) == 0 && value->len > 3) {
        more->ca.data = value->data + 3;
        more->ca.len = value->len - 3;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value->data, "verify=off") == 0) {
        more->verify = 0;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%*s\" of redis",
        ngx_min(value->len, 20), value->data);

    return NGX_CONF_ERROR;
}


char *
ngx_realtime_conf_redis_environment(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf)
{
    ngx_int_t                  port;
    ngx_str_t                  host, text, password;
    ngx_realtime_redis_conf_t *redis;

    if (mcf->redis_set) {
        return NGX_CONF_OK;
    }

    if (ngx_realtime_conf_env(cf, "REDIS_HOST", &host) != NGX_OK
        || ngx_realtime_conf_env(cf, "REDIS_PORT", &text) != NGX_OK
        || ngx_realtime_conf_env(cf, "REDIS_PASSWORD", &password) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (host.len == 0) {
        return NGX_CONF_OK;
    }

    port = text.len ? ngx_atoi(text.data, text.len) : NGX_REALTIME_REDIS_PORT;

    if (port < 1 || port > 65535 || host.len > 255) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid REDIS_HOST or REDIS_PORT");
        return NGX_CONF_ERROR;
    }

    redis = ngx_pcalloc(cf->pool, sizeof(ngx_realtime_redis_conf_t));
    if (redis == NULL) {
        return NGX_CONF_ERROR;
    }

    redis->host = host;
    redis->port = (in_port_t) port;
    redis->password = password;

    mcf->redis = redis;

    return NGX_CONF_OK;
}
