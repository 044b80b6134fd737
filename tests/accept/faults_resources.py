# SPDX-License-Identifier: Apache-2.0
"""What the process does not get: descriptors, room on the disk, a worker that answers: faults_resources.py [NAME...]"""
import ctypes
import os
import re
import resource
import threading
import time

from lbtest import DEFAULTS, die_with_parent, free_port, get, Http, IS_SANITIZED, Lb, main, SLOW, wait_for
from shim import Shim

WEB = "frontend web\n  bind 127.0.0.1:%d\n  http-request return status 200\n"
CAP_SYS_RESOURCE = 24


def few_descriptors():
    """In the child: 300 descriptors and no right to more."""
    die_with_parent()
    ctypes.CDLL(None).prctl(24, CAP_SYS_RESOURCE, 0, 0, 0)  # PR_CAPBSET_DROP: root too has to obey
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))


def fd_limit():
    """A maxconn that cannot be: refused with both numbers; lowered where the file says so; computed where it says none."""
    port = free_port()
    wanted = re.compile(r"lb: error: (\d+) file descriptors are needed but only 300 are allowed; lower 'maxconn' or raise the "
                        r"limit \(ulimit -n, LimitNOFILE=\), or say 'no strict-limits'\n")
    lb = Lb(DEFAULTS + WEB % port, extra_global="  maxconn 1000", wait=False, preexec_fn=few_descriptors)
    assert lb.wait() == 1
    needed = wanted.search(lb.output())
    assert needed and 2000 < int(needed.group(1)) < 2200, lb.output()
    for words in ("  maxconn 1000\n  no strict-limits", "", "  maxconn 100"):
        lb = Lb(DEFAULTS + WEB % port, extra_global=words, preexec_fn=few_descriptors)
        most = int(lb.info("Maxconn"))
        print("%r: maxconn %d, %s descriptors" % (words.strip(), most, lb.info("Maxsock")))
        assert most == 100 if words == "  maxconn 100" else 80 < most < 150, most
        assert int(lb.info("Maxsock")) <= 300
        clients = [Http(port) for _ in range(most + 10)]  # as many as it said it can
        for c in clients[:most]:
            assert c.get()[0] == 200
        assert sum(lb.activity("accept_emfile")) == 0, "it has promised more than there is"
        for c in clients:
            c.close()
        lb.finish()


def full_disk():
    """Logs to a full disk: lines are lost and counted, nothing else happens, and the errors themselves are not logged."""
    port = free_port()
    with open("/dev/full", "wb") as full:
        lb = Lb(DEFAULTS + "  log global\n  option httplog\n" + WEB % port, pass_fds=(full.fileno(),),
                extra_global="  log fd@%d format raw local0\n  log stdout format raw local0" % full.fileno())
        with Http(port) as c:
            for _ in range(500):
                assert c.get()[0] == 200
        # the line of the last request is written behind its answer
        wait_for(lambda: int(lb.info("DroppedLogs")) >= 500, "all are counted")
        assert int(lb.info("DroppedLogs")) < 520
        told = re.compile(r"Log targets do not take what is sent: (\d+) lines were lost\.\n")
        wait_for(lambda: told.search(lb.output()), "somebody is told")
        before = lb.cpu_seconds()
        time.sleep(0.3)
        assert lb.cpu_seconds() - before < 0.1 * SLOW, "it spins"
        wait_for(lambda: lb.output().count('"GET / HTTP/1.1"') == 500, "the other log has all")
        assert "Success=1" in lb.ask("reload")
        assert get(port)[0] == 200
        time.sleep(1.2)
        assert len(told.findall(lb.finish())) == 1, "once a minute at most"


def no_disk():
    """Standard output and error on a full disk from the start."""
    port = free_port()
    with open("/dev/full", "wb") as full:
        lb = Lb(DEFAULTS + "  log stdout format raw local0\n  option httplog\n" + WEB % port, stdout=full, stderr=full)
        for _ in range(10):
            assert get(port)[0] == 200
        lb.write("what\n")
        lb.signal("SIGUSR2")
        assert get(port)[0] == 200
        lb.write(DEFAULTS + WEB % port)
        assert "Success=1" in lb.ask("reload")
        assert get(port)[0] == 200
        lb.finish()


def accept_storm():
    """Three hundred at once where twenty are let in: all are served, in turn, none waits much longer than another; others'
    frontends and the admin socket do not notice."""
    port, health = free_port(), free_port()
    lb = Lb(DEFAULTS + WEB % port + "  maxconn 20\n"
            "frontend health\n  bind 127.0.0.1:%d\n  monitor-uri /alive\n" % health, nbthread=2)
    over, times, worst = threading.Event(), [], [0, 0]

    def client():
        start = time.monotonic()
        with Http(port, timeout=60) as c:
            assert c.get()[0] == 200
            time.sleep(0.01)  # keeps its place for a moment
            assert c.get()[0] == 200
        times.append(time.monotonic() - start)

    def watch():
        while not over.is_set():
            start = time.monotonic()
            assert get(health, "/alive")[0] == 200
            worst[0] = max(worst[0], time.monotonic() - start)
            start = time.monotonic()
            assert "web" in lb.ask("show stat")
            worst[1] = max(worst[1], time.monotonic() - start)

    watcher = threading.Thread(target=watch)
    watcher.start()
    clients = [threading.Thread(target=client) for _ in range(300)]
    for t in clients:
        t.start()
    for t in clients:
        t.join()
    over.set()
    watcher.join()
    row = lb.stat()["web", "FRONTEND"]
    times.sort()
    print("300 clients: median %.0f ms, last %.0f ms; health %.0f ms, admin %.0f ms at worst" % (
        times[150] * 1000, times[-1] * 1000, worst[0] * 1000, worst[1] * 1000))
    assert len(times) == 300 and int(row["smax"]) <= 20 and row["stot"] != "0", row
    assert worst[0] < 1 * SLOW and worst[1] < 1 * SLOW and times[-1] < 10 * SLOW
    lb.finish()


STUCK = DEFAULTS + """
frontend web
  bind 127.0.0.1:%d
  http-request set-header x %%[date,utime(%%Y)] if { path /stuck }
  http-request return status 200
"""


def gets_more(lb, port, kept):
    """How many each worker carries with one more connection."""
    kept.append(Http(port))
    return lb.activity("conns")


def stuck_worker():
    """A worker that does not come back, busy or asleep: the others take what comes, all of it and at once, the admin socket
    answers what needs no worker; when it is back, it goes on."""
    if IS_SANITIZED:
        print("not with a sanitizer, which must come first")
        return
    for how in (4, 5):
        shim, port = Shim(), free_port()
        lb = Lb(STUCK % port, nbthread=3, env=shim.env)
        shim.crash(how)
        stuck = Http(port)
        stuck.send("GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.2 * (5 if IS_SANITIZED else 1))
        worst, kept = 0, []
        for _ in range(100):  # all stay open: the one that is stuck has the fewest connections
            start = time.monotonic()
            kept.append(Http(port, timeout=3 * SLOW))
            assert kept[-1].get()[0] == 200
            worst = max(worst, time.monotonic() - start)
        start = time.monotonic()
        assert "Uptime" in lb.ask("show info")
        print("with one of three workers %s: %.1f ms at worst, %.1f ms for the admin" % (
            "busy" if how == 4 else "asleep", worst * 1000, (time.monotonic() - start) * 1000))
        shim.crash(0)
        assert stuck.head()[0] == 200
        wait_for(lambda: min(gets_more(lb, port, kept)) > 5, "it has its share again")
        for c in kept:
            assert c.get()[0] == 200
        lb.finish()


def start_stuck(how):
    shim, port = Shim(), free_port()
    lb = Lb(STUCK % port, env=shim.env, extra_global="  log stdout format raw local0")
    shim.crash(how)
    c = Http(port, timeout=60 * SLOW)
    c.send("GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n")
    return lb, shim, c


def lost_worker():
    """A worker that is busy for ever ends the process, with a report of what it does; one that only sleeps does not, nor one
    that is busy while it gets no time."""
    if IS_SANITIZED:
        print("not with a sanitizer, which must come first")
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    busy, asleep, stopped = start_stuck(4), start_stuck(5), start_stuck(4)
    stopped[0].signal("SIGSTOP")
    assert busy[0].wait(60) == -6
    text = busy[0].output()
    assert re.search(r"Worker [12] has been busy with one thing for 3 s and does not come back\.\n", text), text
    assert "lb: fatal signal 6 (SIGABRT)" in text and '\n  "GET /stuck HTTP/1.1"\n' in text, text
    time.sleep(1)
    for lb, shim, c in (asleep, stopped):
        shim.crash(0)
        lb.signal("SIGCONT")
        assert c.head()[0] == 200
        lb.finish()


if __name__ == "__main__":
    main({"fd_limit": fd_limit, "full_disk": full_disk, "no_disk": no_disk, "accept_storm": accept_storm,
          "stuck_worker": stuck_worker, "lost_worker": lost_worker})
