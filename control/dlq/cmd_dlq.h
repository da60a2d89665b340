#ifndef DROVER_CONTROL_CMD_DLQ_H
#define DROVER_CONTROL_CMD_DLQ_H

/* What the parts of `drover dlq` share: the dead letters, which of them, what of them is shown. */

#include "common/policy/verify/verify_mask.h"
#include "control/command.h"
#include "control/dlq/dead_letter_register.h"

struct dead_letter_run {
    const struct settings *settings;
    const struct conf *conf;
    struct answer *answer;
    const char *id; /* the only one asked for; or NULL */
    struct dead_letter_register all;
    struct dead_letter_filter filter;
    struct buf codes;          /* of the filter */
    struct verify_report mask; /* its key: what stands for an id or a value */
};

/* What to type next, to standard error, when `open` is not zero; `id` NULL: for all of them. Not
 * with --json, and not of another topic's, which need their --topic. */
void dead_letter_say_next(const struct dead_letter_run *run, int64_t open, const char *id);

enum exit_code dead_letter_list(struct dead_letter_run *run, struct error *err);
enum exit_code dead_letter_stats(struct dead_letter_run *run, struct error *err);
enum exit_code dead_letter_show(struct dead_letter_run *run, struct error *err);
enum exit_code dead_letter_export(struct dead_letter_run *run, struct error *err);
enum exit_code dead_letter_replay(struct dead_letter_run *run, struct error *err);
enum exit_code dead_letter_discard(struct dead_letter_run *run, struct error *err);

#endif
