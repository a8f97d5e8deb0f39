/* English by frequency: a word's weight, whether it is a word at all, its group of synonyms.
 *
 * The tables in the tree are text; one hash of their stems is made in memory at first use (1 MB,
 * some milliseconds) and never changes or goes, so that it needs no lock. */

#include "faq/rt_faq_frequency.h"
#include "faq/rt_faq_vector.h"

#include <libstemmer.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>


#define RT_FAQ_SLOTS        65536 /* a power of two, over twice the stems */
#define RT_FAQ_SMALL        0.2   /* weight of small words */
#define RT_FAQ_RARE         5.0   /* -log10 of the share from which a word counts in full */
#define RT_FAQ_COMMON       1.8   /* … and up to which it counts as little as a small one */
#define RT_FAQ_SHORT        0.4   /* weight of a word of three letters in other languages */
#define RT_FAQ_SMALL_WORDS  512
#define RT_FAQ_COMMON_BYTES 10 /* longest small word that typing errors are looked for in */

typedef struct {
    const char *text; /* NULL: free; not terminated */
    uint8_t     len;
    uint8_t     line; /* of the frequency table; 255: not in it */
    uint8_t     small;
    int16_t     group;  /* -1: none */
    uint16_t    vector; /* RT_FAQ_VECTORS or more: none */
} rt_faq_stem_entry_t;


static void                 rt_faq_english_make(void);
static int                  rt_faq_english_groups(struct sb_stemmer *stemmer);
static int                  rt_faq_english_small(struct sb_stemmer *stemmer);
static rt_faq_stem_entry_t *rt_faq_english_slot(const char *text, size_t len);
static rt_faq_stem_entry_t *rt_faq_english_add(struct sb_stemmer *stemmer, const char *word,
    size_t len);
static const char          *rt_faq_english_next(const char **pos, size_t *len);


static pthread_once_t       rt_faq_english_once = PTHREAD_ONCE_INIT;
static rt_status_t          rt_faq_english_status;
static rt_faq_stem_entry_t *rt_faq_english_entry;
static rt_faq_word_t        rt_faq_english_common[RT_FAQ_SMALL_WORDS];
static size_t               rt_faq_english_commons;


rt_status_t
rt__faq_english_init(void)
{
    if (pthread_once(&rt_faq_english_once, rt_faq_english_make) != 0) {
        return RT_ERROR;
    }

    return rt_faq_english_status;
}


static void
rt_faq_english_make(void)
{
    size_t               i, len;
    uint16_t             vector;
    const char          *pos, *word;
    struct sb_stemmer   *stemmer;
    rt_faq_stem_entry_t *entry;

    rt_faq_english_status = RT_NO_MEMORY;

    rt_faq_english_entry = calloc(RT_FAQ_SLOTS, sizeof(rt_faq_stem_entry_t));
    if (rt_faq_english_entry == NULL) {
        return;
    }

    vector = 0;

    for (i = 0; i < RT_FAQ_FREQUENCY_CLASSES; i++) {
        pos = rt__faq_frequency_table[i];

        while ((word = rt_faq_english_next(&pos, &len)) != NULL) {
            entry = rt_faq_english_slot(word, len);
            *entry = (rt_faq_stem_entry_t){word, (uint8_t) len, (uint8_t) i, 0, -1, vector};
            vector += vector < RT_FAQ_VECTORS;
        }
    }

    stemmer = sb_stemmer_new("english", NULL);

    if (stemmer != NULL && rt_faq_english_groups(stemmer) == 0
        && rt_faq_english_small(stemmer) == 0) {
        rt_faq_english_status = RT_OK;
    }

    sb_stemmer_delete(stemmer);
}


static int
rt_faq_english_groups(struct sb_stemmer *stemmer)
{
    size_t               i, len;
    const char          *pos, *word;
    rt_faq_stem_entry_t *entry;

    for (i = 0; rt__faq_groups[i] != NULL; i++) {
        pos = rt__faq_groups[i];

        while ((word = rt_faq_english_next(&pos, &len)) != NULL) {
            entry = rt_faq_english_add(stemmer, word, len);
            if (entry == NULL) {
                return -1;
            }

            if (entry->group < 0) { /* a word of two groups stays in the first */
                entry->group = (int16_t) i;
            }
        }
    }

    return 0;
}


static int
rt_faq_english_small(struct sb_stemmer *stemmer)
{
    size_t               len;
    const char          *pos, *word;
    rt_faq_word_t       *common;
    rt_faq_stem_entry_t *entry;

    pos = rt__faq_small_words;

    while ((word = rt_faq_english_next(&pos, &len)) != NULL) {
        entry = rt_faq_english_add(stemmer, word, len);
        if (entry == NULL) {
            return -1;
        }

        entry->small = 1;

        if (len >= 3 && len <= RT_FAQ_COMMON_BYTES && rt_faq_english_commons < RT_FAQ_SMALL_WORDS) {
            common = &rt_faq_english_common[rt_faq_english_commons++];
            common->len = (uint8_t) len;
            memcpy(common->text, word, len);
        }
    }

    return 0;
}


/* The next word of a list with spaces between; NULL at its end. */
static const char *
rt_faq_english_next(const char **pos, size_t *len)
{
    const char *word;

    word = *pos + strspn(*pos, " ");
    *len = strcspn(word, " ");
    *pos = word + *len;

    return *len == 0 ? NULL : word;
}


/* Where the stem is, or where it would be. */
static rt_faq_stem_entry_t *
rt_faq_english_slot(const char *text, size_t len)
{
    size_t   i;
    uint32_t hash;

    hash = 2166136261U; /* FNV-1a */

    for (i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char) text[i]) * 16777619U;
    }

    for (i = (hash ^ (hash >> 15)) % RT_FAQ_SLOTS; rt_faq_english_entry[i].text != NULL;
         i = (i + 1) % RT_FAQ_SLOTS)
    {
        if (rt_faq_english_entry[i].len == len
            && memcmp(rt_faq_english_entry[i].text, text, len) == 0) {
            break;
        }
    }

    return &rt_faq_english_entry[i];
}


static rt_faq_stem_entry_t *
rt_faq_english_add(struct sb_stemmer *stemmer, const char *word, size_t len)
{
    char                *copy;
    const sb_symbol     *stem;
    rt_faq_stem_entry_t *entry;

    stem = sb_stemmer_stem(stemmer, (const sb_symbol *) word, (int) len);
    if (stem == NULL) {
        return NULL;
    }

    len = (size_t) sb_stemmer_length(stemmer);
    entry = rt_faq_english_slot((const char *) stem, len);

    if (entry->text == NULL) {
        copy = malloc(len + 1);
        if (copy == NULL) {
            return NULL;
        }

        memcpy(copy, stem, len);
        *entry = (rt_faq_stem_entry_t){copy, (uint8_t) len, UINT8_MAX, 0, -1, RT_FAQ_VECTORS};
    }

    return entry;
}


static const rt_faq_stem_entry_t *
rt_faq_english_find(const rt_faq_word_t *stem)
{
    const rt_faq_stem_entry_t *entry;

    if (rt_faq_english_status != RT_OK) {
        return NULL;
    }

    entry = rt_faq_english_slot(stem->text, stem->len);

    return entry->text == NULL ? NULL : entry;
}


double
rt__faq_general(const rt_faq_word_t *stem, int *known)
{
    double                     rare;
    const rt_faq_stem_entry_t *entry;

    entry = rt_faq_english_find(stem);
    *known = (entry != NULL);

    if (entry == NULL) {
        return 1.0;
    }

    if (entry->small) {
        return RT_FAQ_SMALL;
    }

    rare = (entry->line * RT_FAQ_FREQUENCY_STEP - RT_FAQ_COMMON) / (RT_FAQ_RARE - RT_FAQ_COMMON);

    return rare < RT_FAQ_SMALL ? RT_FAQ_SMALL : rare > 1.0 ? 1.0 : rare;
}


double
rt__faq_word_weight(size_t language, const rt_faq_word_t *stem, int *known)
{
    if (language == RT_FAQ_ENGLISH) {
        return rt__faq_general(stem, known);
    }

    *known = 0;

    if (stem->len >= 4 || (unsigned char) stem->text[0] >= 0x80) {
        return 1.0;
    }

    return stem->len == 3 ? RT_FAQ_SHORT : RT_FAQ_SMALL;
}


int
rt__faq_common_typo(const rt_faq_word_t *word)
{
    size_t i;

    if (word->len < 3 || word->len > RT_FAQ_COMMON_BYTES + 1) {
        return 0;
    }

    for (i = 0; i < rt_faq_english_commons; i++) {
        if (rt_faq_english_common[i].text[0] == word->text[0]
            && rt__faq_distance(&rt_faq_english_common[i], word, 1) <= 1)
        {
            return 1;
        }
    }

    return 0;
}


int
rt__faq_group(const rt_faq_word_t *stem)
{
    const rt_faq_stem_entry_t *entry;

    entry = rt_faq_english_find(stem);

    return entry == NULL ? -1 : entry->group;
}


int
rt__faq_vector_number(const rt_faq_word_t *stem)
{
    const rt_faq_stem_entry_t *entry;

    entry = rt_faq_english_find(stem);

    return entry == NULL || entry->vector >= RT_FAQ_VECTORS ? -1 : entry->vector;
}
