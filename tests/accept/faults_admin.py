# SPDX-License-Identifier: Apache-2.0
"""The admin socket and those who misuse it, a reload that fails, a crash: faults_admin.py [NAME...]"""
import os
import re
import resource
import socket
import threading
import time

from faults_slow import rss_kb
from lbtest import DEFAULTS, folder, free_port, get, Http, IS_SANITIZED, Lb, main, Process, PROGRAM, SLOW, wait_for
from shim import Shim

WEB = "frontend web\n  bind 127.0.0.1:%d\n  http-request return status 200\n"


def connect(path, timeout=10):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)  # waits while the backlog is full
    s.settimeout(timeout)
    return s


def percentile(port, n=1500):
    """(median, 99th percentile) of a request's time, in us, on one connection."""
    times = []
    with Http(port) as c:
        for _ in range(n):
            start = time.perf_counter()
            assert c.get()[0] == 200
            times.append(time.perf_counter() - start)
    times.sort()
    return times[n // 2] * 1e6, times[n * 99 // 100] * 1e6


def idle_sessions():
    """A thousand that say nothing: the next one is answered, half a line is kept, traffic does not notice; with fewer places
    than that, 'stats timeout' makes room."""
    port = free_port()
    lb = Lb(DEFAULTS + WEB % port, extra_global="  stats maxconn 1100\n  stats timeout 60s\n  maxconn 500\n  ulimit-n 4000")
    before = rss_kb(lb.pid)
    idle = [connect(lb.socket) for _ in range(1000)]
    for s in idle[::2]:
        s.sendall(b"show ver")
    start = time.monotonic()
    assert "Version" in lb.ask("show info")
    took = time.monotonic() - start
    grown = rss_kb(lb.pid) - before
    median, p99 = percentile(port)
    print("%.0f ms for a command beside 1000 sessions of %.1f kB each; requests %.0f us, p99 %.0f us" % (
        took * 1000, grown / 1000, median, p99))
    assert took < 2 * SLOW and (IS_SANITIZED or grown < 3000)
    idle[0].sendall(b"sion\n")
    assert re.match(rb"\d+\.\d+", idle[0].recv(1000)), "the other half"
    for s in idle:
        s.close()
    lb.finish()

    lb = Lb(DEFAULTS + WEB % free_port(), extra_global="  stats timeout 1s\n  stats maxconn 3")
    idle = [connect(lb.socket) for _ in range(6)]
    start = time.monotonic()
    assert "Version" in lb.ask("show info")
    took = time.monotonic() - start
    print("%.1f s until there was a place again" % took)
    assert took < 8 * SLOW  # by threes, for a second each
    lb.finish()


def slow_reader():
    """Readers that stop in the middle of 'show stat' of 5,000 backends: what waits for them is bounded, and neither they nor
    others who read all of it again and again delay a request."""
    n, port = 500 if IS_SANITIZED else 5000, free_port()
    lb = Lb(DEFAULTS + WEB % port + "".join("backend b%d\n  server s 127.0.0.1:1\n" % i for i in range(n)), nbthread=2,
            extra_global="  stats maxconn 100\n  stats timeout 60s")
    whole = lb.ask("show stat")
    assert whole.count("\n") >= 2 * n
    percentile(port)
    alone = min(percentile(port)[1] for _ in range(3))
    before = rss_kb(lb.pid)
    slow = [connect(lb.socket) for _ in range(40)]
    for i, s in enumerate(slow):
        s.sendall(b"show stat\n" if i % 2 else b"show stat json\n")
        s.recv(10)
    stop, n_dumps = threading.Event(), [0]

    def trickle():
        while not stop.wait(0.05):
            for s in slow:
                s.recv(100)

    def dump():
        while not stop.is_set():
            assert lb.ask("show stat").count("\n") >= 2 * n
            n_dumps[0] += 1
            stop.wait(0.2)

    threads = [threading.Thread(target=trickle), threading.Thread(target=dump)]
    for t in threads:
        t.start()
    time.sleep(0.5)
    beside = sorted(percentile(port)[1] for _ in range(5))[1]
    grown = rss_kb(lb.pid) - before
    stop.set()
    for t in threads:
        t.join()
    print("%d kB of statistics, %d times and to 40 slow readers; p99 %.0f us alone, %.0f us beside them; %d kB more" % (
        len(whole) / 1000, n_dumps[0], alone, beside, grown))
    assert IS_SANITIZED or grown < 40 * 200, "%d kB wait for slow readers" % grown
    assert beside < max(10 * alone, 20000) * SLOW, "requests are delayed"
    for s in slow:
        s.close()
    lb.finish()


def denied():
    """Who asks for what his socket does not allow is in the log, once per session, with what the kernel knows of him."""
    port, tcp = free_port(), free_port()
    lb = Lb(DEFAULTS + WEB % port, extra_global="  log stdout format raw local0\n  stats socket 127.0.0.1:%d level user" % tcp)
    user = os.path.join(lb.dir, "user.sock")
    lb.head += "  stats socket %s level user\n" % user
    lb.write(DEFAULTS + WEB % port)
    assert "Success=1" in lb.ask("reload")
    with connect(user) as s:
        s.sendall(b"prompt\n")
        s.sendall(b"set weight b/s 1\nset weight b/s 2\nclear counters\noperator\n")
        got = b""
        while got.count(b"Permission denied") < 4:
            more = s.recv(1000)
            assert more, got
            got += more
    with socket.create_connection(("127.0.0.1", tcp)) as s:
        s.sendall(b"shutdown session 0x1\n")
        assert s.recv(1000).startswith(b"Permission denied")
    wanted = ["Admin socket: 'set weight' denied to process %d, user %d, group %d." % (os.getpid(), os.getuid(), os.getgid()),
              "Admin socket: 'shutdown session' denied to a client over the network."]
    wait_for(lambda: wanted[1] in lb.output(), "it is logged")
    assert re.findall("Admin socket: .*", lb.output()) == wanted
    lb.finish()


def failed_reload():
    """A file that does not load: -c says so by its exit code, the service manager hears of it, all goes on as before."""
    port = free_port()
    path = os.path.join(folder(), "notify")
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(path)
    manager.settimeout(10 * SLOW)
    lb = Lb(DEFAULTS + WEB % port, args=["-Ws"], env=dict(os.environ, NOTIFY_SOCKET=path))

    def heard():
        return dict(line.split("=", 1) for line in manager.recv(4096).decode().split("\n"))

    first = heard()
    assert first["READY"] == "1" and first["MAINPID"] == str(lb.pid), first
    client = Http(port)
    assert client.get()[0] == 200

    def state():
        return lb.stat()["web", "FRONTEND"]["conn_tot"], len(os.listdir("/proc/%d/fd" % lb.pid))

    before = state()
    for bad in (DEFAULTS + WEB.replace("bind", "bint") % port, DEFAULTS + WEB % port + "  bind /nonexistent/x.sock\n", "\0"):
        lb.write(bad)
        check = Process([PROGRAM, "-c", "-f", lb.config])
        assert check.wait() == (0 if "nonexistent" in bad else 1), check.output()
        lb.signal("SIGUSR2")
        assert "RELOADING" in heard()
        answer = heard()
        assert answer == {"READY": "1", "STATUS": "Reload failed!"}, answer
        assert client.get()[0] == 200, "the same connection"
        wait_for(lambda: state() == before, "nothing has changed")  # the socket just asked is closed in a moment
    lb.write(DEFAULTS + WEB % port)
    lb.signal("SIGUSR2")
    heard()
    assert heard()["STATUS"] == "Ready."
    lb.signal("SIGTERM")
    assert heard()["STOPPING"] == "1"
    lb.finish()


def many_streams():
    """A thousand requests under way and a thousand idle connections see forty reloads, good and bad in turn: all are answered,
    and afterwards there are as many descriptors, and about as much memory, as before."""
    n, ports = 200 if IS_SANITIZED else 1000, free_port(2)
    origin = socket.create_server(("127.0.0.1", 0), backlog=n)
    asked = []

    def accept():
        while True:
            c, _ = origin.accept()
            c.recv(65536)
            asked.append(c)

    threading.Thread(target=accept, daemon=True).start()
    config = DEFAULTS + WEB % ports + "listen slow\n  bind 127.0.0.1:%d\n  server s 127.0.0.1:%d\n" % (
        ports + 1, origin.getsockname()[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    lb = Lb(config, extra_global="  maxconn %d" % (3 * n))
    assert "Success=1" in lb.ask("reload")
    idle, busy = [Http(ports) for _ in range(n)], [Http(ports + 1, timeout=60) for _ in range(n)]
    for c in busy:
        c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    for c in idle:
        assert c.get()[0] == 200
    wait_for(lambda: len(asked) == n, "all wait for the server")

    def n_fds():
        return len(os.listdir("/proc/%d/fd" % lb.pid))

    before, memory = n_fds(), rss_kb(lb.pid)
    for i in range(40):
        lb.write(config + ("nonsense\n" if i % 4 == 3 else "backend b%d\n  server s 127.0.0.1:1\n" % i))
        assert "Success=%d" % (i % 4 != 3) in lb.ask("reload")
    wait_for(lambda: n_fds() <= before, "descriptors are given back")
    grown = rss_kb(lb.pid) - memory
    print("%d descriptors, %d kB more" % (n_fds(), grown))
    assert IS_SANITIZED or grown < 4000
    for c in asked:
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    for c in busy:
        status, fields = c.head()
        assert status == 200 and c.body(fields) == b"ok"
    for c in idle:
        assert c.get()[0] == 200
    lb.finish()


CRASH = DEFAULTS + """
frontend web
  bind 127.0.0.1:%d
  http-request set-header x %%[date,utime(%%Y)] if { path /crash }
  http-request return status 200
"""


def crash():
    """A bad address, an endless recursion, an abort() in a request: what died, where, and of which request is told; the
    process dies of the signal; the next one finds nothing in its way."""
    if IS_SANITIZED:
        print("a sanitizer has reports of its own")
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for how, signal_name, number in ((1, "SEGV", 11), (2, "SEGV", 11), (3, "ABRT", 6)):
        shim, port = Shim(), free_port()
        lb = Lb(CRASH % port, nbthread=1, env=shim.env)
        assert get(port, "/crash")[0] == 200
        shim.crash(how)
        with Http(port) as c:
            c.send("GET /crash?token=\x7f HTTP/1.1\r\nHost: a\r\n\r\n".replace("\x7f", "x" * 1000))
            assert c.sock.recv(1000) == b"", "no answer"
        assert lb.wait() == -number
        text = lb.output()
        for wanted in (r"\Alb: fatal signal %d \(SIG%s\), .*\n  lb version \d.*, worker thread 1\n" % (number, signal_name),
                       r"shim\.so\(strftime" if how != 2 else r"shim\.so\(",
                       r"\n  in stream \d+ \(HTTP, phase frontend-rules\), ", r"\n  frontend web, backend -, server -\n",
                       r"\n  client connection \d+: fd \d+, 127\.0\.0\.1:\d+, request 1\n",
                       "\n  \"GET /crash\\?token=x{100,250}\n?"):
            assert re.search(wanted, text), (wanted, text)
        shim.crash(0)
        again = Process([PROGRAM, "-db", "-f", lb.config], env=shim.env)
        wait_for(lambda: "uptime" in ask(lb), "the next one has taken the sockets over")
        assert get(port)[0] == 200
        again.signal("SIGTERM")
        assert again.wait() in (0, 143, -15), again.output()


def ask(lb):
    try:
        return lb.ask("show info").lower()
    except OSError:
        return ""


if __name__ == "__main__":
    main({"idle_sessions": idle_sessions, "slow_reader": slow_reader, "denied": denied, "failed_reload": failed_reload,
          "many_streams": many_streams, "crash": crash})
