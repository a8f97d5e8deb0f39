/* Playbooks: made from the store's FAQs and responses, kept until their version changes.
 *
 * One is made outside the lock, by whoever first finds that the version is a new one; others who
 * find the same meanwhile make it, too, which costs only time. Who still reads an old one holds a
 * reference. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <rt/rt_json.h>

#include "assistant/rt_playbook.h"


#define RT_PLAYBOOKS_MAX  512 /* businesses; a playbook of 200 FAQs takes some 300 KB */
#define RT_PLAYBOOK_FAQS  RT_FAQ_MAX
#define RT_RESPONSES_MAX  1000
#define RT_SCRATCHES_KEPT 16

typedef struct rt_playbook_kept_s rt_playbook_kept_t;

/* The public part is first. */
struct rt_playbook_kept_s {
    rt_playbook_t       book;
    uint64_t            version;
    rt_arena_t         *arena;
    atomic_uint         references;
    rt_playbook_kept_t *next; /* the one that was used before */
};

typedef struct rt_playbook_scratch_s rt_playbook_scratch_t;

struct rt_playbook_scratch_s {
    rt_faq_scratch_t      *scratch;
    rt_playbook_scratch_t *next;
};

struct rt_playbooks_s {
    pthread_mutex_t        lock;
    rt_playbook_kept_t    *newest; /* used last */
    size_t                 count;
    rt_playbook_scratch_t *scratches; /* that no thread uses now */
    size_t                 scratches_count;
};


rt_playbooks_t *
rt_playbooks_create(void)
{
    rt_playbooks_t *playbooks;

    playbooks = calloc(1, sizeof(rt_playbooks_t));
    if (playbooks == NULL) {
        return NULL;
    }

    if (pthread_mutex_init(&playbooks->lock, NULL) != 0) {
        free(playbooks);
        return NULL;
    }

    return playbooks;
}


static void
rt_playbook_free(rt_playbook_kept_t *kept)
{
    rt_faq_index_destroy(kept->book.index);
    rt_arena_destroy(kept->arena);
    free(kept);
}


void
rt_playbook_release(const rt_playbook_t *playbook)
{
    rt_playbook_kept_t *kept = (rt_playbook_kept_t *) playbook;

    if (kept != NULL && atomic_fetch_sub(&kept->references, 1) == 1) {
        rt_playbook_free(kept);
    }
}


static void
rt_playbook_scratch_free(rt_playbook_scratch_t *one)
{
    rt_faq_scratch_destroy(one->scratch);
    free(one);
}


void
rt_playbooks_destroy(rt_playbooks_t *playbooks)
{
    rt_playbook_kept_t    *kept, *next;
    rt_playbook_scratch_t *one, *after;

    if (playbooks == NULL) {
        return;
    }

    for (kept = playbooks->newest; kept != NULL; kept = next) {
        next = kept->next;
        rt_playbook_release(&kept->book);
    }

    for (one = playbooks->scratches; one != NULL; one = after) {
        after = one->next;
        rt_playbook_scratch_free(one);
    }

    pthread_mutex_destroy(&playbooks->lock);
    free(playbooks);
}


/* Takes the business's out of the list; the list's reference goes with it. */
static rt_playbook_kept_t *
rt_playbooks_take(rt_playbooks_t *playbooks, rt_str_t business_id)
{
    rt_playbook_kept_t *kept, **link;

    for (link = &playbooks->newest; *link != NULL; link = &(*link)->next) {
        if (rt_str_eq((*link)->book.business_id, business_id)) {
            kept = *link;
            *link = kept->next;
            playbooks->count--;
            return kept;
        }
    }

    return NULL;
}


static void
rt_playbooks_put(rt_playbooks_t *playbooks, rt_playbook_kept_t *kept)
{
    kept->next = playbooks->newest;
    playbooks->newest = kept;
    playbooks->count++;
}


/* The one unused for longest, when there are too many. */
static rt_playbook_kept_t *
rt_playbooks_surplus(rt_playbooks_t *playbooks)
{
    rt_playbook_kept_t *kept, **link;

    if (playbooks->count <= RT_PLAYBOOKS_MAX) {
        return NULL;
    }

    for (link = &playbooks->newest; (*link)->next != NULL; link = &(*link)->next) { /* void */
    }

    kept = *link;
    *link = NULL;
    playbooks->count--;

    return kept;
}


/* The kept one, with a reference for the caller; NULL when there is none of that version. */
static rt_playbook_kept_t *
rt_playbooks_find(rt_playbooks_t *playbooks, rt_str_t business_id, uint64_t version)
{
    rt_playbook_kept_t *kept, *old;

    old = NULL;
    pthread_mutex_lock(&playbooks->lock);

    kept = rt_playbooks_take(playbooks, business_id);

    if (kept != NULL && kept->version == version) {
        atomic_fetch_add(&kept->references, 1);
        rt_playbooks_put(playbooks, kept);

    } else {
        old = kept;
        kept = NULL;
    }

    pthread_mutex_unlock(&playbooks->lock);

    rt_playbook_release(old ? &old->book : NULL);

    return kept;
}


static void
rt_playbooks_keep(rt_playbooks_t *playbooks, rt_playbook_kept_t *kept)
{
    rt_playbook_kept_t *before, *surplus;

    atomic_fetch_add(&kept->references, 1);
    pthread_mutex_lock(&playbooks->lock);

    before = rt_playbooks_take(playbooks, kept->book.business_id);
    rt_playbooks_put(playbooks, kept);
    surplus = rt_playbooks_surplus(playbooks);

    pthread_mutex_unlock(&playbooks->lock);

    rt_playbook_release(before ? &before->book : NULL);
    rt_playbook_release(surplus ? &surplus->book : NULL);
}


/* A JSON array's texts, as many as the matcher takes for one FAQ in all. *taken counts them. */
static rt_status_t
rt_playbook_texts(rt_arena_t *arena, rt_str_t json, size_t *taken, const rt_str_t **out,
    size_t *count)
{
    size_t    i;
    json_t   *list, *text;
    rt_str_t *texts;

    *out = NULL;
    *count = 0;

    if (json.len == 0) {
        return RT_OK;
    }

    if (rt_json_parse(json, &list, NULL) != RT_OK) {
        return RT_OK; /* of other writers: one bad text must not silence a business */
    }

    texts = rt_arena_alloc(arena, (json_array_size(list) + 1) * sizeof(rt_str_t));

    json_array_foreach(list, i, text)
    {
        if (texts == NULL || *taken == RT_FAQ_PHRASE_MAX) {
            break;
        }

        if (json_string_length(text) == 0) {
            continue;
        }

        texts[*count] =
            rt_arena_str(arena, (rt_str_t){json_string_value(text), json_string_length(text)});

        if (texts[*count].data == NULL) {
            texts = NULL;
            break;
        }

        (*count)++;
        (*taken)++;
    }

    json_decref(list);
    *out = texts;

    return texts ? RT_OK : RT_NO_MEMORY;
}


static rt_status_t
rt_playbook_language(rt_arena_t *arena, rt_str_t metadata, rt_str_t *out)
{
    json_t *json;

    *out = rt_str_null;

    if (metadata.len == 0 || rt_json_parse(metadata, &json, NULL) != RT_OK) {
        return RT_OK;
    }

    *out = rt_json_get_str(json, "language");

    if (out->len) {
        *out = rt_arena_str(arena, *out);
    }

    json_decref(json);

    return out->len == 0 || out->data ? RT_OK : RT_NO_MEMORY;
}


static rt_status_t
rt_playbook_faq(rt_arena_t *arena, const rt_faq_row_t *row, rt_faq_t *out)
{
    size_t      taken;
    rt_status_t status;

    memset(out, 0, sizeof(rt_faq_t));
    taken = 1;
    out->question = row->question;
    out->threshold_percent = row->threshold_percent;
    out->priority = row->priority;
    out->created_at_ms = row->created_at_ms;

    status = rt_playbook_texts(arena, row->alternatives, &taken, &out->alternatives,
        &out->alternatives_n);

    if (status == RT_OK) {
        status = rt_playbook_texts(arena, row->keywords, &taken, &out->keywords, &out->keywords_n);
    }

    return status == RT_OK ? rt_playbook_language(arena, row->metadata, &out->language) : status;
}


static rt_status_t
rt_playbook_read_faqs(rt_call_t *call, rt_playbook_kept_t *kept)
{
    size_t         i;
    rt_faq_t      *faqs;
    rt_arena_t    *arena; /* what the index copies */
    rt_error_t     error;
    rt_status_t    status;
    rt_faq_list_t  list;
    rt_faq_query_t query;

    memset(&query, 0, sizeof(query));
    query.business_id = kept->book.business_id;
    query.is_active = 1;
    query.limit = RT_PLAYBOOK_FAQS;

    status = rt_call_store(call)->assist->faq_list(call->session, kept->arena, &query, &list);
    if (status != RT_OK) {
        return status;
    }

    kept->book.faqs = list.rows;
    kept->book.faqs_count = list.count;

    arena = rt_arena_create(0);
    faqs = arena ? rt_arena_alloc(arena, (list.count + 1) * sizeof(rt_faq_t)) : NULL;
    status = faqs ? RT_OK : RT_NO_MEMORY;

    for (i = 0; i < list.count && status == RT_OK; i++) {
        status = rt_playbook_faq(arena, &list.rows[i], &faqs[i]);
    }

    if (status == RT_OK) {
        status = rt_faq_index_create(&kept->book.index, faqs, list.count, &error);
    }

    rt_arena_destroy(arena);

    return status;
}


/* A trigger that cannot be read (of other writers) applies never but by hand. */
static rt_status_t
rt_playbook_trigger(rt_arena_t *arena, rt_str_t text, rt_trigger_t *out)
{
    json_t     *json;
    rt_error_t  error;
    rt_status_t status;

    memset(out, 0, sizeof(rt_trigger_t));

    if (text.len == 0 || rt_json_parse(text, &json, NULL) != RT_OK) {
        return RT_OK;
    }

    status = rt_trigger_read(json, arena, out, &error);
    json_decref(json);

    if (status == RT_INVALID) {
        memset(out, 0, sizeof(rt_trigger_t));
        return RT_OK;
    }

    return status;
}


static rt_status_t
rt_playbook_read_responses(rt_call_t *call, rt_playbook_kept_t *kept)
{
    size_t                  i;
    rt_status_t             status;
    rt_response_list_t      list;
    rt_response_query_t     query;
    rt_playbook_response_t *responses;

    memset(&query, 0, sizeof(query));
    query.business_id = kept->book.business_id;
    query.type = -1;
    query.is_active = 1;
    query.limit = RT_RESPONSES_MAX;

    status = rt_call_store(call)->assist->response_list(call->session, kept->arena, &query, &list);
    if (status != RT_OK) {
        return status;
    }

    responses = rt_arena_calloc(kept->arena, (list.count + 1) * sizeof(rt_playbook_response_t));
    if (responses == NULL) {
        return RT_NO_MEMORY;
    }

    for (i = 0; i < list.count && status == RT_OK; i++) {
        responses[i].row = list.rows[i];
        status = rt_playbook_trigger(kept->arena, list.rows[i].trigger, &responses[i].trigger);
    }

    kept->book.responses = responses;
    kept->book.responses_count = list.count;

    return status;
}


static rt_status_t
rt_playbook_make(rt_call_t *call, rt_str_t business_id, uint64_t version, rt_playbook_kept_t **out)
{
    rt_status_t         status;
    rt_playbook_kept_t *kept;

    kept = calloc(1, sizeof(rt_playbook_kept_t));
    if (kept == NULL) {
        return RT_NO_MEMORY;
    }

    kept->version = version;
    atomic_init(&kept->references, 1);
    kept->arena = rt_arena_create(0);

    if (kept->arena == NULL) {
        rt_playbook_free(kept);
        return RT_NO_MEMORY;
    }

    kept->book.business_id = rt_arena_str(kept->arena, business_id);
    status = kept->book.business_id.data ? RT_OK : RT_NO_MEMORY;

    if (status == RT_OK) {
        status = rt_playbook_read_faqs(call, kept);
    }

    if (status == RT_OK) {
        status = rt_playbook_read_responses(call, kept);
    }

    if (status != RT_OK) {
        rt_playbook_free(kept);
        return status;
    }

    *out = kept;

    return RT_OK;
}


/* The version is asked before the rows are read: rows that are newer than it are read once more the
 * next time. */
rt_status_t
rt_playbook_get(rt_core_t *core, rt_call_t *call, rt_str_t business_id, const rt_playbook_t **out)
{
    uint64_t            version;
    rt_status_t         status;
    rt_playbook_kept_t *kept;

    status = rt_call_store(call)->assist->version(call->session, business_id, &version);
    if (status != RT_OK) {
        return status;
    }

    kept = rt_playbooks_find(core->playbooks, business_id, version);

    if (kept == NULL) {
        status = rt_playbook_make(call, business_id, version, &kept);
        if (status != RT_OK) {
            return status;
        }

        rt_playbooks_keep(core->playbooks, kept);
    }

    *out = &kept->book;

    return RT_OK;
}


static rt_playbook_scratch_t *
rt_playbook_scratch_take(rt_playbooks_t *playbooks)
{
    rt_playbook_scratch_t *one;

    pthread_mutex_lock(&playbooks->lock);
    one = playbooks->scratches;

    if (one != NULL) {
        playbooks->scratches = one->next;
        playbooks->scratches_count--;
    }

    pthread_mutex_unlock(&playbooks->lock);

    if (one != NULL) {
        return one;
    }

    one = calloc(1, sizeof(rt_playbook_scratch_t));
    if (one == NULL) {
        return NULL;
    }

    one->scratch = rt_faq_scratch_create();
    if (one->scratch == NULL) {
        free(one);
        return NULL;
    }

    return one;
}


static void
rt_playbook_scratch_give(rt_playbooks_t *playbooks, rt_playbook_scratch_t *one)
{
    pthread_mutex_lock(&playbooks->lock);

    if (playbooks->scratches_count < RT_SCRATCHES_KEPT) {
        one->next = playbooks->scratches;
        playbooks->scratches = one;
        playbooks->scratches_count++;
        one = NULL;
    }

    pthread_mutex_unlock(&playbooks->lock);

    if (one != NULL) {
        rt_playbook_scratch_free(one);
    }
}


rt_status_t
rt_playbook_match(rt_core_t *core, const rt_playbook_t *playbook, rt_str_t message,
    rt_faq_candidate_t *out, size_t max, size_t *count)
{
    rt_status_t            status;
    rt_playbook_scratch_t *one;

    *count = 0;

    if (playbook->faqs_count == 0) {
        return RT_OK;
    }

    one = rt_playbook_scratch_take(core->playbooks);
    if (one == NULL) {
        return RT_NO_MEMORY;
    }

    status = rt_faq_match(playbook->index, one->scratch, message, out, max, count);
    rt_playbook_scratch_give(core->playbooks, one);

    return status;
}
