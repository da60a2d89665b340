#!/usr/bin/env bash
# Help and the command line: every command's pages, flags before the command, all mistakes at once, readers that stop reading,
# and advice that can be typed as it stands. No server is needed.
. tests/e2e/alone.sh
DOCS=$PWD/docs/configuration.md
MAPPING=$PWD/tests/e2e/data/event.yaml
cd "$WORK"
# ends_with CODE COMMAND…: output in out.log, errors in err.log
ends_with() {
  local want=$1 got=0
  shift
  "$@" > out.log 2> err.log || got=$?
  [ "$got" = "$want" ] || { cat out.log err.log >&"$TELL"; fail "$* ended with $got, not $want"; }
}

mapfile -t COMMANDS < <("$DROVER" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | grep -v '^help$')
[ "${#COMMANDS[@]}" -ge 14 ] || fail "drover help lists ${#COMMANDS[@]} commands"

say "every command: examples first, no line above 80 columns, every flag in the documentation and once"
for command in "${COMMANDS[@]}"; do
  ends_with 0 "$DROVER" "$command" --help
  equal "what $command's help begins with" "$(sed -n 3p out.log)" 'Examples:'
  cp out.log "$command.full"
  ends_with 0 "$DROVER" help "$command"
  cmp -s out.log "$command.full" || fail "drover help $command is another page"
  ends_with 0 "$DROVER" --help "$command"
  cmp -s out.log "$command.full" || fail "drover --help $command is another page"
  ends_with 0 "$DROVER" "$command" -h
  [ "$(wc -l < out.log)" -le "$(wc -l < "$command.full")" ] || fail "$command -h is longer than --help"
  [ "$(cat out.log "$command.full" | LC_ALL=C.UTF-8 grep -cP '^.{81,}' || true)" = 0 ] \
    || fail "$command: lines above 80 columns"
  has "$command.full" 'NO_COLOR'
  grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+' "$command.full" | grep -oE -- '--[a-z-]+' | sort > flags
  equal "flags of $command that come twice" "$(uniq -d flags)" ""
  while read -r flag; do
    grep -qE -- "\`--(no-)?${flag#--}\`" "$DOCS" || fail "$flag of $command is not in docs/configuration.md"
  done < flags
done
for command in run work verify status doctor export schema secret rebuild; do has "$command.full" DATABASE_URL; has "$command.full" DATABASE_URL_FILE; done
for command in run work verify status doctor export rebuild; do has "$command.full" REDIS_URL; done
for command in run produce work verify status doctor topics; do has "$command.full" KAFKA_BROKERS; has "$command.full" 'DROVER_…'; done
! grep -q DATABASE_URL explain.full || fail "explain needs no database"
[ "$("$DROVER" run -h | wc -l)" -le 40 ] || fail "run -h is longer than a page"

for words in --help help explain; do
  # shellcheck disable=SC2086 # none or one word
  ends_with 0 "$DROVER" $words
  equal "lines of drover $words above 80 columns" "$(LC_ALL=C.UTF-8 grep -cP '^.{81,}' out.log || true)" 0
done

say "what the short pages must not leave out"
has produce.full 'mappings that seal'
ends_with 0 "$DROVER" run -h
has out.log '--load'
ends_with 0 "$DROVER" dlq -h
for flag in code state reason tenant entity; do grep -qE -- "^ +(-[a-z], )?--$flag " out.log || fail "dlq -h leaves --$flag out"; done
ends_with 0 "$DROVER" resume -h
grep -qE '^ +--accept-gap ' out.log || fail "resume -h leaves --accept-gap out"

say "help of help"
for words in 'help -h' 'help help' 'help --help'; do
  # shellcheck disable=SC2086 # words
  ends_with 0 "$DROVER" $words
  has out.log 'Commands:'
done

say "doctor keeps to the width asked for, and breaks no command"
ends_with 0 env COLUMNS=40 DROVER_VERIFY_REPORT=a-long-folder-name "$DROVER" doctor --storage memory -m "$MAPPING"
equal "lines above 40 columns" "$(LC_ALL=C.UTF-8 grep -cP '^.{41,}' out.log || true)" 0
has out.log '✓ report '
ends_with 0 env DROVER_VERIFY_REPORT=a-long-folder-name "$DROVER" doctor --storage memory -m "$MAPPING"
equal "findings, a line each" "$(wc -l < out.log)" 4

say "the flags of other commands that read mappings: status and topics take them"
for words in 'status' 'topics print'; do
  code=0
  # shellcheck disable=SC2086 # words
  "$DROVER" $words -m nowhere.yaml -b 127.0.0.1:1 > out.log 2> err.log || code=$?
  ! grep -q 'not a flag\|nowhere' err.log || fail "$words -m: $(cat err.log)"
done

say "flags before the command, in every form"
printf 'migration: shop\nmappings: [%s]\n' "$MAPPING" > shop.yaml
"$DROVER" config show -c shop.yaml > plain.out
for words in '-c shop.yaml config show' '-cshop.yaml config show' '--config shop.yaml config show' '--config=shop.yaml config show' 'config -c shop.yaml show'; do
  # shellcheck disable=SC2086 # words
  ends_with 0 "$DROVER" $words
  cmp -s out.log plain.out || fail "drover $words shows something else"
done
ends_with 2 "$DROVER" --confg shop.yaml config show
has err.log 'unknown flag --confg'
ends_with 2 "$DROVER" -c shop.yaml
ends_with 2 "$DROVER" -c shop.yaml stauts
has err.log 'did you mean drover status?'

say "all mistakes of a command line at once"
ends_with 2 "$DROVER" run --wokers 3 --connections=many --tennant x --until-end --brokers
equal "errors told" "$(grep -c '^error\[' err.log)" 5
for text in 'unknown flag --wokers' '--connections' 'did you mean --tenant' '--until-end is not a flag of drover run' '--brokers needs a value' '5 mistakes'; do has err.log "$text"; done

say "several codes, or none that is wrong"
ends_with 0 "$DROVER" explain DRV-K001 DRV-P001
equal "codes explained" "$(grep -c '^exit: ' out.log)" 2
ends_with 2 "$DROVER" explain DRV-K001 DRV-K0001
has err.log 'DRV-K0001'

say "a reader that stops reading: not a word, and no code but 0 or SIGPIPE's"
for words in --help 'run --help' 'work -h' explain 'explain --json' 'config show -c shop.yaml' 'schema print -c shop.yaml' version 'doctor -c shop.yaml'; do
  for lines in 0 1; do
    # shellcheck disable=SC2086 # words
    { code=0; "$DROVER" $words 2> err.log || code=$?; echo "$code" > code; } | head -n "$lines" > /dev/null || true
    case $(cat code) in 0|141) ;; 4) [ "$words" = 'doctor -c shop.yaml' ] || fail "$words ended with 4" ;; *) fail "drover $words | head -n $lines ended with $(cat code)" ;; esac
    ! grep -qi 'broken pipe' err.log || fail "drover $words | head: $(cat err.log)"
  done
done
exec 3<> <(:)
for words in --help explain; do
  code=0
  # shellcheck disable=SC2086 # words
  "$DROVER" $words > /dev/full 2> err.log || code=$?
  equal "drover $words on a full disk" "$code" 1
  has err.log 'No space left'
done

say "advice can be typed as it stands"
printf 'mappings: [%s]\nsecrets: { key_file: nowhere.key }\n' "$MAPPING" > 'with space.yaml'
code=0
"$DROVER" secret list -c 'with space.yaml' --migration m2 > out.log 2>&1 || code=$?
[ "$code" != 0 ] || fail "secret list without a database ends well"
! grep -E "drover (status|topics apply|schema apply|secret [a-z]+|doctor)( |$)" out.log | grep -vqF -- "-c 'with space.yaml' --migration m2" || { cat out.log >&"$TELL"; fail "advice without the flags given"; }
say done
