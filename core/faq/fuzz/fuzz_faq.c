/* Fuzzing of FAQ matching. The input is lines: FAQs, an empty line, messages. In a FAQ's line a tab
 * starts the next text, of which those after a second tab are keywords. Scores stay in range, the
 * order is the one promised, and the same message gets the same answer twice. */

#include <rt/rt_faq.h>
#include <stdlib.h>
#include <string.h>


#define RT_FUZZ_FAQS  32
#define RT_FUZZ_TEXTS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
rt_fuzz_check(int fact)
{
    if (!fact) {
        abort();
    }
}


/* The text up to the mark; *rest is what comes behind it. */
static rt_str_t
rt_fuzz_cut(rt_str_t *rest, char mark)
{
    rt_str_t    text;
    const char *end;

    end = (rest->len == 0) ? NULL : memchr(rest->data, mark, rest->len);
    text = *rest;

    if (end == NULL) {
        rest->len = 0;
        return text;
    }

    text.len = (size_t) (end - text.data);
    rest->data = end + 1;
    rest->len -= text.len + 1;

    return text;
}


static void
rt_fuzz_faq(rt_faq_t *faq, rt_str_t line, rt_str_t texts[RT_FUZZ_TEXTS])
{
    size_t n, half;

    static const rt_str_t languages[] = {{"", 0}, {"de", 2}, {"french", 6}, {"xx", 2},
        {"ru-RU", 5}};

    faq->question = rt_fuzz_cut(&line, '\t');

    for (n = 0; n < RT_FUZZ_TEXTS && line.len > 0; n++) {
        texts[n] = rt_fuzz_cut(&line, '\t');
    }

    half = n / 2;
    faq->alternatives = texts;
    faq->alternatives_n = half;
    faq->keywords = texts + half;
    faq->keywords_n = n - half;
    faq->language = languages[faq->question.len % 5];
    faq->threshold_percent = (double) (faq->question.len % 3) * 35;
    faq->priority = (double) (faq->question.len % 2);
}


static void
rt_fuzz_match(const rt_faq_index_t *index, rt_faq_scratch_t *scratch, const rt_faq_t *faqs,
    rt_str_t message)
{
    size_t             i, n, again;
    rt_faq_candidate_t out[RT_FUZZ_FAQS], first;

    rt_fuzz_check(rt_faq_match(index, scratch, message, out, RT_FUZZ_FAQS, &n) == RT_OK);
    rt_fuzz_check(n <= rt_faq_index_count(index));

    for (i = 0; i < n; i++) {
        rt_fuzz_check(out[i].faq < rt_faq_index_count(index));
        rt_fuzz_check(out[i].score_percent >= 0 && out[i].score_percent <= 100);
        rt_fuzz_check(!out[i].exact || out[i].score_percent == 100);
        rt_fuzz_check(out[i].phrase <= faqs[out[i].faq].alternatives_n);
        rt_fuzz_check(
            out[i].qualifies == (out[i].score_percent >= faqs[out[i].faq].threshold_percent));
        rt_fuzz_check(i == 0 || out[i - 1].qualifies >= out[i].qualifies);
    }

    rt_fuzz_check(rt_faq_match(index, scratch, message, &first, 1, &again) == RT_OK);
    rt_fuzz_check(again == (n > 0) && (n == 0 || first.faq == out[0].faq));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t            n;
    rt_str_t          rest, line, texts[RT_FUZZ_FAQS][RT_FUZZ_TEXTS];
    rt_faq_t          faqs[RT_FUZZ_FAQS];
    rt_faq_index_t   *index;
    rt_faq_scratch_t *scratch;

    rest = (rt_str_t){(const char *) data, size};
    memset(faqs, 0, sizeof(faqs));

    for (n = 0; n < RT_FUZZ_FAQS && rest.len > 0; n++) {
        line = rt_fuzz_cut(&rest, '\n');

        if (line.len == 0) {
            break;
        }

        rt_fuzz_faq(&faqs[n], line, texts[n]);
    }

    rt_fuzz_check(rt_faq_index_create(&index, faqs, n, NULL) == RT_OK);
    scratch = rt_faq_scratch_create();
    rt_fuzz_check(scratch != NULL);

    for (n = 0; n < RT_FUZZ_FAQS && rest.len > 0; n++) {
        rt_fuzz_match(index, scratch, faqs, rt_fuzz_cut(&rest, '\n'));
    }

    rt_faq_scratch_destroy(scratch);
    rt_faq_index_destroy(index);

    return 0;
}
