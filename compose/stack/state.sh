# shellcheck shell=bash disable=SC2034
# What a stack remembers, all of it in its folder:
#   ports       ports and data folders, chosen at the first `up`
#   passwords   generated at the first `up`, readable by the owner only
#   env         the export lines of `stack env`
#   data/ log/  what the servers write

readonly SERVICES="kafka postgres redis"

# use_stack DIR: every later call is about the stack in this folder.
use_stack() {
  STACK=$(realpath -m -- "$1")
  KAFKA_PORT='' KAFKA_CONTROLLER_PORT='' POSTGRES_PORT='' REDIS_PORT='' POSTGRES_DATA="$STACK/data/postgres"
  POSTGRES_PASSWORD='' DROVER_PASSWORD=''
  read_settings "$STACK/ports"
  read_settings "$STACK/passwords"
}

read_settings() {
  local name value
  [ -r "$1" ] || return 0
  while IFS='=' read -r name value; do
    case $name in
      KAFKA_PORT|KAFKA_CONTROLLER_PORT|POSTGRES_PORT|REDIS_PORT|POSTGRES_DATA|POSTGRES_PASSWORD|DROVER_PASSWORD)
        printf -v "$name" '%s' "$value" ;;
    esac
  done <"$1"
}

data_of() { case $1 in postgres) printf '%s' "$POSTGRES_DATA" ;; *) printf '%s' "$STACK/data/$1" ;; esac; }
log_of()  { printf '%s' "$STACK/log/$1.log"; }
port_of() { case $1 in kafka) echo "$KAFKA_PORT" ;; postgres) echo "$POSTGRES_PORT" ;; redis) echo "$REDIS_PORT" ;; esac; }

# A number of 32 bits that follows from the folder: clones get other ports without asking one another.
stack_hash() { printf '%s' "$STACK" | cksum | cut -d' ' -f1; }

# Folders, ports, passwords and env; called at every `up`, keeps what is still good.
prepare_stack() {
  if [ -e "$STACK/data" ] && [ ! -e "$STACK/ports" ]; then
    die "$EXIT_REFUSED" "$(short_path "$STACK") has a folder 'data' that no stack made; choose another DROVER_STACK_DIR"
  fi
  mkdir -p "$STACK/log" "$STACK/data" || die "$EXIT_FAILURE" "cannot write in $STACK"
  choose_ports
  choose_postgres_data
  write_ports
  choose_passwords
  write_env
}

write_ports() {
  cat >"$STACK/ports.new" <<EOF
# Written by ./dev stack up.
KAFKA_PORT=$KAFKA_PORT
KAFKA_CONTROLLER_PORT=$KAFKA_CONTROLLER_PORT
POSTGRES_PORT=$POSTGRES_PORT
REDIS_PORT=$REDIS_PORT
POSTGRES_DATA=$POSTGRES_DATA
EOF
  mv "$STACK/ports.new" "$STACK/ports"
}

# A port stays as long as it is free or our own server has it.
choose_ports() {
  local taken service next
  taken=$(listening_ports)
  # Below the range from which the kernel takes ports for outgoing connections.
  next=$(( 15000 + $(stack_hash) % 4000 * 4 ))
  for service in KAFKA KAFKA_CONTROLLER POSTGRES REDIS; do
    choose_port "$service" "${service}_PORT"
  done
}

# choose_port NAME VARIABLE: uses and advances the caller's `next`.
choose_port() {
  local -n port=$2
  local service=${1%_CONTROLLER}
  if [ -n "$port" ] && { ! is_taken "$port" || [ -n "$(pids_of "${service,,}")" ]; }; then return 0; fi
  [ -z "$port" ] || say "port $port of ${service,,} is in use by another program now: taking a new one"
  while is_taken "$next" || is_reserved "$next"; do next=$(( next + 1 )); done
  port=$next
  next=$(( next + 1 ))
}

is_taken() { case " $taken " in *" $(printf '%04X' "$1") "*) return 0 ;; *) return 1 ;; esac; }
is_reserved() { case " $KAFKA_PORT $KAFKA_CONTROLLER_PORT $POSTGRES_PORT $REDIS_PORT " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

# The ports that something listens on, in hexadecimal, from the kernel's own table.
listening_ports() {
  awk '$4 == "0A" { n = split($2, part, ":"); printf "%s ", part[n] }' /proc/net/tcp /proc/net/tcp6 2>/dev/null || true
}

choose_passwords() {
  [ -z "$POSTGRES_PASSWORD" ] || [ -z "$DROVER_PASSWORD" ] || return 0
  POSTGRES_PASSWORD=$(random_hex)
  DROVER_PASSWORD=$(random_hex)
  (umask 077; printf 'POSTGRES_PASSWORD=%s\nDROVER_PASSWORD=%s\n' "$POSTGRES_PASSWORD" "$DROVER_PASSWORD" >"$STACK/passwords")
}

random_hex() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

write_env() (
  umask 077
  {
    printf 'export KAFKA_BROKERS=127.0.0.1:%s\n' "$KAFKA_PORT"
    printf 'export DATABASE_URL=postgresql://drover:%s@127.0.0.1:%s/drover\n' "$DROVER_PASSWORD" "$POSTGRES_PORT"
    printf 'export DROVER_ADMIN_DATABASE_URL=postgresql://postgres:%s@127.0.0.1:%s/drover\n' "$POSTGRES_PASSWORD" "$POSTGRES_PORT"
    printf 'export REDIS_URL=redis://127.0.0.1:%s/0\n' "$REDIS_PORT"
    printf 'export DROVER_STACK_DIR=%q\n' "$STACK"
  } >"$STACK/env.new"
  mv "$STACK/env.new" "$STACK/env"
)

# restarted_stack: the folder of the stack beside this one that tests stop and start, while others use this one.
restarted_stack() { printf '%s.restarted' "$STACK"; }

# stack_forget: deletes the data, also where it had to be put elsewhere; ports and passwords stay.
stack_forget() {
  [ -e "$STACK/ports" ] || return 0
  rm -rf "${STACK:?}/data" "${STACK:?}/log"
  case $POSTGRES_DATA in "$(postgres_elsewhere)"/*) rm -rf "$(postgres_elsewhere)" ;; esac
}
