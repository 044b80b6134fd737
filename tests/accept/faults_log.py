# SPDX-License-Identifier: Apache-2.0
"""Logs: what clients and servers put into them, and targets that do not take them: faults_log.py [NAME...]"""
import csv
import io
import json
import os
import re
import socket
import subprocess
import threading
import time

from lbtest import DEFAULTS, folder, free_port, get, Http, Lb, main, Origin, SLOW, wait_for

# what url_dec makes of it: line ends, a forged line, quotes, a terminal's escape, NUL, broken and odd UTF-8
EVIL = r"%0d%0a<134>forged: \"line\" \\ ] %1b[31m %00 %ff%c3%28 %7f %c2%85 %e2%80%a8 %c3%a9 {a|b} %25s %25%5bsrc]"
FORMATS = {
    "httplog": "option httplog",
    "clf": "option httplog clf",
    "plain": 'log-format "%[var(txn.v)] %r %HP %HQ %HU %HM %HV %ID"',
    "quoted": 'log-format "%{+Q}[var(txn.v)] %{+Q}r %{+Q}[capture.req.hdr(0)] %{+Q}CC %{+Q}CS"',
    "escaped": 'log-format "%{+Q,+E}[var(txn.v)] %{+Q,+E}r %{+Q,+E}ID"',
    "captures": 'log-format "%hr %hs %hrl %hsl %CC %CS"',
    "json": r'log-format "{\"v\":\"%[var(txn.v),json(utf8s)]\",\"u\":\"%[capture.req.uri,json(utf8s)]\",'
            r'\"h\":\"%[capture.req.hdr(0),json(utf8s)]\"}"',
    "user": 'log-format "%[var(txn.user)]"',
}


def read_bytes(lb):
    with open("/proc/self/fd/%d" % lb.out.fileno(), "rb") as f:
        return f.read()


def talk(port, request):
    with socket.create_connection(("127.0.0.1", port), 10) as c:
        c.sendall(request)
        got = c.recv(65536)
        assert got.startswith(b"HTTP/1.1 "), got
        return got


def check_line(kind, line):
    text = line.decode("utf-8")  # or it fails
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", text), (kind, text)
    if kind == "json":
        fields = json.loads(text)
        assert "forged" in fields["v"] or fields["v"] == "-", fields
    if kind in ("clf", "quoted", "httplog"):
        assert line.count(b'"') % 2 == 0, (kind, text)
    if kind == "quoted" and b"BADREQ" not in line:
        assert re.fullmatch(r'"(\\"|[^"])*"( "(\\"|[^"])*"){4}', text), text
    if kind == "escaped":
        assert re.fullmatch(r'"(\\.|[^"\\])*"( "(\\.|[^"\\])*"){2}', text), text


def injection():
    """Whatever a client sends, however it gets into a line: one request, one line, of printable UTF-8."""
    ports = free_port(len(FORMATS) + 1)
    config = DEFAULTS + """
listen origin
  bind 127.0.0.1:%d
  http-request return status 200 hdr Set-Cookie "sess=%%[req.hdr(y),url_dec]" hdr Res "%%[req.hdr(y),url_dec]"
""" % ports
    for i, (kind, words) in enumerate(FORMATS.items()):
        config += """
listen %s
  bind 127.0.0.1:%d
  log stdout len 8192 format raw local0
  unique-id-format %%[req.hdr(y),url_dec]
  %s
  capture request header X len 64
  capture response header Res len 64
  capture cookie sess len 64
  http-request set-var(txn.v) req.hdr(y),url_dec
  http-request set-var(txn.user) http_auth_user
  server s 127.0.0.1:%d
""" % (kind, ports + 1 + i, words, ports)
    lb = Lb(config)
    n = 0
    for i, kind in enumerate(FORMATS):
        for request in (
                b'GET /"<>^`{|}\\%0a%0dX%1b[1m HTTP/1.1\r\nHost: a\r\nX: q"u\\o{t|e}\xff\xc3\x28\t.\r\n'
                b'Cookie: sess="a\\\xfe%0a|}"\r\nAuthorization: Basic YSIKG1sxbQ3/OmI=\r\nY: ' +
                EVIL.encode() + b"\xff\x80\r\n\r\n",
                b'G@T /"\x1b\xff HTTP/1.1\r\nHost: a\r\n\r\n', b'GET /"\x00" HTTP/1.1\r\nHost: a\r\n\r\n',
                b'GET / HTTP/1.1\r\nHost: a"\xff\r\n\r\n', b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"):
            before = len(read_bytes(lb))
            talk(ports + 1 + i, request)
            wait_for(lambda: len(read_bytes(lb)) > before, "the line")
            new = read_bytes(lb)[before:]
            assert new.endswith(b"\n") and new.count(b"\n") == 1, (kind, new)
            check_line(kind, new[:-1])
            n += 1
    print("%d requests, %d lines" % (n, n))
    errors = lb.ask("show errors")
    assert not re.search(r"[^\n\x20-\x7e]", errors), errors
    lb.finish()


def server_words():
    """What a failed check quotes of a server: logs stay whole, CSV has its columns, JSON is JSON."""
    server = socket.create_server(("127.0.0.1", 0))
    reason = b'Ev"il, \\ \xff\xc3\x28 \xc2\x85 <b>,"'

    def serve():
        while True:
            c, _ = server.accept()
            c.recv(1000)
            c.sendall(b"HTTP/1.0 503 " + reason + b"\r\n\r\n")
            c.close()

    threading.Thread(target=serve, daemon=True).start()
    lb = Lb(DEFAULTS + "backend b\n  log stdout format raw local0\n  option log-health-checks\n  option httpchk\n"
            "  server s 127.0.0.1:%d check inter 100ms fall 2 rise 2\n" % server.getsockname()[1])
    wait_for(lambda: b"is DOWN" in read_bytes(lb), "it is down")
    for line in read_bytes(lb).split(b"\n"):
        assert re.fullmatch(rb"[\x20-\x7e]*", line) and line.count(b'"') in (0, 2), line
    rows = list(csv.reader(io.StringIO(lb.ask("show stat")[2:].strip("\n"))))
    assert len({len(r) for r in rows}) == 1, [len(r) for r in rows]
    at = rows[0].index("last_chk")
    told = [r[at] for r in rows if r[1] == "s"][0]
    assert told == 'Ev"il, \\ <FF><C3>( <C2><85> <b>,"', told
    values = [f["value"]["value"] for row in json.loads(lb.ask("show stat json")) for f in row]
    assert told in values
    lb.finish()


def no_collector():
    """Targets that are not there, go and come again, or are full: traffic does not notice, lines flow when they can."""
    port, path = free_port(2), os.path.join(folder(), "log")
    full = os.open("/dev/full", os.O_WRONLY)
    lb = Lb(DEFAULTS + """
frontend web
  bind 127.0.0.1:%d
  log 127.0.0.1:%d format raw local0
  log %s format raw local0
  log fd@%d format raw local0
  option httplog
  http-request return status 200
""" % (port, port + 1, path, full), pass_fds=(full,))

    def ask(n, name):
        with Http(port) as c:
            start = time.monotonic()
            for _ in range(n):
                assert c.get("/" + name)[0] == 200
            return (time.monotonic() - start) / n

    def listen():
        udp, unix = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", port + 1))
        unix.bind(path)
        return udp, unix

    def lines_reach(socks, name):
        for s in socks:
            s.settimeout(0.5)

            def arrived():
                ask(1, name)
                try:
                    return name.encode() in s.recv(9000)
                except TimeoutError:
                    return False

            wait_for(arrived, "a line for %s" % name)

    nobody = ask(2000, "nobody")
    # the line of the last request is written behind its answer
    wait_for(lambda: int(lb.info("DroppedLogs")) >= 4000, "all lines are counted as dropped")
    socks = listen()
    lines_reach(socks, "first")
    for s in socks:
        s.close()
    os.unlink(path)
    gone = ask(2000, "gone")
    socks = listen()
    lines_reach(socks, "again")
    print("%.0f and %.0f us for a request; %s lines dropped" % (nobody * 1e6, gone * 1e6, lb.info("DroppedLogs")))
    assert max(nobody, gone) < 0.005 * SLOW
    text = lb.finish()
    assert len(text) < 3000, "the alerts are a storm:\n" + text[:2000]


if __name__ == "__main__":
    main({"injection": injection, "server_words": server_words, "no_collector": no_collector})
