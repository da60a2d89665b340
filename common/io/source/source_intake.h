#ifndef DROVER_IO_SOURCE_INTAKE_H
#define DROVER_IO_SOURCE_INTAKE_H

/*
 * Who a record of a source is, and whether the run takes it: the same answer for everybody who
 * reads the source (the producer first, the verifier again), so that both reject the same records.
 * A limit of a run, also per tenant, is asked here.
 */

#include "common/io/source/source_reading.h"
#include "common/model/message/record.h"

struct source_intake;

/* For one reading of all sources. `rules` and `work`, which may be used between the records, must
 * outlive it. */
struct source_intake *source_intake_new(const struct source_rules *rules,
                                        struct mapping_work *work);
void source_intake_free(struct source_intake *intake);

/* Fills *record, views valid until the next call: all but what belongs to a run (`run`,
 * `sequence`). `stamp`: the version where the mapping finds none in the record. OUT_REJECT: as of
 * mapping_identify, DRV-T001. */
MUST_USE enum outcome source_intake_record(struct source_intake *intake,
                                           const struct source_record *found, int64_t stamp,
                                           struct record *record, struct error *err);
/* Whether the record last found names its tenant itself; *asked: one was given from outside, and
 * its mapping says where records name theirs. */
bool source_intake_names_tenant(const struct source_intake *intake,
                                const struct source_record *found, bool *asked);

#endif
