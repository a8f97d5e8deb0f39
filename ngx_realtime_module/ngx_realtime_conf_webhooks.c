/* realtime_webhooks on|off [private=allow] [ca=FILE]: http{}. */

#include "ngx_realtime_conf.h"


char *
ngx_realtime_conf_webhooks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_realtime_main_conf_t *mcf = conf;

    ngx_str_t *value;
    ngx_uint_t i;

    if (mcf->webhooks != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        mcf->webhooks = 1;

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        mcf->webhooks = 0;

    } else {
        return "must be \"on\" or \"off\"";
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "private=allow") == 0) {
            mcf->webhooks_private = 1;
            continue;
        }

        if (value[i].len > 3 && ngx_strncmp(value[i].data, "ca=", 3) == 0) {
            mcf->webhooks_ca.data = value[i].data + 3;
            mcf->webhooks_ca.len = value[i].len - 3;

            if (ngx_conf_full_name(cf->cycle, &mcf->webhooks_ca, 1) != NGX_OK) {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"", &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
