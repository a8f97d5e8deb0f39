/* realtime_events_stream on|off|NAME: http{}. */

#include "ngx_realtime_conf.h"


char *
ngx_realtime_conf_stream(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_realtime_main_conf_t *mcf = conf;

    ngx_str_t *value;

    if (mcf->stream_set) {
        return "is duplicate";
    }

    mcf->stream_set = 1;
    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "on") == 0) {
        ngx_str_set(&mcf->events_stream, NGX_REALTIME_STREAM_NAME);
        return NGX_CONF_OK;
    }

    if (value[1].len == 0 || value[1].len > NGX_REALTIME_STREAM_NAME_MAX) {
        return "must be \"on\", \"off\", or a name of up to 256 bytes";
    }

    mcf->events_stream = value[1];

    return NGX_CONF_OK;
}


char *
ngx_realtime_conf_stream_init(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf)
{
    if (!mcf->stream_set && mcf->redis != NULL) {
        ngx_str_set(&mcf->events_stream, NGX_REALTIME_STREAM_NAME);
    }

    if (mcf->events_stream.len != 0 && mcf->redis == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "\"realtime_events_stream\" needs a Redis: set \"realtime_redis\"");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
