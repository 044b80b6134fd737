# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of one case against one program and records what every side saw."""

import os
import re
import signal
import socket
import subprocess
import time

from client import Client
from judge import Verdict
from observe import LogSocket, Masks, bytes_out, read_stat, show_rows, stat_delta
from origin import HOST, Origin, Script

FRAME = """global
	nbthread 1
	maxconn 1000
	log 127.0.0.1:<log> local0
	stats socket <dir>/sock level admin
defaults
	mode http
	timeout connect 1s
	timeout client 3s
	timeout server 3s
	log global
	option httplog
	http-reuse never
"""
QUIET = 0.05      # seconds of silence that mean: nothing more comes
PATIENCE = 1.5    # seconds for the second program to reach what the first showed


class StartError(Exception):
    pass


def free_port(port):
    """The next port from there on that neither a stream nor a datagram socket uses."""
    while True:
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as sock:
                    sock.bind((HOST, port))
            return port
        except OSError:
            port += 1


class Ports:
    """Names of a case to ports: the same for both programs."""

    def __init__(self, first):
        self.next = first
        self.by_name = {}

    def get(self, name):
        if name not in self.by_name:
            self.by_name[name] = free_port(self.next)
            self.next = self.by_name[name] + 1
        return self.by_name[name]


class Program:
    """A running proxy."""

    def __init__(self, path, folder):
        self.path = path
        self.folder = folder
        self.process = None

    def start(self, config):
        cfg = os.path.join(self.folder, "cfg")
        with open(cfg, "w", encoding="utf-8") as f:
            f.write(config)
        with open(os.path.join(self.folder, "out"), "wb") as out:
            self.process = subprocess.Popen([self.path, "-db", "-f", cfg], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out)
        deadline = time.monotonic() + 10
        while self.cli("show info") is None:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise StartError(f"{self.path} does not start:\n{self.output()}")
            time.sleep(0.01)

    def output(self):
        with open(os.path.join(self.folder, "out"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def cli(self, command):
        """The reply of a command, or None when nobody answers."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(5)
        try:
            sock.connect(os.path.join(self.folder, "sock"))
            sock.sendall(command.encode() + b"\n")
            data = b""
            while True:
                part = sock.recv(65536)
                if not part:
                    return data.decode("utf-8", "backslashreplace")
                data += part
        except OSError:
            return None
        finally:
            sock.close()

    def stop(self):
        """Ends the process; returns False when it had died of itself."""
        if self.process is None:
            return True
        lived = self.process.poll() is None
        if lived:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return lived


class Runner:
    """One case against one program. guide: the records of the other program, or None for the oracle itself.

    columns: those of 'show stat' that both have; None: all.
    """

    def __init__(self, case, path, folder, ports, guide=None, columns=None):
        self.case = case
        self.ports = ports
        self.folder = folder
        self.guide = guide
        self.columns = columns
        self.program = Program(path, folder)
        self.script = Script()
        self.masks = Masks(case)
        self.clients = {}
        self.replies = []
        self.origins = {}
        self.records = []
        self.names = set()

    # --- start and end ---

    def fill_in(self, text):
        """<name> to address and port, <name.port> to the port, <dir> to the folder."""
        def one(match):
            name = match.group(1)
            if name == "dir":
                return self.folder
            if name == "log":
                return str(self.ports.get("log"))
            self.names.add(name.split(".")[0])
            port = self.ports.get(name.split(".")[0])
            return str(port) if name.endswith(".port") else f"{HOST}:{port}"
        return re.sub(r"<([a-z][a-z0-9]*(?:\.port)?)>", one, text)

    def start(self):
        text = "\n".join(self.case.config) + "\n"
        text = self.fill_in((FRAME if self.case.frame else "") + text)
        for name, content in self.case.files.items():
            with open(os.path.join(self.folder, name), "w", encoding="utf-8", newline="") as f:
                f.write(content.replace("\\r\n", "\r\n"))
        for name in sorted(self.names):
            if re.fullmatch(r"s\d+", name) or name in self.case.origins:
                mode = self.case.origins.get(name, "http")
                self.origins[name] = Origin(name, self.ports.get(name), mode, self.script)
        self.logs = LogSocket(HOST, self.ports.get("log"))
        self.program.start(text)

    def run(self):
        """Returns the records, a dict of aspect to lines each, the first being the state before any traffic."""
        try:
            self.start()
            rows = self.rows()
            self.is_http = all(r.get("mode") == "http" for r in rows.values() if r.get("type") == "0")
            self.columns = self.columns or set(next(iter(rows.values()), {}))
            self.records.append({"stat": show_rows(rows, self.columns)})
            for test in self.case.tests:
                self.records.append(self.run_test(test))
        finally:
            died = not self.program.stop()
            for origin in self.origins.values():
                origin.shut()
            if hasattr(self, "logs"):
                self.logs.close()
        if died:
            raise StartError(f"{self.program.path} died in case {self.case.name}:\n{self.program.output()}")
        return self.records

    def rows(self):
        return read_stat(self.program.cli("show stat") or "")

    # --- one test ---

    def run_test(self, test):
        guide = self.guide[len(self.records)] if self.guide else None
        self.logs.begin()
        self.script.begin(test.answers)
        self.wires_before = {n: [w.state for w in o.wires] for n, o in self.origins.items()}
        self.clients = {}
        self.replies = []
        self.past = []
        self.masks.ports = set()
        self.rows_before = self.rows()
        for i in range(1, test.repeat + 1):
            self.steps(test, i, guide)
            for client in self.clients.values():
                self.finish_client(client, test, guide)
            self.past += self.clients.values()
            self.clients = {}
        self.script.over.set()
        return self.settle(guide, test)

    def steps(self, test, i, guide):
        self.current = None
        self.wanted = {}
        for step in test.steps:
            getattr(self, "step_" + step[0])(test, *[self.numbered(a, i) for a in step[1:]])

    @staticmethod
    def numbered(arg, i):
        if isinstance(arg, bytes):
            return arg.replace(b"$i", str(i).encode())
        return arg.replace("$i", str(i)) if isinstance(arg, str) else arg

    def client(self):
        if self.current is None:
            self.step_client(None, "c1", None, None)
        return self.clients[self.current]

    def step_client(self, _, name, target, source):
        if name not in self.clients:
            port = self.ports.get(target.strip("<>") if target else "fe")
            self.clients[name] = Client(name, port, source)
            self.masks.ports.add(self.clients[name].local_port)
            self.wanted[name] = 0
        self.current = name

    def step_open(self, _):
        self.client()

    def step_send(self, _, data):
        self.client().send(self.fill_in(data.decode("latin-1")).encode("latin-1") if b"<" in data else data)

    def step_recv(self, test, count):
        client = self.client()
        self.wanted[self.current] += count
        client.receive_finals(self.wanted[self.current], test.limit)

    def step_recv_bytes(self, test, count):
        responses = self.client().responses
        goal = len(responses.data) + count
        self.client().receive_until(lambda: len(responses.data) >= goal, test.limit)

    def step_recv_line(self, test, _):
        responses = self.client().responses
        goal = responses.data.count(b"\n") + 1
        self.client().receive_until(lambda: responses.data.count(b"\n") >= goal, test.limit)

    def step_recv_eof(self, test, _):
        self.client().receive_until(lambda: False, test.limit)

    def step_wait(self, _, seconds):
        time.sleep(seconds)

    def step_half(self, _):
        self.client().half()

    def step_close(self, _):
        self.client().close()
        self.replace_client()

    def step_reset(self, _):
        self.client().abort()
        self.replace_client()

    def replace_client(self):
        """A closed client is kept for the record; the next '>' opens another."""
        self.past.append(self.clients.pop(self.current))
        self.current = None

    def step_cli(self, _, command):
        reply = self.program.cli(self.fill_in(command.replace("\\n", "\n")))
        self.replies.append("> " + command)
        self.replies += (reply if reply is not None else "(none)").split("\n")[:-1]

    def step_signal(self, _, name):
        self.program.process.send_signal(getattr(signal, "SIG" + name))

    def step_origin(self, _, name, what):
        if what == "down":
            self.origins[name].shut()
        else:
            self.origins[name].open()

    def finish_client(self, client, test, guide):
        """Sees whether the connection stays open; gives a program as long as the guide says it takes."""
        was_open = guide is None or test.refuses or f"{client.name} open" in guide["end"]
        if client.end == "open":
            self.program.cli("show info")
            client.look(QUIET if was_open else PATIENCE)
        client.sock.close()

    # --- the record ---

    def settle(self, guide, test):
        """Waits until the picture stands still, and for the second program until it is the guide's."""
        deadline = time.monotonic() + PATIENCE
        last = None
        calm = 0
        while True:
            record = self.record()
            calm = calm + 1 if record == last else 0
            last = record
            skipped = {**self.case.skip, **test.skip}
            done = guide is None or not Verdict(test, skipped, guide, record).failed
            if calm >= 2 and (done or time.monotonic() > deadline):
                return record
            time.sleep(0.012)

    def record(self):
        self.logs.drain()
        rows = self.rows()
        raw = {
            "server": self.server_lines(),
            "client": self.client_lines(),
            "end": [f"{c.name} {c.end}" for c in self.past],
            "conns": self.conn_lines(),
            "log": list(self.logs.lines),
            "stat": stat_delta(self.rows_before, rows, self.columns),
            "cli": list(self.replies),
        }
        if self.guide:
            raw["stat"] += self.wire_lines(rows)
        return {aspect: self.masks.apply(aspect, lines) for aspect, lines in raw.items()}

    def wire_lines(self, rows):
        """lb counts bytes of HTTP as they are on the wire: so it can be held to what the clients received."""
        if any(c.end not in ("open", "eof") for c in self.past) or not self.is_http:
            return []
        counted, seen = bytes_out(self.rows_before, rows), sum(len(c.responses.data) for c in self.past)
        return [] if counted == seen else [f"frontends counted {counted} bytes out, clients received {seen}"]

    def server_lines(self):
        from message import show_message
        out = []
        for request in list(self.script.requests):
            out += [f"{request.server}| {line}" for line in show_message(request.data)]
        return out

    def client_lines(self):
        out = []
        for client in self.past:
            out += [f"{client.name}| {line}" for line in client.responses.lines()]
        return out

    def conn_lines(self):
        out = []
        for request in list(self.script.requests):
            how = "new" if request.is_first else "reused"
            out.append(f"{request.server} request on {self.wire_name(request.server, request.number)} ({how})")
        for name, origin in self.origins.items():
            before = self.wires_before[name]
            for wire in list(origin.wires):
                old = before[wire.number - 1] if wire.number <= len(before) else None
                if wire.state != old:
                    out.append(f"{name} {self.wire_name(name, wire.number)} {wire.state}")
        return out

    def wire_name(self, server, number):
        """Connections are numbered anew in each test."""
        number -= len(self.wires_before[server])
        return f"connection {number}" if number > 0 else f"earlier connection {1 - number}"
