#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TCP mode, tunnels and sockets, seen from both ends: half-closed connections, what was sent early, passed connections."""
import os
import socket
import subprocess
import time

from lbtest import Http, Lb, Origin, PROGRAM, accepts, folder, free_port, main, wait_for

TIMES = """
defaults
  mode tcp
  timeout connect 10s
  timeout client %s
  timeout server %s
"""


class Peer:
    """A server whose connections the test holds in its hands."""

    def __init__(self):
        self.sock = socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(16)
        self.sock.settimeout(20)
        self.port = self.sock.getsockname()[1]

    def accept(self):
        c = self.sock.accept()[0]
        c.settimeout(20)
        return c


def connected(port):
    try:
        return socket.create_connection(("127.0.0.1", port), 20)
    except ConnectionRefusedError:
        return None


def relay(times, options=""):
    """(lb, client, server): a connection of TCP mode that has carried a byte each way."""
    peer, port = Peer(), free_port()
    lb = Lb(TIMES % times + "listen l\n  bind 127.0.0.1:%d\n%s\n  server s 127.0.0.1:%d\n" % (port, options, peer.port))
    client = wait_for(lambda: connected(port), "it listens")
    client.sendall(b"a")
    server = peer.accept()
    assert server.recv(10) == b"a"
    server.sendall(b"b")
    assert client.recv(10) == b"b"
    return lb, client, server


def is_ended(c):
    """Has the other side closed or reset it? Waits no longer than the socket's timeout."""
    try:
        return c.recv(10) == b""
    except ConnectionError:
        return True


def stays_open(c, seconds):
    c.settimeout(seconds)
    try:
        c.recv(10)
        return False
    except socket.timeout:
        c.settimeout(20)
        return True


def half_closed_client():
    """A client that has sent all may wait for its answer as long as the server may take."""
    lb, client, server = relay(("500ms", "60s"), "  timeout client-fin 200ms")
    client.shutdown(socket.SHUT_WR)
    assert server.recv(10) == b""
    assert stays_open(client, 1.5), "cut off while the server works"
    server.sendall(b"late")
    server.close()
    assert client.recv(10) == b"late" and is_ended(client)
    lb.finish()


def server_fin():
    """A server that was told the end has timeout server-fin from then on, not from the last byte."""
    lb, client, server = relay(("60s", "60s"), "  timeout server-fin 1s")
    time.sleep(1.2)
    begun = time.monotonic()
    client.shutdown(socket.SHUT_WR)
    assert server.recv(10) == b""
    assert is_ended(client)
    assert time.monotonic() - begun > 0.9, "the limit was counted from before the end"
    lb.finish()


def client_fin():
    """The same for a client that does not close after its server has."""
    lb, client, server = relay(("60s", "60s"), "  timeout client-fin 1s")
    time.sleep(1.2)
    begun = time.monotonic()
    server.shutdown(socket.SHUT_WR)
    assert client.recv(10) == b""
    assert is_ended(server)
    assert time.monotonic() - begun > 0.9, "the limit was counted from before the end"
    lb.finish()


def feed(options):
    """Sends to a server that says nothing for longer than timeout server. Was it cut off?"""
    lb, client, server = relay(("60s", "1s"), options)
    client.settimeout(0.05)
    for _ in range(60):
        try:
            client.sendall(b"x")
            if client.recv(10) == b"":
                break
        except socket.timeout:
            continue
        except ConnectionError:
            break
    else:
        lb.finish()
        return False
    lb.finish()
    return True


def independent_streams():
    """What is sent to a peer shows that it lives, unless 'option independent-streams' says otherwise."""
    assert not feed(""), "a server that takes bytes was thought dead"
    assert feed("  option independent-streams"), "silence of the server was not noticed"


def independent_upload():
    """In HTTP, too: an upload does not excuse a server that is silent for too long."""
    peer, port = Peer(), free_port()
    lb = Lb(TIMES.replace("tcp", "http") % ("60s", "1s") +
            "listen l\n  bind 127.0.0.1:%d\n  option independent-streams\n  server s 127.0.0.1:%d\n" % (port, peer.port))
    wait_for(lambda: accepts(port), "it listens")
    c = Http(port)
    c.send("POST / HTTP/1.1\r\nHost: lb.test\r\nContent-Length: 1000\r\n\r\n")
    c.sock.settimeout(0.05)
    for _ in range(400):
        try:
            c.send("x")
            c.fill()
            break
        except socket.timeout:
            continue
    assert c.buf.startswith(b"HTTP/1.1 504"), c.buf
    lb.finish()


def upgrade_early_end():
    """Bytes of the new protocol, and its end, that came before the server has switched are not lost."""
    peer, port = Peer(), free_port()
    lb = Lb(TIMES.replace("tcp", "http") % ("20s", "20s") +
            "listen l\n  bind 127.0.0.1:%d\n  server s 127.0.0.1:%d\n" % (port, peer.port))
    client = wait_for(lambda: connected(port), "it listens")
    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
    server = peer.accept()
    assert b"\r\n\r\n" in server.recv(1000)
    client.sendall(b"early")
    client.shutdown(socket.SHUT_WR)
    time.sleep(0.2)
    server.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
    got = b""
    while not got.endswith(b"early"):
        more = server.recv(100)
        assert more, "lost, only %r has come" % got
        got += more
    assert server.recv(10) == b""
    server.sendall(b"late")
    server.close()
    got = b""
    while not got.endswith(b"late"):
        more = client.recv(1000)
        assert more, got
        got += more
    lb.finish()


def sockpair():
    """Connections are passed over a pair of sockets, from one process to another or within one."""
    origin, port = Origin("o"), free_port()
    near, far = socket.socketpair()
    ours, theirs = socket.socketpair()
    config = """
defaults
  mode http
  timeout connect 10s
  timeout client 20s
  timeout server 20s
frontend entry
  bind 127.0.0.1:%d
  default_backend pass
backend pass
  server other sockpair@%d
frontend taken
  bind sockpair@%d name pair
  http-response set-header X-Taken %%[fe_name]
  default_backend end
frontend ours
  bind sockpair@%d
  default_backend end
backend end
  server o %s
""" % (port, near.fileno(), far.fileno(), theirs.fileno(), origin.addr)
    lb = Lb(config, pass_fds=(near.fileno(), far.fileno(), theirs.fileno()))
    wait_for(lambda: accepts(port), "it listens")
    for _ in range(20):
        with Http(port) as c:
            status, fields, _ = c.get()
            assert status == 200 and fields["x-taken"] == "taken", (status, fields)
    assert lb.stat()[("pass", "other")]["stot"] == "20"
    by_hand(ours)
    lb.ask("reload")
    by_hand(ours)
    closed_pair(lb, ours)
    lb.finish()


def by_hand(over):
    """This process passes a connection, after a message that is none."""
    a, b = socket.socketpair()
    over.send(b"x")
    socket.send_fds(over, [b"x"], [b.fileno()])
    b.close()
    a.settimeout(20)
    a.sendall(b"GET / HTTP/1.1\r\nHost: lb.test\r\nConnection: close\r\n\r\n")
    assert a.recv(100).startswith(b"HTTP/1.1 200 "), "no answer on a passed connection"
    a.close()


def closed_pair(lb, ours):
    """Nobody is left who could connect: that must not keep the process busy."""
    ours.close()
    time.sleep(0.2)
    before = lb.cpu_seconds()
    time.sleep(1)
    assert lb.cpu_seconds() - before < 0.5, "it spins"


def refused(config, text):
    name = folder() + "/lb.cfg"
    with open(name, "w") as f:
        f.write(config)
    got = subprocess.run([PROGRAM, "-c", "-f", name], capture_output=True, text=True, check=False)
    assert got.returncode == 1 and text in got.stderr, (got.returncode, got.stderr)


def sockpair_refused():
    """Descriptors that are no unix sockets."""
    for line in ("bind sockpair@900", "bind :80\n  server s sockpair@900"):
        refused("listen l\n  mode tcp\n  %s\n" % line,
                "'sockpair@900' is not one end of a pair of unix sockets: Bad file descriptor")


def answered(mode, action):
    """What a client sees that asked in this mode, when this action meets the answer. None: nothing, not even an end."""
    peer, port = Peer(), free_port()
    lb = Lb(TIMES % ("10s", "10s") + "listen l\n  mode %s\n  bind 127.0.0.1:%d\n  tcp-response inspect-delay 10s\n"
            "  tcp-response content %s if { res.hdr(x) no } or { res.payload(0,2) -m str no }\n"
            "  server s 127.0.0.1:%d\n" % (mode, port, action, peer.port))
    client = wait_for(lambda: connected(port), "it listens")
    client.settimeout(.5)
    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    server = peer.accept()
    server.recv(100)
    server.sendall(b"no" if mode == "tcp" else b"HTTP/1.1 200 OK\r\nX: no\r\nContent-Length: 0\r\n\r\n")
    wait_for(lambda: lb.stat()["l", "BACKEND"]["dresp"] == "1", "it is counted")
    try:
        got = client.recv(100)
    except ConnectionResetError:
        got = b""
    except TimeoutError:
        got = None
    lb.finish()
    return got


def answer_refused():
    """tcp-response content: reject ends the connection without an answer, silent-drop does not even do that."""
    for mode in ("tcp", "http"):
        assert answered(mode, "reject") == b"", mode
        if os.geteuid() == 0:  # without CAP_NET_ADMIN, from 127.0.0.1, a reset gets that far
            assert answered(mode, "silent-drop") is None, mode


main({f.__name__: f for f in (half_closed_client, server_fin, client_fin, independent_streams, independent_upload, upgrade_early_end,
                              sockpair, sockpair_refused, answer_refused)})
