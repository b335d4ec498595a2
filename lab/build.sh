#!/usr/bin/env bash
# Makes what the lab boots: lab/build.sh
#
# Three parts, each in a folder named after what it was made from, so that a new kernel or one more package makes
# only its part anew. `kernel`, `root` and `initramfs` in the cache are links to the parts in use.
#   MOONQUAKE_LAB_CACHE    the folder of the parts (.build-lab at the top of this tree, about 1 GB)
#   MOONQUAKE_LAB_KERNEL   the package to boot, such as linux-image-6.1.0-50-amd64 (the newest 6.12 there is)
set -euo pipefail
lab=$(cd "$(dirname "$0")" && pwd)
cache=${MOONQUAKE_LAB_CACHE:-$(dirname "$lab")/.build-lab}

fail() { echo "lab: $*" >&2; exit 1; }

# The lines of a list without comments.
entries() { sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$1"; }

digest() { sha256sum | cut -c 1-16; }

# The full kernels (the cloud ones lack 9p) that apt knows, oldest first.
kernels() {
  apt-cache pkgnames linux-image- |
    grep -E '^linux-image-[0-9]+\.[0-9]+\.[0-9]+(\+deb[0-9]+|-[0-9]+)-amd64$' | sort -V || true
}

newest_kernel() {
  local known
  known=$(kernels)
  { grep '^linux-image-6\.12\.' <<<"$known" || cat <<<"$known"; } | tail -n 1
}

# Makes a part unless it is there: part NAME KEY FUNCTION. The function makes the folder it is given.
part() {
  local folder=$cache/$1-$2 unfinished=$cache/$1-$2.unfinished start=$SECONDS
  if [ ! -d "$folder" ]; then
    rm -rf "$unfinished"
    mkdir "$unfinished"
    "$3" "$unfinished"
    mv "$unfinished" "$folder"
    echo "lab: made $1-$2 in $((SECONDS - start)) s" >&2
  fi
  ln -sfn "$1-$2" "$cache/$1"
}

make_kernel() {
  (cd "$1" && apt-get download -qq -o APT::Sandbox::User=root "$kernel=$version")
  dpkg -x "$1"/*.deb "$1/package"
  rm "$1"/*.deb
  python3 "$lab/extract-vmlinux.py" "$1"/package/boot/vmlinuz-* "$1/vmlinux"
  basename "$1"/package/lib/modules/* >"$1/release"
  depmod -b "$1/package" "$(<"$1/release")"
  mv "$1/package/lib" "$1/lib"
  rm -r "$1/package"
}

make_root() {
  local packages
  packages=$(entries "$lab/packages" | paste -sd,)
  "${as_root[@]}" mmdebstrap --quiet --variant=minbase --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --aptopt='APT::Sandbox::User "root"' \
    bookworm "$1/root" || fail "mmdebstrap failed"
  # qemu reads the root as the user who runs it.
  "${as_root[@]}" chmod -R a+rX "$1/root"
}

make_initramfs() {
  local release number=10 kind file
  release=$(<"$cache/kernel/release")
  mkdir -p "$1/content/bin" "$1/content/modules"
  cp /bin/busybox "$1/content/bin/"
  install -m 755 "$lab/init" "$1/content/init"
  entries "$lab/initramfs-modules" |
    xargs modprobe -d "$cache/kernel" -S "$release" --show-depends -a >"$1/load-order"
  while read -r kind file; do
    [ "$kind" = insmod ] || continue # the others are built in
    # Numbered, because init loads them in the order of their names.
    unpack "$file" >"$1/content/modules/$number-$(basename "${file%%.ko*}").ko"
    number=$((number + 1))
  done < <(awk '!seen[$0]++' "$1/load-order")
  (cd "$1/content" && find . | cpio --quiet -o -H newc -R 0:0) | gzip -1 >"$1/initramfs.gz"
  rm -r "$1/content"
}

unpack() {
  case $1 in
    *.xz) xz -dc "$1" ;;
    *.zst) zstd -qdc "$1" ;;
    *) cat "$1" ;;
  esac
}

# Parts that no link names, unless a lab is running: it may have been booted from one.
remove_old_parts() {
  exec 8>"$cache/in-use"
  flock -n 8 || return 0
  local folder name
  for folder in "$cache"/{kernel,root,initramfs}-*; do
    name=$(basename "$folder")
    [ ! -d "$folder" ] || [ "$(readlink "$cache/${name%%-*}")" = "$name" ] ||
      "${as_root[@]}" rm -rf --one-file-system "$folder"
  done
  exec 8>&-
}

[ "$(dpkg --print-architecture)" = amd64 ] || fail "the lab boots amd64 only"
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9

kernel=${MOONQUAKE_LAB_KERNEL:-$(newest_kernel)}
if [ -z "$kernel" ]; then
  "${as_root[@]}" apt-get update -qq
  kernel=$(newest_kernel)
fi
[ -n "$kernel" ] || fail "apt knows no linux-image-*-amd64"
version=$(apt-cache show --no-all-versions "$kernel" | sed -n 's/^Version: //p')
[ -n "$version" ] || fail "apt knows no package $kernel"

part kernel "${kernel#linux-image-}_$version" make_kernel
part root "$({ entries "$lab/packages"; declare -f make_root; } | digest)" make_root
part initramfs "$({ readlink "$cache/kernel"; entries "$lab/initramfs-modules"; cat "$lab/init"
  declare -f make_initramfs; } | digest)" make_initramfs
remove_old_parts
echo "lab: $kernel $version" >&2
