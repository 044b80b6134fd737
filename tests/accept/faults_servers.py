# SPDX-License-Identifier: Apache-2.0
"""Servers that misbehave, come and go, or cannot be reached: faults_servers.py [NAME...]"""
import collections
import os
import re
import socket
import struct
import threading
import time

from lbtest import DEFAULTS, free_port, get, Http, IS_SANITIZED, Lb, main, SLOW, wait_for

HEAD = b"HTTP/1.1 200 OK\r\n"
OK = HEAD + b"Content-Length: 2\r\n\r\nok"


class Server:
    """Does with every request what its steps say: bytes to send, seconds to wait, "close", "rst"."""

    def __init__(self, steps=(OK,)):
        self.steps = steps
        self.n_requests = 0
        self.open()

    def open(self, port=0):
        self.sock = socket.create_server(("127.0.0.1", port), backlog=1000)
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.sock,), daemon=True).start()

    def accept(self, sock):
        while True:
            try:
                c, _ = sock.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        buf = b""
        try:
            while True:
                while b"\r\n\r\n" not in buf:
                    got = c.recv(65536)
                    if not got:
                        return
                    buf += got
                buf = buf.split(b"\r\n\r\n", 1)[1]
                self.n_requests += 1
                for step in self.steps:
                    if step == "rst":
                        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    if step in ("rst", "close"):
                        return
                    if isinstance(step, float):
                        time.sleep(step)
                    else:
                        c.sendall(step)
        except OSError:
            pass
        finally:
            c.close()

    def shut(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def read_all(c):
    """(all that comes, how it ends: "fin", "rst", "open")"""
    out = b""
    try:
        while True:
            got = c.recv(1 << 20)
            if not got:
                return out, "fin"
            out += got
            if out.endswith((b"\r\n\r\nok", b"abok", b"</html>\n")):
                c.settimeout(0.1)
    except TimeoutError:
        return out, "open"
    except OSError:
        return out, "rst"


LONG = b"x" * 200000
# what the server does; the status, the end of what the client gets, how its connection ends; the log's words
BEHAVIOURS = (
    ("never answers", (5.0,), 504, b"</html>\n", "any", "504 sH"),
    ("half a head, then nothing", (HEAD + b"X: y", 5.0), 504, b"</html>\n", "any", "504 sH"),
    ("a byte of the head at a time", tuple(x for b in HEAD[:9] for x in (bytes([b]), 0.15)), 504, b"</html>\n", "any", "504 sH"),
    ("a byte of the body at a time", (HEAD + b"Content-Length: 4\r\n\r\n", 0.2, b"a", 0.2, b"b", 0.2, b"o", 0.2, b"k"), 200,
     b"abok", "open", "200 --"),
    ("head, then nothing", (HEAD + b"Content-Length: 5\r\n\r\n", 5.0), 200, b"\r\n\r\n", "cut", "200 sD"),
    ("half a body, then nothing", (HEAD + b"Content-Length: 9\r\n\r\nhalf", 5.0), 200, b"half", "cut", "200 sD"),
    ("closes at once", ("close",), 502, b"</html>\n", "any", "502 SH"),
    ("resets at once", ("rst",), 502, b"</html>\n", "any", "502 SH"),
    ("half a head, then closes", (HEAD + b"X: y", "close"), 502, b"</html>\n", "any", "502 SH"),
    ("half a head, then resets", (HEAD + b"X: y", 0.05, "rst"), 502, b"</html>\n", "any", "502 SH"),
    ("no HTTP", (b"SSH-2.0-x\r\n",), 502, b"</html>\n", "any", "502 PH"),
    ("head, then resets", (HEAD + b"Content-Length: 5\r\n\r\n", 0.05, "rst"), 200, b"\r\n\r\n", "cut", "200 SD"),
    ("less than the length", (HEAD + b"Content-Length: 300000\r\n\r\n" + LONG, "close"), 200, LONG, "cut", "200 SD"),
    ("less, then resets", (HEAD + b"Content-Length: 300000\r\n\r\nhalf", 0.1, "rst"), 200, b"half", "cut", "200 SD"),
    ("more than the length", (OK + b"and more",), 200, b"\r\n\r\nok", "open", "200 --"),
    ("half a chunk", (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel", "close"), 200, b"hel\r\n", "cut", "200 SD"),
    ("no last chunk", (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "close"), 200, b"hello\r\n", "cut", "200 SD"),
    ("no end of trailers", (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n", "close"), 200,
     b"hello\r\n", "cut", "200 SD"),
    ("a broken chunk", (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 0.1, b"zz\r\n"), 200, b"hello\r\n", "cut",
     "200 PD"),
    ("chunks, then resets", (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 0.1, "rst"), 200, b"hello\r\n", "cut",
     "200 SD"),
    ("until the end, which comes", (HEAD + b"\r\nok?", "close"), 200, b"ok?", "fin", "200 --"),
    ("until the end, then resets", (HEAD + b"\r\nok?", 0.1, "rst"), 200, b"ok?", "rst", "200 SD"),
)


def behaviours():
    """Each misbehaviour has its status, shows as a truncation where the head was out, and its cause in the log; the next
    request is answered as if nothing had been."""
    server, port = Server(), free_port()
    lb = Lb(DEFAULTS + """
listen web
  bind 127.0.0.1:%d
  log stdout format raw local0
  option httplog
  timeout server 600ms
  retries 0
  http-reuse always
  server s 127.0.0.1:%d
""" % (port, server.port))
    for i, (name, steps, status, tail, end, words) in enumerate(BEHAVIOURS):
        server.steps = steps
        with socket.create_connection(("127.0.0.1", port), 3) as c:
            c.sendall(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % i)
            out, how = read_all(c)
        got = "%s %r...%r %s" % (name, out[:40], out[-20:], how)
        assert out.startswith(b"HTTP/1.1 %d " % status) and out.endswith(tail), got
        assert end == "any" or how == end or (end == "cut" and how in ("fin", "rst")), got
        assert b"\r\n0\r\n" not in out, got
        line = wait_for(lambda: re.search(r' (\d+) -?\d+ - - (..).. .*"GET /%d ' % i, lb.output()), name)
        assert "%s %s" % line.groups() == words, (name, line.group(0))
        server.steps = (OK,)
        assert get(port)[2] == b"ok", name
    lb.finish()


def tcp_behaviours():
    """In TCP mode: what a server does is done to the client, and the log says who it was."""
    server, port = Server(), free_port()
    lb = Lb(DEFAULTS + """
listen raw
  mode tcp
  bind 127.0.0.1:%d
  log stdout format raw local0
  option tcplog
  timeout server 500ms
  server s 127.0.0.1:%d
""" % (port, server.port))
    for name, steps, tail, words in (
            ("closes", (b"hello", "close"), b"hello", "--"), ("resets", (b"hello", 0.1, "rst"), b"hello", "SD"),
            ("resets at once", ("rst",), b"", "SD"), ("says nothing", (5.0,), b"", "sD"),
            ("stops", (b"hello", 5.0), b"hello", "sD")):
        server.steps = steps
        seen = len(lb.output())
        with socket.create_connection(("127.0.0.1", port), 3) as c:
            c.sendall(b"GET / HTTP/1.1\r\n\r\n")
            out, how = read_all(c)
        assert out == tail and how in ("fin", "rst"), (name, out, how)
        line = wait_for(lambda: re.search(r" \d+/-?\d+/\d+ \d+ (..) ", lb.output()[seen:]), "a line for " + name)
        assert line.group(1) == words, (name, line.group(0), how)
    lb.finish()


def time_requests(port, n, wanted):
    times = []
    with Http(port) as c:
        for _ in range(n):
            start = time.perf_counter()
            assert c.get()[0] == wanted
            times.append(time.perf_counter() - start)
    return sorted(times)[n // 2]


def all_down():
    """No server left: 503 without a delay; a backup takes over; those in the queue are answered in time, and when the
    server is back no more of them reach it at once than it takes."""
    down, port = free_port(2), free_port(3)
    backup = Server()
    slow = Server((0.1, OK))
    slow.shut()
    lb = Lb(DEFAULTS + """
frontend none
  bind 127.0.0.1:%d
  default_backend none
backend none
  server a 127.0.0.1:%d check inter 50ms fall 1
  server b 127.0.0.1:%d check inter 50ms fall 1
listen backup
  bind 127.0.0.1:%d
  server a 127.0.0.1:%d check inter 50ms fall 1
  server b 127.0.0.1:%d backup
listen herd
  bind 127.0.0.1:%d
  timeout queue 2s
  retries 0
  server a 127.0.0.1:%d maxconn 2 check inter 50ms fall 1 rise 1
""" % (port, down, down + 1, port + 1, down, backup.port, port + 2, slow.port))
    wait_for(lambda: lb.stat()["none", "BACKEND"]["status"] == "DOWN" and lb.stat()["herd", "a"]["status"] == "DOWN",
             "all are down")
    took = time_requests(port, 300, 503)
    print("503 in %.0f us" % (took * 1e6))
    assert took < 0.001 * SLOW
    assert get(port + 1)[2] == b"ok" and backup.n_requests == 1
    assert get(port + 2)[0] == 503
    slow.open(slow.port)
    wait_for(lambda: lb.stat()["herd", "a"]["status"] == "UP", "it is back")
    clients = [Http(port + 2) for _ in range(40)]
    for c in clients:
        c.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    start = time.monotonic()
    got = collections.Counter(c.head()[0] for c in clients)
    took = time.monotonic() - start
    row = lb.stat()["herd", "a"]
    print("40 for a server that takes 20 a second: %s in %.1f s, at most %s at once" % (dict(got), took, row["smax"]))
    assert int(row["smax"]) <= 2 and set(got) <= {200, 503} and got[200] > 5 and took < 3 * SLOW
    lb.finish()


def slow_start():
    """A server that comes back gets its share bit by bit."""
    a, b, port = Server(), Server(), free_port()
    lb = Lb(DEFAULTS + """
listen web
  bind 127.0.0.1:%d
  default-server check inter 50ms fall 1 rise 1 slowstart 4s weight 100
  server a 127.0.0.1:%d
  server b 127.0.0.1:%d
""" % (port, a.port, b.port))
    b.shut()
    wait_for(lambda: lb.stat()["web", "b"]["status"] == "DOWN", "it is down")
    b.open(b.port)
    wait_for(lambda: lb.stat()["web", "b"]["status"].startswith("UP"), "it is back")
    shares = []
    for _ in range(3):
        before = b.n_requests
        time_requests(port, 200, 200)
        shares.append((b.n_requests - before) / 200)
        time.sleep(0.3)
    wait_for(lambda: int(lb.stat()["web", "b"]["throttle"] or 100) == 100, "it has its whole weight")
    before = b.n_requests
    time_requests(port, 200, 200)
    shares.append((b.n_requests - before) / 200)
    print("shares of who comes back: %s" % shares)
    assert shares[0] < 0.25 and shares[0] <= shares[1] <= shares[2] and 0.48 < shares[3] < 0.52
    lb.finish()


def flapping():
    """Ten times a second up and down: rise and fall keep it calm, requests do not fail, the log does not flood."""
    flappers, steady, port = [Server() for _ in range(10)], Server(), free_port()
    stop = threading.Event()

    def flap():
        while not stop.wait(0.05):
            for s in flappers:
                s.steps = (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",) if s.steps[0] == OK else (OK,)

    thread = threading.Thread(target=flap)
    lb = Lb(DEFAULTS + """
listen calm
  bind 127.0.0.1:%d
  option httpchk
  log stdout format raw local0
  option dontlog-normal
  http-request return status 200 if { path / }
  default-server inter 50ms rise 3 fall 3 check
  server steady 127.0.0.1:%d
%s
backend nervous
  option httpchk
  log stdout format raw local0
  default-server inter 10ms rise 1 fall 1 check
%s
""" % (port, steady.port,
       "".join("  server f%d 127.0.0.1:%d\n" % (i, s.port) for i, s in enumerate(flappers)),
       "".join("  server f%d 127.0.0.1:%d\n" % (i, s.port) for i, s in enumerate(flappers))))
    wait_for(lambda: lb.stat()["nervous", "f9"]["check_status"] == "L7OK", "checks run")
    before = lb.cpu_seconds()
    thread.start()
    start = time.monotonic()
    took = time_requests(port, 300, 200)
    time.sleep(max(0, start + 3 - time.monotonic()))
    stop.set()
    thread.join()
    text = lb.output()
    calm, nervous = len(re.findall("calm/f.*(UP|DOWN)", text)), len(re.findall("nervous/f.*(UP|DOWN)", text))
    used = lb.cpu_seconds() - before
    print("%d and %d lines on states, %d bytes of log, %.2f s of CPU" % (calm, nervous, len(text), used))
    assert calm <= 20 and nervous <= 220 and used < 2 * SLOW and took < 0.002 * SLOW
    lb.finish()


def send_many(port, n_threads, n):
    """How many answers each server gave, by their X-Name."""
    counts = collections.Counter()
    lock = threading.Lock()

    def run():
        mine = collections.Counter()
        with Http(port) as c:
            for _ in range(n):
                status, fields, _ = c.get()
                mine[fields["x-name"] if status == 200 else status] += 1
        with lock:
            counts.update(mine)

    threads = [threading.Thread(target=run) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts


def weights():
    """Weight 0, all weights 0, weights that change under load: nothing fails, and shares are right to the percent."""
    port = free_port(4)
    lb = Lb(DEFAULTS + """
frontend web
  bind 127.0.0.1:%d
  use_backend zero if { path /zero }
  default_backend b
backend b
  balance roundrobin
  server a 127.0.0.1:%d weight 10
  server b 127.0.0.1:%d weight 20
  server c 127.0.0.1:%d weight 0
backend zero
  server a 127.0.0.1:%d weight 0
  server b 127.0.0.1:%d weight 0
%s
""" % (port, port + 1, port + 2, port + 3, port + 1, port + 2, "".join(
        "frontend %s\n  bind 127.0.0.1:%d\n  http-request return status 200 hdr X-Name %s\n" % (n, port + 1 + i, n)
        for i, n in enumerate("abc"))), nbthread=3)
    assert get(port, "/zero")[0] == 503, "no server wants any"

    def check(wanted):
        got = send_many(port, 3, 500)
        total = sum(got.values())
        assert total == 1500 and set(got) == {n for n, w in wanted.items() if w}, got
        for name, weight in wanted.items():
            share = got[name] / total - weight / sum(wanted.values())
            assert abs(share) < 0.01, (got, wanted)

    check({"a": 10, "b": 20, "c": 0})
    for wanted in ({"a": 10, "b": 20, "c": 30}, {"a": 1, "b": 255, "c": 3}, {"a": 0, "b": 0, "c": 1}, {"a": 7, "b": 7, "c": 7}):
        for name, weight in wanted.items():
            assert lb.ask("set server b/%s weight %d" % (name, weight)).strip() == ""
        check(wanted)
    stop = threading.Event()

    def change():
        i = 0
        while not stop.is_set():
            i += 1
            lb.ask("set server b/a weight %d; set server b/b weight %d; set server b/c weight %d" % (
                10 + i % 7, i % 2 * 20, 256 - i % 200))

    thread = threading.Thread(target=change)
    thread.start()
    got = send_many(port, 3, 1500)
    stop.set()
    thread.join()
    assert sum(got[n] for n in "abc") == 4500, got
    for name in "abc":
        lb.ask("set server b/%s weight 0" % name)
    assert get(port)[0] == 503
    lb.ask("set server b/a weight 5")
    check({"a": 5, "b": 0, "c": 0})
    lb.finish()


def many_servers():
    """10,000 servers cost a request no more than two do."""
    port, n = free_port(3), 1000 if IS_SANITIZED else 10000
    lb = Lb(DEFAULTS + """
frontend web
  bind 127.0.0.1:%d
  use_backend many if { path /many }
  default_backend few
frontend origin
  bind 127.0.0.1:%d
  http-request return status 200
backend few
%s
backend many
%s
""" % (port, port + 1, "".join("  server s%d 127.0.0.1:%d\n" % (i, port + 1) for i in range(2)),
       "".join("  server s%d 127.0.0.1:%d weight %d\n" % (i, port + 1, 1 + i % 256) for i in range(n))), nbthread=1)

    def cost(path):
        with Http(port) as c:
            for _ in range(200):
                c.get(path)
            before = lb.cpu_seconds()
            for _ in range(2000):
                assert c.get(path)[0] == 200
            return (lb.cpu_seconds() - before) / 2000 * 1e6

    few, many = cost("/"), cost("/many")
    rows = [r for (px, _), r in lb.stat().items() if px == "many" and r["type"] == "2"]
    print("%.0f us with 2 servers, %.0f us with %d" % (few, many, n))
    assert max(int(r["lbtot"]) for r in rows) <= 8 and many < few * 3 + 60
    lb.finish()


def no_ports():
    """No source port left, no route, a burst of refusals: another server at once where that is allowed, else a wait without
    spinning, else 503 with the cause."""
    port, sources, slow = free_port(5), free_port(8), Server((0.4, OK))
    lb = Lb(DEFAULTS.replace("connect 5s", "connect 600ms") + """
  retries 2
  option httplog
  http-reuse never
  balance first
  log stdout format raw local0
listen wait
  bind 127.0.0.1:%d
  server s 127.0.0.1:%d source 127.0.0.1:%d-%d
listen elsewhere
  bind 127.0.0.1:%d
  option redispatch
  server s 127.0.0.1:%d source 127.0.0.1:%d-%d
  server t 127.0.0.1:%d
listen route
  bind 127.0.0.1:%d
  retries 0
  server s [fe80::1]:80
listen refused
  bind 127.0.0.1:%d
  option redispatch 1
  server s 127.0.0.1:1
  server t 127.0.0.1:%d
""" % (port, slow.port, sources, sources + 3, port + 1, slow.port, sources + 4, sources + 7, slow.port, port + 2, port + 3,
       slow.port))

    def ask(name, where, n):
        clients = [Http(where) for _ in range(n)]
        before, start = lb.cpu_seconds(), time.monotonic()
        for c in clients:
            c.send("GET /%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % name)
        got = collections.Counter(c.head()[0] for c in clients)
        took, used = time.monotonic() - start, lb.cpu_seconds() - before
        print("%s: %s in %.1f s, %.2f s of CPU" % (name, dict(got), took, used))
        assert used < 0.3 * SLOW, "it spins"
        return got, took

    got, _ = ask("wait", port, 10)
    assert set(got) <= {200, 503} and got[200] >= 8, got
    n_lost = got[503]
    got, took = ask("elsewhere", port + 1, 12)
    assert got == {200: 12} and took < 0.6 + 0.4 * SLOW, "those without a port went elsewhere at once"
    row = lb.stat()["elsewhere", "s"]
    assert (row["wredis"], row["wretr"], row["econ"]) == ("8", "0", "0"), row
    got, took = ask("route", port + 2, 5)
    assert got == {503: 5} and took < 0.3 * SLOW
    got, _ = ask("refused", port + 3, 300)
    assert got == {200: 300}, got
    row = lb.stat()["refused", "s"]
    assert (row["wredis"], row["wretr"]) == ("300", "0"), row
    text = lb.finish()
    assert re.search(r' 503 .* SC-- .*"GET /route ', text)
    assert n_lost == 0 or re.search(r' 503 .* RC-- .*"GET /wait ', text)


if __name__ == "__main__":
    main({"behaviours": behaviours, "tcp_behaviours": tcp_behaviours, "all_down": all_down, "slow_start": slow_start,
          "flapping": flapping, "weights": weights, "many_servers": many_servers,
          "no_ports": no_ports})
