#ifndef DROVER_MODEL_SCHEMA_TEXT_H
#define DROVER_MODEL_SCHEMA_TEXT_H

/*
 * Statements are written with a format of our own, so that they read as the SQL they become and no
 * name or text can leave its quotes.
 */

#include "common/base/buf.h"

/* "name" and 'text', with their own quotes doubled. */
void schema_sql_identifier(struct buf *out, const char *name);
void schema_sql_literal(struct buf *out, const char *text);
/* SQL with texts (const char *) in it: %i an identifier, %l a literal, %s as it is. No other '%'.
 */
void schema_sql_append(struct buf *out, const char *format, ...);

#endif
