/* The terms of an index: a hash from stem and language to a number, and the words as written, by
 * first letter, for typing errors. */

#include "faq/rt_faq.h"

#include <stdlib.h>
#include <string.h>


#define RT_FAQ_SLOTS_MIN  256
#define RT_FAQ_HASH_START 14695981039346656037ULL


static int rt_faq_terms_rehash(rt_faq_terms_t *terms);
static int rt_faq_surface_add(rt_faq_terms_t *terms, size_t language, const rt_faq_word_t *folded,
    const rt_faq_word_t *stem, uint32_t term);
static uint64_t rt_faq_word_hash(uint64_t hash, const rt_faq_word_t *word);


rt_status_t
rt__faq_terms_init(rt_faq_terms_t *terms)
{
    memset(terms, 0, sizeof(*terms));
    memset(terms->first, 0xFF, sizeof(terms->first));
    memset(terms->group, 0xFF, sizeof(terms->group));

    return rt_faq_terms_rehash(terms) == 0 ? RT_OK : RT_NO_MEMORY;
}


void
rt__faq_terms_clear(rt_faq_terms_t *terms)
{
    free(terms->term);
    free(terms->slot);
    free(terms->surface);
    memset(terms, 0, sizeof(*terms));
}


int
rt__faq_grow(void **array, size_t *size, size_t used, size_t item_bytes)
{
    void  *bigger;
    size_t n;

    if (used < *size) {
        return 0;
    }

    n = (*size == 0) ? 64 : *size * 2;

    bigger = realloc(*array, n * item_bytes);
    if (bigger == NULL) {
        return -1;
    }

    *array = bigger;
    *size = n;

    return 0;
}


static uint64_t
rt_faq_word_hash(uint64_t hash, const rt_faq_word_t *word)
{
    size_t i;

    for (i = 0; i < word->len; i++) {
        hash = (hash ^ (unsigned char) word->text[i]) * 1099511628211ULL; /* FNV-1a */
    }

    return (hash ^ 0xFF) * 1099511628211ULL; /* a byte that UTF-8 has not: the word's end */
}


uint64_t
rt__faq_hash(const rt_faq_words_t *words, size_t language)
{
    size_t   i;
    uint64_t hash;

    hash = RT_FAQ_HASH_START + language;

    for (i = 0; i < words->n; i++) {
        hash = rt_faq_word_hash(hash, &words->folded[i]);
    }

    return hash;
}


static size_t
rt_faq_terms_slot(const rt_faq_terms_t *terms, size_t language, const rt_faq_word_t *stem)
{
    size_t               i;
    uint64_t             hash;
    const rt_faq_term_t *term;

    hash = rt_faq_word_hash(RT_FAQ_HASH_START + language, stem);

    for (i = (hash ^ (hash >> 32)) & (terms->slots - 1); terms->slot[i] != RT_FAQ_NO_TERM;
         i = (i + 1) & (terms->slots - 1))
    {
        term = &terms->term[terms->slot[i]];

        if (term->language == language && term->stem.len == stem->len
            && memcmp(term->stem.text, stem->text, stem->len) == 0)
        {
            break;
        }
    }

    return i;
}


uint32_t
rt__faq_terms_find(const rt_faq_terms_t *terms, size_t language, const rt_faq_word_t *stem)
{
    return terms->slot[rt_faq_terms_slot(terms, language, stem)];
}


uint32_t
rt__faq_terms_add(rt_faq_terms_t *terms, size_t language, const rt_faq_word_t *folded,
    const rt_faq_word_t *stem)
{
    int            known;
    size_t         slot;
    uint32_t       number;
    rt_faq_term_t *term;

    number = rt__faq_terms_find(terms, language, stem);

    if (number != RT_FAQ_NO_TERM) {
        return rt_faq_surface_add(terms, language, folded, stem, number) == 0 ? number
                                                                              : RT_FAQ_NO_TERM;
    }

    if (terms->terms * 2 >= terms->slots && rt_faq_terms_rehash(terms) != 0) {
        return RT_FAQ_NO_TERM;
    }

    if (rt__faq_grow((void **) &terms->term, &terms->terms_size, terms->terms, sizeof(*term)) != 0
        || rt_faq_surface_add(terms, language, folded, stem, (uint32_t) terms->terms) != 0)
    {
        return RT_FAQ_NO_TERM;
    }

    slot = rt_faq_terms_slot(terms, language, stem);
    number = (uint32_t) terms->terms++;
    terms->slot[slot] = number;

    term = &terms->term[number];
    memset(term, 0, sizeof(*term));
    term->stem = *stem;
    term->language = (uint8_t) language;
    term->last_faq = UINT32_MAX;
    term->group = (language == RT_FAQ_ENGLISH) ? rt__faq_group(stem) : -1;
    term->general = (float) rt__faq_word_weight(language, stem, &known);
    term->group_next = RT_FAQ_NO_TERM;

    if (term->group >= 0) {
        term->group_next = terms->group[term->group];
        terms->group[term->group] = number;
    }

    return number;
}


/* Adds the word as written, unless it is there. */
static int
rt_faq_surface_add(rt_faq_terms_t *terms, size_t language, const rt_faq_word_t *folded,
    const rt_faq_word_t *stem, uint32_t term)
{
    uint32_t          i, *first;
    rt_faq_surface_t *surface;

    first = &terms->first[language][(unsigned char) folded->text[0]];

    for (i = *first; i != RT_FAQ_NO_TERM; i = terms->surface[i].next) {
        surface = &terms->surface[i];

        if (surface->term == term && surface->folded.len == folded->len
            && memcmp(surface->folded.text, folded->text, folded->len) == 0)
        {
            return 0;
        }
    }

    if (rt__faq_grow((void **) &terms->surface, &terms->surfaces_size, terms->surfaces,
            sizeof(*surface))
        != 0)
    {
        return -1;
    }

    surface = &terms->surface[terms->surfaces];
    surface->folded = *folded;
    surface->stem = *stem;
    surface->term = term;
    surface->next = *first;
    *first = (uint32_t) terms->surfaces++;

    return 0;
}


static int
rt_faq_terms_rehash(rt_faq_terms_t *terms)
{
    size_t    i, slots;
    uint32_t *slot;

    slots = (terms->slots == 0) ? RT_FAQ_SLOTS_MIN : terms->slots * 4;

    slot = malloc(slots * sizeof(uint32_t));
    if (slot == NULL) {
        return -1;
    }

    memset(slot, 0xFF, slots * sizeof(uint32_t));
    free(terms->slot);
    terms->slot = slot;
    terms->slots = slots;

    for (i = 0; i < terms->terms; i++) {
        slot[rt_faq_terms_slot(terms, terms->term[i].language, &terms->term[i].stem)] =
            (uint32_t) i;
    }

    return 0;
}


size_t
rt__faq_pair(const rt_faq_word_t *first, const rt_faq_word_t *second)
{
    uint64_t hash;

    hash = rt_faq_word_hash(rt_faq_word_hash(RT_FAQ_HASH_START, first), second);

    return (hash ^ (hash >> 32)) % RT_FAQ_PAIRS;
}
