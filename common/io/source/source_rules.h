#ifndef DROVER_IO_SOURCE_RULES_H
#define DROVER_IO_SOURCE_RULES_H

/*
 * Which mapping and which tenant a source file has: the same answer for everybody who reads it
 * (the producer first, the verifier again).
 *
 * Mapping: --entity; else the one whose collect.files patterns match the file's name; else the
 * only one, if it has no collect at all: what is written down counts. Tenant: the one the record
 * names (the member of its mapping, its storage); else the one given (settings->given: --tenant, a
 * context, the part of the path that --tenant-path names). A record that names another than the
 * one given is rejected.
 */

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/io/mappings.h"
#include "common/io/settings.h"
#include "common/model/json/json_stream.h"
#include "common/policy/collect/collect.h"

struct source_rules {
    const struct settings *settings;
    const struct mapping_set *mappings;
    struct buf fixed; /* isolation key of every record, or empty */
};

/* OUT_FATAL DRV-T001/T002, DRV-C008 (tenant path), DRV-M004 (--entity). */
MUST_USE enum outcome source_rules_init(struct source_rules *rules, const struct settings *settings,
                                        const struct mapping_set *mappings, struct error *err);
void source_rules_free(struct source_rules *rules);

/* Whether a mapping's collect.files takes a file of this name (without folders). */
bool source_rules_collects(const struct source_rules *rules, const char *name);
/* OUT_FATAL DRV-M004 that names the choices. */
MUST_USE enum outcome source_rules_mapping(const struct source_rules *rules, const char *path,
                                           const struct mapping **mapping, struct error *err);
/* Appends the isolation key given for the file's records; nothing when none is (the mapping names
 * a member then). OUT_REJECT DRV-T001 (the path does not match), DRV-T002; OUT_FATAL
 * DRV-C009 when nothing names a tenant. */
MUST_USE enum outcome source_rules_tenant(const struct source_rules *rules,
                                          const struct mapping *mapping, const char *path,
                                          struct buf *tenant, struct error *err);
/* The same for sources of several entities, where it is no failure that none is given. `*plain`:
 * the plain tenant id behind it, as keys of a storage name it, or empty. */
MUST_USE enum outcome source_rules_given(const struct source_rules *rules, const char *path,
                                         struct buf *tenant, struct bytes *plain,
                                         struct error *err);
/* Appends what the path itself decides on: the entities whose patterns its name matches, and the
 * tenant it names. Two names of one file that differ in it are two sources. */
void source_rules_append_way(const struct source_rules *rules, const char *path, struct buf *out);
/* Where the tenant comes from, for people: "from each record (/shop)", "acme, from --tenant, for
 * records that name none". */
void source_rules_say_tenant(const struct source_rules *rules, struct buf *out);
/* Whether tokens and secrets are looked for in every member of a source of this form
 * (secrets.detect); what the mapping seals and withholds is taken out in any case. */
bool source_rules_detects(const struct source_rules *rules, enum collect_form form);
/* Of settings->format. What nobody declared is found out by looking, but for a mapping whose key is
 * the member's name ($key): its files are objects keyed by it, whatever the members hold. */
enum json_shape source_rules_shape(const struct source_rules *rules, const struct mapping *mapping);
/* What a record of the mapping has for its key: an object without it is none. */
void source_rules_expect(const struct mapping *mapping, struct json_expected *expected);

#endif
