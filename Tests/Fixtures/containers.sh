#!/usr/bin/env bash
# Two containers of an engine of their own, without a network, for tests. Usage: containers.sh TREE FOLDER
#
# Prints the pid of each by its name, then "ready"; ends them when it gets a signal. The socket is FOLDER/engine.sock.
set -euo pipefail
folder=$2
touch "$folder/services.log"
# shellcheck source=../../scripts/practice/services.sh
source "$1/scripts/practice/services.sh"
trap 'stop_engine; stop_services' EXIT
trap 'exit 0' TERM INT HUP

network=none
start_engine "$folder/engine.sock"
for _ in $(seq 200); do [ ! -S "$folder/engine.sock" ] || break; sleep 0.05; done
for name in web db; do
  start_container "$name" "app=$name" sleep 600
  echo "$name $(engine inspect --format '{{.State.Pid}}' "$name")"
done
echo ready
while true; do sleep 3600 & wait $!; done
