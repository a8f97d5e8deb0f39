/* How long one match against a business's FAQs takes, in the library, without a server.
 *
 * usage: faq_match [FAQs] [matches]
 *
 * Build: cc -O2 -Icore/include -o faq_match bench/faq_match.c -Lbuild -lrealtime_core
 *
 * The FAQs are made of a small vocabulary, so that lists are longer than a real business's. */

#include <rt/rt_faq.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>


#define ALTERNATIVES 4
#define TEXT_BYTES   160
#define MESSAGES     256

static const char *const words[] = {"how", "what", "when", "can", "do", "you", "i", "my", "the",
    "a", "card", "account", "appointment", "booking", "haircut", "colour", "price", "open", "close",
    "weekend", "payment", "refund", "cancel", "change", "address", "parking", "voucher", "gift",
    "delivery", "order", "product", "shampoo", "stylist", "beard", "massage", "nails", "wedding",
    "makeup", "student", "discount", "membership", "password", "email", "invoice", "receipt",
    "allergy", "children", "wheelchair", "dog", "music"};

static unsigned seed = 1;


static unsigned
pick(unsigned n)
{
    seed = seed * 1103515245U + 12345U;

    return (seed >> 16) % n;
}


static rt_str_t
sentence(int typos)
{
    int      i, n, len;
    char    *text;
    unsigned word;

    text = malloc(TEXT_BYTES);
    if (text == NULL) {
        exit(1);
    }

    len = 0;
    n = 4 + (int) pick(8);

    for (i = 0; i < n; i++) {
        word = pick(sizeof(words) / sizeof(words[0]));
        len += snprintf(text + len, (size_t) (TEXT_BYTES - len), "%s%s%s", i ? " " : "",
            words[word], (typos && pick(4) == 0) ? "q" : "");
    }

    return (rt_str_t){text, (size_t) len};
}


static double
now_us(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);

    return (double) time.tv_sec * 1e6 + (double) time.tv_nsec / 1e3;
}


static int
compare(const void *a, const void *b)
{
    double left = *(const double *) a, right = *(const double *) b;

    return (left > right) - (left < right);
}


static rt_faq_index_t *
make_index(size_t n)
{
    size_t          i, j;
    double          start;
    rt_faq_t       *faqs;
    rt_str_t       *texts;
    rt_faq_index_t *index;

    faqs = calloc(n + 1, sizeof(*faqs));
    texts = calloc((n + 1) * ALTERNATIVES, sizeof(*texts));
    index = NULL;

    for (i = 0; i < n && faqs != NULL && texts != NULL; i++) {
        faqs[i].question = sentence(0);
        faqs[i].alternatives = &texts[i * ALTERNATIVES];
        faqs[i].alternatives_n = ALTERNATIVES;
        faqs[i].threshold_percent = RT_FAQ_THRESHOLD_DEFAULT;

        for (j = 0; j < ALTERNATIVES; j++) {
            texts[i * ALTERNATIVES + j] = sentence(0);
        }
    }

    start = now_us();
    if (faqs == NULL || texts == NULL || rt_faq_index_create(&index, faqs, n, NULL) != RT_OK) {
        index = NULL;
    }

    free(faqs);
    free(texts);

    if (index == NULL) {
        exit(1);
    }

    printf("%zu FAQs of %d texts: index made in %.1f ms\n", n, ALTERNATIVES + 1,
        (now_us() - start) / 1e3);

    return index;
}


int
main(int argc, char **argv)
{
    size_t             i, n, faqs, matches;
    double             start, total, *times;
    rt_str_t           messages[MESSAGES];
    rt_faq_index_t    *index;
    rt_faq_scratch_t  *scratch;
    rt_faq_candidate_t best;

    faqs = (argc > 1) ? strtoul(argv[1], NULL, 10) : 200;
    matches = (argc > 2) ? strtoul(argv[2], NULL, 10) : 20000;
    index = make_index(faqs);
    scratch = rt_faq_scratch_create();
    times = calloc(matches + 1, sizeof(*times));

    if (scratch == NULL || times == NULL || matches == 0) {
        exit(1);
    }

    for (i = 0; i < MESSAGES; i++) {
        messages[i] = sentence(1);
    }

    total = 0;

    for (i = 0; i < matches; i++) {
        start = now_us();

        if (rt_faq_match(index, scratch, messages[i % MESSAGES], &best, 1, &n) != RT_OK) {
            exit(1);
        }

        times[i] = now_us() - start;
        total += times[i];
    }

    qsort(times, matches, sizeof(*times), compare);
    printf("one match: mean %.1f us, p50 %.1f, p99 %.1f\n", total / (double) matches,
        times[matches / 2], times[matches * 99 / 100]);

    free(times);
    rt_faq_scratch_destroy(scratch);
    rt_faq_index_destroy(index);

    return 0;
}
