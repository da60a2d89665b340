/* `drover export`: what a store holds of one tenant, in the form it once came in. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/key_file.h"
#include "common/io/postgres/pg_snapshot.h"
#include "common/io/stores.h"
#include "common/model/json/json.h"
#include "common/model/message/tenant.h"
#include "control/command.h"
#include "control/export/export_run.h"

/* ---- one record */

static void on_secret(void *owner, enum export_secret what, struct bytes pointer)
{
    struct export_run *run = owner;
    const char *entity = run->stored->mapping->entity;
    if (what == EXPORT_OPENED)
        run->opened++;
    else if (what == EXPORT_LEFT_SEALED)
        export_run_problem(run, EXPORT_SEALED, entity, run->stored->id, "stays sealed", pointer);
    else
        export_run_problem(run, EXPORT_WITHHELD, entity, run->stored->id, "absent", pointer);
}

static bool find_box(void *owner, struct bytes tenant, struct bytes reference, struct buf *box)
{
    struct export_run *run = owner;
    struct error ignored;
    return run->vault && pg_snapshot_box(run->vault, tenant, reference, box, &ignored) == OUT_OK &&
           box->size && !box->failed;
}

static void on_text(void *owner, const struct export_record_text *part)
{
    struct export_run *run = owner;
    run->given++;
    export_sort_add(run->sort, part);
}

static bool has_outside(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].key_at < 0 &&
            (mapping->columns[i].source == FROM_KEY || mapping->columns[i].source == FROM_INDEX ||
             mapping->columns[i].source == FROM_INDEX1))
            return true;
    return false;
}

static enum outcome open_secrets(struct export_run *run, const struct stored_record *stored,
                                 yyjson_doc **doc, struct error *err)
{
    const struct secret_place place = {stored->tenant, bytes_text(stored->mapping->entity),
                                       stored->id, BYTES_LITERAL("")};
    yyjson_doc *made = NULL;
    if (!export_secrets_concern(stored->json))
        return OUT_OK;
    enum outcome outcome =
        export_secrets_open(&run->secrets, &place, yyjson_doc_get_root(*doc), &made, err);
    if (outcome == OUT_OK) {
        yyjson_doc_free(*doc);
        *doc = made;
    }
    return outcome;
}

static enum outcome make_texts(struct export_run *run, const struct stored_record *stored,
                               struct error *err)
{
    yyjson_doc *doc = NULL;
    enum outcome outcome = json_parse(stored->json, JSON_UNICODE_REPLACE, NULL, &doc, err);
    struct export_record record = {stored->mapping, stored->id, stored->cells, NULL};
    bool wanted = outcome == OUT_OK && export_wants(&run->maker, &record);
    if (wanted)
        outcome = open_secrets(run, stored, &doc, err);
    if (wanted && outcome == OUT_OK) {
        record.root = yyjson_doc_get_root(doc);
        outcome = export_make(&run->maker, &record, err);
    }
    yyjson_doc_free(doc);
    return outcome;
}

static size_t mapping_at(const struct export_run *run, const struct mapping *mapping)
{
    size_t at = 0;
    while (run->mappings.items[at] != mapping)
        at++;
    return at;
}

static bool is_wanted(struct export_run *run, const struct stored_record *stored)
{
    const char *entity = run->settings->entity;
    if (!bytes_equal(stored->tenant, buf_view(&run->tenant)) ||
        (entity && strcmp(entity, stored->mapping->entity) != 0))
        return false;
    run->found = true;
    run->deleted += stored->deleted;
    if (stored->deleted)
        return false;
    if (export_has_form(stored->mapping, run->form))
        return true;
    run->elsewhere++;
    return false;
}

static void take_record(struct export_run *run, const struct stored_record *stored)
{
    struct error why = {0};
    if (!is_wanted(run, stored))
        return;
    uint64_t given = run->given;
    run->stored = stored;
    run->unordered = run->unordered || (!stored->cells && has_outside(stored->mapping));
    if (make_texts(run, stored, &why) == OUT_OK)
        run->records[mapping_at(run, stored->mapping)] += run->given > given;
    else
        export_run_problem(run, EXPORT_UNREADABLE, stored->mapping->entity, stored->id, why.text,
                           bytes_text(why.path));
}

static enum outcome read_records(struct export_run *run, struct error *err)
{
    struct stored_record stored;
    for (;;) {
        enum outcome outcome = run->reader->ops->next(run->reader, &stored, err);
        if (outcome == OUT_REJECT) {
            if (!stored.mapping || bytes_equal(stored.tenant, buf_view(&run->tenant)))
                export_run_problem(run, EXPORT_UNREADABLE,
                                   stored.mapping ? stored.mapping->entity : "", stored.id,
                                   err->text, bytes_text(err->path));
            continue;
        }
        if (outcome != OUT_OK || !stored.mapping)
            return outcome;
        take_record(run, &stored);
    }
}

/* ---- the run */

static enum outcome name_tenant(struct export_run *run, struct error *err)
{
    const struct settings *settings = run->settings;
    enum outcome outcome = settings_append_tenant(settings, &run->tenant, err);
    if (outcome != OUT_OK)
        return outcome;
    if (run->tenant.size == 0) {
        error_set(err, OUT_FATAL, ERR_USAGE, "an export is of one tenant");
        error_hint(err, "give --tenant T");
        return OUT_FATAL;
    }
    buf_append_bytes(&run->plain_tenant, settings->given.parts.tenant_id);
    return OUT_OK;
}

static enum outcome open_store(struct export_run *run, struct error *err)
{
    const struct settings *settings = run->settings;
    const struct store_reading reading = {.only_tenant = buf_text(&run->tenant)};
    const struct store *store = store_of(settings);
    if (store->open_reader)
        return store->open_reader(settings, &run->mappings, &reading, &run->reader, err);
    return error_set(err, OUT_FATAL, ERR_USAGE, "there is nothing to export from storage: memory");
}

/* The key is optional: what it would open stays sealed, and is listed. */
static enum outcome open_vault(struct export_run *run, struct error *err)
{
    bool present = false;
    const struct settings *settings = run->settings;
    struct secret_ring *ring = mem_new(sizeof *ring);
    run->ring = ring;
    enum outcome outcome = key_file_load(settings, ring, &present, err);
    if (outcome == OUT_OK && present && store_of(settings)->has_tables)
        outcome = pg_snapshot_open(settings, "drover-export", NULL, &run->vault, err);
    if (outcome == OUT_OK && present)
        run->secrets.ring = ring;
    return outcome;
}

static enum outcome check_entity(const struct export_run *run, struct error *err)
{
    const char *entity = run->settings->entity;
    if (!entity || mapping_set_find(&run->mappings, bytes_text(entity)))
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_MAPPING_ENTITY, "there is no mapping for this entity");
    const char *nearest = mapping_set_nearest(&run->mappings, bytes_text(entity));
    if (nearest)
        error_hint(err, "did you mean \"%s\"?", nearest);
    return OUT_FATAL;
}

static enum export_form form_of(const struct settings *settings)
{
    if (strcmp(settings->export_as, "local_storage") == 0)
        return EXPORT_LOCALSTORAGE;
    return strcmp(settings->export_as, "map_dump") == 0 ? EXPORT_MAP_DUMP : EXPORT_FILE;
}

/* A name that was mistyped must not look like an export that worked. */
static enum outcome found_nothing(const struct export_run *run, struct error *err)
{
    error_set(err, OUT_FATAL, ERR_EXPORT, "the store holds no record of this tenant");
    error_where(err, "%.*s", BYTES_ARGS(buf_view(&run->tenant)));
    error_hint(err, "check the name, the storage and --entity; drover verify lists the tenants");
    return OUT_FATAL;
}

/* Two things at one place are neither. */
static enum outcome check_output(const struct export_run *run, struct error *err)
{
    if (!run->answer->wanted || strcmp(run->settings->export_to, "-") != 0)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_USAGE, "--json and --to - both write to standard output");
    error_hint(err, "give --to DIR, or leave --json out: then the summary is on standard error");
    return OUT_FATAL;
}

static enum outcome run_export(struct export_run *run, struct error *err)
{
    enum outcome outcome = check_output(run, err);
    if (outcome == OUT_OK)
        outcome = name_tenant(run, err);
    if (outcome == OUT_OK)
        outcome = mapping_set_load(run->settings, &run->mappings, err);
    if (outcome == OUT_OK)
        outcome = check_entity(run, err);
    if (outcome == OUT_OK)
        outcome = export_sort_new(&run->sort, err);
    if (outcome == OUT_OK)
        outcome = open_vault(run, err);
    if (outcome == OUT_OK)
        outcome = open_store(run, err);
    if (outcome != OUT_OK)
        return outcome;
    run->records = mem_zeroed(run->mappings.count, sizeof *run->records);
    run->maker.tenant = buf_view(&run->plain_tenant);
    run->maker.user = run->settings->user;
    run->maker.web_origin = run->settings->web_origin;
    outcome = read_records(run, err);
    if (outcome == OUT_OK && !run->found)
        outcome = found_nothing(run, err);
    run->elsewhere += run->maker.elsewhere;
    return outcome == OUT_OK ? export_write(run, err) : outcome;
}

static void free_run(struct export_run *run)
{
    if (run->reader)
        run->reader->ops->close(run->reader);
    export_sort_free(run->sort);
    export_maker_free(&run->maker);
    export_secrets_free(&run->secrets);
    if (run->ring)
        secret_ring_wipe(run->ring);
    free(run->ring);
    pg_snapshot_close(run->vault);
    mapping_set_free(&run->mappings);
    buf_free(&run->tenant);
    buf_free(&run->plain_tenant);
    buf_free(&run->files);
    free(run->records);
    free(run);
}

static bool is_complete(const struct export_run *run)
{
    for (int i = 0; i < EXPORT_PROBLEM_KINDS; i++)
        if (run->problem_counts[i])
            return false;
    return true;
}

enum exit_code export_command(const struct invocation *invocation, struct error *err)
{
    if (!command_takes_no_words(invocation, err))
        return EXIT_USAGE;
    struct export_run *run = mem_new(sizeof *run);
    run->settings = &invocation->settings;
    run->answer = invocation->answer;
    run->form = form_of(run->settings);
    buf_init(&run->tenant, 4096);
    buf_init(&run->plain_tenant, 4096);
    buf_init(&run->files, 64u << 20);
    export_maker_init(&run->maker, run->form, (struct bytes){0}, on_text, run);
    export_secrets_init(&run->secrets, NULL);
    run->secrets.find_box = find_box;
    run->secrets.tell = on_secret;
    run->secrets.owner = run;
    enum outcome outcome = run_export(run, err);
    enum exit_code code = EXIT_OK;
    if (outcome == OUT_OK)
        export_summary_print(run);
    if (outcome != OUT_OK)
        code = command_fail(err);
    else if (!is_complete(run))
        code = error_code_exit(ERR_EXPORT);
    free_run(run);
    return code;
}
