#!/usr/bin/env bash
# Every test, built already by `make test`: one module after the other, since tests that block threads in one would make
# the clocks of another late, and the end-to-end tests and the loads one by one, since they measure times.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
for folder in Tests/*Tests; do
  suite=$(basename "$folder")
  mode=--parallel
  # The tests of processes wait by blocking, of which a small machine's pool bears one.
  case "$suite" in EndToEndTests | LoadTests | ProcessFaultTests) mode=--no-parallel ;; esac
  echo "== $suite"
  # A crash can leave programs behind that keep the output open: do not wait for them for ever.
  timeout -k 10 900 swift test --skip-build "$mode" --filter "^$suite\\." 2>&1 || failed+=("$suite")
done

if [ ${#failed[@]} -gt 0 ]; then
  echo "FAILED: ${failed[*]}" >&2
  exit 1
fi
echo "all tests passed"
