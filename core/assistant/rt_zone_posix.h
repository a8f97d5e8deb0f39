/* The rule of a TZ variable (POSIX, with the extensions of RFC 8536, 3.3.1):
 * "EST5EDT,M3.2.0,M11.1.0". */

#ifndef RT_ZONE_POSIX_H
#define RT_ZONE_POSIX_H

#include <stdint.h>


typedef enum { RT_ZONE_RULE_MONTH, RT_ZONE_RULE_JULIAN, RT_ZONE_RULE_DAY } rt_zone_rule_e;

/* A day of each year, and the local time then. */
typedef struct {
    rt_zone_rule_e kind;
    int            month;
    int            week; /* 1…5; 5: the last one */
    int            day;  /* of the week; of the year: 1…365 without a leap day, 0…365 with it */
    int            time_s;
} rt_zone_rule_t;

typedef struct {
    int            std_s; /* seconds east of UTC */
    int            dst_s;
    int            has_dst;
    rt_zone_rule_t start;
    rt_zone_rule_t end;
} rt_zone_posix_t;

/* Reads a whole string. 0: it is none. */
int rt_zone_posix_read(const char *text, rt_zone_posix_t *out);

/* Seconds east of UTC at a moment, in seconds since 1970. Pure. */
int rt_zone_posix_offset_s(const rt_zone_posix_t *posix, int64_t at_s);

/* Days since 1970 of a date of the proleptic Gregorian calendar, and back. Pure. */
int64_t rt_zone_days(int year, int month, int day);
void    rt_zone_date(int64_t days, int *year, int *month, int *day);

#endif
