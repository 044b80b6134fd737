#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Connections that become HTTP on their way, and clients, rules and administrators that do not wait for it."""
import random
import re
import socket
import struct
import threading
import time

from lbtest import Http, Lb, Origin, free_port, main, wait_for

CONFIG = """
defaults
  mode tcp
  timeout connect 10s
  timeout client 10s
  timeout server 10s
  timeout http-request 10s
frontend implied
  bind 127.0.0.1:%d
  filter trace quiet random-forwarding
  default_backend web
frontend switched
  bind 127.0.0.1:%d
  tcp-request inspect-delay 10s
  tcp-request content set-var(txn.n) req.len
  tcp-request content switch-mode http if HTTP or { req.len gt 60 }
  http-request set-header x-n %%[var(txn.n)]
  default_backend web
backend web
  mode http
  server s %s
"""
REQUEST = b"GET /%d HTTP/1.1\r\nHost: a\r\nX-Filler: 0123456789012345678901234567890123456789\r\n\r\n"


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def whole(port, n):
    """A request in pieces, one behind it, and a last one: all are answered."""
    with Http(port) as c:
        text = REQUEST % n
        at = random.randrange(len(text))
        c.send(text[:at])
        time.sleep(random.random() / 100)
        c.send(text[at:] + REQUEST % (n + 1))
        for i in (n, n + 1):
            status, fields = c.head()
            assert status == 200 and c.body(fields).decode().endswith(" /%d" % i), (status, i)
        assert c.get("/%d" % n)[0] == 200


def cut(port, n):
    s = socket.create_connection(("127.0.0.1", port), 20)
    s.sendall((REQUEST % n)[:random.randrange(len(REQUEST))])
    if random.random() < .5:
        time.sleep(random.random() / 100)
    reset(s) if random.random() < .5 else s.close()


def client(ports, end, wrong):
    n = 0
    while time.monotonic() < end:
        n += 1
        try:
            random.choice((whole, cut, cut))(random.choice(ports), n)
        except (OSError, EOFError, AssertionError) as e:
            wrong.append(repr(e))


def storm():
    """Heads in pieces, clients that leave amid them, reloads: who asks is answered, and nothing is left in the end."""
    port, origin = free_port(2), Origin("o")
    lb = Lb(CONFIG % (port, port + 1, origin.addr))
    end, wrong = time.monotonic() + 3, []
    clients = [threading.Thread(target=client, args=((port, port + 1), end, wrong)) for _ in range(8)]
    for t in clients:
        t.start()
    while time.monotonic() < end:
        time.sleep(.2)
        assert "Success=1" in lb.ask("reload")
        lb.ask("show sess")
    for t in clients:
        t.join()
    assert not wrong, wrong[:5]
    wait_for(lambda: lb.info("CurrConns") == "0" and lb.info("CurrStreams") == "0", "all have gone")
    lb.finish()


def ended():
    """A session that is shut down while its head is awaited, and a process that ends then."""
    port, origin = free_port(2), Origin("o")
    lb = Lb(CONFIG % (port, port + 1, origin.addr))
    with Http(port) as c, Http(port) as other:
        for x in (c, other):
            x.send("GET / HT")
        wait_for(lambda: lb.info("CurrConns") == "2", "they are there")
        # the session of the command itself may be listed as well
        sess = wait_for(lambda: re.findall(r"^(0x[0-9a-f]+): .*fe=implied", lb.ask("show sess"), re.M), "their streams")
        lb.ask("shutdown session %s" % sess[0])
        wait_for(lambda: lb.info("CurrConns") == "1", "it is gone")
        lb.finish()


main({"storm": storm, "ended": ended})
