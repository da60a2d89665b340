#ifndef DROVER_CONTROL_STATUS_DEAD_LETTERS_H
#define DROVER_CONTROL_STATUS_DEAD_LETTERS_H

/*
 * Dead letters as `status` shows them: what the register (control/dlq) knows of each, in numbers,
 * with an example of each code that is open.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"

#define STATUS_CODES_MAX 64 /* the last place is for all others */

/* An open one, the first of its code. Texts are cut. */
struct status_example {
    char id[300]; /* drover-dlq-id */
    char tenant[132], entity[132], place[544];
};

struct status_code {
    char code[100]; /* "DRV-V001", "other" */
    uint64_t count;
    struct status_example example;
};

struct dead_letter_register;

struct status_dead_letters {
    struct dead_letter_register *all;           /* opened by the first reading */
    uint64_t due_ms;                            /* clock_monotonic_ms: not read before */
    uint64_t readings;                          /* that were made */
    struct error why;                           /* code not ERR_NONE: they are not known */
    struct status_code codes[STATUS_CODES_MAX]; /* open ones, in the order of the codes */
    size_t code_count;
    uint64_t open, resolved, discarded;
};

/* After a reading: what was read of them could not be kept in state_dir. */
bool status_dead_letters_are_not_kept(const struct status_dead_letters *dead);
/* After a reading: the open ones that lie before `offsets`, by partition of their topic. False: it
 * could not be told. */
bool status_dead_letters_count_before(struct status_dead_letters *dead, const int64_t *offsets,
                                      size_t partition_count, uint64_t *open);
void status_dead_letters_free(struct status_dead_letters *dead);

#endif
