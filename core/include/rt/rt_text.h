/* Ids, times, UTF-8, digests: small facts about text. All functions are thread-safe. */

#ifndef RT_TEXT_H
#define RT_TEXT_H

#include <rt/rt_base.h>


#define RT_ID_LEN 24 /* hex characters */

/* A new document id: 24 hex digits in MongoDB ObjectId's layout (4 bytes of seconds, 5 random
 * bytes of the process, 3 bytes of a counter), so that ids made by one process sort by time, also
 * within a second. Fork-safe: a child draws new random bytes. out gets 25 bytes with the NUL. */
void rt_id_make(char out[RT_ID_LEN + 1]);

/* 1 when s is 24 hex digits (either case). */
int rt_id_valid(rt_str_t s);

/* Milliseconds since 1970-01-01 UTC, CLOCK_REALTIME. */
int64_t rt_time_now_ms(void);

#define RT_TIME_LEN 24 /* "2026-11-22T13:56:01.123Z" */

/* Years 0000…9999; outside them the nearest end. out gets 25 bytes with the NUL. */
void rt_time_format(char out[RT_TIME_LEN + 1], int64_t time_ms);

/* Parses what rt_time_format writes, also without fraction and with an offset ("+02:00").
 * RT_INVALID otherwise. */
rt_status_t rt_time_parse(rt_str_t s, int64_t *time_ms);

/* 1 when all of s is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
int rt_utf8_valid(rt_str_t s);

/* The number of code points; s must be valid. */
size_t rt_utf8_length(rt_str_t s);

/* 1 when s is valid UTF-8 that holds at least one character that is neither white space (Unicode
 * White_Space) nor a format character that shows nothing (U+200B…U+200F, U+2060, U+FEFF). */
int rt_utf8_has_content(rt_str_t s);

/* Fills bytes from the kernel's random generator. RT_ERROR when there is none. */
rt_status_t rt_random(void *out, size_t bytes);

#define RT_HEX_LEN(bytes) (2 * (bytes))
void rt_hex(char *out, const void *data, size_t bytes); /* lower case, no NUL */

/* base64url without padding (RFC 4648, 5). Returns the length written; out holds
 * (bytes * 4 + 2) / 3. */
size_t rt_base64url(char *out, const void *data, size_t bytes);

#define RT_SHA256_LEN 32
rt_status_t rt_sha256(uint8_t out[RT_SHA256_LEN], rt_str_t data);
rt_status_t rt_hmac_sha256(uint8_t out[RT_SHA256_LEN], rt_str_t key, rt_str_t data);
rt_status_t rt_sha1(uint8_t out[20], rt_str_t data); /* only for Sec-WebSocket-Accept */

/* Standard base64 with padding. Returns the length written: 4 * ((bytes + 2) / 3). */
size_t rt_base64(char *out, const void *data, size_t bytes);

/* Decodes standard or URL alphabet, padding optional, whitespace refused; out may be the input's
 * own memory (decoding shrinks) and holds s.len / 4 * 3 + 2 bytes. Bits that no byte needs at the
 * end are ignored, as Node does, so two texts may decode to the same bytes. RT_INVALID on anything
 * else. */
rt_status_t rt_base64_decode(void *out, size_t *out_len, rt_str_t s);

#endif
