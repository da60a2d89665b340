# shellcheck shell=bash
# Apache Kafka without a container: one KRaft node, from the jars that setup fetched.

# Kafka's classes, parsed and laid out once by kafka_archive; Java leaves a file that does not fit it unread.
readonly KAFKA_ARCHIVE="$DEPS/kafka/classes.jsa"

kafka_start() {
  local data="$STACK/data/kafka" java properties="$STACK/data/kafka.properties" jvm
  java=$(find_java) || { bad "no Java of version 17 or later: ./dev setup"; return 1; }
  mkdir -p "$data"
  kafka_configure "$data" >"$properties"
  [ -e "$STACK/data/kafka.formatted" ] || kafka_format "$java" "$properties" || return
  kafka_options jvm
  [ -z "${KAFKA_ARCHIVE_NOW:-}" ] || jvm+=("-XX:ArchiveClassesAtExit=$KAFKA_ARCHIVE_NOW")
  CLASSPATH=$(kafka_classpath) spawn "$(log_of kafka)" "$data" "$java" "${jvm[@]}" kafka.Kafka "$properties"
}

kafka_configure() {
  local text
  text=$(<"$ROOT/compose/kafka/server.properties")
  text=${text//@PORT@/"$KAFKA_PORT"}
  text=${text//@CONTROLLER_PORT@/"$KAFKA_CONTROLLER_PORT"}
  printf '%s\n' "${text//@DATA@/"$1"}"
}

# Every jar by name: the archive of classes does not work with a wildcard.
kafka_classpath() { printf '%s:' "$KAFKA_LIBS"/*.jar; }

# kafka_options ARRAY: java's options, the same for the broker and its tools.
#
# Measured on two cores, 10 million records of 250 bytes each way: with the first compiler only (C1), the broker
# starts in half the time and takes a third less CPU, at the same throughput. A node that runs for days wants both.
# The serial collector stopped the broker for 10 ms every 0.6 s at 1,000 single messages a second, and that was the 99th
# percentile of everybody's latency; the parallel one with a small young generation stops it for 2.4 ms, and takes 8 MB more.
kafka_options() {
  local -n options=$1
  options=(-Xms128m -Xmx384m -XX:MaxDirectMemorySize=128m -XX:+UseParallelGC -Xmn32m -XX:TieredStopAtLevel=1
           "-Dlog4j2.configurationFile=$ROOT/compose/kafka/log4j2.properties")
  [ ! -e "$KAFKA_ARCHIVE" ] || options+=("-XX:SharedArchiveFile=$KAFKA_ARCHIVE")
}

# Run once by setup: a Kafka in a scratch stack writes down, at its end, the classes it has loaded. Each later start
# takes about half as long; without the file everything works, only slower.
kafka_archive() (
  began=$(now)
  scratch=$(mktemp -d "$DEPS/kafka/scratch.XXXXXX")
  use_stack "$scratch"
  KAFKA_ARCHIVE_NOW="$scratch/classes.jsa"
  mkdir -p "$STACK/log" "$STACK/data"
  choose_ports
  if kafka_start && wait_ready kafka && stop kafka && [ -s "$KAFKA_ARCHIVE_NOW" ]; then
    mv "$KAFKA_ARCHIVE_NOW" "$KAFKA_ARCHIVE"
    ok "Kafka's classes archived in $(since "$began")"
  fi
  crash kafka
  rm -rf "$scratch"
)

# A broken-off format leaves a folder that Kafka would refuse, so it begins with an empty one.
kafka_format() {
  local java=$1 properties=$2 id jvm
  rm -rf "${STACK:?}/data/kafka"
  mkdir -p "$STACK/data/kafka"
  # 16 random bytes in Kafka's spelling, which must not begin with a dash.
  id=D$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n' | cut -c1-20)A
  kafka_options jvm
  (cd "$STACK/data/kafka" && CLASSPATH=$(kafka_classpath) "$java" "${jvm[@]}" \
    kafka.tools.StorageTool format -t "$id" -c "$properties") >>"$(log_of kafka)" 2>&1 || return
  : >"$STACK/data/kafka.formatted"
}

# Ready means that it describes itself as a broker, not only that the port is open.
kafka_ready() {
  local answer
  case " $(listening_ports) " in *" $(printf '%04X' "$KAFKA_PORT") "*) ;; *) return 1 ;; esac
  answer=$(timeout 5 kcat -L -J -m 2 -b "127.0.0.1:$KAFKA_PORT" 2>/dev/null) && [[ $answer == *'"brokers":[{'* ]]
}
