#ifndef DROVER_MODEL_JSON_SCAN_LEVELS_H
#define DROVER_MODEL_JSON_SCAN_LEVELS_H

/* The brackets open in a scan: the innermost ones, by kind. Part of json_scan. */

#include "common/model/json/json_scan.h"

static inline bool json_scan_level_is_object(const struct json_scan *scan, uint32_t level)
{
    return scan->kinds[level / 64] >> (level % 64) & 1;
}

/* Of a depth > 0; levels beyond those remembered count as arrays. */
static inline bool json_scan_in_object(const struct json_scan *scan)
{
    return scan->depth <= JSON_SCAN_KINDS && json_scan_level_is_object(scan, scan->depth - 1);
}

static inline void json_scan_push(struct json_scan *scan, bool object)
{
    uint32_t level = scan->depth++;
    if (level >= JSON_SCAN_KINDS)
        return;
    uint64_t bit = UINT64_C(1) << (level % 64);
    if (object)
        scan->kinds[level / 64] |= bit;
    else
        scan->kinds[level / 64] &= ~bit;
}

static inline bool json_scan_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The byte before `at` that is not white space; 0 when there is none. */
static inline char json_scan_before(const struct json_scan *scan, struct bytes text, size_t at)
{
    while (at > 0)
        if (!json_scan_is_space(text.data[--at]))
            return text.data[at];
    return scan->before;
}

/* Goes on in whole blocks of 64 bytes while nothing in them is broken; leaves the rest to the
 * byte-wise scan. True when the element ended. Same preconditions as json_scan_step. */
bool json_scan_blocks(struct json_scan *scan, struct bytes text);

#endif
