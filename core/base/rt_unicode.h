/* Private to the core: one code point at a time. */

#ifndef RT_UNICODE_H
#define RT_UNICODE_H

#include <stddef.h>
#include <stdint.h>


#define RT_UTF8_BAD       (-1) /* the bytes at *pos are not UTF-8; *pos is unchanged */
#define RT_UTF8_TRUNCATED (-2) /* as RT_UTF8_BAD, but more bytes could have made it good */

/* Reads the code point at *pos, which must be before end, and moves *pos behind it (RFC 3629).
 * Thread-safe. */
int32_t rt__utf8_next(const char **pos, const char *end);

/* The length of the longest start of data[0…len) that does not cut a character. Only the last
 * three bytes are looked at; what is broken for another reason is left for the caller. */
size_t rt__utf8_cut(const char *data, size_t len);

#endif
