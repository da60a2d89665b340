#ifndef DROVER_BASE_JSON_DOCUMENT_H
#define DROVER_BASE_JSON_DOCUMENT_H

/*
 * The envelope of every JSON document for machines (docs/json.md): what a command answers with
 * --json, a line of `drover run --json`, report.json. Head and tail stand around the members of the
 * document's kind, which are at the same level:
 *
 *   {"schema": "drover/status/1", "kind": "status", "version": "0.1.0", "time": "2026-…Z",
 *    …, "errors": […], "exit_code": 0}
 *
 * The number at the end of `schema` grows when a member goes away or changes its meaning; members
 * may be added at any time.
 */

#include "common/base/error_list.h"
#include "common/base/json_out.h"

/* Opens the document. `kind` is a literal in snake_case. */
void json_document_begin(struct json_out *out, const char *kind, int64_t unix_ms);
/* Closes whatever is open, and the document; no newline. `errors` may be NULL; exit_code NULL: the
 * command goes on (null). */
void json_document_end(struct json_out *out, const struct error_list *errors, const int *exit_code);

#endif
