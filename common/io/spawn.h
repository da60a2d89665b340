#ifndef DROVER_IO_SPAWN_H
#define DROVER_IO_SPAWN_H

/*
 * Starting other programs and other processes of this one.
 *
 * They get what `options` gives them and no other descriptor: who holds one of ours keeps a pipe
 * open, and whoever waits for its end waits for a program it does not know (some libraries,
 * librdkafka 2.0.2 among them, open theirs without O_CLOEXEC). Processes of this program end with
 * it, however it ends.
 *
 * Of the loop's thread, which is to live as long as the process (prctl(2), PR_SET_PDEATHSIG).
 */

#include <uv.h>

/* As uv_spawn does: 0, or the error's negative number; `process` is to be closed in either case. */
int spawn_process(uv_loop_t *loop, uv_process_t *process, const uv_process_options_t *options);

/* NAME=PID for the environment of a process of this program: whose child it is. Static. */
const char *spawn_parent_variable(void);
/* This process's environment, that variable, and `more`, which NULL ends. The caller frees the
 * list, not its items. */
char **spawn_environment(const char *const *more);
/* To be called once, at the start: takes that variable, and has SIGTERM sent when the parent ends;
 * at once when it has ended by now. Without the variable nothing. */
void spawn_end_with_parent(void);

#endif
