/* See the header. */
#include "producer/follow/follow_problem.h"

void follow_problem_begin(struct producer *producer, struct followed *file, const char *path,
                          const struct error *err)
{
    if (!file->reported)
        producer_reject_source(producer, path, err);
    file->reported = true;
    file->problem = err->code;
}

void follow_problem_over(struct producer *producer, const char *path, const char *why)
{
    struct error note;
    struct origin place = {.uri = bytes_text(path)};
    error_set(&note, OUT_OK, ERR_NONE, "%s", why);
    progress_clear(&producer->progress);
    rejects_note(&producer->rejects, NOTE_OVER, &place, &note);
}

void follow_problem_end(struct producer *producer, struct followed *file, const char *why)
{
    if (file->reported)
        follow_problem_over(producer, file->path, why);
    file->reported = false;
}

void follow_problems_add(struct follow_problems *problems, const char *path, enum error_code code)
{
    problems->count++;
    if (problems->named == FOLLOW_PROBLEMS_NAMED)
        return;
    problems->items[problems->named].path = path;
    problems->items[problems->named++].code = code;
}
