#!/usr/bin/env bash
# A first experiment on a real service: nginx with two workers, one of which is paused for a while.
#
# Works as root or not, on a free port of the loopback, and leaves nothing behind.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
moonquake=${MOONQUAKE:-$(cd "$here/.." && pwd)/.build/debug/moonquake}
[ -x "$moonquake" ] || { echo "demo.sh: $moonquake is missing: run \`make build\` first" >&2; exit 1; }

folder=$(mktemp -d)
# shellcheck source=practice/services.sh
source "$here/practice/services.sh"

clean_up() {
  stop_services
  rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

say() { printf '%s\n' "$*" >&2; }

# The experiment as it is in scripts/experiments, aimed at the port that was free.
port=$(free_port)
cp -R "$here/experiments/." "$folder"
sed -i "s/^local port = .*/local port = $port/" "$folder/practice/place.lua"

say "1. A real service: nginx with two workers on 127.0.0.1:$port"
start_nginx - nginx "127.0.0.1:$port" 'return 200 "ok\n";'
wait_for - 127.0.0.1 "$port"

say "2. A hypothesis about it, in Lua: scripts/experiments/nginx-paused-worker.lua"
sed -n '/^experiment/,/^}/p' "$folder/nginx-paused-worker.lua" | sed 's/^/   | /' >&2

say "3. The run: a baseline, the fault, the way back. Press Ctrl-C, or kill this: the worker is continued anyway."
code=0
(cd "$folder" && exec "$moonquake" run nginx-paused-worker.lua --state-dir "$folder/state") || code=$?

case $code in
  0) meaning="the hypothesis held, and everything is as it was" ;;
  1) meaning="the hypothesis deviated, and everything is as it was" ;;
  3) meaning="a safety rule or a person aborted the run, and everything is as it was" ;;
  5) meaning="nginx was not healthy to begin with, so nothing was touched" ;;
  130) meaning="you interrupted it, and everything is as it was" ;;
  *) meaning="see \`moonquake --help\` for the exit codes" ;;
esac
say ""
say "Exit code $code: $meaning."
exit "$code"
