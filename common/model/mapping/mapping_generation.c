/* See the header. */
#include "common/model/mapping/mapping_generation.h"

void mapping_generation_begin(struct mapping_generation *generation, const struct mapping *mapping)
{
    *generation = (struct mapping_generation){.newest = -1, .own = -1};
    digest_format(&mapping->form, generation->form);
}

void mapping_generation_see(struct mapping_generation *generation, int32_t number,
                            struct bytes form)
{
    if (number > generation->newest)
        generation->newest = number;
    if (number > generation->own && bytes_equal(form, bytes_text(generation->form)))
        generation->own = number;
}

enum mapping_generation_state mapping_generation_state(const struct mapping_generation *generation)
{
    if (generation->newest < 0)
        return GENERATION_FIRST;
    if (generation->own == generation->newest)
        return GENERATION_NEWEST;
    return generation->own < 0 ? GENERATION_CHANGED : GENERATION_AGAIN;
}

int32_t mapping_generation_number(const struct mapping_generation *generation)
{
    bool newest = mapping_generation_state(generation) == GENERATION_NEWEST;
    return newest ? generation->newest : generation->newest + 1;
}

enum outcome mapping_generation_check(const struct mapping_generation *generation,
                                      const struct mapping *mapping, const char *hint,
                                      struct error *err)
{
    enum mapping_generation_state state = mapping_generation_state(generation);
    if (state == GENERATION_FIRST || state == GENERATION_NEWEST)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_MAPPING_GENERATION,
              "another mapping of %s than this one is the newest", mapping->entity);
    error_where(err, "%s", mapping->file);
    if (state == GENERATION_AGAIN)
        error_cause(err, "it was generation %d, the newest is %d", generation->own,
                    generation->newest);
    else
        error_cause(err, "the newest is generation %d", generation->newest);
    error_hint(err, "%s", hint);
    return OUT_FATAL;
}
