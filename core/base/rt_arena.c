/* Memory that dies in one stroke: blocks from the heap, cut from their start to their end. The
 * arena's own record lies at the start of its first block. */

#include <rt/rt_base.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define RT_ARENA_ALIGN         alignof(max_align_t)
#define RT_ARENA_ROUND(n)      (((n) + RT_ARENA_ALIGN - 1) & ~(RT_ARENA_ALIGN - 1))
#define RT_ARENA_BLOCK_DEFAULT 4096
#define RT_ARENA_BLOCK_MIN     256


typedef struct rt_arena_block_s rt_arena_block_t;

struct rt_arena_block_s {
    rt_arena_block_t *next;
};

struct rt_arena_s {
    rt_arena_block_t *blocks; /* all but the first, newest first */
    char             *pos;
    char             *end;
    size_t            block_bytes;
};


static void *rt_arena_grow(rt_arena_t *arena, size_t bytes);


rt_arena_t *
rt_arena_create(size_t block_bytes)
{
    rt_arena_t *arena;

    if (block_bytes == 0) {
        block_bytes = RT_ARENA_BLOCK_DEFAULT;
    }

    if (block_bytes < RT_ARENA_BLOCK_MIN) {
        block_bytes = RT_ARENA_BLOCK_MIN;
    }

    arena = malloc(block_bytes);
    if (arena == NULL) {
        return NULL;
    }

    arena->blocks = NULL;
    arena->pos = (char *) arena + RT_ARENA_ROUND(sizeof(rt_arena_t));
    arena->end = (char *) arena + block_bytes;
    arena->block_bytes = block_bytes;

    return arena;
}


void
rt_arena_destroy(rt_arena_t *arena)
{
    rt_arena_block_t *block, *next;

    if (arena == NULL) {
        return;
    }

    for (block = arena->blocks; block != NULL; block = next) {
        next = block->next;
        free(block);
    }

    free(arena);
}


void *
rt_arena_alloc(rt_arena_t *arena, size_t bytes)
{
    void *p;

    if (bytes > PTRDIFF_MAX - 2 * RT_ARENA_ROUND(sizeof(rt_arena_block_t))) {
        return NULL;
    }

    bytes = RT_ARENA_ROUND(bytes + (bytes == 0));

    if ((size_t) (arena->end - arena->pos) < bytes) {
        return rt_arena_grow(arena, bytes);
    }

    p = arena->pos;
    arena->pos += bytes;

    return p;
}


void *
rt_arena_calloc(rt_arena_t *arena, size_t bytes)
{
    void *p;

    p = rt_arena_alloc(arena, bytes);
    if (p != NULL) {
        memset(p, 0, bytes);
    }

    return p;
}


rt_str_t
rt_arena_str(rt_arena_t *arena, rt_str_t s)
{
    char *copy;

    copy = (s.len == SIZE_MAX) ? NULL : rt_arena_alloc(arena, s.len + 1);
    if (copy == NULL) {
        return rt_str_null;
    }

    if (s.len != 0) {
        memcpy(copy, s.data, s.len);
    }

    copy[s.len] = '\0';

    return (rt_str_t){copy, s.len};
}


rt_str_t
rt_arena_printf(rt_arena_t *arena, const char *format, ...)
{
    int     n;
    char   *text;
    va_list args;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);

    if (n < 0) {
        return rt_str_null;
    }

    text = rt_arena_alloc(arena, (size_t) n + 1);
    if (text == NULL) {
        return rt_str_null;
    }

    va_start(args, format);
    (void) vsnprintf(text, (size_t) n + 1, format, args);
    va_end(args);

    return (rt_str_t){text, (size_t) n};
}


/* bytes is rounded already. What is large gets a block of its own, so that the rest of the
 * current one stays in use. */
static void *
rt_arena_grow(rt_arena_t *arena, size_t bytes)
{
    size_t            header, size;
    rt_arena_block_t *block;

    header = RT_ARENA_ROUND(sizeof(rt_arena_block_t));
    size = header + bytes;

    if (bytes < arena->block_bytes / 2 && size < arena->block_bytes) {
        size = arena->block_bytes;
    }

    block = malloc(size);
    if (block == NULL) {
        return NULL;
    }

    block->next = arena->blocks;
    arena->blocks = block;

    if (size > header + bytes) {
        arena->pos = (char *) block + header + bytes;
        arena->end = (char *) block + size;
    }

    return (char *) block + header;
}
