/* Conditions against moments: tables of cases, with the system's tzdata. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "assistant/rt_schedule.h"
#include "assistant/rt_zone.h"
#include "assistant/rt_zone_posix.h"


static rt_arena_t *arena;


static int
setup(void **state)
{
    (void) state;

    rt_json_init();
    arena = rt_arena_create(0);

    return arena ? 0 : -1;
}


static int
teardown(void **state)
{
    (void) state;

    rt_arena_destroy(arena);

    return 0;
}


/* "2026-03-29T01:30" in UTC, in milliseconds since 1970. */
static int64_t
moment(const char *text)
{
    int year, month, day, hour, minute;

    assert_int_equal(sscanf(text, "%d-%d-%dT%d:%d", &year, &month, &day, &hour, &minute), 5);

    return (rt_zone_days(year, month, day) * 1440 + hour * 60 + minute) * 60000;
}


static rt_status_t
read_trigger(const char *conditions, rt_trigger_t *out, rt_error_t *error)
{
    char        text[1024];
    json_t     *json;
    rt_status_t status;

    (void) snprintf(text, sizeof(text), "{\"event\":\"after-hours\",\"conditions\":%s}",
        conditions);
    assert_int_equal(rt_json_parse(rt_str_c(text), &json, NULL), RT_OK);
    status = rt_trigger_read(json, arena, out, error);
    json_decref(json);

    return status;
}


static void
test_zones(void **state)
{
    size_t           i;
    rt_local_t       local;
    const rt_zone_t *zone;

    static const struct {
        const char *zone;
        const char *at;
        int         offset_minutes;
    } cases[] = {
        {"UTC", "2026-07-01T00:00", 0},
        /* the clock goes forward and back, to the minute */
        {"Europe/London", "2026-03-29T00:59", 0},
        {"Europe/London", "2026-03-29T01:00", 60},
        {"Europe/London", "2026-10-25T00:59", 60},
        {"Europe/London", "2026-10-25T01:00", 0},
        {"America/New_York", "2026-03-08T06:59", -300},
        {"America/New_York", "2026-03-08T07:00", -240},
        {"America/New_York", "2026-11-01T05:59", -240},
        {"America/New_York", "2026-11-01T06:00", -300},
        /* behind what the files list one by one */
        {"Europe/London", "2045-07-01T12:00", 60},
        {"Europe/London", "2045-12-01T12:00", 0},
        {"Australia/Sydney", "2045-01-01T12:00", 660},
        {"Australia/Sydney", "2045-07-01T12:00", 600},
        /* before any change, and long ago */
        {"Europe/London", "1800-01-01T00:00", -1},
        {"Europe/London", "1970-01-01T00:00", 60},
        /* no more daylight saving since 2022: old data says an hour more */
        {"America/Mexico_City", "2026-07-01T12:00", -360},
        {"US/Pacific", "2026-07-01T12:00", -420},
        {"Asia/Kathmandu", "2026-07-01T12:00", 345},
        {"Pacific/Kiritimati", "2026-07-01T12:00", 840},
        {"Africa/Casablanca", "2026-07-01T12:00", 60},
        {"Etc/GMT+5", "2026-07-01T12:00", -300},
        {"America/Argentina/Buenos_Aires", "2026-07-01T12:00", -180},
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        zone = rt_zone_find(rt_str_c(cases[i].zone));

        if (zone == NULL) {
            fail_msg("%s is not known", cases[i].zone);
        }

        if (rt_zone_offset_s(zone, moment(cases[i].at)) / 60 != cases[i].offset_minutes) {
            fail_msg("%s at %s: %d minutes, expected %d", cases[i].zone, cases[i].at,
                rt_zone_offset_s(zone, moment(cases[i].at)) / 60, cases[i].offset_minutes);
        }
    }

    rt_zone_local(rt_zone_find(rt_str("America/New_York")), moment("2026-01-01T04:59"), &local);
    assert_int_equal(local.year, 2025);
    assert_int_equal(local.month, 12);
    assert_int_equal(local.day, 31);
    assert_int_equal(local.weekday, 3);
    assert_int_equal(local.minute, 1439);
}


static void
test_unknown_zones(void **state)
{
    size_t i;

    static const char *const names[] = {"", "Europe", "Europe/", "/Europe/London", "Europe//London",
        "Europe/Nowhere", "../zoneinfo/UTC", "Europe/../UTC", "/etc/passwd", "tzdata.zi",
        "posix/UTC", "right/UTC", "zone1970.tab", "Europe/London ", "europe/london\n",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};

    (void) state;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (rt_schedule_knows_zone(rt_str_c(names[i]))) {
            fail_msg("\"%s\" is known", names[i]);
        }
    }

    assert_false(rt_schedule_knows_zone((rt_str_t){"UTC\0x", 5}));
}


static void
test_posix(void **state)
{
    size_t          i;
    rt_zone_posix_t posix;

    static const struct {
        const char *rule;
        const char *at;
        int         offset_minutes;
    } cases[] = {
        {"EST5EDT,M3.2.0,M11.1.0", "2026-03-08T07:00", -240},
        {"EST5EDT,M3.2.0,M11.1.0", "2026-03-08T06:59", -300},
        {"<-03>3", "2026-03-08T07:00", -180},
        {"<+0530>-5:30", "2026-03-08T07:00", 330},
        /* the last Sunday; before midnight; a whole week of hours */
        {"IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-26T23:59", 120},
        {"IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-27T00:00", 180},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59", -120},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00", -60},
        /* days of the year, with and without the leap day */
        {"AAA0BBB,J60/0,J61/0", "2024-03-01T12:00", 60},
        {"AAA0BBB,59/0,60/0", "2024-02-29T12:00", 60},
        {"AAA0BBB,J60/0,J61/0", "2023-03-01T12:00", 60},
    };
    static const char *const bad[] = {"", "E5", "EST", "EST5EDT", "EST5EDT,M3.2.0",
        "EST5EDT,M13.2.0,M11.1.0", "EST5EDT,M3.6.0,M11.1.0", "EST5EDT,M3.2.7,M11.1.0",
        "EST5EDT,M3.2.0,M11.1.0x", "EST200", "<EST5", "EST5EDT,J0,J1", "EST5EDT,366,1", "EST+"};

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(rt_zone_posix_read(cases[i].rule, &posix), 1);

        if (rt_zone_posix_offset_s(&posix, moment(cases[i].at) / 1000) / 60
            != cases[i].offset_minutes) {
            fail_msg("%s at %s: %d minutes", cases[i].rule, cases[i].at,
                rt_zone_posix_offset_s(&posix, moment(cases[i].at) / 1000) / 60);
        }
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (rt_zone_posix_read(bad[i], &posix)) {
            fail_msg("\"%s\" is a rule", bad[i]);
        }
    }
}


/* Each day of four centuries and back. */
static void
test_calendar(void **state)
{
    int     year, month, day;
    int64_t days;

    (void) state;

    assert_int_equal(rt_zone_days(1970, 1, 1), 0);
    assert_int_equal(rt_zone_days(2000, 2, 29), 11016);
    assert_int_equal(rt_zone_days(1969, 12, 31), -1);

    for (days = -200 * 366; days < 200 * 366; days++) {
        rt_zone_date(days, &year, &month, &day);
        assert_int_equal(rt_zone_days(year, month, day), days);
    }
}


static void
test_windows(void **state)
{
    size_t       i;
    rt_error_t   error;
    rt_trigger_t trigger;

    static const struct {
        const char *conditions;
        const char *at;
        int         holds;
    } cases[] = {
        {"{}", "2026-11-26T12:00", 0},
        {"null", "2026-11-26T12:00", 0},
        /* Friday 23:59 to Saturday 00:00, on the local clock */
        {"{\"dayOfWeek\":[6,0]}", "2026-11-27T23:59", 0},
        {"{\"dayOfWeek\":[6,0]}", "2026-11-28T00:00", 1},
        {"{\"dayOfWeek\":[6,0]}", "2026-11-29T23:59", 1},
        {"{\"dayOfWeek\":[6,0]}", "2026-11-30T00:00", 0},
        {"{\"dayOfWeek\":[6],\"timezone\":\"America/New_York\"}", "2026-11-28T04:59", 0},
        {"{\"dayOfWeek\":[6],\"timezone\":\"America/New_York\"}", "2026-11-28T05:00", 1},
        /* start is in, end is out */
        {"{\"timeRange\":{\"start\":\"12:00\",\"end\":\"13:00\"}}", "2026-11-26T11:59", 0},
        {"{\"timeRange\":{\"start\":\"12:00\",\"end\":\"13:00\"}}", "2026-11-26T12:00", 1},
        {"{\"timeRange\":{\"start\":\"12:00\",\"end\":\"13:00\"}}", "2026-11-26T12:59", 1},
        {"{\"timeRange\":{\"start\":\"12:00\",\"end\":\"13:00\"}}", "2026-11-26T13:00", 0},
        /* over midnight */
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"}}", "2026-11-26T17:59", 0},
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"}}", "2026-11-26T18:00", 1},
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"}}", "2026-11-26T00:00", 1},
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"}}", "2026-11-26T08:59", 1},
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"}}", "2026-11-26T09:00", 0},
        /* equal ones: the whole day */
        {"{\"timeRange\":{\"start\":\"09:00\",\"end\":\"09:00\"}}", "2026-11-26T08:59", 1},
        {"{\"timeRange\":{\"start\":\"09:00\",\"end\":\"09:00\"}}", "2026-11-26T09:00", 1},
        /* either of two */
        {"{\"dayOfWeek\":[0],\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"}}",
            "2026-11-29T12:00", 1},
        {"{\"dayOfWeek\":[0],\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"}}",
            "2026-11-26T20:00", 1},
        {"{\"dayOfWeek\":[0],\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"}}",
            "2026-11-26T12:00", 0},
        /* open from nine, whatever the clock does that night */
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"},\"timezone\":\"Europe/London\"}",
            "2026-03-28T09:00", 0},
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"},\"timezone\":\"Europe/London\"}",
            "2026-03-29T07:59", 1},
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"},\"timezone\":\"Europe/London\"}",
            "2026-03-29T08:00", 0},
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"},\"timezone\":\"Europe/London\"}",
            "2026-10-25T08:59", 1},
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"},\"timezone\":\"Europe/London\"}",
            "2026-10-25T09:00", 0},
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"},\"timezone\":\"US/Eastern\"}",
            "2026-03-08T12:59", 1},
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"},\"timezone\":\"US/Eastern\"}",
            "2026-03-08T13:00", 0},
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"},\"timezone\":\"US/Eastern\"}",
            "2026-11-01T13:59", 1},
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"},\"timezone\":\"US/Eastern\"}",
            "2026-11-01T14:00", 0},
        /* an hour that is there twice, and one that is not */
        {"{\"timeRange\":{\"start\":\"01:00\",\"end\":\"02:00\"},\"timezone\":\"Europe/London\"}",
            "2026-10-25T00:30", 1},
        {"{\"timeRange\":{\"start\":\"01:00\",\"end\":\"02:00\"},\"timezone\":\"Europe/London\"}",
            "2026-10-25T01:30", 1},
        {"{\"timeRange\":{\"start\":\"01:00\",\"end\":\"02:00\"},\"timezone\":\"Europe/London\"}",
            "2026-03-29T00:59", 0},
        {"{\"timeRange\":{\"start\":\"01:00\",\"end\":\"02:00\"},\"timezone\":\"Europe/London\"}",
            "2026-03-29T01:00", 0},
        /* holidays */
        {"{\"dates\":[\"2026-12-25\"]}", "2026-12-25T00:00", 1},
        {"{\"dates\":[\"2026-12-25\"]}", "2027-12-25T00:00", 0},
        {"{\"dates\":[\"12-25\",\"01-01\"]}", "2027-12-25T23:59", 1},
        {"{\"dates\":[\"12-25\",\"01-01\"]}", "2027-12-26T00:00", 0},
        {"{\"dates\":[\"02-29\"]}", "2028-02-29T00:00", 1},
        {"{\"dates\":[\"12-25\"],\"timezone\":\"Pacific/Kiritimati\"}", "2026-12-24T10:00", 1},
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_trigger(cases[i].conditions, &trigger, &error), RT_OK);

        if (rt_trigger_in_window(&trigger, rt_str("UTC"), moment(cases[i].at)) != cases[i].holds) {
            fail_msg("%s at %s: expected %d", cases[i].conditions, cases[i].at, cases[i].holds);
        }
    }

    /* the zone of the configuration, where the response names none */
    assert_int_equal(read_trigger("{\"dayOfWeek\":[6]}", &trigger, &error), RT_OK);
    assert_false(rt_trigger_in_window(&trigger, rt_str("UTC"), moment("2026-11-27T11:00")));
    assert_true(
        rt_trigger_in_window(&trigger, rt_str("Pacific/Auckland"), moment("2026-11-27T11:00")));
}


static void
test_near(void **state)
{
    size_t       i;
    rt_error_t   error;
    rt_trigger_t trigger;

    static const struct {
        const char *conditions;
        const char *at;
        int         near;
    } cases[] = {
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"},\"minutesBefore\":30}",
            "2026-11-26T17:29", 0},
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"},\"minutesBefore\":30}",
            "2026-11-26T17:30", 1},
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"},\"minutesBefore\":30}",
            "2026-11-26T17:59", 1},
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"},\"minutesBefore\":30}",
            "2026-11-26T18:00", 0},
        {"{\"timeRange\":{\"start\":\"18:00\",\"end\":\"09:00\"}}", "2026-11-26T17:59", 0},
        {"{\"dayOfWeek\":[6],\"minutesBefore\":60}", "2026-11-27T22:59", 0},
        {"{\"dayOfWeek\":[6],\"minutesBefore\":60}", "2026-11-27T23:00", 1},
        {"{\"dates\":[\"12-25\"],\"minutesBefore\":1440}", "2026-12-23T23:59", 0},
        {"{\"dates\":[\"12-25\"],\"minutesBefore\":1440}", "2026-12-24T00:00", 1},
        {"{\"timeRange\":{\"start\":\"17:59\",\"end\":\"18:00\"},\"minutesBefore\":1440}",
            "2026-11-26T18:00", 1},
        {"{\"timeRange\":{\"start\":\"17:59\",\"end\":\"18:00\"},\"minutesBefore\":1438}",
            "2026-11-26T18:00", 0},
        /* half past two is not, and the range begins with the jump to three, at 07:00 in UTC */
        {"{\"timeRange\":{\"start\":\"02:30\",\"end\":\"05:00\"},\"minutesBefore\":60,"
         "\"timezone\":\"America/New_York\"}",
            "2026-03-08T06:00", 1},
        {"{\"timeRange\":{\"start\":\"02:30\",\"end\":\"05:00\"},\"minutesBefore\":60,"
         "\"timezone\":\"America/New_York\"}",
            "2026-03-08T05:59", 0},
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_trigger(cases[i].conditions, &trigger, &error), RT_OK);

        if (rt_trigger_is_near(&trigger, rt_str("UTC"), moment(cases[i].at)) != cases[i].near) {
            fail_msg("%s at %s: expected %d", cases[i].conditions, cases[i].at, cases[i].near);
        }
    }
}


static void
test_refused(void **state)
{
    size_t       i;
    json_t      *json;
    rt_error_t   error;
    rt_trigger_t trigger;

    static const struct {
        const char *trigger;
        const char *names;
    } cases[] = {
        {"[]", "trigger"},
        {"{}", "trigger.event"},
        {"{\"event\":7}", "trigger.event"},
        {"{\"event\":\"sometimes\"}", "trigger.event"},
        {"{\"event\":\"manual\",\"conditions\":[]}", "trigger.conditions"},
        {"{\"event\":\"manual\",\"conditions\":{\"dayOfWeek\":1}}", "dayOfWeek"},
        {"{\"event\":\"manual\",\"conditions\":{\"dayOfWeek\":[7]}}", "dayOfWeek"},
        {"{\"event\":\"manual\",\"conditions\":{\"dayOfWeek\":[-1]}}", "dayOfWeek"},
        {"{\"event\":\"manual\",\"conditions\":{\"dayOfWeek\":[1.5]}}", "dayOfWeek"},
        {"{\"event\":\"manual\",\"conditions\":{\"timeRange\":\"9-5\"}}", "timeRange"},
        {"{\"event\":\"manual\",\"conditions\":{\"timeRange\":{\"start\":\"09:00\"}}}",
            "timeRange"},
        {"{\"event\":\"manual\",\"conditions\":{\"timeRange\":{\"start\":\"9:00\",\"end\":\"17:"
         "00\"}}}",
            "timeRange"},
        {"{\"event\":\"manual\",\"conditions\":{\"timeRange\":{\"start\":\"24:00\",\"end\":\"17:"
         "00\"}}}",
            "timeRange"},
        {"{\"event\":\"manual\",\"conditions\":{\"timeRange\":{\"start\":\"09:60\",\"end\":\"17:"
         "00\"}}}",
            "timeRange"},
        {"{\"event\":\"manual\",\"conditions\":{\"timeRange\":{\"start\":\"+9:00\",\"end\":\"17:"
         "00\"}}}",
            "timeRange"},
        {"{\"event\":\"manual\",\"conditions\":{\"dates\":[\"2026-02-29\"]}}", "dates"},
        {"{\"event\":\"manual\",\"conditions\":{\"dates\":[\"2026-13-01\"]}}", "dates"},
        {"{\"event\":\"manual\",\"conditions\":{\"dates\":[\"26-12-2025\"]}}", "dates"},
        {"{\"event\":\"manual\",\"conditions\":{\"dates\":[\"0000-12-25\"]}}", "dates"},
        {"{\"event\":\"manual\",\"conditions\":{\"dates\":[\"1225\"]}}", "dates"},
        {"{\"event\":\"manual\",\"conditions\":{\"dates\":[1225]}}", "dates"},
        {"{\"event\":\"manual\",\"conditions\":{\"timezone\":\"Mars/Olympus\"}}", "timezone"},
        {"{\"event\":\"manual\",\"conditions\":{\"timezone\":7}}", "timezone"},
        {"{\"event\":\"manual\",\"conditions\":{\"queueSize\":-1}}", "queueSize"},
        {"{\"event\":\"manual\",\"conditions\":{\"queueSize\":\"many\"}}", "queueSize"},
        {"{\"event\":\"manual\",\"conditions\":{\"maxWaitTime\":1.5}}", "maxWaitTime"},
        {"{\"event\":\"manual\",\"conditions\":{\"minutesBefore\":1441}}", "minutesBefore"},
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(rt_json_parse(rt_str_c(cases[i].trigger), &json, NULL), RT_OK);
        error.text[0] = '\0';

        if (rt_trigger_read(json, arena, &trigger, &error) != RT_INVALID
            || strstr(error.text, cases[i].names) == NULL)
        {
            fail_msg("%s: \"%s\"", cases[i].trigger, error.text);
        }

        json_decref(json);
    }

    assert_int_equal(rt_json_parse(rt_str(
                                       "{\"event\":\"high-load\",\"conditions\":{\"queueSize\":5,"
                                       "\"maxWaitTime\":null,\"other\":1}}"),
                         &json, NULL),
        RT_OK);
    assert_int_equal(rt_trigger_read(json, arena, &trigger, &error), RT_OK);
    json_decref(json);
    assert_int_equal(trigger.event, RT_TRIGGER_HIGH_LOAD);
    assert_int_equal(trigger.queue_size, 5);
    assert_int_equal(trigger.max_wait_minutes, 0);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_unknown_zones),
        cmocka_unit_test(test_posix),
        cmocka_unit_test(test_calendar),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_near),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
