# SPDX-License-Identifier: Apache-2.0
"""Scripted origins: listening sockets that record what they receive and answer as the test says."""

import socket
import struct
import threading
import time

from message import BodyReader

HOST = "127.0.0.1"


def reset(sock):
    """Closes with RST."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    sock.close()


class Wire:
    """A connection at the origin, and what became of it."""

    def __init__(self, number):
        self.number = number
        self.state = "open"
        self.test = None  # the test in which the state changed last


class Request:
    """One request as received; grows while its body arrives."""

    def __init__(self, server, number, is_first):
        self.server = server
        self.number = number
        self.is_first = is_first
        self.data = bytearray()


class Script:
    """The answers of the test under way, shared by all origins of a case."""

    def __init__(self):
        self.lock = threading.Lock()
        self.answers = []
        self.requests = []
        self.over = threading.Event()

    def begin(self, answers):
        with self.lock:
            for answer in answers:
                answer.used = False
            self.answers = answers
            self.requests = []
            self.over = threading.Event()

    def add(self, request):
        with self.lock:
            self.requests.append(request)

    def pick(self, server, path):
        """The first unused answer that fits, else the last that fits, else None."""
        with self.lock:
            fit = [a for a in self.answers if a.server in (None, server) and
                   (a.path is None or path.startswith(a.path))]
            for answer in fit:
                if not answer.used:
                    answer.used = True
                    return answer
            return fit[-1] if fit else None


class Origin:
    """One server. Modes: http, raw (lines), refuse, reset (on accept), mute (reads), banner, full (no room)."""

    def __init__(self, name, port, mode, script):
        self.name = name
        self.port = port
        self.mode = mode
        self.script = script
        self.wires = []
        self.socks = []
        self.fillers = []
        self.listener = None
        if mode != "refuse":
            self.open()

    def open(self):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST, self.port))
        if self.mode == "full":
            self.fill(sock)
        else:
            sock.listen(64)
            threading.Thread(target=self.accept_all, args=(sock,), daemon=True).start()
        self.listener = sock

    def fill(self, sock):
        """Fills the accept queue, so that the kernel drops every further SYN."""
        sock.listen(0)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((HOST, self.port))
            self.fillers.append(filler)
        time.sleep(0.05)

    def shut(self):
        """Stops listening and drops the connections."""
        if self.listener is not None:
            try:
                self.listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.listener.close()
            self.listener = None
        for sock in self.socks + self.fillers:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.socks = []
        self.fillers = []

    def accept_all(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            if listener is not self.listener and self.listener is not None:
                sock.close()
                return
            self.socks.append(sock)
            wire = Wire(len(self.wires) + 1)
            self.wires.append(wire)
            threading.Thread(target=self.serve, args=(sock, wire), daemon=True).start()

    def serve(self, sock, wire):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        state = "closed"
        try:
            if self.mode == "reset":
                reset(sock)
                state = "refused"
            elif self.mode in ("raw", "banner"):
                self.serve_raw(sock, wire)
            elif self.mode == "mute":
                self.serve_mute(sock, wire)
            else:
                self.serve_http(sock, wire)
        except (ConnectionError, TimeoutError):
            state = "broken"
        except (OSError, ValueError):
            state = "closed"
        wire.state = state
        try:
            sock.close()
        except OSError:
            pass

    def serve_mute(self, sock, wire):
        request = Request(self.name, wire.number, True)
        while True:
            data = sock.recv(65536)
            if not data:
                return
            if not request.data:
                self.script.add(request)
            request.data += data

    def serve_raw(self, sock, wire):
        """Lines: each gets the next answer, else the server's name."""
        if self.mode == "banner":
            self.answer(sock, None, self.script.pick(self.name, ""))
        pending = b""
        is_first = True
        while True:
            data = sock.recv(65536)
            if not data:
                if pending:
                    self.script.add(raw_request(self.name, wire, is_first, pending))
                return
            pending += data
            while b"\n" in pending:
                line, pending = pending.split(b"\n", 1)
                self.script.add(raw_request(self.name, wire, is_first, line + b"\n"))
                is_first = False
                answer = self.script.pick(self.name, "")
                if answer is None:
                    sock.sendall(self.name.encode() + b"\n")
                elif not self.answer(sock, None, answer):
                    return

    def serve_http(self, sock, wire):
        reader = BodyReader(sock)
        is_first = True
        while True:
            head = reader.head()
            request = Request(self.name, wire.number, is_first)
            if not head:
                if reader.left():
                    request.data += reader.left()
                    self.script.add(request)
                return
            is_first = False
            request.data += head
            self.script.add(request)
            words = head.split(b" ", 2)
            path = words[1].decode("latin-1") if len(words) > 1 else ""
            answer = self.script.pick(self.name, path)
            if answer is None or not answer.reads_body_itself():
                reader.body(head, request.data)
            if answer is None:
                self.default_answer(sock, words[0])
                continue
            if not self.answer(sock, (reader, head, request), answer):
                return

    def default_answer(self, sock, method):
        body = self.name.encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        sock.sendall(head if method == b"HEAD" else head + body)

    def answer(self, sock, http, answer):
        """Runs the steps; False when the connection is over."""
        over = self.script.over
        for step in answer.steps:
            kind = step[0]
            if kind == "send":
                sock.sendall(step[1])
            elif kind == "name":
                body = self.name.encode()
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            elif kind == "wait":
                over.wait(step[1])
            elif kind == "body" and http:
                http[0].body(http[1], http[2].data)
            elif kind == "early" and step[1] != "":
                pass
            elif kind == "half":
                sock.shutdown(socket.SHUT_WR)
            elif kind == "close":
                sock.shutdown(socket.SHUT_WR)
                drain(sock)
                return False
            elif kind == "drop":
                return False
            elif kind == "reset":
                reset(sock)
                return False
            elif kind == "hold":
                over.wait(10)
                return False
            elif kind == "echo":
                self.echo(sock, http)
                return False
        return True

    def echo(self, sock, http):
        """A tunnel: returns what arrives, recording it."""
        data = http[0].take_left() if http else b""
        while True:
            if data:
                if http:
                    http[2].data += data
                sock.sendall(data)
            data = sock.recv(65536)
            if not data:
                return


def drain(sock):
    sock.settimeout(0.5)
    try:
        while sock.recv(65536):
            pass
    except OSError:
        pass


def raw_request(server, wire, is_first, data):
    request = Request(server, wire.number, is_first)
    request.data += data
    return request
