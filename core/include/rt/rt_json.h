/* JSON at the border: jansson with the limits that we promise. Thread-safe: values belong to one
 * thread at a time. */

#ifndef RT_JSON_H
#define RT_JSON_H

#include <jansson.h>
#include <rt/rt_base.h>


#define RT_JSON_DEPTH_MAX 64

/* Elements, members, and the values that hold them. An empty object is 3 bytes as text and 240 in
 * memory: this bounds what one document may cost to about 16 MB beside its text. */
#define RT_JSON_VALUES_MAX 65536

/* Call once per process before any thread (seeds jansson's hash). */
void rt_json_init(void);

/* Parses one JSON value of any type that fills text (white space around it is fine).
 *
 * returns  RT_OK: *out is a new reference.
 *          RT_DECLINED: well-formed JSON (RFC 8259) that we do not take: an unpaired surrogate
 *          escape, \u0000, nesting over RT_JSON_DEPTH_MAX, more than RT_JSON_VALUES_MAX values, a
 *          number out of double's range. *out is then the value with U+FFFD in place of such
 *          characters and numbers as null, or NULL when it is too deep or holds too many values
 *          (of such a text only the brackets' balance is checked): only for finding out which
 *          event to answer.
 *          RT_INVALID: not JSON, or not UTF-8. RT_NO_MEMORY.
 * Integers beyond int64 become reals. Duplicate keys: the last one wins, as in JavaScript. */
rt_status_t rt_json_parse(rt_str_t text, json_t **out, rt_error_t *error);

/* Compact text of any value, appended to buf; reals with the fewest digits (15…17) from which all
 * of the value's reals can be read back. RT_NO_MEMORY on failure, also when value is NULL; buf->len
 * is then as before. */
rt_status_t rt_json_dump(const json_t *value, rt_buf_t *buf);

/* Borrowed text of a string member; rt_str_null when absent or not a string. */
rt_str_t rt_json_get_str(const json_t *object, const char *key);

/* Sets a string member from counted text; 0 or -1 as json_object_set_new. */
int rt_json_set_str(json_t *object, const char *key, rt_str_t value);

/* Append to JSON text: a string, or null when it is empty; a time (milliseconds since 1970) as a
 * string; the same, but null for 0. Without memory buf->failed is set, as of all appends. */
void rt_json_put_text(rt_buf_t *buf, rt_str_t s);
void rt_json_put_time(rt_buf_t *buf, int64_t time_ms);
void rt_json_put_time_or_null(rt_buf_t *buf, int64_t time_ms);

#endif
