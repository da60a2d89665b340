# shellcheck shell=bash
# The tools people use for this now, installed by name from their registries into .bench/, started and stopped here. Each reads
# the topic bench.flat (a line of `dataset --form flat` a message) and writes a table `chat` like Drover's without its own columns
# and without row level security, which none of them can work under.

PEER_TOPIC=bench.flat
CONNECT_REST=
CONNECT_PID=

# ---- installing ----------------------------------------------------------------------------

install_peers() {
  mkdir -p "$CACHE"
  [ -x "$CACHE/python/bin/python" ] && cmp -s tests/bench/peers/requirements.txt "$CACHE/python/requirements.txt" || install_python
  [ -d "$CACHE/node/node_modules/pg" ] && cmp -s tests/bench/peers/package.json "$CACHE/node/package.json" || install_node
  [ -d "$CACHE/connect/plugins" ] && cmp -s tests/bench/peers/pom.xml "$CACHE/connect/pom.xml" || install_connect
}

install_python() {
  say "installing $(paste -sd ' ' tests/bench/peers/requirements.txt) (pip)"
  rm -rf "$CACHE/python"
  quietly python3 -m venv "$CACHE/python" || { say "python3 -m venv is needed: apt-get install python3-venv"; return 4; }
  quietly "$CACHE/python/bin/pip" install --quiet -r tests/bench/peers/requirements.txt
  cp tests/bench/peers/requirements.txt "$CACHE/python/requirements.txt"
}

install_node() {
  command -v npm >/dev/null || { say "npm is needed: apt-get install npm"; return 4; }
  say "installing pg (npm)"
  mkdir -p "$CACHE/node"
  cp tests/bench/peers/package.json tests/bench/peers/loop.js "$CACHE/node/"
  (cd "$CACHE/node" && quietly npm install --silent --no-audit --no-fund)
}

# The connector's jars in a folder of its own. Jackson's and Kafka's come from Connect itself: two of them do not work together.
install_connect() {
  say "installing Debezium's JDBC sink (Maven)"
  rm -rf "$CACHE/connect"
  mkdir -p "$CACHE/connect/plugins/debezium-jdbc"
  quietly mvn -B -q -f tests/bench/peers/pom.xml org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$CACHE/connect/plugins/debezium-jdbc"
  (cd "$CACHE/connect/plugins/debezium-jdbc" && rm -f jackson-* kafka-clients-* connect-api-* slf4j-api-* lz4-java-* zstd-jni-* snappy-java-* \
    ojdbc* mssql-jdbc-* mysql-connector-* mariadb-java-client-*)
  cp tests/bench/peers/pom.xml "$CACHE/connect/pom.xml"
}

# ---- the table and the topic ---------------------------------------------------------------

# The application's own user writes it, as the tools would.
peer_table() {
  psql "$DATABASE_URL" -XqAt -v ON_ERROR_STOP=1 <<'SQL'
CREATE TABLE public.chat (tenant text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, rev int8 NOT NULL, session text NOT NULL,
  role text, content text NOT NULL, at timestamptz NOT NULL, tokens int4, model text, flags jsonb, PRIMARY KEY (tenant, id));
CREATE INDEX idx_chat_session ON public.chat (tenant, session, at);
SQL
}

# peer_topic SET RECORDS: anew, keyed as Drover keys its own
peer_topic() {
  delete_topics "bench\.flat"
  "${TOPIC_TOOL[@]}" --bootstrap-server "$KAFKA_BROKERS" --create --topic "$PEER_TOPIC" --partitions "$PARTITIONS" --replication-factor 1 >/dev/null
  "$TOOLS/dataset" "$1" "$2" --form flat |
    kcat -P -b "$KAFKA_BROKERS" -t "$PEER_TOPIC" -K $'\t' -X partitioner=murmur2 -X linger.ms=20 -z lz4
}

# ---- waiting, timing -----------------------------------------------------------------------

# From the first to the last commit whose rows are there, as PostgreSQL noted them: the same clock for everyone.
commit_seconds() {
  admin -c "SELECT extract(epoch FROM max(t) - min(t)) FROM (SELECT pg_xact_commit_timestamp(xmin) AS t FROM public.chat) AS row"
}

note_commit_times() {
  [ "$(admin_drover -c 'SHOW track_commit_timestamp')" = on ] && return
  admin_drover -c "ALTER SYSTEM SET track_commit_timestamp = on"
  quietly ./dev stack restart postgres
}

admin_drover() { psql "$ADMIN_SERVER/drover" -XqAt -v ON_ERROR_STOP=1 "$@"; }

# Until the table has not changed for 5 s.
until_still() {
  local last=-1 now same=0 limit=$(( SECONDS + 1200 ))
  while [ "$SECONDS" -lt "$limit" ]; do
    nap 1
    now=$(admin -c "SELECT coalesce(sum(n_tup_ins + n_tup_upd), 0) FROM pg_stat_user_tables WHERE relname = 'chat'")
    if [ "$now" = "$last" ] && [ "$now" != 0 ]; then same=$(( same + 1 )); else same=0; fi
    last=$now
    [ "$same" -lt 5 ] || return 0
  done
}

# ---- Kafka Connect with Debezium's JDBC sink -----------------------------------------------

start_connect() {
  CONNECT_REST=http://127.0.0.1:$(free_port)
  cat > "$WORK/connect.properties" <<CONF
bootstrap.servers=$KAFKA_BROKERS
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
offset.storage.file.filename=$WORK/connect.offsets
offset.flush.interval.ms=10000
plugin.path=$CACHE/connect/plugins
listeners=$CONNECT_REST
CONF
  java -Xms512m -Xmx2g -cp "$PWD/.deps/kafka/libs/*" -Dlog4j2.configurationFile="$PWD/compose/kafka/log4j2.properties" \
    org.apache.kafka.connect.cli.ConnectStandalone "$WORK/connect.properties" > "$WORK/connect.log" 2>&1 &
  CONNECT_PID=$!
  until curl -sf "$CONNECT_REST/connectors" >/dev/null 2>&1; do
    kill -0 "$CONNECT_PID" 2>/dev/null || { tail -n 20 "$WORK/connect.log" >&2; return 1; }
    nap 0.5
  done
}

stop_connect() { [ -z "$CONNECT_PID" ] || { kill "$CONNECT_PID" 2>/dev/null; wait "$CONNECT_PID" 2>/dev/null || true; CONNECT_PID=; }; }

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# connector NAME [SETTING=VALUE…]: reads the topic from its beginning
connector() {
  local name=$1
  shift
  python3 tests/bench/peers/connector.py "$name" "$PEER_TOPIC" "$DATABASE_URL" "$@" > "$WORK/connector.json"
  curl -sf -X POST -H 'content-type: application/json' --data @"$WORK/connector.json" "$CONNECT_REST/connectors" > "$WORK/connect.answer" ||
    { cat "$WORK/connect.answer" >&2; tail -n 5 "$WORK/connect.log" >&2; return 1; }
}

connector_state() { curl -sf "$CONNECT_REST/connectors/$1/status" | jq -r '[.tasks[] | .state + (if .trace then ": " + (.trace | [match("ERROR: [^\n]*"; "g").string] | last // "") else "" end)] | unique | join(", ")'; }

remove_connector() { curl -sf -X DELETE "$CONNECT_REST/connectors/$1" >/dev/null || true; }

cpu_seconds_of() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) / hz }' "/proc/$1/stat"; }
