/* Tokens that were verified: who asks again with the same one is known by comparing it.
 *
 * A table of rows of a few slots, each with one token. The row follows from the signature's end,
 * which only who has the key can choose; in a full one the tokens are replaced in turn. What is
 * compared is the whole token, in constant time. */

#include <openssl/crypto.h>
#include <rt/rt_token.h>
#include <stdlib.h>
#include <string.h>


#define RT_TOKEN_ROWS       256
#define RT_TOKEN_SLOTS      4    /* of a row */
#define RT_TOKEN_CACHED_MAX 2048 /* longer ones are verified each time: 2 MB at most are kept */
#define RT_TOKEN_HASHED     16


typedef struct {
    const rt_key_t *key;
    int64_t         leeway_ms;
    rt_identity_t  *identity; /* NULL: the slot is free */
    char           *token;
    size_t          len;
} rt_token_slot_t;

typedef struct {
    rt_token_slot_t slots[RT_TOKEN_SLOTS];
    size_t          next; /* to be filled */
} rt_token_row_t;

struct rt_token_cache_s {
    rt_token_row_t rows[RT_TOKEN_ROWS];
};


rt_token_cache_t *
rt_token_cache_create(void)
{
    return calloc(1, sizeof(rt_token_cache_t));
}


static void
rt_token_slot_clear(rt_token_slot_t *slot)
{
    if (slot->identity == NULL) {
        return;
    }

    OPENSSL_cleanse(slot->token, slot->len);
    free(slot->token);
    rt_identity_put(slot->identity);
    memset(slot, 0, sizeof(rt_token_slot_t));
}


void
rt_token_cache_destroy(rt_token_cache_t *cache)
{
    size_t i;

    if (cache == NULL) {
        return;
    }

    for (i = 0; i < RT_TOKEN_ROWS * RT_TOKEN_SLOTS; i++) {
        rt_token_slot_clear(&cache->rows[i / RT_TOKEN_SLOTS].slots[i % RT_TOKEN_SLOTS]);
    }

    free(cache);
}


static rt_token_row_t *
rt_token_cache_row(rt_token_cache_t *cache, rt_str_t token)
{
    size_t i, hash;

    hash = 0;

    for (i = token.len - RT_TOKEN_HASHED; i < token.len; i++) {
        hash = hash * 31 + (unsigned char) token.data[i];
    }

    return &cache->rows[hash % RT_TOKEN_ROWS];
}


/* Without memory it is not kept, which costs time only. */
static void
rt_token_row_fill(rt_token_row_t *row, const rt_key_t *key, rt_str_t token, int64_t leeway_ms,
    rt_identity_t *identity)
{
    char            *copy;
    rt_token_slot_t *slot;

    copy = malloc(token.len);
    if (copy == NULL) {
        return;
    }

    slot = &row->slots[row->next];
    row->next = (row->next + 1) % RT_TOKEN_SLOTS;
    rt_token_slot_clear(slot);
    memcpy(copy, token.data, token.len);
    *slot = (rt_token_slot_t){key, leeway_ms, rt_identity_get(identity), copy, token.len};
}


rt_status_t
rt_token_cache_verify(rt_token_cache_t *cache, const rt_key_t *key, rt_str_t token, int64_t now_ms,
    int64_t leeway_ms, rt_identity_t **out, rt_error_t *error)
{
    size_t           i;
    rt_status_t      status;
    rt_token_row_t  *row;
    rt_token_slot_t *slot;

    if (token.len < RT_TOKEN_HASHED || token.len > RT_TOKEN_CACHED_MAX) {
        return rt_token_verify(key, token, now_ms, leeway_ms, out, error);
    }

    row = rt_token_cache_row(cache, token);

    for (i = 0; i < RT_TOKEN_SLOTS; i++) {
        slot = &row->slots[i];

        if (slot->identity != NULL && slot->key == key && slot->leeway_ms == leeway_ms
            && slot->len == token.len && CRYPTO_memcmp(slot->token, token.data, token.len) == 0
            && now_ms < slot->identity->expires_at_ms)
        {
            *out = rt_identity_get(slot->identity);
            return RT_OK;
        }
    }

    status = rt_token_verify(key, token, now_ms, leeway_ms, out, error);

    if (status == RT_OK) {
        rt_token_row_fill(row, key, token, leeway_ms, *out);
    }

    return status;
}
