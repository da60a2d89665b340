#!/usr/bin/env bash
# storage hybrid of a mapping without `redis:`, and no Redis where the URL points: the run says that nothing goes there, that
# Redis is away, and never that it is back.
. "$(dirname "$0")/lib.sh"

export DROVER_STORAGE=hybrid AI_STORAGE_TYPE=hybrid REDIS_URL=redis://127.0.0.1:1/0
generate 3000 20 1 "$WORK/one.ndjson"
expect_exit 0 drover run "$WORK/one.ndjson" --workers 1 > "$WORK/run.out" 2> "$WORK/run.log"
has "$WORK/run.log" 'redis.away'
has "$WORK/run.log" 'no mapping has redis:'
! grep -q 'redis.back' "$WORK/run.log" || fail "a Redis that was never there is back: $(grep redis.back "$WORK/run.log")"
drover doctor > "$WORK/doctor.out" 2>&1 || true
has "$WORK/doctor.out" 'no mapping has redis:'
