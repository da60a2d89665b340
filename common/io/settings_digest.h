#ifndef DROVER_IO_SETTINGS_DIGEST_H
#define DROVER_IO_SETTINGS_DIGEST_H

/*
 * One digest over what decides how records become rows and are compared: the settings as they are
 * in effect, and the mappings. Two reports with the same one were made under the same rules. Of a
 * server's URL everything but the secret counts; what is only about this machine (folders of state
 * and reports, logging) does not.
 */

#include "common/io/settings.h"
#include "common/model/mapping/mapping_set.h"

#define SETTINGS_DIGEST_SIZE 33 /* 32 hex digits and a NUL: 128 bits of BLAKE2b */

void settings_digest(const struct settings *settings, const struct mapping_set *mappings,
                     char out[SETTINGS_DIGEST_SIZE]);

#endif
