#!/usr/bin/env bash
# Runs every suite that needs a real kernel in one boot of the lab, then the power cut: lab/suites.sh [PATTERN…]
#
# Which suites is said in lab/suites; patterns given here come instead. The tests must be built (`make lab` does that).
# Fails when a test fails, when a pattern matches no test, and when a test is skipped that lab/allowed-skips does not
# name: in the lab everything is there, so a skip would hide a suite that nobody runs.
set -euo pipefail
lab=$(cd "$(dirname "$0")" && pwd)
cd "$lab/.."

lines() { sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$1"; }

if [ "${1-}" = --inside ]; then
  # In the lab: one process for each pattern, so that a crash takes no other suite with it.
  shift
  bundle=$(ls .build/debug/*PackageTests.xctest)
  number=0
  status=0
  for pattern in "$@"; do
    number=$((number + 1))
    start=$SECONDS
    echo "== lab: $pattern"
    code=0
    "$bundle" --testing-library swift-testing --no-parallel --filter "$pattern" \
      --event-stream-version 0 --event-stream-output-path "$MOONQUAKE_LAB_RESULTS/$number.jsonl" || code=$?
    echo "== lab: $pattern: exit $code after $((SECONDS - start)) s"
    [ $code -eq 0 ] || status=1
  done
  exit $status
fi

ls .build/debug/*PackageTests.xctest >/dev/null 2>&1 || { echo "lab: build the tests first: swift build --build-tests" >&2; exit 2; }
patterns=("$@")
[ $# -gt 0 ] || mapfile -t patterns < <(lines lab/suites)

"$lab/build.sh"
results=$(mktemp -d "${TMPDIR:-/tmp}/moonquake-suites.XXXXXX")
trap 'rm -rf "$results"' EXIT
status=0
"$lab/run.sh" --timeout "${MOONQUAKE_LAB_TIMEOUT:-1800}" --results "$results" -- lab/suites.sh --inside "${patterns[@]}" || status=$?
python3 "$lab/judge.py" "$results" lab/allowed-skips "${patterns[@]}" || status=1
# Asked for by itself, a suite is all that is run.
[ $# -gt 0 ] || lab/reboot.sh || status=1
exit $status
