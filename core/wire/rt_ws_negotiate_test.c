/* permessage-deflate offers, RFC 7692 7.1: which are kept, and with which answer. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <rt/rt_ws.h>


#define PLAIN "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
#define BITS  PLAIN "; server_max_window_bits=15"


/* answer: NULL when nothing is to be agreed on */
static void
expect(const char *offer, const char *answer)
{
    rt_str_t    got;
    rt_status_t status;

    status = rt_ws_deflate_negotiate(rt_str_c(offer), &got);

    if (answer == NULL) {
        assert_int_equal(status, RT_DECLINED);
        return;
    }

    assert_int_equal(status, RT_OK);
    assert_int_equal(got.len, strlen(answer));
    assert_memory_equal(got.data, answer, got.len);
}


static void
test_kept(void **state)
{
    (void) state;

    expect("permessage-deflate", PLAIN);
    expect("permessage-deflate; client_max_window_bits", PLAIN);
    expect("  permessage-deflate ;client_max_window_bits = 8\t;client_no_context_takeover ", PLAIN);
    expect("permessage-deflate; server_no_context_takeover; client_max_window_bits=\"15\"", PLAIN);
    expect("permessage-deflate; server_max_window_bits=15", BITS);
    expect("x-webkit-deflate-frame, permessage-deflate", PLAIN);
    expect("foo; bar=\"baz\"; qux,permessage-deflate", PLAIN);
    expect(", ,permessage-deflate,", PLAIN);
}


/* An offer that we can't keep leaves room for the next one. */
static void
test_next_offer(void **state)
{
    (void) state;

    expect("permessage-deflate; server_max_window_bits=10, permessage-deflate", PLAIN);
    expect("permessage-deflate; server_max_window_bits=9, "
           "permessage-deflate; server_max_window_bits=15",
        BITS);
    expect("permessage-deflate; unknown, permessage-deflate; client_max_window_bits", PLAIN);
}


static void
test_declined(void **state)
{
    (void) state;

    expect("", NULL);
    expect("permessage-bzip2", NULL);
    expect("permessage-deflate; server_max_window_bits=10", NULL);
    expect("permessage-deflate; server_max_window_bits", NULL);
    expect("permessage-deflate; server_max_window_bits=16", NULL);
    expect("permessage-deflate; server_max_window_bits=015", NULL);
    expect("permessage-deflate; client_max_window_bits=7", NULL);
    expect("permessage-deflate; client_max_window_bits=16", NULL);
    expect("permessage-deflate; client_max_window_bits=08", NULL);
    expect("permessage-deflate; client_max_window_bits=x", NULL);
    expect("permessage-deflate; client_no_context_takeover=1", NULL);
    expect("permessage-deflate; server_no_context_takeover=true", NULL);
    expect("permessage-deflate; client_max_window_bits; client_max_window_bits", NULL);
    expect("permessage-deflate; unknown=1", NULL);
}


static void
test_malformed(void **state)
{
    (void) state;

    expect("permessage-deflate;", NULL);
    expect("permessage-deflate; =1", NULL);
    expect("permessage-deflate; client_max_window_bits=", NULL);
    expect("permessage-deflate; client_max_window_bits=\"15", NULL);
    expect("permessage-deflate; client_max_window_bits=\"\"", NULL);
    expect("permessage-deflate client_max_window_bits", NULL);
    expect("permessage-deflate, \"x\"", NULL);
    expect(";", NULL);
    expect("permessage-deflate, x; y=\"", NULL);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_next_offer),
        cmocka_unit_test(test_declined),
        cmocka_unit_test(test_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
