#!/usr/bin/env bash
# The words of the field, and no others (glossary.py has them).
exec python3 "$(dirname -- "$0")/glossary.py" "$@"
