#ifndef DROVER_CONTROL_DEAD_LETTER_MAKER_H
#define DROVER_CONTROL_DEAD_LETTER_MAKER_H

/*
 * What the mappings of now make of a dead letter: the record it holds, and its row. A dead letter
 * of another topic that names neither tenant nor entity is of the entity given, whose mapping says
 * where tenant and id are.
 */

#include "common/io/mappings.h"
#include "common/model/message/dead_letter_replay.h"
#include "control/dlq/dead_letter_picks.h"

struct dead_letter_maker {
    struct mapping_set mappings;
    struct mapping_work work;
    struct arena arena;
    const char *entity;   /* of those that name none; NULL: they stay without */
    struct buf tenant;    /* isolation key given for them; or empty */
    struct buf names, id; /* of the last record */
    struct buf key;
};

/* As of mapping_set_load; DRV-C001 when there is no mapping of the entity given. To be freed. */
MUST_USE enum outcome dead_letter_maker_open(const struct settings *settings,
                                             struct dead_letter_maker *maker, struct error *err);
void dead_letter_maker_free(struct dead_letter_maker *maker);
/* The record, and what of it goes into the message again (tenant, entity, key, version; the others
 * are as they were). Views until the next call. OUT_REJECT: it says not who it is. */
MUST_USE enum outcome dead_letter_maker_record(struct dead_letter_maker *maker,
                                               const struct picked_message *picked,
                                               struct record *record,
                                               struct dead_letter_again *again, struct error *err);
/* Its row, as a worker would make it. OUT_REJECT: it is refused again. */
MUST_USE enum outcome dead_letter_maker_row(struct dead_letter_maker *maker,
                                            const struct picked_message *picked,
                                            const struct mapping **mapping, struct row *row,
                                            struct error *err);

/* Of a code: the store refused it, and what the mapping makes of it says nothing. */
bool dead_letter_maker_store_decides(enum error_code code);
/* The mappings are not the newest ones that are registered: a worker that has them would refuse to
 * start (DRV-M005). False as well where the store does not say. Blocks. */
bool dead_letter_maker_is_untaken(const struct settings *settings,
                                  const struct dead_letter_maker *maker);

#endif
