# shellcheck shell=bash
# What a test without servers needs: whoever asks for one finds none. It works in a folder of its own, WORK.
set -euo pipefail
[ -n "${DROVER:-}" ] || { echo "DROVER must name the built program: run ./dev test" >&2; exit 2; }

unset DATABASE_URL REDIS_URL DROVER_ADMIN_DATABASE_URL DROVER_MIGRATION PROJECT_ID ORGANIZATION_ID MCP_SERVER_ID CODEBASE_HASH
export KAFKA_BROKERS=127.0.0.1:1 NO_COLOR=1
WORK=$(mktemp -d)
exec {TELL}>&2
. tests/e2e/words.sh
. tests/e2e/documents.sh

cleanup() {
  local status=$?
  if [ "$status" = 0 ]; then check_documents >&"$TELL" || status=1; fi
  [ "$status" = 0 ] || tell_logs
  rm -rf "$WORK"
  exit "$status"
}
trap cleanup EXIT
