#ifndef DROVER_CONTROL_DOCTOR_H
#define DROVER_CONTROL_DOCTOR_H

/*
 * `drover doctor`: every dependency asked on its own, every answer a line with how to fix it.
 * Checks go on after a failure where the next answer does not depend on it.
 */

#include <stdbool.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/io/answer.h"
#include "common/io/mappings.h"
#include "common/io/settings.h"

enum finding {
    FINDING_OK,
    FINDING_WARNING,
    FINDING_PROBLEM,
};

struct doctor {
    const struct settings *settings;
    struct mapping_set mappings; /* empty when they could not be loaded */
    bool colour;
    struct answer *answer; /* with --json: its list `findings` is open */
    unsigned warnings, problems;
    enum exit_code code; /* of the gravest problem */
};

/* One line about `part` ("kafka"). */
void doctor_say(struct doctor *doctor, enum finding finding, const char *part, const char *fix,
                const char *format, ...) PRINTF_LIKE(5, 6);
/* The same from an error; the exit code follows the error's code. */
void doctor_say_error(struct doctor *doctor, enum finding finding, const char *part,
                      const struct error *err);

void doctor_check_kafka(struct doctor *doctor);
void doctor_check_postgres(struct doctor *doctor);
void doctor_check_redis(struct doctor *doctor);

#endif
