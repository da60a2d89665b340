postgres_bin() {
  local dir best=
  for dir in /usr/lib/postgresql/*/bin; do
    [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && { [ -z "$best" ] || [ "$(basename "$(dirname "$dir")")" -gt "$(basename "$(dirname "$best")")" ]; } && best=$dir
  done
  [ -n "$best" ] && printf '%s' "$best"
}
