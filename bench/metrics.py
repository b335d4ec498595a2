"""What 200 metrics at an interval of one second cost the runner, one kind at a time.

A real Prometheus scrapes a small service each second; both run on the loopback, as do the service's port and page that the
other kinds look at. The runner's processor time is read from /proc while the metrics are sampled, and every sample must be
there in time, until the faults are put back.

Usage: metrics.py [PROGRAM]. Exit code 1 when a kind takes a fifth of a core or more, or a sample is late.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

PROGRAM = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".build/release/moonquake").resolve())
SERVICE = pathlib.Path(__file__).resolve().parent.parent / "Tests/Fixtures/checkout.py"
TICKS = os.sysconf("SC_CLK_TCK")
METRICS, SECONDS = 200, 10
MOST_OF_CORE = 0.2
LATEST_MS = 1500

SCRIPT = """
local metrics = {}
for i = 1, %d do metrics["m" .. i] = %s end
experiment "many metrics" {
  steady_state = { every = "1s", warmup = "3s", metrics = metrics },
  run = function()
    inject(fault.noop { target = target.host {} })
    log("on")
    wait "%ds"
  end,
}
"""


def free_port():
    """A port of the loopback on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def cpu_seconds(pid):
    """What a process has used of the processor."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def longest_pause(report):
    """The longest time in milliseconds that a metric went without a sample, until the rollback."""
    if len(report["metrics"]) != METRICS:
        raise SystemExit(f"{len(report['metrics'])} metrics")
    rolled_back = next(phase["started_ms"] for phase in report["phases"] if phase["phase"] == "ROLLBACK")
    longest = 0
    for metric in report["metrics"]:
        times = [sample["at_ms"] for sample in metric["samples"] if sample["at_ms"] < rolled_back] + [rolled_back]
        longest = max([longest] + [after - before for before, after in zip(times, times[1:])])
    return longest


class Lab:
    """The service, its Prometheus, and a folder; all gone at the end."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="moonquake-metrics-"))
        self.stock, self.port, self.server = free_port(), free_port(), free_port()
        self.children = []

    def start(self, *command):
        """Starts a program that ends with the lab."""
        self.children.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return self.children[-1]

    def __enter__(self):
        self.stock_pid = self.start("python3", str(SERVICE), "stock", str(self.stock)).pid
        self.start("python3", str(SERVICE), "serve", str(self.port), str(self.stock))
        configuration = self.folder / "prometheus.yml"
        configuration.write_text(
            "global: { scrape_interval: 1s }\n"
            f"scrape_configs: [ {{ job_name: a, static_configs: [ {{ targets: [ '127.0.0.1:{self.port}' ] }} ] }} ]\n"
        )
        self.start(
            "prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.server}", "--log.level=error",
        )
        query = f"http://127.0.0.1:{self.server}/api/v1/query?query=checkout_asked_total"
        for _ in range(300):
            try:
                with urllib.request.urlopen(query, timeout=1) as answer:
                    if b'"value"' in answer.read():
                        return self
            except OSError:
                pass
            time.sleep(0.1)
        raise SystemExit("Prometheus has not scraped")

    def __exit__(self, *_):
        for child in self.children:
            child.kill()
            child.wait()
        shutil.rmtree(self.folder)

    def kinds(self):
        """How a metric of each kind is written."""
        return {
            "prometheus": f'metric.prometheus {{ server = "http://127.0.0.1:{self.server}", '
                          'query = "checkout_asked_total + " .. i, below = 1e9 }',
            "scrape": f'metric.scrape {{ url = "http://127.0.0.1:{self.port}/metrics", name = "checkout_stock_seconds", '
                      'below = 10 }',
            "process": f'metric.process {{ target = target.process {{ pid = {self.stock_pid} }}, measure = "rss", '
                       'below = "1GiB" }',
            "http": f'metric.http {{ url = "http://127.0.0.1:{self.port}/metrics", rate = "1/s", below = "50%" }}',
            "tcp": f'metric.tcp {{ address = "127.0.0.1:{self.port}", rate = "1/s", below = "50%" }}',
            "lua": 'metric.lua { function() return i end, below = 1e9 }',
        }

    def measure(self, metric):
        """The share of a core that the runner takes, and the longest time between two samples of a metric."""
        script, report = self.folder / "many.lua", self.folder / "report.json"
        script.write_text(SCRIPT % (METRICS, metric, SECONDS))
        command = [PROGRAM, "run", str(script), "--state-dir", str(self.folder / "state"), "--report", str(report)]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        used, began = 0, 0
        for line in child.stderr:
            if "script: on" in line:
                used, began = cpu_seconds(child.pid), time.monotonic()
                time.sleep(SECONDS - 2)
                used, began = cpu_seconds(child.pid) - used, time.monotonic() - began
        if child.wait() != 0:
            raise SystemExit(f"exit {child.returncode}")
        return used / began, longest_pause(json.loads(report.read_text()))


def main():
    """Measures each kind and prints the table."""
    rows = {}
    with Lab() as lab:
        for kind, metric in lab.kinds().items():
            rows[kind] = lab.measure(metric)
    print(f"{METRICS} metrics each second{'% of a core':>15}{'limit':>8}{'longest ms between samples':>30}{'limit':>8}")
    for kind, (share, longest) in rows.items():
        print(f"  {kind:22}{share * 100:13.1f}{MOST_OF_CORE * 100:8.0f}{longest:30.0f}{LATEST_MS:8}")
    pathlib.Path(__file__).with_name("results-metrics.json").write_text(json.dumps(rows, indent=2) + "\n")
    return 0 if all(share < MOST_OF_CORE and longest < LATEST_MS for share, longest in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
