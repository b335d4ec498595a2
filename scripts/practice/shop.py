"""A small web shop: its page shows a greeting from redis, and does without when redis does not answer in time.

Usage: shop.py ADDRESS PORT REDIS_ADDRESS REDIS_PORT. It also has /metrics for Prometheus (a counter, a gauge and a histogram
of its pages), and /basket, which keeps one MiB more with every visit, up to 200 MiB.
"""

import http.server
import socket
import sys
import threading
import time

PATIENCE_S = 0.2


def greeting(redis):
    """The greeting that redis keeps, or none when redis is slow or away."""
    try:
        with socket.create_connection(redis, timeout=PATIENCE_S) as connection:
            connection.settimeout(PATIENCE_S)
            connection.sendall(b"PING hello\r\n")
            return connection.recv(64)
    except OSError:
        return b"(no greeting today)"


class Figures:
    """What the shop tells of itself."""

    BOUNDS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5)

    def __init__(self):
        self.lock = threading.Lock()
        self.served = self.open = self.pages = 0
        self.seconds = 0.0
        self.below = [0] * len(self.BOUNDS_S)

    def begin(self):
        """Notes that somebody asks."""
        with self.lock:
            self.served += 1
            self.open += 1

    def end(self, seconds):
        """Notes how long a page took; None for what is no page."""
        with self.lock:
            self.open -= 1
            if seconds is not None:
                self.pages += 1
                self.seconds += seconds
                self.below = [count + (seconds <= bound) for count, bound in zip(self.below, self.BOUNDS_S)]

    def page(self):
        """All of it, as Prometheus reads it."""
        with self.lock:
            buckets = zip(self.BOUNDS_S + ("+Inf",), self.below + [self.pages])
            lines = [
                "# TYPE shop_requests_total counter", f"shop_requests_total {self.served}",
                "# TYPE shop_pages_open gauge", f"shop_pages_open {self.open}",
                "# TYPE shop_page_seconds histogram",
                *(f'shop_page_seconds_bucket{{le="{bound}"}} {count}' for bound, count in buckets),
                f"shop_page_seconds_sum {self.seconds}", f"shop_page_seconds_count {self.pages}",
            ]
        return "\n".join(lines).encode() + b"\n"


class Shop(http.server.BaseHTTPRequestHandler):
    """Answers /, /basket and /metrics."""

    figures = Figures()
    baskets = []

    def do_GET(self):
        Shop.figures.begin()
        began = time.monotonic()
        is_page = False
        try:
            is_page = self.answer()
        finally:
            Shop.figures.end(time.monotonic() - began if is_page else None)

    def answer(self):
        """Answers; whether that was a page of the shop."""
        is_page = False
        if self.path == "/metrics":
            body = Shop.figures.page()
        elif self.path == "/basket":
            Shop.baskets = Shop.baskets[-199:] + [b"x" * (1 << 20)]
            body = b"%d MiB\n" % len(Shop.baskets)
        else:
            body = b"welcome " + greeting(self.server.redis) + b"\n"
            is_page = True
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return is_page

    def log_message(self, *arguments):
        """Says nothing: the load of an experiment would fill the log."""


class Server(http.server.ThreadingHTTPServer):
    """A server whose name is not looked up, which would need DNS."""

    daemon_threads = True

    def server_bind(self):
        super(http.server.HTTPServer, self).server_bind()
        self.server_name, self.server_port = self.server_address[:2]


server = Server((sys.argv[1], int(sys.argv[2])), Shop)
server.redis = (sys.argv[3], int(sys.argv[4]))
server.serve_forever()
