/* Time zones: TZif files, read once. */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assistant/rt_zone.h"
#include "assistant/rt_zone_posix.h"


#define RT_ZONE_DIR       "/usr/share/zoneinfo"
#define RT_ZONE_LINKS     RT_ZONE_DIR "/tzdata.zi"
#define RT_ZONE_NAME_MAX  64
#define RT_ZONE_FILE_MAX  65536
#define RT_ZONE_HEAD      44
#define RT_ZONE_COUNT_MAX 1024 /* zones that are kept; tzdata has some 600 names */

typedef struct {
    int64_t at_s;
    int     offset_s;
} rt_zone_change_t;

struct rt_zone_s {
    rt_zone_t        *next;
    char              name[RT_ZONE_NAME_MAX + 1];
    int               first_s; /* offset before all changes */
    rt_zone_change_t *changes;
    size_t            count;
    int               has_posix; /* behind the last change */
    rt_zone_posix_t   posix;
};

/* A file while it is read. */
typedef struct {
    const unsigned char *p;
    const unsigned char *end;
} rt_zone_bytes_t;

typedef struct {
    uint32_t utc;
    uint32_t std;
    uint32_t leaps;
    uint32_t times;
    uint32_t types;
    uint32_t chars;
} rt_zone_head_t;

static rt_zone_t       rt_zone_utc = {.name = "UTC"};
static rt_zone_t      *rt_zones = &rt_zone_utc;
static size_t          rt_zones_count;
static pthread_mutex_t rt_zones_lock = PTHREAD_MUTEX_INITIALIZER;


static uint32_t
rt_zone_u32(const unsigned char *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}


static int64_t
rt_zone_i64(const unsigned char *p)
{
    return (int64_t) ((uint64_t) rt_zone_u32(p) << 32 | rt_zone_u32(p + 4));
}


/* RFC 8536, 3.1. Leaves the place behind it. */
static int
rt_zone_read_head(rt_zone_bytes_t *bytes, rt_zone_head_t *head)
{
    const unsigned char *p = bytes->p;

    if (bytes->end - p < RT_ZONE_HEAD || memcmp(p, "TZif", 4) != 0 || p[4] < '2') {
        return 0;
    }

    head->utc = rt_zone_u32(p + 20);
    head->std = rt_zone_u32(p + 24);
    head->leaps = rt_zone_u32(p + 28);
    head->times = rt_zone_u32(p + 32);
    head->types = rt_zone_u32(p + 36);
    head->chars = rt_zone_u32(p + 40);
    bytes->p += RT_ZONE_HEAD;

    return head->times < RT_ZONE_FILE_MAX && head->types >= 1 && head->types <= 256
        && head->chars < RT_ZONE_FILE_MAX && head->leaps < RT_ZONE_FILE_MAX
        && head->std <= head->types && head->utc <= head->types;
}


/* Of the block with times of `width` bytes. */
static size_t
rt_zone_block(const rt_zone_head_t *head, size_t width)
{
    return head->times * (width + 1) + head->types * 6 + head->chars + head->leaps * (width + 4)
        + head->std + head->utc;
}


static int
rt_zone_read_changes(const unsigned char *p, const rt_zone_head_t *head, rt_zone_t *zone)
{
    size_t               i;
    const unsigned char *indexes, *types;

    indexes = p + (size_t) head->times * 8;
    types = indexes + head->times;
    zone->first_s = (int) (int32_t) rt_zone_u32(types);
    zone->count = head->times;
    zone->changes = calloc(head->times ? head->times : 1, sizeof(rt_zone_change_t));

    if (zone->changes == NULL) {
        return 0;
    }

    for (i = 0; i < head->times; i++) {
        if (indexes[i] >= head->types) {
            return 0;
        }

        zone->changes[i].at_s = rt_zone_i64(p + i * 8);
        zone->changes[i].offset_s = (int) (int32_t) rt_zone_u32(types + (size_t) indexes[i] * 6);
    }

    return 1;
}


/* RFC 8536, 3.3: the rule between two line feeds. */
static int
rt_zone_read_footer(rt_zone_bytes_t *bytes, rt_zone_t *zone)
{
    char                 text[128];
    size_t               len;
    const unsigned char *end;

    if (bytes->p == bytes->end || *bytes->p++ != '\n') {
        return 0;
    }

    end = memchr(bytes->p, '\n', (size_t) (bytes->end - bytes->p));
    if (end == NULL) {
        return 0;
    }

    len = (size_t) (end - bytes->p);

    if (len == 0) {
        return 1;
    }

    if (len >= sizeof(text)) {
        return 0;
    }

    memcpy(text, bytes->p, len);
    text[len] = '\0';
    zone->has_posix = rt_zone_posix_read(text, &zone->posix);

    return zone->has_posix;
}


static int
rt_zone_read(rt_zone_bytes_t bytes, rt_zone_t *zone)
{
    rt_zone_head_t head;

    /* the first block is for readers of old: times of four bytes */
    if (!rt_zone_read_head(&bytes, &head)
        || rt_zone_block(&head, 4) > (size_t) (bytes.end - bytes.p)) {
        return 0;
    }

    bytes.p += rt_zone_block(&head, 4);

    if (!rt_zone_read_head(&bytes, &head)
        || rt_zone_block(&head, 8) > (size_t) (bytes.end - bytes.p)
        || !rt_zone_read_changes(bytes.p, &head, zone))
    {
        return 0;
    }

    bytes.p += rt_zone_block(&head, 8);

    return rt_zone_read_footer(&bytes, zone);
}


static int
rt_zone_load(rt_zone_t *zone, const char *name)
{
    int             read;
    char            path[sizeof(RT_ZONE_DIR) + RT_ZONE_NAME_MAX + 1];
    FILE           *file;
    unsigned char  *data;
    rt_zone_bytes_t bytes;

    (void) snprintf(path, sizeof(path), "%s/%s", RT_ZONE_DIR, name);

    file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }

    read = 0;
    data = malloc(RT_ZONE_FILE_MAX);

    if (data != NULL) {
        bytes.p = data;
        bytes.end = data + fread(data, 1, RT_ZONE_FILE_MAX, file); /* 0 of a directory */
        read = rt_zone_read(bytes, zone);
    }

    free(data);
    fclose(file);

    return read;
}


/* Distributions put old names into a package of their own, but leave them in this list:
 * "L America/Los_Angeles US/Pacific". */
static int
rt_zone_link(const char *name, char target[RT_ZONE_NAME_MAX + 1])
{
    int   found;
    char  line[256], old[RT_ZONE_NAME_MAX + 1];
    FILE *file;

    file = fopen(RT_ZONE_LINKS, "re");
    if (file == NULL) {
        return 0;
    }

    found = 0;

    while (!found && fgets(line, sizeof(line), file) != NULL) {
        found = sscanf(line, "L %64s %64s", target, old) == 2 && strcmp(old, name) == 0;
    }

    fclose(file);

    return found;
}


static int
rt_zone_is_below(rt_str_t name, rt_str_t dir)
{
    return name.len > dir.len && memcmp(name.data, dir.data, dir.len) == 0;
}


/* Names come from clients, and become paths. */
static int
rt_zone_is_name(rt_str_t name)
{
    size_t i;
    char   c, before;

    if (name.len == 0 || name.len > RT_ZONE_NAME_MAX) {
        return 0;
    }

    before = '/';

    for (i = 0; i < name.len; i++) {
        c = name.data[i];

        /* no dots, and no part that is empty */
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'
                || c == '-' || c == '+' || (c == '/' && before != '/')))
        {
            return 0;
        }

        before = c;
    }

    /* the same zones once more, the latter with leap seconds */
    return before != '/' && !rt_zone_is_below(name, rt_str("posix/"))
        && !rt_zone_is_below(name, rt_str("right/"));
}


static rt_zone_t *
rt_zone_open(rt_str_t name)
{
    char       target[RT_ZONE_NAME_MAX + 1];
    rt_zone_t *zone;

    zone = calloc(1, sizeof(rt_zone_t));
    if (zone == NULL) {
        return NULL;
    }

    memcpy(zone->name, name.data, name.len);

    if (rt_zone_load(zone, zone->name)) {
        return zone;
    }

    free(zone->changes);
    zone->changes = NULL;

    if (rt_zone_link(zone->name, target) && rt_zone_load(zone, target)) {
        return zone;
    }

    free(zone->changes);
    free(zone);

    return NULL;
}


const rt_zone_t *
rt_zone_find(rt_str_t name)
{
    rt_zone_t *zone;

    if (!rt_zone_is_name(name)) {
        return NULL;
    }

    pthread_mutex_lock(&rt_zones_lock);

    for (zone = rt_zones; zone != NULL && !rt_str_eq(rt_str_c(zone->name), name); zone = zone->next)
    { /* void */
    }

    if (zone == NULL && rt_zones_count < RT_ZONE_COUNT_MAX) {
        zone = rt_zone_open(name);

        if (zone != NULL) {
            zone->next = rt_zones;
            rt_zones = zone;
            rt_zones_count++;
        }
    }

    pthread_mutex_unlock(&rt_zones_lock);

    return zone;
}


int
rt_zone_offset_s(const rt_zone_t *zone, int64_t at_ms)
{
    size_t  low, high, middle;
    int64_t at_s;

    at_s = at_ms / 1000 - (at_ms % 1000 < 0);

    if (zone->count == 0 || at_s >= zone->changes[zone->count - 1].at_s) {
        return zone->has_posix ? rt_zone_posix_offset_s(&zone->posix, at_s)
            : zone->count      ? zone->changes[zone->count - 1].offset_s
                               : zone->first_s;
    }

    if (at_s < zone->changes[0].at_s) {
        return zone->first_s;
    }

    low = 0;
    high = zone->count - 1;

    /* the last change that is not later */
    while (high - low > 1) {
        middle = low + (high - low) / 2;

        if (zone->changes[middle].at_s <= at_s) {
            low = middle;
        } else {
            high = middle;
        }
    }

    return zone->changes[low].offset_s;
}


void
rt_zone_local(const rt_zone_t *zone, int64_t at_ms, rt_local_t *out)
{
    int64_t at_s, days;

    at_s = at_ms / 1000 - (at_ms % 1000 < 0) + rt_zone_offset_s(zone, at_ms);
    days = at_s / 86400 - (at_s % 86400 < 0);

    rt_zone_date(days, &out->year, &out->month, &out->day);
    out->weekday = (int) ((days + 4) % 7 + 7) % 7;
    out->minute = (int) (at_s - days * 86400) / 60;
}
