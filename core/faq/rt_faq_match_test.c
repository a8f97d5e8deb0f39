/* Tests of matching as a whole, with a salon's FAQs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <rt/rt_faq.h>
#include <stdio.h>
#include <string.h>


#define RT_TEST_HOURS    0
#define RT_TEST_BOOK     1
#define RT_TEST_CANCEL   2
#define RT_TEST_PLACE    3
#define RT_TEST_GIFT     4
#define RT_TEST_PAY      5
#define RT_TEST_FAQS     6
#define RT_TEST_NONE     (-1)
#define RT_TEST_THREADS  4
#define RT_TEST_MESSAGES 200


static const rt_str_t rt_test_hours[] = {{"When are you open?", 18},
    {"What time do you close?", 23}};
static const rt_str_t rt_test_hours_words[] = {{"hours", 5}, {"open", 4}, {"close", 5}};
static const rt_str_t rt_test_book[] = {{"Can I make an appointment online?", 33}};
static const rt_str_t rt_test_cancel[] = {{"Can I cancel my appointment?", 28}};
static const rt_str_t rt_test_place[] = {{"What is your address?", 21}};
static const rt_str_t rt_test_gift_words[] = {{"gift card", 9}};
static const rt_str_t rt_test_pay[] = {{"Can I pay by card?", 18}};

static const rt_faq_t rt_test_faqs[RT_TEST_FAQS] = {
    {{"What are your business hours?", 29}, rt_test_hours, 2, rt_test_hours_words, 3, {NULL, 0}, 70,
        0, 0},
    {{"How do I book an appointment?", 29}, rt_test_book, 1, NULL, 0, {NULL, 0}, 70, 0, 0},
    {{"What is your cancellation policy?", 33}, rt_test_cancel, 1, NULL, 0, {NULL, 0}, 70, 0, 0},
    {{"Where are you located?", 22}, rt_test_place, 1, NULL, 0, {NULL, 0}, 70, 0, 0},
    {{"Do you offer gift cards?", 24}, NULL, 0, rt_test_gift_words, 1, {NULL, 0}, 70, 0, 0},
    {{"Which payment methods do you accept?", 36}, rt_test_pay, 1, NULL, 0, {NULL, 0}, 70, 0, 0},
};

typedef struct {
    const rt_faq_index_t *index;
    int                   failed;
} rt_test_thread_t;


static rt_faq_index_t *
rt_test_index(const rt_faq_t *faqs, size_t n)
{
    rt_faq_index_t *index;

    assert_int_equal(rt_faq_index_create(&index, faqs, n, NULL), RT_OK);
    assert_int_equal(rt_faq_index_count(index), n);

    return index;
}


/* The best candidate, in a scratch of its own; faq is n when there is none. */
static rt_faq_candidate_t
rt_test_best(const rt_faq_t *faqs, size_t n, const char *message)
{
    size_t             count;
    rt_faq_index_t    *index;
    rt_faq_scratch_t  *scratch;
    rt_faq_candidate_t best;

    memset(&best, 0, sizeof(best));
    index = rt_test_index(faqs, n);
    scratch = rt_faq_scratch_create();
    assert_non_null(scratch);

    assert_int_equal(rt_faq_match(index, scratch, rt_str_c(message), &best, 1, &count), RT_OK);

    if (count == 0) {
        best.faq = n;
    }

    rt_faq_scratch_destroy(scratch);
    rt_faq_index_destroy(index);

    return best;
}


static void
rt_test_answers(void **state)
{
    size_t             i;
    rt_faq_candidate_t best;

    static const struct {
        const char *message;
        size_t      faq;
    } cases[] = {
        {"What are your hours?", RT_TEST_HOURS},
        {"when do you open on saturday", RT_TEST_HOURS},
        {"WHAT TIME DO YOU CLOSE???", RT_TEST_HOURS},
        {"hours", RT_TEST_HOURS},
        {"wehn are you open", RT_TEST_HOURS},
        {"i want to book an apointment", RT_TEST_BOOK},
        {"how do i cancle my appointment", RT_TEST_CANCEL},
        {"what's your adress", RT_TEST_PLACE},
        {"gift cards", RT_TEST_GIFT},
        {"do you have gift vouchers?", RT_TEST_GIFT},
        {"can i pay with my card", RT_TEST_PAY},
        /* other words for the same */
        {"can i postpone my appointment", RT_TEST_CANCEL},
        {"i would like to arrange an appointment", RT_TEST_BOOK},
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        best = rt_test_best(rt_test_faqs, RT_TEST_FAQS, cases[i].message);

        if (best.faq != cases[i].faq || !best.qualifies) {
            fail_msg("%s: faq %zu, %.1f", cases[i].message, best.faq, best.score_percent);
        }
    }
}


static void
rt_test_quiet(void **state)
{
    size_t             i;
    rt_faq_candidate_t best;

    static const char *const messages[] = {
        "hello",
        "Thanks, see you tomorrow!",
        "My hair is falling out after the treatment",
        "do you like football",
        "I left my umbrella in your shop",
        "are you hiring",
        "what is the weather like",
        "tell me a joke",
        "Are you a robot?",
        "can I bring my dog",
        "My last colour was terrible, I want my money back",
        "Is Anna working today?",
        "",
        "???",
        "asdf qwer zxcv",
    };

    (void) state;

    for (i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        best = rt_test_best(rt_test_faqs, RT_TEST_FAQS, messages[i]);

        if (best.qualifies) {
            fail_msg("%s: faq %zu, %.1f", messages[i], best.faq, best.score_percent);
        }
    }
}


static void
rt_test_exact(void **state)
{
    size_t             i;
    rt_faq_candidate_t best;

    static const char *const messages[] = {
        "what is your address", "  WHAT'S YOUR ADDRESS?!  ", "What’s your address?",
        "whats your address", "Ｗhat is your áddress", /* a wide W, an accent */
    };

    (void) state;

    for (i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        best = rt_test_best(rt_test_faqs, RT_TEST_FAQS, messages[i]);
        assert_int_equal(best.faq, RT_TEST_PLACE);
        assert_int_equal(best.phrase, 1);
        assert_int_equal(best.qualifies, 1);
        assert_int_equal(best.exact, 1);
        assert_true(best.score_percent == 100);
    }
}


static void
rt_test_priority(void **state)
{
    rt_faq_t           faqs[3];
    rt_faq_candidate_t best;

    (void) state;

    memcpy(faqs, rt_test_faqs, sizeof(faqs));
    faqs[1] = rt_test_faqs[RT_TEST_HOURS]; /* the same texts twice */
    faqs[1].priority = 5;
    faqs[2] = rt_test_faqs[RT_TEST_HOURS];
    faqs[2].created_at_ms = -1;

    /* near-duplicates do not silence each other */
    best = rt_test_best(faqs, 3, "at what time are you open");
    assert_int_equal(best.qualifies, 1);
    assert_int_equal(best.faq, 1);

    /* the older of equals */
    faqs[1].priority = 0;
    best = rt_test_best(faqs, 3, "at what time are you open");
    assert_int_equal(best.faq, 2);

    /* the place in the list */
    faqs[2].created_at_ms = 0;
    best = rt_test_best(faqs, 3, "at what time are you open");
    assert_int_equal(best.faq, 0);

    /* an exact one goes before a higher priority */
    faqs[1] = rt_test_faqs[RT_TEST_BOOK];
    faqs[1].priority = 9;
    faqs[1].threshold_percent = 0;
    best = rt_test_best(faqs, 2, "When are you open");
    assert_int_equal(best.faq, 0);
    best = rt_test_best(faqs, 2, "so when are you open then");
    assert_int_equal(best.faq, 1);
}


static void
rt_test_threshold(void **state)
{
    rt_faq_t           faq;
    rt_faq_candidate_t best;

    (void) state;

    faq = rt_test_faqs[RT_TEST_HOURS];

    faq.threshold_percent = 0; /* kept as 0: answers whatever has a word in it */
    best = rt_test_best(&faq, 1, "zebra");
    assert_int_equal(best.faq, 0);
    assert_int_equal(best.qualifies, 1);
    assert_true(best.score_percent == 0);
    assert_int_equal(rt_test_best(&faq, 1, " ... ").faq, 1);

    faq.threshold_percent = 100;
    assert_int_equal(rt_test_best(&faq, 1, "when are you open").qualifies, 1);
    assert_int_equal(rt_test_best(&faq, 1, "when are you open today").qualifies, 0);
}


static void
rt_test_languages(void **state)
{
    rt_faq_t faqs[3];

    (void) state;

    memset(faqs, 0, sizeof(faqs));
    faqs[0].question = rt_str("Wann haben Sie geöffnet?");
    faqs[0].language = rt_str("de");
    faqs[1].question = rt_str("Où se trouve le magasin?");
    faqs[1].language = rt_str("fr-FR");
    faqs[2].question = rt_str("Сколько стоит стрижка?");
    faqs[2].language = rt_str("russian");

    assert_int_equal(rt_test_best(faqs, 3, "wann haben sie geoffnet").score_percent, 100);
    assert_int_equal(rt_test_best(faqs, 3, "OU SE TROUVE LE MAGASIN").score_percent, 100);
    assert_int_equal(rt_test_best(faqs, 3, "ou se trouvent les magasins").faq, 1);
    assert_int_equal(rt_test_best(faqs, 3, "сколько стоят стрижки").faq, 2);

    /* an unknown language is read as English */
    faqs[0].question = rt_str("Do you sell shampoos?");
    faqs[0].language = rt_str("klingon");
    assert_int_equal(rt_test_best(faqs, 3, "shampoo").faq, 0);
}


static void
rt_test_keyword_phrase(void **state)
{
    double          in_row, apart, values[RT_FAQ_FEATURES];
    size_t          count;
    rt_faq_index_t *index;

    rt_faq_scratch_t  *scratch;
    rt_faq_candidate_t best;

    (void) state;

    index = rt_test_index(rt_test_faqs, RT_TEST_FAQS);
    scratch = rt_faq_scratch_create();
    assert_non_null(scratch);

    assert_int_equal(rt_faq_match(index, scratch, rt_str("my gift card"), &best, 1, &count), RT_OK);
    assert_int_equal(rt_faq_features(scratch, RT_TEST_GIFT, values), 1);
    in_row = values[3];

    assert_int_equal(rt_faq_match(index, scratch, rt_str("card my gift"), &best, 1, &count), RT_OK);
    assert_int_equal(rt_faq_features(scratch, RT_TEST_GIFT, values), 1);
    apart = values[3];

    assert_true(in_row > 0.5);
    assert_true(apart == 0);

    rt_faq_scratch_destroy(scratch);
    rt_faq_index_destroy(index);
}


/* Long, broken and odd input, and lists that are empty or too long. */
static void
rt_test_borders(void **state)
{
    char               text[20000];
    size_t             i, n;
    rt_faq_t           faq;
    rt_error_t         error;
    rt_faq_index_t    *index;
    rt_faq_scratch_t  *scratch;
    rt_faq_candidate_t out[4];

    static const char ligature[3] = {(char) 0xEF, (char) 0xB7, (char) 0xBA};

    (void) state;

    index = rt_test_index(NULL, 0);
    scratch = rt_faq_scratch_create();
    assert_non_null(scratch);
    assert_int_equal(rt_faq_match(index, scratch, rt_str("hours"), out, 4, &n), RT_OK);
    assert_int_equal(n, 0);
    rt_faq_index_destroy(index);

    index = rt_test_index(rt_test_faqs, RT_TEST_FAQS);

    for (i = 0; i < sizeof(text); i++) {
        text[i] = (char) (i % 7 == 0 ? ' ' : (i * 31) % 256);
    }

    for (i = 0; i < sizeof(text); i += 997) {
        assert_int_equal(rt_faq_match(index, scratch, (rt_str_t){text, i}, out, 4, &n), RT_OK);
    }

    /* each becomes 18 characters when folded */
    for (i = 0; i + 3 <= sizeof(text); i += 3) {
        memcpy(text + i, ligature, sizeof(ligature));
    }

    assert_int_equal(rt_faq_match(index, scratch, (rt_str_t){text, i}, out, 4, &n), RT_OK);
    assert_int_equal(rt_faq_match(index, scratch, rt_str_null, out, 4, &n), RT_OK);
    assert_int_equal(n, 0);

    memset(&faq, 0, sizeof(faq));
    faq.alternatives_n = RT_FAQ_PHRASE_MAX;
    assert_int_equal(rt_faq_index_create(&index, &faq, 1, &error), RT_TOO_LARGE);
    assert_int_equal(rt_faq_index_create(&index, &faq, RT_FAQ_MAX + 1, &error), RT_TOO_LARGE);

    rt_faq_scratch_destroy(scratch);
    rt_faq_index_destroy(index);
}


/* A long message that starts like a question is not that question. */
static void
rt_test_long_is_not_exact(void **state)
{
    char   text[4096];
    size_t i;

    (void) state;

    memset(text, 0, sizeof(text));
    (void) snprintf(text, sizeof(text), "what is your address");

    for (i = 20; i + 1 < sizeof(text); i++) {
        text[i] = (i % 2) ? '.' : ' ';
    }

    assert_int_equal(rt_test_best(rt_test_faqs, RT_TEST_FAQS, text).exact, 0);
}


static void *
rt_test_thread(void *data)
{
    size_t             i, n;
    rt_faq_scratch_t  *scratch;
    rt_faq_candidate_t best;
    rt_test_thread_t  *thread = data;

    scratch = rt_faq_scratch_create();
    thread->failed = (scratch == NULL);

    for (i = 0; i < RT_TEST_MESSAGES && !thread->failed; i++) {
        thread->failed =
            rt_faq_match(thread->index, scratch,
                i % 2 ? rt_str("when do you opn") : rt_str("cancelling apointments"), &best, 1, &n)
                != RT_OK
            || n != 1 || best.faq != (i % 2 ? RT_TEST_HOURS : RT_TEST_CANCEL);
    }

    rt_faq_scratch_destroy(scratch);

    return NULL;
}


static void
rt_test_threads(void **state)
{
    size_t           i;
    pthread_t        id[RT_TEST_THREADS];
    rt_faq_index_t  *index;
    rt_test_thread_t thread[RT_TEST_THREADS];

    (void) state;

    index = rt_test_index(rt_test_faqs, RT_TEST_FAQS);

    for (i = 0; i < RT_TEST_THREADS; i++) {
        thread[i] = (rt_test_thread_t){index, 0};
        assert_int_equal(pthread_create(&id[i], NULL, rt_test_thread, &thread[i]), 0);
    }

    for (i = 0; i < RT_TEST_THREADS; i++) {
        assert_int_equal(pthread_join(id[i], NULL), 0);
        assert_int_equal(thread[i].failed, 0);
    }

    rt_faq_index_destroy(index);
}


int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rt_test_answers),
        cmocka_unit_test(rt_test_quiet),
        cmocka_unit_test(rt_test_exact),
        cmocka_unit_test(rt_test_priority),
        cmocka_unit_test(rt_test_threshold),
        cmocka_unit_test(rt_test_languages),
        cmocka_unit_test(rt_test_keyword_phrase),
        cmocka_unit_test(rt_test_borders),
        cmocka_unit_test(rt_test_long_is_not_exact),
        cmocka_unit_test(rt_test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
