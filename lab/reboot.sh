#!/usr/bin/env bash
# The power fails in mid-run, and the next boot puts back what survives, and only that: lab/reboot.sh
#
# Two boots of the lab with one disk: in the first a run holds four faults and the kernel reboots at once, without a
# sync; in the second the command of the boot-time unit runs. What is checked is told line by line.
set -euo pipefail
lab=$(cd "$(dirname "$0")" && pwd)
cd "$lab/.."
moonquake=$PWD/.build/debug/moonquake

if [ "${1-}" != --inside ]; then
  "$lab/build.sh"
  results=$(mktemp -d "${TMPDIR:-/tmp}/moonquake-reboot.XXXXXX")
  trap 'rm -rf "$results"' EXIT
  for stage in run recover; do
    echo "== lab: reboot: $stage"
    # The first boot ends without a status, which is what is asked for.
    "$lab/run.sh" --attempts 1 --timeout 240 --results "$results" -- lab/reboot.sh --inside "$stage" || code=$?
    if [ $stage = run ]; then
      [ "${code-0}" = 99 ] && [ -e "$results/cut" ] || { echo "lab: the first boot did not end by a power cut" >&2; exit 1; }
    else
      exit "${code-0}"
    fi
    code=0
  done
fi

disk=/mnt/disk
say() { echo "lab: $*"; }
fail() { echo "lab: FAILED: $*" >&2; exit 1; }

modprobe loop
mkdir -p $disk
export MOONQUAKE_STATE=$disk/state
case $2 in
  run)
    truncate -s 96M "$MOONQUAKE_LAB_RESULTS/disk"
    mkfs.ext4 -q "$MOONQUAKE_LAB_RESULTS/disk"
    mount -o loop "$MOONQUAKE_LAB_RESULTS/disk" $disk
    printf '127.0.0.1 localhost lab\n# mine\t\n::1 localhost' >$disk/hosts
    chmod 640 $disk/hosts
    cp -p $disk/hosts $disk/hosts.before
    ln -sf $disk/hosts /etc/hosts
    mkdir $disk/data
    sync
    df --output=used $disk | tail -1 >"$MOONQUAKE_LAB_RESULTS/used"
    ip netns add shop
    ip -n shop link set lo up
    sleep 600 &
    cat >/tmp/reboot.lua <<LUA
inject(fault.disk.fill { target = target.host {}, path = "$disk/data", size = "16MiB", visible = true, allow_root = true })
inject(fault.dns.spoof { target = target.host {}, names = "db.test", addresses = "192.0.2.7", method = "hosts" })
inject(fault.network.partition { target = target.netns { name = "shop" }, to = "10.98.0.2" })
inject(fault.process.pause { target = target.process { pid = $! } })
log("all four")
wait "10m"
LUA
    "$moonquake" run /tmp/reboot.lua >/tmp/out 2>&1 &
    for _ in $(seq 600); do
      ! grep -q "all four" /tmp/out || break
      sleep 0.2
    done
    grep -q "all four" /tmp/out || { cat /tmp/out; fail "the faults were not made"; }
    cmp -s $disk/hosts $disk/hosts.before && fail "hosts is as before"
    touch "$MOONQUAKE_LAB_RESULTS/cut"
    say "the power fails"
    echo b >/proc/sysrq-trigger
    sleep 60
    ;;
  recover)
    mount -o loop "$MOONQUAKE_LAB_RESULTS/disk" $disk
    ln -sf $disk/hosts /etc/hosts
    grep -q db.test $disk/hosts || fail "the edit of hosts did not survive, so there is nothing to prove"
    [ -n "$(find $disk/data -type f)" ] || fail "the files of disk.fill did not survive, so there is nothing to prove"
    # Somebody else's of the new boot, under the old name: not ours to touch.
    ip netns add shop
    ip netns exec shop nft add table inet theirs
    command=$(sed -n 's|^ExecStart=/usr/local/bin/moonquake ||p' scripts/systemd/moonquake-recover.service)
    # shellcheck disable=SC2086 # the unit's words
    "$moonquake" $command | tee /tmp/out
    cmp $disk/hosts $disk/hosts.before || fail "hosts is not as before"
    [ "$(stat -c %a $disk/hosts)" = 640 ] || fail "the mode of hosts is not as before"
    [ -L /etc/hosts ] || fail "the link to hosts is gone"
    [ -z "$(find $disk/data -type f)" ] || fail "files are left"
    [ "$(grep -c '^reverted ' /tmp/out)" = 2 ] || fail "not two were reverted, but what is above"
    ip netns exec shop nft list tables | grep -q theirs || fail "somebody else's table is gone"
    [ -z "$(ls $MOONQUAKE_STATE/journals/open)" ] || fail "a journal is still open"
    [ -z "$("$moonquake" $command 2>/dev/null)" ] || fail "a second recovery did something"
    say "reverted: hosts and files, nothing else; a second recovery finds nothing"
    ;;
esac
