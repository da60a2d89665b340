#!/usr/bin/env bash
# A simulation with a planted fault must find it within 10,000 schedules, by what the fault is about.
# usage: planted.sh PROGRAM PATTERN     PATTERN: what is said behind the seed
set -euo pipefail
if out=$("$1" --schedules 10000 2>&1); then
  printf '%s\nthe planted fault was not found\n' "$out"
  exit 1
fi
grep -E "^seed [0-9]+: ($2)" <<< "$out" || { printf '%s\nthis is not what was planted\n' "$out"; exit 1; }
