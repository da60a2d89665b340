/* Sealed values: the box that a message of the topic carries against the one in the vault. Boxes
 * of one value under one key are the same bytes; after a rotation they are not, and both are opened
 * and compared. */
#include <stdlib.h>

#include <sodium.h>

#include "common/io/key_file.h"
#include "common/io/pg_stored.h"
#include "common/io/pg_vault.h"
#include "common/policy/secret_guard.h"
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

static enum outcome compare_box(struct verify_run *run, const struct record *record,
                                const struct sealed_box *sealed, struct error *err)
{
    struct verify_sealed_check *check = run->sealed;
    struct verify_sealed *counts = &run->report.beside.sealed;
    if (!check->vault) {
        counts->not_compared++;
        return OUT_OK;
    }
    buf_reset(&check->box);
    enum outcome outcome =
        pg_vault_each(check->vault, record->tenant, sealed->reference, keep_box, &check->box, err);
    if (outcome != OUT_OK)
        return outcome;
    if (check->box.size == 0)
        counts->missing++;
    else if (same_value(check, record, sealed))
        counts->match++;
    else
        counts->different++;
    return OUT_OK;
}

enum outcome beside_sealed(struct verify_run *run, const struct record *record, struct error *err)
{
    size_t at = 0;
    bool bad = false;
    struct sealed_box sealed;
    enum outcome outcome = OUT_OK;
    while (outcome == OUT_OK && secret_sealed_next(record->sealed, &at, &sealed, &bad))
        outcome = compare_box(run, record, &sealed, err);
    if (bad)
        run->report.beside.sealed.different++;
    return outcome;
}
