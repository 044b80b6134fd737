# SPDX-License-Identifier: Apache-2.0
"""Fetches about streams, connections and bytes, as logs and rules see them: fetch_stream.py [NAME...]"""
import re
import socket
import time

from lbtest import DEFAULTS, Http, Lb, Origin, free_port, get, main
from logs import Collector


def fields(line):
    """{name: value} of "name=<value> ..." behind the syslog header"""
    return dict(re.findall(r"(\w+)=<([^>]*)>", line))


def line_of(lb, text):
    """The number of the configuration's line with @text."""
    with open(lb.config) as f:
        return next(i for i, line in enumerate(f, 1) if text in line)


def rules():
    """Which rule ended it, which one waited; what the server said, whatever rules made of it."""
    log, port, tcp, origin = Collector(), free_port(), free_port(), Origin("hello")
    lb = Lb(DEFAULTS + """
  log %s local0
  log-format "file=<%%[last_rule_file]> line=<%%[last_rule_line]> last=<%%[last_entity]> wait=<%%[waiting_entity]> status=<%%[status]> server=<%%[server_status]>"
frontend fe
  bind 127.0.0.1:%d
  http-request deny if { path /deny }
  http-request allow if { path /allow }
  http-request set-header x y
  http-response set-status 299 if { res.hdr(via) -m found } || TRUE
  http-response deny if { status 200 } { capture.req.uri /resdeny }
  http-after-response allow if { capture.req.uri /after }
  default_backend be
backend be
  server s %s
frontend tcp
  mode tcp
  bind 127.0.0.1:%d
  timeout client 200ms
  tcp-request inspect-delay 20s
  tcp-request content reject if { req.len gt 100 }
  tcp-request content accept if { req.payload(0,4) -m str DONE }
  default_backend raw
backend raw
  mode tcp
  server s %s
""" % (log.addr, port, origin.addr, tcp, origin.addr))

    def said():
        return fields(log.line().decode())

    def place(text):
        n = line_of(lb, text)
        return {"file": lb.config, "line": str(n), "last": "%s:%d" % (lb.config, n)}

    none = {"file": "-", "line": "-", "last": "-"}
    for path, status, where, code, server in (("/deny", 403, place("path /deny"), "403", "-"),
                                              ("/allow", 299, place("path /allow"), "299", "200"),
                                              ("/other", 299, none, "299", "200"),
                                              ("/after", 299, place("uri /after"), "299", "200")):
        assert get(port, path)[0] == status
        got = said()
        assert got == dict(where, wait="-", status=code, server=server), (path, got)
    with socket.create_connection(("127.0.0.1", tcp), 20) as c:
        c.sendall(b"DON")
        assert c.recv(1) == b""  # timeout client
    got = said()
    assert got["wait"] == "%s:%d" % (lb.config, line_of(lb, "len gt 100")), got
    lb.finish()


def sides():
    """Numbers of exchanges, aborts, errors by name, termination events, glitches."""
    log, port, bad, origin = Collector(), free_port(), free_port(), Origin("hello")
    lb = Lb(DEFAULTS + """
  log %s local0
  retries 0
  log-format "fs=<%%[fs.id]> bs=<%%[bs.id]> abrt=<%%[fs.aborted]/%%[bs.aborted]> rst=<%%[fs.rst_code]/%%[bs.rst_code]> fc=<%%[fc_nb_streams]/%%[fc_settings_streams_limit]/%%[fc_glitches]/%%[fc_err_name]> bc=<%%[bc_nb_streams]/%%[bc_settings_streams_limit]/%%[bc_glitches]/%%[bc_err_name]> events=<%%[term_events]> calls=<%%[cpu_calls]> dbg=<%%[fs.debug_str(5)]|%%[bs.debug_str(8)]>"
frontend fe
  bind 127.0.0.1:%d
  default_backend be
backend be
  server s %s
frontend nobody
  bind 127.0.0.1:%d accept-proxy
  default_backend be
""" % (log.addr, port, origin.addr, bad))

    def said():
        return fields(log.line().decode())

    with Http(port) as c:
        for n in (1, 2, 3):
            assert c.get("/")[0] == 200
            got = said()
            assert got["fs"] == got["bs"] == str(n), got
            assert (got["abrt"], got["rst"]) == ("0/0", "-/-"), got
            assert (got["fc"], got["bc"]) == ("1/1/0/NONE", "1/1/0/NONE"), got
            assert got["events"] == "fs:eom,bs:eom", got
            assert 1 <= int(got["calls"]) < 20, got
            assert re.fullmatch(r"ep=h1 flags=0x[0-9a-f]+ in=\d+ out=\d+ xprt=RAW\|conn=\d+ requests=%d err=NONE( reused)?" % (n - 1),
                                got["dbg"]), got
        for n in (1, 2):  # put up with, and counted
            assert c.get("/", "Content-Length: 0\r\nContent-Length: 0\r\n")[0] == 200
            got = said()
            assert (got["fc"], got["bc"]) == ("1/1/%d/NONE" % n, "1/1/0/NONE"), got
        c.send("GET / HTTP/1.1\r\nno field\r\n\r\n")
        assert c.head()[0] == 400
    got = said()
    assert got["fc"] == "1/1/3/NONE" and got["fs"] == "6" and got["bs"] == "-", got
    assert got["events"] == "fs:malformed,strm:PR", got
    with Http(port) as c:
        c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
    got = said()
    assert got["abrt"].startswith("1/"), got
    assert "fs:aborted" in got["events"] and "strm:C" in got["events"], got
    lb.finish()


def costs():
    """Times of calls: none before a configuration asks, some when it does."""
    log, port = Collector(), free_port()
    text = DEFAULTS + """
  log %s local0
  log-format "calls=<%%%%[cpu_calls]>%%s"
frontend fe
  bind 127.0.0.1:%d
  http-request return status 200
""" % (log.addr, port)
    lb = Lb(text % "")
    assert get(port)[0] == 200
    assert fields(log.line().decode())["calls"] == "1"
    lb.write(text % " tot=<%[cpu_ns_tot]> avg=<%[cpu_ns_avg]> ltot=<%[lat_ns_tot]> lavg=<%[lat_ns_avg]>"
             " busy=<%[cpu_usage_proc]/%[cpu_usage_grp]/%[cpu_usage_thr]>")
    assert lb.ask("reload").startswith("Success=1")
    with Http(port) as c:
        assert c.get("/")[0] == 200
        got = fields(log.line().decode())
        calls, tot, avg = int(got["calls"]), int(got["tot"]), int(got["avg"])
        assert 0 < tot < 10 ** 10, got
        assert tot // calls <= avg <= 2 * (tot // calls) + 10 ** 7, got  # it is evaluated later, and time goes on
        assert int(got["lavg"]) == int(got["ltot"]) // calls, got
        busy = [int(n) for n in got["busy"].split("/")]
        assert all(0 <= n <= 100 for n in busy), got
    lb.finish()


def distcc():
    """Tokens of distcc, whole and in pieces; of what is no such message nothing is waited for."""
    log, port, origin = Collector(), free_port(), Origin("hello")
    lb = Lb(DEFAULTS + """
  mode tcp
  log %s local0
listen d
  bind 127.0.0.1:%d
  tcp-request inspect-delay 20s
  tcp-request content set-var(sess.ver) distcc_param(DIST)
  tcp-request content set-var(sess.argc) distcc_param(ARGC)
  tcp-request content set-var(sess.arg1) distcc_body(ARGV)
  tcp-request content set-var(sess.arg2) distcc_body(ARGV,2)
  tcp-request content set-var(sess.arg3) distcc_param(ARGV,3)
  tcp-request content set-var(sess.doti) distcc_body(DOTI)
  tcp-request content set-var(sess.nobody) distcc_body(ARGC)
  tcp-request content reject if { distcc_body(DOTI) -m found }
  log-format "ver=<%%[var(sess.ver)]> argc=<%%[var(sess.argc)]> a1=<%%[var(sess.arg1)]> a2=<%%[var(sess.arg2)]> a3=<%%[var(sess.arg3)]> doti=<%%[var(sess.doti)]> no=<%%[var(sess.nobody)]>"
  server s %s
""" % (log.addr, port, origin.addr))
    message = b"DIST00000001ARGC00000003ARGV00000003gccARGV00000002-cARGV00000003x.cDOTI0000000bint main(){"

    def played(pieces):
        with socket.create_connection(("127.0.0.1", port), 20) as c:
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for p in pieces:
                c.sendall(p)
            try:
                c.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            return fields(log.line().decode())

    want = {"ver": "1", "argc": "3", "a1": "gcc", "a2": "-c", "a3": "3", "doti": "int main(){", "no": "-"}
    assert played([message]) == want
    got = played([message[i:i + 1] for i in range(len(message))])
    assert got == want, got
    start = time.monotonic()
    got = played([b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
    assert set(got.values()) == {"-"}, got
    # the first is found, what follows is more than any buffer: not waited for
    got = played([b"DIST00000003DOTIffffffff"])
    assert got["ver"] == "3" and got["doti"] == "-", got
    assert time.monotonic() - start < 19
    lb.finish()


if __name__ == "__main__":
    main({"rules": rules, "sides": sides, "costs": costs, "distcc": distcc})
