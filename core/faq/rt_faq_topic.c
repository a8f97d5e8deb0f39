/* What messages have in common that ask for the same: the words that tell something. */

#include "faq/rt_faq_scratch.h"

#include <string.h>


#define RT_FAQ_TOPIC_WEIGHT 0.25 /* a word that tells less is a small one */


static int
rt_faq_topic_is_first(const rt_faq_words_t *words, size_t i)
{
    size_t j;

    for (j = 0; j < i; j++) {
        if (words->stem[j].len == words->stem[i].len
            && memcmp(words->stem[j].text, words->stem[i].text, words->stem[i].len) == 0)
        {
            return 0;
        }
    }

    return 1;
}


/* FNV-1a, mixed so that sums of them stay apart. */
static uint64_t
rt_faq_topic_hash(const rt_faq_word_t *word)
{
    size_t   i;
    uint64_t hash;

    hash = 0xcbf29ce484222325u;

    for (i = 0; i < word->len; i++) {
        hash = (hash ^ (unsigned char) word->text[i]) * 0x100000001b3u;
    }

    hash = (hash ^ hash >> 31) * 0x7fb5d329728ea185u;

    return hash ^ hash >> 29;
}


rt_status_t
rt_faq_topic(rt_faq_scratch_t *scratch, rt_str_t message, uint64_t *out)
{
    int             known;
    size_t          i;
    uint64_t        telling, all;
    rt_status_t     status;
    rt_faq_words_t *words;

    words = &scratch->words[RT_FAQ_ENGLISH];
    status = rt__faq_scratch_reader(scratch);

    if (status == RT_OK) {
        status = rt__faq_read(&scratch->reader, RT_FAQ_ENGLISH, message, words);
    }

    if (status != RT_OK) {
        return status;
    }

    telling = 0;
    all = 0;

    for (i = 0; i < words->n; i++) {
        if (!rt_faq_topic_is_first(words, i)) {
            continue;
        }

        all += rt_faq_topic_hash(&words->stem[i]);

        if (rt__faq_general(&words->stem[i], &known) > RT_FAQ_TOPIC_WEIGHT) {
            telling += rt_faq_topic_hash(&words->stem[i]);
        }
    }

    *out = telling ? telling : all;

    return RT_OK;
}
