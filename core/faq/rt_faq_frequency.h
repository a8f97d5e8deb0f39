/* Private to core/faq: English by frequency and by meaning. */

#ifndef RT_FAQ_FREQUENCY_H
#define RT_FAQ_FREQUENCY_H

#include "faq/rt_faq.h"


#define RT_FAQ_FREQUENCY_CLASSES 63
#define RT_FAQ_FREQUENCY_STEP    0.1

/* Stems with a space behind each; line i: their share of all words is about 10^-(i * STEP). */
extern const char *const rt__faq_frequency_table[RT_FAQ_FREQUENCY_CLASSES];

/* Makes the tables that rt__faq_general, rt__faq_common_typo and rt__faq_group read, once per
 * process. RT_NO_MEMORY: they read as empty; the next call does not try again. Thread-safe. */
rt_status_t rt__faq_english_init(void);

/* Words for the same thing, not stemmed, with a space between; NULL ends. */
extern const char *const rt__faq_groups[];

/* Words that carry no topic in a message to a business, whatever their frequency. */
extern const char *const rt__faq_small_words;

#endif
