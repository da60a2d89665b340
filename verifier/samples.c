/* See the header. */
#include "verifier/samples.h"

#include <inttypes.h>
#include <stdio.h>

struct verify_sample *samples_add(struct verify_run *run, enum verdict verdict,
                                  enum error_code code, const struct record *record,
                                  int32_t partition, int64_t offset)
{
    struct verify_report *report = &run->report;
    struct verify_sample *sample = verify_report_sample(report, verdict, code);
    if (!sample)
        return NULL;
    verify_run_name_sample(run, sample, record->tenant, record->entity, record->id);
    buf_reset(&run->key);
    buf_append_bytes(&run->key, record->origin.uri);
    if (record->origin.line)
        buf_append_format(&run->key, ":%" PRIu64 ":%" PRIu64, record->origin.line,
                          record->origin.column);
    sample->origin = verify_report_copy(report, buf_view(&run->key));
    sample->has_place = true;
    sample->partition = partition;
    sample->offset = offset;
    return sample;
}

void samples_reason(struct verify_run *run, struct verify_sample *sample, enum error_code code,
                    const char *path)
{
    char text[300];
    int size = snprintf(text, sizeof text, "%s: %s%s%s", error_code_id(code),
                        error_code_meaning(code), path[0] ? " at " : "", path);
    if (size > 0)
        sample->reason = verify_report_copy(&run->report, bytes_text(text));
}

void samples_reason_ambiguous(struct verify_run *run, struct verify_sample *sample,
                              const struct diff_entry *first)
{
    char text[200];
    uint64_t line, column;
    diff_unpack_place(first->offset, &line, &column);
    snprintf(text, sizeof text,
             "the key came before at %" PRIu64 ":%" PRIu64 " of this source with other content, "
             "and no version tells which is meant",
             line, column);
    sample->reason = verify_report_copy(&run->report, bytes_text(text));
}
