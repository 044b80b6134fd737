# SPDX-License-Identifier: Apache-2.0
"""What a reload does to servers that change: reload_servers.py [NAME...]"""
import socket
import time

from lbtest import Http, Lb, Origin, free_port, get, main, wait_for
from reload import DEFAULTS, reload


def web(port, more=""):
    return DEFAULTS + "frontend web\n  bind 127.0.0.1:%d\n  default_backend b\nbackend b\n%s" % (port, more)


def mute():
    """A server that accepts and says nothing."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(100)
    return s, s.getsockname()[1]


def moves_while_busy():
    """The address changes while connections are in use: they end what they do, and carry nothing more."""
    for how in ("http-reuse always", "http-reuse never"):
        port, one, two = free_port(), Origin("one", "--delay", "300"), Origin("two")
        config = web(port, "  %s\n  server s %%s\n" % how)
        lb = Lb(config % one.addr)
        c = Http(port)
        c.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: lb.stat()["b", "s"]["scur"] == "1", "the request is with its server")
        reload(lb, config % two.addr)
        status, fields = c.head()
        assert (status, c.body(fields)) == (200, b"one /a")
        for _ in range(3):
            assert c.get()[1]["x-origin"] == "two"
            assert get(port)[1]["x-origin"] == "two"
        lb.finish()


def source_changes():
    """Connections from the old source address are not used any more."""
    port, origin = free_port(), Origin("o")
    config = web(port, "  http-reuse always\n  server s %s source %%s\n" % origin.addr)
    lb = Lb(config % "127.0.0.1")
    c = Http(port)
    number = c.get()[1]["x-conn"]
    reload(lb, config % "127.0.0.1")
    assert c.get()[1]["x-conn"] == number, "nothing changed: the connection stays"
    reload(lb, config % "127.0.0.3")
    assert c.get()[1]["x-conn"] != number
    lb.finish()


def queue_goes_on():
    """Who waits for a slot gets one as soon as a reload makes one."""
    one, two = Origin("one", "--delay", "1500"), Origin("two", "--delay", "10")
    full = "  server s %s maxconn 1\n" % one.addr
    for first, then in ((full, "  server s %s maxconn 10\n" % one.addr),
                        (full, full + "  server t %s\n" % two.addr),
                        (full + "  server t %s weight 0\n" % two.addr, "  server t %s\n" % two.addr)):
        port = free_port()
        lb = Lb(web(port, first))
        clients = [Http(port) for _ in range(3)]
        for c in clients:
            c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: lb.stat()["b", "BACKEND"]["qcur"] == "2", "two wait")
        reload(lb, web(port, then))
        wait_for(lambda: lb.stat()["b", "BACKEND"]["qcur"] == "0", "nobody waits", 0.4)
        for c in clients:
            status, fields = c.head()
            assert status == 200 and c.body(fields)
        lb.finish()


def backend_goes_in_two_steps():
    """A backend changes, then goes: requests that wait there since before both are served."""
    port, one, two = free_port(), Origin("one", "--delay", "1500"), Origin("two")
    config = DEFAULTS + "frontend web\n  bind 127.0.0.1:%d\n  default_backend %%s\n" % port
    slow, fast = "backend b\n  server s %s maxconn 1 %%s\n" % one.addr, "backend c\n  server s %s\n" % two.addr
    lb = Lb(config % "b" + slow % "")
    clients = [Http(port) for _ in range(4)]
    for c in clients:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_for(lambda: lb.stat()["b", "BACKEND"]["qcur"] in ("2", "3"), "all came, most wait")
    reload(lb, config % "b" + slow % "weight 5")
    reload(lb, config % "c" + fast)
    for _ in range(3):
        reload(lb, config % "c" + fast)
        assert get(port)[1]["x-origin"] == "two"
    for c in clients:
        status, fields = c.head()
        assert (status, c.body(fields)) == (200, b"one /")
        assert c.get()[1]["x-origin"] == "two"
    lb.finish()


def checks_come_to_their_end():
    """Reloads that follow each other closely do not keep a check from its verdict."""
    port, (sock, dead) = free_port(), mute()
    config = web(port, "  option httpchk\n  timeout check 400ms\n  server s 127.0.0.1:%d check inter 500ms fall 2\n" % dead)
    lb = Lb(config)
    for n in range(600):
        reload(lb, config + "  server t%d 127.0.0.1:9\n" % (n % 2))
        if lb.stat()["b", "s"]["status"] == "DOWN":
            break
        time.sleep(0.05)
    assert lb.stat()["b", "s"]["check_status"].lstrip("* ") == "L7TOUT", lb.stat()["b", "s"]
    sock.close()
    lb.finish()


def check_interval():
    """A shorter interval counts at once, not after the long one is over."""
    port, origin, closed = free_port(), Origin("o"), free_port()
    config = web(port, "  server s %s check inter %%s fall 1\n" % origin.addr)
    lb = Lb(config % "1h")
    lb.ask("set server b/s addr 127.0.0.1 port %d" % closed)
    reload(lb, config % "100ms")
    wait_for(lambda: lb.stat()["b", "s"]["status"] == "DOWN", "the check fails")
    lb.finish()


def check_target():
    """Where an operator sent the checks, they go, unless the file says something else than before."""
    port, origin, closed = free_port(), Origin("o"), free_port()
    config = web(port, "  server s %s check inter 50ms fall 1 rise 1%%s\n" % origin.addr)
    lb = Lb(config % "")

    def becomes(status):
        wait_for(lambda: lb.stat()["b", "s"]["status"] == status, "the server is %s" % status)

    becomes("UP")
    lb.ask("set server b/s check-port %d" % closed)
    becomes("DOWN")
    reload(lb, config % " weight 7")
    time.sleep(0.3)
    assert lb.stat()["b", "s"]["status"] == "DOWN", "what was set stays"
    reload(lb, config % (" port %d" % origin.port))
    becomes("UP")
    lb.finish()


if __name__ == "__main__":
    main({f.__name__: f for f in (moves_while_busy, source_changes, queue_goes_on, backend_goes_in_two_steps,
                                  checks_come_to_their_end, check_interval, check_target)})
