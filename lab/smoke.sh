#!/usr/bin/env bash
# Shows that the lab's kernel has what a build machine's may lack: lab/run.sh -- lab/smoke.sh
#
# One line for each feature, which is seen at work and not just present; exits with 1 when one failed. The last group
# is netem beside a user's interface: the namespace `near` has the interface `va`, and an owned netdev table there
# forwards what it matches to an ifb of ours that carries the netem.
set -uo pipefail
failed=()

# Runs a check and says how it went: check NAME FUNCTION. The function prints what it saw.
check() {
  if "$2" >/tmp/seen 2>&1; then
    echo "ok      $1: $(paste -sd ' ' /tmp/seen)"
  else
    echo "FAILED  $1: $(paste -sd ' ' /tmp/seen)"
    failed+=("$1")
  fi
}

near() { ip netns exec near "$@"; }
far() { ip netns exec far "$@"; }

# Whether the shortest of five round trips to an address is as long as asked: takes ADDRESS MILLISECONDS. Emulation
# adds less than 1 ms on a quiet machine, and several on a loaded one.
takes() {
  local time
  time=$(near ping -n -q -c 5 -i 0.1 -W 1 "$1" | sed -n 's|^rtt .* = \([0-9.]*\)/.*|\1|p')
  echo "$1 in ${time:-no} ms"
  [ -n "$time" ] && awk "BEGIN { exit !($time >= $2 && $time <= $2 + 12) }"
}

network() {
  ip netns add near && ip netns add far &&
    ip -batch - <<<"link add va netns near type veth peer name vb netns far" &&
    ip -n near -batch - <<<"addr add 10.9.0.1/24 dev va
link set va up
link set lo up" &&
    ip -n far -batch - <<<"addr add 10.9.0.2/24 dev vb
addr add 10.9.0.3/24 dev vb
link set vb up" &&
    near tc -batch - <<<"qdisc add dev va root handle 1: htb default 1 r2q 1000
class add dev va parent 1: classid 1:1 htb rate 1gbit
qdisc add dev va parent 1:1 handle 2: fq_codel" &&
    takes 10.9.0.2 0
}

netem() {
  local status=0
  far tc qdisc add dev vb root netem delay 30ms && takes 10.9.0.2 30 || status=1
  far tc qdisc del dev vb root || status=1
  return $status
}

# How many of two pings are answered while a rule stands in the output hook.
answers() {
  near nft -f - <<<"add table inet smoke
add chain inet smoke output { type filter hook output priority 0; }
add rule inet smoke output ip daddr 10.9.0.2 $1" || return
  near ping -n -q -c 2 -i 0.2 -W 0.5 10.9.0.2 | sed -n 's/.* \([0-9]*\) received.*/\1/p'
  near nft delete table inet smoke
}

queue() {
  local bypass strict
  bypass=$(answers "queue num 7 bypass") && strict=$(answers "queue num 7") || return
  echo "of 2 pings with no listener $bypass are answered with bypass, $strict without"
  [ "$bypass" = 2 ] && [ "$strict" = 0 ]
}

# Runs a command in a cgroup: inside GROUP COMMAND…
inside() {
  # shellcheck disable=SC2016 # the inner shell expands it
  bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$@"
}

cgroup() {
  local group=/sys/fs/cgroup/smoke throttled killed
  mkdir "$group" && echo "20000 100000" >"$group/cpu.max" && echo 32M >"$group/memory.max" || return
  inside "$group" timeout 2 sh -c 'while :; do :; done'
  inside "$group" timeout 20 tail /dev/zero # which keeps what it reads, as there is no end of line
  throttled=$(sed -n 's/^nr_throttled //p' "$group/cpu.stat")
  killed=$(sed -n 's/^oom_kill //p' "$group/memory.events")
  rmdir "$group"
  echo "cpu.max throttled $throttled times, memory.max killed $killed"
  [ "$throttled" -gt 0 ] && [ "$killed" -gt 0 ]
}

# An ifb with a netem: delayed NAME DELAY.
delayed() {
  ip -n near link add "$1" type ifb && ip -n near link set "$1" up && near tc qdisc add dev "$1" root netem delay "$2"
}

# The table lives as long as the `nft -i` that made it, which reads from the pipe that descriptor 5 holds open.
inject() {
  delayed mqe 50ms && delayed mqi 20ms || return
  # Not by `near`, whose process would be a shell: `ip netns exec` becomes the nft.
  ip netns exec near nft -i <&5 >/tmp/nft 2>&1 5>&- &
  owner=$!
  printf '%s\n' >&5 \
    "add table netdev smoke { flags owner; }" \
    "add chain netdev smoke out { type filter hook egress device va priority 0; }" \
    "add chain netdev smoke in { type filter hook ingress device va priority 0; }" \
    "add rule netdev smoke out ip daddr 10.9.0.2 counter fwd to mqe" \
    "add rule netdev smoke in ip saddr 10.9.0.3 counter fwd to mqi"
  for _ in {1..100}; do
    if near nft list table netdev smoke 2>/dev/null | grep -q 'fwd to "*mqi'; then
      echo "egress to 10.9.0.2 through mqe, ingress from 10.9.0.3 through mqi"
      return
    fi
    sleep 0.1
  done
  cat /tmp/nft
  return 1
}

egress() { takes 10.9.0.2 50; }
ingress() { takes 10.9.0.3 20; }

qdiscs() { near tc qdisc show dev va && near tc class show dev va parent 1:; }

untouched() {
  if [ "$(qdiscs)" = "$before" ]; then echo "htb with fq_codel as before"; else qdiscs; return 1; fi
}

released() {
  kill -9 "$owner" && wait "$owner" 2>/dev/null
  takes 10.9.0.2 0 && takes 10.9.0.3 0
}

mkfifo /tmp/rules
exec 5<>/tmp/rules
check "namespaces and a veth" network
before=$(qdiscs)
check "netem at the root of a qdisc" netem
check "nft queue" queue
check "cgroup v2" cgroup
check "nft netdev fwd to an ifb, held by its owner" inject
check "netem on egress to one address" egress
check "netem on ingress from another" ingress
check "the interface's own qdisc" untouched
check "released when the owner is killed" released
exec 5>&-
ip netns del near
ip netns del far
rm /tmp/rules /tmp/nft /tmp/seen

[ ${#failed[@]} -eq 0 ] || { echo "lab: the kernel of this lab lacks: $(IFS=,; echo "${failed[*]}")" >&2; exit 1; }
