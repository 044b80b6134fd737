# SPDX-License-Identifier: Apache-2.0
"""What the acceptance tests share: free ports, a program under test, origins.

Everything is found by its process id and ended by it; folders are removed. The program is $HAPROXY_PROGRAM (as
varnishtest sets it), else $LB, else ./lb.
"""
import atexit
import csv
import ctypes
import io
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PROGRAM = os.environ.get("HAPROXY_PROGRAM") or os.environ.get("LB") or os.path.join(TOP, "lb")
with open(PROGRAM, "rb") as program:
    IS_SANITIZED = re.search(rb"__[at]san_init", program.read()) is not None
SLOW = 8 if IS_SANITIZED else 3  # limits given in seconds are stretched so: machines stand still for a second at times
_taken = set()
# what most scenarios begin with
DEFAULTS = """
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
"""


def free_port(count=1):
    """The first of @count free ports in a row, below those that the kernel gives to clients."""
    while True:
        base = random.randrange(10000, 32000 - count)
        ports = range(base, base + count)
        if _taken.intersection(ports):
            continue
        socks = []
        try:
            for port in ports:
                s = socket.socket()
                socks.append(s)
                s.bind(("127.0.0.1", port))
        except OSError:
            continue
        finally:
            for s in socks:
                s.close()
        _taken.update(ports)
        return base


def wait_for(check, what, seconds=10):
    """Polls; what check() returned when that was true."""
    end = time.monotonic() + seconds * SLOW
    while True:
        got = check()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError("not within %g s: %s" % (seconds * SLOW, what))
        time.sleep(0.01)


def accepts(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), 2).close()
        return True
    except OSError:
        return False


def folder():
    path = tempfile.mkdtemp(prefix="lb-accept-")
    atexit.register(shutil.rmtree, path, True)
    return path


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a test that is killed leaves nothing behind


class Process:
    """A child whose output is kept; ended at exit."""

    def __init__(self, args, **kw):
        self.out = tempfile.TemporaryFile("w+")
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", self.out)
        kw.setdefault("stderr", self.out)
        kw.setdefault("preexec_fn", die_with_parent)
        self.proc = subprocess.Popen(args, **kw)
        self.pid = self.proc.pid
        atexit.register(self.kill)

    def kill(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()

    def signal(self, name):
        self.proc.send_signal(getattr(signal, name))

    def is_running(self):
        return self.proc.poll() is None

    def wait(self, seconds=10):
        try:
            return self.proc.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s does not end:\n%s" % (self.proc.args, self.output())) from None

    def output(self):
        self.out.seek(0)
        return self.out.read()


class Lb(Process):
    """lb with an admin socket of its own in front of @config; @config may use {dir}."""

    def __init__(self, config, nbthread=2, extra_global="", args=(), wait=True, **kw):
        self.dir = folder()
        self.socket = os.path.join(self.dir, "admin.sock")
        self.config = os.path.join(self.dir, "lb.cfg")
        self.head = "global\n  stats socket %s level admin\n  nbthread %d\n%s\n" % (
            self.socket, nbthread, extra_global)
        self.write(config)
        if IS_SANITIZED and re.search(r"^\s*(user|uid|chroot)\s", self.head, re.M):
            # the leak sanitizer traces the process from within, which one that has dropped privileges may not
            kw.setdefault("env", dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"))
        super().__init__([PROGRAM, "-db", "-f", self.config] + list(args), **kw)
        if wait:
            wait_for(lambda: self.is_serving() or not self.is_running(), "it starts")
            if not self.is_running():
                raise AssertionError("does not start:\n" + self.output())

    def write(self, config):
        with open(self.config, "w") as f:
            f.write(self.head + config)

    def is_serving(self):
        """Commands are answered once all is in place; the socket is there before that."""
        try:
            return self.ask("show version") != ""
        except OSError:
            return False

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.socket)  # waits for room in the backlog; with a timeout it would fail at once
            s.settimeout(20)
            s.sendall(command.encode() + b"\n")
            out = b""
            while True:
                got = s.recv(65536)
                if not got:
                    return out.decode()
                out += got

    def stat(self):
        rows = csv.DictReader(io.StringIO(self.ask("show stat")[2:].strip("\n")))
        return {(r["pxname"], r["svname"]): r for r in rows}

    def info(self, name):
        return re.search(r"^%s: (.*)$" % re.escape(name), self.ask("show info"), re.M).group(1)

    def activity(self, name):
        """One number per worker."""
        line = re.search(r"^%s: \d+ \[ ([\d ]+)\]" % re.escape(name), self.ask("show activity"), re.M)
        return [int(n) for n in line.group(1).split()]

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def finish(self, signal_name="SIGTERM", status=(0, 143, -15)):
        """Ends it; it must do so in order, with nothing from a sanitizer."""
        if self.is_running():
            self.signal(signal_name)
        got = self.wait()
        text = self.output()
        if got not in status or re.search(r"Sanitizer|runtime error:|assert", text):
            raise AssertionError("ended with status %s:\n%s" % (got, text[-8000:]))
        return text


class Origin(Process):
    """tests/accept/origin on a port of its own."""

    def __init__(self, name, *args):
        self.port = free_port()
        super().__init__([sys.executable, os.path.join(HERE, "origin"), name, str(self.port)] + list(args))
        wait_for(lambda: accepts(self.port), "origin %s accepts" % name)

    @property
    def addr(self):
        return "127.0.0.1:%d" % self.port


class Http:
    """A client connection: raw requests out, parsed responses in."""

    def __init__(self, port, host="127.0.0.1", timeout=20):
        self.sock = socket.create_connection((host, port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buf = b""

    def fill(self):
        got = self.sock.recv(262144)
        if not got:
            raise EOFError
        self.buf += got

    def take(self, n):
        while len(self.buf) < n:
            self.fill()
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def until(self, end):
        while end not in self.buf:
            self.fill()
        out, self.buf = self.buf.split(end, 1)
        return out

    def send(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())

    def head(self):
        """(status, fields)"""
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        fields = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            fields[name.lower()] = value.strip()
        return int(lines[0].split(" ")[1]), fields

    def body(self, fields):
        if fields.get("transfer-encoding") == "chunked":
            out = []
            while True:
                n = int(self.until(b"\r\n").split(b";")[0], 16)
                out.append(self.take(n))
                self.take(2)
                if n == 0:
                    return b"".join(out)
        if "content-length" in fields:
            return self.take(int(fields["content-length"]))
        out = self.buf
        while True:
            got = self.sock.recv(262144)
            if not got:
                return out
            out += got

    def get(self, path="/", extra=""):
        """(status, fields, body)"""
        self.send("GET %s HTTP/1.1\r\nHost: lb.test\r\n%s\r\n" % (path, extra))
        status, fields = self.head()
        return status, fields, self.body(fields)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def get(port, path="/", extra="", host="127.0.0.1"):
    with Http(port, host) as c:
        return c.get(path, "Connection: close\r\n" + extra)


def main(table):
    """Runs the functions named on the command line, or all."""
    for name in sys.argv[1:] or table:
        start = time.monotonic()
        table[name]()
        print("%s: ok, %.1f s" % (name, time.monotonic() - start), flush=True)
