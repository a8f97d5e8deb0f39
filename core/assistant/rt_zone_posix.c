/* TZ rules: reading them, and the offset that they give. */

#include <stdlib.h>
#include <string.h>

#include "assistant/rt_zone_posix.h"


#define RT_ZONE_HOURS_MAX 167 /* of a rule's time; RFC 8536 allows -167…167 */


static int64_t
rt_zone_floor(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}


/* Years begin in March here, so that the leap day is their last one. */
int64_t
rt_zone_days(int year, int month, int day)
{
    int64_t y, era, of_era, of_year;

    y = (int64_t) year - (month <= 2);
    era = rt_zone_floor(y, 400);
    of_era = y - era * 400;
    of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}


void
rt_zone_date(int64_t days, int *year, int *month, int *day)
{
    int64_t era, of_era, y, of_year, m;

    days += 719468;
    era = rt_zone_floor(days, 146097);
    of_era = days - era * 146097;
    y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * y + y / 4 - y / 100);
    m = (5 * of_year + 2) / 153;

    *day = (int) (of_year - (153 * m + 2) / 5 + 1);
    *month = (int) (m < 10 ? m + 3 : m - 9);
    *year = (int) (y + era * 400 + (*month <= 2));
}


static int
rt_zone_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}


static int
rt_zone_number(const char **p, int max, int *out)
{
    int value;

    if (**p < '0' || **p > '9') {
        return 0;
    }

    value = 0;

    while (**p >= '0' && **p <= '9') {
        value = value * 10 + (*(*p)++ - '0');

        if (value > max) {
            return 0;
        }
    }

    *out = value;

    return 1;
}


/* An abbreviation: letters, or anything between < and >. */
static int
rt_zone_name(const char **p)
{
    const char *start = *p;

    if (*start == '<') {
        *p = strchr(start, '>');
        return *p != NULL && (*p)++ != NULL;
    }

    while ((**p >= 'A' && **p <= 'Z') || (**p >= 'a' && **p <= 'z')) {
        (*p)++;
    }

    return *p - start >= 3;
}


/* [+-]hh[:mm[:ss]] */
static int
rt_zone_time(const char **p, int *out)
{
    int sign, hours, minutes, seconds;

    sign = 1;
    minutes = 0;
    seconds = 0;

    if (**p == '+' || **p == '-') {
        sign = *(*p)++ == '-' ? -1 : 1;
    }

    if (!rt_zone_number(p, RT_ZONE_HOURS_MAX, &hours)) {
        return 0;
    }

    if (**p == ':') {
        (*p)++;

        if (!rt_zone_number(p, 59, &minutes)) {
            return 0;
        }

        if (**p == ':') {
            (*p)++;

            if (!rt_zone_number(p, 59, &seconds)) {
                return 0;
            }
        }
    }

    *out = sign * (hours * 3600 + minutes * 60 + seconds);

    return 1;
}


static int
rt_zone_month_rule(const char **p, rt_zone_rule_t *rule)
{
    rule->kind = RT_ZONE_RULE_MONTH;

    return rt_zone_number(p, 12, &rule->month) && rule->month >= 1 && *(*p)++ == '.'
        && rt_zone_number(p, 5, &rule->week) && rule->week >= 1 && *(*p)++ == '.'
        && rt_zone_number(p, 6, &rule->day);
}


static int
rt_zone_rule(const char **p, rt_zone_rule_t *rule)
{
    int read;

    if (*(*p)++ != ',') {
        return 0;
    }

    rule->time_s = 2 * 3600;

    if (**p == 'M') {
        (*p)++;
        read = rt_zone_month_rule(p, rule);

    } else if (**p == 'J') {
        (*p)++;
        rule->kind = RT_ZONE_RULE_JULIAN;
        read = rt_zone_number(p, 365, &rule->day) && rule->day >= 1;

    } else {
        rule->kind = RT_ZONE_RULE_DAY;
        read = rt_zone_number(p, 365, &rule->day);
    }

    if (read && **p == '/') {
        (*p)++;
        read = rt_zone_time(p, &rule->time_s);
    }

    return read;
}


int
rt_zone_posix_read(const char *text, rt_zone_posix_t *out)
{
    int         west;
    const char *p = text;

    memset(out, 0, sizeof(rt_zone_posix_t));

    if (!rt_zone_name(&p) || !rt_zone_time(&p, &west)) {
        return 0;
    }

    out->std_s = -west;

    if (*p == '\0') {
        return 1;
    }

    out->has_dst = 1;
    out->dst_s = out->std_s + 3600;

    if (!rt_zone_name(&p)) {
        return 0;
    }

    if (*p != ',' && *p != '\0') {
        if (!rt_zone_time(&p, &west)) {
            return 0;
        }

        out->dst_s = -west;
    }

    return rt_zone_rule(&p, &out->start) && rt_zone_rule(&p, &out->end) && *p == '\0';
}


/* When the rule's moment of the year is on the local clock, in seconds since 1970. */
static int64_t
rt_zone_rule_at(const rt_zone_rule_t *rule, int year)
{
    int     weekday, next_year, next_month;
    int64_t day, end;

    if (rule->kind != RT_ZONE_RULE_MONTH) {
        day = rt_zone_days(year, 1, 1) + rule->day;

        if (rule->kind == RT_ZONE_RULE_JULIAN) {
            day += -1 + (rt_zone_leap(year) && rule->day >= 60);
        }

        return day * 86400 + rule->time_s;
    }

    next_year = rule->month == 12 ? year + 1 : year;
    next_month = rule->month == 12 ? 1 : rule->month + 1;
    day = rt_zone_days(year, rule->month, 1);
    end = rt_zone_days(next_year, next_month, 1);

    /* the first of 1970 was a Thursday */
    weekday = (int) (day + 4 - rt_zone_floor(day + 4, 7) * 7);
    day += (rule->day - weekday + 7) % 7 + (rule->week - 1) * 7;

    while (day >= end) {
        day -= 7;
    }

    return day * 86400 + rule->time_s;
}


int
rt_zone_posix_offset_s(const rt_zone_posix_t *posix, int64_t at_s)
{
    int     year, month, day, is_dst;
    int64_t start, end;

    if (!posix->has_dst) {
        return posix->std_s;
    }

    rt_zone_date(rt_zone_floor(at_s + posix->std_s, 86400), &year, &month, &day);
    start = rt_zone_rule_at(&posix->start, year) - posix->std_s;
    end = rt_zone_rule_at(&posix->end, year) - posix->dst_s;

    /* south of the equator it is over the turn of the year */
    is_dst = start < end ? at_s >= start && at_s < end : at_s >= start || at_s < end;

    return is_dst ? posix->dst_s : posix->std_s;
}
