# SPDX-License-Identifier: Apache-2.0
"""Very large maps, changed under load: faults_maps.py [NAME...]"""
import os
import re
import threading
import time

from lbtest import DEFAULTS, IS_SANITIZED, SLOW, Http, Lb, folder, free_port, get, main, wait_for
from maps import FRONTEND, ask_payload, put


def cpu_of(lb):
    """Threads by name: milliseconds of CPU time; and their niceness."""
    ran, nice = {}, {}
    for tid in os.listdir("/proc/%d/task" % lb.pid):
        task = "/proc/%d/task/%s/" % (lb.pid, tid)
        name = open(task + "comm").read().strip() if int(tid) != lb.pid else "control"
        ran[name] = int(open(task + "schedstat").read().split()[0]) / 1e6
        nice[name] = int(open(task + "stat").read().rsplit(")", 1)[1].split()[16])
    return ran, nice


def rss_kb(lb):
    return int(re.search(r"VmRSS:\s+(\d+)", open("/proc/%d/status" % lb.pid).read()).group(1))


def fill(lb, name, ver, n, word):
    for at in range(0, n, 2000):
        lines = ["/k%d %s-%d\n" % (k, word, k) for k in range(at, min(n, at + 2000))]
        assert ask_payload(lb, "add map @%d %s" % (ver, name), lines) == "\n"


def slowest_percent(took):
    return sorted(took)[len(took) * 99 // 100]


def large_replaced(n=int(os.environ.get("MAP_ENTRIES", "200000" if IS_SANITIZED else "500000"))):
    """A very large map is replaced under load, by a process that may start no threads any more: threads that give way
    to the workers do the work, and what is thrown away goes back to the system, whatever was allocated behind it."""
    port, m = free_port(), os.path.join(folder(), "m.map")
    put(m, "".join("/k%d file-%d\n" % (k, k) for k in range(n)))
    lb = Lb(DEFAULTS + FRONTEND % port + """
  http-request return status 200 hdr a "%%[path,map(%s,none)]" hdr b "%%[path,map(virt@small,none)]"
""" % m, extra_global="  user nobody\n" if os.geteuid() == 0 else "")
    os.unlink(m)
    wait_for(lambda: cpu_of(lb)[1].get("lb/reclaim") == 10, "the thread that frees gives way")
    assert cpu_of(lb)[1]["lb/build"] == 10 and cpu_of(lb)[1]["lb/1"] == 0, cpu_of(lb)
    over, took, wrong = threading.Event(), [], []

    def requests():
        with Http(port) as c:
            while not over.is_set():
                start = time.monotonic()
                a = c.get("/k%d" % (n - 1))[1]["a"]
                took.append(time.monotonic() - start)
                if a not in ("none", "file-%d" % (n - 1), "one-%d" % (n - 1), "two-%d" % (n - 1)):
                    wrong.append(a)
                time.sleep(0.001)

    thread = threading.Thread(target=requests, daemon=True)
    thread.start()
    time.sleep(0.5)
    calm, took[:] = slowest_percent(took), []
    loaded = rss_kb(lb)
    for word in ("one", "two"):
        ver = int(lb.ask("prepare map %s" % m).split(":")[1])
        fill(lb, m, ver, n, word)
        lb.ask("add map virt@small %s %s" % (word, word))  # lies behind it
        before = cpu_of(lb)[0]
        assert lb.ask("commit map @%d %s" % (ver, m)) == "\n"
        after = cpu_of(lb)[0]
        built, stood = after["lb/build"] - before["lb/build"], after["control"] - before["control"]
        assert built > 4 * stood, "the builder %.1f ms, the control thread %.1f ms" % (built, stood)
        assert get(port, "/k7")[1]["a"] == "%s-7" % word
    assert lb.ask("clear map %s" % m) == "\n"
    if not IS_SANITIZED:
        wait_for(lambda: rss_kb(lb) < loaded / 4, "its memory is given back", 20)
    over.set()
    thread.join()
    assert not wrong, wrong[:3]
    assert [get(port, "/" + word)[1]["a"] for word in ("k7", "one")] == ["none", "none"]
    print("requests: 99 of 100 within %.1f ms, %.1f ms before" % (1000 * slowest_percent(took), 1000 * calm))
    assert slowest_percent(took) < 0.05 * SLOW + 10 * calm, "requests are not held up"
    lb.finish()


if __name__ == "__main__":
    main({f.__name__: f for f in (large_replaced,)})
