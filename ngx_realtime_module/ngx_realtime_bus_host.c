/* Which host this is. */

#include "ngx_realtime_bus.h"

#include <rt/rt_text.h>


ngx_int_t
ngx_realtime_bus_host(ngx_str_t *dir, uint64_t *host, ngx_log_t *log)
{
    size_t          len;
    ssize_t         n;
    u_char          text[256];
    uint8_t         digest[RT_SHA256_LEN];
    ngx_fd_t        fd;
    ngx_file_info_t info;

    if (ngx_file_info(dir->data, &info) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno, ngx_file_info_n " \"%V\" failed", dir);
        return NGX_ERROR;
    }

    len = 0;
    fd = ngx_open_file("/proc/sys/kernel/random/boot_id", NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd != NGX_INVALID_FILE) {
        n = ngx_read_fd(fd, text, 64);
        len = n > 0 ? (size_t) n : 0;
        (void) ngx_close_file(fd);
    }

    if (len == 0 && gethostname((char *) text, 64) == 0) {
        len = strnlen((char *) text, 64);
    }

    len = ngx_snprintf(text + len, sizeof(text) - len, "%uL:%uL", (uint64_t) info.st_dev,
              (uint64_t) info.st_ino)
        - text;

    if (rt_sha256(digest, (rt_str_t){(char *) text, len}) != RT_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(host, digest, sizeof(uint64_t));

    return NGX_OK;
}
