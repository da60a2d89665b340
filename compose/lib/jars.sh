# shellcheck shell=bash
# Kafka's jars, as Maven resolves them from compose/kafka/pom.xml.

readonly KAFKA_POM="$ROOT/compose/kafka/pom.xml"
readonly KAFKA_LIBS="$DEPS/kafka/libs"

# The pom that the jars were fetched for is kept beside them, so a changed version is noticed.
have_jars() { cmp -s "$KAFKA_POM" "$DEPS/kafka/pom.xml"; }

fetch_jars() {
  local before fresh="$DEPS/kafka/libs.new"
  before=$(now)
  say "fetching Kafka (Maven, into $(short_path "$KAFKA_LIBS"))"
  rm -rf "$fresh"
  mkdir -p "$fresh"
  if ! mvn -B -q -f "$KAFKA_POM" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
       -DincludeScope=runtime -DoutputDirectory="$fresh" >"$DEPS/maven.log" 2>&1 </dev/null; then
    tail -n 20 "$DEPS/maven.log" >&2
    die "$EXIT_DEPENDENCY" "Maven could not fetch Kafka; all of it: $(short_path "$DEPS/maven.log")"
  fi
  rm -rf "$KAFKA_LIBS" "$KAFKA_ARCHIVE"
  mv "$fresh" "$KAFKA_LIBS"
  ok "Kafka's jars in $(since "$before")"
  kafka_archive || true
  cp "$KAFKA_POM" "$DEPS/kafka/pom.xml"
}

# The java to run Kafka with: JAVA_HOME, the PATH, then any installed one; 17 or later.
find_java() {
  local candidate
  for candidate in "${JAVA_HOME:-/nonexistent}/bin/java" "$(command -v java || true)" /usr/lib/jvm/*/bin/java; do
    if [ -x "$candidate" ] && [ "$(java_version "$candidate")" -ge 17 ]; then
      printf '%s' "$candidate"
      return 0
    fi
  done
  return 1
}

# The major version, from the file that every JDK carries: asking java itself costs 0.1 s.
java_version() {
  local home line version=0
  home=$(dirname "$(dirname "$(readlink -f "$1")")")
  [ -r "$home/release" ] || { "$1" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1 | grep . || echo 0; return; }
  while read -r line; do
    case $line in JAVA_VERSION=*) version=${line#JAVA_VERSION=\"} ;; esac
  done <"$home/release"
  version=${version%%[!0-9]*}
  printf '%s' "${version:-0}"
}
