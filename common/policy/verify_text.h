#ifndef DROVER_POLICY_VERIFY_TEXT_H
#define DROVER_POLICY_VERIFY_TEXT_H

/* The report for people. What keeps it from being trusted comes first, the last word last. */

#include "common/base/buf.h"
#include "common/policy/verify_report.h"

#define VERIFY_TEXT_GROUPS 20 /* rows of the table; all are in the JSON */
#define VERIFY_TEXT_SAMPLES 5 /* shown a verdict */

/* `report_path` is named in the text, NULL = no file was written. */
void verify_text_append(const struct verify_report *report, const char *report_path, bool colour,
                        struct buf *out);

#endif
