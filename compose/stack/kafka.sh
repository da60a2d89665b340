# shellcheck shell=bash
# Apache Kafka without a container: one KRaft node, from the jars that setup fetched.

kafka_start() {
  local data="$STACK/data/kafka" java properties="$STACK/data/kafka.properties"
  java=$(find_java) || { bad "no Java of version 17 or later: ./dev setup"; return 1; }
  mkdir -p "$data"
  sed -e "s|@PORT@|$KAFKA_PORT|g" -e "s|@CONTROLLER_PORT@|$KAFKA_CONTROLLER_PORT|g" -e "s|@DATA@|$data|g" \
    "$ROOT/compose/kafka/server.properties" >"$properties"
  [ -e "$STACK/data/kafka.formatted" ] || kafka_format "$java" "$properties" || return
  spawn "$(log_of kafka)" "$data" "$java" -Xms128m -Xmx384m -XX:MaxDirectMemorySize=128m -XX:+UseSerialGC \
    "-Dlog4j2.configurationFile=$ROOT/compose/kafka/log4j2.properties" -cp "$KAFKA_LIBS/*" kafka.Kafka "$properties"
}

# A broken-off format leaves a folder that Kafka would refuse, so it begins with an empty one.
kafka_format() {
  local java=$1 properties=$2 id
  rm -rf "${STACK:?}/data/kafka"
  mkdir -p "$STACK/data/kafka"
  # 16 random bytes in Kafka's spelling, which must not begin with a dash.
  id=D$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n' | cut -c1-20)A
  "$java" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC "-Dlog4j2.configurationFile=$ROOT/compose/kafka/log4j2.properties" -cp "$KAFKA_LIBS/*" \
    kafka.tools.StorageTool format -t "$id" -c "$properties" >>"$(log_of kafka)" 2>&1 || return
  : >"$STACK/data/kafka.formatted"
}

# Ready means that it describes itself as a broker, not only that the port is open.
kafka_ready() {
  case " $(listening_ports) " in *" $(printf '%04X' "$KAFKA_PORT") "*) ;; *) return 1 ;; esac
  kcat -L -J -m 2 -b "127.0.0.1:$KAFKA_PORT" 2>/dev/null | jq -e '.brokers | length > 0' >/dev/null 2>&1
}
