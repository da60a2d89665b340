#ifndef DROVER_CONTROL_WHO_H
#define DROVER_CONTROL_WHO_H

/* Who decides something: "user@host", as decisions keep it (common/model/message/decision.h). */

#define WHO_SIZE 160

void who_is_it(char out[WHO_SIZE]);

#endif
