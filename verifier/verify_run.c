/* What the parts of a verification ask of it. */

#include "verifier/verify_run.h"

#include "common/io/stores.h"

bool verify_run_in_scope(const struct verify_run *run, struct bytes tenant)
{
    const char *only = run->settings->only_tenant;
    return !only || !only[0] || bytes_equal(tenant, bytes_text(only));
}

const struct verify_mapping *verify_run_mapping(const struct verify_run *run, struct bytes entity)
{
    const struct mapping *mapping = mapping_set_find(&run->mappings, entity);
    for (size_t i = 0; mapping && i < run->mappings.count; i++)
        if (run->items[i].mapping == mapping)
            return &run->items[i];
    return NULL;
}

bool verify_run_keeps_no_cells(const struct verify_run *run)
{
    return store_keeps_documents(store_of(run->settings));
}
