/*
 * Whose a localStorage key is. The patterns of all mappings, the most specific first:
 *
 *   theme                 the name itself
 *   ai_agents_{tenant}    with the tenant in it; who fits but for the tenant is another tenant's
 *   chat_session_*        a part of it
 *   *                     any key: it is kept, and said to be unknown
 *
 * Among equals the order of the mappings decides.
 */
#include <stdlib.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/policy/collect/collect_localstorage.h"

#define TENANT_MARK "{tenant}"

enum rank { RANK_NAME, RANK_TENANT, RANK_PART, RANK_ANY, RANKS };

/* ---- tenants ---- */

void localstorage_tenants_add(struct localstorage_tenants *tenants, struct bytes tenant)
{
    tenants->hashes =
        mem_grown(tenants->hashes, &tenants->capacity, tenants->count + 1, sizeof *tenants->hashes);
    tenants->hashes[tenants->count++] = hash64(tenant);
}

static int compare_hashes(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

void localstorage_tenants_sort(struct localstorage_tenants *tenants)
{
    if (tenants->count)
        qsort(tenants->hashes, tenants->count, sizeof(uint64_t), compare_hashes);
}

static bool is_tenant(const struct localstorage_tenants *tenants, struct bytes text)
{
    uint64_t hash = hash64(text);
    return tenants->count &&
           bsearch(&hash, tenants->hashes, tenants->count, sizeof(uint64_t), compare_hashes);
}

/* ---- patterns ---- */

static struct bytes behind(struct bytes text, size_t size)
{
    return size ? bytes_of(text.data + size, text.size - size) : text;
}

static bool is_mark(const char *pattern)
{
    return strncmp(pattern, TENANT_MARK, strlen(TENANT_MARK)) == 0;
}

/* {tenant} is `tenant`; or, with `other`, whatever makes the rest fit, which it is set to. */
static bool fits(const char *pattern, struct bytes key, struct bytes tenant, struct bytes *other);

static bool fits_tenant(const char *rest, struct bytes key, struct bytes tenant,
                        struct bytes *other)
{
    if (!other)
        return tenant.size && key.size >= tenant.size &&
               memcmp(key.data, tenant.data, tenant.size) == 0 &&
               fits(rest, behind(key, tenant.size), tenant, NULL);
    for (size_t size = 1; size <= key.size && size <= LOCALSTORAGE_TENANT_MAX; size++)
        if (fits(rest, behind(key, size), tenant, other)) {
            *other = bytes_of(key.data, size);
            return true;
        }
    return false;
}

static bool fits(const char *pattern, struct bytes key, struct bytes tenant, struct bytes *other)
{
    for (;; pattern++, key = behind(key, 1)) {
        if (*pattern == '\0')
            return key.size == 0;
        if (is_mark(pattern))
            return fits_tenant(pattern + strlen(TENANT_MARK), key, tenant, other);
        if (*pattern == '*')
            break;
        if (key.size == 0 || (*pattern != '?' && *pattern != *key.data))
            return false;
    }
    for (size_t size = 0; size <= key.size; size++)
        if (fits(pattern + 1, behind(key, size), tenant, other))
            return true;
    return false;
}

static enum rank rank_of(const char *pattern)
{
    if (strstr(pattern, TENANT_MARK))
        return RANK_TENANT;
    if (strcmp(pattern, "*") == 0)
        return RANK_ANY;
    return strpbrk(pattern, "*?") ? RANK_PART : RANK_NAME;
}

static bool fits_at(enum rank rank, const char *pattern, struct bytes key, struct bytes tenant)
{
    if (rank_of(pattern) != rank)
        return false;
    return rank == RANK_TENANT ? fits(pattern, key, tenant, NULL) : text_glob(pattern, key);
}

/* ---- choosing ---- */

const struct collect_merge *collect_merge_of(const struct mapping *mapping, struct bytes key)
{
    for (int taken = 1; taken >= 0; taken--)
        for (size_t i = 0; i < mapping->merge_count; i++)
            if (mapping->merges[i].take == taken && text_glob(mapping->merges[i].pattern, key))
                return &mapping->merges[i];
    return NULL;
}

static bool mapping_takes(const struct mapping *mapping, enum rank rank, struct bytes key,
                          struct bytes tenant)
{
    if (mapping->expand == EXPAND_MERGE && !collect_merge_of(mapping, key))
        return false;
    for (size_t i = 0; i < mapping->collect_key_count; i++)
        if (fits_at(rank, mapping->collect_keys[i], key, tenant))
            return true;
    return false;
}

static const struct mapping *first_at(const struct collect_config *config, enum rank rank,
                                      struct bytes key, struct bytes tenant)
{
    for (size_t i = 0; i < config->mapping_count; i++)
        if (mapping_takes(config->mappings[i], rank, key, tenant))
            return config->mappings[i];
    return NULL;
}

/* The other half of a pair of container and elements. */
static const struct mapping *partner_of(const struct collect_config *config,
                                        enum collect_expand expand, struct bytes key,
                                        struct bytes tenant)
{
    for (enum rank rank = RANK_NAME; rank < RANK_ANY; rank++)
        for (size_t i = 0; i < config->mapping_count; i++)
            if (config->mappings[i]->expand == expand &&
                mapping_takes(config->mappings[i], rank, key, tenant))
                return config->mappings[i];
    return NULL;
}

bool localstorage_names_tenant(const struct collect_config *config, struct bytes key,
                               struct bytes *tenant)
{
    for (size_t i = 0; i < config->mapping_count; i++) {
        const struct mapping *mapping = config->mappings[i];
        for (size_t k = 0; k < mapping->collect_key_count; k++)
            if (rank_of(mapping->collect_keys[k]) == RANK_TENANT &&
                fits(mapping->collect_keys[k], key, (struct bytes){0}, tenant))
                return true;
    }
    return false;
}

/* `ui_preferences_beta` fits `*_preferences_*`; what the last '*' took names a tenant when some
 * other key of the payload does. */
static bool tail_is_unowned(const char *pattern, struct bytes key, struct bytes tenant,
                            const struct localstorage_tenants *tenants)
{
    size_t size = strlen(pattern);
    if (size < 2 || pattern[size - 1] != '*')
        return false;
    size_t literal = 0;
    while (literal < size - 1 && !strchr("*?}", pattern[size - 2 - literal]))
        literal++;
    const char *last = pattern + size - 1 - literal;
    for (size_t at = 0; literal && at + literal < key.size; at++) {
        struct bytes tail = behind(key, at + literal);
        if (memcmp(key.data + at, last, literal) == 0 && !bytes_equal(tail, tenant) &&
            tail.size <= LOCALSTORAGE_TENANT_MAX && is_tenant(tenants, tail))
            return true;
    }
    return false;
}

/* `ui_preferences_acme` fits `*_preferences_*` and says that it is acme's. */
static bool tail_is_own(const char *pattern, struct bytes key, struct bytes tenant)
{
    size_t size = strlen(pattern);
    return size && pattern[size - 1] == '*' && tenant.size && key.size > tenant.size &&
           memcmp(key.data + key.size - tenant.size, tenant.data, tenant.size) == 0 &&
           key.data[key.size - tenant.size - 1] == '_';
}

static bool names_own(const struct mapping *mapping, struct bytes key, struct bytes tenant)
{
    for (size_t i = 0; mapping->expand == EXPAND_MERGE && i < mapping->collect_key_count; i++)
        if (text_glob(mapping->collect_keys[i], key) &&
            tail_is_own(mapping->collect_keys[i], key, tenant))
            return true;
    return false;
}

static bool merges_unowned(const struct mapping *mapping, struct bytes key, struct bytes tenant,
                           const struct localstorage_tenants *tenants)
{
    for (size_t i = 0; mapping->expand == EXPAND_MERGE && i < mapping->collect_key_count; i++)
        if (text_glob(mapping->collect_keys[i], key) &&
            tail_is_unowned(mapping->collect_keys[i], key, tenant, tenants))
            return true;
    return false;
}

static void set_mapping(struct localstorage_choice *choice, const struct collect_config *config,
                        const struct mapping *mapping, struct bytes key, struct bytes tenant)
{
    choice->use = LOCALSTORAGE_TAKEN;
    choice->mapping = mapping;
    if (mapping->expand == EXPAND_MERGE)
        choice->merge = collect_merge_of(mapping, key);
    if (mapping->expand == EXPAND_CONTAINER)
        choice->elements = partner_of(config, EXPAND_ELEMENTS, key, tenant);
    if (mapping->expand != EXPAND_ELEMENTS)
        return;
    const struct mapping *container = partner_of(config, EXPAND_CONTAINER, key, tenant);
    if (!container)
        return;
    choice->elements = mapping;
    choice->mapping = container;
}

struct localstorage_choice localstorage_choose(const struct collect_config *config,
                                               struct bytes key, struct bytes tenant,
                                               const struct localstorage_tenants *tenants)
{
    struct localstorage_choice choice = {0};
    struct bytes other;
    for (enum rank rank = RANK_NAME; rank < RANKS; rank++) {
        const struct mapping *mapping = first_at(config, rank, key, tenant);
        if (mapping) {
            set_mapping(&choice, config, mapping, key, tenant);
            choice.any = rank == RANK_ANY;
            choice.named = rank <= RANK_TENANT;
            choice.own = rank == RANK_TENANT || names_own(mapping, key, tenant);
            if (merges_unowned(mapping, key, tenant, tenants))
                choice.use = LOCALSTORAGE_UNOWNED;
            return choice;
        }
        if (rank == RANK_TENANT && localstorage_names_tenant(config, key, &other)) {
            choice.use = tenant.size ? LOCALSTORAGE_UNOWNED : LOCALSTORAGE_NO_TENANT;
            return choice;
        }
    }
    return choice;
}

bool localstorage_key_fits(struct mapping *const *mappings, size_t mapping_count, struct bytes key,
                           bool *part)
{
    struct bytes other;
    *part = false;
    for (size_t i = 0; i < mapping_count; i++)
        for (size_t k = 0; k < mappings[i]->collect_key_count; k++) {
            const char *pattern = mappings[i]->collect_keys[k];
            enum rank rank = rank_of(pattern);
            if (rank != RANK_ANY && fits(pattern, key, (struct bytes){0}, &other)) {
                *part = rank != RANK_NAME;
                return true;
            }
        }
    return false;
}
