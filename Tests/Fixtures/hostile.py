"""A server that no metric should trust, for tests. Usage: hostile.py PORT

A request for /hang… is never answered, /reset… is answered by a reset, /huge… by 100 MB; anything else by a small page.
"""

import socket
import socketserver
import struct
import sys
import time

SIZE = 100 * 1000 * 1000


class Conversation(socketserver.BaseRequestHandler):
    """One connection, one request."""

    def handle(self):
        request = self.request.recv(65536)
        path = request.split(b" ")[1] if request.count(b" ") > 1 else b"/"
        if path.startswith(b"/hang"):
            time.sleep(600)
        elif path.startswith(b"/reset"):
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.request.close()
        elif path.startswith(b"/huge"):
            self.flood()
        else:
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nup_now 1\n")

    def flood(self):
        """Sends as much as is taken."""
        try:
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
            chunk = b"x" * 65536
            for _ in range(SIZE // len(chunk) + 1):
                self.request.sendall(chunk)
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    """Serves each connection by a thread."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256


Server(("127.0.0.1", int(sys.argv[1])), Conversation).serve_forever()
