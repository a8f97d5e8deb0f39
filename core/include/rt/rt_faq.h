/* Which FAQ answers a message: an index made once from a business's FAQs, and pure functions over
 * it. No store, no clock, no logging; texts are never kept beyond the call that was given them,
 * except inside the index.
 *
 * Scores are percent, in steps of 0.1: how sure it is that this FAQ, and neither another one nor
 * none, is what the writer asks for. 100 is kept for messages that equal a question or an
 * alternative after folding (case, width, accents, punctuation, contractions). */

#ifndef RT_FAQ_H
#define RT_FAQ_H

#include <rt/rt_base.h>


#define RT_FAQ_MAX        10000 /* FAQs in one index */
#define RT_FAQ_PHRASE_MAX 400   /* question, alternatives and keywords of one FAQ */

/* What of a text is looked at: messages are stored longer than questions are asked. */
#define RT_FAQ_TEXT_UNITS 1024 /* UTF-16 units, after normalisation */
#define RT_FAQ_WORDS_MAX  96

#define RT_FAQ_THRESHOLD_DEFAULT 70.0


/* One FAQ as the index reads it. Texts are UTF-8; bytes that are not count as U+FFFD. */
typedef struct {
    rt_str_t        question;
    const rt_str_t *alternatives; /* may be NULL when there are none */
    size_t          alternatives_n;
    const rt_str_t *keywords; /* words or phrases; may be NULL when there are none */
    size_t          keywords_n;
    rt_str_t        language; /* "en", "spanish", …; empty or unknown: English */
    double          threshold_percent;
    double          priority;
    int64_t created_at_ms; /* the older of two equals answers; then the earlier in the list */
} rt_faq_t;

/* One FAQ's fit to one message. */
typedef struct {
    size_t faq;           /* place in the list that the index was made from */
    double score_percent; /* 0…100 in steps of 0.1 */
    int    exact;         /* equal to the question or an alternative after folding */
    int    qualifies;     /* score_percent >= the FAQ's own threshold */
    size_t phrase;        /* nearest text: 0 the question, i the alternative i - 1 */
} rt_faq_candidate_t;

/* Immutable: any number of threads may match against one index at a time. */
typedef struct rt_faq_index_s rt_faq_index_t;

/* The memory that matching needs, apart from the index. One thread at a time; good for any index,
 * and grows to the largest one it has met. */
typedef struct rt_faq_scratch_s rt_faq_scratch_t;

/* Makes an index of n FAQs (0 is fine).
 *
 * faqs     copied; the caller may free it as soon as this returns
 * out      set only on RT_OK; the caller gives it to rt_faq_index_destroy
 * returns  RT_OK, RT_TOO_LARGE (RT_FAQ_MAX or RT_FAQ_PHRASE_MAX), RT_NO_MEMORY, or RT_ERROR: ICU
 *          does not work on this machine (its data are missing)
 * threads  any; takes some milliseconds for each thousand phrases: not on an event loop */
rt_status_t rt_faq_index_create(rt_faq_index_t **out, const rt_faq_t *faqs, size_t n,
    rt_error_t *error);

/* Accepts NULL. No thread may be matching against it. */
void rt_faq_index_destroy(rt_faq_index_t *index);

/* How many FAQs it was made from. */
size_t rt_faq_index_count(const rt_faq_index_t *index);

/* NULL without memory. The caller gives it to rt_faq_scratch_destroy, which accepts NULL. */
rt_faq_scratch_t *rt_faq_scratch_create(void);
void              rt_faq_scratch_destroy(rt_faq_scratch_t *scratch);

/* Ranks the FAQs for one message.
 *
 * message  UTF-8 of any length, RT_FAQ_TEXT_UNITS of it are looked at; may be hostile
 * out      the best max (1 or more) FAQs. First those that qualify: exact ones, then by priority,
 *          score and age; behind them the others by score and age. So the FAQ that answers is
 *          out[0] when out[0].qualifies, and else none does. FAQs that have nothing in common with
 *          the message are left out, unless they qualify by a threshold of 0.
 * count    how many of out are set; 0 when nothing fits at all
 * returns  RT_OK, RT_NO_MEMORY, or RT_ERROR (as rt_faq_index_create)
 * threads  never blocks; some ten microseconds against 200 FAQs: fit for an event loop. Allocates
 *          only when scratch has not met an index of this size yet */
rt_status_t rt_faq_match(const rt_faq_index_t *index, rt_faq_scratch_t *scratch, rt_str_t message,
    rt_faq_candidate_t *out, size_t max, size_t *count);


/* A number that messages share which ask with the same words: in any order, form and spelling of
 * case and accents, with any small words between them. For counting what is asked often; English.
 *
 * message  as in rt_faq_match
 * returns  RT_OK, RT_NO_MEMORY, or RT_ERROR (as rt_faq_index_create)
 * threads  as rt_faq_match */
rt_status_t rt_faq_topic(rt_faq_scratch_t *scratch, rt_str_t message, uint64_t *out);


/* What a score is made of, for fitting the numbers of rt_faq_score.c (scripts/faq-fit) and for
 * finding out why. Each is about 0…1. */
#define RT_FAQ_FEATURES      8
#define RT_FAQ_NONE_FEATURES 2

/* Reads the features of one FAQ from the last rt_faq_match with this scratch: RT_FAQ_FEATURES
 * values, or RT_FAQ_NONE_FEATURES of the outcome "none of them" when faq is the count of the
 * index. Returns 0 when the FAQ had nothing in common with the message, else 1. */
int rt_faq_features(const rt_faq_scratch_t *scratch, size_t faq, double *out);

#endif
