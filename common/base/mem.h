#ifndef DROVER_BASE_MEM_H
#define DROVER_BASE_MEM_H

/*
 * Small memory, of which the process needs what it asks for whatever it reads: without it there is
 * no going on, so these abort instead of failing. What was not committed is read again. What input
 * may make large comes from an arena or a buf, which have limits.
 *
 * All of it is the caller's, who frees it with free().
 */

#include <stddef.h>

#include "common/base/attributes.h"

/* What somebody else's function made of memory; never NULL. */
void *mem_sure(void *memory);
/* Zeroes. */
MUST_USE void *mem_new(size_t size);
/* `count` zeroed items of `size` bytes; never NULL, also of none. */
MUST_USE void *mem_zeroed(size_t count, size_t size);
/* Not zeroed. */
MUST_USE void *mem_alloc(size_t size);
/* `old` (which may be NULL) with room for `count` items; what is new of it is not zeroed. */
MUST_USE void *mem_resize(void *old, size_t count, size_t size);
/* Room for `wanted` items in an array that is full at *room: twice as many when it has to move. */
MUST_USE void *mem_grown(void *items, size_t *room, size_t wanted, size_t size);
/* A copy with its NUL: of a whole text, of `size` bytes. */
MUST_USE char *mem_text(const char *text);
MUST_USE char *mem_text_part(const char *text, size_t size);
/* A new text of any length. */
MUST_USE char *mem_format(const char *format, ...) PRINTF_LIKE(1, 2);

/* Zeroed memory of the system's own for a large table that is read here and there: in large pages
 * where there are any; what is never touched takes none. NULL when the system refuses. Freed with
 * the same size. */
MUST_USE void *mem_table_new(size_t size);
void mem_table_free(void *memory, size_t size);

#endif
