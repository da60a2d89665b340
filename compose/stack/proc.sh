# shellcheck shell=bash
# Starting, finding and stopping the stack's servers.
#
# There are no pid files: a server of this stack is a process whose working directory is that server's data folder
# and whose program is the right one. The kernel keeps that true after a crash, a kill -9 or a reused pid, so a
# process that is not ours is never signalled, and one of ours is never lost.

program_of() { case $1 in kafka) echo java ;; postgres) echo postgres ;; redis) echo redis-server ;; esac; }

# pids_of SERVICE: every process of it, PostgreSQL's backends included, one a line.
# A folder deleted under a running server shows as "(deleted)": that orphan is ours too.
pids_of() {
  local dir program link cwd name
  dir=$(data_of "$1")
  program=$(program_of "$1")
  while IFS=$'\t' read -r link cwd; do
    if [ "$cwd" = "$dir" ] || [ "$cwd" = "$dir (deleted)" ]; then
      { read -r name <"${link%/cwd}/comm"; } 2>/dev/null || continue
      [ "$name" != "$program" ] || printf '%s\n' "${link//[!0-9]/}"
    fi
  done < <(find /proc/[0-9]*/cwd -maxdepth 0 -printf '%p\t%l\n' 2>/dev/null)
}

# main_pid SERVICE: the server itself; fails when it does not run, also when only its children are left.
main_pid() {
  local pid parent pids
  pids=$(pids_of "$1")
  for pid in $pids; do
    { read -r _ _ _ parent _ <"/proc/$pid/stat"; } 2>/dev/null || continue
    if ! grep -qx "$parent" <<<"$pids"; then
      [ "$1" != postgres ] || is_postmaster "$pid" || continue
      printf '%s' "$pid"
      return 0
    fi
  done
  return 1
}

# A backend whose postmaster died has another parent, but not the postmaster's command line.
is_postmaster() { [[ "$(tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline")" == *' -D '* ]]; }

# spawn LOG DIR COMMAND...: a server that outlives this script: a session of its own (Ctrl-C here is not for it),
# and none of our descriptors (a lock, or a test's pipe, must not stay open as long as the server runs).
spawn() {
  local log=$1 dir=$2
  shift 2
  (
    cd "$dir" || exit
    for fd in "/proc/$BASHPID/fd"/*; do
      fd=${fd##*/}
      case $fd in 0|1|2|255) ;; *) exec {fd}>&- ;; esac
    done
    exec setsid "$@" </dev/null >>"$log" 2>&1
  ) &
}

# signal_all SIGNAL SERVICE
signal_all() {
  local pids
  pids=$(pids_of "$2")
  # shellcheck disable=SC2086
  [ -z "$pids" ] || kill "-$1" $pids 2>/dev/null || true
}

# until_true SECONDS COMMAND...: polls; fails when the time is over.
until_true() {
  local deadline=$(( $(now) + $1 * 100 ))
  shift
  until "$@"; do
    [ "$(now)" -lt "$deadline" ] || return 1
    sleep 0.03
  done
}

gone() { [ -z "$(pids_of "$1")" ]; }

# stop SERVICE: orderly, and by force when that takes too long. A stalled server cannot hear, so it is woken first.
readonly STOP_LIMIT=20
stop() {
  local service=$1 pid signal=TERM
  # PostgreSQL's SIGTERM waits until its last client has gone; SIGINT ends the sessions.
  [ "$service" != postgres ] || signal=INT
  if pid=$(main_pid "$service"); then
    kill "-$signal" "$pid" 2>/dev/null || true
    signal_all CONT "$service"
    until_true "$STOP_LIMIT" gone "$service" || say "$service did not stop in $STOP_LIMIT s and is killed"
  fi
  crash "$service"
}

# crash SERVICE: kill -9 for all of it, and not before it is really gone.
crash() {
  local pid
  gone "$1" && return 0
  # The parent first: PostgreSQL's would otherwise begin a recovery of its own.
  ! pid=$(main_pid "$1") || kill -KILL "$pid" 2>/dev/null || true
  signal_all KILL "$1"
  until_true 10 gone "$1" || { bad "$1 cannot be killed: $(pids_of "$1" | tr '\n' ' ')"; return 1; }
}
