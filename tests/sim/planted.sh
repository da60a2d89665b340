#!/usr/bin/env bash
# A simulation with a planted fault must find it within 10,000 schedules.
# usage: planted.sh PROGRAM
set -euo pipefail
if out=$("$1" --schedules 10000 2>&1); then
  printf '%s\nthe planted fault was not found\n' "$out"
  exit 1
fi
grep -E '^(seed|after) |AddressSanitizer|Assertion' <<< "$out" || { printf '%s\n' "$out"; exit 1; }
