# shellcheck shell=bash
# Every document that a test's commands answer with --json is kept, and checked when the test ends.
DROVER_TEST_PROGRAM=$(realpath "$DROVER") DROVER_TEST_DOCUMENTS=$WORK/documents
export DROVER_TEST_PROGRAM DROVER_TEST_DOCUMENTS
KEEPER=$PWD/tests/support/drover_documents
CHECKER=$PWD/tests/support/json_documents.py
mkdir -p "$DROVER_TEST_DOCUMENTS"

check_documents() {
  local found=("$DROVER_TEST_DOCUMENTS"/*)
  [ ! -e "${found[0]}" ] || python3 "$CHECKER" "${found[@]}"
}
