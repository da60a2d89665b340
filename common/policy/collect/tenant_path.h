#ifndef DROVER_POLICY_TENANT_PATH_H
#define DROVER_POLICY_TENANT_PATH_H

/*
 * A tenant taken from a file's path: `exports/{tenant}/x.json` says which part of it. '*' and '?'
 * never match '/', and {tenant} neither; a pattern without leading '/' is compared with the end of
 * the path.
 */

#include <stdbool.h>

#include "common/base/bytes.h"

/* True when the pattern has exactly one {tenant}. */
bool tenant_path_is_valid(const char *pattern);
/* False when the path does not match, or its {tenant} would be empty. *tenant views `path`. */
bool tenant_path_match(const char *pattern, const char *path, struct bytes *tenant);

#endif
