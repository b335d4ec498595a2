#!/usr/bin/env python3
"""What passing requests through costs: our proxy beside nginx and HAProxy as HTTP proxies, and beside Toxiproxy and
Envoy where they are installed, one core each.

The load generator and the upstream share the other core, and saturate first: so what is compared is the processor
time that the proxy takes for each request, the 99th percentile, and the memory of an idle connection.

    bench/proxy.py .build/release/moonquake worker requests     # or any program that listens, see `ours`
"""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

SECONDS = int(os.environ.get("SECONDS", "3"))
PROXY_CORE, LOAD_CORE = "0", "1"
IDLE = 2000
AIMS = {"cpu": 1.5, "p99_ms": 15.0, "idle_kb": 10.0}


def free_port():
    """A port that nobody listens on, below those that the kernel hands out."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.01)
    raise SystemExit(f"nobody listens on port {port}")


def family(pid):
    """A process and its children."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [pid] + [child for text in file.read().split() for child in family(int(text))]


def seconds(pid):
    total = 0
    for one in family(pid):
        with open(f"/proc/{one}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def resident(pid):
    total = 0
    for one in family(pid):
        with open(f"/proc/{one}/smaps_rollup") as file:
            total += int(re.search(r"Private_Dirty: +(\d+)", file.read()).group(1))
    return total


class Bench:
    def __init__(self, folder, ours):
        self.folder, self.ours, self.processes = folder, ours, []

    def start(self, core, arguments, **options):
        process = subprocess.Popen(["taskset", "-c", core] + arguments, **options)
        self.processes.append(process)
        return process

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()

    def nginx(self, name, core, port, body):
        path = f"{self.folder}/{name}.conf"
        with open(path, "w") as file:
            file.write(
                f"daemon off; worker_processes 1; pid {self.folder}/{name}.pid; error_log /dev/null;\n"
                "events { worker_connections 16384; }\n"
                f"http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 600s;\n{body}\n}}\n"
            )
        process = self.start(core, ["nginx", "-p", self.folder, "-c", path])
        listens(port)
        return process

    def upstream(self):
        port = free_port()
        body = f'server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 "{"x" * 128}"; }} }}'
        self.nginx("upstream", LOAD_CORE, port, body)
        return port

    def proxies(self, upstream):
        port = free_port()
        body = (
            f"upstream up {{ server 127.0.0.1:{upstream}; keepalive 512; }}\n"
            f"server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://up;"
            ' proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; } }'
        )
        yield "nginx", self.nginx("proxy", PROXY_CORE, port, body), port

        port = free_port()
        path = f"{self.folder}/haproxy.cfg"
        with open(path, "w") as file:
            file.write(
                "global\n nbthread 1\n maxconn 8000\n"
                "defaults\n mode http\n timeout connect 5s\n timeout client 600s\n timeout server 600s\n"
                f" http-reuse safe\nfrontend f\n bind 127.0.0.1:{port} backlog 4096\n default_backend b\n"
                f"backend b\n server s 127.0.0.1:{upstream}\n"
            )
        process = self.start(PROXY_CORE, ["haproxy", "-db", "-f", path])
        listens(port)
        yield "haproxy", process, port

        if shutil.which("toxiproxy-server"):
            yield "toxiproxy", *self.toxiproxy(upstream)
        if shutil.which("envoy"):
            yield "envoy", *self.envoy(upstream)

        port = free_port()
        yield "moonquake", self.moonquake(port, upstream), port

    def toxiproxy(self, upstream):
        """Toxiproxy without any toxic; it relays bytes and reads no HTTP."""
        control, port = free_port(), free_port()
        path = f"{self.folder}/toxiproxy.json"
        with open(path, "w") as file:
            json.dump([{"name": "up", "listen": f"127.0.0.1:{port}", "upstream": f"127.0.0.1:{upstream}",
                        "enabled": True}], file)
        process = self.start(
            PROXY_CORE, ["toxiproxy-server", "-host", "127.0.0.1", "-port", str(control), "-config", path],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "LOG_LEVEL": "error"},
        )
        listens(port)
        return process, port

    def envoy(self, upstream):
        """Envoy with one worker and one route."""
        port = free_port()
        manager = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
        router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"

        def address(number):
            return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

        route = {"match": {"prefix": "/"}, "route": {"cluster": "up"}}
        chain = {
            "@type": manager, "stat_prefix": "bench",
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
            "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": router}}],
        }
        filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": chain}]
        endpoints = [{"endpoint": {"address": address(upstream)}}]
        path = f"{self.folder}/envoy.json"
        with open(path, "w") as file:
            json.dump({"static_resources": {
                "listeners": [{"name": "l", "address": address(port), "filter_chains": [{"filters": filters}]}],
                "clusters": [{"name": "up", "type": "STATIC", "connect_timeout": "5s", "load_assignment": {
                    "cluster_name": "up", "endpoints": [{"lb_endpoints": endpoints}]}}],
            }}, file)
        process = self.start(
            PROXY_CORE,
            ["envoy", "-c", path, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "critical"],
        )
        listens(port)
        return process, port

    def moonquake(self, port, upstream):
        """A worker that is told to listen, as an agent would; or a program with two ports for arguments."""
        if "worker" not in self.ours:
            process = self.start(PROXY_CORE, self.ours + [str(port), str(upstream)])
        else:
            process = self.start(
                PROXY_CORE, self.ours, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            fault = {
                "namespace": {"path": "/proc/self/ns/net", "inode": os.stat("/proc/self/ns/net").st_ino},
                "way": {"listen": {"port": port, "upstream": "127.0.0.1", "upstream_port": upstream}},
                # A rule that hits nothing, as in a run whose share is small.
                "rule": {
                    "name": "moonquake_bench", "share": 0, "seed": 1, "action": {"abort": {}},
                    "match": {"methods": [], "headers": {}, "clients": [], "grpc_only": False},
                },
            }
            ask = {"begin": {"_0": fault}}
            process.stdin.write(json.dumps({"id": 1, "ask": ask}) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            if "failure" in answer:
                raise SystemExit(f"moonquake: {answer}")
        listens(port)
        return process


def load(process, port, connections, keeps):
    """CPU microseconds a request, the 99th percentile in ms, requests a second."""
    headers = [] if keeps else ["-H", "Connection: close"]
    before = seconds(process.pid)
    text = subprocess.run(
        ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency"]
        + headers + [f"http://127.0.0.1:{port}/"],
        capture_output=True, text=True, check=True,
    ).stdout
    used = seconds(process.pid) - before
    requests = int(re.search(r"(\d+) requests in", text).group(1))
    value, unit = re.search(r"99% +([\d.]+)(us|ms|s)", text).groups()
    p99 = float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    errors = re.search(r"Socket errors: (.*)", text)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return {
        "us": used * 1e6 / max(requests, 1), "p99": p99, "rate": requests / SECONDS,
        "errors": (errors.group(1) if keeps and errors else "") + (bad.group(0) if bad else ""),
    }


def idle(process, port):
    """Kilobytes of an idle connection after one request."""
    def ask():
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.recv(65536)
        return connection

    warm = [ask() for _ in range(50)]
    before = resident(process.pid)
    connections = [ask() for _ in range(IDLE)]
    time.sleep(0.3)
    after = resident(process.pid)
    for connection in warm + connections:
        connection.close()
    return (after - before) / IDLE


def main():
    ours = sys.argv[1:]
    if not ours:
        raise SystemExit(__doc__)
    missing = [tool for tool in ("nginx", "haproxy", "wrk", "taskset") if not shutil.which(tool)]
    if missing:
        raise SystemExit(f"bench/proxy.py: needs {', '.join(missing)}: apt-get install nginx-light haproxy wrk")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder, ours)
        try:
            upstream = bench.upstream()
            for name, process, port in bench.proxies(upstream):
                # First, while the process is as fresh as its peers.
                results[name, "idle"] = idle(process, port)
                for keeps in (True, False):
                    for connections in (1, 64, 256):
                        results[name, keeps, connections] = load(process, port, connections, keeps)
                        time.sleep(0.2)
        finally:
            bench.stop()
    report(results)
    keep(results)


def keep(results):
    """Writes the figures for bench/run.py."""
    told = {}
    for (name, *what), value in results.items():
        key = "idle_kb" if what == ["idle"] else f"{what[1]} connections, {'kept' if what[0] else 'one for each request'}"
        told.setdefault(name, {})[key] = value
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "results-proxy.json"), "w") as file:
        file.write(json.dumps(told, indent=2) + "\n")


def report(results):
    peers = [name for name, kind in (key[:2] for key in results) if kind == "idle"]
    for keeps in (True, False):
        print("keep-alive" if keeps else "a connection for each request")
        print(f"  {'connections':12}" + "".join(f"{name:>34}" for name in peers) + "   CPU against HAProxy")
        for connections in (1, 64, 256):
            line = f"  {connections:<12}"
            for name in peers:
                one = results[name, keeps, connections]
                line += f"{one['us']:8.1f} us {one['p99']:8.2f} ms {one['rate']:8.0f}/s"
            ratio = results["moonquake", keeps, connections]["us"] / max(
                results["haproxy", keeps, connections]["us"], 0.001
            )
            print(f"{line}   {ratio:.2f}x")
            for name in peers:
                if results[name, keeps, connections]["errors"]:
                    print(f"    {name}: {results[name, keeps, connections]['errors']}")
    print("idle connection: " + ", ".join(f"{name} {results[name, 'idle']:.1f} kB" for name in peers))
    def ratio(keeps):
        return results["moonquake", keeps, 64]["us"] / results["haproxy", keeps, 64]["us"]

    for name, value, aim in (
        ("CPU of a request at 64 connections, against HAProxy", ratio(True), AIMS["cpu"]),
        ("the same with a connection for each request", ratio(False), AIMS["cpu"]),
        ("p99 at 256 connections, ms", results["moonquake", True, 256]["p99"], AIMS["p99_ms"]),
        ("idle connection, kB", results["moonquake", "idle"], AIMS["idle_kb"]),
    ):
        print(f"aim: {name}: {value:.2f}, at most {aim}: {'held' if value <= aim else 'MISSED'}")


if __name__ == "__main__":
    main()
