#ifndef DROVER_BASE_PLURAL_H
#define DROVER_BASE_PLURAL_H

/* A counted word in its right form: "%zu row%s". */

#include <stdint.h>

/* "" of one, else "s". */
const char *plural_end(uint64_t count);

#endif
