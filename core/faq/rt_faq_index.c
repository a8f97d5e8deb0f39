/* Makes the index: FAQs are read once, in order, then weights and lists are made from what was
 * read. Everything is in arrays by number; nothing changes afterwards. */

#include "faq/rt_faq_vector.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>


#define RT_FAQ_IDF_POWER 0.4 /* how much rarity among the business's FAQs counts */

typedef struct {
    rt_faq_index_t *index;
    rt_faq_reader_t reader;
    rt_faq_words_t  words;
    size_t          phrases_size;
    size_t          phrase_terms_size;
    rt_faq_pair_t  *pair; /* with the number of each beside it, by FAQ */
    uint16_t       *pair_number;
    size_t          pairs;
    size_t          pairs_size;
    size_t          pair_numbers_size;
    char            holds[RT_FAQ_PAIRS]; /* the pairs of the FAQ that is read */
} rt_faq_build_t;


static rt_status_t rt_faq_build(rt_faq_build_t *build, const rt_faq_t *faqs, size_t n);
static size_t      rt_faq_build_language(rt_faq_build_t *build, rt_str_t name);
static rt_status_t rt_faq_build_faq(rt_faq_build_t *build, const rt_faq_t *faq);
static rt_status_t rt_faq_build_phrase(rt_faq_build_t *build, rt_str_t text, rt_faq_kind_t kind,
    uint32_t place);
static int         rt_faq_build_term(rt_faq_build_t *build, rt_faq_phrase_t *phrase, size_t i);
static int         rt_faq_build_pair_list(rt_faq_build_t *build, uint32_t faq);
static void        rt_faq_build_weights(rt_faq_index_t *index);
static rt_status_t rt_faq_build_vectors(rt_faq_index_t *index);
static rt_status_t rt_faq_build_postings(rt_faq_index_t *index);
static rt_status_t rt_faq_build_pairs(rt_faq_build_t *build);


rt_status_t
rt_faq_index_create(rt_faq_index_t **out, const rt_faq_t *faqs, size_t n, rt_error_t *error)
{
    size_t          i;
    rt_status_t     status;
    rt_faq_build_t *build;

    if (n > RT_FAQ_MAX) {
        return rt_error_set(error, RT_TOO_LARGE, "more than %d FAQs", RT_FAQ_MAX);
    }

    for (i = 0; i < n; i++) {
        if (faqs[i].alternatives_n >= RT_FAQ_PHRASE_MAX
            || faqs[i].keywords_n >= RT_FAQ_PHRASE_MAX - faqs[i].alternatives_n)
        {
            return rt_error_set(error, RT_TOO_LARGE, "more than %d texts in one FAQ",
                RT_FAQ_PHRASE_MAX);
        }
    }

    build = calloc(1, sizeof(*build));
    if (build == NULL) {
        return rt_error_set(error, RT_NO_MEMORY, "no memory for the FAQs");
    }

    status = rt_faq_build(build, faqs, n);

    if (status == RT_OK) {
        *out = build->index;

    } else {
        rt_faq_index_destroy(build->index);
        (void) rt_error_set(error, status, "%s",
            status == RT_NO_MEMORY ? "no memory for the FAQs" : "ICU does not work here");
    }

    rt__faq_reader_clear(&build->reader);
    free(build->pair);
    free(build->pair_number);
    free(build);

    return status;
}


void
rt_faq_index_destroy(rt_faq_index_t *index)
{
    if (index == NULL) {
        return;
    }

    rt__faq_terms_clear(&index->terms);
    free(index->faq);
    free(index->phrase);
    free(index->phrase_term);
    free(index->vector);
    free(index->posting);
    free(index->pair);
    free(index);
}


size_t
rt_faq_index_count(const rt_faq_index_t *index)
{
    return index->faqs;
}


static rt_status_t
rt_faq_build(rt_faq_build_t *build, const rt_faq_t *faqs, size_t n)
{
    size_t          i;
    rt_status_t     status;
    rt_faq_index_t *index;

    index = calloc(1, sizeof(*index));
    if (index == NULL) {
        return RT_NO_MEMORY;
    }

    build->index = index;
    index->faq = calloc(n + 1, sizeof(rt_faq_entry_t));

    if (index->faq == NULL || rt__faq_terms_init(&index->terms) != RT_OK) {
        return RT_NO_MEMORY;
    }

    status = rt__faq_reader_init(&build->reader);

    memcpy(index->language[0], build->reader.language[0], RT_FAQ_LANGUAGE_BYTES);
    index->languages = 1;

    for (i = 0; i < n && status == RT_OK; i++) {
        status = rt_faq_build_faq(build, &faqs[i]);
    }

    if (status != RT_OK) {
        return status;
    }

    index->texts_mean = 1;

    for (i = 0; i < n; i++) {
        index->texts_mean += (index->faq[i].texts - index->texts_mean) / (double) (i + 1);
    }

    rt_faq_build_weights(index);

    status = rt_faq_build_vectors(index);

    if (status == RT_OK) {
        status = rt_faq_build_postings(index);
    }

    if (status == RT_OK) {
        status = rt_faq_build_pairs(build);
    }

    return status;
}


/* The slot of the FAQ's language; English when it is unknown or one too many. */
static size_t
rt_faq_build_language(rt_faq_build_t *build, rt_str_t name)
{
    char            text[RT_FAQ_LANGUAGE_BYTES];
    size_t          i;
    rt_faq_index_t *index = build->index;

    if (name.len == 0 || name.len >= sizeof(text)) {
        return RT_FAQ_ENGLISH;
    }

    for (i = 0; i < name.len && name.data[i] != '-' && name.data[i] != '_'; i++) {
        text[i] = (char) tolower((unsigned char) name.data[i]); /* "pt-BR" is "pt" */
    }

    text[i] = '\0';

    if (strcmp(text, "en") == 0 || strcmp(text, "eng") == 0) {
        return RT_FAQ_ENGLISH;
    }

    for (i = 0; i < index->languages; i++) {
        if (strcmp(index->language[i], text) == 0) {
            return i;
        }
    }

    if (i == RT_FAQ_LANGUAGES || rt__faq_reader_language(&build->reader, i, text) != RT_OK) {
        return RT_FAQ_ENGLISH;
    }

    memcpy(index->language[i], text, sizeof(text));
    index->languages++;

    return i;
}


static rt_status_t
rt_faq_build_faq(rt_faq_build_t *build, const rt_faq_t *faq)
{
    size_t          i;
    rt_status_t     status;
    rt_faq_index_t *index = build->index;
    rt_faq_entry_t *entry;

    entry = &index->faq[index->faqs++];
    entry->threshold_percent = faq->threshold_percent;
    entry->priority = faq->priority;
    entry->created_at_ms = faq->created_at_ms;
    entry->language = (uint8_t) rt_faq_build_language(build, faq->language);
    entry->phrase = (uint32_t) index->phrases;
    entry->texts = (uint32_t) (1 + faq->alternatives_n);
    memset(build->holds, 0, sizeof(build->holds));

    status = rt_faq_build_phrase(build, faq->question, RT_FAQ_QUESTION, 0);

    for (i = 0; i < faq->alternatives_n && status == RT_OK; i++) {
        status =
            rt_faq_build_phrase(build, faq->alternatives[i], RT_FAQ_ALTERNATIVE, (uint32_t) i + 1);
    }

    for (i = 0; i < faq->keywords_n && status == RT_OK; i++) {
        status = rt_faq_build_phrase(build, faq->keywords[i], RT_FAQ_KEYWORD, (uint32_t) i);
    }

    entry->phrases = (uint32_t) index->phrases - entry->phrase;

    if (status == RT_OK && rt_faq_build_pair_list(build, (uint32_t) index->faqs - 1) != 0) {
        return RT_NO_MEMORY;
    }

    return status;
}


static rt_status_t
rt_faq_build_phrase(rt_faq_build_t *build, rt_str_t text, rt_faq_kind_t kind, uint32_t place)
{
    size_t           i;
    rt_status_t      status;
    rt_faq_index_t  *index = build->index;
    rt_faq_phrase_t *phrase;

    if (rt__faq_grow((void **) &index->phrase, &build->phrases_size, index->phrases,
            sizeof(rt_faq_phrase_t))
        != 0)
    {
        return RT_NO_MEMORY;
    }

    phrase = &index->phrase[index->phrases++];
    memset(phrase, 0, sizeof(*phrase));
    phrase->faq = (uint32_t) index->faqs - 1;
    phrase->kind = kind;
    phrase->place = place;
    phrase->terms = (uint32_t) index->phrase_terms;

    status = rt__faq_read(&build->reader, index->faq[phrase->faq].language, text, &build->words);
    if (status != RT_OK) {
        return status;
    }

    for (i = 0; i < build->words.n; i++) {
        if (rt_faq_build_term(build, phrase, i) != 0) {
            return RT_NO_MEMORY;
        }
    }

    phrase->whole = (build->words.n > 0 && !build->words.cut);
    phrase->hash = rt__faq_hash(&build->words, index->faq[phrase->faq].language);

    return RT_OK;
}


/* Adds word i of the phrase that was read. */
static int
rt_faq_build_term(rt_faq_build_t *build, rt_faq_phrase_t *phrase, size_t i)
{
    size_t               j;
    uint32_t             number;
    rt_faq_term_t       *term;
    rt_faq_index_t      *index = build->index;
    const rt_faq_word_t *folded, *stem;

    folded = &build->words.folded[i];
    stem = &build->words.stem[i];

    if (i > 0 && phrase->kind != RT_FAQ_KEYWORD) {
        build->holds[rt__faq_pair(&build->words.stem[i - 1], stem)] = 1;
    }

    number = rt__faq_terms_add(&index->terms, index->faq[phrase->faq].language, folded, stem);
    if (number == RT_FAQ_NO_TERM) {
        return -1;
    }

    for (j = 0; j < phrase->terms_n; j++) {
        if (index->phrase_term[phrase->terms + j] == number) {
            return 0;
        }
    }

    if (rt__faq_grow((void **) &index->phrase_term, &build->phrase_terms_size, index->phrase_terms,
            sizeof(uint32_t))
        != 0)
    {
        return -1;
    }

    index->phrase_term[index->phrase_terms++] = number;
    phrase->terms_n++;

    term = &index->terms.term[number];
    term->phrases++;
    term->spread += 1.0F / (float) index->faq[phrase->faq].texts;

    if (term->last_faq != phrase->faq) {
        term->last_faq = phrase->faq;
        term->faqs++;
    }

    return 0;
}


/* Keeps the pairs of the FAQ that was read. */
static int
rt_faq_build_pair_list(rt_faq_build_t *build, uint32_t faq)
{
    size_t i;

    for (i = 0; i < RT_FAQ_PAIRS; i++) {
        if (!build->holds[i]) {
            continue;
        }

        if (rt__faq_grow((void **) &build->pair, &build->pairs_size, build->pairs,
                sizeof(rt_faq_pair_t))
                != 0
            || rt__faq_grow((void **) &build->pair_number, &build->pair_numbers_size, build->pairs,
                   sizeof(uint16_t))
                != 0)
        {
            return -1;
        }

        build->pair[build->pairs] = (rt_faq_pair_t){faq, 1};
        build->pair_number[build->pairs++] = (uint16_t) i;
    }

    return 0;
}


/* 1 for what one FAQ holds, towards 0 for what all hold. */
static double
rt_faq_idf(size_t faqs, double holding)
{
    return log((faqs + 1.0) / (holding + 0.5)) / log((faqs + 1.0) / 1.5);
}


static void
rt_faq_build_weights(rt_faq_index_t *index)
{
    double           idf;
    size_t           i, j;
    rt_faq_term_t   *term;
    rt_faq_phrase_t *phrase;

    for (i = 0; i < index->terms.terms; i++) {
        term = &index->terms.term[i];
        idf = (index->faqs > 1) ? rt_faq_idf(index->faqs, term->faqs) : 1.0;
        term->weight = term->general * (float) pow(idf, RT_FAQ_IDF_POWER);
    }

    for (i = 0; i < index->phrases; i++) {
        phrase = &index->phrase[i];

        for (j = 0; j < phrase->terms_n; j++) {
            phrase->weight += index->terms.term[index->phrase_term[phrase->terms + j]].weight;
        }
    }
}


static rt_status_t
rt_faq_build_vectors(rt_faq_index_t *index)
{
    float            sum[RT_FAQ_DIMENSIONS];
    size_t           i, j;
    rt_faq_term_t   *term;
    rt_faq_phrase_t *phrase;

    index->vector = calloc(index->phrases + 1, RT_FAQ_DIMENSIONS);
    if (index->vector == NULL) {
        return RT_NO_MEMORY;
    }

    for (i = 0; i < index->phrases; i++) {
        phrase = &index->phrase[i];

        if (phrase->kind == RT_FAQ_KEYWORD || index->faq[phrase->faq].language != RT_FAQ_ENGLISH) {
            continue;
        }

        memset(sum, 0, sizeof(sum));

        for (j = 0; j < phrase->terms_n; j++) {
            term = &index->terms.term[index->phrase_term[phrase->terms + j]];
            rt__faq_vector_add(sum, &term->stem, term->weight);
        }

        rt__faq_vector_pack(sum, &index->vector[i * RT_FAQ_DIMENSIONS]);
    }

    return RT_OK;
}


static rt_status_t
rt_faq_build_postings(rt_faq_index_t *index)
{
    size_t         i, j, total;
    rt_faq_term_t *term;

    index->posting = malloc((index->phrase_terms + 1) * sizeof(uint32_t));
    if (index->posting == NULL) {
        return RT_NO_MEMORY;
    }

    total = 0;

    for (i = 0; i < index->terms.terms; i++) {
        term = &index->terms.term[i];
        term->postings = (uint32_t) total;
        total += term->phrases;
        term->phrases = 0;
    }

    for (i = 0; i < index->phrases; i++) {
        for (j = 0; j < index->phrase[i].terms_n; j++) {
            term = &index->terms.term[index->phrase_term[index->phrase[i].terms + j]];
            index->posting[term->postings + term->phrases++] = (uint32_t) i;
        }
    }

    return RT_OK;
}


/* Sorts the pairs by number and weighs them by how few FAQs hold them. */
static rt_status_t
rt_faq_build_pairs(rt_faq_build_t *build)
{
    float           weight;
    size_t          i;
    uint16_t        number;
    rt_faq_index_t *index = build->index;

    index->pair = malloc((build->pairs + 1) * sizeof(rt_faq_pair_t));
    if (index->pair == NULL) {
        return RT_NO_MEMORY;
    }

    for (i = 0; i < build->pairs; i++) {
        index->pair_first[build->pair_number[i] + 1]++;
    }

    for (i = 0; i < RT_FAQ_PAIRS; i++) {
        index->pair_weight[i] =
            (float) rt_faq_idf(index->faqs + 1, (double) index->pair_first[i + 1]);
        index->pair_first[i + 1] += index->pair_first[i];
    }

    /* backwards, so that the start of each list comes out where it was counted to */
    for (i = build->pairs; i-- > 0;) {
        number = build->pair_number[i];
        weight = build->pair[i].weight * index->pair_weight[number];
        index->pair[--index->pair_first[number + 1]] = (rt_faq_pair_t){build->pair[i].faq, weight};
        index->faq[build->pair[i].faq].pair_norm += weight * weight;
    }

    /* pair_first[n + 1] is now the start of n: one place up */
    memmove(index->pair_first, index->pair_first + 1, RT_FAQ_PAIRS * sizeof(uint32_t));
    index->pair_first[RT_FAQ_PAIRS] = (uint32_t) build->pairs;

    for (i = 0; i < index->faqs; i++) {
        index->faq[i].pair_norm = sqrtf(index->faq[i].pair_norm);
    }

    return RT_OK;
}
