#ifndef DROVER_VERIFIER_FACTS_H
#define DROVER_VERIFIER_FACTS_H

/* What a report says of how it came about, gathered from the settings, the machine and the servers.
 * What a server does not tell is left out. */

#include "common/io/run_name.h"
#include "common/io/settings.h"
#include "common/io/settings_digest.h"
#include "common/io/who.h"
#include "common/model/mapping/mapping_set.h"
#include "common/policy/verify/report_facts.h"

enum { VERIFY_FACTS_VERSION_SIZE = 64 };

/* The texts of struct report_facts. */
struct verify_facts {
    char run[RUN_NAME_SIZE];
    char who[WHO_SIZE];
    char settings[SETTINGS_DIGEST_SIZE];
    char postgres[VERIFY_FACTS_VERSION_SIZE];
    char redis[VERIFY_FACTS_VERSION_SIZE];
};

/* `facts` views `texts` from then on; `postgres`, the server's version, may be NULL. Asks Redis
 * where the store has one; that of a store in this process has no servers. began_ms is now. */
void verify_facts_take(struct verify_facts *texts, const struct settings *settings,
                       const struct mapping_set *mappings, const char *postgres,
                       struct report_facts *facts);

#endif
