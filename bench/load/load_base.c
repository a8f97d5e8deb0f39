/* Time, latencies and the little reading of JSON that a load generator needs. */

#include "load.h"

#include <string.h>
#include <time.h>


uint64_t
load_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000u + (uint64_t) ts.tv_nsec;
}


uint32_t
load_random(void)
{
    static uint64_t state;

    if (state == 0) {
        state = load_now() | 1;
    }

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;

    return (uint32_t) (state >> 16);
}


/* The first LOAD_LATENCY_SUB values have a bucket each; from there every power of two is cut
 * into LOAD_LATENCY_SUB / 2 buckets. */
static size_t
load_latency_bucket(uint64_t ns)
{
    unsigned shift;
    size_t   bucket;

    if (ns < LOAD_LATENCY_SUB) {
        return (size_t) ns;
    }

    shift = 63 - (unsigned) __builtin_clzll(ns) - 5;
    bucket = (size_t) shift * (LOAD_LATENCY_SUB / 2) + (size_t) (ns >> shift);

    return bucket < LOAD_LATENCY_BUCKETS ? bucket : LOAD_LATENCY_BUCKETS - 1;
}


/* The middle of a bucket: the inverse of load_latency_bucket(). */
static double
load_latency_value(size_t bucket)
{
    size_t half, shift, top;

    if (bucket < LOAD_LATENCY_SUB) {
        return (double) bucket;
    }

    half = LOAD_LATENCY_SUB / 2;
    shift = bucket / half - 1;
    top = bucket - shift * half;

    return ((double) top + 0.5) * (double) (1ull << shift);
}


void
load_latency_add(load_latency_t *l, uint64_t ns)
{
    l->count++;
    l->sum += ns;
    l->buckets[load_latency_bucket(ns)]++;

    if (ns > l->max) {
        l->max = ns;
    }
}


double
load_latency_at(const load_latency_t *l, double part)
{
    size_t   i;
    uint64_t seen, wanted;

    if (l->count == 0) {
        return 0;
    }

    wanted = (uint64_t) ((double) l->count * part);
    if (wanted >= l->count) {
        wanted = l->count - 1;
    }

    seen = 0;

    for (i = 0; i < LOAD_LATENCY_BUCKETS; i++) {
        seen += l->buckets[i];

        if (seen > wanted) {
            return load_latency_value(i) / 1e6;
        }
    }

    return (double) l->max / 1e6;
}


const char *
load_find(const char *data, size_t len, const char *key, size_t *rest)
{
    size_t      n;
    const char *p;

    n = strlen(key);
    p = memmem(data, len, key, n);

    if (p == NULL) {
        return NULL;
    }

    p += n;
    *rest = len - (size_t) (p - data);

    return p;
}


int
load_find_string(const char *data, size_t len, const char *key, char *out, size_t size)
{
    size_t      n, rest;
    const char *p, *quote;

    p = load_find(data, len, key, &rest);
    if (p == NULL) {
        return -1;
    }

    quote = memchr(p, '"', rest);
    if (quote == NULL) {
        return -1;
    }

    n = (size_t) (quote - p);
    if (n >= size) {
        return -1;
    }

    memcpy(out, p, n);
    out[n] = '\0';

    return 0;
}


int
load_find_number(const char *data, size_t len, const char *key, uint64_t *number)
{
    size_t      rest;
    uint64_t    value;
    const char *p, *start, *end;

    p = load_find(data, len, key, &rest);
    if (p == NULL) {
        return -1;
    }

    value = 0;
    end = p + rest;

    for (start = p; p < end && p - start < 18 && *p >= '0' && *p <= '9'; p++) {
        value = value * 10 + (uint64_t) (*p - '0');
    }

    if (p == start) {
        return -1;
    }

    *number = value;

    return 0;
}


int
load_number(const char **p, const char *end, char stop, uint64_t *number)
{
    uint64_t    value;
    const char *q;

    value = 0;

    for (q = *p; q < end && q - *p < 20 && *q >= '0' && *q <= '9'; q++) {
        value = value * 10 + (uint64_t) (*q - '0');
    }

    if (q == *p || q == end || *q != stop) {
        return -1;
    }

    *number = value;
    *p = q + 1;

    return 0;
}
