# shellcheck shell=bash
# Redis from the distribution's package. Nothing is saved: Redis is derived data, and Drover rebuilds it from PostgreSQL.

redis_start() {
  mkdir -p "$STACK/data/redis"
  redis_configure >"$STACK/data/redis/redis.conf"
  spawn "$(log_of redis)" "$STACK/data/redis" redis-server "$STACK/data/redis/redis.conf"
}

redis_configure() {
  cat <<EOF
bind 127.0.0.1
port $REDIS_PORT
daemonize no
dir "$STACK/data/redis"
save ""
appendonly no
maxmemory-policy noeviction
EOF
  # DEBUG, which tests use to stall the server, needs a permission since Redis 7.
  case $(redis-server --version) in *v=[0-6].*) ;; *) echo "enable-debug-command local" ;; esac
}

redis_ready() { [ "$(timeout 2 redis-cli -h 127.0.0.1 -p "$REDIS_PORT" PING 2>/dev/null)" = PONG ]; }
