#!/usr/bin/env bash
# drover shadow from nothing on storage file; killed and started at once, while its old parts are just ending; and with its state_dir
# removed while it runs.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/shadow_lib.sh"

start_shadow() {
  "$DROVER" shadow --config "${CONFIG:-$WORK/drover.yaml}" --workers 1 --full-every 1h > "$WORK/shadow.out" 2> "$WORK/shadow.log" &
  SHADOW=$!
  PIDS+=("$SHADOW")
}
says() { grep -Eq -- "$1" "$WORK/shadow.log"; }
part() { pgrep -P "$SHADOW" -f "drover $1"; }
compares() { says '^shadow .* verify=1/1 .* compared=[0-9]'; }

start_redis
load --fill --tenants 2 > "$WORK/fill.out"

say "from nothing on storage file: the verifier waits for the store that the worker makes"
sed '/^storage:/d' "$WORK/drover.yaml" > "$WORK/file.yaml"
printf 'storage: file\nstore: { dir: %s }\n' "$WORK/store" >> "$WORK/file.yaml"
"$DROVER" topics apply --config "$WORK/file.yaml" > "$WORK/topics.log" 2>&1
"$DROVER" verify --follow --config "$WORK/file.yaml" > "$WORK/early.out" 2> "$WORK/early.log" &
EARLY=$!
PIDS+=("$EARLY")
waits() { grep -q follow.no_store "$WORK/early.log"; }
wait_until 60 waits
"$DROVER" work --config "$WORK/file.yaml" > "$WORK/file_work.log" 2>&1 &
WORKER=$!
PIDS+=("$WORKER")
wait_until 90 grep -q follow.begun "$WORK/early.log"
equal "how often it said so" "$(grep -c follow.no_store "$WORK/early.log")" 1
kill -TERM "$EARLY"
expect_exit 5 wait "$EARLY"
kill -TERM "$WORKER"
expect_exit 0 wait "$WORKER"
rm -r "$WORK/store" "$WORK/state"

say "killed while its parts cannot end at once: the new ones wait for them, and go on"
start_shadow
wait_until 90 is_same
wait_until 60 compares
ps -o args= -p "$(part verify)" | grep -q -- ' --full-every=3600000' || fail "the verifier was not told how often everything is verified"
OLD=$(part 'produce'; part 'verify')
kill -STOP $OLD
kill -KILL "$SHADOW"
wait "$SHADOW" 2> /dev/null || true
start_shadow
wait_until 60 says 'lock.waiting.*another producer follows'
wait_until 60 says 'lock.waiting.*another verifier follows'
kill -CONT $OLD
wait_until 60 compares
change() { node --input-type=module -e "import { Store } from '$APP/app.mjs'; new Store('$APP/data').$1;"; }
change "put('tenant-new', 'users', 'ada', { id: 'ada', name: 'Ada', plan: 'free' })"
wait_until 60 is_same
says 'error\[' && fail "the new shadow has an error"

say "its state_dir is removed while it runs: it ends with an error, and does not go on into deleted files"
rm -r "$WORK/state"
expect_exit 1 wait "$SHADOW"
has "$WORK/shadow.log" "was moved or deleted while it was used"
start_shadow
wait_until 90 is_same
"$DROVER" verify --follow --id other --config "$WORK/drover.yaml" > "$WORK/other.out" 2> "$WORK/other.log" &
OTHER=$!
PIDS+=("$OTHER")
wait_until 60 grep -q follow.begun "$WORK/other.log"
rm "$WORK"/state/*.verify.other.db
expect_exit 1 wait "$OTHER"
has "$WORK/other.log" "the verifier's book was moved or deleted while it was used"
kill -TERM "$SHADOW"
wait "$SHADOW" || true
if mkdir -p "$WORK/ro" && mount -t tmpfs -o size=16m tmpfs "$WORK/ro" 2> "$WORK/mount.log"; then
  say "a state_dir on a file system that is read-only is said to be that, and not to be damaged"
  sed "s|^state_dir: .*|state_dir: $WORK/ro/state|" "$WORK/drover.yaml" > "$WORK/ro.yaml"
  "$DROVER" verify --follow --config "$WORK/ro.yaml" > "$WORK/ro.out" 2> "$WORK/ro.log" &
  FOLLOWER=$!
  PIDS+=("$FOLLOWER")
  wait_until 60 grep -q follow.begun "$WORK/ro.log"
  kill -KILL "$FOLLOWER"
  wait "$FOLLOWER" 2> /dev/null || true
  mount -o remount,ro "$WORK/ro"
  got=0
  "$DROVER" verify --follow --config "$WORK/ro.yaml" > "$WORK/ro.out" 2> "$WORK/ro.log" || got=$?
  umount "$WORK/ro"
  equal "exit code on a read-only file system" "$got" 1
  has "$WORK/ro.log" "its file system is read-only"
  has "$WORK/ro.log" "make it and its folder writable, and start again: nothing is lost"
fi
say done
