# SPDX-License-Identifier: Apache-2.0
"""Logs as other programs read them: logs.py [NAME...]"""
import json
import re
import socket

from lbtest import DEFAULTS, free_port, Lb, main, wait_for


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


if __name__ == "__main__":
    main({"encodings": encodings})
