#ifndef DROVER_TESTS_MEMORY_H
#define DROVER_TESTS_MEMORY_H

/* Bytes that the program holds by malloc. Not what the system gives it: a sanitizer keeps what was
 * freed, how much depends on its version. */

#include <malloc.h>
#include <stddef.h>

/* sanitizer/common_interface_defs.h has it; there only in a sanitized program. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static inline size_t memory_held(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

#endif
