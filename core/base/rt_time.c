/* Points in time as milliseconds, and as the text that JavaScript's toISOString() writes.
 *
 * The calendar is proleptic Gregorian and computed here (the arithmetic is that of Howard
 * Hinnant's "chrono-Compatible Low-Level Date Algorithms"): the C library's functions know time
 * zones and locales, which nothing here should depend on. */

#include <rt/rt_text.h>
#include <time.h>


#define RT_TIME_DAY_MS 86400000
#define RT_TIME_MIN_MS (-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define RT_TIME_MAX_MS 253402300799999   /* 9999-12-31T23:59:59.999Z */


static char       *rt_time_put(char *out, int digits, int value, char behind);
static int64_t     rt_time_days(int64_t year, int month, int day);
static int         rt_time_month_length(int year, int month);
static rt_status_t rt_time_digits(rt_str_t *s, size_t count, int *value);
static rt_status_t rt_time_char(rt_str_t *s, char c);
static rt_status_t rt_time_fraction(rt_str_t *s, int *ms);
static rt_status_t rt_time_offset(rt_str_t *s, int *minutes);


int64_t
rt_time_now_ms(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_REALTIME, &now);

    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}


void
rt_time_format(char out[RT_TIME_LEN + 1], int64_t time_ms)
{
    int     ms, year, month, day;
    int64_t days, era, day_of_era, year_of_era, day_of_year;

    time_ms = (time_ms < RT_TIME_MIN_MS) ? RT_TIME_MIN_MS : time_ms;
    time_ms = (time_ms > RT_TIME_MAX_MS) ? RT_TIME_MAX_MS : time_ms;

    days = time_ms / RT_TIME_DAY_MS - (time_ms % RT_TIME_DAY_MS < 0);
    ms = (int) (time_ms - days * RT_TIME_DAY_MS);

    days += 719468; /* from 0000-03-01: leap days end the year */
    era = (days >= 0 ? days : days - 146096) / 146097;
    day_of_era = days - era * 146097;
    year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    month = (int) ((5 * day_of_year + 2) / 153);
    day = (int) (day_of_year - (153 * month + 2) / 5 + 1);
    month = month < 10 ? month + 3 : month - 9;
    year = (int) (year_of_era + era * 400 + (month <= 2));

    out = rt_time_put(out, 4, year, '-');
    out = rt_time_put(out, 2, month, '-');
    out = rt_time_put(out, 2, day, 'T');
    out = rt_time_put(out, 2, ms / 3600000, ':');
    out = rt_time_put(out, 2, ms / 60000 % 60, ':');
    out = rt_time_put(out, 2, ms / 1000 % 60, '.');
    out = rt_time_put(out, 3, ms % 1000, 'Z');
    *out = '\0';
}


/* Writes value with that many digits and the character behind it; returns where they end. */
static char *
rt_time_put(char *out, int digits, int value, char behind)
{
    int i;

    for (i = digits - 1; i >= 0; i--) {
        out[i] = (char) ('0' + value % 10);
        value /= 10;
    }

    out[digits] = behind;

    return out + digits + 1;
}


rt_status_t
rt_time_parse(rt_str_t s, int64_t *time_ms)
{
    int year, month, day, hour, minute, second, ms, offset;

    if (rt_time_digits(&s, 4, &year) != RT_OK || rt_time_char(&s, '-') != RT_OK
        || rt_time_digits(&s, 2, &month) != RT_OK || rt_time_char(&s, '-') != RT_OK
        || rt_time_digits(&s, 2, &day) != RT_OK || rt_time_char(&s, 'T') != RT_OK
        || rt_time_digits(&s, 2, &hour) != RT_OK || rt_time_char(&s, ':') != RT_OK
        || rt_time_digits(&s, 2, &minute) != RT_OK || rt_time_char(&s, ':') != RT_OK
        || rt_time_digits(&s, 2, &second) != RT_OK || rt_time_fraction(&s, &ms) != RT_OK
        || rt_time_offset(&s, &offset) != RT_OK || s.len != 0)
    {
        return RT_INVALID;
    }

    if (month < 1 || month > 12 || day < 1 || day > rt_time_month_length(year, month) || hour > 23
        || minute > 59 || second > 59)
    {
        return RT_INVALID;
    }

    *time_ms = rt_time_days(year, month, day) * RT_TIME_DAY_MS
        + ((hour * 60 + minute - offset) * 60 + second) * (int64_t) 1000 + ms;

    return RT_OK;
}


/* Days from 1970-01-01. */
static int64_t
rt_time_days(int64_t year, int month, int day)
{
    int64_t era, year_of_era, day_of_year;

    year -= month <= 2;
    era = (year >= 0 ? year : year - 399) / 400;
    year_of_era = year - era * 400;
    day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
        - 719468;
}


static int
rt_time_month_length(int year, int month)
{
    static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        return 29;
    }

    return lengths[month - 1];
}


/* The rt_time_* below eat the start of *s. */
static rt_status_t
rt_time_digits(rt_str_t *s, size_t count, int *value)
{
    size_t i;

    if (s->len < count) {
        return RT_INVALID;
    }

    *value = 0;

    for (i = 0; i < count; i++) {
        if (s->data[i] < '0' || s->data[i] > '9') {
            return RT_INVALID;
        }

        *value = *value * 10 + (s->data[i] - '0');
    }

    s->data += count;
    s->len -= count;

    return RT_OK;
}


static rt_status_t
rt_time_char(rt_str_t *s, char c)
{
    if (s->len == 0 || s->data[0] != c) {
        return RT_INVALID;
    }

    s->data++;
    s->len--;

    return RT_OK;
}


/* Nothing, or a dot and digits, of which those past the third are cut off. */
static rt_status_t
rt_time_fraction(rt_str_t *s, int *ms)
{
    int digit, weight;

    *ms = 0;

    if (rt_time_char(s, '.') != RT_OK) {
        return RT_OK;
    }

    if (rt_time_digits(s, 1, &digit) != RT_OK) {
        return RT_INVALID;
    }

    weight = 100;

    do {
        *ms += digit * weight;
        weight /= 10;
    } while (rt_time_digits(s, 1, &digit) == RT_OK);

    return RT_OK;
}


static rt_status_t
rt_time_offset(rt_str_t *s, int *minutes)
{
    int hour, minute, sign;

    *minutes = 0;

    if (rt_time_char(s, 'Z') == RT_OK) {
        return RT_OK;
    }

    sign = 1;

    if (rt_time_char(s, '+') != RT_OK) {
        if (rt_time_char(s, '-') != RT_OK) {
            return RT_INVALID;
        }

        sign = -1;
    }

    if (rt_time_digits(s, 2, &hour) != RT_OK || rt_time_char(s, ':') != RT_OK
        || rt_time_digits(s, 2, &minute) != RT_OK || hour > 23 || minute > 59)
    {
        return RT_INVALID;
    }

    *minutes = sign * (hour * 60 + minute);

    return RT_OK;
}
