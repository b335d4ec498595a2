"""A small web shop: its page shows a greeting from redis, and does without when redis does not answer in time.

Usage: shop.py ADDRESS PORT REDIS_ADDRESS REDIS_PORT. It also has /metrics for Prometheus, and /basket, which keeps one
MiB more with every visit, up to 200 MiB.
"""

import http.server
import socket
import sys

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


class Shop(http.server.BaseHTTPRequestHandler):
    """Answers /, /basket and /metrics."""

    served = 0
    baskets = []

    def do_GET(self):
        Shop.served += 1
        if self.path == "/metrics":
            body = b"shop_requests_total %d\n" % Shop.served
        elif self.path == "/basket":
            Shop.baskets = Shop.baskets[-199:] + [b"x" * (1 << 20)]
            body = b"%d MiB\n" % len(Shop.baskets)
        else:
            body = b"welcome " + greeting(self.server.redis) + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

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
