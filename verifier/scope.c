#include "verifier/scope.h"

#include "common/model/message/tenant.h"

enum outcome scope_init(struct scope *scope, const struct settings *settings,
                        const struct mapping_set *mappings, struct error *err)
{
    const char *only = settings->only_tenant;
    *scope = (struct scope){.mappings = mappings, .tenant = only && only[0] ? only : NULL};
    if (scope->tenant && !tenant_key_is_valid(bytes_text(scope->tenant)))
        return error_set(err, OUT_FATAL, ERR_CONF_VALUE,
                         "--only-tenant is not an isolation key (components percent-encoded, "
                         "joined with ':')");
    return OUT_OK;
}

bool scope_is_whole(const struct scope *scope)
{
    return !scope->tenant;
}

bool scope_has(const struct scope *scope, const struct record *record)
{
    return !scope->tenant || bytes_equal(record->tenant, bytes_text(scope->tenant));
}

bool scope_has_rejected(const struct scope *scope, struct bytes tenant)
{
    return !scope->tenant || bytes_equal(tenant, bytes_text(scope->tenant));
}
