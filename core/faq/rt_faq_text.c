/* A text becomes words: NFKC and case folding, word boundaries (UAX #29), contractions, accents,
 * stems, all by ICU and libstemmer.
 *
 * Accents go last, after stemming, since the stemmers of French or Spanish read them; people leave
 * them out when in a hurry, so both sides lose them. Emoji are words of their own. */

#include "faq/rt_faq_frequency.h"

#include "base/rt_unicode.h"

#include <libstemmer.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/ustring.h>
#include <unicode/utf16.h>


static rt_status_t rt_faq_fold(rt_faq_reader_t *reader, rt_str_t text, int32_t *len, int *cut);
static int         rt_faq_is_emoji(const UChar *text, int32_t start, int32_t end);
static rt_status_t rt_faq_add(rt_faq_reader_t *reader, size_t language, const UChar *text,
    int32_t len, rt_faq_words_t *out);
static size_t      rt_faq_parts(size_t language, const rt_faq_word_t *word, rt_faq_word_t out[2]);
static rt_status_t rt_faq_add_part(rt_faq_reader_t *reader, size_t language,
    const rt_faq_word_t *word, rt_faq_words_t *out);
static rt_status_t rt_faq_plain(rt_faq_reader_t *reader, rt_faq_word_t *word);
static void        rt_faq_from_utf16(rt_faq_word_t *out, const UChar *text, int32_t len);


rt_status_t
rt__faq_reader_init(rt_faq_reader_t *reader)
{
    UErrorCode  code;
    rt_status_t status;

    memset(reader, 0, sizeof(*reader));
    code = U_ZERO_ERROR;

    status = rt__faq_english_init();
    if (status != RT_OK) {
        return status;
    }

    /* The root locale: languages differ in dictionaries only, which come by script. */
    reader->breaks = ubrk_open(UBRK_WORD, "", NULL, 0, &code);
    reader->fold = unorm2_getNFKCCasefoldInstance(&code);
    reader->decompose = unorm2_getNFDInstance(&code);

    if (U_FAILURE(code)) {
        return code == U_MEMORY_ALLOCATION_ERROR ? RT_NO_MEMORY : RT_ERROR;
    }

    return rt__faq_reader_language(reader, RT_FAQ_ENGLISH, "english");
}


void
rt__faq_reader_clear(rt_faq_reader_t *reader)
{
    size_t i;

    for (i = 0; i < RT_FAQ_LANGUAGES; i++) {
        sb_stemmer_delete(reader->stemmer[i]);
    }

    if (reader->breaks != NULL) {
        ubrk_close(reader->breaks);
    }

    memset(reader, 0, sizeof(*reader));
}


rt_status_t
rt__faq_reader_language(rt_faq_reader_t *reader, size_t slot, const char *name)
{
    size_t             len;
    struct sb_stemmer *stemmer;

    len = strlen(name);

    if (len == 0 || len >= RT_FAQ_LANGUAGE_BYTES) {
        return RT_DECLINED;
    }

    if (strcmp(reader->language[slot], name) == 0) {
        return RT_OK;
    }

    stemmer = sb_stemmer_new(name, NULL);
    if (stemmer == NULL) {
        return RT_DECLINED;
    }

    sb_stemmer_delete(reader->stemmer[slot]);
    reader->stemmer[slot] = stemmer;
    memcpy(reader->language[slot], name, len + 1);

    return RT_OK;
}


rt_status_t
rt__faq_read(rt_faq_reader_t *reader, size_t language, rt_str_t text, rt_faq_words_t *out)
{
    int32_t     len, start, end;
    UErrorCode  code;
    rt_status_t status;

    out->n = 0;
    out->cut = 0;
    code = U_ZERO_ERROR;

    status = rt_faq_fold(reader, text, &len, &out->cut);
    if (status != RT_OK || len == 0) {
        return status;
    }

    ubrk_setText(reader->breaks, reader->text, len, &code);
    if (U_FAILURE(code)) {
        return RT_ERROR;
    }

    start = ubrk_first(reader->breaks);

    for (end = ubrk_next(reader->breaks); end != UBRK_DONE; end = ubrk_next(reader->breaks)) {
        if (ubrk_getRuleStatus(reader->breaks) >= UBRK_WORD_NUMBER
            || rt_faq_is_emoji(reader->text, start, end))
        {
            status = rt_faq_add(reader, language, reader->text + start, end - start, out);
            if (status != RT_OK) {
                return status;
            }
        }

        start = end;
    }

    return RT_OK;
}


/* The start of the text, normalised, into reader->text. */
static rt_status_t
rt_faq_fold(rt_faq_reader_t *reader, rt_str_t text, int32_t *len, int *cut)
{
    int32_t    i, raw;
    UErrorCode code;

    code = U_ZERO_ERROR;

    /* a UTF-16 unit stands for at most three bytes */
    if (text.len > 3 * RT_FAQ_TEXT_UNITS) {
        text.len = rt__utf8_cut(text.data, 3 * RT_FAQ_TEXT_UNITS);
        *cut = 1;
    }

    u_strFromUTF8WithSub(reader->raw, RT_FAQ_TEXT_UNITS, &raw, text.len == 0 ? "" : text.data,
        (int32_t) text.len, 0xFFFD, NULL, &code);

    if (code == U_BUFFER_OVERFLOW_ERROR) {
        *cut = 1;
        raw = RT_FAQ_TEXT_UNITS;
        code = U_ZERO_ERROR;
    }

    for (i = 0; i < raw; i++) {
        if (reader->raw[i] == 0x2019 || reader->raw[i] == 0x02BC || reader->raw[i] == 0x60
            || reader->raw[i] == 0xB4)
        {
            reader->raw[i] = '\''; /* what phones and keyboards give for an apostrophe */
        }
    }

    *len = unorm2_normalize(reader->fold, reader->raw, raw, reader->text, RT_FAQ_TEXT_UNITS, &code);

    if (code == U_BUFFER_OVERFLOW_ERROR) { /* ligatures that become whole words */
        *cut = 1;
        *len = 0;
        return RT_OK;
    }

    return U_FAILURE(code) ? RT_ERROR : RT_OK;
}


static int
rt_faq_is_emoji(const UChar *text, int32_t start, int32_t end)
{
    UChar32 c;

    U16_NEXT(text, start, end, c);

    return c > 0xFF && u_hasBinaryProperty(c, UCHAR_EMOJI);
}


static rt_status_t
rt_faq_add(rt_faq_reader_t *reader, size_t language, const UChar *text, int32_t len,
    rt_faq_words_t *out)
{
    size_t        i, n;
    rt_status_t   status;
    rt_faq_word_t word, part[2];

    rt_faq_from_utf16(&word, text, len);
    n = rt_faq_parts(language, &word, part);

    for (i = 0; i < n; i++) {
        if (out->n == RT_FAQ_WORDS_MAX) {
            out->cut = 1;
            return RT_OK;
        }

        status = rt_faq_add_part(reader, language, &part[i], out);
        if (status != RT_OK) {
            return status;
        }
    }

    return RT_OK;
}


/* "don't" is two words in English; "l'heure" is two in other languages. */
static size_t
rt_faq_parts(size_t language, const rt_faq_word_t *word, rt_faq_word_t out[2])
{
    size_t      first;
    const char *mark;

    if (language == RT_FAQ_ENGLISH) {
        return rt__faq_english(word, out);
    }

    out[0] = *word;
    mark = memchr(word->text, '\'', word->len);

    if (mark == NULL || mark == word->text || mark + 1 == word->text + word->len) {
        return 1;
    }

    first = (size_t) (mark - word->text);
    out[0].len = (uint8_t) first;
    out[1].len = (uint8_t) (word->len - first - 1);
    memcpy(out[1].text, mark + 1, out[1].len);

    return 2;
}


static rt_status_t
rt_faq_add_part(rt_faq_reader_t *reader, size_t language, const rt_faq_word_t *word,
    rt_faq_words_t *out)
{
    int              len;
    rt_status_t      status;
    rt_faq_word_t   *folded, *stem;
    const sb_symbol *text;

    folded = &out->folded[out->n];
    stem = &out->stem[out->n];
    *folded = *word;
    *stem = *word;

    if (language == RT_FAQ_ENGLISH) { /* no accents there: naïve is naive */
        status = rt_faq_plain(reader, folded);
        if (status != RT_OK) {
            return status;
        }

        *stem = *folded;
        rt__faq_regular(stem);
    }

    text =
        sb_stemmer_stem(reader->stemmer[language], (const sb_symbol *) stem->text, (int) stem->len);
    if (text == NULL) {
        return RT_NO_MEMORY;
    }

    len = sb_stemmer_length(reader->stemmer[language]);

    if (len > 0 && len <= RT_FAQ_WORD_BYTES) {
        stem->len = (uint8_t) len;
        memcpy(stem->text, text, (size_t) len);
    }

    if (language != RT_FAQ_ENGLISH) {
        status = rt_faq_plain(reader, folded);

        if (status == RT_OK) {
            status = rt_faq_plain(reader, stem);
        }

        if (status != RT_OK) {
            return status;
        }
    }

    out->n++;

    return RT_OK;
}


/* Takes the accents off letters; vowel signs of other scripts (Mc) stay. */
static rt_status_t
rt_faq_plain(rt_faq_reader_t *reader, rt_faq_word_t *word)
{
    int32_t    i, at, len, kept;
    UChar32    c;
    UErrorCode code;
    UChar      raw[RT_FAQ_WORD_BYTES];

    for (i = 0; i < word->len && (signed char) word->text[i] >= 0; i++) {
    }

    if (i == word->len) { /* ASCII */
        return RT_OK;
    }

    code = U_ZERO_ERROR;
    u_strFromUTF8WithSub(raw, RT_FAQ_WORD_BYTES, &len, word->text, word->len, 0xFFFD, NULL, &code);
    len = unorm2_normalize(reader->decompose, raw, len, reader->word, 4 * RT_FAQ_WORD_BYTES, &code);

    if (U_FAILURE(code)) {
        return RT_ERROR;
    }

    kept = 0;

    for (i = 0; i < len;) {
        at = i;
        U16_NEXT(reader->word, i, len, c);

        if (c < 0x0300 || c > 0x036F) { /* combining diacritical marks */
            memmove(reader->word + kept, reader->word + at, (size_t) (i - at) * sizeof(UChar));
            kept += i - at;
        }
    }

    if (kept > 0) {
        rt_faq_from_utf16(word, reader->word, kept);
    }

    return RT_OK;
}


/* As much of the text as a word holds; unpaired surrogates are not in it by now. */
static void
rt_faq_from_utf16(rt_faq_word_t *out, const UChar *text, int32_t len)
{
    int32_t    i, bytes;
    UErrorCode code;

    bytes = 0;
    code = U_ZERO_ERROR;

    if (len > RT_FAQ_WORD_BYTES) {
        len = RT_FAQ_WORD_BYTES;
    }

    /* cut until it fits: rare, and short when it happens */
    for (i = len; i > 0; i--) {
        code = U_ZERO_ERROR;
        u_strToUTF8WithSub(out->text, RT_FAQ_WORD_BYTES, &bytes, text, i, 0xFFFD, NULL, &code);

        if (U_SUCCESS(code)) {
            break;
        }
    }

    out->len = (uint8_t) (i > 0 ? bytes : 0);
}
