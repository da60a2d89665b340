#ifndef DROVER_IO_FILE_CHECKPOINT_EDITOR_H
#define DROVER_IO_FILE_CHECKPOINT_EDITOR_H

/* The checkpoint editor over the file store's database, beside the worker that has it. */

#include "common/io/settings.h"
#include "common/port/checkpoint_editor.h"

/* OUT_FATAL DRV-F001: there is no file store yet. */
MUST_USE enum outcome file_checkpoint_editor_open(const struct settings *settings, int timeout_ms,
                                                  struct checkpoint_editor **editor,
                                                  struct error *err);

#endif
