#!/usr/bin/env bash
# A place to practise: real services that the experiments of scripts/experiments are aimed at.
#
#   scripts/practice.sh                    holds the set-up until Ctrl-C, for runs from another terminal
#   scripts/practice.sh COMMAND ARG…       runs a command inside of its life, and passes its exit code on
#   --name NAME, --port PORT               when "practice" or 18080…18084 are taken; change
#                                          scripts/experiments/practice/place.lua accordingly
#
# On the loopback, for everybody: nginx with two workers, a shop (Python) under a supervisor and for root in control
# groups of its own, Prometheus that scrapes the shop, and redis under a supervisor. For root also two network namespaces with a cable between them:
#
#   NAME-web   10.99.0.1   shop :8080, nginx as a proxy :8081
#   NAME-data  10.99.0.2   redis for the cache :6379, redis for sessions :6380, nginx as the backend :8082
#
# and, where podman is installed, a container called NAME-batch that serves port +4 of the loopback; its engine
# listens at /tmp/moonquake-NAME.sock.
# and a file system of 64 MiB in memory, /run/NAME-scratch, to be filled.
#
# When this script ends, all of it is gone.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

name=practice
port=18080
while [ $# -gt 0 ]; do
  case $1 in
    --name) name=$2; shift 2 ;;
    --port) port=$2; shift 2 ;;
    -*) echo "practice.sh: unknown option $1: see the head of this file" >&2; exit 2 ;;
    *) break ;;
  esac
done

folder=$(mktemp -d)
# shellcheck source=practice/services.sh
source "$here/practice/services.sh"
made=()
scratch=

clean_up() {
  trap '' INT TERM HUP
  stop_engine
  stop_services
  for namespace in ${made[@]+"${made[@]}"}; do ip netns del "$namespace"; done
  if [ -n "$scratch" ]; then
    umount "$scratch"
    rmdir "$scratch"
  fi
  rm -rf "$folder" "/etc/netns/$name-web"
  rmdir --ignore-fail-on-non-empty /etc/netns 2>/dev/null || true
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

make_namespaces() {
  for end in web data; do
    ip netns add "$name-$end"
    made+=("$name-$end")
  done
  ip link add web0 index 11 netns "$name-web" type veth peer name data0 index 12 netns "$name-data"
  # No addresses but ours: the kernel's own IPv6 ones would appear seconds later.
  ip -n "$name-web" link set web0 addrgenmode none
  ip -n "$name-data" link set data0 addrgenmode none
  ip -n "$name-web" addr add 10.99.0.1/24 dev web0
  ip -n "$name-data" addr add 10.99.0.2/24 dev data0
  for end in web data; do
    ip -n "$name-$end" link set lo up
    ip -n "$name-$end" link set "${end}0" up
  done
}

shop() { start "$1" python3 "$here/practice/shop.py" "$2" "$3" "$4" "$5"; }

start_nginx - nginx "127.0.0.1:$port" 'return 200 "ok\n";'
start_redis - redis 127.0.0.1 $((port + 3))
for_shop=(/sys/fs/cgroup/"$name-shop" /sys/fs/cgroup/{cpu,memory,pids}/"$name-shop")
start_shop "$name-shop" 127.0.0.1 $((port + 1)) 127.0.0.1 $((port + 3))
groups+=("${for_shop[@]}")
start_prometheus $((port + 2)) "127.0.0.1:$((port + 1))"
if [ "$(id -u)" -eq 0 ]; then
  make_namespaces
  # The shop finds its cache by name: programs in its namespace see this file as /etc/resolv.conf.
  mkdir -p "/etc/netns/$name-web"
  printf 'nameserver 10.99.0.2\noptions timeout:1 attempts:1\n' >"/etc/netns/$name-web/resolv.conf"
  start_resolver "$name-data" 10.99.0.2 cache.shop.test,10.99.0.2
  mkdir "/run/$name-scratch"
  mount -t tmpfs -o size=64M "$name" "/run/$name-scratch"
  scratch=/run/$name-scratch
  start_redis "$name-data" cache 10.99.0.2 6379
  start_redis "$name-data" sessions 10.99.0.2 6380
  start_nginx "$name-data" backend 10.99.0.2:8082 'return 200 "from the backend\n";'
  start_nginx "$name-web" proxy 10.99.0.1:8081 'proxy_connect_timeout 300ms; proxy_pass http://10.99.0.2:8082;'
  shop "$name-web" 10.99.0.1 8080 cache.shop.test 6379
  for listener in 53 6379 6380 8082; do wait_for "$name-data" 10.99.0.2 $listener; done
  for listener in 8080 8081; do wait_for "$name-web" 10.99.0.1 $listener; done
  if command -v podman >/dev/null; then
    start_engine "/tmp/moonquake-$name.sock"
    start_container "$name-batch" app=batch httpd -f -p "127.0.0.1:$((port + 4))" -h /
    wait_for - 127.0.0.1 $((port + 4))
  else
    echo "practice.sh: no podman, so no containers: paused-container.lua cannot be run" >&2
  fi
else
  echo "practice.sh: not root, so no network namespaces: only the experiments on the loopback can be run" >&2
fi
for offset in 0 1 2 3; do wait_for - 127.0.0.1 $((port + offset)); done

if [ $# -gt 0 ]; then
  "$@"
  exit
fi
echo "ready: try  moonquake run scripts/experiments/nginx-paused-worker.lua  in another terminal; Ctrl-C ends it"
# `read` would need a terminal, and `wait` ends with the first service: this waits for a signal.
while true; do sleep 3600 & wait $!; done
