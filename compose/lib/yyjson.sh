# shellcheck shell=bash
# yyjson, where the distribution does not package it: Debian 13's two packages, unpacked into .deps, nothing installed.
# They need only a libc that every supported system has.

readonly YYJSON_DOWNLOADED="$DEPS/yyjson"
readonly YYJSON_SUITE=trixie

have_yyjson() {
  [ -n "${YYJSON_ROOT:-}" ] || yyjson_on_system || [ -e "$YYJSON_DOWNLOADED/usr/include/yyjson.h" ]
}

yyjson_on_system() { [ -e /usr/include/yyjson.h ] || [ -e /usr/local/include/yyjson.h ]; }

# The folder to hand to CMake (it holds usr/include/yyjson.h); nothing when the system's own is found without help.
yyjson_root() {
  if [ -n "${YYJSON_ROOT:-}" ]; then printf '%s' "$YYJSON_ROOT"
  elif ! yyjson_on_system; then printf '%s' "$YYJSON_DOWNLOADED"; fi
}

fetch_yyjson() {
  local work before
  before=$(now)
  work=$(mktemp -d "$DEPS/yyjson.XXXXXX")
  say "fetching yyjson (Debian $YYJSON_SUITE's package, into $(short_path "$YYJSON_DOWNLOADED"))"
  private_apt "$work"
  if ! download_yyjson "$work" >"$work/log" 2>&1; then
    tail -n 10 "$work/log" >&2
    rm -rf "$work"
    yyjson_by_hand
  fi
  rm -rf "$YYJSON_DOWNLOADED"
  mv "$work/root" "$YYJSON_DOWNLOADED"
  rm -rf "$work"
  ok "yyjson in $(short_path "$YYJSON_DOWNLOADED"), $(since "$before")"
}

download_yyjson() (
  work=$1
  cd "$work" || exit
  APT_CONFIG="$work/apt.conf" apt-get update &&
    APT_CONFIG="$work/apt.conf" apt-get download libyyjson0 libyyjson-dev || exit
  mkdir root
  for package in libyyjson*.deb; do dpkg -x "$package" root || exit; done
  [ -e root/usr/include/yyjson.h ]
)

# An apt of its own in a scratch folder: its lists, cache and pins are not the machine's,
# while proxies, mirrors' passwords and trusted keys are.
private_apt() {
  local work=$1 uri options=''
  uri=$(debian_mirror)
  [ -n "$uri" ] || { rm -rf "$work"; yyjson_by_hand; }
  [ ! -e /usr/share/keyrings/debian-archive-keyring.gpg ] || options='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] '
  mkdir -p "$work"/{lists/partial,cache/archives/partial,parts,preferences}
  printf 'deb %s%s %s main\n' "$options" "$uri" "$YYJSON_SUITE" >"$work/sources.list"
  : >"$work/status"
  cat >"$work/apt.conf" <<EOF
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "$work/parts";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "$work/preferences";
Dir::State "$work";
Dir::State::Lists "$work/lists";
Dir::State::Status "$work/status";
Dir::Cache "$work/cache";
APT::Sandbox::User "";
Acquire::Languages "none";
EOF
}

# The mirror this machine already takes Debian from, in whichever of apt's formats it is written;
# apt itself reads them. Nothing on a system that has no Debian source.
debian_mirror() {
  local codename
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && [ "${ID:-}" = debian ] && printf '%s' "${VERSION_CODENAME:-}") || return 0
  have apt-get || return 0
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' 2>/dev/null |
    awk -v suite="$codename" '
      found || $2 != suite || $3 != "main" { next }
      $4 == "Debian" || $1 ~ /\/debian\/?$/ { print $1; found = 1 }'
}

yyjson_by_hand() {
  say "yyjson (0.8 to 0.10) is missing, and this system has neither a package of it nor a Debian source to take it from."
  say "Build it from its own sources, or unpack Debian's libyyjson0 and libyyjson-dev somewhere, then:"
  say ""
  say "  YYJSON_ROOT=/the/folder ./dev build        # the folder that holds usr/include/yyjson.h"
  exit "$EXIT_DEPENDENCY"
}
