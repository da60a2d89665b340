#ifndef DROVER_IO_RUN_NAME_H
#define DROVER_IO_RUN_NAME_H

/* The name of a run, which its messages bring: when it began, and 32 random bits, as two runs of
 * one second differ. */

#define RUN_NAME_SIZE 40

/* "20261129T170255-0badcafe", and `end`: what kind of run it is; "" for the common one. */
void run_name_make(char name[RUN_NAME_SIZE], const char *end);

#endif
