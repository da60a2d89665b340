#include "common/policy/verify/verdict.h"

static const struct {
    const char *name;
    bool problem;
    bool suspect;
} VERDICTS[VERDICT_COUNT] = {
    [VERDICT_MATCH] = {"match", false, false},
    [VERDICT_TOLERANCE] = {"within tolerance", false, false},
    [VERDICT_SUPERSEDED] = {"superseded", false, false},
    [VERDICT_UNCHANGED] = {"unchanged", false, false},
    [VERDICT_DIFFERENT] = {"different", true, true},
    [VERDICT_BY_MAPPING] = {"stale by mapping", true, true},
    [VERDICT_STALE] = {"stale", true, true},
    [VERDICT_TARGET_NEWER] = {"target newer", true, true},
    [VERDICT_MISSING] = {"missing", true, true},
    [VERDICT_UNUSABLE] = {"unusable", true, false},
    [VERDICT_CONFLICT] = {"conflict", true, false},
    [VERDICT_AMBIGUOUS] = {"ambiguous", true, false},
    [VERDICT_DEAD] = {"dead-lettered", true, false},
    [VERDICT_REJECTED] = {"rejected", true, false},
    [VERDICT_WITHHELD] = {"withheld", false, false},
    [VERDICT_UNPRODUCED] = {"not produced", true, false},
    [VERDICT_OVERTAKEN] = {"overtaken", true, false},
    [VERDICT_DISCARDED] = {"discarded", false, false},
    [VERDICT_LAGGING] = {"lagging", true, false},
    [VERDICT_WAITING] = {"pending", true, false},
    [VERDICT_EXTRA] = {"extra", true, true},
    [VERDICT_UNEXPECTED_TENANT] = {"unexpected tenant", true, false},
    [VERDICT_GONE] = {"gone from the source", true, false},
    [VERDICT_ELSEWHERE] = {"of other sources", false, false},
    [VERDICT_RESOLVED] = {"resolved", false, false},
};

const char *verdict_name(enum verdict verdict)
{
    return verdict < VERDICT_COUNT ? VERDICTS[verdict].name : "pending";
}

bool verdict_is_problem(enum verdict verdict)
{
    return verdict >= VERDICT_COUNT || VERDICTS[verdict].problem;
}

bool verdict_is_suspect(enum verdict verdict)
{
    return verdict < VERDICT_COUNT && VERDICTS[verdict].suspect;
}
