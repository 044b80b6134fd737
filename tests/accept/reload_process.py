# SPDX-License-Identifier: Apache-2.0
"""Reloads and what belongs to the process: limits, command sockets, threads, services: reload_process.py [NAME...]"""
import os
import re
import resource
import socket

from lbtest import Http, IS_SANITIZED, Lb, PROGRAM, Process, folder, free_port, get, main, wait_for
from reload import DEFAULTS, reload

ANSWER = "  http-request return status 200\n"


def frontend(port):
    return DEFAULTS + "frontend f\n  bind 127.0.0.1:%d\n" % port + ANSWER


def broken(port):
    """Fails in the last step: a port that somebody else has."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    return sock, frontend(port) + "frontend g\n  bind 127.0.0.1:%d\n" % sock.getsockname()[1] + ANSWER


def limit_of(lb):
    with open("/proc/%d/limits" % lb.pid) as f:
        return int(re.search(r"Max open files +(\d+)", f.read()).group(1))


def descriptor_limit():
    """maxconn raises the limit of descriptors; a reload that fails leaves it."""
    port = free_port()
    sock, bad = broken(port)
    lb = Lb(frontend(port), extra_global="  maxconn 100",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (300, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    before = limit_of(lb)
    assert before < 400
    lb.head = lb.head.replace("maxconn 100", "maxconn 1000")
    reload(lb, bad, ok=False)
    assert limit_of(lb) == before and lb.info("Maxconn") == "100"
    reload(lb, frontend(port))
    assert limit_of(lb) > 2000 and lb.info("Maxconn") == "1000"
    sock.close()
    lb.finish()


def more_connections():
    """Who waits because of the process's limit of connections, or of command sessions, gets in when it is raised."""
    port = free_port()
    lb = Lb(frontend(port), extra_global="  maxconn 2\n  stats maxconn 1\n  stats timeout 1m")
    clients = [Http(port), Http(port)]
    assert all(c.get()[0] == 200 for c in clients)
    waiting = Http(port)
    waiting.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    sessions = []
    for text in (b"prompt\n", b"show version\n"):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(lb.socket)
        s.sendall(text)
        sessions.append(s)
    assert sessions[0].recv(100) == b"\n> "
    lb.head = lb.head.replace("  maxconn 2", "  maxconn 20").replace("stats maxconn 1", "stats maxconn 5")
    lb.write(frontend(port))
    sessions[0].sendall(b"reload\n")
    assert waiting.head()[0] == 200
    assert b"3.5" in sessions[1].recv(100)
    lb.finish()


def limits_by_operator():
    """What was set on the command socket stays, unless that number changes in the file."""
    port = free_port()
    lb = Lb(frontend(port), extra_global="  maxconn 100\n  maxconnrate 50")
    lb.ask("set maxconn global 30; set rate-limit connections global 7; set rate-limit sessions global 9")

    def limits():
        return [lb.info(n) for n in ("Maxconn", "ConnRateLimit", "SessRateLimit")]

    assert limits() == ["30", "7", "9"]
    reload(lb, frontend(port) + "backend b\n")
    assert limits() == ["30", "7", "9"]
    lb.head = lb.head.replace("maxconn 100", "maxconn 90")
    reload(lb, frontend(port))
    assert limits() == ["90", "7", "9"]
    lb.head = lb.head.replace("maxconnrate 50", "maxconnrate 60")
    reload(lb, frontend(port))
    assert limits() == ["90", "60", "9"]
    lb.finish()


def command_sockets():
    """A reload that fails leaves the command sockets as they are, also where they could not be opened again."""
    port, where = free_port(), folder()
    os.chmod(where, 0o755)
    first, second = os.path.join(where, "1.sock"), os.path.join(where, "2.sock")
    sock, bad = broken(port)
    drop = "  user nobody\n  group nogroup\n" if os.geteuid() == 0 and not IS_SANITIZED else ""  # who drops cannot look for leaks
    lb = Lb(frontend(port), extra_global=drop + "  stats socket %s level admin" % first)
    lb.socket = first
    os.chmod(lb.dir, 0o755)
    before = os.stat(first).st_ino
    lb.head = lb.head.replace(first, second)
    reply = reload(lb, bad, ok=False)
    assert "nothing was changed" in reply
    assert os.stat(first).st_ino == before and not os.path.exists(second)
    assert os.listdir(where) == ["1.sock"]
    lb.head = lb.head.replace(second, first)
    reload(lb, frontend(port))
    assert os.stat(first).st_ino == before
    sock.close()
    lb.finish()


def confined():
    """After chroot, with another user: names of users are known still, sockets outside stay, files below are read."""
    if os.geteuid() != 0:
        print("only root may")
        return
    jail, where, port, other = folder(), folder(), free_port(), free_port()
    config, admin = os.path.join(where, "lb.cfg"), os.path.join(where, "admin.sock")
    os.makedirs(jail + where)
    for path in (jail, where, jail + os.path.dirname(where), jail + where):
        os.chmod(path, 0o755)
    head = "global\n  nbthread 1\n  chroot %s\n  user nobody\n  group nogroup\n  stats socket %s level admin user nobody\n" % (jail, admin)
    for path in (config, jail + config):
        with open(path, "w") as f:
            f.write(head + frontend(port))
    p = Process([PROGRAM, "-db", "-f", config])
    wait_for(lambda: os.path.exists(admin) or not p.is_running(), "it starts")
    lb = Lb.__new__(Lb)
    lb.socket = admin
    before = os.stat(admin).st_ino
    with open(jail + config, "w") as f:
        f.write(head + frontend(port) + "frontend g\n  bind 127.0.0.1:%d\n" % other + ANSWER)
    reply = lb.ask("reload")
    assert "Success=1" in reply and get(port)[0] == 200 and get(other)[0] == 200, reply
    assert os.stat(admin).st_ino == before and os.listdir(jail + where) == ["lb.cfg"]
    os.unlink(jail + config)
    reply = lb.ask("reload")
    assert "cannot open the configuration" in reply and "confined to '%s'" % jail in reply, reply
    assert get(other)[0] == 200
    p.signal("SIGTERM")
    p.wait()


def fewer_cpus():
    """Without nbthread there are as many threads as there were CPUs at start, whatever CPUs there are at a reload."""
    port, where = free_port(), folder()
    path, cfg = os.path.join(where, "admin.sock"), os.path.join(where, "lb.cfg")
    with open(cfg, "w") as f:
        f.write("global\n  stats socket %s level admin\n" % path + frontend(port))
    p = Process([PROGRAM, "-db", "-f", cfg])
    wait_for(lambda: os.path.exists(path), "it starts")
    lb = Lb.__new__(Lb)
    lb.socket = path
    threads = lb.info("Nbthread")
    os.sched_setaffinity(p.pid, {min(os.sched_getaffinity(p.pid))})
    assert "Success=1" in lb.ask("reload")
    assert lb.info("Nbthread") == threads and get(port)[0] == 200


def fixed_settings():
    """What cannot change in place is refused by name, all at once."""
    port = free_port()
    lb = Lb(frontend(port))
    head = lb.head
    for line, name in (("nbthread 3", "nbthread"), ("chroot /tmp", "chroot"), ("user nobody", "user"), ("gid 1", "gid"),
                       ("pidfile /tmp/x", "pidfile"), ("ulimit-n 1000", "ulimit-n"),
                       ("tune.bufsize 32768", "tune.bufsize"), ("set-dumpable", "set-dumpable"), ("cpu-map 1 0", "cpu-map"),
                       ("insecure-fork-wanted", "insecure-fork-wanted"), ("setcap cap_net_raw", "setcap")):
        lb.head = head + "  %s\n" % line
        reply = reload(lb, frontend(port), ok=False)
        assert re.search(r"lb.cfg:\d+:\d+: error: in global: '%s' cannot change while the process runs" % name, reply), reply
        assert "nothing was changed" in reply
    lb.head = head + "  user nobody\n  tune.bufsize 32768\n"
    assert reload(lb, frontend(port), ok=False).count("cannot change") == 2
    lb.head = head
    reload(lb, frontend(port))
    lb.finish()


def notifications():
    """What systemd is told: RELOADING with the time, then READY, whatever came of it."""
    port, path = free_port(), os.path.join(folder(), "notify")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(path)
    sock.settimeout(20)
    lb = Lb(frontend(port), args=("-Ws",), env=dict(os.environ, NOTIFY_SOCKET=path))

    def told(wanted):
        text = ""
        while wanted not in text:
            text = sock.recv(2000).decode()
        return text

    told("READY=1")
    for text, ok in ((frontend(port), True), (frontend(port).replace("mode http", "mode htpp"), False), (frontend(port), True)):
        lb.write(text)
        lb.signal("SIGUSR2")
        assert re.search(r"MONOTONIC_USEC=\d+", told("RELOADING=1"))
        status = told("READY=1")
        assert ok or "STATUS" in status, status
    lb.finish()


if __name__ == "__main__":
    main({f.__name__: f for f in (descriptor_limit, more_connections, limits_by_operator, command_sockets, confined, fewer_cpus,
                                  fixed_settings, notifications)})
