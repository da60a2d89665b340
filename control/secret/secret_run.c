/* What the commands of the vault need: key, reader, writer. */

#include "common/io/key_file.h"
#include "common/io/postgres/pg_session.h"
#include "control/secret/cmd_secret.h"

enum { CONNECT_MS = 10000 };

enum outcome secret_run_need_key(struct secret_run *run, struct error *err)
{
    enum outcome outcome = key_file_load(run->settings, &run->ring, &run->has_ring, err);
    if (outcome != OUT_OK || run->has_ring)
        return outcome;
    error_set(err, OUT_FATAL, ERR_SECRET_KEY, "no key file is named");
    error_hint(err, "give --key-file FILE, or secrets.key_file in drover.yaml");
    return OUT_FATAL;
}

enum outcome secret_run_need_reader(struct secret_run *run, struct error *err)
{
    const struct settings *settings = run->settings;
    return pg_session_open(settings->database_url, settings->verifier_role, "drover-secret",
                           CONNECT_MS, &run->reader, err);
}

enum outcome secret_run_need_writer(struct secret_run *run, struct error *err)
{
    const struct settings *settings = run->settings;
    return pg_session_open(settings->database_url, settings->worker_role, "drover-secret",
                           CONNECT_MS, &run->writer, err);
}

struct secret_place secret_run_place(const struct vault_row *row)
{
    return (struct secret_place){row->tenant, row->entity, row->id, row->field};
}
