/*
 * The vault as a whole. rotate: the new key is in the file before the first box is sealed with it,
 * and boxes under it are left alone, so that an interrupted run is simply started again. Rows are
 * not touched: references do not change with the key.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/io/key_file.h"
#include "common/io/mappings.h"
#include "common/io/terminal.h"
#include "common/io/terminal_live.h"
#include "control/secret/cmd_secret.h"

enum {
    TEXT_MAX = 1 << 20,
    TENANTS_MAX = 64 << 20,
    GROUP_MAX = 500, /* boxes a transaction */
    SHOWN_MAX = 20,  /* of each kind of trouble */
    PROGRESS_MS = 200,
};

enum outcome secret_run_need_key(struct secret_run *run, struct error *err)
{
    enum outcome outcome = key_file_load(run->settings, &run->ring, &run->has_ring, err);
    if (outcome != OUT_OK || run->has_ring)
        return outcome;
    error_set(err, OUT_FATAL, ERR_SECRET_KEY, "no key file is named");
    error_hint(err, "give --key-file FILE, or secrets.key_file in drover.yaml");
    return OUT_FATAL;
}

struct secret_place secret_run_place(const struct vault_row *row)
{
    return (struct secret_place){row->tenant, row->entity, row->id, row->field};
}

static const unsigned char *newest(const struct secret_run *run)
{
    return run->ring.keys[run->ring.count - 1].id;
}

static bool is_newest(const struct secret_run *run, const struct vault_row *row)
{
    const unsigned char *id = secret_box_key_id(row->box);
    return id && memcmp(id, newest(run), SECRET_KEY_ID_SIZE) == 0;
}

/* ---- rotate ---------------------------------------------------------------------------------- */

struct rotation {
    struct secret_run *run;
    struct buf tenant, box; /* of the transaction; of one box */
    bool open;
    int in_group;
    uint64_t total, seen, resealed;
    uint64_t told_ms;
    struct terminal_live live; /* how far it is */
};

static enum outcome count_old(void *owner, const struct vault_row *row, struct error *err)
{
    struct rotation *rotation = owner;
    (void)err;
    rotation->total += !is_newest(rotation->run, row);
    return OUT_OK;
}

static void tell_progress(struct rotation *rotation)
{
    uint64_t now_ms = clock_monotonic_ms();
    if (!terminal_is(STDERR_FILENO) || now_ms - rotation->told_ms < PROGRESS_MS)
        return;
    char line[96];
    rotation->told_ms = now_ms;
    int size = snprintf(line, sizeof line, "%" PRIu64 " of %" PRIu64 " sealed anew\n",
                        rotation->resealed, rotation->total);
    terminal_live_draw(&rotation->live, bytes_of(line, (size_t)size));
}

static enum outcome end_group(struct rotation *rotation, struct error *err)
{
    if (!rotation->open)
        return OUT_OK;
    rotation->open = false;
    rotation->in_group = 0;
    return pg_vault_commit(rotation->run->writer, err);
}

static enum outcome begin_group(struct rotation *rotation, struct bytes tenant, struct error *err)
{
    bool same = rotation->open && bytes_equal(buf_view(&rotation->tenant), tenant);
    if (same && rotation->in_group < GROUP_MAX)
        return OUT_OK;
    enum outcome outcome = end_group(rotation, err);
    if (outcome == OUT_OK)
        outcome = pg_vault_begin(rotation->run->writer, tenant, err);
    rotation->open = outcome == OUT_OK;
    buf_reset(&rotation->tenant);
    buf_append_bytes(&rotation->tenant, tenant);
    return outcome;
}

static enum outcome reseal_row(void *owner, const struct vault_row *row, struct error *err)
{
    struct rotation *rotation = owner;
    struct secret_place place = secret_run_place(row);
    if (is_newest(rotation->run, row))
        return OUT_OK;
    buf_reset(&rotation->box);
    enum outcome outcome =
        secret_box_reseal(&rotation->run->ring, &place, row->box, &rotation->box, err);
    if (outcome != OUT_OK) {
        error_where(err, "%.*s", BYTES_ARGS(row->reference));
        return outcome;
    }
    outcome = begin_group(rotation, row->tenant, err);
    if (outcome == OUT_OK)
        outcome = pg_vault_reseal(rotation->run->writer, row, buf_view(&rotation->box), err);
    rotation->in_group++;
    rotation->resealed += outcome == OUT_OK;
    tell_progress(rotation);
    return outcome;
}

/* A rotation that was interrupted is finished with the key it began with. */
static enum outcome prepare_key(struct rotation *rotation, struct error *err)
{
    struct secret_run *run = rotation->run;
    const struct bytes all = {0};
    enum outcome outcome = pg_vault_each(run->reader, all, all, count_old, rotation, err);
    if (outcome != OUT_OK)
        return outcome;
    if (rotation->total > 0 && run->ring.count > 1) {
        fprintf(stderr,
                "%" PRIu64 " secrets are still under an older key: sealing them with the "
                "newest one there is; run rotate again for another\n",
                rotation->total);
        return OUT_OK;
    }
    rotation->total = 0;
    if (!secret_ring_add(&run->ring)) {
        return error_set(err, OUT_FATAL, ERR_SECRET_KEY, "the key file is full: it has %d keys",
                         SECRET_KEYS_MAX);
    }
    outcome = key_file_replace(run->settings->key_file, &run->ring, err);
    if (outcome == OUT_OK)
        outcome = pg_vault_each(run->reader, all, all, count_old, rotation, err);
    return outcome;
}

static void print_rotation(const struct rotation *rotation)
{
    char key[2 * SECRET_KEY_ID_SIZE + 1];
    const struct secret_run *run = rotation->run;
    sodium_bin2hex(key, sizeof key, newest(run), SECRET_KEY_ID_SIZE);
    if (run->answer->wanted) {
        struct json_out *out = answer_body(run->answer);
        json_out_text(out, "key_id", key);
        json_out_count(out, "keys", run->ring.count);
        json_out_count(out, "resealed", rotation->resealed);
    } else {
        printf("%" PRIu64 " secrets sealed anew with key %s; %s has %zu keys now\n"
               "Copy the file to every host that produces or verifies, then start them again.\n",
               rotation->resealed, key, run->settings->key_file, run->ring.count);
    }
}

enum exit_code secret_rotate(struct secret_run *run, struct error *err)
{
    struct rotation rotation = {.run = run};
    const struct bytes all = {0};
    buf_init(&rotation.tenant, TEXT_MAX);
    buf_init(&rotation.box, TENANTS_MAX);
    terminal_live_open(&rotation.live, STDERR_FILENO);
    enum outcome outcome = secret_run_need_key(run, err);
    if (outcome == OUT_OK)
        outcome = pg_vault_open(run->settings, false, &run->reader, err);
    if (outcome == OUT_OK)
        outcome = pg_vault_open(run->settings, true, &run->writer, err);
    if (outcome == OUT_OK)
        outcome = prepare_key(&rotation, err);
    if (outcome == OUT_OK)
        outcome = pg_vault_each(run->reader, all, all, reseal_row, &rotation, err);
    if (outcome == OUT_OK)
        outcome = end_group(&rotation, err);
    terminal_live_close(&rotation.live);
    if (outcome == OUT_OK)
        print_rotation(&rotation);
    buf_free(&rotation.tenant);
    buf_free(&rotation.box);
    return outcome == OUT_OK ? EXIT_OK : command_fail(err);
}

/* ---- check ----------------------------------------------------------------------------------- */

struct checking {
    struct secret_run *run;
    struct buf plain, troubles; /* the latter: what is printed */
    const char *trouble;        /* of the walk at work */
    uint64_t *count;
    uint64_t entries, older, closed, orphans, dangling;
};

static void note_trouble(struct checking *checking, const struct vault_row *row)
{
    if (++*checking->count > SHOWN_MAX)
        return;
    if (checking->run->answer->wanted) {
        struct json_out *out = answer_body(checking->run->answer);
        json_out_object(out, NULL);
        json_out_bytes(out, "reference", row->reference);
        json_out_bytes(out, "tenant", row->tenant);
        json_out_text(out, "trouble", checking->trouble);
        json_out_end(out);
        return;
    }
    buf_append_format(&checking->troubles, "  %.*s  ", BYTES_ARGS(row->reference));
    text_append_safe(&checking->troubles, row->tenant, 64);
    buf_append_format(&checking->troubles, "  %s\n", checking->trouble);
}

static enum outcome check_row(void *owner, const struct vault_row *row, struct error *err)
{
    struct checking *checking = owner;
    struct secret_place place = secret_run_place(row);
    (void)err;
    checking->entries++;
    checking->older += !is_newest(checking->run, row);
    if (secret_box_open(&checking->run->ring, &place, row->box, &checking->plain, NULL) != OUT_OK)
        note_trouble(checking, row);
    else if (checking->plain.data)
        sodium_memzero(checking->plain.data, checking->plain.capacity);
    return OUT_OK;
}

static enum outcome check_pair(void *owner, const struct vault_row *row, struct error *err)
{
    (void)err;
    note_trouble(owner, row);
    return OUT_OK;
}

static void begin_walk(struct checking *checking, const char *trouble, uint64_t *count)
{
    checking->trouble = trouble;
    checking->count = count;
}

static enum outcome check_all(struct checking *checking, const struct mapping_set *mappings,
                              struct error *err)
{
    struct pg_conn *reader = checking->run->reader;
    struct bytes tenant = buf_view(&checking->run->tenant);
    begin_walk(checking, "does not open", &checking->closed);
    enum outcome outcome =
        pg_vault_each(reader, tenant, (struct bytes){0}, check_row, checking, err);
    begin_walk(checking, "a row refers to it, and the vault does not have it", &checking->dangling);
    if (outcome == OUT_OK)
        outcome = pg_vault_dangling(reader, mappings, tenant, check_pair, checking, err);
    begin_walk(checking, "no row refers to it", &checking->orphans);
    if (outcome == OUT_OK)
        outcome = pg_vault_orphans(reader, mappings, tenant, check_pair, checking, err);
    return outcome;
}

static void print_check(struct checking *checking)
{
    if (checking->run->answer->wanted) {
        struct json_out *out = answer_body(checking->run->answer);
        json_out_end(out);
        json_out_count(out, "entries", checking->entries);
        json_out_count(out, "closed", checking->closed);
        json_out_count(out, "under_older_keys", checking->older);
        json_out_count(out, "orphans", checking->orphans);
        json_out_count(out, "dangling", checking->dangling);
        return;
    }
    printf("%" PRIu64 " secrets: %" PRIu64 " open, %" PRIu64 " do not; %" PRIu64
           " under older keys; %" PRIu64 " orphans; %" PRIu64 " dangling references\n%s",
           checking->entries, checking->entries - checking->closed, checking->closed,
           checking->older, checking->orphans, checking->dangling, buf_text(&checking->troubles));
    if (checking->orphans)
        printf("drover secret sweep removes orphans older than an hour\n");
}

enum exit_code secret_check(struct secret_run *run, struct error *err)
{
    struct checking checking = {.run = run};
    struct mapping_set mappings;
    if (mapping_set_load(run->settings, &mappings, err) != OUT_OK)
        return command_fail(err);
    buf_init(&checking.plain, TENANTS_MAX);
    buf_init(&checking.troubles, TEXT_MAX);
    enum outcome outcome = secret_run_need_key(run, err);
    if (outcome == OUT_OK)
        outcome = pg_vault_open(run->settings, false, &run->reader, err);
    if (outcome == OUT_OK && run->answer->wanted)
        json_out_list(answer_body(run->answer), "troubles");
    if (outcome == OUT_OK)
        outcome = check_all(&checking, &mappings, err);
    enum exit_code code = outcome == OUT_OK ? EXIT_OK : command_fail(err);
    if (outcome == OUT_OK)
        print_check(&checking);
    if (outcome == OUT_OK && checking.closed + checking.dangling > 0)
        code = EXIT_DISCREPANCY;
    buf_free(&checking.plain);
    buf_free(&checking.troubles);
    mapping_set_free(&mappings);
    return code;
}

/* ---- sweep ----------------------------------------------------------------------------------- */

struct sweeping {
    struct buf tenants; /* each with its size before it; those with orphans */
    struct buf last;
};

static enum outcome note_tenant(void *owner, const struct vault_row *row, struct error *err)
{
    struct sweeping *sweeping = owner;
    (void)err;
    if (sweeping->last.size && bytes_equal(buf_view(&sweeping->last), row->tenant))
        return OUT_OK;
    buf_reset(&sweeping->last);
    buf_append_bytes(&sweeping->last, row->tenant);
    buf_append(&sweeping->tenants, &row->tenant.size, sizeof row->tenant.size);
    buf_append_bytes(&sweeping->tenants, row->tenant);
    return OUT_OK;
}

static enum outcome sweep_tenants(struct secret_run *run, const struct sweeping *sweeping,
                                  const struct mapping_set *mappings, uint64_t *removed,
                                  struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t at = 0; outcome == OUT_OK && at < sweeping->tenants.size;) {
        size_t size;
        uint64_t gone = 0;
        memcpy(&size, sweeping->tenants.data + at, sizeof size);
        struct bytes tenant = bytes_of(sweeping->tenants.data + at + sizeof size, size);
        at += sizeof size + size;
        outcome = pg_vault_sweep(run->writer, mappings, tenant, &gone, err);
        if (outcome == OUT_OK)
            outcome = pg_vault_commit(run->writer, err);
        *removed += gone;
    }
    return outcome;
}

enum exit_code secret_sweep(struct secret_run *run, struct error *err)
{
    struct sweeping sweeping;
    struct mapping_set mappings;
    uint64_t removed = 0;
    if (mapping_set_load(run->settings, &mappings, err) != OUT_OK)
        return command_fail(err);
    buf_init(&sweeping.tenants, TENANTS_MAX);
    buf_init(&sweeping.last, TEXT_MAX);
    enum outcome outcome = pg_vault_open(run->settings, false, &run->reader, err);
    if (outcome == OUT_OK)
        outcome = pg_vault_open(run->settings, true, &run->writer, err);
    if (outcome == OUT_OK)
        outcome = pg_vault_orphans(run->reader, &mappings, buf_view(&run->tenant), note_tenant,
                                   &sweeping, err);
    if (outcome == OUT_OK)
        outcome = sweep_tenants(run, &sweeping, &mappings, &removed, err);
    if (outcome == OUT_OK && run->answer->wanted)
        json_out_count(answer_body(run->answer), "removed", removed);
    else if (outcome == OUT_OK)
        printf("%" PRIu64 " orphans older than an hour removed\n", removed);
    buf_free(&sweeping.tenants);
    buf_free(&sweeping.last);
    mapping_set_free(&mappings);
    return outcome == OUT_OK ? EXIT_OK : command_fail(err);
}
