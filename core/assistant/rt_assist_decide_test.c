/* The flow as a table: what is remembered, what happens, what is done. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "assistant/rt_assist_decide.h"


#define MINUTE ((int64_t) 60000)
#define HOUR   (60 * MINUTE)
#define NOW    ((int64_t) 1000 * HOUR)

#define YES RT_ASSIST_SAYS_YES
#define NO  RT_ASSIST_SAYS_NO

typedef struct {
    const char       *name;
    rt_room_assist_t  room;
    rt_assist_facts_t facts;
    const char       *expected; /* a letter for each action */
} case_t;

/* by number */
static const char letters[] = "W+-OFHNAC";

/* a message with seq 10; at_ms says how long ago it was written */
static const case_t cases[] = {
    {"first join", {0}, {.event = RT_ASSIST_JOINED}, "W"},
    {"second join", {.welcomed = 1}, {.event = RT_ASSIST_JOINED}, ""},
    {"join while staff talk", {.staff_seq = 3, .staff_at_ms = NOW - 9 * MINUTE},
        {.event = RT_ASSIST_JOINED}, ""},
    {"join after staff talked", {.staff_seq = 3, .staff_at_ms = NOW - 10 * MINUTE},
        {.event = RT_ASSIST_JOINED}, "W"},

    {"FAQ, staff there", {0}, {.staff_online = 1, .faq_fits = 1}, "FH"},
    {"FAQ, nobody there", {0}, {.faq_fits = 1}, "OFH"},
    {"FAQ, after hours", {0}, {.staff_online = 1, .is_after_hours = 1, .faq_fits = 1}, "OFH"},
    {"no FAQ, staff there", {0}, {.staff_online = 1}, "NAC"},
    {"no FAQ, nobody there", {0}, {0}, "ON"},
    {"no FAQ, after hours", {0}, {.staff_online = 1, .is_after_hours = 1}, "ON"},

    {"offline once", {.customer_at_ms = NOW - HOUR, .offline_seq = 4}, {0}, "N"},
    {"offline said, FAQ", {.customer_at_ms = NOW - HOUR, .offline_seq = 4}, {.faq_fits = 1}, "FH"},
    {"acknowledged once", {.customer_at_ms = NOW - HOUR, .acknowledge_seq = 4}, {.staff_online = 1},
        "N"},
    {"acknowledged, then nobody there", {.customer_at_ms = NOW - HOUR, .acknowledge_seq = 4}, {0},
        "ON"},
    {"offline, then staff there", {.customer_at_ms = NOW - HOUR, .offline_seq = 4},
        {.staff_online = 1}, "NAC"},
    {"staff ended the stretch",
        {.customer_at_ms = NOW - HOUR,
            .acknowledge_seq = 4,
            .staff_seq = 5,
            .staff_at_ms = NOW - 11 * MINUTE},
        {.staff_online = 1}, "NAC"},
    {"staff ended the stretch, nobody there",
        {.customer_at_ms = NOW - HOUR,
            .offline_seq = 4,
            .staff_seq = 5,
            .staff_at_ms = NOW - 11 * MINUTE},
        {0}, "ON"},
    {"said since staff wrote",
        {.customer_at_ms = NOW - MINUTE,
            .acknowledge_seq = 6,
            .staff_seq = 5,
            .staff_at_ms = NOW - 11 * MINUTE},
        {.staff_online = 1}, "N"},
    {"just below twelve hours", {.customer_at_ms = NOW - 12 * HOUR + 1, .acknowledge_seq = 4},
        {.staff_online = 1}, "N"},
    {"twelve hours of silence", {.customer_at_ms = NOW - 12 * HOUR, .acknowledge_seq = 4},
        {.staff_online = 1}, "NAC"},
    {"twelve hours of silence, nobody there", {.customer_at_ms = NOW - 12 * HOUR, .offline_seq = 4},
        {0}, "ON"},

    {"staff talk", {.staff_seq = 5, .staff_at_ms = NOW - 10 * MINUTE + 1},
        {.staff_online = 1, .faq_fits = 1}, ""},
    {"staff talk, after hours", {.staff_seq = 5, .staff_at_ms = NOW - MINUTE},
        {.is_after_hours = 1}, ""},
    {"staff talked", {.staff_seq = 5, .staff_at_ms = NOW - 10 * MINUTE},
        {.staff_online = 1, .faq_fits = 1}, "FH"},
    {"staff answered before we came", {.staff_seq = 11, .staff_at_ms = NOW - 20 * MINUTE},
        {.staff_online = 1, .faq_fits = 1}, ""},

    {"written while staff talked, looked at later",
        {.staff_seq = 5, .staff_at_ms = NOW - 11 * MINUTE},
        {.at_ms = 5 * MINUTE, .staff_online = 1, .faq_fits = 1}, ""},
    {"looked at an hour later", {0}, {.at_ms = HOUR, .staff_online = 1, .faq_fits = 1}, "FH"},
    {"looked at too late", {0}, {.at_ms = HOUR + 1, .staff_online = 1, .faq_fits = 1}, ""},

    {"yes", {.feedback_seq = 9}, {.says = YES, .staff_online = 1}, "+"},
    {"no", {.feedback_seq = 9}, {.says = NO, .staff_online = 1}, "-C"},
    {"no, nobody there", {.feedback_seq = 9}, {.says = NO}, "-C"},
    {"no while staff talk", {.feedback_seq = 9, .staff_seq = 5, .staff_at_ms = NOW - MINUTE},
        {.says = NO}, "-C"},
    {"yes, not asked", {0}, {.says = YES, .staff_online = 1}, "NAC"},
    {"something else than yes", {.feedback_seq = 9}, {.staff_online = 1, .faq_fits = 1}, "FH"},
};


static void
test_flow(void **state)
{
    char                 done[RT_ASSIST_ACTIONS + 1];
    size_t               i, j;
    const case_t        *one;
    rt_assist_facts_t    facts;
    rt_assist_decision_t decision;

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        one = &cases[i];
        facts = one->facts;
        facts.now_ms = NOW;
        facts.seq = 10;
        facts.at_ms = NOW - facts.at_ms;
        rt_assist_decide(&one->room, &facts, &decision);

        for (j = 0; j < decision.count; j++) {
            done[j] = letters[decision.actions[j]];
        }

        done[decision.count] = '\0';

        if (strcmp(done, one->expected) != 0) {
            fail_msg("%s: %s, expected %s", one->name, done, one->expected);
        }
    }
}


static void
test_remembered(void **state)
{
    rt_room_assist_t     room;
    rt_assist_facts_t    facts;
    rt_assist_decision_t decision;

    (void) state;

    memset(&room, 0, sizeof(room));
    memset(&facts, 0, sizeof(facts));
    facts.event = RT_ASSIST_WROTE;
    facts.seq = 2;
    facts.at_ms = NOW;
    facts.now_ms = NOW;
    rt_assist_decide(&room, &facts, &decision);
    assert_int_equal(decision.next.done_seq, 2);
    assert_int_equal(decision.next.customer_at_ms, NOW);
    assert_int_equal(decision.next.offline_seq, 2);
    assert_int_equal(decision.next.acknowledge_seq, 0);

    room = decision.next;
    facts.seq = 4;
    facts.staff_online = 1;
    rt_assist_decide(&room, &facts, &decision);
    assert_int_equal(decision.next.offline_seq, 2);
    assert_int_equal(decision.next.acknowledge_seq, 4);
    assert_int_equal(decision.next.called_seq, 4);

    /* an answer ends the stretch for neither of them */
    room = decision.next;
    facts.seq = 6;
    facts.faq_fits = 1;
    rt_assist_decide(&room, &facts, &decision);
    assert_int_equal(decision.next.offline_seq, 2);
    assert_int_equal(decision.next.acknowledge_seq, 4);

    /* a question that is answered stays open for another answer, and ends with anything else */
    room = decision.next;
    room.feedback_seq = 8;
    facts.seq = 9;
    facts.faq_fits = 0;
    facts.says = RT_ASSIST_SAYS_YES;
    rt_assist_decide(&room, &facts, &decision);
    assert_int_equal(decision.next.feedback_seq, 9);
    room = decision.next;
    facts.seq = 10;
    facts.says = RT_ASSIST_SAYS_ELSE;
    rt_assist_decide(&room, &facts, &decision);
    assert_int_equal(decision.next.feedback_seq, 0);
}


static void
test_idle(void **state)
{
    rt_room_assist_t room;

    (void) state;

    memset(&room, 0, sizeof(room));
    assert_false(rt_assist_is_idle(&room, NOW));
    room.staff_seq = 1;
    room.staff_at_ms = NOW - 10 * MINUTE + 1;
    assert_true(rt_assist_is_idle(&room, NOW));
    assert_false(rt_assist_is_idle(&room, NOW + 1));
    room.feedback_seq = 2;
    assert_false(rt_assist_is_idle(&room, NOW));
}


static void
test_says(void **state)
{
    size_t i;

    static const struct {
        const char      *text;
        rt_assist_says_t says;
    } texts[] = {
        {"yes", YES},
        {"Yes", YES},
        {" YES!! ", YES},
        {"“Yes.”", YES},
        {"yes 👍", YES},
        {"no", NO},
        {"NO.", NO},
        {"¡No!", NO},
        {"", RT_ASSIST_SAYS_ELSE},
        {"!?", RT_ASSIST_SAYS_ELSE},
        {"nope", RT_ASSIST_SAYS_ELSE},
        {"no thanks", RT_ASSIST_SAYS_ELSE},
        {"y e s", RT_ASSIST_SAYS_ELSE},
        {"yesé", RT_ASSIST_SAYS_ELSE},
        {"né", RT_ASSIST_SAYS_ELSE},
        {"n\xc3", RT_ASSIST_SAYS_ELSE},
    };

    (void) state;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (rt_assist_says(rt_str_c(texts[i].text)) != texts[i].says) {
            fail_msg("\"%s\"", texts[i].text);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flow),
        cmocka_unit_test(test_remembered),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
