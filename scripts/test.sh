#!/usr/bin/env bash
# Every test, built already by `make test`, here and in the lab: one module after the other, since tests that block
# threads in one would make the clocks of another late, and those that measure times or wait for other programs one by
# one. Arguments are passed to `swift test`: where and how it was built.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

work=$(mktemp -d "${TMPDIR:-/tmp}/moonquake-test.XXXXXX")
lab=
tests=
trap 'kill $lab $tests 2>/dev/null; rm -rf "$work"' EXIT

# The lab takes a processor for itself: with four it goes beside the others, which measure times, and with fewer after them.
when_lab=$([ "$(nproc)" -ge 4 ] && echo beside || echo after)
if [ -n "${MOONQUAKE_SKIP_LAB-}" ]; then
  echo "SKIPPED: the lab, with all that only a whole kernel can show: MOONQUAKE_SKIP_LAB is set; run \`make lab\`" >&2
  when_lab=never
elif ! command -v qemu-system-x86_64 >/dev/null; then
  echo "SKIPPED: the lab, with all that only a whole kernel can show: there is no qemu-system-x86_64, and it could not be installed" >&2
  when_lab=never
elif [ "$when_lab" = beside ]; then
  lab/suites.sh >"$work/lab" 2>&1 &
  lab=$!
fi

# What failed, and with which words: told again at the end, where it is looked for.
failed=()
failures=
for folder in Tests/*Tests; do
  suite=$(basename "$folder")
  mode=--no-parallel
  case "$suite" in
    AgentTests | CatalogTests | DocsTests | EngineTests | GameDayTests | LuaBridgeTests | ModelTests | ScriptTests | TargetsTests)
      mode=${MOONQUAKE_TEST_MODE:---parallel}
      ;;
  esac
  echo "== $suite"
  began=$SECONDS
  # A crash can leave programs behind that keep the output open: it is a file, so that nobody waits for them.
  timeout -k 10 "${MOONQUAKE_TEST_LIMIT:-2700}" swift test "$@" --skip-build "$mode" --filter "^$suite\\." >"$work/suite" 2>&1 &
  tests=$!
  tail --lines +1 --follow --sleep-interval 0.2 --pid "$tests" "$work/suite"
  if ! wait "$tests"; then
    failed+=("$suite")
    failures+="$suite:"$'\n'"$(grep -a -A 3 'recorded an issue\|Fatal error\|signal code' "$work/suite")"$'\n'
  fi
  tests=
  echo "== $suite took $((SECONDS - began)) s"
done

case $when_lab in
  beside)
    echo "== lab, which ran beside the others"
    wait "$lab" || failed+=(lab)
    lab=
    cat "$work/lab"
    ;;
  after)
    echo "== lab"
    lab/suites.sh || failed+=(lab)
    ;;
esac

if [ ${#failed[@]} -gt 0 ]; then
  printf '%s' "$failures" >&2
  echo "FAILED: ${failed[*]}" >&2
  exit 1
fi
echo "all tests passed"
