#ifndef DROVER_MODEL_TENANT_H
#define DROVER_MODEL_TENANT_H

/*
 * Tenant context and isolation key. The key is the percent-encoded components joined with ':'
 * (a plain tenantId is one component), so no two contexts collide; above 255 bytes it is cut to
 * 222 bytes and ends in '~' + 32 hex digits of its XXH3-128. It is the RLS key and the first
 * column of every primary key.
 */

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/error.h"

#define TENANT_KEY_MAX 255

/* Absent parts are empty. Either `tenant_id` alone, or the five of the context. */
struct tenant {
    struct bytes tenant_id;
    struct bytes organization_id;
    struct bytes server_id;
    struct bytes project_id;
    struct bytes codebase_hash;
    struct bytes environment;
};

/* Appends the isolation key. OUT_REJECT with DRV-T001/T002 when there is no component, a
 * component is not UTF-8 or holds a NUL. */
MUST_USE enum outcome tenant_append_key(const struct tenant *tenant, struct buf *out,
                                        struct error *err);
/* tenant_context as JSON: {"tenantId":…} or {"organizationId":…,"serverId":…,…}, from the isolation
 * key alone, so that it is a pure function of it; a hashed key gives {"isolationKey": …}. */
MUST_USE bool tenant_append_context(struct bytes isolation_key, struct buf *out);
/* True for a key tenant_append_key could have made: non-empty, <= 255, only its alphabet. */
bool tenant_key_is_valid(struct bytes isolation_key);

#endif
