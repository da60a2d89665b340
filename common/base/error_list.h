#ifndef DROVER_BASE_ERROR_LIST_H
#define DROVER_BASE_ERROR_LIST_H

/* Several errors at once: the mistakes of the files a person wrote, so that all of them can be
 * fixed before the next try. Bounded: what is beyond is counted. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"

#define ERROR_LIST_MAX 1000 /* kept; a person fixes a page of them at a time */

struct error_list {
    struct error *items;
    size_t count, room;
    uint64_t dropped; /* beyond ERROR_LIST_MAX */
};

void error_list_init(struct error_list *list);
void error_list_free(struct error_list *list);
void error_list_add(struct error_list *list, const struct error *err);
/* Whether an error of this code, text and place is among them. */
bool error_list_has(const struct error_list *list, const struct error *err);
/* By file, line and column of their `where`; what names no line goes before the lines of its file.
 */
void error_list_sort(struct error_list *list);

#endif
