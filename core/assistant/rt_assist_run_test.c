/* The assistant's operations on a real store: said once, told again only when asked, and by what
 * the business has to say now. */

#include "chat/rt_chat_testing.h"

#include <rt/rt_text.h>

#include "assistant/rt_playbook.h"


static char room[25];


static int
setup(void **state)
{
    if (test_setup(state) != 0) {
        return -1;
    }

    test_core->assistant = 1;
    test_room("u1", "b1", room);

    return 0;
}


/* A customer's message; the assistant is then asked to look. */
static void
say(const char *content)
{
    rt_call_t *call;

    call = test_run("message.send", RT_DOOR_SOCKET, test_person("u1", "b1", "CUSTOMER"), RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"%s\"}", room, content));
    assert_int_equal(call->assist, RT_ASSIST_AFTER_MESSAGE);
    assert_true(rt_str_eq(call->business_id, rt_str("b1")));
    rt_call_destroy(call);
}


static rt_call_t *
look(int staff_online, int retell)
{
    return test_run("assistant.run", RT_DOOR_SOCKET, NULL, RT_OK,
        test_text("{\"roomId\":\"%s\",\"staffOnline\":%s,\"retell\":%s}", room,
            staff_online ? "true" : "false", retell ? "true" : "false"));
}


/* The events of a call, one letter each: message (M), automatic (A), FAQ (F), call for staff (C),
 * room updated (U). */
static void
emits_are(const rt_call_t *call, const char *expected)
{
    size_t           i, n;
    char             seen[32];
    const rt_emit_t *emit;

    static const struct {
        const char *event;
        char        letter;
    } letters[] = {{"chat:new-message", 'M'}, {"chat:auto-response", 'A'},
        {"chat:faq-response", 'F'}, {"chat:new-conversation", 'C'}, {"chat:room-updated", 'U'}};

    n = 0;

    for (emit = call->emits; emit != NULL; emit = emit->next) {
        for (i = 0; !rt_str_eq(emit->event, rt_str_c(letters[i].event)); i++) { /* void */
        }

        seen[n++] = letters[i].letter;
    }

    seen[n] = '\0';
    assert_string_equal(seen, expected);
}


static size_t
due_for(int age_ms)
{
    size_t     count;
    json_t    *reply;
    rt_call_t *call;

    usleep(2000);
    call =
        test_run("assistant.due", RT_DOOR_SOCKET, NULL, RT_OK, test_text("{\"ageMs\":%d}", age_ms));
    reply = test_reply(call);
    count = json_array_size(json_object_get(reply, "rooms"));

    if (count) {
        test_member(reply, "rooms.0.roomId", test_text("\"%s\"", room));
        test_member(reply, "rooms.0.businessId", "\"b1\"");
    }

    json_decref(reply);
    rt_call_destroy(call);

    return count;
}


static size_t
due(void)
{
    return due_for(0);
}


static void
told(int64_t seq)
{
    test_expect("assistant.told", NULL, RT_OK,
        test_text("{\"rooms\":[{\"roomId\":\"%s\",\"seq\":%lld}]}", room, (long long) seq));
}


static rt_store_session_t *
begin(void)
{
    rt_store_session_t *session;

    assert_int_equal(test_core->store->ops->begin(test_core->store, RT_STORE_WRITE, &session),
        RT_OK);

    return session;
}


static void
end(rt_store_session_t *session)
{
    assert_int_equal(test_core->store->ops->end(session, 1), RT_OK);
}


static void
faq_fill(rt_faq_row_t *faq)
{
    memset(faq, 0, sizeof(rt_faq_row_t));
    faq->id = rt_str("00112233445566778899aabb");
    faq->business_id = rt_str("b1");
    faq->question = rt_str("When are you open?");
    faq->answer = rt_str("Nine to six.");
    faq->alternatives = rt_str("[\"What are your hours?\"]");
    faq->keywords = rt_str("[\"hours\"]");
    faq->threshold_percent = 70;
    faq->is_active = 1;
    faq->created_at_ms = rt_time_now_ms();
    faq->updated_at_ms = faq->created_at_ms;
}


static void
faq_add(void)
{
    rt_faq_row_t        faq;
    rt_store_session_t *session;

    faq_fill(&faq);
    session = begin();
    assert_int_equal(test_core->store->ops->assist->faq_add(session, &faq), RT_OK);
    end(session);
}


static rt_faq_row_t *
faq_get(rt_arena_t *arena)
{
    rt_faq_row_t       *faq;
    rt_store_session_t *session;

    session = begin();
    assert_int_equal(test_core->store->ops->assist->faq_get(session, arena, rt_str("b1"),
                         rt_str("00112233445566778899aabb"), &faq),
        RT_OK);
    end(session);

    return faq;
}


static void
test_said_once(void **state)
{
    json_t    *json;
    rt_call_t *call;

    (void) state;

    /* who has not joined is welcomed before the first message */
    call = test_run("message.send", RT_DOOR_SOCKET, test_person("u1", "b1", "CUSTOMER"), RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"hi\"}", room));
    emits_are(call, "AMU");
    json = test_emit_is(call, 0, test_text("room:%s", room), "chat:auto-response", 1);
    test_member(json, "responseType", "\"welcome\"");
    json_decref(json);
    json_decref(test_emit_is(call, 1, test_text("room:%s", room), "chat:new-message", 2));
    rt_call_destroy(call);
    assert_int_equal(due(), 1);
    assert_int_equal(due_for(60000), 0); /* the first one has it for a while */

    call = look(0, 0);
    emits_are(call, "AU");
    json = test_emit_is(call, 0, test_text("room:%s", room), "chat:auto-response", 3);
    test_member(json, "responseType", "\"offline\"");
    test_member(json, "senderType", "\"bot\"");
    json_decref(json);
    assert_int_equal(call->last_seq, 2);
    rt_call_destroy(call);

    call = look(1, 0);
    emits_are(call, "");
    assert_int_equal(call->last_seq, 0);
    rt_call_destroy(call);

    /* whoever did it may have died before it was told */
    call = look(0, 1);
    emits_are(call, "AAU");
    json_decref(test_emit_is(call, 0, test_text("room:%s", room), "chat:auto-response", 1));
    json_decref(test_emit_is(call, 1, test_text("room:%s", room), "chat:auto-response", 3));
    assert_int_equal(call->last_seq, 2);
    rt_call_destroy(call);
    told(2);
    assert_int_equal(due(), 0);
    call = look(0, 1);
    emits_are(call, "AU"); /* what is behind the mark: the reply itself */
    rt_call_destroy(call);
}


static void
test_called(void **state)
{
    json_t    *json;
    rt_call_t *call;

    (void) state;

    say("My cat ate the voucher");
    say("Hello?");
    call = look(1, 0);
    emits_are(call, "CAU");
    json = test_emit_is(call, 0, "business:b1", "chat:new-conversation", 0);
    test_member(json, "requiresAttention", "true");
    test_member(json, "message", "\"My cat ate the voucher\"");
    json_decref(json);
    assert_int_equal(call->last_seq, 3);
    rt_call_destroy(call);

    /* staff came: quiet, and nothing waits */
    told(3);
    test_expect("message.send", test_person("s1", "b1", "STAFF"), RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"Yes?\"}", room));
    call = test_run("message.send", RT_DOOR_SOCKET, test_person("u1", "b1", "CUSTOMER"), RT_OK,
        test_text("{\"roomId\":\"%s\",\"content\":\"At last\"}", room));
    assert_int_equal(call->assist, RT_ASSIST_NOT);
    rt_call_destroy(call);
    assert_int_equal(due(), 0);
}


static void
test_answered(void **state)
{
    json_t     *json;
    rt_call_t  *call;
    rt_arena_t *arena;

    (void) state;

    faq_add();
    say("what are your hours?");
    call = look(1, 0);
    emits_are(call, "FAU");
    json = test_emit_is(call, 0, test_text("room:%s", room), "chat:faq-response", 3);
    test_member(json, "content", "\"Nine to six.\"");
    test_member(json, "faqId", "\"00112233445566778899aabb\"");
    test_member(json, "confidence", "100.0");
    test_member(json, "isFAQ", "true");
    test_member(json, "messageType", "\"faq-response\"");
    json_decref(json);
    json = test_emit_is(call, 1, test_text("room:%s", room), "chat:auto-response", 4);
    test_member(json, "quickReplies", "[\"Yes\",\"No\"]");
    json_decref(json);
    rt_call_destroy(call);

    say("No!");
    call = look(1, 0);
    emits_are(call, "CU");
    rt_call_destroy(call);
    say("yes");
    call = look(1, 0);
    emits_are(call, "");
    rt_call_destroy(call);

    arena = rt_arena_create(0);
    assert_int_equal(faq_get(arena)->usage_count, 1);
    assert_int_equal(faq_get(arena)->helpful_count, 1);
    assert_int_equal(faq_get(arena)->not_helpful_count, 0);
    rt_arena_destroy(arena);
}


/* One look: what it emits, and whether another one is to follow. */
static void
looks(int staff_online, const char *emits, rt_assist_after_t after)
{
    rt_call_t *call;

    call = look(staff_online, 0);
    emits_are(call, emits);
    assert_int_equal(call->assist, after);
    rt_call_destroy(call);
}


/* More lines of others than one call looks at, and the customer's behind them. */
static void
test_moves_on(void **state)
{
    int i;

    (void) state;

    test_expect("auto-response.create", test_person("s1", "b1", "STAFF"), RT_OK,
        "{\"name\":\"Away\",\"responseType\":\"away\",\"message\":\"One moment\"}");

    for (i = 0; i < 70; i++) {
        test_expect("auto-response.trigger", test_person("s1", "b1", "STAFF"), RT_OK,
            test_text("{\"roomId\":\"%s\",\"responseType\":\"away\"}", room));
    }

    say("Hello?");
    looks(0, "", RT_ASSIST_AFTER_MESSAGE);
    looks(0, "AU", RT_ASSIST_NOT);
}


/* A flood is answered in parts. */
static void
test_flood(void **state)
{
    int i;

    (void) state;

    faq_add();

    for (i = 0; i < 12; i++) {
        say("What are your hours?");
    }

    looks(1, "FAFAFAFAFAFAFAFAU", RT_ASSIST_AFTER_MESSAGE);
    looks(1, "FAFAFAFAU", RT_ASSIST_NOT);
}


/* The playbook changes with the store, and who holds the old one may read on. */
static void
test_playbook(void **state)
{
    size_t               count;
    rt_call_t           *call;
    rt_arena_t          *arena;
    rt_faq_row_t         faq;
    rt_faq_candidate_t   fit;
    const rt_playbook_t *empty, *first, *again, *second;

    (void) state;

    arena = rt_arena_create(0);
    call = test_call_make("assistant.run", RT_DOOR_SOCKET, NULL, "{}");
    call->session = begin();
    assert_int_equal(rt_playbook_get(test_core, call, rt_str("b1"), &empty), RT_OK);
    assert_int_equal(empty->faqs_count, 0);
    assert_int_equal(rt_playbook_match(test_core, empty, rt_str("hours"), &fit, 1, &count), RT_OK);
    assert_int_equal(count, 0);

    faq_fill(&faq);
    assert_int_equal(test_core->store->ops->assist->faq_add(call->session, &faq), RT_OK);
    assert_int_equal(rt_playbook_get(test_core, call, rt_str("b1"), &first), RT_OK);
    assert_int_equal(rt_playbook_get(test_core, call, rt_str("b1"), &again), RT_OK);
    assert_ptr_equal(first, again);
    assert_int_equal(first->faqs_count, 1);

    faq.answer = rt_str("Ten to five.");
    faq.updated_at_ms++;
    assert_int_equal(test_core->store->ops->assist->faq_change(call->session, &faq), RT_OK);
    assert_int_equal(rt_playbook_get(test_core, call, rt_str("b1"), &second), RT_OK);
    assert_true(rt_str_eq(second->faqs[0].answer, rt_str("Ten to five.")));
    assert_true(rt_str_eq(first->faqs[0].answer, rt_str("Nine to six.")));
    assert_int_equal(rt_playbook_match(test_core, first, rt_str("When are you open"), &fit, 1,
                         &count),
        RT_OK);
    assert_int_equal(count, 1);
    assert_true(fit.exact);
    assert_int_equal(rt_playbook_get(test_core, call, rt_str("b2"), &again), RT_OK);
    assert_int_equal(again->faqs_count, 0);

    rt_playbook_release(empty);
    rt_playbook_release(first);
    rt_playbook_release(first);
    rt_playbook_release(second);
    rt_playbook_release(again);
    end(call->session);
    call->session = NULL;
    rt_call_destroy(call);
    rt_arena_destroy(arena);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_said_once, setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_called, setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_answered, setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_moves_on, setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_flood, setup, test_teardown),
        cmocka_unit_test_setup_teardown(test_playbook, setup, test_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
