/* Words of like meaning are alike; the table stands beside that of frequencies, word by word. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "faq/rt_faq_frequency.h"
#include "faq/rt_faq_vector.h"


static rt_faq_word_t
word(const char *text)
{
    rt_faq_word_t word;

    word.len = (uint8_t) strlen(text);
    memcpy(word.text, text, word.len);

    return word;
}


/* Of two texts of stems. */
static double
likeness(const char *const *left, const char *const *right)
{
    float         a[RT_FAQ_DIMENSIONS] = {0}, b[RT_FAQ_DIMENSIONS] = {0};
    int8_t        left_packed[RT_FAQ_DIMENSIONS], right_packed[RT_FAQ_DIMENSIONS];
    rt_faq_word_t stem;

    for (/* void */; *left != NULL; left++) {
        stem = word(*left);
        rt__faq_vector_add(a, &stem, 1);
    }

    for (/* void */; *right != NULL; right++) {
        stem = word(*right);
        rt__faq_vector_add(b, &stem, 1);
    }

    rt__faq_vector_pack(a, left_packed);
    rt__faq_vector_pack(b, right_packed);

    return rt__faq_vector_likeness(left_packed, right_packed);
}


static double
alike(const char *left, const char *right)
{
    const char *const a[] = {left, NULL}, *const b[] = {right, NULL};

    return likeness(a, b);
}


static void
test_words(void **state)
{
    size_t i;
    double near, far;

    static const char *const triples[][3] = {{"price", "cost", "dog"}, {"hair", "skin", "invoic"},
        {"monday", "friday", "password"}, {"cancel", "postpon", "hair"},
        {"doctor", "hospit", "refund"}, {"dog", "pet", "invoic"}, {"london", "pari", "shampoo"}};

    (void) state;

    for (i = 0; i < sizeof(triples) / sizeof(triples[0]); i++) {
        near = alike(triples[i][0], triples[i][1]);
        far = alike(triples[i][0], triples[i][2]);

        if (near < 0.4 || far > 0.25) {
            fail_msg("%s: %s %.2f, %s %.2f", triples[i][0], triples[i][1], near, triples[i][2],
                far);
        }

        assert_true(fabs(alike(triples[i][0], triples[i][0]) - 1) < 0.05);
    }
}


static void
test_texts(void **state)
{
    const char *const price[] = {"price", "cost", "hair", NULL};
    const char *const same[] = {"much", "charg", "hair", NULL};
    const char *const other[] = {"park", "car", NULL};
    const char *const nothing[] = {"zzzyx", NULL};
    const char *const empty[] = {NULL};

    (void) state;

    assert_true(likeness(price, same) > 0.5);
    assert_true(likeness(price, same) > likeness(price, other) + 0.2);
    assert_true(likeness(price, nothing) == 0);
    assert_true(likeness(empty, price) == 0);
}


static void
test_numbers(void **state)
{
    size_t        i;
    rt_faq_word_t the = word("the"), rare = word("zzzyx");

    (void) state;

    assert_int_equal(rt__faq_vector_number(&the), 0);
    assert_int_equal(rt__faq_vector_number(&rare), -1);

    for (i = 0; i < RT_FAQ_VECTORS; i++) {
        assert_int_equal(strlen(rt__faq_vector_table[i]), RT_FAQ_DIMENSIONS);
    }
}


static int
setup(void **state)
{
    (void) state;

    return rt__faq_english_init() == RT_OK ? 0 : -1;
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_numbers),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
