# SPDX-License-Identifier: Apache-2.0
"""Actions that change how a request is dealt with: actions.py [NAME...]"""
import socket
import threading
import time

from lbtest import DEFAULTS, free_port, Http, Lb, main, SLOW, wait_for


TCP_SAVE_SYN, TCP_SAVED_SYN = 27, 28


class Server:
    """Answers each request when told to; keeps its targets in the order in which they came."""

    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.sock.getsockname()[1]
        self.seen = []
        self.sockets = []
        self.go = threading.Semaphore(0)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            c, _ = self.sock.accept()
            self.sockets.append(c)
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        buf = b""
        while True:
            while b"\r\n\r\n" not in buf:
                try:
                    got = c.recv(65536)
                except OSError:
                    return
                if not got:
                    c.close()
                    return
                buf += got
            head, buf = buf.split(b"\r\n\r\n", 1)
            self.seen.append(head.split(b" ")[1].decode())
            self.go.acquire()
            try:
                c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            except OSError:
                return


def asked(port, path, extra=""):
    c = Http(port)
    c.send("GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n" % (path, extra))
    return c


def status_of(port, path, extra=""):
    with asked(port, path, extra) as c:
        return c.head()[0]


def priorities():
    """Queues are left by class, then by time and offset: the backend's and a server's."""
    order_left("", "BACKEND")
    order_left("use-server s if TRUE", "s")


def order_left(extra_line, queue):
    server, port = Server(), free_port()
    lb = Lb(DEFAULTS + """
listen l
  bind 127.0.0.1:%d
  http-request set-priority-class req.hdr(class)
  http-request set-priority-offset req.hdr(offset) if { req.hdr(offset) -m found }
  timeout queue 60s
  %s
  server s 127.0.0.1:%d maxconn 1
""" % (port, extra_line, server.port))
    clients = [asked(port, "/first")]
    wait_for(lambda: server.seen, "the first request arrives")
    asks = (("/plain", ""), ("/late", "offset: 60000\r\n"), ("/low", "class: 10\r\n"), ("/far", "class: 99999\r\n"),
            ("/early", "offset: -60000\r\n"), ("/high", "class: -10\r\n"), ("/low-early", "class: 10\r\noffset: -60000\r\n"),
            ("/plain2", ""), ("/none", "class: x\r\n"))
    for i, (path, extra) in enumerate(asks):
        clients.append(asked(port, path, extra))
        wait_for(lambda n=i + 1: lb.stat()["l", queue]["qcur"] == str(n), "%s waits" % path)
        time.sleep(0.002)  # the clock of the queue counts milliseconds
    for _ in clients:
        server.go.release()
    for c in clients:
        assert c.head()[0] == 200
    assert server.seen == ["/first", "/high", "/early", "/plain", "/plain2", "/none", "/late", "/low-early", "/low", "/far"], server.seen
    lb.finish()


def timeouts():
    """set-timeout wins over the proxies' timeouts, wherever it stands; what gives no time changes nothing."""
    mute, server, port, full = Server(), Server(), free_port(), socket.create_server(("127.0.0.1", 0), backlog=0)
    fill = [socket.socket() for _ in range(2)]
    for s in fill:  # its backlog: further connections get no answer
        s.setblocking(False)
        s.connect_ex(full.getsockname())
    lb = Lb("""
defaults
  mode http
  timeout connect 100s
  timeout client 100s
  timeout server 100s
  timeout queue 100s
  timeout tarpit 100s
  retries 0
frontend f
  bind 127.0.0.1:%d
  http-request set-timeout server 200ms if { path /fe }
  http-request set-timeout client 200 if { path /client }
  http-request set-timeout tarpit 200ms
  http-request tarpit deny_status 429 if { path /tarpit }
  use_backend full if { path /connect }
  use_backend queue if { path_beg /queue }
  use_backend late if { path /late }
  default_backend b
backend b
  http-request set-timeout server req.hdr(ms)
  http-response set-timeout server 200ms if { status 200 }
  server s 127.0.0.1:%d
backend full
  http-request set-timeout connect 200ms
  server s 127.0.0.1:%d
backend queue
  http-request set-timeout queue 200ms
  server s 127.0.0.1:%d maxconn 1
backend late
  http-request set-timeout server req.hdr(ms)
  server s 127.0.0.1:%d
""" % (port, mute.port, full.getsockname()[1], server.port, server.port))
    start = time.monotonic()
    assert status_of(port, "/fe") == 504
    assert status_of(port, "/be", "ms: 200\r\n") == 504
    assert status_of(port, "/tarpit") == 429
    assert status_of(port, "/connect") == 503
    holder = asked(port, "/queue1")
    wait_for(lambda: "/queue1" in server.seen, "the slot is taken")
    assert status_of(port, "/queue2") == 503
    server.go.release()
    assert holder.head()[0] == 200
    with Http(port) as c:  # half a body, and no more
        c.send("POST /client HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12")
        assert c.head()[0] == 408
    assert time.monotonic() - start < 90 * SLOW
    waiting = asked(port, "/late", "ms: x\r\n")
    wait_for(lambda: "/late" in server.seen, "it arrives")
    time.sleep(0.5)
    server.go.release()
    assert waiting.head()[0] == 200
    lb.finish()


def tunnel_timeout():
    """set-timeout tunnel, from the response's rules."""
    listener, port = socket.create_server(("127.0.0.1", 0)), free_port()
    lb = Lb(DEFAULTS + """
listen l
  bind 127.0.0.1:%d
  timeout client 100s
  timeout server 100s
  http-response set-timeout tunnel 200ms if { status 101 }
  server s 127.0.0.1:%d
""" % (port, listener.getsockname()[1]))
    with asked(port, "/", "Connection: Upgrade\r\nUpgrade: x\r\n") as c:
        s, _ = listener.accept()
        s.recv(65536)
        s.sendall(b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
        assert c.head()[0] == 101
        c.sock.settimeout(60)
        try:
            assert c.sock.recv(10) == b""
        except ConnectionResetError:
            pass
    lb.finish()


def retries():
    """set-retries: attempts at a server that closes at once; disable-l7-retry: none."""
    listener, port = socket.create_server(("127.0.0.1", 0), backlog=50), free_port()
    attempts = []

    def close_all():
        while True:
            c, _ = listener.accept()
            attempts.append(c.recv(65536).split(b" ")[1])
            c.close()

    threading.Thread(target=close_all, daemon=True).start()
    lb = Lb(DEFAULTS + """
listen l
  bind 127.0.0.1:%d
  retries 1
  retry-on all-retryable-errors
  http-request set-retries 4 if { path /four }
  http-request set-retries req.hdr(n) if { path /header }
  http-request disable-l7-retry if { path /once }
  http-request set-retries 0 if { path /zero }
  server s 127.0.0.1:%d
""" % (port, listener.getsockname()[1]))
    for path, extra, n in (("/default", "", 2), ("/four", "", 5), ("/header", "n: 2\r\n", 3), ("/header", "", 2),
                           ("/header", "n: -7\r\n", 1), ("/once", "", 1), ("/zero", "", 1)):
        attempts.clear()
        assert status_of(port, path, extra) == 502, path
        assert attempts == [path.encode()] * n, (path, extra, attempts)
    lb.finish()


def marks():
    """set-bc-tos: connections of their own, with that field from the first packet on."""
    server, port = Server(), free_port()
    server.sock.setsockopt(socket.IPPROTO_TCP, TCP_SAVE_SYN, 1)
    lb = Lb(DEFAULTS + """
listen l
  bind 127.0.0.1:%d
  http-reuse always
  http-request set-bc-tos 0x20 if { path /twenty }
  http-request set-bc-tos req.hdr(tos) if { path /header }
  server s 127.0.0.1:%d
""" % (port, server.port))
    with Http(port) as c:
        for path, extra in (("/plain", ""), ("/twenty", ""), ("/header", "tos: 80\r\n"), ("/plain", ""), ("/header", "")):
            server.go.release()
            assert c.get(path, extra)[0] == 200
    # the second byte of the IPv4 header of each connection's first packet
    got = [s.getsockopt(socket.IPPROTO_TCP, TCP_SAVED_SYN, 200)[1] for s in server.sockets]
    assert got == [0, 0x20, 80], got
    lb.finish()


def nice():
    """set-nice: transfers are whole, however polite."""
    port, body = free_port(), b"x" * 3000000
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            c, _ = listener.accept()
            with c:
                c.recv(65536)
                c.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    threading.Thread(target=serve, daemon=True).start()
    lb = Lb(DEFAULTS + """
listen l
  bind 127.0.0.1:%d
  http-request set-nice 1024 if { path /nice }
  http-request set-nice -1024 if { path /rude }
  server s 127.0.0.1:%d
""" % (port, listener.getsockname()[1]))
    for path in ("/nice", "/rude", "/"):
        with Http(port) as c:
            status, _, got = c.get(path)
            assert status == 200 and got == body, path
    lb.finish()


def published():
    """Backends that are unpublished or disabled are passed over; force-be-switch; publish and unpublish; reloads."""
    port = free_port(2)
    config = DEFAULTS + "".join("""
backend %s
  %s
  http-request return status 200 content-type text/plain string %s
""" % (name, word, name) for name, word in (("open", ""), ("hidden", "be-unpublished"), ("off", "disabled"))) + """
frontend f
  bind 127.0.0.1:%d
  force-be-switch if { req.hdr(tester) -m found }
  use_backend %%[req.hdr(be)] if { req.hdr(be) -m found }
  use_backend off if { path /off }
  use_backend hidden if { path /hidden }
  default_backend open
frontend g
  bind 127.0.0.1:%d
  default_backend hidden
""" % (port, port + 1)
    lb = Lb(config)

    def reached(path, extra=""):
        with Http(port) as c:
            return c.get(path, extra)[2].decode()

    assert [reached(p) for p in ("/hidden", "/off", "/")] == ["open", "open", "open"]
    assert [reached(p, "tester: 1\r\n") for p in ("/hidden", "/off", "/")] == ["hidden", "off", "open"]
    assert reached("/", "be: hidden\r\n") == "open" and reached("/", "be: hidden\r\ntester: x\r\n") == "hidden"
    assert reached("/hidden", "be: nothing\r\n") == "open"
    assert status_of(port + 1, "/") == 503
    assert "Backend published" in lb.ask("publish backend hidden")
    assert reached("/hidden") == "hidden" and status_of(port + 1, "/") == 200
    assert "already" in lb.ask("publish backend hidden")
    assert "Backend unpublished" in lb.ask("unpublish backend open") and status_of(port, "/") == 503
    assert "No such backend" in lb.ask("publish backend f")
    assert "A backend name is expected" in lb.ask("unpublish backend")
    lb.ask("reload")
    assert reached("/hidden") == "hidden" and status_of(port, "/") == 503, "what an operator said stays"
    lb.write(config.replace("be-unpublished", ""))
    lb.ask("unpublish backend hidden")
    lb.ask("reload")
    assert reached("/hidden") == "hidden", "the line has changed"
    lb.finish()


def idle_close():
    """A stop closes idle connections, or lets each bring one more request."""
    for option, n in (("", 0), ("option idle-close-on-response", 1)):
        port = free_port()
        lb = Lb(DEFAULTS + """
frontend f
  bind 127.0.0.1:%d
  %s
  http-request return status 200
""" % (port, option))
        with Http(port) as c, Http(port) as keeper:
            assert c.get()[0] == 200
            keeper.send("GET / HTTP/1.1\r\n")  # holds the process
            wait_for(lambda: lb.stat()["f", "FRONTEND"]["scur"] == "2", "both are there")
            lb.signal("SIGUSR1")
            if not n:
                assert c.sock.recv(10) == b""
            else:
                wait_for(lambda: lb.info("Stopping") == "1", "it stops")
                status, fields, _ = c.get()
                assert (status, fields["connection"]) == (200, "close")
                assert c.sock.recv(10) == b""
        lb.wait()


def trailers():
    """Trailers pass in both directions, or in none."""
    listener, port = socket.create_server(("127.0.0.1", 0)), free_port(2)
    got = []

    def serve():
        while True:
            c, _ = listener.accept()
            with c:
                text = b""
                while not text.endswith(b"0\r\nx-req: 1\r\n\r\n") and not text.endswith(b"0\r\n\r\n"):
                    text += c.recv(65536)
                got.append(text)
                c.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Res: 1\r\n\r\n")

    threading.Thread(target=serve, daemon=True).start()
    lb = Lb(DEFAULTS + "".join("""
listen l%d
  bind 127.0.0.1:%d
  %s
  server s 127.0.0.1:%d
""" % (i, port + i, words, listener.getsockname()[1]) for i, words in enumerate((
        "", "option http-drop-request-trailers\n  option http-drop-response-trailers"))))
    for i, there in enumerate((True, False)):
        with socket.create_connection(("127.0.0.1", port + i), 20) as c:
            c.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nhi\r\n0\r\nX-Req: 1\r\n\r\n")
            answer = b""
            while True:
                more = c.recv(65536)
                if not more:
                    break
                answer += more
        assert (b"x-res: 1" in answer) == there and (b"x-req: 1" in got[i]) == there, (i, answer, got)
        assert b"ok" in answer and b"hi" in got[i]
    lb.finish()


if __name__ == "__main__":
    main({"priorities": priorities, "timeouts": timeouts, "tunnel_timeout": tunnel_timeout, "retries": retries, "marks": marks,
          "nice": nice, "published": published, "idle_close": idle_close, "trailers": trailers})
