#ifndef DROVER_POLICY_FILE_MATCH_H
#define DROVER_POLICY_FILE_MATCH_H

/*
 * Which record of a file is which row, when the file is not what the rows give: somebody edited it.
 * Rows are in the order of their ids, elements as they lie in the file. First what is the same;
 * then what names its id; then, of the others, those between the same neighbours, in order.
 *
 * Pure. 4 bytes a row and an element beside their digests.
 */

#include <stddef.h>
#include <stdint.h>

#include "common/base/hash.h"

#define FILE_MATCH_NONE UINT32_MAX        /* no partner; as a hint: its id is not known */
#define FILE_MATCH_OTHER (UINT32_MAX - 1) /* as a hint: its id is known and no row's */

struct file_match {
    const struct digest *rows, *elements; /* of the canonical forms */
    size_t row_count, element_count;      /* below FILE_MATCH_OTHER */
    uint32_t *element_of;                 /* by row; room for row_count */
    uint32_t *row_of;                     /* by element; room for element_count */
};

/* Sets both sides: partners are those that are the same. A record that lies there twice has one. */
void file_match_same(struct file_match *match);
/* Pairs what is left; `hints`, by element: the row whose id it names, or one of the marks. */
void file_match_rest(struct file_match *match, const uint32_t *hints);

#endif
