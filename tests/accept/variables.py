# SPDX-License-Identifier: Apache-2.0
"""Variables: in every rule set, from all workers, over reloads, within bounded memory: variables.py [NAME...]"""
import re
import socket
import threading

from lbtest import DEFAULTS, Http, Lb, Origin, free_port, get, main, wait_for
from logs import Collector


def rule_sets():
    """Set in one rule set, read in all that follow, logs included."""
    log, port, tcp, origin = Collector(), free_port(), free_port(), Origin("hello")
    lb = Lb(DEFAULTS + """
  log %s local0
frontend fe
  bind 127.0.0.1:%d
  tcp-request connection set-var(sess.conn) str(c)
  tcp-request connection set-var-fmt(sess.fmt) "%%[src]-%%[int(1)]"
  tcp-request session set-var(sess.all) var(sess.conn),concat(s)
  tcp-request inspect-delay 5s
  tcp-request content set-var(txn.all) var(sess.all),concat(t)
  tcp-request content unset-var(sess.conn)
  http-request set-var(txn.all) var(txn.all),concat(q)
  http-response set-var(txn.all) var(txn.all),concat(R)
  http-after-response set-var(txn.all) var(txn.all),concat(A)
  http-after-response set-header all %%[var(txn.all)]
  http-after-response set-header rest "%%[var(sess.conn,gone)] %%[var(sess.fmt)]"
  log-format "all=<%%[var(txn.all)]>"
  default_backend be
backend be
  tcp-request content set-var(txn.all) var(txn.all),concat(b)
  http-request set-var(txn.all) var(txn.all),concat(B)
  tcp-response content set-var(txn.all) var(txn.all),concat(p)
  http-response set-var(txn.all) var(txn.all),concat(r)
  http-after-response set-var(txn.all) var(txn.all),concat(a)
  server s %s
listen raw
  mode tcp
  bind 127.0.0.1:%d
  tcp-request inspect-delay 5s
  tcp-request connection set-var(sess.all) str(c)
  tcp-request session set-var(sess.all) var(sess.all),concat(s)
  tcp-request content set-var(txn.all) var(sess.all),concat(t)
  tcp-request content accept if { req.len gt 0 }
  tcp-response inspect-delay 5s
  tcp-response content set-var(txn.all,ifset) var(txn.all),concat(p)
  tcp-response content accept
  log-format "all=<%%[var(txn.all)]>"
  server s %s
""" % (log.addr, port, origin.addr, tcp, origin.addr))
    with Http(port) as c:
        for conn in ("gone", "gone"):
            status, fields, _ = c.get("/")
            assert status == 200
            assert fields["all"] == "cstqbBprRaA", fields
            assert fields["rest"] == conn + " 127.0.0.1-1", fields
            assert "all=<cstqbBprRaA>" in log.line().decode()
    assert get(tcp)[0] == 200
    assert re.search("all=<cstp>", log.line().decode())
    lb.finish()


def process():
    """What one worker, or the admin socket, sets, all workers read; values are never mixed."""
    port = free_port()
    lb = Lb(DEFAULTS + """
frontend fe
  bind 127.0.0.1:%d
  http-request set-var(proc.v) req.hdr(v) if { req.hdr(v) -m found }
  http-request set-var(txn.v) var(proc.v)
  http-request return status 200 hdr v "%%[var(txn.v)]" hdr len "%%[var(txn.v),length]" hdr all "%%[dump_all_vars(proc),length]"
""" % port, nbthread=4)
    values = [c * n for c, n in zip("abcdefgh", (1, 7, 50, 300, 2, 1000, 64, 9))]
    stop, wrong = threading.Event(), []

    def write(value):
        with Http(port) as c:
            while not stop.is_set():
                c.get("/", "V: %s\r\n" % value)

    def read():
        with Http(port) as c:
            for _ in range(300):
                got = c.get("/")[1]
                if got["v"] and (got["v"] not in values or int(got["len"]) != len(got["v"])):
                    wrong.append(got)

    writers = [threading.Thread(target=write, args=(v,)) for v in values[:4]]
    readers = [threading.Thread(target=read) for _ in range(4)]
    for t in writers + readers:
        t.start()
    for value in values[4:] * 5:
        lb.ask("experimental-mode on; set var proc.v str(%s); set var proc.more_%s int(1)" % (value, value[:3]))
    for t in readers:
        t.join()
    stop.set()
    for t in writers:
        t.join()
    assert not wrong, wrong[:3]
    lb.ask("experimental-mode on; set var proc.v str(last)")
    for _ in range(8):  # whichever worker
        assert get(port)[1]["v"] == "last"
    lb.finish()


def reloads():
    """Those of the process and of sessions outlive reloads; lines of 'global' count when they are new."""
    port = free_port()
    text = DEFAULTS + """
frontend fe
  bind 127.0.0.1:%d
  http-request set-var(sess.n) var(sess.n,0),add(1)
  http-request set-var(proc.total) var(proc.total,0),add(1)
  http-request return status 200 hdr v "%%[var(sess.n)] %%[var(proc.total)] %%[var(proc.a)] %%[var(proc.b,none)]"
""" % port
    lb = Lb(text, nbthread=1, extra_global="  set-var proc.a str(file)")
    with Http(port) as c:
        assert c.get("/")[1]["v"] == "1 1 file none"
        assert lb.ask("experimental-mode on; set var proc.a str(socket)").strip() == ""
        assert c.get("/")[1]["v"] == "2 2 socket none"
        assert lb.ask("reload").startswith("Success=1")
        assert c.get("/")[1]["v"] == "3 3 socket none"
        lb.head += "  set-var-fmt proc.b \"%[var(proc.a)]-%[int(1)]\"\n"
        lb.write(text)
        assert lb.ask("reload").startswith("Success=1")
        assert c.get("/")[1]["v"] == "4 4 socket socket-1"
        lb.head = lb.head.replace("str(file)", "str(newer)")
        lb.write(text)
        assert lb.ask("reload").startswith("Success=1")
        assert c.get("/")[1]["v"] == "5 5 newer socket-1"
    lb.finish()


def memory():
    """Given back when what they belong to ends: the bounds are never in the way of those who come later."""
    port = free_port()
    lb = Lb(DEFAULTS + """
frontend fe
  bind 127.0.0.1:%d
  http-request set-var(txn.big) req.hdr(big)
  http-request set-var(req.big) req.hdr(big)
  http-request set-var(sess.a) req.hdr(a)
  http-request set-var(proc.a) req.hdr(a)
  http-request set-var(txn.n) str(x),set-var(txn.m)
  http-request unset-var(txn.n)
  http-after-response set-var(res.big) var(txn.big)
  http-request return status 200 hdr v "%%[var(txn.big),length] %%[var(req.big),length] <%%[var(sess.a)]> <%%[var(proc.a)]>"
""" % port, nbthread=1, extra_global="  tune.vars.global-max-size 10000\n  tune.vars.proc-max-size 9000")
    big = "Big: %s\r\n" % ("b" * 1500)
    for i in range(60):
        with Http(port) as c:
            for k in range(5):
                a = "a" * ((i * 5 + k) % 200)
                assert c.get("/", big + "A: %s\r\n" % a)[1]["v"] == "1500 1500 <%s> <%s>" % (a, a)
    assert lb.activity("vars_refused") == [0]
    # what does not fit is not set, and the request goes on
    with Http(port) as c:
        status, fields, _ = c.get("/", "Big: %s\r\nA: x\r\n" % ("b" * 6000))
        assert (status, fields["v"]) == (200, "6000  <x> <x>"), fields
        assert lb.activity("vars_refused")[0] >= 1
        assert c.get("/", big + "A: y\r\n")[1]["v"] == "1500 1500 <y> <y>"
    lb.finish()


def abandoned():
    """Connections that end in the middle leave nothing behind."""
    port = free_port()
    lb = Lb(DEFAULTS + """
frontend fe
  bind 127.0.0.1:%d
  tcp-request connection set-var(sess.a) src
  tcp-request content set-var(txn.a) str(%s)
  http-request tarpit if { path /tarpit }
  http-request return status 200
  timeout tarpit 20s
""" % (port, "x" * 500), nbthread=1, extra_global="  tune.vars.global-max-size 3000")
    for _ in range(30):
        with socket.create_connection(("127.0.0.1", port), 20) as c:
            c.sendall(b"GET /tarpit HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_for(lambda: lb.info("CurrConns") == "0", "connections end", 20)
    assert get(port)[0] == 200
    wait_for(lambda: lb.info("CurrConns") == "0", "the last one ends", 20)
    refused = lb.activity("vars_refused")
    for _ in range(5):
        assert get(port)[0] == 200
    assert lb.activity("vars_refused") == refused
    lb.finish()


if __name__ == "__main__":
    main({"rule_sets": rule_sets, "process": process, "reloads": reloads, "memory": memory, "abandoned": abandoned})
