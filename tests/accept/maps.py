# SPDX-License-Identifier: Apache-2.0
"""Maps and lists of patterns as they live: maps.py [NAME...]"""
import os
import re
import socket
import threading
import time

from lbtest import DEFAULTS, SLOW, Http, Lb, folder, free_port, get, main, wait_for

FRONTEND = """
frontend f
  bind 127.0.0.1:%d
"""


def put(path, text):
    with open(path, "w") as f:
        f.write(text)


def reload(lb, ok=True):
    answer = lb.ask("reload")
    assert answer.startswith("Success=%d" % ok), answer
    return answer


def dump(lb, name, kind="map"):
    return [line.split(" ", 1)[1] for line in lb.ask("show %s %s" % (kind, name)).strip("\n").split("\n") if line]


def ids(lb, kind="map"):
    """Name to number."""
    lines = lb.ask("show %s" % kind).strip("\n").split("\n")[1:]
    return {re.match(r"\d+ \((.*?)\)", line).group(1): line.split(" ")[0] for line in lines}


def over_reloads():
    """A file that is the same keeps what was changed at run time; one that changed replaces it; a load that fails
    changes nothing; numbers stay."""
    port = free_port()
    config = DEFAULTS + FRONTEND % port + """
  http-request set-map(virt@v) key "%[req.hdr(set)]" if { req.hdr(set) -m found }
  http-request return status 200 hdr m "%[path,map({dir}/m.map,none)]" hdr v "%[str(key),map(virt@v,none)]"
"""
    where = folder()
    m = os.path.join(where, "m.map")
    put(m, "/a one\n/b two\n")
    text = config.replace("{dir}", where)
    more = text.replace("  http-request return", "  acl early path -m str -f opt@%s/none.lst a b\n  http-request return" % where, 1)
    lb = Lb(text)

    def seen(path):
        return get(port, path)[1]["m"]

    assert get(port, "/a", "Set: kept\r\n")[1]["v"] == "kept"
    lb.ask("set map %s /a changed" % m)
    lb.ask("add map %s /c three" % m)
    before = ids(lb)
    reload(lb)
    assert (seen("/a"), seen("/c")) == ("changed", "three")
    assert dump(lb, m) == ["/a changed", "/b two", "/c three"]
    assert get(port)[1]["v"] == "kept"
    # another list in front of it: the numbers of those that live stay
    lb.write(more)
    reload(lb)
    assert ids(lb) == before, (ids(lb), before)
    assert seen("/a") == "changed"
    # one more way to match it: what was added at run time is found by it as well
    lb.write(text.replace("hdr v", 'hdr beg "%%[path,map_beg(%s,none)]" hdr v' % m))
    reload(lb)
    assert get(port, "/cxx")[1]["beg"] == "three"
    # a value that is no number, added at run time, for a map of numbers
    lb.write(text.replace("map(%s" % m, "map_str_int(%s" % m).replace(",none)]\" hdr v", ",0)]\" hdr v"))
    put(m, "/a 1\n/b two\n")
    answer = reload(lb, False)
    assert "line 2 of file '%s': the value 'two' is not an integer (of '/b')" % m in answer, answer
    assert (seen("/a"), seen("/c")) == ("changed", "three"), "nothing was changed"
    assert ids(lb) == before
    # the file changed: it counts, all of it
    lb.write(text)
    put(m, "/a new\n")
    reload(lb)
    assert (seen("/a"), seen("/b"), seen("/c")) == ("new", "none", "none")
    assert ids(lb) == before
    # the same text again, then back: what is changed in between is of the text it was changed in
    lb.ask("set map %s /a again" % m)
    put(m, "/a one\n/b two\n")
    reload(lb)
    assert dump(lb, m) == ["/a one", "/b two"]
    # a file that is gone fails; with opt@ it is an empty list, which is another
    os.unlink(m)
    answer = reload(lb, False)
    assert "cannot open '%s'" % m in answer, answer
    assert seen("/a") == "one"
    lb.finish()


def same_name_elsewhere():
    """With default-path one name means a file beside each configuration file: two lists."""
    ports, args = [free_port(), free_port()], []
    for i, port in enumerate(ports):
        where = folder()
        put(os.path.join(where, "m.map"), "/a from%d\n" % i)
        put(os.path.join(where, "c.cfg"), (FRONTEND % port).replace("frontend f", "frontend f%d" % i) +
            '  http-request set-map(m.map) /b "by %d"\n' % i +
            '  http-request return status 200 hdr m "%[path,map(m.map,none)]"\n')
        args += ["-f", os.path.join(where, "c.cfg")]
    lb = Lb(DEFAULTS, extra_global="  default-path config\n", args=args)
    for _ in range(2):
        for i, port in enumerate(ports):
            assert get(port, "/a")[1]["m"] == "from%d" % i
            assert get(port, "/b")[1]["m"] == "by %d" % i
        numbers = re.findall(r"^\d+", lb.ask("show map"), re.M)
        assert numbers == ["0", "1"], numbers
        reload(lb)
    lb.finish()


def mistakes():
    """What is wrong with a list is told with its file and line, or at the very word."""
    port = free_port()
    lb = Lb(DEFAULTS + FRONTEND % port)
    m, nets = os.path.join(lb.dir, "m.map"), os.path.join(lb.dir, "nets.lst")
    put(m, "# hosts\na 1\n\nb x\n")
    put(nets, "10.0.0.0/8\n10.0.0.0/33\n")
    cases = (
        ("http-request deny if { src -f %s }" % nets,
         "line 2 of file '%s': '10.0.0.0/33' is not an IPv4 or IPv6 address or network" % nets),
        ("http-request set-header x %%[path,map_str_int(%s)]" % m,
         "line 4 of file '%s': the value 'x' is not an integer (of 'b')" % m),
        ("http-request set-header x %%[path,map_str_ip(%s)]" % m,
         "line 2 of file '%s': the value '1' is not an address (of 'a')" % m),
        ("http-request deny if { path -f virt@ }", "'virt@' needs a name"),
        ("http-request deny if { path -f opt@ }", "the name of a file is missing"),
        ("http-request set-header x %[path,map(/none/there)]", "cannot open '/none/there'"),
        ("http-request set-map(virt@a) k v", "no ACL and no map uses 'virt@a', so nothing would see the change"),
        ("http-request set-map() k v", "a list is named in parentheses: set-map(<map>) <key fmt> <value fmt>"),
        ("http-request set-map(virt@a) k", "'http-request set-map' expects a value"),
        ("http-request add-acl(virt@a)", "'http-request add-acl' expects a key"),
        ("acl a path -u 7 /x\n  acl b path -u 7 /y", "'-u 7' is the number of another list already"),
        ("acl a path -f virt@l\n  http-request set-map(virt@l) k v", "'virt@l' is a list of patterns without values"),
        ("http-request set-header x %[path,map(virt@m)]\n  http-request add-acl(virt@m) k",
         "'virt@m' is a map, whose entries need values: use set-map"),
        ("http-request set-header x %[path,map(virt@m)]\n  acl a path -f virt@m",
         "'virt@m' is a map; with '-M' in front of '-f' an ACL looks at its keys"),
        ("acl a path -f virt@m\n  http-request set-header x %[path,map(virt@m)]",
         "'virt@m' is used by an ACL as a list of patterns without values"),
    )
    for line, message in cases:
        lb.write(DEFAULTS + FRONTEND % port + "  " + line + "\n")
        answer = reload(lb, False)
        assert message in answer, (line, answer)
        assert "~" in answer or "^" in answer, answer
    for line in ("acl a path -f opt@/none/there", "acl a path -f file@%s" % nets, "acl a path -M -f virt@x\n"
                 "  http-request set-map(virt@x) k v"):
        lb.write(DEFAULTS + FRONTEND % port + "  " + line + "\n  http-request deny if a\n")
        reload(lb)
    lb.finish()


def levels():
    """Users look, operators change."""
    port = free_port()
    lb = Lb(DEFAULTS + FRONTEND % port + "  http-request set-header x %[path,map(virt@m)]\n")

    def as_level(level, command):
        return lb.ask("%s; %s" % (level, command))

    for command in ("add map virt@m a b", "set map virt@m a b", "del map virt@m a", "clear map virt@m",
                    "prepare map virt@m", "commit map @1 virt@m"):
        assert "Permission denied" in as_level("user", command), command
        assert "Permission denied" not in as_level("operator", command), command
    for command in ("show map", "show map virt@m", "get map virt@m a", "show acl"):
        assert "Permission denied" not in as_level("user", command), command
    lb.finish()


def ask_payload(lb, command, lines):
    return lb.ask(command + " <<\n" + "".join(lines))


def replaced_under_load(n=int(os.environ.get("MAP_ENTRIES", "60000"))):
    """A large map is replaced again and again, while requests and commands are answered: each request sees all of the
    old one or all of the new one, and nobody waits."""
    port = free_port()
    lb = Lb(DEFAULTS + FRONTEND % port + """
  http-request return status 200 hdr a "%[str(k1),map(virt@big,none)]" hdr b "%[path,map_beg(virt@big,none)]"
""")
    over, wrong, answers = threading.Event(), [], {"cli": [], "http": []}

    def commands():
        while not over.is_set():
            start = time.monotonic()
            lb.ask("show cli level")
            answers["cli"].append(time.monotonic() - start)
            time.sleep(0.005)

    def requests():
        with Http(port) as c:
            while not over.is_set():
                start = time.monotonic()
                fields = c.get("/k%d" % (n - 1))[1]
                answers["http"].append(time.monotonic() - start)
                if not re.fullmatch(r"none|round\d+-1", fields["a"]) or not re.fullmatch(
                        r"none|round\d+-\d+", fields["b"]):
                    wrong.append(fields)

    threads = [threading.Thread(target=f, daemon=True) for f in (commands, requests, requests)]
    for t in threads:
        t.start()
    for i in range(3):
        ver = int(lb.ask("prepare map virt@big").split(":")[1])
        for at in range(0, n, 5000):
            lines = ["k%d round%d-%d\n" % (k, i, k) for k in range(at, min(n, at + 5000))]
            lines += ["/k%d round%d-%d\n" % (k, i, k) for k in range(at, min(n, at + 5000))]
            answer = ask_payload(lb, "add map @%d virt@big" % ver, lines)
            assert answer == "\n", answer
        assert lb.ask("commit map @%d virt@big" % ver) == "\n"
        fields = get(port, "/k%d" % (n - 1))[1]
        assert (fields["a"], fields["b"]) == ("round%d-1" % i, "round%d-%d" % (i, n - 1)), fields
    assert "entry_cnt=%d\n" % (2 * n) in lb.ask("show map")
    over.set()
    for t in threads:
        t.join()
    assert not wrong, wrong[:3]
    for name, took in answers.items():
        print("%s: %d answers, the slowest %.1f ms" % (name, len(took), 1000 * max(took)))
        assert sorted(took)[len(took) * 9 // 10] < 0.25 * SLOW, "most answers are not held up"
    lb.finish()


def two_writers():
    """Each prepares; who commits first keeps the other's older version out, and nothing is mixed."""
    port = free_port()
    lb = Lb(DEFAULTS + FRONTEND % port + "  http-request set-header x %[path,map(virt@m)]\n")
    one = int(lb.ask("prepare map virt@m").split(":")[1])
    two = int(lb.ask("prepare map virt@m").split(":")[1])
    for i in range(100):
        lb.ask("add map @%d virt@m one%d 1" % (one, i))
        lb.ask("add map @%d virt@m two%d 2" % (two, i))
    assert lb.ask("commit map @%d virt@m" % two) == "\n"
    assert "out of range" in lb.ask("commit map @%d virt@m" % one)
    assert "out of range" in lb.ask("add map @%d virt@m late 1" % one)
    assert dump(lb, "virt@m") == ["two%d 2" % i for i in range(100)]
    lb.finish()


def dump_amid_changes():
    """A reader that is slow sees the list as it was when it asked, less what was deleted since."""
    port = free_port()
    lb = Lb(DEFAULTS + FRONTEND % port + "  http-request set-header x %[path,map(virt@m)]\n")
    n = 20000
    ask_payload(lb, "add map virt@m", ["key%d %s\n" % (i, "v" * 100) for i in range(n)])
    with socket.socket(socket.AF_UNIX) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(lb.socket)
        s.settimeout(20 * SLOW)
        s.sendall(b"show map virt@m\n")
        got = s.recv(4096)
        ver = int(lb.ask("prepare map virt@m").split(":")[1])
        ask_payload(lb, "add map @%d virt@m" % ver, ["new%d x\n" % i for i in range(n)])
        lb.ask("commit map @%d virt@m" % ver)
        lb.ask("clear map virt@m")
        while True:
            part = s.recv(65536)
            if not part:
                break
            got += part
    keys = [line.split(" ")[1] for line in got.decode().strip("\n").split("\n")]
    assert keys == ["key%d" % i for i in range(n)], (len(keys), keys[:2])
    assert dump(lb, "virt@m") == []
    lb.finish()


def rules_of_many():
    """Many clients change the same map by rules, and some leave before the answer."""
    port = free_port()
    lb = Lb(DEFAULTS + FRONTEND % port + """
  http-request set-map(virt@m) "%[req.hdr(k)]" "%[req.hdr(v)]"
  http-request del-map(virt@m) "%[req.hdr(d)]" if { req.hdr(d) -m found }
  http-request return status 200 hdr seen "%[req.hdr(k),map(virt@m,none)]"
""", nbthread=4)
    wrong = []

    def client(number):
        for i in range(30):
            with Http(port) as c:
                for k in range(3):
                    key, value = "c%d-%d" % (number, i), "v%d-%d" % (number, k)
                    seen = c.get("/", "K: %s\r\nV: %s\r\n" % (key, value))[1]["seen"]
                    if seen != value:
                        wrong.append((key, value, seen))
                c.send("GET / HTTP/1.1\r\nHost: a\r\nK: gone%d\r\nV: %d\r\n\r\n" % (number, i))

    threads = [threading.Thread(target=client, args=(i,), daemon=True) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, wrong[:3]
    keys = {line.split(" ")[0] for line in dump(lb, "virt@m")}
    assert {"c%d-%d" % (a, b) for a in range(8) for b in range(30)} <= keys
    assert sum(lb.activity("map_changes_refused")) == 0
    wait_for(lambda: int(lb.info("CurrConns")) == 0, "clients are gone")
    lb.finish()


if __name__ == "__main__":
    main({f.__name__: f for f in (over_reloads, same_name_elsewhere, mistakes, levels, replaced_under_load, two_writers, dump_amid_changes,
                                  rules_of_many)})
