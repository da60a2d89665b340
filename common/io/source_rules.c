/* See the header. */
#include "common/io/source_rules.h"

#include <string.h>

#include "common/base/text.h"
#include "common/model/tenant.h"
#include "common/policy/tenant_path.h"

static enum outcome check_settings(const struct settings *settings,
                                   const struct mapping_set *mappings, struct error *err)
{
    if (settings->tenant_path && !tenant_path_is_valid(settings->tenant_path)) {
        error_set(err, OUT_FATAL, ERR_CONF_VALUE, "the tenant path must hold {tenant} once");
        error_where(err, "produce.tenant_path");
        error_hint(err, "for example exports/{tenant}/*.json");
        return OUT_FATAL;
    }
    if (!settings->entity || mapping_set_find(mappings, bytes_text(settings->entity)))
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_MAPPING_ENTITY, "there is no mapping for this entity");
    const char *nearest = mapping_set_nearest(mappings, bytes_text(settings->entity));
    if (nearest)
        error_hint(err, "did you mean \"%s\"?", nearest);
    return OUT_FATAL;
}

static enum outcome fix_tenant(const struct settings *settings, struct buf *fixed,
                               struct error *err)
{
    struct tenant tenant = {.tenant_id = bytes_text(settings->tenant)};
    if (!settings->tenant)
        tenant = (struct tenant){.organization_id = bytes_text(settings->organization_id),
                                 .server_id = bytes_text(settings->server_id),
                                 .project_id = bytes_text(settings->project_id),
                                 .codebase_hash = bytes_text(settings->codebase_hash),
                                 .environment = bytes_text(settings->environment)};
    bool any = settings->tenant || tenant.organization_id.size || tenant.server_id.size ||
               tenant.project_id.size || tenant.codebase_hash.size || tenant.environment.size;
    if (!any || tenant_append_key(&tenant, fixed, err) == OUT_OK)
        return OUT_OK;
    error_where(err, settings->tenant ? "--tenant" : "tenant settings");
    if (err)
        err->outcome = OUT_FATAL;
    return OUT_FATAL;
}

enum outcome source_rules_init(struct source_rules *rules, const struct settings *settings,
                               const struct mapping_set *mappings, struct error *err)
{
    *rules = (struct source_rules){.settings = settings, .mappings = mappings};
    buf_init(&rules->fixed, 64 * 1024);
    if (check_settings(settings, mappings, err) != OUT_OK)
        return OUT_FATAL;
    return fix_tenant(settings, &rules->fixed, err);
}

void source_rules_free(struct source_rules *rules)
{
    buf_free(&rules->fixed);
}

/* Also without the ending of a compressed file: "cart*.json" is for cart.json.gz too. */
static bool matches(const struct mapping *mapping, const char *name)
{
    struct bytes whole = bytes_text(name);
    struct bytes plain = whole;
    if (whole.size > 3 && strcmp(name + whole.size - 3, ".gz") == 0)
        plain.size -= 3;
    if (whole.size > 4 && strcmp(name + whole.size - 4, ".zst") == 0)
        plain.size -= 4;
    for (size_t i = 0; i < mapping->collect_file_count; i++)
        if (text_glob(mapping->collect_files[i], whole) ||
            text_glob(mapping->collect_files[i], plain))
            return true;
    return false;
}

bool source_rules_collects(const struct source_rules *rules, const char *name)
{
    for (size_t i = 0; i < rules->mappings->count; i++)
        if (matches(rules->mappings->items[i], name))
            return true;
    return false;
}

static enum outcome undecided(const struct mapping_set *mappings, const char *name, bool several,
                              struct error *err)
{
    struct buf names;
    struct buf safe;
    buf_init(&names, 160);
    buf_init(&safe, 1024);
    for (size_t i = 0; i < mappings->count; i++)
        buf_append_format(&names, "%s%s", i ? ", " : "", mappings->items[i]->entity);
    text_append_safe(&safe, bytes_text(name), 120);
    error_set(err, OUT_FATAL, ERR_MAPPING_ENTITY,
              several ? "several mappings collect this file" : "no mapping collects this file");
    error_where(err, "%s", buf_text(&safe));
    error_hint(err, "give --entity, or add collect.files to the mapping; there are: %s",
               buf_text(&names));
    buf_free(&names);
    buf_free(&safe);
    return OUT_FATAL;
}

enum outcome source_rules_mapping(const struct source_rules *rules, const char *path,
                                  const struct mapping **mapping, struct error *err)
{
    const struct mapping_set *mappings = rules->mappings;
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    *mapping = NULL;
    if (rules->settings->entity) {
        *mapping = mapping_set_find(mappings, bytes_text(rules->settings->entity));
        return OUT_OK; /* source_rules_init found it */
    }
    for (size_t i = 0; i < mappings->count; i++) {
        if (!matches(mappings->items[i], name))
            continue;
        if (*mapping)
            return undecided(mappings, path, true, err);
        *mapping = mappings->items[i];
    }
    if (!*mapping && mappings->count == 1)
        *mapping = mappings->items[0];
    return *mapping ? OUT_OK : undecided(mappings, path, false, err);
}

enum outcome source_rules_tenant(const struct source_rules *rules, const struct mapping *mapping,
                                 const char *path, struct buf *tenant, struct error *err)
{
    if (rules->fixed.size) {
        buf_append_bytes(tenant, buf_view(&rules->fixed));
        return OUT_OK;
    }
    if (mapping->tenant_pointer && !rules->settings->tenant_path)
        return OUT_OK; /* each record names its own */
    if (!rules->settings->tenant_path) {
        error_set(err, OUT_FATAL, ERR_CONF_MISSING, "nothing names the tenant of the records");
        error_hint(err, "give --tenant or --tenant-path, or add \"tenant: {from: /member}\" to the "
                        "mapping");
        error_where(err, "%s", mapping->file);
        return OUT_FATAL;
    }
    struct tenant named = {0};
    if (tenant_path_match(rules->settings->tenant_path, path, &named.tenant_id))
        return tenant_append_key(&named, tenant, err);
    error_set(err, OUT_REJECT, ERR_TENANT_MISSING, "the path does not match the tenant path");
    error_hint(err, "--tenant-path is %s", rules->settings->tenant_path);
    return OUT_REJECT;
}

bool source_rules_detects(const struct source_rules *rules, enum collect_form form)
{
    const char *when = rules->settings->detect;
    return strcmp(when, "on") == 0 || (strcmp(when, "auto") == 0 && form != COLLECT_FILES);
}

enum json_shape source_rules_shape(const struct source_rules *rules, const struct mapping *mapping)
{
    static const struct {
        const char *name;
        enum json_shape shape;
    } FORMATS[] = {
        {"array", JSON_SHAPE_ARRAY},
        {"keyed", JSON_SHAPE_KEYED},
        {"ndjson", JSON_SHAPE_NDJSON},
        {"single", JSON_SHAPE_SINGLE},
    };
    const char *format = rules->settings->format;
    for (size_t i = 0; format && i < sizeof(FORMATS) / sizeof(FORMATS[0]); i++)
        if (strcmp(FORMATS[i].name, format) == 0)
            return FORMATS[i].shape;
    for (size_t i = 0; i < mapping->key_count; i++)
        if (mapping->columns[mapping->key[i]].source == FROM_KEY)
            return JSON_SHAPE_KEYED;
    return JSON_SHAPE_DETECT;
}
