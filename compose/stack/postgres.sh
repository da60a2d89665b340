# shellcheck shell=bash
# PostgreSQL from the distribution's package, with a cluster of this stack's own.

# The newest installed server's programs.
postgres_bin() {
  local dirs
  dirs=$(printf '%s\n' /usr/lib/postgresql/*/bin/postgres | sort -t/ -k5,5n | tail -n 1)
  [ -x "$dirs" ] && printf '%s' "${dirs%/postgres}"
}

# It refuses to run as root, so root hands it to the user that the package made.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups "$@"; else "$@"; fi
}

postgres_elsewhere() { printf '/var/tmp/drover-%s' "$(stack_hash)"; }

# That user must be able to reach the data, which it cannot below, say, root's own home.
choose_postgres_data() {
  [ "$(id -u)" = 0 ] || return 0
  local elsewhere
  elsewhere=$(postgres_elsewhere)
  if [ "$POSTGRES_DATA" = "$STACK/data/postgres" ] && as_postgres test -x "$STACK/data"; then return 0; fi
  if [ "$POSTGRES_DATA" = "$STACK/data/postgres" ]; then
    say "the user 'postgres' cannot enter $STACK: PostgreSQL's data goes to $elsewhere"
  fi
  mkdir -m 755 "$elsewhere" 2>/dev/null || [ -O "$elsewhere" ] ||
    die "$EXIT_REFUSED" "$elsewhere belongs to someone else; choose a DROVER_STACK_DIR that the user 'postgres' can enter"
  POSTGRES_DATA=$elsewhere/postgres
}

postgres_start() {
  local bin
  bin=$(postgres_bin) || { bad "no PostgreSQL server is installed: ./dev setup"; return 1; }
  [ -e "$POSTGRES_DATA/drover.conf" ] || postgres_create "$bin" || return
  postgres_configure || return
  # No server of ours runs (the caller made sure), so this can only be what a crash left; its number may by now
  # be another process's, which would keep PostgreSQL from starting.
  rm -f "$POSTGRES_DATA/postmaster.pid"
  if [ "$(id -u)" = 0 ]; then
    spawn "$(log_of postgres)" "$POSTGRES_DATA" \
      setpriv --reuid=postgres --regid=postgres --init-groups "$bin/postgres" -D "$POSTGRES_DATA"
  else
    spawn "$(log_of postgres)" "$POSTGRES_DATA" "$bin/postgres" -D "$POSTGRES_DATA"
  fi
}

# drover.conf is written last, so a cluster that was interrupted on the way is made again.
postgres_create() {
  local bin=$1 password_file="$POSTGRES_DATA.password" status=0
  rm -rf "$POSTGRES_DATA"
  mkdir -m 700 "$POSTGRES_DATA" || return
  (umask 077; printf '%s\n' "$POSTGRES_PASSWORD" >"$password_file")
  [ "$(id -u)" != 0 ] || chown postgres:postgres "$POSTGRES_DATA" "$password_file"
  (cd "$POSTGRES_DATA" && as_postgres "$bin/initdb" --pgdata="$POSTGRES_DATA" --username=postgres --pwfile="$password_file" \
    --encoding=UTF8 --locale=C.UTF-8 --auth=scram-sha-256 --no-sync --no-instructions) >>"$(log_of postgres)" 2>&1 || status=$?
  rm -f "$password_file"
  [ "$status" = 0 ] || return "$status"
  printf "include 'drover.conf'\n" >>"$POSTGRES_DATA/postgresql.conf"
}

# Durable as a real one is: fsync and synchronous_commit keep their defaults, or a crash test would prove nothing.
# Parameters stay out of the log because they hold customers' data.
# A socket's path may have 107 bytes, which a deep folder exceeds: TCP only.
postgres_configure() {
  cat >"$POSTGRES_DATA/drover.conf" <<EOF
listen_addresses = '127.0.0.1'
port = $POSTGRES_PORT
unix_socket_directories = ''
max_connections = 60
shared_buffers = 256MB
max_wal_size = 2GB
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d '
log_min_duration_statement = -1
log_parameter_max_length_on_error = 0
EOF
  [ "$(id -u)" != 0 ] || chown postgres:postgres "$POSTGRES_DATA/drover.conf"
}

# Ready means: it answers, and the application's role and database are there. They are made when they are missing.
postgres_ready() {
  local found
  found=$(postgres_admin -c "SELECT count(*) FROM pg_database WHERE datname = 'drover'" 2>/dev/null) || return 1
  [ "$found" = 1 ] || postgres_admin >>"$(log_of postgres)" 2>&1 <<EOF
DO \$\$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'drover') THEN CREATE ROLE drover; END IF;
END \$\$;
ALTER ROLE drover LOGIN NOSUPERUSER NOBYPASSRLS CREATEROLE CREATEDB PASSWORD '$DROVER_PASSWORD';
CREATE DATABASE drover OWNER drover;
EOF
}

postgres_admin() {
  PGPASSWORD=$POSTGRES_PASSWORD timeout 10 "$(postgres_bin)/psql" -X -q -A -t -v ON_ERROR_STOP=1 \
    -h 127.0.0.1 -p "$POSTGRES_PORT" -U postgres -d postgres "$@"
}
