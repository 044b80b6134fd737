# SPDX-License-Identifier: Apache-2.0
"""What a reload does to what is under way: reload.py [NAME...]"""
import os
import re
import socket
import threading
import time

from lbtest import accepts, DEFAULTS, folder, free_port, get, Http, IS_SANITIZED, Lb, main, Origin, SLOW, wait_for



def back(origin, more=""):
    return "backend b\n%s  server s %s\n" % (more, origin.addr)


def reload(lb, config, ok=True):
    lb.write(config)
    reply = lb.ask("reload")
    assert ("Success=1" in reply) == ok, reply
    return reply


def removed_frontend():
    """A frontend goes: its downloads end in good order, its idle connections close, its port is free."""
    port, stays, origin = free_port(), free_port(), Origin("o")
    rest = "frontend stays\n  bind 127.0.0.1:%d\n  default_backend b\n" % stays + back(origin)
    lb = Lb(DEFAULTS + "frontend goes\n  bind 127.0.0.1:%d\n  default_backend b\n" % port + rest)
    busy, idle, keep = Http(port), Http(port), Http(stays)
    assert idle.get()[0] == 200 and keep.get()[0] == 200
    busy.send("GET /slow/200000 HTTP/1.1\r\nHost: a\r\n\r\n")
    status, fields = busy.head()
    reply = reload(lb, DEFAULTS + rest)
    assert re.search(r"proxies: .*1 removed", reply) and re.search(r"listeners: .*1 removed", reply), reply
    wait_for(lambda: not accepts(port), "the port is closed")
    assert idle.sock.recv(10) == b"", "the idle connection closes"
    assert status == 200 and len(busy.body(fields)) == 200000, "the download goes on to its end"
    assert busy.sock.recv(10) == b"", "then the connection closes"
    assert keep.get()[0] == 200
    assert ("goes", "FRONTEND") not in lb.stat()
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    s.listen()
    s.close()
    lb.finish()


def removed_backend():
    """A backend goes while its server answers: the answer comes whole; the next request goes elsewhere."""
    port, one, two = free_port(), Origin("one"), Origin("two")
    web = DEFAULTS + "frontend web\n  bind 127.0.0.1:%d\n  default_backend %s\n"
    lb = Lb(web % (port, "b") + back(one))
    c = Http(port)
    c.send("GET /slow/200000 HTTP/1.1\r\nHost: a\r\n\r\n")
    status, fields = c.head()
    reload(lb, web % (port, "b2") + back(two).replace("backend b", "backend b2"))
    assert get(port)[1]["x-origin"] == "two"
    assert status == 200 and len(c.body(fields)) == 200000
    assert c.get()[1]["x-origin"] == "two", "the same connection, the new configuration"
    assert set(k[0] for k in lb.stat()) == {"web", "b2"}
    lb.finish()


def moved_listener():
    """The address moves to another frontend: the socket stays, so do connections, which get the new rules."""
    port, origin = free_port(), Origin("o")
    first = DEFAULTS + "frontend one\n  bind 127.0.0.1:%d\n  http-response set-header X-Fe one\n" \
        "  default_backend b\n" % port + back(origin)
    lb = Lb(first)
    c = Http(port)
    assert c.get()[1]["x-fe"] == "one"
    reload(lb, first.replace("one", "two"))
    assert c.get()[1]["x-fe"] == "two"
    assert get(port)[1]["x-fe"] == "two"
    for _ in range(20):
        reload(lb, first)
        reload(lb, first.replace("one", "two"))
        assert c.get()[0] == 200
    assert lb.info("CurrConns") == "1", "it is counted once, where it was accepted"
    c.close()
    wait_for(lambda: lb.info("CurrConns") == "0", "no connection is counted any more")
    assert lb.stat()["two", "FRONTEND"]["scur"] == "0"
    lb.finish()


def server_moves():
    """An address set at run time stays over a reload, unless that address changes in the file."""
    port, one, two, three = free_port(), Origin("one"), Origin("two"), Origin("three")
    web = DEFAULTS + "frontend web\n  bind 127.0.0.1:%d\n  default_backend b\n" % port
    lb = Lb(web + back(one))
    assert get(port)[1]["x-origin"] == "one"
    lb.ask("set server b/s addr 127.0.0.1 port %d" % two.port)
    assert get(port)[1]["x-origin"] == "two"
    reload(lb, web + "  http-response set-header X-A b\n" + back(one))
    assert get(port)[1]["x-origin"] == "two", "what was set stays"
    reload(lb, web + back(three))
    assert get(port)[1]["x-origin"] == "three", "the file said something else"
    lb.finish()


def waiting_in_queue():
    """Requests wait for a server's slot while reloads come; all are answered, none twice."""
    port, origin = free_port(), Origin("o", "--delay", "100")
    config = DEFAULTS + "frontend web\n  bind 127.0.0.1:%d\n  default_backend b\n" % port + \
        back(origin)[:-1] + " maxconn %d\n"
    lb = Lb(config % 1)
    clients = [Http(port) for _ in range(15)]
    for i, c in enumerate(clients):
        c.send("GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % i)
    time.sleep(0.15)
    for n in (2, 1, 3, 2):
        reload(lb, config % n)
        time.sleep(0.05)
    for i, c in enumerate(clients):
        status, fields = c.head()
        assert (status, c.body(fields)) == (200, b"o /%d" % i), status
    # the last answer can be here before the server's end of it is over
    wait_for(lambda: lb.stat()["b", "s"]["scur"] == "0", "the server to be free")
    row = lb.stat()["b", "s"]
    assert (row["stot"], row["qcur"]) == ("15", "0"), row
    lb.finish()


def admin_socket_moves():
    """The admin socket itself changes its path: the session that asked gets its reply, the new path serves."""
    port, other = free_port(), os.path.join(folder(), "other.sock")
    web = DEFAULTS + "frontend web\n  bind 127.0.0.1:%d\n  http-request return status 200\n" % port
    lb = Lb(web)
    old = lb.socket
    lb.head = lb.head.replace(old, other)
    reload(lb, web)
    lb.socket = other
    assert "web" in lb.ask("show stat")
    wait_for(lambda: not os.path.exists(old), "the old path is gone")
    lb.finish()


class Visitors:
    """Clients with a connection per request, on any thread; what went wrong for them."""

    def __init__(self, port, n=6):
        self.port, self.stop, self.done, self.wrong = port, False, 0, []
        self.threads = [threading.Thread(target=self.visit) for _ in range(n)]
        for t in self.threads:
            t.start()

    def visit(self):
        while not self.stop:
            try:
                status, _, _ = get(self.port)
                assert status == 200, status
                self.done += 1
            except (OSError, EOFError, AssertionError) as e:
                self.wrong.append(repr(e))

    def finish(self, tolerated):
        """Linux resets who arrives between the last accept() of a socket and its close()."""
        self.stop = True
        for t in self.threads:
            t.join()
        print("%d visits, %d failed" % (self.done, len(self.wrong)))
        assert self.done and len(self.wrong) <= tolerated * (5 if IS_SANITIZED else 1), "%d failed: %s" % (len(self.wrong), self.wrong[:5])


def rebinding():
    """The address gets more or less precise, the socket's options change: clients notice next to nothing."""
    port = free_port()
    config = DEFAULTS + "frontend f\n  bind %s\n  http-request return status 200\n"
    ways = (":%d" % port, "127.0.0.1:%d" % port, ":%d shards by-thread" % port, ":%d v4v6" % port)
    lb = Lb(config % ways[0], nbthread=3)
    visitors = Visitors(port)
    for n in range(40):
        reply = reload(lb, config % ways[n % len(ways)])
        assert "1 kept" in reply.split("listeners:")[1] or "1 added" in reply and "1 removed" in reply, reply
        time.sleep(0.03)
    visitors.finish(tolerated=5)
    lb.finish()


def precise_and_not():
    """':80' and '127.0.0.1:80' side by side; a second process gets neither."""
    port = free_port()
    config = DEFAULTS + "".join(
        "frontend %s\n  bind %s:%d\n  http-response set-header X-Fe %s\n"
        "  http-request return status 200 hdr X-Fe %s\n" % (name, addr, port, name, name)
        for name, addr in (("any", ""), ("own", "127.0.0.1")))
    lb = Lb(config)
    assert get(port)[1]["x-fe"] == "own" and get(port, host="127.0.0.2")[1]["x-fe"] == "any"
    other = Lb(config, wait=False)
    assert other.wait() == 1 and "Address already in use" in other.output(), other.output()
    lb.finish()


def successors():
    """Processes replace each other with -sf under load: clients notice next to nothing."""
    port = free_port()
    config = DEFAULTS + "frontend f\n  bind 127.0.0.1:%d\n  http-request return status 200\n" % port
    lb = Lb(config)
    visitors = Visitors(port)
    for _ in range(5):
        old, lb = lb, Lb(config, args=("-sf", str(lb.pid)))
        assert old.wait() == 0
    visitors.finish(tolerated=2)
    lb.finish()


def refused():
    """Each kind of mistake is told with its place, all at once, and nothing changes."""
    port, origin, taken = free_port(), Origin("o"), socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    good = DEFAULTS + "frontend web\n  bind 127.0.0.1:%d\n  default_backend b\n" % port + back(origin)
    lb = Lb(good)
    before = lb.stat()
    c = Http(port)
    assert c.get()[0] == 200
    for bad, said in ((good.replace("timeout client", "timeut client").replace("server s", "sever s"), "timeut"),
                      (good + "frontend more\n  bind 127.0.0.1:%d\n" % taken.getsockname()[1], "in use"),
                      (good.replace("default_backend b", "default_backend c"), "'c'"),
                      (good + "listen l\n  bind 127.0.0.1:%d\n" % port, "%d" % port)):
        reply = reload(lb, bad, ok=False)
        assert said in reply and "nothing was changed" in reply and "lb.cfg:" in reply, reply
        assert c.get()[0] == 200 and get(port)[0] == 200
        assert lb.stat().keys() == before.keys()
    assert "'sever'" in reload(lb, good.replace("timeout client", "timeut client").replace("server s", "sever s"), False)
    os.unlink(lb.config)
    assert "Success=0" in lb.ask("reload")
    reload(lb, good)
    assert c.get()[0] == 200
    lb.finish()


def refused_by_signal():
    """A daemon has no stderr: the reasons go to the log."""
    port, path = free_port(), os.path.join(folder(), "log")
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind(path)
    log.settimeout(5 * SLOW)
    good = DEFAULTS + "frontend web\n  bind 127.0.0.1:%d\n  http-request return status 200\n" % port
    lb = Lb(good, extra_global="  log %s local0" % path)
    lb.write(good.replace("timeout client", "timeut client"))
    lb.signal("SIGUSR2")
    text = ""
    while "nothing was changed" not in text:
        text += log.recv(2000).decode() + "\n"
    assert "Reload failed" in text and re.search(r"lb.cfg:\d+:\d+: error: .*'timeut'", text), text
    assert get(port)[0] == 200
    lb.finish()


def many_at_once():
    """Signals faster than reloads, and orders on several sockets at once."""
    port, origin = free_port(), Origin("o")
    lb = Lb(DEFAULTS + "frontend web\n  bind 127.0.0.1:%d\n  default_backend b\n" % port + back(origin, "  balance first\n"))
    c = Http(port)
    for _ in range(50):
        lb.signal("SIGUSR2")
        assert c.get()[0] == 200
    socks = []
    for _ in range(10):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10 * SLOW)
        s.connect(lb.socket)
        s.sendall(b"reload;show info;reload\n")
        socks.append(s)
    for s in socks:
        text = b""
        while True:
            got = s.recv(65536)
            if not got:
                break
            text += got
        assert text.count(b"Success=1") == 2 and b"Uptime_sec" in text, text
    assert c.get()[0] == 200
    lb.finish()


def old_generations():
    """Long transfers keep what they need of their generation and no more; afterwards it is given back."""
    port, origin = free_port(), Origin("o", "--echo")
    config = "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n" \
        "listen l\n  bind 127.0.0.1:%d\n  server s %s\n" % (port, origin.addr)
    big = "".join("backend b%d\n  server s1 127.0.0.1:9\n" % i for i in range(2000))
    lb = Lb(config + big)

    def rss():
        with open("/proc/%d/status" % lb.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))

    def session():
        s = socket.create_connection(("127.0.0.1", port), 10 * SLOW)
        s.sendall(b"x")
        assert s.recv(1) == b"x"
        return s

    for _ in range(3):
        reload(lb, config + big)
    base, sessions = rss(), []
    for n in range(10):
        sessions.append(session())
        reload(lb, config + big)
    held = rss()
    for s in sessions:
        s.sendall(b"y")
        assert s.recv(1) == b"y"
        s.close()
    wait_for(lambda: lb.stat()["l", "FRONTEND"]["scur"] == "0", "the sessions end")
    for _ in range(3):
        reload(lb, config + big)
    time.sleep(0.3)
    after = rss()
    print("%d kB at first, %d with ten generations held, %d after" % (base, held, after))
    if not IS_SANITIZED:  # sanitizers keep what is freed
        assert after < base * 1.25, (base, held, after)
    lb.finish()


if __name__ == "__main__":
    main({k: v for k, v in list(globals().items())
          if getattr(v, "__module__", "") == "__main__" and hasattr(v, "__code__") and not v.__code__.co_argcount})
