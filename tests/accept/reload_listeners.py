# SPDX-License-Identifier: Apache-2.0
"""What a reload does to sockets that stay, but are to be otherwise: reload_listeners.py [NAME...]"""
import os
import socket
import stat

from lbtest import Http, Lb, Origin, folder, free_port, get, main, wait_for
from reload import DEFAULTS, reload

ANSWER = "  http-request return status 200\n"


def mss_of(port):
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        return s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


def socket_options():
    """Options of a socket change while it stays bound, and go back to the default where the line does not name them any more."""
    port = free_port()
    config = DEFAULTS + "frontend f\n  bind 127.0.0.1:%d%%s\n" % port + ANSWER
    lb = Lb(config % "")
    c, default = Http(port), mss_of(port)
    assert default > 2000
    for more, check in ((" mss 1000", lambda n: n <= 1000), (" mss 600 backlog 10", lambda n: n <= 600), ("", lambda n: n == default)):
        assert "listeners: 1 changed" in reload(lb, config % more)
        assert check(mss_of(port)), (more, mss_of(port))
    assert c.get()[0] == 200
    lb.finish()


def threads():
    """Other threads serve the socket: those that come are theirs."""
    port = free_port()
    config = DEFAULTS + "frontend f\n  bind 127.0.0.1:%d%%s\n" % port + ANSWER
    lb = Lb(config % " thread 1")
    for more, expected in ((" thread 2", [0, 20]), (" thread 1", [20, 0]), ("", [10, 10])):
        reload(lb, config % more)
        wait_for(lambda: lb.activity("conns") == [0, 0], "nobody is connected")
        clients = [Http(port) for _ in range(20)]
        assert all(c.get()[0] == 200 for c in clients)
        got = lb.activity("conns")
        assert got == expected or (not more and min(got) >= 8), (more, got)
        for c in clients:
            c.close()
    lb.finish()


def socket_file():
    """A socket file gets the mode that the line says now, and comes back when somebody removed it; a refused reload leaves it."""
    where = folder()
    path, admin = os.path.join(where, "x.sock"), os.path.join(where, "admin.sock")
    config = DEFAULTS + "frontend f\n  bind %s mode %%s\n" % path + ANSWER
    lb = Lb(config % "600", extra_global="  stats socket %s mode 600 level admin" % admin)

    def mode(of=path):
        return stat.S_IMODE(os.stat(of).st_mode)

    def answers():
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(path)
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return s.recv(1000).startswith(b"HTTP/1.1 200")

    assert mode() == 0o600 and answers()
    reload(lb, config % "666")
    assert mode() == 0o666 and answers()
    before = os.stat(path).st_ino, os.stat(admin).st_ino, os.stat(lb.socket).st_ino
    reload(lb, config % "600" + "frontend g\n  bind /nonexistent/dir/x.sock\n" + ANSWER, ok=False)
    assert mode() == 0o666 and answers()
    assert before == (os.stat(path).st_ino, os.stat(admin).st_ino, os.stat(lb.socket).st_ino), "nothing was changed"
    os.unlink(path)
    reload(lb, config % "666")
    assert mode() == 0o666 and answers()
    lb.head = lb.head.replace("mode 600", "mode 660")
    reload(lb, config % "666")
    assert mode(admin) == 0o660
    lb.finish()
    assert os.listdir(where) == []


def mode_changes():
    """A frontend becomes one for TCP and back: HTTP connections that wait are closed at once, others serve on."""
    port, origin = free_port(), Origin("o")
    config = DEFAULTS + "frontend f\n  mode %%s\n  bind 127.0.0.1:%d\n  default_backend b\nbackend b\n  mode %%s\n" \
        "  server s %s\n" % (port, origin.addr)
    lb = Lb(config % ("http", "http"))
    idle, busy = Http(port), Http(port)
    assert idle.get()[0] == 200
    busy.send("GET /slow/200000 HTTP/1.1\r\nHost: a\r\n\r\n")
    status, fields = busy.head()
    reload(lb, config % ("tcp", "tcp"))
    assert idle.sock.recv(10) == b"", "it is told so before it asks"
    tcp = Http(port)
    assert tcp.get()[0] == 200
    assert status == 200 and len(busy.body(fields)) == 200000 and busy.sock.recv(10) == b""
    reload(lb, config % ("http", "http"))
    assert tcp.get()[0] == 200 and tcp.get()[0] == 200, "a TCP session goes on"
    assert get(port)[0] == 200
    lb.finish()


if __name__ == "__main__":
    main({f.__name__: f for f in (socket_options, threads, socket_file, mode_changes)})
