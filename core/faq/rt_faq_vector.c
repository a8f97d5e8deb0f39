/* Texts as sums of their words' vectors. */

#include "faq/rt_faq_vector.h"

#include <math.h>


#define RT_FAQ_VECTOR_ZERO ('#' + 32) /* how the table writes 0, */
#define RT_FAQ_VECTOR_STEP 64         /* and what 1 is above it */
#define RT_FAQ_VECTOR_ONE  127        /* of the index */


void
rt__faq_vector_add(float *sum, const rt_faq_word_t *stem, double weight)
{
    int         number;
    float       unit;
    size_t      i;
    const char *vector;

    number = rt__faq_vector_number(stem);
    if (number < 0) {
        return;
    }

    vector = rt__faq_vector_table[number];
    unit = (float) weight / RT_FAQ_VECTOR_STEP;

    for (i = 0; i < RT_FAQ_DIMENSIONS; i++) {
        sum[i] += unit * (float) (vector[i] - RT_FAQ_VECTOR_ZERO);
    }
}


void
rt__faq_vector_pack(const float *sum, int8_t *out)
{
    float  length;
    size_t i;

    length = 0;

    for (i = 0; i < RT_FAQ_DIMENSIONS; i++) {
        length += sum[i] * sum[i];
    }

    length = length > 0 ? sqrtf(length) : 1;

    for (i = 0; i < RT_FAQ_DIMENSIONS; i++) {
        out[i] = (int8_t) lroundf(sum[i] / length * RT_FAQ_VECTOR_ONE);
    }
}


double
rt__faq_vector_likeness(const int8_t *message, const int8_t *text)
{
    int    product;
    size_t i;

    product = 0;

    for (i = 0; i < RT_FAQ_DIMENSIONS; i++) {
        product += message[i] * text[i];
    }

    return product > 0 ? (double) product / (RT_FAQ_VECTOR_ONE * RT_FAQ_VECTOR_ONE) : 0;
}
