/* Document ids in MongoDB ObjectId's layout.
 *
 * Two words of state, each changed by compare-and-swap, so that no lock is ever held across a
 * fork: the process's five random bytes with the pid that drew them, and the last seconds with
 * their counter. The second is one growing number: a clock that is set back, or more than 2^24
 * ids in a second, makes ids run ahead of the clock, never repeat or fall behind. */

#include <rt/rt_text.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>


#define RT_ID_RANDOM_BITS  40
#define RT_ID_COUNTER_BITS 24


static uint64_t rt_id_process(void);
static uint64_t rt_id_count(void);


static _Atomic uint64_t rt_id_process_state; /* pid << 40 | random; 0: none yet */
static _Atomic uint64_t rt_id_count_state;   /* seconds << 24 | counter */


void
rt_id_make(char out[RT_ID_LEN + 1])
{
    int      i;
    uint8_t  bytes[RT_ID_LEN / 2];
    uint64_t process, count;

    process = rt_id_process();
    count = rt_id_count();

    for (i = 0; i < 4; i++) {
        bytes[i] = (uint8_t) (count >> (RT_ID_COUNTER_BITS + 24 - 8 * i));
    }

    for (i = 0; i < 5; i++) {
        bytes[4 + i] = (uint8_t) (process >> (32 - 8 * i));
    }

    for (i = 0; i < 3; i++) {
        bytes[9 + i] = (uint8_t) (count >> (16 - 8 * i));
    }

    rt_hex(out, bytes, sizeof(bytes));
    out[RT_ID_LEN] = '\0';
}


int
rt_id_valid(rt_str_t s)
{
    size_t i;
    char   c;

    if (s.len != RT_ID_LEN) {
        return 0;
    }

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
            return 0;
        }
    }

    return 1;
}


/* The random part, drawn by the first call in each process. */
static uint64_t
rt_id_process(void)
{
    uint64_t pid, state, fresh;

    pid = (uint64_t) getpid();
    state = atomic_load(&rt_id_process_state);

    while (state >> RT_ID_RANDOM_BITS != pid) {
        fresh = 0;

        if (rt_random(&fresh, RT_ID_RANDOM_BITS / 8) != RT_OK) {
            /* No generator: pid and clock still tell processes of one host apart. */
            fresh = (uint64_t) rt_time_now_ms() * 0x9e3779b97f4a7c15u ^ pid;
        }

        fresh &= ((uint64_t) 1 << RT_ID_RANDOM_BITS) - 1;
        fresh |= pid << RT_ID_RANDOM_BITS;

        if (atomic_compare_exchange_strong(&rt_id_process_state, &state, fresh)) {
            state = fresh;
        }
    }

    return state;
}


static uint64_t
rt_id_count(void)
{
    uint64_t now, last, next;

    now = (uint64_t) (rt_time_now_ms() / 1000) << RT_ID_COUNTER_BITS;
    last = atomic_load(&rt_id_count_state);

    do {
        next = (now > last) ? now : last + 1;
    } while (!atomic_compare_exchange_weak(&rt_id_count_state, &last, next));

    return next;
}
