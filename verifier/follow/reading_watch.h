#ifndef DROVER_VERIFIER_FOLLOW_READING_WATCH_H
#define DROVER_VERIFIER_FOLLOW_READING_WATCH_H

/*
 * How the sources stand now, as their producers and followers tell in the results topic, and what
 * people decided about them. The messages of a run lie in one partition, whatever source they are
 * of, so a source's go to another one with each run: each verifier reads all partitions for them,
 * not only those of the group's that are its own, and says the same of all sources.
 *
 * What was read is in the book (book_reading.h); a restart goes on behind it. What the topic has
 * forgotten is forgotten here, as it is for `drover verify`.
 */

#include "common/io/settings.h"
#include "common/policy/verify/readings_sum.h"
#include "common/port/bus.h"
#include "verifier/follow/book.h"

struct reading_watch;

/* With what the book knows. The bus and the book must outlive it. Fails as the book. */
MUST_USE enum outcome reading_watch_open(const struct settings *settings, struct bus *bus,
                                         struct book *book, struct reading_watch **watch,
                                         struct error *err);
void reading_watch_close(struct reading_watch *watch); /* NULL is allowed */

/* Once a second, and OUT_OK between: reads what came, for a tenth of a second at most. OUT_RETRY:
 * Kafka is away; it is tried again after some seconds. OUT_FATAL as the book. */
MUST_USE enum outcome reading_watch_turn(struct reading_watch *watch, struct error *err);
/* At the end: what came by now. What does not come within `wait_ms` is not known. */
MUST_USE enum outcome reading_watch_finish(struct reading_watch *watch, uint64_t wait_ms,
                                           struct error *err);
/* Valid until the next turn. */
const struct readings_sum *reading_watch_sum(const struct reading_watch *watch);

#endif
