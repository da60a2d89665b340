/* See the header. */
#include "common/io/source/source_rules.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/model/message/tenant.h"
#include "common/policy/collect/tenant_path.h"

enum { NAMES_SHOWN = 8 };

static enum outcome check_settings(const struct settings *settings,
                                   const struct mapping_set *mappings, struct error *err)
{
    if (settings->tenant_path && !tenant_path_is_valid(settings->tenant_path)) {
        error_set(err, OUT_FATAL, ERR_CONF_VALUE, "the tenant path must hold {tenant} once");
        error_where(err, "produce.tenant_path");
        error_hint(err, "for example exports/{tenant}/*.json");
        return OUT_FATAL;
    }
    bool several =
        strcmp(settings->format, "local_storage") == 0 || strcmp(settings->format, "map_dump") == 0;
    if (settings->entity && several) {
        error_set(err, OUT_FATAL, ERR_CONF_VALUE,
                  "--entity is for files of one entity, and --format %s finds records of several",
                  settings->format);
        error_where(err, "produce.entity");
        error_hint(err, "leave one of the two out");
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

enum outcome source_rules_init(struct source_rules *rules, const struct settings *settings,
                               const struct mapping_set *mappings, struct error *err)
{
    *rules = (struct source_rules){.settings = settings, .mappings = mappings};
    buf_init(&rules->fixed, 64 * 1024);
    if (check_settings(settings, mappings, err) != OUT_OK)
        return OUT_FATAL;
    return settings_append_tenant(settings, &rules->fixed, err);
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

/* "order, user, …" */
static void append_entities(struct buf *names, const struct mapping_set *mappings)
{
    for (size_t i = 0; i < mappings->count && i < NAMES_SHOWN; i++)
        buf_append_format(names, "%s%s", i ? ", " : "", mappings->items[i]->entity);
    if (mappings->count > NAMES_SHOWN)
        buf_append_text(names, ", …");
}

/* What the only mapping collects instead. */
static void append_collects(struct buf *text, const struct mapping *mapping)
{
    static const size_t FORMS = 3;
    const struct {
        const char *name;
        const char *const *items;
        size_t count;
    } forms[] = {{"files", mapping->collect_files, mapping->collect_file_count},
                 {"local_storage", mapping->collect_keys, mapping->collect_key_count},
                 {"map_dump", mapping->collect_maps, mapping->collect_map_count}};
    bool first = true;
    for (size_t i = 0; i < FORMS; i++) {
        if (!forms[i].count)
            continue;
        buf_append_format(text, "%s%s: ", first ? "" : "; ", forms[i].name);
        for (size_t k = 0; k < forms[i].count && k < NAMES_SHOWN; k++)
            buf_append_format(text, "%s%.60s", k ? ", " : "", forms[i].items[k]);
        first = false;
    }
}

static enum outcome undecided(const struct mapping_set *mappings, const char *name, bool several,
                              struct error *err)
{
    struct buf names;
    struct buf safe;
    const struct mapping *only = mappings->count == 1 ? mappings->items[0] : NULL;
    buf_init(&names, 1024);
    buf_init(&safe, 1024);
    text_append_safe(&safe, bytes_text(name), 120);
    error_set(err, OUT_FATAL, ERR_MAPPING_ENTITY,
              several ? "several mappings collect this file" : "no mapping collects this file");
    error_where(err, "%s", buf_text(&safe));
    if (only) {
        append_collects(&names, only);
        error_cause(err, "%s collects %s", only->entity, buf_text(&names));
        error_hint(err, "%s, or leave the file out",
                   only->collect_file_count ? "add its name to collect.files, give --entity"
                   : only->collect_map_count
                       ? "name its collection in collect.map_dump and give --format map_dump, add "
                         "collect.files"
                       : "give --format local_storage, add collect.files");
    } else {
        append_entities(&names, mappings);
        error_hint(err, "give --entity, or add collect.files to the mapping; there are: %s",
                   buf_text(&names));
    }
    buf_free(&names);
    buf_free(&safe);
    return OUT_FATAL;
}

/* A mapping that says nothing of where its records are takes every file; standard input has no name
 * that could be compared with patterns. */
static bool takes_all(const struct mapping *mapping, const char *name)
{
    if (mapping->collect_file_count)
        return strcmp(name, "-") == 0;
    return !mapping->collect_key_count && !mapping->collect_map_count;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

enum outcome source_rules_mapping(const struct source_rules *rules, const char *path,
                                  const struct mapping **mapping, struct error *err)
{
    const struct mapping_set *mappings = rules->mappings;
    const char *name = base_name(path);
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
    if (!*mapping && mappings->count == 1 && takes_all(mappings->items[0], path))
        *mapping = mappings->items[0];
    return *mapping ? OUT_OK : undecided(mappings, path, false, err);
}

/* ---- tenant ---- */

enum outcome source_rules_given(const struct source_rules *rules, const char *path,
                                struct buf *tenant, struct bytes *plain, struct error *err)
{
    const struct given_tenant *given = &rules->settings->given;
    struct tenant named = {0};
    *plain = given->parts.tenant_id;
    buf_append_bytes(tenant, buf_view(&rules->fixed));
    if (!given->path)
        return OUT_OK;
    if (tenant_path_match(given->path, path, &named.tenant_id)) {
        *plain = named.tenant_id;
        return tenant_append_key(&named, tenant, err);
    }
    error_set(err, OUT_REJECT, ERR_TENANT_MISSING, "the path does not match the tenant path");
    error_hint(err, "--tenant-path is %s", given->path);
    return OUT_REJECT;
}

void source_rules_append_way(const struct source_rules *rules, const char *path, struct buf *out)
{
    const struct mapping_set *mappings = rules->mappings;
    const char *tenant_path = rules->settings->given.path;
    struct bytes tenant = {0};
    for (size_t i = 0; i < mappings->count && !rules->settings->entity; i++)
        if (matches(mappings->items[i], base_name(path)))
            buf_append_format(out, "%s ", mappings->items[i]->entity);
    if (tenant_path && tenant_path_match(tenant_path, path, &tenant)) {
        buf_append_char(out, '/');
        buf_append_bytes(out, tenant);
    }
}

/* The variables of the products Drover was made for: set, but not asked for. */
static const char *variable_at_hand(void)
{
    static const char *const NAMES[] = {"PROJECT_ID", "ORGANIZATION_ID", "MCP_SERVER_ID",
                                        "CODEBASE_HASH"};
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        const char *value = getenv(NAMES[i]);
        if (value && value[0])
            return NAMES[i];
    }
    return NULL;
}

enum outcome source_rules_tenant(const struct source_rules *rules, const struct mapping *mapping,
                                 const char *path, struct buf *tenant, struct error *err)
{
    struct bytes plain;
    if (rules->settings->given.from)
        return source_rules_given(rules, path, tenant, &plain, err);
    if (mapping->tenant_pointer)
        return OUT_OK; /* each record names its own */
    const char *variable = variable_at_hand();
    error_set(err, OUT_FATAL, ERR_CONF_MISSING, "nothing names the tenant of the records");
    error_where(err, "%s", mapping->file);
    error_hint(err,
               "give --tenant or --tenant-path, or add \"tenant: {from: /member}\" to the "
               "mapping%s%s%s",
               variable ? ". $" : "", variable ? variable : "",
               variable ? " is set, but counts only where drover.yaml says tenant: {from_env: …}"
                        : "");
    return OUT_FATAL;
}

/* "/shop", or "order: /shop, user: /tenantId" where they differ. */
static void append_members(const struct mapping_set *mappings, struct buf *out)
{
    const char *first = NULL;
    bool same = true;
    size_t shown = 0;
    for (size_t i = 0; i < mappings->count; i++) {
        const char *pointer = mappings->items[i]->tenant_pointer;
        same = same && (!pointer || !first || strcmp(first, pointer) == 0);
        first = first ? first : pointer;
    }
    if (same) {
        buf_append_text(out, first);
        return;
    }
    for (size_t i = 0; i < mappings->count; i++) {
        const struct mapping *mapping = mappings->items[i];
        if (!mapping->tenant_pointer)
            continue;
        if (shown == NAMES_SHOWN) {
            buf_append_text(out, ", …");
            return;
        }
        buf_append_format(out, "%s%s: %s", shown ? ", " : "", mapping->entity,
                          mapping->tenant_pointer);
        shown++;
    }
}

void source_rules_say_tenant(const struct source_rules *rules, struct buf *out)
{
    const struct settings *settings = rules->settings;
    const struct given_tenant *given = &settings->given;
    const struct mapping_set *mappings = rules->mappings;
    bool members = false, localstorage = false;
    for (size_t i = 0; i < mappings->count; i++) {
        const struct mapping *mapping = mappings->items[i];
        bool used = !settings->entity || strcmp(settings->entity, mapping->entity) == 0;
        members = members || (used && mapping->tenant_pointer);
        localstorage = localstorage || (used && mapping->collect_key_count);
    }
    if (given->path) {
        buf_append_text(out, "from the path (");
        text_append_safe(out, bytes_text(given->path), 120);
        buf_append_char(out, ')');
    } else if (given->from) {
        text_append_safe(out, buf_view(&rules->fixed), 120);
        buf_append_format(out, ", from %s", given->from);
    }
    if (given->from) {
        buf_append_text(out, members || localstorage ? ", for records that name none" : "");
        return;
    }
    if (members) {
        buf_append_text(out, "from each record (");
        append_members(mappings, out);
        buf_append_char(out, ')');
    }
    if (localstorage)
        buf_append_format(out, "%sfrom each storage (current_tenant_id)", members ? ", " : "");
    if (!members && !localstorage)
        buf_append_text(out, "nobody says");
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
#define X(shape, word) {word, JSON_SHAPE_##shape},
        JSON_SHAPES(X)
#undef X
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

void source_rules_expect(const struct mapping *mapping, struct json_expected *expected)
{
    unsigned char groups = 0;
    *expected = (struct json_expected){0};
    for (size_t i = 0; i < mapping->key_count; i++) {
        const struct column *column = &mapping->columns[mapping->key[i]];
        bool is_needed = column->source == FROM_POINTERS && !column->fill;
        for (size_t k = 0; k < column->pointer_count; k++) /* "": the record itself */
            is_needed = is_needed && column->pointers[k][0];
        if (!is_needed || expected->count + column->pointer_count > JSON_EXPECTED_MAX)
            continue;
        for (size_t k = 0; k < column->pointer_count; k++) {
            expected->groups[expected->count] = groups;
            expected->names[expected->count++] = column->steps[k].name.text;
        }
        groups++;
    }
}
