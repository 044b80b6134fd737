# SPDX-License-Identifier: Apache-2.0
"""Logs as other programs read them: logs.py [NAME...]"""
import contextlib
import json
import os
import re
import select
import socket
import subprocess

from lbtest import DEFAULTS, folder, free_port, Http, Lb, main, Origin, PROGRAM, wait_for


class Cbor:
    """A reader of one item, after RFC 8949."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        assert self.at + n <= len(self.data), "cut short"
        self.at += n
        return self.data[self.at - n:self.at]

    def until_end(self):
        while self.data[self.at] != 0xff:
            yield self.item()
        self.at += 1

    def item(self):
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if first == 0xbf:
            flat = list(self.until_end())
            return dict(zip(flat[::2], flat[1::2]))
        if first == 0x9f:
            return list(self.until_end())
        if major == 7:
            return {20: False, 21: True, 22: None}[info]
        assert info < 28, info
        n = info if info < 24 else int.from_bytes(self.take(1 << (info - 24)), "big")
        if major in (0, 1):
            return n if major == 0 else -1 - n
        data = self.take(n)
        return data if major == 2 else data.decode()


def cbor(data):
    c = Cbor(data)
    got = c.item()
    assert c.at == len(data), "bytes behind the item"
    return got


class Collector:
    """A UDP socket that log lines are sent to."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(20)
        self.addr = "127.0.0.1:%d" % self.sock.getsockname()[1]

    def line(self):
        return self.sock.recv(65536)

    def lines(self, count):
        """So many, without their line ends."""
        return [self.line().decode().rstrip("\n") for _ in range(count)]

    def has_more(self):
        return bool(select.select([self.sock], [], [], 0)[0])


def ask(port, head):
    """The first line of the answer to one request on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), 20) as c:
        c.sendall(head + b"\r\nHost: lb.test\r\nConnection: close\r\n\r\n")
        got = b""
        while True:
            more = c.recv(65536)
            if not more:
                return c.getsockname()[1], got.split(b"\r\n")[0]
            got += more


ITEMS = ("%(client)ci %(port)cp %(request)r %(ua)[capture.req.hdr(0)] %(list)hrl unnamed %b %(nothing)[var(txn.none)] "
         "%(ok)[bool(1)] %(status)ST %(text:str)ST %(neg)[int(-300)] %(bytes)B %(hex){+X}cp %(time)Ts %(name)f "
         "%(cookie)CC %(bin)[bin(00ff)]")
USER_AGENTS = [b'plain', b'q"uo\\te', b'\xc3\xa9\xe2\x82\xac', b'\xff\xc3(\xed\xa0\x80\xf4\x90\x80\x80', b'\xc2\x85\t|}{#%',
               b"'<script>\\u0000"]


def expected(ua, port, is_cbor):
    def text(b):
        try:
            s = b.decode()
        except UnicodeDecodeError:
            return b if is_cbor else None
        return s

    return {"client": "127.0.0.1", "port": port, "ok": True, "status": 200, "text": "200", "neg": -300,
            "hex": "%04X" % port, "name": "f", "cookie": None, "nothing": None, "ua": text(ua), "list": [text(ua), None],
            "request": "GET /a?b=%22 HTTP/1.1"}


def encodings():
    """JSON and CBOR that readers of them understand, whatever clients send."""
    kinds = {"json": "{+json}", "cbor": "{+cbor}", "bin": "{+cbor,+bin}"}
    ports = dict(zip(kinds, range(free_port(3), 100000)))
    collectors = {kind: Collector() for kind in kinds}
    config = DEFAULTS + "".join("""
frontend %s
  bind 127.0.0.1:%d
  log %s len 4096 format raw local0
  log-format "%%%so %s"
  capture request header user-agent len 100
  capture request header x-none len 10
  capture cookie none len 10
  http-request return status 200
""" % ("f", ports[k], collectors[k].addr, kinds[k], ITEMS) for k in kinds).replace("frontend f", "frontend {}")
    for i in range(3):
        config = config.replace("frontend {}", "frontend f%d" % i, 1)
    lb = Lb(config)
    for kind in kinds:
        for ua in USER_AGENTS:
            port, answer = ask(ports[kind], b"GET /a?b=%22 HTTP/1.1\r\nUser-Agent: " + ua)
            assert answer == b"HTTP/1.1 200 OK", answer
            line = collectors[kind].line()
            assert line.endswith(b"\n"), line
            line = line[:-1]
            if kind == "json":
                assert not re.search(rb"[\x00-\x1f\x7f]", line), line
                got = json.loads(line.decode("utf-8"))
            else:
                got = cbor(line if kind == "bin" else bytes.fromhex(line.decode()))
                assert got["bin"] == b"\x00\xff", got
            want = expected(ua, port, kind != "json")
            want["name"] = got["name"]
            for key, value in want.items():
                if key in ("ua", "list") and kind == "json" and expected(ua, port, False)["ua"] is None:
                    continue
                assert got[key] == value, (kind, key, got[key], value)
            assert isinstance(got["time"], int) and got["bytes"] > 30, got
    # no request at all: the values are missing, the object is whole
    with socket.create_connection(("127.0.0.1", ports["json"]), 20) as c:
        c.sendall(b"BAD\x00\r\n\r\n")
        c.recv(65536)
    got = json.loads(collectors["json"].line())
    assert got["request"] == "<BADREQ>" and got["ua"] is None and got["status"] == 400, got
    lb.finish()


def profiles():
    """A line at each step that is asked for; each target gets what its profile says; do-log in every rule set."""
    port, tcp_port, bad_port = free_port(), free_port(), free_port()
    full, close, plain, bad = Collector(), Collector(), Collector(), Collector()
    origin = Origin("plain")
    lb = Lb(DEFAULTS + """
log-profile full
  log-tag stepper
  on any format "%%OG any"
  on accept format "%%OG %%ci %%[src]"
  on request format "%%OG %%HM %%HU %%[path] %%[req.hdr(x-a)]"
  on connect format "%%OG %%b/%%s %%si:%%sp"
  on response format "%%OG %%ST %%[res.hdr(x-b)]"
  on close format "%%OG %%ST %%tsc %%B"
  on error format "%%OG"

  on http-req format "%%OG %%[req.hdr(x-a)]"
  on http-after-res drop
log-profile only-close
  on any drop
  on close sd "[a@1 st=\\"%%ST\\"]"
log-profile own
  log-tag own
  on http-req format "own %%OG"
frontend web
  bind 127.0.0.1:%d
  log %s format rfc3164 profile full local0
  log %s format rfc5424 profile only-close local0
  log %s format raw local0
  log-format "plain %%OG %%ST"
  log-steps all
  tcp-request connection do-log
  tcp-request session do-log
  tcp-request content do-log
  http-request do-log
  http-request do-log if { path /never }
  http-request set-log-level err
  http-request do-log profile own
  http-response set-header x-b 2
  http-after-response do-log
  default_backend be
backend be
  tcp-response content do-log
  http-response do-log
  server s1 %s
listen tcp
  mode tcp
  bind 127.0.0.1:%d
  log %s format raw profile full local0
  log-steps request,connect close
  server s1 %s
frontend bad
  bind 127.0.0.1:%d accept-proxy
  log %s format raw profile full local0
""" % (port, full.addr, close.addr, plain.addr, origin.addr, tcp_port, bad.addr, origin.addr, bad_port, bad.addr))
    answer = ask(port, b"GET /x?y HTTP/1.1\r\nx-a: 1")[1]
    assert answer == b"HTTP/1.1 200 OK", answer
    texts = [re.sub(r"^<\d+>\w+ +\d+ [\d:]+ localhost (stepper|own)\[\d+\]: ", r"\1: ", line)
             for line in full.lines(12)]
    host, at = origin.addr.split(":")
    assert texts[:-1] == [
        "stepper: tcp-req-conn any", "stepper: tcp-req-sess any", "stepper: txn_accept 127.0.0.1 127.0.0.1",
        "stepper: tcp-req-cont any", "stepper: txn_request GET /x?y /x 1", "stepper: http-req 1", "own: own http-req",
        "stepper: txn_connect be/s1 %s:%s" % (host, at), "stepper: tcp-res-cont any", "stepper: http-res any",
        "stepper: txn_response 200 2"], texts
    assert re.fullmatch(r"stepper: txn_close 200 ---- \d+", texts[-1]), texts
    lines = close.lines(2)
    # facility local0, level err by then; the structured data in its place
    assert re.fullmatch(r"<131>1 \S+ - own \d+ - - own http-req", lines[0]), lines
    assert re.fullmatch(r'<131>1 \S+ - lb \d+ - \[a@1 st="200"\] plain txn_close 200', lines[1]), lines
    got = plain.lines(13)
    assert got == ["plain tcp-req-conn 0", "plain tcp-req-sess 0", "plain txn_accept -1",
                               "plain tcp-req-cont -1", "plain txn_request -1", "plain http-req -1", "own http-req",
                               "plain txn_connect -1", "plain tcp-res-cont 200", "plain http-res 200",
                               "plain http-after-res 200", "plain txn_response 200", "plain txn_close 200"], got
    with socket.create_connection(("127.0.0.1", tcp_port), 20) as c:
        c.sendall(b"GET / HTTP/1.0\r\n\r\n")
        c.recv(65536)
    lines = bad.lines(3)
    assert lines[0].startswith("txn_request") and lines[1] == "txn_connect tcp/s1 %s:%s" % (host, at), lines
    assert re.fullmatch(r"txn_close 0 \S+ \d+", lines[2]), lines
    with socket.create_connection(("127.0.0.1", bad_port), 20) as c:
        c.sendall(b"NO PROXY HEADER\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            c.recv(100)
    assert bad.lines(1) == ["sess_error"]
    lb.finish()
    assert not full.has_more() and not close.has_more() and not plain.has_more()


class Server:
    """A log server over TCP."""

    def __init__(self, port=0):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.listener.settimeout(20)
        self.conn, self.buf = None, b""

    def accept(self):
        self.conn, self.buf = self.listener.accept()[0], b""
        self.conn.settimeout(20)

    def take(self, n):
        while len(self.buf) < n:
            got = self.conn.recv(65536)
            assert got, "closed"
            self.buf += got
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def line(self):
        """Non-transparent framing."""
        while b"\n" not in self.buf:
            got = self.conn.recv(65536)
            assert got, "closed"
            self.buf += got
        out, self.buf = self.buf.split(b"\n", 1)
        return out

    def counted(self):
        """Octet counting (RFC 6587 3.4.1)."""
        n = b""
        while not n.endswith(b" "):
            n += self.take(1)
            assert len(n) < 8, n
        assert re.fullmatch(rb"[1-9]\d*", n[:-1]), n
        return self.take(int(n))

    def close(self):
        if self.conn:
            self.conn.close()
        self.listener.close()


RFC5424 = rb"<134>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d - lb \d+ - - "


def rings():
    """What was logged can be asked for, goes to servers, which may be away for a while, and is there after a reload."""
    port, dead = free_port(), free_port()
    counted, legacy = Server(), Server()
    ring = """
ring counted
  description "for the archive"
  format rfc5424
  maxlen %d
  size %s
  timeout connect 5s
  timeout server 10s
  server s1 127.0.0.1:%d log-proto octet-count
ring lines
  server s1 127.0.0.1:%d
  server away 127.0.0.1:%d log-proto legacy
"""
    web = DEFAULTS + """
frontend web
  bind 127.0.0.1:%d
  log ring@counted len 8192 local0
  log ring@lines len 800 format short local0
  log ring@buf0 local0
  log-format "%%HU"
  http-request return status 200
""" % port
    lb = Lb(ring % (1000, "16k", counted.port, legacy.port, dead) + web, extra_global="tune.http.logurilen 4096")
    ask(port, b"GET /one HTTP/1.1")
    counted.accept()
    legacy.accept()
    assert re.fullmatch(RFC5424 + b"/one", counted.counted())
    assert legacy.line() == b"<6>/one"
    long_path = b"/" + b"x" * 2000
    ask(port, b"GET " + long_path + b" HTTP/1.1")
    got = counted.counted()
    assert len(got) == 1000 and re.match(RFC5424 + b"/xxx", got), got
    got = legacy.line()
    assert got == b"<6>" + long_path[:797], (len(got), got[:20], "len 800 of its log line")
    # a server that goes: what comes meanwhile waits for it
    legacy.close()
    for i in range(20):
        ask(port, b"GET /%d HTTP/1.1" % i)
    for i in range(20):
        assert counted.counted().endswith(b" /%d" % i)
    legacy = Server(legacy.port)
    legacy.accept()
    lines = [legacy.line()]
    while lines[-1] != b"<6>/19":
        lines.append(legacy.line())
    # those written between its end and the news of it may be lost with the connection
    assert lines == [b"<6>/%d" % i for i in range(20)][-len(lines):] and len(lines) > 10, lines
    # the command
    text = lb.ask("show events")
    assert re.search(r"^    buf0 +: type=buffer, 0 dropped, ", text, re.M), text
    assert re.search(r"^    counted +: type=buffer, 0 dropped, for the archive$", text, re.M), text
    assert lb.ask("show events buf0").split("\n") == ["/one", long_path.decode()[:1024]] + ["/%d" % i for i in range(20)] + ["", ""]
    assert lb.ask("show events buf0 -0").split("\0")[-3:] == ["/18", "/19", "\n\n"]
    assert lb.ask("show events buf0 -n") == "\n"
    assert lb.ask("show events nowhere") == "No such event sink\n\n"
    assert lb.ask("show events buf0 -x") == "unknown option\n\n"
    # -w goes on until something is typed; others do their work meanwhile
    with socket.socket(socket.AF_UNIX) as s, socket.socket(socket.AF_UNIX) as leaver:
        for c in s, leaver:
            c.settimeout(20)
            c.connect(lb.socket)
            c.sendall(b"show events buf0 -wn\n")
        # answered once the commands before it were begun
        wait_for(lambda: lb.info("CurrConns") is not None, "commands")
        leaver.close()
        ask(port, b"GET /waited HTTP/1.1")
        got = b""
        while b"\n" not in got:
            got += s.recv(1000)
        assert got == b"/waited\n", got
        ask(port, b"GET /more HTTP/1.1")
        assert s.recv(1000) == b"/more\n"
        s.sendall(b"\n")
        assert s.recv(1000) == b"\n"
        assert s.recv(1000) == b""
    # more than fits: the oldest go
    for _ in range(2):
        counted.counted()
    for i in range(40):
        ask(port, b"GET /%d/%s HTTP/1.1" % (i, b"y" * 900))
        counted.counted()  # one that does not keep up would miss some
    lines = lb.ask("show events buf0").split()
    assert 15 <= len(lines) <= 18 and lines[-1].startswith("/39/"), lines
    before = lb.ask("show events counted")
    # contents, connections and positions live over a reload that makes it larger
    lb.write(ring % (2000, "64k", counted.port, legacy.port, dead) + web)
    assert "Success=1" in lb.ask("reload"), lb.output()
    wait_for(lambda: ask(port, b"GET /reloaded" + b"z" * 1500 + b" HTTP/1.1")
             and len(lb.ask("show events counted").split("\n")[-3]) > 1400, "the new maxlen is in force")
    after = lb.ask("show events counted")
    assert after.startswith(before.rstrip("\n")), "the old lines come first"
    assert re.match(RFC5424 + b"/reloaded", counted.counted()), "over the same connection"
    wait_for(lambda: int(lb.info("DroppedLogs")) > 0, "the one that was never there has missed some")
    assert re.search(r"^    lines +: type=buffer, [1-9]\d* dropped, lines$", lb.ask("show events"), re.M)
    lb.finish()


def backing():
    """A ring in a file: it outlives the process, the one before becomes .bak."""
    port, path = free_port(), folder() + "/ring"
    config = """
ring file
  backing-file %s
  size 16k
""" % path + DEFAULTS + """
frontend web
  bind 127.0.0.1:%d
  log ring@file local0
  log-format "%%HU"
  http-request return status 200
""" % port
    for turn in range(2):
        lb = Lb(config)
        ask(port, b"GET /turn%d HTTP/1.1" % turn)
        wait_for(lambda: "/turn%d" % turn in lb.ask("show events file"), "the line")
        lb.proc.kill()
        lb.wait()
        with open(path, "rb") as f:
            data = f.read()
        assert len(data) == 16384 + 64 and data[:8] == b"lb-ring1" and b"/turn%d" % turn in data
    with open(path + ".bak", "rb") as f:
        assert b"/turn0" in f.read()
    assert os.stat(path).st_mode & 0o777 == 0o600
    subprocess.run([PROGRAM, "-c", "-q", "-f", lb.config], check=True)
    with open(path, "rb") as f:
        assert b"/turn1" in f.read(), "a check leaves it alone"
    # a start and a reload that fail leave it alone, too
    taken = socket.create_server(("127.0.0.1", 0))
    bad = config + "  bind 127.0.0.1:%d\n" % taken.getsockname()[1]
    lb = Lb(bad, wait=False)
    assert lb.wait() == 1
    with open(path, "rb") as f:
        assert b"/turn1" in f.read(), "the last run's lines"
    lb = Lb(config)
    ask(port, b"GET /turn2 HTTP/1.1")
    wait_for(lambda: "/turn2" in lb.ask("show events file"), "the line")
    lb.write(bad.replace("16k", "32k"))
    assert "Success=0" in lb.ask("reload")
    ask(port, b"GET /turn3 HTTP/1.1")
    wait_for(lambda: "/turn3" in lb.ask("show events file"), "the line")
    with open(path, "rb") as f:
        data = f.read()
    assert b"/turn2" in data and b"/turn3" in data, "the file in force is the one at this place"
    lb.finish()
    lb = Lb(config.replace(path, "/nonexistent/ring"), wait=False)
    assert lb.wait() == 1 and "cannot make the ring 'file' in /nonexistent/ring: No such file" in lb.output()


def backends():
    """log backend@: lines are spread as asked for, go on without a server that is down, as datagrams and over TCP."""
    port, check_port = free_port(), free_port()
    udp = [Collector() for _ in range(7)]
    tcp = Server(), Server()
    checked = socket.create_server(("127.0.0.1", check_port))
    lb = Lb(DEFAULTS + """
backend turns
  mode log
  balance roundrobin
  server s1 udp@%s
  server s2 udp@%s weight 2
backend sticky
  mode log
  balance sticky
  server s1 udp@%s check port %d inter 50ms rise 1 fall 1
  server s2 udp@%s
backend hashed
  mode log
  balance log-hash field(2,/),lower
  hash-type consistent
  server s1 udp@%s id 1
  server s2 udp@%s id 2
  server s3 udp@%s id 3
backend streams
  mode log
  timeout connect 5s
  timeout server 5s
  default-server log-bufsize 64k
  server s1 127.0.0.1:%d log-proto octet-count
  server s2 127.0.0.1:%d
frontend web
  bind 127.0.0.1:%d
  log backend@turns format raw local0
  log backend@sticky len 200 format rfc5424 local0
  log backend@hashed format raw local0
  log backend@streams format short local0
  log-format "%%HP"
  http-request return status 200
""" % (udp[0].addr, udp[1].addr, udp[2].addr, check_port, udp[3].addr, udp[4].addr, udp[5].addr, udp[6].addr,
       tcp[0].port, tcp[1].port, port))
    paths = ["/%s/%d" % ("Ab" if i % 2 else "aB", i) for i in range(6)] + ["/k%d/x" % (i % 3) for i in range(24)]
    with Http(port) as c:
        for path in paths:
            assert c.get(path)[0] == 200
    # one of three to s1, whose turn comes once in each cycle of the weights
    one, two = udp[0].lines(10), udp[1].lines(20)
    assert sorted(one + two) == sorted(paths)
    for i in range(10):
        assert paths.index(one[i]) // 3 == i or one[i].startswith("/k"), one
    lines = udp[2].lines(30)
    assert all(re.fullmatch(RFC5424.decode() + path, line) for line, path in zip(lines, paths)), lines
    assert not udp[3].has_more()
    # lines that are alike by the converters are together
    where = {}
    for n in range(4, 7):
        while udp[n].has_more():
            where.setdefault(udp[n].lines(1)[0].split("/")[1].lower(), set()).add(n)
    assert set(where) == {"ab", "k0", "k1", "k2"} and all(len(n) == 1 for n in where.values()), where
    for server in tcp:
        server.accept()
    got = [tcp[0].counted() for _ in range(15)], [tcp[1].line() for _ in range(15)]
    assert sorted(got[0] + got[1]) == sorted(b"<6>" + p.encode() for p in paths), got
    stat = lb.stat()
    assert stat["turns", "s1"]["stot"] == "10" and stat["turns", "s2"]["stot"] == "20"
    assert stat["streams", "BACKEND"]["mode"] == "syslog"
    # the checked one goes down: the next takes over, and keeps the lines when it is back
    checked.close()
    wait_for(lambda: lb.stat()["sticky", "s1"]["status"].startswith("DOWN"), "it is down")
    ask(port, b"GET /a HTTP/1.1")
    assert udp[3].lines(1)[0].endswith(" /a")
    checked = socket.create_server(("127.0.0.1", check_port))
    wait_for(lambda: lb.stat()["sticky", "s1"]["status"].startswith("UP"), "it is up")
    ask(port, b"GET /b HTTP/1.1")
    assert udp[3].lines(1)[0].endswith(" /b") and not udp[2].has_more()
    # none left: dropped and counted, traffic goes on
    for name in "s1", "s2":
        lb.ask("set server turns/%s state maint" % name)
    before = int(lb.info("DroppedLogs"))
    ask(port, b"GET /c HTTP/1.1")
    wait_for(lambda: int(lb.info("DroppedLogs")) == before + 1, "it is counted")
    # an address that changes
    other = Collector()
    lb.ask("set server turns/s1 state ready")
    host, at = other.addr.split(":")
    lb.ask("set server turns/s1 addr %s port %s" % (host, at))
    ask(port, b"GET /d HTTP/1.1")
    assert other.lines(1) == ["/d"]
    lb.finish()


# messages, and what becomes of them: as they came, then in these formats (as HAProxy has it, where it reads them well)
RELAYED = {
    b"<13>Nov 21 03:04:05 hosta app[123]: hello world": {
        "rfc3164": "<13>Nov 21 03:04:05 hosta app[123]: hello world",
        "rfc5424": "<13>1 YEAR-11-21T03:04:05-00:00 hosta app 123 - - hello world",
        "local": "<13>Nov 21 03:04:05 app[123]: hello world",
        "raw": "hello world", "short": "<5>hello world", "priority": "<13>hello world",
        "iso": "YEAR-11-21T03:04:05-00:00 hello world", "timed": "<5>YEAR-11-21T03:04:05-00:00 hello world"},
    b'<165>1 2003-10-11T22:14:15.003Z m.example.com evntslog 99 ID47 [a@1 x="y"][b@2 z="\\]w"] An event': {
        "rfc3164": "<165>Oct 11 22:14:15 m.example.com evntslog[99]: An event",
        "local": "<165>Oct 11 22:14:15 evntslog[99]: An event",
        "raw": "An event", "short": "<5>An event", "priority": "<165>An event",
        "iso": "2003-10-11T22:14:15.003Z An event", "timed": "<5>2003-10-11T22:14:15.003Z An event"},
    b"<165>1 - - - - - - plain": {
        "rfc3164": "<165>NOW localhost plain", "rfc5424": "<165>1 ISO - - - - - plain", "local": "<165>NOW plain"},
    b"<34>only prio text": {
        "rfc3164": "<34>NOW localhost only prio text", "rfc5424": "<34>1 ISO - - - - - only prio text",
        "short": "<2>only prio text", "iso": "ISO only prio text"},
    b"no prio at all": {
        "rfc3164": "<157>NOW localhost no prio at all", "rfc5424": "<157>1 ISO - - - - - no prio at all",
        "raw": "no prio at all"},
    b"<15>Nov  1 03:04:05 h tag: two\nlines \x1b": {
        "rfc5424": "<15>1 YEAR-11-01T03:04:05-00:00 h tag - - - two#0Alines #1B", "short": "<7>two#0Alines #1B"},
}
BSD = r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"
ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d"


def matches(text, form):
    form = re.escape(form).replace("YEAR", r"\d{4}").replace("NOW", BSD).replace("ISO", ISO)
    return re.fullmatch(form, text)


def can_bind(sock, to):
    try:
        sock.bind(to)
        return True
    except OSError:
        return False


def forward():
    """log-forward: what comes by UDP and TCP goes on as it came, or in the format that a target asks for."""
    udp_port, port = free_port(), free_port()
    formats = ["rfc3164", "rfc5424", "local", "raw", "short", "priority", "iso", "timed"]
    as_is, by_format = Collector(), {f: Collector() for f in formats}
    urgent, lowered = Collector(), Collector()
    config = """
log-forward in
  dgram-bind 127.0.0.1:%d
  bind 127.0.0.1:%d
  maxconn 3
  timeout client 60s
  log %s len 2000 local3
  log %s format short local3 err
  log %s local3 debug warning
""" % (udp_port, port, as_is.addr, urgent.addr, lowered.addr) + "".join(
        "  log %s format %s local3\n" % (c.addr, f) for f, c in by_format.items())
    lb = Lb(config)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    to = "127.0.0.1", udp_port
    for message, outs in RELAYED.items():
        sender.sendto(message + b"\r\n", to)
        got = as_is.lines(1)[0].encode()
        assert got == message.replace(b"\n", b"#0A").replace(b"\x1b", b"#1B"), got
        for f, c in by_format.items():
            got = c.lines(1)[0]
            assert f not in outs or matches(got, outs[f]), (message, f, got)
    assert urgent.lines(1) == ["<2>only prio text"] and not urgent.has_more(), "levels are those of the messages"
    # <pri> as by its lowest level: notice 13 is less urgent than warning already, crit 34 is lowered to 36
    assert [line.split(">")[0] for line in lowered.lines(6)] == ["<13", "<165", "<165", "<36", "no prio at all", "<15"]
    messages = [b"<13>counted one", b"<14>line one", b"<14>line \xc3\xa9", b"<15>" + b"x" * 1500, b"<16>last"]
    stream = b"15 " + messages[0] + messages[1] + b"\n" + messages[2] + b"\0\n1504 " + messages[3] + messages[4]
    for step in 1, 700, 100000:
        with socket.create_connection(("127.0.0.1", port), 20) as c:
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(0, len(stream), step):
                c.sendall(stream[i:i + step])
            c.shutdown(socket.SHUT_WR)
            assert c.recv(10) == b"", "nothing is ever answered"
        assert [as_is.line()[:-1] for _ in messages] == messages
    # what makes no sense ends the connection; what came before it was taken
    for bad in b"70000 x", b"12x<13>", b"<13>" + b"y" * 70000:
        with socket.create_connection(("127.0.0.1", port), 20) as c:
            c.sendall(b"<13>before\n" + bad)
            with contextlib.suppress(ConnectionResetError):
                assert c.recv(10) == b""
        assert as_is.lines(1) == ["<13>before"]
    assert lb.stat()["in", "FRONTEND"]["mode"] == "syslog" and lb.stat()["in", "FRONTEND"]["ereq"] == "3"
    assert int(lb.info("CumRecvLogs")) == len(RELAYED) + 3 * len(messages) + 3
    # a reload keeps the socket: what comes meanwhile is not lost
    for i in range(50):
        sender.sendto(b"<13>r%d" % i, to)
        if i == 25:
            assert "Success=1" in lb.ask("reload"), lb.output()
    assert as_is.lines(50) == ["<13>r%d" % i for i in range(50)]
    lb.write(config.replace("dgram-bind 127.0.0.1:%d" % udp_port, "dgram-bind 127.0.0.1:%d" % port))
    assert "Success=1" in lb.ask("reload"), lb.output()
    sender.sendto(b"<13>other port", ("127.0.0.1", port))
    assert as_is.lines(1) == ["<13>other port"]
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as s:
        wait_for(lambda: can_bind(s, to), "the old one is closed")
        bad = lb.ask("reload") if lb.write(config) is None else None
        assert "Success=0" in bad and "cannot receive on '127.0.0.1:%d': Address already in use" % udp_port in bad, bad
    lb.finish()


def forward_options():
    """Options of log-forward: hosts, only lines, no parsing; into a ring and a log backend."""
    ports = {name: free_port() for name in ("keep", "fill", "replace", "append", "lines", "raw", "slow")}
    targets = {name: Collector() for name in ports}
    config = "".join("""
log-forward %s
  dgram-bind 127.0.0.1:%d
  bind 127.0.0.1:%d
  timeout client %s
  option %s
  log %s local3
  log ring@%s format short local3
  log backend@out local3
""" % (name, ports[name], ports[name], "100ms" if name == "slow" else "60s", option, targets[name].addr, "all")
        for name, option in [("keep", "host keep"), ("fill", "host fill"), ("replace", "host replace"),
                             ("append", "host append"), ("lines", "assume-rfc6587-ntf"), ("raw", "dont-parse-log"),
                             ("slow", "host keep")])
    out = Collector()
    lb = Lb(config + """
ring all
  size 64k
backend out
  mode log
  server s1 udp@%s
""" % out.addr)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def relayed(name, message):
        sender.sendto(message, ("127.0.0.1", ports[name]))
        got = targets[name].line()[:-1]
        assert out.line()[:-1] == got
        return got.decode()

    own, none = b"<13>Nov 21 03:04:05 hosta app[1]: x", b"<13>1 - - app - - - x"
    assert relayed("keep", own) == own.decode() and relayed("keep", none) == none.decode()
    assert relayed("fill", own) == own.decode()
    assert matches(relayed("fill", none), "<13>1 ISO 127.0.0.1 app - - - x")
    assert relayed("replace", own) == "<13>Nov 21 03:04:05 127.0.0.1 app[1]: x"
    assert matches(relayed("replace", b"<13>x"), "<13>NOW 127.0.0.1 x")
    assert relayed("append", own) == "<13>Nov 21 03:04:05 hosta,127.0.0.1 app[1]: x"
    assert matches(relayed("append", none), "<13>1 ISO 127.0.0.1 app - - - x")
    assert relayed("raw", b"<13>a.metric:1|c\nb:2|g") == "<13>a.metric:1|c\nb:2|g"
    with socket.create_connection(("127.0.0.1", ports["lines"]), 20) as c:
        c.sendall(b"5 <13>x\n7\n")
        assert targets["lines"].lines(2) == ["5 <13>x", "7"]
    wait_for(lambda: "<5>7" in lb.ask("show events all"), "the last line is in the ring")
    lines = lb.ask("show events all").split("\n")
    assert lines[0] == "<5>x" and lines[-4:] == ["<5>5 <13>x", "<5>7", "", ""], lines
    with socket.create_connection(("127.0.0.1", ports["slow"]), 20) as c:
        assert c.recv(10) == b"", "closed for its silence"
    lb.finish()


if __name__ == "__main__":
    main({"encodings": encodings, "profiles": profiles, "rings": rings, "backing": backing,
          "backends": backends, "forward": forward, "forward_options": forward_options})
