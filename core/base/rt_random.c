/* Bytes from the kernel's random generator. */

#include <errno.h>
#include <rt/rt_text.h>
#include <sys/random.h>


rt_status_t
rt_random(void *out, size_t bytes)
{
    char   *p;
    ssize_t n;

    p = out;

    while (bytes > 0) {
        n = getrandom(p, bytes, 0);

        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }

            return RT_ERROR;
        }

        p += n;
        bytes -= (size_t) n;
    }

    return RT_OK;
}
