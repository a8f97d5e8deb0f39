/* Typing errors: the optimal string alignment distance (Damerau's edits, no substring edited
 * twice), and which word of the FAQs an unknown word was meant to be. */

#include "faq/rt_faq.h"

#include "base/rt_unicode.h"

#include <string.h>


#define RT_FAQ_TYPO_MIN  4 /* shorter words are too near to each other */
#define RT_FAQ_TYPO_LONG 8 /* two edits from here on */


static size_t
rt_faq_characters(const rt_faq_word_t *word, int32_t out[RT_FAQ_WORD_BYTES])
{
    size_t      n;
    const char *pos, *end;

    n = 0;
    pos = word->text;
    end = word->text + word->len;

    while (pos < end) {
        out[n] = rt__utf8_next(&pos, end);

        if (out[n++] < 0) {
            pos++;
        }
    }

    return n;
}


int
rt__faq_distance(const rt_faq_word_t *a, const rt_faq_word_t *b, int limit)
{
    int     cost, best, row[3][RT_FAQ_WORD_BYTES + 1];
    int    *now, *before, *swap, *older;
    size_t  i, j, n, m;
    int32_t left[RT_FAQ_WORD_BYTES], right[RT_FAQ_WORD_BYTES];

    n = rt_faq_characters(a, left);
    m = rt_faq_characters(b, right);

    if ((n > m ? n - m : m - n) > (size_t) limit) {
        return limit + 1;
    }

    older = row[0];
    before = row[1];
    now = row[2];

    for (j = 0; j <= m; j++) {
        before[j] = (int) j;
        older[j] = 0;
    }

    for (i = 1; i <= n; i++) {
        now[0] = best = (int) i;

        for (j = 1; j <= m; j++) {
            cost = before[j - 1] + (left[i - 1] != right[j - 1]);
            cost = cost < before[j] + 1 ? cost : before[j] + 1;
            cost = cost < now[j - 1] + 1 ? cost : now[j - 1] + 1;

            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1]
                && older[j - 2] + 1 < cost)
            {
                cost = older[j - 2] + 1;
            }

            now[j] = cost;
            best = cost < best ? cost : best;
        }

        if (best > limit) {
            return limit + 1;
        }

        swap = older;
        older = before;
        before = now;
        now = swap;
    }

    return before[m];
}


uint32_t
rt__faq_terms_nearest(const rt_faq_terms_t *terms, size_t language, const rt_faq_word_t *folded,
    const rt_faq_word_t *stem)
{
    int                     limit, distance, best;
    uint32_t                i, found;
    const rt_faq_surface_t *surface;

    found = RT_FAQ_NO_TERM;

    if (folded->len < RT_FAQ_TYPO_MIN) {
        return found;
    }

    limit = (folded->len >= RT_FAQ_TYPO_LONG) ? 2 : 1;
    best = limit + 1;

    for (i = terms->first[language][(unsigned char) folded->text[0]]; i != RT_FAQ_NO_TERM;
         i = surface->next)
    {
        surface = &terms->surface[i];

        if (surface->folded.len < RT_FAQ_TYPO_MIN) {
            continue;
        }

        distance = rt__faq_distance(&surface->folded, folded, best - 1);

        if (distance >= best && surface->stem.len >= RT_FAQ_TYPO_MIN) {
            /* another form of the word, with the error in its stem */
            distance = rt__faq_distance(&surface->stem, stem, best - 1);
        }

        if (distance < best) {
            best = distance;
            found = surface->term;

            if (best <= 1) {
                break;
            }
        }
    }

    return found;
}
