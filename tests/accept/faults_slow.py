# SPDX-License-Identifier: Apache-2.0
"""Clients that are slow, gone, or greedy: faults_slow.py [NAME...]"""
import ctypes
import os
import re
import socket
import subprocess
import sys
import threading
import time

from lbtest import Http, IS_SANITIZED, Lb, SLOW, die_with_parent, free_port, main, wait_for

DEFAULTS = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
"""
MEGABYTE = b"x" * (1 << 20)


def rss_kb(pid):
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


class BigOrigin:
    """Answers every request with 100 MB; by length, or in chunks for /chunked; takes a POST and reads no body."""

    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self.port = self.sock.getsockname()[1]
        self.held = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            c, _ = self.sock.accept()
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        head = b""
        while b"\r\n\r\n" not in head:
            head += c.recv(65536)
        if head.startswith(b"POST"):
            self.held.append(c)
            return
        is_chunked = head.startswith(b"GET /chunked")
        try:
            c.sendall(b"HTTP/1.1 200 OK\r\n" + (b"Transfer-Encoding: chunked\r\n\r\n" if is_chunked else
                                                b"Content-Length: %d\r\n\r\n" % (100 << 20)))
            for _ in range(100):
                c.sendall(b"100000\r\n" + MEGABYTE + b"\r\n" if is_chunked else MEGABYTE)
        except OSError:
            pass
        c.close()


def open_stalled(port, n, request):
    clients = []
    for _ in range(n):
        c = socket.socket()
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        c.connect(("127.0.0.1", port))
        c.sendall(request)
        c.setblocking(False)
        clients.append(c)
    return clients


def nudge(clients, is_upload):
    """A trickle: every client reads a little, or sends what goes."""
    for c in clients:
        try:
            if is_upload:
                c.send(MEGABYTE[:65536])
            else:
                c.recv(500)
        except OSError:
            pass


def stalled():
    """200 clients that stopped reading 100 MB, or servers that stopped taking them: memory stays what it is."""
    n, origin, port = 40 if IS_SANITIZED else 200, BigOrigin(), free_port(2)
    lb = Lb(DEFAULTS + """
listen web
  bind 127.0.0.1:%d
  server s 127.0.0.1:%d
listen raw
  mode tcp
  bind 127.0.0.1:%d
  server s 127.0.0.1:%d
""" % (port, origin.port, port + 1, origin.port))
    idle = rss_kb(lb.pid)
    for name, where, request in (
            ("length", port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("chunked", port, b"GET /chunked HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("tcp", port + 1, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("upload", port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 104857600\r\n\r\n")):
        clients = open_stalled(where, n, request)
        sizes = [0]
        while len(sizes) < 7 or (sizes[-1] != sizes[-4] and len(sizes) < 30):  # all have been served, and stall
            nudge(clients, name == "upload")
            time.sleep(0.2)
            sizes.append(rss_kb(lb.pid))
        full = sizes[-1]
        for _ in range(10):
            nudge(clients, name == "upload")
            time.sleep(0.05)
        sizes.append(rss_kb(lb.pid))
        before = lb.cpu_seconds()
        time.sleep(0.5)
        used = lb.cpu_seconds() - before
        print("%s: %d kB idle, then %s; %.2f s of CPU in half a second" % (name, idle, sizes[1:], used))
        assert used < 0.1 * SLOW, "it spins"
        if not IS_SANITIZED:
            assert sizes[-1] - idle < n * 300, "more than 300 kB for each client"
            assert sizes[-1] - full < n * 20, "it grows"
        for c in clients:
            c.close()
        wait_for(lambda: lb.info("CurrConns") == "0", "all are gone")
    lb.finish()


def seconds_to_end(port, first, step=b"", every=0.1, most=8):
    """(when it ended, or None; what came) while @step is sent again and again."""
    with socket.create_connection(("127.0.0.1", port)) as c:
        start = time.monotonic()
        c.sendall(first)
        c.settimeout(every)
        out = b""
        while time.monotonic() - start < most:
            try:
                got = c.recv(65536)
            except TimeoutError:
                try:
                    c.sendall(step)
                except OSError:
                    got = b""
                else:
                    continue
            except OSError:
                got = b""
            if not got:
                return time.monotonic() - start, out
            out += got
    return None, out


def slow_body():
    """Head and, where it is buffered, body have timeout http-request from their first byte on; a silent body has timeout
    client, whether it is buffered or not; min-body-rate ends one that trickles, and lets one that is fast enough pass."""
    port = free_port(5)
    lb = Lb("""
defaults
  mode http
  timeout connect 5s
  timeout client 600ms
  timeout server 5s
listen buffered
  bind 127.0.0.1:%d
  timeout http-request 1s
  option http-buffer-request
  server s 127.0.0.1:%d
listen plain
  bind 127.0.0.1:%d
  option http-buffer-request
  server s 127.0.0.1:%d
listen rate
  bind 127.0.0.1:%d
  min-body-rate 100 grace 1s
  server s 127.0.0.1:%d
listen buffered_rate
  bind 127.0.0.1:%d
  min-body-rate 100 grace 1s
  option http-buffer-request
  server s 127.0.0.1:%d
frontend origin
  bind 127.0.0.1:%d
  timeout client 30s
  option http-buffer-request
  http-request return status 200
""" % (port, port + 2, port + 1, port + 2, port + 3, port + 2, port + 4, port + 2, port + 2))
    post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
    chunk = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;"
    for name, where, first, step, wanted in (
            ("head, a byte at a time", port, b"GET /", b"x", 1), ("empty lines", port, b"\r\n", b"", 0.6),
            ("body, a byte at a time", port, post, b"x", 1), ("body, silent", port, post, b"", 0.6),
            ("no http-request, silent", port + 1, post, b"", 0.6),
            ("no http-request, chunk without end", port + 1, chunk, b"", 0.6),
            ("slower than min-body-rate", port + 3, post, b"x", 1),
            ("buffered, slower than min-body-rate", port + 4, post, b"x", 1)):
        took, out = seconds_to_end(where, first, step)
        print("%s: %.2f s, %r" % (name, took or -1, out[:30]))
        assert out.startswith(b"HTTP/1.1 408 ") and wanted - 0.05 < took < wanted + 1.5 * SLOW, name
    assert int(lb.stat()["rate", "FRONTEND"]["ereq"]) == int(lb.stat()["buffered_rate", "FRONTEND"]["ereq"]) == 1
    for where in (port + 3, port + 4):  # 2 s for the whole of it, 500 bytes a second
        took, out = seconds_to_end(where, post.replace(b"Host: a", b"Host: a\r\nConnection: close"), b"x" * 50)
        assert out.startswith(b"HTTP/1.1 200 ") and took > 1.5, (took, out)
    lb.finish()


def unshare_net():
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "unshare")


def far_client(port, kind):
    """In a network of its own: says when it is there, connects when told to, and waits for the end."""
    unshare_net()
    print("there", flush=True)
    sys.stdin.readline()
    c = socket.create_connection(("10.255.0.1", port), 10)
    c.sendall(b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % kind.encode())
    c.recv(1000)
    print("connected", flush=True)
    sys.stdin.readline()


def vanish(kind, config, cut_after=0.3):
    """Seconds from the moment a client's cable is cut to the end of its session, and the log line."""
    origin, port = BigOrigin(), free_port()
    unshare_net()  # of this thread: the processes and the origin's sockets made from here on
    client = subprocess.Popen([sys.executable, __file__, "far_client", str(port), kind], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
    client.stdout.readline()
    for words in ("ip link set lo up", "ip link add lbv0 type veth peer name lbv1 netns %d" % client.pid,
                  "ip addr add 10.255.0.1/24 dev lbv0", "ip link set lbv0 up",
                  "nsenter -t %d -n ip addr add 10.255.0.2/24 dev lbv1" % client.pid,
                  "nsenter -t %d -n ip link set lbv1 up" % client.pid):
        subprocess.run(words.split(), check=True)
    origin = BigOrigin()
    lb = Lb(config.format(bind="10.255.0.1:%d" % port, origin="127.0.0.1:%d" % origin.port),
            extra_global="  log stdout format raw local0")
    client.stdin.write("go\n")
    client.stdin.flush()
    client.stdout.readline()
    time.sleep(cut_after)
    subprocess.run("nsenter -t %d -n ip link set lbv1 down" % client.pid, shell=True, check=True)
    start = time.monotonic()
    line = wait_for(lambda: re.search(r'.*"GET /.*"\n', lb.output()), "the session ends", 15)
    took = time.monotonic() - start
    client.kill()
    client.wait()
    assert lb.info("CurrConns") == "0"
    lb.finish()
    return took, line.group(0)


def vanished():
    """A client whose cable was cut: tcp-ut notices what is not acknowledged, long before timeout client."""
    took, line = vanish("x", DEFAULTS + """
listen web
  bind {bind} tcp-ut 1s
  log global
  option httplog
  server s {origin}
""")
    print("%.1f s: %s" % (took, line))
    assert took < 6 * SLOW and " 200 " in line and " CD-- " in line, line


def gone_from_queue():
    """Clients that left, or were reset, while their requests waited for a place or for an answer: with abortonclose their
    places are free at once, and no server hears of those that waited."""
    asked, port = [], free_port()
    origin = socket.create_server(("127.0.0.1", 0), backlog=100)

    def serve():
        while True:
            c, _ = origin.accept()
            asked.append((c, c.recv(1000)))

    threading.Thread(target=serve, daemon=True).start()
    lb = Lb(DEFAULTS + """
listen web
  bind 127.0.0.1:%d
  option abortonclose
  timeout queue 50s
  retries 0
  server s 127.0.0.1:%d maxconn 2
""" % (port, origin.getsockname()[1]))

    def waiting():
        return int(lb.stat()["web", "s"]["qcur"]) + int(lb.stat()["web", "BACKEND"]["qcur"])

    clients = [Http(port) for _ in range(12)]
    for i, c in enumerate(clients):
        c.send("GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % i)
        wait_for(lambda: len(asked) == min(i + 1, 2) and waiting() == max(i - 1, 0), "it has its place")
    for i in range(2, 11):
        if i % 2:
            clients[i].sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        clients[i].close()
    wait_for(lambda: waiting() == 1, "who left waits no longer", 5)
    clients[0].close()  # its place goes to the only one left
    wait_for(lambda: len(asked) == 3 and waiting() == 0, "the place is free at once", 5)
    assert [a[1].split(b" ")[1] for a in asked] == [b"/0", b"/1", b"/11"]
    lb.finish()


def silent_drop():
    """Rejected without a word: no answer, nothing kept here."""
    port = free_port()
    lb = Lb(DEFAULTS + "frontend web\n  bind 127.0.0.1:%d\n  tcp-request connection silent-drop if { src 127.0.0.2 }\n"
            "  http-request return status 200\n" % port)
    clients = []
    for _ in range(500):
        c = socket.socket()
        c.bind(("127.0.0.2", 0))
        c.connect(("127.0.0.1", port))
        clients.append(c)
    wait_for(lambda: lb.stat()["web", "FRONTEND"]["dcon"] == "500", "all are dropped")
    assert lb.info("CurrConns") == "0"
    n_fds = len(os.listdir("/proc/%d/fd" % lb.pid))
    assert n_fds < 60, "%d descriptors" % n_fds
    for c in clients[:20]:
        c.settimeout(0.02)
        try:
            assert c.recv(10) != b"", "it said goodbye"
        except TimeoutError:
            pass
        except ConnectionResetError:  # without CAP_NET_ADMIN, from 127.0.0.1: the reset gets that far
            assert os.geteuid() != 0
    with Http(port) as c:
        assert c.get()[0] == 200
    lb.finish()


def greedy():
    """Requests made to cost: patterns that backtrack for ever, many arguments, many cookies, a long URL in the log."""
    port = free_port()
    lb = Lb(DEFAULTS + r"""
frontend web
  bind 127.0.0.1:%d
  log global
  log-format "%%r %%[capture.req.hdr(0)]"
  http-request capture req.hdr(x) len 60000
  acl evil path -m reg ^/(a+)+$
  acl evil hdr(x) -m reg (x+x+)+y
  acl evil req.cook(c) -m reg ^(([a-z])+.)+[A-Z]([a-z])+$
  http-request replace-header R (a+)+$ z
  http-request deny if evil
  http-request return status 200 hdr q "%%[urlp(last)]" hdr c "%%[req.cook(last)]"
""" % port, nbthread=1, extra_global="  tune.http.logurilen 65535\n  log stdout len 65535 format raw local0")
    head = b" HTTP/1.1\r\nHost: a\r\n"
    worst = {}
    for name, request, wanted in (
            ("plain", b"GET /" + head + b"\r\n", b" 200 "),
            ("path", b"GET /" + b"a" * 12000 + b"!" + head + b"\r\n", b" 200 "),
            ("header", b"GET /" + head + b"X: " + b"x" * 12000 + b"\r\n\r\n", b" 200 "),
            ("cookie", b"GET /" + head + b"Cookie: c=" + b"a" * 12000 + b"\r\n\r\n", b" 200 "),
            ("rewrite", b"GET /" + head + b"R: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\r\n" * 90 + b"\r\n", b" 200 "),
            ("nearly", b"GET /" + head + b"R: aaaaaaaaaaaaaaa!\r\n" * 90 + b"\r\n", b" 200 "),
            ("arguments", b"GET /?" + b"a&" * 6000 + b"last=1" + head + b"\r\n", b"\r\nq: 1\r\n"),
            ("cookies", b"GET /" + head + b"Cookie: " + b"a=b; " * 2700 + b"last=1\r\n\r\n", b"\r\nc: 1\r\n"),
            ("fields", b"GET /" + head + b"Cookie: a=b; c=d\r\n" * 99 + b"\r\n", b" 200 "),
            ("url", b"GET /" + b"u" * (8 << 20) + head + b"\r\n", b" 414 ")):
        n = 20 if name != "url" else 3
        before = lb.cpu_seconds()
        for _ in range(n):
            with socket.create_connection(("127.0.0.1", port)) as c:
                c.settimeout(20)
                try:
                    c.sendall(request)
                except OSError:
                    pass
                got = c.recv(65536)
                assert wanted in got, (name, got[:300])
        worst[name] = (lb.cpu_seconds() - before) / n * 1000
        print("%s: %.1f ms of CPU" % (name, worst[name]))
    assert max(worst.values()) < 25 * SLOW, worst  # limits are in steps; this machine may be slow
    assert sum(lb.activity("regex_limits")) >= 60
    text = lb.finish()
    assert "GET /" + "a" * 12000 + "! HTTP/1.1 -\n" in text and " " + "x" * 12000 + "\n" in text, "the log has all of it"


def far(args):
    far_client(int(args[1]), args[2])


if __name__ == "__main__":
    if sys.argv[1:2] == ["far_client"]:
        far(sys.argv[1:])
    else:
        main({"stalled": stalled, "slow_body": slow_body, "vanished": vanished, "gone_from_queue": gone_from_queue,
              "silent_drop": silent_drop,
              "greedy": greedy})
