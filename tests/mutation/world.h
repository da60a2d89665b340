#ifndef DROVER_TESTS_MUTATION_WORLD_H
#define DROVER_TESTS_MUTATION_WORLD_H

/*
 * One generated mapping, the messages a producer makes of generated records (versions in any order,
 * repeats, deletes, sealed and withheld members), and the rows a worker makes of the messages.
 */

#include "common/policy/secrets/secret_guard.h"
#include "tests/mutation/generate.h"
#include "tests/mutation/checker.h"

struct world {
    struct random random;
    struct buf yaml;
    bool strips; /* payloads have little but what columns take */
    struct mapping *mapping;
    struct arena arena;
    struct envelope messages[CHECKER_MESSAGES];
    size_t message_count;
    struct table_row rows[CHECKER_ROWS];
    bool soft[CHECKER_ROWS]; /* deleted softly: in sight, with its columns */
    size_t row_count;
    size_t refused; /* payloads that the mapping does not take */
    struct mapping_work work;
    struct secret_guard guard;
    struct secret_ring ring;
};

void world_init(struct world *world);
void world_free(struct world *world);
/* A new one from `seed`. False when the parser refuses the generated mapping. */
bool world_make(struct world *world, uint64_t seed);

#endif
