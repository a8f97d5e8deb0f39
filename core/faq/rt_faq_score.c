/* From features to a probability: one softmax over the FAQs that have something in common with the
 * message and the outcome "none of them".
 *
 * The numbers are fitted by scripts/faq-fit; docs/faq.md says on what and how they carry over.
 *
 * FAQs whose nearest texts say the same compete with each other for the same messages: each would
 * take half of the probability, and both would be silent. So such a pair is left out of each
 * other's sum. */

#include "faq/rt_faq_scratch.h"

#include <math.h>
#include <string.h>


#define RT_FAQ_TOP       8   /* the best ones are looked at for near-duplicates */
#define RT_FAQ_SAME      0.9 /* weighted Dice from which two texts say the same */
#define RT_FAQ_CLOSE     3.0 /* a near-duplicate has nearly the same odds */
#define RT_FAQ_NOT_EXACT 99.9
#define RT_FAQ_STEPS     10.0 /* per percent */

static const double rt_faq_weights[RT_FAQ_FEATURES] = {2.70, 3.51, 2.09, 1.23, 2.64, 1.91, 4.82,
    0.28};
static const double rt_faq_none_weights[RT_FAQ_NONE_FEATURES] = {4.55, 2.40};
static const double rt_faq_none_bias = 1.64;


static double rt_faq_none_odds(const rt_faq_scratch_t *scratch);
static void   rt_faq_top(const rt_faq_scratch_t *scratch, size_t faqs, uint32_t *top, size_t *n);
static int rt_faq_same(const rt_faq_index_t *index, const rt_faq_fit_t *a, const rt_faq_fit_t *b);


void
rt__faq_score(const rt_faq_index_t *index, rt_faq_scratch_t *scratch)
{
    double        none, most, total, mine;
    size_t        i, j, n;
    uint32_t      top[RT_FAQ_TOP];
    rt_faq_fit_t *fit, *other;

    none = rt_faq_none_odds(scratch);
    most = none;

    for (i = 0; i < index->faqs; i++) {
        fit = &scratch->fit[i];
        fit->z = 0;

        for (j = 0; j < RT_FAQ_FEATURES; j++) {
            fit->z += rt_faq_weights[j] * fit->features[j];
        }

        most = (fit->touched && fit->z > most) ? fit->z : most;
    }

    total = exp(none - most);

    for (i = 0; i < index->faqs; i++) {
        if (scratch->fit[i].touched) {
            total += exp(scratch->fit[i].z - most);
        }
    }

    rt_faq_top(scratch, index->faqs, top, &n);

    for (i = 0; i < index->faqs; i++) {
        fit = &scratch->fit[i];
        mine = total;

        for (j = 0; j < n && fit->touched; j++) {
            other = &scratch->fit[top[j]];

            if (other != fit && fabs(other->z - fit->z) < RT_FAQ_CLOSE
                && rt_faq_same(index, fit, other)) {
                mine -= exp(other->z - most);
            }
        }

        if (fit->touched) {
            fit->percent = 100 * exp(fit->z - most) / fmax(mine, exp(fit->z - most));
            fit->percent =
                fmin(round(fit->percent * RT_FAQ_STEPS) / RT_FAQ_STEPS, RT_FAQ_NOT_EXACT);
        }

        if (fit->exact) {
            fit->percent = 100;
        }
    }
}


static double
rt_faq_none_odds(const rt_faq_scratch_t *scratch)
{
    double odds;
    size_t i;

    odds = rt_faq_none_bias;

    for (i = 0; i < RT_FAQ_NONE_FEATURES; i++) {
        odds += rt_faq_none_weights[i] * scratch->none[i];
    }

    return odds;
}


/* The FAQs with the best odds. */
static void
rt_faq_top(const rt_faq_scratch_t *scratch, size_t faqs, uint32_t *top, size_t *n)
{
    size_t i, j;

    *n = 0;

    for (i = 0; i < faqs; i++) {
        if (!scratch->fit[i].touched
            || (*n == RT_FAQ_TOP && scratch->fit[i].z <= scratch->fit[top[*n - 1]].z))
        {
            continue;
        }

        j = (*n < RT_FAQ_TOP) ? (*n)++ : *n - 1;

        for (; j > 0 && scratch->fit[top[j - 1]].z < scratch->fit[i].z; j--) {
            top[j] = top[j - 1];
        }

        top[j] = (uint32_t) i;
    }
}


/* Whether the texts that the message is nearest to say the same. */
static int
rt_faq_same(const rt_faq_index_t *index, const rt_faq_fit_t *a, const rt_faq_fit_t *b)
{
    float                  common;
    size_t                 i, j;
    const uint32_t        *left, *right;
    const rt_faq_phrase_t *first, *second;

    first = &index->phrase[a->nearest];
    second = &index->phrase[b->nearest];
    left = &index->phrase_term[first->terms];
    right = &index->phrase_term[second->terms];
    common = 0;

    for (i = 0; i < first->terms_n; i++) {
        for (j = 0; j < second->terms_n; j++) {
            if (left[i] == right[j]) {
                common += index->terms.term[left[i]].weight;
            }
        }
    }

    return 2 * common >= RT_FAQ_SAME * (first->weight + second->weight);
}
