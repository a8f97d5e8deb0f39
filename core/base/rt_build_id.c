/* The fingerprint of the sources that this library was built from. */

#include <rt/rt_call.h>

#include "rt_build_id.h"


const char *
rt_build_id(void)
{
    return RT_BUILD_ID;
}
