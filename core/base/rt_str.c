/* Counted text: making and comparing it. */

#include <rt/rt_base.h>
#include <string.h>


rt_str_t
rt_str_c(const char *s)
{
    if (s == NULL) {
        return rt_str_null;
    }

    return (rt_str_t){s, strlen(s)};
}


int
rt_str_eq(rt_str_t a, rt_str_t b)
{
    if (a.len != b.len) {
        return 0;
    }

    /* memcmp must not see NULL, not even with a length of 0 */
    return a.len == 0 || memcmp(a.data, b.data, a.len) == 0;
}


int
rt_str_eq_secret(rt_str_t a, rt_str_t b)
{
    size_t        i;
    unsigned char difference;

    if (a.len != b.len) {
        return 0;
    }

    difference = 0;

    /* volatile reads keep the compiler from leaving the loop at the first difference */
    for (i = 0; i < a.len; i++) {
        difference |= (unsigned char) (((const volatile char *) a.data)[i]
            ^ ((const volatile char *) b.data)[i]);
    }

    return difference == 0;
}
