#ifndef DROVER_CONTROL_CMD_SECRET_H
#define DROVER_CONTROL_CMD_SECRET_H

/* What the parts of `drover secret` share: the key, the tenant named, sessions. */

#include "common/io/postgres/pg_vault.h"
#include "common/policy/secrets/secret_key.h"
#include "control/command.h"

struct secret_run {
    const struct settings *settings;
    struct answer *answer;
    struct secret_ring ring;
    bool has_ring;
    struct buf tenant;               /* isolation key; empty: none named */
    struct pg_conn *reader, *writer; /* of the vault (pg_vault_open) */
};

/* DRV-X005 when there is no key. */
MUST_USE enum outcome secret_run_need_key(struct secret_run *run, struct error *err);
struct secret_place secret_run_place(const struct vault_row *row);

enum exit_code secret_rotate(struct secret_run *run, struct error *err);
enum exit_code secret_check(struct secret_run *run, struct error *err);
enum exit_code secret_sweep(struct secret_run *run, struct error *err);

#endif
