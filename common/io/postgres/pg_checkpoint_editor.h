#ifndef DROVER_IO_PG_CHECKPOINT_EDITOR_H
#define DROVER_IO_PG_CHECKPOINT_EDITOR_H

/* The checkpoint editor over drover.partition_progress, with the workers' rights. */

#include "common/io/settings.h"
#include "common/port/checkpoint_editor.h"

MUST_USE enum outcome pg_checkpoint_editor_open(const struct settings *settings, int timeout_ms,
                                                struct checkpoint_editor **editor,
                                                struct error *err);

#endif
