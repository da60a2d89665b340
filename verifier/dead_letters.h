#ifndef DROVER_VERIFIER_DEAD_LETTERS_H
#define DROVER_VERIFIER_DEAD_LETTERS_H

#include "verifier/verify_run.h"

/* Reads what is in the dead-letter topic since the last call into run->dead. A dead letter is
 * acknowledged before its batch commits, so reading after the snapshot finds every one below the
 * snapshot. OUT_FATAL DRV-Y001 (read_once: DRV-F003) when they do not fit their share of the
 * memory. */
MUST_USE enum outcome dead_letters_read(struct verify_run *run, struct error *err);

#endif
