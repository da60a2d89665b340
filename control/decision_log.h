#ifndef DROVER_CONTROL_DECISION_LOG_H
#define DROVER_CONTROL_DECISION_LOG_H

/* A decision in the control topic, with who made it and when: kept for good once the sender is
 * flushed (control/json_sender.h). */

#include "common/model/message/decision.h"
#include "control/json_sender.h"

/* Who and when are filled in. DRV-K003 when there is no control topic, by json_sender_open. */
MUST_USE enum outcome decision_log_write(struct json_sender *control, const char *key,
                                         const struct decision *decision, struct error *err);

#endif
