# SPDX-License-Identifier: Apache-2.0
"""Allocations that fail: faults_memory.py [NAME...]"""
import os
import random
import re
import socket
import subprocess
import threading
import time

from faults_servers import OK, Server
from lbtest import Http, IS_SANITIZED, Lb, PROGRAM, folder, free_port, get, main, wait_for
from shim import Shim

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"4000\r\n" + b"x" * 16384 + b"\r\n0\r\nX-T: y\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello"
LONG = HEAD + b"Content-Length: 300000\r\n\r\n" + b"y" * 300000
CONFIG = r"""
defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
  timeout queue 300ms
  timeout http-request 1s
  timeout tarpit 20ms
  log 127.0.0.1:{log} local0
  option httplog
  option splice-auto
frontend web
  bind 127.0.0.1:{port}
  unique-id-format %ci-%rt
  unique-id-header X-Id
  capture request header X len 200
  capture response header X-T len 200
  option forwardfor
  tcp-request inspect-delay 10ms
  tcp-request content accept if HTTP
  http-request set-var(txn.a) path,lower
  http-request set-header X-A "%[var(txn.a),base64] %[src] %[req.hdr(x),upper]"
  http-request replace-header X (.*) "z\1z"
  http-request set-path "/%[path,lower]" if {{ path_beg /Set }}
  http-request deny deny_status 429 if {{ path /deny }}
  http-request tarpit if {{ path /tarpit }}
  http-request redirect location "/%[path]" if {{ path_beg /redirect }}
  http-request return status 200 content-type text/plain lf-string "%[req.hdrs]" if {{ path /return }}
  http-request use-service prometheus-exporter if {{ path /metrics }}
  http-response set-header X-R "%[res.hdr(x-t)] %[rand]"
  http-response replace-value X-R (.) "\1,"
  use_backend %[path,field(3,/)] if {{ path_beg /to/ }}
  default_backend ok
backend ok
  option redispatch
  server a 127.0.0.1:{ok} check inter 50ms
  server b 127.0.0.1:{ok} check inter 50ms
backend chunked
  option http-buffer-request
  option httpchk
  server a 127.0.0.1:{chunked} check inter 50ms
backend long
  balance leastconn
  retry-on all-retryable-errors
  server a 127.0.0.1:{long}
backend switch
  server a 127.0.0.1:{switch}
backend broken
  server a 127.0.0.1:{broken}
backend queue
  server a 127.0.0.1:{slow} maxconn 1 maxqueue 3
listen tcp
  mode tcp
  option tcplog
  bind 127.0.0.1:{tcp}
  server a 127.0.0.1:{pp} send-proxy-v2
listen pp
  bind 127.0.0.1:{pp} accept-proxy
  server a 127.0.0.1:{ok}
"""
REQUESTS = [b"GET %s HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n" % (path, b"v" * 150) for path in (
    b"/", b"/Set/x?y", b"/deny", b"/tarpit", b"/redirect/x", b"/return", b"/metrics", b"/to/chunked/", b"/to/long/", b"/to/broken/",
    b"/to/queue/", b"/to/none/", b"/bad path", b"/to/switch/")]
REQUESTS += [
    b"POST /to/chunked/ HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n" + b"b" * 40000,
    b"POST /to/chunked/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: y\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /to/switch/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 5, b"GET / HTTP/1.1\r\nX: " + b"x" * 20000 + b"\r\n\r\n", b"GET /half"]


def start_lb(**kw):
    ports = {name: free_port() for name in ("log", "port", "tcp", "pp")}
    servers = {"ok": Server(), "chunked": Server((CHUNKED,)), "long": Server((LONG,)), "switch": Server((SWITCH, 0.05, "close")),
               "broken": Server((HEAD + b"Content-Length: 10\r\n\r\n", "rst")), "slow": Server((0.02, OK))}
    ports.update((name, s.port) for name, s in servers.items())
    lb = Lb(CONFIG.format(**ports), **kw)
    return lb, ports


def annoy(ports, seconds, seed):
    """Requests of all kinds, answered or not, until the time is over. The statuses that came."""
    rnd, seen = random.Random(seed), {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", ports[rnd.choice(["port", "port", "tcp"])]), 2) as c:
                c.settimeout(1.5)
                for _ in range(rnd.randint(1, 4)):
                    c.sendall(rnd.choice(REQUESTS))
                    got = c.recv(65536)
                    status = got[9:12].decode("latin-1") if got.startswith(b"HTTP/1.1 ") else "-"
                    seen[status] = seen.get(status, 0) + 1
        except OSError:
            seen["lost"] = seen.get("lost", 0) + 1
    return seen


def annoy_all(ports, seconds, n_threads=12):
    total, lock = {}, threading.Lock()

    def run(seed):
        for status, n in annoy(ports, seconds, seed).items():
            with lock:
                total[status] = total.get(status, 0) + n

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n_threads)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return dict(sorted(total.items()))


def ask_until(lb, command, wanted):
    """The admin socket may lack memory as well: asks again."""
    def asked():
        try:
            reply = lb.ask(command)
        except OSError:
            return None
        return reply if re.search(wanted, reply) else None
    return wait_for(asked, command, 20)


def fail_alloc():
    """tune.fail-alloc: whatever is refused memory ends in order, the rest goes on, nothing stays behind."""
    for percent, seconds in ((2, 2), (10, 2), (40, 2)):
        lb, ports = start_lb(extra_global="  tune.fail-alloc %d\n  stats timeout 2s" % percent)
        seen = annoy_all(ports, seconds)
        assert lb.is_running(), lb.output()[-8000:]
        info = ask_until(lb, "show info", r"CurrConns: 0\n")
        failed = int(re.search(r"PoolFailed: (\d+)", info).group(1))
        print("%d %%: %s; %d allocations failed" % (percent, seen, failed))
        assert failed > 50 and (seen.get("200", 0) > 0 or percent == 40)
        lb.finish()


def admin_words(ports):
    return ("show info", "show stat", "show stat json", "show servers state", "show sess all", "show errors", "show pools", "help",
            "set server ok/a weight %d" % random.randint(1, 99), "set server ok/b state maint", "set server ok/b state ready",
            "set server ok/a addr 127.0.0.1 port %d" % ports["ok"], "disable frontend tcp", "enable frontend tcp", "reload",
            "show activity", "show env", "get weight ok/a", "show version", "nonsense")


def fail_load():
    """Out of memory while a configuration is read: an error, status 1."""
    if IS_SANITIZED:
        print("allocations of a sanitizer are its own")
        return
    shim, path = Shim(), os.path.join(folder(), "lb.cfg")
    ports = ("log", "port", "tcp", "pp", "ok", "chunked", "long", "switch", "broken", "slow")
    with open(path, "w") as f:
        f.write(CONFIG.format(**{name: 9000 + i for i, name in enumerate(ports)}))
    seen = {0: 0, 1: 0}

    def load(what):
        p = subprocess.run([PROGRAM, "-c", "-f", path], env=shim.env, capture_output=True, text=True)
        assert p.returncode in seen, (what, p.returncode, p.stderr)
        assert p.returncode == 0 or "memory" in p.stderr.lower(), (what, p.returncode, p.stderr)
        seen[p.returncode] += 1

    n = 0
    while not shim.left():
        n += 1
        shim.fail_after(n)
        load("allocation %d" % n)
    shim.fail_after(0)
    for one_in in [1, 2, 3, 5, 10] + list(range(20, 400, 20)):
        shim.fail_one_in(one_in)
        load("one in %d" % one_in)
    print("%d loaded, %d did not; %d allocations failed" % (seen[0], seen[1], shim.n_failed()))
    assert seen[1] > 10


def fail_malloc():
    """Any allocation of the process may fail, for requests, commands and reloads: no crash, and all is well afterwards."""
    if IS_SANITIZED:
        print("allocations of a sanitizer are its own")
        return
    shim = Shim()
    lb, ports = start_lb(env=shim.env)
    stop = threading.Event()

    def administer():
        while not stop.is_set():
            for words in admin_words(ports):
                try:
                    lb.ask(words)
                except OSError:
                    pass

    admin = threading.Thread(target=administer)
    admin.start()
    totals = {}
    for one_in in (50, 10, 3):
        shim.fail_one_in(one_in)
        for status, n in annoy_all(ports, 2).items():
            totals[status] = totals.get(status, 0) + n
    shim.fail_one_in(0)
    stop.set()
    admin.join()
    print("%s; %d allocations failed" % (dict(sorted(totals.items())), shim.n_failed()))
    assert lb.is_running(), lb.output()[-8000:]
    assert shim.n_failed() > 1000
    lb.ask("set server ok/a state ready; set server ok/b state ready; enable frontend tcp")
    ask_until(lb, "reload", "Success=1")
    wait_for(lambda: lb.info("CurrConns") == "0", "all connections are gone")
    wait_for(lambda: lb.stat()["ok", "a"]["status"] == "UP", "checks go on")

    def serves():
        try:
            return all(get(ports[name])[0] == 200 for name in ["port", "tcp"] * 20)
        except (EOFError, OSError):  # on a busy machine an origin may be late
            return False

    def busy():
        return [(key, row["scur"], row["qcur"]) for key, row in lb.stat().items()
                if row["scur"] not in ("", "0") or row["qcur"] not in ("", "0")]

    wait_for(serves, "all is well")
    assert lb.is_running(), lb.output()[-8000:]
    wait_for(lambda: not busy(), "nothing is counted as there any more")
    lb.finish()


def is_kept(client):
    """Whether a connection is still there after a request on it."""
    assert client.get()[0] == 200
    client.sock.settimeout(0.5)
    try:
        return client.sock.recv(1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False
    finally:
        client.sock.settimeout(20)


def short():
    """For a second after an allocation failed nothing is kept idle and nothing new is taken; then all is as before."""
    if IS_SANITIZED:
        print("allocations of a sanitizer are its own")
        return
    shim, port = Shim(), free_port()
    lb = Lb("defaults\n  mode http\n  timeout client 30s\nfrontend web\n  bind 127.0.0.1:%d\n"
            "  http-request return status 200\n" % port, env=shim.env)
    for _ in range(20):  # a slow machine may be late for it
        client = Http(port)
        assert is_kept(client)
        shim.fail_one_in(1)
        crowd = [Http(port) for _ in range(50)]
        time.sleep(0.1)
        shim.fail_one_in(0)
        was_kept = is_kept(client)
        taken_ms = time.monotonic()
        assert crowd[-1].get()[0] == 200, "who waited in the kernel's queue is served"
        waited = time.monotonic() - taken_ms
        for c in crowd:
            c.sock.close()
        if not was_kept:
            break
    assert not was_kept
    print("the last of those who waited was served after %.1f s" % waited)
    wait_for(lambda: is_kept(Http(port)), "connections are kept again")
    lb.finish()


if __name__ == "__main__":
    main({"fail_alloc": fail_alloc, "fail_load": fail_load, "fail_malloc": fail_malloc, "short": short})
