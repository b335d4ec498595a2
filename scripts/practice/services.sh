# Real services for the demo, the practice set-up and the end-to-end tests. Sourced by bash scripts.
#
# Every service runs in the foreground as a child of the sourcing shell and keeps all its files in $folder.
# `stop_services` ends them by pid; nothing is ever ended by name.

services=()
# Folders of control groups that `own_groups` makes, to be removed.
groups=()

# Runs a program in the background, in a network namespace unless that is "-".
start() {
  local namespace=$1
  shift
  if [ "$namespace" = - ]; then
    "$@" >>"$folder/services.log" 2>&1 </dev/null &
  else
    ip netns exec "$namespace" "$@" >>"$folder/services.log" 2>&1 </dev/null &
  fi
  services+=($!)
}

# start_nginx NAMESPACE NAME ADDRESS:PORT LOCATION: nginx with two workers and one location.
# Without keep-alive every request may meet either worker.
start_nginx() {
  local home="$folder/$2" user=""
  mkdir -p "$home"
  [ "$(id -u)" -ne 0 ] || user="user root;"
  cat >"$home/nginx.conf" <<CONF
daemon off; worker_processes 2; pid $home/pid; error_log stderr crit; $user
events { worker_connections 256; }
http {
  access_log off; keepalive_timeout 0; default_type text/plain;
  client_body_temp_path $home/body; proxy_temp_path $home/proxy; fastcgi_temp_path $home/fastcgi;
  uwsgi_temp_path $home/uwsgi; scgi_temp_path $home/scgi;
  server { listen $3; location / { $4 } }
}
CONF
  start "$1" nginx -p "$home" -e stderr -c "$home/nginx.conf"
}

# supervise COMMAND…: starts it again whenever it ends, as a supervisor does.
supervise() {
  local child=0
  trap '[ $child -eq 0 ] || { kill $child; kill -CONT $child; wait $child; }; exit 0' TERM
  while true; do
    "$@" &
    child=$!
    wait $child || true
    sleep 0.2
  done
}

# start_shop NAME ADDRESS PORT REDIS_ADDRESS REDIS_PORT: the shop on the loopback, under a supervisor, in control groups
# of its own when there may be some, and with a clock of its own when moonquake is built.
start_shop() {
  local command=(python3 "$here/practice/shop.py" "${@:2}")
  local program=${MOONQUAKE:-$here/../.build/debug/moonquake}
  [ ! -x "$program" ] || command=("$program" wrap -- "${command[@]}")
  (own_groups "$1" "$BASHPID" && supervise "${command[@]}") >>"$folder/services.log" 2>&1 </dev/null &
  services+=($!)
}

# start_redis NAMESPACE NAME ADDRESS PORT: redis without persistence, under a supervisor.
start_redis() {
  local home="$folder/$2"
  mkdir -p "$home"
  local command=(redis-server --bind "$3" --port "$4" --dir "$home" --save "" --appendonly no)
  [ "$1" = - ] || command=(ip netns exec "$1" "${command[@]}")
  supervise "${command[@]}" >>"$folder/services.log" 2>&1 </dev/null &
  services+=($!)
}

# start_resolver NAMESPACE ADDRESS NAME,ADDRESS: a resolver that knows one name and keeps nothing.
start_resolver() {
  start "$1" dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --no-resolv --no-hosts \
    --bind-interfaces --except-interface=lo --listen-address="$2" --cache-size=0 --local=/test/ --host-record="$3"
}

# own_groups NAME PID: control groups of its own for a service, in each hierarchy that has limits, v1 or v2.
own_groups() {
  local controller folder
  for controller in cpu memory pids; do
    folder=/sys/fs/cgroup/$controller
    [ -e "$folder/cgroup.procs" ] || folder=/sys/fs/cgroup
    [ -w "$folder" ] || continue
    mkdir -p "$folder/$1"
    echo "$2" >"$folder/$1/cgroup.procs"
    [ ! -e "$folder/$1/pids.max" ] || echo 200 >"$folder/$1/pids.max"
  done
}

# start_prometheus PORT TARGET: Prometheus on the loopback that scrapes TARGET every second.
start_prometheus() {
  local home="$folder/prometheus"
  mkdir -p "$home"
  cat >"$home/prometheus.yml" <<CONF
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs: [ { job_name: shop, static_configs: [ { targets: [ "$2" ] } ] } ]
CONF
  start - prometheus --config.file="$home/prometheus.yml" --storage.tsdb.path="$home/data" \
    --web.listen-address="127.0.0.1:$1" --log.level=error
}

# A container engine with its images, containers and socket in $folder and at SOCKET: nothing of the host's own is used.
engine() {
  CONTAINERS_CONF="$folder/containers.conf" podman --root "$folder/engine" --runroot "$folder/engine-run" \
    --tmpdir "$folder/engine-tmp" --storage-driver vfs "$@"
}

# start_engine SOCKET: Podman, with an image that has nothing but busybox and a page.
start_engine() {
  cat >"$folder/containers.conf" <<'CONF'
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
CONF
  mkdir -p "$folder/image/bin"
  cp /bin/busybox "$folder/image/bin/"
  echo ok >"$folder/image/index.html"
  tar -C "$folder/image" -cf "$folder/image.tar" .
  engine import "$folder/image.tar" localhost/busybox:1 >>"$folder/services.log" 2>&1
  engine system service --time 0 "unix://$1" >>"$folder/services.log" 2>&1 </dev/null &
  services+=($!)
  engine_socket=$1
}

# start_container NAME LABEL COMMAND…: on the host's network, or on $network.
start_container() {
  engine run -d --name "$1" --label "$2" --network "${network:-host}" localhost/busybox:1 /bin/busybox "${@:3}" \
    >>"$folder/services.log" 2>&1
}

# Removes the containers while their engine's files are still there.
stop_engine() {
  [ -n "${engine_socket:-}" ] || return 0
  engine rm --all --force -t 0 >>"$folder/services.log" 2>&1 || true
  rm -f "$engine_socket"
}

# wait_for NAMESPACE ADDRESS PORT: until something listens there, at most 20 s.
wait_for() {
  local within=()
  [ "$1" = - ] || within=(ip netns exec "$1")
  for _ in $(seq 200); do
    if "${within[@]}" bash -c "exec 3<>/dev/tcp/$2/$3" 2>/dev/null; then return 0; fi
    sleep 0.1
  done
  echo "nothing listens on $2:$3; this is what the services said:" >&2
  cat "$folder/services.log" >&2
  return 1
}

# A port of the loopback on which nobody listens, below those that the kernel gives to clients.
free_port() {
  local port
  for _ in $(seq 50); do
    port=$((20000 + RANDOM % 10000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return 0; }
  done
  echo "no free port was found on the loopback" >&2
  return 1
}

# Ends what was started here; a process that was left paused is continued so that it can end.
stop_services() {
  local pid folder
  for pid in "${services[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in "${services[@]}"; do kill -CONT "$pid" 2>/dev/null || true; done
  for pid in "${services[@]}"; do wait "$pid" 2>/dev/null || true; done
  services=()
  # A group is empty a moment after its last process has ended.
  for folder in ${groups[@]+"${groups[@]}"}; do
    for _ in $(seq 50); do
      [ -d "$folder" ] || break
      rmdir "$folder" 2>/dev/null || sleep 0.1
    done
  done
  groups=()
}
