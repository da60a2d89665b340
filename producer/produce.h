#ifndef DROVER_PRODUCER_PRODUCE_H
#define DROVER_PRODUCER_PRODUCE_H

#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/policy/produce_counters.h"
#include "common/port/bus.h"

/* `drover produce`: the sources of the settings -> source topic. Rejected records are listed, the
 * rest goes on. Exit codes: 0 all produced; 5 something was rejected (err is then unset); 130 or
 * 143 stopped by a signal after what was read was stored; otherwise err says why. */
MUST_USE enum exit_code produce_main(const struct settings *settings, struct error *err);

/* How a run over another bus than Kafka is done (a rehearsal). */
struct produce_options {
    bool any_key;    /* no key file is needed: a key that is forgotten afterwards seals */
    bool forgets;    /* keeps no manifest */
    bool unreported; /* prints no summary: the caller has the counters */
};

/* The same over `bus`; *counters (may be NULL) is what became of the records. */
MUST_USE enum exit_code produce_run(const struct settings *settings, struct bus *bus,
                                    const struct produce_options *options,
                                    struct produce_counters *counters, struct error *err);

#endif
