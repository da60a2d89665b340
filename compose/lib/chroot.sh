# shellcheck shell=bash
# chroot: an empty Debian of a given release, made anew, and in it what the README tells a new user to type.
#
# It shows what no machine that someone works on can show: that the project's own files install all they need. The
# checkout lies in root's home, which nobody else may enter, so PostgreSQL's data has to go elsewhere as well.

readonly CHROOT_SUITES="bookworm trixie"

# in_chroot SUITE [ARGUMENTS of ./dev]: without arguments './dev test' and then './dev demo'.
in_chroot() {
  local suite=${1:-} status=0
  [ -n "$suite" ] || die "$EXIT_USAGE" "which Debian? $CHROOT_SUITES      ./dev chroot trixie"
  case " $CHROOT_SUITES " in *" $suite "*) ;; *) unknown_suite "$suite" ;; esac
  shift
  [ "$(id -u)" = 0 ] || die "$EXIT_REFUSED" "chroot needs root: sudo ./dev chroot $suite"
  have debootstrap || install_packages debootstrap
  CHROOT="$ROOT/.stack/chroot.$suite"
  mkdir -p "$ROOT/.stack"
  hold "$CHROOT.lock" || die "$EXIT_REFUSED" "another ./dev chroot $suite is running here"
  chroot_away
  trap chroot_away EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  chroot_make "$suite"
  chroot_checkout
  if [ $# -gt 0 ]; then
    chroot_run ./dev "$@" || status=$?
  else
    chroot_run ./dev test || status=$?
    chroot_run ./dev demo || status=$?
  fi
  [ -z "${DROVER_KEEP_CHROOT:-}" ] || { chroot_unmount; trap - EXIT; say "kept: $(short_path "$CHROOT")"; }
  exit "$status"
}

unknown_suite() {
  local best
  best=$(nearest "$1" "$CHROOT_SUITES")
  die "$EXIT_USAGE" "no Debian '$1'${best:+      did you mean '$best'?}   ($CHROOT_SUITES)"
}

chroot_make() {
  local began mirror log="$CHROOT.log"
  began=$(now)
  mirror=$(debian_mirror)
  say "an empty Debian $1 in $(short_path "$CHROOT")"
  debootstrap --variant=minbase "$1" "$CHROOT" "${mirror:-http://deb.debian.org/debian}" >"$log" 2>&1 </dev/null || {
    tail -n 10 "$log" >&2
    die "$EXIT_DEPENDENCY" "debootstrap failed; all of it: $(short_path "$log")"
  }
  # How this machine reaches the archives: its name servers, and the authorities that its owner added to Debian's own.
  cp -L /etc/resolv.conf /etc/hosts "$CHROOT/etc/" 2>/dev/null || true
  if [ -n "$(ls -A /usr/local/share/ca-certificates 2>/dev/null)" ]; then
    mkdir -p "$CHROOT/usr/local/share/ca-certificates"
    cp -rL /usr/local/share/ca-certificates/. "$CHROOT/usr/local/share/ca-certificates/"
  fi
  mount -t proc proc "$CHROOT/proc"
  mount --rbind --make-rslave /dev "$CHROOT/dev"
  ok "Debian $1 in $(since "$began")"
}

# The last commit, and nothing of what was built or fetched here.
chroot_checkout() {
  mkdir -m 700 -p "$CHROOT/root/drover"
  git -C "$ROOT" archive HEAD | tar -x -C "$CHROOT/root/drover"
  [ -z "$(git -C "$ROOT" status --porcelain)" ] || say "what is not committed is not tried"
}

chroot_run() {
  say ""
  say "\$ $*"
  env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb NO_COLOR=1 \
    chroot "$CHROOT" /bin/bash -c 'cd "$HOME/drover" && exec "$@"' bash "$@" </dev/null
}

chroot_unmount() {
  local mounted
  # What still runs in there holds the folder: a broker that was left behind, for instance.
  for mounted in /proc/[0-9]*/root; do
    [ "$(readlink "$mounted" 2>/dev/null)" != "$CHROOT" ] || kill -KILL "$(basename "$(dirname "$mounted")")" 2>/dev/null || true
  done
  for mounted in "$CHROOT/dev" "$CHROOT/proc"; do
    ! mountpoint -q "$mounted" || umount -R "$mounted" 2>/dev/null || umount -R -l "$mounted"
  done
}

# Deletes only when nothing is mounted in it any more: /dev is the machine's own.
chroot_away() {
  [ -e "$CHROOT" ] || return 0
  chroot_unmount
  if grep -q " $CHROOT/" /proc/mounts; then die "$EXIT_REFUSED" "something is still mounted below $(short_path "$CHROOT"): it is left as it is"; fi
  rm -rf --one-file-system "${CHROOT:?}"
}
