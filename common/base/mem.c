/* The one place where no memory ends the process. */
#include "common/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *mem_sure(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

void *mem_new(size_t size)
{
    return mem_sure(calloc(1, size));
}

void *mem_zeroed(size_t count, size_t size)
{
    return mem_sure(calloc(count ? count : 1, size));
}

void *mem_alloc(size_t size)
{
    return mem_sure(malloc(size));
}

void *mem_resize(void *old, size_t count, size_t size)
{
    return mem_sure(reallocarray(old, count ? count : 1, size));
}

void *mem_grown(void *items, size_t *room, size_t wanted, size_t size)
{
    if (wanted <= *room)
        return items;
    *room = wanted < 32 ? 64 : 2 * wanted;
    return mem_resize(items, *room, size);
}

char *mem_text(const char *text)
{
    return mem_sure(strdup(text));
}

char *mem_text_part(const char *text, size_t size)
{
    char *copy = mem_new(size + 1); /* zeroed; the text may have a NUL in it, which is no end */
    if (size)
        memcpy(copy, text, size);
    return copy;
}

char *mem_format(const char *format, ...)
{
    char *made = NULL;
    va_list args;
    va_start(args, format);
    int size = vasprintf(&made, format, args);
    va_end(args);
    return mem_sure(size < 0 ? NULL : made);
}

void *mem_table_new(size_t size)
{
    void *memory =
        mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    (void)madvise(memory, size, MADV_HUGEPAGE); /* a wish */
    return memory;
}

void mem_table_free(void *memory, size_t size)
{
    if (memory)
        munmap(memory, size ? size : 1);
}
