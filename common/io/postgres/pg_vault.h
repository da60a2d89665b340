#ifndef DROVER_IO_PG_VAULT_H
#define DROVER_IO_PG_VAULT_H

/*
 * drover.credential_vault: the sealed values that rows refer to. Workers fill it in the transaction
 * that writes the rows, before them, so that no reference ever dangles (fault row X08); a row that
 * was refused leaves a box behind that nothing refers to, which `drover secret sweep` removes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/io/mappings.h"
#include "common/io/settings.h"
#include "common/policy/secrets/secret_box.h"

typedef struct pg_conn PGconn; /* libpq's */
struct writer;
struct batch;
struct batch_group;
struct pg_param;

/* Whether `count` records from order[first] on have boxes. */
bool pg_vault_has(const struct batch *batch, size_t first, size_t count);
/* The insert of their boxes, for the tenant that was set, and its parameters: views of `memory`
 * (reset first) and of the batch. The number of parameters, 0 when there are no boxes. */
#define PG_VAULT_PARAMS 7
extern const char PG_VAULT_INSERT[];
int pg_vault_params(const struct batch *batch, const struct batch_group *group, size_t first,
                    size_t count, struct buf *memory, struct pg_param *params);
/* Queues one insert of their boxes, for the tenant that was set; nothing when there are none. */
void pg_vault_queue(struct writer *writer, const struct batch_group *group, size_t first,
                    size_t count);

/* ---- for commands, on sessions of their own: a reader has the verifier's role and sees all
 * tenants, a writer has the worker's and sees the one it entered. Failures are those of pg_session,
 * and of `visit`. */

/* *session is the caller's (pg_vault_close), NULL after a failure. */
MUST_USE enum outcome pg_vault_open(const struct settings *settings, bool writer, PGconn **session,
                                    struct error *err);
/* NULL is taken. */
void pg_vault_close(PGconn *session);

struct vault_row {
    struct bytes tenant, reference, entity, id, field, key_id, box;
    struct bytes created, rotated; /* ISO 8601; rotated empty: never */
};
/* Another outcome than OUT_OK ends the walk. */
typedef enum outcome vault_visit(void *owner, const struct vault_row *row, struct error *err);

/* All rows, or those of `tenant` when it is not empty, or the one with `reference` when that is not
 * empty either; in key order. */
MUST_USE enum outcome pg_vault_each(PGconn *reader, struct bytes tenant, struct bytes reference,
                                    vault_visit *visit, void *owner, struct error *err);

/* Begins a transaction that acts for this tenant. */
MUST_USE enum outcome pg_vault_begin(PGconn *writer, struct bytes tenant, struct error *err);
MUST_USE enum outcome pg_vault_commit(PGconn *writer, struct error *err);
/* Puts `box` in the place of the row's, unless somebody else was faster. */
MUST_USE enum outcome pg_vault_reseal(PGconn *writer, const struct vault_row *row, struct bytes box,
                                      struct error *err);

/* Entries no row refers to, and references without an entry. Only entities of these mappings are
 * looked at: other migrations may share the vault. Records that wait for their parents count as
 * rows. `visit` gets the tenant and the reference alone. */
MUST_USE enum outcome pg_vault_orphans(PGconn *reader, const struct mapping_set *mappings,
                                       struct bytes tenant, vault_visit *visit, void *owner,
                                       struct error *err);
MUST_USE enum outcome pg_vault_dangling(PGconn *reader, const struct mapping_set *mappings,
                                        struct bytes tenant, vault_visit *visit, void *owner,
                                        struct error *err);
/* Removes the tenant's orphans that are older than an hour, in a transaction begun and still to be
 * ended. Workers wait meanwhile: the row of a box that was there already could come in between. */
MUST_USE enum outcome pg_vault_sweep(PGconn *writer, const struct mapping_set *mappings,
                                     struct bytes tenant, uint64_t *removed, struct error *err);

#endif
