#!/usr/bin/env bash
# Every test, built already by `make test`, here and in the lab: one module after the other, since tests that block
# threads in one would make the clocks of another late, and the end-to-end tests and the loads one by one, since they
# measure times.
set -uo pipefail
cd "$(dirname "$0")/.."

# The lab needs one processor and leaves the others to what runs here: it goes beside it.
lab_output=$(mktemp "${TMPDIR:-/tmp}/moonquake-lab-output.XXXXXX")
lab=
trap '[ -z "$lab" ] || kill "$lab" 2>/dev/null; rm -f "$lab_output"' EXIT
if [ -n "${MOONQUAKE_SKIP_LAB-}" ]; then
  echo "SKIPPED: the lab, with all that only a whole kernel can show: MOONQUAKE_SKIP_LAB is set; run \`make lab\`" >&2
elif command -v qemu-system-x86_64 >/dev/null; then
  lab/suites.sh >"$lab_output" 2>&1 &
  lab=$!
else
  echo "SKIPPED: the lab, with all that only a whole kernel can show: there is no qemu-system-x86_64, and it could not be installed" >&2
fi

failed=()
for folder in Tests/*Tests; do
  suite=$(basename "$folder")
  mode=--parallel
  # The tests of processes wait by blocking, of which a small machine's pool bears one.
  case "$suite" in EndToEndTests | LoadTests | ProcessFaultTests) mode=--no-parallel ;; esac
  echo "== $suite"
  # A crash can leave programs behind that keep the output open: do not wait for them for ever.
  timeout -k 10 1500 swift test --skip-build "$mode" --filter "^$suite\\." 2>&1 || failed+=("$suite")
done

if [ -n "$lab" ]; then
  echo "== lab, which ran beside the others"
  wait "$lab" || failed+=(lab)
  lab=
  cat "$lab_output"
fi

if [ ${#failed[@]} -gt 0 ]; then
  echo "FAILED: ${failed[*]}" >&2
  exit 1
fi
echo "all tests passed"
