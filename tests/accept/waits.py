# SPDX-License-Identifier: Apache-2.0
"""Rules that hold messages up: waits.py [NAME...]"""
import hashlib
import random
import socket
import threading
import time

from lbtest import DEFAULTS, free_port, Http, Lb, main, wait_for

BODY = random.Random(1).randbytes(3000000)
SHA = hashlib.sha1(BODY).hexdigest().upper()


class Server:
    """Calls play(connection, head) for each connection; counts them."""

    def __init__(self, play):
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.sock.getsockname()[1]
        self.n = 0
        self.play = play
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            c, _ = self.sock.accept()
            self.n += 1
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        with c:
            try:
                head = b""
                while b"\r\n\r\n" not in head:
                    got = c.recv(1)
                    if not got:
                        return
                    head += got
                self.play(c, head)
            except OSError:
                pass


def chunks(body, size):
    out = [b"%x\r\n%b\r\n" % (len(body[i:i + size]), body[i:i + size]) for i in range(0, len(body), size)]
    return b"".join(out) + b"0\r\n\r\n"


def post(port, path, body, extra=b"", framing=None):
    """(status, fields, body) of the answer"""
    with Http(port) as c:
        framing = framing or b"Content-Length: %d\r\n" % len(body)
        c.send(b"POST %s HTTP/1.1\r\nHost: a\r\n%s%s\r\n" % (path, framing, extra))
        try:
            c.send(body)
        except ConnectionError:
            pass  # answered before all was read
        status, fields = c.head()
        return status, fields, c.body(fields)


def echo_body(c, head):
    """Reads a body by its length, and answers with its digest."""
    n = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    got = b""
    while len(got) < n:
        got += c.recv(65536)
    answer = hashlib.sha1(got).hexdigest().upper().encode()
    c.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 40\r\n\r\n" + answer)


def request_bodies():
    """Rules see all of a body up to max-body, however it comes; the server gets it whole."""
    server, port = Server(echo_body), free_port()
    lb = Lb(DEFAULTS + """
listen l
  bind 127.0.0.1:%d
  http-request wait-for-body time 60s if { path /small }
  http-request wait-for-body time 60s max-body 4m unless { path /small }
  http-request return status 200 content-type text/plain lf-string %%[req.body,sha1,hex] if { path /digest }
  http-request deny deny_status 413 if { req.body_len ge 4194304 }
  http-request set-header x-len %%[req.body_len]
  http-request set-header x-found yes if { req.body -m sub needle }
  http-response set-header x-len %%[var(txn.len)]
  http-request set-var(txn.len) req.body_len
  server s 127.0.0.1:%d
""" % (port, server.port))
    assert post(port, b"/digest", BODY)[2].decode() == SHA
    for size in (7, 1000, 100000):  # tiny ones are many
        part = BODY[:size * 5000]
        want = hashlib.sha1(part).hexdigest().upper()
        got = post(port, b"/digest", chunks(part, size), framing=b"Transfer-Encoding: chunked\r\n")
        assert got[2].decode() == want, size
    status, fields, digest = post(port, b"/through", BODY)
    assert (status, fields["x-len"], digest.decode()) == (200, "3000000", SHA)
    status, fields, digest = post(port, b"/small", BODY)
    assert (status, digest.decode()) == (200, SHA) and 16000 < int(fields["x-len"]) <= 16384, fields
    assert post(port, b"/large", b"x" * 5000000)[0] == 413
    assert post(port, b"/digest", b"")[2].decode() == hashlib.sha1(b"").hexdigest().upper()
    lb.finish()


def continued():
    """A client that waits for 100 gets it; what comes piece by piece is waited for, up to at-least."""
    port = free_port()
    lb = Lb(DEFAULTS + """
frontend f
  bind 127.0.0.1:%d
  http-request wait-for-body time 60s at-least 4 if { path /four }
  http-request wait-for-body time 60s unless { path /four }
  http-request return status 200 content-type text/plain lf-string %%[req.body]
""" % port)
    with Http(port) as c:
        c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert c.head()[0] == 100
        for byte in b"hello":
            c.send(bytes([byte]))
            time.sleep(0.01)
        status, fields = c.head()
        assert (status, c.body(fields)) == (200, b"hello")
    with Http(port) as c:
        c.send("POST /four HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n12")
        time.sleep(0.05)
        c.send("34")
        status, fields = c.head()
        assert (status, c.body(fields)) == (200, b"1234")
    lb.finish()


def late_bodies():
    """A request whose body does not come gets 408, a response 504; a broken one 400, or 502."""
    def half(c, head):
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        if b"/cut" in head:
            return
        c.recv(1)

    server, port = Server(half), free_port()
    lb = Lb(DEFAULTS + """
listen l
  bind 127.0.0.1:%d
  http-request wait-for-body time 200ms if { path /request }
  http-request wait-for-body time 60s if { path /chunks }
  http-response wait-for-body time 200ms if { var(txn.path) -m str /response }
  http-response wait-for-body time 60s unless { var(txn.path) -m str /response }
  http-request set-var(txn.path) path
  server s 127.0.0.1:%d
""" % (port, server.port))
    assert post(port, b"/request", b"123", framing=b"Content-Length: 5\r\n")[0] == 408
    assert post(port, b"/chunks", b"5\r\nhelloX", framing=b"Transfer-Encoding: chunked\r\n")[0] == 400
    assert server.n == 0
    assert post(port, b"/response", b"")[0] == 504
    assert post(port, b"/cut", b"")[0] == 502
    with Http(port) as c:  # gone while waited for
        c.send("POST /chunks HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n123")
    wait_for(lambda: lb.stat()["l", "FRONTEND"]["scur"] == "0", "the stream ends")
    row = lb.stat()["l", "BACKEND"]
    assert (server.n, row["eresp"]) == (2, "2"), (server.n, row["eresp"])
    lb.finish()


def response_bodies():
    """Rules on responses see the body, of any framing; the client gets it whole, or another answer."""
    def answer(c, head):
        path = head.split(b" ")[1]
        if path.startswith(b"/chunked"):
            c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks(BODY, 999))
        elif path.startswith(b"/eof"):
            c.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY)
        elif path.startswith(b"/slow"):
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsec")
            time.sleep(0.1)
            c.sendall(b"ret")
        elif path.startswith(b"/none"):
            c.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        else:
            c.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)

    server, port = Server(answer), free_port()
    lb = Lb(DEFAULTS + """
listen l
  bind 127.0.0.1:%d
  http-response wait-for-body time 60s max-body 4m
  http-response deny deny_status 403 if { res.body -m sub secret }
  http-response set-header x-sha %%[res.body,sha1,hex]
  http-response set-header x-len %%[res.body_len]
  server s 127.0.0.1:%d
""" % (port, server.port))
    for path in (b"/length", b"/chunked", b"/eof"):
        status, fields, body = post(port, path, b"")
        assert (status, fields["x-sha"], fields["x-len"]) == (200, SHA, "3000000"), (path, status, fields)
        assert body == BODY
    assert post(port, b"/slow", b"")[0] == 403
    with Http(port) as c:
        c.send("GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.head()[0] == 204
        c.send("HEAD /length HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.head()[0] == 200
    lb.finish()


def retried():
    """What was waited for is there for another attempt, beyond a buffer's size, too."""
    def once(c, head):
        if server.n == 1:
            c.recv(1)
            return
        echo_body(c, head)

    server = Server(once)
    port = free_port()
    lb = Lb(DEFAULTS + """
listen l
  bind 127.0.0.1:%d
  retry-on all-retryable-errors
  http-request wait-for-body time 60s max-body 4m
  server s 127.0.0.1:%d
""" % (port, server.port))
    assert post(port, b"/", BODY)[2].decode() == SHA and server.n == 2
    lb.finish()


def pauses():
    """pause, in both directions, by time and by expression; timeouts of others do not count meanwhile."""
    def answer(c, _):
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        c.recv(1)

    server, port = Server(answer), free_port()
    lb = Lb("""
defaults
  mode http
  timeout connect 60s
  timeout client 60s
  timeout server 60s
listen l
  bind 127.0.0.1:%d
  http-request set-var(txn.path) path
  http-request pause 300 if { path /request }
  http-request pause req.hdr(ms) if { path /header }
  http-request set-timeout server 200ms if { path /response }
  http-response pause 500ms if { var(txn.path) -m str /response }
  http-request pause 1h if { path /long }
  server s 127.0.0.1:%d
""" % (port, server.port))
    for path, extra, least in (("/request", "", 0.3), ("/header", "ms: 200\r\n", 0.2), ("/header", "", 0), ("/header", "ms: -5\r\n", 0),
                               ("/header", "ms: x\r\n", 0), ("/response", "", 0.5)):
        start = time.monotonic()
        with Http(port) as c:
            status, _, body = c.get(path, extra)
        assert (status, body) == (200, b"ok"), path
        assert time.monotonic() - start >= least - 0.02, path
    with Http(port) as c:
        c.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_for(lambda: lb.stat()["l", "FRONTEND"]["scur"] == "1", "it waits")
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_for(lambda: lb.stat()["l", "FRONTEND"]["scur"] == "0", "a client that is gone is not kept")
    lb.finish()


if __name__ == "__main__":
    main({"request_bodies": request_bodies, "continued": continued, "late_bodies": late_bodies, "response_bodies": response_bodies,
          "retried": retried, "pauses": pauses})
