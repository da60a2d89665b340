#ifndef DROVER_IO_CHROMIUM_PROFILE_INTERNAL_H
#define DROVER_IO_CHROMIUM_PROFILE_INTERNAL_H

/*
 * Parts of the profile reader. Three processes, so that LevelDB, which asserts on what it reads,
 * can end none but its own:
 *
 *   owner (chromium_profile.c) ◄─ words ─ keeper (chromium_keeper.c): makes and removes the copy
 *          ▲                               │ starts
 *          └──────── document ──────── reader (chromium_reader.c): LevelDB
 *
 * The keeper runs no code of others and outlives the other two: the copy, which holds values in
 * plain, goes whichever of them is killed. Should it be killed itself, its reader goes with it, and
 * its owner, or whoever copies next, removes what it left.
 */

#include "common/base/buf.h"
#include "common/io/source/chromium_profile.h"

/* ---- chromium_profile_copy.c ---- */

/* Newest time and size of the files that hold data. */
bool chromium_copy_measure(const char *database, struct chromium_files *files);
/* Copies into a new folder that only we can read, and keeps it locked: a copy that nobody has
 * locked is one of a process that was killed, and is removed by whoever copies next. OUT_RETRY: a
 * file went away while it was copied. OUT_REJECT DRV-S012. */
struct chromium_copy {
    struct buf path; /* empty: none */
    int lock;
};
void chromium_copy_init(struct chromium_copy *copy);
/* `owner` is the process whose name the copy bears; `size` as measured: a place without twice that
 * room is left alone. */
MUST_USE enum outcome chromium_copy_make(const char *database, int owner, uint64_t size,
                                         struct chromium_copy *copy, struct error *err);
/* Removes it and what is in it. */
void chromium_copy_remove(struct chromium_copy *copy);
void chromium_copy_free(struct chromium_copy *copy);
/* Removes what killed processes of this user left. */
void chromium_copy_sweep(void);

/* ---- chromium_profile_text.c: a stored string, a byte that says how it is written, its units ----
 */

enum chromium_units { CHROMIUM_UTF16 = 0, CHROMIUM_LATIN1 = 1 };

/* True when the first byte is one of those and the rest are whole units. */
bool chromium_text_is_valid(struct bytes stored);
/* Appends units from byte `at` on as the inside of a JSON string, until `out` has `most` bytes or
 * more; returns where the next ones begin (stored.size: the end). Lone surrogates as escapes. */
size_t chromium_text_append(struct buf *out, struct bytes stored, size_t at, size_t max);

/* ---- what the processes say to each other, beside the document ---- */

enum chromium_said {
    CHROMIUM_OPENED = 1, /* the document comes */
    CHROMIUM_ENDED,      /* all of it was written */
    CHROMIUM_FAILED,     /* why is in text and cause */
};
/* Written at once: it is smaller than PIPE_BUF. */
struct chromium_word {
    enum chromium_said said;
    struct chromium_files files; /* of CHROMIUM_OPENED: measured before they were copied */
    char text[240], cause[240];  /* as in struct error */
};

/* chromium_reader.c, for the keeper too: sets said, text and cause; `cause` may be NULL. */
void chromium_word_fail(struct chromium_word *word, const char *text, const char *cause);

/* chromium_keeper.c: the whole life of that process; its exit code. `owner` is its parent. */
int chromium_keeper_run(const char *database, int owner);
/* chromium_reader.c: opens the database in `folder`, says so, writes the document of it to `out`,
 * and ends this process. `size` of its files bounds what it may take and write. */
_Noreturn void chromium_reader_run(const char *folder, uint64_t size, int out, int words);

/* chromium_profile.c: as chromium_profile_open, but the reader may be silent for so long only. */
MUST_USE enum outcome chromium_profile_open_within(const char *folder, unsigned wait_ms,
                                                   struct chromium_profile **profile,
                                                   struct error *err);

#endif
