#!/usr/bin/env bash
# Boots the lab's kernel once and runs a command in it: lab/run.sh [--timeout S] [--attempts N] [--results DIR] -- COMMAND…
#
# The command runs as root in this work tree, which it finds at the same path, read-only, as the Swift toolchain. /tmp
# and HOME can be written and are gone afterwards; what it leaves in $MOONQUAKE_LAB_RESULTS comes out in DIR. Its
# output (both streams as one) is printed live. The exit status is the command's, or
#   124  it was not done after S seconds (900)
#    99  the lab crashed, N times (2): no status came out of it
# Nothing it started outlives it: qemu is killed with it, also by SIGKILL.
set -euo pipefail
lab=$(cd "$(dirname "$0")" && pwd)
tree=$(dirname "$lab")
cache=${MOONQUAKE_LAB_CACHE:-$tree/.build-lab}
boot_limit=120 # seconds until the command starts; 3 when the machine is quiet
crashed=99
timed_out=124

fail() { echo "lab: $*" >&2; exit 2; }

limit=900
attempts=2
results=
while [ $# -gt 0 ]; do
  case $1 in
    --timeout) limit=${2:?lab: --timeout needs a number of seconds}; shift 2 ;;
    --attempts) attempts=${2:?lab: --attempts needs a number}; shift 2 ;;
    --results) results=${2:?lab: --results needs a folder}; shift 2 ;;
    --) shift; break ;;
    *) fail "unknown argument $1; usage: lab/run.sh [--timeout S] [--results DIR] -- COMMAND…" ;;
  esac
done
[ $# -gt 0 ] || fail "no command given; usage: lab/run.sh [--timeout S] [--results DIR] -- COMMAND…"
[[ $limit =~ ^[1-9][0-9]{0,5}$ ]] || fail "--timeout must be seconds between 1 and 999999, got $limit"
[ -e "$cache/initramfs/initramfs.gz" ] || fail "nothing to boot in $cache; run lab/build.sh first"

# Parts in use are not removed by a build.
exec 8>"$cache/in-use"
flock -s 8
kernel=$(readlink -f "$cache/kernel")
root=$(readlink -f "$cache/root")/root
initramfs=$(readlink -f "$cache/initramfs")/initramfs.gz
runtime=$(swiftc -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')
toolchain=${runtime%/lib/swift}
# A toolchain in /usr cannot be mounted over the lab's own: then the libraries must do.
[ "$toolchain" != /usr ] || toolchain=$runtime

scratch=$(mktemp -d "${TMPDIR:-/tmp}/moonquake-lab.XXXXXX")
qemu=
# shellcheck disable=SC2317 # the trap calls it
clean_up() {
  [ -z "$qemu" ] || kill -9 "$qemu" 2>/dev/null || true
  rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

results=${results:-$scratch/results}
mkdir -p "$results"
results=$(cd "$results" && pwd)

devices=()
mounts=()
# Shows a folder to the lab, at a path there: outside TAG MODE FOLDER PATH.
outside() {
  local access=readonly=on,multidevs=remap
  [ "$2" = ro ] || access=multidevs=remap
  # qemu reads a doubled comma as one.
  devices+=(-fsdev "local,id=$1,path=${3//,/,,},security_model=none,$access"
    -device "virtio-9p-device,fsdev=$1,mount_tag=$1")
  [ -z "${4-}" ] || mounts+=("$1" "$2" "$4")
}
outside root ro "$root"
outside control rw "$scratch/control"
outside modules ro "$kernel/lib/modules" /usr/lib/modules
outside tree ro "$tree" "$tree"
outside toolchain ro "$toolchain" "$toolchain"
outside results rw "$results" /results

write_settings() {
  printf 'mounts=(%s)\n' "$(printf '%q ' "${mounts[@]}")"
  printf 'work_tree=%q\n' "$tree"
  printf 'command=(%s)\n' "$(printf '%q ' "$@")"
}

start_qemu() {
  # One processor: with two, emulation on several threads has crashed in sched_clock_cpu.
  setpriv --pdeathsig KILL qemu-system-x86_64 -M microvm,rtc=on,acpi=on \
    -accel tcg,thread=multi,tb-size=512 -cpu max -smp 1 -m 2048 \
    -display none -no-reboot -nodefaults -no-user-config \
    -kernel "$kernel/vmlinux" -initrd "$initramfs" \
    -append "console=ttyS0 panic=-1 reboot=t quiet tsc_early_khz=$(python3 "$lab/tsc-khz.py") tsc=reliable" \
    -serial "file:$scratch/console" \
    -device virtio-serial-device -chardev "file,id=output,path=$scratch/output" \
    -device virtserialport,chardev=output,nr=1 \
    "${devices[@]}" </dev/null >"$scratch/qemu" 2>&1 8>&- &
  qemu=$!
}

# Boots once and prints the command's output; the answer is in the control folder.
boot() {
  rm -rf "$scratch/control" "$scratch/output" "$scratch/console"
  mkdir "$scratch/control"
  mkfifo "$scratch/output"
  install -m 755 "$lab/guest.sh" "$scratch/control/"
  write_settings "$@" >"$scratch/control/settings"
  # Opened here both ways, so that neither end waits for the other, and the reader ends when the writers do.
  exec 7<>"$scratch/output"
  cat "$scratch/output" 7>&- 8>&- &
  local reader=$!
  start_qemu
  exec 7>&-
  wait_for_qemu
  wait $reader || true
}

# Until qemu has ended, by itself or because a limit has passed; the latter is said when the command had started.
wait_for_qemu() {
  local end=$((SECONDS + boot_limit)) is_started=false
  while kill -0 "$qemu" 2>/dev/null; do
    if ! $is_started && [ -e "$scratch/control/started" ]; then
      is_started=true
      end=$((SECONDS + limit))
    elif [ $SECONDS -ge $end ]; then
      kill -9 "$qemu" 2>/dev/null || true
      is_late=$is_started
    fi
    sleep 0.1
  done
  wait "$qemu" 2>/dev/null || true
  qemu=
}

is_late=false
for ((attempt = 1; attempt <= attempts; attempt++)); do
  boot "$@"
  if [ -s "$scratch/control/status" ]; then exit "$(<"$scratch/control/status")"; fi
  if $is_late; then
    echo "lab: not done after $limit s, ended: $*" >&2
    exit $timed_out
  fi
  echo "lab: crashed (attempt $attempt of $attempts): no status came out of it; the end of its console:" >&2
  tail -n 40 "$scratch/console" "$scratch/qemu" >&2 || true
done
exit $crashed
