# shellcheck shell=bash
# setup: installs what is missing, by Debian package name, in one apt-get call, and nothing else on the system.

setup() {
  local missing
  missing=$(missing_packages)
  if [ -z "$missing" ] && have_yyjson && have_jars; then return 0; fi
  with_lock "$DEPS/.lock" setup_locked
}

# Looks again: another ./dev may have done it while this one waited for the lock.
setup_locked() {
  local missing
  missing=$(missing_packages)
  # shellcheck disable=SC2086  # a list of package names
  [ -z "$missing" ] || install_packages $missing
  have_yyjson || fetch_yyjson
  have_jars || fetch_jars
}

# Each line: a command, or the name pkg-config knows, and the package it comes from.
readonly NEEDED_COMMANDS="
gcc gcc
clang clang
cmake cmake
ninja ninja-build
pkg-config pkg-config
valgrind valgrind
clang-format clang-format
jq jq
kcat kcat
mvn maven
redis-server redis-server
redis-cli redis-tools
sqlite3 sqlite3
zstd zstd
pgrep procps
flock util-linux
node nodejs
python3 python3
tmux tmux
chromium chromium"
readonly NEEDED_LIBRARIES="
rdkafka librdkafka-dev
libpq libpq-dev
hiredis libhiredis-dev
libuv libuv1-dev
yaml-0.1 libyaml-dev
libxxhash libxxhash-dev
libsodium libsodium-dev
libzstd libzstd-dev
zlib zlib1g-dev
sqlite3 libsqlite3-dev
libcurl libcurl4-openssl-dev
check check"

missing_packages() {
  local name package
  while read -r name package; do
    [ -z "$name" ] || have "$name" || echo "$package"
  done <<<"$NEEDED_COMMANDS"
  missing_libraries
  # gcc and valgrind only recommend these, and neither works without.
  [ -e /usr/include/stdio.h ] || echo libc6-dev
  [ -e /usr/include/leveldb/c.h ] || echo libleveldb-dev
  postgres_bin >/dev/null || echo postgresql
  find_java >/dev/null || echo java-runtime
  have_fuzzer_runtime || echo clang-runtime
  python3 -c "import jsonschema" 2>/dev/null || echo python3-jsonschema
  # Where the distribution has yyjson it comes with the others; elsewhere see yyjson.sh.
  if ! have_yyjson && has_candidate libyyjson-dev; then echo libyyjson-dev; fi
}

# All at once first: pkg-config is then started once, not ten times.
missing_libraries() {
  local name package names=()
  while read -r name package; do [ -z "$name" ] || names+=("$name"); done <<<"$NEEDED_LIBRARIES"
  if have pkg-config && pkg-config --exists "${names[@]}"; then return 0; fi
  while read -r name package; do
    [ -z "$name" ] || { have pkg-config && pkg-config --exists "$name"; } || echo "$package"
  done <<<"$NEEDED_LIBRARIES"
}

# clang's sanitizer and fuzzer runtime, which Debian 12 packs apart from clang.
have_fuzzer_runtime() {
  local found=(/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer*.a /usr/lib/clang/*/lib/linux/libclang_rt.fuzzer*.a)
  local file
  for file in "${found[@]}"; do [ ! -e "$file" ] || return 0; done
  return 1
}

# Not a pipe into grep -q: that ends the writer early, and pipefail calls it a failure now and then.
has_candidate() {
  local policy
  have apt-cache || return 1
  policy=$(apt-cache policy "$1" 2>/dev/null)
  [[ $policy == *'Candidate: '[!\(]* ]]
}

# Two needs have no fixed package name: it depends on the release.
real_names() {
  local package version
  for package in "$@"; do
    case $package in
      java-runtime)
        for version in openjdk-21-jre-headless openjdk-17-jre-headless openjdk-25-jre-headless default-jre-headless; do
          if has_candidate "$version"; then echo "$version"; break; fi
        done ;;
      clang-runtime)
        version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9][0-9]*\)$/\1/p')
        if [ -n "$version" ] && has_candidate "libclang-rt-$version-dev"; then echo "libclang-rt-$version-dev"; fi ;;
      valgrind) echo valgrind libc6-dbg ;;
      *) echo "$package" ;;
    esac
  done | tr ' ' '\n' | sort -u | paste -s -d ' '
}

install_packages() {
  local packages before
  have apt-get || die "$EXIT_DEPENDENCY" "missing: $* (Debian package names; this system has no apt-get, install their equals)"
  ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 || ! as_root_is_possible || refresh_lists
  packages=$(real_names "$@")
  [ -n "$packages" ] || return 0
  as_root_is_possible || needs_root "$packages"
  say "installing $packages"
  before=$(now)
  # shellcheck disable=SC2086
  if ! quietly_install $packages; then
    # A list that is older than the archive names files that are gone.
    refresh_lists
    # shellcheck disable=SC2086
    quietly_install $packages || { tail -n 20 "$DEPS/apt.log" >&2; die "$EXIT_DEPENDENCY" "apt-get install failed; all of it: $(short_path "$DEPS/apt.log")"; }
  fi
  ok "packages installed in $(since "$before")"
}

as_root_is_possible() { [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }

as_root() {
  if [ "$(id -u)" = 0 ]; then env "$@"; else sudo -n env "$@"; fi
}

needs_root() {
  say "These packages are missing and installing them needs root. Run this once:"
  say ""
  say "  sudo apt-get install --no-install-recommends -y $1"
  say ""
  say "then ./dev setup again."
  exit "$EXIT_DEPENDENCY"
}

refresh_lists() {
  say "reading the package lists"
  as_root apt-get -o DPkg::Lock::Timeout=120 update >>"$DEPS/apt.log" 2>&1 || true
}

# The servers are wanted as programs, not as services: none of them is started now or at the next boot by us,
# and one that the machine already runs is not restarted.
quietly_install() {
  local status=0 services=()
  dpkg -s redis-server >/dev/null 2>&1 || services+=(redis-server)
  dpkg -s postgresql >/dev/null 2>&1 || services+=(postgresql)
  forbid_service_starts
  as_root DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -o DPkg::Lock::Timeout=120 \
    install -y -q --no-install-recommends "$@" >>"$DEPS/apt.log" 2>&1 </dev/null || status=$?
  allow_service_starts
  if [ "$status" = 0 ] && [ -d /run/systemd/system ] && [ ${#services[@]} -gt 0 ]; then
    as_root systemctl disable "${services[@]}" >>"$DEPS/apt.log" 2>&1 || true
  fi
  return "$status"
}

# Debian's switch for "install, but start nothing"; a machine that has one of its own keeps it.
readonly POLICY=/usr/sbin/policy-rc.d
POLICY_IS_OURS=

forbid_service_starts() {
  [ ! -e "$POLICY" ] || return 0
  trap allow_service_starts EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
  POLICY_IS_OURS=1
  as_root chmod 755 "$POLICY"
}

allow_service_starts() {
  [ -n "$POLICY_IS_OURS" ] || return 0
  as_root rm -f "$POLICY"
  POLICY_IS_OURS=
  trap - EXIT INT TERM
}
