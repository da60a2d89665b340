#ifndef DROVER_IO_BYTE_SOURCE_H
#define DROVER_IO_BYTE_SOURCE_H

/*
 * Bytes of a file or of standard input, decompressed when they begin as gzip or zstd do. Memory is
 * two buffers, whatever the size. Only regular files are opened (FIFOs, devices and folders are
 * refused by name, without waiting for anybody); read(2), never mmap: a file cut while it is read
 * is an error and not a signal (fault rows S05, S10). A folder that is a browser's profile is read
 * as the document chromium_profile.h makes of it; its size is that of the files behind it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/hash.h"

#define BYTE_SOURCE_CHUNK (256 * 1024)

struct byte_source;

/* `path` "-" is standard input. OUT_REJECT DRV-S001 (cannot be opened), DRV-S007 (what it is) or
 * DRV-S012 (a profile that cannot be read). */
MUST_USE enum outcome byte_source_open(const char *path, struct byte_source **source,
                                       struct error *err);
void byte_source_close(struct byte_source *source);

/* Before the first call of next, of a file: only bytes [from, to) are read, as they are stored, and
 * what is written behind them meanwhile is no change of the source. OUT_REJECT as of next. */
MUST_USE enum outcome byte_source_select(struct byte_source *source, uint64_t from, uint64_t to,
                                         struct error *err);

/* OUT_OK: *chunk, valid until the next call; empty at the end.
 * OUT_RETRY: nothing came on standard input for 100 ms, or a signal did: look around, call again.
 * OUT_REJECT: this source is damaged (DRV-S005), or it changed since it was opened (DRV-S006, said
 * at its end). OUT_FATAL DRV-S002: the disk. The error says how far it was read. */
MUST_USE enum outcome byte_source_next(struct byte_source *source, struct bytes *chunk,
                                       struct error *err);

bool byte_source_is_stream(const struct byte_source *source);
/* Bytes as stored: read so far, and in all (0 for standard input). */
uint64_t byte_source_done(const struct byte_source *source);
uint64_t byte_source_size(const struct byte_source *source);
/* Unix time of the last modification; 0 for standard input. */
int64_t byte_source_modified_ms(const struct byte_source *source);

/* XXH3-128 of the bytes read so far, as they are stored (of a profile: of the document made of it),
 * and how many they are. */
uint64_t byte_source_digest(const struct byte_source *source, struct digest *digest);
/* The same of a source's first `count` bytes (UINT64_MAX: of all), which are read for it; *read:
 * how many there were. Failures as of open and next; OUT_RETRY: `go_on` said no. */
MUST_USE enum outcome byte_source_digest_of(const char *path, uint64_t count,
                                            bool (*go_on)(void *owner), void *owner,
                                            struct digest *digest, uint64_t *read,
                                            struct error *err);
/* Whether a place in what is read is the same place in what is stored: it is not compressed, and no
 * profile. */
bool byte_source_is_plain(const struct byte_source *source);

#endif
