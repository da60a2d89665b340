#ifndef DROVER_IO_MAPPINGS_H
#define DROVER_IO_MAPPINGS_H

/* The mappings a command works with, read from the files, folders and patterns of the settings. */

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/base/error_list.h"
#include "common/io/settings.h"
#include "common/model/mapping/mapping_set.h"

/* All errors are OUT_FATAL: unreadable file, bad mapping, two mappings of one entity or one table,
 * a reference to what is not there, none at all. */
MUST_USE enum outcome mapping_set_load(const struct settings *settings, struct mapping_set *set,
                                       struct error *err);
/* Every mistake of every file, sorted by file and line; none: nothing is added. What mappings say
 * of each other's keys is looked at when each is right by itself. */
void mapping_set_check(const struct settings *settings, struct error_list *mistakes);

#endif
