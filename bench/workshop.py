"""What benchmarks work with: a folder, processes, namespaces, control groups and a file system of their own, all removed at the end.

Nothing outside of them is touched.
"""

import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from figures import run, tool, until

CONTROL_GROUPS = pathlib.Path("/sys/fs/cgroup")
NEAR, FAR = "10.98.0.1", "10.98.0.2"
CLONE_NEWNET = 0x40000000


class Workshop:
    """A folder and what is started and mounted for a benchmark."""

    def __init__(self, program):
        self.program = pathlib.Path(program).resolve()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="moonquake-bench-"))
        self.state = self.folder / "state"
        self.children = []
        self.namespaces = []
        self.groups = []
        self.mounts = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            end(child)
        for folder in self.mounts:
            run("umount", "-l", str(folder))
        for name in self.namespaces:
            run("ip", "netns", "delete", name)
        for group in self.groups:
            until(lambda: not (group / "cgroup.procs").read_text().strip())
            group.rmdir()
        shutil.rmtree(self.folder)

    def script(self, name, text):
        """Writes a script and returns its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def start(self, *arguments, namespace=None, **options):
        """Starts a program that ends with the workshop."""
        prefix = ["ip", "netns", "exec", namespace] if namespace else []
        child = subprocess.Popen([*prefix, *map(str, arguments)], **options)
        self.children.append(child)
        return child

    def namespace(self, end):
        """Makes a network namespace."""
        name = f"mqb-{os.getpid()}-{end}"
        tool("ip", "netns", "add", name)
        self.namespaces.append(name)
        tool("ip", "-n", name, "link", "set", "lo", "up")
        return name

    def disk(self, megabytes):
        """Mounts an ext4 of its own and returns its folder."""
        image, folder = self.folder / "disk.img", self.folder / "disk"
        with open(image, "wb") as file:
            file.truncate(megabytes << 20)
        folder.mkdir()
        tool("mkfs.ext4", "-q", "-m", "0", str(image))
        tool("mount", "-o", "loop", str(image), str(folder))
        self.mounts.append(folder)
        return folder


def end(child):
    """Ends a process that was started here: asked first, so that it ends its own."""
    if child.poll() is None:
        child.send_signal(signal.SIGCONT)
        child.terminate()
        try:
            child.wait(2)
        except subprocess.TimeoutExpired:
            child.kill()
    child.wait()


class World(Workshop):
    """Two namespaces with a cable: the far one answers DNS, HTTP and gRPC. And a process in a control group of its own, and a disk."""

    VICTIM = "import sys, time\nprint('on', flush=True)\nfor line in sys.stdin: exec(line)\n"

    def __enter__(self):
        try:
            self.near, self.far = self.namespace("near"), self.namespace("far")
            tool("ip", "link", "add", "va", "netns", self.near, "type", "veth", "peer", "name", "vb", "netns", self.far)
            for name, device, address in ((self.near, "va", NEAR), (self.far, "vb", FAR)):
                tool("ip", "-n", name, "addr", "add", f"{address}/24", "dev", device)
                tool("ip", "-n", name, "link", "set", device, "up")
            self.storage = self.disk(256)
            self.serve()
        except BaseException:
            self.__exit__()
            raise
        return self

    def serve(self):
        """Starts the services of the far end and waits until they answer."""
        self.start(
            "dnsmasq", "-k", "--conf-file=/dev/null", "--port=53", "--no-resolv", "--no-hosts", "--bind-interfaces", "--user=root",
            "--pid-file=", f"--listen-address={FAR}", "--address=/test/10.98.0.9", "--cache-size=0",
            namespace=self.far, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        pages = self.folder / "pages"
        pages.mkdir()
        pages.chmod(0o755)
        self.folder.chmod(0o755)
        (pages / "small").write_text("x" * 128)
        (pages / "large").write_bytes(b"x" * 2_000_000)
        configuration = self.script("nginx.conf", (
            f"daemon off; worker_processes 1; pid {self.folder}/nginx.pid; error_log /dev/null;\n"
            "events { worker_connections 512; }\n"
            "http { access_log off; keepalive_requests 1000000; default_type text/plain;\n"
            f"server {{ listen {FAR}:8080; root {pages}; }} }}\n"
        ))
        self.start("nginx", "-p", self.folder, "-c", configuration, namespace=self.far, stderr=subprocess.DEVNULL)
        self.start("/usr/bin/python3", "-c", GRPC_SERVER, FAR, namespace=self.far)
        for port in (8080, 50051):
            until(lambda: connects(self.near, FAR, port), pause=0.02)
        until(lambda: answers(self.near, FAR), pause=0.02)

    def victim(self, *prefix):
        """Starts a process in control groups of its own, which does what it is told by lines of Python."""
        child = self.start(
            *prefix, "python3", "-c", self.VICTIM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )
        assert child.stdout.readline() == "on\n"
        for group in self.own_groups():
            (group / "cgroup.procs").write_text(str(child.pid))
        return child

    def own_groups(self):
        """The control groups of victims, in all hierarchies that matter."""
        if not self.groups:
            if (CONTROL_GROUPS / "cgroup.controllers").exists():
                (CONTROL_GROUPS / "cgroup.subtree_control").write_text("+cpu +memory +pids")
                hierarchies = [CONTROL_GROUPS]
            else:
                hierarchies = [CONTROL_GROUPS / controller for controller in ("cpu", "memory", "pids")]
            for hierarchy in hierarchies:
                group = hierarchy / f"mqb-{os.getpid()}"
                group.mkdir()
                self.groups.append(group)
        return self.groups

    def setting(self, *names):
        """The file of the victims' groups that has one of these names."""
        return next(group / name for group in self.own_groups() for name in names if (group / name).exists())


def tell(victim, line):
    """Has a victim run a line, and returns what it prints."""
    victim.stdin.write(line + "\n")
    return victim.stdout.readline().strip()


def socket_in(namespace, family, kind):
    """A socket of a network namespace: it stays there, whoever uses it."""
    made = []

    def make():
        with open(f"/run/netns/{namespace}", encoding="ascii") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.socket(family, kind))

    # The thread is moved for good, so it is one that ends.
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


def connection(namespace, address, port):
    """A connection over TCP from a namespace."""
    made = socket_in(namespace, socket.AF_INET, socket.SOCK_STREAM)
    made.settimeout(10)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        made.connect((address, port))
    except OSError:
        made.close()
        raise
    return made


def connects(namespace, address, port):
    """Whether somebody listens."""
    try:
        connection(namespace, address, port).close()
        return True
    except OSError:
        return False


def question(number, name="a.test"):
    """A DNS query for an address."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return number.to_bytes(2, "big") + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\x00\x00\x01\x00\x01"


def answers(namespace, address):
    """Whether a DNS server answers within 50 ms."""
    with socket_in(namespace, socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.05)
        try:
            asking.sendto(question(1), (address, 53))
            asking.recv(512)
            return True
        except OSError:
            return False


GRPC_SERVER = """
import grpc, sys, time
from concurrent import futures
handler = grpc.method_handlers_generic_handler("t.T", {
    "Unary": grpc.unary_unary_rpc_method_handler(lambda request, context: request),
})
server = grpc.server(futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers((handler,))
server.add_insecure_port(sys.argv[1] + ":50051")
server.start()
time.sleep(3600)
"""
