"""A checkout and the stock service that it asks, for tests.

Usage: checkout.py stock PORT, and checkout.py serve PORT STOCK_PORT. The checkout asks the stock every 50 ms over a new
connection, has 100 ms of patience, and tells on /metrics how that went. Both listen on the loopback.
"""

import http.server
import socket
import socketserver
import sys
import threading
import time

PATIENCE_S = 0.1


class Stock(socketserver.BaseRequestHandler):
    """Answers how many there are."""

    def handle(self):
        if self.request.recv(16):
            self.request.sendall(b"7\n")


class StockServer(socketserver.ThreadingTCPServer):
    """Serves the stock."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512


class Page(http.server.BaseHTTPRequestHandler):
    """Answers with what is known by now, whatever is asked."""

    seconds = 0.0
    asked = 0
    failed = 0

    def do_GET(self):
        body = (
            "# TYPE checkout_stock_seconds gauge\ncheckout_stock_seconds %f\n"
            "# TYPE checkout_asked_total counter\ncheckout_asked_total %d\n"
            "# TYPE checkout_failed_total counter\ncheckout_failed_total %d\n" % (Page.seconds, Page.asked, Page.failed)
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Says nothing."""


class PageServer(http.server.ThreadingHTTPServer):
    """A server whose name is not looked up, which would need DNS."""

    daemon_threads = True
    request_queue_size = 512

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


def ask(port):
    """Asks the stock once; whether it answered in time."""
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
            connection.settimeout(PATIENCE_S)
            connection.sendall(b"?\n")
            return bool(connection.recv(16))
    except OSError:
        return False


def keep_asking(port):
    """Asks for ever and keeps the figures."""
    while True:
        began = time.monotonic()
        is_good = ask(port)
        Page.seconds = time.monotonic() - began
        Page.asked += 1
        Page.failed += not is_good
        time.sleep(0.05)


def main():
    """Serves what the arguments say."""
    here = ("127.0.0.1", int(sys.argv[2]))
    if sys.argv[1] == "stock":
        StockServer(here, Stock).serve_forever()
    threading.Thread(target=keep_asking, args=[int(sys.argv[3])], daemon=True).start()
    PageServer(here, Page).serve_forever()


main()
