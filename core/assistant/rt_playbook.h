/* What one business's assistant has to say: the index of its active FAQs and its active responses,
 * made from the store and kept by the core until they change. Immutable; counted, since it may be
 * replaced while a thread still reads it. */

#ifndef RT_PLAYBOOK_H
#define RT_PLAYBOOK_H

#include <rt/rt_faq.h>

#include "assistant/rt_schedule.h"
#include "chat/rt_chat.h"


typedef struct {
    rt_response_row_t row;
    rt_trigger_t      trigger;
} rt_playbook_response_t;

typedef struct {
    rt_str_t                business_id;
    rt_faq_index_t         *index;
    rt_faq_row_t           *faqs; /* in the order of the index */
    size_t                  faqs_count;
    rt_playbook_response_t *responses; /* active ones, the newest first */
    size_t                  responses_count;
} rt_playbook_t;

typedef struct rt_playbooks_s rt_playbooks_t;

/* The core's cache of them: bounded, the longest unused goes first. NULL without memory. */
rt_playbooks_t *rt_playbooks_create(void);
void            rt_playbooks_destroy(rt_playbooks_t *playbooks); /* accepts NULL */

/* The business's playbook as the store has it now (its version is asked each time), in the call's
 * session. The caller gives *out to rt_playbook_release. Threads: any. */
rt_status_t rt_playbook_get(rt_core_t *core, rt_call_t *call, rt_str_t business_id,
    const rt_playbook_t **out);
void        rt_playbook_release(const rt_playbook_t *playbook); /* accepts NULL */

/* rt_faq_match with a scratch of the calling thread (kept by the core, any number of threads). */
rt_status_t rt_playbook_match(rt_core_t *core, const rt_playbook_t *playbook, rt_str_t message,
    rt_faq_candidate_t *out, size_t max, size_t *count);

#endif
