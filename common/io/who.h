#ifndef DROVER_IO_WHO_H
#define DROVER_IO_WHO_H

/* Who runs the program, for what is signed: decisions and reports. */

enum { WHO_SIZE = 160 };

/* "user@host"; the user's number where he has no name. */
void who_is_it(char out[WHO_SIZE]);

#endif
