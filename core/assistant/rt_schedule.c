/* Triggers of automatic responses: read from JSON, and held against a moment. */

#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "assistant/rt_schedule.h"
#include "assistant/rt_zone.h"
#include "assistant/rt_zone_posix.h"
#include "store/rt_store.h"


#define RT_SCHEDULE_QUARTER 15 /* minutes */

const char *const rt_trigger_event_names[] = {"manual", "user-joined", "after-hours",
    "no-staff-available", "high-load", NULL};


static rt_status_t
rt_trigger_invalid(rt_error_t *error, const char *what, const char *why)
{
    return rt_error_set(error, RT_INVALID, "trigger.%s %s", what, why);
}


static rt_status_t
rt_trigger_read_days(const json_t *value, rt_trigger_t *out, rt_error_t *error)
{
    size_t  i;
    json_t *day;

    if (!json_is_array(value)) {
        return rt_trigger_invalid(error, "conditions.dayOfWeek", "must be an array of 0 to 6");
    }

    json_array_foreach((json_t *) value, i, day)
    {
        if (!json_is_integer(day) || json_integer_value(day) < 0 || json_integer_value(day) > 6) {
            return rt_trigger_invalid(error, "conditions.dayOfWeek", "must be an array of 0 to 6");
        }

        out->days |= 1u << json_integer_value(day);
    }

    return RT_OK;
}


/* Exactly `count` digits; -1: it is something else. */
static int
rt_trigger_digits(const char *text, size_t count)
{
    int    value;
    size_t i;

    value = 0;

    for (i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }

        value = value * 10 + text[i] - '0';
    }

    return value;
}


/* "HH:MM" as the minute of the day; -1: it is none. */
static int
rt_trigger_minute(const json_t *value)
{
    int         hours, minutes;
    const char *text = json_string_value(value);

    if (text == NULL || strlen(text) != 5 || text[2] != ':') {
        return -1;
    }

    hours = rt_trigger_digits(text, 2);
    minutes = rt_trigger_digits(text + 3, 2);

    return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60 ? hours * 60 + minutes : -1;
}


static rt_status_t
rt_trigger_read_range(const json_t *value, rt_trigger_t *out, rt_error_t *error)
{
    out->has_range = 1;
    out->start_minute = rt_trigger_minute(json_object_get(value, "start"));
    out->end_minute = rt_trigger_minute(json_object_get(value, "end"));

    if (out->start_minute < 0 || out->end_minute < 0) {
        return rt_trigger_invalid(error, "conditions.timeRange",
            "must have start and end as \"HH:MM\", from 00:00 to 23:59");
    }

    return RT_OK;
}


/* "YYYY-MM-DD" or "MM-DD". */
static int
rt_trigger_date(const json_t *value, rt_schedule_date_t *date)
{
    int         year, month, day;
    const char *text = json_string_value(value);

    date->year = 0;

    if (text != NULL && strlen(text) == 10 && text[4] == '-') {
        date->year = rt_trigger_digits(text, 4);
        text += 5;

        if (date->year <= 0) {
            return 0;
        }
    }

    if (text == NULL || strlen(text) != 5 || text[2] != '-') {
        return 0;
    }

    date->month = rt_trigger_digits(text, 2);
    date->day = rt_trigger_digits(text + 3, 2);

    if (date->month < 1 || date->month > 12 || date->day < 1) {
        return 0;
    }

    /* the calendar gives back what it has; a day of any year may be the leap day */
    rt_zone_date(rt_zone_days(date->year ? date->year : 2024, date->month, date->day), &year,
        &month, &day);

    return month == date->month && day == date->day;
}


static rt_status_t
rt_trigger_read_dates(const json_t *value, rt_arena_t *arena, rt_trigger_t *out, rt_error_t *error)
{
    size_t  i;
    json_t *date;

    if (!json_is_array(value) || json_array_size(value) > RT_SCHEDULE_DATES_MAX) {
        return rt_trigger_invalid(error, "conditions.dates",
            "must be an array of at most 366 dates");
    }

    out->dates = rt_arena_calloc(arena, (json_array_size(value) + 1) * sizeof(rt_schedule_date_t));
    if (out->dates == NULL) {
        return RT_NO_MEMORY;
    }

    json_array_foreach((json_t *) value, i, date)
    {
        if (!rt_trigger_date(date, &out->dates[out->dates_count++])) {
            return rt_trigger_invalid(error, "conditions.dates",
                "must be dates as \"2026-12-25\" or \"12-25\"");
        }
    }

    return RT_OK;
}


static rt_status_t
rt_trigger_read_zone(const json_t *value, rt_arena_t *arena, rt_trigger_t *out, rt_error_t *error)
{
    rt_str_t name;

    name = json_is_string(value) ? (rt_str_t){json_string_value(value), json_string_length(value)}
                                 : rt_str_null;

    if (!rt_schedule_knows_zone(name)) {
        return rt_trigger_invalid(error, "conditions.timezone",
            "must be the name of a time zone, as Europe/London");
    }

    out->timezone = rt_arena_str(arena, name);

    return out->timezone.data ? RT_OK : RT_NO_MEMORY;
}


static rt_status_t
rt_trigger_read_number(const json_t *conditions, const char *name, int64_t max, int64_t *out,
    rt_error_t *error)
{
    const json_t *value;

    value = json_object_get(conditions, name);

    if (value == NULL || json_is_null(value)) {
        return RT_OK;
    }

    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > max)
    {
        return rt_error_set(error, RT_INVALID,
            "trigger.conditions.%s must be a whole number from 0 to %lld", name, (long long) max);
    }

    *out = json_integer_value(value);

    return RT_OK;
}


static rt_status_t
rt_trigger_read_conditions(const json_t *conditions, rt_arena_t *arena, rt_trigger_t *out,
    rt_error_t *error)
{
    rt_status_t   status;
    const json_t *value;

    status = RT_OK;

    if ((value = json_object_get(conditions, "dayOfWeek")) != NULL && !json_is_null(value)) {
        status = rt_trigger_read_days(value, out, error);
    }

    if (status == RT_OK && (value = json_object_get(conditions, "timeRange")) != NULL
        && !json_is_null(value))
    {
        status = rt_trigger_read_range(value, out, error);
    }

    if (status == RT_OK && (value = json_object_get(conditions, "dates")) != NULL
        && !json_is_null(value))
    {
        status = rt_trigger_read_dates(value, arena, out, error);
    }

    if (status == RT_OK && (value = json_object_get(conditions, "timezone")) != NULL
        && !json_is_null(value))
    {
        status = rt_trigger_read_zone(value, arena, out, error);
    }

    if (status == RT_OK) {
        status = rt_trigger_read_number(conditions, "queueSize", RT_SCHEDULE_QUEUE_MAX,
            &out->queue_size, error);
    }

    if (status == RT_OK) {
        status = rt_trigger_read_number(conditions, "maxWaitTime", RT_SCHEDULE_QUEUE_MAX,
            &out->max_wait_minutes, error);
    }

    if (status == RT_OK) {
        status = rt_trigger_read_number(conditions, "minutesBefore", RT_SCHEDULE_BEFORE_MAX,
            &out->minutes_before, error);
    }

    return status;
}


rt_status_t
rt_trigger_read(const json_t *trigger, rt_arena_t *arena, rt_trigger_t *out, rt_error_t *error)
{
    int           event;
    rt_str_t      name;
    const json_t *conditions;

    memset(out, 0, sizeof(rt_trigger_t));

    if (!json_is_object(trigger)) {
        return rt_error_set(error, RT_INVALID, "trigger must be an object");
    }

    name = rt_json_get_str(trigger, "event");
    event = rt_name_find(rt_trigger_event_names, name);

    if (name.len == 0 || event == -1) {
        return rt_trigger_invalid(error, "event",
            "must be user-joined, after-hours, no-staff-available, high-load or manual");
    }

    out->event = (rt_trigger_event_t) event;
    conditions = json_object_get(trigger, "conditions");

    if (conditions == NULL || json_is_null(conditions)) {
        return RT_OK;
    }

    if (!json_is_object(conditions)) {
        return rt_trigger_invalid(error, "conditions", "must be an object");
    }

    return rt_trigger_read_conditions(conditions, arena, out, error);
}


int
rt_schedule_knows_zone(rt_str_t name)
{
    return rt_zone_find(name) != NULL;
}


static int
rt_trigger_on_date(const rt_trigger_t *trigger, const rt_local_t *local)
{
    size_t                    i;
    const rt_schedule_date_t *date;

    for (i = 0; i < trigger->dates_count; i++) {
        date = &trigger->dates[i];

        if (date->month == local->month && date->day == local->day
            && (date->year == 0 || date->year == local->year))
        {
            return 1;
        }
    }

    return 0;
}


static int
rt_trigger_in_range(const rt_trigger_t *trigger, int minute)
{
    if (!trigger->has_range) {
        return 0;
    }

    if (trigger->start_minute < trigger->end_minute) {
        return minute >= trigger->start_minute && minute < trigger->end_minute;
    }

    /* over midnight; equal ones are the whole day */
    return minute >= trigger->start_minute || minute < trigger->end_minute;
}


/* A zone that tzdata has lost since it was saved is the default one, and that UTC. */
static const rt_zone_t *
rt_trigger_zone(const rt_trigger_t *trigger, rt_str_t default_zone)
{
    const rt_zone_t *zone;

    zone = trigger->timezone.len ? rt_zone_find(trigger->timezone) : NULL;

    if (zone == NULL) {
        zone = rt_zone_find(default_zone);
    }

    return zone ? zone : rt_zone_find(rt_str("UTC"));
}


static int
rt_trigger_applies(const rt_trigger_t *trigger, const rt_zone_t *zone, int64_t at_ms,
    rt_local_t *local)
{
    rt_zone_local(zone, at_ms, local);

    return (trigger->days & 1u << local->weekday) || rt_trigger_in_range(trigger, local->minute)
        || rt_trigger_on_date(trigger, local);
}


int
rt_trigger_in_window(const rt_trigger_t *trigger, rt_str_t default_zone, int64_t now_ms)
{
    rt_local_t local;

    return rt_trigger_applies(trigger, rt_trigger_zone(trigger, default_zone), now_ms, &local);
}


/* Minutes from a local time to the next one at which a window may begin: the start of the range,
 * midnight, or a full quarter, at which zones change their clocks. */
static int
rt_trigger_step(const rt_trigger_t *trigger, const rt_local_t *local)
{
    int step, ahead;

    step = RT_SCHEDULE_QUARTER - local->minute % RT_SCHEDULE_QUARTER;
    ahead = trigger->has_range ? trigger->start_minute - local->minute : 0;

    return ahead > 0 && ahead < step ? ahead : step;
}


int
rt_trigger_is_near(const rt_trigger_t *trigger, rt_str_t default_zone, int64_t now_ms)
{
    int64_t          minute;
    rt_local_t       local;
    const rt_zone_t *zone;

    if (trigger->minutes_before == 0) {
        return 0;
    }

    zone = rt_trigger_zone(trigger, default_zone);

    if (rt_trigger_applies(trigger, zone, now_ms, &local)) {
        return 0;
    }

    for (minute = rt_trigger_step(trigger, &local); minute <= trigger->minutes_before;
         minute += rt_trigger_step(trigger, &local))
    {
        if (rt_trigger_applies(trigger, zone, now_ms + minute * 60000, &local)) {
            return 1;
        }
    }

    return 0;
}
