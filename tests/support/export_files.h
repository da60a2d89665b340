#ifndef DROVER_TESTS_EXPORT_FILES_H
#define DROVER_TESTS_EXPORT_FILES_H

/* An export in memory: pieces kept, sorted and written, as drover export does with a disk. */

#include <check.h>
#include <stdlib.h>

#include "common/policy/export/export_writer.h"

struct export_files {
    struct arena arena;
    struct export_record_text *pieces;
    size_t count, room;
    struct export_writer writer; /* its `out` is the text of the file asked for */
};

static inline void export_files_init(struct export_files *files)
{
    *files = (struct export_files){0};
    arena_init(&files->arena, 1u << 30);
    export_writer_init(&files->writer);
}

static inline void export_files_free(struct export_files *files)
{
    arena_free(&files->arena);
    export_writer_free(&files->writer);
    free(files->pieces);
}

static inline struct bytes export_files_keep(struct export_files *files, struct bytes text)
{
    return text.size ? arena_copy(&files->arena, text) : text;
}

/* An export_take; `owner` is the struct. */
static inline void export_files_take(void *owner, const struct export_record_text *part)
{
    struct export_files *files = owner;
    if (files->count == files->room) {
        files->room = files->room ? 2 * files->room : 64;
        files->pieces = realloc(files->pieces, files->room * sizeof *files->pieces);
        ck_assert_ptr_nonnull(files->pieces);
    }
    struct export_record_text *kept = &files->pieces[files->count++];
    *kept = *part;
    kept->file = export_files_keep(files, part->file);
    kept->group = export_files_keep(files, part->group);
    kept->key = export_files_keep(files, part->key);
    kept->id = export_files_keep(files, part->id);
    kept->text = export_files_keep(files, part->text);
}

static inline int export_files_order(const void *a, const void *b)
{
    return export_record_text_compare(a, b);
}

/* The text of one file; NULL when there is none of that name. */
static inline const char *export_files_write(struct export_files *files, const char *name)
{
    bool begun = false;
    buf_reset(&files->writer.out);
    if (files->count)
        qsort(files->pieces, files->count, sizeof *files->pieces, export_files_order);
    for (size_t i = 0; i < files->count; i++) {
        if (!bytes_equal(files->pieces[i].file, bytes_text(name)))
            continue;
        if (!begun)
            export_writer_begin(&files->writer, files->pieces[i].layout);
        begun = true;
        export_writer_add(&files->writer, &files->pieces[i]);
    }
    if (!begun)
        return NULL;
    export_writer_finish(&files->writer);
    return buf_text(&files->writer.out);
}

static inline void export_files_clear(struct export_files *files)
{
    files->count = 0;
    arena_reset(&files->arena);
}

#endif
