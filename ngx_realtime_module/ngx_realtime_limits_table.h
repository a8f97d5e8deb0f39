/* Connection counts from inside: what the two files that keep them share. */

#ifndef NGX_REALTIME_LIMITS_TABLE_H
#define NGX_REALTIME_LIMITS_TABLE_H

#include "ngx_realtime_limits.h"


#define NGX_REALTIME_LIMITS_SLOTS    256
#define NGX_REALTIME_LIMITS_PLACES   262144 /* a power of two */
#define NGX_REALTIME_LIMITS_WINDOW   64
#define NGX_REALTIME_LIMITS_ENTRIES  (NGX_REALTIME_LIMITS_PLACES + NGX_REALTIME_LIMITS_WINDOW)
#define NGX_REALTIME_LIMITS_FRESH_MS 1000 /* a process is looked at so often, */
#define NGX_REALTIME_LIMITS_DOUBT_MS 100  /* and so often before a refusal */

#define NGX_REALTIME_LIMITS_COUNT_MAX    0xffffU
#define ngx_realtime_limits_count(entry) ((ngx_uint_t) ((entry) &NGX_REALTIME_LIMITS_COUNT_MAX))
#define ngx_realtime_limits_slot(entry)  ((ngx_uint_t) ((entry) >> 16 & 0xff))
#define NGX_REALTIME_LIMITS_HASH         0xffffffffff000000ULL

#define ngx_realtime_limits_load(p)     __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define ngx_realtime_limits_store(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)


typedef struct {
    uint64_t owner; /* pid << 32 | low half of its start time; 0: free */
    uint64_t connections;
    uint64_t users;     /* 1: may have entries in the table */
    uint64_t unused[5]; /* a cache line per worker */
} ngx_realtime_limits_slot_t;

typedef struct {
    u_char                     key[16];
    uint64_t                   top; /* slots from here on were never taken */
    ngx_realtime_limits_slot_t slots[NGX_REALTIME_LIMITS_SLOTS];
    uint64_t                   users[NGX_REALTIME_LIMITS_ENTRIES];
} ngx_realtime_limits_table_t;

/* What this worker knows: its slot, and which owners of slots it has seen alive or dead. */
typedef struct {
    ngx_realtime_limits_table_t *table;
    ngx_realtime_limits_slot_t  *slot; /* NULL: all were taken, this worker counts nothing */
    ngx_uint_t                   index;
    ngx_log_t                   *log;
    ngx_msec_t                   looked;
    ngx_msec_t                   warned;
    uint64_t                     alive[NGX_REALTIME_LIMITS_SLOTS];
    uint64_t                     dead[NGX_REALTIME_LIMITS_SLOTS];
} ngx_realtime_limits_state_t;

extern ngx_realtime_limits_state_t ngx_realtime_limits;


/* 1 when the slot has an owner that runs. Looked up once per owner, until look_again. */
ngx_uint_t ngx_realtime_limits_alive(ngx_uint_t index);

/* Forgets who was seen alive when that was longer ago than age (milliseconds); 0: it was not. */
ngx_uint_t ngx_realtime_limits_look_again(ngx_msec_t age);

#endif
