/* The core's common ground: text, status, errors, memory of one call, logging.
 *
 * Everything here is free of shared state unless a comment says otherwise, so
 * it may be used from any thread. */

#ifndef RT_BASE_H
#define RT_BASE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>


#if defined(__GNUC__)
#define RT_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define RT_PRINTF(f, a)
#endif


/* Text as pointer and length: not terminated by NUL unless said so. */
typedef struct {
    const char *data;
    size_t      len;
} rt_str_t;

#define rt_str(literal) ((rt_str_t){(literal), sizeof(literal) - 1})
#define rt_str_null     ((rt_str_t){NULL, 0})

/* For printf: "%.*s". */
#define RT_STR_ARG(s) (int) (s).len, (s).data

/* s is a C string; NULL gives rt_str_null. */
rt_str_t rt_str_c(const char *s);

/* 1 when both hold the same bytes, else 0. Not in constant time. */
int rt_str_eq(rt_str_t a, rt_str_t b);

/* 1 when both hold the same bytes; the time depends on the lengths alone. For secrets. */
int rt_str_eq_secret(rt_str_t a, rt_str_t b);


typedef enum {
    RT_OK = 0,
    RT_AGAIN,        /* an answer, no error: more bytes are needed */
    RT_DECLINED,     /* an answer, no error: not mine */
    RT_INVALID,      /* the peer's fault: 400, INVALID */
    RT_UNAUTHORIZED, /* 401, UNAUTHORIZED */
    RT_FORBIDDEN,    /* 403, FORBIDDEN */
    RT_NOT_FOUND,    /* 404, NOT_FOUND */
    RT_CONFLICT,     /* 409, CONFLICT */
    RT_TOO_LARGE,    /* 413, TOO_LARGE */
    RT_RATE_LIMITED, /* 429, RATE_LIMITED */
    RT_UNAVAILABLE,  /* 503, UNAVAILABLE: store or queue; the same request may work later */
    RT_NO_MEMORY,    /* told to clients as UNAVAILABLE */
    RT_ERROR         /* our own fault; told to clients as UNAVAILABLE, logged in full */
} rt_status_t;

/* The code that clients read: "FORBIDDEN", …; RT_NO_MEMORY and RT_ERROR give "UNAVAILABLE",
 * RT_OK gives "OK". Static text. */
const char *rt_status_code(rt_status_t status);


#define RT_ERROR_TEXT_MAX 256

typedef struct {
    rt_status_t status;
    char        text[RT_ERROR_TEXT_MAX]; /* for people, NUL terminated, valid UTF-8 */
} rt_error_t;

/* Sets *error (may be NULL), cutting the text at a character's border; returns status, so that
 * `return rt_error_set(error, RT_INVALID, "…")` reads well. */
rt_status_t rt_error_set(rt_error_t *error, rt_status_t status, const char *format, ...)
    RT_PRINTF(3, 4);


/* Memory that dies in one stroke. Not thread-safe: one owner at a time.
 * All allocations are aligned for any type; NULL means no memory. */
typedef struct rt_arena_s rt_arena_t;

/* block_bytes: the size of the blocks it takes from the heap (0: 4096). The first one comes with
 * the arena itself. Returns NULL without memory. */
rt_arena_t *rt_arena_create(size_t block_bytes);
void        rt_arena_destroy(rt_arena_t *arena); /* accepts NULL */

void *rt_arena_alloc(rt_arena_t *arena, size_t bytes);  /* uninitialised */
void *rt_arena_calloc(rt_arena_t *arena, size_t bytes); /* zeroed */

/* A copy with a NUL behind it (not counted in len). {NULL, 0} without memory. */
rt_str_t rt_arena_str(rt_arena_t *arena, rt_str_t s);
rt_str_t rt_arena_printf(rt_arena_t *arena, const char *format, ...) RT_PRINTF(2, 3);


/* A growing byte buffer on the heap. Zero-initialise before use. After any failed append `failed`
 * stays set and later appends do nothing, so that one check at the end is enough. */
typedef struct {
    char  *data;
    size_t len;
    size_t size;
    int    failed;
} rt_buf_t;

void  rt_buf_append(rt_buf_t *buf, const void *data, size_t bytes);
void  rt_buf_append_str(rt_buf_t *buf, rt_str_t s);
void  rt_buf_append_int(rt_buf_t *buf, int64_t n); /* decimal */
/* s as a JSON string with its quotes; s must be valid UTF-8. */
void  rt_buf_append_json_string(rt_buf_t *buf, rt_str_t s);
/* Makes room for `bytes` more; returns where they go (the caller then adds to len), or NULL. */
void *rt_buf_reserve(rt_buf_t *buf, size_t bytes);
void  rt_buf_free(rt_buf_t *buf); /* frees and zeroes */


typedef enum { RT_LOG_ERROR, RT_LOG_WARN, RT_LOG_NOTICE, RT_LOG_INFO, RT_LOG_DEBUG } rt_log_level_t;

/* Given by the host; called from any thread of the core. Text is one line, client text in it is
 * already escaped. */
typedef void (*rt_log_pt)(void *data, rt_log_level_t level, const char *text);

typedef struct {
    rt_log_pt      write; /* NULL: nothing is logged */
    void          *data;
    rt_log_level_t level; /* lines above it are not formatted */
} rt_log_t;

void rt_log(const rt_log_t *log, rt_log_level_t level, const char *format, ...) RT_PRINTF(3, 4);

/* Copies s with control characters, backslash, quotes and invalid UTF-8 as \xHH, cut to size - 1
 * bytes at a character's border, NUL terminated. Returns out. */
char *rt_log_escape(char *out, size_t size, rt_str_t s);

#endif
