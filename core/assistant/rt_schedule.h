/* When an automatic response applies: its trigger's conditions against a moment, in a time zone of
 * the system's tzdata. Pure but for reading tzdata. */

#ifndef RT_SCHEDULE_H
#define RT_SCHEDULE_H

#include <jansson.h>
#include <rt/rt_base.h>


#define RT_SCHEDULE_DATES_MAX  366
#define RT_SCHEDULE_QUEUE_MAX  1000000
#define RT_SCHEDULE_BEFORE_MAX 1440 /* minutes: a day */

typedef enum {
    RT_TRIGGER_MANUAL = 0,
    RT_TRIGGER_USER_JOINED = 1,
    RT_TRIGGER_AFTER_HOURS = 2,
    RT_TRIGGER_NO_STAFF = 3,
    RT_TRIGGER_HIGH_LOAD = 4
} rt_trigger_event_t;

/* By number, NULL terminated: "manual", "user-joined", … */
extern const char *const rt_trigger_event_names[];

/* A date of any year has year 0. */
typedef struct {
    int year;
    int month; /* 1…12 */
    int day;   /* 1…31 */
} rt_schedule_date_t;

/* A trigger as it is applied. */
typedef struct {
    rt_trigger_event_t  event;
    unsigned            days; /* bits: 1 << 0 is Sunday; 0: no dayOfWeek */
    int                 has_range;
    int                 start_minute; /* of the local day */
    int                 end_minute;
    rt_str_t            timezone;         /* empty: the default one */
    int64_t             queue_size;       /* 0: not a condition */
    int64_t             max_wait_minutes; /* maxWaitTime; 0: not a condition */
    int64_t             minutes_before;   /* 0: not a condition */
    rt_schedule_date_t *dates;
    size_t              dates_count;
} rt_trigger_t;

/* Reads and checks a trigger object {event,conditions?}: RT_INVALID with the member's name and why
 * in error. Texts and dates are copied into the arena. */
rt_status_t rt_trigger_read(const json_t *trigger, rt_arena_t *arena, rt_trigger_t *out,
    rt_error_t *error);

/* 1: tzdata knows the name. May read files. */
int rt_schedule_knows_zone(rt_str_t name);

/* 1: the window of dayOfWeek or timeRange or dates holds at that moment (start inclusive, end
 * exclusive; 18:00-09:00 wraps midnight; start = end is the whole day; the day is the local day of
 * the moment). No such condition: 0. */
int rt_trigger_in_window(const rt_trigger_t *trigger, rt_str_t default_zone, int64_t now_ms);

/* 1: the trigger has minutesBefore, its window does not hold now, and one begins within so many
 * minutes. */
int rt_trigger_is_near(const rt_trigger_t *trigger, rt_str_t default_zone, int64_t now_ms);

#endif
