#include "producer/follow/follow_moves.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/log.h"
#include "producer/follow/follow_files.h"

struct moves {
    struct follow_move *items;
    size_t count;
};

bool follow_same_place(const struct scan_identity *a, const struct scan_identity *b)
{
    return a->device == b->device && a->inode == b->inode;
}

/* Where its old name would be is to be seen, so it is not there any more. An unmounted disk's files
 * are only out of sight, and the next disk may get its device's number: unless the content's size
 * and time are the same, nothing says that it is the same file. */
static bool has_left(const struct conf_list *sources, const struct follow_namesake *old,
                     const struct scan_identity *identity)
{
    uint64_t device;
    if (follow_files_folder_left(sources, old->path, &device) && device == old->folder_device)
        return true;
    return old->identity.size == identity->size &&
           old->identity.modified_ns == identity->modified_ns;
}

/* A name that is still there has not moved: the two are links. An inode is used again for a file
 * that was made later. */
static bool has_moved(const struct conf_list *sources, const struct follow_namesake *old,
                      const char *path, const struct scan_identity *identity)
{
    struct scan_identity now;
    if (source_identity_is_born_after(path, old->identity.changed_ns))
        return false;
    return source_identity_read(old->path, &now) ? !follow_same_place(&now, identity)
                                                 : has_left(sources, old, identity);
}

/* Takes nothing; the list owns a copy of the path. */
static void add_move(struct moves *moves, int64_t id, const char *path)
{
    for (size_t i = 0; i < moves->count; i++)
        if (moves->items[i].id == id)
            return; /* two names of it: the first that is looked at */
    moves->items = mem_resize(moves->items, moves->count + 1, sizeof(*moves->items));
    moves->items[moves->count++] = (struct follow_move){id, mem_text(path)};
}

static enum outcome find_move(struct follow_state *state, const struct conf_list *sources,
                              struct followed *file, struct moves *moves, struct error *err)
{
    struct scan_identity identity;
    struct follow_known known;
    struct follow_namesake old;
    if (!source_identity_read(file->path, &identity) ||
        (file->placed && file->identified && scan_identity_equal(&file->identity, &identity)))
        return OUT_OK;
    enum outcome outcome = follow_state_find(state, file->path, &known, err);
    file->placed = outcome == OUT_OK && follow_same_place(&known.identity, &identity);
    if (outcome != OUT_OK || file->placed)
        return outcome;
    bool moved = false;
    for (size_t skip = 0; outcome == OUT_OK && !moved; skip++) {
        outcome = follow_state_find_place(state, &identity, known.id, skip, &old, err);
        if (outcome != OUT_OK || !old.id)
            break;
        moved = has_moved(sources, &old, file->path, &identity);
        if (moved) {
            log_quoted(LOG_INFO, "follow.renamed", "path", file->path, "known=%d", known.id != 0);
            add_move(moves, old.id, file->path);
        }
        free(old.path);
    }
    return outcome;
}

static void free_moves(struct moves *moves)
{
    for (size_t i = 0; i < moves->count; i++)
        free(moves->items[i].path);
    free(moves->items);
}

/* When they were all found; frees them. */
static enum outcome keep(struct follow_state *state, struct moves *moves, enum outcome outcome,
                         struct error *err)
{
    if (outcome == OUT_OK && moves->count > 0)
        outcome = follow_state_move(state, moves->items, moves->count, err);
    free_moves(moves);
    return outcome;
}

enum outcome follow_moves_keep(struct follow_state *state, const struct conf_list *sources,
                               const struct followed_list *files, struct error *err)
{
    struct moves moves = {0};
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < files->count && outcome == OUT_OK; i++)
        if (files->items[i]->listed)
            outcome = find_move(state, sources, files->items[i], &moves, err);
    return keep(state, &moves, outcome, err);
}

enum outcome follow_moves_has_one(struct follow_state *state, const struct conf_list *sources,
                                  struct followed *file, bool *has, struct error *err)
{
    struct moves moves = {0};
    enum outcome outcome = find_move(state, sources, file, &moves, err);
    *has = moves.count > 0;
    free_moves(&moves);
    return outcome;
}

enum outcome follow_moves_keep_one(struct follow_state *state, const struct conf_list *sources,
                                   struct followed *file, struct error *err)
{
    struct moves moves = {0};
    enum outcome outcome = find_move(state, sources, file, &moves, err);
    return keep(state, &moves, outcome, err);
}
