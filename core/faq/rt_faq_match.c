/* Matching: the words of the message walk the index's lists, what they meet is added up per phrase
 * and per FAQ, features are made of the sums, and the FAQs are ranked.
 *
 * The time is that of the lists walked: at most words × phrases, and in practice a small part of
 * it, since only common words are in many phrases. */

#include "faq/rt_faq_scratch.h"
#include "faq/rt_faq_vector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>


#define RT_FAQ_UNSEEN       12.0 /* topics that a business has beside those of its FAQs */
#define RT_FAQ_KEYWORD_HELD 0.7F /* share of a keyword's weight: typing errors pass */


static void rt_faq_walk(const rt_faq_index_t *index, size_t language, rt_faq_scratch_t *scratch);
static void rt_faq_walk_term(const rt_faq_index_t *index, rt_faq_scratch_t *scratch,
    const rt_faq_term_t *term, float credit, float weight, uint32_t stamp);
static void rt_faq_walk_pairs(const rt_faq_index_t *index, size_t language,
    rt_faq_scratch_t *scratch);
static void rt_faq_walk_exact(const rt_faq_index_t *index, size_t language,
    rt_faq_scratch_t *scratch);
static void rt_faq_make_features(const rt_faq_index_t *index, rt_faq_scratch_t *scratch,
    size_t faq);
static void rt_faq_make_none(const rt_faq_index_t *index, rt_faq_scratch_t *scratch);
static int  rt_faq_keyword_held(const rt_faq_index_t *index, const rt_faq_scratch_t *scratch,
     const rt_faq_query_t *query, uint32_t phrase);
static int  rt_faq_means(const rt_faq_query_t *query, size_t word, uint32_t term);
static void rt_faq_rank(const rt_faq_index_t *index, rt_faq_scratch_t *scratch, size_t max);
static int  rt_faq_before(const rt_faq_index_t *index, const rt_faq_scratch_t *scratch, uint32_t a,
     uint32_t b);
static int  rt_faq_qualifies(const rt_faq_index_t *index, const rt_faq_scratch_t *scratch,
     uint32_t faq);


rt_status_t
rt_faq_match(const rt_faq_index_t *index, rt_faq_scratch_t *scratch, rt_str_t message,
    rt_faq_candidate_t *out, size_t max, size_t *count)
{
    size_t        i;
    uint32_t      faq;
    rt_status_t   status;
    rt_faq_fit_t *fit;

    *count = 0;

    status = rt__faq_scratch_fit(scratch, index);
    if (status != RT_OK) {
        return status;
    }

    scratch->faqs = index->faqs;
    scratch->ordered = 0;
    memset(scratch->none, 0, sizeof(scratch->none));

    if (index->faqs == 0) {
        return RT_OK;
    }

    memset(scratch->fit, 0, index->faqs * sizeof(rt_faq_fit_t));
    memset(scratch->overlap, 0, index->phrases * sizeof(float));
    memset(scratch->stamp, 0, index->phrases * sizeof(uint32_t));

    for (i = 0; i < index->languages; i++) {
        status = rt__faq_read(&scratch->reader, i, message, &scratch->words[i]);
        if (status != RT_OK) {
            return status;
        }

        rt__faq_query(index, i, &scratch->words[i], &scratch->query[i]);
        rt_faq_walk(index, i, scratch);
        rt_faq_walk_pairs(index, i, scratch);
        rt_faq_walk_exact(index, i, scratch);
    }

    if (scratch->words[0].n == 0) { /* in no language */
        return RT_OK;
    }

    for (i = 0; i < index->faqs; i++) {
        if (scratch->fit[i].touched) {
            rt_faq_make_features(index, scratch, i);
        }
    }

    rt_faq_make_none(index, scratch);
    rt__faq_score(index, scratch);
    rt_faq_rank(index, scratch, max);

    for (i = 0; i < max && i < scratch->ordered; i++) {
        faq = scratch->order[i];
        fit = &scratch->fit[faq];
        out[i] = (rt_faq_candidate_t){faq, fit->percent, fit->exact,
            rt_faq_qualifies(index, scratch, faq),
            fit->touched ? index->phrase[fit->nearest].place : 0};
        (*count)++;
    }

    return RT_OK;
}


int
rt_faq_features(const rt_faq_scratch_t *scratch, size_t faq, double *out)
{
    if (faq >= scratch->faqs) {
        memcpy(out, scratch->none, sizeof(scratch->none));
        return 1;
    }

    memcpy(out, scratch->fit[faq].features, sizeof(scratch->fit[faq].features));

    return scratch->fit[faq].touched;
}


static void
rt_faq_walk(const rt_faq_index_t *index, size_t language, rt_faq_scratch_t *scratch)
{
    size_t                i, j;
    uint32_t              stamp;
    const rt_faq_query_t *query;

    query = &scratch->query[language];

    for (i = 0; i < query->n; i++) {
        if (query->word_weight[i] == 0) {
            continue;
        }

        /* a phrase takes a word once, by the first of its variants, which has most credit; the
         * languages have different phrases */
        stamp = (uint32_t) i + 1;

        for (j = 0; j < query->variants[i]; j++) {
            rt_faq_walk_term(index, scratch, &index->terms.term[query->variant[i][j]],
                query->credit[i][j], query->word_weight[i], stamp);
        }
    }
}


static void
rt_faq_walk_term(const rt_faq_index_t *index, rt_faq_scratch_t *scratch, const rt_faq_term_t *term,
    float credit, float weight, uint32_t stamp)
{
    size_t                 i;
    uint32_t               number;
    rt_faq_fit_t          *fit;
    const rt_faq_phrase_t *phrase;

    for (i = 0; i < term->phrases; i++) {
        number = index->posting[term->postings + i];

        if (scratch->stamp[number] == stamp) {
            continue;
        }

        scratch->stamp[number] = stamp;
        scratch->overlap[number] += credit * (weight + term->weight);

        phrase = &index->phrase[number];
        fit = &scratch->fit[phrase->faq];
        fit->touched = 1;

        if (fit->stamp != stamp) {
            fit->stamp = stamp;
            fit->covered += credit * weight;
        }

        fit->votes += (double) credit * weight
            / ((double) index->faq[phrase->faq].texts * (term->spread + 0.5));
    }
}


static void
rt_faq_walk_pairs(const rt_faq_index_t *index, size_t language, rt_faq_scratch_t *scratch)
{
    float                 weight;
    size_t                i, k;
    size_t                pair;
    const rt_faq_word_t  *stem, *before;
    const rt_faq_query_t *query;

    query = &scratch->query[language];
    before = NULL;

    for (i = 0; i < query->n; i++) {
        stem = (query->variants[i] > 0) ? &index->terms.term[query->variant[i][0]].stem
                                        : &scratch->words[language].stem[i];

        if (before != NULL) {
            pair = rt__faq_pair(before, stem);
            weight = index->pair_weight[pair];

            for (k = index->pair_first[pair]; k < index->pair_first[pair + 1]; k++) {
                scratch->fit[index->pair[k].faq].pairs += weight * index->pair[k].weight;
            }
        }

        before = stem;
    }
}


static void
rt_faq_walk_exact(const rt_faq_index_t *index, size_t language, rt_faq_scratch_t *scratch)
{
    size_t                 i;
    uint64_t               hash;
    rt_faq_fit_t          *fit;
    const rt_faq_phrase_t *phrase;

    if (scratch->words[language].cut || scratch->words[language].n == 0) {
        return;
    }

    hash = rt__faq_hash(&scratch->words[language], language);

    for (i = 0; i < index->phrases; i++) {
        phrase = &index->phrase[i];

        if (phrase->hash == hash && phrase->whole && phrase->kind != RT_FAQ_KEYWORD
            && index->faq[phrase->faq].language == language)
        {
            fit = &scratch->fit[phrase->faq];

            if (!fit->exact) {
                fit->exact = 1;
                fit->touched = 1;
                fit->nearest = (uint32_t) i;
            }
        }
    }
}


static void
rt_faq_make_features(const rt_faq_index_t *index, rt_faq_scratch_t *scratch, size_t faq)
{
    double                 dice, best[3], inside, keyword, likeness;
    size_t                 i, n;
    uint32_t               number;
    rt_faq_fit_t          *fit;
    const rt_faq_query_t  *query;
    const rt_faq_entry_t  *entry;
    const rt_faq_phrase_t *phrase;

    fit = &scratch->fit[faq];
    entry = &index->faq[faq];
    query = &scratch->query[entry->language];
    best[0] = best[1] = best[2] = inside = keyword = likeness = 0;

    for (i = 0; i < entry->phrases; i++) {
        number = entry->phrase + (uint32_t) i;
        phrase = &index->phrase[number];

        if (phrase->kind == RT_FAQ_KEYWORD) {
            if (rt_faq_keyword_held(index, scratch, query, number)) {
                keyword += phrase->weight;
            }
            continue;
        }

        likeness = fmax(likeness,
            rt__faq_vector_likeness(query->vector,
                &index->vector[(size_t) number * RT_FAQ_DIMENSIONS]));
        dice = scratch->overlap[number] / (query->weight + phrase->weight + 1e-9);

        if (dice > best[0]) {
            best[2] = best[1];
            best[1] = best[0];
            best[0] = dice;
            inside = scratch->overlap[number] / (2 * phrase->weight + 1e-9);

            if (!fit->exact) {
                fit->nearest = number;
            }

        } else if (dice > best[1]) {
            best[2] = best[1];
            best[1] = dice;

        } else if (dice > best[2]) {
            best[2] = dice;
        }
    }

    n = entry->texts < 3 ? entry->texts : 3;
    fit->features[0] = likeness * likeness;
    fit->features[1] = (best[0] + best[1] + best[2]) / (double) n;
    fit->features[2] = fit->covered / (query->weight + 1e-9);
    fit->features[3] = fmin(1.0, keyword / (query->weight + 1e-9));
    fit->features[4] = fmin(1.0, inside);
    fit->features[5] = fit->covered / (1.0 + fit->covered);
    fit->features[6] = fit->votes / (1.0 + fit->votes);
    fit->features[7] = fit->pairs / (entry->pair_norm + 1e-9);
}


static void
rt_faq_make_none(const rt_faq_index_t *index, rt_faq_scratch_t *scratch)
{
    scratch->none[0] = log((double) index->faqs + RT_FAQ_UNSEEN) / 4;
    scratch->none[1] = 1.0 / index->texts_mean;
}


/* Whether the message holds all words of a keyword, and those of a phrase in a row. */
static int
rt_faq_keyword_held(const rt_faq_index_t *index, const rt_faq_scratch_t *scratch,
    const rt_faq_query_t *query, uint32_t number)
{
    size_t                 i, j;
    const uint32_t        *term;
    const rt_faq_phrase_t *phrase;

    phrase = &index->phrase[number];

    if (phrase->terms_n == 0 || scratch->overlap[number] < 2 * RT_FAQ_KEYWORD_HELD * phrase->weight)
    {
        return 0;
    }

    term = &index->phrase_term[phrase->terms];

    for (i = 0; i + phrase->terms_n <= query->n; i++) {
        for (j = 0; j < phrase->terms_n && rt_faq_means(query, i + j, term[j]); j++) {
        }

        if (j == phrase->terms_n) {
            return 1;
        }
    }

    return 0;
}


static int
rt_faq_means(const rt_faq_query_t *query, size_t word, uint32_t term)
{
    size_t i;

    for (i = 0; i < query->variants[word]; i++) {
        if (query->variant[word][i] == term) {
            return 1;
        }
    }

    return 0;
}


static int
rt_faq_qualifies(const rt_faq_index_t *index, const rt_faq_scratch_t *scratch, uint32_t faq)
{
    return scratch->fit[faq].percent >= index->faq[faq].threshold_percent;
}


/* Brings the best max to the front of scratch->order. */
static void
rt_faq_rank(const rt_faq_index_t *index, rt_faq_scratch_t *scratch, size_t max)
{
    size_t   i, j, best;
    uint32_t swap;

    for (i = 0; i < index->faqs; i++) {
        if (scratch->fit[i].touched || rt_faq_qualifies(index, scratch, (uint32_t) i)) {
            scratch->order[scratch->ordered++] = (uint32_t) i;
        }
    }

    for (i = 0; i < max && i < scratch->ordered; i++) {
        best = i;

        for (j = i + 1; j < scratch->ordered; j++) {
            if (rt_faq_before(index, scratch, scratch->order[j], scratch->order[best])) {
                best = j;
            }
        }

        swap = scratch->order[i];
        scratch->order[i] = scratch->order[best];
        scratch->order[best] = swap;
    }
}


static int
rt_faq_before(const rt_faq_index_t *index, const rt_faq_scratch_t *scratch, uint32_t a, uint32_t b)
{
    int                   qualifies, other;
    const rt_faq_fit_t   *left, *right;
    const rt_faq_entry_t *first, *second;

    left = &scratch->fit[a];
    right = &scratch->fit[b];
    first = &index->faq[a];
    second = &index->faq[b];
    qualifies = rt_faq_qualifies(index, scratch, a);
    other = rt_faq_qualifies(index, scratch, b);

    if (qualifies != other) {
        return qualifies;
    }

    if (qualifies && left->exact != right->exact) {
        return left->exact;
    }

    if (qualifies && first->priority != second->priority) {
        return first->priority > second->priority;
    }

    if (left->percent != right->percent) {
        return left->percent > right->percent;
    }

    if (first->created_at_ms != second->created_at_ms) {
        return first->created_at_ms < second->created_at_ms;
    }

    return a < b;
}
