#ifndef DROVER_TESTS_COMPILE_MAPPING_H
#define DROVER_TESTS_COMPILE_MAPPING_H

/* A mapping that a test brings as text, which is in order. */

#include "common/model/mapping/mapping.h"
#include "tests/support/suite.h"

/* The caller's: mapping_free. */
static inline struct mapping *compile(const char *yaml)
{
    struct error err;
    struct mapping *mapping = NULL;
    enum outcome outcome = mapping_parse("m.yaml", bytes_text(yaml), &mapping, &err);
    ck_assert_msg(outcome == OUT_OK, "%s at %s\n%s", err.text, err.where, yaml);
    return mapping;
}

#endif
