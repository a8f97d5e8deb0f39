/* Tests of identities and roles. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <rt/rt_token.h>
#include <string.h>


static void
rt_test_create(void **state)
{
    char           user[] = "u1";
    rt_identity_t *identity;

    (void) state;

    identity = rt_identity_create((rt_str_t){user, 2}, rt_str_null, rt_str("Business_Owner"),
        rt_str("Zoe"), rt_str(""), 42);
    assert_non_null(identity);

    user[0] = 'x'; /* it is a copy */

    assert_string_equal(identity->user_id.data, "u1");
    assert_int_equal(identity->user_id.len, 2);
    assert_string_equal(identity->business_id.data, "");
    assert_int_equal(identity->business_id.len, 0);
    assert_string_equal(identity->role_name.data, "BUSINESS_OWNER");
    assert_int_equal(identity->role, RT_ROLE_BUSINESS_OWNER);
    assert_string_equal(identity->name.data, "Zoe");
    assert_string_equal(identity->email.data, "");
    assert_int_equal(identity->expires_at_ms, 42);

    assert_ptr_equal(rt_identity_get(identity), identity);
    rt_identity_put(identity);
    assert_string_equal(identity->name.data, "Zoe");
    rt_identity_put(identity);
    rt_identity_put(NULL);
}


static void
rt_test_roles(void **state)
{
    size_t i;

    static const struct {
        rt_str_t  name;
        rt_role_t role;
        int       staff;
    } cases[] = {
        {rt_str("CUSTOMER"), RT_ROLE_CUSTOMER, 0},
        {rt_str("customer"), RT_ROLE_CUSTOMER, 0},
        {rt_str("Staff"), RT_ROLE_STAFF, 1},
        {rt_str("BUSINESS_ADMIN"), RT_ROLE_BUSINESS_ADMIN, 1},
        {rt_str("business_owner"), RT_ROLE_BUSINESS_OWNER, 1},
        {rt_str("SUPER_ADMIN"), RT_ROLE_SUPER_ADMIN, 1},
        {rt_str("SERVICE"), RT_ROLE_SERVICE, 0},
        {rt_str("ADMIN"), RT_ROLE_OTHER, 0},
        {rt_str("STAFF "), RT_ROLE_OTHER, 0},
        {rt_str("STAF"), RT_ROLE_OTHER, 0},
        {rt_str("STAFF\0"), RT_ROLE_OTHER, 0},
        {rt_str(""), RT_ROLE_OTHER, 0},
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(rt_role_parse(cases[i].name), cases[i].role);
        assert_int_equal(rt_role_is_staff(cases[i].role), cases[i].staff);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rt_test_create),
        cmocka_unit_test(rt_test_roles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
