/* Private to core/faq: what English words mean, as vectors; words of like meaning point the same
 * way. A text's vector is the sum of its words', each with its weight, scaled to length 1. */

#ifndef RT_FAQ_VECTOR_H
#define RT_FAQ_VECTOR_H

#include "faq/rt_faq.h"


#define RT_FAQ_VECTORS 10471

/* By number (rt__faq_vector_number); each a NUL-terminated text of RT_FAQ_DIMENSIONS characters. */
extern const char rt__faq_vector_table[RT_FAQ_VECTORS][RT_FAQ_DIMENSIONS + 1];

/* The number of an English stem's vector, or -1. Thread-safe. */
int rt__faq_vector_number(const rt_faq_word_t *stem);

/* Adds an English stem's vector, times weight, to a sum of RT_FAQ_DIMENSIONS; one that is not known
 * adds nothing. Thread-safe. */
void rt__faq_vector_add(float *sum, const rt_faq_word_t *stem, double weight);

/* A sum as it is kept: of length 1, with 127 for 1; nothing stays nothing. Pure. */
void rt__faq_vector_pack(const float *sum, int8_t *out);

/* How alike a message and a text are: the cosine, 0 where it is less or one of them is nothing.
 * Pure. */
double rt__faq_vector_likeness(const int8_t *message, const int8_t *text);

#endif
