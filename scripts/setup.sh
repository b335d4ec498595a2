#!/usr/bin/env bash
# Installs the Debian packages that building, the demo and the tests need, if any is missing.
#
# Debian starts a service when its package is installed: what was not running before is said, so that you can
# stop it.
set -euo pipefail

packages=(
  liblua5.4-dev pkg-config            # the build
  libsqlite3-dev                      # the catalogue
  libcurl4-openssl-dev                # email of GameDays
  libedit-dev                         # the lines of `moonquake repl`
  libnftables1 nftables iptables      # network faults, and their tests
  iproute2 iputils-ping procps        # namespaces for demo and tests
  nginx-light redis-server prometheus # the real services of demo and tests
  dnsmasq-base bind9-dnsutils dnsperf # a resolver, its client, and the DNS benchmark
  e2fsprogs util-linux                # file systems that tests fill
  stress-ng                           # what the benchmark compares loads with
  curl python3 lua-check              # clients, and the Lua linter
  lua5.4                              # what the benchmark compares a start with
  python3-aiosmtpd openssl            # a mail server for the tests, and its certificate
  haproxy wrk                         # the proxy's peers and load in bench/
  python3-grpcio nghttp2-server       # real peers of the proxy in its tests
  podman runc                         # containers as targets, and their tests
  python3-venv chromium               # an independent validator for the schemas; a browser for the report
  qemu-system-x86 mmdebstrap cpio     # the lab: a kernel that has everything,
  busybox-static kmod zstd xz-utils   # and what it boots
)

command -v swift >/dev/null || {
  echo "moonquake: Swift 6.3 is missing; get it from https://www.swift.org/install/linux" >&2
  exit 1
}

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exec "$(dirname "$0")/validator.sh" >/dev/null
fi

echo "moonquake: installing ${missing[*]}" >&2
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "moonquake: as root, run: apt-get install ${missing[*]}" >&2
    exit 1
  }
  as_root=(sudo)
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
"$(dirname "$0")/validator.sh" >/dev/null
