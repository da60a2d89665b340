#ifndef DROVER_IO_KEY_FILE_H
#define DROVER_IO_KEY_FILE_H

/*
 * The key file on disk (its content: policy/secrets/secret_key.h). It must be a regular file, the
 * user's own, closed to everybody else (fault row X12), and is never followed through a link.
 * Everything wrong with it is OUT_FATAL DRV-X005, before anything is produced (X07).
 *
 * A migration remembers the identity of the ring it seals with, in its state folder: with another
 * one every reference would change, and every row with it.
 */

#include <stdbool.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/policy/secrets/secret_key.h"

/* *present is false when no key file is set. Otherwise the ring is locked in memory; the caller
 * wipes it. Its identity must be settings->key_identity, when given, and the one pinned. */
MUST_USE enum outcome key_file_load(const struct settings *settings, struct secret_ring *ring,
                                    bool *present, struct error *err);
/* Remembers the ring's identity as this migration's: for whoever seals. */
MUST_USE enum outcome key_file_pin(const struct settings *settings, const struct secret_ring *ring,
                                   struct error *err);

/* A new file; one that is there is never overwritten. */
MUST_USE enum outcome key_file_create(const char *path, const struct secret_ring *ring,
                                      struct error *err);
/* Takes the old one's place at once. */
MUST_USE enum outcome key_file_replace(const char *path, const struct secret_ring *ring,
                                       struct error *err);

#endif
