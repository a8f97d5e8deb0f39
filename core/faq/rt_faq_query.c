/* What each word of a message may stand for: the term itself, a term that was meant (typing
 * errors), terms for the same thing; and how much the word tells. */

#include "faq/rt_faq_scratch.h"
#include "faq/rt_faq_vector.h"

#include <string.h>


#define RT_FAQ_CREDIT_TYPO  0.9F
#define RT_FAQ_CREDIT_GROUP 0.6F
#define RT_FAQ_TYPOS_MAX    16 /* unknown words of one message that are looked up */
#define RT_FAQ_TYPO_COMMON  0.2

static void   rt_faq_query_add(rt_faq_query_t *out, size_t word, uint32_t term, float credit);
static double rt_faq_query_word(const rt_faq_index_t *index, size_t language,
    const rt_faq_words_t *words, size_t i, rt_faq_query_t *out, int *typos);
static const rt_faq_word_t *rt_faq_query_stem(const rt_faq_index_t *index,
    const rt_faq_words_t *words, size_t i, const rt_faq_query_t *query);
static int                  rt_faq_query_repeats(const rt_faq_words_t *words, size_t i);


void
rt__faq_query(const rt_faq_index_t *index, size_t language, const rt_faq_words_t *words,
    rt_faq_query_t *out)
{
    int    typos;
    float  sum[RT_FAQ_DIMENSIONS];
    double weight;
    size_t i;

    typos = 0;
    out->n = words->n;
    out->weight = 0;
    memset(sum, 0, sizeof(sum));

    for (i = 0; i < words->n; i++) {
        out->variants[i] = 0;
        out->word_weight[i] = 0;

        weight = rt_faq_query_word(index, language, words, i, out, &typos);

        if (rt_faq_query_repeats(words, i)) {
            continue;
        }

        out->word_weight[i] = (float) weight;
        out->weight += weight;

        if (language == RT_FAQ_ENGLISH) {
            rt__faq_vector_add(sum, rt_faq_query_stem(index, words, i, out), weight);
        }
    }

    rt__faq_vector_pack(sum, out->vector);
}


/* What word i was meant to be. */
static const rt_faq_word_t *
rt_faq_query_stem(const rt_faq_index_t *index, const rt_faq_words_t *words, size_t i,
    const rt_faq_query_t *query)
{
    return query->variants[i] > 0 && query->credit[i][0] == RT_FAQ_CREDIT_TYPO
        ? &index->terms.term[query->variant[i][0]].stem
        : &words->stem[i];
}


/* Sets what word i may stand for; returns its weight. */
static double
rt_faq_query_word(const rt_faq_index_t *index, size_t language, const rt_faq_words_t *words,
    size_t i, rt_faq_query_t *out, int *typos)
{
    int                  known, group;
    double               weight;
    uint32_t             term;
    const rt_faq_word_t *stem;

    stem = &words->stem[i];
    term = rt__faq_terms_find(&index->terms, language, stem);

    if (term != RT_FAQ_NO_TERM) {
        rt_faq_query_add(out, i, term, 1.0F);
        weight = index->terms.term[term].weight;
        group = index->terms.term[term].group;

    } else {
        weight = rt__faq_word_weight(language, stem, &known);
        group = (language == RT_FAQ_ENGLISH) ? rt__faq_group(stem) : -1;

        if (!known && (*typos)++ < RT_FAQ_TYPOS_MAX) {
            term = rt__faq_terms_nearest(&index->terms, language, &words->folded[i], stem);

            if (term != RT_FAQ_NO_TERM) {
                rt_faq_query_add(out, i, term, RT_FAQ_CREDIT_TYPO);
                weight = index->terms.term[term].weight;
                group = index->terms.term[term].group;

            } else if (language == RT_FAQ_ENGLISH && rt__faq_common_typo(&words->folded[i])) {
                weight = RT_FAQ_TYPO_COMMON;
            }
        }
    }

    if (group >= 0) {
        for (term = index->terms.group[group]; term != RT_FAQ_NO_TERM;
             term = index->terms.term[term].group_next)
        {
            if (out->variants[i] == 0 || out->variant[i][0] != term) {
                rt_faq_query_add(out, i, term, RT_FAQ_CREDIT_GROUP);
            }
        }
    }

    return weight;
}


static void
rt_faq_query_add(rt_faq_query_t *out, size_t word, uint32_t term, float credit)
{
    size_t n;

    n = out->variants[word];

    if (n < RT_FAQ_VARIANTS) {
        out->variant[word][n] = term;
        out->credit[word][n] = credit;
        out->variants[word]++;
    }
}


static int
rt_faq_query_repeats(const rt_faq_words_t *words, size_t i)
{
    size_t j;

    for (j = 0; j < i; j++) {
        if (words->stem[j].len == words->stem[i].len
            && memcmp(words->stem[j].text, words->stem[i].text, words->stem[i].len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
