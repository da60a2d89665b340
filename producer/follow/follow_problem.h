#ifndef DROVER_PRODUCER_FOLLOW_PROBLEM_H
#define DROVER_PRODUCER_FOLLOW_PROBLEM_H

/*
 * What is wrong with a followed source as a whole: it cannot be read, or is gone in a way that
 * tells nothing. Said once when it begins and once when it is over; meanwhile whoever asks how the
 * follower stands is told which sources they are, the first few by name.
 */

#include "producer/follow/followed.h"
#include "producer/producer.h"

#define FOLLOW_PROBLEMS_NAMED 10
#define FOLLOW_PROBLEM_GONE "the source is gone"

/* `path`: as the source is called. When it has one already only what it is changes. */
void follow_problem_begin(struct producer *producer, struct followed *file, const char *path,
                          const struct error *err);
/* `why`: of a few words. Nothing when the file has none. */
void follow_problem_end(struct producer *producer, struct followed *file, const char *why);
/* The same of a source that is no file. */
void follow_problem_over(struct producer *producer, const char *path, const char *why);

/* At a moment; paths are the caller's. */
struct follow_problems {
    uint64_t count; /* all of them */
    size_t named;   /* the first ones */
    struct {
        const char *path;
        enum error_code code;
    } items[FOLLOW_PROBLEMS_NAMED];
};
void follow_problems_add(struct follow_problems *problems, const char *path, enum error_code code);

#endif
