# SPDX-License-Identifier: Apache-2.0
"""Workers, limits, descriptors, signals: engine.py [NAME...]"""
import hashlib
import os
import re
import random
import resource
import socket
import subprocess
import threading
import time

from lbtest import accepts, DEFAULTS, folder, free_port, get, Http, IS_SANITIZED, Lb, main, Origin, SLOW, wait_for

ANSWER = '  http-request return status 200 content-type text/plain string "hi"\n'


def in_parallel(n, fn):
    """Runs fn(i) in n threads; the results in order, exceptions raised."""
    out = [None] * n
    errors = []

    def run(i):
        try:
            out[i] = fn(i)
        except Exception as e:  # pylint: disable=broad-except
            errors.append("%s: %r" % (i, e))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, "%d failed: %s" % (len(errors), errors[:3])
    return out


def is_answered(c, seconds=0.0):
    """Whether anything has come for a request sent before."""
    c.sock.settimeout(seconds or 0.001)
    try:
        if not c.buf:
            c.fill()
        return True
    except (socket.timeout, BlockingIOError):
        return False
    finally:
        c.sock.settimeout(20)


def spread_of(bind_options):
    port = free_port()
    lb = Lb(DEFAULTS + "frontend f\n  bind 127.0.0.1:%d %s\n" % (port, bind_options) + ANSWER, nbthread=4)
    clients = []
    for i in range(400):
        clients.append(Http(port))
        if i % 3:  # some ask at once, some in a burst later
            assert clients[-1].get()[0] == 200
    for c in clients:
        assert c.get()[0] == 200
    counts = lb.activity("conns")
    assert sum(counts) == 400 and max(counts) <= 130, counts
    for c in clients:
        c.close()
    wait_for(lambda: sum(lb.activity("conns")) == 0, "closed connections are no longer counted")
    lb.finish()
    return counts


def spread():
    """400 idle clients on 4 workers: none has more than 1.3 times the mean."""
    print(spread_of(""))


def spread_shards():
    """The kernel deals out connections by hash, the workers even it out."""
    print(spread_of("shards by-thread"))


def spread_burst():
    port = free_port()
    lb = Lb(DEFAULTS + "frontend f\n  bind 127.0.0.1:%d\n" % port + ANSWER, nbthread=4)
    clients = in_parallel(20, lambda i: [Http(port) for _ in range(20)])
    for some in clients:
        for c in some:
            assert c.get()[0] == 200
    counts = lb.activity("conns")
    assert sum(counts) == 400 and max(counts) <= 130, counts
    print(counts)
    lb.finish()


def emfile():
    """Out of descriptors: accepting pauses without spinning, no server is down for it, the rest goes on, and it resumes."""
    port, origin = free_port(), Origin("o")
    lb = Lb(DEFAULTS + "frontend f\n  bind 127.0.0.1:%d\n  default_backend b\nbackend b\n  retries 0\n"
            "  server s %s\nbackend checked\n  server s %s check inter 100 fall 1\n" % (port, origin.addr, origin.addr),
            extra_global="  maxconn 500\n  log stdout format raw local0")
    resource.prlimit(lb.pid, resource.RLIMIT_NOFILE, (60, 60))  # at start it would be raised or refused
    clients = [Http(port) for _ in range(150)]
    for c in clients[:5]:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    time.sleep(0.5)
    before = lb.cpu_seconds()
    time.sleep(1)
    used = lb.cpu_seconds() - before
    assert used < 0.2 * SLOW, "%.2f s of CPU in a second while out of descriptors" % used
    assert lb.is_running()
    for _ in range(3):
        assert int(lb.info("CurrConns")) > 5, "the admin socket answers"
    assert lb.stat()["checked", "s"]["status"] == "UP", "a check that lacks a descriptor says nothing of its server"
    n = 0
    for c in clients[5:]:
        c.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    for c in clients[:5]:
        c.close()
    for c in clients[5:]:  # as each ends, the next ones get in; no descriptor for a server: 503
        status, fields = c.head()
        c.body(fields)
        assert status in (200, 503), status
        n += status == 200
        c.close()
    wait_for(lambda: get(port)[0] == 200, "it serves again")
    assert sum(lb.activity("accept_emfile")) > 0
    print("%d of 145 served, %.3f s of CPU while waiting" % (n, used))
    told = lb.finish().count("ran out of file descriptors at 127.0.0.1:%d" % port)
    assert 1 <= told <= 30, "the log tells %d times" % told


def limited(config, extra_global=""):
    """Ten may be in, five wait, and get in as others leave."""
    port = free_port()
    lb = Lb(DEFAULTS + config % port + ANSWER, nbthread=3, extra_global=extra_global)
    clients = [Http(port) for _ in range(15)]
    for c in clients:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    time.sleep(0.5)
    inside = [c for c in clients if is_answered(c)]
    assert len(inside) == 10, "%d are in, not 10" % len(inside)
    before = lb.cpu_seconds()
    time.sleep(0.5)
    assert lb.cpu_seconds() - before < 0.1 * SLOW, "it spins"
    assert "web" in lb.ask("show stat"), "the admin socket answers"
    for c in inside[:5]:
        c.close()
    for c in clients:
        if c not in inside:
            wait_for(lambda: is_answered(c, 0.1), "who waited gets in")
    stat = lb.stat()["web", "FRONTEND"]
    assert int(stat["scur"]) == 10 and int(stat["smax"]) == 10, (stat["scur"], stat["smax"])
    for c in clients:
        c.close()
    assert get(port)[0] == 200
    lb.finish()


def maxconn_global():
    limited("frontend web\n  bind 127.0.0.1:%d\n", "  maxconn 10")


def maxconn_frontend():
    limited("frontend web\n  maxconn 10\n  bind 127.0.0.1:%d\n")


def maxconn_listener():
    limited("frontend web\n  bind 127.0.0.1:%d maxconn 10\n")


def queue():
    """A server's maxconn holds on four workers; the others wait, in turn; nothing is lost."""
    port, origin = free_port(), Origin("o", "--delay", "20")
    lb = Lb(DEFAULTS + "frontend f\n  bind 127.0.0.1:%d\n  default_backend b\nbackend b\n  timeout queue 20s\n"
            "  server s %s maxconn 3\n" % (port, origin.addr), nbthread=4)

    def client(_):
        with Http(port) as c:
            return [c.get()[0] for _ in range(8)]

    for statuses in in_parallel(30, client):
        assert statuses == [200] * 8, statuses
    with Http(origin.port) as c:
        most = int(c.get("/most")[2])
    rows = lb.stat()
    assert most <= 3, "%d requests at once on the server" % most
    row = rows["b", "s"]
    assert row["qcur"] == "0" and int(row["qmax"]) + int(rows["b", "BACKEND"]["qmax"]) > 5, row
    assert int(row["smax"]) <= 3 and row["scur"] == "0", row
    lb.finish()


def queue_timeout():
    """Who waits longer than 'timeout queue' gets 503; who gives up makes room."""
    port, origin = free_port(), Origin("o", "--delay", "1500")
    lb = Lb(DEFAULTS + "frontend f\n  bind 127.0.0.1:%d\n  default_backend b\nbackend b\n  timeout queue 500ms\n"
            "  server s %s maxconn 1\n" % (port, origin.addr))
    first = Http(port)
    first.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    time.sleep(0.2)
    start = time.monotonic()
    assert get(port)[0] == 503
    assert 0.4 < time.monotonic() - start < 0.4 + SLOW, time.monotonic() - start
    assert first.head()[0] == 200
    lb.finish()


def forced_queue():
    """force-persist: who wants a server that is down waits for it in turn, no longer than it may, and goes elsewhere only
    when a reload takes the server away."""
    asked, port, other = [], free_port(), Origin("other")
    origin = socket.create_server(("127.0.0.1", 0), backlog=100)

    def serve():
        while True:
            c, _ = origin.accept()
            asked.append((c, c.recv(1000)))

    def answer(i):
        asked[i][0].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\ns")
        asked[i][0].close()

    def queued(path, n):
        c = Http(port)
        c.send("GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path)
        wait_for(lambda: lb.stat()["web", "s"]["qcur"] == str(n), "%s waits" % path)
        return c

    def has(c, status, text):
        head = c.head()
        assert head[0] == status, head
        assert text is None or c.body(head[1])[:1] == text, head

    threading.Thread(target=serve, daemon=True).start()
    rest = "  server other %s\n" % other.addr
    top = DEFAULTS + """
listen web
  bind 127.0.0.1:%d
  timeout queue 50s
  option redispatch
  force-persist if { path_beg /f }
""" % port
    lb = Lb(top + "  use-server s if TRUE\n  server s 127.0.0.1:%d maxconn 1 maxqueue 2\n" % origin.getsockname()[1] + rest)
    first = queued("/f0", 0)
    wait_for(lambda: len(asked) == 1, "the first has the place")
    second, usual = queued("/f1", 1), queued("/usual", 2)
    lb.ask("disable server web/s")
    assert usual.head()[0] == 200, "who does not insist goes elsewhere"
    third = queued("/f2", 2)
    assert get(port, "/f3")[0] == 503, "the queue is full, and no other server will do"
    before = lb.cpu_seconds()
    time.sleep(0.3)
    assert lb.cpu_seconds() - before < 0.2, "nobody runs in circles"
    for i, c in enumerate((first, second)):
        answer(i)
        has(c, 200, b"s")
        wait_for(lambda: len(asked) == i + 2, "the next has the place")
    fourth = queued("/f4", 1)
    lb.write(top + rest)
    assert "Success=1" in lb.ask("reload")
    assert fourth.head()[0] == 200, "there is no such server any more"
    answer(2)
    has(third, 200, b"s")
    assert [a[1].split(b" ")[1] for a in asked] == [b"/f0", b"/f1", b"/f2"]
    lb.finish()


def dynamic_limit():
    """minconn and fullconn: few requests in the backend, a low limit; many, the full one."""
    port, origin = free_port(), Origin("o", "--delay", "100")
    lb = Lb(DEFAULTS + "frontend f\n  bind 127.0.0.1:%d\n  default_backend b\nbackend b\n  fullconn 40\n"
            "  server s %s minconn 2 maxconn 10\n" % (port, origin.addr))

    def most(n):
        in_parallel(n, lambda i: get(port)[0] == 200 or 1 / 0)
        return int(lb.stat()["b", "s"]["smax"])

    low = most(8)
    assert low == 2, "%d at once with 8 requests" % low
    high = most(40)
    assert 8 <= high <= 10, "%d at once with 40 requests" % high
    lb.finish()


def rate(config, extra_global=""):
    """Eighty connections at 20 a second. The rate slides, and a batch of each worker's may be too much."""
    port = free_port()
    lb = Lb(DEFAULTS + config % port + ANSWER, extra_global=extra_global + "\n  tune.maxaccept 4")
    start = time.monotonic()
    clients = [Http(port) for _ in range(80)]
    for c in clients:
        c.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    time.sleep(0.3)
    first = sum(is_answered(c) for c in clients)
    assert 15 <= first <= 50, "%d at once" % first
    before = lb.cpu_seconds()
    for c in clients:
        assert c.head()[0] == 200
    took = time.monotonic() - start
    assert 1.5 < took < 6 * SLOW, "80 connections in %.1f s" % took
    assert lb.cpu_seconds() - before < 0.3 * SLOW
    print("%d at once, all in %.1f s" % (first, took))
    lb.finish()


def rate_limit_sessions():
    rate("frontend web\n  rate-limit sessions 20\n  bind 127.0.0.1:%d\n")


def maxconnrate():
    rate("frontend web\n  bind 127.0.0.1:%d\n", "  maxconnrate 20")


def maxsessrate():
    rate("frontend web\n  bind 127.0.0.1:%d\n", "  maxsessrate 20")


def slow_config(port, origin):
    return DEFAULTS + "frontend f\n  bind 127.0.0.1:%d\n  default_backend b\nbackend b\n  server s %s\n" % (
        port, origin.addr)


def soft_stop():
    """SIGUSR1: no new connections, idle ones close, a busy one is served to its end, then it ends with 0."""
    port, origin = free_port(), Origin("o")
    lb = Lb(slow_config(port, origin))
    idle, busy = Http(port), Http(port)
    assert idle.get()[0] == 200
    busy.send("GET /slow/100000 HTTP/1.1\r\nHost: a\r\n\r\n")
    status, fields = busy.head()
    lb.signal("SIGUSR1")
    wait_for(lambda: not accepts(port), "new connections are refused")
    assert idle.sock.recv(10) == b"", "the idle connection closes"
    assert status == 200 and len(busy.body(fields)) == 100000
    start = time.monotonic()
    assert lb.wait() == 0
    assert time.monotonic() - start < 2 * SLOW
    lb.finish(status=(0,))


def hard_stop_after():
    port, origin = free_port(), Origin("o", "--echo")
    lb = Lb("defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
            "listen l\n  bind 127.0.0.1:%d\n  server s %s\n" % (port, origin.addr),
            extra_global="  hard-stop-after 1s")
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(b"hello")
    assert s.recv(10) == b"hello"
    start = time.monotonic()
    lb.signal("SIGUSR1")
    time.sleep(0.5)
    s.sendall(b"still")
    assert s.recv(10) == b"still", "the session goes on during the soft stop"
    lb.wait()
    assert 0.8 < time.monotonic() - start < 1.2 + 2 * SLOW
    lb.finish(status=(0,))


def grace():
    """'grace': connections are accepted for that long after SIGUSR1."""
    port = free_port()
    lb = Lb(DEFAULTS + "frontend f\n  bind 127.0.0.1:%d\n" % port + ANSWER, extra_global="  grace 1s")
    lb.signal("SIGUSR1")
    time.sleep(0.3)
    assert get(port)[0] == 200
    lb.finish("SIGCONT", (0,))


def frontend_states(lb):
    return [row["status"] for (_, name), row in lb.stat().items() if name == "FRONTEND"]


def pause():
    """SIGTTOU gives up the ports, SIGTTIN takes them again; sessions go on meanwhile."""
    port, origin = free_port(), Origin("o")
    lb = Lb(slow_config(port, origin))
    c = Http(port)
    assert c.get()[0] == 200
    lb.signal("SIGTTOU")
    wait_for(lambda: not accepts(port), "refused while paused")
    assert c.get()[0] == 200, "a connection that was there is served"
    assert "PAUSED" in frontend_states(lb), frontend_states(lb)
    lb.signal("SIGTTIN")
    wait_for(lambda: accepts(port), "accepts again")
    assert "PAUSED" not in frontend_states(lb), frontend_states(lb)
    assert get(port)[0] == 200
    lb.finish()


def takeover():
    """A second process with -sf takes the ports over from the first, which ends."""
    port, origin = free_port(), Origin("o")
    old = Lb(slow_config(port, origin))
    busy = Http(port)
    busy.send("GET /slow/100000 HTTP/1.1\r\nHost: a\r\n\r\n")
    status, fields = busy.head()
    new = Lb(slow_config(port, origin), args=("-sf", str(old.pid)))
    wait_for(lambda: accepts(port), "the new one accepts")
    assert get(port)[0] == 200 and status == 200
    assert len(busy.body(fields)) == 100000, "the old one serves what it had"
    assert old.wait() == 0
    old.finish(status=(0,))
    assert get(port)[0] == 200
    new.finish()


def state_dump():
    """SIGHUP: the servers' states go to the log."""
    port, origin, log = free_port(), Origin("o"), os.path.join(folder(), "log")
    udp = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    udp.bind(log)
    udp.settimeout(5 * SLOW)
    lb = Lb(slow_config(port, origin).replace("defaults", "defaults\n  log %s local0" % log, 1),
            extra_global="  log %s local0" % log)
    assert get(port)[0] == 200
    lb.signal("SIGHUP")
    text = ""
    while "Proxy b " not in text:
        text += udp.recv(2000).decode() + "\n"
    assert "SIGHUP received, dumping servers states." in text, text
    # the answer can be here before the server's end of it is over
    assert re.search(r"SIGHUP: Server b/s is UP\. Conn: [01] act, 0 pend, 1 tot\.", text), text
    assert "Proxy b has 1 active servers and 0 backup servers available." in text, text
    lb.finish()


def stop_now():
    """SIGTERM and SIGINT end it at once, whatever is open."""
    for name in ("SIGTERM", "SIGINT"):
        port, origin = free_port(), Origin("o", "--delay", "10000")
        lb = Lb(slow_config(port, origin))
        c = Http(port)
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.2)
        start = time.monotonic()
        lb.finish(name)
        assert time.monotonic() - start < 1 + SLOW


def stop_busy():
    """Ending gives everything back, whatever state connections are in; a leak fails instrumented builds."""
    port, origin = free_port(2), Origin("o")
    slow = Origin("slow", "--delay", "10000")
    lb = Lb(DEFAULTS + """
listen web
  bind 127.0.0.1:%d accept-proxy
  use_backend slow if { path /slow }
  http-request tarpit if { path /tarpit }
  option http-buffer-request
  timeout tarpit 10s
  server o %s check inter 100ms
backend slow
  server slow %s maxconn 2 check inter 100ms
listen raw
  mode tcp
  bind 127.0.0.1:%d
  server o %s
""" % (port, origin.addr, slow.addr, port + 1, origin.addr), nbthread=4)
    clients = [Http(port + 1) for _ in range(8)]
    for i in range(48):
        clients.append(Http(port))
        clients[-1].send(("PROXY UNKNOWN\r\n", "PROXY UNK")[i % 8 == 7])
        if i % 8 == 0:
            assert clients[-1].get()[0] == 200  # and idle from then on
        elif i % 8 < 7:
            clients[-1].send(("GET /half HTT", "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n",
                              "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1",
                              "GET /tarpit HTTP/1.1\r\nHost: a\r\n\r\n",
                              "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
                              "")[i % 8 - 1])
    wait_for(lambda: lb.stat()["slow", "BACKEND"]["qcur"] == "4", "four wait in the queue")
    start = time.monotonic()
    lb.finish()
    assert time.monotonic() - start < 5 * SLOW, "it waits for nobody"
    for c in clients:
        c.close()


def content():
    """Four workers, many clients, every byte of every answer checked; idle server connections change owners."""
    port, origins = free_port(), [Origin("o%d" % i) for i in range(3)]
    lb = Lb(DEFAULTS + "frontend f\n  bind 127.0.0.1:%d\n  default_backend b\nbackend b\n  http-reuse always\n" % port +
            "".join("  server s%d %s%s\n" % (i, o.addr, " maxconn 4" if i == 2 else "")
                    for i, o in enumerate(origins)), nbthread=4)

    def client(i):
        rnd = random.Random(i)
        c = Http(port)
        for n in range(30 if IS_SANITIZED else 60):
            kind = rnd.choice(("name", "bytes", "chunked", "post", "post-chunked", "close"))
            size = rnd.choice((0, 1, 100, 16384, 70000, 300000))
            extra = "Connection: close\r\n" if kind == "close" else ""
            if kind.startswith("post"):
                body = rnd.randbytes(size)
                head = "POST /p HTTP/1.1\r\nHost: a\r\n"
                if kind == "post":
                    c.send(("%sContent-Length: %d\r\n\r\n" % (head, size)).encode() + body)
                else:
                    c.send(head + "Transfer-Encoding: chunked\r\n\r\n")
                    for at in range(0, size, 9999):
                        piece = body[at:at + 9999]
                        c.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                    c.send("0\r\n\r\n")
                status, fields = c.head()
                got = c.body(fields).decode()
                assert (status, got) == (200, "%d %s" % (size, hashlib.sha256(body).hexdigest())), (status, got)
            elif kind in ("bytes", "chunked"):
                status, fields, got = c.get("/%s/%d" % (kind, size))
                assert status == 200 and len(got) == size, (status, len(got))
                assert hashlib.sha256(got).hexdigest() == fields["x-sha256"]
            else:
                path = "/%d/%d" % (i, n)
                status, fields, got = c.get(path, extra)
                assert status == 200 and got.decode() == fields["x-origin"] + " " + path, got
            if kind == "close":
                c.close()
                c = Http(port)
        c.close()

    in_parallel(12 if IS_SANITIZED else 24, client)
    rows = lb.stat()
    assert rows["b", "BACKEND"]["hrsp_5xx"] == rows["b", "BACKEND"]["hrsp_4xx"] == "0"
    assert int(rows["b", "BACKEND"]["reuse"]) > int(rows["b", "BACKEND"]["connect"])
    print("%s requests, %s connections to servers" % (
        rows["f", "FRONTEND"]["req_tot"], rows["b", "BACKEND"]["connect"]))
    lb.finish()


def unix_get(path):
    c = Http.__new__(Http)
    c.sock, c.buf = socket.socket(socket.AF_UNIX), b""
    c.sock.settimeout(10)
    c.sock.connect(path)
    return c.get("/", "Connection: close\r\n")[0]


def binds():
    """Every family of address, ranges, lists, inherited sockets, one socket per worker."""
    where, base, second, six, shard = folder(), free_port(4), free_port(), free_port(), free_port()
    abns = "lb-%d" % os.getpid()
    given = socket.socket()
    given.bind(("127.0.0.1", 0))
    given.listen()
    env = dict(os.environ, given=str(given.fileno()))
    lb = Lb(DEFAULTS + """frontend f
  bind 127.0.0.1:{b}-{e},127.0.0.1:{s}
  bind unix@{w}/sock mode 600
  bind {w}/plain
  bind abns@{a}
  bind "fd@${{given}}"
  bind ipv6@[::1]:{six}
  bind 127.0.0.1:{shard} shards by-thread
""".format(b=base, e=base + 3, s=second, w=where, a=abns, six=six, shard=shard) + ANSWER, nbthread=3, env=env,
            pass_fds=(given.fileno(),))
    for port in list(range(base, base + 4)) + [second, shard, given.getsockname()[1]]:
        for _ in range(5):
            assert get(port)[0] == 200, port
    assert get(six, host="::1")[0] == 200
    assert os.stat(where + "/sock").st_mode & 0o777 == 0o600
    for path in (where + "/sock", where + "/plain", "\0" + abns):
        try:
            assert unix_get(path) == 200
        except ConnectionRefusedError:  # as HAProxy has it, the name of abns@ is as long as sun_path
            assert unix_get(path.ljust(108, "\0")) == 200
    inodes = subprocess.run(["ss", "-ltnH", "sport = :%d" % shard], capture_output=True, text=True).stdout
    assert not inodes or len(inodes.strip().split("\n")) == 3, inodes
    lb.finish()
    given.close()
    assert not os.path.exists(where + "/sock"), "socket files are removed"


def privileges():
    """chroot, user: nothing of root is left but the right to low ports."""
    if os.geteuid() != 0:
        print("needs root")
        return
    port, root = free_port(), folder()
    os.chmod(root, 0o755)
    lb = Lb(DEFAULTS + "frontend f\n  bind 127.0.0.1:%d\n" % port + ANSWER,
            extra_global="  chroot %s\n  user nobody\n  group nogroup\n  setcap cap_net_bind_service" % root,
            env=dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"))
    assert get(port)[0] == 200
    with open("/proc/%d/status" % lb.pid) as f:
        status = dict(line.split(":", 1) for line in f.read().splitlines())
    assert set(status["Uid"].split()) == {str(__import__("pwd").getpwnam("nobody").pw_uid)}, status["Uid"]
    assert set(status["Gid"].split()) == {str(__import__("grp").getgrnam("nogroup").gr_gid)}, status["Gid"]
    assert int(status["CapEff"], 16) == 1 << 10, status["CapEff"]
    assert os.readlink("/proc/%d/root" % lb.pid) == root
    for task in os.listdir("/proc/%d/task" % lb.pid):
        with open("/proc/%d/task/%s/status" % (lb.pid, task)) as f:
            assert "CapEff:\t%016x" % (1 << 10) in f.read(), "every thread has the same"
    reply = lb.ask("reload")
    assert "Success=0" in reply and "nothing was changed" in reply, reply
    assert get(port)[0] == 200
    lb.finish()


def blocked_log():
    """A log that nobody reads: requests go on, lines are dropped and counted."""
    port, (r, w) = free_port(), os.pipe()
    full = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    path = os.path.join(folder(), "log")
    full.bind(path)
    lb = Lb(DEFAULTS + "frontend f\n  log fd@%d format raw local0\n  log %s local0\n  option httplog\n"
            "  bind 127.0.0.1:%d\n" % (w, path, port) + ANSWER, pass_fds=(w,))
    start = time.monotonic()
    with Http(port) as c:
        for i in range(3000):
            assert c.get("/" + "x" * 500)[0] == 200
    assert time.monotonic() - start < 10 * SLOW
    assert get(port)[0] == 200
    wait_for(lambda: int(lb.info("DroppedLogs")) > 100, "dropped lines are counted")
    os.close(r)
    full.close()
    assert get(port)[0] == 200, "a pipe without a reader does no harm"
    lb.finish()
    os.close(w)


def no_memory():
    """Every twentieth allocation fails: requests fail, nothing else does, and afterwards all is as before."""
    port, tcp, origin, echo = free_port(), free_port(), Origin("o"), Origin("e", "--echo")
    config = (DEFAULTS.replace("30s", "2s") + """frontend f
  bind 127.0.0.1:%d
  option forwardfor
  http-request set-header X-Path %%[path]-%%[src]
  http-request set-var(txn.path) path
  http-request redirect location /elsewhere if { path /redirect }
  default_backend b
backend b
  option http-buffer-request
  server s0 %s check inter 100ms
  server s1 %s check inter 100ms maxconn 3
listen t
  mode tcp
  bind 127.0.0.1:%d
  server e %s
""") % (port, origin.addr, origin.addr, tcp, echo.addr)
    lb = Lb(config)
    head = lb.head
    lb.head = head.replace("global\n", "global\n  tune.fail-alloc 5\n")
    lb.write(config)
    assert "Success=1" in lb.ask("reload")
    end = time.monotonic() + 3
    statuses = {}

    def talk(i):
        if i % 4 == 0:
            s = socket.create_connection(("127.0.0.1", tcp), 5)
            s.sendall(b"x" * 10000)
            s.recv(1)
            s.close()
            return
        with Http(port, timeout=5) as c:
            for path in ("/a", "/bytes/100000", "/chunked/100000", "/redirect"):
                status = c.get(path, "".join("X-%d: value\r\n" % n for n in range(30)))[0]
                statuses[status] = statuses.get(status, 0) + 1
            c.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n" + b"y" * 30000)
            c.body(c.head()[1])

    def client(i):
        while time.monotonic() < end:
            try:
                talk(i)
            except (OSError, EOFError):
                pass
            assert lb.is_running(), lb.output()

    in_parallel(8, client)
    assert statuses.get(200, 0) > 100, statuses
    lb.head = head
    lb.write(config)

    def is_well():
        try:
            return "Success=1" in lb.ask("reload")
        except OSError:
            return False

    wait_for(is_well, "a reload without failures")
    assert int(lb.info("PoolFailed")) > 100
    for _ in range(20):
        assert get(port)[0] == 200
    wait_for(lambda: lb.info("CurrConns") == "0" and not lb.ask("show sess").strip(), "all connections end")
    print(statuses)
    lb.finish()


def stdout_gone():
    """Standard output and error are closed pipes."""
    r, w = os.pipe()
    port = free_port()
    lb = Lb(DEFAULTS + "frontend f\n  log stdout format raw local0\n  option httplog\n  bind 127.0.0.1:%d\n" % port +
            ANSWER, stdout=w, stderr=w)
    os.close(w)
    os.close(r)
    for _ in range(3):
        assert get(port)[0] == 200
    lb.ask("reload")
    assert get(port)[0] == 200
    lb.finish()


if __name__ == "__main__":
    main({k: v for k, v in list(globals().items())
          if getattr(v, "__module__", "") == "__main__" and hasattr(v, "__code__") and not v.__code__.co_argcount})
