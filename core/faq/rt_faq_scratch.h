/* Private to core/faq: what one match works on. */

#ifndef RT_FAQ_SCRATCH_H
#define RT_FAQ_SCRATCH_H

#include "faq/rt_faq.h"


/* What the message has in common with one FAQ. */
typedef struct {
    double   covered; /* weight of the message's words that the FAQ holds */
    double   pairs;   /* dot product of pairs */
    double   votes;   /* as covered, but each word shared with the other FAQs that hold it */
    uint32_t stamp;   /* last word that was counted for it */
    uint32_t nearest; /* phrase */
    int      touched;
    int      exact;
    double   features[RT_FAQ_FEATURES];
    double   z; /* logarithm of its odds */
    double   percent;
} rt_faq_fit_t;

typedef struct {
    size_t   n;
    double   weight;                        /* of all words, each once */
    float    word_weight[RT_FAQ_WORDS_MAX]; /* 0: the word came before */
    uint32_t variant[RT_FAQ_WORDS_MAX][RT_FAQ_VARIANTS];
    float    credit[RT_FAQ_WORDS_MAX][RT_FAQ_VARIANTS];
    uint8_t  variants[RT_FAQ_WORDS_MAX];
    int8_t   vector[RT_FAQ_DIMENSIONS]; /* of English only */
} rt_faq_query_t;

struct rt_faq_scratch_s {
    rt_faq_reader_t reader;
    rt_faq_words_t  words[RT_FAQ_LANGUAGES];
    rt_faq_query_t  query[RT_FAQ_LANGUAGES];
    size_t          faqs;  /* of the last match */
    rt_faq_fit_t   *fit;   /* per FAQ */
    uint32_t       *order; /* FAQs that fit, best first after ranking */
    size_t          ordered;
    size_t          faqs_size;
    float          *overlap; /* per phrase: weight in common, both sides added */
    uint32_t       *stamp;   /* per phrase: last word that was counted for it */
    size_t          phrases_size;
    double          none[RT_FAQ_NONE_FEATURES];
};

/* Terms, credits and weights of a message's words. */
void rt__faq_query(const rt_faq_index_t *index, size_t language, const rt_faq_words_t *words,
    rt_faq_query_t *out);

/* Makes percent of the features of all FAQs that are touched. */
void rt__faq_score(const rt_faq_index_t *index, rt_faq_scratch_t *scratch);

/* Makes the scratch able to read English. */
rt_status_t rt__faq_scratch_reader(rt_faq_scratch_t *scratch);

/* Makes the scratch large enough for the index and able to read its languages. */
rt_status_t rt__faq_scratch_fit(rt_faq_scratch_t *scratch, const rt_faq_index_t *index);

#endif
