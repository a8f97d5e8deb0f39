/* Connections per user, in the table that ngx_realtime_limits.c tells of. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_md5.h>

#include "ngx_realtime_limits_table.h"


typedef struct {
    uint64_t *window;
    uint64_t  hash;
} ngx_realtime_limits_user_t;


static ngx_realtime_limits_user_t ngx_realtime_limits_user(rt_str_t business_id, rt_str_t user_id);

static ngx_uint_t ngx_realtime_limits_user_sum(ngx_realtime_limits_user_t *user);
static ngx_int_t  ngx_realtime_limits_user_count(ngx_realtime_limits_user_t *user);


ngx_int_t
ngx_realtime_limits_user_add(rt_str_t business_id, rt_str_t user_id, ngx_uint_t max)
{
    ngx_realtime_limits_user_t user;

    if (max == 0 || ngx_realtime_limits.slot == NULL) {
        return NGX_OK;
    }

    (void) ngx_realtime_limits_look_again(NGX_REALTIME_LIMITS_FRESH_MS);

    user = ngx_realtime_limits_user(business_id, user_id);

    switch (ngx_realtime_limits_user_count(&user)) {

    case NGX_OK:
        break;

    case NGX_BUSY:
        return NGX_BUSY;

    default:
        return NGX_OK; /* not counted */
    }

    if (ngx_realtime_limits_user_sum(&user) <= max) {
        return NGX_OK;
    }

    if (ngx_realtime_limits_look_again(NGX_REALTIME_LIMITS_DOUBT_MS)
        && ngx_realtime_limits_user_sum(&user) <= max)
    {
        return NGX_OK;
    }

    ngx_realtime_limits_user_remove(business_id, user_id);

    return NGX_BUSY;
}


void
ngx_realtime_limits_user_remove(rt_str_t business_id, rt_str_t user_id)
{
    uint64_t                   entry;
    ngx_uint_t                 i;
    ngx_realtime_limits_user_t user;

    if (ngx_realtime_limits.slot == NULL) {
        return;
    }

    user = ngx_realtime_limits_user(business_id, user_id);

    for (i = 0; i < NGX_REALTIME_LIMITS_WINDOW; i++) {
        entry = ngx_realtime_limits_load(&user.window[i]);

        if (ngx_realtime_limits_count(entry) != 0 && (entry & NGX_REALTIME_LIMITS_HASH) == user.hash
            && ngx_realtime_limits_slot(entry) == ngx_realtime_limits.index)
        {
            entry = (ngx_realtime_limits_count(entry) == 1) ? 0 : entry - 1;
            ngx_realtime_limits_store(&user.window[i], entry);
            return;
        }
    }
}


/* Adds one to this worker's entry. NGX_BUSY: it holds as many as it can; NGX_DECLINED: no room. */
static ngx_int_t
ngx_realtime_limits_user_count(ngx_realtime_limits_user_t *user)
{
    uint64_t                     entry, old, *place;
    ngx_uint_t                   i;
    ngx_realtime_limits_state_t *limits;

    limits = &ngx_realtime_limits;

    do {
        old = 0;
        place = NULL;

        for (i = 0; i < NGX_REALTIME_LIMITS_WINDOW; i++) {
            entry = ngx_realtime_limits_load(&user->window[i]);

            if (entry != 0 && (entry & NGX_REALTIME_LIMITS_HASH) == user->hash
                && ngx_realtime_limits_slot(entry) == limits->index)
            {
                if (ngx_realtime_limits_count(entry) == NGX_REALTIME_LIMITS_COUNT_MAX) {
                    return NGX_BUSY;
                }

                ngx_realtime_limits_store(&user->window[i], entry + 1);
                return NGX_OK;
            }

            if (place == NULL
                && (entry == 0 || !ngx_realtime_limits_alive(ngx_realtime_limits_slot(entry)))) {
                old = entry;
                place = &user->window[i];
            }
        }

        if (place == NULL) {
            if (limits->warned == 0 || ngx_current_msec - limits->warned > 60000) {
                limits->warned = ngx_current_msec;
                ngx_log_error(NGX_LOG_WARN, limits->log, 0,
                    "too many users: connections of some are not counted");
            }

            return NGX_DECLINED;
        }

        ngx_realtime_limits_store(&limits->slot->users, 1);
        entry = user->hash | (uint64_t) limits->index << 16 | 1;

    } while (
        !__atomic_compare_exchange_n(place, &old, entry, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));

    return NGX_OK;
}


static ngx_uint_t
ngx_realtime_limits_user_sum(ngx_realtime_limits_user_t *user)
{
    uint64_t   entry;
    ngx_uint_t i, sum;

    sum = 0;

    for (i = 0; i < NGX_REALTIME_LIMITS_WINDOW; i++) {
        entry = ngx_realtime_limits_load(&user->window[i]);

        if (entry != 0 && (entry & NGX_REALTIME_LIMITS_HASH) == user->hash
            && ngx_realtime_limits_alive(ngx_realtime_limits_slot(entry)))
        {
            sum += ngx_realtime_limits_count(entry);
        }
    }

    return sum;
}


/* Keyed, so that nobody can choose a name that counts as another's. */
static ngx_realtime_limits_user_t
ngx_realtime_limits_user(rt_str_t business_id, rt_str_t user_id)
{
    u_char                     digest[16];
    uint64_t                   place, len;
    ngx_md5_t                  md5;
    ngx_realtime_limits_user_t user;

    len = business_id.len;

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, ngx_realtime_limits.table->key, sizeof(ngx_realtime_limits.table->key));
    ngx_md5_update(&md5, &len, sizeof(len));
    ngx_md5_update(&md5, business_id.data, business_id.len);
    ngx_md5_update(&md5, user_id.data, user_id.len);
    ngx_md5_final(digest, &md5);

    ngx_memcpy(&user.hash, digest, sizeof(uint64_t));
    ngx_memcpy(&place, digest + 8, sizeof(uint64_t));

    user.hash &= NGX_REALTIME_LIMITS_HASH;
    user.window = &ngx_realtime_limits.table->users[place % NGX_REALTIME_LIMITS_PLACES];

    return user;
}
