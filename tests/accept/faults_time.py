# SPDX-License-Identifier: Apache-2.0
"""Clocks that jump and wrap, a process that gets no CPU: faults_time.py [NAME...]"""
import collections
import os
import re
import signal
import threading
import time

from faults_servers import Server
from lbtest import Http, IS_SANITIZED, Lb, SLOW, free_port, get, main, wait_for
from shim import Shim

CONFIG = """
defaults
  mode http
  timeout connect 2s
  timeout client 20s
  timeout server 1s
  timeout http-request 1s
  timeout http-keep-alive 30s
  timeout queue 500ms
  timeout check 5s
  log stdout format raw local0
  option httplog
frontend web
  bind 127.0.0.1:{port}
  use_backend silent if {{ path /silent }}
  use_backend full if {{ path /full }}
  default_backend ok
backend ok
  option httpchk
  server s 127.0.0.1:{ok} check inter 100ms fall 2 rise 2
backend silent
  server s 127.0.0.1:{silent}
backend full
  server s 127.0.0.1:{silent} maxconn 1
"""


def start(**kw):
    port, ok, silent = free_port(), Server(), Server((30.0,))
    return Lb(CONFIG.format(port=port, ok=ok.port, silent=silent.port), **kw), port, ok


def seconds_of(fn, wanted):
    start_at = time.monotonic()
    got = fn()
    took = time.monotonic() - start_at
    assert got == wanted, (got, wanted)
    return took


def half_request(port):
    with Http(port) as c:
        c.send("GET / HTTP/1.1\r\n")
        return c.head()[0]


def check_timeouts(port):
    took = [seconds_of(lambda: get(port, "/silent")[0], 504), seconds_of(lambda: half_request(port), 408)]
    for t in took:
        assert 0.95 < t < 1.2 + 0.5 * SLOW, took


def log_hour(lb):
    return (re.findall(r"\[../.../....:(..):..:", lb.output()) or [""])[-1]


def wall_clock():
    """The wall clock goes an hour forth and two back: dates follow, nothing else does."""
    shim = Shim()
    lb, port, ok = start(env=shim.env)
    client = Http(port)
    hours = []
    for shift in (0, 3600, -3600, 0):
        shim.shift_wall(shift)
        time.sleep(0.6)  # it is read twice a second
        n_before = ok.n_requests
        assert client.get()[0] == 200, "the same connection as before"
        wanted = time.strftime("%H", time.localtime(time.time() + shift))
        wait_for(lambda: log_hour(lb) == wanted, "the log follows")
        hours.append(wanted)
        check_timeouts(port)
        assert 5 < ok.n_requests - n_before < 60 * SLOW, "checks keep their pace"
        assert lb.stat()["ok", "s"]["status"] == "UP"
        assert int(lb.info("Uptime_sec")) < 60 * SLOW
    print("hours in the log: %s" % hours)
    lb.finish()


def wrap():
    """The monotonic clock passes 2^31 and 2^32 milliseconds: timers, checks and rates go on."""
    for at in (2**31, 2**32):
        shim = Shim()
        shim.shift_mono(at / 1000 - 2.5 - time.clock_gettime(time.CLOCK_MONOTONIC))
        lb, port, ok = start(env=shim.env)
        client = Http(port)
        assert client.get()[0] == 200
        end = time.monotonic() + 4
        while time.monotonic() < end:
            n_before = ok.n_requests
            check_timeouts(port)
            assert client.get()[0] == 200
            assert 5 < ok.n_requests - n_before < 60 * SLOW, "checks keep their pace"
        row = lb.stat()["web", "FRONTEND"]
        assert 0 < int(row["req_rate_max"]) < 100 and int(row["rate"]) < 100, row
        assert lb.stat()["ok", "s"]["status"] == "UP" and int(lb.stat()["ok", "s"]["lastsess"]) < 10
        lb.finish()


def leap():
    """The monotonic clock leaps (a virtual machine that was stopped): what is due ends, what is new is served."""
    shim = Shim()
    lb, port, _ = start(env=shim.env)
    waiting = Http(port)
    waiting.send("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n")
    time.sleep(0.2)
    for hours in (1, 24, 24 * 365):
        shim.shift_mono(3600 * hours)
        wait_for(lambda: get(port)[0] == 200, "it serves")
        check_timeouts(port)
        before = lb.cpu_seconds()
        time.sleep(0.5)
        assert lb.cpu_seconds() - before < 0.2 * SLOW, "it spins"
    assert waiting.head()[0] == 504
    lb.finish()


def stop(pid):
    """Stops it, and waits until that has reached all of its threads."""
    os.kill(pid, signal.SIGSTOP)

    def states():
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/stat" % (pid, task)) as f:
                yield f.read().rsplit(")", 1)[1].split()[0]

    wait_for(lambda: set(states()) == {"T"}, "it has stopped")


def starved():
    """Stopped for longer than every timeout, then let go on: nobody has killed it, and what came meanwhile is looked at
    before the clock is."""
    lb, port, _ = start()
    half, idle = Http(port), Http(port)
    assert idle.get()[0] == 200
    half.send("GET / HTTP/1.1\r\n")
    time.sleep(0.2)
    early = Http(port)
    early.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")  # where it is stopped in this is chance
    stop(lb.pid)
    half.send("Host: a\r\n\r\n")
    idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    fresh = Http(port)
    fresh.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    time.sleep(3)
    os.kill(lb.pid, signal.SIGCONT)
    statuses = [c.head()[0] for c in (early, half, idle, fresh)]
    assert statuses == [200] * 4, (statuses, lb.output())
    assert lb.is_running()
    # starved: the lowest priority beside busy loops on all processors
    os.setpriority(os.PRIO_PROCESS, lb.pid, 19)
    pids = []
    for _ in range(2 * os.cpu_count()):
        pid = os.fork()
        if not pid:
            end = time.monotonic() + 3
            while time.monotonic() < end:
                pass
            os._exit(0)
        pids.append(pid)
    statuses = [get(port)[0] for _ in range(20)]
    for pid in pids:
        os.waitpid(pid, 0)
    assert statuses == [200] * 20 and lb.is_running(), statuses
    wait_for(lambda: lb.stat()["ok", "s"]["status"] == "UP", "checks agree")
    lb.finish()


def stopped():
    """Stopped again and again at whatever point it is, for longer than timeout server: no request pays for it."""
    lb, port, _ = start(nbthread=1)
    got, over = collections.Counter(), threading.Event()

    def ask():
        while not over.is_set():
            got[get(port)[0]] += 1

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for t in threads:
        t.start()
    for i in range(5):
        time.sleep(0.1 + 0.013 * i)
        stop(lb.pid)
        time.sleep(1.2)
        os.kill(lb.pid, signal.SIGCONT)
    time.sleep(0.2)
    over.set()
    for t in threads:
        t.join()
    assert set(got) == {200}, (got, lb.output()[-3000:])
    lb.finish()


def only_unsanitized(fn):
    def run():
        if IS_SANITIZED:
            print("not with a sanitizer, which must come first")
            return
        fn()
    return run


if __name__ == "__main__":
    main({"wall_clock": only_unsanitized(wall_clock), "wrap": only_unsanitized(wrap), "leap": only_unsanitized(leap),
          "starved": starved, "stopped": stopped})
