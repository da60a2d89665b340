#ifndef DROVER_POLICY_DIFF_WITHIN_H
#define DROVER_POLICY_DIFF_WITHIN_H

#include <stdbool.h>

#include <yyjson.h>

/* |a - b| <= tolerance, exactly in decimal (a boundary belongs to it). False when either is no
 * number; numbers held in strings are numbers. */
bool diff_within(yyjson_val *a, yyjson_val *b, double tolerance);

#endif
