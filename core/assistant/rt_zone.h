/* Time zones of the system's tzdata: TZif files (RFC 8536) and the rule in their footer for times
 * behind the last transition that they list. Not ICU's zones, whose data is years old on stable
 * distributions. */

#ifndef RT_ZONE_H
#define RT_ZONE_H

#include <rt/rt_base.h>


typedef struct rt_zone_s rt_zone_t;

/* A local moment, of the proleptic Gregorian calendar. */
typedef struct {
    int year;
    int month;   /* 1…12 */
    int day;     /* 1…31 */
    int weekday; /* 0 is Sunday */
    int minute;  /* of the day: 0…1439 */
} rt_local_t;

/* The zone of an IANA name, old names such as "US/Pacific" included; NULL where tzdata has none of
 * that name (or there is no memory). "UTC" is always there. It is read once and kept as long as the
 * process lives: a newer tzdata holds from the next start on.
 *
 * threads  any; the first one to ask for a zone reads its file */
const rt_zone_t *rt_zone_find(rt_str_t name);

/* Seconds east of UTC at that moment. Pure. */
int rt_zone_offset_s(const rt_zone_t *zone, int64_t at_ms);

/* The local time of a moment. Pure. */
void rt_zone_local(const rt_zone_t *zone, int64_t at_ms, rt_local_t *out);

#endif
