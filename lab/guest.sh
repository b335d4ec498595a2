#!/bin/bash
# shellcheck disable=SC1091,SC2154 # the settings set mounts=(TAG MODE PATH …), work_tree, command=(…)
#
# PID 1 of the lab after the initramfs: mounts the rest, runs the command, leaves its exit status outside.
#
# run.sh puts this file and `settings` into the folder that is /lab here, and reads `started` and `status` from it.
# Where this script fails the kernel panics and there is no status: a crash of the lab, not of the command.
set -euo pipefail

source /lab/settings

from_outside=trans=virtio,version=9p2000.L,msize=512000

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
mount -t devpts devpts /dev/pts
for folder in /dev/shm /run /tmp; do mount -t tmpfs -o mode=1777 tmpfs "$folder"; done
mount -t cgroup2 cgroup2 /sys/fs/cgroup
# What the kernel offers there, for the cgroups that tests make.
read -r controllers </sys/fs/cgroup/cgroup.controllers
for controller in $controllers; do echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control; done

set -- "${mounts[@]}"
while [ $# -gt 0 ]; do
  mkdir -p "$3"
  if [ "$2" = ro ]; then options=ro,cache=loose; else options=cache=none; fi
  mount -t 9p -o "$from_outside,$options" "$1" "$3"
  shift 3
done

echo lab >/proc/sys/kernel/hostname
printf '127.0.0.1 localhost lab\n::1 localhost\n' >/etc/hosts
: >/etc/resolv.conf
ip link set lo up
ulimit -Hn 1048576

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root TMPDIR=/tmp LANG=C.UTF-8 MOONQUAKE_LAB=1 MOONQUAKE_LAB_RESULTS=/results
cd "$work_tree"

# Without udev nothing makes /dev/loop-control, whose opening would load it; a mount of an image would be refused.
modprobe loop

# The port outside can be opened once; programs that open /dev/stdout need a pipe.
mkfifo /run/output
cat /run/output >/dev/vport0p1 &
writer=$!

: >/lab/started
status=0
setsid "${command[@]}" </dev/null >/run/output 2>&1 &
wait $! || status=$?

# What the command left running may hold the pipe open; end all but this and the writer.
for process in /proc/[0-9]*; do
  pid=${process#/proc/}
  [ "$pid" = $$ ] || [ "$pid" = $writer ] || kill -9 "$pid" 2>/dev/null || true
done
wait $writer || true

echo $status >/lab/status.new
mv /lab/status.new /lab/status
echo b >/proc/sysrq-trigger
sleep infinity
