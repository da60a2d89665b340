#ifndef DROVER_BASE_BYTES_H
#define DROVER_BASE_BYTES_H

/*
 * A view of bytes somebody else owns. Not NUL-terminated; may hold NULs; `data` may be NULL only
 * when `size` is 0. Valid as long as its owner says.
 */

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct bytes {
    const char *data;
    size_t size;
};

#define BYTES_LITERAL(text) ((struct bytes){(text), sizeof(text) - 1})

static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){data, size};
}

static inline struct bytes bytes_text(const char *text)
{
    return (struct bytes){text, text ? strlen(text) : 0};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* A text that is there, though it may be empty: its data is never NULL. */
static inline struct bytes bytes_or_empty(struct bytes view)
{
    return view.data ? view : bytes_of("", 0);
}

/* Unsigned byte order, shorter first when one is the other's prefix (= COLLATE "C"). */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* Copies into a block that has room; *at moves behind the copy. What is NULL stays so. */
static inline struct bytes bytes_put(char **at, struct bytes part)
{
    char *start = *at;
    if (part.size)
        memcpy(start, part.data, part.size);
    *at += part.size;
    return bytes_of(part.data ? start : NULL, part.size);
}

/* For printf("%.*s"): BYTES_ARGS(view). Only for text known to be printable. */
#define BYTES_ARGS(view) (int)(view).size, (view).data

#endif
