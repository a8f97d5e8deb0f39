/* MessagePack by msgpack-c, from and to JSON: binary becomes attachments, as in Socket.IO. */

#ifndef RT_MSGPACK_H
#define RT_MSGPACK_H

#include <jansson.h>
#include <rt/rt_base.h>


#define RT_MSGPACK_DEPTH_MAX  32    /* of msgpack-c's own stack */
#define RT_MSGPACK_VALUES_MAX 65536 /* 48 bytes each while they are unpacked */

/* Whether the bytes are one value, by its headers alone: nothing is allocated. A count that the
 * bytes left can't hold is RT_INVALID, as are values that are too many or too deep. */
rt_status_t rt_msgpack_check(rt_str_t bytes, rt_error_t *error);

/* One value that fills bytes, as JSON. What JSON has no word for becomes what JSON.stringify()
 * makes of it in JavaScript: times are texts, numbers that are none are null; binary is
 * {"_placeholder":true,"num":n}.
 *
 * out          a new reference, set only on RT_OK
 * attachments  the binary parts in the order of their placeholders, in arena; *count of them
 * returns      RT_OK, RT_INVALID (also for more than `max` attachments), RT_NO_MEMORY */
rt_status_t rt_msgpack_decode(rt_arena_t *arena, rt_str_t bytes, json_t **out,
    rt_str_t **attachments, size_t *count, size_t max, rt_error_t *error);

/* The number of the attachment that value stands for, or -1: it is no placeholder of `count`. */
int64_t rt_msgpack_placeholder(const json_t *value, size_t count);

/* Append to buf; without memory buf->failed is set. Placeholders of attachments become binary. */
void rt_msgpack_put(rt_buf_t *buf, const json_t *value, const rt_str_t *attachments, size_t count);
void rt_msgpack_put_str(rt_buf_t *buf, rt_str_t s);
void rt_msgpack_put_int(rt_buf_t *buf, int64_t n);
void rt_msgpack_put_array(rt_buf_t *buf, size_t count); /* then so many values */
void rt_msgpack_put_map(rt_buf_t *buf, size_t count);   /* then so many keys and values */

#endif
