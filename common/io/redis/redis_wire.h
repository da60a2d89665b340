#ifndef DROVER_IO_REDIS_WIRE_H
#define DROVER_IO_REDIS_WIRE_H

/* Commands as Redis reads them: words with their lengths, so that any byte may stand in one. (The
 * printf-like ways of hiredis end a word at its first NUL.) */

#include <stdint.h>

#include "common/base/buf.h"

/* Then that many words. */
void redis_wire_begin(struct buf *out, size_t words);
void redis_wire_word(struct buf *out, struct bytes word);
void redis_wire_text(struct buf *out, const char *word);
void redis_wire_number(struct buf *out, int64_t number);
/* A whole command of `count` texts. */
void redis_wire_command(struct buf *out, size_t count, const char *const *words);

#endif
