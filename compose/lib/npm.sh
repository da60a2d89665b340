# shellcheck shell=bash
# npm packages that tests compare Drover with, as tests/node/package-lock.json pins them, into .deps/node.

readonly NODE_PACKAGES="$DEPS/node"

# The lock file that they were fetched for is kept beside them, so a changed version is noticed.
have_node_packages() { cmp -s "$ROOT/tests/node/package-lock.json" "$NODE_PACKAGES/package-lock.json"; }

# For `./dev test` alone. Where they cannot be fetched a test that needs one says that it was left out.
node_packages() {
  have_node_packages || with_lock "$DEPS/.lock" fetch_node_packages || say "note: the npm packages of tests/node could not be fetched"
}

fetch_node_packages() {
  local before fresh="$DEPS/node.new"
  have_node_packages && return 0
  before=$(now)
  have npm || (install_packages npm) || return
  say "fetching npm packages of the tests (into $(short_path "$NODE_PACKAGES"))"
  rm -rf "$fresh"
  mkdir -p "$fresh"
  cp "$ROOT/tests/node/package.json" "$ROOT/tests/node/package-lock.json" "$fresh/"
  if ! (cd "$fresh" && npm ci --silent --no-audit --no-fund --ignore-scripts) >"$DEPS/npm.log" 2>&1 </dev/null; then
    tail -n 5 "$DEPS/npm.log" >&2
    return 1
  fi
  rm -rf "$NODE_PACKAGES"
  mv "$fresh" "$NODE_PACKAGES"
  ok "npm packages in $(since "$before")"
}
