/* What a store keeps for the assistant: FAQs, automatic responses, how helpful answers were, and
 * what nobody had an answer for. What the assistant knows of a room is part of the room
 * (rt_room_assist_t). Errors, threads and sessions: as in rt_store.h. */

#ifndef RT_STORE_ASSIST_H
#define RT_STORE_ASSIST_H

#include <rt/rt_base.h>


typedef struct rt_store_session_s rt_store_session_t;

/* The numbers are kept in SQLite's rows: never renumber. */
typedef enum {
    RT_RESPONSE_WELCOME = 0,
    RT_RESPONSE_OFFLINE = 1,
    RT_RESPONSE_BUSY = 2,
    RT_RESPONSE_AWAY = 3,
    RT_RESPONSE_CLOSING_SOON = 4,
    RT_RESPONSE_HOLIDAY = 5,
    RT_RESPONSE_ACKNOWLEDGMENT = 6,
    RT_RESPONSE_CUSTOM = 7
} rt_response_type_t;

/* By number, NULL terminated: "welcome", … */
extern const char *const rt_response_type_names[];

/* A FAQ as it is stored. Empty texts stand for null, empty JSON texts for [] and {}. */
typedef struct {
    rt_str_t id;
    rt_str_t business_id;
    rt_str_t question;
    rt_str_t answer;
    rt_str_t keywords;     /* JSON array of strings */
    rt_str_t alternatives; /* the same: alternativeQuestions */
    rt_str_t category;
    double   threshold_percent; /* confidenceThreshold: 0 is kept as 0 */
    double   priority;
    int64_t  usage_count;
    int64_t  helpful_count;
    int64_t  not_helpful_count;
    int      is_active;
    rt_str_t metadata; /* JSON object */
    int64_t  created_at_ms;
    int64_t  updated_at_ms;
} rt_faq_row_t;

typedef struct {
    rt_faq_row_t *rows; /* by priority, then usage, both falling; then the older first */
    size_t        count;
    int64_t       total; /* all that match */
} rt_faq_list_t;

/* Empty texts and -1 do not filter. */
typedef struct {
    rt_str_t business_id;
    rt_str_t category;
    int      is_active;
    int64_t  offset;
    int64_t  limit;
} rt_faq_query_t;

/* An automatic response as it is stored. */
typedef struct {
    rt_str_t           id;
    rt_str_t           business_id;
    rt_str_t           name;
    rt_response_type_t type;
    rt_str_t           message;
    rt_str_t           trigger;       /* JSON object {event,conditions} */
    rt_str_t           quick_replies; /* JSON array of strings */
    int                is_active;
    int64_t            usage_count;
    rt_str_t           metadata; /* JSON object */
    int64_t            created_at_ms;
    int64_t            updated_at_ms;
} rt_response_row_t;

typedef struct {
    rt_response_row_t *rows; /* the newest first */
    size_t             count;
    int64_t            total;
} rt_response_list_t;

/* Empty texts and -1 do not filter. */
typedef struct {
    rt_str_t business_id;
    int      type; /* rt_response_type_t */
    int      is_active;
    int64_t  offset;
    int64_t  limit;
} rt_response_query_t;

/* A customer's message that no FAQ answered. */
typedef struct {
    rt_str_t id; /* of the message; what is there already is left as it is */
    rt_str_t business_id;
    rt_str_t room_id;
    rt_str_t content; /* its beginning */
    int64_t  created_at_ms;
} rt_unanswered_row_t;

typedef struct {
    rt_unanswered_row_t *rows; /* the newest first */
    size_t               count;
} rt_unanswered_list_t;

typedef struct {
    rt_status_t (*faq_add)(rt_store_session_t *session, const rt_faq_row_t *faq);

    /* *out is NULL when the business has none of that id (an empty one: when nobody has). */
    rt_status_t (*faq_get)(rt_store_session_t *session, rt_arena_t *arena, rt_str_t business_id,
        rt_str_t id, rt_faq_row_t **out);

    /* Writes everything but id, business_id, created_at_ms and the three counts. */
    rt_status_t (*faq_change)(rt_store_session_t *session, const rt_faq_row_t *faq);
    rt_status_t (*faq_list)(rt_store_session_t *session, rt_arena_t *arena,
        const rt_faq_query_t *query, rt_faq_list_t *out);

    /* Adds to the counts; one that is gone is no error. Does not change the version. */
    rt_status_t (*faq_count)(rt_store_session_t *session, rt_str_t business_id, rt_str_t id,
        int64_t usage, int64_t helpful, int64_t not_helpful);

    rt_status_t (*response_add)(rt_store_session_t *session, const rt_response_row_t *response);
    rt_status_t (*response_get)(rt_store_session_t *session, rt_arena_t *arena,
        rt_str_t business_id, rt_str_t id, rt_response_row_t **out);

    /* Writes everything but id, business_id, created_at_ms and usage_count. */
    rt_status_t (*response_change)(rt_store_session_t *session, const rt_response_row_t *response);
    rt_status_t (*response_list)(rt_store_session_t *session, rt_arena_t *arena,
        const rt_response_query_t *query, rt_response_list_t *out);
    rt_status_t (*response_count)(rt_store_session_t *session, rt_str_t business_id, rt_str_t id,
        int64_t usage);

    /* A number that is another one after each change of the business's FAQs and responses (their
     * counts apart), also by other writers of the same MongoDB. Cheap: asked before each reply. */
    rt_status_t (*version)(rt_store_session_t *session, rt_str_t business_id, uint64_t *out);

    /* Notes what a customer said of an answer (message_id: of the FAQ's message). *before is what
     * was noted before: 1 helpful, 0 not, -1 nothing. */
    rt_status_t (*feedback)(rt_store_session_t *session, rt_str_t business_id, rt_str_t message_id,
        rt_str_t faq_id, int helpful, int64_t now_ms, int *before);

    rt_status_t (*unanswered_add)(rt_store_session_t *session, const rt_unanswered_row_t *row);
    rt_status_t (*unanswered_list)(rt_store_session_t *session, rt_arena_t *arena,
        rt_str_t business_id, int64_t limit, rt_unanswered_list_t *out);

    /* Removes at most `limit` of any business that were made before. */
    rt_status_t (*unanswered_sweep)(rt_store_session_t *session, int64_t before_ms, int64_t limit,
        int64_t *removed);
} rt_store_assist_ops_t;

/* The documents as the contract shows them, whichever store keeps them (rt_store_assist_json.c). */
void rt_faq_write_json(rt_buf_t *buf, const rt_faq_row_t *faq);
void rt_response_write_json(rt_buf_t *buf, const rt_response_row_t *response);

extern const rt_store_assist_ops_t rt_store_sqlite_assist;
extern const rt_store_assist_ops_t rt_store_mongo_assist;

#endif
