#ifndef DROVER_PORT_CHECKPOINT_EDITOR_H
#define DROVER_PORT_CHECKPOINT_EDITOR_H

/*
 * A group's checkpoints, read and changed from outside of its workers: what `drover resume` moves,
 * and what `drover replay` begins with and takes away again. Blocks. Each call changes one
 * partition whole, or nothing; a worker that holds it learns of it by the epoch.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"

struct checkpoint_image {
    bool exists; /* false: nobody has claimed it yet; all else is 0 */
    int64_t next_offset, redis_next, results_next, epoch;
    char owner[128];      /* empty: nobody's now */
    struct buf sequences; /* JSON, as policy/apply/sequence.h reads it */
};

static inline void checkpoint_image_init(struct checkpoint_image *image)
{
    *image = (struct checkpoint_image){0};
    buf_init(&image->sequences, 1u << 20);
}

static inline void checkpoint_image_free(struct checkpoint_image *image)
{
    buf_free(&image->sequences);
}

struct checkpoint_place {
    const char *group, *topic;
    int32_t partition;
};

struct checkpoint_editor;

struct checkpoint_editor_ops {
    enum outcome (*read)(struct checkpoint_editor *editor, const struct checkpoint_place *place,
                         struct checkpoint_image *image, struct error *err);
    enum outcome (*move)(struct checkpoint_editor *editor, const struct checkpoint_place *place,
                         const struct checkpoint_image *was, const struct checkpoint_image *now,
                         bool *moved, struct error *err);
    enum outcome (*forget)(struct checkpoint_editor *editor, const char *group, const char *topic,
                           int32_t partitions, struct error *err);
    void (*close)(struct checkpoint_editor *editor);
};

struct checkpoint_editor {
    const struct checkpoint_editor_ops *ops;
};

/* OUT_RETRY: the store is away; OUT_FATAL: a right, or what is stored is none. */
MUST_USE static inline enum outcome checkpoint_editor_read(struct checkpoint_editor *editor,
                                                           const struct checkpoint_place *place,
                                                           struct checkpoint_image *image,
                                                           struct error *err)
{
    return editor->ops->read(editor, place, image, err);
}

/* Offsets and sequences become those of `now`, the epoch grows, nobody owns it any more; one that
 * did not exist is made. *moved false, and nothing is changed, when it is not as it `was` (epoch,
 * next_offset, whether it existed). */
MUST_USE static inline enum outcome checkpoint_editor_move(struct checkpoint_editor *editor,
                                                           const struct checkpoint_place *place,
                                                           const struct checkpoint_image *was,
                                                           const struct checkpoint_image *now,
                                                           bool *moved, struct error *err)
{
    return editor->ops->move(editor, place, was, now, moved, err);
}

/* All that is kept of a group that is over: what was pinned, and then the checkpoints of the
 * partitions 0 to partitions - 1. So no pin is left that no checkpoint tells of. */
MUST_USE static inline enum outcome checkpoint_editor_forget(struct checkpoint_editor *editor,
                                                             const char *group, const char *topic,
                                                             int32_t partitions, struct error *err)
{
    return editor->ops->forget(editor, group, topic, partitions, err);
}

/* NULL is allowed. */
static inline void checkpoint_editor_close(struct checkpoint_editor *editor)
{
    if (editor)
        editor->ops->close(editor);
}

#endif
