#ifndef DROVER_TESTS_MUTATION_GENERATE_H
#define DROVER_TESTS_MUTATION_GENERATE_H

/*
 * Random mappings over everything the mapping language has (each source of a column, alternatives,
 * pointers inside one another, defaults, decode, seal, withhold, arrays, rest, each kind of delete)
 * and records for them that are hard to keep. What is generated is text: the product's own parser
 * says whether it is a mapping.
 */

#include "common/base/buf.h"
#include "common/model/mapping/mapping.h"
#include "tests/support/random_json.h"

/* The YAML of a mapping of entity "thing"; not every one is accepted by the parser. */
void generate_mapping(struct random *random, struct buf *yaml);

/* A value as `column` takes it from a source, in JSON. `free`: of its type only; limits (allow,
 * min, max) need not hold, as nothing in a store holds a hand back. */
void generate_value(struct random *random, const struct column *column, bool free, struct buf *out);

/* A payload for the mapping. Members of the key depend on `identity` alone, so that versions of one
 * record can be made; `rev` is its version where the mapping reads one. */
void generate_payload(struct random *random, const struct mapping *mapping, uint64_t identity,
                      unsigned rev, struct buf *out);

/* The payload without the members of its root that no column is made of, so that nothing of it goes
 * to the rest; with `identity` those stay that say tenant and version. Nothing of what is no
 * object.
 */
void generate_stripped(const struct mapping *mapping, bool identity, struct bytes payload,
                       struct buf *out);

#endif
