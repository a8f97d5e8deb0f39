/* The memory of matching: made once per thread, grown when a larger index is met. */

#include "faq/rt_faq_scratch.h"

#include <stdlib.h>
#include <string.h>


static int rt_faq_scratch_array(void **array, size_t items, size_t item_bytes);


rt_faq_scratch_t *
rt_faq_scratch_create(void)
{
    return calloc(1, sizeof(rt_faq_scratch_t));
}


void
rt_faq_scratch_destroy(rt_faq_scratch_t *scratch)
{
    if (scratch == NULL) {
        return;
    }

    rt__faq_reader_clear(&scratch->reader);
    free(scratch->fit);
    free(scratch->order);
    free(scratch->overlap);
    free(scratch->stamp);
    free(scratch);
}


rt_status_t
rt__faq_scratch_reader(rt_faq_scratch_t *scratch)
{
    rt_status_t status;

    if (scratch->reader.breaks != NULL) {
        return RT_OK;
    }

    status = rt__faq_reader_init(&scratch->reader);
    if (status != RT_OK) {
        rt__faq_reader_clear(&scratch->reader);
    }

    return status;
}


rt_status_t
rt__faq_scratch_fit(rt_faq_scratch_t *scratch, const rt_faq_index_t *index)
{
    size_t      i;
    rt_status_t status;

    status = rt__faq_scratch_reader(scratch);
    if (status != RT_OK) {
        return status;
    }

    for (i = 1; i < index->languages; i++) {
        if (rt__faq_reader_language(&scratch->reader, i, index->language[i]) != RT_OK) {
            return RT_NO_MEMORY; /* the index had it: only memory can be missing */
        }
    }

    if (index->faqs > scratch->faqs_size) {
        scratch->faqs_size = 0;

        if (rt_faq_scratch_array((void **) &scratch->fit, index->faqs, sizeof(rt_faq_fit_t)) != 0
            || rt_faq_scratch_array((void **) &scratch->order, index->faqs, sizeof(uint32_t)) != 0)
        {
            return RT_NO_MEMORY;
        }

        scratch->faqs_size = index->faqs;
    }

    if (index->phrases > scratch->phrases_size) {
        scratch->phrases_size = 0;

        if (rt_faq_scratch_array((void **) &scratch->overlap, index->phrases, sizeof(float)) != 0
            || rt_faq_scratch_array((void **) &scratch->stamp, index->phrases, sizeof(uint32_t))
                != 0)
        {
            return RT_NO_MEMORY;
        }

        scratch->phrases_size = index->phrases;
    }

    return RT_OK;
}


static int
rt_faq_scratch_array(void **array, size_t items, size_t item_bytes)
{
    void *bigger;

    bigger = realloc(*array, items * item_bytes);
    if (bigger == NULL) {
        return -1;
    }

    *array = bigger;

    return 0;
}
