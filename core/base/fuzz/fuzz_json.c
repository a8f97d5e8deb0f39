/* Fuzzing of JSON at the border, and of the small readers of text beside it. What was taken must
 * come back the same from its own dump; what was refused must leave no value. */

#include <rt/rt_json.h>
#include <rt/rt_text.h>
#include <stdlib.h>


int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
rt_fuzz_check(int fact)
{
    if (!fact) {
        abort();
    }
}


static void
rt_fuzz_json(rt_str_t text)
{
    json_t     *value, *again;
    rt_buf_t    buf = {0};
    rt_error_t  error;
    rt_status_t status;

    status = rt_json_parse(text, &value, &error);
    rt_fuzz_check(status == RT_OK || (error.status == status && error.text[0] != '\0'));
    rt_fuzz_check(status == RT_OK || status == RT_DECLINED || value == NULL);

    if (value != NULL) {
        rt_fuzz_check(rt_json_dump(value, &buf) == RT_OK);
        rt_fuzz_check(rt_utf8_valid((rt_str_t){buf.data, buf.len}));
        rt_fuzz_check(rt_json_parse((rt_str_t){buf.data, buf.len}, &again, NULL) == RT_OK);
        rt_fuzz_check(json_equal(value, again));
        json_decref(again);
    }

    json_decref(value);
    rt_buf_free(&buf);
}


/* Any UTF-8 text survives the way through a JSON string. */
static void
rt_fuzz_string(rt_str_t text)
{
    size_t   i;
    json_t  *value;
    rt_buf_t buf = {0};

    if (!rt_utf8_valid(text)) {
        rt_fuzz_check(!rt_utf8_has_content(text));
        return;
    }

    for (i = 0; i < text.len; i++) {
        if (text.data[i] == '\0') { /* declined on the way back */
            return;
        }
    }

    rt_buf_append_json_string(&buf, text);
    rt_fuzz_check(rt_json_parse((rt_str_t){buf.data, buf.len}, &value, NULL) == RT_OK);
    rt_fuzz_check(rt_str_eq((rt_str_t){json_string_value(value), json_string_length(value)}, text));

    json_decref(value);
    rt_buf_free(&buf);
}


static void
rt_fuzz_text(rt_str_t text)
{
    char    time[RT_TIME_LEN + 1], line[100];
    size_t  len, len_again;
    int64_t ms, ms_again;
    char   *bytes, *encoded;

    rt_fuzz_check(rt_utf8_valid(rt_str_c(rt_log_escape(line, sizeof(line), text))));

    if (rt_time_parse(text, &ms) == RT_OK) {
        rt_time_format(time, ms);
        rt_fuzz_check(rt_time_parse(rt_str_c(time), &ms_again) == RT_OK);
    }

    bytes = malloc(text.len / 4 * 3 + 2);
    encoded = malloc(text.len + 4);
    rt_fuzz_check(bytes != NULL && encoded != NULL);

    if (rt_base64_decode(bytes, &len, text) == RT_OK) {
        len_again = rt_base64(encoded, bytes, len);
        rt_fuzz_check(len_again >= text.len && len_again <= text.len + 3);
        rt_fuzz_check(
            rt_base64_decode(encoded, &len_again, (rt_str_t){encoded, len_again}) == RT_OK);
        rt_fuzz_check(rt_str_eq((rt_str_t){encoded, len_again}, (rt_str_t){bytes, len}));
    }

    free(bytes);
    free(encoded);
}


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;

    rt_json_init();

    return 0;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rt_str_t text;

    text = (rt_str_t){(const char *) data, size};

    rt_fuzz_json(text);
    rt_fuzz_string(text);
    rt_fuzz_text(text);

    return 0;
}
