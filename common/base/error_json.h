#ifndef DROVER_BASE_ERROR_JSON_H
#define DROVER_BASE_ERROR_JSON_H

/*
 * An error as an object for machines, always with the same members:
 *
 *   code       "DRV-J001"
 *   message    one sentence
 *   cause      what the other side said, or null
 *   where      an object or null: `text` as people see it, and what it says in parts, as far as it
 *              has them: file line column byte record, topic partition offset, address, name, path
 *              (path: the JSON path of the member)
 *   try        what to do, or null
 *   exit_code  what a command ends with when it stops for this code
 */

#include "common/base/error.h"
#include "common/base/json_out.h"

/* The object; `name` as for json_out_object. */
void error_append_json(const struct error *err, struct json_out *out, const char *name);

/* The object `where` alone: "exports/a.json:3:1" and "/name"; null when both are empty. */
void error_append_json_where(enum error_code code, struct bytes where, struct bytes path,
                             struct json_out *out, const char *name);

#endif
