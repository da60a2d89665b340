/* See the header. */
#include "common/base/plural.h"

const char *plural_end(uint64_t count)
{
    return count == 1 ? "" : "s";
}
