/* Tests of the arena; run them with SANITIZE=address to see that nothing overlaps or leaks. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <rt/rt_base.h>
#include <stdalign.h>
#include <string.h>


static void
rt_test_alloc(void **state)
{
    size_t         i, j, bytes;
    rt_arena_t    *arena;
    unsigned char *p[400];

    static const size_t blocks[] = {0, 1, 300, 4096};

    (void) state;

    for (i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        arena = rt_arena_create(blocks[i]);
        assert_non_null(arena);

        for (j = 0; j < 400; j++) {
            bytes = (j % 50 == 49) ? 10000 : j;
            p[j] = rt_arena_alloc(arena, bytes);
            assert_non_null(p[j]);
            assert_int_equal((uintptr_t) p[j] % alignof(max_align_t), 0);
            memset(p[j], (int) (j & 255), bytes);
        }

        for (j = 1; j < 400; j++) {
            bytes = (j % 50 == 49) ? 10000 : j;
            assert_int_equal(p[j][0], j & 255);
            assert_int_equal(p[j][bytes - 1], j & 255);
        }

        rt_arena_destroy(arena);
    }

    rt_arena_destroy(NULL);
}


static void
rt_test_calloc(void **state)
{
    size_t      i;
    char       *p;
    rt_arena_t *arena;

    (void) state;

    arena = rt_arena_create(0);
    p = rt_arena_calloc(arena, 5000);

    for (i = 0; i < 5000; i++) {
        assert_int_equal(p[i], 0);
    }

    rt_arena_destroy(arena);
}


static void
rt_test_too_much(void **state)
{
    rt_str_t    s;
    rt_arena_t *arena;

    (void) state;

    arena = rt_arena_create(0);

    assert_null(rt_arena_alloc(arena, SIZE_MAX));
    assert_null(rt_arena_alloc(arena, SIZE_MAX - 8));
    assert_null(rt_arena_alloc(arena, PTRDIFF_MAX));
    assert_null(rt_arena_calloc(arena, SIZE_MAX / 2));

    s = rt_arena_str(arena, (rt_str_t){"", SIZE_MAX});
    assert_null(s.data);
    assert_int_equal(s.len, 0);

    /* and it goes on */
    assert_non_null(rt_arena_alloc(arena, 1));

    rt_arena_destroy(arena);
}


static void
rt_test_text(void **state)
{
    rt_str_t    s;
    rt_arena_t *arena;

    (void) state;

    arena = rt_arena_create(0);

    s = rt_arena_str(arena, rt_str("a\0b"));
    assert_int_equal(s.len, 3);
    assert_memory_equal(s.data, "a\0b", 4);

    s = rt_arena_str(arena, rt_str_null);
    assert_int_equal(s.len, 0);
    assert_string_equal(s.data, "");

    s = rt_arena_printf(arena, "%s:%d:%5000s", "room", 7, "x");
    assert_int_equal(s.len, 5007);
    assert_memory_equal(s.data, "room:7:", 7);
    assert_memory_equal(s.data + s.len - 1, "x", 2);

    rt_arena_destroy(arena);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rt_test_alloc),
        cmocka_unit_test(rt_test_calloc),
        cmocka_unit_test(rt_test_too_much),
        cmocka_unit_test(rt_test_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
