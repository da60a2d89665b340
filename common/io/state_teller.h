#ifndef DROVER_IO_STATE_TELLER_H
#define DROVER_IO_STATE_TELLER_H

/*
 * Tells how one stands that follows without an end, in the state topic (state_entry.h): every
 * STATE_ENTRY_EVERY_MS, and once more at its end. Told on the side: where the topic is missing or
 * does not answer nothing else waits for it.
 */

#include <stdbool.h>

#include "common/base/json_out.h"
#include "common/io/settings.h"
#include "common/model/message/state_entry.h"
#include "common/port/bus.h"

struct state_teller;

/* The host's name, or an empty text. */
void state_teller_host(char *host, size_t size);
/* Says once when the migration has no state topic, and then tells nobody. Copies `id`. Waits for
 * the broker, for seconds at most. */
struct state_teller *state_teller_open(const struct settings *settings, struct bus *bus,
                                       enum state_kind kind, const char *id);
/* Whether it is time to tell again. */
bool state_teller_is_due(const struct state_teller *teller);
/* Begins the entry: the caller adds its members, and sends it. */
struct json_out *state_teller_begin(struct state_teller *teller);
void state_teller_send(struct state_teller *teller);
/* Waits a moment for the last one. NULL is allowed. */
void state_teller_close(struct state_teller *teller);

#endif
