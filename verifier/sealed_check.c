/* Sealed values: the box that a message of the topic carries against the one in the vault. Boxes
 * of one value under one key are the same bytes; after a rotation they are not, and both are opened
 * and compared. */
#include <stdlib.h>

#include <sodium.h>

#include "common/io/key_file.h"
#include "common/io/postgres/pg_stored.h"
#include "common/io/postgres/pg_vault.h"
#include "common/model/message/envelope.h"
#include "common/policy/secrets/secret_guard.h"
#include "verifier/beside.h"

#define BOX_MOST (1u << 20)

struct verify_sealed_check {
    struct secret_ring ring;
    PGconn *vault;
    struct buf box, left, right;
};

static void wipe(struct buf *buf)
{
    if (buf->data)
        sodium_memzero(buf->data, buf->capacity);
    buf_free(buf);
}

enum outcome beside_sealed_open(struct verify_run *run, struct error *err)
{
    bool present = false;
    struct verify_sealed_check *check = calloc(1, sizeof *check);
    if (!check)
        abort();
    buf_init(&check->box, BOX_MOST);
    buf_init(&check->left, BOX_MOST);
    buf_init(&check->right, BOX_MOST);
    run->sealed = check;
    if (!run->snapshot)
        return OUT_OK;
    enum outcome outcome = key_file_load(run->settings, &check->ring, &present, err);
    if (outcome == OUT_OK && present)
        outcome = pg_stored_snapshot(run->settings, "drover-verify", &check->vault, err);
    return outcome;
}

void beside_sealed_close(struct verify_run *run)
{
    struct verify_sealed_check *check = run->sealed;
    if (!check)
        return;
    PQfinish(check->vault);
    secret_ring_wipe(&check->ring);
    buf_free(&check->box);
    wipe(&check->left);
    wipe(&check->right);
    free(check);
    run->sealed = NULL;
}

static enum outcome keep_box(void *owner, const struct vault_row *row, struct error *err)
{
    (void)err;
    buf_append_bytes(owner, row->box);
    return OUT_OK;
}

/* Both must open at the record's own place, to the same text. */
static bool same_value(struct verify_sealed_check *check, const struct record *record,
                       const struct sealed_box *sealed)
{
    const struct secret_place place = {record->tenant, record->entity, record->id, sealed->field};
    return secret_box_open(&check->ring, &place, sealed->box, &check->left, NULL) == OUT_OK &&
           secret_box_open(&check->ring, &place, buf_view(&check->box), &check->right, NULL) ==
               OUT_OK &&
           bytes_equal(buf_view(&check->left), buf_view(&check->right));
}

enum box_state { BOX_MATCH, BOX_MISSING, BOX_DIFFERENT };

static enum outcome compare_box(struct verify_run *run, const struct record *record,
                                const struct sealed_box *sealed, enum box_state *state,
                                struct error *err)
{
    struct verify_sealed_check *check = run->sealed;
    buf_reset(&check->box);
    enum outcome outcome =
        pg_vault_each(check->vault, record->tenant, sealed->reference, keep_box, &check->box, err);
    if (outcome != OUT_OK)
        return outcome;
    *state = check->box.size == 0                ? BOX_MISSING
             : same_value(check, record, sealed) ? BOX_MATCH
                                                 : BOX_DIFFERENT;
    return OUT_OK;
}

enum outcome beside_sealed(struct verify_run *run, const struct record *record, bool *broken,
                           struct error *err)
{
    size_t at = 0;
    bool bad = false;
    struct sealed_box sealed;
    enum box_state state = BOX_MATCH;
    struct verify_sealed *counts = &run->report.beside.sealed;
    enum outcome outcome = OUT_OK;
    *broken = false;
    while (outcome == OUT_OK && secret_sealed_next(record->sealed, &at, &sealed, &bad)) {
        if (!run->sealed->vault) {
            counts->not_compared++;
            continue;
        }
        outcome = compare_box(run, record, &sealed, &state, err);
        counts->match += state == BOX_MATCH;
        *broken = *broken || state != BOX_MATCH;
    }
    *broken = *broken || bad;
    return outcome;
}

/* ---- the second look */

static void sample_box(struct verify_run *run, const struct record *record,
                       const struct sealed_box *sealed, enum box_state state)
{
    struct verify_sample *sample =
        verify_report_sample_beside(&run->report, VERIFY_LIST_SEALED,
                                    state == BOX_MISSING ? VERDICT_MISSING : VERDICT_DIFFERENT);
    if (!sample)
        return;
    buf_reset(&run->key);
    envelope_append_key(&run->key, record->tenant, record->entity, record->id);
    sample->key = diff_key_of(buf_view(&run->key));
    sample->tenant = verify_report_copy(&run->report, record->tenant);
    sample->entity = verify_report_copy(&run->report, record->entity);
    sample->id = verify_report_copy(&run->report, record->id);
    sample->name = verify_report_copy(&run->report, sealed->field);
    sample->reason = bytes_text(state == BOX_MISSING
                                    ? "the row's reference has no box in the vault"
                                    : "the box in the vault does not open to the source's value at "
                                      "this place");
}

enum outcome beside_sealed_refresh(struct verify_run *run, struct error *err)
{
    struct verify_sealed_check *check = run->sealed;
    if (!check->vault)
        return OUT_OK;
    PQfinish(check->vault);
    check->vault = NULL;
    return pg_stored_snapshot(run->settings, "drover-verify", &check->vault, err);
}

enum outcome beside_sealed_look(struct verify_run *run, const struct record *record,
                                struct error *err)
{
    size_t at = 0;
    bool bad = false;
    struct sealed_box sealed;
    enum box_state state = BOX_MATCH;
    struct verify_sealed *counts = &run->report.beside.sealed;
    enum outcome outcome = OUT_OK;
    while (outcome == OUT_OK && run->sealed->vault &&
           secret_sealed_next(record->sealed, &at, &sealed, &bad)) {
        outcome = compare_box(run, record, &sealed, &state, err);
        if (outcome != OUT_OK || state == BOX_MATCH)
            continue;
        counts->missing += state == BOX_MISSING;
        counts->different += state == BOX_DIFFERENT;
        sample_box(run, record, &sealed, state);
    }
    counts->different += bad;
    return outcome;
}
