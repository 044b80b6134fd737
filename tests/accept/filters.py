#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Filters in the way of streams: what comes out is what went in, at the rate that a limit gives, in the order asked for."""
import hashlib
import os
import re
import socket
import struct
import threading
import time

from lbtest import DEFAULTS, Http, Lb, free_port, main, wait_for

DATA = os.urandom(1 << 20)
UPGRADE = "Connection: upgrade\r\nUpgrade: echo\r\n"


def body_of(path):
    return DATA[:int(path.rsplit("/", 1)[1].split("?")[0])]


def chunked(body, piece=3000):
    out = [b"%x\r\n%s\r\n" % (len(body[i:i + piece]), body[i:i + piece]) for i in range(0, len(body), piece)]
    return b"".join(out) + b"0\r\nx-trailer: t\r\n\r\n"


class Client(Http):
    """One that wants to see the trailer of chunked bodies."""

    def body(self, fields):
        if fields.get("transfer-encoding") != "chunked":
            return super().body(fields)
        out = b""
        while True:
            n = int(self.until(b"\r\n"), 16)
            if not n:
                assert self.until(b"\r\n\r\n") == b"x-trailer: t"
                return out
            out += self.take(n)
            assert self.take(2) == b"\r\n"


class Server:
    """An HTTP origin: /length/N, /chunked/N, /eof/N, /cut/N, /fail/N, /echo/N; a POST is answered with its body's hash."""

    def __init__(self, serve=None):
        self.serve = serve or self.http
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.sock.getsockname()[1]
        self.n_failed = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            peer = self.sock.accept()[0]
            threading.Thread(target=self.one, args=(peer,), daemon=True).start()

    def one(self, peer):
        c = Client.__new__(Client)
        c.sock, c.buf = peer, b""
        try:
            while self.serve(c):
                pass
        except (OSError, EOFError):
            pass
        peer.close()

    def http(self, c):
        lines = c.until(b"\r\n\r\n").decode().split("\r\n")
        path = lines[0].split(" ")[1]
        fields = dict((k.lower(), v.strip()) for k, v in (x.split(":", 1) for x in lines[1:]))
        has_body = "content-length" in fields or "transfer-encoding" in fields
        body = c.body(fields) if has_body else None
        kind = path.split("/")[1]
        if kind == "fail" and not self.n_failed:
            self.n_failed += 1
            c.send("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        elif has_body:
            c.send("HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n" + hashlib.sha256(body).hexdigest())
        elif kind == "length":
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body_of(path)) + body_of(path))
        elif kind == "chunked":
            c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(body_of(path)))
        elif kind == "eof":
            c.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body_of(path))
            return False
        elif kind == "cut":
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n" + body_of(path))
            time.sleep(.2)
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        elif kind == "echo":
            c.send("HTTP/1.1 101 Go on\r\n" + UPGRADE + "\r\n")
            while True:
                c.sock.sendall(c.take(max(1, len(c.buf))))
        return True


def echo(c):
    """In TCP mode: all that comes goes back; then the end."""
    while True:
        try:
            c.sock.sendall(c.take(max(1, len(c.buf))))
        except EOFError:
            c.sock.shutdown(socket.SHUT_WR)
            return False


def frontend(port, lines, server, mode="http"):
    return "frontend f%d\n  mode %s\n  bind 127.0.0.1:%d\n  default_backend b%d\n%s\n" \
        "backend b%d\n  mode %s\n  retries 1\n  retry-on conn-failure 503\n  server s 127.0.0.1:%d\n" % (
            port, mode, port, port, lines, port, mode, server.port)


def timed(what, least):
    """The rate is a limit: on any machine it takes so long at least; how much longer depends on the machine."""
    start = time.monotonic()
    what()
    took = time.monotonic() - start
    assert least * .9 <= took <= least * 4 + 5, (took, least)


def download(port, path, extra=""):
    with Client(port) as c:
        status, _, body = c.get(path, extra)
    assert status == 200 and body == body_of(path), (path, status, len(body))


def upload(port, size, extra="", path="/up"):
    with Client(port) as c:
        c.send("POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%s\r\n" % (path, size, extra))
        threading.Thread(target=c.send, args=(DATA[:size],), daemon=True).start()
        status, fields = c.head()
        assert status == 200 and c.body(fields).decode() == hashlib.sha256(DATA[:size]).hexdigest()


def exchange(port, size):
    """Both ways at once, then the end of either."""
    got = []
    with Client(port) as c:
        def send():
            c.send(DATA[:size])
            c.sock.shutdown(socket.SHUT_WR)
        threading.Thread(target=send, daemon=True).start()
        while True:
            piece = c.sock.recv(65536)
            if not piece:
                break
            got.append(piece)
    assert b"".join(got) == DATA[:size], sum(map(len, got))


LIMITS = """
  filter bwlim-out down default-limit 400k default-period 1s
  filter bwlim-in up default-limit 400k default-period 1s
"""


def rates():
    """Each kind of body, both directions; limits of the filter, of the rule, of an expression; in TCP mode too."""
    web, tcp = Server(), Server(echo)
    ports = free_port(3)
    lb = Lb(DEFAULTS + frontend(ports, LIMITS + """
  http-request set-bandwidth-limit up if { path /up }
  http-request set-bandwidth-limit down limit hdr(x-limit) period 500ms if { hdr(x-limit) -m found }
  http-request set-bandwidth-limit down limit 200k if { path_beg /chunked }
  http-response set-bandwidth-limit down if { status 200 } !{ res.fhdr(content-length) 64 } { capture.req.uri /length/200000 }
""", web) + frontend(ports + 1, LIMITS + """
  tcp-request content set-bandwidth-limit up
""", tcp, "tcp") + frontend(ports + 2, "", tcp, "tcp") + """  filter bwlim-out down default-limit 1g default-period 1s min-size 20000
  tcp-response content set-bandwidth-limit down limit int(204800)
""")
    timed(lambda: download(ports, "/length/200000"), 200000 / 409600)
    timed(lambda: download(ports, "/length/150000", "x-limit: 102400\r\n"), 150000 / 204800)
    timed(lambda: download(ports, "/chunked/100000"), 100000 / 204800)
    timed(lambda: download(ports, "/length/300000", "x-limit: none\r\n"), 300000 / 819200)
    timed(lambda: download(ports, "/eof/150000", "x-limit: 102400\r\n"), 150000 / 204800)
    timed(lambda: upload(ports, 200000), 200000 / 409600)
    timed(lambda: exchange(ports + 1, 200000), 200000 / 409600)
    timed(lambda: exchange(ports + 2, 100000), 100000 / 204800)
    start = time.monotonic()
    download(ports, "/length/1000000")  # no rule limits it
    assert time.monotonic() - start < 1000000 / 409600
    lb.finish()


def patient():
    """Bytes that a limit holds back are nobody's silence; and waiting for them is no work."""
    web, tcp = Server(), Server(echo)
    ports = free_port(2)
    lb = Lb("""
defaults
  mode http
  timeout connect 10s
  timeout client 400ms
  timeout server 400ms
""" + frontend(ports, LIMITS + """
  http-request set-bandwidth-limit up limit 40k if { path /up }
  http-request set-bandwidth-limit down limit 40k
""", web) + frontend(ports + 1, LIMITS + """
  tcp-request content set-bandwidth-limit up limit 40k period 2s
""", tcp, "tcp"), nbthread=1)
    before = sum(lb.activity("loops"))
    timed(lambda: download(ports, "/length/60000"), 60000 / 40960)
    turns = sum(lb.activity("loops")) - before
    assert turns < 400, turns
    timed(lambda: upload(ports, 60000), 60000 / 40960)
    timed(lambda: exchange(ports + 1, 30000), 30000 / 20480)
    lb.finish()


def stalled():
    """Clients that read nothing while filters hold bytes for them: nobody is woken for what cannot be sent."""
    web, tcp = Server(), Server(echo)
    ports, clients = free_port(2), []
    lb = Lb(DEFAULTS + frontend(ports, LIMITS + RANDOM + "  http-request set-bandwidth-limit down limit 10m\n", web) +
            frontend(ports + 1, LIMITS + RANDOM + "  tcp-request content set-bandwidth-limit up limit 10m\n"
                     "  tcp-request content set-bandwidth-limit down limit 10m\n", tcp, "tcp"), nbthread=1)

    def send(c):
        try:
            while True:
                c.send(DATA)
        except OSError:
            pass
    for i in range(10):
        clients.append(Client(ports + i % 2))
        if i % 2:
            threading.Thread(target=send, args=(clients[-1],), daemon=True).start()
        else:
            clients[-1].send("GET /length/1048576 HTTP/1.1\r\nHost: a\r\n\r\n" * 16)

    def is_quiet():
        before = sum(lb.activity("loops"))
        time.sleep(.5)
        return sum(lb.activity("loops")) - before < 10  # in some 2 of which it is asked
    wait_for(is_quiet, "all stand still", 20)
    for c in clients:
        c.sock.shutdown(socket.SHUT_RDWR)  # a thread may be in it
        c.close()
    wait_for(lambda: lb.info("CurrStreams") == "0", "all have gone")
    lb.finish()


def changes():
    """A reload leaves a transfer its limit; a rule may change that of one under way."""
    web, peer = Server(), socket.create_server(("127.0.0.1", 0))
    ports = free_port(2)
    config = DEFAULTS + frontend(ports, "  filter bwlim-out down default-limit %s default-period 1s\n"
                                 "  http-request set-bandwidth-limit down\n", web)
    config += """
listen upload
  bind 127.0.0.1:%d
  filter bwlim-in up default-limit 1k default-period 1s
  http-request set-bandwidth-limit up
  http-response set-bandwidth-limit up limit 100m
  server s 127.0.0.1:%d
""" % (ports + 1, peer.getsockname()[1])
    lb = Lb(config % "100k")
    with Client(ports) as c:
        start = time.monotonic()
        c.send("GET /length/150000 HTTP/1.1\r\nHost: a\r\n\r\n")
        c.head()
        lb.write(config % "100m")
        assert "error" not in lb.ask("reload").lower()
        assert c.take(150000) == DATA[:150000]
        assert time.monotonic() - start > .9 * 150000 / 102400
        start = time.monotonic()
        assert c.get("/length/1000000")[2] == DATA[:1000000]
    with Client(ports + 1) as c:
        c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + DATA[:200000])
        s = Client.__new__(Client)
        s.sock, s.buf = peer.accept()[0], b""
        s.until(b"\r\n\r\n")
        s.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert c.head()[0] == 200
        start = time.monotonic()
        assert s.take(200000) == DATA[:200000]
        assert time.monotonic() - start < 60  # and not 195 s
    lb.finish()


def spliced():
    """A limit that a rule gives to an upload which is being spliced ends the splicing."""
    peer, port = socket.socket(), free_port()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    peer.bind(("127.0.0.1", 0))
    peer.listen(1)
    lb = Lb(DEFAULTS + """
listen upload
  bind 127.0.0.1:%d
  option splice-request
  filter bwlim-in up default-limit 200k default-period 1s
  http-response set-bandwidth-limit up
  server s 127.0.0.1:%d
""" % (port, peer.getsockname()[1]), extra_global="  tune.sndbuf.server 65536\n")
    with Client(port) as c:
        c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")

        def send():
            try:
                while True:
                    c.send(DATA)
            except OSError:
                pass
        threading.Thread(target=send, daemon=True).start()
        s = peer.accept()[0]
        got = 0
        while got < 4 << 20:
            got += len(s.recv(65536))
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert c.head()[0] == 200
        # read more slowly than the client sends, so that something is always on its way, and faster than the limit
        start, got = time.monotonic(), 0
        while time.monotonic() - start < 2:
            got += len(s.recv(65536))
            time.sleep(.05)
        assert got < 1500000, got  # some 700,000, and not 2,600,000
        s.close()
    lb.finish()


RANDOM = "  filter trace name one quiet random-forwarding\n"


def pieces():
    """Whatever kind of message goes through filters that pass it in pieces of any length comes out whole."""
    web, tcp = Server(), Server(echo)
    ports = free_port(2)
    lb = Lb(DEFAULTS + frontend(ports, RANDOM, web) + RANDOM + "  filter trace name two quiet\n"
            "  filter-sequence response two,one\n" + frontend(ports + 1, RANDOM, tcp, "tcp") + RANDOM)
    with Client(ports) as c:
        for path in ("/length/100000", "/length/0", "/chunked/60000", "/length/1", "/chunked/0"):
            status, fields, body = c.get(path)
            assert status == 200 and body == body_of(path), path
        c.send("GET /length/3000 HTTP/1.1\r\nHost: a\r\n\r\n" * 3)  # pipelined
        for _ in range(3):
            assert c.body(c.head()[1]) == DATA[:3000]
        c.send(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(DATA[:70000], 1234))
        assert c.body(c.head()[1]).decode() == hashlib.sha256(DATA[:70000]).hexdigest()
    download(ports, "/eof/50000")
    upload(ports, 60000, path="/fail/1")  # sent again, whole
    assert web.n_failed == 1
    with Client(ports) as c:
        c.send("GET /echo/0 HTTP/1.1\r\nHost: a\r\n%s\r\n" % UPGRADE)
        assert c.head()[0] == 101
        for size in (1, 1000, 40000):
            c.send(DATA[:size])
            assert c.take(size) == DATA[:size]
    exchange(ports + 1, 200000)
    lb.finish()


def cut():
    """What a server sent before it broke off still reaches the client, at the limit's pace; then the end is told."""
    web = Server()
    port = free_port()
    lb = Lb(DEFAULTS + frontend(port, LIMITS + "  http-request set-bandwidth-limit down limit 40k\n", web))
    with Client(port) as c:
        c.send("GET /cut/40000 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.head()[0] == 200
        got = b""
        try:
            while True:
                c.fill()
        except (EOFError, ConnectionResetError):
            got = c.buf
    assert got == DATA[:40000], len(got)
    with Client(port) as c:  # a client that leaves amid it leaves nothing behind
        c.send("GET /length/400000 HTTP/1.1\r\nHost: a\r\n\r\n")
        c.head()
    wait_for(lambda: lb.stat()[("b%d" % port, "BACKEND")]["scur"] == "0", "the stream ends")
    lb.finish()


def order():
    """Filters see heads and bytes in the order of their lines, or of filter-sequence; who is not named sees nothing."""
    web = Server()
    port = free_port()
    lb = Lb(DEFAULTS + frontend(port, """
  filter trace name A
  filter trace name B hexdump
  filter trace name C
  filter-sequence request C,A
  filter-sequence response trace,trace
""", web) + "  filter trace name Z\n")
    with Client(port) as c:
        c.send(b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 19\r\n\r\n" + b"0123456789abcdef\x01\x02\x03")
        assert c.head()[0] == 200
    wait_for(lambda: lb.output().count(": detached") == 4, "all have gone")
    said = re.sub(r"stream \d+ of \S+, \d+ ms: ", "", lb.output())
    order_of = lambda what: re.findall(r"\[(\w)\] " + what, said)
    assert order_of("attached") == list("ABCZ"), said
    assert order_of("request head: POST /x") == list("CAZ"), said
    assert order_of("request data: 19 bytes, 19 pass, ended") == list("CAZ"), said
    assert order_of("response head: 200") == list("ABZ"), said
    assert order_of("response data: 64 bytes, 64 pass, ended") == list("ABZ"), said
    assert len(re.findall(r"^    0000[0123]0 ( [0-9a-f]{2}){16}  \w{16}$", said, re.M)) == 4, said
    lb.finish()


main({"rates": rates, "patient": patient, "stalled": stalled, "changes": changes, "spliced": spliced, "pieces": pieces, "cut": cut, "order": order})
