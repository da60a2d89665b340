#ifndef DROVER_IO_ALERT_TARGET_H
#define DROVER_IO_ALERT_TARGET_H

/*
 * Whom an alert tells, looked at before there is anything to tell: a program that can be started, a
 * URL that can be called. Nobody is told for it, and no server is asked.
 */

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/policy/alert/alert.h"

/* `url`: the webhook's, from the settings or its variable, borrowed from there; NULL for a program.
 * OUT_FATAL DRV-C008 with the place: the program is not there or may not be started, the variable
 * is not set or holds no URL that can be called. */
MUST_USE enum outcome alert_target_check(const struct alert *alert, const char **url,
                                         struct error *err);
/* The same of all of the settings. */
MUST_USE enum outcome alert_target_check_all(const struct settings *settings, struct error *err);

#endif
