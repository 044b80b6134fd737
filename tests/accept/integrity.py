# SPDX-License-Identifier: Apache-2.0
"""No byte is lost, changed or given to somebody else: integrity.py [SECONDS [SEED]]

Bodies of any size go both ways on four workers, with lengths and in chunks, pipelined and one by one, while clients
and servers break off in the middle and the configuration changes under them. Whoever answers puts the hash of what it
got and of what it sends into its head, and the name of the request: so both bodies are checked, and that the answer
belongs to the question. A request may fail where somebody broke off; it may never be answered wrongly.

In the end all gauges are back at zero, and lb has as many descriptors as before.
"""
import contextlib
import hashlib
import os
import random
import socket
import sys
import threading
import time

from lbtest import Http, Lb, SLOW, free_port, get, wait_for
from engine import DEFAULTS, in_parallel

CLIENTS = 12
SERVERS = 3
SIZES = (0, 1, 100, 1000, 15000, 16384, 16385, 40000, 200000)
BLOCK = random.Random(1).randbytes(1 << 20)
COMMANDS = ("show stat", "show sess", "show servers conn", "show info", "show pools", "show errors", "clear counters all")


def body_of(rng):
    size = rng.choice(SIZES)
    size = rng.randint(size // 2, size)
    at = rng.randrange(len(BLOCK) - size)
    return BLOCK[at:at + size]


def digest(body):
    return hashlib.md5(body).hexdigest()


def chunked(rng, body):
    out = []
    while body:
        n = rng.choice((1, 10, 1000, 20000, 70000))
        out.append(b"%x\r\n%s\r\n" % (len(body[:n]), body[:n]))
        body = body[n:]
    return b"".join(out) + b"0\r\n\r\n"


def message(rng, head, body):
    """@head with a body in one of the two framings."""
    if rng.random() < 0.5:
        return b"%sTransfer-Encoding: chunked\r\n\r\n%s" % (head, chunked(rng, body))
    return b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body)


class Server:
    """Answers with hashes; now and then breaks off, before or in the middle of an answer."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.listener = socket.socket()
        self.port = free_port()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(256)
        self.breaks = True
        self.wrong = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            sock, _ = self.listener.accept()
            sock.settimeout(60)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(sock, random.Random(self.rng.random())), daemon=True).start()

    def serve(self, sock, rng):
        c = Http.__new__(Http)
        c.sock, c.buf = sock, b""
        try:
            while self.answer(c, rng):
                pass
        except (OSError, EOFError):
            pass
        finally:
            sock.close()

    def answer(self, c, rng):
        lines = c.until(b"\r\n\r\n").decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        got = c.body(fields) if "content-length" in fields or "transfer-encoding" in fields else b""
        if digest(got) != fields["x-body"]:
            self.wrong.append("%s: server got %d other bytes" % (lines[0], len(got)))
        body = body_of(rng)
        head = "HTTP/1.1 200 OK\r\nX-Name: %s\r\nX-Got: %s\r\nX-Body: %s\r\n" % (
            fields["x-name"], digest(got), digest(body))
        out = message(rng, head.encode(), body)
        fate = rng.random() if self.breaks else 1
        if fate < 0.02:
            return False
        if fate < 0.06:
            c.sock.sendall(out[:rng.randrange(len(out))])
            return False
        c.sock.sendall(out)
        return fate > 0.1 or not self.breaks  # closed after the answer: lb may be about to send the next


class Client:
    def __init__(self, test, i):
        self.test, self.i, self.n = test, i, 0
        self.rng = random.Random(test.seed * 1000 + i)
        self.done = self.failed = 0

    def request(self):
        self.n += 1
        name = "%d-%d" % (self.i, self.n)
        body = body_of(self.rng)
        is_put = self.rng.random() < 0.5
        if not is_put:
            body = b""
        head = ("%s /%s HTTP/1.1\r\nHost: lb.test\r\nX-Name: %s\r\nX-Body: %s\r\n" % (
            "PUT" if is_put else "GET", name, name, digest(body))).encode()
        return name, body, message(self.rng, head, body) if is_put else head + b"\r\n"

    def check(self, name, body, status, fields, got):
        if status != 200:
            assert status in (502, 503, 504), "%s: %d" % (name, status)
            self.failed += 1
            return
        assert fields["x-name"] == name, "%s: the answer to %s" % (name, fields["x-name"])
        assert fields["x-got"] == digest(body), "%s: another body arrived" % name
        assert fields["x-body"] == digest(got), "%s: another body came back" % name
        self.done += 1

    def some(self, c):
        """A few requests at once, their answers in order; or none, where this client breaks off."""
        asked = [self.request() for _ in range(self.rng.choice((1, 1, 1, 2, 4)))]
        out = b"".join(raw for _, _, raw in asked)
        if self.rng.random() < 0.05:
            c.send(out[:self.rng.randrange(len(out))])
            raise EOFError
        # from another thread: an early answer has to be read while the request is still being sent
        sender = threading.Thread(target=self.send, args=(c, out), daemon=True)
        sender.start()
        try:
            for name, body, _ in asked:
                if self.rng.random() < 0.03:
                    c.fill()
                    raise EOFError
                status, fields = c.head()
                self.check(name, body, status, fields, c.body(fields))
                if status != 200:
                    raise EOFError  # an answer that did not wait for its request
        except (OSError, EOFError):
            with contextlib.suppress(OSError):
                c.sock.shutdown(socket.SHUT_RDWR)  # ends the sender as well, which close() would not
            raise
        finally:
            sender.join()

    @staticmethod
    def send(c, out):
        try:
            c.send(out)
        except OSError:
            pass

    def run(self):
        while time.monotonic() < self.test.end:
            with Http(self.test.port, timeout=30 * SLOW) as c:
                try:
                    while time.monotonic() < self.test.end:
                        self.some(c)
                except (OSError, EOFError):
                    self.failed += 1
        return self.done, self.failed


class Integrity:
    def __init__(self, seconds, seed):
        self.seed, self.rng = seed, random.Random(seed)
        self.port = free_port()
        self.servers = [Server(seed + i) for i in range(SERVERS)]
        self.lb = Lb(self.config(), nbthread=4)
        self.fds = self.n_fds()
        self.end = time.monotonic() + seconds

    def config(self):
        rng = self.rng
        lines = ["  server s%d 127.0.0.1:%d maxconn %d %s\n" % (
            i, s.port, rng.randint(1, 3), rng.choice(("", "pool-max-conn 1", "max-reuse 5", "pool-purge-delay 100ms")))
            for i, s in enumerate(self.servers[:rng.randint(2, SERVERS)])]
        return DEFAULTS + "  timeout http-keep-alive 5s\n  retries 3\n  retry-on %s\n  option redispatch\n%s" \
            "frontend f\n  bind 127.0.0.1:%d\n  default_backend b\nbackend b\n  http-reuse %s\n  balance %s\n%s" % (
                rng.choice(("conn-failure", "all-retryable-errors")),
                rng.choice(("", "  option http-buffer-request\n", "  option splice-auto\n", "  option http-no-delay\n")),
                self.port, rng.choice(("always", "safe", "aggressive", "never")),
                rng.choice(("roundrobin", "leastconn", "random", "first", "source")), "".join(lines))

    def n_fds(self):
        return len(os.listdir("/proc/%d/fd" % self.lb.pid))

    def change(self):
        rng = self.rng
        server = "b/s%d" % rng.randrange(SERVERS)
        what = rng.randrange(7)
        if what < 2:
            self.lb.write(self.config())
            reply = self.lb.ask("reload")
            assert "Success=1" in reply, reply
        else:
            self.lb.ask((
                "disable server %s;enable server %s" % (server, server),
                "set server %s weight %d" % (server, rng.randint(1, 256)),
                "set server b/s1 addr 127.0.0.1 port %d" % rng.choice(self.servers).port,
                "set maxconn server %s %d" % (server, rng.randint(1, 3)),
                rng.choice(COMMANDS))[what - 2])
        time.sleep(0.02)

    def disturb(self):
        while time.monotonic() < self.end:
            self.change()
        return 0, 0

    def leftovers(self):
        """What is still counted; an empty list when all is quiet."""
        out = []
        for key, row in self.lb.stat().items():
            out += ["%s %s=%s" % (key, f, row[f]) for f in ("qcur", "scur", "used_conn_cur", "idle_conn_cur")
                    if row.get(f) not in ("", "0", None) and not (key[1] == "FRONTEND" and f == "idle_conn_cur")]
        if self.lb.info("CurrConns") != "0":
            out.append("CurrConns")
        pipes = 2 * int(self.lb.info("PipesFree"))  # kept for the next splice
        if self.n_fds() - pipes > self.fds + 1:  # the connection of the last command may be open still
            out.append("%d descriptors and %d of pipes, were %d" % (self.n_fds() - pipes, pipes, self.fds))
        return out

    def run(self):
        clients = [Client(self, i) for i in range(CLIENTS)]
        counts = in_parallel(CLIENTS + 1, lambda i: clients[i].run() if i < CLIENTS else self.disturb())
        print("seed %d: %d answered, %d broken off" % (self.seed, sum(c[0] for c in counts), sum(c[1] for c in counts)))
        wrong = sum((s.wrong for s in self.servers), [])
        assert not wrong, wrong[:5]
        for s in self.servers:
            s.breaks = False
        self.settle()
        self.lb.finish()

    def settle(self):
        """Nothing is left behind, and it still serves. Idle connections go when their backend goes."""
        self.lb.write(DEFAULTS + "frontend f\n  bind 127.0.0.1:%d\n  http-request return status 200\n" % self.port)
        assert "Success=1" in self.lb.ask("reload")
        left = []
        try:
            wait_for(lambda: not left.clear() and not left.extend(self.leftovers()) and not left, "all is quiet")
        except AssertionError:
            raise AssertionError("left behind: %s\n%s" % (left, self.lb.ask("show sess all"))) from None
        assert get(self.port)[0] == 200


if __name__ == "__main__":
    Integrity(float(sys.argv[1]) if len(sys.argv) > 1 else 4,
              int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)).run()
