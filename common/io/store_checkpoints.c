/* How far a group is, as a store's editor tells it. */

#include "common/io/stores.h"

enum outcome store_read_checkpoints(struct store_status *status, struct checkpoint_editor *editor,
                                    struct error *err)
{
    struct checkpoint_image image;
    enum outcome outcome = OUT_OK;
    checkpoint_image_init(&image);
    for (int32_t i = 0; i < status->partitions && outcome == OUT_OK; i++) {
        const struct checkpoint_place place = {status->settings->group, status->topic, i};
        outcome = checkpoint_editor_read(editor, &place, &image, err);
        const struct checkpoint_row row = {.next_offset = image.next_offset,
                                           .redis_next = image.redis_next,
                                           .results_next = image.results_next,
                                           .epoch = image.epoch};
        if (outcome == OUT_OK)
            status->tell(status, i, &row, image.owner);
    }
    checkpoint_image_free(&image);
    checkpoint_editor_close(editor);
    return outcome;
}
