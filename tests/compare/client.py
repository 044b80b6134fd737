# SPDX-License-Identifier: Apache-2.0
"""A raw client: sends bytes, follows the responses, notices how the connection ends."""

import socket
import time

from message import Responses
from origin import HOST, reset


class Client:
    def __init__(self, name, port, source=None):
        self.name = name
        self.responses = Responses()
        self.end = "open"
        self.sock = socket.socket()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source is not None:
            self.sock.bind((source, 0))
        self.local_port = 0
        try:
            self.sock.connect((HOST, port))
            self.local_port = self.sock.getsockname()[1]
        except OSError:
            self.end = "refused"

    def send(self, data):
        if self.end in ("refused", "closed", "aborted"):
            return
        self.responses.sent(data)
        self.sock.settimeout(2)
        try:
            self.sock.sendall(data)
        except OSError:
            pass

    def receive_some(self, seconds):
        """Receives once; False when nothing came."""
        if self.end != "open":
            return False
        self.sock.settimeout(max(seconds, 0.001))
        try:
            data = self.sock.recv(65536)
        except TimeoutError:
            return False
        except OSError:
            self.end = "reset"
            return False
        if not data:
            self.end = "eof"
            return False
        self.responses.add(data)
        return True

    def receive_until(self, is_enough, seconds):
        deadline = time.monotonic() + seconds
        while not is_enough() and self.end == "open":
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self.receive_some(left)

    def receive_finals(self, count, seconds):
        self.receive_until(lambda: self.responses.n_final >= count or self.responses.is_tunnel, seconds)

    def look(self, seconds):
        """Receives what comes unasked, until silence."""
        while self.receive_some(seconds):
            pass

    def half(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        if self.end == "open":
            self.end = "closed"
        self.sock.close()

    def abort(self):
        if self.end == "open":
            self.end = "aborted"
        reset(self.sock)
