/* Who somebody is: an immutable, counted record in one block of memory, and the roles. */

#include <rt/rt_token.h>
#include <stdlib.h>
#include <string.h>


static rt_str_t rt_identity_text(char **pos, rt_str_t s);
static char     rt_identity_upper(char c);


static const struct {
    rt_str_t  name;
    rt_role_t role;
} rt_roles[] = {
    {rt_str("CUSTOMER"), RT_ROLE_CUSTOMER},
    {rt_str("STAFF"), RT_ROLE_STAFF},
    {rt_str("BUSINESS_ADMIN"), RT_ROLE_BUSINESS_ADMIN},
    {rt_str("BUSINESS_OWNER"), RT_ROLE_BUSINESS_OWNER},
    {rt_str("SUPER_ADMIN"), RT_ROLE_SUPER_ADMIN},
    {rt_str("SERVICE"), RT_ROLE_SERVICE},
};


rt_identity_t *
rt_identity_create(rt_str_t user_id, rt_str_t business_id, rt_str_t role_name, rt_str_t name,
    rt_str_t email, int64_t expires_at_ms)
{
    char          *pos;
    size_t         i, bytes;
    rt_identity_t *identity;

    bytes = sizeof(rt_identity_t) + user_id.len + business_id.len + role_name.len + name.len
        + email.len + 5;

    identity = malloc(bytes);
    if (identity == NULL) {
        return NULL;
    }

    pos = (char *) (identity + 1);

    identity->role_name.data = pos;
    identity->role_name.len = role_name.len;

    for (i = 0; i < role_name.len; i++) {
        *pos++ = rt_identity_upper(role_name.data[i]);
    }

    *pos++ = '\0';

    identity->user_id = rt_identity_text(&pos, user_id);
    identity->business_id = rt_identity_text(&pos, business_id);
    identity->name = rt_identity_text(&pos, name);
    identity->email = rt_identity_text(&pos, email);
    identity->role = rt_role_parse(role_name);
    identity->expires_at_ms = expires_at_ms;
    identity->references = 1;

    return identity;
}


rt_identity_t *
rt_identity_get(rt_identity_t *identity)
{
    (void) __atomic_add_fetch(&identity->references, 1, __ATOMIC_RELAXED);

    return identity;
}


void
rt_identity_put(rt_identity_t *identity)
{
    if (identity == NULL) {
        return;
    }

    /* what other threads read of it must be over before the last one frees it */
    if (__atomic_sub_fetch(&identity->references, 1, __ATOMIC_ACQ_REL) == 0) {
        free(identity);
    }
}


int
rt_role_is_staff(rt_role_t role)
{
    switch (role) {

    case RT_ROLE_STAFF:
    case RT_ROLE_BUSINESS_ADMIN:
    case RT_ROLE_BUSINESS_OWNER:
    case RT_ROLE_SUPER_ADMIN:
        return 1;

    case RT_ROLE_CUSTOMER:
    case RT_ROLE_SERVICE:
    case RT_ROLE_OTHER:
        break;
    }

    return 0;
}


rt_role_t
rt_role_parse(rt_str_t name)
{
    size_t i, j;

    for (i = 0; i < sizeof(rt_roles) / sizeof(rt_roles[0]); i++) {
        if (name.len != rt_roles[i].name.len) {
            continue;
        }

        for (j = 0; j < name.len; j++) {
            if (rt_identity_upper(name.data[j]) != rt_roles[i].name.data[j]) {
                break;
            }
        }

        if (j == name.len) {
            return rt_roles[i].role;
        }
    }

    return RT_ROLE_OTHER;
}


/* Copies s with a NUL behind it to *pos and moves that on. */
static rt_str_t
rt_identity_text(char **pos, rt_str_t s)
{
    char *copy;

    copy = *pos;

    if (s.len != 0) {
        memcpy(copy, s.data, s.len);
    }

    copy[s.len] = '\0';
    *pos += s.len + 1;

    return (rt_str_t){copy, s.len};
}


/* ASCII only: toupper() would ask the locale. */
static char
rt_identity_upper(char c)
{
    return (c >= 'a' && c <= 'z') ? (char) (c - 'a' + 'A') : c;
}
