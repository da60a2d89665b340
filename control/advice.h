#ifndef DROVER_CONTROL_ADVICE_H
#define DROVER_CONTROL_ADVICE_H

/*
 * Commands that are advised name the same migration: what the user gave as -c and --migration is
 * added to each "drover COMMAND" of an advice whose command takes it, so that it can be typed as it
 * stands. What came from the environment or the file comes from there again.
 */

#include "common/base/buf.h"
#include "common/base/conf.h"
#include "common/base/error_list.h"

void advice_append(struct buf *out, const struct conf *conf, const char *text);
/* What `next` says, to standard error. */
void advice_say_next(const struct conf *conf, struct buf *next);
/* Of each error's hint. */
void advice_complete(const struct conf *conf, struct error_list *errors);

#endif
