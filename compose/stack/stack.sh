# shellcheck shell=bash
# stack: the servers' commands. Each server has NAME_start and NAME_ready in its own file; the rest is the same for all.

readonly STACK_COMMANDS="up down status reset env logs restart kill pause resume pid data"
readonly START_LIMIT=60

stack_usage() {
  cat >&2 <<'EOF'
Examples:
  ./dev stack up                    start what does not run, repair what a crash left
  eval "$(./dev stack env)"         DATABASE_URL, KAFKA_BROKERS, REDIS_URL and more
  ./dev stack kill postgres         kill -9, as a crash would

Commands:
  up                   start Kafka, PostgreSQL and Redis and wait until each is ready
  down                 stop them; the data stays
  reset                stop them, delete the data, start empty
  status               what runs, where; exit 4 when something does not
  env                  the export lines that point programs at this stack
  logs [SERVICE] [-f]  the end of the servers' logs
  restart SERVICE      orderly stop, start, wait until ready
  kill SERVICE         SIGKILL all of its processes
  pause SERVICE        stall it (SIGSTOP); resume SERVICE lets it go on
  pid SERVICE          the server's process id
  data SERVICE         the folder its data lies in

SERVICE is kafka, postgres or redis. DROVER_STACK_DIR chooses another stack (default .stack).
EOF
}

stack_command() {
  [ $# -gt 0 ] || { stack_usage; exit "$EXIT_USAGE"; }
  local command=$1
  shift
  case $command in
    up)      setup; stack_up ;;
    down)    stack_locked stack_stop ;;
    reset)   setup; stack_locked stack_reset ;;
    status)  stack_status ;;
    env)     stack_env ;;
    logs)    stack_logs "$@" ;;
    restart) need_service "$@"; stack_locked service_restart "$1" ;;
    kill)    need_service "$@"; stack_locked crash "$1" ;;
    pause)   need_service "$@"; stack_locked signal_all STOP "$1" ;;
    resume)  need_service "$@"; stack_locked signal_all CONT "$1" ;;
    pid)     need_service "$@"; main_pid "$1" && echo ;;
    data)    need_service "$@"; printf '%s\n' "$(data_of "$1")" ;;
    help|-h|--help) stack_usage ;;
    *) unknown_word "./dev stack" "$command" "$STACK_COMMANDS" ;;
  esac
}

need_service() {
  local best
  [ $# -gt 0 ] || die "$EXIT_USAGE" "which server? $SERVICES"
  case " $SERVICES " in *" $1 "*) return 0 ;; esac
  best=$(nearest "$1" "$SERVICES")
  die "$EXIT_USAGE" "no server '$1'${best:+      did you mean '$best'?}   ($SERVICES)"
}

stack_locked() { with_lock "$STACK/.lock" "$@"; }

stack_up() { stack_locked stack_start; }

stack_start() {
  local service starting=() pid failed=0
  prepare_stack
  for service in $SERVICES; do
    service_up "$service" &
    starting+=($!)
  done
  for pid in "${starting[@]}"; do wait "$pid" || failed=1; done
  return "$failed"
}

# Running and ready: left alone. Anything else: what is left of it goes, and a new one starts.
service_up() {
  local service=$1 began
  began=$(now)
  if main_pid "$service" >/dev/null; then
    signal_all CONT "$service"
    if until_true 5 "${service}_ready"; then
      report_up "$service" "already running"
      return 0
    fi
  fi
  crash "$service" || return
  service_start "$service" "$began"
}

# service_start SERVICE BEGAN: the one way a server starts; nothing of it runs any more.
service_start() {
  if "${1}_start" && wait_ready "$1"; then
    report_up "$1" "$(since "$2")"
  else
    report_failure "$1"
    return 1
  fi
}

report_up() { ok "$(printf '%-9s 127.0.0.1:%-6s %s' "$1" "$(port_of "$1")" "$DIM$2$PLAIN")"; }

report_failure() {
  bad "$1 did not start; the end of $(short_path "$(log_of "$1")"):"
  tail -n 15 "$(log_of "$1")" 2>/dev/null | sed 's/^/    /' >&2
}

# wait_ready SERVICE: stops waiting as soon as the server has died.
wait_ready() {
  until_true "$START_LIMIT" ready_or_dead "$1" && main_pid "$1" >/dev/null
}

ready_or_dead() { "${1}_ready" || [ -z "$(jobs -r)" ]; }

stack_stop() {
  local service stopping=() pid failed=0
  for service in $SERVICES; do
    stop "$service" &
    stopping+=($!)
  done
  for pid in "${stopping[@]}"; do wait "$pid" || failed=1; done
  return "$failed"
}

stack_reset() {
  stack_stop || return
  stack_forget
  stack_start
}

service_restart() {
  local service=$1 began
  began=$(now)
  prepare_stack
  stop "$service" || return
  service_start "$service" "$began"
}

stack_status() {
  local service pid port state failed=0
  for service in $SERVICES; do
    if ! pid=$(main_pid "$service"); then
      state=down failed=1
    elif "${service}_ready"; then
      state="up       pid $pid"
    else
      state="not answering   pid $pid" failed=1
    fi
    port=$(port_of "$service")
    printf '%-9s 127.0.0.1:%-6s %s\n' "$service" "${port:--}" "$state"
  done
  [ "$failed" = 0 ] || exit "$EXIT_DEPENDENCY"
}

stack_env() {
  [ -r "$STACK/env" ] || die "$EXIT_DEPENDENCY" "there is no stack in $(short_path "$STACK"): ./dev stack up"
  cat "$STACK/env"
}

stack_logs() {
  local follow=() logs=() word
  for word in "$@"; do
    case $word in
      -f) follow=(-f) ;;
      *) need_service "$word"; logs+=("$(log_of "$word")") ;;
    esac
  done
  [ ${#logs[@]} -gt 0 ] || logs=("$STACK"/log/*.log)
  [ -e "${logs[0]}" ] || die "$EXIT_DEPENDENCY" "no logs in $(short_path "$STACK"): ./dev stack up"
  exec tail -n 100 "${follow[@]}" "${logs[@]}"
}

use_stack "${DROVER_STACK_DIR:-$ROOT/.stack}"
