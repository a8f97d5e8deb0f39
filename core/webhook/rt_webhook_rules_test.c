/* Addresses, signatures, waits and URLs of webhooks. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "webhook/rt_webhook.h"


static int
is_public(const char *text)
{
    struct sockaddr_in  v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        return rt_webhook_address_public((const struct sockaddr *) &v4);
    }

    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);

    return rt_webhook_address_public((const struct sockaddr *) &v6);
}


static void
test_addresses(void **state)
{
    size_t             i;
    struct sockaddr_un local = {.sun_family = AF_UNIX};

    static const char *const closed[] = {"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255",
        "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.169.254",
        "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.168.1.1", "198.18.0.1",
        "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255",
        "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3",
        "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "100::1",
        "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:c0a8:101::1", "fc00::1", "fd12:3456::1",
        "fe80::1", "fec0::1", "ff02::1"};
    static const char *const open[] = {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1",
        "100.63.255.255", "100.128.0.1", "126.255.255.255", "128.0.0.1", "169.253.255.255",
        "172.15.255.255", "172.32.0.1", "192.167.255.255", "192.169.0.1", "198.17.255.255",
        "198.20.0.1", "223.255.255.255", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
        "2606:4700:4700::1111", "2001:4860:4860::8888", "2002:808:808::1"};

    (void) state;

    for (i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
        if (is_public(closed[i])) {
            fail_msg("%s is let through", closed[i]);
        }
    }

    for (i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
        if (!is_public(open[i])) {
            fail_msg("%s is refused", open[i]);
        }
    }

    assert_false(rt_webhook_address_public((const struct sockaddr *) &local));
}


/* Computed by `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef`. */
static void
test_signature(void **state)
{
    char text[RT_WEBHOOK_SIGNATURE_LEN + 1];

    (void) state;

    assert_int_equal(rt_webhook_sign(text, rt_str("0123456789abcdef"), rt_str("1700000000"),
                         rt_str("{\"a\":1}")),
        RT_OK);
    assert_string_equal(text,
        "sha256=9eb18f493f8ec135d9eb2dad817c369bb4e9cbfa818657897a7437c1cd8c3a23");
}


static void
test_backoff(void **state)
{
    int64_t i, wait, spread;

    static const int64_t seconds[] = {10, 60, 300, 1800, 7200, 21600, 86400};

    (void) state;

    for (i = 0; i < 7; i++) {
        wait = rt_webhook_backoff_ms(i + 1, 0);
        assert_int_equal(wait, seconds[i] * 1000);
        spread = rt_webhook_backoff_ms(i + 1, UINT32_MAX);
        assert_true(spread >= wait && spread < wait + wait / 10);
    }

    assert_int_equal(rt_webhook_backoff_ms(8, 0), -1);
    assert_int_equal(rt_webhook_backoff_ms(9, 5), -1);
}


static void
test_urls(void **state)
{
    size_t     i;
    rt_error_t error;

    static const char *const good[] = {"http://example.com", "https://example.com:8443/a?b=c",
        "https://[2606:4700::1]/x", "HTTPS://EXAMPLE.COM/"};
    static const char *const bad[] = {"", "example.com", "ftp://example.com/", "file:///etc/passwd",
        "gopher://x/", "http://", "http://u@example.com/", "http://u:p@example.com/",
        "http://exam ple.com/", "http://example.com/\xc3\xbc", "http://example.com:99999/",
        "javascript:alert(1)", "http://example.com/\r\nX: y"};

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (rt_webhook_check_url(rt_str_c(good[i]), &error) != RT_OK) {
            fail_msg("%s: %s", good[i], error.text);
        }
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (rt_webhook_check_url(rt_str_c(bad[i]), &error) != RT_INVALID) {
            fail_msg("%s is taken", bad[i]);
        }

        assert_non_null(strstr(error.text, "url"));
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_urls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
