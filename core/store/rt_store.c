/* The stores there are, by the scheme of their URI. */

#include "store/rt_store.h"


typedef struct {
    rt_str_t              scheme;
    const rt_store_ops_t *ops;
} rt_store_scheme_t;

static const rt_store_scheme_t rt_store_schemes[] = {
    {rt_str("sqlite:"), &rt_store_sqlite},
    {rt_str("mongodb:"), &rt_store_mongo},
    {rt_str("mongodb+srv:"), &rt_store_mongo},
};


static const rt_store_ops_t *
rt_store_find(rt_str_t uri, rt_error_t *error)
{
    size_t   i;
    rt_str_t head, scheme;

    for (i = 0; i < sizeof(rt_store_schemes) / sizeof(rt_store_schemes[0]); i++) {
        scheme = rt_store_schemes[i].scheme;
        head = (rt_str_t){uri.data, scheme.len};

        if (uri.len >= scheme.len && rt_str_eq(head, scheme)) {
            return rt_store_schemes[i].ops;
        }
    }

    /* the URI may hold a password: it is not repeated */
    rt_error_set(error, RT_INVALID,
        "unknown kind of store: it must be \"sqlite:PATH\" or \"mongodb://HOST/DATABASE\"");

    return NULL;
}


rt_status_t
rt_store_check(rt_str_t uri, rt_error_t *error)
{
    const rt_store_ops_t *ops;

    ops = rt_store_find(uri, error);
    if (ops == NULL) {
        return RT_INVALID;
    }

    return ops->check(uri, error);
}


rt_status_t
rt_store_open(rt_store_t **out, rt_str_t uri, const rt_log_t *log, rt_error_t *error)
{
    rt_status_t           status;
    const rt_store_ops_t *ops;

    ops = rt_store_find(uri, error);
    if (ops == NULL) {
        return RT_INVALID;
    }

    status = ops->check(uri, error);
    if (status != RT_OK) {
        return status;
    }

    return ops->open(out, uri, log, error);
}


void
rt_store_close(rt_store_t *store)
{
    if (store != NULL) {
        store->ops->close(store);
    }
}
