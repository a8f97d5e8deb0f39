/* Connection counts over all workers, in a shared zone that outlives reloads.
 *
 * Every worker owns a slot and changes only what is its own, with single atomic writes: no lock, so
 * none can be left behind by a crash. A slot belongs to a process (pid and start time); when that
 * is gone what it counted is passed over at once, and cleared by the worker that takes the slot.
 *
 * Users are counted in one table of 64-bit entries: 40 bits of a keyed hash, the slot, a count. All
 * entries of a user lie within a window after the user's place, whoever made them. Another user is
 * taken for the same when place and hash agree (58 bits). A user whose window is full is not
 * counted, which takes tens of thousands of users to happen; the log tells.
 *
 * Counts are added first and then compared: two workers that take the last place at once may both
 * refuse, but never both accept. Two generations of a binary upgrade (USR2) count apart. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <sys/random.h>

#include "ngx_realtime_limits_table.h"


static ngx_int_t  ngx_realtime_limits_init_zone(ngx_shm_zone_t *zone, void *data);
static ngx_int_t  ngx_realtime_limits_claim(ngx_uint_t index, uint64_t self);
static void       ngx_realtime_limits_clear(ngx_uint_t index);
static ngx_uint_t ngx_realtime_limits_runs(uint64_t owner);
static ngx_int_t  ngx_realtime_limits_process(ngx_pid_t pid, u_char *state, uint64_t *start);


ngx_realtime_limits_state_t ngx_realtime_limits;


ngx_int_t
ngx_realtime_limits_configure(ngx_conf_t *cf, ngx_realtime_main_conf_t *mcf)
{
    size_t          size;
    ngx_str_t       name;
    ngx_shm_zone_t *zone;

    ngx_str_set(&name, "realtime_limits");

    /* The table, and the slab's own pages. */
    size =
        ngx_align(sizeof(ngx_realtime_limits_table_t) + 64 * 1024, ngx_pagesize) + 8 * ngx_pagesize;

    zone = ngx_shared_memory_add(cf, &name, size, &ngx_http_realtime_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_realtime_limits_init_zone;
    mcf->zone = zone;

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_limits_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t             *pool;
    ngx_realtime_limits_table_t *table;

    if (data != NULL) {
        zone->data = data;
        return NGX_OK;
    }

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    /* A new zone is all zeros, and pages that are never written to take no memory: so the users'
     * table is not cleared here. */

    table = ngx_slab_alloc(pool, sizeof(ngx_realtime_limits_table_t));
    if (table == NULL) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "no memory in zone \"%V\"", &zone->shm.name);
        return NGX_ERROR;
    }

#if (NGX_DEBUG_MALLOC)
    ngx_memzero(table, sizeof(ngx_realtime_limits_table_t));
#endif

    if (getrandom(table->key, sizeof(table->key), 0) != (ssize_t) sizeof(table->key)) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, ngx_errno, "getrandom() failed");
        return NGX_ERROR;
    }

    pool->data = table;
    zone->data = table;

    return NGX_OK;
}


ngx_int_t
ngx_realtime_limits_init(ngx_realtime_worker_t *worker)
{
    u_char                       state;
    uint64_t                     start;
    ngx_uint_t                   i;
    ngx_realtime_limits_state_t *limits;

    limits = &ngx_realtime_limits;

    ngx_memzero(limits, sizeof(ngx_realtime_limits_state_t));
    limits->table = worker->conf->zone->data;
    limits->log = worker->log;
    limits->looked = ngx_current_msec;

    if (ngx_realtime_limits_process(ngx_pid, &state, &start) != NGX_OK) {
        start = 0; /* without /proc the pid alone has to do */
    }

    for (i = 0; i < NGX_REALTIME_LIMITS_SLOTS; i++) {
        if (ngx_realtime_limits_claim(i, (uint64_t) ngx_pid << 32 | (start & 0xffffffff)) == NGX_OK)
        {
            return NGX_OK;
        }
    }

    ngx_log_error(NGX_LOG_ERR, limits->log, 0,
        "connections of this worker are not counted: %d others are running",
        NGX_REALTIME_LIMITS_SLOTS);

    return NGX_OK;
}


static ngx_int_t
ngx_realtime_limits_claim(ngx_uint_t index, uint64_t self)
{
    uint64_t                     owner, top;
    ngx_realtime_limits_slot_t  *slot;
    ngx_realtime_limits_state_t *limits;

    limits = &ngx_realtime_limits;
    slot = &limits->table->slots[index];
    owner = ngx_realtime_limits_load(&slot->owner);

    if (owner != 0 && ngx_realtime_limits_alive(index)) {
        return NGX_DECLINED;
    }

    if (!__atomic_compare_exchange_n(&slot->owner, &owner, self, 0, __ATOMIC_SEQ_CST,
            __ATOMIC_SEQ_CST)) {
        return NGX_DECLINED;
    }

    limits->slot = slot;
    limits->index = index;
    ngx_realtime_limits_clear(index);

    top = ngx_realtime_limits_load(&limits->table->top);

    while (top < index + 1
        && !__atomic_compare_exchange_n(&limits->table->top, &top, index + 1, 0, __ATOMIC_SEQ_CST,
            __ATOMIC_SEQ_CST))
    {
        /* top is what another worker has made of it */
    }

    return NGX_OK;
}


void
ngx_realtime_limits_exit(ngx_realtime_worker_t *worker)
{
    ngx_realtime_limits_state_t *limits;

    limits = &ngx_realtime_limits;

    if (limits->slot == NULL) {
        return;
    }

    ngx_realtime_limits_clear(limits->index);
    ngx_realtime_limits_store(&limits->slot->owner, 0);
    limits->slot = NULL;
}


/* Of a slot that this worker owns. */
static void
ngx_realtime_limits_clear(ngx_uint_t index)
{
    uint64_t                     entry;
    ngx_uint_t                   i;
    ngx_realtime_limits_slot_t  *slot;
    ngx_realtime_limits_table_t *table;

    table = ngx_realtime_limits.table;
    slot = &table->slots[index];

    ngx_realtime_limits_store(&slot->connections, 0);

    if (ngx_realtime_limits_load(&slot->users) == 0) {
        return;
    }

    for (i = 0; i < NGX_REALTIME_LIMITS_ENTRIES; i++) {
        entry = ngx_realtime_limits_load(&table->users[i]);

        if (entry != 0 && ngx_realtime_limits_slot(entry) == index) {
            /* Fails when another worker has just taken the place of a dead one's entry. */
            (void) __atomic_compare_exchange_n(&table->users[i], &entry, 0, 0, __ATOMIC_SEQ_CST,
                __ATOMIC_SEQ_CST);
        }
    }

    ngx_realtime_limits_store(&slot->users, 0);
}


ngx_int_t
ngx_realtime_limits_connection_add(ngx_uint_t max)
{
    ngx_realtime_limits_slot_t *slot;

    slot = ngx_realtime_limits.slot;

    if (slot == NULL) {
        return NGX_OK;
    }

    (void) __atomic_add_fetch(&slot->connections, 1, __ATOMIC_SEQ_CST);

    if (max == 0 || ngx_realtime_limits_connections() <= max) {
        return NGX_OK;
    }

    if (ngx_realtime_limits_look_again(NGX_REALTIME_LIMITS_DOUBT_MS)
        && ngx_realtime_limits_connections() <= max)
    {
        return NGX_OK;
    }

    (void) __atomic_sub_fetch(&slot->connections, 1, __ATOMIC_SEQ_CST);

    return NGX_BUSY;
}


void
ngx_realtime_limits_connection_remove(void)
{
    ngx_realtime_limits_slot_t *slot;

    slot = ngx_realtime_limits.slot;

    if (slot != NULL && ngx_realtime_limits_load(&slot->connections) != 0) {
        (void) __atomic_sub_fetch(&slot->connections, 1, __ATOMIC_SEQ_CST);
    }
}


ngx_uint_t
ngx_realtime_limits_connections(void)
{
    uint64_t                     sum;
    ngx_uint_t                   i, top;
    ngx_realtime_limits_table_t *table;

    table = ngx_realtime_limits.table;

    if (table == NULL) {
        return 0;
    }

    (void) ngx_realtime_limits_look_again(NGX_REALTIME_LIMITS_FRESH_MS);

    sum = 0;
    top = (ngx_uint_t) ngx_realtime_limits_load(&table->top);

    for (i = 0; i < top; i++) {
        if (ngx_realtime_limits_alive(i)) {
            sum += ngx_realtime_limits_load(&table->slots[i].connections);
        }
    }

    return (ngx_uint_t) sum;
}


ngx_uint_t
ngx_realtime_limits_alive(ngx_uint_t index)
{
    uint64_t                     owner;
    ngx_realtime_limits_state_t *limits;

    limits = &ngx_realtime_limits;

    if (limits->slot != NULL && index == limits->index) {
        return 1;
    }

    owner = ngx_realtime_limits_load(&limits->table->slots[index].owner);

    if (owner == 0 || owner == limits->dead[index]) {
        return 0;
    }

    if (owner == limits->alive[index]) {
        return 1;
    }

    if (ngx_realtime_limits_runs(owner)) {
        limits->alive[index] = owner;
        return 1;
    }

    limits->dead[index] = owner;

    return 0;
}


ngx_uint_t
ngx_realtime_limits_look_again(ngx_msec_t age)
{
    ngx_realtime_limits_state_t *limits;

    limits = &ngx_realtime_limits;

    if (ngx_current_msec - limits->looked < age) {
        return 0;
    }

    limits->looked = ngx_current_msec;
    ngx_memzero(limits->alive, sizeof(limits->alive));

    return 1;
}


static ngx_uint_t
ngx_realtime_limits_runs(uint64_t owner)
{
    u_char    state;
    uint64_t  start;
    ngx_pid_t pid;

    pid = (ngx_pid_t) (owner >> 32);

    if (kill(pid, 0) == -1 && ngx_errno == NGX_ESRCH) {
        return 0;
    }

    if (ngx_realtime_limits_process(pid, &state, &start) != NGX_OK) {
        return 1;
    }

    if (state == 'Z' || state == 'X') {
        return 0; /* dead, and its parent has not asked yet */
    }

    /* Another process may have got the pid. */
    return (owner & 0xffffffff) == 0 || (owner & 0xffffffff) == (start & 0xffffffff);
}


/* State and start time (clock ticks since boot) of a process: fields 3 and 22 of /proc/PID/stat. */
static ngx_int_t
ngx_realtime_limits_process(ngx_pid_t pid, u_char *state, uint64_t *start)
{
    u_char     path[sizeof("/proc//stat") + NGX_INT64_LEN], text[1024], *p;
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_uint_t field;

    *ngx_sprintf(path, "/proc/%P/stat", pid) = '\0';

    fd = ngx_open_file(path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, text, sizeof(text) - 1);
    (void) ngx_close_file(fd);

    if (n <= 0) {
        return NGX_ERROR;
    }

    text[n] = '\0';

    /* The name (field 2) is in parentheses and may hold anything. */

    p = (u_char *) strrchr((char *) text, ')');
    if (p == NULL || p[1] != ' ') {
        return NGX_ERROR;
    }

    p += 2;
    *state = *p;

    for (field = 3; field < 22; field++) {
        p = (u_char *) strchr((char *) p, ' ');
        if (p == NULL) {
            return NGX_ERROR;
        }

        p++;
    }

    *start = strtoull((char *) p, NULL, 10);

    return NGX_OK;
}
