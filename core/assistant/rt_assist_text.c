/* Which of a business's responses says what is to be said. Responses come the newest first, so the
 * first that fits is the one. */

#include "assistant/rt_assist.h"


typedef int (*rt_assist_fits_pt)(const rt_playbook_response_t *response, void *data);

typedef struct {
    rt_str_t                zone;
    int64_t                 now_ms;
    const rt_assist_load_t *load;
} rt_assist_moment_t;


static const rt_playbook_response_t *
rt_assist_find(const rt_playbook_t *playbook, rt_assist_fits_pt fits, void *data)
{
    size_t i;

    for (i = 0; i < playbook->responses_count; i++) {
        if (fits(&playbook->responses[i], data)) {
            return &playbook->responses[i];
        }
    }

    return NULL;
}


static int
rt_assist_is_type(const rt_playbook_response_t *response, void *data)
{
    return response->row.type == *(const rt_response_type_t *) data;
}


static int
rt_assist_is_closed_now(const rt_playbook_response_t *response, void *data)
{
    const rt_assist_moment_t *moment = data;

    /* one that says it before is none that holds meanwhile */
    return response->trigger.event == RT_TRIGGER_AFTER_HOURS
        && response->trigger.minutes_before == 0
        && rt_trigger_in_window(&response->trigger, moment->zone, moment->now_ms);
}


static int
rt_assist_is_closed_soon(const rt_playbook_response_t *response, void *data)
{
    const rt_assist_moment_t *moment = data;

    return response->trigger.minutes_before != 0
        && rt_trigger_is_near(&response->trigger, moment->zone, moment->now_ms);
}


static int
rt_assist_is_no_staff(const rt_playbook_response_t *response, void *data)
{
    (void) data;

    return response->trigger.event == RT_TRIGGER_NO_STAFF;
}


static int
rt_assist_is_load(const rt_playbook_response_t *response, void *data)
{
    (void) data;

    return response->trigger.event == RT_TRIGGER_HIGH_LOAD;
}


static int
rt_assist_is_busy_now(const rt_playbook_response_t *response, void *data)
{
    const rt_assist_moment_t *moment = data;
    const rt_trigger_t       *trigger = &response->trigger;

    if (trigger->event != RT_TRIGGER_HIGH_LOAD || moment->load == NULL) {
        return 0;
    }

    return (trigger->queue_size && moment->load->queue_size >= trigger->queue_size)
        || (trigger->max_wait_minutes
            && moment->load->max_wait_minutes >= trigger->max_wait_minutes);
}


static rt_assist_text_t
rt_assist_said(const rt_playbook_response_t *response, rt_response_type_t type, rt_str_t otherwise)
{
    rt_assist_text_t text;

    text.response = response;
    text.type = response ? response->row.type : type;
    text.text = response ? response->row.message : otherwise;
    text.quick_replies = response ? response->row.quick_replies : rt_str_null;

    return text;
}


rt_assist_text_t
rt_assist_offline(const rt_playbook_t *playbook, rt_str_t zone, int64_t now_ms)
{
    rt_response_type_t            type = RT_RESPONSE_OFFLINE;
    rt_assist_moment_t            moment = {zone, now_ms, NULL};
    const rt_playbook_response_t *response;

    response = rt_assist_find(playbook, rt_assist_is_closed_now, &moment);

    if (response == NULL) {
        response = rt_assist_find(playbook, rt_assist_is_no_staff, NULL);
    }

    if (response == NULL) {
        response = rt_assist_find(playbook, rt_assist_is_type, &type);
    }

    return rt_assist_said(response, type,
        rt_str("Nobody is here right now. We have your message and will answer as soon as we are "
               "back."));
}


rt_assist_text_t
rt_assist_acknowledge(const rt_playbook_t *playbook, rt_str_t zone, int64_t now_ms,
    const rt_assist_load_t *load)
{
    rt_response_type_t            type = RT_RESPONSE_ACKNOWLEDGMENT;
    rt_assist_moment_t            moment = {zone, now_ms, load};
    const rt_playbook_response_t *response;

    response = rt_assist_find(playbook, rt_assist_is_busy_now, &moment);

    if (response == NULL) {
        response = rt_assist_find(playbook, rt_assist_is_closed_soon, &moment);
    }

    if (response == NULL) {
        response = rt_assist_find(playbook, rt_assist_is_type, &type);
    }

    return rt_assist_said(response, type,
        rt_str("Thank you for your message. Somebody of our team will answer shortly."));
}


int
rt_assist_is_after_hours(const rt_playbook_t *playbook, rt_str_t zone, int64_t now_ms)
{
    rt_assist_moment_t moment = {zone, now_ms, NULL};

    return rt_assist_find(playbook, rt_assist_is_closed_now, &moment) != NULL;
}


int
rt_assist_wants_load(const rt_playbook_t *playbook)
{
    return rt_assist_find(playbook, rt_assist_is_load, NULL) != NULL;
}
