# SPDX-License-Identifier: Apache-2.0
"""Reloads while memory or descriptors run out: reload_shortage.py [NAME...]"""
import os
import resource
import socket

from lbtest import Http, IS_SANITIZED, Lb, Origin, folder, free_port, get, main, wait_for
from reload import DEFAULTS, reload
from shim import Shim

ONE = """
frontend web
  bind 127.0.0.1:{port}
  log 127.0.0.1:{log} local0
  default_backend b
backend b
  option httpchk
  http-check expect rstatus ^2
  server s1 {one} check inter 50ms
  server s2 {one}
"""
TWO = """
frontend web
  bind 127.0.0.1:{port} mss 1000
  log 127.0.0.1:{log} local0 info
  acl x path_reg ^/n
  use_backend n if x
  default_backend b
frontend more
  bind 127.0.0.1:{other}
  bind {dir}/x.sock
  default_backend n
backend b
  balance leastconn
  server s2 {two} check inter 50ms
  server s3 {two} check inter 50ms
  server s4 {two} track n/n1
backend n
  balance source
  hash-type consistent
  option httpchk GET /x
  server n1 {two} check inter 50ms
"""


class Session:
    """Of commands, opened before anything runs out."""

    def __init__(self, lb):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(lb.socket)
        self.ask("prompt")

    def ask(self, command):
        self.sock.sendall(command.encode() + b"\n")
        out = b""
        while not out.endswith(b"\n> "):
            got = self.sock.recv(65536)
            assert got, out
            out += got
        return out.decode()


def is_whole(lb, port, path):
    """All checks run and requests are answered, also where memory lacked for a part at first."""
    def checked():
        rows = [r for r in lb.stat().values() if r["type"] == "2" and r["check_status"]]
        return all(r["check_status"].lstrip("* ").startswith("L7OK") or r["check_status"].lstrip("* ").startswith("L4OK") for r in rows) and rows

    def answers():
        return get(port, path)[0] == 200

    wait_for(checked, "all checks run")
    wait_for(answers, "requests are answered")


def memory():
    """Each allocation of a reload fails once: it is refused and nothing is changed, or what lacked is made up for."""
    if IS_SANITIZED:
        print("allocations of a sanitizer are its own")
        return
    shim, port, other = Shim(), free_port(), free_port()
    one, two = Origin("one"), Origin("two")
    values = dict(port=port, other=other, log=free_port(), one=one.addr, two=two.addr, dir=folder())
    texts = [DEFAULTS + t.format(**values) for t in (ONE, TWO)]
    lb = Lb(texts[0], env=shim.env)
    session = Session(lb)
    keys = [set(lb.stat()), None]
    reload(lb, texts[1])
    keys[1] = set(lb.stat())
    now, n, left, refused, made_up = 1, 0, 0, 0, 0
    while not left:
        n += 1
        lb.write(texts[1 - now])
        shim.fail_after(n)
        reply = session.ask("reload")
        left = shim.left()
        shim.fail_after(0)
        if "Success=1" in reply:
            now = 1 - now
            made_up += not left
        else:
            refused += 1
            assert "emory" in reply, reply
        assert set(lb.stat()) == keys[now], (n, reply)
        if "Success=1" in reply:
            is_whole(lb, port, "/n" if now else "/")
    print("%d reloads, %d refused, %d made up for" % (n, refused, made_up))
    assert refused > 20
    lb.finish()


def descriptors():
    """A reload that finds no descriptor is refused, and others served meanwhile."""
    port, origin = free_port(), Origin("one")
    config = DEFAULTS + "frontend web\n  bind 127.0.0.1:%d\n  default_backend b\nbackend b\n  server s %s\n" % (port, origin.addr)
    lb = Lb(config)
    c, session, others = Http(port), Session(lb), [Http(port) for _ in range(30)]
    assert all(o.get()[0] == 200 for o in [c] + others)
    head, before, (soft, hard) = lb.head, lb.stat().keys(), resource.prlimit(lb.pid, resource.RLIMIT_NOFILE)
    refused = 0
    for spare in range(4):
        n = len(os.listdir("/proc/%d/fd" % lb.pid))
        lb.head = head + "  fd-hard-limit %d\n" % (n + spare)  # else the reload would raise what is set here
        lb.write(config + "listen l1\n" + "".join("  bind 127.0.0.1:%d\n" % free_port() for _ in range(3)))
        resource.prlimit(lb.pid, resource.RLIMIT_NOFILE, (n + spare, hard))
        reply = session.ask("reload")
        resource.prlimit(lb.pid, resource.RLIMIT_NOFILE, (soft, hard))
        if "Success=1" not in reply:
            refused += 1
            assert "Too many open files" in reply and "nothing was changed" in reply, reply
            assert lb.stat().keys() == before
        assert c.get()[0] == 200
        lb.head = head
        reload(lb, config)
        wait_for(lambda: len(os.listdir("/proc/%d/fd" % lb.pid)) <= n, "descriptors are given back")
    assert refused >= 3
    lb.finish()


if __name__ == "__main__":
    main({"memory": memory, "descriptors": descriptors})
