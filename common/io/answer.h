#ifndef DROVER_IO_ANSWER_H
#define DROVER_IO_ANSWER_H

/*
 * What a command answers with --json: one document on standard output, one line, in one envelope
 * (docs/json.md, schemas/json/drover.schema.json):
 *
 *   {"schema": "drover/topics_apply/1", "kind": "topics_apply", "version": "0.1.0", "time": "…",
 *    …the members of the kind…,
 *    "errors": […], "exit_code": 0}
 *
 * The head is written when the first member is, the tail by the command line when the command has
 * ended; so a command that fails half-way still gives one valid document, with what it had so far.
 * A command that goes on telling (status --watch, run) writes a document a line; exit_code is null
 * in all but the last one.
 */

#include <stdbool.h>

#include "common/base/error_list.h"
#include "common/base/json_out.h"

/* Bytes of a document, which may hold a report of all there is; of a report's file too. */
#define ANSWER_MAX ((size_t)256 << 20)

struct answer {
    bool wanted; /* --json: nothing else may go to standard output then */
    char kind[48];
    struct buf buf;
    struct json_out out;
    bool open;   /* a document has begun */
    bool partly; /* and some of it is written out already */
};

/* `kind` in snake_case. */
void answer_init(struct answer *answer, bool wanted, const char *kind);
/* Before the document is opened: "config" and "show" give "config_show"; `word` may be NULL. */
void answer_name(struct answer *answer, const char *command, const char *word);
void answer_free(struct answer *answer);

/* The place for the members of the kind, at the document's top. Opens the document if none is. */
struct json_out *answer_body(struct answer *answer);
/* Writes out what there is when it is much: for lists of any length, between two items. */
void answer_flush(struct answer *answer);
/* Ends a document that is not the last one. */
void answer_next(struct answer *answer);
/* Ends the last one; returns the code the process ends with: `code`, unless the document was larger
 * than any may be. Nothing happens when no JSON is wanted. `errors` may be NULL. */
enum exit_code answer_end(struct answer *answer, const struct error_list *errors,
                          enum exit_code code);
/* A document of a child, one line, as it is: between two of ours. */
void answer_pass_on(struct answer *answer, struct bytes line);

#endif
