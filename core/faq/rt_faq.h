/* Private to core/faq: how a text becomes words, words become terms, and what the index holds.
 *
 * A message is cut into words (rt_faq_text.c), a word becomes a stem (libstemmer), a stem that
 * some FAQ holds is a term with a number (rt_faq_terms.c). The index (rt_faq_index.c) lists for
 * each term the phrases that hold it, and for each pair of words the FAQs that hold it; matching
 * walks those lists (rt_faq_match.c) and turns what it found into a probability (rt_faq_score.c).
 */

#ifndef RT_FAQ_PRIVATE_H
#define RT_FAQ_PRIVATE_H

#include <rt/rt_faq.h>
#include <unicode/ubrk.h>
#include <unicode/unorm2.h>


#define RT_FAQ_WORD_BYTES     48 /* a longer word is cut */
#define RT_FAQ_LANGUAGES      8  /* languages in one index; FAQs in further ones count as English */
#define RT_FAQ_LANGUAGE_BYTES 24
#define RT_FAQ_ENGLISH        0
#define RT_FAQ_VARIANTS       6    /* terms that one word of a message may stand for */
#define RT_FAQ_PAIRS          8192 /* numbers that pairs of words are hashed to */
#define RT_FAQ_GROUPS         256
#define RT_FAQ_DIMENSIONS     48 /* of vectors */
#define RT_FAQ_NO_TERM        UINT32_MAX

typedef struct sb_stemmer rt_faq_stemmer_t;

typedef struct {
    uint8_t len;
    char    text[RT_FAQ_WORD_BYTES]; /* UTF-8, no NUL */
} rt_faq_word_t;

typedef struct {
    size_t        n;
    int           cut; /* the text had more than what is here */
    rt_faq_word_t folded[RT_FAQ_WORDS_MAX];
    rt_faq_word_t stem[RT_FAQ_WORDS_MAX];
} rt_faq_words_t;

/* What reading a text needs; one thread at a time. */
typedef struct {
    UBreakIterator     *breaks;
    const UNormalizer2 *fold;      /* ICU's own, shared */
    const UNormalizer2 *decompose; /* ICU's own, shared */
    rt_faq_stemmer_t   *stemmer[RT_FAQ_LANGUAGES];
    char                language[RT_FAQ_LANGUAGES][RT_FAQ_LANGUAGE_BYTES];
    UChar               raw[RT_FAQ_TEXT_UNITS + 1];
    UChar               text[RT_FAQ_TEXT_UNITS + 1];
    UChar               word[4 * RT_FAQ_WORD_BYTES];
} rt_faq_reader_t;

/* The caller's memory; clear accepts one that is all zero or half made. */
rt_status_t rt__faq_reader_init(rt_faq_reader_t *reader);
void        rt__faq_reader_clear(rt_faq_reader_t *reader);

/* Makes the reader stem language number `slot` as `name` says. RT_DECLINED: no such language. */
rt_status_t rt__faq_reader_language(rt_faq_reader_t *reader, size_t slot, const char *name);

/* Cuts a text into words, folded and stemmed in one of the reader's languages. */
rt_status_t rt__faq_read(rt_faq_reader_t *reader, size_t language, rt_str_t text,
    rt_faq_words_t *out);

/* Adds the words that one English word with an apostrophe (or with one forgotten: "dont") stands
 * for: at most two; returns how many of out are set. Pure. */
size_t rt__faq_english(const rt_faq_word_t *word, rt_faq_word_t out[2]);


/* Replaces an irregular form by its word: "bought" becomes "buy". Pure. */
void rt__faq_regular(rt_faq_word_t *word);

/* How much a stem tells, by how rare it is in general English: from nearly 0 for "the" to 1.
 * known: whether the stem is an English one at all. Thread-safe. */
double rt__faq_general(const rt_faq_word_t *stem, int *known);

/* The same for any language: for others than English, whose frequencies we do not have, by length,
 * and known is 0. Thread-safe. */
double rt__faq_word_weight(size_t language, const rt_faq_word_t *stem, int *known);

/* Whether the word is one edit away from a very common one ("teh", "wiht"). Thread-safe. */
int rt__faq_common_typo(const rt_faq_word_t *word);

/* The group of words for the same thing that an English stem is of, or -1. Thread-safe. */
int rt__faq_group(const rt_faq_word_t *stem);

/* Edits (insert, delete, replace, swap neighbours; each letter once) between two words, in
 * characters; at least limit + 1 when there are more than limit. Pure. */
int rt__faq_distance(const rt_faq_word_t *a, const rt_faq_word_t *b, int limit);


/* A word that some FAQ holds, as written there: what typing errors are held against. */
typedef struct {
    rt_faq_word_t folded;
    rt_faq_word_t stem;
    uint32_t      term;
    uint32_t      next; /* with the same first byte and language; RT_FAQ_NO_TERM ends */
} rt_faq_surface_t;

typedef struct {
    rt_faq_word_t stem;
    uint8_t       language;
    int           group; /* rt__faq_group */
    uint32_t      faqs;  /* how many FAQs hold it */
    uint32_t      last_faq;
    float         weight;
    float         general;    /* rt__faq_general */
    float         spread;     /* shares of the FAQs' texts that hold it, added up */
    uint32_t      group_next; /* next term of the group and language */
    uint32_t      postings;   /* first of its postings */
    uint32_t      phrases;    /* how many postings */
} rt_faq_term_t;

typedef struct {
    rt_faq_term_t    *term;
    size_t            terms;
    size_t            terms_size;
    uint32_t         *slot;  /* hash of stem and language → term; RT_FAQ_NO_TERM: free */
    size_t            slots; /* a power of two */
    rt_faq_surface_t *surface;
    size_t            surfaces;
    size_t            surfaces_size;
    uint32_t          first[RT_FAQ_LANGUAGES][256];
    uint32_t          group[RT_FAQ_GROUPS]; /* English only */
} rt_faq_terms_t;

rt_status_t rt__faq_terms_init(rt_faq_terms_t *terms);
void        rt__faq_terms_clear(rt_faq_terms_t *terms);

/* The term of a stem, or RT_FAQ_NO_TERM. */
uint32_t rt__faq_terms_find(const rt_faq_terms_t *terms, size_t language,
    const rt_faq_word_t *stem);

/* The same, made when it is not there; RT_FAQ_NO_TERM without memory. */
uint32_t rt__faq_terms_add(rt_faq_terms_t *terms, size_t language, const rt_faq_word_t *folded,
    const rt_faq_word_t *stem);

/* The term whose word is nearest to one that is no FAQ's, when it looks like a typing error. */
uint32_t rt__faq_terms_nearest(const rt_faq_terms_t *terms, size_t language,
    const rt_faq_word_t *folded, const rt_faq_word_t *stem);


typedef enum { RT_FAQ_QUESTION, RT_FAQ_ALTERNATIVE, RT_FAQ_KEYWORD } rt_faq_kind_t;

typedef struct {
    uint32_t      faq;
    rt_faq_kind_t kind;
    uint32_t      place; /* 0 the question, i the alternative i - 1 */
    uint32_t      terms; /* first of its terms in index->phrase_term */
    uint32_t      terms_n;
    float         weight; /* of its terms together */
    int           whole;  /* all of it was read: it can be met exactly */
    uint64_t      hash;   /* of its folded words */
} rt_faq_phrase_t;

typedef struct {
    double   threshold_percent;
    double   priority;
    int64_t  created_at_ms;
    uint32_t phrase; /* first of its phrases: question, alternatives, keywords */
    uint32_t phrases;
    uint32_t texts; /* how many of them are question or alternatives */
    uint8_t  language;
    float    pair_norm; /* of its pairs of words, as a vector */
} rt_faq_entry_t;

typedef struct {
    uint32_t faq;
    float    weight;
} rt_faq_pair_t;

struct rt_faq_index_s {
    rt_faq_terms_t   terms;
    rt_faq_entry_t  *faq;
    size_t           faqs;
    rt_faq_phrase_t *phrase;
    size_t           phrases;
    uint32_t        *phrase_term; /* terms of each phrase, each once */
    size_t           phrase_terms;
    int8_t          *vector;  /* of each phrase: RT_FAQ_DIMENSIONS; of keywords it is nothing */
    uint32_t        *posting; /* phrases of each term, in order */
    uint32_t         pair_first[RT_FAQ_PAIRS + 1]; /* of each number, in pair */
    rt_faq_pair_t   *pair;
    float            pair_weight[RT_FAQ_PAIRS];
    double           texts_mean; /* per FAQ */
    size_t           languages;
    char             language[RT_FAQ_LANGUAGES][RT_FAQ_LANGUAGE_BYTES];
};

/* The number, below RT_FAQ_PAIRS, of two stems that stand side by side. Pure. */
size_t rt__faq_pair(const rt_faq_word_t *first, const rt_faq_word_t *second);

/* Of words that are folded: equal for equal texts. Pure. */
uint64_t rt__faq_hash(const rt_faq_words_t *words, size_t language);


/* Makes room for one more item; 0 or -1 without memory. */
int rt__faq_grow(void **array, size_t *size, size_t used, size_t item_bytes);

#endif
