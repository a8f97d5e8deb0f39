/* FAQs and automatic responses as JSON documents, the same whichever store keeps them. */

#include <string.h>

#include <rt/rt_json.h>
#include <rt/rt_text.h>

#include "store/rt_store_assist.h"


#define rt_assist_put(buf, literal) rt_buf_append((buf), (literal), sizeof(literal) - 1)

const char *const rt_response_type_names[] = {"welcome", "offline", "busy", "away", "closing-soon",
    "holiday", "acknowledgment", "custom", NULL};


static void
rt_assist_put_json(rt_buf_t *buf, rt_str_t json, rt_str_t otherwise)
{
    rt_buf_append_str(buf, json.len ? json : otherwise);
}


static void
rt_assist_put_bool(rt_buf_t *buf, int value)
{
    rt_buf_append_str(buf, value ? rt_str("true") : rt_str("false"));
}


/* A whole number without a fraction; others with the fewest digits. */
static void
rt_assist_put_number(rt_buf_t *buf, double value)
{
    json_t *number;

    if (value >= -1e15 && value <= 1e15 && value == (double) (int64_t) value) {
        rt_buf_append_int(buf, (int64_t) value);
        return;
    }

    number = json_real(value);

    if (rt_json_dump(number, buf) != RT_OK) {
        buf->failed = 1;
    }

    json_decref(number);
}


/* The members that both begin with. */
static void
rt_assist_put_ids(rt_buf_t *buf, rt_str_t id, rt_str_t business_id)
{
    rt_assist_put(buf, "{\"_id\":");
    rt_json_put_text(buf, id);
    rt_assist_put(buf, ",\"businessId\":");
    rt_json_put_text(buf, business_id);
}


/* And end with. */
static void
rt_assist_put_end(rt_buf_t *buf, int is_active, rt_str_t metadata, int64_t created_at_ms,
    int64_t updated_at_ms)
{
    rt_assist_put(buf, ",\"isActive\":");
    rt_assist_put_bool(buf, is_active);
    rt_assist_put(buf, ",\"metadata\":");
    rt_assist_put_json(buf, metadata, rt_str("{}"));
    rt_assist_put(buf, ",\"createdAt\":");
    rt_json_put_time_or_null(buf, created_at_ms);
    rt_assist_put(buf, ",\"updatedAt\":");
    rt_json_put_time_or_null(buf, updated_at_ms);
    rt_assist_put(buf, "}");
}


void
rt_faq_write_json(rt_buf_t *buf, const rt_faq_row_t *faq)
{
    rt_assist_put_ids(buf, faq->id, faq->business_id);
    rt_assist_put(buf, ",\"question\":");
    rt_buf_append_json_string(buf, faq->question);
    rt_assist_put(buf, ",\"answer\":");
    rt_buf_append_json_string(buf, faq->answer);
    rt_assist_put(buf, ",\"keywords\":");
    rt_assist_put_json(buf, faq->keywords, rt_str("[]"));
    rt_assist_put(buf, ",\"alternativeQuestions\":");
    rt_assist_put_json(buf, faq->alternatives, rt_str("[]"));
    rt_assist_put(buf, ",\"category\":");
    rt_json_put_text(buf, faq->category);
    rt_assist_put(buf, ",\"confidenceThreshold\":");
    rt_assist_put_number(buf, faq->threshold_percent);
    rt_assist_put(buf, ",\"priority\":");
    rt_assist_put_number(buf, faq->priority);
    rt_assist_put(buf, ",\"usageCount\":");
    rt_buf_append_int(buf, faq->usage_count);
    rt_assist_put(buf, ",\"helpfulCount\":");
    rt_buf_append_int(buf, faq->helpful_count);
    rt_assist_put(buf, ",\"notHelpfulCount\":");
    rt_buf_append_int(buf, faq->not_helpful_count);
    rt_assist_put_end(buf, faq->is_active, faq->metadata, faq->created_at_ms, faq->updated_at_ms);
}


void
rt_response_write_json(rt_buf_t *buf, const rt_response_row_t *response)
{
    rt_assist_put_ids(buf, response->id, response->business_id);
    rt_assist_put(buf, ",\"name\":");
    rt_json_put_text(buf, response->name);
    rt_assist_put(buf, ",\"responseType\":");
    rt_json_put_text(buf, rt_str_c(rt_response_type_names[response->type]));
    rt_assist_put(buf, ",\"message\":");
    rt_buf_append_json_string(buf, response->message);
    rt_assist_put(buf, ",\"trigger\":");
    rt_assist_put_json(buf, response->trigger, rt_str("{}"));
    rt_assist_put(buf, ",\"quickReplies\":");
    rt_assist_put_json(buf, response->quick_replies, rt_str("[]"));
    rt_assist_put(buf, ",\"usageCount\":");
    rt_buf_append_int(buf, response->usage_count);
    rt_assist_put_end(buf, response->is_active, response->metadata, response->created_at_ms,
        response->updated_at_ms);
}
